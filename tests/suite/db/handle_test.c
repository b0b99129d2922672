// What a database handle promises, whatever the driver: statements, parameters, transactions, errors, cancel,
// streaming.
#include "base/limits.h"
#include "db/driver.h"
#include "fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static bool is_pg(const struct charle_db *db)
{
    return charle_db_dialect(db) == CHARLE_PG;
}

static void make_account(struct charle_db *db)
{
    must_exec(db, is_pg(db) ? "create table account (id bigint primary key, name text collate \"C\" not null unique,"
                              " amount bigint not null check (amount >= 0), owner bigint references account)"
                            : "create table account (id integer primary key, name text not null unique,"
                              " amount integer not null check (amount >= 0), owner integer references account)");
    must_exec(db, "insert into account values (1, 'one', 100, null), (2, 'two', 50, 1)");
}

static const char insert_sql[] = "insert into account (id, name, amount, owner) values ($1, $2, $3, $4)";

static enum charle_err insert(struct charle_db *db, int64_t id, const char *name, int64_t amount, int64_t owner,
                              struct charle_error *err)
{
    struct charle_value owner_value = owner ? charle_int8(owner) : charle_null(CHARLE_TYPE_INT8);
    struct charle_value values[] = {charle_int8(id), charle_text(charle_str(name)), charle_int8(amount), owner_value};
    return charle_exec(db, insert_sql, values, 4, NULL, err);
}

static int64_t amount_of(struct charle_db *db, int64_t id)
{
    char sql[80];
    snprintf(sql, sizeof(sql), "select amount from account where id = %lld", (long long)id);
    return must_count(db, sql);
}

// --- statements -----------------------------------------------------------------------------------------------------

static void test_parameters_go_by_their_numbers(struct charle_db *db)
{
    struct charle_error err = {0};
    struct charle_rows *rows = NULL;
    struct charle_value got;
    int64_t changed = 0;
    make_account(db);
    const struct charle_value values[] = {charle_int8(7), charle_text(CHARLE_STR("it's $1; --"))};
    assert_ok(charle_exec(db, "update account set name = $2, amount = $1 where amount = 100 or amount = $1", values, 2,
                          &changed, &err),
              &err);
    assert_int_equal(changed, 1);
    assert_ok(charle_query(db, "select name, amount, owner, amount as again from account where amount = $1", values, 1,
                           &rows, &err),
              &err);
    assert_int_equal(charle_rows_column_count(rows), 4);
    assert_true(charle_str_equal(charle_rows_column_name(rows, 3), CHARLE_STR("again")));
    assert_ok(charle_rows_next(rows, &err), &err);
    assert_ok(charle_rows_value(rows, 0, CHARLE_TYPE_TEXT, false, &got, &err), &err);
    assert_true(charle_str_equal(got.text, CHARLE_STR("it's $1; --")));
    assert_ok(charle_rows_value(rows, 2, CHARLE_TYPE_INT8, false, &got, &err), &err);
    assert_true(got.is_null);
    assert_fails(charle_rows_value(rows, 0, CHARLE_TYPE_INT8, false, &got, &err), CHARLE_INVALID_ARGUMENT, &err,
                 "name");
    assert_fails(charle_rows_value(rows, 4, CHARLE_TYPE_INT8, false, &got, &err), CHARLE_INVALID_ARGUMENT, &err,
                 "column 4");
    assert_ok(charle_rows_value(rows, 1, (enum charle_type)0, false, &got, &err), &err);
    assert_int_equal(got.type, CHARLE_TYPE_INT8);
    assert_int_equal(charle_rows_next(rows, &err), CHARLE_DONE);
    assert_int_equal(charle_rows_next(rows, &err), CHARLE_DONE);
    charle_rows_close(rows);
}

static void test_wrong_parameters_are_refused(struct charle_db *db)
{
    struct charle_error err = {0};
    make_account(db);
    const struct charle_value one = charle_int8(1), bad = charle_text(charle_str_n("a\xff", 2));
    assert_fails(charle_exec(db, insert_sql, &one, 1, NULL, &err), CHARLE_INVALID_ARGUMENT, &err, "$4");
    assert_fails(charle_exec(db, "delete from account where name = $1", &bad, 1, NULL, &err), CHARLE_INVALID_ARGUMENT,
                 &err, "UTF-8");
    if (is_pg(db)) // SQLite compares a text with a number without a word
        assert_fails(charle_exec(db, "delete from account where name = $1", &one, 1, NULL, &err),
                     CHARLE_INVALID_ARGUMENT, &err, "TEXT");
    static char huge[(16 << 20) + 1];
    const struct charle_value large = charle_blob(charle_bytes(huge, sizeof(huge)));
    assert_fails(charle_exec(db, "select $1", &large, 1, NULL, &err), CHARLE_TOO_LARGE, &err, "16 MiB");
    assert_int_equal(must_count(db, "select count(*) from account"), 2);
}

static void test_smaller_integers_fit_larger_columns(struct charle_db *db)
{
    struct charle_error err = {0};
    make_account(db);
    const struct charle_value values[] = {charle_int4(3), charle_text(CHARLE_STR("three")), charle_int4(9),
                                          charle_null(0)};
    assert_ok(charle_exec(db, insert_sql, values, 4, NULL, &err), &err);
    assert_int_equal(amount_of(db, 3), 9);
}

static void test_statements_are_cached_within_bounds(struct charle_db *db)
{
    struct charle_error err = {0};
    char sql[64];
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < CH_STATEMENTS_MAX + 50; i++) {
            snprintf(sql, sizeof(sql), "select %d", i); // the same address, another text
            assert_int_equal(must_count(db, sql), i);
            assert_true(db->statement_count <= CH_STATEMENTS_MAX);
        }
    assert_int_equal(db->statement_count, CH_STATEMENTS_MAX);
    if (is_pg(db)) // the server's memory is bounded, too
        assert_true(must_count(db, "select count(*) from pg_prepared_statements") <= CH_STATEMENTS_MAX);
    ch_db_forget_statements(db);
    assert_int_equal(db->statement_count, 0);
    assert_int_equal(must_count(db, "select 42"), 42);
    assert_fails(charle_exec(db, "selec 1", NULL, 0, NULL, &err), CHARLE_INVALID_ARGUMENT, &err, "selec");
    assert_int_equal(must_count(db, "select 42"), 42);
}

static void test_a_statement_outlives_a_change_of_its_table(struct charle_db *db)
{
    static const char all[] = "select * from account";
    struct charle_error err = {0};
    struct charle_rows *rows;
    make_account(db);
    for (size_t columns = 4; columns < 7; columns++) {
        assert_ok(charle_query(db, all, NULL, 0, &rows, &err), &err);
        assert_int_equal(charle_rows_column_count(rows), columns);
        charle_rows_close(rows);
        must_exec(db, columns == 4 ? "alter table account add column more text"
                                   : "alter table account add column most text");
        if (columns == 5)
            break;
    }
}

struct traced {
    int count;
    char sql[128];
    enum charle_err rc;
    size_t param_count;
    int64_t changed;
};

static void on_trace(const struct charle_trace *trace, void *ctx)
{
    struct traced *traced = ctx;
    traced->count++;
    traced->rc = trace->rc;
    traced->param_count = trace->param_count;
    traced->changed = trace->changed;
    snprintf(traced->sql, sizeof(traced->sql), "%.*s", CHARLE_FMT(trace->sql));
}

static void test_the_trace_sees_every_statement(struct charle_db *db)
{
    struct traced traced = {0};
    struct charle_error err = {0};
    make_account(db);
    charle_db_set_trace(db, on_trace, &traced);
    assert_ok(insert(db, 3, "three", 1, 0, &err), &err);
    assert_int_equal(traced.count, 1);
    assert_string_equal(traced.sql, insert_sql);
    assert_int_equal(traced.param_count, 4);
    assert_int_equal(traced.changed, 1);
    assert_int_equal(insert(db, 3, "again", 1, 0, &err), CHARLE_UNIQUE_VIOLATION);
    assert_int_equal(traced.count, 2);
    assert_int_equal(traced.rc, CHARLE_UNIQUE_VIOLATION);
    charle_db_set_trace(db, NULL, NULL);
    assert_int_equal(must_count(db, "select count(*) from account"), 3);
    assert_int_equal(traced.count, 2);
}

// --- errors ---------------------------------------------------------------------------------------------------------

static void test_violations_have_codes_and_names(struct charle_db *db)
{
    struct charle_error err = {0};
    make_account(db);
    assert_fails(insert(db, 1, "x", 1, 0, &err), CHARLE_UNIQUE_VIOLATION, &err, "account");
    assert_int_equal(err.domain, is_pg(db) ? CHARLE_DOMAIN_POSTGRES : CHARLE_DOMAIN_SQLITE);
    if (is_pg(db)) {
        char state[6];
        charle_sqlstate_unpack(err.foreign, state);
        assert_string_equal(state, "23505");
    }
    assert_fails(insert(db, 3, "one", 1, 0, &err), CHARLE_UNIQUE_VIOLATION, &err, "name");
    assert_fails(insert(db, 3, "three", -1, 0, &err), CHARLE_CHECK_VIOLATION, &err, NULL);
    assert_fails(insert(db, 3, "three", 1, 99, &err), CHARLE_FOREIGN_KEY_VIOLATION, &err, NULL);
    assert_fails(charle_exec(db, "insert into account (id, amount) values (3, 1)", NULL, 0, NULL, &err),
                 CHARLE_NOT_NULL_VIOLATION, &err, "name");
    assert_fails(charle_exec(db, "select * from nobody", NULL, 0, NULL, &err), CHARLE_INVALID_ARGUMENT, &err, "nobody");
    assert_fails(charle_exec(db, "select 1; select 2", NULL, 0, NULL, &err), CHARLE_INVALID_ARGUMENT, &err, NULL);
    assert_fails(charle_exec_script(db, "insert into account values (5, 'five', 1, null); nonsense", &err),
                 CHARLE_INVALID_ARGUMENT, &err, "nonsense");
    assert_int_equal(must_count(db, "select count(*) from account where id <> 5"), 2);
}

// --- transactions ---------------------------------------------------------------------------------------------------

static void test_transactions_nest(struct charle_db *db)
{
    struct charle_error err = {0};
    make_account(db);
    assert_ok(charle_begin(db, NULL, &err), &err);
    assert_ok(insert(db, 3, "three", 1, 0, &err), &err);
    assert_ok(charle_begin(db, NULL, &err), &err);
    assert_int_equal(charle_transaction_depth(db), 2);
    assert_ok(insert(db, 4, "four", 1, 0, &err), &err);
    assert_ok(charle_begin(db, NULL, &err), &err);
    assert_ok(insert(db, 5, "five", 1, 0, &err), &err);
    assert_ok(charle_rollback(db, &err), &err);
    assert_ok(charle_begin(db, NULL, &err), &err);
    assert_ok(insert(db, 6, "six", 1, 0, &err), &err);
    assert_ok(charle_commit(db, &err), &err);
    assert_ok(charle_commit(db, &err), &err);
    assert_ok(charle_commit(db, &err), &err);
    assert_int_equal(must_count(db, "select sum(id) from account"), 1 + 2 + 3 + 4 + 6);
    assert_fails(charle_commit(db, &err), CHARLE_FAILED_PRECONDITION, &err, "no transaction");
    assert_fails(charle_rollback(db, &err), CHARLE_FAILED_PRECONDITION, &err, "no transaction");
}

static void test_a_failed_level_can_be_undone_alone(struct charle_db *db)
{
    struct charle_error err = {0};
    make_account(db);
    assert_ok(charle_begin(db, NULL, &err), &err);
    assert_ok(insert(db, 3, "three", 1, 0, &err), &err);
    assert_ok(charle_begin(db, NULL, &err), &err);
    assert_int_equal(insert(db, 3, "again", 1, 0, &err), CHARLE_UNIQUE_VIOLATION);
    assert_ok(charle_rollback(db, &err), &err);
    assert_ok(insert(db, 4, "four", 1, 0, &err), &err);
    assert_ok(charle_commit(db, &err), &err);
    assert_int_equal(must_count(db, "select sum(id) from account"), 1 + 2 + 3 + 4);
}

static void test_a_failed_transaction_is_not_kept(struct charle_db *db)
{
    struct charle_error err = {0};
    if (!is_pg(db))
        return; // SQLite undoes the statement alone, and the rest may be kept
    make_account(db);
    assert_ok(charle_begin(db, NULL, &err), &err);
    assert_ok(insert(db, 3, "three", 1, 0, &err), &err);
    assert_int_equal(insert(db, 3, "again", 1, 0, &err), CHARLE_UNIQUE_VIOLATION);
    assert_fails(insert(db, 4, "four", 1, 0, &err), CHARLE_FAILED_PRECONDITION, &err, "aborted");
    assert_fails(charle_commit(db, &err), CHARLE_ABORTED, &err, "nothing of it was kept");
    assert_int_equal(must_count(db, "select count(*) from account"), 2);
    assert_ok(charle_begin(db, NULL, &err), &err);
    assert_ok(charle_begin(db, NULL, &err), &err);
    assert_int_equal(insert(db, 1, "again", 1, 0, &err), CHARLE_UNIQUE_VIOLATION);
    assert_fails(charle_commit(db, &err), CHARLE_FAILED_PRECONDITION, &err,
                 NULL); // of the inner level, which is undone
    assert_ok(insert(db, 3, "three", 1, 0, &err), &err);
    assert_ok(charle_commit(db, &err), &err);
    assert_int_equal(must_count(db, "select count(*) from account"), 3);
}

static void test_nesting_has_a_limit(struct charle_db *db)
{
    struct charle_error err = {0};
    int depth = 0;
    while (charle_begin(db, NULL, &err) == CHARLE_OK)
        depth++;
    assert_int_equal(depth, CH_TRANSACTION_DEPTH_MAX);
    assert_int_equal(err.code, CHARLE_RESOURCE_EXHAUSTED);
    while (charle_transaction_depth(db))
        assert_ok(charle_rollback(db, &err), &err);
}

static void test_read_only_means_it(struct charle_db *db)
{
    struct charle_error err = {0};
    const struct charle_begin_options options = {.isolation = CHARLE_REPEATABLE_READ, .is_read_only = true};
    make_account(db);
    assert_ok(charle_begin(db, &options, &err), &err);
    assert_int_equal(must_count(db, "select count(*) from account"), 2);
    assert_fails(insert(db, 3, "three", 1, 0, &err), CHARLE_READ_ONLY, &err, NULL);
    assert_ok(charle_rollback(db, &err), &err);
    assert_ok(insert(db, 3, "three", 1, 0, &err), &err);
}

static void test_a_snapshot_does_not_move(struct charle_db *db)
{
    struct charle_error err = {0};
    const struct charle_begin_options options = {.isolation = CHARLE_REPEATABLE_READ, .is_read_only = true};
    struct charle_db *other = suite_second(db);
    make_account(db);
    assert_ok(charle_begin(db, &options, &err), &err);
    assert_int_equal(must_count(db, "select count(*) from account"), 2);
    assert_ok(insert(other, 3, "three", 1, 0, &err), &err);
    assert_int_equal(must_count(db, "select count(*) from account"), 2);
    assert_ok(charle_commit(db, &err), &err);
    assert_int_equal(must_count(db, "select count(*) from account"), 3);
    charle_db_close(other);
}

static enum charle_err fail_late(struct charle_db *db, void *ctx, struct charle_error *err)
{
    (void)ctx;
    assert_ok(insert(db, 3, "three", 1, 0, err), err);
    return charle_fail(err, CHARLE_NOT_FOUND, "changed my mind");
}

static void test_a_function_that_fails_leaves_nothing(struct charle_db *db)
{
    struct charle_error err = {0};
    make_account(db);
    assert_fails(charle_transaction(db, NULL, fail_late, NULL, &err), CHARLE_NOT_FOUND, &err, "changed my mind");
    assert_int_equal(must_count(db, "select count(*) from account"), 2);
}

// Adds 1 to an amount that it read, while another handle does the same between the reading and the writing of the first
// try.
struct contest {
    struct charle_db *other;
    int tries;
};

static enum charle_err add_one(struct charle_db *db, void *ctx, struct charle_error *err)
{
    struct contest *contest = ctx;
    int64_t amount = amount_of(db, 1);
    if (contest->tries++ == 0)
        must_exec(contest->other, "update account set amount = amount + 1 where id = 1");
    const struct charle_value value = charle_int8(amount + 1);
    return charle_exec(db, "update account set amount = $1 where id = 1", &value, 1, NULL, err);
}

static void test_who_loses_tries_again(struct charle_db *db)
{
    struct charle_error err = {0};
    const struct charle_begin_options options = {.isolation = CHARLE_SERIALIZABLE};
    struct contest contest = {0};
    if (!is_pg(db))
        return; // there is one writer at a time
    make_account(db);
    contest.other = suite_second(db);
    assert_ok(charle_transaction(db, &options, add_one, &contest, &err), &err);
    assert_int_equal(contest.tries, 2);
    assert_int_equal(amount_of(db, 1), 102);
    // Inside another transaction nothing can be tried again: the whole has lost.
    contest.tries = 0;
    assert_ok(charle_begin(db, &options, &err), &err);
    assert_int_equal(amount_of(db, 1), 102);
    assert_int_equal(charle_transaction(db, NULL, add_one, &contest, &err), CHARLE_SERIALIZATION);
    assert_int_equal(contest.tries, 1);
    assert_ok(charle_rollback(db, &err), &err);
    charle_db_close(contest.other);
}

static void test_a_writer_waits_for_a_writer(struct charle_db *db)
{
    struct charle_error err = {0};
    struct charle_db *other = suite_second(db);
    make_account(db);
    must_exec(other, is_pg(db) ? "set lock_timeout = 50" : "pragma busy_timeout = 50");
    assert_ok(charle_begin(db, NULL, &err), &err);
    assert_ok(charle_exec(db, "update account set amount = 1 where id = 1", NULL, 0, NULL, &err), &err);
    enum charle_err rc = charle_exec(other, "update account set amount = 2 where id = 1", NULL, 0, NULL, &err);
    assert_fails(rc, CHARLE_BUSY, &err, NULL);
    assert_ok(charle_commit(db, &err), &err);
    assert_ok(charle_exec(other, "update account set amount = 2 where id = 1", NULL, 0, NULL, &err), &err);
    charle_db_close(other);
}

// --- long ones ------------------------------------------------------------------------------------------------------

static const char *numbers_sql(const struct charle_db *db)
{
    return is_pg(db) ? "select generate_series(1, $1::bigint)"
                     : "with recursive s(n) as (select 1 union all select n + 1 from s where n < $1) select n from s";
}

static void test_rows_can_be_streamed(struct charle_db *db)
{
    struct charle_error err = {0};
    struct charle_rows *rows;
    struct charle_value value;
    const struct charle_value many = charle_int8(50000), endless = charle_int8(200000000);
    int64_t sum = 0;
    assert_ok(charle_query_streamed(db, numbers_sql(db), &many, 1, &rows, &err), &err);
    enum charle_err rc;
    while ((rc = charle_rows_next(rows, &err)) == CHARLE_OK) {
        assert_ok(charle_rows_value(rows, 0, CHARLE_TYPE_INT8, false, &value, &err), &err);
        sum += value.int8;
    }
    assert_int_equal(rc, CHARLE_DONE);
    assert_int_equal(sum, 50000ll * 50001 / 2);
    charle_rows_close(rows);
    // Closing early does not read the rest.
    assert_ok(charle_query_streamed(db, numbers_sql(db), &endless, 1, &rows, &err), &err);
    assert_ok(charle_rows_next(rows, &err), &err);
    charle_rows_close(rows);
    assert_int_equal(must_count(db, "select 7"), 7);
    assert_fails(charle_query_streamed(db, "select * from nobody", NULL, 0, &rows, &err), CHARLE_INVALID_ARGUMENT, &err,
                 "nobody");
}

static void *cancel_soon(void *ctx)
{
    struct charle_error err;
    usleep(200000);
    assert_ok(charle_db_cancel(ctx, &err), &err);
    return NULL;
}

static void test_another_thread_can_cancel(struct charle_db *db)
{
    struct charle_error err = {0};
    pthread_t thread;
    const char *sql = is_pg(db) ? "select pg_sleep(60)"
                                : "with recursive s(n) as (select 1 union all select n + 1 from s where n < 4000000000)"
                                  " select count(*) from s";
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, db), 0);
    assert_fails(charle_exec(db, sql, NULL, 0, NULL, &err), CHARLE_CANCELLED, &err, NULL);
    pthread_join(thread, NULL);
    assert_int_equal(must_count(db, "select 7"), 7);
}

static void test_queries_may_overlap_in_sqlite(struct charle_db *db)
{
    struct charle_error err = {0};
    struct charle_rows *outer, *inner;
    int count = 0;
    if (is_pg(db))
        return;
    make_account(db);
    assert_ok(charle_query(db, "select id from account", NULL, 0, &outer, &err), &err);
    while (charle_rows_next(outer, &err) == CHARLE_OK) {
        assert_ok(charle_query(db, "select id from account", NULL, 0, &inner, &err), &err); // the same statement
        while (charle_rows_next(inner, &err) == CHARLE_OK)
            count++;
        charle_rows_close(inner);
    }
    charle_rows_close(outer);
    assert_int_equal(count, 4);
}

int main(void)
{
    const struct suite_item items[] = {
        SUITE_ITEM(test_parameters_go_by_their_numbers),
        SUITE_ITEM(test_wrong_parameters_are_refused),
        SUITE_ITEM(test_smaller_integers_fit_larger_columns),
        SUITE_ITEM(test_statements_are_cached_within_bounds),
        SUITE_ITEM(test_a_statement_outlives_a_change_of_its_table),
        SUITE_ITEM(test_the_trace_sees_every_statement),
        SUITE_ITEM(test_violations_have_codes_and_names),
        SUITE_ITEM(test_transactions_nest),
        SUITE_ITEM(test_a_failed_level_can_be_undone_alone),
        SUITE_ITEM(test_a_failed_transaction_is_not_kept),
        SUITE_ITEM(test_nesting_has_a_limit),
        SUITE_ITEM(test_read_only_means_it),
        SUITE_ITEM(test_a_snapshot_does_not_move),
        SUITE_ITEM(test_a_function_that_fails_leaves_nothing),
        SUITE_ITEM(test_who_loses_tries_again),
        SUITE_ITEM(test_a_writer_waits_for_a_writer),
        SUITE_ITEM(test_rows_can_be_streamed),
        SUITE_ITEM(test_another_thread_can_cancel),
        SUITE_ITEM(test_queries_may_overlap_in_sqlite),
    };
    return suite_run("db handle", items, sizeof(items) / sizeof(items[0]));
}
