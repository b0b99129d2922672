// Uniques, checks and indexes of a table.
#include "gen.h"
#include "options.h"
#include "sql.h"

#include <ctype.h>

// Reads the next name of "client_id, month"; returns NULL at the end.
static const char *next_name(struct ch_gen *gen, const char **at)
{
    const char *start = *at + strspn(*at, ", \t\n");
    size_t len = strcspn(start, ", \t\n");

    *at = start + len;
    return len ? ch_text_n(gen->run, start, len) : NULL;
}

// --- uniques --------------------------------------------------------------------------------------------------------

static void add_unique(struct ch_gen *gen, struct ch_model_table *table, struct ch_model_unique unique)
{
    const char *name = table->name;

    if (!unique.column_count)
        return;
    for (size_t i = 0; i < unique.column_count; i++)
        name = ch_text(gen->run, "%s_%s", name, unique.columns[i]->name);
    unique.name = ch_text(gen->run, "%s_key", name);
    CH_APPEND(gen->run, table->uniques, table->unique_count, unique);
}

static void read_unique(struct ch_gen *gen, struct ch_model_table *table, const char *text, struct ch_place place)
{
    struct ch_model_unique unique = {0};
    const char *name;

    while ((name = next_name(gen, &text))) {
        const struct ch_model_column *column = ch_model_find_column(table, name);

        if (column)
            CH_APPEND(gen->run, unique.columns, unique.column_count, column);
        else
            ch_error(gen, place, "unique names %s, which is no column of %s; its columns are %s", name, table->name,
                     ch_model_column_names(gen, table));
    }
    ch_model_check_width(gen, table, unique.column_count, place, "a unique constraint");
    add_unique(gen, table, unique);
}

static void read_uniques(struct ch_gen *gen, struct ch_model_table *table, const Charle__Table *options)
{
    for (size_t i = 0; i < table->column_count; i++) {
        const struct ch_model_column *column = &table->columns[i];

        if (column->is_unique && column->is_key && table->key_count == 1)
            ch_error(gen, ch_place_of_column_option(column, 3),
                     "column %s is the primary key, which is unique already; leave unique out", column->name);
        else if (column->is_unique) {
            struct ch_model_unique unique = {0};

            CH_APPEND(gen->run, unique.columns, unique.column_count, column);
            add_unique(gen, table, unique);
        }
    }
    for (size_t i = 0; i < options->n_unique; i++)
        read_unique(gen, table, options->unique[i], ch_place_in(ch_place_of_table_option(table, 5), (int32_t)i));
}

// --- checks ---------------------------------------------------------------------------------------------------------

static struct ch_model_check read_check(struct ch_gen *gen, const struct ch_model_table *table,
                                        const Charle__Check *options, const char *default_name, struct ch_place place)
{
    struct ch_model_check check = {
        .name = options->name ? options->name : default_name, .pg = options->sql, .place = place};
    struct ch_sql sql;

    if (!ch_sql_read_row_expression(gen, options->sql, place, ch_text(gen->run, "the check %s", check.name), table,
                                    &sql, NULL))
        return check;
    check.sqlite = options->sqlite ? (*options->sqlite ? options->sqlite : NULL) : ch_sql_for_sqlite(gen, &sql);
    if (!options->sqlite)
        ch_sql_check_same_meaning(gen, table, &sql, place, ch_text(gen->run, "the check %s", check.name),
                                  "sqlite: \"…\", or sqlite: \"\" to leave the check to the server");
    return check;
}

static const char *numbered(struct ch_gen *gen, size_t index)
{
    return index ? ch_text(gen->run, "%zu", index + 1) : "";
}

static void read_checks(struct ch_gen *gen, struct ch_model_table *table, const Charle__Table *options)
{
    for (size_t i = 0; i < table->column_count; i++) {
        struct ch_model_column *column = &table->columns[i];
        const Charle__Column *column_options = ch_model_column_options(gen, table->row, column->field);

        for (size_t j = 0; column_options && j < column_options->n_check; j++) {
            const char *name = ch_text(gen->run, "%s_%s_check%s", table->name, column->name, numbered(gen, j));
            struct ch_place place = ch_place_in(ch_place_of_column_option(column, 8), (int32_t)j);
            struct ch_model_check check = read_check(gen, table, column_options->check[j], name, place);

            CH_APPEND(gen->run, column->checks, column->check_count, check);
        }
    }
    for (size_t i = 0; i < options->n_check; i++) {
        const char *name = ch_text(gen->run, "%s_%zu_check", table->name, i + 1);
        struct ch_place place = ch_place_in(ch_place_of_table_option(table, 7), (int32_t)i);
        struct ch_model_check check = read_check(gen, table, options->check[i], name, place);

        CH_APPEND(gen->run, table->checks, table->check_count, check);
    }
}

// --- indexes --------------------------------------------------------------------------------------------------------

static const char *read_order(struct ch_gen *gen, const char *text, struct ch_place place)
{
    static const char *const orders[] = {"",
                                         " asc",
                                         " desc",
                                         " nulls first",
                                         " nulls last",
                                         " asc nulls first",
                                         " asc nulls last",
                                         " desc nulls first",
                                         " desc nulls last"};
    const char *lower = ch_name_lower(gen->run, text);

    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        if (strcmp(orders[i], lower) == 0)
            return orders[i];
    ch_error(gen, place,
             "an index orders by \"%s\"; write the column, then desc and nulls first or nulls last if needed", text);
    return "";
}

static void read_part(struct ch_gen *gen, const struct ch_model_table *table, struct ch_model_index *index,
                      const char *text)
{
    size_t len = strcspn(text, " ");
    struct ch_model_index_part part = {.column = ch_model_find_column(table, ch_text_n(gen->run, text, len))};

    part.order = read_order(gen, text + len, index->place);
    if (!part.column) {
        ch_error(gen, index->place, "an index names %.*s, which is no column of %s; its columns are %s", (int)len, text,
                 table->name, ch_model_column_names(gen, table));
        return;
    }
    ch_column_set_add(&index->used_columns, part.column->index);
    CH_APPEND(gen->run, index->parts, index->part_count, part);
}

// An index of what changes by itself would be wrong the next moment.
static void check_immutable(struct ch_gen *gen, const struct ch_model_index *index, const struct ch_sql *sql)
{
    static const char *const moving[] = {"now",         "clock_timestamp",   "statement_timestamp", "transaction_timestamp", "random",
                                         "timeofday",   "gen_random_uuid",   "nextval",             "currval",               "age",
                                         "current_setting"};

    for (size_t i = 0; i < sql->function_count; i++)
        for (size_t j = 0; j < sizeof moving / sizeof *moving; j++)
            if (strcmp(sql->functions[i].name, moving[j]) == 0)
                ch_error(gen, index->place, "index %s uses %s(), whose answer changes by itself; index what is in the row", index->name,
                         moving[j]);
}

static void read_expression(struct ch_gen *gen, const struct ch_model_table *table, struct ch_model_index *index,
                            const char *text)
{
    struct ch_model_index_part part = {.expression = text, .order = ""};
    struct ch_sql sql;

    if (!ch_sql_read_row_expression(gen, text, index->place,
                                    ch_text(gen->run, "the expression of index %s", index->name), table, &sql,
                                    &index->used_columns))
        return;
    check_immutable(gen, index, &sql);
    part.expression_sqlite = ch_sql_for_sqlite(gen, &sql);
    CH_APPEND(gen->run, index->parts, index->part_count, part);
}

static void read_where(struct ch_gen *gen, const struct ch_model_table *table, struct ch_model_index *index,
                       const Charle__Index *options)
{
    const char *what = ch_text(gen->run, "the condition of index %s", index->name);
    struct ch_sql sql;

    if (!ch_sql_read_row_expression(gen, options->where, index->place, what, table, &sql, &index->used_columns))
        return;
    check_immutable(gen, index, &sql);
    index->where_pg = options->where;
    index->where_sqlite = options->where_sqlite ? options->where_sqlite : ch_sql_for_sqlite(gen, &sql);
    if (!options->where_sqlite)
        ch_sql_check_same_meaning(gen, table, &sql, index->place, what, "where_sqlite: \"…\"");
}

static const char *index_name(struct ch_gen *gen, const struct ch_model_table *table, const Charle__Index *options)
{
    const char *name = table->name;

    if (options->name)
        return options->name;
    for (size_t i = 0; i < options->n_column; i++)
        name = ch_text(gen->run, "%s_%.*s", name, (int)strcspn(options->column[i], " "), options->column[i]);
    return ch_text(gen->run, options->expression ? "%s_expr_idx" : "%s_idx", name);
}

static void check_method(struct ch_gen *gen, const struct ch_model_index *index)
{
    static const char *const methods[] = {"btree", "hash", "gin", "gist", "spgist", "brin"};

    for (size_t i = 0; index->method && i < sizeof methods / sizeof *methods; i++)
        if (strcmp(methods[i], index->method) == 0)
            return;
    if (index->method)
        ch_error(
            gen, index->place,
            "index %s uses the method %s, which PostgreSQL does not have; write btree, hash, gin, gist, spgist or brin",
            index->name, index->method);
}

static void read_include(struct ch_gen *gen, const struct ch_model_table *table, struct ch_model_index *index,
                         const char *name)
{
    const struct ch_model_column *column = ch_model_find_column(table, name);

    if (column)
        CH_APPEND(gen->run, index->include, index->include_count, column);
    else
        ch_error(gen, index->place, "index %s includes %s, which is no column of %s; its columns are %s", index->name,
                 name, table->name, ch_model_column_names(gen, table));
}

static void read_index(struct ch_gen *gen, struct ch_model_table *table, const Charle__Index *options,
                       struct ch_place place)
{
    struct ch_model_index index = {
        .name = index_name(gen, table, options),
        .is_unique = options->unique,
        .is_server_only = options->server_only,
        .method = options->method,
        .place = place,
    };

    for (size_t i = 0; i < options->n_column; i++)
        read_part(gen, table, &index, options->column[i]);
    if (options->expression)
        read_expression(gen, table, &index, options->expression);
    if (!options->n_column && !options->expression)
        ch_error(gen, place, "index %s has no column; write column: \"name\" or an expression", index.name);
    if (options->where)
        read_where(gen, table, &index, options);
    else if (options->where_sqlite)
        ch_error(gen, place, "index %s has where_sqlite without where; write both", index.name);
    for (size_t i = 0; i < options->n_include; i++)
        read_include(gen, table, &index, options->include[i]);
    check_method(gen, &index);
    ch_model_check_width(gen, table, index.part_count + options->n_include, place, "an index");
    CH_APPEND(gen->run, table->indexes, table->index_count, index);
}

// Who may read a file, and whether anybody still refers to it, is asked by its hash.
static void index_attachment(struct ch_gen *gen, struct ch_model_table *table, const struct ch_model_column *column)
{
    const struct ch_model_index_part part = {.column = column, .order = ""};
    struct ch_model_index index = {
        .name = ch_text(gen->run, "%s_%s_file_idx", table->name, column->name), .is_server_only = true, .place = column->place};

    CH_APPEND(gen->run, index.parts, index.part_count, part);
    CH_APPEND(gen->run, table->indexes, table->index_count, index);
}

void ch_model_read_indexes(struct ch_gen *gen, struct ch_model_table *table, const Charle__Table *options)
{
    read_uniques(gen, table, options);
    read_checks(gen, table, options);
    for (size_t i = 0; i < options->n_index; i++)
        read_index(gen, table, options->index[i], ch_place_in(ch_place_of_table_option(table, 6), (int32_t)i));
    for (size_t i = 0; i < table->column_count; i++)
        if (table->columns[i].is_attachment)
            index_attachment(gen, table, &table->columns[i]);
}
