#include "sync/outbox.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void call_goes_its_usual_way(void **state)
{
    (void)state;
    int s = CH_CALL_QUEUED;
    assert_int_equal(s = ch_call_next((enum ch_call_state)s, CH_CALL_SEND), CH_CALL_SENT);
    assert_int_equal(s = ch_call_next((enum ch_call_state)s, CH_CALL_JUDGE), CH_CALL_JUDGED);
    assert_int_equal(s = ch_call_next((enum ch_call_state)s, CH_CALL_CONTAIN), CH_CALL_DONE);
}

static void page_may_come_before_the_answer(void **state)
{
    (void)state;
    int s = ch_call_next(CH_CALL_SENT, CH_CALL_CONTAIN);
    assert_int_equal(s, CH_CALL_CONTAINED);
    assert_false(ch_call_is_waiting((enum ch_call_state)s));
    assert_true(ch_call_wants_sending((enum ch_call_state)s));
    assert_int_equal(ch_call_next((enum ch_call_state)s, CH_CALL_SEND), CH_CALL_CONTAINED);
    assert_int_equal(ch_call_next((enum ch_call_state)s, CH_CALL_JUDGE), CH_CALL_DONE);
}

static void no_event_can_happen_in_a_state_that_is_none(void **state)
{
    (void)state;
    // A state is read from a file, where anything may stand.
    for (int event = CH_CALL_SEND; event <= CH_CALL_RECALL; event++) {
        assert_int_equal(ch_call_next((enum ch_call_state)0, (enum ch_call_event)event), 0);
        assert_int_equal(ch_call_next((enum ch_call_state)(CH_CALL_DONE + 1), (enum ch_call_event)event), 0);
        assert_int_equal(ch_call_next((enum ch_call_state)-1, (enum ch_call_event)event), 0);
        assert_int_equal(ch_call_next((enum ch_call_state)INT32_MAX, (enum ch_call_event)event), 0);
    }
}

static void unsent_call_is_never_judged_or_contained(void **state)
{
    (void)state;
    assert_int_equal(ch_call_next(CH_CALL_QUEUED, CH_CALL_JUDGE), 0);
    assert_int_equal(ch_call_next(CH_CALL_QUEUED, CH_CALL_CONTAIN), 0);
}

static void judged_call_is_not_sent_again(void **state)
{
    (void)state;
    assert_int_equal(ch_call_next(CH_CALL_JUDGED, CH_CALL_SEND), 0);
    assert_int_equal(ch_call_next(CH_CALL_DONE, CH_CALL_SEND), 0);
    assert_false(ch_call_wants_sending(CH_CALL_JUDGED));
    assert_false(ch_call_wants_sending(CH_CALL_DONE));
}

static void every_call_can_be_recalled(void **state)
{
    (void)state;
    for (int s = CH_CALL_QUEUED; s <= CH_CALL_DONE; s++)
        assert_int_equal(ch_call_next((enum ch_call_state)s, CH_CALL_RECALL), CH_CALL_QUEUED);
}

static void batch_ends_at_its_count(void **state)
{
    (void)state;
    struct ch_push_batch batch = {0};
    for (int i = 0; i < CH_PUSH_CALLS_MAX; i++)
        assert_true(ch_push_batch_add(&batch, 10, 10));
    assert_false(ch_push_batch_add(&batch, 10, 10));
    struct ch_push_batch single = {.count_max = 1};
    assert_true(ch_push_batch_add(&single, 10, 10));
    assert_false(ch_push_batch_add(&single, 10, 10));
}

static void batch_ends_at_its_size_but_takes_one(void **state)
{
    (void)state;
    struct ch_push_batch batch = {0};
    assert_true(ch_push_batch_add(&batch, 10, CH_PUSH_SIZE_TARGET));
    assert_false(ch_push_batch_add(&batch, 10, 0));
    struct ch_push_batch exact = {0};
    assert_true(ch_push_batch_add(&exact, 0, CH_PUSH_SIZE_TARGET / 2 - CH_PUSH_CALL_OVERHEAD));
    assert_true(ch_push_batch_add(&exact, 0, CH_PUSH_SIZE_TARGET / 2 - CH_PUSH_CALL_OVERHEAD));
    assert_int_equal(exact.size, CH_PUSH_SIZE_TARGET);
    assert_false(ch_push_batch_add(&exact, 0, 0));
}

static void redial_stays_between_half_and_the_bound(void **state)
{
    (void)state;
    for (int failures = 1; failures < 40; failures++) {
        int64_t longest = ch_redial_delay_us(failures, 0);
        assert_true(longest <= CH_REDIAL_MAX_US);
        for (uint64_t random = 1; random < 1000; random += 7) {
            int64_t delay = ch_redial_delay_us(failures, random * 7919);
            assert_true(delay <= longest && delay >= longest / 2);
        }
    }
    assert_int_equal(ch_redial_delay_us(1, 0), 100000);
    assert_int_equal(ch_redial_delay_us(2, 0), 200000);
}

static void parked_call_gives_up_at_last(void **state)
{
    (void)state;
    int64_t before = 0;
    int attempt = 0;
    for (; ch_park_delay_us(attempt) >= 0; attempt++) {
        assert_true(ch_park_delay_us(attempt) > before);
        before = ch_park_delay_us(attempt);
    }
    assert_int_equal(attempt, 5);
    assert_int_equal(ch_park_delay_us(-1), -1); // from a damaged row
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(call_goes_its_usual_way),
        cmocka_unit_test(page_may_come_before_the_answer),
        cmocka_unit_test(unsent_call_is_never_judged_or_contained),
        cmocka_unit_test(no_event_can_happen_in_a_state_that_is_none),
        cmocka_unit_test(judged_call_is_not_sent_again),
        cmocka_unit_test(every_call_can_be_recalled),
        cmocka_unit_test(batch_ends_at_its_count),
        cmocka_unit_test(batch_ends_at_its_size_but_takes_one),
        cmocka_unit_test(redial_stays_between_half_and_the_bound),
        cmocka_unit_test(parked_call_gives_up_at_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
