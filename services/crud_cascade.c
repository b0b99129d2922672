// Deleting on a replica: its tables have no foreign keys, so what PostgreSQL would do to the rows that refer to a
// deleted one is done here, from the descriptors, as far as such rows are on the device.
#include "services/crud_parts.h"

struct cascade {
    const struct ch_crud *crud;
    size_t row_count; // deleted so far
};

static enum charle_err delete_with_children(struct cascade *c, const struct charle_table *table, const void *patch,
                                            int depth);

static bool is_kept_here(const struct charle_table *table, size_t column)
{
    return table->is_replicated && table->replica_columns && charle_column_set_has(table->replica_columns, column);
}

// `"t" where "column" = $1`
static void write_children(struct ch_crud_sql *sql, const struct charle_table *child,
                           const struct charle_column *column, const struct charle_value *value, const char *assignment)
{
    ch_crud_sql_add_name(sql, child->name);
    if (assignment) {
        ch_crud_sql_add(sql, " set ");
        ch_crud_sql_add_name(sql, column->name);
        ch_crud_sql_add(sql, assignment);
    }
    ch_crud_sql_add(sql, " where ");
    ch_crud_sql_add_name(sql, column->name);
    ch_crud_sql_add(sql, " = ");
    ch_crud_sql_add_param(sql, value);
}

static enum charle_err set_null(struct cascade *c, const struct charle_table *child, const struct charle_column *column,
                                const struct charle_value *value)
{
    struct ch_crud_sql sql;
    ch_crud_sql_init(&sql, c->crud->dialect);
    ch_crud_sql_add(&sql, "update ");
    write_children(&sql, child, column, value, " = null");
    enum charle_err rc = ch_crud_sql_exec(&sql, c->crud, NULL);
    ch_crud_sql_deinit(&sql);
    return rc;
}

// Reads the children's rows into an array of patches, all before any is deleted.
static enum charle_err read_children(struct cascade *c, const struct charle_table *child,
                                     const struct charle_column *column, const struct charle_value *value, void ***out,
                                     size_t *out_count)
{
    struct charle_arena *arena = c->crud->context->arena;
    struct charle_rows *rows = NULL;
    struct ch_crud_sql sql;
    size_t count = 0, capacity = 0;
    void **items = NULL;
    ch_crud_sql_init(&sql, c->crud->dialect);
    ch_crud_sql_add(&sql, "select ");
    charle_table_write_columns(child, child->replica_columns, "", &sql.text);
    ch_crud_sql_add(&sql, " from ");
    write_children(&sql, child, column, value, NULL);
    enum charle_err rc = ch_crud_sql_query(&sql, c->crud, &rows);
    while (!rc && !(rc = charle_rows_next(rows, c->crud->err))) {
        if (count == capacity) {
            capacity = capacity ? 2 * capacity : 16;
            void **larger = charle_arena_array(arena, capacity, sizeof(*larger));
            if (larger && count)
                memcpy(larger, items, count * sizeof(*larger));
            items = larger;
        }
        void *patch = items ? charle_arena_alloc(arena, child->patch->size) : NULL;
        if (!patch)
            rc = charle_fail(c->crud->err, CHARLE_NO_MEMORY, "too many rows of %.*s hang on this one",
                             CHARLE_FMT(child->name));
        else
            rc = charle_record_read(rows, child, child->replica_columns, child->patch, arena, patch, c->crud->err);
        if (!rc)
            items[count++] = patch;
    }
    charle_rows_close(rows);
    ch_crud_sql_deinit(&sql);
    *out = items;
    *out_count = count;
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

static enum charle_err follow(struct cascade *c, const struct charle_table *child, const struct charle_column *column,
                              const struct charle_value *value, int depth)
{
    enum charle_action action = (enum charle_action)column->on_delete;
    if (action == CHARLE_SET_NULL)
        return set_null(c, child, column, value);
    void **items;
    size_t count;
    enum charle_err rc = read_children(c, child, column, value, &items, &count);
    if (!rc && count && action != CHARLE_CASCADE)
        return charle_fail(c->crud->err, CHARLE_FOREIGN_KEY_VIOLATION,
                           "this %.*s cannot go: %.*s of a %.*s refers to it", CHARLE_FMT(column->references->name),
                           CHARLE_FMT(column->name), CHARLE_FMT(child->name));
    for (size_t i = 0; !rc && i < count; i++)
        rc = delete_with_children(c, child, items[i], depth + 1);
    return rc;
}

static enum charle_err follow_references(struct cascade *c, const struct charle_table *table, const void *patch,
                                         int depth)
{
    const struct charle_schema *schema = c->crud->context->schema;
    enum charle_err rc = CHARLE_OK;
    for (size_t t = 0; !rc && schema && t < schema->table_count; t++) {
        const struct charle_table *child = schema->tables[t];
        for (size_t i = 0; !rc && i < child->column_count; i++) {
            const struct charle_column *column = &child->columns[i];
            if (column->references != table || !is_kept_here(child, i) ||
                !is_kept_here(table, column->references_column))
                continue;
            struct charle_value value;
            rc = ch_crud_value(c->crud, &table->columns[column->references_column], table->patch, patch, &value);
            if (!rc && !value.is_null)
                rc = follow(c, child, column, &value, depth);
        }
    }
    return rc;
}

// The row goes first: rows that refer to each other in a circle then end by themselves.
static enum charle_err delete_with_children(struct cascade *c, const struct charle_table *table, const void *patch,
                                            int depth)
{
    if (depth > CH_CRUD_CASCADE_DEPTH_MAX || ++c->row_count > CH_CRUD_CASCADE_ROWS_MAX)
        return charle_fail(c->crud->err, CHARLE_RESOURCE_EXHAUSTED, "too much hangs on this %.*s to delete it offline",
                           CHARLE_FMT(c->crud->table->name));
    struct ch_crud here = *c->crud;
    here.table = table;
    struct ch_crud_sql sql;
    ch_crud_sql_init(&sql, here.dialect);
    ch_crud_sql_add(&sql, "delete from ");
    ch_crud_sql_add_name(&sql, table->name);
    ch_crud_sql_add(&sql, " where ");
    enum charle_err rc = ch_crud_sql_add_key(&sql, &here, "", table->patch, patch);
    if (!rc)
        rc = ch_crud_sql_exec(&sql, &here, NULL);
    ch_crud_sql_deinit(&sql);
    return rc ? rc : follow_references(c, table, patch, depth);
}

enum charle_err ch_crud_cascade(const struct ch_crud *crud, const void *patch)
{
    struct cascade c = {.crud = crud};
    return delete_with_children(&c, crud->table, patch, 0);
}
