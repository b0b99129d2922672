// INSERT, UPDATE and DELETE, and the door to all statements.
#include "base/limits.h"
#include "db/sql.h"

// --- insert ---------------------------------------------------------------------------------------------------------

// The message that the rows are structs of: the insert message, or whole rows.
static const struct charle_message *row_message(const struct charle_query *query)
{
    const struct charle_table *table = query->table.table;
    if (table->insert && query->rows_size == table->insert->size)
        return table->insert;
    return query->rows_size == table->row->size ? table->row : NULL;
}

static const void *row_at(const struct charle_query *query, size_t index)
{
    return (const char *)query->rows + index * query->rows_size;
}

static bool is_present(const struct charle_field *field, const void *row)
{
    const struct charle_array *array = charle_field_ptr(field, row);
    if (field->label == CHARLE_REPEATED)
        return array->has || array->count > 0;
    return field->label == CHARLE_REQUIRED || charle_field_has(field, row);
}

// Whether two rows leave out the same columns.
static bool is_alike(const struct charle_message *message, const void *a, const void *b)
{
    for (size_t i = 0; i < message->field_count; i++)
        if (is_present(&message->fields[i], a) != is_present(&message->fields[i], b))
            return false;
    return true;
}

size_t ch_sql_insert_run(const struct charle_query *query, size_t first)
{
    const struct charle_message *message = row_message(query);
    size_t count = 1, run = 1;
    while (message && first + count < query->rows_count && count < CH_QUERY_INSERT_ROWS &&
           is_alike(message, row_at(query, first), row_at(query, first + count)))
        count++;
    while (run * 2 <= count) // lengths are powers of two, so that there are few statements
        run *= 2;
    return run;
}

static void insert_row(struct ch_sql *sql, const struct charle_query *query, const struct charle_message *message,
                       const void *row)
{
    struct charle_error err = {0};
    bool is_first = true;
    ch_sql_add(sql, "(");
    for (size_t i = 0; i < message->field_count && !sql->failed; i++) {
        const struct charle_field *field = &message->fields[i];
        const struct charle_column *column = charle_table_column_numbered(query->table.table, field->number);
        struct charle_value value;
        if (!column || !is_present(field, row))
            continue;
        if (charle_record_value(column, field, row, sql->arena, &value, &err))
            ch_sql_fail(sql, err.code, "%.*s: %s", CHARLE_FMT(query->table.table->name), err.text);
        ch_sql_add(sql, is_first ? "" : ", ");
        ch_sql_bind(sql, &value);
        is_first = false;
    }
    ch_sql_add(sql, ")");
}

static bool insert_columns(struct ch_sql *sql, const struct charle_query *query, const struct charle_message *message,
                           const void *row)
{
    bool is_first = true;
    for (size_t i = 0; i < message->field_count; i++) {
        const struct charle_column *column =
            charle_table_column_numbered(query->table.table, message->fields[i].number);
        if (!column || !is_present(&message->fields[i], row))
            continue;
        ch_sql_add(sql, is_first ? " (" : ", ");
        charle_sql_write_name(&sql->text, column->name);
        is_first = false;
    }
    ch_sql_add(sql, is_first ? " default values" : ")");
    return !is_first;
}

static void assignments(struct ch_sql *sql, const struct charle_query *query)
{
    struct charle_column_set seen = {{0, 0}};
    if (query->assignment_count == 0)
        ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT, "an update of %.*s changes nothing; give it a set(…)",
                    CHARLE_FMT(query->table.table->name));
    for (size_t i = 0; i < query->assignment_count && !sql->failed; i++) {
        const struct charle_assignment *a = &query->assignments[i];
        const struct charle_column *column = ch_sql_column(a->ref);
        if (!column || a->ref.table != query->table.table || a->ref.alias || charle_colref_function(a->ref)) {
            ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT, "%.*s cannot be set in an update of %.*s",
                        CHARLE_FMT(column ? column->name : CHARLE_STR("what is no column")),
                        CHARLE_FMT(query->table.table->name));
            return;
        }
        if (charle_column_set_has(&seen, column->index))
            ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT, "%.*s is set twice", CHARLE_FMT(column->name));
        charle_column_set_add(&seen, column->index);
        ch_sql_add(sql, i ? ", " : " set ");
        charle_sql_write_name(&sql->text, column->name);
        ch_sql_add(sql, " = ");
        ch_sql_operand(sql, a->ref, &a->value);
    }
}

static void on_conflict(struct ch_sql *sql, const struct charle_query *query)
{
    ch_sql_add(sql, " on conflict ");
    for (size_t i = 0; i < query->target_count && !sql->failed; i++) {
        const struct charle_column *column = ch_sql_column(query->targets[i]);
        if (!column || query->targets[i].table != query->table.table) {
            ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT, "the target of a conflict must be columns of %.*s",
                        CHARLE_FMT(query->table.table->name));
            return;
        }
        ch_sql_add(sql, i ? ", " : "(");
        charle_sql_write_name(&sql->text, column->name);
    }
    if (query->conflict == CHARLE_CONFLICT_NOTHING) {
        ch_sql_add(sql, query->target_count ? ") do nothing" : "do nothing");
        return;
    }
    ch_sql_add(sql, ") do update");
    assignments(sql, query);
}

static void insert(struct ch_sql *sql, const struct charle_query *query, size_t first_row, size_t row_count)
{
    const struct charle_message *message = row_message(query);
    const struct charle_table *table = query->table.table;
    if (!message) {
        ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT,
                    "an insert into %.*s was given structs of %zu bytes; it takes the table's insert "
                    "message, which has %zu",
                    CHARLE_FMT(table->name), query->rows_size, table->insert ? table->insert->size : table->row->size);
        return;
    }
    ch_sql_check_table(sql, table);
    ch_sql_add(sql, "insert into ");
    charle_sql_write_name(&sql->text, table->name);
    if (insert_columns(sql, query, message, row_at(query, first_row))) {
        ch_sql_add(sql, " values ");
        for (size_t i = 0; i < row_count && !sql->failed; i++) {
            ch_sql_add(sql, i ? ", " : "");
            insert_row(sql, query, message, row_at(query, first_row + i));
        }
    }
    if (query->conflict != CHARLE_CONFLICT_ERROR)
        on_conflict(sql, query);
}

// --- update and delete
// ------------------------------------------------------------------------------------------------

static void condition(struct ch_sql *sql, const struct charle_query *query, const char *verb)
{
    if (ch_sql_is_always(&query->where, true) && query->where.op != CHARLE_OP_EVERY_ROW)
        ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT,
                    "the condition of %s of %.*s is empty, so it would hit every row; write every_row() "
                    "if that is meant",
                    verb, CHARLE_FMT(query->table.table->name));
    ch_sql_add(sql, " where ");
    ch_sql_expr(sql, &query->where);
}

static void update(struct ch_sql *sql, const struct charle_query *query)
{
    ch_sql_check_table(sql, query->table.table);
    ch_sql_add(sql, "update ");
    charle_sql_write_name(&sql->text, query->table.table->name);
    assignments(sql, query);
    condition(sql, query, "an update");
}

static void delete_rows(struct ch_sql *sql, const struct charle_query *query)
{
    ch_sql_check_table(sql, query->table.table);
    ch_sql_add(sql, "delete from ");
    charle_sql_write_name(&sql->text, query->table.table->name);
    condition(sql, query, "a delete");
}

// A statement that writes sees its one table, and in an upsert the row that could not be inserted.
static void write_statement(struct ch_sql *sql, const struct charle_query *query, size_t first_row, size_t row_count)
{
    struct ch_sql_scope scope = {0};
    if (!query->table.table || query->table.alias) {
        ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT, "a statement that writes takes a table's constant, without an alias");
        return;
    }
    scope.tables[scope.count++] = (struct ch_sql_table){query->table.table, 0, false};
    if (query->conflict == CHARLE_CONFLICT_UPDATE)
        scope.tables[scope.count++] = (struct ch_sql_table){query->table.table, CHARLE_ALIAS_EXCLUDED, false};
    sql->scope = &scope;
    if (query->statement == CHARLE_INSERT)
        insert(sql, query, first_row, row_count);
    else if (query->statement == CHARLE_UPDATE)
        update(sql, query);
    else
        delete_rows(sql, query);
    scope.count = 1;
    if (query->shape && !sql->failed) {
        sql->is_unqualified = true; // SQLite wants it so
        ch_sql_add(sql, " returning ");
        ch_sql_shape(sql, query, false);
    }
    sql->scope = NULL;
}

enum charle_err ch_sql_build(struct ch_sql *sql, enum charle_dialect dialect, const char *service,
                             const struct charle_query *query, size_t first_row, size_t row_count,
                             struct charle_arena *arena, struct charle_error *err)
{
    *sql = (struct ch_sql){.dialect = dialect, .arena = arena, .err = err};
    charle_buf_init(&sql->text, CH_QUERY_TEXT_MAX);
    if (service && *service)
        charle_buf_printf(&sql->text, "/* %s */ ", service);
    if (query->statement == CHARLE_SELECT)
        ch_sql_select(sql, query);
    else
        write_statement(sql, query, first_row, row_count);
    if (!sql->failed && (sql->text.failed || !charle_buf_text(&sql->text)))
        ch_sql_fail(sql, sql->text.failed ? sql->text.failed : CHARLE_NO_MEMORY,
                    "the text of a statement is larger than %zu KiB", CH_QUERY_TEXT_MAX >> 10);
    return sql->failed;
}
