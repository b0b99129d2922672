// The reads lane: generated Get calls, all that wait at once.
//
// A read by key costs PostgreSQL 10 µs and a round trip costs more than that. So the one thread of this lane takes
// every call that waits (at most 256), sends their statements down one connection, flushes once, and answers in the
// order of the results: the busier the server, the larger the batches. One thread is enough, since one connection's
// backend is the bottleneck before it is.
//
// The answers wait until the batch is read, and go out together: a system call for each would cost more than the read.
//
// Statements between two flushes are one implicit transaction, so a statement that fails takes those behind it along;
// they are simply sent again, at most as often as there are calls, since each round finishes at least one.
#include "base/alloc.h"
#include "db/pg/pipeline.h"
#include "server/engine_parts.h"
#include "services/crud.h"

enum { BATCH_ARENA_SIZE_MAX = 32 << 20, READS_MAX = 256 };

struct read {
    struct ch_call *call;
    struct ch_crud_get get;
};

struct reader {
    struct ch_engine *engine;
    struct charle_arena arena; // of one batch
    struct charle_buf reply;
    struct read reads[READS_MAX];
    struct ch_call *answered[READS_MAX]; // with replies that wait for the batch's end
    struct charle_bytes replies[READS_MAX];
    size_t answered_count;
};

void *ch_reads_open(void *ctx, uint32_t index)
{
    struct reader *reader = ch_alloc_zeroed(1, sizeof(*reader));
    (void)index;
    if (!reader)
        return NULL;
    reader->engine = ctx;
    charle_arena_init(&reader->arena, BATCH_ARENA_SIZE_MAX);
    charle_buf_init(&reader->reply, CH_MESSAGE_SIZE_MAX);
    return reader;
}

void ch_reads_close(void *ctx, void *worker)
{
    struct reader *reader = worker;
    (void)ctx;
    if (!reader)
        return;
    charle_arena_deinit(&reader->arena);
    charle_buf_deinit(&reader->reply);
    ch_free(reader);
}

static void fail_call(struct ch_call *call, enum charle_err rc, const struct charle_error *err)
{
    ch_call_finish(call, rc, err, (struct charle_bytes){0});
}

static void fail_all(const struct read *reads, size_t count, enum charle_err rc, const struct charle_error *err)
{
    for (size_t i = 0; i < count; i++)
        fail_call(reads[i].call, rc, err);
}

// --- reading a result ----------------------------------------------------------------------------------------------

static enum charle_err encode(void *row, const struct charle_table *table, const struct charle_column_set *columns,
                              struct charle_buf *buf, struct charle_error *err)
{
    return ch_pg_encode_row(table, columns, row, 0, buf, err);
}

static enum charle_err read_flag(void *row, size_t column, bool *out, struct charle_error *err)
{
    const PGresult *result = row;
    if ((int)column >= PQnfields(result) || PQgetlength(result, 0, (int)column) != 1)
        return charle_fail(err, CHARLE_INTERNAL, "column %zu of a Get is no boolean", column);
    *out = PQgetvalue(result, 0, (int)column)[0] != 0;
    return CHARLE_OK;
}

static void answer(struct reader *reader, struct read *read, PGresult *result)
{
    struct charle_error err = {0};
    struct ch_crud_row row = {.row = result, .encode = encode, .flag = read_flag};
    charle_buf_reset(&reader->reply);
    enum charle_err rc = ch_crud_get_finish(&read->get, PQntuples(result) ? &row : NULL, &reader->reply, &err);
    struct charle_bytes kept =
        rc ? (struct charle_bytes){0} : charle_arena_bytes(&reader->arena, charle_buf_bytes(&reader->reply));
    if (!kept.ptr) { // failed, or so large that it does not wait
        ch_call_finish(read->call, rc, &err, charle_buf_bytes(&reader->reply));
        return;
    }
    reader->answered[reader->answered_count] = read->call;
    reader->replies[reader->answered_count++] = kept;
}

// --- a batch -------------------------------------------------------------------------------------------------------

// Makes the statements. Calls that fail here are answered; the others are moved to the front. The number left.
static size_t prepare(struct reader *reader, struct charle_db *db, struct read *reads, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct charle_error err = {0};
        struct charle_context context;
        struct ch_runtime runtime;
        struct ch_call *call = reads[i].call;
        enum charle_err rc =
            charle_server_call_is_over(call->rpc) ? CHARLE_CANCELLED : ch_call_authenticate(call, db, &err);
        if (rc == CHARLE_OK) {
            ch_call_context(call, NULL, &reader->arena, &runtime, &context);
            rc = ch_crud_get_prepare(call->route->method, &context, charle_server_call_request(call->rpc), CHARLE_PG,
                                     &reads[i].get, &err);
        }
        if (rc)
            fail_call(call, rc, &err);
        else
            reads[kept++] = reads[i];
    }
    return kept;
}

// Sends all and answers what came back. Calls that were not run because one before them failed are moved to the front.
// The number left.
static size_t run_round(struct reader *reader, struct charle_db *db, struct read *reads, size_t count)
{
    struct charle_error err = {0};
    struct ch_pg_pipeline *pipeline = NULL;
    size_t sent = 0, left = 0;
    enum charle_err rc = ch_pg_pipeline_open(db, 0, &pipeline, &err);
    for (; rc == CHARLE_OK && sent < count; sent++) {
        rc = ch_pg_pipeline_add(pipeline, reads[sent].get.sql, reads[sent].get.params, reads[sent].get.param_count,
                                &err);
        if (rc)
            break;
    }
    if (rc && sent == 0) { // nothing went out: the connection, or this very statement
        fail_call(reads[0].call, rc, &err);
        memmove(reads, reads + 1, (count - 1) * sizeof(*reads));
        ch_pg_pipeline_close(pipeline);
        return count - 1;
    }
    bool has_failed = false;
    for (size_t i = 0; i < sent; i++) {
        PGresult *result = NULL;
        rc = ch_pg_pipeline_next(pipeline, &result, &err);
        if (rc == CHARLE_OK)
            answer(reader, &reads[i], result);
        else if (rc == CHARLE_ABORTED && has_failed)
            reads[left++] = reads[i];
        else
            fail_call(reads[i].call, rc, &err);
        has_failed |= rc != CHARLE_OK;
        PQclear(result);
    }
    ch_pg_pipeline_close(pipeline);
    for (size_t i = sent; i < count; i++) // did not fit into the pipeline, or stand behind one that did not
        reads[left++] = reads[i];
    return left;
}

void ch_reads_run(void *ctx, void *worker, void *const *items, size_t count)
{
    struct ch_engine *engine = ctx;
    struct reader *reader = worker;
    struct charle_error err = {0};
    struct charle_db *db = NULL;
    if (!reader) {
        charle_fail(&err, CHARLE_NO_MEMORY, "the server is out of memory");
        for (size_t i = 0; i < count; i++)
            fail_call(items[i], CHARLE_NO_MEMORY, &err);
        return;
    }
    for (size_t i = 0; i < count; i++)
        reader->reads[i] = (struct read){.call = items[i]};
    enum charle_err rc = ch_pg_pool_take(engine->pool, CH_POOL_WAIT_MS, &db, &err);
    if (rc) {
        fail_all(reader->reads, count, rc, &err);
        return;
    }
    charle_arena_reset(&reader->arena);
    reader->answered_count = 0;
    size_t left = prepare(reader, db, reader->reads, count);
    while (left && ch_pg_is_alive(db))
        left = run_round(reader, db, reader->reads, left);
    ch_calls_finish(reader->answered, reader->replies, reader->answered_count);
    if (left) {
        charle_fail(&err, CHARLE_UNAVAILABLE, "the database went away: try again");
        fail_all(reader->reads, left, CHARLE_UNAVAILABLE, &err);
    }
    ch_pg_pool_give(engine->pool, db);
}
