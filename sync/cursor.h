// Stamps and cursors as values.
//
// A stamp is epoch << 33 | n. Within an epoch n grows by one for each transaction that touches the scope; a new epoch starts when the
// running database is another one than before, and its number is larger than any before it, so stamps of one history only grow.
// The lineage tells two epochs of the same number apart: one that was lost with its database, and one that took its number.
#ifndef CHARLE_SYNC_CURSOR_H
#define CHARLE_SYNC_CURSOR_H

#include "base/str.h"

#define CH_STAMP_COUNT_BITS 33

static inline int64_t ch_stamp(int64_t epoch, int64_t count)
{
    return (int64_t)((uint64_t)epoch << CH_STAMP_COUNT_BITS | (uint64_t)count);
}
static inline int64_t ch_stamp_epoch(int64_t stamp)
{
    return (int64_t)((uint64_t)stamp >> CH_STAMP_COUNT_BITS);
}
static inline int64_t ch_stamp_count(int64_t stamp)
{
    return (int64_t)((uint64_t)stamp & (((uint64_t)1 << CH_STAMP_COUNT_BITS) - 1));
}

// What a delta (from, to] does to a cursor at `stamp`.
enum ch_delta_fit {
    CH_DELTA_APPLIES, // from <= stamp < to: brings the cursor to `to`
    CH_DELTA_OLD,     // to <= stamp: everything in it is already there; applying it again would turn rows back
    CH_DELTA_GAP,     // from > stamp: something in between is missing
};
enum ch_delta_fit ch_delta_fit(int64_t stamp, int64_t from, int64_t to);

// The newest stamp that rows of a scope were read at while they came in several snapshots, from streams whose answers overtake each other. Rows are
// those of one history when the moment that shows them lies behind it on the same lineage. When answers are of two lineages nothing tells whether
// the older one went on or was lost, so they are torn, and no moment lies behind that.
struct ch_seen {
    int64_t stamp; // 0: nothing was seen, or nothing had touched the scope
    uint64_t lineage;
};
#define CH_SEEN_TORN INT64_MAX
void ch_seen_add(struct ch_seen *seen, int64_t stamp, uint64_t lineage);

// A scope is "name" or "name:key". The key is empty for a constant audience.
struct charle_str ch_scope_audience(struct charle_str scope);
struct charle_str ch_scope_key(struct charle_str scope);

#endif
