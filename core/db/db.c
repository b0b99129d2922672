// The driver-independent half of a database handle: tracing, nesting of transactions, retries. Statements are cached in
// statement.c.
//
// A transaction's depth is what the caller believes. The database may have ended the transaction by itself (a full disk
// in SQLite, a lost connection in PostgreSQL); then commit says ABORTED and rollback succeeds, at every depth.
#include "base/limits.h"
#include "db/driver.h"

#include <stdio.h>
#include <time.h>

enum { RETRY_WAIT_MIN_US = 500, RETRY_WAIT_MAX_US = 50000 };

void ch_db_init(struct charle_db *db, const struct ch_driver *driver)
{
    db->driver = driver;
    db->jitter = (uint64_t)ch_clock_mono_us() ^ (uint64_t)(uintptr_t)db;
}

enum charle_dialect charle_db_dialect(const struct charle_db *db)
{
    return db->driver->dialect;
}

void charle_db_close(struct charle_db *db)
{
    if (!db)
        return;
    if (db->depth > 0)
        (void)!db->driver->rollback(db, NULL);
    db->is_closing = true;
    ch_db_forget_statements(db);
    db->driver->close(db);
}

void charle_db_set_trace(struct charle_db *db, charle_trace_fn fn, void *ctx)
{
    db->trace = fn;
    db->trace_ctx = ctx;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("._/-", c);
}

void charle_db_set_service(struct charle_db *db, const char *service)
{
    size_t len = 0;
    for (; service && *service && len + 1 < sizeof(db->service); service++) {
        // "*/" and "/*" would end or nest the comment that the name becomes; '*' is not a name's character.
        if (is_name_char(*service))
            db->service[len++] = *service;
    }
    db->service[len] = '\0';
}

static enum charle_err check_params(const struct charle_value *params, size_t param_count, struct charle_error *err)
{
    if (param_count > CH_PARAMS_MAX)
        return charle_fail(err, CHARLE_TOO_LARGE, "a statement was given %zu values; at most %d can be bound",
                           param_count, CH_PARAMS_MAX);
    size_t size = 0;
    for (size_t i = 0; i < param_count; i++)
        if (!params[i].is_null && !params[i].is_array &&
            (params[i].type == CHARLE_TYPE_TEXT || params[i].type == CHARLE_TYPE_BYTES ||
             params[i].type == CHARLE_TYPE_JSONB))
            size = params[i].text.len > CH_BIND_SIZE_MAX - size ? CH_BIND_SIZE_MAX + 1 : size + params[i].text.len;
    if (size > CH_BIND_SIZE_MAX)
        return charle_fail(err, CHARLE_TOO_LARGE, "the values of a statement are larger than %zu MiB together",
                           CH_BIND_SIZE_MAX >> 20);
    return CHARLE_OK;
}

static enum charle_err run(struct charle_db *db, const char *sql, const struct charle_value *params, size_t param_count,
                           enum ch_fetch fetch, int64_t *out_changed, struct charle_rows **out_rows,
                           struct charle_error *err)
{
    struct ch_statement *statement = NULL;
    int64_t changed = 0, began_us = db->trace ? ch_clock_mono_us() : 0;
    enum charle_err rc = check_params(params, param_count, err);
    if (!rc)
        rc = ch_statement_take(db, sql, &statement, err);
    if (!rc)
        rc = db->driver->execute(db, statement, params, param_count, fetch, &changed, out_rows, err);
    if (!rc && out_rows) {
        (*out_rows)->db = db;
        (*out_rows)->statement = statement; // put back when the rows are closed
    } else if (statement) {
        ch_statement_put(db, statement);
    }
    if (out_changed && !rc)
        *out_changed = changed;
    if (db->trace)
        db->trace(&(struct charle_trace){.sql = charle_str(sql),
                                         .params = params,
                                         .param_count = param_count,
                                         .duration_us = ch_clock_mono_us() - began_us,
                                         .changed = changed,
                                         .rc = rc},
                  db->trace_ctx);
    return rc;
}

enum charle_err charle_exec(struct charle_db *db, const char *sql, const struct charle_value *params,
                            size_t param_count, int64_t *out_changed, struct charle_error *err)
{
    return run(db, sql, params, param_count, CH_FETCH_NOTHING, out_changed, NULL, err);
}

enum charle_err charle_exec_script(struct charle_db *db, const char *sql, struct charle_error *err)
{
    int64_t began_us = db->trace ? ch_clock_mono_us() : 0;
    enum charle_err rc = db->driver->script(db, sql, err);
    if (db->trace)
        db->trace(
            &(struct charle_trace){.sql = charle_str(sql), .duration_us = ch_clock_mono_us() - began_us, .rc = rc},
            db->trace_ctx);
    return rc;
}

enum charle_err charle_query(struct charle_db *db, const char *sql, const struct charle_value *params,
                             size_t param_count, struct charle_rows **out_rows, struct charle_error *err)
{
    return run(db, sql, params, param_count, CH_FETCH_ALL, NULL, out_rows, err);
}

enum charle_err charle_query_streamed(struct charle_db *db, const char *sql, const struct charle_value *params,
                                      size_t param_count, struct charle_rows **out_rows, struct charle_error *err)
{
    return run(db, sql, params, param_count, CH_FETCH_STREAM, NULL, out_rows, err);
}

enum charle_err charle_rows_next(struct charle_rows *rows, struct charle_error *err)
{
    return rows->db->driver->rows_next(rows, err);
}

size_t charle_rows_column_count(const struct charle_rows *rows)
{
    return rows->db->driver->rows_column_count(rows);
}

struct charle_str charle_rows_column_name(const struct charle_rows *rows, size_t column)
{
    return rows->db->driver->rows_column_name(rows, column);
}

enum charle_err charle_rows_value(struct charle_rows *rows, size_t column, enum charle_type type, bool is_array,
                                  struct charle_value *out, struct charle_error *err)
{
    if (column >= rows->db->driver->rows_column_count(rows))
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "column %zu was asked for, and the result has %zu", column,
                           rows->db->driver->rows_column_count(rows));
    return rows->db->driver->rows_value(rows, column, type, is_array, out, err);
}

void charle_rows_close(struct charle_rows *rows)
{
    if (!rows)
        return;
    struct charle_db *db = rows->db;
    struct ch_statement *statement = rows->statement;
    db->driver->rows_close(rows);
    ch_statement_put(db, statement);
}

enum charle_err charle_query_number(struct charle_db *db, const char *sql, const struct charle_value *params, size_t param_count, int64_t *out,
                                    struct charle_error *err)
{
    struct charle_rows *rows = NULL;
    struct charle_value value;
    *out = 0;
    enum charle_err rc = charle_query(db, sql, params, param_count, &rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_next(rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 0, CHARLE_TYPE_INT8, false, &value, err);
    if (rc == CHARLE_OK && !value.is_null)
        *out = value.int8;
    charle_rows_close(rows);
    return rc;
}

enum charle_err charle_db_cancel(struct charle_db *db, struct charle_error *err)
{
    return db->driver->cancel(db, err);
}

// --- transactions ---------------------------------------------------------------------------------------------------

int charle_transaction_depth(const struct charle_db *db)
{
    return db->depth;
}

static enum charle_err savepoint(struct charle_db *db, const char *command, int level, struct charle_error *err)
{
    char sql[64];
    snprintf(sql, sizeof(sql), "%s charle_%d", command, level);
    return db->driver->script(db, sql, err);
}

static enum charle_err check_nested(const struct charle_db *db, const struct charle_begin_options *wanted,
                                    struct charle_error *err)
{
    if (db->depth >= CH_TRANSACTION_DEPTH_MAX)
        return charle_fail(err, CHARLE_RESOURCE_EXHAUSTED, "transactions nest %d deep; that is the limit", db->depth);
    if (!wanted)
        return CHARLE_OK;
    if (wanted->isolation > db->outermost.isolation)
        return charle_fail(err, CHARLE_FAILED_PRECONDITION,
                           "an inner transaction cannot be isolated more strictly than the one around it");
    return CHARLE_OK;
}

enum charle_err charle_begin(struct charle_db *db, const struct charle_begin_options *options, struct charle_error *err)
{
    const struct charle_begin_options none = {0};
    enum charle_err rc;
    if (db->depth == 0) {
        rc = db->driver->begin(db, options ? options : &none, err);
        db->outermost = options ? *options : none;
    } else {
        rc = check_nested(db, options, err);
        if (!rc)
            rc = savepoint(db, "savepoint", db->depth, err);
    }
    if (!rc)
        db->depth++;
    return rc;
}

static enum charle_err not_begun(const char *verb, struct charle_error *err)
{
    return charle_fail(err, CHARLE_FAILED_PRECONDITION, "there is no transaction to %s", verb);
}

// A savepoint that was rolled back to still exists; releasing it keeps the database's stack as deep as ours.
static enum charle_err undo_level(struct charle_db *db, struct charle_error *err)
{
    enum charle_err rc = savepoint(db, "rollback to savepoint", db->depth, err);
    return rc ? rc : savepoint(db, "release savepoint", db->depth, err);
}

enum charle_err charle_commit(struct charle_db *db, struct charle_error *err)
{
    if (db->depth == 0)
        return not_begun("commit", err);
    db->depth--;
    if (!db->driver->in_transaction(db))
        return charle_fail(err, CHARLE_ABORTED,
                           "the database has ended the transaction after an earlier failure; nothing of it was kept");
    if (db->depth == 0)
        return db->driver->commit(db, err);
    enum charle_err rc = savepoint(db, "release savepoint", db->depth, err);
    if (rc) // a level that cannot be kept is undone, so that the one around it can go on
        (void)!undo_level(db, NULL);
    return rc;
}

enum charle_err charle_rollback(struct charle_db *db, struct charle_error *err)
{
    if (db->depth == 0)
        return not_begun("roll back", err);
    db->depth--;
    if (!db->driver->in_transaction(db))
        return CHARLE_OK;
    if (db->depth == 0)
        return db->driver->rollback(db, err);
    return undo_level(db, err);
}

// Waits a random part of a span that doubles with each try, so that the two who collided do not meet again.
static void wait_before_retry(struct charle_db *db, int tries)
{
    int64_t span_us = (int64_t)RETRY_WAIT_MIN_US << tries;
    if (span_us > RETRY_WAIT_MAX_US)
        span_us = RETRY_WAIT_MAX_US;
    db->jitter ^= db->jitter << 13; // xorshift64
    db->jitter ^= db->jitter >> 7;
    db->jitter ^= db->jitter << 17;
    int64_t wait_us = span_us / 2 + (int64_t)(db->jitter % (uint64_t)span_us) / 2;
    nanosleep(&(struct timespec){.tv_nsec = wait_us * 1000}, NULL);
}

enum charle_err charle_transaction(struct charle_db *db, const struct charle_begin_options *options,
                                   charle_transaction_fn fn, void *ctx, struct charle_error *err)
{
    for (int tries = 1;; tries++) {
        int depth = db->depth;
        enum charle_err rc = charle_begin(db, options, err);
        if (rc)
            return rc;
        rc = fn(db, ctx, err);
        CHARLE_ASSERT(db->depth == depth + 1); // fn must end what it begins
        if (!rc)
            rc = charle_commit(db, err);
        else
            (void)!charle_rollback(db, NULL); // the first failure is the one to report
        bool lost = rc == CHARLE_SERIALIZATION || rc == CHARLE_DEADLOCK;
        if (!lost || depth > 0 || tries == CH_TRANSACTION_TRIES_MAX)
            return rc;
        wait_before_retry(db, tries);
    }
}
