// First copies by a file, and over a line with a long way.
#include "base/err.h"
#include "bench/common/bench.h"
#include "bench/sync/figures.h"
#include "fault/proxy/proxy.h"

#include <glob.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

enum { WAIT_MS = 120000, DELAY_MS = 10 };

// --- a seed file ----------------------------------------------------------------------------------------------------------

static void wait_for_file(struct rig *rig)
{
    char pattern[300];
    glob_t found;
    snprintf(pattern, sizeof(pattern), "%s/server/seeds/*/*.info", rig->folder);
    for (int waited = 0; glob(pattern, 0, NULL, &found) != 0; waited += 100) {
        if (waited > WAIT_MS)
            bench_die("the server made no seed file within two minutes");
        poll(NULL, 0, 100);
    }
    globfree(&found);
}

// The copy as it lies there, page by page into a new file, as sqlite3's own backup does it.
static double backup_seconds(struct rig *rig)
{
    char from[256], to[256];
    sqlite3 *source, *target;
    snprintf(from, sizeof(from), "%s/copy.db", rig->folder);
    snprintf(to, sizeof(to), "%s/backup.db", rig->folder);
    unlink(to);
    if (sqlite3_open(from, &source) || sqlite3_open(to, &target))
        bench_die("the copy cannot be opened");
    double start = bench_now();
    sqlite3_backup *backup = sqlite3_backup_init(target, "main", source, "main");
    if (!backup || sqlite3_backup_step(backup, -1) != SQLITE_DONE || sqlite3_backup_finish(backup))
        bench_die("backup: %s", sqlite3_errmsg(target));
    double took = bench_now() - start;
    sqlite3_close(source);
    sqlite3_close(target);
    unlink(to);
    return took;
}

void figure_seed_copy(struct rig *rig)
{
    struct bench_samples ours = {0}, plain = {0}, memory = {0};
    char note[256];
    PGconn *pg = rig_psql(rig);
    double rows = rig_number(pg, "select count(*) from task");
    PQfinish(pg);
    copy_once(rig, rig->address, "seed"); // the first who asks copies rows; the server makes the file meanwhile
    wait_for_file(rig);
    for (int i = 0; i < BENCH_RUNS; i++) {
        struct copy_run run = copy_once(rig, rig->address, "seed");
        double backup = backup_seconds(rig);
        bench_add(&ours, rows / run.seconds);
        bench_add(&plain, rows / backup);
        bench_add(&memory, (run.peak - run.idle) / 1048576);
        bench_say("run %d: %.0f rows/s, a backup of the same file %.0f rows/s", i + 1, rows / run.seconds, rows / backup);
    }
    double value = bench_median(&ours), target = 250000;
    snprintf(note, sizeof(note), "%.0f rows with all other tables, delta included; sqlite3's backup of the same file %.0f rows/s; client memory %.1f MiB over idle",
             rows, bench_median(&plain), bench_median(&memory));
    bench_print(&(struct bench_result){.name = "seed_copy", .value = value, .unit = "rows/s", .against = "target of 250,000 rows/s",
                                       .against_value = target, .ratio = value / target, .target = 1, .note = note});
}

// --- a long way -----------------------------------------------------------------------------------------------------------

void figure_first_copy_20ms(struct rig *rig)
{
    struct bench_samples near = {0}, far = {0}, ratio = {0};
    struct proxy *proxy;
    struct charle_error err = {0};
    char note[200];
    PGconn *pg = rig_psql(rig);
    double rows = rig_number(pg, "select count(*) from task");
    PQfinish(pg);
    const struct proxy_options options = {.listen = "tcp://127.0.0.1:0", .target = rig->address, .seed = 1};
    if (proxy_open(&options, &proxy, &err))
        bench_die("proxy: %s", err.text);
    for (int i = 0; i < BENCH_RUNS; i++) {
        // The proxy is between them in both cases: its own work is not what is measured.
        proxy_do(proxy, "heal");
        double without = copy_once(rig, proxy_address(proxy), "rows").seconds;
        proxy_do(proxy, "delay both %d", DELAY_MS);
        double with = copy_once(rig, proxy_address(proxy), "rows").seconds;
        bench_add(&near, without);
        bench_add(&far, with);
        bench_add(&ratio, with / without);
        bench_say("run %d: %.2f s, without delay %.2f s", i + 1, with, without);
    }
    proxy_close(proxy);
    snprintf(note, sizeof(note), "%.0f tasks with all other tables, through a relay that keeps each byte for %d ms in each direction", rows,
             DELAY_MS);
    bench_print(&(struct bench_result){.name = "first_copy_20ms", .value = bench_median(&far), .unit = "s", .against = "the same without delay",
                                       .against_value = bench_median(&near), .ratio = bench_median(&ratio), .target = 1.2, .is_less = 1, .note = note});
}
