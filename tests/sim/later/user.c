// What people do with the columns and tables that only the later schema has.
#include "sim.charle.h"
#include "sim.schema.charle.h"
#include "sim/later/later.h"

static void pause_job(struct laptop *laptop, struct charle_arena *arena)
{
    static const uint32_t mask[] = {3, 6, 16};
    struct world *world = laptop->world;
    const struct sim_job_key key = {user_pick(laptop, arena, "select id from job where owner_id is not null")};
    struct sim_job_patch base, set = {0};
    if (!key.id.ptr || !user_read_row(laptop, &sim_job_table, key.id, arena, &base))
        return;
    size_t first = (size_t)world_below(world, 3), count = 1 + (size_t)world_below(world, (int64_t)(3 - first));
    if (world_chance(world, 50))
        set.title = (struct charle_opt_text){user_text(laptop, arena, "later"), true}; // else there is none any more
    set.state.value = world_chance(world, 70) ? SIM_JOB_PAUSED : SIM_JOB_OPEN;
    set.state.has = true;
    set.rank = (struct charle_opt_int4){(int32_t)world_below(world, 9), true};
    const struct sim_job_update request = {.key = &key, .set = &set, .mask = {mask + first, count, true}, .base = &base};
    user_call(laptop, &sim_job_service_update_method, &request);
}

static void name_person(struct laptop *laptop, struct charle_arena *arena)
{
    static const uint32_t mask[] = {5, 6};
    struct world *world = laptop->world;
    const struct sim_person_key key = {user_pick(laptop, arena, "select id from person")};
    struct sim_person_patch base, set = {.level = {(int32_t)world_below(world, 5), true}};
    if (world_chance(world, 70))
        set.nick = (struct charle_opt_text){user_text(laptop, arena, "nick"), true};
    const struct sim_person_update request = {.key = &key, .set = &set, .mask = {mask, 1 + (size_t)world_below(world, 2), true}, .base = &base};
    if (key.id.ptr && user_read_row(laptop, &sim_person_table, key.id, arena, &base))
        user_call(laptop, &sim_person_service_update_method, &request);
}

static void make_badge(struct laptop *laptop, struct charle_arena *arena)
{
    struct sim_badge_insert badge = {.person_id = charle_str(laptop->person), .text = user_text(laptop, arena, "badge")};
    struct charle_str job = user_pick(laptop, arena, "select id from job");
    if (world_chance(laptop->world, 60) && job.ptr)
        badge.job_id = (struct charle_opt_text){job, true};
    user_call(laptop, &sim_badge_service_create_method, &badge);
}

static void change_badge(struct laptop *laptop, struct charle_arena *arena)
{
    static const uint32_t mask[] = {3, 4};
    struct world *world = laptop->world;
    const struct sim_badge_key key = {user_pick(laptop, arena, "select id from badge where text is not null")};
    struct charle_str job = user_pick(laptop, arena, "select id from job");
    struct sim_badge_patch base, set = {.job_id = {job, job.ptr != NULL && world_chance(world, 70)}};
    if (!key.id.ptr || !user_read_row(laptop, &sim_badge_table, key.id, arena, &base))
        return;
    set.text = (struct charle_opt_text){user_text(laptop, arena, "badge"), true};
    const struct sim_badge_update update = {.key = &key, .set = &set, .mask = {mask, 1 + (size_t)world_below(world, 2), true}, .base = &base};
    const struct sim_badge_delete away = {.key = &key};
    if (world_chance(world, 25))
        user_call(laptop, &sim_badge_service_delete_method, &away);
    else
        user_call(laptop, &sim_badge_service_update_method, &update);
}

void later_act(struct laptop *laptop, struct charle_arena *arena)
{
    static void (*const deeds[])(struct laptop *, struct charle_arena *) = {pause_job, pause_job, name_person, make_badge, make_badge, change_badge};
    deeds[world_below(laptop->world, (int64_t)(sizeof(deeds) / sizeof(deeds[0])))](laptop, arena);
}
