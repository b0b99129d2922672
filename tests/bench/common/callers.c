#include "bench/common/callers.h"

#include "bench/common/bench.h"
#include "rpc/rpc.h"

#include <poll.h>
#include <stdio.h>

static void call(struct bench_caller *caller);

static void on_reply(void *ctx, struct charle_rpc *rpc, struct charle_bytes message)
{
    (void)ctx;
    charle_rpc_consumed(rpc, message.len);
}

static void on_done(void *ctx, struct charle_rpc *rpc, const struct charle_status *status)
{
    struct bench_caller *caller = ctx;
    charle_rpc_release(rpc);
    if (status->code) {
        fprintf(stderr, "a call failed: %.*s\n", CHARLE_FMT(status->text));
        atomic_store(&caller->has_failed, 1);
    }
    atomic_fetch_add(&caller->done, 1);
    if (atomic_load(&caller->all->must_stop) || status->code)
        atomic_store(&caller->is_running, 0);
    else
        call(caller);
}

static void call(struct bench_caller *caller)
{
    struct charle_error err = {0};
    const struct charle_rpc_events events = {.message = on_reply, .done = on_done, .ctx = caller};
    charle_buf_reset(&caller->request);
    caller->all->next(caller->all->ctx, caller->number, &caller->request);
    if (charle_rpc_start(caller->channel, charle_str(caller->all->method), charle_buf_bytes(&caller->request), NULL, &events, &caller->rpc, &err))
        bench_die("call: %s", err.text);
}

void bench_callers_open(struct bench_callers *callers, const char *address, const char *token)
{
    for (int i = 0; i < BENCH_CALLERS; i++) {
        struct charle_error err = {0};
        const struct charle_channel_options options = {.token = token};
        callers->items[i].all = callers;
        callers->items[i].number = i;
        if (charle_channel_open(address, &options, &callers->items[i].channel, &err))
            bench_die("open: %s", err.text);
    }
}

void bench_callers_start(struct bench_callers *callers)
{
    for (int i = 0; i < BENCH_CALLERS; i++) {
        atomic_store(&callers->items[i].is_running, 1);
        call(&callers->items[i]);
    }
}

long bench_callers_done(struct bench_callers *callers)
{
    long done = 0;
    for (int i = 0; i < BENCH_CALLERS; i++) {
        if (atomic_load(&callers->items[i].has_failed))
            bench_die("calls of the benchmark must not fail");
        done += atomic_load(&callers->items[i].done);
    }
    return done;
}

void bench_callers_stop(struct bench_callers *callers)
{
    atomic_store(&callers->must_stop, 1);
    for (int i = 0; i < BENCH_CALLERS; i++) {
        while (atomic_load(&callers->items[i].is_running))
            poll(NULL, 0, 1);
        charle_channel_close(callers->items[i].channel);
        charle_buf_deinit(&callers->items[i].request);
    }
}
