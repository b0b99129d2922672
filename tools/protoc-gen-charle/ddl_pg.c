// DDL for PostgreSQL: the table with its sequences, checks and comments; foreign keys and indexes apart, so that tables
// can be made in any order and filled before they are indexed.
#include "base/limits.h"
#include "ddl.h"

#define CH_FILLFACTOR 90 // of replicated tables: room for HOT updates on the page, which stamping leaves possible

static void sequences(struct charle_buf *out, const struct ch_model_table *table, bool is_owned)
{
    for (size_t i = 0; i < table->column_count; i++) {
        const struct ch_model_column *column = &table->columns[i];

        if (column->generate != CHARLE_GENERATE_SERIAL)
            continue;
        charle_buf_printf(out, "%s sequence \"%s_%s_seq\"", is_owned ? "alter" : "create", table->name, column->name);
        if (is_owned)
            charle_buf_printf(out, " owned by \"%s\".\"%s\"", table->name, column->name);
        else if (column->type == CHARLE_TYPE_INT4)
            charle_buf_add_text(out, " as integer");
        charle_buf_add_text(out, ";\n");
    }
}

static void column(struct charle_buf *out, const struct ch_model_column *c)
{
    charle_buf_add_text(out, "    ");
    ch_gen_quote(out, c->name);
    charle_buf_add_byte(out, ' ');
    ch_gen_pg_type(out, c);
    if (c->type == CHARLE_TYPE_TEXT || c->type == CHARLE_TYPE_ENUM)
        charle_buf_add_text(out, " collate \"C\"");
    if (!c->is_nullable)
        charle_buf_add_text(out, " not null");
    if (c->default_pg)
        charle_buf_printf(out, " default %s", c->default_pg);
}

static void enum_check(struct charle_buf *out, const struct ch_model_column *c)
{
    charle_buf_printf(out, ",\n    constraint \"%s_%s_enum\" check (", c->table->name, c->name);
    ch_gen_quote(out, c->name);
    charle_buf_add_text(out, c->is_array ? " <@ array[" : " in (");
    ch_ddl_enum_names(out, c->enumeration);
    charle_buf_add_text(out, c->is_array ? "]::text[])" : "))");
}

static bool is_on_laptops(const struct ch_model_column *c)
{
    return c->table->is_replicated && charle_column_set_has(&c->table->replica_columns, c->index);
}

// PostgreSQL keeps values that a laptop cannot, and a row that cannot arrive would stop every laptop that sees it. So whoever writes one is
// told. The names carry the column's number, which makes them unique within the table, and a part of its name, which may be long.
static void keepable_check(struct charle_buf *out, const struct ch_model_column *c)
{
    if (c->type == CHARLE_TYPE_TIMESTAMPTZ && c->is_key) { // the log has keys as texts
        charle_buf_printf(out, ",\n    constraint \"%.30s_%u_years_1_to_9999\" check (\"%s\" >= '0001-01-01 00:00:00Z' and \"%s\" < '10000-01-01 00:00:00Z')",
                          c->name, c->number, c->name, c->name);
    } else if (c->type == CHARLE_TYPE_DATE) {
        charle_buf_printf(out, ",\n    constraint \"%.30s_%u_years_1_to_9999\" check (", c->name, c->number);
        if (c->is_array)
            charle_buf_printf(out, "date '0001-01-01' <= all (array_remove(\"%s\", date '-infinity')) and "
                                   "date '9999-12-31' >= all (array_remove(\"%s\", date 'infinity')))", c->name, c->name);
        else
            charle_buf_printf(out, "\"%s\" between date '0001-01-01' and date '9999-12-31' or not isfinite(\"%s\"))", c->name, c->name);
    } else if (c->type == CHARLE_TYPE_NUMERIC) {
        charle_buf_printf(out, ",\n    constraint \"%.30s_%u_%d_digits\" check (", c->name, c->number, CH_NUMERIC_LEN_MAX);
        if (c->is_array) // a run of as many digits; a repetition counts to 255 at most
            charle_buf_printf(out, "\"%s\"::text !~ '([0-9.]{%d}){4}')", c->name, CH_NUMERIC_LEN_MAX / 4);
        else
            charle_buf_printf(out, "length(\"%s\"::text) <= %d)", c->name, CH_NUMERIC_LEN_MAX);
    }
}

// A key of one text is a key's text as it is, and none is how the wire and the log say that there is none.
static void key_check(struct charle_buf *out, const struct ch_model_table *table)
{
    const struct ch_model_column *key = table->key_columns[0];

    if (table->is_replicated && table->key_count == 1 && key->type == CHARLE_TYPE_TEXT)
        charle_buf_printf(out, ",\n    constraint \"key_not_empty\" check (\"%s\" <> '')", key->name);
}

// Columns whose size nothing else bounds. What has an index is bounded by PostgreSQL, to a third of a page.
static bool is_unbounded(const struct ch_model_column *c)
{
    bool is_large = c->is_array || c->type == CHARLE_TYPE_TEXT || c->type == CHARLE_TYPE_BYTES || c->type == CHARLE_TYPE_JSONB;

    return is_on_laptops(c) && is_large && !c->is_key && !c->is_unique && !c->references && !c->is_attachment && !c->max_length;
}

// A row travels in one message.
static void row_size_check(struct charle_buf *out, const struct ch_model_table *table)
{
    size_t count = 0;

    for (size_t i = 0; i < table->column_count; i++) {
        const struct ch_model_column *c = &table->columns[i];
        bool is_text = c->is_array || c->type == CHARLE_TYPE_JSONB;
        if (!is_unbounded(c))
            continue;
        charle_buf_printf(out, count++ ? " +\n        " : ",\n    constraint \"row_%d_mib\" check (", (int)(CH_ROW_SIZE_MAX >> 20));
        charle_buf_printf(out, "coalesce(octet_length(\"%s\"%s), 0)", c->name, is_text ? "::text" : "");
    }
    if (count)
        charle_buf_printf(out, " <= %d)", (int)CH_ROW_SIZE_MAX);
}

static void column_checks(struct charle_buf *out, const struct ch_model_column *c)
{
    if (c->enumeration)
        enum_check(out, c);
    if (c->max_length)
        charle_buf_printf(out, ",\n    constraint \"%s_%s_length\" check (char_length(\"%s\") <= %u)", c->table->name,
                          c->name, c->name, c->max_length);
    if (c->is_attachment)
        charle_buf_printf(out, ",\n    constraint \"%s_%s_form\" check (\"%s\" ~ '^[0-9a-f]{64}$')", c->table->name, c->name, c->name);
    if (is_on_laptops(c))
        keepable_check(out, c);
    for (size_t i = 0; i < c->check_count; i++)
        charle_buf_printf(out, ",\n    constraint \"%s\" check (%s)", c->checks[i].name, c->checks[i].pg);
}

static void comments(struct charle_buf *out, const struct ch_model_table *table)
{
    if (table->comment) {
        charle_buf_printf(out, "comment on table \"%s\" is ", table->name);
        ch_gen_literal(out, table->comment);
        charle_buf_add_text(out, ";\n");
    }
    for (size_t i = 0; i < table->column_count; i++)
        if (table->columns[i].comment) {
            charle_buf_printf(out, "comment on column \"%s\".\"%s\" is ", table->name, table->columns[i].name);
            ch_gen_literal(out, table->columns[i].comment);
            charle_buf_add_text(out, ";\n");
        }
}

// Is the time of a row's last change in an index? Then every update puts a new entry into every index of the table, also those whose columns it leaves
// alone. PostgreSQL gathers equal entries in lists, which is for entries that stay: taking dead ones out of a list, one by one, costs more than
// all else about an index does, so such a table's indexes have none (docs/decisions/0022-edited-tables.md).
static bool is_rewritten_by_updates(const struct ch_model_table *table)
{
    for (size_t i = 0; i < table->index_count; i++)
        for (size_t c = 0; c < table->column_count; c++)
            if (table->columns[c].generate == CHARLE_GENERATE_UPDATED && charle_column_set_has(&table->indexes[i].used_columns, table->columns[c].index))
                return true;
    return false;
}

static void index_storage(struct charle_buf *out, const struct ch_model_table *table)
{
    if (is_rewritten_by_updates(table))
        charle_buf_add_text(out, " with (deduplicate_items = off)");
}

void ch_ddl_pg_create(struct charle_buf *out, const struct ch_model_table *table)
{
    sequences(out, table, false);
    charle_buf_printf(out, "create table \"%s\" (\n", table->name);
    for (size_t i = 0; i < table->column_count; i++) {
        if (i)
            charle_buf_add_text(out, ",\n");
        column(out, &table->columns[i]);
    }
    charle_buf_printf(out, ",\n    constraint \"%s_pkey\" primary key (", table->name);
    ch_ddl_key(out, table);
    charle_buf_add_byte(out, ')');
    index_storage(out, table);
    for (size_t i = 0; i < table->unique_count; i++) {
        charle_buf_printf(out, ",\n    constraint \"%s\" unique (", table->uniques[i].name);
        ch_ddl_columns(out, (const struct ch_model_column *const *)table->uniques[i].columns,
                       table->uniques[i].column_count);
        charle_buf_add_byte(out, ')');
        index_storage(out, table);
    }
    for (size_t i = 0; i < table->column_count; i++)
        column_checks(out, &table->columns[i]);
    key_check(out, table);
    row_size_check(out, table);
    for (size_t i = 0; i < table->check_count; i++)
        charle_buf_printf(out, ",\n    constraint \"%s\" check (%s)", table->checks[i].name, table->checks[i].pg);
    charle_buf_add_text(out, "\n)");
    if (table->is_replicated)
        charle_buf_printf(out, " with (fillfactor = %d)", CH_FILLFACTOR);
    charle_buf_add_text(out, ";\n");
    sequences(out, table, true);
    comments(out, table);
}

void ch_ddl_pg_foreign_keys(struct charle_buf *out, const struct ch_model_table *table)
{
    for (size_t i = 0; i < table->column_count; i++) {
        const struct ch_model_column *c = &table->columns[i];

        // What a row refers to is there, and stays as long as the row does: the database itself sees to it.
        if (c->is_attachment)
            charle_buf_printf(out, "alter table \"%s\" add constraint \"%s_%s_fkey\" foreign key (\"%s\") references charle.file (hash);\n",
                              table->name, table->name, c->name, c->name);
        if (!c->references)
            continue;
        charle_buf_printf(
            out, "alter table \"%s\" add constraint \"%s_%s_fkey\" foreign key (\"%s\") references \"%s\" (\"%s\")",
            table->name, table->name, c->name, c->name, c->references->name, c->references_column->name);
        if (c->on_delete != CHARLE_NO_ACTION)
            charle_buf_printf(out, " on delete %s", ch_ddl_action(c->on_delete));
        if (c->on_update != CHARLE_NO_ACTION)
            charle_buf_printf(out, " on update %s", ch_ddl_action(c->on_update));
        charle_buf_add_text(out, ";\n");
    }
}

static void index_parts(struct charle_buf *out, const struct ch_model_index *index)
{
    for (size_t i = 0; i < index->part_count; i++) {
        const struct ch_model_index_part *part = &index->parts[i];

        if (i)
            charle_buf_add_text(out, ", ");
        if (part->column)
            ch_gen_quote(out, part->column->name);
        else
            charle_buf_printf(out, "(%s)", part->expression);
        charle_buf_add_text(out, part->order);
    }
}

void ch_ddl_pg_indexes(struct charle_buf *out, const struct ch_model_table *table)
{
    for (size_t i = 0; i < table->index_count; i++) {
        const struct ch_model_index *index = &table->indexes[i];

        charle_buf_printf(out, "create %sindex \"%s\" on \"%s\"", index->is_unique ? "unique " : "", index->name,
                          table->name);
        if (index->method)
            charle_buf_printf(out, " using %s", index->method);
        charle_buf_add_text(out, " (");
        index_parts(out, index);
        charle_buf_add_byte(out, ')');
        if (index->include_count) {
            charle_buf_add_text(out, " include (");
            ch_ddl_columns(out, (const struct ch_model_column *const *)index->include, index->include_count);
            charle_buf_add_byte(out, ')');
        }
        if (!index->method || strcmp(index->method, "btree") == 0)
            index_storage(out, table);
        if (index->where_pg)
            charle_buf_printf(out, " where %s", index->where_pg);
        charle_buf_add_text(out, ";\n");
    }
}

void ch_ddl_pg_extra(struct charle_buf *out, const struct ch_model *model)
{
    for (size_t i = 0; i < model->extension_count; i++)
        charle_buf_printf(out, "create extension if not exists \"%s\";\n", model->extensions[i]);
    for (size_t i = 0; i < model->view_count; i++)
        charle_buf_printf(out, "create view \"%s\" as\n%s;\n", model->views[i].name, model->views[i].pg);
}
