// hot_scope, hot_scope_2ms: calls of 64 people that all write to one scope, each durable and confirmed.
//
// Sixty-four connections, one call in flight on each, as people's programs make them: an edit of a row of the caller's own that
// names what the row was before. All rows are tasks of one client, so all calls want the heads of the team and of the client. The commits a second that PostgreSQL
// made are measured beside: the server's transactions must be far fewer than the calls.
//
// hot_scope_2ms is the same with commit_delay = 2000 and commit_siblings = 0: PostgreSQL waits 2 ms before each flush of its log, as if
// the disk, or a synchronous standby, took so long. (With commit_siblings = 0 it does so for every commit, also when no other transaction is
// running.)
#include "bench/common/bench.h"
#include "bench/common/callers.h"
#include "bench/sync/figures.h"
#include "charleos/core.charle.h"
#include "msg/wire.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUND_MS = 3000, WARM_UP_MS = 1500 };

struct caller {
    char id[64], title[2][64]; // of its task; as it was, as it is to be
    long calls;
};

// The next edit of the caller's task.
static void next_call(void *ctx, int number, struct charle_buf *out)
{
    struct caller *caller = (struct caller *)ctx + number;
    memcpy(caller->title[0], caller->title[1], sizeof(caller->title[0]));
    snprintf(caller->title[1], sizeof(caller->title[1]), "edit %ld", ++caller->calls);
    const struct charleos_task_key key = {.id = charle_str(caller->id)};
    const struct charleos_task_patch set = {.title = {charle_str(caller->title[1]), true}};
    const struct charleos_task_patch base = {.title = {charle_str(caller->title[0]), true}};
    const struct charleos_task_update request = {.key = &key, .set = &set, .base = &base};
    charle_message_write(&charleos_task_update_message, &request, out);
}

static void give_tasks(struct rig *rig, struct caller *callers)
{
    PGconn *pg = rig_psql(rig);
    PGresult *result = PQexec(pg, "select id from task where client_id = (select client_id from task group by 1 order by count(*) desc, 1 limit 1) limit 64");
    if (PQntuples(result) != BENCH_CALLERS)
        bench_die("too few tasks: %s", PQerrorMessage(pg));
    for (int i = 0; i < BENCH_CALLERS; i++) {
        snprintf(callers[i].id, sizeof(callers[i].id), "%s", PQgetvalue(result, i, 0));
        snprintf(callers[i].title[1], sizeof(callers[i].title[1]), "edit 0");
    }
    rig_exec(pg, "update task set title = 'edit 0'");
    rig_exec(pg, "vacuum analyze task");
    PQclear(result);
    PQfinish(pg);
}

static void measure(struct rig *rig, const char *name, double target)
{
    static struct caller own[BENCH_CALLERS];
    static struct bench_callers callers = {.method = "charleos.TaskService/Update", .next = next_call, .ctx = own};
    struct bench_samples rates = {0}, commits = {0};
    give_tasks(rig, own);
    bench_callers_open(&callers, rig->address, rig->token);
    PGconn *pg = rig_psql(rig);
    static const char head_sql[] = "select v & 8589934591 from charle.head where scope = 'team'";
    double stamps_before = rig_number(pg, head_sql);
    bench_callers_start(&callers);
    poll(NULL, 0, WARM_UP_MS);
    for (int round = 0; round < BENCH_RUNS; round++) {
        double start = bench_now(), stamps = rig_number(pg, head_sql);
        long before = bench_callers_done(&callers);
        poll(NULL, 0, ROUND_MS);
        long done = bench_callers_done(&callers) - before;
        double seconds = bench_now() - start;
        bench_add(&rates, (double)done / seconds);
        bench_add(&commits, (rig_number(pg, head_sql) - stamps) / seconds);
        bench_say("%.0f calls/s in %.0f commits/s", (double)done / seconds, commits.values[commits.count - 1]);
    }
    bench_callers_stop(&callers);
    double stamps = rig_number(pg, head_sql) - stamps_before;
    long done = bench_callers_done(&callers);
    for (int i = 0; i < BENCH_CALLERS; i++) {
        char sql[200];
        snprintf(sql, sizeof(sql), "select count(*) from task where id = '%s' and title = '%s'", own[i].id, own[i].title[1]);
        if (rig_number(pg, sql) != 1)
            bench_die("task %s does not show what was confirmed", own[i].id);
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
