// Rows in protobuf bytes: both forms of arrays, unknown fields, damaged bytes, enums that nobody knows.
#include "msg/wire.h"
#include "suite/db/fixture.h"
#include "suite/db/sample.h"

static struct charle_column_set only(const char *name)
{
    struct charle_column_set set = {{0, 0}};
    charle_column_set_add(&set, charle_table_column(&sample_table, charle_str(name))->index);
    return set;
}

static enum charle_err value_of(const char *column, struct charle_bytes row, struct charle_arena *arena,
                                struct charle_value *out, struct charle_error *err)
{
    struct charle_column_set set = only(column);
    return charle_row_values(&sample_table, &set, row, arena, out, err);
}

static void test_arrays_come_packed_or_one_by_one(void **state)
{
    static const uint8_t packed[] = {0x82, 0x02, 3, 1, 2, 3}, single[] = {0x80, 0x02, 1, 0x80, 0x02, 2, 0x80, 0x02, 3},
                         mixed[] = {0x82, 0x02, 1, 1, 0x80, 0x02, 2, 0x82, 0x02, 1, 3};
    const struct charle_bytes forms[] = {{packed, sizeof(packed)}, {single, sizeof(single)}, {mixed, sizeof(mixed)}};
    struct charle_arena arena = {0};
    struct charle_error err = {0};
    struct charle_value value;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_ok(value_of("a_small", forms[i], &arena, &value, &err), &err);
        assert_int_equal(value.array.count, 3);
        assert_memory_equal(value.array.items, ((const int32_t[]){1, 2, 3}), 12);
    }
    assert_ok(value_of("a_small", charle_bytes(NULL, 0), &arena, &value, &err), &err);
    assert_true(value.is_array && !value.is_null && value.array.count == 0); // NOT NULL
    assert_ok(value_of("na_text", charle_bytes(NULL, 0), &arena, &value, &err), &err);
    assert_true(value.is_null);
    charle_arena_deinit(&arena);
}

static void test_unknown_fields_are_skipped_and_the_last_one_counts(void **state)
{
    struct charle_buf buf = {0};
    struct charle_arena arena = {0};
    struct charle_error err = {0};
    struct charle_value value;
    (void)state;
    charle_wire_write_bytes(&buf, 999, "future", 6);
    charle_wire_write_bytes(&buf, 1, "first", 5);
    charle_wire_write_tag(&buf, 3, 0);
    charle_wire_write_varint(&buf, 7);
    charle_wire_write_bytes(&buf, 1, "second", 6);
    assert_ok(value_of("id", charle_buf_bytes(&buf), &arena, &value, &err), &err);
    assert_true(charle_str_equal(value.text, CHARLE_STR("second")));
    assert_ok(value_of("small", charle_buf_bytes(&buf), &arena, &value, &err), &err);
    assert_int_equal(value.int4, 7);
    assert_ok(value_of("n_big", charle_buf_bytes(&buf), &arena, &value, &err), &err);
    assert_true(value.is_null);
    charle_buf_deinit(&buf);
    charle_arena_deinit(&arena);
}

static void test_what_does_not_fit_is_refused(void **state)
{
    struct charle_arena arena = {0};
    struct charle_error err = {0};
    struct charle_value value;
    struct charle_buf buf = {0};
    static const uint8_t cut[] = {0x0a, 5, 'a'};
    (void)state;
    assert_fails(value_of("id", charle_bytes(cut, sizeof(cut)), &arena, &value, &err), CHARLE_MALFORMED, &err,
                 "sample");
    charle_wire_write_tag(&buf, 1, 0); // a number where the text belongs
    charle_wire_write_varint(&buf, 5);
    assert_fails(value_of("id", charle_buf_bytes(&buf), &arena, &value, &err), CHARLE_MALFORMED, &err, "column id");
    charle_buf_reset(&buf);
    charle_wire_write_tag(&buf, 7, 0);
    charle_wire_write_varint(&buf, 77);
    assert_fails(value_of("state", charle_buf_bytes(&buf), &arena, &value, &err), CHARLE_INVALID_ARGUMENT, &err, "77");
    charle_buf_reset(&buf);
    charle_wire_write_bytes(&buf, 11, "not-a-uuid", 10);
    assert_fails(value_of("tag", charle_buf_bytes(&buf), &arena, &value, &err), CHARLE_MALFORMED, &err, "tag");
    charle_buf_reset(&buf);
    charle_wire_write_bytes(&buf, 34, "1234567", 7); // doubles have eight bytes
    assert_fails(value_of("a_ratio", charle_buf_bytes(&buf), &arena, &value, &err), CHARLE_MALFORMED, &err, "a_ratio");
    charle_buf_deinit(&buf);
    charle_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arrays_come_packed_or_one_by_one),
        cmocka_unit_test(test_unknown_fields_are_skipped_and_the_last_one_counts),
        cmocka_unit_test(test_what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
