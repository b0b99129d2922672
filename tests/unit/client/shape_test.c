// The shape of a schema: one encoding, a hash that names it, and nothing unsound accepted from a peer.
#include "base/alloc.h"
#include "base/limits.h"
#include "msg/wire.h"
#include "notes.schema.charle.h"
#include "sync/shape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct charle_buf written(void)
{
    struct charle_buf shape = {0};
    assert_int_equal(ch_shape_write(&notes_schema, &shape, NULL), CHARLE_OK);
    return shape;
}

static void it_says_what_a_replica_knows(void **state)
{
    (void)state;
    struct charle_buf bytes = written();
    struct charle_arena arena = {0};
    struct charle_schema_shape shape;
    assert_int_equal(ch_shape_read(charle_buf_bytes(&bytes), &arena, &shape, NULL), CHARLE_OK);
    assert_true(charle_str_equal(shape.name, CHARLE_STR("notes")));
    assert_null(ch_shape_table(&shape, 5)); // not replicated
    const struct charle_table_shape *note = ch_shape_table(&shape, 3);
    assert_non_null(note);
    const struct charle_column_shape *state_column = ch_shape_column(note, 6), *body = ch_shape_column(note, 4);
    assert_int_equal(state_column->type, CHARLE_TYPE_ENUM);
    assert_int_equal(state_column->zero.value, 1);
    assert_true(body->is_nullable.value);
    assert_true(ch_shape_column(note, 10)->is_array.value);
    assert_null(ch_shape_column(note, 11));
    const struct charle_audience_shape *team = ch_shape_audience(note, CHARLE_STR("team")), *room = ch_shape_audience(note, CHARLE_STR("room"));
    assert_false(ch_shape_shows(team, 4));
    assert_true(ch_shape_shows(team, 3));
    assert_true(team->condition.has);
    assert_int_equal(room->column.value, 2);
    assert_null(ch_shape_audience(note, CHARLE_STR("nobody")));
    charle_arena_deinit(&arena);
    charle_buf_deinit(&bytes);
}

static void its_hash_names_it(void **state)
{
    (void)state;
    struct charle_buf one = written(), two = written();
    assert_int_equal(one.size, two.size);
    assert_true(ch_shape_hash(charle_buf_bytes(&one)) == ch_shape_hash(charle_buf_bytes(&two)));
    two.data[two.size / 2] ^= 1;
    assert_true(ch_shape_hash(charle_buf_bytes(&one)) != ch_shape_hash(charle_buf_bytes(&two)));
    charle_buf_deinit(&one);
    charle_buf_deinit(&two);
}

// Whatever a peer sends is either refused or sound: in order, in range, with keys and audiences that name columns it has.
static void assert_sound(const struct charle_schema_shape *shape)
{
    const struct charle_table_shape *const *tables = shape->table.items;
    for (size_t i = 0; i < shape->table.count; i++) {
        assert_true(!i || tables[i - 1]->id < tables[i]->id);
        assert_true(tables[i]->column.count > 0 && tables[i]->column.count <= 128 && tables[i]->key.count > 0);
        for (size_t k = 0; k < tables[i]->key.count; k++)
            assert_non_null(ch_shape_column(tables[i], ((const uint32_t *)tables[i]->key.items)[k]));
    }
}

static void damaged_ones_are_refused_or_sound(void **state)
{
    (void)state;
    struct charle_buf bytes = written();
    size_t refused = 0;
    for (size_t i = 0; i < bytes.size * 8; i++) {
        struct charle_arena arena = {0};
        struct charle_schema_shape shape;
        struct charle_error err = {0};
        bytes.data[i / 8] ^= (uint8_t)(1u << (i % 8));
        if (ch_shape_read(charle_buf_bytes(&bytes), &arena, &shape, &err)) {
            assert_true(err.text[0] != '\0');
            refused++;
        } else {
            assert_sound(&shape);
        }
        bytes.data[i / 8] ^= (uint8_t)(1u << (i % 8));
        charle_arena_deinit(&arena);
    }
    assert_true(refused > bytes.size);
    for (size_t size = 0; size < bytes.size; size++) {
        struct charle_arena arena = {0};
        struct charle_schema_shape shape;
        if (ch_shape_read(charle_bytes(bytes.data, size), &arena, &shape, NULL) == CHARLE_OK)
            assert_sound(&shape);
        charle_arena_deinit(&arena);
    }
    charle_buf_deinit(&bytes);
}

static void large_ones_are_refused(void **state)
{
    (void)state;
    uint8_t *bytes = calloc(1, CH_SHAPE_SIZE_MAX + 1);
    struct charle_arena arena = {0};
    struct charle_schema_shape shape;
    assert_non_null(bytes);
    assert_int_equal(ch_shape_read(charle_bytes(bytes, CH_SHAPE_SIZE_MAX + 1), &arena, &shape, NULL), CHARLE_TOO_LARGE);
    charle_arena_deinit(&arena);
    free(bytes);
}

static void a_schema_without_replicas_has_an_empty_shape(void **state)
{
    (void)state;
    const struct charle_schema none = {.name = CHARLE_STR_INIT("none")};
    struct charle_buf bytes = {0};
    struct charle_arena arena = {0};
    struct charle_schema_shape shape;
    assert_int_equal(ch_shape_write(&none, &bytes, NULL), CHARLE_OK);
    assert_int_equal(ch_shape_read(charle_buf_bytes(&bytes), &arena, &shape, NULL), CHARLE_OK);
    assert_int_equal(shape.table.count, 0);
    charle_arena_deinit(&arena);
    charle_buf_deinit(&bytes);
}

static void every_allocation_of_a_shape_may_fail(void **state)
{
    (void)state;
    bool has_failed = true;
    int failures = 0;
    for (long n = 1; has_failed; n++) {
        struct charle_buf bytes = {0};
        struct charle_error err = {0};
        ch_alloc_fail_at(n, 0);
        enum charle_err rc = ch_shape_write(&notes_schema, &bytes, &err);
        has_failed = ch_alloc_count() >= n;
        ch_alloc_fail_at(0, 0);
        if (rc)
            assert_true(rc == CHARLE_NO_MEMORY && err.text[0]);
        failures += rc != CHARLE_OK;
        charle_buf_deinit(&bytes);
    }
    assert_true(failures > 1);
}

// With more tables a shape takes more than one block of memory, and each of its parts is once the one that begins a block.
static void no_block_of_a_large_shape_is_taken_for_granted(void **state)
{
    (void)state;
    const struct charle_table *tables[400];
    struct charle_schema many = notes_schema;
    const struct charle_table *note = NULL;
    for (size_t i = 0; i < notes_schema.table_count; i++)
        note = charle_str_equal(notes_schema.tables[i]->name, CHARLE_STR("note")) ? notes_schema.tables[i] : note;
    assert_non_null(note);
    for (size_t i = 0; i < 400; i++)
        tables[i] = i % 3 ? note : notes_schema.tables[0];
    many.tables = tables;
    int failures = 0;
    for (many.table_count = 1; many.table_count < 400; many.table_count += 3) {
        bool has_failed = true;
        for (long n = 1; has_failed; n++) {
            struct charle_buf bytes = {0};
            ch_alloc_fail_at(n, 0);
            enum charle_err rc = ch_shape_write(&many, &bytes, NULL);
            has_failed = ch_alloc_count() >= n;
            ch_alloc_fail_at(0, 0);
            assert_true(!rc || rc == CHARLE_NO_MEMORY);
            failures += rc != CHARLE_OK;
            charle_buf_deinit(&bytes);
        }
    }
    assert_true(failures > 400);
}

// The shape of one table with so many columns, as a peer sends it; the key is the column of this number, 0: there is none.
static enum charle_err read_table(size_t column_count, uint32_t key)
{
    struct charle_column_shape columns[CH_COLUMNS_MAX + 1];
    const struct charle_column_shape *column_list[CH_COLUMNS_MAX + 1];
    for (size_t i = 0; i < column_count; i++) {
        columns[i] = (struct charle_column_shape){.number = (uint32_t)i + 1, .type = CHARLE_TYPE_INT4, .wire = CHARLE_WIRE_INT32};
        column_list[i] = &columns[i];
    }
    const struct charle_table_shape table = {.id = 1, .column = {column_list, column_count, true}, .key = {&key, key ? 1 : 0, true}};
    const struct charle_table_shape *tables[] = {&table};
    const struct charle_schema_shape shape = {.name = CHARLE_STR("one"), .table = {tables, 1, true}};
    struct charle_schema_shape read;
    struct charle_arena arena = {0};
    struct charle_buf bytes = {0};
    struct charle_error err = {0};
    charle_message_write(&charle_schema_shape_message, &shape, &bytes);
    enum charle_err rc = ch_shape_read(charle_buf_bytes(&bytes), &arena, &read, &err);
    assert_true(!rc || strstr(err.text, "table 1"));
    charle_arena_deinit(&arena);
    charle_buf_deinit(&bytes);
    return rc;
}

static void tables_have_columns_and_a_key_among_them(void **state)
{
    (void)state;
    assert_int_equal(read_table(1, 1), CHARLE_OK);
    assert_int_equal(read_table(CH_COLUMNS_MAX, CH_COLUMNS_MAX), CHARLE_OK);
    assert_int_equal(read_table(CH_COLUMNS_MAX + 1, 1), CHARLE_INVALID_ARGUMENT);
    assert_int_equal(read_table(0, 1), CHARLE_INVALID_ARGUMENT);
    assert_int_equal(read_table(2, 0), CHARLE_INVALID_ARGUMENT);
    assert_int_equal(read_table(2, 3), CHARLE_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_what_a_replica_knows),
        cmocka_unit_test(its_hash_names_it),
        cmocka_unit_test(damaged_ones_are_refused_or_sound),
        cmocka_unit_test(large_ones_are_refused),
        cmocka_unit_test(a_schema_without_replicas_has_an_empty_shape),
        cmocka_unit_test(every_allocation_of_a_shape_may_fail),
        cmocka_unit_test(no_block_of_a_large_shape_is_taken_for_granted),
        cmocka_unit_test(tables_have_columns_and_a_key_among_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
