// What tick.c and tick_stream.c share.
#ifndef CHARLE_SERVER_SYNC_TICK_PARTS_H
#define CHARLE_SERVER_SYNC_TICK_PARTS_H

#include "base/alloc.h"
#include "base/limits.h"
#include "server/sync/parts.h"
#include "server/sync/tick.h"

#define uthash_malloc(size) ch_alloc(size)
#define uthash_free(ptr, size) ch_free(ptr)
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

// What is known of one scope. Made when its head is first seen, kept as long as the follower.
struct ch_known {
    UT_hash_handle hh;
    uint64_t number;       // in the order of becoming known, from 1 on; the order of all entries and streams
    int64_t stamp;
    uint64_t lineage;
    uint32_t watchers;     // streams that hold the scope
    int64_t raises;        // stamps since ch_ticks.counted_since_us
    int64_t sequence;      // of a device's scope: its last call at `stamp`; -1: not known
    size_t scope_len;
    char scope[];
};

// One scope in one tick.
struct ch_tick_entry {
    struct ch_known *known;
    int64_t from, to;
    uint64_t lineage;       // of the epoch of `to`
    int64_t sequence;       // of a device's scope; -1: none
    bool has_delta;         // false: nobody watched, so a position before `to` cannot pass
    struct charle_buf bytes; // pieces of the delta, one behind the other
    size_t *ends;           // where each piece ends in bytes
    size_t piece_count;
};

struct ch_tick {
    struct ch_tick_entry *entries; // in the order of the scopes' numbers, so that streams can merge
    size_t entry_count;
    size_t size;
    bool is_break; // nobody passes
    bool changes_grants; // who comes from before may see other scopes; open streams were looked at when it was read
};

struct ch_ticks {
    const struct ch_sync *sync;
    struct ch_known *heads;
    uint64_t known_count;              // that ever became known
    struct ch_tick ring[CH_TICKS_MAX]; // tick n is at n % CH_TICKS_MAX
    uint64_t first, next;              // numbers of the oldest tick and of the one to come
    size_t size;
    uint64_t generation;               // grants
    uint64_t breaks;                   // ticks that nobody passes
    struct ch_tick_stream *streams;    // all that are open
    int64_t raise_seq, raise_moved_at_us, scanned_at_us, polled_at_us;
    int64_t xmin;                      // of the snapshot in which heads were read last; 0: none yet
    int64_t counted_since_us;          // when counting raises began anew
    bool is_known;                     // the heads were read, and nothing failed since
    const struct ch_tick *unfinished;  // while its deltas are read; NULL otherwise
    ch_ticks_part_fn part;             // NULL: nobody wants to know
    void *part_ctx;
};

// What the person may see in this snapshot, when a tick changes grants; count 0 and items NULL: nothing.
struct ch_tick_person {
    UT_hash_handle hh;
    const struct charle_str *scopes; // that tables are shown through, sorted
    size_t scope_count;
    size_t name_len;
    char name[]; // principal, 0, id
};

// Reads it for everybody who has a stream, and marks the streams whose scopes are others now. *out_is_too_many: nothing was done.
CHARLE_MUST_CHECK enum charle_err ch_tick_streams_check(struct ch_ticks *ticks, struct charle_db *db, struct charle_arena *arena,
                                                        bool *out_is_too_many, struct charle_error *err);

struct ch_known *ch_ticks_find(const struct ch_ticks *ticks, struct charle_str scope); // NULL: never raised
// Makes a scope known that nothing has touched yet.
CHARLE_MUST_CHECK enum charle_err ch_ticks_know(struct ch_ticks *ticks, struct charle_str scope, struct ch_known **out, struct charle_error *err);

#endif
