// Two connections that exchange bytes in memory, on a clock that only moves when told: every rule of the protocol
// without any I/O.
#include "base/alloc.h"
#include "base/limits.h"
#include "rpc/conn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CALLS = 32 };
static const int64_t ms_us = 1000;

// What happened at one end. A server accepts calls and keeps them; the tests answer.
struct side {
    struct ch_conn conn;
    struct ch_conn_stream streams[CALLS]; // a client's or accepted ones
    size_t call_count;
    int opened, ended, cancelled, late, writable, goaways, failed;
    struct charle_buf message; // the last
    size_t messages;
    bool is_end;
    enum charle_err code;
    char text[256];
    char method[64];
    uint32_t timeout_ms;
};

struct pair {
    struct side client, server;
    int64_t now_us;
    size_t chunk; // at most so many bytes a read; 0: all
};

static void note_text(struct side *side, struct charle_str text)
{
    snprintf(side->text, sizeof(side->text), "%.*s", CHARLE_FMT(text));
}

static void note_call(struct pair *pair, struct side *side, const struct ch_conn_event *event)
{
    snprintf(side->method, sizeof(side->method), "%.*s", CHARLE_FMT(event->head.method));
    side->timeout_ms = event->head.timeout_ms;
    charle_buf_reset(&side->message);
    charle_buf_add(&side->message, event->message.ptr, event->message.len);
    side->messages++;
    int64_t deadline_us =
        event->head.timeout_ms == UINT32_MAX ? 0 : pair->now_us + (int64_t)event->head.timeout_ms * ms_us;
    if (side->call_count >= CALLS ||
        ch_conn_accept(&side->conn, event->stream_id, &side->streams[side->call_count++], deadline_us))
        ch_conn_refuse(&side->conn, event->stream_id, CHARLE_NO_MEMORY, "no memory");
}

static void note(struct pair *pair, struct side *side, const struct ch_conn_event *event)
{
    switch (event->kind) {
    case CH_CONN_OPENED:
        side->opened++;
        break;
    case CH_CONN_CALL:
        note_call(pair, side, event);
        break;
    case CH_CONN_MESSAGE:
        side->messages++;
        side->is_end = event->is_end;
        charle_buf_reset(&side->message);
        charle_buf_add(&side->message, event->message.ptr, event->message.len);
        break;
    case CH_CONN_END:
        side->ended++;
        side->code = event->status.code;
        note_text(side, event->status.text);
        break;
    case CH_CONN_CANCEL:
        side->cancelled++;
        break;
    case CH_CONN_WRITABLE:
        side->writable++;
        break;
    case CH_CONN_LATE:
        side->late++;
        break;
    case CH_CONN_GOAWAY:
        side->goaways++;
        note_text(side, event->goaway.text);
        break;
    case CH_CONN_FAILED:
        side->failed++;
        note_text(side, charle_str(side->conn.error.text));
        break;
    }
}

static void feed(struct pair *pair, struct side *to, const uint8_t *bytes, size_t size)
{
    struct ch_conn_event event;
    while (size) {
        size_t room;
        uint8_t *space = ch_conn_read_space(&to->conn, pair->now_us, &room);
        if (!space)
            return; // memory is exhausted: a link would close
        size_t n = size < room ? size : room;
        n = pair->chunk && n > pair->chunk ? pair->chunk : n;
        memcpy(space, bytes, n);
        ch_conn_read_done(&to->conn, n, pair->now_us);
        while (ch_conn_next(&to->conn, pair->now_us, &event) == CHARLE_OK)
            note(pair, to, &event);
        bytes += n;
        size -= n;
    }
}

static bool move(struct pair *pair, struct side *from, struct side *to)
{
    struct charle_buf sending = {0};
    bool any = ch_conn_take_out(&from->conn, &sending);
    if (any) {
        ch_conn_wrote(&from->conn, sending.size, pair->now_us);
        feed(pair, to, sending.data, sending.size);
    }
    charle_buf_deinit(&sending);
    return any;
}

static void pump(struct pair *pair)
{
    while (move(pair, &pair->client, &pair->server) | move(pair, &pair->server, &pair->client))
        ;
}

static void tick(struct pair *pair, struct side *side)
{
    struct ch_conn_event event;
    while (ch_conn_tick(&side->conn, pair->now_us, &event) == CHARLE_OK)
        note(pair, side, &event);
}

static void pair_init(struct pair *pair)
{
    static const struct ch_conn_options client = {CH_CONN_CLIENT, 1 << 20, 10, 5000, 0};
    static const struct ch_conn_options server = {CH_CONN_SERVER, 1 << 20, 10, 5000, 15000};
    *pair = (struct pair){.now_us = 1000000};
    ch_conn_init(&pair->client.conn, &client, pair->now_us);
    ch_conn_init(&pair->server.conn, &server, pair->now_us);
}

static void side_deinit(struct side *side)
{
    while (ch_conn_take_any(&side->conn))
        ;
    ch_conn_deinit(&side->conn);
    charle_buf_deinit(&side->message);
}

static int setup(void **state)
{
    struct pair *pair = malloc(sizeof(*pair));
    pair_init(pair);
    pump(pair);
    assert_int_equal(pair->client.opened, 1);
    assert_int_equal(pair->server.opened, 1);
    *state = pair;
    return 0;
}

static int teardown(void **state)
{
    struct pair *pair = *state;
    side_deinit(&pair->client);
    side_deinit(&pair->server);
    free(pair);
    return 0;
}

static enum charle_err start(struct pair *pair, const char *method, const void *request, size_t size,
                             uint32_t timeout_ms)
{
    struct charle_error err;
    int64_t deadline_us = timeout_ms ? pair->now_us + (int64_t)timeout_ms * ms_us : 0;
    struct ch_conn_call call = {charle_str(method), {0}, charle_bytes(request, size), deadline_us, 0};
    return ch_conn_start(&pair->client.conn, &pair->client.streams[pair->client.call_count++], &call, pair->now_us,
                         &err);
}

static void reply(struct pair *pair, size_t call, const void *message, size_t size)
{
    struct charle_bytes bytes = charle_bytes(message, size);
    ch_conn_finish(&pair->server.conn, &pair->server.streams[call], &bytes, &(struct charle_status){.code = CHARLE_OK});
}

// --- calls -----------------------------------------------------------------------------------------------------------

static void unary_call_there_and_back(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(start(pair, "a/B", "request", 7, 1000), CHARLE_OK);
    pump(pair);
    assert_string_equal(pair->server.method, "a/B");
    assert_int_equal(pair->server.timeout_ms, 1000);
    assert_memory_equal(pair->server.message.data, "request", 7);
    reply(pair, 0, "reply", 5);
    pump(pair);
    assert_memory_equal(pair->client.message.data, "reply", 5);
    assert_true(pair->client.is_end);
    assert_int_equal(pair->client.streams[0].id, 0);
    assert_int_equal(pair->client.conn.streams.count + pair->server.conn.streams.count, 0);
}

static void method_is_named_once(void **state)
{
    struct pair *pair = *state;
    size_t sizes[3];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(start(pair, "charleos.TaskService/Update", "r", 1, 0), CHARLE_OK);
        sizes[i] = pair->client.conn.out.size;
        pump(pair);
        assert_string_equal(pair->server.method, "charleos.TaskService/Update");
    }
    assert_int_equal(sizes[0], sizes[1] + strlen("charleos.TaskService/Update"));
    assert_int_equal(sizes[1], sizes[2]);
    assert_int_equal(start(pair, "charleos.TaskService/Get", "r", 1, 0), CHARLE_OK);
    pump(pair);
    assert_string_equal(pair->server.method, "charleos.TaskService/Get");
}

static void more_methods_than_are_remembered_still_work(void **state)
{
    struct pair *pair = *state;
    for (int i = 0; i < CH_RPC_METHODS_MAX + 20; i++) {
        char method[32];
        snprintf(method, sizeof(method), "m/%d", i);
        pair->client.call_count = pair->server.call_count = 0;
        assert_int_equal(start(pair, method, "r", 1, 0), CHARLE_OK);
        pump(pair);
        assert_string_equal(pair->server.method, method);
        reply(pair, 0, "x", 1);
        pump(pair);
    }
    assert_int_equal(pair->client.failed + pair->server.failed, 0);
}

static void every_chunk_size_gives_the_same(void **state)
{
    struct pair *pair = *state;
    uint8_t *large = malloc(200000);
    for (size_t i = 0; i < 200000; i++)
        large[i] = (uint8_t)(i % 251);
    static const size_t chunks[] = {1, 2, 11, 12, 13, 511, 512, 4096, 65536, 0};
    for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        pair->chunk = chunks[i];
        pair->client.call_count = pair->server.call_count = 0;
        assert_int_equal(start(pair, "a/B", large, 200000, 0), CHARLE_OK);
        pump(pair);
        assert_int_equal(pair->server.message.size, 200000);
        assert_memory_equal(pair->server.message.data, large, 200000);
        reply(pair, 0, large, 150000);
        pump(pair);
        assert_int_equal(pair->client.message.size, 150000);
        assert_memory_equal(pair->client.message.data, large, 150000);
    }
    free(large);
}

static void too_large_a_request_is_not_started(void **state)
{
    struct pair *pair = *state;
    uint8_t *large = calloc(1, (1 << 20) + 1);
    assert_int_equal(start(pair, "a/B", large, (1 << 20) + 1, 0), CHARLE_TOO_LARGE);
    assert_int_equal(pair->client.streams[0].id, 0);
    assert_int_equal(pair->client.conn.out.size, 0);
    assert_int_equal(start(pair, "a/B", large, 1 << 20, 0), CHARLE_OK);
    pump(pair);
    assert_int_equal(pair->server.message.size, 1 << 20);
    reply(pair, 0, large, (1 << 20) + 1); // becomes a status
    pump(pair);
    assert_int_equal(pair->client.code, CHARLE_TOO_LARGE);
    free(large);
}

static void room_ends_at_the_peers_limit(void **state)
{
    struct pair *pair = *state;
    for (int i = 0; i < 10; i++) {
        assert_true(ch_conn_has_room(&pair->client.conn));
        assert_int_equal(start(pair, "a/B", "r", 1, 0), CHARLE_OK);
    }
    assert_false(ch_conn_has_room(&pair->client.conn));
    assert_int_equal(start(pair, "a/B", "r", 1, 0), CHARLE_OK); // one who does not ask is refused by the server
    pump(pair);
    assert_int_equal(pair->client.code, CHARLE_RESOURCE_EXHAUSTED);
    reply(pair, 0, "x", 1);
    pump(pair);
    assert_true(ch_conn_has_room(&pair->client.conn));
}

// --- streams ---------------------------------------------------------------------------------------------------------

static void a_stream_may_be_given_a_wider_window(void **state)
{
    struct pair *pair = *state;
    static uint8_t message[10000];
    const uint32_t window = 2 * CH_RPC_STREAM_WINDOW;
    struct charle_error err;
    struct ch_conn *conn = &pair->server.conn;
    const struct ch_conn_call call = {.method = charle_str("a/B"), .request = charle_bytes("r", 1), .window = window};
    assert_int_equal(ch_conn_start(&pair->client.conn, &pair->client.streams[pair->client.call_count++], &call, pair->now_us, &err), CHARLE_OK);
    pump(pair);
    size_t sent = 0;
    while (ch_conn_send(conn, &pair->server.streams[0], charle_bytes(message, sizeof(message))) == CHARLE_OK)
        sent += sizeof(message);
    assert_in_range(sent, window, window + sizeof(message));
    pump(pair);
    ch_conn_consumed(&pair->client.conn, &pair->client.streams[0], CH_RPC_STREAM_WINDOW / 4);
    pump(pair);
    assert_int_equal(pair->server.writable, 0); // a quarter of the wider one is given back at once
    ch_conn_consumed(&pair->client.conn, &pair->client.streams[0], SIZE_MAX);
    pump(pair);
    assert_int_equal(pair->server.writable, 1);
    assert_in_range(pair->server.streams[0].credit, window - 10000, window);
    ch_conn_finish(conn, &pair->server.streams[0], NULL, &(struct charle_status){.code = CHARLE_OK});
    pump(pair);
    assert_int_equal(pair->client.code, CHARLE_OK);
}

static void credit_stops_the_sender_and_starts_it_again(void **state)
{
    struct pair *pair = *state;
    static uint8_t message[10000];
    struct ch_conn *conn = &pair->server.conn;
    assert_int_equal(start(pair, "a/B", "r", 1, 0), CHARLE_OK);
    pump(pair);
    size_t sent = 0;
    while (ch_conn_send(conn, &pair->server.streams[0], charle_bytes(message, sizeof(message))) == CHARLE_OK)
        sent += sizeof(message);
    assert_in_range(sent, CH_RPC_STREAM_WINDOW, CH_RPC_STREAM_WINDOW + sizeof(message));
    pump(pair);
    assert_int_equal(pair->server.writable, 0);
    ch_conn_consumed(&pair->client.conn, &pair->client.streams[0], CH_RPC_STREAM_WINDOW / 4 - 1);
    pump(pair);
    assert_int_equal(pair->server.writable, 0);
    ch_conn_consumed(&pair->client.conn, &pair->client.streams[0], sizeof(message));
    pump(pair);
    assert_int_equal(pair->server.writable, 1);
    assert_int_equal(ch_conn_send(conn, &pair->server.streams[0], charle_bytes(message, sizeof(message))), CHARLE_OK);
    ch_conn_consumed(&pair->client.conn, &pair->client.streams[0], SIZE_MAX); // more than there ever was
    pump(pair);
    assert_true(pair->server.streams[0].credit <= CH_RPC_STREAM_WINDOW);
    ch_conn_finish(conn, &pair->server.streams[0], NULL, &(struct charle_status){.code = CHARLE_OK});
    pump(pair);
    assert_int_equal(pair->client.ended, 1);
    assert_int_equal(pair->client.code, CHARLE_OK);
}

static void sender_that_ignores_credit_is_cut_off(void **state)
{
    struct pair *pair = *state;
    struct charle_buf frames = {0};
    static uint8_t part[CH_RPC_FRAME_SIZE_MAX];
    assert_int_equal(start(pair, "a/B", "r", 1, 0), CHARLE_OK);
    pump(pair);
    for (int i = 0; i < 40 && !pair->client.failed; i++) {
        charle_buf_reset(&frames);
        ch_frame_write_message(&frames, 1, 0, charle_bytes(part, sizeof(part)));
        feed(pair, &pair->client, frames.data, frames.size);
    }
    assert_int_equal(pair->client.failed, 1);
    assert_string_equal(pair->client.text, "the server sent more than a stream's credit");
    charle_buf_deinit(&frames);
}

static void full_write_buffer_refuses_and_unblocks(void **state)
{
    struct pair *pair = *state;
    struct ch_conn *conn = &pair->server.conn;
    static uint8_t message[200000];
    for (int i = 0; i < 8; i++)
        assert_int_equal(start(pair, "a/B", "r", 1, 0), CHARLE_OK);
    pump(pair);
    int refused = 0;
    for (int i = 0; i < 8; i++)
        refused += ch_conn_send(conn, &pair->server.streams[i], charle_bytes(message, sizeof(message))) ==
                   CHARLE_RESOURCE_EXHAUSTED;
    assert_int_equal(refused, 2); // 1 MiB is over after the sixth
    uint32_t slot = 0;
    assert_null(ch_conn_unblock(conn, &slot));
    pump(pair);
    slot = 0;
    assert_non_null(ch_conn_unblock(conn, &slot));
    assert_non_null(ch_conn_unblock(conn, &slot));
    assert_null(ch_conn_unblock(conn, &slot));
}

// --- ends ------------------------------------------------------------------------------------------------------------

static void cancel_reaches_the_server_and_late_frames_are_ignored(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(start(pair, "a/B", "r", 1, 0), CHARLE_OK);
    pump(pair);
    ch_conn_cancel(&pair->client.conn, &pair->client.streams[0]);
    reply(pair, 0, "too late", 8); // crosses the CANCEL
    pump(pair);
    assert_int_equal(pair->client.messages + (size_t)pair->client.ended, 0);
    assert_int_equal(pair->server.cancelled, 0);
    assert_int_equal(start(pair, "a/B", "r", 1, 0), CHARLE_OK);
    pump(pair);
    ch_conn_cancel(&pair->client.conn, &pair->client.streams[1]);
    pump(pair);
    assert_int_equal(pair->server.cancelled, 1);
    assert_int_equal(pair->client.failed + pair->server.failed, 0);
}

static void deadlines_pass_on_both_sides(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(start(pair, "a/B", "r", 1, 100), CHARLE_OK);
    assert_int_equal(start(pair, "a/B", "r", 1, 50), CHARLE_OK);
    assert_int_equal(start(pair, "a/B", "r", 1, 0), CHARLE_OK);
    pump(pair);
    assert_int_equal(ch_conn_tick_due(&pair->client.conn), pair->now_us + 50 * ms_us);
    pair->now_us += 50 * ms_us;
    tick(pair, &pair->client);
    assert_int_equal(pair->client.late, 1);
    assert_int_equal(ch_conn_tick_due(&pair->client.conn), pair->now_us + 50 * ms_us);
    pair->now_us += 50 * ms_us;
    tick(pair, &pair->server); // the CANCEL is still on its way
    assert_int_equal(pair->server.late, 2);
    tick(pair, &pair->client);
    assert_int_equal(pair->client.late, 2);
    pump(pair);
    assert_int_equal(pair->server.cancelled + pair->client.ended, 0);
    assert_int_equal(pair->server.conn.streams.count, 1);
}

static void time_on_the_way_counts(void **state)
{
    struct pair *pair = *state;
    struct charle_error err;
    struct ch_conn_stream *stream = &pair->client.streams[0];
    struct ch_conn_call call = {.method = CHARLE_STR("a/B"), .deadline_us = pair->now_us + 250500};
    assert_int_equal(ch_conn_start(&pair->client.conn, stream, &call, pair->now_us + 100000, &err), CHARLE_OK);
    pump(pair);
    assert_int_equal(pair->server.timeout_ms, 151); // what remained, rounded up
}

static void half_sent_request_is_given_up(void **state)
{
    struct pair *pair = *state;
    struct charle_buf frames = {0};
    static uint8_t part[CH_RPC_FRAME_SIZE_MAX];
    struct ch_call_out call = {.timeout_ms = UINT32_MAX, .method = CHARLE_STR("a/B")};
    ch_frame_write_call(&frames, 1, 0, &call, (struct charle_bytes){0});
    ch_frame_write_message(&frames, 1, CH_FRAME_MORE, charle_bytes(part, sizeof(part)));
    assert_int_equal(start(pair, "a/B", "r", 1, 0),
                     CHARLE_OK); // takes number 1 on the client, so that the answer finds it
    charle_buf_reset(&pair->client.conn.out);
    feed(pair, &pair->server, frames.data, frames.size);
    pair->now_us += 15000 * ms_us;
    tick(pair, &pair->server);
    pump(pair);
    assert_int_equal(pair->client.ended, 0); // 64 KiB earned it four seconds more
    pair->now_us += 5000 * ms_us;
    pair->server.conn.has_heard = true;
    tick(pair, &pair->server);
    pump(pair);
    assert_int_equal(pair->client.ended, 1);
    assert_int_equal(pair->client.code, CHARLE_DEADLINE_EXCEEDED);
    assert_int_equal(pair->server.conn.parts_size, 0);
    charle_buf_deinit(&frames);
}

static void half_sent_frame_fails_the_connection(void **state)
{
    struct pair *pair = *state;
    feed(pair, &pair->server, (const uint8_t *)"\x10\0\0\0\x03", 5);
    pair->now_us += 14999 * ms_us;
    pair->server.conn.has_heard = true;
    tick(pair, &pair->server);
    assert_int_equal(pair->server.failed, 0);
    pair->now_us += 1 * ms_us;
    tick(pair, &pair->server);
    assert_int_equal(pair->server.failed, 1);
    pump(pair);
    assert_int_equal(pair->client.failed, 1);
    assert_non_null(strstr(pair->client.text, "a frame was begun"));
}

// --- being there -----------------------------------------------------------------------------------------------------

static void heartbeats_go_on_while_both_answer(void **state)
{
    struct pair *pair = *state;
    for (int i = 0; i < 20; i++) {
        pair->now_us += 5300 * ms_us;
        tick(pair, &pair->client);
        pump(pair);
        tick(pair, &pair->server);
        pump(pair);
    }
    assert_int_equal(pair->client.failed + pair->server.failed, 0);
}

static void client_gives_up_after_two_misses(void **state)
{
    struct pair *pair = *state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pair->client.failed, 0);
        pair->now_us += 5000 * ms_us;
        tick(pair, &pair->client); // nothing is delivered
        charle_buf_reset(&pair->client.conn.out);
    }
    assert_int_equal(pair->client.failed, 1);
}

// When the client gives up a server that it hears nothing of: milliseconds after it has sent a request of this size.
static int64_t given_up_after(struct pair *pair, size_t size)
{
    struct charle_buf sending = {0};
    uint8_t *request = calloc(1, size);
    int64_t began_us = pair->now_us;
    assert_non_null(request);
    assert_int_equal(start(pair, "a/B", request, size, 0), CHARLE_OK);
    assert_true(ch_conn_take_out(&pair->client.conn, &sending));
    ch_conn_wrote(&pair->client.conn, sending.size, pair->now_us);
    for (int i = 0; i < 5 && !pair->client.failed; i++) {
        pair->now_us = ch_conn_tick_due(&pair->client.conn);
        tick(pair, &pair->client);
        charle_buf_reset(&pair->client.conn.out); // the PING is lost
    }
    assert_int_equal(pair->client.failed, 1);
    charle_buf_deinit(&sending);
    free(request);
    return (pair->now_us - began_us) / ms_us;
}

static void client_looks_again_soon(void **state)
{
    assert_int_equal(given_up_after(*state, 100), 12000);
}

// On a slow line its own bytes may be why it hears nothing.
static void client_waits_for_what_it_sends_itself(void **state)
{
    assert_int_equal(given_up_after(*state, 40 << 10), 15000);
}

static void server_gives_up_after_three_misses(void **state)
{
    struct pair *pair = *state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pair->server.failed, 0);
        pair->now_us += 5300 * ms_us;
        tick(pair, &pair->server);
    }
    assert_int_equal(pair->server.failed, 1);
}

static void server_that_does_not_read_blames_nobody(void **state)
{
    struct pair *pair = *state;
    pair->server.conn.is_paused = true;
    for (int i = 0; i < 10; i++) {
        pair->now_us += 5300 * ms_us;
        tick(pair, &pair->server);
    }
    assert_int_equal(pair->server.failed, 0);
}

static void peer_that_reads_nothing_is_given_up(void **state)
{
    struct pair *pair = *state;
    struct charle_buf sending = {0};
    assert_int_equal(start(pair, "a/B", "r", 1, 0), CHARLE_OK);
    pump(pair);
    reply(pair, 0, "x", 1);
    assert_true(ch_conn_take_out(&pair->server.conn, &sending)); // and never reported as written
    for (int i = 0; i < 4; i++) {
        pair->server.conn.has_heard = true;
        pair->now_us += 5300 * ms_us;
        tick(pair, &pair->server);
    }
    assert_int_equal(pair->server.failed, 1);
    assert_non_null(strstr(pair->server.text, "has read nothing"));
    charle_buf_deinit(&sending);
}

static void stranger_has_five_seconds(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair.now_us += 4999 * ms_us;
    tick(&pair, &pair.server);
    assert_int_equal(pair.server.failed, 0);
    pair.now_us += 1 * ms_us;
    tick(&pair, &pair.server);
    assert_int_equal(pair.server.failed, 1);
    side_deinit(&pair.client);
    side_deinit(&pair.server);
}

static void drain_finishes_calls_and_cuts_those_not_seen(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(start(pair, "a/B", "r", 1, 0), CHARLE_OK);
    pump(pair);
    ch_conn_drain(&pair->server.conn, CHARLE_STR("bye"));
    assert_int_equal(start(pair, "a/B", "r", 1, 0), CHARLE_OK); // crosses the GOAWAY
    move(pair, &pair->server, &pair->client);
    assert_int_equal(pair->client.goaways, 1);
    assert_string_equal(pair->client.text,
                        "the server is closing and did not look at the call; it is safe to make it again");
    assert_int_equal(pair->client.ended, 1);
    assert_int_equal(pair->client.code, CHARLE_UNAVAILABLE);
    assert_false(ch_conn_has_room(&pair->client.conn));
    pump(pair);
    assert_int_equal(pair->server.call_count, 1);
    reply(pair, 0, "done", 4);
    pump(pair);
    assert_true(pair->client.is_end);
    assert_int_equal(pair->client.failed + pair->server.failed, 0);
}

static void idle_connection_gives_its_memory_back(void **state)
{
    struct pair *pair = *state;
    static uint8_t large[300000];
    assert_int_equal(start(pair, "a/B", large, sizeof(large), 0), CHARLE_OK);
    pump(pair);
    reply(pair, 0, large, sizeof(large));
    pump(pair);
    assert_true(pair->server.conn.in_capacity > CH_RPC_READ_SIZE_FIRST);
    for (int i = 0; i < 2; i++) {
        pair->now_us += 5300 * ms_us;
        tick(pair, &pair->client);
        pump(pair);
        ch_conn_shrink(&pair->client.conn);
        ch_conn_shrink(&pair->server.conn);
    }
    size_t room;
    assert_non_null(ch_conn_read_space(&pair->server.conn, pair->now_us, &room));
    assert_int_equal(pair->server.conn.in_capacity, CH_RPC_READ_SIZE_FIRST);
    assert_null(pair->server.conn.out.data);
    assert_null(pair->server.conn.whole.data);
    assert_null(pair->server.conn.streams.slots);
}

// --- trouble ---------------------------------------------------------------------------------------------------------

// Every allocation of a conversation fails in turn: no crash, no leak, and each side either goes on or says that it
// cannot.
static void every_allocation_may_fail(void **state)
{
    (void)state;
    static uint8_t large[150000];
    bool is_through = false;
    for (long n = 1; !is_through; n++) {
        struct pair pair;
        ch_alloc_fail_at(n, 0);
        pair_init(&pair);
        pump(&pair);
        for (int round = 0; round < 2 && ch_conn_has_room(&pair.client.conn); round++) {
            enum charle_err rc = start(&pair, "a/B", large, sizeof(large), 0);
            assert_true(rc == CHARLE_OK || rc == CHARLE_NO_MEMORY);
            rc = start(&pair, "a/C", "small", 5, 0);
            assert_true(rc == CHARLE_OK || rc == CHARLE_NO_MEMORY);
            pump(&pair);
            for (size_t i = 0; i < pair.server.call_count; i++) {
                if (pair.server.streams[i].id)
                    reply(&pair, i, large, i % 2 ? sizeof(large) : 3);
            }
            pump(&pair);
        }
        is_through = ch_alloc_count() < n;
        ch_alloc_fail_at(0, 0);
        if (is_through)
            assert_int_equal(pair.client.messages, 4);
        side_deinit(&pair.client);
        side_deinit(&pair.server);
        assert_true(n < 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(unary_call_there_and_back, setup, teardown),
        cmocka_unit_test_setup_teardown(method_is_named_once, setup, teardown),
        cmocka_unit_test_setup_teardown(more_methods_than_are_remembered_still_work, setup, teardown),
        cmocka_unit_test_setup_teardown(every_chunk_size_gives_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(too_large_a_request_is_not_started, setup, teardown),
        cmocka_unit_test_setup_teardown(room_ends_at_the_peers_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(credit_stops_the_sender_and_starts_it_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stream_may_be_given_a_wider_window, setup, teardown),
        cmocka_unit_test_setup_teardown(sender_that_ignores_credit_is_cut_off, setup, teardown),
        cmocka_unit_test_setup_teardown(full_write_buffer_refuses_and_unblocks, setup, teardown),
        cmocka_unit_test_setup_teardown(cancel_reaches_the_server_and_late_frames_are_ignored, setup, teardown),
        cmocka_unit_test_setup_teardown(deadlines_pass_on_both_sides, setup, teardown),
        cmocka_unit_test_setup_teardown(time_on_the_way_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(half_sent_request_is_given_up, setup, teardown),
        cmocka_unit_test_setup_teardown(half_sent_frame_fails_the_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(heartbeats_go_on_while_both_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(client_looks_again_soon, setup, teardown),
        cmocka_unit_test_setup_teardown(client_waits_for_what_it_sends_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(client_gives_up_after_two_misses, setup, teardown),
        cmocka_unit_test_setup_teardown(server_gives_up_after_three_misses, setup, teardown),
        cmocka_unit_test_setup_teardown(server_that_does_not_read_blames_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(peer_that_reads_nothing_is_given_up, setup, teardown),
        cmocka_unit_test(stranger_has_five_seconds),
        cmocka_unit_test_setup_teardown(drain_finishes_calls_and_cuts_those_not_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(idle_connection_gives_its_memory_back, setup, teardown),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("rpc connection", tests, NULL, NULL);
}
