// Create: one row from an insert message.
#include "services/crud_creation.h"

static bool is_int(const struct charle_column *column)
{
    return column->field->type == CHARLE_TYPE_INT4 || column->field->type == CHARLE_TYPE_INT8;
}

// Is the column written with an expression instead of a value: the default, where the replica's table may not have it,
// or the next number in a plain SQLite database, which has no sequences?
static bool has_expression(const struct ch_crud_creation *c, const struct charle_column *column)
{
    bool is_replica = c->crud->context->is_replica;
    if (c->crud->dialect == CHARLE_PG)
        return false;
    return is_replica ? column->default_sql.sqlite != NULL
                      : column->generate == CHARLE_GENERATE_SERIAL && is_int(column);
}

static enum charle_err refuse_given(const struct ch_crud *crud, const struct charle_column *column)
{
    const char *why = column->is_server_only                       ? "is not written this way"
                      : column->generate == CHARLE_GENERATE_SERIAL ? "is numbered by the server"
                      : column->merge == CHARLE_MERGE_DERIVED      ? "is worked out from other values"
                                                                   : "is kept by the system";
    return charle_fail(crud->err, CHARLE_INVALID_ARGUMENT, "%.*s of %.*s %s; leave it out", CHARLE_FMT(column->name),
                       CHARLE_FMT(crud->table->name), why);
}

static enum charle_err take_given(struct ch_crud_creation *c, const struct charle_column *column,
                                  const struct charle_field *field, const void *request)
{
    const struct ch_crud *crud = c->crud;
    bool is_kept = column->generate == CHARLE_GENERATE_NOW || column->generate == CHARLE_GENERATE_UPDATED ||
                   column->generate == CHARLE_GENERATE_SERIAL;
    // A derived column that an insert must have (NOT NULL, no default) comes from whoever works it out.
    bool is_derived = column->merge == CHARLE_MERGE_DERIVED && field->label == CHARLE_OPTIONAL;
    if (is_kept || is_derived || column->is_server_only)
        return refuse_given(crud, column);
    struct charle_value value;
    enum charle_err rc = charle_record_value(column, field, request, crud->context->arena, &value, crud->err);
    if (!rc)
        rc = charle_record_store(ch_crud_patch_field(crud->table, column), c->patch, &value, crud->context->arena,
                                 crud->err);
    charle_column_set_add(&c->given, column->index);
    return rc;
}

static enum charle_err fill(struct ch_crud_creation *c, const struct charle_column *column)
{
    const struct ch_crud *crud = c->crud;
    struct charle_value value;
    switch ((enum charle_generate)column->generate) {
    case CHARLE_GENERATE_ID:
        value = charle_text(charle_context_new_id(crud->context));
        if (!value.text.ptr)
            return charle_fail(crud->err, CHARLE_NO_MEMORY, "no room for an id");
        break;
    case CHARLE_GENERATE_NOW:
    case CHARLE_GENERATE_UPDATED:
        value = charle_timestamp(crud->context->now);
        break;
    case CHARLE_GENERATE_SERIAL:
        if (!crud->context->is_replica || !is_int(column))
            return CHARLE_OK;
        value = column->field->type == CHARLE_TYPE_INT8
                    ? charle_int8(charle_context_provisional(crud->context, column))
                    : charle_int4((int32_t)charle_context_provisional(crud->context, column));
        break;
    case CHARLE_GENERATE_NONE:
        // Arrays are empty unless somebody says otherwise; a replica's table does not say so by itself.
        if (!column->is_array || column->is_nullable || column->default_sql.pg)
            return CHARLE_OK;
        value = (struct charle_value){.type = column->field->type, .is_array = true, .array = {.has = true}};
        break;
    }
    charle_column_set_add(&c->filled, column->index);
    return charle_record_store(ch_crud_patch_field(crud->table, column), c->patch, &value, crud->context->arena,
                               crud->err);
}

enum charle_err ch_crud_creation_collect(struct ch_crud_creation *c, const void *request)
{
    const struct charle_table *table = c->crud->table;
    enum charle_err rc = CHARLE_OK;
    c->given = c->filled = (struct charle_column_set){{0, 0}};
    c->patch = charle_arena_alloc(c->crud->context->arena, table->patch->size);
    if (!c->patch)
        return charle_fail(c->crud->err, CHARLE_NO_MEMORY, "no room for a row of %.*s", CHARLE_FMT(table->name));
    for (size_t i = 0; !rc && i < table->column_count; i++) {
        const struct charle_column *column = &table->columns[i];
        const struct charle_field *field = charle_message_field(table->insert, column->field->number);
        if (field && charle_field_has(field, request))
            rc = take_given(c, column, field, request);
        else
            rc = fill(c, column);
    }
    return rc;
}

static void write_expression(struct ch_crud_sql *sql, const struct charle_table *table,
                             const struct charle_column *column)
{
    ch_crud_sql_add(sql, "(");
    if (column->generate == CHARLE_GENERATE_SERIAL) {
        ch_crud_sql_add(sql, "select max(coalesce(max(");
        ch_crud_sql_add_name(sql, column->name);
        ch_crud_sql_add(sql, "), 0), 0) + 1 from ");
        ch_crud_sql_add_name(sql, table->name);
    } else {
        ch_crud_sql_add(sql, column->default_sql.sqlite);
    }
    ch_crud_sql_add(sql, ")");
}

// Writes the names or, in a second pass, the values of the columns that are inserted.
static enum charle_err write_columns(const struct ch_crud_creation *c, struct ch_crud_sql *sql, bool is_values)
{
    const struct charle_table *table = c->crud->table;
    enum charle_err rc = CHARLE_OK;
    bool is_first = true;
    for (size_t i = 0; !rc && i < table->column_count; i++) {
        const struct charle_column *column = &table->columns[i];
        bool has_value = charle_column_set_has(&c->given, i) || charle_column_set_has(&c->filled, i);
        bool has_text = !has_value && has_expression(c, column);
        bool is_kept_here = !c->view->sees_all || charle_column_set_has(&c->view->columns, i);
        if ((!has_value && !has_text) || !is_kept_here)
            continue;
        ch_crud_sql_add(sql, is_first ? "" : ", ");
        is_first = false;
        struct charle_value value;
        if (!is_values) {
            ch_crud_sql_add_name(sql, column->name);
        } else if (has_value) {
            rc = ch_crud_value(c->crud, column, table->patch, c->patch, &value);
            if (!rc)
                ch_crud_sql_add_param(sql, &value);
        } else {
            write_expression(sql, table, column);
        }
    }
    return rc;
}

// Inserts the row and reads back `returning` into *out.
static enum charle_err insert(const struct ch_crud_creation *c, const struct charle_column_set *returning, void *out)
{
    const struct ch_crud *crud = c->crud;
    struct charle_rows *rows = NULL;
    struct ch_crud_sql sql;
    crud->context->has_written = true;
    ch_crud_sql_init(&sql, crud->dialect);
    ch_crud_sql_add(&sql, "insert into ");
    ch_crud_sql_add_name(&sql, crud->table->name);
    ch_crud_sql_add(&sql, " (");
    size_t before = sql.text.size;
    enum charle_err rc = write_columns(c, &sql, false);
    if (sql.text.size > before) {
        ch_crud_sql_add(&sql, ") values (");
        rc = rc ? rc : write_columns(c, &sql, true);
        ch_crud_sql_add(&sql, ")");
    } else {
        sql.text.size -= sizeof(" (") - 1; // every column has a default
        ch_crud_sql_add(&sql, " default values");
    }
    ch_crud_sql_add(&sql, " returning ");
    charle_table_write_columns(crud->table, returning, "", &sql.text);
    if (!rc)
        rc = ch_crud_sql_query(&sql, crud, &rows);
    if (!rc) {
        rc = charle_rows_next(rows, crud->err);
        if (rc && rc != CHARLE_DONE)
            rc = ch_crud_explain(crud, rc);
    }
    if (rc == CHARLE_DONE)
        rc = charle_fail(crud->err, CHARLE_FAILED_PRECONDITION,
                         "a rule of the database kept this %.*s from being added", CHARLE_FMT(crud->table->name));
    if (!rc)
        rc = charle_record_read(rows, crud->table, returning, crud->table->patch, crud->context->arena, out, crud->err);
    charle_rows_close(rows);
    ch_crud_sql_deinit(&sql);
    return rc;
}

// A row that no audience of the caller shows was written into a letter box: only its key is shown.
enum charle_err ch_crud_creation_project(struct ch_crud_creation *c, void *reply)
{
    const struct ch_crud *crud = c->crud;
    const struct charle_table *table = crud->table;
    struct charle_column_set shown = c->view->always, key = charle_table_key_set(table);
    if (!c->view->has_always || c->view->flag_count) {
        void *row;
        enum charle_err rc = ch_crud_fetch(crud, c->view, NULL, false, table->patch, reply, &row, &shown);
        if (rc == CHARLE_NOT_FOUND) {
            ch_crud_patch_keep(table, reply, &key);
            return CHARLE_OK;
        }
        if (rc)
            return rc;
        memcpy(reply, row, table->patch->size);
    }
    for (size_t i = 0; i < table->column_count && !c->view->sees_all; i++) {
        if (charle_column_set_has(&c->given, i) && !charle_column_set_has(&shown, i) && !charle_column_set_has(&key, i))
            return charle_fail(crud->err, CHARLE_PERMISSION_DENIED,
                               "this caller may not set %.*s of a %.*s, nor see it; leave it out",
                               CHARLE_FMT(table->columns[i].name), CHARLE_FMT(table->name));
    }
    ch_crud_patch_keep(table, reply, &shown);
    return CHARLE_OK;
}

struct charle_column_set ch_crud_creation_returning(const struct ch_crud_creation *c)
{
    struct charle_column_set returning = charle_table_key_set(c->crud->table);
    returning.bits[0] |= c->view->columns.bits[0];
    returning.bits[1] |= c->view->columns.bits[1];
    return returning;
}

enum charle_err ch_crud_create(const struct ch_crud *crud, const void *request, void *reply)
{
    struct ch_crud_view view;
    struct ch_crud_creation c = {.crud = crud, .view = &view};
    enum charle_err rc = ch_crud_view_init(&view, crud);
    if (!rc)
        rc = ch_crud_creation_collect(&c, request);
    if (!rc)
        rc = ch_crud_allow(crud, crud->table->allow_create, c.patch, "create");
    if (rc)
        return rc;
    struct charle_column_set returning = ch_crud_creation_returning(&c);
    rc = insert(&c, &returning, reply);
    return rc ? rc : ch_crud_creation_project(&c, reply);
}
