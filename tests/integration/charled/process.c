#include "process.h"

#include "base/clock.h"
#include "support/hard_kill.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 20, PATIENCE_S = 60, LOOK_MS = 10 };

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static char *read_log(const struct server *server)
{
    FILE *file = fopen(server->log, "r");
    char *text = calloc(1, 256 << 10);
    assert_non_null(text);
    if (file) {
        fseek(file, server->log_offset, SEEK_SET);
        size_t n = fread(text, 1, (256 << 10) - 1, file);
        text[n] = '\0';
        fclose(file);
    }
    return text;
}

static void give_up(const struct server *server, const char *what)
{
    char *text = read_log(server);
    print_error("%s\n", text);
    free(text);
    fail_msg("%s", what);
}

void server_init(struct server *server)
{
    char base[] = "/tmp/charled-test-XXXXXX";
    memset(server, 0, sizeof(*server));
    assert_non_null(mkdtemp(base));
    assert_int_equal(chmod(base, 0755), 0);
    snprintf(server->folder, sizeof(server->folder), "%s/data", base);
    snprintf(server->log, sizeof(server->log), "%s/log", base);
}

static _Noreturn void become(const char *const *argv, const char *database_url, int output)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL); // a test that dies takes its servers along
    if (database_url)
        setenv("DATABASE_URL", database_url, 1);
    else
        unsetenv("DATABASE_URL");
    setenv("HOME", "/nonexistent", 1);
    dup2(output, 1);
    dup2(output, 2);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

static pid_t spawn(const char *const *argv, const char *database_url, int output)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        become(argv, database_url, output);
    return pid;
}

void server_start(struct server *server, const char *database_url, const char *const *arguments)
{
    const char *argv[ARGUMENTS_MAX + 6] = {CHARLED, "--data-dir", server->folder};
    int argc = 3;
    bool has_listen = false;
    for (int i = 0; arguments && arguments[i] && i < ARGUMENTS_MAX; i++) {
        has_listen |= strncmp(arguments[i], "--listen", 8) == 0;
        argv[argc++] = arguments[i];
    }
    if (!has_listen)
        argv[argc++] = "--listen=tcp://127.0.0.1:0";
    int log = open(server->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    assert_true(log >= 0);
    server->log_offset = (long)lseek(log, 0, SEEK_END);
    server->address[0] = '\0';
    server->pid = spawn(argv, database_url, log);
    close(log);
}

static bool has_ended(struct server *server)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)server->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == server->pid;
}

bool server_has_said(const struct server *server, const char *words)
{
    char *text = read_log(server);
    bool found = strstr(text, words) != NULL;
    free(text);
    return found;
}

void server_wait_words(const struct server *server, const char *words)
{
    for (int i = 0; i < PATIENCE_S * 1000 / LOOK_MS; i++) {
        if (server_has_said(server, words))
            return;
        if (has_ended((struct server *)(uintptr_t)server))
            break;
        pause_ms(LOOK_MS);
    }
    if (!server_has_said(server, words))
        give_up(server, words);
}

void server_wait_ready(struct server *server)
{
    server_wait_words(server, "ready version=");
    char *text = read_log(server);
    const char *line = strstr(text, "listening address=");
    if (line)
        sscanf(line, "listening address=%119s", server->address);
    free(text);
    assert_true(server->address[0] != '\0');
}

void server_signal(const struct server *server, int number)
{
    assert_int_equal(ch_kill(server->pid, number), 0);
}

int server_wait_exit(struct server *server)
{
    int status = 0;
    for (int i = 0; i < PATIENCE_S * 1000 / LOOK_MS && !has_ended(server); i++)
        pause_ms(LOOK_MS);
    if (!has_ended(server))
        give_up(server, "the server does not end");
    assert_int_equal(waitpid(server->pid, &status, 0), server->pid);
    server->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int server_stop(struct server *server)
{
    server_signal(server, SIGTERM);
    return server_wait_exit(server);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void server_remove(struct server *server)
{
    if (server->pid)
        server_stop(server);
    char base[80];
    if (getenv("CHARLED_TEST_KEEP")) { // for a person who wants to read the logs
        print_message("kept: %s\n", server->log);
        return;
    }
    snprintf(base, sizeof(base), "%s", server->folder);
    *strrchr(base, '/') = '\0';
    nftw(base, remove_entry, 32, FTW_DEPTH | FTW_PHYS);
}

int charled_run(const char *const *arguments, const char *database_url, char *out, size_t out_size)
{
    const char *argv[ARGUMENTS_MAX + 2] = {CHARLED};
    int ends[2], status = 0;
    for (int i = 0; arguments[i] && i < ARGUMENTS_MAX; i++)
        argv[i + 1] = arguments[i];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = spawn(argv, database_url, ends[1]);
    close(ends[1]);
    size_t used = 0;
    for (ssize_t n; (n = read(ends[0], out + used, out_size - 1 - used)) > 0;)
        used += (size_t)n;
    out[used] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// --- databases -----------------------------------------------------------------------------------------------------

static void ignore_notice(void *ctx, const char *message)
{
    (void)ctx, (void)message;
}

static PGresult *query(PGconn *conn, const char *sql)
{
    PQsetNoticeProcessor(conn, ignore_notice, NULL);
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(conn));
    return result;
}

void run_sql(const char *url, const char *sql)
{
    PGconn *conn = PQconnectdb(url);
    PQclear(query(conn, sql));
    PQfinish(conn);
}

void read_sql(const char *url, const char *sql, char *out, size_t out_size)
{
    PGconn *conn = PQconnectdb(url);
    PGresult *result = query(conn, sql);
    assert_int_equal(PQntuples(result), 1);
    snprintf(out, out_size, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    PQfinish(conn);
}

void server_private_url(const struct server *server, char *out, size_t out_size)
{
    char path[120];
    snprintf(path, sizeof(path), "%s/database-url", server->folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(out, (int)out_size, file));
    out[strcspn(out, "\n")] = '\0';
    fclose(file);
}
