// Putting the engine together and taking it apart.
//
// Threads: the transport's (dispatch), the lanes', the watch thread (cancels what is overdue, every 50 ms) and the
// sweeper (checks sessions, every 400 ms, on a connection of its own). Stop goes from the outside inwards: the RPC
// server first, so that no call comes any more, then the lanes, which finish what they have, then what they use.
#include "base/alloc.h"
#include "base/log.h"
#include "server/engine_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    CALLS_QUEUE_MAX = 1024,  // at 2,000 calls a second half a second of waiting; more would only time out
    READS_QUEUE_MAX = 16384, // reads go 50 times faster
    READS_BATCH_MAX = 256,   // libpq gains nothing above
    LOGIN_THREADS = 2,       // 64 MiB and a core each
    LOGIN_QUEUE_MAX = 32,    // 3 s of waiting
    STREAMS_THREADS = 8,
    COPIES_THREADS = 8, // a peer on a slow line keeps one busy for hours
    STREAMS_QUEUE_MAX = 1024,
    BULK_THREADS = 4, // more would be in each other's way: they want the same heads
    OTHER_CONNECTIONS = 6, // the reads lane, the sweeper, the tick, the upkeep, the seed files, one to spare
    WATCH_MS = 50,
    POOL_TICK_ROUNDS = 10,        // of the sweeper: every four seconds
    STATEMENT_TIMEOUT_MS = 60000, // behind the deadlines of calls, which are shorter as a rule
    LOCK_TIMEOUT_MS = 10000,      // a lock held longer is somebody's open transaction; the call may be tried again
    IDLE_IN_TRANSACTION_TIMEOUT_MS =
        60000, // no call thinks that long, and an abandoned transaction holds everybody's vacuum up
    CONNECTIONS_MAX = 4096
};

// --- threads of the engine's own -----------------------------------------------------------------------------------

static void pause_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static bool is_stopping(void *ctx)
{
    const struct ch_engine *engine = ctx;
    return atomic_load(&engine->is_stopping);
}

static void *watch(void *ctx)
{
    struct ch_engine *engine = ctx;
    while (!is_stopping(engine)) {
        ch_workers_cancel_overdue(engine);
        ch_fold_poke(engine->fold, ch_clock_mono_us());
        pause_ms(WATCH_MS);
    }
    return NULL;
}

// One line when the database goes away and one when it is back, however many calls fail in between.
static void note_database(struct ch_engine *engine, enum charle_err rc, const struct charle_error *err)
{
    bool is_away = rc != CHARLE_OK;
    if (is_away && !engine->is_database_away)
        ch_log(CH_LOG_WARN, "database", "the database cannot be used; calls fail until it is back: %s", err->text);
    if (!is_away && engine->is_database_away)
        ch_log(CH_LOG_INFO, "database", "the database is back");
    engine->is_database_away = is_away;
}

static void *sweep(void *ctx)
{
    struct ch_engine *engine = ctx;
    for (int64_t round = 0; !is_stopping(engine); round++) {
        struct charle_error err = {0};
        struct charle_db *db = NULL;
        enum charle_err rc = ch_pg_pool_take(engine->pool, CH_POOL_WAIT_MS, &db, &err);
        if (rc == CHARLE_OK)
            rc = ch_sessions_sweep(engine->sessions, db, &err);
        ch_pg_pool_give(engine->pool, db);
        note_database(engine, rc, &err);
        if (round % POOL_TICK_ROUNDS == 0)
            ch_pg_pool_tick(engine->pool);
        pause_ms(CH_SESSIONS_SWEEP_MS);
    }
    return NULL;
}

// --- start ---------------------------------------------------------------------------------------------------------

struct ch_migration_list ch_engine_migrations(const struct ch_server_app *app)
{
    return (struct ch_migration_list){.platform_sql = ch_platform_sql,
                                      .schema = app->schema,
                                      .items = app->migrations,
                                      .count = app->migration_count};
}

static enum charle_err scopes_of(void *ctx, struct charle_db *db, struct charle_str principal, struct charle_str id,
                                 struct charle_arena *arena, struct ch_scopes *out, struct charle_error *err)
{
    const struct ch_engine *engine = ctx;
    struct ch_sync_peer peer = {.principal = principal, .id = id};
    return ch_sync_scopes_of(engine->sync, db, &peer, arena, &out->items, &out->count, err);
}

static bool ask_for_turn(void *ctx)
{
    struct ch_engine *engine = ctx;
    return ch_lane_push(engine->calls, engine->fold);
}

static enum charle_err start_lanes(struct ch_engine *engine, struct charle_error *err)
{
    struct ch_lane_options calls = {.name = "call",
                                    .thread_count = engine->options.pool_size,
                                    .queue_max = CALLS_QUEUE_MAX,
                                    .run = ch_worker_run,
                                    .open_worker = ch_worker_open,
                                    .close_worker = ch_worker_close,
                                    .ctx = engine};
    struct ch_lane_options login = calls, streams = calls, copies = calls, reads = calls, bulks = calls;
    login.name = "login";
    login.thread_count = LOGIN_THREADS;
    login.queue_max = LOGIN_QUEUE_MAX;
    streams.name = "stream";
    streams.thread_count = STREAMS_THREADS;
    streams.queue_max = STREAMS_QUEUE_MAX;
    copies.name = "copy";
    copies.thread_count = COPIES_THREADS;
    copies.queue_max = STREAMS_QUEUE_MAX;
    bulks.name = "bulk";
    bulks.thread_count = BULK_THREADS;
    reads.name = "read";
    reads.thread_count = 1;
    reads.queue_max = READS_QUEUE_MAX;
    reads.batch_max = READS_BATCH_MAX;
    reads.run = ch_reads_run;
    reads.open_worker = ch_reads_open;
    reads.close_worker = ch_reads_close;
    struct ch_fold_options fold = {.transactions_max = engine->options.pool_size, .queue_max = CALLS_QUEUE_MAX, .ask = ask_for_turn, .ctx = engine};
    engine->bulk = ch_bulk_new();
    enum charle_err rc = engine->bulk ? ch_fold_new(&fold, &engine->fold, err) : charle_fail(err, CHARLE_NO_MEMORY, "out of memory while starting");
    if (rc == CHARLE_OK)
        rc = ch_lane_start(&calls, &engine->calls, err);
    if (rc == CHARLE_OK)
        rc = ch_lane_start(&login, &engine->login, err);
    if (rc == CHARLE_OK)
        rc = ch_lane_start(&streams, &engine->streams, err);
    if (rc == CHARLE_OK)
        rc = ch_lane_start(&copies, &engine->copies, err);
    if (rc == CHARLE_OK)
        rc = ch_lane_start(&bulks, &engine->bulks, err);
    return rc ? rc : ch_lane_start(&reads, &engine->reads, err);
}

static enum charle_err start_threads(struct ch_engine *engine, struct charle_error *err)
{
    engine->has_watch = pthread_create(&engine->watch, NULL, watch, engine) == 0;
    engine->has_sweeper = pthread_create(&engine->sweeper, NULL, sweep, engine) == 0;
    if (!engine->has_watch || !engine->has_sweeper)
        return charle_fail(err, CHARLE_NO_MEMORY, "cannot start another thread: raise the limit of processes");
    pthread_setname_np(engine->watch, "watch");
    pthread_setname_np(engine->sweeper, "sweep");
    return CHARLE_OK;
}

static const struct ch_pg_options connection_options = {.application_name = "charled",
                                                        .statement_timeout_ms = STATEMENT_TIMEOUT_MS,
                                                        .lock_timeout_ms = LOCK_TIMEOUT_MS,
                                                        .idle_in_transaction_timeout_ms = IDLE_IN_TRANSACTION_TIMEOUT_MS};

static enum charle_err open_pool(struct ch_engine *engine, struct charle_error *err)
{
    engine->pool_size = engine->options.pool_size + LOGIN_THREADS + STREAMS_THREADS + COPIES_THREADS + BULK_THREADS + OTHER_CONNECTIONS;
    struct ch_pg_pool_options options = {
        .connection = connection_options,
        .connections_min = 2,
        .connections_max = (int)engine->pool_size};
    struct charle_db *db = NULL;
    enum charle_err rc = ch_pg_pool_new(engine->options.database_url, &options, &engine->pool, err);
    if (rc == CHARLE_OK)
        rc = ch_pg_pool_take(engine->pool, CH_POOL_WAIT_MS, &db, err);
    if (rc)
        return rc;
    const char *version = PQparameterStatus(ch_pg_connection(db), "server_version");
    snprintf(engine->postgres_version, sizeof(engine->postgres_version), "%s", version ? version : "");
    ch_pg_pool_give(engine->pool, db);
    return CHARLE_OK;
}

static enum charle_err start_seeds(struct ch_engine *engine, struct charle_error *err)
{
    const struct ch_engine_options *o = &engine->options;
    const struct ch_seeds_options seeds = {.pool = engine->pool, .sync = engine->sync, .schema = o->app->schema, .folder = o->seeds_folder,
                                           .rows_min = o->seed_rows_min, .size_max = o->seed_size_max, .every_s = o->seed_every_s};
    return o->seeds_folder ? ch_seeds_start(&seeds, &engine->seeds, err) : CHARLE_OK;
}

static enum charle_err start_standbys(struct ch_engine *engine, struct charle_error *err)
{
    const struct ch_engine_options *o = &engine->options;
    const struct ch_standbys_options options = {.urls = o->read_from,
                                                .count = o->read_from_count,
                                                .primary = engine->pool,
                                                .connection = connection_options,
                                                .connections_max = STREAMS_THREADS + COPIES_THREADS + (int)o->pool_size + 1,
                                                .lag_max_ms = o->read_lag_ms};
    return o->read_from_count ? ch_standbys_start(&options, &engine->standbys, err) : CHARLE_OK;
}

static void look(void *ctx)
{
    ch_live_look(((struct ch_engine *)ctx)->live);
}

static enum charle_err read_server_id(struct ch_engine *engine, uint8_t out[CH_HINTS_ID_SIZE], struct charle_error *err)
{
    struct charle_db *db = NULL;
    struct charle_rows *rows = NULL;
    struct charle_value id = {0};
    enum charle_err rc = ch_pg_pool_take(engine->pool, CH_POOL_WAIT_MS, &db, err);
    if (rc == CHARLE_OK)
        rc = charle_query(db, "select server_id from charle.cluster where id = 1", NULL, 0, &rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_next(rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 0, CHARLE_TYPE_BYTES, false, &id, err);
    if (rc == CHARLE_OK && id.bytes.len == CH_HINTS_ID_SIZE)
        memcpy(out, id.bytes.ptr, CH_HINTS_ID_SIZE);
    charle_rows_close(rows);
    ch_pg_pool_give(engine->pool, db);
    return rc == CHARLE_DONE ? charle_fail(err, CHARLE_INTERNAL, "charle.cluster has no row: the database was not migrated") : rc;
}

static enum charle_err start_hints(struct ch_engine *engine, struct charle_error *err)
{
    struct ch_hints_options hints = engine->options.hints;
    if (!hints.listen && !hints.peer_count)
        return CHARLE_OK;
    hints.look = look;
    hints.ctx = engine;
    enum charle_err rc = read_server_id(engine, hints.database, err);
    return rc ? rc : ch_hints_start(&hints, &engine->hints, err);
}

static enum charle_err start(struct ch_engine *engine, struct charle_error *err)
{
    struct charle_rpc_server_options rpc = {.connections_max = CONNECTIONS_MAX,
                                            .tls_cert_file = engine->options.tls_cert_file,
                                            .tls_key_file = engine->options.tls_key_file,
                                            .allow_plain_tcp = engine->options.allow_plaintext};
    enum charle_err rc = open_pool(engine, err);
    struct ch_upkeep_options upkeep = {.pool = engine->pool, .every_s = engine->options.upkeep_every_s,
                                       .keep_days = engine->options.keep_log_days,
                                       .keep_files_days = engine->options.keep_files_days};
    if (rc == CHARLE_OK)
        rc = ch_routes_init(engine, err);
    if (rc == CHARLE_OK)
        rc = ch_sync_new(engine->options.app->schema, &engine->methods, &engine->sync, err);
    if (rc == CHARLE_OK)
        rc = ch_skews_new(engine->sync, &engine->methods, &engine->skews, err);
    if (rc == CHARLE_OK)
        rc = ch_sessions_new(engine->options.app->schema, scopes_of, engine, &engine->sessions, err);
    if (rc == CHARLE_OK)
        rc = ch_live_start(engine, &engine->live, err);
    if (rc == CHARLE_OK)
        rc = start_seeds(engine, err);
    if (rc == CHARLE_OK)
        rc = start_hints(engine, err);
    if (rc == CHARLE_OK)
        rc = start_standbys(engine, err);
    if (rc == CHARLE_OK)
        rc = start_lanes(engine, err);
    if (rc == CHARLE_OK)
        rc = start_threads(engine, err);
    if (rc == CHARLE_OK)
        rc = ch_upkeep_start(&upkeep, &engine->upkeep, err);
    return rc ? rc : charle_rpc_server_open(&rpc, ch_dispatch, engine, &engine->rpc, err);
}

enum charle_err ch_engine_start(const struct ch_engine_options *options, struct ch_engine **out,
                                struct charle_error *err)
{
    struct ch_engine *engine = ch_alloc_zeroed(1, sizeof(*engine));
    if (!engine)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while starting");
    engine->options = *options;
    pthread_mutex_init(&engine->workers_mutex, NULL);
    enum charle_err rc = start(engine, err);
    if (rc) {
        ch_engine_stop(engine, 0);
        return rc;
    }
    *out = engine;
    return CHARLE_OK;
}

enum charle_err ch_engine_listen(struct ch_engine *engine, const char *address,
                                 char out_address[CH_ENGINE_ADDRESS_SIZE], struct charle_error *err)
{
    return charle_rpc_server_listen(engine->rpc, address, out_address, err);
}

void ch_engine_stop(struct ch_engine *engine, uint32_t drain_ms)
{
    if (!engine)
        return;
    ch_upkeep_stop(engine->upkeep);
    ch_live_stop(engine->live); // live streams would never end by themselves
    if (engine->rpc)
        charle_rpc_server_close(engine->rpc, drain_ms);
    atomic_store(&engine->is_stopping, true);
    if (engine->bulk)
        ch_bulk_stop(engine->bulk);
    ch_lane_stop(engine->bulks);
    ch_lane_stop(engine->reads);
    ch_lane_stop(engine->streams);
    ch_lane_stop(engine->copies);
    ch_lane_stop(engine->login);
    ch_lane_stop(engine->calls);
    if (engine->has_watch)
        pthread_join(engine->watch, NULL);
    if (engine->has_sweeper)
        pthread_join(engine->sweeper, NULL);
    ch_fold_free(engine->fold);
    ch_bulk_free(engine->bulk);
    ch_seeds_stop(engine->seeds);
    ch_standbys_stop(engine->standbys);
    ch_hints_stop(engine->hints); // calls that were in flight have said what they did
    ch_live_free(engine->live);
    ch_sessions_free(engine->sessions);
    ch_skews_free(engine->skews);
    ch_sync_free(engine->sync);
    ch_pg_pool_free(engine->pool);
    ch_routes_deinit(engine);
    pthread_mutex_destroy(&engine->workers_mutex);
    ch_free(engine);
}
