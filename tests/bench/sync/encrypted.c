#include "base/arena.h"
#include "base/err.h"
#include "bench/common/bench.h"
#include "bench/sync/figures.h"
#include "charleos.schema.charle.h"
#include "db/db.h"

#include <stdio.h>
#include <string.h>

enum { READS = 20000 };

// Reads rows by key, in an order that jumps through the file; the connection's cache holds a part of it.
static double read_rows(struct charle_client *client)
{
    struct charle_error err = {0};
    struct charle_db *db;
    struct charle_rows *rows;
    struct charle_arena arena = {0};
    if (charle_client_db_open(client, &db, &err))
        bench_die("open: %s", err.text);
    if (charle_query(db, "select id from task order by display_id limit 20000", NULL, 0, &rows, &err))
        bench_die("query: %s", err.text);
    struct charle_str *ids = charle_arena_array(&arena, READS, sizeof(*ids));
    size_t count = 0;
    struct charle_value value;
    while (count < READS && !charle_rows_next(rows, &err) && !charle_rows_value(rows, 0, CHARLE_TYPE_TEXT, false, &value, &err))
        ids[count++] = charle_arena_str(&arena, value.text);
    charle_rows_close(rows);
    double start = bench_now();
    for (size_t i = 0; i < count; i++) {
        const struct charle_value id = charle_text(ids[i * 7919 % count]);
        if (charle_query(db, "select title from task where id = $1", &id, 1, &rows, &err) || charle_rows_next(rows, &err))
            bench_die("query: %s", err.text);
        charle_rows_close(rows);
    }
    double seconds = (bench_now() - start) / (double)(count ? count : 1);
    charle_db_close(db);
    charle_arena_deinit(&arena);
    return seconds;
}

int encrypted_process(const char *file, const char *address, const char *token, const char *is_encrypted)
{
    const struct charle_client_key key = {.bytes = (const uint8_t *)"0123456789abcdef0123456789abcdef"};
    struct charle_error err = {0};
    struct charle_client *client;
    const struct charle_client_options options = {.file = file, .schema = &charleos_schema, .url = address, .token = token, .ignores_seed_files = true,
                                                  .device_name = "bench", .key = *is_encrypted == '1' ? &key : NULL};
    if (charle_client_open(&options, &client, &err))
        bench_die("open: %s", err.text);
    double start = bench_now();
    rig_sync(client);
    double seconds = bench_now() - start;
    printf("%.9f %.9f\n", seconds, read_rows(client));
    charle_client_close(client);
    return 0;
}

static void run_once(struct rig *rig, int is_encrypted, double *copy, double *reading)
{
    char command[1600];
    snprintf(command, sizeof(command), "rm -f %s/enc.db*; exec %s/bench_sync --encrypted %s/enc.db %s %s %d", rig->folder, rig->bin, rig->folder,
             rig->address, rig->token, is_encrypted);
    FILE *pipe = popen(command, "r");
    if (!pipe || fscanf(pipe, "%lf %lf", copy, reading) != 2 || pclose(pipe) != 0)
        bench_die("the copying process failed");
}

void figure_encrypted_copy(struct rig *rig)
{
    struct bench_samples copies[2] = {0}, reads[2] = {0};
    char note[200];
    PGconn *pg = rig_psql(rig);
    double rows = rig_number(pg, "select count(*) from task");
    PQfinish(pg);
    for (int i = 0; i < BENCH_RUNS; i++) {
        for (int is_encrypted = 0; is_encrypted < 2; is_encrypted++) {
            double copy = 0, reading = 0;
            run_once(rig, is_encrypted, &copy, &reading);
            bench_add(&copies[is_encrypted], rows / copy);
            bench_add(&reads[is_encrypted], reading * 1e6);
            bench_say("run %d %s: %.0f rows/s, %.1f us a read", i + 1, is_encrypted ? "encrypted" : "in clear", rows / copy, reading * 1e6);
        }
    }
    double value = bench_median(&copies[1]), against = bench_median(&copies[0]);
    snprintf(note, sizeof(note), "%.0f rows of task with all other tables; a row read by key out of a file larger than the cache takes %.1f us, in clear %.1f us", rows,
             bench_median(&reads[1]), bench_median(&reads[0]));
    bench_print(&(struct bench_result){.name = "encrypted_copy", .value = value, .unit = "rows/s", .against = "the same replica in clear",
                                       .against_value = against, .ratio = value / against, .target = 0.5, .note = note});
}
