#include "tools/seed/random.h"

// splitmix64 spreads a seed of any quality over the state of xoshiro256**, both by Sebastiano Vigna.
static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void seed_random_init(struct seed_random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        random->state[i] = splitmix(&seed);
}

static uint64_t rotate_left(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t seed_random_next(struct seed_random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint32_t seed_below(struct seed_random *random, uint32_t limit)
{
    return (uint32_t)(((seed_random_next(random) >> 32) * limit) >> 32);
}

int seed_between(struct seed_random *random, int low, int high)
{
    return low + (int)seed_below(random, (uint32_t)(high - low + 1));
}

bool seed_chance(struct seed_random *random, int percent)
{
    return (int)seed_below(random, 100) < percent;
}

void seed_make_id(struct seed_random *random, int64_t at_us, char out[SEED_ID_SIZE])
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; // Crockford's base 32
    uint64_t a = seed_random_next(random), b = seed_random_next(random);
    uint64_t ms = (uint64_t)(at_us / 1000);

    for (int i = 9; i >= 0; i--, ms >>= 5)
        out[i] = digits[ms & 31];
    for (int i = 10; i < 18; i++, a >>= 5)
        out[i] = digits[a & 31];
    for (int i = 18; i < 26; i++, b >>= 5)
        out[i] = digits[b & 31];
    out[26] = '\0';
}
