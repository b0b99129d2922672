// Filters of a list: a column, an operator, values as text. The column's descriptor says what fits.
#include "msg/json.h"
#include "services/crud_parts.h"

// Numbers of charle.FilterOp.
enum { OP_EQ = 1, OP_NE, OP_GT, OP_GTE, OP_LT, OP_LTE, OP_LIKE, OP_ILIKE, OP_IS_NULL, OP_IS_NOT_NULL, OP_IN, OP_COUNT };
enum { FILTER_COLUMN = 1, FILTER_OP = 2, FILTER_VALUE = 3 }; // fields of charle.Filter

static const struct {
    const char *name, *sql;
} ops[OP_COUNT] = {
    [OP_EQ] = {"eq", " = "},
    [OP_NE] = {"ne", " <> "},
    [OP_GT] = {"gt", " > "},
    [OP_GTE] = {"gte", " >= "},
    [OP_LT] = {"lt", " < "},
    [OP_LTE] = {"lte", " <= "},
    [OP_LIKE] = {"like", " like "},
    [OP_ILIKE] = {"ilike", " ilike "},
    [OP_IS_NULL] = {"is_null", " is null"},
    [OP_IS_NOT_NULL] = {"is_not_null", " is not null"},
    [OP_IN] = {"in", ""},
};

struct filter {
    const struct ch_crud *crud;
    const struct charle_column *column;
    int32_t op;
    const struct charle_str *values;
    size_t value_count;
};

void ch_crud_sql_add_column(struct ch_crud_sql *sql, const struct charle_column *column)
{
    ch_crud_sql_add(sql, "r.");
    ch_crud_sql_add_name(sql, column->name);
    if (sql->dialect == CHARLE_SQLITE && column->field->type == CHARLE_TYPE_NUMERIC)
        ch_crud_sql_add(sql, " collate charle_numeric");
}

static enum charle_err refuse(const struct filter *f, const char *why)
{
    return charle_fail(f->crud->err, CHARLE_INVALID_ARGUMENT, "filter %s on %.*s: %s", ops[f->op].name,
                       CHARLE_FMT(f->column->name), why);
}

// Does the operator fit the column's type?
static const char *why_unfit(const struct filter *f)
{
    enum charle_type type = (enum charle_type)f->column->field->type;
    if (f->op == OP_IS_NULL || f->op == OP_IS_NOT_NULL)
        return NULL;
    if (f->column->is_array)
        return "an array can only be asked for is_null and is_not_null";
    if (type == CHARLE_TYPE_JSONB)
        return "a JSON column can only be asked for is_null and is_not_null";
    bool is_match = f->op == OP_LIKE || f->op == OP_ILIKE;
    if (is_match && type != CHARLE_TYPE_TEXT)
        return "patterns are for text columns";
    bool is_order = f->op >= OP_GT && f->op <= OP_LTE;
    if (is_order && (type == CHARLE_TYPE_BOOL || type == CHARLE_TYPE_ENUM || type == CHARLE_TYPE_BYTES))
        return "this column has no order; use eq, ne or in";
    return f->op == OP_IN && type == CHARLE_TYPE_BYTES ? "bytes can be asked for eq and ne only" : NULL;
}

static const char *why_wrong_count(const struct filter *f)
{
    bool takes_none = f->op == OP_IS_NULL || f->op == OP_IS_NOT_NULL;
    if (takes_none)
        return f->value_count ? "takes no value" : NULL;
    if (f->op == OP_IN)
        return !f->value_count || f->value_count > CH_CRUD_IN_MAX ? "takes 1 to 1000 values" : NULL;
    return f->value_count != 1 ? "takes one value" : NULL;
}

// A pattern that ends in the middle of an escape is an error in PostgreSQL and nothing in SQLite: refused in both.
static bool ends_in_escape(struct charle_str pattern)
{
    size_t count = 0;
    while (count < pattern.len && pattern.ptr[pattern.len - 1 - count] == '\\')
        count++;
    return count % 2;
}

// One value of the column's C type, at `to`.
static enum charle_err read_value(const struct filter *f, struct charle_str text, void *to)
{
    enum charle_err rc = charle_field_read_text(f->column->field, text, f->crud->context->arena, to, f->crud->err);
    return rc ? charle_error_prefix(f->crud->err, rc, "filter %s", ops[f->op].name) : CHARLE_OK;
}

static enum charle_err read_single(const struct filter *f, struct charle_value *out)
{
    struct charle_field field = *f->column->field;
    struct charle_value raw = {.type = field.type};
    enum charle_err rc = read_value(f, f->values[0], &raw.int8);
    if (rc)
        return rc;
    *out = raw;
    if (field.type == CHARLE_TYPE_ENUM) {
        out->type = CHARLE_TYPE_TEXT;
        return ch_row_enum_name(&field, raw.int4, &out->text, f->crud->err);
    }
    return CHARLE_OK;
}

static enum charle_err read_list(const struct filter *f, struct charle_value *out)
{
    const struct charle_field *field = f->column->field;
    struct charle_arena *arena = f->crud->context->arena;
    size_t size = charle_type_size((enum charle_type)field->type);
    char *items = charle_arena_array(arena, f->value_count, size);
    enum charle_err rc = items ? CHARLE_OK : charle_fail(f->crud->err, CHARLE_NO_MEMORY, "no room for a filter");
    for (size_t i = 0; !rc && i < f->value_count; i++)
        rc = read_value(f, f->values[i], items + i * size);
    *out = (struct charle_value){.type = field->type, .is_array = true, .array = {items, f->value_count, true}};
    if (rc || field->type != CHARLE_TYPE_ENUM)
        return rc;
    out->type = CHARLE_TYPE_TEXT;
    const struct charle_array numbers = out->array;
    return ch_row_enum_names(field, &numbers, arena, &out->array, f->crud->err);
}

static void write_match(const struct filter *f, struct ch_crud_sql *sql)
{
    struct charle_value pattern = charle_text(f->values[0]);
    // Text columns have the collation "C", in which PostgreSQL's ilike folds ASCII letters only; so does SQLite's
    // lower().
    bool folds = f->op == OP_ILIKE && sql->dialect == CHARLE_SQLITE;
    ch_crud_sql_add(sql, folds ? "lower(" : "");
    ch_crud_sql_add_column(sql, f->column);
    ch_crud_sql_add(sql, folds ? ") like lower(" : ops[f->op].sql);
    ch_crud_sql_add_param(sql, &pattern);
    ch_crud_sql_add(sql, folds ? ") escape '\\'" : " escape '\\'");
}

static enum charle_err write_filter(const struct filter *f, struct ch_crud_sql *sql)
{
    struct charle_value value;
    enum charle_err rc = CHARLE_OK;
    ch_crud_sql_add(sql, " and ");
    if (f->op == OP_LIKE || f->op == OP_ILIKE) {
        if (ends_in_escape(f->values[0]))
            return refuse(f, "the pattern ends in a single backslash; write two");
        if (read_value(f, f->values[0], &value.text))
            return f->crud->err->code;
        write_match(f, sql);
        return CHARLE_OK;
    }
    if (f->op == OP_IN) {
        rc = read_list(f, &value);
        ch_crud_sql_add(sql, "r.");
        ch_crud_sql_add_name(sql, f->column->name);
        if (!rc)
            ch_crud_sql_add_any(sql, ch_crud_sql_bind(sql, &value));
        return rc;
    }
    ch_crud_sql_add_column(sql, f->column);
    ch_crud_sql_add(sql, ops[f->op].sql);
    if (f->op != OP_IS_NULL && f->op != OP_IS_NOT_NULL && !(rc = read_single(f, &value)))
        ch_crud_sql_add_param(sql, &value);
    return rc;
}

static enum charle_err add_filter(const struct ch_crud *crud, struct ch_crud_view *view,
                                  const struct charle_message *message, const void *record, struct ch_crud_sql *sql)
{
    struct charle_str name =
        *(const struct charle_str *)charle_field_ptr(charle_message_field(message, FILTER_COLUMN), record);
    const struct charle_array *values = charle_field_ptr(charle_message_field(message, FILTER_VALUE), record);
    struct filter f = {.crud = crud,
                       .column = charle_table_column(crud->table, name),
                       .values = values->items,
                       .value_count = values->count};
    f.op = *(const int32_t *)charle_field_ptr(charle_message_field(message, FILTER_OP), record);
    if (!f.column || f.column->is_server_only)
        return charle_fail(crud->err, CHARLE_INVALID_ARGUMENT, "%.*s has no column \"%.*s\" to filter by",
                           CHARLE_FMT(crud->table->name), (int)(name.len < 64 ? name.len : 64),
                           name.ptr ? name.ptr : "");
    if (f.op < OP_EQ || f.op >= OP_COUNT)
        return charle_fail(crud->err, CHARLE_INVALID_ARGUMENT, "the filter on %.*s has the unknown operator %d",
                           CHARLE_FMT(name), f.op);
    const char *why = why_unfit(&f);
    why = why ? why : why_wrong_count(&f);
    if (why)
        return refuse(&f, why);
    // A filter must not tell what the caller does not see.
    enum charle_err rc = ch_crud_view_add_column(view, crud, f.column, sql);
    return rc ? rc : write_filter(&f, sql);
}

enum charle_err ch_crud_add_filters(const struct ch_crud *crud, struct ch_crud_view *view,
                                    const struct charle_message *filter_message, const struct charle_array *filters,
                                    struct ch_crud_sql *sql)
{
    if (filters->count > CH_CRUD_FILTERS_MAX)
        return charle_fail(crud->err, CHARLE_INVALID_ARGUMENT, "%zu filters are given; at most %d are allowed",
                           filters->count, CH_CRUD_FILTERS_MAX);
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < filters->count; i++)
        rc = add_filter(crud, view, filter_message, ((const void *const *)filters->items)[i], sql);
    return rc;
}
