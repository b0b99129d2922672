// Tables: what a message with (charle.table) says about itself. References to other tables come afterwards, when all
// tables are known (model_reference.c); columns in model_column.c, indexes and checks in model_index.c.
#include "base/limits.h"
#include "gen.h"
#include "options.h"

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

void ch_model_check_width(struct ch_gen *gen, const struct ch_model_table *table, size_t count, struct ch_place place, const char *what)
{
    if (count > CH_INDEX_COLUMNS_MAX)
        ch_error(gen, place, "%s of table %s has %zu columns, and PostgreSQL indexes %d at most; leave some out", what, table->name,
                 count, CH_INDEX_COLUMNS_MAX);
}

// --- keys -----------------------------------------------------------------------------------------------------------

// Both databases must order the keys of a replicated table alike, and a replica writes them as JSON.
static bool may_be_replicated_key(enum charle_type type)
{
    return type != CHARLE_TYPE_NUMERIC && type != CHARLE_TYPE_BYTES;
}

static void add_key(struct ch_gen *gen, struct ch_model_table *table, struct ch_model_column *column, bool is_replicated)
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
    else if (is_replicated && !may_be_replicated_key(column->type))
        ch_error(gen, column->place,
                 "key column %s of a table with audiences has a type that laptops cannot order as the server does; use text, a whole "
                 "number or uuid",
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
            add_key(gen, table, &table->columns[i], options->n_audience > 0);
    for (size_t i = 0; i < options->n_primary_key; i++) {
        struct ch_model_column *column = ch_model_find_column(table, options->primary_key[i]);

        if (!column)
            ch_error(gen, ch_place_in(place, (int32_t)i),
                     "the primary key of table %s names %s, which is no column; its columns are %s", table->name,
                     options->primary_key[i], ch_model_column_names(gen, table));
        else
            add_key(gen, table, column, options->n_audience > 0);
    }
    ch_model_check_width(gen, table, table->key_count, place, "the primary key");
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
        ch_model_read_column(gen, table, &table->columns[i], &row->fields[i]);
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
    if (table->merge == CHARLE_MERGE_FSM || table->merge == CHARLE_MERGE_GROUP)
        ch_error(gen, ch_place_of_table_option(table, 10),
                 "merge: FSM and GROUP are for single columns; write them there and choose another policy for table %s",
                 table->name);
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
    table->is_local = options->local_only;
    table->merge = options->merge ? (enum charle_merge)options->merge : CHARLE_MERGE_LWW;
    message->table = table;
    check_table(gen, table);
    read_columns(gen, table);
    read_key(gen, table, options);
    ch_model_read_merge_groups(gen, table);
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
