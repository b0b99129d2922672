// Frames: the bytes of the native protocol, written and read. docs/wire.md is the same in words and tables.
//
// A connection is eight magic bytes from each side, then frames: a header of twelve bytes and a payload. Numbers are
// little-endian.
//
//   offset 0  u32 size of the payload     4  u8 type     5  u8 flags     6  u16 zero     8  u32 stream, 0: none
//
// Everything here is pure. Readers check every bound before they look, never assert on what came from outside, and say
// in one sentence what is wrong. What they return points into the bytes they were given. Writers append to a
// charle_buf, which remembers its first failure; limits of what they are given are the caller's business
// (ch_metadata_check, ch_conn).
#ifndef CHARLE_RPC_FRAME_H
#define CHARLE_RPC_FRAME_H

#include "base/buf.h"
#include "rpc/rpc.h"

#define CH_FRAME_MAGIC \
    "\x89"             \
    "CHRPC\r\n" // not ASCII, and broken by anything that changes line ends
enum { CH_FRAME_MAGIC_SIZE = 8, CH_FRAME_HEADER_SIZE = 12, CH_FRAME_VERSION = 1 };

enum ch_frame_type {
    CH_FRAME_HELLO = 1,      // both, once, first: version and limits
    CH_FRAME_CALL = 2,       // client: a new stream: method, time that remains, metadata, often the request too
    CH_FRAME_MESSAGE = 3,    // both: a message or a part of one
    CH_FRAME_HALF_CLOSE = 4, // client: no more messages
    CH_FRAME_STATUS = 5,     // server: the call's end
    CH_FRAME_CANCEL = 6,     // client: the call's end
    CH_FRAME_WINDOW = 7,     // client: the stream's sender may send this many bytes more
    CH_FRAME_PING = 8,
    CH_FRAME_PONG = 9,
    CH_FRAME_GOAWAY = 10, // both: no new calls here; with a code other than OK the connection is over
};

enum ch_frame_flags {
    CH_FRAME_MORE = 1, // MESSAGE, CALL with BODY: the message goes on in the stream's next MESSAGE
    CH_FRAME_END = 2,  // MESSAGE, CALL: the sender's last message. From a server it stands for STATUS OK without more.
    CH_FRAME_BODY = 4, // CALL: behind the head lies a message or its first part
};

struct ch_frame {
    uint32_t size;
    uint8_t type;
    uint8_t flags;
    uint32_t stream_id;
};

struct ch_hello {
    uint16_t version;
    uint32_t frame_size_max;   // the largest payload the sender reads; at least CH_RPC_FRAME_SIZE_MAX
    uint32_t message_size_max; // the largest message it reads
    uint32_t stream_window;    // credit a stream towards it begins with
    uint32_t calls_max;        // calls in flight it answers
    uint32_t heartbeat_ms;     // how often it wants to hear something
};

// Metadata as it lies in a frame: `count` entries of u8 key size, u16 value size, key, value.
struct ch_metadata_block {
    struct charle_bytes bytes;
    size_t count;
};

struct ch_call_head {
    uint32_t timeout_ms;    // what remained when it was sent; UINT32_MAX: no deadline
    uint16_t method_number; // 0: none. With a name: remember the name under this number. Without: the name remembered.
    struct charle_str method;
    struct ch_metadata_block metadata;
};

// A CALL as it is written: metadata is the caller's, not a block. timeout_ms and method_number as in ch_call_head.
struct ch_call_out {
    uint32_t timeout_ms;
    uint16_t method_number;
    struct charle_str method;
    struct charle_metadata metadata;
};

struct ch_status_head {
    enum charle_err code;
    struct charle_str text;
    struct charle_bytes details;
    struct ch_metadata_block trailers;
};

struct ch_goaway {
    enum charle_err code;
    uint32_t last_stream_id; // calls above it were not looked at
    struct charle_str text;
};

// Checks sizes, flags and the zero field; whether a frame may come now is the connection's business. MALFORMED with a
// sentence.
CHARLE_MUST_CHECK enum charle_err ch_frame_read_header(const uint8_t bytes[CH_FRAME_HEADER_SIZE], struct ch_frame *out,
                                                       struct charle_error *err);
const char *ch_frame_type_name(uint8_t type); // "MESSAGE"; "unknown"

void ch_frame_write_hello(struct charle_buf *buf, const struct ch_hello *hello); // the magic is not part of it
CHARLE_MUST_CHECK enum charle_err ch_frame_read_hello(struct charle_bytes payload, struct ch_hello *out,
                                                      struct charle_error *err);

// A CALL frame with `body` behind the head. flags: of MORE, END, BODY. metadata was checked by ch_metadata_check.
void ch_frame_write_call(struct charle_buf *buf, uint32_t stream_id, uint8_t flags, const struct ch_call_out *call,
                         struct charle_bytes body);
size_t ch_frame_call_head_size(const struct ch_call_out *call);
CHARLE_MUST_CHECK enum charle_err ch_frame_read_call(struct charle_bytes payload, uint8_t flags,
                                                     struct ch_call_head *out, struct charle_bytes *out_body,
                                                     struct charle_error *err);

void ch_frame_write_message(struct charle_buf *buf, uint32_t stream_id, uint8_t flags, struct charle_bytes part);
void ch_frame_write_half_close(struct charle_buf *buf, uint32_t stream_id);
void ch_frame_write_cancel(struct charle_buf *buf, uint32_t stream_id);

// Text and details beyond their limits are cut or left out, so that a status always fits a frame.
void ch_frame_write_status(struct charle_buf *buf, uint32_t stream_id, const struct charle_status *status);
CHARLE_MUST_CHECK enum charle_err ch_frame_read_status(struct charle_bytes payload, struct ch_status_head *out,
                                                       struct charle_error *err);

void ch_frame_write_window(struct charle_buf *buf, uint32_t stream_id, uint32_t size);
CHARLE_MUST_CHECK enum charle_err ch_frame_read_window(struct charle_bytes payload, uint32_t *out_size,
                                                       struct charle_error *err);

void ch_frame_write_ping(struct charle_buf *buf, enum ch_frame_type type, uint64_t value); // PING or PONG
CHARLE_MUST_CHECK enum charle_err ch_frame_read_ping(struct charle_bytes payload, uint64_t *out_value,
                                                     struct charle_error *err);

void ch_frame_write_goaway(struct charle_buf *buf, const struct ch_goaway *goaway);
CHARLE_MUST_CHECK enum charle_err ch_frame_read_goaway(struct charle_bytes payload, struct ch_goaway *out,
                                                       struct charle_error *err);

// INVALID_ARGUMENT with a sentence: too many entries, too large, or a key that is not of a-z 0-9 - _ . (1 to 64 of
// them).
CHARLE_MUST_CHECK enum charle_err ch_metadata_check(struct charle_metadata metadata, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_method_name_check(struct charle_str method, struct charle_error *err);
size_t ch_metadata_size(struct charle_metadata metadata); // as a block
void ch_metadata_write(struct charle_buf *buf, struct charle_metadata metadata);
// Fills block.count entries that point into the block. The block was checked by the reader that handed it out.
void ch_metadata_unpack(struct ch_metadata_block block, struct charle_metadata_entry *out_entries);

#endif
