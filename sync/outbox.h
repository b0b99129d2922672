// The life of a queued call, as rules without storage.
//
//   queued ──send──► sent ──judge──► judged ──contain──► done
//                      └──contain──► contained ──judge──► done        (the answer was lost, the page arrived)
//   any but queued ──recall──► queued    the server has lost it, or this replica got a new identity
//
//   state       the server's verdict   its effect lies in            survives a crash
//   queued      none                   the waiting layer             yes, as it is
//   sent        none yet               the waiting layer             yes; sent again, the server tells a repeat by number and hash
//   judged      stored here            the waiting layer             yes
//   contained   none yet               the confirmed rows            yes; sent again for the verdict
//   done        stored here            the confirmed rows            kept until CH_OUTBOX_KEPT_MAX newer ones are done
//
// A call is dropped from the waiting layer exactly when a page arrives whose moment contains its number: before that the page would
// show the rows without it, after that they would show it twice. Only calls with a number, that is sent ones, can be contained. A page that
// claims to contain a number this replica has not sent was made for a copy of it (ch_call_is_foreign).
#ifndef CHARLE_SYNC_OUTBOX_H
#define CHARLE_SYNC_OUTBOX_H

#include "base/str.h"

enum ch_call_state {
    CH_CALL_QUEUED = 1,
    CH_CALL_SENT = 2,
    CH_CALL_JUDGED = 3,
    CH_CALL_CONTAINED = 4,
    CH_CALL_DONE = 5,
};

enum ch_call_event { CH_CALL_SEND, CH_CALL_JUDGE, CH_CALL_CONTAIN, CH_CALL_RECALL };

// The state after an event; 0 when the event cannot happen in this state, or there is no such state.
int ch_call_next(enum ch_call_state state, enum ch_call_event event);

// Is the call's effect run on top of the confirmed rows?
static inline bool ch_call_is_waiting(enum ch_call_state state)
{
    return state == CH_CALL_QUEUED || state == CH_CALL_SENT || state == CH_CALL_JUDGED;
}

// Is it to be sent, for the first time or for its verdict?
static inline bool ch_call_wants_sending(enum ch_call_state state)
{
    return state == CH_CALL_QUEUED || state == CH_CALL_SENT || state == CH_CALL_CONTAINED;
}

// Does a moment that contains calls up to `contained` contain one that this replica, which gave numbers up to `numbered`, never made?
static inline bool ch_call_is_foreign(int64_t contained, int64_t numbered)
{
    return contained > numbered;
}

// A batch of calls to push, filled until one does not fit. The first call always fits: its size was checked when it was queued.
struct ch_push_batch {
    size_t count, size; // calls, bytes of their requests and names
    size_t count_max;   // 0: CH_PUSH_CALLS_MAX
};
bool ch_push_batch_add(struct ch_push_batch *batch, size_t method_size, size_t request_size);

// A parked call is made again after a while, each time later; -1 after the last attempt. `attempt` counts from 0.
int64_t ch_park_delay_us(int attempt);

// How long to wait before trying to reach the server again: doubles from 100 ms to 5 s, of which `random` takes off up to a half, so
// that many clients do not come back together. `failures` counts from 1.
int64_t ch_redial_delay_us(int failures, uint64_t random);

#endif
