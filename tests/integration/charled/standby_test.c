// Reads from a hot standby with real streaming replication: it is used, it may be behind, die, come back and be promoted, and no client notices.
#include "office.h"

#include "support/pg_cluster.h"

#include <libpq-fe.h>
#include <stdlib.h>

static char database_url[CH_PG_CLUSTER_URL_SIZE], standby_url[CH_PG_CLUSTER_URL_SIZE], token[256];
static struct ch_pg_cluster *primary, *standby;
static struct server patient, strict; // the one uses a standby however far it is behind, the other leaves one out that is 300 ms behind
static struct charle_arena arena;
static int replicas;

static struct charle_client *replica_at(const struct server *server)
{
    char name[32];
    snprintf(name, sizeof(name), "replica%d", replicas++);
    return office_replica(server, name, token);
}

static int start_all(void **state)
{
    (void)state;
    primary = ch_pg_cluster_start(NULL);
    assert_true(primary && ch_pg_cluster_database(primary, "office", database_url));
    server_init(&patient);
    server_init(&strict);
    server_start(&strict, database_url, (const char *const[]){"--migrate", NULL}); // makes the tables that the standby begins with
    server_wait_ready(&strict);
    office_fill(database_url);
    assert_int_equal(server_stop(&strict), 0);
    standby = ch_pg_cluster_standby(primary);
    assert_non_null(standby);
    ch_pg_cluster_database_url(standby, "office", NULL, standby_url);
    setenv("CHARLE_READ_FROM", standby_url, 1);
    server_start(&patient, database_url, (const char *const[]){"--read-lag=20000", NULL});
    server_start(&strict, database_url, (const char *const[]){"--read-lag=300", NULL});
    unsetenv("CHARLE_READ_FROM");
    server_wait_ready(&patient);
    server_wait_ready(&strict);
    server_wait_words(&patient, "reads may go to it");
    server_wait_words(&strict, "reads may go to it");
    office_login(&patient, token);
    return 0;
}

static int stop_all(void **state)
{
    (void)state;
    server_remove(&strict);
    server_remove(&patient);
    ch_pg_cluster_stop(standby);
    ch_pg_cluster_stop(primary);
    charle_arena_deinit(&arena);
    return 0;
}

static const struct charle_standby_state *standby_of(struct charle_client *client)
{
    const struct charle_server_reply *reply = office_overview(client, &arena);
    assert_int_equal(reply->standby.count, 1);
    return ((const struct charle_standby_state *const *)reply->standby.items)[0];
}

static void wait_used(struct charle_client *client, bool is_used)
{
    for (int i = 0; i < 3000 && standby_of(client)->is_used != is_used; i++)
        office_pause(20);
    assert_int_equal(standby_of(client)->is_used, is_used);
}

static void assert_equal(struct charle_client *client)
{
    struct charle_error err = {0};
    struct charle_verify_report report;
    assert_ok((enum charle_err)charle_client_verify(client, 60000, &report, &err), &err);
    assert_true(report.rows > 20);
    assert_int_equal(report.rows_different, 0);
}

static void rename_at(struct charle_client *client, const char *name)
{
    char request[200];
    snprintf(request, sizeof(request), "{\"key\": {\"id\": \"d1\"}, \"set\": {\"name\": \"%s\"}}", name);
    office_call(client, "charleos.DepartmentService/Update", request, &arena);
}

static const char name_sql[] = "select name from department where id = 'd1'";

static void first_copies_and_comparisons_are_read_there(void **state)
{
    (void)state;
    struct charle_client *client = replica_at(&patient);
    uint64_t before = standby_of(client)->reads;
    assert_true(before > 0);
    assert_equal(client);
    assert_true(standby_of(client)->reads > before);
    rename_at(client, "written at the primary");
    office_wait(client, name_sql, "written at the primary");
    charle_client_close(client);
}

// What a person has just written is there, however far behind the standby is.
static void a_standby_that_stands_still_shows_nobody_the_past(void **state)
{
    (void)state;
    struct charle_client *writer = replica_at(&patient), *reader = replica_at(&patient);
    run_sql(standby_url, "select pg_wal_replay_pause()");
    uint64_t passed_on = standby_of(writer)->passed_on;
    rename_at(writer, "while replay stands still");
    office_wait(writer, name_sql, "while replay stands still");
    office_wait(reader, name_sql, "while replay stands still");
    charle_client_stop(reader); // and comes back with cursors that the standby has not reached
    struct charle_error err = {0};
    assert_ok((enum charle_err)charle_client_sync(reader, 60000, &err), &err);
    office_wait(reader, name_sql, "while replay stands still");
    assert_ok((enum charle_err)charle_client_start(reader, &err), &err);
    assert_equal(reader);
    assert_true(standby_of(writer)->passed_on > passed_on);
    assert_true(standby_of(writer)->is_used);
    struct charle_client *fresh = replica_at(&patient); // copies the past, and has the present before it is ready
    office_wait(fresh, name_sql, "while replay stands still");
    assert_equal(fresh);
    run_sql(standby_url, "select pg_wal_replay_resume()");
    assert_equal(fresh);
    charle_client_close(fresh);
    charle_client_close(reader);
    charle_client_close(writer);
}

static void a_standby_that_is_too_far_behind_is_left_out(void **state)
{
    (void)state;
    struct charle_client *client = replica_at(&strict);
    wait_used(client, true);
    run_sql(standby_url, "select pg_wal_replay_pause()");
    rename_at(client, "a change that it has not");
    wait_used(client, false);
    const struct charle_standby_state *state_of = standby_of(client);
    assert_true(state_of->lag_us > 300000);
    assert_true(state_of->problem.has);
    assert_contains(charle_arena_printf(&arena, "%.*s", CHARLE_FMT(state_of->problem.value)).ptr, "more than 300 ms behind");
    uint64_t reads = state_of->reads, passed_on = state_of->passed_on;
    assert_equal(client);
    assert_true(standby_of(client)->reads == reads && standby_of(client)->passed_on == passed_on);
    run_sql(standby_url, "select pg_wal_replay_resume()");
    wait_used(client, true);
    assert_equal(client);
    assert_true(standby_of(client)->reads > reads);
    charle_client_close(client);
}

static void a_standby_that_dies_is_left_out_until_it_is_back(void **state)
{
    (void)state;
    struct charle_client *client = replica_at(&strict);
    wait_used(client, true);
    assert_true(ch_pg_cluster_halt(standby, true));
    assert_equal(client); // perhaps before anybody has noticed
    wait_used(client, false);
    rename_at(client, "while it is away");
    office_wait(client, name_sql, "while it is away");
    struct charle_client *fresh = replica_at(&strict);
    assert_equal(fresh);
    assert_true(ch_pg_cluster_resume(standby));
    wait_used(client, true);
    assert_equal(client);
    charle_client_close(fresh);
    charle_client_close(client);
}

// The last test: there is no way back.
static void a_standby_that_is_promoted_is_none_any_more(void **state)
{
    (void)state;
    char epoch[40], same[40];
    struct charle_client *client = replica_at(&strict);
    wait_used(client, true);
    read_sql(database_url, "select epoch from charle.cluster", epoch, sizeof(epoch));
    assert_true(ch_pg_cluster_promote(standby));
    run_sql(standby_url, "update department set name = 'in another future' where id = 'd1'");
    wait_used(client, false);
    assert_contains(charle_arena_printf(&arena, "%.*s", CHARLE_FMT(standby_of(client)->problem.value)).ptr, "promoted");
    rename_at(client, "in this future");
    office_wait(client, name_sql, "in this future");
    assert_equal(client);
    struct charle_client *fresh = replica_at(&patient);
    office_wait(fresh, name_sql, "in this future");
    assert_equal(fresh);
    read_sql(database_url, "select epoch from charle.cluster", same, sizeof(same));
    assert_string_equal(epoch, same);
    charle_client_close(fresh);
    charle_client_close(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_copies_and_comparisons_are_read_there),
        cmocka_unit_test(a_standby_that_stands_still_shows_nobody_the_past),
        cmocka_unit_test(a_standby_that_is_too_far_behind_is_left_out),
        cmocka_unit_test(a_standby_that_dies_is_left_out_until_it_is_back),
        cmocka_unit_test(a_standby_that_is_promoted_is_none_any_more),
    };
    return cmocka_run_group_tests(tests, start_all, stop_all);
}
