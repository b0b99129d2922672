#include "db/row.h"

#include "msg/scalar.h"
#include "msg/wire_inline.h"

#include <errno.h>
#include <stdlib.h>

enum { HEAD_SIZE_MAX = 15 }; // a tag and a number, or a tag and a length

struct charle_column_set charle_table_all_columns(const struct charle_table *table)
{
    struct charle_column_set set = {{0, 0}};
    for (size_t i = 0; i < table->column_count; i++)
        charle_column_set_add(&set, i);
    return set;
}

struct charle_column_set charle_table_key_set(const struct charle_table *table)
{
    struct charle_column_set set = {{0, 0}};
    for (size_t i = 0; i < table->key_count; i++)
        charle_column_set_add(&set, table->key_columns[i]);
    return set;
}

// Most tables list their columns in the order of the fields; then the place is known without looking.
const struct charle_column *ch_row_column(const struct charle_table *table, const struct charle_field *field)
{
    size_t guess = (size_t)(field - table->row->fields);
    if (guess < table->column_count && table->columns[guess].field == field)
        return &table->columns[guess];
    for (size_t i = 0; i < table->column_count; i++)
        if (table->columns[i].field == field)
            return &table->columns[i];
    return NULL;
}

// --- enums ----------------------------------------------------------------------------------------------------------

enum charle_err ch_row_enum_name(const struct charle_field *field, int32_t number, struct charle_str *out,
                                 struct charle_error *err)
{
    const struct charle_enum_value *value = charle_enum_by_number(field->enumeration, number);
    if (!value)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "%.*s: %s has no value with the number %d",
                           CHARLE_FMT(field->name), field->enumeration->name, number);
    *out = value->name;
    return CHARLE_OK;
}

// "#7": what a replica keeps for a value that only a newer schema has.
static bool read_stand_in(struct charle_str text, int32_t *out_number)
{
    char digits[16], *end;
    if (text.len < 2 || text.len > 12 || text.ptr[0] != '#')
        return false;
    memcpy(digits, text.ptr + 1, text.len - 1);
    digits[text.len - 1] = '\0';
    errno = 0;
    long number = strtol(digits, &end, 10);
    *out_number = (int32_t)number;
    return !*end && !errno && number >= INT32_MIN && number <= INT32_MAX;
}

enum charle_err ch_row_enum_text(const struct charle_field *field, int32_t number, struct charle_arena *arena,
                                 struct charle_str *out, struct charle_error *err)
{
    const struct charle_enum_value *value = charle_enum_by_number(field->enumeration, number);
    *out = value ? value->name : charle_arena_printf(arena, "#%d", number);
    return out->ptr ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no room for %.*s", CHARLE_FMT(field->name));
}

enum charle_err ch_row_enum_texts(const struct charle_field *field, const struct charle_array *numbers,
                                  struct charle_arena *arena, struct charle_array *out, struct charle_error *err)
{
    struct charle_str *texts = charle_arena_array(arena, numbers->count ? numbers->count : 1, sizeof(*texts));
    enum charle_err rc =
        texts ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no room for %.*s", CHARLE_FMT(field->name));
    for (size_t i = 0; !rc && i < numbers->count; i++)
        rc = ch_row_enum_text(field, ((const int32_t *)numbers->items)[i], arena, &texts[i], err);
    *out = (struct charle_array){.items = texts, .count = numbers->count, .has = true};
    return rc;
}

enum charle_err ch_row_enum_number(const struct charle_field *field, struct charle_str name, int32_t *out_number,
                                   struct charle_error *err)
{
    const struct charle_enum_value *value = charle_enum_by_name(field->enumeration, name);
    if (!value && read_stand_in(name, out_number))
        return CHARLE_OK;
    if (!value)
        return charle_fail(err, CHARLE_SCHEMA_MISMATCH, "%.*s holds \"%.*s\", which %s does not have",
                           CHARLE_FMT(field->name), CHARLE_FMT(name), field->enumeration->name);
    *out_number = value->number;
    return CHARLE_OK;
}

enum charle_err ch_row_enum_names(const struct charle_field *field, const struct charle_array *numbers,
                                  struct charle_arena *arena, struct charle_array *out, struct charle_error *err)
{
    struct charle_str *names = charle_arena_array(arena, numbers->count ? numbers->count : 1, sizeof(*names));
    enum charle_err rc =
        names ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no room for %.*s", CHARLE_FMT(field->name));
    for (size_t i = 0; !rc && i < numbers->count; i++)
        rc = ch_row_enum_name(field, ((const int32_t *)numbers->items)[i], &names[i], err);
    *out = (struct charle_array){.items = names, .count = numbers->count, .has = true};
    return rc;
}

enum charle_err ch_row_enum_numbers(const struct charle_field *field, const struct charle_array *names,
                                    struct charle_arena *arena, struct charle_array *out, struct charle_error *err)
{
    int32_t *numbers = charle_arena_array(arena, names->count ? names->count : 1, sizeof(*numbers));
    enum charle_err rc =
        numbers ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no room for %.*s", CHARLE_FMT(field->name));
    for (size_t i = 0; !rc && i < names->count; i++)
        rc = ch_row_enum_number(field, ((const struct charle_str *)names->items)[i], &numbers[i], err);
    *out = (struct charle_array){.items = numbers, .count = names->count, .has = true};
    return rc;
}

// --- reading --------------------------------------------------------------------------------------------------------

static struct charle_wire_reader reader_of(struct charle_bytes bytes)
{
    const uint8_t *start = bytes.len ? bytes.ptr : (const uint8_t *)""; // NULL has no end
    return (struct charle_wire_reader){start, start + bytes.len};
}

static const struct charle_column *column_numbered(const struct charle_table *table, uint32_t number, size_t *hint)
{
    if (*hint < table->column_count && table->columns[*hint].field->number == number)
        return &table->columns[(*hint)++];
    for (size_t i = 0; i < table->column_count; i++)
        if (table->columns[i].field->number == number) {
            *hint = i + 1;
            return &table->columns[i];
        }
    return NULL;
}

static enum charle_err malformed(const struct charle_column *column, struct charle_error *err)
{
    return charle_fail(err, CHARLE_MALFORMED, "the bytes of a row do not fit column %.*s", CHARLE_FMT(column->name));
}

enum charle_err ch_row_scan(const struct charle_table *table, struct charle_bytes row,
                            struct ch_row_cell cells[CH_COLUMNS_MAX], struct charle_error *err)
{
    struct charle_wire_reader reader = reader_of(row);
    struct charle_wire_field field;
    size_t hint = 0;
    enum charle_err rc;
    for (size_t i = 0; i < table->column_count; i++)
        cells[i].has = false;
    while ((rc = charle_wire_next(&reader, &field)) == CHARLE_OK) {
        const struct charle_column *column = column_numbered(table, field.number, &hint);
        if (!column)
            continue;
        if (field.wire_type != ch_wire_type((enum charle_wire)column->field->wire) &&
            !(column->is_array && field.wire_type == CH_WIRE_LEN))
            return malformed(column, err);
        cells[column->index] = (struct ch_row_cell){.has = true, .bits = field.value, .bytes = field.bytes};
        if (column->is_array)
            hint = column->index; // more pieces may follow
    }
    if (rc == CHARLE_DONE)
        return CHARLE_OK;
    return charle_fail(err, CHARLE_MALFORMED, "the bytes of a row of %.*s do not parse", CHARLE_FMT(table->name));
}

static int64_t int_of_bits(enum charle_wire wire, uint64_t bits)
{
    switch (wire) {
    case CHARLE_WIRE_SINT32:
    case CHARLE_WIRE_SINT64:
        return charle_wire_unzigzag(bits);
    case CHARLE_WIRE_INT32:
    case CHARLE_WIRE_ENUM:
    case CHARLE_WIRE_SFIXED32:
        return (int32_t)(uint32_t)bits;
    case CHARLE_WIRE_UINT32:
    case CHARLE_WIRE_FIXED32:
        return (int64_t)(uint32_t)bits;
    case CHARLE_WIRE_BOOL:
        return bits != 0;
    case CHARLE_WIRE_INT64:
    case CHARLE_WIRE_UINT64:
    case CHARLE_WIRE_FIXED64:
    case CHARLE_WIRE_SFIXED64:
    case CHARLE_WIRE_FLOAT:
    case CHARLE_WIRE_DOUBLE:
    case CHARLE_WIRE_STRING:
    case CHARLE_WIRE_BYTES:
    case CHARLE_WIRE_MESSAGE:
        break;
    }
    return (int64_t)bits;
}

static double float_of_bits(enum charle_wire wire, uint64_t bits)
{
    if (wire == CHARLE_WIRE_FLOAT) {
        uint32_t narrow = (uint32_t)bits;
        float value;
        memcpy(&value, &narrow, sizeof(value));
        return (double)value;
    }
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

int64_t ch_row_cell_int(const struct charle_column *column, const struct ch_row_cell *cell)
{
    return int_of_bits((enum charle_wire)column->field->wire, cell->bits);
}

double ch_row_cell_float(const struct charle_column *column, const struct ch_row_cell *cell)
{
    return float_of_bits((enum charle_wire)column->field->wire, cell->bits);
}

static bool uuid_of(const struct charle_field *field, struct charle_bytes bytes, struct charle_uuid *out)
{
    if (field->wire != CHARLE_WIRE_BYTES)
        return charle_uuid_read(charle_str_n((const char *)bytes.ptr, bytes.len), out);
    if (bytes.len != sizeof(out->bytes))
        return false;
    memcpy(out->bytes, bytes.ptr, bytes.len);
    return true;
}

// Puts a value into an item of the field's C type.
static bool set_item(const struct charle_field *field, uint64_t bits, struct charle_bytes bytes, void *item)
{
    enum charle_wire wire = (enum charle_wire)field->wire;
    switch ((enum charle_type)field->type) {
    case CHARLE_TYPE_BOOL:
        *(bool *)item = bits != 0;
        return true;
    case CHARLE_TYPE_INT4:
    case CHARLE_TYPE_ENUM:
    case CHARLE_TYPE_DATE:
    case CHARLE_TYPE_UINT4:
        *(int32_t *)item = (int32_t)int_of_bits(wire, bits);
        return true;
    case CHARLE_TYPE_INT8:
    case CHARLE_TYPE_TIMESTAMPTZ:
    case CHARLE_TYPE_UINT8:
        *(int64_t *)item = int_of_bits(wire, bits);
        return true;
    case CHARLE_TYPE_FLOAT8:
        *(double *)item = float_of_bits(wire, bits);
        return true;
    case CHARLE_TYPE_TEXT:
    case CHARLE_TYPE_BYTES:
    case CHARLE_TYPE_NUMERIC:
    case CHARLE_TYPE_JSONB:
        *(struct charle_bytes *)item = bytes;
        return true;
    case CHARLE_TYPE_UUID:
        return uuid_of(field, bytes, item);
    case CHARLE_TYPE_MESSAGE:
    case CHARLE_TYPE_FLOAT4:
        break;
    }
    return false;
}

// How many values a packed run holds; SIZE_MAX when it does not parse.
static size_t packed_count(int wire_type, struct charle_bytes run)
{
    size_t count = 0;
    if (wire_type == CH_WIRE_FIXED64 || wire_type == CH_WIRE_FIXED32) {
        size_t width = wire_type == CH_WIRE_FIXED64 ? 8 : 4;
        return run.len % width ? SIZE_MAX : run.len / width;
    }
    for (size_t i = 0; i < run.len; i++)
        count += run.ptr[i] < 0x80;
    return run.len && run.ptr[run.len - 1] >= 0x80 ? SIZE_MAX : count;
}

static bool set_packed(const struct charle_field *field, struct charle_bytes run, char *items, size_t item_size)
{
    struct charle_wire_reader reader = reader_of(run);
    int wire_type = ch_wire_type((enum charle_wire)field->wire);
    for (; reader.next < reader.end; items += item_size) {
        uint64_t bits = 0;
        if (wire_type == CH_WIRE_VARINT) {
            if (!ch_wire_read_varint(&reader, &bits))
                return false;
        } else {
            bits = wire_type == CH_WIRE_FIXED64 ? ch_le64(ch_load64(reader.next)) : ch_le32(ch_load32(reader.next));
            reader.next += wire_type == CH_WIRE_FIXED64 ? 8 : 4;
        }
        if (!set_item(field, bits, (struct charle_bytes){0}, items))
            return false;
    }
    return true;
}

// Walks the pieces of an array column; with items NULL it only counts.
static bool walk_array(const struct charle_field *field, struct charle_bytes row, char *items, size_t item_size,
                       size_t *out_count)
{
    struct charle_wire_reader reader = reader_of(row);
    struct charle_wire_field piece;
    int wire_type = ch_wire_type((enum charle_wire)field->wire);
    size_t count = 0;
    while (charle_wire_next(&reader, &piece) == CHARLE_OK) {
        if (piece.number != field->number)
            continue;
        bool packed = piece.wire_type == CH_WIRE_LEN && wire_type != CH_WIRE_LEN;
        size_t here = packed ? packed_count(wire_type, piece.bytes) : 1;
        if (here == SIZE_MAX)
            return false;
        char *to = items ? items + count * item_size : NULL;
        if (to &&
            !(packed ? set_packed(field, piece.bytes, to, item_size) : set_item(field, piece.value, piece.bytes, to)))
            return false;
        count += here;
    }
    *out_count = count;
    return true;
}

enum charle_err ch_row_array(const struct charle_column *column, struct charle_bytes row, struct charle_arena *arena,
                             struct charle_array *out, struct charle_error *err)
{
    size_t count = 0, item_size = charle_type_size((enum charle_type)column->field->type);
    if (!walk_array(column->field, row, NULL, item_size, &count))
        return malformed(column, err);
    char *items = charle_arena_array(arena, count ? count : 1, item_size);
    if (!items)
        return charle_fail(err, CHARLE_NO_MEMORY, "no room for the array in column %.*s", CHARLE_FMT(column->name));
    if (!walk_array(column->field, row, items, item_size, &count))
        return malformed(column, err);
    *out = (struct charle_array){.items = items, .count = count, .has = true};
    return CHARLE_OK;
}

static enum charle_err cell_value(const struct charle_column *column, const struct ch_row_cell *cell,
                                  struct charle_value *out, struct charle_error *err)
{
    const struct charle_field *field = column->field;
    out->type = field->type;
    if (field->type == CHARLE_TYPE_ENUM) {
        out->type = CHARLE_TYPE_TEXT;
        return ch_row_enum_name(field, (int32_t)ch_row_cell_int(column, cell), &out->text, err);
    }
    return set_item(field, cell->bits, cell->bytes, &out->int8) ? CHARLE_OK : malformed(column, err);
}
static enum charle_err array_value(const struct charle_column *column, struct charle_bytes row,
                                   struct charle_arena *arena, struct charle_value *out, struct charle_error *err)
{
    enum charle_err rc = ch_row_array(column, row, arena, &out->array, err);
    if (rc || column->field->type != CHARLE_TYPE_ENUM)
        return rc;
    out->type = CHARLE_TYPE_TEXT;
    return ch_row_enum_names(column->field, &out->array, arena, &out->array, err);
}

enum charle_err charle_row_values(const struct charle_table *table, const struct charle_column_set *columns,
                                  struct charle_bytes row, struct charle_arena *arena, struct charle_value *out,
                                  struct charle_error *err)
{
    struct ch_row_cell cells[CH_COLUMNS_MAX];
    enum charle_err rc = ch_row_scan(table, row, cells, err);
    for (size_t i = 0; !rc && i < table->column_count; i++) {
        if (!charle_column_set_has(columns, i))
            continue;
        const struct charle_column *column = &table->columns[i];
        *out = (struct charle_value){.type = column->field->type, .is_array = column->is_array};
        if (column->is_array && (cells[i].has || !column->is_nullable))
            rc = array_value(column, row, arena, out, err);
        else if (cells[i].has)
            rc = cell_value(column, &cells[i], out, err);
        else
            out->is_null = true;
        out++;
    }
    return rc;
}

// --- writing --------------------------------------------------------------------------------------------------------

static inline uint8_t *room(struct charle_buf *buf, size_t size)
{
    if (!buf->failed && size <= buf->capacity - buf->size)
        return buf->data + buf->size;
    return charle_buf_reserve(buf, size);
}

static uint8_t *put_fixed(uint8_t *to, bool wide, uint64_t bits)
{
    uint64_t v64 = ch_le64(bits);
    uint32_t v32 = ch_le32((uint32_t)bits);
    memcpy(to, wide ? (const void *)&v64 : (const void *)&v32, wide ? 8 : 4);
    return to + (wide ? 8 : 4);
}

// A number without its tag.
static uint8_t *put_bits(uint8_t *to, enum charle_wire wire, int64_t value)
{
    int wire_type = ch_wire_type(wire);
    if (wire_type != CH_WIRE_VARINT)
        return put_fixed(to, wire_type == CH_WIRE_FIXED64, (uint64_t)value);
    if (wire == CHARLE_WIRE_SINT32 || wire == CHARLE_WIRE_SINT64)
        return ch_wire_put_varint(to, charle_wire_zigzag(value));
    return ch_wire_put_varint(to, wire == CHARLE_WIRE_UINT32 ? (uint32_t)value : (uint64_t)value);
}

static int64_t bits_of_float(enum charle_wire wire, double value)
{
    int64_t bits = 0;
    double canonical = value == 0 ? 0 : value; // -0.0 equals 0.0 in both databases, and SQLite does not keep it
    if (wire == CHARLE_WIRE_FLOAT) {
        float narrow = (float)canonical;
        memcpy(&bits, &narrow, sizeof(narrow));
    } else {
        memcpy(&bits, &canonical, sizeof(canonical));
    }
    return bits;
}

void ch_row_add_int(struct charle_buf *buf, const struct charle_field *field, int64_t value)
{
    uint8_t *start = room(buf, HEAD_SIZE_MAX);
    if (!start)
        return;
    enum charle_wire wire = (enum charle_wire)field->wire;
    uint8_t *end = ch_wire_put_tag(start, field->number, ch_wire_type(wire));
    charle_buf_advance(buf, (size_t)(put_bits(end, wire, value) - start));
}

void ch_row_add_float(struct charle_buf *buf, const struct charle_field *field, double value)
{
    ch_row_add_int(buf, field, bits_of_float((enum charle_wire)field->wire, value));
}

void ch_row_add_bytes(struct charle_buf *buf, const struct charle_field *field, const void *data, size_t size)
{
    uint8_t *start = size <= CH_BUF_SIZE_MAX ? room(buf, HEAD_SIZE_MAX + size) : NULL;
    if (!start) {
        buf->failed = buf->failed ? buf->failed : CHARLE_TOO_LARGE;
        return;
    }
    uint8_t *end = ch_wire_put_varint(ch_wire_put_tag(start, field->number, CH_WIRE_LEN), size);
    if (size)
        memcpy(end, data, size);
    charle_buf_advance(buf, (size_t)(end - start) + size);
}

void ch_row_add_uuid(struct charle_buf *buf, const struct charle_field *field, const uint8_t bytes[16])
{
    struct charle_uuid uuid;
    char text[CHARLE_UUID_TEXT_LEN + 1];
    memcpy(uuid.bytes, bytes, sizeof(uuid.bytes));
    if (field->wire == CHARLE_WIRE_BYTES) {
        ch_row_add_bytes(buf, field, bytes, 16);
        return;
    }
    charle_uuid_write(uuid, text);
    ch_row_add_bytes(buf, field, text, CHARLE_UUID_TEXT_LEN);
}

static int64_t item_bits(const struct charle_field *field, const void *item)
{
    switch ((enum charle_type)field->type) {
    case CHARLE_TYPE_BOOL:
        return *(const bool *)item;
    case CHARLE_TYPE_FLOAT8:
        return bits_of_float((enum charle_wire)field->wire, *(const double *)item);
    case CHARLE_TYPE_INT8:
    case CHARLE_TYPE_UINT8:
    case CHARLE_TYPE_TIMESTAMPTZ:
        return *(const int64_t *)item;
    case CHARLE_TYPE_INT4:
    case CHARLE_TYPE_UINT4:
    case CHARLE_TYPE_ENUM:
    case CHARLE_TYPE_DATE:
    case CHARLE_TYPE_FLOAT4:
    case CHARLE_TYPE_TEXT:
    case CHARLE_TYPE_BYTES:
    case CHARLE_TYPE_NUMERIC:
    case CHARLE_TYPE_UUID:
    case CHARLE_TYPE_JSONB:
    case CHARLE_TYPE_MESSAGE:
        break;
    }
    return *(const int32_t *)item;
}

static void add_packed(struct charle_buf *buf, const struct charle_field *field, const struct charle_array *array,
                       size_t item_size)
{
    struct charle_buf run = {0};
    for (size_t i = 0; i < array->count; i++) {
        uint8_t *start = charle_buf_reserve(&run, HEAD_SIZE_MAX);
        if (!start)
            break;
        int64_t bits = item_bits(field, (const char *)array->items + i * item_size);
        charle_buf_advance(&run, (size_t)(put_bits(start, (enum charle_wire)field->wire, bits) - start));
    }
    if (run.failed)
        buf->failed = run.failed;
    else
        ch_row_add_bytes(buf, field, run.data, run.size);
    charle_buf_deinit(&run);
}

void ch_row_add_array(struct charle_buf *buf, const struct charle_field *field, const struct charle_array *array)
{
    size_t item_size = charle_type_size((enum charle_type)field->type);
    bool has_length = ch_wire_type((enum charle_wire)field->wire) == CH_WIRE_LEN;
    if (array->count == 0)
        return;
    if (field->packed && !has_length) {
        add_packed(buf, field, array, item_size);
        return;
    }
    for (size_t i = 0; i < array->count; i++) {
        const void *item = (const char *)array->items + i * item_size;
        const struct charle_bytes *bytes = item;
        if (field->type == CHARLE_TYPE_UUID)
            ch_row_add_uuid(buf, field, ((const struct charle_uuid *)item)->bytes);
        else if (has_length)
            ch_row_add_bytes(buf, field, bytes->ptr, bytes->len);
        else
            ch_row_add_int(buf, field, item_bits(field, item));
    }
}
