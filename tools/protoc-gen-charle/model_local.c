// Tables that only laptops have: what must not be said of them, and who must not refer to them.
#include "gen.h"
#include "options.h"

enum { TABLE_AUDIENCE = 8, TABLE_WRITE = 9, TABLE_LOCAL_ONLY = 35, COLUMN_REFERENCES = 4, COLUMN_GENERATE = 7, COLUMN_SERVER_ONLY = 12 };

static void check_column(struct ch_gen *gen, const struct ch_model_table *table, const struct ch_model_column *column)
{
    if (column->is_server_only)
        ch_error(gen, ch_place_of_column_option(column, COLUMN_SERVER_ONLY),
                 "column %s is server_only, and the server has no table %s; leave server_only out", column->name, table->name);
    if (column->check_count || column->max_length)
        ch_error(gen, column->place, "column %s of the local table %s has a check, which is not kept when it changes; check in the application",
                 column->name, table->name);
    if (column->generate == CHARLE_GENERATE_SERIAL)
        ch_error(gen, ch_place_of_column_option(column, COLUMN_GENERATE),
                 "column %s is numbered by the server, which has no table %s; number rows yourself", column->name, table->name);
}

static void check_table(struct ch_gen *gen, const struct ch_model_table *table, const Charle__Table *options)
{
    if (options->n_audience)
        ch_error(gen, ch_place_in(ch_place_of_table_option(table, TABLE_AUDIENCE), 0),
                 "table %s is local_only and has an audience, which is what the server shows; leave one of them out", table->name);
    if (options->write)
        ch_error(gen, ch_place_of_table_option(table, TABLE_WRITE),
                 "table %s is local_only, so the application writes it itself (charle_client_write_local); leave write out", table->name);
    if (table->check_count)
        ch_error(gen, table->checks[0].place, "table %s is local_only, where checks are not kept when it changes; check in the application",
                 table->name);
    for (size_t i = 0; i < table->column_count; i++)
        check_column(gen, table, &table->columns[i]);
}

static void check_references(struct ch_gen *gen, const struct ch_model_table *table)
{
    for (size_t i = 0; i < table->column_count; i++) {
        const struct ch_model_table *to = table->columns[i].references;

        if (to && to->is_local && !table->is_local)
            ch_error(gen, ch_place_of_column_option(&table->columns[i], COLUMN_REFERENCES),
                     "column %s of table %s refers to %s, which is local_only: the server has no such table; refer to it from local tables only",
                     table->columns[i].name, table->name, to->name);
        if (to && table->is_local && !to->is_local && !to->is_replicated)
            ch_error(gen, ch_place_of_column_option(&table->columns[i], COLUMN_REFERENCES),
                     "column %s of the local table %s refers to %s, which is on no laptop; refer to a table with an audience",
                     table->columns[i].name, table->name, to->name);
    }
}

void ch_model_check_local(struct ch_gen *gen)
{
    for (size_t i = 0; i < gen->model.table_count; i++) {
        const struct ch_model_table *table = gen->model.tables[i];
        const Charle__Table *options = ch_model_table_options(gen, table->row);

        if (table->is_local && options)
            check_table(gen, table, options);
        check_references(gen, table);
    }
}
