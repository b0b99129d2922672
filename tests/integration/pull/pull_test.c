// Concurrent writers against pulling replicas: after each pull the replica equals a full read of its scopes in the
// snapshot of the pull.
//
// The snapshot is shared by nesting: the puller opens a repeatable-read transaction, ch_pull opens its own inside,
// which is a savepoint of the first, and the reader goes on in it. A first copy runs outside, in snapshots of its own,
// as it does in life.
#include "charle/sync.charle.h"

#include "msg/wire.h"
#include "oracle.h"
#include "stamps.schema.charle.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    WRITERS = 4,
    PULLERS = 3,
    CHECKS_WANTED = 2000,
    FOLLOWED_WANTED = 1000,
    TICKS_WANTED = 100,
    SECONDS_MIN = 30,
    SECONDS_MAX = 300,
    STANDBY_SECONDS_MIN = 20,
    STANDBY_LOCK_MS = 200
};

static atomic_bool has_failed;
static pthread_mutex_t print_lock = PTHREAD_MUTEX_INITIALIZER;

void oracle_fail(struct oracle *oracle, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pthread_mutex_lock(&print_lock);
    if (!atomic_exchange(&has_failed, true)) {
        vfprintf(stderr, format, args);
        fputc('\n', stderr);
    }
    pthread_mutex_unlock(&print_lock);
    va_end(args);
    atomic_store(&oracle->is_over, true);
}

bool oracle_has_failed(void)
{
    return atomic_load(&has_failed);
}

static struct charle_db *connect_to(const struct ch_pg_cluster *cluster, const char *database, int lock_timeout_ms)
{
    const struct ch_pg_options options = {.lock_timeout_ms = lock_timeout_ms};
    char url[CH_PG_CLUSTER_URL_SIZE];
    struct charle_db *db = NULL;
    struct charle_error err;
    ch_pg_cluster_database_url(cluster, database, NULL, url);
    if (ch_pg_open(url, &options, &db, &err)) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    return db;
}

struct charle_db *oracle_connect(struct oracle *oracle)
{
    return connect_to(oracle->cluster, oracle->database, 0);
}

struct charle_db *oracle_connect_standby(struct oracle *oracle)
{
    return connect_to(oracle->standby, oracle->database, STANDBY_LOCK_MS); // as the server does, or replay and reader wait for each other
}

// --- the run
// --------------------------------------------------------------------------------------------------------------

static void prepare(PGconn *conn)
{
    stamps_run(conn, "insert into person (id, name) select 'p' || i, 'Person ' || i from generate_series(1, 4) i; "
                     "insert into client (id, name, owner_id) select 'c' || i, 'Client ' || i, 'p' || (1 + i %% 3) "
                     "from generate_series(1, 6) i; "
                     "insert into task (id, client_id, title) select 't' || i, 'c' || (1 + i %% 6), 'Task ' || i from "
                     "generate_series(1, 150) i");
    // What the controls follow: columns of the table, not of the schema.
    stamps_run(conn,
               "create sequence control_seq; alter table task add control_number int8, add control_at timestamptz; "
               "create function control() returns trigger language plpgsql as $$ begin new.control_number := "
               "nextval('control_seq'); "
               "new.control_at := now(); return new; end $$; "
               "create trigger control before insert or update on task for each row execute function control()");
    stamps_run(conn, "update task set minutes = 1");
}

static void wait_for_checks(struct oracle *oracle)
{
    for (int second = 0; second < SECONDS_MAX && !atomic_load(&oracle->is_over); second++) {
        if (second >= SECONDS_MIN && atomic_load(&oracle->checked) >= CHECKS_WANTED &&
            atomic_load(&oracle->followed) > FOLLOWED_WANTED && atomic_load(&oracle->ticks) > TICKS_WANTED)
            break;
        sleep(1);
    }
    atomic_store(&oracle->is_over, true);
}

static void every_pull_is_one_true_moment(void **state)
{
    (void)state;
    static const struct charle_method_table no_methods;
    static struct oracle oracle = {.database = "pull"};
    struct charle_error err;
    pthread_t threads[WRITERS + PULLERS + 3];
    struct writer writers[WRITERS];
    struct puller pullers[PULLERS + 1];
    struct control controls[2];
    size_t thread_count = 0;

    oracle.cluster = ch_pg_cluster_shared();
    PGconn *conn = stamps_open(oracle.cluster, oracle.database);
    prepare(conn);
    assert_int_equal(ch_sync_new(&stamps_schema_tables, &no_methods, &oracle.sync, &err), CHARLE_OK);
    for (unsigned i = 0; i <= PULLERS; i++) {
        static const char *const persons[] = {"p1", "p2", "p3", "p2"};
        pullers[i] = (struct puller){.oracle = &oracle, .person = persons[i]};
        assert_int_equal(
            pthread_create(&threads[thread_count++], NULL, i < PULLERS ? puller_run : follower_run, &pullers[i]), 0);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){&oracle, 7 + i};
        assert_int_equal(pthread_create(&threads[thread_count++], NULL, writer_run, &writers[i]), 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        controls[i] = (struct control){&oracle, i == 1};
        assert_int_equal(pthread_create(&threads[thread_count++], NULL, control_run, &controls[i]), 0);
    }
    wait_for_checks(&oracle);
    for (size_t i = 0; i < thread_count; i++)
        pthread_join(threads[i], NULL);
    print_message("%ld pulls compared, %ld scopes after %ld ticks (joined %ld times); %ld deltas, %ld scopes gained, "
                  "%ld lost, %ld repaired; %ld tables emptied, %ld pulls begun anew for it; %ld transactions "
                  "committed, %ld rolled back, %ld "
                  "failed; wrong by sequence %ld of %ld, by timestamp %ld of %ld\n",
                  oracle.checked, oracle.followed, oracle.ticks, oracle.rejoined, oracle.deltas, oracle.gained,
                  oracle.lost, oracle.repaired, oracle.emptied, oracle.begun_anew, oracle.committed, oracle.rolled_back, oracle.failed,
                  oracle.sequence_wrong, oracle.sequence_checked, oracle.timestamp_wrong, oracle.timestamp_checked);
    ch_sync_free(oracle.sync);
    PQfinish(conn);
    assert_false(oracle_has_failed());
    assert_true(oracle.checked >= CHECKS_WANTED);
    assert_true(oracle.followed > FOLLOWED_WANTED && oracle.ticks > TICKS_WANTED);
    assert_true(oracle.deltas > 0 && oracle.gained > 0 && oracle.lost > 0 && oracle.emptied > 0);
    assert_true(oracle.committed > 1000 && oracle.rolled_back > 0 && oracle.failed > 0);
    // If these two could keep up, the test would prove nothing.
    assert_true(oracle.sequence_wrong > 0);
    assert_true(oracle.timestamp_wrong > 0);
}

static long number(PGconn *conn, const char *sql, char *out, size_t size)
{
    PGresult *result = PQexec(conn, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(conn));
    snprintf(out, size, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    return strtol(out, NULL, 10);
}

static void open_standby(struct oracle *oracle, PGconn *conn)
{
    static const struct charle_method_table no_methods;
    struct charle_error err;
    char lineage[64];
    number(conn, "select e.lineage from charle.cluster c join charle.epoch e on e.epoch = c.epoch", lineage, sizeof(lineage));
    oracle->rule.lineage = (uint64_t)strtoll(lineage, NULL, 10);
    oracle->standby = ch_pg_cluster_standby(oracle->cluster);
    assert_non_null(oracle->standby);
    assert_int_equal(ch_sync_new(&stamps_schema_tables, &no_methods, &oracle->sync, &err), CHARLE_OK);
}

static bool has_seen_enough(const struct oracle *oracle)
{
    return oracle->at_standby > 100 && oracle->passed_on > 10 && oracle->copied_at_standby > 0 && oracle->deltas > 0 && oracle->gained > 0 &&
           oracle->lost > 0 && oracle->committed > 500;
}

// Replay stops and goes on, so that the standby is now a little and now far behind.
static void trouble_standby(struct oracle *oracle)
{
    char url[CH_PG_CLUSTER_URL_SIZE], ignored[64];
    ch_pg_cluster_database_url(oracle->standby, oracle->database, NULL, url);
    PGconn *conn = PQconnectdb(url);
    for (int i = 0; i < SECONDS_MAX * 4 && !atomic_load(&oracle->is_over); i++) {
        number(conn, i % 4 == 3 ? "select pg_wal_replay_pause()" : "select pg_wal_replay_resume()", ignored, sizeof(ignored));
        usleep(250000);
        if (i >= STANDBY_SECONDS_MIN * 4 && has_seen_enough(oracle))
            break;
    }
    number(conn, "select pg_wal_replay_resume()", ignored, sizeof(ignored));
    PQfinish(conn);
    atomic_store(&oracle->is_over, true);
}

// Replicas that read from a hot standby while others write to the primary, and from the primary in between.
static void every_pull_from_a_standby_is_one_true_moment(void **state)
{
    (void)state;
    static struct oracle oracle = {.database = "pull_standby"};
    pthread_t threads[WRITERS + PULLERS];
    struct writer writers[WRITERS];
    struct puller pullers[PULLERS];
    size_t thread_count = 0;

    oracle.cluster = ch_pg_cluster_shared();
    PGconn *conn = stamps_open(oracle.cluster, oracle.database);
    prepare(conn);
    open_standby(&oracle, conn);
    for (unsigned i = 0; i < PULLERS; i++) {
        static const char *const persons[] = {"p1", "p2", "p3"};
        pullers[i] = (struct puller){.oracle = &oracle, .person = persons[i]};
        assert_int_equal(pthread_create(&threads[thread_count++], NULL, puller_run, &pullers[i]), 0);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){&oracle, 17 + i};
        assert_int_equal(pthread_create(&threads[thread_count++], NULL, writer_run, &writers[i]), 0);
    }
    trouble_standby(&oracle);
    for (size_t i = 0; i < thread_count; i++)
        pthread_join(threads[i], NULL);
    print_message("%ld pulls compared, %ld of them at the standby, %ld passed on, %ld put off; %ld tables copied there; %ld deltas, %ld scopes "
                  "gained, %ld lost, %ld repaired; %ld transactions committed\n",
                  oracle.checked, oracle.at_standby, oracle.passed_on, oracle.ahead, oracle.copied_at_standby, oracle.deltas, oracle.gained,
                  oracle.lost, oracle.repaired, oracle.committed);
    ch_sync_free(oracle.sync);
    PQfinish(conn);
    ch_pg_cluster_stop(oracle.standby);
    assert_false(oracle_has_failed());
    assert_int_equal(oracle.repaired, 0); // a standby that is behind, or ahead, must not look like a past that was lost
    assert_true(has_seen_enough(&oracle));
}

// A commit that waits for a synchronous standby which never answers: another standby shows it, the primary does not.
static void hold_commits(PGconn *conn, bool is_held)
{
    char shown[64] = "";
    stamps_run(conn, is_held ? "alter system set synchronous_standby_names = 'nobody'" : "alter system reset synchronous_standby_names");
    stamps_run(conn, "select pg_reload_conf()");
    while (strcmp(shown, is_held ? "nobody" : "") != 0)
        number(conn, "show synchronous_standby_names", shown, sizeof(shown));
}

static void a_commit_that_a_standby_shows_first_is_not_lost(void **state)
{
    (void)state;
    static struct oracle oracle = {.database = "pull_ahead"};
    struct puller puller = {.oracle = &oracle, .person = "p1"};
    struct ch_positions positions;
    struct charle_error err;
    char name[64] = "";

    oracle.cluster = ch_pg_cluster_shared();
    PGconn *conn = stamps_open(oracle.cluster, oracle.database), *writer = stamps_connect(oracle.cluster, oracle.database);
    prepare(conn);
    open_standby(&oracle, conn);
    puller.db = oracle_connect(&oracle);
    puller.standby_db = oracle_connect_standby(&oracle);
    assert_int_equal(puller_pull(&puller, &positions, &err), CHARLE_OK);
    puller_copy(&puller);
    assert_int_equal(puller_pull(&puller, &positions, &err), CHARLE_OK);
    assert_true(puller.replica.scope_count > 0 && oracle.repaired == 0);

    hold_commits(conn, true);
    assert_int_equal(PQsendQuery(writer, "update client set name = 'early' where id = 'c1'"), 1);
    while (strcmp(name, "early") != 0)
        number(ch_pg_connection(puller.standby_db), "select name from client where id = 'c1'", name, sizeof(name));
    puller.rule = &oracle.rule;
    assert_int_equal(puller_pull(&puller, &positions, &err), CHARLE_OK);
    puller.rule = NULL;
    assert_int_equal(puller_pull(&puller, &positions, &err), CHARLE_UNAVAILABLE);
    assert_non_null(strstr(err.text, "still being committed"));
    puller.never_waits = true; // it says so at once
    assert_int_equal(puller_pull(&puller, &positions, &err), CHARLE_ABORTED);
    puller.never_waits = false;

    hold_commits(conn, false);
    for (PGresult *result; (result = PQgetResult(writer));)
        PQclear(result);
    assert_int_equal(puller_pull(&puller, &positions, &err), CHARLE_OK);
    assert_int_equal(oracle.repaired, 0);
    assert_false(oracle_has_failed());
    puller_deinit(&puller);
    ch_sync_free(oracle.sync);
    PQfinish(writer);
    PQfinish(conn);
    ch_pg_cluster_stop(oracle.standby);
}

static void *copy(void *ctx)
{
    puller_copy(ctx);
    return NULL;
}

static bool shows_tasks(const struct replica_scope *scope)
{
    const uint32_t *table = reader_tables(charle_str(scope->name));
    while (*table && *table != 3)
        table++;
    return *table;
}

// PostgreSQL shows older snapshots an emptied table as empty: what was copied then is of the moment behind the TRUNCATE, and must say so.
static void a_copy_that_waits_for_an_emptied_table_says_when_it_read_it(void **state)
{
    (void)state;
    static struct oracle oracle = {.database = "pull_emptied"};
    static const struct charle_method_table no_methods;
    struct puller puller = {.oracle = &oracle, .person = "p1"};
    struct ch_positions positions;
    struct charle_error err;
    pthread_t thread;
    char waiting[64] = "0";

    oracle.cluster = ch_pg_cluster_shared();
    PGconn *conn = stamps_open(oracle.cluster, oracle.database), *writer = stamps_connect(oracle.cluster, oracle.database);
    prepare(conn);
    stamps_run(conn, "insert into task (id, client_id, title) select 'emptied' || i, 'c1', 'one' from generate_series(1, 20) i");
    assert_int_equal(ch_sync_new(&stamps_schema_tables, &no_methods, &oracle.sync, &err), CHARLE_OK);
    puller.db = oracle_connect(&oracle);
    assert_int_equal(puller_pull(&puller, &positions, &err), CHARLE_OK);
    stamps_run(writer, "begin");
    stamps_run(writer, "truncate task cascade");
    assert_int_equal(pthread_create(&thread, NULL, copy, &puller), 0);
    while (strtol(waiting, NULL, 10) == 0)
        number(conn, "select count(*) from pg_locks where not granted", waiting, sizeof(waiting));
    stamps_run(writer, "commit");
    pthread_join(thread, NULL);

    size_t showing = 0;
    for (size_t i = 0; i < puller.replica.scope_count; i++) {
        const struct replica_scope *scope = &puller.replica.scopes[i];
        char sql[160], head[64];
        if (!shows_tasks(scope))
            continue;
        snprintf(sql, sizeof(sql), "select v from charle.head where scope = '%s'", scope->name);
        number(conn, sql, head, sizeof(head));
        assert_true(scope->newest >= strtoll(head, NULL, 10));
        showing++;
    }
    assert_true(showing > 1); // of which one waited
    assert_int_equal(puller_pull(&puller, &positions, &err), CHARLE_OK);
    assert_false(oracle_has_failed());
    puller_deinit(&puller);
    ch_sync_free(oracle.sync);
    PQfinish(writer);
    PQfinish(conn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_pull_is_one_true_moment),
                                       cmocka_unit_test(every_pull_from_a_standby_is_one_true_moment),
                                       cmocka_unit_test(a_copy_that_waits_for_an_emptied_table_says_when_it_read_it),
                                       cmocka_unit_test(a_commit_that_a_standby_shows_first_is_not_lost)};
    return cmocka_run_group_tests_name("pulls against a full read", tests, NULL, NULL);
}
