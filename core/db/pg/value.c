// Values out of PostgreSQL's binary form.
#include "db/pg/internal.h"
#include "msg/scalar.h"

#include <math.h>

const char *ch_pg_type_name(Oid oid)
{
    static const struct {
        Oid oid;
        const char *name;
    } names[] = {
#define NAME(name, oid, array) {oid, #name}, {array, #name "[]"},
        CH_PG_TYPES(NAME)
#undef NAME
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].oid == oid && oid)
            return names[i].name;
    return "a type that this program does not know";
}

Oid ch_pg_element_type(Oid array)
{
    static const Oid pairs[][2] = {
#define PAIR(name, element, of) {of, element},
        CH_PG_TYPES(PAIR)
#undef PAIR
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        if (array && pairs[i][0] == array)
            return pairs[i][1];
    return 0;
}

static enum charle_err mismatch(Oid oid, enum charle_type type, bool is_array, struct charle_error *err)
{
    return charle_fail(err, CHARLE_INVALID_ARGUMENT,
                       "PostgreSQL gave %s (type %u), which cannot be read as %s%s; cast the column "
                       "in the statement",
                       ch_pg_type_name(oid), oid, charle_type_name(type), is_array ? "[]" : "");
}

static enum charle_err malformed(Oid oid, size_t len, struct charle_error *err)
{
    return charle_fail(err, CHARLE_MALFORMED, "PostgreSQL sent %zu bytes for a value of type %s", len,
                       ch_pg_type_name(oid));
}

static bool is_text_type(Oid oid)
{
    switch (oid) {
    case CH_PG_BOOL:
    case CH_PG_BYTEA:
    case CH_PG_INT8:
    case CH_PG_INT2:
    case CH_PG_INT4:
    case CH_PG_OID:
    case CH_PG_XID:
    case CH_PG_FLOAT4:
    case CH_PG_FLOAT8:
    case CH_PG_DATE:
    case CH_PG_TIMESTAMP:
    case CH_PG_TIMESTAMPTZ:
    case CH_PG_NUMERIC:
    case CH_PG_UUID:
    case CH_PG_JSONB:
    case CH_PG_XID8:
        return false;
    case CH_PG_TEXT:
    case CH_PG_VARCHAR:
    case CH_PG_BPCHAR:
    case CH_PG_NAME:
    case CH_PG_UNKNOWN:
    case CH_PG_CHAR:
    case CH_PG_JSON:
    case CH_PG_VOID:
        return true;
    default: // enum types and domains of extensions have ids from 16384 on, and mostly send text
        return oid >= 16384;
    }
}

// Any whole number, widened.
static bool read_whole(struct ch_pg_datum d, Oid oid, int64_t *out)
{
    if ((oid == CH_PG_INT8 || oid == CH_PG_XID8) && d.len == 8)
        *out = (int64_t)ch_pg_read64(d.ptr);
    else if (oid == CH_PG_INT4 && d.len == 4)
        *out = (int32_t)ch_pg_read32(d.ptr);
    else if ((oid == CH_PG_OID || oid == CH_PG_XID) && d.len == 4)
        *out = ch_pg_read32(d.ptr);
    else if (oid == CH_PG_INT2 && d.len == 2)
        *out = (int16_t)ch_pg_read16(d.ptr);
    else
        return false;
    return true;
}

static bool read_float(struct ch_pg_datum d, Oid oid, double *out)
{
    int64_t whole;
    if (oid == CH_PG_FLOAT8 && d.len == 8) {
        uint64_t bits = ch_pg_read64(d.ptr);
        memcpy(out, &bits, sizeof(bits));
        return true;
    }
    if (oid == CH_PG_FLOAT4 && d.len == 4) {
        uint32_t bits = ch_pg_read32(d.ptr);
        float narrow;
        memcpy(&narrow, &bits, sizeof(bits));
        *out = (double)narrow;
        return true;
    }
    if (!read_whole(d, oid, &whole))
        return false;
    *out = (double)whole;
    return true;
}

// Where what must be converted goes; whether there was no room for it.
struct reading {
    struct charle_arena *arena;
    bool has_no_room;
};

static enum charle_err cannot_read(const struct reading *r, Oid oid, enum charle_type type, bool is_array,
                                   struct charle_error *err)
{
    if (r->has_no_room)
        return charle_fail(err, CHARLE_NO_MEMORY, "no room for a value of type %s", ch_pg_type_name(oid));
    return mismatch(oid, type, is_array, err);
}

static bool read_numeric(struct ch_pg_datum d, struct reading *r, struct charle_str *out)
{
    size_t size = ch_pg_numeric_size(d);
    char *text = size ? charle_arena_alloc(r->arena, size) : NULL;
    r->has_no_room = size && !text;
    if (!text)
        return false;
    *out = charle_str_n(text, ch_pg_numeric_text(d, text));
    return true;
}

// Whole numbers behind sum() and count(), which PostgreSQL gives as numeric.
static bool whole_of_numeric(struct ch_pg_datum d, struct reading *r, int64_t *out)
{
    struct charle_str text;
    if (!read_numeric(d, r, &text) || text.len == 0)
        return false;
    bool negative = text.ptr[0] == '-';
    int64_t value = 0;
    for (size_t i = negative; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || __builtin_mul_overflow(value, (int64_t)10, &value) ||
            __builtin_sub_overflow(value, (int64_t)(text.ptr[i] - '0'), &value)) // downwards, to reach INT64_MIN
            return false;
    if (!negative && value == INT64_MIN)
        return false;
    *out = negative ? value : -value;
    return true;
}

static bool read_integer(struct ch_pg_datum d, Oid oid, enum charle_type type, struct reading *r,
                         struct charle_value *out)
{
    int64_t whole;
    if (!(oid == CH_PG_NUMERIC ? whole_of_numeric(d, r, &whole) : read_whole(d, oid, &whole)))
        return false;
    if (type == CHARLE_TYPE_INT8) {
        out->int8 = whole;
        return true;
    }
    out->int4 = (int32_t)whole;
    return whole >= INT32_MIN && whole <= INT32_MAX;
}

static bool read_json(struct ch_pg_datum d, Oid oid, struct charle_str *out)
{
    size_t skip = oid == CH_PG_JSONB; // a version byte
    if (d.len < skip || (oid != CH_PG_JSONB && oid != CH_PG_JSON && oid != CH_PG_TEXT))
        return false;
    *out = charle_str_n((const char *)d.ptr + skip, d.len - skip);
    return true;
}

static bool read_text(struct ch_pg_datum d, Oid oid, struct reading *r, struct charle_str *out)
{
    if (oid == CH_PG_JSONB)
        return read_json(d, oid, out);
    if (oid == CH_PG_NUMERIC)
        return read_numeric(d, r, out);
    if (oid == CH_PG_UUID && d.len == 16) {
        struct charle_uuid uuid;
        char text[CHARLE_UUID_TEXT_LEN + 1];
        memcpy(uuid.bytes, d.ptr, 16);
        charle_uuid_write(uuid, text);
        *out = charle_arena_str(r->arena, charle_str(text));
        r->has_no_room = !out->ptr;
        return out->ptr != NULL;
    }
    *out = charle_str_n((const char *)d.ptr, d.len);
    return is_text_type(oid);
}

static bool read_scalar(struct ch_pg_datum d, Oid oid, enum charle_type type, struct reading *r,
                        struct charle_value *out)
{
    switch (type) {
    case CHARLE_TYPE_BOOL:
        out->boolean = d.len == 1 && d.ptr[0] != 0;
        return oid == CH_PG_BOOL && d.len == 1;
    case CHARLE_TYPE_INT4:
    case CHARLE_TYPE_INT8:
        return read_integer(d, oid, type, r, out);
    case CHARLE_TYPE_FLOAT8:
        return read_float(d, oid, &out->float8);
    case CHARLE_TYPE_BYTES:
        out->bytes = charle_bytes(d.ptr, d.len);
        return oid == CH_PG_BYTEA;
    case CHARLE_TYPE_TIMESTAMPTZ:
        out->ts.us = d.len == 8 ? ch_pg_ts_in((int64_t)ch_pg_read64(d.ptr)) : 0;
        return (oid == CH_PG_TIMESTAMPTZ || oid == CH_PG_TIMESTAMP) && d.len == 8;
    case CHARLE_TYPE_DATE:
        out->date.days = d.len == 4 ? ch_pg_date_in((int32_t)ch_pg_read32(d.ptr)) : 0;
        return oid == CH_PG_DATE && d.len == 4;
    case CHARLE_TYPE_UUID:
        if (d.len == 16)
            memcpy(out->uuid.bytes, d.ptr, 16);
        return oid == CH_PG_UUID && d.len == 16;
    case CHARLE_TYPE_NUMERIC:
        if (oid == CH_PG_NUMERIC)
            return read_numeric(d, r, &out->text);
        if (read_whole(d, oid, &out->int8))
            out->text = charle_arena_printf(r->arena, "%lld", (long long)out->int8);
        else
            return false;
        r->has_no_room = !out->text.ptr;
        return out->text.ptr != NULL;
    case CHARLE_TYPE_JSONB:
        return read_json(d, oid, &out->text);
    case CHARLE_TYPE_TEXT:
    case CHARLE_TYPE_ENUM:
        return read_text(d, oid, r, &out->text);
    case CHARLE_TYPE_MESSAGE:
    case CHARLE_TYPE_UINT4:
    case CHARLE_TYPE_UINT8:
    case CHARLE_TYPE_FLOAT4:
        break;
    }
    return false;
}

// An array's elements, one behind the other; NULL ones are left out, dimensions are flattened.
static enum charle_err read_array(struct ch_pg_datum d, Oid oid, enum charle_type type, struct reading *r,
                                  struct charle_array *out, struct charle_error *err)
{
    if (d.len < 12)
        return malformed(oid, d.len, err);
    uint32_t dimensions = ch_pg_read32(d.ptr);
    Oid element = ch_pg_read32(d.ptr + 8);
    size_t at = 12 + (size_t)dimensions * 8, count = dimensions ? 1 : 0, kept = 0, size = charle_type_size(type);
    if (dimensions > 6 || at > d.len)
        return malformed(oid, d.len, err);
    for (uint32_t i = 0; i < dimensions; i++)
        if (__builtin_mul_overflow(count, (size_t)ch_pg_read32(d.ptr + 12 + (size_t)i * 8), &count))
            return malformed(oid, d.len, err);
    if (count > (d.len - at) / 4)
        return malformed(oid, d.len, err); // each has at least a length
    char *items = charle_arena_array(r->arena, count ? count : 1, size);
    if (!items)
        return charle_fail(err, CHARLE_NO_MEMORY, "no room for an array of %zu items", count);
    for (size_t i = 0; i < count; i++) {
        struct charle_value item;
        if (d.len - at < 4)
            return malformed(oid, d.len, err);
        uint32_t len = ch_pg_read32(d.ptr + at);
        at += 4;
        if (len == UINT32_MAX)
            continue;
        if (len > d.len - at)
            return malformed(oid, d.len, err);
        if (!read_scalar((struct ch_pg_datum){d.ptr + at, len}, element, type, r, &item))
            return cannot_read(r, oid, type, true, err);
        memcpy(items + kept++ * size, &item.int8, size);
        at += len;
    }
    *out = (struct charle_array){.items = items, .count = kept, .has = true};
    return CHARLE_OK;
}

// The type that a value has when nobody asks for another one.
static enum charle_type natural_type(Oid oid)
{
    switch (oid) {
    case CH_PG_BOOL:
        return CHARLE_TYPE_BOOL;
    case CH_PG_BYTEA:
        return CHARLE_TYPE_BYTES;
    case CH_PG_INT2:
    case CH_PG_INT4:
        return CHARLE_TYPE_INT4;
    case CH_PG_INT8:
    case CH_PG_OID:
    case CH_PG_XID:
    case CH_PG_XID8:
        return CHARLE_TYPE_INT8;
    case CH_PG_FLOAT4:
    case CH_PG_FLOAT8:
        return CHARLE_TYPE_FLOAT8;
    case CH_PG_DATE:
        return CHARLE_TYPE_DATE;
    case CH_PG_TIMESTAMP:
    case CH_PG_TIMESTAMPTZ:
        return CHARLE_TYPE_TIMESTAMPTZ;
    case CH_PG_NUMERIC:
        return CHARLE_TYPE_NUMERIC;
    case CH_PG_UUID:
        return CHARLE_TYPE_UUID;
    case CH_PG_JSON:
    case CH_PG_JSONB:
        return CHARLE_TYPE_JSONB;
    default:
        return CHARLE_TYPE_TEXT;
    }
}

enum charle_err ch_pg_datum_value(struct ch_pg_datum datum, Oid oid, enum charle_type type, bool is_array,
                                  struct charle_arena *arena, struct charle_value *out, struct charle_error *err)
{
    Oid element = ch_pg_element_type(oid);
    if (type == 0) {
        is_array = element != 0;
        type = natural_type(element ? element : oid);
    }
    struct reading r = {.arena = arena};
    enum charle_type as = type == CHARLE_TYPE_ENUM ? CHARLE_TYPE_TEXT : type;
    *out = (struct charle_value){.type = (uint8_t)as, .is_array = is_array};
    if (!datum.ptr) {
        out->is_null = true;
        return CHARLE_OK;
    }
    if (is_array)
        return element ? read_array(datum, oid, as, &r, &out->array, err) : mismatch(oid, type, true, err);
    return read_scalar(datum, oid, as, &r, out) ? CHARLE_OK : cannot_read(&r, oid, type, false, err);
}
