#include "fake_server.h"

#include "fake_sql.h"

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

static void must(struct fake_server *server, int code, const char *sql)
{
    if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW)
        fail_msg("%s: %s", sql, sqlite3_errmsg(server->sql));
}

static void must_be_ok(enum charle_err rc)
{
    assert_int_equal(rc, CHARLE_OK);
}

static void run(struct fake_server *server, const char *sql)
{
    must(server, sqlite3_exec(server->sql, sql, NULL, NULL, NULL), sql);
}

sqlite3_stmt *fake_prepare(struct fake_server *server, const char *sql)
{
    sqlite3_stmt *stmt;
    must(server, sqlite3_prepare_v2(server->sql, sql, -1, &stmt, NULL), sql);
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
    "create table fs_verdict (device text, sequence integer, hash integer, kind integer, code integer, text text, reply blob, primary key (device, sequence));";

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
        must(server, sqlite3_step(insert), "insert into fs_next");
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
static void stamp(struct fake_server *server)
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
    stamp(server);
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
    stamp(server);
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

// --- heads --------------------------------------------------------------------------------------------------------------------

struct head {
    int64_t stamp;
    uint64_t lineage;
};

static struct head head_of(struct fake_server *server, struct charle_str scope)
{
    struct head head = {0};
    sqlite3_stmt *stmt = fake_prepare(server, "select stamp, lineage from fs_head where scope = ?1");
    fake_bind_str(stmt, 1, scope);
    if (sqlite3_step(stmt) == SQLITE_ROW)
        head = (struct head){sqlite3_column_int64(stmt, 0), (uint64_t)sqlite3_column_int64(stmt, 1)};
    sqlite3_finalize(stmt);
    return head;
}

// Does the cursor lie on the history, above the floor?
static bool is_good(struct fake_server *server, const struct charle_cursor *cursor)
{
    sqlite3_stmt *stmt = fake_prepare(server,
        "select (?2 = 0 and ?3 = 0 and coalesce((select floor from fs_head where scope = ?1), 0) = 0) or ("
        "exists (select 1 from fs_epoch where epoch = ?2 >> 33 and lineage = ?3) and "
        "?2 <= max(coalesce((select max(stamp) from fs_log where scope = ?1 and stamp >> 33 = ?2 >> 33), 0),"
        "          coalesce((select stamp from fs_head where scope = ?1 and stamp >> 33 = ?2 >> 33), 0)) and "
        "?2 >= coalesce((select floor from fs_head where scope = ?1), 0))");
    fake_bind_str(stmt, 1, cursor->scope);
    sqlite3_bind_int64(stmt, 2, cursor->stamp);
    sqlite3_bind_int64(stmt, 3, (int64_t)cursor->lineage);
    bool good = sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    return good;
}

static bool is_granted(struct fake_server *server, struct charle_str scope)
{
    sqlite3_stmt *stmt = fake_prepare(server, "select 1 from fs_scope where scope = ?1 and is_granted");
    fake_bind_str(stmt, 1, scope);
    bool is = sqlite3_step(stmt) == SQLITE_ROW;
    sqlite3_finalize(stmt);
    return is;
}

// --- messages -----------------------------------------------------------------------------------------------------------------

static void send(const struct charle_message *type, const void *message, struct fake_reply *reply)
{
    struct charle_buf buf = {0};
    charle_message_write(type, message, &buf);
    assert_int_equal(buf.failed, 0);
    // A copy of its own size, so that a reader past the end is caught.
    uint8_t *copy = malloc(buf.size ? buf.size : 1);
    memcpy(copy, buf.data ? buf.data : (const uint8_t *)"", buf.size);
    reply->message(reply->ctx, charle_bytes(copy, buf.size));
    free(copy);
    charle_buf_deinit(&buf);
}

static void *new(struct fake_server *server, size_t size)
{
    void *ptr = charle_arena_alloc(&server->arena, size);
    assert_non_null(ptr);
    return ptr;
}

static struct charle_str keep_str(struct fake_server *server, struct charle_str text)
{
    return charle_arena_str(&server->arena, text);
}

static struct charle_bytes keep_blob(struct fake_server *server, sqlite3_stmt *stmt, int column)
{
    return charle_arena_bytes(&server->arena, charle_bytes(sqlite3_column_blob(stmt, column), (size_t)sqlite3_column_bytes(stmt, column)));
}

// A growing array in the server's arena.
struct list {
    void **items;
    size_t count, capacity;
};

static void list_add(struct fake_server *server, struct list *list, void *item)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 16;
        void **grown = new(server, capacity * sizeof(*grown));
        if (list->count)
            memcpy(grown, list->items, list->count * sizeof(*grown));
        list->items = grown;
        list->capacity = capacity;
    }
    list->items[list->count++] = item;
}

static struct charle_array list_array(const struct list *list)
{
    return (struct charle_array){list->items, list->count, true};
}

// Strings and bytes lie in arrays by value.
static struct charle_array value_array(struct fake_server *server, const struct list *list)
{
    struct charle_str *values = new(server, (list->count ? list->count : 1) * sizeof(*values));
    for (size_t i = 0; i < list->count; i++)
        values[i] = *(struct charle_str *)list->items[i];
    return (struct charle_array){values, list->count, true};
}

static struct charle_str *boxed(struct fake_server *server, const void *ptr, size_t len)
{
    struct charle_str *box = new(server, sizeof(*box));
    *box = charle_str_n(ptr, len);
    return box;
}

// --- Open ---------------------------------------------------------------------------------------------------------------------

int64_t fake_server_last_sequence(struct fake_server *server, const char *device)
{
    sqlite3_stmt *stmt = fake_prepare(server, "select last_sequence from fs_device where id = ?1");
    fake_bind_str(stmt, 1, charle_str(device));
    int64_t value = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    return value;
}

static uint64_t hash_at(struct fake_server *server, struct charle_str device, int64_t sequence, bool *known)
{
    sqlite3_stmt *stmt = fake_prepare(server, "select hash from fs_verdict where device = ?1 and sequence = ?2");
    fake_bind_str(stmt, 1, device);
    sqlite3_bind_int64(stmt, 2, sequence);
    *known = sqlite3_step(stmt) == SQLITE_ROW;
    uint64_t hash = *known ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    return hash;
}

static struct charle_array granted_scopes(struct fake_server *server)
{
    struct list list = {0};
    sqlite3_stmt *stmt = fake_prepare(server, "select scope from fs_scope where is_granted order by scope");
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        struct charle_str scope = keep_str(server, fake_column_str(stmt, 0));
        list_add(server, &list, boxed(server, scope.ptr, scope.len));
    }
    sqlite3_finalize(stmt);
    return value_array(server, &list);
}

static enum charle_err do_open(struct fake_server *server, const struct charle_open_request *request, struct fake_reply *reply)
{
    bool known;
    uint64_t hash = hash_at(server, request->device_id, request->last_sequence.value, &known);
    if (request->schema_hash != server->schema->hash) {
        snprintf(reply->text, sizeof(reply->text), "another schema");
        return CHARLE_SCHEMA_MISMATCH;
    }
    if (known && hash != request->last_hash.value) {
        snprintf(reply->text, sizeof(reply->text), "call %lld of this device is another one", (long long)request->last_sequence.value);
        return CHARLE_CONFLICT;
    }
    sqlite3_stmt *stmt = fake_prepare(server, "insert into fs_device values (?1, 0, 0) on conflict do nothing");
    fake_bind_str(stmt, 1, request->device_id);
    sqlite3_step(stmt);
    sqlite3_finalize(stmt);
    char device[64];
    snprintf(device, sizeof(device), "%.*s", CHARLE_FMT(request->device_id));
    const struct charle_open_reply open = {
        .principal = CHARLE_STR("person"), .principal_id = CHARLE_STR("p1"), .server_id = charle_bytes("0123456789abcdef", 16),
        .last_sequence = fake_server_last_sequence(server, device), .scope = granted_scopes(server), .now = {server->now_us},
        .push_calls_max = {server->push_calls_max, server->push_calls_max != 0}};
    send(&charle_open_reply_message, &open, reply);
    return CHARLE_OK;
}

// --- Push ---------------------------------------------------------------------------------------------------------------------

static enum charle_err run_call(struct fake_server *server, const struct charle_call *call, struct charle_verdict *verdict,
                                struct charle_error *err)
{
    struct charle_array scopes = granted_scopes(server);
    struct charle_identity identity = {.principal = CHARLE_STR("person"), .id = CHARLE_STR("p1"), .scopes = scopes.items,
                                       .scope_count = scopes.count};
    struct charle_context context = {.db = server->db, .arena = &server->arena, .schema = server->schema, .identity = &identity,
                                     .is_replay = true, .crud = ch_crud_run};
    struct charle_buf bytes = {0};
    charle_context_seed(&context, call->at, call->seed);
    const struct charle_method *method = charle_method_find(&server->methods, call->method);
    assert_non_null(method);
    server->calls_run++;
    assert_int_equal(charle_begin(server->db, NULL, err), CHARLE_OK);
    enum charle_err rc = server->parks     ? charle_fail(err, CHARLE_UNAVAILABLE, "something is missing for now")
                         : server->rejects ? charle_fail(err, CHARLE_FAILED_PRECONDITION, "a rule says no")
                                           : charle_method_run(method, &context, call->request, &bytes, err);
    if (rc)
        assert_int_equal(charle_rollback(server->db, NULL), CHARLE_OK);
    else
        assert_int_equal(charle_commit(server->db, err), CHARLE_OK);
    verdict->kind = rc ? server->parks ? CHARLE_PARKED : CHARLE_REJECTED : context.merge_note.len ? CHARLE_MERGED : CHARLE_APPLIED;
    if (context.merge_note.len && !rc)
        verdict->text = (struct charle_opt_text){keep_str(server, context.merge_note), true};
    if (!rc)
        verdict->reply = (struct charle_opt_bytes){charle_arena_bytes(&server->arena, charle_buf_bytes(&bytes)), true};
    charle_buf_deinit(&bytes);
    return rc;
}

static void store_verdict(struct fake_server *server, struct charle_str device, const struct charle_call *call,
                          const struct charle_verdict *verdict)
{
    sqlite3_stmt *stmt = fake_prepare(server, "insert into fs_verdict values (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
    fake_bind_str(stmt, 1, device);
    sqlite3_bind_int64(stmt, 2, call->sequence);
    sqlite3_bind_int64(stmt, 3, (int64_t)call->hash);
    sqlite3_bind_int(stmt, 4, verdict->kind);
    sqlite3_bind_int(stmt, 5, verdict->code.has ? verdict->code.value : 0);
    fake_bind_str(stmt, 6, verdict->text.has ? verdict->text.value : CHARLE_STR(""));
    if (verdict->reply.has)
        sqlite3_bind_blob(stmt, 7, verdict->reply.value.ptr, (int)verdict->reply.value.len, SQLITE_STATIC);
    must(server, sqlite3_step(stmt), "insert into fs_verdict");
    sqlite3_finalize(stmt);
    stmt = fake_prepare(server, "update fs_device set last_sequence = ?2, last_hash = ?3 where id = ?1");
    fake_bind_str(stmt, 1, device);
    sqlite3_bind_int64(stmt, 2, call->sequence);
    sqlite3_bind_int64(stmt, 3, (int64_t)call->hash);
    must(server, sqlite3_step(stmt), "update fs_device");
    sqlite3_finalize(stmt);
}

static void stored_verdict(struct fake_server *server, struct charle_str device, int64_t sequence, struct charle_verdict *verdict)
{
    sqlite3_stmt *stmt = fake_prepare(server, "select kind, code, text, reply from fs_verdict where device = ?1 and sequence = ?2");
    fake_bind_str(stmt, 1, device);
    sqlite3_bind_int64(stmt, 2, sequence);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    verdict->kind = sqlite3_column_int(stmt, 0);
    verdict->code = (struct charle_opt_int4){sqlite3_column_int(stmt, 1), true};
    verdict->text = (struct charle_opt_text){keep_str(server, fake_column_str(stmt, 2)), true};
    if (sqlite3_column_type(stmt, 3) != SQLITE_NULL)
        verdict->reply = (struct charle_opt_bytes){
            charle_arena_bytes(&server->arena, charle_bytes(sqlite3_column_blob(stmt, 3), (size_t)sqlite3_column_bytes(stmt, 3))), true};
    sqlite3_finalize(stmt);
}

static enum charle_err do_push(struct fake_server *server, const struct charle_push_request *request, struct fake_reply *reply)
{
    const struct charle_call *const *calls = request->call.items;
    struct list verdicts = {0};
    char device[64];
    snprintf(device, sizeof(device), "%.*s", CHARLE_FMT(request->device_id));
    int64_t last = fake_server_last_sequence(server, device);
    sqlite3_stmt *stmt = fake_prepare(server, "select last_hash from fs_device where id = ?1");
    fake_bind_str(stmt, 1, request->device_id);
    uint64_t last_hash = sqlite3_step(stmt) == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    must_be_ok(charle_begin(server->db, NULL, NULL));
    for (size_t i = 0; i < request->call.count; i++) {
        struct charle_verdict *verdict = new(server, sizeof(*verdict));
        struct charle_error err = {0};
        bool known;
        verdict->sequence = calls[i]->sequence;
        if (calls[i]->sequence <= last) {
            if (hash_at(server, request->device_id, calls[i]->sequence, &known) != calls[i]->hash || !known) {
                must_be_ok(charle_rollback(server->db, NULL));
                snprintf(reply->text, sizeof(reply->text), "call %lld of this device is another one", (long long)calls[i]->sequence);
                return CHARLE_CONFLICT;
            }
            stored_verdict(server, request->device_id, calls[i]->sequence, verdict);
        } else if (calls[i]->sequence > last + 1) {
            break; // a gap
        } else {
            struct ch_chain_link link = {calls[i]->sequence, calls[i]->method, calls[i]->request, calls[i]->at.us, calls[i]->seed};
            if (ch_chain_hash(last_hash, &link) != calls[i]->hash) {
                must_be_ok(charle_rollback(server->db, NULL));
                snprintf(reply->text, sizeof(reply->text), "the chain of this device's calls is broken");
                return CHARLE_CONFLICT;
            }
            enum charle_err rc = run_call(server, calls[i], verdict, &err);
            if (rc) {
                verdict->code = (struct charle_opt_int4){rc, true};
                verdict->text = (struct charle_opt_text){keep_str(server, charle_str(err.text)), true};
            }
            store_verdict(server, request->device_id, calls[i], verdict);
            last = calls[i]->sequence;
            last_hash = calls[i]->hash;
        }
        list_add(server, &verdicts, verdict);
    }
    must_be_ok(charle_commit(server->db, NULL));
    const struct charle_push_reply push = {.verdict = list_array(&verdicts), .last_sequence = last};
    send(&charle_push_reply_message, &push, reply);
    stamp(server);
    return CHARLE_OK;
}

// --- Hash ---------------------------------------------------------------------------------------------------------------------

static void add_range(const struct charle_opt_text *after, const struct charle_opt_text *until, bool is_text, struct charle_buf *sql)
{
    // Composite keys of these tests are two texts, whose JSON orders as they do unless one is a prefix of another; ids have one length.
    (void)is_text;
    if (after->has)
        charle_buf_add_text(sql, " and key > ?3");
    if (until->has)
        charle_buf_add_text(sql, " and key <= ?4");
}

static enum charle_err do_hash(struct fake_server *server, const struct charle_hash_request *request, struct fake_reply *reply)
{
    struct charle_buf sql = {0};
    struct list buckets = {0};
    if (!is_granted(server, request->scope))
        return CHARLE_PERMISSION_DENIED;
    charle_buf_add_text(&sql, "select key, row from fs_content where scope = ?1 and tab = ?2");
    add_range(&request->after_key, &request->until_key, true, &sql);
    charle_buf_add_text(&sql, " order by key");
    sqlite3_stmt *stmt = fake_prepare(server, charle_buf_text(&sql));
    fake_bind_str(stmt, 1, request->scope);
    sqlite3_bind_int64(stmt, 2, request->table);
    if (request->after_key.has)
        fake_bind_str(stmt, 3, request->after_key.value);
    if (request->until_key.has)
        fake_bind_str(stmt, 4, request->until_key.value);
    size_t total = 0;
    while (sqlite3_step(stmt) == SQLITE_ROW)
        total++;
    sqlite3_reset(stmt);
    size_t each = (total + request->buckets - 1) / (request->buckets ? request->buckets : 1), at = 0;
    struct ch_row_sum sum = {0};
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        ch_row_sum_add(&sum, charle_bytes(sqlite3_column_blob(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1)));
        if (++at % (each ? each : 1) && at < total)
            continue;
        struct charle_hash_bucket *bucket = new(server, sizeof(*bucket));
        uint8_t hash[CH_ROW_HASH_SIZE];
        ch_row_sum_write(&sum, hash);
        struct charle_str until = fake_column_str(stmt, 0);
        if (at == total && !server->names_last_key)
            until = request->until_key.has ? request->until_key.value : CHARLE_STR("");
        *bucket = (struct charle_hash_bucket){keep_str(server, until), sum.rows,
                                              charle_arena_bytes(&server->arena, charle_bytes(hash, sizeof(hash)))};
        list_add(server, &buckets, bucket);
        sum = (struct ch_row_sum){0};
    }
    sqlite3_finalize(stmt);
    charle_buf_deinit(&sql);
    struct head head = head_of(server, request->scope);
    const struct charle_cursor cursor = {request->scope, head.stamp, head.lineage};
    const struct charle_hash_reply hash_reply = {.bucket = list_array(&buckets), .head = &cursor};
    send(&charle_hash_reply_message, &hash_reply, reply);
    return CHARLE_OK;
}

enum charle_err fake_server_call(struct fake_server *server, struct charle_str method, struct charle_bytes request,
                                 struct fake_reply *reply)
{
    struct charle_open_request open;
    struct charle_push_request push;
    struct charle_hash_request hash;
    struct charle_error err = {0};
    enum charle_err rc = CHARLE_UNIMPLEMENTED;
    reply->text[0] = '\0';
    charle_arena_reset(&server->arena);
    if (charle_str_equal(method, CHARLE_STR("charle.Sync/Open"))) {
        assert_int_equal(charle_message_read(&charle_open_request_message, request, &server->arena, &open, &err), CHARLE_OK);
        rc = do_open(server, &open, reply);
    } else if (charle_str_equal(method, CHARLE_STR("charle.Sync/Push"))) {
        assert_int_equal(charle_message_read(&charle_push_request_message, request, &server->arena, &push, &err), CHARLE_OK);
        if (push.call.count > server->batch_largest)
            server->batch_largest = push.call.count;
        bool is_too_much = server->takes_none || (server->batch_max && push.call.count > server->batch_max);
        server->batches_failed += is_too_much;
        rc = is_too_much ? CHARLE_UNAVAILABLE : do_push(server, &push, reply);
    } else if (charle_str_equal(method, CHARLE_STR("charle.Sync/Hash"))) {
        assert_int_equal(charle_message_read(&charle_hash_request_message, request, &server->arena, &hash, &err), CHARLE_OK);
        rc = do_hash(server, &hash, reply);
    }
    return rc;
}

// --- Copy ---------------------------------------------------------------------------------------------------------------------

void fake_stream_open(struct fake_stream *stream, struct charle_str method, struct charle_bytes request)
{
    *stream = (struct fake_stream){.is_pull = charle_str_equal(method, CHARLE_STR("charle.Sync/Pull")), .is_first = true};
    charle_buf_add(&stream->request, request.ptr, request.len);
}

void fake_stream_close(struct fake_stream *stream)
{
    charle_buf_deinit(&stream->request);
    charle_buf_deinit(&stream->cursors);
}

static enum charle_err pump_copy(struct fake_server *server, struct fake_stream *stream, struct fake_reply *reply)
{
    struct charle_copy_request request;
    struct charle_error err = {0};
    struct charle_buf sql = {0};
    struct list rows = {0};
    assert_int_equal(charle_message_read(&charle_copy_request_message, charle_buf_bytes(&stream->request), &server->arena, &request, &err), CHARLE_OK);
    if (!is_granted(server, request.scope)) {
        snprintf(reply->text, sizeof(reply->text), "not granted");
        stream->is_done = true;
        return CHARLE_PERMISSION_DENIED;
    }
    struct charle_opt_text after = request.after_key;
    if (stream->has_after)
        after = (struct charle_opt_text){charle_str(stream->after), true};
    charle_buf_add_text(&sql, "select key, row from fs_content where scope = ?1 and tab = ?2");
    add_range(&after, &request.until_key, true, &sql);
    charle_buf_add_text(&sql, " order by key limit ?5");
    sqlite3_stmt *stmt = fake_prepare(server, charle_buf_text(&sql));
    size_t limit = server->page_rows ? server->page_rows : 100;
    fake_bind_str(stmt, 1, request.scope);
    sqlite3_bind_int64(stmt, 2, request.table);
    if (after.has)
        fake_bind_str(stmt, 3, after.value);
    if (request.until_key.has)
        fake_bind_str(stmt, 4, request.until_key.value);
    sqlite3_bind_int64(stmt, 5, (int64_t)limit);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        struct charle_bytes row = keep_blob(server, stmt, 1);
        list_add(server, &rows, boxed(server, row.ptr, row.len));
        snprintf(stream->after, sizeof(stream->after), "%s", sqlite3_column_text(stmt, 0));
        stream->has_after = true;
    }
    sqlite3_finalize(stmt);
    charle_buf_deinit(&sql);
    struct head head = head_of(server, request.scope);
    const struct charle_cursor cursor = {request.scope, head.stamp, head.lineage};
    stream->is_done = rows.count < limit;
    const struct charle_copy_page page = {
        .row = value_array(server, &rows), .head = &cursor, // each page is a snapshot of its own
        .last_key = {charle_str(stream->after), stream->has_after}, .is_last = {stream->is_done, true}, .rows_total = {1000, stream->is_first}};
    stream->is_first = false;
    send(&charle_copy_page_message, &page, reply);
    return CHARLE_OK;
}

// --- Pull ---------------------------------------------------------------------------------------------------------------------

static struct charle_array still_in(struct fake_server *server, int64_t table, struct charle_str key)
{
    struct list list = {0};
    sqlite3_stmt *stmt = fake_prepare(server, "select scope from fs_content where tab = ?1 and key = ?2");
    sqlite3_bind_int64(stmt, 1, table);
    fake_bind_str(stmt, 2, key);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        struct charle_str scope = keep_str(server, fake_column_str(stmt, 0));
        list_add(server, &list, boxed(server, scope.ptr, scope.len));
    }
    sqlite3_finalize(stmt);
    return value_array(server, &list);
}

static void add_table_delta(struct fake_server *server, const struct charle_cursor *from, int64_t table, struct list *tables)
{
    struct list rows = {0}, gone = {0};
    sqlite3_stmt *stmt = fake_prepare(server, "select l.key, c.row, c.key is not null from (select distinct key from fs_log where scope = ?1 and "
                                 "stamp > ?2 and tab = ?3) l left join fs_content c on c.scope = ?1 and c.tab = ?3 and c.key = l.key order by 1");
    fake_bind_str(stmt, 1, from->scope);
    sqlite3_bind_int64(stmt, 2, from->stamp);
    sqlite3_bind_int64(stmt, 3, table);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        if (sqlite3_column_int(stmt, 2)) {
            struct charle_bytes row = keep_blob(server, stmt, 1);
            list_add(server, &rows, boxed(server, row.ptr, row.len));
            continue;
        }
        struct charle_gone *item = new(server, sizeof(*item));
        item->key = keep_str(server, fake_column_str(stmt, 0));
        item->still_in = still_in(server, table, item->key);
        list_add(server, &gone, item);
    }
    sqlite3_finalize(stmt);
    if (!rows.count && !gone.count)
        return;
    struct charle_table_delta *delta = new(server, sizeof(*delta));
    *delta = (struct charle_table_delta){(uint32_t)table, value_array(server, &rows), list_array(&gone)};
    list_add(server, tables, delta);
}

static void add_delta(struct fake_server *server, const struct charle_cursor *from, struct list *deltas)
{
    struct head head = head_of(server, from->scope);
    struct list tables = {0};
    if (head.stamp == from->stamp)
        return;
    for (size_t i = 0; i < server->schema->table_count; i++)
        add_table_delta(server, from, server->schema->tables[i]->id, &tables);
    struct charle_scope_delta *delta = new(server, sizeof(*delta));
    *delta = (struct charle_scope_delta){from->scope, from->stamp, head.stamp, head.lineage, list_array(&tables)};
    list_add(server, deltas, delta);
}

// A moment as one page, or as one page for each scope's delta when pages are small.
static void send_moment(struct fake_server *server, struct fake_stream *stream, struct charle_pull_page *page, const struct list *deltas,
                        struct fake_reply *reply)
{
    bool is_split = server->page_rows && server->page_rows < 10 && deltas->count > 1;
    for (size_t i = 0; is_split && i + 1 < deltas->count; i++) {
        struct charle_pull_page part = {.delta = {&deltas->items[i], 1, true}};
        if (i == 0) {
            part.lost = page->lost, part.gained = page->gained, part.repair = page->repair, part.scope = page->scope;
            part.lists_scopes = page->lists_scopes;
            page->lost = page->gained = page->repair = page->scope = (struct charle_array){0};
        }
        send(&charle_pull_page_message, &part, reply);
    }
    page->delta = is_split ? (struct charle_array){&deltas->items[deltas->count - 1], 1, true} : list_array(deltas);
    page->is_last = true;
    page->last_sequence = (struct charle_opt_int8){fake_server_last_sequence(server, stream->device), true};
    stream->last_sequence = page->last_sequence.value;
    send(&charle_pull_page_message, page, reply);
}

static void remember(struct fake_stream *stream, struct charle_str scope, int64_t stamp_value)
{
    charle_buf_add_str(&stream->cursors, scope);
    charle_buf_add_byte(&stream->cursors, 0);
    charle_buf_add(&stream->cursors, &stamp_value, sizeof(stamp_value));
}

static const struct charle_cursor *find_cursor(const struct charle_array *cursors, struct charle_str scope)
{
    const struct charle_cursor *const *items = cursors->items;
    for (size_t i = 0; i < cursors->count; i++) {
        if (charle_str_equal(items[i]->scope, scope))
            return items[i];
    }
    return NULL;
}

static void first_moment(struct fake_server *server, struct fake_stream *stream, const struct charle_pull_request *request,
                         struct fake_reply *reply)
{
    struct charle_array granted = granted_scopes(server);
    const struct charle_str *scopes = granted.items;
    const struct charle_cursor *const *cursors = request->cursor.items;
    struct list lost = {0}, gained = {0}, repair = {0}, deltas = {0}, all = {0};
    for (size_t i = 0; i < request->cursor.count; i++) {
        if (!is_granted(server, cursors[i]->scope) && !charle_str_has_prefix(cursors[i]->scope, CHARLE_STR("device:")))
            list_add(server, &lost, boxed(server, cursors[i]->scope.ptr, cursors[i]->scope.len));
    }
    for (size_t i = 0; i < granted.count; i++) {
        const struct charle_cursor *cursor = find_cursor(&request->cursor, scopes[i]);
        list_add(server, &all, boxed(server, scopes[i].ptr, scopes[i].len));
        if (!cursor)
            list_add(server, &gained, boxed(server, scopes[i].ptr, scopes[i].len));
        else if (!is_good(server, cursor))
            list_add(server, &repair, boxed(server, scopes[i].ptr, scopes[i].len));
        else
            add_delta(server, cursor, &deltas);
        if (cursor && is_good(server, cursor))
            remember(stream, scopes[i], head_of(server, scopes[i]).stamp);
    }
    struct charle_pull_page page = {.lost = value_array(server, &lost), .gained = value_array(server, &gained),
                                    .repair = value_array(server, &repair), .scope = value_array(server, &all), .lists_scopes = {true, true}};
    send_moment(server, stream, &page, &deltas, reply);
}

static bool is_listed(const struct fake_stream *stream, struct charle_str scope)
{
    for (size_t at = 0; at < stream->cursors.size;) {
        struct charle_str held = charle_str((const char *)stream->cursors.data + at);
        if (charle_str_equal(held, scope))
            return true;
        at += held.len + 1 + sizeof(int64_t);
    }
    return false;
}

static int64_t floor_of(struct fake_server *server, struct charle_str scope)
{
    sqlite3_stmt *stmt = fake_prepare(server, "select floor from fs_head where scope = ?1");
    fake_bind_str(stmt, 1, scope);
    int64_t value = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    return value;
}

static void later_moment(struct fake_server *server, struct fake_stream *stream, struct fake_reply *reply)
{
    struct list lost = {0}, gained = {0}, repair = {0}, deltas = {0};
    struct charle_buf held = {0};
    for (size_t at = 0; at < stream->cursors.size;) {
        struct charle_str scope = keep_str(server, charle_str((const char *)stream->cursors.data + at));
        int64_t stamp_value;
        at += scope.len + 1;
        memcpy(&stamp_value, stream->cursors.data + at, sizeof(stamp_value));
        at += sizeof(stamp_value);
        const struct charle_cursor cursor = {scope, stamp_value, 0};
        if (!is_granted(server, scope)) {
            list_add(server, &lost, boxed(server, scope.ptr, scope.len));
            continue;
        }
        if (stamp_value < floor_of(server, scope)) { // the log was forgotten under the stream
            list_add(server, &repair, boxed(server, scope.ptr, scope.len));
            continue;
        }
        add_delta(server, &cursor, &deltas);
        struct fake_stream keep = {.cursors = held};
        remember(&keep, scope, head_of(server, scope).stamp);
        held = keep.cursors;
    }
    struct charle_array granted = granted_scopes(server);
    const struct charle_str *scopes = granted.items;
    for (size_t i = 0; i < granted.count; i++) {
        if (!is_listed(stream, scopes[i]))
            list_add(server, &gained, boxed(server, scopes[i].ptr, scopes[i].len));
    }
    charle_buf_deinit(&stream->cursors);
    stream->cursors = held;
    bool is_new = stream->last_sequence != fake_server_last_sequence(server, stream->device);
    if (!lost.count && !deltas.count && !is_new && !repair.count)
        return;
    struct charle_pull_page page = {.lost = value_array(server, &lost), .gained = value_array(server, &gained),
                                    .repair = value_array(server, &repair)};
    if (lost.count)
        page.scope = granted;
    send_moment(server, stream, &page, &deltas, reply);
}

static enum charle_err pump_pull(struct fake_server *server, struct fake_stream *stream, struct fake_reply *reply)
{
    struct charle_pull_request request;
    struct charle_error err = {0};
    assert_int_equal(charle_message_read(&charle_pull_request_message, charle_buf_bytes(&stream->request), &server->arena, &request, &err), CHARLE_OK);
    snprintf(stream->device, sizeof(stream->device), "%.*s", CHARLE_FMT(request.device_id));
    stream->is_live = request.live.has && request.live.value;
    if (stream->is_first) {
        server->pulls++;
        first_moment(server, stream, &request, reply);
    } else {
        later_moment(server, stream, reply);
    }
    stream->is_first = false;
    stream->is_done = !stream->is_live;
    return CHARLE_OK;
}

enum charle_err fake_server_pump(struct fake_server *server, struct fake_stream *stream, struct fake_reply *reply)
{
    reply->text[0] = '\0';
    charle_arena_reset(&server->arena);
    return stream->is_pull ? pump_pull(server, stream, reply) : pump_copy(server, stream, reply);
}
