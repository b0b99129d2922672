// Structs to protobuf bytes.
//
// One pass, forwards, into a growing buffer. A sub-message is written behind one byte kept for its length; when the
// length needs more bytes the content is moved up. Most sub-messages are under 128 bytes, and moving the others is
// cheaper than walking everything twice. What fails (room, nesting, a required sub-message that is not there) is
// remembered in the buffer.
#include "base/limits.h"
#include "msg/scalar.h"
#include "msg/wire_inline.h"

// Most bytes of a tag and a scalar, or of a tag and a length.
enum { HEAD_SIZE_MAX = 5 + 10 };

static void write_message(const struct charle_message *type, const void *message, struct charle_buf *buf, int depth);

static inline uint8_t *room(struct charle_buf *buf, size_t size)
{
    if (!buf->failed && size <= buf->capacity - buf->size)
        return buf->data + buf->size;
    return charle_buf_reserve(buf, size);
}

static void fail(struct charle_buf *buf, enum charle_err code)
{
    if (!buf->failed)
        buf->failed = code;
}

// Bytes of one scalar without its tag; `to` has room for ten.
static uint8_t *put_scalar(uint8_t *to, enum charle_wire wire, const void *value)
{
    uint32_t v32;
    uint64_t v64;
    switch (wire) {
    case CHARLE_WIRE_INT32:
    case CHARLE_WIRE_ENUM: // negative numbers travel as 64 bits
        return ch_wire_put_varint(to, (uint64_t)(int64_t)(int32_t)ch_load32(value));
    case CHARLE_WIRE_UINT32:
        return ch_wire_put_varint(to, ch_load32(value));
    case CHARLE_WIRE_INT64:
    case CHARLE_WIRE_UINT64:
        return ch_wire_put_varint(to, ch_load64(value));
    case CHARLE_WIRE_SINT32:
        return ch_wire_put_varint(to, charle_wire_zigzag((int32_t)ch_load32(value)));
    case CHARLE_WIRE_SINT64:
        return ch_wire_put_varint(to, charle_wire_zigzag((int64_t)ch_load64(value)));
    case CHARLE_WIRE_FIXED32:
    case CHARLE_WIRE_SFIXED32:
    case CHARLE_WIRE_FLOAT:
        v32 = ch_le32(ch_load32(value));
        memcpy(to, &v32, sizeof(v32));
        return to + sizeof(v32);
    case CHARLE_WIRE_FIXED64:
    case CHARLE_WIRE_SFIXED64:
    case CHARLE_WIRE_DOUBLE:
        v64 = ch_le64(ch_load64(value));
        memcpy(to, &v64, sizeof(v64));
        return to + sizeof(v64);
    case CHARLE_WIRE_BOOL:
        *to = *(const bool *)value ? 1 : 0;
        return to + 1;
    case CHARLE_WIRE_STRING:
    case CHARLE_WIRE_BYTES:
    case CHARLE_WIRE_MESSAGE:
        break; // not scalars
    }
    return to;
}

static void write_len(const struct charle_field *field, const void *data, size_t size, struct charle_buf *buf)
{
    uint8_t *to = size <= CH_BUF_SIZE_MAX ? room(buf, HEAD_SIZE_MAX + size) : NULL;
    if (!to) {
        fail(buf, CHARLE_TOO_LARGE);
        return;
    }
    uint8_t *p = ch_wire_put_tag(to, field->number, CH_WIRE_LEN);
    p = ch_wire_put_varint(p, size);
    if (size)
        memcpy(p, data, size);
    charle_buf_advance(buf, (size_t)(p - to) + size);
}

static void write_uuid(const struct charle_field *field, const void *value, struct charle_buf *buf)
{
    struct charle_uuid uuid;
    memcpy(&uuid, value, sizeof(uuid));
    if (field->wire == CHARLE_WIRE_BYTES) {
        write_len(field, uuid.bytes, sizeof(uuid.bytes), buf);
        return;
    }
    char text[CHARLE_UUID_TEXT_LEN + 1];
    charle_uuid_write(uuid, text);
    write_len(field, text, CHARLE_UUID_TEXT_LEN, buf);
}

// Starts something whose length is not known yet; finish_nested puts the length in. Returns where its content begins.
static size_t start_nested(const struct charle_field *field, struct charle_buf *buf)
{
    uint8_t *to = room(buf, HEAD_SIZE_MAX);
    if (!to)
        return 0;
    uint8_t *p = ch_wire_put_tag(to, field->number, CH_WIRE_LEN);
    charle_buf_advance(buf, (size_t)(p - to) + 1);
    return buf->size;
}

static void finish_nested(size_t start, struct charle_buf *buf)
{
    if (buf->failed)
        return;
    size_t size = buf->size - start;
    size_t extra = charle_wire_varint_size(size) - 1;
    if (extra) {
        if (!room(buf, extra))
            return;
        memmove(buf->data + start + extra, buf->data + start, size);
        charle_buf_advance(buf, extra);
    }
    ch_wire_put_varint(buf->data + start - 1, size);
}

static void write_sub(const struct charle_field *field, const void *sub, struct charle_buf *buf, int depth)
{
    if (!sub || depth >= CH_MESSAGE_DEPTH_MAX) {
        fail(buf, sub ? CHARLE_TOO_LARGE : CHARLE_INVALID_ARGUMENT);
        return;
    }
    size_t start = start_nested(field, buf);
    write_message(field->message, sub, buf, depth + 1);
    finish_nested(start, buf);
}

// One value that is there, with its tag. Not for sub-messages.
static void write_value(const struct charle_field *field, const void *value, struct charle_buf *buf)
{
    enum charle_wire wire = (enum charle_wire)field->wire;
    if (wire == CHARLE_WIRE_STRING || wire == CHARLE_WIRE_BYTES) {
        if (field->type == CHARLE_TYPE_UUID) {
            write_uuid(field, value, buf);
            return;
        }
        struct charle_str text; // charle_bytes, charle_numeric and charle_json lie the same way
        memcpy(&text, value, sizeof(text));
        write_len(field, text.ptr, text.len, buf);
        return;
    }
    uint8_t *to = room(buf, HEAD_SIZE_MAX);
    if (!to)
        return;
    uint8_t *p = ch_wire_put_tag(to, field->number, ch_wire_type(wire));
    p = put_scalar(p, wire, value);
    charle_buf_advance(buf, (size_t)(p - to));
}

static void write_packed(const struct charle_field *field, const struct charle_array *array, size_t item_size,
                         struct charle_buf *buf)
{
    size_t start = start_nested(field, buf);
    const char *item = array->items;
    for (size_t i = 0; i < array->count && !buf->failed; i++, item += item_size) {
        uint8_t *to = room(buf, HEAD_SIZE_MAX);
        if (to)
            charle_buf_advance(buf, (size_t)(put_scalar(to, (enum charle_wire)field->wire, item) - to));
    }
    finish_nested(start, buf);
}

static void write_array(const struct charle_field *field, const struct charle_array *array, struct charle_buf *buf,
                        int depth)
{
    size_t item_size = charle_type_size((enum charle_type)field->type);
    if (field->packed && array->count) {
        write_packed(field, array, item_size, buf);
        return;
    }
    const char *item = array->items;
    for (size_t i = 0; i < array->count && !buf->failed; i++, item += item_size) {
        if (field->wire == CHARLE_WIRE_MESSAGE)
            write_sub(field, ((const void *const *)array->items)[i], buf, depth);
        else
            write_value(field, item, buf);
    }
}

static void write_message(const struct charle_message *type, const void *message, struct charle_buf *buf, int depth)
{
    for (size_t i = 0; i < type->field_count; i++) { // a message without fields may have no array of them
        const struct charle_field *field = &type->fields[i];
        const void *at = (const char *)message + field->offset;
        if (field->label == CHARLE_REPEATED) {
            write_array(field, at, buf, depth);
        } else if (field->wire == CHARLE_WIRE_MESSAGE) {
            const void *sub = *(const void *const *)at;
            if (sub || field->label == CHARLE_REQUIRED)
                write_sub(field, sub, buf, depth);
        } else if (field->label == CHARLE_REQUIRED || *((const bool *)message + field->has_offset)) {
            write_value(field, at, buf);
        }
    }
}

void charle_message_write(const struct charle_message *type, const void *message, struct charle_buf *buf)
{
    write_message(type, message, buf, 1);
}
