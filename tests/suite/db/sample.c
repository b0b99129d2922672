#include "sample.h"

#include "msg/scalar.h"

#include <math.h>
#include <stdio.h>

static const struct charle_enum_value states[] = {
    {SAMPLE_OPEN, CHARLE_STR_INIT("open")},
    {SAMPLE_IN_WORK, CHARLE_STR_INIT("in_work")},
    {SAMPLE_DONE, CHARLE_STR_INIT("done")},
};
static const struct charle_enum state_enum = {"test.State", states, 3};

#define HAS_REQUIRED(name) 0
#define HAS_OPTIONAL(name) offsetof(struct sample, name.has)
#define HAS_REPEATED(name) offsetof(struct sample, name.has)
#define FIELD(n, column, TYPE, opt_type, c_type, w, l) \
    {.number = n,                                      \
     .name = CHARLE_STR_INIT(#column),                 \
     .type = CHARLE_TYPE_##TYPE,                       \
     .wire = CHARLE_WIRE_##w,                          \
     .label = CHARLE_##l,                              \
     .packed = CHARLE_WIRE_##w < CHARLE_WIRE_STRING,   \
     .offset = offsetof(struct sample, column),        \
     .has_offset = HAS_##l(column),                    \
     .enumeration = CHARLE_TYPE_##TYPE == CHARLE_TYPE_ENUM ? &state_enum : NULL},
static const struct charle_field fields[] = {SAMPLE_FIELDS(FIELD)};
static const struct charle_message message = {"test.Sample", sizeof(struct sample), fields, SAMPLE_FIELD_COUNT};

#define NULLABLE_REQUIRED(name) false
#define NULLABLE_OPTIONAL(name) true
#define NULLABLE_REPEATED(name) (SAMPLE_##name == SAMPLE_na_text)
#define COLUMN(at, n)                       \
    {.name = CHARLE_STR_INIT(#n),           \
     .field = &fields[SAMPLE_##n],          \
     .index = at,                           \
     .is_nullable = SAMPLE_IS_NULLABLE_##n, \
     .is_array = SAMPLE_##n >= SAMPLE_a_flag},
enum {
#define IS_NULLABLE(n, column, TYPE, opt_type, c_type, w, l) SAMPLE_IS_NULLABLE_##column = NULLABLE_##l(column),
    SAMPLE_FIELDS(IS_NULLABLE)
#undef IS_NULLABLE
};

// In the order of the fields, but a_text comes third: somebody added it late and put it where it belongs.
static const struct charle_column columns[] = {
    COLUMN(0, id) COLUMN(1, flag) COLUMN(2, a_text) COLUMN(3, small) COLUMN(4, big) COLUMN(5, ratio) COLUMN(6, data)
        COLUMN(7, state) COLUMN(8, moment) COLUMN(9, day) COLUMN(10, price) COLUMN(11, tag) COLUMN(12, doc)
            COLUMN(13, n_text) COLUMN(14, n_flag) COLUMN(15, n_small) COLUMN(16, n_big) COLUMN(17, n_ratio)
                COLUMN(18, n_data) COLUMN(19, n_state) COLUMN(20, n_moment) COLUMN(21, n_day) COLUMN(22, n_price)
                    COLUMN(23, n_tag) COLUMN(24, n_doc) COLUMN(25, a_flag) COLUMN(26, a_small) COLUMN(27, a_big)
                        COLUMN(28, a_ratio) COLUMN(29, a_data) COLUMN(30, a_state) COLUMN(31, a_moment)
                            COLUMN(32, a_day) COLUMN(33, a_price) COLUMN(34, a_tag) COLUMN(35, a_doc)
                                COLUMN(36, na_text)};

const struct charle_table sample_table = {
    .id = 1,
    .name = CHARLE_STR_INIT("sample"),
    .row = &message,
    .patch = &message,
    .insert = &message,
    .columns = columns,
    .column_count = SAMPLE_FIELD_COUNT,
    .key_columns = (const uint16_t[]){0},
    .key_count = 1,
    .pg_create =
        "create table sample (id text collate \"C\" primary key, flag boolean not null, a_text text[] not null default "
        "'{}',"
        " small integer not null, big bigint not null, ratio double precision not null, data bytea not null,"
        " state text collate \"C\" not null, moment timestamptz not null, day date not null, price numeric not null,"
        " tag uuid not null, doc jsonb not null, n_text text collate \"C\", n_flag boolean, n_small integer, n_big "
        "bigint,"
        " n_ratio double precision, n_data bytea, n_state text collate \"C\", n_moment timestamptz, n_day date,"
        " n_price numeric, n_tag uuid, n_doc jsonb, a_flag boolean[] not null default '{}', a_small integer[] not null,"
        " a_big bigint[] not null, a_ratio double precision[] not null, a_data bytea[] not null, a_state text[] not "
        "null,"
        " a_moment timestamptz[] not null, a_day date[] not null, a_price numeric[] not null, a_tag uuid[] not null,"
        " a_doc jsonb[] not null, na_text text[])",
    .sqlite_create =
        "create table sample (id text primary key not null, flag integer not null, a_text text not null default '[]',"
        " small integer not null, big integer not null, ratio real not null, data blob not null, state text not null,"
        " moment integer not null, day text not null, price text not null, tag text not null, doc text not null,"
        " n_text text, n_flag integer, n_small integer, n_big integer, n_ratio real, n_data blob, n_state text,"
        " n_moment integer, n_day text, n_price text, n_tag text, n_doc text, a_flag text not null default '[]',"
        " a_small text not null, a_big text not null, a_ratio text not null, a_data text not null, a_state text not "
        "null,"
        " a_moment text not null, a_day text not null, a_price text not null, a_tag text not null, a_doc text not null,"
        " na_text text) without rowid",
};

const char *sample_insert_sql(void)
{
    static char sql[4096];
    struct charle_buf buf = {0};
    struct charle_column_set all = charle_table_all_columns(&sample_table);
    charle_buf_add_text(&buf, "insert into sample (");
    charle_table_write_columns(&sample_table, &all, "", &buf);
    charle_buf_add_text(&buf, ") values (");
    for (int i = 1; i <= SAMPLE_FIELD_COUNT; i++)
        charle_buf_printf(&buf, "%s$%d", i == 1 ? "" : ", ", i);
    charle_buf_add_text(&buf, ")");
    snprintf(sql, sizeof(sql), "%s", charle_buf_text(&buf));
    charle_buf_deinit(&buf);
    return sql;
}

const char *sample_select_sql(void)
{
    static char sql[4096];
    struct charle_buf buf = {0};
    struct charle_column_set all = charle_table_all_columns(&sample_table);
    charle_buf_add_text(&buf, "select ");
    charle_table_write_columns(&sample_table, &all, "", &buf);
    charle_buf_add_text(&buf, " from sample");
    snprintf(sql, sizeof(sql), "%s", charle_buf_text(&buf));
    charle_buf_deinit(&buf);
    return sql;
}

void sample_values(const struct sample *row, struct charle_value values[SAMPLE_FIELD_COUNT], struct charle_arena *arena)
{
    struct charle_error err;
    for (size_t i = 0; i < sample_table.column_count; i++) {
        const struct charle_column *column = &sample_table.columns[i];
        enum charle_err rc = charle_record_value(column, column->field, row, arena, &values[i], &err);
        CHARLE_ASSERT(rc == CHARLE_OK);
    }
}

// --- random rows ----------------------------------------------------------------------------------------------------

uint64_t sample_next(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

static size_t below(uint64_t *random, size_t bound)
{
    return (size_t)((sample_next(random) >> 11) % bound);
}

static int64_t pick_int(uint64_t *random, int64_t min, int64_t max)
{
    const int64_t edges[] = {0, 1, -1, 127, 128, -128, 255, 32767, -32768, max, min};
    if (below(random, 3) == 0)
        return edges[below(random, sizeof(edges) / sizeof(edges[0]))];
    int64_t value = (int64_t)(sample_next(random) >> below(random, 64));
    return value < min          ? min
           : value > max        ? max
           : below(random, 2)   ? value
           : value == INT64_MIN ? 0
           : -value < min       ? min
                                : -value;
}

static double pick_float(uint64_t *random)
{
    const double edges[] = {
        0, -0.0, 1, -1, 0.1, 1e300, -1e-300, 5e-324, (double)NAN, (double)INFINITY, -(double)INFINITY, 3, 1e15};
    if (below(random, 2))
        return edges[below(random, sizeof(edges) / sizeof(edges[0]))];
    return (double)(int64_t)sample_next(random) / 1048576.0;
}

static struct charle_str pick_text(uint64_t *random, struct charle_arena *arena)
{
    static const char *const pieces[] = {
        "",   "a", "Z",  " ", "'", "\"", "\\",           "%",    "_",   "\n", "\t", "über",
        "日", "🚂", "{}", ",", "[", "]",  "\u00e9\u0301", "\x01", "null"};
    char text[256] = "";
    for (size_t i = below(random, 12); i > 0; i--)
        strcat(text, pieces[below(random, sizeof(pieces) / sizeof(pieces[0]))]);
    return charle_arena_str(arena, charle_str(text));
}

static struct charle_bytes pick_bytes(uint64_t *random, struct charle_arena *arena)
{
    uint8_t bytes[32];
    size_t len = below(random, sizeof(bytes));
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)below(random, 256);
    return charle_arena_bytes(arena, charle_bytes(bytes, len));
}

static struct charle_numeric pick_numeric(uint64_t *random, struct charle_arena *arena)
{
    static const char *const edges[] = {"0",
                                        "1",
                                        "-1",
                                        "0.1",
                                        "-0.00001",
                                        "10000",
                                        "9999",
                                        "0.0001",
                                        "12.5",
                                        "100000000",
                                        "123456789.987654321",
                                        "-99999999999999999999.99999999",
                                        "0.00000000000000000001",
                                        "10000.0001",
                                        "1000000000000000000000000"};
    struct charle_numeric value;
    if (below(random, 2))
        return (struct charle_numeric){charle_str(edges[below(random, sizeof(edges) / sizeof(edges[0]))])};
    struct charle_str text = charle_arena_printf(
        arena, "%lld.%06zu", (long long)pick_int(random, -1000000000, 1000000000), below(random, 1000000));
    CHARLE_ASSERT(charle_numeric_read(text, arena, &value));
    return value;
}

static struct charle_uuid pick_uuid(uint64_t *random)
{
    struct charle_uuid uuid;
    for (size_t i = 0; i < sizeof(uuid.bytes); i++)
        uuid.bytes[i] = (uint8_t)below(random, 256);
    return uuid;
}

static struct charle_json pick_json(uint64_t *random)
{
    static const char *const edges[] = {"null",
                                        "{}",
                                        "[]",
                                        "1",
                                        "-0",
                                        "1.50",
                                        "1e3",
                                        "2.5E-4",
                                        "\"a\\u00e9\\n\\/\"",
                                        "true",
                                        "{\"b\":1,\"a\":[1,2,{\"x\":null}],\"aa\":\"\"}",
                                        "{\"a\":1,\"a\":2}",
                                        " [ 1 , 2.0 , \"x y\" ] ",
                                        "{\"\":0,\"zz\":1,\"b\":{\"c\":[]}}"};
    return (struct charle_json){charle_str(edges[below(random, sizeof(edges) / sizeof(edges[0]))])};
}

static struct charle_ts pick_ts(uint64_t *random)
{
    const int64_t edges[] = {
        0, -1, 1, 946684800000000, 946684799999999, 1700000000123456, -2208988800000000, 253402300799999999};
    return (struct charle_ts){below(random, 2) ? edges[below(random, 8)]
                                               : pick_int(random, -60000000000000000, 200000000000000000)};
}

static struct charle_date pick_date(uint64_t *random)
{
    const int32_t edges[] = {0, -1, 1, 10957, 10956, 2932896, -719162, 19000};
    return (struct charle_date){below(random, 2) ? edges[below(random, 8)] : (int32_t)below(random, 40000) - 10000};
}

static void pick_value(uint64_t *random, enum charle_type type, struct charle_arena *arena, void *out)
{
    static const int32_t numbers[] = {SAMPLE_OPEN, SAMPLE_IN_WORK, SAMPLE_DONE};
    switch (type) {
    case CHARLE_TYPE_BOOL:
        *(bool *)out = below(random, 2);
        return;
    case CHARLE_TYPE_INT4:
        *(int32_t *)out = (int32_t)pick_int(random, INT32_MIN, INT32_MAX);
        return;
    case CHARLE_TYPE_INT8:
        *(int64_t *)out = pick_int(random, INT64_MIN, INT64_MAX);
        return;
    case CHARLE_TYPE_FLOAT8:
        *(double *)out = pick_float(random);
        return;
    case CHARLE_TYPE_TEXT:
        *(struct charle_str *)out = pick_text(random, arena);
        return;
    case CHARLE_TYPE_BYTES:
        *(struct charle_bytes *)out = pick_bytes(random, arena);
        return;
    case CHARLE_TYPE_ENUM:
        *(int32_t *)out = numbers[below(random, 3)];
        return;
    case CHARLE_TYPE_TIMESTAMPTZ:
        *(struct charle_ts *)out = pick_ts(random);
        return;
    case CHARLE_TYPE_DATE:
        *(struct charle_date *)out = pick_date(random);
        return;
    case CHARLE_TYPE_NUMERIC:
        *(struct charle_numeric *)out = pick_numeric(random, arena);
        return;
    case CHARLE_TYPE_UUID:
        *(struct charle_uuid *)out = pick_uuid(random);
        return;
    case CHARLE_TYPE_JSONB:
        *(struct charle_json *)out = pick_json(random);
        return;
    case CHARLE_TYPE_MESSAGE:
    case CHARLE_TYPE_UINT4:
    case CHARLE_TYPE_UINT8:
    case CHARLE_TYPE_FLOAT4:
        break;
    }
    CHARLE_ASSERT(false);
}

struct sample sample_random(uint64_t *random, const char *id, struct charle_arena *arena)
{
    struct sample row = {0};
    for (size_t i = 0; i < SAMPLE_FIELD_COUNT; i++) {
        const struct charle_field *field = &fields[i];
        enum charle_type type = (enum charle_type)field->type;
        void *member = charle_field_ptr(field, &row);
        if (field->label == CHARLE_REPEATED) {
            size_t count = below(random, 4), size = charle_type_size(type);
            char *items = charle_arena_array(arena, count + 1, size);
            for (size_t k = 0; k < count; k++)
                pick_value(random, type, arena, items + k * size);
            // Bytes cannot tell an empty nullable array from NULL: neither is made here.
            *(struct charle_array *)member = (struct charle_array){items, count, count > 0};
        } else if (field->label == CHARLE_REQUIRED || below(random, 3)) {
            pick_value(random, type, arena, member);
            if (field->label == CHARLE_OPTIONAL)
                *((bool *)&row + field->has_offset) = true;
        }
    }
    row.id = charle_arena_str(arena, charle_str(id));
    return row;
}
