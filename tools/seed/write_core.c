// Quotes, tasks, projects and what is said about them.
#include "tools/seed/words.h"
#include "tools/seed/write.h"

#include <stdio.h>

static void write_sizes(struct seed_world *world, struct seed_copy *copy)
{
    static const char *const labels[] = {"Extra small", "Small", "Medium",      "Large",
                                         "Extra large", "Huge",  "Not required"};

    for (int i = 0; i < SEED_SIZES; i++) {
        seed_copy_row(copy);
        seed_copy_text(copy, seed_size_name[i]);
        for (int m = 0; m < 3; m++)
            seed_copy_int4(copy, seed_size_minutes[i][m]);
        seed_copy_text(copy, labels[i]);
        seed_copy_date(copy, seed_date(world->first - 900));
        seed_copy_stamps(world, copy, (int64_t)(world->first - 900) * SEED_DAY_US, 0);
    }
}

static void write_quotes(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->quotes.count; i++) {
        const struct seed_quote *quote = &world->quotes.items[i];

        seed_copy_row(copy);
        seed_copy_text(copy, quote->id);
        seed_copy_int4(copy, (int32_t)i + 1);
        seed_copy_text(copy, world->clients.items[quote->client].id);
        seed_copy_text(copy, quote->title);
        seed_copy_text(copy, quote->description);
        seed_copy_text(copy, quote->status);
        seed_copy_text(copy, quote->previous);
        seed_copy_text(copy, quote->creator_contact >= 0 ? "client_request" : "internal");
        seed_copy_text(copy, SEED_REF(world->users, quote->creator));
        seed_copy_text(copy, SEED_REF(world->contacts, quote->creator_contact));
        seed_copy_text(copy, SEED_REF(world->users, quote->approver));
        seed_copy_past_if(world, copy, quote->approved_us);
        seed_copy_text(copy, SEED_REF(world->contacts, quote->decider));
        seed_copy_past_if(world, copy, quote->decider < 0 ? 0 : quote->decided_us);
        seed_copy_past_if(world, copy, quote->cancelled_us);
        seed_copy_text(copy, quote->cancelled_us ? "Postponed to next year" : NULL);
        seed_copy_stamps(world, copy, quote->created_us, quote->updated_us);
    }
}

static void copy_brief(struct seed_world *world, struct seed_copy *copy, const struct seed_requirement *requirement,
                       size_t i)
{
    static const char *const design_types[] = {"ui_ux", "visual_assets", "brand_identity", "marketing_materials",
                                               "prototypes"};
    static const char *const dev_types[] = {
        "new_feature", "enhancement", "bug_fix", "integration", "performance_optimization", "other"};
    static const char *const timelines[] = {"flexible", "within_2_weeks", "within_1_week", "urgent"};
    static const char *const links[] = {"https://example.org/brief", "https://example.org/brand"};
    bool is_design = strcmp(requirement->type, "design") == 0;
    bool is_development = strcmp(requirement->type, "development") == 0;

    seed_copy_text(copy, requirement->goal);
    if (is_design)
        seed_copy_texts(copy, &design_types[seed_below(&world->random, 4)], i % 2 + 1);
    else
        seed_copy_null(copy);
    seed_copy_text(copy, is_design ? "Returning customers" : NULL);
    if (is_design)
        seed_copy_bool(copy, seed_chance(&world->random, 50));
    else
        seed_copy_null(copy);
    seed_copy_text(copy, is_development ? SEED_PICK(&world->random, dev_types) : NULL);
    seed_copy_text(copy, is_development ? "It works, but slowly and not on phones." : NULL);
    seed_copy_text(copy, is_development ? "It takes less than a second and works on phones." : NULL);
    seed_copy_text(copy, is_development && seed_chance(&world->random, 30)
                             ? "The shop system cannot be changed this year."
                             : NULL);
    if (seed_chance(&world->random, 40))
        seed_copy_texts(copy, links, 2);
    else
        seed_copy_null(copy);
    seed_copy_text(copy, SEED_PICK(&world->random, timelines));
}

static void write_requirements(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->requirements.count; i++) {
        const struct seed_requirement *requirement = &world->requirements.items[i];
        bool is_complete = requirement->completed_us != 0;

        seed_copy_row(copy);
        seed_copy_text(copy, requirement->id);
        seed_copy_text(copy, world->quotes.items[requirement->quote].id);
        seed_copy_text(copy, requirement->type);
        seed_copy_text(copy, requirement->status);
        copy_brief(world, copy, requirement, i);
        seed_copy_text(copy, is_complete ? "Build, test on the agreed browsers, hand over with a short note." : NULL);
        seed_copy_text(copy, is_complete ? NULL : "Build and test.");
        seed_copy_text(copy, requirement->is_sized ? seed_size_name[requirement->size] : NULL);
        for (int m = 0; m < 3; m++)
            seed_copy_int4_if(copy, requirement->is_sized, seed_size_minutes[requirement->size][m]);
        seed_copy_text(copy, seed_size_name[requirement->size]);
        seed_copy_text(copy, "medium");
        seed_copy_text(copy, "Close to three finished requirements of this client.");
        seed_copy_text(copy, is_complete ? world->users.items[requirement->assignee].id : NULL);
        seed_copy_past_if(world, copy, requirement->completed_us);
        seed_copy_bool(copy, requirement->is_offered);
        seed_copy_stamps(world, copy, requirement->created_us, requirement->completed_us);
    }
}

static void write_assignees(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->requirements.count; i++) {
        const struct seed_requirement *requirement = &world->requirements.items[i];
        const struct seed_client *client = &world->clients.items[world->quotes.items[requirement->quote].client];

        seed_copy_row(copy);
        seed_copy_text(copy, requirement->id);
        seed_copy_text(copy, world->users.items[requirement->assignee].id);
        seed_copy_text(copy, world->users.items[client->csm].id);
        seed_copy_ts(copy, seed_past(world, requirement->created_us + 3600000000));
    }
}

static void write_tasks(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->tasks.count; i++) {
        const struct seed_task *task = &world->tasks.items[i];

        seed_copy_row(copy);
        seed_copy_text(copy, task->id);
        seed_copy_int4(copy, (int32_t)i + 1);
        seed_copy_text(copy, task->title);
        seed_copy_text(copy, task->description);
        seed_copy_text(copy, world->clients.items[task->client].id);
        seed_copy_text(copy, SEED_REF(world->users, task->pm));
        seed_copy_int4(copy, task->priority);
        seed_copy_text(copy, task->status);
        seed_copy_text(copy, SEED_REF(world->quotes, task->quote));
        seed_copy_text(copy, SEED_REF(world->projects, task->project));
        seed_copy_text(copy, SEED_REF(world->users, task->creator));
        seed_copy_past_if(world, copy, task->completed_us);
        seed_copy_past_if(world, copy, task->cancelled_us);
        seed_copy_stamps(world, copy, task->created_us, task->updated_us);
    }
}

static void write_works(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->works.count; i++) {
        const struct seed_work *work = &world->works.items[i];

        seed_copy_row(copy);
        seed_copy_text(copy, work->id);
        seed_copy_text(copy, world->tasks.items[work->task].id);
        seed_copy_text(copy, SEED_REF(world->requirements, work->requirement));
        seed_copy_text(copy, work->type);
        seed_copy_text(copy, "Build, test on the agreed browsers, hand over with a short note.");
        seed_copy_text(copy, "{\"goal\":\"as quoted\"}");
        seed_copy_text(copy, seed_size_name[work->size]);
        seed_copy_int4(copy, seed_size_minutes[work->size][1]);
        seed_copy_int4(copy, seed_size_minutes[work->size][2]);
        seed_copy_int4(copy, work->feedback);
        seed_copy_int4(copy, work->actual);
        seed_copy_int4(copy, work->billable);
        seed_copy_int4(copy, work->banked);
        seed_copy_int4(copy, work->overage);
        seed_copy_text(copy, work->status);
        seed_copy_stamps(world, copy, world->tasks.items[work->task].created_us, work->completed_us);
    }
}

static void write_projects(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->projects.count; i++) {
        const struct seed_project *project = &world->projects.items[i];

        seed_copy_row(copy);
        seed_copy_text(copy, project->id);
        seed_copy_int4(copy, (int32_t)i + 1);
        seed_copy_text(copy, project->title);
        seed_copy_text(copy, world->clients.items[project->client].id);
        seed_copy_text(copy, SEED_REF(world->users, project->pm));
        seed_copy_halves(copy, project->days * 2 + 1);
        seed_copy_date(copy, seed_date(project->target));
        seed_copy_text(copy, project->status);
        seed_copy_int4(copy, project->progress);
        seed_copy_text(copy, project->description);
        seed_copy_stamps(world, copy, (int64_t)project->start * SEED_DAY_US, 0);
    }
}

static void copy_days(struct seed_copy *copy, const struct seed_phase *phase, int days)
{
    if (phase->days < 0)
        seed_copy_null(copy);
    else
        seed_copy_halves(copy, days * 2);
}

static void write_phases(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->phases.count; i++) {
        const struct seed_phase *phase = &world->phases.items[i];

        seed_copy_row(copy);
        seed_copy_text(copy, phase->id);
        seed_copy_text(copy, world->projects.items[phase->project].id);
        seed_copy_text(copy, phase->name);
        seed_copy_text(copy, phase->kind);
        seed_copy_bool(copy, phase->days >= 0);
        copy_days(copy, phase, phase->days);
        copy_days(copy, phase, phase->qa_days);
        seed_copy_int4(copy, phase->position);
        seed_copy_int4(copy, phase->logged);
        seed_copy_stamps(world, copy, (int64_t)world->projects.items[phase->project].start * SEED_DAY_US, 0);
    }
}

static void write_project_tasks(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->project_tasks.count; i++) {
        const struct seed_project_task *task = &world->project_tasks.items[i];

        seed_copy_row(copy);
        seed_copy_text(copy, task->id);
        seed_copy_text(copy, world->projects.items[task->project].id);
        seed_copy_text(copy, world->phases.items[task->phase].id);
        seed_copy_text(copy, task->title);
        seed_copy_null(copy);
        seed_copy_text(copy, SEED_REF(world->users, task->assignee));
        seed_copy_text(copy, task->status);
        seed_copy_date(copy, seed_date(task->start));
        seed_copy_date(copy, seed_date(task->end));
        seed_copy_int4(copy, task->estimate);
        seed_copy_bool(copy, task->is_qa);
        seed_copy_int4(copy, task->logged);
        seed_copy_int4(copy, task->position);
        seed_copy_bool(copy, task->needs_uat);
        seed_copy_stamps(world, copy, (int64_t)(task->start - 5) * SEED_DAY_US, 0);
    }
}

static void write_sign_offs(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->sign_offs.count; i++) {
        const struct seed_sign_off *sign_off = &world->sign_offs.items[i];
        const struct seed_project_task *task = &world->project_tasks.items[sign_off->project_task];

        seed_copy_row(copy);
        seed_copy_text(copy, sign_off->id);
        seed_copy_text(copy, world->projects.items[sign_off->project].id);
        seed_copy_text(copy, world->phases.items[task->phase].id);
        seed_copy_text(copy, task->id);
        seed_copy_text(copy, sign_off->status);
        seed_copy_text(copy, world->users.items[sign_off->requester].id);
        seed_copy_ts(copy, seed_past(world, sign_off->requested_us));
        seed_copy_text(copy, SEED_REF(world->contacts, sign_off->decider));
        seed_copy_past_if(world, copy, sign_off->decided_us);
        seed_copy_text(copy, sign_off->decided_us ? "Accepted, thank you." : NULL);
        seed_copy_stamps(world, copy, sign_off->requested_us, sign_off->decided_us);
    }
}

enum charle_err seed_write_core(struct seed_world *world)
{
    static const struct seed_table tables[] = {
        {"tshirt_size", "size, min_minutes, avg_minutes, max_minutes, label, valid_from, created_at, updated_at",
         write_sizes},
        {"quote",
         "id, display_id, client_id, title, description, status, previous_status, origin, created_by_user_id, "
         "created_by_client_user_id, csm_approved_by_id, csm_approved_at, client_decided_by_id, client_decided_at, "
         "cancelled_at, "
         "cancel_reason, created_at, updated_at",
         write_quotes},
        {"quote_requirement",
         "id, quote_id, type, status, goal, design_types, target_audience, has_brand_guidelines, dev_work_type, "
         "current_behavior, "
         "expected_outcome, technical_constraints, links, timeline, scope, scope_draft, size, min_minutes, "
         "avg_minutes, max_minutes, "
         "suggested_size, suggestion_confidence, suggestion_reasoning, completed_by_id, completed_at, is_offered, "
         "created_at, updated_at",
         write_requirements},
        {"quote_requirement_assignee", "quote_requirement_id, user_id, assigned_by_id, assigned_at", write_assignees},
        {"project",
         "id, display_id, title, client_id, pm_id, pm_allocated_days, target_completion_date, status, progress_bps, "
         "description, "
         "created_at, updated_at",
         write_projects},
        {"task",
         "id, display_id, title, description, client_id, pm_id, priority, status, quote_id, project_id, created_by_id, "
         "completed_at, "
         "cancelled_at, created_at, updated_at",
         write_tasks},
        {"task_requirement",
         "id, task_id, quote_requirement_id, type, scope, brief, size, quoted_minutes, quoted_max_minutes, "
         "feedback_budget_minutes, "
         "actual_minutes, billable_minutes, banked_minutes, overage_minutes, status, created_at, updated_at",
         write_works},
        {"project_phase",
         "id, project_id, name, kind, is_budgeted, allocated_days, qa_days, position, logged_minutes, created_at, "
         "updated_at",
         write_phases},
        {"project_task",
         "id, project_id, phase_id, title, description, assignee_id, status, start_date, end_date, estimate_minutes, "
         "is_qa, "
         "logged_minutes, position, requires_uat, created_at, updated_at",
         write_project_tasks},
        {"project_sign_off",
         "id, project_id, phase_id, project_task_id, status, requested_by_id, requested_at, decided_by_client_user_id, "
         "decided_at, note, "
         "created_at, updated_at",
         write_sign_offs},
    };
    enum charle_err rc = SEED_WRITE_TABLES(world, tables);

    if (rc)
        return rc;
    // A quote and its task refer to each other.
    return seed_sql(world, "update quote q set task_id = t.id from task t where t.quote_id = q.id");
}
