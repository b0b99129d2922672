// scopes_100_own: edits through the server, each durable and confirmed, of rows in 100 scopes, against the same edits on the same server while
// the triggers that stamp are switched off.
//
// Sixty-four connections, one call in flight on each; a call edits one of its caller's own rows, at random, so any of 100 scopes. The two sides
// alternate in short runs on one server and one table, with a checkpoint between them. What the server folds, it folds on both sides.
#include "own.h"

#include "base/arena.h"
#include "base/err.h"
#include "bench/common/bench.h"
#include "bench/common/callers.h"
#include "bench_stamps.charle.h"
#include "bench_stamps.schema.charle.h"
#include "msg/wire.h"
#include "server/app.h"
#include "server/token.h"
#include "support/scratch.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { OWN_ROWS = 400, SCOPES = 100, RUN_MS = 3000, SETTLE_MS = 700 };

struct own {
    char folder[128], address[64], token[CH_TOKEN_SIZE], url[CH_PG_CLUSTER_URL_SIZE];
    pid_t server;
    PGconn *pg;
};

struct caller {
    int32_t minutes[OWN_ROWS]; // of its rows, as confirmed
    int row;                   // of the call in flight
    bool has_called;
    unsigned seed;
};

int own_serve(int argc, char **argv)
{
    const struct ch_server_app app = {.name = "serve", .schema = &bench_stamps_schema};
    return ch_server_main(&app, argc, argv);
}

// --- the server -----------------------------------------------------------------------------------------------------

static void run_sql(PGconn *pg, const char *sql)
{
    PGresult *result = PQexec(pg, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        bench_die("%s: %.300s", sql, PQerrorMessage(pg));
    PQclear(result);
}

static double number(PGconn *pg, const char *sql)
{
    PGresult *result = PQexec(pg, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
        bench_die("%s: %.300s", sql, PQerrorMessage(pg));
    double value = strtod(PQgetvalue(result, 0, 0), NULL);
    PQclear(result);
    return value;
}

static int try_connect(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int ok = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return ok;
}

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 || getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        bench_die("no free port");
    close(fd);
    return ntohs(address.sin_port);
}

static void start_server(struct own *own)
{
    char program[512], data[200];
    int port = free_port();
    ssize_t size = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (size <= 0 || !ch_scratch_folder("bench", own->folder, sizeof(own->folder)))
        bench_die("cannot make a folder in /tmp");
    program[size] = '\0';
    snprintf(data, sizeof(data), "%s/server", own->folder);
    snprintf(own->address, sizeof(own->address), "tcp://127.0.0.1:%d", port);
    setenv("DATABASE_URL", own->url, 1);
    const char *const argv[] = {program, "--serve", "--migrate", "--data-dir", data, "--listen", own->address, "--log-level=warn", NULL};
    if (posix_spawn(&own->server, program, NULL, NULL, (char *const *)(uintptr_t)argv, environ))
        bench_die("cannot run %s", program);
    for (int i = 0; !try_connect(port); i++) {
        if (i == 600 || waitpid(own->server, NULL, WNOHANG) != 0)
            bench_die("the server did not listen");
        poll(NULL, 0, 100);
    }
}

static void fill(struct own *own)
{
    char hash[CH_TOKEN_HASH_SIZE], sql[900];
    ch_token_new(own->token);
    ch_token_hash(charle_str(own->token), hash);
    snprintf(sql, sizeof(sql),
             "insert into person (id, email) values ('p', 'p@test'); insert into client (id) select 'c' || i from generate_series(0, %d - 1) i;"
             "insert into charle.session (id, principal_id, token, principal, expires_at) values ('s', 'p', '%s', 'person', now() + interval '1 day');"
             "insert into task (id, client_id, assignee_id, title, description, due_on) select 'task' || i, 'c' || i %% %d, 'person' || i %% 40, "
             "'A task with a title of usual length ' || i, repeat('What is to be done here. ', 7), date '2026-01-01' + i %% 700 "
             "from generate_series(0, %d - 1) i; analyze",
             SCOPES, hash, SCOPES, BENCH_CALLERS * OWN_ROWS);
    run_sql(own->pg, sql);
}

// --- callers --------------------------------------------------------------------------------------------------------

// The next minute on one of the caller's own rows; the last call took effect.
static void next_call(void *ctx, int number_of_caller, struct charle_buf *out)
{
    char id[32];
    struct caller *caller = (struct caller *)ctx + number_of_caller;
    caller->minutes[caller->row] += caller->has_called;
    caller->has_called = true;
    caller->row = (int)(rand_r(&caller->seed) % OWN_ROWS);
    int32_t minutes = caller->minutes[caller->row];
    snprintf(id, sizeof(id), "task%d", caller->row * BENCH_CALLERS + number_of_caller);
    const struct bench_stamps_task_key key = {.id = charle_str(id)};
    const struct bench_stamps_task_patch set = {.logged_minutes = {minutes + 1, true}}, base = {.logged_minutes = {minutes, true}};
    const struct bench_stamps_task_update request = {.key = &key, .set = &set, .base = &base};
    charle_message_write(&bench_stamps_task_update_message, &request, out);
}

// Calls a second with the triggers on or off.
static double measure(struct own *own, struct bench_callers *callers, int is_stamped)
{
    if (is_stamped) // "user" takes no "always"
        run_sql(own->pg, "alter table task enable always trigger charle_log; alter table task enable always trigger charle_raise");
    else
        run_sql(own->pg, "alter table task disable trigger user");
    run_sql(own->pg, "checkpoint");
    poll(NULL, 0, SETTLE_MS);
    double start = bench_now();
    long before = bench_callers_done(callers);
    poll(NULL, 0, RUN_MS);
    return (double)(bench_callers_done(callers) - before) / (bench_now() - start);
}

static void check_rows(struct own *own, struct bench_callers *callers)
{
    if (number(own->pg, "select sum(logged_minutes) from task") != (double)bench_callers_done(callers))
        bench_die("what was confirmed is not what the table says");
}

void figure_scopes_100_own(struct ch_pg_cluster *cluster)
{
    static struct own own;
    static struct caller own_callers[BENCH_CALLERS];
    static struct bench_callers callers = {.method = "bench_stamps.TaskService/Update", .next = next_call, .ctx = own_callers};
    struct bench_samples with = {0}, without = {0}, ratios = {0};
    if (!ch_pg_cluster_database(cluster, "own", own.url))
        bench_die("cannot make a database");
    start_server(&own);
    own.pg = PQconnectdb(own.url);
    if (PQstatus(own.pg) != CONNECTION_OK)
        bench_die("%s", PQerrorMessage(own.pg));
    fill(&own);
    for (int i = 0; i < BENCH_CALLERS; i++)
        own_callers[i].seed = (unsigned)i + 1;
    bench_callers_open(&callers, own.address, own.token);
    bench_callers_start(&callers);
    for (int round = -1; round < BENCH_RUNS; round++) { // the first warms up
        double plain = measure(&own, &callers, 0), stamped = measure(&own, &callers, 1);
        bench_say("%s %.0f calls/s without, %.0f with stamps", round < 0 ? "warm-up:" : "run:", plain, stamped);
        if (round < 0)
            continue;
        bench_add(&without, plain);
        bench_add(&with, stamped);
        bench_add(&ratios, stamped / plain);
    }
    bench_callers_stop(&callers);
    check_rows(&own, &callers);
    bench_print(&(struct bench_result){.name = "scopes_100_own", .value = bench_median(&with), .unit = "calls/s",
                                       .against = "same server without triggers", .against_value = bench_median(&without),
                                       .ratio = bench_median(&ratios), .target = 0.7,
                                       .note = "64 callers, one call in flight each, rows of 100 scopes at random"});
    PQfinish(own.pg);
    kill(own.server, SIGTERM);
    waitpid(own.server, NULL, 0);
    char sql[200];
    snprintf(sql, sizeof(sql), "rm -rf '%s'", own.folder);
    if (system(sql))
        bench_say("%s was left behind", own.folder);
}
