// Which rows and columns of a table the caller sees, as conditions in SQL.
//
// A row is seen through every audience of its table whose scope the caller holds; what is shown is the union of their
// columns. An audience without a condition that is constant matches every row, and its columns are always shown. Of the
// others the statement asks, row by row, only those that would show more: their conditions stand behind the columns as
// flags.
#include "services/crud_parts.h"

static void set_union(struct charle_column_set *to, const struct charle_column_set *from)
{
    to->bits[0] |= from->bits[0];
    to->bits[1] |= from->bits[1];
}

static bool is_subset(const struct charle_column_set *a, const struct charle_column_set *of)
{
    return !(a->bits[0] & ~of->bits[0]) && !(a->bits[1] & ~of->bits[1]);
}

static const char *where_of(const struct charle_audience *audience, enum charle_dialect dialect)
{
    return dialect == CHARLE_PG ? audience->where_pg : audience->where_sqlite;
}

// The keys of the scopes "name:…" that the caller holds. Scopes are sorted, so they stand together.
static enum charle_err held_keys(const struct ch_crud *crud, struct charle_str name, struct charle_array *out)
{
    const struct charle_identity *identity = crud->context->identity;
    *out = (struct charle_array){.has = true};
    size_t first = 0, count = 0;
    for (size_t i = 0; identity && i < identity->scope_count; i++) {
        struct charle_str scope = identity->scopes[i];
        bool is_key = scope.len > name.len && scope.ptr[name.len] == ':' && charle_str_has_prefix(scope, name);
        if (is_key && !count++)
            first = i;
    }
    struct charle_str *keys = count ? charle_arena_array(crud->context->arena, count, sizeof(*keys)) : NULL;
    if (count && !keys)
        return charle_fail(crud->err, CHARLE_NO_MEMORY, "no room for the caller's scopes");
    for (size_t i = 0; i < count; i++) {
        struct charle_str scope = identity->scopes[first + i];
        keys[i] = charle_str_n(scope.ptr + name.len + 1, scope.len - name.len - 1);
    }
    out->items = keys;
    out->count = count;
    return CHARLE_OK;
}

static void remove_secrets(const struct charle_table *table, struct charle_column_set *set)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].is_server_only)
            set->bits[i / 64] &= ~((uint64_t)1 << (i % 64));
    }
}

static enum charle_err add_audience(struct ch_crud_view *view, const struct ch_crud *crud,
                                    const struct charle_audience *audience)
{
    struct ch_crud_seen seen = {.audience = audience, .columns = audience->columns};
    if (audience->kind == CHARLE_AUDIENCE_CONSTANT) {
        if (!charle_context_holds(crud->context, audience->name))
            return CHARLE_OK;
        seen.is_always = !where_of(audience, crud->dialect);
    } else {
        enum charle_err rc = held_keys(crud, audience->name, &seen.keys);
        if (rc || !seen.keys.count)
            return rc;
    }
    if (view->count == CH_CRUD_AUDIENCES_MAX)
        return charle_fail(crud->err, CHARLE_INTERNAL, "%.*s has more than %d audiences", CHARLE_FMT(crud->table->name),
                           CH_CRUD_AUDIENCES_MAX);
    remove_secrets(crud->table, &seen.columns);
    set_union(&view->columns, &seen.columns);
    if (seen.is_always) {
        set_union(&view->always, &seen.columns);
        view->has_always = true;
    }
    view->seen[view->count++] = seen;
    return CHARLE_OK;
}

// What every audience shows is shown whichever matched; only the rest must be asked about.
static void find_flags(struct ch_crud_view *view)
{
    struct charle_column_set common = view->always;
    if (!view->has_always && view->count) {
        common = view->seen[0].columns;
        for (size_t i = 1; i < view->count; i++) {
            common.bits[0] &= view->seen[i].columns.bits[0];
            common.bits[1] &= view->seen[i].columns.bits[1];
        }
        view->always = common;
    }
    for (size_t i = 0; i < view->count; i++) {
        if (!is_subset(&view->seen[i].columns, &common))
            view->flags[view->flag_count++] = i;
    }
}

enum charle_err ch_crud_view_init(struct ch_crud_view *view, const struct ch_crud *crud)
{
    const struct charle_table *table = crud->table;
    view->table = table;
    view->sees_all = crud->context->is_replica;
    view->has_always = view->sees_all;
    view->count = view->flag_count = 0;
    view->columns = view->always = (struct charle_column_set){{0, 0}};
    if (view->sees_all) {
        if (!table->replica_columns || !table->is_replicated)
            return charle_fail(crud->err, CHARLE_FAILED_PRECONDITION, "%.*s is not kept on this device",
                               CHARLE_FMT(table->name));
        view->columns = view->always = *table->replica_columns;
        return CHARLE_OK;
    }
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < table->audience_count; i++)
        rc = add_audience(view, crud, &table->audiences[i]);
    if (!rc)
        find_flags(view);
    return rc;
}

static void bind_keys(struct ch_crud_seen *seen, struct ch_crud_sql *sql)
{
    // Each list is bound once a statement, wherever it is used.
    if (seen->param && seen->param <= sql->param_count && sql->params[seen->param - 1].is_array &&
        sql->params[seen->param - 1].array.items == seen->keys.items)
        return;
    const struct charle_value value = {.type = CHARLE_TYPE_TEXT, .is_array = true, .array = seen->keys};
    seen->param = ch_crud_sql_bind(sql, &value);
}

static void add_condition(struct ch_crud_seen *seen, const struct charle_table *table, struct ch_crud_sql *sql)
{
    const struct charle_audience *audience = seen->audience;
    const char *where = where_of(audience, sql->dialect);
    if (audience->kind != CHARLE_AUDIENCE_CONSTANT)
        bind_keys(seen, sql);
    ch_crud_sql_add(sql, "(");
    if (audience->kind == CHARLE_AUDIENCE_COLUMN) {
        const struct charle_column *column = &table->columns[audience->column];
        ch_crud_sql_add(sql, "r.");
        ch_crud_sql_add_name(sql, column->name);
        ch_crud_sql_add(sql, sql->dialect == CHARLE_PG && column->field->type != CHARLE_TYPE_TEXT ? "::text" : "");
        ch_crud_sql_add_any(sql, seen->param);
    } else if (audience->kind == CHARLE_AUDIENCE_PATH) {
        ch_crud_sql_add(sql, "exists (select 1 from ");
        ch_crud_sql_add(sql, audience->path_from);
        ch_crud_sql_add(sql, " and ");
        ch_crud_sql_add(sql, audience->path_key);
        ch_crud_sql_add(sql, sql->dialect == CHARLE_PG ? "::text" : "");
        ch_crud_sql_add_any(sql, seen->param);
        ch_crud_sql_add(sql, ")");
    } else if (!where) {
        ch_crud_sql_add(sql, "true");
    }
    if (where) {
        ch_crud_sql_add(sql, audience->kind == CHARLE_AUDIENCE_CONSTANT ? "(" : " and (");
        ch_crud_sql_add(sql, where);
        ch_crud_sql_add(sql, ")");
    }
    ch_crud_sql_add(sql, ")");
}

void ch_crud_view_add_where(struct ch_crud_view *view, struct ch_crud_sql *sql)
{
    if (view->has_always)
        return;
    ch_crud_sql_add(sql, " and (");
    for (size_t i = 0; i < view->count; i++) {
        ch_crud_sql_add(sql, i ? " or " : "");
        add_condition(&view->seen[i], view->table, sql);
    }
    ch_crud_sql_add(sql, view->count ? ")" : "false)");
}

enum charle_err ch_crud_view_add_column(struct ch_crud_view *view, const struct ch_crud *crud,
                                        const struct charle_column *column, struct ch_crud_sql *sql)
{
    if (!charle_column_set_has(&view->columns, column->index))
        return charle_fail(crud->err, CHARLE_INVALID_ARGUMENT, "%.*s has no column %.*s that this caller may see",
                           CHARLE_FMT(crud->table->name), CHARLE_FMT(column->name));
    if (charle_column_set_has(&view->always, column->index))
        return CHARLE_OK;
    ch_crud_sql_add(sql, " and (");
    bool is_first = true;
    for (size_t i = 0; i < view->count; i++) {
        if (!charle_column_set_has(&view->seen[i].columns, column->index))
            continue;
        ch_crud_sql_add(sql, is_first ? "" : " or ");
        add_condition(&view->seen[i], view->table, sql);
        is_first = false;
    }
    ch_crud_sql_add(sql, ")");
    return CHARLE_OK;
}

void ch_crud_view_add_flags(struct ch_crud_view *view, struct ch_crud_sql *sql)
{
    for (size_t i = 0; i < view->flag_count; i++) {
        ch_crud_sql_add(sql, ", ");
        add_condition(&view->seen[view->flags[i]], view->table, sql);
    }
}

enum charle_err ch_crud_view_shown(const struct ch_crud_view *view, struct charle_rows *rows, size_t column,
                                   struct charle_column_set *out, struct charle_error *err)
{
    *out = view->always;
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < view->flag_count; i++) {
        struct charle_value value;
        rc = charle_rows_value(rows, column + i, CHARLE_TYPE_BOOL, false, &value, err);
        if (!rc && !value.is_null && value.boolean)
            set_union(out, &view->seen[view->flags[i]].columns);
    }
    return rc;
}
