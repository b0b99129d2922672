// The queue, one step, and making a world.
#include "sim/world.h"

#include "base/alloc.h"
#include "sim/versions.h"

#include <stdlib.h>

enum { QUEUE_MAX = 200000 };
#define SWARM_SALT 0x5eed0f5ce11e5u
#define MORE_SALT 0xfa117c0de5u

// --- the queue -------------------------------------------------------------------------------------------------------

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void swap_events(struct event *a, struct event *b)
{
    struct event t = *a;
    *a = *b;
    *b = t;
}

struct event *world_schedule(struct world *world, int64_t delay_us, enum event_kind kind)
{
    CHARLE_ASSERT(world->queue_count < QUEUE_MAX);
    if (world->queue_count == world->queue_capacity) {
        world->queue_capacity = world->queue_capacity ? world->queue_capacity * 2 : 256;
        world->queue = realloc(world->queue, world->queue_capacity * sizeof(*world->queue));
        CHARLE_ASSERT(world->queue);
    }
    size_t at = world->queue_count++;
    world->queue[at] = (struct event){
        .at = world->now + (delay_us > 0 ? delay_us : 0), .order = ++world->next_order, .kind = kind, .laptop = -1};
    while (at && is_before(&world->queue[at], &world->queue[(at - 1) / 2])) {
        swap_events(&world->queue[at], &world->queue[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    return &world->queue[at];
}

static struct event take_event(struct world *world)
{
    struct event first = world->queue[0];
    world->queue[0] = world->queue[--world->queue_count];
    for (size_t at = 0;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < world->queue_count && is_before(&world->queue[child + 1], &world->queue[child]))
            child++;
        if (child >= world->queue_count || !is_before(&world->queue[child], &world->queue[at]))
            return first;
        swap_events(&world->queue[child], &world->queue[at]);
        at = child;
    }
}

// --- one step --------------------------------------------------------------------------------------------------------

static void link_event(struct world *world, struct event *event)
{
    struct laptop *laptop = &world->laptops[event->laptop];
    if (!laptop->is_on || event->token != laptop->link_token)
        return;
    world_trace(world, "%s link %s", laptop->name, event->flag ? "up" : "down");
    if (!event->flag)
        net_break(laptop);
    laptop->is_linked = event->flag;
    laptop->is_dead_end = false;
    ch_client_core_on_connected(laptop->core, event->flag);
    laptop_after(laptop);
}

static void laptop_event(struct world *world, struct event *event)
{
    struct laptop *laptop = &world->laptops[event->laptop];
    switch ((int)event->kind) {
    case EVENT_TIMER:
        if (laptop->is_on && event->token == laptop->timer_token) {
            laptop->timer_at = INT64_MAX;
            ch_client_core_on_timer(laptop->core);
            laptop_after(laptop);
        }
        break;
    case EVENT_BOOT:
        if (!laptop->is_on && event->token == laptop->boot_token)
            laptop_boot(laptop);
        break;
    }
}

// Whose dice an event is played with: an action has its own.
static struct dice *dice_of(struct world *world, const struct event *event)
{
    if (event->kind == EVENT_PUMP)
        return &world->server_dice;
    return event->laptop >= 0 ? &world->laptops[event->laptop].dice : &world->dice;
}

void world_step(struct world *world)
{
    struct event event = take_event(world);
    world->now = event.at > world->now ? event.at : world->now;
    world->result.steps++;
    world->current = dice_of(world, &event);
    switch (event.kind) {
    case EVENT_REQUEST:
    case EVENT_MESSAGE:
    case EVENT_DONE:
    case EVENT_TIMEOUT:
        net_event(world, &event);
        break;
    case EVENT_LINK:
        link_event(world, &event);
        break;
    case EVENT_TIMER:
    case EVENT_BOOT:
        laptop_event(world, &event);
        break;
    case EVENT_ACTION:
        actions_event(world, &event);
        break;
    case EVENT_PUMP:
        server_pump(world->server);
        break;
    }
    free(event.bytes);
}

// --- making a world --------------------------------------------------------------------------------------------------

static void draw_temper(struct world *world)
{
    world->drop_percent = world_chance(world, 30) ? 0 : (int)world_below(world, 6);
    world->duplicate_percent = world_chance(world, 30) ? 0 : (int)world_below(world, 15);
    world->slow_percent = (int)world_below(world, 10);
    // In some worlds people are in a hurry, so that many calls wait; in some, laptops die when something reaches them.
    world->user_us =
        world_chance(world, 30) ? 8000 + (int)world_below(world, 40000) : 60000 + (int)world_below(world, 300000);
    world->fragile_percent = world_chance(world, 60) ? 0 : 1 + (int)world_below(world, 3);
    world->writer_us = 80000 + (int)world_below(world, 500000);
    world->nemesis_us = 100000 + (int)world_below(world, 900000);
}

// Up to so many percent in a third of the worlds.
static int draw_some(struct dice *dice, int percent_max)
{
    return dice_throw(dice) % 3 ? 0 : 1 + (int)(dice_throw(dice) % (uint64_t)percent_max);
}

static void draw_swarm(struct world *world)
{
    struct dice dice;
    dice_seed(&dice, world->options.seed ^ SWARM_SALT);
    world->swarm = (struct swarm){
        .burst_percent = draw_some(&dice, 40),
        .slow_push_percent = draw_some(&dice, 80),
        .between_percent = draw_some(&dice, 60),
        .late_percent = draw_some(&dice, 20),
        .clock_percent = draw_some(&dice, 50),
        .early_percent = draw_some(&dice, 90),
        .die_percent = draw_some(&dice, 10),
        .has_programs = draw_some(&dice, 1),
        .revokes = draw_some(&dice, 1),
        .has_many_copies = draw_some(&dice, 1),
    };
}

// As above, by other dice: what came later leaves the older ones as they were.
static void draw_more(struct world *world)
{
    struct dice dice;
    dice_seed(&dice, world->options.seed ^ MORE_SALT);
    world->swarm.kills_programs = draw_some(&dice, 1);
    world->swarm.fails_over = draw_some(&dice, 1);
    // Not where the database goes back in time: what was lost there and what was lost here are not told apart by the oracle.
    bool goes_back = world->options.may_restore || (world->swarm.fails_over && world->options.may_restart_postgres);
    world->swarm.rots = draw_some(&dice, 1) && !goes_back;
    world->swarm.has_versions = draw_some(&dice, 1) && !world->swarm.rots; // a replica that is rescued is of one version
    world->swarm.has_programs = world->swarm.has_programs || world->swarm.kills_programs;
}

static void destroy(struct world *world)
{
    for (int i = world->laptop_count; i-- > 0;) // second programs before their disks
        laptop_deinit(&world->laptops[i]);
    server_free(world->server);
    for (size_t i = 0; i < world->queue_count; i++)
        free(world->queue[i].bytes);
    for (size_t i = 0; i < world->call_count; i++) {
        free(world->calls[i]->request);
        free(world->calls[i]);
    }
    free(world->calls);
    free(world->queue);
    failover_free(world);
    oracle_free(world->oracle);
}

static void populate(struct world *world)
{
    static const char *const devices[WORLD_FIRST_LAPTOPS][2] = {
        {"a1", "A"}, {"a2", "A"}, {"b1", "B"}, {"c1", "C"}, {"d1", "D"}};
    dice_seed(&world->server_dice, world_random(world));
    world->laptop_count = 3 + (int)world_below(world, WORLD_FIRST_LAPTOPS - 2);
    for (int i = 0; i < world->laptop_count; i++) {
        laptop_init(&world->laptops[i], world, i, devices[i][0], devices[i][1]);
        dice_seed(&world->laptops[i].dice, world_random(world));
        version_draw(&world->laptops[i]);
        struct event *boot = world_schedule(world, 1 + world_below(world, 400000), EVENT_BOOT);
        boot->laptop = i;
        boot->token = world->laptops[i].boot_token;
    }
    world_schedule(world, 1000, EVENT_PUMP);
    actions_begin(world);
}

// Until as many steps as wanted are done; or, when actions are played again, until the moment at which they ended.
static bool goes_on(const struct world *world)
{
    const struct world_options *options = &world->options;
    if (world->result.has_failed || !world->queue_count || (options->until && world->result.steps >= options->until))
        return false;
    return options->replay ? world->queue[0].at <= options->replay->end_at : world->result.steps < options->steps;
}

void world_run(const struct world_options *options, struct world_result *out)
{
    struct world *world = ch_alloc_zeroed(1, sizeof(*world));
    CHARLE_ASSERT(world);
    world->options = *options;
    world->result.trace_hash = 0xcbf29ce484222325u;
    world->now = 1000000;
    world->wall_offset = (int64_t)1767225600 * 1000000; // 2026-01-01
    dice_seed(&world->dice, options->seed);
    world->current = &world->dice;
    draw_temper(world);
    draw_swarm(world);
    draw_more(world);
    product_limits(world);
    if (!world_make_database(world))
        goto done;
    world->server = server_new(world);
    world->oracle = world->server ? oracle_new(world) : NULL;
    if (!world->oracle) {
        world_fail(world, "the server cannot be started");
        goto done;
    }
    oracle_commit(world->oracle, "begin");
    populate(world);
    while (goes_on(world))
        world_step(world);
    if (options->record)
        options->record->end_at = world->now;
    if (!world->result.has_failed && !options->until)
        world_finish(world);
done:
    destroy(world);
    *out = world->result;
    ch_free(world);
}
