// What an operator sees of live streams.
#include "server/live_parts.h"

#include <stdlib.h>
#include <time.h>

static const int64_t listing_wait_us = 2000000; // an operator waits for a round at most

struct listed {
    const struct ch_live_stream *stream;
    int64_t behind_us, stamps;
    size_t bytes;
};

// The thread fills it in, since the streams are its own. Lives on the stack of who waits for it, under the mutex.
struct ch_live_listing {
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

static bool fill_listing(struct ch_live *live, const struct ch_live_listing *listing)
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

void ch_live_list_streams(struct ch_live *live)
{
    pthread_mutex_lock(&live->mutex);
    bool is_wanted = live->listing != NULL;
    pthread_mutex_unlock(&live->mutex);
    if (!is_wanted)
        return;
    pthread_mutex_lock(&live->ticks_mutex);
    pthread_mutex_lock(&live->mutex);
    struct ch_live_listing *listing = live->listing;
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
    struct ch_live_listing listing = {.limit = limit, .arena = arena, .out = out};
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
