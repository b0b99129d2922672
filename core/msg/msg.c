#include "msg/msg.h"

const struct charle_field *charle_message_field(const struct charle_message *message, uint32_t number)
{
    // Most messages number their fields 1, 2, 3, … without a gap.
    if (number - 1 < message->field_count && message->fields[number - 1].number == number)
        return &message->fields[number - 1];
    size_t low = 0, high = message->field_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (message->fields[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < message->field_count && message->fields[low].number == number ? &message->fields[low] : NULL;
}

const struct charle_field *charle_message_field_named(const struct charle_message *message, struct charle_str name)
{
    for (size_t i = 0; i < message->field_count; i++) {
        if (charle_str_equal(message->fields[i].name, name))
            return &message->fields[i];
    }
    return NULL;
}

const struct charle_enum_value *charle_enum_by_number(const struct charle_enum *e, int32_t number)
{
    size_t low = 0, high = e->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (e->values[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < e->count && e->values[low].number == number ? &e->values[low] : NULL;
}

const struct charle_enum_value *charle_enum_by_name(const struct charle_enum *e, struct charle_str name)
{
    for (size_t i = 0; i < e->count; i++) {
        if (charle_str_equal(e->values[i].name, name))
            return &e->values[i];
    }
    return NULL;
}

size_t charle_type_size(enum charle_type type)
{
    switch (type) {
#define SIZE(NAME, number, c_type, suffix) \
    case CHARLE_TYPE_##NAME:               \
        return sizeof(c_type);
        CHARLE_TYPES(SIZE)
#undef SIZE
    case CHARLE_TYPE_MESSAGE:
        return sizeof(void *);
    case CHARLE_TYPE_UINT4:
        return sizeof(uint32_t);
    case CHARLE_TYPE_UINT8:
        return sizeof(uint64_t);
    case CHARLE_TYPE_FLOAT4:
        return sizeof(float);
    }
    return 0;
}

const char *charle_type_name(enum charle_type type)
{
    switch (type) {
    case CHARLE_TYPE_BOOL:
        return "bool";
    case CHARLE_TYPE_INT4:
        return "int4";
    case CHARLE_TYPE_INT8:
        return "int8";
    case CHARLE_TYPE_FLOAT8:
        return "float8";
    case CHARLE_TYPE_TEXT:
        return "text";
    case CHARLE_TYPE_BYTES:
        return "bytes";
    case CHARLE_TYPE_ENUM:
        return "enum";
    case CHARLE_TYPE_TIMESTAMPTZ:
        return "timestamptz";
    case CHARLE_TYPE_DATE:
        return "date";
    case CHARLE_TYPE_NUMERIC:
        return "numeric";
    case CHARLE_TYPE_UUID:
        return "uuid";
    case CHARLE_TYPE_JSONB:
        return "jsonb";
    case CHARLE_TYPE_MESSAGE:
        return "message";
    case CHARLE_TYPE_UINT4:
        return "uint4";
    case CHARLE_TYPE_UINT8:
        return "uint8";
    case CHARLE_TYPE_FLOAT4:
        return "float4";
    }
    return "unknown";
}

bool charle_field_has(const struct charle_field *field, const void *message)
{
    const void *at = charle_field_ptr(field, message);
    if (field->label == CHARLE_REPEATED) {
        const struct charle_array *array = at;
        return array->has || array->count;
    }
    if (field->type == CHARLE_TYPE_MESSAGE) {
        const void *sub;
        memcpy(&sub, at, sizeof(sub));
        return sub != NULL;
    }
    return field->label == CHARLE_REQUIRED || *((const bool *)message + field->has_offset);
}
