// What is done: by the dice, or once more as it was written down.
//
// Only actions are written down, not what follows from them. Each has dice of its own, so a list of actions from which
// some were taken is still a run, and much the same one.
#include "sim/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void perform(struct world *world, const struct action *action)
{
    struct dice dice;
    dice_seed(&dice, action->seed);
    world->current = &dice;
    if (action->kind == 'u' && action->who < world->laptop_count && world->laptops[action->who].is_on)
        laptop_act(&world->laptops[action->who]);
    else if (action->kind == 'w')
        writer_act(world);
    else if (action->kind == 'n')
        nemesis_act(world, action->who);
    world->current = &world->dice;
}

static void record(struct actions *actions, const struct action *action)
{
    if (actions->count == actions->capacity) {
        actions->capacity = actions->capacity ? actions->capacity * 2 : 256;
        actions->items = realloc(actions->items, actions->capacity * sizeof(*actions->items));
        CHARLE_ASSERT(actions->items);
    }
    actions->items[actions->count++] = *action;
}

static void schedule(struct world *world, char actor, int laptop)
{
    int mean_us = actor == 'u' ? world->user_us : actor == 'w' ? world->writer_us : world->nemesis_us;
    struct event *event = world_schedule(world, world_delay(world, mean_us), EVENT_ACTION);
    event->actor = actor;
    event->laptop = laptop;
}

void actions_begin(struct world *world)
{
    const struct actions *replay = world->options.replay;
    for (size_t i = 0; replay && i < replay->count; i++)
        world_schedule(world, replay->items[i].at - world->now, EVENT_ACTION)->action = &replay->items[i];
    if (replay)
        return;
    for (int i = 0; i < world->laptop_count; i++)
        schedule(world, 'u', i);
    schedule(world, 'w', -1);
    schedule(world, 'n', -1);
}

void actions_join(struct world *world, int laptop)
{
    struct dice *playing = world->current;
    world->current = &world->dice;
    schedule(world, 'u', laptop);
    world->current = playing;
}

void actions_event(struct world *world, const struct event *event)
{
    if (world->is_healing)
        return;
    if (event->action) {
        perform(world, event->action);
        return;
    }
    world->current = &world->dice;
    struct action action = {.at = world->now, .kind = event->actor, .who = event->laptop, .seed = world_random(world)};
    if (action.kind == 'n')
        action.who = nemesis_choose(world);
    if (world->options.record && (action.kind != 'u' || world->laptops[action.who].is_on))
        record(world->options.record, &action);
    perform(world, &action);
    schedule(world, event->actor, event->laptop);
}

void actions_free(struct actions *actions)
{
    free(actions->items);
    *actions = (struct actions){0};
}

// --- as a file -------------------------------------------------------------------------------------------------------

bool actions_write(const struct actions *actions, const struct world_options *options, const char *path)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return false;
    fprintf(file, "# a run of the simulation: sim_test --replay FILE --trace\n");
    fprintf(file, "world %" PRIu64 " %d %d %d\n", options->seed, options->steps, options->may_restart_postgres,
            options->may_restore);
    for (size_t i = 0; i < actions->count; i++) {
        const struct action *action = &actions->items[i];
        fprintf(file, "%c %d %" PRId64 " %" PRIu64, action->kind, action->who, action->at, action->seed);
        fprintf(file, action->kind == 'n' ? " %s\n" : "\n", nemesis_name(action->who));
    }
    fprintf(file, "end %" PRId64 "\n", actions->end_at);
    return fclose(file) == 0;
}

static bool read_line(const char *line, struct actions *actions, struct world_options *options)
{
    struct action action;
    int restart, restore;
    char name[40] = "";
    if (line[0] == '#')
        return true;
    if (sscanf(line, "world %" SCNu64 " %d %d %d", &options->seed, &options->steps, &restart, &restore) == 4) {
        options->may_restart_postgres = restart;
        options->may_restore = restore;
        return true;
    }
    if (sscanf(line, "end %" SCNd64, &actions->end_at) == 1)
        return true;
    if (sscanf(line, "%c %d %" SCNd64 " %" SCNu64 " %39s", &action.kind, &action.who, &action.at, &action.seed, name) <
        4)
        return false;
    // The nemesis' deeds go by their names: their numbers change.
    if (action.kind == 'n') {
        for (action.who = 0; nemesis_name(action.who) && strcmp(nemesis_name(action.who), name) != 0;)
            action.who++;
        if (!nemesis_name(action.who))
            return false;
    }
    if (action.kind == 'u' && (action.who < 0 || action.who >= WORLD_LAPTOPS))
        return false;
    record(actions, &action);
    return true;
}

bool actions_read(const char *path, struct actions *actions, struct world_options *options)
{
    char line[200];
    FILE *file = fopen(path, "r");
    int number = 0;
    bool is_read = file != NULL;
    while (is_read && fgets(line, sizeof(line), file)) {
        number++;
        is_read = read_line(line, actions, options);
    }
    if (!is_read && file)
        fprintf(stderr, "sim: line %d of %s is no action\n", number, path);
    else if (!is_read)
        fprintf(stderr, "sim: %s cannot be read\n", path);
    if (file)
        fclose(file);
    return is_read;
}
