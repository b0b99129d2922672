// Structs to JSON text, one line an object.
#include "base/limits.h"
#include "msg/json.h"
#include "msg/scalar.h"
#include "msg/wire.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void write_object(const struct charle_message *type, const void *message, struct charle_buf *buf, int depth);

void charle_json_write_str(struct charle_buf *buf, struct charle_str text)
{
    static const char hex[] = "0123456789abcdef";
    charle_buf_add_byte(buf, '"');
    size_t plain = 0; // start of the run that needs no escape
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
            continue;
        charle_buf_add(buf, text.ptr + plain, i - plain);
        plain = i + 1;
        const char *known = c == '\n' ? "\\n" : c == '\t' ? "\\t" : c == '\r' ? "\\r" : c == '"' ? "\\\"" : NULL;
        if (known || c == '\\') {
            charle_buf_add_text(buf, known ? known : "\\\\");
        } else {
            char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
            charle_buf_add(buf, escape, sizeof(escape));
        }
    }
    if (text.len > plain)
        charle_buf_add(buf, text.ptr + plain, text.len - plain);
    charle_buf_add_byte(buf, '"');
}

static void write_base64(struct charle_buf *buf, struct charle_bytes bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    charle_buf_add_byte(buf, '"');
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t v = (uint32_t)bytes.ptr[i] << 16 | (left > 1 ? (uint32_t)bytes.ptr[i + 1] << 8 : 0) |
                     (left > 2 ? bytes.ptr[i + 2] : 0);
        char out[4] = {digits[v >> 18], digits[v >> 12 & 63], left > 1 ? digits[v >> 6 & 63] : '=',
                       left > 2 ? digits[v & 63] : '='};
        charle_buf_add(buf, out, sizeof(out));
    }
    charle_buf_add_byte(buf, '"');
}

// The shortest text that reads back as the same number. JSON has no infinities: they are strings, as in protobuf's
// JSON.
static void write_double(struct charle_buf *buf, double v, int digits_min, int digits_max)
{
    if (!isfinite(v)) {
        charle_buf_add_text(buf, isnan(v) ? "\"NaN\"" : v > 0 ? "\"Infinity\"" : "\"-Infinity\"");
        return;
    }
    char text[40];
    for (int digits = digits_min; digits <= digits_max; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, v);
        double back = strtod(text, NULL);
        if (digits == digits_max || (digits_max < 10 ? (float)back == (float)v : !(back < v) && !(back > v)))
            break;
    }
    charle_buf_add_text(buf, text);
}

// jsonb may hold line breaks between its tokens, never inside a string; one line is one object.
static void write_inline_json(struct charle_buf *buf, struct charle_str text)
{
    if (!text.len) {
        charle_buf_add_text(buf, "null");
        return;
    }
    uint8_t *to = charle_buf_reserve(buf, text.len);
    if (!to)
        return;
    for (size_t i = 0; i < text.len; i++)
        to[i] = text.ptr[i] == '\n' || text.ptr[i] == '\r' ? ' ' : (uint8_t)text.ptr[i];
    charle_buf_advance(buf, text.len);
}

static void write_quoted(struct charle_buf *buf, const char *text, size_t len)
{
    charle_json_write_str(buf, charle_str_n(text, len));
}

static void write_enum(const struct charle_field *field, int32_t number, struct charle_buf *buf)
{
    const struct charle_enum_value *value =
        field->enumeration ? charle_enum_by_number(field->enumeration, number) : NULL;
    if (value)
        charle_json_write_str(buf, value->name);
    else
        charle_buf_printf(buf, "%d", number); // a newer peer's value
}

static void write_value(const struct charle_field *field, const void *at, struct charle_buf *buf, int depth)
{
    char text[CHARLE_TS_TEXT_SIZE];
    struct charle_uuid uuid;
    char uuid_text[CHARLE_UUID_TEXT_LEN + 1];
    switch ((enum charle_type)field->type) {
    case CHARLE_TYPE_BOOL:
        charle_buf_add_text(buf, *(const bool *)at ? "true" : "false");
        break;
    case CHARLE_TYPE_INT4:
        charle_buf_printf(buf, "%d", *(const int32_t *)at);
        break;
    case CHARLE_TYPE_UINT4:
        charle_buf_printf(buf, "%u", *(const uint32_t *)at);
        break;
    case CHARLE_TYPE_INT8:
        charle_buf_printf(buf, "%lld", (long long)*(const int64_t *)at);
        break;
    case CHARLE_TYPE_UINT8:
        charle_buf_printf(buf, "%llu", (unsigned long long)*(const uint64_t *)at);
        break;
    case CHARLE_TYPE_FLOAT4:
        write_double(buf, (double)*(const float *)at, 6, 9);
        break;
    case CHARLE_TYPE_FLOAT8:
        write_double(buf, *(const double *)at, 15, 17);
        break;
    case CHARLE_TYPE_ENUM:
        write_enum(field, *(const int32_t *)at, buf);
        break;
    case CHARLE_TYPE_TIMESTAMPTZ:
        write_quoted(buf, text, charle_ts_write(*(const struct charle_ts *)at, text));
        break;
    case CHARLE_TYPE_DATE:
        write_quoted(buf, text, charle_date_write(*(const struct charle_date *)at, text));
        break;
    case CHARLE_TYPE_UUID:
        memcpy(&uuid, at, sizeof(uuid));
        charle_uuid_write(uuid, uuid_text);
        write_quoted(buf, uuid_text, CHARLE_UUID_TEXT_LEN);
        break;
    case CHARLE_TYPE_TEXT:
    case CHARLE_TYPE_NUMERIC:
        charle_json_write_str(buf, *(const struct charle_str *)at);
        break;
    case CHARLE_TYPE_JSONB:
        write_inline_json(buf, *(const struct charle_str *)at);
        break;
    case CHARLE_TYPE_BYTES:
        write_base64(buf, *(const struct charle_bytes *)at);
        break;
    case CHARLE_TYPE_MESSAGE:
        write_object(field->message, *(const void *const *)at, buf, depth + 1);
        break;
    }
}

static void write_field(const struct charle_field *field, const void *message, struct charle_buf *buf, int depth)
{
    const char *at = charle_field_ptr(field, message);
    if (field->label != CHARLE_REPEATED) {
        if (charle_field_has(field, message))
            write_value(field, at, buf, depth);
        else
            charle_buf_add_text(buf, "null");
        return;
    }
    const struct charle_array *array = (const void *)at;
    size_t item_size = charle_type_size((enum charle_type)field->type);
    charle_buf_add_byte(buf, '[');
    for (size_t i = 0; i < array->count && !buf->failed; i++) {
        if (i)
            charle_buf_add_byte(buf, ',');
        write_value(field, (const char *)array->items + i * item_size, buf, depth);
    }
    charle_buf_add_byte(buf, ']');
}

static void write_object(const struct charle_message *type, const void *message, struct charle_buf *buf, int depth)
{
    if (!message) {
        charle_buf_add_text(buf, "null");
        return;
    }
    if (depth > CH_MESSAGE_DEPTH_MAX) {
        buf->failed = buf->failed ? buf->failed : CHARLE_TOO_LARGE;
        return;
    }
    charle_buf_add_byte(buf, '{');
    bool is_first = true;
    for (size_t i = 0; i < type->field_count && !buf->failed; i++) {
        const struct charle_field *field = &type->fields[i];
        if (!charle_field_has(field, message))
            continue;
        if (!is_first)
            charle_buf_add_byte(buf, ',');
        is_first = false;
        charle_json_write_str(buf, field->name);
        charle_buf_add_byte(buf, ':');
        write_field(field, message, buf, depth);
    }
    charle_buf_add_byte(buf, '}');
}

void charle_message_write_json(const struct charle_message *type, const void *message, struct charle_buf *buf)
{
    write_object(type, message, buf, 1);
}

void charle_field_write_json(const struct charle_field *field, const void *message, struct charle_buf *buf)
{
    write_field(field, message, buf, 1);
}
