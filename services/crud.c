// The dispatch of generated methods, and Get in one and in two halves.
#include "msg/wire.h"
#include "services/crud_parts.h"

static enum charle_err get(const struct ch_crud *crud, const void *key, void *reply)
{
    struct ch_crud_view view;
    struct charle_column_set shown;
    void *row = NULL;
    enum charle_err rc = ch_crud_view_init(&view, crud);
    if (!rc)
        rc = ch_crud_fetch(crud, &view, NULL, false, crud->table->key, key, &row, &shown);
    if (rc)
        return rc;
    ch_crud_patch_keep(crud->table, row, &shown);
    memcpy(reply, row, crud->table->patch->size);
    return CHARLE_OK;
}

enum charle_err ch_crud_run(const struct charle_method *method, struct charle_context *context, const void *request,
                            void *reply, struct charle_error *err)
{
    struct charle_error own = {0};
    struct ch_crud crud = {method, context, method->table, charle_db_dialect(context->db), err ? err : &own};
    if (!method->table)
        return charle_fail(err, CHARLE_INTERNAL, "%.*s is generated, but for no table", CHARLE_FMT(method->name));
    switch ((enum charle_crud)method->crud) {
    case CHARLE_CRUD_CREATE:
        return ch_crud_create(&crud, request, reply);
    case CHARLE_CRUD_GET:
        return get(&crud, request, reply);
    case CHARLE_CRUD_LIST:
        return ch_crud_list(&crud, request, reply);
    case CHARLE_CRUD_UPDATE:
        return ch_crud_update(&crud, request, reply);
    case CHARLE_CRUD_DELETE:
        return ch_crud_delete(&crud, request);
    case CHARLE_CRUD_NONE:
        break;
    }
    return charle_fail(err, CHARLE_UNIMPLEMENTED, "%.*s is not a generated method", CHARLE_FMT(method->name));
}

// --- Get in two halves -------------------------------------------------------------------------------------

static enum charle_err keep_flags(const struct ch_crud_view *view, struct charle_arena *arena, struct ch_crud_get *out,
                                  struct charle_error *err)
{
    struct charle_column_set *flags =
        view->flag_count ? charle_arena_array(arena, view->flag_count, sizeof(*flags)) : NULL;
    if (view->flag_count && !flags)
        return charle_fail(err, CHARLE_NO_MEMORY, "no room for a statement");
    for (size_t i = 0; i < view->flag_count; i++)
        flags[i] = view->seen[view->flags[i]].columns;
    out->flags = flags;
    out->flag_count = view->flag_count;
    return CHARLE_OK;
}

static enum charle_err keep_statement(struct ch_crud_sql *sql, struct charle_arena *arena, struct ch_crud_get *out,
                                      struct charle_error *err)
{
    struct charle_value *params = charle_arena_array(arena, sql->param_count, sizeof(*params));
    out->sql = charle_arena_str(arena, charle_buf_str(&sql->text)).ptr;
    if (sql->text.failed || !params || !out->sql)
        return charle_fail(err, CHARLE_NO_MEMORY, "no room for a statement");
    memcpy(params, sql->params, sql->param_count * sizeof(*params));
    out->params = params;
    out->param_count = sql->param_count;
    return CHARLE_OK;
}

enum charle_err ch_crud_get_prepare(const struct charle_method *method, struct charle_context *context,
                                    struct charle_bytes request, enum charle_dialect dialect, struct ch_crud_get *out,
                                    struct charle_error *err)
{
    struct charle_error own = {0};
    struct ch_crud crud = {method, context, method->table, dialect, err ? err : &own};
    struct ch_crud_view view;
    struct ch_crud_sql sql;
    if (!method->table || method->crud != CHARLE_CRUD_GET)
        return charle_fail(err, CHARLE_INTERNAL, "%.*s is not a generated Get", CHARLE_FMT(method->name));
    ch_crud_sql_init(&sql, dialect);
    *out = (struct ch_crud_get){.table = method->table};
    void *key = charle_arena_alloc(context->arena, method->request->size);
    enum charle_err rc = charle_method_check_caller(method, context->identity, crud.err);
    if (!rc)
        rc = key ? charle_message_read(method->request, request, context->arena, key, crud.err)
                 : charle_fail(crud.err, CHARLE_NO_MEMORY, "no room for a key");
    if (!rc)
        rc = ch_crud_view_init(&view, &crud);
    if (!rc && !view.sees_all && !view.count)
        rc = ch_crud_not_found(crud.table, crud.err);
    if (!rc)
        rc = ch_crud_write_fetch(&sql, &crud, &view, &view.columns, false, method->request, key);
    if (!rc)
        rc = keep_statement(&sql, context->arena, out, crud.err);
    if (!rc)
        rc = keep_flags(&view, context->arena, out, crud.err);
    if (!rc) {
        out->columns = view.columns;
        out->always = view.always;
    }
    ch_crud_sql_deinit(&sql);
    return rc;
}

// Takes out of row bytes, from `start` to the end of the buffer, the fields of columns that are not shown.
static enum charle_err strip(const struct charle_table *table, const struct charle_column_set *shown,
                             struct charle_buf *buf, size_t start, struct charle_error *err)
{
    struct charle_wire_reader reader = {buf->data + start, buf->data + buf->size};
    struct charle_wire_field field;
    uint8_t *to = buf->data + start;
    enum charle_err rc;
    for (const uint8_t *at = reader.next; (rc = charle_wire_next(&reader, &field)) == CHARLE_OK; at = reader.next) {
        const struct charle_column *column = charle_table_column_numbered(table, field.number);
        size_t size = (size_t)(reader.next - at);
        if (!column || !charle_column_set_has(shown, column->index))
            continue;
        memmove(to, at, size);
        to += size;
    }
    buf->size = (size_t)(to - buf->data);
    return rc == CHARLE_DONE
               ? CHARLE_OK
               : charle_fail(err, CHARLE_INTERNAL, "a row of %.*s was encoded wrongly", CHARLE_FMT(table->name));
}

enum charle_err ch_crud_get_finish(const struct ch_crud_get *plan, const struct ch_crud_row *row,
                                   struct charle_buf *reply, struct charle_error *err)
{
    const struct charle_table *table = plan->table;
    if (!row)
        return ch_crud_not_found(table, err);
    size_t start = reply->size, column_count = charle_column_set_count(&plan->columns);
    struct charle_column_set shown = plan->always;
    enum charle_err rc = row->encode(row->row, table, &plan->columns, reply, err);
    for (size_t i = 0; !rc && i < plan->flag_count; i++) {
        bool is_seen = false;
        rc = row->flag(row->row, column_count + i, &is_seen, err);
        shown.bits[0] |= is_seen ? plan->flags[i].bits[0] : 0;
        shown.bits[1] |= is_seen ? plan->flags[i].bits[1] : 0;
    }
    if (!rc && reply->failed)
        rc = charle_fail(err, reply->failed, "a row of %.*s does not fit in the reply", CHARLE_FMT(table->name));
    bool is_whole = shown.bits[0] == plan->columns.bits[0] && shown.bits[1] == plan->columns.bits[1];
    return rc || is_whole ? rc : strip(table, &shown, reply, start, err);
}
