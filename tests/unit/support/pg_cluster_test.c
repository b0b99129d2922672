// The clusters that other tests rely on: they start, forget nothing over a halt, go back to a cold copy, and leave
// nothing behind.
#include "support/pg_cluster.h"

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
// cmocka wants these before it.
#include <cmocka.h>
#include <libpq-fe.h>
// clang-format on

static int count_rows(const char *url)
{
    int count = -1;
    PGconn *connection = PQconnectdb(url);
    PGresult *result = PQexec(connection, "select count(*) from t");
    if (PQresultStatus(result) == PGRES_TUPLES_OK)
        sscanf(PQgetvalue(result, 0, 0), "%d", &count);
    PQclear(result);
    PQfinish(connection);
    return count;
}

static void run(const char *url, const char *sql)
{
    PGconn *connection = PQconnectdb(url);
    PGresult *result = PQexec(connection, sql);
    assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
    PQclear(result);
    PQfinish(connection);
}

static void test_keeps_data_over_halt_and_crash(void **state)
{
    (void)state;
    char url[CH_PG_CLUSTER_URL_SIZE];
    struct ch_pg_cluster *pg = ch_pg_cluster_start(NULL);
    assert_non_null(pg);
    assert_true(ch_pg_cluster_database(pg, "one", url));
    run(url, "create table t as select 1 as a");
    assert_true(ch_pg_cluster_halt(pg, false));
    assert_int_equal(ch_pg_cluster_pid(pg), 0);
    assert_true(ch_pg_cluster_resume(pg));
    assert_int_equal(count_rows(url), 1);
    assert_true(ch_pg_cluster_halt(pg, true));
    assert_true(ch_pg_cluster_resume(pg));
    assert_int_equal(count_rows(url), 1);
    ch_pg_cluster_stop(pg);
}

static void test_goes_back_to_a_cold_copy(void **state)
{
    (void)state;
    struct ch_pg_cluster *pg = ch_pg_cluster_start(NULL);
    assert_non_null(pg);
    run(ch_pg_cluster_url(pg), "create table t as select 1 as a");
    assert_false(ch_pg_cluster_save(pg)); // still running
    assert_true(ch_pg_cluster_halt(pg, false));
    assert_true(ch_pg_cluster_save(pg));
    assert_true(ch_pg_cluster_resume(pg));
    run(ch_pg_cluster_url(pg), "insert into t values (2)");
    assert_int_equal(count_rows(ch_pg_cluster_url(pg)), 2);
    assert_true(ch_pg_cluster_halt(pg, false));
    assert_true(ch_pg_cluster_restore(pg));
    assert_true(ch_pg_cluster_resume(pg));
    assert_int_equal(count_rows(ch_pg_cluster_url(pg)), 1);
    ch_pg_cluster_stop(pg);
}

static void test_takes_settings_and_leaves_nothing(void **state)
{
    (void)state;
    char directory[256];
    const char *const settings[] = {"work_mem=7MB", NULL};
    struct ch_pg_cluster *pg = ch_pg_cluster_start(&(struct ch_pg_cluster_options){.settings = settings});
    assert_non_null(pg);
    PGconn *connection = PQconnectdb(ch_pg_cluster_url(pg));
    PGresult *result = PQexec(connection, "show work_mem");
    assert_string_equal(PQgetvalue(result, 0, 0), "7MB");
    PQclear(result);
    PQfinish(connection);
    snprintf(directory, sizeof(directory), "%s", ch_pg_cluster_directory(pg));
    assert_int_equal(access(directory, F_OK), 0);
    ch_pg_cluster_stop(pg);
    assert_int_not_equal(access(directory, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_data_over_halt_and_crash),
        cmocka_unit_test(test_goes_back_to_a_cold_copy),
        cmocka_unit_test(test_takes_settings_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
