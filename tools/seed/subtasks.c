// What happened to the tasks: each is worked on from its planned day until it is done or until today.
//
// Subtasks follow one another. Each takes minutes of one person's free days, as time entries; reviews may send it round
// again. Where today cuts in, the subtask is in progress, scheduled or not yet scheduled, and those behind it wait. The
// status of the task follows from its subtasks, as the services derive it.
#include "tools/seed/words.h"
#include "tools/seed/world.h"

enum { STOPPED = -1 }; // not finished by today

static const struct {
    const char *type, *status; // of the task while this is its earliest unfinished subtask
    int order;
} phases[] = {
    {"design", "design", 1},
    {"client_design_feedback", "design", 1},
    {"development", "development", 2},
    {"internal_qa_fixes", "development", 2},
    {"external_qa_fixes", "development", 2},
    {"internal_qa_review", "internal_qa", 3},
    {"external_qa_review", "external_qa", 4},
    {"deployment", "deployment", 5},
};

static int add_subtask(struct seed_world *world, int work, const char *type, int estimate, int iteration,
                       int64_t created_us)
{
    struct seed_subtask *subtask = SEED_PUSH(world, &world->subtasks);
    int minutes = (estimate + 7) / 15 * 15;

    *subtask = (struct seed_subtask){.task = world->works.items[work].task,
                                     .work = work,
                                     .assignee = -1,
                                     .block = -1,
                                     .iteration = iteration,
                                     .type = type,
                                     .status = "unscheduled",
                                     .created_us = created_us};
    subtask->estimate = minutes < 15 ? 15 : minutes;
    subtask->suggested = (subtask->estimate * seed_between(&world->random, 90, 130) / 100 + 14) / 15 * 15;
    seed_make_id(&world->random, created_us, subtask->id);
    return (int)world->subtasks.count - 1;
}

static void add_subtasks_of_work(struct seed_world *world, int work, int64_t created_us)
{
    const struct seed_work *w = &world->works.items[work];
    int core = seed_size_minutes[w->size][1] - w->feedback;

    if (strcmp(w->type, "design") == 0) {
        add_subtask(world, work, "design", core, 1, created_us);
    } else if (strcmp(w->type, "development") == 0) {
        add_subtask(world, work, "development", core * 70 / 100, 1, created_us);
        add_subtask(world, work, "internal_qa_review", core * 12 / 100, 1, created_us);
        add_subtask(world, work, "external_qa_review", core * 8 / 100, 1, created_us);
        add_subtask(world, work, "deployment", core * 10 / 100, 1, created_us);
    } else {
        add_subtask(world, work, "development", core, 1, created_us);
    }
}

static const char *worker_of(const char *type)
{
    if (strcmp(type, "design") == 0 || strcmp(type, "client_design_feedback") == 0)
        return "design";
    if (strcmp(type, "internal_qa_review") == 0)
        return "qa";
    return strcmp(type, "external_qa_review") == 0 ? "pm" : "development";
}

static void log_subtask(struct seed_world *world, int index, int32_t day, int minutes)
{
    const struct seed_subtask *subtask = &world->subtasks.items[index];
    int entry = seed_log(world, subtask->assignee, day, minutes, "task");

    if (entry < 0)
        return;
    world->entries.items[entry].client = world->tasks.items[subtask->task].client;
    world->entries.items[entry].task = subtask->task;
    world->entries.items[entry].subtask = index;
    world->entries.items[entry].work = subtask->work;
    world->entries.items[entry].is_billable = true;
    world->entries.items[entry].notes = seed_chance(&world->random, 30) ? seed_note(&world->random) : NULL;
    world->works.items[subtask->work].actual += world->entries.items[entry].minutes;
}

// The last day on which the subtask can have been worked on: today, or the day before its client left.
static int32_t last_day(const struct seed_world *world, int subtask)
{
    const struct seed_task *task = &world->tasks.items[world->subtasks.items[subtask].task];
    int32_t archived = world->clients.items[task->client].archived;

    return archived ? archived - 1 : world->today;
}

// Works on it from `day` on. Returns the day it was done, or STOPPED.
static int32_t do_subtask(struct seed_world *world, int index, int32_t day, int assignee)
{
    struct seed_subtask *subtask = &world->subtasks.items[index];
    int32_t until = last_day(world, index);
    int left = subtask->estimate * seed_between(&world->random, 55, 150) / 100;

    subtask->assignee = assignee;
    day = seed_next_working_day(world, day);
    if (day > until + 14)
        subtask->assignee = -1;
    if (day > until + 14 || assignee < 0)
        return STOPPED;
    left = left < 5 ? 5 : left;
    subtask->start = day;
    subtask->end = seed_next_working_day(world, day + subtask->estimate / 300);
    subtask->status = "scheduled";
    for (; day <= until; day++) {
        int room = seed_room(world, &world->users.items[assignee], day);
        int minutes = room < left ? room : left;

        if ((minutes < 5 && minutes < left) || (subtask->started_us && seed_chance(&world->random, 35)))
            continue; // no room, or other work that day
        if (minutes > 240)
            minutes = 240;
        if (!subtask->started_us) {
            subtask->started_us = seed_at(world, day, 9);
            subtask->status = "in_progress";
        }
        log_subtask(world, index, day, minutes);
        subtask->end = day > subtask->end ? day : subtask->end;
        left -= minutes;
        if (left <= 0 && day < until) {
            world->entries.items[world->entries.count - 1].source = "completion";
            subtask->end = day;
            subtask->completed_us = seed_at(world, day, 17);
            return day;
        }
    }
    return STOPPED;
}

static bool is_reviewed(const char *type)
{
    return strcmp(type, "development") != 0 && strstr(type, "fixes") == NULL;
}

static void add_review(struct seed_world *world, int subtask, int round, int32_t day, bool is_fine, int spawned)
{
    const struct seed_subtask *s = &world->subtasks.items[subtask];
    const struct seed_task *task = &world->tasks.items[s->task];
    struct seed_review *review = SEED_PUSH(world, &world->reviews);
    bool is_client_side = strcmp(s->type, "design") == 0 || strcmp(s->type, "external_qa_review") == 0;

    *review = (struct seed_review){.subtask = subtask,
                                   .round = round,
                                   .reviewer = task->pm,
                                   .reviewer_contact = -1,
                                   .spawned = spawned,
                                   .feedback = seed_feedback(&world->random, is_fine)};
    if (is_client_side && seed_chance(&world->random, 60))
        review->reviewer_contact = seed_pick_contact(world, task->client);
    if (strcmp(s->type, "internal_qa_review") == 0)
        review->reviewer = s->assignee;
    if (review->reviewer_contact >= 0)
        review->reviewer = -1;
    if (strcmp(s->type, "internal_qa_review") == 0)
        review->outcome = is_fine ? "passed" : "failed";
    else if (strcmp(s->type, "deployment") == 0)
        review->outcome = is_fine ? "signed_off" : "failed";
    else
        review->outcome = is_fine ? "approved" : "changes_requested";
    review->decided_us = seed_at(world, day, 11);
    seed_make_id(&world->random, review->decided_us, review->id);
    seed_event(world, review->decided_us, review->reviewer, is_fine ? "review.passed" : "review.failed", "subtask",
               s->id, task->client);
}

// The fix that a review asks for: a subtask of its own, done before the second round.
static int32_t do_fix(struct seed_world *world, int index, int32_t day)
{
    struct seed_subtask *subtask = &world->subtasks.items[index];
    bool is_design = strcmp(subtask->type, "design") == 0;
    const char *type = is_design                 ? "client_design_feedback"
                       : subtask->type[0] == 'i' ? "internal_qa_fixes"
                                                 : "external_qa_fixes";
    int assignee = is_design ? subtask->assignee : seed_pick_user(world, "development", day);
    int work = subtask->work, fix;
    int32_t done;

    subtask->status = "changes_requested";
    fix = add_subtask(world, work, type, world->works.items[work].feedback / 2, 1, seed_at(world, day, 12));
    if (world->failed)
        return STOPPED;
    add_review(world, index, 1, day, false, fix);
    done = do_subtask(world, fix, day + 1, assignee);
    if (done == STOPPED)
        return STOPPED;
    world->subtasks.items[fix].status = is_design ? "awaiting_review" : "complete";
    world->subtasks.items[fix].completed_us = seed_at(world, done, 17);
    if (is_design && done + 1 > last_day(world, fix))
        return STOPPED;
    if (is_design) {
        add_review(world, fix, 1, done + 1, true, -1);
        world->subtasks.items[fix].status = "complete";
    }
    return done + 1;
}

static void count_qa(struct seed_world *world, int index, int rounds)
{
    const struct seed_subtask *subtask = &world->subtasks.items[index];

    if (strcmp(subtask->type, "internal_qa_review") != 0)
        return;
    world->works.items[subtask->work].qa_reviews++;
    world->works.items[subtask->work].qa_rounds += rounds;
}

// From done to complete, through one review or two. Returns the day it was decided, or STOPPED.
static int32_t review_subtask(struct seed_world *world, int index, int32_t done)
{
    struct seed_subtask *subtask = &world->subtasks.items[index];
    int32_t day = seed_next_working_day(world, done + seed_between(&world->random, 0, 2));
    bool is_fine = seed_chance(&world->random, 75) || strcmp(subtask->type, "deployment") == 0;

    subtask->has_handoff = strcmp(subtask->type, "design") == 0;
    subtask->status = is_reviewed(subtask->type) ? "awaiting_review" : "complete";
    if (!is_reviewed(subtask->type))
        return done;
    if (day > last_day(world, index))
        return STOPPED;
    if (!is_fine) {
        day = do_fix(world, index, day);
        if (day == STOPPED || day > last_day(world, index))
            return STOPPED;
    }
    add_review(world, index, is_fine ? 1 : 2, day, true, -1);
    world->subtasks.items[index].status = "complete";
    count_qa(world, index, is_fine ? 1 : 2);
    return day;
}

static void finish_work(struct seed_work *work, bool is_complete, int64_t at_us)
{
    const int *minutes = seed_size_minutes[work->size];
    int raised = work->actual < minutes[1] ? minutes[1] : work->actual;

    work->status = is_complete ? "complete" : work->actual ? "in_progress" : "pending";
    work->completed_us = is_complete ? at_us : 0;
    if (!work->actual)
        return;
    work->billable = raised > minutes[2] ? minutes[2] : raised;
    work->banked = work->actual < minutes[1] ? minutes[1] - work->actual : 0;
    work->overage = work->actual > minutes[2] ? work->actual - minutes[2] : 0;
}

static bool is_status(const struct seed_subtask *subtask, const char *status)
{
    return strcmp(subtask->status, status) == 0;
}

static void derive_status(struct seed_world *world, struct seed_task *task)
{
    int order = 99;
    bool is_begun = false;

    for (size_t i = (size_t)task->first_subtask; i < world->subtasks.count; i++) {
        const struct seed_subtask *subtask = &world->subtasks.items[i];

        is_begun |= !is_status(subtask, "unscheduled");
        for (size_t p = 0; p < sizeof phases / sizeof *phases && !is_status(subtask, "complete"); p++)
            if (strcmp(phases[p].type, subtask->type) == 0 && phases[p].order < order) {
                order = phases[p].order;
                task->status = phases[p].status;
            }
    }
    if (order == 99)
        task->status = "complete";
    else if (!is_begun)
        task->status = task->planned <= world->today + 30 ? "planned" : "backlog";
}

static void cancel_rest(struct seed_world *world, struct seed_task *task, int32_t day)
{
    task->status = "cancelled";
    task->cancelled_us = task->updated_us = seed_at(world, day, 15);
    for (size_t i = (size_t)task->first_subtask; i < world->subtasks.count; i++)
        if (!is_status(&world->subtasks.items[i], "complete"))
            world->subtasks.items[i].status = "cancelled";
    seed_event(world, task->cancelled_us, task->pm, "task.cancelled", "task", task->id, task->client);
}

// Does the subtasks of one requirement in order. Returns the day after the last one, or STOPPED.
static int32_t do_work(struct seed_world *world, int work, int first, int count, int32_t day, int stop_at)
{
    for (int i = first; i < first + count; i++) {
        if (world->subtasks.items[i].work != work)
            continue;
        if (stop_at-- == 0)
            return STOPPED;
        day = do_subtask(world, i, day, seed_pick_user(world, worker_of(world->subtasks.items[i].type), day));
        if (day != STOPPED)
            day = review_subtask(world, i, day);
        if (day == STOPPED || world->failed)
            return STOPPED;
        day++;
    }
    return day;
}

static void do_task(struct seed_world *world, int index)
{
    struct seed_task *task = &world->tasks.items[index];
    bool is_cancelled = seed_chance(&world->random, 5);
    int32_t day = task->planned, cancelled;
    int count;

    task->first_subtask = (int)world->subtasks.count;
    for (int i = 0; i < task->work_count; i++)
        add_subtasks_of_work(world, task->first_work + i, task->created_us);
    count = (int)world->subtasks.count - task->first_subtask;
    for (int i = 0; i < task->work_count && !world->failed; i++) {
        int32_t done = do_work(world, task->first_work + i, task->first_subtask, count, day, is_cancelled ? 1 : 99);
        bool is_complete = done != STOPPED;

        finish_work(&world->works.items[task->first_work + i], is_complete,
                    seed_at(world, is_complete ? done - 1 : 0, 17));
        if (!is_complete)
            break;
        day = done;
    }
    task->subtask_count = (int)world->subtasks.count - task->first_subtask;
    derive_status(world, task);
    cancelled = world->clients.items[task->client].archived; // whoever leaves takes the open tasks along
    if (!cancelled && is_cancelled && day + 5 <= world->today)
        cancelled = day + 5;
    if (cancelled && strcmp(task->status, "complete") != 0) {
        cancel_rest(world, task, cancelled);
    } else if (strcmp(task->status, "complete") == 0) {
        task->completed_us = task->updated_us = seed_at(world, day - 1, 17);
        seed_event(world, task->completed_us, -1, "task.completed", "task", task->id, task->client);
    }
}

void seed_make_subtasks(struct seed_world *world)
{
    for (int i = 0; i < (int)world->tasks.count && !world->failed; i++)
        do_task(world, i);
}
