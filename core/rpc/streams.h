// The calls in progress on one connection, by stream number: open addressing, no memory while there are none.
//
// Streams lie inside the objects of their owners; the table holds pointers. Not thread-safe.
#ifndef CHARLE_RPC_STREAMS_H
#define CHARLE_RPC_STREAMS_H

#include "base/buf.h"

// The connection's view of one call. Owners zero it and read only `id`; the rest belongs to conn.c.
struct ch_conn_stream {
    uint32_t id;         // 0: on no connection, so the call is over or has not begun
    bool is_request;     // server: a request that has not ended yet; owned by the connection
    bool has_message;    // server: is_request, and its message is complete
    bool is_blocked;     // a send was refused; the owner wants to hear when there is room
    bool is_in_parts;    // a message has begun and not ended
    int64_t credit;      // bytes that the server may send, as this side knows it; one message may overshoot it
    uint32_t window;     // client: how far ahead of the reader the server may be
    uint32_t consumed;   // client: bytes dealt with and not yet given back as credit
    uint32_t head_size;  // server: is_request: the CALL head at the front of `parts`
    int64_t deadline_us; // 0: none
    int64_t
        call_deadline_us;    // server: is_request: the caller's, while deadline_us also watches for a half-sent message
    int64_t parts_since_us;  // when the message that is in parts began
    struct charle_buf parts; // of a message that has not ended
};

struct ch_streams {
    struct ch_conn_stream **slots;
    uint32_t capacity; // a power of two, or 0
    uint32_t count;
};

CHARLE_MUST_CHECK enum charle_err ch_streams_add(struct ch_streams *streams, struct ch_conn_stream *stream);
struct ch_conn_stream *ch_streams_find(const struct ch_streams *streams, uint32_t id); // NULL when there is none
void ch_streams_remove(struct ch_streams *streams, struct ch_conn_stream *stream);
// Walks in no order: returns the first stream at or behind slot *slot and moves *slot behind it; NULL at the end. After
// removing the returned stream, step *slot back by one, since another one may have taken its place.
struct ch_conn_stream *ch_streams_next(const struct ch_streams *streams, uint32_t *slot);
void ch_streams_shrink(struct ch_streams *streams); // gives the memory back when the table is empty
void ch_streams_deinit(struct ch_streams *streams);

#endif
