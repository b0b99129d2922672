// Counting failures by name, so that guessing gets slow: after `failures_max` within the window a name has to wait
// until the window is over. Used for accounts and for addresses; unknown accounts are counted like known ones, or the
// difference would tell.
//
// A fixed table: a flood of made-up names pushes out the oldest entries, and can only make the server forgetful, not
// large. Thread-safe.
#ifndef CHARLE_SERVER_THROTTLE_H
#define CHARLE_SERVER_THROTTLE_H

#include "base/err.h"
#include "base/str.h"

struct ch_throttle;

CHARLE_MUST_CHECK enum charle_err ch_throttle_new(uint32_t failures_max, int64_t window_us, struct ch_throttle **out,
                                                  struct charle_error *err);
void ch_throttle_free(struct ch_throttle *throttle); // NULL is fine

// Microseconds until the name may try again; 0: now.
int64_t ch_throttle_wait_us(struct ch_throttle *throttle, struct charle_str name, int64_t now_us);
void ch_throttle_fail(struct ch_throttle *throttle, struct charle_str name, int64_t now_us);
void ch_throttle_forgive(struct ch_throttle *throttle, struct charle_str name);

#endif
