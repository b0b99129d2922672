// Faults that are planted to see that the oracle finds them: what goes over the wire is changed on its way.
#include "db/pg/pg.h"
#include "msg/wire.h"
#include "sim/world.h"

static bool spoil_table(struct world *world, struct charle_table_delta *table)
{
    struct charle_gone *const *gone = (struct charle_gone *const *)(uintptr_t)table->gone.items;
    enum world_plant plant = world->options.plant;
    if (plant == PLANT_LOSE_ROW && table->row.count && world_chance(world, 20)) {
        table->row.count--;
        return true;
    }
    if (plant == PLANT_LOSE_GONE && table->gone.count && world_chance(world, 30)) {
        table->gone.count--;
        return true;
    }
    if (plant == PLANT_FORGET_STILL_IN && table->gone.count && gone[0]->still_in.count) {
        gone[0]->still_in.count = 0;
        return true;
    }
    return false;
}

static bool spoil_delta(struct world *world, struct charle_scope_delta *delta)
{
    struct charle_table_delta *const *tables = (struct charle_table_delta *const *)(uintptr_t)delta->table.items;
    bool is_spoilt = false;
    for (size_t i = 0; i < delta->table.count && !is_spoilt; i++)
        is_spoilt = spoil_table(world, tables[i]);
    if (world->options.plant == PLANT_EARLY_CURSOR && delta->table.count && world_chance(world, 20)) {
        delta->table.count = 0;
        is_spoilt = true;
    }
    if (world->options.plant == PLANT_CURSOR_AHEAD && world_chance(world, 20)) {
        delta->to++;
        is_spoilt = true;
    }
    return is_spoilt;
}

static bool spoil_moment(struct world *world, struct charle_pull_page *page)
{
    switch ((int)world->options.plant) {
    case PLANT_HALF_MOMENT:
        if (page->delta.count < 2 || !world_chance(world, 30))
            return false;
        page->delta.count--;
        return true;
    case PLANT_KEEP_LOST:
        if (!page->lost.count)
            return false;
        page->lost.count = page->scope.count = 0;
        page->lists_scopes.has = false;
        return true;
    case PLANT_LOSE_SCOPE:
        if (!page->scope.count || !world_chance(world, 20))
            return false;
        page->scope.count--;
        return true;
    case PLANT_NO_REPAIR:
        if (!page->repair.count)
            return false;
        page->repair.count = 0;
        return true;
    default:
        return false;
    }
}

bool plant_spoil_pull(struct world *world, struct charle_bytes message, struct charle_arena *arena,
                      struct charle_buf *out)
{
    struct charle_pull_page page;
    struct charle_error err;
    if (world->options.plant == PLANT_NONE ||
        charle_message_read(&charle_pull_page_message, message, arena, &page, &err))
        return false;
    struct charle_scope_delta *const *deltas = (struct charle_scope_delta *const *)(uintptr_t)page.delta.items;
    bool is_spoilt = spoil_moment(world, &page);
    for (size_t i = 0; i < page.delta.count && !is_spoilt; i++)
        is_spoilt = spoil_delta(world, deltas[i]);
    if (is_spoilt)
        charle_message_write(&charle_pull_page_message, &page, out);
    return is_spoilt && !out->failed;
}

bool plant_spoil_copy(struct world *world, struct charle_bytes message, struct charle_arena *arena,
                      struct charle_buf *out)
{
    struct charle_copy_page page;
    struct charle_error err;
    if (world->options.plant != PLANT_COPY_LOSES_ROW ||
        charle_message_read(&charle_copy_page_message, message, arena, &page, &err) || !page.row.count ||
        !world_chance(world, 20))
        return false;
    page.row.count--;
    charle_message_write(&charle_copy_page_message, &page, out);
    return !out->failed;
}

bool plant_in_database(struct world *world, struct charle_db *db, struct charle_error *err)
{
    static const char unchecked[] =
        "do $do$ begin execute replace(pg_get_functiondef('charle.epoch_now()'::regprocedure), 'a = "
        "pg_postmaster_start_time()', 'e > 0'); "
        "execute replace(pg_get_functiondef('charle.raise_scope(text, int8)'::regprocedure), 'and h.at = "
        "pg_postmaster_start_time()', ''); end $do$";
    return world->options.plant != PLANT_EPOCH_UNCHECKED || charle_exec_script(db, unchecked, err) == CHARLE_OK;
}
