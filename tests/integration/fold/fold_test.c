// Calls that wait at the same time share a transaction: nobody gets another's permissions, settings, ids or reply, and nobody suffers for
// what another does.
//
// Whether calls share a transaction is seen in the database: each leaves the number of its transaction in its entry. Two calls that wait
// for a lock of the test hold the server's two connections until all others have queued.
#include "callers.h"
#include "fold.schema.charle.h"

#include <stdlib.h>

enum { HELD = 2, FIRST = HELD };

static struct round round_;

static int start(void **state)
{
    (void)state;
    round_start(&round_, "fold", "2");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    round_stop(&round_);
    return 0;
}

static int forget(void **state)
{
    (void)state;
    round_sql(&round_, "truncate entry, safe");
    return 0;
}

static void wait_for_all(int from, int to)
{
    for (int i = from; i < to; i++)
        caller_wait(&round_.callers[i]);
}

// Calls of all but the first two, of which caller i does what(i); all have ended when it returns.
static void call_together(const char *(*what)(int i))
{
    round_hold(&round_, HELD);
    for (int i = FIRST; i < CALLERS; i++)
        caller_do(&round_.callers[i], "fold.Odd/Do", what(i));
    round_let_go(&round_);
    wait_for_all(0, CALLERS);
}

static const char *just_leave(int i)
{
    (void)i;
    return "";
}

static void calls_that_wait_share_transactions(void **state)
{
    (void)state;
    struct charle_arena arena = {0};
    call_together(just_leave);
    for (int i = FIRST; i < CALLERS; i++) {
        struct fold_do_reply reply;
        caller_reply(&round_.callers[i], &fold_do_reply_message, &arena, &reply);
        assert_true(charle_str_equal(reply.who, charle_str(round_.callers[i].id))); // its own reply
    }
    assert_int_equal(round_number(&round_, "select count(*) from entry where what = ''"), CALLERS - HELD);
    assert_int_equal(round_number(&round_, "select count(distinct who) from entry where what = ''"), CALLERS - HELD);
    assert_int_equal(round_number(&round_, "select count(distinct chance) from entry where what = ''"), CALLERS - HELD);
    // How many a transaction takes depends on the machine; that some share one does not.
    assert_in_range(round_number(&round_, "select count(distinct txn) from entry where what = ''"), 1, CALLERS - HELD - 1);
    // One stamp a transaction, and the log knows every row.
    assert_int_equal(round_number(&round_, "select count(distinct e.key) from charle.entry e join entry x on x.id = e.key where e.scope = 'team'"),
                     CALLERS);
    charle_arena_deinit(&arena);
}

static const char *some_fail(int i)
{
    return i % 3 == 0 ? "fail" : i % 7 == 0 ? "hide" : "";
}

static void a_call_that_fails_leaves_nothing_and_takes_none_along(void **state)
{
    (void)state;
    call_together(some_fail);
    int good = 0;
    for (int i = FIRST; i < CALLERS; i++) {
        struct caller *caller = &round_.callers[i];
        if (i % 3 == 0) {
            assert_int_equal(caller->rc, CHARLE_NOT_FOUND);
            assert_contains(caller->text, caller->id); // its own failure
        } else if (i % 7 == 0) {
            assert_int_equal(caller->rc, CHARLE_ABORTED);
        } else {
            assert_int_equal(caller->rc, CHARLE_OK);
            good++;
        }
    }
    assert_int_equal(round_number(&round_, "select count(*) from entry where what <> 'wait'"), good);
    assert_int_equal(round_number(&round_, "select count(*) from entry where what in ('fail', 'hide')"), 0);
}

static const char *all_eat(int i)
{
    (void)i;
    return "eat";
}

// Each by itself has room enough, all that share a transaction have not.
static void calls_that_need_memory_do_not_take_it_from_each_other(void **state)
{
    (void)state;
    call_together(all_eat);
    for (int i = FIRST; i < CALLERS; i++)
        assert_int_equal(round_.callers[i].rc, CHARLE_OK);
    assert_int_equal(round_number(&round_, "select count(*) from entry where what = 'eat'"), CALLERS - HELD);
}

static const char *one_sets(int i)
{
    return i % 5 == 0 ? "set" : "tell";
}

static void a_setting_stays_with_its_call(void **state)
{
    (void)state;
    struct charle_arena arena = {0};
    for (int times = 0; times < 2; times++) { // the second time it is known of the method
        call_together(one_sets);
        for (int i = FIRST; i < CALLERS; i++) {
            struct fold_do_reply reply;
            caller_reply(&round_.callers[i], &fold_do_reply_message, &arena, &reply);
            if (i % 5)
                assert_true(charle_str_equal(reply.seen.value, charle_str("")));
        }
    }
    charle_arena_deinit(&arena);
}

static void start_other(int i, const char *what)
{
    caller_do(&round_.callers[i], "fold.Odd/Other", what);
}

static void a_call_that_loses_the_connection_takes_none_along(void **state)
{
    (void)state;
    round_hold(&round_, HELD);
    for (int i = FIRST; i < CALLERS; i++)
        start_other(i, i == 20 || i == 40 ? "die" : "");
    round_let_go(&round_);
    wait_for_all(0, CALLERS);
    for (int i = FIRST; i < CALLERS; i++)
        assert_int_equal(round_.callers[i].rc, i == 20 || i == 40 ? CHARLE_UNAVAILABLE : CHARLE_OK);
    assert_int_equal(round_number(&round_, "select count(*) from entry where what = ''"), CALLERS - HELD - 2); // each once
    assert_int_equal(round_number(&round_, "select count(*) from entry where what = 'die'"), 0);
}

// The slow one runs for three seconds. It must not be in the way: all others end before it.
static void a_slow_call_does_not_hold_up_the_others(void **state)
{
    (void)state;
    round_hold(&round_, HELD);
    for (int i = FIRST; i < CALLERS; i++)
        start_other(i, i == 9 ? "sleep" : "");
    round_let_go(&round_);
    wait_for_all(0, CALLERS);
    assert_int_equal(round_.callers[9].rc, CHARLE_OK);
    assert_int_equal(round_.callers[9].place, CALLERS);
    assert_int_equal(round_number(&round_, "select count(*) from entry where what = ''"), CALLERS - HELD - 1);
}

static void what_only_the_commit_finds_out_is_the_failure_of_one(void **state)
{
    (void)state;
    round_sql(&round_, "create table allowed (what text primary key); insert into allowed values (''), ('wait');"
                       "alter table entry add constraint entry_allowed foreign key (what) references allowed deferrable initially deferred");
    round_hold(&round_, HELD);
    for (int i = FIRST; i < CALLERS; i++)
        start_other(i, i == 30 ? "odd" : "");
    round_let_go(&round_);
    wait_for_all(0, CALLERS);
    round_sql(&round_, "alter table entry drop constraint entry_allowed; drop table allowed");
    for (int i = FIRST; i < CALLERS; i++)
        assert_int_equal(round_.callers[i].rc, i == 30 ? CHARLE_FOREIGN_KEY_VIOLATION : CHARLE_OK);
    assert_int_equal(round_number(&round_, "select count(*) from entry where what <> 'wait'"), CALLERS - HELD - 1);
}

// Generated edits go in sets. Every second caller may not write here; whoever stands beside one that may.
static void permissions_are_the_callers_own(void **state)
{
    (void)state;
    char sql[200];
    snprintf(sql, sizeof(sql), "insert into safe (id, label) select 's' || i, 'old' from generate_series(0, %d) i", CALLERS - 1);
    round_sql(&round_, sql);
    round_hold(&round_, HELD);
    for (int i = FIRST; i < CALLERS; i++) {
        char id[20];
        snprintf(id, sizeof(id), "s%d", i);
        const struct fold_safe_key key = {.id = charle_str(id)};
        const struct fold_safe_patch set = {.label = {charle_str(i == 11 ? "far longer than is allowed" : round_.callers[i].id), true}};
        const struct fold_safe_patch base = {.label = {charle_str(i == 33 ? "other" : "old"), true}};
        const struct fold_safe_update request = {.key = &key, .set = &set, .base = &base};
        caller_start(&round_.callers[i], "fold.SafeService/Update", &fold_safe_update_message, &request);
    }
    round_let_go(&round_);
    wait_for_all(0, CALLERS);
    int good = 0;
    for (int i = FIRST; i < CALLERS; i++) {
        if (i % 2 == 0)
            assert_int_equal(round_.callers[i].rc, CHARLE_PERMISSION_DENIED);
        else if (i != 11)
            assert_int_equal(round_.callers[i].rc, CHARLE_OK);
        else
            assert_int_not_equal(round_.callers[i].rc, CHARLE_OK);
        good += round_.callers[i].rc == CHARLE_OK;
    }
    assert_int_equal(round_number(&round_, "select count(*) from safe where label = 'p' || substr(id, 2)"), good);
    assert_int_equal(round_number(&round_, "select count(*) from safe where label = 'old'"), CALLERS - good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(calls_that_wait_share_transactions, forget),
        cmocka_unit_test_teardown(a_call_that_fails_leaves_nothing_and_takes_none_along, forget),
        cmocka_unit_test_teardown(calls_that_need_memory_do_not_take_it_from_each_other, forget),
        cmocka_unit_test_teardown(a_call_that_loses_the_connection_takes_none_along, forget),
        cmocka_unit_test_teardown(a_slow_call_does_not_hold_up_the_others, forget),
        cmocka_unit_test_teardown(what_only_the_commit_finds_out_is_the_failure_of_one, forget),
        cmocka_unit_test_teardown(permissions_are_the_callers_own, forget),
        cmocka_unit_test_teardown(a_setting_stays_with_its_call, forget),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
