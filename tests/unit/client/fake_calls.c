// The unary calls of the fake server: Open, Push and Hash.
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

struct charle_array fake_granted_scopes(struct fake_server *server)
{
    struct fake_list list = {0};
    sqlite3_stmt *stmt = fake_prepare(server, "select scope from fs_scope where is_granted order by scope");
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        struct charle_str scope = fake_keep_str(server, fake_column_str(stmt, 0));
        fake_list_add(server, &list, fake_boxed(server, scope.ptr, scope.len));
    }
    sqlite3_finalize(stmt);
    return fake_value_array(server, &list);
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
        .last_sequence = fake_server_last_sequence(server, device), .scope = fake_granted_scopes(server), .now = {server->now_us},
        .push_calls_max = {server->push_calls_max, server->push_calls_max != 0}};
    fake_send(&charle_open_reply_message, &open, reply);
    return CHARLE_OK;
}

// --- Push ---------------------------------------------------------------------------------------------------------------------

static enum charle_err run_call(struct fake_server *server, const struct charle_call *call, struct charle_verdict *verdict,
                                struct charle_error *err)
{
    struct charle_array scopes = fake_granted_scopes(server);
    struct charle_identity identity = {.principal = CHARLE_STR("person"), .id = CHARLE_STR("p1"), .scopes = scopes.items,
                                       .scope_count = scopes.count};
    struct charle_context context = {.db = server->db, .arena = &server->arena, .schema = server->schema, .identity = &identity,
                                     .is_replay = true, .crud = ch_crud_run};
    struct charle_buf bytes = {0};
    charle_context_seed(&context, call->at, call->seed);
    const struct charle_method *method = charle_method_find(&server->methods, call->method);
    verdict->kind = CHARLE_REJECTED;
    if (!method)
        return charle_fail(err, CHARLE_UNIMPLEMENTED, "there is no such method");
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
        verdict->text = (struct charle_opt_text){fake_keep_str(server, context.merge_note), true};
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
    fake_must(server, sqlite3_step(stmt), "insert into fs_verdict");
    sqlite3_finalize(stmt);
    stmt = fake_prepare(server, "update fs_device set last_sequence = ?2, last_hash = ?3 where id = ?1");
    fake_bind_str(stmt, 1, device);
    sqlite3_bind_int64(stmt, 2, call->sequence);
    sqlite3_bind_int64(stmt, 3, (int64_t)call->hash);
    fake_must(server, sqlite3_step(stmt), "update fs_device");
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
    verdict->text = (struct charle_opt_text){fake_keep_str(server, fake_column_str(stmt, 2)), true};
    if (sqlite3_column_type(stmt, 3) != SQLITE_NULL)
        verdict->reply = (struct charle_opt_bytes){
            charle_arena_bytes(&server->arena, charle_bytes(sqlite3_column_blob(stmt, 3), (size_t)sqlite3_column_bytes(stmt, 3))), true};
    sqlite3_finalize(stmt);
}

// What became of a call that came before, from whichever copy of the laptop it was made on: by the name of that one and its seed. Who brings a call
// without saying where it was made is believed that it is a new one, unless another device has brought it in its name.
static int64_t known_kind(struct fake_server *server, struct charle_str origin, const struct charle_call *call)
{
    sqlite3_stmt *stmt = fake_prepare(server, "select kind from fs_call where origin = ?1 and seed = ?2 and (is_taken or ?3)");
    fake_bind_str(stmt, 1, origin);
    sqlite3_bind_int64(stmt, 2, (int64_t)call->seed);
    sqlite3_bind_int(stmt, 3, call->origin.has);
    int64_t kind = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    return kind;
}

static void remember_call(struct fake_server *server, struct charle_str origin, const struct charle_call *call, int32_t kind)
{
    if (kind == CHARLE_PARKED)
        return;
    sqlite3_stmt *stmt = fake_prepare(server, "insert or replace into fs_call values (?1, ?2, ?3, ?4)");
    fake_bind_str(stmt, 1, origin);
    sqlite3_bind_int64(stmt, 2, (int64_t)call->seed);
    sqlite3_bind_int(stmt, 3, kind);
    sqlite3_bind_int(stmt, 4, call->origin.has);
    fake_must(server, sqlite3_step(stmt), "insert into fs_call");
    sqlite3_finalize(stmt);
}

static void take_new_call(struct fake_server *server, struct charle_str device, const struct charle_call *call, struct charle_verdict *verdict)
{
    struct charle_error err = {0};
    struct charle_str origin = call->origin.has ? call->origin.value : device;
    verdict->kind = (int32_t)known_kind(server, origin, call);
    if (!verdict->kind && run_call(server, call, verdict, &err)) {
        verdict->code = (struct charle_opt_int4){(int32_t)err.code, true};
        verdict->text = (struct charle_opt_text){fake_keep_str(server, charle_str(err.text)), true};
    }
    remember_call(server, origin, call, verdict->kind);
    store_verdict(server, device, call, verdict);
}

static enum charle_err do_push(struct fake_server *server, const struct charle_push_request *request, struct fake_reply *reply)
{
    const struct charle_call *const *calls = request->call.items;
    struct fake_list verdicts = {0};
    char device[64];
    snprintf(device, sizeof(device), "%.*s", CHARLE_FMT(request->device_id));
    int64_t last = fake_server_last_sequence(server, device);
    sqlite3_stmt *stmt = fake_prepare(server, "select last_hash from fs_device where id = ?1");
    fake_bind_str(stmt, 1, request->device_id);
    uint64_t last_hash = sqlite3_step(stmt) == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    fake_must_be_ok(charle_begin(server->db, NULL, NULL));
    for (size_t i = 0; i < request->call.count; i++) {
        struct charle_verdict *verdict = fake_new(server, sizeof(*verdict));
        bool known;
        verdict->sequence = calls[i]->sequence;
        if (calls[i]->sequence <= last) {
            if (hash_at(server, request->device_id, calls[i]->sequence, &known) != calls[i]->hash || !known) {
                fake_must_be_ok(charle_rollback(server->db, NULL));
                snprintf(reply->text, sizeof(reply->text), "call %lld of this device is another one", (long long)calls[i]->sequence);
                return CHARLE_CONFLICT;
            }
            stored_verdict(server, request->device_id, calls[i]->sequence, verdict);
        } else if (calls[i]->sequence > last + 1) {
            if (i > 0)
                break;
            fake_must_be_ok(charle_rollback(server->db, NULL));
            snprintf(reply->text, sizeof(reply->text), "call %lld came, but call %lld of this device is next", (long long)calls[i]->sequence, (long long)last + 1);
            return CHARLE_OUT_OF_RANGE;
        } else {
            struct ch_chain_link link = {calls[i]->sequence, calls[i]->method, calls[i]->request, calls[i]->at.us, calls[i]->seed};
            if (ch_chain_hash(last_hash, &link) != calls[i]->hash) {
                fake_must_be_ok(charle_rollback(server->db, NULL));
                snprintf(reply->text, sizeof(reply->text), "the chain of this device's calls is broken");
                return CHARLE_CONFLICT;
            }
            take_new_call(server, request->device_id, calls[i], verdict);
            last = calls[i]->sequence;
            last_hash = calls[i]->hash;
        }
        fake_list_add(server, &verdicts, verdict);
    }
    fake_must_be_ok(charle_commit(server->db, NULL));
    const struct charle_push_reply push = {.verdict = fake_list_array(&verdicts), .last_sequence = last};
    fake_send(&charle_push_reply_message, &push, reply);
    fake_stamp(server);
    return CHARLE_OK;
}

static enum charle_err take_push(struct fake_server *server, const struct charle_push_request *request, struct fake_reply *reply)
{
    if (request->call.count > server->batch_largest)
        server->batch_largest = request->call.count;
    bool is_too_much = server->takes_none || (server->batch_max && request->call.count > server->batch_max);
    server->batches_failed += is_too_much;
    return is_too_much ? CHARLE_UNAVAILABLE : do_push(server, request, reply);
}

// --- Hash ---------------------------------------------------------------------------------------------------------------------

void fake_add_range(const struct charle_opt_text *after, const struct charle_opt_text *until, bool is_text, struct charle_buf *sql)
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
    struct fake_list buckets = {0};
    if (!fake_is_granted(server, request->scope))
        return CHARLE_PERMISSION_DENIED;
    charle_buf_add_text(&sql, "select key, row from fs_content where scope = ?1 and tab = ?2");
    fake_add_range(&request->after_key, &request->until_key, true, &sql);
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
        struct charle_hash_bucket *bucket = fake_new(server, sizeof(*bucket));
        uint8_t hash[CH_ROW_HASH_SIZE];
        ch_row_sum_write(&sum, hash);
        struct charle_str until = fake_column_str(stmt, 0);
        if (at == total && !server->names_last_key)
            until = request->until_key.has ? request->until_key.value : CHARLE_STR("");
        *bucket = (struct charle_hash_bucket){fake_keep_str(server, until), sum.rows,
                                              charle_arena_bytes(&server->arena, charle_bytes(hash, sizeof(hash)))};
        fake_list_add(server, &buckets, bucket);
        sum = (struct ch_row_sum){0};
    }
    sqlite3_finalize(stmt);
    charle_buf_deinit(&sql);
    struct fake_head head = fake_head_of(server, request->scope);
    const struct charle_cursor cursor = {request->scope, head.stamp, head.lineage};
    const struct charle_hash_reply hash_reply = {.bucket = fake_list_array(&buckets), .head = &cursor};
    fake_send(&charle_hash_reply_message, &hash_reply, reply);
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
        rc = charle_message_read(&charle_open_request_message, request, &server->arena, &open, &err);
        rc = rc ? rc : do_open(server, &open, reply);
    } else if (charle_str_equal(method, CHARLE_STR("charle.Sync/Push"))) {
        rc = charle_message_read(&charle_push_request_message, request, &server->arena, &push, &err);
        rc = rc ? rc : take_push(server, &push, reply);
    } else if (charle_str_equal(method, CHARLE_STR("charle.Sync/Hash"))) {
        rc = charle_message_read(&charle_hash_request_message, request, &server->arena, &hash, &err);
        rc = rc ? rc : do_hash(server, &hash, reply);
    }
    if (err.code) // of a replica that was damaged: as a server answers
        snprintf(reply->text, sizeof(reply->text), "%s", err.text);
    return rc;
}
