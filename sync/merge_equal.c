// When two values of a column are the same value.
#include "db/json_canonical.h"
#include "msg/scalar.h"
#include "sync/merge_parts.h"

static bool is_equal_numeric(struct charle_str a, struct charle_str b, struct charle_arena *arena)
{
    struct charle_numeric x, y;
    if (charle_str_equal(a, b))
        return true;
    return charle_numeric_read(a, arena, &x) && charle_numeric_read(b, arena, &y) && charle_str_equal(x.text, y.text);
}

static bool is_equal_json(struct charle_str a, struct charle_str b, struct charle_arena *arena)
{
    struct charle_str x, y;
    if (charle_str_equal(a, b))
        return true;
    return !ch_json_canonical(a, arena, &x, NULL) && !ch_json_canonical(b, arena, &y, NULL) && charle_str_equal(x, y);
}

static bool is_equal_float(double a, double b)
{
    bool a_is_nan = __builtin_isnan(a), b_is_nan = __builtin_isnan(b);
    return a_is_nan || b_is_nan ? a_is_nan && b_is_nan : !(a < b) && !(a > b); // -0 is neither below nor above 0
}

bool ch_merge_is_equal_item(enum charle_type type, const void *a, const void *b, struct charle_arena *arena)
{
    switch (type) { // LCOV_EXCL_BR_LINE: every member is listed, and what is none of them is no type
    case CHARLE_TYPE_TEXT:
    case CHARLE_TYPE_BYTES:
        return charle_str_equal(*(const struct charle_str *)a, *(const struct charle_str *)b);
    case CHARLE_TYPE_NUMERIC:
        return is_equal_numeric(*(const struct charle_str *)a, *(const struct charle_str *)b, arena);
    case CHARLE_TYPE_JSONB:
        return is_equal_json(*(const struct charle_str *)a, *(const struct charle_str *)b, arena);
    case CHARLE_TYPE_FLOAT8:
        return is_equal_float(*(const double *)a, *(const double *)b);
    case CHARLE_TYPE_FLOAT4:
        return is_equal_float((double)*(const float *)a, (double)*(const float *)b);
    case CHARLE_TYPE_BOOL:
    case CHARLE_TYPE_INT4:
    case CHARLE_TYPE_INT8:
    case CHARLE_TYPE_ENUM:
    case CHARLE_TYPE_TIMESTAMPTZ:
    case CHARLE_TYPE_DATE:
    case CHARLE_TYPE_UUID:
    case CHARLE_TYPE_UINT4:
    case CHARLE_TYPE_UINT8:
    case CHARLE_TYPE_MESSAGE: // never a column
        break;
    }
    return memcmp(a, b, charle_type_size(type)) == 0;
}

bool ch_merge_is_equal(const struct charle_field *field, const void *a, const void *b, struct charle_arena *arena)
{
    enum charle_type type = (enum charle_type)field->type;
    const void *x = charle_field_ptr(field, a), *y = charle_field_ptr(field, b);
    if (field->label == CHARLE_REPEATED) {
        const struct charle_array *left = x, *right = y;
        size_t size = charle_type_size(type);
        bool is_equal = left->count == right->count;
        for (size_t i = 0; is_equal && i < left->count; i++)
            is_equal = ch_merge_is_equal_item(type, (const char *)left->items + i * size,
                                              (const char *)right->items + i * size, arena);
        return is_equal;
    }
    bool a_has = charle_field_has(field, a), b_has = charle_field_has(field, b);
    return a_has && b_has ? ch_merge_is_equal_item(type, x, y, arena) : a_has == b_has;
}
