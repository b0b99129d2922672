// Pages of a list by key: a cursor holds the order's value and the key of the last row of a page.
//
// As text it is base64url of: the order column's number (varint), one byte that is 1 for ascending, and a patch with
// the order column and the key. Clients pass it back unread. Rows without a value come last in both directions, in both
// databases.
#include "msg/wire.h"
#include "services/crud_parts.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static bool write_text(struct charle_bytes bytes, struct charle_arena *arena, struct charle_str *out)
{
    char *to = charle_arena_alloc(arena, (bytes.len + 2) / 3 * 4 + 1);
    size_t len = 0;
    for (size_t i = 0; to && i < bytes.len; i += 3) {
        uint32_t left = (uint32_t)(bytes.len - i), v = (uint32_t)bytes.ptr[i] << 16;
        v |= left > 1 ? (uint32_t)bytes.ptr[i + 1] << 8 : 0;
        v |= left > 2 ? bytes.ptr[i + 2] : 0;
        for (uint32_t n = 0; n < 4 && n <= left; n++)
            to[len++] = digits[v >> (18 - 6 * n) & 63];
    }
    *out = charle_str_n(to, len);
    return to != NULL;
}

static bool read_text(struct charle_str text, struct charle_arena *arena, struct charle_bytes *out)
{
    uint8_t *to = charle_arena_alloc(arena, text.len + 1);
    uint32_t v = 0;
    int bits = 0;
    size_t len = 0;
    for (size_t i = 0; to && i < text.len; i++) {
        const char *digit = text.ptr[i] ? strchr(digits, text.ptr[i]) : NULL;
        if (!digit)
            return false;
        v = v << 6 | (uint32_t)(digit - digits);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            to[len++] = (uint8_t)(v >> bits);
        }
    }
    *out = charle_bytes(to, len);
    return to != NULL;
}

static struct charle_column_set columns_of(const struct charle_table *table, const struct ch_crud_order *order)
{
    struct charle_column_set set = charle_table_key_set(table);
    charle_column_set_add(&set, order->column->index);
    return set;
}

enum charle_err ch_crud_cursor_write(const struct ch_crud *crud, const struct ch_crud_order *order, const void *patch,
                                     struct charle_str *out)
{
    struct charle_arena *arena = crud->context->arena;
    struct charle_column_set columns = columns_of(crud->table, order);
    struct charle_buf buf = {0};
    void *place = charle_arena_alloc(arena, crud->table->patch->size);
    if (place)
        ch_crud_patch_copy(crud->table, place, patch, &columns);
    charle_wire_write_varint(&buf, order->column->field->number);
    charle_buf_add_byte(&buf, order->is_ascending);
    if (place)
        charle_message_write(crud->table->patch, place, &buf);
    bool ok = place && !buf.failed && write_text(charle_buf_bytes(&buf), arena, out);
    charle_buf_deinit(&buf);
    return ok ? CHARLE_OK : charle_fail(crud->err, CHARLE_NO_MEMORY, "no room for the place of the next page");
}

static enum charle_err foreign(const struct ch_crud *crud)
{
    return charle_fail(crud->err, CHARLE_INVALID_ARGUMENT,
                       "`after` is not the `next` of a page of %.*s in this order; pass back what the page before gave",
                       CHARLE_FMT(crud->table->name));
}

static enum charle_err read_cursor(const struct ch_crud *crud, const struct ch_crud_order *order,
                                   struct charle_str cursor, void **out)
{
    const struct charle_table *table = crud->table;
    struct charle_bytes bytes;
    *out = charle_arena_alloc(crud->context->arena, table->patch->size);
    if (!*out || !read_text(cursor, crud->context->arena, &bytes))
        return foreign(crud);
    uint32_t number = order->column->field->number;
    size_t head = charle_wire_varint_size(number);
    uint64_t seen = 0;
    for (size_t i = 0; i < head && i < bytes.len; i++)
        seen |= (uint64_t)(bytes.ptr[i] & 0x7f) << (7 * i);
    if (bytes.len <= head || seen != number || bytes.ptr[head] != order->is_ascending)
        return foreign(crud);
    struct charle_bytes place = charle_bytes(bytes.ptr + head + 1, bytes.len - head - 1);
    if (charle_message_read(table->patch, place, crud->context->arena, *out, NULL))
        return foreign(crud);
    for (size_t i = 0; i < table->key_count; i++) {
        if (!charle_field_has(ch_crud_patch_field(table, &table->columns[table->key_columns[i]]), *out))
            return foreign(crud);
    }
    return CHARLE_OK;
}

// The columns of the order: the one asked for, and the key's others. At most CH_COLUMNS_MAX.
struct steps {
    const struct charle_column *columns[CH_COLUMNS_MAX];
    size_t params[CH_COLUMNS_MAX]; // numbers of their values
    size_t count;
    bool is_null; // the first column's value
};

static enum charle_err bind_steps(const struct ch_crud *crud, const struct ch_crud_order *order, const void *place,
                                  struct ch_crud_sql *sql, struct steps *out)
{
    const struct charle_table *table = crud->table;
    out->columns[0] = order->column;
    out->count = 1;
    for (size_t i = 0; i < table->key_count; i++) {
        if (table->key_columns[i] != order->column->index)
            out->columns[out->count++] = &table->columns[table->key_columns[i]];
    }
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < out->count; i++) {
        struct charle_value value;
        rc = ch_crud_value(crud, out->columns[i], table->patch, place, &value);
        if (rc)
            break;
        out->is_null = i ? out->is_null : value.is_null;
        out->params[i] = value.is_null ? 0 : ch_crud_sql_bind(sql, &value);
    }
    return rc;
}

static void add_comparison(struct ch_crud_sql *sql, const struct steps *steps, size_t i, const char *op)
{
    ch_crud_sql_add_column(sql, steps->columns[i]);
    if (i == 0 && steps->is_null)
        ch_crud_sql_add(sql, " is null");
    else
        charle_buf_printf(&sql->text, "%s$%zu", op, steps->params[i]);
}

// A row value is compared in one go and finds its place in an index. It knows no NULLs.
static void add_row_comparison(struct ch_crud_sql *sql, const struct steps *steps, const char *op)
{
    ch_crud_sql_add(sql, " and (");
    for (size_t i = 0; i < steps->count; i++) {
        ch_crud_sql_add(sql, i ? ", " : "");
        ch_crud_sql_add_column(sql, steps->columns[i]);
    }
    ch_crud_sql_add(sql, ")");
    ch_crud_sql_add(sql, op);
    for (size_t i = 0; i < steps->count; i++)
        charle_buf_printf(&sql->text, "%s$%zu", i ? ", " : "(", steps->params[i]);
    ch_crud_sql_add(sql, ")");
}

enum charle_err ch_crud_cursor_add(const struct ch_crud *crud, const struct ch_crud_order *order,
                                   struct charle_str cursor, struct ch_crud_sql *sql)
{
    void *place;
    struct steps steps = {0};
    enum charle_err rc = read_cursor(crud, order, cursor, &place);
    if (!rc)
        rc = bind_steps(crud, order, place, sql, &steps);
    if (rc)
        return rc;
    const char *op = order->is_ascending ? " > " : " < ";
    if (!ch_crud_order_is_nullable(crud, order)) {
        if (steps.is_null)
            return foreign(crud);
        add_row_comparison(sql, &steps, op);
        return CHARLE_OK;
    }
    ch_crud_sql_add(sql, " and (");
    for (size_t i = steps.is_null ? 1 : 0; i < steps.count;
         i++) { // equal in all columns before, and behind in this one
        ch_crud_sql_add(sql, i > (steps.is_null ? 1u : 0u) ? " or (" : "(");
        for (size_t n = 0; n < i; n++) {
            add_comparison(sql, &steps, n, " = ");
            ch_crud_sql_add(sql, " and ");
        }
        add_comparison(sql, &steps, i, op);
        ch_crud_sql_add(sql, ")");
    }
    if (!steps.is_null) {
        ch_crud_sql_add(sql, " or ");
        ch_crud_sql_add_column(sql, order->column);
        ch_crud_sql_add(sql, " is null");
    }
    ch_crud_sql_add(sql, steps.is_null && steps.count == 1 ? "false)" : ")");
    return CHARLE_OK;
}
