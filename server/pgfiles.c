#include "server/pgfiles.h"

#include "base/str.h"
#include "server/child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    INITDB_TIMEOUT_MS = 180000, // a second on a good disk; a minute has been seen on a network one
    INITDB_FREE_MIB_MIN = 128,  // a fresh cluster takes 40, its first WAL segments the rest
    START_FREE_MIB_MIN = 8,     // PostgreSQL needs some room to start and say why it cannot go on
    LOG_SIZE_MAX = 32 << 20,
    LOG_KEEP_SIZE = 1 << 20,
    TEXT_SIZE_MAX = 8 << 10,
    MAJOR_MIN = 13,
    MAJOR_MAX = 99
};

// --- small helpers -------------------------------------------------------------------------------------------------

CHARLE_PRINTF(3, 4) static bool format_path(char *out, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(out, size, format, args);
    va_end(args);
    return len >= 0 && (size_t)len < size;
}

static enum charle_err fail_path(struct charle_error *err, const char *what, const char *path)
{
    int number = errno;
    return charle_fail_foreign(err, number == ENOSPC ? CHARLE_DISK_FULL : CHARLE_IO, CHARLE_DOMAIN_POSIX, number,
                               "%s %.140s: %s", what, path, strerror(number));
}

static enum charle_err make_folder(const char *path, struct charle_error *err)
{
    if (mkdir(path, 0700) == 0)
        return CHARLE_OK;
    if (errno == EACCES) {
        const struct passwd *user = getpwuid(geteuid());
        return charle_fail(
            err, CHARLE_PERMISSION_DENIED,
            "PostgreSQL runs as user %.30s, who cannot get to %.100s: choose a --data-dir that this user can "
            "reach, such as /var/lib/charle",
            user ? user->pw_name : "?", path);
    }
    return errno == EEXIST ? CHARLE_OK : fail_path(err, "cannot make", path);
}

// Reads the start of a small file. The length, or -1.
static ssize_t read_text(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, out, size - 1);
    close(fd);
    out[n > 0 ? n : 0] = '\0';
    return n;
}

static enum charle_err write_text(const char *path, const char *text, int flags, struct charle_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
    if (fd < 0)
        return fail_path(err, "cannot write", path);
    size_t len = strlen(text);
    bool is_done = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
    enum charle_err rc = is_done ? CHARLE_OK : fail_path(err, "cannot write", path);
    close(fd);
    return rc;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static long free_mib(const char *path)
{
    struct statvfs fs;
    return statvfs(path, &fs) == 0 ? (long)((fs.f_bavail * (fs.f_frsize >> 10)) >> 10) : -1;
}

static enum charle_err check_space(const char *path, long mib_min, struct charle_error *err)
{
    long mib = free_mib(path);
    if (mib >= 0 && mib < mib_min)
        return charle_fail(err, CHARLE_DISK_FULL,
                           "the disk of %.120s has %ld MiB left and PostgreSQL needs %ld: free some, or choose another "
                           "--data-dir",
                           path, mib, mib_min);
    return CHARLE_OK;
}

// --- paths ---------------------------------------------------------------------------------------------------------

// A socket's address holds 107 bytes. Deep folders get a private one in /tmp, named for what it belongs to.
static bool choose_socket(struct ch_pgfiles *files)
{
    if (!format_path(files->socket, sizeof(files->socket), "%s/socket", files->root))
        return false;
    if (strlen(files->socket) + sizeof("/.s.PGSQL.5432.lock") < sizeof(((struct sockaddr_un *)0)->sun_path))
        return true;
    uint64_t hash = 14695981039346656037u; // FNV-1a: only has to differ from other folders of this user
    for (const char *c = files->root; *c; c++)
        hash = (hash ^ (uint8_t)*c) * 1099511628211u;
    return format_path(files->socket, sizeof(files->socket), "/tmp/charle-%u-%016llx", (unsigned)files->postgres_uid,
                       (unsigned long long)hash);
}

enum charle_err ch_pgfiles_init(struct ch_pgfiles *files, const char *root, const char *postgres_bin,
                                uid_t server_uid, uid_t postgres_uid, struct charle_error *err)
{
    *files = (struct ch_pgfiles){.server_uid = server_uid, .postgres_uid = postgres_uid};
    bool fits = format_path(files->root, sizeof(files->root) - 32, "%s", root) &&
                format_path(files->data, sizeof(files->data), "%s/data", files->root) &&
                format_path(files->log, sizeof(files->log), "%s/postgres.log", files->root) &&
                format_path(files->bin, sizeof(files->bin), "%s", postgres_bin ? postgres_bin : "") &&
                choose_socket(files);
    return fits ? CHARLE_OK
                : charle_fail(err, CHARLE_INVALID_ARGUMENT, "the data folder's path is too long for PostgreSQL");
}

// --- programs ------------------------------------------------------------------------------------------------------

static bool has_programs(const char *folder)
{
    char path[CH_PGFILES_PATH_SIZE + 16];
    return format_path(path, sizeof(path), "%s/postgres", folder) && access(path, X_OK) == 0 &&
           format_path(path, sizeof(path), "%s/initdb", folder) && access(path, X_OK) == 0;
}

// Asks `postgres --version`: "postgres (PostgreSQL) 15.20 (Debian …)". 0 when it does not say.
static int major_of(const char *folder)
{
    char program[CH_PGFILES_PATH_SIZE + 16], text[200];
    if (!format_path(program, sizeof(program), "%s/postgres", folder))
        return 0;
    const char *const argv[] = {program, "--version", NULL};
    if (ch_child_read(argv, text, sizeof(text)) != 0)
        return 0;
    const char *number = strstr(text, ") ");
    return number ? (int)strtol(number + 2, NULL, 10) : 0;
}

static bool use_folder(struct ch_pgfiles *files, const char *folder, int wanted_major, int *best_major)
{
    if (!has_programs(folder))
        return false;
    int major = major_of(folder);
    if (major > *best_major)
        *best_major = major;
    if (wanted_major ? major != wanted_major : (major < MAJOR_MIN || major < files->major))
        return false;
    files->major = major;
    return format_path(files->bin, sizeof(files->bin), "%s", folder);
}

static bool search_folders(struct ch_pgfiles *files, int wanted_major, int *best_major)
{
    char folder[CH_PGFILES_PATH_SIZE];
    for (int major = MAJOR_MAX; major >= MAJOR_MIN; major--) {
        snprintf(folder, sizeof(folder), "/usr/lib/postgresql/%d/bin", major); // Debian
        if (use_folder(files, folder, wanted_major, best_major))
            return true;
        snprintf(folder, sizeof(folder), "/usr/pgsql-%d/bin", major); // PostgreSQL's own RPMs
        if (use_folder(files, folder, wanted_major, best_major))
            return true;
    }
    const char *path = getenv("PATH");
    for (const char *start = path; start && *start; start += strcspn(start, ":"), start += *start == ':') {
        int len = (int)strcspn(start, ":");
        if (len && format_path(folder, sizeof(folder), "%.*s", len, start) &&
            use_folder(files, folder, wanted_major, best_major))
            return true;
    }
    return false;
}

// Finds the programs of the cluster's major version, or the newest when there is no cluster yet (wanted 0).
static enum charle_err find_programs(struct ch_pgfiles *files, int wanted_major, struct charle_error *err)
{
    int best_major = 0;
    char folder[CH_PGFILES_PATH_SIZE];
    memcpy(folder, files->bin, sizeof(folder));
    bool is_found = *folder ? use_folder(files, folder, wanted_major, &best_major)
                            : search_folders(files, wanted_major, &best_major);
    if (is_found)
        return CHARLE_OK;
    if (wanted_major && best_major)
        return charle_fail(
            err, CHARLE_FAILED_PRECONDITION,
            "the data folder was made by PostgreSQL %d and only %d is here: install postgresql-%d, or move "
            "the data with pg_upgrade",
            wanted_major, best_major, wanted_major);
    if (best_major)
        return charle_fail(err, CHARLE_FAILED_PRECONDITION, "PostgreSQL %d is too old: install PostgreSQL 13 or newer",
                           best_major);
    return charle_fail(
        err, CHARLE_NOT_FOUND,
        "PostgreSQL's programs were not found%s%.60s: install the package postgresql, say --postgres-bin FOLDER, "
        "or use a server with DATABASE_URL",
        *folder ? " in " : "", folder);
}

// --- making a cluster ----------------------------------------------------------------------------------------------

// initdb complains in several lines; the last one that says "error" tells the reason.
static void initdb_reason(const char *text, char *out, size_t size)
{
    const char *line = strstr(text, "error: ");
    if (!line)
        line = strstr(text, "FATAL: ");
    snprintf(out, size, "%.*s", line ? (int)strcspn(line, "\n") : (int)strcspn(text, "\n"), line ? line : text);
}

static enum charle_err run_initdb(const struct ch_pgfiles *files, const char *fresh, struct charle_error *err)
{
    char program[CH_PGFILES_PATH_SIZE + 16], text[TEXT_SIZE_MAX], reason[160];
    snprintf(program, sizeof(program), "%s/initdb", files->bin);
    const char *const argv[] = {program,
                                "-D",
                                fresh,
                                "-U",
                                CH_PGFILES_USER,
                                "--encoding=UTF8",
                                "--locale=C.UTF-8",
                                "--auth=peer",
                                "--data-checksums",
                                NULL};
    const char *const plain[] = {
        program, "-D", fresh, "-U", CH_PGFILES_USER, "--encoding=UTF8", "--locale=C", "--auth=peer", "--data-checksums",
        NULL};
    int status = ch_child_run(argv, INITDB_TIMEOUT_MS, text, sizeof(text));
    if (status != 0 && strstr(text, "locale"))
        status = ch_child_run(plain, INITDB_TIMEOUT_MS, text, sizeof(text));
    if (status == 0)
        return CHARLE_OK;
    initdb_reason(text, reason, sizeof(reason));
    return charle_fail(err, strstr(text, "No space left") ? CHARLE_DISK_FULL : CHARLE_INTERNAL,
                       "initdb could not make the private PostgreSQL: %s",
                       status < 0 ? "it did not end in time" : reason);
}

static enum charle_err make_cluster(const struct ch_pgfiles *files, struct charle_error *err)
{
    char fresh[CH_PGFILES_PATH_SIZE + 8], conf[CH_PGFILES_PATH_SIZE + 40];
    snprintf(fresh, sizeof(fresh), "%s.new", files->data);
    nftw(fresh, remove_entry, 16, FTW_DEPTH | FTW_PHYS); // of an attempt that was cut short
    enum charle_err rc = check_space(files->root, INITDB_FREE_MIB_MIN, err);
    if (rc == CHARLE_OK)
        rc = run_initdb(files, fresh, err);
    if (rc == CHARLE_OK) {
        snprintf(conf, sizeof(conf), "%s/postgresql.conf", fresh);
        rc = write_text(
            conf,
            "\n# Written at each start by charled. Settings below this line win over it.\ninclude 'charle.conf'\n",
            O_APPEND, err);
    }
    if (rc == CHARLE_OK && rename(fresh, files->data) != 0)
        rc = fail_path(err, "cannot rename", fresh);
    return rc;
}

static enum charle_err write_settings(const struct ch_pgfiles *files, struct charle_error *err)
{
    char path[CH_PGFILES_PATH_SIZE + 40], text[TEXT_SIZE_MAX];
    snprintf(text, sizeof(text),
             "# Written at each start by charled; put your own settings at the end of postgresql.conf.\n"
             "listen_addresses = ''\n"
             "unix_socket_directories = '%s'\n"
             "unix_socket_permissions = 0700\n"
             "port = 5432\n"
             "hba_file = '%s/charle_hba.conf'\n"
             "ident_file = '%s/charle_ident.conf'\n"
             "max_connections = 250\n"
             "shared_buffers = 256MB\n"
             "max_wal_size = 2GB\n"
             "random_page_cost = 1.1\n" // solid state disks are the rule
             "jit = off\n"              // short queries: compiling costs more than it saves
             "wal_compression = on\n"
             "logging_collector = off\n"
             "log_min_messages = warning\n"
             "log_line_prefix = '%%m [%%p] '\n"
             "log_timezone = 'UTC'\n"
             "timezone = 'UTC'\n"
             "lc_messages = 'C'\n",
             files->socket, files->data, files->data);
    snprintf(path, sizeof(path), "%s/charle.conf", files->data);
    enum charle_err rc = write_text(path, text, O_TRUNC, err);
    snprintf(path, sizeof(path), "%s/charle_hba.conf", files->data);
    if (rc == CHARLE_OK)
        rc = write_text(path, "local all all peer map=charle\nlocal replication all peer map=charle\n", O_TRUNC, err);
    const struct passwd *user = getpwuid(files->postgres_uid);
    int len = snprintf(text, sizeof(text), "charle \"%s\" " CH_PGFILES_USER "\n", user ? user->pw_name : "?");
    user = getpwuid(files->server_uid);
    if (files->server_uid != files->postgres_uid && user)
        snprintf(text + len, sizeof(text) - (size_t)len, "charle \"%s\" " CH_PGFILES_USER "\n", user->pw_name);
    snprintf(path, sizeof(path), "%s/charle_ident.conf", files->data);
    return rc ? rc : write_text(path, text, O_TRUNC, err);
}

// The socket's folder may be in /tmp, where others can make it first.
static enum charle_err make_socket_folder(const struct ch_pgfiles *files, struct charle_error *err)
{
    enum charle_err rc = make_folder(files->socket, err);
    struct stat st;
    if (rc == CHARLE_OK &&
        (lstat(files->socket, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0))
        rc = charle_fail(err, CHARLE_PERMISSION_DENIED,
                         "the socket's folder %.140s is not a private folder of PostgreSQL's user: remove it",
                         files->socket);
    return rc;
}

enum charle_err ch_pgfiles_prepare(struct ch_pgfiles *files, void (*say)(void *ctx, const char *text), void *ctx,
                                   struct charle_error *err)
{
    char version[16], path[CH_PGFILES_PATH_SIZE + 16];
    snprintf(path, sizeof(path), "%s/PG_VERSION", files->data);
    bool exists = read_text(path, version, sizeof(version)) > 0;
    if (!exists && access(files->data, F_OK) == 0)
        return charle_fail(err, CHARLE_DATA_LOSS,
                           "%.150s is there but is no PostgreSQL data (PG_VERSION is missing): put it back from a "
                           "backup, or move it away",
                           files->data);
    enum charle_err rc = make_socket_folder(files, err);
    if (rc == CHARLE_OK)
        rc = find_programs(files, exists ? (int)strtol(version, NULL, 10) : 0, err);
    if (rc == CHARLE_OK && !exists) {
        say(ctx, "making a private PostgreSQL, which takes a few seconds");
        rc = make_cluster(files, err);
    }
    if (rc == CHARLE_OK)
        rc = check_space(files->data, START_FREE_MIB_MIN, err);
    return rc ? rc : write_settings(files, err);
}

// --- processes -----------------------------------------------------------------------------------------------------

pid_t ch_pgfiles_postmaster(const struct ch_pgfiles *files, bool *out_is_ready)
{
    char path[CH_PGFILES_PATH_SIZE + 20], text[1024];
    snprintf(path, sizeof(path), "%s/postmaster.pid", files->data);
    *out_is_ready = false;
    if (read_text(path, text, sizeof(text)) <= 0)
        return 0;
    const char *line = text;
    for (int number = 1; number < 8 && line; number++) { // the state stands in line 8
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    *out_is_ready = line && strncmp(line, "ready", 5) == 0;
    long pid = strtol(text, NULL, 10);
    return (pid_t)(pid < 0 ? -pid : pid);
}

bool ch_pgfiles_is_used_by(const struct ch_pgfiles *files, pid_t pid)
{
    char link[40], target[CH_PGFILES_PATH_SIZE], wanted[4096];
    snprintf(link, sizeof(link), "/proc/%ld/cwd", (long)pid);
    ssize_t n = pid > 0 ? readlink(link, target, sizeof(target) - 1) : -1;
    target[n > 0 ? n : 0] = '\0';
    return n > 0 && realpath(files->data, wanted) && strcmp(target, wanted) == 0;
}

pid_t ch_pgfiles_find_process(const struct ch_pgfiles *files)
{
    DIR *folder = opendir("/proc");
    pid_t found = 0;
    for (struct dirent *entry; folder && !found && (entry = readdir(folder)) != NULL;) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid != getpid() && ch_pgfiles_is_used_by(files, pid))
            found = pid;
    }
    if (folder)
        closedir(folder);
    return found;
}

void ch_pgfiles_forget_postmaster(const struct ch_pgfiles *files)
{
    char path[CH_PGFILES_PATH_SIZE + 20];
    snprintf(path, sizeof(path), "%s/postmaster.pid", files->data);
    unlink(path);
}

// --- the log -------------------------------------------------------------------------------------------------------

static void keep_tail(const struct ch_pgfiles *files, int fd, off_t size)
{
    char path[CH_PGFILES_PATH_SIZE + 8];
    snprintf(path, sizeof(path), "%s.1", files->log);
    int old = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    off_t from = size - LOG_KEEP_SIZE;
    char block[4096];
    for (ssize_t n; old >= 0 && (n = pread(fd, block, sizeof(block), from)) > 0; from += n)
        if (write(old, block, (size_t)n) != n)
            break;
    if (old >= 0)
        close(old);
    // PostgreSQL appends, so its next line goes to the new end.
    if (ftruncate(fd, 0) != 0)
        unlink(files->log);
}

int ch_pgfiles_open_log(const struct ch_pgfiles *files)
{
    int fd = open(files->log, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    struct stat st;
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > LOG_SIZE_MAX)
        keep_tail(files, fd, st.st_size);
    return fd;
}

void ch_pgfiles_last_words(const struct ch_pgfiles *files, off_t offset, char *out, size_t out_size)
{
    static const char *const marks[] = {"FATAL:  ", "PANIC:  ", "ERROR:  "};
    char text[TEXT_SIZE_MAX];
    const char *last = NULL;
    int fd = open(files->log, O_RDONLY | O_CLOEXEC);
    off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    off_t from = end - offset > TEXT_SIZE_MAX - 1 ? end - (TEXT_SIZE_MAX - 1) : offset;
    ssize_t n = fd >= 0 ? pread(fd, text, sizeof(text) - 1, from) : 0;
    text[n > 0 ? n : 0] = '\0';
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
        for (const char *at = text; (at = strstr(at, marks[i])) != NULL; at++)
            last = !last || at > last ? at : last;
    if (last)
        snprintf(out, out_size, "%.*s", (int)strcspn(last + 8, "\n"), last + 8);
    else
        snprintf(out, out_size, "it gave no reason in %.120s", files->log);
    if (fd >= 0)
        close(fd);
}
