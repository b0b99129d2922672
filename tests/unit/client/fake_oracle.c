// The oracle: what a replica shows must be what the fake server has, scope by scope and column by column.
#include "fake_sql.h"

#include "base/alloc.h"
#include "db/record.h"
#include "msg/json.h"
#include "msg/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

// Every scope's rows, as the replica shows them, must be the server's.
struct scope_check {
    sqlite3_stmt *expected;
    size_t rows;
    const char *scope;
    const struct charle_table *table;
};

static const char *row_text(const struct charle_table *table, struct charle_bytes row)
{
    struct charle_buf *text = calloc(1, sizeof(*text)); // for a message of a test that fails; not freed
    struct charle_arena arena = {0};
    struct charle_error err = {0};
    void *patch = charle_arena_alloc(&arena, table->patch->size);
    if (charle_message_read(table->patch, row, &arena, patch, &err))
        return err.text[0] ? "unreadable" : "";
    charle_message_write_json(table->patch, patch, text);
    return charle_buf_text(text);
}

static enum charle_err check_row(void *ctx, struct charle_bytes row, struct charle_error *err)
{
    struct scope_check *check = ctx;
    (void)err;
    if (sqlite3_step(check->expected) != SQLITE_ROW)
        fail_msg("%s in %s has a row too many", check->scope, check->table->name.ptr);
    struct charle_bytes expected = {sqlite3_column_blob(check->expected, 1), (size_t)sqlite3_column_bytes(check->expected, 1)};
    if (expected.len != row.len || memcmp(expected.ptr, row.ptr, row.len) != 0)
        fail_msg("scope %s, table %s, row %s differs:\n  server:  %s\n  replica: %s", check->scope, check->table->name.ptr,
                 sqlite3_column_text(check->expected, 0), row_text(check->table, expected), row_text(check->table, row));
    check->rows++;
    return CHARLE_OK;
}

static void check_scope(struct fake_server *server, struct ch_replica *replica, struct ch_table *table, const char *scope)
{
    struct ch_table_audience *audience = ch_table_audience_of(table, charle_str(scope));
    struct scope_check check = {.scope = scope, .table = table->schema};
    struct charle_error err = {0};
    if (!audience)
        return;
    check.expected = fake_prepare(server, "select key, row from fs_content where scope = ?1 and tab = ?2 order by key");
    fake_bind_str(check.expected, 1, charle_str(scope));
    sqlite3_bind_int64(check.expected, 2, table->schema->id);
    enum charle_err rc = ch_table_walk(&replica->tables, table, audience, charle_str(scope), (struct charle_str){0}, (struct charle_str){0},
                                       check_row, &check, &err);
    if (rc)
        fail_msg("%s", err.text);
    if (sqlite3_step(check.expected) == SQLITE_ROW)
        fail_msg("scope %s, table %s: row %s is missing", scope, table->schema->name.ptr, sqlite3_column_text(check.expected, 0));
    sqlite3_finalize(check.expected);
}

// A row shows no column that none of its scopes shows, and there is no row without a scope.
static void check_union(struct fake_server *server, struct ch_replica *replica, struct ch_table *table)
{
    struct charle_buf image = {0};
    struct charle_buf keys = {0};
    charle_buf_add_text(&keys, "select ");
    ch_table_add_key_text(table, &keys);
    charle_buf_printf(&keys, " from \"%.*s\" as r", CHARLE_FMT(table->schema->name));
    sqlite3_stmt *rows;
    assert_int_equal(sqlite3_prepare_v2(replica->sql.db, charle_buf_text(&keys), -1, &rows, NULL), SQLITE_OK);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        struct charle_column_set shown = {0};
        struct charle_str key = fake_column_str(rows, 0);
        sqlite3_stmt *scopes = fake_prepare(server, "select c.scope from fs_content c join fs_scope s on s.scope = c.scope and s.is_granted "
                                       "where c.tab = ?1 and c.key = ?2");
        sqlite3_bind_int64(scopes, 1, table->schema->id);
        fake_bind_str(scopes, 2, key);
        bool any = false;
        while (sqlite3_step(scopes) == SQLITE_ROW) {
            struct ch_table_audience *audience = ch_table_audience_of(table, fake_column_str(scopes, 0));
            shown.bits[0] |= audience->columns.bits[0];
            any = true;
        }
        sqlite3_finalize(scopes);
        if (!any)
            fail_msg("row %s of %s belongs to no scope", key.ptr, table->schema->name.ptr);
        struct ch_row_cell cells[CH_COLUMNS_MAX];
        struct charle_error err;
        bool found;
        charle_buf_reset(&image);
        assert_int_equal(ch_table_read(&replica->tables, table, key, &image, &found, &err), CHARLE_OK);
        assert_int_equal(ch_row_scan(table->schema, charle_buf_bytes(&image), cells, &err), CHARLE_OK);
        for (size_t i = 0; i < table->schema->column_count; i++) {
            if (!charle_column_set_has(&shown, i) && cells[i].has)
                fail_msg("row %s of %s shows %s, which none of its scopes shows", key.ptr, table->schema->name.ptr,
                         table->schema->columns[i].name.ptr);
        }
    }
    sqlite3_finalize(rows);
    charle_buf_deinit(&keys);
    charle_buf_deinit(&image);
}

void fake_server_check(struct fake_server *server, struct ch_replica *replica)
{
    for (size_t i = 0; i < replica->tables.count; i++) {
        struct ch_table *table = &replica->tables.items[i];
        sqlite3_stmt *scopes = fake_prepare(server, "select scope from fs_scope where is_granted");
        while (sqlite3_step(scopes) == SQLITE_ROW)
            check_scope(server, replica, table, (const char *)sqlite3_column_text(scopes, 0));
        sqlite3_finalize(scopes);
        check_union(server, replica, table);
    }
}
