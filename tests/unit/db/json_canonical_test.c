// JSON as PostgreSQL's jsonb spells it. That PostgreSQL agrees is tested in tests/suite/db/rows_test.c on random texts.
#include "base/alloc.h"
#include "base/buf.h"
#include "db/json_canonical.h"
#include "suite/db/fixture.h"

static void assert_canonical(const char *text, const char *wanted)
{
    struct charle_arena arena = {0};
    struct charle_error err = {0};
    struct charle_str out = {0};
    assert_ok(ch_json_canonical(charle_str(text), &arena, &out, &err), &err);
    assert_string_equal(out.ptr, wanted);
    assert_int_equal(out.len, strlen(wanted));
    charle_arena_deinit(&arena);
}

static void assert_refused(const char *text, const char *words)
{
    struct charle_arena arena = {0};
    struct charle_error err = {0};
    struct charle_str out = {0};
    assert_fails(ch_json_canonical(charle_str(text), &arena, &out, &err), CHARLE_INVALID_ARGUMENT, &err, words);
    charle_arena_deinit(&arena);
}

static void test_space_and_order(void **state)
{
    (void)state;
    assert_canonical("{}", "{}");
    assert_canonical(" [ ] ", "[]");
    assert_canonical("[1,\n2 ,\t\"a b\"]", "[1, 2, \"a b\"]");
    assert_canonical("{\"bb\":1,\"a\":{\"z\":[],\"y\":null},\"c\":true}",
                     "{\"a\": {\"y\": null, \"z\": []}, \"c\": true, \"bb\": 1}");
    assert_canonical("{\"a\":1,\"b\":2,\"a\":3}", "{\"a\": 3, \"b\": 2}");
    assert_canonical("{\"\":{\"\":[{}]}}", "{\"\": {\"\": [{}]}}");
}

static void test_numbers(void **state)
{
    (void)state;
    assert_canonical("0", "0");
    assert_canonical("-0", "0");
    assert_canonical("-0.0", "0.0");
    assert_canonical("1.50", "1.50");
    assert_canonical("1e3", "1000");
    assert_canonical("1.5E1", "15");
    assert_canonical("1.50e1", "15.0");
    assert_canonical("25e-4", "0.0025");
    assert_canonical("-1.25e+2", "-125");
    assert_canonical("0e10", "0");
    assert_canonical("0.00e1", "0.0");
    assert_canonical("1e-3", "0.001");
    assert_refused("1e99999", "too long");
}

static void test_strings(void **state)
{
    (void)state;
    assert_canonical("\"\\u00e9\\/\\n\\u0001\\\"\\\\\"", "\"\xc3\xa9/\\n\\u0001\\\"\\\\\"");
    assert_canonical("\"\\ud83d\\ude82\"", "\"\xf0\x9f\x9a\x82\"");
    assert_canonical("\"\\b\\f\\r\\t\x7f\"", "\"\\b\\f\\r\\t\x7f\"");
}

static void test_what_is_no_json(void **state)
{
    (void)state;
    assert_refused("", "byte 1");
    assert_refused("{", "not valid JSON");
    assert_refused("[1,]", "not valid JSON");
    assert_refused("{a:1}", "byte 2");
    assert_refused("nul", "not valid JSON");
    assert_refused("1 2", "byte 3");
    assert_refused("\"\\u0000\"", "not valid JSON");
    assert_refused("\"\\ud800\"", "not valid JSON");
    assert_refused("01", "not valid JSON");
    assert_refused("NaN", "not valid JSON");
    char deep[4001];
    memset(deep, '[', 2000);
    memset(deep + 2000, ']', 2000);
    deep[4000] = '\0';
    assert_refused(deep, "not valid JSON");
    static const char *const broken[] = {"{\"a\"}", "{\"a\":}", "{\"a\":1", "{\"a\":1,}", "{\"a\":1 \"b\":2}", "{\"a", "[1 2]", "[", "\"\\x\"", "-", "1.", "1e"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
        assert_refused(broken[i], "not valid JSON");
}

static void test_every_allocation_may_fail(void **state)
{
    struct charle_error err = {0};
    struct charle_str out;
    enum charle_err rc = CHARLE_NO_MEMORY;
    (void)state;
    for (long n = 1; rc; n++) {
        struct charle_arena arena = {0};
        ch_alloc_fail_at(n, 0);
        rc = ch_json_canonical(CHARLE_STR("{\"b\":[1,2],\"a\":\"x\\n\"}"), &arena, &out, &err);
        ch_alloc_fail_at(0, 0);
        assert_true(rc == CHARLE_OK || rc == CHARLE_NO_MEMORY);
        charle_arena_deinit(&arena);
        assert_true(n < 100);
    }
}

static void test_large_objects(void **state)
{
    enum { COUNT = 300 };
    struct charle_buf text = {0}, sorted = {0};
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        charle_buf_printf(&text, "%s\"k%03d\" : %d", i ? " , " : "{", COUNT - 1 - i, i);
        charle_buf_printf(&sorted, "%s\"k%03d\": %d", i ? ", " : "{", i, COUNT - 1 - i);
    }
    charle_buf_add_text(&text, "}");
    charle_buf_add_text(&sorted, "}");
    struct charle_arena arena = {0};
    struct charle_error err = {0};
    struct charle_str out;
    assert_int_equal(ch_json_canonical(charle_buf_str(&text), &arena, &out, &err), CHARLE_OK);
    assert_int_equal(out.len, sorted.size);
    assert_memory_equal(out.ptr, sorted.data, out.len);
    charle_arena_deinit(&arena);
    arena = (struct charle_arena){.size_max = 4096};
    assert_int_equal(ch_json_canonical(charle_buf_str(&text), &arena, &out, &err), CHARLE_NO_MEMORY);
    charle_arena_deinit(&arena);
    charle_buf_deinit(&text);
    charle_buf_deinit(&sorted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_space_and_order),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_what_is_no_json),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_large_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
