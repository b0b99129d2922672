// Who sees a row of the replica: one audience's scope, any other scope that is held, and what happens when a row leaves one.
//
// The SQL here is made of pieces over a row with the alias r; ?1 is always the scope in question and ?2 its key.
//   in_scope(A)   the row is in the scope ?1 of the audience A
//   in_other(B)   the row is in a held scope of the audience B other than ?1; held: in charle_cursor, not merely being copied, not evicted
// A row leaves a scope: columns that no in_other(B) of an audience B showing the column keeps are emptied; a row without any is deleted.
//
// What the row itself says is true as long as all scopes are. When scopes are in doubt, a row that is really gone may look, by its old values,
// as if each of two scopes kept it for the other. So when scopes are compared with the server, first everything that the server denies is
// collected (temp.charle_denied: scope, table, key), and only when all is known rows leave: by then in_other leaves out what was denied. And a row
// may hold columns of a scope that by its own values it is not in, so then all rows are looked at.
#include "client/table.h"

#include "base/slow.h"
#include "db/record.h"
#include "sync/cursor.h"

struct ch_table_audience *ch_table_audience_of(struct ch_table *table, struct charle_str scope)
{
    struct charle_str name = ch_scope_audience(scope);
    for (size_t i = 0; i < table->schema->audience_count; i++) {
        if (!table->audiences[i].is_unserved && charle_str_equal(table->audiences[i].audience->name, name))
            return &table->audiences[i];
    }
    return NULL;
}

// --- can the row itself say it? -----------------------------------------------------------------------------------------

struct read_check {
    const struct ch_table *table;
    const struct charle_column_set *shown;
    bool is_outside;
};

static int note_read(void *ctx, int action, const char *table_name, const char *column_name, const char *database,
                     const char *trigger)
{
    struct read_check *check = ctx;
    (void)database;
    (void)trigger;
    struct charle_str name = charle_str(column_name); // empty: the table is named, and nothing of it is read
    if (action != SQLITE_READ || !charle_str_equal(charle_str(table_name), check->table->schema->name) || !name.len)
        return SQLITE_OK;
    const struct charle_column *column = charle_table_column(check->table->schema, name);
    if (!column || !charle_column_set_has(check->shown, column->index))
        check->is_outside = true;
    return SQLITE_OK;
}

static enum charle_err where_is_shown(struct ch_tables *tables, const struct ch_table *table, const struct ch_table_audience *audience, bool *out,
                                      struct charle_error *err)
{
    *out = true;
    if (!audience->audience->where_sqlite)
        return CHARLE_OK;
    struct read_check check = {table, &audience->columns, false};
    charle_buf_reset(&tables->text);
    charle_buf_add_text(&tables->text, "select 1 from ");
    charle_sql_write_name(&tables->text, table->schema->name);
    charle_buf_printf(&tables->text, " as r where %s", audience->audience->where_sqlite);
    const char *text = charle_buf_text(&tables->text);
    sqlite3_stmt *stmt = NULL;
    if (!text)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a statement");
    sqlite3_set_authorizer(tables->sql->db, note_read, &check);
    int code = sqlite3_prepare_v2(tables->sql->db, text, -1, &stmt, NULL);
    sqlite3_set_authorizer(tables->sql->db, NULL, NULL);
    sqlite3_finalize(stmt);
    *out = code == SQLITE_OK && !check.is_outside;
    // A column that the replica lacks fails to prepare, with this code; any other says nothing about columns.
    return code == SQLITE_OK || code == SQLITE_ERROR ? CHARLE_OK : ch_lite_fail(tables->sql, code, "looking at who sees a table", err);
}

enum charle_err ch_table_check_audiences(struct ch_tables *tables, struct ch_table *table, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < table->schema->audience_count; i++) {
        struct ch_table_audience *audience = &table->audiences[i];
        bool is_shown;
        rc = where_is_shown(tables, table, audience, &is_shown, err);
        audience->is_member = audience->audience->kind == CHARLE_AUDIENCE_PATH || !is_shown;
    }
    return rc;
}

// --- pieces of SQL ------------------------------------------------------------------------------------------------------

// Audiences have the names of identifiers: there is nothing to quote in them.
static void add_string(struct charle_buf *sql, struct charle_str name)
{
    charle_buf_printf(sql, "'%.*s'", CHARLE_FMT(name));
}

static void add_where(const struct ch_table_audience *audience, struct charle_buf *sql)
{
    if (audience->audience->where_sqlite)
        charle_buf_printf(sql, " and coalesce((%s), 0)", audience->audience->where_sqlite);
}

static void add_column(const struct ch_table *table, size_t index, struct charle_buf *sql)
{
    charle_buf_add_text(sql, "r.");
    charle_sql_write_name(sql, table->schema->columns[index].name);
}

void ch_table_add_in_scope(const struct ch_table *table, const struct ch_table_audience *audience, struct charle_buf *sql)
{
    if (audience->is_member) {
        charle_buf_printf(sql, "exists (select 1 from charle_member m where m.tab = %u and m.scope = ?1 and m.key = ",
                          table->schema->id);
        ch_table_add_key_text(table, sql);
        charle_buf_add_text(sql, ")");
        return;
    }
    charle_buf_add_text(sql, "(?1 is not null");
    if (audience->audience->kind == CHARLE_AUDIENCE_COLUMN) {
        charle_buf_add_text(sql, " and ");
        add_column(table, audience->audience->column, sql);
        charle_buf_add_text(sql, " = ?2");
    }
    add_where(audience, sql);
    charle_buf_add_text(sql, ")");
}

enum other { OTHER_THAN_THIS, OTHER_THAN_DENIED };

static void add_in_other(const struct ch_table *table, const struct ch_table_audience *audience, enum other other,
                         struct charle_buf *sql)
{
    struct charle_str name = audience->audience->name;
    charle_buf_add_text(sql, "(exists (select 1 from charle_cursor c");
    if (audience->is_member) {
        charle_buf_printf(sql, " join charle_member m on m.scope = c.scope where m.tab = %u and m.key = ", table->schema->id);
        ch_table_add_key_text(table, sql);
        charle_buf_add_text(sql, " and (c.scope = ");
        add_string(sql, name);
        charle_buf_printf(sql, " or substr(c.scope, 1, %zu) = ", name.len + 1);
        add_string(sql, name);
        charle_buf_add_text(sql, " || ':')");
    } else if (audience->audience->kind == CHARLE_AUDIENCE_COLUMN) {
        charle_buf_add_text(sql, " where c.scope = ");
        add_string(sql, name);
        charle_buf_add_text(sql, " || ':' || ");
        add_column(table, audience->audience->column, sql);
    } else {
        charle_buf_add_text(sql, " where c.scope = ");
        add_string(sql, name);
    }
    if (other == OTHER_THAN_THIS) {
        charle_buf_add_text(sql, " and c.state not in (2, 5) and c.scope <> ?1)");
    } else {
        charle_buf_printf(sql, " and c.state not in (2, 5) and not exists (select 1 from temp.charle_denied d where d.tab = %u and "
                          "d.scope = c.scope and d.key = ", table->schema->id);
        ch_table_add_key_text(table, sql);
        charle_buf_add_text(sql, "))");
    }
    if (!audience->is_member)
        add_where(audience, sql);
    charle_buf_add_text(sql, ")");
}

// The row is in another held scope; with `column` >= 0 in one that shows the column.
static void add_in_any_other(const struct ch_table *table, int column, enum other other, struct charle_buf *sql)
{
    const char *separator = "(";
    for (size_t i = 0; i < table->schema->audience_count; i++) {
        const struct ch_table_audience *audience = &table->audiences[i];
        if (audience->is_unserved || (column >= 0 && !charle_column_set_has(&audience->columns, (size_t)column)))
            continue;
        charle_buf_add_text(sql, separator);
        add_in_other(table, audience, other, sql);
        separator = " or ";
    }
    charle_buf_add_text(sql, *separator == '(' ? "0" : ")");
}

void ch_table_add_in_any_other(const struct ch_table *table, struct charle_buf *sql)
{
    add_in_any_other(table, -1, OTHER_THAN_THIS, sql);
}

static void add_range(const struct ch_table *table, bool has_after, const char *before_operator, bool has_before,
                      struct charle_buf *sql)
{
    if (has_after) {
        charle_buf_add_text(sql, " and ");
        ch_table_add_key_columns(table, sql);
        charle_buf_add_text(sql, " > ");
        ch_table_add_key_values(table, "?3", sql);
    }
    if (has_before) {
        charle_buf_add_text(sql, " and ");
        ch_table_add_key_columns(table, sql);
        charle_buf_printf(sql, " %s ", before_operator);
        ch_table_add_key_values(table, "?4", sql);
    }
}

// --- running it ---------------------------------------------------------------------------------------------------------

struct range {
    struct charle_str scope, key, after, before;
    struct ch_table *table; // whose keys the bounds are, perhaps as the wire has them; NULL: there are no bounds
};

// A bound may come from the server, which writes moments as texts; the replica has numbers, and every text is larger than every number.
static enum charle_err bind_bound(struct ch_tables *tables, sqlite3_stmt *stmt, int parameter, const struct range *range, struct charle_str key,
                                  struct charle_error *err)
{
    struct charle_buf bound = {0};
    if (!key.ptr)
        return CHARLE_OK; // stays NULL
    enum charle_err rc = ch_table_key_of_wire(tables, range->table, key, &bound, err);
    struct charle_str text = charle_buf_str(&bound);
    if (!rc && sqlite3_bind_text(stmt, parameter, text.ptr ? text.ptr : "", (int)text.len, SQLITE_TRANSIENT) != SQLITE_OK)
        rc = charle_fail(err, CHARLE_NO_MEMORY, "no memory for the bound of a range");
    charle_buf_deinit(&bound);
    return rc;
}

static enum charle_err bind_range(struct ch_tables *tables, sqlite3_stmt **stmt, const struct range *range,
                                  struct charle_error *err)
{
    const char *text = charle_buf_text(&tables->text);
    if (!text)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a statement");
    enum charle_err rc = ch_sqlite_statement(tables->db, text, stmt, err);
    if (rc)
        return rc;
    const struct charle_str values[] = {range->scope, range->key, range->after, range->before};
    int count = sqlite3_bind_parameter_count(*stmt);
    CHARLE_ASSERT(count >= 0 && count <= 4 && !sqlite3_stmt_busy(*stmt));
    for (int i = 0; !rc && i < 4 && i < count; i++) {
        if (range->table && i >= 2)
            rc = bind_bound(tables, *stmt, i + 1, range, values[i], err);
        else
            sqlite3_bind_text(*stmt, i + 1, values[i].ptr, (int)values[i].len, SQLITE_STATIC);
    }
    if (rc)
        ch_lite_end(*stmt);
    return rc;
}

static enum charle_err run_range(struct ch_tables *tables, const struct range *range, int64_t *changed,
                                 struct charle_error *err)
{
    sqlite3_stmt *stmt;
    CHARLE_ASSERT_SLOW(!sqlite3_get_autocommit(tables->sql->db)); // rows leave in a transaction
    enum charle_err rc = bind_range(tables, &stmt, range, err);
    if (!rc)
        rc = ch_lite_step_done(tables->sql, stmt, err);
    if (!rc)
        *changed += sqlite3_changes64(tables->sql->db);
    return rc;
}

// Empties the columns that only the scope showed, of rows that stay. One statement, because the columns decide who sees the row.
static enum charle_err empty_columns(struct ch_tables *tables, struct ch_table *table, struct ch_table_audience *audience,
                                     const struct range *range, int64_t *changed, struct charle_error *err)
{
    struct charle_buf *sql = &tables->text;
    charle_buf_reset(sql);
    charle_buf_add_text(sql, "update ");
    charle_sql_write_name(sql, table->schema->name);
    const char *separator = " as r set ";
    for (size_t i = 0; i < table->schema->column_count; i++) {
        if (!charle_column_set_has(&audience->columns, i) || charle_column_set_has(&table->key, i))
            continue;
        charle_buf_add_text(sql, separator);
        charle_sql_write_name(sql, table->schema->columns[i].name);
        charle_buf_add_text(sql, " = case when ");
        add_in_any_other(table, (int)i, OTHER_THAN_THIS, sql);
        charle_buf_add_text(sql, " then ");
        add_column(table, i, sql);
        charle_buf_add_text(sql, " end");
        separator = ", ";
    }
    if (*separator == ' ')
        return CHARLE_OK; // nothing but the key
    charle_buf_add_text(sql, " where ");
    ch_table_add_in_scope(table, audience, sql);
    charle_buf_add_text(sql, " and ");
    add_in_any_other(table, -1, OTHER_THAN_THIS, sql);
    return run_range(tables, range, changed, err);
}

static enum charle_err delete_rows(struct ch_tables *tables, struct ch_table *table, struct ch_table_audience *audience,
                                   const struct range *range, int64_t *changed, struct charle_error *err)
{
    struct charle_buf *sql = &tables->text;
    charle_buf_reset(sql);
    charle_buf_add_text(sql, "delete from ");
    charle_sql_write_name(sql, table->schema->name);
    charle_buf_add_text(sql, " as r where ");
    ch_table_add_in_scope(table, audience, sql);
    charle_buf_add_text(sql, " and not ");
    add_in_any_other(table, -1, OTHER_THAN_THIS, sql);
    return run_range(tables, range, changed, err);
}

enum charle_err ch_table_leave_scope(struct ch_tables *tables, struct ch_table *table, struct ch_table_audience *audience,
                                     struct charle_str scope, struct charle_error *err)
{
    const struct range range = {.scope = scope, .key = ch_scope_key(scope)};
    int64_t changed = 0;
    CHARLE_ASSERT((size_t)(audience - table->audiences) < table->schema->audience_count);
    ch_table_note_change(table);
    enum charle_err rc = empty_columns(tables, table, audience, &range, &changed, err);
    return rc ? rc : delete_rows(tables, table, audience, &range, &changed, err);
}

// --- what the server denies -----------------------------------------------------------------------------------------------

enum charle_err ch_tables_begin_denials(struct ch_tables *tables, struct charle_error *err)
{
    return ch_lite_script(tables->sql, "create temp table if not exists charle_denied (scope text, tab integer, key text, "
                         "primary key (tab, key, scope)) without rowid; delete from temp.charle_denied; "
                         "create temp table if not exists charle_going (scope text, tab integer, key text, "
                         "primary key (tab, key, scope)) without rowid; delete from temp.charle_going", "comparing with the server", err);
}

enum charle_err ch_table_has_rows(struct ch_tables *tables, struct ch_table *table, struct ch_table_audience *audience,
                                  struct charle_str scope, struct charle_str after, struct charle_str until, bool *out,
                                  struct charle_error *err)
{
    const struct range range = {scope, ch_scope_key(scope), after, until, table};
    struct charle_buf *sql = &tables->text;
    charle_buf_reset(sql);
    charle_buf_add_text(sql, "select 1 from ");
    charle_sql_write_name(sql, table->schema->name);
    charle_buf_add_text(sql, " as r where ");
    ch_table_add_in_scope(table, audience, sql);
    add_range(table, after.ptr, "<=", until.ptr, sql);
    charle_buf_add_text(sql, " limit 1");
    sqlite3_stmt *stmt;
    *out = false;
    enum charle_err rc = bind_range(tables, &stmt, &range, err);
    if (!rc)
        rc = ch_lite_next(tables->sql, stmt, err);
    *out = rc == CHARLE_OK;
    if (!rc)
        ch_lite_end(stmt);
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

enum charle_err ch_table_deny(struct ch_tables *tables, struct ch_table *table, struct ch_table_audience *audience,
                              struct charle_str scope, struct charle_str after, struct charle_str before, bool is_inclusive,
                              int64_t *out_rows, struct charle_error *err)
{
    const struct range range = {scope, ch_scope_key(scope), after, before, table};
    struct charle_buf *sql = &tables->text;
    charle_buf_reset(sql);
    charle_buf_printf(sql, "insert or ignore into temp.charle_denied(scope, tab, key) select ?1, %u, ", table->schema->id);
    ch_table_add_key_text(table, sql);
    charle_buf_add_text(sql, " from ");
    charle_sql_write_name(sql, table->schema->name);
    charle_buf_add_text(sql, " as r where ");
    ch_table_add_in_scope(table, audience, sql);
    add_range(table, after.ptr, is_inclusive ? "<=" : "<", before.ptr, sql);
    *out_rows = 0;
    return run_range(tables, &range, out_rows, err);
}

static enum charle_err run_text(struct ch_tables *tables, struct charle_error *err)
{
    const char *text = charle_buf_text(&tables->text);
    return text ? ch_lite_script(tables->sql, text, "mending a table", err)
                : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a statement");
}

static bool is_value(const struct ch_table *table, size_t column)
{
    return charle_column_set_has(&table->columns, column) && !charle_column_set_has(&table->key, column);
}

static bool has_values(const struct ch_table *table)
{
    for (size_t i = 0; i < table->schema->column_count; i++) {
        if (is_value(table, i))
            return true;
    }
    return false;
}

// Which audiences show the column, as bits.
static uint64_t shown_by(const struct ch_table *table, size_t column)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < table->schema->audience_count; i++)
        bits |= (uint64_t)charle_column_set_has(&table->audiences[i].columns, column) << i;
    return bits;
}

// A column has a value that no scope shows. Columns shown by the same audiences are asked for together, and for a value first: that is cheap.
static void add_too_much(const struct ch_table *table, struct charle_buf *sql)
{
    charle_buf_add_text(sql, "(0");
    for (size_t i = 0; i < table->schema->column_count; i++) {
        bool is_first = is_value(table, i);
        for (size_t j = 0; is_first && j < i; j++)
            is_first = !is_value(table, j) || shown_by(table, j) != shown_by(table, i);
        if (!is_first)
            continue;
        charle_buf_add_text(sql, " or ((0");
        for (size_t j = i; j < table->schema->column_count; j++) {
            if (!is_value(table, j) || shown_by(table, j) != shown_by(table, i))
                continue;
            charle_buf_add_text(sql, " or ");
            add_column(table, j, sql);
            charle_buf_add_text(sql, " is not null");
        }
        charle_buf_add_text(sql, ") and not ");
        add_in_any_other(table, (int)i, OTHER_THAN_DENIED, sql);
        charle_buf_add_text(sql, ")");
    }
    charle_buf_add_text(sql, ")");
}

static void add_limit(const struct ch_table *table, bool is_all, struct charle_buf *sql)
{
    charle_buf_add_text(sql, " where ");
    if (is_all)
        return;
    ch_table_add_key_text(table, sql);
    charle_buf_printf(sql, " in (select d.key from temp.charle_denied d where d.tab = %u) and ", table->schema->id);
}

static void add_empty_unshown(const struct ch_table *table, bool is_all, struct charle_buf *sql)
{
    const char *separator = " as r set ";
    charle_buf_add_text(sql, "update ");
    charle_sql_write_name(sql, table->schema->name);
    for (size_t i = 0; i < table->schema->column_count; i++) {
        if (!is_value(table, i))
            continue;
        charle_buf_add_text(sql, separator);
        separator = ", ";
        charle_sql_write_name(sql, table->schema->columns[i].name);
        charle_buf_add_text(sql, " = case when ");
        add_in_any_other(table, (int)i, OTHER_THAN_DENIED, sql);
        charle_buf_add_text(sql, " then ");
        add_column(table, i, sql);
        charle_buf_add_text(sql, " end");
    }
    add_limit(table, is_all, sql);
    add_too_much(table, sql);
    charle_buf_add_text(sql, "; ");
}

enum charle_err ch_table_leave_unshown(struct ch_tables *tables, struct ch_table *table, bool is_all, struct charle_error *err)
{
    struct charle_buf *sql = &tables->text;
    ch_table_note_change(table);
    charle_buf_reset(sql);
    charle_buf_printf(sql, "delete from charle_member where tab = %u and (key, scope) in (select d.key, d.scope from temp.charle_denied d "
                      "where d.tab = %u); ", table->schema->id, table->schema->id);
    charle_buf_add_text(sql, "delete from ");
    charle_sql_write_name(sql, table->schema->name);
    charle_buf_add_text(sql, " as r");
    add_limit(table, is_all, sql);
    charle_buf_add_text(sql, "not ");
    add_in_any_other(table, -1, OTHER_THAN_DENIED, sql);
    charle_buf_add_text(sql, "; ");
    if (has_values(table))
        add_empty_unshown(table, is_all, sql);
    return run_text(tables, err);
}

// --- one row leaves -----------------------------------------------------------------------------------------------------

static enum charle_err is_held(struct ch_tables *tables, struct charle_str scope, bool *out, struct charle_error *err)
{
    sqlite3_stmt *row;
    enum charle_err rc = ch_lite_one(tables->sql, CH_LITE_CURSOR_GET, &row, err, "s", scope);
    *out = false;
    if (rc)
        return rc == CHARLE_DONE ? CHARLE_OK : rc;
    *out = sqlite3_column_int(row, 2) != 2 && sqlite3_column_int(row, 2) != 5; // neither merely being copied nor evicted
    ch_lite_end(row);
    return CHARLE_OK;
}

// The columns that the scopes the row is still in, and this replica holds, show.
static enum charle_err columns_kept(struct ch_tables *tables, struct ch_table *table, const struct charle_str *still_in,
                                    size_t count, struct charle_column_set *out, bool *out_any, struct charle_error *err)
{
    *out = (struct charle_column_set){0};
    *out_any = false;
    for (size_t i = 0; i < count; i++) {
        struct ch_table_audience *audience = ch_table_audience_of(table, still_in[i]);
        bool held = false;
        enum charle_err rc = audience ? is_held(tables, still_in[i], &held, err) : CHARLE_OK;
        if (rc)
            return rc;
        if (!held)
            continue;
        out->bits[0] |= audience->columns.bits[0];
        out->bits[1] |= audience->columns.bits[1];
        *out_any = true;
    }
    return CHARLE_OK;
}

static enum charle_err empty_row(struct ch_tables *tables, struct ch_table *table, const struct charle_column_set *columns,
                                 struct charle_str key, struct charle_error *err)
{
    struct charle_buf *sql = &tables->text;
    charle_buf_reset(sql);
    charle_buf_add_text(sql, "update ");
    charle_sql_write_name(sql, table->schema->name);
    const char *separator = " as r set ";
    for (size_t i = 0; i < table->schema->column_count; i++) {
        CHARLE_ASSERT(!charle_column_set_has(columns, i) || !charle_column_set_has(&table->key, i));
        if (!charle_column_set_has(columns, i)) // the key is never among them: every audience that is left shows it
            continue;
        charle_buf_add_text(sql, separator);
        charle_sql_write_name(sql, table->schema->columns[i].name);
        charle_buf_add_text(sql, " = null");
        separator = ", ";
    }
    if (*separator == ' ')
        return CHARLE_OK;
    charle_buf_add_text(sql, " where ");
    ch_table_add_key_match(table, "?1", sql);
    int64_t changed = 0;
    return run_range(tables, &(struct range){.scope = key}, &changed, err);
}

static bool has_members(const struct ch_table *table)
{
    for (size_t i = 0; i < table->schema->audience_count; i++) {
        if (table->audiences[i].is_member)
            return true;
    }
    return false;
}

enum charle_err ch_table_leave(struct ch_tables *tables, struct ch_table *table, struct ch_table_audience *audience,
                               struct charle_str scope, struct charle_str key, const struct charle_str *still_in,
                               size_t still_in_count, struct charle_error *err)
{
    struct charle_column_set kept;
    bool stays;
    ch_table_note_change(table);
    enum charle_err rc = columns_kept(tables, table, still_in, still_in_count, &kept, &stays, err);
    if (rc)
        return rc;
    if (!stays) {
        rc = ch_table_restore(tables, table, key, (struct charle_bytes){0}, err);
        if (!rc && has_members(table))
            rc = ch_lite_run(tables->sql, CH_LITE_MEMBER_FORGET, err, "is", (int64_t)table->schema->id, key);
        return rc;
    }
    struct charle_column_set lost = {{audience->columns.bits[0] & ~kept.bits[0], audience->columns.bits[1] & ~kept.bits[1]}};
    rc = empty_row(tables, table, &lost, key, err);
    if (!rc && audience->is_member)
        rc = ch_lite_run(tables->sql, CH_LITE_MEMBER_DELETE, err, "iss", (int64_t)table->schema->id, key, scope);
    return rc;
}

// --- comparing ----------------------------------------------------------------------------------------------------------

// Was the row read, and only found to hold what its columns cannot? Whoever compares wants to know that, and must not be stopped by it.
static bool is_damage(enum charle_err rc)
{
    return rc == CHARLE_INVALID_ARGUMENT || rc == CHARLE_OUT_OF_RANGE || rc == CHARLE_SCHEMA_MISMATCH;
}

enum charle_err ch_table_is_same(struct ch_tables *tables, struct ch_table *table, struct ch_table_audience *audience,
                                 struct charle_str key, struct charle_bytes row, bool *out, struct charle_error *err)
{
    struct charle_buf *sql = &tables->text, bytes = {0};
    charle_buf_reset(sql);
    charle_buf_add_text(sql, "select ");
    charle_table_write_columns(table->schema, &audience->columns, "r.", sql);
    charle_buf_add_text(sql, " from ");
    charle_sql_write_name(sql, table->schema->name);
    charle_buf_add_text(sql, " as r where ");
    ch_table_add_key_match(table, "?1", sql);
    sqlite3_stmt *stmt;
    *out = false;
    enum charle_err rc = bind_range(tables, &stmt, &(struct range){.scope = key}, err);
    if (!rc)
        rc = ch_lite_next(tables->sql, stmt, err);
    if (rc)
        return rc == CHARLE_DONE ? CHARLE_OK : rc;
    charle_arena_reset(&tables->arena);
    rc = ch_sqlite_read_row(stmt, 0, table->schema, &audience->columns, &tables->arena, &bytes, err);
    ch_lite_end(stmt);
    *out = !rc && bytes.size == row.len && memcmp(bytes.data, row.ptr, row.len) == 0;
    charle_buf_deinit(&bytes);
    return is_damage(rc) ? CHARLE_OK : rc;
}

// --- walking through a scope --------------------------------------------------------------------------------------------

enum charle_err ch_table_walk(struct ch_tables *tables, struct ch_table *table, struct ch_table_audience *audience,
                              struct charle_str scope, struct charle_str after, struct charle_str until, ch_table_row_fn fn,
                              void *ctx, struct charle_error *err)
{
    struct charle_buf *sql = &tables->text, bytes = {0};
    charle_buf_reset(sql);
    charle_buf_add_text(sql, "select ");
    charle_table_write_columns(table->schema, &audience->columns, "r.", sql);
    charle_buf_add_text(sql, " from ");
    charle_sql_write_name(sql, table->schema->name);
    charle_buf_add_text(sql, " as r where ");
    ch_table_add_in_scope(table, audience, sql);
    add_range(table, after.ptr, "<=", until.ptr, sql);
    charle_buf_add_text(sql, " order by ");
    for (size_t i = 0; i < table->schema->key_count; i++) {
        charle_buf_add_text(sql, i ? ", " : "");
        add_column(table, table->schema->key_columns[i], sql);
    }
    struct range range = {scope, ch_scope_key(scope), after, until, table};
    sqlite3_stmt *stmt;
    enum charle_err rc = bind_range(tables, &stmt, &range, err);
    if (rc)
        return rc;
    while ((rc = ch_lite_next(tables->sql, stmt, err)) == CHARLE_OK) {
        charle_buf_reset(&bytes);
        charle_arena_reset(&tables->arena);
        rc = ch_sqlite_read_row(stmt, 0, table->schema, &audience->columns, &tables->arena, &bytes, err);
        if (!rc || is_damage(rc))
            rc = fn(ctx, rc ? (struct charle_bytes){0} : charle_buf_bytes(&bytes), err);
        if (rc) {
            ch_lite_end(stmt);
            break;
        }
    }
    charle_buf_deinit(&bytes);
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}
