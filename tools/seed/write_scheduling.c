// Subtasks, reviews and the calendar.
#include "base/alloc.h"
#include "tools/seed/write.h"

#include <stdlib.h>

static void write_subtasks(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->subtasks.count; i++) {
        const struct seed_subtask *subtask = &world->subtasks.items[i];
        bool is_complete = strcmp(subtask->status, "complete") == 0;

        seed_copy_row(copy);
        seed_copy_text(copy, subtask->id);
        seed_copy_text(copy, world->tasks.items[subtask->task].id);
        seed_copy_text(copy, world->works.items[subtask->work].id);
        seed_copy_text(copy, subtask->type);
        seed_copy_text(copy, subtask->status);
        seed_copy_int4(copy, subtask->iteration);
        seed_copy_text(copy, SEED_REF(world->users, subtask->assignee));
        seed_copy_text(copy, SEED_REF(world->blocks, subtask->block));
        seed_copy_int4(copy, subtask->estimate);
        seed_copy_int4(copy, subtask->suggested);
        seed_copy_date_if(copy, subtask->start, seed_date(subtask->start));
        seed_copy_date_if(copy, subtask->start, seed_date(subtask->end));
        seed_copy_text(copy,
                       subtask->has_handoff ? seed_text(world, "https://design.example.org/%s", subtask->id) : NULL);
        seed_copy_past_if(world, copy, subtask->started_us);
        seed_copy_past_if(world, copy, is_complete ? subtask->completed_us : 0);
        seed_copy_int4(copy, ((int32_t)i - world->tasks.items[subtask->task].first_subtask + 1) * 1000);
        seed_copy_stamps(world, copy, subtask->created_us,
                         subtask->completed_us ? subtask->completed_us : subtask->started_us);
    }
}

static void write_reviews(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->reviews.count; i++) {
        const struct seed_review *review = &world->reviews.items[i];

        seed_copy_row(copy);
        seed_copy_text(copy, review->id);
        seed_copy_text(copy, world->subtasks.items[review->subtask].id);
        seed_copy_int4(copy, review->round);
        seed_copy_text(copy, review->reviewer_contact >= 0 ? "client" : "internal");
        seed_copy_text(copy, SEED_REF(world->users, review->reviewer));
        seed_copy_text(copy, SEED_REF(world->contacts, review->reviewer_contact));
        seed_copy_text(copy, review->outcome);
        seed_copy_text(copy, review->feedback);
        seed_copy_ts(copy, seed_past(world, review->decided_us));
        seed_copy_text(copy, SEED_REF(world->subtasks, review->spawned));
        seed_copy_stamps(world, copy, review->decided_us, 0);
    }
}

static void write_blocks(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->blocks.count; i++) {
        const struct seed_block *block = &world->blocks.items[i];
        int64_t made_us = (int64_t)(world->first + 1) * SEED_DAY_US;

        seed_copy_row(copy);
        seed_copy_text(copy, block->id);
        seed_copy_text(copy, world->clients.items[block->client].id);
        seed_copy_text(copy, block->month);
        seed_copy_text(copy, block->type);
        seed_copy_int4(copy, block->round);
        seed_copy_int4(copy, block->minutes);
        seed_copy_text(copy, SEED_REF(world->users, block->assignee));
        seed_copy_date_if(copy, block->start, seed_date(block->start));
        seed_copy_date_if(copy, block->start, seed_date(block->end));
        seed_copy_text(copy, block->status);
        seed_copy_text(copy, world->users.items[2].id);
        seed_copy_stamps(world, copy, made_us, 0);
    }
}

// Tasks that are on a month's plan: those not begun, and those of the last two months.
static void write_roadmap(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->tasks.count; i++) {
        const struct seed_task *task = &world->tasks.items[i];
        int minutes = 0, month = seed_month_of(world, task->planned);
        char name[8];

        if (strcmp(task->status, "backlog") == 0 || strcmp(task->status, "cancelled") == 0 || month < SEED_MONTHS - 3)
            continue;
        for (int w = 0; w < task->work_count; w++)
            minutes += seed_size_minutes[world->works.items[task->first_work + w].size][1];
        seed_month_name(world, month, name);
        seed_copy_row(copy);
        seed_copy_new_id(world, copy, task->created_us);
        seed_copy_text(copy, world->clients.items[task->client].id);
        seed_copy_text(copy, name);
        seed_copy_text(copy, task->id);
        seed_copy_int4(copy, minutes);
        seed_copy_int4(copy, (int32_t)(i % 10 + 1) * 1000);
        seed_copy_text(copy, SEED_REF(world->users, task->pm));
        seed_copy_stamps(world, copy, task->created_us, 0);
    }
}

static int left_of(const struct seed_world *world, const struct seed_item *item)
{
    int done = 0;

    for (size_t i = 0; i < world->entries.count; i++) {
        const struct seed_entry *entry = &world->entries.items[i];

        if ((item->subtask >= 0 && entry->subtask == item->subtask) ||
            (item->ticket >= 0 && entry->ticket == item->ticket))
            done += entry->minutes;
    }
    return item->minutes > done ? item->minutes - done : 0;
}

static void write_items(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->items.count; i++) {
        const struct seed_item *item = &world->items.items[i];

        seed_copy_row(copy);
        seed_copy_text(copy, item->id);
        seed_copy_text(copy, item->kind);
        seed_copy_text(copy, SEED_REF(world->subtasks, item->subtask));
        seed_copy_text(copy, SEED_REF(world->tickets, item->ticket));
        seed_copy_text(copy, SEED_REF(world->project_tasks, item->project_task));
        seed_copy_text(copy, SEED_REF(world->blocks, item->block));
        seed_copy_text(copy, world->users.items[item->user].id);
        seed_copy_date(copy, seed_date(item->start));
        seed_copy_date(copy, seed_date(item->end));
        seed_copy_int4_if(copy, item->minutes >= 0, item->minutes);
        seed_copy_int4_if(copy, item->minutes >= 0, left_of(world, item));
        seed_copy_int4(copy, item->priority);
        seed_copy_stamps(world, copy, (int64_t)(world->today - 1) * SEED_DAY_US, 0);
    }
}

// --- fill-first: by priority, each gets what room the day has left, the rest goes to following days
// --------------------

struct queued {
    const struct seed_item *item;
    int left;
};

static int compare_queued(const void *left, const void *right)
{
    const struct seed_item *a = ((const struct queued *)left)->item, *b = ((const struct queued *)right)->item;

    if (a->user != b->user)
        return a->user < b->user ? -1 : 1;
    if (a->priority != b->priority)
        return a->priority < b->priority ? -1 : 1;
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    return strcmp(a->id, b->id);
}

static int day_capacity(const struct seed_world *world, const struct seed_user *user, int32_t day)
{
    if (day > world->last || world->is_closed[day - world->first])
        return 0;
    return user->capacity * (2 - user->away[day - world->first]) / 2;
}

static void copy_allocation(struct seed_world *world, struct seed_copy *copy, const struct queued *queued, int32_t day,
                            int minutes, int sequence)
{
    seed_copy_row(copy);
    seed_copy_text(copy, world->users.items[queued->item->user].id);
    seed_copy_date(copy, seed_date(day));
    seed_copy_text(copy, queued->item->id);
    seed_copy_int4(copy, minutes);
    seed_copy_int4(copy, sequence);
    seed_copy_text(copy, minutes ? "allocated" : "queued");
    seed_copy_ts(copy, seed_ts((int64_t)world->today * SEED_DAY_US));
}

static void allocate_day(struct seed_world *world, struct seed_copy *copy, struct queued *queue, size_t count,
                         int32_t day)
{
    const struct seed_user *user = &world->users.items[queue->item->user];
    int room = day_capacity(world, user, day), sequence = 0;

    for (size_t i = 0; i < count && day_capacity(world, user, day); i++) {
        int minutes = queue[i].left < room ? queue[i].left : room;

        if (!queue[i].left || queue[i].item->start > day)
            continue;
        copy_allocation(world, copy, &queue[i], day, minutes, ++sequence);
        queue[i].left -= minutes;
        room -= minutes;
    }
}

static void write_allocations(struct seed_world *world, struct seed_copy *copy)
{
    struct queued *queue = seed_alloc(world, (world->items.count + 1) * sizeof *queue);
    size_t count = 0;

    if (world->failed)
        return;
    for (size_t i = 0; i < world->items.count; i++)
        if (world->items.items[i].minutes >= 0)
            queue[count++] = (struct queued){&world->items.items[i], left_of(world, &world->items.items[i])};
    qsort(queue, count, sizeof *queue, compare_queued);
    for (size_t from = 0, until; from < count; from = until) {
        for (until = from; until < count && queue[until].item->user == queue[from].item->user;)
            until++;
        for (int32_t day = world->today; day < world->today + 28; day++)
            allocate_day(world, copy, queue + from, until - from, day);
    }
}

static void write_capacity(struct seed_world *world, struct seed_copy *copy)
{
    static const struct {
        const char *role;
        int minutes;
    } rules[] = {{"developer", 390}, {"designer", 390},   {"qa", 390}, {"pm_csm", 300},
                 {"manager", 270},   {"leadership", 240}, {NULL, 390}};

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        seed_copy_row(copy);
        seed_copy_new_id(world, copy, (int64_t)(world->first - 800) * SEED_DAY_US);
        seed_copy_text(copy, rules[i].role ? "role" : "user");
        seed_copy_text(copy, rules[i].role);
        seed_copy_text(copy, rules[i].role ? NULL : world->users.items[4].id);
        seed_copy_int4(copy, rules[i].minutes);
        seed_copy_date(copy, seed_date(world->first - 800));
        seed_copy_stamps(world, copy, (int64_t)(world->first - 800) * SEED_DAY_US, 0);
    }
}

enum charle_err seed_write_scheduling(struct seed_world *world)
{
    static const struct seed_table tables[] = {
        {"block",
         "id, client_id, month, type, round, allocated_minutes, assignee_id, start_date, end_date, status, "
         "created_by_id, created_at, updated_at",
         write_blocks},
        {"subtask",
         "id, task_id, task_requirement_id, type, status, iteration, assignee_id, block_id, estimated_minutes, "
         "suggested_minutes, "
         "start_date, end_date, handoff_url, started_at, completed_at, position, created_at, updated_at",
         write_subtasks},
        {"subtask_review",
         "id, subtask_id, round, reviewer_kind, reviewer_user_id, reviewer_client_user_id, outcome, feedback, "
         "decided_at, "
         "spawned_subtask_id, created_at, updated_at",
         write_reviews},
        {"roadmap_item",
         "id, client_id, month, task_id, planned_minutes, position, added_by_id, created_at, updated_at",
         write_roadmap},
        {"capacity_rule", "id, scope, role_key, user_id, daily_minutes, effective_from, created_at, updated_at",
         write_capacity},
        {"schedule_item",
         "id, kind, subtask_id, help_desk_ticket_id, project_task_id, block_id, user_id, start_date, end_date, "
         "minutes, "
         "remaining_minutes, priority, created_at, updated_at",
         write_items},
        {"schedule_allocation", "user_id, date, schedule_item_id, minutes, sequence, state, computed_at",
         write_allocations},
    };
    enum charle_err rc = SEED_WRITE_TABLES(world, tables);

    if (rc)
        return rc;
    // A fix and the review that asked for it refer to each other.
    return seed_sql(
        world, "update subtask s set source_review_id = r.id from subtask_review r where r.spawned_subtask_id = s.id");
}
