// Updating a row in one statement, when nothing of it moved since the edit was made.
//
// An edit that carries its base usually finds the row as it was. Then the merge (sync/merge.h) needs no look at the
// row: with base in its place it is worked out first, and one statement writes its result where the row still is what
// base says, and is seen by the caller:
//
//   update "task" r set "title" = $1, "updated_at" = greatest(r."updated_at", $2)
//   where r."id" = $3 and r."title" is not distinct from $4 and (<visible>) returning …
//
// It changes one row: all is done, as the long way (crud_update.c) would have done it. It changes none: the row moved,
// is gone or is out of sight; nothing happened, and the long way finds out which.
//
// Whatever could come out differently goes the long way from the start, and so does every edit that must be refused or
// changes nothing: the sentences are made in one place only.
//
//   the caller's right to write depends on the row     it must be read
//   which columns are shown depends on the row         it must be read
//   the merge fails, has a note, or changes nothing    what comes out depends on what is stored
//   a base that PostgreSQL might refuse to read        it is only a base that moved, and must not fail the transaction
//   jsonb                                              PostgreSQL holds 1.0 and 1.00 equal there, the merge does not
#include "msg/scalar.h"
#include "msg/wire.h"
#include "services/crud_edit.h"

// Times and dates this far from 1970 (some 2,000 years) are within PostgreSQL's range, whatever its calendar.
static const int64_t time_us_max = (int64_t)1 << 56;
static const int32_t date_days_max = 1 << 19;

// --- values ------------------------------------------------------------------------------------------------

static bool are_texts(const struct charle_array *array)
{
    const struct charle_str *items = array->items;
    bool ok = true;
    for (size_t i = 0; ok && i < array->count; i++)
        ok = charle_utf8_is_valid(items[i]);
    return ok;
}

// Can this value be bound without any failure, and does PostgreSQL see it as equal to what ch_merge_is_equal does?
static bool is_plain(const struct charle_value *value, struct charle_arena *arena)
{
    struct charle_numeric numeric;
    if (value->is_array)
        return value->type == CHARLE_TYPE_TEXT && are_texts(&value->array);
    switch ((int)value->type) {
    case CHARLE_TYPE_BOOL:
    case CHARLE_TYPE_INT4:
    case CHARLE_TYPE_INT8:
    case CHARLE_TYPE_FLOAT8:
    case CHARLE_TYPE_UUID:
    case CHARLE_TYPE_BYTES:
        return true;
    case CHARLE_TYPE_TEXT:
    case CHARLE_TYPE_ENUM:
        return value->is_null || charle_utf8_is_valid(value->text);
    case CHARLE_TYPE_NUMERIC:
        return value->is_null || charle_numeric_read(value->text, arena, &numeric);
    case CHARLE_TYPE_TIMESTAMPTZ:
        return value->is_null || (value->ts.us > -time_us_max && value->ts.us < time_us_max);
    case CHARLE_TYPE_DATE:
        return value->is_null || (value->date.days > -date_days_max && value->date.days < date_days_max);
    default:
        return false;
    }
}

static bool are_plain(const struct ch_crud_edit *e, const struct charle_column_set *columns, const void *patch)
{
    const struct charle_table *table = e->crud->table;
    bool ok = true;
    for (size_t i = 0; ok && i < table->column_count; i++) {
        struct charle_value value;
        if (charle_column_set_has(columns, i))
            ok = !ch_crud_value(e->crud, &table->columns[i], table->patch, patch, &value) &&
                 is_plain(&value, e->crud->context->arena);
    }
    return ok;
}

// --- may the row stay unread? ------------------------------------------------------------------------------

// Columns that must be what base says: those of the mask, and of their groups those that base tells. False: base leaves
// out a value that the row surely has.
static bool find_compared(const struct ch_crud_edit *e, struct charle_column_set *out)
{
    const struct charle_table *table = e->crud->table;
    struct charle_column_set needs = ch_merge_needs(table, &e->merge.mask);
    *out = (struct charle_column_set){{0, 0}};
    for (size_t i = 0; i < table->column_count; i++) {
        const struct charle_column *column = &table->columns[i];
        bool is_told = charle_field_has(ch_crud_patch_field(table, column), e->merge.base);
        bool is_masked = charle_column_set_has(&e->merge.mask, i);
        if (is_masked && !is_told && !column->is_nullable && !column->is_array)
            return false;
        if (is_masked || (is_told && charle_column_set_has(&needs, i)))
            charle_column_set_add(out, i);
    }
    return true;
}

bool ch_crud_fast_is_open(const struct ch_crud *crud, const struct ch_crud_view *view)
{
    return crud->dialect == CHARLE_PG && !view->sees_all && view->count && !view->flag_count &&
           ch_crud_allow_always(crud, crud->table->allow_update);
}

bool ch_crud_fast_prepare(struct ch_crud_edit *e, const void *base, struct charle_column_set *compared)
{
    e->shown = e->view.always;
    if (ch_crud_edit_take_base(e, base))
        return false;
    e->stored = (void *)(uintptr_t)e->merge.base; // only read
    e->merge.stored = e->merge.base;
    return !ch_crud_edit_check_columns(e) && find_compared(e, compared) && !ch_merge_update(&e->merge, e->crud->err) &&
           !e->merge.note.len && !ch_crud_edit_is_empty(&e->merge.changed) && are_plain(e, compared, e->merge.base) &&
           are_plain(e, &e->merge.changed, e->merge.merged);
}

// --- the statement -----------------------------------------------------------------------------------------

// The time of a row's change never goes back, though a call that was made earlier may arrive later.
static void write_times(const struct ch_crud_edit *e, struct ch_crud_sql *sql)
{
    const struct charle_value now = charle_timestamp(e->crud->context->now);
    for (size_t i = 0; i < e->crud->table->column_count; i++) {
        const struct charle_column *column = &e->crud->table->columns[i];
        if (column->generate != CHARLE_GENERATE_UPDATED)
            continue;
        ch_crud_sql_add(sql, ", ");
        ch_crud_sql_add_name(sql, column->name);
        ch_crud_sql_add(sql, " = greatest(r.");
        ch_crud_sql_add_name(sql, column->name);
        ch_crud_sql_add(sql, ", ");
        ch_crud_sql_add_param(sql, &now);
        ch_crud_sql_add(sql, ")");
    }
}

static enum charle_err write_compared(const struct ch_crud_edit *e, const struct charle_column_set *compared,
                                      struct ch_crud_sql *sql)
{
    const struct charle_table *table = e->crud->table;
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < table->column_count; i++) {
        struct charle_value value;
        if (!charle_column_set_has(compared, i))
            continue;
        rc = ch_crud_value(e->crud, &table->columns[i], table->patch, e->merge.base, &value);
        if (rc)
            break;
        ch_crud_sql_add(sql, " and r.");
        ch_crud_sql_add_name(sql, table->columns[i].name);
        ch_crud_sql_add(sql, " is not distinct from ");
        ch_crud_sql_add_param(sql, &value);
    }
    return rc;
}

static enum charle_err write_statement(struct ch_crud_edit *e, const struct charle_column_set *compared,
                                       struct ch_crud_sql *sql)
{
    const struct ch_crud *crud = e->crud;
    ch_crud_sql_add(sql, "update ");
    ch_crud_sql_add_name(sql, crud->table->name);
    ch_crud_sql_add(sql, " r set ");
    enum charle_err rc = ch_crud_edit_write_changes(e, sql);
    write_times(e, sql);
    ch_crud_sql_add(sql, " where ");
    if (!rc)
        rc = ch_crud_sql_add_key(sql, crud, "r.", crud->table->key, e->key);
    if (!rc)
        rc = write_compared(e, compared, sql);
    ch_crud_view_add_where(&e->view, sql);
    ch_crud_sql_add(sql, " returning ");
    charle_table_write_columns(crud->table, &e->shown, "r.", &sql->text);
    return rc ? rc : sql->text.failed;
}

enum charle_err ch_crud_update_fast(const struct ch_crud_edit *e, const void *base, void *reply, bool *out_is_done)
{
    const struct ch_crud *crud = e->crud;
    *out_is_done = false;
    if (!base || !ch_crud_fast_is_open(crud, &e->view))
        return CHARLE_OK;
    struct charle_error unsaid; // what is refused here is said by the long way
    struct ch_crud quiet = *crud;
    struct ch_crud_edit fast = *e;
    struct charle_column_set compared;
    struct ch_crud_sql sql;
    enum charle_err rc = CHARLE_OK;
    quiet.err = &unsaid;
    fast.crud = &quiet;
    ch_crud_sql_init(&sql, crud->dialect);
    if (!ch_crud_fast_prepare(&fast, base, &compared) || write_statement(&fast, &compared, &sql))
        goto done;
    fast.crud = crud;
    rc = ch_crud_edit_run(&fast, &sql, reply);
    *out_is_done = rc == CHARLE_OK;
    if (rc == CHARLE_OK)
        crud->context->merge_note = (struct charle_str){0};
    else if (rc == CHARLE_DONE)
        rc = CHARLE_OK;
done:
    ch_crud_sql_deinit(&sql);
    return rc;
}
