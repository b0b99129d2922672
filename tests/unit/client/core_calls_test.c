// Offline calls on a client core against a server in the same program: shown, sent, judged, made again.
#include "core_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

// --- offline calls ------------------------------------------------------------------------------------------------------------

static void call_shows_at_once_and_arrives(void **state)
{
    struct scene *f = *state;
    scene_start(f);
    world_connect(&f->a, false);
    scene_must_set_title(f, "n0001", "Mine");
    struct charle_str id = scene_must_create(f, "r1", "Made offline");
    scene_expect_title(f, "n0001", "Mine");
    scene_expect_title(f, id.ptr, "Made offline");
    assert_int_equal(fake_server_number(&f->server, "select count(*) from note where title in ('Mine', 'Made offline')"), 0);
    world_connect(&f->a, true);
    world_settle(&f->a, 2000);
    assert_int_equal(fake_server_number(&f->server, "select count(*) from note where id = 'n0001' and title = 'Mine'"), 1);
    assert_int_equal(fake_server_number(&f->server, "select count(*) from note where id = '%s'", id.ptr), 1); // the same id
    fake_server_check(&f->server, &f->a.replica);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_base"), 0);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_touch"), 0);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_outbox where state <> 5"), 0);
}

static void call_that_fails_leaves_nothing(void **state)
{
    struct scene *f = *state;
    struct charle_error err = {0};
    int64_t ticket = 0;
    scene_start(f);
    assert_int_equal(scene_set_title(f, "no such note", "x", &ticket, &err), CHARLE_NOT_FOUND);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_outbox"), 0);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_base"), 0);
}

static void waiting_calls_stay_on_top_of_pages(void **state)
{
    struct scene *f = *state;
    scene_start(f);
    snprintf(f->a.refuse_method, sizeof(f->a.refuse_method), "charle.Sync/Push");
    f->a.refuse_code = CHARLE_UNAVAILABLE; // the push does not come through yet
    scene_must_vote(f, "n0001", 1, 4);
    scene_must_vote(f, "n0001", 4, 5);
    fake_server_sql(&f->server, "update note set votes = votes + 100, title = 'Theirs' where id = 'n0001'; update note set title = 'B' where id = 'n0003'");
    world_deliver(&f->a, 1); // the refusal
    world_deliver(&f->a, 50);
    scene_expect_title(f, "n0001", "Theirs");
    scene_expect_title(f, "n0003", "B");
    assert_int_equal(world_number(&f->a, "select votes from note where id = 'n0001'"), 105); // counter: 101 + 3 + 1
    world_settle(&f->a, 2000);
    assert_int_equal(fake_server_number(&f->server, "select votes from note where id = 'n0001'"), 105);
    fake_server_check(&f->server, &f->a.replica);
}

static void unrelated_page_runs_no_call_again(void **state)
{
    struct scene *f = *state;
    scene_start(f);
    f->a.is_down = true;
    for (int i = 1; i <= 20; i++) {
        char id[16], title[32];
        snprintf(id, sizeof(id), "n%04d", i);
        snprintf(title, sizeof(title), "Mine %d", i);
        if (i % 4)
            scene_must_set_title(f, id, title);
    }
    assert_int_equal(world_number(&f->a, "select count(*) from charle_outbox where reads_all = 1"), 0);
    struct ch_rebase rebase = {0};
    struct charle_error err = {0};
    // By hand, to count: a page about n0030 and n0001.
    assert_int_equal(ch_replica_begin(&f->a.replica, CH_FETCHABLE, &err), CHARLE_OK);
    assert_int_equal(ch_rebase_begin(&rebase, &f->a.replica, 0, false, &err), CHARLE_OK);
    struct ch_table *table = ch_table_by_name(&f->a.replica.tables, "note");
    assert_int_equal(ch_rebase_before_row(&rebase, table, CHARLE_STR("n0030"), &err), CHARLE_OK);
    assert_int_equal(ch_rebase_before_row(&rebase, table, CHARLE_STR("n0001"), &err), CHARLE_OK);
    assert_int_equal(ch_rebase_finish(&rebase, &err), CHARLE_OK);
    assert_int_equal(rebase.ran, 1);
    ch_rebase_deinit(&rebase);
    ch_replica_rollback(&f->a.replica);
    f->a.is_down = false;
    world_settle(&f->a, 3000);
    fake_server_check(&f->server, &f->a.replica);
}

static void wide_call_sees_other_peoples_changes(void **state)
{
    struct scene *f = *state;
    scene_start(f);
    snprintf(f->a.refuse_method, sizeof(f->a.refuse_method), "charle.Sync/Push");
    f->a.refuse_code = CHARLE_UNAVAILABLE;
    scene_must_replace(f, "Same", "Replaced"); // matches nothing yet
    fake_server_sql(&f->server, "update note set title = 'Same' where id in ('n0001', 'n0002')");
    world_deliver(&f->a, 60);
    scene_expect_title(f, "n0001", "Replaced");
    world_settle(&f->a, 2000);
    assert_int_equal(fake_server_number(&f->server, "select count(*) from note where title = 'Replaced'"), 2);
    fake_server_check(&f->server, &f->a.replica);
}

static void rejected_call_vanishes_and_is_told(void **state)
{
    struct scene *f = *state;
    scene_start(f);
    world_connect(&f->a, false);
    scene_must_set_title(f, "n0001", "Mine");
    scene_must_set_title(f, "n0002", "Mine too");
    fake_server_sql(&f->server, "delete from note where id = 'n0001'");
    world_connect(&f->a, true);
    world_settle(&f->a, 2000);
    fake_server_check(&f->server, &f->a.replica);
    assert_int_equal(world_number(&f->a, "select count(*) from note where id = 'n0001'"), 0);
    scene_expect_title(f, "n0002", "Mine too");
    assert_int_equal(world_number(&f->a, "select count(*) from charle_inbox where kind = 3 and code = %d", CHARLE_NOT_FOUND), 1);
    assert_true(f->a.events & CHARLE_EVENT_INBOX);
}

static void parked_call_is_made_again(void **state)
{
    struct scene *f = *state;
    scene_start(f);
    f->server.parks = true;
    scene_must_set_title(f, "n0001", "Patience");
    world_deliver(&f->a, 200);
    scene_expect_title(f, "n0001", "Patience"); // its effect stays
    assert_int_equal(world_number(&f->a, "select count(*) from charle_inbox"), 0);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_outbox where state = 1 and attempts = 1"), 1);
    f->server.parks = false;
    for (int i = 0; i < 200; i++)
        world_step(&f->a); // time passes
    assert_int_equal(fake_server_number(&f->server, "select count(*) from note where title = 'Patience'"), 1);
    fake_server_check(&f->server, &f->a.replica);
}

static void parked_call_is_left_to_people_at_last(void **state)
{
    struct scene *f = *state;
    scene_start(f);
    f->server.parks = true;
    scene_must_set_title(f, "n0001", "Never");
    for (int i = 0; i < 20000 && world_number(&f->a, "select count(*) from charle_inbox") == 0; i++)
        world_step(&f->a);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_inbox where kind = 4"), 1);
    f->server.parks = false;
    world_settle(&f->a, 2000);
    fake_server_check(&f->server, &f->a.replica);
    assert_int_equal(f->server.calls_run, 6);
}

static void lost_answer_is_asked_for_again_and_nothing_runs_twice(void **state)
{
    struct scene *f = *state;
    scene_start(f);
    for (int round = 0; round < 30; round++) {
        scene_must_vote(f, "n0001", 0, 1); // adds one
        int steps = (int)world_random(&f->a, 8);
        for (int i = 0; i < steps; i++)
            world_step(&f->a);
        world_connect(&f->a, false);
        world_connect(&f->a, true);
    }
    world_settle(&f->a, 20000);
    assert_int_equal(fake_server_number(&f->server, "select votes from note where id = 'n0001'"), 31);
    assert_int_equal(f->server.calls_run, 30);
    fake_server_check(&f->server, &f->a.replica);
}

static void big_queue_goes_in_batches(void **state)
{
    struct scene *f = *state;
    enum { CALLS = 1200 };
    // As many at once as the server says, and as many as every server takes when it says nothing.
    static const struct { uint32_t said; int batches; } cases[] = {{0, 3}, {700, 2}, {100000, 2}};
    scene_start(f);
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        f->server.push_calls_max = cases[c].said;
        world_connect(&f->a, false);
        for (int i = 0; i < CALLS; i++)
            scene_must_vote(f, "n0001", 0, 1);
        world_connect(&f->a, true);
        int64_t before = f->a.started[4];
        world_settle(&f->a, 20000);
        assert_int_equal(fake_server_number(&f->server, "select votes from note where id = 'n0001'"), 1 + CALLS * (int)(c + 1));
        assert_int_equal(f->a.started[4] - before, cases[c].batches);
        fake_server_check(&f->server, &f->a.replica);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_CASE(call_shows_at_once_and_arrives),
        SCENE_CASE(call_that_fails_leaves_nothing),
        SCENE_CASE(waiting_calls_stay_on_top_of_pages),
        SCENE_CASE(unrelated_page_runs_no_call_again),
        SCENE_CASE(wide_call_sees_other_peoples_changes),
        SCENE_CASE(rejected_call_vanishes_and_is_told),
        SCENE_CASE(parked_call_is_made_again),
        SCENE_CASE(parked_call_is_left_to_people_at_last),
        SCENE_CASE(lost_answer_is_asked_for_again_and_nothing_runs_twice),
        SCENE_CASE(big_queue_goes_in_batches),
    };
    scene_prepare();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
