// DDL for a plain SQLite database with everything the server has. Tables are STRICT where they can be: a value of the wrong type is an
// error in both databases. A table whose key is not one whole number has no rowid, so that rows lie in the order of
// their key.
#include "ddl.h"

static void column(struct charle_buf *out, const struct ch_model_column *c)
{
    charle_buf_add_text(out, "    ");
    ch_gen_quote(out, c->name);
    charle_buf_add_byte(out, ' ');
    ch_ddl_sqlite_type(out, c);
    if (!c->is_nullable)
        charle_buf_add_text(out, " not null");
    if (c->default_sqlite)
        charle_buf_printf(out, " default %s", c->default_sqlite);
}

// SQLite has no boolean, no json and no arrays; a check keeps out what PostgreSQL's types would.
static void column_checks(struct charle_buf *out, const struct ch_model_column *c)
{
    const char *table = c->table->name, *name = c->name;

    if (c->is_array)
        charle_buf_printf(out, ",\n    constraint \"%s_%s_array\" check (json_type(\"%s\") = 'array')", table, name,
                          name);
    else if (c->type == CHARLE_TYPE_JSONB)
        // json_valid(null) is 0 in SQLite 3.40, which would refuse a NULL.
        charle_buf_printf(out, ",\n    constraint \"%s_%s_json\" check (\"%s\" is null or json_valid(\"%s\"))", table, name,
                          name, name);
    else if (c->type == CHARLE_TYPE_BOOL)
        charle_buf_printf(out, ",\n    constraint \"%s_%s_bool\" check (\"%s\" in (0, 1))", table, name, name);
    else if (c->enumeration) {
        charle_buf_printf(out, ",\n    constraint \"%s_%s_enum\" check (\"%s\" in (", table, name, name);
        ch_ddl_enum_names(out, c->enumeration);
        charle_buf_add_text(out, "))");
    }
    if (c->max_length)
        charle_buf_printf(out, ",\n    constraint \"%s_%s_length\" check (length(\"%s\") <= %u)", table, name, name,
                          c->max_length);
    if (c->is_attachment)
        charle_buf_printf(out, ",\n    constraint \"%s_%s_form\" check (length(\"%s\") = 64 and \"%s\" not glob '*[^0-9a-f]*')", table, name, name,
                          name);
    for (size_t i = 0; i < c->check_count; i++)
        if (c->checks[i].sqlite)
            charle_buf_printf(out, ",\n    constraint \"%s\" check (%s)", c->checks[i].name, c->checks[i].sqlite);
}

static void foreign_key(struct charle_buf *out, const struct ch_model_column *c)
{
    charle_buf_printf(out, ",\n    constraint \"%s_%s_fkey\" foreign key (\"%s\") references \"%s\" (\"%s\")",
                      c->table->name, c->name, c->name, c->references->name, c->references_column->name);
    if (c->on_delete != CHARLE_NO_ACTION)
        charle_buf_printf(out, " on delete %s", ch_ddl_action(c->on_delete));
    if (c->on_update != CHARLE_NO_ACTION)
        charle_buf_printf(out, " on update %s", ch_ddl_action(c->on_update));
}

void ch_ddl_sqlite_create(struct charle_buf *out, const struct ch_model_table *table)
{
    charle_buf_printf(out, "create table \"%s\" (\n", table->name);
    for (size_t i = 0; i < table->column_count; i++) {
        if (i)
            charle_buf_add_text(out, ",\n");
        column(out, &table->columns[i]);
    }
    charle_buf_printf(out, ",\n    constraint \"%s_pkey\" primary key (", table->name);
    ch_ddl_key(out, table);
    charle_buf_add_byte(out, ')');
    for (size_t i = 0; i < table->unique_count; i++) {
        charle_buf_printf(out, ",\n    constraint \"%s\" unique (", table->uniques[i].name);
        ch_ddl_columns(out, (const struct ch_model_column *const *)table->uniques[i].columns,
                       table->uniques[i].column_count);
        charle_buf_add_byte(out, ')');
    }
    for (size_t i = 0; i < table->column_count; i++)
        column_checks(out, &table->columns[i]);
    for (size_t i = 0; i < table->check_count; i++)
        if (table->checks[i].sqlite)
            charle_buf_printf(out, ",\n    constraint \"%s\" check (%s)", table->checks[i].name,
                              table->checks[i].sqlite);
    for (size_t i = 0; i < table->column_count; i++)
        if (table->columns[i].references)
            foreign_key(out, &table->columns[i]);
    ch_ddl_sqlite_end(out, table);
}

// "nulls first" and "nulls last" are not allowed in an index of SQLite; the rest of an order is.
static void order(struct charle_buf *out, const char *text)
{
    const char *nulls = strstr(text, " nulls");

    charle_buf_add(out, text, nulls ? (size_t)(nulls - text) : strlen(text));
}

void ch_ddl_sqlite_index(struct charle_buf *out, const struct ch_model_table *table, const struct ch_model_index *index,
                         bool is_unique)
{
    bool is_tree = !index->method || strcmp(index->method, "btree") == 0 || strcmp(index->method, "hash") == 0;

    if (!is_tree)
        return;
    charle_buf_printf(out, "create %sindex \"%s\" on \"%s\" (", is_unique ? "unique " : "", index->name, table->name);
    for (size_t i = 0; i < index->part_count; i++) {
        const struct ch_model_index_part *part = &index->parts[i];

        if (i)
            charle_buf_add_text(out, ", ");
        if (part->column)
            ch_gen_quote(out, part->column->name);
        else
            charle_buf_printf(out, "(%s)", part->expression_sqlite);
        order(out, part->order);
    }
    charle_buf_add_byte(out, ')');
    if (index->where_sqlite)
        charle_buf_printf(out, " where %s", index->where_sqlite);
    charle_buf_add_text(out, ";\n");
}

void ch_ddl_sqlite_indexes(struct charle_buf *out, const struct ch_model_table *table)
{
    for (size_t i = 0; i < table->index_count; i++)
        ch_ddl_sqlite_index(out, table, &table->indexes[i], table->indexes[i].is_unique);
}

void ch_ddl_sqlite_extra(struct charle_buf *out, const struct ch_model *model)
{
    for (size_t i = 0; i < model->view_count; i++)
        if (model->views[i].sqlite)
            charle_buf_printf(out, "create view \"%s\" as\n%s;\n", model->views[i].name, model->views[i].sqlite);
}
