// A lane: a bounded queue and the threads that empty it.
//
// Work of different kinds must not wait behind each other: hashing a password takes 0.2 s, a read 20 µs, a first copy
// minutes. Each kind has its lane. A full queue refuses at once, so that the caller can tell its peer to come again
// later; nothing waits to be queued. A lane's threads may take many items at a time and deal with them together.
#ifndef CHARLE_SERVER_LANE_H
#define CHARLE_SERVER_LANE_H

#include "base/err.h"

#include <stddef.h>

struct ch_lane;

struct ch_lane_options {
    const char *name; // of its threads, 15 bytes at most
    uint32_t thread_count;
    uint32_t queue_max; // items waiting
    uint32_t batch_max; // items handed to `run` at once; 0: one
    // Runs on a thread of the lane. `worker` is what open_worker made for this thread. The items are the callee's now.
    void (*run)(void *ctx, void *worker, void *const *items, size_t count);
    // Optional: makes and frees what one thread keeps. A NULL worker is fine.
    void *(*open_worker)(void *ctx, uint32_t index);
    void (*close_worker)(void *ctx, void *worker);
    void *ctx;
};

CHARLE_MUST_CHECK enum charle_err ch_lane_start(const struct ch_lane_options *options, struct ch_lane **out,
                                                struct charle_error *err);
// Takes an item, from any thread, without blocking. False when the queue is full or the lane is stopping: the item
// stays the caller's.
CHARLE_MUST_CHECK bool ch_lane_push(struct ch_lane *lane, void *item);
// Refuses new items, runs those that wait, and joins the threads. NULL is fine.
void ch_lane_stop(struct ch_lane *lane);

uint32_t ch_lane_busy(struct ch_lane *lane);    // threads that run something now
uint32_t ch_lane_waiting(struct ch_lane *lane); // items in the queue

#endif
