#include "client/table.h"

#include "base/alloc.h"
#include "db/record.h"

#include <stdio.h>

// --- opening ----------------------------------------------------------------------------------------------------------

static struct charle_column_set held_columns(const struct charle_table *table, const struct charle_column_set *shown)
{
    struct charle_column_set set = {{shown->bits[0] & table->replica_columns->bits[0],
                                     shown->bits[1] & table->replica_columns->bits[1]}};
    return set;
}

// The order of the columns in the file is whatever the file says: tables that were altered keep their old order.
static enum charle_err read_column_order(struct ch_tables *tables, struct ch_table *table, struct charle_error *err)
{
    sqlite3_stmt *stmt;
    enum charle_err rc = ch_lite_prepare(tables->sql, "select name from pragma_table_info(?1) order by cid", &stmt, err);
    if (rc)
        return rc;
    struct charle_str name = table->schema->name;
    sqlite3_bind_text(stmt, 1, name.ptr, (int)name.len, SQLITE_STATIC);
    while ((rc = ch_lite_next(tables->sql, stmt, err)) == CHARLE_OK && table->sql_column_count < CH_COLUMNS_MAX) {
        const struct charle_column *column = charle_table_column(table->schema, ch_lite_text(stmt, 0));
        bool is_ours = column && charle_column_set_has(&table->columns, column->index);
        table->column_at[table->sql_column_count++] = is_ours ? (int16_t)column->index : -1;
    }
    sqlite3_finalize(stmt);
    if (rc == CHARLE_DONE && table->sql_column_count == 0)
        return charle_fail(err, CHARLE_DATA_LOSS, "the replica has no table %.*s: the file is damaged; keep it, what was not sent can be rescued into a new one", CHARLE_FMT(name));
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

static enum charle_err open_table(struct ch_tables *tables, struct ch_table *table, const struct charle_table *schema,
                                  struct charle_error *err)
{
    table->schema = schema;
    table->columns = *schema->replica_columns;
    table->key = charle_table_key_set(schema);
    uint8_t key_type = schema->columns[schema->key_columns[0]].field->type;
    table->has_text_key = schema->key_count == 1 && (key_type == CHARLE_TYPE_TEXT || key_type == CHARLE_TYPE_ENUM);
    table->audiences = ch_alloc_zeroed(schema->audience_count ? schema->audience_count : 1, sizeof(*table->audiences));
    if (!table->audiences)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the audiences of %.*s", CHARLE_FMT(schema->name));
    for (size_t i = 0; i < schema->audience_count; i++) {
        table->audiences[i].audience = &schema->audiences[i];
        table->audiences[i].columns = held_columns(schema, &schema->audiences[i].columns);
    }
    enum charle_err rc = read_column_order(tables, table, err);
    return rc ? rc : ch_table_check_audiences(tables, table, err);
}

enum charle_err ch_table_narrow(struct ch_tables *tables, struct ch_table *table, size_t index, bool is_unserved, const struct charle_column_set *unshown,
                                struct charle_error *err)
{
    struct ch_table_audience *audience = &table->audiences[index];
    struct charle_column_set columns = held_columns(table->schema, &table->schema->audiences[index].columns);
    columns.bits[0] &= ~unshown->bits[0];
    columns.bits[1] &= ~unshown->bits[1];
    bool is_same = columns.bits[0] == audience->columns.bits[0] && columns.bits[1] == audience->columns.bits[1];
    audience->is_unserved = is_unserved;
    audience->columns = columns;
    if (is_same)
        return CHARLE_OK;
    ch_sqlite_writer_close(&audience->writer); // it writes these columns
    audience->writer = (struct ch_sqlite_writer){0};
    return ch_table_check_audiences(tables, table, err);
}

enum charle_err ch_tables_open(struct ch_tables *tables, struct charle_db *db, struct ch_lite *sql,
                               const struct charle_schema *schema, const char *vfs, struct charle_error *err)
{
    *tables = (struct ch_tables){.db = db, .sql = sql, .schema = schema};
    tables->items = ch_alloc_zeroed(schema->table_count ? schema->table_count : 1, sizeof(*tables->items));
    if (!tables->items)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for %zu tables", schema->table_count);
    enum charle_err rc = CHARLE_OK;
    if (sqlite3_open_v2(":memory:", &tables->scratch, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX, vfs))
        rc = charle_fail(err, CHARLE_NO_MEMORY, "no memory for a scratch database");
    for (size_t i = 0; !rc && i < schema->table_count; i++) {
        if (schema->tables[i]->is_replicated || schema->tables[i]->is_local)
            rc = open_table(tables, &tables->items[tables->count++], schema->tables[i], err);
    }
    if (rc)
        ch_tables_close(tables);
    return rc;
}

void ch_tables_close(struct ch_tables *tables)
{
    for (size_t i = 0; i < tables->count; i++) {
        struct ch_table *table = &tables->items[i];
        for (size_t a = 0; table->audiences && a < table->schema->audience_count; a++)
            ch_sqlite_writer_close(&table->audiences[a].writer);
        ch_free(table->audiences);
        ch_sqlite_writer_close(&table->writer);
        sqlite3_finalize(table->select_row);
        sqlite3_finalize(table->delete_row);
        sqlite3_finalize(table->image);
        sqlite3_finalize(table->key_text);
    }
    ch_free(tables->items);
    sqlite3_close(tables->scratch);
    charle_arena_deinit(&tables->arena);
    charle_buf_deinit(&tables->text);
    *tables = (struct ch_tables){0};
}

struct ch_table *ch_table_by_id(struct ch_tables *tables, uint32_t id)
{
    size_t low = 0, high = tables->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        uint32_t found = tables->items[middle].schema->id;
        if (found == id)
            return &tables->items[middle];
        if (found < id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

struct ch_table *ch_table_by_name(struct ch_tables *tables, const char *name)
{
    for (size_t i = 0; i < tables->count; i++) {
        if (charle_str_equal(tables->items[i].schema->name, charle_str(name)))
            return &tables->items[i];
    }
    return NULL;
}

size_t ch_tables_take_changed(struct ch_tables *tables, uint32_t *out)
{
    size_t count = 0;
    for (size_t i = 0; i < tables->count; i++) {
        if (tables->items[i].was_changed)
            out[count++] = tables->items[i].schema->id;
        tables->items[i].was_changed = false;
    }
    return count;
}

// --- one row ----------------------------------------------------------------------------------------------------------

enum charle_err ch_table_put(struct ch_tables *tables, struct ch_table *table, struct ch_table_audience *audience,
                             struct charle_str scope, struct charle_bytes row, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    ch_table_note_change(table);
    if (!audience->writer.upsert)
        rc = ch_sqlite_writer_open(&audience->writer, tables->db, table->schema, &audience->columns, err);
    if (!rc)
        rc = ch_sqlite_writer_put(&audience->writer, row, err);
    if (rc || !audience->is_member)
        return rc;
    charle_buf_reset(&tables->text);
    rc = ch_table_key_of_row(tables, table, row, &tables->text, err);
    return rc ? rc : ch_table_enter(tables, table, audience, scope, charle_buf_str(&tables->text), err);
}

enum charle_err ch_table_enter(struct ch_tables *tables, struct ch_table *table, struct ch_table_audience *audience, struct charle_str scope,
                               struct charle_str key, struct charle_error *err)
{
    if (!audience->is_member)
        return CHARLE_OK;
    return ch_lite_run(tables->sql, CH_LITE_MEMBER_ADD, err, "iss", (int64_t)table->schema->id, key, scope);
}

static enum charle_err prepare_by_key(struct ch_tables *tables, struct ch_table *table, const char *verb, bool with_columns,
                                      sqlite3_stmt **stmt, struct charle_error *err)
{
    if (*stmt)
        return CHARLE_OK;
    struct charle_buf sql = {0};
    charle_buf_add_text(&sql, verb);
    if (with_columns)
        charle_table_write_columns(table->schema, &table->columns, "r.", &sql);
    charle_buf_add_text(&sql, " from ");
    charle_sql_write_name(&sql, table->schema->name);
    charle_buf_add_text(&sql, " as r where ");
    ch_table_add_key_match(table, "?1", &sql);
    const char *text = charle_buf_text(&sql);
    enum charle_err rc = text ? ch_lite_prepare(tables->sql, text, stmt, err)
                              : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a statement");
    charle_buf_deinit(&sql);
    return rc;
}

enum charle_err ch_table_read(struct ch_tables *tables, struct ch_table *table, struct charle_str key,
                              struct charle_buf *out, bool *out_found, struct charle_error *err)
{
    *out_found = false;
    enum charle_err rc = prepare_by_key(tables, table, "select ", true, &table->select_row, err);
    if (rc)
        return rc;
    sqlite3_bind_text(table->select_row, 1, key.ptr, (int)key.len, SQLITE_STATIC);
    rc = ch_lite_next(tables->sql, table->select_row, err);
    if (rc)
        return rc == CHARLE_DONE ? CHARLE_OK : rc;
    charle_arena_reset(&tables->arena);
    rc = ch_sqlite_read_row(table->select_row, 0, table->schema, &table->columns, &tables->arena, out, err);
    *out_found = rc == CHARLE_OK;
    ch_lite_end(table->select_row);
    return rc;
}

enum charle_err ch_table_restore(struct ch_tables *tables, struct ch_table *table, struct charle_str key,
                                 struct charle_bytes image, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    ch_table_note_change(table);
    if (image.ptr) {
        if (!table->writer.upsert)
            rc = ch_sqlite_writer_open(&table->writer, tables->db, table->schema, &table->columns, err);
        return rc ? rc : ch_sqlite_writer_put(&table->writer, image, err);
    }
    rc = prepare_by_key(tables, table, "delete", false, &table->delete_row, err);
    if (rc)
        return rc;
    sqlite3_bind_text(table->delete_row, 1, key.ptr, (int)key.len, SQLITE_STATIC);
    return ch_lite_step_done(tables->sql, table->delete_row, err);
}

enum charle_err ch_table_image(struct ch_tables *tables, struct ch_table *table, sqlite3_value *const *values,
                               struct charle_buf *out, struct charle_error *err)
{
    size_t count = charle_column_set_count(&table->columns);
    if (!table->image) {
        charle_buf_reset(&tables->text);
        for (size_t i = 1; i <= count; i++)
            charle_buf_printf(&tables->text, "%s?%zu", i == 1 ? "select " : ", ", i);
        const char *text = charle_buf_text(&tables->text);
        if (!text || sqlite3_prepare_v3(tables->scratch, text, -1, SQLITE_PREPARE_PERSISTENT, &table->image, NULL))
            return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a statement");
    }
    int code = SQLITE_OK;
    for (size_t i = 0; i < count && !code; i++)
        code = sqlite3_bind_value(table->image, (int)i + 1, values[i]);
    if (!code)
        code = sqlite3_step(table->image);
    enum charle_err rc;
    if (code == SQLITE_ROW) {
        charle_arena_reset(&tables->arena);
        rc = ch_sqlite_read_row(table->image, 0, table->schema, &table->columns, &tables->arena, out, err);
    } else {
        rc = ch_sqlite_fail(tables->scratch, code, "keeping a row", err);
    }
    ch_lite_end(table->image);
    return rc;
}
