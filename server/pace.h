// How long a long push rests behind each of its parts, so that people who wait for other calls hardly feel it.
//
// Learned from how long calls take in the server, received to answered:
//
//   slow_us  what 99 of 100 calls stay below that no part of a long push was near
//   rest     a part is followed by a rest of so many times what it took
//
// While long pushes run, a call is felt to be slow when it takes more than twice slow_us. Each such call makes the rest longer, each other one a
// little shorter, so that it settles where 3 of 1,000 calls are slow: a 99th percentile within twice what it is without, with room for what the server does not see. On a machine with idle cores the
// rest soon is as short as it may be; on a crowded one a backlog takes the time that nobody else wants, and some more: 250 calls a second, so that a
// million are through in about an hour however it is.
//
// Both are stochastic approximation on a logarithmic scale: a quantile p is where the steps up, taken with the probability 1 - p, and those down
// cancel out (Robbins and Monro 1951; Joseph, "Efficient Robbins-Monro procedure for binary data", 2004).
//
// Plain values without a lock: the owner's (server/bulk.c). Times are monotonic microseconds.
#ifndef CHARLE_SERVER_PACE_H
#define CHARLE_SERVER_PACE_H

#include <stdint.h>

struct ch_pace {
    double slow_us, rest;
    int64_t calls;           // that slow_us was learned from
    int64_t part_began_us;   // 0: no part runs
    int64_t quiet_from_us;   // what begins later does not meet what the last part left to do
    int64_t active_until_us; // the rest behind the last part is over
};

void ch_pace_init(struct ch_pace *pace);
// A call of somebody else ended.
void ch_pace_call(struct ch_pace *pace, int64_t began_us, int64_t ended_us);
void ch_pace_begin(struct ch_pace *pace, int64_t now_us); // a part begins; one at a time
int64_t ch_pace_end(struct ch_pace *pace, int64_t calls, int64_t now_us); // of so many calls; returns how long to rest

#endif
