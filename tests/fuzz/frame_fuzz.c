// Any bytes as frames, and any bytes as what a peer says on a connection, on either end. Never a crash, a leak, a call
// that ends twice, or more memory than the limits allow.
//
// The first byte of the input: bit 0 the end that listens (1: server), bit 1 whether the peer has said HELLO properly,
// bits 2 to 4 how many bytes a read brings. The second chooses what the user does with calls.
#include "base/alloc.h"
#include "base/limits.h"
#include "fuzz/fuzz.h"
#include "rpc/conn.h"

enum { CALLS = 8, MESSAGE_SIZE_MAX = 100000, START_US = 1000000 };

struct user {
    struct ch_conn conn;
    struct ch_conn_stream calls[CALLS];
    uint8_t choice;
    int64_t now_us;
};

static uint8_t choose(struct user *user)
{
    user->choice = (uint8_t)(user->choice * 167 + 13);
    return user->choice >> 3;
}

static void arrived(struct user *user, const struct ch_conn_event *event)
{
    CHARLE_ASSERT(event->head.method.len > 0 && event->message.len <= MESSAGE_SIZE_MAX);
    struct charle_metadata_entry entries[CH_RPC_METADATA_COUNT_MAX];
    ch_metadata_unpack(event->head.metadata, entries);
    for (int i = 0; i < CALLS; i++) {
        if (user->calls[i].id == 0) {
            int64_t deadline_us = choose(user) % 2 ? user->now_us + 1000 : 0;
            if (ch_conn_accept(&user->conn, event->stream_id, &user->calls[i], deadline_us) == CHARLE_OK)
                return;
        }
    }
    ch_conn_refuse(&user->conn, event->stream_id, CHARLE_RESOURCE_EXHAUSTED, "no more");
}

static void look(struct user *user, const struct ch_conn_event *event)
{
    bool is_end = event->kind == CH_CONN_END || event->kind == CH_CONN_CANCEL || event->kind == CH_CONN_LATE ||
                  (event->kind == CH_CONN_MESSAGE && event->is_end);
    if (event->kind == CH_CONN_CALL)
        arrived(user, event);
    if (is_end)
        CHARLE_ASSERT(event->stream->id == 0); // it is off the table, so it cannot end again
    if (event->kind == CH_CONN_FAILED)
        CHARLE_ASSERT(user->conn.error.text[0] && user->conn.state == CH_CONN_CLOSING);
    if (event->kind == CH_CONN_END) {
        struct charle_metadata_entry entries[CH_RPC_METADATA_COUNT_MAX];
        ch_metadata_unpack(event->status.trailers, entries);
    }
}

// What a user might do between two reads.
static void act(struct user *user)
{
    static const uint8_t bytes[3000];
    struct ch_conn *conn = &user->conn;
    struct ch_conn_stream *stream = &user->calls[choose(user) % CALLS];
    bool is_server = conn->options.role == CH_CONN_SERVER;
    uint8_t what = choose(user) % 4;
    if (!is_server && stream->id == 0 && ch_conn_has_room(conn)) {
        const struct ch_conn_call call = {.method = CHARLE_STR("a/B"), .request = charle_bytes(bytes, 10), .deadline_us = what ? user->now_us + 2000 : 0};
        enum charle_err rc = ch_conn_start(conn, stream, &call, user->now_us, NULL);
        CHARLE_ASSERT(rc == CHARLE_OK || rc == CHARLE_TOO_LARGE);
    } else if (!is_server && stream->id) {
        if (what == 0)
            ch_conn_cancel(conn, stream);
        else
            ch_conn_consumed(conn, stream, 5000);
    } else if (is_server && stream->id) {
        struct charle_bytes message = charle_bytes(bytes, sizeof(bytes));
        struct charle_status status = {.code = what == 1 ? CHARLE_INTERNAL : CHARLE_OK};
        if (what < 2)
            ch_conn_finish(conn, stream, what ? NULL : &message, &status);
        else if (ch_conn_send(conn, stream, message) == CHARLE_TOO_LARGE)
            CHARLE_ASSERT(conn->peer.message_size_max < sizeof(bytes));
    }
}

static void check(const struct ch_conn *conn)
{
    CHARLE_ASSERT(conn->in_capacity <= CH_RPC_READ_SIZE_MAX);
    CHARLE_ASSERT(conn->parts_size <= CH_RPC_HELD_SIZE_MAX + CH_RPC_FRAME_SIZE_MAX);
    CHARLE_ASSERT(conn->method_count <= CH_RPC_METHODS_MAX);
    CHARLE_ASSERT(!ch_conn_is_broken(conn));
}

static void feed(struct user *user, const uint8_t *data, size_t size, size_t chunk)
{
    struct ch_conn_event event;
    while (size) {
        size_t room, n = size < chunk ? size : chunk;
        uint8_t *space = ch_conn_read_space(&user->conn, user->now_us, &room);
        CHARLE_ASSERT(space && room > 0);
        n = n < room ? n : room;
        memcpy(space, data, n);
        ch_conn_read_done(&user->conn, n, user->now_us);
        while (ch_conn_next(&user->conn, user->now_us, &event) == CHARLE_OK)
            look(user, &event);
        act(user);
        user->now_us += 300;
        while (ch_conn_tick(&user->conn, user->now_us, &event) == CHARLE_OK)
            look(user, &event);
        check(&user->conn);
        data += n;
        size -= n;
        if (choose(user) % 4 == 0) { // what was queued is sent now and then
            struct charle_buf sending = {0};
            if (ch_conn_take_out(&user->conn, &sending))
                ch_conn_wrote(&user->conn, sending.size, user->now_us);
            charle_buf_deinit(&sending);
        }
    }
}

static void run_connection(const uint8_t *data, size_t size)
{
    bool is_server = data[0] & 1;
    struct ch_conn_options options = {is_server ? CH_CONN_SERVER : CH_CONN_CLIENT, MESSAGE_SIZE_MAX, CALLS, 5000,
                                      is_server ? 15000 : 0};
    struct user user = {.choice = data[1], .now_us = START_US};
    ch_conn_init(&user.conn, &options, START_US);
    if (data[0] & 2) {
        struct charle_buf hello = {0};
        struct ch_hello limits = {1, CH_RPC_FRAME_SIZE_MAX, 2500 + data[1] * 100u, 10000, 4, 5000};
        charle_buf_add(&hello, CH_FRAME_MAGIC, CH_FRAME_MAGIC_SIZE);
        ch_frame_write_hello(&hello, &limits);
        feed(&user, hello.data, hello.size, SIZE_MAX);
        charle_buf_deinit(&hello);
        for (int i = 0; i < 6 && !is_server; i++)
            act(&user); // so that there are calls to answer
    }
    feed(&user, data + 2, size - 2, (size_t)1 << (data[0] >> 2 & 7) * 2);
    while (ch_conn_take_any(&user.conn))
        ;
    ch_conn_deinit(&user.conn);
}

// Each reader on its own: it refuses, or hands out what lies within the bytes.
static void run_readers(struct charle_bytes payload)
{
    struct charle_error err;
    struct ch_hello hello;
    struct ch_call_head call;
    struct charle_bytes body;
    struct ch_status_head status;
    struct ch_goaway goaway;
    if (ch_frame_read_hello(payload, &hello, &err))
        CHARLE_ASSERT(err.text[0]);
    if (ch_frame_read_call(payload, CH_FRAME_BODY, &call, &body, &err) == CHARLE_OK)
        CHARLE_ASSERT(body.len <= payload.len && call.metadata.bytes.len <= CH_RPC_METADATA_SIZE_MAX);
    if (ch_frame_read_status(payload, &status, &err) == CHARLE_OK)
        CHARLE_ASSERT(status.text.len + status.details.len + status.trailers.bytes.len < payload.len);
    if (ch_frame_read_goaway(payload, &goaway, &err) == CHARLE_OK)
        CHARLE_ASSERT(goaway.text.len < payload.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    run_connection(data, size);
    run_readers(charle_bytes(data + 2, size - 2));
    return 0;
}
