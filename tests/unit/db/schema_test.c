// Looking up tables and columns.
#include "db/row.h"
#include "suite/db/agency.h"
#include "suite/db/fixture.h"
#include "suite/db/sample.h"

static const struct charle_table *const tables[] = {&client_table, &task_table, &entry_table};
static const struct charle_schema schema = {.name = CHARLE_STR_INIT("agency"), .tables = tables, .table_count = 3};

static void test_tables(void **state)
{
    (void)state;
    for (uint32_t id = 1; id <= 3; id++)
        assert_ptr_equal(charle_schema_table(&schema, id), tables[id - 1]);
    assert_null(charle_schema_table(&schema, 0));
    assert_null(charle_schema_table(&schema, 4));
    assert_ptr_equal(charle_schema_table_named(&schema, CHARLE_STR("task")), &task_table);
    assert_null(charle_schema_table_named(&schema, CHARLE_STR("tas")));
    const struct charle_schema empty = {0};
    assert_null(charle_schema_table(&empty, 1));
    assert_null(charle_schema_table_named(&empty, CHARLE_STR("task")));
}

static void test_columns(void **state)
{
    (void)state;
    assert_int_equal(charle_table_column(&task_table, CHARLE_STR("title"))->index, 3);
    assert_null(charle_table_column(&task_table, CHARLE_STR("Title")));
    assert_int_equal(charle_table_column_numbered(&task_table, 17)->index, 16);
    assert_null(charle_table_column_numbered(&task_table, 99));
    // Columns may stand in another order than their fields.
    const struct charle_column *late = charle_table_column(&sample_table, CHARLE_STR("a_text"));
    assert_int_equal(late->index, 2);
    assert_ptr_equal(charle_table_column_numbered(&sample_table, 35), late);
    assert_ptr_equal(ch_row_column(&sample_table, late->field), late);
}

static void test_sets(void **state)
{
    struct charle_column_set set = {{0, 0}};
    (void)state;
    charle_column_set_add(&set, 0);
    charle_column_set_add(&set, 63);
    charle_column_set_add(&set, 64);
    charle_column_set_add(&set, 127);
    assert_int_equal(charle_column_set_count(&set), 4);
    assert_int_equal(charle_column_set_rank(&set, 0), 0);
    assert_int_equal(charle_column_set_rank(&set, 63), 1);
    assert_int_equal(charle_column_set_rank(&set, 64), 2);
    assert_int_equal(charle_column_set_rank(&set, 127), 3);
    assert_true(charle_column_set_has(&set, 127));
    assert_false(charle_column_set_has(&set, 1));
    struct charle_column_set all = charle_table_all_columns(&task_table), key = charle_table_key_set(&task_table);
    assert_int_equal(charle_column_set_count(&all), task_table.column_count);
    assert_int_equal(charle_column_set_count(&key), 1);
    assert_true(charle_column_set_has(&key, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
