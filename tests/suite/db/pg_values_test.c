// Values between this program and PostgreSQL: what each of its types comes as, and into which types each of ours goes.
#include "db/pg/pg.h"
#include "db/value.h"
#include "fixture.h"
#include "support/pg_cluster.h"

#include <stdio.h>
#include <string.h>

static struct charle_db *db;

static int open_all(void **state)
{
    (void)state;
    struct charle_error err = {0};
    assert_ok(ch_pg_open(suite_pg_url(), NULL, &db, &err), &err);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    charle_db_close(db);
    return 0;
}

// --- reading --------------------------------------------------------------------------------------------------------

// The only value of a statement, open until the rows are closed.
static struct charle_rows *one_row(const char *sql)
{
    struct charle_error err = {0};
    struct charle_rows *rows = NULL;
    assert_ok(charle_query(db, sql, NULL, 0, &rows, &err), &err);
    assert_ok(charle_rows_next(rows, &err), &err);
    return rows;
}

static void comes_as(const char *sql, enum charle_type type)
{
    struct charle_error err = {0};
    struct charle_value value;
    struct charle_rows *rows = one_row(sql);
    assert_ok(charle_rows_value(rows, 0, (enum charle_type)0, false, &value, &err), &err);
    if (value.type != type)
        fail_msg("%s came as %s, not %s", sql, charle_type_name((enum charle_type)value.type), charle_type_name(type));
    charle_rows_close(rows);
}

static void types_come_as_what_they_are(void **state)
{
    (void)state;
    comes_as("select true", CHARLE_TYPE_BOOL);
    comes_as("select '\\x01'::bytea", CHARLE_TYPE_BYTES);
    comes_as("select 1::int2", CHARLE_TYPE_INT4);
    comes_as("select 1::int4", CHARLE_TYPE_INT4);
    comes_as("select 1::int8", CHARLE_TYPE_INT8);
    comes_as("select 1::oid", CHARLE_TYPE_INT8);
    comes_as("select 1.5::float4", CHARLE_TYPE_FLOAT8);
    comes_as("select 1.5::float8", CHARLE_TYPE_FLOAT8);
    comes_as("select date '2026-11-22'", CHARLE_TYPE_DATE);
    comes_as("select timestamp '2026-11-22 10:00'", CHARLE_TYPE_TIMESTAMPTZ);
    comes_as("select timestamptz '2026-11-22 10:00Z'", CHARLE_TYPE_TIMESTAMPTZ);
    comes_as("select 1.50::numeric", CHARLE_TYPE_NUMERIC);
    comes_as("select '00000000-0000-4000-8000-000000000001'::uuid", CHARLE_TYPE_UUID);
    comes_as("select '{}'::json", CHARLE_TYPE_JSONB);
    comes_as("select '{}'::jsonb", CHARLE_TYPE_JSONB);
    comes_as("select 'x'::varchar", CHARLE_TYPE_TEXT);
    comes_as("select 'x'::name", CHARLE_TYPE_TEXT);
}

static void reads_as_text(const char *sql, enum charle_type type, const char *wanted)
{
    struct charle_error err = {0};
    struct charle_value value;
    struct charle_rows *rows = one_row(sql);
    assert_ok(charle_rows_value(rows, 0, type, false, &value, &err), &err);
    if (!charle_str_equal(value.text, charle_str(wanted)))
        fail_msg("%s was read as \"%.*s\", not \"%s\"", sql, CHARLE_FMT(value.text), wanted);
    charle_rows_close(rows);
}

static double reads_as_float(const char *sql)
{
    struct charle_error err = {0};
    struct charle_value value;
    struct charle_rows *rows = one_row(sql);
    assert_ok(charle_rows_value(rows, 0, CHARLE_TYPE_FLOAT8, false, &value, &err), &err);
    charle_rows_close(rows);
    return value.float8;
}

static void types_can_be_read_as_wider_ones(void **state)
{
    (void)state;
    assert_true(reads_as_float("select 1.5::float4") == 1.5);
    assert_true(reads_as_float("select -7::int2") == -7);
    assert_true(reads_as_float("select 4000000000::oid") == 4000000000.0);
    assert_int_equal(must_count(db, "select (-32768)::int2"), -32768);
    assert_int_equal(must_count(db, "select sum(x) from (values (9223372036854775807::numeric), (0)) v(x)"), INT64_MAX);
    assert_int_equal(must_count(db, "select (-9223372036854775808)::numeric"), INT64_MIN);
    reads_as_text("select 12::int8", CHARLE_TYPE_NUMERIC, "12");
    reads_as_text("select 'NaN'::numeric", CHARLE_TYPE_NUMERIC, "NaN");
    reads_as_text("select 1.50::numeric", CHARLE_TYPE_TEXT, "1.5");
    reads_as_text("select '{\"a\": 1}'::jsonb", CHARLE_TYPE_TEXT, "{\"a\": 1}");
    reads_as_text("select '00000000-0000-4000-8000-000000000001'::uuid", CHARLE_TYPE_TEXT, "00000000-0000-4000-8000-000000000001");
    reads_as_text("select '[1]'::text", CHARLE_TYPE_JSONB, "[1]");
}

static void cannot_be_read(const char *sql, enum charle_type type, bool is_array, const char *words)
{
    struct charle_error err = {0};
    struct charle_value value;
    struct charle_rows *rows = one_row(sql);
    assert_fails(charle_rows_value(rows, 0, type, is_array, &value, &err), CHARLE_INVALID_ARGUMENT, &err, words);
    charle_rows_close(rows);
}

static void types_are_not_read_as_others(void **state)
{
    (void)state;
    cannot_be_read("select 1", CHARLE_TYPE_BOOL, false, "cast the column");
    cannot_be_read("select true", CHARLE_TYPE_INT8, false, "PostgreSQL gave BOOL");
    cannot_be_read("select true", CHARLE_TYPE_TEXT, false, "cannot be read as text");
    cannot_be_read("select true", CHARLE_TYPE_FLOAT8, false, "cannot be read as float8");
    cannot_be_read("select true", CHARLE_TYPE_NUMERIC, false, "cannot be read as numeric");
    cannot_be_read("select true", CHARLE_TYPE_JSONB, false, "cannot be read as json");
    cannot_be_read("select 'x'", CHARLE_TYPE_MESSAGE, false, "cannot be read");
    cannot_be_read("select 3000000000::int8", CHARLE_TYPE_INT4, false, "cannot be read as int4");
    cannot_be_read("select 1.5::numeric", CHARLE_TYPE_INT8, false, "cannot be read as int8");
    cannot_be_read("select 9223372036854775808::numeric", CHARLE_TYPE_INT8, false, "cannot be read as int8");
    cannot_be_read("select array['x']", CHARLE_TYPE_INT8, true, "cannot be read as int8[]");
    cannot_be_read("select 'x'", CHARLE_TYPE_TEXT, true, "cannot be read");
    cannot_be_read("select point '(1,2)'", CHARLE_TYPE_TEXT, false, "a type that this program does not know");
}

static void arrays_lose_what_is_null_and_their_dimensions(void **state)
{
    struct charle_error err = {0};
    struct charle_value value;
    struct charle_rows *rows = one_row("select array[array[1, null], array[3, 4]]::int8[]");
    (void)state;
    assert_ok(charle_rows_value(rows, 0, CHARLE_TYPE_INT8, true, &value, &err), &err);
    assert_int_equal(value.array.count, 3);
    assert_int_equal(((const int64_t *)value.array.items)[1], 3);
    charle_rows_close(rows);
}

// --- binding --------------------------------------------------------------------------------------------------------

static void goes_into(struct charle_value value, const char *sql)
{
    struct charle_error err = {0};
    int64_t is_equal = 0;
    assert_ok(charle_query_number(db, sql, &value, 1, &is_equal, &err), &err);
    if (is_equal != 1)
        fail_msg("%s: %lld", sql, (long long)is_equal);
}

static struct charle_value typed_text(enum charle_type type, const char *text)
{
    return (struct charle_value){.type = (uint8_t)type, .text = charle_str(text)};
}

static void values_go_where_they_fit(void **state)
{
    (void)state;
    goes_into(charle_int8(-32768), "select ($1::int2 = -32768)::int");
    goes_into(charle_int4(7), "select ($1::int8 = 7)::int");
    goes_into(charle_int8(4000000000), "select ($1::oid = 4000000000)::int");
    goes_into(charle_int8(3), "select ($1::float4 = 3)::int");
    goes_into(charle_float8(1.5), "select ($1::float4 = 1.5)::int");
    goes_into(charle_int4(12), "select ($1::numeric = 12)::int");
    goes_into(typed_text(CHARLE_TYPE_NUMERIC, "NaN"), "select ($1::numeric = 'NaN')::int");
    goes_into(typed_text(CHARLE_TYPE_NUMERIC, "1.5e3"), "select ($1::numeric = 1500)::int");
    goes_into(typed_text(CHARLE_TYPE_NUMERIC, "+0.25"), "select ($1::numeric = 0.25)::int");
    goes_into(typed_text(CHARLE_TYPE_JSONB, "{\"a\":[1]}"), "select ($1::jsonb = '{\"a\": [1]}')::int");
    goes_into(typed_text(CHARLE_TYPE_JSONB, "[1]"), "select ($1::json::text = '[1]')::int");
    goes_into(charle_text(CHARLE_STR("00000000-0000-4000-8000-000000000001")),
              "select ($1::uuid = '00000000-0000-4000-8000-000000000001')::int");
}

static void is_refused(struct charle_value value, const char *sql, enum charle_err code, const char *words)
{
    struct charle_error err = {0};
    assert_fails(charle_exec(db, sql, &value, 1, NULL, &err), code, &err, words);
}

static void values_do_not_go_elsewhere(void **state)
{
    static const char *const casts[] = {"bool", "bytea", "int2", "int8", "float8", "numeric", "date", "timestamptz", "uuid", "jsonb", "text", "text[]"};
    (void)state;
    for (size_t i = 0; i < sizeof(casts) / sizeof(casts[0]); i++) { // a value that fits none of them
        char sql[60];
        const bool is_bool = i == 0;
        snprintf(sql, sizeof(sql), "select $1::%s", casts[i]);
        is_refused(is_bool ? charle_int8(1) : charle_bool(true), sql, CHARLE_INVALID_ARGUMENT, "write a cast behind the parameter");
    }
    is_refused(charle_int8(40000), "select $1::int2", CHARLE_OUT_OF_RANGE, "40000 does not fit into INT2");
    is_refused(charle_int8(-1), "select $1::oid", CHARLE_OUT_OF_RANGE, "does not fit into OID");
    is_refused(typed_text(CHARLE_TYPE_NUMERIC, "twelve"), "select $1::numeric", CHARLE_INVALID_ARGUMENT, "\"twelve\" is not a decimal number");
    is_refused(charle_text(CHARLE_STR("no uuid")), "select $1::uuid", CHARLE_INVALID_ARGUMENT, "is not a UUID");
    is_refused(charle_text(charle_str_n("\xff", 1)), "select $1::text", CHARLE_INVALID_ARGUMENT, "not valid UTF-8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_come_as_what_they_are),
        cmocka_unit_test(types_can_be_read_as_wider_ones),
        cmocka_unit_test(types_are_not_read_as_others),
        cmocka_unit_test(arrays_lose_what_is_null_and_their_dimensions),
        cmocka_unit_test(values_go_where_they_fit),
        cmocka_unit_test(values_do_not_go_elsewhere),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
