// A thread of the calls lane: one call at a time, on a connection of the pool.
#include "base/alloc.h"
#include "base/log.h"
#include "db/pg/pg.h"
#include "server/engine_parts.h"
#include "server/sync/file.h"
#include "services/crud.h"

#include <sodium.h>

enum {
    CALL_ARENA_SIZE_MAX = 48 << 20 // a List of a thousand rows and its reply
};

// --- the thread ----------------------------------------------------------------------------------------------------

void *ch_worker_open(void *ctx, uint32_t index)
{
    struct ch_engine *engine = ctx;
    struct ch_worker *worker = ch_alloc_zeroed(1, sizeof(*worker));
    (void)index;
    if (!worker)
        return NULL;
    worker->engine = engine;
    charle_arena_init(&worker->arena, CALL_ARENA_SIZE_MAX);
    charle_buf_init(&worker->reply, CH_MESSAGE_SIZE_MAX);
    pthread_mutex_init(&worker->mutex, NULL);
    pthread_mutex_lock(&engine->workers_mutex);
    worker->next = engine->workers;
    engine->workers = worker;
    pthread_mutex_unlock(&engine->workers_mutex);
    return worker;
}

void ch_worker_close(void *ctx, void *item)
{
    struct ch_engine *engine = ctx;
    struct ch_worker *worker = item;
    if (!worker)
        return;
    pthread_mutex_lock(&engine->workers_mutex);
    struct ch_worker **at = &engine->workers;
    while (*at != worker)
        at = &(*at)->next;
    *at = worker->next;
    pthread_mutex_unlock(&engine->workers_mutex);
    charle_arena_deinit(&worker->arena);
    charle_buf_deinit(&worker->reply);
    pthread_mutex_destroy(&worker->mutex);
    ch_free(worker);
}

void ch_worker_watch(struct ch_worker *worker, struct ch_call *call, struct charle_db *db, int64_t run_until_us)
{
    pthread_mutex_lock(&worker->mutex);
    worker->call = call;
    worker->db = db;
    worker->run_until_us = run_until_us;
    pthread_mutex_unlock(&worker->mutex);
}

bool ch_call_is_overdue(const struct ch_call *call)
{
    return charle_server_call_is_over(call->rpc) || ch_clock_mono_us() > call->deadline_us;
}

static bool must_stop(const struct ch_worker *worker)
{
    return worker->call && (ch_call_is_overdue(worker->call) || (worker->run_until_us && ch_clock_mono_us() > worker->run_until_us));
}

void ch_workers_cancel_overdue(struct ch_engine *engine)
{
    pthread_mutex_lock(&engine->workers_mutex);
    for (struct ch_worker *worker = engine->workers; worker; worker = worker->next) {
        pthread_mutex_lock(&worker->mutex);
        struct charle_error err;
        // Under the mutex the worker cannot go on to another call, so the cancel hits this one's statement or none.
        if (must_stop(worker) && ch_pg_cancel(worker->db, &err))
            ch_log(CH_LOG_WARN, "call", "a statement could not be cancelled: %s", err.text);
        pthread_mutex_unlock(&worker->mutex);
    }
    pthread_mutex_unlock(&engine->workers_mutex);
}

// --- one call ------------------------------------------------------------------------------------------------------

enum charle_err ch_call_authenticate(struct ch_call *call, struct charle_db *db, struct charle_error *err)
{
    if (call->session || !call->token.ptr)
        return CHARLE_OK;
    return ch_sessions_load(call->engine->sessions, db, call->token, &call->session, err);
}

void ch_call_context(struct ch_call *call, struct charle_db *db, struct charle_arena *arena, struct ch_runtime *runtime,
                     struct charle_context *out)
{
    static const struct charle_identity nobody = {0};
    uint64_t seed = 0;
    *out = (struct charle_context){.db = db,
                                   .arena = arena,
                                   .schema = call->engine->options.app->schema,
                                   .identity = call->session ? ch_session_identity(call->session) : &nobody,
                                   .deadline_mono_us = call->deadline_us,
                                   .crud = ch_crud_run,
                                   .runtime = runtime};
    *runtime = (struct ch_runtime){.engine = call->engine, .call = call};
    if (!call->route->method->is_read_only) // a system call, which a read does not need
        randombytes_buf(&seed, sizeof(seed));
    charle_context_seed(out, ch_clock_wall(), seed);
}

struct attempt {
    struct ch_worker *worker;
    struct ch_call *call;
};

// The whole method; runs again from the start when its transaction lost against another.
static enum charle_err run_method(struct charle_db *db, void *ctx, struct charle_error *err)
{
    const struct attempt *attempt = ctx;
    struct ch_worker *worker = attempt->worker;
    struct charle_context context;
    struct ch_runtime runtime;
    charle_arena_reset(&worker->arena);
    charle_buf_reset(&worker->reply);
    ch_call_context(attempt->call, db, &worker->arena, &runtime, &context);
    if (attempt->call->route->kind == CH_ROUTE_WRITE) {
        const struct charle_identity *who = context.identity;
        const struct ch_sync_peer peer = {.principal = who->principal, .id = who->id};
        enum charle_err rc = ch_file_check_request(worker->engine->sync, db, &peer, who->scopes, who->scope_count,
                                                   ch_call_request(attempt->call), &worker->arena, err);
        if (rc)
            return rc;
    }
    return charle_method_run(attempt->call->route->method, &context, ch_call_request(attempt->call), &worker->reply,
                             err);
}

static enum charle_err send_message(void *ctx, struct charle_bytes message, struct charle_error *err)
{
    const struct ch_call *call = ctx;
    enum charle_err rc = charle_server_call_send_wait(call->rpc, message, CH_RPC_STALL_MS);
    if (rc == CHARLE_DEADLINE_EXCEEDED) // it may well go on behind what it has
        return charle_fail(err, CHARLE_UNAVAILABLE, "the peer took nothing for %d s: ask again when it can", CH_RPC_STALL_MS / 1000);
    return rc ? charle_fail(err, rc, "the stream ended: %s", charle_err_text(rc)) : CHARLE_OK;
}

static enum charle_err run_stream(struct ch_worker *worker, struct ch_call *call, struct charle_db *db,
                                  struct charle_error *err)
{
    struct charle_context context;
    struct ch_runtime runtime;
    struct charle_stream stream = {.method = call->route->method, .send = send_message, .ctx = call};
    charle_arena_reset(&worker->arena);
    ch_call_context(call, db, &worker->arena, &runtime, &context);
    enum charle_err rc = charle_method_run_stream(call->route->method, &context, ch_call_request(call), &stream, err);
    charle_stream_deinit(&stream);
    worker->goes_live = runtime.goes_live;
    return rc;
}

static enum charle_err run_routed(struct ch_worker *worker, struct ch_call *call, struct charle_db *db,
                                  struct charle_error *err)
{
    struct attempt attempt = {worker, call};
    struct charle_begin_options snapshot = {.isolation = CHARLE_REPEATABLE_READ, .is_read_only = true};
    switch (call->route->kind) {
    case CH_ROUTE_WRITE: {
        enum charle_err rc = charle_transaction(db, NULL, run_method, &attempt, err);
        if (rc == CHARLE_OK)
            ch_live_wake(worker->engine->live);
        return rc;
    }
    case CH_ROUTE_READ:
        return charle_transaction(db, &snapshot, run_method, &attempt, err);
    case CH_ROUTE_ECHO:
    case CH_ROUTE_LOGIN:
    case CH_ROUTE_PLAIN:
    case CH_ROUTE_GET:
        return run_method(db, &attempt, err);
    case CH_ROUTE_PULL:
    case CH_ROUTE_STREAM:
        return run_stream(worker, call, db, err);
    }
    return CHARLE_INTERNAL;
}

static enum charle_err run_call(struct ch_worker *worker, struct ch_call *call, struct charle_error *err)
{
    struct charle_db *db = NULL;
    charle_buf_reset(&worker->reply);
    worker->goes_live = false;
    if (ch_call_is_overdue(call))
        return charle_fail(err, CHARLE_DEADLINE_EXCEEDED, "the call's time was over before its turn came");
    enum charle_err rc = ch_pg_pool_take(call->engine->pool, CH_POOL_WAIT_MS, &db, err);
    if (rc)
        return rc;
    ch_worker_watch(worker, call, db, 0);
    rc = ch_call_authenticate(call, db, err);
    if (rc == CHARLE_OK)
        rc = run_routed(worker, call, db, err);
    ch_worker_watch(worker, NULL, NULL, 0);
    ch_pg_pool_give(worker->engine->pool, db);
    if (rc == CHARLE_CANCELLED && ch_clock_mono_us() > call->deadline_us)
        rc = charle_fail(err, CHARLE_DEADLINE_EXCEEDED, "the call took longer than its deadline, and was stopped");
    else if (rc == CHARLE_CANCELLED && !charle_server_call_is_over(call->rpc)) // by an operator, or meant for another
        rc = charle_fail(err, CHARLE_ABORTED, "the statement was stopped in the database: try again");
    return rc;
}

void ch_worker_run_alone(struct ch_worker *worker, struct ch_call *call)
{
    struct charle_error err = {0};
    enum charle_err rc = run_call(worker, call, &err);
    if (rc == CHARLE_OK && worker->goes_live) // only now, when the watch thread no longer looks at the call
        ch_live_add(call->engine->live, call);
    else
        ch_call_finish(call, rc, &err, charle_buf_bytes(&worker->reply));
}

void ch_worker_run(void *ctx, void *item, void *const *items, size_t count)
{
    struct ch_engine *engine = ctx;
    struct ch_worker *worker = item;
    struct charle_error err = {0};
    for (size_t i = 0; i < count; i++) {
        if (items[i] == engine->fold) {
            ch_fold_turn(engine, worker);
        } else if (worker) {
            ch_worker_run_alone(worker, items[i]);
        } else {
            charle_fail(&err, CHARLE_NO_MEMORY, "the server is out of memory");
            ch_call_finish(items[i], CHARLE_NO_MEMORY, &err, (struct charle_bytes){0});
        }
    }
}
