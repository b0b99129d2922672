// Values into PostgreSQL's binary parameters. What PostgreSQL inferred for a parameter decides the form; a value of
// another, fitting type is converted without loss or refused.
#include "base/alloc.h"
#include "base/limits.h"
#include "db/pg/internal.h"
#include "msg/scalar.h"
#include "msg/wire.h"

#include <stdio.h>

void ch_pg_add16(struct charle_buf *buf, uint16_t value)
{
    const uint8_t bytes[] = {(uint8_t)(value >> 8), (uint8_t)value};
    charle_buf_add(buf, bytes, sizeof(bytes));
}

void ch_pg_add32(struct charle_buf *buf, uint32_t value)
{
    ch_pg_add16(buf, (uint16_t)(value >> 16));
    ch_pg_add16(buf, (uint16_t)value);
}

void ch_pg_add64(struct charle_buf *buf, uint64_t value)
{
    ch_pg_add32(buf, (uint32_t)(value >> 32));
    ch_pg_add32(buf, (uint32_t)value);
}

static enum charle_err type_differs(const struct charle_value *value, Oid oid, struct charle_error *err)
{
    return charle_fail(err, CHARLE_INVALID_ARGUMENT,
                       "PostgreSQL wants %s here, and a value of type %s%s was given; if that is "
                       "meant, write a cast behind the parameter, as in $1::bigint",
                       ch_pg_type_name(oid), charle_type_name((enum charle_type)value->type),
                       value->is_array ? "[]" : "");
}

static bool whole_number(const struct charle_value *value, int64_t *out)
{
    if (value->type == CHARLE_TYPE_INT4)
        *out = value->int4;
    else if (value->type == CHARLE_TYPE_INT8)
        *out = value->int8;
    else
        return false;
    return true;
}

static enum charle_err add_int(struct charle_buf *buf, Oid oid, int64_t number, struct charle_error *err)
{
    bool fits = oid == CH_PG_INT2   ? number >= INT16_MIN && number <= INT16_MAX
                : oid == CH_PG_INT4 ? number >= INT32_MIN && number <= INT32_MAX
                : oid == CH_PG_OID  ? number >= 0 && number <= UINT32_MAX
                                    : true;
    if (!fits)
        return charle_fail(err, CHARLE_OUT_OF_RANGE, "%lld does not fit into %s", (long long)number,
                           ch_pg_type_name(oid));
    if (oid == CH_PG_INT2)
        ch_pg_add16(buf, (uint16_t)number);
    else if (oid == CH_PG_INT8)
        ch_pg_add64(buf, (uint64_t)number);
    else
        ch_pg_add32(buf, (uint32_t)number);
    return CHARLE_OK;
}

static enum charle_err add_float(struct charle_buf *buf, Oid oid, double number)
{
    uint64_t wide;
    uint32_t narrow;
    float small = (float)number;
    memcpy(&wide, &number, sizeof(wide));
    memcpy(&narrow, &small, sizeof(narrow));
    if (oid == CH_PG_FLOAT4)
        ch_pg_add32(buf, narrow);
    else
        ch_pg_add64(buf, wide);
    return CHARLE_OK;
}

static enum charle_err add_numeric(struct charle_buf *buf, struct charle_str text, struct charle_error *err)
{
    struct charle_arena arena = {.size_max = 16384};
    struct charle_numeric numeric = {text};
    size_t before = buf->size;
    bool ok = ch_pg_numeric_add(buf, text);
    if (!ok) { // perhaps with an exponent or a plus sign
        buf->size = before;
        ok = charle_numeric_read(text, &arena, &numeric) && ch_pg_numeric_add(buf, numeric.text);
    }
    charle_arena_deinit(&arena);
    return ok ? CHARLE_OK
              : charle_fail(err, CHARLE_INVALID_ARGUMENT, "\"%.*s\" is not a decimal number", CHARLE_FMT(text));
}

static enum charle_err add_number(struct charle_buf *buf, const struct charle_value *value, Oid oid,
                                  struct charle_error *err)
{
    int64_t number = 0;
    char text[32];
    bool is_whole = whole_number(value, &number);
    switch (oid) {
    case CH_PG_INT2:
    case CH_PG_INT4:
    case CH_PG_INT8:
    case CH_PG_OID:
        return is_whole ? add_int(buf, oid, number, err) : type_differs(value, oid, err);
    case CH_PG_FLOAT4:
    case CH_PG_FLOAT8:
        if (!is_whole && value->type != CHARLE_TYPE_FLOAT8)
            return type_differs(value, oid, err);
        return add_float(buf, oid, is_whole ? (double)number : value->float8);
    default: // NUMERIC
        if (value->type == CHARLE_TYPE_NUMERIC)
            return add_numeric(buf, value->text, err);
        if (!is_whole)
            return type_differs(value, oid, err);
        snprintf(text, sizeof(text), "%lld", (long long)number);
        return add_numeric(buf, charle_str(text), err);
    }
}

static enum charle_err add_uuid(struct charle_buf *buf, const struct charle_value *value, struct charle_error *err)
{
    struct charle_uuid uuid = value->uuid;
    if (value->type == CHARLE_TYPE_TEXT && !charle_uuid_read(value->text, &uuid))
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "\"%.*s\" is not a UUID", CHARLE_FMT(value->text));
    charle_buf_add(buf, uuid.bytes, sizeof(uuid.bytes));
    return CHARLE_OK;
}

static bool is_text_like(uint8_t type)
{
    return type == CHARLE_TYPE_TEXT || type == CHARLE_TYPE_ENUM;
}

// One value that is not NULL and no array, in binary.
static enum charle_err add_scalar(struct charle_buf *buf, const struct charle_value *value, Oid oid,
                                  struct charle_error *err)
{
    switch (oid) {
    case CH_PG_BOOL:
        if (value->type != CHARLE_TYPE_BOOL)
            break;
        charle_buf_add_byte(buf, value->boolean);
        return CHARLE_OK;
    case CH_PG_BYTEA:
        if (value->type != CHARLE_TYPE_BYTES)
            break;
        charle_buf_add(buf, value->bytes.ptr, value->bytes.len);
        return CHARLE_OK;
    case CH_PG_INT2:
    case CH_PG_INT4:
    case CH_PG_INT8:
    case CH_PG_OID:
    case CH_PG_FLOAT4:
    case CH_PG_FLOAT8:
    case CH_PG_NUMERIC:
        return add_number(buf, value, oid, err);
    case CH_PG_DATE:
        if (value->type != CHARLE_TYPE_DATE)
            break;
        ch_pg_add32(buf, (uint32_t)ch_pg_date_out(value->date.days));
        return CHARLE_OK;
    case CH_PG_TIMESTAMP:
    case CH_PG_TIMESTAMPTZ:
        if (value->type != CHARLE_TYPE_TIMESTAMPTZ)
            break;
        ch_pg_add64(buf, (uint64_t)ch_pg_ts_out(value->ts.us));
        return CHARLE_OK;
    case CH_PG_UUID:
        if (value->type != CHARLE_TYPE_UUID && value->type != CHARLE_TYPE_TEXT)
            break;
        return add_uuid(buf, value, err);
    case CH_PG_JSONB:
    case CH_PG_JSON:
        if (value->type != CHARLE_TYPE_JSONB && value->type != CHARLE_TYPE_TEXT)
            break;
        if (oid == CH_PG_JSONB)
            charle_buf_add_byte(buf, 1); // the version of jsonb's binary form
        charle_buf_add_str(buf, value->text);
        return CHARLE_OK;
    default: // text in all its names, enum types, and types that take text in binary (citext)
        if (!is_text_like(value->type) || ch_pg_element_type(oid))
            break;
        if (!charle_utf8_is_valid(value->text))
            return charle_fail(err, CHARLE_INVALID_ARGUMENT, "a text is not valid UTF-8, or has a zero byte in it");
        charle_buf_add_str(buf, value->text);
        return CHARLE_OK;
    }
    return type_differs(value, oid, err);
}

static struct charle_value item_value(const struct charle_value *array, size_t index)
{
    struct charle_value item = {.type = array->type};
    enum charle_type as = array->type == CHARLE_TYPE_ENUM ? CHARLE_TYPE_TEXT : (enum charle_type)array->type;
    size_t size = charle_type_size(as);
    memcpy(&item.int8, (const char *)array->array.items + index * size, size);
    return item;
}

// int32 dimensions, int32 has NULLs, oid of the elements; per dimension int32 length and lower bound; then int32 length
// and bytes of each element.
static enum charle_err add_array(struct charle_buf *buf, const struct charle_value *value, Oid oid,
                                 struct charle_error *err)
{
    Oid element = ch_pg_element_type(oid);
    enum charle_err rc = element ? CHARLE_OK : type_differs(value, oid, err);
    if (rc)
        return rc;
    ch_pg_add32(buf, value->array.count ? 1 : 0);
    ch_pg_add32(buf, 0);
    ch_pg_add32(buf, element);
    if (value->array.count) {
        ch_pg_add32(buf, (uint32_t)value->array.count);
        ch_pg_add32(buf, 1);
    }
    for (size_t i = 0; !rc && i < value->array.count; i++) {
        struct charle_value item = item_value(value, i);
        size_t at = buf->size;
        ch_pg_add32(buf, 0);
        rc = add_scalar(buf, &item, element, err);
        if (rc || buf->failed)
            break;
        uint32_t len = (uint32_t)(buf->size - at - 4);
        for (int shift = 24; shift >= 0; shift -= 8)
            buf->data[at++] = (uint8_t)(len >> shift);
    }
    return rc;
}

static enum charle_err make_room(struct ch_pg *db, size_t count, struct charle_error *err)
{
    if (count <= db->param_capacity)
        return CHARLE_OK;
    size_t capacity = count < 32 ? 32 : count;
    ch_pg_bind_deinit(db);
    db->values = ch_alloc_zeroed(capacity, sizeof(*db->values));
    db->lengths = ch_alloc_zeroed(capacity, sizeof(*db->lengths));
    db->formats = ch_alloc_zeroed(capacity, sizeof(*db->formats));
    db->offsets = ch_alloc_zeroed(capacity, sizeof(*db->offsets));
    if (!db->values || !db->lengths || !db->formats || !db->offsets) {
        ch_pg_bind_deinit(db);
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while binding %zu values", count);
    }
    for (size_t i = 0; i < capacity; i++)
        db->formats[i] = 1;
    db->param_capacity = capacity;
    return CHARLE_OK;
}

void ch_pg_bind_deinit(struct ch_pg *db)
{
    ch_free(db->values);
    ch_free(db->lengths);
    ch_free(db->formats);
    ch_free(db->offsets);
    db->values = NULL;
    db->lengths = db->formats = NULL;
    db->offsets = NULL;
    db->param_capacity = 0;
}

enum charle_err ch_pg_bind(struct ch_pg *db, const struct ch_pg_statement *statement, const struct charle_value *params,
                           size_t param_count, struct charle_error *err)
{
    size_t count = (size_t)statement->param_count;
    if (count > param_count)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the statement has $%zu, and %zu values were given", count,
                           param_count);
    enum charle_err rc = make_room(db, count, err);
    charle_buf_reset(&db->bound);
    for (size_t i = 0; !rc && i < count; i++) {
        db->offsets[i] = db->bound.size;
        if (params[i].is_null)
            db->offsets[i] = SIZE_MAX;
        else if (params[i].is_array)
            rc = add_array(&db->bound, &params[i], statement->types[i], err);
        else
            rc = add_scalar(&db->bound, &params[i], statement->types[i], err);
        if (!rc && db->bound.failed)
            rc = charle_fail(err, db->bound.failed, "the values are larger than %zu MiB together",
                             CH_BIND_SIZE_MAX >> 20);
        if (rc)
            rc = charle_error_prefix(err, rc, "value $%zu", i + 1);
        db->lengths[i] = (int)(db->bound.size - (params[i].is_null ? db->bound.size : db->offsets[i]));
    }
    static const char empty[1] = "";
    for (size_t i = 0; !rc && i < count; i++) // the buffer does not move any more
        db->values[i] = params[i].is_null ? NULL
                        : db->bound.data  ? (const char *)db->bound.data + db->offsets[i]
                                          : empty;
    return rc;
}
