// Long pushes in parts: what is run, in which order, and what is answered when a part fails. Whether somebody else is there is given.
#include "../charled/test.h"
#include "server/bulk.h"

#include "base/arena.h"
#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>

enum { CALLS = 1000 };

static const int64_t hour_us = 3600000000;

struct probe {
    struct ch_bulk *bulk;
    struct charle_arena arena;
    struct charle_call calls[CALLS];
    const struct charle_call *list[CALLS];
    struct charle_push_request request;
    struct charle_push_reply reply;
    int parts, fails_at; // the part that fails; 0: none
    int64_t next;        // call that has to come
};

static enum charle_err run(void *ctx, const struct charle_push_request *request, struct charle_push_reply *out, struct charle_error *err)
{
    struct probe *probe = ctx;
    const struct charle_call *const *calls = request->call.items;
    static const char *const scopes[] = {"team", "first", "later"};
    if (++probe->parts == probe->fails_at)
        return charle_fail(err, CHARLE_BUSY, "part %d", probe->parts);
    const struct charle_verdict **verdicts = charle_arena_array(&probe->arena, request->call.count, sizeof(*verdicts));
    const struct charle_cursor **made = charle_arena_array(&probe->arena, 2, sizeof(*made));
    for (size_t i = 0; i < request->call.count; i++) {
        struct charle_verdict *verdict = CHARLE_ARENA_NEW(&probe->arena, struct charle_verdict);
        assert_int_equal(calls[i]->sequence, probe->next++);
        *verdict = (struct charle_verdict){.sequence = calls[i]->sequence, .kind = CHARLE_APPLIED};
        verdicts[i] = verdict;
    }
    for (int i = 0; i < 2; i++) { // all parts raise one scope, and the first and the others one more
        struct charle_cursor *cursor = CHARLE_ARENA_NEW(&probe->arena, struct charle_cursor);
        *cursor = (struct charle_cursor){charle_str(scopes[i ? 1 + (probe->parts > 1) : 0]), probe->parts, 1};
        made[i] = cursor;
    }
    *out = (struct charle_push_reply){.verdict = {.items = verdicts, .count = request->call.count, .has = true},
                                      .last_sequence = calls[request->call.count - 1]->sequence,
                                      .made = {.items = made, .count = 2, .has = true}};
    return CHARLE_OK;
}

static int set_up(void **state)
{
    static struct probe probe;
    probe = (struct probe){.bulk = ch_bulk_new(), .next = 1};
    assert_non_null(probe.bulk);
    charle_arena_init(&probe.arena, 1 << 20);
    for (int i = 0; i < CALLS; i++) {
        probe.calls[i].sequence = i + 1;
        probe.list[i] = &probe.calls[i];
    }
    probe.request.call = (struct charle_array){.items = probe.list, .count = CALLS, .has = true};
    *state = &probe;
    return 0;
}

static int tear_down(void **state)
{
    struct probe *probe = *state;
    ch_bulk_free(probe->bulk);
    charle_arena_deinit(&probe->arena);
    return 0;
}

static enum charle_err push(struct probe *probe, int64_t until_us)
{
    struct charle_error err = {0};
    return ch_bulk_push(probe->bulk, &probe->request, until_us, run, probe, &probe->arena, &probe->reply, &err);
}

static void assert_verdicts(const struct probe *probe, size_t count)
{
    const struct charle_verdict *const *verdicts = probe->reply.verdict.items;
    assert_int_equal(probe->reply.verdict.count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(verdicts[i]->sequence, i + 1);
    assert_int_equal(probe->reply.last_sequence, count);
}

// Somebody is there for the next hour.
static void share(struct probe *probe)
{
    ch_bulk_note(probe->bulk, ch_clock_mono_us() + hour_us);
}

static void alone_it_runs_as_it_came(void **state)
{
    struct probe *probe = *state;
    assert_int_equal(push(probe, INT64_MAX), CHARLE_OK);
    assert_int_equal(probe->parts, 1);
    assert_verdicts(probe, CALLS);
}

static void beside_others_it_runs_in_parts(void **state)
{
    struct probe *probe = *state;
    share(probe);
    assert_int_equal(push(probe, INT64_MAX), CHARLE_OK);
    assert_true(probe->parts > 1);
    assert_verdicts(probe, CALLS);
    // The newest stamps, and those of scopes that only the first part raised.
    const struct charle_cursor *const *made = probe->reply.made.items;
    assert_int_equal(probe->reply.made.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(made[i]->stamp, charle_str_equal(made[i]->scope, CHARLE_STR("first")) ? 1 : probe->parts);
}

static void parts_before_a_failure_are_answered(void **state)
{
    struct probe *probe = *state;
    share(probe);
    probe->fails_at = 2;
    assert_int_equal(push(probe, INT64_MAX), CHARLE_OK);
    assert_int_equal(probe->parts, 2);
    assert_in_range(probe->reply.verdict.count, 1, CALLS - 1);
    assert_verdicts(probe, probe->reply.verdict.count);
}

static void failure_of_the_first_part_is_the_answer(void **state)
{
    struct probe *probe = *state;
    share(probe);
    probe->fails_at = 1;
    assert_int_equal(push(probe, INT64_MAX), CHARLE_BUSY);
}

static void no_part_is_begun_when_the_time_is_over(void **state)
{
    struct probe *probe = *state;
    share(probe);
    assert_int_equal(push(probe, 0), CHARLE_OK);
    assert_int_equal(probe->parts, 1);
    assert_in_range(probe->reply.verdict.count, 1, CALLS - 1);
}

static void stopping_nothing_is_held_back(void **state)
{
    struct probe *probe = *state;
    share(probe);
    ch_bulk_stop(probe->bulk);
    assert_int_equal(push(probe, INT64_MAX), CHARLE_OK);
    assert_int_equal(probe->parts, 1);
}

// --- several at a time ------------------------------------------------------------------------------------------------------

struct crowd {
    struct ch_bulk *bulk;
    atomic_int running, most;
};

static enum charle_err run_one_of_many(void *ctx, const struct charle_push_request *request, struct charle_push_reply *out, struct charle_error *err)
{
    struct crowd *crowd = ctx;
    int running = atomic_fetch_add(&crowd->running, 1) + 1, most = atomic_load(&crowd->most);
    (void)err;
    while (running > most && !atomic_compare_exchange_weak(&crowd->most, &most, running))
        ;
    *out = (struct charle_push_reply){.verdict = request->call};
    atomic_fetch_sub(&crowd->running, 1);
    return CHARLE_OK;
}

static void *push_one_of_many(void *ctx)
{
    static const struct charle_call call;
    static const struct charle_call *const calls[CALLS] = {&call};
    struct crowd *crowd = ctx;
    struct charle_arena arena = {0};
    struct charle_push_reply reply;
    struct charle_error err = {0};
    const struct charle_push_request request = {.call = {.items = calls, .count = CALLS, .has = true}};
    enum charle_err rc = ch_bulk_push(crowd->bulk, &request, INT64_MAX, run_one_of_many, crowd, &arena, &reply, &err);
    bool is_whole = rc == CHARLE_OK && reply.verdict.count == CALLS;
    charle_arena_deinit(&arena);
    return is_whole ? ctx : NULL;
}

static void one_part_runs_at_a_time(void **state)
{
    enum { PUSHES = 6 };
    struct probe *probe = *state;
    struct crowd crowd = {.bulk = probe->bulk};
    pthread_t threads[PUSHES];
    share(probe);
    for (int i = 0; i < PUSHES; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, push_one_of_many, &crowd), 0);
    for (int i = 0; i < PUSHES; i++) {
        void *done;
        pthread_join(threads[i], &done);
        assert_non_null(done);
    }
    assert_int_equal(atomic_load(&crowd.most), 1);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(alone_it_runs_as_it_came),
        CASE(beside_others_it_runs_in_parts),
        CASE(parts_before_a_failure_are_answered),
        CASE(failure_of_the_first_part_is_the_answer),
        CASE(no_part_is_begun_when_the_time_is_over),
        CASE(stopping_nothing_is_held_back),
        CASE(one_part_runs_at_a_time),
    };
    return cmocka_run_group_tests_name("long pushes", tests, NULL, NULL);
}
