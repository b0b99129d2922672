#include "sync/shape.h"

#include "base/limits.h"
#include "db/row.h"
#include "msg/wire.h"
#include "sync/hash.h"

// --- writing ------------------------------------------------------------------------------------------------------------

// A list of `count` pointers to zeroed messages of `size` bytes, both in the arena. NULL: no memory.
static void **make_list(struct charle_arena *arena, size_t count, size_t size)
{
    void **list = charle_arena_array(arena, count ? count : 1, sizeof(*list));
    char *items = charle_arena_array(arena, count ? count : 1, size);
    if (items)
        memset(items, 0, count * size);
    for (size_t i = 0; list && items && i < count; i++)
        list[i] = items + i * size;
    return items ? list : NULL;
}

static struct charle_array array_of(const void *items, size_t count)
{
    return (struct charle_array){.items = items, .count = count, .has = true};
}

// Every field of a row is a column.
static const struct charle_column *column_of(const struct charle_table *table, const struct charle_field *field)
{
    const struct charle_column *column = charle_table_column_numbered(table, field->number);
    CHARLE_ASSERT(column);
    return column;
}

static void fill_column(const struct charle_table *table, const struct charle_field *field, struct charle_column_shape *out)
{
    const struct charle_column *column = column_of(table, field);
    *out = (struct charle_column_shape){.number = field->number, .type = field->type, .wire = field->wire};
    out->is_nullable = (struct charle_opt_bool){true, column->is_nullable};
    out->is_array = (struct charle_opt_bool){true, column->is_array};
    if (field->enumeration) // which has a value: protoc sees to that
        out->zero = (struct charle_opt_int4){field->enumeration->values[0].number, true};
}

static uint32_t number_of(const struct charle_table *table, size_t column)
{
    CHARLE_ASSERT(column < table->column_count);
    return table->columns[column].field->number;
}

static bool fill_audience(const struct charle_table *table, const struct charle_audience *audience, struct charle_arena *arena,
                          struct charle_audience_shape *out)
{
    uint32_t *shows = charle_arena_array(arena, table->column_count, sizeof(*shows));
    size_t count = 0;
    if (!shows)
        return false;
    for (size_t i = 0; i < table->row->field_count; i++) { // in ascending order of number
        const struct charle_column *column = column_of(table, &table->row->fields[i]);
        if (charle_column_set_has(&audience->columns, column->index))
            shows[count++] = column->field->number;
    }
    CHARLE_ASSERT(count <= table->column_count);
    *out = (struct charle_audience_shape){.name = audience->name, .kind = audience->kind, .shows = array_of(shows, count)};
    if (audience->kind == CHARLE_AUDIENCE_COLUMN)
        out->column = (struct charle_opt_uint4){number_of(table, audience->column), true};
    if (audience->where_sqlite)
        out->condition = (struct charle_opt_text){charle_str(audience->where_sqlite), true};
    return true;
}

static bool fill_table(const struct charle_table *table, struct charle_arena *arena, struct charle_table_shape *out)
{
    struct charle_column_shape **columns = (struct charle_column_shape **)make_list(arena, table->column_count, sizeof(**columns));
    struct charle_audience_shape **audiences =
        (struct charle_audience_shape **)make_list(arena, table->audience_count, sizeof(**audiences));
    uint32_t *key = charle_arena_array(arena, table->key_count, sizeof(*key));
    size_t count = 0;
    bool ok = columns && audiences && key;
    CHARLE_ASSERT(table->key_count > 0 && table->row->field_count <= table->column_count); // the room that was taken
    for (size_t i = 0; ok && i < table->row->field_count; i++)
        fill_column(table, &table->row->fields[i], columns[count++]);
    for (size_t i = 0; ok && i < table->key_count; i++)
        key[i] = number_of(table, table->key_columns[i]);
    for (size_t i = 0; ok && i < table->audience_count; i++)
        ok = fill_audience(table, &table->audiences[i], arena, audiences[i]);
    *out = (struct charle_table_shape){.id = table->id, .column = array_of(columns, count), .key = array_of(key, table->key_count),
                                       .audience = array_of(audiences, table->audience_count)};
    return ok;
}

enum charle_err ch_shape_write(const struct charle_schema *schema, struct charle_buf *out, struct charle_error *err)
{
    struct charle_arena arena = {0};
    struct charle_table_shape **tables = (struct charle_table_shape **)make_list(&arena, schema->table_count, sizeof(**tables));
    size_t count = 0;
    bool ok = tables != NULL;
    for (size_t i = 0; ok && i < schema->table_count; i++) {
        if (schema->tables[i]->is_replicated)
            ok = fill_table(schema->tables[i], &arena, tables[count++]);
    }
    CHARLE_ASSERT(count <= schema->table_count);
    struct charle_schema_shape shape = {.name = schema->name, .table = array_of(tables, count)};
    if (ok)
        charle_message_write(&charle_schema_shape_message, &shape, out);
    charle_arena_deinit(&arena);
    return ok && !out->failed ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory to describe the schema");
}

uint64_t ch_shape_hash(struct charle_bytes shape)
{
    uint8_t hash[CH_ROW_HASH_SIZE];
    uint64_t value = 0;
    ch_row_hash(shape, hash);
    for (int i = 0; i < 8; i++)
        value |= (uint64_t)hash[i] << (8 * i);
    return value;
}

// --- reading ------------------------------------------------------------------------------------------------------------

static const struct charle_table_shape *table_at(const struct charle_schema_shape *shape, size_t index)
{
    CHARLE_ASSERT(index < shape->table.count);
    return ((const struct charle_table_shape *const *)shape->table.items)[index];
}

static const struct charle_column_shape *column_at(const struct charle_table_shape *table, size_t index)
{
    CHARLE_ASSERT(index < table->column.count);
    return ((const struct charle_column_shape *const *)table->column.items)[index];
}

static const struct charle_audience_shape *audience_at(const struct charle_table_shape *table, size_t index)
{
    CHARLE_ASSERT(index < table->audience.count);
    return ((const struct charle_audience_shape *const *)table->audience.items)[index];
}

static bool are_columns(const struct charle_table_shape *table, const struct charle_array *numbers)
{
    for (size_t i = 0; i < numbers->count; i++) {
        if (!ch_shape_column(table, ((const uint32_t *)numbers->items)[i]))
            return false;
    }
    return true;
}

static enum charle_err check_table(const struct charle_table_shape *table, struct charle_error *err)
{
    bool ok = table->column.count && table->column.count <= CH_COLUMNS_MAX && table->key.count && are_columns(table, &table->key);
    for (size_t i = 0; ok && i < table->column.count; i++) {
        const struct charle_column_shape *column = column_at(table, i);
        ok = column->number && column->type <= CHARLE_TYPE_FLOAT4 && column->wire <= CHARLE_WIRE_MESSAGE &&
             (!i || column_at(table, i - 1)->number < column->number);
    }
    for (size_t i = 0; ok && i < table->audience.count; i++)
        ok = are_columns(table, &audience_at(table, i)->shows);
    return ok ? CHARLE_OK : charle_fail(err, CHARLE_INVALID_ARGUMENT, "the description of table %u in the replica's schema is not sound", table->id);
}

enum charle_err ch_shape_read(struct charle_bytes shape, struct charle_arena *arena, struct charle_schema_shape *out, struct charle_error *err)
{
    if (shape.len > CH_SHAPE_SIZE_MAX)
        return charle_fail(err, CHARLE_TOO_LARGE, "the description of a schema has at most %d bytes", CH_SHAPE_SIZE_MAX);
    enum charle_err rc = charle_message_read(&charle_schema_shape_message, shape, arena, out, err);
    for (size_t i = 0; !rc && i < out->table.count; i++) {
        if (i && table_at(out, i - 1)->id >= table_at(out, i)->id)
            rc = charle_fail(err, CHARLE_INVALID_ARGUMENT, "the tables of the replica's schema are not in order");
        if (!rc)
            rc = check_table(table_at(out, i), err);
    }
    return rc;
}

const struct charle_table_shape *ch_shape_table(const struct charle_schema_shape *shape, uint32_t id)
{
    for (size_t i = 0; i < shape->table.count; i++) {
        if (table_at(shape, i)->id == id)
            return table_at(shape, i);
    }
    return NULL;
}

const struct charle_column_shape *ch_shape_column(const struct charle_table_shape *table, uint32_t number)
{
    for (size_t i = 0; i < table->column.count; i++) {
        if (column_at(table, i)->number == number)
            return column_at(table, i);
    }
    return NULL;
}

const struct charle_audience_shape *ch_shape_audience(const struct charle_table_shape *table, struct charle_str name)
{
    for (size_t i = 0; i < table->audience.count; i++) {
        if (charle_str_equal(audience_at(table, i)->name, name))
            return audience_at(table, i);
    }
    return NULL;
}

bool ch_shape_shows(const struct charle_audience_shape *audience, uint32_t number)
{
    for (size_t i = 0; i < audience->shows.count; i++) {
        if (((const uint32_t *)audience->shows.items)[i] == number)
            return true;
    }
    return false;
}
