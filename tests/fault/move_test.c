// The database moves into another cluster: by dump and restore, by a dump that is older than what was acknowledged, by pg_upgrade.
//
// Stamps and the log are rows, so they travel. The new cluster is another database for the triggers: its first write begins an epoch, and every
// cursor that lies on the history goes on from where it is. What a replica has is not sent again; what was never sent arrives; what
// the old dump does not have comes back from the laptops that still have the calls.
#include "base/err.h"
#include "fault/agency.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 60000, BULK = 3000 };

enum move { MOVE_DUMP, MOVE_OLD_DUMP, MOVE_UPGRADE };
static const char *const names[] = {"dump and restore", "an old dump", "pg_upgrade"};

static void sync_once(struct charle_client *client, const char *when)
{
    struct charle_error err = {0};
    if (charle_client_sync(client, WAIT_MS, &err))
        rig_die("%s: %s", when, err.text);
}

static void comment(struct charle_client *client, const char *body)
{
    struct charle_error err = {0};
    if (agency_comment(client, body, &err))
        rig_die("\"%s\" was not taken: %s", body, err.text);
}

static void expect(PGconn *pg, const char *sql, long wanted, const char *what)
{
    long found = rig_number(pg, sql);
    if (found != wanted)
        rig_die("%s: %ld, and not %ld", what, found, wanted);
}

static void expect_once(PGconn *pg, const char *body)
{
    char sql[200];
    snprintf(sql, sizeof(sql), "select count(*) from comment where body = '%s'", body);
    expect(pg, sql, 1, body);
}

static uint64_t received(struct charle_client *client)
{
    struct charle_client_status status;
    charle_client_status(client, &status);
    return status.bytes_received;
}

static void dump(const struct rig *rig)
{
    if (!ch_pg_cluster_dump(rig->cluster, "charle"))
        rig_die("no dump");
}

// Loads the dump that lies beside one cluster into another.
static struct ch_pg_cluster *load_elsewhere(const struct ch_pg_cluster *from)
{
    char command[700], url[CH_PG_CLUSTER_URL_SIZE];
    struct ch_pg_cluster *fresh = ch_pg_cluster_start(NULL);
    if (!fresh || !ch_pg_cluster_database(fresh, "charle", url))
        rig_die("no new cluster");
    snprintf(command, sizeof(command), "cp -p '%s/dump' '%s/dump'", ch_pg_cluster_directory(from), ch_pg_cluster_directory(fresh));
    if (system(command) != 0 || !ch_pg_cluster_load(fresh, "charle"))
        rig_die("the dump could not be put into a new cluster");
    return fresh;
}

// The new cluster takes the old one's place; the server is down.
static void move(struct rig *rig, enum move how)
{
    struct ch_pg_cluster *fresh = NULL;
    if (how == MOVE_UPGRADE) {
        if (!ch_pg_cluster_halt(rig->cluster, false))
            rig_die("PostgreSQL did not stop");
        fresh = ch_pg_cluster_upgrade(rig->cluster);
    } else {
        fresh = load_elsewhere(rig->cluster);
    }
    if (!fresh)
        rig_die("no new cluster");
    ch_pg_cluster_stop(rig->cluster);
    rig->cluster = fresh;
    ch_pg_cluster_database_url(fresh, "charle", NULL, rig->url);
}

static void make_bulk(PGconn *pg)
{
    char sql[400];
    snprintf(sql, sizeof(sql),
             "insert into comment select (jsonb_populate_record(c, jsonb_build_object('id', 'bulk-' || i, 'body', 'bulk'))).* "
             "from comment c, generate_series(1, %d) i where c.body = 'first'",
             BULK);
    rig_sql(pg, sql);
}

static void check(struct rig *rig, struct charle_client *client, enum move how, long epoch, uint64_t bytes, uint64_t copy_bytes)
{
    struct charle_error err = {0};
    struct charle_verify_report report;
    PGconn *pg = rig_psql(rig);
    if (rig_number(pg, "select epoch from charle.cluster") <= epoch)
        rig_die("%s began no epoch", names[how]);
    expect_once(pg, "first");
    expect_once(pg, "acknowledged");
    expect_once(pg, "never sent");
    expect(pg, "select count(*) from task where title = 'a title from the lost time'", 0, "rows of the lost time");
    // A history that was not lost needs no comparing; an old dump does, and even that is no copy.
    uint64_t most = how == MOVE_OLD_DUMP ? copy_bytes / 2 : copy_bytes / 20;
    if (bytes > most)
        rig_die("%s: %llu bytes came, of a copy of %llu", names[how], (unsigned long long)bytes, (unsigned long long)copy_bytes);
    if (charle_client_verify(client, WAIT_MS, &report, &err))
        rig_die("verify: %s", err.text);
    if (report.rows_different)
        rig_die("%s: %lld of %lld rows differ", names[how], (long long)report.rows_different, (long long)report.rows);
    PQfinish(pg);
}

static void run(enum move how)
{
    struct rig rig;
    char token[256];
    agency_open(&rig, 40 + (uint64_t)how, false);
    rig_login(&rig, "pia@charleos.test", token);
    struct charle_client *client = rig_client(&rig, "laptop", token);
    sync_once(client, "first copy");
    comment(client, "first");
    sync_once(client, "first");
    PGconn *pg = rig_psql(&rig);
    make_bulk(pg);
    sync_once(client, "bulk");
    uint64_t copy_bytes = received(client);
    if (how == MOVE_OLD_DUMP)
        dump(&rig);
    comment(client, "acknowledged");
    sync_once(client, "acknowledged");
    if (how == MOVE_OLD_DUMP)
        rig_sql(pg, "update task set title = 'a title from the lost time' where id = (select min(id) from task)");
    sync_once(client, "before the move");
    comment(client, "never sent");
    long epoch = rig_number(pg, "select epoch from charle.cluster");
    PQfinish(pg);
    rig_kill_server(&rig, SIGTERM);
    if (how == MOVE_DUMP)
        dump(&rig);
    move(&rig, how);
    pg = rig_psql(&rig);
    rig_sql(pg, "update task set priority = 5 where id = (select max(id) from task)"); // a stranger is the first to write
    PQfinish(pg);
    rig_start_server(&rig);
    uint64_t before = received(client);
    sync_once(client, "after the move");
    check(&rig, client, how, epoch, received(client) - before, copy_bytes);
    printf("%s: %llu bytes to go on, a copy has %llu\n", names[how], (unsigned long long)(received(client) - before), (unsigned long long)copy_bytes);
    fflush(stdout);
    charle_client_close(client);
    rig_close(&rig);
}

int main(void)
{
    for (int how = MOVE_DUMP; how <= MOVE_UPGRADE; how++)
        run((enum move)how);
    return 0;
}
