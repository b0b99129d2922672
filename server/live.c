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
#include "server/live.h"

#include "charle/sync.charle.h"

#include "base/alloc.h"
#include "base/log.h"
#include "msg/wire.h"
#include "server/engine_parts.h"
#include "server/sync/parts.h"
#include "server/sync/tick.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

static const int64_t round_us = 5000;
static const int64_t round_min_us = 1000;
static const int64_t quiet_round_us = 1000000;
static const int64_t quiet_after_us = 10000000; // without a stream and this long after the last pull
static const int64_t away_pause_us = 200000;    // between two tries while the database is away
static const int64_t sign_us = 20000000;        // a replica takes a stream for dead after three of these without a word
static const int64_t look_us = 250000;          // how often all sessions are looked at
static const int64_t listing_wait_us = 2000000; // an operator waits for a round at most
static const int64_t fresh_wait_us =
    1000000; // how long an idle pull waits for a round before it asks the database itself

struct ch_live_stream {
    struct ch_live *live;
    struct ch_call *call;
    struct ch_tick_stream *tick; // NULL while it pulls
    struct ch_live_stream *next;
    int64_t spoke_us;          // of the last message
    int64_t since_us;          // when it went live first
    int64_t blocked_us;        // when its peer stopped taking pages; counts only while is_blocked
    bool is_blocked;           // the last page was not taken
    bool is_known;             // to the call: its callbacks are set
    bool is_asking;            // it waits for the round that answers it
    struct charle_arena arena; // what was asked, decoded
    const struct charle_pull_request *asked;
    uint64_t asked_generation; // of grants, when its session's scopes were looked at
    atomic_bool is_touched;    // it has just joined, there is room again, or it is over
    struct charle_buf request; // to pull again with; empty: it has not had to
};

struct listing;

struct ch_live {
    struct ch_engine *engine;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t ticks_mutex;
    struct ch_ticks *ticks;
    // The thread's own.
    struct ch_live_stream *streams;
    struct charle_buf page;
    struct charle_db *db; // kept from round to round
    uint64_t grants_generation;
    int64_t looked_us;
    int64_t room_after_us; // when streams are gone through again for the sake of peers that have room
    // Under the mutex.
    pthread_mutex_t mutex;
    pthread_cond_t changed; // something to do
    pthread_cond_t polled;  // a round is done
    struct ch_live_stream *incoming, *asking;
    bool is_woken, is_touched, is_stopping;
    bool has_room; // a peer takes pages again, or its call is over: no reason to ask the database
    struct listing *listing; // an operator waits for it; NULL: nobody
    int64_t pulled_us;    // of the last pull
    int64_t polled_at_us; // when the newest round began; 0: the last one failed
};

// --- streams -------------------------------------------------------------------------------------------------------

static void close_tick(struct ch_live *live, struct ch_tick_stream *tick)
{
    if (!tick)
        return;
    pthread_mutex_lock(&live->ticks_mutex);
    ch_tick_stream_close(tick);
    pthread_mutex_unlock(&live->ticks_mutex);
}

void ch_live_stream_free(struct ch_live_stream *stream)
{
    if (!stream)
        return;
    close_tick(stream->live, stream->tick);
    if (stream->is_known)
        atomic_fetch_sub(&stream->live->engine->figures.live_streams, 1);
    charle_buf_deinit(&stream->request);
    charle_arena_deinit(&stream->arena);
    ch_free(stream);
}

struct charle_bytes ch_live_stream_request(const struct ch_live_stream *stream)
{
    return stream ? charle_buf_bytes(&stream->request) : (struct charle_bytes){0};
}

// On the transport's thread: the peer has room again, or the call is over.
static void touched(void *ctx)
{
    struct ch_live_stream *stream = ctx;
    atomic_store(&stream->is_touched, true);
    pthread_mutex_lock(&stream->live->mutex);
    stream->live->has_room = true;
    pthread_cond_signal(&stream->live->changed);
    pthread_mutex_unlock(&stream->live->mutex);
}

static void end(struct ch_live_stream *stream, enum charle_err rc, const char *words)
{
    struct charle_error err = {0};
    charle_fail(&err, rc, "%s", words);
    ch_call_finish(stream->call, rc, &err, (struct charle_bytes){0});
}

// From now on the callbacks may come; they only touch the stream, which ends with its call.
static void know(struct ch_live_stream *stream)
{
    if (stream->is_known)
        return;
    stream->is_known = true;
    stream->since_us = ch_clock_mono_us();
    atomic_fetch_add(&stream->live->engine->figures.live_streams, 1);
    charle_server_call_on_writable(stream->call->rpc, touched, stream);
    charle_server_call_on_over(stream->call->rpc, touched, stream);
}

void ch_live_add(struct ch_live *live, struct ch_call *call)
{
    struct ch_live_stream *stream = call->live;
    stream->spoke_us = ch_clock_mono_us();
    if (!stream->is_asking)
        know(stream);
    pthread_mutex_lock(&live->mutex);
    bool is_late = live->is_stopping;
    struct ch_live_stream **list = stream->is_asking ? &live->asking : &live->incoming;
    live->pulled_us = stream->spoke_us;
    // A laptop that connects should not wait; a program that asks again and again shares the rounds that come anyway.
    live->is_touched |= stream->is_asking && stream->asked->live.has && stream->asked->live.value;
    if (!is_late) {
        stream->next = *list;
        *list = stream;
        pthread_cond_signal(&live->changed);
    }
    pthread_mutex_unlock(&live->mutex);
    if (is_late)
        end(stream, CHARLE_UNAVAILABLE, "the server is stopping: connect again in a moment");
}

// Writes the request with which the stream goes on: as its replica asked, but from where it is now.
static bool write_request(struct ch_live_stream *stream)
{
    struct charle_arena arena;
    struct charle_pull_request request;
    struct charle_error err;
    charle_arena_init(&arena, 0);
    bool is_written = charle_message_read(&charle_pull_request_message, charle_server_call_request(stream->call->rpc),
                                          &arena, &request, &err) == CHARLE_OK &&
                      ch_tick_stream_cursors(stream->tick, stream->is_blocked, &arena, &request.cursor);
    if (is_written) {
        request.at_least = (struct charle_array){0};
        charle_buf_reset(&stream->request);
        charle_message_write(&charle_pull_request_message, &request, &stream->request);
        is_written = !stream->request.failed;
    }
    charle_arena_deinit(&arena);
    return is_written;
}

// The follower cannot serve the stream from memory: it pulls again, like any replica that comes back.
static void pull_again(struct ch_live *live, struct ch_live_stream *stream, const char *words)
{
    struct ch_call *call = stream->call;
    pthread_mutex_lock(&live->ticks_mutex);
    bool is_written = write_request(stream);
    ch_tick_stream_close(stream->tick);
    stream->tick = NULL;
    pthread_mutex_unlock(&live->ticks_mutex);
    stream->is_blocked = false;
    call->received_us = ch_clock_mono_us();
    if (!is_written || !ch_lane_push(live->engine->streams, call))
        end(stream, CHARLE_ABORTED, words);
}

// --- giving streams what is new ------------------------------------------------------------------------------------

static enum charle_err next_page(struct ch_live *live, struct ch_live_stream *stream, struct charle_error *err)
{
    pthread_mutex_lock(&live->ticks_mutex);
    enum charle_err rc = ch_tick_stream_next(stream->tick, stream->is_blocked, &live->page, err);
    pthread_mutex_unlock(&live->ticks_mutex);
    return rc;
}

static void say_alive(struct ch_live *live, struct ch_live_stream *stream, int64_t now_us)
{
    struct charle_pull_page page = {.is_last = true, .is_alive = {true, true}};
    charle_buf_reset(&live->page);
    charle_message_write(&charle_pull_page_message, &page, &live->page);
    if (!live->page.failed && charle_server_call_send(stream->call->rpc, charle_buf_bytes(&live->page)) == CHARLE_OK)
        stream->spoke_us = now_us;
}

// RESOURCE_EXHAUSTED: the peer has no room; is_touched says when it has.
static enum charle_err send_page(struct ch_live_stream *stream, const struct charle_buf *page)
{
    int64_t now_us = ch_clock_mono_us();
    enum charle_err rc = charle_server_call_send(stream->call->rpc, charle_buf_bytes(page));
    if (rc == CHARLE_RESOURCE_EXHAUSTED && !stream->is_blocked)
        stream->blocked_us = now_us;
    stream->is_blocked = rc != CHARLE_OK; // nothing follows on a call that has failed either
    if (rc == CHARLE_OK)
        stream->spoke_us = now_us;
    return rc;
}

// False: the stream is no longer ours: it has ended, or pulls again.
static bool deliver(struct ch_live *live, struct ch_live_stream *stream, int64_t now_us)
{
    struct charle_error err = {0};
    for (;;) {
        enum charle_err rc = next_page(live, stream, &err);
        if (rc == CHARLE_DONE)
            break;
        if (rc) {
            pull_again(live, stream, err.text);
            return false;
        }
        rc = send_page(stream, &live->page);
        if (rc == CHARLE_RESOURCE_EXHAUSTED)
            return true;
        if (rc) {
            end(stream, rc, charle_err_text(rc));
            return false;
        }
    }
    stream->is_blocked = false;
    if (now_us - stream->spoke_us > sign_us)
        say_alive(live, stream, now_us);
    return true;
}

// A page's worth of a tick that is still being read has come together; the ticks' mutex is held, in the middle of a poll. Whatever cannot be sent now
// is sent when the tick is whole, and what went wrong is dealt with then.
static void deliver_part(void *ctx)
{
    struct ch_live *live = ctx;
    for (struct ch_live_stream *stream = live->streams; stream; stream = stream->next) {
        // Most peers are slower than PostgreSQL: one that has room again gets its next page at once, not when the tick is whole.
        if (stream->is_blocked && !atomic_exchange(&stream->is_touched, false))
            continue;
        enum charle_err rc = CHARLE_OK;
        while (rc == CHARLE_OK && ch_tick_stream_part(stream->tick, stream->is_blocked, &live->page))
            rc = send_page(stream, &live->page);
        // The word that there is room counts until a page has gone.
        if (rc != CHARLE_RESOURCE_EXHAUSTED && (rc || stream->is_blocked))
            atomic_store(&stream->is_touched, true);
    }
}

// Asks the follower, which has just looked. True: answered from memory; a stream is open when one was wanted.
static bool is_answered(struct ch_live *live, struct ch_live_stream *stream)
{
    const struct charle_identity *identity = ch_session_identity(stream->call->session);
    const struct charle_pull_request *asked = stream->asked;
    struct charle_error err;
    pthread_mutex_lock(&live->ticks_mutex);
    bool is_current = stream->asked_generation == ch_ticks_grants_generation(live->ticks) &&
                      ch_ticks_is_current(live->ticks, asked, identity->scopes, identity->scope_count);
    if (is_current && asked->live.has && asked->live.value)
        is_current = ch_tick_stream_open_current(live->ticks, asked, &stream->tick, &err) == CHARLE_OK;
    const struct ch_sync_peer peer = {.principal = identity->principal, .id = identity->id};
    if (is_current && stream->tick)
        is_current = ch_tick_stream_belongs_to(stream->tick, &peer, false, &err) == CHARLE_OK;
    if (!is_current) {
        ch_tick_stream_close(stream->tick);
        stream->tick = NULL;
    }
    pthread_mutex_unlock(&live->ticks_mutex);
    return is_current;
}

// True: the stream is live now. Otherwise it is no longer ours.
static bool answer(struct ch_live *live, struct ch_live_stream *stream, bool is_fresh)
{
    const struct charle_identity *identity = ch_session_identity(stream->call->session);
    struct ch_call *call = stream->call;
    stream->is_asking = false;
    if (!is_fresh || ch_session_is_revoked(call->session) || !is_answered(live, stream)) {
        if (!ch_lane_push(live->engine->streams, call))
            end(stream, CHARLE_RESOURCE_EXHAUSTED, "the server is busy: try again in a moment");
        return false;
    }
    bool is_live = stream->tick != NULL;
    struct charle_pull_page page = {.is_last = true, .is_alive = {true, true}};
    if (is_live)
        page.scope = (struct charle_array){.items = identity->scopes, .count = identity->scope_count, .has = true};
    atomic_fetch_add(&live->engine->figures.pulls_idle, 1);
    charle_buf_reset(&live->page);
    charle_message_write(&charle_pull_page_message, &page, &live->page);
    enum charle_err rc =
        live->page.failed ? live->page.failed : charle_server_call_send(call->rpc, charle_buf_bytes(&live->page));
    if (rc || !is_live) {
        end(stream, rc, rc ? charle_err_text(rc) : "");
        return false;
    }
    charle_arena_deinit(&stream->arena); // a live stream is to be small
    stream->asked = NULL;
    know(stream);
    return true;
}

// False: as above.
static bool serve(struct ch_live *live, struct ch_live_stream *stream, bool has_moved, bool must_look, int64_t now_us)
{
    bool is_touched = atomic_exchange(&stream->is_touched, false);
    if ((is_touched || must_look) && charle_server_call_is_over(stream->call->rpc)) {
        end(stream, CHARLE_CANCELLED, "the peer has gone");
        return false;
    }
    if (must_look && ch_session_is_revoked(stream->call->session)) {
        end(stream, CHARLE_UNAUTHENTICATED, "this session has ended: sign in again");
        return false;
    }
    if (stream->is_blocked ? !is_touched : !has_moved && !must_look && !is_touched)
        return true;
    return deliver(live, stream, now_us);
}

// Those who asked before the round began. The ones that go live join the thread's list.
static void answer_all(struct ch_live *live, struct ch_live_stream *asking, bool is_fresh)
{
    while (asking) {
        struct ch_live_stream *stream = asking;
        asking = stream->next;
        if (answer(live, stream, is_fresh)) {
            stream->next = live->streams;
            live->streams = stream;
        }
    }
}

// Going through many streams for few that have room takes half of the thread's time at most.
static void serve_all(struct ch_live *live, bool has_moved, int64_t now_us)
{
    int64_t began_us = ch_clock_mono_us();
    bool must_look = now_us - live->looked_us >= look_us;
    if (must_look)
        live->looked_us = now_us;
    for (struct ch_live_stream **at = &live->streams; *at;) {
        struct ch_live_stream *stream = *at, *next = stream->next;
        if (serve(live, stream, has_moved, must_look, now_us))
            at = &stream->next;
        else
            *at = next;
    }
    int64_t ended_us = ch_clock_mono_us();
    live->room_after_us = ended_us + (ended_us - began_us);
}

// --- what an operator sees -------------------------------------------------------------------------------------------

struct listed {
    const struct ch_live_stream *stream;
    int64_t behind_us, stamps;
    size_t bytes;
};

// The thread fills it in, since the streams are its own. Lives on the stack of who waits for it, under the mutex.
struct listing {
    size_t limit;
    struct charle_arena *arena;
    struct ch_live_overview *out;
    bool is_done, has_failed;
};

static int by_need(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;
    if (x->behind_us != y->behind_us)
        return x->behind_us < y->behind_us ? 1 : -1;
    return (x->stream->since_us > y->stream->since_us) - (x->stream->since_us < y->stream->since_us);
}

static bool describe(const struct listed *listed, int64_t now_us, struct charle_arena *arena, struct ch_live_entry *out)
{
    const struct ch_live_stream *stream = listed->stream;
    const struct charle_identity *who = ch_session_identity(stream->call->session);
    struct charle_pull_request request;
    struct charle_error err;
    bool is_read = charle_message_read(&charle_pull_request_message, charle_server_call_request(stream->call->rpc), arena,
                                       &request, &err) == CHARLE_OK;
    *out = (struct ch_live_entry){
        .principal = charle_arena_str(arena, who->principal),
        .principal_id = charle_arena_str(arena, who->id),
        .device_id = charle_arena_str(arena, is_read ? request.device_id : charle_str("")),
        .peer = charle_arena_str(arena, charle_server_call_peer(stream->call->rpc)),
        .since_us = now_us - stream->since_us,
        .behind_stamps = listed->stamps,
        .behind_us = listed->behind_us,
        .queued_bytes = (int64_t)listed->bytes,
        .silent_us = stream->is_blocked ? now_us - stream->spoke_us : 0,
    };
    return out->principal.ptr && out->principal_id.ptr && out->device_id.ptr && out->peer.ptr;
}

static bool fill_listing(struct ch_live *live, const struct listing *listing)
{
    int64_t now_us = ch_clock_mono_us();
    size_t count = 0, shown;
    for (const struct ch_live_stream *stream = live->streams; stream; stream = stream->next)
        count++;
    struct listed *all = charle_arena_array(listing->arena, count, sizeof(*all));
    if (!all)
        return false;
    count = 0;
    for (const struct ch_live_stream *stream = live->streams; stream; stream = stream->next) {
        struct listed *one = &all[count++];
        *one = (struct listed){.stream = stream, .behind_us = stream->is_blocked ? now_us - stream->blocked_us : 0};
        ch_tick_stream_backlog(stream->tick, &one->stamps, &one->bytes);
    }
    qsort(all, count, sizeof(*all), by_need);
    shown = count < listing->limit ? count : listing->limit;
    struct ch_live_overview *out = listing->out;
    out->entries = charle_arena_array(listing->arena, shown, sizeof(*out->entries));
    for (out->count = 0; out->entries && out->count < shown; out->count++)
        if (!describe(&all[out->count], now_us, listing->arena, &out->entries[out->count]))
            return false;
    ch_ticks_ring(live->ticks, &out->ring_ticks, &out->ring_bytes);
    return out->entries && ch_ticks_hottest(live->ticks, CH_LIVE_HOT_MAX, listing->arena, &out->hot, &out->hot_count);
}

static void list_streams(struct ch_live *live)
{
    pthread_mutex_lock(&live->mutex);
    bool is_wanted = live->listing != NULL;
    pthread_mutex_unlock(&live->mutex);
    if (!is_wanted)
        return;
    pthread_mutex_lock(&live->ticks_mutex);
    pthread_mutex_lock(&live->mutex);
    struct listing *listing = live->listing;
    if (listing) {
        listing->has_failed = !fill_listing(live, listing);
        listing->is_done = true;
        live->listing = NULL;
        pthread_cond_broadcast(&live->polled);
    }
    pthread_mutex_unlock(&live->mutex);
    pthread_mutex_unlock(&live->ticks_mutex);
}

enum charle_err ch_live_look_at(struct ch_live *live, size_t limit, struct charle_arena *arena, struct ch_live_overview *out,
                                struct charle_error *err)
{
    struct listing listing = {.limit = limit, .arena = arena, .out = out};
    int64_t until_us = ch_clock_mono_us() + listing_wait_us;
    struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
    int timed_out = 0;
    *out = (struct ch_live_overview){0};
    pthread_mutex_lock(&live->mutex);
    while (live->listing && !live->is_stopping && !timed_out) // one operator after the other
        timed_out = pthread_cond_timedwait(&live->polled, &live->mutex, &until);
    if (!live->listing && !live->is_stopping) {
        live->listing = &listing;
        live->is_touched = true;
        pthread_cond_signal(&live->changed);
    }
    while (live->listing == &listing && !live->is_stopping && !timed_out)
        timed_out = pthread_cond_timedwait(&live->polled, &live->mutex, &until);
    if (live->listing == &listing)
        live->listing = NULL;
    pthread_mutex_unlock(&live->mutex);
    if (listing.has_failed)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory to list the live streams");
    return listing.is_done ? CHARLE_OK : charle_fail(err, CHARLE_UNAVAILABLE, "the live streams cannot be listed now: try again");
}

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
    answer_all(live, wake->asking, rc == CHARLE_OK);
    serve_all(live, has_moved, began_us);
    list_streams(live);
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
            serve_all(live, false, ch_clock_mono_us());
    }
    answer_all(live, wake.asking, false); // back to their lane, which still answers what it has
    while (live->streams) {
        struct ch_live_stream *stream = live->streams;
        live->streams = stream->next;
        end(stream, CHARLE_UNAVAILABLE, "the server is stopping: connect again in a moment");
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

// --- pulls ---------------------------------------------------------------------------------------------------------

// Waits for a round that began after the pull came in, so that the answer is not older than the question. False: none
// came in time.
static bool wait_fresh(struct ch_live *live, int64_t since_us)
{
    int64_t until_us = ch_clock_mono_us() + fresh_wait_us;
    struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
    pthread_mutex_lock(&live->mutex);
    live->pulled_us = ch_clock_mono_us();
    live->is_touched = true; // a round now, though not a forced one
    pthread_cond_signal(&live->changed);
    int timed_out = 0;
    while (live->polled_at_us <= since_us && !live->is_stopping && !timed_out)
        timed_out = pthread_cond_timedwait(&live->polled, &live->mutex, &until);
    bool is_fresh = live->polled_at_us > since_us;
    pthread_mutex_unlock(&live->mutex);
    return is_fresh;
}

struct pull {
    struct ch_live *live;
    const struct ch_sync *sync; // for the replica's version of the schema
    struct charle_context *context;
    const struct charle_pull_request *request;
    struct charle_stream *stream;
    struct ch_sync_peer peer;
    uint64_t generation; // of grants, before the newest snapshot was taken
    bool from_standby;   // whose snapshot may be older than that
};

// Are the positions those of all scopes that the session holds? It read them from the primary.
static bool has_session_scopes(const struct pull *pull, const struct ch_positions *positions)
{
    const struct charle_identity *identity = pull->context->identity;
    size_t shown_count = 0, held_count = 0;
    for (size_t i = 0; i < identity->scope_count; i++)
        shown_count += ch_sync_shows(pull->sync, identity->scopes[i]);
    for (size_t i = 0; i < positions->count; i++)
        held_count += ch_scopes_have(identity->scopes, identity->scope_count, positions->items[i].scope);
    return held_count == shown_count;
}

// Opens the stream behind what the pull found. The ticks' mutex is held.
static enum charle_err join(const struct pull *pull, const struct ch_positions *positions, struct ch_tick_stream **out,
                            struct charle_error *err)
{
    struct ch_live *live = pull->live;
    const struct charle_pull_request *request = pull->request;
    // Scopes that the replica has yet to copy have no position. It hears of the others meanwhile, and pulls anew when
    // it has all.
    struct ch_positions known = *positions;
    known.is_whole = true;
    enum charle_err rc = ch_ticks_note(live->ticks, request->device_id, positions, err);
    bool wants_live = request->live.has && request->live.value;
    bool is_known = pull->generation == ch_ticks_grants_generation(live->ticks) && (!pull->from_standby || has_session_scopes(pull, positions));
    if (rc == CHARLE_OK && wants_live && !is_known)
        rc = charle_fail(err, CHARLE_ABORTED, "grants have changed meanwhile");
    if (rc == CHARLE_OK && wants_live)
        rc = ch_tick_stream_open(live->ticks, &known, out, err);
    if (rc == CHARLE_OK && *out)
        rc = ch_tick_stream_belongs_to(*out, &pull->peer, !positions->is_whole, err);
    if (rc == CHARLE_OK && *out && ch_sync_is_skewed(pull->sync))
        ch_tick_stream_only_tells(*out);
    return rc;
}

// Keeps a page for later: its length and its bytes.
static enum charle_err collect(void *ctx, struct charle_bytes message, struct charle_error *err)
{
    struct charle_buf *pages = ctx;
    uint32_t size = (uint32_t)message.len;
    charle_buf_add(pages, &size, sizeof(size));
    charle_buf_add(pages, message.ptr, message.len);
    return pages->failed ? charle_fail(err, CHARLE_ABORTED, "too much has changed meanwhile: pull again") : CHARLE_OK;
}

static enum charle_err send_collected(const struct charle_buf *pages, struct charle_stream *stream,
                                      struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    for (size_t at = 0; rc == CHARLE_OK && at < pages->size;) {
        uint32_t size;
        memcpy(&size, pages->data + at, sizeof(size));
        rc = stream->send(stream->ctx, charle_bytes(pages->data + at + sizeof(size), size), err);
        at += sizeof(size) + size;
    }
    return rc;
}

struct standby_pull {
    const struct pull *pull;
    struct ch_positions *out;
};

static enum charle_err pull_from_standby(void *ctx, struct charle_db *db, const struct ch_standby *rule, struct charle_error *err)
{
    const struct standby_pull *read = ctx;
    const struct pull *pull = read->pull;
    struct ch_sync_peer peer = pull->peer;
    peer.standby = rule;
    return ch_pull(pull->sync, db, &peer, pull->request, pull->context->arena, pull->stream->send, pull->stream->ctx, read->out, err);
}

// From the primary, which knows everything, also what a standby that was tried has made of it: the pull's first page voids what it sent.
static enum charle_err pull_once(const struct pull *pull, ch_sync_send send, void *ctx, struct ch_positions *out,
                                 struct charle_error *err)
{
    struct charle_context *context = pull->context;
    return ch_pull(pull->sync, context->db, &pull->peer, pull->request, context->arena, send, ctx, out,
                   err);
}

static int by_scope(const void *a, const void *b)
{
    return charle_str_compare(((const struct ch_position *)a)->scope, ((const struct ch_position *)b)->scope);
}

// The request of a replica that has taken the pages which led to these positions.
static enum charle_err ask_behind(const struct pull *pull, const struct ch_positions *positions, struct charle_pull_request *out,
                                  struct charle_error *err)
{
    const struct charle_array *asked = &pull->request->cursor;
    const struct charle_cursor **list = charle_arena_array(pull->context->arena, asked->count, sizeof(*list));
    struct charle_cursor *cursors = charle_arena_array(pull->context->arena, asked->count, sizeof(*cursors));
    if (!list || !cursors)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the cursors of a replica");
    for (size_t i = 0; i < asked->count; i++) {
        cursors[i] = *((const struct charle_cursor *const *)asked->items)[i];
        const struct ch_position key = {.scope = cursors[i].scope};
        const struct ch_position *at = bsearch(&key, positions->items, positions->count, sizeof(key), by_scope);
        if (at) { // one that needs repair has none
            cursors[i].stamp = at->stamp;
            cursors[i].lineage = at->lineage;
        }
        list[i] = &cursors[i];
    }
    *out = *pull->request;
    out->cursor = (struct charle_array){.items = list, .count = asked->count, .has = true};
    return CHARLE_OK;
}

// A scope that nobody listened to moved between the pull and the stream, so that no delta was made for it. The little
// that is missing is pulled again while the follower stands still; it is sent afterwards, since a peer may be slow.
static enum charle_err pull_standing_still(const struct pull *first, const struct ch_positions *reached,
                                           struct ch_tick_stream **out, struct charle_error *err)
{
    struct charle_buf pages;
    struct ch_positions positions;
    struct charle_pull_request behind;
    struct pull again = *first, *pull = &again;
    enum charle_err rc = ask_behind(first, reached, &behind, err);
    if (rc)
        return rc;
    again.request = &behind;
    charle_buf_init(&pages, CH_MESSAGE_SIZE_MAX);
    wait_fresh(pull->live, ch_clock_mono_us()); // after a start the follower may not have looked yet
    pthread_mutex_lock(&pull->live->ticks_mutex);
    pull->generation = ch_ticks_grants_generation(pull->live->ticks);
    pull->from_standby = false;
    rc = pull_once(pull, collect, &pages, &positions, err);
    if (rc == CHARLE_OK)
        rc = join(pull, &positions, out, err);
    pthread_mutex_unlock(&pull->live->ticks_mutex);
    if (rc == CHARLE_OK)
        rc = send_collected(&pages, pull->stream, err);
    charle_buf_deinit(&pages);
    return rc;
}

static enum charle_err pull_and_join(struct pull *pull, struct ch_tick_stream **out, struct charle_error *err)
{
    struct ch_positions positions;
    struct standby_pull read = {pull, &positions};
    struct charle_error ignored; // the primary's answer counts
    pthread_mutex_lock(&pull->live->ticks_mutex);
    pull->generation = ch_ticks_grants_generation(pull->live->ticks);
    pthread_mutex_unlock(&pull->live->ticks_mutex);
    enum charle_err rc = ch_standbys_read(pull->live->engine->standbys, pull_from_standby, &read, &ignored);
    pull->from_standby = rc == CHARLE_OK;
    if (rc)
        rc = pull_once(pull, pull->stream->send, pull->stream->ctx, &positions, err);
    if (rc)
        return rc;
    pthread_mutex_lock(&pull->live->ticks_mutex);
    rc = join(pull, &positions, out, err);
    pthread_mutex_unlock(&pull->live->ticks_mutex);
    return rc == CHARLE_ABORTED ? pull_standing_still(pull, &positions, out, err) : rc;
}

static enum charle_err make_stream(struct ch_live *live, struct ch_call *call, struct charle_error *err)
{
    if (call->live)
        return CHARLE_OK;
    call->live = ch_alloc_zeroed(1, sizeof(*call->live));
    if (!call->live)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a live stream");
    *call->live = (struct ch_live_stream){.live = live, .call = call};
    charle_buf_init(&call->live->request, CH_MESSAGE_SIZE_MAX);
    charle_arena_init(&call->live->arena, 0);
    return CHARLE_OK;
}

// Takes over the tick stream in every case.
static enum charle_err go_live(struct ch_live *live, struct ch_call *call, struct ch_tick_stream *tick,
                               struct charle_error *err)
{
    enum charle_err rc = make_stream(live, call, err);
    if (rc)
        close_tick(live, tick);
    else
        call->live->tick = tick;
    return rc;
}

// Puts the question to the next round when it may well be answered there. False: PostgreSQL has to be asked.
static bool ask(struct ch_live *live, struct ch_call *call, const struct charle_pull_request *request)
{
    const struct charle_identity *identity = ch_session_identity(call->session);
    struct charle_error err;
    pthread_mutex_lock(&live->ticks_mutex);
    bool may_be = ch_ticks_is_current(live->ticks, request, identity->scopes, identity->scope_count);
    uint64_t generation = ch_ticks_grants_generation(live->ticks);
    pthread_mutex_unlock(&live->ticks_mutex);
    if (!may_be || call->live || make_stream(live, call, &err))
        return false;
    struct charle_pull_request *asked = charle_arena_alloc(&call->live->arena, sizeof(*asked));
    if (!asked || charle_message_read(&charle_pull_request_message, charle_server_call_request(call->rpc),
                                      &call->live->arena, asked, &err))
        return false;
    call->live->asked = asked;
    call->live->asked_generation = generation;
    call->live->is_asking = true;
    return true;
}

enum charle_err ch_live_pull(struct charle_context *context, const void *request_ptr, struct charle_stream *stream,
                             struct charle_error *err)
{
    struct ch_runtime *runtime = context->runtime;
    struct ch_engine *engine = runtime->engine;
    struct ch_tick_stream *tick = NULL;
    struct pull pull = {.live = engine->live,
                        .context = context,
                        .request = request_ptr,
                        .stream = stream,
                        .peer = {.principal = context->identity->principal, .id = context->identity->id}};
    bool wants_live = pull.request->live.has && pull.request->live.value;
    if (!runtime->call->live)
        atomic_fetch_add(&engine->figures.pulls, 1);
    if (ask(pull.live, runtime->call, pull.request)) {
        runtime->goes_live = true;
        return CHARLE_OK;
    }
    // The follower looks first. It sleeps while nobody listens, and what it then found would overtake a stream that is
    // newer than it.
    if (wants_live)
        wait_fresh(pull.live, runtime->call->received_us);
    enum charle_err rc = ch_skews_find(engine->skews, context->db, pull.request->schema_hash, &pull.sync, err);
    if (rc)
        return rc;
    rc = pull_and_join(&pull, &tick, err);
    ch_skews_release(engine->skews, pull.sync);
    if (rc == CHARLE_OK && tick) {
        rc = go_live(pull.live, runtime->call, tick, err);
        runtime->goes_live = rc == CHARLE_OK;
    } else {
        close_tick(pull.live, tick);
    }
    return rc;
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
    ch_ticks_on_part(live->ticks, deliver_part, live);
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
