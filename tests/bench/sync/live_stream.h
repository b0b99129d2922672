// Pulls without a replica behind them: what laptops look like to the server, many of them in one process.
#ifndef CHARLE_BENCH_LIVE_STREAM_H
#define CHARLE_BENCH_LIVE_STREAM_H

#include "base/arena.h"
#include "base/str.h"
#include "bench/sync/rig.h"
#include "rpc/rpc.h"

#include <stdatomic.h>

// One live pull. Zeroed memory is a closed one.
struct live_stream {
    struct charle_channel *channel; // of its own; NULL: it goes over another's
    struct charle_rpc *rpc;
    atomic_int pages;            // that have come; written on the transport's threads
    _Atomic double last_page_at; // of the newest
    atomic_int is_over;
};

void live_streams_allow(void); // as many open files as a thousand connections need
// `shared`: goes over the connection of this stream, which has one of its own and is closed last; NULL: over a new one.
void live_stream_open(struct rig *rig, struct live_stream *stream, struct live_stream *shared, struct charle_bytes request);
void live_stream_close(struct live_stream *stream);
// Waits until each of them has had so many pages; ends the program after half a minute.
void live_streams_wait(struct live_stream *streams, int count, int pages);

// The cursors of a replica that is up to date, from the arena.
struct charle_array live_cursors(struct charle_client *client, struct charle_arena *arena);

#endif
