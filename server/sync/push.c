// Calls that a replica made offline, run on the server: in order, each exactly once.
//
// One batch is one transaction. The device's row is locked first, so two batches of one device cannot mix. Number n+1 is taken only after n;
// a repeat of a number that was dealt with gets its stored verdict; a number whose chain hash is not the stored one comes from a copy of the
// replica that went its own way, and the whole batch is refused. So is one that was made under another epoch of the database: after a restore it
// may be a late one from the past that was lost, which speaks of verdicts that nobody has had. What a copy has in common with its original is run
// once all the same (push_copies.c).
//
//   first try      no savepoints: nearly every batch is fine, and a savepoint costs two round trips and a transaction id for each call. A
//                  generated method that refuses a call before it has changed anything leaves nothing to undo
//   second try     when a call failed otherwise: everything again in savepoints, so that what fails alone is undone alone
//   third try      when a constraint failed that is looked at behind all calls (one of ours never does; an operator may add a deferred one):
//                  again in savepoints, and the constraints are looked at behind each call
//
// Batches that change the same rows in different orders get in each other's way, and after an outage everybody comes back at once with many calls:
// trying all of them again and again together would go on for ever. So there are three manners:
//
//   TOGETHER  holds the lock of all pushes as one of many, and waits for nobody's row for long
//   ALONE     holds that lock alone, so it is in no other push's way. What it meets still is somebody else's, and since all pushes wait for it
//             it does not wait long either
//   PATIENT   somebody past the pushes has a row for longer: waits for it as long as the call may take, in nobody's way
//
// FOLDED is how a push shares a transaction with other calls (server/fold.h): as TOGETHER, with the limit for rows that the transaction has,
// and without a next manner: what it would have to wait for, it waits for in a transaction of its own.
//
// A call that fails is judged, not retried: REJECTED, or PARKED when the reason may pass. Only what says nothing about the call (a lost
// connection, a deadlock, no memory) fails the batch; the replica sends it again.
#include "base/plant.h"
#include "server/sync/push_parts.h"
#include "sync/hash.h"

const struct charle_call *ch_push_call(const struct ch_push *push, size_t index)
{
    CHARLE_ASSERT(index < push->request->call.count);
    return ((const struct charle_call *const *)push->request->call.items)[index];
}

// --- the device ---------------------------------------------------------------------------------------------------------

#define DEVICE_COLUMNS "last_hash, " CH_LINEAGE_SQL ", acknowledged, copied_calls"
#define DEVICE_SQL "select principal, principal_id, last_sequence, " DEVICE_COLUMNS " from charle.device where id = $1"
#define PUSH_LOCK  "1128792062, 0" // beside the keys of platform.sql

// The lock comes before the device's row and in one round trip with it: the condition is looked at before any row is locked. Waiting in line for
// the lock is not limited; the limit for rows begins behind it, far below PostgreSQL's second before it looks for deadlocks, because a batch may
// meet many rows.
static const char *const device_sql[] = {
    [PUSH_TOGETHER] = DEVICE_SQL " and (select count(set_config('lock_timeout', '100ms', true)) from pg_advisory_xact_lock_shared(" PUSH_LOCK ")) = 1 for update",
    [PUSH_ALONE] = DEVICE_SQL " and (select count(set_config('lock_timeout', '1s', true)) from pg_advisory_xact_lock(" PUSH_LOCK ")) = 1 for update",
    [PUSH_PATIENT] = DEVICE_SQL " for update",
    [PUSH_FOLDED] = DEVICE_SQL " and (select count(*) from pg_advisory_xact_lock_shared(" PUSH_LOCK ")) = 1 for update",
};

static const char planted_device_sql[] = "select principal, principal_id, (select max(last_sequence) from charle.device), " DEVICE_COLUMNS
                                         " from charle.device where id = $1 for update";

static enum charle_err lock_device(struct ch_push *push, struct charle_error *err)
{
    const struct charle_value param = charle_text(push->request->device_id);
    struct charle_rows *rows = NULL;
    struct charle_value principal, id, sequence, hash, lineage, acknowledged, copied;
    CHARLE_ASSERT(push->manner <= PUSH_FOLDED);
    const char *sql = CH_PLANTED(NUMBERS_WITHOUT_DEVICE) ? planted_device_sql : device_sql[push->manner];
    enum charle_err rc = charle_query(push->db, sql, &param, 1, &rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_next(rows, err);
    if (rc == CHARLE_DONE)
        rc = charle_fail(err, CHARLE_NOT_FOUND, "this server does not know device %.*s: open it first (charle.Sync/Open)",
                         CHARLE_FMT(push->request->device_id));
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 0, CHARLE_TYPE_TEXT, false, &principal, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 1, CHARLE_TYPE_TEXT, false, &id, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 2, CHARLE_TYPE_INT8, false, &sequence, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 3, CHARLE_TYPE_INT8, false, &hash, err);
    if (rc == CHARLE_OK && (!charle_str_equal(principal.text, push->options->peer.principal) || !charle_str_equal(id.text, push->options->peer.id)))
        rc = charle_fail(err, CHARLE_PERMISSION_DENIED, "device %.*s belongs to another person", CHARLE_FMT(push->request->device_id));
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 4, CHARLE_TYPE_INT8, false, &lineage, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 5, CHARLE_TYPE_INT8, false, &acknowledged, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 6, CHARLE_TYPE_INT8, false, &copied, err);
    const struct charle_opt_uint8 *given = &push->request->lineage;
    if (rc == CHARLE_OK && given->has && !CH_PLANTED(LATE_PUSH_TAKEN) && (lineage.is_null || given->value != (uint64_t)lineage.int8))
        rc = charle_fail(err, CHARLE_FAILED_PRECONDITION, "the database has started anew since device %.*s opened its session; it has to open another one",
                         CHARLE_FMT(push->request->device_id));
    if (rc == CHARLE_OK) {
        push->last_sequence = sequence.int8;
        push->last_hash = (uint64_t)hash.int8;
        push->acknowledged = acknowledged.int8;
        push->copied_calls = copied.int8;
    }
    charle_rows_close(rows);
    return rc;
}

static enum charle_err save_device(struct ch_push *push, struct charle_error *err)
{
    const struct charle_value params[] = {charle_text(push->request->device_id), charle_int8(push->last_sequence),
                                          charle_int8((int64_t)push->last_hash), charle_int8(push->acknowledged)};
    return charle_exec(push->db, "update charle.device set last_sequence = $2, last_hash = $3, acknowledged = $4 where id = $1", params, 4, NULL, err);
}

// --- which calls are new ------------------------------------------------------------------------------------------------

static enum charle_err check_chain(struct ch_push *push, const struct charle_call *call, struct charle_error *err)
{
    const struct ch_chain_link link = {
        .sequence = call->sequence, .method = call->method, .request = call->request, .at_us = call->at.us, .seed = call->seed};
    CHARLE_ASSERT(call->sequence == push->last_sequence + 1); // check_request and check_calls have seen to it
    if (ch_chain_hash(push->last_hash, &link) != call->hash && !CH_PLANTED(CHAIN_UNCHECKED))
        return ch_push_refuse_copy(call, err);
    push->last_sequence = call->sequence;
    push->last_hash = call->hash;
    return CHARLE_OK;
}

// Answers the calls that were dealt with before, and makes sure that the others follow them.
static enum charle_err check_calls(struct ch_push *push, struct charle_error *err)
{
    size_t count = push->request->call.count;
    push->first_new = 0;
    while (push->first_new < count && ch_push_call(push, push->first_new)->sequence <= push->last_sequence)
        push->first_new++;
    CHARLE_ASSERT(push->first_new <= count);
    enum charle_err rc = ch_push_repeat(push, err);
    if (rc == CHARLE_OK && push->first_new < count && ch_push_call(push, push->first_new)->sequence != push->last_sequence + 1)
        rc = charle_fail(err, CHARLE_OUT_OF_RANGE, "call %lld came, but call %lld of this device is next",
                         (long long)ch_push_call(push, push->first_new)->sequence, (long long)push->last_sequence + 1);
    for (size_t i = push->first_new; rc == CHARLE_OK && i < count; i++)
        rc = check_chain(push, ch_push_call(push, i), err);
    CHARLE_ASSERT(rc || push->first_new == count || push->last_sequence == ch_push_call(push, count - 1)->sequence);
    return rc;
}

// --- the batch ----------------------------------------------------------------------------------------------------------

static enum charle_err read_cursor(struct charle_rows *rows, struct charle_arena *arena, struct charle_cursor *out, struct charle_error *err)
{
    struct charle_value scope, stamp, lineage;
    enum charle_err rc = charle_rows_value(rows, 0, CHARLE_TYPE_TEXT, false, &scope, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 1, CHARLE_TYPE_INT8, false, &stamp, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 2, CHARLE_TYPE_INT8, false, &lineage, err);
    if (rc == CHARLE_OK)
        *out = (struct charle_cursor){charle_arena_str(arena, scope.text), stamp.int8, (uint64_t)lineage.int8};
    return rc;
}

enum charle_err ch_push_made(struct charle_db *db, const struct charle_str *scopes, size_t count, struct charle_arena *arena,
                             struct charle_array *out, struct charle_error *err)
{
    const struct charle_value param = ch_push_array(CHARLE_TYPE_TEXT, scopes, count);
    struct charle_rows *rows = NULL;
    const struct charle_cursor **list = charle_arena_array(arena, count, sizeof(*list));
    size_t found = 0;
    enum charle_err rc = !list ? charle_fail(err, CHARLE_NO_MEMORY, "no memory for the stamps of a push")
                               : charle_query(db,
                                              "select h.scope, h.v, e.lineage from charle.head h join charle.epoch e on e.epoch = h.v >> 33 "
                                              "where h.scope = any($1::text[]) and h.txn = (select k.txn from charle.keyed(charle.pending()) k)",
                                              &param, 1, &rows, err);
    while (rc == CHARLE_OK && (rc = charle_rows_next(rows, err)) == CHARLE_OK) {
        struct charle_cursor *cursor = CHARLE_ARENA_NEW(arena, struct charle_cursor);
        rc = cursor ? read_cursor(rows, arena, cursor, err) : charle_fail(err, CHARLE_NO_MEMORY, "no memory for the stamps of a push");
        if (rc == CHARLE_OK)
            list[found++] = cursor;
        else
            break;
        CHARLE_ASSERT(found <= count);
    }
    charle_rows_close(rows);
    *out = (struct charle_array){.items = list, .count = found, .has = true};
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

// The stamps this transaction made, of scopes that the caller may know of.
static enum charle_err read_made(struct ch_push *push, struct charle_error *err)
{
    // Heads are raised in one order by everybody, so waiting for them ends.
    enum charle_err rc = charle_exec_script(push->db, "set local lock_timeout to default; set constraints all immediate", err);
    if (rc && !push->checks_each && !ch_push_is_about_batch(push, rc))
        push->has_failed = push->checks_each = true; // somebody's own constraint: which call it is about is found in the next try
    return rc ? rc : ch_push_made(push->db, push->identity.scopes, push->identity.scope_count, push->arena, &push->out->made, err);
}

static enum charle_err run_batch(struct charle_db *db, void *ctx, struct charle_error *err)
{
    struct ch_push *push = ctx;
    CHARLE_ASSERT(db == push->db && push->tries >= 0);
    push->has_failed = false;
    if (push->tries++ && push->manner == PUSH_TOGETHER)
        push->manner = PUSH_ALONE; // it was a deadlock's victim
    enum charle_err rc = lock_device(push, err);
    if (rc == CHARLE_OK)
        rc = ch_sync_scopes_of(push->sync, push->db, &push->options->peer, push->arena, &push->identity.scopes, &push->identity.scope_count, err);
    if (rc == CHARLE_OK)
        rc = ch_push_check_files(push, err);
    if (rc == CHARLE_OK)
        rc = ch_push_forget(push, err);
    if (rc == CHARLE_OK)
        rc = check_calls(push, err);
    if (rc || push->first_new == push->request->call.count)
        return rc; // nothing new: only repeats were answered
    rc = ch_push_find_copied(push, err);
    if (rc == CHARLE_OK)
        rc = ch_push_run(push, err);
    if (rc == CHARLE_OK)
        rc = save_device(push, err);
    if (rc == CHARLE_OK)
        rc = ch_push_store(push, err);
    if (rc == CHARLE_OK)
        rc = ch_push_store_copied(push, err);
    if (rc == CHARLE_OK && push->manner != PUSH_FOLDED)
        rc = read_made(push, err);
    return rc ? rc : charle_arena_check(push->arena, "the verdicts of a push", err);
}

// The batch in its present manner, with savepoints if it needs them. Each further try is more careful than the one before, so there are three at most.
static enum charle_err run(struct ch_push *push, struct charle_error *err)
{
    enum charle_err rc;
    do {
        push->has_savepoints |= push->has_failed;
        push->tries = 0;
        rc = charle_transaction(push->db, NULL, run_batch, push, err);
        if (CH_PLANTED(ACK_BEFORE_COMMIT) && push->out->made.has)
            return CHARLE_OK;
    } while (push->has_failed);
    return rc;
}

static enum charle_err check_request(const struct ch_push *push, struct charle_error *err)
{
    const struct charle_push_request *request = push->request;
    if (request->call.count > CH_PUSH_CALLS_MAX)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "%zu calls in one push; %d is the most", request->call.count, CH_PUSH_CALLS_MAX);
    for (size_t i = 0; i < request->call.count; i++) {
        int64_t sequence = ch_push_call(push, i)->sequence;
        if (sequence < 1 || (i && sequence - 1 != ch_push_call(push, i - 1)->sequence))
            return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the calls of a push must be numbered without gaps, from 1 on");
    }
    return ch_sync_check_schema(push->sync, request->schema_hash, err);
}

enum charle_err ch_push(const struct ch_sync *sync, struct charle_db *db, const struct ch_push_options *options,
                        const struct charle_push_request *request, struct charle_arena *arena, struct charle_push_reply *out,
                        struct charle_error *err)
{
    size_t count = request->call.count;
    struct ch_push push = {.sync = sync, .db = db, .options = options, .request = request, .arena = arena, .out = out};
    CHARLE_ASSERT(options && arena);
    push.identity = (struct charle_identity){.principal = options->peer.principal, .id = options->peer.id, .device_id = request->device_id};
    *out = (struct charle_push_reply){0};
    enum charle_err rc = check_request(&push, err);
    if (rc)
        return rc;
    push.verdicts = charle_arena_array(arena, count, sizeof(*push.verdicts));
    const struct charle_verdict **list = charle_arena_array(arena, count, sizeof(*list));
    if (!push.verdicts || !list)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for %zu verdicts", count);
    if (options->fold)
        push.manner = PUSH_FOLDED;
    rc = run(&push, err);
    while (rc == CHARLE_BUSY && push.manner < PUSH_PATIENT) {
        push.manner++;
        rc = run(&push, err);
    }
    for (size_t i = 0; rc == CHARLE_OK && i < count; i++)
        list[i] = &push.verdicts[i];
    out->verdict = (struct charle_array){.items = list, .count = count, .has = true};
    out->last_sequence = push.last_sequence;
    if (options->fold)
        *options->fold = (struct ch_push_fold){out, push.identity.scopes, push.identity.scope_count, rc == CHARLE_OK && push.first_new < count};
    return rc;
}
