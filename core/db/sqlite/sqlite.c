#include "base/alloc.h"
#include "base/limits.h"
#include "db/sqlite/cipher.h"
#include "db/sqlite/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct ch_sqlite_rows {
    struct charle_rows head;
    sqlite3_stmt *handle;
    bool on_row; // step has been called ahead and stands on a row
    bool is_done;
    struct charle_arena bound; // of the parameters: SQLite points into it while it steps
    struct charle_arena row;   // values made from the present row
};

// --- statements -----------------------------------------------------------------------------------------------------

static enum charle_err number_parameters(struct ch_sqlite_statement *statement, struct charle_error *err)
{
    int count = sqlite3_bind_parameter_count(statement->handle);
    bool in_order = true;
    statement->parameter_count = count;
    statement->numbers = count ? ch_alloc_zeroed((size_t)count, sizeof(uint16_t)) : NULL;
    if (count && !statement->numbers)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while preparing a statement");
    for (int i = 0; i < count; i++) {
        const char *name = sqlite3_bind_parameter_name(statement->handle, i + 1);
        long number = name && (*name == '$' || *name == '?') ? strtol(name + 1, NULL, 10) : i + 1;
        if (number < 1 || number > CH_PARAMS_MAX)
            return charle_fail(err, CHARLE_INVALID_ARGUMENT, "parameter %s: write $1, $2, …", name ? name : "?");
        statement->numbers[i] = (uint16_t)number;
        in_order = in_order && number == i + 1;
        if (number > statement->number_max)
            statement->number_max = (int)number;
    }
    if (in_order) {
        ch_free(statement->numbers);
        statement->numbers = NULL;
    }
    return CHARLE_OK;
}

static void discard(struct charle_db *db, struct ch_statement *head)
{
    struct ch_sqlite_statement *statement = (struct ch_sqlite_statement *)head;
    (void)db;
    sqlite3_finalize(statement->handle);
    ch_free(statement->numbers);
    ch_free(statement);
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n;")] == '\0';
}

// --- the guard ------------------------------------------------------------------------------------------------------

static int authorize(void *ctx, int action, const char *one, const char *two, const char *database, const char *source)
{
    struct ch_sqlite_guard *guard = ctx;
    (void)database;
    (void)source;
    return !guard->is_on || guard->may(guard, action, one ? one : "", two ? two : "") ? SQLITE_OK : SQLITE_DENY;
}

enum charle_err ch_sqlite_set_guard(struct charle_db *db, struct ch_sqlite_guard *guard, struct charle_error *err)
{
    struct ch_sqlite *s = ch_sqlite_of(db);
    int code = sqlite3_set_authorizer(s->handle, guard ? authorize : NULL, guard);
    s->guard = guard;
    return code ? ch_sqlite_fail(s->handle, code, "guarding a connection", err) : CHARLE_OK;
}

static bool has_passed(const struct ch_sqlite_statement *statement, const void *token)
{
    for (size_t i = 0; i < CH_GUARD_TOKENS; i++) {
        if (statement->passed[i] == token)
            return true;
    }
    return false;
}

static void pass(struct ch_sqlite_statement *statement, const void *token)
{
    statement->passed[statement->pass_next] = token;
    statement->pass_next = (uint8_t)((statement->pass_next + 1) % CH_GUARD_TOKENS);
}

// SQLite's failure, or the guard's sentence when that is the reason.
static enum charle_err refused(struct ch_sqlite *db, int code, struct charle_error *err)
{
    struct ch_sqlite_guard *guard = db->guard;
    bool is_guarded = guard && guard->is_on && (code == SQLITE_AUTH || code == SQLITE_ERROR);
    if (is_guarded && code == SQLITE_ERROR && guard->explain)
        guard->explain(guard, sqlite3_errmsg(db->handle));
    if (is_guarded && guard->why[0])
        return charle_fail(err, CHARLE_FAILED_PRECONDITION, "%s", guard->why);
    return ch_sqlite_fail(db->handle, code, NULL, err);
}

// A cached statement, for a method that has not run it before: looked at by preparing its text once more.
static enum charle_err look_again(struct ch_sqlite *db, struct ch_sqlite_statement *statement, struct charle_error *err)
{
    sqlite3_stmt *again = NULL;
    db->guard->why[0] = '\0';
    int code = sqlite3_prepare_v2(db->handle, sqlite3_sql(statement->handle), -1, &again, NULL);
    sqlite3_finalize(again);
    if (code)
        return refused(db, code, err);
    pass(statement, db->guard->token);
    return CHARLE_OK;
}

static enum charle_err prepare(struct charle_db *db, struct charle_str sql, struct ch_statement **out_statement,
                               struct charle_error *err)
{
    sqlite3 *handle = ch_sqlite_of(db)->handle;
    struct ch_sqlite_statement *statement = ch_alloc_zeroed(1, sizeof(*statement));
    const char *tail = "";
    if (!statement)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while preparing a statement");
    struct ch_sqlite_guard *guard = ch_sqlite_of(db)->guard;
    if (guard)
        guard->why[0] = '\0';
    int code =
        sqlite3_prepare_v3(handle, sql.ptr, (int)sql.len + 1, SQLITE_PREPARE_PERSISTENT, &statement->handle, &tail);
    enum charle_err rc = code ? refused(ch_sqlite_of(db), code, err) : CHARLE_OK;
    if (!rc && guard && guard->is_on)
        pass(statement, guard->token);
    if (!rc && !statement->handle)
        rc = charle_fail(err, CHARLE_INVALID_ARGUMENT, "there is no statement in the text");
    if (!rc && !is_blank(tail))
        rc = charle_fail(err, CHARLE_INVALID_ARGUMENT, "one statement at a time; this text goes on behind it: %.60s",
                         tail);
    if (!rc)
        rc = number_parameters(statement, err);
    if (rc)
        discard(db, &statement->head);
    else
        *out_statement = &statement->head;
    return rc;
}

static enum charle_err bind_all(struct ch_sqlite_statement *statement, const struct charle_value *params,
                                size_t param_count, struct charle_arena *arena, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    if ((size_t)statement->number_max > param_count ||
        (!statement->numbers && (size_t)statement->parameter_count > param_count))
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the statement has $%d, and %zu values were given",
                           statement->numbers ? statement->number_max : statement->parameter_count, param_count);
    for (int i = 0; !rc && i < statement->parameter_count; i++) {
        int number = statement->numbers ? statement->numbers[i] : i + 1;
        rc = ch_sqlite_bind(statement->handle, i + 1, &params[number - 1], arena, err);
    }
    return rc;
}

enum charle_err ch_sqlite_statement(struct charle_db *db, const char *sql, sqlite3_stmt **out_statement,
                                    struct charle_error *err)
{
    struct ch_statement *head = NULL;
    enum charle_err rc = ch_db_statement(db, sql, &head, err);
    if (rc)
        return rc;
    *out_statement = ((struct ch_sqlite_statement *)head)->handle;
    sqlite3_reset(*out_statement);
    return CHARLE_OK;
}

// --- rows -----------------------------------------------------------------------------------------------------------

static struct ch_sqlite_rows *rows_of(const struct charle_rows *rows)
{
    return (struct ch_sqlite_rows *)(uintptr_t)rows;
}

static enum charle_err step(sqlite3_stmt *handle, bool *out_row, struct charle_error *err)
{
    int code = sqlite3_step(handle);
    *out_row = code == SQLITE_ROW;
    if (code == SQLITE_ROW || code == SQLITE_DONE)
        return CHARLE_OK;
    return ch_sqlite_fail(sqlite3_db_handle(handle), code, NULL, err);
}

static enum charle_err rows_next(struct charle_rows *rows, struct charle_error *err)
{
    struct ch_sqlite_rows *r = rows_of(rows);
    enum charle_err rc = CHARLE_OK;
    charle_arena_reset(&r->row);
    if (r->is_done)
        return CHARLE_DONE;
    if (!r->on_row) {
        bool has_row = false;
        rc = step(r->handle, &has_row, err);
        r->is_done = rc || !has_row;
    }
    r->on_row = false; // the next call steps on
    return rc ? rc : r->is_done ? CHARLE_DONE : CHARLE_OK;
}

static size_t rows_column_count(const struct charle_rows *rows)
{
    return (size_t)sqlite3_column_count(rows_of(rows)->handle);
}

static struct charle_str rows_column_name(const struct charle_rows *rows, size_t column)
{
    return charle_str(sqlite3_column_name(rows_of(rows)->handle, (int)column));
}

static enum charle_err rows_value(struct charle_rows *rows, size_t column, enum charle_type type, bool is_array,
                                  struct charle_value *out, struct charle_error *err)
{
    struct ch_sqlite_rows *r = rows_of(rows);
    return ch_sqlite_column(r->handle, (int)column, type, is_array, &r->row, out, err);
}

static void rows_close(struct charle_rows *rows)
{
    struct ch_sqlite_rows *r = rows_of(rows);
    sqlite3_reset(r->handle);
    sqlite3_clear_bindings(r->handle);
    charle_arena_deinit(&r->bound);
    charle_arena_deinit(&r->row);
    ch_free(r);
}

// --- running --------------------------------------------------------------------------------------------------------

static enum charle_err run_to_end(struct ch_sqlite *db, struct ch_sqlite_statement *statement,
                                  const struct charle_value *params, size_t param_count, int64_t *out_changed,
                                  struct charle_error *err)
{
    int64_t before = sqlite3_total_changes64(db->handle);
    bool has_row = true;
    enum charle_err rc = bind_all(statement, params, param_count, &db->bound, err);
    while (!rc && has_row)
        rc = step(statement->handle, &has_row, err);
    // total_changes counts what triggers and cascades did, too; changes does not, but keeps an old number.
    *out_changed = !rc && sqlite3_total_changes64(db->handle) != before ? sqlite3_changes64(db->handle) : 0;
    sqlite3_reset(statement->handle);
    sqlite3_clear_bindings(statement->handle);
    charle_arena_reset(&db->bound);
    return rc;
}

// The first step is made here, so that a statement that fails, or writes, does so now and not at the first row.
static enum charle_err open_rows(struct ch_sqlite_statement *statement, const struct charle_value *params,
                                 size_t param_count, struct charle_rows **out_rows, struct charle_error *err)
{
    struct ch_sqlite_rows *rows = ch_alloc_zeroed(1, sizeof(*rows));
    if (!rows)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while running a query");
    rows->handle = statement->handle;
    enum charle_err rc = bind_all(statement, params, param_count, &rows->bound, err);
    if (!rc)
        rc = step(rows->handle, &rows->on_row, err);
    rows->is_done = !rows->on_row;
    if (rc)
        rows_close(&rows->head);
    else
        *out_rows = &rows->head;
    return rc;
}

static enum charle_err execute(struct charle_db *db, struct ch_statement *head, const struct charle_value *params,
                               size_t param_count, enum ch_fetch fetch, int64_t *out_changed,
                               struct charle_rows **out_rows, struct charle_error *err)
{
    struct ch_sqlite_statement *statement = (struct ch_sqlite_statement *)head;
    const struct ch_sqlite_guard *guard = ch_sqlite_of(db)->guard;
    if (guard && guard->is_on && !has_passed(statement, guard->token)) {
        enum charle_err rc = look_again(ch_sqlite_of(db), statement, err);
        if (rc)
            return rc;
    }
    if (fetch == CH_FETCH_NOTHING)
        return run_to_end(ch_sqlite_of(db), statement, params, param_count, out_changed, err);
    return open_rows(statement, params, param_count, out_rows, err);
}

static enum charle_err script(struct charle_db *db, const char *sql, struct charle_error *err)
{
    sqlite3 *handle = ch_sqlite_of(db)->handle;
    if (ch_sqlite_of(db)->guard)
        ch_sqlite_of(db)->guard->why[0] = '\0';
    int code = sqlite3_exec(handle, sql, NULL, NULL, NULL);
    return code ? refused(ch_sqlite_of(db), code, err) : CHARLE_OK;
}

// --- transactions ---------------------------------------------------------------------------------------------------

static enum charle_err set_query_only(struct ch_sqlite *db, bool on, struct charle_error *err)
{
    db->is_query_only = on;
    return script(&db->base, on ? "pragma query_only = on" : "pragma query_only = off", err);
}

static bool in_transaction(const struct charle_db *db)
{
    return !sqlite3_get_autocommit(ch_sqlite_of(db)->handle);
}

static enum charle_err rollback(struct charle_db *db, struct charle_error *err)
{
    struct ch_sqlite *s = ch_sqlite_of(db);
    enum charle_err rc = in_transaction(db) ? script(db, "rollback", err) : CHARLE_OK;
    if (s->is_query_only)
        (void)!set_query_only(s, false, NULL);
    return rc;
}

// A transaction that writes takes the write lock at once: one that reads first and then finds the lock taken could
// never go on. One whose rollback failed, for lack of memory as a rule, is still there and is rolled back now.
static enum charle_err begin(struct charle_db *db, const struct charle_begin_options *options, struct charle_error *err)
{
    enum charle_err rc = in_transaction(db) ? rollback(db, err) : CHARLE_OK;
    if (rc)
        return rc;
    rc = script(db, options->is_read_only ? "begin deferred" : "begin immediate", err);
    if (!rc && options->is_read_only)
        rc = set_query_only(ch_sqlite_of(db), true, err);
    return rc;
}

static enum charle_err commit(struct charle_db *db, struct charle_error *err)
{
    struct ch_sqlite *s = ch_sqlite_of(db);
    enum charle_err rc = script(db, "commit", err);
    if (rc)
        (void)!rollback(db, NULL);
    else if (s->is_query_only)
        rc = set_query_only(s, false, err);
    return rc;
}

static enum charle_err cancel(struct charle_db *db, struct charle_error *err)
{
    (void)err;
    sqlite3_interrupt(ch_sqlite_of(db)->handle);
    return CHARLE_OK;
}

static void close_handle(struct charle_db *db)
{
    struct ch_sqlite *s = ch_sqlite_of(db);
    sqlite3_close_v2(s->handle);
    charle_arena_deinit(&s->bound);
    ch_free(s);
}

static const struct ch_driver driver = {
    .dialect = CHARLE_SQLITE,
    .close = close_handle,
    .prepare = prepare,
    .discard = discard,
    .execute = execute,
    .script = script,
    .rows_next = rows_next,
    .rows_column_count = rows_column_count,
    .rows_column_name = rows_column_name,
    .rows_value = rows_value,
    .rows_close = rows_close,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .in_transaction = in_transaction,
    .cancel = cancel,
};

// --- opening --------------------------------------------------------------------------------------------------------

sqlite3 *ch_sqlite_handle(struct charle_db *db)
{
    CHARLE_ASSERT(db->driver == &driver);
    return ch_sqlite_of(db)->handle;
}

enum charle_err ch_sqlite_set_sync_normal(struct charle_db *db, bool is_normal, struct charle_error *err)
{
    if (in_transaction(db))
        return charle_fail(err, CHARLE_FAILED_PRECONDITION, "synchronous cannot be changed inside a transaction");
    return script(db, is_normal ? "pragma synchronous = normal" : "pragma synchronous = full", err);
}

// SQLite makes files as the umask says; a replica holds what only its user may read. The -wal and -shm files take over
// the mode.
static enum charle_err make_private(const char *path, const struct ch_sqlite_options *options, struct charle_error *err)
{
    bool in_memory = strcmp(path, ":memory:") == 0 || *path == '\0' || strncmp(path, "file:", 5) == 0;
    if (in_memory || options->vfs)
        return CHARLE_OK;
    if (options->is_read_only || options->must_exist) {
        if (access(path, F_OK) == 0)
            return CHARLE_OK;
        return charle_fail_foreign(err, errno == EACCES ? CHARLE_PERMISSION_DENIED : CHARLE_NOT_FOUND,
                                   CHARLE_DOMAIN_POSIX, errno, "%s: %s", path, strerror(errno));
    }
    int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    else if (errno == ENOSPC || errno == EROFS || errno == EACCES || errno == ENOENT)
        return charle_fail_foreign(err,
                                   errno == ENOSPC   ? CHARLE_DISK_FULL
                                   : errno == EROFS  ? CHARLE_READ_ONLY
                                   : errno == EACCES ? CHARLE_PERMISSION_DENIED
                                                     : CHARLE_NOT_FOUND,
                                   CHARLE_DOMAIN_POSIX, errno, "%s cannot be made: %s", path, strerror(errno));
    return CHARLE_OK;
}

static enum charle_err set_wal(struct ch_sqlite *db, struct charle_error *err)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db->handle, "pragma journal_mode = wal", -1, &statement, NULL);
    if (!code)
        code = sqlite3_step(statement);
    const char *mode = code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    enum charle_err rc = CHARLE_OK;
    if (!mode)
        rc = ch_sqlite_fail(db->handle, code, "opening", err);
    else if (strcmp(mode, "wal") != 0 && strcmp(mode, "memory") != 0)
        rc = charle_fail(err, CHARLE_FAILED_PRECONDITION,
                         "%s is in the journal mode %s and cannot be put into WAL mode; "
                         "a network file system cannot hold it",
                         sqlite3_db_filename(db->handle, "main"), mode);
    sqlite3_finalize(statement);
    return rc;
}

static enum charle_err configure(struct ch_sqlite *db, const struct ch_sqlite_options *options,
                                 struct charle_error *err)
{
    char pragmas[512];
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, options->busy_timeout_ms ? options->busy_timeout_ms : CH_SQLITE_BUSY_TIMEOUT_MS);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL); // "x" is a name, never a text
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_limit(db->handle, SQLITE_LIMIT_VARIABLE_NUMBER, CH_PARAMS_MAX);
    if (options->is_read_only) // neither ATTACH nor VACUUM INTO: they write files other than this one
        sqlite3_limit(db->handle, SQLITE_LIMIT_ATTACHED, 0);
    int code = ch_sqlite_register_functions(db->handle);
    if (!code && !options->is_read_only)
        code = ch_cipher_prepare(db->handle);
    if (code)
        return ch_sqlite_fail(db->handle, code, "opening", err);
    snprintf(pragmas, sizeof(pragmas),
             "pragma mmap_size = 0; pragma case_sensitive_like = on; pragma temp_store = memory;"
             "pragma foreign_keys = %s; pragma synchronous = %s; pragma cache_size = %d; %s",
             options->enforce_foreign_keys ? "on" : "off", options->is_sync_normal ? "normal" : "full",
             options->cache_size_kib ? -options->cache_size_kib : -2000,
             options->is_secondary || options->is_read_only ? "pragma wal_autocheckpoint = 0;" : "");
    enum charle_err rc = script(&db->base, pragmas, err);
    if (!rc && !options->is_read_only)
        rc = set_wal(db, err);
    if (!rc) // the first read finds out whether it is a database at all
        rc = script(&db->base, "select count(*) from sqlite_master", err);
    return rc;
}

enum charle_err ch_sqlite_open(const char *path, const struct ch_sqlite_options *options, struct charle_db **out_db,
                               struct charle_error *err)
{
    const struct ch_sqlite_options none = {0};
    const struct ch_sqlite_options *o = options ? options : &none;
    int flags = SQLITE_OPEN_NOMUTEX | (o->is_read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
    struct ch_sqlite *db = ch_alloc_zeroed(1, sizeof(*db));
    if (!db)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while opening %s", path);
    ch_db_init(&db->base, &driver);
    charle_arena_init(&db->bound, CH_BIND_SIZE_MAX * 2);
    enum charle_err rc = make_private(path, o, err);
    if (rc)
        goto done;
    if (!o->is_read_only && !o->must_exist)
        flags |= SQLITE_OPEN_CREATE;
    int code = sqlite3_open_v2(path, &db->handle, flags, o->vfs);
    if (code) {
        // Unknown when it could not be opened at all; without memory there is not even a handle.
        const char *file = db->handle ? sqlite3_db_filename(db->handle, "main") : NULL;
        rc = ch_sqlite_fail(db->handle, code, NULL, err);
        if (!file || !*file)
            rc = charle_error_prefix(err, rc, "%s", path);
    } else {
        rc = configure(db, o, err);
    }
done:
    if (rc)
        close_handle(&db->base);
    else
        *out_db = &db->base;
    return rc;
}
