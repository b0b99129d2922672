#include "client/spool.h"

#include "base/limits.h"

#include <stdio.h>

enum charle_err ch_spool_open(struct ch_spool *spool, const char *vfs, struct charle_error *err)
{
    char pragmas[160];
    *spool = (struct ch_spool){0};
    // An empty name is a private database; nothing in it outlives the connection, so it is never synced.
    int code = sqlite3_open_v2("", &spool->sql.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, vfs);
    enum charle_err rc = code ? ch_lite_fail(&spool->sql, code, "making a temporary file", err) : CHARLE_OK;
    snprintf(pragmas, sizeof(pragmas), "pragma cache_size = -%d; pragma journal_mode = off; pragma synchronous = off",
             CH_SPOOL_CACHE_KIB);
    if (!rc)
        rc = ch_lite_script(&spool->sql, pragmas, "making a temporary file", err);
    if (!rc)
        rc = ch_lite_script(&spool->sql, "create table item (n integer primary key, kind integer, scope text, tab integer, "
                           "after_key text, until_key text, bytes blob)", "making a temporary file", err);
    if (!rc)
        rc = ch_lite_prepare(&spool->sql, "insert into item(kind, scope, tab, after_key, until_key, bytes) values(?1, ?2, ?3, ?4, ?5, ?6)",
                            &spool->insert, err);
    if (!rc)
        rc = ch_lite_prepare(&spool->sql, "select kind, scope, tab, after_key, until_key, bytes from item order by n", &spool->select, err);
    if (rc)
        ch_spool_close(spool);
    return rc;
}

void ch_spool_close(struct ch_spool *spool)
{
    sqlite3_finalize(spool->insert);
    sqlite3_finalize(spool->select);
    sqlite3_close(spool->sql.db);
    *spool = (struct ch_spool){0};
}

enum charle_err ch_spool_add(struct ch_spool *spool, const struct ch_spool_item *item, struct charle_error *err)
{
    sqlite3_stmt *stmt = spool->insert;
    CHARLE_ASSERT(stmt && item->kind >= CH_SPOOL_PULL_PAGE && item->kind <= CH_SPOOL_COPY_PAGE);
    CHARLE_ASSERT((item->kind == CH_SPOOL_SCOPE) == (item->scope.ptr != NULL));
    sqlite3_bind_int(stmt, 1, (int)item->kind);
    sqlite3_bind_text64(stmt, 2, item->scope.ptr, item->scope.len, SQLITE_STATIC, SQLITE_UTF8);
    sqlite3_bind_int64(stmt, 3, item->table);
    sqlite3_bind_text64(stmt, 4, item->after.ptr, item->after.len, SQLITE_STATIC, SQLITE_UTF8);
    sqlite3_bind_text64(stmt, 5, item->until.ptr, item->until.len, SQLITE_STATIC, SQLITE_UTF8);
    sqlite3_bind_blob64(stmt, 6, item->bytes.ptr, item->bytes.len, SQLITE_STATIC);
    enum charle_err rc = ch_lite_step_done(&spool->sql, stmt, err);
    spool->count += rc == CHARLE_OK;
    return rc;
}

enum charle_err ch_spool_clear(struct ch_spool *spool, struct charle_error *err)
{
    if (!spool->count)
        return CHARLE_OK;
    spool->count = 0;
    return ch_lite_script(&spool->sql, "delete from item", "emptying a temporary file", err);
}

void ch_spool_start(struct ch_spool *spool)
{
    CHARLE_ASSERT(spool->select);
    sqlite3_reset(spool->select);
}

enum charle_err ch_spool_next(struct ch_spool *spool, struct ch_spool_item *out, struct charle_error *err)
{
    sqlite3_stmt *row = spool->select;
    enum charle_err rc = ch_lite_next(&spool->sql, row, err);
    if (rc)
        return rc;
    *out = (struct ch_spool_item){.kind = (enum ch_spool_kind)sqlite3_column_int(row, 0), .scope = ch_lite_text(row, 1),
                                  .table = (uint32_t)sqlite3_column_int64(row, 2), .after = ch_lite_text(row, 3),
                                  .until = ch_lite_text(row, 4), .bytes = ch_lite_bytes(row, 5)};
    return CHARLE_OK;
}

void ch_spool_stop(struct ch_spool *spool)
{
    ch_lite_end(spool->select);
}
