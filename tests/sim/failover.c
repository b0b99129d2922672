// A primary dies, and the standby that takes its place lacks what was committed last.
//
// Three deeds, in this order and once a world: the standby begins with a copy of the stopped database; some time later its line to the primary
// breaks, and the oracle keeps what was true then; some time later the primary dies, and the standby is promoted: PostgreSQL recovers the copy up
// to that point and begins a new timeline (pg_cluster.h). Foreign writers write to it before the server has looked.
//
// What the oracle asks afterwards: what was acknowledged behind the point is lost and may take effect once more, and nothing else is
// (oracle_restored); replicas send it again (oracle_check_effects); no row of the lost time is left anywhere (oracle_check_laptop); and whoever had
// a scope before, and held it ever since, compares it and does not copy it anew (failover_check_copy).
#include "msg/wire.h"
#include "sim/oracle.h"
#include "support/pg_cluster.h"
#include "sync/cursor.h"

#include <stdio.h>
#include <stdlib.h>

static const char point[] = "sim_line";

struct failover {
    size_t version; // the first one on the new timeline
    struct had {    // who had what before
        const struct laptop *laptop;
        char scope[SCOPE_SIZE];
    } had[WORLD_LAPTOPS * SCOPES_MAX];
    size_t had_count;
};

bool failover_is_due(const struct world *world, enum failover_stage stage)
{
    return world->swarm.fails_over && world->options.may_restart_postgres && !world->options.may_restore && world->failover_stage == stage;
}

void failover_begin_standby(struct world *world)
{
    if (failover_is_due(world, FAILOVER_NONE) && server_copy(world->server, "a standby begins", ch_pg_cluster_base))
        world->failover_stage = FAILOVER_FOLLOWS;
}

void failover_break_line(struct world *world)
{
    if (!failover_is_due(world, FAILOVER_FOLLOWS))
        return;
    world_trace(world, "the standby gets nothing more");
    if (!ch_pg_cluster_point(world_cluster(world), point)) {
        world_fail(world, "the place in the log cannot be marked");
        return;
    }
    world->failover_stage = FAILOVER_LAGS;
    oracle_saved(world->oracle);
}

static bool promote(struct ch_pg_cluster *cluster)
{
    return ch_pg_cluster_fail_over(cluster, point);
}

// A first copy that is not complete may have to begin again when the rights move.
static bool is_complete(struct laptop *laptop)
{
    return laptop_number(laptop, "select count(*) from charle_meta where key = 'ready' and value = 1") == 1;
}

// What each laptop has that runs. A replica that was not looked at may copy what it likes.
static void note_scopes(struct world *world)
{
    struct failover *failover = calloc(1, sizeof(*failover));
    CHARLE_ASSERT(failover);
    failover->version = world->oracle->count;
    for (int i = 0; i < world->laptop_count; i++) {
        struct laptop *laptop = &world->laptops[i];
        struct view view = {0};
        bool is_known = laptop->is_on && !laptop->host && is_complete(laptop) && view_read_cursors(laptop, &view);
        for (size_t n = 0; is_known && n < view.cursor_count; n++) {
            if (view.cursors[n].state != CH_SCOPE_READY && view.cursors[n].state != CH_SCOPE_REPAIR)
                continue;
            struct had *had = &failover->had[failover->had_count++];
            *had = (struct had){.laptop = laptop};
            snprintf(had->scope, sizeof(had->scope), "%s", view.cursors[n].scope);
        }
        charle_buf_deinit(&view.rows);
    }
    world->failover = failover;
}

void failover_happen(struct world *world)
{
    if (!failover_is_due(world, FAILOVER_LAGS))
        return;
    note_scopes(world);
    world->failover_stage = FAILOVER_OVER;
    if (!server_lose_postgres(world->server, "the primary dies, and its standby takes over", promote))
        return;
    world->result.failovers++;
    oracle_restored(world->oracle);
    oracle_commit(world->oracle, "the standby");
    for (int64_t n = world_below(world, 6); n; n--)
        writer_act(world); // somebody writes before the server has looked
}

void failover_forget(struct world *world, const struct laptop *laptop)
{
    for (size_t i = 0; world->failover && i < world->failover->had_count; i++) {
        if (world->failover->had[i].laptop == laptop)
            world->failover->had[i].laptop = NULL;
    }
}

static bool was_held_since(const struct world *world, const struct laptop *laptop, const char *scope)
{
    for (size_t i = world->failover->version; i < world->oracle->count; i++) {
        if (!oracle_holds(&world->oracle->versions[i], laptop->person, scope))
            return false;
    }
    return true;
}

void failover_check_copy(struct laptop *laptop, struct charle_bytes bytes)
{
    struct world *world = laptop->world;
    const struct failover *failover = world->failover;
    struct charle_arena arena = {0};
    struct charle_copy_request request;
    struct charle_error err;
    if (!failover || laptop->host || charle_message_read(&charle_copy_request_message, bytes, &arena, &request, &err))
        goto done;
    struct view view = {0};
    bool is_known = view_read_cursors(laptop, &view);
    for (size_t i = 0; is_known && i < failover->had_count; i++) {
        const struct had *had = &failover->had[i];
        if (had->laptop != laptop || !charle_str_equal(charle_str(had->scope), request.scope) || !was_held_since(world, laptop, had->scope))
            continue;
        for (size_t n = 0; n < view.cursor_count; n++) {
            if (strcmp(view.cursors[n].scope, had->scope) == 0 && view.cursors[n].state == CH_SCOPE_COPYING)
                world_fail(world, "%s copies the scope %s anew, which it had before the failover", laptop->name, had->scope);
        }
    }
    charle_buf_deinit(&view.rows);
done:
    charle_arena_deinit(&arena);
}

void failover_free(struct world *world)
{
    free(world->failover);
}
