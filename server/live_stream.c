// Live streams: coming and going, and giving each what is new for it. All but ch_live_add and the call's callbacks runs on the live thread.
#include "server/live_parts.h"

#include "base/clock.h"

static const int64_t sign_us = 20000000;        // a replica takes a stream for dead after three of these without a word
static const int64_t look_us = 250000;          // how often all sessions are looked at

// --- streams -------------------------------------------------------------------------------------------------------

void ch_live_close_tick(struct ch_live *live, struct ch_tick_stream *tick)
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
    ch_live_close_tick(stream->live, stream->tick);
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

void ch_live_end(struct ch_live_stream *stream, enum charle_err rc, const char *words)
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
        ch_live_end(stream, CHARLE_UNAVAILABLE, "the server is stopping: connect again in a moment");
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
        ch_live_end(stream, CHARLE_ABORTED, words);
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
            ch_live_end(stream, rc, charle_err_text(rc));
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
void ch_live_deliver_part(void *ctx)
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
            ch_live_end(stream, CHARLE_RESOURCE_EXHAUSTED, "the server is busy: try again in a moment");
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
        ch_live_end(stream, rc, rc ? charle_err_text(rc) : "");
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
        ch_live_end(stream, CHARLE_CANCELLED, "the peer has gone");
        return false;
    }
    if (must_look && ch_session_is_revoked(stream->call->session)) {
        ch_live_end(stream, CHARLE_UNAUTHENTICATED, "this session has ended: sign in again");
        return false;
    }
    if (stream->is_blocked ? !is_touched : !has_moved && !must_look && !is_touched)
        return true;
    return deliver(live, stream, now_us);
}

void ch_live_answer_all(struct ch_live *live, struct ch_live_stream *asking, bool is_fresh)
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
void ch_live_serve_all(struct ch_live *live, bool has_moved, int64_t now_us)
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
