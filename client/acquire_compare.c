// The server's hashes of a range against the confirmed rows here: equal, to be divided, to be asked again, or to be fetched.
#include "client/acquire_parts.h"

#include "msg/wire.h"
#include "sync/hash.h"

enum { WAIT_US = 5000000 };

// Confirmed rows of the range here: waiting calls are taken off, and put back by rolling back.
struct sum_walk {
    struct ch_row_sum sum;
    bool is_damaged; // a row holds what the server's cannot: the ranges differ, whatever the sum
};

static enum charle_err add_row(void *ctx, struct charle_bytes row, struct charle_error *err)
{
    struct sum_walk *walk = ctx;
    (void)err;
    if (row.ptr)
        ch_row_sum_add(&walk->sum, row);
    else
        walk->is_damaged = true;
    return CHARLE_OK;
}

static enum charle_err sum_here(struct ch_client_core *core, struct ch_table *table, struct charle_str after,
                                struct charle_str until, struct sum_walk *out, struct charle_error *err)
{
    struct ch_replica *replica = core->replica;
    struct charle_str scope = ch_acquire_scope(&core->acquire);
    CHARLE_ASSERT(scope.ptr && ch_acquire_audience_at(core, core->acquire.table_at)); // the table is seen through the scope
    uint32_t ignored[CH_TABLES_MAX];
    struct ch_rebase rebase = {0};
    *out = (struct sum_walk){0};
    enum charle_err rc = ch_replica_begin(replica, CH_FETCHABLE, err);
    if (rc)
        return rc;
    rc = ch_rebase_begin(&rebase, replica, 0, true, err);
    if (!rc)
        rc = ch_table_walk(&replica->tables, table, ch_acquire_audience_at(core, core->acquire.table_at), scope, after, until, add_row, out, err);
    ch_rebase_deinit(&rebase);
    ch_replica_rollback(replica);
    (void)ch_replica_take_changed(replica, ignored);
    return rc;
}

// Does a difference seen against this head count already? Only while verifying a scope whose cursor is elsewhere it does not.
static enum charle_err is_certain(struct ch_client_core *core, const struct charle_cursor *head, bool *out, struct charle_error *err)
{
    struct ch_acquire *a = &core->acquire;
    int state;
    int64_t stamp;
    enum charle_err rc = ch_acquire_state_of(core, ch_acquire_scope(a), &state, &stamp, err);
    *out = (!a->is_verify || a->is_fill) || state != CH_SCOPE_READY || stamp == head->stamp || a->range.tries >= CH_VERIFY_TRIES;
    return rc;
}

static enum charle_err compare_bucket(struct ch_client_core *core, struct charle_str after, struct charle_str until,
                                      const struct charle_hash_bucket *bucket, bool *out_same, struct charle_error *err)
{
    struct sum_walk here;
    enum charle_err rc = sum_here(core, ch_acquire_table(core), after, until, &here, err);
    *out_same = !here.is_damaged && ch_row_sum_equals(&here.sum, bucket->rows, bucket->hash);
    return rc;
}

// Behind the last bucket the server has nothing up to the end of the range.
static enum charle_err compare_tail(struct ch_client_core *core, struct charle_str after, bool *out_same, struct charle_error *err)
{
    struct ch_acquire *a = &core->acquire;
    struct charle_str until = ch_acquire_bound(a->range.has_until, &a->range.until);
    struct sum_walk here;
    *out_same = true;
    if (after.ptr && until.ptr && charle_str_equal(after, until))
        return CHARLE_OK;
    enum charle_err rc = sum_here(core, ch_acquire_table(core), after, until, &here, err);
    *out_same = !here.is_damaged && here.sum.rows == 0;
    return rc;
}

static int64_t rows_in(const struct charle_hash_reply *reply)
{
    const struct charle_hash_bucket *const *buckets = reply->bucket.items;
    int64_t rows = 0;
    for (size_t i = 0; i < reply->bucket.count; i++)
        rows += buckets[i]->rows;
    return rows;
}

// A small range as a whole: equal, to be asked again, or to be fetched.
static enum charle_err judge_range(struct ch_client_core *core, const struct charle_hash_reply *reply, bool is_same,
                                   struct charle_error *err)
{
    struct ch_acquire *a = &core->acquire;
    bool certain = false;
    if (is_same) {
        a->report.rows += rows_in(reply);
        a->step = CH_ACQUIRE_NEXT;
        return CHARLE_OK;
    }
    enum charle_err rc = is_certain(core, reply->head, &certain, err);
    if (rc)
        return rc;
    CHARLE_ASSERT(certain || a->range.tries < CH_VERIFY_TRIES);
    if (certain) {
        a->report.rows += rows_in(reply);
        ch_acquire_start_new_fetch(core);
        return CHARLE_OK;
    }
    a->range.tries++;
    a->hashed_stamp = reply->head->stamp;
    a->wait_until = ch_core_now(core) + WAIT_US;
    a->step = CH_ACQUIRE_WAIT;
    return CHARLE_OK;
}

static enum charle_err compare(struct ch_client_core *core, const struct charle_hash_reply *reply, struct charle_error *err)
{
    struct ch_acquire *a = &core->acquire;
    const struct charle_hash_bucket *const *buckets = reply->bucket.items;
    struct charle_str after = ch_acquire_bound(a->range.has_after, &a->range.after);
    bool is_small = rows_in(reply) <= CH_VERIFY_LEAF_ROWS || ch_acquire_is_leaf(a), all_same = true, same, is_to_end = false;
    size_t range_count = a->range_count, same_count = 0;
    int64_t same_rows = 0;
    for (size_t i = 0; i < reply->bucket.count; i++) {
        // A last bucket without a key goes to the end of the range.
        is_to_end = buckets[i]->until_key.len == 0;
        struct charle_str until = is_to_end ? ch_acquire_bound(a->range.has_until, &a->range.until) : buckets[i]->until_key;
        enum charle_err rc = compare_bucket(core, after, until, buckets[i], &same, err);
        // What cannot be divided any more is as small as it gets.
        int64_t rows = reply->bucket.count == 1 ? 0 : buckets[i]->rows;
        if (!rc && !same && !is_small)
            rc = ch_acquire_push_range(a, after, until, rows, err);
        if (rc)
            return rc;
        all_same = all_same && same;
        same_count += same;
        same_rows += same ? buckets[i]->rows : 0;
        after = until;
    }
    same = true;
    enum charle_err rc = is_to_end ? CHARLE_OK : compare_tail(core, after, &same, err);
    if (!rc && !same && !is_small)
        rc = ch_acquire_push_range(a, after, ch_acquire_bound(a->range.has_until, &a->range.until), 0, err);
    if (rc)
        return rc;
    CHARLE_ASSERT(same_count <= reply->bucket.count && a->range_count >= range_count);
    if (is_small)
        return judge_range(core, reply, all_same && same, err);
    a->report.rows += same_rows; // the others are counted as ranges of their own
    if (a->is_fill && !same_count) { // a new column that has a value everywhere: no use in dividing
        while (a->range_count > range_count)
            ch_acquire_range_deinit(&a->ranges[--a->range_count]);
        ch_acquire_start_new_fetch(core);
        return CHARLE_OK;
    }
    a->step = CH_ACQUIRE_NEXT;
    return CHARLE_OK;
}

enum charle_err ch_acquire_take_hash(struct ch_client_core *core, struct charle_error *err)
{
    struct ch_acquire *a = &core->acquire;
    struct charle_hash_reply reply;
    CHARLE_ASSERT(!a->call && a->step == CH_ACQUIRE_HASH);
    enum charle_err rc = charle_message_read(&charle_hash_reply_message, charle_buf_bytes(&a->reply), &core->arena, &reply, err);
    if (rc)
        return charle_error_prefix(err, rc, "the server's hashes cannot be read");
    ch_acquire_note_head(a, reply.head);
    return compare(core, &reply, err);
}
