// What goes wrong, and how often.
#include "sim/world.h"

#include "sim/disk.h"
#include "sync/cursor.h"

static struct laptop *some_laptop(struct world *world)
{
    return &world->laptops[world_below(world, world->laptop_count)];
}

static void cut_somebody(struct world *world)
{
    struct laptop *laptop = some_laptop(world);
    if (!laptop->is_on || !laptop->is_linked || laptop->is_dead_end)
        return;
    bool is_half_open = world_chance(world, 10); // nobody notices before the core's own watch does
    world_trace(world, "%s is cut off", laptop->name);
    world->result.partitions++;
    net_cut(laptop, is_half_open ? world_below(world, 20000000) : world_below(world, 300000), world_below(world, 4000000));
}

static void cut_all(struct world *world)
{
    int64_t away = world_below(world, 3000000);
    world_trace(world, "everybody is cut off");
    world->result.partitions++;
    for (int i = 0; i < world->laptop_count; i++) {
        struct laptop *laptop = &world->laptops[i];
        if (laptop->is_on && laptop->is_linked && !laptop->is_dead_end)
            net_cut(laptop, world_below(world, 100000), away);
    }
}

static void crash_somebody(struct world *world)
{
    struct laptop *laptop = some_laptop(world);
    if (!laptop->is_on)
        return;
    if (world_chance(world, 50))
        laptop_crash(laptop, world_chance(world, 50));
    else // in the middle of some write to come
        sim_disk_die_after(laptop->disk, 1 + (int)world_below(world, 60));
}

static void fill_disk(struct world *world)
{
    struct laptop *laptop = some_laptop(world);
    bool is_full = world_chance(world, 40);
    world_trace(world, "%s's disk is %s", laptop->name, is_full ? "full" : "not full");
    sim_disk_set_full(laptop->disk, is_full);
}

static void jump_clock(struct world *world)
{
    world->wall_offset += (world_below(world, 7200) - 3600) * 1000000;
    world_trace(world, "the clock jumps");
}

static void break_postgres(struct world *world)
{
    if (!world->options.may_restart_postgres || !world_chance(world, 12))
        return;
    if (server_restart_postgres(world->server, false))
        oracle_commit(world->oracle, "recovery");
}

// Once: a cold copy is taken, and some time later put back over what was committed since.
static void go_back(struct world *world)
{
    if (!world->options.may_restore || world->result.restores)
        return;
    if (!world->is_copied) {
        world->is_copied = server_save(world->server);
        oracle_saved(world->oracle);
        return;
    }
    bool is_late = world->result.steps * 4 > (int64_t)world->options.steps * 3; // now, or not at all
    if ((!is_late && !world_chance(world, 40)) || !server_restart_postgres(world->server, true))
        return;
    world->result.restores++;
    oracle_restored(world->oracle);
    oracle_commit(world->oracle, "the old copy");
    if (world_chance(world, 50))
        writer_act(world); // somebody writes before the server has looked
}

void nemesis_act(struct world *world)
{
    static void (*const deeds[])(struct world *) = {cut_somebody, cut_somebody, cut_somebody, cut_all, crash_somebody, crash_somebody, crash_somebody,
                                                    fill_disk, jump_clock, break_postgres, go_back, go_back};
    int64_t choice = world_below(world, 14);
    int64_t quarter = world->options.steps > 0 ? world->result.steps * 4 / world->options.steps : 0;
    if (world->options.may_restore && !world->result.restores && (quarter == 3 || (quarter >= 1 && !world->is_copied))) {
        go_back(world);
        return;
    }
    if (choice < 12)
        deeds[choice](world);
    else if (choice == 12)
        server_restart(world->server);
}
