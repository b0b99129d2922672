// Ticks by themselves: what a stream gets of a tick that is still being read, and that its parts and its pages together are the tick.
#include "charle/sync.charle.h"

#include "base/clock.h"
#include "db/pg/pg.h"
#include "fixture.h"
#include "msg/wire.h"
#include "server/sync/parts.h"
#include "server/sync/seed_build.h"
#include "server/sync/tick.h"
#include "stamps.schema.charle.h"
#include "support/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TASKS = 3000 };

// What one stream was given.
struct given {
    int rows, pages, last_pages, parts;
    bool seen[TASKS];
};

struct ticking {
    PGconn *conn;
    struct charle_db *db;
    struct ch_sync *sync;
    struct ch_ticks *ticks;
    struct ch_tick_stream *streams[2];
    struct given given[2];
    bool asks_in_parts[2];
    bool loses_parts;  // what is given in parts does not get away
    bool takes_turns;  // the peer takes a page, has no room for the next, and has room again at the part after that
    bool is_blocked;   // it has just had no room
    int repeats;       // pages that were written again for it
    bool cuts;         // PostgreSQL ends the connection at the first part
    int parts;         // times that the follower said there is one
    struct charle_buf page;
};

static const struct charle_method_table no_methods;

static struct charle_db *connect_as_server(void)
{
    char url[CH_PG_CLUSTER_URL_SIZE];
    struct charle_db *db = NULL;
    struct charle_error err;
    ch_pg_cluster_database_url(ch_pg_cluster_shared(), "ticks", NULL, url);
    if (ch_pg_open(url, NULL, &db, &err))
        fail_msg("%s", err.text);
    return db;
}

// Tasks are numbered in their titles, so no row need be decoded: "… #17#".
static void note_row(struct given *given, struct charle_bytes row)
{
    const char *mark = memchr(row.ptr, '#', row.len);
    int number = mark ? atoi(mark + 1) : -1;
    assert_in_range(number, 0, TASKS - 1);
    assert_false(given->seen[number]);
    given->seen[number] = true;
    given->rows++;
}

static void take_page(struct ticking *t, struct given *given)
{
    struct charle_arena arena = {0};
    struct charle_pull_page page;
    struct charle_error err;
    assert_int_equal(charle_message_read(&charle_pull_page_message, charle_buf_bytes(&t->page), &arena, &page, &err), CHARLE_OK);
    for (size_t d = 0; d < page.delta.count; d++) {
        const struct charle_scope_delta *delta = ((const struct charle_scope_delta *const *)page.delta.items)[d];
        for (size_t i = 0; i < delta->table.count; i++) {
            const struct charle_table_delta *table = ((const struct charle_table_delta *const *)delta->table.items)[i];
            for (size_t r = 0; r < table->row.count; r++)
                note_row(given, ((const struct charle_bytes *)table->row.items)[r]);
        }
    }
    assert_false(page.is_first.has);
    given->pages++;
    given->last_pages += page.is_last;
    charle_arena_deinit(&arena);
}

static enum charle_err drop_page(void *ctx, struct charle_bytes message, struct charle_error *err)
{
    (void)ctx, (void)message, (void)err;
    return CHARLE_OK;
}

static void on_part(void *ctx)
{
    struct ticking *t = ctx;
    for (size_t i = 0; i < 2; i++) {
        while (t->asks_in_parts[i] && ch_tick_stream_part(t->streams[i], t->is_blocked, &t->page)) {
            t->given[i].parts++;
            t->repeats += t->is_blocked;
            t->is_blocked = t->takes_turns && !t->is_blocked;
            if (t->is_blocked)
                break;
            if (t->loses_parts) {
                t->asks_in_parts[i] = false; // as live streams do whose peer has no room
                break;
            }
            take_page(t, &t->given[i]);
        }
    }
    if (t->cuts && t->parts == 0)
        stamps_run(t->conn, "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'ticks' and pid <> pg_backend_pid()");
    t->parts++;
}

static enum charle_err poll_ticks(struct ticking *t)
{
    struct charle_error err;
    bool has_moved;
    return ch_ticks_poll(t->ticks, t->db, ch_clock_mono_us(), true, &has_moved, &err);
}

static struct ch_position team_now(PGconn *conn)
{
    return (struct ch_position){CHARLE_STR("team"), stamps_head(conn, "team"),
                                (uint64_t)stamps_number(conn, "select lineage from charle.epoch order by epoch desc limit 1")};
}

static int setup(void **state)
{
    struct ticking *t = calloc(1, sizeof(*t));
    struct charle_error err;
    t->conn = stamps_open(ch_pg_cluster_shared(), "ticks");
    stamps_run(t->conn, "insert into client (id, name) values ('c1', 'Client'); "
                        "insert into task (id, client_id, title) select 't' || i, 'c1', repeat('x', 300) || '#' || i || '#' from generate_series(0, %d) i", TASKS - 1);
    t->db = connect_as_server();
    assert_int_equal(ch_sync_new(&stamps_schema_tables, &no_methods, &t->sync, &err), CHARLE_OK);
    assert_int_equal(ch_ticks_new(t->sync, &t->ticks, &err), CHARLE_OK);
    assert_int_equal(poll_ticks(t), CHARLE_OK);
    struct ch_position team = team_now(t->conn);
    const struct ch_positions positions = {.items = &team, .count = 1, .is_whole = true};
    for (size_t i = 0; i < 2; i++) {
        if (ch_tick_stream_open(t->ticks, &positions, &t->streams[i], &err))
            fail_msg("%s", err.text);
    }
    ch_ticks_on_part(t->ticks, on_part, t);
    t->asks_in_parts[0] = true;
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct ticking *t = *state;
    for (size_t i = 0; i < 2; i++)
        ch_tick_stream_close(t->streams[i]);
    ch_ticks_free(t->ticks);
    ch_sync_free(t->sync);
    charle_db_close(t->db);
    charle_buf_deinit(&t->page);
    PQfinish(t->conn);
    free(t);
    return 0;
}

static void take_rest(struct ticking *t, size_t index, bool is_repeat)
{
    struct charle_error err;
    enum charle_err rc;
    while ((rc = ch_tick_stream_next(t->streams[index], is_repeat, &t->page, &err)) == CHARLE_OK) {
        is_repeat = false;
        take_page(t, &t->given[index]);
    }
    assert_int_equal(rc, CHARLE_DONE);
    assert_int_equal(t->given[index].rows, TASKS);
    assert_int_equal(t->given[index].last_pages, 1);
}

static void large_tick_is_given_out_while_it_is_read(void **state)
{
    struct ticking *t = *state;
    stamps_run(t->conn, "update task set minutes = 7");
    assert_int_equal(poll_ticks(t), CHARLE_OK);
    assert_true(t->parts >= 3);
    assert_true(t->given[0].parts >= 3);
    assert_int_equal(t->given[0].last_pages, 0);
    assert_true(t->given[0].rows > TASKS / 2);
    take_rest(t, 0, false);
    take_rest(t, 1, false);
    assert_int_equal(t->given[1].parts, 0);
}

// --- names of rows ----------------------------------------------------------------------------------------------------------

static void expect_all_tasks_once(struct ticking *t, int64_t from)
{
    struct charle_arena arena = {0};
    struct charle_error err = {0};
    struct ch_delta_keys keys;
    if (ch_delta_keys_read(t->db, CHARLE_STR("team"), from, stamps_head(t->conn, "team"), &arena, &keys, &err))
        fail_msg("%s", err.text);
    assert_int_equal(keys.count, TASKS);
    for (size_t i = 1; i < keys.count; i++) {
        assert_int_equal(keys.tables[i], keys.tables[0]);
        assert_true(charle_str_compare(keys.items[i - 1], keys.items[i]) < 0);
    }
    ch_delta_keys_clear(&keys);
    charle_arena_deinit(&arena);
}

// Once by a few transactions, whose entries are sorted out here, and then by so many that PostgreSQL has to.
static void row_that_changed_often_is_named_once(void **state)
{
    struct ticking *t = *state;
    int64_t from = stamps_head(t->conn, "team");
    stamps_run(t->conn, "update task set minutes = 1; update task set minutes = 2 where id < 't2'");
    stamps_run(t->conn, "update task set minutes = 3");
    expect_all_tasks_once(t, from);
    for (int i = 0; i < 17; i++) // more than 50,000 entries
        stamps_run(t->conn, "update task set minutes = %d", i);
    expect_all_tasks_once(t, from);
}

static void scope_without_changes_names_nothing(void **state)
{
    struct ticking *t = *state;
    struct charle_arena arena = {0};
    struct charle_error err;
    struct ch_delta_keys keys;
    int64_t head = stamps_head(t->conn, "team");
    assert_int_equal(ch_delta_keys_read(t->db, CHARLE_STR("team"), head, head, &arena, &keys, &err), CHARLE_OK);
    assert_int_equal(keys.count, 0);
    assert_non_null(keys.result);
    ch_delta_keys_clear(&keys);
    charle_arena_deinit(&arena);
}

static void small_tick_has_no_parts(void **state)
{
    struct ticking *t = *state;
    stamps_run(t->conn, "update task set minutes = 7 where id in (select 't' || i from generate_series(1, 100) i)");
    assert_int_equal(poll_ticks(t), CHARLE_OK);
    assert_int_equal(t->parts, 0);
}

static void part_that_was_not_sent_comes_again(void **state)
{
    struct ticking *t = *state;
    t->loses_parts = true;
    stamps_run(t->conn, "update task set minutes = 7");
    assert_int_equal(poll_ticks(t), CHARLE_OK);
    assert_int_equal(t->given[0].parts, 1);
    assert_int_equal(t->given[0].rows, 0);
    take_rest(t, 0, true);
}

// What a slow peer has no room for comes with the next part, once, and not when the tick is whole.
static void peer_that_has_room_again_goes_on_in_the_same_tick(void **state)
{
    struct ticking *t = *state;
    t->takes_turns = true;
    stamps_run(t->conn, "update task set minutes = 7");
    assert_int_equal(poll_ticks(t), CHARLE_OK);
    assert_true(t->repeats >= 2);
    assert_true(t->given[0].rows > 0);
    assert_int_equal(t->given[0].last_pages, 0);
    take_rest(t, 0, t->is_blocked);
    take_rest(t, 1, false);
}

// The replica has parts of a tick that there will never be: it is sent to a pull, from where it was before.
static void tick_that_fails_is_void(void **state)
{
    struct ticking *t = *state;
    struct charle_error err;
    struct charle_arena arena = {0};
    struct charle_array cursors;
    int64_t before = stamps_head(t->conn, "team");
    t->cuts = true;
    stamps_run(t->conn, "update task set minutes = 7");
    assert_int_not_equal(poll_ticks(t), CHARLE_OK);
    assert_true(t->given[0].rows > 0);
    assert_int_equal(ch_tick_stream_next(t->streams[0], false, &t->page, &err), CHARLE_DONE);
    charle_db_close(t->db);
    t->db = connect_as_server();
    assert_int_equal(poll_ticks(t), CHARLE_OK);
    assert_int_equal(ch_tick_stream_next(t->streams[0], false, &t->page, &err), CHARLE_ABORTED);
    assert_true(ch_tick_stream_cursors(t->streams[0], false, &arena, &cursors));
    assert_int_equal(cursors.count, 1);
    assert_int_equal(((const struct charle_cursor *const *)cursors.items)[0]->stamp, before);
    charle_arena_deinit(&arena);
}

// Its last page ended a tick that has fallen out of the ring since, and another one has its place: what that brought is not what the replica has.
static void cursor_does_not_move_by_another_tick(void **state)
{
    struct ticking *t = *state;
    struct charle_error err;
    struct charle_arena arena = {0};
    struct charle_array cursors;
    int64_t before = stamps_head(t->conn, "team");
    t->asks_in_parts[0] = false;
    for (int i = 0; i <= CH_TICKS_MAX; i++) {
        stamps_run(t->conn, "update task set minutes = minutes + 1 where id = 't1'");
        assert_int_equal(poll_ticks(t), CHARLE_OK);
        if (i == 0)
            assert_int_equal(ch_tick_stream_next(t->streams[0], false, &t->page, &err), CHARLE_OK);
    }
    assert_int_equal(ch_tick_stream_next(t->streams[0], false, &t->page, &err), CHARLE_ABORTED);
    assert_true(ch_tick_stream_cursors(t->streams[0], false, &arena, &cursors));
    assert_int_equal(((const struct charle_cursor *const *)cursors.items)[0]->stamp, before);
    charle_arena_deinit(&arena);
}

// --- grants ---------------------------------------------------------------------------------------------------------------

// A stream of a person who has everything.
static struct ch_tick_stream *open_for(struct ticking *t, const char *id)
{
    struct charle_arena arena = {0};
    struct charle_error err = {0};
    const struct charle_str *scopes;
    size_t count;
    struct ch_position items[16];
    struct ch_positions positions = {.items = items, .is_whole = true};
    struct ch_tick_stream *stream = NULL;
    const struct ch_sync_peer peer = {.principal = CHARLE_STR("person"), .id = charle_str(id)};
    assert_int_equal(ch_sync_scopes_of(t->sync, t->db, &peer, &arena, &scopes, &count, &err), CHARLE_OK);
    assert_in_range(count, 1, 16);
    for (size_t i = 0; i < count; i++) {
        char name[80];
        snprintf(name, sizeof(name), "%.*s", CHARLE_FMT(scopes[i]));
        int64_t head = stamps_head(t->conn, name);
        items[positions.count++] = (struct ch_position){scopes[i], head, head ? team_now(t->conn).lineage : 0};
    }
    if (ch_tick_stream_open(t->ticks, &positions, &stream, &err) || ch_tick_stream_belongs_to(stream, &peer, false, &err))
        fail_msg("%s", err.text);
    charle_arena_deinit(&arena);
    return stream;
}

static void expect_next(struct ticking *t, struct ch_tick_stream *stream, enum charle_err expected)
{
    struct charle_error err;
    assert_int_equal(ch_tick_stream_next(stream, false, &t->page, &err), expected);
}

static void only_whose_scopes_change_pull_again(void **state)
{
    struct ticking *t = *state;
    stamps_run(t->conn, "insert into person (id, name) values ('p1', 'One'), ('p2', 'Two'), ('p3', 'Three'); update client set owner_id = 'p1'");
    assert_int_equal(poll_ticks(t), CHARLE_OK);
    struct ch_tick_stream *one = open_for(t, "p1"), *two = open_for(t, "p2"), *three = open_for(t, "p3"), *third = open_for(t, "p3");
    // A table that grants are read from changes, and nobody's scopes do.
    uint64_t generation = ch_ticks_grants_generation(t->ticks);
    stamps_run(t->conn, "update client set name = 'Renamed'");
    assert_int_equal(poll_ticks(t), CHARLE_OK);
    assert_true(ch_ticks_grants_generation(t->ticks) > generation);
    struct ch_tick_stream *const all[] = {one, two, three, third};
    for (size_t i = 0; i < 4; i++) {
        expect_next(t, all[i], CHARLE_OK);
        expect_next(t, all[i], CHARLE_DONE);
    }
    expect_next(t, t->streams[0], CHARLE_ABORTED); // nobody knows whose it is
    // One loses a client and the other gains it.
    stamps_run(t->conn, "update client set owner_id = 'p2'");
    assert_int_equal(poll_ticks(t), CHARLE_OK);
    expect_next(t, one, CHARLE_ABORTED);
    expect_next(t, two, CHARLE_ABORTED);
    expect_next(t, three, CHARLE_OK);
    expect_next(t, third, CHARLE_OK);
    // Nobody is staff any more: the scope that everybody has.
    stamps_run(t->conn, "update person set is_staff = false");
    assert_int_equal(poll_ticks(t), CHARLE_OK);
    expect_next(t, three, CHARLE_ABORTED);
    for (size_t i = 0; i < 4; i++)
        ch_tick_stream_close(all[i]);
}

// A scope that was told of and taken back while the replica still copied it leaves the stream's scopes and the person's the same.
static void who_still_copies_a_scope_is_told_of_any_change(void **state)
{
    struct ticking *t = *state;
    struct charle_error err;
    const struct ch_sync_peer peer = {.principal = CHARLE_STR("person"), .id = CHARLE_STR("p1")};
    stamps_run(t->conn, "insert into person (id, name) values ('p1', 'One') on conflict do nothing; update client set owner_id = null");
    assert_int_equal(poll_ticks(t), CHARLE_OK);
    struct ch_tick_stream *whole = open_for(t, "p1"), *partial = open_for(t, "p1");
    assert_int_equal(ch_tick_stream_belongs_to(partial, &peer, true, &err), CHARLE_OK);
    stamps_run(t->conn, "update client set name = 'Renamed again'");
    assert_int_equal(poll_ticks(t), CHARLE_OK);
    expect_next(t, whole, CHARLE_OK);
    expect_next(t, partial, CHARLE_ABORTED);
    ch_tick_stream_close(whole);
    ch_tick_stream_close(partial);
}

// Who comes with the scopes of a snapshot before the change cannot be looked at any more.
static void scopes_from_before_a_change_of_grants_do_not_join(void **state)
{
    struct ticking *t = *state;
    struct charle_error err;
    struct ch_tick_stream *stream = NULL;
    struct ch_position team = team_now(t->conn);
    const struct ch_positions positions = {.items = &team, .count = 1, .is_whole = true};
    stamps_run(t->conn, "update client set name = 'Renamed'");
    assert_int_equal(poll_ticks(t), CHARLE_OK);
    assert_int_equal(ch_tick_stream_open(t->ticks, &positions, &stream, &err), CHARLE_ABORTED);
    assert_null(stream);
}

static void too_many_persons_are_all_told(void **state)
{
    struct ticking *t = *state;
    struct ch_tick_stream *streams[CH_TICK_PERSONS_MAX + 1];
    stamps_run(t->conn, "insert into person (id, name) select 'many' || i, 'Many' from generate_series(0, %d) i", CH_TICK_PERSONS_MAX);
    assert_int_equal(poll_ticks(t), CHARLE_OK);
    for (size_t i = 0; i <= CH_TICK_PERSONS_MAX; i++) {
        char id[16];
        snprintf(id, sizeof(id), "many%zu", i);
        streams[i] = open_for(t, id);
    }
    stamps_run(t->conn, "update client set name = 'Renamed'");
    assert_int_equal(poll_ticks(t), CHARLE_OK);
    for (size_t i = 0; i <= CH_TICK_PERSONS_MAX; i++) {
        expect_next(t, streams[i], CHARLE_ABORTED);
        ch_tick_stream_close(streams[i]);
    }
}

// --- tables that are emptied ------------------------------------------------------------------------------------------------

// The rows of a snapshot are gone before it has read them: what it shows is of no moment.
static void table_emptied_behind_the_snapshot_is_noticed(void **state)
{
    struct ticking *t = *state;
    const struct charle_begin_options snapshot = {.isolation = CHARLE_REPEATABLE_READ, .is_read_only = true};
    struct charle_error err;
    struct charle_arena arena = {0};
    struct ch_positions positions;
    struct ch_position team = team_now(t->conn);
    const struct charle_cursor cursor = {team.scope, team.stamp, team.lineage};
    const struct charle_cursor *const cursors[] = {&cursor};
    const struct charle_pull_request request = {.cursor = {cursors, 1, true}, .schema_hash = stamps_schema_tables.hash, .device_id = CHARLE_STR("d")};
    const struct ch_sync_peer peer = {.principal = CHARLE_STR("person"), .id = CHARLE_STR("p1")};
    stamps_run(t->conn, "insert into person (id, name) values ('p1', 'One'); update task set minutes = 8 where id = 't5'");
    assert_int_equal(charle_begin(t->db, &snapshot, &err), CHARLE_OK);
    PQclear(PQexec(ch_pg_connection(t->db), "select 1 from pg_class limit 1")); // takes the snapshot, of another table
    stamps_run(t->conn, "truncate task cascade");
    assert_int_equal(ch_pull(t->sync, t->db, &peer, &request, &arena, drop_page, NULL, &positions, &err), CHARLE_ABORTED);
    assert_int_equal(charle_rollback(t->db, &err), CHARLE_OK);
    assert_int_equal(ch_pull(t->sync, t->db, &peer, &request, &arena, drop_page, NULL, &positions, &err), CHARLE_OK);
    charle_arena_deinit(&arena);
}

// A seed file says of one moment that its rows are all there are.
static void seed_file_of_an_emptied_table_is_not_made(void **state)
{
    struct ticking *t = *state;
    const struct charle_begin_options snapshot = {.isolation = CHARLE_REPEATABLE_READ, .is_read_only = true};
    struct charle_error err;
    struct ch_seed_made made;
    char folder[60], path[80];
    assert_true(ch_scratch_folder("ticks", folder, sizeof(folder)));
    snprintf(path, sizeof(path), "%s/seed", folder);
    assert_int_equal(charle_begin(t->db, &snapshot, &err), CHARLE_OK);
    PQclear(PQexec(ch_pg_connection(t->db), "select 1 from pg_class limit 1")); // takes the snapshot, of another table
    stamps_run(t->conn, "truncate task cascade");
    assert_int_equal(ch_seed_build(t->sync, t->db, CHARLE_STR("team"), path, 100 << 20, &made, &err), CHARLE_ABORTED);
    assert_int_equal(charle_rollback(t->db, &err), CHARLE_OK);
    assert_int_equal(unlink(path), 0);
    if (ch_seed_build(t->sync, t->db, CHARLE_STR("team"), path, 100 << 20, &made, &err))
        fail_msg("%s", err.text);
    assert_int_equal(made.rows, 1); // the client
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(large_tick_is_given_out_while_it_is_read),
        CASE(row_that_changed_often_is_named_once),
        CASE(scope_without_changes_names_nothing),
        CASE(small_tick_has_no_parts),
        CASE(part_that_was_not_sent_comes_again),
        CASE(peer_that_has_room_again_goes_on_in_the_same_tick),
        CASE(tick_that_fails_is_void),
        CASE(cursor_does_not_move_by_another_tick),
        CASE(only_whose_scopes_change_pull_again),
        CASE(who_still_copies_a_scope_is_told_of_any_change),
        CASE(scopes_from_before_a_change_of_grants_do_not_join),
        CASE(too_many_persons_are_all_told),
        CASE(table_emptied_behind_the_snapshot_is_noticed),
        CASE(seed_file_of_an_emptied_table_is_not_made),
    };
#undef CASE
    return cmocka_run_group_tests(tests, NULL, NULL);
}
