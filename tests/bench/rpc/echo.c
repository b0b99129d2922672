// Our side of rpc_unary_1x64: an echo server that answers on the transport's thread, and a client that keeps calls in
// flight.
//
//   bench_rpc_echo serve                     prints the port, serves until its standard input closes
//   bench_rpc_echo call PORT IN_FLIGHT       prints calls a second, the median and the 99th percentile of their times
#include "bench/rpc/echo.h"

#include "base/clock.h"
#include "bench/common/bench.h"
#include "rpc/rpc.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void echo(void *ctx, struct charle_server_call *call)
{
    (void)ctx;
    charle_server_call_finish(call, CHARLE_OK, CHARLE_STR(""), charle_server_call_request(call));
}

static int serve(void)
{
    struct charle_error err;
    struct charle_rpc_server *server;
    char address[128], byte;
    if (charle_rpc_server_open(NULL, echo, NULL, &server, &err) ||
        charle_rpc_server_listen(server, "tcp://127.0.0.1:0", address, &err))
        bench_die("%s", err.text);
    printf("%s\n", strrchr(address, ':') + 1);
    fflush(stdout);
    while (read(0, &byte, 1) > 0)
        ;
    charle_rpc_server_close(server, 0);
    return 0;
}

struct call {
    struct load *load;
    int64_t start_us;
};

struct load {
    struct charle_channel *channel;
    pthread_mutex_t lock;
    pthread_cond_t over;
    int64_t from_us, until_us; // calls that end in between are counted
    int in_flight;
    float *times;
    size_t count;
    struct call calls[1024];
};

static void start(struct call *call);

// All calls of one connection end on one thread at a time, so the counters need no lock.
static void on_done(void *ctx, struct charle_rpc *rpc, const struct charle_status *status)
{
    struct call *call = ctx;
    struct load *load = call->load;
    charle_rpc_release(rpc);
    if (status->code)
        bench_die("a call failed: %.*s", CHARLE_FMT(status->text));
    int64_t now_us = ch_clock_mono_us();
    if (now_us >= load->from_us && now_us < load->until_us && load->count < ECHO_LATENCIES_MAX)
        load->times[load->count++] = (float)(now_us - call->start_us);
    if (now_us < load->until_us) {
        start(call);
        return;
    }
    pthread_mutex_lock(&load->lock);
    if (--load->in_flight == 0)
        pthread_cond_signal(&load->over);
    pthread_mutex_unlock(&load->lock);
}

static void start(struct call *call)
{
    static const uint8_t request[ECHO_SIZE];
    const struct charle_rpc_events events = {.done = on_done, .ctx = call};
    struct charle_error err;
    struct charle_rpc *rpc;
    call->start_us = ch_clock_mono_us();
    if (charle_rpc_start(call->load->channel, CHARLE_STR("bench.Echo/Echo"), charle_bytes(request, ECHO_SIZE), NULL,
                         &events, &rpc, &err))
        bench_die("%s", err.text);
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static int call_for_a_while(const char *port, int in_flight)
{
    static struct load load = {.lock = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER};
    struct charle_error err;
    struct charle_buf reply = {0};
    char address[64];
    snprintf(address, sizeof(address), "tcp://127.0.0.1:%s", port);
    load.times = malloc(ECHO_LATENCIES_MAX * sizeof(float));
    if (!load.times || charle_channel_open(address, NULL, &load.channel, &err) ||
        charle_call_bytes(load.channel, CHARLE_STR("bench.Echo/Echo"), charle_bytes("x", 1), &reply, NULL, &err))
        bench_die("%s", err.text);
    load.from_us = ch_clock_mono_us() + ECHO_WARM_UP_MS * 1000;
    load.until_us = load.from_us + ECHO_RUN_MS * 1000;
    load.in_flight = in_flight;
    for (int i = 0; i < in_flight; i++) {
        load.calls[i].load = &load;
        start(&load.calls[i]);
    }
    pthread_mutex_lock(&load.lock);
    while (load.in_flight)
        pthread_cond_wait(&load.over, &load.lock);
    pthread_mutex_unlock(&load.lock);
    charle_channel_close(load.channel);
    qsort(load.times, load.count, sizeof(float), by_value);
    printf(ECHO_LINE_FORMAT, (double)load.count * 1000 / ECHO_RUN_MS, (double)load.times[load.count / 2],
           (double)load.times[load.count * 99 / 100]);
    free(load.times);
    charle_buf_deinit(&reply);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "serve") == 0)
        return serve();
    int in_flight = argc == 4 ? atoi(argv[3]) : 0;
    if (argc == 4 && strcmp(argv[1], "call") == 0 && in_flight > 0 && in_flight <= 1024)
        return call_for_a_while(argv[2], in_flight);
    bench_die("usage: bench_rpc_echo serve | call PORT IN_FLIGHT");
}
