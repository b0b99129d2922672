// The error table and the detail beside a code.
#include "base/err.h"

#include <stddef.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void every_code_has_its_row(void **state)
{
    (void)state;
#define CHECK(name, number, status, retryable, text)                     \
    assert_string_equal(charle_err_name(CHARLE_##name), #name);          \
    assert_string_equal(charle_err_text(CHARLE_##name), text);           \
    assert_int_equal(charle_err_status(CHARLE_##name), status);          \
    assert_int_equal(charle_err_is_retryable(CHARLE_##name), retryable); \
    assert_in_range(status, 0, 16);
    CHARLE_ERRORS(CHECK)
#undef CHECK
    assert_string_equal(charle_err_name(CHARLE_DONE), "DONE");
    assert_string_equal(charle_err_name((enum charle_err)77), "UNKNOWN");
    assert_int_equal(charle_err_status((enum charle_err)77), CHARLE_UNKNOWN);
    assert_string_equal(charle_err_text((enum charle_err)77), "unknown error");
    assert_false(charle_err_is_retryable((enum charle_err)77));
}

static void statuses_are_the_first_codes(void **state)
{
    (void)state;
    for (int status = 0; status <= 16; status++)
        assert_int_equal(charle_err_status(charle_err_from_status(status)), status);
    assert_int_equal(charle_err_from_status(-1), CHARLE_UNKNOWN);
    assert_int_equal(charle_err_from_status(17), CHARLE_UNKNOWN);
}

static void details_are_kept_and_cut(void **state)
{
    (void)state;
    struct charle_error err = {0};
    assert_int_equal(charle_fail(&err, CHARLE_NOT_FOUND, "task %d", 7), CHARLE_NOT_FOUND);
    assert_string_equal(err.text, "task 7");
    assert_int_equal(charle_error_prefix(&err, CHARLE_NOT_FOUND, "line %d", 3), CHARLE_NOT_FOUND);
    assert_string_equal(err.text, "line 3: task 7");
    char lengthy[1000];
    memset(lengthy, 'x', sizeof(lengthy) - 1);
    lengthy[sizeof(lengthy) - 1] = '\0';
    charle_fail(&err, CHARLE_INTERNAL, "%s", lengthy);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    charle_error_prefix(&err, CHARLE_INTERNAL, "%s", lengthy);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_int_equal(charle_fail(NULL, CHARLE_IO, "nobody listens"), CHARLE_IO);
    assert_int_equal(charle_error_prefix(NULL, CHARLE_IO, "nobody listens"), CHARLE_IO);
}

static void sqlstates_survive_packing(void **state)
{
    (void)state;
    static const char *const states[] = {"00000", "23505", "40001", "40P01", "57P03", "XX000", "ZZZZZ", "0A000"};
    for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
        char out[6];
        charle_sqlstate_unpack(charle_sqlstate_pack(states[i]), out);
        assert_string_equal(out, states[i]);
    }
    assert_int_equal(charle_sqlstate_pack(NULL), 0);
    struct charle_error err = {0};
    charle_fail_foreign(&err, CHARLE_UNIQUE_VIOLATION, CHARLE_DOMAIN_POSTGRES, charle_sqlstate_pack("23505"), "taken");
    assert_int_equal(err.domain, CHARLE_DOMAIN_POSTGRES);
    assert_int_equal(err.foreign, charle_sqlstate_pack("23505"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_row),
        cmocka_unit_test(statuses_are_the_first_codes),
        cmocka_unit_test(details_are_kept_and_cut),
        cmocka_unit_test(sqlstates_survive_packing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
