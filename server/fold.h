// Folding: writing calls that wait at the same time run in one transaction, each in a savepoint of its own.
//
// Whoever writes to a scope holds its head until the commit is on disk, so writers of one scope queue for one commit. What
// has queued while the commits before it were running therefore goes into the next transaction together. Nothing ever waits
// in order to be folded: a call that comes while a transaction may be begun begins one.
//
// This part knows the queue and how many transactions run at a time, and nothing of calls or databases:
//
//   push ──► queue ──► take (a thread's turn: its share of what waits) ──► done (what the transaction met) ──► …
//
// Which calls will touch the same scope is not known before they run. What is seen is whether transactions wait for each
// other: then there are fewer of them at a time, and so larger ones, down to one; while they do not, there are more again,
// up to as many as there are connections. A transaction that lasts longer than CH_FOLD_RUN_MAX_US stops counting, so that
// nothing waits behind it.
//
// All functions may be called from any thread. Times are monotonic microseconds, given by the caller.
#ifndef CHARLE_SERVER_FOLD_H
#define CHARLE_SERVER_FOLD_H

#include "base/err.h"

#include <stddef.h>

// PostgreSQL keeps 64 open subtransactions of a transaction in shared memory; a snapshot taken while there are more has to
// look them up on disk, in all sessions.
#define CH_FOLD_CALLS_MAX 60
// No further call of a fold is begun after this time: the first of them waits for the commit of the last.
#define CH_FOLD_TIME_MAX_US 20000
// A call that runs longer is stopped, and runs again alone; and a run that lasts longer holds up no other.
#define CH_FOLD_RUN_MAX_US 50000

struct ch_fold;

struct ch_fold_options {
    uint32_t transactions_max; // at a time
    uint32_t queue_max;        // items waiting
    // Asks for a thread that will call ch_fold_take; must not block. False: there is none to be had now.
    bool (*ask)(void *ctx);
    void *ctx;
};

CHARLE_MUST_CHECK enum charle_err ch_fold_new(const struct ch_fold_options *options, struct ch_fold **out,
                                              struct charle_error *err);
void ch_fold_free(struct ch_fold *fold); // nothing may wait or run any more; NULL is fine

// Takes an item without blocking. False: the queue is full, or no thread can be had; the item stays the caller's.
CHARLE_MUST_CHECK bool ch_fold_push(struct ch_fold *fold, void *item, int64_t now_us);

// One thread's turn, between take and done. Belongs to the thread; the fold looks at it under its own lock.
struct ch_fold_run {
    struct ch_fold_run *next;
    int64_t began_us;
    bool is_late; // no longer counted
};

// The items to run now, at most CH_FOLD_CALLS_MAX. None: somebody else had them, and the turn is over; there is no done then.
size_t ch_fold_take(struct ch_fold *fold, struct ch_fold_run *run, void *out[CH_FOLD_CALLS_MAX], int64_t now_us);

// What a turn's transaction met, the largest one when it had several.
struct ch_fold_report {
    size_t count;       // items it ran together; one says nothing
    int64_t total_us;   // from begin to commit
    int64_t waited_us;  // of these for heads that others held
    bool has_clashed;   // it met rows that others held for long, or was a deadlock's victim
    uint32_t shared, shared_calls; // of all transactions of the turn: those of several items, and these items
};
// True: items wait and no thread could be asked; the caller must take another turn itself.
CHARLE_MUST_CHECK bool ch_fold_done(struct ch_fold *fold, struct ch_fold_run *run, const struct ch_fold_report *report,
                                    int64_t now_us);

// To be called every so often: asks for a thread when items wait behind a run that lasts too long.
void ch_fold_poke(struct ch_fold *fold, int64_t now_us);

struct ch_fold_figures {
    uint32_t waiting;       // items in the queue
    uint32_t transactions;  // that may run at a time now
    uint64_t shared, calls; // since the start: transactions that several items shared, and those items
};
struct ch_fold_figures ch_fold_figures(struct ch_fold *fold);

// --- which methods fold -----------------------------------------------------------------------------------------------

// What is remembered of a method: whether its calls hold others up. Zeroed at first. Quick calls are forgiven, so that one
// hiccup of the machine does not count; a method that is slow again and again runs alone for two seconds, and one that
// changes settings of its session (which a savepoint would hand on to the next call) always.
struct ch_fold_habit {
    _Atomic int32_t slowness;
    _Atomic int64_t alone_until_us;
};
enum ch_fold_manner { CH_FOLD_QUICK, CH_FOLD_SLOW, CH_FOLD_NEVER };
void ch_fold_note(struct ch_fold_habit *habit, enum ch_fold_manner manner, int64_t now_us);
bool ch_fold_is_open(const struct ch_fold_habit *habit, int64_t now_us);

#endif
