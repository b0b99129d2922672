// What the three files of the connection share: conn.c (states, read buffer, time), conn_receive.c (frames of calls),
// conn_send.c (calls started, answered, ended). For them only.
#ifndef CHARLE_RPC_CONN_PARTS_H
#define CHARLE_RPC_CONN_PARTS_H

#include "rpc/conn.h"

// Handles a frame that belongs to a stream. OK: *out is an event. DONE: nothing to tell.
enum charle_err ch_conn_receive(struct ch_conn *conn, const struct ch_frame *frame, struct charle_bytes payload,
                                int64_t now_us, struct ch_conn_event *out);

// Removes a stream from the table, drops its parts, and frees it when it is a half-sent request. Its call is over here.
void ch_conn_remove(struct ch_conn *conn, struct ch_conn_stream *stream);

// As ch_conn_fail, and fills in the event that says so. Returns OK, for `return ch_conn_failed(…)`.
enum charle_err ch_conn_failed(struct ch_conn *conn, int64_t now_us, struct ch_conn_event *out, enum charle_err code,
                               const char *text);

// Remembers that a stream's deadline may be the next one.
static inline void ch_conn_watch_deadline(struct ch_conn *conn, int64_t deadline_us)
{
    if (deadline_us && deadline_us < conn->deadline_us)
        conn->deadline_us = deadline_us;
}

// The client's table of method names: the number under which the server knows `method`, or 0, with *out_is_new when
// this call must carry the name too. 0 when the table is full or memory is.
uint16_t ch_conn_method_number(struct ch_conn *conn, struct charle_str method, bool *out_is_new);
// The server's side of it: keeps or finds the name. MALFORMED with a sentence; NO_MEMORY.
enum charle_err ch_conn_method_name(struct ch_conn *conn, struct ch_call_head *head, struct charle_error *err);
void ch_conn_methods_free(struct ch_conn *conn);

#endif
