// Rebases that take off and run again only what a page touches, against one that takes everything off and runs everything again: after each page of
// many random histories both must show the same. And what they cost: calls run again, with a long outbox.
#include "fixture.h"

#include "client/rebase.h"
#include "notes.charle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HISTORIES = 30, ROUNDS = 30, NOTES = 30, DUMP_SIZE = 64 << 10 };

// --- what is shown ------------------------------------------------------------------------------------------------------------

static void dump(struct fixture *f, char *out)
{
    static const char *const queries[] = {
        "select coalesce(group_concat(quote(id) || quote(room_id) || quote(title) || quote(body) || quote(votes) || quote(state) || quote(rank) || "
        "quote(created_at) || quote(updated_at) || quote(labels), char(10)), '') from (select * from note order by id)",
        "select coalesce(group_concat(quote(note_id) || quote(person_id) || quote(since), char(10)), '') from (select * from note_reader order by 1, 2)",
        "select coalesce(group_concat(quote(id) || quote(title) || quote(budget), char(10)), '') from (select * from room order by id)",
        "select coalesce(group_concat(quote(id) || quote(name) || quote(email), char(10)), '') from (select * from person order by id)",
    };
    size_t at = 0;
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        sqlite3_stmt *row; // on the writing connection, which sees its open transaction
        assert_int_equal(sqlite3_prepare_v2(f->a.replica.sql.db, queries[i], -1, &row, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(row), SQLITE_ROW);
        at += (size_t)snprintf(out + at, DUMP_SIZE - at, "%s", (const char *)sqlite3_column_text(row, 0));
        sqlite3_finalize(row);
        assert_true(at + 2 < DUMP_SIZE);
        out[at++] = '\n';
    }
    out[at] = '\0';
}

static void expect_same(uint64_t history, const char *shown, const char *full)
{
    while (*shown || *full) {
        size_t m = strcspn(shown, "\n"), n = strcspn(full, "\n");
        if (m != n || memcmp(shown, full, m) != 0)
            fail_msg("history %llu\n     shown: %.*s\n  in full: %.*s", (unsigned long long)history, (int)m, shown, (int)n, full);
        shown += m + (shown[m] == '\n');
        full += n + (full[n] == '\n');
    }
}

// What is shown now, and what would be if everything was taken off and run again. Nothing stays of that. Returns the number of calls in full.
static int64_t compare(struct fixture *f, uint64_t history)
{
    struct charle_error err = {0};
    struct ch_rebase rebase = {0};
    char *shown = calloc(1, DUMP_SIZE), *full = calloc(1, DUMP_SIZE);
    assert_true(shown && full);
    dump(f, shown);
    assert_int_equal(ch_replica_begin(&f->a.replica, CH_FETCHABLE, &err), CHARLE_OK);
    assert_int_equal(ch_rebase_begin(&rebase, &f->a.replica, 0, true, &err), CHARLE_OK);
    assert_int_equal(ch_rebase_finish(&rebase, &err), CHARLE_OK);
    int64_t ran = rebase.ran;
    dump(f, full);
    ch_rebase_deinit(&rebase);
    ch_replica_rollback(&f->a.replica);
    expect_same(history, shown, full);
    free(shown);
    free(full);
    return ran;
}

// --- what happens ----------------------------------------------------------------------------------------------------------

struct choice {
    char id[16], text[32];
};

static struct choice choose(struct fixture *f)
{
    struct choice c;
    snprintf(c.id, sizeof(c.id), "n%04d", 1 + (int)world_random(&f->a, NOTES));
    snprintf(c.text, sizeof(c.text), "Text %d", (int)world_random(&f->a, 6));
    return c;
}

static void edit(struct fixture *f, const struct notes_note_patch *set, const struct notes_note_patch *base)
{
    struct charle_error err = {0};
    struct choice c = choose(f);
    const struct notes_note_key key = {charle_str(c.id)};
    const struct notes_note_update request = {.key = &key, .set = set, .base = base};
    (void)!world_call(&f->a, &notes_note_service_update_method, &request, NULL, NULL, NULL, &err); // the row may be gone: that is a history too
}

static void edit_something(struct fixture *f)
{
    struct choice c = choose(f);
    switch (world_random(&f->a, 5)) {
    case 0:
        edit(f, &(struct notes_note_patch){.title = {charle_str(c.text), true}}, NULL);
        break;
    case 1:
        edit(f, &(struct notes_note_patch){.votes = {(int32_t)world_random(&f->a, 9), true}}, &(struct notes_note_patch){.votes = {1, true}});
        break;
    case 2:
        edit(f, &(struct notes_note_patch){.room_id = {world_random(&f->a, 2) ? CHARLE_STR("r1") : CHARLE_STR("r2"), true}}, NULL);
        break;
    case 3:
        edit(f, &(struct notes_note_patch){.state = {world_random(&f->a, 2) ? NOTES_S_DONE : NOTES_S_OPEN, true}}, NULL);
        break;
    default:
        edit(f, &(struct notes_note_patch){.body = {charle_str(c.text), true}}, NULL);
    }
}

static void make_call(struct fixture *f, bool has_wide)
{
    struct charle_error err = {0};
    struct choice c = choose(f), other = choose(f);
    const struct notes_note_insert insert = {.room_id = CHARLE_STR("r1"), .title = charle_str(c.text)};
    const struct notes_note_key key = {charle_str(c.id)};
    const struct notes_note_reader_key reader_key = {charle_str(c.id), CHARLE_STR("p1")};
    const struct notes_note_reader_insert reader = {.note_id = charle_str(c.id), .person_id = CHARLE_STR("p1")};
    const struct notes_replace_request replace = {charle_str(c.text), charle_str(other.text)};
    switch (world_random(&f->a, has_wide ? 12 : 8)) {
    case 0:
        (void)!world_call(&f->a, &notes_note_service_create_method, &insert, NULL, NULL, NULL, &err);
        break;
    case 1:
        (void)!world_call(&f->a, &notes_note_reader_service_create_method, &reader, NULL, NULL, NULL, &err);
        break;
    case 2:
        (void)!world_call(&f->a, &notes_note_reader_service_delete_method, &(struct notes_note_reader_delete){.key = &reader_key}, NULL, NULL, NULL, &err);
        break;
    case 10:
        (void)!world_call(&f->a, &notes_note_service_delete_method, &(struct notes_note_delete){.key = &key}, NULL, NULL, NULL, &err);
        break;
    case 11:
        (void)!world_call(&f->a, &notes_notes_replace_method, &replace, NULL, NULL, NULL, &err);
        break;
    default:
        edit_something(f);
    }
}

static void others_write(struct fixture *f)
{
    struct choice c = choose(f);
    switch (world_random(&f->a, 6)) {
    case 0:
        fake_server_sql(&f->server, "update note set title = '%s' where id = '%s'", c.text, c.id);
        break;
    case 1:
        fake_server_sql(&f->server, "update note set votes = votes + 10 where id >= '%s' and id < '%s' || 'x'", c.id, c.id);
        break;
    case 2:
        fake_server_sql(&f->server, "update note set state = 'draft' where id = '%s'", c.id); // leaves the team
        break;
    case 3:
        fake_server_sql(&f->server, "update note set state = 'open', room_id = 'r2' where id = '%s'", c.id);
        break;
    case 4:
        fake_server_sql(&f->server, "delete from note_reader where note_id = '%s'; delete from note where id = '%s'", c.id, c.id);
        break;
    default:
        fake_server_sql(&f->server, "update note set body = '%s', title = '%s' where id in ('%s', 'n0001')", c.text, c.text, c.id);
    }
}

static void change_weather(struct fixture *f)
{
    f->server.parks = world_random(&f->a, 8) == 0;
    f->server.rejects = world_random(&f->a, 8) == 0;
    if (world_random(&f->a, 2)) {
        snprintf(f->a.refuse_method, sizeof(f->a.refuse_method), "charle.Sync/Push");
        f->a.refuse_code = CHARLE_UNAVAILABLE;
    }
    if (world_random(&f->a, 12) == 0)
        fixture_reconnect(f);
}

// One history. Returns how many calls were run again in full where there was something to compare.
static int64_t live_through(struct fixture *f, uint64_t history)
{
    int64_t ran = 0;
    bool has_wide = history % 3 == 0;
    for (int round = 0; round < ROUNDS; round++) {
        change_weather(f);
        for (uint64_t calls = world_random(&f->a, 6); calls; calls--)
            make_call(f, has_wide);
        for (uint64_t changes = world_random(&f->a, 3); changes; changes--)
            others_write(f);
        for (uint64_t steps = world_random(&f->a, 12); steps; steps--)
            (void)world_step(&f->a);
        if (world_number(&f->a, "select count(*) from charle_outbox where state < 4"))
            ran += compare(f, history);
    }
    f->server.parks = f->server.rejects = false;
    f->a.refuse_method[0] = '\0';
    fixture_step_until(f, "select count(*) from charle_outbox where state < 5", 0); // parked ones have a while to wait
    fixture_end(f);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_base"), 0);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_touch"), 0);
    return ran;
}

static void parts_show_what_the_whole_shows(void **state)
{
    struct fixture *f = *state;
    int64_t ran = 0;
    for (uint64_t history = 1; history <= HISTORIES; history++) {
        f->a.random = history * 7919;
        if (history % 2) // the room's audience shows every column, the team's does not
            fake_server_grant(&f->server, "room:r1");
        if (history % 5 == 0)
            fake_server_grant(&f->server, "reader:p1");
        fixture_start(f);
        world_settle(&f->a, 20000);
        ran += live_through(f, history);
        assert_int_equal(fixture_teardown(state), 0);
        assert_int_equal(fixture_setup(state), 0);
        f = *state;
    }
    print_message("%lld calls run in full\n", (long long)ran);
    assert_true(ran > HISTORIES * ROUNDS); // there was something to compare
}

// --- what it costs -----------------------------------------------------------------------------------------------------------

static uint64_t run_again_for(struct fixture *f, int calls)
{
    for (int i = 0; i < calls; i++) {
        struct charle_error err = {0};
        char id[16], title[32];
        snprintf(id, sizeof(id), "n%04d", 2 + i % (NOTES - 1));
        snprintf(title, sizeof(title), "Mine %d", i);
        const struct notes_note_key key = {charle_str(id)};
        const struct notes_note_patch set = {.title = {charle_str(title), true}};
        const struct notes_note_update request = {.key = &key, .set = &set};
        assert_int_equal(world_call(&f->a, &notes_note_service_update_method, &request, NULL, NULL, NULL, &err), CHARLE_OK);
    }
    struct charle_client_status before, after;
    ch_client_core_status(f->a.core, &before);
    fake_server_sql(&f->server, "update note set votes = votes + 1 where id in ('n0001', 'n0002')");
    int64_t votes = fake_server_number(&f->server, "select votes from note where id = 'n0001'");
    for (int i = 0; i < 200 && world_number(&f->a, "select votes from note where id = 'n0001'") != votes; i++)
        assert_true(world_step(&f->a));
    assert_int_equal(world_number(&f->a, "select votes from note where id = 'n0001'"), votes);
    ch_client_core_status(f->a.core, &after);
    return after.calls_run_again - before.calls_run_again;
}

// A page touches a row with 10 of many waiting calls: those 10 run again, whatever waits beside them.
static void calls_on_other_rows_are_not_run_again(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    world_settle(&f->a, 20000);
    f->server.takes_none = true;
    for (int round = 1; round <= 3; round++)
        assert_int_equal(run_again_for(f, 10 * (NOTES - 1)), 10 * round);
    f->server.takes_none = false;
    fixture_end(f);
}

static void edit_note(struct fixture *f, const char *id, const struct notes_note_patch *set)
{
    struct charle_error err = {0};
    const struct notes_note_key key = {charle_str(id)};
    const struct notes_note_update request = {.key = &key, .set = set};
    assert_int_equal(world_call(&f->a, &notes_note_service_update_method, &request, NULL, NULL, NULL, &err), CHARLE_OK);
}

static void edit_title(struct fixture *f, const char *id, const char *title)
{
    edit_note(f, id, &(struct notes_note_patch){.title = {charle_str(title), true}});
}

static uint64_t calls_run_again(struct fixture *f)
{
    struct charle_client_status status;
    ch_client_core_status(f->a.core, &status);
    return status.calls_run_again;
}

// A backlog whose rows come back one call at a time: the calls behind each stand on what they had foreseen. Then somebody else writes in between.
static void calls_that_come_back_as_foreseen_stay(void **state)
{
    struct fixture *f = *state;
    char title[32];
    fake_server_grant(&f->server, "room:r1"); // shows all columns, the team's audience does not
    fake_server_sql(&f->server, "update note set state = 'draft' where id in ('n0002', 'n0004')");
    f->server.push_calls_max = 1;
    fixture_start(f);
    world_settle(&f->a, 20000);
    f->server.takes_none = true;
    for (int i = 0; i < 40; i++) {
        snprintf(title, sizeof(title), "Mine %d", i);
        edit_title(f, i % 2 ? "n0002" : "n0004", title);
    }
    uint64_t before = calls_run_again(f);
    f->server.takes_none = false;
    fixture_step_until(f, "select count(*) from charle_outbox where state < 5", 20);
    compare(f, 0);
    assert_int_equal(calls_run_again(f), before);
    fake_server_sql(&f->server, "update note set body = 'of somebody else' where id = 'n0002'");
    fixture_step_until(f, "select count(*) from charle_outbox where state < 5", 0);
    assert_true(calls_run_again(f) > before);
    assert_true(calls_run_again(f) - before < 20); // the other row's stayed
    assert_int_equal(world_number(&f->a, "select count(*) from note where id = 'n0002' and body = 'of somebody else' and title = 'Mine 39'"), 1);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_base"), 0);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_touch"), 0);
    fixture_end(f);
}

// One scope shows a part of the row and comes first, another one all of it: what the first has taken off is put on again.
static void rows_of_two_scopes_keep_their_calls(void **state)
{
    struct fixture *f = *state;
    char title[32];
    fake_server_grant(&f->server, "reader:p1");
    fake_server_grant(&f->server, "room:r1");
    fake_server_sql(&f->server, "insert into note_reader(note_id, person_id) values ('n0002', 'p1')");
    fake_server_sql(&f->server, "update note set state = 'draft' where id = 'n0002'"); // so that the team does not see it
    f->server.push_calls_max = 1;
    fixture_start(f);
    world_settle(&f->a, 20000);
    f->server.takes_none = true;
    edit_note(f, "n0002", &(struct notes_note_patch){.title = {CHARLE_STR("First"), true}, .votes = {50, true}}); // readers do not see votes
    for (int i = 0; i < 6; i++) {
        snprintf(title, sizeof(title), "Mine %d", i);
        edit_title(f, "n0002", title);
    }
    f->server.takes_none = false;
    while (world_number(&f->a, "select count(*) from charle_outbox where state < 5")) {
        assert_true(world_step(&f->a));
        assert_int_equal(world_number(&f->a, "select count(*) from note where id = 'n0002' and title = 'Mine 5' and votes = 50"), 1);
    }
    fixture_end(f);
}

// --- before there are rows -----------------------------------------------------------------------------------------------------

static void set_ready(struct fixture *f, bool is_ready)
{
    struct charle_error err = {0};
    assert_int_equal(ch_lite_script(&f->a.replica.sql, is_ready ? "update charle_meta set value = 1 where key = 'ready'" : "update charle_meta set value = 0 where key = 'ready'",
                                    "getting ready", &err), CHARLE_OK);
}

// A rescued replica has calls before it has rows. Whatever moves its calls meanwhile (verdicts, a new name) leaves no images of half a copy: rows that
// the rest of the copy brings would be replaced by them.
static void calls_wait_for_the_first_copy(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct ch_rebase rebase = {0};
    const struct notes_note_key key = {CHARLE_STR("n0002")};
    const struct notes_note_patch set = {.title = {CHARLE_STR("Mine"), true}};
    const struct notes_note_update request = {.key = &key, .set = &set};
    fixture_start(f);
    world_settle(&f->a, 20000);
    f->server.takes_none = true;
    assert_int_equal(world_call(&f->a, &notes_note_service_update_method, &request, NULL, NULL, NULL, &err), CHARLE_OK);
    assert_int_equal(ch_replica_begin(&f->a.replica, CH_FETCHABLE, &err), CHARLE_OK);
    assert_int_equal(ch_rebase_begin(&rebase, &f->a.replica, 0, true, &err), CHARLE_OK);
    set_ready(f, false);
    assert_int_equal(ch_replica_commit(&f->a.replica, &err), CHARLE_OK);
    ch_rebase_deinit(&rebase);
    assert_int_equal(ch_apply_rebase(&f->a.replica, CH_FETCHABLE, NULL, NULL, &err), CHARLE_OK);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_base"), 0);
    assert_int_equal(world_number(&f->a, "select count(*) from note where title = 'Mine'"), 0);
    set_ready(f, true);
    assert_int_equal(ch_apply_rebase(&f->a.replica, CH_FETCHABLE, NULL, NULL, &err), CHARLE_OK);
    assert_int_equal(world_number(&f->a, "select count(*) from note where title = 'Mine'"), 1);
    f->server.takes_none = false;
    fixture_end(f);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(parts_show_what_the_whole_shows),
        CASE(calls_on_other_rows_are_not_run_again),
        CASE(calls_that_come_back_as_foreseen_stay),
        CASE(rows_of_two_scopes_keep_their_calls),
        CASE(calls_wait_for_the_first_copy),
    };
#undef CASE
    cmocka_set_test_filter(getenv("CHARLE_TEST_ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
