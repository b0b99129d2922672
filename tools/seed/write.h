// What the writers of tables share: small spellings of "a copy of this table".
#ifndef CHARLE_TOOLS_SEED_WRITE_H
#define CHARLE_TOOLS_SEED_WRITE_H

#include "tools/seed/copy.h"
#include "tools/seed/world.h"

typedef void (*seed_writer)(struct seed_world *world, struct seed_copy *copy);

struct seed_table {
    const char *name, *columns;
    seed_writer write; // all rows
};

// Writes the tables in their order; stops at the first failure.
enum charle_err seed_write_tables(struct seed_world *world, const struct seed_table *tables, size_t count);

#define SEED_WRITE_TABLES(world, tables) seed_write_tables((world), (tables), sizeof(tables) / sizeof *(tables))

// The id of the item that `index` refers to, NULL for -1.
#define SEED_REF(vec, index) ((index) < 0 ? NULL : (vec).items[(index)].id)

static inline struct charle_ts seed_ts(int64_t us)
{
    return (struct charle_ts){us};
}

static inline struct charle_date seed_date(int32_t day)
{
    return (struct charle_date){day};
}

// A moment that never lies after the day of the seed.
static inline struct charle_ts seed_past(const struct seed_world *world, int64_t us)
{
    int64_t latest = (int64_t)world->today * SEED_DAY_US + SEED_DAY_US / 2;

    return (struct charle_ts){us < latest ? us : latest};
}

// created_at and updated_at, the last two columns of most tables.
static inline void seed_copy_stamps(struct seed_world *world, struct seed_copy *copy, int64_t created_us,
                                    int64_t updated_us)
{
    seed_copy_ts(copy, seed_past(world, created_us));
    seed_copy_ts(copy, seed_past(world, updated_us > created_us ? updated_us : created_us));
}

static inline void seed_copy_past_if(struct seed_world *world, struct seed_copy *copy, int64_t us)
{
    seed_copy_ts_if(copy, us != 0, seed_past(world, us));
}

// A new id for rows that nothing refers to.
static inline void seed_copy_new_id(struct seed_world *world, struct seed_copy *copy, int64_t at_us)
{
    char id[SEED_ID_SIZE];

    seed_make_id(&world->random, at_us, id);
    seed_copy_text(copy, id);
}

#endif
