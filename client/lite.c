#include "client/lite.h"

#include "db/sqlite/sqlite.h"

#include <stdarg.h>

static const char *const texts[CH_LITE_COUNT] = {
#define CH_STATEMENT_TEXT(name, text) [CH_LITE_##name] = text,
    CH_STATEMENTS(CH_STATEMENT_TEXT)
#undef CH_STATEMENT_TEXT
};

void ch_lite_close_statements(struct ch_lite *sql)
{
    for (int i = 0; i < CH_LITE_COUNT; i++) {
        sqlite3_finalize(sql->prepared[i]);
        sql->prepared[i] = NULL;
    }
}

enum charle_err ch_lite_fail(struct ch_lite *sql, int rc, const char *doing, struct charle_error *err)
{
    return ch_sqlite_fail(sql->db, rc, doing, err);
}

enum charle_err ch_lite_prepare(struct ch_lite *sql, const char *text, sqlite3_stmt **out, struct charle_error *err)
{
    int rc = sqlite3_prepare_v3(sql->db, text, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    return rc ? ch_lite_fail(sql, rc, "preparing a statement", err) : CHARLE_OK;
}

static int bind_all(sqlite3_stmt *stmt, const char *types, va_list args)
{
    int rc = SQLITE_OK;
    for (int i = 1; *types && rc == SQLITE_OK; types++, i++) {
        if (*types == 'i') {
            rc = sqlite3_bind_int64(stmt, i, va_arg(args, int64_t));
        } else if (*types == 's') {
            struct charle_str text = va_arg(args, struct charle_str);
            rc = sqlite3_bind_text64(stmt, i, text.ptr, text.len, SQLITE_STATIC, SQLITE_UTF8);
        } else if (*types == 'b') {
            struct charle_bytes bytes = va_arg(args, struct charle_bytes);
            rc = sqlite3_bind_blob64(stmt, i, bytes.ptr, bytes.len, SQLITE_STATIC);
        } else {
            rc = sqlite3_bind_null(stmt, i);
        }
    }
    return rc;
}

void ch_lite_end(sqlite3_stmt *row)
{
    if (!row)
        return;
    sqlite3_reset(row);
    sqlite3_clear_bindings(row); // parameters point into memory that does not outlive the run
}

enum charle_err ch_lite_next(struct ch_lite *sql, sqlite3_stmt *row, struct charle_error *err)
{
    int rc = sqlite3_step(row);
    if (rc == SQLITE_ROW)
        return CHARLE_OK;
    if (rc == SQLITE_DONE) {
        ch_lite_end(row);
        return CHARLE_DONE;
    }
    enum charle_err code = ch_lite_fail(sql, sqlite3_extended_errcode(sql->db), "running a statement", err);
    ch_lite_end(row);
    return code;
}

static enum charle_err one_v(struct ch_lite *sql, enum ch_statement_id id, sqlite3_stmt **out_row, struct charle_error *err,
                             const char *types, va_list args)
{
    if (!sql->prepared[id]) {
        enum charle_err rc = ch_lite_prepare(sql, texts[id], &sql->prepared[id], err);
        if (rc)
            return rc;
    }
    sqlite3_stmt *stmt = sql->prepared[id];
    CHARLE_ASSERT(!sqlite3_stmt_busy(stmt)); // each statement is used by one walk at a time
    int rc = bind_all(stmt, types, args);
    if (rc) {
        ch_lite_end(stmt);
        return ch_lite_fail(sql, rc, "binding a value", err);
    }
    *out_row = stmt;
    return ch_lite_next(sql, stmt, err);
}

enum charle_err ch_lite_one(struct ch_lite *sql, enum ch_statement_id id, sqlite3_stmt **out_row, struct charle_error *err,
                           const char *types, ...)
{
    va_list args;
    va_start(args, types);
    enum charle_err rc = one_v(sql, id, out_row, err, types, args);
    va_end(args);
    return rc;
}

enum charle_err ch_lite_run(struct ch_lite *sql, enum ch_statement_id id, struct charle_error *err, const char *types, ...)
{
    sqlite3_stmt *row = NULL;
    va_list args;
    va_start(args, types);
    enum charle_err rc = one_v(sql, id, &row, err, types, args);
    va_end(args);
    while (rc == CHARLE_OK)
        rc = ch_lite_next(sql, row, err);
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

enum charle_err ch_lite_number(struct ch_lite *sql, enum ch_statement_id id, int64_t otherwise, int64_t *out,
                              struct charle_error *err, const char *types, ...)
{
    sqlite3_stmt *row = NULL;
    va_list args;
    va_start(args, types);
    enum charle_err rc = one_v(sql, id, &row, err, types, args);
    va_end(args);
    *out = otherwise;
    if (rc == CHARLE_DONE)
        return CHARLE_OK;
    if (rc)
        return rc;
    if (sqlite3_column_type(row, 0) != SQLITE_NULL)
        *out = sqlite3_column_int64(row, 0);
    ch_lite_end(row);
    return CHARLE_OK;
}

enum charle_err ch_lite_script(struct ch_lite *sql, const char *text, const char *doing, struct charle_error *err)
{
    int rc = sqlite3_exec(sql->db, text, NULL, NULL, NULL);
    return rc ? ch_lite_fail(sql, sqlite3_extended_errcode(sql->db), doing, err) : CHARLE_OK;
}

enum charle_err ch_lite_step_done(struct ch_lite *sql, sqlite3_stmt *stmt, struct charle_error *err)
{
    enum charle_err rc = ch_lite_next(sql, stmt, err);
    while (rc == CHARLE_OK)
        rc = ch_lite_next(sql, stmt, err);
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

// --- facts ------------------------------------------------------------------------------------------------------------

enum charle_err ch_meta_number(struct ch_lite *sql, const char *key, int64_t otherwise, int64_t *out,
                               struct charle_error *err)
{
    return ch_lite_number(sql, CH_LITE_META_GET, otherwise, out, err, "s", charle_str(key));
}

enum charle_err ch_meta_set_number(struct ch_lite *sql, const char *key, int64_t value, struct charle_error *err)
{
    return ch_lite_run(sql, CH_LITE_META_SET, err, "si", charle_str(key), value);
}

enum charle_err ch_meta_set_text(struct ch_lite *sql, const char *key, struct charle_str value, struct charle_error *err)
{
    return ch_lite_run(sql, CH_LITE_META_SET, err, "ss", charle_str(key), value);
}

enum charle_err ch_meta_text(struct ch_lite *sql, const char *key, char *out, size_t size, struct charle_error *err)
{
    sqlite3_stmt *row;
    out[0] = '\0';
    enum charle_err rc = ch_lite_one(sql, CH_LITE_META_GET, &row, err, "s", charle_str(key));
    if (rc)
        return rc == CHARLE_DONE ? CHARLE_OK : rc;
    struct charle_str text = ch_lite_text(row, 0);
    size_t len = text.len < size - 1 ? text.len : size - 1;
    memcpy(out, text.ptr ? text.ptr : "", len);
    out[len] = '\0';
    ch_lite_end(row);
    return CHARLE_OK;
}
