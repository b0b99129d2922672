// What changed in a scope between two stamps, as pieces of encoded pages.
//
// The log says which keys were touched; the rows are read as the snapshot shows them, so however often a row changed it is sent once. A key
// whose row is not in the scope now is gone from it: deleted, or moved to where `still_in` says.
//
// Keys are asked for in batches, always two at a time: PostgreSQL reads the rows of one while those of the other are encoded.
#include "base/plant.h"
#include "charle/sync.charle.h"
#include "msg/wire.h"
#include "server/sync/parts.h"
#include "sync/cursor.h"

// Few enough that their rows are about what a socket holds, so that PostgreSQL does not wait for us to read; many enough that a statement's
// own cost does not count.
enum { KEYS_A_QUERY = 500, QUERIES_AHEAD = 2 };

// Fields of ScopeDelta, TableDelta, Gone and PullPage, by number; proto/charle/sync.proto.
enum {
    PAGE_DELTA = 4,
    DELTA_SCOPE = 1,
    DELTA_FROM = 2,
    DELTA_TO = 3,
    DELTA_LINEAGE = 4,
    DELTA_TABLE = 5,
    TABLE_ID = 1,
    TABLE_ROW = 2,
    TABLE_GONE = 3,
    GONE_KEY = 1,
    GONE_STILL_IN = 2,
};

struct delta {
    const struct ch_sync *sync;
    struct charle_db *db;
    const struct ch_head *head;
    int64_t from;
    ch_delta_piece piece;
    void *ctx;
    struct charle_buf tables; // encoded DELTA_TABLE fields that are complete
    struct charle_buf table;  // the content of the TableDelta being written
    struct charle_buf row;    // one row or Gone
    struct charle_buf out;
    uint32_t table_id;        // of `table`; 0: none is open
};

// --- writing ------------------------------------------------------------------------------------------------------------

static void close_table(struct delta *delta)
{
    if (delta->table_id)
        charle_wire_write_buf(&delta->tables, DELTA_TABLE, &delta->table);
    delta->table_id = 0;
    charle_buf_reset(&delta->table);
}

static void open_table(struct delta *delta, uint32_t id)
{
    if (delta->table_id == id)
        return;
    close_table(delta);
    delta->table_id = id;
    charle_wire_write_tag(&delta->table, TABLE_ID, 0);
    charle_wire_write_varint(&delta->table, id);
}

static void write_fixed64(struct charle_buf *buf, uint32_t number, uint64_t value)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    charle_wire_write_tag(buf, number, 1);
    charle_buf_add(buf, bytes, sizeof(bytes));
}

// Gives out what was written so far as one piece.
static enum charle_err flush(struct delta *delta, struct charle_error *err)
{
    struct charle_buf *content = &delta->row, *out = &delta->out;
    close_table(delta);
    CHARLE_ASSERT(!delta->table_id && !delta->table.size);
    charle_buf_reset(content);
    charle_buf_reset(out);
    charle_wire_write_bytes(content, DELTA_SCOPE, delta->head->scope.ptr, delta->head->scope.len);
    charle_wire_write_tag(content, DELTA_FROM, 0);
    charle_wire_write_varint(content, (uint64_t)delta->from);
    charle_wire_write_tag(content, DELTA_TO, 0);
    charle_wire_write_varint(content, (uint64_t)delta->head->stamp);
    write_fixed64(content, DELTA_LINEAGE, delta->head->lineage);
    charle_wire_write_tag(out, PAGE_DELTA, 2);
    charle_wire_write_varint(out, content->size + delta->tables.size);
    charle_buf_add(out, content->data, content->size);
    charle_buf_add(out, delta->tables.data, delta->tables.size);
    enum charle_err failed = delta->tables.failed ? delta->tables.failed : content->failed ? content->failed : out->failed;
    charle_buf_reset(&delta->tables);
    if (failed)
        return charle_fail(err, failed, "a page of scope %.*s does not fit in memory", CHARLE_FMT(delta->head->scope));
    return delta->piece(delta->ctx, charle_buf_bytes(out), err);
}

static enum charle_err flush_when_full(struct delta *delta, struct charle_error *err)
{
    if (delta->tables.size + delta->table.size < CH_PAGE_SIZE_TARGET)
        return CHARLE_OK;
    uint32_t id = delta->table_id;
    CHARLE_ASSERT(id); // a row was just written to it
    enum charle_err rc = flush(delta, err);
    open_table(delta, id);
    return rc;
}

// --- rows ---------------------------------------------------------------------------------------------------------------

static struct charle_str text_at(const PGresult *result, int row, int column)
{
    return charle_str_n(PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column));
}

static struct charle_value keys_param(const struct charle_str *keys, size_t count)
{
    return (struct charle_value){.type = CHARLE_TYPE_TEXT, .is_array = true, .array = {.items = keys, .count = count, .has = true}};
}

// Writes a Gone for each key, with the scopes its row is in now.
static enum charle_err write_gone(struct delta *delta, const struct ch_table_views *views, const struct charle_str *keys, size_t count,
                                  struct charle_error *err)
{
    const struct charle_value param = keys_param(keys, count);
    struct charle_rows *rows = NULL;
    CHARLE_ASSERT(count > 0 && count <= KEYS_A_QUERY);
    struct charle_value key = {.is_null = true}, scope;
    enum charle_err rc = charle_query(delta->db, views->scopes_sql, &param, 1, &rows, err);
    enum charle_err at = rc ? rc : charle_rows_next(rows, err);
    for (size_t i = 0; rc == CHARLE_OK && i < count; i++) {
        charle_buf_reset(&delta->row);
        charle_wire_write_bytes(&delta->row, GONE_KEY, keys[i].ptr, keys[i].len);
        // Both lists are sorted by key, in the order of bytes.
        for (; at == CHARLE_OK; at = charle_rows_next(rows, err)) {
            rc = charle_rows_value(rows, 0, CHARLE_TYPE_TEXT, false, &key, err);
            if (rc || !charle_str_equal(key.text, keys[i]))
                break;
            rc = charle_rows_value(rows, 1, CHARLE_TYPE_TEXT, false, &scope, err);
            if (rc)
                break;
            charle_wire_write_bytes(&delta->row, GONE_STILL_IN, scope.text.ptr, scope.text.len);
        }
        if (rc == CHARLE_OK && at && at != CHARLE_DONE)
            rc = at;
        if (rc == CHARLE_OK) {
            open_table(delta, views->table->id);
            charle_wire_write_buf(&delta->table, TABLE_GONE, &delta->row);
            rc = flush_when_full(delta, err);
        }
    }
    charle_rows_close(rows);
    return rc;
}

static enum charle_err write_row(struct delta *delta, const struct ch_view *view, const PGresult *result, int index,
                                 struct charle_error *err)
{
    charle_buf_reset(&delta->row);
    enum charle_err rc = ch_pg_encode_row(view->table, &view->audience->columns, result, index, &delta->row, err);
    if (rc)
        return rc;
    open_table(delta, view->table->id);
    charle_wire_write_buf(&delta->table, TABLE_ROW, &delta->row);
    return flush_when_full(delta, err);
}

// The batches of one table. Keys of rows that are not there are moved to the front, where all have been asked for.
struct asking {
    const struct ch_view *view;
    struct charle_str *keys;
    size_t count, asked, answered, gone;
    struct ch_pg_pipeline *pipeline;
};

static size_t batch_size(const struct asking *asking, size_t at)
{
    CHARLE_ASSERT(at < asking->count);
    return asking->count - at < KEYS_A_QUERY ? asking->count - at : KEYS_A_QUERY;
}

static enum charle_err ask_ahead(struct delta *delta, struct asking *asking, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    while (rc == CHARLE_OK && asking->asked < asking->count && asking->asked - asking->answered < QUERIES_AHEAD * KEYS_A_QUERY) {
        size_t size = batch_size(asking, asking->asked);
        const struct charle_value params[] = {keys_param(asking->keys + asking->asked, size), charle_text(ch_scope_key(delta->head->scope))};
        rc = ch_pg_pipeline_add(asking->pipeline, asking->view->rows_sql, params, asking->view->has_key ? 2 : 1, err);
        if (rc == CHARLE_OK)
            rc = ch_pg_pipeline_flush(asking->pipeline, err);
        asking->asked += size;
    }
    CHARLE_ASSERT(asking->answered <= asking->asked && asking->asked <= asking->count);
    return rc;
}

// Rows come in the order of their keys.
static enum charle_err write_result(struct delta *delta, struct asking *asking, const PGresult *result, struct charle_error *err)
{
    const struct ch_view *view = asking->view;
    CHARLE_ASSERT(asking->answered < asking->asked && asking->gone <= asking->answered);
    size_t end = asking->answered + batch_size(asking, asking->answered), at = asking->answered;
    enum charle_err rc = CHARLE_OK;
    for (int i = 0; rc == CHARLE_OK && i < PQntuples(result); i++, at++) {
        struct charle_str key = text_at(result, i, view->key_at);
        while (at < end && !charle_str_equal(asking->keys[at], key))
            asking->keys[asking->gone++] = asking->keys[at++];
        if (at == end)
            return charle_fail(err, CHARLE_INTERNAL, "table %.*s gave the row of key %.*s, which was not asked for",
                               CHARLE_FMT(view->table->name), CHARLE_FMT(key));
        rc = write_row(delta, view, result, i, err);
    }
    while (at < end)
        asking->keys[asking->gone++] = asking->keys[at++];
    asking->answered = end;
    CHARLE_ASSERT(rc || asking->gone <= end); // the keys of rows that are gone take the places of those that were asked for
    return rc;
}

static enum charle_err write_rows(struct delta *delta, struct asking *asking, struct charle_error *err)
{
    enum charle_err rc = ch_pg_pipeline_open(delta->db, 0, &asking->pipeline, err);
    while (rc == CHARLE_OK && asking->answered < asking->count) {
        PGresult *result = NULL;
        rc = ask_ahead(delta, asking, err);
        if (rc == CHARLE_OK)
            rc = ch_pg_pipeline_next(asking->pipeline, &result, err);
        if (rc == CHARLE_OK)
            rc = write_result(delta, asking, result, err);
        PQclear(result);
    }
    ch_pg_pipeline_close(asking->pipeline);
    return rc;
}

// PostgreSQL shows a table that was emptied by TRUNCATE as empty to older snapshots too, and rows seem to be gone that this snapshot still has. But the
// catalogue it shows as it was: then the table's file is another one than the snapshot says. All tables are looked at, because rows may be in a scope
// by others. Once a table was read nobody can empty it before the transaction's end. ABORTED: the snapshot cannot be read any more.
enum charle_err ch_sync_check_not_emptied(struct charle_db *db, struct charle_error *err)
{
    struct charle_rows *rows = NULL;
    enum charle_err rc = charle_query(db, "select relname::text from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace "
                                      "and relfilenode <> pg_relation_filenode(oid) limit 1", NULL, 0, &rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_next(rows, err);
    charle_rows_close(rows);
    if (rc == CHARLE_OK)
        return charle_fail(err, CHARLE_ABORTED, "a table was emptied or rewritten while it was read");
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

static enum charle_err write_table(struct delta *delta, uint32_t id, struct charle_str *keys, size_t count, struct charle_error *err)
{
    const struct ch_table_views *views = ch_sync_table(delta->sync, id);
    struct asking asking = {.view = views ? ch_table_view(views, delta->head->scope) : NULL, .keys = keys, .count = count};
    // The platform's own entries (a device's) and tables that a newer schema dropped have no rows to send.
    if (!asking.view)
        return CHARLE_OK;
    enum charle_err rc = write_rows(delta, &asking, err);
    for (size_t i = 0; rc == CHARLE_OK && i < asking.gone && !CH_PLANTED(EXIT_NOT_SENT); i += KEYS_A_QUERY)
        rc = write_gone(delta, views, keys + i, asking.gone - i < KEYS_A_QUERY ? asking.gone - i : KEYS_A_QUERY, err);
    CHARLE_ASSERT(rc || asking.answered == count);
    return rc || !asking.gone ? rc : ch_sync_check_not_emptied(delta->db, err);
}

enum charle_err ch_delta_write(const struct ch_sync *sync, struct charle_db *db, const struct ch_head *head, int64_t from,
                               struct ch_delta_keys *keys, ch_delta_piece piece, void *ctx, struct charle_error *err)
{
    struct delta delta = {.sync = sync, .db = db, .head = head, .from = from, .piece = piece, .ctx = ctx};
    CHARLE_ASSERT(head && piece && (keys->items || !keys->count));
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0, next; rc == CHARLE_OK && i < keys->count; i = next) {
        for (next = i; next < keys->count && keys->tables[next] == keys->tables[i];)
            next++;
        CHARLE_ASSERT(next > i && next <= keys->count);
        rc = write_table(&delta, keys->tables[i], keys->items + i, next - i, err);
    }
    // A stamp without rows to send is sent too: the cursor must move. Behind a full piece a table is always open.
    if (rc == CHARLE_OK)
        rc = flush(&delta, err);
    charle_buf_deinit(&delta.tables);
    charle_buf_deinit(&delta.table);
    charle_buf_deinit(&delta.row);
    charle_buf_deinit(&delta.out);
    return rc;
}

enum charle_err ch_delta_read(const struct ch_sync *sync, struct charle_db *db, const struct ch_head *head, int64_t from,
                              ch_delta_piece piece, void *ctx, struct charle_error *err)
{
    struct charle_arena arena = {0}; // a replica that was away for long has many scopes, whose keys would not fit in memory together
    struct ch_delta_keys keys;
    enum charle_err rc = ch_delta_keys_read(db, head->scope, from, head->stamp, &arena, &keys, err);
    if (rc == CHARLE_OK)
        rc = ch_delta_write(sync, db, head, from, &keys, piece, ctx, err);
    ch_delta_keys_clear(&keys);
    charle_arena_deinit(&arena);
    return rc;
}
