// A replica that is wrong in a few rows is compared with the server and mended: how many bytes does that take?
#include "base/err.h"
#include "bench/common/bench.h"
#include "bench/sync/figures.h"

#include <sqlite3.h>
#include <stdio.h>

enum { WRONG = 10 };

// Behind the library's back; its triggers would refuse.
static void spoil_rows(struct rig *rig, int round)
{
    char file[256], sql[300];
    sqlite3 *db;
    snprintf(file, sizeof(file), "%s/repair.db", rig->folder);
    snprintf(sql, sizeof(sql),
             "update task set title = 'wrong %d' where id in "
             "(select id from (select id, row_number() over (order by id) n from task) where n %% ((select count(*) from task) / 10) = %d)", round, 17 + round);
    if (sqlite3_open(file, &db))
        bench_die("%s cannot be opened", file);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) || sqlite3_changes(db) != WRONG)
        bench_die("%d rows were to be spoiled: %s", WRONG, sqlite3_errmsg(db));
    sqlite3_close(db);
}

static double bytes_moved(struct charle_client *client)
{
    struct charle_client_status status;
    charle_client_status(client, &status);
    return (double)(status.bytes_received + status.bytes_sent);
}

void figure_repair_1m(struct rig *rig)
{
    struct bench_samples moved = {0}, seconds = {0};
    char note[256];
    struct charle_error err = {0};
    struct charle_client *client = rig_client(rig, "repair", 1);
    rig_sync(client);
    double all = bytes_moved(client);
    PGconn *pg = rig_psql(rig);
    long rows = (long)rig_number(pg, "select count(*) from task");
    PQfinish(pg);
    for (int i = 0; i < BENCH_RUNS; i++) {
        struct charle_verify_report report = {0};
        spoil_rows(rig, i);
        double before = bytes_moved(client), start = bench_now();
        if (charle_client_verify(client, 0, &report, &err))
            bench_die("verify: %s", err.text);
        if (report.rows_different != WRONG)
            bench_die("%d rows were wrong, and %lld were found", WRONG, (long long)report.rows_different);
        bench_add(&seconds, bench_now() - start);
        bench_add(&moved, bytes_moved(client) - before);
        bench_say("run %d: %.0f of %.0f bytes in %.2f s", i + 1, bytes_moved(client) - before, all, bench_now() - start);
    }
    charle_client_close(client);
    double value = bench_median(&moved);
    snprintf(note, sizeof(note), "%d wrong rows of %ld found and mended in %.2f s; the first copy moved %.0f MB", WRONG, rows,
             bench_median(&seconds), all / 1e6);
    bench_print(&(struct bench_result){.name = "repair_1m", .value = value / 1024, .unit = "KiB moved", .against = "a first copy",
                                       .against_value = all / 1024, .ratio = value / all, .target = 0.01, .is_less = 1, .note = note});
}
