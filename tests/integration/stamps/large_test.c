// Transactions with more entries than the setting takes: their entries wait in further settings and end in rows with many keys each.
#include "fixture.h"

#define DATABASE "stamps_large"

static PGconn *conn;

static int set_up(void **state)
{
    struct ch_pg_cluster *cluster = ch_pg_cluster_start(NULL);
    assert_non_null(cluster);
    *state = cluster;
    conn = stamps_open(cluster, DATABASE);
    stamps_run(conn, "insert into client (id, name) values ('c1', 'x')");
    return 0;
}

static int tear_down(void **state)
{
    PQfinish(conn);
    ch_pg_cluster_stop(*state);
    return 0;
}

static int clear(void **state)
{
    (void)state;
    stamps_run(conn, "delete from task");
    return 0;
}

// About a hundred bytes of entries a row: forty rows fill a setting, and some seven hundred all that may be held.
static void add_rows(const char *prefix, int count)
{
    stamps_run(conn, "insert into task (id, client_id, title, is_visible) select '%s' || i || repeat('-', 30), 'c1', 'x', false "
                     "from generate_series(1, %d) i",
               prefix, count);
}

static int64_t count_keys(const char *prefix, const char *op)
{
    return stamps_number(conn, "select count(distinct key) from charle.entry e join charle.head h using (scope, v) where scope = 'client:c1' "
                               "and op = '%s' and starts_with(key, '%s')",
                         op, prefix);
}

static void any_number_of_rows_is_written_whole(void **state)
{
    static const int counts[] = {30, 45, 90, 650, 720, 800, 3000};
    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        add_rows("n", counts[i]);
        assert_int_equal(count_keys("n", "u"), counts[i]);
        stamps_run(conn, "delete from task where id ~ '^n'");
        assert_int_equal(count_keys("n", "d"), counts[i]);
    }
    assert_true(stamps_number(conn, "select max(cardinality(keys)) from charle.touched") > 100);
}

static void savepoint_takes_back_what_is_held(void **state)
{
    (void)state;
    for (int rows = 100; rows <= 1600; rows *= 4) {
        stamps_run(conn, "begin");
        add_rows("a", rows);
        stamps_run(conn, "savepoint s");
        add_rows("b", rows);
        stamps_run(conn, "rollback to s");
        add_rows("c", rows);
        stamps_run(conn, "commit");
        assert_int_equal(count_keys("a", "u"), rows);
        assert_int_equal(count_keys("b", "u"), 0);
        assert_int_equal(count_keys("c", "u"), rows);
        stamps_run(conn, "delete from task where id ~ '^[ac]'");
    }
}

static void raise_in_between_keeps_one_stamp(void **state)
{
    (void)state;
    int64_t before = stamps_head(conn, "client:c1");
    stamps_run(conn, "begin");
    add_rows("a", 500);
    stamps_run(conn, "set constraints all immediate");
    add_rows("b", 100);
    stamps_run(conn, "set constraints all deferred");
    add_rows("c", 500);
    stamps_run(conn, "commit");
    assert_int_equal(stamps_head(conn, "client:c1"), before + 1);
    assert_int_equal(count_keys("a", "u") + count_keys("b", "u") + count_keys("c", "u"), 1100);
    stamps_run(conn, "delete from task where id ~ '^[abc]'");
}

// Nobody does that by accident, but if somebody did, changes would be missed.
static void resetting_what_is_held_is_refused(void **state)
{
    (void)state;
    stamps_run(conn, "begin");
    add_rows("a", 100);
    stamps_run(conn, "reset charle.held_1");
    stamps_refuse(conn, "cannot be stamped", "commit");
    stamps_run(conn, "rollback");
    add_rows("b", 100);
    assert_int_equal(count_keys("b", "u"), 100);
    stamps_run(conn, "delete from task where id ~ '^b'");
}

static void compacting_thins_rows_of_many_keys(void **state)
{
    (void)state;
    stamps_run(conn, "delete from charle.touched; delete from charle.change");
    add_rows("a", 100);
    stamps_run(conn, "update task set title = 'y' where id ~ '^a1'"); // 12 of them, and no spilled entries
    stamps_run(conn, "select charle.compact()");
    assert_int_equal(stamps_number(conn, "select count(*) - count(distinct (scope, tab, key)) from charle.entry"), 0);
    assert_int_equal(stamps_number(conn, "select count(*) from charle.entry where scope = 'client:c1'"), 100);
    assert_int_equal(stamps_number(conn, "select sum(cardinality(keys)) from charle.touched where scope = 'client:c1'"), 88);
    stamps_run(conn, "delete from task where id ~ '^a'");
    stamps_run(conn, "select charle.compact()"); // nothing is left of the first transaction's
    assert_int_equal(stamps_number(conn, "select count(*) from charle.entry where scope = 'client:c1' and op = 'u'"), 0);
    assert_int_equal(stamps_number(conn, "select count(*) from charle.entry where scope = 'client:c1'"), 100);
    assert_int_equal(stamps_number(conn, "select charle.compact()"), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, clear)
    const struct CMUnitTest tests[] = {
        CASE(any_number_of_rows_is_written_whole), CASE(savepoint_takes_back_what_is_held), CASE(raise_in_between_keeps_one_stamp),
        CASE(resetting_what_is_held_is_refused),   CASE(compacting_thins_rows_of_many_keys),
    };
    return cmocka_run_group_tests_name("stamps of large transactions", tests, set_up, tear_down);
}
