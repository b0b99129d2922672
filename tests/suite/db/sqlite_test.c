// What only SQLite has: opening files, full and read-only disks, the functions that make it agree with PostgreSQL.
#include "base/alloc.h"
#include "db/sqlite/sqlite_row.h"
#include "fixture.h"
#include "sample.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
    char directory[64];
    char file[96];
};

static int make_place(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    snprintf(place->directory, sizeof(place->directory), "/tmp/charle-sqlite-XXXXXX");
    if (!place || !mkdtemp(place->directory))
        return -1;
    snprintf(place->file, sizeof(place->file), "%s/a.db", place->directory);
    *state = place;
    return 0;
}

static int remove_place(void **state)
{
    struct place *place = *state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", place->directory);
    int rc = system(command);
    free(place);
    return rc;
}

static struct charle_db *open_file(const char *path)
{
    struct charle_db *db = NULL;
    struct charle_error err = {0};
    assert_ok(ch_sqlite_open(path, NULL, &db, &err), &err);
    return db;
}

static void write_file(const char *path, const char *content)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static void test_a_new_file_is_private_and_durable(void **state)
{
    struct place *place = *state;
    struct stat info;
    char wal[128];
    struct charle_db *db = open_file(place->file);
    must_exec(db, "create table t (a)");
    assert_int_equal(stat(place->file, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    snprintf(wal, sizeof(wal), "%s-wal", place->file);
    assert_int_equal(stat(wal, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(must_count(db, "pragma synchronous"), 2);
    assert_int_equal(must_count(db, "pragma mmap_size"), 0);
    struct charle_error err = {0};
    assert_ok(ch_sqlite_set_sync_normal(db, true, &err), &err);
    assert_int_equal(must_count(db, "pragma synchronous"), 1);
    assert_ok(charle_begin(db, NULL, &err), &err);
    assert_fails(ch_sqlite_set_sync_normal(db, false, &err), CHARLE_FAILED_PRECONDITION, &err, "transaction");
    assert_ok(charle_rollback(db, &err), &err);
    charle_db_close(db);
}

static void test_a_secondary_connection_never_checkpoints(void **state)
{
    struct place *place = *state;
    struct charle_error err = {0};
    struct charle_db *db = open_file(place->file), *second = NULL;
    const struct ch_sqlite_options options = {.is_secondary = true};
    assert_ok(ch_sqlite_open(place->file, &options, &second, &err), &err);
    assert_int_equal(must_count(db, "pragma wal_autocheckpoint"), 1000);
    assert_int_equal(must_count(second, "pragma wal_autocheckpoint"), 0);
    charle_db_close(second);
    charle_db_close(db);
}

static void test_files_that_cannot_be_opened(void **state)
{
    struct place *place = *state;
    struct charle_error err = {0};
    struct charle_db *db = NULL;
    char path[160];
    const struct ch_sqlite_options read_only = {.is_read_only = true}, existing = {.must_exist = true};
    snprintf(path, sizeof(path), "%s/nowhere/a.db", place->directory);
    assert_fails(ch_sqlite_open(path, NULL, &db, &err), CHARLE_NOT_FOUND, &err, "nowhere/a.db");
    assert_fails(ch_sqlite_open(place->file, &read_only, &db, &err), CHARLE_NOT_FOUND, &err, place->file);
    assert_fails(ch_sqlite_open(place->file, &existing, &db, &err), CHARLE_NOT_FOUND, &err, place->file);
    assert_fails(ch_sqlite_open(place->directory, NULL, &db, &err), CHARLE_NOT_FOUND, &err, place->directory);
    write_file(place->file,
               "this is a letter to my aunt, and longer than the hundred bytes that a header of SQLite has, I do hope");
    assert_fails(ch_sqlite_open(place->file, NULL, &db, &err), CHARLE_DATA_LOSS, &err, "not a SQLite database");
    assert_int_equal(err.domain, CHARLE_DOMAIN_SQLITE);
    assert_null(db);
    assert_fails(ch_sqlite_open("/proc/charle.db", NULL, &db, &err), CHARLE_NOT_FOUND, &err, "/proc/charle.db");
}

static void test_a_read_only_handle(void **state)
{
    struct place *place = *state;
    struct charle_error err = {0};
    struct charle_db *db = open_file(place->file), *reader = NULL;
    const struct ch_sqlite_options options = {.is_read_only = true};
    must_exec(db, "create table t (a); insert into t values (1)");
    assert_ok(ch_sqlite_open(place->file, &options, &reader, &err), &err);
    assert_int_equal(must_count(reader, "select a from t"), 1);
    assert_fails(charle_exec(reader, "insert into t values (2)", NULL, 0, NULL, &err), CHARLE_READ_ONLY, &err,
                 "opened for reading");
    charle_db_close(reader);
    charle_db_close(db);
}

static void test_a_full_disk_keeps_what_was_committed(void **state)
{
    struct place *place = *state;
    struct charle_error err = {0};
    struct charle_db *db = open_file(place->file);
    enum charle_err rc = CHARLE_OK;
    must_exec(db, "create table t (a); pragma max_page_count = 20; insert into t values (zeroblob(100))");
    assert_ok(charle_begin(db, NULL, &err), &err);
    assert_ok(charle_begin(db, NULL, &err), &err);
    for (int i = 0; i < 100 && !rc; i++)
        rc = charle_exec(db, "insert into t values (zeroblob(2000))", NULL, 0, NULL, &err);
    assert_fails(rc, CHARLE_DISK_FULL, &err, "free some space");
    assert_ok(charle_rollback(db, &err), &err);
    enum charle_err outer =
        charle_commit(db, &err); // SQLite may have ended the whole transaction or just the statement
    assert_true(outer == CHARLE_OK || outer == CHARLE_ABORTED);
    assert_int_equal(charle_transaction_depth(db), 0);
    assert_int_equal(must_count(db, "select count(*) from t"), 1);
    charle_db_close(db);
}

static void test_two_writers(void **state)
{
    struct place *place = *state;
    struct charle_error err = {0};
    struct charle_db *db = open_file(place->file), *other = NULL;
    const struct ch_sqlite_options options = {.busy_timeout_ms = 20};
    must_exec(db, "create table t (a)");
    assert_ok(ch_sqlite_open(place->file, &options, &other, &err), &err);
    assert_ok(charle_begin(db, NULL, &err), &err);
    assert_fails(charle_begin(other, NULL, &err), CHARLE_BUSY, &err, "another program is writing");
    assert_int_equal(charle_transaction_depth(other), 0);
    const struct charle_begin_options reading = {.is_read_only = true};
    assert_ok(charle_begin(other, &reading, &err), &err); // readers do not wait
    assert_int_equal(must_count(other, "select count(*) from t"), 0);
    assert_ok(charle_commit(other, &err), &err);
    assert_ok(charle_commit(db, &err), &err);
    assert_ok(charle_begin(other, NULL, &err), &err);
    assert_ok(charle_commit(other, &err), &err);
    charle_db_close(other);
    charle_db_close(db);
}

static void assert_gives(struct charle_db *db, const char *sql, const char *wanted)
{
    struct charle_error err = {0};
    struct charle_rows *rows;
    struct charle_value value;
    assert_ok(charle_query(db, sql, NULL, 0, &rows, &err), &err);
    assert_ok(charle_rows_next(rows, &err), &err);
    assert_ok(charle_rows_value(rows, 0, CHARLE_TYPE_TEXT, false, &value, &err), &err);
    if (!wanted)
        assert_true(value.is_null);
    else if (!charle_str_equal(value.text, charle_str(wanted)))
        fail_msg("%s gives %.*s, not %s", sql, CHARLE_FMT(value.text), wanted);
    charle_rows_close(rows);
}

static void test_like_minds_capitals(void **state)
{
    (void)state;
    struct charle_db *db = open_file(":memory:");
    assert_int_equal(must_count(db, "select 'Abc' like 'abc'"), 0);
    assert_int_equal(must_count(db, "select 'Abc' like 'A%'"), 1);
    charle_db_close(db);
}

static void test_decimals(void **state)
{
    (void)state;
    struct charle_db *db = open_file(":memory:");
    struct charle_error err = {0};
    static const char *const ascending[] = {"-Infinity", "-10000.5", "-10000",  "-12",      "-1.2",   "-1.19",
                                            "-1",        "-0.5",     "-0.05",   "0",        "0.0009", "0.05",
                                            "0.5",       "1",        "1.19",    "1.2",      "9",      "10",
                                            "12",        "100",      "99999.9", "Infinity", "NaN"};
    char sql[200];
    for (size_t a = 0; a < sizeof(ascending) / sizeof(ascending[0]); a++)
        for (size_t b = 0; b < sizeof(ascending) / sizeof(ascending[0]); b++) {
            int wanted = (a > b) - (a < b);
            snprintf(sql, sizeof(sql), "select charle_numeric_cmp('%s', '%s')", ascending[a], ascending[b]);
            assert_int_equal(must_count(db, sql), wanted);
            snprintf(sql, sizeof(sql),
                     "select (charle_numeric_key('%s') > charle_numeric_key('%s')) - (charle_numeric_key('%s') < "
                     "charle_numeric_key('%s'))",
                     ascending[a], ascending[b], ascending[a], ascending[b]);
            assert_int_equal(must_count(db, sql), wanted);
            snprintf(sql, sizeof(sql),
                     "select ('%s' > '%s' collate charle_numeric) - ('%s' < '%s' collate charle_numeric)", ascending[a],
                     ascending[b], ascending[a], ascending[b]);
            assert_int_equal(must_count(db, sql), wanted);
        }
    assert_int_equal(must_count(db, "select charle_numeric_cmp('1.50', 1.5)"), 0); // as others may have written it
    assert_gives(db, "select charle_numeric_cmp('1', null)", NULL);
    assert_gives(db, "with t(x) as (values ('0.1'), ('0.2'), ('-0.30')) select charle_numeric_sum(x) from t", "0");
    assert_gives(
        db, "with t(x) as (values ('99999999999999999999.99'), ('0.01'), (null)) select charle_numeric_sum(x) from t",
        "100000000000000000000");
    assert_gives(db, "with t(x) as (values ('-1.5'), ('-0.25')) select charle_numeric_sum(x) from t", "-1.75");
    assert_gives(db, "with t(x) as (values ('0.004'), ('0.001')) select charle_numeric_sum(x) from t", "0.005");
    assert_gives(db, "select charle_numeric_sum(x) from (select '1' as x where 0)", NULL);
    assert_gives(db, "with t(x) as (values ('1'), ('1'), ('2')) select charle_numeric_avg(x) from t",
                 "1.3333333333333333");
    assert_gives(db, "with t(x) as (values ('-1'), ('-1'), (null), ('-3')) select charle_numeric_avg(x) from t",
                 "-1.6666666666666667");
    assert_gives(db, "with t(x) as (values ('10'), ('30')) select charle_numeric_avg(x) from t", "20");
    assert_fails(charle_exec(db, "select charle_numeric_key('ten')", NULL, 0, NULL, &err), CHARLE_INVALID_ARGUMENT,
                 &err, "not a number");
    assert_fails(charle_exec(db,
                             "with recursive t(x, n) as (values ('99999999999999999999999999999999999999', 1) union "
                             "all select x, n + 1 from t"
                             " where n < 9) select charle_numeric_sum(x) from t",
                             NULL, 0, NULL, &err),
                 CHARLE_OUT_OF_RANGE, &err, "38 digits");
    charle_db_close(db);
}

// Whatever allocation fails: an error, no crash, and the handle goes on.
static enum charle_err do_all(const char *path, struct charle_error *err)
{
    struct charle_db *db = NULL;
    struct charle_rows *rows = NULL;
    struct charle_arena arena = {0};
    struct charle_value value;
    const struct charle_value params[] = {charle_int8(1), charle_text(CHARLE_STR("x")),
                                          charle_day((struct charle_date){100})};
    enum charle_err rc = ch_sqlite_open(path, NULL, &db, err);
    if (!rc)
        rc = charle_exec_script(db, "drop table if exists t; create table t (a integer, b text, c text)", err);
    if (!rc)
        rc = charle_begin(db, NULL, err);
    if (!rc)
        rc = charle_exec(db, "insert into t values ($1, $2, $3)", params, 3, NULL, err);
    if (!rc)
        rc = charle_commit(db, err);
    if (!rc)
        rc = charle_query(db, "select a, b, c from t where a = $1", params, 1, &rows, err);
    if (!rc)
        rc = charle_rows_next(rows, err);
    if (!rc)
        rc = charle_rows_value(rows, 2, CHARLE_TYPE_DATE, false, &value, err);
    if (!rc)
        assert_int_equal(value.date.days, 100);
    charle_rows_close(rows);
    charle_db_close(db);
    charle_arena_deinit(&arena);
    return rc;
}

// Arrays are kept as JSON, which a person may have written by hand.
static void assert_no_array(struct charle_db *db, const char *text, enum charle_type type, const char *words)
{
    struct charle_error err = {0};
    struct charle_rows *rows = NULL;
    struct charle_value value;
    const struct charle_value param = charle_text(charle_str(text));
    assert_ok(charle_query(db, "select $1", &param, 1, &rows, &err), &err);
    assert_ok(charle_rows_next(rows, &err), &err);
    assert_fails(charle_rows_value(rows, 0, type, true, &value, &err), CHARLE_INVALID_ARGUMENT, &err, words);
    charle_rows_close(rows);
}

static void test_arrays_written_by_hand(void **state)
{
    static const struct {
        const char *text;
        enum charle_type type;
    } wrong[] = {{"[2]", CHARLE_TYPE_BOOL},           {"[1.5]", CHARLE_TYPE_INT4},      {"[3000000000]", CHARLE_TYPE_INT4},
                 {"[9223372036854775808]", CHARLE_TYPE_INT8}, {"[\"x\"]", CHARLE_TYPE_INT8}, {"[\"x\"]", CHARLE_TYPE_FLOAT8},
                 {"[\"0g\"]", CHARLE_TYPE_BYTES},     {"[\"abc\"]", CHARLE_TYPE_BYTES},  {"[\"x\"]", CHARLE_TYPE_DATE},
                 {"[\"x\"]", CHARLE_TYPE_TIMESTAMPTZ}, {"[\"x\"]", CHARLE_TYPE_UUID},    {"[\"x\"]", CHARLE_TYPE_NUMERIC}};
    struct place *place = *state;
    struct charle_db *db = open_file(place->file);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_no_array(db, wrong[i].text, wrong[i].type, "item 1 of an array column is not");
    static const char *const broken[] = {"", "{}", "1", "[1", "[1,]", "[1] 2", "[] 2", "[nul]"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
        assert_no_array(db, broken[i], CHARLE_TYPE_INT8, "is not a JSON array");
    charle_db_close(db);
}

static void test_every_allocation_may_fail(void **state)
{
    struct place *place = *state;
    struct charle_error err = {0};
    enum charle_err rc = CHARLE_NO_MEMORY;
    long n = 0;
    while (rc) {
        ch_alloc_fail_at(++n, 0);
        rc = do_all(place->file, &err);
        ch_alloc_fail_at(0, 0);
        if (rc)
            assert_int_equal(rc, CHARLE_NO_MEMORY);
        assert_true(n < 1000);
    }
    assert_true(n > 5);
}

int main(void)
{
#define AT_A_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)
    const struct CMUnitTest tests[] = {
        AT_A_PLACE(test_a_new_file_is_private_and_durable),
        AT_A_PLACE(test_a_secondary_connection_never_checkpoints),
        AT_A_PLACE(test_files_that_cannot_be_opened),
        AT_A_PLACE(test_a_read_only_handle),
        AT_A_PLACE(test_a_full_disk_keeps_what_was_committed),
        AT_A_PLACE(test_two_writers),
        cmocka_unit_test(test_like_minds_capitals),
        cmocka_unit_test(test_decimals),
        AT_A_PLACE(test_arrays_written_by_hand),
        AT_A_PLACE(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
