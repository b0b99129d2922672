#include "bench/common/bench.h"
#include "bench/sync/figures.h"
#include "db/db.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PROPAGATION_SAMPLES = 200 };

// The present title of a task on the replica.
static int shows_title(struct charle_db *db, const char *id, const char *title)
{
    struct charle_error err = {0};
    struct charle_rows *rows = NULL;
    struct charle_value param = charle_text(charle_str(id)), value;
    if (charle_query(db, "select title from task where id = $1", &param, 1, &rows, &err) || charle_rows_next(rows, &err) ||
        charle_rows_value(rows, 0, CHARLE_TYPE_TEXT, false, &value, &err))
        bench_die("replica: %s", err.text);
    int shown = charle_str_equal(value.text, charle_str(title));
    charle_rows_close(rows);
    return shown;
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

// Waits until the live replica shows the title; ends the program after ten seconds.
static void wait_title(struct charle_client *client, const char *id, const char *title)
{
    struct pollfd wait = {.fd = charle_client_fd(client), .events = POLLIN};
    struct charle_db *db = charle_client_db(client);
    double start = bench_now();
    while (!shows_title(db, id, title)) {
        if (bench_now() - start > 10)
            bench_die("a change did not arrive within 10 s");
        poll(&wait, 1, 1000);
        charle_client_take_events(client);
    }
}

static void first_task(struct rig *rig, char *out, size_t size)
{
    PGconn *pg = rig_psql(rig);
    PGresult *result = PQexec(pg, "select id from task order by id limit 1");
    if (PQntuples(result) != 1)
        bench_die("no tasks: %s", PQerrorMessage(pg));
    snprintf(out, size, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    PQfinish(pg);
}

static void report(const char *name, const char *what, struct bench_samples *samples, double target_ms)
{
    char note[160];
    double p50 = bench_median(samples);
    snprintf(note, sizeof(note), "p95 %.2f ms, p99 %.2f ms over %zu changes", bench_percentile(samples, 95),
             bench_percentile(samples, 99), samples->count);
    bench_print(&(struct bench_result){.name = name, .value = p50, .unit = "ms p50", .against = what, .against_value = target_ms,
                                       .ratio = p50 / target_ms, .target = 1, .is_less = 1, .note = note});
}

void figure_propagation_foreign(struct rig *rig)
{
    struct bench_samples samples = {0};
    struct charle_error err = {0};
    char id[64], title[64], sql[256];
    struct charle_client *client = rig_client(rig, "live", 1);
    rig_sync(client);
    if (charle_client_start(client, &err))
        bench_die("start: %s", err.text);
    wait_live(client);
    first_task(rig, id, sizeof(id));
    PGconn *pg = rig_psql(rig);
    for (int i = 0; i < PROPAGATION_SAMPLES; i++) {
        snprintf(title, sizeof(title), "foreign %d", i);
        snprintf(sql, sizeof(sql), "update task set title = '%s' where id = '%s'", title, id);
        poll(NULL, 0, 5 + i % 23); // not in step with the server's poll
        double start = bench_now();
        rig_exec(pg, sql);
        wait_title(client, id, title);
        bench_add(&samples, (bench_now() - start) * 1000);
    }
    report("propagation_foreign", "target of 25 ms", &samples, 25);
    PQfinish(pg);
    charle_client_close(client);
}

// Edits at the writer, each timed until the live reader shows it.
static void time_edits(struct rig *rig, struct charle_client *writer, struct charle_client *reader, struct bench_samples *samples)
{
    struct charle_error err = {0};
    char id[64], title[64];
    rig_sync(reader);
    rig_sync(writer);
    if (charle_client_start(reader, &err))
        bench_die("start: %s", err.text);
    wait_live(reader);
    first_task(rig, id, sizeof(id));
    for (int i = 0; i < PROPAGATION_SAMPLES; i++) {
        snprintf(title, sizeof(title), "service %d", i);
        poll(NULL, 0, 3 + i % 17);
        double start = bench_now();
        rig_edit(writer, id, title, true);
        wait_title(reader, id, title);
        bench_add(samples, (bench_now() - start) * 1000);
    }
}

void figure_propagation_service(struct rig *rig)
{
    struct bench_samples samples = {0};
    struct charle_client *reader = rig_client(rig, "reader", 1), *writer = rig_client(rig, "writer", 1);
    time_edits(rig, writer, reader, &samples);
    report("propagation_service", "target of 5 ms", &samples, 5);
    charle_client_close(reader);
    charle_client_close(writer);
}

static void write_secret(const char *path)
{
    FILE *file = fopen(path, "w");
    if (!file || chmod(path, 0600) != 0 || fputs("a secret of this benchmark alone", file) < 0 || fclose(file) != 0)
        bench_die("cannot write %s", path);
}

void figure_propagation_peer(struct rig *rig)
{
    struct bench_samples samples = {0};
    struct rig_server near, far;
    char secret[200], secret_flag[240], listen_flag[100], peer_flag[100];
    int port = rig_free_port();
    snprintf(secret, sizeof(secret), "%s/hints.secret", rig->folder);
    snprintf(secret_flag, sizeof(secret_flag), "--hints-secret=%s", secret);
    snprintf(listen_flag, sizeof(listen_flag), "--hints-listen=tcp://127.0.0.1:%d", port);
    snprintf(peer_flag, sizeof(peer_flag), "--peer=tcp://127.0.0.1:%d", port);
    write_secret(secret);
    rig_start_server(rig, "near", (const char *const[]){secret_flag, listen_flag, NULL}, &near);
    rig_start_server(rig, "far", (const char *const[]){secret_flag, peer_flag, NULL}, &far);
    struct charle_client *reader = rig_client_at(rig, far.address, "reader", 1), *writer = rig_client_at(rig, near.address, "writer", 1);
    time_edits(rig, writer, reader, &samples);
    report("propagation_peer", "target of 5 ms", &samples, 5);
    charle_client_close(reader);
    charle_client_close(writer);
    rig_stop_server(&far);
    rig_stop_server(&near);
}
