// Somebody who works on a laptop: calls of all kinds, at what he sees.
#include "client/core_parts.h"
#include "msg/wire.h"
#include "sim.charle.h"
#include "sim.schema.charle.h"
#include "sim/disk.h"
#include "sim/later/later.h"
#include "sim/versions.h"
#include "sim/world.h"

#include <stdio.h>
#include <stdlib.h>

// One text at random from a query of one column in the replica, as the user sees it; ptr NULL when there is none.
struct charle_str user_pick(struct laptop *laptop, struct charle_arena *arena, const char *from)
{
    char sql[300];
    struct charle_str found = {0};
    sqlite3_stmt *stmt = NULL;
    snprintf(sql, sizeof(sql), "select count(*) from (%s)", from);
    int64_t count = laptop_number(laptop, sql);
    if (count <= 0)
        return found;
    snprintf(sql, sizeof(sql), "%s order by 1 limit 1 offset %lld", from, (long long)world_below(laptop->world, count));
    if (sqlite3_prepare_v2(laptop->replica.look.db, sql, -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        found = charle_arena_str(arena, ch_lite_text(stmt, 0));
    sqlite3_finalize(stmt);
    return found;
}

struct charle_str user_text(struct laptop *laptop, struct charle_arena *arena, const char *what)
{
    return charle_arena_printf(arena, "%s %lld", what, (long long)world_below(laptop->world, 1000));
}

static struct charle_opt_text opt(struct charle_str text)
{
    return (struct charle_opt_text){text, text.ptr != NULL};
}

// Keeps what lies in the outbox now: the library may have added to the request what it was based on. The programs of one replica keep it together.
static void remember(struct laptop *program, int64_t ticket)
{
    struct laptop *laptop = laptop_host(program);
    if (laptop->seen_count == laptop->seen_capacity) {
        laptop->seen_capacity = laptop->seen_capacity ? laptop->seen_capacity * 2 : 64;
        laptop->seen = realloc(laptop->seen, laptop->seen_capacity * sizeof(*laptop->seen));
        CHARLE_ASSERT(laptop->seen);
    }
    uint64_t hash = 0; // of a call that the disk's last breath took: it must be there, whatever it is
    if (oracle_hash_call(program, ticket, &hash) || laptop->is_damaged || sim_program_is_dead(program->program))
        laptop->seen[laptop->seen_count++] = (struct seen_call){ticket, hash};
    else
        world_fail(laptop->world, "%s: call %lld succeeded and is not in the outbox", laptop->name, (long long)ticket);
}

void user_call(struct laptop *laptop, const struct charle_method *method, const void *request)
{
    struct world *world = laptop->world;
    struct charle_buf bytes = {0}, reply = {0};
    struct charle_error err = {0};
    int64_t ticket = 0;
    charle_message_write(method->request, request, &bytes);
    CHARLE_ASSERT(!bytes.failed);
    method = version_method(laptop_version(laptop), method); // messages know their fields by number
    enum charle_err rc = ch_replica_call(&laptop->replica, method, charle_buf_bytes(&bytes), &reply, &ticket, &err);
    world_trace(world, "%s calls %.*s: %s", laptop->name, CHARLE_FMT(method->name), charle_err_name(rc));
    if (world->options.is_traced && rc)
        printf("                          %s\n", err.text);
    // A program that was killed meanwhile has told nobody anything; the others on the replica may find the call or not.
    bool is_told = !sim_program_is_dead(laptop->program) || sim_disk_is_dead(laptop->disk);
    if (rc == CHARLE_OK && is_told) {
        world->result.calls_made++;
        remember(laptop, ticket);
        ch_client_core_kick(laptop->core);
    } else if (rc == CHARLE_INTERNAL || rc == CHARLE_MALFORMED || rc == CHARLE_UNKNOWN ||
               (rc == CHARLE_DATA_LOSS && !rot_noticed(laptop, rc))) {
        world_fail(world, "%s: calling %.*s failed: %s", laptop->name, CHARLE_FMT(method->name), err.text);
    }
    charle_buf_deinit(&bytes);
    charle_buf_deinit(&reply);
}

// The row as the user sees it, which is what an edit is based on.
bool user_read_row(struct laptop *laptop, const struct charle_table *schema, struct charle_str key,
                     struct charle_arena *arena, void *out)
{
    struct ch_table *table = ch_table_by_id(&laptop->replica.tables, schema->id);
    struct charle_buf row = {0};
    struct charle_error err;
    bool found = false;
    enum charle_err rc = ch_table_read(&laptop->replica.tables, table, key, &row, &found, &err);
    if (rc == CHARLE_OK && found)
        rc = charle_message_read(schema->patch, charle_arena_bytes(arena, charle_buf_bytes(&row)), arena, out, &err);
    charle_buf_deinit(&row);
    return rc == CHARLE_OK && found;
}

static void create_job(struct laptop *laptop, struct charle_arena *arena)
{
    struct world *world = laptop->world;
    struct charle_str area = user_pick(laptop, arena, "select id from area");
    struct sim_job_insert job = {
        .title = user_text(laptop, arena, "made"),
        .area_id = area,
        .owner_id = charle_str(laptop->person),
        .price = {world_below(world, 1000), world_chance(world, 50)},
        .note = {CHARLE_STR("one\n\ntwo"), world_chance(world, 50)},
    };
    if (world_chance(world, 20)) // unique: others may take it meanwhile
        job.code = opt(charle_arena_printf(arena, "c%lld", (long long)world_below(world, 30)));
    if (area.ptr)
        user_call(laptop, &sim_job_service_create_method, &job);
}

static void update_job(struct laptop *laptop, struct charle_arena *arena)
{
    struct world *world = laptop->world;
    struct charle_str id =
        user_pick(laptop, arena,
             world_chance(world, 90) ? "select id from job where owner_id is not null" : "select id from job");
    struct sim_job_patch base, set = {0};
    struct charle_str labels[3] = {CHARLE_STR("l0"), CHARLE_STR("l1"), user_text(laptop, arena, "l")};
    uint32_t mask[16];
    size_t count = 0;
    if (!id.ptr || !user_read_row(laptop, &sim_job_table, id, arena, &base))
        return;
    for (int edits = 1 + (int)world_below(world, 3); edits; edits--) {
        switch (world_below(world, 10)) {
        case 0:
        case 1:
            set.title = opt(user_text(laptop, arena, laptop->name));
            mask[count++] = 3;
            break;
        case 2: // moves the job, and what hangs on it, to another scope
            set.area_id = opt(user_pick(laptop, arena, "select id from area"));
            mask[count++] = 4;
            break;
        case 3:
            set.state.value = 1 + (int)world_below(world, 4);
            set.state.has = true;
            mask[count++] = 6;
            break;
        case 4:
            set.starts = (struct charle_opt_int4){(int32_t)world_below(world, 50), true};
            set.ends = (struct charle_opt_int4){set.starts.value + 3, true};
            mask[count++] = 7;
            mask[count++] = 8;
            break;
        case 5:
            set.price = (struct charle_opt_int8){world_below(world, 1000), world_chance(world, 90)};
            mask[count++] = 9;
            break;
        case 6:
            set.hits = (struct charle_opt_int8){base.hits.value + 1 + world_below(world, 5), true};
            mask[count++] = 10;
            break;
        case 7:
            set.labels = (struct charle_array){labels + world_below(world, 2), 1 + (size_t)world_below(world, 2), true};
            mask[count++] = 11;
            break;
        case 8:
            set.first_by = opt(charle_str(laptop->name));
            mask[count++] = 12;
            break;
        case 9:
            set.note = opt(charle_arena_printf(arena, "%s\n\n%.*s", laptop->name,
                                               (int)(base.note.value.len < 200 ? base.note.value.len : 200),
                                               base.note.value.ptr ? base.note.value.ptr : ""));
            mask[count++] = 13;
            break;
        }
    }
    // Each column once.
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        bool is_new = true;
        for (size_t j = 0; j < kept; j++)
            is_new = is_new && mask[j] != mask[i];
        if (is_new)
            mask[kept++] = mask[i];
    }
    const struct sim_job_key key = {id};
    const struct sim_job_update request = {.key = &key, .set = &set, .mask = {mask, kept, true}, .base = &base};
    user_call(laptop, &sim_job_service_update_method, &request);
}

static void delete_job(struct laptop *laptop, struct charle_arena *arena)
{
    struct charle_str id = user_pick(laptop, arena, "select id from job where owner_id is not null");
    struct sim_job_patch base;
    const struct sim_job_key key = {id};
    if (!id.ptr || !user_read_row(laptop, &sim_job_table, id, arena, &base))
        return;
    const struct sim_job_delete request = {.key = &key, .base = world_chance(laptop->world, 50) ? &base : NULL};
    user_call(laptop, &sim_job_service_delete_method, &request);
}

static void assign(struct laptop *laptop, struct charle_arena *arena)
{
    struct world *world = laptop->world;
    if (world_chance(world, 60)) {
        const struct sim_assignee_insert request = {user_pick(laptop, arena, "select id from job"),
                                                    user_pick(laptop, arena, "select id from person")};
        if (request.job_id.ptr && request.person_id.ptr)
            user_call(laptop, &sim_assignee_service_create_method, &request);
        return;
    }
    struct charle_str both = user_pick(laptop, arena, "select job_id || '/' || person_id from assignee");
    const char *slash = both.ptr ? memrchr(both.ptr, '/', both.len) : NULL;
    if (!slash)
        return;
    const struct sim_assignee_key key = {charle_str_n(both.ptr, (size_t)(slash - both.ptr)), charle_str(slash + 1)};
    const struct sim_assignee_delete request = {.key = &key};
    user_call(laptop, &sim_assignee_service_delete_method, &request);
}

static void remark(struct laptop *laptop, struct charle_arena *arena)
{
    struct world *world = laptop->world;
    if (world_chance(world, 75)) {
        const struct sim_remark_insert request = {.job_id = user_pick(laptop, arena, "select id from job"),
                                                  .author_id = charle_str(laptop->person),
                                                  .text = user_text(laptop, arena, "remark")};
        if (request.job_id.ptr)
            user_call(laptop, &sim_remark_service_create_method, &request);
        return;
    }
    struct charle_str id = user_pick(laptop, arena, "select id from remark where author_id is not null");
    const struct sim_remark_key key = {id};
    const struct sim_remark_delete request = {.key = &key};
    if (id.ptr)
        user_call(laptop, &sim_remark_service_delete_method, &request);
}

static void count_up(struct laptop *laptop, struct charle_arena *arena)
{
    struct charle_str id = user_pick(laptop, arena, "select id from tally");
    static const uint32_t mask[] = {2};
    struct sim_tally_patch base, set = {0};
    if (!id.ptr || !user_read_row(laptop, &sim_tally_table, id, arena, &base) || !base.n.has)
        return;
    set.n = (struct charle_opt_int8){base.n.value + 1 + world_below(laptop->world, 9), true};
    const struct sim_tally_key key = {id};
    const struct sim_tally_update request = {.key = &key, .set = &set, .mask = {mask, 1, true}, .base = &base};
    user_call(laptop, &sim_tally_service_update_method, &request);
}

static void move_money(struct laptop *laptop, struct charle_arena *arena)
{
    const struct sim_transfer_request request = {.from_id = user_pick(laptop, arena, "select id from account"),
                                                 .to_id = user_pick(laptop, arena, "select id from account"),
                                                 .amount = 1 + world_below(laptop->world, 400)};
    if (request.from_id.ptr && request.to_id.ptr)
        user_call(laptop, &sim_bank_move_method, &request);
}

static void rename_something(struct laptop *laptop, struct charle_arena *arena)
{
    static const uint32_t mask[] = {2};
    if (world_chance(laptop->world, 50)) {
        struct sim_person_patch set = {.name = opt(user_text(laptop, arena, "name"))};
        const struct sim_person_key key = {user_pick(laptop, arena, "select id from person")};
        const struct sim_person_update request = {.key = &key, .set = &set, .mask = {mask, 1, true}};
        if (key.id.ptr)
            user_call(laptop, &sim_person_service_update_method, &request);
    } else {
        struct sim_area_patch base, set = {.name = opt(user_text(laptop, arena, "area"))};
        const struct sim_area_key key = {user_pick(laptop, arena, "select id from area")};
        const struct sim_area_update request = {.key = &key, .set = &set, .mask = {mask, 1, true}, .base = &base};
        if (key.id.ptr && user_read_row(laptop, &sim_area_table, key.id, arena, &base))
            user_call(laptop, &sim_area_service_update_method, &request);
    }
}

typedef void (*user_deed)(struct laptop *, struct charle_arena *);

static void maybe_jump_clock(struct world *world)
{
    if (world->swarm.clock_percent && world_chance(world, world->swarm.clock_percent))
        world->wall_offset += (world_below(world, 600) - 300) * 1000000;
}

// Several things at once: calls that wait together, often for the same row.
static void act_again(struct laptop *laptop, user_deed deed, struct charle_arena *arena)
{
    struct world *world = laptop->world;
    if (!world->swarm.burst_percent || !world_chance(world, world->swarm.burst_percent))
        return;
    for (int64_t n = 1 + world_below(world, 5); n; n--) {
        maybe_jump_clock(world);
        (world_chance(world, 40) ? count_up : deed)(laptop, arena);
    }
}

void laptop_act(struct laptop *laptop)
{
    static const user_deed deeds[] = {
        create_job, update_job, update_job, update_job, update_job, delete_job, assign,     assign,
        remark,     remark,     count_up,   count_up,   count_up,   move_money, move_money, rename_something};
    struct world *world = laptop->world;
    struct charle_arena arena = {0};
    int64_t choice = world_below(world, 100);
    if (choice < 3) {
        world_trace(world, "%s syncs", laptop->name);
        (void)ch_client_core_sync(laptop->core);
    } else if (choice < 5) {
        ch_client_core_retry(laptop->core);
    } else if (choice < 7) {
        world_trace(world, "%s verifies", laptop->name);
        (void)ch_client_core_verify(laptop->core);
    } else if (laptop_number(laptop, "select count(*) from charle_meta where key = 'ready' and value = 1") == 1) {
        user_deed deed = deeds[world_below(world, (int64_t)(sizeof(deeds) / sizeof(deeds[0])))];
        if (laptop_version(laptop) == VERSION_LATER && world_chance(world, 25))
            deed = later_act;
        maybe_jump_clock(world);
        deed(laptop, &arena);
        act_again(laptop, deed, &arena);
    }
    charle_arena_deinit(&arena);
    laptop_after(laptop);
}
