// What the files of a push share. Internal to them.
//
//   push.c          the batch: one transaction, the device's row, which calls are new
//   push_run.c      running new calls, in sets or one by one, and judging them
//   push_verdict.c  verdicts as they are stored
//   push_copies.c   calls that copies of a replica have as well
#ifndef CHARLE_SERVER_SYNC_PUSH_PARTS_H
#define CHARLE_SERVER_SYNC_PUSH_PARTS_H

#include "server/sync/parts.h"

enum ch_push_manner { PUSH_TOGETHER, PUSH_ALONE, PUSH_PATIENT, PUSH_FOLDED }; // see push.c

// One batch on its way. Everything is in the arena or borrowed from the caller.
struct ch_push {
    const struct ch_sync *sync;
    struct charle_db *db;
    const struct ch_push_options *options;
    const struct charle_push_request *request;
    struct charle_arena *arena;
    struct charle_identity identity;
    int64_t last_sequence; // of the device
    uint64_t last_hash;
    int64_t acknowledged; // the replica has the verdicts up to this number
    int64_t copied_calls; // calls made under the device's name that others brought
    size_t first_new;                // the calls before it were dealt with by an earlier batch
    struct charle_verdict *verdicts; // one a call
    bool *settled;                   // one a call: its verdict is known without running it; NULL: no call's is
    enum ch_push_manner manner;
    int tries; // of the present transaction
    bool has_savepoints;
    bool checks_each; // constraints that wait for the commit are looked at behind each call, in its savepoint
    bool has_failed;  // in a way of which one call may be the reason: try again with savepoints
    int64_t *refused; // numbers of calls that refer to files of others (file_access.c); NULL: none was ever found
    size_t refused_count;
    struct charle_push_reply *out;
};

const struct charle_call *ch_push_call(const struct ch_push *push, size_t index);

// Whether a failure says nothing about a call: the batch fails with it and is sent again.
bool ch_push_is_about_batch(const struct ch_push *push, enum charle_err rc);

// Runs the new calls and fills in their verdicts. With has_failed set, an error means that the transaction must be tried
// again with savepoints; any other error is about the batch.
CHARLE_MUST_CHECK enum charle_err ch_push_run(struct ch_push *push, struct charle_error *err);

// Fills in the verdicts of the calls before first_new from those that are stored. CONFLICT when a call is not the one
// that the server has under its number.
CHARLE_MUST_CHECK enum charle_err ch_push_repeat(struct ch_push *push, struct charle_error *err);
// Settles those of the new calls that were brought by a copy of the replica before, and those of which that cannot be told.
CHARLE_MUST_CHECK enum charle_err ch_push_find_copied(struct ch_push *push, struct charle_error *err);
bool ch_push_is_settled(const struct ch_push *push, size_t index);
// Remembers what became of those that ran here and were made under another device's name.
CHARLE_MUST_CHECK enum charle_err ch_push_store_copied(struct ch_push *push, struct charle_error *err);
// Stores the verdicts of the new calls.
CHARLE_MUST_CHECK enum charle_err ch_push_store(struct ch_push *push, struct charle_error *err);
// Gives up the replies and rows of those that the replica says it has.
CHARLE_MUST_CHECK enum charle_err ch_push_forget(struct ch_push *push, struct charle_error *err);
// Finds the calls that refer to files which the person neither holds nor may read (file_access.c).
CHARLE_MUST_CHECK enum charle_err ch_push_check_files(struct ch_push *push, struct charle_error *err);
bool ch_push_is_refused(const struct ch_push *push, const struct charle_call *call);
// CONFLICT: the sentence about a replica that was copied.
enum charle_err ch_push_refuse_copy(const struct charle_call *call, struct charle_error *err);

// An array of plain values to bind.
static inline struct charle_value ch_push_array(enum charle_type type, const void *items, size_t count)
{
    return (struct charle_value){
        .type = (uint8_t)type, .is_array = true, .array = {.items = items, .count = count, .has = true}};
}

#endif
