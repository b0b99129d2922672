#include "client/adopt.h"

#include "client/seed_part.h"
#include "db/record.h"
#include "sync/cursor.h"

#include <stdio.h>

static const char doing[] = "taking a seed file as the replica";

struct adoption {
    struct ch_replica *replica;
    const struct ch_adopt *adopt;
    struct charle_db *db; // the seed file, with the replica attached as `old`
    struct ch_lite sql;
};

// --- is it one of ours? -----------------------------------------------------------------------------------------------------

static enum charle_err make_expected(const struct charle_schema *schema, struct charle_db **out, struct ch_lite *sql, struct charle_error *err)
{
    enum charle_err rc = ch_sqlite_open(":memory:", NULL, out, err);
    if (!rc)
        sql->db = ch_sqlite_handle(*out);
    for (size_t i = 0; !rc && i < schema->table_count; i++) {
        const struct charle_table *table = schema->tables[i];
        if (!table->is_replicated)
            continue;
        rc = ch_lite_script(sql, table->replica_create, doing, err);
        if (!rc && table->replica_indexes)
            rc = ch_lite_script(sql, table->replica_indexes, doing, err);
    }
    return rc;
}

static bool is_same_row(sqlite3_stmt *a, sqlite3_stmt *b)
{
    for (int i = 0; i < sqlite3_column_count(a); i++) {
        if (!charle_str_equal(ch_lite_text(a, i), ch_lite_text(b, i)))
            return false;
    }
    return true;
}

static enum charle_err compare_lists(struct ch_lite *mine, struct ch_lite *theirs, struct charle_error *err)
{
    static const char list[] = "select type, name, tbl_name, coalesce(sql, '') from sqlite_master order by type, name";
    sqlite3_stmt *a = NULL, *b = NULL;
    enum charle_err rc = ch_lite_prepare(mine, list, &a, err), end = CHARLE_OK;
    if (!rc)
        rc = ch_lite_prepare(theirs, list, &b, err);
    while (!rc && !end) {
        rc = ch_lite_next(mine, a, err);
        if (rc == CHARLE_OK || rc == CHARLE_DONE) {
            end = ch_lite_next(theirs, b, err);
            rc = end == CHARLE_OK || end == CHARLE_DONE ? (rc == end ? CHARLE_OK : CHARLE_DATA_LOSS) : end;
        }
        if (!rc && !end && !is_same_row(a, b))
            rc = CHARLE_DATA_LOSS;
    }
    sqlite3_finalize(a);
    sqlite3_finalize(b);
    return rc == CHARLE_DATA_LOSS ? charle_fail(err, rc, "the seed file does not have the tables of this program's schema") : rc;
}

static enum charle_err check_tables(struct adoption *a, struct charle_error *err)
{
    struct charle_db *db = NULL;
    struct ch_lite expected = {0};
    enum charle_err rc = make_expected(a->replica->schema, &db, &expected, err);
    if (!rc)
        rc = compare_lists(&expected, &a->sql, err);
    charle_db_close(db);
    return rc;
}

static enum charle_err check_empty(struct adoption *a, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < a->replica->tables.count; i++) {
        struct charle_buf text = {0};
        sqlite3_stmt *stmt = NULL;
        charle_buf_add_text(&text, "select 1 from old.");
        charle_sql_write_name(&text, a->replica->tables.items[i].schema->name);
        charle_buf_add_text(&text, " limit 1");
        const char *sql = charle_buf_text(&text);
        rc = sql ? ch_lite_prepare(&a->sql, sql, &stmt, err) : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a statement");
        if (!rc)
            rc = ch_lite_next(&a->sql, stmt, err);
        if (!rc)
            rc = charle_fail(err, CHARLE_FAILED_PRECONDITION, "the replica has rows already");
        sqlite3_finalize(stmt);
        charle_buf_deinit(&text);
        rc = rc == CHARLE_DONE ? CHARLE_OK : rc;
    }
    return rc;
}

// --- what comes from the replica --------------------------------------------------------------------------------------------

// Runs each text that the statement gives. They are read to the end first, because they change what is being read.
static enum charle_err run_list(struct ch_lite *sql, const char *list, struct charle_error *err)
{
    struct charle_buf script = {0};
    sqlite3_stmt *stmt = NULL;
    enum charle_err rc = ch_lite_prepare(sql, list, &stmt, err);
    while (!rc && !(rc = ch_lite_next(sql, stmt, err))) {
        charle_buf_add_str(&script, ch_lite_text(stmt, 0));
        charle_buf_add_text(&script, ";\n");
    }
    sqlite3_finalize(stmt);
    rc = rc == CHARLE_DONE ? CHARLE_OK : rc;
    const char *text = rc ? NULL : charle_buf_text(&script);
    if (!rc)
        rc = text ? ch_lite_script(sql, text, doing, err) : charle_fail(err, CHARLE_NO_MEMORY, "no memory for the tables");
    charle_buf_deinit(&script);
    return rc;
}

static enum charle_err carry_over(struct ch_lite *sql, struct charle_error *err)
{
    enum charle_err rc = ch_lite_script(sql, "create temp table carried as select name, sql from old.sqlite_master where type = 'table' "
                                        "and name not like 'sqlite\\_%' escape '\\' and name not in (select name from main.sqlite_master)", doing, err);
    if (!rc)
        rc = run_list(sql, "select sql from temp.carried", err);
    if (!rc)
        rc = run_list(sql, "select printf('insert into main.\"%w\" select * from old.\"%w\"', name, name) from temp.carried", err);
    // Positions of calls are never given twice, whether or not the rows are still there.
    if (!rc)
        rc = run_list(sql, "select 'delete from main.sqlite_sequence; insert into main.sqlite_sequence select * from old.sqlite_sequence' "
                      "where exists (select 1 from old.sqlite_master where name = 'sqlite_sequence')", err);
    if (!rc)
        rc = run_list(sql, "select sql from old.sqlite_master where type in ('index', 'trigger', 'view') and sql is not null "
                      "and name not in (select name from main.sqlite_master)", err);
    return rc ? rc : ch_lite_script(sql, "drop table temp.carried", doing, err);
}

// --- what comes to it -------------------------------------------------------------------------------------------------------

// Every row of the file is in its scope.
static enum charle_err add_members(struct adoption *a, const struct ch_table *table, struct charle_error *err)
{
    struct charle_buf text = {0};
    sqlite3_stmt *stmt = NULL;
    charle_buf_printf(&text, "insert into charle_member(tab, key, scope) select %u, ", table->schema->id);
    ch_table_add_key_text(table, &text);
    charle_buf_add_text(&text, ", ?1 from main.");
    charle_sql_write_name(&text, table->schema->name);
    charle_buf_add_text(&text, " as r order by 2");
    const char *sql = charle_buf_text(&text);
    enum charle_err rc = sql ? ch_lite_prepare(&a->sql, sql, &stmt, err) : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a statement");
    if (!rc) {
        sqlite3_bind_text(stmt, 1, a->adopt->scope.ptr, (int)a->adopt->scope.len, SQLITE_STATIC);
        rc = ch_lite_step_done(&a->sql, stmt, err);
    }
    sqlite3_finalize(stmt);
    charle_buf_deinit(&text);
    return rc;
}

static enum charle_err add_scope(struct adoption *a, struct charle_error *err)
{
    const struct ch_adopt *adopt = a->adopt;
    struct ch_tables *tables = &a->replica->tables;
    enum charle_err rc = ch_lite_run(&a->sql, CH_LITE_CURSOR_TAKE, err, "siiii", adopt->scope, adopt->stamp, (int64_t)adopt->lineage,
                                    adopt->stamp, (int64_t)adopt->lineage);
    if (!rc)
        rc = ch_lite_run(&a->sql, CH_LITE_COPY_SEEDED, err, "s", adopt->scope);
    for (size_t i = 0; !rc && i < tables->count; i++) {
        const struct ch_table_audience *audience = ch_table_audience_of(&tables->items[i], adopt->scope);
        if (audience && audience->is_member)
            rc = add_members(a, &tables->items[i], err);
    }
    if (!rc)
        rc = ch_meta_set_number(&a->sql, "tables_indexed", (int64_t)tables->count, err);
    return rc ? rc : ch_lite_run(&a->sql, CH_LITE_META_DELETE, err, "s", charle_str("seed_file"));
}

static enum charle_err change(struct adoption *a, struct charle_error *err)
{
    char marks[100];
    snprintf(marks, sizeof(marks), "pragma application_id = %d; pragma user_version = %d", CH_REPLICA_APPLICATION_ID, CH_REPLICA_LAYOUT);
    enum charle_err rc = ch_lite_script(&a->sql, "begin immediate", doing, err);
    if (!rc)
        rc = carry_over(&a->sql, err);
    if (!rc)
        rc = add_scope(a, err);
    if (!rc)
        rc = ch_lite_script(&a->sql, marks, doing, err);
    ch_lite_close_statements(&a->sql);
    return rc ? rc : ch_lite_script(&a->sql, "commit; detach old", doing, err);
}

// --- all together -----------------------------------------------------------------------------------------------------------

static enum charle_err open_file(struct adoption *a, struct charle_error *err)
{
    const struct ch_sqlite_options options = {.must_exist = true, .is_secondary = true, .is_sync_normal = true, .vfs = a->replica->vfs,
                                              .busy_timeout_ms = CH_REPLICA_BUSY_MS};
    struct charle_buf path = {0};
    sqlite3_stmt *stmt = NULL;
    ch_seed_part_path(a->replica, &path);
    const char *text = charle_buf_text(&path);
    enum charle_err rc = text ? ch_sqlite_open(text, &options, &a->db, err) : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a path");
    charle_buf_deinit(&path);
    if (rc)
        return rc;
    a->sql.db = ch_sqlite_handle(a->db);
    // Nothing in the file may run: it came from outside.
    sqlite3_db_config(a->sql.db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(a->sql.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    rc = ch_lite_script(&a->sql, "pragma trusted_schema = off; pragma synchronous = off; pragma temp_store = file", doing, err);
    if (!rc)
        rc = check_tables(a, err);
    if (!rc)
        rc = ch_lite_prepare(&a->sql, "attach ?1 as old", &stmt, err);
    if (!rc) {
        sqlite3_bind_text(stmt, 1, a->replica->file, -1, SQLITE_STATIC);
        rc = ch_lite_step_done(&a->sql, stmt, err);
    }
    sqlite3_finalize(stmt);
    return rc;
}

static enum charle_err adopt_locked(struct adoption *a, struct charle_error *err)
{
    enum charle_err rc = open_file(a, err);
    if (!rc)
        rc = check_empty(a, err);
    if (!rc)
        rc = change(a, err);
    return rc ? rc : ch_replica_overwrite(a->replica, a->sql.db, err);
}

enum charle_err ch_replica_adopt(struct ch_replica *replica, const struct ch_adopt *adopt, struct charle_error *err)
{
    struct adoption a = {.replica = replica, .adopt = adopt};
    // A transaction that changes nothing sees that the file is still ours to write.
    enum charle_err rc = ch_replica_begin(replica, CH_FETCHABLE, err);
    if (rc)
        return rc;
    ch_replica_rollback(replica);
    rc = ch_lock_take(&replica->lock, err);
    if (rc)
        return rc;
    rc = adopt_locked(&a, err);
    ch_lite_close_statements(&a.sql);
    charle_db_close(a.db);
    for (size_t i = 0; !rc && i < replica->tables.count; i++)
        ch_table_note_change(&replica->tables.items[i]);
    ch_lock_drop(&replica->lock);
    return rc;
}
