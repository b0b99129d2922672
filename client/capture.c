#define SQLITE_ENABLE_PREUPDATE_HOOK // Debian's library has it; its header hides it
#include "client/capture.h"

#include "base/alloc.h"
#include "db/sqlite/sqlite.h"
#include "base/limits.h"
#include "base/plant.h"
#include "sync/hash.h"

static struct charle_str key_of(const struct ch_capture *capture, const struct ch_captured *row)
{
    return charle_str_n((const char *)capture->bytes.data + row->key_at, row->key_len);
}

static enum charle_err grow(struct ch_capture *capture)
{
    if (capture->count < capture->capacity)
        return CHARLE_OK;
    if (capture->count >= CH_CAPTURE_ROWS_MAX)
        return charle_fail(&capture->error, CHARLE_TOO_LARGE, "one offline call may touch %d rows; make it in smaller parts",
                           CH_CAPTURE_ROWS_MAX);
    size_t capacity = capture->capacity ? capture->capacity * 2 : 64;
    struct ch_captured *rows = ch_realloc_array(capture->rows, capacity, sizeof(*rows));
    if (!rows)
        return charle_fail(&capture->error, CHARLE_NO_MEMORY, "no memory for the rows of a call");
    capture->rows = rows;
    capture->capacity = capacity;
    return CHARLE_OK;
}

struct row_values {
    sqlite3_value *all[CH_COLUMNS_MAX]; // by rank among the replica's columns
    sqlite3_value *key[CH_COLUMNS_MAX]; // by rank among the key's columns
};

// Without memory SQLite has no values to show.
static enum charle_err read_values(const struct ch_table *table, sqlite3 *db, bool is_new, struct row_values *out, struct charle_error *err)
{
    for (size_t i = 0; i < table->sql_column_count; i++) {
        if (table->column_at[i] < 0)
            continue;
        size_t column = (size_t)table->column_at[i];
        sqlite3_value *value = NULL;
        int code = is_new ? sqlite3_preupdate_new(db, (int)i, &value) : sqlite3_preupdate_old(db, (int)i, &value);
        if (code || !value)
            return ch_sqlite_fail(db, code ? code : SQLITE_NOMEM, "looking at a changed row", err);
        out->all[charle_column_set_rank(&table->columns, column)] = value;
        if (charle_column_set_has(&table->key, column))
            out->key[charle_column_set_rank(&table->key, column)] = value;
    }
    return CHARLE_OK;
}

static enum charle_err collect(struct ch_capture *capture, struct ch_table *table, sqlite3 *db, bool has_row)
{
    struct row_values values;
    enum charle_err rc = grow(capture);
    if (rc)
        return rc;
    struct ch_captured row = {.table = table, .had_row = has_row, .key_at = capture->bytes.size};
    rc = read_values(table, db, !has_row, &values, &capture->error);
    if (rc)
        return rc;
    rc = ch_table_key_of_values(capture->tables, table, values.key, &capture->bytes, &capture->error);
    row.key_len = capture->bytes.size - row.key_at;
    row.image_at = capture->bytes.size;
    if (!rc && has_row)
        rc = ch_table_image(capture->tables, table, values.all, &capture->bytes, &capture->error);
    row.image_len = capture->bytes.size - row.image_at;
    if (!rc)
        capture->rows[capture->count++] = row;
    return rc;
}

static bool key_changes(const struct ch_table *table, sqlite3 *db)
{
    for (size_t i = 0; i < table->sql_column_count; i++) {
        sqlite3_value *before, *after;
        if (table->column_at[i] < 0 || !charle_column_set_has(&table->key, (size_t)table->column_at[i]))
            continue;
        if (sqlite3_preupdate_old(db, (int)i, &before) || sqlite3_preupdate_new(db, (int)i, &after))
            return true;
        struct charle_str a = charle_str_n((const char *)sqlite3_value_text(before), (size_t)sqlite3_value_bytes(before));
        struct charle_str b = charle_str_n((const char *)sqlite3_value_text(after), (size_t)sqlite3_value_bytes(after));
        if (!charle_str_equal(a, b))
            return true;
    }
    return false;
}

static void before_update(void *ctx, sqlite3 *db, int op, const char *database, const char *name, sqlite3_int64 old_rowid,
                          sqlite3_int64 new_rowid)
{
    struct ch_capture *capture = ctx;
    (void)old_rowid;
    (void)new_rowid;
    if ((!capture->is_on && !capture->is_local) || capture->failed || strcmp(database, "main") != 0)
        return;
    struct ch_table *table = ch_table_by_name(capture->tables, name);
    if (!table)
        return;
    ch_table_note_change(table);
    if (capture->is_local)
        return;
    capture->failed = collect(capture, table, db, op != SQLITE_INSERT);
    // A changed key is one row that goes and another one that comes.
    if (!capture->failed && op == SQLITE_UPDATE && key_changes(table, db))
        capture->failed = collect(capture, table, db, false);
}

void ch_capture_open(struct ch_capture *capture, struct ch_tables *tables)
{
    *capture = (struct ch_capture){.tables = tables};
    sqlite3_preupdate_hook(tables->sql->db, before_update, capture);
}

void ch_capture_close(struct ch_capture *capture)
{
    if (capture->tables && capture->tables->sql)
        sqlite3_preupdate_hook(capture->tables->sql->db, NULL, NULL);
    ch_free(capture->rows);
    charle_buf_deinit(&capture->bytes);
    *capture = (struct ch_capture){0};
}

void ch_capture_start(struct ch_capture *capture)
{
    capture->is_on = true;
    capture->count = 0;
    capture->failed = CHARLE_OK;
    charle_buf_reset(&capture->bytes);
}

enum charle_err ch_capture_stop(struct ch_capture *capture, struct charle_error *err)
{
    capture->is_on = false;
    if (capture->failed && err)
        *err = capture->error;
    return capture->failed;
}

bool ch_capture_is_one_row(const struct ch_capture *capture, const struct charle_table *table)
{
    for (size_t i = 0; i < capture->count; i++) {
        if (capture->rows[i].table->schema != table ||
            !charle_str_equal(key_of(capture, &capture->rows[i]), key_of(capture, &capture->rows[0])))
            return false;
    }
    return capture->count > 0;
}

enum charle_err ch_capture_first_key(const struct ch_capture *capture, struct charle_buf *out)
{
    charle_buf_add_str(out, key_of(capture, &capture->rows[0]));
    return out->failed;
}

// A call may change a row several times: what it found is in the first.
static enum charle_err add_touch(struct ch_capture *capture, const struct ch_captured *row, struct charle_bytes image, int64_t position,
                                 struct charle_error *err)
{
    uint8_t hash[CH_ROW_HASH_SIZE];
    if (row->had_row)
        ch_row_hash(image, hash);
    return ch_lite_run(capture->tables->sql, CH_LITE_TOUCH_ADD, err, "isib", (int64_t)row->table->schema->id, key_of(capture, row), position,
                       charle_bytes(hash, row->had_row ? sizeof(hash) : 0));
}

enum charle_err ch_capture_keep(struct ch_capture *capture, int64_t position, struct charle_error *err)
{
    struct ch_lite *sql = capture->tables->sql;
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < capture->count; i++) {
        const struct ch_captured *row = &capture->rows[i];
        // An image may be empty (a row of nothing but its key has at least that, so it is not), but never NULL when there was a row.
        struct charle_bytes image = charle_bytes(capture->bytes.data + row->image_at, row->image_len);
        if (!row->had_row)
            image = (struct charle_bytes){0};
        int64_t tab = row->table->schema->id;
        if (!row->key_len) // the server's check would say no
            return charle_fail(err, CHARLE_CHECK_VIOLATION, "the key of a %.*s must not be empty", CHARLE_FMT(row->table->schema->name));
        if (!CH_PLANTED(BASE_NOT_KEPT))
            rc = ch_lite_run(sql, CH_LITE_BASE_ADD, err, "isb", tab, key_of(capture, row), image);
        if (!rc)
            rc = add_touch(capture, row, image, position, err);
    }
    return rc;
}
