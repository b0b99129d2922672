// Calls as they are started, answered and ended by this side.
#include "base/alloc.h"
#include "base/limits.h"
#include "rpc/conn_parts.h"

enum { US_PER_MS = 1000 };

// Unsent bytes above which no call is started and no message of a stream is accepted: they wait with their owners,
// where they can still be cancelled, instead of in the write buffer.
static const size_t pending_max = CH_RPC_WRITE_HIGH;

// --- method names ----------------------------------------------------------------------------------------------------

static bool add_method(struct ch_conn *conn, struct charle_str method)
{
    struct ch_conn_method *methods = ch_realloc_array(conn->methods, conn->method_count + 1u, sizeof(*methods));
    if (!methods)
        return false;
    conn->methods = methods;
    char *copy = ch_strdup_n(method.ptr, method.len);
    if (!copy)
        return false;
    methods[conn->method_count++] = (struct ch_conn_method){copy, method.len};
    return true;
}

static struct charle_str method_at(const struct ch_conn *conn, size_t index)
{
    return charle_str_n(conn->methods[index].text, conn->methods[index].len);
}

uint16_t ch_conn_method_number(struct ch_conn *conn, struct charle_str method, bool *out_is_new)
{
    *out_is_new = false;
    // A program calls few methods, so a walk from the front is quick enough.
    for (uint16_t i = 0; i < conn->method_count; i++) {
        if (charle_str_equal(method_at(conn, i), method))
            return (uint16_t)(i + 1);
    }
    if (conn->method_count >= CH_RPC_METHODS_MAX || !add_method(conn, method))
        return 0;
    *out_is_new = true;
    return conn->method_count;
}

// Numbers are given out in order, so the next new one is count + 1. A name lives as long as the connection: calls refer
// to it.
enum charle_err ch_conn_method_name(struct ch_conn *conn, struct ch_call_head *head, struct charle_error *err)
{
    uint16_t number = head->method_number;
    if (number == 0)
        return CHARLE_OK;
    if (number <= conn->method_count) {
        struct charle_str known = method_at(conn, number - 1u);
        if (head->method.len && !charle_str_equal(head->method, known))
            return charle_fail(err, CHARLE_MALFORMED, "method number %u stands for another name already", number);
        head->method = known;
        return CHARLE_OK;
    }
    if (number != conn->method_count + 1 || head->method.len == 0)
        return charle_fail(err, CHARLE_MALFORMED, "method number %u was never given a name", number);
    if (!add_method(conn, head->method))
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory for a method name");
    head->method = method_at(conn, number - 1u);
    return CHARLE_OK;
}

void ch_conn_methods_free(struct ch_conn *conn)
{
    for (uint16_t i = 0; i < conn->method_count; i++)
        ch_free(conn->methods[i].text);
    ch_free(conn->methods);
    conn->methods = NULL;
    conn->method_count = 0;
}

// --- messages --------------------------------------------------------------------------------------------------------

// Writes a message, or what is left of one, in as many MESSAGE frames as it takes; `flags` (END or nothing) go with the
// last.
static void write_parts(struct ch_conn *conn, uint32_t id, uint8_t flags, struct charle_bytes rest)
{
    while (rest.len > CH_RPC_FRAME_SIZE_MAX) {
        ch_frame_write_message(&conn->out, id, CH_FRAME_MORE, charle_bytes(rest.ptr, CH_RPC_FRAME_SIZE_MAX));
        rest = charle_bytes(rest.ptr + CH_RPC_FRAME_SIZE_MAX, rest.len - CH_RPC_FRAME_SIZE_MAX);
    }
    ch_frame_write_message(&conn->out, id, flags, rest);
}

// --- client ----------------------------------------------------------------------------------------------------------

bool ch_conn_has_room(const struct ch_conn *conn)
{
    return conn->state == CH_CONN_OPEN && !conn->is_draining && conn->streams.count < conn->peer.calls_max &&
           ch_conn_pending(conn) < pending_max && conn->last_id < INT32_MAX;
}

static uint32_t timeout_ms(int64_t deadline_us, int64_t now_us)
{
    if (!deadline_us)
        return UINT32_MAX;
    int64_t left_ms = (deadline_us - now_us + US_PER_MS - 1) / US_PER_MS;
    if (left_ms <= 0)
        return 0;
    return left_ms < UINT32_MAX ? (uint32_t)left_ms : UINT32_MAX - 1;
}

// Writes the CALL frame and what of the request does not fit it.
static void write_call(struct ch_conn *conn, uint32_t id, const struct ch_conn_call *call, int64_t now_us)
{
    bool is_new;
    struct ch_call_out out = {.timeout_ms = timeout_ms(call->deadline_us, now_us), .metadata = call->metadata};
    out.method_number = ch_conn_method_number(conn, call->method, &is_new);
    if (out.method_number == 0 || is_new)
        out.method = call->method;
    struct charle_bytes request = call->request;
    size_t room = CH_RPC_FRAME_SIZE_MAX - ch_frame_call_head_size(&out);
    bool is_whole = request.len <= room;
    uint8_t flags = CH_FRAME_BODY | (is_whole ? CH_FRAME_END : CH_FRAME_MORE);
    ch_frame_write_call(&conn->out, id, flags, &out, charle_bytes(request.ptr, is_whole ? request.len : room));
    if (!is_whole)
        write_parts(conn, id, CH_FRAME_END, charle_bytes(request.ptr + room, request.len - room));
}

enum charle_err ch_conn_start(struct ch_conn *conn, struct ch_conn_stream *stream, const struct ch_conn_call *call,
                              int64_t now_us, struct charle_error *err)
{
    if (call->request.len > conn->peer.message_size_max)
        return charle_fail(err, CHARLE_TOO_LARGE, "the request has %zu bytes and the server reads at most %u",
                           call->request.len, conn->peer.message_size_max);
    uint32_t window = call->window > CH_RPC_STREAM_WINDOW ? call->window : CH_RPC_STREAM_WINDOW;
    *stream = (struct ch_conn_stream){.id = conn->last_id + 1,
                                      .credit = window,
                                      .window = window,
                                      .deadline_us = call->deadline_us,
                                      .parts = {.size_max = conn->options.message_size_max}};
    enum charle_err rc = ch_streams_add(&conn->streams, stream);
    if (rc) {
        stream->id = 0;
        return charle_fail(err, rc, "out of memory for another call");
    }
    conn->last_id++;
    ch_conn_watch_deadline(conn, call->deadline_us);
    write_call(conn, stream->id, call, now_us);
    if (window > CH_RPC_STREAM_WINDOW) // HELLO gave the rest
        ch_frame_write_window(&conn->out, stream->id, window - CH_RPC_STREAM_WINDOW);
    return CHARLE_OK;
}

void ch_conn_cancel(struct ch_conn *conn, struct ch_conn_stream *stream)
{
    if (conn->state == CH_CONN_OPEN)
        ch_frame_write_cancel(&conn->out, stream->id);
    ch_conn_remove(conn, stream);
}

void ch_conn_consumed(struct ch_conn *conn, struct ch_conn_stream *stream, size_t size)
{
    // More than was received cannot have been dealt with; a caller's mistake must not give the server endless credit.
    int64_t owed = (int64_t)stream->window - stream->credit - stream->consumed;
    size_t counted = owed <= 0 ? 0 : size < (size_t)owed ? size : (size_t)owed;
    stream->consumed += (uint32_t)counted;
    if (stream->consumed < stream->window / 4 || conn->state != CH_CONN_OPEN)
        return;
    ch_frame_write_window(&conn->out, stream->id, stream->consumed);
    stream->credit += stream->consumed;
    stream->consumed = 0;
}

// --- server ----------------------------------------------------------------------------------------------------------

enum charle_err ch_conn_accept(struct ch_conn *conn, uint32_t id, struct ch_conn_stream *stream, int64_t deadline_us)
{
    *stream = (struct ch_conn_stream){.id = id, .credit = conn->peer.stream_window, .deadline_us = deadline_us};
    enum charle_err rc = ch_streams_add(&conn->streams, stream);
    if (rc)
        stream->id = 0;
    else
        ch_conn_watch_deadline(conn, deadline_us);
    return rc;
}

void ch_conn_refuse(struct ch_conn *conn, uint32_t id, enum charle_err code, const char *text)
{
    struct charle_status status = {.code = code, .text = charle_str(text)};
    ch_frame_write_status(&conn->out, id, &status);
}

bool ch_conn_can_send(const struct ch_conn *conn, const struct ch_conn_stream *stream)
{
    return stream->credit > 0 && ch_conn_pending(conn) < pending_max;
}

enum charle_err ch_conn_send(struct ch_conn *conn, struct ch_conn_stream *stream, struct charle_bytes message)
{
    if (message.len > conn->peer.message_size_max)
        return CHARLE_TOO_LARGE;
    if (!ch_conn_can_send(conn, stream)) {
        stream->is_blocked = true;
        return CHARLE_RESOURCE_EXHAUSTED;
    }
    stream->credit -= (int64_t)message.len;
    write_parts(conn, stream->id, 0, message);
    return CHARLE_OK;
}

struct ch_conn_stream *ch_conn_unblock(struct ch_conn *conn, uint32_t *slot)
{
    struct ch_conn_stream *stream;
    while ((stream = ch_streams_next(&conn->streams, slot))) {
        if (stream->is_blocked && ch_conn_can_send(conn, stream)) {
            stream->is_blocked = false;
            return stream;
        }
    }
    return NULL;
}

static bool is_plain_ok(const struct charle_status *status)
{
    return status->code == CHARLE_OK && status->text.len == 0 && status->details.len == 0 &&
           status->trailers.count == 0;
}

void ch_conn_finish(struct ch_conn *conn, struct ch_conn_stream *stream, const struct charle_bytes *message,
                    const struct charle_status *status)
{
    struct charle_status too_large = {.code = CHARLE_TOO_LARGE,
                                      .text = CHARLE_STR("the reply is larger than what the caller reads")};
    if (message && message->len > conn->peer.message_size_max) {
        status = &too_large;
        message = NULL;
    }
    bool is_plain = is_plain_ok(status);
    if (message)
        write_parts(conn, stream->id, is_plain ? CH_FRAME_END : 0, *message);
    if (!message || !is_plain)
        ch_frame_write_status(&conn->out, stream->id, status);
    ch_conn_remove(conn, stream);
}
