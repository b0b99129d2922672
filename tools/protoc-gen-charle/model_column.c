// Columns: types, defaults, what is generated, status steps and merge groups.
#include "base/limits.h"
#include "db/number.h"
#include "gen.h"
#include "msg/json.h"
#include "options.h"
#include "sql.h"

static const Charle__Column no_options = CHARLE__COLUMN__INIT;

static const Charle__Column *options_or_none(struct ch_gen *gen, const struct ch_model_table *table,
                                             const struct ch_model_field *field)
{
    const Charle__Column *options = ch_model_column_options(gen, table->row, field);

    return options ? options : &no_options;
}

// What an author who wrote this type most likely wants.
static const char *write_instead(enum charle_type type)
{
    if (type == CHARLE_TYPE_MESSAGE)
        return "a table of its own that refers to this one, or a string with type: JSONB";
    if (type == CHARLE_TYPE_UINT4)
        return "int64, which holds all values of a uint32, or int32";
    if (type == CHARLE_TYPE_UINT8)
        return "int64, or a string with type: NUMERIC for values above 2^63";
    if (type == CHARLE_TYPE_FLOAT4)
        return "double";
    return "int32, int64, double, string, bytes, bool, sfixed64, sint32 or an enum";
}

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static bool is_system_column(const char *name)
{
    static const char *const names[] = {"cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"};

    return is_one_of(name, names, sizeof names / sizeof *names);
}

static void check_column_type(struct ch_gen *gen, const struct ch_model_column *column)
{
    const struct ch_model_field *field = column->field;

    if (field->type >= CHARLE_TYPE_MESSAGE)
        ch_error(gen, column->place, "column %s has a type that no database column has; write %s", column->name,
                 write_instead(field->type));
    if (is_system_column(column->name))
        ch_error(gen, column->place, "%s is a column that every table of PostgreSQL has already; choose another name", column->name);
    if (column->type == CHARLE_TYPE_ENUM && column->enumeration && !column->enumeration->value_count)
        ch_error(gen, column->place, "enum %s of column %s has no values; give it at least one",
                 column->enumeration->full_name, column->name);
    if (strlen(column->name) > CH_IDENTIFIER_LEN_MAX)
        ch_error(gen, column->place,
                 "the column name %s is longer than %d bytes, where PostgreSQL cuts; write a shorter one", column->name,
                 CH_IDENTIFIER_LEN_MAX);
}

// protobuf's own defaults are known to readers of messages only, not to a database.
static void check_proto_default(struct ch_gen *gen, const struct ch_model_column *column)
{
    const ch_pb_message *pb = column->table->row->descriptor;

    for (size_t i = 0; i < pb->n_field; i++)
        if ((uint32_t)pb->field[i]->number == column->number && pb->field[i]->default_value)
            ch_error(gen, column->place,
                     "column %s has protobuf's [default = %s], which no database sees; write "
                     "[(charle.column).default_sql = \"…\"]",
                     column->name, pb->field[i]->default_value);
}

static void check_generate(struct ch_gen *gen, const struct ch_model_column *column)
{
    struct ch_place place = ch_place_of_column_option(column, 7);
    enum charle_type type = column->type;

    switch (column->generate) {
    case CHARLE_GENERATE_NONE:
        return;
    case CHARLE_GENERATE_ID:
        if (type != CHARLE_TYPE_TEXT)
            ch_error(gen, place, "generate: ID makes 26 characters, which column %s cannot hold; make it a string",
                     column->name);
        break;
    case CHARLE_GENERATE_NOW:
        if (type != CHARLE_TYPE_TIMESTAMPTZ && type != CHARLE_TYPE_DATE)
            ch_error(
                gen, place,
                "generate: NOW makes a moment, which column %s cannot hold; make it sfixed64 (or sint32 for the date)",
                column->name);
        break;
    case CHARLE_GENERATE_UPDATED:
        if (type != CHARLE_TYPE_TIMESTAMPTZ)
            ch_error(gen, place, "generate: UPDATED makes a moment, which column %s cannot hold; make it sfixed64",
                     column->name);
        break;
    case CHARLE_GENERATE_SERIAL:
        if (type != CHARLE_TYPE_INT4 && type != CHARLE_TYPE_INT8)
            ch_error(gen, place, "generate: SERIAL makes a number, which column %s cannot hold; make it int32 or int64",
                     column->name);
        break;
    }
    if (column->is_array)
        ch_error(gen, place, "an array cannot be generated; leave generate out of column %s", column->name);
}

static void check_label(struct ch_gen *gen, const struct ch_model_column *column)
{
    struct ch_place place = ch_place_of_column_option(column, 35);

    if (!column->label)
        return;
    if (column->generate != CHARLE_GENERATE_SERIAL)
        ch_error(gen, place, "label is what stands before a number that is generated; column %s has no generate: SERIAL", column->name);
    if (strlen(column->label) > CHARLE_LABEL_PREFIX_MAX || strpbrk(column->label, "\n\r\t"))
        ch_error(gen, place, "the label of column %s has more than %d bytes or several lines; write something short such as \"T-\"",
                 column->name, CHARLE_LABEL_PREFIX_MAX);
}

static const char *generated_default(struct ch_gen *gen, const struct ch_model_column *column, bool is_sqlite)
{
    bool is_date = column->type == CHARLE_TYPE_DATE;

    if (column->generate == CHARLE_GENERATE_NOW || column->generate == CHARLE_GENERATE_UPDATED) {
        if (is_sqlite)
            return is_date ? CH_SQLITE_TODAY : CH_SQLITE_NOW;
        return is_date ? "current_date" : "now()";
    }
    if (column->generate == CHARLE_GENERATE_SERIAL && !is_sqlite)
        return ch_text(gen->run, "nextval('\"%s_%s_seq\"')", column->table->name, column->name);
    if (column->is_array && !column->is_nullable)
        return is_sqlite ? "'[]'" : "'{}'";
    return NULL;
}

static void check_default_value(struct ch_gen *gen, const struct ch_model_column *column, const struct ch_sql *sql,
                                struct ch_place place)
{
    if (sql->column_count || sql->has_subquery || sql->param_max)
        ch_error(gen, place, "the default of column %s must be a value of its own; write a constant or a function call",
                 column->name);
    if (column->enumeration && !column->is_array && sql->is_constant &&
        (!sql->constant || !ch_model_find_value(column->enumeration, sql->constant)))
        ch_error(gen, place,
                 "the default of column %s is no value of %s; write one of its names in quotes, such as '%s'",
                 column->name, column->enumeration->full_name,
                 column->enumeration->value_count ? column->enumeration->values[0].sql_name : "");
}

// A constant that PostgreSQL would refuse, or take and then refuse with every row. A cast is the author's own business.
static void check_default_constant(struct ch_gen *gen, const struct ch_model_column *column, const struct ch_sql *sql,
                                   struct ch_place place)
{
    const enum charle_type type = column->type;
    const bool is_parsed = type == CHARLE_TYPE_DATE || type == CHARLE_TYPE_NUMERIC || type == CHARLE_TYPE_UUID || type == CHARLE_TYPE_JSONB;
    const bool is_number_type = type == CHARLE_TYPE_INT4 || type == CHARLE_TYPE_INT8 || type == CHARLE_TYPE_FLOAT8 || type == CHARLE_TYPE_NUMERIC;
    const char *text = sql->text + strspn(sql->text, " \n\t(");
    const bool is_number = *text && strchr("+-.0123456789", *text), is_bool = *text && strchr("tTfF", *text);
    const struct charle_field field = {.name = charle_str(column->name), .number = column->number, .type = (uint8_t)type, .label = CHARLE_REQUIRED};
    union {
        char bytes[64];
        int64_t aligned;
    } value;
    struct charle_error err = {0};

    if (strstr(sql->text, "::") || column->is_array)
        return;
    if (sql->constant && is_parsed && charle_field_read_text(&field, charle_str(sql->constant), gen->run, &value, &err))
        ch_error(gen, place, "the default of column %s, '%s', is not of its type: %s", column->name, sql->constant, err.text);
    if (sql->constant)
        return;
    if (*text == 'n' || *text == 'N') {
        if (!column->is_nullable)
            ch_error(gen, place, "the default of column %s is null, which it may not be; write a value or leave default_sql out", column->name);
    } else if (is_number && !is_number_type && type != CHARLE_TYPE_TEXT && type != CHARLE_TYPE_ENUM)
        ch_error(gen, place, "the default of column %s is a number, and its type is not; write %s", column->name,
                 type == CHARLE_TYPE_BOOL ? "true or false" : "a text in quotes");
    else if (is_bool && type != CHARLE_TYPE_BOOL)
        ch_error(gen, place, "the default of column %s is true or false, and its type is not bool; write a value of its type", column->name);
    else if (is_number && (type == CHARLE_TYPE_INT4 || type == CHARLE_TYPE_INT8) && strspn(text, "+-0123456789") == strlen(text) &&
             charle_field_read_text(&field, charle_str(text + (*text == '+')), gen->run, &value, &err))
        ch_error(gen, place, "the default of column %s does not fit: %s", column->name, err.text);
}

// Moments are no numbers and no texts.
static void check_default_function(struct ch_gen *gen, const struct ch_model_column *column, const struct ch_sql *sql,
                                   struct ch_place place)
{
    static const char *const moments[] = {"now", "clock_timestamp", "statement_timestamp", "transaction_timestamp"};
    const bool is_moment = sql->function_count == 1 && is_one_of(sql->functions[0].name, moments, sizeof moments / sizeof *moments);

    if (is_moment && sql->functions[0].at == 0 && column->type != CHARLE_TYPE_TIMESTAMPTZ && column->type != CHARLE_TYPE_DATE &&
        !strstr(sql->text, "::"))
        ch_error(gen, place, "the default of column %s is a moment, and its type is not; make it sfixed64, or write another default",
                 column->name);
}

static void read_default(struct ch_gen *gen, struct ch_model_column *column, const Charle__Column *options)
{
    struct ch_place place = ch_place_of_column_option(column, 5);
    struct ch_sql sql;

    column->default_pg = generated_default(gen, column, false);
    column->default_sqlite = generated_default(gen, column, true);
    if (!options->default_sql) {
        if (options->default_sqlite)
            ch_error(gen, place, "column %s has default_sqlite without default_sql; write both", column->name);
        return;
    }
    if (column->generate != CHARLE_GENERATE_NONE)
        ch_error(gen, place, "column %s is generated and has a default; leave one of them out", column->name);
    if (!ch_sql_read_expression(gen, options->default_sql, place,
                                ch_text(gen->run, "the default of column %s", column->name), &sql))
        return;
    check_default_value(gen, column, &sql, place);
    if (sql.is_constant)
        check_default_constant(gen, column, &sql, place);
    check_default_function(gen, column, &sql, place);
    column->default_pg = options->default_sql;
    column->default_sqlite = options->default_sqlite ? options->default_sqlite : ch_sql_for_sqlite(gen, &sql);
    if (!options->default_sqlite && column->is_array && strcmp(column->default_pg, "'{}'") == 0)
        column->default_sqlite = "'[]'";
}

// --- status columns -------------------------------------------------------------------------------------------------

static void add_transition(struct ch_gen *gen, struct ch_model_column *column, const struct ch_model_enum_value *from,
                           const struct ch_model_enum_value *to)
{
    struct ch_model_transition transition = {from, to};

    for (size_t i = 0; i < column->transition_count; i++)
        if (column->transitions[i].from == from && column->transitions[i].to == to)
            return;
    if (from != to)
        CH_APPEND(gen->run, column->transitions, column->transition_count, transition);
}

static void read_transition(struct ch_gen *gen, struct ch_model_column *column, const Charle__Transition *options,
                            struct ch_place place)
{
    const struct ch_model_enum *e = column->enumeration;
    bool is_any = strcmp(options->from, "*") == 0;

    if (!is_any && !ch_model_find_value(e, options->from))
        ch_error(
            gen, place,
            "a transition of column %s starts at '%s', which %s does not have; write its names as in SQL, or \"*\"",
            column->name, options->from, e->full_name);
    for (size_t i = 0; i < options->n_to; i++) {
        const struct ch_model_enum_value *to = ch_model_find_value(e, options->to[i]);

        if (!to)
            ch_error(gen, place,
                     "a transition of column %s leads to '%s', which %s does not have; write its names as in SQL",
                     column->name, options->to[i], e->full_name);
        for (size_t j = 0; to && j < e->value_count; j++)
            if (is_any || strcmp(e->values[j].sql_name, options->from) == 0)
                add_transition(gen, column, &e->values[j], to);
    }
}

static void read_transitions(struct ch_gen *gen, struct ch_model_column *column, const Charle__Column *options)
{
    struct ch_place place = ch_place_of_column_option(column, 11);

    if (column->merge == CHARLE_MERGE_FSM && (!column->enumeration || column->is_array)) {
        ch_error(gen, place,
                 "merge: FSM needs a status, and column %s is no enum; give it an enum type or another policy",
                 column->name);
        return;
    }
    if (column->merge == CHARLE_MERGE_FSM && !options->n_transition)
        ch_error(gen, place,
                 "merge: FSM without transitions would refuse every change of column %s; add transition: {from: \"…\" "
                 "to: \"…\"}",
                 column->name);
    if (column->merge != CHARLE_MERGE_FSM && options->n_transition)
        ch_error(gen, place, "column %s has transitions but not merge: FSM; add it or leave them out", column->name);
    for (size_t i = 0; column->enumeration && i < options->n_transition; i++)
        read_transition(gen, column, options->transition[i], ch_place_in(place, (int32_t)i));
}

// --- a column --------------------------------------------------------------------------------------------------------

void ch_model_read_column(struct ch_gen *gen, struct ch_model_table *table, struct ch_model_column *column,
                          const struct ch_model_field *field)
{
    const Charle__Column *options = options_or_none(gen, table, field);

    *column = (struct ch_model_column){
        .table = table,
        .field = field,
        .name = field->name,
        .number = field->number,
        .index = (uint16_t)(column - table->columns),
        .type = field->type,
        .enumeration = field->enumeration,
        .is_array = field->label == CHARLE_REPEATED,
        .is_nullable = field->label == CHARLE_OPTIONAL || (field->label == CHARLE_REPEATED && options->nullable),
        .is_key = options->primary_key,
        .is_unique = options->unique,
        .is_server_only = options->server_only,
        .is_attachment = options->attachment,
        .generate = (enum charle_generate)options->generate,
        .merge = options->merge ? (enum charle_merge)options->merge : table->merge,
        .max_length = options->max_length,
        .label = options->label,
        .comment = options->comment,
        .place = field->place,
    };
    check_column_type(gen, column);
    check_proto_default(gen, column);
    check_generate(gen, column);
    read_default(gen, column, options);
    read_transitions(gen, column, options);
    if (options->nullable && !column->is_array)
        ch_error(gen, ch_place_of_column_option(column, 13),
                 "nullable is for arrays; write `optional` before column %s", column->name);
    check_label(gen, column);
    if (column->max_length && (column->type != CHARLE_TYPE_TEXT || column->is_array))
        ch_error(gen, ch_place_of_column_option(column, 14), "max_length is for text; column %s is none", column->name);
    if (column->is_attachment && (column->type != CHARLE_TYPE_TEXT || column->is_array || column->is_key || options->references))
        ch_error(gen, ch_place_of_column_option(column, 25),
                 "an attachment is a text column that is no key and refers to no table; column %s is not", column->name);
}

// --- merge groups ---------------------------------------------------------------------------------------------------

void ch_model_read_merge_groups(struct ch_gen *gen, struct ch_model_table *table)
{
    const char **names = NULL;
    size_t count = 0;

    for (size_t i = 0; i < table->column_count; i++) {
        struct ch_model_column *column = &table->columns[i];
        const Charle__Column *options = options_or_none(gen, table, column->field);
        size_t group = 0;

        if (column->merge == CHARLE_MERGE_GROUP && !options->merge_group)
            ch_error(gen, ch_place_of_column_option(column, 9),
                     "merge: GROUP without a group; add merge_group: \"name\" to column %s", column->name);
        if (!options->merge_group)
            continue;
        if (column->merge != CHARLE_MERGE_GROUP)
            ch_error(gen, ch_place_of_column_option(column, 10),
                     "column %s has a merge_group but not merge: GROUP; add it or leave the group out", column->name);
        while (group < count && strcmp(names[group], options->merge_group) != 0)
            group++;
        if (group == count)
            CH_APPEND(gen->run, names, count, options->merge_group);
        column->merge_group = (uint8_t)(group + 1);
    }
}
