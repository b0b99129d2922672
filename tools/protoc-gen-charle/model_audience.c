// Audiences: who sees rows of a table, which columns, and how the scope's key is found from a row.
#include "gen.h"
#include "options.h"
#include "sql.h"

#include <stdlib.h>

#define CH_PATH_STEPS_MAX 4 // each step is a join in every delta and every trigger

// --- columns --------------------------------------------------------------------------------------------------------

static void set_listed(struct ch_gen *gen, const struct ch_model_table *table, const struct ch_model_audience *audience,
                       char **names, size_t count, struct charle_column_set *set)
{
    for (size_t i = 0; i < count; i++) {
        const struct ch_model_column *column = ch_model_find_column(table, names[i]);

        if (!column)
            ch_error(gen, audience->place, "audience %s of table %s names %s, which is no column; its columns are %s",
                     audience->name, table->name, names[i], ch_model_column_names(gen, table));
        else
            ch_column_set_add(set, column->index);
    }
}

static void check_excepted(struct ch_gen *gen, const struct ch_model_table *table,
                           const struct ch_model_audience *audience, const struct charle_column_set *excepted)
{
    for (size_t i = 0; i < table->column_count; i++) {
        const struct ch_model_column *column = &table->columns[i];

        if (!charle_column_set_has(excepted, i))
            continue;
        if (column->is_key)
            ch_error(
                gen, audience->place,
                "audience %s hides %s, a key column of %s, without which no row can be named; leave it out of except",
                audience->name, column->name, table->name);
        if (audience->kind == CHARLE_AUDIENCE_COLUMN && column == audience->key)
            ch_error(gen, audience->place,
                     "audience %s hides %s, by which its own rows are found; leave it out of except", audience->name,
                     column->name);
    }
}

static void read_columns(struct ch_gen *gen, const struct ch_model_table *table, struct ch_model_audience *audience,
                         const Charle__Audience *options)
{
    struct charle_column_set listed = {0}, excepted = {0};

    if (options->n_column && options->n_except)
        ch_error(gen, audience->place, "audience %s of table %s has column and except; write one of them",
                 audience->name, table->name);
    set_listed(gen, table, audience, options->column, options->n_column, &listed);
    set_listed(gen, table, audience, options->except, options->n_except, &excepted);
    check_excepted(gen, table, audience, &excepted);
    for (size_t i = 0; i < table->column_count; i++) {
        const struct ch_model_column *column = &table->columns[i];
        bool is_wanted = options->n_column ? charle_column_set_has(&listed, i) : !charle_column_set_has(&excepted, i);
        bool is_needed = column->is_key || (audience->kind == CHARLE_AUDIENCE_COLUMN && column == audience->key);

        if (column->is_server_only && charle_column_set_has(&listed, i))
            ch_error(gen, audience->place,
                     "audience %s shows column %s, which is server_only; leave it out here or server_only there",
                     audience->name, column->name);
        if (is_needed || (is_wanted && !column->is_server_only))
            ch_column_set_add(&audience->columns, i);
    }
}

// --- paths ----------------------------------------------------------------------------------------------------------

static bool step_up(struct ch_gen *gen, struct ch_model_step *step, const char *name,
                    const struct ch_model_audience *audience)
{
    const struct ch_model_column *column = ch_model_find_column(step->from, name);

    if (!column) {
        ch_error(gen, audience->place, "audience %s: the path names %s, which is no column of %s; its columns are %s",
                 audience->name, name, step->from->name, ch_model_column_names(gen, step->from));
        return false;
    }
    if (!column->references) {
        ch_error(gen, audience->place,
                 "audience %s: the path goes through %s.%s, which refers to no table; add references to it or take "
                 "another column",
                 audience->name, step->from->name, name);
        return false;
    }
    step->direction = CH_MODEL_UP;
    step->from_column = column;
    step->to = column->references;
    step->to_column = column->references_column;
    return true;
}

static bool step_down(struct ch_gen *gen, struct ch_model_step *step, const char *table_name, const char *name,
                      const struct ch_model_audience *audience)
{
    const struct ch_model_table *table = ch_model_find_table(&gen->model, table_name);
    const struct ch_model_column *column = table ? ch_model_find_column(table, name) : NULL;

    if (!column) {
        ch_error(gen, audience->place,
                 "audience %s: the path names %s.%s, which does not exist; write a table of this schema and one of its "
                 "columns",
                 audience->name, table_name, name);
        return false;
    }
    if (column->references != step->from) {
        ch_error(gen, audience->place,
                 "audience %s: %s.%s does not refer to %s; a step down takes a column that refers to the present table",
                 audience->name, table_name, name, step->from->name);
        return false;
    }
    step->direction = CH_MODEL_DOWN;
    step->to = table;
    step->to_column = column;
    step->from_column = column->references_column;
    return true;
}

static bool read_step(struct ch_gen *gen, struct ch_model_audience *audience, const struct ch_model_table *from,
                      const char *text)
{
    struct ch_model_step step = {.from = from};
    const char *dot = strchr(text, '.');
    bool is_good = dot ? step_down(gen, &step, ch_text_n(gen->run, text, (size_t)(dot - text)), dot + 1, audience)
                       : step_up(gen, &step, text, audience);

    if (is_good)
        CH_APPEND(gen->run, audience->steps, audience->step_count, step);
    return is_good;
}

// "quote" p1 join … where …: the first table stands alone, so that the outer row r is met in the WHERE clause.
static void write_path(struct ch_gen *gen, struct ch_model_audience *audience)
{
    const struct ch_model_step *first = &audience->steps[0];
    struct charle_buf from = {0};

    charle_buf_printf(&from, "\"%s\" p1", first->to->name);
    for (size_t i = 1; i < audience->step_count; i++) {
        const struct ch_model_step *step = &audience->steps[i];

        charle_buf_printf(&from, " join \"%s\" p%zu on p%zu.\"%s\" = p%zu.\"%s\"", step->to->name, i + 1, i + 1,
                          step->to_column->name, i, step->from_column->name);
    }
    charle_buf_printf(&from, " where p1.\"%s\" = r.\"%s\"", first->to_column->name, first->from_column->name);
    audience->path_from = ch_text_take(gen->run, &from);
    audience->path_key = ch_text(gen->run, "p%zu.\"%s\"", audience->step_count, audience->key->name);
}

static void read_path(struct ch_gen *gen, const struct ch_model_table *table, struct ch_model_audience *audience,
                      const Charle__Audience *options)
{
    const struct ch_model_table *at = table;

    if (options->n_path > CH_PATH_STEPS_MAX) {
        ch_error(gen, audience->place,
                 "audience %s takes %zu steps, and %d are the most; keep the key in a nearer table", audience->name,
                 options->n_path, CH_PATH_STEPS_MAX);
        return;
    }
    for (size_t i = 0; i < options->n_path; i++) {
        if (!read_step(gen, audience, at, options->path[i]))
            return;
        at = audience->steps[i].to;
    }
    audience->key = ch_model_find_column(at, options->key);
    if (audience->key)
        write_path(gen, audience);
    else
        ch_error(gen, audience->place, "audience %s: %s, where the path ends, has no column %s; its columns are %s",
                 audience->name, at->name, options->key, ch_model_column_names(gen, at));
}

// --- audiences ------------------------------------------------------------------------------------------------------

static void check_key_type(struct ch_gen *gen, const struct ch_model_audience *audience)
{
    const struct ch_model_column *key = audience->key;

    if (key && (key->is_array ||
                (key->type != CHARLE_TYPE_TEXT && key->type != CHARLE_TYPE_INT4 && key->type != CHARLE_TYPE_INT8 &&
                 key->type != CHARLE_TYPE_UUID && key->type != CHARLE_TYPE_ENUM)))
        ch_error(gen, audience->place,
                 "audience %s takes its key from %s.%s, whose type makes no scope name; use text, a whole number, uuid "
                 "or an enum",
                 audience->name, key->table->name, key->name);
}

static void read_where(struct ch_gen *gen, const struct ch_model_table *table, struct ch_model_audience *audience,
                       const Charle__Audience *options)
{
    const char *what = ch_text(gen->run, "the condition of audience %s", audience->name);
    struct ch_sql sql;

    if (!options->where) {
        if (options->where_sqlite)
            ch_error(gen, audience->place, "audience %s has where_sqlite without where; write both", audience->name);
        return;
    }
    if (!ch_sql_read_row_expression(gen, options->where, audience->place, what, table, &sql, &audience->where_columns))
        return;
    audience->where_pg = ch_sql_with_alias(gen, &sql, "r");
    if (!options->where_sqlite)
        ch_sql_check_same_meaning(gen, table, &sql, audience->place, what, "where_sqlite: \"…\"");
    if (!ch_sql_read_row_expression(gen, options->where_sqlite ? options->where_sqlite : ch_sql_for_sqlite(gen, &sql),
                                    audience->place, what, table, &sql, NULL))
        return;
    audience->where_sqlite = ch_sql_with_alias(gen, &sql, "r");
}

// "device" is the scope of a replica's own call numbers; the other two stand where scopes stand.
static bool is_reserved(const char *name)
{
    return strcmp(name, "device") == 0 || strcmp(name, "anyone") == 0 || strcmp(name, "signed_in") == 0;
}

static void read_audience(struct ch_gen *gen, struct ch_model_table *table, struct ch_model_audience *audience,
                          const Charle__Audience *options, struct ch_place place)
{
    audience->name = options->name;
    audience->place = place;
    audience->kind = options->n_path ? CHARLE_AUDIENCE_PATH
                     : options->key  ? CHARLE_AUDIENCE_COLUMN
                                     : CHARLE_AUDIENCE_CONSTANT;
    if (!ch_name_is_plain(options->name))
        ch_error(gen, place, "the audience name %s is not snake_case; write %s", options->name,
                 ch_name_snake(gen->run, options->name));
    if (is_reserved(options->name))
        ch_error(gen, place, "the audience name %s has a meaning of its own to the platform; choose another",
                 options->name);
    if (options->n_path && !options->key)
        ch_error(gen, place,
                 "audience %s has a path without a key; add key: \"column\" of the table where the path ends",
                 options->name);
    else if (options->n_path)
        read_path(gen, table, audience, options);
    else if (options->key) {
        audience->key = ch_model_find_column(table, options->key);
        if (!audience->key)
            ch_error(gen, place, "audience %s takes its key from %s, which is no column of %s; its columns are %s",
                     options->name, options->key, table->name, ch_model_column_names(gen, table));
    }
    check_key_type(gen, audience);
    read_columns(gen, table, audience, options);
    read_where(gen, table, audience, options);
}

// Two audiences of one table may share a name (a user sees a row as its author and as its reviewer), but then a pull
// must not have to ask which of the two a scope means: they must show the same columns.
static void check_same_names(struct ch_gen *gen, const struct ch_model_table *table)
{
    for (size_t i = 0; i < table->audience_count; i++)
        for (size_t j = i + 1; j < table->audience_count; j++) {
            const struct ch_model_audience *a = &table->audiences[i], *b = &table->audiences[j];

            if (strcmp(a->name, b->name) == 0 &&
                (a->kind == CHARLE_AUDIENCE_CONSTANT) != (b->kind == CHARLE_AUDIENCE_CONSTANT))
                ch_error(gen, b->place,
                         "audience %s of table %s is once a constant and once has a key; give one another name",
                         b->name, table->name);
        }
}

static void read_table_audiences(struct ch_gen *gen, struct ch_model_table *table, const Charle__Table *options)
{
    table->audiences = CH_NEW_ARRAY(gen->run, options->n_audience, struct ch_model_audience);
    table->audience_count = options->n_audience;
    table->is_replicated = options->n_audience > 0;
    for (size_t i = 0; i < options->n_audience; i++)
        read_audience(gen, table, &table->audiences[i], options->audience[i],
                      ch_place_in(ch_place_of_table_option(table, 8), (int32_t)i));
    check_same_names(gen, table);
    for (int word = 0; word < 2; word++) {
        table->shared_columns.bits[word] = table->is_replicated ? UINT64_MAX : 0;
        for (size_t i = 0; i < table->audience_count; i++) {
            table->replica_columns.bits[word] |= table->audiences[i].columns.bits[word];
            table->shared_columns.bits[word] &= table->audiences[i].columns.bits[word];
        }
    }
    for (size_t i = 0; table->is_local && i < table->column_count; i++) { // all of it is in a replica
        ch_column_set_add(&table->replica_columns, i);
        ch_column_set_add(&table->shared_columns, i);
    }
}

void ch_model_read_audiences(struct ch_gen *gen)
{
    for (size_t i = 0; i < gen->model.table_count; i++) {
        struct ch_model_table *table = gen->model.tables[i];
        const Charle__Table *options = ch_model_table_options(gen, table->row);

        if (options)
            read_table_audiences(gen, table, options);
    }
}
