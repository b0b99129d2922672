#include "fake_parts.h"

#include "base/alloc.h"
#include "db/record.h"
#include "msg/json.h"
#include "msg/wire.h"
#include "services/crud.h"
#include "sync/cursor.h"
#include "sync/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

// --- the database -------------------------------------------------------------------------------------------------------------

void fake_must(struct fake_server *server, int code, const char *sql)
{
    if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW)
        fail_msg("%s: %s", sql, sqlite3_errmsg(server->sql));
}

void fake_must_be_ok(enum charle_err rc)
{
    assert_int_equal(rc, CHARLE_OK);
}

static void run(struct fake_server *server, const char *sql)
{
    fake_must(server, sqlite3_exec(server->sql, sql, NULL, NULL, NULL), sql);
}

sqlite3_stmt *fake_prepare(struct fake_server *server, const char *sql)
{
    sqlite3_stmt *stmt;
    fake_must(server, sqlite3_prepare_v2(server->sql, sql, -1, &stmt, NULL), sql);
    return stmt;
}

void fake_bind_str(sqlite3_stmt *stmt, int index, struct charle_str text)
{
    sqlite3_bind_text(stmt, index, text.ptr ? text.ptr : "", (int)text.len, SQLITE_TRANSIENT);
}

struct charle_str fake_column_str(sqlite3_stmt *stmt, int column)
{
    return charle_str_n((const char *)sqlite3_column_text(stmt, column), (size_t)sqlite3_column_bytes(stmt, column));
}

int64_t fake_server_number(struct fake_server *server, const char *format, ...)
{
    char sql[2000];
    va_list args;
    va_start(args, format);
    vsnprintf(sql, sizeof(sql), format, args);
    va_end(args);
    sqlite3_stmt *stmt = fake_prepare(server, sql);
    int64_t value = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : -1;
    sqlite3_finalize(stmt);
    return value;
}

static const char bookkeeping[] =
    "create table fs_scope (scope text primary key, is_granted integer);"
    "create table fs_content (scope text, tab integer, key text, row blob, primary key (scope, tab, key));"
    "create table fs_next (scope text, tab integer, key text, row blob, primary key (scope, tab, key));"
    "create table fs_log (scope text, stamp integer, tab integer, key text);"
    "create table fs_head (scope text primary key, stamp integer, lineage integer, floor integer default 0);"
    "create table fs_epoch (epoch integer, lineage integer);"
    "create table fs_device (id text primary key, last_sequence integer, last_hash integer);"
    "create table fs_verdict (device text, sequence integer, hash integer, kind integer, code integer, text text, reply blob, primary key (device, sequence));"
    "create table fs_call (origin text, seed integer, kind integer, is_taken integer, primary key (origin, seed));";

void fake_server_open(struct fake_server *server, const struct charle_schema *schema)
{
    struct charle_error err;
    *server = (struct fake_server){.schema = schema, .epoch = 100, .lineage = 7777, .now_us = 1763800000000000};
    assert_int_equal(ch_sqlite_open(":memory:", NULL, &server->db, &err), CHARLE_OK);
    server->sql = ch_sqlite_handle(server->db);
    for (size_t i = 0; i < schema->table_count; i++)
        run(server, schema->tables[i]->sqlite_create);
    run(server, bookkeeping);
    run(server, "insert into fs_epoch values (100, 7777)");
    assert_int_equal(charle_method_table_init(&server->methods, schema->services, schema->service_count, &err), CHARLE_OK);
}

void fake_server_close(struct fake_server *server)
{
    charle_db_close(server->db);
    charle_method_table_deinit(&server->methods);
    charle_arena_deinit(&server->arena);
    if (server->saved_file[0])
        unlink(server->saved_file);
}

// --- scopes -------------------------------------------------------------------------------------------------------------------

static const struct charle_audience *audience_of(const struct charle_table *table, struct charle_str scope)
{
    for (size_t i = 0; table->is_replicated && i < table->audience_count; i++) {
        if (charle_str_equal(table->audiences[i].name, ch_scope_audience(scope)))
            return &table->audiences[i];
    }
    return NULL;
}

static void add_in_scope(const struct charle_table *table, const struct charle_audience *audience, struct charle_buf *sql)
{
    charle_buf_add_text(sql, "?1 is ?1");
    if (audience->kind == CHARLE_AUDIENCE_COLUMN) {
        charle_buf_add_text(sql, " and r.");
        charle_sql_write_name(sql, table->columns[audience->column].name);
        charle_buf_add_text(sql, " = ?1");
    } else if (audience->kind == CHARLE_AUDIENCE_PATH) {
        charle_buf_printf(sql, " and exists (select 1 from %s and %s = ?1)", audience->path_from, audience->path_key);
    }
    if (audience->where_sqlite)
        charle_buf_printf(sql, " and (%s)", audience->where_sqlite);
}

static void add_key(const struct charle_table *table, struct charle_buf *sql)
{
    bool is_text = table->key_count == 1 && table->columns[table->key_columns[0]].field->type == CHARLE_TYPE_TEXT;
    charle_buf_add_text(sql, is_text ? "" : "json_array(");
    for (size_t i = 0; i < table->key_count; i++) {
        charle_buf_add_text(sql, i ? ", r." : "r.");
        charle_sql_write_name(sql, table->columns[table->key_columns[i]].name);
    }
    charle_buf_add_text(sql, is_text ? "" : ")");
}

static void read_scope_table(struct fake_server *server, struct charle_str scope, const struct charle_table *table,
                             const struct charle_audience *audience)
{
    struct charle_buf sql = {0}, row = {0};
    struct charle_error err;
    charle_buf_add_text(&sql, "select ");
    charle_table_write_columns(table, &audience->columns, "r.", &sql);
    charle_buf_add_text(&sql, ", ");
    add_key(table, &sql);
    charle_buf_add_text(&sql, " from ");
    charle_sql_write_name(&sql, table->name);
    charle_buf_add_text(&sql, " as r where ");
    add_in_scope(table, audience, &sql);
    sqlite3_stmt *select = fake_prepare(server, charle_buf_text(&sql));
    sqlite3_stmt *insert = fake_prepare(server, "insert into fs_next values (?1, ?2, ?3, ?4)");
    fake_bind_str(select, 1, ch_scope_key(scope));
    int columns = (int)charle_column_set_count(&audience->columns);
    while (sqlite3_step(select) == SQLITE_ROW) {
        charle_buf_reset(&row);
        assert_int_equal(ch_sqlite_read_row(select, 0, table, &audience->columns, &server->arena, &row, &err), CHARLE_OK);
        fake_bind_str(insert, 1, scope);
        sqlite3_bind_int64(insert, 2, table->id);
        fake_bind_str(insert, 3, fake_column_str(select, columns));
        sqlite3_bind_blob(insert, 4, row.data, (int)row.size, SQLITE_TRANSIENT);
        fake_must(server, sqlite3_step(insert), "insert into fs_next");
        sqlite3_reset(insert);
    }
    sqlite3_finalize(select);
    sqlite3_finalize(insert);
    charle_buf_deinit(&sql);
    charle_buf_deinit(&row);
}

static void read_scopes(struct fake_server *server)
{
    sqlite3_stmt *scopes = fake_prepare(server, "select scope from fs_scope");
    while (sqlite3_step(scopes) == SQLITE_ROW) {
        char scope[256];
        snprintf(scope, sizeof(scope), "%s", sqlite3_column_text(scopes, 0));
        for (size_t i = 0; i < server->schema->table_count; i++) {
            const struct charle_table *table = server->schema->tables[i];
            const struct charle_audience *audience = audience_of(table, charle_str(scope));
            if (audience)
                read_scope_table(server, charle_str(scope), table, audience);
        }
    }
    sqlite3_finalize(scopes);
}

// The end of a transaction: every scope whose contents changed gets a stamp, with what changed under it.
void fake_stamp(struct fake_server *server)
{
    char sql[600];
    run(server, "delete from fs_next");
    read_scopes(server);
    run(server, "create temp table diff as "
        "select scope, tab, key from (select * from fs_content except select * from fs_next) union "
        "select scope, tab, key from (select * from fs_next except select * from fs_content)");
    snprintf(sql, sizeof(sql),
             "insert into fs_head(scope, stamp, lineage) select distinct scope, %lld, %lld from diff where true on conflict(scope) do update "
             "set stamp = case when stamp >> 33 = %lld then stamp + 1 else excluded.stamp end, lineage = excluded.lineage",
             (long long)ch_stamp(server->epoch, 1), (long long)server->lineage, (long long)server->epoch);
    run(server, sql);
    run(server, "insert into fs_log select d.scope, h.stamp, d.tab, d.key from diff d join fs_head h on h.scope = d.scope");
    run(server, "delete from fs_content; insert into fs_content select * from fs_next; drop table diff");
    charle_arena_reset(&server->arena);
}

void fake_server_grant(struct fake_server *server, const char *scope)
{
    sqlite3_stmt *stmt = fake_prepare(server, "insert into fs_scope values (?1, 1) on conflict do update set is_granted = 1");
    fake_bind_str(stmt, 1, charle_str(scope));
    sqlite3_step(stmt);
    sqlite3_finalize(stmt);
    fake_stamp(server);
}

void fake_server_revoke(struct fake_server *server, const char *scope)
{
    sqlite3_stmt *stmt = fake_prepare(server, "update fs_scope set is_granted = 0 where scope = ?1");
    fake_bind_str(stmt, 1, charle_str(scope));
    sqlite3_step(stmt);
    sqlite3_finalize(stmt);
}

void fake_server_sql(struct fake_server *server, const char *format, ...)
{
    char sql[4000];
    va_list args;
    va_start(args, format);
    vsnprintf(sql, sizeof(sql), format, args);
    va_end(args);
    run(server, sql);
    fake_stamp(server);
}

// --- going back in time -------------------------------------------------------------------------------------------------------

static void copy_database(sqlite3 *to, sqlite3 *from)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    assert_non_null(backup);
    sqlite3_backup_step(backup, -1);
    assert_int_equal(sqlite3_backup_finish(backup), SQLITE_OK);
}

void fake_server_save(struct fake_server *server)
{
    sqlite3 *file;
    snprintf(server->saved_file, sizeof(server->saved_file), "/tmp/fake_server_%d.db", (int)getpid());
    unlink(server->saved_file);
    assert_int_equal(sqlite3_open(server->saved_file, &file), SQLITE_OK);
    copy_database(file, server->sql);
    sqlite3_close(file);
}

void fake_server_restore(struct fake_server *server)
{
    sqlite3 *file;
    char sql[200];
    assert_int_equal(sqlite3_open(server->saved_file, &file), SQLITE_OK);
    copy_database(server->sql, file);
    sqlite3_close(file);
    server->epoch += 10;
    server->lineage += 1000003;
    snprintf(sql, sizeof(sql), "insert into fs_epoch values (%lld, %lld)", (long long)server->epoch, (long long)server->lineage);
    run(server, sql);
}

void fake_server_forget_log(struct fake_server *server)
{
    run(server, "delete from fs_log; update fs_head set floor = stamp");
}
