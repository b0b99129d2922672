// Names that must not meet: in PostgreSQL tables, indexes, sequences and views share one space, constraints one for
// each table; in SQLite tables, indexes and views share one. A name over 63 bytes would be cut silently, so it is
// refused.
#include "base/limits.h"
#include "gen.h"

struct ch_named {
    const char *name;
    const char *what;
};

struct ch_names {
    struct ch_named *items;
    size_t count;
};

static void add_name(struct ch_gen *gen, struct ch_names *names, const char *name, const char *what,
                     struct ch_place place)
{
    struct ch_named item = {name, what};

    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i].name, name) == 0) {
            if (strcmp(names->items[i].what, what) == 0)
                ch_error(gen, place, "%s has the name of another one, %s; give one another name", what, name);
            else
                ch_error(gen, place, "%s and %s would both be named %s; give one another name", names->items[i].what,
                         what, name);
            return;
        }
    CH_APPEND(gen->run, names->items, names->count, item);
}

static void add_sql_name(struct ch_gen *gen, struct ch_names *names, const char *name, const char *what,
                         struct ch_place place)
{
    if (strlen(name) > CH_IDENTIFIER_LEN_MAX)
        ch_error(
            gen, place,
            "the name of %s, %s, is longer than %d bytes, where PostgreSQL cuts; give it, or its table, a shorter name",
            what, name, CH_IDENTIFIER_LEN_MAX);
    add_name(gen, names, name, what, place);
}

static void add_relations(struct ch_gen *gen, struct ch_names *names, const struct ch_model_table *table)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (table->columns[i].generate == CHARLE_GENERATE_SERIAL)
            add_sql_name(gen, names, ch_text(gen->run, "%s_%s_seq", table->name, table->columns[i].name),
                         ch_text(gen->run, "the sequence of %s.%s", table->name, table->columns[i].name),
                         table->columns[i].place);
    add_sql_name(gen, names, ch_text(gen->run, "%s_pkey", table->name),
                 ch_text(gen->run, "the primary key of %s", table->name), table->place);
    for (size_t i = 0; i < table->unique_count; i++)
        add_sql_name(gen, names, table->uniques[i].name, ch_text(gen->run, "a unique constraint of %s", table->name),
                     table->place);
    for (size_t i = 0; i < table->index_count; i++)
        add_sql_name(gen, names, table->indexes[i].name, ch_text(gen->run, "an index of %s", table->name),
                     table->indexes[i].place);
}

static void add_constraints(struct ch_gen *gen, const struct ch_model_table *table)
{
    struct ch_names names = {0};

    for (size_t i = 0; i < table->column_count; i++) {
        const struct ch_model_column *c = &table->columns[i];
        const char *stem = ch_text(gen->run, "%s_%s", table->name, c->name);

        if (c->enumeration)
            add_sql_name(gen, &names, ch_text(gen->run, "%s_enum", stem),
                         ch_text(gen->run, "the check of the names of %s", stem), c->place);
        if (c->max_length)
            add_sql_name(gen, &names, ch_text(gen->run, "%s_length", stem),
                         ch_text(gen->run, "the check of the length of %s", stem), c->place);
        if (c->is_attachment)
            add_sql_name(gen, &names, ch_text(gen->run, "%s_form", stem), ch_text(gen->run, "the check of the form of %s", stem), c->place);
        if (c->references || c->is_attachment)
            add_sql_name(gen, &names, ch_text(gen->run, "%s_fkey", stem),
                         ch_text(gen->run, "the foreign key of %s", stem), c->place);
        for (size_t j = 0; j < c->check_count; j++)
            add_sql_name(gen, &names, c->checks[j].name, ch_text(gen->run, "a check of %s", stem), c->checks[j].place);
    }
    for (size_t i = 0; i < table->check_count; i++)
        add_sql_name(gen, &names, table->checks[i].name, ch_text(gen->run, "a check of %s", table->name),
                     table->checks[i].place);
    for (size_t i = 0; i < table->unique_count; i++)
        add_sql_name(gen, &names, table->uniques[i].name, ch_text(gen->run, "a unique constraint of %s", table->name),
                     table->place);
}

// Enum values are C constants for the whole program; so are the types made from messages and enums.
static void check_c_names(struct ch_gen *gen)
{
    const struct ch_model *model = &gen->model;
    struct ch_names types = {0}, values = {0};

    for (size_t i = 0; i < model->enum_count; i++)
        for (size_t j = 0; j < model->enums[i]->value_count; j++)
            add_name(gen, &values, model->enums[i]->values[j].c_name,
                     ch_text(gen->run, "a value of enum %s in C", model->enums[i]->full_name), model->enums[i]->place);
    for (size_t i = 0; i < model->enum_count; i++)
        add_name(gen, &types, ch_text(gen->run, "%s", model->enums[i]->c_name),
                 ch_text(gen->run, "enum %s in C", model->enums[i]->full_name), model->enums[i]->place);

    for (size_t i = 0; i < model->message_count; i++)
        if (!model->messages[i]->is_synthetic ||
            ch_model_find_message(model, model->messages[i]->full_name) == model->messages[i])
            add_name(gen, &types, model->messages[i]->c_name,
                     ch_text(gen->run, "message %s in C", model->messages[i]->full_name), model->messages[i]->place);
}

void ch_model_check_names(struct ch_gen *gen)
{
    const struct ch_model *model = &gen->model;
    struct ch_names names = {0};

    for (size_t i = 0; i < model->table_count; i++)
        add_name(gen, &names, model->tables[i]->name, ch_text(gen->run, "table %s", model->tables[i]->name),
                 ch_place_of_table_option(model->tables[i], 2));
    for (size_t i = 0; i < model->view_count; i++)
        add_sql_name(gen, &names, model->views[i].name, "a view", model->views[i].place);
    for (size_t i = 0; i < model->table_count; i++) {
        if (ch_model_find_table(model, model->tables[i]->name) != model->tables[i] ||
            strlen(model->tables[i]->name) > CH_IDENTIFIER_LEN_MAX)
            continue; // said before; its other names follow from this one
        add_relations(gen, &names, model->tables[i]);
        add_constraints(gen, model->tables[i]);
    }
    check_c_names(gen);
}
