// A table with a column of every type, required, nullable and as an array, written by hand: the drivers are tested
// before and without the generator. One column stands out of the order of its field number.
#ifndef CHARLE_TESTS_SUITE_DB_SAMPLE_H
#define CHARLE_TESTS_SUITE_DB_SAMPLE_H

#include "db/record.h"

//   X(number, name, TYPE, optional type, C type, wire, label)
#define SAMPLE_FIELDS(X)                                                                        \
    X(1, id, TEXT, struct charle_opt_text, struct charle_str, STRING, REQUIRED)                 \
    X(2, flag, BOOL, struct charle_opt_bool, bool, BOOL, REQUIRED)                              \
    X(3, small, INT4, struct charle_opt_int4, int32_t, INT32, REQUIRED)                         \
    X(4, big, INT8, struct charle_opt_int8, int64_t, INT64, REQUIRED)                           \
    X(5, ratio, FLOAT8, struct charle_opt_float8, double, DOUBLE, REQUIRED)                     \
    X(6, data, BYTES, struct charle_opt_bytes, struct charle_bytes, BYTES, REQUIRED)            \
    X(7, state, ENUM, struct charle_opt_enum, int32_t, ENUM, REQUIRED)                          \
    X(8, moment, TIMESTAMPTZ, struct charle_opt_ts, struct charle_ts, SFIXED64, REQUIRED)       \
    X(9, day, DATE, struct charle_opt_date, struct charle_date, SINT32, REQUIRED)               \
    X(10, price, NUMERIC, struct charle_opt_numeric, struct charle_numeric, STRING, REQUIRED)   \
    X(11, tag, UUID, struct charle_opt_uuid, struct charle_uuid, STRING, REQUIRED)              \
    X(12, doc, JSONB, struct charle_opt_json, struct charle_json, STRING, REQUIRED)             \
    X(13, n_text, TEXT, struct charle_opt_text, struct charle_str, STRING, OPTIONAL)            \
    X(14, n_flag, BOOL, struct charle_opt_bool, bool, BOOL, OPTIONAL)                           \
    X(15, n_small, INT4, struct charle_opt_int4, int32_t, SINT32, OPTIONAL)                     \
    X(16, n_big, INT8, struct charle_opt_int8, int64_t, SINT64, OPTIONAL)                       \
    X(17, n_ratio, FLOAT8, struct charle_opt_float8, double, DOUBLE, OPTIONAL)                  \
    X(18, n_data, BYTES, struct charle_opt_bytes, struct charle_bytes, BYTES, OPTIONAL)         \
    X(19, n_state, ENUM, struct charle_opt_enum, int32_t, ENUM, OPTIONAL)                       \
    X(20, n_moment, TIMESTAMPTZ, struct charle_opt_ts, struct charle_ts, SFIXED64, OPTIONAL)    \
    X(21, n_day, DATE, struct charle_opt_date, struct charle_date, SINT32, OPTIONAL)            \
    X(22, n_price, NUMERIC, struct charle_opt_numeric, struct charle_numeric, STRING, OPTIONAL) \
    X(23, n_tag, UUID, struct charle_opt_uuid, struct charle_uuid, BYTES, OPTIONAL)             \
    X(24, n_doc, JSONB, struct charle_opt_json, struct charle_json, STRING, OPTIONAL)           \
    X(31, a_flag, BOOL, struct charle_opt_bool, bool, BOOL, REPEATED)                           \
    X(32, a_small, INT4, struct charle_opt_int4, int32_t, INT32, REPEATED)                      \
    X(33, a_big, INT8, struct charle_opt_int8, int64_t, INT64, REPEATED)                        \
    X(34, a_ratio, FLOAT8, struct charle_opt_float8, double, DOUBLE, REPEATED)                  \
    X(35, a_text, TEXT, struct charle_opt_text, struct charle_str, STRING, REPEATED)            \
    X(36, a_data, BYTES, struct charle_opt_bytes, struct charle_bytes, BYTES, REPEATED)         \
    X(37, a_state, ENUM, struct charle_opt_enum, int32_t, ENUM, REPEATED)                       \
    X(38, a_moment, TIMESTAMPTZ, struct charle_opt_ts, struct charle_ts, SFIXED64, REPEATED)    \
    X(39, a_day, DATE, struct charle_opt_date, struct charle_date, SINT32, REPEATED)            \
    X(40, a_price, NUMERIC, struct charle_opt_numeric, struct charle_numeric, STRING, REPEATED) \
    X(41, a_tag, UUID, struct charle_opt_uuid, struct charle_uuid, STRING, REPEATED)            \
    X(42, a_doc, JSONB, struct charle_opt_json, struct charle_json, STRING, REPEATED)           \
    X(43, na_text, TEXT, struct charle_opt_text, struct charle_str, STRING, REPEATED)

#define SAMPLE_MEMBER_REQUIRED(name, opt_type, c_type)                   c_type name;
#define SAMPLE_MEMBER_OPTIONAL(name, opt_type, c_type)                   opt_type name;
#define SAMPLE_MEMBER_REPEATED(name, opt_type, c_type)                   struct charle_array name;
#define SAMPLE_MEMBER(number, name, TYPE, opt_type, c_type, wire, label) SAMPLE_MEMBER_##label(name, opt_type, c_type)
struct sample {
    SAMPLE_FIELDS(SAMPLE_MEMBER)
};
#undef SAMPLE_MEMBER

enum sample_field {
#define SAMPLE_INDEX(number, name, TYPE, opt_type, c_type, wire, label) SAMPLE_##name,
    SAMPLE_FIELDS(SAMPLE_INDEX)
#undef SAMPLE_INDEX
        SAMPLE_FIELD_COUNT
};

enum sample_state { SAMPLE_OPEN = 1, SAMPLE_IN_WORK = 2, SAMPLE_DONE = 200 };

extern const struct charle_table sample_table;

#define SAMPLE_INSERT_COUNT SAMPLE_FIELD_COUNT

// A row with a value in every column; made from a seed, with borderline values among them. Memory from the arena.
struct sample sample_random(uint64_t *random, const char *id, struct charle_arena *arena);
uint64_t sample_next(uint64_t *random); // xorshift64; the seed must not be 0

// Values of all columns, in the order of positions.
void sample_values(const struct sample *row, struct charle_value values[SAMPLE_FIELD_COUNT],
                   struct charle_arena *arena);
// "insert into sample (…) values ($1, …)", valid for the life of the program.
const char *sample_insert_sql(void);
// "select … from sample", all columns in the order of positions.
const char *sample_select_sql(void);

#endif
