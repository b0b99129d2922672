// A laptop comes back with a long backlog of calls: what its memory does while they drain, and what other clients notice of it.
#include "base/err.h"
#include "bench/common/bench.h"
#include "bench/sync/figures.h"

#include <poll.h>
#include <stdio.h>

enum { ROWS = 20000, QUIET_CALLS = 2500, LOOK_EVERY = 100, LONG_MINUTES = 120 };

// Titles are of one form, so that each edit is a real one.
static void make_backlog(PGconn *pg, struct charle_client *client, int calls)
{
    char title[64], sql[80];
    snprintf(sql, sizeof(sql), "select id from task order by id limit %d", ROWS);
    PGresult *ids = PQexec(pg, sql);
    if (PQntuples(ids) != ROWS)
        bench_die("fewer than %d tasks", ROWS);
    for (int i = 0; i < calls; i++) {
        snprintf(title, sizeof(title), "backlog %d", i);
        rig_edit(client, PQgetvalue(ids, i % ROWS, 0), title, false);
        if (i % 100000 == 99999)
            bench_say("%d calls made", i + 1);
    }
    PQclear(ids);
}

// A call of another client, on a task that the backlog does not touch.
static double one_call(struct charle_client *other, const char *id, int number, int pause_ms)
{
    char title[64];
    snprintf(title, sizeof(title), "beside %d", number);
    poll(NULL, 0, pause_ms);
    double start = bench_now();
    rig_edit(other, id, title, true);
    return (bench_now() - start) * 1000;
}

struct drain {
    struct bench_samples ms; // of the other client's calls
    int64_t rss;             // the most that was seen
    double seconds;
};

static void drain(struct charle_client *client, struct charle_client *other, const char *id, int pause_ms, struct drain *out)
{
    struct charle_error err = {0};
    struct charle_client_status status;
    double start = bench_now();
    if (charle_client_start(client, &err))
        bench_die("start: %s", err.text);
    for (int i = 0;; i++) {
        bench_add(&out->ms, one_call(other, id, i, pause_ms));
        int64_t rss = bench_rss_bytes(0);
        out->rss = rss > out->rss ? rss : out->rss;
        if (i % LOOK_EVERY)
            continue;
        charle_client_status(client, &status);
        if (!status.pending_calls)
            break;
        if (bench_now() - start > LONG_MINUTES * 60)
            bench_die("%lld calls still wait: %s", (long long)status.pending_calls, status.problem);
    }
    out->seconds = bench_now() - start;
    if (status.inbox_count)
        bench_die("%lld verdicts came", (long long)status.inbox_count);
}

// Before the backlog drains and after it: a machine has better and worse minutes.
static void call_in_quiet(struct charle_client *other, const char *id, int pause_ms, struct bench_samples *ms)
{
    for (int i = 0; i < QUIET_CALLS; i++)
        bench_add(ms, one_call(other, id, i, pause_ms));
}

static void backlog(struct rig *rig, const char *name, int calls)
{
    struct charle_error err = {0};
    struct bench_samples quiet = {0};
    struct drain drained = {.rss = 0};
    char note[240], id[64];
    int pause_ms = calls / 40000 + 1; // the samples have to last
    PGconn *pg = rig_psql(rig);
    PGresult *result = PQexec(pg, "select id from task order by id desc limit 1");
    snprintf(id, sizeof(id), "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    struct charle_client *client = rig_client(rig, "backlog", 1), *other = rig_client(rig, "other", 1);
    rig_sync(client);
    rig_sync(other);
    if (charle_client_start(other, &err))
        bench_die("start: %s", err.text);
    make_backlog(pg, client, calls);
    call_in_quiet(other, id, pause_ms, &quiet);
    int64_t idle = bench_rss_bytes(0);
    drain(client, other, id, pause_ms, &drained);
    if (rig_number(pg, "select count(*) from task where title like 'backlog %'") != ROWS)
        bench_die("the server does not have all edits");
    call_in_quiet(other, id, pause_ms, &quiet);
    double before = bench_percentile(&quiet, 99), during = bench_percentile(&drained.ms, 99);
    snprintf(note, sizeof(note), "%d calls drain at %.0f a second; the client took %.1f MiB over idle (target under 64); others' p50 %.2f ms, without it %.2f ms",
             calls, calls / drained.seconds, (double)(drained.rss - idle) / (1 << 20), bench_median(&drained.ms), bench_median(&quiet));
    bench_print(&(struct bench_result){.name = name, .value = during, .unit = "ms p99 of another client's calls", .against = "no backlog",
                                       .against_value = before, .ratio = during / before, .target = 2, .is_less = 1, .note = note});
    PQfinish(pg);
    charle_client_close(client);
    charle_client_close(other);
}

void figure_backlog_100k(struct rig *rig)
{
    backlog(rig, "backlog_100k", 100000);
}

void figure_backlog_1m(struct rig *rig)
{
    backlog(rig, "backlog_1m", 1000000);
}
