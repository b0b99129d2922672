// A pipeline counts what is on its way: statements whose results are still on the wire come after those in the stash,
// where results are put when a new statement must be prepared in between.
#include "db/pg/pipeline.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "db/pg/internal.h"

struct ch_pg_pipeline {
    struct ch_pg *db;
    bool is_separate;
    bool is_lost;      // a result said that the connection is gone; libpq calls the rest "aborted"
    size_t on_wire;    // added, result not yet read from libpq
    size_t not_synced; // of these, added after the last sync
    PGresult **stash;  // results read ahead, from `first` on
    size_t first, count, capacity;
};

enum charle_err ch_pg_pipeline_open(struct charle_db *handle, int flags, struct ch_pg_pipeline **out_pipeline,
                                    struct charle_error *err)
{
    struct ch_pg_pipeline *pipeline = ch_alloc_zeroed(1, sizeof(*pipeline));
    if (!pipeline)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while opening a pipeline");
    pipeline->db = ch_pg_of(handle);
    pipeline->is_separate = flags & CH_PG_PIPELINE_SEPARATE;
    if (!PQenterPipelineMode(pipeline->db->connection)) {
        ch_free(pipeline);
        return ch_pg_fail(ch_pg_of(handle)->connection, NULL, err);
    }
    *out_pipeline = pipeline;
    return CHARLE_OK;
}

static PGconn *connection_of(const struct ch_pg_pipeline *pipeline)
{
    return pipeline->db->connection;
}

enum charle_err ch_pg_pipeline_flush(struct ch_pg_pipeline *pipeline, struct charle_error *err)
{
    if (pipeline->not_synced && !pipeline->is_separate && !PQpipelineSync(connection_of(pipeline)))
        return ch_pg_fail(connection_of(pipeline), NULL, err);
    pipeline->not_synced = 0;
    if (PQflush(connection_of(pipeline)) < 0)
        return ch_pg_fail(connection_of(pipeline), NULL, err);
    return CHARLE_OK;
}

// The next statement's result; NULL when the connection is lost. libpq closes each statement with a NULL and gives
// syncs as results of their own.
static PGresult *read_one(struct ch_pg_pipeline *pipeline)
{
    PGconn *connection = connection_of(pipeline);
    PGresult *result = PQgetResult(connection);
    for (int nulls = 0; !result || PQresultStatus(result) == PGRES_PIPELINE_SYNC;) {
        nulls = result ? 0 : nulls + 1;
        PQclear(result);
        if (nulls > 2) // the connection was lost and libpq has nothing more to give
            return NULL;
        result = PQgetResult(connection);
    }
    for (PGresult *extra; (extra = PQgetResult(connection));) { // one prepared statement has one result
        bool is_sync = PQresultStatus(extra) == PGRES_PIPELINE_SYNC;
        PQclear(extra);
        if (is_sync || PQstatus(connection) != CONNECTION_OK)
            break;
    }
    return result;
}

// Reads all that is on the wire into the stash.
static enum charle_err drain(struct ch_pg_pipeline *pipeline, struct charle_error *err)
{
    size_t needed = pipeline->count + pipeline->on_wire;
    if (needed > pipeline->capacity) {
        PGresult **stash = ch_realloc_array(pipeline->stash, needed, sizeof(*stash));
        if (!stash)
            return charle_fail(err, CHARLE_NO_MEMORY, "out of memory in a pipeline");
        pipeline->stash = stash;
        pipeline->capacity = needed;
    }
    enum charle_err rc = ch_pg_pipeline_flush(pipeline, err);
    for (; !rc && pipeline->on_wire; pipeline->on_wire--)
        pipeline->stash[pipeline->count++] = read_one(pipeline);
    return rc;
}

// Reads what libpq still holds, which is the last sync, and leaves pipeline mode.
static bool leave(PGconn *connection)
{
    while (!PQexitPipelineMode(connection)) {
        PGresult *rest = PQgetResult(connection);
        if (!rest)
            rest = PQgetResult(connection); // a NULL stands between statements
        if (!rest)
            return false;
        PQclear(rest);
    }
    return true;
}

static enum charle_err prepare_between(struct ch_pg_pipeline *pipeline, const char *sql,
                                       struct ch_pg_statement **out_statement, struct charle_error *err)
{
    enum charle_err rc = drain(pipeline, err);
    if (rc)
        return rc;
    if (!leave(connection_of(pipeline)))
        return ch_pg_fail(connection_of(pipeline), NULL, err);
    rc = ch_pg_statement(pipeline->db, sql, out_statement, err);
    if (!PQenterPipelineMode(connection_of(pipeline)) && !rc)
        rc = ch_pg_fail(connection_of(pipeline), NULL, err);
    return rc;
}

enum charle_err ch_pg_pipeline_add(struct ch_pg_pipeline *pipeline, const char *sql, const struct charle_value *params,
                                   size_t param_count, struct charle_error *err)
{
    struct ch_pg *db = pipeline->db;
    struct ch_pg_statement *statement = (struct ch_pg_statement *)ch_statement_find(&db->base, sql);
    enum charle_err rc = CHARLE_OK;
    if (ch_pg_pipeline_pending(pipeline) >= CH_PG_PIPELINE_MAX)
        return charle_fail(err, CHARLE_RESOURCE_EXHAUSTED, "%d results of a pipeline wait to be read; read them first",
                           CH_PG_PIPELINE_MAX);
    if (!statement)
        rc = prepare_between(pipeline, sql, &statement, err);
    if (!rc)
        rc = ch_pg_bind(db, statement, params, param_count, err);
    if (rc)
        return rc;
    if (!PQsendQueryPrepared(db->connection, statement->name, statement->param_count, db->values, db->lengths,
                             db->formats, 1) ||
        (pipeline->is_separate && !PQpipelineSync(db->connection)))
        return ch_pg_fail(db->connection, NULL, err);
    pipeline->on_wire++;
    pipeline->not_synced++;
    return CHARLE_OK;
}

static enum charle_err deliver(struct ch_pg_pipeline *pipeline, PGresult *result, PGresult **out_result,
                               struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    ExecStatusType status = PQresultStatus(result);
    if (pipeline->is_lost)
        rc = charle_fail(err, CHARLE_UNAVAILABLE, "PostgreSQL was lost before it answered");
    else if (status == PGRES_PIPELINE_ABORTED)
        rc = charle_fail(err, CHARLE_ABORTED, "not run, because a statement before it in the same batch failed");
    else if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY)
        rc = ch_pg_fail(connection_of(pipeline), result, err);
    pipeline->is_lost = rc == CHARLE_UNAVAILABLE;
    if (rc)
        PQclear(result);
    else
        *out_result = result;
    return rc;
}

enum charle_err ch_pg_pipeline_next(struct ch_pg_pipeline *pipeline, PGresult **out_result, struct charle_error *err)
{
    if (pipeline->first < pipeline->count) {
        PGresult *result = pipeline->stash[pipeline->first++];
        if (pipeline->first == pipeline->count)
            pipeline->first = pipeline->count = 0;
        return deliver(pipeline, result, out_result, err);
    }
    if (pipeline->on_wire == 0)
        return CHARLE_DONE;
    enum charle_err rc = pipeline->not_synced ? ch_pg_pipeline_flush(pipeline, err) : CHARLE_OK;
    pipeline->on_wire--;
    return rc ? rc : deliver(pipeline, read_one(pipeline), out_result, err);
}

size_t ch_pg_pipeline_pending(const struct ch_pg_pipeline *pipeline)
{
    return pipeline->count - pipeline->first + pipeline->on_wire;
}

void ch_pg_pipeline_close(struct ch_pg_pipeline *pipeline)
{
    if (!pipeline)
        return;
    for (; pipeline->first < pipeline->count; pipeline->first++)
        PQclear(pipeline->stash[pipeline->first]);
    if (!ch_pg_pipeline_flush(pipeline, NULL))
        for (; pipeline->on_wire && PQstatus(connection_of(pipeline)) == CONNECTION_OK; pipeline->on_wire--)
            PQclear(read_one(pipeline));
    (void)leave(connection_of(pipeline));
    ch_free(pipeline->stash);
    ch_free(pipeline);
}
