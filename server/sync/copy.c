// First copy: one table of one scope, in key order, from PostgreSQL's binary COPY straight to row bytes.
//
// The range is read in chunks, each a short snapshot of its own, so that no snapshot is held for the length of a large copy. Every chunk begins
// with the head of its snapshot. The replica takes the delta since the first, which covers whatever changed while it copied; by the last
// it sees that the database did not go back meanwhile.
#include "msg/wire.h"
#include "server/sync/rows.h"

#include <zstd.h>

enum {
    ROWS_A_CHUNK = 200000,
    PAGE_SIZE = 128 << 10, // several fit the stream's credit, so that reading, sending and inserting overlap
    COPY_ROW = 1,          // fields of CopyPage
    COPY_HEAD = 2,
    COPY_LAST_KEY = 3,
    COPY_IS_LAST = 4,
    COPY_ROWS_TOTAL = 5,
    COPY_ROWS_ZSTD = 6,
    VOIDS_MAX = 3,         // chunks that are read again because a table was emptied meanwhile; then the replica asks again
    ZSTD_LEVEL = 1,        // 300 MB/s and a third of the bytes; higher ones gain a tenth and cost as much again
};

struct copy {
    const struct ch_sync *sync;
    struct charle_db *db;
    const struct ch_sync_peer *peer;
    const struct charle_copy_request *request;
    struct ch_rows_range range;
    ch_sync_send send;
    void *ctx;
    struct charle_buf page;
    bool is_packed;             // rows are collected, each behind its length, and go into the page compressed
    struct charle_buf rows;
    struct charle_buf last_row; // read in this chunk; empty: none
    struct charle_buf last_key; // where the next chunk begins; empty: at the start
    int64_t rows_in_chunk;
    bool has_estimate;
    bool is_void; // a table was emptied behind the chunk's snapshot
};

static enum charle_err add_head(struct copy *copy, struct charle_error *err)
{
    struct ch_head *head;
    struct charle_buf cursor = {0};
    struct charle_arena arena = {0};
    enum charle_err rc = ch_heads_read(copy->db, &copy->range.scope, 1, &arena, &head, err);
    if (rc == CHARLE_OK) {
        const struct charle_cursor value = {.scope = head->scope, .stamp = head->stamp, .lineage = head->lineage};
        charle_message_write(&charle_cursor_message, &value, &cursor);
        charle_wire_write_buf(&copy->page, COPY_HEAD, &cursor);
    }
    if (rc == CHARLE_OK)
        rc = charle_arena_check(&arena, "the head of a scope", err);
    charle_buf_deinit(&cursor);
    charle_arena_deinit(&arena);
    return rc;
}

// PostgreSQL's own estimate is at hand for whole tables; for a part of one only counting would tell.
static enum charle_err add_estimate(struct copy *copy, struct charle_error *err)
{
    int64_t estimate = 0;
    if (!copy->range.view || copy->range.view->has_key)
        return CHARLE_OK;
    const struct charle_value param = charle_text(copy->range.view->table->name);
    enum charle_err rc = charle_query_number(
        copy->db, "select greatest(reltuples, 0)::bigint from pg_class where oid = to_regclass(quote_ident($1))", &param, 1, &estimate, err);
    if (rc == CHARLE_OK && estimate > 0) {
        charle_wire_write_tag(&copy->page, COPY_ROWS_TOTAL, 0);
        charle_wire_write_varint(&copy->page, (uint64_t)estimate);
    }
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

static enum charle_err keep_last_key(struct copy *copy, struct charle_error *err)
{
    if (!copy->last_row.size && !copy->last_row.failed)
        return CHARLE_OK;
    charle_buf_reset(&copy->last_key);
    enum charle_err rc = copy->last_row.failed;
    if (rc == CHARLE_OK)
        rc = ch_view_key_of_row(copy->range.views, charle_buf_bytes(&copy->last_row), &copy->last_key, err);
    if (rc == CHARLE_OK)
        rc = copy->last_key.failed;
    if (rc == CHARLE_NO_MEMORY || rc == CHARLE_TOO_LARGE)
        rc = charle_fail(err, rc, "no memory for the key of the last row of a page");
    copy->range.after = charle_buf_str(&copy->last_key);
    return rc;
}

static enum charle_err pack_rows(struct copy *copy, struct charle_error *err)
{
    struct charle_buf packed = {0};
    if (!copy->rows.size)
        return CHARLE_OK;
    if (copy->rows.failed)
        return charle_fail(err, copy->rows.failed, "a page does not fit in memory");
    uint8_t *room = charle_buf_reserve(&packed, ZSTD_compressBound(copy->rows.size));
    size_t size = room ? ZSTD_compress(room, ZSTD_compressBound(copy->rows.size), copy->rows.data, copy->rows.size, ZSTD_LEVEL) : 0;
    enum charle_err rc = room && !ZSTD_isError(size) ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory to pack a page");
    if (rc == CHARLE_OK)
        charle_wire_write_bytes(&copy->page, COPY_ROWS_ZSTD, room, size);
    charle_buf_deinit(&packed);
    charle_buf_reset(&copy->rows);
    return rc;
}

static enum charle_err send_page(struct copy *copy, bool is_last, struct charle_error *err)
{
    enum charle_err rc = keep_last_key(copy, err);
    if (rc == CHARLE_OK)
        rc = pack_rows(copy, err);
    if (rc)
        return rc;
    if (copy->last_key.size)
        charle_wire_write_buf(&copy->page, COPY_LAST_KEY, &copy->last_key);
    if (is_last) {
        charle_wire_write_tag(&copy->page, COPY_IS_LAST, 0);
        charle_wire_write_varint(&copy->page, 1);
    }
    if (copy->page.failed)
        return charle_fail(err, copy->page.failed, "a page does not fit in memory");
    rc = copy->send(copy->ctx, charle_buf_bytes(&copy->page), err);
    charle_buf_reset(&copy->page);
    return rc;
}

static enum charle_err add_row(void *ctx, struct charle_bytes row, struct charle_error *err)
{
    struct copy *copy = ctx;
    if (copy->is_packed) {
        charle_wire_write_varint(&copy->rows, row.len);
        charle_buf_add(&copy->rows, row.ptr, row.len);
    } else {
        charle_wire_write_bytes(&copy->page, COPY_ROW, row.ptr, row.len);
    }
    copy->rows_in_chunk++;
    bool is_full = copy->page.size + copy->rows.size >= PAGE_SIZE;
    if (is_full || copy->rows_in_chunk == copy->range.limit) {
        charle_buf_reset(&copy->last_row);
        charle_buf_add(&copy->last_row, row.ptr, row.len);
    }
    return is_full ? send_page(copy, false, err) : CHARLE_OK;
}

// A standby's past may show more than is granted by now, so there what is granted is read in the snapshot of each chunk.
static enum charle_err check_standby(const struct copy *copy, struct charle_error *err)
{
    const struct charle_copy_request *request = copy->request;
    struct charle_arena arena = {0};
    struct ch_rows_range ignored;
    if (!copy->peer->standby)
        return CHARLE_OK;
    enum charle_err rc = ch_standby_check_read(copy->peer, copy->db, request->may_lag.has && request->may_lag.value, &request->at_least, &arena, err);
    if (rc == CHARLE_OK)
        rc = ch_rows_check(copy->sync, copy->db, copy->peer, request->scope, request->table, &ignored, err);
    charle_arena_deinit(&arena);
    return rc;
}

// That nothing more is in the range is said of one moment, which a table that was emptied by TRUNCATE is not of. Pages that were sent stay true: a table
// that was read from cannot be emptied before the transaction's end.
static enum charle_err check_whole(struct copy *copy, struct charle_error *err)
{
    if (copy->rows_in_chunk == copy->range.limit)
        return CHARLE_OK;
    enum charle_err rc = ch_sync_check_not_emptied(copy->db, err);
    copy->is_void = rc == CHARLE_ABORTED;
    if (copy->is_void) {
        charle_buf_reset(&copy->page);
        charle_buf_reset(&copy->rows);
        charle_buf_reset(&copy->last_row);
    }
    return rc;
}

static enum charle_err copy_chunk(struct copy *copy, struct charle_error *err)
{
    const struct charle_begin_options snapshot = {.isolation = CHARLE_REPEATABLE_READ, .is_read_only = true};
    enum charle_err rc = charle_begin(copy->db, &snapshot, err);
    if (rc)
        return rc;
    rc = check_standby(copy, err);
    if (rc == CHARLE_OK && copy->page.size + copy->rows.size) // a page has one head
        rc = send_page(copy, false, err);
    if (rc == CHARLE_OK)
        rc = add_head(copy, err);
    if (rc == CHARLE_OK && !copy->has_estimate)
        rc = add_estimate(copy, err);
    copy->has_estimate = true;
    copy->rows_in_chunk = 0;
    copy->is_void = false;
    if (rc == CHARLE_OK)
        rc = ch_rows_read(copy->db, &copy->range, add_row, copy, err);
    if (rc == CHARLE_OK)
        rc = check_whole(copy, err);
    if (rc == CHARLE_OK)
        rc = keep_last_key(copy, err);
    struct charle_error ignored;
    enum charle_err end = charle_rollback(copy->db, &ignored);
    return rc ? rc : end ? charle_fail(err, end, "%s", ignored.text) : CHARLE_OK;
}

enum charle_err ch_copy(const struct ch_sync *sync, struct charle_db *db, const struct ch_sync_peer *peer,
                        const struct charle_copy_request *request, ch_sync_send send, void *ctx, struct charle_error *err)
{
    struct copy copy = {.sync = sync, .db = db, .peer = peer, .request = request, .send = send, .ctx = ctx};
    enum charle_err rc = ch_sync_check_schema(sync, request->schema_hash, err);
    if (rc == CHARLE_OK)
        rc = ch_rows_check(sync, db, peer, request->scope, request->table, &copy.range, err);
    if (rc)
        return rc;
    copy.range.limit = ROWS_A_CHUNK;
    copy.is_packed = request->wants_zstd.has && request->wants_zstd.value;
    if (request->after_key.has)
        copy.range.after = request->after_key.value;
    if (request->until_key.has)
        copy.range.until = request->until_key.value;
    bool goes_on;
    int voids = 0;
    do {
        rc = copy_chunk(&copy, err);
        goes_on = rc == CHARLE_OK ? copy.rows_in_chunk == copy.range.limit : copy.is_void && ++voids < VOIDS_MAX;
    } while (goes_on);
    if (rc == CHARLE_OK)
        rc = send_page(&copy, true, err);
    charle_buf_deinit(&copy.page);
    charle_buf_deinit(&copy.rows);
    charle_buf_deinit(&copy.last_row);
    charle_buf_deinit(&copy.last_key);
    return rc;
}
