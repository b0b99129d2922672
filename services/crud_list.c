// List: filtered, ordered pages of what the caller sees.
#include "services/crud_parts.h"

enum { FILTER = 1, ORDER_BY = 2, ASCENDING = 3, LIMIT = 4, AFTER = 5 }; // fields of charle.ListRequest
enum { ROWS = 1, NEXT = 2 };                                            // fields of a page

struct listing {
    const struct ch_crud *crud;
    struct ch_crud_view view;
    struct ch_crud_order order;
    const struct charle_array *filters;
    const struct charle_message *filter_message;
    const struct charle_opt_text *after;
    int64_t limit;
};

static const void *member(const struct charle_message *message, const void *record, uint32_t number)
{
    return charle_field_ptr(charle_message_field(message, number), record);
}

bool ch_crud_order_is_nullable(const struct ch_crud *crud, const struct ch_crud_order *order)
{
    const struct charle_table *table = crud->table;
    for (size_t i = 0; i < table->key_count; i++) {
        if (table->key_columns[i] == order->column->index)
            return false;
    }
    return order->column->is_nullable || crud->context->is_replica;
}

static enum charle_err read_order(struct listing *l, const struct charle_opt_text *order_by)
{
    const struct charle_table *table = l->crud->table;
    l->order.column = charle_table_column(table, order_by->has ? order_by->value : CHARLE_STR("created_at"));
    bool is_seen = l->order.column && charle_column_set_has(&l->view.columns, l->order.column->index);
    if (!order_by->has && !is_seen)
        l->order.column = &table->columns[table->key_columns[0]];
    else if (!is_seen)
        return charle_fail(l->crud->err, CHARLE_INVALID_ARGUMENT, "%.*s has no column \"%.*s\" to order by",
                           CHARLE_FMT(table->name), (int)(order_by->value.len < 64 ? order_by->value.len : 64),
                           order_by->value.ptr);
    enum charle_type type = (enum charle_type)l->order.column->field->type;
    if (l->order.column->is_array || type == CHARLE_TYPE_JSONB || type == CHARLE_TYPE_BYTES)
        return charle_fail(l->crud->err, CHARLE_INVALID_ARGUMENT, "%.*s of %.*s has no order",
                           CHARLE_FMT(l->order.column->name), CHARLE_FMT(table->name));
    return CHARLE_OK;
}

static enum charle_err read_request(struct listing *l, const void *request)
{
    const struct charle_message *message = l->crud->method->request;
    const struct charle_opt_uint4 *limit = member(message, request, LIMIT);
    const struct charle_opt_bool *ascending = member(message, request, ASCENDING);
    l->filter_message = charle_message_field(message, FILTER)->message;
    l->filters = member(message, request, FILTER);
    l->after = member(message, request, AFTER);
    l->order.is_ascending = ascending->has && ascending->value;
    l->limit = limit->has ? limit->value : CH_CRUD_PAGE_ROWS_DEFAULT;
    if (l->limit < 1 || l->limit > CH_CRUD_PAGE_ROWS_MAX)
        return charle_fail(l->crud->err, CHARLE_INVALID_ARGUMENT, "limit is %lld; it must be 1 to %d",
                           (long long)l->limit, CH_CRUD_PAGE_ROWS_MAX);
    return read_order(l, member(message, request, ORDER_BY));
}

static void write_order(struct listing *l, struct ch_crud_sql *sql)
{
    const struct charle_table *table = l->crud->table;
    const char *direction = l->order.is_ascending ? " asc" : " desc";
    ch_crud_sql_add(sql, " order by ");
    ch_crud_sql_add_column(sql, l->order.column);
    ch_crud_sql_add(sql, direction);
    ch_crud_sql_add(sql, ch_crud_order_is_nullable(l->crud, &l->order) ? " nulls last" : "");
    for (size_t i = 0; i < table->key_count; i++) {
        if (table->key_columns[i] == l->order.column->index)
            continue;
        ch_crud_sql_add(sql, ", ");
        ch_crud_sql_add_column(sql, &table->columns[table->key_columns[i]]);
        ch_crud_sql_add(sql, direction);
    }
}

static enum charle_err write_list(struct listing *l, struct ch_crud_sql *sql)
{
    const struct ch_crud *crud = l->crud;
    ch_crud_sql_add(sql, "select ");
    charle_table_write_columns(crud->table, &l->view.columns, "r.", &sql->text);
    ch_crud_view_add_flags(&l->view, sql);
    ch_crud_sql_add(sql, " from ");
    ch_crud_sql_add_name(sql, crud->table->name);
    // Not `where true`: where a column is called "true", SQLite means the column.
    ch_crud_sql_add(sql, " r where 1 = 1");
    ch_crud_view_add_where(&l->view, sql);
    enum charle_err rc = ch_crud_view_add_column(&l->view, crud, l->order.column, sql);
    if (!rc)
        rc = ch_crud_add_filters(crud, &l->view, l->filter_message, l->filters, sql);
    if (!rc && l->after->has)
        rc = ch_crud_cursor_add(crud, &l->order, l->after->value, sql);
    if (rc)
        return rc;
    write_order(l, sql);
    ch_crud_sql_add(sql, " limit ");
    const struct charle_value limit = charle_int8(l->limit + 1); // one more tells whether there is a next page
    ch_crud_sql_add_param(sql, &limit);
    return CHARLE_OK;
}

// Roughly what a row takes on the wire.
static size_t row_size(const struct charle_table *table, const void *patch)
{
    size_t size = 0;
    for (size_t i = 0; i < table->column_count; i++) {
        const struct charle_field *field = ch_crud_patch_field(table, &table->columns[i]);
        const struct charle_array *array = charle_field_ptr(field, patch);
        bool is_text = field->wire == CHARLE_WIRE_STRING || field->wire == CHARLE_WIRE_BYTES;
        if (!charle_field_has(field, patch))
            continue;
        const struct charle_str *texts =
            field->label == CHARLE_REPEATED ? array->items : charle_field_ptr(field, patch);
        size_t count = field->label == CHARLE_REPEATED ? array->count : 1;
        for (size_t n = 0; n < count; n++)
            size += is_text && field->type != CHARLE_TYPE_UUID ? texts[n].len + 4 : 10;
    }
    return size;
}

static enum charle_err read_page(struct listing *l, struct charle_rows *rows, void **items, size_t *out_count,
                                 bool *out_has_more)
{
    const struct ch_crud *crud = l->crud;
    struct charle_arena *arena = crud->context->arena;
    size_t page_size = 0, column_count = charle_column_set_count(&l->view.columns);
    enum charle_err rc;
    *out_count = 0;
    *out_has_more = false;
    while ((rc = charle_rows_next(rows, crud->err)) == CHARLE_OK) {
        if (*out_count == (size_t)l->limit || page_size > CH_CRUD_PAGE_SIZE_MAX) {
            *out_has_more = true;
            return CHARLE_OK;
        }
        struct charle_column_set shown;
        void *patch = charle_arena_alloc(arena, crud->table->patch->size);
        if (!patch)
            return charle_fail(crud->err, CHARLE_TOO_LARGE, "the page does not fit in memory; ask for a smaller limit");
        rc = charle_record_read(rows, crud->table, &l->view.columns, crud->table->patch, arena, patch, crud->err);
        if (!rc)
            rc = ch_crud_view_shown(&l->view, rows, column_count, &shown, crud->err);
        if (rc)
            return rc;
        ch_crud_patch_keep(crud->table, patch, &shown);
        page_size += row_size(crud->table, patch);
        items[(*out_count)++] = patch;
    }
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

static enum charle_err fill_reply(struct listing *l, struct charle_rows *rows, void *reply)
{
    const struct charle_message *message = l->crud->method->reply;
    struct charle_array *page = charle_field_ptr(charle_message_field(message, ROWS), reply);
    struct charle_opt_text *next = charle_field_ptr(charle_message_field(message, NEXT), reply);
    void **items = charle_arena_array(l->crud->context->arena, (size_t)l->limit, sizeof(*items));
    if (!items)
        return charle_fail(l->crud->err, CHARLE_TOO_LARGE, "the page does not fit in memory; ask for a smaller limit");
    size_t count;
    bool has_more;
    enum charle_err rc = read_page(l, rows, items, &count, &has_more);
    if (rc)
        return rc;
    *page = (struct charle_array){items, count, true};
    next->has = has_more;
    return has_more ? ch_crud_cursor_write(l->crud, &l->order, items[count - 1], &next->value) : CHARLE_OK;
}

enum charle_err ch_crud_list(const struct ch_crud *crud, const void *request, void *reply)
{
    struct listing l;
    struct charle_rows *rows = NULL;
    struct ch_crud_sql sql;
    l.crud = crud;
    ch_crud_sql_init(&sql, crud->dialect);
    enum charle_err rc = ch_crud_view_init(&l.view, crud);
    if (!rc && !l.view.sees_all && !l.view.count)
        goto done; // no audience, no rows: an empty page
    if (!rc)
        rc = read_request(&l, request);
    if (!rc)
        rc = write_list(&l, &sql);
    if (!rc)
        rc = ch_crud_sql_query(&sql, crud, &rows);
    if (!rc)
        rc = fill_reply(&l, rows, reply);
done:
    charle_rows_close(rows);
    ch_crud_sql_deinit(&sql);
    return rc;
}
