// The network: connections that carry calls, as the RPC layer promises them, with everything that may go wrong under
// that promise.
//
// Within one call messages arrive in order and once, or the connection is lost. Between calls nothing is promised:
// requests overtake each other, arrive long after their sender has given up, and arrive twice.
#include "sim/disk.h"
#include "sim/oracle.h"

#include <stdlib.h>
#include <string.h>

static enum net_method method_of(struct charle_str name)
{
    static const char *const names[] = {"charle.Sync/Open", "charle.Sync/Pull", "charle.Sync/Copy", "charle.Sync/Hash",
                                        "charle.Sync/Push"};
    for (int i = 0; i < NET_UNKNOWN; i++) {
        if (charle_str_equal(name, charle_str(names[i])))
            return (enum net_method)i;
    }
    return NET_UNKNOWN;
}

static uint8_t *copy_bytes(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    CHARLE_ASSERT(copy);
    if (size)
        memcpy(copy, bytes, size);
    return copy;
}

static struct net_call *new_call(struct laptop *laptop, uint64_t id, enum net_method method, const uint8_t *request,
                                 size_t size)
{
    struct world *world = laptop->world;
    struct net_call *call = calloc(1, sizeof(*call));
    if (world->call_count == world->call_capacity) {
        world->call_capacity = world->call_capacity ? world->call_capacity * 2 : 256;
        world->calls = realloc(world->calls, world->call_capacity * sizeof(struct net_call *));
    }
    CHARLE_ASSERT(call && world->calls);
    *call = (struct net_call){.laptop = laptop,
                              .id = id,
                              .link = laptop->link,
                              .method = method,
                              .request = copy_bytes(request, size),
                              .size = size};
    world->calls[world->call_count++] = call;
    return call;
}

static int64_t latency(struct world *world)
{
    if (world_chance(world, world->slow_percent))
        return 20000 + world_below(world, 600000);
    return 200 + world_below(world, 12000);
}

static struct event *to_call(struct net_call *call, int64_t delay, enum event_kind kind)
{
    struct event *event = world_schedule(call->laptop->world, delay, kind);
    event->call = call;
    event->laptop = call->laptop->index;
    return event;
}

static bool reaches_client(const struct net_call *call, const struct event *event);

// --- the client's side -----------------------------------------------------------------------------------------------

static void duplicate(struct net_call *call, int64_t delay_max)
{
    struct world *world = call->laptop->world;
    struct net_call *copy = new_call(call->laptop, call->id, call->method, call->request, call->size);
    copy->is_copy = copy->is_over = true;
    world->result.duplicates++;
    to_call(copy, latency(world) + world_below(world, delay_max), EVENT_REQUEST);
}

static void maybe_duplicate(struct net_call *call)
{
    struct world *world = call->laptop->world;
    if (world->is_healing)
        return;
    if (world_chance(world, world->duplicate_percent))
        duplicate(call, 3000000);
    if (call->method == NET_PUSH && world->swarm.late_percent && world_chance(world, world->swarm.late_percent))
        duplicate(call, 20000000);
}

void net_start(void *ctx, uint64_t id, struct charle_str method, struct charle_bytes request, uint32_t timeout_ms)
{
    struct laptop *laptop = ctx;
    struct world *world = laptop->world;
    struct net_call *call = new_call(laptop, id, method_of(method), request.ptr, request.len);
    world_trace(world, "%s #%llu %.*s", laptop->name, (unsigned long long)id, CHARLE_FMT(method));
    if (call->method == NET_PUSH)
        oracle_check_numbers(world->oracle, laptop, request);
    if (call->method == NET_COPY)
        failover_check_copy(laptop, request);
    if (!laptop->is_linked) {
        struct event *done = to_call(call, 1, EVENT_DONE);
        done->code = CHARLE_UNAVAILABLE;
        done->flag = true;
        return;
    }
    if (timeout_ms)
        to_call(call, (int64_t)timeout_ms * 1000, EVENT_TIMEOUT);
    if (!world->is_healing && world_chance(world, world->drop_percent)) {
        world->result.drops++;
        bool is_after_request = world_chance(world, 50);
        net_cut(laptop, world_below(world, 400000), world_below(world, 2000000));
        if (!is_after_request)
            return; // otherwise the request still arrives, and the answer is lost
    } else if (laptop->is_dead_end) {
        return;
    }
    bool is_slow = call->method == NET_PUSH && world->swarm.slow_push_percent && !world->is_healing &&
                   world_chance(world, world->swarm.slow_push_percent);
    to_call(call, latency(world) + (is_slow ? world_below(world, 3000000) : 0), EVENT_REQUEST);
    maybe_duplicate(call);
}

void net_cancel(void *ctx, uint64_t id)
{
    struct laptop *laptop = ctx;
    struct world *world = laptop->world;
    for (size_t i = world->call_count; i-- > 0;) {
        struct net_call *call = world->calls[i];
        if (call->laptop == laptop && call->id == id && !call->is_over) {
            call->is_over = true;
            return;
        }
    }
}

// The next message of a stream that is on its way, as if the network were quick enough to have brought it while the core is at work.
bool net_more(void *ctx, uint64_t id, int64_t wait_us, struct charle_bytes *out)
{
    struct laptop *laptop = ctx;
    struct world *world = laptop->world;
    struct event *next = NULL;
    (void)wait_us;
    if (!world->swarm.early_percent || !world_chance(world, world->swarm.early_percent))
        return false;
    for (size_t i = 0; i < world->queue_count; i++) {
        struct event *event = &world->queue[i];
        bool is_its = (event->kind == EVENT_MESSAGE || event->kind == EVENT_DONE) && event->call->laptop == laptop &&
                      event->call->id == id && !event->call->is_over && !event->is_taken;
        if (!is_its)
            continue;
        if (!next || event->at < next->at || (event->at == next->at && event->order < next->order))
            next = event;
    }
    if (!next || next->kind != EVENT_MESSAGE || !reaches_client(next->call, next))
        return false;
    world_trace(world, "%s #%llu message, early", laptop->name, (unsigned long long)id);
    free(laptop->early);
    laptop->early = next->bytes;
    *out = charle_bytes(next->bytes, next->size);
    next->bytes = NULL;
    next->is_taken = true;
    return true;
}

void net_forget_all(struct laptop *laptop)
{
    struct world *world = laptop->world;
    for (size_t i = 0; i < world->call_count; i++) {
        if (world->calls[i]->laptop == laptop)
            world->calls[i]->is_over = true;
    }
}

void net_cut(struct laptop *laptop, int64_t notice_us, int64_t away_us)
{
    struct world *world = laptop->world;
    laptop->is_dead_end = true;
    laptop->link_token = ++world->next_token;
    struct event *down = world_schedule(world, notice_us, EVENT_LINK);
    down->laptop = laptop->index;
    down->token = laptop->link_token;
    struct event *up = world_schedule(world, notice_us + 1 + away_us, EVENT_LINK);
    up->laptop = laptop->index;
    up->token = laptop->link_token;
    up->flag = true;
}

void net_break(struct laptop *laptop)
{
    struct world *world = laptop->world;
    uint64_t link = laptop->link++;
    laptop->is_linked = false;
    if (!world_chance(world, 50))
        return; // the core is only told that the connection is gone
    for (size_t i = 0; i < world->call_count; i++) {
        struct net_call *call = world->calls[i];
        if (call->laptop != laptop || call->is_over || call->link != link)
            continue;
        call->is_over = true;
        ch_client_core_on_done(laptop->core, call->id, CHARLE_UNAVAILABLE, CHARLE_STR("the connection was lost"));
    }
}

// --- the server's side -----------------------------------------------------------------------------------------------

static int64_t in_order(struct net_call *call)
{
    struct world *world = call->laptop->world;
    int64_t at = world->now + latency(world);
    call->last_at = at > call->last_at ? at : call->last_at + 1;
    return call->last_at - world->now;
}

void net_reply(struct net_call *call, struct charle_bytes message)
{
    struct world *world = call->laptop->world;
    if (call->is_over || call->is_ended)
        return;
    struct event *event = to_call(call, in_order(call), EVENT_MESSAGE);
    event->bytes = copy_bytes(message.ptr, message.len);
    event->size = message.len;
    // Byte for byte: what replicas do with a page may depend on the order of its parts, in places far away from here.
    world_trace(world, "%s gets %zu bytes, hash %016llx", call->laptop->name, message.len, (unsigned long long)oracle_hash(1, message.ptr, message.len));
    if (!world->is_healing && call->laptop->is_linked && !call->laptop->is_dead_end &&
        world_chance(world, world->drop_percent) && world_chance(world, 30)) {
        world->result.drops++;
        net_cut(call->laptop, world_below(world, 400000),
                world_below(world, 2000000)); // in the middle of a stream, too
    }
}

void net_end(struct net_call *call, enum charle_err code)
{
    if (call->is_ended)
        return;
    call->is_ended = true;
    if (!call->is_over)
        to_call(call, in_order(call), EVENT_DONE)->code = code;
}

// --- arriving --------------------------------------------------------------------------------------------------------

static bool reaches_client(const struct net_call *call, const struct event *event)
{
    const struct laptop *laptop = call->laptop;
    if (call->is_over || !laptop->is_on)
        return false;
    return event->flag || (call->link == laptop->link && laptop->is_linked && !laptop->is_dead_end);
}

static void die_soon(struct laptop *laptop, int writes)
{
    if (laptop->world->swarm.kills_programs && laptop_has_company(laptop))
        sim_program_die_after(laptop->program, writes);
    else
        sim_disk_die_after(laptop->disk, writes);
}

static void to_client(struct world *world, struct event *event)
{
    static const char text[] = "said by the network";
    struct net_call *call = event->call;
    struct laptop *laptop = call->laptop;
    if (event->kind == EVENT_MESSAGE) {
        if (!world->is_healing && world_chance(world, world->fragile_percent + world->swarm.die_percent))
            die_soon(laptop, (int)world_below(world, 25));
        world_trace(world, "%s #%llu message", laptop->name, (unsigned long long)call->id);
        ch_client_core_on_message(laptop->core, call->id, charle_bytes(event->bytes, event->size));
    } else {
        enum charle_err code = event->kind == EVENT_TIMEOUT ? CHARLE_DEADLINE_EXCEEDED : event->code;
        world_trace(world, "%s #%llu done %s", laptop->name, (unsigned long long)call->id, charle_err_name(code));
        call->is_over = true;
        ch_client_core_on_done(laptop->core, call->id, code, charle_str(code ? text : ""));
    }
    laptop_after(laptop);
}

void net_event(struct world *world, struct event *event)
{
    struct net_call *call = event->call;
    if (event->is_taken)
        return;
    if (event->kind == EVENT_REQUEST) {
        // What was cancelled or belongs to a lost connection may still be on its way.
        if (call->is_copy || !call->is_over || world_chance(world, 60))
            server_handle(world->server, call);
    } else if (event->kind == EVENT_TIMEOUT) {
        if (!call->is_over && call->laptop->is_on)
            to_client(world, event);
    } else if (reaches_client(call, event)) {
        to_client(world, event);
    }
}
