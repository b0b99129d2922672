// Random choices that depend on nothing but the seed.
#ifndef CHARLE_TOOLS_SEED_RANDOM_H
#define CHARLE_TOOLS_SEED_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seed_random {
    uint64_t state[4];
};

void seed_random_init(struct seed_random *random, uint64_t seed);
uint64_t seed_random_next(struct seed_random *random);
uint32_t seed_below(struct seed_random *random, uint32_t limit); // 0 to limit - 1; 0 for limit 0
int seed_between(struct seed_random *random, int low, int high); // both included
bool seed_chance(struct seed_random *random, int percent);

#define SEED_PICK(random, array) ((array)[seed_below((random), (uint32_t)(sizeof(array) / sizeof *(array)))])

// A time-ordered id: 48 bits of milliseconds and 80 random ones, 26 characters and a NUL.
#define SEED_ID_SIZE 27
void seed_make_id(struct seed_random *random, int64_t at_us, char out[SEED_ID_SIZE]);

#endif
