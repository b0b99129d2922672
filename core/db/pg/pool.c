// One mutex guards everything; it is never held while talking to PostgreSQL. A connection is in exactly one place: the
// stack of idle ones (the warmest on top), with a caller, or on its way (counted in `connecting`). Callers who must
// wait stand in a list, each with its own condition; only the first may take or connect, and whoever leaves wakes the
// next.
#include "db/pg/pool.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "db/driver.h"

#include <pthread.h>
#include <time.h>

enum {
    CONNECTIONS_DEFAULT = 10,
    IDLE_CHECK_MS = 10000,
    IDLE_CLOSE_MS = 300000,
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 5000,
};

struct idle {
    struct charle_db *db;
    int64_t since_us;
};

struct waiter {
    struct waiter *next;
    pthread_cond_t wake;
};

struct ch_pg_pool {
    pthread_mutex_t lock;
    char *url;
    char *application_name;
    struct ch_pg_pool_options options;
    struct idle *idle; // connections_max entries
    int idle_count;
    int busy;
    int connecting;
    struct waiter *first, *last;
    int waiting;
    bool is_closed;
    int backoff_ms;      // 0: the last attempt went well
    int64_t retry_at_us; // no attempt before
    uint64_t jitter;
    struct charle_error trouble; // why the last attempt failed
    struct ch_pg_pool_figures figures;
};

static int total(const struct ch_pg_pool *pool)
{
    return pool->idle_count + pool->busy + pool->connecting;
}

static void wake_first(struct ch_pg_pool *pool)
{
    if (pool->first)
        pthread_cond_signal(&pool->first->wake);
}

// --- connecting -----------------------------------------------------------------------------------------------------

static void note_failure(struct ch_pg_pool *pool, const struct charle_error *why)
{
    pool->figures.failures++;
    pool->trouble = *why;
    pool->backoff_ms = pool->backoff_ms ? pool->backoff_ms * 2 : BACKOFF_MIN_MS;
    if (pool->backoff_ms > BACKOFF_MAX_MS)
        pool->backoff_ms = BACKOFF_MAX_MS;
    pool->jitter ^= pool->jitter << 13; // xorshift64
    pool->jitter ^= pool->jitter >> 7;
    pool->jitter ^= pool->jitter << 17;
    // A quarter of the span is random, so that many servers do not come back at the same instant.
    int64_t span_us = (int64_t)pool->backoff_ms * 1000;
    pool->retry_at_us = ch_clock_mono_us() + span_us * 3 / 4 + (int64_t)(pool->jitter % (uint64_t)(span_us / 4));
}

// With the lock held, which is released meanwhile. On success the connection counts as busy.
static enum charle_err connect_one(struct ch_pg_pool *pool, struct charle_db **out_db, struct charle_error *err)
{
    struct charle_error why = {0};
    pool->connecting++;
    pthread_mutex_unlock(&pool->lock);
    enum charle_err rc = ch_pg_open(pool->url, &pool->options.connection, out_db, &why);
    pthread_mutex_lock(&pool->lock);
    pool->connecting--;
    if (!rc) {
        pool->busy++;
        pool->backoff_ms = 0;
        pool->retry_at_us = 0;
        pool->figures.connects++;
        return CHARLE_OK;
    }
    note_failure(pool, &why);
    if (err)
        *err = why;
    return rc;
}

// --- taking ---------------------------------------------------------------------------------------------------------

// A wrong password does not get better by trying; an unreachable or starting server may.
static bool is_passing(enum charle_err rc)
{
    return rc == CHARLE_UNAVAILABLE || rc == CHARLE_RESOURCE_EXHAUSTED;
}

// Takes the warmest idle connection; NULL when there is none. With the lock held, which is released for a check.
static struct charle_db *take_idle(struct ch_pg_pool *pool)
{
    while (pool->idle_count > 0) {
        struct idle idle = pool->idle[--pool->idle_count];
        pool->busy++;
        int64_t rested_ms = (ch_clock_mono_us() - idle.since_us) / 1000;
        if (rested_ms < pool->options.idle_check_ms)
            return idle.db;
        pthread_mutex_unlock(&pool->lock);
        bool is_good = ch_pg_check(idle.db);
        if (!is_good)
            charle_db_close(idle.db);
        pthread_mutex_lock(&pool->lock);
        if (is_good)
            return idle.db;
        pool->busy--;
        pool->figures.lost++;
    }
    return NULL;
}

static enum charle_err gave_up(struct ch_pg_pool *pool, int timeout_ms, struct charle_error *err)
{
    pool->figures.timeouts++;
    if (pool->backoff_ms) {
        if (err)
            *err = pool->trouble;
        return pool->trouble.code;
    }
    return charle_fail(err, CHARLE_RESOURCE_EXHAUSTED,
                       "all %d connections to PostgreSQL were busy for %d ms; %d callers wait",
                       pool->options.connections_max, timeout_ms, pool->waiting);
}

// One attempt, for the caller whose turn it is. DONE: nothing to be had now.
static enum charle_err try_take(struct ch_pg_pool *pool, struct charle_db **out_db, struct charle_error *err)
{
    if (pool->is_closed)
        return charle_fail(err, CHARLE_CLOSED, "the pool of connections is closed");
    *out_db = take_idle(pool);
    if (*out_db)
        return CHARLE_OK;
    if (total(pool) >= pool->options.connections_max || ch_clock_mono_us() < pool->retry_at_us)
        return CHARLE_DONE;
    enum charle_err rc = connect_one(pool, out_db, err);
    return is_passing(rc) ? CHARLE_DONE : rc;
}

static void stand_in_line(struct ch_pg_pool *pool, struct waiter *waiter)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&waiter->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    *(pool->last ? &pool->last->next : &pool->first) = waiter;
    pool->last = waiter;
    pool->waiting++;
}

static void leave_line(struct ch_pg_pool *pool, struct waiter *waiter)
{
    struct waiter **link = &pool->first, *before = NULL;
    while (*link != waiter) {
        before = *link;
        link = &before->next;
    }
    *link = waiter->next;
    if (pool->last == waiter)
        pool->last = before;
    pool->waiting--;
    pthread_cond_destroy(&waiter->wake);
    wake_first(pool);
}

static void sleep_until(struct ch_pg_pool *pool, struct waiter *waiter, int64_t until_us)
{
    struct timespec at = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
    pthread_cond_timedwait(&waiter->wake, &pool->lock, &at);
}

static enum charle_err wait_and_take(struct ch_pg_pool *pool, int timeout_ms, struct charle_db **out_db,
                                     struct charle_error *err)
{
    struct waiter waiter = {0};
    int64_t began_us = ch_clock_mono_us(), deadline_us = began_us + (int64_t)timeout_ms * 1000;
    enum charle_err rc = CHARLE_DONE;
    stand_in_line(pool, &waiter);
    while (true) {
        if (pool->first == &waiter || pool->is_closed)
            rc = try_take(pool, out_db, err);
        int64_t now_us = ch_clock_mono_us(), until_us = deadline_us;
        if (rc != CHARLE_DONE || now_us >= deadline_us)
            break;
        if (pool->first == &waiter && pool->retry_at_us > now_us && pool->retry_at_us < until_us)
            until_us = pool->retry_at_us;
        sleep_until(pool, &waiter, until_us);
    }
    leave_line(pool, &waiter);
    int64_t waited_us = ch_clock_mono_us() - began_us;
    pool->figures.waits++;
    pool->figures.wait_us += waited_us;
    if (waited_us > pool->figures.wait_us_max)
        pool->figures.wait_us_max = waited_us;
    return rc == CHARLE_DONE ? gave_up(pool, timeout_ms, err) : rc;
}

enum charle_err ch_pg_pool_take(struct ch_pg_pool *pool, int timeout_ms, struct charle_db **out_db,
                                struct charle_error *err)
{
    enum charle_err rc = CHARLE_DONE;
    pthread_mutex_lock(&pool->lock);
    if (!pool->first)
        rc = try_take(pool, out_db, err);
    if (rc == CHARLE_DONE && pool->waiting >= CH_POOL_WAITERS_MAX)
        rc = charle_fail(err, CHARLE_RESOURCE_EXHAUSTED, "%d callers wait for a connection to PostgreSQL already",
                         pool->waiting);
    if (rc == CHARLE_DONE)
        rc = wait_and_take(pool, timeout_ms, out_db, err);
    if (!rc)
        pool->figures.takes++;
    pthread_mutex_unlock(&pool->lock);
    return rc;
}

// --- giving ---------------------------------------------------------------------------------------------------------

// Brings a handle back to how it was when it was new; false when it must be thrown away.
static bool clean(struct charle_db *db)
{
    while (charle_transaction_depth(db) > 0)
        if (charle_rollback(db, NULL))
            return false;
    charle_db_set_trace(db, NULL, NULL);
    charle_db_set_service(db, NULL);
    PGconn *connection = ch_pg_connection(db);
    return PQstatus(connection) == CONNECTION_OK && PQtransactionStatus(connection) == PQTRANS_IDLE &&
           PQpipelineStatus(connection) == PQ_PIPELINE_OFF;
}

void ch_pg_pool_give(struct ch_pg_pool *pool, struct charle_db *db)
{
    if (!db)
        return;
    bool is_good = clean(db);
    if (!is_good)
        charle_db_close(db);
    pthread_mutex_lock(&pool->lock);
    pool->busy--;
    bool must_close = is_good && pool->is_closed;
    if (is_good && !must_close)
        pool->idle[pool->idle_count++] = (struct idle){db, ch_clock_mono_us()};
    pool->figures.lost += !is_good;
    wake_first(pool);
    pthread_mutex_unlock(&pool->lock);
    if (must_close)
        charle_db_close(db);
}

// --- life -----------------------------------------------------------------------------------------------------------

void ch_pg_pool_close(struct ch_pg_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->is_closed = true;
    for (struct waiter *waiter = pool->first; waiter; waiter = waiter->next)
        pthread_cond_signal(&waiter->wake);
    pthread_mutex_unlock(&pool->lock);
}

// Takes the coldest idle connection out when there are more than needed and it has rested long.
static struct charle_db *take_surplus(struct ch_pg_pool *pool)
{
    struct charle_db *db = NULL;
    if (pool->idle_count > 0 && total(pool) > pool->options.connections_min &&
        ch_clock_mono_us() - pool->idle[0].since_us > (int64_t)pool->options.idle_close_ms * 1000) {
        db = pool->idle[0].db;
        pool->idle_count--;
        memmove(pool->idle, pool->idle + 1, (size_t)pool->idle_count * sizeof(*pool->idle));
    }
    return db;
}

void ch_pg_pool_tick(struct ch_pg_pool *pool)
{
    struct charle_db *db;
    pthread_mutex_lock(&pool->lock);
    while ((db = take_surplus(pool))) {
        pthread_mutex_unlock(&pool->lock);
        charle_db_close(db);
        pthread_mutex_lock(&pool->lock);
    }
    while (!pool->is_closed && total(pool) < pool->options.connections_min && ch_clock_mono_us() >= pool->retry_at_us &&
           connect_one(pool, &db, NULL) == CHARLE_OK) {
        pool->busy--;
        pool->idle[pool->idle_count++] = (struct idle){db, ch_clock_mono_us()};
        wake_first(pool);
    }
    pthread_mutex_unlock(&pool->lock);
}

void ch_pg_pool_figures(struct ch_pg_pool *pool, struct ch_pg_pool_figures *out)
{
    pthread_mutex_lock(&pool->lock);
    *out = pool->figures;
    out->idle = pool->idle_count;
    out->busy = pool->busy;
    out->open = pool->idle_count + pool->busy;
    out->connecting = pool->connecting;
    out->waiting = pool->waiting;
    pthread_mutex_unlock(&pool->lock);
}

static void set_defaults(struct ch_pg_pool_options *options)
{
    if (options->connections_max <= 0)
        options->connections_max = CONNECTIONS_DEFAULT;
    if (options->connections_max > CH_POOL_CONNECTIONS_MAX)
        options->connections_max = CH_POOL_CONNECTIONS_MAX;
    if (options->connections_min > options->connections_max)
        options->connections_min = options->connections_max;
    if (options->idle_check_ms <= 0)
        options->idle_check_ms = IDLE_CHECK_MS;
    if (options->idle_close_ms <= 0)
        options->idle_close_ms = IDLE_CLOSE_MS;
}

enum charle_err ch_pg_pool_new(const char *url, const struct ch_pg_pool_options *options, struct ch_pg_pool **out_pool,
                               struct charle_error *err)
{
    struct ch_pg_pool *pool = ch_alloc_zeroed(1, sizeof(*pool));
    if (!pool)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while making a pool of connections");
    pthread_mutex_init(&pool->lock, NULL);
    if (options)
        pool->options = *options;
    set_defaults(&pool->options);
    const char *name = pool->options.connection.application_name;
    pool->jitter = (uint64_t)ch_clock_mono_us() ^ (uint64_t)(uintptr_t)pool;
    pool->url = ch_strdup_n(url, strlen(url));
    pool->application_name = name ? ch_strdup_n(name, strlen(name)) : NULL;
    pool->options.connection.application_name = pool->application_name;
    pool->idle = ch_alloc_zeroed((size_t)pool->options.connections_max, sizeof(*pool->idle));
    enum charle_err rc = pool->url && pool->idle && (pool->application_name || !name)
                             ? CHARLE_OK
                             : charle_fail(err, CHARLE_NO_MEMORY, "out of memory while making a pool of connections");
    struct charle_db *db = NULL;
    pthread_mutex_lock(&pool->lock);
    while (!rc && pool->idle_count < pool->options.connections_min) {
        rc = connect_one(pool, &db, err);
        if (!rc) {
            pool->busy--;
            pool->idle[pool->idle_count++] = (struct idle){db, ch_clock_mono_us()};
        }
    }
    pthread_mutex_unlock(&pool->lock);
    if (rc)
        ch_pg_pool_free(pool);
    else
        *out_pool = pool;
    return rc;
}

void ch_pg_pool_free(struct ch_pg_pool *pool)
{
    if (!pool)
        return;
    CHARLE_ASSERT(pool->busy == 0 && pool->waiting == 0);
    for (int i = 0; i < pool->idle_count; i++)
        charle_db_close(pool->idle[i].db);
    pthread_mutex_destroy(&pool->lock);
    ch_free(pool->idle);
    ch_free(pool->url);
    ch_free(pool->application_name);
    ch_free(pool);
}
