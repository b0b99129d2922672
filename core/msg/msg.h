// Messages: one descriptor of a C struct that is also a protobuf message, a JSON object and (for tables) a row.
//
// The generator emits `static const struct charle_message` tables; the engines in this folder read them:
//   wire.h   bytes <-> struct, checked (types, required fields, UTF-8, depth, memory)
//   json.h   text <-> struct, for people and for HTTP
// core/db reads the same tables to bind parameters and fetch rows, so there is one shape and nothing to keep in step.
//
// How a field of semantic type T lies in the struct:
//   required (or a NOT NULL column)   T value
//   optional (or a nullable column)   struct charle_opt_<t> { T value; bool has; }
//   repeated                          struct charle_array { const T *items; size_t count; }  (NULL column: has = false)
// Sub-messages: required and optional are both `const struct M *`, NULL when absent. Memory belongs to the arena that
// the message was decoded into, or to whoever filled it in.
#ifndef CHARLE_MSG_MSG_H
#define CHARLE_MSG_MSG_H

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

// Raised whenever generated code and this runtime stop fitting; generated files check it with #error.
#define CHARLE_GEN_VERSION 1

struct charle_numeric {
    struct charle_str text; // canonical decimal: "-12.5"; no exponent, no leading +, no trailing zeros after the point
};
struct charle_uuid {
    uint8_t bytes[16];
};
struct charle_json {
    struct charle_str text; // valid JSON
};

// The semantic types. Numbers are stable (they reach snapshots and the wire).
//   X(NAME, number, C type, suffix of charle_opt_ / charle_col_)
#define CHARLE_TYPES(X)                            \
    X(BOOL, 1, bool, bool)                         \
    X(INT4, 2, int32_t, int4)                      \
    X(INT8, 3, int64_t, int8)                      \
    X(FLOAT8, 4, double, float8)                   \
    X(TEXT, 5, struct charle_str, text)            \
    X(BYTES, 6, struct charle_bytes, bytes)        \
    X(ENUM, 7, int32_t, enum)                      \
    X(TIMESTAMPTZ, 8, struct charle_ts, ts)        \
    X(DATE, 9, struct charle_date, date)           \
    X(NUMERIC, 10, struct charle_numeric, numeric) \
    X(UUID, 11, struct charle_uuid, uuid)          \
    X(JSONB, 12, struct charle_json, json)

enum charle_type {
#define CHARLE_TYPE_ENUM(NAME, number, c_type, suffix) CHARLE_TYPE_##NAME = number,
    CHARLE_TYPES(CHARLE_TYPE_ENUM)
#undef CHARLE_TYPE_ENUM
    // Only in messages, never columns:
    CHARLE_TYPE_MESSAGE = 20,
    CHARLE_TYPE_UINT4 = 21, // uint32_t
    CHARLE_TYPE_UINT8 = 22, // uint64_t
    CHARLE_TYPE_FLOAT4 = 23 // float
};

#define CHARLE_OPT_STRUCT(NAME, number, c_type, suffix) \
    struct charle_opt_##suffix {                        \
        c_type value;                                   \
        bool has;                                       \
    };
CHARLE_TYPES(CHARLE_OPT_STRUCT)
#undef CHARLE_OPT_STRUCT
struct charle_opt_uint4 {
    uint32_t value;
    bool has;
};
struct charle_opt_uint8 {
    uint64_t value;
    bool has;
};
struct charle_opt_float4 {
    float value;
    bool has;
};

// A repeated field. `items` points to `count` values of the field's C type (for messages: an array of pointers,
// `const struct M *const *`). `has` tells an empty array from a NULL column; plain messages ignore it.
struct charle_array {
    const void *items;
    size_t count;
    bool has;
};

// How a value lies on the wire; protobuf's names. The semantic type says what it means.
enum charle_wire {
    CHARLE_WIRE_INT32,
    CHARLE_WIRE_INT64,
    CHARLE_WIRE_UINT32,
    CHARLE_WIRE_UINT64,
    CHARLE_WIRE_SINT32,
    CHARLE_WIRE_SINT64,
    CHARLE_WIRE_FIXED32,
    CHARLE_WIRE_FIXED64,
    CHARLE_WIRE_SFIXED32,
    CHARLE_WIRE_SFIXED64,
    CHARLE_WIRE_FLOAT,
    CHARLE_WIRE_DOUBLE,
    CHARLE_WIRE_BOOL,
    CHARLE_WIRE_ENUM,
    CHARLE_WIRE_STRING, // also DATE never: dates travel as sint32 days, timestamps as sfixed64 microseconds
    CHARLE_WIRE_BYTES,
    CHARLE_WIRE_MESSAGE,
};

enum charle_label { CHARLE_REQUIRED = 1, CHARLE_OPTIONAL = 2, CHARLE_REPEATED = 3 };

struct charle_enum_value {
    int32_t number;
    struct charle_str name; // as in SQL and JSON: "in_progress"
};

struct charle_enum {
    const char *name;                       // "charleos.TaskStatus"
    const struct charle_enum_value *values; // in ascending order of number
    size_t count;
};

struct charle_message;

struct charle_field {
    uint32_t number;
    struct charle_str name;                // snake_case, as in the .proto
    uint8_t type;                          // enum charle_type
    uint8_t wire;                          // enum charle_wire
    uint8_t label;                         // enum charle_label
    bool packed;                           // repeated scalars: written packed (both forms are read)
    uint32_t offset;                       // of the member in the C struct
    uint32_t has_offset;                   // of `has`; for required fields and sub-messages 0 and unused
    const struct charle_enum *enumeration; // ENUM
    const struct charle_message *message;  // MESSAGE
    uint32_t size_max;                     // TEXT, BYTES: most bytes; 0: no limit of its own
};

struct charle_message {
    const char *name;                  // "charleos.Task"
    size_t size;                       // of the C struct
    const struct charle_field *fields; // in ascending order of number
    size_t field_count;
};

// NULL when there is none.
const struct charle_field *charle_message_field(const struct charle_message *message, uint32_t number);
const struct charle_field *charle_message_field_named(const struct charle_message *message, struct charle_str name);
const struct charle_enum_value *charle_enum_by_number(const struct charle_enum *e, int32_t number);
const struct charle_enum_value *charle_enum_by_name(const struct charle_enum *e, struct charle_str name);

size_t charle_type_size(enum charle_type type);      // of the C type; MESSAGE: a pointer
const char *charle_type_name(enum charle_type type); // "timestamptz"

// The member itself, whatever its label.
static inline void *charle_field_ptr(const struct charle_field *field, const void *message)
{
    return (char *)(uintptr_t)message + field->offset;
}

// Whether the field has a value: always for required scalars; `has` for optional ones; a count or `has` for arrays.
bool charle_field_has(const struct charle_field *field, const void *message);

#endif
