// What connections do: come, go, come back, drain, and tell who watches. The same over every transport.
#include "base/clock.h"
#include "base/limits.h"
#include "suite/rpc/rig.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct rig *rig_new(void **state)
{
    struct rig *rig = malloc(sizeof(*rig));
    rig_init(rig, *(const enum rig_kind *)*state);
    return rig;
}

static void rig_free(struct rig *rig)
{
    rig_stop(rig);
    free(rig);
}

// --- losing and coming back ------------------------------------------------------------------------------------------

static void calls_in_flight_end_when_the_server_goes(void **state)
{
    struct rig *rig = rig_new(state);
    struct seen seen[8];
    rig_start(rig);
    for (int i = 0; i < 8; i++) {
        seen_init(&seen[i]);
        seen_start(&seen[i], rig->channel, "test/Hold", "", NULL);
    }
    rig_wait_int(&rig->held, 8, "the calls to arrive");
    rig_stop_server(rig, 0);
    for (int i = 0; i < 8; i++) {
        seen_wait(&seen[i]);
        assert_int_equal(seen[i].code, CHARLE_UNAVAILABLE);
        seen_deinit(&seen[i]);
    }
    assert_int_equal(atomic_load(&rig->overs), 8);
    rig_start_server(rig);
    rig_free(rig);
}

static void channel_comes_back_with_the_server(void **state)
{
    struct rig *rig = rig_new(state);
    char reply[16];
    struct charle_error err;
    rig_start(rig);
    for (int round = 0; round < 5; round++) {
        if (rig_call(rig, "test/Echo", "again", reply, sizeof(reply), &err))
            fail_msg("%s", err.text);
        assert_string_equal(reply, "again");
        rig_stop_server(rig, 0);
        rig_wait_connected(rig, false);
        rig_start_server(rig);
    }
    rig_free(rig);
}

static void call_made_while_disconnected_waits_for_the_server(void **state)
{
    struct rig *rig = rig_new(state);
    struct seen seen[20];
    rig_start(rig);
    rig_wait_connected(rig, true);
    rig_stop_server(rig, 0);
    rig_wait_connected(rig, false);
    for (int i = 0; i < 20; i++) {
        char request[16];
        snprintf(request, sizeof(request), "call %d", i);
        seen_init(&seen[i]);
        seen_start(&seen[i], rig->channel, "test/Echo", request, NULL);
    }
    rig_start_server(rig);
    for (int i = 0; i < 20; i++) {
        char request[16];
        snprintf(request, sizeof(request), "call %d", i);
        seen_wait(&seen[i]);
        assert_int_equal(seen[i].code, CHARLE_OK);
        assert_memory_equal(seen[i].last.data, request, strlen(request));
        seen_deinit(&seen[i]);
    }
    rig_free(rig);
}

static void redial_now_makes_a_new_connection(void **state)
{
    struct rig *rig = rig_new(state);
    char reply[16];
    struct charle_error err;
    struct charle_rpc_server_stats before, after;
    rig_start(rig);
    rig_wait_connected(rig, true);
    charle_rpc_server_get_stats(rig->server, &before);
    charle_channel_redial(rig->channel);
    assert_int_equal(rig_call(rig, "test/Echo", "x", reply, sizeof(reply), &err) == CHARLE_OK ||
                         rig_call(rig, "test/Echo", "x", reply, sizeof(reply), &err) == CHARLE_OK,
                     true); // the first may have been lost with the old connection
    charle_rpc_server_get_stats(rig->server, &after);
    assert_true(after.connections_total > before.connections_total);
    rig_free(rig);
}

struct watcher {
    pthread_mutex_t lock;
    int ups, downs;
    bool is_up, is_wrong;
};

static void on_watch(void *ctx, bool is_connected)
{
    struct watcher *watcher = ctx;
    pthread_mutex_lock(&watcher->lock);
    watcher->is_wrong |= watcher->is_up == is_connected; // told the same twice
    watcher->is_up = is_connected;
    watcher->ups += is_connected;
    watcher->downs += !is_connected;
    pthread_mutex_unlock(&watcher->lock);
}

static bool has_flapped(void *ctx)
{
    struct watcher *watcher = ctx;
    pthread_mutex_lock(&watcher->lock);
    bool has = watcher->ups == 2 && watcher->downs == 1;
    pthread_mutex_unlock(&watcher->lock);
    return has;
}

static bool is_up(void *ctx)
{
    struct watcher *watcher = ctx;
    pthread_mutex_lock(&watcher->lock);
    bool up = watcher->is_up;
    pthread_mutex_unlock(&watcher->lock);
    return up;
}

static void watcher_hears_of_every_change_once(void **state)
{
    struct rig *rig = rig_new(state);
    struct watcher watcher = {.lock = PTHREAD_MUTEX_INITIALIZER};
    rig_start(rig);
    charle_channel_watch(rig->channel, on_watch, &watcher);
    rig_wait(is_up, &watcher, "the watcher to hear of the connection");
    rig_stop_server(rig, 0);
    rig_start_server(rig);
    rig_wait(has_flapped, &watcher, "the watcher to hear that it went and came back");
    assert_false(watcher.is_wrong);
    rig_free(rig);
}

// --- draining --------------------------------------------------------------------------------------------------------

struct closer {
    struct rig *rig;
    uint32_t drain_ms;
};

static void *close_main(void *ctx)
{
    struct closer *closer = ctx;
    charle_rpc_server_close(closer->rig->server, closer->drain_ms);
    return NULL;
}

static void drain_lets_calls_finish_and_takes_no_new_ones(void **state)
{
    struct rig *rig = rig_new(state);
    struct seen held, late;
    struct charle_call_options options = {.timeout_ms = 200};
    pthread_t thread;
    rig_start(rig);
    seen_init(&held);
    seen_init(&late);
    seen_start(&held, rig->channel, "test/Hold", "", NULL);
    rig_wait_int(&rig->held, 1, "the call to arrive");
    struct closer closer = {rig, 20000};
    pthread_create(&thread, NULL, close_main, &closer);
    rig_wait_connected(rig, false); // GOAWAY: the channel lets the connection go
    assert_int_equal(held.dones, 0);
    seen_start(&late, rig->channel, "test/Echo", "x", &options);
    seen_wait(&late);
    assert_int_equal(late.code, CHARLE_DEADLINE_EXCEEDED);
    rig_release_held(rig);
    seen_wait(&held);
    assert_int_equal(held.code, CHARLE_OK);
    assert_memory_equal(held.last.data, "released", 8);
    pthread_join(thread, NULL);
    seen_deinit(&held);
    seen_deinit(&late);
    rig_start_server(rig);
    rig_free(rig);
}

static void drain_ends_in_time_though_a_call_does_not(void **state)
{
    struct rig *rig = rig_new(state);
    struct seen seen;
    rig_start(rig);
    seen_init(&seen);
    seen_start(&seen, rig->channel, "test/Hold", "", NULL);
    rig_wait_int(&rig->held, 1, "the call to arrive");
    rig_stop_server(rig, 50);
    assert_int_equal(atomic_load(&rig->overs), 1);
    seen_wait(&seen);
    assert_int_equal(seen.code, CHARLE_UNAVAILABLE);
    assert_non_null(strstr(seen.text, "server was closed"));
    seen_deinit(&seen);
    rig_start_server(rig);
    rig_free(rig);
}

// A worker may hold a call longer than the server lives.
static struct charle_server_call *kept_call;

static void keep(void *ctx, struct charle_server_call *call)
{
    kept_call = call;
    atomic_fetch_add((atomic_int *)ctx, 1);
}

static void call_may_be_finished_after_the_server_was_closed(void **state)
{
    struct rig *rig = rig_new(state);
    struct charle_rpc_server *server;
    struct charle_channel *channel;
    struct charle_error err;
    atomic_int arrived = 0;
    char address[128];
    assert_int_equal(charle_rpc_server_open(&rig->server_options, keep, &arrived, &server, &err), CHARLE_OK);
    assert_int_equal(charle_rpc_server_listen(server, rig->address, address, &err), CHARLE_OK);
    assert_int_equal(charle_channel_open(address, &rig->channel_options, &channel, &err), CHARLE_OK);
    struct seen seen;
    seen_init(&seen);
    seen_start(&seen, channel, "any/Method", "request", NULL);
    rig_wait_int(&arrived, 1, "the call to arrive");
    charle_rpc_server_close(server, 0);
    seen_wait(&seen);
    assert_int_equal(seen.code, CHARLE_UNAVAILABLE);
    assert_true(charle_server_call_is_over(kept_call));
    assert_int_equal(charle_server_call_send(kept_call, charle_bytes("x", 1)), CHARLE_CANCELLED);
    assert_memory_equal(charle_server_call_request(kept_call).ptr, "request", 7);
    charle_server_call_finish(kept_call, CHARLE_OK, charle_str(""), charle_bytes("late", 4));
    charle_channel_close(channel);
    seen_deinit(&seen);
    rig_start(rig);
    rig_free(rig);
}

// --- limits ----------------------------------------------------------------------------------------------------------

static void calls_above_the_limit_wait_their_turn(void **state)
{
    struct rig *rig = rig_new(state);
    struct seen held[4], waiting;
    rig->server_options.calls_per_connection_max = 4;
    rig_start(rig);
    for (int i = 0; i < 4; i++) {
        seen_init(&held[i]);
        seen_start(&held[i], rig->channel, "test/Hold", "", NULL);
    }
    rig_wait_int(&rig->held, 4, "the calls to arrive");
    seen_init(&waiting);
    seen_start(&waiting, rig->channel, "test/Echo", "x", NULL);
    usleep(50000);
    assert_int_equal(atomic_load(&rig->dispatched), 4);
    rig_release_held(rig);
    seen_wait(&waiting);
    assert_int_equal(waiting.code, CHARLE_OK);
    seen_deinit(&waiting);
    for (int i = 0; i < 4; i++) {
        seen_wait(&held[i]);
        assert_int_equal(held[i].code, CHARLE_OK);
        seen_deinit(&held[i]);
    }
    rig_free(rig);
}

static void connections_above_the_limit_are_told_so(void **state)
{
    struct rig *rig = rig_new(state);
    struct charle_channel *second;
    struct charle_error err = {0};
    struct charle_buf reply = {0};
    char text[16];
    rig->server_options.connections_max = 1;
    rig_start(rig);
    assert_int_equal(rig_call(rig, "test/Echo", "x", text, sizeof(text), &err), CHARLE_OK);
    assert_int_equal(charle_channel_open(rig->address, &rig->channel_options, &second, &err), CHARLE_OK);
    struct charle_call_options options = {.timeout_ms = 1500};
    assert_int_equal(
        charle_call_bytes(second, CHARLE_STR("test/Echo"), (struct charle_bytes){0}, &reply, &options, &err),
        CHARLE_DEADLINE_EXCEEDED);
    if (!strstr(err.text, "as many connections as it may"))
        fail_msg("%s", err.text);
    assert_int_equal(charle_rpc_server_connections(rig->server), 1);
    charle_channel_close(second);
    assert_int_equal(rig_call(rig, "test/Echo", "x", text, sizeof(text), &err), CHARLE_OK);
    rig_free(rig);
}

static void many_channels_come_and_go(void **state)
{
    struct rig *rig = rig_new(state);
    enum { CHANNELS = 60 };
    struct charle_channel *channels[CHANNELS];
    struct charle_error err;
    rig_start(rig);
    for (int i = 0; i < CHANNELS; i++)
        assert_int_equal(charle_channel_open(rig->address, &rig->channel_options, &channels[i], &err), CHARLE_OK);
    for (int i = 0; i < CHANNELS; i++) {
        struct charle_buf reply = {0};
        if (i % 3)
            assert_int_equal(
                charle_call_bytes(channels[i], CHARLE_STR("test/Echo"), charle_bytes("x", 1), &reply, NULL, &err),
                CHARLE_OK);
        charle_buf_deinit(&reply);
        charle_channel_close(channels[i]); // every third perhaps while it is still connecting
    }
    char reply[16];
    assert_int_equal(rig_call(rig, "test/Echo", "x", reply, sizeof(reply), &err), CHARLE_OK);
    rig_free(rig);
}

static void heartbeats_keep_an_idle_connection(void **state)
{
    struct rig *rig = rig_new(state);
    struct watcher watcher = {.lock = PTHREAD_MUTEX_INITIALIZER};
    char reply[16];
    struct charle_error err;
    rig->server_options.heartbeat_ms = 60;
    rig->channel_options.heartbeat_ms = 40;
    rig_start(rig);
    charle_channel_watch(rig->channel, on_watch, &watcher);
    rig_wait(is_up, &watcher, "the connection");
    usleep(1500000); // many times as long as either side waits for a sign of life
    assert_int_equal(rig_call(rig, "test/Echo", "x", reply, sizeof(reply), &err), CHARLE_OK);
    pthread_mutex_lock(&watcher.lock);
    assert_int_equal(watcher.downs, 0);
    pthread_mutex_unlock(&watcher.lock);
    rig_free(rig);
}

// --- several addresses -----------------------------------------------------------------------------------------------

static void one_server_listens_at_several_addresses(void **state)
{
    struct rig *rig = rig_new(state);
    struct charle_error err;
    struct charle_channel *second;
    struct charle_buf reply = {0};
    rig_start(rig);
    char address[128];
    assert_int_equal(charle_rpc_server_listen(rig->server, "inproc://second-door", address, &err), CHARLE_OK);
    assert_int_equal(charle_rpc_server_listen(rig->server, "inproc://second-door", address, &err),
                     CHARLE_ALREADY_EXISTS);
    assert_int_equal(charle_channel_open(address, NULL, &second, &err), CHARLE_OK);
    assert_int_equal(charle_call_bytes(second, CHARLE_STR("test/Echo"), charle_bytes("x", 1), &reply, NULL, &err),
                     CHARLE_OK);
    charle_buf_deinit(&reply);
    charle_channel_close(second);
    rig_free(rig);
}

#define CASE(name)  \
    {               \
#        name, name \
    }
static const struct {
    const char *name;
    CMUnitTestFunction run;
} cases[] = {
    CASE(calls_in_flight_end_when_the_server_goes),
    CASE(channel_comes_back_with_the_server),
    CASE(call_made_while_disconnected_waits_for_the_server),
    CASE(redial_now_makes_a_new_connection),
    CASE(watcher_hears_of_every_change_once),
    CASE(drain_lets_calls_finish_and_takes_no_new_ones),
    CASE(drain_ends_in_time_though_a_call_does_not),
    CASE(call_may_be_finished_after_the_server_was_closed),
    CASE(calls_above_the_limit_wait_their_turn),
    CASE(connections_above_the_limit_are_told_so),
    CASE(many_channels_come_and_go),
    CASE(heartbeats_keep_an_idle_connection),
    CASE(one_server_listens_at_several_addresses),
};
enum { CASE_COUNT = sizeof(cases) / sizeof(cases[0]) };

static int nothing(void **state)
{
    (void)state;
    return 0;
}

int main(int argc, char **argv)
{
    static char names[RIG_KIND_COUNT * CASE_COUNT][128];
    static struct CMUnitTest tests[RIG_KIND_COUNT * CASE_COUNT];
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        enum rig_kind kind = (enum rig_kind)(i / CASE_COUNT);
        snprintf(names[i], sizeof(names[i]), "%s: %s", rig_kind_name(kind), cases[i % CASE_COUNT].name);
        tests[i] = (struct CMUnitTest){names[i], cases[i % CASE_COUNT].run, nothing, nothing, (void *)&rig_kinds[kind]};
    }
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests_name("rpc connections", tests, NULL, NULL);
}
