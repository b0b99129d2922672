#include "server/datadir.h"

#include "base/log.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE_MAX = 4096, LOCK_TEXT_SIZE = 120 };

#define LOCK_NAME "charled.lock"

static enum charle_err fail_path(struct charle_error *err, const char *what, const char *path, const char *advice)
{
    int number = errno;
    enum charle_err code = number == ENOSPC || number == EDQUOT  ? CHARLE_DISK_FULL
                           : number == EROFS                     ? CHARLE_READ_ONLY
                           : number == EACCES || number == EPERM ? CHARLE_PERMISSION_DENIED
                                                                 : CHARLE_IO;
    return charle_fail_foreign(err, code, CHARLE_DOMAIN_POSIX, number, "%s %.120s: %s%s", what, path, strerror(number),
                               advice);
}

// Makes every missing folder of a path; the last one is private.
static enum charle_err make_folders(const char *path, struct charle_error *err)
{
    char part[PATH_SIZE_MAX];
    size_t len = strlen(path);
    if (len >= sizeof(part))
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the data folder's path is longer than %d bytes",
                           PATH_SIZE_MAX - 1);
    memcpy(part, path, len + 1);
    for (char *slash = part; (slash = strchr(slash + 1, '/')) != NULL;) {
        *slash = '\0';
        bool is_new = mkdir(part, 0755) == 0;
        if (!is_new && errno != EEXIST)
            return fail_path(err, "cannot make the folder", part, ": choose another place with --data-dir");
        if (is_new && chmod(part, 0755) != 0) // the umask took away what PostgreSQL's user needs to pass through
            return fail_path(err, "cannot open up the folder", part, "");
        *slash = '/';
    }
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return fail_path(err, "cannot make the data folder", path, ": choose another place with --data-dir");
    return CHARLE_OK;
}

// Only what a server put there may be in a folder that is about to be given to another user.
static bool is_ours(const char *path)
{
    static const char *const known[] = {".", "..", LOCK_NAME, "charled.conf", "database-url", "postgres", "seeds"};
    DIR *folder = opendir(path);
    bool ours = folder != NULL;
    for (struct dirent *entry; ours && (entry = readdir(folder)) != NULL;) {
        bool found = false;
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            found |= strcmp(entry->d_name, known[i]) == 0;
        ours = found;
    }
    if (folder)
        closedir(folder);
    return ours;
}

static enum charle_err choose_user(struct ch_datadir *dir, const struct stat *st, struct charle_error *err)
{
    if (dir->uid != 0) {
        if (access(dir->path, R_OK | W_OK | X_OK) != 0)
            return fail_path(err, "cannot use the data folder", dir->path,
                             ": give it to this user, or choose another with --data-dir");
        return CHARLE_OK;
    }
    if (st->st_uid != 0) {
        dir->uid = st->st_uid;
        dir->gid = st->st_gid;
        return CHARLE_OK;
    }
    const struct passwd *user = getpwnam("postgres");
    if (!user)
        return charle_fail(
            err, CHARLE_FAILED_PRECONDITION,
            "PostgreSQL must not run as root and there is no user `postgres`: install postgresql, or start "
            "charled as another user");
    if (!is_ours(dir->path))
        return charle_fail(
            err, CHARLE_FAILED_PRECONDITION,
            "%.120s belongs to root and holds other things, so it is not given to PostgreSQL: choose an empty "
            "folder with --data-dir",
            dir->path);
    dir->uid = user->pw_uid;
    dir->gid = user->pw_gid;
    if (chown(dir->path, dir->uid, dir->gid) != 0)
        return fail_path(err, "cannot give the data folder to user postgres:", dir->path, "");
    return CHARLE_OK;
}

static enum charle_err take_lock(struct ch_datadir *dir, struct charle_error *err)
{
    char path[PATH_SIZE_MAX];
    snprintf(path, sizeof(path), "%s/" LOCK_NAME, dir->path);
    dir->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (dir->lock_fd < 0)
        return fail_path(err, "cannot open", path, "");
    char text[LOCK_TEXT_SIZE] = "";
    if (flock(dir->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t n = pread(dir->lock_fd, text, sizeof(text) - 1, 0);
        text[n > 0 ? n : 0] = '\0';
        text[strcspn(text, "\n")] = '\0';
        return charle_fail(
            err, CHARLE_BUSY,
            "another charled (%.60s) uses the data folder %.100s: stop it, or give this one its own --data-dir",
            *text ? text : "process unknown", dir->path);
    }
    char host[64] = "";
    if (gethostname(host, sizeof(host) - 1) != 0)
        host[0] = '\0';
    int len = snprintf(text, sizeof(text), "pid %ld on %s\n", (long)getpid(), host);
    dir->is_locked = true;
    if (ftruncate(dir->lock_fd, 0) != 0 || pwrite(dir->lock_fd, text, (size_t)len, 0) != len)
        return fail_path(err, "cannot write", path, "");
    return CHARLE_OK;
}

enum charle_err ch_datadir_open(struct ch_datadir *dir, const char *path, bool has_cluster, struct charle_error *err)
{
    *dir = (struct ch_datadir){.path = path, .lock_fd = -1};
    enum charle_err rc = make_folders(path, err);
    struct stat st;
    if (rc == CHARLE_OK && stat(path, &st) != 0)
        rc = fail_path(err, "cannot look at the data folder", path, "");
    if (rc == CHARLE_OK && !S_ISDIR(st.st_mode))
        rc = charle_fail(err, CHARLE_INVALID_ARGUMENT, "%.150s is not a folder: choose another with --data-dir", path);
    dir->uid = geteuid();
    dir->gid = getegid();
    // Root may use any folder; only PostgreSQL may not run as root.
    if (rc == CHARLE_OK && (has_cluster || dir->uid != 0))
        rc = choose_user(dir, &st, err);
    if (rc == CHARLE_OK)
        rc = take_lock(dir, err);
    if (rc)
        ch_datadir_close(dir);
    return rc;
}

void ch_datadir_close(struct ch_datadir *dir)
{
    // The number would soon be another process's, and somebody might take it for the server's.
    if (dir->lock_fd >= 0 && dir->is_locked && ftruncate(dir->lock_fd, 0) != 0)
        ch_log(CH_LOG_WARN, "server", "the lock file could not be emptied");
    if (dir->lock_fd >= 0)
        close(dir->lock_fd);
    dir->lock_fd = -1;
}

static enum charle_err write_all(int fd, const char *text, const char *path, struct charle_error *err)
{
    for (size_t left = strlen(text); left;) {
        ssize_t n = write(fd, text, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_path(err, "cannot write", path, "");
        text += n;
        left -= (size_t)n;
    }
    return fsync(fd) == 0 ? CHARLE_OK : fail_path(err, "cannot write", path, "");
}

enum charle_err ch_datadir_write_file(const struct ch_datadir *dir, const char *name, const char *text,
                                      struct charle_error *err)
{
    char path[PATH_SIZE_MAX], fresh[PATH_SIZE_MAX + 8];
    snprintf(path, sizeof(path), "%s/%s", dir->path, name);
    snprintf(fresh, sizeof(fresh), "%s.new", path);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fail_path(err, "cannot make", fresh, "");
    enum charle_err rc = write_all(fd, text, fresh, err);
    if (rc == CHARLE_OK && geteuid() == 0 && fchown(fd, dir->uid, dir->gid) != 0)
        rc = fail_path(err, "cannot give away", fresh, "");
    close(fd);
    if (rc == CHARLE_OK && rename(fresh, path) != 0)
        rc = fail_path(err, "cannot replace", path, "");
    if (rc)
        unlink(fresh);
    return rc;
}
