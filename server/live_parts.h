// What live.c, live_stream.c, live_pull.c and live_list.c share. Which thread and which lock each field belongs to is said beside it; see live.c.
#ifndef CHARLE_SERVER_LIVE_PARTS_H
#define CHARLE_SERVER_LIVE_PARTS_H

#include "charle/sync.charle.h"

#include "base/alloc.h"
#include "msg/wire.h"
#include "server/engine_parts.h"
#include "server/live.h"

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

struct ch_live_listing;

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
    struct ch_live_listing *listing; // an operator waits for it; NULL: nobody
    int64_t pulled_us;    // of the last pull
    int64_t polled_at_us; // when the newest round began; 0: the last one failed
};

// --- live_stream.c ----------------------------------------------------------------------------------------------------

// Ends the stream's call, and with it the stream, in time.
void ch_live_end(struct ch_live_stream *stream, enum charle_err rc, const char *words);
// Of a stream that does not come to be, or goes. NULL is fine.
void ch_live_close_tick(struct ch_live *live, struct ch_tick_stream *tick);
// For ch_ticks_on_part.
void ch_live_deliver_part(void *ctx);
// Those who asked before the round began: from memory if the round told what is new, otherwise in their lane. The ones that go live join the
// thread's list.
void ch_live_answer_all(struct ch_live *live, struct ch_live_stream *asking, bool is_fresh);
// Gives each stream what is new for it. has_moved: there is something; otherwise only those are looked at that have room again.
void ch_live_serve_all(struct ch_live *live, bool has_moved, int64_t now_us);

// --- live_list.c ------------------------------------------------------------------------------------------------------

// Fills in what an operator waits for, if one does.
void ch_live_list_streams(struct ch_live *live);

#endif
