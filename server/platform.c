// What every server offers besides its application: Session and Admin. Sync is in sync_edge.c.
//
// The handlers are ordinary ones, run like any other method; they find the engine in context->runtime.
#include "charle/admin.charle.h"

#include "db/db.h"
#include "server/engine_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct ch_runtime *runtime_of(const struct charle_context *context)
{
    return context->runtime;
}

// --- Session -------------------------------------------------------------------------------------------------------

static enum charle_err login(struct charle_context *context, const void *request_ptr, void *reply_ptr,
                             struct charle_error *err)
{
    const struct charle_login_request *request = request_ptr;
    struct charle_login_reply *reply = reply_ptr;
    const struct ch_runtime *runtime = runtime_of(context);
    struct ch_login_result result = {0};
    struct ch_login login = {.principal = request->principal,
                             .email = request->email,
                             .password = request->password,
                             .peer = charle_server_call_peer(runtime->call->rpc),
                             .agent = request->device_name.value};
    enum charle_err rc =
        ch_sessions_login(runtime->engine->sessions, context->db, &login, context->arena, &result, err);
    if (rc)
        return rc;
    *reply = (struct charle_login_reply){.token = charle_arena_str(context->arena, charle_str(result.token)),
                                         .expires_at = result.expires_at,
                                         .principal = result.principal,
                                         .principal_id = result.principal_id,
                                         .name = result.name};
    explicit_bzero(result.token, sizeof(result.token));
    return reply->token.ptr ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "out of memory while signing in");
}

static enum charle_err logout(struct charle_context *context, const void *request, void *reply,
                              struct charle_error *err)
{
    const struct ch_runtime *runtime = runtime_of(context);
    (void)request, (void)reply;
    return ch_sessions_logout(runtime->engine->sessions, context->db, runtime->call->session, err);
}

static enum charle_err who_am_i(struct charle_context *context, const void *request, void *reply_ptr,
                                struct charle_error *err)
{
    struct charle_who_am_i_reply *reply = reply_ptr;
    const struct charle_identity *identity = context->identity;
    (void)request, (void)err;
    *reply = (struct charle_who_am_i_reply){
        .principal = identity->principal,
        .principal_id = identity->id,
        .scope = {.items = identity->scopes, .count = identity->scope_count, .has = true},
    };
    return CHARLE_OK;
}

// --- Admin ---------------------------------------------------------------------------------------------------------

// The second number of /proc/self/statm, in pages.
static int64_t resident_bytes(void)
{
    char text[100] = "", *end;
    FILE *file = fopen("/proc/self/statm", "re");
    bool is_read = file && fgets(text, sizeof(text), file);
    if (file)
        fclose(file);
    if (!is_read)
        return 0;
    strtol(text, &end, 10);
    return (int64_t)strtol(end, NULL, 10) * sysconf(_SC_PAGESIZE);
}

static enum charle_err status(struct charle_context *context, const void *request, void *reply_ptr,
                              struct charle_error *err)
{
    struct charle_status_reply *reply = reply_ptr;
    struct ch_engine *engine = runtime_of(context)->engine;
    const struct charle_schema *schema = engine->options.app->schema;
    int64_t epoch = 0, scopes = 0;
    struct ch_pg_pool_figures figures;
    (void)request;
    ch_pg_pool_figures(engine->pool, &figures);
    enum charle_err rc = charle_query_number(context->db, "select epoch::bigint from charle.cluster limit 1", NULL, 0, &epoch, err);
    if (rc == CHARLE_OK || rc == CHARLE_DONE) // a cluster without a row has not begun an epoch
        rc = charle_query_number(context->db, "select count(*) from charle.head", NULL, 0, &scopes, err);
    if (rc)
        return rc;
    *reply = (struct charle_status_reply){
        .version = CHARLE_STR(CH_SERVER_VERSION),
        .schema = schema->name,
        .schema_hash = schema->hash,
        .uptime_ms = (ch_clock_mono_us() - engine->options.start_us) / 1000,
        .database = CHARLE_STR("PostgreSQL"), // anybody who is signed in may ask, so not where it is
        .postgres_version = charle_str(engine->postgres_version),
        .epoch = epoch,
        .connections = (uint32_t)charle_rpc_server_connections(engine->rpc),
        .live_streams = atomic_load(&engine->figures.live_streams),
        .scopes = (uint32_t)scopes,
        .calls = atomic_load(&engine->figures.calls),
        .calls_failed = atomic_load(&engine->figures.calls_failed),
        .pulls = atomic_load(&engine->figures.pulls),
        .pulls_idle = atomic_load(&engine->figures.pulls_idle),
        .pushed_calls = atomic_load(&engine->figures.pushed_calls),
        .pool_size = engine->pool_size,
        .pool_busy = (uint32_t)figures.busy,
        .memory_bytes = resident_bytes(),
    };
    return CHARLE_OK;
}

// --- the table -----------------------------------------------------------------------------------------------------

size_t ch_platform_methods(struct charle_method out[CH_PLATFORM_METHODS_MAX])
{
    static const struct {
        const struct charle_method *method;
        charle_unary_handler unary;
    } table[] = {
        {&charle_session_login_method, login},       {&charle_session_logout_method, logout},
        {&charle_session_who_am_i_method, who_am_i}, {&charle_admin_status_method, status},
        {&charle_admin_server_method, ch_overview},
        {&charle_admin_echo_method, NULL}, // answered by dispatch.c
    };
    size_t count = sizeof(table) / sizeof(table[0]);
    for (size_t i = 0; i < count; i++) {
        out[i] = *table[i].method;
        out[i].unary = table[i].unary;
    }
    return count;
}
