// The queue of calls in the replica's file: numbering and sending, verdicts, and what happens when numbers stop fitting.
// The rules are in sync/outbox.h; this is their storage. Everything here runs inside a transaction of the caller unless it says otherwise.
#ifndef CHARLE_CLIENT_OUTBOX_H
#define CHARLE_CLIENT_OUTBOX_H

#include "charle/sync.charle.h"
#include "client/rebase.h"

// What people are told about a call in this state, which may be any number when the file is damaged.
enum charle_call_state ch_outbox_shown(int state);

struct ch_contained {
    int64_t position;
    bool is_parked; // the server set it aside: it is made again
};
// Marks the sent calls with numbers up to `upto` as contained in the confirmed rows and lists them (to be freed with ch_free).
// `only_judged`: the number may not be ours, so only those whose verdict came here count. Calls that were judged under an identity
// this replica gave up have no number; every moment that begins later contains them.
CHARLE_MUST_CHECK enum charle_err ch_outbox_contain(struct ch_replica *replica, int64_t upto, bool only_judged,
                                                    struct ch_contained **out_list, size_t *out_count,
                                                    struct charle_error *err);

// Queues a call again that the server parked: same time and seed, so that it makes the same ids, sent after a delay that grows. After the
// last attempt it is left to people. *out_position 0: no more attempts. The call is not run here: the rebase does.
CHARLE_MUST_CHECK enum charle_err ch_outbox_queue_parked(struct ch_replica *replica, int64_t position,
                                                         int64_t *out_position, struct charle_error *err);

// The server's memory of this device ends at `after`: calls with higher numbers wait again, effects included.
CHARLE_MUST_CHECK enum charle_err ch_outbox_recall(struct ch_replica *replica, int64_t after, struct charle_error *err);
// Can the chain of hashes go on behind this number? Not when the call was forgotten here.
CHARLE_MUST_CHECK enum charle_err ch_outbox_can_recall(struct ch_replica *replica, int64_t after, bool *out,
                                                       struct charle_error *err);

// The replica goes on as a new device: a copy of it uses the old numbers. Calls without a verdict will be sent under new ones. Makes its own
// transaction, with a rebase.
CHARLE_MUST_CHECK enum charle_err ch_outbox_renew_identity(struct ch_replica *replica, struct charle_error *err);

// The next batch to push, in memory of the arena: gives numbers to calls that have none, durably, before anyone can send them. Makes
// its own transaction. Calls with numbers up to `behind` are on their way already.
struct ch_outbox_batch {
    struct charle_push_request request;
    int64_t last_number;
    int64_t due_at_us; // when the next call that is held back may go (wall clock); 0: none is
    size_t size;       // bytes of requests
    bool is_full;      // it ended because no more fit
    bool waits_for_file; // a call was held back until a file it refers to was sent
};
CHARLE_MUST_CHECK enum charle_err ch_outbox_take_batch(struct ch_replica *replica, size_t count_max, int64_t behind,
                                                       struct charle_arena *arena, struct ch_outbox_batch *out,
                                                       struct charle_error *err);

// Stores verdicts, durably, in its own transaction. *out_inbox: something a person should see came.
CHARLE_MUST_CHECK enum charle_err ch_outbox_judge(struct ch_replica *replica, const struct charle_array *verdicts,
                                                  bool *out_inbox, struct charle_error *err);

// The server refuses to take one call at all, for good. It is judged as rejected without a number. Own transaction.
CHARLE_MUST_CHECK enum charle_err ch_outbox_refuse(struct ch_replica *replica, int64_t number, enum charle_err code,
                                                   const char *text, struct charle_error *err);

// Tells people that the server lost calls which are not kept here any more. Own transaction.
CHARLE_MUST_CHECK enum charle_err ch_outbox_report_lost(struct ch_replica *replica, int64_t from, int64_t to,
                                                        struct charle_error *err);

#endif
