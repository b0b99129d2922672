// Verdicts as they are stored in charle.verdict. When the replica says that it has them what is large goes; numbers, hashes and seeds stay for a
// long while, by which a copy of the replica is told from the original and its calls are found (push_copies.c).
//
// A row for each call would cost as much as a small edit itself, so calls that were simply applied and whose replies nobody wants, nearly all, are
// a row together: the numbers from `first` to `sequence`, with the chain hash and the seed of each.
#include "server/sync/push_parts.h"

#include "base/plant.h"

enum charle_err ch_push_forget(struct ch_push *push, struct charle_error *err)
{
    int64_t upto = push->request->acknowledged.has ? push->request->acknowledged.value : 0;
    if (upto > push->last_sequence)
        upto = push->last_sequence;
    const struct charle_value params[] = {charle_text(push->request->device_id), charle_int8(upto), charle_int8(push->acknowledged)};
    if (CH_PLANTED(VERDICT_FORGOTTEN))
        return charle_exec(push->db, "delete from charle.verdict where device_id = $1", params, 1, NULL, err);
    CHARLE_ASSERT(upto <= push->last_sequence || upto <= 0);
    if (upto <= push->acknowledged)
        return CHARLE_OK;
    push->acknowledged = upto;
    return charle_exec(push->db,
                       "update charle.verdict set reply = null, row = null where device_id = $1 and sequence > $3 and sequence <= $2 "
                       "and (reply is not null or row is not null)",
                       params, 3, NULL, err);
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
    if (rc == CHARLE_OK && hash != ch_push_call(push, index)->hash && !CH_PLANTED(CHAIN_UNCHECKED))
        rc = ch_push_refuse_copy(ch_push_call(push, index), err);
    return rc;
}

// One of which no verdict is stored any more. The replica has said long ago that it has the verdict, so it does not ask: this is an old copy of its
// file, and whether this is the call that had the number nobody knows. Only the newest number's hash is at hand without a verdict.
static enum charle_err take_forgotten(struct ch_push *push, size_t index, struct charle_error *err)
{
    const struct charle_call *call = ch_push_call(push, index);
    CHARLE_ASSERT(index < push->first_new);
    bool is_same = call->sequence == push->last_sequence && call->hash == push->last_hash;
    bool is_blind = CH_PLANTED(CHAIN_UNCHECKED) || CH_PLANTED(NUMBERS_WITHOUT_DEVICE) || CH_PLANTED(VERDICT_FORGOTTEN);
    if (!is_same && !is_blind)
        return ch_push_refuse_copy(call, err);
    push->verdicts[index] = (struct charle_verdict){.sequence = call->sequence, .kind = CHARLE_APPLIED};
    return CHARLE_OK;
}

enum charle_err ch_push_repeat(struct ch_push *push, struct charle_error *err)
{
    if (!push->first_new)
        return CHARLE_OK;
    const struct charle_call *last = ch_push_call(push, push->first_new - 1);
    const struct charle_value params[] = {charle_text(push->request->device_id), charle_int8(ch_push_call(push, 0)->sequence),
                                          charle_int8(last->sequence)};
    struct charle_rows *rows = NULL;
    for (size_t i = 0; i < push->first_new; i++)
        push->verdicts[i] = (struct charle_verdict){.sequence = ch_push_call(push, i)->sequence};
    enum charle_err rc = charle_query(push->db,
                                      "select kind, code, text, reply, tab, key, row, coalesce(h.hash, v.hash), coalesce(v.first + h.n - 1, v.sequence) "
                                      "from charle.verdict v left join lateral unnest(v.hashes) with ordinality h (hash, n) on true "
                                      "where device_id = $1 and sequence >= $2 and coalesce(first, sequence) <= $3",
                                      params, 3, &rows, err);
    while (rc == CHARLE_OK && (rc = charle_rows_next(rows, err)) == CHARLE_OK)
        rc = take_stored(push, rows, err);
    charle_rows_close(rows);
    rc = rc == CHARLE_DONE ? CHARLE_OK : rc;
    for (size_t i = 0; rc == CHARLE_OK && i < push->first_new; i++) {
        if (!push->verdicts[i].kind)
            rc = take_forgotten(push, i, err);
        CHARLE_ASSERT(rc || push->verdicts[i].kind); // whoever asks again is answered
    }
    return rc;
}

enum { BARE_RUN_MIN = 2 };

// --- writing ------------------------------------------------------------------------------------------------------------

static enum charle_err store_judged(struct ch_push *push, const struct charle_verdict *verdict, const struct charle_call *call,
                                    struct charle_error *err)
{
    const struct charle_value params[] = {
        charle_text(push->request->device_id),
        charle_int8(verdict->sequence),
        charle_int8((int64_t)call->hash),
        charle_int8((int64_t)call->seed),
        charle_int4(verdict->kind),
        verdict->code.has ? charle_int4(verdict->code.value) : charle_null(CHARLE_TYPE_INT4),
        verdict->text.has ? charle_text(verdict->text.value) : charle_null(CHARLE_TYPE_TEXT),
        verdict->reply.has ? charle_blob(verdict->reply.value) : charle_null(CHARLE_TYPE_BYTES),
        verdict->table.has ? charle_int4((int32_t)verdict->table.value) : charle_null(CHARLE_TYPE_INT4),
        verdict->key.has ? charle_text(verdict->key.value) : charle_null(CHARLE_TYPE_TEXT),
        verdict->row.has ? charle_blob(verdict->row.value) : charle_null(CHARLE_TYPE_BYTES)};
    return charle_exec(push->db,
                       "insert into charle.verdict (device_id, sequence, hash, seed, kind, code, text, reply, tab, key, row) "
                       "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                       params, 11, NULL, err);
}

// A verdict that says no more than that the call was applied.
static bool is_bare(const struct charle_verdict *verdict)
{
    return verdict->kind == CHARLE_APPLIED && !verdict->reply.has;
}

static size_t count_bare(const struct ch_push *push, size_t first)
{
    size_t end = first;
    while (end < push->request->call.count && is_bare(&push->verdicts[end]))
        end++;
    CHARLE_ASSERT(end >= first);
    return end - first;
}

static enum charle_err no_room(const struct ch_push *push, struct charle_error *err)
{
    return charle_fail(err, CHARLE_NO_MEMORY, "no memory for %zu verdicts", push->request->call.count);
}

static enum charle_err store_bare(struct ch_push *push, size_t first, size_t count, struct charle_error *err)
{
    int64_t *hashes = charle_arena_array(push->arena, count, sizeof(*hashes)), *seeds = charle_arena_array(push->arena, count, sizeof(*seeds));
    if (!hashes || !seeds)
        return no_room(push, err);
    CHARLE_ASSERT(count > 0 && first >= push->first_new); // those before have theirs
    for (size_t i = 0; i < count; i++) {
        hashes[i] = (int64_t)ch_push_call(push, first + i)->hash;
        seeds[i] = (int64_t)ch_push_call(push, first + i)->seed;
    }
    const struct charle_value params[] = {
        charle_text(push->request->device_id), charle_int8(ch_push_call(push, first)->sequence),
        charle_int8(ch_push_call(push, first + count - 1)->sequence), ch_push_array(CHARLE_TYPE_INT8, hashes, count), charle_int4(CHARLE_APPLIED),
        ch_push_array(CHARLE_TYPE_INT8, seeds, count)};
    return charle_exec(push->db,
                       "insert into charle.verdict (device_id, first, sequence, hash, hashes, kind, seeds) "
                       "values ($1, $2, $3, ($4::bigint[])[cardinality($4::bigint[])], $4, $5, $6)",
                       params, 6, NULL, err);
}

// Those that were applied and have replies, or stand alone, gathered for one statement.
struct applied {
    int64_t *sequences, *hashes, *seeds;
    struct charle_bytes *replies;
    size_t count;
};

static enum charle_err store_applied(struct ch_push *push, const struct applied *applied, struct charle_error *err)
{
    size_t count = applied->count;
    if (!count)
        return CHARLE_OK;
    const struct charle_value params[] = {charle_text(push->request->device_id), ch_push_array(CHARLE_TYPE_INT8, applied->sequences, count),
                                          ch_push_array(CHARLE_TYPE_INT8, applied->hashes, count),
                                          ch_push_array(CHARLE_TYPE_BYTES, applied->replies, count), charle_int4(CHARLE_APPLIED),
                                          ch_push_array(CHARLE_TYPE_INT8, applied->seeds, count)};
    return charle_exec(push->db,
                       "insert into charle.verdict (device_id, sequence, hash, kind, reply, seed) "
                       "select $1, u.sequence, u.hash, $5, u.reply, u.seed "
                       "from unnest($2::bigint[], $3::bigint[], $4::bytea[], $6::bigint[]) as u(sequence, hash, reply, seed)",
                       params, 6, NULL, err);
}

// The verdicts of this batch's own calls.
enum charle_err ch_push_store(struct ch_push *push, struct charle_error *err)
{
    size_t count = push->request->call.count;
    struct applied applied = {charle_arena_array(push->arena, count, sizeof(int64_t)), charle_arena_array(push->arena, count, sizeof(int64_t)),
                              charle_arena_array(push->arena, count, sizeof(int64_t)),
                              charle_arena_array(push->arena, count, sizeof(struct charle_bytes)), 0};
    enum charle_err rc = CHARLE_OK;
    if (CH_PLANTED(VERDICT_NOT_STORED))
        return CHARLE_OK;
    if (!applied.sequences || !applied.hashes || !applied.seeds || !applied.replies)
        return no_room(push, err);
    for (size_t i = push->first_new, taken; rc == CHARLE_OK && i < count; i += taken) {
        const struct charle_verdict *verdict = &push->verdicts[i];
        CHARLE_ASSERT(verdict->kind && verdict->sequence == ch_push_call(push, i)->sequence);
        taken = count_bare(push, i);
        if (taken >= BARE_RUN_MIN) {
            rc = store_bare(push, i, taken, err);
            continue;
        }
        taken = 1;
        if (verdict->kind != CHARLE_APPLIED || !verdict->reply.has) {
            rc = store_judged(push, verdict, ch_push_call(push, i), err);
            continue;
        }
        applied.sequences[applied.count] = verdict->sequence;
        applied.hashes[applied.count] = (int64_t)ch_push_call(push, i)->hash;
        applied.seeds[applied.count] = (int64_t)ch_push_call(push, i)->seed;
        applied.replies[applied.count++] = verdict->reply.value;
        CHARLE_ASSERT(applied.count <= count);
    }
    return rc ? rc : store_applied(push, &applied, err);
}
