// Verdicts as they are stored: one row a call in charle.verdict, until the replica says that it has them.
#include "server/sync/push_parts.h"

enum charle_err ch_push_forget(struct ch_push *push, struct charle_error *err)
{
    const struct charle_value params[] = {charle_text(push->request->device_id), charle_int8(push->request->acknowledged.value)};
    if (!push->request->acknowledged.has || push->request->acknowledged.value <= 0)
        return CHARLE_OK;
    return charle_exec(push->db, "delete from charle.verdict where device_id = $1 and sequence <= $2", params, 2, NULL, err);
}

// --- reading ------------------------------------------------------------------------------------------------------------

// The columns of a stored verdict, in the order of the statement.
enum { KIND, CODE, TEXT, REPLY, TABLE, KEY, ROW, HASH, SEQUENCE };

// Text and bytes are copied into the arena; a NULL leaves *out_has false.
static enum charle_err take_text(struct ch_push *push, struct charle_rows *rows, size_t column, struct charle_opt_text *out,
                                 struct charle_error *err)
{
    struct charle_value value;
    enum charle_err rc = charle_rows_value(rows, column, CHARLE_TYPE_TEXT, false, &value, err);
    if (rc || value.is_null)
        return rc;
    *out = (struct charle_opt_text){charle_arena_str(push->arena, value.text), true};
    return out->value.ptr ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a verdict");
}

static enum charle_err take_bytes(struct ch_push *push, struct charle_rows *rows, size_t column, struct charle_opt_bytes *out,
                                  struct charle_error *err)
{
    struct charle_value value;
    enum charle_err rc = charle_rows_value(rows, column, CHARLE_TYPE_BYTES, false, &value, err);
    if (rc || value.is_null)
        return rc;
    *out = (struct charle_opt_bytes){charle_arena_bytes(push->arena, value.bytes), true};
    return out->value.ptr ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a verdict");
}

static enum charle_err read_verdict(struct ch_push *push, struct charle_rows *rows, struct charle_verdict *out, uint64_t *out_hash,
                                    struct charle_error *err)
{
    struct charle_value kind, code, table, hash;
    enum charle_err rc = charle_rows_value(rows, KIND, CHARLE_TYPE_INT4, false, &kind, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, CODE, CHARLE_TYPE_INT4, false, &code, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, TABLE, CHARLE_TYPE_INT4, false, &table, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, HASH, CHARLE_TYPE_INT8, false, &hash, err);
    if (rc == CHARLE_OK)
        rc = take_text(push, rows, TEXT, &out->text, err);
    if (rc == CHARLE_OK)
        rc = take_bytes(push, rows, REPLY, &out->reply, err);
    if (rc == CHARLE_OK)
        rc = take_text(push, rows, KEY, &out->key, err);
    if (rc == CHARLE_OK)
        rc = take_bytes(push, rows, ROW, &out->row, err);
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

enum charle_err ch_push_refuse_copy(const struct charle_call *call, struct charle_error *err)
{
    return charle_fail(err, CHARLE_CONFLICT,
                       "call %lld is not the one this server has under that number: the replica was copied, and must go on as a new device",
                       (long long)call->sequence);
}

// One stored verdict, of one of the calls that came again.
static enum charle_err take_stored(struct ch_push *push, struct charle_rows *rows, struct charle_error *err)
{
    struct charle_value sequence;
    enum charle_err rc = charle_rows_value(rows, SEQUENCE, CHARLE_TYPE_INT8, false, &sequence, err);
    if (rc)
        return rc;
    size_t index = (size_t)(sequence.int8 - ch_push_call(push, 0)->sequence);
    uint64_t hash = 0;
    if (index >= push->first_new)
        return CHARLE_OK;
    rc = read_verdict(push, rows, &push->verdicts[index], &hash, err);
    if (rc == CHARLE_OK && hash != ch_push_call(push, index)->hash)
        rc = ch_push_refuse_copy(ch_push_call(push, index), err);
    return rc;
}

enum charle_err ch_push_repeat(struct ch_push *push, struct charle_error *err)
{
    if (!push->first_new)
        return CHARLE_OK;
    const struct charle_call *last = ch_push_call(push, push->first_new - 1);
    const struct charle_value params[] = {charle_text(push->request->device_id), charle_int8(ch_push_call(push, 0)->sequence),
                                          charle_int8(last->sequence)};
    struct charle_rows *rows = NULL;
    // Where none is stored the replica had said that it has the verdict. The call took effect or not long ago; that is all there is to know.
    for (size_t i = 0; i < push->first_new; i++)
        push->verdicts[i] = (struct charle_verdict){.sequence = ch_push_call(push, i)->sequence, .kind = CHARLE_APPLIED};
    enum charle_err rc = charle_query(push->db,
                                      "select kind, code, text, reply, tab, key, row, hash, sequence from charle.verdict "
                                      "where device_id = $1 and sequence between $2 and $3",
                                      params, 3, &rows, err);
    while (rc == CHARLE_OK && (rc = charle_rows_next(rows, err)) == CHARLE_OK)
        rc = take_stored(push, rows, err);
    charle_rows_close(rows);
    if (rc == CHARLE_DONE)
        rc = last->sequence == push->last_sequence && last->hash != push->last_hash ? ch_push_refuse_copy(last, err) : CHARLE_OK;
    return rc;
}

// --- writing ------------------------------------------------------------------------------------------------------------

static enum charle_err store_judged(struct ch_push *push, const struct charle_verdict *verdict, uint64_t hash, struct charle_error *err)
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

// The verdicts of this batch's own calls. Those that were simply applied, nearly all, go in one statement.
enum charle_err ch_push_store(struct ch_push *push, struct charle_error *err)
{
    size_t count = push->request->call.count;
    int64_t *sequences = charle_arena_array(push->arena, count, sizeof(*sequences));
    int64_t *hashes = charle_arena_array(push->arena, count, sizeof(*hashes));
    struct charle_bytes *replies = charle_arena_array(push->arena, count, sizeof(*replies));
    size_t applied = 0;
    enum charle_err rc = CHARLE_OK;
    if (!sequences || !hashes || !replies)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for %zu verdicts", count);
    for (size_t i = push->first_new; rc == CHARLE_OK && i < count; i++) {
        const struct charle_verdict *verdict = &push->verdicts[i];
        uint64_t hash = ch_push_call(push, i)->hash;
        if (verdict->kind != CHARLE_APPLIED) {
            rc = store_judged(push, verdict, hash, err);
            continue;
        }
        sequences[applied] = verdict->sequence;
        hashes[applied] = (int64_t)hash;
        replies[applied++] = verdict->reply.value;
    }
    if (rc || !applied)
        return rc;
    const struct charle_value params[] = {charle_text(push->request->device_id), ch_push_array(CHARLE_TYPE_INT8, sequences, applied),
                                          ch_push_array(CHARLE_TYPE_INT8, hashes, applied), ch_push_array(CHARLE_TYPE_BYTES, replies, applied),
                                          charle_int4(CHARLE_APPLIED)};
    return charle_exec(push->db,
                       "insert into charle.verdict (device_id, sequence, hash, kind, reply) "
                       "select $1, u.sequence, u.hash, $5, u.reply from unnest($2::bigint[], $3::bigint[], $4::bytea[]) as u(sequence, hash, reply)",
                       params, 5, NULL, err);
}

