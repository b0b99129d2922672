#include "bench/sync/rig.h"

#include "base/arena.h"
#include "base/err.h"
#include "bench/common/bench.h"
#include "call/method.h"
#include "charleos.schema.charle.h"
#include "charleos/core.charle.h"
#include "support/scratch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

int rig_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 || getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        bench_die("no free port: %s", strerror(errno));
    close(fd);
    return ntohs(address.sin_port);
}

// Starts a program of this build with its output in the folder's log; `input` (may be NULL) becomes its standard input.
static pid_t spawn(struct rig *rig, const char *const *argv, const char *input)
{
    char log[256], in[256];
    snprintf(log, sizeof(log), "%s/bench.log", rig->folder);
    snprintf(in, sizeof(in), "%s/input", rig->folder);
    FILE *file = fopen(in, "w");
    if (!file || fputs(input ? input : "", file) < 0 || fclose(file) != 0)
        bench_die("cannot write %s", in);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, in, O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    pid_t pid;
    int rc = posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (rc)
        bench_die("cannot run %s: %s", argv[0], strerror(rc));
    return pid;
}

// The folder goes away with this program, so the end of what the others said is shown before.
static void show_log(const struct rig *rig)
{
    char path[256], text[4000];
    snprintf(path, sizeof(path), "%s/bench.log", rig->folder);
    FILE *file = fopen(path, "r");
    if (!file)
        return;
    if (fseek(file, -(long)sizeof(text), SEEK_END) != 0)
        rewind(file); // it is shorter than that
    fwrite(text, 1, fread(text, 1, sizeof(text), file), stderr);
    fclose(file);
}

static void run(struct rig *rig, const char *const *argv, const char *input)
{
    int status = 0;
    pid_t pid = spawn(rig, argv, input);
    waitpid(pid, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        show_log(rig);
        bench_die("%s %s failed; the end of its output is above", argv[0], argv[1]);
    }
}

static void read_line(const char *path, char *out, size_t size)
{
    FILE *file = fopen(path, "r");
    if (!file || !fgets(out, (int)size, file))
        bench_die("cannot read %s", path);
    fclose(file);
    out[strcspn(out, "\n")] = '\0';
}

static void wait_listening(struct rig *rig, long pid, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < 1200; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        int ok = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
        close(fd);
        if (ok)
            return;
        if (waitpid((pid_t)pid, NULL, WNOHANG) != 0) {
            show_log(rig);
            bench_die("the server ended; the end of its output is above");
        }
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    bench_die("the server did not listen within two minutes");
}

static void login(struct rig *rig)
{
    struct charle_error err = {0};
    struct charle_login_result reply;
    const struct charle_login_options options = {.url = rig->address, .email = "ada@charleos.test", .password = "charle-dev"};
    if (charle_login(&options, &reply, &err))
        bench_die("login: %s", err.text);
    memcpy(rig->token, reply.token, sizeof(rig->token));
}

void rig_start(struct rig *rig, long rows)
{
    *rig = (struct rig){0};
    if (!ch_scratch_folder("bench", rig->folder, sizeof(rig->folder)))
        bench_die("cannot make a folder in /tmp: %s", strerror(errno));
    ssize_t size = readlink("/proc/self/exe", rig->bin, sizeof(rig->bin) - 1);
    if (size <= 0)
        bench_die("cannot find this program's folder");
    rig->bin[size] = '\0';
    *strrchr(rig->bin, '/') = '\0';
    int port = rig_free_port();
    snprintf(rig->address, sizeof(rig->address), "tcp://127.0.0.1:%d", port);
    char charled[600], charle[600], data[200], count[32], path[256];
    snprintf(charled, sizeof(charled), "%s/charled", rig->bin);
    snprintf(charle, sizeof(charle), "%s/charle", rig->bin);
    snprintf(data, sizeof(data), "%s/server", rig->folder);
    // PostgreSQL's own user must be able to pass through the folder when this runs as root.
    chmod(rig->folder, 0711);
    unsetenv("DATABASE_URL");
    rig->server_pid = spawn(rig, (const char *const[]){charled, "--data-dir", data, "--listen", rig->address, NULL}, NULL);
    wait_listening(rig, rig->server_pid, port);
    snprintf(path, sizeof(path), "%s/database-url", data);
    read_line(path, rig->database_url, sizeof(rig->database_url));
    snprintf(count, sizeof(count), "%ld", rows);
    bench_say("seeding %ld tasks", rows);
    run(rig, (const char *const[]){charle, "seed", "--home", rig->folder, "--rows", count, NULL}, NULL);
    PGconn *pg = rig_psql(rig);
    rig_exec(pg, "vacuum analyze");
    PQfinish(pg);
    login(rig);
}

void rig_stop(struct rig *rig)
{
    kill((pid_t)rig->server_pid, SIGTERM);
    waitpid((pid_t)rig->server_pid, NULL, 0);
    run(rig, (const char *const[]){"/bin/rm", "-rf", rig->folder, NULL}, NULL);
}

void rig_start_server(struct rig *rig, const char *name, const char *const *flags, struct rig_server *out)
{
    enum { FLAGS_MAX = 8 };
    char charled[600], data[200];
    const char *argv[FLAGS_MAX + 6] = {charled, "--data-dir", data, "--listen", out->address};
    int port = rig_free_port();
    snprintf(out->address, sizeof(out->address), "tcp://127.0.0.1:%d", port);
    snprintf(charled, sizeof(charled), "%s/charled", rig->bin);
    snprintf(data, sizeof(data), "%s/%s", rig->folder, name);
    for (int i = 0; i < FLAGS_MAX && flags[i]; i++)
        argv[5 + i] = flags[i];
    setenv("DATABASE_URL", rig->database_url, 1);
    out->pid = spawn(rig, argv, NULL);
    unsetenv("DATABASE_URL");
    wait_listening(rig, out->pid, port);
}

void rig_stop_server(const struct rig_server *server)
{
    kill((pid_t)server->pid, SIGTERM);
    waitpid((pid_t)server->pid, NULL, 0);
}

struct charle_client *rig_client(struct rig *rig, const char *name, int is_fresh)
{
    return rig_client_at(rig, rig->address, name, is_fresh);
}

struct charle_client *rig_client_at(struct rig *rig, const char *address, const char *name, int is_fresh)
{
    char file[256], tail[300];
    static const char *const tails[] = {"", "-wal", "-shm", ".sync", ".lock"};
    snprintf(file, sizeof(file), "%s/%s.db", rig->folder, name);
    for (size_t i = 0; is_fresh && i < sizeof(tails) / sizeof(tails[0]); i++) {
        snprintf(tail, sizeof(tail), "%s%s", file, tails[i]);
        unlink(tail);
    }
    struct charle_error err = {0};
    struct charle_client *client;
    const struct charle_client_options options = {
        .file = file, .schema = &charleos_schema, .url = address, .token = rig->token, .device_name = name,
        .ignores_seed_files = true};
    if (charle_client_open(&options, &client, &err))
        bench_die("open: %s", err.text);
    return client;
}

void rig_sync(struct charle_client *client)
{
    struct charle_error err = {0};
    if (charle_client_sync(client, 0, &err))
        bench_die("sync: %s", err.text);
}

void rig_edit(struct charle_client *client, const char *id, const char *title, bool is_online)
{
    struct charle_error err = {0};
    struct charle_arena arena = {0};
    const struct charleos_task_key key = {.id = charle_str(id)};
    const struct charleos_task_patch set = {.title = {.value = charle_str(title), .has = true}};
    const struct charleos_task_update request = {.key = &key, .set = &set};
    struct charleos_task_patch reply;
    const struct charle_client_call_options options = {.is_online = is_online};
    const struct charle_method *method = charle_client_method(client, "charleos.TaskService/Update");
    if (!method || charle_client_call(client, method, &request, &arena, &reply, &options, &err))
        bench_die("Update: %s", err.text);
    charle_arena_deinit(&arena);
}

PGconn *rig_psql(struct rig *rig)
{
    PGconn *pg = PQconnectdb(rig->database_url);
    if (PQstatus(pg) != CONNECTION_OK)
        bench_die("%s", PQerrorMessage(pg));
    return pg;
}

void rig_exec(PGconn *pg, const char *sql)
{
    PGresult *result = PQexec(pg, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        bench_die("%s", PQerrorMessage(pg));
    PQclear(result);
}

double rig_number(PGconn *pg, const char *sql)
{
    PGresult *result = PQexec(pg, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) < 1)
        bench_die("%s", PQerrorMessage(pg));
    double value = strtod(PQgetvalue(result, 0, 0), NULL);
    PQclear(result);
    return value;
}

void rig_flush_statistics(PGconn *pg)
{
    poll(NULL, 0, 1200);
    rig_exec(pg, "select pg_stat_force_next_flush(), pg_stat_clear_snapshot()");
}

double rig_transactions(PGconn *pg)
{
    rig_flush_statistics(pg);
    return rig_number(pg, "select sum(xact_commit + xact_rollback) from pg_stat_database where datname = current_database()");
}

static double cpu_seconds_of(const char *pattern)
{
    glob_t found;
    double ns = 0, one;
    if (glob(pattern, 0, NULL, &found) != 0)
        return 0;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        FILE *file = fopen(found.gl_pathv[i], "r"); // a thread may just have ended
        if (file && fscanf(file, "%lf", &one) == 1)
            ns += one;
        if (file)
            fclose(file);
    }
    globfree(&found);
    return ns / 1e9;
}

double rig_cpu_seconds(struct rig *rig)
{
    char pattern[64];
    snprintf(pattern, sizeof(pattern), "/proc/%ld/task/*/schedstat", rig->server_pid);
    return cpu_seconds_of(pattern);
}

// They run in their data folder, which is in the rig's.
double rig_postgres_cpu_seconds(struct rig *rig)
{
    glob_t found;
    double seconds = 0;
    if (glob("/proc/[0-9]*/cwd", GLOB_NOSORT, NULL, &found) != 0)
        bench_die("cannot read /proc");
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char folder[600], pattern[128];
        ssize_t size = readlink(found.gl_pathv[i], folder, sizeof(folder) - 1);
        size_t len = strlen(rig->folder), head = strlen(found.gl_pathv[i]) - strlen("cwd");
        if (size <= (ssize_t)len || strncmp(folder, rig->folder, len) != 0 || folder[len] != '/')
            continue;
        snprintf(pattern, sizeof(pattern), "%.*stask/*/schedstat", (int)head, found.gl_pathv[i]);
        seconds += cpu_seconds_of(pattern);
    }
    globfree(&found);
    return seconds;
}

double rig_own_cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
