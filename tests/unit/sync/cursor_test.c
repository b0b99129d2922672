#include "sync/cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void stamp_has_epoch_and_count(void **state)
{
    (void)state;
    int64_t stamp = ch_stamp(186000000, 5);
    assert_int_equal(ch_stamp_epoch(stamp), 186000000);
    assert_int_equal(ch_stamp_count(stamp), 5);
    assert_true(stamp > 0);
    assert_true(ch_stamp(2, 0) > ch_stamp(1, ((int64_t)1 << 33) - 1));
}

static void delta_applies_between_its_ends(void **state)
{
    (void)state;
    assert_int_equal(ch_delta_fit(5, 5, 9), CH_DELTA_APPLIES);
    assert_int_equal(ch_delta_fit(7, 5, 9), CH_DELTA_APPLIES);
    assert_int_equal(ch_delta_fit(9, 5, 9), CH_DELTA_OLD);
    assert_int_equal(ch_delta_fit(12, 5, 9), CH_DELTA_OLD);
    assert_int_equal(ch_delta_fit(4, 5, 9), CH_DELTA_GAP);
    assert_int_equal(ch_delta_fit(5, 5, 5), CH_DELTA_OLD);
}

static void what_was_seen_is_the_newest_of_one_lineage(void **state)
{
    struct ch_seen seen = {0};
    (void)state;
    ch_seen_add(&seen, 0, 0); // nothing had touched the scope
    assert_int_equal(seen.stamp, 0);
    ch_seen_add(&seen, 7, 1);
    ch_seen_add(&seen, 5, 1); // an answer that was overtaken
    assert_int_equal(seen.stamp, 7);
    ch_seen_add(&seen, 0, 0);
    ch_seen_add(&seen, 9, 1);
    assert_int_equal(seen.stamp, 9);
    assert_int_equal(seen.lineage, 1);
    ch_seen_add(&seen, ch_stamp(1, 1), 2);
    assert_int_equal(seen.stamp, CH_SEEN_TORN);
    ch_seen_add(&seen, ch_stamp(1, 2), 2);
    assert_int_equal(seen.stamp, CH_SEEN_TORN);
}

static void scope_splits_at_its_first_colon(void **state)
{
    (void)state;
    assert_true(charle_str_equal(ch_scope_audience(CHARLE_STR("team")), CHARLE_STR("team")));
    assert_int_equal(ch_scope_key(CHARLE_STR("team")).len, 0);
    assert_true(charle_str_equal(ch_scope_audience(CHARLE_STR("client:a:b")), CHARLE_STR("client")));
    assert_true(charle_str_equal(ch_scope_key(CHARLE_STR("client:a:b")), CHARLE_STR("a:b")));
    assert_int_equal(ch_scope_audience(charle_str_n(NULL, 0)).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stamp_has_epoch_and_count),
        cmocka_unit_test(delta_applies_between_its_ends),
        cmocka_unit_test(what_was_seen_is_the_newest_of_one_lineage),
        cmocka_unit_test(scope_splits_at_its_first_colon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
