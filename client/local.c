#include "client/local.h"

#include "client/lite.h"
#include "db/record.h"

enum charle_err ch_local_write(struct ch_replica *replica, ch_local_fn write, void *ctx, struct charle_error *err)
{
    enum charle_err rc = ch_replica_begin(replica, CH_DURABLE, err);
    if (rc)
        return rc;
    ch_call_guard_local(&replica->guard);
    replica->capture.is_local = true;
    rc = write(ctx, replica->db, err);
    replica->capture.is_local = false;
    ch_call_guard_off(&replica->guard);
    return ch_replica_end(replica, rc, err);
}

// --- references -----------------------------------------------------------------------------------------------------------

static void write_condition(const struct charle_table *table, const struct charle_column *column, struct charle_buf *sql)
{
    charle_buf_add_text(sql, " where ");
    charle_sql_write_name(sql, column->name);
    charle_buf_add_text(sql, " is not null and not exists (select 1 from ");
    charle_sql_write_name(sql, column->references->name);
    charle_buf_add_text(sql, " charle_to where charle_to.");
    charle_sql_write_name(sql, column->references->columns[column->references_column].name);
    charle_buf_add_text(sql, " = ");
    charle_sql_write_name(sql, table->name);
    charle_buf_add_text(sql, ".");
    charle_sql_write_name(sql, column->name);
    charle_buf_add_text(sql, ")");
}

static enum charle_err clean_reference(struct ch_replica *replica, struct ch_table *table, const struct charle_column *column,
                                       struct charle_error *err)
{
    struct charle_buf sql = {0};
    bool is_delete = column->on_delete == CHARLE_CASCADE;
    charle_buf_add_text(&sql, is_delete ? "delete from " : "update ");
    charle_sql_write_name(&sql, table->schema->name);
    if (!is_delete) {
        charle_buf_add_text(&sql, " set ");
        charle_sql_write_name(&sql, column->name);
        charle_buf_add_text(&sql, " = null");
    }
    write_condition(table->schema, column, &sql);
    const char *text = charle_buf_text(&sql);
    int64_t changed = 0;
    enum charle_err rc = text ? charle_exec(replica->db, text, NULL, 0, &changed, err)
                              : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a statement");
    if (changed)
        ch_table_note_change(table);
    charle_buf_deinit(&sql);
    return rc;
}

// Only what refers to a table that has changed since the last time.
static enum charle_err clean_table(struct ch_replica *replica, struct ch_table *table, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < table->schema->column_count; i++) {
        const struct charle_column *column = &table->schema->columns[i];
        struct ch_table *to = column->references ? ch_table_by_id(&replica->tables, column->references->id) : NULL;
        if (to && (column->on_delete == CHARLE_CASCADE || column->on_delete == CHARLE_SET_NULL) && to->version != to->cleaned_version)
            rc = clean_reference(replica, table, column, err);
    }
    return rc;
}

static bool has_locals(const struct ch_tables *tables)
{
    for (size_t i = 0; i < tables->count; i++) {
        if (tables->items[i].schema->is_local)
            return true;
    }
    return false;
}

enum charle_err ch_local_clean(struct ch_replica *replica, struct charle_error *err)
{
    struct ch_tables *tables = &replica->tables;
    int64_t waiting = 0, incomplete = 0;
    if (!has_locals(tables))
        return CHARLE_OK;
    enum charle_err rc = ch_lite_number(&replica->sql, CH_LITE_BASE_ANY, 0, &waiting, err, "");
    if (!rc)
        rc = ch_lite_number(&replica->sql, CH_LITE_CURSOR_INCOMPLETE, 0, &incomplete, err, "");
    if (rc || waiting || incomplete)
        return rc;
    for (size_t i = 0; !rc && i < tables->count; i++) {
        if (tables->items[i].schema->is_local)
            rc = clean_table(replica, &tables->items[i], err);
    }
    for (size_t i = 0; !rc && i < tables->count; i++)
        tables->items[i].cleaned_version = tables->items[i].version;
    return rc;
}
