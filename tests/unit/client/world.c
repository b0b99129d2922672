#include "world.h"

#include "msg/json.h"
#include "msg/wire.h"
#include "services/crud.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

extern const struct charle_schema notes_schema;

// --- chance and time ----------------------------------------------------------------------------------------------------------

uint64_t world_random(struct world *world, uint64_t below)
{
    world->random += 0x9e3779b97f4a7c15u; // splitmix64
    uint64_t z = world->random;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return below ? z % below : z;
}

static int64_t env_mono(void *ctx)
{
    return ((struct world *)ctx)->mono_us;
}

static int64_t env_wall(void *ctx)
{
    return 1763800000000000 + ((struct world *)ctx)->mono_us;
}

static void env_random(void *ctx, void *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = (uint8_t)world_random(ctx, 256);
}

static void env_timer(void *ctx, int64_t at)
{
    ((struct world *)ctx)->timer_at = at;
}

static void env_changed(void *ctx, unsigned events, const uint32_t *tables, size_t count)
{
    (void)tables;
    (void)count;
    ((struct world *)ctx)->events |= events;
}

// --- the network --------------------------------------------------------------------------------------------------------------

static void free_call(struct world_call *call)
{
    if (call->is_stream)
        fake_stream_close(&call->stream);
    charle_buf_deinit(&call->request);
    charle_buf_deinit(&call->messages);
    *call = (struct world_call){0};
}

static void step_outside(const struct world *world, bool is_outside)
{
    if (world->outside)
        world->outside(is_outside);
}

static int kind_of(const char *method)
{
    static const char *const kinds[] = {"charle.Sync/Open", "charle.Sync/Copy", "charle.Sync/Pull", "charle.Sync/Hash", "charle.Sync/Push"};
    for (int i = 0; i < 5; i++) {
        if (strcmp(kinds[i], method) == 0)
            return i;
    }
    return 5;
}

static void env_start(void *ctx, uint64_t id, struct charle_str method, struct charle_bytes request, uint32_t timeout_ms)
{
    struct world *world = ctx;
    (void)timeout_ms;
    for (int i = 0; i < WORLD_CALLS_MAX; i++) {
        struct world_call *call = &world->calls[i];
        if (call->id)
            continue;
        call->id = id;
        snprintf(call->method, sizeof(call->method), "%.*s", CHARLE_FMT(method));
        step_outside(world, true);
        charle_buf_add(&call->request, request.ptr, request.len);
        world->started[kind_of(call->method)]++;
        call->is_stream = kind_of(call->method) == 1 || kind_of(call->method) == 2;
        if (call->is_stream)
            fake_stream_open(&call->stream, method, request);
        step_outside(world, false);
        if (!world->is_connected) {
            call->is_over = call->is_delivered = true;
            call->code = CHARLE_UNAVAILABLE;
        }
        return;
    }
    fail_msg("more than %d calls in flight", WORLD_CALLS_MAX);
}

static void env_cancel(void *ctx, uint64_t id)
{
    struct world *world = ctx;
    for (int i = 0; i < WORLD_CALLS_MAX; i++) {
        if (world->calls[i].id == id)
            free_call(&world->calls[i]);
    }
}

static void env_consumed(void *ctx, uint64_t id, size_t size)
{
    (void)id;
    ((struct world *)ctx)->consumed += (int64_t)size;
}

static void take_message(void *ctx, struct charle_bytes bytes)
{
    struct world_call *call = ctx;
    size_t size = bytes.len;
    charle_buf_add(&call->messages, &size, sizeof(size));
    charle_buf_add(&call->messages, bytes.ptr, bytes.len);
}

static bool has_message(const struct world_call *call)
{
    return call->message_at < call->messages.size;
}

// With CHARLE_TEST_TRACE set, everything that is said is printed.
static void trace(const char *direction, const char *method, const struct charle_message *type, struct charle_bytes bytes)
{
    struct charle_arena arena = {0};
    struct charle_buf text = {0};
    struct charle_error err = {0};
    void *message = type && getenv("CHARLE_TEST_TRACE") ? charle_arena_alloc(&arena, type->size) : NULL;
    if (message && !charle_message_read(type, bytes, &arena, message, &err)) {
        charle_message_write_json(type, message, &text);
        print_message("%s %s %.900s\n", direction, method, charle_buf_text(&text));
    }
    charle_buf_deinit(&text);
    charle_arena_deinit(&arena);
}

static const struct charle_message *const requests[] = {&charle_open_request_message, &charle_copy_request_message,
    &charle_pull_request_message, &charle_hash_request_message, &charle_push_request_message, NULL};
static const struct charle_message *const replies[] = {&charle_open_reply_message, &charle_copy_page_message,
    &charle_pull_page_message, &charle_hash_reply_message, &charle_push_reply_message, NULL};

// The server sees the request, or is asked for the next page.
static bool serve_call(struct world *world, struct world_call *call)
{
    struct fake_reply reply = {.message = take_message, .ctx = call};
    if (!call->is_delivered)
        trace("->", call->method, requests[kind_of(call->method)], charle_buf_bytes(&call->request));
    if (world->refuse_method[0] && strcmp(world->refuse_method, call->method) == 0) {
        world->refuse_method[0] = '\0';
        call->is_over = call->is_delivered = true;
        call->code = world->refuse_code;
        snprintf(call->text, sizeof(call->text), "refused by the test");
        return true;
    }
    if (!call->is_stream) {
        call->code = fake_server_call(world->server, charle_str(call->method), charle_buf_bytes(&call->request), &reply);
        call->is_over = call->is_delivered = true;
    } else {
        size_t before = call->messages.size;
        call->code = fake_server_pump(world->server, &call->stream, &reply);
        if (world->lost_moments && call->stream.is_pull && call->stream.is_live && call->is_delivered && call->messages.size > before) {
            call->messages.size = before;
            world->lost_moments--;
            world->vanished_moments++;
        }
        call->is_over = call->stream.is_done || call->code;
        if (call->is_delivered && call->messages.size == before && !call->is_over)
            return false; // a live stream with nothing new
        call->is_delivered = true;
    }
    snprintf(call->text, sizeof(call->text), "%s", reply.text);
    return true;
}

static bool serve(struct world *world, struct world_call *call)
{
    step_outside(world, true);
    bool has_moved = serve_call(world, call);
    step_outside(world, false);
    return has_moved;
}

// The next message, as it arrives. A copy: the core may cancel the call while it reads.
static void take_out(struct world *world, struct world_call *call, struct charle_buf *out)
{
    size_t size;
    memcpy(&size, call->messages.data + call->message_at, sizeof(size));
    step_outside(world, true);
    charle_buf_add(out, call->messages.data + call->message_at + sizeof(size), size);
    call->message_at += sizeof(size) + size;
    if (world->tamper)
        world->tamper(world->tamper_ctx, call->method, out);
    step_outside(world, false);
}

// Gives out what is on its way back, as a network does that is quick enough.
static bool env_more(void *ctx, uint64_t id, int64_t wait_us, struct charle_bytes *out)
{
    struct world *world = ctx;
    (void)wait_us;
    for (int i = 0; i < WORLD_CALLS_MAX; i++) {
        struct world_call *call = &world->calls[i];
        if (call->id != id)
            continue;
        if (!has_message(call) && !call->is_over && !call->is_held && world->is_connected && !world->is_down)
            serve(world, call);
        bool is_given = world->more == MORE_ALWAYS ? !world->more_after || world->more_given < world->more_after
                                                   : world->more == MORE_BY_CHANCE && world_random(world, 4) > 0;
        if (!is_given || call->is_held || !has_message(call))
            return false;
        charle_buf_reset(&world->more_bytes);
        take_out(world, call, &world->more_bytes);
        world->more_given++;
        trace("<+", call->method, replies[kind_of(call->method)], charle_buf_bytes(&world->more_bytes));
        *out = charle_buf_bytes(&world->more_bytes);
        return true;
    }
    return false;
}

static void answer(struct world *world, struct world_call *call)
{
    uint64_t id = call->id;
    if (has_message(call)) {
        struct charle_buf copy = {0};
        take_out(world, call, &copy);
        trace("<-", call->method, replies[kind_of(call->method)], charle_buf_bytes(&copy));
        ch_client_core_on_message(world->core, id, charle_buf_bytes(&copy));
        charle_buf_deinit(&copy);
        return;
    }
    enum charle_err code = call->code;
    char text[240];
    snprintf(text, sizeof(text), "%s", call->text);
    free_call(call);
    ch_client_core_on_done(world->core, id, code, charle_str(text));
}

void world_connect(struct world *world, bool is_connected)
{
    world->is_connected = is_connected;
    for (int i = 0; i < WORLD_CALLS_MAX && !is_connected; i++) {
        struct world_call *call = &world->calls[i];
        if (!call->id)
            continue;
        call->message_at = call->messages.size; // what was on its way is lost
        call->is_over = call->is_delivered = true;
        call->code = CHARLE_UNAVAILABLE;
    }
    ch_client_core_on_connected(world->core, is_connected);
}

// One call that can move, picked by chance. False: none can.
static bool move_a_call(struct world *world)
{
    int start = (int)world_random(world, WORLD_CALLS_MAX);
    for (int n = 0; n < WORLD_CALLS_MAX; n++) {
        struct world_call *call = &world->calls[(start + n) % WORLD_CALLS_MAX];
        if (!call->id || call->is_held || world->is_down)
            continue;
        if (has_message(call) || call->is_over) {
            answer(world, call);
            return true;
        }
        if (world->is_connected && serve(world, call))
            return true;
    }
    return false;
}

bool world_step(struct world *world)
{
    if (world->timer_at <= world->mono_us) {
        ch_client_core_on_timer(world->core);
        return true;
    }
    if (move_a_call(world))
        return true;
    if (world->timer_at == INT64_MAX)
        return false;
    world->mono_us = world->timer_at;
    return true;
}

void world_deliver(struct world *world, int steps)
{
    for (int i = 0; i < steps; i++) {
        if (world->timer_at <= world->mono_us)
            ch_client_core_on_timer(world->core);
        else if (!move_a_call(world))
            return;
    }
}

enum charle_client_state world_state(struct world *world)
{
    struct charle_client_status status;
    ch_client_core_status(world->core, &status);
    return status.state;
}

const char *world_problem(struct world *world)
{
    static struct charle_client_status status;
    ch_client_core_status(world->core, &status);
    return status.problem;
}

void world_settle(struct world *world, int steps)
{
    int64_t ticket = ch_client_core_sync(world->core);
    for (int i = 0; i < steps; i++) {
        if (ch_client_core_synced(world->core) >= ticket && world_state(world) == CHARLE_CLIENT_LIVE)
            return;
        if (!world_step(world))
            break;
    }
    fail_msg("not settled: state %d, problem: %s; calls begun: %d open, %d copy, %d pull, %d hash, %d push", world_state(world),
             world_problem(world), (int)world->started[0], (int)world->started[1], (int)world->started[2], (int)world->started[3],
             (int)world->started[4]);
}

// --- the laptop ---------------------------------------------------------------------------------------------------------------

void world_remove_files(const char *file)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock", ".sync", "-journal", ".key", ".key.new", ".files", ".files-wal", ".files-shm", ".rekey",
                                           ".rekey-wal", ".rekey-shm"};
    char path[200];
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", file, suffixes[i]);
        unlink(path);
    }
}

enum charle_err world_try_open(struct world *world, struct fake_server *server, const char *name, bool fresh, struct charle_error *err)
{
    const struct world kept = *world;
    static pid_t owner; // children of a test open the same file
    owner = owner ? owner : getpid();
    *world = (struct world){.server = server, .random = kept.random, .mono_us = kept.mono_us ? kept.mono_us : 1000000,
                            .timer_at = INT64_MAX, .vfs = kept.vfs, .key = kept.key, .outside = kept.outside, .more = kept.more,
                            .more_after = kept.more_after, .tamper = kept.tamper, .tamper_ctx = kept.tamper_ctx};
    world->env = (struct ch_client_env){.ctx = world, .now_mono_us = env_mono, .now_wall_us = env_wall, .random = env_random,
                                        .call_start = env_start, .call_cancel = env_cancel, .call_consumed = env_consumed, .call_more = env_more,
                                        .timer_set = env_timer, .changed = env_changed, .vfs = kept.vfs};
    snprintf(world->file, sizeof(world->file), "/dev/shm/charle_%d_%s.db", (int)owner, name);
    if (fresh)
        world_remove_files(world->file);
    const struct ch_replica_options options = {.file = world->file, .schema = &notes_schema, .crud = ch_crud_run, .device_name = name,
                                               .key = kept.key};
    enum charle_err rc = ch_replica_open(&world->replica, &world->env, &options, err);
    if (!rc) {
        rc = ch_client_core_new(&world->env, &world->replica, &world->core, err);
        if (rc)
            ch_replica_close(&world->replica);
    }
    return rc;
}

void world_open(struct world *world, struct fake_server *server, const char *name, bool fresh)
{
    struct charle_error err = {0};
    if (world_try_open(world, server, name, fresh, &err))
        fail_msg("%s", err.text);
}

void world_close(struct world *world)
{
    ch_client_core_free(world->core);
    world->core = NULL;
    ch_replica_close(&world->replica);
    for (int i = 0; i < WORLD_CALLS_MAX; i++)
        free_call(&world->calls[i]);
    charle_buf_deinit(&world->more_bytes);
}

enum charle_err world_call(struct world *world, const struct charle_method *method, const void *request, void *reply,
                           struct charle_arena *arena, int64_t *out_ticket, struct charle_error *err)
{
    struct charle_buf in = {0}, out = {0};
    int64_t ticket = 0;
    charle_message_write(method->request, request, &in);
    enum charle_err rc = in.failed ? charle_fail(err, in.failed, "no memory for the request of the test") : CHARLE_OK;
    if (!rc)
        rc = ch_replica_call(&world->replica, method, charle_buf_bytes(&in), &out, &ticket, err);
    if (!rc && reply)
        rc = charle_message_read(method->reply, charle_arena_bytes(arena, charle_buf_bytes(&out)), arena, reply, err);
    if (out_ticket)
        *out_ticket = ticket;
    charle_buf_deinit(&in);
    charle_buf_deinit(&out);
    if (!rc)
        ch_client_core_kick(world->core);
    return rc;
}

int64_t world_number(struct world *world, const char *format, ...)
{
    char sql[1000];
    sqlite3_stmt *stmt = NULL;
    va_list args;
    va_start(args, format);
    vsnprintf(sql, sizeof(sql), format, args);
    va_end(args);
    if (sqlite3_prepare_v2(world->replica.look.db, sql, -1, &stmt, NULL))
        fail_msg("%s: %s", sql, sqlite3_errmsg(world->replica.look.db));
    int64_t value = sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL ? sqlite3_column_int64(stmt, 0) : -1;
    sqlite3_finalize(stmt);
    return value;
}

void world_text(struct world *world, char *out, size_t size, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(world->replica.look.db, sql, -1, &stmt, NULL))
        fail_msg("%s: %s", sql, sqlite3_errmsg(world->replica.look.db));
    snprintf(out, size, "%s", sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_text(stmt, 0) ? (const char *)sqlite3_column_text(stmt, 0) : "");
    sqlite3_finalize(stmt);
}
