// The tables of a replica's file.
//
//   charle_meta     what the replica knows about itself, by name
//   charle_cursor   the scopes it holds: state (enum ch_scope_state), true up to `stamp` of `lineage`; next_*: of the page being applied;
//                   seen_*: the newest stamp that rows were copied at, until a moment shows that it still is on the server's history
//   charle_copy     a copy in progress: one row for each scope and table, with the last key that arrived
//   charle_outbox   calls: waiting ones (state below 4) and confirmed ones; position orders them for ever; origin: the device under whose name it was
//                   made, if this replica had to take another name since, with the last number of that one whose verdict it knows
//   charle_touch    which waiting call touched which row; found: the hash of the row as the call found it, empty: not known, NULL: it is
//                   running again
//   charle_base     the confirmed image of each row that waiting calls touched; NULL: there was none
//   charle_inbox    verdicts for people
//   charle_layout   what the application's tables were made from, and charle_fill what is missing of them (upgrade.h)
//   charle_reply    the server's replies of calls that made provisional numbers; NULL: not here yet
//   charle_member   rows whose scopes cannot be told from the row itself
//
// All other tables are the application's, named as on the server. Three triggers on each table refuse whatever a program writes that does
// not go through the library.
#include "client/upgrade.h"

#include "base/limits.h"
#include "db/record.h"
#include "db/sqlite/cipher.h"

#include <stdio.h>

#define REPLY_TABLE                                                                                                    \
    "create table if not exists charle_reply (ticket integer primary key, reply blob) strict;"                                       \
    "create index if not exists charle_reply_expected on charle_reply (ticket) where reply is null;"

#define UPGRADE_TABLES                                                                                                 \
    "create table if not exists charle_layout (tab integer not null, number integer not null, name text not null, kind text not null,"  \
    "  choices text not null, shows text not null, primary key (tab, number)) strict, without rowid;"                  \
    "create table if not exists charle_fill (tab integer not null, number integer not null, is_new integer not null,"  \
    "  primary key (tab, number)) strict, without rowid;"

static const char platform_tables[] =
    "create table charle_meta (key text primary key, value any) strict, without rowid;"
    "create table charle_cursor (scope text primary key, stamp integer, lineage integer, state integer not null,"
    "  next_stamp integer, next_lineage integer, seen_stamp integer, seen_lineage integer) strict, without rowid;"
    "create table charle_copy (scope text not null, tab integer not null, after_key text, is_done integer not null,"
    "  rows integer not null, rows_total integer, primary key (scope, tab)) strict, without rowid;"
    "create table charle_outbox (position integer primary key autoincrement, ticket integer, sequence integer, hash integer,"
    "  method text not null, request blob not null, at integer not null, seed integer not null, state integer not null,"
    "  attempts integer not null, due_at integer not null, reads_all integer not null, local_error text,"
    "  kind integer, code integer, text text, origin text, origin_after integer) strict;"
    "create unique index charle_outbox_sequence on charle_outbox (sequence) where sequence is not null;"
    "create index charle_outbox_ticket on charle_outbox (ticket) where ticket is not null;"
    "create index charle_outbox_state on charle_outbox (state, position) where state < 5;"
    "create index charle_outbox_unjudged on charle_outbox (sequence) where state in (2, 4);"
    "create index charle_outbox_wide on charle_outbox (position) where reads_all = 1 and state < 4;"
    "create table charle_touch (tab integer not null, key text not null, position integer not null, found blob,"
    "  primary key (tab, key, position)) strict, without rowid;"
    "create index charle_touch_position on charle_touch (position);"
    "create table charle_base (tab integer not null, key text not null, image blob, primary key (tab, key))"
    "  strict, without rowid;"
    "create table charle_inbox (id integer primary key autoincrement, ticket integer not null, kind integer not null,"
    "  code integer not null, at integer not null, call_at integer not null, text text, method text not null,"
    "  request blob not null, tab integer, key text, row blob) strict;"
    REPLY_TABLE UPGRADE_TABLES
    "create table charle_member (tab integer not null, key text not null, scope text not null,"
    "  primary key (tab, key, scope)) strict, without rowid;"
    "create index charle_member_scope on charle_member (scope, tab);";

enum charle_err ch_layout_create(const char *file, const char *vfs, struct charle_error *err)
{
    struct ch_lite sql = {0};
    char size[80], marks[100];
    // 8 KiB pages: measured best for both bulk copy and single rows of some 350 bytes (docs/benchmarks.md).
    snprintf(size, sizeof(size), "pragma page_size = %d; pragma journal_mode = wal;", CH_REPLICA_PAGE_SIZE);
    snprintf(marks, sizeof(marks), "pragma application_id = %d; pragma user_version = %d; commit",
             CH_REPLICA_APPLICATION_ID, CH_REPLICA_LAYOUT);
    enum charle_err rc;
    int code = sqlite3_open_v2(file, &sql.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, vfs);
    if (code) {
        rc = ch_lite_fail(&sql, code, "making the replica", err);
        goto done;
    }
    sqlite3_busy_timeout(sql.db, CH_REPLICA_BUSY_MS);
    code = ch_cipher_prepare(sql.db);
    rc = code ? ch_lite_fail(&sql, code, "making the replica", err) : CHARLE_OK;
    if (!rc)
        rc = ch_lite_script(&sql, size, "making the replica", err);
    if (!rc)
        rc = ch_lite_script(&sql, "begin immediate", "making the replica", err);
    if (!rc)
        rc = ch_lite_script(&sql, platform_tables, "making the replica", err);
    if (!rc)
        rc = ch_lite_script(&sql, marks, "making the replica", err); // all or nothing: a crash leaves a blank file
done:
    sqlite3_close(sql.db);
    return rc;
}

enum charle_err ch_layout_upgrade(struct ch_replica *replica, int64_t layout, struct charle_error *err)
{
    char mark[60];
    enum charle_err rc = CHARLE_OK;
    if (layout < 2)
        rc = ch_lite_script(&replica->sql, "alter table charle_cursor add column seen_stamp integer;"
                           "alter table charle_cursor add column seen_lineage integer", "bringing an older replica up to date", err);
    if (!rc && layout < 4)
        rc = ch_lite_script(&replica->sql, REPLY_TABLE UPGRADE_TABLES, "bringing an older replica up to date", err);
    if (!rc && layout < 5)
        rc = ch_lite_script(&replica->sql, "alter table charle_outbox add column origin text; alter table charle_outbox add column origin_after integer",
                            "bringing an older replica up to date", err);
    if (!rc && layout < 6)
        rc = ch_lite_script(&replica->sql, "alter table charle_touch add column found blob", "bringing an older replica up to date", err);
    snprintf(mark, sizeof(mark), "pragma user_version = %d", CH_REPLICA_LAYOUT);
    return rc ? rc : ch_lite_script(&replica->sql, mark, "bringing an older replica up to date", err);
}

// --- the application's tables -------------------------------------------------------------------------------------------

static enum charle_err drop_tables(struct ch_replica *replica, struct charle_error *err)
{
    for (;;) {
        sqlite3_stmt *stmt = NULL;
        char drop[300] = "";
        enum charle_err rc = ch_lite_prepare(&replica->sql,
                                            "select printf('drop table \"%w\"', name) from sqlite_master where type = 'table' "
                                            "and name not like 'charle\\_%' escape '\\' and name not like 'sqlite\\_%' escape '\\' "
                                            "and name not in (select name from charle_layout where number = 0 and kind like 'local %') limit 1",
                                            &stmt, err);
        if (rc)
            return rc;
        rc = ch_lite_next(&replica->sql, stmt, err);
        if (!rc)
            snprintf(drop, sizeof(drop), "%.*s", CHARLE_FMT(ch_lite_text(stmt, 0)));
        sqlite3_finalize(stmt);
        if (rc)
            return rc == CHARLE_DONE ? CHARLE_OK : rc;
        rc = ch_lite_script(&replica->sql, drop, "dropping a table of the old schema", err);
        if (rc)
            return rc;
    }
}

static enum charle_err forget_rows(struct ch_replica *replica, struct charle_error *err)
{
    return ch_lite_script(&replica->sql, "delete from charle_cursor; delete from charle_copy; delete from charle_base;"
                         "delete from charle_touch; delete from charle_member; delete from charle_fill; delete from charle_meta where key = 'ready'",
                         "emptying the tables", err);
}

enum charle_err ch_layout_empty_tables(struct ch_replica *replica, struct charle_error *err)
{
    enum charle_err rc = forget_rows(replica, err);
    for (size_t i = 0; !rc && i < replica->tables.count; i++) {
        char text[CH_IDENTIFIER_LEN_MAX + 20];
        if (!replica->tables.items[i].schema->is_replicated)
            continue;
        snprintf(text, sizeof(text), "delete from \"%.*s\"", CHARLE_FMT(replica->tables.items[i].schema->name));
        rc = ch_lite_script(&replica->sql, text, "emptying a table", err);
        ch_table_note_change(&replica->tables.items[i]);
    }
    return rc;
}

enum charle_err ch_layout_build_tables(struct ch_replica *replica, struct charle_error *err)
{
    struct ch_lite *sql = &replica->sql;
    enum charle_err rc = drop_tables(replica, err);
    for (size_t i = 0; !rc && i < replica->schema->table_count; i++) {
        const struct charle_table *table = replica->schema->tables[i];
        if (table->is_replicated)
            rc = ch_lite_script(sql, table->replica_create, "making a table", err);
    }
    if (!rc)
        rc = ch_upgrade_local(replica, err);
    if (!rc)
        rc = forget_rows(replica, err);
    if (!rc)
        rc = ch_lite_script(sql, "delete from charle_meta where key in ('is_finished', 'tables_indexed')", "making the tables", err);
    if (!rc)
        rc = ch_upgrade_describe(replica, err);
    if (!rc)
        rc = ch_meta_set_text(sql, "schema", replica->schema->name, err);
    return rc ? rc : ch_meta_set_number(sql, "schema_hash", (int64_t)replica->schema->hash, err);
}

// --- what comes behind a first copy -------------------------------------------------------------------------------------

#define REFUSAL                                                                                                        \
    "this table belongs to a CharleOS replica: change it by a call of the library or of the charle command, so that the server learns of it"

static enum charle_err guard_table(struct ch_replica *replica, struct charle_str name, struct charle_error *err)
{
    static const char *const verbs[] = {"insert", "update", "delete"};
    struct charle_buf text = {0};
    for (size_t i = 0; i < 3; i++) {
        charle_buf_printf(&text, "create trigger if not exists \"charle_guard_%.*s_%s\" before %s on ", CHARLE_FMT(name), verbs[i],
                          verbs[i]);
        charle_sql_write_name(&text, name);
        charle_buf_add_text(&text, " begin select raise(abort, '" REFUSAL "'); end;");
    }
    const char *script = charle_buf_text(&text);
    enum charle_err rc = script ? ch_lite_script(&replica->sql, script, "guarding a table", err)
                                : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a statement");
    charle_buf_deinit(&text);
    return rc;
}

enum charle_err ch_layout_guard_tables(struct ch_replica *replica, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < replica->schema->table_count; i++) {
        if (replica->schema->tables[i]->is_replicated)
            rc = guard_table(replica, replica->schema->tables[i]->name, err);
    }
    return rc;
}

static enum charle_err guard_all(struct ch_replica *replica, struct charle_error *err)
{
    static const char *const platform[] = {"charle_meta", "charle_cursor", "charle_copy", "charle_outbox", "charle_touch",
                                           "charle_base", "charle_inbox", "charle_reply", "charle_member", "charle_layout", "charle_fill"};
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < sizeof(platform) / sizeof(platform[0]); i++)
        rc = guard_table(replica, charle_str(platform[i]), err);
    return rc ? rc : ch_layout_guard_tables(replica, err);
}

enum charle_err ch_layout_is_finished(struct ch_replica *replica, bool *out, struct charle_error *err)
{
    int64_t value;
    enum charle_err rc = ch_meta_number(&replica->sql, "is_finished", 0, &value, err);
    *out = value != 0;
    return rc;
}

enum charle_err ch_layout_finish(struct ch_replica *replica, bool *out_more, struct charle_error *err)
{
    int64_t next;
    *out_more = true;
    enum charle_err rc = ch_meta_number(&replica->sql, "tables_indexed", 0, &next, err);
    for (; !rc && next < (int64_t)replica->tables.count; next++) {
        const char *indexes = replica->tables.items[next].schema->replica_indexes;
        if (!indexes || !*indexes || !replica->tables.items[next].schema->is_replicated)
            continue;
        rc = ch_lite_script(&replica->sql, indexes, "making an index", err);
        return rc ? rc : ch_meta_set_number(&replica->sql, "tables_indexed", next + 1, err);
    }
    *out_more = false;
    if (!rc)
        rc = guard_all(replica, err);
    if (!rc) // a sample is enough for good plans, and takes milliseconds
        rc = ch_lite_script(&replica->sql, "pragma analysis_limit = 400; analyze", "looking at the tables", err);
    return rc ? rc : ch_meta_set_number(&replica->sql, "is_finished", 1, err);
}
