// Calls made offline: pushing them, and what a page from the server costs while they wait.
#include "bench/common/bench.h"
#include "bench/sync/figures.h"
#include "db/db.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { EDITS = 10000, REBASED = 1000, WAITING = 100000, FEW = 10 };

// Processor time of the three programs, in seconds.
struct work {
    double client, server, postgres;
};

static struct work read_work(struct rig *rig)
{
    return (struct work){rig_own_cpu_seconds(), rig_cpu_seconds(rig), rig_postgres_cpu_seconds(rig)};
}

void figure_push_10k(struct rig *rig)
{
    struct bench_samples rates = {0}, offline = {0}, own = {0}, server = {0}, postgres = {0};
    char title[64], note[200];
    struct charle_client *client = rig_client(rig, "push", 1);
    rig_sync(client);
    PGconn *pg = rig_psql(rig);
    PGresult *ids = PQexec(pg, "select id from task order by id limit 10000");
    if (PQntuples(ids) != EDITS)
        bench_die("fewer than %d tasks", EDITS);
    for (int run = 0; run < BENCH_RUNS; run++) {
        double start = bench_now();
        for (int i = 0; i < EDITS; i++) {
            snprintf(title, sizeof(title), "offline %d in run %d", i, run);
            rig_edit(client, PQgetvalue(ids, i, 0), title, false);
        }
        bench_add(&offline, EDITS / (bench_now() - start));
        struct work before = read_work(rig);
        start = bench_now();
        rig_sync(client);
        double took = bench_now() - start;
        struct work after = read_work(rig);
        bench_add(&own, (after.client - before.client) / EDITS * 1e6);
        bench_add(&server, (after.server - before.server) / EDITS * 1e6);
        bench_add(&postgres, (after.postgres - before.postgres) / EDITS * 1e6);
        struct charle_client_status status;
        charle_client_status(client, &status);
        if (status.pending_calls || status.inbox_count)
            bench_die("%lld calls wait and %lld verdicts came", (long long)status.pending_calls, (long long)status.inbox_count);
        bench_add(&rates, EDITS / took);
        bench_say("run %d: %.0f edits/s pushed and confirmed; us of processor time an edit: client %.1f, server %.1f, PostgreSQL %.1f", run + 1,
                  EDITS / took, own.values[run], server.values[run], postgres.values[run]);
    }
    if (rig_number(pg, "select count(*) from task where title like 'offline % in run 4'") != EDITS)
        bench_die("the server does not have all edits");
    double value = bench_median(&rates);
    snprintf(note, sizeof(note), "made offline, each durable, at %.0f a second; us of processor time an edit: client %.0f, server %.0f, PostgreSQL %.0f",
             bench_median(&offline), bench_median(&own), bench_median(&server), bench_median(&postgres));
    bench_print(&(struct bench_result){.name = "push_10k", .value = value, .unit = "edits/s", .against = "target of 20,000 edits/s",
                                       .against_value = 20000, .ratio = value / 20000, .target = 1, .note = note});
    PQclear(ids);
    PQfinish(pg);
    charle_client_close(client);
}

// --- pages under waiting calls -----------------------------------------------------------------------------------------------

static PGresult *task_ids(PGconn *pg, int count)
{
    char sql[80];
    snprintf(sql, sizeof(sql), "select id from task order by id limit %d", count);
    PGresult *ids = PQexec(pg, sql);
    if (PQntuples(ids) != count)
        bench_die("fewer than %d tasks", count);
    return ids;
}

// Calls made while no server can be reached, so that they wait. They go to the rows in turn.
static struct charle_client *make_waiting(struct rig *rig, PGresult *ids, int calls)
{
    struct charle_client *client = rig_client(rig, "rebase", 1);
    char title[64];
    rig_sync(client);
    for (int i = 0; i < calls; i++) {
        snprintf(title, sizeof(title), "waiting %d", i);
        rig_edit(client, PQgetvalue(ids, i % PQntuples(ids), 0), title, false);
    }
    return client;
}

// Pushes stand in line behind this lock, as they do behind one that runs alone (server/sync/push.c), so that no call goes through while pages arrive.
static void hold_pushes(PGconn *holder)
{
    rig_exec(holder, "select pg_advisory_lock(1128792062, 0)");
}

struct page {
    double ms;              // from the commit until the replica shows the page
    double work_ms;         // processor time of the client
    uint64_t calls;         // run again
};

static int64_t shown(struct charle_db *db, const char *sql)
{
    struct charle_error err = {0};
    struct charle_rows *rows = NULL;
    struct charle_value value;
    if (charle_query(db, sql, NULL, 0, &rows, &err) || charle_rows_next(rows, &err) || charle_rows_value(rows, 0, CHARLE_TYPE_INT8, false, &value, &err))
        bench_die("replica: %s", err.text);
    charle_rows_close(rows);
    return value.int8;
}

// A foreign change of the priority of the first `count` rows: until all of them show it. Their titles stay those of the waiting calls.
static struct page change_under(struct charle_client *client, PGconn *pg, int count, int priority)
{
    struct charle_client_status before, after;
    struct pollfd wait = {.fd = charle_client_fd(client), .events = POLLIN};
    char change[160], look[160];
    snprintf(change, sizeof(change), "update task set priority = %d where id in (select id from task order by id limit %d)", priority, count);
    snprintf(look, sizeof(look), "select count(*) from (select priority from task order by id limit %d) where priority = %d", count, priority);
    charle_client_status(client, &before);
    rig_exec(pg, change);
    double start = bench_now(), work = rig_own_cpu_seconds();
    while (shown(charle_client_db(client), look) != count) {
        if (bench_now() - start > 60)
            bench_die("a change did not arrive within a minute");
        poll(&wait, 1, 1000);
        charle_client_take_events(client);
    }
    double ms = (bench_now() - start) * 1000;
    poll(NULL, 0, 50); // what is counted is told behind what is shown
    charle_client_status(client, &after);
    return (struct page){ms, (rig_own_cpu_seconds() - work) * 1000, after.calls_run_again - before.calls_run_again};
}

static void wait_live(struct charle_client *client)
{
    struct charle_client_status status;
    for (int i = 0; i < 600; i++) {
        charle_client_status(client, &status);
        if (status.state == CHARLE_CLIENT_LIVE)
            return;
        poll(NULL, 0, 100);
    }
    bench_die("the replica did not become live: %s", status.problem);
}

// Pages of `rows` rows while `calls` calls on `over` rows wait.
static void rebase_under(struct rig *rig, int calls, int over, int rows, struct bench_samples *ms, struct bench_samples *again)
{
    struct charle_error err = {0};
    PGconn *pg = rig_psql(rig), *holder = rig_psql(rig);
    PGresult *ids = task_ids(pg, over);
    struct charle_client *client = make_waiting(rig, ids, calls);
    hold_pushes(holder);
    if (charle_client_start(client, &err))
        bench_die("start: %s", err.text);
    wait_live(client);
    change_under(client, pg, rows, 1); // the first finds cold caches
    for (int run = 0; run < BENCH_RUNS; run++) {
        struct page page = change_under(client, pg, rows, 2 + run % 4);
        bench_add(ms, page.ms);
        bench_add(again, (double)page.calls);
        bench_say("%d calls wait, %d rows changed: %.1f ms, %.1f ms of the client's processor time, %.0f calls run again", calls, rows, page.ms,
                  page.work_ms, (double)page.calls);
    }
    rig_exec(holder, "select pg_advisory_unlock(1128792062, 0)");
    rig_sync(client);
    struct charle_client_status status;
    charle_client_status(client, &status);
    if (status.pending_calls || status.inbox_count)
        bench_die("%lld calls wait and %lld verdicts came", (long long)status.pending_calls, (long long)status.inbox_count);
    PQclear(ids);
    PQfinish(holder);
    PQfinish(pg);
    charle_client_close(client);
}

void figure_rebase_1k(struct rig *rig)
{
    struct bench_samples ms = {0}, again = {0};
    char note[160];
    rebase_under(rig, REBASED, REBASED, REBASED, &ms, &again);
    double value = bench_median(&ms);
    snprintf(note, sizeof(note), "from the commit of a foreign change of %d rows until the replica shows it under %d waiting edits of them; %.0f calls run again",
             REBASED, REBASED, bench_median(&again));
    bench_print(&(struct bench_result){.name = "rebase_1k", .value = value, .unit = "ms", .against = "target of 100 ms", .against_value = 100,
                                       .ratio = value / 100, .target = 1, .is_less = 1, .note = note});
}

void figure_rebase_100k(struct rig *rig)
{
    struct bench_samples few = {0}, few_again = {0}, many = {0}, many_again = {0};
    char note[200];
    rebase_under(rig, FEW, FEW, FEW, &few, &few_again);
    rebase_under(rig, WAITING, WAITING, FEW, &many, &many_again);
    double value = bench_median(&many), base = bench_median(&few);
    snprintf(note, sizeof(note), "a pull of %d rows while %d edits of as many rows wait: %.0f calls run again; with %d waiting %.0f", FEW, WAITING,
             bench_median(&many_again), FEW, bench_median(&few_again));
    bench_print(&(struct bench_result){.name = "rebase_100k", .value = value, .unit = "ms", .against = "10 waiting calls", .against_value = base,
                                       .ratio = value / base, .target = 2, .is_less = 1, .note = note});
}
