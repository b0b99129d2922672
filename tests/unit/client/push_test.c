// The order in which calls are pushed, what parked calls do to it, and what happens to them when the server's database goes back in time.
#include "fixture.h"

#include "notes.charle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void must_vote(struct fixture *f, const char *id)
{
    struct charle_error err = {0};
    const struct notes_note_key key = {charle_str(id)};
    const struct notes_note_patch set = {.votes = {1, true}}, base = {.votes = {0, true}};
    const struct notes_note_update request = {.key = &key, .set = &set, .base = &base};
    if (world_call(&f->a, &notes_note_service_update_method, &request, NULL, NULL, NULL, &err))
        fail_msg("%s", err.text);
}

static int64_t votes(struct fixture *f, const char *id)
{
    return fake_server_number(&f->server, "select votes from note where id = '%s'", id);
}

static void ready(struct fixture *f)
{
    fixture_start(f);
    world_settle(&f->a, 5000);
}

static void end(struct fixture *f)
{
    fixture_step_until(f, "select count(*) from charle_outbox where state < 5", 0);
    fixture_end(f);
}

// A call that was parked waits for its next attempt, and a later one has its number already, but no answer: that one goes first, or the server would
// see a gap.
static void numbered_calls_go_before_held_back_ones(void **state)
{
    struct fixture *f = *state;
    ready(f);
    f->server.parks = true;
    must_vote(f, "n0001");
    fixture_step_until(f, "select count(*) from charle_outbox where state = 1 and attempts = 1", 1);
    f->server.parks = false;
    must_vote(f, "n0002");
    fixture_step_until(f, "select count(*) from charle_outbox where state = 2", 1); // numbered, on its way
    world_connect(&f->a, false);
    f->a.mono_us += 3600000000; // by now the parked one is due again
    world_connect(&f->a, true);
    end(f);
    assert_int_equal(votes(f, "n0001"), 2);
    assert_int_equal(votes(f, "n0002"), 3);
    assert_int_equal(f->server.calls_run, 3);
}

// Only what touches the same rows waits for a parked call.
static void new_call_does_not_wait_for_a_parked_one(void **state)
{
    struct fixture *f = *state;
    ready(f);
    f->server.parks = true;
    must_vote(f, "n0001");
    fixture_step_until(f, "select count(*) from charle_outbox where state = 1 and attempts = 1", 1);
    world_deliver(&f->a, 200);
    f->server.parks = false;
    must_vote(f, "n0002");
    must_vote(f, "n0001");
    world_deliver(&f->a, 200); // no time passes
    assert_int_equal(votes(f, "n0002"), 3);
    assert_int_equal(votes(f, "n0001"), 1);
    end(f);
    assert_int_equal(votes(f, "n0001"), 3);
}

static void must_title(struct fixture *f, const char *id, const char *title)
{
    struct charle_error err = {0};
    const struct notes_note_key key = {charle_str(id)};
    const struct notes_note_patch set = {.title = {charle_str(title), true}};
    const struct notes_note_update request = {.key = &key, .set = &set};
    if (world_call(&f->a, &notes_note_service_update_method, &request, NULL, NULL, NULL, &err))
        fail_msg("%s", err.text);
}

static void must_replace(struct fixture *f, const char *from, const char *to)
{
    struct charle_error err = {0};
    const struct notes_replace_request request = {.from = charle_str(from), .to = charle_str(to)};
    if (world_call(&f->a, &notes_notes_replace_method, &request, NULL, NULL, NULL, &err))
        fail_msg("%s", err.text);
}

static int64_t titled(struct fixture *f, const char *title)
{
    return fake_server_number(&f->server, "select count(*) from note where title = '%s'", title);
}

// One call waits for the parked one, and the next for that one, though it has no row in common with the parked one itself.
static void calls_wait_for_what_waits(void **state)
{
    struct fixture *f = *state;
    fake_server_sql(&f->server, "update note set title = 'Pair' where id in ('n0001', 'n0002')");
    ready(f);
    f->server.parks = true;
    must_vote(f, "n0001");
    fixture_step_until(f, "select count(*) from charle_outbox where state = 1 and attempts = 1", 1);
    world_deliver(&f->a, 200);
    f->server.parks = false;
    must_replace(f, "Pair", "Both");
    must_title(f, "n0002", "Last");
    must_title(f, "n0003", "Other");
    world_deliver(&f->a, 200); // no time passes
    assert_int_equal(titled(f, "Pair"), 2);
    assert_int_equal(titled(f, "Last"), 0);
    assert_int_equal(titled(f, "Other"), 1);
    end(f);
    assert_int_equal(titled(f, "Both"), 1);
    assert_int_equal(titled(f, "Last"), 1);
    assert_int_equal(votes(f, "n0001"), 2);
}

// Nobody has to ask: the moment that contains the parked call queues it again, whether its verdict or the moment came first.
static void parked_call_is_tried_again_by_itself(void **state)
{
    struct fixture *f = *state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        f->a.random = seed;
        ready(f);
        int64_t before = votes(f, "n0001");
        f->server.parks = true;
        must_vote(f, "n0001");
        fixture_step_until(f, "select count(*) from charle_outbox where state = 1 and attempts = 1", 1);
        f->server.parks = false;
        for (int i = 0; i < 2000 && votes(f, "n0001") == before; i++)
            assert_true(world_step(&f->a));
        assert_int_equal(votes(f, "n0001"), before + 1);
        end(f);
        assert_int_equal(fixture_teardown(state), 0);
        assert_int_equal(fixture_setup(state), 0);
        f = *state;
    }
}

// The clock was set back by a year while a call waits for its next attempt: it does not wait that long.
static void clock_set_back_holds_no_call(void **state)
{
    struct fixture *f = *state;
    ready(f);
    f->server.parks = true;
    must_vote(f, "n0001");
    fixture_step_until(f, "select count(*) from charle_outbox where state = 1 and attempts = 1", 1);
    f->server.parks = false;
    assert_int_equal(sqlite3_exec(f->a.replica.sql.db, "update charle_outbox set due_at = due_at + 31536000000000 where state = 1", NULL, NULL, NULL),
                     SQLITE_OK);
    must_vote(f, "n0002"); // anything that makes it look
    for (int i = 0; i < 2000 && votes(f, "n0001") == 1; i++)
        assert_true(world_step(&f->a));
    assert_int_equal(votes(f, "n0001"), 2);
    end(f);
}

// The database goes back to before a call was parked. Its next attempt waits already, so the parked one itself is not recalled: it would count twice.
static void parked_call_is_not_recalled_beside_its_next_attempt(void **state)
{
    struct fixture *f = *state;
    ready(f);
    must_vote(f, "n0003");
    end(f);
    fake_server_save(&f->server);
    must_vote(f, "n0004");
    f->server.parks = true;
    must_vote(f, "n0001");
    fixture_step_until(f, "select count(*) from charle_outbox where state = 1 and attempts = 1", 1);
    fake_server_restore(&f->server);
    f->server.parks = false;
    fixture_reconnect(f);
    world_settle(&f->a, 20000);
    end(f);
    assert_int_equal(votes(f, "n0001"), 2);
    assert_int_equal(votes(f, "n0003"), 4);
    assert_int_equal(votes(f, "n0004") == 5 || votes(f, "n0004") == 6, 1);
}

// No connection is lost when the database goes back: the stream itself tells it by the number of the last call.
static void calls_lost_under_a_stream_are_sent_again(void **state)
{
    struct fixture *f = *state;
    ready(f);
    fake_server_save(&f->server);
    must_vote(f, "n0005");
    end(f);
    fake_server_restore(&f->server);
    fake_server_sql(&f->server, "update note set title = 'Foreign' where id = 'n0006'");
    for (int i = 0; i < 5000 && votes(f, "n0005") == 5; i++)
        assert_true(world_step(&f->a));
    assert_int_equal(votes(f, "n0005"), 6);
    end(f);
}

// An imported or rescued replica asks for its calls one by one. Behind a database that went back meanwhile it begins with those that were lost, instead
// of going on where it was for ever.
static void calls_lost_under_a_copy_are_sent_again(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    ready(f);
    must_vote(f, "n0003");
    end(f);
    fake_server_save(&f->server);
    must_vote(f, "n0004");
    end(f);
    world_connect(&f->a, false);
    must_vote(f, "n0001");
    assert_int_equal(ch_lite_script(&f->a.replica.sql, "insert into charle_meta(key, value) values('is_copy', 1) on conflict(key) do update set value = 1", "copying", &err),
                     CHARLE_OK);
    fake_server_restore(&f->server);
    fixture_reconnect(f);
    world_settle(&f->a, 20000);
    end(f);
    assert_int_equal(votes(f, "n0003"), 4);
    assert_int_equal(votes(f, "n0004"), 5);
    assert_int_equal(votes(f, "n0001"), 2);
}

static void vote_often(struct fixture *f, int times)
{
    for (int i = 0; i < times; i++)
        must_vote(f, i % 2 ? "n0001" : "n0002");
}

// A server that dies before it is done with a large batch, again and again: with smaller ones it gets on. When it is well again so are the batches.
static void batch_that_failed_is_halved_until_it_passes(void **state)
{
    struct fixture *f = *state;
    for (int is_cut = 0; is_cut < 2; is_cut++) {
        ready(f);
        world_connect(&f->a, false);
        vote_often(f, 100);
        int64_t before = f->server.calls_run, failed = f->server.batches_failed;
        f->server.batch_max = 7;
        world_connect(&f->a, true);
        for (int i = 0; i < 20000 && f->server.calls_run < before + 40; i++) {
            int64_t failures = f->server.batches_failed;
            assert_true(world_step(&f->a));
            if (is_cut && f->server.batches_failed > failures)
                fixture_reconnect(f); // the answer is lost too
        }
        assert_true(f->server.calls_run >= before + 40);
        assert_true(f->server.batches_failed > failed + 2);
        f->server.batch_max = 0;
        f->server.batch_largest = 0;
        vote_often(f, 100);
        end(f);
        assert_true(f->server.batch_largest > 14);
        assert_int_equal(f->server.calls_run, before + 200);
        assert_int_equal(fixture_teardown(state), 0);
        assert_int_equal(fixture_setup(state), 0);
        f = *state;
    }
}

// Whether or not the server names the key at which its last bucket ends, rows behind it are seen.
static void rows_behind_the_last_bucket_are_seen(void **state)
{
    struct fixture *f = *state;
    ready(f);
    for (int round = 0; round < 2; round++) {
        struct charle_verify_report report = {0};
        f->server.names_last_key = round == 1;
        assert_int_equal(sqlite3_exec(f->a.replica.sql.db, "insert into note(id, title, state) values ('zzz', 'ghost', 'open')", NULL, NULL, NULL),
                         SQLITE_OK);
        int64_t ticket = ch_client_core_verify(f->a.core);
        for (int i = 0; i < 20000 && ch_client_core_verified(f->a.core, &report) < ticket; i++)
            assert_true(world_step(&f->a));
        assert_int_equal(report.rows_different, 1);
        fixture_end(f);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(numbered_calls_go_before_held_back_ones),
        CASE(new_call_does_not_wait_for_a_parked_one),
        CASE(calls_wait_for_what_waits),
        CASE(parked_call_is_tried_again_by_itself),
        CASE(clock_set_back_holds_no_call),
        CASE(parked_call_is_not_recalled_beside_its_next_attempt),
        CASE(calls_lost_under_a_stream_are_sent_again),
        CASE(calls_lost_under_a_copy_are_sent_again),
        CASE(batch_that_failed_is_halved_until_it_passes),
        CASE(rows_behind_the_last_bucket_are_seen),
    };
#undef CASE
    cmocka_set_test_filter(getenv("CHARLE_TEST_ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
