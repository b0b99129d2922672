// Tables and columns: what a message with (charle.table) says about itself. References to other tables come afterwards,
// when all tables are known (model_reference.c); indexes and checks in model_index.c.
#include "base/limits.h"
#include "gen.h"
#include "options.h"
#include "sql.h"

#include <stdlib.h>

#define CH_TABLE_ID_MAX  59999 // above are the platform's own tables
#define CH_TABLE_COLUMNS 128   // struct charle_column_set

const Charle__Table *ch_model_table_options(struct ch_gen *gen, const struct ch_model_message *message)
{
    const ch_pb_message *pb = message->descriptor;
    struct ch_place place = ch_place_in(ch_place_in(message->place, CH_AT_MESSAGE_OPTIONS), CH_OPTION_NUMBER);

    return ch_option_read(gen, pb && pb->options ? &pb->options->base : NULL, &charle__table__descriptor, place);
}

const Charle__Column *ch_model_column_options(struct ch_gen *gen, const struct ch_model_message *message,
                                              const struct ch_model_field *field)
{
    const ch_pb_message *pb = message->descriptor;
    struct ch_place place = ch_place_in(ch_place_in(field->place, CH_AT_FIELD_OPTIONS), CH_OPTION_NUMBER);

    for (size_t i = 0; pb && i < pb->n_field; i++)
        if ((uint32_t)pb->field[i]->number == field->number)
            return ch_option_read(gen, pb->field[i]->options ? &pb->field[i]->options->base : NULL,
                                  &charle__column__descriptor, place);
    return NULL;
}

struct ch_place ch_place_of_table_option(const struct ch_model_table *table, int32_t part)
{
    struct ch_place place = ch_place_in(ch_place_in(table->place, CH_AT_MESSAGE_OPTIONS), CH_OPTION_NUMBER);

    return part ? ch_place_in(place, part) : place;
}

struct ch_place ch_place_of_column_option(const struct ch_model_column *column, int32_t part)
{
    struct ch_place place = ch_place_in(ch_place_in(column->place, CH_AT_FIELD_OPTIONS), CH_OPTION_NUMBER);

    return part ? ch_place_in(place, part) : place;
}

const char *ch_model_column_names(struct ch_gen *gen, const struct ch_model_table *table)
{
    const char *names = "";

    for (size_t i = 0; i < table->column_count; i++)
        names = ch_text(gen->run, "%s%s%s", names, *names ? ", " : "", table->columns[i].name);
    return names;
}

static const Charle__Column no_options = CHARLE__COLUMN__INIT;

static const Charle__Column *options_or_none(struct ch_gen *gen, const struct ch_model_table *table,
                                             const struct ch_model_field *field)
{
    const Charle__Column *options = ch_model_column_options(gen, table->row, field);

    return options ? options : &no_options;
}

static void check_column_type(struct ch_gen *gen, const struct ch_model_column *column)
{
    const struct ch_model_field *field = column->field;

    if (field->type >= CHARLE_TYPE_MESSAGE)
        ch_error(gen, column->place,
                 "column %s has a type that no database column has; write int32, int64, double, string, bytes, bool, "
                 "sfixed64, sint32 or an enum",
                 column->name);
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
    column->default_pg = options->default_sql;
    column->default_sqlite = options->default_sqlite ? options->default_sqlite : ch_sql_for_sqlite(gen, &sql);
    if (!options->default_sqlite && column->is_array && strcmp(column->default_pg, "'{}'") == 0)
        column->default_sqlite = "'[]'";
}

static void read_transitions(struct ch_gen *gen, struct ch_model_column *column, const Charle__Column *options);

static enum charle_merge merge_of(Charle__Merge merge)
{
    return (enum charle_merge)merge; // the numbers are the same; 0 is the table's
}

static void read_column(struct ch_gen *gen, struct ch_model_table *table, struct ch_model_column *column,
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
        .generate = (enum charle_generate)options->generate,
        .merge = options->merge ? merge_of(options->merge) : table->merge,
        .max_length = options->max_length,
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
    if (column->max_length && (column->type != CHARLE_TYPE_TEXT || column->is_array))
        ch_error(gen, ch_place_of_column_option(column, 14), "max_length is for text; column %s is none", column->name);
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
        if (options->merge == CHARLE__MERGE__FSM || options->n_transition)
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

// --- merge groups ---------------------------------------------------------------------------------------------------

static void read_merge_groups(struct ch_gen *gen, struct ch_model_table *table)
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

// --- keys -----------------------------------------------------------------------------------------------------------

static void add_key(struct ch_gen *gen, struct ch_model_table *table, struct ch_model_column *column)
{
    CH_APPEND(gen->run, table->key_columns, table->key_count, column);
    column->is_key = true;
    if (column->is_nullable)
        ch_error(gen, column->place, "key column %s may be null; write `required`", column->name);
    if (column->is_array)
        ch_error(gen, column->place, "key column %s is an array; a key is a single value", column->name);
    if (column->type == CHARLE_TYPE_JSONB || column->type == CHARLE_TYPE_FLOAT8)
        ch_error(gen, column->place,
                 "key column %s has a type whose equal values may be written differently; use text, a number or uuid",
                 column->name);
    if (column->is_server_only)
        ch_error(gen, ch_place_of_column_option(column, 12),
                 "key column %s is server_only, so no replica could name its rows; leave server_only out",
                 column->name);
}

static void read_key(struct ch_gen *gen, struct ch_model_table *table, const Charle__Table *options)
{
    struct ch_place place = ch_place_of_table_option(table, 4);
    size_t marked = 0;

    for (size_t i = 0; i < table->column_count; i++)
        marked += table->columns[i].is_key;
    if (options->n_primary_key && marked)
        ch_error(gen, place, "table %s names its primary key and marks columns too; do one of them", table->name);
    if (!options->n_primary_key && !marked)
        ch_error(gen, ch_place_of_table_option(table, 0),
                 "table %s has no primary key; write [(charle.column) = {primary_key: true}] on its id", table->name);
    if (!options->n_primary_key && marked > 1)
        ch_error(
            gen, ch_place_of_table_option(table, 0),
            "table %s marks %zu columns as its primary key; write primary_key: [\"a\", \"b\"] in the table's options",
            table->name, marked);
    for (size_t i = 0; !options->n_primary_key && i < table->column_count; i++)
        if (table->columns[i].is_key)
            add_key(gen, table, &table->columns[i]);
    for (size_t i = 0; i < options->n_primary_key; i++) {
        struct ch_model_column *column = ch_model_find_column(table, options->primary_key[i]);

        if (!column)
            ch_error(gen, ch_place_in(place, (int32_t)i),
                     "the primary key of table %s names %s, which is no column; its columns are %s", table->name,
                     options->primary_key[i], ch_model_column_names(gen, table));
        else
            add_key(gen, table, column);
    }
}

// --- tables ---------------------------------------------------------------------------------------------------------

static void read_allow(struct ch_gen *gen, const char ***out, char **templates, size_t count)
{
    *out = CH_NEW_ARRAY(gen->run, count + 1, const char *);
    for (size_t i = 0; i < count; i++)
        (*out)[i] = templates[i];
}

static void read_columns(struct ch_gen *gen, struct ch_model_table *table)
{
    const struct ch_model_message *row = table->row;
    size_t count = row->field_count;

    if (count > CH_TABLE_COLUMNS) {
        ch_error(gen, table->place, "table %s has %zu columns, and %d is the most; split it", table->name, count,
                 CH_TABLE_COLUMNS);
        count = CH_TABLE_COLUMNS;
    }
    table->columns = CH_NEW_ARRAY(gen->run, count, struct ch_model_column);
    table->column_count = count;
    for (size_t i = 0; i < count; i++)
        read_column(gen, table, &table->columns[i], &row->fields[i]);
}

static void check_table(struct ch_gen *gen, const struct ch_model_table *table)
{
    if (table->id < 1 || table->id > CH_TABLE_ID_MAX)
        ch_error(gen, ch_place_of_table_option(table, 1),
                 "the id %u of table %s is outside 1 to %d, which are the application's; choose one there", table->id,
                 table->name, CH_TABLE_ID_MAX);
    if (!ch_name_is_plain(table->name))
        ch_error(gen, ch_place_of_table_option(table, 2), "the table name %s is not snake_case; write %s", table->name,
                 ch_name_snake(gen->run, table->name));
    if (strncmp(table->name, "charle_", 7) == 0 || strncmp(table->name, "sqlite_", 7) == 0 ||
        strncmp(table->name, "pg_", 3) == 0)
        ch_error(gen, ch_place_of_table_option(table, 2),
                 "the table name %s begins as the platform's own; choose another", table->name);
    if (strlen(table->name) > CH_IDENTIFIER_LEN_MAX)
        ch_error(gen, ch_place_of_table_option(table, 2),
                 "the table name %s is longer than %d bytes, where PostgreSQL cuts; write a shorter one", table->name,
                 CH_IDENTIFIER_LEN_MAX);
}

static void read_table(struct ch_gen *gen, struct ch_model_message *message, const Charle__Table *options)
{
    struct ch_model_table *table = CH_NEW(gen->run, struct ch_model_table);
    const char *simple = strrchr(message->full_name, '.');

    simple = simple ? simple + 1 : message->full_name;
    table->file = message->file;
    table->row = message;
    table->place = message->place;
    table->id = options->id;
    table->name = options->name ? options->name : ch_name_snake(gen->run, simple);
    table->c_name = message->c_name;
    table->group = options->group ? options->group : "";
    table->comment = options->comment;
    table->merge = options->has_merge && options->merge ? merge_of(options->merge) : CHARLE_MERGE_LWW;
    message->table = table;
    check_table(gen, table);
    read_columns(gen, table);
    read_key(gen, table, options);
    read_merge_groups(gen, table);
    read_allow(gen, &table->allow_create, options->write ? options->write->create : NULL,
               options->write ? options->write->n_create : 0);
    read_allow(gen, &table->allow_update, options->write ? options->write->update : NULL,
               options->write ? options->write->n_update : 0);
    read_allow(gen, &table->allow_delete, options->write ? options->write->delete_ : NULL,
               options->write ? options->write->n_delete_ : 0);
    table->is_offline = options->write && options->write->offline;
    CH_APPEND(gen->run, gen->model.tables, gen->model.table_count, table);
}

static int compare_tables(const void *left, const void *right)
{
    const struct ch_model_table *a = *(struct ch_model_table *const *)left, *b = *(struct ch_model_table *const *)right;

    return (a->id > b->id) - (a->id < b->id);
}

static void check_twins(struct ch_gen *gen)
{
    const struct ch_model *model = &gen->model;

    for (size_t i = 0; i < model->table_count; i++)
        for (size_t j = i + 1; j < model->table_count; j++) {
            const struct ch_model_table *a = model->tables[i], *b = model->tables[j];

            if (a->id == b->id)
                ch_error(gen, ch_place_of_table_option(b, 1),
                         "table %s has the id %u, which is table %s's; give it a number that was never used", b->name,
                         b->id, a->name);
        }
}

void ch_model_read_tables(struct ch_gen *gen)
{
    struct ch_model *model = &gen->model;

    for (size_t i = 0; i < model->message_count; i++) {
        struct ch_model_message *message = model->messages[i];
        const Charle__Table *options = message->file->is_generated ? ch_model_table_options(gen, message) : NULL;

        if (options)
            read_table(gen, message, options);
    }
    if (model->table_count)
        qsort(model->tables, model->table_count, sizeof *model->tables, compare_tables);
    check_twins(gen);
}
