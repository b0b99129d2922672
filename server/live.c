// One thread follows the database for everybody.
//
//   round:  poll (one statement while nothing moved) ─► a tick, perhaps ─► each stream: what is new for it
//
// A round comes every 5 ms while somebody listens, at once after a commit of this server, and once a second otherwise,
// because sessions want to know of changed grants. Rounds are at least 1 ms apart, so that many commits become one
// tick.
//
//   question ASKING: a pull whose replica seems to have everything waits for the next round; if that is so, it is
//   answered from
//            memory (and goes live, if it wants to), and PostgreSQL is not asked for it; otherwise it pulls
//   stream   ADDED (incoming list, mutex) ─► LIVE (the thread's list) ─► finished: over, revoked, stopping
//               ▲                              │ overtaken: the ring does not reach back to it, or its person's
//               └── PULLING (streams lane) ◄───┘ scopes may have changed
//   blocked  its peer has not taken what was sent: the page is asked for again when the peer has room (on_writable), also in the middle of a
//            tick that is still read, and without a round
//
// The stream's object lives as long as its call, because the call's callbacks know it.
//
// Locks: `ticks_mutex` guards the follower, which pulls look into, too; `mutex` guards the flags and the incoming list.
// Neither is held while a call is finished, since that waits for callbacks, and those take `mutex`.
#include "server/live_parts.h"

#include "base/clock.h"
#include "base/log.h"

#include <time.h>

static const int64_t round_us = 5000;
static const int64_t round_min_us = 1000;
static const int64_t quiet_round_us = 1000000;
static const int64_t quiet_after_us = 10000000; // without a stream and this long after the last pull
static const int64_t away_pause_us = 200000;    // between two tries while the database is away

// --- rounds --------------------------------------------------------------------------------------------------------

static void note_grants(struct ch_live *live)
{
    uint64_t generation = ch_ticks_grants_generation(live->ticks);
    if (generation != live->grants_generation)
        ch_sessions_grants_changed(live->engine->sessions);
    live->grants_generation = generation;
}

static enum charle_err poll_database(struct ch_live *live, bool is_forced, bool *out_moved)
{
    struct charle_error err = {0};
    struct ch_engine *engine = live->engine;
    enum charle_err rc = CHARLE_OK;
    if (live->db && !ch_pg_is_alive(live->db)) {
        ch_pg_pool_give(engine->pool, live->db);
        live->db = NULL;
    }
    if (!live->db)
        rc = ch_pg_pool_take(engine->pool, CH_POOL_WAIT_MS, &live->db, &err);
    if (rc)
        return rc;
    pthread_mutex_lock(&live->ticks_mutex);
    rc = ch_ticks_poll(live->ticks, live->db, ch_clock_mono_us(), is_forced, out_moved, &err);
    note_grants(live);
    pthread_mutex_unlock(&live->ticks_mutex);
    if (rc && ch_pg_is_alive(live->db)) // when it is away, the sweeper says so
        ch_log(CH_LOG_ERROR, "sync", "changes could not be read: %s", err.text);
    return rc;
}

struct wake {
    bool is_round;                 // the database is to be asked; otherwise peers have room, and that is all
    bool is_forced;                // this server has committed something
    struct ch_live_stream *asking; // that the round answers
};

static void take_round(struct ch_live *live, struct wake *out)
{
    out->is_round = true;
    out->is_forced = live->is_woken;
    out->asking = live->asking;
    live->asking = NULL;
    live->is_woken = live->is_touched = false;
    while (live->incoming) {
        struct ch_live_stream *stream = live->incoming;
        live->incoming = stream->next;
        stream->next = live->streams;
        live->streams = stream;
        atomic_store(&stream->is_touched, true);
    }
}

// Sleeps until the next round is due or there is something to do. False: the server is stopping.
static bool wait_round(struct ch_live *live, int64_t last_us, struct wake *out)
{
    *out = (struct wake){0};
    pthread_mutex_lock(&live->mutex);
    for (;;) {
        int64_t now_us = ch_clock_mono_us();
        bool is_quiet = !live->streams && !live->incoming && now_us - live->pulled_us > quiet_after_us;
        bool is_due = live->is_woken || live->is_touched || live->incoming;
        int64_t round_at_us = last_us + (is_due ? round_min_us : is_quiet ? quiet_round_us : round_us);
        int64_t next_us = live->has_room && live->room_after_us < round_at_us ? live->room_after_us : round_at_us;
        if (live->is_stopping || now_us >= round_at_us)
            take_round(live, out);
        if (live->is_stopping || now_us >= next_us)
            break;
        struct timespec until = {.tv_sec = next_us / 1000000, .tv_nsec = next_us % 1000000 * 1000};
        pthread_cond_timedwait(&live->changed, &live->mutex, &until);
    }
    live->has_room = false;
    bool goes_on = !live->is_stopping;
    pthread_mutex_unlock(&live->mutex);
    return goes_on;
}

static void tell_polled(struct ch_live *live, int64_t at_us)
{
    pthread_mutex_lock(&live->mutex);
    live->polled_at_us = at_us;
    pthread_cond_broadcast(&live->polled);
    pthread_mutex_unlock(&live->mutex);
}

// One round. Returns when it began, or a later time if the database is to be left alone for a while.
static int64_t look(struct ch_live *live, const struct wake *wake)
{
    bool has_moved = false;
    int64_t began_us = ch_clock_mono_us();
    enum charle_err rc = poll_database(live, wake->is_forced, &has_moved);
    tell_polled(live, rc ? 0 : began_us);
    ch_live_answer_all(live, wake->asking, rc == CHARLE_OK);
    ch_live_serve_all(live, has_moved, began_us);
    ch_live_list_streams(live);
    return rc ? began_us + away_pause_us : began_us;
}

static void *run(void *ctx)
{
    struct ch_live *live = ctx;
    int64_t last_us = 0;
    struct wake wake;
    while (wait_round(live, last_us, &wake)) {
        if (wake.is_round)
            last_us = look(live, &wake);
        else
            ch_live_serve_all(live, false, ch_clock_mono_us());
    }
    ch_live_answer_all(live, wake.asking, false); // back to their lane, which still answers what it has
    while (live->streams) {
        struct ch_live_stream *stream = live->streams;
        live->streams = stream->next;
        ch_live_end(stream, CHARLE_UNAVAILABLE, "the server is stopping: connect again in a moment");
    }
    ch_pg_pool_give(live->engine->pool, live->db);
    return NULL;
}

void ch_live_look(struct ch_live *live)
{
    pthread_mutex_lock(&live->mutex);
    live->is_woken = true;
    pthread_cond_signal(&live->changed);
    pthread_mutex_unlock(&live->mutex);
}

void ch_live_wake(struct ch_live *live)
{
    ch_hints_say(live->engine->hints);
    ch_live_look(live);
}

// --- life ----------------------------------------------------------------------------------------------------------

enum charle_err ch_live_start(struct ch_engine *engine, struct ch_live **out, struct charle_error *err)
{
    struct ch_live *live = ch_alloc_zeroed(1, sizeof(*live));
    if (!live)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while starting");
    live->engine = engine;
    charle_buf_init(&live->page, CH_MESSAGE_SIZE_MAX);
    pthread_mutex_init(&live->mutex, NULL);
    pthread_mutex_init(&live->ticks_mutex, NULL);
    pthread_condattr_t monotonic; // the times waited for are of that clock
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&live->changed, &monotonic);
    pthread_cond_init(&live->polled, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *out = live; // the engine stops and frees it, whatever happens here
    enum charle_err rc = ch_ticks_new(engine->sync, &live->ticks, err);
    if (rc)
        return rc;
    ch_ticks_on_part(live->ticks, ch_live_deliver_part, live);
    live->has_thread = pthread_create(&live->thread, NULL, run, live) == 0;
    if (!live->has_thread)
        return charle_fail(err, CHARLE_NO_MEMORY, "cannot start another thread: raise the limit of processes");
    pthread_setname_np(live->thread, "live");
    return CHARLE_OK;
}

void ch_live_stop(struct ch_live *live)
{
    if (!live)
        return;
    pthread_mutex_lock(&live->mutex);
    live->is_stopping = true;
    pthread_cond_broadcast(&live->changed);
    pthread_cond_broadcast(&live->polled);
    pthread_mutex_unlock(&live->mutex);
    if (live->has_thread)
        pthread_join(live->thread, NULL);
    live->has_thread = false;
}

void ch_live_free(struct ch_live *live)
{
    if (!live)
        return;
    ch_ticks_free(live->ticks);
    charle_buf_deinit(&live->page);
    pthread_cond_destroy(&live->polled);
    pthread_cond_destroy(&live->changed);
    pthread_mutex_destroy(&live->ticks_mutex);
    pthread_mutex_destroy(&live->mutex);
    ch_free(live);
}
