// Calls that a replica made offline, run on the server: in order, each exactly once.
//
// One batch is one transaction. The device's row is locked first, so two batches of one device cannot mix. Number n+1 is taken only after n;
// a repeat of a number that was dealt with gets its stored verdict; a number whose chain hash is not the stored one comes from a copy of the
// replica that went its own way, and the whole batch is refused.
//
//   first try      no savepoints: nearly every batch is fine, and a savepoint costs two round trips and a transaction id for each call
//   second try     when a call failed in the first: everything again, each call in a savepoint, so that what fails alone is undone alone
//
// A call that fails is judged, not retried: REJECTED, or PARKED when the reason may pass. Only what says nothing about the call (a lost
// connection, a deadlock, no memory) fails the batch; the replica sends it again.
#include "msg/wire.h"
#include "server/sync/parts.h"
#include "sync/hash.h"

#include <stdio.h>

struct push {
    const struct ch_sync *sync;
    struct charle_db *db;
    const struct ch_push_options *options;
    const struct charle_push_request *request;
    struct charle_arena *arena;
    struct charle_identity identity;
    int64_t last_sequence, first_new; // of the device; first_new: where this batch's own calls begin
    uint64_t last_hash;
    struct charle_verdict *verdicts;
    uint64_t *hashes;
    size_t verdict_count;
    bool has_savepoints;
    bool has_failed; // a call failed without a savepoint: try again with them
    struct charle_push_reply *out;
};

static const struct charle_call *call_at(const struct push *push, size_t index)
{
    return ((const struct charle_call *const *)push->request->call.items)[index];
}

// --- the device ---------------------------------------------------------------------------------------------------------

static enum charle_err lock_device(struct push *push, struct charle_error *err)
{
    const struct charle_value param = charle_text(push->request->device_id);
    struct charle_rows *rows = NULL;
    struct charle_value principal, id, sequence, hash;
    enum charle_err rc = charle_query(
        push->db, "select principal, principal_id, last_sequence, last_hash from charle.device where id = $1 for update", &param, 1, &rows, err);
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
    if (rc == CHARLE_OK) {
        push->last_sequence = sequence.int8;
        push->last_hash = (uint64_t)hash.int8;
        push->first_new = push->last_sequence + 1;
    }
    charle_rows_close(rows);
    return rc;
}

static enum charle_err forget_acknowledged(struct push *push, struct charle_error *err)
{
    const struct charle_value params[] = {charle_text(push->request->device_id), charle_int8(push->request->acknowledged.value)};
    if (!push->request->acknowledged.has || push->request->acknowledged.value <= 0)
        return CHARLE_OK;
    return charle_exec(push->db, "delete from charle.verdict where device_id = $1 and sequence <= $2", params, 2, NULL, err);
}

static enum charle_err save_device(struct push *push, struct charle_error *err)
{
    const struct charle_value params[] = {charle_text(push->request->device_id), charle_int8(push->last_sequence),
                                          charle_int8((int64_t)push->last_hash)};
    return charle_exec(push->db, "update charle.device set last_sequence = $2, last_hash = $3 where id = $1", params, 3, NULL, err);
}

// --- verdicts -----------------------------------------------------------------------------------------------------------

static const char verdict_columns[] = "kind, code, text, reply, tab, key, row, hash";

// Text and bytes are copied into the arena; a NULL leaves *out_has false.
static enum charle_err take_text(struct push *push, struct charle_rows *rows, size_t column, struct charle_opt_text *out,
                                 struct charle_error *err)
{
    struct charle_value value;
    enum charle_err rc = charle_rows_value(rows, column, CHARLE_TYPE_TEXT, false, &value, err);
    if (rc || value.is_null)
        return rc;
    *out = (struct charle_opt_text){charle_arena_str(push->arena, value.text), true};
    return out->value.ptr ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a verdict");
}

static enum charle_err take_bytes(struct push *push, struct charle_rows *rows, size_t column, struct charle_opt_bytes *out,
                                  struct charle_error *err)
{
    struct charle_value value;
    enum charle_err rc = charle_rows_value(rows, column, CHARLE_TYPE_BYTES, false, &value, err);
    if (rc || value.is_null)
        return rc;
    *out = (struct charle_opt_bytes){charle_arena_bytes(push->arena, value.bytes), true};
    return out->value.ptr ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a verdict");
}

static enum charle_err read_verdict(struct push *push, struct charle_rows *rows, struct charle_verdict *out, uint64_t *out_hash,
                                    struct charle_error *err)
{
    struct charle_value kind, code, table, hash;
    enum charle_err rc = charle_rows_value(rows, 0, CHARLE_TYPE_INT4, false, &kind, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 1, CHARLE_TYPE_INT4, false, &code, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 4, CHARLE_TYPE_INT4, false, &table, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 7, CHARLE_TYPE_INT8, false, &hash, err);
    if (rc == CHARLE_OK)
        rc = take_text(push, rows, 2, &out->text, err);
    if (rc == CHARLE_OK)
        rc = take_bytes(push, rows, 3, &out->reply, err);
    if (rc == CHARLE_OK)
        rc = take_text(push, rows, 5, &out->key, err);
    if (rc == CHARLE_OK)
        rc = take_bytes(push, rows, 6, &out->row, err);
    if (rc)
        return rc;
    out->kind = kind.int4;
    if (!code.is_null)
        out->code = (struct charle_opt_int4){code.int4, true};
    if (!table.is_null)
        out->table = (struct charle_opt_uint4){(uint32_t)table.int4, true};
    *out_hash = (uint64_t)hash.int8;
    return CHARLE_OK;
}

static enum charle_err refuse_copy(const struct charle_call *call, struct charle_error *err)
{
    return charle_fail(err, CHARLE_CONFLICT,
                       "call %lld is not the one this server has under that number: the replica was copied, and must go on as a new device",
                       (long long)call->sequence);
}

// A number that was dealt with before: the stored verdict, if the call is the same.
static enum charle_err repeat(struct push *push, const struct charle_call *call, struct charle_error *err)
{
    const struct charle_value params[] = {charle_text(push->request->device_id), charle_int8(call->sequence)};
    struct charle_verdict *verdict = &push->verdicts[push->verdict_count++];
    struct charle_rows *rows = NULL;
    uint64_t hash = 0;
    char sql[160];
    snprintf(sql, sizeof(sql), "select %s from charle.verdict where device_id = $1 and sequence = $2", verdict_columns);
    *verdict = (struct charle_verdict){.sequence = call->sequence};
    enum charle_err rc = charle_query(push->db, sql, params, 2, &rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_next(rows, err);
    if (rc == CHARLE_OK) {
        rc = read_verdict(push, rows, verdict, &hash, err);
        if (rc == CHARLE_OK && hash != call->hash)
            rc = refuse_copy(call, err);
    } else if (rc == CHARLE_DONE) {
        // The replica had said that it has this verdict. It took effect or not long ago; that is all there is to know.
        verdict->kind = CHARLE_APPLIED;
        rc = call->sequence == push->last_sequence && call->hash != push->last_hash ? refuse_copy(call, err) : CHARLE_OK;
    }
    charle_rows_close(rows);
    return rc;
}

static enum charle_err store_judged(struct push *push, const struct charle_verdict *verdict, uint64_t hash, struct charle_error *err)
{
    const struct charle_value params[] = {
        charle_text(push->request->device_id),
        charle_int8(verdict->sequence),
        charle_int8((int64_t)hash),
        charle_int4(verdict->kind),
        verdict->code.has ? charle_int4(verdict->code.value) : charle_null(CHARLE_TYPE_INT4),
        verdict->text.has ? charle_text(verdict->text.value) : charle_null(CHARLE_TYPE_TEXT),
        verdict->reply.has ? charle_blob(verdict->reply.value) : charle_null(CHARLE_TYPE_BYTES),
        verdict->table.has ? charle_int4((int32_t)verdict->table.value) : charle_null(CHARLE_TYPE_INT4),
        verdict->key.has ? charle_text(verdict->key.value) : charle_null(CHARLE_TYPE_TEXT),
        verdict->row.has ? charle_blob(verdict->row.value) : charle_null(CHARLE_TYPE_BYTES)};
    return charle_exec(push->db,
                       "insert into charle.verdict (device_id, sequence, hash, kind, code, text, reply, tab, key, row) "
                       "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                       params, 10, NULL, err);
}

static struct charle_value array_param(enum charle_type type, const void *items, size_t count)
{
    return (struct charle_value){.type = (uint8_t)type, .is_array = true, .array = {.items = items, .count = count, .has = true}};
}

// The verdicts of this batch's own calls. Those that were simply applied, nearly all, go in one statement.
static enum charle_err store_verdicts(struct push *push, struct charle_error *err)
{
    int64_t *sequences = charle_arena_array(push->arena, push->verdict_count, sizeof(*sequences));
    int64_t *hashes = charle_arena_array(push->arena, push->verdict_count, sizeof(*hashes));
    struct charle_bytes *replies = charle_arena_array(push->arena, push->verdict_count, sizeof(*replies));
    size_t applied = 0;
    enum charle_err rc = CHARLE_OK;
    if (!sequences || !hashes || !replies)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for %zu verdicts", push->verdict_count);
    for (size_t i = 0; rc == CHARLE_OK && i < push->verdict_count; i++) {
        const struct charle_verdict *verdict = &push->verdicts[i];
        if (verdict->sequence < push->first_new)
            continue;
        if (verdict->kind != CHARLE_APPLIED) {
            rc = store_judged(push, verdict, push->hashes[i], err);
            continue;
        }
        sequences[applied] = verdict->sequence;
        hashes[applied] = (int64_t)push->hashes[i];
        replies[applied++] = verdict->reply.value;
    }
    if (rc || !applied)
        return rc;
    const struct charle_value params[] = {charle_text(push->request->device_id), array_param(CHARLE_TYPE_INT8, sequences, applied),
                                          array_param(CHARLE_TYPE_INT8, hashes, applied), array_param(CHARLE_TYPE_BYTES, replies, applied),
                                          charle_int4(CHARLE_APPLIED)};
    return charle_exec(push->db,
                       "insert into charle.verdict (device_id, sequence, hash, kind, reply) "
                       "select $1, u.sequence, u.hash, $5, u.reply from unnest($2::bigint[], $3::bigint[], $4::bytea[]) as u(sequence, hash, reply)",
                       params, 5, NULL, err);
}

// --- running ------------------------------------------------------------------------------------------------------------

// Says nothing about the call: the batch fails and is sent again.
static bool is_about_batch(enum charle_err rc)
{
    switch ((int)rc) {
    case CHARLE_SERIALIZATION:
    case CHARLE_DEADLOCK:
    case CHARLE_UNAVAILABLE:
    case CHARLE_CLOSED:
    case CHARLE_CANCELLED:
    case CHARLE_DEADLINE_EXCEEDED:
    case CHARLE_NO_MEMORY:
    case CHARLE_IO:
    case CHARLE_DISK_FULL:
    case CHARLE_READ_ONLY:
        return true;
    default:
        return false;
    }
}

static bool may_pass(enum charle_err rc)
{
    return rc == CHARLE_BUSY || rc == CHARLE_RESOURCE_EXHAUSTED;
}

static enum charle_err find_method(const struct push *push, const struct charle_call *call, const struct charle_method **out,
                                   struct charle_error *err)
{
    *out = charle_method_find(push->sync->methods, call->method);
    if (!*out)
        return charle_fail(err, CHARLE_UNIMPLEMENTED, "this server has no method %.*s", CHARLE_FMT(call->method));
    if (!(*out)->is_offline || (*out)->streaming)
        return charle_fail(err, CHARLE_FAILED_PRECONDITION, "method %.*s cannot be called offline", CHARLE_FMT(call->method));
    return CHARLE_OK;
}

static enum charle_err run_call(struct push *push, const struct charle_call *call, struct charle_str *out_note, struct charle_buf *reply,
                                struct charle_error *err)
{
    const struct charle_method *method;
    enum charle_err rc = find_method(push, call, &method, err);
    if (rc)
        return rc;
    struct charle_context context = {.db = push->db,
                                     .arena = push->arena,
                                     .schema = push->sync->schema,
                                     .identity = &push->identity,
                                     .is_replay = true,
                                     .deadline_mono_us = push->options->deadline_mono_us,
                                     .crud = push->options->crud,
                                     .runtime = push->options->runtime};
    charle_context_seed(&context, call->at, call->seed);
    rc = charle_method_run(method, &context, call->request, reply, err);
    *out_note = context.merge_note;
    return rc;
}

// The row that a generated call was about, as the caller may see it now: what a person needs to decide. Best effort, in a savepoint.
static void add_row(struct push *push, const struct charle_call *call, struct charle_verdict *verdict)
{
    const struct charle_method *method = charle_method_find(push->sync->methods, call->method);
    const struct ch_table_views *views = method && method->table ? ch_sync_table(push->sync, method->table->id) : NULL;
    struct charle_wire_reader reader = {call->request.ptr, call->request.ptr + call->request.len};
    struct charle_wire_field field;
    if (!views || (method->crud != CHARLE_CRUD_UPDATE && method->crud != CHARLE_CRUD_DELETE))
        return;
    // Both requests have the key as field 1, in the form that Get takes.
    if (charle_wire_next(&reader, &field) || field.number != 1 || field.wire_type != 2)
        return;
    struct charle_buf key = {0}, row = {0}, name = {0};
    struct charle_error ignored;
    size_t slash = call->method.len;
    while (slash && call->method.ptr[slash - 1] != '/')
        slash--;
    charle_buf_add(&name, call->method.ptr, slash);
    charle_buf_add_text(&name, "Get");
    const struct charle_method *get = charle_method_find(push->sync->methods, charle_buf_str(&name));
    if (get && charle_begin(push->db, NULL, &ignored) == CHARLE_OK) {
        struct charle_context context = {.db = push->db, .arena = push->arena, .schema = push->sync->schema, .identity = &push->identity,
                                         .crud = push->options->crud, .runtime = push->options->runtime};
        charle_context_seed(&context, call->at, call->seed);
        bool found = charle_method_run(get, &context, field.bytes, &row, &ignored) == CHARLE_OK;
        if (charle_rollback(push->db, &ignored) == CHARLE_OK && ch_view_key_of_row(views, field.bytes, &key, &ignored) == CHARLE_OK) {
            verdict->table = (struct charle_opt_uint4){method->table->id, true};
            verdict->key = (struct charle_opt_text){charle_arena_str(push->arena, charle_buf_str(&key)), true};
            verdict->row = (struct charle_opt_bytes){found ? charle_arena_bytes(push->arena, charle_buf_bytes(&row)) : (struct charle_bytes){0},
                                                     found};
        }
    }
    charle_buf_deinit(&key);
    charle_buf_deinit(&row);
    charle_buf_deinit(&name);
}

static enum charle_err judge(struct push *push, const struct charle_call *call, enum charle_err rc, struct charle_str note,
                             const struct charle_buf *reply, const struct charle_error *why, struct charle_verdict *verdict,
                             struct charle_error *err)
{
    struct charle_str text = note;
    *verdict = (struct charle_verdict){.sequence = call->sequence, .kind = note.len ? CHARLE_MERGED : CHARLE_APPLIED};
    if (rc) {
        verdict->kind = may_pass(rc) ? CHARLE_PARKED : CHARLE_REJECTED;
        verdict->code = (struct charle_opt_int4){(int32_t)rc, true};
        text = charle_str(why->text[0] ? why->text : charle_err_text(rc));
    } else {
        verdict->reply = (struct charle_opt_bytes){charle_arena_bytes(push->arena, charle_buf_bytes(reply)), true};
    }
    if (text.len)
        verdict->text = (struct charle_opt_text){charle_arena_str(push->arena, text), true};
    if (verdict->kind != CHARLE_APPLIED)
        add_row(push, call, verdict);
    bool ok = (rc || verdict->reply.value.ptr) && (!text.len || verdict->text.value.ptr);
    return ok ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a verdict");
}

// Runs one new call and judges it. In the first try a failure only says that a second is needed.
static enum charle_err take(struct push *push, const struct charle_call *call, struct charle_error *err)
{
    struct charle_buf reply = {0};
    struct charle_str note = {0};
    struct charle_error why = {0};
    enum charle_err rc = push->has_savepoints ? charle_begin(push->db, NULL, err) : CHARLE_OK;
    if (rc)
        return rc;
    enum charle_err outcome = run_call(push, call, &note, &reply, &why);
    if (outcome && (is_about_batch(outcome) || !push->has_savepoints)) {
        push->has_failed = !is_about_batch(outcome);
        charle_buf_deinit(&reply);
        return charle_fail_foreign(err, outcome, why.domain, why.foreign, "%s", why.text);
    }
    if (push->has_savepoints)
        rc = outcome ? charle_rollback(push->db, err) : charle_commit(push->db, err);
    if (rc == CHARLE_OK) {
        push->hashes[push->verdict_count] = call->hash;
        rc = judge(push, call, outcome, note, &reply, &why, &push->verdicts[push->verdict_count++], err);
    }
    charle_buf_deinit(&reply);
    push->last_sequence = call->sequence;
    push->last_hash = call->hash;
    return rc;
}

static enum charle_err check_chain(const struct push *push, const struct charle_call *call, struct charle_error *err)
{
    const struct ch_chain_link link = {
        .sequence = call->sequence, .method = call->method, .request = call->request, .at_us = call->at.us, .seed = call->seed};
    return ch_chain_hash(push->last_hash, &link) == call->hash ? CHARLE_OK : refuse_copy(call, err);
}

static enum charle_err take_calls(struct push *push, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; rc == CHARLE_OK && i < push->request->call.count; i++) {
        const struct charle_call *call = call_at(push, i);
        if (call->sequence <= push->last_sequence && call->sequence < push->first_new) {
            rc = repeat(push, call, err);
        } else if (call->sequence == push->last_sequence + 1) {
            rc = check_chain(push, call, err);
            if (rc == CHARLE_OK)
                rc = take(push, call, err);
        } else {
            rc = charle_fail(err, CHARLE_OUT_OF_RANGE, "call %lld came, but call %lld of this device is next", (long long)call->sequence,
                             (long long)push->last_sequence + 1);
        }
    }
    return rc;
}

// The stamps this transaction made, of scopes that the caller may know of.
static enum charle_err read_made(struct push *push, struct charle_error *err)
{
    const struct charle_value param = array_param(CHARLE_TYPE_TEXT, push->identity.scopes, push->identity.scope_count);
    struct charle_rows *rows = NULL;
    const struct charle_cursor **list = charle_arena_array(push->arena, push->identity.scope_count, sizeof(*list));
    size_t count = 0;
    enum charle_err rc = list ? charle_exec_script(push->db, "set constraints all immediate", err)
                              : charle_fail(err, CHARLE_NO_MEMORY, "no memory for the stamps of a push");
    if (rc == CHARLE_OK)
        rc = charle_query(push->db,
                          "select h.scope, h.v, e.lineage from charle.head h join charle.epoch e on e.epoch = h.v >> 33 "
                          "where h.scope = any($1::text[]) and h.txn = (select k.txn from charle.keyed(charle.pending()) k)",
                          &param, 1, &rows, err);
    while (rc == CHARLE_OK && (rc = charle_rows_next(rows, err)) == CHARLE_OK) {
        struct charle_value scope, stamp, lineage;
        struct charle_cursor *cursor = CHARLE_ARENA_NEW(push->arena, struct charle_cursor);
        rc = cursor ? charle_rows_value(rows, 0, CHARLE_TYPE_TEXT, false, &scope, err)
                    : charle_fail(err, CHARLE_NO_MEMORY, "no memory for the stamps of a push");
        if (rc == CHARLE_OK)
            rc = charle_rows_value(rows, 1, CHARLE_TYPE_INT8, false, &stamp, err);
        if (rc == CHARLE_OK)
            rc = charle_rows_value(rows, 2, CHARLE_TYPE_INT8, false, &lineage, err);
        if (rc)
            break;
        *cursor = (struct charle_cursor){charle_arena_str(push->arena, scope.text), stamp.int8, (uint64_t)lineage.int8};
        list[count++] = cursor;
    }
    charle_rows_close(rows);
    push->out->made = (struct charle_array){.items = list, .count = count, .has = true};
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

static enum charle_err run_batch(struct charle_db *db, void *ctx, struct charle_error *err)
{
    struct push *push = ctx;
    (void)db;
    push->verdict_count = 0;
    push->has_failed = false;
    enum charle_err rc = lock_device(push, err);
    if (rc == CHARLE_OK)
        rc = ch_sync_scopes_of(push->sync, push->db, &push->options->peer, push->arena, &push->identity.scopes, &push->identity.scope_count, err);
    if (rc == CHARLE_OK)
        rc = forget_acknowledged(push, err);
    if (rc == CHARLE_OK)
        rc = take_calls(push, err);
    if (rc || push->last_sequence < push->first_new)
        return rc; // nothing new: only repeats were answered
    rc = save_device(push, err);
    if (rc == CHARLE_OK)
        rc = store_verdicts(push, err);
    return rc ? rc : read_made(push, err);
}

static enum charle_err check_request(const struct push *push, struct charle_error *err)
{
    const struct charle_push_request *request = push->request;
    if (request->call.count > CH_PUSH_CALLS_MAX)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "%zu calls in one push; %d is the most", request->call.count, CH_PUSH_CALLS_MAX);
    for (size_t i = 0; i < request->call.count; i++) {
        int64_t sequence = call_at(push, i)->sequence;
        if (sequence < 1 || (i && sequence != call_at(push, i - 1)->sequence + 1))
            return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the calls of a push must be numbered without gaps, from 1 on");
    }
    return ch_sync_check_schema(push->sync, request->schema_hash, err);
}

enum charle_err ch_push(const struct ch_sync *sync, struct charle_db *db, const struct ch_push_options *options,
                        const struct charle_push_request *request, struct charle_arena *arena, struct charle_push_reply *out,
                        struct charle_error *err)
{
    struct push push = {.sync = sync, .db = db, .options = options, .request = request, .arena = arena, .out = out};
    push.identity = (struct charle_identity){.principal = options->peer.principal, .id = options->peer.id, .device_id = request->device_id};
    *out = (struct charle_push_reply){0};
    enum charle_err rc = check_request(&push, err);
    if (rc)
        return rc;
    push.verdicts = charle_arena_array(arena, request->call.count, sizeof(*push.verdicts));
    push.hashes = charle_arena_array(arena, request->call.count, sizeof(*push.hashes));
    const struct charle_verdict **list = charle_arena_array(arena, request->call.count, sizeof(*list));
    if (!push.verdicts || !push.hashes || !list)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for %zu verdicts", request->call.count);
    rc = charle_transaction(db, NULL, run_batch, &push, err);
    if (push.has_failed) {
        push.has_savepoints = true;
        rc = charle_transaction(db, NULL, run_batch, &push, err);
    }
    for (size_t i = 0; rc == CHARLE_OK && i < push.verdict_count; i++)
        list[i] = &push.verdicts[i];
    out->verdict = (struct charle_array){.items = list, .count = push.verdict_count, .has = true};
    out->last_sequence = push.last_sequence;
    return rc;
}
