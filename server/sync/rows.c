#include "server/sync/rows.h"

#include "sync/cursor.h"

#include <inttypes.h>

enum charle_err ch_rows_check(const struct ch_sync *sync, struct charle_db *db, const struct ch_sync_peer *peer, struct charle_str scope,
                              uint32_t table, struct ch_rows_range *out, struct charle_error *err)
{
    const struct charle_str *scopes;
    size_t count;
    struct charle_arena arena = {0};
    *out = (struct ch_rows_range){.scope = scope};
    enum charle_err rc = ch_sync_scopes_of(sync, db, peer, &arena, &scopes, &count, err);
    if (rc == CHARLE_OK && !ch_scopes_have(scopes, count, scope))
        rc = charle_fail(err, CHARLE_PERMISSION_DENIED, "scope \"%.*s\" is not granted to %.*s %.*s", CHARLE_FMT(scope),
                         CHARLE_FMT(peer->principal), CHARLE_FMT(peer->id));
    charle_arena_deinit(&arena);
    if (rc)
        return rc;
    out->views = ch_sync_table(sync, table);
    out->view = out->views ? ch_table_view(out->views, scope) : NULL;
    // A replica of another version may know a table that is not here, or not shown through this scope: it has no rows then.
    return out->view || sync->is_skewed ? CHARLE_OK
                     : charle_fail(err, CHARLE_INVALID_ARGUMENT, "table %u is not seen through scope \"%.*s\"", table, CHARLE_FMT(scope));
}

// COPY takes no parameters, so values stand in its text as literals that PostgreSQL's own library has quoted.
static bool add_literal(PGconn *connection, struct charle_str value, struct charle_buf *sql)
{
    char *quoted = PQescapeLiteral(connection, value.ptr ? value.ptr : "", value.len);
    if (quoted)
        charle_buf_add_text(sql, quoted);
    PQfreemem(quoted);
    return quoted != NULL;
}

static bool add_bound(const struct ch_rows_range *range, PGconn *connection, const char *op, struct charle_str key, struct charle_buf *sql)
{
    struct charle_buf literal = {0};
    bool ok = add_literal(connection, key, &literal);
    charle_buf_add_text(&literal, "::text");
    const char *text = charle_buf_text(&literal);
    charle_buf_add_text(sql, " and ");
    if (ok && text)
        ch_view_add_key_compare(range->views, op, text, sql);
    if (!sql->failed)
        sql->failed = literal.failed;
    charle_buf_deinit(&literal);
    return ok && text;
}

static const char *copy_sql(const struct ch_rows_range *range, PGconn *connection, struct charle_buf *sql)
{
    struct charle_str from = range->view->from_where, mark = CHARLE_STR("$1");
    bool ok = true;
    charle_buf_printf(sql, "copy (select %.*s ", CHARLE_FMT(range->view->select_list));
    // The statement's text is ours and holds "$1" only where the scope's key belongs.
    for (size_t i = 0; ok && i < from.len; i++) {
        if (from.len - i >= mark.len && memcmp(from.ptr + i, mark.ptr, mark.len) == 0) {
            ok = add_literal(connection, ch_scope_key(range->scope), sql);
            i += mark.len - 1;
        } else {
            charle_buf_add_byte(sql, (uint8_t)from.ptr[i]);
        }
    }
    if (ok && range->after.ptr)
        ok = add_bound(range, connection, ">", range->after, sql);
    if (ok && range->until.ptr)
        ok = add_bound(range, connection, "<=", range->until, sql);
    charle_buf_printf(sql, " order by %.*s limit %" PRId64 ") to stdout (format binary)", CHARLE_FMT(range->views->order), range->limit);
    return ok ? charle_buf_text(sql) : NULL;
}

static enum charle_err read_tuples(PGconn *connection, const struct ch_rows_range *range, ch_rows_fn fn, void *ctx,
                                   struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    struct charle_buf row = {0};
    char *data = NULL;
    int size;
    bool is_first = true;
    while ((size = PQgetCopyData(connection, &data, 0)) > 0) {
        struct charle_bytes tuple = charle_bytes(data, (size_t)size);
        // After a failure the rest is read and dropped, because the connection must come to the end of the COPY.
        if (rc == CHARLE_OK && is_first)
            rc = ch_pg_copy_skip_header(&tuple, err);
        is_first = false;
        charle_buf_reset(&row);
        if (rc == CHARLE_OK && tuple.len)
            rc = ch_pg_copy_row(range->view->table, &range->view->audience->columns, tuple, &row, err);
        if (rc == CHARLE_OK && tuple.len)
            rc = fn(ctx, charle_buf_bytes(&row), err);
        PQfreemem(data);
    }
    charle_buf_deinit(&row);
    PGresult *result = PQgetResult(connection);
    if (rc == CHARLE_OK || rc == CHARLE_DONE)
        rc = size == -1 && PQresultStatus(result) == PGRES_COMMAND_OK ? CHARLE_OK : ch_pg_fail(connection, result, err);
    PQclear(result);
    while ((result = PQgetResult(connection)))
        PQclear(result);
    return rc;
}

enum charle_err ch_rows_read(struct charle_db *db, const struct ch_rows_range *range, ch_rows_fn fn, void *ctx, struct charle_error *err)
{
    if (!range->view)
        return CHARLE_OK;
    PGconn *connection = ch_pg_connection(db);
    struct charle_buf sql = {0};
    const char *text = copy_sql(range, connection, &sql);
    PGresult *result = text ? PQexec(connection, text) : NULL;
    enum charle_err rc = CHARLE_OK;
    if (sql.failed)
        rc = charle_fail(err, sql.failed, "no memory for the statement that reads rows");
    else if (!text)
        rc = charle_fail(err, CHARLE_INVALID_ARGUMENT, "a key of the request cannot be written: %s", PQerrorMessage(connection));
    else if (PQresultStatus(result) != PGRES_COPY_OUT)
        rc = ch_pg_fail(connection, result, err);
    PQclear(result);
    charle_buf_deinit(&sql);
    return rc ? rc : read_tuples(connection, range, fn, ctx, err);
}
