#include "client/fill.h"

#include "base/alloc.h"
#include "base/slow.h"
#include "db/record.h"
#include "sync/shape.h"

// --- what is missing ------------------------------------------------------------------------------------------------------

static void free_tables(struct ch_fill *fill)
{
    for (size_t i = 0; i < fill->count; i++) {
        struct ch_fill_table *item = &fill->tables[i];
        for (size_t a = 0; item->audiences && a < item->table->schema->audience_count; a++)
            ch_sqlite_writer_close(&item->audiences[a].writer);
        for (size_t a = 0; item->updates && a < item->table->schema->audience_count; a++)
            sqlite3_finalize(item->updates[a]);
        ch_free(item->updates);
        ch_free(item->audiences);
    }
    ch_free(fill->tables);
    fill->tables = NULL;
    fill->count = 0;
}

void ch_fill_deinit(struct ch_fill *fill)
{
    free_tables(fill);
    charle_buf_deinit(&fill->shape);
    *fill = (struct ch_fill){0};
}

struct ch_fill_table *ch_fill_find(const struct ch_fill *fill, const struct ch_table *table)
{
    for (size_t i = 0; i < fill->count; i++) {
        if (fill->tables[i].table == table)
            return &fill->tables[i];
    }
    return NULL;
}

struct ch_table_audience *ch_fill_audience(const struct ch_fill *fill, struct ch_table *table, struct charle_str scope)
{
    struct ch_fill_table *item = ch_fill_find(fill, table);
    struct ch_table_audience *whole = item ? ch_table_audience_of(table, scope) : NULL;
    struct ch_table_audience *part = whole ? &item->audiences[whole - table->audiences] : NULL;
    bool shows_more = part && ((part->columns.bits[0] & ~table->key.bits[0]) || (part->columns.bits[1] & ~table->key.bits[1]));
    return shows_more || (part && item->takes_rows) ? part : NULL;
}

static struct charle_column_set both(const struct charle_column_set *a, const struct charle_column_set *b)
{
    return (struct charle_column_set){{a->bits[0] & b->bits[0], a->bits[1] & b->bits[1]}};
}

static enum charle_err add_table(struct ch_fill *fill, struct ch_table *table, struct charle_error *err)
{
    struct ch_fill_table *item = &fill->tables[fill->count];
    *item = (struct ch_fill_table){.table = table, .columns = table->key};
    item->audiences = ch_alloc_zeroed(table->schema->audience_count ? table->schema->audience_count : 1, sizeof(*item->audiences));
    item->updates = ch_alloc_zeroed(table->schema->audience_count ? table->schema->audience_count : 1, sizeof(sqlite3_stmt *));
    fill->count++;
    return item->audiences && item->updates ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for what a table lacks");
}

static enum charle_err add_missing(struct ch_fill *fill, struct ch_replica *replica, int64_t tab, int64_t number, struct charle_error *err)
{
    struct ch_table *table = ch_table_by_id(&replica->tables, (uint32_t)tab);
    if (!table)
        return CHARLE_OK;
    struct ch_fill_table *item = ch_fill_find(fill, table);
    if (!item) {
        CHARLE_ASSERT(fill->count < replica->tables.count); // each table once, whatever the file says
        enum charle_err rc = add_table(fill, table, err);
        if (rc)
            return rc;
        item = &fill->tables[fill->count - 1];
    }
    const struct charle_column *column = charle_table_column_numbered(table->schema, (uint32_t)number);
    if (number == 0)
        item->takes_rows = true;
    else if (column && charle_column_set_has(&table->columns, column->index))
        charle_column_set_add(&item->columns, column->index);
    return CHARLE_OK;
}

static enum charle_err read_missing(struct ch_fill *fill, struct ch_replica *replica, struct charle_error *err)
{
    sqlite3_stmt *row;
    enum charle_err rc = ch_lite_one(&replica->sql, CH_LITE_FILL_ALL, &row, err, "");
    while (rc == CHARLE_OK) {
        rc = add_missing(fill, replica, sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 1), err);
        if (rc) {
            ch_lite_end(row);
            return rc;
        }
        rc = ch_lite_next(&replica->sql, row, err);
    }
    for (size_t i = 0; i < fill->count; i++) {
        struct ch_fill_table *item = &fill->tables[i];
        for (size_t a = 0; a < item->table->schema->audience_count; a++) {
            const struct ch_table_audience *whole = &item->table->audiences[a];
            item->audiences[a] = (struct ch_table_audience){.audience = whole->audience, .columns = both(&whole->columns, &item->columns),
                                                            .is_member = whole->is_member};
        }
    }
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

// --- rows ------------------------------------------------------------------------------------------------------------------

// The columns' values are bound in the order of their positions, the key's among them.
static enum charle_err prepare_update(struct ch_tables *tables, const struct ch_table *table, const struct charle_column_set *columns,
                                      sqlite3_stmt **out, struct charle_error *err)
{
    struct charle_buf set = {0}, where = {0};
    int parameter = 0;
    for (size_t i = 0; i < table->schema->column_count; i++) {
        if (!charle_column_set_has(columns, i))
            continue;
        bool is_key = charle_column_set_has(&table->key, i);
        struct charle_buf *part = is_key ? &where : &set;
        charle_buf_add_text(part, part->size ? is_key ? " and " : ", " : "");
        charle_sql_write_name(part, table->schema->columns[i].name);
        charle_buf_printf(part, " = ?%d", ++parameter);
    }
    struct charle_buf sql = {0};
    charle_buf_add_text(&sql, "update ");
    charle_sql_write_name(&sql, table->schema->name);
    charle_buf_add_text(&sql, " set ");
    charle_buf_add(&sql, set.data, set.size);
    charle_buf_add_text(&sql, " where ");
    charle_buf_add(&sql, where.data, where.size);
    const char *text = set.failed || where.failed ? NULL : charle_buf_text(&sql);
    enum charle_err rc = text ? ch_lite_prepare(tables->sql, text, out, err) : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a statement");
    charle_buf_deinit(&set);
    charle_buf_deinit(&where);
    charle_buf_deinit(&sql);
    return rc;
}

enum charle_err ch_fill_put(const struct ch_fill *fill, struct ch_tables *tables, struct ch_table *table, struct ch_table_audience *audience,
                            struct charle_str scope, struct charle_bytes row, struct charle_error *err)
{
    struct ch_fill_table *item = ch_fill_find(fill, table);
    CHARLE_ASSERT(item && audience >= item->audiences); // one of ch_fill_audience's
    size_t index = (size_t)(audience - item->audiences);
    CHARLE_ASSERT(index < table->schema->audience_count);
    CHARLE_ASSERT_SLOW(!sqlite3_get_autocommit(tables->sql->db));
    const struct charle_column_set *whole = &table->audiences[index].columns, *part = &audience->columns;
    enum charle_err rc = CHARLE_OK;
    if (item->takes_rows && whole->bits[0] == part->bits[0] && whole->bits[1] == part->bits[1])
        return ch_table_put(tables, table, audience, scope, row, err);
    if (!item->updates[index])
        rc = prepare_update(tables, table, part, &item->updates[index], err);
    charle_arena_reset(&tables->arena);
    if (!rc)
        rc = ch_sqlite_bind_row(item->updates[index], 1, table->schema, part, row, &tables->arena, err);
    ch_table_note_change(table);
    return rc ? rc : ch_lite_step_done(tables->sql, item->updates[index], err);
}

// --- how it is described to the server -------------------------------------------------------------------------------------

// The table with these columns only, for as long as the arena.
static const struct charle_table *narrow_table(const struct ch_fill_table *item, struct charle_arena *arena)
{
    const struct charle_table *schema = item->table->schema;
    struct charle_table *table = charle_arena_alloc(arena, sizeof(*table));
    struct charle_message *row = charle_arena_alloc(arena, sizeof(*row));
    struct charle_field *fields = charle_arena_array(arena, schema->row->field_count, sizeof(*fields));
    struct charle_audience *audiences = charle_arena_array(arena, schema->audience_count + 1, sizeof(*audiences));
    size_t count = 0;
    if (!table || !row || !fields || !audiences)
        return NULL;
    for (size_t i = 0; i < schema->row->field_count; i++) {
        const struct charle_column *column = charle_table_column_numbered(schema, schema->row->fields[i].number);
        if (column && charle_column_set_has(&item->columns, column->index))
            fields[count++] = schema->row->fields[i];
    }
    for (size_t i = 0; i < schema->audience_count; i++) {
        audiences[i] = schema->audiences[i];
        audiences[i].columns = item->audiences[i].columns;
    }
    CHARLE_ASSERT(count > 0 && count <= schema->row->field_count); // the key at least
    *row = *schema->row;
    row->fields = fields;
    row->field_count = count;
    *table = *schema;
    table->row = row;
    table->audiences = audiences;
    return table;
}

static enum charle_err describe(struct ch_fill *fill, const struct charle_schema *schema, struct charle_error *err)
{
    struct charle_arena arena = {0};
    struct charle_schema narrow = *schema;
    const struct charle_table **tables = charle_arena_array(&arena, fill->count, sizeof(*tables));
    bool ok = tables != NULL;
    for (size_t i = 0; ok && i < fill->count; i++) {
        tables[i] = narrow_table(&fill->tables[i], &arena);
        ok = tables[i] != NULL;
    }
    narrow.tables = tables;
    narrow.table_count = fill->count;
    charle_buf_reset(&fill->shape);
    enum charle_err rc = ok ? ch_shape_write(&narrow, &fill->shape, err) : charle_fail(err, CHARLE_NO_MEMORY, "no memory to describe a schema");
    charle_arena_deinit(&arena);
    return rc;
}

// --- in and out ------------------------------------------------------------------------------------------------------------

enum charle_err ch_fill_load(struct ch_fill *fill, struct ch_replica *replica, struct charle_error *err)
{
    ch_fill_deinit(fill);
    fill->tables = ch_alloc_zeroed(replica->tables.count ? replica->tables.count : 1, sizeof(*fill->tables));
    if (!fill->tables)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for what the tables lack");
    enum charle_err rc = ch_replica_begin(replica, CH_FETCHABLE, err);
    if (!rc) {
        rc = read_missing(fill, replica, err);
        ch_replica_rollback(replica);
    }
    if (!rc && fill->count)
        rc = describe(fill, replica->schema, err);
    if (rc)
        ch_fill_deinit(fill);
    fill->is_loaded = !rc;
    return rc;
}

enum charle_err ch_fill_done(struct ch_fill *fill, struct ch_replica *replica, struct charle_error *err)
{
    free_tables(fill);
    enum charle_err rc = ch_replica_begin(replica, CH_DURABLE, err);
    return rc ? rc : ch_replica_end(replica, ch_lite_run(&replica->sql, CH_LITE_FILL_CLEAR, err, ""), err);
}

static enum charle_err doubt_all(struct ch_replica *replica, struct charle_error *err)
{
    enum charle_err rc = ch_lite_run(&replica->sql, CH_LITE_FILL_CLEAR, err, "");
    return rc ? rc : ch_lite_run(&replica->sql, CH_LITE_CURSOR_DOUBT_ALL, err, "");
}

enum charle_err ch_fill_give_up(struct ch_fill *fill, struct ch_replica *replica, struct charle_error *err)
{
    free_tables(fill);
    enum charle_err rc = ch_replica_begin(replica, CH_DURABLE, err);
    return rc ? rc : ch_replica_end(replica, doubt_all(replica, err), err);
}
