// Pausing and metering, as an application uses them.
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void must(int rc, const struct charle_error *err)
{
    if (rc)
        fail_msg("%s", err->text);
}

static struct charle_client_status status_of(struct charle_client *client)
{
    struct charle_client_status status;
    charle_client_status(client, &status);
    return status;
}

static void pausing_stops_and_resuming_goes_on(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct charle_client *client = open_client(f);
    must_sync(client);
    must(charle_client_start(client, &err), &err);
    assert_true(wait_for_state(client, CHARLE_CLIENT_LIVE, 10000));
    must(charle_client_set_paused(client, true, &err), &err);
    assert_true(wait_for_state(client, CHARLE_CLIENT_PAUSED, 10000));
    assert_true(status_of(client).is_paused);
    must(set_title(f, client, "n0001", "While paused", NULL, &err), &err);
    fake_server_sql(served_lock(&f->served), "update note set title = 'Elsewhere' where id = 'n0002'");
    served_unlock(&f->served);
    assert_int_equal(charle_client_sync(client, 0, &err), CHARLE_FAILED_PRECONDITION);
    assert_non_null(strstr(err.text, "paused"));
    assert_int_equal(status_of(client).pending_calls, 1);
    assert_int_equal(server_number(f, "select count(*) from note where title = 'While paused'"), 0);
    assert_int_equal(number(charle_client_db(client), "select count(*) from note where title = 'Elsewhere'"), 0);
    // It is kept in the file: another program, and this one after a restart, obey it.
    charle_client_close(client);
    client = open_client(f);
    assert_true(status_of(client).is_paused);
    assert_int_equal(charle_client_sync(client, 0, &err), CHARLE_FAILED_PRECONDITION);
    struct charle_client *other = open_client(f);
    must(charle_client_start(client, &err), &err);
    assert_true(wait_for_state(client, CHARLE_CLIENT_PAUSED, 10000));
    must(charle_client_set_paused(other, false, &err), &err);
    assert_true(wait_for_state(client, CHARLE_CLIENT_LIVE, 10000));
    must_sync(client);
    assert_int_equal(server_number(f, "select count(*) from note where title = 'While paused'"), 1);
    assert_int_equal(number(charle_client_db(client), "select count(*) from note where title = 'Elsewhere'"), 1);
    charle_client_close(other);
    charle_client_close(client);
}

// Makes the server's rows heavy enough that a small budget does not carry them all.
static void add_weight(struct fixture *f, int rows)
{
    fake_server_sql(served_lock(&f->served),
                    "with recursive n(i) as (select 1 union all select i + 1 from n where i < %d) "
                    "insert or replace into note(id, room_id, title, votes, state, created_at, updated_at, labels) "
                    "select printf('n%%04d', i), 'r1', hex(randomblob(500)), 0, 'open', 1, 1, '[]' from n", rows);
    served_unlock(&f->served);
}

static void budget_cuts_a_first_copy_into_periods(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    add_weight(f, 400); // some 400 KB
    struct charle_client *client = open_client(f);
    must(charle_client_set_meter(client, 100000, 3600, &err), &err);
    must(charle_client_start(client, &err), &err);
    assert_true(wait_for_state(client, CHARLE_CLIENT_METERED, 20000));
    struct charle_client_status first = status_of(client);
    assert_false(first.is_ready);
    assert_int_equal(first.meter_budget, 100000);
    assert_true(first.meter_used >= 90000 && first.meter_ends_at_us > 0);
    assert_true(first.meter_used < 100000 + (1 << 20));
    assert_true(first.rows_copied > 0); // what arrived is kept
    assert_int_equal(charle_client_sync(client, 0, &err), CHARLE_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(err.text, "bytes of this period"));
    // The next periods: set anew each time, the copy goes on where it was until it is complete.
    for (int period = 0; period < 20 && !status_of(client).is_ready; period++) {
        must(charle_client_set_meter(client, 100000, 3600, &err), &err);
        for (int i = 0; i < 4000 && !status_of(client).is_ready; i++) {
            if (i > 40 && status_of(client).state == CHARLE_CLIENT_METERED)
                break;
            usleep(5000);
        }
    }
    assert_true(status_of(client).is_ready);
    must(charle_client_set_meter(client, 0, 0, &err), &err);
    must_sync(client);
    assert_int_equal(number(charle_client_db(client), "select count(*) from note"), 400);
    charle_client_close(client);
}

static void last_tenth_is_for_calls(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct charle_client *client = open_client(f);
    must_sync(client);
    must(charle_client_set_meter(client, 1000000, 3600, &err), &err);
    must(charle_client_start(client, &err), &err);
    assert_true(wait_for_state(client, CHARLE_CLIENT_LIVE, 20000));
    for (int i = 0; i < 40 && status_of(client).state != CHARLE_CLIENT_METERED; i++) { // uses up nine tenths
        add_weight(f, 60);
        for (int n = 0; n < 100 && status_of(client).state == CHARLE_CLIENT_LIVE; n++)
            usleep(5000);
    }
    assert_int_equal(status_of(client).state, CHARLE_CLIENT_METERED);
    assert_true(status_of(client).meter_used < 1000000);
    must(set_title(f, client, "n0300", "Still sent", NULL, &err), &err);
    for (int i = 0; i < 4000 && !server_number(f, "select count(*) from note where title = 'Still sent'"); i++)
        usleep(5000);
    assert_int_equal(server_number(f, "select count(*) from note where title = 'Still sent'"), 1);
    assert_int_equal(status_of(client).state, CHARLE_CLIENT_METERED);
    charle_client_close(client);
    // Another run knows what was used.
    client = open_client(f);
    assert_true(status_of(client).meter_used > 800000);
    assert_int_equal(charle_client_sync(client, 0, &err), CHARLE_RESOURCE_EXHAUSTED);
    must(charle_client_set_meter(client, 0, 0, &err), &err);
    must_sync(client);
    assert_int_equal(status_of(client).pending_calls, 0);
    charle_client_close(client);
}

static void next_period_begins_by_itself(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    add_weight(f, 200);
    struct charle_client *client = open_client(f);
    must(charle_client_set_meter(client, 65536, 1, &err), &err); // a second each
    must(charle_client_start(client, &err), &err);
    for (int i = 0; i < 6000 && !status_of(client).is_ready; i++)
        usleep(5000);
    assert_true(status_of(client).is_ready);
    charle_client_close(client);
}

// Whoever lifts a pause or a budget and synchronises at once is not told of what held a moment ago.
static void what_was_lifted_holds_nothing_up(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct charle_client *client = open_client(f);
    must_sync(client);
    must(charle_client_start(client, &err), &err);
    assert_true(wait_for_state(client, CHARLE_CLIENT_LIVE, 10000));
    for (int i = 0; i < 20; i++) {
        must(charle_client_set_paused(client, true, &err), &err);
        assert_true(wait_for_state(client, CHARLE_CLIENT_PAUSED, 10000));
        must(charle_client_set_paused(client, false, &err), &err);
        must_sync(client);
    }
    must(charle_client_set_meter(client, 100000, 3600, &err), &err);
    add_weight(f, 400); // one moment of 400 KB, which is finished
    assert_true(wait_for_state(client, CHARLE_CLIENT_METERED, 20000));
    for (int i = 0; i < 20; i++)
        must(set_title(f, client, "n0001", "Spent", NULL, &err), &err);
    assert_int_equal(charle_client_sync(client, 0, &err), CHARLE_RESOURCE_EXHAUSTED);
    must(charle_client_set_meter(client, 0, 0, &err), &err);
    must_sync(client);
    assert_int_equal(status_of(client).pending_calls, 0);
    charle_client_close(client);
}

static void wrong_budgets_are_told_so(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct charle_client *client = open_client(f);
    assert_int_equal(charle_client_set_meter(client, 10, 0, &err), CHARLE_INVALID_ARGUMENT);
    assert_int_equal(charle_client_set_meter(client, -1, 0, &err), CHARLE_INVALID_ARGUMENT);
    charle_client_close(client);
    assert_int_equal(charle_client_open(&(struct charle_client_options){.file = f->file, .schema = &notes_schema, .is_read_only = true}, &client, &err), CHARLE_OK);
    assert_int_equal(charle_client_set_paused(client, true, &err), CHARLE_READ_ONLY);
    assert_int_equal(charle_client_set_meter(client, 0, 0, &err), CHARLE_READ_ONLY);
    charle_client_close(client);
    assert_string_equal(charle_client_state_name(CHARLE_CLIENT_PAUSED), "paused");
    assert_string_equal(charle_client_state_name(CHARLE_CLIENT_METERED), "metered");
}

// What a bit that turned over, or somebody with a SQLite shell, may do to a row: changed beneath the library, past its triggers.
static void spoil(const struct fixture *f, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open_v2(f->file, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static bool wait_for_repairs(struct charle_client *client, int64_t count, int ms)
{
    for (int waited = 0; waited < ms && status_of(client).audit_repaired < count; waited += 20)
        usleep(20000);
    return status_of(client).audit_repaired >= count;
}

static void audit_finds_and_mends_what_differs(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct charle_client *client = open_client(f);
    must_sync(client);
    must(set_title(f, client, "n0009", "Waits here", NULL, &err), &err);
    spoil(f, "update note set title = 'Spoiled' where id = 'n0007'; delete from note where id = 'n0100'");
    must(charle_client_set_audit(client, 1, &err), &err);
    must(charle_client_start(client, &err), &err);
    assert_true(wait_for_repairs(client, 2, 60000));
    assert_int_equal(number(charle_client_db(client), "select count(*) from note where title = 'Title 7' and id = 'n0007'"), 1);
    assert_int_equal(number(charle_client_db(client), "select count(*) from note"), 300);
    assert_int_equal(number(charle_client_db(client), "select count(*) from note where title = 'Waits here'"), 1);
    const struct charle_client_status status = status_of(client);
    assert_true(status.audited_tables > 0);
    assert_true(status.audited_at_us > 0);
    charle_client_close(client);
}

static void audit_can_be_switched_off_and_spares_a_budget(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct charle_client *client = open_client(f);
    must_sync(client);
    must(charle_client_set_audit(client, 1, &err), &err);
    must(charle_client_start(client, &err), &err);
    for (int waited = 0; waited < 30000 && !status_of(client).audited_tables; waited += 20)
        usleep(20000);
    assert_true(status_of(client).audited_tables > 0); // it does run here
    must(charle_client_set_audit(client, -1, &err), &err);
    must_sync(client);
    int64_t tables = status_of(client).audited_tables;
    spoil(f, "update note set title = 'Spoiled' where id = 'n0007'");
    assert_false(wait_for_repairs(client, 1, 8000));
    assert_int_equal(status_of(client).audited_tables, tables);
    must(charle_client_set_meter(client, 100000000, 0, &err), &err);
    must(charle_client_set_audit(client, 1, &err), &err);
    assert_false(wait_for_repairs(client, 1, 8000));
    must(charle_client_set_meter(client, 0, 0, &err), &err);
    assert_true(wait_for_repairs(client, 1, 60000));
    charle_client_close(client);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(pausing_stops_and_resuming_goes_on), CASE(budget_cuts_a_first_copy_into_periods), CASE(last_tenth_is_for_calls),
        CASE(next_period_begins_by_itself),       CASE(wrong_budgets_are_told_so), CASE(what_was_lifted_holds_nothing_up),
        CASE(audit_finds_and_mends_what_differs), CASE(audit_can_be_switched_off_and_spares_a_budget),
    };
#undef CASE
    cmocka_set_test_filter(getenv("CHARLE_TEST_ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
