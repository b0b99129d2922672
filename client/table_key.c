#include "client/table.h"

#include "db/record.h"

static const struct charle_column *key_column(const struct ch_table *table, size_t index)
{
    return &table->schema->columns[table->schema->key_columns[index]];
}

static void add_column(const struct charle_column *column, struct charle_buf *sql)
{
    charle_buf_add_text(sql, "r.");
    charle_sql_write_name(sql, column->name);
}

static void add_key_value(const struct ch_table *table, const char *key_sql, size_t index, struct charle_buf *sql)
{
    if (table->has_text_key)
        charle_buf_add_text(sql, key_sql);
    else
        charle_buf_printf(sql, "json_extract(%s, '$[%zu]')", key_sql, index);
}

void ch_table_add_key_match(const struct ch_table *table, const char *parameter, struct charle_buf *sql)
{
    for (size_t i = 0; i < table->schema->key_count; i++) {
        charle_buf_add_text(sql, i ? " and " : "");
        add_column(key_column(table, i), sql);
        charle_buf_add_text(sql, " = ");
        add_key_value(table, parameter, i, sql);
    }
}

void ch_table_add_key_values(const struct ch_table *table, const char *key_sql, struct charle_buf *sql)
{
    for (size_t i = 0; i < table->schema->key_count; i++) {
        charle_buf_add_text(sql, i ? ", " : "(");
        add_key_value(table, key_sql, i, sql);
    }
    charle_buf_add_text(sql, ")");
}

void ch_table_add_key_columns(const struct ch_table *table, struct charle_buf *sql)
{
    for (size_t i = 0; i < table->schema->key_count; i++) {
        charle_buf_add_text(sql, i ? ", " : "(");
        add_column(key_column(table, i), sql);
    }
    charle_buf_add_text(sql, ")");
}

void ch_table_add_key_text(const struct ch_table *table, struct charle_buf *sql)
{
    if (!table->has_text_key)
        charle_buf_add_text(sql, "json_array");
    ch_table_add_key_columns(table, sql);
}

// "select json_array(?2, ?1)": parameters in the order of the columns' positions, the array in the order of the key.
static enum charle_err prepare_key_text(struct ch_tables *tables, struct ch_table *table, struct charle_error *err)
{
    if (table->key_text)
        return CHARLE_OK;
    struct charle_buf sql = {0};
    charle_buf_add_text(&sql, "select json_array(");
    for (size_t i = 0; i < table->schema->key_count; i++)
        charle_buf_printf(&sql, "%s?%zu", i ? ", " : "",
                          charle_column_set_rank(&table->key, table->schema->key_columns[i]) + 1);
    charle_buf_add_text(&sql, ")");
    const char *text = charle_buf_text(&sql);
    int code = text ? sqlite3_prepare_v3(tables->scratch, text, -1, SQLITE_PREPARE_PERSISTENT, &table->key_text, NULL)
                    : SQLITE_NOMEM;
    charle_buf_deinit(&sql);
    return code ? ch_sqlite_fail(tables->scratch, code, "preparing a key", err) : CHARLE_OK;
}

static enum charle_err take_key_text(struct ch_tables *tables, struct ch_table *table, struct charle_buf *out,
                                     struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    int code = sqlite3_step(table->key_text);
    if (code == SQLITE_ROW)
        charle_buf_add_str(out, ch_lite_text(table->key_text, 0));
    else
        rc = ch_sqlite_fail(tables->scratch, code, "writing a key", err);
    ch_lite_end(table->key_text);
    return rc ? rc : out->failed ? charle_fail(err, out->failed, "no memory for a key") : CHARLE_OK;
}

enum charle_err ch_table_key_of_row(struct ch_tables *tables, struct ch_table *table, struct charle_bytes row,
                                    struct charle_buf *out, struct charle_error *err)
{
    if (table->has_text_key) {
        struct charle_value value;
        charle_arena_reset(&tables->arena);
        enum charle_err rc = charle_row_values(table->schema, &table->key, row, &tables->arena, &value, err);
        if (rc)
            return rc;
        if (value.is_null)
            return charle_fail(err, CHARLE_MALFORMED, "a row of %.*s came without its key", CHARLE_FMT(table->schema->name));
        charle_buf_add_str(out, value.text);
        return out->failed ? charle_fail(err, out->failed, "no memory for a key") : CHARLE_OK;
    }
    enum charle_err rc = prepare_key_text(tables, table, err);
    if (rc)
        return rc;
    charle_arena_reset(&tables->arena);
    rc = ch_sqlite_bind_row(table->key_text, 1, table->schema, &table->key, row, &tables->arena, err);
    return rc ? rc : take_key_text(tables, table, out, err);
}

enum charle_err ch_table_key_of_values(struct ch_tables *tables, struct ch_table *table, sqlite3_value *const *values,
                                       struct charle_buf *out, struct charle_error *err)
{
    if (table->has_text_key) {
        const void *text = sqlite3_value_blob(values[0]); // a text that is not terminated needs no memory
        if (!text && sqlite3_value_bytes(values[0]) > 0)
            return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a key");
        charle_buf_add(out, text ? text : (const unsigned char *)"", (size_t)sqlite3_value_bytes(values[0]));
        return out->failed ? charle_fail(err, out->failed, "no memory for a key") : CHARLE_OK;
    }
    enum charle_err rc = prepare_key_text(tables, table, err);
    int code = SQLITE_OK;
    for (size_t i = 0; !rc && !code && i < table->schema->key_count; i++)
        code = sqlite3_bind_value(table->key_text, (int)i + 1, values[i]);
    if (!rc && code)
        rc = ch_sqlite_fail(tables->scratch, code, "writing a key", err);
    return rc ? rc : take_key_text(tables, table, out, err);
}

// A timestamp is a text on the wire and microseconds in the replica; all other types are the same in both.
static int bind_wire_value(struct ch_table *table, size_t index, sqlite3_value *value, int parameter)
{
    struct charle_ts ts;
    if (key_column(table, index)->field->type != CHARLE_TYPE_TIMESTAMPTZ || sqlite3_value_type(value) != SQLITE_TEXT)
        return sqlite3_bind_value(table->key_text, parameter, value);
    const char *text = (const char *)sqlite3_value_text(value);
    if (!text || !charle_ts_read(charle_str_n(text, (size_t)sqlite3_value_bytes(value)), &ts))
        return SQLITE_ERROR;
    return sqlite3_bind_int64(table->key_text, parameter, ts.us);
}

enum charle_err ch_table_key_of_wire(struct ch_tables *tables, struct ch_table *table, struct charle_str key,
                                     struct charle_buf *out, struct charle_error *err)
{
    if (table->has_text_key) {
        charle_buf_add_str(out, key);
        return out->failed ? charle_fail(err, out->failed, "no memory for a key") : CHARLE_OK;
    }
    enum charle_err rc = prepare_key_text(tables, table, err);
    if (rc)
        return rc;
    // The values one by one in the order of the key, bound where their positions are: types are settled by json_extract.
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(tables->scratch, "select json_extract(?1, '$[' || ?2 || ']')", -1, &stmt, NULL);
    for (size_t i = 0; !code && i < table->schema->key_count; i++) {
        sqlite3_bind_text(stmt, 1, key.ptr, (int)key.len, SQLITE_STATIC);
        sqlite3_bind_int64(stmt, 2, (int64_t)i);
        code = sqlite3_step(stmt) == SQLITE_ROW ? SQLITE_OK : SQLITE_ERROR;
        if (!code && sqlite3_column_type(stmt, 0) == SQLITE_NULL)
            code = SQLITE_ERROR;
        size_t rank = charle_column_set_rank(&table->key, table->schema->key_columns[i]);
        if (!code)
            code = bind_wire_value(table, i, sqlite3_column_value(stmt, 0), (int)rank + 1);
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
    if (code) {
        ch_lite_end(table->key_text);
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "%.*s is no key of %.*s: a JSON array of %zu values is", CHARLE_FMT(key),
                           CHARLE_FMT(table->schema->name), table->schema->key_count);
    }
    return take_key_text(tables, table, out, err);
}
