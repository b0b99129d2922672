// What a server of another version lacks of the replica's schema: what it says of it, and what the replica makes of that. The simulation
// (tests/sim/versions.c) found what happens when nobody says it.
#include "fixture.h"

#include "client/fill.h"
#include "client/gaps.h"
#include "notes.schema.charle.h"
#include "server/sync/skew_schema.h"
#include "sync/shape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PERSON = 1, ROOM = 2, NOTE = 3, TICKET = 6, NOTE_BODY = 4, NOTE_RANK = 7 };

static const struct charle_schema_gap no_rank = {.table = NOTE, .column = {(uint32_t[]){NOTE_RANK}, 1, true}};
static const struct charle_schema_gap no_team = {.table = PERSON, .audience = {CHARLE_STR_INIT("team"), true}};
static const struct charle_schema_gap no_body = {
    .table = NOTE, .audience = {CHARLE_STR_INIT("room"), true}, .column = {(uint32_t[]){NOTE_BODY}, 1, true}};

static bool take(struct fixture *f, const struct charle_schema_gap *gap, bool is_ready)
{
    const struct charle_schema_gap *gaps[] = {gap};
    const struct charle_open_reply reply = {.gap = {gaps, gap != NULL, true}, .tells_gaps = {true, true}};
    struct charle_error err;
    bool is_changed = false;
    assert_int_equal(ch_replica_begin(&f->a.replica, CH_DURABLE, &err), CHARLE_OK);
    assert_int_equal(ch_replica_end(&f->a.replica, ch_gaps_take(&f->a.replica, &reply, is_ready, &is_changed, &err), &err), CHARLE_OK);
    assert_int_equal(ch_gaps_apply(&f->a.replica, &err), CHARLE_OK);
    return is_changed;
}

static void live(struct fixture *f)
{
    fixture_start(f);
    world_settle(&f->a, 5000);
}

static int64_t missing(struct fixture *f, int64_t table, int64_t number)
{
    return world_number(&f->a, "select count(*) from charle_fill where tab = %lld and number = %lld", (long long)table, (long long)number);
}

static void what_was_always_so_changes_nothing(void **state)
{
    struct fixture *f = *state;
    live(f);
    assert_true(take(f, &no_rank, true)); // nobody had told yet
    assert_false(take(f, &no_rank, true));
    assert_int_equal(world_number(&f->a, "select count(*) from charle_fill"), 0);
    const struct charle_open_reply silent = {0}; // a server of an earlier release
    bool is_changed = true;
    struct charle_error err;
    assert_int_equal(ch_replica_begin(&f->a.replica, CH_DURABLE, &err), CHARLE_OK);
    assert_int_equal(ch_gaps_take(&f->a.replica, &silent, true, &is_changed, &err), CHARLE_OK);
    assert_int_equal(ch_replica_commit(&f->a.replica, &err), CHARLE_OK);
    assert_false(is_changed);
}

static void column_that_comes_or_goes_is_filled_in(void **state)
{
    struct fixture *f = *state;
    live(f);
    take(f, &no_rank, true);
    assert_true(take(f, NULL, true));
    assert_int_equal(missing(f, NOTE, NOTE_RANK), 1);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_fill"), 1);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_cursor where state = 3"), 0);
}

// It shows no rows, whatever is here by others; and when it comes its rows are fetched.
static void audience_that_is_not_served_shows_nothing(void **state)
{
    struct fixture *f = *state;
    live(f);
    struct ch_table *person = ch_table_by_id(&f->a.replica.tables, PERSON);
    take(f, NULL, true);
    assert_non_null(ch_table_audience_of(person, CHARLE_STR("team")));
    assert_true(take(f, &no_team, true));
    assert_null(ch_table_audience_of(person, CHARLE_STR("team")));
    assert_non_null(ch_table_audience_of(person, CHARLE_STR("person:p1")));
    struct charle_buf sql = {0};
    ch_table_add_in_any_other(person, &sql);
    assert_null(strstr(charle_buf_text(&sql), "'team'"));
    assert_non_null(strstr(charle_buf_text(&sql), "'person'"));
    charle_buf_deinit(&sql);
    assert_true(world_number(&f->a, "select count(*) from charle_cursor where state = 3") > 0); // rows have to go
    assert_int_equal(world_number(&f->a, "select count(*) from charle_cursor where state = 1 and scope not like 'device:%%'"), 0);
    assert_true(take(f, NULL, true));
    assert_non_null(ch_table_audience_of(person, CHARLE_STR("team")));
    assert_int_equal(missing(f, PERSON, 0), 1);
    assert_int_equal(missing(f, PERSON, 2), 1);
}

static void audience_shows_fewer_columns(void **state)
{
    struct fixture *f = *state;
    live(f);
    struct ch_table *note = ch_table_by_id(&f->a.replica.tables, NOTE);
    const struct charle_column *body = charle_table_column_numbered(note->schema, NOTE_BODY);
    take(f, &no_body, true);
    assert_false(charle_column_set_has(&ch_table_audience_of(note, CHARLE_STR("room:r1"))->columns, body->index));
    take(f, NULL, true);
    assert_true(charle_column_set_has(&ch_table_audience_of(note, CHARLE_STR("room:r1"))->columns, body->index));
}

// They are in the file: the program that is started next knows them before it has a connection.
static void they_are_known_when_the_program_starts(void **state)
{
    struct fixture *f = *state;
    live(f);
    take(f, &no_team, true);
    world_close(&f->a);
    world_open(&f->a, &f->server, "fixture", false);
    assert_null(ch_table_audience_of(ch_table_by_id(&f->a.replica.tables, PERSON), CHARLE_STR("team")));
}

static void first_copy_begins_again(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    take(f, NULL, false);
    fixture_step_until(f, "select is_done from charle_copy where scope = 'team' and tab = 1", 1);
    assert_true(take(f, &no_rank, false));
    assert_int_equal(world_number(&f->a, "select count(*) from charle_copy"), 0);
    assert_int_equal(world_number(&f->a, "select count(*) from person"), 0);
}

// --- the server -----------------------------------------------------------------------------------------------------------

// A server without tickets, whose people are not shown to the team and whose rooms may have no title.
static void server_says_what_it_lacks(void **state)
{
    (void)state;
    const struct charle_table *tables[16];
    struct charle_table person, room;
    struct charle_column columns[8];
    struct charle_schema server = notes_schema;
    server.table_count = 0;
    for (size_t i = 0; i < notes_schema.table_count; i++) {
        const struct charle_table *table = notes_schema.tables[i];
        if (table->id == PERSON) {
            person = *table;
            person.audiences++;
            person.audience_count--;
            table = &person;
        } else if (table->id == ROOM) {
            room = *table;
            memcpy(columns, room.columns, room.column_count * sizeof(columns[0]));
            columns[1].is_nullable = true;
            room.columns = columns;
            table = &room;
        }
        if (table->id != TICKET)
            tables[server.table_count++] = table;
    }
    server.tables = tables;
    struct charle_buf shape = {0};
    struct ch_skew_schema skew = {0};
    struct charle_error err;
    assert_int_equal(ch_shape_write(&notes_schema, &shape, &err), CHARLE_OK);
    assert_int_equal(ch_skew_schema_init(&skew, &server, charle_buf_bytes(&shape), 1, &err), CHARLE_OK);
    const struct charle_schema_gap *const *gaps = skew.gaps.items;
    assert_int_equal(skew.gaps.count, 3);
    assert_int_equal(gaps[0]->table, PERSON);
    assert_true(charle_str_equal(gaps[0]->audience.value, CHARLE_STR("team")));
    assert_int_equal(gaps[0]->column.count, 0);
    assert_int_equal(gaps[1]->table, ROOM);
    assert_false(gaps[1]->audience.has);
    assert_int_equal(gaps[1]->column.count, 1);
    assert_int_equal(((const uint32_t *)gaps[1]->column.items)[0], 2);
    assert_int_equal(gaps[2]->table, TICKET);
    assert_false(gaps[2]->audience.has);
    assert_int_equal(gaps[2]->column.count, 0);
    ch_skew_schema_deinit(&skew);
    charle_buf_deinit(&shape);
}

// Numbers that only damage writes: each of them is a table's in its lower half.
static void damaged_list_of_what_is_missing_names_a_table_once(void **state)
{
    struct fixture *f = *state;
    struct ch_fill fill = {0};
    struct charle_error err;
    live(f);
    assert_int_equal(ch_replica_begin(&f->a.replica, CH_DURABLE, &err), CHARLE_OK);
    enum charle_err rc = ch_lite_script(&f->a.replica.sql, "insert into charle_fill(tab, number, is_new) with recursive n(i) as "
                                        "(select 0 union all select i + 1 from n where i < 40) select (i / 8 << 32) + 1 + i % 8, 0, 0 from n", "damaging", &err);
    assert_int_equal(ch_replica_end(&f->a.replica, rc, &err), CHARLE_OK);
    assert_int_equal(ch_fill_load(&fill, &f->a.replica, &err), CHARLE_OK);
    assert_true(fill.count > 1 && fill.count <= f->a.replica.tables.count);
    ch_fill_deinit(&fill);
    assert_int_equal(ch_replica_begin(&f->a.replica, CH_DURABLE, &err), CHARLE_OK);
    assert_int_equal(ch_replica_end(&f->a.replica, ch_lite_script(&f->a.replica.sql, "delete from charle_fill", "mending", &err), &err), CHARLE_OK);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(what_was_always_so_changes_nothing),
        CASE(column_that_comes_or_goes_is_filled_in),
        CASE(audience_that_is_not_served_shows_nothing),
        CASE(audience_shows_fewer_columns),
        CASE(they_are_known_when_the_program_starts),
        CASE(first_copy_begins_again),
        CASE(damaged_list_of_what_is_missing_names_a_table_once),
        cmocka_unit_test(server_says_what_it_lacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
