// What calls do, the same over every transport.
#include "base/clock.h"
#include "base/limits.h"
#include "suite/rpc/rig.h"

#include <stdio.h>

static int setup(void **state)
{
    struct rig *rig = malloc(sizeof(*rig));
    rig_init(rig, *(const enum rig_kind *)*state);
    rig_start(rig);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    rig_stop(rig);
    free(rig);
    return 0;
}

// --- unary -----------------------------------------------------------------------------------------------------------

static void unary_call_returns_its_reply(void **state)
{
    char reply[64];
    struct charle_error err;
    assert_int_equal(rig_call(*state, "test/Echo", "hello", reply, sizeof(reply), &err), CHARLE_OK);
    assert_string_equal(reply, "hello");
    assert_int_equal(rig_call(*state, "test/WorkEcho", "worked", reply, sizeof(reply), &err), CHARLE_OK);
    assert_string_equal(reply, "worked");
}

static void empty_request_and_reply_are_a_message(void **state)
{
    struct rig *rig = *state;
    struct seen seen;
    seen_init(&seen);
    seen_start(&seen, rig->channel, "test/Echo", "", NULL);
    seen_wait(&seen);
    assert_int_equal(seen.code, CHARLE_OK);
    assert_int_equal(seen.messages, 1);
    assert_int_equal(seen.bytes, 0);
    seen_deinit(&seen);
}

static void large_messages_arrive_whole(void **state)
{
    struct rig *rig = *state;
    static const size_t sizes[] = {1,     500,   511,   512,    513,     65000,
                                   65535, 65536, 65537, 200000, 1 << 20, CH_MESSAGE_SIZE_MAX};
    uint8_t *request = malloc(CH_MESSAGE_SIZE_MAX);
    for (size_t i = 0; i < CH_MESSAGE_SIZE_MAX; i++)
        request[i] = (uint8_t)(i * 2654435761u >> 13);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct charle_buf reply = {0};
        struct charle_error err = {0};
        enum charle_err rc = charle_call_bytes(rig->channel, CHARLE_STR("test/Echo"), charle_bytes(request, sizes[i]),
                                               &reply, NULL, &err);
        assert_string_equal(err.text, "");
        assert_int_equal(rc, CHARLE_OK);
        assert_int_equal(reply.size, sizes[i]);
        assert_memory_equal(reply.data, request, sizes[i]);
        charle_buf_deinit(&reply);
    }
    free(request);
}

static void unknown_method_is_unimplemented(void **state)
{
    char reply[8];
    struct charle_error err;
    assert_int_equal(rig_call(*state, "test/Nothing", "x", reply, sizeof(reply), &err), CHARLE_UNIMPLEMENTED);
    assert_string_equal(err.text, "test/Nothing: there is no such method");
}

static void bad_method_name_is_refused_before_it_is_sent(void **state)
{
    char reply[8];
    struct charle_error err;
    assert_int_equal(rig_call(*state, "", "x", reply, sizeof(reply), &err), CHARLE_INVALID_ARGUMENT);
    assert_int_equal(rig_call(*state, "test/Echo\n", "x", reply, sizeof(reply), &err), CHARLE_INVALID_ARGUMENT);
    assert_int_equal(atomic_load(&((struct rig *)*state)->dispatched), 0);
}

// --- status ----------------------------------------------------------------------------------------------------------

static void every_code_arrives_with_text_details_and_trailers(void **state)
{
    struct rig *rig = *state;
#define CODE(name, number, status, retryable, text) number,
    static const int codes[] = {CHARLE_ERRORS(CODE)};
#undef CODE
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        char request[8];
        snprintf(request, sizeof(request), "%d", codes[i]);
        struct seen seen;
        seen_init(&seen);
        seen_start(&seen, rig->channel, "test/Fail", request, NULL);
        seen_wait(&seen);
        assert_int_equal(seen.code, codes[i]);
        assert_string_equal(seen.text, "it failed");
        assert_string_equal(seen.details, "why");
        assert_string_equal(seen.trailer, "7");
        assert_int_equal(seen.messages, 0);
        seen_deinit(&seen);
    }
}

static void metadata_and_token_reach_the_method(void **state)
{
    struct rig *rig = *state;
    static const struct charle_metadata_entry entries[] = {{CHARLE_STR_INIT("x-trace"), CHARLE_STR_INIT("42")},
                                                           {CHARLE_STR_INIT("empty"), CHARLE_STR_INIT("")}};
    struct charle_call_options options = {.metadata = {entries, 2}};
    struct charle_buf reply = {0};
    struct charle_error err;
    assert_int_equal(
        charle_call_bytes(rig->channel, CHARLE_STR("test/Meta"), (struct charle_bytes){0}, &reply, &options, &err),
        CHARLE_OK);
    assert_string_equal(charle_buf_text(&reply), "x-trace=42;empty=;");
    charle_buf_reset(&reply);
    charle_channel_set_token(rig->channel, "secret");
    assert_int_equal(
        charle_call_bytes(rig->channel, CHARLE_STR("test/Meta"), (struct charle_bytes){0}, &reply, &options, &err),
        CHARLE_OK);
    assert_string_equal(charle_buf_text(&reply), "x-trace=42;empty=;authorization=Bearer secret;");
    charle_buf_reset(&reply);
    charle_channel_set_token(rig->channel, NULL);
    assert_int_equal(
        charle_call_bytes(rig->channel, CHARLE_STR("test/Meta"), (struct charle_bytes){0}, &reply, NULL, &err),
        CHARLE_OK);
    assert_int_equal(reply.size, 0);
    charle_buf_deinit(&reply);
}

static void metadata_beyond_the_limits_is_refused(void **state)
{
    struct rig *rig = *state;
    struct charle_metadata_entry entries[CH_RPC_METADATA_COUNT_MAX + 1];
    for (size_t i = 0; i < CH_RPC_METADATA_COUNT_MAX + 1; i++)
        entries[i] = (struct charle_metadata_entry){CHARLE_STR("k"), CHARLE_STR("v")};
    struct charle_call_options options = {.metadata = {entries, CH_RPC_METADATA_COUNT_MAX + 1}};
    struct charle_error err;
    struct charle_buf reply = {0};
    assert_int_equal(
        charle_call_bytes(rig->channel, CHARLE_STR("test/Meta"), (struct charle_bytes){0}, &reply, &options, &err),
        CHARLE_INVALID_ARGUMENT);
    options.metadata.count = 1;
    entries[0].key = CHARLE_STR("Upper");
    assert_int_equal(
        charle_call_bytes(rig->channel, CHARLE_STR("test/Meta"), (struct charle_bytes){0}, &reply, &options, &err),
        CHARLE_INVALID_ARGUMENT);
    char *large = calloc(1, CH_RPC_METADATA_SIZE_MAX);
    entries[0] = (struct charle_metadata_entry){CHARLE_STR("k"), charle_str_n(large, CH_RPC_METADATA_SIZE_MAX)};
    assert_int_equal(
        charle_call_bytes(rig->channel, CHARLE_STR("test/Meta"), (struct charle_bytes){0}, &reply, &options, &err),
        CHARLE_INVALID_ARGUMENT);
    free(large);
}

// --- limits ----------------------------------------------------------------------------------------------------------

static void oversized_request_is_refused_and_the_connection_stays(void **state)
{
    struct rig *rig = *state;
    char reply[8];
    struct charle_error err;
    struct charle_buf out = {0};
    uint8_t *request = calloc(1, CH_MESSAGE_SIZE_MAX + 1);
    assert_int_equal(rig_call(rig, "test/Echo", "a", reply, sizeof(reply), &err), CHARLE_OK);
    enum charle_err rc = charle_call_bytes(rig->channel, CHARLE_STR("test/Echo"),
                                           charle_bytes(request, CH_MESSAGE_SIZE_MAX + 1), &out, NULL, &err);
    assert_int_equal(rc, CHARLE_TOO_LARGE);
    assert_int_equal(charle_err_status(rc), CHARLE_RESOURCE_EXHAUSTED);
    assert_int_equal(rig_call(rig, "test/Echo", "b", reply, sizeof(reply), &err), CHARLE_OK);
    charle_buf_deinit(&out);
    free(request);
}

static void oversized_reply_is_refused_and_the_connection_stays(void **state)
{
    struct rig *rig = *state;
    char reply[8], size[32];
    struct charle_error err;
    snprintf(size, sizeof(size), "%zu", CH_MESSAGE_SIZE_MAX + 1);
    assert_int_equal(rig_call(rig, "test/Big", size, reply, sizeof(reply), &err), CHARLE_TOO_LARGE);
    assert_int_equal(rig_call(rig, "test/Echo", "b", reply, sizeof(reply), &err), CHARLE_OK);
}

// --- streams ---------------------------------------------------------------------------------------------------------

static void check_stream(struct rig *rig, const char *method, int count, size_t size)
{
    char request[64];
    struct seen seen;
    seen_init(&seen);
    snprintf(request, sizeof(request), "%d %zu", count, size);
    seen_start(&seen, rig->channel, method, request, NULL);
    seen_wait(&seen);
    assert_string_equal(seen.text, "");
    assert_int_equal(seen.code, CHARLE_OK);
    assert_int_equal(seen.messages, count);
    assert_int_equal(seen.bytes, (size_t)count * size);
    if (count && size > 20)
        assert_int_equal(strtol((const char *)seen.last.data, NULL, 10), count - 1);
    seen_deinit(&seen);
}

static void stream_arrives_in_order(void **state)
{
    check_stream(*state, "test/Stream", 0, 10);
    check_stream(*state, "test/Stream", 1, 10);
    check_stream(*state, "test/Stream", 3000, 100);
    check_stream(*state, "test/Push", 3000, 100);
    check_stream(*state, "test/Both", 3000, 100);
}

static void stream_larger_than_all_buffers_arrives(void **state)
{
    check_stream(*state, "test/Stream", 400, 50000);
    check_stream(*state, "test/Push", 400, 50000);
    check_stream(*state, "test/Both", 400, 50000);
    check_stream(*state, "test/Stream", 8, 1 << 20); // each message alone is above the credit
}

static bool has_stopped_growing(void *ctx)
{
    struct seen *seen = ctx;
    int before = seen_messages(seen);
    for (int i = 0; i < 20; i++) {
        struct timespec pause = {.tv_nsec = 10000000};
        nanosleep(&pause, NULL);
    }
    return before > 0 && seen_messages(seen) == before;
}

static void slow_reader_holds_the_sender_back(void **state)
{
    struct rig *rig = *state;
    struct seen seen;
    char reply[8];
    struct charle_error err;
    seen_init(&seen);
    seen.is_lazy = true;
    seen_start(&seen, rig->channel, "test/Stream", "1000 10000", NULL);
    rig_wait(has_stopped_growing, &seen, "the sender to stop");
    pthread_mutex_lock(&seen.lock);
    size_t bytes = seen.bytes;
    pthread_mutex_unlock(&seen.lock);
    assert_in_range(bytes, CH_RPC_STREAM_WINDOW, CH_RPC_STREAM_WINDOW + 10000); // the window, and one message over it
    assert_int_equal(rig_call(rig, "test/Echo", "b", reply, sizeof(reply), &err), CHARLE_OK); // others are not held up
    pthread_mutex_lock(&seen.lock);
    seen.is_lazy = false;
    pthread_mutex_unlock(&seen.lock);
    charle_rpc_consumed(seen.rpc, bytes);
    seen_wait(&seen);
    assert_int_equal(seen.messages, 1000);
    seen_deinit(&seen);
}

// Whoever sends has a thread, and more, that others want too.
static void reader_that_takes_nothing_is_given_up(void **state)
{
    struct rig *rig = *state;
    struct seen seen;
    seen_init(&seen);
    seen.is_lazy = true;
    seen_start(&seen, rig->channel, "test/Hurry", "1000 10000", NULL);
    seen_wait(&seen);
    assert_int_equal(seen.code, CHARLE_DEADLINE_EXCEEDED);
    assert_in_range(seen.messages, 1, 999);
    seen_deinit(&seen);
}

static void many_streams_at_once(void **state)
{
    struct rig *rig = *state;
    struct seen seen[40];
    for (int i = 0; i < 40; i++) {
        seen_init(&seen[i]);
        seen_start(&seen[i], rig->channel, i % 2 ? "test/Stream" : "test/Push", "300 3000", NULL);
    }
    for (int i = 0; i < 40; i++) {
        seen_wait(&seen[i]);
        assert_int_equal(seen[i].code, CHARLE_OK);
        assert_int_equal(seen[i].messages, 300);
        seen_deinit(&seen[i]);
    }
}

// --- ends ------------------------------------------------------------------------------------------------------------

static void deadline_ends_the_call_on_both_sides(void **state)
{
    struct rig *rig = *state;
    struct charle_call_options options = {.timeout_ms = 150};
    struct seen seen;
    rig_wait_connected(rig, true);
    seen_init(&seen);
    seen_start(&seen, rig->channel, "test/Hold", "", &options);
    seen_wait(&seen);
    assert_int_equal(seen.code, CHARLE_DEADLINE_EXCEEDED);
    rig_wait_int(&rig->overs, 1, "the server to hear that the call is over");
    seen_deinit(&seen);
}

static void server_enforces_the_deadline_by_itself(void **state)
{
    struct rig *rig = *state;
    struct charle_call_options options = {.timeout_ms = 60};
    struct seen seen[16];
    rig_wait_connected(rig, true);
    for (int i = 0; i < 16; i++) {
        seen_init(&seen[i]);
        seen_start(&seen[i], rig->channel, "test/Hold", "", &options);
    }
    for (int i = 0; i < 16; i++) {
        seen_wait(&seen[i]);
        assert_int_equal(seen[i].code, CHARLE_DEADLINE_EXCEEDED);
        seen_deinit(&seen[i]);
    }
    rig_wait_int(&rig->overs, 16, "the server's calls to end");
}

static void cancel_reaches_the_server(void **state)
{
    struct rig *rig = *state;
    struct seen seen;
    seen_init(&seen);
    seen_start(&seen, rig->channel, "test/Hold", "", NULL);
    rig_wait_int(&rig->held, 1, "the call to arrive");
    charle_rpc_cancel(seen.rpc);
    charle_rpc_cancel(seen.rpc);
    seen_wait(&seen);
    assert_int_equal(seen.code, CHARLE_CANCELLED);
    rig_wait_int(&rig->overs, 1, "the server to hear of it");
    charle_rpc_cancel(seen.rpc);
    seen_deinit(&seen);
}

static void cancel_stops_a_stream(void **state)
{
    struct rig *rig = *state;
    struct seen seen;
    char reply[8];
    struct charle_error err;
    seen_init(&seen);
    seen.is_lazy = true;
    seen_start(&seen, rig->channel, "test/Stream", "100000 10000", NULL);
    rig_wait(has_stopped_growing, &seen, "the sender to stop");
    charle_rpc_cancel(seen.rpc);
    seen_wait(&seen);
    assert_int_equal(seen.code, CHARLE_CANCELLED);
    seen_deinit(&seen);
    assert_int_equal(rig_call(rig, "test/WorkEcho", "b", reply, sizeof(reply), &err),
                     CHARLE_OK); // the workers are free again
}

static void closing_the_channel_ends_its_calls(void **state)
{
    struct rig *rig = *state;
    struct seen sent, waiting;
    struct charle_channel *second, *nowhere;
    struct charle_error err;
    assert_int_equal(charle_channel_open(rig->address, &rig->channel_options, &second, &err), CHARLE_OK);
    assert_int_equal(charle_channel_open("inproc://nowhere", NULL, &nowhere, &err), CHARLE_OK);
    seen_init(&sent);
    seen_init(&waiting);
    seen_start(&sent, second, "test/Hold", "", NULL);
    seen_start(&waiting, nowhere, "test/Hold", "", NULL);
    rig_wait_int(&rig->held, 1, "the call to arrive");
    charle_channel_close(second);
    charle_channel_close(nowhere);
    assert_int_equal(sent.dones, 1);
    assert_int_equal(sent.code, CHARLE_CANCELLED);
    assert_int_equal(waiting.dones, 1);
    assert_int_equal(waiting.code, CHARLE_CANCELLED);
    charle_rpc_cancel(sent.rpc); // a handle outlives its channel
    charle_rpc_consumed(sent.rpc, 10);
    seen_deinit(&sent);
    seen_deinit(&waiting);
    rig_wait_int(&rig->overs, 1, "the server to hear of it");
}

static void fail_fast_does_not_wait_for_a_connection(void **state)
{
    (void)state;
    struct charle_channel *nowhere;
    struct charle_error err;
    struct charle_rpc *rpc;
    struct charle_call_options options = {.fail_fast = true};
    assert_int_equal(charle_channel_open("inproc://nobody", NULL, &nowhere, &err), CHARLE_OK);
    assert_int_equal(
        charle_rpc_start(nowhere, CHARLE_STR("test/Echo"), (struct charle_bytes){0}, &options, NULL, &rpc, &err),
        CHARLE_UNAVAILABLE);
    assert_null(rpc);
    options = (struct charle_call_options){.timeout_ms = 100};
    struct charle_buf reply = {0};
    assert_int_equal(
        charle_call_bytes(nowhere, CHARLE_STR("test/Echo"), (struct charle_bytes){0}, &reply, &options, &err),
        CHARLE_DEADLINE_EXCEEDED);
    assert_non_null(strstr(err.text, "nobody listens at inproc://nobody"));
    charle_channel_close(nowhere);
}

static void waiting_call_can_be_cancelled(void **state)
{
    (void)state;
    struct charle_channel *nowhere;
    struct charle_error err;
    struct seen seen;
    assert_int_equal(charle_channel_open("inproc://nobody", NULL, &nowhere, &err), CHARLE_OK);
    seen_init(&seen);
    seen_start(&seen, nowhere, "test/Echo", "x", NULL);
    charle_rpc_cancel(seen.rpc);
    seen_wait(&seen);
    assert_int_equal(seen.code, CHARLE_CANCELLED);
    charle_channel_close(nowhere);
    seen_deinit(&seen);
}

// --- load ------------------------------------------------------------------------------------------------------------

enum { CALLS = 10000, IN_FLIGHT = 64, THREADS = 4 };

struct load {
    struct rig *rig;
    int index;
    atomic_int started, ended, wrong;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    int in_flight;
};

struct load_call {
    struct load *load;
    uint64_t number;
    bool has_reply;
};

static void load_message(void *ctx, struct charle_rpc *rpc, struct charle_bytes message)
{
    struct load_call *call = ctx;
    (void)rpc;
    call->has_reply = message.len == 93 && memcmp(message.ptr, &call->number, sizeof(call->number)) == 0;
}

static void load_done(void *ctx, struct charle_rpc *rpc, const struct charle_status *status)
{
    struct load_call *call = ctx;
    struct load *load = call->load;
    if (status->code || !call->has_reply)
        atomic_fetch_add(&load->wrong, 1);
    free(call);
    charle_rpc_release(rpc);
    pthread_mutex_lock(&load->lock);
    load->in_flight--;
    pthread_cond_signal(&load->idle);
    pthread_mutex_unlock(&load->lock);
}

static void *load_main(void *ctx)
{
    struct load *load = ctx;
    for (int i = 0; i < CALLS / THREADS; i++) {
        pthread_mutex_lock(&load->lock);
        while (load->in_flight >= IN_FLIGHT)
            pthread_cond_wait(&load->idle, &load->lock);
        load->in_flight++;
        pthread_mutex_unlock(&load->lock);
        struct load_call *call = malloc(sizeof(*call));
        *call = (struct load_call){load, (uint64_t)load->index << 32 | (uint64_t)i, false};
        uint8_t request[93] = {0};
        memcpy(request, &call->number, sizeof(call->number));
        struct charle_rpc_events events = {load_message, load_done, call};
        struct charle_rpc *rpc;
        struct charle_error err;
        const char *method = i % 3 ? "test/Echo" : "test/WorkEcho";
        if (charle_rpc_start(load->rig->channel, charle_str(method), charle_bytes(request, 93), NULL, &events, &rpc,
                             &err))
            atomic_fetch_add(&load->wrong, 1000000);
    }
    pthread_mutex_lock(&load->lock);
    while (load->in_flight)
        pthread_cond_wait(&load->idle, &load->lock);
    pthread_mutex_unlock(&load->lock);
    return NULL;
}

static void ten_thousand_calls_from_several_threads(void **state)
{
    struct load loads[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        loads[i] = (struct load){.rig = *state, .index = i};
        pthread_mutex_init(&loads[i].lock, NULL);
        pthread_cond_init(&loads[i].idle, NULL);
        pthread_create(&threads[i], NULL, load_main, &loads[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(atomic_load(&loads[i].wrong), 0);
    }
}

// --- interceptors ----------------------------------------------------------------------------------------------------

struct witness {
    atomic_int before, after;
    enum charle_err code;
    bool is_refusing;
};

static enum charle_err client_before(void *ctx, struct charle_client_call *call, struct charle_error *err)
{
    struct witness *witness = ctx;
    atomic_fetch_add(&witness->before, 1);
    if (witness->is_refusing)
        return charle_fail(err, CHARLE_PERMISSION_DENIED, "not from here");
    call->metadata[call->metadata_count++] =
        (struct charle_metadata_entry){CHARLE_STR("traceparent"), CHARLE_STR("00-1")};
    return CHARLE_OK;
}

static void client_after(void *ctx, const struct charle_call_outcome *outcome)
{
    struct witness *witness = ctx;
    witness->code = outcome->code;
    CHARLE_ASSERT(outcome->ended_us >= outcome->started_us);
    atomic_fetch_add(&witness->after, 1);
}

static void client_interceptors_see_every_call(void **state)
{
    struct rig *rig = *state;
    struct witness witness = {0};
    struct charle_client_interceptor interceptor = {client_before, client_after, &witness};
    assert_int_equal(charle_channel_intercept(rig->channel, &interceptor), CHARLE_OK);
    char reply[64];
    struct charle_error err;
    assert_int_equal(rig_call(rig, "test/Meta", "", reply, sizeof(reply), &err), CHARLE_OK);
    assert_string_equal(reply, "traceparent=00-1;");
    assert_int_equal(atomic_load(&witness.after), 1);
    assert_int_equal(rig_call(rig, "test/Fail", "5", reply, sizeof(reply), &err), CHARLE_NOT_FOUND);
    assert_int_equal(witness.code, CHARLE_NOT_FOUND);
    witness.is_refusing = true;
    assert_int_equal(rig_call(rig, "test/Meta", "", reply, sizeof(reply), &err), CHARLE_PERMISSION_DENIED);
    assert_string_equal(err.text, "not from here");
    assert_int_equal(atomic_load(&witness.before), 3);
    assert_int_equal(atomic_load(&witness.after), 2);
}

static enum charle_err server_before(void *ctx, struct charle_server_call *call, struct charle_error *err)
{
    struct witness *witness = ctx;
    atomic_fetch_add(&witness->before, 1);
    CHARLE_ASSERT(charle_server_call_peer(call).len > 0);
    if (charle_server_call_metadata(call).count == 0)
        return charle_fail(err, CHARLE_UNAUTHENTICATED, "who are you?");
    return CHARLE_OK;
}

static void server_after(void *ctx, struct charle_server_call *call, const struct charle_call_outcome *outcome)
{
    struct witness *witness = ctx;
    CHARLE_ASSERT(charle_str_equal(charle_server_call_method(call), outcome->method));
    witness->code = outcome->code;
    atomic_fetch_add(&witness->after, 1);
}

static void server_interceptors_refuse_and_observe(void **state)
{
    struct rig rig;
    struct witness witness = {0};
    struct charle_error err;
    char reply[64];
    rig_init(&rig, ((struct rig *)*state)->kind);
    rig_start(&rig);
    struct charle_server_interceptor interceptor = {server_before, server_after, &witness};
    assert_int_equal(charle_rpc_server_intercept(rig.server, &interceptor), CHARLE_OK);
    assert_int_equal(rig_call(&rig, "test/Echo", "x", reply, sizeof(reply), &err), CHARLE_UNAUTHENTICATED);
    assert_string_equal(err.text, "test/Echo: who are you?");
    assert_int_equal(atomic_load(&rig.dispatched), 0);
    charle_channel_set_token(rig.channel, "t");
    assert_int_equal(rig_call(&rig, "test/Echo", "x", reply, sizeof(reply), &err), CHARLE_OK);
    rig_wait_int(&witness.after, 2, "both calls to be observed");
    assert_int_equal(witness.code, CHARLE_OK);
    rig_stop(&rig);
}

// --- the list --------------------------------------------------------------------------------------------------------

#define CASE(name)  \
    {               \
#        name, name \
    }
static const struct {
    const char *name;
    CMUnitTestFunction run;
} cases[] = {
    CASE(unary_call_returns_its_reply),
    CASE(empty_request_and_reply_are_a_message),
    CASE(large_messages_arrive_whole),
    CASE(unknown_method_is_unimplemented),
    CASE(bad_method_name_is_refused_before_it_is_sent),
    CASE(every_code_arrives_with_text_details_and_trailers),
    CASE(metadata_and_token_reach_the_method),
    CASE(metadata_beyond_the_limits_is_refused),
    CASE(oversized_request_is_refused_and_the_connection_stays),
    CASE(oversized_reply_is_refused_and_the_connection_stays),
    CASE(stream_arrives_in_order),
    CASE(stream_larger_than_all_buffers_arrives),
    CASE(slow_reader_holds_the_sender_back),
    CASE(reader_that_takes_nothing_is_given_up),
    CASE(many_streams_at_once),
    CASE(deadline_ends_the_call_on_both_sides),
    CASE(server_enforces_the_deadline_by_itself),
    CASE(cancel_reaches_the_server),
    CASE(cancel_stops_a_stream),
    CASE(closing_the_channel_ends_its_calls),
    CASE(fail_fast_does_not_wait_for_a_connection),
    CASE(waiting_call_can_be_cancelled),
    CASE(ten_thousand_calls_from_several_threads),
    CASE(client_interceptors_see_every_call),
    CASE(server_interceptors_refuse_and_observe),
};
enum { CASE_COUNT = sizeof(cases) / sizeof(cases[0]) };

int main(int argc, char **argv)
{
    static char names[RIG_KIND_COUNT * CASE_COUNT][128];
    static struct CMUnitTest tests[RIG_KIND_COUNT * CASE_COUNT];
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        enum rig_kind kind = (enum rig_kind)(i / CASE_COUNT);
        snprintf(names[i], sizeof(names[i]), "%s: %s", rig_kind_name(kind), cases[i % CASE_COUNT].name);
        tests[i] = (struct CMUnitTest){names[i], cases[i % CASE_COUNT].run, setup, teardown, (void *)&rig_kinds[kind]};
    }
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests_name("rpc calls", tests, NULL, NULL);
}
