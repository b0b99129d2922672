// Hard circumstances: a transport that passes a few bytes at a time, one that loses connections, peers from elsewhere,
// and memory that runs out at every allocation in turn. Calls still end exactly once, and what can work works.
#include "base/alloc.h"
#include "base/limits.h"
#include "rpc/stream.h"
#include "suite/rpc/rig.h"

#include <stdio.h>
#include <unistd.h>

// --- transports of our own, around the loopback ----------------------------------------------------------------------

static atomic_uint dribble;

static void dribble_read(void *stream, uint8_t *to, size_t room)
{
    size_t few = 1 + atomic_fetch_add(&dribble, 1) % 97;
    ch_transport_loopback.stream_read(stream, to, room < few ? room : few);
}

static void dribble_write(void *stream, const uint8_t *from, size_t size)
{
    size_t few = 1 + atomic_fetch_add(&dribble, 1) % 89;
    ch_transport_loopback.stream_write(stream, from, size < few ? size : few);
}

static void foreign_peer(void *stream, char out[CH_PEER_TEXT_SIZE])
{
    static atomic_int count;
    (void)stream;
    int n = atomic_fetch_add(&count, 1);
    snprintf(out, CH_PEER_TEXT_SIZE, "10.0.0.%d:%d", n % 2 ? 1 : 23, 1000 + n);
}

// Every so many reads the line is cut.
static atomic_int reads_until_cut;

static void cutting_read(void *stream, uint8_t *to, size_t room)
{
    if (atomic_fetch_sub(&reads_until_cut, 1) == 1) {
        atomic_store(&reads_until_cut, 40);
        ch_transport_loopback.stream_close(stream);
    }
    ch_transport_loopback.stream_read(stream, to, room);
}

static void use_transport(struct rig *rig, const struct ch_transport *transport)
{
    rig->server_options.transport = transport;
    rig->channel_options.transport = transport;
}

// --- bytes by the spoonful -------------------------------------------------------------------------------------------

static void calls_pass_a_few_bytes_at_a_time(void **state)
{
    struct ch_transport transport = ch_transport_loopback;
    struct rig rig;
    struct seen seen;
    (void)state;
    transport.stream_read = dribble_read;
    transport.stream_write = dribble_write;
    rig_init(&rig, RIG_LOOPBACK);
    use_transport(&rig, &transport);
    rig_start(&rig);
    uint8_t *large = malloc(300000);
    for (size_t i = 0; i < 300000; i++)
        large[i] = (uint8_t)(i % 241);
    seen_init(&seen);
    seen_start_bytes(&seen, rig.channel, "test/Echo", charle_bytes(large, 300000), NULL);
    seen_wait(&seen);
    assert_int_equal(seen.code, CHARLE_OK);
    assert_int_equal(seen.last.size, 300000);
    assert_memory_equal(seen.last.data, large, 300000);
    seen_deinit(&seen);
    seen_init(&seen);
    seen_start(&seen, rig.channel, "test/Stream", "500 700", NULL);
    seen_wait(&seen);
    assert_int_equal(seen.code, CHARLE_OK);
    assert_int_equal(seen.bytes, 350000);
    seen_deinit(&seen);
    free(large);
    rig_stop(&rig);
}

// --- a line that is cut again and again ------------------------------------------------------------------------------

static void calls_end_once_though_the_line_is_cut(void **state)
{
    enum { CALLS = 400 };
    struct ch_transport transport = ch_transport_loopback;
    struct rig rig;
    static struct seen seen[CALLS];
    int good = 0;
    (void)state;
    transport.stream_read = cutting_read;
    atomic_store(&reads_until_cut, 40);
    rig_init(&rig, RIG_LOOPBACK);
    use_transport(&rig, &transport);
    rig.channel_options.redial_max_ms = 5;
    rig_start(&rig);
    for (int i = 0; i < CALLS; i++) {
        static const char *const methods[] = {"test/Echo", "test/WorkEcho", "test/Stream", "test/Push"};
        seen_init(&seen[i]);
        seen_start(&seen[i], rig.channel, methods[i % 4], i % 4 < 2 ? "hello" : "30 2000", NULL);
        if (i % 20 == 19)
            seen_wait(&seen[i]);
    }
    for (int i = 0; i < CALLS; i++) {
        seen_wait(&seen[i]);
        assert_true(seen[i].code == CHARLE_OK || seen[i].code == CHARLE_UNAVAILABLE);
        good += seen[i].code == CHARLE_OK;
        seen_deinit(&seen[i]); // checks that it ended once
    }
    assert_true(good > 0 && good < CALLS);
    rig_stop(&rig);
}

// --- peers from elsewhere --------------------------------------------------------------------------------------------

static void connections_of_one_address_are_limited(void **state)
{
    struct ch_transport transport = ch_transport_loopback;
    struct charle_channel *channels[6];
    struct charle_error err;
    struct rig rig;
    int good = 0;
    (void)state;
    transport.stream_peer = foreign_peer;
    rig_init(&rig, RIG_LOOPBACK);
    use_transport(&rig, &transport);
    rig.server_options.connections_per_address_max = 2;
    rig.channel_options.redial_max_ms = 60000; // who was refused stays away
    rig_start(&rig);
    rig_wait_connected(&rig, true);
    for (int i = 0; i < 6; i++) {
        struct charle_call_options options = {.timeout_ms = 100};
        struct charle_buf reply = {0};
        assert_int_equal(charle_channel_open(rig.address, &rig.channel_options, &channels[i], &err), CHARLE_OK);
        enum charle_err rc =
            charle_call_bytes(channels[i], CHARLE_STR("test/Echo"), charle_bytes("x", 1), &reply, &options, &err);
        good += rc == CHARLE_OK;
        if (rc)
            assert_non_null(strstr(err.text, "too many connections from this address"));
        charle_buf_deinit(&reply);
    }
    assert_int_equal(good, 3); // two addresses with two connections each, one of which is the rig's
    for (int i = 0; i < 6; i++)
        charle_channel_close(channels[i]);
    rig_stop(&rig);
}

// --- memory ----------------------------------------------------------------------------------------------------------

// One server, one channel, a few calls, with the n-th allocation failing. Returns whether everything worked.
static bool run_short_of_memory(enum rig_kind kind, const char *address, long n)
{
    struct charle_rpc_server *server;
    struct charle_channel *channel = NULL;
    struct charle_error err = {0};
    struct charle_buf reply = {0};
    struct rig rig;
    bool is_good = true;
    rig_init(&rig, kind);
    snprintf(rig.address, sizeof(rig.address), "%s", address);
    ch_alloc_fail_at(n, 0);
    is_good &= charle_rpc_server_open(NULL, rig_dispatch, &rig, &server, &err) == CHARLE_OK;
    is_good &= is_good && charle_rpc_server_listen(server, rig.address, rig.address, &err) == CHARLE_OK;
    is_good &= is_good && charle_channel_open(rig.address, &rig.channel_options, &channel, &err) == CHARLE_OK;
    for (int i = 0; i < 6 && is_good; i++) {
        static const char *const methods[] = {"test/Echo", "test/Meta", "test/Push"};
        struct charle_call_options options = {.timeout_ms = 3000};
        enum charle_err rc =
            charle_call_bytes(channel, charle_str(methods[i % 3]), charle_bytes("10 50", 5), &reply, &options, &err);
        if (rc && rc != CHARLE_NO_MEMORY && rc != CHARLE_UNAVAILABLE)
            fail_msg("allocation %ld: %s", n, err.text);
        if (rc)
            assert_true(err.text[0]);
        charle_buf_reset(&reply);
    }
    is_good = ch_alloc_count() < n;
    ch_alloc_fail_at(0, 0);
    charle_channel_close(channel);
    charle_rpc_server_close(server, 0);
    charle_buf_deinit(&reply);
    rig_remove_folder(&rig);
    return is_good;
}

static void every_allocation_may_fail(void **state)
{
    static const struct {
        enum rig_kind kind;
        const char *address;
    } cases[] = {{RIG_LOOPBACK, "inproc://short"}, {RIG_TCP, "tcp://127.0.0.1:0"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        long n = 1;
        while (!run_short_of_memory(cases[i].kind, cases[i].address, n))
            assert_true(++n < 500);
        assert_true(n > 20); // it did fail now and then
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_pass_a_few_bytes_at_a_time),
        cmocka_unit_test(calls_end_once_though_the_line_is_cut),
        cmocka_unit_test(connections_of_one_address_are_limited),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("rpc under hard circumstances", tests, NULL, NULL);
}
