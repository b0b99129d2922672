// Update and Delete: the row is locked and read, the edit merged with it, the result written. An update whose base is
// still what is stored goes a shorter way (crud_update_fast.c).
#include "services/crud_edit.h"

const void *ch_crud_sub_message(const struct charle_message *message, const void *record, uint32_t number)
{
    const struct charle_field *field = charle_message_field(message, number);
    return field ? *(const void *const *)charle_field_ptr(field, record) : NULL;
}

const struct charle_array *ch_crud_mask(const struct charle_message *message, const void *request)
{
    return charle_field_ptr(charle_message_field(message, CH_CRUD_MASK), request);
}

// --- what is to change -------------------------------------------------------------------------------------

enum charle_err ch_crud_read_mask(const struct ch_crud *crud, const void *request, struct charle_column_set *out)
{
    const struct charle_table *table = crud->table;
    const struct charle_array *mask = ch_crud_mask(crud->method->request, request);
    const void *wanted = ch_crud_sub_message(crud->method->request, request, CH_CRUD_SET);
    const uint32_t *numbers = mask->items;
    *out = (struct charle_column_set){{0, 0}};
    for (size_t i = 0; i < mask->count; i++) {
        const struct charle_column *column = charle_table_column_numbered(table, numbers[i]);
        if (!column)
            return charle_fail(crud->err, CHARLE_INVALID_ARGUMENT, "the mask names field %u, which %.*s does not have",
                               numbers[i], CHARLE_FMT(table->name));
        charle_column_set_add(out, column->index);
    }
    for (size_t i = 0; !mask->count && i < table->column_count; i++) {
        if (charle_field_has(ch_crud_patch_field(table, &table->columns[i]), wanted))
            charle_column_set_add(out, i);
    }
    return CHARLE_OK;
}

static void leave_out(struct ch_crud_edit *e, size_t index)
{
    e->merge.mask.bits[index / 64] &= ~((uint64_t)1 << (index % 64));
}

static bool is_key(const struct charle_table *table, const struct charle_column *column)
{
    for (size_t i = 0; i < table->key_count; i++) {
        if (table->key_columns[i] == column->index)
            return true;
    }
    return false;
}

static const char *why_fixed(const struct charle_table *table, const struct charle_column *column)
{
    return is_key(table, column)                        ? "is the key of the row"
           : column->generate == CHARLE_GENERATE_SERIAL ? "is numbered by the server"
           : column->generate != CHARLE_GENERATE_NONE   ? "is kept by the system"
                                                        : NULL;
}

// A whole row may be sent back with what the system keeps unchanged in it; that is no wish to change it.
static enum charle_err check_fixed(struct ch_crud_edit *e, const struct charle_column *column, const char *why)
{
    const struct charle_field *field = ch_crud_patch_field(e->crud->table, column);
    struct charle_arena *arena = e->crud->context->arena;
    leave_out(e, column->index);
    if (ch_merge_is_equal(field, e->merge.wanted, e->stored, arena) ||
        (e->merge.base && ch_merge_is_equal(field, e->merge.wanted, e->merge.base, arena)))
        return CHARLE_OK;
    return charle_fail(e->crud->err, CHARLE_INVALID_ARGUMENT, "%.*s of this %.*s %s and cannot be changed",
                       CHARLE_FMT(column->name), CHARLE_FMT(e->crud->table->name), why);
}

enum charle_err ch_crud_edit_check_columns(struct ch_crud_edit *e)
{
    const struct charle_table *table = e->crud->table;
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < table->column_count; i++) {
        const struct charle_column *column = &table->columns[i];
        if (!charle_column_set_has(&e->merge.mask, i))
            continue;
        if (!charle_column_set_has(&e->shown, i)) {
            rc = charle_fail(e->crud->err, CHARLE_PERMISSION_DENIED, "%.*s of this %.*s %s", CHARLE_FMT(column->name),
                             CHARLE_FMT(table->name),
                             e->view.sees_all ? "is not kept on this device"
                                              : "may not be changed by this caller, who does not see it");
        } else if (why_fixed(table, column)) {
            rc = check_fixed(e, column, why_fixed(table, column));
        } else if (!column->is_nullable && !column->is_array &&
                   !charle_field_has(ch_crud_patch_field(table, column), e->merge.wanted)) {
            rc = charle_fail(e->crud->err, CHARLE_INVALID_ARGUMENT, "%.*s of this %.*s must have a value",
                             CHARLE_FMT(column->name), CHARLE_FMT(table->name));
        }
    }
    return rc;
}

enum charle_err ch_crud_edit_take_base(struct ch_crud_edit *e, const void *base)
{
    const struct charle_table *table = e->crud->table;
    void *copy = base ? charle_arena_alloc(e->crud->context->arena, table->patch->size) : NULL;
    if (base && !copy)
        return charle_fail(e->crud->err, CHARLE_NO_MEMORY, "no room for a row of %.*s", CHARLE_FMT(table->name));
    if (base) {
        memcpy(copy, base, table->patch->size);
        ch_crud_patch_keep(table, copy, &e->shown);
    }
    e->merge.base = copy;
    return CHARLE_OK;
}

// --- writing -----------------------------------------------------------------------------------------------

// The time of a row's change never goes back, though a call that was made earlier may arrive later.
static enum charle_err touch(struct ch_crud_edit *e)
{
    const struct ch_crud *crud = e->crud;
    struct charle_column_set *changed = &e->merge.changed;
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < crud->table->column_count; i++) {
        const struct charle_column *column = &crud->table->columns[i];
        if (column->generate != CHARLE_GENERATE_UPDATED ||
            (e->view.sees_all && !charle_column_set_has(&e->view.columns, i)))
            continue;
        struct charle_value value = charle_timestamp(crud->context->now);
        const struct charle_field *field = ch_crud_patch_field(crud->table, column);
        if (charle_field_has(field, e->stored)) {
            const struct charle_ts *before = charle_field_ptr(field, e->stored);
            value.ts.us = before->us > value.ts.us ? before->us : value.ts.us;
        }
        rc = charle_record_store(field, e->merge.merged, &value, crud->context->arena, crud->err);
        charle_column_set_add(changed, i);
    }
    return rc;
}

enum charle_err ch_crud_edit_write_changes(const struct ch_crud_edit *e, struct ch_crud_sql *sql)
{
    const struct charle_table *table = e->crud->table;
    enum charle_err rc = CHARLE_OK;
    bool is_first = true;
    for (size_t i = 0; !rc && i < table->column_count; i++) {
        if (!charle_column_set_has(&e->merge.changed, i))
            continue;
        struct charle_value value;
        rc = ch_crud_value(e->crud, &table->columns[i], table->patch, e->merge.merged, &value);
        if (rc)
            break;
        ch_crud_sql_add(sql, is_first ? "" : ", ");
        is_first = false;
        ch_crud_sql_add_name(sql, table->columns[i].name);
        ch_crud_sql_add(sql, " = ");
        ch_crud_sql_add_param(sql, &value);
    }
    return rc;
}

enum charle_err ch_crud_edit_run(const struct ch_crud_edit *e, struct ch_crud_sql *sql, void *reply)
{
    const struct ch_crud *crud = e->crud;
    struct charle_rows *rows = NULL;
    enum charle_err rc = ch_crud_sql_query(sql, crud, &rows);
    if (!rc) {
        rc = charle_rows_next(rows, crud->err);
        if (rc && rc != CHARLE_DONE)
            rc = ch_crud_explain(crud, rc);
        crud->context->has_written |= !rc;
    }
    if (!rc)
        rc = charle_record_read(rows, crud->table, &e->shown, crud->table->patch, crud->context->arena, reply,
                                crud->err);
    charle_rows_close(rows);
    return rc;
}

static enum charle_err write_row(const struct ch_crud_edit *e, void *reply)
{
    const struct ch_crud *crud = e->crud;
    struct ch_crud_sql sql;
    ch_crud_sql_init(&sql, crud->dialect);
    ch_crud_sql_add(&sql, "update ");
    ch_crud_sql_add_name(&sql, crud->table->name);
    ch_crud_sql_add(&sql, " set ");
    enum charle_err rc = ch_crud_edit_write_changes(e, &sql);
    ch_crud_sql_add(&sql, " where ");
    if (!rc)
        rc = ch_crud_sql_add_key(&sql, crud, "", crud->table->key, e->key);
    ch_crud_sql_add(&sql, " returning ");
    charle_table_write_columns(crud->table, &e->shown, "", &sql.text);
    if (!rc)
        rc = ch_crud_edit_run(e, &sql, reply);
    if (rc == CHARLE_DONE)
        rc = ch_crud_not_found(crud->table, crud->err);
    ch_crud_sql_deinit(&sql);
    return rc;
}

// The caller must be allowed to change the row as it was, and as it will be.
static enum charle_err check_allowed(struct ch_crud_edit *e)
{
    const struct ch_crud *crud = e->crud;
    enum charle_err rc = ch_crud_allow(crud, crud->table->allow_update, e->stored, "change");
    void *after = rc ? NULL : charle_arena_alloc(crud->context->arena, crud->table->patch->size);
    if (rc)
        return rc;
    if (!after)
        return charle_fail(crud->err, CHARLE_NO_MEMORY, "no room for a row of %.*s", CHARLE_FMT(crud->table->name));
    memcpy(after, e->stored, crud->table->patch->size);
    ch_crud_patch_copy(crud->table, after, e->merge.merged, &e->merge.changed);
    return ch_crud_allow(crud, crud->table->allow_update, after, "change");
}

bool ch_crud_edit_is_empty(const struct charle_column_set *set)
{
    return !(set->bits[0] | set->bits[1]);
}

static enum charle_err load(struct ch_crud_edit *e, const char *const *allow, const struct charle_column_set *mask)
{
    const struct charle_table *table = e->crud->table;
    struct charle_column_set more = charle_table_key_set(table);
    if (mask) {
        struct charle_column_set needs = ch_merge_needs(table, mask);
        more.bits[0] |= needs.bits[0];
        more.bits[1] |= needs.bits[1];
    }
    for (size_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].generate == CHARLE_GENERATE_UPDATED)
            charle_column_set_add(&more, i);
    }
    ch_crud_allow_needs(table, allow, &more);
    return ch_crud_fetch(e->crud, &e->view, &more, true, table->key, e->key, &e->stored, &e->shown);
}

// The long way: the row is locked and read, then written.
static enum charle_err update_read(struct ch_crud_edit *e, const void *base, void *reply)
{
    const struct ch_crud *crud = e->crud;
    enum charle_err rc = load(e, crud->table->allow_update, &e->merge.mask);
    if (!rc)
        rc = ch_crud_edit_take_base(e, base);
    if (!rc)
        rc = ch_crud_edit_check_columns(e);
    if (rc)
        return rc;
    e->merge.stored = e->stored;
    rc = ch_merge_update(&e->merge, crud->err);
    if (!rc)
        rc = check_allowed(e);
    if (rc)
        return rc;
    crud->context->merge_note = e->merge.note;
    if (ch_crud_edit_is_empty(&e->merge.changed)) {
        memcpy(reply, e->stored, crud->table->patch->size);
        ch_crud_patch_keep(crud->table, reply, &e->shown);
        return CHARLE_OK;
    }
    rc = touch(e);
    return rc ? rc : write_row(e, reply);
}

enum charle_err ch_crud_update(const struct ch_crud *crud, const void *request, void *reply)
{
    const struct charle_message *message = crud->method->request;
    const void *base = ch_crud_sub_message(message, request, CH_CRUD_UPDATE_BASE);
    struct ch_crud_edit e;
    bool is_done = false;
    e.crud = crud;
    e.key = ch_crud_sub_message(message, request, CH_CRUD_KEY);
    e.merge = (struct ch_merge){.table = crud->table,
                                .arena = crud->context->arena,
                                .wanted = ch_crud_sub_message(message, request, CH_CRUD_SET)};
    if (!e.key || !e.merge.wanted)
        return charle_fail(crud->err, CHARLE_INVALID_ARGUMENT, "%s needs a key and what to set", message->name);
    enum charle_err rc = ch_crud_read_mask(crud, request, &e.merge.mask);
    if (!rc)
        rc = ch_crud_view_init(&e.view, crud);
    if (!rc)
        rc = ch_crud_update_fast(&e, base, reply, &is_done);
    return rc || is_done ? rc : update_read(&e, base, reply);
}

// --- delete ------------------------------------------------------------------------------------------------

static enum charle_err delete_row(const struct ch_crud_edit *e)
{
    const struct ch_crud *crud = e->crud;
    crud->context->has_written = true;
    if (crud->context->is_replica)
        return ch_crud_cascade(crud, e->stored);
    struct ch_crud_sql sql;
    ch_crud_sql_init(&sql, crud->dialect);
    ch_crud_sql_add(&sql, "delete from ");
    ch_crud_sql_add_name(&sql, crud->table->name);
    ch_crud_sql_add(&sql, " where ");
    enum charle_err rc = ch_crud_sql_add_key(&sql, crud, "", crud->table->key, e->key);
    if (!rc)
        rc = ch_crud_sql_exec(&sql, crud, NULL);
    ch_crud_sql_deinit(&sql);
    return rc;
}

// Is there no such row at all, whoever asks?
static enum charle_err is_gone(const struct ch_crud_edit *e, bool *out)
{
    const struct ch_crud *crud = e->crud;
    struct charle_rows *rows = NULL;
    struct ch_crud_sql sql;
    ch_crud_sql_init(&sql, crud->dialect);
    ch_crud_sql_add(&sql, "select 1 from ");
    ch_crud_sql_add_name(&sql, crud->table->name);
    ch_crud_sql_add(&sql, " where ");
    enum charle_err rc = ch_crud_sql_add_key(&sql, crud, "", crud->table->key, e->key);
    if (!rc)
        rc = ch_crud_sql_query(&sql, crud, &rows);
    if (!rc)
        rc = charle_rows_next(rows, crud->err);
    *out = rc == CHARLE_DONE;
    charle_rows_close(rows);
    ch_crud_sql_deinit(&sql);
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

// A delete that was made offline wants the row gone; somebody else was faster.
static enum charle_err accept_gone(const struct ch_crud_edit *e, enum charle_err not_found)
{
    const struct ch_crud *crud = e->crud;
    struct charle_error kept = *crud->err;
    bool gone = false;
    enum charle_err rc = crud->context->is_replay ? is_gone(e, &gone) : CHARLE_OK;
    if (rc)
        return rc;
    if (!gone) {
        *crud->err = kept;
        return not_found;
    }
    crud->context->merge_note = charle_arena_printf(
        crud->context->arena, "this %.*s had been deleted by someone else already", CHARLE_FMT(crud->table->name));
    return CHARLE_OK;
}

enum charle_err ch_crud_delete(const struct ch_crud *crud, const void *request)
{
    const struct charle_message *message = crud->method->request;
    struct ch_crud_edit e;
    e.crud = crud;
    e.key = ch_crud_sub_message(message, request, CH_CRUD_KEY);
    if (!e.key)
        return charle_fail(crud->err, CHARLE_INVALID_ARGUMENT, "%s needs a key", message->name);
    enum charle_err rc = ch_crud_view_init(&e.view, crud);
    if (!rc)
        rc = load(&e, crud->table->allow_delete, NULL);
    if (rc == CHARLE_NOT_FOUND)
        return accept_gone(&e, rc);
    if (!rc)
        rc = ch_crud_allow(crud, crud->table->allow_delete, e.stored, "delete");
    if (rc)
        return rc;
    rc = ch_crud_edit_take_base(&e, ch_crud_sub_message(message, request, CH_CRUD_DELETE_BASE));
    if (rc)
        return rc;
    rc = ch_merge_delete(crud->table, e.merge.base, e.stored, crud->context->arena, crud->err);
    return rc ? rc : delete_row(&e);
}
