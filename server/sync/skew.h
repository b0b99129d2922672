// Serving replicas that were built with another version of the schema: older laptops for a year, newer ones before the server is updated.
//
// A replica tells its shape once (sync/shape.h). From the server's schema and the shape a second ch_sync is made whose statements give
// rows as that replica knows them, so pull, copy and hash need not know of versions:
//
//   column that the replica does not know      left out
//   column that the server does not have (any more), or does not show to this audience
//                                              nothing, or the type's zero where the replica insists on a value
//   column that may be null now and could not  null is shown as the type's zero
//   table that the replica does not know       left out
//   table that the server does not have        empty
//   value of an enum that the replica does not know   goes out as its number; the replica keeps it as "#7"
//
// What cannot be bridged is refused with a sentence that names it: a column of another type, another primary key, an audience with
// another rule. Calls of such a replica run as they are: messages know their fields by number.
//
//   shape: unknown ─► sent by a replica, checked, kept in charle.shape ─► loaded by any server that meets its hash ─► a ch_sync for it
//
// A set keeps the versions that were used last. A result stays valid until it is released. All functions may be used by any number of
// threads.
#ifndef CHARLE_SERVER_SYNC_SKEW_H
#define CHARLE_SERVER_SYNC_SKEW_H

#include "server/sync/sync.h"

struct ch_skews;

// `current` is for replicas of the server's own schema; it and `methods` must outlive the set.
CHARLE_MUST_CHECK enum charle_err ch_skews_new(const struct ch_sync *current, const struct charle_method_table *methods,
                                               struct ch_skews **out, struct charle_error *err);
void ch_skews_free(struct ch_skews *skews); // NULL is fine

// The ch_sync for requests that name this schema; release it when the request is done. SCHEMA_MISMATCH: it was never seen, or cannot be bridged.
CHARLE_MUST_CHECK enum charle_err ch_skews_find(struct ch_skews *skews, struct charle_db *db, uint64_t schema_hash,
                                                const struct ch_sync **out, struct charle_error *err);

// For Open: finds the ch_sync for the replica, and takes the shape that it sends. NULL in *out with OK: the shape has to be sent.
CHARLE_MUST_CHECK enum charle_err ch_skews_meet(struct ch_skews *skews, struct charle_db *db, const struct charle_open_request *request,
                                                const struct ch_sync **out, struct charle_error *err);

void ch_skews_release(struct ch_skews *skews, const struct ch_sync *sync); // NULL is fine

// Does the ch_sync serve another version? Such a replica cannot be given the encoded changes that all others share.
bool ch_sync_is_skewed(const struct ch_sync *sync);
// The hash that requests have to name.
uint64_t ch_sync_schema_hash(const struct ch_sync *sync);

#endif
