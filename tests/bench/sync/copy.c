#include "base/err.h"
#include "bench/common/bench.h"
#include "bench/sync/figures.h"
#include "bench/sync/limit.h"
#include "charleos.schema.charle.h"
#include "charleos/core.charle.h"
#include "db/db.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int copy_process(const char *file, const char *address, const char *token, const char *how)
{
    struct charle_error err = {0};
    struct charle_client *client;
    const struct charle_client_options options = {
        .file = file, .schema = &charleos_schema, .url = address, .token = token, .device_name = "bench",
        .ignores_seed_files = strcmp(how, "seed") != 0};
    if (charle_client_open(&options, &client, &err))
        bench_die("open: %s", err.text);
    int64_t idle = bench_rss_bytes(0);
    double start = bench_now();
    rig_sync(client);
    double seconds = bench_now() - start;
    printf("%.6f %lld %lld\n", seconds, (long long)idle, (long long)bench_rss_peak_bytes(0));
    charle_client_close(client);
    return 0;
}

struct copy_run copy_once(struct rig *rig, const char *address, const char *how)
{
    char command[1600];
    struct copy_run run = {0};
    // The token is in the environment's own file of this benchmark only; it dies with the server.
    snprintf(command, sizeof(command), "rm -f %s/copy.db*; exec %s/bench_sync --copy %s/copy.db %s %s %s", rig->folder, rig->bin,
             rig->folder, address, rig->token, how);
    FILE *pipe = popen(command, "r");
    if (!pipe || fscanf(pipe, "%lf %lf %lf", &run.seconds, &run.idle, &run.peak) != 3 || pclose(pipe) != 0)
        bench_die("the copying process failed");
    return run;
}

void figure_first_copy(struct rig *rig)
{
    struct bench_samples ours = {0}, limit = {0}, memory = {0};
    char file[256], note[256];
    int64_t rows = 0;
    snprintf(file, sizeof(file), "%s/limit.db", rig->folder);
    for (int i = 0; i < BENCH_RUNS; i++) {
        double limit_rate = bench_limit_copy(rig->database_url, &charleos_task_table, file, &rows);
        bench_add(&limit, limit_rate);
        struct copy_run run = copy_once(rig, rig->address, "rows");
        bench_add(&ours, (double)rows / run.seconds);
        bench_add(&memory, (run.peak - run.idle) / 1048576);
        bench_say("run %d: %.0f rows/s, limit %.0f rows/s, %.1f MiB over idle", i + 1, (double)rows / run.seconds, limit_rate,
                  (run.peak - run.idle) / 1048576);
    }
    double value = bench_median(&ours), against = bench_median(&limit);
    snprintf(note, sizeof(note), "%lld rows with all other tables; client memory %.1f MiB over idle (target under 64)", (long long)rows,
             bench_median(&memory));
    bench_print(&(struct bench_result){.name = "first_copy", .value = value, .unit = "rows/s", .against = "COPY piped into SQLite inserts",
                                       .against_value = against, .ratio = value / against, .target = 0.85, .note = note});
}

// --- 10,000 changed rows ---------------------------------------------------------------------------------------------------

enum { CHANGED = 10000 };

static void sync_round(struct charle_client *client, int round)
{
    (void)round;
    rig_sync(client);
}

// The changes are one transaction, so one row tells of all.
static void wait_round(struct charle_client *client, int round)
{
    struct pollfd wait = {.fd = charle_client_fd(client), .events = POLLIN};
    struct charle_error err = {0};
    struct charle_value value = {0};
    char sql[128];
    snprintf(sql, sizeof(sql), "select title like 'changed in round %d,%%' from task order by id limit 1", round);
    double start = bench_now();
    while (!value.boolean) {
        struct charle_rows *rows = NULL;
        if (charle_query(charle_client_db(client), sql, NULL, 0, &rows, &err) || charle_rows_next(rows, &err) ||
            charle_rows_value(rows, 0, CHARLE_TYPE_BOOL, false, &value, &err))
            bench_die("replica: %s", err.text);
        charle_rows_close(rows);
        if (bench_now() - start > 30)
            bench_die("changes did not arrive within 30 s");
        if (!value.boolean)
            poll(&wait, 1, 1000);
        charle_client_take_events(client);
    }
}

// also: what the note says behind the time.
static void pull_changes(struct rig *rig, struct charle_client *client, const char *name, double target, const char *also,
                         void (*wait)(struct charle_client *client, int round))
{
    struct bench_samples ours = {0}, limit = {0}, seconds = {0};
    char file[256], sql[256], note[128];
    int64_t rows;
    snprintf(file, sizeof(file), "%s/limit.db", rig->folder);
    PGconn *pg = rig_psql(rig);
    for (int i = 0; i < BENCH_RUNS; i++) {
        snprintf(sql, sizeof(sql),
                 "update task set title = 'changed in round %d, ' || display_id where id in (select id from task order by id limit %d)", i,
                 CHANGED);
        rig_exec(pg, sql);
        double start = bench_now();
        wait(client, i);
        double took = bench_now() - start;
        bench_add(&seconds, took);
        bench_add(&ours, CHANGED / took);
        bench_add(&limit, bench_limit_copy(rig->database_url, &charleos_task_table, file, &rows));
        bench_say("run %d: %.1f ms", i + 1, took * 1000);
    }
    double value = bench_median(&ours), against = bench_median(&limit);
    snprintf(note, sizeof(note), "%d changed rows in %.0f ms%s", CHANGED, bench_median(&seconds) * 1000, also);
    bench_print(&(struct bench_result){.name = name, .value = value, .unit = "rows/s", .against = "COPY piped into SQLite inserts",
                                       .against_value = against, .ratio = value / against, .target = target, .note = note});
    PQfinish(pg);
}

void figure_pull_10k(struct rig *rig)
{
    struct charle_client *client = rig_client(rig, "pull", 1);
    rig_sync(client);
    pull_changes(rig, client, "pull_10k", 0.5, "", sync_round);
    charle_client_close(client);
}

void figure_live_10k(struct rig *rig)
{
    struct charle_client *client = rig_client(rig, "live", 1);
    rig_sync(client);
    if (charle_client_start(client, NULL))
        bench_die("the client does not start");
    rig_sync(client);
    pull_changes(rig, client, "live_10k", 0.8, " (target under 65)", wait_round);
    charle_client_close(client);
}
