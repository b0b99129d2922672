// The compile-time half of the query builder; included by query.h only.
//
// A macro picks a function by the types of its arguments. Where the types do not fit it picks one whose name says the rule and whose
// parameter nobody can give, so that both compilers name the rule and point at the value:
//   gcc    error: incompatible type for argument 1 of 'charle_a_text_column_takes_text'
//   clang  error: passing 'int' to parameter of incompatible type 'struct charle_a_text_column_takes_text'
#ifndef CHARLE_DB_QUERY_TYPED_H
#define CHARLE_DB_QUERY_TYPED_H

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

// Whole rows, into the table's row struct: charle_select_rows(task, where(…)). There is no from() in it.
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
