// The product's own faults, in the program whose sources were built with them; in the other there are none.
#include "base/limits.h"
#include "base/plant.h"
#include "sim/world.h"

#ifdef CHARLE_PLANTS

enum ch_plant ch_plant;
size_t ch_page_size = (size_t)128 << 10;

void product_limits(struct world *world)
{
    ch_page_size = world_chance(world, 40) ? (size_t)128 << 10 : 1 + (size_t)world_below(world, 700);
}

static bool needs_restore(enum ch_plant plant)
{
    return plant == CH_PLANT_HISTORY_IGNORED || plant == CH_PLANT_LINEAGE_IGNORED || plant == CH_PLANT_DELTA_KEPT ||
           plant == CH_PLANT_LATE_PUSH_TAKEN || plant == CH_PLANT_REPAIR_DROPS_CALLS;
}

static bool is_quick(enum ch_plant plant)
{
    return plant == CH_PLANT_GRANTS_UNWATCHED || plant == CH_PLANT_HEADS_BY_ORDER ||
           plant == CH_PLANT_SCOPES_FROM_REQUEST || plant == CH_PLANT_EXIT_NOT_SENT ||
           plant == CH_PLANT_CURSOR_BEFORE_ROWS ||
           plant == CH_PLANT_SENT_IS_DONE || plant == CH_PLANT_NEWEST_FIRST || plant == CH_PLANT_REBASE_SKIPS_ONE ||
           plant == CH_PLANT_CLOCK_ORDERS;
}

// What only a network shows that loses messages and nobody notices: no network of this simulation does, because nothing promises that a replica
// is right at every moment on such a one. The walks have it (tests/model).
static bool is_for_walks(enum ch_plant plant)
{
    return plant == CH_PLANT_GAP_TAKEN;
}

const struct plant_spec *product_plant_at(int index)
{
#    define SPEC(plant, words) {PLANT_PRODUCT + CH_PLANT_##plant, #    plant, words, false, false, false},
    static struct plant_spec specs[] = {CH_PLANTS(SPEC)};
#    undef SPEC
    for (int i = 0; i <= index && i < (int)(sizeof(specs) / sizeof(specs[0])); i++)
        index += is_for_walks((enum ch_plant)(specs[i].plant - PLANT_PRODUCT));
    if (index >= (int)(sizeof(specs) / sizeof(specs[0])))
        return NULL;
    struct plant_spec *spec = &specs[index];
    spec->needs_restore = needs_restore((enum ch_plant)(spec->plant - PLANT_PRODUCT));
    spec->needs_restart = spec->needs_restore || spec->plant == PLANT_PRODUCT + CH_PLANT_LOST_NOT_SENT; // a failover loses them
    spec->is_quick = is_quick((enum ch_plant)(spec->plant - PLANT_PRODUCT));
    return spec;
}

void product_plant(int plant)
{
    ch_plant = plant > PLANT_PRODUCT ? (enum ch_plant)(plant - PLANT_PRODUCT) : CH_PLANT_NONE;
}

#else

void product_limits(struct world *world)
{
    (void)world;
}

const struct plant_spec *product_plant_at(int index)
{
    (void)index;
    return NULL;
}

void product_plant(int plant)
{
    CHARLE_ASSERT(plant < PLANT_PRODUCT);
}

#endif
