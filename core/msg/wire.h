// Protobuf bytes <-> structs, driven by descriptors, and the small readers and writers they are made of.
//
// What protobuf-c does not do and this does: UTF-8 of strings is checked, nesting and memory are bounded before
// anything is allocated, a singular sub-message that comes twice is merged, and every failure says which field. Unknown
// fields are skipped. Unknown enum numbers are kept as numbers (validation is the table's CHECK or the service).
#ifndef CHARLE_MSG_WIRE_H
#define CHARLE_MSG_WIRE_H

#include "base/arena.h"
#include "base/buf.h"
#include "msg/msg.h"

// Appends the bytes of a message. Fields go out in ascending order of number, so equal messages give equal bytes. An
// array without items writes nothing, whatever its `has`. A failure (limit, memory, a required sub-message that is
// NULL) is remembered in buf->failed.
void charle_message_write(const struct charle_message *type, const void *message, struct charle_buf *buf);

// Reads bytes into *out (type->size bytes, zeroed here first). Strings and bytes point into `bytes`, which must outlive
// the message; arrays and sub-messages come from the arena.
// Errors: MALFORMED, TOO_LARGE, NO_MEMORY; INVALID_ARGUMENT for a missing required field.
CHARLE_MUST_CHECK enum charle_err charle_message_read(const struct charle_message *type, struct charle_bytes bytes,
                                                      struct charle_arena *arena, void *out, struct charle_error *err);

// Raw pieces, for engines that go from one form to another without a struct between.
void charle_wire_write_varint(struct charle_buf *buf, uint64_t value);
void charle_wire_write_tag(struct charle_buf *buf, uint32_t number,
                           int wire_type); // 0 varint, 1 fixed64, 2 len, 5 fixed32
void charle_wire_write_bytes(struct charle_buf *buf, uint32_t number, const void *data, size_t size);
// The content of another buffer as a field; what made that one fail makes this one fail.
void charle_wire_write_buf(struct charle_buf *buf, uint32_t number, const struct charle_buf *content);
size_t charle_wire_varint_size(uint64_t value);
static inline uint64_t charle_wire_zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}
static inline int64_t charle_wire_unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

// A cursor over one message's bytes. Zero-copy; never reads past `end`.
struct charle_wire_reader {
    const uint8_t *next;
    const uint8_t *end;
};
struct charle_wire_field {
    uint32_t number;
    int wire_type;             // 0, 1, 2 or 5
    uint64_t value;            // varint, fixed32, fixed64
    struct charle_bytes bytes; // length-delimited
};
// DONE at the end; MALFORMED when the bytes do not parse (groups are refused).
enum charle_err charle_wire_next(struct charle_wire_reader *reader, struct charle_wire_field *out);

bool charle_utf8_is_valid(struct charle_str text); // also refuses U+0000, which PostgreSQL cannot store

#endif
