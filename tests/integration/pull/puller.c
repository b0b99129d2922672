// A puller: a replica in memory that follows the server by ch_pull, and copies what it gains.
//
// The snapshot of a pull is shared with the reader by nesting: the puller opens a repeatable-read transaction, ch_pull
// opens its own inside, which is a savepoint of the first, and the reader goes on in it. A first copy runs outside, in
// snapshots of its own, as it does in life.
#include "charle/sync.charle.h"

#include "msg/wire.h"
#include "oracle.h"
#include "stamps.schema.charle.h"

#include <inttypes.h>
#include <stdlib.h>
// -----------------------------------------------------------------------------------------------------------

static struct ch_sync_peer peer_of(const struct puller *puller)
{
    return (struct ch_sync_peer){CHARLE_STR("person"), charle_str(puller->person), puller->rule, puller->never_waits};
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
enum charle_err puller_take_page(void *ctx, struct charle_bytes message, struct charle_error *err)
{
    struct puller *puller = ctx;
    struct charle_pull_page page;
    enum charle_err rc = charle_message_read(&charle_pull_page_message, message, &puller->arena, &page, err);
    if (rc)
        return rc;
    if (page.is_first.value != puller->is_at_start)
        return charle_fail(err, CHARLE_INTERNAL, "the first page of a pull, and no other, says that it is the first");
    puller->is_at_start = false;
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

// A pull whose snapshot cannot be read to its end begins anew, and what came before is void.
static enum charle_err collect_page(void *ctx, struct charle_bytes message, struct charle_error *err)
{
    struct puller *puller = ctx;
    struct charle_pull_page page;
    enum charle_err rc = charle_message_read(&charle_pull_page_message, message, &puller->arena, &page, err);
    if (rc == CHARLE_OK && page.is_first.value && puller->pages.size) {
        charle_buf_reset(&puller->pages);
        atomic_fetch_add(&puller->oracle->begun_anew, 1);
    }
    charle_buf_add(&puller->pages, &message.len, sizeof(message.len));
    charle_buf_add(&puller->pages, message.ptr, message.len);
    return rc;
}

static enum charle_err take_collected(struct puller *puller, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    for (size_t at = 0; rc == CHARLE_OK && at < puller->pages.size;) {
        size_t size;
        memcpy(&size, puller->pages.data + at, sizeof(size));
        rc = puller_take_page(puller, charle_bytes(puller->pages.data + at + sizeof(size), size), err);
        at += sizeof(size) + size;
    }
    return rc;
}

// Where the pull or copy at hand reads.
static struct charle_db *db_of(const struct puller *puller)
{
    return puller->rule ? puller->standby_db : puller->db;
}

// What the replica has: its cursors, or for `at_least` the newest stamps that it has seen.
static struct charle_array stamps_of(struct puller *puller, bool wants_newest)
{
    size_t count = puller->replica.scope_count;
    struct charle_cursor *cursors = charle_arena_array(&puller->arena, count, sizeof(*cursors));
    const struct charle_cursor **pointers = charle_arena_array(&puller->arena, count, sizeof(*pointers));
    for (size_t i = 0; i < count; i++) {
        const struct replica_scope *scope = &puller->replica.scopes[i];
        cursors[i] = (struct charle_cursor){charle_arena_str(&puller->arena, charle_str(scope->name)),
                                            wants_newest && scope->newest > scope->stamp ? scope->newest : scope->stamp,
                                            scope->lineage};
        pointers[i] = &cursors[i];
    }
    return (struct charle_array){.items = pointers, .count = count, .has = true};
}

enum charle_err puller_pull(struct puller *puller, struct ch_positions *positions, struct charle_error *err)
{
    const struct charle_pull_request request = {.cursor = stamps_of(puller, false),
                                                .at_least = stamps_of(puller, true),
                                                .schema_hash = stamps_schema_tables.hash,
                                                .device_id = charle_str(puller->person)};
    struct ch_sync_peer peer = peer_of(puller);
    puller->has_last_page = false;
    puller->is_at_start = true;
    charle_buf_reset(&puller->pages);
    enum charle_err rc = ch_pull(puller->oracle->sync, db_of(puller), &peer, &request, &puller->arena, collect_page, puller,
                                 positions, err);
    if (rc == CHARLE_OK)
        rc = take_collected(puller, err);
    if (rc == CHARLE_OK && !puller->has_last_page)
        oracle_fail(puller->oracle, "a pull ended without a last page");
    return rc;
}

static void check(struct puller *puller)
{
    if (!reader_can_compare(db_of(puller)))
        return;
    for (size_t i = 0; i < puller->replica.scope_count; i++) {
        if (!reader_compare(puller->oracle, db_of(puller), &puller->replica.scopes[i]))
            return;
    }
    atomic_fetch_add(&puller->oracle->checked, 1);
    atomic_fetch_add(&puller->oracle->at_standby, puller->rule != NULL);
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
    if (page.head && page.head->stamp > puller->copying->newest)
        puller->copying->newest = page.head->stamp;
    take_rows(puller, puller->copying, puller->copying_table, &page.row);
    return CHARLE_OK;
}

// At the standby when there is one and it has got there, otherwise at the primary.
static enum charle_err copy_table(struct puller *puller, struct charle_str scope, uint32_t table, struct charle_error *err)
{
    const struct charle_copy_request request = {.scope = scope,
                                                .table = table,
                                                .schema_hash = stamps_schema_tables.hash,
                                                .at_least = stamps_of(puller, true),
                                                .may_lag = {true, true}};
    puller->copying_table = table;
    puller->rule = puller->standby_db ? &puller->oracle->rule : NULL;
    struct ch_sync_peer peer = peer_of(puller);
    enum charle_err rc = ch_copy(puller->oracle->sync, db_of(puller), &peer, &request, take_copy, puller, err);
    if (puller->rule) {
        atomic_fetch_add(&puller->oracle->copied_at_standby, rc == CHARLE_OK);
        puller->rule = NULL;
        peer = peer_of(puller);
        if (rc)
            rc = ch_copy(puller->oracle->sync, puller->db, &peer, &request, take_copy, puller, err);
    }
    return rc;
}

// A scope may be lost again while it is copied: then it is left for the next pull to say.
static void copy_scope(struct puller *puller, struct charle_str name)
{
    struct charle_error err;
    puller->copying = replica_add(&puller->replica, name);
    puller->copy_has_cursor = false;
    for (const uint32_t *table = reader_tables(name); *table; table++) {
        enum charle_err rc = copy_table(puller, name, *table, &err);
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

void puller_copy(struct puller *puller)
{
    for (size_t i = 0; i < puller->to_copy_count; i++)
        copy_scope(puller, puller->to_copy[i]);
    puller->to_copy_count = 0;
}

void puller_deinit(struct puller *puller)
{
    replica_deinit(&puller->replica);
    charle_arena_deinit(&puller->arena);
    charle_buf_deinit(&puller->pages);
    free(puller->to_copy);
    charle_db_close(puller->db);
    charle_db_close(puller->standby_db);
}

// Replay ends sessions that hold it up for long.
static void renew_standby(struct puller *puller)
{
    if (puller->standby_db && !ch_pg_is_alive(puller->standby_db)) {
        charle_db_close(puller->standby_db);
        puller->standby_db = oracle_connect_standby(puller->oracle);
    }
}

// One pull and its comparison, in one snapshot. False: the standby leaves it to the primary.
static bool pull_and_check(struct puller *puller)
{
    const struct charle_begin_options snapshot = {.isolation = CHARLE_REPEATABLE_READ, .is_read_only = true};
    struct ch_positions positions;
    struct charle_error err = {0};
    struct charle_db *db = db_of(puller);
    enum charle_err rc = charle_begin(db, &snapshot, &err);
    if (rc == CHARLE_OK)
        rc = puller_pull(puller, &positions, &err);
    if (rc == CHARLE_OK)
        check(puller);
    enum charle_err end = charle_rollback(db, rc ? NULL : &err);
    // BUSY: replay holds a lock.
    bool is_lost = puller->rule && !ch_pg_is_alive(db);
    bool is_passed_on = is_lost || (puller->rule && (rc == CHARLE_UNAVAILABLE || rc == CHARLE_ABORTED || rc == CHARLE_BUSY) && puller->is_at_start);
    // Here the snapshot is the outer transaction's, so to begin anew does not help when a table was emptied, or when the standby has shown a commit
    // that the primary does not show yet.
    bool is_emptied = !puller->rule && (rc == CHARLE_ABORTED || rc == CHARLE_DEADLOCK);
    bool is_ahead = !puller->rule && puller->standby_db && rc == CHARLE_UNAVAILABLE;
    atomic_fetch_add(&puller->oracle->ahead, is_ahead);
    atomic_fetch_add(&puller->oracle->begun_anew, is_emptied);
    if ((rc && !is_passed_on && !is_emptied && !is_ahead) || (end && !is_lost))
        oracle_fail(puller->oracle, "a pull failed: %s", err.text);
    atomic_fetch_add(&puller->oracle->passed_on, is_passed_on);
    return rc == CHARLE_OK;
}

void *puller_run(void *ctx)
{
    struct puller *puller = ctx;
    puller->db = oracle_connect(puller->oracle);
    puller->standby_db = puller->oracle->standby ? oracle_connect_standby(puller->oracle) : NULL;
    for (unsigned round = 0; !atomic_load(&puller->oracle->is_over); round++) {
        // Every third pull is the primary's, so that what the replica knows is ahead of the standby again and again.
        puller->rule = puller->standby_db && round % 3 ? &puller->oracle->rule : NULL;
        if (!pull_and_check(puller) && puller->rule) {
            renew_standby(puller);
            puller->rule = NULL;
            (void)pull_and_check(puller);
        }
        puller->rule = NULL;
        puller_copy(puller);
        renew_standby(puller);
        charle_arena_reset(&puller->arena);
    }
    puller_deinit(puller);
    return NULL;
}
