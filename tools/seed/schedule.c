// Blocks of months, and what lies on people's calendars from today on.
#include "tools/seed/world.h"

#include <stdio.h>
#include <stdlib.h>

static const char *block_status(const struct seed_world *world, const struct seed_block *block)
{
    if (!block->start)
        return "not_scheduled";
    if (block->end < world->today)
        return block->client % 5 ? "completed" : "late";
    return block->start <= world->today ? "in_progress" : "scheduled";
}

static void add_block(struct seed_world *world, int client, int month, const char *type, int round,
                      const char *work_type)
{
    struct seed_block *block = SEED_PUSH(world, &world->blocks);
    int32_t start = seed_month_start(world, month);

    *block = (struct seed_block){.client = client, .round = round, .type = type, .assignee = -1};
    block->minutes = seed_between(&world->random, 4, 30) * 60;
    seed_month_name(world, month, block->month);
    if (seed_chance(&world->random, 85)) {
        block->start = seed_next_working_day(world, start + seed_between(&world->random, 0, 18));
        block->end = seed_next_working_day(world, block->start + seed_between(&world->random, 1, 8));
        block->assignee = seed_pick_user(world, work_type, 0);
    }
    if (block->start && seed_month_of(world, block->start) != month) // pushed over the end by holidays
        block->start = block->end = 0;
    block->status = block_status(world, block);
    seed_make_id(&world->random, (start - 6) * SEED_DAY_US, block->id);
}

static void make_blocks(struct seed_world *world)
{
    for (int c = 0; c < (int)world->clients.count && !world->failed; c++) {
        const struct seed_client *client = &world->clients.items[c];

        if (client->plan < 0 || client->archived)
            continue;
        for (int month = SEED_MONTHS - 4; month < SEED_MONTHS; month++) {
            if (client->start > seed_month_start(world, month))
                continue;
            add_block(world, c, month, "development", 1, "development");
            if (seed_chance(&world->random, 60))
                add_block(world, c, month, "design", 1, "design");
            if (seed_chance(&world->random, 30))
                add_block(world, c, month, "deployment", 1, "development");
            for (int round = 1; round <= 2 && seed_chance(&world->random, 40); round++)
                add_block(world, c, month, "internal_qa_review", round, "qa");
        }
    }
}

// Puts open development subtasks into the block of their month, when there is one.
static void fill_blocks(struct seed_world *world)
{
    for (size_t s = 0; s < world->subtasks.count; s++) {
        struct seed_subtask *subtask = &world->subtasks.items[s];
        char month[8];

        if (!subtask->start || strcmp(subtask->type, "development") != 0)
            continue;
        seed_month_name(world, seed_month_of(world, subtask->start), month);
        for (size_t b = 0; b < world->blocks.count; b++) {
            const struct seed_block *block = &world->blocks.items[b];

            if (block->client == world->tasks.items[subtask->task].client && strcmp(block->type, "development") == 0 &&
                strcmp(block->month, month) == 0)
                subtask->block = (int)b;
        }
    }
}

// The tier of the calendar: begun before today, one day today, several days from today, later.
static int priority_of(const struct seed_world *world, int32_t start, int32_t end, int rank)
{
    int begun = world->today - start;

    if (begun > 0)
        return 100 + (begun < 99 ? 99 - begun : 0);
    if (begun < 0)
        return 400 + rank;
    return (end == start ? 200 : 300) + rank % 100;
}

static struct seed_item *add_item(struct seed_world *world, const char *kind, int user, int32_t start, int32_t end,
                                  int minutes)
{
    struct seed_item *item = SEED_PUSH(world, &world->items);

    *item = (struct seed_item){.kind = kind,
                               .subtask = -1,
                               .ticket = -1,
                               .project_task = -1,
                               .block = -1,
                               .user = user,
                               .minutes = minutes,
                               .start = start,
                               .end = end};
    item->priority = priority_of(world, start, end, (int)world->items.count);
    seed_make_id(&world->random, start * SEED_DAY_US, item->id);
    return item;
}

static bool is_any(const char *status, const char *a, const char *b)
{
    return strcmp(status, a) == 0 || strcmp(status, b) == 0;
}

static void make_items(struct seed_world *world)
{
    for (int i = 0; i < (int)world->subtasks.count; i++) {
        const struct seed_subtask *s = &world->subtasks.items[i];

        if (s->assignee >= 0 && is_any(s->status, "scheduled", "in_progress"))
            add_item(world, "subtask", s->assignee, s->start, s->end, s->estimate)->subtask = i;
    }
    for (int i = 0; i < (int)world->tickets.count; i++) {
        const struct seed_ticket *t = &world->tickets.items[i];
        struct seed_item *item;

        if (t->assignee < 0 || !is_any(t->status, "scheduled", "in_progress"))
            continue;
        item = add_item(world, "help_desk_ticket", t->assignee, t->start, t->end, t->estimate);
        item->ticket = i;
        item->priority = 1 + i % 99;
    }
    for (int i = 0; i < (int)world->project_tasks.count; i++) {
        const struct seed_project_task *t = &world->project_tasks.items[i];

        if (t->end >= world->today && t->start <= world->today + 30)
            add_item(world, "project_task", t->assignee, t->start, t->end, -1)->project_task = i;
    }
    for (int i = 0; i < (int)world->blocks.count; i++) {
        const struct seed_block *b = &world->blocks.items[i];

        if (b->assignee >= 0 && b->end >= world->today)
            add_item(world, "block", b->assignee, b->start, b->end, b->minutes)->block = i;
    }
}

void seed_make_plans_of_days(struct seed_world *world)
{
    make_blocks(world);
    if (!world->failed)
        fill_blocks(world);
    if (!world->failed)
        make_items(world);
}
