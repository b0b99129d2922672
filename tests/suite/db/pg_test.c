// What only PostgreSQL has: connecting, pipelines, the pool, and servers that go away.
#include "base/alloc.h"
#include "db/pg/pipeline.h"
#include "db/pg/pool.h"
#include "fixture.h"
#include "support/pg_cluster.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static struct charle_db *open_db(const char *url)
{
    struct charle_db *db = NULL;
    struct charle_error err = {0};
    assert_ok(ch_pg_open(url, NULL, &db, &err), &err);
    return db;
}

// --- connecting -----------------------------------------------------------------------------------------------------

static void test_a_refused_connection_says_why(void **state)
{
    struct charle_db *db = NULL;
    struct charle_error err = {0};
    char url[CH_PG_CLUSTER_URL_SIZE];
    (void)state;
    assert_fails(ch_pg_open("postgresql://127.0.0.1:1/x", NULL, &db, &err), CHARLE_UNAVAILABLE, &err, "127.0.0.1");
    ch_pg_cluster_database_url(ch_pg_cluster_shared(), "nothing_here", NULL, url);
    assert_fails(ch_pg_open(url, NULL, &db, &err), CHARLE_NOT_FOUND, &err, "nothing_here");
    ch_pg_cluster_database_url(ch_pg_cluster_shared(), "postgres", "nobody", url);
    assert_fails(ch_pg_open(url, NULL, &db, &err), CHARLE_UNAUTHENTICATED, &err, "nobody");
    assert_fails(ch_pg_open("postgresql://[", NULL, &db, &err), CHARLE_UNAVAILABLE, &err, NULL);
    snprintf(url, sizeof(url), "%s&sslmode=require", ch_pg_cluster_url(ch_pg_cluster_shared()));
    assert_ok(ch_pg_open(url, NULL, &db, &err), &err); // over a unix socket there is no TLS to ask for
    charle_db_close(db);
    assert_fails(ch_pg_open("postgresql://u:secret@127.0.0.1:1/x", NULL, &db, &err), CHARLE_UNAVAILABLE, &err, NULL);
    assert_null(strstr(err.text, "secret"));
}

static void test_a_session_is_set_up(void **state)
{
    struct charle_db *db = NULL;
    struct charle_error err = {0};
    const struct ch_pg_options options = {
        .application_name = "suite", .statement_timeout_ms = 100, .lock_timeout_ms = 50};
    (void)state;
    assert_ok(ch_pg_open(suite_pg_url(), &options, &db, &err), &err);
    assert_int_equal(
        must_count(db,
                   "select count(*) from pg_stat_activity where pid = pg_backend_pid() and application_name = 'suite'"),
        1);
    assert_int_equal(must_count(db, "select (current_setting('timezone') = 'UTC')::int"), 1);
    assert_int_equal(must_count(db, "select (current_setting('lock_timeout') = '50ms')::int"), 1);
    assert_fails(charle_exec(db, "select pg_sleep(5)", NULL, 0, NULL, &err), CHARLE_DEADLINE_EXCEEDED, &err, "timeout");
    charle_db_close(db);
}

static void test_a_lost_connection_can_be_made_again(void **state)
{
    struct charle_db *db = open_db(suite_pg_url()), *other = open_db(suite_pg_url());
    struct charle_error err = {0};
    char sql[80];
    (void)state;
    assert_int_equal(must_count(db, "select 1"), 1);
    snprintf(sql, sizeof(sql), "select pg_terminate_backend(%d, 10000)", PQbackendPID(ch_pg_connection(db)));
    must_exec(other, sql);
    assert_ok(charle_begin(other, NULL, &err), &err);
    assert_fails(charle_begin(db, NULL, &err), CHARLE_UNAVAILABLE, &err, NULL);
    assert_false(ch_pg_is_alive(db));
    assert_fails(charle_exec(db, "select 1", NULL, 0, NULL, &err), CHARLE_UNAVAILABLE, &err, NULL);
    assert_ok(ch_pg_reconnect(db, &err), &err);
    assert_true(ch_pg_check(db));
    assert_int_equal(must_count(db, "select 1"), 1);
    assert_false(ch_pg_check(other)); // in a transaction
    assert_ok(charle_rollback(other, &err), &err);
    assert_true(ch_pg_check(other));
    charle_db_close(db);
    charle_db_close(other);
}

// Statements that a pooler forgot are prepared again.
static void test_forgotten_statements_come_back(void **state)
{
    struct charle_db *db = open_db(suite_pg_url());
    (void)state;
    assert_int_equal(must_count(db, "select 5"), 5);
    must_exec(db, "deallocate all");
    assert_int_equal(must_count(db, "select 5"), 5);
    charle_db_close(db);
}

static void test_values_of_unknown_type_want_a_cast(void **state)
{
    struct charle_db *db = open_db(suite_pg_url());
    struct charle_error err = {0};
    const struct charle_value one = charle_int8(1);
    (void)state;
    assert_fails(charle_exec(db, "select $1", &one, 1, NULL, &err), CHARLE_INVALID_ARGUMENT, &err, "cast");
    assert_ok(charle_exec(db, "select $1::bigint", &one, 1, NULL, &err), &err);
    assert_fails(charle_exec(db, "copy (select 1) to stdout", NULL, 0, NULL, &err), CHARLE_INVALID_ARGUMENT, &err,
                 "COPY");
    assert_int_equal(must_count(db, "select 1"), 1);
    charle_db_close(db);
}

// --- pipelines ------------------------------------------------------------------------------------------------------

static const char double_sql[] = "select $1::bigint * 2";
static const char divide_sql[] = "select 100 / $1::bigint";

static int64_t number_in(PGresult *result)
{
    struct charle_arena arena = {0};
    struct charle_value value;
    struct charle_error err;
    assert_int_equal(PQntuples(result), 1);
    assert_ok(ch_pg_result_value(result, 0, 0, CHARLE_TYPE_INT8, false, &arena, &value, &err), &err);
    PQclear(result);
    charle_arena_deinit(&arena);
    return value.int8;
}

static void test_a_pipeline_answers_in_order(void **state)
{
    enum { COUNT = 5000 };
    struct charle_db *db = open_db(suite_pg_url());
    struct ch_pg_pipeline *pipeline = NULL;
    struct charle_error err = {0};
    PGresult *result;
    (void)state;
    assert_ok(ch_pg_pipeline_open(db, 0, &pipeline, &err), &err);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < COUNT; i++) {
            const struct charle_value value = charle_int8(i + 1);
            const char *sql = i % 3 == 2 ? divide_sql : double_sql; // the second one is prepared between the first ones
            assert_ok(ch_pg_pipeline_add(pipeline, sql, &value, 1, &err), &err);
        }
        assert_int_equal(ch_pg_pipeline_pending(pipeline), COUNT);
        assert_ok(ch_pg_pipeline_flush(pipeline, &err), &err);
        for (int i = 0; i < COUNT; i++) {
            assert_ok(ch_pg_pipeline_next(pipeline, &result, &err), &err);
            assert_int_equal(number_in(result), i % 3 == 2 ? 100 / (i + 1) : (i + 1) * 2);
        }
        assert_int_equal(ch_pg_pipeline_next(pipeline, &result, &err), CHARLE_DONE);
    }
    ch_pg_pipeline_close(pipeline);
    assert_int_equal(must_count(db, "select 1"), 1);
    charle_db_close(db);
}

// Adds `count` divisions, the one at `bad` by zero, and returns how many were answered.
static int divide_all(struct charle_db *db, int flags, int count, int bad)
{
    struct ch_pg_pipeline *pipeline = NULL;
    struct charle_error err = {0};
    PGresult *result;
    int answered = 0;
    assert_ok(ch_pg_pipeline_open(db, flags, &pipeline, &err), &err);
    for (int i = 0; i < count; i++) {
        const struct charle_value value = charle_int8(i == bad ? 0 : i + 1);
        assert_ok(ch_pg_pipeline_add(pipeline, divide_sql, &value, 1, &err), &err);
    }
    for (int i = 0; i < count; i++) {
        enum charle_err rc = ch_pg_pipeline_next(pipeline, &result, &err);
        if (i == bad)
            assert_fails(rc, CHARLE_INVALID_ARGUMENT, &err, "division by zero");
        else if (rc == CHARLE_ABORTED)
            assert_true(i > bad);
        else {
            assert_ok(rc, &err);
            assert_int_equal(number_in(result), 100 / (i + 1));
            answered++;
        }
    }
    assert_int_equal(ch_pg_pipeline_next(pipeline, &result, &err), CHARLE_DONE);
    ch_pg_pipeline_close(pipeline);
    return answered;
}

static void test_a_failure_in_a_pipeline(void **state)
{
    struct charle_db *db = open_db(suite_pg_url());
    (void)state;
    assert_int_equal(divide_all(db, 0, 10, 4), 4);                       // those behind it are not run
    assert_int_equal(divide_all(db, CH_PG_PIPELINE_SEPARATE, 10, 4), 9); // those behind it do not care
    assert_int_equal(divide_all(db, 0, 10, 100), 10);
    assert_int_equal(must_count(db, "select 1"), 1);
    charle_db_close(db);
}

static void test_a_pipeline_can_be_left_early(void **state)
{
    struct charle_db *db = open_db(suite_pg_url());
    struct ch_pg_pipeline *pipeline = NULL;
    struct charle_error err = {0};
    PGresult *result;
    const struct charle_value value = charle_int8(1), text = charle_text(CHARLE_STR("x"));
    (void)state;
    assert_ok(ch_pg_pipeline_open(db, 0, &pipeline, &err), &err);
    for (int i = 0; i < 100; i++)
        assert_ok(ch_pg_pipeline_add(pipeline, double_sql, &value, 1, &err), &err);
    assert_fails(ch_pg_pipeline_add(pipeline, double_sql, &text, 1, &err), CHARLE_INVALID_ARGUMENT, &err, "INT8");
    assert_fails(ch_pg_pipeline_add(pipeline, "selec", NULL, 0, &err), CHARLE_INVALID_ARGUMENT, &err, "selec");
    assert_ok(ch_pg_pipeline_next(pipeline, &result, &err), &err);
    assert_int_equal(number_in(result), 2);
    assert_int_equal(ch_pg_pipeline_pending(pipeline), 99);
    ch_pg_pipeline_close(pipeline);
    assert_int_equal(must_count(db, "select 1"), 1);
    charle_db_close(db);
}

static void test_a_pipeline_whose_server_goes(void **state)
{
    struct charle_db *db = open_db(suite_pg_url()), *other = open_db(suite_pg_url());
    struct ch_pg_pipeline *pipeline = NULL;
    struct charle_error err = {0};
    PGresult *result;
    char sql[80];
    const struct charle_value value = charle_int8(1);
    (void)state;
    assert_ok(ch_pg_pipeline_open(db, 0, &pipeline, &err), &err);
    assert_ok(ch_pg_pipeline_add(pipeline, double_sql, &value, 1, &err), &err);
    assert_ok(ch_pg_pipeline_next(pipeline, &result, &err), &err);
    PQclear(result);
    snprintf(sql, sizeof(sql), "select pg_terminate_backend(%d, 10000)", PQbackendPID(ch_pg_connection(db)));
    must_exec(other, sql);
    enum charle_err rc = CHARLE_OK;
    int added = 0;
    while (added < 5 && (rc = ch_pg_pipeline_add(pipeline, double_sql, &value, 1, &err)) == CHARLE_OK)
        added++;
    for (int i = 0; i < added; i++)
        assert_int_equal(ch_pg_pipeline_next(pipeline, &result, &err), CHARLE_UNAVAILABLE);
    ch_pg_pipeline_close(pipeline);
    assert_false(ch_pg_is_alive(db));
    charle_db_close(db);
    charle_db_close(other);
}

// --- the pool -------------------------------------------------------------------------------------------------------

static struct ch_pg_pool *new_pool(int min, int max)
{
    struct ch_pg_pool *pool = NULL;
    struct charle_error err = {0};
    const struct ch_pg_pool_options options = {.connections_min = min, .connections_max = max};
    assert_ok(ch_pg_pool_new(suite_pg_url(), &options, &pool, &err), &err);
    return pool;
}

static void test_a_pool_is_bounded(void **state)
{
    struct ch_pg_pool *pool = new_pool(1, 3);
    struct charle_db *dbs[3], *none = NULL;
    struct charle_error err = {0};
    struct ch_pg_pool_figures figures;
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_ok(ch_pg_pool_take(pool, 1000, &dbs[i], &err), &err);
    assert_fails(ch_pg_pool_take(pool, 30, &none, &err), CHARLE_RESOURCE_EXHAUSTED, &err, "all 3 connections");
    ch_pg_pool_figures(pool, &figures);
    assert_int_equal(figures.busy, 3);
    assert_int_equal(figures.open, 3);
    assert_int_equal(figures.connects, 3);
    assert_int_equal(figures.timeouts, 1);
    assert_int_equal(figures.takes, 3);
    assert_int_equal(figures.waits, 1);
    assert_true(figures.wait_us >= 30000);
    for (int i = 0; i < 3; i++)
        ch_pg_pool_give(pool, dbs[i]);
    ch_pg_pool_figures(pool, &figures);
    assert_int_equal(figures.idle, 3);
    assert_int_equal(figures.busy, 0);
    ch_pg_pool_free(pool);
}

struct crowd {
    struct ch_pg_pool *pool;
    atomic_int running, running_max, done;
};

static void *work(void *ctx)
{
    struct crowd *crowd = ctx;
    for (int i = 0; i < 40; i++) {
        struct charle_db *db = NULL;
        struct charle_error err = {0};
        assert_ok(ch_pg_pool_take(crowd->pool, 20000, &db, &err), &err);
        int running = atomic_fetch_add(&crowd->running, 1) + 1, seen = atomic_load(&crowd->running_max);
        while (running > seen && !atomic_compare_exchange_weak(&crowd->running_max, &seen, running))
            ;
        assert_ok(charle_exec(db, "select 1", NULL, 0, NULL, &err), &err);
        atomic_fetch_sub(&crowd->running, 1);
        ch_pg_pool_give(crowd->pool, db);
        atomic_fetch_add(&crowd->done, 1);
    }
    return NULL;
}

static void test_many_threads_share_few_connections(void **state)
{
    struct crowd crowd = {.pool = new_pool(0, 3)};
    struct ch_pg_pool_figures figures;
    pthread_t threads[12];
    (void)state;
    for (int i = 0; i < 12; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &crowd), 0);
    for (int i = 0; i < 12; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&crowd.done), 12 * 40);
    assert_true(atomic_load(&crowd.running_max) <= 3);
    ch_pg_pool_figures(crowd.pool, &figures);
    assert_int_equal(figures.takes, 12 * 40);
    assert_true(figures.connects <= 3);
    assert_int_equal(figures.busy, 0);
    assert_int_equal(figures.waiting, 0);
    ch_pg_pool_free(crowd.pool);
}

static void test_what_comes_back_is_clean(void **state)
{
    struct ch_pg_pool *pool = new_pool(0, 1);
    struct charle_db *db, *again, *other = open_db(suite_pg_url());
    struct charle_error err = {0};
    struct ch_pg_pool_figures figures;
    char sql[80];
    (void)state;
    assert_ok(ch_pg_pool_take(pool, 1000, &db, &err), &err);
    assert_ok(charle_begin(db, NULL, &err), &err);
    assert_ok(charle_begin(db, NULL, &err), &err);
    must_exec(db, "create table left_open (a int)");
    assert_int_equal(charle_exec(db, "select 1/0", NULL, 0, NULL, &err), CHARLE_INVALID_ARGUMENT);
    ch_pg_pool_give(pool, db);
    assert_ok(ch_pg_pool_take(pool, 1000, &again, &err), &err);
    assert_ptr_equal(db, again);
    assert_int_equal(charle_transaction_depth(again), 0);
    assert_int_equal(must_count(again, "select count(*) from pg_class where relname = 'left_open'"), 0);
    // A connection that broke is thrown away and replaced.
    snprintf(sql, sizeof(sql), "select pg_terminate_backend(%d, 10000)", PQbackendPID(ch_pg_connection(again)));
    must_exec(other, sql);
    assert_int_equal(charle_exec(again, "select 1", NULL, 0, NULL, &err), CHARLE_UNAVAILABLE);
    ch_pg_pool_give(pool, again);
    assert_ok(ch_pg_pool_take(pool, 1000, &again, &err), &err);
    assert_int_equal(must_count(again, "select 1"), 1);
    ch_pg_pool_give(pool, again);
    ch_pg_pool_figures(pool, &figures);
    assert_int_equal(figures.lost, 1);
    assert_int_equal(figures.connects, 2);
    ch_pg_pool_free(pool);
    charle_db_close(other);
}

static void *take_late(void *ctx)
{
    struct charle_db *db = NULL;
    struct charle_error err = {0};
    enum charle_err rc = ch_pg_pool_take(ctx, 20000, &db, &err);
    assert_null(db);
    return (void *)(uintptr_t)rc;
}

static void test_closing_sends_waiters_away(void **state)
{
    struct ch_pg_pool *pool = new_pool(0, 1);
    struct ch_pg_pool_figures figures = {0};
    struct charle_db *db;
    struct charle_error err = {0};
    pthread_t thread;
    void *rc;
    (void)state;
    assert_ok(ch_pg_pool_take(pool, 1000, &db, &err), &err);
    assert_int_equal(pthread_create(&thread, NULL, take_late, pool), 0);
    while (figures.waiting == 0) {
        usleep(1000);
        ch_pg_pool_figures(pool, &figures);
    }
    ch_pg_pool_close(pool);
    pthread_join(thread, &rc);
    assert_int_equal((uintptr_t)rc, CHARLE_CLOSED);
    ch_pg_pool_give(pool, db);
    assert_fails(ch_pg_pool_take(pool, 1000, &db, &err), CHARLE_CLOSED, &err, "closed");
    ch_pg_pool_free(pool);
}

static void test_a_server_that_goes_and_comes(void **state)
{
    struct ch_pg_cluster *cluster = ch_pg_cluster_start(NULL);
    struct ch_pg_pool *pool = NULL;
    struct ch_pg_pool_figures figures;
    struct charle_db *db = NULL;
    struct charle_error err = {0};
    const struct ch_pg_pool_options options = {.connections_max = 2, .connections_min = 2, .idle_check_ms = 1};
    (void)state;
    assert_non_null(cluster);
    assert_ok(ch_pg_pool_new(ch_pg_cluster_url(cluster), &options, &pool, &err), &err);
    assert_true(ch_pg_cluster_halt(cluster, true));
    usleep(5000);
    // The idle connections are found dead, new ones cannot be made, and the caller learns why when its time is up.
    assert_fails(ch_pg_pool_take(pool, 400, &db, &err), CHARLE_UNAVAILABLE, &err, "cannot connect");
    ch_pg_pool_figures(pool, &figures);
    assert_int_equal(figures.lost, 2);
    assert_true(figures.failures >= 1 && figures.failures < 10); // with pauses between the attempts
    assert_int_equal(figures.open, 0);
    assert_true(ch_pg_cluster_resume(cluster));
    assert_ok(ch_pg_pool_take(pool, 10000, &db, &err), &err);
    assert_int_equal(must_count(db, "select 1"), 1);
    ch_pg_pool_give(pool, db);
    ch_pg_pool_tick(pool); // back to the minimum
    ch_pg_pool_figures(pool, &figures);
    assert_int_equal(figures.idle, 2);
    ch_pg_pool_free(pool);
    ch_pg_cluster_stop(cluster);
}

static void test_surplus_connections_are_closed(void **state)
{
    struct ch_pg_pool *pool = NULL;
    struct ch_pg_pool_figures figures;
    struct charle_db *dbs[3];
    struct charle_error err = {0};
    const struct ch_pg_pool_options options = {.connections_max = 3, .connections_min = 1, .idle_close_ms = 1};
    (void)state;
    assert_ok(ch_pg_pool_new(suite_pg_url(), &options, &pool, &err), &err);
    for (int i = 0; i < 3; i++)
        assert_ok(ch_pg_pool_take(pool, 1000, &dbs[i], &err), &err);
    for (int i = 0; i < 3; i++)
        ch_pg_pool_give(pool, dbs[i]);
    usleep(5000);
    ch_pg_pool_tick(pool);
    ch_pg_pool_figures(pool, &figures);
    assert_int_equal(figures.idle, 1);
    ch_pg_pool_free(pool);
}

// --- memory
// -----------------------------------------------------------------------------------------------------------

static enum charle_err do_all(struct charle_error *err)
{
    struct charle_db *db = NULL;
    struct charle_rows *rows = NULL;
    struct ch_pg_pipeline *pipeline = NULL;
    struct charle_value value;
    PGresult *result = NULL;
    const struct charle_value params[] = {charle_int8(5), charle_text(CHARLE_STR("x"))};
    enum charle_err rc = ch_pg_open(suite_pg_url(), NULL, &db, err);
    if (!rc)
        rc = charle_query(db, "select $1::numeric + 0.5, array[$2::text, 'y']", params, 2, &rows, err);
    if (!rc)
        rc = charle_rows_next(rows, err);
    if (!rc)
        rc = charle_rows_value(rows, 0, CHARLE_TYPE_NUMERIC, false, &value, err);
    if (!rc)
        rc = charle_rows_value(rows, 1, CHARLE_TYPE_TEXT, true, &value, err);
    charle_rows_close(rows);
    if (!rc)
        rc = ch_pg_pipeline_open(db, 0, &pipeline, err);
    if (!rc)
        rc = ch_pg_pipeline_add(pipeline, double_sql, params, 1, err);
    if (!rc)
        rc = ch_pg_pipeline_add(pipeline, divide_sql, params, 1, err);
    if (!rc)
        rc = ch_pg_pipeline_next(pipeline, &result, err);
    PQclear(result);
    ch_pg_pipeline_close(pipeline);
    charle_db_close(db);
    return rc;
}

static void test_every_allocation_may_fail(void **state)
{
    struct charle_error err = {0};
    enum charle_err rc = CHARLE_NO_MEMORY;
    long n = 0;
    (void)state;
    (void)suite_pg_url();
    while (rc) {
        ch_alloc_fail_at(++n, 0);
        rc = do_all(&err);
        ch_alloc_fail_at(0, 0);
        if (rc && rc != CHARLE_NO_MEMORY && rc != CHARLE_TOO_LARGE)
            print_error("allocation %ld: %s\n", n, err.text);
        assert_true(rc == CHARLE_OK || rc == CHARLE_NO_MEMORY || rc == CHARLE_TOO_LARGE);
        assert_true(n < 1000);
    }
    assert_true(n > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_refused_connection_says_why),
        cmocka_unit_test(test_a_session_is_set_up),
        cmocka_unit_test(test_a_lost_connection_can_be_made_again),
        cmocka_unit_test(test_forgotten_statements_come_back),
        cmocka_unit_test(test_values_of_unknown_type_want_a_cast),
        cmocka_unit_test(test_a_pipeline_answers_in_order),
        cmocka_unit_test(test_a_failure_in_a_pipeline),
        cmocka_unit_test(test_a_pipeline_can_be_left_early),
        cmocka_unit_test(test_a_pipeline_whose_server_goes),
        cmocka_unit_test(test_a_pool_is_bounded),
        cmocka_unit_test(test_many_threads_share_few_connections),
        cmocka_unit_test(test_what_comes_back_is_clean),
        cmocka_unit_test(test_closing_sends_waiters_away),
        cmocka_unit_test(test_a_server_that_goes_and_comes),
        cmocka_unit_test(test_surplus_connections_are_closed),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
