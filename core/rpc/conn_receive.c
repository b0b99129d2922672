// Frames of calls as they arrive. A message in one frame is handed on where it lies; one in parts is put together
// first.
#include "base/alloc.h"
#include "base/limits.h"
#include "rpc/conn_parts.h"

enum { US_PER_MS = 1000 };

// --- messages in parts -----------------------------------------------------------------------------------------------

// TOO_LARGE, RESOURCE_EXHAUSTED or NO_MEMORY: the call cannot go on; the connection can.
static enum charle_err add_part(struct ch_conn *conn, struct ch_conn_stream *stream, struct charle_bytes part,
                                int64_t now_us)
{
    struct charle_buf *parts = &stream->parts;
    size_t message_size = parts->size - stream->head_size + part.len;
    if (message_size > conn->options.message_size_max)
        return CHARLE_TOO_LARGE;
    if (conn->parts_size + part.len > CH_RPC_HELD_SIZE_MAX)
        return CHARLE_RESOURCE_EXHAUSTED;
    if (!stream->is_in_parts) {
        stream->is_in_parts = true;
        stream->parts_since_us = now_us;
    }
    charle_buf_add(parts, part.ptr, part.len);
    if (parts->failed)
        return CHARLE_NO_MEMORY;
    conn->parts_size += part.len;
    return CHARLE_OK;
}

// The parts are all there: they move to conn->whole, where they outlive the stream and stay until the next event.
static struct charle_bytes take_parts(struct ch_conn *conn, struct ch_conn_stream *stream)
{
    conn->parts_size -= stream->parts.size;
    charle_buf_deinit(&conn->whole);
    conn->whole = stream->parts;
    stream->parts = (struct charle_buf){.size_max = conn->whole.size_max};
    stream->is_in_parts = false;
    return charle_buf_bytes(&conn->whole);
}

static const char *part_trouble(enum charle_err code)
{
    if (code == CHARLE_TOO_LARGE)
        return "the message is larger than the receiver's limit";
    return code == CHARLE_NO_MEMORY ? "out of memory while a message arrived"
                                    : "too many messages are half-sent on this connection";
}

// --- server: requests ------------------------------------------------------------------------------------------------

static enum charle_err call_event(uint32_t id, const struct ch_call_head *head, struct charle_bytes message,
                                  struct ch_conn_event *out)
{
    *out = (struct ch_conn_event){.kind = CH_CONN_CALL, .stream_id = id, .head = *head, .message = message};
    return CHARLE_OK;
}

// Keeps a request that goes on in later frames: the head in front, the parts of the message behind it.
static enum charle_err hold_request(struct ch_conn *conn, const struct ch_frame *frame, struct charle_bytes payload,
                                    const struct ch_call_head *head, struct charle_bytes body, int64_t now_us)
{
    size_t head_size = payload.len - body.len;
    struct ch_conn_stream *stream = ch_alloc_zeroed(1, sizeof(*stream));
    if (!stream)
        return CHARLE_NO_MEMORY;
    stream->id = frame->stream_id;
    stream->is_request = true;
    stream->head_size = (uint32_t)head_size;
    stream->parts.size_max = head_size + conn->options.message_size_max;
    stream->call_deadline_us = head->timeout_ms == UINT32_MAX ? 0 : now_us + (int64_t)head->timeout_ms * US_PER_MS;
    stream->deadline_us = now_us + (int64_t)conn->options.idle_message_ms * US_PER_MS;
    stream->parts_since_us = now_us;
    charle_buf_add(&stream->parts, payload.ptr, head_size);
    enum charle_err rc = stream->parts.failed ? CHARLE_NO_MEMORY : ch_streams_add(&conn->streams, stream);
    if (rc) {
        charle_buf_deinit(&stream->parts);
        ch_free(stream);
        return rc;
    }
    conn->parts_size += head_size;
    if (frame->flags & CH_FRAME_BODY)
        rc = add_part(conn, stream, body, now_us);
    stream->has_message = (frame->flags & CH_FRAME_BODY) && !(frame->flags & CH_FRAME_MORE);
    if (rc)
        ch_conn_remove(conn, stream);
    else
        ch_conn_watch_deadline(conn, stream->deadline_us);
    return rc;
}

static enum charle_err refuse(struct ch_conn *conn, uint32_t id, enum charle_err code, const char *text)
{
    ch_conn_refuse(conn, id, code, text);
    return CHARLE_DONE;
}

static enum charle_err receive_call(struct ch_conn *conn, const struct ch_frame *frame, struct charle_bytes payload,
                                    int64_t now_us, struct ch_conn_event *out)
{
    struct charle_error err;
    struct ch_call_head head;
    struct charle_bytes body;
    if (conn->options.role == CH_CONN_CLIENT)
        return ch_conn_failed(conn, now_us, out, CHARLE_MALFORMED, "a server cannot send a CALL frame");
    if (frame->stream_id <= conn->last_id)
        return ch_conn_failed(conn, now_us, out, CHARLE_MALFORMED, "stream numbers must rise from call to call");
    enum charle_err rc = ch_frame_read_call(payload, frame->flags, &head, &body, &err);
    if (!rc)
        rc = ch_conn_method_name(conn, &head, &err);
    if (rc)
        return ch_conn_failed(conn, now_us, out, rc, err.text);
    conn->last_id = frame->stream_id;
    if (conn->is_draining)
        return refuse(conn, frame->stream_id, CHARLE_UNAVAILABLE,
                      "the server is closing and did not look at the call; it is safe to make it again");
    if (conn->streams.count >= conn->options.calls_max)
        return refuse(conn, frame->stream_id, CHARLE_RESOURCE_EXHAUSTED,
                      "too many calls are in progress on this connection; wait for some to end");
    if ((frame->flags & CH_FRAME_BODY) && (frame->flags & CH_FRAME_END))
        return call_event(frame->stream_id, &head, body, out);
    if (frame->flags & CH_FRAME_END)
        return refuse(conn, frame->stream_id, CHARLE_INVALID_ARGUMENT, "the call ended without a request");
    rc = hold_request(conn, frame, payload, &head, body, now_us);
    return rc ? refuse(conn, frame->stream_id, rc, part_trouble(rc)) : CHARLE_DONE;
}

// The request is whole: it leaves the table until accept puts the call there.
static enum charle_err request_ended(struct ch_conn *conn, struct ch_conn_stream *stream, int64_t now_us,
                                     struct ch_conn_event *out)
{
    struct charle_error err;
    struct ch_call_head head;
    struct charle_bytes body;
    uint32_t id = stream->id;
    int64_t deadline_us = stream->call_deadline_us;
    struct charle_bytes held = take_parts(conn, stream);
    ch_conn_remove(conn, stream);
    enum charle_err rc = ch_frame_read_call(held, CH_FRAME_BODY | CH_FRAME_END, &head, &body, &err);
    if (!rc)
        rc = ch_conn_method_name(conn, &head, &err);
    if (rc) // it was read once already, so only memory can be the reason
        return ch_conn_failed(conn, now_us, out, rc, err.text);
    if (deadline_us)
        head.timeout_ms = deadline_us > now_us ? (uint32_t)((deadline_us - now_us) / US_PER_MS) : 0;
    return call_event(id, &head, body, out);
}

static enum charle_err request_part(struct ch_conn *conn, struct ch_conn_stream *stream, const struct ch_frame *frame,
                                    struct charle_bytes payload, int64_t now_us, struct ch_conn_event *out)
{
    enum charle_err rc = stream->has_message ? CHARLE_UNIMPLEMENTED : add_part(conn, stream, payload, now_us);
    if (rc) {
        refuse(conn, stream->id, rc,
               rc == CHARLE_UNIMPLEMENTED ? "calls with a stream of requests are not answered here" : part_trouble(rc));
        ch_conn_remove(conn, stream);
        return CHARLE_DONE;
    }
    stream->has_message = !(frame->flags & CH_FRAME_MORE);
    return frame->flags & CH_FRAME_END ? request_ended(conn, stream, now_us, out) : CHARLE_DONE;
}

static enum charle_err receive_half_close(struct ch_conn *conn, struct ch_conn_stream *stream, int64_t now_us,
                                          struct ch_conn_event *out)
{
    if (!stream->is_request || (stream->is_in_parts && !stream->has_message))
        return ch_conn_failed(conn, now_us, out, CHARLE_MALFORMED, "a HALF_CLOSE frame came where none can be");
    if (stream->has_message)
        return request_ended(conn, stream, now_us, out);
    refuse(conn, stream->id, CHARLE_INVALID_ARGUMENT, "the call ended without a request");
    ch_conn_remove(conn, stream);
    return CHARLE_DONE;
}

static enum charle_err receive_cancel(struct ch_conn *conn, struct ch_conn_stream *stream, struct ch_conn_event *out)
{
    bool is_request = stream->is_request;
    *out = (struct ch_conn_event){.kind = CH_CONN_CANCEL, .stream = stream, .stream_id = stream->id};
    ch_conn_remove(conn, stream);
    return is_request ? CHARLE_DONE : CHARLE_OK;
}

static enum charle_err receive_window(struct ch_conn *conn, struct ch_conn_stream *stream, struct charle_bytes payload,
                                      int64_t now_us, struct ch_conn_event *out)
{
    struct charle_error err;
    uint32_t size;
    if (ch_frame_read_window(payload, &size, &err))
        return ch_conn_failed(conn, now_us, out, err.code, err.text);
    stream->credit += size;
    if (stream->credit > INT32_MAX)
        return ch_conn_failed(conn, now_us, out, CHARLE_MALFORMED,
                              "WINDOW frames gave a stream more than 2 GiB of credit");
    if (!stream->is_blocked || !ch_conn_can_send(conn, stream))
        return CHARLE_DONE;
    stream->is_blocked = false;
    *out = (struct ch_conn_event){.kind = CH_CONN_WRITABLE, .stream = stream, .stream_id = stream->id};
    return CHARLE_OK;
}

static enum charle_err receive_on_server(struct ch_conn *conn, struct ch_conn_stream *stream,
                                         const struct ch_frame *frame, struct charle_bytes payload, int64_t now_us,
                                         struct ch_conn_event *out)
{
    switch ((enum ch_frame_type)frame->type) {
    case CH_FRAME_MESSAGE:
        if (!stream->is_request)
            return ch_conn_failed(conn, now_us, out, CHARLE_MALFORMED,
                                  "a MESSAGE frame came after the call's last one");
        return request_part(conn, stream, frame, payload, now_us, out);
    case CH_FRAME_HALF_CLOSE:
        return receive_half_close(conn, stream, now_us, out);
    case CH_FRAME_CANCEL:
        return receive_cancel(conn, stream, out);
    case CH_FRAME_WINDOW:
        return receive_window(conn, stream, payload, now_us, out);
    case CH_FRAME_STATUS:
    case CH_FRAME_HELLO:
    case CH_FRAME_CALL:
    case CH_FRAME_PING:
    case CH_FRAME_PONG:
    case CH_FRAME_GOAWAY:
        break;
    }
    return ch_conn_failed(conn, now_us, out, CHARLE_MALFORMED, "a client cannot send this frame");
}

// --- client: replies -------------------------------------------------------------------------------------------------

// Ends the call on this side, for a reason of ours, and tells the server.
static enum charle_err give_up(struct ch_conn *conn, struct ch_conn_stream *stream, enum charle_err code,
                               struct ch_conn_event *out)
{
    *out = (struct ch_conn_event){.kind = CH_CONN_END, .stream = stream, .stream_id = stream->id};
    out->status.code = code;
    out->status.text = charle_str(part_trouble(code));
    ch_conn_cancel(conn, stream);
    return CHARLE_OK;
}

static enum charle_err receive_message(struct ch_conn *conn, struct ch_conn_stream *stream,
                                       const struct ch_frame *frame, struct charle_bytes payload, int64_t now_us,
                                       struct ch_conn_event *out)
{
    // One message may overshoot the credit, and the call's last one needs none.
    if (!stream->is_in_parts && stream->credit < -(int64_t)conn->options.message_size_max)
        return ch_conn_failed(conn, now_us, out, CHARLE_MALFORMED, "the server sent more than a stream's credit");
    stream->credit -= (int64_t)payload.len;
    bool is_whole = !(frame->flags & CH_FRAME_MORE);
    bool is_alone = is_whole && !stream->is_in_parts;
    enum charle_err rc = CHARLE_OK;
    if (!is_alone)
        rc = add_part(conn, stream, payload, now_us);
    else if (payload.len > conn->options.message_size_max)
        rc = CHARLE_TOO_LARGE;
    if (rc)
        return give_up(conn, stream, rc, out);
    if (!is_whole)
        return CHARLE_DONE;
    *out = (struct ch_conn_event){.kind = CH_CONN_MESSAGE,
                                  .stream = stream,
                                  .stream_id = stream->id,
                                  .message = is_alone ? payload : take_parts(conn, stream),
                                  .is_end = frame->flags & CH_FRAME_END};
    if (out->is_end)
        ch_conn_remove(conn, stream);
    return CHARLE_OK;
}

static enum charle_err receive_status(struct ch_conn *conn, struct ch_conn_stream *stream, struct charle_bytes payload,
                                      int64_t now_us, struct ch_conn_event *out)
{
    struct charle_error err;
    *out = (struct ch_conn_event){.kind = CH_CONN_END, .stream = stream, .stream_id = stream->id};
    if (ch_frame_read_status(payload, &out->status, &err))
        return ch_conn_failed(conn, now_us, out, err.code, err.text);
    if (stream->is_in_parts && out->status.code == CHARLE_OK)
        return ch_conn_failed(conn, now_us, out, CHARLE_MALFORMED, "a call ended OK in the middle of a message");
    ch_conn_remove(conn, stream);
    return CHARLE_OK;
}

static enum charle_err receive_on_client(struct ch_conn *conn, struct ch_conn_stream *stream,
                                         const struct ch_frame *frame, struct charle_bytes payload, int64_t now_us,
                                         struct ch_conn_event *out)
{
    if (frame->type == CH_FRAME_MESSAGE)
        return receive_message(conn, stream, frame, payload, now_us, out);
    if (frame->type == CH_FRAME_STATUS)
        return receive_status(conn, stream, payload, now_us, out);
    return ch_conn_failed(conn, now_us, out, CHARLE_MALFORMED, "a server cannot send this frame");
}

enum charle_err ch_conn_receive(struct ch_conn *conn, const struct ch_frame *frame, struct charle_bytes payload,
                                int64_t now_us, struct ch_conn_event *out)
{
    if (frame->type == CH_FRAME_CALL)
        return receive_call(conn, frame, payload, now_us, out);
    struct ch_conn_stream *stream = ch_streams_find(&conn->streams, frame->stream_id);
    if (!stream && frame->stream_id > conn->last_id)
        return ch_conn_failed(conn, now_us, out, CHARLE_MALFORMED, "a frame came for a call that was never made");
    if (!stream)
        return CHARLE_DONE; // the call has ended while the frame was on its way
    return conn->options.role == CH_CONN_SERVER ? receive_on_server(conn, stream, frame, payload, now_us, out)
                                                : receive_on_client(conn, stream, frame, payload, now_us, out);
}
