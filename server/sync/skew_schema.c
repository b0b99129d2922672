#include "server/sync/skew_schema.h"

#include "db/record.h"
#include "db/row.h"
#include "sync/shape.h"

#include <inttypes.h>
#include <stdlib.h>

struct building {
    struct ch_skew_schema *out;
    const struct charle_schema_gap **gaps; // room for one of each table and one of each audience
    size_t gap_count;
    const struct charle_schema_shape *shape;
    struct charle_error *err;
};

// One table being made. Columns keep the places they have in the server's table; those that only the replica has come behind them.
struct table_building {
    struct building *building;
    struct charle_arena *arena;
    const struct charle_table *current;
    const struct charle_table_shape *shape;
    struct charle_table *table;
    struct charle_column *columns;
    struct charle_field *fields; // of the row message, in ascending order of number
    const char **expressions;
    size_t count;
    uint32_t others[CH_COLUMNS_MAX]; // numbers of the replica's columns that have other values on the server, or none
    size_t other_count;
    struct charle_error *err;
};

static enum charle_err no_memory(struct charle_error *err)
{
    return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a version of the schema");
}

// --- what the replica is told -------------------------------------------------------------------------------------------

// Numbers are copied; audience.ptr NULL: it is about the table.
static enum charle_err add_gap(struct building *building, uint32_t table, struct charle_str audience, const uint32_t *numbers, size_t count)
{
    struct charle_arena *arena = &building->out->arena;
    struct charle_schema_gap *gap = charle_arena_alloc(arena, sizeof(*gap));
    uint32_t *copy = charle_arena_array(arena, count + 1, sizeof(*copy));
    struct charle_str name = charle_arena_str(arena, audience);
    if (!gap || !copy || (audience.ptr && !name.ptr))
        return no_memory(building->err);
    for (size_t i = 0; i < count; i++)
        copy[i] = numbers[i];
    *gap = (struct charle_schema_gap){.table = table, .audience = {name, audience.ptr != NULL}, .column = {copy, count, true}};
    building->gaps[building->gap_count++] = gap;
    return CHARLE_OK;
}

// --- values for columns that the server does not have -------------------------------------------------------------------

static const char *zero_of_type(uint32_t type)
{
    switch (type) {
    case CHARLE_TYPE_BOOL:
        return "false";
    case CHARLE_TYPE_INT4:
        return "0::int4";
    case CHARLE_TYPE_INT8:
        return "0::int8";
    case CHARLE_TYPE_FLOAT8:
        return "0::float8";
    case CHARLE_TYPE_TEXT:
        return "''::text";
    case CHARLE_TYPE_BYTES:
        return "''::bytea";
    case CHARLE_TYPE_TIMESTAMPTZ:
        return "'1970-01-01 00:00:00+00'::timestamptz";
    case CHARLE_TYPE_DATE:
        return "'1970-01-01'::date";
    case CHARLE_TYPE_NUMERIC:
        return "0::numeric";
    case CHARLE_TYPE_UUID:
        return "'00000000-0000-0000-0000-000000000000'::uuid";
    case CHARLE_TYPE_JSONB:
        return "'null'::jsonb";
    default:
        return NULL;
    }
}

static const char *array_of_type(uint32_t type)
{
    switch (type) {
    case CHARLE_TYPE_BOOL:
        return "'{}'::boolean[]";
    case CHARLE_TYPE_INT4:
        return "'{}'::int4[]";
    case CHARLE_TYPE_INT8:
        return "'{}'::int8[]";
    case CHARLE_TYPE_FLOAT8:
        return "'{}'::float8[]";
    case CHARLE_TYPE_TEXT:
        return "'{}'::text[]";
    case CHARLE_TYPE_BYTES:
        return "'{}'::bytea[]";
    case CHARLE_TYPE_TIMESTAMPTZ:
        return "'{}'::timestamptz[]";
    case CHARLE_TYPE_DATE:
        return "'{}'::date[]";
    case CHARLE_TYPE_NUMERIC:
        return "'{}'::numeric[]";
    case CHARLE_TYPE_UUID:
        return "'{}'::uuid[]";
    case CHARLE_TYPE_JSONB:
        return "'{}'::jsonb[]";
    default:
        return NULL;
    }
}

// The SQL of a value that stands for "none" in a column that must have one. `type` is what the server encodes it as.
static const char *zero_sql(const struct charle_column_shape *column, uint32_t type, struct charle_arena *arena)
{
    if (column->is_array.has && column->is_array.value)
        return array_of_type(type);
    if (type == CHARLE_TYPE_INT4 && column->type == CHARLE_TYPE_ENUM)
        return charle_arena_printf(arena, "(%" PRId32 ")::int4", column->zero.has ? column->zero.value : 0).ptr;
    return zero_of_type(type);
}

static bool is_nullable(const struct charle_column_shape *column)
{
    return column->is_nullable.has && column->is_nullable.value;
}

// A column that only the replica has. Enums travel as numbers, so their values need not be known here.
static enum charle_err add_absent(struct table_building *b, const struct charle_column_shape *shape)
{
    uint32_t type = shape->type == CHARLE_TYPE_ENUM ? CHARLE_TYPE_INT4 : shape->type;
    bool is_array = shape->is_array.has && shape->is_array.value;
    const char *zero = zero_sql(shape, type, b->arena);
    struct charle_str name = charle_arena_printf(b->arena, "absent_%u", shape->number);
    if (!zero)
        return charle_fail(b->err, CHARLE_SCHEMA_MISMATCH,
                           "the replica's schema has a column %u in table %.*s, of a type that cannot be served: update the program of this replica",
                           shape->number, CHARLE_FMT(b->current->name));
    if (!name.ptr)
        return no_memory(b->err);
    if (b->count == CH_COLUMNS_MAX)
        return charle_fail(b->err, CHARLE_SCHEMA_MISMATCH, "table %.*s has more than %d columns in the two versions of the schema together",
                           CHARLE_FMT(b->current->name), CH_COLUMNS_MAX);
    b->fields[b->count] = (struct charle_field){.number = shape->number, .name = name, .type = (uint8_t)type,
                                                .wire = (uint8_t)(shape->wire == CHARLE_WIRE_ENUM ? CHARLE_WIRE_INT32 : shape->wire),
                                                .label = is_array ? CHARLE_REPEATED : CHARLE_REQUIRED};
    b->columns[b->count] = (struct charle_column){.name = name, .index = (uint16_t)b->count, .is_array = is_array};
    b->expressions[b->count] = zero;
    b->count++;
    return CHARLE_OK;
}

// --- columns ------------------------------------------------------------------------------------------------------------

static enum charle_err check_column(const struct table_building *b, const struct charle_column *column, const struct charle_column_shape *shape)
{
    bool is_array = shape->is_array.has && shape->is_array.value;
    if (column->field->type == shape->type && column->field->wire == shape->wire && column->is_array == is_array)
        return CHARLE_OK;
    return charle_fail(b->err, CHARLE_SCHEMA_MISMATCH, "column %.*s.%.*s has another type on the server than in this replica: update the program",
                       CHARLE_FMT(b->current->name), CHARLE_FMT(column->name));
}

static enum charle_err add_columns(struct table_building *b)
{
    const struct charle_column_shape *const *shapes = b->shape->column.items;
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < b->current->column_count; i++) {
        const struct charle_column *column = &b->current->columns[i];
        const struct charle_column_shape *shape = ch_shape_column(b->shape, column->field->number);
        b->columns[i] = *column;
        b->fields[i] = *column->field;
        b->expressions[i] = NULL;
        if (shape)
            rc = check_column(b, column, shape);
        if (rc || !shape || is_nullable(shape) || !column->is_nullable)
            continue;
        b->others[b->other_count++] = shape->number;
        const char *zero = column->field->type == CHARLE_TYPE_ENUM ? NULL : zero_sql(shape, shape->type, b->arena);
        struct charle_buf text = {0};
        charle_buf_add_text(&text, "coalesce(r.");
        charle_sql_write_name(&text, column->name);
        if (column->field->type == CHARLE_TYPE_ENUM)
            charle_buf_printf(&text, ", '%.*s')", CHARLE_FMT(column->field->enumeration->values[0].name));
        else
            charle_buf_printf(&text, ", %s)", zero ? zero : "null");
        b->expressions[i] = text.failed ? NULL : charle_arena_str(b->arena, charle_buf_str(&text)).ptr;
        charle_buf_deinit(&text);
        if (!b->expressions[i])
            rc = no_memory(b->err);
    }
    b->count = b->current->column_count;
    for (size_t i = 0; !rc && i < b->shape->column.count; i++) {
        if (charle_table_column_numbered(b->current, shapes[i]->number))
            continue;
        if (b->other_count < CH_COLUMNS_MAX)
            b->others[b->other_count++] = shapes[i]->number;
        if (!is_nullable(shapes[i]))
            rc = add_absent(b, shapes[i]);
    }
    return !rc && b->other_count ? add_gap(b->building, b->current->id, (struct charle_str){0}, b->others, b->other_count) : rc;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = ((const struct charle_field *)a)->number, y = ((const struct charle_field *)b)->number;
    return (x > y) - (x < y);
}

// Rows are encoded in the order of the message's fields, so these are sorted; then the columns are told where theirs are.
static enum charle_err finish_columns(struct table_building *b)
{
    uint32_t numbers[CH_COLUMNS_MAX];
    struct charle_message *row = charle_arena_alloc(b->arena, sizeof(*row));
    if (!row)
        return no_memory(b->err);
    for (size_t i = 0; i < b->count; i++)
        numbers[i] = b->fields[i].number;
    qsort(b->fields, b->count, sizeof(*b->fields), by_number);
    *row = (struct charle_message){.name = b->current->row->name, .size = b->current->row->size, .fields = b->fields, .field_count = b->count};
    for (size_t i = 0; i < b->count; i++)
        b->columns[i].field = charle_message_field(row, numbers[i]);
    b->table->row = row;
    b->table->columns = b->columns;
    b->table->column_count = b->count;
    return CHARLE_OK;
}

static enum charle_err check_key(const struct table_building *b)
{
    bool is_same = b->shape->key.count == b->current->key_count;
    for (size_t i = 0; is_same && i < b->current->key_count; i++)
        is_same = ((const uint32_t *)b->shape->key.items)[i] == b->current->columns[b->current->key_columns[i]].field->number;
    return is_same ? CHARLE_OK
                   : charle_fail(b->err, CHARLE_SCHEMA_MISMATCH, "table %.*s has another primary key on the server than in this replica: update the program",
                                 CHARLE_FMT(b->current->name));
}

// --- audiences ----------------------------------------------------------------------------------------------------------

static bool has_same_rule(const struct table_building *b, const struct charle_audience *audience, const struct charle_audience_shape *shape)
{
    uint32_t column = audience->kind == CHARLE_AUDIENCE_COLUMN ? b->current->columns[audience->column].field->number : 0;
    struct charle_str here = audience->where_sqlite ? charle_str(audience->where_sqlite) : (struct charle_str){0};
    struct charle_str there = shape->condition.has ? shape->condition.value : (struct charle_str){0};
    return shape->kind == audience->kind && (shape->column.has ? shape->column.value : 0) == column && charle_str_equal(here, there);
}

// What both show, and the zeros for what the replica expects beyond that. What only the server shows to this audience is left out: the replica
// would not keep it, and find its rows different for ever.
static struct charle_column_set shown_columns(const struct table_building *b, const struct charle_audience *audience,
                                              const struct charle_audience_shape *shape)
{
    struct charle_column_set set = {{0, 0}};
    for (size_t i = 0; i < b->current->column_count; i++) {
        if (charle_column_set_has(&audience->columns, i) && ch_shape_shows(shape, b->columns[i].field->number))
            charle_column_set_add(&set, i);
    }
    for (size_t i = b->current->column_count; i < b->count; i++) {
        if (ch_shape_shows(shape, b->columns[i].field->number))
            charle_column_set_add(&set, i);
    }
    return set;
}

// What the replica believes an audience to show of the columns that both have, and the server does not.
static enum charle_err tell_unshown(struct table_building *b, const struct charle_audience *audience, const struct charle_audience_shape *shape)
{
    uint32_t unshown[CH_COLUMNS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < b->current->column_count; i++) {
        if (!charle_column_set_has(&audience->columns, i) && ch_shape_shows(shape, b->columns[i].field->number))
            unshown[count++] = b->columns[i].field->number;
    }
    return count ? add_gap(b->building, b->current->id, audience->name, unshown, count) : CHARLE_OK;
}

// Whether every row of the replica must have a value there: the column is not null, and all audiences show it.
static bool is_insisted_on(const struct table_building *b, uint32_t number)
{
    const struct charle_audience_shape *const *shapes = b->shape->audience.items;
    const struct charle_column_shape *column = ch_shape_column(b->shape, number);
    bool is_shown = column && !is_nullable(column);
    for (size_t i = 0; is_shown && i < b->shape->audience.count; i++)
        is_shown = ch_shape_shows(shapes[i], number);
    return is_shown;
}

// A zero there would be taken for the value by a replica that has the row by another audience as well.
static enum charle_err check_shown(const struct table_building *b, const struct charle_audience *audience)
{
    for (size_t i = 0; i < b->current->column_count; i++) {
        if (charle_column_set_has(&audience->columns, i) || !is_insisted_on(b, b->columns[i].field->number))
            continue;
        return charle_fail(b->err, CHARLE_SCHEMA_MISMATCH,
                           "this replica cannot be without column %.*s.%.*s, and the server does not show it to \"%.*s\" yet: update the server",
                           CHARLE_FMT(b->current->name), CHARLE_FMT(b->columns[i].name), CHARLE_FMT(audience->name));
    }
    return CHARLE_OK;
}

static bool has_audience(const struct charle_table *table, struct charle_str name)
{
    for (size_t i = 0; i < table->audience_count; i++) {
        if (charle_str_equal(table->audiences[i].name, name))
            return true;
    }
    return false;
}

// Audiences that only the replica has show nothing; it has to know, or it would take rows that it has by another one for theirs.
static enum charle_err tell_unserved(struct table_building *b)
{
    const struct charle_audience_shape *const *shapes = b->shape->audience.items;
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < b->shape->audience.count; i++) {
        if (!has_audience(b->current, shapes[i]->name))
            rc = add_gap(b->building, b->current->id, shapes[i]->name, NULL, 0);
    }
    return rc;
}

static enum charle_err add_audiences(struct table_building *b)
{
    struct charle_audience *audiences = charle_arena_array(b->arena, b->current->audience_count, sizeof(*audiences));
    size_t count = 0;
    enum charle_err rc = audiences ? CHARLE_OK : no_memory(b->err);
    for (size_t i = 0; !rc && i < b->current->audience_count; i++) {
        const struct charle_audience *audience = &b->current->audiences[i];
        const struct charle_audience_shape *shape = ch_shape_audience(b->shape, audience->name);
        if (!shape)
            continue;
        if (!has_same_rule(b, audience, shape))
            return charle_fail(b->err, CHARLE_SCHEMA_MISMATCH,
                               "who sees rows of table %.*s as \"%.*s\" is decided by another rule on the server than in this replica: update the program",
                               CHARLE_FMT(b->current->name), CHARLE_FMT(audience->name));
        rc = check_shown(b, audience);
        if (rc)
            return rc;
        audiences[count] = *audience;
        audiences[count].columns = shown_columns(b, audience, shape);
        count++;
        rc = tell_unshown(b, audience, shape);
    }
    b->table->audiences = audiences;
    b->table->audience_count = count;
    return rc ? rc : tell_unserved(b);
}

// --- tables -------------------------------------------------------------------------------------------------------------

static enum charle_err build_table(struct building *building, const struct charle_table *current, const struct charle_table_shape *shape,
                                   struct charle_table **out, struct ch_view_expressions *expressions)
{
    struct charle_arena *arena = &building->out->arena;
    size_t room = CH_COLUMNS_MAX;
    struct table_building b = {.building = building, .arena = arena, .current = current, .shape = shape, .err = building->err};
    b.table = charle_arena_alloc(arena, sizeof(*b.table));
    b.columns = charle_arena_array(arena, room, sizeof(*b.columns));
    b.fields = charle_arena_array(arena, room, sizeof(*b.fields));
    b.expressions = charle_arena_array(arena, room, sizeof(*b.expressions));
    if (!b.table || !b.columns || !b.fields || !b.expressions)
        return no_memory(building->err);
    *b.table = *current;
    enum charle_err rc = check_key(&b);
    if (!rc)
        rc = add_columns(&b);
    if (!rc)
        rc = finish_columns(&b);
    if (!rc)
        rc = add_audiences(&b);
    *out = b.table;
    *expressions = (struct ch_view_expressions){b.expressions};
    return rc;
}

static size_t gaps_max(const struct charle_schema_shape *shape)
{
    const struct charle_table_shape *const *shapes = shape->table.items;
    size_t count = 1;
    for (size_t i = 0; i < shape->table.count; i++)
        count += 1 + shapes[i]->audience.count;
    return count;
}

static enum charle_err tell_absent_tables(struct building *building, const struct charle_schema *current)
{
    const struct charle_table_shape *const *shapes = building->shape->table.items;
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < building->shape->table.count; i++) {
        const struct charle_table *table = charle_schema_table(current, shapes[i]->id);
        if (!table || !table->is_replicated)
            rc = add_gap(building, shapes[i]->id, (struct charle_str){0}, NULL, 0);
    }
    return rc;
}

static enum charle_err build(struct building *building, const struct charle_schema *current, uint64_t hash)
{
    struct ch_skew_schema *out = building->out;
    struct charle_table **tables = charle_arena_array(&out->arena, current->table_count, sizeof(struct charle_table *));
    struct ch_view_expressions *expressions = charle_arena_array(&out->arena, current->table_count, sizeof(*expressions));
    size_t count = 0;
    building->gaps = charle_arena_array(&out->arena, gaps_max(building->shape), sizeof(*building->gaps));
    enum charle_err rc = tables && expressions && building->gaps ? CHARLE_OK : no_memory(building->err);
    for (size_t i = 0; !rc && i < current->table_count; i++) {
        const struct charle_table_shape *shape = ch_shape_table(building->shape, current->tables[i]->id);
        if (!shape || !current->tables[i]->is_replicated)
            continue;
        rc = build_table(building, current->tables[i], shape, &tables[count], &expressions[count]);
        count++;
    }
    if (!rc)
        rc = tell_absent_tables(building, current);
    out->gaps = (struct charle_array){building->gaps, building->gap_count, true};
    out->schema = *current;
    out->schema.hash = hash;
    out->schema.tables = (const struct charle_table *const *)tables;
    out->schema.table_count = count;
    out->expressions = expressions;
    return rc;
}

enum charle_err ch_skew_schema_init(struct ch_skew_schema *out, const struct charle_schema *current, struct charle_bytes bytes,
                                    uint64_t hash, struct charle_error *err)
{
    struct charle_schema_shape shape;
    struct charle_arena arena;
    struct building building = {.out = out, .shape = &shape, .err = err};
    charle_arena_init(&arena, 32 * CH_SHAPE_SIZE_MAX);
    charle_arena_init(&out->arena, 64 << 20);
    enum charle_err rc = ch_shape_read(bytes, &arena, &shape, err);
    if (!rc && !charle_str_equal(shape.name, current->name))
        rc = charle_fail(err, CHARLE_SCHEMA_MISMATCH, "this is a replica of the schema %.*s, and the server has %.*s", CHARLE_FMT(shape.name),
                         CHARLE_FMT(current->name));
    if (!rc)
        rc = build(&building, current, hash);
    charle_arena_deinit(&arena);
    return rc;
}

void ch_skew_schema_deinit(struct ch_skew_schema *schema)
{
    charle_arena_deinit(&schema->arena);
}
