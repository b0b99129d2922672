#include "base/alloc.h"
#include "base/limits.h"
#include "base/log.h"
#include "db/pg/internal.h"

#include <stdio.h>
#include <stdlib.h>

struct ch_pg_rows {
    struct charle_rows head;
    PGconn *connection;
    PGcancel *cancel;
    PGresult *result;          // the whole, or the row that stands
    int row;                   // in result; -1 before the first
    bool is_streamed;          // libpq gives one row at a time
    bool is_done;              // nothing more comes from the server
    struct charle_arena arena; // values made from the present row
};

// --- statements -----------------------------------------------------------------------------------------------------

enum charle_err ch_pg_simple(struct ch_pg *db, const char *sql, struct charle_error *err)
{
    PGresult *result = PQexec(db->connection, sql);
    ExecStatusType status = PQresultStatus(result);
    enum charle_err rc = CHARLE_OK;
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH)
        rc = charle_fail(err, CHARLE_INVALID_ARGUMENT, "COPY to or from the client is not possible in a script");
    else if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY)
        rc = ch_pg_fail(db->connection, result, err);
    PQclear(result);
    return rc;
}

static void discard(struct charle_db *handle, struct ch_statement *head)
{
    struct ch_pg *db = ch_pg_of(handle);
    struct ch_pg_statement *statement = (struct ch_pg_statement *)head;
    PGTransactionStatusType status = PQtransactionStatus(db->connection);
    char sql[64];
    // A connection that ends takes its statements with it; in a failed transaction nothing can be said to the server.
    bool must_tell = statement->name[0] && !handle->is_closing && statement->generation == db->generation &&
                     (status == PQTRANS_IDLE || status == PQTRANS_INTRANS);
    if (must_tell) {
        snprintf(sql, sizeof(sql), "deallocate %s", statement->name);
        PQclear(PQexec(db->connection, sql));
    }
    ch_free(statement->types);
    ch_free(statement);
}

// Prepares on the server and asks for the types of the parameters.
static enum charle_err prepare_on_server(struct ch_pg *db, struct ch_pg_statement *statement, const char *sql,
                                         struct charle_error *err)
{
    char name[sizeof(statement->name)];
    snprintf(name, sizeof(name), "c%llu", (unsigned long long)++db->next_name);
    PGresult *result = PQprepare(db->connection, name, sql, 0, NULL);
    enum charle_err rc =
        PQresultStatus(result) == PGRES_COMMAND_OK ? CHARLE_OK : ch_pg_fail(db->connection, result, err);
    PQclear(result);
    if (rc)
        return rc;
    memcpy(statement->name, name, sizeof(name));
    statement->generation = db->generation;
    result = PQdescribePrepared(db->connection, name);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        rc = ch_pg_fail(db->connection, result, err);
        PQclear(result);
        return rc;
    }
    int count = PQnparams(result);
    Oid *types = ch_alloc_zeroed((size_t)count, sizeof(*types));
    for (int i = 0; types && i < count; i++)
        types[i] = PQparamtype(result, i);
    PQclear(result);
    if (!types)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while preparing a statement");
    ch_free(statement->types);
    statement->types = types;
    statement->param_count = count;
    return CHARLE_OK;
}

static enum charle_err prepare(struct charle_db *handle, struct charle_str sql, struct ch_statement **out_statement,
                               struct charle_error *err)
{
    struct ch_pg *db = ch_pg_of(handle);
    struct ch_pg_statement *statement = ch_alloc_zeroed(1, sizeof(*statement));
    if (!statement)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while preparing a statement");
    enum charle_err rc = prepare_on_server(db, statement, sql.ptr, err);
    if (rc)
        discard(handle, &statement->head);
    else
        *out_statement = &statement->head;
    return rc;
}

enum charle_err ch_pg_statement(struct ch_pg *db, const char *sql, struct ch_pg_statement **out_statement,
                                struct charle_error *err)
{
    struct ch_statement *head = NULL;
    enum charle_err rc = ch_db_statement(&db->base, sql, &head, err);
    if (!rc)
        *out_statement = (struct ch_pg_statement *)head;
    return rc;
}

// --- running --------------------------------------------------------------------------------------------------------

// After DDL a plan may give other columns ("cached plan must not change result type"), and a pooler may have forgotten
// the statement. Outside a transaction both are cured by preparing again.
static bool is_stale(struct ch_pg *db, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (!state || PQtransactionStatus(db->connection) != PQTRANS_IDLE)
        return false;
    return strcmp(state, "26000") == 0 ||
           (strcmp(state, "0A000") == 0 && words && strstr(words, "cached plan must not change"));
}

// A statement that turns into a COPY leaves the connection in a state that only ending the COPY gets it out of.
static enum charle_err refuse_copy(PGconn *connection, struct charle_error *err)
{
    char *data = NULL;
    (void)PQputCopyEnd(connection, "not supported here");
    while (PQgetCopyData(connection, &data, 0) > 0)
        PQfreemem(data);
    for (PGresult *rest; (rest = PQgetResult(connection));)
        PQclear(rest);
    return charle_fail(err, CHARLE_INVALID_ARGUMENT, "COPY to or from the client cannot be run as a query");
}

static enum charle_err check_result(PGconn *connection, const PGresult *result, struct charle_error *err)
{
    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
    case PGRES_SINGLE_TUPLE:
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
        return CHARLE_OK;
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
        return refuse_copy(connection, err);
    case PGRES_BAD_RESPONSE:
    case PGRES_NONFATAL_ERROR:
    case PGRES_FATAL_ERROR:
    case PGRES_PIPELINE_SYNC:
    case PGRES_PIPELINE_ABORTED:
        break;
    }
    return ch_pg_fail(connection, result, err);
}

static int64_t changed_rows(PGresult *result)
{
    const char *tag = PQcmdStatus(result);
    bool is_write = strncmp(tag, "INSERT", 6) == 0 || strncmp(tag, "UPDATE", 6) == 0 ||
                    strncmp(tag, "DELETE", 6) == 0 || strncmp(tag, "MERGE", 5) == 0;
    return is_write ? strtoll(PQcmdTuples(result), NULL, 10) : 0;
}

static PGresult *exec_prepared(struct ch_pg *db, const struct ch_pg_statement *statement)
{
    return PQexecPrepared(db->connection, statement->name, statement->param_count, db->values, db->lengths, db->formats,
                          1);
}

static enum charle_err run_whole(struct ch_pg *db, struct ch_pg_statement *statement, PGresult **out_result,
                                 struct charle_error *err)
{
    PGresult *result = exec_prepared(db, statement);
    enum charle_err rc = CHARLE_OK;
    if (PQresultStatus(result) == PGRES_FATAL_ERROR && is_stale(db, result)) {
        PQclear(result);
        result = NULL;
        rc = prepare_on_server(db, statement, statement->head.sql, err);
        if (!rc)
            result = exec_prepared(db, statement);
    }
    if (!rc)
        rc = check_result(db->connection, result, err);
    if (rc) {
        PQclear(result);
        result = NULL;
    }
    *out_result = result;
    return rc;
}

// The first result is fetched here, so that a statement that fails does so now.
static enum charle_err run_streamed(struct ch_pg *db, struct ch_pg_statement *statement, PGresult **out_result,
                                    struct charle_error *err)
{
    if (!PQsendQueryPrepared(db->connection, statement->name, statement->param_count, db->values, db->lengths,
                             db->formats, 1) ||
        !PQsetSingleRowMode(db->connection))
        return ch_pg_fail(db->connection, NULL, err);
    *out_result = PQgetResult(db->connection);
    enum charle_err rc = check_result(db->connection, *out_result, err);
    if (!rc)
        return CHARLE_OK;
    PQclear(*out_result);
    for (PGresult *rest; (rest = PQgetResult(db->connection));)
        PQclear(rest);
    return rc;
}

static enum charle_err make_rows(struct ch_pg *db, PGresult *result, bool is_streamed, struct charle_rows **out_rows,
                                 struct charle_error *err)
{
    struct ch_pg_rows *rows = ch_alloc_zeroed(1, sizeof(*rows));
    if (!rows) {
        PQclear(result);
        for (PGresult *rest; is_streamed && (rest = PQgetResult(db->connection));)
            PQclear(rest);
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while running a query");
    }
    rows->connection = db->connection;
    rows->cancel = db->cancel;
    rows->result = result;
    rows->row = -1;
    rows->is_streamed = is_streamed;
    *out_rows = &rows->head;
    return CHARLE_OK;
}

static enum charle_err execute(struct charle_db *handle, struct ch_statement *head, const struct charle_value *params,
                               size_t param_count, enum ch_fetch fetch, int64_t *out_changed,
                               struct charle_rows **out_rows, struct charle_error *err)
{
    struct ch_pg *db = ch_pg_of(handle);
    struct ch_pg_statement *statement = (struct ch_pg_statement *)head;
    PGresult *result = NULL;
    enum charle_err rc = ch_pg_bind(db, statement, params, param_count, err);
    if (rc)
        return rc;
    rc = fetch == CH_FETCH_STREAM ? run_streamed(db, statement, &result, err) : run_whole(db, statement, &result, err);
    if (rc)
        return rc;
    *out_changed = changed_rows(result);
    if (fetch != CH_FETCH_NOTHING)
        return make_rows(db, result, fetch == CH_FETCH_STREAM, out_rows, err);
    PQclear(result);
    return CHARLE_OK;
}

static enum charle_err script(struct charle_db *handle, const char *sql, struct charle_error *err)
{
    return ch_pg_simple(ch_pg_of(handle), sql, err);
}

// --- rows -----------------------------------------------------------------------------------------------------------

static struct ch_pg_rows *rows_of(const struct charle_rows *rows)
{
    return (struct ch_pg_rows *)(uintptr_t)rows;
}

static enum charle_err fetch_next(struct ch_pg_rows *r, struct charle_error *err)
{
    PGresult *next = PQgetResult(r->connection);
    enum charle_err rc = next ? check_result(r->connection, next, err) : CHARLE_OK;
    if (rc || !next || PQresultStatus(next) != PGRES_SINGLE_TUPLE) { // the last result has no rows
        PQclear(next);
        for (PGresult *rest; (rest = PQgetResult(r->connection));)
            PQclear(rest);
        r->is_done = true;
        return rc ? rc : CHARLE_DONE;
    }
    PQclear(r->result);
    r->result = next;
    r->row = 0;
    return CHARLE_OK;
}

static enum charle_err rows_next(struct charle_rows *rows, struct charle_error *err)
{
    struct ch_pg_rows *r = rows_of(rows);
    charle_arena_reset(&r->arena);
    if (r->is_done)
        return CHARLE_DONE;
    if (r->row + 1 < PQntuples(r->result)) {
        r->row++;
        return CHARLE_OK;
    }
    if (r->is_streamed)
        return fetch_next(r, err);
    r->is_done = true;
    return CHARLE_DONE;
}

static size_t rows_column_count(const struct charle_rows *rows)
{
    return (size_t)PQnfields(rows_of(rows)->result);
}

static struct charle_str rows_column_name(const struct charle_rows *rows, size_t column)
{
    return charle_str(PQfname(rows_of(rows)->result, (int)column));
}

enum charle_err ch_pg_result_value(const PGresult *result, int row, int column, enum charle_type type, bool is_array,
                                   struct charle_arena *arena, struct charle_value *out, struct charle_error *err)
{
    struct ch_pg_datum datum = {0};
    if (!PQgetisnull(result, row, column))
        datum = (struct ch_pg_datum){(const uint8_t *)PQgetvalue(result, row, column),
                                     (size_t)PQgetlength(result, row, column)};
    enum charle_err rc = ch_pg_datum_value(datum, PQftype(result, column), type, is_array, arena, out, err);
    return rc ? charle_error_prefix(err, rc, "column %s", PQfname(result, column)) : CHARLE_OK;
}

static enum charle_err rows_value(struct charle_rows *rows, size_t column, enum charle_type type, bool is_array,
                                  struct charle_value *out, struct charle_error *err)
{
    struct ch_pg_rows *r = rows_of(rows);
    if (r->row < 0 || r->row >= PQntuples(r->result))
        return charle_fail(err, CHARLE_FAILED_PRECONDITION, "there is no present row; call charle_rows_next first");
    return ch_pg_result_value(r->result, r->row, (int)column, type, is_array, &r->arena, out, err);
}

static void rows_close(struct charle_rows *rows)
{
    struct ch_pg_rows *r = rows_of(rows);
    char words[256];
    if (r->is_streamed && !r->is_done) {
        (void)PQcancel(r->cancel, words, sizeof(words)); // or else the whole rest would have to be read
        for (PGresult *rest; (rest = PQgetResult(r->connection));)
            PQclear(rest);
    }
    PQclear(r->result);
    charle_arena_deinit(&r->arena);
    ch_free(r);
}

// --- transactions ---------------------------------------------------------------------------------------------------

static enum charle_err begin(struct charle_db *handle, const struct charle_begin_options *options,
                             struct charle_error *err)
{
    static const char *const levels[] = {"read committed", "repeatable read", "serializable"};
    char sql[96];
    snprintf(sql, sizeof(sql), "begin isolation level %s, read %s", levels[options->isolation],
             options->is_read_only ? "only" : "write");
    return ch_pg_simple(ch_pg_of(handle), sql, err);
}

static enum charle_err commit(struct charle_db *handle, struct charle_error *err)
{
    struct ch_pg *db = ch_pg_of(handle);
    PGresult *result = PQexec(db->connection, "commit");
    enum charle_err rc =
        PQresultStatus(result) == PGRES_COMMAND_OK ? CHARLE_OK : ch_pg_fail(db->connection, result, err);
    // COMMIT of a failed transaction "succeeds" as a rollback, and says so only in its tag.
    if (!rc && strcmp(PQcmdStatus(result), "COMMIT") != 0)
        rc = charle_fail(err, CHARLE_ABORTED, "a statement of the transaction had failed; nothing of it was kept");
    PQclear(result);
    if (rc == CHARLE_UNAVAILABLE)
        rc = charle_error_prefix(err, rc, "while committing, so the transaction may or may not have been kept");
    return rc;
}

static enum charle_err rollback(struct charle_db *handle, struct charle_error *err)
{
    return ch_pg_simple(ch_pg_of(handle), "rollback", err);
}

static bool in_transaction(const struct charle_db *handle)
{
    PGTransactionStatusType status = PQtransactionStatus(ch_pg_of(handle)->connection);
    return status == PQTRANS_INTRANS || status == PQTRANS_INERROR || status == PQTRANS_ACTIVE;
}

enum charle_err ch_pg_cancel(struct charle_db *handle, struct charle_error *err)
{
    char words[256] = "";
    PGcancel *cancel = ch_pg_of(handle)->cancel;
    if (cancel && PQcancel(cancel, words, sizeof(words)))
        return CHARLE_OK;
    return charle_fail(err, CHARLE_UNAVAILABLE, "PostgreSQL did not take the request to cancel: %.*s",
                       (int)strcspn(words, "\n"), words);
}

static void close_handle(struct charle_db *handle)
{
    struct ch_pg *db = ch_pg_of(handle);
    PQfreeCancel(db->cancel);
    PQfinish(db->connection);
    ch_pg_bind_deinit(db);
    charle_buf_deinit(&db->bound);
    ch_free(db->url);
    ch_free(db);
}

static const struct ch_driver driver = {
    .dialect = CHARLE_PG,
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
    .cancel = ch_pg_cancel,
};

// --- connecting -----------------------------------------------------------------------------------------------------

static void on_notice(void *ctx, const char *message)
{
    (void)ctx;
    ch_log(CH_LOG_DEBUG, "postgresql", "%.*s", (int)strcspn(message, "\n"), message);
}

static enum charle_err connect_failed(PGconn *connection, struct charle_error *err)
{
    const char *words = PQerrorMessage(connection);
    enum charle_err code = CHARLE_UNAVAILABLE;
    if (strstr(words, "password") || strstr(words, "authentication") || strstr(words, "pg_hba.conf") ||
        (strstr(words, "role \"") && strstr(words, "does not exist")))
        code = CHARLE_UNAUTHENTICATED;
    else if (strstr(words, "database \"") && strstr(words, "does not exist"))
        code = CHARLE_NOT_FOUND;
    else if (strstr(words, "too many clients") || strstr(words, "remaining connection slots"))
        code = CHARLE_RESOURCE_EXHAUSTED;
    size_t len = strlen(words);
    while (len && words[len - 1] == '\n')
        len--;
    return charle_fail(err, code, "cannot connect to PostgreSQL: %.*s", (int)len, words);
}

static enum charle_err set_up_session(struct ch_pg *db, struct charle_error *err)
{
    struct charle_buf sql = {0};
    const struct ch_pg_options *o = &db->options;
    charle_buf_add_text(
        &sql, "set timezone = 'UTC'; set client_min_messages = warning; set standard_conforming_strings = on;");
    if (o->statement_timeout_ms)
        charle_buf_printf(&sql, "set statement_timeout = %d;", o->statement_timeout_ms);
    if (o->lock_timeout_ms)
        charle_buf_printf(&sql, "set lock_timeout = %d;", o->lock_timeout_ms);
    if (o->idle_in_transaction_timeout_ms)
        charle_buf_printf(&sql, "set idle_in_transaction_session_timeout = %d;", o->idle_in_transaction_timeout_ms);
    const char *text = charle_buf_text(&sql);
    enum charle_err rc =
        text ? ch_pg_simple(db, text, err) : charle_fail(err, CHARLE_NO_MEMORY, "out of memory while connecting");
    charle_buf_deinit(&sql);
    return rc;
}

static enum charle_err dial(struct ch_pg *db, struct charle_error *err)
{
    char timeout[16];
    snprintf(timeout, sizeof(timeout), "%d",
             db->options.connect_timeout_s ? db->options.connect_timeout_s : CH_PG_CONNECT_TIMEOUT_S);
    // What the URL says comes after our defaults and wins; the encoding is not up to it.
    const char *const names[] = {"connect_timeout", "application_name", "dbname", "client_encoding", NULL};
    const char *const values[] = {timeout, db->application_name, db->url, "UTF8", NULL};
    db->connection = PQconnectdbParams(names, values, 1);
    if (!db->connection)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while connecting to PostgreSQL");
    if (PQstatus(db->connection) != CONNECTION_OK)
        return connect_failed(db->connection, err);
    PQsetNoticeProcessor(db->connection, on_notice, NULL);
    db->cancel = PQgetCancel(db->connection);
    db->generation++;
    return set_up_session(db, err);
}

enum charle_err ch_pg_open(const char *url, const struct ch_pg_options *options, struct charle_db **out_db,
                           struct charle_error *err)
{
    struct ch_pg *db = ch_alloc_zeroed(1, sizeof(*db));
    if (!db)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while connecting to PostgreSQL");
    ch_db_init(&db->base, &driver);
    charle_buf_init(&db->bound, CH_BIND_SIZE_MAX);
    if (options)
        db->options = *options;
    snprintf(db->application_name, sizeof(db->application_name), "%s",
             db->options.application_name ? db->options.application_name : "charle");
    db->options.application_name = NULL; // the caller's text may go
    db->url = ch_strdup_n(url, strlen(url));
    enum charle_err rc = db->url ? dial(db, err) : charle_fail(err, CHARLE_NO_MEMORY, "out of memory while connecting");
    if (rc)
        close_handle(&db->base);
    else
        *out_db = &db->base;
    return rc;
}

PGconn *ch_pg_connection(struct charle_db *handle)
{
    CHARLE_ASSERT(handle->driver == &driver);
    return ch_pg_of(handle)->connection;
}

bool ch_pg_is_alive(struct charle_db *handle)
{
    return PQstatus(ch_pg_connection(handle)) == CONNECTION_OK;
}

bool ch_pg_check(struct charle_db *handle)
{
    PGconn *connection = ch_pg_connection(handle);
    if (PQstatus(connection) != CONNECTION_OK || PQtransactionStatus(connection) != PQTRANS_IDLE)
        return false;
    PGresult *result = PQexec(connection, "");
    bool ok = PQresultStatus(result) == PGRES_EMPTY_QUERY;
    PQclear(result);
    return ok;
}

enum charle_err ch_pg_reconnect(struct charle_db *handle, struct charle_error *err)
{
    struct ch_pg *db = ch_pg_of(handle);
    db->generation++; // what was prepared is gone, and need not be deallocated
    ch_db_forget_statements(handle);
    PQfreeCancel(db->cancel);
    PQfinish(db->connection);
    db->cancel = NULL;
    handle->depth = 0;
    return dial(db, err);
}
