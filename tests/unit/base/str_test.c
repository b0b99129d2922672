// Strings by value.
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void order_is_that_of_bytes(void **state)
{
    (void)state;
    static const struct charle_str ascending[] = {{NULL, 0},
                                                  CHARLE_STR_INIT("a"),
                                                  CHARLE_STR_INIT("a\0"),
                                                  CHARLE_STR_INIT("ab"),
                                                  CHARLE_STR_INIT("b"),
                                                  CHARLE_STR_INIT("\xc3\xa9")};
    for (int i = 0; i < 6; i++) {
        for (int n = 0; n < 6; n++) {
            int order = charle_str_compare(ascending[i], ascending[n]);
            assert_int_equal((order > 0) - (order < 0), (i > n) - (i < n));
            assert_int_equal(charle_str_equal(ascending[i], ascending[n]), i == n);
        }
    }
}

static void prefixes(void **state)
{
    (void)state;
    assert_true(charle_str_has_prefix(CHARLE_STR("user:1"), CHARLE_STR("user:")));
    assert_true(charle_str_has_prefix(CHARLE_STR("x"), (struct charle_str){0}));
    assert_false(charle_str_has_prefix(CHARLE_STR("use"), CHARLE_STR("user:")));
    assert_false(charle_str_has_prefix((struct charle_str){0}, CHARLE_STR("u")));
    assert_int_equal(charle_str(NULL).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(order_is_that_of_bytes), cmocka_unit_test(prefixes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
