// The server: the real core of synchronisation on a real PostgreSQL, driven by hand where a program has threads.
//
// What server/live.c does with a thread, server_pump does when it is told to: look at the heads, and give every live
// stream what is new for it.
#include "base/alloc.h"
#include "db/pg/pg.h"
#include "msg/wire.h"
#include "server/sync/skew.h"
#include "server/sync/tick.h"
#include "services/crud.h"
#include "sim/versions.h"
#include "sim/world.h"
#include "support/pg_cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { WRITERS = 2, SIGN_US = 20000000, PUMP_US = 400000 };

struct net_stream {
    struct server *server;
    struct ch_tick_stream *tick;
    int64_t spoke_us;
    bool is_blocked; // the last page was not taken
};

static void free_stream(struct net_stream *stream)
{
    if (!stream)
        return;
    ch_tick_stream_close(stream->tick);
    ch_free(stream);
}

// What a session remembers of its person between two looks at the grants.
struct session {
    struct charle_arena arena;
    const struct charle_str *scopes;
    size_t scope_count;
    uint64_t generation;
};

struct server {
    struct world *world;
    struct ch_sync *sync;
    struct ch_skews *skews; // for laptops of the other version
    struct charle_method_table methods;
    struct charle_db *db, *tick_db, *oracle_db, *writers[WRITERS];
    struct ch_ticks *ticks;
    struct session sessions[WORLD_LAPTOPS];
    int bomb;    // place where the connection breaks; 0: it does not
    int seconds; // of PostgreSQL's clock; moves when it starts
    struct charle_buf page;
};

// --- connections -----------------------------------------------------------------------------------------------------

// PostgreSQL says "bomb" in the last statement before a commit: nothing more is sent, and the commit never comes.
static void on_notice(void *ctx, const char *text)
{
    struct server *server = ctx;
    if (strstr(text, "sim: bomb") && server->db)
        (void)shutdown(PQsocket(ch_pg_connection(server->db)), SHUT_WR);
}

static bool open_handle(struct server *server, struct charle_db **db)
{
    struct charle_error err = {0};
    char settings[160];
    snprintf(settings, sizeof(settings),
             "set search_path = sim, pg_catalog, public; set synchronous_commit = on; set sim.seconds = %d",
             server->seconds);
    if (ch_pg_open(world_database_url(server->world), NULL, db, &err) == CHARLE_OK &&
        charle_exec_script(*db, settings, &err) == CHARLE_OK) {
        (void)PQsetNoticeProcessor(ch_pg_connection(*db), on_notice, server);
        return true;
    }
    world_fail(server->world, "no connection to PostgreSQL: %s", err.text);
    return false;
}

// The connection breaks by itself: at the next statement, in the middle of a push, or at its commit.
static const char *const bombs[] = {"now", "push", "commit"};

static void light(struct server *server)
{
    char sql[80];
    struct charle_error err;
    if (!server->bomb)
        return;
    snprintf(sql, sizeof(sql), "select sim.light('%s')", bombs[server->bomb - 1]);
    world_trace(server->world, "the server's connection breaks: %s", bombs[server->bomb - 1]);
    server->bomb = 0;
    (void)!charle_exec(server->db, sql, NULL, 0, NULL, &err);
}

// As a pool of connections does.
static void mend(struct server *server)
{
    if (server->db && PQstatus(ch_pg_connection(server->db)) == CONNECTION_OK)
        return;
    charle_db_close(server->db);
    server->db = NULL;
    (void)open_handle(server, &server->db);
}

void server_arm(struct server *server)
{
    server->bomb = 1 + (int)world_below(server->world, (int64_t)(sizeof(bombs) / sizeof(bombs[0])));
}

static bool connect_all(struct server *server)
{
    bool is_done = open_handle(server, &server->db) && open_handle(server, &server->tick_db) &&
                   open_handle(server, &server->oracle_db);
    for (int i = 0; is_done && i < WRITERS; i++)
        is_done = open_handle(server, &server->writers[i]);
    return is_done;
}

static void disconnect_all(struct server *server)
{
    struct charle_db **all[] = {&server->db, &server->tick_db, &server->oracle_db, &server->writers[0],
                                &server->writers[1]};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        charle_db_close(*all[i]);
        *all[i] = NULL;
    }
}

struct charle_db *server_db(struct server *server)
{
    return server->oracle_db;
}

struct charle_db *server_writer(struct server *server, int index)
{
    return server->writers[index];
}

// --- pulls -----------------------------------------------------------------------------------------------------------

static struct ch_sync_peer peer_of(const struct net_call *call)
{
    return (struct ch_sync_peer){.principal = CHARLE_STR("person"), .id = charle_str(call->laptop->person)};
}

struct pages {
    struct net_call *call;
    int count;
};

static void send_page(struct net_call *call, struct charle_bytes message)
{
    struct charle_arena arena = {0};
    struct charle_buf spoilt = {0};
    bool is_spoilt =
        (call->method == NET_PULL ? plant_spoil_pull : plant_spoil_copy)(call->laptop->world, message, &arena, &spoilt);
    net_reply(call, is_spoilt ? charle_buf_bytes(&spoilt) : message);
    charle_buf_deinit(&spoilt);
    charle_arena_deinit(&arena);
}

static enum charle_err take_page(void *ctx, struct charle_bytes message, struct charle_error *err)
{
    struct pages *pages = ctx;
    (void)err;
    pages->count++;
    send_page(pages->call, message);
    // Others go on while the pages of a moment are read.
    struct world *world = pages->call->laptop->world;
    if (!world->is_healing && world_chance(world, 3 + world->swarm.between_percent))
        writer_act(world);
    return CHARLE_OK;
}

static enum charle_err look_at_grants(struct server *server, struct net_call *call, struct session *session,
                                      struct charle_error *err)
{
    const struct ch_sync_peer peer = peer_of(call);
    uint64_t generation = ch_ticks_grants_generation(server->ticks);
    if (session->scopes && session->generation == generation)
        return CHARLE_OK;
    charle_arena_reset(&session->arena);
    session->generation = generation;
    return ch_sync_scopes_of(server->sync, server->db, &peer, &session->arena, &session->scopes, &session->scope_count,
                             err);
}

static enum charle_err look(struct server *server, bool is_forced, struct charle_error *err)
{
    bool has_moved;
    return ch_ticks_poll(server->ticks, server->tick_db, server->world->now, is_forced, &has_moved, err);
}

// The answer to somebody who has everything, without asking the database.
static bool answer_idle(struct server *server, struct net_call *call, const struct charle_pull_request *request)
{
    struct session *session = &server->sessions[call->laptop->index];
    struct charle_pull_page page = {.is_last = true, .is_alive = {true, true}};
    struct charle_error err = {0};
    if (look_at_grants(server, call, session, &err) ||
        !ch_ticks_is_current(server->ticks, request, session->scopes, session->scope_count))
        return false;
    if (look(server, false, &err) || look_at_grants(server, call, session, &err) ||
        !ch_ticks_is_current(server->ticks, request, session->scopes, session->scope_count))
        return false;
    charle_buf_reset(&server->page);
    charle_message_write(&charle_pull_page_message, &page, &server->page);
    send_page(call, charle_buf_bytes(&server->page));
    return true;
}

// Opens the stream behind what a pull found. Scopes that the replica has yet to copy have no position.
static enum charle_err join(struct server *server, struct net_call *call, const struct charle_pull_request *request,
                            const struct ch_sync *sync, const struct ch_positions *positions, struct charle_error *err)
{
    struct ch_positions known = *positions;
    known.is_whole = true;
    const struct ch_sync_peer peer = peer_of(call);
    enum charle_err rc = ch_ticks_note(server->ticks, request->device_id, positions, err);
    if (rc == CHARLE_OK)
        rc = ch_tick_stream_open(server->ticks, &known, &call->stream->tick, err);
    if (rc == CHARLE_OK && ch_sync_is_skewed(sync))
        ch_tick_stream_only_tells(call->stream->tick);
    return rc ? rc : ch_tick_stream_belongs_to(call->stream->tick, &peer, !positions->is_whole, err);
}

static enum charle_err pull_as(struct server *server, struct net_call *call, const struct charle_pull_request *request,
                               const struct ch_sync *sync, struct charle_arena *arena, struct charle_error *err)
{
    const struct ch_sync_peer peer = peer_of(call);
    struct ch_positions positions;
    struct pages pages = {.call = call};
    enum charle_err rc = ch_pull(sync, server->db, &peer, request, arena, take_page, &pages, &positions, err);
    if (rc)
        return rc;
    rc = join(server, call, request, sync, &positions, err);
    if (rc != CHARLE_ABORTED)
        return rc;
    rc = look(server, false, err); // once more with the follower standing still
    if (rc == CHARLE_OK)
        rc = ch_pull(sync, server->db, &peer, request, arena, take_page, &pages, &positions, err);
    return rc ? rc : join(server, call, request, sync, &positions, err);
}

static enum charle_err pull_live(struct server *server, struct net_call *call,
                                 const struct charle_pull_request *request, struct charle_arena *arena,
                                 struct charle_error *err)
{
    const struct ch_sync *sync;
    // Usually the follower looks first; when it does not, it may be behind the pull, or know nothing.
    enum charle_err rc = world_chance(server->world, 80) ? look(server, false, err) : CHARLE_OK;
    if (rc == CHARLE_OK)
        rc = ch_skews_find(server->skews, server->db, request->schema_hash, &sync, err);
    if (rc)
        return rc;
    rc = pull_as(server, call, request, sync, arena, err);
    ch_skews_release(server->skews, sync);
    return rc;
}

static enum charle_err go_live(struct server *server, struct net_call *call, const struct charle_pull_request *request,
                               struct charle_arena *arena, struct charle_error *err)
{
    call->stream = ch_alloc_zeroed(1, sizeof(*call->stream));
    CHARLE_ASSERT(call->stream);
    *call->stream = (struct net_stream){.server = server, .spoke_us = server->world->now};
    enum charle_err rc = pull_live(server, call, request, arena, err);
    if (rc == CHARLE_OK)
        return CHARLE_DONE; // goes on
    free_stream(call->stream);
    call->stream = NULL;
    return rc;
}

static enum charle_err pull(struct server *server, struct net_call *call, struct charle_arena *arena,
                            struct charle_error *err)
{
    const struct ch_sync_peer peer = peer_of(call);
    struct charle_pull_request request;
    struct ch_positions positions;
    struct pages pages = {.call = call};
    enum charle_err rc = charle_message_read(&charle_pull_request_message, charle_bytes(call->request, call->size),
                                             arena, &request, err);
    if (rc)
        return rc;
    if (request.live.has && request.live.value && !call->is_copy)
        return go_live(server, call, &request, arena, err);
    if (answer_idle(server, call, &request))
        return CHARLE_OK;
    const struct ch_sync *sync;
    rc = ch_skews_find(server->skews, server->db, request.schema_hash, &sync, err);
    if (rc)
        return rc;
    rc = ch_pull(sync, server->db, &peer, &request, arena, take_page, &pages, &positions, err);
    ch_skews_release(server->skews, sync);
    return rc ? rc : ch_ticks_note(server->ticks, request.device_id, &positions, err);
}

// --- the other methods -----------------------------------------------------------------------------------------------

static void reply_with(struct server *server, struct net_call *call, const struct charle_message *type,
                       const void *message)
{
    charle_buf_reset(&server->page);
    charle_message_write(type, message, &server->page);
    CHARLE_ASSERT(!server->page.failed);
    net_reply(call, charle_buf_bytes(&server->page));
}

static enum charle_err open_device(struct server *server, struct net_call *call, struct charle_arena *arena,
                                   struct charle_error *err)
{
    const struct ch_sync_peer peer = peer_of(call);
    const struct charle_ts now = {world_wall(server->world)};
    struct charle_open_request request;
    struct charle_open_reply reply = {0};
    enum charle_err rc = charle_message_read(&charle_open_request_message, charle_bytes(call->request, call->size),
                                             arena, &request, err);
    if (rc == CHARLE_OK)
        rc = charle_begin(server->db, NULL, err);
    if (rc)
        return rc;
    const struct ch_sync *sync = NULL;
    rc = ch_skews_meet(server->skews, server->db, &request, &sync, err);
    if (rc == CHARLE_OK && !sync) // of a schema that nobody has described yet
        reply = (struct charle_open_reply){.principal = peer.principal, .principal_id = peer.id, .now = now, .wants_shape = {true, true}};
    else if (rc == CHARLE_OK)
        rc = ch_sync_open(sync, server->db, &peer, &request, now, arena, &reply, err);
    ch_skews_release(server->skews, sync);
    if (rc == CHARLE_OK)
        rc = charle_commit(server->db, err);
    else
        (void)!charle_rollback(server->db, NULL);
    if (rc == CHARLE_OK)
        reply_with(server, call, &charle_open_reply_message, &reply);
    return rc;
}

static enum charle_err copy(struct server *server, struct net_call *call, struct charle_arena *arena,
                            struct charle_error *err)
{
    const struct ch_sync_peer peer = peer_of(call);
    struct charle_copy_request request;
    struct pages pages = {.call = call};
    const struct ch_sync *sync;
    enum charle_err rc = charle_message_read(&charle_copy_request_message, charle_bytes(call->request, call->size),
                                             arena, &request, err);
    if (rc == CHARLE_OK)
        rc = ch_skews_find(server->skews, server->db, request.schema_hash, &sync, err);
    if (rc)
        return rc;
    rc = ch_copy(sync, server->db, &peer, &request, take_page, &pages, err);
    ch_skews_release(server->skews, sync);
    return rc;
}

static enum charle_err hash(struct server *server, struct net_call *call, struct charle_arena *arena,
                            struct charle_error *err)
{
    const struct ch_sync_peer peer = peer_of(call);
    struct charle_hash_request request;
    struct charle_hash_reply reply = {0};
    const struct ch_sync *sync;
    enum charle_err rc = charle_message_read(&charle_hash_request_message, charle_bytes(call->request, call->size),
                                             arena, &request, err);
    if (rc == CHARLE_OK)
        rc = ch_skews_find(server->skews, server->db, request.schema_hash, &sync, err);
    if (rc)
        return rc;
    rc = ch_hash(sync, server->db, &peer, &request, arena, &reply, err);
    ch_skews_release(server->skews, sync);
    if (rc == CHARLE_OK)
        reply_with(server, call, &charle_hash_reply_message, &reply);
    return rc;
}

// As if the device's row were written outside the transaction of its calls, and lost.
static void forget_numbers(struct server *server, const struct charle_push_request *request)
{
    const struct charle_call *const *calls = request->call.items;
    const struct charle_value params[] = {charle_text(request->device_id), charle_int8(calls[0]->sequence - 1)};
    struct charle_error err;
    (void)!charle_exec(server->db, "delete from charle.verdict where device_id = $1 and sequence > $2", params, 2, NULL,
                       &err);
    (void)!charle_exec(server->db, "update charle.device set last_sequence = $2 where id = $1 and last_sequence > $2",
                       params, 2, NULL, &err);
}

static void trace_push(struct world *world, const struct net_call *call, const struct charle_push_request *request)
{
    const struct charle_call *const *calls = request->call.items;
    for (size_t i = 0; i < request->call.count; i++)
        world_trace(world, "push of %s: %.*s %lld %.*s", call->laptop->name, 4, request->device_id.ptr,
                    (long long)calls[i]->sequence, CHARLE_FMT(calls[i]->method));
}

static enum charle_err push(struct server *server, struct net_call *call, struct charle_arena *arena,
                            struct charle_error *err)
{
    const struct ch_push_options options = {.peer = peer_of(call), .crud = ch_crud_run, .crud_set = ch_crud_run_set};
    struct charle_push_request request;
    struct charle_push_reply reply = {0};
    enum charle_err rc = charle_message_read(&charle_push_request_message, charle_bytes(call->request, call->size),
                                             arena, &request, err);
    if (rc)
        return rc;
    trace_push(server->world, call, &request);
    const struct ch_sync *sync;
    rc = ch_skews_find(server->skews, server->db, request.schema_hash, &sync, err);
    if (rc)
        return rc;
    rc = ch_push(sync, server->db, &options, &request, arena, &reply, err);
    ch_skews_release(server->skews, sync);
    if (rc)
        return rc;
    oracle_judged(server->world->oracle, &request, &reply);
    oracle_check_answered(server->world->oracle, &request, &reply);
    if (server->world->options.plant == PLANT_FORGET_NUMBERS && request.call.count && world_chance(server->world, 30))
        forget_numbers(server, &request);
    reply_with(server, call, &charle_push_reply_message, &reply);
    return CHARLE_OK;
}

void server_handle(struct server *server, struct net_call *call)
{
    static const char *const names[] = {"open", "pull", "copy", "hash", "push", "?"};
    static enum charle_err (*const handlers[])(struct server *, struct net_call *, struct charle_arena *,
                                               struct charle_error *) = {open_device, pull, copy, hash, push};
    struct world *world = server->world;
    struct charle_arena arena = {0};
    struct charle_error err = {0};
    light(server);
    enum charle_err rc = call->laptop->is_signed_out     ? CHARLE_UNAUTHENTICATED
                         : call->method == NET_UNKNOWN ? CHARLE_UNIMPLEMENTED
                                                       : handlers[call->method](server, call, &arena, &err);
    mend(server);
    world_trace(world, "server %s of %s%s: %s", names[call->method], call->laptop->name,
                call->is_copy ? " (again)" : "", rc == CHARLE_DONE ? "goes live" : charle_err_name(rc));
    if (world->options.is_traced && rc && rc != CHARLE_DONE)
        printf("                          %s\n", err.text);
    // Refusals that no fault of this world explains.
    if (rc == CHARLE_INTERNAL || rc == CHARLE_MALFORMED || rc == CHARLE_INVALID_ARGUMENT || rc == CHARLE_UNKNOWN ||
        rc == CHARLE_UNIMPLEMENTED)
        world_fail(world, "the server refused a %s of %s: %s", names[call->method], call->laptop->name, err.text);
    if (call->method == NET_OPEN || call->method == NET_PUSH)
        oracle_commit(world->oracle, call->laptop->name);
    if (rc != CHARLE_DONE)
        net_end(call, rc);
    charle_arena_deinit(&arena);
    if (call->method == NET_PUSH)
        world_schedule(world, 100 + world_below(world, 2000), EVENT_PUMP);
}

// --- live streams ----------------------------------------------------------------------------------------------------

static void end_stream(struct net_call *call, enum charle_err code)
{
    free_stream(call->stream);
    call->stream = NULL;
    net_end(call, code);
}

// The ring does not reach the stream any more, or its person's scopes may be others: it pulls again from where it is,
// like any replica that comes back. When there is no room for that, the replica is told to do it.
static enum charle_err pull_again(struct server *server, struct net_call *call, struct charle_error *err)
{
    struct net_stream *stream = call->stream;
    struct charle_arena arena = {0};
    struct charle_pull_request request;
    enum charle_err rc = charle_message_read(&charle_pull_request_message, charle_bytes(call->request, call->size),
                                             &arena, &request, err);
    if (rc == CHARLE_OK && (world_chance(server->world, 15) ||
                            !ch_tick_stream_cursors(stream->tick, stream->is_blocked, &arena, &request.cursor)))
        rc = CHARLE_ABORTED;
    ch_tick_stream_close(stream->tick);
    stream->tick = NULL;
    stream->is_blocked = false;
    request.at_least = (struct charle_array){0};
    if (rc == CHARLE_OK)
        rc = pull_live(server, call, &request, &arena, err);
    charle_arena_deinit(&arena);
    return rc;
}

static void serve_stream(struct server *server, struct net_call *call)
{
    struct world *world = server->world;
    struct net_stream *stream = call->stream;
    struct charle_error err = {0};
    for (;;) {
        enum charle_err rc = ch_tick_stream_next(stream->tick, stream->is_blocked, &server->page, &err);
        if (rc == CHARLE_DONE)
            break;
        if (rc) {
            rc = pull_again(server, call, &err);
            world_trace(world, "server pulls for the stream of %s: %s", call->laptop->name, charle_err_name(rc));
            if (rc)
                end_stream(call, rc);
            return;
        }
        stream->is_blocked = !world->is_healing && world_chance(world, 5);
        if (stream->is_blocked)
            return; // no room: the same page is asked for again next time
        send_page(call, charle_buf_bytes(&server->page));
        stream->spoke_us = world->now;
    }
    stream->is_blocked = false;
    if (world->now - stream->spoke_us > SIGN_US) {
        const struct charle_pull_page page = {.is_last = true, .is_alive = {true, true}};
        reply_with(server, call, &charle_pull_page_message, &page);
        stream->spoke_us = world->now;
    }
}

void server_pump(struct server *server)
{
    struct world *world = server->world;
    struct charle_error err = {0};
    enum charle_err rc = look(server, world_chance(world, 30), &err);
    if (rc)
        world_fail(world, "the heads cannot be read: %s", err.text);
    for (size_t i = 0; i < world->call_count; i++) {
        struct net_call *call = world->calls[i];
        if (call->stream && call->is_over)
            end_stream(call, CHARLE_CANCELLED);
        else if (call->stream && call->laptop->is_signed_out)
            end_stream(call, CHARLE_UNAUTHENTICATED);
        else if (call->stream)
            serve_stream(server, call);
    }
    bool has_pump = false; // one regular round; those after commits come on top
    for (size_t i = 0; i < world->queue_count; i++)
        has_pump |= world->queue[i].kind == EVENT_PUMP;
    if (!has_pump)
        world_schedule(world, PUMP_US, EVENT_PUMP);
}

// --- life ------------------------------------------------------------------------------------------------------------

static void stop(struct server *server)
{
    ch_ticks_free(server->ticks);
    ch_skews_free(server->skews);
    ch_sync_free(server->sync);
    charle_method_table_deinit(&server->methods);
    server->ticks = NULL;
    server->skews = NULL;
    server->sync = NULL;
    server->methods = (struct charle_method_table){0};
}

// A program of the server, of the version that it has now.
static bool start(struct server *server)
{
    const struct charle_schema *schema = version_schema(server->world->server_version);
    struct charle_error err = {0};
    if (charle_method_table_init(&server->methods, schema->services, schema->service_count, &err) == CHARLE_OK &&
        ch_sync_new(schema, &server->methods, &server->sync, &err) == CHARLE_OK &&
        ch_skews_new(server->sync, &server->methods, &server->skews, &err) == CHARLE_OK &&
        ch_ticks_new(server->sync, &server->ticks, &err) == CHARLE_OK)
        return true;
    world_fail(server->world, "%s", err.text);
    return false;
}

struct server *server_new(struct world *world)
{
    struct charle_error err = {0};
    struct server *server = ch_alloc_zeroed(1, sizeof(*server));
    CHARLE_ASSERT(server);
    server->world = world;
    if (!connect_all(server) || !start(server)) {
        server_free(server);
        return NULL;
    }
    if (!plant_in_database(world, server->db, &err))
        world_fail(world, "%s", err.text);
    return server;
}

static void drop_streams(struct server *server)
{
    struct world *world = server->world;
    for (size_t i = 0; i < world->call_count; i++) {
        struct net_call *call = world->calls[i];
        if (call->stream)
            end_stream(call, CHARLE_UNAVAILABLE);
    }
    for (int i = 0; i < WORLD_LAPTOPS; i++) {
        charle_arena_deinit(&server->sessions[i].arena);
        server->sessions[i] = (struct session){0};
    }
}

void server_free(struct server *server)
{
    if (!server)
        return;
    drop_streams(server);
    stop(server);
    disconnect_all(server);
    charle_buf_deinit(&server->page);
    ch_free(server);
}

void server_restart(struct server *server)
{
    struct world *world = server->world;
    world_trace(world, "server restarts");
    world->result.server_restarts++;
    drop_streams(server);
    stop(server);
    for (int i = 0; i < world->laptop_count; i++) {
        struct laptop *laptop = &world->laptops[i];
        if (laptop->is_on && laptop->is_linked && !laptop->is_dead_end)
            net_cut(laptop, 100 + world_below(world, 3000), 1000 + world_below(world, 500000));
    }
    (void)start(server);
}

bool server_lose_postgres(struct server *server, const char *what, bool (*come_back)(struct ch_pg_cluster *cluster))
{
    struct world *world = server->world;
    struct ch_pg_cluster *cluster = world_cluster(world);
    bool is_older = come_back != ch_pg_cluster_resume;
    world_trace(world, "%s", what);
    // The server's own connections learn of it the hard way; the follower keeps what it knows, or not.
    bool is_other = is_older && version_go_back(world), keeps_ticks = world_chance(world, 50) && !is_other;
    if (!keeps_ticks)
        server_restart(server);
    if (!ch_pg_cluster_halt(cluster, true) || !come_back(cluster)) {
        world_fail(world, "PostgreSQL does not come back");
        return false;
    }
    world->result.postgres_restarts++;
    if (keeps_ticks) { // it sees that the database is away
        struct charle_error err;
        (void)!look(server, true, &err);
    }
    disconnect_all(server);
    // An old copy may begin an epoch in the very second in which the past that was lost began one.
    server->seconds += is_older && world_chance(world, 50) ? 0 : 1 + (int)world_below(world, 5);
    return connect_all(server);
}

static bool come_back_older(struct ch_pg_cluster *cluster)
{
    return ch_pg_cluster_restore(cluster) && ch_pg_cluster_resume(cluster);
}

bool server_restart_postgres(struct server *server, bool restore)
{
    return restore ? server_lose_postgres(server, "postgres stops at once, an old copy is put back", come_back_older)
                   : server_lose_postgres(server, "postgres stops at once", ch_pg_cluster_resume);
}

bool server_load(struct server *server)
{
    struct world *world = server->world;
    struct charle_error err;
    world_trace(world, "a dump is put back");
    bool is_other = version_go_back(world), keeps_ticks = world_chance(world, 50) && !is_other;
    if (!keeps_ticks)
        server_restart(server);
    disconnect_all(server);
    if (!world_load_dump(world)) {
        world_fail(world, "the dump cannot be put back");
        return false;
    }
    bool is_connected = connect_all(server);
    if (is_connected && keeps_ticks)
        (void)!look(server, true, &err);
    return is_connected;
}

bool server_migrate(struct server *server)
{
    struct world *world = server->world;
    struct charle_error err = {0};
    writer_stop(world);
    disconnect_all(server); // the new program brings connections of its own, and prepares its statements on them
    if (!connect_all(server))
        return false;
    if (version_migrate(world, server->oracle_db, &err)) {
        world_fail(world, "the database cannot be brought to the later schema: %s", err.text);
        return false;
    }
    server_restart(server);
    return true;
}

bool server_save(struct server *server, bool is_dump)
{
    if (!is_dump)
        return server_copy(server, "the database is copied", ch_pg_cluster_save);
    world_trace(server->world, "the database is dumped");
    return ch_pg_cluster_dump(world_cluster(server->world), "sim");
}

bool server_copy(struct server *server, const char *what, bool (*make)(struct ch_pg_cluster *cluster))
{
    struct ch_pg_cluster *cluster = world_cluster(server->world);
    world_trace(server->world, "%s", what);
    server_restart(server);
    disconnect_all(server);
    if (!ch_pg_cluster_halt(cluster, false) || !make(cluster) || !ch_pg_cluster_resume(cluster)) {
        world_fail(server->world, "the database cannot be copied");
        return false;
    }
    server->seconds += (int)world_below(server->world, 12) - 5; // clocks go wrong
    return connect_all(server);
}
