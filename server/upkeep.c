#include "server/upkeep.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "db/pg/pipeline.h"

#include <inttypes.h>
#include <pthread.h>
#include <time.h>

enum {
    FILES_A_STEP = 20,   // that are forgotten together; a gigabyte of pieces takes seconds
    DEVICES_A_STEP = 20, // whose pushes wait meanwhile
    SCOPES_A_STEP = 100, // heads that are locked together; some milliseconds for their writers
    POOL_WAIT_MS = 5000,
};

#define LOCK_KEY "4986512070339712449" // any number that no one else uses, the same in every release

struct ch_upkeep {
    struct ch_upkeep_options options;
    pthread_t thread;
    pthread_mutex_t mutex; // guards the rest
    pthread_cond_t stop;
    struct charle_db *db;  // of the round that runs; NULL: none does
    bool is_stopping;
};

// --- a round ------------------------------------------------------------------------------------------------------------

static bool is_stopping(struct ch_upkeep *upkeep)
{
    pthread_mutex_lock(&upkeep->mutex);
    bool is_so = upkeep->is_stopping;
    pthread_mutex_unlock(&upkeep->mutex);
    return is_so;
}

// One step is one transaction, and may take longer than a call: a log of millions of entries takes its time.
static enum charle_err run_step(struct charle_db *db, const char *sql, const struct charle_value *params, size_t count, int64_t *out,
                                struct charle_error *err)
{
    enum charle_err rc = charle_begin(db, NULL, err);
    if (rc)
        return rc;
    rc = charle_exec(db, "set local statement_timeout = 0", NULL, 0, NULL, err);
    if (rc == CHARLE_OK)
        rc = charle_query_number(db, sql, params, count, out, err);
    if (rc == CHARLE_OK)
        return charle_commit(db, err);
    struct charle_error ignored;
    (void)!charle_rollback(db, &ignored);
    return rc;
}

static enum charle_err forget(struct ch_upkeep *upkeep, struct charle_db *db, int64_t *out_scopes, struct charle_error *err)
{
    const struct charle_value params[] = {charle_int8(upkeep->options.keep_days), charle_int8(SCOPES_A_STEP)};
    int64_t scopes = 1;
    enum charle_err rc = CHARLE_OK;
    while (rc == CHARLE_OK && scopes && !is_stopping(upkeep)) {
        rc = run_step(db, "select charle.forget(make_interval(days => $1::int8::int4), $2::int8::int4)", params, 2, &scopes, err);
        *out_scopes += rc ? 0 : scopes;
    }
    return rc;
}

static enum charle_err forget_calls(struct ch_upkeep *upkeep, struct charle_db *db, struct charle_error *err)
{
    const struct charle_value params[] = {charle_int8(CH_CALLS_REMEMBERED_MAX), charle_int8(DEVICES_A_STEP)};
    int64_t devices = 1;
    enum charle_err rc = CHARLE_OK;
    while (rc == CHARLE_OK && devices && !is_stopping(upkeep))
        rc = run_step(db, "select charle.forget_calls($1, $2::int8::int4)", params, 2, &devices, err);
    return rc;
}

// A file that is looked at is looked at again only after its time has passed once more, so this ends.
static enum charle_err forget_files(struct ch_upkeep *upkeep, struct charle_db *db, struct charle_error *err)
{
    const struct charle_value params[] = {charle_int8(upkeep->options.keep_files_days), charle_int8(FILES_A_STEP)};
    int64_t looked = upkeep->options.keep_files_days ? 1 : 0;
    enum charle_err rc = CHARLE_OK;
    while (rc == CHARLE_OK && looked && !is_stopping(upkeep))
        rc = run_step(db, "select charle.forget_files(make_interval(days => $1::int8::int4), $2::int8::int4)", params, 2, &looked, err);
    return rc;
}

static enum charle_err run_locked(struct ch_upkeep *upkeep, struct charle_db *db, struct charle_error *err)
{
    int64_t started_us = ch_clock_mono_us(), noted = 0, scopes = 0, entries = 0;
    enum charle_err rc = run_step(db, "select charle.note_heads()", NULL, 0, &noted, err);
    if (rc == CHARLE_OK)
        rc = forget(upkeep, db, &scopes, err);
    if (rc == CHARLE_OK && !is_stopping(upkeep))
        rc = run_step(db, "select charle.thin()", NULL, 0, &entries, err);
    if (rc == CHARLE_OK && !is_stopping(upkeep))
        rc = forget_files(upkeep, db, err);
    if (rc == CHARLE_OK && !is_stopping(upkeep))
        rc = forget_calls(upkeep, db, err);
    if (rc == CHARLE_OK)
        ch_log(CH_LOG_INFO, "upkeep", "the change log was thinned out entries_removed=%" PRId64 " scopes_forgotten=%" PRId64 " ms=%" PRId64,
               entries, scopes, (ch_clock_mono_us() - started_us) / 1000);
    return rc;
}

// Other servers of this database skip their round while one has the lock.
static enum charle_err run_once(struct ch_upkeep *upkeep, struct charle_db *db, struct charle_error *err)
{
    int64_t is_mine = 0, ignored;
    enum charle_err rc = charle_query_number(db, "select pg_try_advisory_lock(" LOCK_KEY ")::int4::int8", NULL, 0, &is_mine, err);
    if (rc || !is_mine)
        return rc;
    rc = run_locked(upkeep, db, err);
    struct charle_error unlock;
    enum charle_err end = charle_query_number(db, "select pg_advisory_unlock(" LOCK_KEY ")::int4::int8", NULL, 0, &ignored, &unlock);
    return rc ? rc : end ? charle_fail(err, end, "%s", unlock.text) : CHARLE_OK;
}

static void run_round(struct ch_upkeep *upkeep)
{
    struct charle_error err = {0};
    struct charle_db *db = NULL;
    enum charle_err rc = ch_pg_pool_take(upkeep->options.pool, POOL_WAIT_MS, &db, &err);
    pthread_mutex_lock(&upkeep->mutex);
    upkeep->db = upkeep->is_stopping ? NULL : db;
    bool goes_on = upkeep->db != NULL;
    pthread_mutex_unlock(&upkeep->mutex);
    if (rc == CHARLE_OK && goes_on)
        rc = run_once(upkeep, db, &err);
    pthread_mutex_lock(&upkeep->mutex);
    upkeep->db = NULL;
    pthread_mutex_unlock(&upkeep->mutex);
    if (rc && !is_stopping(upkeep))
        ch_log(CH_LOG_WARN, "upkeep", "the change log could not be thinned out, the next round tries again: %s", err.text);
    ch_pg_pool_give(upkeep->options.pool, db);
}

// False: the server stops.
static bool wait_turn(struct ch_upkeep *upkeep)
{
    int64_t until_us = ch_clock_mono_us() + (int64_t)upkeep->options.every_s * 1000000;
    struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
    pthread_mutex_lock(&upkeep->mutex);
    while (!upkeep->is_stopping && ch_clock_mono_us() < until_us)
        pthread_cond_timedwait(&upkeep->stop, &upkeep->mutex, &until);
    bool goes_on = !upkeep->is_stopping;
    pthread_mutex_unlock(&upkeep->mutex);
    return goes_on;
}

static void *run(void *ctx)
{
    struct ch_upkeep *upkeep = ctx;
    while (wait_turn(upkeep))
        run_round(upkeep);
    return NULL;
}

// --- life ---------------------------------------------------------------------------------------------------------------

enum charle_err ch_upkeep_start(const struct ch_upkeep_options *options, struct ch_upkeep **out, struct charle_error *err)
{
    *out = NULL;
    if (!options->every_s)
        return CHARLE_OK;
    struct ch_upkeep *upkeep = ch_alloc_zeroed(1, sizeof(*upkeep));
    if (!upkeep)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while starting");
    upkeep->options = *options;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&upkeep->stop, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&upkeep->mutex, NULL);
    if (pthread_create(&upkeep->thread, NULL, run, upkeep) != 0) {
        pthread_cond_destroy(&upkeep->stop);
        pthread_mutex_destroy(&upkeep->mutex);
        ch_free(upkeep);
        return charle_fail(err, CHARLE_NO_MEMORY, "cannot start another thread: raise the limit of processes");
    }
    pthread_setname_np(upkeep->thread, "upkeep");
    *out = upkeep;
    return CHARLE_OK;
}

void ch_upkeep_stop(struct ch_upkeep *upkeep)
{
    if (!upkeep)
        return;
    pthread_mutex_lock(&upkeep->mutex);
    upkeep->is_stopping = true;
    struct charle_error err;
    if (upkeep->db && ch_pg_cancel(upkeep->db, &err))
        ch_log(CH_LOG_WARN, "upkeep", "a statement could not be cancelled: %s", err.text);
    pthread_cond_broadcast(&upkeep->stop);
    pthread_mutex_unlock(&upkeep->mutex);
    pthread_join(upkeep->thread, NULL);
    pthread_cond_destroy(&upkeep->stop);
    pthread_mutex_destroy(&upkeep->mutex);
    ch_free(upkeep);
}
