// Live streams: replicas that have caught up and are told of each change as it comes.
//
// A stream here has no thread of its own: it is a position and a call that stays open. One thread follows the database
// (server/sync's tick) and gives every stream what is new for it, as far as its peer takes it. A stream that the
// follower cannot serve from memory goes back to the streams lane, pulls from where it is, and comes again; its replica
// only sees pages.
#ifndef CHARLE_SERVER_LIVE_H
#define CHARLE_SERVER_LIVE_H

#include "call/method.h"
#include "server/sync/tick.h"

struct ch_call;
struct ch_engine;
struct ch_live;
struct ch_live_stream;

CHARLE_MUST_CHECK enum charle_err ch_live_start(struct ch_engine *engine, struct ch_live **out,
                                                struct charle_error *err);
// Ends all streams as UNAVAILABLE, which sends their peers elsewhere, and stops the thread; streams that come later end
// at once. NULL is fine.
void ch_live_stop(struct ch_live *live);
void ch_live_free(struct ch_live *live); // after stop, when nobody adds or wakes any more; NULL is fine

// The body of charle.Sync/Pull. When the request asks for it, the call goes live afterwards (struct ch_runtime).
enum charle_err ch_live_pull(struct charle_context *context, const void *request, struct charle_stream *stream,
                             struct charle_error *err);
// Takes over a call whose pull is done.
void ch_live_add(struct ch_live *live, struct ch_call *call);

// What a call that went live keeps. `request` is what it pulls with when it pulls again; ptr NULL: it has not had to.
struct charle_bytes ch_live_stream_request(const struct ch_live_stream *stream); // NULL is fine
void ch_live_stream_free(struct ch_live_stream *stream);                         // after the call's end; NULL is fine

// A live stream, as an operator sees it. Texts are in the arena that was given.
struct ch_live_entry {
    struct charle_str principal, principal_id, device_id, peer;
    int64_t since_us; // all times: how long
    int64_t behind_stamps, behind_us;
    int64_t queued_bytes, silent_us;
};
struct ch_live_overview {
    struct ch_live_entry *entries; // the furthest behind first, then the oldest
    size_t count;
    uint64_t ring_ticks;
    size_t ring_bytes;
    struct ch_tick_heat *hot; // at most CH_LIVE_HOT_MAX
    size_t hot_count;
};
#define CH_LIVE_HOT_MAX 10
// At most `limit` entries. Waits for the thread to look, a second at most: UNAVAILABLE.
CHARLE_MUST_CHECK enum charle_err ch_live_look_at(struct ch_live *live, size_t limit, struct charle_arena *arena,
                                                  struct ch_live_overview *out, struct charle_error *err);

// Something was committed by this server: look now, and tell the others. Any thread.
void ch_live_wake(struct ch_live *live);
// Another server has committed something: look now. Any thread; does not block.
void ch_live_look(struct ch_live *live);

#endif
