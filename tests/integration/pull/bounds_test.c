// Pulls and ticks where something is at its limit: memory when very much has changed in very many scopes, and the order of texts in a database that
// does not sort by bytes.
#include "charle/sync.charle.h"

#include "base/clock.h"
#include "db/pg/pg.h"
#include "fixture.h"
#include "msg/wire.h"
#include "server/sync/parts.h"
#include "server/sync/tick.h"
#include "stamps.schema.charle.h"

#include <stdio.h>
#include <stdlib.h>

enum { SCOPES_MAX = 64 };

struct bounds {
    PGconn *conn;
    struct charle_db *db;
    struct ch_sync *sync;
    struct charle_arena arena; // of what a test keeps to its end
    struct charle_cursor cursors[SCOPES_MAX];
    const struct charle_cursor *list[SCOPES_MAX];
    size_t cursor_count;
    // What the pages of the pull said.
    size_t rows, gone, repairs, last_pages;
    char still_in[1024]; // "key: scope scope; key: …"
};

static const struct charle_method_table no_methods;

static void open_all(struct bounds *b, PGconn *conn, const char *database)
{
    char url[CH_PG_CLUSTER_URL_SIZE];
    struct charle_error err;
    b->conn = conn;
    ch_pg_cluster_database_url(ch_pg_cluster_shared(), database, NULL, url);
    if (ch_pg_open(url, NULL, &b->db, &err) || ch_sync_new(&stamps_schema_tables, &no_methods, &b->sync, &err))
        fail_msg("%s", err.text);
}

static void close_all(struct bounds *b)
{
    ch_sync_free(b->sync);
    charle_db_close(b->db);
    charle_arena_deinit(&b->arena);
    PQfinish(b->conn);
}

// Ann has as many clients as the database holds; each has so many tasks, of so many bytes.
static void fill(struct bounds *b, int clients, int tasks, int size)
{
    stamps_run(b->conn,
               "insert into person (id, name) values ('ann', 'Ann'); "
               "insert into client (id, name, owner_id) select 'c' || c, 'Client', 'ann' from generate_series(1, %d) c; "
               "insert into task (id, client_id, title) select 't' || c || '-' || t, 'c' || c, repeat('x', %d) from generate_series(1, %d) c, generate_series(1, %d) t",
               clients, size, clients, tasks);
}

// A cursor at the present head of a scope.
static void note_cursor(struct bounds *b, const char *scope)
{
    assert_true(b->cursor_count < SCOPES_MAX);
    int64_t stamp = stamps_head(b->conn, scope), lineage = stamps_number(b->conn, "select lineage from charle.epoch order by epoch desc limit 1");
    b->cursors[b->cursor_count] = (struct charle_cursor){charle_arena_str(&b->arena, charle_str(scope)), stamp, stamp ? (uint64_t)lineage : 0};
    b->list[b->cursor_count] = &b->cursors[b->cursor_count];
    b->cursor_count++;
}

static void note_clients(struct bounds *b, int clients)
{
    for (int i = 1; i <= clients; i++) {
        char scope[40];
        snprintf(scope, sizeof(scope), "client:c%d", i);
        note_cursor(b, scope);
    }
}

static void note_gone(struct bounds *b, const struct charle_gone *gone)
{
    size_t at = strlen(b->still_in);
    at += (size_t)snprintf(b->still_in + at, sizeof(b->still_in) - at, "%.*s:", CHARLE_FMT(gone->key));
    for (size_t i = 0; i < gone->still_in.count && at < sizeof(b->still_in); i++)
        at += (size_t)snprintf(b->still_in + at, sizeof(b->still_in) - at, " %.*s", CHARLE_FMT(((const struct charle_str *)gone->still_in.items)[i]));
    snprintf(b->still_in + at, sizeof(b->still_in) - at, "; ");
}

static void take_delta(struct bounds *b, const struct charle_scope_delta *delta)
{
    for (size_t t = 0; t < delta->table.count; t++) {
        const struct charle_table_delta *table = ((const struct charle_table_delta *const *)delta->table.items)[t];
        b->rows += table->row.count;
        b->gone += table->gone.count;
        for (size_t g = 0; g < table->gone.count; g++)
            note_gone(b, ((const struct charle_gone *const *)table->gone.items)[g]);
    }
}

static enum charle_err take_page(void *ctx, struct charle_bytes message, struct charle_error *err)
{
    struct bounds *b = ctx;
    struct charle_arena arena = {0};
    struct charle_pull_page page;
    enum charle_err rc = charle_message_read(&charle_pull_page_message, message, &arena, &page, err);
    for (size_t i = 0; rc == CHARLE_OK && i < page.delta.count; i++)
        take_delta(b, ((const struct charle_scope_delta *const *)page.delta.items)[i]);
    if (rc == CHARLE_OK) {
        b->repairs += page.repair.count;
        b->last_pages += page.is_last;
    }
    charle_arena_deinit(&arena);
    return rc;
}

static void pull(struct bounds *b, struct charle_arena *arena)
{
    const struct charle_pull_request request = {.cursor = {b->list, b->cursor_count, true}, .schema_hash = stamps_schema_tables.hash, .device_id = CHARLE_STR("d")};
    const struct ch_sync_peer peer = {.principal = CHARLE_STR("person"), .id = CHARLE_STR("ann")};
    struct ch_positions positions;
    struct charle_error err;
    if (ch_pull(b->sync, b->db, &peer, &request, arena, take_page, b, &positions, &err))
        fail_msg("%s", err.text);
    assert_int_equal(b->last_pages, 1);
}

// A replica that was away for long: each of its scopes has a list of changes that fits in memory, all of them together do not.
static void scopes_need_memory_one_after_the_other(void **state)
{
    (void)state;
    enum { CLIENTS = 10, TASKS = 2000 };
    struct bounds b = {0};
    struct charle_arena arena;
    open_all(&b, stamps_open(ch_pg_cluster_shared(), "bounds"), "bounds");
    fill(&b, CLIENTS, TASKS, 10);
    note_clients(&b, CLIENTS);
    stamps_run(b.conn, "update task set minutes = 5");
    charle_arena_init(&arena, 256 << 10); // the keys of some three scopes
    pull(&b, &arena);
    assert_int_equal(b.rows, CLIENTS * TASKS);
    assert_int_equal(b.repairs, 0);
    charle_arena_deinit(&arena);
    close_all(&b);
}

// --- ticks ------------------------------------------------------------------------------------------------------------------

// One transaction changes much in each of many scopes that somebody watches: what does not fit in the ring is left to pulls.
static void tick_of_many_scopes_stays_within_the_ring(void **state)
{
    (void)state;
    enum { CLIENTS = 40, TASKS = 110, SIZE = 10000 }; // 44 MB
    struct bounds b = {0};
    struct ch_ticks *ticks;
    struct ch_tick_stream *streams[CLIENTS];
    struct charle_buf page = {0};
    struct charle_error err;
    size_t served = 0, sent_to_pulls = 0, bytes;
    uint64_t count;
    bool has_moved;
    open_all(&b, stamps_open(ch_pg_cluster_shared(), "bounds"), "bounds");
    fill(&b, CLIENTS, TASKS, SIZE);
    note_clients(&b, CLIENTS);
    assert_int_equal(ch_ticks_new(b.sync, &ticks, &err), CHARLE_OK);
    assert_int_equal(ch_ticks_poll(ticks, b.db, ch_clock_mono_us(), true, &has_moved, &err), CHARLE_OK);
    for (size_t i = 0; i < CLIENTS; i++) {
        struct ch_position at = {b.cursors[i].scope, b.cursors[i].stamp, b.cursors[i].lineage};
        const struct ch_positions positions = {.items = &at, .count = 1, .is_whole = true};
        assert_int_equal(ch_tick_stream_open(ticks, &positions, &streams[i], &err), CHARLE_OK);
    }
    stamps_run(b.conn, "update task set minutes = 5");
    assert_int_equal(ch_ticks_poll(ticks, b.db, ch_clock_mono_us(), true, &has_moved, &err), CHARLE_OK);
    ch_ticks_ring(ticks, &count, &bytes);
    assert_int_equal(count, 1);
    assert_true(bytes > CH_TICKS_SIZE_MAX / 2);
    assert_true(bytes <= CH_TICKS_SIZE_MAX);
    for (size_t i = 0; i < CLIENTS; i++) {
        enum charle_err rc = ch_tick_stream_next(streams[i], false, &page, &err);
        served += rc == CHARLE_OK;
        sent_to_pulls += rc == CHARLE_ABORTED;
        ch_tick_stream_close(streams[i]);
    }
    assert_int_equal(served + sent_to_pulls, CLIENTS);
    assert_true(served > CLIENTS / 2 && sent_to_pulls > 0);
    ch_ticks_free(ticks);
    charle_buf_deinit(&page);
    close_all(&b);
}

// --- texts ------------------------------------------------------------------------------------------------------------------

// People sort a before B, bytes do the other way round. A row that leaves one scope must be said to be in the others all the same.
static void order_of_texts_is_that_of_bytes(void **state)
{
    (void)state;
    struct bounds b = {0};
    open_all(&b, stamps_open_sorted(ch_pg_cluster_shared(), "bounds", "en-US"), "bounds");
    assert_string_equal(stamps_value(b.conn, "select string_agg(x, '' order by x) from unnest(array['B', 'a']) x"), "aB");
    fill(&b, 1, 0, 0);
    stamps_run(b.conn, "insert into task (id, client_id, title) select i, 'c1', 'Task' from unnest(array['a', 'B', 'c', 'D', '[e', '\"f']) i");
    note_cursor(&b, "client:c1");
    note_cursor(&b, "portal:c1");
    note_cursor(&b, "team");
    stamps_run(b.conn, "update task set is_visible = false");
    pull(&b, &b.arena);
    assert_int_equal(b.rows, 12); // to the client's scope and to the team
    assert_int_equal(b.gone, 6);
    assert_string_equal(b.still_in, "\"f: client:c1 team; B: client:c1 team; D: client:c1 team; [e: client:c1 team; a: client:c1 team; c: client:c1 team; ");
    close_all(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scopes_need_memory_one_after_the_other),
        cmocka_unit_test(tick_of_many_scopes_stays_within_the_ring),
        cmocka_unit_test(order_of_texts_is_that_of_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
