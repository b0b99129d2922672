// hot_scope, hot_scope_2ms: calls of 64 people that all write to one scope, each durable and confirmed.
//
// Sixty-four connections, one call in flight on each, as people's programs make them: an edit of a row of the caller's own that
// names what the row was before. All rows are tasks of one client, so all calls want the heads of the team and of the client. The commits a second that PostgreSQL
// made are measured beside: the server's transactions must be far fewer than the calls.
//
// hot_scope_2ms is the same with commit_delay = 2000 and commit_siblings = 0: PostgreSQL waits 2 ms before each flush of its log, as if
// the disk, or a synchronous standby, took so long. (With commit_siblings = 0 it does so for every commit, also when no other transaction is
// running.)
#include "base/alloc.h"
#include "base/arena.h"
#include "bench/common/bench.h"
#include "bench/sync/figures.h"
#include "bench/sync/live_stream.h"
#include "charleos/core.charle.h"
#include "msg/wire.h"
#include "rpc/rpc.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALLERS = 64, ROUND_MS = 3000, WARM_UP_MS = 1500 };
#define METHOD "charleos.TaskService/Update"

struct caller {
    struct charle_channel *channel;
    struct charle_rpc *rpc;
    char id[64], title[2][64]; // of its task; as it was, as it is to be
    struct charle_buf request;
    struct charle_arena arena;
    atomic_int is_running;
    atomic_long done;
    atomic_int failed;
};

static atomic_int must_stop;

static void call(struct caller *caller);

static void on_reply(void *ctx, struct charle_rpc *rpc, struct charle_bytes message)
{
    (void)ctx;
    charle_rpc_consumed(rpc, message.len);
}

static void on_done(void *ctx, struct charle_rpc *rpc, const struct charle_status *status)
{
    struct caller *caller = ctx;
    charle_rpc_release(rpc);
    if (status->code) {
        fprintf(stderr, "a call failed: %.*s\n", CHARLE_FMT(status->text));
        atomic_store(&caller->failed, 1);
    }
    atomic_fetch_add(&caller->done, 1);
    if (atomic_load(&must_stop) || status->code)
        atomic_store(&caller->is_running, 0);
    else
        call(caller);
}

// The next edit of the caller's task.
static void call(struct caller *caller)
{
    struct charle_error err = {0};
    const struct charle_rpc_events events = {.message = on_reply, .done = on_done, .ctx = caller};
    memcpy(caller->title[0], caller->title[1], sizeof(caller->title[0]));
    snprintf(caller->title[1], sizeof(caller->title[1]), "edit %ld", atomic_load(&caller->done) + 1);
    const struct charleos_task_key key = {.id = charle_str(caller->id)};
    const struct charleos_task_patch set = {.title = {charle_str(caller->title[1]), true}};
    const struct charleos_task_patch base = {.title = {charle_str(caller->title[0]), true}};
    const struct charleos_task_update request = {.key = &key, .set = &set, .base = &base};
    charle_buf_reset(&caller->request);
    charle_message_write(&charleos_task_update_message, &request, &caller->request);
    if (charle_rpc_start(caller->channel, CHARLE_STR(METHOD), charle_buf_bytes(&caller->request), NULL, &events, &caller->rpc, &err))
        bench_die("call: %s", err.text);
}

static void open_callers(struct rig *rig, struct caller *callers)
{
    PGconn *pg = rig_psql(rig);
    PGresult *result = PQexec(pg, "select id from task where client_id = (select client_id from task group by 1 order by count(*) desc, 1 limit 1) limit 64");
    if (PQntuples(result) != CALLERS)
        bench_die("too few tasks: %s", PQerrorMessage(pg));
    for (int i = 0; i < CALLERS; i++) {
        struct charle_error err = {0};
        const struct charle_channel_options options = {.token = rig->token};
        snprintf(callers[i].id, sizeof(callers[i].id), "%s", PQgetvalue(result, i, 0));
        snprintf(callers[i].title[1], sizeof(callers[i].title[1]), "edit 0");
        if (charle_channel_open(rig->address, &options, &callers[i].channel, &err))
            bench_die("open: %s", err.text);
    }
    rig_exec(pg, "update task set title = 'edit 0'");
    rig_exec(pg, "vacuum analyze task");
    PQclear(result);
    PQfinish(pg);
}

static long done_by_all(struct caller *callers)
{
    long done = 0;
    for (int i = 0; i < CALLERS; i++) {
        if (atomic_load(&callers[i].failed))
            bench_die("calls of the benchmark must not fail");
        done += atomic_load(&callers[i].done);
    }
    return done;
}

static void measure(struct rig *rig, const char *name, double target)
{
    static struct caller callers[CALLERS];
    struct bench_samples rates = {0}, commits = {0};
    open_callers(rig, callers);
    PGconn *pg = rig_psql(rig);
    static const char head_sql[] = "select v & 8589934591 from charle.head where scope = 'team'";
    double stamps_before = rig_number(pg, head_sql);
    for (int i = 0; i < CALLERS; i++) {
        atomic_store(&callers[i].is_running, 1);
        call(&callers[i]);
    }
    poll(NULL, 0, WARM_UP_MS);
    for (int round = 0; round < BENCH_RUNS; round++) {
        double start = bench_now(), stamps = rig_number(pg, head_sql);
        long before = done_by_all(callers);
        poll(NULL, 0, ROUND_MS);
        long done = done_by_all(callers) - before;
        double seconds = bench_now() - start;
        bench_add(&rates, (double)done / seconds);
        bench_add(&commits, (rig_number(pg, head_sql) - stamps) / seconds);
        bench_say("%.0f calls/s in %.0f commits/s", (double)done / seconds, commits.values[commits.count - 1]);
    }
    atomic_store(&must_stop, 1);
    for (int i = 0; i < CALLERS; i++)
        while (atomic_load(&callers[i].is_running))
            poll(NULL, 0, 1);
    double stamps = rig_number(pg, head_sql) - stamps_before;
    long done = done_by_all(callers);
    for (int i = 0; i < CALLERS; i++) {
        char sql[200];
        snprintf(sql, sizeof(sql), "select count(*) from task where id = '%s' and title = '%s'", callers[i].id, callers[i].title[1]);
        if (rig_number(pg, sql) != 1)
            bench_die("task %s does not show what was confirmed", callers[i].id);
        charle_channel_close(callers[i].channel);
        charle_buf_deinit(&callers[i].request);
    }
    char note[200];
    double rate = bench_median(&rates);
    snprintf(note, sizeof(note), "64 callers, one call in flight each; %.0f commits/s, %.1f calls a commit", bench_median(&commits),
             (double)done / stamps);
    bench_print(&(struct bench_result){.name = name, .value = rate, .unit = "calls/s", .against = "target", .against_value = target,
                                       .ratio = rate / target, .target = 1, .note = note});
    PQfinish(pg);
}

void figure_hot_scope(struct rig *rig)
{
    measure(rig, "hot_scope", 5000);
}

void figure_hot_scope_2ms(struct rig *rig)
{
    PGconn *pg = rig_psql(rig);
    rig_exec(pg, "alter system set commit_delay = 2000");
    rig_exec(pg, "alter system set commit_siblings = 0");
    rig_exec(pg, "select pg_reload_conf()");
    PQfinish(pg);
    measure(rig, "hot_scope_2ms", 3000);
}
