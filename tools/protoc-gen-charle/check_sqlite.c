// Does SQLite understand what the author wrote for PostgreSQL? It is asked itself, with a database in memory.
//
// First each piece alone (a default, a check, an index, an audience's condition, a view), so that an error stands at
// the line that is to be changed; then the tables whole, which would show a mistake of the generator.
#include "db/sqlite/sqlite.h"
#include "ddl.h"

struct ch_trial {
    struct ch_gen *gen;
    struct charle_db *db;
};

// Runs the buffer's SQL and empties it; reports an error at `place`.
static bool try_sql(struct ch_trial *trial, struct charle_buf *sql, struct ch_place place, const char *what,
                    const char *advice)
{
    struct charle_error err = {0};
    bool is_good = charle_exec_script(trial->db, charle_buf_text(sql), &err) == CHARLE_OK;

    if (!is_good)
        ch_error(trial->gen, place, "SQLite does not understand %s (%s); %s", what, err.text, advice);
    charle_buf_reset(sql);
    return is_good;
}

// A table with the columns' types alone, to try pieces on.
static void add_bare_table(struct charle_buf *sql, const struct ch_model_table *table)
{
    charle_buf_add_text(sql, "drop table if exists \"trial\"; create table \"trial\" (");
    for (size_t i = 0; i < table->column_count; i++) {
        charle_buf_add_text(sql, i ? ", " : "");
        ch_gen_quote(sql, table->columns[i].name);
        charle_buf_add_byte(sql, ' ');
        ch_ddl_sqlite_type(sql, &table->columns[i]);
    }
}

static void try_check(struct ch_trial *trial, struct charle_buf *sql, const struct ch_model_table *table,
                      const struct ch_model_check *check)
{
    if (!check->sqlite)
        return;
    add_bare_table(sql, table);
    charle_buf_printf(sql, ", check (%s)) strict", check->sqlite);
    try_sql(trial, sql, check->place, ch_text(trial->gen->run, "the check %s", check->name),
            "write its own text in sqlite: \"…\", or sqlite: \"\" to leave the check to the server");
}

static void try_default(struct ch_trial *trial, struct charle_buf *sql, const struct ch_model_column *column)
{
    if (!column->default_sqlite)
        return;
    charle_buf_add_text(sql, "drop table if exists \"trial\"; create table \"trial\" (\"c\" ");
    ch_ddl_sqlite_type(sql, column);
    charle_buf_printf(sql, " default %s, \"d\" integer) strict; insert into \"trial\" (\"d\") values (1)",
                      column->default_sqlite);
    try_sql(trial, sql, ch_place_of_column_option(column, 5),
            ch_text(trial->gen->run, "the default of column %s", column->name), "write its own text in default_sqlite");
}

static void try_index(struct ch_trial *trial, struct charle_buf *sql, const struct ch_model_table *table,
                      const struct ch_model_index *index)
{
    add_bare_table(sql, table);
    charle_buf_add_text(sql, ") strict;");
    for (size_t i = 0; i < index->part_count; i++)
        if (index->parts[i].expression_sqlite)
            charle_buf_printf(sql, "create index \"trial_%zu\" on \"trial\" ((%s));", i,
                              index->parts[i].expression_sqlite);
    if (index->where_sqlite)
        charle_buf_printf(sql, "create index \"trial_where\" on \"trial\" (1) where %s;", index->where_sqlite);
    try_sql(trial, sql, index->place, ch_text(trial->gen->run, "the index %s", index->name),
            "write it with what both databases have, or give it a method that only PostgreSQL has");
}

static void try_audience(struct ch_trial *trial, struct charle_buf *sql, const struct ch_model_table *table,
                         const struct ch_model_audience *audience)
{
    if (audience->where_sqlite) {
        charle_buf_printf(sql, "select 1 from \"%s\" r where %s", table->name, audience->where_sqlite);
        try_sql(trial, sql, audience->place, ch_text(trial->gen->run, "the condition of audience %s", audience->name),
                "write its own text in where_sqlite");
    }
    if (audience->path_from) {
        charle_buf_printf(sql, "select (select %s from %s limit 1) from \"%s\" r", audience->path_key,
                          audience->path_from, table->name);
        try_sql(trial, sql, audience->place, ch_text(trial->gen->run, "the path of audience %s", audience->name),
                "this is a mistake of the generator");
    }
}

static void try_pieces(struct ch_trial *trial, struct charle_buf *sql, const struct ch_model_table *table)
{
    for (size_t i = 0; i < table->column_count; i++) {
        try_default(trial, sql, &table->columns[i]);
        for (size_t j = 0; j < table->columns[i].check_count; j++)
            try_check(trial, sql, table, &table->columns[i].checks[j]);
    }
    for (size_t i = 0; i < table->check_count; i++)
        try_check(trial, sql, table, &table->checks[i]);
    for (size_t i = 0; i < table->index_count; i++)
        try_index(trial, sql, table, &table->indexes[i]);
}

static void try_tables(struct ch_trial *trial, struct charle_buf *sql, const struct ch_model *model)
{
    static const char *const advice = "this is a mistake of the generator";

    charle_buf_add_text(sql, "drop table if exists \"trial\"");
    try_sql(trial, sql, (struct ch_place){0}, "a drop", advice);
    for (size_t i = 0; i < model->table_count; i++) {
        ch_ddl_sqlite_create(sql, model->tables[i]);
        ch_ddl_sqlite_indexes(sql, model->tables[i]);
        try_sql(trial, sql, model->tables[i]->place, ch_text(trial->gen->run, "the table %s", model->tables[i]->name),
                advice);
    }
    for (size_t i = 0; i < model->table_count; i++)
        for (size_t j = 0; j < model->tables[i]->audience_count; j++)
            try_audience(trial, sql, model->tables[i], &model->tables[i]->audiences[j]);
    for (size_t i = 0; i < model->view_count; i++)
        if (model->views[i].sqlite) {
            const char *name = model->views[i].name;

            charle_buf_printf(sql, "create view \"%s\" as %s; select * from \"%s\"", name, model->views[i].sqlite,
                              name);
            try_sql(trial, sql, model->views[i].place, ch_text(trial->gen->run, "the view %s", name),
                    "write its own text in sqlite: \"…\", or sqlite: \"\" to leave the view to the server");
        }
}

void ch_model_check_sqlite(struct ch_gen *gen)
{
    struct ch_trial trial = {.gen = gen};
    struct charle_buf sql = {0};
    struct charle_error err = {0};

    if (ch_sqlite_open(":memory:", NULL, &trial.db, &err)) {
        ch_error(gen, (struct ch_place){0}, "what SQLite understands cannot be asked: %s", err.text);
        goto done;
    }
    for (size_t i = 0; i < gen->model.table_count; i++)
        try_pieces(&trial, &sql, gen->model.tables[i]);
    if (!gen->diag.count)
        try_tables(&trial, &sql, &gen->model);
done:
    charle_db_close(trial.db);
    charle_buf_deinit(&sql);
}
