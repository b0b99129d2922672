// Months, time and figures.
#include "tools/seed/write.h"

static void write_changes(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->clients.count; i++) {
        const struct seed_client *client = &world->clients.items[i];
        const struct seed_plan *plan = client->plan >= 0 ? &world->plans.items[client->plan] : NULL;

        for (int kind = 0; kind < 3 && plan; kind++) { // start, override, churn
            int32_t day = kind == 2 ? client->archived : kind == 1 ? client->start + 60 : client->start;
            char month[8];

            if ((kind == 1 && !client->hours_override) || (kind == 2 && !client->archived))
                continue;
            seed_month_name(world, seed_month_of(world, day), month);
            seed_copy_row(copy);
            seed_copy_new_id(world, copy, (int64_t)day * SEED_DAY_US);
            seed_copy_text(copy, client->id);
            seed_copy_text(copy, kind == 0 ? "start" : kind == 1 ? "override" : "churn");
            seed_copy_text(copy, kind ? plan->id : NULL);
            seed_copy_text(copy, kind < 2 ? plan->id : NULL);
            seed_copy_int4_if(copy, kind == 1, client->hours_override);
            seed_copy_int4_if(copy, kind == 1, client->pence_override);
            seed_copy_text(copy, month);
            seed_copy_int4(copy, kind == 0 ? plan->pence : kind == 1 ? 80000 : -plan->pence);
            seed_copy_text(copy, world->users.items[1].id);
            seed_copy_stamps(world, copy, (int64_t)day * SEED_DAY_US, 0);
        }
    }
}

static void write_periods(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->periods.count; i++) {
        const struct seed_period *period = &world->periods.items[i];
        const struct seed_client *client = &world->clients.items[period->client];
        int64_t opened_us = (int64_t)seed_month_start(world, period->month) * SEED_DAY_US;
        int64_t closed_us =
            period->is_closed ? (int64_t)(seed_month_start(world, period->month + 1) + 4) * SEED_DAY_US : 0;
        char month[8];

        seed_month_name(world, period->month, month);
        seed_copy_row(copy);
        seed_copy_text(copy, period->id);
        seed_copy_text(copy, client->id);
        seed_copy_text(copy, month);
        seed_copy_text(copy, SEED_REF(world->plans, client->plan));
        seed_copy_int4(copy, period->pence);
        seed_copy_int4(copy, period->gross);
        seed_copy_int4(copy, period->deduction);
        seed_copy_int4(copy, period->allocated);
        seed_copy_int4(copy, period->rollover);
        seed_copy_int4(copy, period->logged);
        seed_copy_int4(copy, period->billable);
        seed_copy_int4(copy, period->remaining);
        seed_copy_int4(copy, period->banked);
        seed_copy_int4(copy, period->overage);
        seed_copy_int4(copy, period->help_desk);
        seed_copy_text(copy, period->is_closed ? "closed" : "open");
        seed_copy_past_if(world, copy, closed_us);
        seed_copy_text(copy, period->is_closed ? world->users.items[1].id : NULL);
        seed_copy_stamps(world, copy, opened_us, closed_us);
    }
}

static void write_adjustments(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->periods.count; i++) {
        const struct seed_period *period = &world->periods.items[i];
        int64_t at_us = (int64_t)(seed_month_start(world, period->month) + 4) * SEED_DAY_US;

        for (int kind = 0; kind < 2; kind++) {
            int minutes = kind ? period->credit : period->rollover;

            if (!minutes)
                continue;
            seed_copy_row(copy);
            seed_copy_new_id(world, copy, at_us);
            seed_copy_text(copy, period->id);
            seed_copy_text(copy, kind ? "manual_credit" : "rollover_in");
            seed_copy_int4(copy, minutes);
            seed_copy_text(copy, kind ? NULL : (period - 1)->id);
            seed_copy_text(copy, kind ? "Goodwill after the outage" : "Over the hours of the month before");
            seed_copy_text(copy, world->users.items[1].id);
            seed_copy_stamps(world, copy, at_us, 0);
        }
    }
}

static void write_entries(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->entries.count; i++) {
        const struct seed_entry *entry = &world->entries.items[i];
        const struct seed_user *user = &world->users.items[entry->user];

        seed_copy_row(copy);
        seed_copy_text(copy, entry->id);
        seed_copy_text(copy, user->id);
        seed_copy_date(copy, seed_date(entry->day));
        seed_copy_int4(copy, entry->minutes);
        seed_copy_text(copy, entry->activity);
        seed_copy_bool(copy, entry->client < 0);
        seed_copy_text(copy, SEED_REF(world->clients, entry->client));
        seed_copy_text(copy, SEED_REF(world->tasks, entry->task));
        seed_copy_text(copy, SEED_REF(world->subtasks, entry->subtask));
        seed_copy_text(copy, SEED_REF(world->works, entry->work));
        seed_copy_text(copy, SEED_REF(world->tickets, entry->ticket));
        seed_copy_text(copy, SEED_REF(world->project_tasks, entry->project_task));
        seed_copy_text(copy, user->work_type);
        seed_copy_text(copy, entry->notes);
        seed_copy_bool(copy, entry->is_billable);
        seed_copy_text(copy, entry->source);
        seed_copy_text(copy, SEED_REF(world->periods, entry->period));
        seed_copy_stamps(world, copy, (int64_t)entry->day * SEED_DAY_US + SEED_DAY_US * 17 / 24, 0);
    }
}

static int ratio_bps(int64_t part, int64_t whole)
{
    int64_t bps = whole ? part * 10000 / whole : 0;

    return (int)(bps > 1000000 ? 1000000 : bps); // a hundredfold says enough
}

static const char *band_of(int64_t pence)
{
    return pence >= 90000 ? "amazing" : pence >= 80000 ? "goal" : pence >= 68000 ? "under_target" : "below_breakeven";
}

static void write_client_metrics(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->periods.count; i++) {
        const struct seed_period *period = &world->periods.items[i];
        int64_t sold = (int64_t)period->pence * SEED_BILLING_DAY / (period->gross ? period->gross : 1);
        int64_t earned = (int64_t)period->pence * period->billable / (period->allocated ? period->allocated : 1);
        int64_t actual = period->logged ? earned * SEED_BILLING_DAY / period->logged : 0;
        char month[8];

        if (!period->is_closed)
            continue;
        actual = actual > 1000000 ? 1000000 : actual;
        seed_month_name(world, period->month, month);
        seed_copy_row(copy);
        seed_copy_text(copy, world->clients.items[period->client].id);
        seed_copy_text(copy, month);
        seed_copy_int4(copy, (int32_t)sold);
        seed_copy_int4_if(copy, period->logged, (int32_t)actual);
        seed_copy_int4_if(copy, period->logged, ratio_bps(actual - sold, sold));
        seed_copy_int4_if(copy, period->logged, ratio_bps(period->billable, period->logged));
        seed_copy_int4(copy, period->banked);
        seed_copy_int4(copy, period->overage);
        seed_copy_int4(copy, period->banked - period->overage);
        seed_copy_int4(copy, ratio_bps(period->billable, period->allocated));
        seed_copy_null(copy);
        seed_copy_text(copy, period->logged ? band_of(actual) : NULL);
        seed_copy_ts(copy, seed_past(world, (int64_t)(seed_month_start(world, period->month + 1) + 4) * SEED_DAY_US));
    }
}

struct month_figures {
    int days, away, logged, billable, available;
};

static struct month_figures figures_of(const struct seed_world *world, int user, int month)
{
    const struct seed_user *person = &world->users.items[user];
    struct month_figures figures = {0};
    int32_t from = seed_month_start(world, month), until = seed_month_start(world, month + 1);

    for (int32_t day = from; day < until && day <= world->today; day++) {
        if (world->is_closed[day - world->first] || day < person->joined)
            continue;
        figures.days++;
        figures.away += person->away[day - world->first];
    }
    figures.available = (figures.days * 2 - figures.away) * person->capacity / 2;
    for (size_t i = 0; i < world->entries.count; i++) {
        const struct seed_entry *entry = &world->entries.items[i];

        if (entry->user != user || entry->day < from || entry->day >= until)
            continue;
        figures.logged += entry->minutes;
        figures.billable += entry->is_billable ? entry->minutes : 0;
    }
    return figures;
}

static void write_user_metrics(struct seed_world *world, struct seed_copy *copy)
{
    for (int u = 0; u < (int)world->users.count; u++)
        for (int m = 0; m < SEED_MONTHS && strcmp(world->users.items[u].status, "active") == 0; m++) {
            struct month_figures figures = figures_of(world, u, m);
            char month[8];

            seed_month_name(world, m, month);
            seed_copy_row(copy);
            seed_copy_text(copy, world->users.items[u].id);
            seed_copy_text(copy, month);
            seed_copy_int4(copy, figures.days);
            seed_copy_int4(copy, figures.away);
            seed_copy_int4(copy, figures.available);
            seed_copy_int4(copy, figures.logged);
            seed_copy_int4(copy, figures.billable);
            seed_copy_int4_if(copy, figures.available, ratio_bps(figures.billable, figures.available));
            seed_copy_null(copy);
            seed_copy_int4_if(copy, figures.billable, 60000 + ratio_bps(figures.billable, figures.available) * 3);
            seed_copy_null(copy);
            seed_copy_null(copy);
            seed_copy_ts(copy, seed_past(world, (int64_t)seed_month_start(world, m + 1) * SEED_DAY_US));
        }
}

static const char *period_of(const struct seed_world *world, int client, int64_t at_us)
{
    int month = seed_month_of(world, (int32_t)(at_us / SEED_DAY_US));

    for (size_t i = 0; i < world->periods.count; i++)
        if (world->periods.items[i].client == client && world->periods.items[i].month == month)
            return world->periods.items[i].id;
    return NULL;
}

static void write_efficiency(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->works.count; i++) {
        const struct seed_work *work = &world->works.items[i];
        int client = world->tasks.items[work->task].client;
        int quoted = seed_size_minutes[work->size][1];

        if (!work->completed_us)
            continue;
        seed_copy_row(copy);
        seed_copy_new_id(world, copy, work->completed_us);
        seed_copy_text(copy, work->id);
        seed_copy_text(copy, world->clients.items[client].id);
        seed_copy_text(copy, work->type);
        seed_copy_text(copy, period_of(world, client, work->completed_us));
        seed_copy_int4(copy, quoted);
        seed_copy_int4(copy, seed_size_minutes[work->size][2]);
        seed_copy_int4(copy, work->actual);
        seed_copy_int4(copy, work->billable);
        seed_copy_int4(copy, work->banked);
        seed_copy_int4(copy, work->overage);
        seed_copy_int4_if(copy, work->actual, ratio_bps(quoted, work->actual));
        seed_copy_ts(copy, seed_past(world, work->completed_us));
        seed_copy_stamps(world, copy, work->completed_us, 0);
    }
}

static void copy_score(struct seed_world *world, struct seed_copy *copy, int client, const char *kind, int64_t part,
                       int64_t whole, int samples, int rounds)
{
    bool is_qa = strcmp(kind, "qa") == 0;
    int first_pass = samples ? (int)((int64_t)(2 * samples - rounds) * 10000 / samples) : 0; // rounds are 1 or 2

    if (!samples || !whole)
        return;
    seed_copy_row(copy);
    seed_copy_text(copy, world->clients.items[client].id);
    seed_copy_text(copy, kind);
    seed_copy_int4(copy, (int32_t)(part * 1000 / whole));
    seed_copy_int4(copy, samples);
    seed_copy_text(copy, samples < 5 ? "low" : samples < 16 ? "medium" : "high");
    seed_copy_int4_if(copy, is_qa, first_pass);
    seed_copy_int4_if(copy, is_qa, (int32_t)((int64_t)rounds * 1000 / samples));
    seed_copy_ts(copy, seed_ts((int64_t)world->today * SEED_DAY_US));
}

static void write_work_scores(struct seed_world *world, struct seed_copy *copy, int client, const char *kind)
{
    int64_t actual = 0, quoted = 0;
    int samples = 0, qa = 0, rounds = 0;
    bool is_qa = strcmp(kind, "qa") == 0;

    for (size_t i = 0; i < world->works.count; i++) {
        const struct seed_work *work = &world->works.items[i];

        if (world->tasks.items[work->task].client != client || !work->completed_us ||
            (!is_qa && strcmp(work->type, kind) != 0))
            continue;
        actual += work->actual;
        quoted += seed_size_minutes[work->size][1];
        samples++;
        qa += work->qa_reviews;
        rounds += work->qa_rounds;
    }
    if (is_qa)
        copy_score(world, copy, client, kind, rounds, qa, qa, rounds);
    else
        copy_score(world, copy, client, kind, actual, quoted, samples, 0);
}

static void write_scores(struct seed_world *world, struct seed_copy *copy)
{
    for (int client = 0; client < (int)world->clients.count; client++) {
        int64_t actual = 0, estimate = 0;
        int samples = 0;

        write_work_scores(world, copy, client, "development");
        write_work_scores(world, copy, client, "design");
        write_work_scores(world, copy, client, "qa");
        for (size_t i = 0; i < world->tickets.count; i++)
            if (world->tickets.items[i].client == client && world->tickets.items[i].resolved_us) {
                actual += world->tickets.items[i].actual;
                estimate += world->tickets.items[i].estimate;
                samples++;
            }
        copy_score(world, copy, client, "help_desk", actual, estimate, samples, 0);
    }
}

enum charle_err seed_write_billing(struct seed_world *world)
{
    static const struct seed_table tables[] = {
        {"client_plan_change",
         "id, client_id, kind, from_plan_id, to_plan_id, hours_override_minutes, cost_override_pence, effective_month, "
         "mrr_delta_pence, changed_by_id, created_at, updated_at",
         write_changes},
        {"client_period",
         "id, client_id, month, plan_id, monthly_cost_pence, gross_minutes, pm_deduction_minutes, allocated_minutes, "
         "rollover_in_minutes, logged_minutes, billable_minutes, remaining_minutes, banked_minutes, overage_minutes, "
         "help_desk_minutes, status, closed_at, closed_by_id, created_at, updated_at",
         write_periods},
        {"period_adjustment",
         "id, client_period_id, kind, minutes, source_period_id, reason, created_by_id, created_at, updated_at",
         write_adjustments},
        {"time_entry",
         "id, user_id, date, minutes, activity_type, is_internal, client_id, task_id, subtask_id, task_requirement_id, "
         "help_desk_ticket_id, project_task_id, work_type, notes, is_billable, source, locked_by_period_id, "
         "created_at, updated_at",
         write_entries},
        {"client_metric",
         "client_id, month, sold_day_rate_pence, actual_day_rate_pence, variance_bps, efficiency_bps, banked_minutes, "
         "overage_minutes, net_minutes, usage_bps, schedule_health_bps, day_rate_band, computed_at",
         write_client_metrics},
        {"user_metric",
         "user_id, month, working_days, leave_half_days, available_minutes, logged_minutes, billable_minutes, "
         "utilisation_bps, "
         "efficiency_bps, day_rate_pence, delivery_bps, schedule_health_bps, computed_at",
         write_user_metrics},
        {"requirement_efficiency",
         "id, task_requirement_id, client_id, type, client_period_id, quoted_minutes, quoted_max_minutes, "
         "actual_minutes, "
         "billable_minutes, banked_minutes, overage_minutes, efficiency_bps, completed_at, created_at, updated_at",
         write_efficiency},
        {"client_score",
         "client_id, kind, score_milli, sample_size, confidence, first_pass_bps, avg_cycles_milli, computed_at",
         write_scores},
    };
    return SEED_WRITE_TABLES(world, tables);
}
