#include "base/alloc.h"
#include "base/arena.h"
#include "bench/common/bench.h"
#include "bench/sync/figures.h"
#include "call/method.h"
#include "charleos.schema.charle.h"
#include "charleos/core.charle.h"
#include "db/db.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROPAGATION_SAMPLES = 200, EDITS = 10000 };

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

// Updates a task's title by a service call; offline ones stay on the replica.
static void edit(struct charle_client *client, const char *id, const char *title, bool is_online)
{
    struct charle_error err = {0};
    struct charle_arena arena = {0};
    const struct charleos_task_key key = {.id = charle_str(id)};
    const struct charleos_task_patch set = {.title = {.value = charle_str(title), .has = true}};
    const struct charleos_task_update request = {.key = &key, .set = &set};
    struct charleos_task_patch reply;
    const struct charle_client_call_options options = {.is_online = is_online};
    const struct charle_method *method = charle_client_method(client, "charleos.TaskService/Update");
    if (!method || charle_client_call(client, method, &request, &arena, &reply, &options, &err))
        bench_die("Update: %s", err.text);
    charle_arena_deinit(&arena);
}

void figure_propagation_service(struct rig *rig)
{
    struct bench_samples samples = {0};
    struct charle_error err = {0};
    char id[64], title[64];
    struct charle_client *reader = rig_client(rig, "reader", 1), *writer = rig_client(rig, "writer", 1);
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
        edit(writer, id, title, true);
        wait_title(reader, id, title);
        bench_add(&samples, (bench_now() - start) * 1000);
    }
    report("propagation_service", "target of 5 ms", &samples, 5);
    charle_client_close(reader);
    charle_client_close(writer);
}

void figure_push_10k(struct rig *rig)
{
    struct bench_samples rates = {0}, offline = {0};
    char title[64], note[128];
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
            edit(client, PQgetvalue(ids, i, 0), title, false);
        }
        bench_add(&offline, EDITS / (bench_now() - start));
        start = bench_now();
        rig_sync(client);
        double took = bench_now() - start;
        struct charle_client_status status;
        charle_client_status(client, &status);
        if (status.pending_calls || status.inbox_count)
            bench_die("%lld calls wait and %lld verdicts came", (long long)status.pending_calls, (long long)status.inbox_count);
        bench_add(&rates, EDITS / took);
        bench_say("run %d: %.0f edits/s pushed and confirmed", run + 1, EDITS / took);
    }
    if (rig_number(pg, "select count(*) from task where title like 'offline % in run 4'") != EDITS)
        bench_die("the server does not have all edits");
    double value = bench_median(&rates);
    snprintf(note, sizeof(note), "made offline, each durable, at %.0f a second", bench_median(&offline));
    bench_print(&(struct bench_result){.name = "push_10k", .value = value, .unit = "edits/s", .against = "target of 5,000 edits/s",
                                       .against_value = 5000, .ratio = value / 5000, .target = 1, .note = note});
    PQclear(ids);
    PQfinish(pg);
    charle_client_close(client);
}
