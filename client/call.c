// Running calls on the replica: for the application, and again for a rebase.
#include "base/plant.h"
#include "client/rebase.h"
#include "client/reply.h"

#include "base/limits.h"
#include "msg/wire.h"
#include "services/crud.h"

enum { OUTBOX_CHECK_EVERY = 1024 };

static enum charle_err run_method(struct ch_replica *replica, const struct ch_call *call, struct charle_buf *reply,
                                  struct charle_error *err)
{
    struct charle_arena arena = {0};
    struct charle_context context = {
        .db = replica->db,
        .arena = &arena,
        .schema = replica->schema,
        .identity = &replica->identity.value,
        .is_replica = true,
        .crud = replica->crud,
    };
    charle_context_seed(&context, (struct charle_ts){call->at_us}, call->seed);
    ch_call_guard_on(&replica->guard, call->method);
    enum charle_err rc = charle_method_run(call->method, &context, call->request, reply, err);
    ch_call_guard_off(&replica->guard);
    replica->has_numbered = context.number_count > 0;
    charle_arena_deinit(&arena);
    return rc;
}

enum charle_err ch_call_run(struct ch_replica *replica, const struct ch_call *call, struct charle_buf *reply,
                            struct charle_error *err)
{
    enum charle_err rc = charle_begin(replica->db, NULL, err);
    if (rc)
        return rc;
    ch_capture_start(&replica->capture);
    rc = run_method(replica, call, reply, err);
    // A capture that failed is the reason of whatever the method says, or would be a lie if it says nothing.
    if (replica->capture.failed)
        rc = ch_capture_stop(&replica->capture, err);
    else
        (void)!ch_capture_stop(&replica->capture, NULL);
    if (!rc)
        return charle_commit(replica->db, err);
    // A call that cannot be undone takes everything around it with it: half of it must not stay.
    struct charle_error undo = {0};
    enum charle_err undone = charle_rollback(replica->db, &undo);
    if (undone && err)
        *err = undo;
    return undone ? undone : rc;
}

// --- what a call depends on -------------------------------------------------------------------------------------------------------

enum { REQUEST_KEY = 1 }; // the key's field in generated Update and Delete requests

static bool is_referred_to(const struct charle_schema *schema, const struct charle_table *table)
{
    for (size_t t = 0; t < schema->table_count; t++) {
        const struct charle_table *other = schema->tables[t];
        for (size_t i = 0; other->is_replicated && i < other->column_count; i++) {
            if (other->columns[i].references == table)
                return true;
        }
    }
    return false;
}

// The row that a generated Update or Delete is about, as its request says.
static enum charle_err key_of_request(struct ch_replica *replica, struct ch_table *table, struct charle_bytes request,
                                      struct charle_buf *out, struct charle_error *err)
{
    struct charle_wire_reader reader = {request.ptr, request.ptr + request.len};
    struct charle_wire_field field;
    while (charle_wire_next(&reader, &field) == CHARLE_OK) {
        if (field.number == REQUEST_KEY && field.wire_type == 2)
            return ch_table_key_of_row(&replica->tables, table, field.bytes, out, err);
    }
    return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the request names no row");
}

// True when the call is about one row; its key is appended.
static bool is_narrow(struct ch_replica *replica, const struct ch_call *call, enum charle_err ran, struct charle_buf *key)
{
    const struct charle_method *method = call->method;
    struct ch_table *table = method->table ? ch_table_by_id(&replica->tables, method->table->id) : NULL;
    struct ch_capture *capture = &replica->capture;
    struct charle_error ignored;
    if (!table || (!ran && capture->count && !ch_capture_is_one_row(capture, method->table)))
        return false;
    switch ((enum charle_crud)method->crud) {
    case CHARLE_CRUD_CREATE:
        return !ran && capture->count && !ch_capture_first_key(capture, key);
    case CHARLE_CRUD_DELETE:
        if (is_referred_to(replica->schema, method->table))
            return false;
        return !key_of_request(replica, table, call->request, key, &ignored);
    case CHARLE_CRUD_UPDATE:
        return !key_of_request(replica, table, call->request, key, &ignored);
    case CHARLE_CRUD_NONE:
    case CHARLE_CRUD_GET:
    case CHARLE_CRUD_LIST:
        return false;
    }
    return false;
}

enum charle_err ch_call_keep(struct ch_replica *replica, const struct ch_call *call, enum charle_err ran, int64_t position,
                             bool *out_is_wide, struct charle_error *err)
{
    struct charle_buf key = {0};
    bool narrow = call->method && is_narrow(replica, call, ran, &key) && key.size; // no row has an empty key
    enum charle_err rc = CHARLE_OK;
    if (!ran)
        rc = ch_capture_keep(&replica->capture, position, err);
    if (!rc && narrow)
        rc = ch_lite_run(&replica->sql, CH_LITE_TOUCH_ADD, err, "isib", (int64_t)call->method->table->id, charle_buf_str(&key), position,
                         charle_bytes((const uint8_t *)"", 0));
    *out_is_wide = !narrow;
    charle_buf_deinit(&key);
    return rc;
}

// The machine failed, not the call: trying again later may succeed, and nothing may be concluded about the call.
static bool is_failure_of_machine(enum charle_err rc)
{
    return rc == CHARLE_NO_MEMORY || rc == CHARLE_IO || rc == CHARLE_DISK_FULL || rc == CHARLE_READ_ONLY ||
           rc == CHARLE_BUSY || rc == CHARLE_DATA_LOSS || rc == CHARLE_INTERNAL;
}

enum charle_err ch_call_run_again(struct ch_replica *replica, int64_t position, struct charle_error *err)
{
    struct charle_buf reply = {0};
    struct charle_error why = {0};
    struct ch_call call = {0};
    sqlite3_stmt *row;
    enum charle_err rc = ch_lite_run(&replica->sql, CH_LITE_TOUCH_UNSURE, err, "i", position);
    if (!rc)
        rc = ch_lite_one(&replica->sql, CH_LITE_OUTBOX_GET, &row, err, "i", position);
    if (rc)
        return rc == CHARLE_DONE ? CHARLE_OK : rc; // discarded meanwhile
    call = (struct ch_call){.method = charle_method_find(&replica->methods, ch_lite_text(row, 1)),
                            .request = ch_lite_bytes(row, 2), .at_us = sqlite3_column_int64(row, 3),
                            .seed = (uint64_t)sqlite3_column_int64(row, 4)};
    enum charle_err ran = call.method ? ch_call_run(replica, &call, &reply, &why)
                                      : charle_fail(&why, CHARLE_UNIMPLEMENTED, "this program has no method %.*s; the server decides",
                                                    CHARLE_FMT(ch_lite_text(row, 1)));
    charle_buf_deinit(&reply);
    if (ran && is_failure_of_machine(ran)) {
        if (err)
            *err = why;
        ch_lite_end(row);
        return ran;
    }
    struct charle_str words = ran ? charle_str(why.text) : (struct charle_str){0};
    bool is_wide = true;
    rc = ch_call_keep(replica, &call, ran, position, &is_wide, err);
    ch_lite_end(row); // the request was read from it
    return rc ? rc : ch_lite_run(&replica->sql, CH_LITE_OUTBOX_RAN, err, "iis", position, (int64_t)is_wide, words);
}

// Runs the call and keeps what it did with its entry. A failure of the call is the caller's answer: nothing is queued.
static enum charle_err queue_call(struct ch_replica *replica, const struct ch_call *call, struct charle_buf *reply,
                                  int64_t *out_position, struct charle_error *err)
{
    enum charle_err rc = ch_call_run(replica, call, reply, err);
    if (rc)
        return rc;
    struct charle_bytes request = charle_bytes(call->request.ptr ? call->request.ptr : (const uint8_t *)"", call->request.len);
    rc = ch_lite_run(&replica->sql, CH_LITE_OUTBOX_ADD, err, "isbiiiiis", (int64_t)0, call->method->name, request, call->at_us,
                    (int64_t)call->seed, (int64_t)0, (int64_t)0, (int64_t)0, (struct charle_str){0});
    *out_position = sqlite3_last_insert_rowid(replica->sql.db);
    bool is_wide = true;
    if (!rc && replica->has_numbered)
        rc = ch_reply_expect(replica, *out_position, err);
    if (!rc)
        rc = ch_call_keep(replica, call, CHARLE_OK, *out_position, &is_wide, err);
    return rc || !is_wide ? rc : ch_lite_run(&replica->sql, CH_LITE_OUTBOX_WIDE, err, "i", *out_position);
}

static enum charle_err check_room(struct ch_replica *replica, struct charle_error *err)
{
    if (replica->calls_until_check-- > 0)
        return CHARLE_OK;
    int64_t count;
    replica->calls_until_check = OUTBOX_CHECK_EVERY;
    enum charle_err rc = ch_lite_number(&replica->sql, CH_LITE_OUTBOX_COUNT, 0, &count, err, "");
    if (rc || count < CH_OUTBOX_CALLS_MAX)
        return rc;
    replica->calls_until_check = 0;
    return charle_fail(err, CHARLE_RESOURCE_EXHAUSTED,
                       "%lld calls wait for the server, which is the limit; connect to it before making more", (long long)count);
}

// While rows are copied straight into the tables there is no confirmed image to go back to.
static enum charle_err check_ready(struct ch_replica *replica, struct charle_error *err)
{
    int64_t ready;
    enum charle_err rc = ch_meta_number(&replica->sql, "ready", 0, &ready, err);
    return rc || ready ? rc
                       : charle_fail(err, CHARLE_FAILED_PRECONDITION,
                                     "this replica has not been copied completely yet; connect to the server first");
}

// The caller may have a generated descriptor; the schema's own knows the function behind it.
static const struct charle_method *bound_method(const struct ch_replica *replica, const struct charle_method *method)
{
    const struct charle_method *bound = charle_method_find(&replica->methods, method->name);
    return bound ? bound : method;
}

// An edit is queued with the values it was based on, so that the server can tell whether somebody else changed the same ones.
static enum charle_err queue_with_base(struct ch_replica *replica, struct ch_call *call, struct charle_buf *reply, int64_t *out_ticket,
                                       struct charle_error *err)
{
    struct charle_arena arena = {0};
    struct charle_buf based = {0};
    struct charle_context context = {.db = replica->db, .arena = &arena, .schema = replica->schema, .identity = &replica->identity.value,
                                     .is_replica = true, .crud = replica->crud};
    charle_context_seed(&context, (struct charle_ts){call->at_us}, call->seed);
    enum charle_err rc = ch_crud_add_base(call->method, &context, call->request, &based, err);
    call->request = charle_buf_bytes(&based);
    if (!rc)
        rc = queue_call(replica, call, reply, out_ticket, err);
    charle_buf_deinit(&based);
    charle_arena_deinit(&arena);
    return rc;
}

static enum charle_err run_new(struct ch_replica *replica, const struct charle_method *method, struct charle_bytes request,
                               struct charle_buf *reply, int64_t *out_ticket, struct charle_error *err)
{
    const struct ch_client_env *env = replica->env;
    struct ch_call call = {.method = bound_method(replica, method), .request = request, .at_us = env->now_wall_us(env->ctx)};
    if (request.len > CH_CALL_REQUEST_SIZE_MAX)
        return charle_fail(err, CHARLE_TOO_LARGE, "the request of %.*s has %zu bytes; a queued call may have %zu",
                           CHARLE_FMT(method->name), request.len, CH_CALL_REQUEST_SIZE_MAX);
    env->random(env->ctx, &call.seed, sizeof(call.seed));
    enum charle_err rc = check_ready(replica, err);
    if (!rc)
        rc = check_room(replica, err);
    if (!rc)
        rc = ch_replica_load_identity(replica, err);
    return rc ? rc : queue_with_base(replica, &call, reply, out_ticket, err);
}

enum charle_err ch_replica_call(struct ch_replica *replica, const struct charle_method *method, struct charle_bytes request,
                                struct charle_buf *reply, int64_t *out_ticket, struct charle_error *err)
{
    enum charle_err rc = ch_replica_begin(replica, CH_PLANTED(CALL_NOT_SYNCED) ? CH_FETCHABLE : CH_DURABLE, err);
    return rc ? rc : ch_replica_end(replica, run_new(replica, method, request, reply, out_ticket, err), err);
}

// The verdict's request as it was; on top of the row as it is now; or another one.
static enum charle_err choose_request(const struct charle_method *method, const struct ch_call_change *change, struct charle_bytes request,
                                      struct charle_arena *arena, struct charle_buf *out, struct charle_error *err)
{
    if (change && change->request.ptr)
        request = change->request;
    if (change)
        return ch_crud_drop_base(method, arena, request, out, err);
    charle_buf_add(out, request.ptr, request.len);
    return out->failed ? charle_fail(err, out->failed, "no memory for a request") : CHARLE_OK;
}

static enum charle_err run_changed(struct ch_replica *replica, const struct charle_method *method, const struct ch_call_change *change,
                                   struct charle_bytes request, int64_t *out_ticket, struct charle_error *err)
{
    struct charle_arena arena = {0};
    struct charle_buf chosen = {0}, reply = {0};
    enum charle_err rc = choose_request(method, change, request, &arena, &chosen, err);
    if (!rc)
        rc = run_new(replica, method, charle_buf_bytes(&chosen), &reply, out_ticket, err);
    charle_buf_deinit(&chosen);
    charle_buf_deinit(&reply);
    charle_arena_deinit(&arena);
    return rc;
}

static enum charle_err run_verdicts_call(struct ch_replica *replica, int64_t inbox_id, const struct ch_call_change *change,
                                         int64_t *out_ticket, struct charle_error *err)
{
    sqlite3_stmt *row;
    enum charle_err rc = ch_lite_one(&replica->sql, CH_LITE_INBOX_GET, &row, err, "i", inbox_id);
    if (rc)
        return rc == CHARLE_DONE ? charle_fail(err, CHARLE_NOT_FOUND, "there is no verdict %lld", (long long)inbox_id) : rc;
    struct charle_str name = ch_lite_text(row, 6);
    const struct charle_method *method = charle_method_find(&replica->methods, name);
    rc = method ? run_changed(replica, method, change, ch_lite_bytes(row, 7), out_ticket, err)
                : charle_fail(err, CHARLE_UNIMPLEMENTED, "this program has no method %.*s to call again", CHARLE_FMT(name));
    ch_lite_end(row);
    return rc ? rc : ch_lite_run(&replica->sql, CH_LITE_INBOX_DELETE, err, "i", inbox_id);
}

enum charle_err ch_replica_call_again(struct ch_replica *replica, int64_t inbox_id, const struct ch_call_change *change, int64_t *out_ticket,
                                      struct charle_error *err)
{
    enum charle_err rc = ch_replica_begin(replica, CH_DURABLE, err);
    return rc ? rc : ch_replica_end(replica, run_verdicts_call(replica, inbox_id, change, out_ticket, err), err);
}

enum charle_err ch_replica_ask(struct ch_replica *replica, const struct charle_method *method, struct charle_bytes request,
                               struct charle_buf *reply, struct charle_error *err)
{
    const struct ch_client_env *env = replica->env;
    struct charle_arena arena = {0};
    uint64_t seed;
    env->random(env->ctx, &seed, sizeof(seed));
    pthread_mutex_lock(&replica->look_mutex);
    enum charle_err rc = ch_identity_load(&replica->look_identity, &replica->look, err);
    struct charle_context context = {.db = replica->look_db, .arena = &arena, .schema = replica->schema,
                                     .identity = &replica->look_identity.value, .is_replica = true, .crud = replica->crud};
    charle_context_seed(&context, (struct charle_ts){env->now_wall_us(env->ctx)}, seed);
    if (!rc)
        rc = charle_method_run(bound_method(replica, method), &context, request, reply, err);
    pthread_mutex_unlock(&replica->look_mutex);
    charle_arena_deinit(&arena);
    return rc;
}
