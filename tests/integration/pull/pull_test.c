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

enum { WRITERS = 4, PULLERS = 3, CHECKS_WANTED = 2000, SECONDS_MIN = 30, SECONDS_MAX = 300 };

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

struct charle_db *oracle_connect(struct oracle *oracle)
{
    char url[CH_PG_CLUSTER_URL_SIZE];
    struct charle_db *db = NULL;
    struct charle_error err;
    ch_pg_cluster_database_url(oracle->cluster, oracle->database, NULL, url);
    if (ch_pg_open(url, NULL, &db, &err)) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    return db;
}

// --- one puller
// -----------------------------------------------------------------------------------------------------------

struct puller {
    struct oracle *oracle;
    const char *person;
    struct charle_db *db;
    struct replica replica;
    struct charle_arena arena; // of one pull
    struct charle_str *to_copy;
    size_t to_copy_count;
    bool has_last_page;
    struct replica_scope *copying; // by take_copy
    uint32_t copying_table;
    bool copy_has_cursor;
};

static struct ch_sync_peer peer_of(const struct puller *puller)
{
    return (struct ch_sync_peer){CHARLE_STR("person"), charle_str(puller->person)};
}

static void take_rows(struct puller *puller, struct replica_scope *scope, uint32_t table,
                      const struct charle_array *rows)
{
    const struct charle_bytes *items = rows->items;
    for (size_t i = 0; i < rows->count; i++) {
        char key[64];
        if (reader_key(table, items[i], key))
            replica_put(scope, table, charle_str(key), items[i]);
        else
            oracle_fail(puller->oracle, "%s: a row of table %u cannot be read", scope->name, table);
    }
}

static void take_delta(struct puller *puller, const struct charle_scope_delta *delta)
{
    struct replica_scope *scope = replica_find(&puller->replica, delta->scope);
    const struct charle_table_delta *const *tables = delta->table.items;
    if (!scope || !scope->is_whole || delta->from > scope->stamp || delta->to < scope->stamp) {
        oracle_fail(puller->oracle,
                    "a delta for %.*s from %" PRId64 " to %" PRId64 " does not fit what the replica has",
                    CHARLE_FMT(delta->scope), delta->from, delta->to);
        return;
    }
    for (size_t i = 0; i < delta->table.count; i++) {
        const struct charle_gone *const *gone = tables[i]->gone.items;
        for (size_t g = 0; g < tables[i]->gone.count; g++)
            replica_remove(scope, tables[i]->table, gone[g]->key);
        take_rows(puller, scope, tables[i]->table, &tables[i]->row);
    }
    scope->stamp = delta->to;
    scope->lineage = delta->lineage;
    atomic_fetch_add(&puller->oracle->deltas, 1);
}

static void want_copy(struct puller *puller, const struct charle_array *scopes, bool is_repair)
{
    const struct charle_str *items = scopes->items;
    for (size_t i = 0; i < scopes->count; i++) {
        replica_drop(&puller->replica, items[i]);
        puller->to_copy = realloc(puller->to_copy, (puller->to_copy_count + 1) * sizeof(*puller->to_copy));
        puller->to_copy[puller->to_copy_count++] = charle_arena_str(&puller->arena, items[i]);
        atomic_fetch_add(is_repair ? &puller->oracle->repaired : &puller->oracle->gained, 1);
    }
}

// Deltas of one scope may come in several pieces; the cursor is the same in all of them.
static enum charle_err take_page(void *ctx, struct charle_bytes message, struct charle_error *err)
{
    struct puller *puller = ctx;
    struct charle_pull_page page;
    enum charle_err rc = charle_message_read(&charle_pull_page_message, message, &puller->arena, &page, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < page.lost.count; i++) {
        replica_drop(&puller->replica, ((const struct charle_str *)page.lost.items)[i]);
        atomic_fetch_add(&puller->oracle->lost, 1);
    }
    want_copy(puller, &page.gained, false);
    want_copy(puller, &page.repair, true);
    for (size_t i = 0; i < page.delta.count; i++)
        take_delta(puller, ((const struct charle_scope_delta *const *)page.delta.items)[i]);
    puller->has_last_page |= page.is_last;
    return CHARLE_OK;
}

static enum charle_err pull(struct puller *puller, struct charle_error *err)
{
    size_t count = puller->replica.scope_count;
    struct charle_cursor *cursors = charle_arena_array(&puller->arena, count, sizeof(*cursors));
    const struct charle_cursor **pointers = charle_arena_array(&puller->arena, count, sizeof(*pointers));
    for (size_t i = 0; i < count; i++) {
        const struct replica_scope *scope = &puller->replica.scopes[i];
        cursors[i] = (struct charle_cursor){charle_arena_str(&puller->arena, charle_str(scope->name)), scope->stamp,
                                            scope->lineage};
        pointers[i] = &cursors[i];
    }
    const struct charle_pull_request request = {.cursor = {.items = pointers, .count = count, .has = true},
                                                .schema_hash = stamps_schema_tables.hash,
                                                .device_id = charle_str(puller->person)};
    struct ch_sync_peer peer = peer_of(puller);
    struct ch_positions positions;
    puller->has_last_page = false;
    enum charle_err rc =
        ch_pull(puller->oracle->sync, puller->db, &peer, &request, &puller->arena, take_page, puller, &positions, err);
    if (rc == CHARLE_OK && !puller->has_last_page)
        oracle_fail(puller->oracle, "a pull ended without a last page");
    return rc;
}

static void check(struct puller *puller)
{
    for (size_t i = 0; i < puller->replica.scope_count; i++) {
        if (!reader_compare(puller->oracle, puller->db, &puller->replica.scopes[i]))
            return;
    }
    atomic_fetch_add(&puller->oracle->checked, 1);
}

static enum charle_err take_copy(void *ctx, struct charle_bytes message, struct charle_error *err)
{
    struct puller *puller = ctx;
    struct charle_copy_page page;
    enum charle_err rc = charle_message_read(&charle_copy_page_message, message, &puller->arena, &page, err);
    if (rc)
        return rc;
    // The cursor of a scope is the head of its first chunk: whatever changes from then on comes as a delta.
    if (page.head && !puller->copy_has_cursor) {
        puller->copying->stamp = page.head->stamp;
        puller->copying->lineage = page.head->lineage;
        puller->copy_has_cursor = true;
    }
    take_rows(puller, puller->copying, puller->copying_table, &page.row);
    return CHARLE_OK;
}

// A scope may be lost again while it is copied: then it is left for the next pull to say.
static void copy_scope(struct puller *puller, struct charle_str name)
{
    struct ch_sync_peer peer = peer_of(puller);
    struct charle_error err;
    puller->copying = replica_add(&puller->replica, name);
    puller->copy_has_cursor = false;
    for (const uint32_t *table = reader_tables(name); *table; table++) {
        const struct charle_copy_request request = {
            .scope = name, .table = *table, .schema_hash = stamps_schema_tables.hash};
        puller->copying_table = *table;
        enum charle_err rc = ch_copy(puller->oracle->sync, puller->db, &peer, &request, take_copy, puller, &err);
        if (rc == CHARLE_PERMISSION_DENIED || rc == CHARLE_NOT_FOUND) {
            replica_drop(&puller->replica, name);
            return;
        }
        if (rc) {
            oracle_fail(puller->oracle, "copy of %.*s: %s", CHARLE_FMT(name), err.text);
            return;
        }
    }
    puller->copying->is_whole = true;
}

static void *puller_run(void *ctx)
{
    struct puller *puller = ctx;
    const struct charle_begin_options snapshot = {.isolation = CHARLE_REPEATABLE_READ, .is_read_only = true};
    struct charle_error err = {0};
    puller->db = oracle_connect(puller->oracle);
    while (!atomic_load(&puller->oracle->is_over)) {
        puller->to_copy_count = 0;
        enum charle_err rc = charle_begin(puller->db, &snapshot, &err);
        if (rc == CHARLE_OK)
            rc = pull(puller, &err);
        if (rc == CHARLE_OK)
            check(puller);
        enum charle_err end = charle_rollback(puller->db, rc ? NULL : &err);
        if (rc || end)
            oracle_fail(puller->oracle, "a pull failed: %s", err.text);
        for (size_t i = 0; i < puller->to_copy_count; i++)
            copy_scope(puller, puller->to_copy[i]);
        charle_arena_reset(&puller->arena);
    }
    replica_deinit(&puller->replica);
    charle_arena_deinit(&puller->arena);
    free(puller->to_copy);
    charle_db_close(puller->db);
    return NULL;
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
        if (second >= SECONDS_MIN && atomic_load(&oracle->checked) >= CHECKS_WANTED)
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
    pthread_t threads[WRITERS + PULLERS + 2];
    struct writer writers[WRITERS];
    struct puller pullers[PULLERS];
    struct control controls[2];
    size_t thread_count = 0;

    oracle.cluster = ch_pg_cluster_shared();
    PGconn *conn = stamps_open(oracle.cluster, oracle.database);
    prepare(conn);
    assert_int_equal(ch_sync_new(&stamps_schema_tables, &no_methods, &oracle.sync, &err), CHARLE_OK);
    for (unsigned i = 0; i < PULLERS; i++) {
        static const char *const persons[] = {"p1", "p2", "p3"};
        pullers[i] = (struct puller){.oracle = &oracle, .person = persons[i]};
        assert_int_equal(pthread_create(&threads[thread_count++], NULL, puller_run, &pullers[i]), 0);
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
    print_message("%ld pulls compared; %ld deltas, %ld scopes gained, %ld lost, %ld repaired; %ld transactions "
                  "committed, %ld rolled back, %ld "
                  "failed; wrong by sequence %ld of %ld, by timestamp %ld of %ld\n",
                  oracle.checked, oracle.deltas, oracle.gained, oracle.lost, oracle.repaired, oracle.committed,
                  oracle.rolled_back, oracle.failed, oracle.sequence_wrong, oracle.sequence_checked,
                  oracle.timestamp_wrong, oracle.timestamp_checked);
    ch_sync_free(oracle.sync);
    PQfinish(conn);
    assert_false(oracle_has_failed());
    assert_true(oracle.checked >= CHECKS_WANTED);
    assert_true(oracle.deltas > 0 && oracle.gained > 0 && oracle.lost > 0);
    assert_true(oracle.committed > 1000 && oracle.rolled_back > 0 && oracle.failed > 0);
    // If these two could keep up, the test would prove nothing.
    assert_true(oracle.sequence_wrong > 0);
    assert_true(oracle.timestamp_wrong > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_pull_is_one_true_moment)};
    return cmocka_run_group_tests_name("pulls against a full read", tests, NULL, NULL);
}
