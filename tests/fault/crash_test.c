// PostgreSQL crashes under load (stop -m immediate), and is put back to a cold copy of its past.
//
//   crash_test crash [ROUNDS]    20 rounds by default: acknowledged writes survive, streams come back, nothing needs a person
//   crash_test restore           the database goes back in time: the replica notices, is repaired, and sends its unsent calls
#include "base/err.h"
#include "fault/agency.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 20, WAIT_MS = 60000 };

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

static long found(PGconn *pg, const char *body)
{
    char sql[200];
    snprintf(sql, sizeof(sql), "select count(*) from comment where body = '%s'", body);
    return rig_number(pg, sql);
}

static void expect_equal(struct charle_client *client, const char *when)
{
    struct charle_error err = {0};
    struct charle_verify_report report;
    if (charle_client_verify(client, WAIT_MS, &report, &err))
        rig_die("verify %s: %s", when, err.text);
    if (report.rows_different)
        rig_die("%s: %lld of %lld rows differ", when, (long long)report.rows_different, (long long)report.rows);
}

static int test_crash(int rounds)
{
    struct rig rig;
    char token[256], body[64];
    struct charle_error err = {0};
    agency_open(&rig, 11, true);
    rig_login(&rig, "pia@charleos.test", token);
    struct charle_client *client = rig_client(&rig, "laptop", token);
    sync_once(client, "first copy");
    if (charle_client_start(client, &err))
        rig_die("start: %s", err.text);
    int made = 0;
    for (int round = 0; round < rounds; round++) {
        int writes = 5 + (int)rig_random(&rig, 40);
        for (int i = 0; i < writes; i++) {
            snprintf(body, sizeof(body), "crash %d", made++);
            comment(client, body);
            rig_pause((int)rig_random(&rig, 4));
        }
        if (!ch_pg_cluster_halt(rig.cluster, true))
            rig_die("PostgreSQL did not stop");
        for (int i = 0; i < 5; i++) {
            snprintf(body, sizeof(body), "crash %d", made++);
            comment(client, body); // the laptop does not care
        }
        if (!ch_pg_cluster_resume(rig.cluster))
            rig_die("PostgreSQL did not come back");
        sync_once(client, "after a crash");
        printf("round %d: %d writes\n", round + 1, made);
        fflush(stdout);
    }
    charle_client_stop(client);
    PGconn *pg = rig_psql(&rig);
    for (int i = 0; i < made; i++) {
        snprintf(body, sizeof(body), "crash %d", i);
        if (found(pg, body) != 1)
            rig_die("\"%s\" is on the server %ld times", body, found(pg, body));
    }
    expect_equal(client, "after all crashes");
    printf("%d crashes, %d acknowledged writes, each on the server once\n", rounds, made);
    PQfinish(pg);
    charle_client_close(client);
    rig_close(&rig);
    return 0;
}

// past --save--> lost --restore--> past again, with a foreign write before the server is back
static int test_restore(void)
{
    struct rig rig;
    char token[256];
    agency_open(&rig, 12, false);
    rig_login(&rig, "pia@charleos.test", token);
    struct charle_client *client = rig_client(&rig, "laptop", token);
    sync_once(client, "first copy");
    comment(client, "before the copy");
    sync_once(client, "before the copy");
    rig_kill_server(&rig, SIGTERM);
    if (!ch_pg_cluster_halt(rig.cluster, false) || !ch_pg_cluster_save(rig.cluster) || !ch_pg_cluster_resume(rig.cluster))
        rig_die("the cold copy could not be made");
    rig_start_server(&rig);

    comment(client, "acknowledged, then lost by the server");
    sync_once(client, "in the time that will be lost");
    PGconn *pg = rig_psql(&rig);
    rig_sql(pg, "update task set title = 'a title from the lost time' where id = (select min(id) from task)");
    PQfinish(pg);
    sync_once(client, "in the time that will be lost");
    comment(client, "made offline, never sent before the restore");

    rig_kill_server(&rig, SIGTERM);
    if (!ch_pg_cluster_halt(rig.cluster, false) || !ch_pg_cluster_restore(rig.cluster) || !ch_pg_cluster_resume(rig.cluster))
        rig_die("the cold copy could not be put back");
    pg = rig_psql(&rig);
    if (found(pg, "acknowledged, then lost by the server") != 0)
        rig_die("the restore restored nothing");
    // The first write of the new time comes from elsewhere, before any server looks.
    rig_sql(pg, "update task set priority = 5 where id = (select max(id) from task)");
    rig_start_server(&rig);
    sync_once(client, "after the restore");
    expect_equal(client, "after the restore");
    if (found(pg, "made offline, never sent before the restore") != 1)
        rig_die("an unsent call was lost by the repair");
    if (found(pg, "acknowledged, then lost by the server") != 1)
        rig_die("a call that the server lost was not sent again");
    if (found(pg, "before the copy") != 1)
        rig_die("a call from before the copy was doubled or lost");
    if (rig_number(pg, "select count(*) from task where title = 'a title from the lost time'") != 0)
        rig_die("a row of the lost time came back");
    printf("the restore was noticed; the replica was repaired; unsent and lost calls arrived once\n");
    PQfinish(pg);
    charle_client_close(client);
    rig_close(&rig);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "crash") == 0)
        return test_crash(argc > 2 ? atoi(argv[2]) : ROUNDS);
    if (argc == 2 && strcmp(argv[1], "restore") == 0)
        return test_restore();
    fprintf(stderr, "usage: crash_test crash [ROUNDS] | crash_test restore\n");
    return 2;
}
