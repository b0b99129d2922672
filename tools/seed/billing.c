// Months of retainers: what was sold, logged and billed, month by month, so that every figure follows from the time
// entries.
//
// A month is charged the increase of each requirement's billable figure that its entries caused, and the minutes of
// tickets. The month before last and older ones are closed; a debt rolls into the next month when a month closes.
#include "base/alloc.h"
#include "tools/seed/world.h"

#include <stdlib.h>

static int billable_of(enum seed_size size, int actual)
{
    const int *minutes = seed_size_minutes[size];

    if (!actual)
        return 0;
    if (actual < minutes[1])
        return minutes[1];
    return actual > minutes[2] ? minutes[2] : actual;
}

static void open_period(struct seed_world *world, int client, int month)
{
    const struct seed_client *c = &world->clients.items[client];
    const struct seed_plan *plan = &world->plans.items[c->plan];
    struct seed_period *period = SEED_PUSH(world, &world->periods);

    *period = (struct seed_period){.client = client, .month = month};
    period->pence = c->pence_override ? c->pence_override : plan->pence;
    period->gross = c->hours_override ? c->hours_override : plan->minutes;
    period->deduction = period->gross * 15 / 100;
    period->allocated = period->gross - period->deduction;
    period->is_closed = month < SEED_MONTHS - 2;
    if (month == SEED_MONTHS - 4 && client % 6 == 0)
        period->credit = 120;
    seed_make_id(&world->random, seed_month_start(world, month) * SEED_DAY_US, period->id);
}

static int compare_entries(const void *left, const void *right)
{
    const struct seed_entry *a = left, *b = right;

    if (a->day != b->day)
        return a->day < b->day ? -1 : 1;
    return strcmp(a->id, b->id);
}

static void charge(struct seed_world *world, struct seed_entry *entry, int *worked, int index)
{
    struct seed_period *period = &world->periods.items[index];

    entry->period = period->is_closed ? index : -1;
    period->logged += entry->minutes;
    if (entry->ticket >= 0) {
        period->billable += entry->minutes;
        period->help_desk += entry->minutes;
    } else if (entry->work >= 0) {
        enum seed_size size = world->works.items[entry->work].size;

        period->billable +=
            billable_of(size, worked[entry->work] + entry->minutes) - billable_of(size, worked[entry->work]);
    }
    if (entry->work >= 0)
        worked[entry->work] += entry->minutes;
}

static void sum_finished_work(struct seed_world *world, const int *period_of)
{
    for (size_t i = 0; i < world->works.count; i++) {
        const struct seed_work *work = &world->works.items[i];
        int month = work->completed_us ? seed_month_of(world, (int32_t)(work->completed_us / SEED_DAY_US)) : -1;
        int index = month < 0 ? -1 : period_of[world->tasks.items[work->task].client * SEED_MONTHS + month];

        if (index >= 0) {
            world->periods.items[index].banked += work->banked;
            world->periods.items[index].overage += work->overage;
        }
    }
}

static void roll_over(struct seed_world *world)
{
    for (size_t i = 0; i < world->periods.count; i++) {
        struct seed_period *period = &world->periods.items[i];
        const struct seed_period *before = i ? period - 1 : NULL;

        if (before && before->client == period->client && before->is_closed && before->remaining < 0)
            period->rollover = before->remaining;
        period->remaining = period->allocated + period->rollover + period->credit - period->billable;
    }
}

void seed_make_periods(struct seed_world *world)
{
    size_t months = world->clients.count * SEED_MONTHS;
    int *period_of = seed_alloc(world, months * sizeof *period_of);
    int *worked = seed_alloc(world, world->works.count * sizeof *worked);

    if (world->failed)
        return;
    for (size_t i = 0; i < months; i++) {
        const struct seed_client *c = &world->clients.items[i / SEED_MONTHS];
        int month = (int)(i % SEED_MONTHS);
        bool is_there = c->plan >= 0 && seed_month_of(world, c->start) <= month &&
                        (!c->archived || seed_month_of(world, c->archived) >= month);

        period_of[i] = is_there ? (int)world->periods.count : -1;
        if (is_there)
            open_period(world, (int)(i / SEED_MONTHS), month);
    }
    if (world->failed)
        return;
    qsort(world->entries.items, world->entries.count, sizeof *world->entries.items, compare_entries);
    for (size_t i = 0; i < world->entries.count; i++) {
        struct seed_entry *entry = &world->entries.items[i];
        int index = entry->client < 0 ? -1 : period_of[entry->client * SEED_MONTHS + seed_month_of(world, entry->day)];

        if (index >= 0)
            charge(world, entry, worked, index);
    }
    sum_finished_work(world, period_of);
    roll_over(world);
}
