// Three tables of a small agency, written as the generator writes tables: row structs, descriptors, column handles. The
// query builder is tested on them, and must not compile wrong programs about them.
#ifndef CHARLE_TESTS_SUITE_DB_AGENCY_H
#define CHARLE_TESTS_SUITE_DB_AGENCY_H

#include "db/column.h"

enum task_status { TASK_OPEN = 1, TASK_IN_WORK = 2, TASK_BLOCKED = 5, TASK_DONE = 9 };

//   X(number, name, TYPE, C type of the member, handle, wire, label)
#define CLIENT_FIELDS(X)                                                                           \
    X(1, id, TEXT, struct charle_str, struct charle_col_text, STRING, REQUIRED)                    \
    X(2, name, TEXT, struct charle_str, struct charle_col_text, STRING, REQUIRED)                  \
    X(3, phone, TEXT, struct charle_opt_text, struct charle_coln_text, STRING, OPTIONAL)           \
    X(4, budget, NUMERIC, struct charle_opt_numeric, struct charle_coln_numeric, STRING, OPTIONAL) \
    X(5, rating, FLOAT8, struct charle_opt_float8, struct charle_coln_float8, DOUBLE, OPTIONAL)    \
    X(6, is_active, BOOL, bool, struct charle_col_bool, BOOL, REQUIRED)

#define TASK_FIELDS(X)                                                                          \
    X(1, id, TEXT, struct charle_str, struct charle_col_text, STRING, REQUIRED)                 \
    X(2, client_id, TEXT, struct charle_str, struct charle_col_text, STRING, REQUIRED)          \
    X(3, parent_id, TEXT, struct charle_opt_text, struct charle_coln_text, STRING, OPTIONAL)    \
    X(4, title, TEXT, struct charle_str, struct charle_col_text, STRING, REQUIRED)              \
    X(5, status, ENUM, int32_t, struct charle_col_enum, ENUM, REQUIRED)                         \
    X(6, priority, INT4, int32_t, struct charle_col_int4, INT32, REQUIRED)                      \
    X(7, points, INT8, struct charle_opt_int8, struct charle_coln_int8, INT64, OPTIONAL)        \
    X(8, estimate, NUMERIC, struct charle_numeric, struct charle_col_numeric, STRING, REQUIRED) \
    X(9, ratio, FLOAT8, struct charle_opt_float8, struct charle_coln_float8, DOUBLE, OPTIONAL)  \
    X(10, due_at, TIMESTAMPTZ, struct charle_opt_ts, struct charle_coln_ts, SFIXED64, OPTIONAL) \
    X(11, day, DATE, struct charle_opt_date, struct charle_coln_date, SINT32, OPTIONAL)         \
    X(12, tags, TEXT, struct charle_array, struct charle_cola_text, STRING, REPEATED)           \
    X(13, ref, UUID, struct charle_opt_uuid, struct charle_coln_uuid, STRING, OPTIONAL)         \
    X(14, meta, JSONB, struct charle_opt_json, struct charle_coln_json, STRING, OPTIONAL)       \
    X(15, created_at, TIMESTAMPTZ, struct charle_ts, struct charle_col_ts, SFIXED64, REQUIRED)  \
    X(16, is_urgent, BOOL, struct charle_opt_bool, struct charle_coln_bool, BOOL, OPTIONAL)     \
    X(17, data, BYTES, struct charle_opt_bytes, struct charle_coln_bytes, BYTES, OPTIONAL)

#define ENTRY_FIELDS(X)                                                              \
    X(1, id, INT8, int64_t, struct charle_col_int8, INT64, REQUIRED)                 \
    X(2, task_id, TEXT, struct charle_str, struct charle_col_text, STRING, REQUIRED) \
    X(3, minutes, INT4, int32_t, struct charle_col_int4, INT32, REQUIRED)            \
    X(4, note, TEXT, struct charle_opt_text, struct charle_coln_text, STRING, OPTIONAL)

#define AGENCY_MEMBER(number, name, TYPE, member, handle, wire, label) member name;
#define AGENCY_HANDLE(number, name, TYPE, member, handle, wire, label) handle name;
struct client {
    CLIENT_FIELDS(AGENCY_MEMBER)
};
struct task {
    TASK_FIELDS(AGENCY_MEMBER)
};
struct entry {
    ENTRY_FIELDS(AGENCY_MEMBER)
};
extern const struct charle_table client_table, task_table, entry_table;

struct client_columns {
    CLIENT_FIELDS(AGENCY_HANDLE)
};
struct task_columns {
    TASK_FIELDS(AGENCY_HANDLE)
};
struct entry_columns {
    ENTRY_FIELDS(AGENCY_HANDLE)
};
#define CLIENT_HANDLE(number, name, TYPE, member, handle, wire, label) .name = {{&client_table, number - 1, 0}},
#define TASK_HANDLE(number, name, TYPE, member, handle, wire, label)   .name = {{&task_table, number - 1, 0}},
#define ENTRY_HANDLE(number, name, TYPE, member, handle, wire, label)  .name = {{&entry_table, number - 1, 0}},
#define TASK_ALIAS(number, name, TYPE, member, handle, wire, label)    .name = {{&task_table, number - 1, alias}},
static const struct client_columns client __attribute__((unused)) = {CLIENT_FIELDS(CLIENT_HANDLE)};
static const struct task_columns task __attribute__((unused)) = {TASK_FIELDS(TASK_HANDLE)};
static const struct entry_columns entry __attribute__((unused)) = {ENTRY_FIELDS(ENTRY_HANDLE)};
static inline struct task_columns task_alias(uint16_t alias)
{
    return (struct task_columns){TASK_FIELDS(TASK_ALIAS)};
}

#endif
