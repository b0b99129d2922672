// What the two halves of the codec share. Internal to this folder.
//
// How a type lies in memory follows from how it lies on the wire: 32-bit wires have 4-byte members, 64-bit wires 8-byte
// members (charle_ts and charle_date are one such member each), strings and bytes are a pointer and a length, except
// UUID, which is 16 bytes whatever its wire. The generator keeps to this.
#ifndef CHARLE_MSG_WIRE_INLINE_H
#define CHARLE_MSG_WIRE_INLINE_H

#include "msg/wire.h"

enum { CH_WIRE_VARINT = 0, CH_WIRE_FIXED64 = 1, CH_WIRE_LEN = 2, CH_WIRE_FIXED32 = 5 };

// The tag's wire type of one value of the field.
static inline int ch_wire_type(enum charle_wire wire)
{
    static const uint8_t types[] = {
        [CHARLE_WIRE_INT32] = CH_WIRE_VARINT,     [CHARLE_WIRE_INT64] = CH_WIRE_VARINT,
        [CHARLE_WIRE_UINT32] = CH_WIRE_VARINT,    [CHARLE_WIRE_UINT64] = CH_WIRE_VARINT,
        [CHARLE_WIRE_SINT32] = CH_WIRE_VARINT,    [CHARLE_WIRE_SINT64] = CH_WIRE_VARINT,
        [CHARLE_WIRE_FIXED32] = CH_WIRE_FIXED32,  [CHARLE_WIRE_FIXED64] = CH_WIRE_FIXED64,
        [CHARLE_WIRE_SFIXED32] = CH_WIRE_FIXED32, [CHARLE_WIRE_SFIXED64] = CH_WIRE_FIXED64,
        [CHARLE_WIRE_FLOAT] = CH_WIRE_FIXED32,    [CHARLE_WIRE_DOUBLE] = CH_WIRE_FIXED64,
        [CHARLE_WIRE_BOOL] = CH_WIRE_VARINT,      [CHARLE_WIRE_ENUM] = CH_WIRE_VARINT,
        [CHARLE_WIRE_STRING] = CH_WIRE_LEN,       [CHARLE_WIRE_BYTES] = CH_WIRE_LEN,
        [CHARLE_WIRE_MESSAGE] = CH_WIRE_LEN,
    };
    return types[wire];
}

static inline uint32_t ch_load32(const void *at)
{
    uint32_t v;
    memcpy(&v, at, sizeof(v));
    return v;
}

static inline uint64_t ch_load64(const void *at)
{
    uint64_t v;
    memcpy(&v, at, sizeof(v));
    return v;
}

// Fixed-width values are little-endian on the wire.
static inline uint32_t ch_le32(uint32_t v)
{
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap32(v);
}

static inline uint64_t ch_le64(uint64_t v)
{
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap64(v);
}

// Reads a varint of at most ten bytes; false when it is cut off or longer.
bool ch_wire_read_varint_slow(struct charle_wire_reader *reader, uint64_t *out);
static inline bool ch_wire_read_varint(struct charle_wire_reader *reader, uint64_t *out)
{
    const uint8_t *p = reader->next;
    ptrdiff_t left = reader->end - p;
    if (left > 0 && p[0] < 0x80) {
        *out = p[0];
        reader->next = p + 1;
        return true;
    }
    if (left > 1 && p[1] < 0x80) { // tags of fields 16 to 2047, lengths to 16383
        *out = (uint64_t)(p[0] & 0x7f) | (uint64_t)p[1] << 7;
        reader->next = p + 2;
        return true;
    }
    return ch_wire_read_varint_slow(reader, out);
}

// Writes a varint at `to`, which has room for ten bytes, and returns where it ends.
static inline uint8_t *ch_wire_put_varint(uint8_t *to, uint64_t value)
{
    while (value >= 0x80) {
        *to++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *to++ = (uint8_t)value;
    return to;
}

static inline uint8_t *ch_wire_put_tag(uint8_t *to, uint32_t number, int wire_type)
{
    return ch_wire_put_varint(to, (uint64_t)number << 3 | (uint64_t)wire_type);
}

#endif
