// Peers that do not behave: garbage, halves, silence, floods, and a socket's file that is taken away. Raw sockets speak
// to a real server, and a real channel to a raw server. After each of them the server answers everybody else as before.
#include "base/clock.h"
#include "base/limits.h"
#include "rpc/conn.h"
#include "suite/rpc/rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// --- raw sockets -----------------------------------------------------------------------------------------------------

static struct sockaddr_in local(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int dial(const struct rig *rig)
{
    struct sockaddr_in address = local((int)strtol(strrchr(rig->address, ':') + 1, NULL, 10));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void put(int fd, const void *data, size_t size)
{
    const uint8_t *next = data;
    while (size) {
        ssize_t n = send(fd, next, size, MSG_NOSIGNAL);
        if (n <= 0)
            return; // the server has had enough: the test looks at what it said
        next += n;
        size -= (size_t)n;
    }
}

// Reads until the peer closes or `wait_ms` pass without a byte. Returns whether it closed.
static bool read_all(int fd, struct charle_buf *out, int wait_ms)
{
    uint8_t bytes[4096];
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    while (poll(&poll_fd, 1, wait_ms) > 0) {
        ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
        if (n <= 0)
            return true;
        charle_buf_add(out, bytes, (size_t)n);
    }
    return false;
}

static void add_hello(struct charle_buf *out)
{
    struct ch_hello hello = {
        CH_FRAME_VERSION, CH_RPC_FRAME_SIZE_MAX, CH_MESSAGE_SIZE_MAX, CH_RPC_STREAM_WINDOW, 16, 5000};
    charle_buf_add(out, CH_FRAME_MAGIC, CH_FRAME_MAGIC_SIZE);
    ch_frame_write_hello(out, &hello);
}

static void add_call(struct charle_buf *out, uint32_t id, uint8_t flags, const char *method, const char *body)
{
    struct ch_call_out call = {.timeout_ms = UINT32_MAX, .method = charle_str(method)};
    ch_frame_write_call(out, id, flags, &call, charle_bytes(body, strlen(body)));
}

// The first frame of this type in what was read; its payload. False when there is none.
static bool find_frame(const struct charle_buf *in, enum ch_frame_type type, struct ch_frame *out_frame,
                       struct charle_bytes *out_payload)
{
    size_t at = CH_FRAME_MAGIC_SIZE;
    struct charle_error err;
    while (at + CH_FRAME_HEADER_SIZE <= in->size && !ch_frame_read_header(in->data + at, out_frame, &err)) {
        at += CH_FRAME_HEADER_SIZE;
        if (at + out_frame->size > in->size)
            return false;
        *out_payload = charle_bytes(in->data + at, out_frame->size);
        if (out_frame->type == type)
            return true;
        at += out_frame->size;
    }
    return false;
}

// Reads until such a frame is there, or the peer closes, or says nothing at all for long.
static void read_until(int fd, struct charle_buf *out, enum ch_frame_type type)
{
    uint8_t bytes[4096];
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    struct ch_frame frame;
    struct charle_bytes payload;
    while (!find_frame(out, type, &frame, &payload) && poll(&poll_fd, 1, 20000) > 0) {
        ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
        if (n <= 0)
            return;
        charle_buf_add(out, bytes, (size_t)n);
    }
}

// The text of the GOAWAY that was read.
static void assert_goaway(const struct charle_buf *in, const char *part)
{
    struct ch_frame frame;
    struct charle_bytes payload;
    struct ch_goaway goaway;
    struct charle_error err;
    char text[1100];
    assert_true(find_frame(in, CH_FRAME_GOAWAY, &frame, &payload));
    assert_int_equal(ch_frame_read_goaway(payload, &goaway, &err), CHARLE_OK);
    snprintf(text, sizeof(text), "%.*s", CHARLE_FMT(goaway.text));
    if (!strstr(text, part))
        fail_msg("the server said: %s", text);
}

static void assert_status(const struct charle_buf *in, enum charle_err code, const char *part)
{
    struct ch_frame frame;
    struct charle_bytes payload;
    struct ch_status_head status;
    struct charle_error err;
    char text[4100];
    assert_true(find_frame(in, CH_FRAME_STATUS, &frame, &payload));
    assert_int_equal(ch_frame_read_status(payload, &status, &err), CHARLE_OK);
    assert_int_equal(status.code, code);
    snprintf(text, sizeof(text), "%.*s", CHARLE_FMT(status.text));
    if (!strstr(text, part))
        fail_msg("the server said: %s", text);
}

static void assert_server_well(struct rig *rig)
{
    char reply[16];
    struct charle_error err = {0};
    if (rig_call(rig, "test/Echo", "well", reply, sizeof(reply), &err))
        fail_msg("%s", err.text);
    assert_string_equal(reply, "well");
}

static int setup(void **state)
{
    struct rig *rig = malloc(sizeof(*rig));
    rig_init(rig, RIG_TCP);
    rig->server_options.heartbeat_ms = 400;
    rig->server_options.idle_message_ms = 300;
    rig->channel_options.heartbeat_ms = 200;
    rig_start(rig);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    rig_stop(*state);
    free(*state);
    return 0;
}

// --- garbage ---------------------------------------------------------------------------------------------------------

static void garbage_is_answered_with_a_sentence(void **state)
{
    struct rig *rig = *state;
    struct charle_buf in = {0};
    int fd = dial(rig);
    put(fd,
        "\x89"
        "CHRPX\r\nrest",
        12);
    assert_true(read_all(fd, &in, 5000));
    assert_goaway(&in, "its first bytes are not the magic ones");
    close(fd);
    charle_buf_deinit(&in);
    assert_server_well(rig);
}

static void browser_is_told_in_its_own_words(void **state)
{
    struct rig *rig = *state;
    struct charle_buf in = {0};
    int fd = dial(rig);
    put(fd, "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n", 35);
    assert_true(read_all(fd, &in, 5000));
    assert_non_null(strstr(charle_buf_text(&in), "HTTP/1.1 400 Bad Request"));
    assert_non_null(strstr(charle_buf_text(&in), "speaks CharleOS RPC"));
    close(fd);
    charle_buf_deinit(&in);
    assert_server_well(rig);
}

static void malformed_frames_are_answered_with_a_sentence(void **state)
{
    struct rig *rig = *state;
    static const struct {
        uint8_t frame[20];
        size_t size;
        const char *text;
    } cases[] = {
        {{0, 0, 0, 0, 99}, 12, "frame type 99 does not exist"},
        {{1, 0, 1, 0, 3, 0, 0, 0, 1}, 12, "above the limit of 65536"},
        {{0, 0, 0, 0, 3, 3, 0, 0, 1}, 12, "cannot have the flags 0x3"},
        {{0, 0, 0, 0, 3, 0, 1, 0, 1}, 12, "are not zero"},
        {{8, 0, 0, 0, 8, 0, 0, 0, 1}, 12, "cannot be on stream 1"},
        {{4, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, 16, "a PING frame of 4 bytes is cut"},
        {{0, 0, 0, 0, 6, 0, 0, 0, 7}, 12, "a call that was never made"},
        {{2, 0, 0, 0, 2, 6, 0, 0, 1, 0, 0, 0, 1, 2}, 14, "a CALL frame of 2 bytes is cut"},
        {{8, 0, 0, 0, 2, 6, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0}, 20, "was never given a name"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct charle_buf out = {0}, in = {0};
        int fd = dial(rig);
        add_hello(&out);
        charle_buf_add(&out, cases[i].frame, cases[i].size);
        put(fd, out.data, out.size);
        assert_true(read_all(fd, &in, 5000));
        assert_goaway(&in, cases[i].text);
        close(fd);
        charle_buf_deinit(&in);
        charle_buf_deinit(&out);
    }
    assert_server_well(rig);
}

// A conversation with everything in it, cut after every byte.
static void every_cut_is_survived(void **state)
{
    struct rig *rig = *state;
    struct charle_buf out = {0};
    add_hello(&out);
    add_call(&out, 1, CH_FRAME_BODY | CH_FRAME_END, "test/Echo", "hello");
    add_call(&out, 2, CH_FRAME_BODY | CH_FRAME_MORE, "test/WorkEcho", "he");
    ch_frame_write_message(&out, 2, CH_FRAME_END, charle_bytes("llo", 3));
    add_call(&out, 3, CH_FRAME_BODY | CH_FRAME_END, "test/Hold", "");
    ch_frame_write_ping(&out, CH_FRAME_PING, 1);
    ch_frame_write_cancel(&out, 3);
    for (size_t size = 0; size <= out.size; size++) {
        int fd = dial(rig);
        put(fd, out.data, size);
        if (size % 3 == 0)
            shutdown(fd, SHUT_WR);
        close(fd);
    }
    charle_buf_deinit(&out);
    assert_server_well(rig);
}

static void random_bytes_are_survived(void **state)
{
    struct rig *rig = *state;
    unsigned seed = 7;
    for (int round = 0; round < 200; round++) {
        struct charle_buf out = {0};
        add_hello(&out);
        add_call(&out, 1, CH_FRAME_BODY | CH_FRAME_END, "test/Echo", "hello");
        add_call(&out, 2, CH_FRAME_BODY | CH_FRAME_END, "test/Stream", "3 50");
        for (int i = 0; i < 4; i++)
            out.data[(size_t)rand_r(&seed) % out.size] ^= (uint8_t)rand_r(&seed);
        int fd = dial(rig);
        put(fd, out.data, out.size);
        close(fd);
        charle_buf_deinit(&out);
    }
    assert_server_well(rig);
}

// --- calls by hand ---------------------------------------------------------------------------------------------------

static void request_in_parts_is_put_together(void **state)
{
    struct rig *rig = *state;
    struct charle_buf out = {0}, in = {0};
    struct ch_frame frame;
    struct charle_bytes payload;
    int fd = dial(rig);
    add_hello(&out);
    add_call(&out, 1, 0, "test/Echo", "");
    ch_frame_write_message(&out, 1, CH_FRAME_MORE, charle_bytes("he", 2));
    ch_frame_write_message(&out, 1, 0, charle_bytes("llo", 3));
    ch_frame_write_half_close(&out, 1);
    for (size_t i = 0; i < out.size; i++)
        put(fd, out.data + i, 1); // and byte by byte
    read_until(fd, &in, CH_FRAME_MESSAGE);
    assert_true(find_frame(&in, CH_FRAME_MESSAGE, &frame, &payload));
    assert_int_equal(payload.len, 5);
    assert_memory_equal(payload.ptr, "hello", 5);
    assert_int_equal(frame.flags, CH_FRAME_END);
    close(fd);
    charle_buf_deinit(&in);
    charle_buf_deinit(&out);
}

static void expect_status(struct rig *rig, const struct charle_buf *frames, enum charle_err code, const char *text)
{
    struct charle_buf out = {0}, in = {0};
    int fd = dial(rig);
    add_hello(&out);
    charle_buf_add(&out, frames->data, frames->size);
    put(fd, out.data, out.size);
    read_until(fd, &in, CH_FRAME_STATUS);
    assert_status(&in, code, text);
    close(fd);
    charle_buf_deinit(&in);
    charle_buf_deinit(&out);
}

static void calls_that_cannot_be_are_refused_alone(void **state)
{
    struct rig *rig = *state;
    struct charle_buf frames = {0};
    add_call(&frames, 1, CH_FRAME_END, "test/Echo", "");
    expect_status(rig, &frames, CHARLE_INVALID_ARGUMENT, "ended without a request");
    charle_buf_reset(&frames);
    add_call(&frames, 1, CH_FRAME_BODY, "test/Echo", "one");
    ch_frame_write_message(&frames, 1, CH_FRAME_END, charle_bytes("two", 3));
    expect_status(rig, &frames, CHARLE_UNIMPLEMENTED, "stream of requests");
    charle_buf_reset(&frames);
    add_call(&frames, 1, CH_FRAME_BODY | CH_FRAME_MORE, "test/Echo", "one");
    expect_status(rig, &frames, CHARLE_DEADLINE_EXCEEDED, "did not come in time");
    charle_buf_reset(&frames);
    uint8_t *part = calloc(1, CH_RPC_FRAME_SIZE_MAX);
    add_call(&frames, 1, 0, "test/Echo", "");
    for (size_t sent = 0; sent <= CH_MESSAGE_SIZE_MAX; sent += CH_RPC_FRAME_SIZE_MAX)
        ch_frame_write_message(&frames, 1, CH_FRAME_MORE, charle_bytes(part, CH_RPC_FRAME_SIZE_MAX));
    expect_status(rig, &frames, CHARLE_TOO_LARGE, "larger than the receiver's limit");
    free(part);
    charle_buf_deinit(&frames);
    assert_server_well(rig);
}

// --- silence ---------------------------------------------------------------------------------------------------------

static void half_sent_frame_is_not_held(void **state)
{
    struct rig *rig = *state;
    struct charle_buf out = {0}, in = {0};
    int fd = dial(rig);
    add_hello(&out);
    add_call(&out, 1, CH_FRAME_BODY | CH_FRAME_END, "test/Echo", "hello");
    put(fd, out.data, out.size - 1);
    assert_true(read_all(fd, &in, 5000));
    assert_goaway(&in, "a frame was begun");
    close(fd);
    charle_buf_deinit(&in);
    charle_buf_deinit(&out);
}

static void silent_peer_is_dropped_after_three_heartbeats(void **state)
{
    struct rig *rig = *state;
    struct charle_buf out = {0}, in = {0};
    int fd = dial(rig);
    add_hello(&out);
    put(fd, out.data, out.size);
    int64_t start_us = ch_clock_mono_us();
    assert_true(read_all(fd, &in, 10000));
    assert_goaway(&in, "no sign of life");
    assert_true(ch_clock_mono_us() - start_us > 800000); // not for the first missing one
    close(fd);
    charle_buf_deinit(&in);
    charle_buf_deinit(&out);
    assert_server_well(rig);
}

static void strangers_who_say_nothing_do_not_fill_the_server(void **state)
{
    struct rig *rig = *state;
    enum { STRANGERS = CH_RPC_CONNECTIONS_NEW_MAX + 40 };
    int fds[STRANGERS];
    for (int i = 0; i < STRANGERS; i++)
        fds[i] = dial(rig);
    struct charle_buf in = {0};
    assert_true(read_all(fds[0], &in, 5000)); // the oldest has made room
    assert_server_well(rig);
    for (int i = 0; i < STRANGERS; i++)
        close(fds[i]);
    charle_buf_deinit(&in);
}

static bool has_two_connections(void *ctx)
{
    return charle_rpc_server_connections(ctx) == 2;
}

static void peer_that_reads_nothing_is_cut_off(void **state)
{
    struct rig *rig = *state;
    struct charle_buf out = {0};
    assert_server_well(rig);
    int fd = dial(rig);
    add_hello(&out);
    for (uint32_t id = 1; id <= 64; id++)
        add_call(&out, id, CH_FRAME_BODY | CH_FRAME_END, "test/Big", "1000000");
    put(fd, out.data, out.size);
    charle_buf_deinit(&out);
    rig_wait(has_two_connections, rig->server, "both connections");
    size_t connections = 2;
    for (int64_t until_us = ch_clock_mono_us() + 20000000; connections > 1 && ch_clock_mono_us() < until_us;
         usleep(10000)) {
        uint8_t ping[64];
        struct charle_buf frame = {.data = ping, .capacity = sizeof(ping)};
        ch_frame_write_ping(&frame, CH_FRAME_PING, 1); // alive, but not reading
        send(fd, ping, frame.size, MSG_NOSIGNAL | MSG_DONTWAIT);
        connections = charle_rpc_server_connections(rig->server);
    }
    assert_int_equal(connections, 1);
    close(fd);
    assert_server_well(rig);
}

static void flood_of_cancelled_calls_is_bounded(void **state)
{
    struct rig *rig = *state;
    struct charle_buf out = {0}, in = {0};
    int fd = dial(rig);
    add_hello(&out);
    for (uint32_t id = 1; id <= 5000; id++) {
        add_call(&out, id, CH_FRAME_BODY | CH_FRAME_END, "test/WorkEcho", "x");
        ch_frame_write_cancel(&out, id);
    }
    put(fd, out.data, out.size);
    read_all(fd, &in, 300);
    close(fd);
    charle_buf_deinit(&in);
    charle_buf_deinit(&out);
    assert_server_well(rig);
}

// --- a rude server ---------------------------------------------------------------------------------------------------

static int listen_raw(int *out_port)
{
    struct sockaddr_in address = local(0);
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *out_port = ntohs(address.sin_port);
    return fd;
}

static int accept_raw(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, 20000), 1);
    return accept4(fd, NULL, NULL, SOCK_CLOEXEC);
}

static void channel_dials_again_when_the_server_falls_silent(void **state)
{
    (void)state;
    int port;
    int fd = listen_raw(&port);
    char address[64];
    struct charle_error err;
    struct charle_channel *channel;
    struct charle_channel_options options = {.heartbeat_ms = 100, .redial_max_ms = 100};
    snprintf(address, sizeof(address), "tcp://127.0.0.1:%d", port);
    assert_int_equal(charle_channel_open(address, &options, &channel, &err), CHARLE_OK);
    int first = accept_raw(fd);
    struct charle_buf out = {0};
    add_hello(&out);
    put(first, out.data, out.size);
    struct seen seen;
    seen_init(&seen);
    seen_start(&seen, channel, "any/Method", "x", NULL);
    int second = accept_raw(fd); // after two heartbeats without an answer
    seen_wait(&seen);
    assert_int_equal(seen.code, CHARLE_UNAVAILABLE);
    assert_non_null(strstr(seen.text, "no sign of life"));
    seen_deinit(&seen);
    charle_channel_close(channel);
    close(first);
    close(second);
    close(fd);
    charle_buf_deinit(&out);
}

static void server_that_speaks_something_else_is_named(void **state)
{
    (void)state;
    int port;
    int fd = listen_raw(&port);
    char address[64];
    struct charle_error err;
    struct charle_channel *channel;
    struct charle_buf reply = {0};
    snprintf(address, sizeof(address), "tcp://127.0.0.1:%d", port);
    struct charle_channel_options options = {.redial_max_ms = 50};
    struct charle_call_options call_options = {.timeout_ms = 400};
    assert_int_equal(charle_channel_open(address, &options, &channel, &err), CHARLE_OK);
    int peer = accept_raw(fd);
    put(peer, "220 mail.example.com ESMTP\r\n", 28);
    assert_int_equal(
        charle_call_bytes(channel, CHARLE_STR("any/Method"), (struct charle_bytes){0}, &reply, &call_options, &err),
        CHARLE_DEADLINE_EXCEEDED);
    if (!strstr(err.text, "does not speak CharleOS RPC"))
        fail_msg("%s", err.text);
    charle_channel_close(channel);
    close(peer); // not before: closing with unread bytes would take the greeting back
    close(fd);
}

// A server that answers a call with what a real one never would.
static void expect_call_end(const struct charle_buf *answer, enum charle_err code, const char *text)
{
    int port;
    int fd = listen_raw(&port);
    char address[64];
    struct charle_error err;
    struct charle_channel *channel;
    snprintf(address, sizeof(address), "tcp://127.0.0.1:%d", port);
    struct charle_channel_options options = {.message_size_max = 1000};
    assert_int_equal(charle_channel_open(address, &options, &channel, &err), CHARLE_OK);
    struct seen seen;
    seen_init(&seen);
    seen_start(&seen, channel, "any/Method", "x", NULL);
    int peer = accept_raw(fd);
    struct charle_buf out = {0}, in = {0};
    add_hello(&out);
    put(peer, out.data, out.size);
    while (in.size <
           CH_FRAME_MAGIC_SIZE + CH_FRAME_HEADER_SIZE + 24 + CH_FRAME_HEADER_SIZE) // the HELLO, and the call's header
        read_all(peer, &in, 20);
    put(peer, answer->data, answer->size);
    seen_wait(&seen);
    assert_int_equal(seen.code, code);
    if (!strstr(seen.text, text))
        fail_msg("the call ended with: %s", seen.text);
    seen_deinit(&seen);
    charle_channel_close(channel);
    charle_buf_deinit(&in);
    charle_buf_deinit(&out);
    close(peer);
    close(fd);
}

static void wrong_answers_end_the_call_with_a_reason(void **state)
{
    (void)state;
    struct charle_buf answer = {0};
    uint8_t large[2000] = {0};
    ch_frame_write_message(&answer, 1, CH_FRAME_END, charle_bytes(large, sizeof(large)));
    expect_call_end(&answer, CHARLE_TOO_LARGE, "larger than the receiver's limit");
    charle_buf_reset(&answer);
    ch_frame_write_message(&answer, 9, CH_FRAME_END, charle_bytes(large, 1));
    expect_call_end(&answer, CHARLE_UNAVAILABLE, "a call that was never made");
    charle_buf_reset(&answer);
    ch_frame_write_half_close(&answer, 1);
    expect_call_end(&answer, CHARLE_UNAVAILABLE, "a server cannot send this frame");
    charle_buf_reset(&answer);
    struct charle_status status = {.code = CHARLE_OK};
    ch_frame_write_message(&answer, 1, CH_FRAME_MORE, charle_bytes(large, 1));
    ch_frame_write_status(&answer, 1, &status);
    expect_call_end(&answer, CHARLE_UNAVAILABLE, "in the middle of a message");
    charle_buf_reset(&answer);
    struct ch_goaway goaway = {CHARLE_OK, 0, CHARLE_STR("closing")};
    ch_frame_write_goaway(&answer, &goaway);
    expect_call_end(&answer, CHARLE_UNAVAILABLE, "safe to make it again");
    charle_buf_deinit(&answer);
}

// --- the ipc socket --------------------------------------------------------------------------------------------------

static void knock(const char *path, const char *bytes)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        send(fd, bytes, strlen(bytes), MSG_NOSIGNAL);
    close(fd);
}

static void ipc_listener_survives_knocks(void **state)
{
    struct rig rig;
    (void)state;
    rig_init(&rig, RIG_IPC);
    rig_start(&rig);
    for (int i = 0; i < 300; i++)
        knock(rig.address + strlen("ipc://"), i % 2 ? "abc" : "");
    charle_channel_redial(rig.channel);
    assert_server_well(&rig);
    rig_stop(&rig);
}

static void watchdog_listens_again_when_the_socket_is_gone(void **state)
{
    struct rig rig;
    (void)state;
    rig_init(&rig, RIG_IPC);
    rig.server_options.watchdog_ms = 100;
    rig_start(&rig);
    assert_server_well(&rig);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(unlink(rig.address + strlen("ipc://")), 0);
        charle_channel_redial(rig.channel); // the old connection would have gone on
        assert_false(charle_channel_is_connected(rig.channel));
        assert_server_well(&rig);
    }
    rig_stop(&rig);
}

// --- addresses and TLS -----------------------------------------------------------------------------------------------

static void listen_is_refused(const char *address, const struct charle_rpc_server_options *options,
                              enum charle_err code, const char *text)
{
    struct charle_error err = {0};
    struct charle_rpc_server *server;
    assert_int_equal(charle_rpc_server_open(options, NULL, NULL, &server, &err), CHARLE_OK);
    assert_int_equal(charle_rpc_server_listen(server, address, NULL, &err), code);
    if (!strstr(err.text, text))
        fail_msg("%s", err.text);
    charle_rpc_server_close(server, 0);
}

static void addresses_that_cannot_be_are_refused_with_a_sentence(void **state)
{
    struct rig *rig = *state;
    struct charle_rpc_server_options none = {0};
    struct charle_rpc_server_options missing = {.tls_cert_file = "/nowhere/cert.pem"};
    listen_is_refused("tcp://0.0.0.0:0", &none, CHARLE_INVALID_ARGUMENT, "unencrypted");
    listen_is_refused("tcp://[::]:0", &none, CHARLE_INVALID_ARGUMENT, "unencrypted");
    listen_is_refused("tcp://127.evil.example:0", &none, CHARLE_INVALID_ARGUMENT, "unencrypted");
    listen_is_refused("tcp://127.0.0.1", &none, CHARLE_INVALID_ARGUMENT, "has no port");
    listen_is_refused("tcp://127.0.0.1:99999", &none, CHARLE_INVALID_ARGUMENT, "has no port");
    listen_is_refused("http://127.0.0.1:1", &none, CHARLE_INVALID_ARGUMENT, "does not begin with");
    listen_is_refused("ipc://", &none, CHARLE_INVALID_ARGUMENT, "ends after its scheme");
    listen_is_refused("tls+tcp://127.0.0.1:0", &none, CHARLE_INVALID_ARGUMENT, "needs a certificate");
    listen_is_refused("tls+tcp://127.0.0.1:0", &missing, CHARLE_INVALID_ARGUMENT, "/nowhere/cert.pem");
    listen_is_refused(rig->address, &none, CHARLE_ALREADY_EXISTS, "cannot listen at");
    struct charle_rpc_server *server;
    struct charle_error err;
    struct charle_rpc_server_options allowed = {.allow_plain_tcp = true};
    assert_int_equal(charle_rpc_server_open(&allowed, NULL, NULL, &server, &err), CHARLE_OK);
    assert_int_equal(charle_rpc_server_listen(server, "tcp://0.0.0.0:0", NULL, &err), CHARLE_OK);
    charle_rpc_server_close(server, 0);
    struct charle_channel *channel;
    assert_int_equal(charle_channel_open("nonsense", NULL, &channel, &err), CHARLE_INVALID_ARGUMENT);
    assert_null(channel);
}

static void tls_refuses(struct rig *rig, const struct charle_channel_options *options)
{
    struct charle_channel *channel;
    struct charle_error err;
    struct charle_buf reply = {0};
    struct charle_call_options call_options = {.timeout_ms = 500};
    assert_int_equal(charle_channel_open(rig->address, options, &channel, &err), CHARLE_OK);
    assert_int_equal(
        charle_call_bytes(channel, CHARLE_STR("test/Echo"), charle_bytes("secret", 6), &reply, &call_options, &err),
        CHARLE_DEADLINE_EXCEEDED);
    charle_channel_close(channel);
}

static void tls_checks_the_authority_and_the_name(void **state)
{
    struct rig rig, other;
    (void)state;
    rig_init(&rig, RIG_TLS);
    rig_start(&rig);
    assert_server_well(&rig);
    struct charle_channel_options wrong_name = rig.channel_options, no_authority = rig.channel_options;
    wrong_name.tls_server_name = "elsewhere.example";
    tls_refuses(&rig, &wrong_name);
    no_authority.tls_ca_file = NULL; // the system's authorities did not sign it
    tls_refuses(&rig, &no_authority);
    char plain[128];
    snprintf(plain, sizeof(plain), "%s", rig.address + strlen("tls+"));
    struct charle_channel *channel;
    struct charle_error err;
    struct charle_buf reply = {0};
    struct charle_call_options call_options = {.timeout_ms = 300};
    assert_int_equal(charle_channel_open(plain, NULL, &channel, &err), CHARLE_OK);
    assert_int_equal(
        charle_call_bytes(channel, CHARLE_STR("test/Echo"), (struct charle_bytes){0}, &reply, &call_options, &err),
        CHARLE_DEADLINE_EXCEEDED);
    charle_channel_close(channel);
    assert_int_equal(atomic_load(&rig.dispatched), 1);
    rig_stop(&rig);
    // Mutual: only who shows a certificate of the authority gets in.
    rig_init(&other, RIG_TLS);
    other.server_options.tls_client_ca_file = other.server_options.tls_cert_file;
    other.channel_options.tls_cert_file = other.server_options.tls_cert_file;
    other.channel_options.tls_key_file = other.server_options.tls_key_file;
    rig_start(&other);
    assert_server_well(&other);
    struct charle_channel_options nobody = other.channel_options;
    nobody.tls_cert_file = NULL;
    tls_refuses(&other, &nobody);
    assert_int_equal(atomic_load(&other.dispatched), 1);
    rig_stop(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(garbage_is_answered_with_a_sentence, setup, teardown),
        cmocka_unit_test_setup_teardown(browser_is_told_in_its_own_words, setup, teardown),
        cmocka_unit_test_setup_teardown(malformed_frames_are_answered_with_a_sentence, setup, teardown),
        cmocka_unit_test_setup_teardown(every_cut_is_survived, setup, teardown),
        cmocka_unit_test_setup_teardown(random_bytes_are_survived, setup, teardown),
        cmocka_unit_test_setup_teardown(request_in_parts_is_put_together, setup, teardown),
        cmocka_unit_test_setup_teardown(calls_that_cannot_be_are_refused_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(half_sent_frame_is_not_held, setup, teardown),
        cmocka_unit_test_setup_teardown(silent_peer_is_dropped_after_three_heartbeats, setup, teardown),
        cmocka_unit_test_setup_teardown(strangers_who_say_nothing_do_not_fill_the_server, setup, teardown),
        cmocka_unit_test_setup_teardown(peer_that_reads_nothing_is_cut_off, setup, teardown),
        cmocka_unit_test_setup_teardown(flood_of_cancelled_calls_is_bounded, setup, teardown),
        cmocka_unit_test(channel_dials_again_when_the_server_falls_silent),
        cmocka_unit_test(server_that_speaks_something_else_is_named),
        cmocka_unit_test(wrong_answers_end_the_call_with_a_reason),
        cmocka_unit_test(ipc_listener_survives_knocks),
        cmocka_unit_test(watchdog_listens_again_when_the_socket_is_gone),
        cmocka_unit_test_setup_teardown(addresses_that_cannot_be_are_refused_with_a_sentence, setup, teardown),
        cmocka_unit_test(tls_checks_the_authority_and_the_name),
    };
    return cmocka_run_group_tests_name("rpc and rude peers", tests, NULL, NULL);
}
