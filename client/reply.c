#include "client/reply.h"

#include "base/limits.h"

enum charle_err ch_reply_expect(struct ch_replica *replica, int64_t ticket, struct charle_error *err)
{
    return ch_lite_run(&replica->sql, CH_LITE_REPLY_EXPECT, err, "i", ticket);
}

static enum charle_err take_one(struct ch_replica *replica, const struct charle_verdict *verdict, struct charle_error *err)
{
    if (verdict->kind == CHARLE_PARKED)
        return CHARLE_OK; // it will be tried again
    if (verdict->kind == CHARLE_REJECTED || !verdict->reply.has)
        return ch_lite_run(&replica->sql, CH_LITE_REPLY_FORGET, err, "i", verdict->sequence);
    // An empty message has no bytes, which is not the same as no reply.
    struct charle_bytes reply = verdict->reply.value.ptr ? verdict->reply.value : charle_bytes("", 0);
    return ch_lite_run(&replica->sql, CH_LITE_REPLY_TAKE, err, "ib", verdict->sequence, reply);
}

enum charle_err ch_reply_take(struct ch_replica *replica, const struct charle_verdict *const *verdicts, size_t count,
                              struct charle_error *err)
{
    int64_t expected = 0;
    enum charle_err rc = ch_lite_number(&replica->sql, CH_LITE_REPLY_EXPECTED, 0, &expected, err, "");
    if (rc || !expected)
        return rc;
    for (size_t i = 0; !rc && i < count; i++)
        rc = take_one(replica, verdicts[i], err);
    return rc ? rc : ch_lite_run(&replica->sql, CH_LITE_REPLY_TRIM, err, "i", (int64_t)CH_REPLIES_KEPT_MAX);
}

enum charle_err ch_reply_recall(struct ch_replica *replica, int64_t after, struct charle_error *err)
{
    return ch_lite_run(&replica->sql, CH_LITE_REPLY_RECALL, err, "i", after);
}

enum charle_err ch_reply_read(struct ch_lite *sql, int64_t ticket, struct charle_buf *out, struct charle_error *err)
{
    sqlite3_stmt *row;
    enum charle_err rc = ch_lite_one(sql, CH_LITE_REPLY_GET, &row, err, "i", ticket);
    if (rc)
        return rc;
    struct charle_bytes bytes = ch_lite_bytes(row, 0);
    charle_buf_add(out, bytes.ptr, bytes.len);
    ch_lite_end(row);
    return out->failed ? charle_fail(err, out->failed, "no memory for a reply") : CHARLE_OK;
}
