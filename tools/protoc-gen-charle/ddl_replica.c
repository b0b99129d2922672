// DDL of a replica's table. A replica holds what its user may see, so nothing may hinder a row from arriving: no
// foreign keys (the parent may be out of sight), no uniques but the key (two rows may swap values between two pages),
// no checks (the server made them). A column is NOT NULL, and has its default, only when every audience shows it: for
// the others null means "not shown". A local table is the application's alone: its uniques hold.
#include "ddl.h"

static void column(struct charle_buf *out, const struct ch_model_column *c)
{
    bool is_shared = charle_column_set_has(&c->table->shared_columns, c->index);

    charle_buf_add_text(out, "    ");
    ch_gen_quote(out, c->name);
    charle_buf_add_byte(out, ' ');
    ch_ddl_sqlite_type(out, c);
    if (is_shared && !c->is_nullable)
        charle_buf_add_text(out, " not null");
    if (is_shared && c->default_sqlite)
        charle_buf_printf(out, " default %s", c->default_sqlite);
    charle_buf_add_text(out, ",\n");
}

void ch_ddl_replica_create(struct charle_buf *out, const struct ch_model_table *table)
{
    charle_buf_printf(out, "create table \"%s\" (\n", table->name);
    for (size_t i = 0; i < table->column_count; i++)
        if (charle_column_set_has(&table->replica_columns, i))
            column(out, &table->columns[i]);
    charle_buf_add_text(out, "    primary key (");
    ch_ddl_key(out, table);
    charle_buf_add_text(out, ")");
    ch_ddl_sqlite_end(out, table);
}

static bool is_visible(const struct ch_model_table *table, const struct ch_model_index *index)
{
    for (int i = 0; i < 2; i++)
        if (index->used_columns.bits[i] & ~table->replica_columns.bits[i])
            return false;
    return true;
}

// Unique constraints serve lookups too, so a replica has plain indexes under their names.
static void unique_index(struct charle_buf *out, const struct ch_model_table *table,
                         const struct ch_model_unique *unique)
{
    for (size_t i = 0; i < unique->column_count; i++)
        if (!charle_column_set_has(&table->replica_columns, unique->columns[i]->index))
            return;
    charle_buf_printf(out, "create %sindex \"%s\" on \"%s\" (", table->is_local ? "unique " : "", unique->name, table->name);
    ch_ddl_columns(out, (const struct ch_model_column *const *)unique->columns, unique->column_count);
    charle_buf_add_text(out, ");\n");
}

void ch_ddl_replica_indexes(struct charle_buf *out, const struct ch_model_table *table)
{
    for (size_t i = 0; i < table->unique_count; i++)
        unique_index(out, table, &table->uniques[i]);
    for (size_t i = 0; i < table->index_count; i++)
        if (!table->indexes[i].is_server_only && is_visible(table, &table->indexes[i]))
            ch_ddl_sqlite_index(out, table, &table->indexes[i], table->is_local);
}
