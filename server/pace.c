#include "server/pace.h"

#include "base/err.h"

// Steps up, and those down at which the quantile stands: ln(up) * share = -ln(down) * (1 - share).
static const double slow_up = 1.1, slow_down = 1 - 0.000962; // 1 of 100 calls is above slow_us
static const double rest_up = 1.25, rest_down = 1 - 0.000671; // 3 of 1,000 are slow
static const double felt = 2;                                 // times slow_us

// Nothing is known at first, so a part is followed by a long rest. The shortest leaves some calls that no part is near, to learn from.
static const double rest_first = 16, rest_least = 2, rest_most = 100;
static const int64_t rest_most_us = 400000;
static const int64_t call_most_us = 4000; // of rest for each call of the part

enum { CALLS_LEAST = 100 }; // a hundredth of fewer is nobody

void ch_pace_init(struct ch_pace *pace)
{
    *pace = (struct ch_pace){.rest = rest_first};
}

static void learn_slow(struct ch_pace *pace, double took_us)
{
    if (!pace->calls++)
        pace->slow_us = took_us * felt;
    pace->slow_us *= took_us > pace->slow_us ? slow_up : slow_down;
}

static void learn_rest(struct ch_pace *pace, double took_us)
{
    pace->rest *= took_us > felt * pace->slow_us ? rest_up : rest_down;
    if (pace->rest > rest_most)
        pace->rest = rest_most;
    if (pace->rest < rest_least)
        pace->rest = rest_least;
}

void ch_pace_call(struct ch_pace *pace, int64_t began_us, int64_t ended_us)
{
    double took_us = ended_us > began_us ? (double)(ended_us - began_us) : 1;
    if (!pace->part_began_us && began_us >= pace->quiet_from_us)
        learn_slow(pace, took_us);
    if ((pace->part_began_us || began_us < pace->active_until_us) && pace->calls >= CALLS_LEAST)
        learn_rest(pace, took_us);
}

void ch_pace_begin(struct ch_pace *pace, int64_t now_us)
{
    CHARLE_ASSERT(!pace->part_began_us);
    pace->part_began_us = now_us > 0 ? now_us : 1;
}

int64_t ch_pace_end(struct ch_pace *pace, int64_t calls, int64_t now_us)
{
    int64_t took_us = now_us > pace->part_began_us ? now_us - pace->part_began_us : 1;
    int64_t bound_us = calls < rest_most_us / call_most_us ? calls * call_most_us : rest_most_us;
    double rest_us = (double)took_us * pace->rest;
    if (rest_us < (double)bound_us)
        bound_us = (int64_t)rest_us;
    // What a part changed is read and sent to replicas, which takes about as long again.
    *pace = (struct ch_pace){.slow_us = pace->slow_us, .rest = pace->rest, .calls = pace->calls,
                             .quiet_from_us = now_us + took_us, .active_until_us = now_us + bound_us};
    return bound_us;
}
