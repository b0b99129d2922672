// stamp_write_cost: updates of one row, each its own durable transaction, on a stamped table against the same table
// without triggers.
//
// Eight writers, rows and so scopes chosen at random among 100, synchronous_commit on, PostgreSQL on the disk of
// $TMPDIR (or /tmp). The two sides alternate in short runs, because the speed of a machine drifts; between them the
// database makes a checkpoint, so that each run pays for its own first touch of pages. The share of HOT updates is
// measured beside: stamping must not change it.
#include "base/str.h"
#include "bench/common/bench.h"
#include "bench_stamps.schema.charle.h"
#include "own.h"
#include "support/pg_cluster.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WRITERS = 8, ROWS = 50000, SCOPES = 100 };
#define SECONDS_A_RUN 4.0
#define NAME          "stamp_write_cost"

struct side {
    char url[CH_PG_CLUSTER_URL_SIZE];
    PGconn *conn;
    struct bench_samples rates;
};

struct writer {
    const struct side *side;
    pthread_t thread;
    unsigned seed;
    double until;
    long done;
};

static void run(PGconn *conn, const char *sql)
{
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY)
        bench_die("%s: %.300s", sql, PQerrorMessage(conn));
    PQclear(result);
}

static double number(PGconn *conn, const char *sql)
{
    PGresult *result = PQexec(conn, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
        bench_die("%s: %.300s", sql, PQerrorMessage(conn));
    double value = strtod(PQgetvalue(result, 0, 0), NULL);
    PQclear(result);
    return value;
}

static PGconn *open_connection(const char *url)
{
    PGconn *conn = PQconnectdb(url);
    if (PQstatus(conn) != CONNECTION_OK)
        bench_die("%s", PQerrorMessage(conn));
    run(conn, "set client_min_messages = warning");
    return conn;
}

static char *read_platform(void)
{
    static char text[128 * 1024];
    FILE *file = fopen(CHARLE_PLATFORM_SQL, "rb");
    size_t size = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
    if (!size || size == sizeof(text) - 1)
        bench_die("cannot read %s", CHARLE_PLATFORM_SQL);
    fclose(file);
    return text;
}

static void make_side(struct ch_pg_cluster *cluster, const char *name, int is_stamped, struct side *side)
{
    const struct charle_schema *schema = &bench_stamps_schema_tables;
    char sql[600];
    if (!ch_pg_cluster_database(cluster, name, side->url))
        bench_die("cannot make the database %s", name);
    side->conn = open_connection(side->url);
    for (size_t i = 0; i < schema->table_count; i++)
        run(side->conn, schema->tables[i]->pg_create);
    for (size_t i = 0; i < schema->table_count; i++)
        run(side->conn, schema->tables[i]->pg_indexes);
    snprintf(sql, sizeof(sql),
             "insert into task (id, client_id, assignee_id, title, description, due_on) select 'task' || i, 'c' || i "
             "%% %d, 'person' || i %% 40, "
             "'A task with a title of usual length ' || i, repeat('What is to be done here. ', 7), date '2026-01-01' + "
             "i %% 700 "
             "from generate_series(0, %d - 1) i",
             SCOPES, ROWS);
    run(side->conn, sql);
    if (is_stamped) {
        run(side->conn, read_platform());
        for (size_t i = 0; i < schema->table_count; i++)
            run(side->conn, schema->tables[i]->pg_triggers);
    }
    run(side->conn, "vacuum analyze");
}

static void *write_rows(void *ctx)
{
    struct writer *writer = ctx;
    PGconn *conn = open_connection(writer->side->url);
    PQclear(PQprepare(
        conn, "u", "update task set logged_minutes = logged_minutes + 1, updated_at = now() where id = $1", 1, NULL));
    while (bench_now() < writer->until) {
        char id[32];
        const char *values[] = {id};
        snprintf(id, sizeof(id), "task%d", rand_r(&writer->seed) % ROWS);
        PGresult *result = PQexecPrepared(conn, "u", 1, values, NULL, NULL, 0);
        if (PQresultStatus(result) != PGRES_COMMAND_OK || strcmp(PQcmdTuples(result), "1") != 0)
            bench_die("the update failed: %.300s", PQerrorMessage(conn));
        PQclear(result);
        writer->done++;
    }
    PQfinish(conn);
    return NULL;
}

static double measure(struct side *side, int round)
{
    struct writer writers[WRITERS];
    run(side->conn, "checkpoint");
    double start = bench_now();
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.side = side, .seed = (unsigned)(round * 100 + i), .until = start + SECONDS_A_RUN};
        if (pthread_create(&writers[i].thread, NULL, write_rows, &writers[i]))
            bench_die("cannot start a thread");
    }
    long done = 0;
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        done += writers[i].done;
    }
    return (double)done / (bench_now() - start);
}

static double hot_share(struct side *side)
{
    run(side->conn, "select pg_stat_clear_snapshot()");
    return number(
        side->conn,
        "select n_tup_hot_upd::float8 / greatest(n_tup_upd, 1) from pg_stat_user_tables where relname = 'task'");
}

// Every transaction must have its stamp, or the figure is worth nothing.
static void check_stamps(struct side *side)
{
    double updates = number(side->conn, "select sum(logged_minutes) from task");
    double stamps = number(side->conn, "select sum(v & 8589934591) from charle.head where scope like 'client:%'");
    if (updates != stamps)
        bench_die("%.0f transactions made %.0f stamps", updates, stamps);
}

static void figure_write_cost(struct ch_pg_cluster *cluster)
{
    static struct side plain, stamped;
    bench_say("two databases with %d tasks of %d clients", ROWS, SCOPES);
    make_side(cluster, "plain", 0, &plain);
    make_side(cluster, "stamped", 1, &stamped);
    struct bench_samples ratios = {0};
    for (int round = -1; round < BENCH_RUNS; round++) { // the first round warms up
        double without = measure(&plain, round), with = measure(&stamped, round);
        bench_say("%s %.0f transactions/s without, %.0f with stamps", round < 0 ? "warm-up:" : "run:", without, with);
        if (round < 0)
            continue;
        bench_add(&plain.rates, without);
        bench_add(&stamped.rates, with);
        bench_add(&ratios, with / without);
    }
    check_stamps(&stamped);
    char note[200];
    snprintf(note, sizeof(note),
             "HOT updates: %.1f %% without triggers, %.1f %% with; rows of about 350 bytes, %d scopes, %d writers",
             100 * hot_share(&plain), 100 * hot_share(&stamped), SCOPES, WRITERS);
    bench_print(&(struct bench_result){.name = NAME,
                                       .value = bench_median(&stamped.rates),
                                       .unit = "transactions/s",
                                       .against = "same table without triggers",
                                       .against_value = bench_median(&plain.rates),
                                       .ratio = bench_median(&ratios),
                                       .target = 0.6,
                                       .note = note});
    PQfinish(plain.conn);
    PQfinish(stamped.conn);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--serve") == 0)
        return own_serve(argc - 1, argv + 1);
    const char *name = argc > 1 ? argv[1] : NAME;
    if (argc > 2 || (strcmp(name, NAME) != 0 && strcmp(name, "scopes_100_own") != 0))
        bench_die("usage: bench_stamps [" NAME "|scopes_100_own]");
    const char *root = getenv("TMPDIR");
    const char *const settings[] = {"shared_buffers=256MB", "max_wal_size=4GB", "synchronous_commit=on", NULL};
    struct ch_pg_cluster *cluster = ch_pg_cluster_start(
        &(struct ch_pg_cluster_options){.settings = settings, .is_durable = true, .root = root ? root : "/tmp"});
    if (!cluster)
        return 1;
    if (strcmp(name, NAME) == 0)
        figure_write_cost(cluster);
    else
        figure_scopes_100_own(cluster);
    ch_pg_cluster_stop(cluster);
    return 0;
}
