// Databases that crash, and databases that go back in time.
//
// A replica holds (stamp, lineage) and comes back with it. What the database says of that cursor after each kind of
// accident is the test: good when everything up to it is still true, off the history when the past was rewritten.
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

#define DATABASE "epochs"

struct cursor {
    int64_t stamp;
    int64_t lineage;
};

static struct ch_pg_cluster *cluster;
static PGconn *conn;

static int set_up(void **state)
{
    (void)state;
    cluster = ch_pg_cluster_start(&(struct ch_pg_cluster_options){.is_durable = true});
    assert_non_null(cluster);
    conn = stamps_open(cluster, DATABASE);
    stamps_run(conn, "insert into client (id, name) values ('c1', 'One'); "
                     "insert into task (id, client_id, title, is_visible) values ('t1', 'c1', 'x', false), ('t2', "
                     "null, 'x', false)");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    PQfinish(conn);
    ch_pg_cluster_stop(cluster);
    return 0;
}

static struct cursor take(const char *scope)
{
    return (struct cursor){
        .stamp = stamps_head(conn, scope),
        .lineage = stamps_number(
            conn, "select e.lineage from charle.head h join charle.epoch e on e.epoch = h.v >> 33 where h.scope = '%s'",
            scope),
    };
}

// The rule of docs/internals.md in SQL: on the history of the head, in an epoch of the same lineage.
static bool is_good(const char *scope, struct cursor cursor)
{
    return stamps_number(conn,
                         "select count(*) from charle.head h join charle.epoch e on e.epoch = %lld::int8 >> 33 and "
                         "e.lineage = %lld "
                         "where h.scope = '%s' and %lld >= h.floor and ((h.v >> 33 = e.epoch and %lld <= h.v) or "
                         "exists (select from unnest(h.hist) o where o >> 33 = e.epoch and %lld <= o))",
                         (long long)cursor.stamp, (long long)cursor.lineage, scope, (long long)cursor.stamp,
                         (long long)cursor.stamp, (long long)cursor.stamp) > 0;
}

static void write_task(void)
{
    stamps_run(conn, "update task set minutes = minutes + 1 where id = 't1'");
}

static void restart(bool is_crash)
{
    PQfinish(conn);
    conn = NULL;
    assert_true(ch_pg_cluster_halt(cluster, is_crash));
    assert_true(ch_pg_cluster_resume(cluster));
    conn = stamps_connect(cluster, DATABASE);
}

static void crash_begins_an_epoch_and_keeps_cursors(void **state)
{
    (void)state;
    write_task();
    struct cursor old = take("client:c1"), at_head;
    write_task();
    at_head = take("client:c1");
    int64_t epoch = stamps_number(conn, "select epoch from charle.cluster");
    restart(true);
    assert_true(is_good("client:c1", old)); // before anybody wrote
    write_task();                           // any writer begins the epoch
    struct cursor now = take("client:c1");
    assert_true(stamps_number(conn, "select epoch from charle.cluster") > epoch);
    assert_int_equal(now.stamp >> 33, stamps_number(conn, "select epoch from charle.cluster"));
    assert_int_equal(now.stamp & ((1LL << 33) - 1), 1);
    assert_true(now.lineage != at_head.lineage);
    assert_true(is_good("client:c1", old));
    assert_true(is_good("client:c1", at_head));
    assert_true(is_good("client:c1", now));
    assert_string_equal(stamps_value(conn, "select hist[cardinality(hist)] from charle.head where scope = 'client:c1'"),
                        stamps_value(conn, "select %lld::int8", (long long)at_head.stamp));
    assert_false(is_good("client:c1", (struct cursor){at_head.stamp + 1, at_head.lineage}));
    assert_false(is_good("client:c1", (struct cursor){now.stamp, old.lineage}));
    // A head that nobody has touched since stays in its epoch.
    assert_true(is_good("team", take("team")));
}

static void clean_restarts_are_epochs_too(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct cursor before = take("client:c1");
        restart(false);
        write_task();
        assert_true(is_good("client:c1", before));
        assert_true(take("client:c1").stamp > before.stamp);
    }
    assert_int_equal(stamps_number(conn, "select count(*) from charle.epoch"),
                     stamps_number(conn, "select count(distinct lineage) from charle.epoch"));
    // Deltas go across epochs: stamps of one history only grow.
    assert_int_equal(stamps_number(conn, "select count(*) from (select v, lag(v) over (order by ctid) as before from "
                                         "charle.change where scope = 'client:c1') q where v < before"),
                     0);
}

static void epoch_begins_once_for_many_writers(void **state)
{
    (void)state;
    restart(true);
    enum { WRITERS = 6 };
    PGconn *writers[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = stamps_connect(cluster, DATABASE);
        char sql[160];
        snprintf(sql, sizeof(sql),
                 "insert into task (id, title, is_visible) values ('w%d' || txid_current(), 'x', false)", i);
        assert_int_equal(PQsendQuery(writers[i], sql), 1);
    }
    for (int i = 0; i < WRITERS; i++) {
        PGresult *result;
        while ((result = PQgetResult(writers[i]))) {
            assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
            PQclear(result);
        }
        PQfinish(writers[i]);
    }
    assert_int_equal(
        stamps_number(conn, "select count(*) from charle.epoch where started_at > pg_postmaster_start_time()"), 1);
    assert_int_equal(take("team").stamp & ((1LL << 33) - 1), WRITERS);
}

static void rolled_back_epoch_is_begun_again(void **state)
{
    (void)state;
    restart(true);
    int64_t epochs = stamps_number(conn, "select count(*) from charle.epoch");
    stamps_run(conn, "begin; update task set minutes = 99 where id = 't1'; set constraints all immediate; rollback");
    assert_int_equal(stamps_number(conn, "select count(*) from charle.epoch"), epochs);
    write_task();
    assert_int_equal(stamps_number(conn, "select count(*) from charle.epoch"), epochs + 1);
}

// A cold copy has the same system id and the same timeline, and the foreign writer comes before any server of ours.
static void cold_copy_put_back_is_noticed(void **state)
{
    (void)state;
    write_task();
    struct cursor kept = take("client:c1");
    PQfinish(conn);
    conn = NULL;
    assert_true(ch_pg_cluster_halt(cluster, false));
    assert_true(ch_pg_cluster_save(cluster));
    assert_true(ch_pg_cluster_resume(cluster));
    conn = stamps_connect(cluster, DATABASE);

    write_task(); // the future that will be lost: an epoch of its own, since the server was started anew
    write_task();
    struct cursor lost = take("client:c1");
    assert_true(is_good("client:c1", kept));
    assert_true(is_good("client:c1", lost));

    PQfinish(conn);
    conn = NULL;
    assert_true(ch_pg_cluster_halt(cluster, true));
    assert_true(ch_pg_cluster_restore(cluster));
    assert_true(ch_pg_cluster_resume(cluster));
    conn = stamps_connect(cluster, DATABASE);
    assert_true(is_good("client:c1", kept));
    assert_false(is_good("client:c1", lost));
    for (int i = 0; i < 5; i++)
        write_task(); // past the number of the lost stamp
    assert_true(is_good("client:c1", kept));
    assert_false(is_good("client:c1", lost));
}

// The server is not started anew, so nothing but the tables' own identity tells that they were made again.
static void dump_loaded_into_running_server_is_noticed(void **state)
{
    (void)state;
    stamps_run(conn, "insert into task (id, client_id, title, is_visible) select 'm' || n, 'c1', 'x', false from generate_series(1, 12) n");
    struct cursor kept = take("client:c1");
    assert_true(ch_pg_cluster_dump(cluster, DATABASE));
    write_task(); // the future that will be lost, in the same epoch
    write_task();
    struct cursor lost = take("client:c1");
    assert_true(lost.lineage == kept.lineage && lost.stamp > kept.stamp);

    PQfinish(conn);
    conn = stamps_connect(cluster, "postgres");
    stamps_run(conn, "drop database " DATABASE);
    stamps_run(conn, "create database " DATABASE " template template0 encoding 'UTF8' locale 'C'");
    PQfinish(conn);
    conn = NULL;
    assert_true(ch_pg_cluster_load(cluster, DATABASE));
    conn = stamps_connect(cluster, DATABASE);
    for (int i = 0; i < 5; i++) { // past the number of the lost stamp, by one row and by many
        assert_true(is_good("client:c1", kept));
        assert_false(is_good("client:c1", lost));
        if (i % 2)
            write_task();
        else
            stamps_run(conn, "update task set title = title || '!' where id like 'm%%'");
    }
}

// The lost future and the new one may give an epoch the same number; their lineages differ.
static void reused_epoch_number_is_another_epoch(void **state)
{
    (void)state;
    PQfinish(conn);
    conn = NULL;
    assert_true(ch_pg_cluster_halt(cluster, false));
    assert_true(ch_pg_cluster_save(cluster));
    assert_true(ch_pg_cluster_resume(cluster));
    conn = stamps_connect(cluster, DATABASE);
    // An epoch number beyond the clock makes the next one old + 1 on both sides.
    stamps_run(conn, "update charle.cluster set epoch = 900000000");
    write_task();
    struct cursor lost = take("client:c1");
    assert_int_equal(lost.stamp >> 33, 900000001);

    PQfinish(conn);
    conn = NULL;
    assert_true(ch_pg_cluster_halt(cluster, true));
    assert_true(ch_pg_cluster_restore(cluster));
    assert_true(ch_pg_cluster_resume(cluster));
    conn = stamps_connect(cluster, DATABASE);
    stamps_run(conn, "update charle.cluster set epoch = 900000000");
    write_task();
    struct cursor now = take("client:c1");
    assert_int_equal(now.stamp, lost.stamp);
    assert_true(now.lineage != lost.lineage);
    assert_true(is_good("client:c1", now));
    assert_false(is_good("client:c1", lost));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crash_begins_an_epoch_and_keeps_cursors),
        cmocka_unit_test(clean_restarts_are_epochs_too),
        cmocka_unit_test(epoch_begins_once_for_many_writers),
        cmocka_unit_test(rolled_back_epoch_is_begun_again),
        cmocka_unit_test(cold_copy_put_back_is_noticed),
        cmocka_unit_test(dump_loaded_into_running_server_is_noticed),
        cmocka_unit_test(reused_epoch_number_is_another_epoch),
    };
    return cmocka_run_group_tests_name("epochs", tests, set_up, tear_down);
}
