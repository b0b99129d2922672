// One SQL value, on its way into a statement or out of a row.
#ifndef CHARLE_DB_VALUE_H
#define CHARLE_DB_VALUE_H

#include "msg/msg.h"

struct charle_value {
    uint8_t type; // enum charle_type; 0 with is_null: a NULL of unknown type
    bool is_null;
    bool is_array; // `array` holds items of `type`; enums are TEXT in arrays too
    union {
        bool boolean;
        int32_t int4;
        int64_t int8;
        double float8;
        struct charle_str text; // TEXT, NUMERIC, JSONB; ENUM: the value's name
        struct charle_bytes bytes;
        struct charle_ts ts;
        struct charle_date date;
        struct charle_uuid uuid;
        struct charle_array array;
    };
};

static inline struct charle_value charle_null(enum charle_type type)
{
    return (struct charle_value){.type = (uint8_t)type, .is_null = true};
}
static inline struct charle_value charle_bool(bool v)
{
    return (struct charle_value){.type = CHARLE_TYPE_BOOL, .boolean = v};
}
static inline struct charle_value charle_int4(int32_t v)
{
    return (struct charle_value){.type = CHARLE_TYPE_INT4, .int4 = v};
}
static inline struct charle_value charle_int8(int64_t v)
{
    return (struct charle_value){.type = CHARLE_TYPE_INT8, .int8 = v};
}
static inline struct charle_value charle_float8(double v)
{
    return (struct charle_value){.type = CHARLE_TYPE_FLOAT8, .float8 = v};
}
static inline struct charle_value charle_text(struct charle_str v)
{
    return (struct charle_value){.type = CHARLE_TYPE_TEXT, .text = v};
}
static inline struct charle_value charle_blob(struct charle_bytes v)
{
    return (struct charle_value){.type = CHARLE_TYPE_BYTES, .bytes = v};
}
static inline struct charle_value charle_timestamp(struct charle_ts v)
{
    return (struct charle_value){.type = CHARLE_TYPE_TIMESTAMPTZ, .ts = v};
}
static inline struct charle_value charle_day(struct charle_date v)
{
    return (struct charle_value){.type = CHARLE_TYPE_DATE, .date = v};
}

#endif
