// Projects with their phases, tasks and sign-offs.
#include "tools/seed/words.h"
#include "tools/seed/world.h"

static const struct {
    const char *name, *kind;
    int days, qa_days; // days -1: not budgeted
} phases[] = {{"Discovery", "custom", -1, 0}, {"Design", "design", 25, 5}, {"Development", "development", 35, 8}};
static const char *const task_titles[3][3] = {
    {"Interviews", "Content inventory", "Goals and measures"},
    {"Wireframes", "Visual design", "Design review"},
    {"Templates", "Integrations", "Acceptance tests"},
};

static void log_project_task(struct seed_world *world, int index)
{
    struct seed_project_task *task = &world->project_tasks.items[index];

    for (int32_t day = task->start; day <= task->end && day <= world->today; day += 2) {
        int entry = seed_log(world, task->assignee, day, 90, "task");

        if (entry < 0)
            continue;
        world->entries.items[entry].client = world->projects.items[task->project].client;
        world->entries.items[entry].project_task = index;
        world->entries.items[entry].is_billable = true;
        task->logged += world->entries.items[entry].minutes;
        world->phases.items[task->phase].logged += world->entries.items[entry].minutes;
    }
}

static void add_sign_off(struct seed_world *world, int project_task)
{
    const struct seed_project_task *task = &world->project_tasks.items[project_task];
    struct seed_sign_off *sign_off = SEED_PUSH(world, &world->sign_offs);

    *sign_off = (struct seed_sign_off){.project = task->project,
                                       .project_task = project_task,
                                       .decider = -1,
                                       .requester = world->projects.items[task->project].pm,
                                       .status = "requested"};
    sign_off->requested_us = seed_at(world, task->end < world->today ? task->end : world->today - 1, 15);
    if (strcmp(task->status, "done") == 0)
        sign_off->decider = seed_pick_contact(world, world->projects.items[task->project].client);
    if (sign_off->decider >= 0) {
        sign_off->status = "approved";
        sign_off->decided_us = sign_off->requested_us + SEED_DAY_US / 2;
    }
    seed_make_id(&world->random, sign_off->requested_us, sign_off->id);
}

static void add_project_task(struct seed_world *world, int project, int phase, int step, const char *title,
                             int32_t start)
{
    struct seed_project_task *task = SEED_PUSH(world, &world->project_tasks);
    int index = (int)world->project_tasks.count - 1;
    const char *kind = world->phases.items[phase].kind;

    *task = (struct seed_project_task){.project = project,
                                       .phase = phase,
                                       .title = title,
                                       .start = seed_next_working_day(world, start),
                                       .position = (step + 1) * 1000,
                                       .is_qa = strcmp(title, "Acceptance tests") == 0};
    task->end = seed_next_working_day(world, task->start + seed_between(&world->random, 5, 12));
    task->estimate = seed_between(&world->random, 2, 8) * 450;
    task->needs_uat = strstr(title, "review") || task->is_qa;
    task->assignee = seed_pick_user(world,
                                    *kind == 'd' && kind[2] == 's' ? "design"
                                    : *kind == 'c'                 ? "pm"
                                                                   : "development",
                                    0);
    task->status = task->end < world->today ? "done" : task->start <= world->today ? "in_progress" : "todo";
    if (task->needs_uat && task->start <= world->today && strcmp(task->status, "done") != 0)
        task->status = "uat";
    seed_make_id(&world->random, (start - 5) * SEED_DAY_US, task->id);
    if (world->failed)
        return;
    log_project_task(world, index);
    if (task->needs_uat && task->start <= world->today)
        add_sign_off(world, index);
}

static void add_phases(struct seed_world *world, int project)
{
    int32_t start = world->projects.items[project].start;
    int done = 0, count = 0;

    for (int p = 0; p < 3 && !world->failed; p++) {
        struct seed_phase *phase = SEED_PUSH(world, &world->phases);
        int index = (int)world->phases.count - 1;

        *phase = (struct seed_phase){.project = project,
                                     .position = (p + 1) * 1000,
                                     .days = phases[p].days,
                                     .qa_days = phases[p].qa_days,
                                     .name = phases[p].name,
                                     .kind = phases[p].kind};
        seed_make_id(&world->random, start * SEED_DAY_US, phase->id);
        for (int t = 0; t < 3 && !world->failed; t++, start += 10) {
            add_project_task(world, project, index, t, task_titles[p][t], start);
            done += strcmp(world->project_tasks.items[world->project_tasks.count - 1].status, "done") == 0;
            count++;
        }
    }
    world->projects.items[project].progress = count ? done * 10000 / count : 0;
    if (done == count)
        world->projects.items[project].status = "completed";
}

static void add_project(struct seed_world *world, int client, int32_t start)
{
    struct seed_project *project = SEED_PUSH(world, &world->projects);
    int index = (int)world->projects.count - 1;
    const struct seed_client *c = &world->clients.items[client];

    *project =
        (struct seed_project){.client = client, .pm = c->pm, .start = start, .target = start + 110, .status = "active"};
    project->days = seed_between(&world->random, 5, 12);
    project->title = seed_text(world, "New site for %s", c->name);
    project->description =
        "Discovery, design and development of the new site, with acceptance by the client at the end of each phase.";
    seed_make_id(&world->random, start * SEED_DAY_US, project->id);
    seed_event(world, seed_at(world, start, 9), c->pm, "project.created", "project", project->id, client);
    if (!world->failed)
        add_phases(world, index);
}

void seed_make_projects(struct seed_world *world)
{
    uint32_t wanted = world->options.clients / 6 + 1;

    for (uint32_t i = 0, client = 0; i < wanted && client < world->clients.count && !world->failed; client++) {
        const struct seed_client *c = &world->clients.items[client];

        // Clients without a plan come for a project; some others have one beside their plan.
        if (c->archived || c->start > world->first || (c->plan >= 0 && client % 5))
            continue;
        add_project(world, (int)client,
                    seed_next_working_day(world, world->first + seed_between(&world->random, 30, 320)));
        i++;
    }
    // Some tasks belong to their client's project.
    for (size_t t = 0; t < world->tasks.count && !world->failed; t++)
        for (size_t p = 0; p < world->projects.count && t % 3 == 0; p++)
            if (world->projects.items[p].client == world->tasks.items[t].client)
                world->tasks.items[t].project = (int)p;
}
