#include "support/pg_cluster.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ARGS_MAX = 96,
    PATH_SIZE = 256,
    START_WAIT_MS = 60000, // recovery on a loaded machine of two cores
    STOP_WAIT_MS = 30000,
    POLL_MS = 10,
    ROOM_WANTED_MB = 512, // a fresh cluster has 40 MB; tests add WAL
};
#define DIRECTORY_PREFIX "charle-pg-"

struct ch_pg_cluster {
    char bin[PATH_SIZE]; // of PostgreSQL's programs
    char directory[PATH_SIZE];
    char url[CH_PG_CLUSTER_URL_SIZE];
    char **settings; // "name=value", owned, NULL-terminated
    pid_t pid;       // 0: halted
    uid_t uid;       // whom the server runs as
    gid_t gid;
};

static struct ch_pg_cluster *shared; // made at the first use, stopped at exit

static bool fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
static bool fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("pg_cluster: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return false;
}

static void sleep_ms(int ms)
{
    usleep((useconds_t)ms * 1000);
}

static void path_of(const struct ch_pg_cluster *cluster, const char *name, char out[PATH_SIZE])
{
    snprintf(out, PATH_SIZE, "%.200s/%s", cluster->directory, name);
}

// The child becomes the server's user, dies with its parent, and writes its output to the log.
static void become(const struct ch_pg_cluster *cluster, const char *const *args, pid_t parent, int death_signal)
{
    char log[PATH_SIZE];
    path_of(cluster, "log", log);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    int null = open("/dev/null", O_RDONLY);
    if (fd >= 0 && null >= 0) {
        dup2(null, 0);
        dup2(fd, 1);
        dup2(fd, 2);
    }
    setsid(); // so that Ctrl-C in a terminal reaches the test and not the server
    if (geteuid() == 0 && (setgroups(0, NULL) || setgid(cluster->gid) || setuid(cluster->uid)))
        _exit(126);
    prctl(PR_SET_PDEATHSIG, death_signal); // after setuid, which clears it
    if (getppid() != parent || chdir(cluster->directory))
        _exit(126);
    unsetenv("LD_PRELOAD");
    setenv("LC_ALL", "C.UTF-8", 1);
    execv(args[0], (char *const *)(uintptr_t)args);
    _exit(127);
}

static pid_t spawn(const struct ch_pg_cluster *cluster, const char *const *args, int death_signal)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        become(cluster, args, parent, death_signal);
    return pid;
}

// Runs a program to its end; true when it exits with 0.
static bool run(const struct ch_pg_cluster *cluster, const char *const *args)
{
    int status = 0;
    pid_t pid = spawn(cluster, args, SIGKILL);
    if (pid < 0)
        return fail("cannot fork: %s", strerror(errno));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    ch_pg_cluster_print_log(cluster);
    return fail("%s failed with status %d", args[0], WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static bool remove_tree(const struct ch_pg_cluster *cluster, const char *path)
{
    const char *const args[] = {"/bin/rm", "-rf", "--", path, NULL};
    return run(cluster, args);
}

static const char *root_folder(void)
{
    struct statvfs room;
    if (statvfs("/dev/shm", &room) == 0 && access("/dev/shm", W_OK) == 0 &&
        room.f_bavail * room.f_frsize >> 20 >= ROOM_WANTED_MB)
        return "/dev/shm";
    return "/tmp";
}

// Removes what tests left behind that were killed: directories that carry the process id of nobody.
static void sweep(const char *root)
{
    char path[PATH_SIZE], command[PATH_SIZE + 32];
    DIR *dir = opendir(root);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        long pid = strncmp(entry->d_name, DIRECTORY_PREFIX, strlen(DIRECTORY_PREFIX))
                       ? 0
                       : strtol(entry->d_name + strlen(DIRECTORY_PREFIX), NULL, 10);
        if (pid <= 0 || kill((pid_t)pid, 0) == 0 || errno != ESRCH)
            continue;
        snprintf(path, sizeof(path), "%s/%.100s", root, entry->d_name);
        snprintf(command, sizeof(command), "rm -rf -- '%s'", path);
        if (system(command) != 0)
            fail("cannot remove %s", path);
    }
    if (dir)
        closedir(dir);
}

static bool find_programs(struct ch_pg_cluster *cluster)
{
    const char *given = getenv("CHARLE_PG_BIN");
    glob_t found = {0};
    if (given) {
        snprintf(cluster->bin, sizeof(cluster->bin), "%s", given);
        return true;
    }
    bool ok = glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) == 0 && found.gl_pathc > 0;
    if (ok) // glob sorts: the last one is the newest
        snprintf(cluster->bin, sizeof(cluster->bin), "%.*s", (int)(strlen(found.gl_pathv[found.gl_pathc - 1]) - 7),
                 found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
    return ok ? true : fail("there is no initdb in /usr/lib/postgresql/*/bin; install the package postgresql");
}

static bool find_user(struct ch_pg_cluster *cluster)
{
    cluster->uid = geteuid();
    cluster->gid = getegid();
    if (cluster->uid != 0)
        return true;
    struct passwd *user = getpwnam("postgres");
    if (!user)
        return fail("running as root, and there is no user postgres to run the server as");
    cluster->uid = user->pw_uid;
    cluster->gid = user->pw_gid;
    return true;
}

static bool make_directory(struct ch_pg_cluster *cluster, const struct ch_pg_cluster_options *options)
{
    const char *root = options->root ? options->root : root_folder();
    sweep(root);
    snprintf(cluster->directory, sizeof(cluster->directory), "%s/" DIRECTORY_PREFIX "%ld-XXXXXX", root, (long)getpid());
    if (!mkdtemp(cluster->directory))
        return fail("cannot make a directory in %s: %s", root, strerror(errno));
    if (geteuid() == 0 && chown(cluster->directory, cluster->uid, cluster->gid))
        return fail("cannot give %s to the user postgres: %s", cluster->directory, strerror(errno));
    return chmod(cluster->directory, 0755) == 0;
}

static bool take_settings(struct ch_pg_cluster *cluster, const struct ch_pg_cluster_options *options)
{
    char own[10][PATH_SIZE];
    size_t own_count = 0, given_count = 0;
    const bool durable = options->is_durable;
    snprintf(own[own_count++], PATH_SIZE, "unix_socket_directories=%.200s", cluster->directory);
    snprintf(own[own_count++], PATH_SIZE, "listen_addresses=%s", options->tcp_port ? "127.0.0.1" : "");
    snprintf(own[own_count++], PATH_SIZE, "port=%d", options->tcp_port ? options->tcp_port : 5432);
    snprintf(own[own_count++], PATH_SIZE, "fsync=%s", durable ? "on" : "off");
    snprintf(own[own_count++], PATH_SIZE, "full_page_writes=%s", durable ? "on" : "off");
    snprintf(own[own_count++], PATH_SIZE, "shared_buffers=64MB");
    snprintf(own[own_count++], PATH_SIZE, "max_connections=200");
    snprintf(own[own_count++], PATH_SIZE, "max_prepared_transactions=10");
    snprintf(own[own_count++], PATH_SIZE, "timezone=UTC");
    while (options->settings && options->settings[given_count])
        given_count++;
    cluster->settings = calloc(own_count + given_count + 1, sizeof(char *));
    if (!cluster->settings || own_count + given_count > ARGS_MAX / 2 - 4)
        return fail("out of memory, or too many settings");
    for (size_t i = 0; i < own_count; i++)
        cluster->settings[i] = strdup(own[i]);
    for (size_t i = 0; i < given_count; i++)
        cluster->settings[own_count + i] = strdup(options->settings[i]);
    snprintf(cluster->url, sizeof(cluster->url), "postgresql://postgres@/postgres?host=%s&port=%d", cluster->directory,
             options->tcp_port ? options->tcp_port : 5432);
    return true;
}

static bool init_data(const struct ch_pg_cluster *cluster)
{
    char program[PATH_SIZE], data[PATH_SIZE];
    snprintf(program, sizeof(program), "%.200s/initdb", cluster->bin);
    path_of(cluster, "data", data);
    const char *const args[] = {program, "-D", data,   "-U",         "postgres",  "-A",
                                "trust", "-E", "UTF8", "--locale=C", "--no-sync", NULL};
    return run(cluster, args);
}

static bool server_ended(struct ch_pg_cluster *cluster)
{
    int status = 0;
    if (waitpid(cluster->pid, &status, WNOHANG) != cluster->pid)
        return false;
    cluster->pid = 0;
    return true;
}

struct ch_pg_cluster *ch_pg_cluster_start(const struct ch_pg_cluster_options *options)
{
    const struct ch_pg_cluster_options none = {0};
    struct ch_pg_cluster *cluster = calloc(1, sizeof(*cluster));
    if (!cluster)
        return NULL;
    options = options ? options : &none;
    if (find_programs(cluster) && find_user(cluster) && make_directory(cluster, options) &&
        take_settings(cluster, options) && init_data(cluster) && ch_pg_cluster_resume(cluster))
        return cluster;
    ch_pg_cluster_stop(cluster);
    return NULL;
}

struct ch_pg_cluster *ch_pg_cluster_upgrade(const struct ch_pg_cluster *old)
{
    const struct ch_pg_cluster_options none = {0};
    struct ch_pg_cluster *cluster = calloc(1, sizeof(*cluster));
    char program[PATH_SIZE], from[PATH_SIZE], to[PATH_SIZE];
    if (!cluster)
        return NULL;
    bool ok = find_programs(cluster) && find_user(cluster) && make_directory(cluster, &none) && take_settings(cluster, &none) && init_data(cluster);
    snprintf(program, sizeof(program), "%.200s/pg_upgrade", cluster->bin);
    path_of(old, "data", from);
    path_of(cluster, "data", to);
    const char *const args[] = {program, "-b", old->bin, "-B", cluster->bin, "-d", from, "-D", to, "-U", "postgres", "-s", cluster->directory,
                                "-o", "-c max_prepared_transactions=10", "-O", "-c max_prepared_transactions=10", NULL};
    if (ok && run(cluster, args) && ch_pg_cluster_resume(cluster))
        return cluster;
    ch_pg_cluster_stop(cluster);
    return NULL;
}

struct ch_pg_cluster *ch_pg_cluster_standby(const struct ch_pg_cluster *primary)
{
    const struct ch_pg_cluster_options none = {0};
    struct ch_pg_cluster *standby = calloc(1, sizeof(*standby));
    char program[PATH_SIZE], data[PATH_SIZE];
    if (!standby)
        return NULL;
    bool ok = find_programs(standby) && find_user(standby) && make_directory(standby, &none) && take_settings(standby, &none);
    snprintf(program, sizeof(program), "%.200s/pg_basebackup", standby->bin);
    path_of(standby, "data", data);
    const char *const args[] = {program, "-D", data, "-R", "-X", "stream", "-c", "fast", "--no-sync", "-d", primary->url, NULL};
    if (ok && run(standby, args) && ch_pg_cluster_resume(standby))
        return standby;
    ch_pg_cluster_stop(standby);
    return NULL;
}

bool ch_pg_cluster_promote(struct ch_pg_cluster *standby)
{
    PGconn *connection = PQconnectdb(standby->url);
    PGresult *result = PQexec(connection, "select pg_promote(true, 60)");
    bool ok = PQresultStatus(result) == PGRES_TUPLES_OK && strcmp(PQgetvalue(result, 0, 0), "t") == 0;
    if (!ok)
        fail("the standby was not promoted: %s", PQerrorMessage(connection));
    PQclear(result);
    PQfinish(connection);
    return ok;
}

void ch_pg_cluster_kill(struct ch_pg_cluster *cluster)
{
    if (!cluster->pid)
        return;
    // Its processes are one session, made by spawn; the postmaster's children have groups of their own, and end with it.
    kill(-cluster->pid, SIGKILL);
    kill(cluster->pid, SIGKILL);
    while (!server_ended(cluster))
        sleep_ms(POLL_MS);
}

void ch_pg_cluster_stop(struct ch_pg_cluster *cluster)
{
    if (!cluster)
        return;
    if (cluster->pid)
        ch_pg_cluster_halt(cluster, true);
    if (cluster->directory[0])
        remove_tree(cluster, cluster->directory);
    for (size_t i = 0; cluster->settings && cluster->settings[i]; i++)
        free(cluster->settings[i]);
    free(cluster->settings);
    free(cluster);
}

static void stop_shared(void)
{
    ch_pg_cluster_stop(shared);
    shared = NULL;
}

struct ch_pg_cluster *ch_pg_cluster_shared(void)
{
    if (shared)
        return shared;
    shared = ch_pg_cluster_start(NULL);
    if (!shared)
        exit(1);
    atexit(stop_shared);
    return shared;
}

const char *ch_pg_cluster_url(const struct ch_pg_cluster *cluster)
{
    return cluster->url;
}

void ch_pg_cluster_database_url(const struct ch_pg_cluster *cluster, const char *name, const char *user,
                                char out_url[CH_PG_CLUSTER_URL_SIZE])
{
    const char *host = strstr(cluster->url, "?host=");
    snprintf(out_url, CH_PG_CLUSTER_URL_SIZE, "postgresql://%s@/%s%s", user ? user : "postgres", name, host);
}

static bool run_sql(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    bool ok = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!ok)
        fail("%s: %s", sql, PQerrorMessage(connection));
    PQclear(result);
    return ok;
}

bool ch_pg_cluster_database(struct ch_pg_cluster *cluster, const char *name, char out_url[CH_PG_CLUSTER_URL_SIZE])
{
    char sql[PATH_SIZE];
    PGconn *connection = PQconnectdb(cluster->url);
    bool ok = PQstatus(connection) == CONNECTION_OK;
    if (!ok)
        fail("%s", PQerrorMessage(connection));
    ok = ok && run_sql(connection, "set client_min_messages = error"); // no notice that there was nothing to drop
    snprintf(sql, sizeof(sql), "drop database if exists \"%s\" with (force)", name);
    ok = ok && run_sql(connection, sql);
    snprintf(sql, sizeof(sql), "create database \"%s\" template template0 encoding 'UTF8' locale 'C'", name);
    ok = ok && run_sql(connection, sql);
    PQfinish(connection);
    ch_pg_cluster_database_url(cluster, name, NULL, out_url);
    return ok;
}

const char *ch_pg_cluster_directory(const struct ch_pg_cluster *cluster)
{
    return cluster->directory;
}

pid_t ch_pg_cluster_pid(const struct ch_pg_cluster *cluster)
{
    return cluster->pid;
}

void ch_pg_cluster_print_log(const struct ch_pg_cluster *cluster)
{
    char path[PATH_SIZE], line[1024];
    path_of(cluster, "log", path);
    FILE *log = fopen(path, "r");
    while (log && fgets(line, sizeof(line), log))
        fputs(line, stderr);
    if (log)
        fclose(log);
}

bool ch_pg_cluster_halt(struct ch_pg_cluster *cluster, bool is_crash)
{
    if (!cluster->pid)
        return true;
    kill(cluster->pid, is_crash ? SIGQUIT : SIGINT);
    for (int waited = 0; waited < STOP_WAIT_MS; waited += POLL_MS, sleep_ms(POLL_MS))
        if (server_ended(cluster))
            return true;
    kill(cluster->pid, SIGKILL);
    while (!server_ended(cluster))
        sleep_ms(POLL_MS);
    return fail("the server did not stop within %d s and was killed", STOP_WAIT_MS / 1000);
}

// With settings of this start only, NULL-terminated.
static bool resume_with(struct ch_pg_cluster *cluster, const char *const *more)
{
    char program[PATH_SIZE], data[PATH_SIZE];
    const char *args[ARGS_MAX] = {program, "-D", data};
    size_t count = 3;
    snprintf(program, sizeof(program), "%.200s/postgres", cluster->bin);
    path_of(cluster, "data", data);
    for (size_t i = 0; cluster->settings[i]; i++) {
        args[count++] = "-c";
        args[count++] = cluster->settings[i];
    }
    for (; *more && count + 2 < ARGS_MAX; more++) {
        args[count++] = "-c";
        args[count++] = *more;
    }
    pid_t pid = spawn(cluster, args, SIGQUIT);
    if (pid < 0)
        return fail("cannot fork: %s", strerror(errno));
    cluster->pid = pid;
    for (int waited = 0; waited < START_WAIT_MS; waited += POLL_MS, sleep_ms(POLL_MS)) {
        if (PQping(cluster->url) == PQPING_OK)
            return true;
        if (server_ended(cluster)) {
            ch_pg_cluster_print_log(cluster);
            return fail("the server ended while starting");
        }
    }
    return fail("the server did not start within %d s", START_WAIT_MS / 1000);
}

bool ch_pg_cluster_resume(struct ch_pg_cluster *cluster)
{
    static const char *const none[] = {NULL};
    return resume_with(cluster, none);
}

static bool copy_tree(const struct ch_pg_cluster *cluster, const char *from_name, const char *to_name)
{
    char from[PATH_SIZE], to[PATH_SIZE];
    path_of(cluster, from_name, from);
    path_of(cluster, to_name, to);
    if (cluster->pid)
        return fail("halt the server before copying %s", from);
    const char *const args[] = {"/bin/cp", "-a", "--", from, to, NULL};
    return remove_tree(cluster, to) && run(cluster, args);
}

bool ch_pg_cluster_save(struct ch_pg_cluster *cluster)
{
    return copy_tree(cluster, "data", "saved");
}

bool ch_pg_cluster_restore(struct ch_pg_cluster *cluster)
{
    return copy_tree(cluster, "saved", "data");
}

// The log is not copied: there may be much of it, and a standby gets it from its primary.
bool ch_pg_cluster_base(struct ch_pg_cluster *cluster)
{
    char log[PATH_SIZE], aside[PATH_SIZE];
    path_of(cluster, "data/pg_wal", log);
    path_of(cluster, "aside", aside);
    if (rename(log, aside))
        return fail("cannot put %s aside: %s", log, strerror(errno));
    bool is_copied = copy_tree(cluster, "data", "standby");
    if (rename(aside, log))
        return fail("cannot put %s back: %s", log, strerror(errno));
    return is_copied;
}

static bool query(struct ch_pg_cluster *cluster, const char *sql, char out[80])
{
    PGconn *connection = PQconnectdb(cluster->url);
    PGresult *result = PQexec(connection, sql);
    bool is_done = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;
    snprintf(out, 80, "%s", is_done ? PQgetvalue(result, 0, 0) : "");
    if (!is_done)
        fail("%s: %s", sql, PQerrorMessage(connection));
    PQclear(result);
    PQfinish(connection);
    return is_done;
}

bool ch_pg_cluster_point(struct ch_pg_cluster *cluster, const char *name)
{
    char sql[200], out[80];
    snprintf(sql, sizeof(sql), "select pg_create_restore_point('%.60s')", name);
    // The message's commit is waited for, and the log is written in order.
    return query(cluster, sql, out) && query(cluster, "select pg_logical_emit_message(true, 'point', '')", out);
}

// The file that tells a server to recover; the server writes to it.
static bool signal_recovery(const struct ch_pg_cluster *cluster)
{
    char path[PATH_SIZE];
    path_of(cluster, "data/recovery.signal", path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool is_done = fd >= 0 && (geteuid() != 0 || fchown(fd, cluster->uid, cluster->gid) == 0);
    if (fd >= 0)
        close(fd);
    return is_done || fail("cannot make %s: %s", path, strerror(errno));
}

bool ch_pg_cluster_fail_over(struct ch_pg_cluster *cluster, const char *point)
{
    char log[PATH_SIZE], aside[PATH_SIZE], target[100], out[80] = "t";
    const char *const settings[] = {target, "recovery_target_action=promote", "restore_command=/bin/false", NULL};
    snprintf(target, sizeof(target), "recovery_target_name=%.60s", point);
    path_of(cluster, "data/pg_wal", log);
    path_of(cluster, "aside", aside);
    if (rename(log, aside))
        return fail("cannot put %s aside: %s", log, strerror(errno));
    if (!copy_tree(cluster, "standby", "data"))
        return false;
    if (rename(aside, log))
        return fail("cannot put %s back: %s", log, strerror(errno));
    if (!signal_recovery(cluster) || !resume_with(cluster, settings))
        return false;
    for (int waited = 0; waited < START_WAIT_MS && strcmp(out, "t") == 0; waited += POLL_MS, sleep_ms(POLL_MS)) {
        if (!query(cluster, "select pg_is_in_recovery()", out))
            return false;
    }
    return strcmp(out, "f") == 0 || fail("the standby was not promoted");
}

bool ch_pg_cluster_dump(struct ch_pg_cluster *cluster, const char *name)
{
    char program[PATH_SIZE], file[PATH_SIZE], url[CH_PG_CLUSTER_URL_SIZE];
    snprintf(program, sizeof(program), "%.200s/pg_dump", cluster->bin);
    path_of(cluster, "dump", file);
    ch_pg_cluster_database_url(cluster, name, NULL, url);
    const char *const args[] = {program, "-Fc", "-Z0", "-f", file, "-d", url, NULL};
    return run(cluster, args);
}

bool ch_pg_cluster_load(struct ch_pg_cluster *cluster, const char *name)
{
    char program[PATH_SIZE], file[PATH_SIZE], url[CH_PG_CLUSTER_URL_SIZE];
    snprintf(program, sizeof(program), "%.200s/pg_restore", cluster->bin);
    path_of(cluster, "dump", file);
    ch_pg_cluster_database_url(cluster, name, NULL, url);
    const char *const args[] = {program, "-d", url, "-1", file, NULL};
    return run(cluster, args);
}
