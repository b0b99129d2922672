// Rows from PostgreSQL's binary tuples to canonical protobuf bytes, without a struct between. The schema says what each
// column must be; a value of another width means that the database is not the one this program was built for.
#include "db/pg/internal.h"
#include "msg/scalar.h"

static enum charle_err differs(const struct charle_table *table, const struct charle_column *column, size_t len,
                               struct charle_error *err)
{
    return charle_fail(err, CHARLE_SCHEMA_MISMATCH,
                       "%.*s.%.*s: PostgreSQL sent %zu bytes, which is no %s; the database has another schema",
                       CHARLE_FMT(table->name), CHARLE_FMT(column->name), len,
                       charle_type_name((enum charle_type)column->field->type));
}

static bool add_numeric(struct charle_buf *buf, const struct charle_field *field, struct ch_pg_datum d)
{
    char text[256];
    size_t size = ch_pg_numeric_size(d);
    if (size == 0)
        return false;
    if (size <= sizeof(text)) {
        ch_row_add_bytes(buf, field, text, ch_pg_numeric_text(d, text));
        return true;
    }
    struct charle_buf large = {0};
    uint8_t *room = charle_buf_reserve(&large, size);
    if (room)
        ch_row_add_bytes(buf, field, room, ch_pg_numeric_text(d, (char *)room));
    else
        buf->failed = large.failed;
    charle_buf_deinit(&large);
    return true;
}

static bool add_float(struct charle_buf *buf, const struct charle_field *field, struct ch_pg_datum d)
{
    double value;
    uint64_t bits = d.len == 8 ? ch_pg_read64(d.ptr) : 0;
    memcpy(&value, &bits, sizeof(value));
    if (d.len == 8)
        ch_row_add_float(buf, field, value);
    return d.len == 8;
}

static Oid array_type(enum charle_type type)
{
    static const Oid oids[] = {
        [CHARLE_TYPE_BOOL] = 1000,    [CHARLE_TYPE_INT4] = 1007,        [CHARLE_TYPE_INT8] = 1016,
        [CHARLE_TYPE_FLOAT8] = 1022,  [CHARLE_TYPE_TEXT] = 1009,        [CHARLE_TYPE_BYTES] = 1001,
        [CHARLE_TYPE_ENUM] = 1009,    [CHARLE_TYPE_TIMESTAMPTZ] = 1185, [CHARLE_TYPE_DATE] = 1182,
        [CHARLE_TYPE_NUMERIC] = 1231, [CHARLE_TYPE_UUID] = 2951,        [CHARLE_TYPE_JSONB] = 3807,
    };
    return type < sizeof(oids) / sizeof(oids[0]) ? oids[type] : 0;
}

static enum charle_err add_array(struct charle_buf *buf, const struct charle_column *column, struct ch_pg_datum d,
                                 struct charle_error *err)
{
    enum charle_type type = (enum charle_type)column->field->type;
    struct charle_arena arena = {0};
    struct charle_value value;
    enum charle_err rc = ch_pg_datum_value(d, array_type(type), type, true, &arena, &value, err);
    if (!rc && type == CHARLE_TYPE_ENUM)
        rc = ch_row_enum_numbers(column->field, &value.array, &arena, &value.array, err);
    if (!rc)
        ch_row_add_array(buf, column->field, &value.array);
    charle_arena_deinit(&arena);
    return rc;
}

static enum charle_err add_enum(struct charle_buf *buf, const struct charle_field *field, struct ch_pg_datum d,
                                struct charle_error *err)
{
    int32_t number;
    enum charle_err rc = ch_row_enum_number(field, charle_str_n((const char *)d.ptr, d.len), &number, err);
    if (!rc)
        ch_row_add_int(buf, field, number);
    return rc;
}

static enum charle_err add_column(struct charle_buf *buf, const struct charle_table *table,
                                  const struct charle_column *column, struct ch_pg_datum d, struct charle_error *err)
{
    const struct charle_field *field = column->field;
    bool ok = true;
    if (column->is_array)
        return add_array(buf, column, d, err);
    switch ((enum charle_type)field->type) {
    case CHARLE_TYPE_TEXT:
    case CHARLE_TYPE_BYTES:
        ch_row_add_bytes(buf, field, d.ptr, d.len);
        return CHARLE_OK;
    case CHARLE_TYPE_ENUM:
        return add_enum(buf, field, d, err);
    case CHARLE_TYPE_BOOL:
        ok = d.len == 1;
        if (ok)
            ch_row_add_int(buf, field, d.ptr[0] != 0);
        break;
    case CHARLE_TYPE_INT4:
        ok = d.len == 4;
        if (ok)
            ch_row_add_int(buf, field, (int32_t)ch_pg_read32(d.ptr));
        break;
    case CHARLE_TYPE_DATE:
        ok = d.len == 4;
        if (ok)
            ch_row_add_int(buf, field, ch_pg_date_in((int32_t)ch_pg_read32(d.ptr)));
        break;
    case CHARLE_TYPE_INT8:
        ok = d.len == 8;
        if (ok)
            ch_row_add_int(buf, field, (int64_t)ch_pg_read64(d.ptr));
        break;
    case CHARLE_TYPE_TIMESTAMPTZ:
        ok = d.len == 8;
        if (ok)
            ch_row_add_int(buf, field, ch_pg_ts_in((int64_t)ch_pg_read64(d.ptr)));
        break;
    case CHARLE_TYPE_FLOAT8:
        ok = add_float(buf, field, d);
        break;
    case CHARLE_TYPE_NUMERIC:
        ok = add_numeric(buf, field, d);
        break;
    case CHARLE_TYPE_UUID:
        ok = d.len == 16;
        if (ok)
            ch_row_add_uuid(buf, field, d.ptr);
        break;
    case CHARLE_TYPE_JSONB:
        ok = d.len > 1 && d.ptr[0] == 1;
        if (ok)
            ch_row_add_bytes(buf, field, d.ptr + 1, d.len - 1);
        break;
    case CHARLE_TYPE_MESSAGE:
    case CHARLE_TYPE_UINT4:
    case CHARLE_TYPE_UINT8:
    case CHARLE_TYPE_FLOAT4:
        ok = false;
        break;
    }
    return ok ? CHARLE_OK : differs(table, column, d.len, err);
}

// The data of the set's columns, in the order of positions, to bytes in the order of field numbers.
static enum charle_err encode(const struct charle_table *table, const struct charle_column_set *columns,
                              const struct ch_pg_datum *data, struct charle_buf *buf, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < table->row->field_count; i++) {
        const struct charle_column *column = ch_row_column(table, &table->row->fields[i]);
        if (!column || !charle_column_set_has(columns, column->index))
            continue;
        struct ch_pg_datum d = data[charle_column_set_rank(columns, column->index)];
        if (d.ptr)
            rc = add_column(buf, table, column, d, err);
    }
    if (!rc && buf->failed)
        rc = charle_fail(err, buf->failed, "a row of %.*s does not fit", CHARLE_FMT(table->name));
    return rc;
}

enum charle_err ch_pg_encode_row(const struct charle_table *table, const struct charle_column_set *columns,
                                 const PGresult *result, int row, struct charle_buf *buf, struct charle_error *err)
{
    struct ch_pg_datum data[CH_COLUMNS_MAX];
    size_t count = charle_column_set_count(columns);
    if ((size_t)PQnfields(result) < count)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "a result of %d columns was to be read as %zu columns of %.*s",
                           PQnfields(result), count, CHARLE_FMT(table->name));
    for (int i = 0; (size_t)i < count; i++)
        data[i] = (struct ch_pg_datum){
            PQgetisnull(result, row, i) ? NULL : (const uint8_t *)PQgetvalue(result, row, i),
            (size_t)PQgetlength(result, row, i),
        };
    return encode(table, columns, data, buf, err);
}

enum charle_err ch_pg_copy_row(const struct charle_table *table, const struct charle_column_set *columns,
                               struct charle_bytes tuple, struct charle_buf *buf, struct charle_error *err)
{
    struct ch_pg_datum data[CH_COLUMNS_MAX];
    size_t count = charle_column_set_count(columns), at = 2;
    if (tuple.len >= 2 && ch_pg_read16(tuple.ptr) == UINT16_MAX)
        return CHARLE_DONE;
    if (tuple.len < 2 || ch_pg_read16(tuple.ptr) < count)
        return charle_fail(err, CHARLE_MALFORMED, "a tuple of a binary COPY has not the %zu columns of %.*s", count,
                           CHARLE_FMT(table->name));
    for (size_t i = 0; i < count; i++) {
        bool has_length = tuple.len - at >= 4;
        uint32_t len = has_length ? ch_pg_read32(tuple.ptr + at) : 0;
        at += has_length ? 4 : 0;
        bool is_null = len == UINT32_MAX;
        if (!has_length || (!is_null && len > tuple.len - at))
            return charle_fail(err, CHARLE_MALFORMED, "a tuple of a binary COPY of %.*s ends too early",
                               CHARLE_FMT(table->name));
        data[i] = (struct ch_pg_datum){is_null ? NULL : tuple.ptr + at, is_null ? 0 : len};
        at += is_null ? 0 : len;
    }
    return encode(table, columns, data, buf, err);
}

enum charle_err ch_pg_copy_skip_header(struct charle_bytes *piece, struct charle_error *err)
{
    static const char signature[11] = "PGCOPY\n\377\r\n"; // with its closing zero byte
    const size_t fixed = sizeof(signature) + 8;           // flags and the length of the extension area
    if (piece->len < fixed || memcmp(piece->ptr, signature, sizeof(signature)) != 0 ||
        ch_pg_read32(piece->ptr + sizeof(signature) + 4) > piece->len - fixed)
        return charle_fail(err, CHARLE_MALFORMED, "what PostgreSQL sent is not a binary COPY");
    size_t header = fixed + ch_pg_read32(piece->ptr + sizeof(signature) + 4);
    *piece = charle_bytes(piece->ptr + header, piece->len - header);
    return CHARLE_OK;
}
