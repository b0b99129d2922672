#include "rpc/conn.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "rpc/conn_parts.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    US_PER_MS = 1000,
    CLIENT_MISSES_MAX = 2,
    SERVER_MISSES_MAX = 3,
    DOUBT_US = 2000000,          // after the first miss a client looks again so soon, if its own bytes cannot be why it hears nothing:
    UNHEARD_MAX = 16 << 10,      // at most as many as the slowest lines carry in that time
    READ_GROWTH = 8,             // few steps from an idle buffer to a busy one
    BURST_OVER_US = 1000000,     // a read buffer that was of no use for so long is given back
    CHECK_GRAIN_US = 256 * 1024, // heartbeats of many connections fall together, so that one wake-up serves them
};

// --- life ------------------------------------------------------------------------------------------------------------

static struct ch_hello own_hello(const struct ch_conn *conn)
{
    return (struct ch_hello){.version = CH_FRAME_VERSION,
                             .frame_size_max = CH_RPC_FRAME_SIZE_MAX,
                             .message_size_max = conn->options.message_size_max,
                             .stream_window = CH_RPC_STREAM_WINDOW,
                             .calls_max = conn->options.calls_max,
                             .heartbeat_ms = conn->options.heartbeat_ms};
}

static void queue_magic(struct ch_conn *conn)
{
    if (!conn->has_sent_magic)
        charle_buf_add(&conn->out, CH_FRAME_MAGIC, CH_FRAME_MAGIC_SIZE);
    conn->has_sent_magic = true;
}

static void queue_hello(struct ch_conn *conn)
{
    queue_magic(conn);
    struct ch_hello hello = own_hello(conn);
    ch_frame_write_hello(&conn->out, &hello);
}

void ch_conn_init(struct ch_conn *conn, const struct ch_conn_options *options, int64_t now_us)
{
    *conn = (struct ch_conn){.options = *options,
                             .out = {.size_max = CH_RPC_WRITE_MAX},
                             .cut_above = UINT32_MAX,
                             .deadline_us = INT64_MAX,
                             .progress_us = now_us,
                             .check_us = now_us + (int64_t)CH_RPC_HELLO_MS * US_PER_MS};
    if (options->role == CH_CONN_CLIENT)
        queue_hello(conn);
}

void ch_conn_remove(struct ch_conn *conn, struct ch_conn_stream *stream)
{
    ch_streams_remove(&conn->streams, stream);
    conn->parts_size -= stream->parts.size;
    charle_buf_deinit(&stream->parts);
    stream->id = 0;
    if (stream->is_request)
        ch_free(stream);
}

struct ch_conn_stream *ch_conn_take_any(struct ch_conn *conn)
{
    uint32_t slot = 0;
    struct ch_conn_stream *stream;
    while ((stream = ch_streams_next(&conn->streams, &slot))) {
        bool is_call = !stream->is_request;
        ch_conn_remove(conn, stream);
        if (is_call)
            return stream;
        slot--;
    }
    return NULL;
}

void ch_conn_deinit(struct ch_conn *conn)
{
    struct ch_conn_stream *left = ch_conn_take_any(conn);
    CHARLE_ASSERT(!left);
    ch_streams_deinit(&conn->streams);
    charle_buf_deinit(&conn->out);
    charle_buf_deinit(&conn->whole);
    ch_conn_methods_free(conn);
    ch_free(conn->in);
    conn->in = NULL;
}

void ch_conn_shrink(struct ch_conn *conn)
{
    if (conn->out.size == 0)
        charle_buf_deinit(&conn->out);
    ch_streams_shrink(&conn->streams);
}

// --- failing and draining --------------------------------------------------------------------------------------------

void ch_conn_fail(struct ch_conn *conn, int64_t now_us, enum charle_err code, const char *format, ...)
{
    if (conn->state == CH_CONN_CLOSING)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(conn->error.text, sizeof(conn->error.text), format, args);
    va_end(args);
    conn->error.code = code;
    conn->state = CH_CONN_CLOSING;
    conn->check_us = now_us + (int64_t)CH_RPC_LINGER_MS * US_PER_MS;
    queue_magic(conn);
    struct ch_goaway goaway = {code, conn->options.role == CH_CONN_SERVER ? conn->last_id : 0,
                               charle_str(conn->error.text)};
    ch_frame_write_goaway(&conn->out, &goaway);
}

enum charle_err ch_conn_failed(struct ch_conn *conn, int64_t now_us, struct ch_conn_event *out, enum charle_err code,
                               const char *text)
{
    ch_conn_fail(conn, now_us, code, "%s", text);
    *out = (struct ch_conn_event){.kind = CH_CONN_FAILED};
    return CHARLE_OK;
}

void ch_conn_abandon(struct ch_conn *conn, const char *text)
{
    if (conn->state != CH_CONN_CLOSING)
        charle_fail(&conn->error, CHARLE_UNAVAILABLE, "%s", text);
    conn->state = CH_CONN_CLOSING;
    charle_buf_reset(&conn->out);
}

void ch_conn_drain(struct ch_conn *conn, struct charle_str text)
{
    if (conn->state == CH_CONN_CLOSING)
        return;
    conn->is_draining = true;
    queue_magic(conn);
    struct ch_goaway goaway = {CHARLE_OK, conn->options.role == CH_CONN_SERVER ? conn->last_id : 0, text};
    ch_frame_write_goaway(&conn->out, &goaway);
}

// --- the write buffer ------------------------------------------------------------------------------------------------

bool ch_conn_take_out(struct ch_conn *conn, struct charle_buf *sending)
{
    CHARLE_ASSERT(sending->size == 0);
    if (conn->out.size == 0 || conn->out.failed)
        return false;
    struct charle_buf taken = conn->out;
    conn->out = (struct charle_buf){.data = sending->data, .capacity = sending->capacity, .size_max = taken.size_max};
    *sending = taken;
    conn->unsent += taken.size;
    conn->unheard += taken.size;
    return true;
}

void ch_conn_wrote(struct ch_conn *conn, size_t size, int64_t now_us)
{
    CHARLE_ASSERT(size <= conn->unsent);
    conn->unsent -= size;
    conn->progress_us = now_us;
}

// --- the read buffer -------------------------------------------------------------------------------------------------

// Bytes that the frame at the front of the buffer takes as a whole; what the buffer holds when its header is not there
// yet.
static size_t front_size(const struct ch_conn *conn)
{
    size_t held = conn->in_end - conn->in_start;
    struct ch_frame frame;
    if (held < CH_FRAME_HEADER_SIZE || !conn->has_magic ||
        ch_frame_read_header(conn->in + conn->in_start, &frame, NULL))
        return held;
    return CH_FRAME_HEADER_SIZE + (size_t)frame.size;
}

static size_t wanted_capacity(const struct ch_conn *conn, int64_t now_us)
{
    size_t front = front_size(conn);
    size_t capacity = conn->in_capacity ? conn->in_capacity : CH_RPC_READ_SIZE_FIRST;
    if (front == 0 && now_us - conn->burst_us > BURST_OVER_US)
        capacity = CH_RPC_READ_SIZE_FIRST;
    else if (conn->is_in_full && capacity < CH_RPC_READ_SIZE_MAX)
        capacity *= READ_GROWTH;
    if (capacity > CH_RPC_READ_SIZE_MAX)
        capacity = CH_RPC_READ_SIZE_MAX;
    while (capacity <= front)
        capacity *= 2; // a frame and its header are well below the maximum
    return capacity;
}

uint8_t *ch_conn_read_space(struct ch_conn *conn, int64_t now_us, size_t *out_size)
{
    size_t held = conn->in_end - conn->in_start;
    size_t capacity = wanted_capacity(conn, now_us);
    uint8_t *in = capacity == conn->in_capacity ? conn->in : ch_alloc(capacity);
    if (!in)
        return NULL;
    if (held)
        memmove(in, conn->in + conn->in_start, held);
    if (in != conn->in)
        ch_free(conn->in);
    conn->in = in;
    conn->in_capacity = capacity;
    conn->in_start = 0;
    conn->in_end = held;
    *out_size = capacity - held;
    return in + held;
}

void ch_conn_read_done(struct ch_conn *conn, size_t size, int64_t now_us)
{
    CHARLE_ASSERT(size <= conn->in_capacity - conn->in_end);
    conn->is_in_full = size == conn->in_capacity - conn->in_end;
    conn->in_end += size;
    conn->has_heard = true;
    conn->unheard = 0;
    if (size >= CH_RPC_READ_SIZE_FIRST)
        conn->burst_us = now_us;
}

// --- strangers -------------------------------------------------------------------------------------------------------

// Something that speaks another protocol is told so in its own words where that is easy: people point browsers at
// ports.
static enum charle_err refuse_stranger(struct ch_conn *conn, int64_t now_us, const uint8_t *bytes, size_t size,
                                       struct ch_conn_event *out)
{
    static const char *const verbs[] = {"GET ", "POST", "HEAD", "PUT ", "OPTI", "PRI "};
    static const char page[] =
        "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n"
        "This port speaks CharleOS RPC, not HTTP. Use a CharleOS client, for instance `charle call`.\n";
    for (size_t i = 0; conn->options.role == CH_CONN_SERVER && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (size >= 4 && memcmp(bytes, verbs[i], 4) == 0) {
            charle_buf_add(&conn->out, page, sizeof(page) - 1);
            ch_conn_failed(conn, now_us, out, CHARLE_MALFORMED, "the peer speaks HTTP, not CharleOS RPC");
            conn->out.size = sizeof(page) - 1; // a GOAWAY behind the page would only puzzle
            return CHARLE_OK;
        }
    }
    return ch_conn_failed(conn, now_us, out, CHARLE_MALFORMED,
                          "the peer does not speak CharleOS RPC: its first bytes are not the magic ones");
}

// OK: *out is FAILED. DONE: more bytes are needed, or the magic has been read (has_magic).
static enum charle_err read_magic(struct ch_conn *conn, int64_t now_us, struct ch_conn_event *out)
{
    const uint8_t *bytes = conn->in + conn->in_start;
    size_t held = conn->in_end - conn->in_start;
    size_t size = held < CH_FRAME_MAGIC_SIZE ? held : CH_FRAME_MAGIC_SIZE;
    if (size && memcmp(bytes, CH_FRAME_MAGIC, size) != 0) {
        if (bytes[0] != (uint8_t)CH_FRAME_MAGIC[0] && size < 4 && conn->options.role == CH_CONN_SERVER)
            return CHARLE_DONE; // four bytes tell an HTTP verb
        return refuse_stranger(conn, now_us, bytes, size, out);
    }
    if (size == CH_FRAME_MAGIC_SIZE) {
        conn->has_magic = true;
        conn->in_start += CH_FRAME_MAGIC_SIZE;
    }
    return CHARLE_DONE;
}

// --- frames of the connection ----------------------------------------------------------------------------------------

static void set_check(struct ch_conn *conn, int64_t now_us)
{
    uint32_t ms = conn->options.heartbeat_ms;
    if (conn->options.role == CH_CONN_CLIENT && conn->peer.heartbeat_ms < ms)
        ms = conn->peer.heartbeat_ms; // the server drops those it does not hear from
    conn->check_us = now_us + (int64_t)ms * US_PER_MS;
    if (conn->options.role == CH_CONN_SERVER)
        conn->check_us += CHECK_GRAIN_US - conn->check_us % CHECK_GRAIN_US;
}

static enum charle_err receive_hello(struct ch_conn *conn, struct charle_bytes payload, int64_t now_us,
                                     struct ch_conn_event *out)
{
    struct charle_error err;
    if (conn->state != CH_CONN_NEW)
        return ch_conn_failed(conn, now_us, out, CHARLE_MALFORMED, "a second HELLO came");
    if (ch_frame_read_hello(payload, &conn->peer, &err))
        return ch_conn_failed(conn, now_us, out, err.code, err.text);
    if (conn->options.role == CH_CONN_SERVER)
        queue_hello(conn);
    conn->state = CH_CONN_OPEN;
    set_check(conn, now_us);
    *out = (struct ch_conn_event){.kind = CH_CONN_OPENED};
    return CHARLE_OK;
}

static enum charle_err receive_goaway(struct ch_conn *conn, struct charle_bytes payload, int64_t now_us,
                                      struct ch_conn_event *out)
{
    struct charle_error err;
    struct ch_goaway goaway;
    if (ch_frame_read_goaway(payload, &goaway, &err))
        return ch_conn_failed(conn, now_us, out, err.code, err.text);
    conn->is_draining = true;
    if (goaway.code == CHARLE_OK) {
        conn->cut_above = goaway.last_stream_id;
        *out = (struct ch_conn_event){.kind = CH_CONN_GOAWAY, .goaway = goaway};
        return CHARLE_OK;
    }
    // The peer has given up on us: nothing that we say would be read.
    conn->state = CH_CONN_CLOSING;
    conn->check_us = now_us;
    charle_fail(&conn->error, goaway.code, "the peer closed the connection: %.*s", CHARLE_FMT(goaway.text));
    *out = (struct ch_conn_event){.kind = CH_CONN_FAILED};
    return CHARLE_OK;
}

static enum charle_err receive_frame(struct ch_conn *conn, const struct ch_frame *frame, struct charle_bytes payload,
                                     int64_t now_us, struct ch_conn_event *out)
{
    struct charle_error err;
    uint64_t value;
    switch ((enum ch_frame_type)frame->type) {
    case CH_FRAME_HELLO:
        return receive_hello(conn, payload, now_us, out);
    case CH_FRAME_GOAWAY:
        return receive_goaway(conn, payload, now_us, out);
    case CH_FRAME_PING:
        if (ch_frame_read_ping(payload, &value, &err))
            return ch_conn_failed(conn, now_us, out, err.code, err.text);
        ch_frame_write_ping(&conn->out, CH_FRAME_PONG, value);
        return CHARLE_DONE;
    case CH_FRAME_PONG: // that it came is all there is to know
        return ch_frame_read_ping(payload, &value, &err) ? ch_conn_failed(conn, now_us, out, err.code, err.text)
                                                         : CHARLE_DONE;
    case CH_FRAME_CALL:
    case CH_FRAME_MESSAGE:
    case CH_FRAME_HALF_CLOSE:
    case CH_FRAME_STATUS:
    case CH_FRAME_CANCEL:
    case CH_FRAME_WINDOW:
        break;
    }
    return ch_conn_receive(conn, frame, payload, now_us, out);
}

// May this frame come in the state the connection is in?
static const char *out_of_place(const struct ch_conn *conn, const struct ch_frame *frame)
{
    if (conn->state != CH_CONN_NEW)
        return NULL;
    if (frame->type == CH_FRAME_HELLO)
        return frame->size <= CH_RPC_HELLO_SIZE_MAX ? NULL : "the HELLO frame is above 256 bytes";
    if (frame->type == CH_FRAME_GOAWAY && conn->options.role == CH_CONN_CLIENT)
        return NULL;
    return "the first frame is not a HELLO";
}

// OK: *out_frame and *out_payload are a whole frame, taken off the buffer. DONE: bytes are missing. MALFORMED with a
// sentence.
static enum charle_err take_frame(struct ch_conn *conn, struct ch_frame *out_frame, struct charle_bytes *out_payload,
                                  struct charle_error *err)
{
    size_t held = conn->in_end - conn->in_start;
    if (held < CH_FRAME_HEADER_SIZE)
        return CHARLE_DONE;
    const uint8_t *bytes = conn->in + conn->in_start;
    enum charle_err rc = ch_frame_read_header(bytes, out_frame, err);
    if (rc)
        return rc;
    const char *complaint = out_of_place(conn, out_frame);
    if (complaint)
        return charle_fail(err, CHARLE_MALFORMED, "%s", complaint);
    if (held - CH_FRAME_HEADER_SIZE < out_frame->size)
        return CHARLE_DONE;
    *out_payload = charle_bytes(bytes + CH_FRAME_HEADER_SIZE, out_frame->size);
    conn->in_start += CH_FRAME_HEADER_SIZE + (size_t)out_frame->size;
    conn->frame_since_us = 0;
    return CHARLE_OK;
}

// Client, after the server's GOAWAY: ends the calls that it will not look at, one an event.
static bool next_cut(struct ch_conn *conn, struct ch_conn_event *out)
{
    uint32_t slot = 0;
    struct ch_conn_stream *stream;
    while (conn->cut_above != UINT32_MAX && (stream = ch_streams_next(&conn->streams, &slot))) {
        if (stream->id <= conn->cut_above || conn->options.role == CH_CONN_SERVER)
            continue;
        *out = (struct ch_conn_event){.kind = CH_CONN_END, .stream = stream, .stream_id = stream->id};
        out->status.code = CHARLE_UNAVAILABLE;
        out->status.text =
            CHARLE_STR("the server is closing and did not look at the call; it is safe to make it again");
        ch_conn_remove(conn, stream);
        return true;
    }
    conn->cut_above = UINT32_MAX;
    return false;
}

enum charle_err ch_conn_next(struct ch_conn *conn, int64_t now_us, struct ch_conn_event *out)
{
    struct charle_error err;
    struct ch_frame frame;
    struct charle_bytes payload = {0};
    enum charle_err rc = CHARLE_DONE;
    charle_buf_deinit(&conn->whole);
    if (next_cut(conn, out))
        return CHARLE_OK;
    if (conn->state == CH_CONN_CLOSING)
        conn->in_start = conn->in_end;
    if (!conn->has_magic && conn->state != CH_CONN_CLOSING)
        rc = read_magic(conn, now_us, out);
    while (rc == CHARLE_DONE && conn->has_magic && conn->state != CH_CONN_CLOSING &&
           (rc = take_frame(conn, &frame, &payload, &err)) == CHARLE_OK)
        rc = receive_frame(conn, &frame, payload, now_us, out);
    if (rc == CHARLE_MALFORMED)
        rc = ch_conn_failed(conn, now_us, out, rc, err.text);
    if (conn->in_start == conn->in_end)
        conn->frame_since_us = 0;
    else if (rc == CHARLE_DONE && conn->frame_since_us == 0)
        conn->frame_since_us = now_us;
    return rc;
}

// --- time ------------------------------------------------------------------------------------------------------------

int64_t ch_conn_tick_due(const struct ch_conn *conn)
{
    int64_t due = conn->check_us < conn->deadline_us ? conn->check_us : conn->deadline_us;
    if (conn->state == CH_CONN_OPEN && conn->frame_since_us && !conn->is_paused && conn->options.idle_message_ms) {
        int64_t sweep = conn->frame_since_us + (int64_t)conn->options.idle_message_ms * US_PER_MS;
        due = sweep < due ? sweep : due;
    }
    return due;
}

// A request that is half there has as long as its bytes take at the slowest rate we put up with, and the idle time on
// top.
static bool is_request_slow(struct ch_conn *conn, struct ch_conn_stream *stream, int64_t now_us)
{
    int64_t patience = (int64_t)conn->options.idle_message_ms * US_PER_MS +
                       (int64_t)(stream->parts.size * 1000 / CH_RPC_RATE_MIN) * US_PER_MS;
    int64_t limit = stream->parts_since_us + patience;
    bool is_late = stream->call_deadline_us && stream->call_deadline_us <= now_us;
    stream->deadline_us = is_late || limit <= now_us ? now_us : limit;
    if (stream->call_deadline_us && stream->call_deadline_us < stream->deadline_us)
        stream->deadline_us = stream->call_deadline_us;
    return stream->deadline_us <= now_us;
}

static bool next_late(struct ch_conn *conn, int64_t now_us, struct ch_conn_event *out)
{
    if (now_us < conn->deadline_us)
        return false;
    conn->deadline_us = INT64_MAX;
    uint32_t slot = 0;
    struct ch_conn_stream *stream;
    while ((stream = ch_streams_next(&conn->streams, &slot))) {
        if (stream->deadline_us == 0 || stream->deadline_us > now_us ||
            (stream->is_request && !is_request_slow(conn, stream, now_us))) {
            ch_conn_watch_deadline(conn, stream->deadline_us);
            continue;
        }
        if (stream->is_request) {
            ch_conn_refuse(conn, stream->id, CHARLE_DEADLINE_EXCEEDED,
                           "the request was begun but the rest of it did not come in time");
            ch_conn_remove(conn, stream);
            slot--;
            continue;
        }
        conn->deadline_us = now_us; // there may be more: the next call looks again
        *out = (struct ch_conn_event){.kind = CH_CONN_LATE, .stream = stream, .stream_id = stream->id};
        if (conn->options.role == CH_CONN_CLIENT)
            ch_frame_write_cancel(&conn->out, stream->id);
        else
            ch_conn_refuse(conn, stream->id, CHARLE_DEADLINE_EXCEEDED,
                           "the deadline passed before the call was answered");
        ch_conn_remove(conn, stream);
        return true;
    }
    return false;
}

// Is the peer still there, and does it read? Asks a client's server with a PING.
static enum charle_err check_peer(struct ch_conn *conn, int64_t now_us, struct ch_conn_event *out)
{
    bool is_client = conn->options.role == CH_CONN_CLIENT;
    int misses_max = is_client ? CLIENT_MISSES_MAX : SERVER_MISSES_MAX;
    bool is_silent = !conn->has_heard && !conn->is_paused && (conn->has_pinged || !is_client);
    conn->misses = is_silent ? (uint8_t)(conn->misses + 1) : 0;
    if (conn->misses >= misses_max)
        return ch_conn_failed(conn, now_us, out, CHARLE_UNAVAILABLE,
                              "the peer gave no sign of life for several heartbeats");
    if (ch_conn_pending(conn) == 0)
        conn->progress_us = now_us;
    if (now_us - conn->progress_us >= (int64_t)conn->options.heartbeat_ms * US_PER_MS * SERVER_MISSES_MAX)
        return ch_conn_failed(conn, now_us, out, CHARLE_UNAVAILABLE,
                              "the peer has read nothing for several heartbeats");
    conn->has_heard = false;
    if (is_client) {
        ch_frame_write_ping(&conn->out, CH_FRAME_PING, (uint64_t)now_us);
        conn->has_pinged = true;
    }
    set_check(conn, now_us);
    // TCP repeats what was lost after 0.2, 0.4, 0.8 … seconds: behind an outage of seven it would wait for six more. Giving up sooner is quicker.
    if (is_client && conn->misses && conn->unheard <= UNHEARD_MAX && conn->check_us > now_us + DOUBT_US)
        conn->check_us = now_us + DOUBT_US;
    return CHARLE_DONE;
}

enum charle_err ch_conn_tick(struct ch_conn *conn, int64_t now_us, struct ch_conn_event *out)
{
    if (conn->state == CH_CONN_CLOSING)
        return CHARLE_DONE;
    if (next_late(conn, now_us, out))
        return CHARLE_OK;
    if (conn->state == CH_CONN_NEW && now_us >= conn->check_us)
        return ch_conn_failed(conn, now_us, out, CHARLE_UNAVAILABLE, "the peer said no HELLO in time");
    if (now_us < ch_conn_tick_due(conn))
        return CHARLE_DONE;
    if (now_us >= conn->check_us)
        return check_peer(conn, now_us, out);
    return ch_conn_failed(conn, now_us, out, CHARLE_UNAVAILABLE,
                          "a frame was begun but the rest of it did not come in time");
}
