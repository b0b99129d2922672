// Failover to an asynchronous standby that has lost commits.
//
//   failover_test [ROUNDS] [SEED]     3 rounds by default
//
// A round: a primary and its standby, charled with both in its address, three live laptops, a foreign writer. The standby is cut off; laptops and
// strangers write what it will never get, and all laptops see it. Then kill -9 of the primary, while laptops go on working, and the standby is promoted; in
// every second round a stranger writes to it before charled does. charled is not restarted.
//
// Afterwards every call that a laptop has ever made is on the server once: those the standby had, those it lost, those never sent. Nothing of
// the lost time is left anywhere, replicas are equal to the server, and no laptop has copied its replica anew.
#include "base/err.h"
#include "db/db.h"
#include "fault/agency.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 3, LAPTOPS = 3, WAIT_MS = 120000, BULK = 5000, CALLS_MAX = 100000 };

struct failover {
    struct rig rig;
    struct ch_pg_cluster *standby;
    struct charle_client *laptops[LAPTOPS];
    uint64_t copy_bytes; // of a whole replica
    int made;            // comments by laptops, numbered
    int round;
};

// --- the foreign writer ----------------------------------------------------------------------------------------------

struct writer {
    char url[CH_PG_CLUSTER_URL_SIZE];
    atomic_bool is_over;
    atomic_long commits;
};

static void *write_foreign(void *ctx)
{
    struct writer *writer = ctx;
    PGconn *pg = PQconnectdb(writer->url);
    for (int i = 0; !atomic_load(&writer->is_over); i++) {
        char sql[160];
        snprintf(sql, sizeof(sql), "update task set priority = 1 + %d %% 5 where id = (select id from task order by id offset %d limit 1)", i, i % 40);
        PGresult *result = PQexec(pg, sql);
        bool is_done = PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
        atomic_fetch_add(&writer->commits, is_done);
        if (!is_done) // the primary is gone
            break;
        rig_pause(2);
    }
    PQfinish(pg);
    return NULL;
}

// --- laptops -----------------------------------------------------------------------------------------------------------

static void sync_all(struct failover *f, const char *when)
{
    for (int i = 0; i < LAPTOPS; i++) {
        struct charle_error err = {0};
        if (charle_client_sync(f->laptops[i], WAIT_MS, &err))
            rig_die("round %d, laptop %d, %s: %s", f->round, i, when, err.text);
    }
}

static void comment(struct failover *f, int laptop)
{
    char body[64];
    struct charle_error err = {0};
    snprintf(body, sizeof(body), "call %d", f->made++);
    if (agency_comment(f->laptops[laptop], body, &err))
        rig_die("round %d: \"%s\" was not taken: %s", f->round, body, err.text);
}

static void comment_all(struct failover *f, int count)
{
    for (int i = 0; i < count; i++)
        comment(f, i % LAPTOPS);
}

static long shown(struct charle_client *client, const char *sql)
{
    struct charle_error err = {0};
    struct charle_rows *rows = NULL;
    struct charle_value value = {0};
    if (charle_query(charle_client_db(client), sql, NULL, 0, &rows, &err) || charle_rows_next(rows, &err) ||
        charle_rows_value(rows, 0, CHARLE_TYPE_INT8, false, &value, &err))
        rig_die("%s: %s", sql, err.text);
    charle_rows_close(rows);
    return (long)value.int8;
}

static uint64_t received(struct charle_client *client)
{
    struct charle_client_status status;
    charle_client_status(client, &status);
    return status.bytes_received;
}

// --- a round -----------------------------------------------------------------------------------------------------------

static void expect_number(PGconn *pg, const char *sql, long wanted, const char *what)
{
    long found = rig_number(pg, sql);
    if (found != wanted)
        rig_die("%s: %ld, and not %ld: %s", what, found, wanted, sql);
}

static void wait_number(const char *url, const char *sql, long wanted)
{
    PGconn *pg = PQconnectdb(url);
    for (int i = 0; i < WAIT_MS / 20 && rig_number(pg, sql) != wanted; i++)
        rig_pause(20);
    expect_number(pg, sql, wanted, "waited in vain");
    PQfinish(pg);
}

// A standby of the present primary; charled is told of both.
static void add_standby(struct failover *f)
{
    const char *primary = ch_pg_cluster_directory(f->rig.cluster);
    f->standby = ch_pg_cluster_standby(f->rig.cluster);
    if (!f->standby)
        rig_die("no standby");
    rig_kill_server(&f->rig, SIGTERM);
    snprintf(f->rig.url, sizeof(f->rig.url), "postgresql://postgres@/charle?host=%s,%s&target_session_attrs=read-write&connect_timeout=3", primary,
             ch_pg_cluster_directory(f->standby));
    rig_start_server(&f->rig);
}

// From now on the standby gets nothing more; it has all that was committed before.
static void cut_off_standby(struct failover *f)
{
    char sql[200], lsn[64];
    PGconn *pg = PQconnectdb(ch_pg_cluster_url(f->rig.cluster));
    PGresult *result = PQexec(pg, "select pg_current_wal_flush_lsn()");
    snprintf(lsn, sizeof(lsn), "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    PQfinish(pg);
    snprintf(sql, sizeof(sql), "select (pg_last_wal_replay_lsn() >= '%s')::int", lsn);
    wait_number(ch_pg_cluster_url(f->standby), sql, 1);
    pg = PQconnectdb(ch_pg_cluster_url(f->standby));
    rig_sql(pg, "alter system set primary_conninfo = 'host=/nonexistent'");
    rig_sql(pg, "select pg_reload_conf()");
    PQfinish(pg);
    wait_number(ch_pg_cluster_url(f->rig.cluster), "select count(*) from pg_stat_replication", 0);
}

// What the standby will never get, seen by all laptops.
static void write_the_lost_time(struct failover *f)
{
    char sql[300];
    comment_all(f, 9);
    PGconn *pg = rig_psql(&f->rig);
    snprintf(sql, sizeof(sql), "update task set title = 'lost %d' where id in (select id from task order by id limit 3)", f->round);
    rig_sql(pg, sql);
    snprintf(sql, sizeof(sql), "insert into comment select (jsonb_populate_record(c, jsonb_build_object('id', 'ghost-%d', 'body', 'ghost'))).* from comment c where c.body = 'call 0'", f->round);
    rig_sql(pg, sql);
    rig_sql(pg, "delete from comment where id in (select id from comment where body = 'bulk' order by id limit 5)"); // these come back
    PQfinish(pg);
    sync_all(f, "in the time that will be lost");
    snprintf(sql, sizeof(sql), "select count(*) from comment where id = 'ghost-%d'", f->round);
    for (int i = 0; i < LAPTOPS; i++) {
        if (shown(f->laptops[i], sql) != 1)
            rig_die("round %d: laptop %d does not show what will be lost", f->round, i);
    }
}

static void fail_over(struct failover *f)
{
    int kill_at = (int)rig_random(&f->rig, 12);
    for (int i = 0; i < 12; i++) {
        if (i == kill_at)
            ch_pg_cluster_kill(f->rig.cluster);
        comment(f, (int)rig_random(&f->rig, LAPTOPS));
        rig_pause((int)rig_random(&f->rig, 4));
    }
    if (!ch_pg_cluster_promote(f->standby))
        rig_die("round %d: no promotion", f->round);
    ch_pg_cluster_stop(f->rig.cluster);
    f->rig.cluster = f->standby;
    f->standby = NULL;
    if (f->round % 2) {
        PGconn *pg = rig_psql(&f->rig);
        rig_sql(pg, "update task set priority = 5 where id = (select max(id) from task)");
        PQfinish(pg);
    }
}

static void check_laptop(struct failover *f, int laptop, uint64_t before)
{
    struct charle_error err = {0};
    struct charle_verify_report report;
    struct charle_client *client = f->laptops[laptop];
    uint64_t bytes = received(client) - before;
    if (bytes > f->copy_bytes / 2)
        rig_die("round %d: laptop %d took %llu bytes to be mended, a whole copy has %llu", f->round, laptop, (unsigned long long)bytes, (unsigned long long)f->copy_bytes);
    if (shown(client, "select count(*) from comment where body = 'ghost'") || shown(client, "select count(*) from task where title like 'lost %'"))
        rig_die("round %d: laptop %d shows what never happened", f->round, laptop);
    if (charle_client_verify(client, WAIT_MS, &report, &err))
        rig_die("round %d: verify: %s", f->round, err.text);
    if (report.rows_different)
        rig_die("round %d: laptop %d differs in %lld of %lld rows", f->round, laptop, (long long)report.rows_different, (long long)report.rows);
}

static void check_all(struct failover *f, const uint64_t before[LAPTOPS])
{
    PGconn *pg = rig_psql(&f->rig);
    expect_number(pg, "select count(*) from comment where body like 'call %'", f->made, "calls on the server");
    expect_number(pg, "select count(distinct body) from comment where body like 'call %'", f->made, "different calls on the server");
    expect_number(pg, "select count(*) from comment where body = 'ghost'", 0, "ghosts on the server");
    expect_number(pg, "select count(*) from comment where body = 'bulk'", BULK, "rows whose removal was lost");
    for (int i = 0; i < LAPTOPS; i++)
        check_laptop(f, i, before[i]);
    PQfinish(pg);
}

static void run_round(struct failover *f)
{
    struct writer writer = {0};
    pthread_t thread;
    uint64_t before[LAPTOPS];
    add_standby(f);
    ch_pg_cluster_database_url(f->rig.cluster, "charle", NULL, writer.url);
    if (pthread_create(&thread, NULL, write_foreign, &writer) != 0)
        rig_die("no thread");
    comment_all(f, 9);
    sync_all(f, "before the standby is cut off");
    cut_off_standby(f);
    write_the_lost_time(f);
    for (int i = 0; i < LAPTOPS; i++)
        before[i] = received(f->laptops[i]);
    fail_over(f);
    sync_all(f, "after the failover");
    check_all(f, before);
    atomic_store(&writer.is_over, true);
    pthread_join(thread, NULL);
    uint64_t most = 0;
    for (int i = 0; i < LAPTOPS; i++)
        most = received(f->laptops[i]) - before[i] > most ? received(f->laptops[i]) - before[i] : most;
    printf("round %d: %d calls, %ld foreign commits; %llu bytes at most to mend and verify, a copy has %llu\n", f->round, f->made,
           atomic_load(&writer.commits), (unsigned long long)most, (unsigned long long)f->copy_bytes);
    fflush(stdout);
}

static void open_all(struct failover *f, uint64_t seed)
{
    char token[256], name[32];
    struct charle_error err = {0};
    agency_open(&f->rig, seed, false);
    rig_login(&f->rig, "pia@charleos.test", token);
    f->laptops[0] = rig_client(&f->rig, "laptop0", token);
    if (charle_client_sync(f->laptops[0], WAIT_MS, &err))
        rig_die("first copy: %s", err.text);
    comment(f, 0);
    if (charle_client_sync(f->laptops[0], WAIT_MS, &err))
        rig_die("first call: %s", err.text);
    PGconn *pg = rig_psql(&f->rig);
    char sql[300];
    snprintf(sql, sizeof(sql), "insert into comment select (jsonb_populate_record(c, jsonb_build_object('id', 'bulk-' || i, 'body', 'bulk'))).* from comment c, generate_series(1, %d) i where c.body = 'call 0'", BULK);
    rig_sql(pg, sql);
    PQfinish(pg);
    for (int i = 0; i < LAPTOPS; i++) {
        snprintf(name, sizeof(name), "laptop%d", i);
        if (i)
            f->laptops[i] = rig_client(&f->rig, name, token);
        if (charle_client_sync(f->laptops[i], WAIT_MS, &err))
            rig_die("first copy: %s", err.text);
        if (i)
            f->copy_bytes = received(f->laptops[i]);
        if (charle_client_start(f->laptops[i], &err))
            rig_die("start: %s", err.text);
    }
}

int main(int argc, char **argv)
{
    static struct failover f;
    int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS;
    open_all(&f, argc > 2 ? strtoull(argv[2], NULL, 10) : 13);
    for (f.round = 1; f.round <= rounds && f.made < CALLS_MAX; f.round++)
        run_round(&f);
    printf("%d failovers, %d calls, each on the server once; nothing of the lost times is left\n", rounds, f.made);
    for (int i = 0; i < LAPTOPS; i++)
        charle_client_close(f.laptops[i]);
    rig_close(&f.rig);
    return 0;
}
