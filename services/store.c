#include "services/store.h"

#include "db/record.h"

static struct charle_column_set columns_here(const struct charle_context *context, const struct charle_table *table)
{
    return context->is_replica ? *table->replica_columns : charle_table_all_columns(table);
}

static enum charle_err text_of(struct charle_buf *buf, struct charle_context *context, const char **out,
                               struct charle_error *err)
{
    struct charle_str copy = {0};

    if (!buf->failed)
        copy = charle_arena_str(context->arena, charle_buf_str(buf));
    charle_buf_deinit(buf);
    *out = copy.ptr;
    return copy.ptr ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a statement");
}

enum charle_err ch_store_get(struct charle_context *context, const struct charle_table *table, struct charle_str id,
                             void *out_row, struct charle_error *err)
{
    struct charle_column_set columns = columns_here(context, table);
    struct charle_rows *rows = NULL;
    struct charle_buf buf = {0};
    const char *sql;
    enum charle_err rc;

    charle_buf_add_text(&buf, "select ");
    charle_table_write_columns(table, &columns, "", &buf);
    charle_buf_add_text(&buf, " from ");
    charle_sql_write_name(&buf, table->name);
    charle_buf_add_text(&buf, " where \"id\" = $1");
    rc = text_of(&buf, context, &sql, err);
    if (!rc)
        rc = charle_query(context->db, sql, CH_PARAMS(charle_text(id)), &rows, err);
    if (!rc)
        rc = charle_rows_next(rows, err);
    if (rc == CHARLE_DONE)
        rc = charle_fail(err, CHARLE_NOT_FOUND, "there is no %.*s %.*s, or it is not yours to see",
                         CHARLE_FMT(table->name), CHARLE_FMT(id));
    else if (!rc)
        rc = charle_record_read(rows, table, &columns, table->row, context->arena, out_row, err);
    charle_rows_close(rows);
    return rc;
}

enum charle_err ch_store_insert(struct charle_context *context, const struct charle_table *table, const void *row,
                                struct charle_error *err)
{
    struct charle_column_set columns = columns_here(context, table);
    struct charle_value *params = charle_arena_array(context->arena, table->column_count, sizeof *params);
    struct charle_buf buf = {0};
    size_t count = 0;
    const char *sql;
    enum charle_err rc = params ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a row");

    charle_buf_add_text(&buf, "insert into ");
    charle_sql_write_name(&buf, table->name);
    charle_buf_add_text(&buf, " (");
    charle_table_write_columns(table, &columns, "", &buf);
    charle_buf_add_text(&buf, ") values (");
    for (size_t i = 0; i < table->column_count && !rc; i++) {
        if (!charle_column_set_has(&columns, i))
            continue;
        charle_buf_printf(&buf, "%s$%zu", count ? ", " : "", count + 1);
        rc = charle_record_value(&table->columns[i], table->columns[i].field, row, context->arena, &params[count++],
                                 err);
    }
    charle_buf_add_text(&buf, ")");
    if (rc) {
        charle_buf_deinit(&buf);
        return rc;
    }
    rc = text_of(&buf, context, &sql, err);
    return rc ? rc : charle_exec(context->db, sql, params, count, NULL, err);
}

enum charle_err ch_store_exec(struct charle_context *context, const char *sql, const struct charle_value *params,
                              size_t count, int64_t *out_changed, struct charle_error *err)
{
    return charle_exec(context->db, sql, params, count, out_changed, err);
}

static enum charle_err keep(struct charle_context *context, struct charle_value *value, struct charle_error *err)
{
    if (value->is_null || value->type != CHARLE_TYPE_TEXT)
        return CHARLE_OK;
    value->text = charle_arena_str(context->arena, value->text);
    return value->text.ptr ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a value");
}

enum charle_err ch_store_row(struct charle_context *context, const char *sql, const struct charle_value *params,
                             size_t count, const enum charle_type *types, size_t column_count, struct charle_value *out,
                             struct charle_error *err)
{
    struct charle_rows *rows = NULL;
    enum charle_err rc = charle_query(context->db, sql, params, count, &rows, err);

    if (!rc)
        rc = charle_rows_next(rows, err);
    for (size_t i = 0; i < column_count && !rc; i++) {
        rc = charle_rows_value(rows, i, types[i], false, &out[i], err);
        if (!rc)
            rc = keep(context, &out[i], err);
    }
    charle_rows_close(rows);
    return rc;
}
