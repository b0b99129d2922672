// One connection's protocol state, on either end: bytes in, events out, bytes to send in a buffer. Pure: no I/O, no
// threads, no clock of its own (every function that needs the time is given it), so that it can be fuzzed and
// simulated.
//
// States:
//   NEW      nothing valid has come. A client has queued its magic and HELLO; a server waits for them, at most 5 s.
//   OPEN     HELLOs are exchanged: calls travel.
//   CLOSING  this side failed the connection: a GOAWAY with the reason is queued, what still arrives is thrown away.
// GOAWAY of either side with code OK sets is_draining: calls in progress go on, new ones are refused.
//
// Reading:  read_space → (transport fills) → read_done → next … until DONE. Events point into the read buffer and are
// valid until
//           the next read_space. Only one thread reads.
// Writing:  functions append frames to `out`; the owner takes the buffer with take_out, sends it, and reports with
// wrote.
//
// A stream is in the table from its start to its end. Whoever removes it ends the call, so a call ends once. Removal is
// by an END, MESSAGE with is_end, CANCEL, LATE event, by send_reply, send_status, cancel, or by take_any.
//
// Worked run of a unary call: client start → CALL{BODY,END}; server next → CALL event → accept; send_reply →
// MESSAGE{END}; client next → MESSAGE event, is_end. Of a stream: MESSAGE… while credit > 0, client consumed → WINDOW
// at each quarter of the window → server next → WRITABLE if a send was refused; send_status → STATUS; client next → END
// event.
#ifndef CHARLE_RPC_CONN_H
#define CHARLE_RPC_CONN_H

#include "rpc/frame.h"
#include "rpc/streams.h"

enum ch_conn_role { CH_CONN_CLIENT, CH_CONN_SERVER };
enum ch_conn_state { CH_CONN_NEW, CH_CONN_OPEN, CH_CONN_CLOSING };

struct ch_conn_options {
    enum ch_conn_role role;
    uint32_t message_size_max;
    uint32_t calls_max;       // server: in flight
    uint32_t heartbeat_ms;    // client: pings this often, gives up after two without a sign, the second soon; server: after three
    uint32_t idle_message_ms; // server: a half-sent message is given up after this long; 0: never
};

struct ch_conn_method {
    char *text; // not terminated
    size_t len;
};

struct ch_conn {
    struct ch_conn_options options;
    enum ch_conn_state state;
    bool has_magic; // the peer's magic has come
    bool has_sent_magic;
    bool is_draining; // one side said GOAWAY
    bool has_heard;   // bytes came since the last heartbeat check
    bool is_paused;   // the owner reads nothing for now, so silence is not the peer's fault
    uint8_t misses;
    struct ch_hello peer; // valid in OPEN
    uint32_t last_id;     // client: last given out; server: last seen
    uint32_t cut_above;   // client: the server will not look at calls above; UINT32_MAX: no such word
    struct ch_streams streams;
    size_t parts_size;       // held in all streams' parts
    struct charle_buf whole; // the message of the present event, when it came in parts
    struct charle_buf out;
    size_t unsent;       // bytes taken with take_out and not reported by wrote
    size_t unheard;      // bytes taken with take_out since the peer was last heard
    int64_t progress_us; // when bytes last left, or the first were queued
    // reading
    uint8_t *in;
    size_t in_capacity, in_start, in_end;
    bool is_in_full;        // the last read filled all the room there was
    bool has_pinged;        // client: a PING is out
    int64_t burst_us;       // when the read buffer was last of use
    int64_t frame_since_us; // when the incomplete frame in the buffer began; 0: none
    // method names by number: server [number - 1]; client sends [index + 1]
    struct ch_conn_method *methods;
    uint16_t method_count;
    // times
    int64_t check_us;          // next heartbeat (OPEN) or the end of patience (NEW, CLOSING)
    int64_t deadline_us;       // no stream's deadline is before; INT64_MAX: there is none
    struct charle_error error; // why it is CLOSING
};

enum ch_conn_event_kind {
    CH_CONN_OPENED,   // HELLOs are exchanged
    CH_CONN_CALL,     // server: a request is complete: accept or refuse it before the next event
    CH_CONN_MESSAGE,  // client: a message; with is_end it was the last and the call ended OK
    CH_CONN_END,      // client: the call ended with `status`
    CH_CONN_CANCEL,   // server: the caller gave up
    CH_CONN_WRITABLE, // server: the stream has credit again
    CH_CONN_LATE,     // the deadline has passed
    CH_CONN_GOAWAY,   // the peer takes no new calls; client: streams above last_stream_id follow as END events
    CH_CONN_FAILED,   // state is CLOSING now; conn->error says why
};

struct ch_conn_event {
    enum ch_conn_event_kind kind;
    bool is_end;
    uint32_t stream_id;
    struct ch_conn_stream *stream; // CALL: NULL
    struct charle_bytes message;   // CALL, MESSAGE
    struct ch_call_head head;     // CALL; method is filled in also when only its number came, and lives as long as conn
    struct ch_status_head status; // END
    struct ch_goaway goaway;      // GOAWAY
};

void ch_conn_init(struct ch_conn *conn, const struct ch_conn_options *options, int64_t now_us);
void ch_conn_deinit(struct ch_conn *conn); // no stream may be left but half-sent requests, which go with it

// --- reading ---

// Where the next bytes go, and how many fit. NULL when memory is exhausted: close the connection.
uint8_t *ch_conn_read_space(struct ch_conn *conn, int64_t now_us, size_t *out_size);
void ch_conn_read_done(struct ch_conn *conn, size_t size, int64_t now_us);
// The next event of what was read. DONE: read more. Never fails: a malformed frame is the event FAILED.
enum charle_err ch_conn_next(struct ch_conn *conn, int64_t now_us, struct ch_conn_event *out);

// --- time ---

// When ch_conn_tick must be called, at the latest. In CLOSING: when the peer has had time enough to read why.
int64_t ch_conn_tick_due(const struct ch_conn *conn);
// What has become due: LATE and FAILED events, one a call; DONE when there is no more.
enum charle_err ch_conn_tick(struct ch_conn *conn, int64_t now_us, struct ch_conn_event *out);
// Frees buffers that only a burst needed. For quiet moments.
void ch_conn_shrink(struct ch_conn *conn);

// --- writing ---

// Moves what is queued into *sending, which must be empty and gives its memory in return. False when there is nothing.
bool ch_conn_take_out(struct ch_conn *conn, struct charle_buf *sending);
void ch_conn_wrote(struct ch_conn *conn, size_t size, int64_t now_us);
static inline size_t ch_conn_pending(const struct ch_conn *conn)
{
    return conn->out.size + conn->unsent;
}
// Memory or the limit of `out` ran out: the connection cannot go on.
static inline bool ch_conn_is_broken(const struct ch_conn *conn)
{
    return conn->out.failed != CHARLE_OK;
}

// Fails the connection: queues GOAWAY with the code and the words, goes to CLOSING. Nothing when it is there already.
void ch_conn_fail(struct ch_conn *conn, int64_t now_us, enum charle_err code, const char *format, ...)
    CHARLE_PRINTF(4, 5);
// The stream is gone: goes to CLOSING without a word, since nobody would read it. Keeps an earlier reason.
void ch_conn_abandon(struct ch_conn *conn, const char *text);
// Takes no new calls from now on and tells the peer.
void ch_conn_drain(struct ch_conn *conn, struct charle_str text);

// --- calls, client ---

// A call that is to be made.
struct ch_conn_call {
    struct charle_str method;
    struct charle_metadata metadata;
    struct charle_bytes request;
    int64_t deadline_us; // 0: none
    uint32_t window;     // of the reply's stream, more than CH_RPC_STREAM_WINDOW; 0: that
};

// May another call be started now? Not before OPEN, when draining, at the peer's limit, or with too much unsent.
bool ch_conn_has_room(const struct ch_conn *conn);
// Starts a call with its only request. Call ch_conn_has_room first. NO_MEMORY, or TOO_LARGE when the peer would refuse
// the request.
CHARLE_MUST_CHECK enum charle_err ch_conn_start(struct ch_conn *conn, struct ch_conn_stream *stream,
                                                const struct ch_conn_call *call, int64_t now_us,
                                                struct charle_error *err);
void ch_conn_cancel(struct ch_conn *conn, struct ch_conn_stream *stream);
void ch_conn_consumed(struct ch_conn *conn, struct ch_conn_stream *stream, size_t size);

// --- calls, server ---

CHARLE_MUST_CHECK enum charle_err ch_conn_accept(struct ch_conn *conn, uint32_t id, struct ch_conn_stream *stream,
                                                 int64_t deadline_us);
void ch_conn_refuse(struct ch_conn *conn, uint32_t id, enum charle_err code, const char *text);
// RESOURCE_EXHAUSTED: no credit, or too much unsent; WRITABLE follows. TOO_LARGE: the peer reads no such message.
CHARLE_MUST_CHECK enum charle_err ch_conn_send(struct ch_conn *conn, struct ch_conn_stream *stream,
                                               struct charle_bytes message);
bool ch_conn_can_send(const struct ch_conn *conn, const struct ch_conn_stream *stream);
// After the write buffer drained: the next stream at or behind *slot that was refused for it and has room now; NULL at
// the end.
struct ch_conn_stream *ch_conn_unblock(struct ch_conn *conn, uint32_t *slot);
// Ends the call: a last message (NULL: none) and the status. A message that is too large for the peer makes it
// TOO_LARGE.
void ch_conn_finish(struct ch_conn *conn, struct ch_conn_stream *stream, const struct charle_bytes *message,
                    const struct charle_status *status);

// Any call that is in progress, removed; NULL when there is none. For the end of the connection.
struct ch_conn_stream *ch_conn_take_any(struct ch_conn *conn);

#endif
