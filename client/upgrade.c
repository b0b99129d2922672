#include "client/upgrade.h"

#include "base/plant.h"
#include "base/slow.h"
#include "client/rebase.h"
#include "db/record.h"

#include <stdio.h>

enum { TABLE_ROW = 0 }; // number of the row of charle_layout that is about the table; audiences have -1, -2, …

// --- what a table is made from ------------------------------------------------------------------------------------------

static bool is_shown_by_all(const struct charle_table *table, size_t column)
{
    for (size_t i = 0; i < table->audience_count; i++) {
        if (!charle_column_set_has(&table->audiences[i].columns, column))
            return false;
    }
    return true;
}

// A local table has no audience, so nothing of it is hidden from anybody.
static bool is_not_null(const struct charle_table *table, const struct charle_column *column)
{
    return !column->is_nullable && is_shown_by_all(table, column->index);
}

// Everything that makes stored values mean something else.
static void write_kind(const struct charle_table *table, const struct charle_column *column, struct charle_buf *out)
{
    charle_buf_printf(out, "%u %u %d %d %d", column->field->type, column->field->wire, column->is_array, column->is_nullable,
                      is_not_null(table, column));
}

static void write_choices(const struct charle_column *column, struct charle_buf *out)
{
    const struct charle_enum *choices = column->field->enumeration;
    for (size_t i = 0; choices && i < choices->count; i++)
        charle_buf_printf(out, ",%d=%.*s,", choices->values[i].number, CHARLE_FMT(choices->values[i].name));
}

static void write_shows(const struct charle_table *table, const struct charle_column *column, struct charle_buf *out)
{
    for (size_t i = 0; i < table->audience_count; i++) {
        if (charle_column_set_has(&table->audiences[i].columns, column->index))
            charle_buf_printf(out, ",%.*s,", CHARLE_FMT(table->audiences[i].name));
    }
}

static bool is_here(const struct charle_table *table)
{
    return table->is_replicated || table->is_local;
}

static void write_key(const struct charle_table *table, struct charle_buf *out)
{
    charle_buf_add_text(out, table->is_local ? "local " : "");
    for (size_t i = 0; i < table->key_count; i++) {
        const struct charle_column *column = &table->columns[table->key_columns[i]];
        charle_buf_printf(out, "%u:%u ", column->field->number, column->field->type);
    }
}

static void write_rule(const struct charle_table *table, const struct charle_audience *audience, struct charle_buf *out)
{
    CHARLE_ASSERT(audience->kind != CHARLE_AUDIENCE_COLUMN || audience->column < table->column_count);
    uint32_t column = audience->kind == CHARLE_AUDIENCE_COLUMN ? table->columns[audience->column].field->number : 0;
    charle_buf_printf(out, "%d %u|%s|%s|%s", audience->kind, column, audience->where_sqlite ? audience->where_sqlite : "",
                      audience->path_from ? audience->path_from : "", audience->path_key ? audience->path_key : "");
}

struct described {
    struct charle_buf kind, choices, shows;
};

// Never NULL, which would not be equal to itself.
static struct charle_str text_of(const struct charle_buf *buf)
{
    return buf->size ? charle_buf_str(buf) : CHARLE_STR("");
}

static void described_reset(struct described *d)
{
    charle_buf_reset(&d->kind);
    charle_buf_reset(&d->choices);
    charle_buf_reset(&d->shows);
}

static void described_deinit(struct described *d)
{
    charle_buf_deinit(&d->kind);
    charle_buf_deinit(&d->choices);
    charle_buf_deinit(&d->shows);
}

static enum charle_err keep(struct ch_replica *replica, const struct charle_table *table, int64_t number, struct charle_str name,
                            const struct described *d, struct charle_error *err)
{
    if (d->kind.failed || d->choices.failed || d->shows.failed)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory to describe a table");
    return ch_lite_run(&replica->sql, CH_LITE_LAYOUT_ADD, err, "iissss", (int64_t)table->id, number, name, text_of(&d->kind),
                       text_of(&d->choices), text_of(&d->shows));
}

static void describe_column(const struct charle_table *table, const struct charle_column *column, struct described *d)
{
    described_reset(d);
    write_kind(table, column, &d->kind);
    write_choices(column, &d->choices);
    write_shows(table, column, &d->shows);
}

static enum charle_err describe_table(struct ch_replica *replica, const struct charle_table *table, struct described *d,
                                      struct charle_error *err)
{
    described_reset(d);
    write_key(table, &d->kind);
    charle_buf_add_text(&d->choices, table->replica_indexes ? table->replica_indexes : "");
    enum charle_err rc = keep(replica, table, TABLE_ROW, table->name, d, err);
    for (size_t i = 0; !rc && i < table->audience_count; i++) {
        described_reset(d);
        write_rule(table, &table->audiences[i], &d->kind);
        rc = keep(replica, table, -1 - (int64_t)i, table->audiences[i].name, d, err);
    }
    for (size_t i = 0; !rc && i < table->column_count; i++) {
        if (!charle_column_set_has(table->replica_columns, i))
            continue;
        describe_column(table, &table->columns[i], d);
        rc = keep(replica, table, table->columns[i].field->number, table->columns[i].name, d, err);
    }
    return rc;
}

enum charle_err ch_upgrade_describe(struct ch_replica *replica, struct charle_error *err)
{
    struct described d = {0};
    CHARLE_ASSERT_SLOW(ch_replica_is_writing(replica));
    enum charle_err rc = ch_lite_script(&replica->sql, "delete from charle_layout", "describing the tables", err);
    for (size_t i = 0; !rc && i < replica->schema->table_count; i++) {
        if (is_here(replica->schema->tables[i]))
            rc = describe_table(replica, replica->schema->tables[i], &d, err);
    }
    described_deinit(&d);
    return rc;
}

// --- statements made at run time -----------------------------------------------------------------------------------------

static enum charle_err run_text(struct ch_replica *replica, struct charle_buf *text, struct charle_error *err)
{
    const char *script = charle_buf_text(text);
    enum charle_err rc = script ? ch_lite_script(&replica->sql, script, "changing a table", err)
                                : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a statement");
    charle_buf_reset(text);
    return rc;
}

// Runs the statements that a query gives, one row each.
static enum charle_err run_each(struct ch_replica *replica, const char *query, int64_t tab, struct charle_str name, struct charle_error *err)
{
    struct charle_buf script = {0};
    sqlite3_stmt *stmt = NULL;
    enum charle_err rc = ch_lite_prepare(&replica->sql, query, &stmt, err);
    if (!rc) {
        sqlite3_bind_int64(stmt, 1, tab);
        sqlite3_bind_text(stmt, 2, name.ptr, (int)name.len, SQLITE_STATIC);
        while ((rc = ch_lite_next(&replica->sql, stmt, err)) == CHARLE_OK) {
            charle_buf_add_str(&script, ch_lite_text(stmt, 0));
            charle_buf_add_text(&script, ";");
        }
        rc = rc == CHARLE_DONE ? CHARLE_OK : rc;
    }
    sqlite3_finalize(stmt);
    if (!rc && script.size)
        rc = run_text(replica, &script, err);
    charle_buf_deinit(&script);
    return rc;
}

// --- one table ---------------------------------------------------------------------------------------------------------

struct upgrade {
    struct ch_replica *replica;
    const struct charle_table *table;
    struct charle_buf text;      // of statements
    struct described d;
    bool is_impossible;
    struct charle_error *err;
};

// What was described is whole: without memory nothing may be concluded from it.
static enum charle_err check_described(const struct upgrade *u)
{
    bool failed = u->d.kind.failed || u->d.choices.failed || u->d.shows.failed;
    return failed ? charle_fail(u->err, CHARLE_NO_MEMORY, "no memory to describe a table") : CHARLE_OK;
}

// A local table has nothing to fetch.
static enum charle_err note_fill(struct upgrade *u, int64_t number, bool is_new)
{
    if (u->table->is_local || CH_PLANTED(FILL_FORGOTTEN))
        return CHARLE_OK;
    return ch_lite_run(&u->replica->sql, CH_LITE_FILL_ADD, u->err, "iii", (int64_t)u->table->id, number, (int64_t)is_new);
}

static const char *zero_of(const struct charle_column *column)
{
    if (column->is_array)
        return "'[]'";
    switch ((enum charle_type)column->field->type) {
    case CHARLE_TYPE_FLOAT8:
        return "0.0";
    case CHARLE_TYPE_TEXT:
        return "''";
    case CHARLE_TYPE_BYTES:
        return "x''";
    case CHARLE_TYPE_NUMERIC:
        return "'0'";
    case CHARLE_TYPE_DATE:
        return "'1970-01-01'";
    case CHARLE_TYPE_UUID:
        return "'00000000-0000-0000-0000-000000000000'";
    case CHARLE_TYPE_JSONB:
        return "'null'";
    default:
        return "0";
    }
}

static const char *type_of(const struct charle_column *column)
{
    enum charle_type type = column->field->type;
    if (column->is_array)
        return "text";
    if (type == CHARLE_TYPE_FLOAT8)
        return "real";
    if (type == CHARLE_TYPE_BYTES)
        return "blob";
    bool is_integer = type == CHARLE_TYPE_BOOL || type == CHARLE_TYPE_INT4 || type == CHARLE_TYPE_INT8 || type == CHARLE_TYPE_TIMESTAMPTZ;
    return is_integer ? "integer" : "text";
}

static void write_add(struct upgrade *u, const struct charle_column *column, const char *constant)
{
    charle_buf_add_text(&u->text, "alter table ");
    charle_sql_write_name(&u->text, u->table->name);
    charle_buf_add_text(&u->text, " add column ");
    charle_sql_write_name(&u->text, column->name);
    charle_buf_printf(&u->text, " %s", type_of(column));
    if (!is_not_null(u->table, column))
        return;
    if (constant)
        charle_buf_printf(&u->text, " not null default %s", constant);
    else if (column->field->type == CHARLE_TYPE_ENUM && !column->is_array)
        charle_buf_printf(&u->text, " not null default '%.*s'", CHARLE_FMT(column->field->enumeration->values[0].name));
    else
        charle_buf_printf(&u->text, " not null default %s", zero_of(column));
}

// With the schema's default when that is a constant; SQLite takes no other for rows that are there.
static enum charle_err add_column(struct upgrade *u, const struct charle_column *column)
{
    struct charle_error ignored;
    enum charle_err rc = CHARLE_FAILED_PRECONDITION;
    if (column->default_sql.sqlite && is_not_null(u->table, column)) {
        write_add(u, column, column->default_sql.sqlite);
        rc = run_text(u->replica, &u->text, &ignored);
        if (rc == CHARLE_NO_MEMORY || rc == CHARLE_IO || rc == CHARLE_DISK_FULL)
            return charle_fail(u->err, rc, "%s", ignored.text);
    }
    if (rc) {
        write_add(u, column, NULL);
        rc = run_text(u->replica, &u->text, u->err);
    }
    return rc ? rc : note_fill(u, column->field->number, true);
}

static void write_rename(const struct upgrade *u, struct charle_str from, struct charle_str to, struct charle_buf *out)
{
    charle_buf_add_text(out, "alter table ");
    charle_sql_write_name(out, u->table->name);
    charle_buf_add_text(out, " rename column ");
    charle_sql_write_name(out, from);
    charle_buf_add_text(out, " to ");
    charle_sql_write_name(out, to);
    charle_buf_add_text(out, ";");
}

static void write_drop(const struct upgrade *u, struct charle_str name, struct charle_buf *out)
{
    charle_buf_add_text(out, "alter table ");
    charle_sql_write_name(out, u->table->name);
    charle_buf_add_text(out, " drop column ");
    charle_sql_write_name(out, name);
    charle_buf_add_text(out, ";");
}

static bool contains(struct charle_str list, const char *item, size_t len)
{
    return memmem(list.ptr, list.len, item, len) != NULL;
}

// Is every ",item," of one list in the other?
static bool is_part_of(struct charle_str part, struct charle_str whole)
{
    for (size_t at = 0; at < part.len;) {
        const char *end = memchr(part.ptr + at + 1, ',', part.len - at - 1);
        size_t len = end ? (size_t)(end - part.ptr) + 1 - at : part.len - at;
        if (!contains(whole, part.ptr + at, len))
            return false;
        at += len;
    }
    return true;
}

// What becomes of a column that the file has: `row` is what charle_layout says of it.
enum fate { FATE_STAYS, FATE_STAYS_BUT_FILL, FATE_GOES };

static enum fate fate_of(struct upgrade *u, const struct charle_column *column, sqlite3_stmt *row)
{
    describe_column(u->table, column, &u->d);
    struct charle_str choices = ch_lite_text(row, 3), shows = ch_lite_text(row, 4);
    if (!charle_str_equal(text_of(&u->d.kind), ch_lite_text(row, 2)) || !is_part_of(choices, text_of(&u->d.choices)))
        return FATE_GOES;
    if (column->is_array && !charle_str_equal(choices, text_of(&u->d.choices)))
        return FATE_GOES;
    if (!is_part_of(shows, text_of(&u->d.shows)))
        u->is_impossible = true; // somebody must not see it any more
    return is_part_of(text_of(&u->d.shows), shows) ? FATE_STAYS : FATE_STAYS_BUT_FILL;
}

// Values that the old program did not know stand there as "#7".
static void write_choices_learned(const struct upgrade *u, const struct charle_column *column, struct charle_str known, struct charle_buf *out)
{
    const struct charle_enum *choices = column->field->enumeration;
    for (size_t i = 0; choices && !column->is_array && i < choices->count; i++) {
        char item[300];
        int len = snprintf(item, sizeof(item), ",%d=%.*s,", choices->values[i].number, CHARLE_FMT(choices->values[i].name));
        if (contains(known, item, (size_t)len))
            continue;
        charle_buf_add_text(out, "update ");
        charle_sql_write_name(out, u->table->name);
        charle_buf_add_text(out, " set ");
        charle_sql_write_name(out, column->name);
        charle_buf_printf(out, " = '%.*s' where ", CHARLE_FMT(choices->values[i].name));
        charle_sql_write_name(out, column->name);
        charle_buf_printf(out, " = '#%d';", choices->values[i].number);
    }
}

struct column_changes {
    struct charle_buf first, names, learned; // dropped and renamed out of the way; the new names; values of enums that were unknown
    struct charle_column_set here;           // of the new schema's columns those that the file has
};

static enum charle_err collect_column(struct upgrade *u, sqlite3_stmt *row, struct column_changes *changes)
{
    int64_t number = sqlite3_column_int64(row, 0);
    struct charle_str name = ch_lite_text(row, 1);
    const struct charle_column *column = charle_table_column_numbered(u->table, (uint32_t)number);
    bool is_wanted = column && charle_column_set_has(u->table->replica_columns, column->index);
    enum fate fate = is_wanted ? fate_of(u, column, row) : FATE_GOES;
    char between[40];
    enum charle_err rc = check_described(u);
    if (rc)
        return rc;
    if (fate == FATE_GOES) {
        write_drop(u, name, &changes->first);
        return CHARLE_OK;
    }
    CHARLE_ASSERT(column && column->index < u->table->column_count); // only what is wanted stays
    charle_column_set_add(&changes->here, column->index);
    if (!charle_str_equal(name, column->name)) {
        snprintf(between, sizeof(between), "charle_tmp_%lld", (long long)number);
        write_rename(u, name, charle_str(between), &changes->first);
        write_rename(u, charle_str(between), column->name, &changes->names);
    }
    write_choices_learned(u, column, ch_lite_text(row, 3), &changes->learned);
    return fate == FATE_STAYS_BUT_FILL ? note_fill(u, number, false) : CHARLE_OK;
}

static enum charle_err collect_columns(struct upgrade *u, struct column_changes *changes)
{
    struct ch_lite *sql = &u->replica->sql;
    sqlite3_stmt *row;
    enum charle_err rc = ch_lite_one(sql, CH_LITE_LAYOUT_COLUMNS, &row, u->err, "i", (int64_t)u->table->id);
    while (rc == CHARLE_OK) {
        rc = collect_column(u, row, changes);
        if (rc) {
            ch_lite_end(row);
            return rc;
        }
        rc = ch_lite_next(sql, row, u->err);
    }
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

static enum charle_err run_some(struct upgrade *u, struct charle_buf *text)
{
    return text->size && !u->is_impossible ? run_text(u->replica, text, u->err) : CHARLE_OK;
}

// First away with what goes and with names that stand in the way, then the new names, then what comes.
static enum charle_err change_columns(struct upgrade *u)
{
    struct column_changes changes = {0};
    enum charle_err rc = collect_columns(u, &changes);
    if (!rc)
        rc = run_some(u, &changes.first);
    if (!rc)
        rc = run_some(u, &changes.names);
    for (size_t i = 0; !rc && !u->is_impossible && i < u->table->column_count; i++) {
        if (charle_column_set_has(u->table->replica_columns, i) && !charle_column_set_has(&changes.here, i))
            rc = add_column(u, &u->table->columns[i]);
    }
    if (!rc)
        rc = run_some(u, &changes.learned);
    charle_buf_deinit(&changes.first);
    charle_buf_deinit(&changes.names);
    charle_buf_deinit(&changes.learned);
    return rc;
}

// All rules that were must still be; new ones may come, whose rows and columns are fetched.
static enum charle_err compare_audiences(struct upgrade *u)
{
    struct ch_lite *sql = &u->replica->sql;
    const struct charle_table *table = u->table;
    int64_t known = 0, count = 0;
    enum charle_err rc = ch_lite_number(sql, CH_LITE_LAYOUT_AUDIENCES, 0, &count, u->err, "i", (int64_t)table->id);
    for (size_t i = 0; !rc && i < table->audience_count; i++) {
        int64_t has = 0;
        described_reset(&u->d);
        write_rule(table, &table->audiences[i], &u->d.kind);
        rc = check_described(u);
        if (!rc)
            rc = ch_lite_number(sql, CH_LITE_LAYOUT_HAS_RULE, 0, &has, u->err, "iss", (int64_t)table->id, table->audiences[i].name,
                            text_of(&u->d.kind));
        known += has;
        if (rc || has)
            continue;
        rc = note_fill(u, TABLE_ROW, false);
        for (size_t c = 0; !rc && c < table->column_count; c++) {
            if (charle_column_set_has(&table->audiences[i].columns, c))
                rc = note_fill(u, table->columns[c].field->number, false);
        }
    }
    u->is_impossible = u->is_impossible || known != count;
    return rc;
}

static enum charle_err make_table(struct upgrade *u)
{
    enum charle_err rc = ch_lite_script(&u->replica->sql, u->table->replica_create, "making a table", u->err);
    if (!rc && u->table->replica_indexes && *u->table->replica_indexes)
        rc = ch_lite_script(&u->replica->sql, u->table->replica_indexes, "making an index", u->err);
    if (!rc)
        rc = note_fill(u, TABLE_ROW, true);
    for (size_t i = 0; !rc && i < u->table->column_count; i++) {
        if (charle_column_set_has(u->table->replica_columns, i))
            rc = note_fill(u, u->table->columns[i].field->number, true);
    }
    return rc;
}

// Do the file's columns and indexes differ at all from what is wanted? Most tables of most versions do not.
static enum charle_err is_same_table(struct upgrade *u, sqlite3_stmt *row, bool *out)
{
    struct ch_lite *sql = &u->replica->sql;
    struct charle_str indexes = charle_str(u->table->replica_indexes ? u->table->replica_indexes : "");
    int64_t in_file = 0, wanted = 0, found = 0;
    *out = false;
    if (!charle_str_equal(ch_lite_text(row, 1), u->table->name) || !charle_str_equal(ch_lite_text(row, 3), indexes))
        return CHARLE_OK;
    enum charle_err rc = ch_lite_number(sql, CH_LITE_LAYOUT_COLUMN_COUNT, 0, &in_file, u->err, "i", (int64_t)u->table->id);
    for (size_t i = 0; !rc && i < u->table->column_count; i++) {
        const struct charle_column *column = &u->table->columns[i];
        int64_t has = 0;
        if (!charle_column_set_has(u->table->replica_columns, i))
            continue;
        describe_column(u->table, column, &u->d);
        rc = check_described(u);
        if (!rc)
            rc = ch_lite_number(sql, CH_LITE_LAYOUT_HAS_COLUMN, 0, &has, u->err, "iissss", (int64_t)u->table->id, (int64_t)column->field->number,
                            column->name, text_of(&u->d.kind), text_of(&u->d.choices), text_of(&u->d.shows));
        wanted++;
        found += has;
    }
    *out = in_file == wanted && found == wanted;
    return rc;
}

static enum charle_err change_table(struct upgrade *u)
{
    struct ch_replica *replica = u->replica;
    enum charle_err rc = change_columns(u);
    if (!rc && !u->is_impossible && u->table->replica_indexes && *u->table->replica_indexes)
        rc = ch_lite_script(&replica->sql, u->table->replica_indexes, "making an index", u->err);
    return rc;
}

// The table's row of charle_layout: kept open while its columns are looked at by other statements.
static enum charle_err upgrade_table(struct upgrade *u, bool *out_changes)
{
    sqlite3_stmt *row;
    bool is_same = false;
    *out_changes = false;
    enum charle_err rc = ch_lite_one(&u->replica->sql, CH_LITE_LAYOUT_TABLE, &row, u->err, "i", (int64_t)u->table->id);
    if (rc)
        return rc == CHARLE_DONE ? make_table(u) : rc;
    described_reset(&u->d);
    write_key(u->table, &u->d.kind);
    rc = check_described(u);
    u->is_impossible = !rc && !charle_str_equal(text_of(&u->d.kind), ch_lite_text(row, 2));
    if (!rc && !u->is_impossible)
        rc = compare_audiences(u);
    if (!rc && !u->is_impossible)
        rc = is_same_table(u, row, &is_same);
    ch_lite_end(row);
    *out_changes = !rc && !u->is_impossible && !is_same;
    return rc;
}

// --- the schema ---------------------------------------------------------------------------------------------------------

// Tables that the schema does not have any more, with what the platform knows of their rows.
static enum charle_err drop_tables(struct ch_replica *replica, struct charle_error *err)
{
    struct ch_lite *sql = &replica->sql;
    int64_t tab = 0;
    for (;;) {
        enum charle_err rc = ch_lite_number(sql, CH_LITE_LAYOUT_NEXT, 0, &tab, err, "i", tab);
        if (rc || !tab)
            return rc;
        const struct charle_table *table = charle_schema_table(replica->schema, (uint32_t)tab);
        if (table && is_here(table))
            continue;
        rc = run_each(replica, "select printf('drop table \"%w\"', name) from charle_layout where tab = ?1 and number = 0 and ?2 is null",
                      tab, (struct charle_str){0}, err);
        static const enum ch_statement_id forget[] = {CH_LITE_UPGRADE_MEMBER, CH_LITE_UPGRADE_BASE, CH_LITE_UPGRADE_TOUCH, CH_LITE_UPGRADE_FILL,
                                                 CH_LITE_UPGRADE_LAYOUT};
        for (size_t i = 0; !rc && i < sizeof(forget) / sizeof(forget[0]); i++)
            rc = ch_lite_run(sql, forget[i], err, "i", tab);
        if (rc)
            return rc;
    }
}

// Indexes and guards name columns, so they go first; names that change pass through one that nobody has.
static enum charle_err loosen_table(struct ch_replica *replica, const struct charle_table *table, struct charle_error *err)
{
    static const char loose[] = "select printf('drop %s \"%w\"', type, name) from sqlite_master where type in ('index', 'trigger') and sql is not null "
                                "and tbl_name = (select name from charle_layout where tab = ?1 and number = 0) and ?2 is null";
    static const char aside[] = "select printf('alter table \"%w\" rename to charle_tmp_%d', name, ?1) from charle_layout "
                                "where tab = ?1 and number = 0 and name <> ?2";
    enum charle_err rc = run_each(replica, loose, table->id, (struct charle_str){0}, err);
    return rc ? rc : run_each(replica, aside, table->id, table->name, err);
}

static enum charle_err name_table(struct ch_replica *replica, const struct charle_table *table, struct charle_error *err)
{
    static const char name[] = "select printf('alter table charle_tmp_%d rename to \"%w\"', ?1, ?2) from charle_layout "
                               "where tab = ?1 and number = 0 and name <> ?2";
    return run_each(replica, name, table->id, table->name, err);
}

static enum charle_err is_possible(struct ch_replica *replica, bool *out, struct charle_error *err)
{
    int64_t ready = 0, finished = 0, tables = 0;
    enum charle_err rc = ch_meta_number(&replica->sql, "ready", 0, &ready, err);
    if (!rc)
        rc = ch_meta_number(&replica->sql, "is_finished", 0, &finished, err);
    if (!rc)
        rc = ch_lite_number(&replica->sql, CH_LITE_LAYOUT_NEXT, 0, &tables, err, "i", (int64_t)0);
    *out = ready && finished && tables;
    return rc;
}

enum { PASS_LOOSEN, PASS_NAME, PASS_CHANGE, PASSES };

static enum charle_err pass_table(struct upgrade *u, int pass)
{
    if (pass == PASS_LOOSEN)
        return loosen_table(u->replica, u->table, u->err);
    return pass == PASS_NAME ? name_table(u->replica, u->table, u->err) : change_table(u);
}

static enum charle_err upgrade_all(struct upgrade *u, bool *changes, bool only_local)
{
    const struct charle_schema *schema = u->replica->schema;
    CHARLE_ASSERT(schema->table_count <= CH_TABLES_MAX); // the room that `changes` has
    CHARLE_ASSERT_SLOW(ch_replica_is_writing(u->replica));
    enum charle_err rc = only_local ? CHARLE_OK : drop_tables(u->replica, u->err);
    for (size_t i = 0; !rc && !u->is_impossible && i < schema->table_count; i++) {
        u->table = schema->tables[i];
        if (u->table->is_local || (u->table->is_replicated && !only_local))
            rc = upgrade_table(u, &changes[i]);
    }
    // Each pass over all tables: a table may have the name that another one had.
    for (int pass = 0; pass < PASSES; pass++) {
        for (size_t i = 0; !rc && !u->is_impossible && i < schema->table_count; i++) {
            u->table = schema->tables[i];
            if (changes[i])
                rc = pass_table(u, pass);
        }
    }
    return rc;
}

// Local tables have no second source: what they hold is never thrown away.
enum charle_err ch_upgrade_local(struct ch_replica *replica, struct charle_error *err)
{
    struct upgrade u = {.replica = replica, .err = err};
    bool changes[CH_TABLES_MAX] = {false};
    enum charle_err rc = replica->schema->table_count > CH_TABLES_MAX ? CHARLE_OK : upgrade_all(&u, changes, true);
    charle_buf_deinit(&u.text);
    described_deinit(&u.d);
    if (!rc && u.is_impossible)
        rc = charle_fail(err, CHARLE_SCHEMA_MISMATCH, "%s holds the local table %.*s with another primary key; keep the key, or give the table another id",
                         replica->file, CHARLE_FMT(u.table->name));
    if (!rc)
        rc = ch_upgrade_describe(replica, err);
    return rc ? rc : ch_meta_set_number(&replica->sql, "local_hash", ch_upgrade_local_hash(replica->schema), err);
}

// FNV-1a over the local tables' SQL: they are no part of the schema's hash, which is what laptop and server agree on.
int64_t ch_upgrade_local_hash(const struct charle_schema *schema)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < schema->table_count; i++) {
        const struct charle_table *table = schema->tables[i];
        const char *const texts[] = {table->replica_create, table->replica_indexes};
        for (size_t t = 0; table->is_local && t < 2; t++) {
            hash = hash ? hash : 0xcbf29ce484222325u;
            for (const char *c = texts[t] ? texts[t] : ""; *c; c++)
                hash = (hash ^ (uint8_t)*c) * 0x100000001b3u;
        }
    }
    return (int64_t)hash;
}

static enum charle_err note_done(struct ch_replica *replica, struct charle_error *err)
{
    enum charle_err rc = ch_upgrade_describe(replica, err);
    if (!rc)
        rc = ch_layout_guard_tables(replica, err);
    if (!rc)
        rc = ch_meta_set_number(&replica->sql, "rebase_due", 1, err);
    if (!rc)
        rc = ch_meta_set_number(&replica->sql, "local_hash", ch_upgrade_local_hash(replica->schema), err);
    if (!rc)
        rc = ch_meta_set_text(&replica->sql, "schema", replica->schema->name, err);
    return rc ? rc : ch_meta_set_number(&replica->sql, "schema_hash", (int64_t)replica->schema->hash, err);
}

enum charle_err ch_upgrade_tables(struct ch_replica *replica, bool *out_done, struct charle_error *err)
{
    struct upgrade u = {.replica = replica, .err = err};
    bool changes[CH_TABLES_MAX] = {false};
    enum charle_err rc = is_possible(replica, out_done, err);
    if (rc || !*out_done)
        return rc;
    *out_done = false;
    if (replica->schema->table_count > CH_TABLES_MAX)
        return CHARLE_OK;
    rc = ch_lite_script(&replica->sql, "savepoint charle_upgrade", "changing the tables", err);
    if (!rc)
        rc = upgrade_all(&u, changes, false);
    charle_buf_deinit(&u.text);
    described_deinit(&u.d);
    if (!rc && !u.is_impossible) {
        *out_done = true;
        rc = note_done(replica, err);
    } else if (!rc) { // half of it must not stay under what is made anew
        rc = ch_lite_script(&replica->sql, "rollback to charle_upgrade", "changing the tables", err);
    }
    return rc ? rc : ch_lite_script(&replica->sql, "release charle_upgrade", "changing the tables", err);
}

// --- waiting calls ------------------------------------------------------------------------------------------------------

// The columns of which a kept image knows the value: those that were in the file.
static enum charle_err known_columns(struct ch_replica *replica, const struct ch_table *table, struct charle_column_set *out,
                                     struct charle_error *err)
{
    sqlite3_stmt *row;
    *out = table->columns;
    enum charle_err rc = ch_lite_one(&replica->sql, CH_LITE_FILL_NEW, &row, err, "i", (int64_t)table->schema->id);
    for (; rc == CHARLE_OK; rc = ch_lite_next(&replica->sql, row, err)) {
        const struct charle_column *column = charle_table_column_numbered(table->schema, (uint32_t)sqlite3_column_int64(row, 0));
        CHARLE_ASSERT(!column || column->index < table->schema->column_count);
        if (column && !charle_column_set_has(&table->key, column->index))
            out->bits[column->index / 64] &= ~((uint64_t)1 << (column->index % 64));
    }
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

static enum charle_err put_back(struct ch_replica *replica, struct ch_table *table, struct charle_error *err)
{
    struct ch_sqlite_writer writer = {0};
    struct charle_column_set columns;
    sqlite3_stmt *row;
    enum charle_err rc = known_columns(replica, table, &columns, err);
    if (!rc)
        rc = ch_sqlite_writer_open(&writer, replica->db, table->schema, &columns, err);
    if (!rc)
        rc = ch_lite_one(&replica->sql, CH_LITE_BASE_OF_TABLE, &row, err, "i", (int64_t)table->schema->id);
    while (rc == CHARLE_OK) {
        struct charle_bytes image = ch_lite_bytes(row, 1);
        rc = image.ptr ? ch_sqlite_writer_put(&writer, image, err) : ch_table_restore(&replica->tables, table, ch_lite_text(row, 0), image, err);
        if (rc) {
            ch_lite_end(row);
            break;
        }
        rc = ch_lite_next(&replica->sql, row, err);
    }
    ch_table_note_change(table);
    ch_sqlite_writer_close(&writer);
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

static enum charle_err rebase_inside(struct ch_replica *replica, struct charle_error *err)
{
    struct ch_rebase rebase = {.replica = replica, .is_total = true};
    CHARLE_ASSERT_SLOW(ch_replica_is_writing(replica));
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < replica->tables.count; i++)
        rc = put_back(replica, &replica->tables.items[i], err);
    if (!rc)
        rc = ch_lite_run(&replica->sql, CH_LITE_BASE_CLEAR, err, "");
    if (!rc)
        rc = ch_lite_run(&replica->sql, CH_LITE_TOUCH_CLEAR, err, "");
    if (!rc)
        rc = ch_rebase_finish(&rebase, err);
    ch_rebase_deinit(&rebase);
    return rc ? rc : ch_meta_set_number(&replica->sql, "rebase_due", 0, err);
}

enum charle_err ch_upgrade_rebase(struct ch_replica *replica, struct charle_error *err)
{
    int64_t due = 0;
    enum charle_err rc = replica->is_read_only ? CHARLE_OK : ch_meta_number(&replica->sql, "rebase_due", 0, &due, err);
    if (rc || !due)
        return rc;
    rc = ch_replica_begin(replica, CH_DURABLE, err);
    return rc ? rc : ch_replica_end(replica, rebase_inside(replica, err), err);
}
