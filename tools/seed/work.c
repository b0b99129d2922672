// Quotes, the tasks that they became, and tasks made by hand; what was sold for each.
#include "tools/seed/words.h"
#include "tools/seed/world.h"

#include <stdlib.h>

// Where a quote stands. Those that became tasks are made with their task.
static const struct {
    const char *status, *previous;
    int percent;
} open_quotes[] = {{"awaiting_quote", NULL, 25},
                   {"in_progress", NULL, 30},
                   {"awaiting_csm_review", NULL, 15},
                   {"awaiting_client_approval", NULL, 15},
                   {"cancelled", "in_progress", 15}};

static enum seed_size pick_size(struct seed_world *world)
{
    static const enum seed_size weighted[] = {SEED_XS, SEED_S, SEED_S, SEED_S, SEED_M, SEED_M, SEED_M,  SEED_M,
                                              SEED_M,  SEED_L, SEED_L, SEED_L, SEED_L, SEED_L, SEED_XL, SEED_XL};
    return SEED_PICK(&world->random, weighted);
}

static int pick_client(struct seed_world *world, int32_t day)
{
    for (int try = 0; try < 100; try++) {
        int at = (int)seed_below(&world->random, (uint32_t)world->clients.count);
        const struct seed_client *client = &world->clients.items[at];

        if (client->start <= day && (!client->archived || client->archived > day + 30))
            return at;
    }
    return 0;
}

// Design before development: a task's work is done in the order of its rows.
static int pick_types(struct seed_world *world, const char *out[2])
{
    uint32_t choice = seed_below(&world->random, 100);

    out[0] = choice < 65 ? "development" : choice < 92 ? "design" : choice < 96 ? "seo" : "retainer";
    if (choice < 75 || choice >= 92)
        return 1;
    out[1] = "development";
    return 2;
}

static void add_requirement(struct seed_world *world, int quote, const char *type, bool is_complete, bool is_offered)
{
    struct seed_requirement *requirement = SEED_PUSH(world, &world->requirements);
    const struct seed_quote *q = &world->quotes.items[quote];

    *requirement =
        (struct seed_requirement){.quote = quote, .type = type, .is_offered = is_offered, .created_us = q->created_us};
    requirement->goal = seed_goal(&world->random);
    requirement->assignee = seed_pick_user(world, strcmp(type, "design") == 0 ? "design" : "development", 0);
    requirement->status = is_complete                                ? "complete"
                          : strcmp(q->status, "awaiting_quote") == 0 ? "pending"
                                                                     : "in_progress";
    requirement->size = pick_size(world);
    requirement->is_sized = is_complete || seed_chance(&world->random, 30);
    if (is_complete)
        requirement->completed_us = q->created_us + 2 * SEED_DAY_US;
    seed_make_id(&world->random, q->created_us, requirement->id);
}

static int add_quote(struct seed_world *world, int client, int64_t created_us, const char *status)
{
    struct seed_quote *quote = SEED_PUSH(world, &world->quotes);
    int index = (int)world->quotes.count - 1;
    bool is_complete = strcmp(status, "approved") == 0 || strncmp(status, "awaiting_c", 10) == 0;
    bool is_offered = strcmp(status, "approved") == 0 || strcmp(status, "awaiting_client_approval") == 0;
    char title[160], description[512];
    const char *types[2];
    int count;

    seed_task_title(&world->random, title);
    seed_task_description(&world->random, description);
    *quote = (struct seed_quote){.client = client,
                                 .task = -1,
                                 .creator = -1,
                                 .creator_contact = -1,
                                 .approver = -1,
                                 .decider = -1,
                                 .status = status,
                                 .created_us = created_us,
                                 .updated_us = created_us};
    quote->title = seed_text(world, "%s", title);
    quote->description = seed_text(world, "%s", description);
    seed_make_id(&world->random, created_us, quote->id);
    if (seed_chance(&world->random, 35))
        quote->creator_contact = seed_pick_contact(world, client);
    if (quote->creator_contact < 0)
        quote->creator = world->clients.items[client].csm;
    quote->first_requirement = (int)world->requirements.count;
    count = pick_types(world, types);
    if (quote->creator_contact >= 0 && types[0][0] != 'd')
        types[0] = "development"; // the portal offers design and development only
    for (int i = 0; i < count; i++)
        add_requirement(world, index, types[i], is_complete, is_offered);
    quote->requirement_count = count;
    if (is_offered) {
        quote->approver = world->clients.items[client].csm;
        quote->approved_us = created_us + 3 * SEED_DAY_US;
        quote->updated_us = quote->approved_us;
    }
    seed_event(world, created_us, quote->creator, "quote.created", "quote", quote->id, client);
    return index;
}

static void add_open_quote(struct seed_world *world)
{
    uint32_t choice = seed_below(&world->random, 100);
    size_t kind = 0;
    int32_t day = seed_next_working_day(world, world->today - seed_between(&world->random, 5, 30));
    int index;

    while (choice >= (uint32_t)open_quotes[kind].percent) {
        choice -= (uint32_t)open_quotes[kind].percent;
        kind++;
    }
    index = add_quote(world, pick_client(world, day), seed_at(world, day, 10), open_quotes[kind].status);
    if (open_quotes[kind].previous && !world->failed) {
        struct seed_quote *quote = &world->quotes.items[index];

        quote->previous = open_quotes[kind].previous;
        quote->cancelled_us = quote->updated_us = quote->created_us + 2 * SEED_DAY_US;
    }
}

static void add_work(struct seed_world *world, int task, int requirement, const char *type, enum seed_size size)
{
    struct seed_work *work = SEED_PUSH(world, &world->works);
    int average = seed_size_minutes[size][1];

    *work =
        (struct seed_work){.task = task, .requirement = requirement, .type = type, .status = "pending", .size = size};
    work->feedback = (average / 5 + 14) / 15 * 15;
    if (work->feedback > average)
        work->feedback = average;
    seed_make_id(&world->random, world->tasks.items[task].created_us, work->id);
}

// A quote that was approved on the day the task was made.
static void quote_task(struct seed_world *world, struct seed_task *task, int index)
{
    int32_t day = (int32_t)(task->created_us / SEED_DAY_US);
    int32_t asked = seed_next_working_day(world, day - seed_between(&world->random, 8, 25));
    struct seed_quote *quote;

    task->quote = add_quote(world, task->client, seed_at(world, asked, 10), "approved");
    if (world->failed)
        return;
    quote = &world->quotes.items[task->quote];
    quote->task = index;
    quote->decider = seed_pick_contact(world, task->client);
    quote->decided_us = quote->updated_us = task->created_us;
    task->title = quote->title;
    task->description = quote->description;
    for (int i = 0; i < quote->requirement_count; i++) {
        const struct seed_requirement *requirement = &world->requirements.items[quote->first_requirement + i];

        add_work(world, index, quote->first_requirement + i, requirement->type, requirement->size);
    }
    seed_event(world, task->created_us, -1, "quote.converted", "quote", quote->id, task->client);
}

static void add_task(struct seed_world *world, int64_t created_us)
{
    struct seed_task *task = SEED_PUSH(world, &world->tasks);
    int index = (int)world->tasks.count - 1;
    int32_t day = (int32_t)(created_us / SEED_DAY_US);
    char title[160], description[512];

    *task = (struct seed_task){.client = pick_client(world, day),
                               .quote = -1,
                               .project = -1,
                               .creator = -1,
                               .status = "backlog",
                               .created_us = created_us,
                               .updated_us = created_us};
    task->pm = world->clients.items[task->client].pm;
    task->priority = seed_chance(&world->random, 50) ? 3 : seed_between(&world->random, 1, 5);
    task->planned = day + seed_between(&world->random, 2, 30);
    if (seed_chance(&world->random, 12)) // not urgent
        task->planned += seed_between(&world->random, 30, 120);
    task->planned = seed_next_working_day(world, task->planned);
    task->first_work = (int)world->works.count;
    seed_make_id(&world->random, created_us, task->id);
    seed_task_title(&world->random, title);
    seed_task_description(&world->random, description);
    if (seed_chance(&world->random, 60)) {
        quote_task(world, task, index);
    } else {
        task->title = seed_text(world, "%s", title);
        task->description = seed_chance(&world->random, 90) ? seed_text(world, "%s", description) : NULL;
        task->creator = world->clients.items[task->client].csm;
        add_work(world, index, -1, seed_chance(&world->random, 75) ? "development" : "design", pick_size(world));
    }
    task->work_count = (int)world->works.count - task->first_work;
    seed_event(world, created_us, task->creator, "task.created", "task", task->id, task->client);
}

static int compare_moments(const void *left, const void *right)
{
    const int64_t *a = left, *b = right;

    return (*a > *b) - (*a < *b);
}

void seed_make_quotes_and_tasks(struct seed_world *world)
{
    size_t count = world->options.tasks;
    int64_t *created = seed_alloc(world, count * sizeof *created);

    for (size_t i = 0; i < count && !world->failed; i++) {
        uint32_t days = (uint32_t)(world->today - world->first);
        int32_t day;

        if (i % 4 == 0) // much of what people look at is new
            days = 40;
        day = world->today - 1 - (int32_t)seed_below(&world->random, days);
        while (!seed_is_working_day(world, day))
            day--;
        created[i] = seed_at(world, day, 11);
    }
    if (world->failed)
        return;
    qsort(created, count, sizeof *created, compare_moments);
    for (size_t i = 0; i < count && !world->failed; i++)
        add_task(world, created[i]);
    for (size_t i = 0; i < count / 8 && !world->failed; i++)
        add_open_quote(world);
}
