#include "client/live.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "db/sqlite/sqlite.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct charle_client_live {
    struct charle_client *client;
    struct charle_client_live *next; // of the client's; under the client's mutex
    struct charle_db *db;
    struct ch_lite sql;              // of db
    bool has_thread;
    pthread_t thread;

    pthread_mutex_t mutex;           // all below, and db
    pthread_cond_t returned;         // a callback has
    struct ch_live_query *queries, *last;
    size_t query_count;
    int64_t last_id;
    bool is_taking;
    pthread_t taker;
    const struct ch_live_query *calling; // its callback runs
    bool has_version;
    int64_t data_version;            // of db, at the last take
    bool has_new;                    // queries that have never run
    struct ch_live_signs before, after;

    pthread_mutex_t wake_mutex;      // all below
    pthread_cond_t woken;
    bool is_pending, is_quitting;
    bool wakes_for_any;              // a query reads the platform's tables
    bool wakes_for[CH_TABLES_MAX];   // indexes in the replica's tables
    int event_fd;
};

// --- being woken --------------------------------------------------------------------------------------------------------------

static void wake(struct charle_client_live *live)
{
    live->is_pending = true;
    if (live->event_fd >= 0)
        (void)!write(live->event_fd, &(uint64_t){1}, sizeof(uint64_t));
    pthread_cond_signal(&live->woken);
}

static bool concerns(const struct charle_client_live *live, unsigned events, const uint32_t *tables, size_t table_count)
{
    bool is_it = live->wakes_for_any || ((events & CHARLE_EVENT_ROWS) && !tables);
    for (size_t i = 0; !is_it && (events & CHARLE_EVENT_ROWS) && i < table_count; i++) {
        const struct ch_table *table = ch_table_by_id(&live->client->replica.tables, tables[i]);
        is_it = table && live->wakes_for[table - live->client->replica.tables.items];
    }
    return is_it;
}

void ch_lives_wake(struct charle_client *client, unsigned events, const uint32_t *tables, size_t table_count)
{
    for (struct charle_client_live *live = client->lives; live; live = live->next) {
        pthread_mutex_lock(&live->wake_mutex);
        if (concerns(live, events, tables, table_count))
            wake(live);
        pthread_mutex_unlock(&live->wake_mutex);
    }
}

static void clear_wake(struct charle_client_live *live)
{
    uint64_t count;
    pthread_mutex_lock(&live->wake_mutex);
    live->is_pending = false;
    if (live->event_fd >= 0)
        (void)!read(live->event_fd, &count, sizeof(count));
    pthread_mutex_unlock(&live->wake_mutex);
}

// --- signs --------------------------------------------------------------------------------------------------------------------

static void read_signs(struct charle_client_live *live, struct ch_live_signs *out)
{
    struct ch_replica *replica = &live->client->replica;
    struct charle_error err;
    // In small steps, because a wait with a deadline on the monotonic clock is unknown to ThreadSanitizer.
    out->is_known = pthread_mutex_trylock(&replica->lock.mutex) == 0;
    for (int waited_ms = 0; !out->is_known && waited_ms < CH_LIVE_WRITER_WAIT_MS; waited_ms++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        out->is_known = pthread_mutex_trylock(&replica->lock.mutex) == 0;
    }
    if (!out->is_known)
        return;
    out->is_known = ch_lite_number(&replica->sql, CH_LITE_DATA_VERSION, 0, &out->foreign, &err, "") == CHARLE_OK;
    for (size_t i = 0; i < replica->tables.count; i++)
        out->versions[i] = replica->tables.items[i].version;
    pthread_mutex_unlock(&replica->lock.mutex);
}

static bool must_run(const struct charle_client_live *live, const struct ch_live_query *query)
{
    const struct ch_live_signs *after = &live->after;
    if (!query->has_run || !after->is_known || query->reads_platform || query->foreign != after->foreign)
        return true;
    for (size_t i = 0; i < query->table_count; i++) {
        if (query->versions[i] != after->versions[query->tables[i]])
            return true;
    }
    return false;
}

static void keep_signs(const struct charle_client_live *live, struct ch_live_query *query)
{
    query->has_run = live->before.is_known;
    query->foreign = live->before.foreign;
    for (size_t i = 0; i < query->table_count; i++)
        query->versions[i] = live->before.versions[query->tables[i]];
}

// --- running ------------------------------------------------------------------------------------------------------------------

static void run_all(struct charle_client_live *live)
{
    for (struct ch_live_query *query = live->queries; query; query = query->next) {
        if (query->is_removed || !must_run(live, query))
            continue;
        keep_signs(live, query);
        query->failed = (struct charle_error){0};
        // In whatever way it failed, it is tried again with the next change, or at once when it was stopped from outside.
        if (ch_live_query_run(query, live->db, &query->failed) && query->failed.code == CHARLE_CANCELLED) {
            query->has_run = false;
            query->failed.code = CHARLE_OK;
        }
    }
    live->has_new = false;
}

// Everything inside one read transaction. Nothing is run when nothing was committed since the last time.
static enum charle_err look(struct charle_client_live *live, struct charle_error *err)
{
    int64_t ready = 0, version = 0;
    read_signs(live, &live->before);
    enum charle_err rc = charle_begin(live->db, &(struct charle_begin_options){.is_read_only = true}, err);
    if (rc)
        return rc;
    rc = ch_meta_number(&live->sql, "ready", 0, &ready, err); // opens the snapshot
    if (!rc)
        rc = ch_lite_number(&live->sql, CH_LITE_DATA_VERSION, 0, &version, err, "");
    bool is_same = live->has_version && version == live->data_version && !live->has_new;
    if (!rc && ready && !is_same) {
        read_signs(live, &live->after);
        run_all(live);
        live->has_version = true;
        live->data_version = version;
    }
    (void)!charle_rollback(live->db, NULL);
    return rc;
}

// The live's mutex is held but while the callback runs.
static void call_back(void *ctx, struct ch_live_query *query, const struct charle_live_change *change)
{
    struct charle_client_live *live = ctx;
    if (query->is_removed)
        return;
    live->calling = query;
    pthread_mutex_unlock(&live->mutex);
    query->fn(query->ctx, change);
    pthread_mutex_lock(&live->mutex);
    live->calling = NULL;
    pthread_cond_broadcast(&live->returned);
}

static void tell_all(struct charle_client_live *live)
{
    for (struct ch_live_query *query = live->queries; query; query = query->next) {
        if (!query->is_removed && (query->is_fresh || query->failed.code))
            ch_live_query_tell(&(struct ch_live_teller){query, live->db, call_back, live});
    }
}

// What wakes this live: the tables of all its queries.
static void note_wishes(struct charle_client_live *live)
{
    pthread_mutex_lock(&live->wake_mutex);
    memset(live->wakes_for, 0, sizeof(live->wakes_for));
    live->wakes_for_any = live->has_new; // a first result waits for the end of the first copy, whichever tables that was about
    for (const struct ch_live_query *query = live->queries; query; query = query->next) {
        live->wakes_for_any = live->wakes_for_any || query->reads_platform;
        for (size_t i = 0; i < query->table_count; i++)
            live->wakes_for[query->tables[i]] = true;
    }
    pthread_mutex_unlock(&live->wake_mutex);
}

static void free_removed(struct charle_client_live *live)
{
    struct ch_live_query **link = &live->queries;
    live->last = NULL;
    while (*link) {
        struct ch_live_query *query = *link;
        if (!query->is_removed) {
            live->last = query;
            link = &query->next;
            continue;
        }
        *link = query->next;
        ch_live_query_free(query);
    }
    note_wishes(live);
}

static enum charle_err take(struct charle_client_live *live, struct charle_error *err)
{
    pthread_mutex_lock(&live->mutex);
    if (live->is_taking) {
        pthread_mutex_unlock(&live->mutex);
        return charle_fail(err, CHARLE_FAILED_PRECONDITION, "a live is taken by one thread at a time, and not from its callbacks");
    }
    live->is_taking = true;
    live->taker = pthread_self();
    clear_wake(live);
    enum charle_err rc = look(live, err);
    tell_all(live); // on failure too: what was ready before it is true
    free_removed(live);
    live->is_taking = false;
    pthread_cond_broadcast(&live->returned);
    pthread_mutex_unlock(&live->mutex);
    return rc;
}

// --- the live's own thread ----------------------------------------------------------------------------------------------------

static bool polls(struct charle_client_live *live)
{
    pthread_mutex_lock(&live->client->mutex);
    bool is_alone = !live->client->is_started; // otherwise the synchronising thread looks at the file
    pthread_mutex_unlock(&live->client->mutex);
    return is_alone;
}

static struct timespec after_us(int64_t us)
{
    int64_t at = ch_clock_mono_us() + us;
    return (struct timespec){at / 1000000, at % 1000000 * 1000};
}

// Waits for a reason to look. False: the thread is to end.
static bool wait_for_wake(struct charle_client_live *live, int64_t rest_us)
{
    bool is_polling = polls(live);
    struct timespec rest = after_us(rest_us), look_at = after_us(CH_LIVE_POLL_MS * 1000);
    pthread_mutex_lock(&live->wake_mutex);
    while (!live->is_quitting && pthread_cond_timedwait(&live->woken, &live->wake_mutex, &rest) != ETIMEDOUT) {
    }
    while (!live->is_quitting && !live->is_pending) {
        if (!is_polling)
            pthread_cond_wait(&live->woken, &live->wake_mutex);
        else if (pthread_cond_timedwait(&live->woken, &live->wake_mutex, &look_at) == ETIMEDOUT)
            break;
    }
    bool goes_on = !live->is_quitting;
    pthread_mutex_unlock(&live->wake_mutex);
    return goes_on;
}

static void *run(void *ctx)
{
    struct charle_client_live *live = ctx;
    int64_t took_us = 0;
    pthread_setname_np(pthread_self(), "charle-live");
    while (wait_for_wake(live, took_us)) { // rests as long as it worked
        struct charle_error err;
        int64_t began = ch_clock_mono_us();
        if (take(live, &err)) { // the disk or the memory: tried again, with a rest
            pthread_mutex_lock(&live->wake_mutex);
            live->is_pending = true;
            pthread_mutex_unlock(&live->wake_mutex);
            began -= CH_LIVE_POLL_MS * 1000;
        }
        took_us = ch_clock_mono_us() - began;
    }
    return NULL;
}

// --- life ---------------------------------------------------------------------------------------------------------------------

static void free_live(struct charle_client_live *live)
{
    for (struct ch_live_query *query = live->queries, *next; query; query = next) {
        next = query->next;
        ch_live_query_free(query);
    }
    ch_lite_close_statements(&live->sql);
    charle_db_close(live->db);
    if (live->event_fd >= 0)
        close(live->event_fd);
    pthread_cond_destroy(&live->returned);
    pthread_cond_destroy(&live->woken);
    pthread_mutex_destroy(&live->mutex);
    pthread_mutex_destroy(&live->wake_mutex);
    ch_free(live);
}

static void init_locks(struct charle_client_live *live)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&live->mutex, NULL);
    pthread_mutex_init(&live->wake_mutex, NULL);
    pthread_cond_init(&live->returned, &attr);
    pthread_cond_init(&live->woken, &attr);
    pthread_condattr_destroy(&attr);
}

static void enlist(struct charle_client_live *live)
{
    pthread_mutex_lock(&live->client->mutex);
    live->next = live->client->lives;
    live->client->lives = live;
    pthread_mutex_unlock(&live->client->mutex);
}

static void strike_off(struct charle_client_live *live)
{
    pthread_mutex_lock(&live->client->mutex);
    struct charle_client_live **link = &live->client->lives;
    while (*link && *link != live)
        link = &(*link)->next;
    if (*link)
        *link = live->next;
    pthread_mutex_unlock(&live->client->mutex);
}

int charle_client_live_open(struct charle_client *client, const struct charle_client_live_options *options,
                            struct charle_client_live **out, struct charle_error *err)
{
    struct charle_client_live *live = ch_alloc_zeroed(1, sizeof(*live));
    if (!live)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a live");
    live->client = client;
    live->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    init_locks(live);
    enum charle_err rc = ch_replica_open_reader(&client->replica, &live->db, err);
    if (rc) {
        free_live(live);
        return rc;
    }
    live->sql.db = ch_sqlite_handle(live->db);
    enlist(live);
    if (options && options->has_thread) {
        int code = pthread_create(&live->thread, NULL, run, live);
        live->has_thread = code == 0;
        if (code) {
            strike_off(live);
            free_live(live);
            return charle_fail_foreign(err, CHARLE_NO_MEMORY, CHARLE_DOMAIN_POSIX, code, "no thread for live queries: %s", strerror(code));
        }
    }
    *out = live;
    return CHARLE_OK;
}

void charle_client_live_close(struct charle_client_live *live)
{
    if (!live)
        return;
    strike_off(live);
    if (live->has_thread) {
        pthread_mutex_lock(&live->wake_mutex);
        live->is_quitting = true;
        pthread_cond_signal(&live->woken);
        pthread_mutex_unlock(&live->wake_mutex);
        (void)!charle_db_cancel(live->db, NULL); // a long query need not come to its end
        pthread_join(live->thread, NULL);
    }
    free_live(live);
}

int charle_client_live_add(struct charle_client_live *live, const struct charle_live_query *options, int64_t *out_id,
                           struct charle_error *err)
{
    struct ch_live_query *query = NULL;
    pthread_mutex_lock(&live->mutex);
    enum charle_err rc = live->query_count < CH_LIVE_QUERIES_MAX
                             ? ch_live_query_new(&live->client->replica, live->db, options, &query, err)
                             : charle_fail(err, CHARLE_RESOURCE_EXHAUSTED, "a live has at most %d queries; open another one", CH_LIVE_QUERIES_MAX);
    if (!rc) {
        query->id = ++live->last_id;
        if (live->last)
            live->last->next = query;
        else
            live->queries = query;
        live->last = query;
        live->query_count++;
        live->has_new = true;
        note_wishes(live);
        pthread_mutex_lock(&live->wake_mutex);
        wake(live);
        pthread_mutex_unlock(&live->wake_mutex);
        if (out_id)
            *out_id = query->id;
    }
    pthread_mutex_unlock(&live->mutex);
    return rc;
}

void charle_client_live_remove(struct charle_client_live *live, int64_t id)
{
    pthread_mutex_lock(&live->mutex);
    struct ch_live_query *query = live->queries;
    while (query && (query->id != id || query->is_removed))
        query = query->next;
    if (query) {
        bool is_taker = live->is_taking && pthread_equal(live->taker, pthread_self());
        query->is_removed = true;
        live->query_count--;
        // Whoever takes frees it; after that it must not be looked at.
        while (!is_taker && live->is_taking && live->calling == query)
            pthread_cond_wait(&live->returned, &live->mutex);
        if (!live->is_taking)
            free_removed(live);
    }
    pthread_mutex_unlock(&live->mutex);
}

int charle_client_live_take(struct charle_client_live *live, struct charle_error *err)
{
    if (live->has_thread)
        return charle_fail(err, CHARLE_FAILED_PRECONDITION, "this live has a thread of its own, which takes");
    return take(live, err);
}

int charle_client_live_fd(const struct charle_client_live *live)
{
    return live->event_fd;
}
