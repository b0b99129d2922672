// What a laptop's file shows: rows and cursors, with the effects of its waiting calls and without.
#include "client/apply.h"
#include "client/rebase.h"
#include "sim/disk.h"
#include "sim/oracle.h"

#include <inttypes.h>
#include <stdio.h>

static bool sql_ok(struct world *world, struct laptop *laptop, int code)
{
    if (code == SQLITE_ROW || code == SQLITE_DONE || code == SQLITE_OK)
        return true;
    // The disk has died, and the laptop is about to crash; or a bit has turned over.
    (void)world;
    code &= 0xff;
    if (!sim_program_is_dead(laptop->program) && (code == SQLITE_IOERR || code == SQLITE_CORRUPT || code == SQLITE_NOTADB))
        (void)rot_noticed(laptop, CHARLE_DATA_LOSS);
    return false;
}

bool view_read_cursors(struct laptop *laptop, struct view *view)
{
    sqlite3_stmt *stmt = NULL;
    int code =
        sqlite3_prepare_v2(laptop->replica.sql.db,
                           "select scope, stamp, lineage, state from charle_cursor order by scope", -1, &stmt, NULL);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(stmt);
        if (code != SQLITE_ROW)
            break;
        if (!oracle_has_scope((const char *)sqlite3_column_text(stmt, 0), laptop_version(laptop)))
            continue; // held without rows
        CHARLE_ASSERT(view->cursor_count < SCOPES_MAX);
        struct cursor *cursor = &view->cursors[view->cursor_count++];
        snprintf(cursor->scope, sizeof(cursor->scope), "%s", (const char *)sqlite3_column_text(stmt, 0));
        cursor->stamp = sqlite3_column_int64(stmt, 1);
        cursor->lineage = (uint64_t)sqlite3_column_int64(stmt, 2);
        cursor->state = sqlite3_column_int(stmt, 3);
    }
    sqlite3_finalize(stmt);
    return sql_ok(laptop->world, laptop, code);
}

static bool read_table(struct laptop *laptop, const struct table_spec *table, uint32_t masked, struct charle_buf *out)
{
    struct charle_buf sql = {0};
    sqlite3_stmt *stmt = NULL;
    charle_buf_printf(&sql, "select %s, ", table->key);
    struct charle_buf columns = {0};
    oracle_add_columns(&columns, table, false, laptop_version(laptop), masked);
    for (const char *at = charle_buf_text(&columns); *at; at++) { // SQLite says char() for chr()
        if (strncmp(at, "chr(31)", 7) == 0) {
            charle_buf_add_text(&sql, "char(31)");
            at += 6;
        } else {
            charle_buf_add_byte(&sql, (uint8_t)*at);
        }
    }
    charle_buf_printf(&sql, " from \"%s\" r order by 1", table->name);
    int code = sqlite3_prepare_v2(laptop->replica.sql.db, charle_buf_text(&sql), -1, &stmt, NULL);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(stmt);
        if (code == SQLITE_ROW)
            charle_buf_printf(out, "%s\x1f%s%s\n", table->name, (const char *)sqlite3_column_text(stmt, 0),
                              (const char *)sqlite3_column_text(stmt, 1));
    }
    sqlite3_finalize(stmt);
    charle_buf_deinit(&sql);
    charle_buf_deinit(&columns);
    return sql_ok(laptop->world, laptop, code);
}

bool view_read_tables(struct laptop *laptop, const uint32_t *masked, struct charle_buf *out)
{
    for (int i = 0; i < ORACLE_TABLES; i++) {
        bool is_masked = masked && masked[i] & ORACLE_ROWS_MASKED;
        if (is_masked || !oracle_has_table(&oracle_tables[i], laptop_version(laptop)))
            continue;
        if (!read_table(laptop, &oracle_tables[i], masked ? masked[i] : 0, out))
            return false;
    }
    return true;
}

// What a program that was updated has yet to fetch: columns, and rows of tables that it did not have.
static bool read_missing(struct laptop *laptop, uint32_t masked[ORACLE_TABLES])
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(laptop->replica.sql.db, "select tab, number from charle_fill", -1, &stmt, NULL);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(stmt);
        int table = code == SQLITE_ROW ? sqlite3_column_int(stmt, 0) : 0, number = code == SQLITE_ROW ? sqlite3_column_int(stmt, 1) : 0;
        if (table >= 1 && table <= ORACLE_TABLES)
            masked[table - 1] |= number ? 1u << (number - 1) : ORACLE_ROWS_MASKED;
    }
    sqlite3_finalize(stmt);
    return sql_ok(laptop->world, laptop, code);
}

// Puts the confirmed images of all rows back that waiting calls touched. The transaction is rolled back afterwards.
static bool take_waiting_off(struct laptop *laptop)
{
    struct ch_replica *replica = &laptop->replica;
    sqlite3_stmt *stmt = NULL;
    struct charle_error err = {0};
    int code = sqlite3_prepare_v2(replica->sql.db, "select tab, key, image from charle_base", -1, &stmt, NULL);
    enum charle_err rc = CHARLE_OK;
    while (rc == CHARLE_OK && (code == SQLITE_OK || code == SQLITE_ROW)) {
        code = sqlite3_step(stmt);
        if (code == SQLITE_ROW)
            rc = ch_table_restore(&replica->tables,
                                  ch_table_by_id(&replica->tables, (uint32_t)sqlite3_column_int(stmt, 0)),
                                  ch_lite_text(stmt, 1), ch_lite_bytes(stmt, 2), &err);
    }
    sqlite3_finalize(stmt);
    return rc == CHARLE_OK && sql_ok(laptop->world, laptop, code);
}

bool view_read(struct laptop *laptop, struct view *view)
{
    struct charle_error err;
    int64_t ready = 0;
    if (ch_replica_begin(&laptop->replica, CH_FETCHABLE, &err))
        return false;
    bool is_read = ch_meta_number(&laptop->replica.sql, "ready", 0, &ready, &err) == CHARLE_OK &&
                   view_read_cursors(laptop, view) && read_missing(laptop, view->masked) && take_waiting_off(laptop) &&
                   view_read_tables(laptop, view->masked, &view->rows);
    view->is_ready = ready != 0;
    ch_replica_rollback(&laptop->replica);
    return is_read;
}

void view_fail_on_rows(struct laptop *laptop, const char *what, struct charle_buf *expected, struct charle_buf *found)
{
    const char *a = charle_buf_text(expected), *b = charle_buf_text(found);
    char should[180], is[180];
    // To the first line that differs.
    while (*a && *b) {
        size_t line_a = strcspn(a, "\n"), line_b = strcspn(b, "\n");
        if (line_a != line_b || memcmp(a, b, line_a) != 0)
            break;
        a += line_a + 1;
        b += line_b + 1;
    }
    snprintf(should, sizeof(should), "%.*s", (int)strcspn(a, "\n"), a);
    snprintf(is, sizeof(is), "%.*s", (int)strcspn(b, "\n"), b);
    for (char *at = should; *at; at++)
        *at = *at == '\x1f' ? '|' : *at;
    for (char *at = is; *at; at++)
        *at = *at == '\x1f' ? '|' : *at;
    bool is_first = !laptop->world->result.has_failed;
    world_fail(laptop->world, "%s: %s: should be\n    %s\n  and is\n    %s", laptop->name, what,
               should[0] ? should : "nothing", is[0] ? is : "nothing");
    if (is_first)
        laptop->world->result.rule = what;
}

// --- waiting calls ---------------------------------------------------------------------------------------------------

static enum charle_err change_nothing(struct ch_replica *replica, void *ctx, struct charle_error *err)
{
    (void)replica, (void)ctx, (void)err;
    return CHARLE_OK;
}

// What is shown equals the confirmed rows with all waiting calls run again: taking everything off and on changes
// nothing.
void oracle_check_rebase(struct oracle *oracle, struct laptop *laptop)
{
    struct charle_buf before = {0}, after = {0};
    struct charle_error err;
    // Calls that were rescued run on top of the first copy, when that is complete.
    bool is_ready = laptop_number(laptop, "select count(*) from charle_meta where key = 'ready' and value = 1") == 1;
    if (is_ready && !oracle->world->result.has_failed && view_read_tables(laptop, NULL, &before) &&
        ch_apply_rebase(&laptop->replica, CH_FETCHABLE, change_nothing, NULL, &err) == CHARLE_OK &&
        view_read_tables(laptop, NULL, &after)) {
        oracle->world->result.rebases_checked++;
        if (!charle_str_equal(charle_buf_str(&before), charle_buf_str(&after)))
            view_fail_on_rows(laptop, "what it shows is not the confirmed rows with its waiting calls on top", &after,
                              &before);
    }
    charle_buf_deinit(&before);
    charle_buf_deinit(&after);
}

uint64_t oracle_hash_of(sqlite3_stmt *row)
{
    uint64_t hash = oracle_hash(0xcbf29ce484222325u, sqlite3_column_text(row, 0), (size_t)sqlite3_column_bytes(row, 0));
    return oracle_hash(hash, sqlite3_column_blob(row, 1), (size_t)sqlite3_column_bytes(row, 1));
}

bool oracle_hash_call(struct laptop *laptop, int64_t ticket, uint64_t *out)
{
    static const char sql[] = "select method, request from charle_outbox where position = ?1";
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(laptop->replica.look.db, sql, -1, &stmt, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_bind_int64(stmt, 1, ticket);
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    if (code == SQLITE_ROW)
        *out = oracle_hash_of(stmt);
    sqlite3_finalize(stmt);
    return sql_ok(laptop->world, laptop, code) && code == SQLITE_ROW;
}

void oracle_check_seen(struct oracle *oracle, struct laptop *laptop)
{
    const struct laptop *host = laptop_host(laptop); // the programs of one replica keep what their user saw together
    for (size_t i = 0; i < host->seen_count; i++) {
        const struct seen_call *seen = &host->seen[i];
        uint64_t hash;
        bool is_there = oracle_hash_call(laptop, seen->ticket, &hash);
        if (host->is_damaged)
            return;
        if (!is_there)
            world_fail(oracle->world, "%s: call %" PRId64 ", which its user saw succeed, is gone", laptop->name, seen->ticket);
        else if (seen->hash && hash != seen->hash)
            world_fail(oracle->world, "%s: call %" PRId64 " is another one than its user made", laptop->name, seen->ticket);
    }
}
