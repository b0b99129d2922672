// A laptop: the real client core and replica on a disk in memory, and somebody who works on it.
#include "db/sqlite/cipher.h"
#include "services/crud.h"
#include "sim/disk.h"
#include "sim/versions.h"
#include "sim/world.h"

#include <stdio.h>
#include <stdlib.h>

// --- what the core sees of the world ---------------------------------------------------------------------------------

static int64_t env_mono(void *ctx)
{
    return ((struct laptop *)ctx)->world->now;
}

static int64_t env_wall(void *ctx)
{
    return world_wall(((struct laptop *)ctx)->world);
}

static void env_random(void *ctx, void *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = (uint8_t)world_random(((struct laptop *)ctx)->world);
}

static void env_consumed(void *ctx, uint64_t id, size_t size)
{
    (void)ctx, (void)id, (void)size;
}

static void env_timer(void *ctx, int64_t mono_us)
{
    struct laptop *laptop = ctx;
    if (mono_us == laptop->timer_at)
        return;
    laptop->timer_at = mono_us;
    laptop->timer_token = ++laptop->world->next_token;
    if (mono_us == INT64_MAX)
        return;
    struct event *event =
        world_schedule(laptop->world, mono_us - laptop->world->now + world_below(laptop->world, 200), EVENT_TIMER);
    event->laptop = laptop->index;
    event->token = laptop->timer_token;
}

static void env_changed(void *ctx, unsigned events, const uint32_t *tables, size_t table_count)
{
    (void)tables, (void)table_count;
    ((struct laptop *)ctx)->events |= events;
}

static uint64_t disk_random(void *ctx)
{
    return world_random(((struct laptop *)ctx)->world);
}

// --- life ------------------------------------------------------------------------------------------------------------

struct laptop *laptop_host(struct laptop *laptop)
{
    return laptop->host ? laptop->host : laptop;
}

int laptop_version(const struct laptop *laptop)
{
    return laptop->host ? laptop->host->version : laptop->version;
}

// Of several programs on one replica one synchronises. The system lets go of the lead when it ends.
static bool env_lead_take(void *ctx)
{
    struct laptop *laptop = ctx, *host = laptop_host(laptop);
    if (!host->leader && !host->is_lead_lost)
        host->leader = laptop;
    return host->leader == laptop;
}

static void env_lead_drop(void *ctx)
{
    struct laptop *laptop = ctx, *host = laptop_host(laptop);
    if (host->leader == laptop)
        host->leader = NULL;
}

static void init(struct laptop *laptop, struct world *world, int index, const char *name, const char *person)
{
    *laptop = (struct laptop){.world = world, .index = index, .timer_at = INT64_MAX, .boot_token = ++world->next_token};
    snprintf(laptop->name, sizeof(laptop->name), "%s", name);
    snprintf(laptop->person, sizeof(laptop->person), "%s", person);
    laptop->env = (struct ch_client_env){
        .ctx = laptop,
        .now_mono_us = env_mono,
        .now_wall_us = env_wall,
        .random = env_random,
        .call_start = net_start,
        .call_cancel = net_cancel,
        .call_consumed = env_consumed,
        .call_more = world->swarm.early_percent ? net_more : NULL,
        .timer_set = env_timer,
        .lead_take = env_lead_take,
        .lead_drop = env_lead_drop,
        .changed = env_changed,
        .vfs = laptop->vfs,
    };
}

void laptop_init(struct laptop *laptop, struct world *world, int index, const char *name, const char *person)
{
    init(laptop, world, index, name, person);
    snprintf(laptop->vfs, sizeof(laptop->vfs), "sim-%s", name);
    laptop->disk = sim_disk_new(laptop->vfs, disk_random, env_wall, laptop);
    laptop->program = sim_disk_program(laptop->disk);
    rot_encrypt(laptop);
}

void laptop_add_program(struct laptop *program, struct world *world, int index, struct laptop *host)
{
    char name[WORLD_NAME_SIZE];
    snprintf(name, sizeof(name), "p%d", index);
    init(program, world, index, name, host->person);
    dice_seed(&program->dice, world_random(world));
    snprintf(program->vfs, sizeof(program->vfs), "sim-%s", name);
    program->host = host;
    program->disk = host->disk;
    program->program = sim_program_new(host->disk, program->vfs);
    rot_encrypt(program);
}

void laptop_clone(struct laptop *laptop, struct world *world, int index, const struct laptop *original)
{
    char name[WORLD_NAME_SIZE];
    snprintf(name, sizeof(name), "x%d", index);
    laptop_init(laptop, world, index, name, original->person);
    dice_seed(&laptop->dice, world_random(world));
    laptop->version = original->version;
    sim_disk_copy(laptop->disk, original->disk);
    laptop->file = original->file;
    laptop->flips = original->flips;
    laptop->seen_count = laptop->seen_capacity = original->seen_count;
    laptop->seen = malloc((original->seen_count + 1) * sizeof(*laptop->seen));
    CHARLE_ASSERT(laptop->seen);
    if (original->seen_count)
        memcpy(laptop->seen, original->seen, original->seen_count * sizeof(*laptop->seen));
    struct event *boot = world_schedule(world, 1 + world_below(world, world->swarm.has_many_copies ? 100000 : 3000000), EVENT_BOOT);
    boot->laptop = index;
    boot->token = laptop->boot_token;
}

static void shut(struct laptop *laptop)
{
    if (!laptop->is_on)
        return;
    laptop->is_on = false;
    laptop->is_linked = false;
    env_lead_drop(laptop);
    laptop->timer_token = laptop->link_token = ++laptop->world->next_token;
    laptop->timer_at = INT64_MAX;
    ch_client_core_free(laptop->core);
    laptop->core = NULL;
    ch_replica_close(&laptop->replica);
    net_forget_all(laptop);
}

void laptop_deinit(struct laptop *laptop)
{
    shut(laptop);
    ch_cipher_close(laptop->cipher);
    if (laptop->host)
        sim_program_free(laptop->program);
    else
        sim_disk_free(laptop->disk);
    free(laptop->seen);
    free(laptop->early);
}

static void drop_newest_call(struct laptop *laptop)
{
    struct charle_error err;
    if (laptop->world->options.plant == PLANT_LOSE_OUTBOX)
        (void)!ch_lite_script(&laptop->replica.sql,
                              "delete from charle_outbox where position = (select max(position) from charle_outbox)",
                              "losing", &err);
}

void laptop_start_soon(struct laptop *laptop, int64_t delay_us)
{
    laptop->boot_token = ++laptop->world->next_token;
    struct event *boot = world_schedule(laptop->world, delay_us, EVENT_BOOT);
    boot->laptop = laptop->index;
    boot->token = laptop->boot_token;
}

void laptop_boot(struct laptop *laptop)
{
    struct world *world = laptop->world;
    struct charle_error err = {0};
    const struct ch_replica_options options = {
        .file = rot_file(laptop), .schema = version_schema(laptop_version(laptop)), .crud = ch_crud_run, .device_name = laptop->name};
    world_trace(world, "%s starts", laptop->name);
    if (ch_replica_open(&laptop->replica, &laptop->env, &options, &err) ||
        ch_client_core_new(&laptop->env, &laptop->replica, &laptop->core, &err)) {
        if (err.code == CHARLE_DISK_FULL && !world->is_healing) {
            laptop_start_soon(laptop, 500000); // until somebody has made room
            return;
        }
        if (sim_disk_is_dead(laptop->disk)) { // in the middle of an update
            laptop_crash(laptop, world_chance(world, 60));
            return;
        }
        if (rot_noticed(laptop, err.code))
            rot_mend(laptop);
        else
            world_fail(world, "%s cannot start: %s", laptop->name, err.text);
        return;
    }
    laptop->is_on = true;
    if (laptop_host(laptop)->flips) // a log may end where what was not synced is damaged
        laptop->moment = 0;
    drop_newest_call(laptop);
    oracle_check_seen(world->oracle, laptop);
    oracle_check_laptop(world->oracle, laptop, false); // what a crash left behind is a moment, too
    oracle_check_rebase(world->oracle, laptop);
    laptop->link++;
    ch_client_core_start(laptop->core);
    laptop->link_token = ++world->next_token;
    struct event *up = world_schedule(world, world_below(world, 100000), EVENT_LINK);
    up->laptop = laptop->index;
    up->token = laptop->link_token;
    up->flag = true;
    laptop_after(laptop);
}

void laptop_crash(struct laptop *laptop, bool is_power_cut)
{
    struct world *world = laptop->world;
    world_trace(world, "%s %s", laptop->name, is_power_cut ? "loses its power" : "is killed");
    world->result.crashes++;
    world->result.power_cuts += is_power_cut;
    struct laptop *host = laptop_host(laptop);
    sim_disk_die_after(host->disk, 0);
    for (int i = 0; i < world->laptop_count; i++) {
        if (laptop_host(&world->laptops[i]) != host)
            continue;
        shut(&world->laptops[i]);
        sim_program_bury(world->laptops[i].program);
        if (is_power_cut) { // the last pages may be gone, cursors with them
            world->laptops[i].moment = 0;
            failover_forget(world, &world->laptops[i]);
        }
    }
    sim_disk_revive(host->disk, is_power_cut);
    host->is_lead_lost = false;
    laptop_start_soon(host, 1 + world_below(world, 600000));
}

bool laptop_has_company(const struct laptop *laptop)
{
    const struct world *world = laptop->world;
    bool has_company = false;
    for (int i = 0; i < world->laptop_count; i++)
        has_company = has_company || (world->laptops[i].disk == laptop->disk && &world->laptops[i] != laptop && world->laptops[i].is_on);
    return has_company;
}

// What the others on the replica find: nothing of a call or a page that was under way, and everything that anybody was told.
static void look_around(struct laptop *dead)
{
    struct world *world = dead->world;
    for (int i = 0; i < world->laptop_count; i++) {
        struct laptop *laptop = &world->laptops[i];
        if (!laptop->is_on || laptop->disk != dead->disk)
            continue;
        oracle_check_seen(world->oracle, laptop);
        oracle_check_laptop(world->oracle, laptop, false);
        oracle_check_rebase(world->oracle, laptop);
        laptop_after(laptop);
    }
}

void laptop_kill(struct laptop *laptop)
{
    struct world *world = laptop->world;
    if (world->options.plant == PLANT_LEAD_KEPT && laptop_host(laptop)->leader == laptop)
        laptop_host(laptop)->is_lead_lost = true;
    world_trace(world, "%s is killed, alone", laptop->name);
    world->result.kills++;
    sim_program_die_after(laptop->program, 0);
    shut(laptop);
    sim_program_bury(laptop->program);
    if (!laptop->host || world_chance(world, 60))
        laptop_start_soon(laptop, 1 + world_below(world, 3000000));
    look_around(laptop);
}

void laptop_stop(struct laptop *laptop)
{
    if (laptop->is_on)
        world_trace(laptop->world, "%s ends", laptop->name);
    laptop->boot_token = ++laptop->world->next_token;
    shut(laptop);
    sim_program_bury(laptop->program); // it may have been killed while it ended
    if (sim_disk_is_dead(laptop->disk))
        laptop_crash(laptop, world_chance(laptop->world, 60));
}

void laptop_after(struct laptop *laptop)
{
    struct world *world = laptop->world;
    if (laptop->is_on && sim_disk_is_dead(laptop->disk)) {
        laptop_crash(laptop, world_chance(world, 60));
        return;
    }
    if (laptop->is_on && sim_program_is_dead(laptop->program)) {
        laptop_kill(laptop);
        return;
    }
    if (rot_is_told(laptop)) {
        rot_mend(laptop);
        return;
    }
    if (!laptop->is_on || !laptop->events)
        return;
    bool has_rows = laptop->events & (CHARLE_EVENT_ROWS | CHARLE_EVENT_CALLS | CHARLE_EVENT_STATUS);
    laptop->events = 0;
    if (!has_rows)
        return;
    oracle_check_laptop(world->oracle, laptop, false);
    bool waits_much = laptop_number(laptop, "select count(*) from charle_outbox where state < 4") > 1;
    if (world_chance(world, waits_much ? 35 : 10))
        oracle_check_rebase(world->oracle, laptop);
    if (sim_disk_is_dead(laptop->disk))
        laptop_crash(laptop, world_chance(world, 60));
    else if (sim_program_is_dead(laptop->program))
        laptop_kill(laptop);
}

// --- the end ---------------------------------------------------------------------------------------------------------

int64_t laptop_number(struct laptop *laptop, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int64_t value = -1;
    if (sqlite3_prepare_v2(laptop->replica.look.db, sql, -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        value = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return value;
}

bool laptop_is_idle(struct laptop *laptop)
{
    struct charle_client_status status = {0};
    if (!laptop->is_on)
        return false;
    ch_client_core_status(laptop->core, &status);
    return status.state == CHARLE_CLIENT_LIVE &&
           laptop_number(laptop, "select count(*) from charle_outbox where state < 5") == 0 &&
           laptop_number(laptop, "select count(*) from charle_cursor where state <> 1") == 0;
}

void laptop_describe(struct laptop *laptop, struct charle_buf *out)
{
    struct charle_client_status status = {0};
    if (!laptop->is_on) {
        if (!laptop->host)
            charle_buf_printf(out, " %s is off;", laptop->name);
        return;
    }
    ch_client_core_status(laptop->core, &status);
    charle_buf_printf(
        out, " %s state %d waiting %lld (first: state %lld, number %lld) unready scopes %lld%s%s;", laptop->name,
        (int)status.state, (long long)laptop_number(laptop, "select count(*) from charle_outbox where state < 5"),
        (long long)laptop_number(laptop, "select state from charle_outbox where state < 5 order by position limit 1"),
        (long long)laptop_number(laptop,
                                 "select sequence from charle_outbox where state < 5 order by position limit 1"),
        (long long)laptop_number(laptop, "select count(*) from charle_cursor where state <> 1"),
        status.problem[0] ? " " : "", status.problem);
}
