// Waiting calls on top of confirmed rows: running them, taking their effects off, and putting them back on.
//
// What a reader sees is S + w1 + w2 + … : the confirmed rows with the effects of the waiting calls in order. When a page turns S into S' and
// drops the calls it contains, the replica must show S' + the remaining calls, exactly as if they were run again one after the other.
//
// Running all of them again for every page would cost a laptop with 10,000 offline edits the square of that. It is not needed, because
// of what a call can depend on: its request, time, seed and caller, which do not change, and the rows it reads.
//
//   A call is *narrow* when what it does is a function of one row: a generated Update, a generated Create that succeeded, a generated Delete
//   of a table that no other one refers to. The engine of these methods (services/crud.c) reads no other row: who may write is decided by
//   the row's own columns, merging compares it with what the request says, a new id comes from the seed. (A provisional number follows
//   from the seed as well.) Any other call is
//   *wide*: it may have read anything. A narrow call is listed with its row in charle_touch even if it changed nothing or failed.
//
// Let D be the rows that differ between S and S' plus the rows touched by dropped calls. If every remaining call is narrow, then for a row
// outside D the sequence of remaining calls on it is the same and starts from the same image, so what is shown is right already. For a
// row in D all effects are taken off (its image is put back, then the page's changes) and the remaining calls that touch it run again in
// order. Work is O(D + calls on D). If any remaining call is wide, or the caller's own rights changed, everything is taken off and all
// remaining calls run again.
//
// A row of D that only calls touch which this page contains needs nothing put back: the page has the whole row, and what was shown of it is
// written over. Most edits come back as they were made, so that writes nothing but the same (ch_rebase_before_whole_row).
//
// Nor is anything put back or run again for a row of D that is as the calls foresaw. Each touch keeps the hash of the row as its call found it. If
// the page's row is what the first call found that the page does not contain, then that call and those behind it would begin with the same
// image as they did and show the same again: the page's row becomes the confirmed image, and what is shown stays. So a laptop whose 1,000,000
// edits of 20,000 rows come back in parts runs none of them again instead of 25 for each. A call that is running again loses what it
// had found first, because it may fail now, or not write.
//
// A call that fails when it is run again stays in the outbox without effect: the server has the last word on it.
#ifndef CHARLE_CLIENT_REBASE_H
#define CHARLE_CLIENT_REBASE_H

#include "client/replica.h"

struct ch_call {
    const struct charle_method *method;
    struct charle_bytes request;
    int64_t at_us;
    uint64_t seed;
};

// Runs a call on the replica in a savepoint of the open transaction. Its effects are captured and, when it succeeds, not yet kept
// (ch_capture_keep). The reply's bytes are appended to `reply`. A failure leaves no effect.
CHARLE_MUST_CHECK enum charle_err ch_call_run(struct ch_replica *replica, const struct ch_call *call,
                                              struct charle_buf *reply, struct charle_error *err);

// Runs a queued call again with its stored time and seed, keeps what it did or why it failed; in the open transaction.
CHARLE_MUST_CHECK enum charle_err ch_call_run_again(struct ch_replica *replica, int64_t position, struct charle_error *err);

// Keeps what a call that has just run did or depends on, under its position: images, touched rows. *out_is_wide: it may depend on
// more than the rows it touched. `ran`: what ch_call_run returned.
CHARLE_MUST_CHECK enum charle_err ch_call_keep(struct ch_replica *replica, const struct ch_call *call, enum charle_err ran,
                                               int64_t position, bool *out_is_wide, struct charle_error *err);

// Runs an offline-capable method for the application: effects, images and the outbox entry in one durable transaction.
// FAILED_PRECONDITION until the first copy is complete.
CHARLE_MUST_CHECK enum charle_err ch_replica_call(struct ch_replica *replica, const struct charle_method *method,
                                                  struct charle_bytes request, struct charle_buf *reply,
                                                  int64_t *out_ticket, struct charle_error *err);
// The same for the call of a verdict, which is dismissed in the same transaction. NOT_FOUND for an unknown id. With `change` it is based on
// the row as it is now, and may have another request (ptr NULL: the same one); NULL: exactly as it was.
struct ch_call_change {
    struct charle_bytes request;
};
CHARLE_MUST_CHECK enum charle_err ch_replica_call_again(struct ch_replica *replica, int64_t inbox_id, const struct ch_call_change *change,
                                                        int64_t *out_ticket,
                                                        struct charle_error *err);
// Runs a method that only reads, without waiting for writers.
CHARLE_MUST_CHECK enum charle_err ch_replica_ask(struct ch_replica *replica, const struct charle_method *method,
                                                 struct charle_bytes request, struct charle_buf *reply,
                                                 struct charle_error *err);

// One rebase, inside one transaction:
//   begin · drop for each contained call · (before_row for each row, then write it) … · finish
struct ch_rebase {
    struct ch_replica *replica;
    bool is_total;        // everything is off
    bool has_images;      // waiting calls have touched rows
    int64_t contained;    // calls up to this number are dropped
    int64_t *again;       // positions of calls to run again
    size_t again_count, again_capacity;
    int64_t ran;          // calls run again, for figures
    struct charle_buf key, image;
};
// `contained`: the number up to which calls are dropped; 0: nobody says yet which. `is_total` forces everything off.
CHARLE_MUST_CHECK enum charle_err ch_rebase_begin(struct ch_rebase *rebase, struct ch_replica *replica, int64_t contained,
                                                  bool is_total, struct charle_error *err);
// Takes the effects of waiting calls off a row that is about to be written as confirmed.
CHARLE_MUST_CHECK enum charle_err ch_rebase_before_row(struct ch_rebase *rebase, struct ch_table *table,
                                                       struct charle_str key, struct charle_error *err);
// The same for a row of which all columns that are held are about to be written: what they overwrite is not put back first. *out_is_shown: the
// calls that wait stand on just this row already, so it is kept as their image and must not be written.
CHARLE_MUST_CHECK enum charle_err ch_rebase_before_whole_row(struct ch_rebase *rebase, struct ch_table *table, struct charle_str key,
                                                             struct charle_bytes row, bool *out_is_shown, struct charle_error *err);
// Takes a call that is no longer waiting off the rows it touched.
CHARLE_MUST_CHECK enum charle_err ch_rebase_drop(struct ch_rebase *rebase, int64_t position, struct charle_error *err);
// Adds a call to those that run again: one that was queued during the rebase.
CHARLE_MUST_CHECK enum charle_err ch_rebase_run_later(struct ch_rebase *rebase, int64_t position, struct charle_error *err);
// Runs what must be run again.
CHARLE_MUST_CHECK enum charle_err ch_rebase_finish(struct ch_rebase *rebase, struct charle_error *err);
void ch_rebase_deinit(struct ch_rebase *rebase);

// A whole rebase by itself: takes all effects of waiting calls off, lets `change` run in the same transaction, and puts the effects of
// what is then waiting on again.
typedef enum charle_err (*ch_rebase_change_fn)(struct ch_replica *replica, void *ctx, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_apply_rebase(struct ch_replica *replica, enum ch_durability durability,
                                                  ch_rebase_change_fn change, void *ctx, struct charle_error *err);

#endif
