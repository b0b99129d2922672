// What an offline edit was based on, put into its request before it is queued.
//
// The request's own bytes stay as they are; what is added stands behind them, where protobuf's rules merge it in: the
// base, and for columns that change only together with others (merge: GROUP) those others with their present values, so
// that the server sees when one of them moved.
#include "msg/wire.h"
#include "services/crud_parts.h"
#include "sync/merge.h"

static void write_columns(const struct charle_table *table, const void *row, const struct charle_column_set *columns,
                          uint32_t number, struct charle_arena *arena, struct charle_buf *out)
{
    struct charle_buf bytes = {0};
    void *part = charle_arena_alloc(arena, table->patch->size);
    if (part) {
        ch_crud_patch_copy(table, part, row, columns);
        charle_message_write(table->patch, part, &bytes);
    }
    charle_wire_write_buf(out, number, &bytes);
    if (!part)
        out->failed = CHARLE_NO_MEMORY;
    charle_buf_deinit(&bytes);
}

static void write_mask(const struct charle_table *table, const struct charle_column_set *columns,
                       struct charle_buf *out)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (!charle_column_set_has(columns, i))
            continue;
        charle_wire_write_tag(out, CH_CRUD_MASK, 0);
        charle_wire_write_varint(out, table->columns[i].field->number);
    }
}

static enum charle_err add_base(const struct ch_crud *crud, const void *request, struct charle_buf *out)
{
    const struct charle_table *table = crud->table;
    const struct charle_message *message = crud->method->request;
    const void *key = ch_crud_sub_message(message, request, CH_CRUD_KEY);
    struct charle_column_set mask, shown;
    struct ch_crud_view view;
    void *row;
    enum charle_err rc = ch_crud_read_mask(crud, request, &mask);
    if (!rc)
        rc = ch_crud_view_init(&view, crud);
    if (!rc)
        rc = ch_crud_fetch(crud, &view, NULL, false, table->key, key, &row, &shown);
    if (rc)
        return rc == CHARLE_NOT_FOUND ? CHARLE_OK : rc; // the call itself will say so
    struct charle_column_set needs = ch_merge_needs(table, &mask), extra;
    for (size_t i = 0; i < 2; i++) {
        needs.bits[i] &= shown.bits[i];
        extra.bits[i] = needs.bits[i] & ~mask.bits[i];
    }
    write_columns(table, row, &needs, CH_CRUD_UPDATE_BASE, crud->context->arena, out);
    if (extra.bits[0] | extra.bits[1]) {
        write_columns(table, row, &extra, CH_CRUD_SET, crud->context->arena, out);
        if (!ch_crud_mask(message, request)->count)
            write_mask(table, &mask, out); // it was what `set` had; now it must be said
        write_mask(table, &extra, out);
    }
    return CHARLE_OK;
}

enum charle_err ch_crud_add_base(const struct charle_method *method, struct charle_context *context,
                                 struct charle_bytes request, struct charle_buf *out, struct charle_error *err)
{
    struct charle_error own = {0};
    charle_buf_add(out, request.ptr, request.len);
    if (method->crud != CHARLE_CRUD_UPDATE || !method->table)
        return CHARLE_OK;
    struct ch_crud crud = {method, context, method->table, charle_db_dialect(context->db), err ? err : &own};
    void *message = charle_arena_alloc(context->arena, method->request->size);
    enum charle_err rc = message ? charle_message_read(method->request, request, context->arena, message, crud.err)
                                 : charle_fail(crud.err, CHARLE_NO_MEMORY, "no room for a request");
    if (!rc && !ch_crud_sub_message(method->request, message, CH_CRUD_UPDATE_BASE))
        rc = add_base(&crud, message, out);
    if (!rc && out->failed)
        rc = charle_fail(crud.err, out->failed, "the request of %.*s cannot take what it was based on: %s",
                         CHARLE_FMT(method->name), charle_err_text(out->failed));
    return rc;
}

enum charle_err ch_crud_drop_base(const struct charle_method *method, struct charle_arena *arena, struct charle_bytes request,
                                  struct charle_buf *out, struct charle_error *err)
{
    uint32_t number = method->crud == CHARLE_CRUD_UPDATE ? CH_CRUD_UPDATE_BASE : method->crud == CHARLE_CRUD_DELETE ? CH_CRUD_DELETE_BASE : 0;
    const struct charle_field *base = number ? charle_message_field(method->request, number) : NULL;
    if (!base) {
        charle_buf_add(out, request.ptr, request.len);
        return out->failed ? charle_fail(err, out->failed, "no room for a request") : CHARLE_OK;
    }
    char *message = charle_arena_alloc(arena, method->request->size);
    enum charle_err rc = message ? charle_message_read(method->request, request, arena, message, err)
                                 : charle_fail(err, CHARLE_NO_MEMORY, "no room for a request");
    if (rc)
        return rc;
    memset(message + base->offset, 0, sizeof(void *)); // a message within is a pointer
    charle_message_write(method->request, message, out);
    return out->failed ? charle_fail(err, out->failed, "no room for a request") : CHARLE_OK;
}
