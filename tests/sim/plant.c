// Faults that are planted to see that the oracle finds them: what goes over the wire is changed on its way, functions
// in the database are changed before the world begins, and the product's own faults (base/plant.h) are switched on.
#include "db/pg/pg.h"
#include "msg/wire.h"
#include "sim/world.h"

static bool spoil_table(struct world *world, struct charle_table_delta *table)
{
    struct charle_gone *const *gone = (struct charle_gone *const *)(uintptr_t)table->gone.items;
    int plant = world->options.plant;
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
    switch (world->options.plant) {
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

// --- in the database -------------------------------------------------------------------------------------------------

// Changes the text of a function. Nothing to change is an error: the fault would not be there.
#define CHANGE(function, from, to)                                                                                  \
    "do $do$ declare was text := pg_get_functiondef('" function "'::regprocedure); begin "                          \
    "if strpos(was, $a$" from "$a$) = 0 then raise exception 'there is nothing to plant in " function "'; end if; " \
    "execute replace(was, $a$" from "$a$, $a$" to "$a$); end $do$; "

// The number is chosen at the first statement and without a lock; the head follows at commit.
static const char raise_early_sql[] =
    "create function sim.early() returns trigger language plpgsql security definer as $f$ begin "
    "  if coalesce(current_setting('sim.early', true), '') = '' then "
    "    perform pg_catalog.set_config('sim.early', (select jsonb_object_agg(h.scope, h.v)::text from charle.head h), "
    "true); end if; "
    "  return null; end $f$; "
    "do $do$ declare t regclass; begin for t in select c.oid from pg_class c where c.relnamespace = "
    "'public'::regnamespace and c.relkind = 'r' loop "
    "  execute format('create trigger a_early before insert or update or delete on %s for each statement execute "
    "function sim.early()', t); "
    "end loop; end $do$; "
    "alter function charle.raise_scope(text, int8) rename to raise_scope_right; "
    "create function charle.raise_scope(a_scope text, a_txn int8) returns int8 language plpgsql security definer as "
    "$f$ "
    "declare early int8 := (nullif(current_setting('sim.early', true), '')::jsonb ->> a_scope)::int8; begin "
    "  update charle.head h set v = greatest(h.v, early + 1), txn = a_txn where h.scope = a_scope and h.at = "
    "pg_postmaster_start_time() "
    "    and h.v >> 33 = early >> 33 and h.txn <> a_txn; "
    "  if found then return early + 1; end if; "
    "  return charle.raise_scope_right(a_scope, a_txn); end $f$; " CHANGE(
        "charle.raise_many(text[], int8, bool)", "if (select count(*)",
        "if false and (select count(*)") "create or replace function charle.raise() returns trigger language plpgsql "
                                         "security definer as $f$ begin "
                                         "  perform charle.raise_slow(current_setting('charle.pending')); return null; "
                                         "end $f$;";

static const char *const database_sql[PLANT_COUNT] = {
    [PLANT_EPOCH_UNCHECKED] = CHANGE("charle.epoch_now()", "a = pg_postmaster_start_time()", "e > 0")
        CHANGE("charle.raise_scope(text, int8)", "and h.at = pg_postmaster_start_time()", ""),
    [PLANT_EPOCH_BY_CLOCK] = CHANGE("charle.epoch_now()", "greatest(e + 1, ", "("),
    [PLANT_RAISE_EARLY] = raise_early_sql,
    [PLANT_HEADS_UNSORTED] =
        CHANGE("charle.raise_few(text)", "operator(pg_catalog.>) entries[3]", "operator(pg_catalog.<) entries[3]"),
    [PLANT_SECOND_RAISE_LOST] = CHANGE("charle.raise_slow(text)", "perform charle.raise_many(",
                                       "if mark ~ '^:[0-9]+$' then return null; end if; perform charle.raise_many("),
    [PLANT_SPILL_LOST] = CHANGE("charle.raise_many(text[], int8, bool)", "if a_spilled then", "if false then"),
    [PLANT_TRUNCATE_UNSTAMPED] = "alter table public.remark disable trigger charle_truncate",
    [PLANT_FLOOR_NOT_MOVED] = CHANGE("charle.forget(interval, int4)", "set floor = r.v, hist", "set hist"),
    [PLANT_ASYNC_COMMIT] = CHANGE("charle.raise()", "set_config('synchronous_commit', 'on', true)",
                                  "current_setting('synchronous_commit')")
        CHANGE("charle.raise_few(text)", "set_config('synchronous_commit', 'on', true)",
               "current_setting('synchronous_commit')")
            CHANGE("charle.raise_slow(text)", "set_config('synchronous_commit', 'on', true)",
                   "current_setting('synchronous_commit')"),
};

bool plant_in_database(struct world *world, struct charle_db *db, struct charle_error *err)
{
    int plant = world->options.plant;
    product_plant(plant);
    return plant >= PLANT_COUNT || !database_sql[plant] ||
           charle_exec_script(db, database_sql[plant], err) == CHARLE_OK;
}

// --- names -----------------------------------------------------------------------------------------------------------

static const struct plant_spec specs[] = {
    {PLANT_LOSE_ROW, "lose-row", "a page loses one row on its way", false, false, true},
    {PLANT_HALF_MOMENT, "half-moment", "the first page of a moment says that it is the last", false, false, true},
    {PLANT_KEEP_LOST, "keep-lost", "the client is not told that it lost a scope", false, false, true},
    {PLANT_FORGET_NUMBERS, "forget-numbers", "the numbers of calls are kept outside their transaction", false, false,
     true},
    {PLANT_LOSE_OUTBOX, "lose-outbox", "a crash takes the newest call away", false, false, true},
    {PLANT_SILENT_WRITER, "silent-writer", "a foreign writer's change is not stamped", false, false, true},
    {PLANT_EARLY_CURSOR, "early-cursor", "a page's cursor arrives without its rows", false, false, true},
    {PLANT_LOSE_GONE, "lose-gone", "a page loses one row that is gone", false, false, true},
    {PLANT_FORGET_STILL_IN, "forget-still-in", "a row that left one scope is said to be in none", false, false, true},
    {PLANT_CURSOR_AHEAD, "cursor-ahead", "a page moves the cursor too far", false, false, true},
    {PLANT_LOSE_SCOPE, "lose-scope", "the list of scopes lacks one", false, false, true},
    {PLANT_COPY_LOSES_ROW, "copy-loses-row", "a page of a copy loses one row", false, false, true},
    {PLANT_NO_REPAIR, "no-repair", "nobody is told that the past was rewritten", true, true, false},
    {PLANT_EPOCH_UNCHECKED, "epoch-unchecked", "the triggers count on where the old copy was", true, true, false},
    {PLANT_EPOCH_BY_CLOCK, "epoch-by-clock", "epochs are numbered by the clock alone", true, true, false},
    {PLANT_RAISE_EARLY, "raise-early", "a stamp is chosen at the first statement and without a lock", false, false,
     false},
    {PLANT_HEADS_UNSORTED, "heads-unsorted", "heads are raised in no order: writers wait for each other in a ring",
     false, false, true},
    {PLANT_SECOND_RAISE_LOST, "second-raise-lost", "what a transaction does after its first raise is not stamped",
     false, false, false},
    {PLANT_SPILL_LOST, "spill-lost", "the entries of large transactions are not written", false, false, true},
    {PLANT_TRUNCATE_UNSTAMPED, "truncate-unstamped", "TRUNCATE is not stamped", false, false, false},
    {PLANT_FLOOR_NOT_MOVED, "floor-not-moved", "the log is forgotten without a floor", false, false, false},
    {PLANT_DEFAULT_LOST, "default-lost", "calls of older programs do not get the defaults of columns that they do not know", false, false, false},
    {PLANT_ASYNC_COMMIT, "async-commit", "a stamp may be seen before it is safe", true, false, false},
    {PLANT_LEAD_KEPT, "lead-kept", "nobody takes the lead over from a program that was killed", false, false, false},
    {PLANT_ROT_IN_CLEAR, "rot-in-clear", "bits of replicas turn over that nothing seals", false, false, false},
};

const struct plant_spec *plant_at(int index)
{
    int count = (int)(sizeof(specs) / sizeof(specs[0]));
    return index < count ? &specs[index] : product_plant_at(index - count);
}

const struct plant_spec *plant_named(const char *name)
{
    const struct plant_spec *spec;
    for (int i = 0; (spec = plant_at(i)); i++) {
        if (strcmp(spec->name, name) == 0)
            return spec;
    }
    return NULL;
}
