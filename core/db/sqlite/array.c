// Arrays in SQLite: JSON text, compact. Numbers and booleans are JSON's own; bytes are hexadecimal; timestamps are
// numbers; everything else is a string. What is not a finite number is a string too ("NaN").
#include "db/json_canonical.h"
#include "db/sqlite/internal.h"
#include "msg/json.h"
#include "msg/json_text.h"
#include "msg/scalar.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void write_hex(struct charle_buf *buf, struct charle_bytes bytes)
{
    static const char digits[] = "0123456789abcdef";
    charle_buf_add_byte(buf, '"');
    for (size_t i = 0; i < bytes.len; i++) {
        charle_buf_add_byte(buf, (uint8_t)digits[bytes.ptr[i] >> 4]);
        charle_buf_add_byte(buf, (uint8_t)digits[bytes.ptr[i] & 15]);
    }
    charle_buf_add_byte(buf, '"');
}

static void write_float(struct charle_buf *buf, double value)
{
    char text[40];
    if (!isfinite(value)) {
        charle_buf_add_text(buf, isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
        return;
    }
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(text, sizeof(text), "%.*g", precision, value == 0 ? 0 : value);
        if (strtod(text, NULL) == value)
            break;
    }
    charle_buf_add_text(buf, text);
}

static void write_json(const struct charle_str *item, struct charle_arena *arena, struct charle_buf *buf)
{
    struct charle_str canonical = {0};
    enum charle_err rc = ch_json_canonical(*item, arena, &canonical, NULL);
    if (rc)
        buf->failed = rc;
    else
        charle_json_write_str(buf, canonical);
}

static void write_item(enum charle_type type, const void *item, struct charle_arena *arena, struct charle_buf *buf)
{
    char text[CHARLE_UUID_TEXT_LEN + 1];
    switch (type) {
    case CHARLE_TYPE_BOOL:
        charle_buf_add_text(buf, *(const bool *)item ? "true" : "false");
        return;
    case CHARLE_TYPE_INT4:
        charle_buf_printf(buf, "%d", *(const int32_t *)item);
        return;
    case CHARLE_TYPE_INT8:
    case CHARLE_TYPE_TIMESTAMPTZ:
        charle_buf_printf(buf, "%lld", (long long)*(const int64_t *)item);
        return;
    case CHARLE_TYPE_FLOAT8:
        write_float(buf, *(const double *)item);
        return;
    case CHARLE_TYPE_BYTES:
        write_hex(buf, *(const struct charle_bytes *)item);
        return;
    case CHARLE_TYPE_DATE:
        if (!charle_date_is_text(*(const struct charle_date *)item))
            buf->failed = CHARLE_OUT_OF_RANGE;
        charle_date_write(*(const struct charle_date *)item, text);
        charle_json_write_str(buf, charle_str(text));
        return;
    case CHARLE_TYPE_UUID:
        charle_uuid_write(*(const struct charle_uuid *)item, text);
        charle_json_write_str(buf, charle_str(text));
        return;
    case CHARLE_TYPE_TEXT:
    case CHARLE_TYPE_ENUM:
    case CHARLE_TYPE_NUMERIC:
        charle_json_write_str(buf, *(const struct charle_str *)item);
        return;
    case CHARLE_TYPE_JSONB:
        write_json(item, arena, buf);
        return;
    case CHARLE_TYPE_MESSAGE:
    case CHARLE_TYPE_UINT4:
    case CHARLE_TYPE_UINT8:
    case CHARLE_TYPE_FLOAT4:
        break;
    }
    buf->failed = CHARLE_INVALID_ARGUMENT;
}

enum charle_err ch_sqlite_array_write(enum charle_type type, const struct charle_array *array,
                                      struct charle_arena *arena, struct charle_str *out, struct charle_error *err)
{
    struct charle_buf buf = {0};
    enum charle_type as = type == CHARLE_TYPE_ENUM ? CHARLE_TYPE_TEXT : type;
    size_t item_size = charle_type_size(as);
    charle_buf_add_byte(&buf, '[');
    for (size_t i = 0; i < array->count && !buf.failed; i++) {
        if (i)
            charle_buf_add_byte(&buf, ',');
        write_item(as, (const char *)array->items + i * item_size, arena, &buf);
    }
    charle_buf_add_byte(&buf, ']');
    enum charle_err rc = buf.failed;
    if (!rc) {
        *out = charle_arena_str(arena, charle_buf_str(&buf));
        rc = out->ptr ? CHARLE_OK : CHARLE_NO_MEMORY;
    }
    charle_buf_deinit(&buf);
    return rc ? charle_fail(err, rc, "an array of %zu %s cannot be stored", array->count, charle_type_name(type))
              : CHARLE_OK;
}

// --- reading --------------------------------------------------------------------------------------------------------

static bool read_hex(struct charle_str text, struct charle_arena *arena, struct charle_bytes *out)
{
    uint8_t *bytes = charle_arena_alloc(arena, text.len / 2);
    if (!bytes || text.len % 2)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return false;
        bytes[i / 2] = (uint8_t)(bytes[i / 2] << 4 | digit);
    }
    *out = charle_bytes(bytes, text.len / 2);
    return true;
}

static bool read_int(struct charle_str raw, int64_t min, int64_t max, int64_t *out)
{
    char text[32] = {0}, *end;
    if (raw.len == 0 || raw.len >= sizeof(text))
        return false;
    memcpy(text, raw.ptr, raw.len);
    errno = 0;
    long long value = strtoll(text, &end, 10);
    *out = value;
    return errno == 0 && *end == '\0' && value >= min && value <= max;
}

static bool read_float(struct charle_str raw, double *out)
{
    char text[64] = {0}, *end;
    if (raw.len == 0 || raw.len >= sizeof(text))
        return false;
    memcpy(text, raw.ptr, raw.len);
    *out = strtod(text, &end);
    return *end == '\0';
}

static bool set_item(enum charle_type type, struct charle_str raw, struct charle_arena *arena, void *item)
{
    int64_t number;
    switch (type) {
    case CHARLE_TYPE_BOOL:
        *(bool *)item = charle_str_equal(raw, CHARLE_STR("true")) || charle_str_equal(raw, CHARLE_STR("1"));
        return *(bool *)item || charle_str_equal(raw, CHARLE_STR("false")) || charle_str_equal(raw, CHARLE_STR("0"));
    case CHARLE_TYPE_INT4:
        if (!read_int(raw, INT32_MIN, INT32_MAX, &number))
            return false;
        *(int32_t *)item = (int32_t)number;
        return true;
    case CHARLE_TYPE_INT8:
    case CHARLE_TYPE_TIMESTAMPTZ:
        return read_int(raw, INT64_MIN, INT64_MAX, item);
    case CHARLE_TYPE_FLOAT8:
        return read_float(raw, item);
    case CHARLE_TYPE_BYTES:
        return read_hex(raw, arena, item);
    case CHARLE_TYPE_DATE:
        return charle_date_read(raw, item);
    case CHARLE_TYPE_UUID:
        return charle_uuid_read(raw, item);
    case CHARLE_TYPE_NUMERIC:
        return charle_numeric_read(raw, arena, item);
    case CHARLE_TYPE_TEXT:
    case CHARLE_TYPE_JSONB:
        *(struct charle_str *)item = raw;
        return true;
    case CHARLE_TYPE_ENUM:
    case CHARLE_TYPE_MESSAGE:
    case CHARLE_TYPE_UINT4:
    case CHARLE_TYPE_UINT8:
    case CHARLE_TYPE_FLOAT4:
        break;
    }
    return false;
}

// One element: a string's content, or the text of anything else.
static bool next_item(struct ch_json_scanner *scanner, struct charle_arena *arena, struct charle_str *out)
{
    return ch_json_peek(scanner) == '"' ? ch_json_string(scanner, arena, out) : ch_json_skip(scanner, out);
}

static size_t count_items(struct charle_str text)
{
    struct ch_json_scanner scanner = ch_json_scanner(text);
    size_t count = 0;
    if (!ch_json_take(&scanner, '['))
        return SIZE_MAX;
    if (ch_json_take(&scanner, ']'))
        return ch_json_peek(&scanner) ? SIZE_MAX : 0;
    do {
        if (!ch_json_skip(&scanner, NULL))
            return SIZE_MAX;
        count++;
    } while (ch_json_take(&scanner, ','));
    return ch_json_take(&scanner, ']') && !ch_json_peek(&scanner) ? count : SIZE_MAX;
}

enum charle_err ch_sqlite_array_read(enum charle_type type, struct charle_str text, struct charle_arena *arena,
                                     struct charle_array *out, struct charle_error *err)
{
    enum charle_type as = type == CHARLE_TYPE_ENUM ? CHARLE_TYPE_TEXT : type;
    size_t item_size = charle_type_size(as), count = count_items(text), kept = 0;
    if (count == SIZE_MAX)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "an array column holds text that is not a JSON array: %.*s",
                           CHARLE_FMT(text));
    char *items = charle_arena_array(arena, count ? count : 1, item_size);
    if (!items)
        return charle_fail(err, CHARLE_NO_MEMORY, "no room for an array of %zu items", count);
    struct ch_json_scanner scanner = ch_json_scanner(text);
    ch_json_take(&scanner, '[');
    for (size_t i = 0; i < count; i++) {
        struct charle_str raw;
        bool is_null = ch_json_peek(&scanner) == 'n';
        if (!next_item(&scanner, arena, &raw) || (!is_null && !set_item(as, raw, arena, items + kept * item_size)))
            return charle_fail(err, CHARLE_INVALID_ARGUMENT, "item %zu of an array column is not %s: %.*s", i + 1,
                               charle_type_name(type), CHARLE_FMT(text));
        kept += !is_null;
        ch_json_take(&scanner, ',');
    }
    *out = (struct charle_array){.items = items, .count = kept, .has = true};
    return CHARLE_OK;
}
