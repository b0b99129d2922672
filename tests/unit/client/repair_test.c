// Scopes that are fetched or compared beside a replica in use, while the database goes back in time, connections are lost and people lose their
// rights. Each case is a way in which a replica once showed what was not so, or stood still; the simulation (tests/sim) found them.
#include "fixture.h"

#include "client/apply.h"
#include "client/core_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void step_until_acquiring(struct fixture *f, enum ch_acquire_step step)
{
    for (int i = 0; i < 5000 && f->a.core->acquire.step != step; i++)
        assert_true(world_step(&f->a));
    assert_int_equal(f->a.core->acquire.step, step);
}

static struct world_call *stream_of(struct fixture *f)
{
    struct world_call *stream = NULL;
    for (int i = 0; i < WORLD_CALLS_MAX; i++)
        stream = f->a.calls[i].id && f->a.calls[i].is_stream ? &f->a.calls[i] : stream;
    assert_non_null(stream);
    return stream;
}

// --- scopes without rows --------------------------------------------------------------------------------------------------------

// A scope may be held for what it allows, or for tables that only a later schema has. There is nothing to compare, for ever.
static void doubt_about_a_scope_without_rows_ends(void **state)
{
    struct fixture *f = *state;
    struct charle_error err;
    fake_server_grant(&f->server, "guests");
    fixture_start(f);
    world_settle(&f->a, 20000);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_cursor where scope = 'guests' and state = 1"), 1);
    assert_int_equal(ch_replica_begin(&f->a.replica, CH_DURABLE, &err), CHARLE_OK);
    assert_int_equal(ch_replica_end(&f->a.replica, ch_lite_run(&f->a.replica.sql, CH_LITE_CURSOR_DOUBT_ALL, &err, ""), &err), CHARLE_OK);
    fixture_reconnect(f);
    world_settle(&f->a, 20000);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_cursor where state <> 1"), 0);
}

// The schema that came since has rows for it: the server names it as gained, though it was held all the time.
static void scope_that_gets_rows_is_copied(void **state)
{
    struct fixture *f = *state;
    struct charle_error err;
    fake_server_grant(&f->server, "guests");
    fixture_start(f);
    world_settle(&f->a, 20000);
    int64_t stamp = fixture_stamp(f, "team");
    assert_int_equal(ch_replica_begin(&f->a.replica, CH_DURABLE, &err), CHARLE_OK);
    assert_int_equal(ch_scope_gain(&f->a.replica, CHARLE_STR("guests"), &err), CHARLE_OK);
    assert_int_equal(ch_replica_end(&f->a.replica, ch_scope_gain(&f->a.replica, CHARLE_STR("team"), &err), &err), CHARLE_OK);
    assert_int_equal(world_number(&f->a, "select state from charle_cursor where scope = 'guests'"), CH_SCOPE_COPYING);
    assert_int_equal(fixture_stamp(f, "team"), stamp); // it has its rows
}

// --- the database goes back -----------------------------------------------------------------------------------------------------

// A first copy has read a row's secret columns through one scope in a past that is lost, and that it is in another one in the present. By the
// row's own values it never was in the first, so comparing that scope alone does not meet it.
static void columns_of_a_lost_past_are_not_shown(void **state)
{
    struct fixture *f = *state;
    fake_server_grant(&f->server, "room:r1");
    fake_server_sql(&f->server, "update note set room_id = 'r2' where id = 'n0002'");
    fake_server_save(&f->server);
    fake_server_sql(&f->server, "update note set room_id = 'r1' where id = 'n0002'");
    fixture_start(f);
    fixture_step_until(f, "select is_done from charle_copy where scope = 'room:r1' and tab = 3", 1);
    assert_int_equal(world_number(&f->a, "select count(*) from note where id = 'n0002' and body is not null"), 1);
    assert_int_equal(world_number(&f->a, "select is_done from charle_copy where scope = 'team' and tab = 3"), 0);
    fake_server_restore(&f->server);
    fixture_reconnect(f);
    fixture_end(f);
    assert_int_equal(world_number(&f->a, "select count(*) from note where id = 'n0002' and body is null"), 1);
}

// The scope's head at the first table is still good when the database is back, and what later tables showed never happened.
static void first_copy_that_outlived_its_past_is_compared(void **state)
{
    struct fixture *f = *state;
    fake_server_save(&f->server);
    fixture_start(f);
    fixture_step_until(f, "select is_done from charle_copy where scope = 'team' and tab = 1", 1);
    fake_server_sql(&f->server, "update note set title = 'never' where id = 'n0003'");
    fixture_step_until(f, "select count(*) from note where title = 'never'", 1);
    fake_server_restore(&f->server);
    fixture_reconnect(f);
    fixture_end(f);
}

// As before, but the scope that showed it is not held in the present, so nothing asks whether its newest head is on the history. The row stays,
// because another scope holds it, whose part of the copy is older and good.
static void copied_scope_that_is_lost_puts_the_others_in_doubt(void **state)
{
    struct fixture *f = *state;
    fake_server_sql(&f->server, "insert into note_reader(note_id, person_id) values ('n0002', 'p1')");
    fake_server_revoke(&f->server, "team");
    fake_server_grant(&f->server, "reader:p1");
    fake_server_save(&f->server);
    fake_server_grant(&f->server, "room:r1");
    fixture_start(f);
    fixture_step_until(f, "select is_done from charle_copy where scope = 'reader:p1' and tab = 3", 1);
    assert_int_equal(world_number(&f->a, "select is_done from charle_copy where scope = 'room:r1' and tab = 3"), 0);
    fake_server_sql(&f->server, "update note set title = 'never' where id = 'n0002'");
    fixture_step_until(f, "select count(*) from note where title = 'never'", 1);
    for (int i = 0; i < 5000 && !f->a.started[2]; i++)
        assert_true(world_step(&f->a));
    fake_server_restore(&f->server);
    fixture_end(f);
    assert_int_equal(world_number(&f->a, "select count(*) from note where title = 'never'"), 0);
}

static void fetch_that_outlived_its_past_is_compared(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    world_settle(&f->a, 5000);
    fake_server_grant(&f->server, "room:r1");
    fake_server_save(&f->server);
    fixture_reconnect(f);
    step_until_acquiring(f, CH_ACQUIRE_FETCH);
    for (int i = 0; i < 5000 && f->a.core->acquire.table_at < 2; i++) // up to the notes
        assert_true(world_step(&f->a));
    fake_server_sql(&f->server, "update note set body = 'never' where id = 'n0002'");
    for (int i = 0; i < 5000 && !f->a.core->acquire.last_key.size; i++)
        assert_true(world_step(&f->a));
    fake_server_restore(&f->server);
    fixture_reconnect(f);
    fixture_end(f);
}

// A verification that differs waits for the cursor to reach the head it was hashed at; that head may never come.
static void verification_does_not_wait_for_a_lost_past(void **state)
{
    struct fixture *f = *state;
    struct charle_verify_report report = {0};
    fixture_start(f);
    world_settle(&f->a, 5000);
    fake_server_save(&f->server);
    int64_t ticket = ch_client_core_verify(f->a.core);
    struct world_call *stream = stream_of(f);
    stream->is_held = true; // it is slow: the hash overtakes what it has to say
    fake_server_sql(&f->server, "update person set name = 'never' where id = 'p1'");
    step_until_acquiring(f, CH_ACQUIRE_WAIT);
    fake_server_restore(&f->server);
    stream->is_held = false;
    for (int i = 0; i < 5000 && ch_client_core_verified(f->a.core, &report) < ticket; i++)
        assert_true(world_step(&f->a));
    assert_true(ch_client_core_verified(f->a.core, &report) >= ticket);
    assert_int_equal(report.rows_different, 0);
    fixture_end(f);
}

// --- connections are lost -------------------------------------------------------------------------------------------------------

// Verifying meets a damaged row and then the newest writes: rows and cursors stay where they are until the moment that mends.
static void verification_turns_no_cursor_back(void **state)
{
    struct fixture *f = *state;
    struct charle_verify_report report = {0};
    fixture_start(f);
    world_settle(&f->a, 5000);
    assert_int_equal(sqlite3_exec(f->a.replica.sql.db, "update person set name = 'rot'", NULL, NULL, NULL), SQLITE_OK);
    int64_t ticket = ch_client_core_verify(f->a.core), last = fixture_stamp(f, "team");
    for (int i = 0; i < 20000 && ch_client_core_verified(f->a.core, &report) < ticket; i++) {
        if (i % 3 == 0 && i < 30)
            fake_server_sql(&f->server, "update note set title = 'busy %d' where id = 'n0004'", i);
        assert_true(world_step(&f->a));
        int64_t now = fixture_stamp(f, "team");
        assert_true(now >= last);
        last = now;
    }
    assert_true(report.rows_different >= 1);
    fixture_end(f);
}

// A scope that was gained during the first copy is fetched beside it; when the connection is lost meanwhile, the copy that begins again takes
// the scope in, and nothing goes on fetching it.
static void fetch_ends_when_the_copy_begins_again(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    for (int i = 0; i < 5000 && !f->a.started[2]; i++)
        assert_true(world_step(&f->a));
    fake_server_grant(&f->server, "room:r1");
    f->server.page_rows = 4;
    step_until_acquiring(f, CH_ACQUIRE_FETCH);
    assert_int_equal(world_number(&f->a, "select coalesce((select value from charle_meta where key = 'ready'), 0)"), 0);
    for (int i = 0; i < 5000 && f->a.core->acquire.table_at < 2; i++)
        assert_true(world_step(&f->a));
    fixture_reconnect(f);
    fake_server_sql(&f->server, "update note set body = 'newer' where id = 'n0002'");
    int64_t last = -1;
    for (int i = 0; i < 400; i++) {
        (void)world_step(&f->a);
        int64_t now = fixture_stamp(f, "room:r1");
        assert_true(now >= last);
        last = now;
    }
    fixture_end(f);
}

// --- rights are lost --------------------------------------------------------------------------------------------------------------

// Nothing is held any more, and every scope is in doubt, so the pull names none of them: only the list, which is empty, can tell.
static void losing_everything_in_doubt_is_learned(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    world_settle(&f->a, 5000);
    world_connect(&f->a, false);
    fake_server_sql(&f->server, "update note set title = 'While away' where id = 'n0001'; update person set email = 'new' where id = 'p1'");
    fake_server_forget_log(&f->server);
    world_connect(&f->a, true);
    fixture_step_until(f, "select count(*) from charle_cursor where state = 3", 2);
    fake_server_revoke(&f->server, "team");
    fake_server_revoke(&f->server, "person:p1");
    fixture_reconnect(f);
    fixture_end(f);
    assert_int_equal(world_number(&f->a, "select count(*) from note"), 0);
}

// A moment of the stream that lists what was held is on its way, slowly; a single pull brings a newer list. The older one must not take away what the
// newer one has given.
static void older_list_does_not_undo_a_newer_one(void **state)
{
    struct fixture *f = *state;
    fake_server_grant(&f->server, "room:r2");
    fixture_start(f);
    world_settle(&f->a, 5000);
    struct world_call *stream = stream_of(f);
    fake_server_revoke(&f->server, "room:r2");
    for (int i = 0; i < 500 && stream->message_at == stream->messages.size; i++)
        assert_true(world_step(&f->a));
    stream->is_held = true;
    fake_server_grant(&f->server, "room:r1");
    (void)ch_client_core_sync(f->a.core);
    fixture_step_until(f, "select count(*) from charle_cursor where scope = 'room:r1'", 1);
    stream->is_held = false;
    for (int i = 0; i < 500; i++) {
        (void)world_step(&f->a);
        assert_int_equal(world_number(&f->a, "select count(*) from charle_cursor where scope = 'room:r1'"), 1);
    }
    fixture_end(f);
}

// The other way round: the single pull's answer is the older one.
static void older_answer_does_not_undo_the_stream(void **state)
{
    struct fixture *f = *state;
    fake_server_grant(&f->server, "room:r2");
    fixture_start(f);
    world_settle(&f->a, 5000);
    struct world_call *probe = NULL;
    int64_t ticket = ch_client_core_sync(f->a.core);
    for (int i = 0; i < WORLD_CALLS_MAX; i++)
        probe = f->a.calls[i].id == f->a.core->probe_call ? &f->a.calls[i] : probe;
    assert_non_null(probe);
    for (int i = 0; i < 500 && probe->message_at == probe->messages.size; i++)
        assert_true(world_step(&f->a));
    probe->is_held = true;
    fake_server_revoke(&f->server, "room:r2");
    fixture_step_until(f, "select count(*) from charle_cursor where scope = 'room:r2'", 0);
    probe->is_held = false;
    for (int i = 0; i < 500 && ch_client_core_synced(f->a.core) < ticket; i++) {
        (void)world_step(&f->a);
        assert_int_equal(world_number(&f->a, "select count(*) from charle_cursor where scope = 'room:r2'"), 0);
    }
    fixture_end(f);
}

// Compared, lost, gained again: the rows that were found equal left with the scope, so what is staged is not all of it.
static void scope_lost_and_gained_again_is_fetched_as_a_whole(void **state)
{
    struct fixture *f = *state;
    fake_server_grant(&f->server, "room:r1");
    fixture_start(f);
    world_settle(&f->a, 5000);
    assert_int_equal(sqlite3_exec(f->a.replica.sql.db, "update room set budget = 99 where id = 'r1'", NULL, NULL, NULL), SQLITE_OK);
    assert_true(ch_client_core_verify(f->a.core) > 0);
    for (int i = 0; i < 5000 && f->a.core->acquire.staged_count == 0; i++)
        assert_true(world_step(&f->a));
    fake_server_revoke(&f->server, "room:r1");
    fixture_step_until(f, "select count(*) from charle_cursor where scope = 'room:r1'", 0);
    assert_true(f->a.core->acquire.staged_count > 0);
    fake_server_grant(&f->server, "room:r1");
    fixture_reconnect(f);
    fixture_end(f);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(doubt_about_a_scope_without_rows_ends),
        CASE(scope_that_gets_rows_is_copied),
        CASE(columns_of_a_lost_past_are_not_shown),
        CASE(first_copy_that_outlived_its_past_is_compared),
        CASE(copied_scope_that_is_lost_puts_the_others_in_doubt),
        CASE(fetch_that_outlived_its_past_is_compared),
        CASE(verification_does_not_wait_for_a_lost_past),
        CASE(verification_turns_no_cursor_back),
        CASE(fetch_ends_when_the_copy_begins_again),
        CASE(losing_everything_in_doubt_is_learned),
        CASE(older_list_does_not_undo_a_newer_one),
        CASE(older_answer_does_not_undo_the_stream),
        CASE(scope_lost_and_gained_again_is_fetched_as_a_whole),
    };
#undef CASE
    cmocka_set_test_filter(getenv("CHARLE_TEST_ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
