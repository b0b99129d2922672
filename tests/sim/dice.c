// Dice, trace and failure.
//
// Each laptop, the server and every action have dice of their own, so that an action which is left out changes little
// of what else happens: that makes it possible to find the few actions that a failure needs (shrink.c).
#include "sim/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static uint64_t rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

// xoshiro256**
uint64_t dice_throw(struct dice *dice)
{
    uint64_t *s = dice->state, result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

// splitmix64
void dice_seed(struct dice *dice, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = (seed += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        dice->state[i] = z ^ (z >> 31);
    }
}

uint64_t world_random(struct world *world)
{
    return dice_throw(world->current);
}

int64_t world_below(struct world *world, int64_t bound)
{
    return bound > 0 ? (int64_t)(world_random(world) % (uint64_t)bound) : 0;
}

bool world_chance(struct world *world, int percent)
{
    return world_below(world, 100) < percent;
}

int64_t world_delay(struct world *world, int64_t mean_us)
{
    int64_t delay = 1 + world_below(world, 2 * mean_us);
    return world_chance(world, 4) ? delay * 8 : delay;
}

int64_t world_wall(const struct world *world)
{
    return world->now + world->wall_offset;
}

void world_trace(struct world *world, const char *format, ...)
{
    char line[400];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    uint64_t hash = world->result.trace_hash;
    for (const char *at = line; *at; at++)
        hash = (hash ^ (uint8_t)*at) * 0x100000001b3u;
    world->result.trace_hash = hash;
    if (world->options.is_traced)
        printf("%6" PRId64 " %10.3f ms  %s\n", world->result.steps, (double)world->now / 1000, line);
}

void world_fail(struct world *world, const char *format, ...)
{
    char words[420];
    if (world->result.has_failed)
        return; // the first one says what went wrong
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    world->result.has_failed = true;
    world->result.rule = format;
    world->result.failed_at_step = world->result.steps;
    snprintf(world->result.problem, sizeof(world->result.problem),
             "seed %" PRIu64 ", step %" PRId64 ": %s\n  again: %s --seed %" PRIu64 " --steps %d%s --trace",
             world->options.seed, world->result.steps, words,
             world->options.program ? world->options.program : "sim_test", world->options.seed, world->options.steps,
             world->options.may_restore            ? " --restore"
             : world->options.may_restart_postgres ? " --restart"
                                                   : "");
    if (world->options.is_traced)
        printf("FAILED %s\n", words);
}
