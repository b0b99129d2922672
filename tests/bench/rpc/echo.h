// What both echo programs do the same way, so that the figures compare: the message's size, the calls in flight, the
// run's length, and the line that a client prints.
#ifndef CHARLE_BENCH_ECHO_H
#define CHARLE_BENCH_ECHO_H

enum {
    ECHO_SIZE = 93,      // bytes of a message: a task's key and a few columns
    ECHO_IN_FLIGHT = 64, // on one connection
    ECHO_WARM_UP_MS = 300,
    ECHO_RUN_MS = 2000,
    ECHO_LATENCIES_MAX = 1 << 21, // of as many calls the time is kept
};

// rate in calls a second, times in microseconds
#define ECHO_LINE_FORMAT "%.1f %.1f %.1f\n"

#endif
