// JSON text to structs, without a tree between: the scanner walks the text once, arrays are counted first.
#include "base/limits.h"
#include "msg/json.h"
#include "msg/json_text.h"
#include "msg/scalar.h"
#include "msg/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBER_TEXT_MAX = 64, LIST_TEXT_MAX = 160 };

struct reading {
    struct ch_json_scanner in;
    struct charle_arena *arena;
    struct charle_error *err;
};

static enum charle_err read_object(struct reading *rd, const struct charle_message *type, void *out, int depth);

// --- plain text to values ----------------------------------------------------------------------------------

static bool read_integer(struct charle_str text, int64_t min, int64_t max, int64_t *out)
{
    char copy[NUMBER_TEXT_MAX];
    size_t sign = text.len && text.ptr[0] == '-';
    if (text.len <= sign || text.len >= sizeof(copy) || text.ptr[sign] < '0' || text.ptr[sign] > '9')
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    char *end;
    errno = 0;
    long long value = strtoll(copy, &end, 10);
    if (errno || end != copy + text.len || value < min || value > max)
        return false;
    *out = value;
    return true;
}

static bool read_unsigned(struct charle_str text, uint64_t *out)
{
    char copy[NUMBER_TEXT_MAX];
    if (!text.len || text.len >= sizeof(copy) || text.ptr[0] < '0' || text.ptr[0] > '9')
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    char *end;
    errno = 0;
    *out = strtoull(copy, &end, 10);
    return !errno && end == copy + text.len;
}

static bool read_double(struct charle_str text, double *out)
{
    if (charle_str_equal(text, CHARLE_STR("NaN")))
        *out = __builtin_nan("");
    else if (charle_str_equal(text, CHARLE_STR("Infinity")))
        *out = __builtin_inf();
    else if (charle_str_equal(text, CHARLE_STR("-Infinity")))
        *out = -__builtin_inf();
    else {
        struct ch_json_scanner in = ch_json_scanner(text);
        struct charle_str raw;
        char copy[CH_NUMERIC_LEN_MAX + 1];
        if (!text.len || text.len >= sizeof(copy) || !ch_json_number(&in, &raw) || raw.len != text.len)
            return false;
        memcpy(copy, text.ptr, text.len);
        copy[text.len] = '\0';
        *out = strtod(copy, NULL);
    }
    return true;
}

static bool read_base64(struct charle_str text, struct charle_arena *arena, struct charle_bytes *out)
{
    if (text.len % 4)
        return false;
    uint8_t *bytes = charle_arena_alloc(arena, text.len / 4 * 3);
    if (!bytes)
        return false;
    size_t len = 0, padding = 0;
    uint32_t v = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        int digit = c >= 'A' && c <= 'Z'   ? c - 'A'
                    : c >= 'a' && c <= 'z' ? c - 'a' + 26
                    : c >= '0' && c <= '9' ? c - '0' + 52
                    : c == '+' || c == '-' ? 62
                    : c == '/' || c == '_' ? 63
                                           : -1;
        if (c == '=' && i + 2 >= text.len) {
            padding++;
            digit = 0;
        } else if (digit < 0 || padding) {
            return false;
        }
        v = v << 6 | (uint32_t)digit;
        if (i % 4 == 3) {
            bytes[len++] = (uint8_t)(v >> 16);
            bytes[len++] = (uint8_t)(v >> 8);
            bytes[len++] = (uint8_t)v;
            v = 0;
        }
    }
    *out = charle_bytes(bytes, len - padding);
    return true;
}

static bool read_enum(const struct charle_field *field, struct charle_str text, int32_t *out)
{
    const struct charle_enum_value *value = field->enumeration ? charle_enum_by_name(field->enumeration, text) : NULL;
    int64_t number = 0;
    if (!value && !read_integer(text, INT32_MIN, INT32_MAX, &number))
        return false;
    *out = value ? value->number : (int32_t)number;
    return true;
}

// The value of the text, as it stands in JSON but without quotes. False when it is not of the type.
static bool read_plain(const struct charle_field *field, struct charle_str text, struct charle_arena *arena, void *to)
{
    int64_t integer = 0;
    uint64_t natural = 0;
    double real = 0;
    bool ok = false;
    switch ((enum charle_type)field->type) {
    case CHARLE_TYPE_BOOL:
        *(bool *)to = charle_str_equal(text, CHARLE_STR("true"));
        return *(bool *)to || charle_str_equal(text, CHARLE_STR("false"));
    case CHARLE_TYPE_INT4:
        ok = read_integer(text, INT32_MIN, INT32_MAX, &integer);
        *(int32_t *)to = (int32_t)integer;
        return ok;
    case CHARLE_TYPE_INT8:
        return read_integer(text, INT64_MIN, INT64_MAX, to);
    case CHARLE_TYPE_UINT4:
        ok = read_unsigned(text, &natural) && natural <= UINT32_MAX;
        *(uint32_t *)to = (uint32_t)natural;
        return ok;
    case CHARLE_TYPE_UINT8:
        return read_unsigned(text, to);
    case CHARLE_TYPE_FLOAT8:
        return read_double(text, to);
    case CHARLE_TYPE_FLOAT4:
        ok = read_double(text, &real);
        *(float *)to = (float)real;
        return ok;
    case CHARLE_TYPE_TEXT:
        *(struct charle_str *)to = text;
        return charle_utf8_is_valid(text);
    case CHARLE_TYPE_BYTES:
        return read_base64(text, arena, to);
    case CHARLE_TYPE_ENUM:
        return read_enum(field, text, to);
    case CHARLE_TYPE_TIMESTAMPTZ:
        return charle_ts_read(text, to);
    case CHARLE_TYPE_DATE:
        return charle_date_read(text, to);
    case CHARLE_TYPE_NUMERIC:
        return charle_numeric_read(text, arena, to);
    case CHARLE_TYPE_UUID:
        return charle_uuid_read(text, to);
    case CHARLE_TYPE_JSONB:
        *(struct charle_str *)to = text;
        return ch_json_is_valid(text);
    case CHARLE_TYPE_MESSAGE:
        break;
    }
    return false;
}

// What a value of the field looks like, for error messages.
static void describe(const struct charle_field *field, char *out, size_t size)
{
    static const char *const forms[] = {
        [CHARLE_TYPE_BOOL] = "true or false",
        [CHARLE_TYPE_INT4] = "a whole number from -2147483648 to 2147483647",
        [CHARLE_TYPE_INT8] = "a whole number of at most 64 bits",
        [CHARLE_TYPE_FLOAT8] = "a number",
        [CHARLE_TYPE_TEXT] = "a string in valid UTF-8 without NUL characters",
        [CHARLE_TYPE_BYTES] = "a string in base64",
        [CHARLE_TYPE_TIMESTAMPTZ] = "a time such as \"2026-11-22T12:41:00Z\"",
        [CHARLE_TYPE_DATE] = "a date such as \"2026-11-22\"",
        [CHARLE_TYPE_NUMERIC] = "a decimal in a string, such as \"12.50\"",
        [CHARLE_TYPE_UUID] = "a UUID",
        [CHARLE_TYPE_JSONB] = "valid JSON",
        [CHARLE_TYPE_MESSAGE] = "an object",
        [CHARLE_TYPE_UINT4] = "a whole number from 0 to 4294967295",
        [CHARLE_TYPE_UINT8] = "a whole number from 0, of at most 64 bits",
        [CHARLE_TYPE_FLOAT4] = "a number",
    };
    if (field->type != CHARLE_TYPE_ENUM || !field->enumeration) {
        snprintf(out, size, "%s", forms[field->type] ? forms[field->type] : "an integer");
        return;
    }
    size_t used = (size_t)snprintf(out, size, "one of");
    for (size_t i = 0; i < field->enumeration->count && used + 8 < size; i++) {
        struct charle_str name = field->enumeration->values[i].name;
        if (used + name.len + 8 > size)
            used += (size_t)snprintf(out + used, size - used, ", …");
        else
            used += (size_t)snprintf(out + used, size - used, "%s \"%.*s\"", i ? "," : "", CHARLE_FMT(name));
        if (used + name.len + 8 > size)
            break;
    }
}

enum charle_err charle_field_read_text(const struct charle_field *field, struct charle_str text,
                                       struct charle_arena *arena, void *out, struct charle_error *err)
{
    if (read_plain(field, text, arena, out))
        return CHARLE_OK;
    char form[LIST_TEXT_MAX];
    describe(field, form, sizeof(form));
    return charle_fail(err, CHARLE_INVALID_ARGUMENT, "%.*s must be %s", CHARLE_FMT(field->name), form);
}

// --- values in their JSON form -----------------------------------------------------------------------------

static enum charle_err syntax(struct reading *rd)
{
    return charle_fail(rd->err, CHARLE_INVALID_ARGUMENT, "the JSON is not valid at character %zu",
                       (size_t)(rd->in.next - rd->in.start) + 1);
}

static enum charle_err wrong(struct reading *rd, const struct charle_message *type, const struct charle_field *field)
{
    char form[LIST_TEXT_MAX];
    describe(field, form, sizeof(form));
    return charle_fail(rd->err, CHARLE_INVALID_ARGUMENT, "%s.%.*s must be %s", type->name, CHARLE_FMT(field->name),
                       form);
}

// May a value of the type be written as a JSON string, or as a bare word or number?
static bool may_be_string(enum charle_type type)
{
    return type != CHARLE_TYPE_BOOL && type != CHARLE_TYPE_INT4 && type != CHARLE_TYPE_UINT4;
}

static bool may_be_bare(enum charle_type type)
{
    return type < CHARLE_TYPE_TEXT || type == CHARLE_TYPE_ENUM || type == CHARLE_TYPE_NUMERIC ||
           type > CHARLE_TYPE_MESSAGE;
}

static enum charle_err read_sub(struct reading *rd, const struct charle_message *type, const struct charle_field *field,
                                void *to, int depth)
{
    if (ch_json_peek(&rd->in) != '{')
        return wrong(rd, type, field);
    if (depth >= CH_MESSAGE_DEPTH_MAX)
        return charle_fail(rd->err, CHARLE_TOO_LARGE, "%s.%.*s is nested too deeply", type->name,
                           CHARLE_FMT(field->name));
    void *sub = charle_arena_alloc(rd->arena, field->message->size);
    if (!sub)
        return charle_fail(rd->err, CHARLE_TOO_LARGE, "the message does not fit in the memory set aside for it");
    memcpy(to, &sub, sizeof(sub));
    return read_object(rd, field->message, sub, depth + 1);
}

static enum charle_err read_value(struct reading *rd, const struct charle_message *type,
                                  const struct charle_field *field, void *to, int depth)
{
    enum charle_type kind = (enum charle_type)field->type;
    struct charle_str text;
    if (kind == CHARLE_TYPE_MESSAGE)
        return read_sub(rd, type, field, to, depth);
    if (kind == CHARLE_TYPE_JSONB) {
        if (!ch_json_skip(&rd->in, &text))
            return syntax(rd);
    } else if (ch_json_peek(&rd->in) == '"') {
        if (!ch_json_string(&rd->in, rd->arena, &text))
            return syntax(rd);
        if (!may_be_string(kind))
            return wrong(rd, type, field);
    } else {
        char c = ch_json_peek(&rd->in);
        if (!ch_json_skip(&rd->in, &text))
            return syntax(rd);
        if (c == '{' || c == '[' || !may_be_bare(kind))
            return wrong(rd, type, field);
    }
    if (!read_plain(field, text, rd->arena, to))
        return wrong(rd, type, field);
    if (field->size_max && text.len > field->size_max && (kind == CHARLE_TYPE_TEXT || kind == CHARLE_TYPE_BYTES))
        return charle_fail(rd->err, CHARLE_INVALID_ARGUMENT, "%s.%.*s has %zu bytes; at most %u are allowed",
                           type->name, CHARLE_FMT(field->name), text.len, field->size_max);
    return CHARLE_OK;
}

// Behind '[': how many values there are. False when the text is not valid.
static bool count_items(struct ch_json_scanner in, size_t *out)
{
    *out = 0;
    if (ch_json_peek(&in) == ']')
        return true;
    do {
        if (!ch_json_skip(&in, NULL))
            return false;
        ++*out;
    } while (ch_json_take(&in, ','));
    return ch_json_peek(&in) == ']';
}

static enum charle_err read_array(struct reading *rd, const struct charle_message *type,
                                  const struct charle_field *field, struct charle_array *to, int depth)
{
    if (!ch_json_take(&rd->in, '['))
        return charle_fail(rd->err, CHARLE_INVALID_ARGUMENT, "%s.%.*s must be an array: [ … ]", type->name,
                           CHARLE_FMT(field->name));
    size_t count;
    if (!count_items(rd->in, &count))
        return syntax(rd);
    size_t item_size = charle_type_size((enum charle_type)field->type);
    char *items = charle_arena_array(rd->arena, count, item_size);
    if (!items)
        return charle_fail(rd->err, CHARLE_TOO_LARGE, "the message does not fit in the memory set aside for it");
    *to = (struct charle_array){items, count, true};
    for (size_t i = 0; i < count; i++) {
        enum charle_err rc = read_value(rd, type, field, items + i * item_size, depth);
        if (rc)
            return rc;
        ch_json_take(&rd->in, ',');
    }
    return ch_json_take(&rd->in, ']') ? CHARLE_OK : syntax(rd);
}

// --- objects -----------------------------------------------------------------------------------------------

static enum charle_err unknown_name(struct reading *rd, const struct charle_message *type, struct charle_str name)
{
    char known[LIST_TEXT_MAX];
    size_t used = 0;
    known[0] = '\0';
    for (size_t i = 0; i < type->field_count; i++) {
        if (used + type->fields[i].name.len + 8 > sizeof(known)) {
            snprintf(known + used, sizeof(known) - used, ", …");
            break;
        }
        used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%.*s", i ? ", " : "",
                                 CHARLE_FMT(type->fields[i].name));
    }
    struct charle_str shown = charle_str_n(name.ptr, name.len < 40 ? name.len : 40);
    return charle_fail(rd->err, CHARLE_INVALID_ARGUMENT, "%s has no field \"%.*s\"; it has %s", type->name,
                       CHARLE_FMT(shown), known);
}

// Reads `"name": value`. seen[i] becomes 1 when field i has a value and 2 when it was null.
static enum charle_err read_member(struct reading *rd, const struct charle_message *type, void *out, uint8_t *seen,
                                   int depth)
{
    struct charle_str name;
    if (!ch_json_string(&rd->in, rd->arena, &name) || !ch_json_take(&rd->in, ':'))
        return syntax(rd);
    const struct charle_field *field = charle_message_field_named(type, name);
    if (!field)
        return unknown_name(rd, type, name);
    uint8_t *mark = &seen[field - type->fields];
    if (*mark)
        return charle_fail(rd->err, CHARLE_INVALID_ARGUMENT, "%s.%.*s is given twice", type->name, CHARLE_FMT(name));
    // A required jsonb may hold JSON's null; everywhere else null means absent.
    bool may_be_null = field->type == CHARLE_TYPE_JSONB && field->label == CHARLE_REQUIRED;
    *mark = 2;
    if (!may_be_null && ch_json_take_word(&rd->in, CHARLE_STR("null")))
        return CHARLE_OK;
    *mark = 1;
    void *at = charle_field_ptr(field, out);
    if (field->label == CHARLE_REPEATED)
        return read_array(rd, type, field, at, depth);
    enum charle_err rc = read_value(rd, type, field, at, depth);
    if (!rc && field->label == CHARLE_OPTIONAL && field->type != CHARLE_TYPE_MESSAGE)
        *((bool *)out + field->has_offset) = true;
    return rc;
}

static enum charle_err read_object(struct reading *rd, const struct charle_message *type, void *out, int depth)
{
    uint8_t *seen = charle_arena_alloc(rd->arena, type->field_count + 1);
    if (!seen)
        return charle_fail(rd->err, CHARLE_TOO_LARGE, "the message does not fit in the memory set aside for it");
    if (!ch_json_take(&rd->in, '{'))
        return charle_fail(rd->err, CHARLE_INVALID_ARGUMENT, "%s must be a JSON object: { … }", type->name);
    if (!ch_json_take(&rd->in, '}')) {
        do {
            enum charle_err rc = read_member(rd, type, out, seen, depth);
            if (rc)
                return rc;
        } while (ch_json_take(&rd->in, ','));
        if (!ch_json_take(&rd->in, '}'))
            return syntax(rd);
    }
    for (size_t i = 0; i < type->field_count; i++) {
        if (type->fields[i].label == CHARLE_REQUIRED && seen[i] != 1)
            return charle_fail(rd->err, CHARLE_INVALID_ARGUMENT, "%s.%.*s is required and missing", type->name,
                               CHARLE_FMT(type->fields[i].name));
    }
    return CHARLE_OK;
}

enum charle_err charle_message_read_json(const struct charle_message *type, struct charle_str text,
                                         struct charle_arena *arena, void *out, struct charle_error *err)
{
    memset(out, 0, type->size);
    struct reading rd = {ch_json_scanner(text.len ? text : CHARLE_STR(" ")), arena, err};
    enum charle_err rc = read_object(&rd, type, out, 1);
    if (!rc && (ch_json_peek(&rd.in) != '\0' || rd.in.next != rd.in.end))
        rc = charle_fail(err, CHARLE_INVALID_ARGUMENT, "the JSON goes on behind its object, at character %zu",
                         (size_t)(rd.in.next - rd.in.start) + 1);
    return rc;
}
