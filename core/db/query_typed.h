// The compile-time half of the query builder: comparisons, lists, aggregates. query.h is the header to include.
//
// A macro picks a function by the types of its arguments. Where the types do not fit it picks one whose name says the
// rule and whose parameter nobody can give, so that both compilers name the rule and point at the value:
//   gcc    error: incompatible type for argument 1 of 'charle_a_text_column_takes_text'
//   clang  error: passing 'int' to parameter of incompatible type 'struct charle_a_text_column_takes_text'
#ifndef CHARLE_DB_QUERY_TYPED_H
#define CHARLE_DB_QUERY_TYPED_H

#include "db/query.h"

// Lists of types and functions read as tables.
// clang-format off

#define CHARLE_RULE_OF_(result, name)                                                                                  \
    struct name {                                                                                                      \
        char never;                                                                                                    \
    };                                                                                                                 \
    result name(struct name value_of_a_wrong_type)
#define CHARLE_RULE(name) CHARLE_RULE_OF_(struct charle_operand, name)
CHARLE_RULE(charle_a_bool_column_takes_true_or_false);
CHARLE_RULE(charle_an_integer_column_takes_integers);
CHARLE_RULE(charle_a_float_column_takes_numbers);
CHARLE_RULE(charle_a_text_column_takes_text);
CHARLE_RULE(charle_a_bytes_column_takes_charle_bytes);
CHARLE_RULE(charle_an_enum_column_takes_enum_values);
CHARLE_RULE(charle_a_timestamp_column_takes_charle_ts);
CHARLE_RULE(charle_a_date_column_takes_charle_date);
CHARLE_RULE(charle_a_numeric_column_takes_charle_numeric);
CHARLE_RULE(charle_a_uuid_column_takes_charle_uuid);
CHARLE_RULE(charle_a_json_column_takes_charle_json);
CHARLE_RULE(charle_json_columns_cannot_be_compared);
CHARLE_RULE(charle_an_array_column_takes_charle_array);
CHARLE_RULE(charle_the_left_side_must_be_a_column);
CHARLE_RULE(charle_the_values_have_another_type_than_the_column);
CHARLE_RULE_OF_(struct charle_colref, charle_this_column_is_never_null);
CHARLE_RULE_OF_(struct charle_colref, charle_like_needs_a_text_column);
CHARLE_RULE_OF_(struct charle_colref, charle_this_type_has_no_order);
CHARLE_RULE_OF_(struct charle_colref, charle_only_numbers_can_be_summed);
CHARLE_RULE_OF_(struct charle_colref, charle_this_must_be_a_column);
#undef CHARLE_RULE
#undef CHARLE_RULE_OF_

// --- operands -------------------------------------------------------------------------------------------------------

static inline struct charle_operand charle_of_value_(struct charle_value value)
{
    return (struct charle_operand){.value = value};
}
static inline struct charle_operand charle_of_int_(long long v)
{
    return (struct charle_operand){.is_number = true, .value = charle_int8(v)};
}
// Larger than INT64_MAX is refused when the statement is built.
static inline struct charle_operand charle_of_uint_(unsigned long long v)
{
    return (struct charle_operand){.is_number = true, .value = {.type = v > INT64_MAX ? 0 : CHARLE_TYPE_INT8, .int8 = (int64_t)v}};
}
static inline struct charle_operand charle_of_bool_(bool v) { return charle_of_value_(charle_bool(v)); }
static inline struct charle_operand charle_of_float8_(double v) { return charle_of_value_(charle_float8(v)); }
static inline struct charle_operand charle_of_cstr_(const char *v) { return charle_of_value_(charle_text(charle_str(v))); }
static inline struct charle_operand charle_of_text_(struct charle_str v) { return charle_of_value_(charle_text(v)); }
static inline struct charle_operand charle_of_bytes_(struct charle_bytes v) { return charle_of_value_(charle_blob(v)); }
static inline struct charle_operand charle_of_ts_(struct charle_ts v) { return charle_of_value_(charle_timestamp(v)); }
static inline struct charle_operand charle_of_date_(struct charle_date v) { return charle_of_value_(charle_day(v)); }
static inline struct charle_operand charle_of_numeric_(struct charle_numeric v)
{
    return charle_of_value_((struct charle_value){.type = CHARLE_TYPE_NUMERIC, .text = v.text});
}
static inline struct charle_operand charle_of_uuid_(struct charle_uuid v)
{
    return charle_of_value_((struct charle_value){.type = CHARLE_TYPE_UUID, .uuid = v});
}
static inline struct charle_operand charle_of_json_(struct charle_json v)
{
    return charle_of_value_((struct charle_value){.type = CHARLE_TYPE_JSONB, .text = v.text});
}
static inline struct charle_operand charle_of_enum_(int32_t v) { return charle_of_int_(v); }
static inline struct charle_operand charle_of_int4_(int32_t v) { return charle_of_int_(v); }
static inline struct charle_operand charle_of_int8_(int64_t v) { return charle_of_int_(v); }
static inline struct charle_operand charle_of_array_(struct charle_array v)
{
    return charle_of_value_((struct charle_value){.is_array = true, .array = v}); // its type is the column's
}
#define CHARLE_OF_COLUMN_(NAME, number, c_type, suffix)                                                                \
    static inline struct charle_operand charle_of_col_##suffix##_(struct charle_col_##suffix v)                        \
    {                                                                                                                  \
        return (struct charle_operand){.is_column = true, .ref = v.ref};                                               \
    }                                                                                                                  \
    static inline struct charle_operand charle_of_coln_##suffix##_(struct charle_coln_##suffix v)                      \
    {                                                                                                                  \
        return (struct charle_operand){.is_column = true, .ref = v.ref};                                               \
    }                                                                                                                  \
    static inline struct charle_operand charle_of_opt_##suffix##_(struct charle_opt_##suffix v)                        \
    {                                                                                                                  \
        return v.has ? charle_of_##suffix##_(v.value)                                                                  \
                     : charle_of_value_((struct charle_value){.type = CHARLE_TYPE_##NAME, .is_null = true});           \
    }
CHARLE_TYPES(CHARLE_OF_COLUMN_)
#undef CHARLE_OF_COLUMN_

#define CHARLE_INTEGERS_(PICK_SIGNED, PICK_UNSIGNED)                                                                   \
    signed char: PICK_SIGNED, short: PICK_SIGNED, int: PICK_SIGNED, long: PICK_SIGNED, long long: PICK_SIGNED,         \
    unsigned char: PICK_UNSIGNED, unsigned short: PICK_UNSIGNED, unsigned: PICK_UNSIGNED,                              \
    unsigned long: PICK_UNSIGNED, unsigned long long: PICK_UNSIGNED
#define CHARLE_COLUMNS_(suffix)                                                                                        \
    struct charle_col_##suffix: charle_of_col_##suffix##_, struct charle_coln_##suffix: charle_of_coln_##suffix##_

// What may stand on the right of a column of each type.
#define CHARLE_R_BOOL_(R)                                                                                              \
    _Generic((R), bool: charle_of_bool_, int: charle_of_int_, CHARLE_COLUMNS_(bool),                                   \
             default: charle_a_bool_column_takes_true_or_false)
#define CHARLE_R_INT_(R)                                                                                               \
    _Generic((R), CHARLE_INTEGERS_(charle_of_int_, charle_of_uint_), CHARLE_COLUMNS_(int4), CHARLE_COLUMNS_(int8),     \
             default: charle_an_integer_column_takes_integers)
#define CHARLE_R_FLOAT8_(R)                                                                                            \
    _Generic((R), float: charle_of_float8_, double: charle_of_float8_, int: charle_of_float8_,                         \
             CHARLE_COLUMNS_(float8), default: charle_a_float_column_takes_numbers)
#define CHARLE_R_TEXT_(R)                                                                                              \
    _Generic((R), char *: charle_of_cstr_, const char *: charle_of_cstr_, struct charle_str: charle_of_text_,          \
             CHARLE_COLUMNS_(text), default: charle_a_text_column_takes_text)
#define CHARLE_R_BYTES_(R)                                                                                             \
    _Generic((R), struct charle_bytes: charle_of_bytes_, CHARLE_COLUMNS_(bytes),                                       \
             default: charle_a_bytes_column_takes_charle_bytes)
#define CHARLE_R_ENUM_(R)                                                                                              \
    _Generic((R), int: charle_of_int_, unsigned: charle_of_uint_, CHARLE_COLUMNS_(enum),                               \
             default: charle_an_enum_column_takes_enum_values)
#define CHARLE_R_TS_(R)                                                                                                \
    _Generic((R), struct charle_ts: charle_of_ts_, CHARLE_COLUMNS_(ts),                                                \
             default: charle_a_timestamp_column_takes_charle_ts)
#define CHARLE_R_DATE_(R)                                                                                              \
    _Generic((R), struct charle_date: charle_of_date_, CHARLE_COLUMNS_(date),                                          \
             default: charle_a_date_column_takes_charle_date)
#define CHARLE_R_NUMERIC_(R)                                                                                           \
    _Generic((R), struct charle_numeric: charle_of_numeric_, CHARLE_COLUMNS_(numeric),                                 \
             default: charle_a_numeric_column_takes_charle_numeric)
#define CHARLE_R_UUID_(R)                                                                                              \
    _Generic((R), struct charle_uuid: charle_of_uuid_, CHARLE_COLUMNS_(uuid),                                          \
             default: charle_a_uuid_column_takes_charle_uuid)

#define CHARLE_EITHER_(suffix, PICK) struct charle_col_##suffix: PICK, struct charle_coln_##suffix: PICK

#define CHARLE_OPERAND_(L, R)                                                                                          \
    _Generic((L), CHARLE_EITHER_(bool, CHARLE_R_BOOL_(R)), CHARLE_EITHER_(int4, CHARLE_R_INT_(R)),                     \
             CHARLE_EITHER_(int8, CHARLE_R_INT_(R)), CHARLE_EITHER_(float8, CHARLE_R_FLOAT8_(R)),                      \
             CHARLE_EITHER_(text, CHARLE_R_TEXT_(R)), CHARLE_EITHER_(bytes, CHARLE_R_BYTES_(R)),                       \
             CHARLE_EITHER_(enum, CHARLE_R_ENUM_(R)), CHARLE_EITHER_(ts, CHARLE_R_TS_(R)),                             \
             CHARLE_EITHER_(date, CHARLE_R_DATE_(R)), CHARLE_EITHER_(numeric, CHARLE_R_NUMERIC_(R)),                   \
             CHARLE_EITHER_(uuid, CHARLE_R_UUID_(R)),                                                                  \
             CHARLE_EITHER_(json, charle_json_columns_cannot_be_compared),                                             \
             default: charle_the_left_side_must_be_a_column)(R)

// --- comparisons ----------------------------------------------------------------------------------------------------

static inline struct charle_colref charle_ref_(struct charle_colref ref) { return ref; }

// Any column, arrays too.
#define CHARLE_ANY_ASSOC_(NAME, number, c_type, suffix)                                                                \
    struct charle_col_##suffix: charle_ref_, struct charle_coln_##suffix: charle_ref_, struct charle_cola_##suffix: charle_ref_,
#define CHARLE_ANY_REF_(L) _Generic((L), CHARLE_TYPES(CHARLE_ANY_ASSOC_) default: charle_this_must_be_a_column)((L).ref)

#define CHARLE_ORDERED_REF_(L)                                                                                         \
    _Generic((L), CHARLE_EITHER_(int4, charle_ref_), CHARLE_EITHER_(int8, charle_ref_),                                \
             CHARLE_EITHER_(float8, charle_ref_), CHARLE_EITHER_(text, charle_ref_), CHARLE_EITHER_(bytes, charle_ref_), \
             CHARLE_EITHER_(ts, charle_ref_), CHARLE_EITHER_(date, charle_ref_),                                       \
             CHARLE_EITHER_(numeric, charle_ref_), CHARLE_EITHER_(uuid, charle_ref_),                                  \
             default: charle_this_type_has_no_order)((L).ref)
#define CHARLE_TEXT_REF_(L)                                                                                            \
    _Generic((L), CHARLE_EITHER_(text, charle_ref_), default: charle_like_needs_a_text_column)((L).ref)

static inline struct charle_expr charle_compare_(enum charle_op op, struct charle_colref left, struct charle_operand right)
{
    return (struct charle_expr){.op = op, .left = left, .right = right};
}
#define charle_eq(L, R) charle_compare_(CHARLE_OP_EQ, (L).ref, CHARLE_OPERAND_(L, R))
#define charle_ne(L, R) charle_compare_(CHARLE_OP_NE, (L).ref, CHARLE_OPERAND_(L, R))
#define charle_gt(L, R) charle_compare_(CHARLE_OP_GT, CHARLE_ORDERED_REF_(L), CHARLE_OPERAND_(L, R))
#define charle_gte(L, R) charle_compare_(CHARLE_OP_GTE, CHARLE_ORDERED_REF_(L), CHARLE_OPERAND_(L, R))
#define charle_lt(L, R) charle_compare_(CHARLE_OP_LT, CHARLE_ORDERED_REF_(L), CHARLE_OPERAND_(L, R))
#define charle_lte(L, R) charle_compare_(CHARLE_OP_LTE, CHARLE_ORDERED_REF_(L), CHARLE_OPERAND_(L, R))
#define charle_between(L, LOW, HIGH) charle_and(charle_gte(L, LOW), charle_lte(L, HIGH))
#define charle_not_between(L, LOW, HIGH) charle_not(charle_between(L, LOW, HIGH))

// The pattern's % and _ stand for any text and any character, a backslash takes their meaning away. ilike folds ASCII only.
#define charle_like(L, PATTERN) charle_compare_(CHARLE_OP_LIKE, CHARLE_TEXT_REF_(L), CHARLE_R_TEXT_(PATTERN)(PATTERN))
#define charle_ilike(L, PATTERN) charle_compare_(CHARLE_OP_ILIKE, CHARLE_TEXT_REF_(L), CHARLE_R_TEXT_(PATTERN)(PATTERN))
#define charle_not_like(L, PATTERN) charle_not(charle_like(L, PATTERN))
#define charle_not_ilike(L, PATTERN) charle_not(charle_ilike(L, PATTERN))

// Only of nullable columns; CHARLE_OUTER_ takes any column that comes from the outer side of a left join.
#define CHARLE_NULLABLE_ASSOC_(NAME, number, c_type, suffix)                                                           \
    struct charle_coln_##suffix: charle_ref_, struct charle_cola_##suffix: charle_ref_,
#define CHARLE_NULLABLE_REF_(L)                                                                                        \
    _Generic((L), CHARLE_TYPES(CHARLE_NULLABLE_ASSOC_) default: charle_this_column_is_never_null)((L).ref)
static inline struct charle_expr charle_is_null_(struct charle_colref ref)
{
    return (struct charle_expr){.op = CHARLE_OP_IS_NULL, .left = ref};
}
#define charle_is_null(L) charle_is_null_(CHARLE_NULLABLE_REF_(L))
#define charle_is_not_null(L) charle_not(charle_is_null(L))
// Whether a left join found no row: true when this column of the joined table, which is never NULL there, is NULL.
#define charle_is_missing(L) charle_is_null_(CHARLE_ANY_REF_(L))

// --- in -------------------------------------------------------------------------------------------------------------

#define CHARLE_ITEM_(name, c_type, convert)                                                                            \
    static inline struct charle_operand charle_item_##name##_(const void *items, size_t index)                         \
    {                                                                                                                  \
        return convert(((c_type const *)items)[index]);                                                                \
    }
CHARLE_ITEM_(schar, signed char, charle_of_int_)
CHARLE_ITEM_(short, short, charle_of_int_)
CHARLE_ITEM_(int, int, charle_of_int_)
CHARLE_ITEM_(long, long, charle_of_int_)
CHARLE_ITEM_(llong, long long, charle_of_int_)
CHARLE_ITEM_(uint, unsigned, charle_of_uint_)
CHARLE_ITEM_(ulong, unsigned long, charle_of_uint_)
CHARLE_ITEM_(double, double, charle_of_float8_)
CHARLE_ITEM_(cstr, char *, charle_of_cstr_)
CHARLE_ITEM_(text, struct charle_str, charle_of_text_)
CHARLE_ITEM_(bytes, struct charle_bytes, charle_of_bytes_)
CHARLE_ITEM_(ts, struct charle_ts, charle_of_ts_)
CHARLE_ITEM_(date, struct charle_date, charle_of_date_)
CHARLE_ITEM_(numeric, struct charle_numeric, charle_of_numeric_)
CHARLE_ITEM_(uuid, struct charle_uuid, charle_of_uuid_)
#undef CHARLE_ITEM_
typedef struct charle_operand (*charle_item_fn)(const void *items, size_t index);
static inline struct charle_expr charle_in_(struct charle_colref left, charle_item_fn item, const void *items, size_t count)
{
    return (struct charle_expr){.op = CHARLE_OP_IN, .left = left, .item = item, .items = items, .count = count};
}
#define CHARLE_NO_ITEMS_ (*(struct charle_the_values_have_another_type_than_the_column *)0)
#define CHARLE_POINTER_(c_type, PICK) c_type *: PICK, const c_type *: PICK
#define CHARLE_IN_INT_(P)                                                                                              \
    _Generic((P), CHARLE_POINTER_(int, charle_item_int_), CHARLE_POINTER_(long, charle_item_long_),                    \
             CHARLE_POINTER_(long long, charle_item_llong_), CHARLE_POINTER_(unsigned, charle_item_uint_),             \
             CHARLE_POINTER_(unsigned long, charle_item_ulong_), CHARLE_POINTER_(short, charle_item_short_),           \
             default: CHARLE_NO_ITEMS_)
#define CHARLE_IN_TEXT_(P)                                                                                             \
    _Generic((P), char **: charle_item_cstr_, const char **: charle_item_cstr_, const char *const *: charle_item_cstr_, \
             char *const *: charle_item_cstr_, CHARLE_POINTER_(struct charle_str, charle_item_text_),                  \
             default: CHARLE_NO_ITEMS_)
#define CHARLE_IN_ENUM_(P)                                                                                             \
    _Generic((P), CHARLE_POINTER_(int, charle_item_int_), CHARLE_POINTER_(unsigned, charle_item_uint_),                \
             default: CHARLE_NO_ITEMS_)
#define CHARLE_IN_ONE_(P, c_type, name)                                                                                \
    _Generic((P), CHARLE_POINTER_(c_type, charle_item_##name##_), default: CHARLE_NO_ITEMS_)
#define CHARLE_IN_ITEM_(L, P)                                                                                          \
    _Generic((L), CHARLE_EITHER_(int4, CHARLE_IN_INT_(P)), CHARLE_EITHER_(int8, CHARLE_IN_INT_(P)),                    \
             CHARLE_EITHER_(float8, CHARLE_IN_ONE_(P, double, double)), CHARLE_EITHER_(text, CHARLE_IN_TEXT_(P)),      \
             CHARLE_EITHER_(bytes, CHARLE_IN_ONE_(P, struct charle_bytes, bytes)),                                     \
             CHARLE_EITHER_(enum, CHARLE_IN_ENUM_(P)), CHARLE_EITHER_(ts, CHARLE_IN_ONE_(P, struct charle_ts, ts)),    \
             CHARLE_EITHER_(date, CHARLE_IN_ONE_(P, struct charle_date, date)),                                        \
             CHARLE_EITHER_(numeric, CHARLE_IN_ONE_(P, struct charle_numeric, numeric)),                               \
             CHARLE_EITHER_(uuid, CHARLE_IN_ONE_(P, struct charle_uuid, uuid)),                                        \
             default: *(struct charle_the_left_side_must_be_a_column *)0)

// in_array(task.id, ids, count): `ids` points to values of the column's C type. in(task.id, "a", "b"): the values themselves.
// An empty list holds nothing, so in is false and not_in is true.
#define charle_in_array(L, ITEMS, COUNT) charle_in_((L).ref, CHARLE_IN_ITEM_(L, ITEMS), (ITEMS), (COUNT))
#define charle_not_in_array(L, ITEMS, COUNT) charle_not(charle_in_array(L, ITEMS, COUNT))
#define CHARLE_FIRST_(...) CHARLE_FIRST_OF_(__VA_ARGS__, 0)
#define CHARLE_FIRST_OF_(first, ...) (first)
// The type of the first value decides; a text literal is a const char *.
#define CHARLE_LIST_TYPE_(...)                                                                                         \
    __typeof__(_Generic(CHARLE_FIRST_(__VA_ARGS__), char *: (const char *)0, default: CHARLE_FIRST_(__VA_ARGS__)))
#define CHARLE_LIST_(...) ((CHARLE_LIST_TYPE_(__VA_ARGS__)[]){__VA_ARGS__})
#define charle_in(L, ...)                                                                                              \
    charle_in_((L).ref, CHARLE_IN_ITEM_(L, (CHARLE_LIST_TYPE_(__VA_ARGS__) *)0), CHARLE_LIST_(__VA_ARGS__),            \
               sizeof(CHARLE_LIST_(__VA_ARGS__)) / sizeof(CHARLE_LIST_TYPE_(__VA_ARGS__)))
#define charle_not_in(L, ...) charle_not(charle_in(L, __VA_ARGS__))

// An array column holds the value: has(requirement.links, "https://…").
#define CHARLE_ELEMENT_(L, R)                                                                                          \
    _Generic((L), struct charle_cola_bool: CHARLE_R_BOOL_(R), struct charle_cola_int4: CHARLE_R_INT_(R),               \
             struct charle_cola_int8: CHARLE_R_INT_(R), struct charle_cola_text: CHARLE_R_TEXT_(R),                    \
             struct charle_cola_enum: CHARLE_R_ENUM_(R), struct charle_cola_ts: CHARLE_R_TS_(R),                       \
             struct charle_cola_date: CHARLE_R_DATE_(R), struct charle_cola_uuid: CHARLE_R_UUID_(R),                   \
             default: charle_the_left_side_must_be_a_column)(R)
#define charle_has(L, R) charle_compare_(CHARLE_OP_HAS, (L).ref, CHARLE_ELEMENT_(L, R))

// --- and, or, not, exists, raw --------------------------------------------------------------------------------------

static inline struct charle_expr charle_list_(enum charle_op op, const struct charle_expr *list, size_t count)
{
    return (struct charle_expr){.op = op, .list = list, .count = count};
}
#define CHARLE_EXPRS_(...) ((const struct charle_expr[]){__VA_ARGS__})
#define CHARLE_EXPR_COUNT_(...) (sizeof(CHARLE_EXPRS_(__VA_ARGS__)) / sizeof(struct charle_expr))
#define charle_and(...) charle_list_(CHARLE_OP_AND, CHARLE_EXPRS_(__VA_ARGS__), CHARLE_EXPR_COUNT_(__VA_ARGS__))
#define charle_or(...) charle_list_(CHARLE_OP_OR, CHARLE_EXPRS_(__VA_ARGS__), CHARLE_EXPR_COUNT_(__VA_ARGS__))
#define charle_not(E) charle_list_(CHARLE_OP_NOT, CHARLE_EXPRS_(E), 1)

// exists(from(client), where(eq(client.id, task.client_id))): sees the tables around it.
#define CHARLE_CLAUSES_(...) ((const struct charle_clause[]){__VA_ARGS__})
#define CHARLE_CLAUSE_COUNT_(...) (sizeof(CHARLE_CLAUSES_(__VA_ARGS__)) / sizeof(struct charle_clause))
#define charle_exists(...)                                                                                             \
    ((struct charle_expr){.op = CHARLE_OP_EXISTS,                                                                      \
                          .query = &(const struct charle_query){.clauses = CHARLE_CLAUSES_(__VA_ARGS__),               \
                                                                .clause_count = CHARLE_CLAUSE_COUNT_(__VA_ARGS__)}})
#define charle_not_exists(...) charle_not(charle_exists(__VA_ARGS__))

// A condition in SQL that both databases understand, for what the builder has no word for. The text must be a literal; its $1, $2, …
// are the values: raw("length(\"task\".\"title\") > $1", charle_int4(20)). Write raw_sql for one without values.
#define CHARLE_VALUES_(...) ((const struct charle_value[]){__VA_ARGS__})
#define charle_raw(SQL, ...)                                                                                           \
    ((struct charle_expr){.op = CHARLE_OP_RAW, .raw = "" SQL, .values = CHARLE_VALUES_(__VA_ARGS__),                   \
                          .count = sizeof(CHARLE_VALUES_(__VA_ARGS__)) / sizeof(struct charle_value)})
#define charle_raw_sql(SQL) ((struct charle_expr){.op = CHARLE_OP_RAW, .raw = "" SQL})

// For an update or delete that really means all rows of the table.
static inline struct charle_expr charle_every_row(void)
{
    return (struct charle_expr){.op = CHARLE_OP_EVERY_ROW};
}

// --- aggregates -----------------------------------------------------------------------------------------------------

static inline struct charle_colref charle_fn_(enum charle_function fn, struct charle_colref ref)
{
    // Of an aggregate no aggregate can be made: that gives a function that does not exist, which building refuses.
    ref.column = (uint16_t)(ref.column + ((uint16_t)fn << 8) + (ref.column > 0xff ? 0x8000 : 0));
    return ref;
}
static inline struct charle_col_int8 charle_count_rows(void)
{
    return (struct charle_col_int8){{.column = CHARLE_FN_COUNT_ROWS << 8}};
}
// Functions, because a shape stands outside functions, where compound literals must be constant.
static inline struct charle_col_int8 charle_count_(enum charle_function fn, struct charle_colref ref)
{
    return (struct charle_col_int8){charle_fn_(fn, ref)};
}
#define charle_count(L) charle_count_(CHARLE_FN_COUNT, CHARLE_ANY_REF_(L))
#define charle_count_distinct(L) charle_count_(CHARLE_FN_COUNT_DISTINCT, CHARLE_ANY_REF_(L))

#define CHARLE_SUMS_(X) X(int4, int8, float8) X(int8, int8, float8) X(float8, float8, float8) X(numeric, numeric, numeric)
#define CHARLE_SUM_FN_(suffix, sum_suffix, avg_suffix)                                                                 \
    static inline struct charle_coln_##sum_suffix charle_sum_##suffix##_(struct charle_colref ref)                     \
    {                                                                                                                  \
        return (struct charle_coln_##sum_suffix){charle_fn_(CHARLE_FN_SUM, ref)};                                      \
    }                                                                                                                  \
    static inline struct charle_coln_##avg_suffix charle_avg_##suffix##_(struct charle_colref ref)                     \
    {                                                                                                                  \
        return (struct charle_coln_##avg_suffix){charle_fn_(CHARLE_FN_AVG, ref)};                                      \
    }
CHARLE_SUMS_(CHARLE_SUM_FN_)
#undef CHARLE_SUM_FN_
#define CHARLE_SUM_ASSOC_(suffix, sum_suffix, avg_suffix) CHARLE_EITHER_(suffix, charle_sum_##suffix##_),
#define CHARLE_AVG_ASSOC_(suffix, sum_suffix, avg_suffix) CHARLE_EITHER_(suffix, charle_avg_##suffix##_),
// The sum of integers is an int8 and fails when it does not fit; of nothing it is NULL.
#define charle_sum(L) _Generic((L), CHARLE_SUMS_(CHARLE_SUM_ASSOC_) default: charle_only_numbers_can_be_summed)((L).ref)
// A float8; of numerics a numeric, rounded to 16 digits behind the point.
#define charle_avg(L) _Generic((L), CHARLE_SUMS_(CHARLE_AVG_ASSOC_) default: charle_only_numbers_can_be_summed)((L).ref)

#define CHARLE_ORDERED_TYPES_(X) X(int4) X(int8) X(float8) X(text) X(ts) X(date) X(numeric)
#define CHARLE_MIN_FN_(suffix)                                                                                         \
    static inline struct charle_coln_##suffix charle_min_##suffix##_(struct charle_colref ref)                         \
    {                                                                                                                  \
        return (struct charle_coln_##suffix){charle_fn_(CHARLE_FN_MIN, ref)};                                          \
    }                                                                                                                  \
    static inline struct charle_coln_##suffix charle_max_##suffix##_(struct charle_colref ref)                         \
    {                                                                                                                  \
        return (struct charle_coln_##suffix){charle_fn_(CHARLE_FN_MAX, ref)};                                          \
    }
CHARLE_ORDERED_TYPES_(CHARLE_MIN_FN_)
#undef CHARLE_MIN_FN_
#define CHARLE_MIN_ASSOC_(suffix) CHARLE_EITHER_(suffix, charle_min_##suffix##_),
#define CHARLE_MAX_ASSOC_(suffix) CHARLE_EITHER_(suffix, charle_max_##suffix##_),
#define charle_min(L) _Generic((L), CHARLE_ORDERED_TYPES_(CHARLE_MIN_ASSOC_) default: charle_this_type_has_no_order)((L).ref)
#define charle_max(L) _Generic((L), CHARLE_ORDERED_TYPES_(CHARLE_MAX_ASSOC_) default: charle_this_type_has_no_order)((L).ref)

#endif
