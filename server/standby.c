// Watching standbys and lending connections to them.
//
// Threads: one looks at the primary every 100 ms and notes (time, WAL position); one for each standby asks it as often how far it has replayed.
// A standby lags since the first note that is beyond it, so no clock but our own is needed. 256 notes reach back 25 s; a standby that is
// behind all of them is behind for longer, and left out anyway.
//
// The primary's look also begins the epoch of a server that has just started or was promoted, as signing in would: until then a standby that
// has seen more than a promoted server would look as if it were of the same line.
//
// Lock: `mutex` guards notes, states and figures. It is not held while a database is asked.
#include "server/standby.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "server/database.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    NOTES_MAX = 256,
    LOOK_MS = 100,
    TAKE_MS = 2000,     // waiting for a connection, also a new one
    NEARLY_US = 100000, // a reader waits so long for a standby that is not there yet
    NEARLY_PAUSE_US = 10000, // each try takes some of the call's memory
    // A standby that replays a TRUNCATE locks the table and waits for older snapshots to end: if a reader of one waits for that lock, neither
    // goes on before max_standby_streaming_delay, 30 s, and PostgreSQL calls it no deadlock. The primary has the same rows at once.
    LOCK_MS = 200
};

struct note {
    int64_t at_us;
    int64_t wal;
};

struct standby {
    struct ch_standbys *owner;
    struct ch_pg_pool *pool;
    pthread_t thread;
    bool has_thread;
    // Under the mutex.
    bool is_good, is_told; // is_told: the log has said so
    int64_t wal;           // replayed so far; -1: not known
    struct ch_standby_figures figures;
};

struct ch_standbys {
    struct ch_standbys_options options;
    struct standby items[CH_STANDBYS_MAX];
    pthread_t thread; // looks at the primary
    bool has_thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed; // is_stopping
    bool is_stopping;
    struct note notes[NOTES_MAX]; // note n is at n % NOTES_MAX
    uint64_t note_count;
    bool has_lineage;
    struct ch_standby rule;
    size_t turn; // who is asked next
};

// --- looking -------------------------------------------------------------------------------------------------------

static enum charle_err read_two(struct charle_db *db, const char *sql, enum charle_type first_type, struct charle_value *first,
                                struct charle_value *second, struct charle_error *err)
{
    struct charle_rows *rows = NULL;
    enum charle_err rc = charle_query(db, sql, NULL, 0, &rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_next(rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 0, first_type, false, first, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 1, CHARLE_TYPE_INT8, false, second, err);
    charle_rows_close(rows);
    return rc;
}

static enum charle_err look_at_primary(struct ch_standbys *standbys, struct charle_error *err)
{
    static const char sql[] = "select e.lineage, (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8 from charle.epoch e "
                              "where e.epoch = charle.epoch_now()";
    struct charle_db *db = NULL;
    struct charle_value lineage, wal;
    int64_t at_us = ch_clock_mono_us(); // what is there later than this may be beyond the position
    enum charle_err rc = ch_pg_pool_take(standbys->options.primary, TAKE_MS, &db, err);
    // By itself, since a statement does not see the row that a function of it has made.
    if (rc == CHARLE_OK)
        rc = charle_exec(db, "select charle.epoch_now()", NULL, 0, NULL, err);
    if (rc == CHARLE_OK)
        rc = read_two(db, sql, CHARLE_TYPE_INT8, &lineage, &wal, err);
    pthread_mutex_lock(&standbys->mutex);
    standbys->has_lineage = rc == CHARLE_OK;
    if (rc == CHARLE_OK) {
        if (standbys->rule.lineage != (uint64_t)lineage.int8)
            standbys->note_count = 0; // another server's positions are others
        standbys->rule.lineage = (uint64_t)lineage.int8;
        standbys->notes[standbys->note_count++ % NOTES_MAX] = (struct note){at_us, wal.int8};
    }
    pthread_mutex_unlock(&standbys->mutex);
    ch_pg_pool_give(standbys->options.primary, db);
    return rc;
}

// How long the primary has had something that this one has not; 0: it has everything. Under the mutex.
static int64_t lag_of(const struct ch_standbys *standbys, int64_t wal)
{
    uint64_t first = standbys->note_count > NOTES_MAX ? standbys->note_count - NOTES_MAX : 0;
    for (uint64_t n = first; n < standbys->note_count; n++) {
        const struct note *note = &standbys->notes[n % NOTES_MAX];
        if (note->wal > wal)
            return ch_clock_mono_us() - note->at_us;
    }
    return 0;
}

static enum charle_err look_at_standby(struct standby *standby, int64_t *out_wal, struct charle_error *err)
{
    static const char sql[] = "select pg_is_in_recovery(), coalesce((pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::int8, 0)";
    struct charle_db *db = NULL;
    struct charle_value is_standby, wal;
    enum charle_err rc = ch_pg_pool_take(standby->pool, TAKE_MS, &db, err);
    if (rc == CHARLE_OK)
        rc = read_two(db, sql, CHARLE_TYPE_BOOL, &is_standby, &wal, err);
    ch_pg_pool_give(standby->pool, db);
    if (rc)
        return rc;
    *out_wal = wal.int8;
    return is_standby.boolean ? CHARLE_OK : charle_fail(err, CHARLE_FAILED_PRECONDITION, "it is no standby any more: it was promoted, or is a database of its own");
}

static void judge(struct standby *standby, enum charle_err rc, int64_t wal, const struct charle_error *err)
{
    struct ch_standbys *standbys = standby->owner;
    struct ch_standby_figures *figures = &standby->figures;
    pthread_mutex_lock(&standbys->mutex);
    int64_t limit_us = (int64_t)standbys->options.lag_max_ms * 1000;
    figures->lag_us = rc || !standbys->note_count ? -1 : lag_of(standbys, wal);
    bool is_good = rc == CHARLE_OK && standbys->has_lineage && figures->lag_us >= 0 && figures->lag_us <= limit_us;
    if (rc)
        snprintf(figures->problem, sizeof(figures->problem), "%.150s", err->text);
    else if (!standbys->has_lineage)
        snprintf(figures->problem, sizeof(figures->problem), "the primary cannot be asked");
    else if (!is_good)
        snprintf(figures->problem, sizeof(figures->problem), "it is more than %" PRIu32 " ms behind", standbys->options.lag_max_ms);
    else
        figures->problem[0] = '\0';
    bool must_tell = !standby->is_told || is_good != standby->is_good;
    standby->is_told = true;
    standby->is_good = figures->is_used = is_good;
    pthread_mutex_unlock(&standbys->mutex);
    if (must_tell && is_good)
        ch_log(CH_LOG_INFO, "standby", "reads may go to it standby=\"%s\"", figures->name);
    else if (must_tell)
        ch_log(CH_LOG_WARN, "standby", "left out of reads standby=\"%s\": %s", figures->name, figures->problem);
}

// --- threads -------------------------------------------------------------------------------------------------------

// False: the server stops.
static bool pause_look(struct ch_standbys *standbys)
{
    int64_t until_us = ch_clock_mono_us() + LOOK_MS * 1000;
    struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
    int timed_out = 0;
    pthread_mutex_lock(&standbys->mutex);
    while (!standbys->is_stopping && !timed_out)
        timed_out = pthread_cond_timedwait(&standbys->changed, &standbys->mutex, &until);
    bool goes_on = !standbys->is_stopping;
    pthread_mutex_unlock(&standbys->mutex);
    return goes_on;
}

static void *watch_primary(void *ctx)
{
    struct ch_standbys *standbys = ctx;
    struct charle_error err; // when the primary is away, the sweeper of the engine says so
    do
        (void)!look_at_primary(standbys, &err);
    while (pause_look(standbys));
    return NULL;
}

static void *watch_standby(void *ctx)
{
    struct standby *standby = ctx;
    for (uint64_t round = 0;; round++) {
        struct charle_error err = {0};
        int64_t wal = 0;
        enum charle_err rc = look_at_standby(standby, &wal, &err);
        judge(standby, rc, wal, &err);
        if (round % 40 == 0)
            ch_pg_pool_tick(standby->pool);
        if (!pause_look(standby->owner))
            return NULL;
    }
}

// --- reading -------------------------------------------------------------------------------------------------------

// The next one in turn that may be used; NULL: none.
static struct standby *choose(struct ch_standbys *standbys, struct ch_standby *out_rule)
{
    struct standby *found = NULL;
    pthread_mutex_lock(&standbys->mutex);
    for (size_t i = 0; i < standbys->options.count && !found; i++) {
        struct standby *standby = &standbys->items[(standbys->turn + i) % standbys->options.count];
        found = standby->is_good ? standby : NULL;
    }
    standbys->turn++;
    *out_rule = standbys->rule;
    pthread_mutex_unlock(&standbys->mutex);
    return found;
}

static void count(struct standby *standby, bool is_answered)
{
    pthread_mutex_lock(&standby->owner->mutex);
    standby->figures.reads += is_answered;
    standby->figures.passed_on += !is_answered;
    pthread_mutex_unlock(&standby->owner->mutex);
}

enum charle_err ch_standbys_read(struct ch_standbys *standbys, ch_standby_read read, void *ctx, struct charle_error *err)
{
    struct ch_standby rule;
    struct charle_db *db = NULL;
    struct standby *standby = standbys ? choose(standbys, &rule) : NULL;
    if (!standby)
        return CHARLE_NOT_FOUND;
    int64_t until_us = ch_clock_mono_us() + NEARLY_US;
    enum charle_err rc = ch_pg_pool_take(standby->pool, TAKE_MS, &db, err);
    if (rc == CHARLE_OK)
        rc = read(ctx, db, &rule, err);
    while (db && rc == CHARLE_UNAVAILABLE && ch_pg_is_alive(db) && ch_clock_mono_us() < until_us) {
        nanosleep(&(struct timespec){.tv_nsec = NEARLY_PAUSE_US * 1000}, NULL);
        rc = read(ctx, db, &rule, err);
    }
    ch_pg_pool_give(standby->pool, db);
    count(standby, rc == CHARLE_OK);
    return rc;
}

size_t ch_standbys_figures(struct ch_standbys *standbys, struct ch_standby_figures out[CH_STANDBYS_MAX])
{
    if (!standbys)
        return 0;
    pthread_mutex_lock(&standbys->mutex);
    for (size_t i = 0; i < standbys->options.count; i++)
        out[i] = standbys->items[i].figures;
    pthread_mutex_unlock(&standbys->mutex);
    return standbys->options.count;
}

// --- life ----------------------------------------------------------------------------------------------------------

static enum charle_err start_one(struct ch_standbys *standbys, size_t index, struct charle_error *err)
{
    struct standby *standby = &standbys->items[index];
    struct ch_pg_pool_options options = {.connection = standbys->options.connection, .connections_max = standbys->options.connections_max};
    options.connection.lock_timeout_ms = LOCK_MS;
    standby->owner = standbys;
    standby->figures.lag_us = -1;
    enum charle_err rc = ch_database_describe(standbys->options.urls[index], standby->figures.name, err);
    if (rc == CHARLE_OK)
        rc = ch_pg_pool_new(standbys->options.urls[index], &options, &standby->pool, err);
    if (rc)
        return rc;
    standby->has_thread = pthread_create(&standby->thread, NULL, watch_standby, standby) == 0;
    if (!standby->has_thread)
        return charle_fail(err, CHARLE_NO_MEMORY, "cannot start another thread: raise the limit of processes");
    pthread_setname_np(standby->thread, "standby");
    return CHARLE_OK;
}

static enum charle_err start(struct ch_standbys *standbys, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    if (standbys->options.count > CH_STANDBYS_MAX)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "at most %d standbys can be read from", CH_STANDBYS_MAX);
    standbys->has_thread = pthread_create(&standbys->thread, NULL, watch_primary, standbys) == 0;
    if (!standbys->has_thread)
        return charle_fail(err, CHARLE_NO_MEMORY, "cannot start another thread: raise the limit of processes");
    pthread_setname_np(standbys->thread, "primary");
    for (size_t i = 0; rc == CHARLE_OK && i < standbys->options.count; i++)
        rc = start_one(standbys, i, err);
    return rc;
}

enum charle_err ch_standbys_start(const struct ch_standbys_options *options, struct ch_standbys **out, struct charle_error *err)
{
    struct ch_standbys *standbys = ch_alloc_zeroed(1, sizeof(*standbys));
    if (!standbys)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while starting");
    standbys->options = *options;
    pthread_mutex_init(&standbys->mutex, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&standbys->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    enum charle_err rc = start(standbys, err);
    if (rc) {
        ch_standbys_stop(standbys);
        return rc;
    }
    *out = standbys;
    return CHARLE_OK;
}

void ch_standbys_stop(struct ch_standbys *standbys)
{
    if (!standbys)
        return;
    pthread_mutex_lock(&standbys->mutex);
    standbys->is_stopping = true;
    pthread_cond_broadcast(&standbys->changed);
    pthread_mutex_unlock(&standbys->mutex);
    if (standbys->has_thread)
        pthread_join(standbys->thread, NULL);
    for (size_t i = 0; i < CH_STANDBYS_MAX; i++) {
        if (standbys->items[i].has_thread)
            pthread_join(standbys->items[i].thread, NULL);
        ch_pg_pool_free(standbys->items[i].pool);
    }
    pthread_cond_destroy(&standbys->changed);
    pthread_mutex_destroy(&standbys->mutex);
    ch_free(standbys);
}
