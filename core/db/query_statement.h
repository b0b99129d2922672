// The compile-time half of the query builder: clauses, shapes of rows, statements, running them. query.h is the header
// to include.
#ifndef CHARLE_DB_QUERY_STATEMENT_H
#define CHARLE_DB_QUERY_STATEMENT_H

#include "db/query.h"
#include "db/query_typed.h"

// Lists of types and functions read as tables.
// clang-format off

// --- clauses --------------------------------------------------------------------------------------------------------

// A table's constant begins with the handle of its first column, and every handle is a charle_colref.
#define CHARLE_TABLE_(T) (*(const struct charle_colref *)(const void *)&(T))
#define charle_from(T) ((struct charle_clause){.kind = CHARLE_CLAUSE_FROM, .table = CHARLE_TABLE_(T)})
static inline struct charle_clause charle_join_(enum charle_clause_kind kind, struct charle_colref table, struct charle_expr on)
{
    return (struct charle_clause){.kind = kind, .table = table, .expr = on};
}
#define charle_inner_join(T, ON) charle_join_(CHARLE_CLAUSE_INNER_JOIN, CHARLE_TABLE_(T), ON)
#define charle_left_join(T, ON) charle_join_(CHARLE_CLAUSE_LEFT_JOIN, CHARLE_TABLE_(T), ON)
#define charle_cross_join(T) ((struct charle_clause){.kind = CHARLE_CLAUSE_CROSS_JOIN, .table = CHARLE_TABLE_(T)})
static inline struct charle_clause charle_where(struct charle_expr condition)
{
    return (struct charle_clause){.kind = CHARLE_CLAUSE_WHERE, .expr = condition};
}
static inline struct charle_clause charle_having(struct charle_expr condition)
{
    return (struct charle_clause){.kind = CHARLE_CLAUSE_HAVING, .expr = condition};
}
static inline struct charle_clause charle_limit(int64_t rows)
{
    return (struct charle_clause){.kind = CHARLE_CLAUSE_LIMIT, .number = rows};
}
static inline struct charle_clause charle_offset(int64_t rows)
{
    return (struct charle_clause){.kind = CHARLE_CLAUSE_OFFSET, .number = rows};
}
static inline struct charle_clause charle_distinct(void)
{
    return (struct charle_clause){.kind = CHARLE_CLAUSE_DISTINCT};
}

#define CHARLE_SORTABLE_REF_(L)                                                                                        \
    _Generic((L), CHARLE_EITHER_(bool, charle_ref_), CHARLE_EITHER_(enum, charle_ref_),                                \
             CHARLE_EITHER_(int4, charle_ref_), CHARLE_EITHER_(int8, charle_ref_),                                     \
             CHARLE_EITHER_(float8, charle_ref_), CHARLE_EITHER_(text, charle_ref_), CHARLE_EITHER_(bytes, charle_ref_), \
             CHARLE_EITHER_(ts, charle_ref_), CHARLE_EITHER_(date, charle_ref_),                                       \
             CHARLE_EITHER_(numeric, charle_ref_), CHARLE_EITHER_(uuid, charle_ref_),                                  \
             default: charle_this_type_has_no_order)((L).ref)
// Enums sort by their names, as they are stored. NULLs are larger than everything, unless told otherwise.
#define charle_asc(L) ((struct charle_order){.ref = CHARLE_SORTABLE_REF_(L)})
#define charle_desc(L) ((struct charle_order){.ref = CHARLE_SORTABLE_REF_(L), .is_descending = true})
static inline struct charle_order charle_nulls_first(struct charle_order order)
{
    order.nulls = -1;
    return order;
}
static inline struct charle_order charle_nulls_last(struct charle_order order)
{
    order.nulls = 1;
    return order;
}
#define CHARLE_ORDERS_(...) ((const struct charle_order[]){__VA_ARGS__})
#define charle_order_by(...)                                                                                           \
    ((struct charle_clause){.kind = CHARLE_CLAUSE_ORDER_BY, .order = CHARLE_ORDERS_(__VA_ARGS__),                      \
                            .count = sizeof(CHARLE_ORDERS_(__VA_ARGS__)) / sizeof(struct charle_order)})
// group_by(by(task.client_id), by(task.status))
#define charle_by(L) CHARLE_ANY_REF_(L)
#define CHARLE_REFS_(...) ((const struct charle_colref[]){__VA_ARGS__})
#define CHARLE_REF_COUNT_(...) (sizeof(CHARLE_REFS_(__VA_ARGS__)) / sizeof(struct charle_colref))
#define charle_group_by(...)                                                                                           \
    ((struct charle_clause){.kind = CHARLE_CLAUSE_GROUP_BY, .columns = CHARLE_REFS_(__VA_ARGS__),                      \
                            .count = CHARLE_REF_COUNT_(__VA_ARGS__)})

// --- shapes ---------------------------------------------------------------------------------------------------------

#define CHARLE_PLAIN_TYPE_(NAME, number, c_type, suffix)                                                               \
    struct charle_col_##suffix: *(c_type *)0, struct charle_coln_##suffix: *(struct charle_opt_##suffix *)0,           \
        struct charle_cola_##suffix: *(struct charle_array *)0,
#define CHARLE_OUTER_TYPE_(NAME, number, c_type, suffix)                                                               \
    struct charle_col_##suffix: *(struct charle_opt_##suffix *)0,                                                      \
        struct charle_coln_##suffix: *(struct charle_opt_##suffix *)0, struct charle_cola_##suffix: *(struct charle_array *)0,
#define CHARLE_PRESENCE_(NAME, number, c_type, suffix)                                                                 \
    struct charle_col_##suffix: CHARLE_PLAIN, struct charle_coln_##suffix: CHARLE_OPT,                                 \
        struct charle_cola_##suffix: CHARLE_ARRAY,
struct charle_a_row_is_made_of_columns;
#define CHARLE_SHAPE_MEMBER_(name, L)                                                                                  \
    __typeof__(_Generic((L), CHARLE_TYPES(CHARLE_PLAIN_TYPE_) default: *(struct charle_a_row_is_made_of_columns *)0)) name;
#define CHARLE_SHAPE_OUTER_MEMBER_(name, L)                                                                            \
    __typeof__(_Generic((L), CHARLE_TYPES(CHARLE_OUTER_TYPE_) default: *(struct charle_a_row_is_made_of_columns *)0)) name;
#define CHARLE_SHAPE_FIELD_(member, L)                                                                                 \
    if (out)                                                                                                           \
        out[count] = (struct charle_shape_field){                                                                      \
            .ref = (L).ref, .name = #member, .offset = (uint32_t)offsetof(row_type_, member),                          \
            .presence = _Generic((L), CHARLE_TYPES(CHARLE_PRESENCE_) default: CHARLE_PLAIN)};                          \
    count++;
#define CHARLE_SHAPE_OUTER_(member, L)                                                                                 \
    if (out)                                                                                                           \
        out[count] = (struct charle_shape_field){                                                                      \
            .ref = (L).ref, .name = #member, .offset = (uint32_t)offsetof(row_type_, member), .is_outer = true,        \
            .presence = _Generic((L), CHARLE_TYPES(CHARLE_PRESENCE_) default: CHARLE_PLAIN) == CHARLE_ARRAY ? CHARLE_ARRAY \
                                                                                                    : CHARLE_OPT};     \
    count++;

// LIST(FIELD, OUTER) is a macro of FIELD(member, column) and OUTER(member, column). Makes struct NAME.
#define CHARLE_SHAPE(NAME, LIST)                                                                                       \
    struct NAME {                                                                                                      \
        LIST(CHARLE_SHAPE_MEMBER_, CHARLE_SHAPE_OUTER_MEMBER_)                                                         \
    };                                                                                                                 \
    struct NAME##_query {                                                                                              \
        struct charle_query query;                                                                                     \
        struct NAME *row_type; /* never read: its type is what counts */                                               \
    };                                                                                                                 \
    static inline size_t NAME##_shape(struct charle_shape_field *out)                                                  \
    {                                                                                                                  \
        typedef struct NAME row_type_;                                                                                 \
        size_t count = 0;                                                                                              \
        LIST(CHARLE_SHAPE_FIELD_, CHARLE_SHAPE_OUTER_)                                                                 \
        return count;                                                                                                  \
    }                                                                                                                  \
    struct NAME /* takes the semicolon */

// --- statements -----------------------------------------------------------------------------------------------------

#define charle_select(SHAPE, ...)                                                                                      \
    ((struct SHAPE##_query){.query = {.statement = CHARLE_SELECT, .shape = SHAPE##_shape, .has_rows = true,            \
                                      .row_size = sizeof(struct SHAPE), .clauses = CHARLE_CLAUSES_(__VA_ARGS__),       \
                                      .clause_count = CHARLE_CLAUSE_COUNT_(__VA_ARGS__)}})

// Whole rows, into the table's row struct: charle_select_rows(task, where(…)). There is no from() in it. It fails on a laptop whose
// person is not shown a NOT NULL column of the table: services that run there select a shape of the columns they need.
struct charle_rows_query {
    struct charle_query query;
};
#define charle_select_rows(T, ...)                                                                                     \
    ((struct charle_rows_query){.query = {.statement = CHARLE_SELECT, .has_rows = true, .table = CHARLE_TABLE_(T),     \
                                          .clauses = CHARLE_CLAUSES_(__VA_ARGS__),                                     \
                                          .clause_count = CHARLE_CLAUSE_COUNT_(__VA_ARGS__)}})

// set(task.title, "new"), set(task.due_at, an_opt_ts), set(task.title, excluded(task.title)); NULL with set_null(task.due_at).
#define CHARLE_SET_(suffix, R, RULE)                                                                                   \
    struct charle_col_##suffix: RULE(R),                                                                               \
    struct charle_coln_##suffix: _Generic((R), struct charle_opt_##suffix: charle_of_opt_##suffix##_, default: RULE(R))
#define CHARLE_R_JSON_(R)                                                                                              \
    _Generic((R), struct charle_json: charle_of_json_, CHARLE_COLUMNS_(json),                                          \
             default: charle_a_json_column_takes_charle_json)
#define CHARLE_R_ARRAY_(R) _Generic((R), struct charle_array: charle_of_array_, default: charle_an_array_column_takes_charle_array)
#define CHARLE_SET_ARRAY_ASSOC_(NAME, number, c_type, suffix) struct charle_cola_##suffix: charle_of_array_,
#define CHARLE_ASSIGNED_(L, R)                                                                                         \
    _Generic((L), CHARLE_SET_(bool, R, CHARLE_R_BOOL_), CHARLE_SET_(int4, R, CHARLE_R_INT_),                           \
             CHARLE_SET_(int8, R, CHARLE_R_INT_), CHARLE_SET_(float8, R, CHARLE_R_FLOAT8_),                            \
             CHARLE_SET_(text, R, CHARLE_R_TEXT_), CHARLE_SET_(bytes, R, CHARLE_R_BYTES_),                             \
             CHARLE_SET_(enum, R, CHARLE_R_ENUM_), CHARLE_SET_(ts, R, CHARLE_R_TS_),                                   \
             CHARLE_SET_(date, R, CHARLE_R_DATE_), CHARLE_SET_(numeric, R, CHARLE_R_NUMERIC_),                         \
             CHARLE_SET_(uuid, R, CHARLE_R_UUID_), CHARLE_SET_(json, R, CHARLE_R_JSON_),                               \
             CHARLE_TYPES(CHARLE_SET_ARRAY_ASSOC_) default: charle_the_left_side_must_be_a_column)(R)
static inline struct charle_assignment charle_set_(struct charle_colref ref, struct charle_operand value)
{
    return (struct charle_assignment){ref, value};
}
#define charle_set(L, R) charle_set_((L).ref, CHARLE_ASSIGNED_(L, R))
#define charle_set_null(L) charle_set_(CHARLE_NULLABLE_REF_(L), (struct charle_operand){.value = {.is_null = true}})
#define CHARLE_SETS_(...) ((const struct charle_assignment[]){__VA_ARGS__})
#define CHARLE_SET_COUNT_(...) (sizeof(CHARLE_SETS_(__VA_ARGS__)) / sizeof(struct charle_assignment))

// The value that an upsert wanted to insert: the same handle under another name.
#define CHARLE_EXCLUDED_FN_(NAME, number, c_type, suffix)                                                              \
    static inline struct charle_col_##suffix charle_excluded_col_##suffix##_(struct charle_col_##suffix column)        \
    {                                                                                                                  \
        column.ref.alias = CHARLE_ALIAS_EXCLUDED;                                                                      \
        return column;                                                                                                 \
    }                                                                                                                  \
    static inline struct charle_coln_##suffix charle_excluded_coln_##suffix##_(struct charle_coln_##suffix column)     \
    {                                                                                                                  \
        column.ref.alias = CHARLE_ALIAS_EXCLUDED;                                                                      \
        return column;                                                                                                 \
    }
CHARLE_TYPES(CHARLE_EXCLUDED_FN_)
#undef CHARLE_EXCLUDED_FN_
#define CHARLE_EXCLUDED_ASSOC_(NAME, number, c_type, suffix)                                                           \
    struct charle_col_##suffix: charle_excluded_col_##suffix##_, struct charle_coln_##suffix: charle_excluded_coln_##suffix##_,
#define charle_excluded(L) _Generic((L), CHARLE_TYPES(CHARLE_EXCLUDED_ASSOC_) default: charle_this_must_be_a_column)(L)

// The condition is an argument of its own, so that it cannot be forgotten: charle_update(task, eq(task.id, id), set(…), set(…)).
static inline struct charle_query charle_update_(struct charle_colref table, struct charle_expr where,
                                                 const struct charle_assignment *assignments, size_t count)
{
    return (struct charle_query){.statement = CHARLE_UPDATE, .table = table, .where = where, .assignments = assignments,
                                 .assignment_count = count};
}
static inline struct charle_query charle_delete_(struct charle_colref table, struct charle_expr where)
{
    return (struct charle_query){.statement = CHARLE_DELETE, .table = table, .where = where};
}
static inline struct charle_query charle_insert_(struct charle_colref table, const void *rows, size_t count, size_t size)
{
    return (struct charle_query){.statement = CHARLE_INSERT, .table = table, .rows = rows, .rows_count = count,
                                 .rows_size = size};
}
#define charle_update(T, CONDITION, ...)                                                                               \
    charle_update_(CHARLE_TABLE_(T), CONDITION, CHARLE_SETS_(__VA_ARGS__), CHARLE_SET_COUNT_(__VA_ARGS__))
#define charle_delete(T, CONDITION) charle_delete_(CHARLE_TABLE_(T), CONDITION)
// ROW is a struct of the table's insert message (…_insert_init makes one); ROWS points to COUNT of them.
#define charle_insert(T, ROW) charle_insert_(CHARLE_TABLE_(T), &(ROW), 1, sizeof(ROW))
#define charle_insert_many(T, ROWS, COUNT) charle_insert_(CHARLE_TABLE_(T), (ROWS), (COUNT), sizeof(*(ROWS)))

// on_conflict_do_nothing(charle_insert(…)) skips rows that are there already, whatever they collide with.
static inline struct charle_query charle_on_conflict_do_nothing(struct charle_query insert)
{
    insert.conflict = CHARLE_CONFLICT_NOTHING;
    return insert;
}
// on_conflict_do_update(charle_insert(…), target(by(task.id)), set(…), set(…)): what to change in the row that is there.
struct charle_target {
    const struct charle_colref *columns;
    size_t count;
};
#define charle_target(...) ((struct charle_target){CHARLE_REFS_(__VA_ARGS__), CHARLE_REF_COUNT_(__VA_ARGS__)})
static inline struct charle_query charle_do_update_(struct charle_query insert, struct charle_target target,
                                                    const struct charle_assignment *assignments, size_t count)
{
    insert.conflict = CHARLE_CONFLICT_UPDATE;
    insert.targets = target.columns;
    insert.target_count = target.count;
    insert.assignments = assignments;
    insert.assignment_count = count;
    return insert;
}
#define charle_on_conflict_do_update(INSERT, TARGET, ...)                                                              \
    charle_do_update_(INSERT, TARGET, CHARLE_SETS_(__VA_ARGS__), CHARLE_SET_COUNT_(__VA_ARGS__))

// returning(task_page, charle_update(…)): the changed rows as an answer.
static inline struct charle_query charle_returning_(struct charle_query query, charle_shape_fn shape, size_t row_size)
{
    query.shape = shape;
    query.row_size = row_size;
    query.has_rows = true;
    return query;
}
#define charle_returning(SHAPE, QUERY)                                                                                 \
    ((struct SHAPE##_query){.query = charle_returning_(QUERY, SHAPE##_shape, sizeof(struct SHAPE))})

// --- running --------------------------------------------------------------------------------------------------------

// All rows into the arena: struct task_page *rows; size_t count.
#define charle_fetch_all(DB, ARENA, QUERY, OUT_ROWS, OUT_COUNT, ERR)                                                   \
    _Generic((OUT_ROWS), __typeof__((QUERY).row_type) *: charle_fetch_all_)(                                           \
        DB, ARENA, &(QUERY).query, sizeof(**(OUT_ROWS)), OUT_ROWS, OUT_COUNT, ERR)
// The first row: struct task_page row. NOT_FOUND when there is none.
#define charle_fetch_one(DB, ARENA, QUERY, OUT_ROW, ERR)                                                               \
    _Generic((OUT_ROW), __typeof__((QUERY).row_type): charle_fetch_one_)(DB, ARENA, &(QUERY).query, sizeof(*(OUT_ROW)), \
                                                                         OUT_ROW, ERR)
// Whole rows of charle_select_rows: struct task *rows, or struct task row.
#define charle_fetch_rows(DB, ARENA, QUERY, OUT_ROWS, OUT_COUNT, ERR)                                                  \
    _Generic((QUERY), struct charle_rows_query: charle_fetch_all_)(DB, ARENA, &(QUERY).query, sizeof(**(OUT_ROWS)),    \
                                                                   OUT_ROWS, OUT_COUNT, ERR)
#define charle_fetch_row(DB, ARENA, QUERY, OUT_ROW, ERR)                                                               \
    _Generic((QUERY), struct charle_rows_query: charle_fetch_one_)(DB, ARENA, &(QUERY).query, sizeof(*(OUT_ROW)),      \
                                                                   OUT_ROW, ERR)
#define charle_fetch_each(DB, QUERY, EACH, CTX, ERR) charle_fetch_each_(DB, &(QUERY).query, EACH, CTX, ERR)

// Insert, update or delete without an answer. out_changed may be NULL.
static inline enum charle_err charle_run(struct charle_db *db, struct charle_query query, int64_t *out_changed,
                                         struct charle_error *err)
{
    return charle_run_(db, &query, out_changed, err);
}

// The SQL and the values of any query, as text for people.
#define charle_query_text(DIALECT, QUERY, BUF, ERR)                                                                    \
    charle_query_text_(DIALECT, _Generic((QUERY), struct charle_query: charle_query_of_, default: charle_query_in_)(&(QUERY)), BUF, ERR)
static inline const struct charle_query *charle_query_of_(const struct charle_query *query) { return query; }
// Every kind of query begins with a struct charle_query.
static inline const struct charle_query *charle_query_in_(const void *query) { return query; }

#endif
