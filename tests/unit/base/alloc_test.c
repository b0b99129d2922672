// The heap's door: overflow is refused, and the n-th allocation fails when a test asks for it.
#include "base/alloc.h"

#include <stdint.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void sizes_that_overflow_are_refused(void **state)
{
    (void)state;
    volatile size_t huge = SIZE_MAX / 2; // volatile keeps the compiler from warning about what is being tested
    assert_null(ch_realloc_array(NULL, huge, 3));
    assert_null(ch_strdup_n("x", SIZE_MAX));
}

static void nothing_is_still_something(void **state)
{
    (void)state;
    void *none = ch_alloc(0), *zeroed = ch_alloc_zeroed(0, 0);
    assert_non_null(none);
    assert_non_null(zeroed);
    none = ch_realloc(none, 0);
    assert_non_null(none);
    ch_free(none);
    ch_free(zeroed);
    ch_free(NULL);
}

static void copies_are_terminated(void **state)
{
    (void)state;
    char *copy = ch_strdup_n("hello", 4);
    assert_string_equal(copy, "hell");
    ch_free(copy);
    copy = ch_strdup_n(NULL, 0);
    assert_string_equal(copy, "");
    ch_free(copy);
}

static void the_nth_allocation_fails(void **state)
{
    (void)state;
    ch_alloc_fail_at(2, 0);
    void *first = ch_alloc(1), *second = ch_alloc(1), *third = ch_alloc(1);
    long count = ch_alloc_count();
    ch_alloc_fail_at(0, 0);
    assert_true(first && !second && third);
    assert_int_equal(count, 3);
    ch_free(first);
    ch_free(third);
}

static void a_sticky_failure_stays(void **state)
{
    (void)state;
    ch_alloc_fail_at(2, 1);
    void *first = ch_alloc_zeroed(1, 1), *second = ch_realloc(NULL, 1), *third = ch_strdup_n("x", 1);
    ch_alloc_fail_at(0, 0);
    assert_true(first && !second && !third);
    ch_free(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_that_overflow_are_refused), cmocka_unit_test(nothing_is_still_something),
        cmocka_unit_test(copies_are_terminated),           cmocka_unit_test(the_nth_allocation_fails),
        cmocka_unit_test(a_sticky_failure_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
