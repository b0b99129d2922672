// What goes wrong, and how often.
#include "sim/disk.h"
#include "sim/versions.h"
#include "sim/world.h"
#include "sync/cursor.h"

enum { SUDDEN_STOPS_MAX = 4 };

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
    net_cut(laptop, is_half_open ? world_below(world, 20000000) : world_below(world, 300000),
            world_below(world, 4000000));
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

// Somebody does not wait for the disk, everybody sees what he wrote, and the database stops. Few times, for each costs a second.
static void stop_behind_writer(struct world *world)
{
    if (world->result.postgres_restarts >= SUDDEN_STOPS_MAX)
        return;
    writer_act_unsafely(world);
    server_pump(world->server);
    if (server_restart_postgres(world->server, false))
        oracle_commit(world->oracle, "recovery");
}

// Once: a cold copy or a dump is taken, and some time later put back over what was committed since.
static void save_copy(struct world *world)
{
    if (!world->options.may_restore || world->is_copied)
        return;
    world->is_dump = world_chance(world, 50);
    world->is_copied = server_save(world->server, world->is_dump);
    oracle_saved(world->oracle);
}

static void put_copy_back(struct world *world)
{
    if (!world->is_copied || world->result.restores)
        return;
    if (!(world->is_dump ? server_load(world->server) : server_restart_postgres(world->server, true)))
        return;
    world->result.restores++;
    oracle_restored(world->oracle);
    oracle_commit(world->oracle, "the old copy");
    for (int64_t n = world_below(world, 6); n; n--)
        writer_act(world); // somebody writes before the server has looked
    version_catch_up(world);
}

// Somebody copies a laptop's folder, and both go on: one person with one device too many.
static void clone_somebody(struct world *world)
{
    struct laptop *original = laptop_host(some_laptop(world));
    int index = world->laptop_count, laptops = 0;
    for (int i = 0; i < index; i++)
        laptops += !world->laptops[i].host;
    if (laptops == WORLD_COPIES || index == WORLD_LAPTOPS || !original->is_on || !world_chance(world, world->swarm.has_many_copies ? 100 : 40))
        return;
    world_trace(world, "%s is copied", original->name);
    laptop_clone(&world->laptops[index], world, index, original);
    world->laptop_count++;
    world->has_copies = true;
    if (!world->options.replay)
        actions_join(world, index);
}

// A second program comes to a laptop, ends, or comes back.
static void start_or_end_program(struct world *world)
{
    struct laptop *host = laptop_host(some_laptop(world)), *program = NULL;
    int index = world->laptop_count;
    for (int i = 0; i < index; i++)
        program = world->laptops[i].host == host ? &world->laptops[i] : program;
    if (program && program->is_on) {
        laptop_stop(world_chance(world, 50) && host->is_on ? host : program);
        if (!host->is_on)
            laptop_start_soon(host, world_below(world, 5000000));
        return;
    }
    if (!program && index < WORLD_LAPTOPS) {
        program = &world->laptops[index];
        laptop_add_program(program, world, index, host);
        world->laptop_count++;
        if (!world->options.replay)
            actions_join(world, index);
    }
    if (!program)
        return;
    world_trace(world, "%s is a second program on %s", program->name, host->name);
    laptop_start_soon(program, world_below(world, 300000));
}

// One of several programs on a replica is killed: at once, or in the middle of some write to come.
static void kill_program(struct world *world)
{
    struct laptop *laptop = some_laptop(world);
    for (int i = 0; i < world->laptop_count && !(laptop->is_on && laptop_has_company(laptop)); i++)
        laptop = &world->laptops[i];
    if (!laptop->is_on || !laptop_has_company(laptop))
        start_or_end_program(world);
    else if (world_chance(world, 30))
        laptop_kill(laptop);
    else
        sim_program_die_after(laptop->program, 1 + (int)world_below(world, 60));
}

// Somebody's token is revoked, and some time later he signs in again.
static void revoke_token(struct world *world)
{
    struct laptop *laptop = some_laptop(world);
    laptop->is_signed_out = !laptop->is_signed_out;
    world_trace(world, "%s %s", laptop->name, laptop->is_signed_out ? "is signed out" : "signs in again");
    if (!laptop->is_signed_out && laptop->is_on) {
        ch_client_core_retry(laptop->core);
        laptop_after(laptop);
    }
}

static void break_connection(struct world *world)
{
    server_arm(world->server);
}

// Some days went by, and what is older than a day is forgotten.
static void compact(struct world *world)
{
    static const char sql[] =
        "update charle.mark set taken_at = taken_at - interval '2 days'; select charle.note_heads(); "
        "select charle.forget('1 day', 1000); select charle.thin(); select charle.forget_calls(20, 1000)";
    struct charle_error err = {0};
    world_trace(world, "the log is compacted");
    if (charle_exec_script(server_db(world->server), sql, &err) && err.code != CHARLE_BUSY)
        world_fail(world, "the log cannot be compacted: %s", err.text);
}

static void restart_server(struct world *world)
{
    server_restart(world->server);
}

static bool may_restart_postgres(const struct world *world)
{
    return world->options.may_restart_postgres;
}

static bool may_begin_standby(const struct world *world)
{
    return failover_is_due(world, FAILOVER_NONE);
}

static bool may_break_line(const struct world *world)
{
    return failover_is_due(world, FAILOVER_FOLLOWS);
}

static bool may_fail_over(const struct world *world)
{
    return failover_is_due(world, FAILOVER_LAGS);
}

static bool has_programs(const struct world *world)
{
    return world->swarm.has_programs;
}

static bool rots(const struct world *world)
{
    return world->swarm.rots;
}

static bool kills_programs(const struct world *world)
{
    return world->swarm.kills_programs;
}

static bool revokes(const struct world *world)
{
    return world->swarm.revokes;
}

struct deed {
    const char *name;
    void (*act)(struct world *world);
    int weight;
    bool (*exists)(const struct world *world); // NULL: everywhere
};
enum { DEED_SAVE, DEED_RESTORE, DEED_STANDBY, DEED_LINE, DEED_FAILOVER }; // once each, and not too late
static const struct deed deeds[] = {
    [DEED_SAVE] = {"save", save_copy, 2},
    [DEED_RESTORE] = {"restore", put_copy_back, 1},
    [DEED_STANDBY] = {"standby", failover_begin_standby, 1, may_begin_standby},
    [DEED_LINE] = {"line", failover_break_line, 2, may_break_line},
    [DEED_FAILOVER] = {"failover", failover_happen, 2, may_fail_over},
    {"cut", cut_somebody, 3},
    {"cut-all", cut_all, 1},
    {"crash", crash_somebody, 3},
    {"disk", fill_disk, 1},
    {"clock", jump_clock, 1},
    {"postgres", break_postgres, 1},
    {"server", restart_server, 1},
    {"connection", break_connection, 3},
    {"compact", compact, 1},
    {"clone", clone_somebody, 1},
    {"sudden", stop_behind_writer, 2, may_restart_postgres},
    {"program", start_or_end_program, 3, has_programs},
    {"token", revoke_token, 3, revokes},
    {"flip", rot_flip, 10, rots},
    {"kill", kill_program, 5, kills_programs},
    {"schema", version_act, 8, version_exists},
};
enum { DEEDS = sizeof(deeds) / sizeof(deeds[0]) };

const char *nemesis_name(int deed)
{
    return deed >= 0 && deed < DEEDS ? deeds[deed].name : NULL;
}

static int weight_of(const struct world *world, int deed)
{
    bool is_often = deeds[deed].act == clone_somebody && world->swarm.has_many_copies;
    return deeds[deed].exists && !deeds[deed].exists(world) ? 0 : deeds[deed].weight * (is_often ? 6 : 1);
}

int nemesis_choose(struct world *world)
{
    int64_t quarter = world->options.steps > 0 ? world->result.steps * 4 / world->options.steps : 0;
    int total = 0;
    if (world->options.may_restore && !world->is_copied && quarter >= 1)
        return DEED_SAVE;
    if (world->is_copied && !world->result.restores && quarter == 3)
        return DEED_RESTORE;
    for (int i = 0; i < 3; i++) {
        if (quarter >= i + 1 && deeds[DEED_STANDBY + i].exists(world))
            return DEED_STANDBY + i;
    }
    for (int i = 0; i < DEEDS; i++)
        total += weight_of(world, i);
    int64_t at = world_below(world, total);
    int deed = 0;
    while (at >= weight_of(world, deed))
        at -= weight_of(world, deed++);
    return deed;
}

void nemesis_act(struct world *world, int deed)
{
    deeds[deed].act(world);
}
