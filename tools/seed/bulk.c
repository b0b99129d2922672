// The mass: plain tasks, as many as asked for, in order of their ids, about 350 bytes each.
//
// Nothing of it is kept in memory. Foreign keys are checked and secondary indexes are built once, at the end, instead
// of row by row, and no trigger runs for each row: one transaction takes all that away, copies and puts it back, so
// that whoever looks or crashes never sees the table without. It makes the mass four times as fast, ten times where
// changes are stamped.
#include "tools/seed/words.h"
#include "tools/seed/write.h"

#define CHUNK_ROWS 50000 // of one COPY: often enough to show progress
#define LATER_MAX  64    // triggers, constraints and indexes of one table

struct bulk {
    int64_t first, count; // rows of the mass as a whole
    int64_t done;
    int64_t chunk_until;
    const char *later[LATER_MAX]; // statements that put triggers, constraints and indexes back
    int later_count;
};

static const char *status_of(struct seed_random *random, bool is_old)
{
    static const char *const open[] = {"backlog",     "backlog",     "planned",     "design",    "development",
                                       "development", "internal_qa", "external_qa", "deployment"};

    if (seed_chance(random, is_old ? 85 : 30))
        return "complete";
    return seed_chance(random, 5) ? "cancelled" : SEED_PICK(random, open);
}

static void copy_task(struct seed_world *world, struct seed_copy *copy, const struct bulk *bulk, int64_t row)
{
    int64_t span_us = (int64_t)(world->today - world->first) * SEED_DAY_US;
    int64_t created_us =
        (int64_t)world->first * SEED_DAY_US + (int64_t)((double)span_us * ((double)row / (double)bulk->count));
    const struct seed_client *client =
        &world->clients.items[seed_below(&world->random, (uint32_t)world->clients.count)];
    const char *status = status_of(&world->random, row < bulk->count / 2);
    int64_t ended_us = created_us + (int64_t)seed_between(&world->random, 1, 20) * SEED_DAY_US;
    char id[SEED_ID_SIZE], title[160], description[512];

    seed_make_id(&world->random, created_us, id);
    seed_task_title(&world->random, title);
    seed_task_description(&world->random, description);
    seed_copy_row(copy);
    seed_copy_text(copy, id);
    seed_copy_int4(copy, (int32_t)(bulk->first + row));
    seed_copy_text(copy, title);
    seed_copy_text(copy, description);
    seed_copy_text(copy, client->id);
    seed_copy_text(copy, world->users.items[client->pm].id);
    seed_copy_int4(copy, seed_between(&world->random, 1, 5));
    seed_copy_text(copy, status);
    seed_copy_text(copy, world->users.items[client->csm].id);
    seed_copy_past_if(world, copy, status[2] == 'm' ? ended_us : 0);
    seed_copy_past_if(world, copy, status[2] == 'n' ? ended_us : 0);
    seed_copy_stamps(world, copy, created_us, status[0] == 'c' ? ended_us : created_us);
}

static enum charle_err write_chunk(struct seed_world *world, struct bulk *bulk)
{
    struct seed_copy copy;

    seed_copy_open(
        &copy, world->pg, "task",
        "id, display_id, title, description, client_id, pm_id, priority, status, created_by_id, completed_at, "
        "cancelled_at, created_at, updated_at",
        world->err);
    for (; bulk->done < bulk->chunk_until && !copy.failed; bulk->done++)
        copy_task(world, &copy, bulk, bulk->done);
    world->rows += copy.rows;
    return seed_copy_close(&copy);
}

// Takes away foreign keys, uniques and plain indexes (the primary key stays), turns the table's own triggers off, and
// remembers how to undo that. Nobody misses the stamps of these rows: a database without people has no replicas, and
// the first copy reads the rows.
static enum charle_err put_off(struct seed_world *world, struct bulk *bulk)
{
    static const char sql[] =
        "select format('alter table task disable trigger %I', tgname),"
        " format('alter table task enable %s trigger %I', case tgenabled when 'A' then 'always' when 'R' then "
        "'replica' else '' end, tgname)"
        " from pg_trigger where tgrelid = 'task'::regclass and not tgisinternal and tgenabled <> 'D'"
        " union all select format('alter table task drop constraint %I', conname),"
        " format('alter table task add constraint %I %s%s', conname, pg_get_constraintdef(n.oid),"
        " case when contype = 'u' then ' with (' || array_to_string(c.reloptions, ', ') || ')' end)" // which the definition leaves out
        " from pg_constraint n left join pg_class c on c.oid = n.conindid"
        " where conrelid = 'task'::regclass and contype in ('f', 'u')"
        " union all select format('drop index %s', indexrelid::regclass), pg_get_indexdef(indexrelid)"
        " from pg_index i where indrelid = 'task'::regclass"
        " and not exists (select 1 from pg_constraint c where c.conindid = i.indexrelid and c.conrelid = i.indrelid)";
    PGresult *result = PQexec(world->pg, sql);
    enum charle_err rc = CHARLE_OK;

    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        rc = seed_fail_pg(world->pg, result, "reading the indexes of task", world->err);
    else if (PQntuples(result) > LATER_MAX)
        rc = charle_fail(world->err, CHARLE_RESOURCE_EXHAUSTED,
                         "the table task has %d triggers, constraints and indexes, and the seed can put off %d",
                         PQntuples(result), LATER_MAX);
    for (int i = 0; i < PQntuples(result) && !rc; i++) {
        bulk->later[bulk->later_count++] = seed_text(world, "%s", PQgetvalue(result, i, 1));
        rc = world->failed ? world->failed : seed_sql(world, PQgetvalue(result, i, 0));
    }
    PQclear(result);
    return rc;
}

static enum charle_err copy_all(struct seed_world *world, struct bulk *bulk, charle_seed_progress progress, void *ctx)
{
    enum charle_err rc = put_off(world, bulk);

    while (bulk->done < bulk->count && !rc) {
        bulk->chunk_until = bulk->done + CHUNK_ROWS < bulk->count ? bulk->done + CHUNK_ROWS : bulk->count;
        rc = write_chunk(world, bulk);
        if (!rc && progress)
            progress(ctx, "tasks", bulk->done, bulk->count);
    }
    if (!rc && progress)
        progress(ctx, "indexes of tasks", bulk->done, bulk->count);
    for (int i = 0; i < bulk->later_count && !rc; i++)
        rc = seed_sql(world, bulk->later[i]);
    if (!rc) // numbers that people read go on behind those of the seed
        rc = seed_sql(world, "select setval('task_display_id_seq', (select max(display_id) from task))");
    return rc;
}

enum charle_err seed_write_bulk(struct seed_world *world, charle_seed_progress progress, void *ctx)
{
    struct bulk bulk = {.first = (int64_t)world->tasks.count + 1,
                        .count = world->options.rows - (int64_t)world->tasks.count};
    enum charle_err rc;

    if (bulk.count <= 0)
        return CHARLE_OK;
    rc = seed_sql(world, "begin; set local maintenance_work_mem = '256MB'"); // a million keys sort in memory
    if (!rc)
        rc = copy_all(world, &bulk, progress, ctx);
    if (!rc)
        return seed_sql(world, "commit");
    PQclear(PQexec(world->pg, "rollback")); // the first failure is the one to report
    return rc;
}
