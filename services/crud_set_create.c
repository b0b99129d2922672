// New rows in sets: one insert for many calls (crud_set.h).
//
// All rows come to be or none: what is wrong with one of them (its key or a unique value is taken, its parent is not
// there) fails the statement. Rows that may have each other as parents are not for sets, because there a child may not
// come before its parent.
#include "services/crud_creation.h"
#include "services/crud_set.h"
#include "sync/merge.h"

#include <stddef.h>

// Everything of a new row is shown or hidden whatever is in it, so nothing must be asked of the row.
static bool is_open(const struct ch_set *set)
{
    return !set->view.sees_all && set->view.has_always && !set->view.flag_count;
}

static bool has_key(const struct ch_crud_creation *c)
{
    const struct charle_table *table = c->crud->table;
    bool ok = true;
    for (size_t i = 0; i < table->key_count; i++)
        ok = ok && (charle_column_set_has(&c->given, table->key_columns[i]) ||
                    charle_column_set_has(&c->filled, table->key_columns[i]));
    return ok;
}

static bool names_own_table(const struct charle_table *table, const struct charle_column_set *columns)
{
    bool found = false;
    for (size_t i = 0; i < table->column_count; i++)
        found |= charle_column_set_has(columns, i) && table->columns[i].references == table;
    return found;
}

// Empty arrays, which are all that may be here of arrays, are left to the default of their column or to the long way.
static bool prepare(struct ch_set *set, const void *request, struct ch_set_call *out)
{
    const struct charle_table *table = set->crud.table;
    struct charle_error unsaid;
    struct ch_crud *quiet = charle_arena_alloc(set->crud.context->arena, sizeof(*quiet));
    struct ch_crud_creation *c = charle_arena_alloc(set->crud.context->arena, sizeof(*c));
    if (!quiet || !c)
        return false;
    *quiet = set->crud;
    quiet->err = &unsaid;
    *c = (struct ch_crud_creation){.crud = quiet, .view = &set->view};
    bool ok = !ch_crud_creation_collect(c, request) && !ch_crud_allow(quiet, table->allow_create, c->patch, "create") &&
              has_key(c) && !names_own_table(table, &c->given);
    quiet->err = set->crud.err;
    set->key_message = table->patch;
    out->key = out->values = c->patch;
    out->own = c;
    out->shape.written.bits[0] = c->given.bits[0] | c->filled.bits[0];
    out->shape.written.bits[1] = c->given.bits[1] | c->filled.bits[1];
    return ok && ch_set_nulls(table, &out->shape.written, out->values, &out->shape.written_null) &&
           !(out->shape.written_null.bits[0] | out->shape.written_null.bits[1]);
}

static enum charle_err write_insert(struct ch_set_statement *s)
{
    const struct charle_table *table = s->set->crud.table;
    const struct charle_column_set *written = &s->calls[0]->shape.written;
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < table->column_count; i++) {
        if (charle_column_set_has(written, i))
            rc = ch_set_bind(s, &table->columns[i], table->patch, offsetof(struct ch_set_call, values));
    }
    ch_crud_sql_add(&s->sql, "insert into ");
    ch_crud_sql_add_name(&s->sql, table->name);
    ch_crud_sql_add(&s->sql, " (");
    charle_table_write_columns(table, written, "", &s->sql.text);
    ch_crud_sql_add(&s->sql, ") select ");
    for (size_t i = 0; i < s->column_count; i++) {
        ch_crud_sql_add(&s->sql, i ? ", " : "");
        ch_set_take(s);
    }
    ch_crud_sql_add(&s->sql, " from ");
    ch_set_write_unnest(s);
    ch_crud_sql_add(&s->sql, " order by u.n"); // numbers that people read follow the calls' order
    return rc;
}

// Rows come back in the order in which they went in; their keys prove it.
static enum charle_err read_reply(struct ch_set_statement *s, struct charle_rows *rows, size_t index,
                                  const struct charle_column_set *returning)
{
    struct ch_crud_creation *c = s->calls[index]->own;
    const struct ch_crud *crud = c->crud;
    struct charle_arena *arena = crud->context->arena;
    void *reply = charle_arena_alloc(arena, crud->table->patch->size);
    enum charle_err rc =
        reply ? charle_record_read(rows, crud->table, returning, crud->table->patch, arena, reply, crud->err)
              : charle_fail(crud->err, CHARLE_NO_MEMORY, "no room for a reply");
    for (size_t i = 0; !rc && i < crud->table->key_count; i++) {
        const struct charle_column *column = &crud->table->columns[crud->table->key_columns[i]];
        if (!ch_merge_is_equal(ch_crud_patch_field(crud->table, column), reply, c->patch, arena))
            rc = charle_fail(crud->err, CHARLE_INTERNAL, "PostgreSQL returned new rows in another order");
    }
    if (!rc)
        rc = ch_crud_creation_project(c, reply);
    return rc ? rc : ch_set_reply(s, index, reply);
}

static enum charle_err run(struct ch_set_statement *s)
{
    const struct ch_crud *crud = &s->set->crud;
    const struct charle_column_set returning = ch_crud_creation_returning(s->calls[0]->own);
    struct charle_rows *rows = NULL;
    size_t count = 0;
    enum charle_err rc = write_insert(s);
    ch_crud_sql_add(&s->sql, " returning ");
    charle_table_write_columns(crud->table, &returning, "", &s->sql.text);
    if (!rc)
        rc = ch_set_query(s, &rows);
    while (!rc && count < s->count && !(rc = charle_rows_next(rows, crud->err)))
        rc = read_reply(s, rows, count++, &returning);
    charle_rows_close(rows);
    return rc == CHARLE_DONE ? charle_fail(crud->err, CHARLE_FAILED_PRECONDITION, "not every row was added") : rc;
}

const struct ch_set_kind ch_set_create = {is_open, prepare, run};
