// Rows as patches: structs of the table in which everything is optional.
#include "services/crud_parts.h"

const struct charle_field *ch_crud_patch_field(const struct charle_table *table, const struct charle_column *column)
{
    return charle_message_field(table->patch, column->field->number);
}

static size_t member_size(const struct charle_field *field)
{
    return field->label == CHARLE_REPEATED ? sizeof(struct charle_array)
                                           : charle_type_size((enum charle_type)field->type);
}

void ch_crud_patch_keep(const struct charle_table *table, void *patch, const struct charle_column_set *columns)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (charle_column_set_has(columns, i))
            continue;
        const struct charle_field *field = ch_crud_patch_field(table, &table->columns[i]);
        memset(charle_field_ptr(field, patch), 0, member_size(field));
        if (field->label == CHARLE_OPTIONAL)
            *((bool *)patch + field->has_offset) = false;
    }
}

void ch_crud_patch_copy(const struct charle_table *table, void *to, const void *from,
                        const struct charle_column_set *columns)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (!charle_column_set_has(columns, i))
            continue;
        const struct charle_field *field = ch_crud_patch_field(table, &table->columns[i]);
        memcpy(charle_field_ptr(field, to), charle_field_ptr(field, from), member_size(field));
        if (field->label == CHARLE_OPTIONAL)
            *((bool *)to + field->has_offset) = charle_field_has(field, from);
    }
}

enum charle_err ch_crud_not_found(const struct charle_table *table, struct charle_error *err)
{
    return charle_fail(err, CHARLE_NOT_FOUND, "there is no such %.*s, or none that this caller may see",
                       CHARLE_FMT(table->name));
}

enum charle_err ch_crud_write_fetch(struct ch_crud_sql *sql, const struct ch_crud *crud, struct ch_crud_view *view,
                                    const struct charle_column_set *columns, bool for_update,
                                    const struct charle_message *key_message, const void *key)
{
    ch_crud_sql_add(sql, "select ");
    charle_table_write_columns(crud->table, columns, "r.", &sql->text);
    ch_crud_view_add_flags(view, sql);
    ch_crud_sql_add(sql, " from ");
    ch_crud_sql_add_name(sql, crud->table->name);
    ch_crud_sql_add(sql, " r where ");
    enum charle_err rc = ch_crud_sql_add_key(sql, crud, "r.", key_message, key);
    ch_crud_view_add_where(view, sql);
    if (for_update && sql->dialect == CHARLE_PG)
        ch_crud_sql_add(sql, " for update of r");
    return rc;
}

enum charle_err ch_crud_fetch(const struct ch_crud *crud, struct ch_crud_view *view,
                              const struct charle_column_set *more, bool for_update,
                              const struct charle_message *key_message, const void *key, void **out_patch,
                              struct charle_column_set *out_shown)
{
    struct charle_column_set columns = view->columns;
    for (size_t i = 0; more && i < crud->table->column_count; i++) {
        bool is_there = !view->sees_all || charle_column_set_has(&view->columns, i);
        if (charle_column_set_has(more, i) && is_there)
            charle_column_set_add(&columns, i);
    }
    struct charle_rows *rows = NULL;
    struct ch_crud_sql sql;
    ch_crud_sql_init(&sql, crud->dialect);
    enum charle_err rc = CHARLE_NOT_FOUND;
    if (!view->sees_all && !view->count) {
        ch_crud_not_found(crud->table, crud->err);
        goto done;
    }
    rc = ch_crud_write_fetch(&sql, crud, view, &columns, for_update, key_message, key);
    if (!rc)
        rc = ch_crud_sql_query(&sql, crud, &rows);
    if (!rc && (rc = charle_rows_next(rows, crud->err)) == CHARLE_DONE)
        rc = ch_crud_not_found(crud->table, crud->err);
    if (rc)
        goto done;
    *out_patch = charle_arena_alloc(crud->context->arena, crud->table->patch->size);
    if (!*out_patch) {
        rc = charle_fail(crud->err, CHARLE_NO_MEMORY, "no room for a row of %.*s", CHARLE_FMT(crud->table->name));
        goto done;
    }
    rc = charle_record_read(rows, crud->table, &columns, crud->table->patch, crud->context->arena, *out_patch,
                            crud->err);
    if (!rc)
        rc = ch_crud_view_shown(view, rows, charle_column_set_count(&columns), out_shown, crud->err);
done:
    charle_rows_close(rows);
    ch_crud_sql_deinit(&sql);
    return rc;
}
