// People's programs that call a server: one connection each, one call in flight on it, the next one as soon as the answer is there.
#ifndef CHARLE_BENCH_CALLERS_H
#define CHARLE_BENCH_CALLERS_H

#include "base/buf.h"

#include <stdatomic.h>

enum { BENCH_CALLERS = 64 };

struct bench_callers;
struct bench_caller {
    struct bench_callers *all;
    int number;
    struct charle_channel *channel;
    struct charle_rpc *rpc;
    struct charle_buf request;
    atomic_long done;
    atomic_int is_running, has_failed;
};

struct bench_callers { // zeroed but for method, next and ctx
    const char *method;
    // Writes the next call of caller `number` into an empty buffer. Calls before it took effect. On the thread of the connection.
    void (*next)(void *ctx, int number, struct charle_buf *out);
    void *ctx;
    atomic_int must_stop;
    struct bench_caller items[BENCH_CALLERS];
};

// Opens the connections; ends the program when it cannot.
void bench_callers_open(struct bench_callers *callers, const char *address, const char *token);
void bench_callers_start(struct bench_callers *callers);
// Calls that were confirmed so far. Ends the program when one has failed.
long bench_callers_done(struct bench_callers *callers);
// Waits for the calls in flight and closes the connections.
void bench_callers_stop(struct bench_callers *callers);

#endif
