// Edits in sets: the guarded statement of crud_update_fast.c over many rows at once (crud_set.h).
//
// It changes and returns the rows that are still what their edits' bases say and that the caller sees; the others it
// leaves alone, and their calls are left over. An edit that PostgreSQL waits for behind somebody else's transaction is
// compared again with what that left.
//
// Edits whose order counts although they are of different rows are not for sets:
//
//   a value that must be unique         one may take what another gives up
//   rows seen through their own table   one may bring the other into sight
#include "msg/wire.h"
#include "services/crud_edit.h"
#include "services/crud_set.h"

#include <stdio.h>

// --- may they run together? --------------------------------------------------------------------------------

// Does a path of this audience lead through the table itself? Paths name their tables quoted.
static bool leads_through(const struct charle_audience *audience, const struct charle_table *table)
{
    char name[CH_IDENTIFIER_LEN_MAX + 3];
    snprintf(name, sizeof(name), "\"%.*s\"", CHARLE_FMT(table->name));
    return audience->path_from && strstr(audience->path_from, name);
}

static bool is_open(const struct ch_set *set)
{
    bool ok = ch_crud_fast_is_open(&set->crud, &set->view);
    for (size_t i = 0; ok && !set->view.has_always && i < set->view.count; i++)
        ok = !leads_through(set->view.seen[i].audience, set->crud.table);
    return ok;
}

static bool is_in_unique(const struct charle_table *table, const struct charle_column_set *columns)
{
    for (size_t i = 0; i < table->index_count; i++) {
        const struct charle_index *index = &table->indexes[i];
        if (index->is_unique && !index->column_count)
            return true; // of expressions: who knows
        for (size_t c = 0; index->is_unique && c < index->column_count; c++) {
            if (charle_column_set_has(columns, index->columns[c]))
                return true;
        }
    }
    return false;
}

static bool prepare(struct ch_set *set, const void *request, struct ch_set_call *out)
{
    const struct ch_crud *crud = &set->crud;
    const struct charle_message *message = crud->method->request;
    const void *base = ch_crud_sub_message(message, request, CH_CRUD_UPDATE_BASE);
    struct charle_error unsaid;
    struct ch_crud quiet = *crud;
    struct ch_crud_edit e = {.crud = &quiet, .view = set->view};
    quiet.err = &unsaid;
    e.key = ch_crud_sub_message(message, request, CH_CRUD_KEY);
    e.merge = (struct ch_merge){.table = crud->table,
                                .arena = crud->context->arena,
                                .wanted = ch_crud_sub_message(message, request, CH_CRUD_SET)};
    if (!base || !e.key || !e.merge.wanted || ch_crud_read_mask(&quiet, request, &e.merge.mask) ||
        !ch_crud_fast_prepare(&e, base, &out->shape.compared))
        return false;
    set->key_message = crud->table->key;
    out->key = e.key;
    out->values = e.merge.merged;
    out->base = e.merge.base;
    out->shape.written = e.merge.changed;
    return ch_set_nulls(crud->table, &out->shape.written, out->values, &out->shape.written_null) &&
           ch_set_nulls(crud->table, &out->shape.compared, out->base, &out->shape.compared_null) &&
           !is_in_unique(crud->table, &out->shape.written);
}

// --- the statement -----------------------------------------------------------------------------------------

static bool keeps_time(const struct charle_table *table)
{
    bool found = false;
    for (size_t i = 0; i < table->column_count; i++)
        found |= table->columns[i].generate == CHARLE_GENERATE_UPDATED;
    return found;
}

static bool has_value(const struct charle_column_set *set, const struct charle_column_set *null, size_t index)
{
    return charle_column_set_has(set, index) && !charle_column_set_has(null, index);
}

// The arrays in the order in which the text takes them.
static enum charle_err bind(struct ch_set_statement *s)
{
    const struct charle_table *table = s->set->crud.table;
    const struct ch_set_shape *shape = &s->calls[0]->shape;
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < table->column_count; i++) {
        if (has_value(&shape->written, &shape->written_null, i))
            rc = ch_set_bind(s, &table->columns[i], table->patch, offsetof(struct ch_set_call, values));
    }
    if (!rc && keeps_time(table))
        rc = ch_set_bind_now(s);
    for (size_t i = 0; !rc && i < table->key_count; i++)
        rc = ch_set_bind(s, &table->columns[table->key_columns[i]], table->key, offsetof(struct ch_set_call, key));
    for (size_t i = 0; !rc && i < table->column_count; i++) {
        if (has_value(&shape->compared, &shape->compared_null, i))
            rc = ch_set_bind(s, &table->columns[i], table->patch, offsetof(struct ch_set_call, base));
    }
    return rc;
}

static void write_column(struct ch_set_statement *s, const char *before, size_t index, const char *behind)
{
    ch_crud_sql_add(&s->sql, before);
    ch_crud_sql_add_name(&s->sql, s->set->crud.table->columns[index].name);
    ch_crud_sql_add(&s->sql, behind);
}

// The time of a row's change never goes back, though a call that was made earlier may arrive later.
static void write_times(struct ch_set_statement *s)
{
    const struct charle_table *table = s->set->crud.table;
    size_t now = s->next;
    for (size_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].generate != CHARLE_GENERATE_UPDATED)
            continue;
        write_column(s, ", ", i, " = greatest(");
        write_column(s, "r.", i, ", ");
        s->next = now; // all take the same
        ch_set_take(s);
        ch_crud_sql_add(&s->sql, ")");
    }
}

static void write_changes(struct ch_set_statement *s)
{
    const struct charle_table *table = s->set->crud.table;
    const struct ch_set_shape *shape = &s->calls[0]->shape;
    const char *before = "";
    for (size_t i = 0; i < table->column_count; i++) {
        if (!charle_column_set_has(&shape->written, i))
            continue;
        write_column(s, before, i, " = ");
        before = ", ";
        if (charle_column_set_has(&shape->written_null, i))
            ch_crud_sql_add(&s->sql, "null");
        else
            ch_set_take(s);
    }
}

static void write_conditions(struct ch_set_statement *s)
{
    const struct charle_table *table = s->set->crud.table;
    const struct ch_set_shape *shape = &s->calls[0]->shape;
    for (size_t i = 0; i < table->key_count; i++) {
        write_column(s, i ? " and r." : "r.", table->key_columns[i], " = ");
        ch_set_take(s);
    }
    for (size_t i = 0; i < table->column_count; i++) {
        if (!charle_column_set_has(&shape->compared, i))
            continue;
        bool is_null = charle_column_set_has(&shape->compared_null, i);
        write_column(s, " and r.", i, is_null ? " is null" : " is not distinct from ");
        if (!is_null)
            ch_set_take(s);
    }
    ch_crud_view_add_where(&s->set->view, &s->sql);
}

// The columns that the replies are made of.
static struct charle_column_set returned(const struct ch_set_statement *s)
{
    return s->set->calls->without_replies ? (struct charle_column_set){{0, 0}} : s->set->view.always;
}

static enum charle_err read_reply(struct ch_set_statement *s, struct charle_rows *rows)
{
    const struct ch_crud *crud = &s->set->crud;
    const struct charle_column_set shown = returned(s);
    struct charle_value place;
    void *reply = charle_arena_alloc(crud->context->arena, crud->table->patch->size);
    enum charle_err rc = reply ? charle_record_read(rows, crud->table, &shown, crud->table->patch, crud->context->arena,
                                                    reply, crud->err)
                               : charle_fail(crud->err, CHARLE_NO_MEMORY, "no room for a reply");
    if (!rc)
        rc = charle_rows_value(rows, charle_column_set_count(&shown), CHARLE_TYPE_INT8, false, &place, crud->err);
    if (!rc && (place.int8 < 1 || (size_t)place.int8 > s->count))
        rc = charle_fail(crud->err, CHARLE_INTERNAL, "PostgreSQL returned row %lld of %zu", (long long)place.int8,
                         s->count);
    return rc ? rc : ch_set_reply(s, (size_t)place.int8 - 1, reply);
}

static enum charle_err run(struct ch_set_statement *s)
{
    const struct ch_crud *crud = &s->set->crud;
    const struct charle_column_set shown = returned(s);
    struct charle_rows *rows = NULL;
    enum charle_err rc = bind(s);
    if (rc)
        return rc;
    ch_crud_sql_add(&s->sql, "update ");
    ch_crud_sql_add_name(&s->sql, crud->table->name);
    ch_crud_sql_add(&s->sql, " r set ");
    write_changes(s);
    write_times(s);
    ch_crud_sql_add(&s->sql, " from ");
    ch_set_write_unnest(s);
    ch_crud_sql_add(&s->sql, " where ");
    write_conditions(s);
    ch_crud_sql_add(&s->sql, " returning ");
    charle_table_write_columns(crud->table, &shown, "r.", &s->sql.text);
    ch_crud_sql_add(&s->sql, charle_column_set_count(&shown) ? ", u.n" : "u.n");
    rc = ch_set_query(s, &rows);
    while (!rc && !(rc = charle_rows_next(rows, crud->err)))
        rc = read_reply(s, rows);
    charle_rows_close(rows);
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

const struct ch_set_kind ch_set_update = {is_open, prepare, run};
