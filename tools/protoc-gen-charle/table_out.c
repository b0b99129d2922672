// Table descriptors: everything core/db/schema.h says about a table, as constants.
#include "out.h"

static const char *const generate_names[] = {"NONE", "ID", "NOW", "UPDATED", "SERIAL"};
static const char *const merge_names[] = {"",    "LWW",  "SERVER", "GROUP", "FSM",    "COUNTER",
                                          "SET", "ONCE", "APPEND", "TEXT",  "DERIVED"};
static const char *const action_names[] = {"NO_ACTION", "RESTRICT", "CASCADE", "SET_NULL"};
static const char *const kind_names[] = {"CONSTANT", "COLUMN", "PATH"};

static void text_member(struct charle_buf *out, const char *name, const char *text, const char *indent)
{
    if (!text)
        return;
    charle_buf_printf(out, "%s.%s = ", indent, name);
    ch_c_string(out, text, (int)strlen(indent) + 4);
    charle_buf_add_text(out, ",\n");
}

static void set_member(struct charle_buf *out, const char *name, const struct charle_column_set *set,
                       const char *indent)
{
    charle_buf_printf(out, "%s.%s = {{0x%llxu, 0x%llxu}},\n", indent, name, (unsigned long long)set->bits[0],
                      (unsigned long long)set->bits[1]);
}

static void transitions(struct charle_buf *out, const struct ch_model_column *column)
{
    charle_buf_printf(out, "\nstatic const struct charle_transition %s_%s_transitions[] = {\n", column->table->c_name,
                      column->name);
    for (size_t i = 0; i < column->transition_count; i++)
        charle_buf_printf(out, "    {%s, %s},\n", column->transitions[i].from->c_name,
                          column->transitions[i].to->c_name);
    charle_buf_add_text(out, "};\n");
}

static void column(struct charle_buf *out, const struct ch_model_column *c)
{
    charle_buf_printf(out, "    {\n        .name = CHARLE_STR_INIT(\"%s\"), .field = &%s_fields[%u], .index = %u,\n",
                      c->name, c->table->c_name, c->index, c->index);
    charle_buf_printf(out, "        .is_nullable = %s, .is_array = %s, .is_server_only = %s,\n",
                      c->is_nullable ? "true" : "false", c->is_array ? "true" : "false",
                      c->is_server_only ? "true" : "false");
    if (c->is_attachment)
        charle_buf_add_text(out, "        .is_attachment = true,\n");
    charle_buf_printf(out, "        .generate = CHARLE_GENERATE_%s, .merge = CHARLE_MERGE_%s, .merge_group = %u,\n",
                      generate_names[c->generate], merge_names[c->merge], c->merge_group);
    if (c->default_pg) {
        charle_buf_add_text(out, "        .default_sql = {.pg = ");
        ch_c_string(out, c->default_pg, 16);
        if (c->default_sqlite) {
            charle_buf_add_text(out, ", .sqlite = ");
            ch_c_string(out, c->default_sqlite, 16);
        }
        charle_buf_add_text(out, "},\n");
    }
    if (c->label) {
        charle_buf_add_text(out, "        .label = ");
        ch_c_string(out, c->label, 16);
        charle_buf_add_text(out, ",\n");
    }
    if (c->references)
        charle_buf_printf(out,
                          "        .references = &%s_table, .references_column = %u,\n"
                          "        .on_delete = CHARLE_%s, .on_update = CHARLE_%s,\n",
                          c->references->c_name, c->references_column->index, action_names[c->on_delete],
                          action_names[c->on_update]);
    if (c->transition_count)
        charle_buf_printf(out, "        .transitions = %s_%s_transitions, .transition_count = %zu,\n", c->table->c_name,
                          c->name, c->transition_count);
    charle_buf_add_text(out, "    },\n");
}

static void columns(struct charle_buf *out, const struct ch_model_table *table)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (table->columns[i].transition_count)
            transitions(out, &table->columns[i]);
    charle_buf_printf(out, "\nstatic const struct charle_column %s_columns[] = {\n", table->c_name);
    for (size_t i = 0; i < table->column_count; i++)
        column(out, &table->columns[i]);
    charle_buf_add_text(out, "};\n");
    charle_buf_printf(out, "static const uint16_t %s_key_columns[] = {", table->c_name);
    for (size_t i = 0; i < table->key_count; i++)
        charle_buf_printf(out, "%s%u", i ? ", " : "", table->key_columns[i]->index);
    charle_buf_add_text(out, "};\n");
}

// --- indexes --------------------------------------------------------------------------------------------------------

// A partial unique index is no promise about all rows, so its columns are not told either.
static bool is_plain(const struct ch_model_index *index)
{
    if (index->is_unique && index->where_pg)
        return false;
    for (size_t i = 0; i < index->part_count; i++)
        if (!index->parts[i].column)
            return false;
    return true;
}

// Unique constraints are indexes to whoever asks what is unique, so both stand in one list.
static void unique_item(struct charle_buf *out, const struct ch_model_unique *unique)
{
    charle_buf_printf(out, "    {.name = \"%s\", .is_unique = true, .columns = (const uint16_t[]){", unique->name);
    for (size_t i = 0; i < unique->column_count; i++)
        charle_buf_printf(out, "%s%u", i ? ", " : "", unique->columns[i]->index);
    charle_buf_printf(out, "}, .column_count = %zu},\n", unique->column_count);
}

static void index_item(struct charle_buf *out, const struct ch_model_index *index)
{
    charle_buf_printf(out, "    {.name = \"%s\", .is_unique = %s", index->name, index->is_unique ? "true" : "false");
    if (is_plain(index)) {
        charle_buf_add_text(out, ", .columns = (const uint16_t[]){");
        for (size_t i = 0; i < index->part_count; i++)
            charle_buf_printf(out, "%s%u", i ? ", " : "", index->parts[i].column->index);
        charle_buf_printf(out, "}, .column_count = %zu", index->part_count);
    }
    charle_buf_add_text(out, "},\n");
}

static void indexes(struct charle_buf *out, const struct ch_model_table *table)
{
    if (!table->index_count && !table->unique_count)
        return;
    charle_buf_printf(out, "static const struct charle_index %s_indexes[] = {\n", table->c_name);
    for (size_t i = 0; i < table->unique_count; i++)
        unique_item(out, &table->uniques[i]);
    for (size_t i = 0; i < table->index_count; i++)
        index_item(out, &table->indexes[i]);
    charle_buf_add_text(out, "};\n");
}

// --- audiences ------------------------------------------------------------------------------------------------------

static void audience(struct charle_buf *out, const struct ch_model_audience *a)
{
    charle_buf_printf(out, "    {\n        .name = CHARLE_STR_INIT(\"%s\"), .kind = CHARLE_AUDIENCE_%s,\n", a->name,
                      kind_names[a->kind]);
    if (a->kind == CHARLE_AUDIENCE_COLUMN)
        charle_buf_printf(out, "        .column = %u,\n", a->key->index);
    set_member(out, "columns", &a->columns, "        ");
    text_member(out, "where_pg", a->where_pg, "        ");
    text_member(out, "where_sqlite", a->where_sqlite, "        ");
    text_member(out, "path_from", a->path_from, "        ");
    text_member(out, "path_key", a->path_key, "        ");
    charle_buf_add_text(out, "    },\n");
}

static void audiences(struct charle_buf *out, const struct ch_model_table *table)
{
    if (!table->audience_count)
        return;
    charle_buf_printf(out, "static const struct charle_audience %s_audiences[] = {\n", table->c_name);
    for (size_t i = 0; i < table->audience_count; i++)
        audience(out, &table->audiences[i]);
    charle_buf_printf(out, "};\nstatic const struct charle_column_set %s_replica_columns = {{0x%llxu, 0x%llxu}};\n",
                      table->c_name, (unsigned long long)table->replica_columns.bits[0],
                      (unsigned long long)table->replica_columns.bits[1]);
}

static void allow(struct charle_buf *out, const char *what, const char *const *templates)
{
    charle_buf_printf(out, "    .allow_%s = (const char *const[]){", what);
    for (; *templates; templates++) {
        ch_c_string(out, *templates, 0);
        charle_buf_add_text(out, ", ");
    }
    charle_buf_add_text(out, "NULL},\n");
}

// --- SQL ------------------------------------------------------------------------------------------------------------

static void ddl(struct charle_buf *out, const char *member,
                void (*write)(struct charle_buf *, const struct ch_model_table *), const struct ch_model_table *table)
{
    struct charle_buf sql = {0};
    bool is_servers = strncmp(member, "replica_", 8) != 0;

    if (!table->is_local || !is_servers)
        write(&sql, table);
    text_member(out, member, charle_buf_text(&sql), "    ");
    charle_buf_deinit(&sql);
}

static void write_triggers(struct charle_buf *out, const struct ch_model_table *table)
{
    if (table->is_replicated)
        ch_gen_stamp_sql(table, out);
}

static void write_replica(struct charle_buf *out, const struct ch_model_table *table)
{
    if (table->is_replicated || table->is_local)
        ch_ddl_replica_create(out, table);
}

static void write_replica_indexes(struct charle_buf *out, const struct ch_model_table *table)
{
    if (table->is_replicated || table->is_local)
        ch_ddl_replica_indexes(out, table);
}

static void table_head(struct charle_buf *out, const struct ch_model_table *table)
{
    const char *c = table->c_name;

    charle_buf_printf(out,
                      "\nconst struct charle_table %s_table = {\n    .id = %u, .name = CHARLE_STR_INIT(\"%s\"), .group "
                      "= CHARLE_STR_INIT(",
                      c, table->id, table->name);
    ch_c_string(out, table->group, 0);
    charle_buf_add_text(out, "),\n");
    text_member(out, "comment", table->comment ? table->comment : "", "    ");
    charle_buf_printf(out,
                      "    .row = &%s_message, .patch = &%s_message,\n    .insert = &%s_message, .key = &%s_message,\n",
                      table->row->c_name, table->patch->c_name, table->insert->c_name, table->key->c_name);
    charle_buf_printf(
        out, "    .columns = %s_columns, .column_count = %zu,\n    .key_columns = %s_key_columns, .key_count = %zu,\n",
        c, table->column_count, c, table->key_count);
    if (table->unique_count || table->index_count)
        charle_buf_printf(out, "    .indexes = %s_indexes, .index_count = %zu,\n", c,
                          table->unique_count + table->index_count);
    charle_buf_printf(out, "    .is_replicated = %s,\n", table->is_replicated ? "true" : "false");
    if (table->is_local)
        charle_buf_add_text(out, "    .is_local = true,\n");
    if (table->audience_count)
        charle_buf_printf(
            out, "    .audiences = %s_audiences, .audience_count = %zu, .replica_columns = &%s_replica_columns,\n", c,
            table->audience_count, c);
}

static void foreign_tables(struct charle_buf *out, const struct ch_model_table *table)
{
    for (size_t i = 0; i < table->column_count; i++) {
        const struct ch_model_table *to = table->columns[i].references;
        bool is_new = to && to->file != table->file;

        for (size_t j = 0; is_new && j < i; j++)
            is_new = table->columns[j].references != to;
        if (is_new)
            charle_buf_printf(out, "\nextern const struct charle_table %s_table;", to->c_name);
    }
    charle_buf_add_byte(out, '\n');
}

void ch_out_table_data(struct ch_gen *gen, struct charle_buf *out, const struct ch_model_table *table)
{
    (void)gen;
    foreign_tables(out, table);
    columns(out, table);
    indexes(out, table);
    audiences(out, table);
    table_head(out, table);
    if (!table->audience_count)
        charle_buf_printf(out, "    .replica_columns = &(const struct charle_column_set){{0x%llxu, 0x%llxu}},\n",
                          (unsigned long long)table->replica_columns.bits[0], (unsigned long long)table->replica_columns.bits[1]);
    allow(out, "create", table->allow_create);
    allow(out, "update", table->allow_update);
    allow(out, "delete", table->allow_delete);
    charle_buf_printf(out, "    .is_offline = %s,\n", table->is_offline ? "true" : "false");
    ddl(out, "pg_create", ch_ddl_pg_create, table);
    ddl(out, "pg_foreign_keys", ch_ddl_pg_foreign_keys, table);
    ddl(out, "pg_indexes", ch_ddl_pg_indexes, table);
    ddl(out, "pg_triggers", write_triggers, table);
    ddl(out, "sqlite_create", ch_ddl_sqlite_create, table);
    ddl(out, "sqlite_indexes", ch_ddl_sqlite_indexes, table);
    ddl(out, "replica_create", write_replica, table);
    ddl(out, "replica_indexes", write_replica_indexes, table);
    charle_buf_add_text(out, "};\n");
}
