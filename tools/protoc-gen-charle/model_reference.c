// References between tables, and the order in which tables can be made.
#include "gen.h"
#include "options.h"

static bool is_unique_alone(const struct ch_model_column *column)
{
    return column->is_unique || (column->is_key && column->table->key_count == 1);
}

static const struct ch_model_column *referred_column(struct ch_gen *gen, const struct ch_model_column *column,
                                                     const struct ch_model_table *to, const char *name,
                                                     struct ch_place place)
{
    const struct ch_model_column *found = NULL;

    if (name) {
        found = ch_model_find_column(to, name);
        if (!found)
            ch_error(gen, place, "column %s refers to %s.%s, which does not exist; the columns of %s are %s",
                     column->name, to->name, name, to->name, ch_model_column_names(gen, to));
    } else if (to->key_count == 1) {
        found = to->key_columns[0];
    } else if (to->key_count > 1) {
        ch_error(gen, place, "column %s refers to %s, whose key has several columns; name one with references.column",
                 column->name, to->name);
    }
    if (found && !is_unique_alone(found)) {
        ch_error(gen, place,
                 "column %s refers to %s.%s, which is not unique; refer to its key or add unique: true there",
                 column->name, to->name, found->name);
        found = NULL;
    }
    return found;
}

static const char *type_name(enum charle_type type)
{
    static const char *const names[] = {"",     "BOOL",        "INT4", "INT8",    "FLOAT8", "TEXT", "BYTES",
                                        "ENUM", "TIMESTAMPTZ", "DATE", "NUMERIC", "UUID",   "JSONB"};
    return (size_t)type < sizeof names / sizeof *names ? names[type] : "a message";
}

static void check_action(struct ch_gen *gen, const struct ch_model_column *column, enum charle_action action,
                         const char *when, struct ch_place place)
{
    if (action == CHARLE_SET_NULL && !column->is_nullable)
        ch_error(gen, place,
                 "%s: SET_NULL needs a column that may be null, and %s is required; write `optional` or another action",
                 when, column->name);
}

static void read_reference(struct ch_gen *gen, struct ch_model_column *column, const Charle__Reference *options)
{
    struct ch_place place = ch_place_of_column_option(column, 4);
    const struct ch_model_table *to = ch_model_find_table(&gen->model, options->table);
    const struct ch_model_column *referred;

    column->on_delete = (enum charle_action)options->on_delete;
    column->on_update = (enum charle_action)options->on_update;
    check_action(gen, column, column->on_delete, "on_delete", place);
    check_action(gen, column, column->on_update, "on_update", place);
    if (column->is_array)
        ch_error(gen, place, "column %s is an array, which cannot refer to rows; make a table of the pairs",
                 column->name);
    if (!to) {
        ch_error(gen, place,
                 "column %s refers to table %s, which does not exist; write the SQL name of a table of this schema",
                 column->name, options->table);
        return;
    }
    referred = referred_column(gen, column, to, options->column, place);
    if (!referred)
        return;
    if (referred->type != column->type || referred->enumeration != column->enumeration)
        ch_error(gen, place, "column %s is %s but %s.%s is %s; give both the same type", column->name,
                 type_name(column->type), to->name, referred->name, type_name(referred->type));
    column->references = to;
    column->references_column = referred;
}

void ch_model_read_references(struct ch_gen *gen)
{
    for (size_t t = 0; t < gen->model.table_count; t++) {
        struct ch_model_table *table = gen->model.tables[t];

        for (size_t i = 0; i < table->column_count; i++) {
            struct ch_model_column *column = &table->columns[i];
            const Charle__Column *options = ch_model_column_options(gen, table->row, column->field);

            if (options && options->references)
                read_reference(gen, column, options->references);
        }
    }
}

// --- order ----------------------------------------------------------------------------------------------------------

static bool is_placed(const struct ch_model *model, size_t count, const struct ch_model_table *table)
{
    for (size_t i = 0; i < count; i++)
        if (model->create_order[i] == table)
            return true;
    return false;
}

// How many of the table's parents have no place yet. Optional references do not count when `required_only`: a circle is
// broken where a null can stand until the other row is there.
static bool waits(const struct ch_model *model, size_t placed, const struct ch_model_table *table, bool required_only)
{
    for (size_t i = 0; i < table->column_count; i++) {
        const struct ch_model_column *column = &table->columns[i];

        if (column->references && column->references != table && !(required_only && column->is_nullable) &&
            !is_placed(model, placed, column->references))
            return true;
    }
    return false;
}

static struct ch_model_table *next_table(const struct ch_model *model, size_t placed)
{
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < model->table_count; i++) {
            struct ch_model_table *table = model->tables[i];

            if (!is_placed(model, placed, table) && (round == 2 || !waits(model, placed, table, round == 1)))
                return table;
        }
    return NULL;
}

void ch_model_order_tables(struct ch_gen *gen)
{
    struct ch_model *model = &gen->model;

    model->create_order = CH_NEW_ARRAY(gen->run, model->table_count, struct ch_model_table *);
    for (size_t placed = 0; placed < model->table_count; placed++)
        model->create_order[placed] = next_table(model, placed);
}
