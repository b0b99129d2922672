// What transactions do to stamps: one a scope and transaction, in commit order, without gaps, whatever way the
// transaction took.
#include "fixture.h"

#include <stdio.h>
#include <unistd.h>

#define DATABASE "transactions"

static PGconn *conn, *other;

static int set_up(void **state)
{
    static const char *const settings[] = {"max_prepared_transactions=10", "deadlock_timeout=100ms", NULL};
    struct ch_pg_cluster *cluster = ch_pg_cluster_start(&(struct ch_pg_cluster_options){.settings = settings});
    assert_non_null(cluster);
    *state = cluster;
    conn = stamps_open(cluster, DATABASE);
    other = stamps_connect(cluster, DATABASE);
    stamps_run(conn, "insert into client (id, name) values ('c1', 'One'), ('c2', 'Two'), ('c3', 'Three')");
    return 0;
}

static int tear_down(void **state)
{
    PQfinish(conn);
    PQfinish(other);
    ch_pg_cluster_stop(*state);
    return 0;
}

static int clear(void **state)
{
    (void)state;
    stamps_run(conn, "delete from task");
    stamps_run(conn, "insert into task (id, client_id, title, is_visible) values ('t1', 'c1', 'x', false), ('t2', "
                     "'c2', 'x', false)");
    stamps_entries(conn);
    return 0;
}

static void one_stamp_for_a_transaction(void **state)
{
    (void)state;
    int64_t before = stamps_head(conn, "client:c1");
    stamps_run(conn, "begin; update task set minutes = 1 where id = 't1'; update task set minutes = 2 where id = 't1'; "
                     "insert into task (id, client_id, title, is_visible) values ('t3', 'c1', 'x', false); commit");
    assert_int_equal(stamps_head(conn, "client:c1"), before + 1);
    assert_entries(conn, "client:c1 task u t1, client:c1 task u t3, team task u t1, team task u t3");
}

static void rollback_gives_the_number_back(void **state)
{
    (void)state;
    int64_t before = stamps_head(conn, "client:c1");
    stamps_run(conn, "begin; update task set minutes = 1 where id = 't1'; set constraints all immediate");
    assert_int_equal(stamps_head(conn, "client:c1"), before + 1);
    stamps_run(conn, "rollback");
    assert_int_equal(stamps_head(conn, "client:c1"), before);
    stamps_run(conn, "update task set minutes = 1 where id = 't1'");
    assert_int_equal(stamps_head(conn, "client:c1"), before + 1);
}

static void rolled_back_savepoint_leaves_nothing(void **state)
{
    (void)state;
    int64_t c2 = stamps_head(conn, "client:c2");
    stamps_run(conn, "begin; savepoint a; update task set minutes = 1 where id = 't2'; rollback to a; "
                     "update task set minutes = 1 where id = 't1'; savepoint b; update task set minutes = 9 where id = "
                     "'t2'; rollback to b; commit");
    assert_entries(conn, "client:c1 task u t1, team task u t1");
    assert_int_equal(stamps_head(conn, "client:c2"), c2);
    stamps_run(conn, "begin; savepoint a; update task set minutes = 2 where id = 't2'; release a; savepoint b; "
                     "update task set minutes = 2 where id = 't1'; rollback to b; commit");
    assert_entries(conn, "client:c2 task u t2, team task u t2");
}

static void rolled_back_savepoint_takes_spilled_entries_with_it(void **state)
{
    (void)state;
    stamps_run(conn, "begin; update task set minutes = 1 where id = 't1'; savepoint a; insert into task (id, "
                     "client_id, title, is_visible) "
                     "select 'b' || i, 'c2', 'x', false from generate_series(1, 1000) i; rollback to a; commit");
    assert_entries(conn, "client:c1 task u t1, team task u t1");
    stamps_run(
        conn,
        "begin; savepoint a; insert into task (id, client_id, title, is_visible) select 'b' || i, 'c2', 'x', false "
        "from generate_series(1, 1000) i; release a; savepoint b; delete from task where id ~ '^b'; rollback to b; "
        "commit");
    assert_int_equal(stamps_number(conn, "select count(*) from charle.entry e where scope = 'client:c2' and v = "
                                         "(select v from charle.head where scope = 'client:c2') and op = 'u'"),
                     1000);
    assert_int_equal(stamps_number(conn, "select count(*) from charle.touched where scope <> '' and op = 'd'"), 0);
    stamps_run(conn, "delete from task where id ~ '^b'");
}

static void caught_exceptions_in_functions_are_savepoints(void **state)
{
    (void)state;
    stamps_run(
        conn,
        "do $$ begin update task set minutes = 1 where id = 't1'; begin update task set minutes = 1 where id = 't2'; "
        "raise exception 'no'; exception when others then null; end; end $$");
    assert_entries(conn, "client:c1 task u t1, team task u t1");
}

static void changes_after_immediate_constraints_share_the_stamp(void **state)
{
    (void)state;
    int64_t c1 = stamps_head(conn, "client:c1"), c2 = stamps_head(conn, "client:c2");
    stamps_run(conn, "begin; update task set minutes = 1 where id = 't1'; set constraints all immediate; "
                     "update task set minutes = 2 where id = 't1'; update task set minutes = 2 where id = 't2'; set "
                     "constraints all deferred; "
                     "update task set title = 'z' where id in ('t1', 't2'); set constraints all immediate; "
                     "insert into task (id, client_id, title, is_visible) values ('t4', 'c1', 'x', false); commit");
    assert_int_equal(stamps_head(conn, "client:c1"), c1 + 1);
    assert_int_equal(stamps_head(conn, "client:c2"), c2 + 1);
    assert_entries(conn, "client:c1 task u t1, client:c1 task u t4, client:c2 task u t2, team task u t1, team task u "
                         "t2, team task u t4");
    assert_string_equal(
        stamps_value(
            conn,
            "select string_agg(distinct scope, ',') from charle.head where txn = (select max(txn) from charle.head)"),
        "client:c1,client:c2,team");
}

static void rolled_back_immediate_raise_is_raised_again(void **state)
{
    (void)state;
    int64_t c1 = stamps_head(conn, "client:c1");
    stamps_run(conn, "begin; update task set minutes = 1 where id = 't1'; savepoint a; set constraints all immediate; "
                     "rollback to a; commit");
    assert_int_equal(stamps_head(conn, "client:c1"), c1 + 1);
    assert_entries(conn, "client:c1 task u t1, team task u t1");
}

static void bulk_after_immediate_constraints_is_whole(void **state)
{
    (void)state;
    stamps_run(conn, "begin; set constraints all immediate; insert into task (id, client_id, title, is_visible) "
                     "select 'b' || i, 'c3', 'x', false from generate_series(1, 500) i; delete from task where id ~ "
                     "'^b[0-9]$'; commit");
    assert_int_equal(
        stamps_number(conn, "select count(distinct key) from charle.entry where scope = 'client:c3' and key ~ '^b'"),
        500);
    assert_int_equal(
        stamps_number(conn, "select count(distinct v) from charle.entry where scope = 'client:c3' and key ~ '^b'"), 1);
    stamps_run(conn, "delete from task where id ~ '^b'");
}

static void prepared_transaction_holds_its_heads_until_decided(void **state)
{
    (void)state;
    int64_t c1 = stamps_head(conn, "client:c1"), c2 = stamps_head(conn, "client:c2");
    stamps_run(conn, "begin; update task set minutes = 1 where id = 't1'; prepare transaction 'one'");
    assert_int_equal(stamps_head(conn, "client:c1"), c1);
    stamps_run(other, "set lock_timeout = '200ms'");
    stamps_refuse(other, "lock timeout",
                  "insert into task (id, title, is_visible) values ('p', 'x', false)"); // the team's head is held
    stamps_run(other, "reset lock_timeout");
    stamps_run(conn, "commit prepared 'one'");
    assert_int_equal(stamps_head(conn, "client:c1"), c1 + 1);
    stamps_run(conn, "begin; update task set minutes = 3 where id = 't2'; prepare transaction 'two'");
    stamps_run(conn, "rollback prepared 'two'");
    assert_int_equal(stamps_head(conn, "client:c2"), c2);
}

static void stamps_are_on_disk_before_they_are_seen(void **state)
{
    (void)state;
    stamps_run(conn, "begin; set local synchronous_commit = off; update task set minutes = 1 where id = 't1'");
    assert_string_equal(stamps_value(conn, "show synchronous_commit"), "off");
    stamps_run(conn, "set constraints all immediate");
    assert_string_equal(stamps_value(conn, "show synchronous_commit"), "on");
    stamps_run(conn, "commit");
    // What the session asked for besides off is left to it.
    stamps_run(conn, "begin; set local synchronous_commit = remote_apply; update task set minutes = 2 where id = 't1'; "
                     "set constraints all immediate");
    assert_string_equal(stamps_value(conn, "show synchronous_commit"), "remote_apply");
    stamps_run(conn, "commit");
    assert_string_equal(stamps_value(conn, "show synchronous_commit"), "on");
}

static void tampered_setting_is_refused(void **state)
{
    (void)state;
    stamps_run(conn, "begin; update task set minutes = 1 where id = 't1'; reset all");
    stamps_refuse(conn, "cannot be stamped", "commit");
    stamps_run(conn, "rollback");
    stamps_run(conn, "set charle.pending = '1:2+'");
    stamps_refuse(conn, "cannot be stamped", "update task set minutes = 5 where id = 't1'");
    stamps_run(conn, "reset all");
    stamps_run(conn, "update task set minutes = 5 where id = 't1'");
    assert_entries(conn, "client:c1 task u t1, team task u t1");
}

// RESET ALL throws away what a transaction has noted so far. Neither the first write of a session nor one in a session
// that is in use, of one row or of many, may go unnoticed.
static void reset_between_writes_is_refused(void **state)
{
    static const char *const first[] = {
        "update task set minutes = minutes + 1 where id = 't1'",
        "insert into task (id, client_id, title, is_visible) select 'b' || i, 'c1', 'x', false "
        "from generate_series(1, 500) i",
        "update task set minutes = minutes + 1 where id = 't1'; set constraints all immediate; "
        "set constraints all deferred",
        "savepoint a; update task set minutes = minutes + 1 where id = 't1'; release a",
        "update client set name = name || '!' where id = 'c1'",
    };
    static const char *const resets[] = {"reset all", "reset charle.pending"};
    for (size_t i = 0; i < sizeof(first) / sizeof(first[0]) * 2; i++) {
        PGconn *fresh = stamps_connect(*state, DATABASE);
        for (int round = 0; round < 3; round++) {
            stamps_run(fresh, "begin; %s; %s", first[i / 2], resets[i % 2]);
            stamps_refuse(fresh, "cannot be stamped", "update task set minutes = minutes + 1 where id = 't2'");
            stamps_run(fresh, "rollback; update task set minutes = minutes + 1 where id = 't2'");
            if (round)
                stamps_run(fresh, "discard all");
        }
        PQfinish(fresh);
    }
    stamps_entries(conn);
    stamps_run(conn, "update task set minutes = 1 where id = 't1'");
    assert_entries(conn, "client:c1 task u t1, team task u t1");
}

// Poolers reset sessions between transactions, and some programs before they write.
static void reset_before_writes_is_fine(void **state)
{
    (void)state;
    int64_t before = stamps_head(conn, "client:c1");
    stamps_run(conn, "discard all");
    stamps_run(conn, "begin; update task set minutes = 1 where id = 't1'; update task set minutes = 1 where id = 't2'; "
                     "commit");
    assert_string_equal(stamps_value(conn, "show charle.pending"), ":"); // the next transaction need not look
    stamps_run(conn, "reset all");
    stamps_run(conn, "begin; select 1 from task; reset all; update task set minutes = 2 where id = 't1'; commit");
    stamps_run(conn, "begin; update task set minutes = 3 where id = 't1'; rollback; reset all");
    stamps_run(conn, "begin; update task set minutes = 4 where id = 't1'; commit");
    assert_int_equal(stamps_head(conn, "client:c1"), before + 3);
    assert_entries(conn, "client:c1 task u t1, client:c2 task u t2, team task u t1, team task u t2");
    // A transaction that was prepared keeps its locks; the session goes on.
    stamps_run(conn, "begin; update task set minutes = 5 where id = 't1'; prepare transaction 'three'");
    stamps_run(conn, "update task set minutes = minutes where id = 't2'");
    stamps_run(conn, "discard all");
    stamps_run(conn, "update task set minutes = minutes where id = 't2'");
    stamps_run(conn, "commit prepared 'three'");
    assert_int_equal(stamps_head(conn, "client:c1"), before + 4);
}

// Waits until the session of `who` waits for a lock.
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

static void head_is_locked_for_the_commit_only(void **state)
{
    (void)state;
    int64_t before = stamps_head(conn, "team");
    stamps_run(conn, "begin; update task set minutes = 1 where id = 't1'");
    stamps_run(other, "update task set minutes = 1 where id = 't2'"); // would wait if the head were locked already
    assert_int_equal(stamps_head(other, "team"), before + 1);
    stamps_run(conn, "set constraints all immediate");
    assert_int_equal(stamps_head(conn, "team"), before + 2);
    assert_int_equal(PQsendQuery(other, "update task set minutes = 2 where id = 't2'"), 1);
    wait_until_blocked(other);
    stamps_run(conn, "commit");
    finish(other);
    assert_int_equal(stamps_head(conn, "team"), before + 3);
}

static void opposite_order_does_not_deadlock(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        stamps_run(conn, "begin; update task set minutes = minutes + 1 where id = 't1'; "
                         "insert into task (id, client_id, title, is_visible) values ('x1', 'c2', 'x', false)");
        stamps_run(other, "begin; update task set minutes = minutes + 1 where id = 't2'; "
                          "insert into task (id, client_id, title, is_visible) values ('x2', 'c1', 'x', false)");
        assert_int_equal(PQsendQuery(other, "commit"), 1);
        assert_int_equal(PQsendQuery(conn, "commit"), 1);
        finish(conn);
        finish(other);
        stamps_run(conn, "delete from task where id in ('x1', 'x2')");
    }
}

static void repeatable_read_fails_rather_than_miss(void **state)
{
    (void)state;
    stamps_run(conn, "begin isolation level repeatable read; select 1 from task");
    stamps_run(other, "update task set minutes = 7 where id = 't2'");
    stamps_run(conn, "update task set minutes = 7 where id = 't1'");
    stamps_refuse(conn, "could not serialize access", "commit");
    stamps_run(conn, "begin isolation level serializable; update task set minutes = 8 where id = 't1'; commit");
    assert_entries(conn, "client:c1 task u t1, client:c2 task u t2, team task u t1, team task u t2");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, clear)
    const struct CMUnitTest tests[] = {
        CASE(one_stamp_for_a_transaction),
        CASE(rollback_gives_the_number_back),
        CASE(rolled_back_savepoint_leaves_nothing),
        CASE(rolled_back_savepoint_takes_spilled_entries_with_it),
        CASE(caught_exceptions_in_functions_are_savepoints),
        CASE(changes_after_immediate_constraints_share_the_stamp),
        CASE(rolled_back_immediate_raise_is_raised_again),
        CASE(bulk_after_immediate_constraints_is_whole),
        CASE(prepared_transaction_holds_its_heads_until_decided),
        CASE(stamps_are_on_disk_before_they_are_seen),
        CASE(tampered_setting_is_refused),
        CASE(reset_between_writes_is_refused),
        CASE(reset_before_writes_is_fine),
        CASE(head_is_locked_for_the_commit_only),
        CASE(opposite_order_does_not_deadlock),
        CASE(repeatable_read_fails_rather_than_miss),
    };
    return cmocka_run_group_tests_name("stamps and transactions", tests, set_up, tear_down);
}
