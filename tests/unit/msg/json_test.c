// JSON: exact output, what is read back, and what each refusal says. Validity is compared with jansson's opinion.
#include "base/limits.h"
#include "msg/json.h"
#include "msg/json_text.h"
#include "msg/wire.h"
#include "unit/msg/everything.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

static void assert_json(const struct charle_message *type, const void *message, const char *expected)
{
    struct charle_buf buf = {0};
    charle_message_write_json(type, message, &buf);
    assert_string_equal(charle_buf_text(&buf), expected);
    charle_buf_deinit(&buf);
}

static void assert_refused(const struct charle_message *type, const char *json, enum charle_err code, const char *words)
{
    struct charle_arena arena = {0};
    struct charle_error err = {0};
    void *out = charle_arena_alloc(&arena, type->size);
    if (charle_message_read_json(type, charle_str(json), &arena, out, &err) != code)
        fail_msg("%s: %s", json, err.text);
    if (!strstr(err.text, words))
        fail_msg("%s: expected \"%s\" in \"%s\"", json, words, err.text);
    charle_arena_deinit(&arena);
}

static void every_kind_of_value_is_written(void **state)
{
    (void)state;
    const struct leaf leaf = {.name = CHARLE_STR("n"), .rank = 2};
    const struct leaf *leaves[] = {&leaf, &leaf};
    const int32_t ints[] = {1, -2};
    struct everything m = {
        .need_int4 = -5,
        .need_text = CHARLE_STR("say \"é\"\n\\\x01"),
        .need_leaf = &leaf,
        .a_bool = {true, true},
        .an_int8 = {INT64_MIN, true},
        .a_ts = {{1795351260000000}, true},
        .a_date = {{20779}, true},
        .a_float8 = {0.1, true},
        .a_float4 = {0.1f, true},
        .a_uint8 = {UINT64_MAX, true},
        .an_enum = {7, true},
        .a_blob = {charle_bytes("\0\1\2\3", 4), true},
        .a_numeric = {{CHARLE_STR("12.5")}, true},
        .a_uuid = {{{1, 2}}, true},
        .a_json = {{CHARLE_STR("{\"a\":\n[1.10]}")}, true},
        .ints = {ints, 2, true},
        .leaves = {leaves, 2, true},
    };
    assert_json(
        &everything_message, &m,
        "{\"need_int4\":-5,\"need_text\":\"say \\\"é\\\"\\n\\\\\\u0001\",\"need_leaf\":{\"name\":\"n\",\"rank\":2},"
        "\"a_bool\":true,\"an_int8\":-9223372036854775808,\"a_ts\":\"2026-11-22T12:41:00Z\",\"a_date\":\"2026-11-22\","
        "\"a_float8\":0.1,\"a_float4\":0.1,\"a_uint8\":18446744073709551615,\"an_enum\":\"deep_blue\",\"a_blob\":"
        "\"AAECAw==\","
        "\"a_numeric\":\"12.5\",\"a_uuid\":\"01020000-0000-0000-0000-000000000000\",\"a_json\":{\"a\": [1.10]},"
        "\"ints\":[1,-2],\"leaves\":[{\"name\":\"n\",\"rank\":2},{\"name\":\"n\",\"rank\":2}]}");
}

static void odd_values_are_written(void **state)
{
    (void)state;
    const struct leaf leaf = {.name = CHARLE_STR(""), .rank = 0};
    struct everything m = {.need_leaf = &leaf,
                           .an_enum = {99, true},
                           .a_float8 = {__builtin_nan(""), true},
                           .a_float4 = {-__builtin_inff(), true},
                           .ints = {NULL, 0, true}};
    assert_json(&everything_message, &m,
                "{\"need_int4\":0,\"need_text\":\"\",\"need_leaf\":{\"name\":\"\",\"rank\":0},\"a_float8\":\"NaN\","
                "\"a_float4\":\"-Infinity\",\"an_enum\":99,\"ints\":[]}");
    struct charle_buf buf = {0};
    charle_field_write_json(charle_message_field(&everything_message, 17), &m, &buf);
    charle_field_write_json(charle_message_field(&everything_message, 16), &m, &buf);
    assert_string_equal(charle_buf_text(&buf), "null99");
    charle_buf_deinit(&buf);
}

static void random_messages_survive_json(void **state)
{
    (void)state;
    struct rng rng = {11};
    struct charle_arena arena = {0};
    struct charle_buf json = {0}, before = {0}, after = {0};
    for (int i = 0; i < 2000; i++) {
        charle_arena_reset(&arena);
        charle_buf_reset(&json);
        charle_buf_reset(&before);
        charle_buf_reset(&after);
        struct everything in = {0}, out;
        random_message(&rng, &everything_message, &arena, &in, 0);
        charle_message_write_json(&everything_message, &in, &json);
        assert_null(memchr(json.data, '\n', json.size));
        json_t *opinion = json_loadb((const char *)json.data, json.size, JSON_DECODE_INT_AS_REAL, NULL);
        assert_non_null(opinion);
        json_decref(opinion);
        struct charle_error err = {0};
        if (charle_message_read_json(&everything_message, charle_buf_str(&json), &arena, &out, &err))
            fail_msg("%s", err.text);
        charle_message_write(&everything_message, &in, &before);
        charle_message_write(&everything_message, &out, &after);
        assert_int_equal(before.size, after.size);
        assert_memory_equal(before.data, after.data, before.size);
    }
    charle_buf_deinit(&json);
    charle_buf_deinit(&before);
    charle_buf_deinit(&after);
    charle_arena_deinit(&arena);
}

static void people_may_write_it_loosely(void **state)
{
    (void)state;
    struct charle_arena arena = {0};
    struct everything m;
    struct charle_error err = {0};
    const char *json =
        " { \"need_text\" : \"\\u00e9\\ud834\\udd1e\\/\" ,\n\"need_int4\":5, \"need_leaf\":{\"rank\":1,\"name\":\"x\","
        "\"weight\":null}, \"a_numeric\": 1.50, \"an_int8\": \"9007199254740993\", \"an_enum\": \"red\", "
        "\"an_sfixed4\":-1,"
        "\"a_json\": [1, {\"b\": null}], \"texts\": [], \"a_ts\": \"2026-11-22T13:41:00+01:00\", \"a_uint4\": "
        "4294967295 } ";
    if (charle_message_read_json(&everything_message, charle_str(json), &arena, &m, &err))
        fail_msg("%s", err.text);
    assert_true(charle_str_equal(m.need_text, CHARLE_STR("é𝄞/")));
    assert_false(m.need_leaf->weight.has);
    assert_true(charle_str_equal(m.a_numeric.value.text, CHARLE_STR("1.5")));
    assert_true(m.an_int8.value == 9007199254740993);
    assert_int_equal(m.an_enum.value, 1);
    assert_true(charle_str_equal(m.a_json.value.text, CHARLE_STR("[1, {\"b\": null}]")));
    assert_true(m.a_ts.value.us == 1795351260000000);
    assert_int_equal(m.texts.count, 0);
    charle_arena_deinit(&arena);
}

#define NEEDED "\"need_int4\":1,\"need_text\":\"\",\"need_leaf\":{\"name\":\"\",\"rank\":1}"

static void refusals_say_what_and_where(void **state)
{
    (void)state;
    static const struct {
        const char *json, *words;
    } cases[] = {
        {"", "must be a JSON object"},
        {"[]", "charle.test.Everything must be a JSON object"},
        {"{", "not valid at character 2"},
        {"{}", "charle.test.Everything.need_int4 is required and missing"},
        {"{\"need_int4\":null}", "need_int4 is required and missing"},
        {"{\"need_leaf\":{\"name\":\"a\"}}", "charle.test.Leaf.rank is required and missing"},
        {"{\"nope\":1}", "charle.test.Everything has no field \"nope\"; it has need_int4, need_text"},
        {"{\"need_int4\":1,\"need_int4\":2}", "need_int4 is given twice"},
        {"{\"need_int4\":\"1\"}", "need_int4 must be a whole number from -2147483648"},
        {"{\"need_int4\":1.5}", "need_int4 must be a whole number"},
        {"{\"need_int4\":2147483648}", "need_int4 must be a whole number"},
        {"{\"need_int4\":[1]}", "need_int4 must be a whole number"},
        {"{\"need_text\":5}", "need_text must be a string"},
        {"{\"need_text\":\"\\u0000\"}", "not valid at character"},
        {"{\"need_text\":\"\\ud800\"}", "not valid at character"},
        {"{\"need_text\":\"\\ud800\\u0041\"}", "not valid at character"},
        {"{\"need_text\":\"\\udc00\"}", "not valid at character"},
        {"{\"need_text\":\"\\q\"}", "not valid at character"},
        {"{\"need_text\":\"\xff\"}", "need_text must be a string in valid UTF-8"},
        {"{\"need_leaf\":3}", "need_leaf must be an object"},
        {"{\"a_bool\":1}", "a_bool must be true or false"},
        {"{\"a_bool\":\"true\"}", "a_bool must be true or false"},
        {"{\"an_enum\":\"green\"}", "an_enum must be one of \"below\", \"none\", \"red\", \"deep_blue\""},
        {"{\"a_ts\":\"yesterday\"}", "a_ts must be a time such as"},
        {"{\"a_date\":\"2026-02-30\"}", "a_date must be a date such as"},
        {"{\"a_numeric\":\"many\"}", "a_numeric must be a decimal"},
        {"{\"a_uuid\":\"1\"}", "a_uuid must be a UUID"},
        {"{\"a_blob\":\"x\"}", "a_blob must be a string in base64"},
        {"{\"a_blob\":\"x===\"}", "a_blob must be a string in base64"},
        {"{\"a_uint8\":-1}", "a_uint8 must be a whole number from 0"},
        {"{\"a_uint4\":4294967296}", "a_uint4 must be a whole number from 0 to"},
        {"{\"ints\":1}", "ints must be an array"},
        {"{\"ints\":[1,\"a\"]}", "ints must be a whole number"},
        {"{\"ints\":[1,null]}", "ints must be a whole number"},
        {"{\"ints\":[1,]}", "not valid at character"},
        {"{\"ints\":[1", "not valid at character"},
        {"{\"short_text\":\"123456789\"}", "short_text has 9 bytes; at most 8 are allowed"},
        {"{" NEEDED "} x", "goes on behind its object"},
        {"{" NEEDED ",}", "not valid at character"},
        {"{\"a_float8\":tru}", "not valid at character"},
        {"{\"a_float8\":01}", "not valid at character"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_refused(&everything_message, cases[i].json, CHARLE_INVALID_ARGUMENT, cases[i].words);
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    struct charle_buf buf = {0};
    for (int i = 0; i < 40; i++)
        charle_buf_add_text(&buf, "{\"child\":");
    assert_refused(&node_message, charle_buf_text(&buf), CHARLE_TOO_LARGE, "nested too deeply");
    charle_buf_reset(&buf);
    charle_buf_add_text(&buf, "{\"a_json\":");
    for (int i = 0; i < 100000; i++)
        charle_buf_add_byte(&buf, '[');
    assert_refused(&everything_message, charle_buf_text(&buf), CHARLE_INVALID_ARGUMENT, "not valid");
    charle_buf_deinit(&buf);
}

static void plain_text_becomes_a_value(void **state)
{
    (void)state;
    struct charle_arena arena = {0};
    struct charle_error err = {0};
    int64_t number;
    assert_int_equal(
        charle_field_read_text(charle_message_field(&everything_message, 8), CHARLE_STR("-12"), &arena, &number, &err),
        CHARLE_OK);
    assert_int_equal(number, -12);
    assert_int_equal(
        charle_field_read_text(charle_message_field(&everything_message, 8), CHARLE_STR("12 "), &arena, &number, &err),
        CHARLE_INVALID_ARGUMENT);
    assert_string_equal(err.text, "an_int8 must be a whole number of at most 64 bits");
    charle_arena_deinit(&arena);
}

// jansson limits what it can hold (numbers that overflow, 2,048 levels); texts here stay within that.
static bool jansson_accepts(const char *text, size_t len)
{
    json_error_t error;
    json_t *value = json_loadb(text, len, JSON_DECODE_ANY, &error);
    json_decref(value);
    return value != NULL;
}

static void validity_agrees_with_jansson(void **state)
{
    (void)state;
    static const char *const alphabet[] = {"{",       "}",     "[",  "]",      ",",    ":",  "\"", "\"a\"",
                                           "\"\\n\"", "\\u12", "1",  "-",      "0",    ".5", "e2", "true",
                                           "null",    " ",     "\n", "\"é\"",  "\xc3", "\\", "\t", "\"\\ud834\\udd1e\"",
                                           "x",       "{}",    "[]", "\"k\":", "1,"};
    struct rng rng = {23};
    size_t valid = 0;
    for (int i = 0; i < 300000; i++) {
        char text[128];
        size_t len = 0, pieces = 1 + rng_below(&rng, 7);
        for (size_t p = 0; p < pieces; p++) {
            const char *piece = alphabet[rng_below(&rng, sizeof(alphabet) / sizeof(*alphabet))];
            memcpy(text + len, piece, strlen(piece));
            len += strlen(piece);
        }
        bool ours = ch_json_is_valid(charle_str_n(text, len));
        if (ours != jansson_accepts(text, len))
            fail_msg("we say %d of: %.*s", ours, (int)len, text);
        valid += ours;
    }
    assert_true(valid > 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_value_is_written), cmocka_unit_test(odd_values_are_written),
        cmocka_unit_test(random_messages_survive_json),   cmocka_unit_test(people_may_write_it_loosely),
        cmocka_unit_test(refusals_say_what_and_where),    cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(plain_text_becomes_a_value),     cmocka_unit_test(validity_agrees_with_jansson),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
