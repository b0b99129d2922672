// The fewest actions that a failure needs: chunks are left out, half of the list first and single actions last, and
// what still breaks the same rule is kept.
#include "sim/world.h"

#include <stdio.h>
#include <stdlib.h>

static bool still_fails(const struct world_options *options, const char *rule, const struct actions *actions)
{
    struct world_options again = *options;
    struct world_result result;
    again.replay = actions;
    again.record = NULL;
    again.is_traced = false;
    world_run(&again, &result);
    return result.has_failed && result.rule == rule;
}

static void leave_out(const struct actions *from, size_t first, size_t count, struct actions *to)
{
    to->end_at = from->end_at;
    to->count = from->count - count;
    to->items = malloc((to->count + 1) * sizeof(*to->items));
    CHARLE_ASSERT(to->items);
    memcpy(to->items, from->items, first * sizeof(*to->items));
    memcpy(to->items + first, from->items + first + count, (to->count - first) * sizeof(*to->items));
}

void shrink(const struct world_options *options, const char *rule, struct actions *actions, int runs_max)
{
    int runs = 0;
    size_t chunk = actions->count / 2;
    while (chunk && runs < runs_max) {
        bool has_shrunk = false;
        for (size_t first = 0; first < actions->count && runs < runs_max;) {
            struct actions fewer = {0};
            size_t count = actions->count - first < chunk ? actions->count - first : chunk;
            leave_out(actions, first, count, &fewer);
            runs++;
            if (still_fails(options, rule, &fewer)) {
                free(actions->items);
                *actions = fewer;
                has_shrunk = true;
            } else {
                free(fewer.items);
                first += count;
            }
        }
        printf("shrink: %zu actions after %d runs\n", actions->count, runs);
        if (!has_shrunk || chunk > actions->count)
            chunk /= 2;
    }
}
