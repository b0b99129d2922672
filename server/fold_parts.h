// What the files of a fold share. Internal to them.
//
//   fold_run.c    a turn: the transaction, who is answered what, who runs again alone
//   fold_calls.c  running the calls inside the transaction, in sets or one by one
#ifndef CHARLE_SERVER_FOLD_PARTS_H
#define CHARLE_SERVER_FOLD_PARTS_H

#include "server/engine_parts.h"

enum fold_end { KEPT, FAILED, ALONE }; // see fold_run.c

struct folded {
    struct ch_call *call;
    struct charle_str device; // of a push
    enum fold_end end;
    enum charle_err rc; // FAILED
    struct charle_error err;
    struct charle_bytes reply; // KEPT; in the worker's arena
    struct ch_push_fold push;
};

struct fold {
    struct ch_engine *engine;
    struct ch_worker *worker;
    struct charle_db *db;
    struct folded items[CH_FOLD_CALLS_MAX];
    size_t count; // of which the first `ran` are in the present transaction
    size_t ran;
    bool has_set; // the present call changed settings
    struct ch_fold_report report;
};

// Runs calls in the open savepoint until all have run or the time is over, and leaves a savepoint open. A failure is the
// transaction's; then the last of those that ran may have been the reason.
CHARLE_MUST_CHECK enum charle_err ch_fold_run_items(struct fold *fold, int64_t began_us);

enum charle_err ch_fold_fail_overdue(struct charle_error *err);

#endif
