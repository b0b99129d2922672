// What the server answers: the real core of synchronisation on a real PostgreSQL, driven by hand where a program has threads.
//
// What server/live.c does with a thread, server_pump does when it is told to: look at the heads, and give every live
// stream what is new for it.
//
// A call ends with its answer, except a live pull: its stream belongs to the call and goes on until the laptop, its person or the server ends it. Answers
// that no fault of this world explains fail the world. Connections and what befalls them are serve_life.c's.
#include "sim/serve_parts.h"

#include "base/alloc.h"
#include "msg/wire.h"
#include "services/crud.h"
#include "sim/versions.h"

#include <stdio.h>
#include <stdlib.h>

enum { SIGN_US = 20000000, PUMP_US = 400000 };

// --- pulls ----------------------------------------------------------------------------------------------------------

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

enum charle_err server_look(struct server *server, bool is_forced, struct charle_error *err)
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
    if (server_look(server, false, &err) || look_at_grants(server, call, session, &err) ||
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
    rc = server_look(server, false, err); // once more with the follower standing still
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
    enum charle_err rc = world_chance(server->world, 80) ? server_look(server, false, err) : CHARLE_OK;
    if (rc == CHARLE_OK)
        rc = ch_skews_find(server->skews, server->db, request->schema_hash, &sync, err);
    if (rc)
        return rc;
    rc = pull_as(server, call, request, sync, arena, err);
    ch_skews_release(server->skews, sync);
    return rc;
}

static void free_stream(struct net_stream *stream)
{
    if (!stream)
        return;
    ch_tick_stream_close(stream->tick);
    ch_free(stream);
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

// --- the other methods ----------------------------------------------------------------------------------------------

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
    server_light(server);
    enum charle_err rc = call->laptop->is_signed_out     ? CHARLE_UNAUTHENTICATED
                         : call->method == NET_UNKNOWN ? CHARLE_UNIMPLEMENTED
                                                       : handlers[call->method](server, call, &arena, &err);
    server_mend(server);
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

// --- live streams ---------------------------------------------------------------------------------------------------

void server_end_stream(struct net_call *call, enum charle_err code)
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
                server_end_stream(call, rc);
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
    enum charle_err rc = server_look(server, world_chance(world, 30), &err);
    if (rc)
        world_fail(world, "the heads cannot be read: %s", err.text);
    for (size_t i = 0; i < world->call_count; i++) {
        struct net_call *call = world->calls[i];
        if (call->stream && call->is_over)
            server_end_stream(call, CHARLE_CANCELLED);
        else if (call->stream && call->laptop->is_signed_out)
            server_end_stream(call, CHARLE_UNAUTHENTICATED);
        else if (call->stream)
            serve_stream(server, call);
    }
    bool has_pump = false; // one regular round; those after commits come on top
    for (size_t i = 0; i < world->queue_count; i++)
        has_pump |= world->queue[i].kind == EVENT_PUMP;
    if (!has_pump)
        world_schedule(world, PUMP_US, EVENT_PUMP);
}
