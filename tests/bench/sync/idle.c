#include "base/arena.h"
#include "base/buf.h"
#include "bench/common/bench.h"
#include "bench/sync/figures.h"
#include "bench/sync/live_stream.h"
#include "call/method.h"
#include "charle/admin.charle.h"
#include "charle/sync.charle.h"
#include "charleos.schema.charle.h"
#include "msg/wire.h"

#include <poll.h>
#include <stdio.h>

enum { PULLS = 1000, CLIENTS = 1000 };

// What the server itself counts: pulls, and those among them that it answered from memory.
static void count_pulls(struct charle_client *client, double *out_pulls, double *out_idle)
{
    struct charle_error err = {0};
    struct charle_arena arena = {0};
    const struct charle_status_request request = {0};
    struct charle_status_reply reply;
    const struct charle_method *method = charle_client_method(client, "charle.Admin/Status");
    if (!method || charle_client_call(client, method, &request, &arena, &reply, NULL, &err))
        bench_die("Status: %s", err.text);
    *out_pulls = (double)reply.pulls;
    *out_idle = (double)reply.pulls_idle;
    charle_arena_deinit(&arena);
}

void figure_idle_pull(struct rig *rig)
{
    struct bench_samples touching = {0}, extra = {0}, per_pull = {0};
    char note[160];
    struct charle_client *client = rig_client(rig, "idle", 1);
    rig_sync(client);
    // A session that stays, as a laptop's does: each sync below is one pull, not a new introduction.
    if (charle_client_start(client, NULL))
        bench_die("the client does not start");
    PGconn *pg = rig_psql(rig);
    rig_sync(client);
    for (int run = 0; run < BENCH_RUNS; run++) {
        double pulls, idle, pulls_after, idle_after;
        count_pulls(client, &pulls, &idle);
        double before = rig_transactions(pg), start = bench_now();
        for (int i = 0; i < PULLS; i++)
            rig_sync(client);
        double seconds = bench_now() - start, busy = rig_transactions(pg) - before;
        count_pulls(client, &pulls_after, &idle_after);
        bench_add(&touching, ((pulls_after - pulls) - (idle_after - idle)) / (pulls_after - pulls));
        bench_add(&per_pull, seconds / PULLS * 1e6);
        // The server's own poll goes on whether or not anybody pulls: measure as long a time without pulls and take it off.
        before = rig_transactions(pg);
        poll(NULL, 0, (int)(seconds * 1000));
        double quiet = rig_transactions(pg) - before;
        bench_add(&extra, (busy - quiet) / PULLS);
        bench_say("run %d: %.0f pulls, %.0f of them from memory; %.0f transactions, %.0f in the same time without pulls", run + 1,
                  pulls_after - pulls, idle_after - idle, busy, quiet);
    }
    double value = bench_median(&touching);
    snprintf(note, sizeof(note), "PostgreSQL ran %.2f transactions a pull more than without pulls; %.0f us a pull, client included",
             bench_median(&extra), bench_median(&per_pull));
    bench_print(&(struct bench_result){.name = "idle_pull", .value = value, .unit = "of the pulls touch PostgreSQL",
                                       .against = "none", .against_value = 0, .ratio = value, .target = 0.001, .is_less = 1, .note = note});
    PQfinish(pg);
    charle_client_close(client);
}

void figure_idle_clients(struct rig *rig)
{
    static struct live_stream clients[CLIENTS];
    struct bench_samples kib = {0};
    live_streams_allow();
    struct charle_buf request = {0};
    const struct charle_pull_request pull = {
        .live = {.value = true, .has = true}, .schema_hash = charleos_schema.hash, .device_id = CHARLE_STR("00000000000000000000000001")};
    charle_message_write(&charle_pull_request_message, &pull, &request);
    for (int run = 0; run < BENCH_RUNS; run++) {
        int64_t before = bench_rss_bytes(rig->server_pid);
        for (int i = 0; i < CLIENTS; i++)
            live_stream_open(rig, &clients[i], NULL, charle_buf_bytes(&request));
        live_streams_wait(clients, CLIENTS, 1);
        poll(NULL, 0, 2000);
        double per_client = (double)(bench_rss_bytes(rig->server_pid) - before) / CLIENTS / 1024;
        // Memory that a burst left behind is used again by the next one, so only the first run starts from nothing.
        if (run == 0 || per_client > 0)
            bench_add(&kib, per_client);
        bench_say("run %d: %.1f KiB a client", run + 1, per_client);
        for (int i = 0; i < CLIENTS; i++)
            live_stream_close(&clients[i]);
        poll(NULL, 0, 1000);
    }
    double value = bench_percentile(&kib, 100);
    bench_print(&(struct bench_result){.name = "idle_clients", .value = value, .unit = "KiB of server memory a live client",
                                       .against = "target of 20 KiB", .against_value = 20, .ratio = value / 20, .target = 1, .is_less = 1,
                                       .note = "the largest of 5 rounds of 1,000 clients"});
    charle_buf_deinit(&request);
}
