#include "unit/msg/everything.h"

#include "msg/scalar.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

static const struct charle_enum_value color_values[] = {
    {-3, CHARLE_STR_INIT("below")},
    {0, CHARLE_STR_INIT("none")},
    {1, CHARLE_STR_INIT("red")},
    {7, CHARLE_STR_INIT("deep_blue")},
};
const struct charle_enum color_enum = {"charle.test.Color", color_values, 4};

#define REQ(S, num, member, T, W)                                                                          \
    {                                                                                                      \
        .number = num, .name = CHARLE_STR_INIT(#member), .type = CHARLE_TYPE_##T, .wire = CHARLE_WIRE_##W, \
        .label = CHARLE_REQUIRED, .offset = offsetof(struct S, member)                                     \
    }
#define OPT(S, num, member, T, W)                                                                                    \
    {                                                                                                                \
        .number = num, .name = CHARLE_STR_INIT(#member), .type = CHARLE_TYPE_##T, .wire = CHARLE_WIRE_##W,           \
        .label = CHARLE_OPTIONAL, .offset = offsetof(struct S, member), .has_offset = offsetof(struct S, member.has) \
    }
#define ARR(S, num, member, T, W, pack)                                                                    \
    {                                                                                                      \
        .number = num, .name = CHARLE_STR_INIT(#member), .type = CHARLE_TYPE_##T, .wire = CHARLE_WIRE_##W, \
        .label = CHARLE_REPEATED, .packed = pack, .offset = offsetof(struct S, member),                    \
        .has_offset = offsetof(struct S, member.has)                                                       \
    }
#define SUB(S, num, member, lab, msg)                                                                              \
    {                                                                                                              \
        .number = num, .name = CHARLE_STR_INIT(#member), .type = CHARLE_TYPE_MESSAGE, .wire = CHARLE_WIRE_MESSAGE, \
        .label = lab, .offset = offsetof(struct S, member), .message = &msg                                        \
    }
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct charle_field leaf_fields[] = {
    REQ(leaf, 1, name, TEXT, STRING),
    OPT(leaf, 2, weight, INT8, INT64),
    REQ(leaf, 3, rank, INT4, INT32),
};
const struct charle_message leaf_message = {"charle.test.Leaf", sizeof(struct leaf), leaf_fields, COUNT(leaf_fields)};

static const struct charle_field node_fields[] = {
    SUB(node, 1, child, CHARLE_OPTIONAL, node_message),
    SUB(node, 2, children, CHARLE_REPEATED, node_message),
    OPT(node, 3, value, UINT4, UINT32),
    ARR(node, 4, values, UINT4, UINT32, true),
};
const struct charle_message node_message = {"charle.test.Node", sizeof(struct node), node_fields, COUNT(node_fields)};

static const struct charle_field everything_fields[] = {
    REQ(everything, 1, need_int4, INT4, INT32),
    REQ(everything, 2, need_text, TEXT, STRING),
    SUB(everything, 3, need_leaf, CHARLE_REQUIRED, leaf_message),
    OPT(everything, 4, a_bool, BOOL, BOOL),
    OPT(everything, 5, an_int4, INT4, INT32),
    OPT(everything, 6, a_sint4, INT4, SINT32),
    OPT(everything, 7, a_fixed4, UINT4, FIXED32),
    OPT(everything, 8, an_int8, INT8, INT64),
    OPT(everything, 9, a_sint8, INT8, SINT64),
    OPT(everything, 10, a_ts, TIMESTAMPTZ, SFIXED64),
    OPT(everything, 11, a_date, DATE, SINT32),
    OPT(everything, 12, a_float8, FLOAT8, DOUBLE),
    OPT(everything, 13, a_float4, FLOAT4, FLOAT),
    OPT(everything, 14, a_uint4, UINT4, UINT32),
    OPT(everything, 15, a_uint8, UINT8, UINT64),
    {.number = 16,
     .name = CHARLE_STR_INIT("an_enum"),
     .type = CHARLE_TYPE_ENUM,
     .wire = CHARLE_WIRE_ENUM,
     .label = CHARLE_OPTIONAL,
     .offset = offsetof(struct everything, an_enum),
     .has_offset = offsetof(struct everything, an_enum.has),
     .enumeration = &color_enum},
    OPT(everything, 17, a_text, TEXT, STRING),
    OPT(everything, 18, a_blob, BYTES, BYTES),
    OPT(everything, 19, a_numeric, NUMERIC, STRING),
    OPT(everything, 20, a_uuid, UUID, STRING),
    OPT(everything, 21, a_raw_uuid, UUID, BYTES),
    OPT(everything, 22, a_json, JSONB, STRING),
    SUB(everything, 23, a_leaf, CHARLE_OPTIONAL, leaf_message),
    OPT(everything, 24, a_fixed8, UINT8, FIXED64),
    OPT(everything, 25, an_sfixed4, INT4, SFIXED32),
    ARR(everything, 30, ints, INT4, INT32, true),
    ARR(everything, 31, loose_ints, INT4, INT32, false),
    ARR(everything, 32, times, TIMESTAMPTZ, SFIXED64, true),
    ARR(everything, 33, reals, FLOAT8, DOUBLE, true),
    {.number = 34,
     .name = CHARLE_STR_INIT("colors"),
     .type = CHARLE_TYPE_ENUM,
     .wire = CHARLE_WIRE_ENUM,
     .label = CHARLE_REPEATED,
     .packed = true,
     .offset = offsetof(struct everything, colors),
     .has_offset = offsetof(struct everything, colors.has),
     .enumeration = &color_enum},
    ARR(everything, 35, texts, TEXT, STRING, false),
    ARR(everything, 36, blobs, BYTES, BYTES, false),
    SUB(everything, 37, leaves, CHARLE_REPEATED, leaf_message),
    ARR(everything, 38, bools, BOOL, BOOL, true),
    ARR(everything, 39, uuids, UUID, STRING, false),
    {.number = 300,
     .name = CHARLE_STR_INIT("short_text"),
     .type = CHARLE_TYPE_TEXT,
     .wire = CHARLE_WIRE_STRING,
     .label = CHARLE_OPTIONAL,
     .offset = offsetof(struct everything, short_text),
     .has_offset = offsetof(struct everything, short_text.has),
     .size_max = SHORT_TEXT_SIZE_MAX},
    SUB(everything, 1000, node, CHARLE_OPTIONAL, node_message),
};
const struct charle_message everything_message = {"charle.test.Everything", sizeof(struct everything),
                                                  everything_fields, COUNT(everything_fields)};

static const struct charle_field batch_fields[] = {SUB(batch, 1, item, CHARLE_REPEATED, everything_message)};
const struct charle_message batch_message = {"charle.test.Batch", sizeof(struct batch), batch_fields, 1};

// --- random instances --------------------------------------------------------------------------------------

uint64_t rng_next(struct rng *rng)
{
    uint64_t z = (rng->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    return rng_next(rng) % bound;
}

// Small numbers, large ones and the edges, each often enough to be met.
static uint64_t random_bits(struct rng *rng)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     127,
                                     128,
                                     16383,
                                     16384,
                                     INT32_MAX,
                                     (uint64_t)INT32_MIN,
                                     UINT32_MAX,
                                     INT64_MAX,
                                     (uint64_t)INT64_MIN,
                                     UINT64_MAX};
    switch (rng_below(rng, 3)) {
    case 0:
        return edges[rng_below(rng, COUNT(edges))];
    case 1:
        return rng_below(rng, 1000);
    default:
        return rng_next(rng);
    }
}

static struct charle_str random_text(struct rng *rng, struct charle_arena *arena, size_t size_max)
{
    static const char *const pieces[] = {"a", "Z", "9", " ", "\"", "\\", "\n", "\x7f", "\x01", "é", "ß", "€", "𝄞", "x"};
    size_t count = rng_below(rng, 20);
    char *text = charle_arena_alloc(arena, 20 * 4 + 1);
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        const char *piece = pieces[rng_below(rng, COUNT(pieces))];
        if (len + strlen(piece) > size_max)
            break;
        memcpy(text + len, piece, strlen(piece));
        len += strlen(piece);
    }
    return charle_str_n(text, len);
}

static struct charle_str random_numeric(struct rng *rng, struct charle_arena *arena)
{
    struct charle_numeric out = {CHARLE_STR("0")};
    struct charle_str text = charle_arena_printf(arena, "%s%" PRIu64 ".%06d", rng_below(rng, 2) ? "-" : "",
                                                 rng_next(rng) >> rng_below(rng, 64), (int)rng_below(rng, 1000000));
    return charle_numeric_read(text, arena, &out) ? out.text : out.text;
}

static void random_value(struct rng *rng, const struct charle_field *field, struct charle_arena *arena, void *to,
                         int depth)
{
    uint64_t bits = random_bits(rng);
    double real = (double)(int64_t)bits / 1024.0;
    float single = (float)real;
    switch ((enum charle_type)field->type) {
    case CHARLE_TYPE_BOOL:
        *(bool *)to = bits & 1;
        break;
    case CHARLE_TYPE_FLOAT8:
        memcpy(to, &real, sizeof(real));
        break;
    case CHARLE_TYPE_FLOAT4:
        memcpy(to, &single, sizeof(single));
        break;
    case CHARLE_TYPE_ENUM:
        *(int32_t *)to = field->enumeration->values[bits % field->enumeration->count].number;
        break;
    case CHARLE_TYPE_DATE:
        *(int32_t *)to = (int32_t)(bits % 40000) - 10000;
        break;
    case CHARLE_TYPE_TIMESTAMPTZ:
        *(int64_t *)to = (int64_t)(bits % 4000000000000000u) - 1000000000000000;
        break;
    case CHARLE_TYPE_TEXT:
    case CHARLE_TYPE_BYTES:
        *(struct charle_str *)to = random_text(rng, arena, field->size_max ? field->size_max : 80);
        break;
    case CHARLE_TYPE_NUMERIC:
        *(struct charle_str *)to = random_numeric(rng, arena);
        break;
    case CHARLE_TYPE_JSONB:
        *(struct charle_str *)to = charle_arena_printf(arena, "{\"k\": [%" PRIu64 ", null, \"é\"]}", bits);
        break;
    case CHARLE_TYPE_UUID:
        for (int i = 0; i < 16; i++)
            ((uint8_t *)to)[i] = (uint8_t)rng_next(rng);
        break;
    case CHARLE_TYPE_MESSAGE: {
        void *sub = charle_arena_alloc(arena, field->message->size);
        random_message(rng, field->message, arena, sub, depth + 1);
        memcpy(to, &sub, sizeof(sub));
        break;
    }
    case CHARLE_TYPE_INT4:
    case CHARLE_TYPE_UINT4:
        memcpy(to, &(uint32_t){(uint32_t)bits}, 4);
        break;
    case CHARLE_TYPE_INT8:
    case CHARLE_TYPE_UINT8:
        memcpy(to, &bits, 8);
        break;
    }
}

void random_message(struct rng *rng, const struct charle_message *type, struct charle_arena *arena, void *out,
                    int depth)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const struct charle_field *field = &type->fields[i];
        char *at = charle_field_ptr(field, out);
        bool is_deep = field->type == CHARLE_TYPE_MESSAGE && depth > 4;
        if (field->label != CHARLE_REQUIRED && (is_deep || rng_below(rng, 3) == 0))
            continue;
        if (field->label == CHARLE_REPEATED) {
            size_t count = rng_below(rng, 5), item_size = charle_type_size((enum charle_type)field->type);
            char *items = charle_arena_array(arena, count + 1, item_size);
            for (size_t n = 0; n < count; n++)
                random_value(rng, field, arena, items + n * item_size, depth);
            *(struct charle_array *)(void *)at = (struct charle_array){items, count, count > 0};
            continue;
        }
        random_value(rng, field, arena, at, depth);
        if (field->label == CHARLE_OPTIONAL && field->type != CHARLE_TYPE_MESSAGE)
            *((bool *)out + field->has_offset) = true;
    }
}

// --- protobuf's text format --------------------------------------------------------------------------------

static void write_text_bytes(struct charle_buf *buf, const uint8_t *bytes, size_t len)
{
    charle_buf_add_byte(buf, '"');
    for (size_t i = 0; i < len; i++)
        charle_buf_printf(buf, "\\%03o", bytes[i]);
    charle_buf_add_byte(buf, '"');
}

static void write_text_value(const struct charle_field *field, const void *at, struct charle_buf *buf)
{
    static const struct {
        int32_t number;
        const char *name;
    } colors[] = {{-3, "BELOW"}, {0, "NONE"}, {1, "RED"}, {7, "DEEP_BLUE"}};
    char uuid[CHARLE_UUID_TEXT_LEN + 1];
    const struct charle_bytes *bytes = at;
    switch ((enum charle_type)field->type) {
    case CHARLE_TYPE_BOOL:
        charle_buf_add_text(buf, *(const bool *)at ? "true" : "false");
        break;
    case CHARLE_TYPE_INT4:
    case CHARLE_TYPE_DATE:
        charle_buf_printf(buf, "%" PRId32, *(const int32_t *)at);
        break;
    case CHARLE_TYPE_UINT4:
        charle_buf_printf(buf, "%" PRIu32, *(const uint32_t *)at);
        break;
    case CHARLE_TYPE_INT8:
    case CHARLE_TYPE_TIMESTAMPTZ:
        charle_buf_printf(buf, "%" PRId64, *(const int64_t *)at);
        break;
    case CHARLE_TYPE_UINT8:
        charle_buf_printf(buf, "%" PRIu64, *(const uint64_t *)at);
        break;
    case CHARLE_TYPE_FLOAT8:
        charle_buf_printf(buf, "%.17g", *(const double *)at);
        break;
    case CHARLE_TYPE_FLOAT4:
        charle_buf_printf(buf, "%.9g", (double)*(const float *)at);
        break;
    case CHARLE_TYPE_ENUM:
        for (size_t i = 0; i < COUNT(colors); i++) {
            if (colors[i].number == *(const int32_t *)at)
                charle_buf_add_text(buf, colors[i].name);
        }
        break;
    case CHARLE_TYPE_TEXT:
    case CHARLE_TYPE_BYTES:
    case CHARLE_TYPE_NUMERIC:
    case CHARLE_TYPE_JSONB:
        write_text_bytes(buf, bytes->ptr, bytes->len);
        break;
    case CHARLE_TYPE_UUID:
        charle_uuid_write(*(const struct charle_uuid *)at, uuid);
        if (field->wire == CHARLE_WIRE_BYTES)
            write_text_bytes(buf, at, 16);
        else
            charle_buf_printf(buf, "\"%s\"", uuid);
        break;
    case CHARLE_TYPE_MESSAGE:
        charle_buf_add_text(buf, "{\n");
        write_text_format(field->message, *(const void *const *)at, buf);
        charle_buf_add_text(buf, "}");
        break;
    }
}

void write_text_format(const struct charle_message *type, const void *message, struct charle_buf *buf)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const struct charle_field *field = &type->fields[i];
        if (!charle_field_has(field, message))
            continue;
        const char *at = charle_field_ptr(field, message);
        struct charle_array one = {at, 1, true};
        const struct charle_array *array = field->label == CHARLE_REPEATED ? (const void *)at : &one;
        for (size_t n = 0; n < array->count; n++) {
            charle_buf_printf(buf, "%.*s: ", CHARLE_FMT(field->name));
            write_text_value(field, (const char *)array->items + n * charle_type_size((enum charle_type)field->type),
                             buf);
            charle_buf_add_byte(buf, '\n');
        }
    }
}
