// The parts that all statements share: text, values, names, columns, aggregates.
#include "db/sql.h"

#include "base/limits.h"
#include "msg/scalar.h"

#include <stdarg.h>
#include <stdio.h>

void ch_sql_fail(struct ch_sql *sql, enum charle_err code, const char *format, ...)
{
    char text[sizeof(sql->err->text)];
    va_list args;
    if (sql->failed)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    sql->failed = charle_fail(sql->err, code, "%s", text);
}

void ch_sql_add(struct ch_sql *sql, const char *text)
{
    charle_buf_add_text(&sql->text, text);
}

static bool make_room(struct ch_sql *sql)
{
    if (sql->value_count < sql->value_capacity)
        return true;
    size_t capacity = sql->value_capacity ? sql->value_capacity * 2 : 16;
    if (sql->value_count >= CH_PARAMS_MAX) {
        ch_sql_fail(sql, CHARLE_TOO_LARGE, "a statement has more than %zu bound values", sql->value_count);
        return false;
    }
    struct charle_value *values = charle_arena_array(sql->arena, capacity, sizeof(*values));
    if (!values) {
        ch_sql_fail(sql, CHARLE_NO_MEMORY, "out of memory while building a statement");
        return false;
    }
    if (sql->value_count)
        memcpy(values, sql->values, sql->value_count * sizeof(*values));
    sql->values = values;
    sql->value_capacity = capacity;
    return true;
}

void ch_sql_bind(struct ch_sql *sql, const struct charle_value *value)
{
    if (sql->failed || !make_room(sql))
        return;
    sql->values[sql->value_count++] = *value;
    charle_buf_printf(&sql->text, "$%zu", sql->value_count);
}

// --- columns --------------------------------------------------------------------------------------------------------

const struct charle_column *ch_sql_column(struct charle_colref ref)
{
    return ref.table && charle_colref_index(ref) < ref.table->column_count
               ? &ref.table->columns[charle_colref_index(ref)]
               : NULL;
}

enum charle_type ch_sql_type(struct charle_colref ref)
{
    const struct charle_column *column = ch_sql_column(ref);
    enum charle_type type = column ? (enum charle_type)column->field->type : CHARLE_TYPE_INT8;
    bool is_int = type == CHARLE_TYPE_INT4 || type == CHARLE_TYPE_INT8;
    switch (charle_colref_function(ref)) {
    case CHARLE_FN_COUNT_ROWS:
    case CHARLE_FN_COUNT:
    case CHARLE_FN_COUNT_DISTINCT:
        return CHARLE_TYPE_INT8;
    case CHARLE_FN_SUM:
        return is_int ? CHARLE_TYPE_INT8 : type;
    case CHARLE_FN_AVG:
        return is_int ? CHARLE_TYPE_FLOAT8 : type;
    case CHARLE_FN_NONE:
    case CHARLE_FN_MIN:
    case CHARLE_FN_MAX:
        break;
    }
    return type;
}

const struct ch_sql_table *ch_sql_find(const struct ch_sql *sql, struct charle_colref ref)
{
    for (const struct ch_sql_scope *scope = sql->scope; scope; scope = scope->around)
        for (size_t i = 0; i < scope->count; i++)
            if (scope->tables[i].table == ref.table && scope->tables[i].alias == ref.alias)
                return &scope->tables[i];
    return NULL;
}

bool ch_sql_may_be_null(const struct ch_sql *sql, struct charle_colref ref)
{
    enum charle_function fn = charle_colref_function(ref);
    const struct charle_column *column = ch_sql_column(ref);
    const struct ch_sql_table *table = ch_sql_find(sql, ref);
    if (fn == CHARLE_FN_COUNT_ROWS || fn == CHARLE_FN_COUNT || fn == CHARLE_FN_COUNT_DISTINCT)
        return false;
    return fn != CHARLE_FN_NONE || !column || column->is_nullable || !table || table->is_outer;
}

void ch_sql_check_table(struct ch_sql *sql, const struct charle_table *table)
{
    if (sql->dialect == CHARLE_PG && table->is_local)
        ch_sql_fail(sql, CHARLE_FAILED_PRECONDITION,
                    "table %.*s is local_only: laptops have it, the server does not; give a service what it needs in its request",
                    CHARLE_FMT(table->name));
}

void ch_sql_table_name(struct ch_sql *sql, const struct charle_table *table, uint16_t alias)
{
    char name[CH_IDENTIFIER_LEN_MAX + 16];
    if (alias == 0)
        charle_sql_write_name(&sql->text, table->name);
    else {
        snprintf(name, sizeof(name), "%.*s_%u", CHARLE_FMT(table->name), alias);
        charle_sql_write_name(&sql->text, charle_str(name));
    }
}

// The column itself, without its function; the table must be in FROM.
static void plain_column(struct ch_sql *sql, struct charle_colref ref)
{
    const struct charle_column *column = ch_sql_column(ref);
    if (!column) {
        ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT, "a column handle is empty; take it from the table's constant");
        return;
    }
    if (!ch_sql_find(sql, ref)) {
        ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT,
                    "%.*s.%.*s is used%s, and \"%.*s\" is not among the statement's tables; "
                    "add from(%.*s) or a join",
                    CHARLE_FMT(ref.table->name), CHARLE_FMT(column->name), ref.alias ? " under an alias" : "",
                    CHARLE_FMT(ref.table->name), CHARLE_FMT(ref.table->name));
        return;
    }
    if (ref.alias == CHARLE_ALIAS_EXCLUDED)
        ch_sql_add(sql, "excluded.");
    else if (!sql->is_unqualified) {
        ch_sql_table_name(sql, ref.table, ref.alias);
        ch_sql_add(sql, ".");
    }
    charle_sql_write_name(&sql->text, column->name);
}

// How an aggregate is written: pieces of text, with the column between each two.
struct aggregate {
    const char *pieces[3];
};

enum number_kind { INTEGERS, FLOATS, NUMERICS, NO_NUMBERS };

static enum number_kind kind_of(enum charle_type type)
{
    return type == CHARLE_TYPE_INT4 || type == CHARLE_TYPE_INT8 ? INTEGERS
           : type == CHARLE_TYPE_FLOAT8                         ? FLOATS
           : type == CHARLE_TYPE_NUMERIC                        ? NUMERICS
                                                                : NO_NUMBERS;
}

// An average is a sum over a count, so that both databases fail and round alike. In PostgreSQL a division of numerics
// keeps as many digits as the longer operand: the long 1.000 gives it 32 behind the point before it is rounded to 16.
static const struct aggregate sums[2][3] = {
    {{{"sum(", ")::bigint"}}, {{"sum(", ")"}}, {{"sum(", ")"}}},
    {{{"sum(", ")"}}, {{"charle_float_sum(", ")"}}, {{"charle_numeric_sum(", ")"}}},
};
static const struct aggregate averages[2][3] = {
    {{{"(sum(", ")::bigint::double precision / nullif(count(", "), 0))"}},
     {{"(sum(", ") / nullif(count(", "), 0))"}},
     {{"round(avg(", " * 1.00000000000000000000000000000000), 16)"}}},
    {{{"(cast(sum(", ") as real) / nullif(count(", "), 0))"}},
     {{"charle_float_avg(", ")"}},
     {{"charle_numeric_avg(", ")"}}},
};
static const struct aggregate minima[2] = {{{"min(", ")"}}, {{"min(", " collate charle_numeric)"}}};
static const struct aggregate maxima[2] = {{{"max(", ")"}}, {{"max(", " collate charle_numeric)"}}};
static const struct aggregate counts[2] = {{{"count(", ")"}}, {{"count(distinct ", ")"}}};

static const struct aggregate *aggregate_of(enum charle_dialect dialect, enum charle_function fn, enum charle_type type)
{
    enum number_kind kind = kind_of(type);
    bool is_sqlite = dialect == CHARLE_SQLITE, is_exact = is_sqlite && kind == NUMERICS;
    switch (fn) {
    case CHARLE_FN_SUM:
        return kind == NO_NUMBERS ? NULL : &sums[is_sqlite][kind];
    case CHARLE_FN_AVG:
        return kind == NO_NUMBERS ? NULL : &averages[is_sqlite][kind];
    case CHARLE_FN_MIN:
        return &minima[is_exact];
    case CHARLE_FN_MAX:
        return &maxima[is_exact];
    case CHARLE_FN_COUNT:
        return &counts[0];
    case CHARLE_FN_COUNT_DISTINCT:
        return &counts[1];
    case CHARLE_FN_NONE:
    case CHARLE_FN_COUNT_ROWS:
        break;
    }
    return NULL;
}

void ch_sql_ref(struct ch_sql *sql, struct charle_colref ref)
{
    enum charle_function fn = charle_colref_function(ref);
    const struct charle_column *column = ch_sql_column(ref);
    if (sql->failed)
        return;
    if (fn == CHARLE_FN_NONE) {
        plain_column(sql, ref);
        return;
    }
    if (!sql->may_aggregate) {
        ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT,
                    "an aggregate stands where rows are not grouped yet; put the condition into having()");
        return;
    }
    if (fn == CHARLE_FN_COUNT_ROWS) {
        ch_sql_add(sql, "count(*)");
        return;
    }
    enum charle_type type = column ? (enum charle_type)column->field->type : CHARLE_TYPE_INT8;
    const struct aggregate *aggregate = aggregate_of(sql->dialect, fn, type);
    if (!aggregate) {
        ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT, "an aggregate of an aggregate, or of %s, cannot be made",
                    charle_type_name(type));
        return;
    }
    if (fn == CHARLE_FN_COUNT_DISTINCT && column && (type == CHARLE_TYPE_JSONB || column->is_array)) {
        ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT,
                    "distinct values of %.*s cannot be counted: the databases compare JSON and "
                    "arrays differently",
                    CHARLE_FMT(column->name));
        return;
    }
    ref.column = charle_colref_index(ref);
    for (size_t i = 0; i < 3 && aggregate->pieces[i]; i++) {
        if (i)
            plain_column(sql, ref);
        ch_sql_add(sql, aggregate->pieces[i]);
    }
}

// --- values ---------------------------------------------------------------------------------------------------------

static struct charle_str name_of(struct charle_colref ref)
{
    const struct charle_column *column = ch_sql_column(ref);
    return column ? column->name : CHARLE_STR("count");
}

// An integer that stands for a bool, an enum value or an integer of some width.
static void number_value(struct ch_sql *sql, struct charle_colref target, struct charle_value *value)
{
    const struct charle_column *column = ch_sql_column(target);
    enum charle_type type = ch_sql_type(target);
    int64_t number = value->int8;
    struct charle_str name = {0};
    if (value->type == 0 || (type == CHARLE_TYPE_INT4 && (number < INT32_MIN || number > INT32_MAX))) {
        ch_sql_fail(sql, CHARLE_OUT_OF_RANGE, "%llu does not fit into the %s column %.*s", (unsigned long long)number,
                    charle_type_name(type), CHARLE_FMT(name_of(target)));
    } else if (type == CHARLE_TYPE_BOOL) {
        if (number != 0 && number != 1)
            ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT, "%lld was given for the bool column %.*s", (long long)number,
                        CHARLE_FMT(name_of(target)));
        *value = charle_bool(number != 0);
    } else if (type == CHARLE_TYPE_ENUM) {
        struct charle_error err = {0};
        bool fits = number >= INT32_MIN && number <= INT32_MAX;
        if (!fits || ch_row_enum_name(column->field, (int32_t)number, &name, &err))
            ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT, "%.*s.%.*s: %s has no value with the number %lld",
                        CHARLE_FMT(target.table->name), CHARLE_FMT(column->name), column->field->enumeration->name,
                        (long long)number);
        *value = charle_text(name);
    }
}

static void array_value(struct ch_sql *sql, const struct charle_column *column, struct charle_value *value)
{
    struct charle_error err = {0};
    value->type = column->field->type;
    if (value->type != CHARLE_TYPE_ENUM)
        return;
    value->type = CHARLE_TYPE_TEXT;
    if (ch_row_enum_names(column->field, &value->array, sql->arena, &value->array, &err))
        ch_sql_fail(sql, err.code, "%s", err.text);
}

void ch_sql_operand(struct ch_sql *sql, struct charle_colref target, const struct charle_operand *operand)
{
    struct charle_value value = operand->value;
    const struct charle_column *column = ch_sql_column(target);
    struct charle_numeric numeric;
    if (sql->failed)
        return;
    if (operand->is_column) {
        ch_sql_ref(sql, operand->ref);
        return;
    }
    if (operand->is_number)
        number_value(sql, target, &value);
    else if (value.is_array && column)
        array_value(sql, column, &value);
    else if (value.is_null)
        value.type = (uint8_t)ch_sql_type(target);
    else if (value.type == CHARLE_TYPE_NUMERIC && !charle_numeric_is_canonical(value.text)) {
        // The same number must be the same text, since SQLite compares texts.
        if (!charle_numeric_read(value.text, sql->arena, &numeric))
            ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT, "\"%.*s\" is not a decimal number", CHARLE_FMT(value.text));
        else
            value.text = numeric.text;
    }
    ch_sql_bind(sql, &value);
}

void ch_sql_deinit(struct ch_sql *sql)
{
    charle_buf_deinit(&sql->text);
    *sql = (struct ch_sql){0};
}
