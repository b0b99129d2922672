// The body of charle.Sync/Pull: what the replica lacks, and then the place behind it among the live streams.
#include "server/live_parts.h"

#include "server/sync/parts.h"

#include <stdlib.h>
#include <time.h>

static const int64_t fresh_wait_us = 1000000; // how long an idle pull waits for a round before it asks the database itself

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
    pull->peer.never_waits = true;
    rc = pull_once(pull, collect, &pages, &positions, err);
    if (rc == CHARLE_OK)
        rc = join(pull, &positions, out, err);
    pthread_mutex_unlock(&pull->live->ticks_mutex);
    if (rc == CHARLE_OK)
        rc = send_collected(&pages, pull->stream, err);
    charle_buf_deinit(&pages);
    return rc;
}

// What a standby showed the primary may not show yet. It is waited for here, where nobody stands still for it, so that the positions which are
// gone on from are the primary's.
static enum charle_err catch_up(struct pull *pull, struct ch_positions *positions, struct charle_error *err)
{
    struct charle_pull_request behind;
    enum charle_err rc = ask_behind(pull, positions, &behind, err);
    if (rc)
        return rc;
    struct pull next = *pull;
    next.request = &behind;
    pull->from_standby = false;
    return pull_once(&next, pull->stream->send, pull->stream->ctx, positions, err);
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
    if (rc != CHARLE_ABORTED)
        return rc;
    rc = pull->from_standby ? catch_up(pull, &positions, err) : CHARLE_OK;
    return rc ? rc : pull_standing_still(pull, &positions, out, err);
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
        ch_live_close_tick(live, tick);
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
        ch_live_close_tick(pull.live, tick);
    }
    return rc;
}
