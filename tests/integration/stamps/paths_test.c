// Audiences that are found through other tables: who is told when a link comes, goes or turns.
#include "fixture.h"

#include <unistd.h>

#define DATABASE "paths"

static PGconn *conn, *other;

static int set_up(void **state)
{
    (void)state;
    conn = stamps_open(ch_pg_cluster_shared(), DATABASE);
    other = stamps_connect(ch_pg_cluster_shared(), DATABASE);
    stamps_run(conn, "insert into person (id, name) values ('p1', 'Ann'), ('p2', 'Bob'), ('p3', 'Cem')");
    stamps_run(conn, "insert into client (id, name) values ('c1', 'One'), ('c2', 'Two')");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    PQfinish(conn);
    PQfinish(other);
    return 0;
}

static int clear(void **state)
{
    (void)state;
    stamps_run(
        conn,
        "delete from quote; delete from task; insert into task (id, client_id, title, is_visible) values ('t1', 'c1', "
        "'x', false), "
        "('t2', 'c2', 'x', false); insert into comment (id, task_id, body) values (1, 't1', 'x'), (2, 't1', 'y'); "
        "insert into quote values ('q1', 'x'), ('q2', 'x'); insert into item values ('i1', 'q1', 'x'), ('i2', 'q2', "
        "'x'); "
        "insert into score values (1, 'i1', 5)");
    stamps_entries(conn);
    return 0;
}

// --- up: comment -> task.client_id
// ---------------------------------------------------------------------------------------

static void row_goes_where_its_parent_is(void **state)
{
    (void)state;
    stamps_run(conn, "insert into comment (id, task_id, body) values (3, 't2', 'z')");
    assert_entries(conn, "client:c2 comment u [3]");
    stamps_run(conn, "update comment set body = 'zz' where id = 3"); // a column that one of the conditions looks at
    assert_entries(conn, "client:c2 comment d [3], client:c2 comment u [3]");
    stamps_run(conn, "update comment set task_id = 't1' where id = 3");
    assert_entries(conn, "client:c1 comment u [3], client:c2 comment d [3]");
    stamps_run(conn, "delete from comment where id = 3");
    assert_entries(conn, "client:c1 comment d [3]");
}

static void condition_of_a_path_audience(void **state)
{
    (void)state;
    stamps_run(conn, "insert into comment (id, task_id, body, is_internal) values (3, 't2', 'z', true)");
    assert_entries(conn, "");
    stamps_run(conn, "update comment set is_internal = false where id = 3");
    assert_entries(conn, "client:c2 comment u [3]");
    stamps_run(conn, "update comment set is_internal = true where id = 3");
    assert_entries(conn, "client:c2 comment d [3]");
    stamps_run(conn, "update task set client_id = 'c1' where id = 't2'");
    assert_entries(conn, "client:c1 task u t2, client:c2 task d t2, team task u t2");
}

static void audiences_with_one_path_see_what_each_may(void **state)
{
    (void)state;
    stamps_run(conn, "insert into comment (id, task_id, body, is_internal) values (3, 't2', 'public', true)");
    assert_entries(conn, "portal:c2 comment u [3]");
    stamps_run(conn, "update comment set is_internal = false where id = 3");
    assert_entries(conn, "client:c2 comment u [3], portal:c2 comment d [3], portal:c2 comment u [3]");
    stamps_run(conn, "update task set client_id = 'c1' where id = 't2'");
    assert_non_null(
        strstr(stamps_entries(conn),
               "client:c1 comment u [3], client:c1 task u t2, client:c2 comment u [3], client:c2 task d t2, "
               "portal:c1 comment u [3], portal:c2 comment u [3]"));
    stamps_run(conn, "update comment set body = 'private' where id = 3");
    assert_entries(conn, "client:c1 comment d [3], client:c1 comment u [3], portal:c1 comment d [3]");
    stamps_run(conn, "truncate comment");
    assert_entries(conn, "client:c1 comment d [1], client:c1 comment d [2], client:c1 comment d [3]");
}

static void parent_that_moves_takes_its_rows_along(void **state)
{
    (void)state;
    stamps_run(conn, "update task set client_id = 'c2' where id = 't1'");
    assert_entries(conn, "client:c1 comment u [1], client:c1 comment u [2], client:c1 task d t1, client:c2 comment u "
                         "[1], client:c2 comment u [2], "
                         "client:c2 task u t1, team task u t1");
    stamps_run(conn, "update task set client_id = null where id = 't1'");
    assert_entries(conn, "client:c2 comment u [1], client:c2 comment u [2], client:c2 task d t1, team task u t1");
    stamps_run(conn, "update task set title = 'other' where id = 't1'");
    assert_entries(conn, "team task u t1");
}

static void cascade_from_the_parent_is_told(void **state)
{
    (void)state;
    stamps_run(conn, "delete from task where id = 't1'");
    assert_string_equal(
        stamps_value(
            conn,
            "select string_agg(distinct key, ',' order by key) from charle.entry where scope = 'client:c1' and tab = 4 "
            "and v = (select v from charle.head where scope = 'client:c1')"),
        "[1],[2]");
}

static void parent_and_child_in_one_statement(void **state)
{
    (void)state;
    stamps_run(conn, "with a as (update task set client_id = 'c2' where id = 't1'), b as (update comment set task_id = "
                     "'t2' where id = 1) select 1");
    const char *entries = stamps_entries(conn);
    assert_non_null(strstr(entries, "client:c1 comment"));
    assert_non_null(strstr(entries, "client:c2 comment u [1]"));
    assert_non_null(strstr(entries, "client:c2 comment u [2]"));
}

// --- down: quote <- item <- assignee.user_id
// ------------------------------------------------------------------------------

static void link_that_comes_and_goes(void **state)
{
    (void)state;
    stamps_run(conn, "insert into assignee values ('i1', 'p1')");
    assert_entries(conn, "user:p1 item u i1, user:p1 quote u q1, user:p1 score u [1]");
    stamps_run(conn, "update quote set title = 'y' where id = 'q1'");
    assert_entries(conn, "user:p1 quote u q1");
    stamps_run(conn, "insert into assignee values ('i1', 'p2'), ('i2', 'p2')");
    assert_entries(conn,
                   "user:p2 item u i1, user:p2 item u i2, user:p2 quote u q1, user:p2 quote u q2, user:p2 score u [1]");
    stamps_run(conn, "delete from assignee where item_id = 'i1' and user_id = 'p2'");
    assert_entries(conn, "user:p2 item u i1, user:p2 quote u q1, user:p2 score u [1]");
    stamps_run(conn, "update assignee set user_id = 'p3' where user_id = 'p1'");
    assert_entries(conn, "user:p1 item u i1, user:p1 quote u q1, user:p1 score u [1], user:p3 item u i1, user:p3 quote "
                         "u q1, user:p3 score u [1]");
}

static void link_in_the_middle_that_turns(void **state)
{
    (void)state;
    stamps_run(conn, "insert into assignee values ('i1', 'p1'), ('i1', 'p2')");
    stamps_entries(conn);
    stamps_run(conn, "update item set quote_id = 'q2' where id = 'i1'");
    assert_entries(conn, "user:p1 item u i1, user:p1 quote u q1, user:p1 quote u q2, user:p2 item u i1, user:p2 quote "
                         "u q1, user:p2 quote u q2");
    stamps_run(conn, "update item set title = 'y' where id = 'i1'");
    assert_entries(conn, "user:p1 item u i1, user:p2 item u i1");
}

static void cascade_through_the_whole_path_is_told(void **state)
{
    (void)state;
    stamps_run(conn, "insert into assignee values ('i1', 'p1')");
    stamps_entries(conn);
    stamps_run(conn, "delete from quote where id = 'q1'");
    // Which of the triggers saw which row first does not matter: every row that was in the scope is named.
    assert_string_equal(
        stamps_value(
            conn,
            "select string_agg(distinct tab || ' ' || key, ', ') from charle.entry where scope = 'user:p1' and v = "
            "(select v from charle.head where scope = 'user:p1')"),
        "5 q1, 6 i1, 8 [1]");
}

static void truncated_links_are_told(void **state)
{
    (void)state;
    stamps_run(conn, "insert into assignee values ('i1', 'p1'), ('i2', 'p2')");
    stamps_entries(conn);
    stamps_run(conn, "truncate assignee");
    assert_entries(conn,
                   "user:p1 item d i1, user:p1 quote d q1, user:p1 score d [1], user:p2 item d i2, user:p2 quote d q2");
}

static void savepoint_takes_links_back(void **state)
{
    (void)state;
    stamps_run(conn, "begin; savepoint a; insert into assignee values ('i1', 'p1'); rollback to a; insert into "
                     "assignee values ('i2', 'p2'); commit");
    assert_entries(conn, "user:p2 item u i2, user:p2 quote u q2");
}

// --- up and down: score -> item <- assignee
// -------------------------------------------------------------------------------

static void path_that_turns_back(void **state)
{
    (void)state;
    stamps_run(conn, "insert into assignee values ('i2', 'p2')");
    stamps_entries(conn);
    stamps_run(conn, "update score set item_id = 'i2' where id = 1");
    assert_entries(conn, "user:p2 score u [1]");
    stamps_run(conn, "update score set item_id = 'i1' where id = 1");
    assert_entries(conn, "user:p2 score d [1]");
}

// --- two at once
// ---------------------------------------------------------------------------------------------------------

static void wait_until_blocked(PGconn *who)
{
    for (int i = 0; i < 500; i++) {
        if (stamps_number(conn, "select count(*) from pg_locks where pid = %d and not granted", PQbackendPID(who)))
            return;
        usleep(10000);
    }
    fail_msg("the other session never waited");
}

static void finish(PGconn *who)
{
    PGresult *result;
    while ((result = PQgetResult(who))) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
            fail_msg("%s", PQresultErrorMessage(result));
        PQclear(result);
    }
}

// `first` is open when `second` runs; the second must wait, and then see what the first did.
static void run_both(const char *first, const char *second)
{
    stamps_run(conn, "begin");
    stamps_run(conn, "%s", first);
    assert_int_equal(PQsendQuery(other, second), 1);
    wait_until_blocked(other);
    stamps_run(conn, "commit");
    finish(other);
}

static void row_of_a_parent_that_is_moving(void **state)
{
    (void)state;
    run_both("update task set client_id = 'c2' where id = 't1'", "update comment set body = 'new' where id = 1");
    assert_string_equal(
        stamps_value(conn, "select max(v) - (select v from charle.head where scope = 'client:c2') from charle.entry "
                           "where scope = 'client:c2' and tab = 4 and key = '[1]'"),
        "0");
    stamps_entries(conn);
    run_both("update comment set body = 'newer' where id = 2", "update task set client_id = 'c1' where id = 't1'");
    assert_non_null(strstr(stamps_entries(conn), "client:c1 comment u [2]"));
}

static void new_row_of_a_parent_that_is_moving(void **state)
{
    (void)state;
    run_both("insert into comment (id, task_id, body) values (7, 't1', 'x')",
             "update task set client_id = 'c2' where id = 't1'");
    assert_non_null(strstr(stamps_entries(conn), "client:c2 comment u [7]"));
    run_both("update task set client_id = 'c1' where id = 't1'",
             "insert into comment (id, task_id, body) values (8, 't1', 'x')");
    assert_non_null(strstr(stamps_entries(conn), "client:c1 comment u [8]"));
}

static void two_links_of_one_path(void **state)
{
    (void)state;
    run_both("update item set quote_id = 'q2' where id = 'i1'", "insert into assignee values ('i1', 'p1')");
    assert_non_null(strstr(stamps_entries(conn), "user:p1 quote u q2"));
    stamps_run(conn, "delete from assignee");
    stamps_entries(conn);
    run_both("insert into assignee values ('i1', 'p1')", "update item set quote_id = 'q1' where id = 'i1'");
    assert_non_null(strstr(stamps_entries(conn), "user:p1 quote u q1"));
}

static void both_ends_of_a_path_that_turns_back(void **state)
{
    (void)state;
    run_both("insert into score values (2, 'i1', 1)", "insert into assignee values ('i1', 'p1')");
    assert_non_null(strstr(stamps_entries(conn), "user:p1 score u [2]"));
    stamps_run(conn, "delete from assignee");
    stamps_entries(conn);
    run_both("insert into assignee values ('i1', 'p1')", "insert into score values (3, 'i1', 1)");
    assert_non_null(strstr(stamps_entries(conn), "user:p1 score u [3]"));
}

static void changed_row_whose_link_is_coming(void **state)
{
    (void)state;
    run_both("update quote set title = 'new' where id = 'q1'", "insert into assignee values ('i1', 'p1')");
    assert_non_null(strstr(stamps_entries(conn), "user:p1 quote u q1"));
    stamps_run(conn, "delete from assignee");
    stamps_entries(conn);
    run_both("insert into assignee values ('i1', 'p1')", "update quote set title = 'newer' where id = 'q1'");
    assert_string_equal(
        stamps_value(conn, "select max(v) - (select v from charle.head where scope = 'user:p1') from charle.entry "
                           "where scope = 'user:p1' and tab = 5 and key = 'q1'"),
        "0");
}

// A snapshot from before the link cannot see it: the transaction fails and is run again, it does not write past it.
static void repeatable_read_writer_beside_a_link(void **state)
{
    (void)state;
    stamps_run(conn, "begin isolation level repeatable read; select 1 from quote");
    stamps_run(other, "insert into assignee values ('i1', 'p1')");
    stamps_refuse(conn, "could not serialize access", "update quote set title = 'new' where id = 'q1'");
    stamps_run(conn, "rollback");
}

static void repeatable_read_may_not_change_links(void **state)
{
    (void)state;
    static const char *const statements[] = {
        "insert into assignee values ('i1', 'p1')",
        "delete from item where id = 'i1'",
        "update item set quote_id = 'q2' where id = 'i1'",
        "update task set client_id = 'c2' where id = 't1'",
    };
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        stamps_run(conn, i % 2 ? "begin isolation level serializable" : "begin isolation level repeatable read");
        stamps_refuse(conn, "decides who sees rows of other tables", statements[i]);
        stamps_run(conn, "rollback");
    }
    stamps_run(conn, "begin isolation level repeatable read; update item set title = 'y' where id = 'i1'; update task "
                     "set title = 'y'; commit");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, clear)
    const struct CMUnitTest tests[] = {
        CASE(row_goes_where_its_parent_is),
        CASE(condition_of_a_path_audience),
        CASE(audiences_with_one_path_see_what_each_may),
        CASE(parent_that_moves_takes_its_rows_along),
        CASE(cascade_from_the_parent_is_told),
        CASE(parent_and_child_in_one_statement),
        CASE(link_that_comes_and_goes),
        CASE(link_in_the_middle_that_turns),
        CASE(cascade_through_the_whole_path_is_told),
        CASE(truncated_links_are_told),
        CASE(savepoint_takes_links_back),
        CASE(path_that_turns_back),
        CASE(row_of_a_parent_that_is_moving),
        CASE(new_row_of_a_parent_that_is_moving),
        CASE(two_links_of_one_path),
        CASE(both_ends_of_a_path_that_turns_back),
        CASE(changed_row_whose_link_is_coming),
        CASE(repeatable_read_writer_beside_a_link),
        CASE(repeatable_read_may_not_change_links),
    };
    return cmocka_run_group_tests_name("stamps along paths", tests, set_up, tear_down);
}
