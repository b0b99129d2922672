// The end of a run: everything heals, and within a bounded number of steps all is one.
#include "sim/disk.h"
#include "sim/world.h"

#include <inttypes.h>

// A call that was parked for the last time waits for ten minutes, and meanwhile every laptop looks at its file four times a second.
enum { END_STEPS_MAX = 20000, END_STEPS_PATIENT = 60000, PARKED_US = 700000000, SETTLE_EVERY = 50 };

static void heal(struct world *world)
{
    world->is_healing = true;
    world_trace(world, "heal");
    writer_stop(world);
    for (int i = 0; i < world->laptop_count; i++) {
        struct laptop *laptop = &world->laptops[i];
        if (laptop->host) { // what it did is its host's from now on
            laptop_stop(laptop);
            continue;
        }
        sim_disk_calm(laptop->disk);
        rot_look(laptop);
        laptop->is_signed_out = false;
        if (!laptop->is_on)
            laptop_boot(laptop);
        if (!laptop->is_on)
            return;
        if (laptop->is_dead_end) { // what vanished is gone; a new connection is needed
            struct event *down = world_schedule(world, 1, EVENT_LINK);
            down->laptop = i;
            down->token = laptop->link_token = ++world->next_token;
            laptop->is_linked = false;
            ch_client_core_on_connected(laptop->core, false);
            net_break(laptop);
        }
        if (!laptop->is_linked) {
            struct event *up = world_schedule(world, 1000, EVENT_LINK);
            up->laptop = i;
            up->flag = true;
            up->token = laptop->link_token = ++world->next_token;
        }
        laptop_after(laptop);
    }
}

static bool all_idle(struct world *world)
{
    for (int i = 0; i < world->laptop_count; i++) {
        if (!world->laptops[i].host && (!laptop_is_idle(&world->laptops[i]) || !oracle_is_newest(world->oracle, &world->laptops[i])))
            return false;
    }
    return true;
}

static bool is_settled(struct world *world, int64_t *tickets, bool is_verify)
{
    struct charle_verify_report report;
    for (int i = 0; i < world->laptop_count; i++) {
        struct ch_client_core *core = world->laptops[i].core;
        if (world->laptops[i].host)
            continue;
        if ((is_verify ? ch_client_core_verified(core, &report) : ch_client_core_synced(core)) < tickets[i] ||
            !tickets[i])
            return false;
    }
    return all_idle(world);
}

static void run_until_settled(struct world *world, bool is_verify)
{
    int64_t tickets[WORLD_LAPTOPS], begin = world->result.steps, limit_us = world->now + PARKED_US;
    for (int i = 0; i < world->laptop_count; i++) {
        struct ch_client_core *core = world->laptops[i].core;
        if (world->laptops[i].host)
            continue;
        tickets[i] = is_verify ? ch_client_core_verify(core) : ch_client_core_sync(core);
        laptop_after(&world->laptops[i]);
    }
    while (!world->result.has_failed && world->queue_count &&
           world->result.steps - begin < (world->now < limit_us ? END_STEPS_PATIENT : END_STEPS_MAX)) {
        world_step(world);
        if (world->result.steps % SETTLE_EVERY == 0 && is_settled(world, tickets, is_verify))
            return;
    }
    struct charle_buf words = {0};
    for (int i = 0; i < world->laptop_count; i++) {
        laptop_describe(&world->laptops[i], &words);
        if (world->laptops[i].is_on && !oracle_is_newest(world->oracle, &world->laptops[i]))
            charle_buf_add_text(&words, " not at the newest moment;");
    }
    world_fail(world, "not settled %d steps after everything healed (%s):%s", END_STEPS_MAX,
               is_verify ? "verify" : "sync", charle_buf_text(&words));
    charle_buf_deinit(&words);
}

void world_finish(struct world *world)
{
    struct charle_verify_report report;
    heal(world);
    if (world->result.has_failed)
        return;
    run_until_settled(world, false);
    for (int i = 0; !world->result.has_failed && i < world->laptop_count; i++) {
        struct laptop *laptop = &world->laptops[i];
        if (laptop->host)
            continue;
        oracle_check_seen(world->oracle, laptop);
        oracle_check_outbox(world->oracle, laptop);
        oracle_check_effects(world->oracle, laptop);
        oracle_check_rebase(world->oracle, laptop);
        oracle_check_laptop(world->oracle, laptop, true);
    }
    if (!world->result.has_failed)
        run_until_settled(world, true);
    for (int i = 0; !world->result.has_failed && i < world->laptop_count; i++) {
        if (world->laptops[i].host)
            continue;
        (void)ch_client_core_verified(world->laptops[i].core, &report);
        if (report.rows_different)
            world_fail(world,
                       "%s: verify found %" PRId64 " different rows of %" PRId64 " in a replica that equals the server",
                       world->laptops[i].name, report.rows_different, report.rows);
        oracle_check_laptop(world->oracle, &world->laptops[i], true);
    }
}
