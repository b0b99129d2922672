// Calls made offline: pushing them, and what a page from the server costs while they wait.
#include "bench/common/bench.h"
#include "bench/sync/figures.h"

#include <stdio.h>

enum { EDITS = 10000 };

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
