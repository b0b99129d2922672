#include "base/buf.h"
#include "base/err.h"
#include "bench/common/bench.h"
#include "bench/sync/figures.h"
#include "bench/sync/live_stream.h"
#include "charle/sync.charle.h"
#include "charleos.schema.charle.h"
#include "msg/wire.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { CLIENTS_MAX = 10000, CONNECTIONS_MAX = 1000, CHANGES = 100, OPENING_MAX = 500, EMPTY_PULLS = 20000, IN_FLIGHT = 512 };

// --- fan-out ------------------------------------------------------------------------------------------------------------

static void write_request(struct charle_client *client, bool is_live, struct charle_buf *out)
{
    struct charle_arena arena = {0};
    struct charle_client_status status;
    charle_client_status(client, &status);
    const struct charle_pull_request pull = {.live = {.value = is_live, .has = true},
                                             .schema_hash = charleos_schema.hash,
                                             .device_id = charle_str(status.device_id),
                                             .last_sequence = {.value = 0, .has = true},
                                             .cursor = live_cursors(client, &arena)};
    charle_message_write(&charle_pull_request_message, &pull, out);
    charle_arena_deinit(&arena);
}

// From the commit's return until the last of the streams has its page.
static double change_once(PGconn *pg, struct live_stream *streams, int count, int number)
{
    char sql[160];
    double last = 0;
    snprintf(sql, sizeof(sql), "update task set title = 'change %d' where id = (select min(id) from task)", number);
    int pages = atomic_load(&streams[0].pages);
    rig_exec(pg, sql);
    double start = bench_now();
    live_streams_wait(streams, count, pages + 1);
    for (int i = 0; i < count; i++) {
        double at = atomic_load(&streams[i].last_page_at);
        last = at > last ? at : last;
    }
    return last - start;
}

// How often the changed table was read, or looked up in, by anybody.
static double reads(PGconn *pg)
{
    rig_flush_statistics(pg);
    return rig_number(pg, "select idx_scan + seq_scan from pg_stat_user_tables where relname = 'task'");
}

// Reads of the table for one change: the statement's own and the server's.
static double measure(PGconn *pg, struct live_stream *streams, int count, struct bench_samples *samples)
{
    double before = reads(pg);
    for (int i = 0; i < CHANGES; i++) {
        double took = change_once(pg, streams, count, i);
        if (samples)
            bench_add(samples, took * 1000);
        poll(NULL, 0, 20 + i % 10); // anywhere in the server's round
    }
    return (reads(pg) - before) / CHANGES;
}

static void fan_out(struct rig *rig, const char *name, int count, double target_ms, double percent)
{
    static struct live_stream streams[CLIENTS_MAX];
    struct bench_samples samples = {0};
    struct charle_buf request = {0};
    char note[200], unit[64], against[64];
    live_streams_allow();
    struct charle_client *client = rig_client(rig, "fanout", 1);
    rig_sync(client);
    PGconn *pg = rig_psql(rig);
    write_request(client, true, &request);
    live_stream_open(rig, &streams[0], NULL, charle_buf_bytes(&request));
    live_streams_wait(streams, 1, 1);
    double for_one = measure(pg, streams, 1, NULL);
    // The others have everything: what PostgreSQL did for a pull of theirs it might report when changes are being counted.
    rig_sync(client);
    charle_buf_reset(&request);
    write_request(client, true, &request);
    // Files are few and this program's threads too: beyond a thousand, streams share connections.
    for (int i = 1; i < count; i++) {
        live_stream_open(rig, &streams[i], i < CONNECTIONS_MAX ? NULL : &streams[i % CONNECTIONS_MAX], charle_buf_bytes(&request));
        if (i % OPENING_MAX == 0) // more at once than wait in the server's queue are refused
            live_streams_wait(streams, i + 1, 1);
    }
    live_streams_wait(streams, count, 1);
    poll(NULL, 0, 500);
    for (int i = 0; i < count; i++)
        atomic_store(&streams[i].pages, 0);
    double for_all = measure(pg, streams, count, &samples);
    double value = bench_percentile(&samples, percent);
    snprintf(note, sizeof(note), "p50 %.1f ms, p95 %.1f ms, p99 %.1f ms over %d changes by psql; PostgreSQL looks into the table %.1f times a change, for one client %.1f",
             bench_median(&samples), bench_percentile(&samples, 95), bench_percentile(&samples, 99), CHANGES, for_all, for_one);
    snprintf(unit, sizeof(unit), "ms until all of %d have it, p%.0f", count, percent);
    snprintf(against, sizeof(against), "target of %.0f ms", target_ms);
    bench_print(&(struct bench_result){.name = name, .value = value, .unit = unit, .against = against, .against_value = target_ms,
                                       .ratio = value / target_ms, .target = 1, .is_less = 1, .note = note});
    for (int i = count - 1; i >= 0; i--)
        live_stream_close(&streams[i]);
    charle_buf_deinit(&request);
    PQfinish(pg);
    charle_client_close(client);
}

void figure_fanout_100(struct rig *rig)
{
    fan_out(rig, "fanout_100", 100, 10, 50);
}

void figure_fanout_1000(struct rig *rig)
{
    fan_out(rig, "fanout_1000", 1000, 50, 50);
}

void figure_fanout_10000(struct rig *rig)
{
    fan_out(rig, "fanout_10000", CLIENTS_MAX, 500, 50);
}

// --- empty pulls --------------------------------------------------------------------------------------------------------

struct puller {
    struct charle_channel *channel;
    struct charle_bytes request;
    atomic_int started, done;
    atomic_int failed, had_changes;
};

static void start_pull(struct puller *puller);

static void on_message(void *ctx, struct charle_rpc *rpc, struct charle_bytes message)
{
    struct puller *puller = ctx;
    if (message.len > 16) // is_last, is_alive: anything longer has changes in it
        atomic_fetch_add(&puller->had_changes, 1);
    charle_rpc_consumed(rpc, message.len);
}

static void on_done(void *ctx, struct charle_rpc *rpc, const struct charle_status *status)
{
    struct puller *puller = ctx;
    charle_rpc_release(rpc);
    if (status->code)
        atomic_fetch_add(&puller->failed, 1);
    if (atomic_fetch_add(&puller->started, 1) < EMPTY_PULLS)
        start_pull(puller);
    atomic_fetch_add(&puller->done, 1);
}

static void start_pull(struct puller *puller)
{
    struct charle_error err = {0};
    struct charle_rpc *rpc;
    const struct charle_call_options call = {.timeout_ms = 60000};
    const struct charle_rpc_events events = {.message = on_message, .done = on_done, .ctx = puller};
    if (charle_rpc_start(puller->channel, CHARLE_STR("charle.Sync/Pull"), puller->request, &call, &events, &rpc, &err))
        bench_die("pull: %s", err.text);
}

static double pull_empty(struct rig *rig, struct puller *puller)
{
    double before = rig_cpu_seconds(rig), start = bench_now();
    atomic_store(&puller->started, IN_FLIGHT);
    atomic_store(&puller->done, 0);
    for (int i = 0; i < IN_FLIGHT; i++)
        start_pull(puller);
    while (atomic_load(&puller->done) < EMPTY_PULLS)
        poll(NULL, 0, 10);
    double seconds = bench_now() - start, busy = rig_cpu_seconds(rig) - before;
    // What the server does by itself in the same time is not the pulls'.
    before = rig_cpu_seconds(rig);
    poll(NULL, 0, (int)(seconds * 1000));
    double quiet = rig_cpu_seconds(rig) - before;
    return (busy - quiet) / EMPTY_PULLS * 1e6;
}

void figure_empty_pull(struct rig *rig)
{
    struct bench_samples samples = {0};
    struct charle_error err = {0};
    struct charle_buf request = {0};
    struct puller puller = {0};
    const struct charle_channel_options options = {.token = rig->token};
    struct charle_client *client = rig_client(rig, "empty", 1);
    rig_sync(client);
    write_request(client, false, &request);
    puller.request = charle_buf_bytes(&request);
    if (charle_channel_open(rig->address, &options, &puller.channel, &err))
        bench_die("pull: %s", err.text);
    for (int run = 0; run <= BENCH_RUNS; run++) {
        double us = pull_empty(rig, &puller);
        if (run) // the first one warms up
            bench_add(&samples, us);
        bench_say("run %d: %.1f us of the server's time a pull", run, us);
    }
    if (atomic_load(&puller.failed) || atomic_load(&puller.had_changes))
        bench_die("%d pulls failed, %d brought changes", atomic_load(&puller.failed), atomic_load(&puller.had_changes));
    double value = bench_median(&samples);
    bench_print(&(struct bench_result){.name = "empty_pull", .value = value, .unit = "us of the server's processor time a pull", .against = "target of 20 us",
                                       .against_value = 20, .ratio = value / 20, .target = 1, .is_less = 1,
                                       .note = "20,000 pulls, 512 in flight on one connection; the server's own poll taken off"});
    charle_channel_close(puller.channel);
    charle_buf_deinit(&request);
    charle_client_close(client);
}
