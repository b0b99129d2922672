// Hashes of key ranges: how a replica finds out where it differs, without sending rows.
//
// The range is cut into buckets of equal numbers of rows. A bucket is what lies behind the one before it, up to and including its until_key;
// the last bucket's until_key is the request's, or empty when that has none, so that rows behind the server's last one are seen too.
#include "server/sync/rows.h"
#include "sync/hash.h"

enum { BUCKETS_MAX = 4096 };

struct hashing {
    const struct ch_rows_range *range;
    struct charle_arena *arena;
    struct charle_hash_bucket *buckets;
    size_t bucket_count, bucket_max;
    int64_t rows_a_bucket;
    struct ch_row_sum sum;
    struct charle_buf last_row;
};

static enum charle_err close_bucket(struct hashing *hashing, struct charle_str until, struct charle_error *err)
{
    uint8_t hash[CH_ROW_HASH_SIZE];
    struct charle_hash_bucket *bucket = &hashing->buckets[hashing->bucket_count++];
    ch_row_sum_write(&hashing->sum, hash);
    bucket->until_key = charle_arena_str(hashing->arena, until);
    bucket->rows = hashing->sum.rows;
    bucket->hash = charle_arena_bytes(hashing->arena, charle_bytes(hash, sizeof(hash)));
    hashing->sum = (struct ch_row_sum){0};
    return bucket->until_key.ptr && bucket->hash.ptr ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for the hashes of a range");
}

static enum charle_err add_row(void *ctx, struct charle_bytes row, struct charle_error *err)
{
    struct hashing *hashing = ctx;
    ch_row_sum_add(&hashing->sum, row);
    if (hashing->sum.rows < hashing->rows_a_bucket || hashing->bucket_count + 1 == hashing->bucket_max)
        return CHARLE_OK;
    charle_buf_reset(&hashing->last_row);
    enum charle_err rc = ch_view_key_of_row(hashing->range->views, row, &hashing->last_row, err);
    return rc ? rc : close_bucket(hashing, charle_buf_str(&hashing->last_row), err);
}

struct counting {
    int64_t rows;
};

static enum charle_err count_row(void *ctx, struct charle_bytes row, struct charle_error *err)
{
    (void)row;
    (void)err;
    ((struct counting *)ctx)->rows++;
    return CHARLE_OK;
}

static enum charle_err read_hashes(struct hashing *hashing, struct charle_db *db, struct charle_hash_reply *out, struct charle_error *err)
{
    struct ch_head *head;
    struct counting counting = {0};
    struct charle_cursor *cursor = CHARLE_ARENA_NEW(hashing->arena, struct charle_cursor);
    enum charle_err rc = ch_heads_read(db, &hashing->range->scope, 1, hashing->arena, &head, err);
    if (rc == CHARLE_OK && !cursor)
        rc = charle_fail(err, CHARLE_NO_MEMORY, "no memory for a cursor");
    if (rc)
        return rc;
    *cursor = (struct charle_cursor){head->scope, head->stamp, head->lineage};
    out->head = cursor;
    // One bucket needs no counting.
    if (hashing->bucket_max > 1)
        rc = ch_rows_read(db, hashing->range, count_row, &counting, err);
    hashing->rows_a_bucket = counting.rows / (int64_t)hashing->bucket_max + 1;
    if (hashing->bucket_max == 1)
        hashing->rows_a_bucket = INT64_MAX;
    return rc ? rc : ch_rows_read(db, hashing->range, add_row, hashing, err);
}

enum charle_err ch_hash(const struct ch_sync *sync, struct charle_db *db, const struct ch_sync_peer *peer,
                        const struct charle_hash_request *request, struct charle_arena *arena, struct charle_hash_reply *out,
                        struct charle_error *err)
{
    const struct charle_begin_options snapshot = {.isolation = CHARLE_REPEATABLE_READ, .is_read_only = true};
    struct ch_rows_range range;
    enum charle_err rc = ch_sync_check_schema(sync, request->schema_hash, err);
    if (rc == CHARLE_OK && (request->buckets < 1 || request->buckets > BUCKETS_MAX))
        rc = charle_fail(err, CHARLE_INVALID_ARGUMENT, "buckets must be 1 to %d", BUCKETS_MAX);
    if (rc == CHARLE_OK)
        rc = charle_begin(db, &snapshot, err);
    if (rc)
        return rc;
    rc = ch_rows_check(sync, db, peer, request->scope, request->table, &range, err);
    if (rc == CHARLE_OK)
        rc = ch_standby_check_read(peer, db, request->may_lag.has && request->may_lag.value, &request->at_least, arena, err);
    range.limit = INT64_MAX;
    if (request->after_key.has)
        range.after = request->after_key.value;
    if (request->until_key.has)
        range.until = request->until_key.value;
    struct hashing hashing = {.range = &range, .arena = arena, .bucket_max = request->buckets};
    hashing.buckets = charle_arena_array(arena, request->buckets, sizeof(*hashing.buckets));
    const struct charle_hash_bucket **list = charle_arena_array(arena, request->buckets, sizeof(*list));
    if (rc == CHARLE_OK && (!hashing.buckets || !list))
        rc = charle_fail(err, CHARLE_NO_MEMORY, "no memory for %u buckets", request->buckets);
    if (rc == CHARLE_OK)
        rc = read_hashes(&hashing, db, out, err);
    if (rc == CHARLE_OK)
        rc = close_bucket(&hashing, request->until_key.has ? request->until_key.value : charle_str(""), err);
    if (rc == CHARLE_OK)
        rc = charle_arena_check(arena, "the hashes", err);
    for (size_t i = 0; rc == CHARLE_OK && i < hashing.bucket_count; i++)
        list[i] = &hashing.buckets[i];
    out->bucket = (struct charle_array){.items = list, .count = hashing.bucket_count, .has = true};
    charle_buf_deinit(&hashing.last_row);
    struct charle_error ignored;
    enum charle_err end = charle_rollback(db, &ignored);
    return rc ? rc : end ? charle_fail(err, end, "%s", ignored.text) : CHARLE_OK;
}
