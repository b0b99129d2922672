#include "tools/seed/seed.h"

#include "tools/seed/copy.h"
#include "tools/seed/world.h"

#include <stdlib.h>

static enum charle_err in_range(const char *what, int64_t value, int64_t low, int64_t high, struct charle_error *err)
{
    if (value >= low && value <= high)
        return CHARLE_OK;
    return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the seed takes %lld to %lld %s, not %lld", (long long)low,
                       (long long)high, what, (long long)value);
}

static enum charle_err complete_options(struct charle_seed_options *options, struct charle_error *err)
{
    enum charle_err rc;

    options->seed = options->seed ? options->seed : 1;
    options->users = options->users ? options->users : 30;
    options->clients = options->clients ? options->clients : 40;
    options->tasks = options->tasks ? options->tasks : 400;
    options->rows = options->rows ? options->rows : options->tasks;
    if (!options->today.days)
        options->today = charle_ts_date(ch_clock_wall());
    rc = in_range("users", options->users, 16, 500, err);
    if (!rc)
        rc = in_range("clients", options->clients, 8, 5000, err);
    if (!rc)
        rc = in_range("tasks with a history", options->tasks, 20, 20000, err);
    if (!rc)
        rc = in_range("rows of tasks (not fewer than those with a history)", options->rows, options->tasks, 100000000,
                      err);
    if (!rc)
        rc = in_range("days since 1970 as today", options->today.days, 11323, 73049, err); // the years 2001 to 2169
    return rc;
}

static enum charle_err refuse_used_database(struct seed_world *world)
{
    PGresult *result = PQexec(world->pg, "select name from \"user\" limit 1");
    enum charle_err rc = CHARLE_OK;

    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        rc = seed_fail_pg(world->pg, result, "looking for people (was the database migrated?)", world->err);
    else if (PQntuples(result))
        rc = charle_fail(
            world->err, CHARLE_FAILED_PRECONDITION,
            "the database has people in it already, %s among them; seed an empty one, for nothing is ever emptied",
            PQgetvalue(result, 0, 0));
    PQclear(result);
    return rc;
}

static enum charle_err make(struct seed_world *world)
{
    seed_make_people(world);
    seed_make_leave(world);
    seed_make_clients(world);
    if (!world->failed)
        seed_make_meetings(world);
    if (!world->failed)
        seed_make_quotes_and_tasks(world);
    if (!world->failed)
        seed_make_subtasks(world);
    if (!world->failed)
        seed_make_tickets(world);
    if (!world->failed)
        seed_make_projects(world);
    if (!world->failed)
        seed_make_plans_of_days(world);
    if (!world->failed)
        seed_make_periods(world);
    return world->failed;
}

static enum charle_err write_agency(struct seed_world *world, charle_seed_progress progress, void *ctx)
{
    static const struct {
        const char *name;
        enum charle_err (*write)(struct seed_world *world);
    } stages[] = {{"people and clients", seed_write_auth},  {"quotes, tasks and projects", seed_write_core},
                  {"tickets", seed_write_tickets},          {"calendar", seed_write_scheduling},
                  {"time and billing", seed_write_billing}, {"leave, comments and log", seed_write_auxiliary}};
    enum charle_err rc = seed_sql(world, "begin");

    for (size_t i = 0; i < sizeof stages / sizeof *stages && !rc; i++) {
        rc = stages[i].write(world);
        if (!rc)
            rc = world->failed;
        if (!rc && progress)
            progress(ctx, stages[i].name, world->rows, 0);
    }
    if (!rc)
        rc = seed_sql(world,
                      "select setval('quote_display_id_seq', (select max(display_id) from quote)),"
                      " setval('task_display_id_seq', (select max(display_id) from task)),"
                      " setval('project_display_id_seq', (select max(display_id) from project)),"
                      " setval('help_desk_ticket_display_id_seq', (select max(display_id) from help_desk_ticket))");
    if (!rc)
        return seed_sql(world, "commit");
    PQclear(PQexec(world->pg, "rollback")); // the first failure is the one to report
    return rc;
}

enum charle_err charle_seed_run(PGconn *pg, const struct charle_seed_options *options, charle_seed_progress progress,
                                void *ctx, struct charle_seed_result *out_result, struct charle_error *err)
{
    int64_t began_us = ch_clock_mono_us();
    struct charle_error unused = {0};
    struct seed_world *world = calloc(1, sizeof *world);
    enum charle_err rc;

    if (!world)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the seed");
    world->pg = pg;
    world->err = err ? err : &unused;
    world->options = *options;
    rc = complete_options(&world->options, world->err);
    if (!rc)
        rc = refuse_used_database(world);
    if (!rc)
        rc = seed_world_init(world);
    if (!rc)
        rc = make(world);
    if (!rc)
        rc = write_agency(world, progress, ctx);
    if (!rc)
        rc = seed_write_bulk(world, progress, ctx);
    if (!rc && out_result)
        *out_result = (struct charle_seed_result){
            .rows = world->rows, .task_rows = world->options.rows, .elapsed_us = ch_clock_mono_us() - began_us};
    seed_world_deinit(world);
    free(world);
    return rc;
}
