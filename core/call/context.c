#include "call/context.h"

#include "base/limits.h"

// splitmix64 by Sebastiano Vigna: spreads a seed of any quality over the generator's state.
static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t rotate_left(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

void charle_context_seed(struct charle_context *context, struct charle_ts now, uint64_t seed)
{
    context->now = now;
    context->id_count = 0;
    context->number_count = 0;
    for (int i = 0; i < 4; i++)
        context->random_state[i] = splitmix(&seed);
}

// xoshiro256** by David Blackman and Sebastiano Vigna. Not for secrets: tokens are made elsewhere.
uint64_t charle_context_random(struct charle_context *context)
{
    uint64_t *s = context->random_state;
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

// An id is 128 bits: 48 of milliseconds, 16 that count the ids of the call, 64 random ones. Past 65,536 ids the count
// runs over into the milliseconds, which keeps the order and cannot end.
struct charle_str charle_context_new_id(struct charle_context *context)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; // Crockford's base 32: no I, L, O, U
    uint64_t ms = context->now.us > 0 ? (uint64_t)context->now.us / 1000 : 0;
    uint64_t high = (ms << 16) + context->id_count++;
    uint64_t low = charle_context_random(context);
    char *text = charle_arena_alloc(context->arena, CH_ID_LEN + 1);
    if (!text)
        return (struct charle_str){0};
    for (int i = CH_ID_LEN - 1; i >= 0; i--) {
        text[i] = digits[low & 31];
        low = low >> 5 | high << 59;
        high >>= 5;
    }
    return charle_str_n(text, CH_ID_LEN);
}

bool charle_identity_holds(const struct charle_identity *identity, struct charle_str scope)
{
    size_t low = 0, high = identity ? identity->scope_count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = charle_str_compare(identity->scopes[middle], scope);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

bool charle_context_holds(const struct charle_context *context, struct charle_str scope)
{
    return charle_identity_holds(context->identity, scope);
}
