#include "msg/wire_inline.h"

enum { NUMBER_MAX = (1 << 29) - 1, VARINT_SIZE_MAX = 10, TAG_SIZE_MAX = 5 };

bool ch_wire_read_varint_slow(struct charle_wire_reader *reader, uint64_t *out)
{
    uint64_t value = 0;
    const uint8_t *p = reader->next;
    for (int shift = 0; shift < 70; shift += 7) {
        if (p >= reader->end)
            return false;
        uint8_t byte = *p++;
        value |= (uint64_t)(byte & 0x7f) << shift; // bits past the 64th fall off, as in every protobuf runtime
        if (byte < 0x80) {
            reader->next = p;
            *out = value;
            return true;
        }
    }
    return false;
}

void charle_wire_write_varint(struct charle_buf *buf, uint64_t value)
{
    uint8_t *to = charle_buf_reserve(buf, VARINT_SIZE_MAX);
    if (to)
        charle_buf_advance(buf, (size_t)(ch_wire_put_varint(to, value) - to));
}

void charle_wire_write_tag(struct charle_buf *buf, uint32_t number, int wire_type)
{
    charle_wire_write_varint(buf, (uint64_t)number << 3 | (uint64_t)wire_type);
}

void charle_wire_write_bytes(struct charle_buf *buf, uint32_t number, const void *data, size_t size)
{
    charle_wire_write_tag(buf, number, CH_WIRE_LEN);
    charle_wire_write_varint(buf, size);
    charle_buf_add(buf, data, size);
}

void charle_wire_write_buf(struct charle_buf *buf, uint32_t number, const struct charle_buf *content)
{
    charle_wire_write_bytes(buf, number, content->data, content->size);
    if (!buf->failed)
        buf->failed = content->failed;
}

size_t charle_wire_varint_size(uint64_t value)
{
    return (size_t)(70 - __builtin_clzll(value | 1)) / 7;
}

static bool read_fixed(struct charle_wire_reader *reader, size_t size, uint64_t *out)
{
    if ((size_t)(reader->end - reader->next) < size)
        return false;
    *out = size == 4 ? ch_le32(ch_load32(reader->next)) : ch_le64(ch_load64(reader->next));
    reader->next += size;
    return true;
}

static bool read_len(struct charle_wire_reader *reader, struct charle_bytes *out)
{
    uint64_t len;
    if (!ch_wire_read_varint(reader, &len) || len > (uint64_t)(reader->end - reader->next))
        return false;
    *out = charle_bytes(reader->next, (size_t)len);
    reader->next += len;
    return true;
}

enum charle_err charle_wire_next(struct charle_wire_reader *reader, struct charle_wire_field *out)
{
    if (reader->next == reader->end)
        return CHARLE_DONE;
    uint64_t tag;
    if (!ch_wire_read_varint(reader, &tag) || tag >> 3 == 0 || tag >> 3 > NUMBER_MAX)
        return CHARLE_MALFORMED;
    out->number = (uint32_t)(tag >> 3);
    out->wire_type = (int)(tag & 7);
    bool ok = false;
    switch (out->wire_type) {
    case CH_WIRE_VARINT:
        ok = ch_wire_read_varint(reader, &out->value);
        break;
    case CH_WIRE_FIXED64:
        ok = read_fixed(reader, 8, &out->value);
        break;
    case CH_WIRE_LEN:
        ok = read_len(reader, &out->bytes);
        break;
    case CH_WIRE_FIXED32:
        ok = read_fixed(reader, 4, &out->value);
        break;
    }
    return ok ? CHARLE_OK : CHARLE_MALFORMED;
}
