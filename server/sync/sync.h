// The server's side of synchronisation, over a database handle that the caller brings: no threads, no sockets, no clock.
//
// Deltas are functions of (scope, from, to), read in one snapshot (docs/internals.md, "Pulling"). Three kinds of readers share the code:
//
//   ch_tick_*   follows all heads with one reader and keeps the newest changes in a ring: live streams and idle pulls (tick.h)
//   ch_pull     a replica that comes back with old cursors: its own snapshot
//   ch_copy     a scope's table in key order: first copy;   ch_hash  the same as hashes: verify and repair
//
// and one writer, ch_push, which runs the calls that replicas made offline. Messages are those of proto/charle/sync.proto.
//
// A ch_sync is read-only after ch_sync_new and may be used by any number of threads. Handles are used by one thread at a time and must be
// idle PostgreSQL handles outside a transaction; the functions begin and end their own.
#ifndef CHARLE_SERVER_SYNC_SYNC_H
#define CHARLE_SERVER_SYNC_SYNC_H

#include "base/arena.h"
#include "base/buf.h"
#include "call/context.h"
#include "call/method.h"
#include "charle/sync.charle.h"
#include "db/db.h"

struct ch_sync;

// Prepares the statements' texts for every table and audience of the schema. `methods` must hold every method that replicas may queue
// and outlive the result, as must the schema.
CHARLE_MUST_CHECK enum charle_err ch_sync_new(const struct charle_schema *schema, const struct charle_method_table *methods,
                                              struct ch_sync **out, struct charle_error *err);
void ch_sync_free(struct ch_sync *sync); // NULL is fine

// The SQL of the schema `charle`: heads, change log, raising, devices, verdicts. One script, safe to run again.
extern const char ch_platform_sql[];

// A hot standby that a handle belongs to. Its moments are older than the primary's, and it decides nothing (standby.c).
struct ch_standby {
    uint64_t lineage; // of the primary's running epoch
};

// Who pulls or pushes, as the session knows it, and where it is read. Everything is borrowed for the call.
struct ch_sync_peer {
    struct charle_str principal; // "user"
    struct charle_str id;
    // NULL: the handle is the primary's. Otherwise reads may end as UNAVAILABLE (not there yet) or ABORTED (ask the primary), and then
    // nothing was sent. A failure of another kind may come after pages were sent.
    const struct ch_standby *standby;
    // The caller holds what others wait for: a cursor that is ahead of the primary's snapshot ends a pull as ABORTED, before anything was sent,
    // instead of being waited for (ahead.c).
    bool never_waits;
};

// The scopes a person holds now, sorted, in the arena: what charle_schema.grants say. Runs in the handle's transaction when one is open.
CHARLE_MUST_CHECK enum charle_err ch_sync_scopes_of(const struct ch_sync *sync, struct charle_db *db, const struct ch_sync_peer *peer,
                                                    struct charle_arena *arena, const struct charle_str **out_scopes, size_t *out_count,
                                                    struct charle_error *err);

// Registers the device, or checks that it belongs to the peer. PERMISSION_DENIED when it is somebody else's; SCHEMA_MISMATCH for a replica
// of another schema.
CHARLE_MUST_CHECK enum charle_err ch_sync_open(const struct ch_sync *sync, struct charle_db *db, const struct ch_sync_peer *peer,
                                               const struct charle_open_request *request, struct charle_ts now,
                                               struct charle_arena *arena, struct charle_open_reply *out, struct charle_error *err);

// Takes one encoded message. May wait until the peer can take more; a failure ends the reading.
typedef enum charle_err (*ch_sync_send)(void *ctx, struct charle_bytes message, struct charle_error *err);

// Where a replica stands: what a pull leaves behind, and a live stream goes on from.
struct ch_position {
    struct charle_str scope;
    int64_t stamp;
    uint64_t lineage; // of the stamp's epoch
};
struct ch_positions { // sorted by scope; in the arena given to ch_pull
    struct ch_position *items;
    size_t count;
    int64_t last_sequence; // of the device, in the same moment
    bool is_whole; // false: scopes were gained or need repair, and have no position yet
};

// Sends the pages that bring the cursors of `request` to one moment: lost, gained and repaired scopes, deltas, the device's last call. The
// last page has is_last.
CHARLE_MUST_CHECK enum charle_err ch_pull(const struct ch_sync *sync, struct charle_db *db, const struct ch_sync_peer *peer,
                                          const struct charle_pull_request *request, struct charle_arena *arena, ch_sync_send send,
                                          void *ctx, struct ch_positions *out, struct charle_error *err);

// Sends the rows of one table of one scope in key order, behind after_key and up to until_key, as CopyPages. Each chunk of rows is a
// snapshot of its own; the first page names the scope's head at the first of them.
CHARLE_MUST_CHECK enum charle_err ch_copy(const struct ch_sync *sync, struct charle_db *db, const struct ch_sync_peer *peer,
                                          const struct charle_copy_request *request, ch_sync_send send, void *ctx,
                                          struct charle_error *err);

// Hashes of ranges of about equal size of one table of one scope.
CHARLE_MUST_CHECK enum charle_err ch_hash(const struct ch_sync *sync, struct charle_db *db, const struct ch_sync_peer *peer,
                                          const struct charle_hash_request *request, struct charle_arena *arena,
                                          struct charle_hash_reply *out, struct charle_error *err);

// Runs a batch of calls in one transaction, in order, each exactly once. `crud` runs generated methods, `crud_set` many calls of one such
// method at once (NULL: one by one); `runtime` goes to every context.
// Everything of *out is in the arena.
// A push in a transaction that it shares with other calls, in a savepoint of its caller's. It does not wait long for rows (BUSY: to be
// run again in a transaction of its own), and which stamps were made is known only when the shared transaction raises its heads: then
// ch_push_made.
struct ch_push_fold {
    struct charle_push_reply *reply; // out, in the arena: without `made`; NULL: the push did not get that far
    const struct charle_str *scopes; // out, in the arena: whose stamps the caller may be told, sorted
    size_t scope_count;
    bool has_new; // out: calls were run
};
struct ch_push_options {
    struct ch_sync_peer peer;
    struct ch_push_fold *fold; // NULL: the transaction is the push's own
    charle_crud_engine crud;
    charle_set_engine crud_set;
    void *runtime;
    int64_t deadline_mono_us; // 0: none
};
CHARLE_MUST_CHECK enum charle_err ch_push(const struct ch_sync *sync, struct charle_db *db, const struct ch_push_options *options,
                                          const struct charle_push_request *request, struct charle_arena *arena,
                                          struct charle_push_reply *out, struct charle_error *err);
// The stamps that the open transaction has made in these scopes, as cursors in the arena. Its heads must have been raised.
CHARLE_MUST_CHECK enum charle_err ch_push_made(struct charle_db *db, const struct charle_str *scopes, size_t count,
                                               struct charle_arena *arena, struct charle_array *out, struct charle_error *err);

#endif
