// What changed in a scope between two stamps, as pieces of encoded pages.
//
// The log says which keys were touched; the rows are read as the snapshot shows them, so however often a row changed it is sent once. A key
// whose row is not in the scope now is gone from it: deleted, or moved to where `still_in` says.
#include "charle/sync.charle.h"
#include "msg/wire.h"
#include "server/sync/parts.h"
#include "sync/cursor.h"

// Few enough that their rows fit one reply of PostgreSQL in memory, many enough that the round trip does not count.
enum { KEYS_A_QUERY = 2000 };

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
    struct charle_arena *arena;
    ch_delta_piece piece;
    void *ctx;
    struct charle_buf tables; // encoded DELTA_TABLE fields that are complete
    struct charle_buf table;  // the content of the TableDelta being written
    struct charle_buf row;    // one row or Gone
    struct charle_buf out;
    uint32_t table_id;        // of `table`; 0: none is open
    bool has_sent;
};

// --- writing ------------------------------------------------------------------------------------------------------------

static void close_table(struct delta *delta)
{
    if (delta->table_id)
        charle_wire_write_bytes(&delta->tables, DELTA_TABLE, delta->table.data, delta->table.size);
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
    delta->has_sent = true;
    return failed ? charle_fail(err, failed, "a page of scope %.*s does not fit in memory", CHARLE_FMT(delta->head->scope))
                  : delta->piece(delta->ctx, charle_buf_bytes(out), err);
}

static enum charle_err flush_when_full(struct delta *delta, struct charle_error *err)
{
    if (delta->tables.size + delta->table.size < CH_PAGE_SIZE_TARGET)
        return CHARLE_OK;
    uint32_t id = delta->table_id;
    enum charle_err rc = flush(delta, err);
    open_table(delta, id);
    return rc;
}

// --- keys ---------------------------------------------------------------------------------------------------------------

struct key_list {
    struct charle_str *items;
    uint32_t *tables;
    size_t count, capacity;
};

static enum charle_err grow(struct key_list *list, struct charle_arena *arena, struct charle_error *err)
{
    size_t capacity = list->capacity ? list->capacity * 2 : 64;
    struct charle_str *items = charle_arena_array(arena, capacity, sizeof(*items));
    uint32_t *tables = charle_arena_array(arena, capacity, sizeof(*tables));
    if (!items || !tables)
        return charle_fail(err, CHARLE_TOO_LARGE, "too many changes to list in memory");
    if (list->count) {
        memcpy(items, list->items, list->count * sizeof(*items));
        memcpy(tables, list->tables, list->count * sizeof(*tables));
    }
    *list = (struct key_list){items, tables, list->count, capacity};
    return CHARLE_OK;
}

// The distinct keys that the log names between the stamps, by table and key.
static enum charle_err read_keys(struct delta *delta, struct key_list *list, struct charle_error *err)
{
    const struct charle_value params[] = {charle_text(delta->head->scope), charle_int8(delta->from), charle_int8(delta->head->stamp),
                                          charle_int8(CH_DELTA_KEYS_MAX + 1)};
    struct charle_rows *rows = NULL;
    enum charle_err rc = charle_query(delta->db, "select distinct tab, key from charle.entry where scope = $1 and v > $2 and v <= $3 order by 1, 2 limit $4", params, 4,
                                      &rows, err);
    while (rc == CHARLE_OK && (rc = charle_rows_next(rows, err)) == CHARLE_OK) {
        struct charle_value table, key;
        if (list->count == CH_DELTA_KEYS_MAX)
            rc = charle_fail(err, CHARLE_TOO_LARGE, "more than %d rows of scope %.*s changed", CH_DELTA_KEYS_MAX,
                             CHARLE_FMT(delta->head->scope));
        if (rc == CHARLE_OK && list->count == list->capacity)
            rc = grow(list, delta->arena, err);
        if (rc == CHARLE_OK)
            rc = charle_rows_value(rows, 0, CHARLE_TYPE_INT4, false, &table, err);
        if (rc == CHARLE_OK)
            rc = charle_rows_value(rows, 1, CHARLE_TYPE_TEXT, false, &key, err);
        if (rc)
            break;
        list->tables[list->count] = (uint32_t)table.int4;
        list->items[list->count] = charle_arena_str(delta->arena, key.text);
        if (!list->items[list->count++].ptr)
            rc = charle_fail(err, CHARLE_TOO_LARGE, "too many changes to list in memory");
    }
    charle_rows_close(rows);
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

// --- rows ---------------------------------------------------------------------------------------------------------------

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
            charle_wire_write_bytes(&delta->table, TABLE_GONE, delta->row.data, delta->row.size);
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
    charle_wire_write_bytes(&delta->table, TABLE_ROW, delta->row.data, delta->row.size);
    return flush_when_full(delta, err);
}

// One batch of keys: rows that are there are written, the others gathered in `gone`.
static enum charle_err write_result(struct delta *delta, const struct ch_view *view, const PGresult *result,
                                    const struct charle_str *keys, struct charle_str *gone, size_t *gone_count, struct charle_error *err)
{
    int there = PQnfields(result) - 1;
    enum charle_err rc = CHARLE_OK;
    *gone_count = 0;
    for (int i = 0; rc == CHARLE_OK && i < PQntuples(result); i++) {
        if (PQgetvalue(result, i, there)[0]) // a binary boolean
            rc = write_row(delta, view, result, i, err);
        else
            gone[(*gone_count)++] = keys[i];
    }
    return rc;
}

static enum charle_err write_batch(struct delta *delta, const struct ch_table_views *views, const struct ch_view *view,
                                   const struct charle_str *keys, size_t count, struct charle_error *err)
{
    const struct charle_value params[] = {keys_param(keys, count), charle_text(ch_scope_key(delta->head->scope))};
    struct charle_str gone[KEYS_A_QUERY];
    size_t gone_count = 0;
    struct ch_pg_pipeline *pipeline = NULL;
    PGresult *result = NULL;
    enum charle_err rc = ch_pg_pipeline_open(delta->db, 0, &pipeline, err);
    if (rc == CHARLE_OK)
        rc = ch_pg_pipeline_add(pipeline, view->rows_sql, params, view->has_key ? 2 : 1, err);
    if (rc == CHARLE_OK)
        rc = ch_pg_pipeline_next(pipeline, &result, err);
    ch_pg_pipeline_close(pipeline);
    if (rc == CHARLE_OK && (size_t)PQntuples(result) != count)
        rc = charle_fail(err, CHARLE_INTERNAL, "table %.*s gave %d rows for %zu keys", CHARLE_FMT(view->table->name), PQntuples(result), count);
    if (rc == CHARLE_OK)
        rc = write_result(delta, view, result, keys, gone, &gone_count, err);
    PQclear(result);
    if (rc == CHARLE_OK && gone_count)
        rc = write_gone(delta, views, gone, gone_count, err);
    return rc;
}

static enum charle_err write_table(struct delta *delta, uint32_t id, const struct charle_str *keys, size_t count, struct charle_error *err)
{
    const struct ch_table_views *views = ch_sync_table(delta->sync, id);
    const struct ch_view *view = views ? ch_table_view(views, delta->head->scope) : NULL;
    // The platform's own entries (a device's) and tables that a newer schema dropped have no rows to send.
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; view && rc == CHARLE_OK && i < count; i += KEYS_A_QUERY)
        rc = write_batch(delta, views, view, keys + i, count - i < KEYS_A_QUERY ? count - i : KEYS_A_QUERY, err);
    return rc;
}

enum charle_err ch_delta_read(const struct ch_sync *sync, struct charle_db *db, const struct ch_head *head, int64_t from,
                              struct charle_arena *arena, ch_delta_piece piece, void *ctx, struct charle_error *err)
{
    struct delta delta = {.sync = sync, .db = db, .head = head, .from = from, .arena = arena, .piece = piece, .ctx = ctx};
    struct key_list keys = {0};
    enum charle_err rc = read_keys(&delta, &keys, err);
    for (size_t i = 0, next; rc == CHARLE_OK && i < keys.count; i = next) {
        for (next = i; next < keys.count && keys.tables[next] == keys.tables[i];)
            next++;
        rc = write_table(&delta, keys.tables[i], keys.items + i, next - i, err);
    }
    // A stamp without rows to send is sent too: the cursor must move.
    if (rc == CHARLE_OK && (!delta.has_sent || delta.table_id || delta.tables.size))
        rc = flush(&delta, err);
    charle_buf_deinit(&delta.tables);
    charle_buf_deinit(&delta.table);
    charle_buf_deinit(&delta.row);
    charle_buf_deinit(&delta.out);
    return rc;
}
