// Scopes as people deal with them: how much of the file each takes, letting go of one, and fetching it again.
//
// An evicted scope stays in charle_cursor with the state EVICTED and without a stamp: it is still granted, but nothing of it is here and nothing of
// it is asked for. Rows that another held scope shows stay, without the columns that only the evicted one showed.
//
// What may not go: a row that a waiting call has touched, because it would have nothing to stand on; and a row that some row which stays refers
// to, because queries that join them would lose it. If there is any such row the scope stays whole.
#include "client/scope_store.h"
#include "base/slow.h"

#include "client/rebase.h"
#include "db/record.h"
#include "sync/cursor.h"

#include <stdio.h>

// --- asking ---------------------------------------------------------------------------------------------------------------

// Runs a statement that has one row, with ?1 the scope and ?2 its key; the first number of the row.
static enum charle_err ask(sqlite3 *db, const char *text, struct charle_str scope, int64_t *out, struct charle_error *err)
{
    sqlite3_stmt *stmt = NULL;
    struct charle_str key = ch_scope_key(scope);
    struct ch_lite sql = {.db = db};
    CHARLE_ASSERT(db);
    if (!text)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a statement");
    *out = 0;
    enum charle_err rc = ch_lite_prepare(&sql, text, &stmt, err);
    if (rc)
        return rc;
    int count = sqlite3_bind_parameter_count(stmt);
    CHARLE_ASSERT(count <= 2);
    if (count > 0)
        sqlite3_bind_text(stmt, 1, scope.ptr, (int)scope.len, SQLITE_STATIC);
    if (count > 1)
        sqlite3_bind_text(stmt, 2, key.ptr, (int)key.len, SQLITE_STATIC);
    rc = ch_lite_next(&sql, stmt, err);
    if (!rc)
        *out = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return rc;
}

static enum charle_err count_rows(sqlite3 *db, const struct ch_table *table, const struct ch_table_audience *audience, struct charle_str scope,
                                  int64_t *out, struct charle_error *err)
{
    struct charle_buf sql = {0};
    CHARLE_ASSERT(!audience || (size_t)(audience - table->audiences) < table->schema->audience_count);
    charle_buf_add_text(&sql, "select count(*) from ");
    charle_sql_write_name(&sql, table->schema->name);
    if (audience) {
        charle_buf_add_text(&sql, " as r where ");
        ch_table_add_in_scope(table, audience, &sql);
    }
    enum charle_err rc = ask(db, charle_buf_text(&sql), scope, out, err);
    charle_buf_deinit(&sql);
    return rc;
}

// Bytes of the file that a table and its indexes take.
static enum charle_err table_size(sqlite3 *db, const struct ch_table *table, int64_t *out, struct charle_error *err)
{
    struct charle_buf sql = {0};
    charle_buf_printf(&sql, "select sum(d.pgsize) from dbstat d join sqlite_master m on m.name = d.name where d.aggregate = 1 and m.tbl_name = '%.*s'",
                      CHARLE_FMT(table->schema->name));
    enum charle_err rc = ask(db, charle_buf_text(&sql), (struct charle_str){0}, out, err);
    charle_buf_deinit(&sql);
    return rc;
}

enum charle_err ch_scope_measure(struct ch_replica *replica, sqlite3 *db, struct charle_str scope, int64_t *out_rows, int64_t *out_bytes,
                                 struct charle_error *err)
{
    *out_rows = *out_bytes = 0;
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < replica->tables.count; i++) {
        struct ch_table *table = &replica->tables.items[i];
        struct ch_table_audience *audience = ch_table_audience_of(table, scope);
        int64_t rows = 0, all = 0, bytes = 0;
        if (!audience)
            continue;
        rc = count_rows(db, table, audience, scope, &rows, err);
        if (!rc && rows)
            rc = count_rows(db, table, NULL, scope, &all, err);
        if (!rc && rows)
            rc = table_size(db, table, &bytes, err);
        *out_rows += rows;
        *out_bytes += all ? (int64_t)((double)bytes * (double)rows / (double)all) : 0;
    }
    return rc;
}

// --- may it go? -----------------------------------------------------------------------------------------------------------

static enum charle_err check_calls(struct ch_replica *replica, const struct ch_table *table, const struct ch_table_audience *audience,
                                   struct charle_str scope, struct charle_error *err)
{
    struct charle_buf sql = {0};
    int64_t count = 0;
    CHARLE_ASSERT((size_t)(audience - table->audiences) < table->schema->audience_count);
    CHARLE_ASSERT_SLOW(ch_replica_is_writing(replica));
    charle_buf_printf(&sql, "select count(*) from charle_touch t where t.tab = %u and exists (select 1 from ", table->schema->id);
    charle_sql_write_name(&sql, table->schema->name);
    charle_buf_add_text(&sql, " as r where ");
    ch_table_add_key_match(table, "t.key", &sql);
    charle_buf_add_text(&sql, " and ");
    ch_table_add_in_scope(table, audience, &sql);
    charle_buf_add_text(&sql, ")");
    enum charle_err rc = ask(replica->sql.db, charle_buf_text(&sql), scope, &count, err);
    charle_buf_deinit(&sql);
    if (rc || !count)
        return rc;
    return charle_fail(err, CHARLE_FAILED_PRECONDITION, "%lld calls on rows of %.*s in the scope %.*s wait for the server; synchronise first",
                       (long long)count, CHARLE_FMT(table->schema->name), CHARLE_FMT(scope));
}

// Does a row of `from` that stays refer by this column to a row of `to` that would go?
static enum charle_err check_reference(struct ch_replica *replica, const struct ch_table *from, const struct charle_column *column,
                                       const struct ch_table *to, const struct ch_table_audience *audience, struct charle_str scope,
                                       struct charle_error *err)
{
    struct charle_buf sql = {0};
    int64_t any = 0;
    CHARLE_ASSERT(column->references == to->schema && column->references_column < to->schema->column_count);
    CHARLE_ASSERT(charle_column_set_has(&to->columns, column->references_column)); // both are here
    charle_buf_add_text(&sql, "select exists (select 1 from ");
    charle_sql_write_name(&sql, from->schema->name);
    charle_buf_add_text(&sql, " as r where ");
    ch_table_add_in_any_other(from, &sql);
    charle_buf_add_text(&sql, " and r.");
    charle_sql_write_name(&sql, column->name);
    charle_buf_add_text(&sql, " in (select r.");
    charle_sql_write_name(&sql, to->schema->columns[column->references_column].name);
    charle_buf_add_text(&sql, " from ");
    charle_sql_write_name(&sql, to->schema->name);
    charle_buf_add_text(&sql, " as r where ");
    ch_table_add_in_scope(to, audience, &sql);
    charle_buf_add_text(&sql, " and not ");
    ch_table_add_in_any_other(to, &sql);
    charle_buf_add_text(&sql, "))");
    enum charle_err rc = ask(replica->sql.db, charle_buf_text(&sql), scope, &any, err);
    charle_buf_deinit(&sql);
    if (rc || !any)
        return rc;
    return charle_fail(err, CHARLE_FAILED_PRECONDITION, "rows of %.*s that stay refer to rows of %.*s that only the scope %.*s shows",
                       CHARLE_FMT(from->schema->name), CHARLE_FMT(to->schema->name), CHARLE_FMT(scope));
}

static enum charle_err check_references(struct ch_replica *replica, const struct ch_table *to, const struct ch_table_audience *audience,
                                        struct charle_str scope, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < replica->tables.count; i++) {
        const struct ch_table *from = &replica->tables.items[i];
        for (size_t c = 0; !rc && c < from->schema->column_count; c++) {
            const struct charle_column *column = &from->schema->columns[c];
            if (column->references == to->schema && charle_column_set_has(&from->columns, c) &&
                charle_column_set_has(&to->columns, column->references_column))
                rc = check_reference(replica, from, column, to, audience, scope, err);
        }
    }
    return rc;
}

static enum charle_err check_state(struct ch_replica *replica, struct charle_str scope, bool *out_is_gone, struct charle_error *err)
{
    char name[CH_SCOPE_LEN_MAX + 8];
    int64_t pinned = 0;
    sqlite3_stmt *row;
    *out_is_gone = false;
    CHARLE_ASSERT_SLOW(ch_replica_is_writing(replica));
    enum charle_err rc = ch_lite_one(&replica->sql, CH_LITE_CURSOR_GET, &row, err, "s", scope);
    if (rc == CHARLE_DONE)
        return charle_fail(err, CHARLE_NOT_FOUND, "this replica has no scope %.*s", CHARLE_FMT(scope));
    if (rc)
        return rc;
    int state = sqlite3_column_int(row, 2);
    ch_lite_end(row);
    *out_is_gone = state == CH_SCOPE_EVICTED;
    if (*out_is_gone)
        return CHARLE_OK;
    if (state != CH_SCOPE_READY || charle_str_equal(ch_scope_audience(scope), CHARLE_STR("device")))
        return charle_fail(err, CHARLE_FAILED_PRECONDITION, "the scope %.*s is being copied or mended, or is the device's own", CHARLE_FMT(scope));
    rc = ch_meta_number(&replica->sql, ch_scope_pin_name(scope, name, sizeof(name)), 0, &pinned, err);
    if (rc || !pinned)
        return rc;
    return charle_fail(err, CHARLE_FAILED_PRECONDITION, "the scope %.*s is pinned", CHARLE_FMT(scope));
}

// --- going and coming -----------------------------------------------------------------------------------------------------

const char *ch_scope_pin_name(struct charle_str scope, char *out, size_t size)
{
    snprintf(out, size, "pin:%.*s", CHARLE_FMT(scope));
    return out;
}

static enum charle_err leave(struct ch_replica *replica, struct charle_str scope, struct charle_error *err)
{
    CHARLE_ASSERT_SLOW(ch_replica_is_writing(replica));
    struct ch_tables *tables = &replica->tables;
    enum charle_err rc = ch_lite_run(&replica->sql, CH_LITE_CURSOR_EVICT, err, "s", scope);
    for (size_t i = 0; !rc && i < tables->count; i++) {
        struct ch_table_audience *audience = ch_table_audience_of(&tables->items[i], scope);
        if (audience)
            rc = ch_table_leave_scope(tables, &tables->items[i], audience, scope, err);
    }
    return rc ? rc : ch_lite_run(&replica->sql, CH_LITE_MEMBER_LEAVE, err, "s", scope);
}

static enum charle_err evict_inside(struct ch_replica *replica, struct charle_str scope, struct charle_error *err)
{
    CHARLE_ASSERT_SLOW(ch_replica_is_writing(replica));
    struct ch_rebase rebase = {0};
    bool is_gone;
    enum charle_err rc = check_state(replica, scope, &is_gone, err);
    if (rc || is_gone)
        return rc;
    for (size_t i = 0; !rc && i < replica->tables.count; i++) {
        struct ch_table *table = &replica->tables.items[i];
        struct ch_table_audience *audience = ch_table_audience_of(table, scope);
        if (!audience)
            continue;
        rc = check_calls(replica, table, audience, scope, err);
        if (!rc)
            rc = check_references(replica, table, audience, scope, err);
    }
    if (!rc)
        rc = ch_rebase_begin(&rebase, replica, 0, true, err);
    if (!rc)
        rc = leave(replica, scope, err);
    if (!rc)
        rc = ch_rebase_finish(&rebase, err);
    ch_rebase_deinit(&rebase);
    return rc;
}

enum charle_err ch_scope_evict(struct ch_replica *replica, struct charle_str scope, struct charle_error *err)
{
    enum charle_err rc = ch_replica_begin(replica, CH_DURABLE, err);
    return rc ? rc : ch_replica_end(replica, evict_inside(replica, scope, err), err);
}

enum charle_err ch_scope_pin(struct ch_replica *replica, struct charle_str scope, bool is_pinned, struct charle_error *err)
{
    char name[CH_SCOPE_LEN_MAX + 8];
    sqlite3_stmt *row;
    enum charle_err rc = ch_replica_begin(replica, CH_DURABLE, err);
    if (rc)
        return rc;
    rc = ch_lite_one(&replica->sql, CH_LITE_CURSOR_GET, &row, err, "s", scope);
    if (!rc)
        ch_lite_end(row);
    else if (rc == CHARLE_DONE)
        rc = charle_fail(err, CHARLE_NOT_FOUND, "this replica has no scope %.*s", CHARLE_FMT(scope));
    ch_scope_pin_name(scope, name, sizeof(name));
    if (!rc)
        rc = is_pinned ? ch_meta_set_number(&replica->sql, name, 1, err) : ch_lite_run(&replica->sql, CH_LITE_META_DELETE, err, "s", charle_str(name));
    if (!rc && is_pinned)
        rc = ch_lite_run(&replica->sql, CH_LITE_CURSOR_FETCH, err, "s", scope);
    return ch_replica_end(replica, rc, err);
}
