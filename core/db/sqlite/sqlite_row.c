#include "db/sqlite/sqlite_row.h"

#include "db/record.h"
#include "db/sqlite/internal.h"
#include "msg/scalar.h"

#include <math.h>

static int bind_text(sqlite3_stmt *statement, int parameter, const void *text, size_t len)
{
    return sqlite3_bind_text64(statement, parameter, len ? text : "", len, SQLITE_STATIC, SQLITE_UTF8);
}

static int bind_copied(sqlite3_stmt *statement, int parameter, const char *text, struct charle_arena *arena)
{
    struct charle_str copy = charle_arena_str(arena, charle_str(text));
    return copy.ptr ? bind_text(statement, parameter, copy.ptr, copy.len) : SQLITE_NOMEM;
}

static int bind_uuid(sqlite3_stmt *statement, int parameter, const struct charle_column *column,
                     const struct ch_row_cell *cell, struct charle_arena *arena)
{
    char text[CHARLE_UUID_TEXT_LEN + 1];
    struct charle_uuid uuid;
    if (column->field->wire != CHARLE_WIRE_BYTES)
        return bind_text(statement, parameter, cell->bytes.ptr, cell->bytes.len);
    if (cell->bytes.len != sizeof(uuid.bytes))
        return SQLITE_MISMATCH;
    memcpy(uuid.bytes, cell->bytes.ptr, sizeof(uuid.bytes));
    charle_uuid_write(uuid, text);
    return bind_copied(statement, parameter, text, arena);
}

static int bind_date(sqlite3_stmt *statement, int parameter, int64_t days, struct charle_arena *arena)
{
    char text[CHARLE_DATE_TEXT_SIZE];
    if (!charle_date_is_text((struct charle_date){(int32_t)days}))
        return SQLITE_RANGE;
    charle_date_write((struct charle_date){(int32_t)days}, text);
    return bind_copied(statement, parameter, text, arena);
}

static int bind_float(sqlite3_stmt *statement, int parameter, double value)
{
    return isnan(value) ? bind_text(statement, parameter, "NaN", 3) : sqlite3_bind_double(statement, parameter, value);
}

static int bind_enum(sqlite3_stmt *statement, int parameter, const struct charle_column *column, int64_t number,
                     struct charle_arena *arena)
{
    struct charle_str text;
    if (ch_row_enum_text(column->field, (int32_t)number, arena, &text, NULL))
        return SQLITE_NOMEM;
    return bind_text(statement, parameter, text.ptr, text.len);
}

static int bind_cell(sqlite3_stmt *statement, int parameter, const struct charle_column *column,
                     const struct ch_row_cell *cell, struct charle_arena *arena)
{
    switch ((enum charle_type)column->field->type) {
    case CHARLE_TYPE_BOOL:
    case CHARLE_TYPE_INT4:
    case CHARLE_TYPE_INT8:
    case CHARLE_TYPE_TIMESTAMPTZ:
    case CHARLE_TYPE_UINT4:
    case CHARLE_TYPE_UINT8:
        return sqlite3_bind_int64(statement, parameter, ch_row_cell_int(column, cell));
    case CHARLE_TYPE_ENUM:
        return bind_enum(statement, parameter, column, ch_row_cell_int(column, cell), arena);
    case CHARLE_TYPE_DATE:
        return bind_date(statement, parameter, ch_row_cell_int(column, cell), arena);
    case CHARLE_TYPE_FLOAT8:
    case CHARLE_TYPE_FLOAT4:
        return bind_float(statement, parameter, ch_row_cell_float(column, cell));
    case CHARLE_TYPE_TEXT:
    case CHARLE_TYPE_NUMERIC:
    case CHARLE_TYPE_JSONB:
        return bind_text(statement, parameter, cell->bytes.ptr, cell->bytes.len);
    case CHARLE_TYPE_BYTES:
        return sqlite3_bind_blob64(statement, parameter, cell->bytes.len ? (const void *)cell->bytes.ptr : "",
                                   cell->bytes.len, SQLITE_STATIC);
    case CHARLE_TYPE_UUID:
        return bind_uuid(statement, parameter, column, cell, arena);
    case CHARLE_TYPE_MESSAGE:
        break;
    }
    return SQLITE_MISMATCH;
}

static enum charle_err bind_array(sqlite3_stmt *statement, int parameter, const struct charle_column *column,
                                  struct charle_bytes row, struct charle_arena *arena, struct charle_error *err)
{
    struct charle_array array = {0};
    struct charle_str text;
    enum charle_err rc = ch_row_array(column, row, arena, &array, err);
    if (!rc && column->field->type == CHARLE_TYPE_ENUM)
        rc = ch_row_enum_texts(column->field, &array, arena, &array, err);
    if (!rc)
        rc = ch_sqlite_array_write((enum charle_type)column->field->type, &array, arena, &text, err);
    if (!rc && bind_text(statement, parameter, text.ptr, text.len))
        rc = charle_fail(err, CHARLE_NO_MEMORY, "out of memory while binding an array");
    return rc;
}

enum charle_err ch_sqlite_bind_row(sqlite3_stmt *statement, int first_parameter, const struct charle_table *table,
                                   const struct charle_column_set *columns, struct charle_bytes row,
                                   struct charle_arena *arena, struct charle_error *err)
{
    struct ch_row_cell cells[CH_COLUMNS_MAX];
    int parameter = first_parameter;
    enum charle_err rc = ch_row_scan(table, row, cells, err);
    for (size_t i = 0; !rc && i < table->column_count; i++) {
        if (!charle_column_set_has(columns, i))
            continue;
        const struct charle_column *column = &table->columns[i];
        int code = SQLITE_OK;
        if (column->is_array && (cells[i].has || !column->is_nullable))
            rc = bind_array(statement, parameter, column, row, arena, err);
        else if (cells[i].has)
            code = bind_cell(statement, parameter, column, &cells[i], arena);
        else
            code = sqlite3_bind_null(statement, parameter);
        if (code)
            rc = charle_fail_foreign(err, code == SQLITE_NOMEM ? CHARLE_NO_MEMORY : CHARLE_INVALID_ARGUMENT,
                                     CHARLE_DOMAIN_SQLITE, code, "%.*s.%.*s: the value cannot be stored in SQLite",
                                     CHARLE_FMT(table->name), CHARLE_FMT(column->name));
        parameter++;
    }
    return rc;
}

// --- reading --------------------------------------------------------------------------------------------------------

// Values that may be stored in more than one form, or need a check, go through the general reader.
static enum charle_err add_checked(sqlite3_stmt *statement, int at, const struct charle_column *column,
                                   struct charle_arena *arena, struct charle_buf *buf, struct charle_error *err)
{
    const struct charle_field *field = column->field;
    struct charle_value value;
    int32_t number = 0;
    enum charle_err rc =
        ch_sqlite_column(statement, at, (enum charle_type)field->type, column->is_array, arena, &value, err);
    if (rc)
        return rc;
    if (column->is_array && field->type == CHARLE_TYPE_ENUM)
        rc = ch_row_enum_numbers(field, &value.array, arena, &value.array, err);
    if (!rc && column->is_array) {
        ch_row_add_array(buf, field, &value.array);
        return CHARLE_OK;
    }
    switch ((enum charle_type)value.type) {
    case CHARLE_TYPE_BOOL:
        ch_row_add_int(buf, field, value.boolean);
        break;
    case CHARLE_TYPE_INT4:
    case CHARLE_TYPE_DATE:
        ch_row_add_int(buf, field, value.int4);
        break;
    case CHARLE_TYPE_FLOAT8:
        ch_row_add_float(buf, field, value.float8);
        break;
    case CHARLE_TYPE_UUID:
        ch_row_add_uuid(buf, field, value.uuid.bytes);
        break;
    case CHARLE_TYPE_TEXT:
        if (field->type == CHARLE_TYPE_ENUM)
            rc = ch_row_enum_number(field, value.text, &number, err);
        if (field->type == CHARLE_TYPE_ENUM && !rc)
            ch_row_add_int(buf, field, number);
        else if (!rc)
            ch_row_add_bytes(buf, field, value.text.ptr, value.text.len);
        break;
    default: // NUMERIC, JSONB, BYTES; INT8 and TIMESTAMPTZ come here only when they are not integers, which failed
             // above
        ch_row_add_bytes(buf, field, value.text.ptr, value.text.len);
    }
    return rc;
}

static enum charle_err add_column(sqlite3_stmt *statement, int at, const struct charle_column *column,
                                  struct charle_arena *arena, struct charle_buf *buf, struct charle_error *err)
{
    enum charle_type type = (enum charle_type)column->field->type;
    int stored = sqlite3_column_type(statement, at);
    if (stored == SQLITE_NULL)
        return CHARLE_OK;
    if (column->is_array)
        return add_checked(statement, at, column, arena, buf, err);
    if (stored == SQLITE_INTEGER && (type == CHARLE_TYPE_INT8 || type == CHARLE_TYPE_TIMESTAMPTZ)) {
        ch_row_add_int(buf, column->field, sqlite3_column_int64(statement, at));
        return CHARLE_OK;
    }
    if (stored == SQLITE_TEXT && (type == CHARLE_TYPE_TEXT || type == CHARLE_TYPE_JSONB)) {
        struct charle_str text = ch_sqlite_text(statement, at);
        ch_row_add_bytes(buf, column->field, text.ptr, text.len);
        return CHARLE_OK;
    }
    return add_checked(statement, at, column, arena, buf, err);
}

enum charle_err ch_sqlite_read_row(sqlite3_stmt *statement, int first_column, const struct charle_table *table,
                                   const struct charle_column_set *columns, struct charle_arena *arena,
                                   struct charle_buf *buf, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < table->row->field_count; i++) {
        const struct charle_column *column = ch_row_column(table, &table->row->fields[i]);
        if (!column || !charle_column_set_has(columns, column->index))
            continue;
        int at = first_column + (int)charle_column_set_rank(columns, column->index);
        rc = add_column(statement, at, column, arena, buf, err);
        if (rc)
            rc = charle_error_prefix(err, rc, "table %.*s", CHARLE_FMT(table->name));
    }
    if (!rc && buf->failed)
        rc = charle_fail(err, buf->failed, "a row of %.*s does not fit", CHARLE_FMT(table->name));
    return rc;
}

// --- writer ---------------------------------------------------------------------------------------------------------

enum { UPDATE_PAUSE_MAX = 63 };

static void write_upsert(const struct ch_sqlite_writer *writer, struct charle_buf *sql)
{
    const struct charle_table *table = writer->table;
    size_t count = charle_column_set_count(&writer->columns);
    bool first = true;
    charle_buf_add_text(sql, "insert into ");
    charle_sql_write_name(sql, table->name);
    charle_buf_add_text(sql, " (");
    charle_table_write_columns(table, &writer->columns, "", sql);
    charle_buf_add_text(sql, ") values (");
    for (size_t i = 1; i <= count; i++)
        charle_buf_printf(sql, i == 1 ? "?%zu" : ", ?%zu", i);
    charle_buf_add_text(sql, ") on conflict (");
    charle_table_write_columns(table, &writer->key, "", sql);
    charle_buf_add_text(sql, ") do ");
    for (size_t i = 0; i < table->column_count; i++) {
        if (!charle_column_set_has(&writer->columns, i) || charle_column_set_has(&writer->key, i))
            continue;
        charle_buf_add_text(sql, first ? "update set " : ", ");
        first = false;
        charle_sql_write_name(sql, table->columns[i].name);
        charle_buf_add_text(sql, " = excluded.");
        charle_sql_write_name(sql, table->columns[i].name);
    }
    if (first)
        charle_buf_add_text(sql, "nothing");
}

static struct charle_column_set indexed_columns(const struct charle_table *table)
{
    struct charle_column_set set = {{0, 0}};
    for (size_t i = 0; i < table->index_count; i++)
        for (size_t j = 0; j < table->indexes[i].column_count; j++)
            charle_column_set_add(&set, table->indexes[i].columns[j]);
    return set;
}

// Writes the row that is there, as long as no indexed column moves: SQLite rewrites every index of a column that an
// UPDATE names, whether or not its value changes, and that costs several times as much as the row. Parameters are
// numbered as those of the upsert. The plus signs keep SQLite from looking for the row by anything but its key. Nothing
// is written when the table has no such columns.
static void write_update(const struct ch_sqlite_writer *writer, struct charle_buf *sql)
{
    const struct charle_table *table = writer->table;
    struct charle_column_set indexed = indexed_columns(table);
    struct charle_buf where = {0};
    size_t parameter = 0, set_count = 0, compared_count = 0;
    charle_buf_add_text(sql, "update ");
    charle_sql_write_name(sql, table->name);
    for (size_t i = 0; i < table->column_count; i++) {
        if (!charle_column_set_has(&writer->columns, i))
            continue;
        bool is_key = charle_column_set_has(&writer->key, i);
        bool is_compared = !is_key && charle_column_set_has(&indexed, i);
        struct charle_buf *buf = is_key || is_compared ? &where : sql;
        if (buf == sql)
            charle_buf_add_text(buf, set_count++ ? ", " : " set ");
        else
            charle_buf_add_text(buf, where.size ? " and " : " where ");
        compared_count += is_compared;
        charle_buf_add_text(buf, is_compared ? "+" : "");
        charle_sql_write_name(buf, table->columns[i].name);
        charle_buf_printf(buf, is_compared ? " is ?%zu" : " = ?%zu", ++parameter);
    }
    charle_buf_add_str(sql, charle_buf_str(&where));
    if (!set_count || !compared_count)
        charle_buf_reset(sql);
    if (where.failed)
        sql->failed = where.failed;
    charle_buf_deinit(&where);
}

static void write_delete(const struct ch_sqlite_writer *writer, struct charle_buf *sql)
{
    const struct charle_table *table = writer->table;
    size_t parameter = 1;
    charle_buf_add_text(sql, "delete from ");
    charle_sql_write_name(sql, table->name);
    for (size_t i = 0; i < table->column_count; i++) {
        if (!charle_column_set_has(&writer->key, i))
            continue;
        charle_buf_add_text(sql, parameter == 1 ? " where " : " and ");
        charle_sql_write_name(sql, table->columns[i].name);
        charle_buf_printf(sql, " = ?%zu", parameter++);
    }
}

static enum charle_err prepare(sqlite3 *handle, struct charle_buf *sql, sqlite3_stmt **out, struct charle_error *err)
{
    const char *text = charle_buf_text(sql);
    if (!text)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while preparing a writer");
    int code = sqlite3_prepare_v3(handle, text, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    return code ? ch_sqlite_fail(handle, code, "preparing a writer", err) : CHARLE_OK;
}

enum charle_err ch_sqlite_writer_open(struct ch_sqlite_writer *writer, struct charle_db *db,
                                      const struct charle_table *table, const struct charle_column_set *columns,
                                      struct charle_error *err)
{
    struct charle_buf sql = {0};
    *writer = (struct ch_sqlite_writer){
        .table = table, .columns = *columns, .key = charle_table_key_set(table), .handle = ch_sqlite_handle(db)};
    write_upsert(writer, &sql);
    enum charle_err rc = prepare(writer->handle, &sql, &writer->upsert, err);
    charle_buf_reset(&sql);
    write_update(writer, &sql);
    if (!rc && (sql.size || sql.failed))
        rc = prepare(writer->handle, &sql, &writer->update, err);
    charle_buf_reset(&sql);
    write_delete(writer, &sql);
    if (!rc)
        rc = prepare(writer->handle, &sql, &writer->remove, err);
    charle_buf_deinit(&sql);
    if (rc)
        ch_sqlite_writer_close(writer);
    return rc;
}

static enum charle_err run(struct ch_sqlite_writer *writer, sqlite3_stmt *statement,
                           const struct charle_column_set *columns, struct charle_bytes row, struct charle_error *err)
{
    charle_arena_reset(&writer->arena);
    enum charle_err rc = ch_sqlite_bind_row(statement, 1, writer->table, columns, row, &writer->arena, err);
    if (rc)
        return rc;
    int code = sqlite3_step(statement);
    if (code != SQLITE_DONE)
        rc = ch_sqlite_fail(writer->handle, code, "writing a row", err);
    sqlite3_reset(statement);
    return rc;
}

// Rows come in runs: of changes, for which the update is the short way, or of new rows, for which it is a detour. After
// each miss in a row twice as many rows go straight to the upsert.
static void note_update(struct ch_sqlite_writer *writer, bool is_hit)
{
    writer->update_pause = is_hit ? 0 : writer->update_pause * 2 + 1;
    if (writer->update_pause > UPDATE_PAUSE_MAX)
        writer->update_pause = UPDATE_PAUSE_MAX;
    writer->update_after = writer->update_pause;
}

enum charle_err ch_sqlite_writer_put(struct ch_sqlite_writer *writer, struct charle_bytes row, struct charle_error *err)
{
    if (writer->update && writer->update_after > 0) {
        writer->update_after--;
    } else if (writer->update) {
        enum charle_err rc = run(writer, writer->update, &writer->columns, row, err);
        bool is_hit = rc == CHARLE_OK && sqlite3_changes64(writer->handle) > 0;
        note_update(writer, is_hit);
        if (rc || is_hit)
            return rc;
    }
    return run(writer, writer->upsert, &writer->columns, row, err);
}

enum charle_err ch_sqlite_writer_delete(struct ch_sqlite_writer *writer, struct charle_bytes key,
                                        struct charle_error *err)
{
    return run(writer, writer->remove, &writer->key, key, err);
}

void ch_sqlite_writer_close(struct ch_sqlite_writer *writer)
{
    if (!writer)
        return;
    sqlite3_finalize(writer->upsert);
    sqlite3_finalize(writer->update);
    sqlite3_finalize(writer->remove);
    charle_arena_deinit(&writer->arena);
    *writer = (struct ch_sqlite_writer){0};
}
