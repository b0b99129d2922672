#include "sim/versions.h"

#include "db/pg/pg.h"
#include "sim.schema.charle.h"
#include "sim/disk.h"
#include "sim/later/later.h"

#include <inttypes.h>
#include <stdio.h>

#define VERSION_SALT 0x0ddc0ffee5c4e3au

const struct charle_schema *version_schema(int version)
{
    return version == VERSION_LATER ? later_schema() : &sim_schema;
}

const struct charle_method *version_method(int version, const struct charle_method *method)
{
    const struct charle_schema *schema = version_schema(version);
    for (size_t i = 0; i < schema->service_count; i++) {
        const struct charle_service *service = schema->services[i];
        for (size_t m = 0; m < service->method_count; m++) {
            if (charle_str_equal(service->methods[m].name, method->name))
                return &service->methods[m];
        }
    }
    return method;
}

// Dice of their own, so that laptops of worlds without versions throw what they always did.
void version_draw(struct laptop *laptop)
{
    struct dice dice;
    dice_seed(&dice, laptop->world->options.seed ^ VERSION_SALT ^ (uint64_t)laptop->index);
    laptop->version = laptop->world->swarm.has_versions && dice_throw(&dice) % 5 == 0 ? VERSION_LATER : VERSION_FIRST;
}

// --- the database --------------------------------------------------------------------------------------------------------

static const char tables_sql[] =
    "alter table person add column nick text collate \"C\", add column level integer not null default 1;"
    "alter table area rename column name to title;"
    "alter table job drop column code, alter column title drop not null, add column rank integer not null default 1,"
    "  drop constraint job_state_enum, add constraint job_state_enum check (state in ('draft', 'open', 'done', 'dropped', 'paused'));"
    "select charle.unstamp(7); drop table transfer;";

// What triggers see of it gets stamps; the defaults of new columns do not.
static const char rows_sql[] =
    "update job set rank = number % 5 where number % 3 = 0;"
    "insert into badge (id, person_id, text, job_id) select 'badge' || p.id, p.id, 'of old', (select min(j.id) from job j where j.owner_id = p.id) "
    "  from person p where p.id <> 'C';"
    "set constraints all immediate;";

enum charle_err version_migrate(struct world *world, struct charle_db *db, struct charle_error *err)
{
    const struct charle_schema *schema = version_schema(VERSION_LATER);
    const struct charle_table *badge = charle_schema_table_named(schema, CHARLE_STR("badge"));
    struct charle_buf sql = {0};
    charle_buf_printf(&sql, "begin; set local search_path = public, pg_catalog; set local lock_timeout = 0; %s %s %s %s ", tables_sql, badge->pg_create, badge->pg_foreign_keys, badge->pg_indexes);
    for (size_t i = 0; i < schema->table_count; i++)
        charle_buf_add_text(&sql, schema->tables[i]->pg_triggers);
    if (world->options.plant == PLANT_DEFAULT_LOST)
        charle_buf_add_text(&sql, "alter table job alter column rank set default 0;");
    charle_buf_printf(&sql, "%s commit", rows_sql);
    const char *text = charle_buf_text(&sql);
    enum charle_err rc = text ? charle_exec_script(db, text, err) : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a migration");
    charle_buf_deinit(&sql);
    if (rc == CHARLE_OK)
        world->server_version = VERSION_LATER;
    return rc;
}

bool version_go_back(struct world *world)
{
    bool is_other = world->server_version != world->saved_version;
    world->server_version = world->saved_version;
    return is_other;
}

static void migrate_server(struct world *world)
{
    world_trace(world, "the server is updated");
    if (!server_migrate(world->server))
        return;
    world->result.migrations++;
    oracle_migrated(world->oracle);
    oracle_commit(world->oracle, "the migration");
}

void version_catch_up(struct world *world)
{
    if (world->swarm.has_versions && world->result.migrations && world->server_version == VERSION_FIRST && world_chance(world, 50))
        migrate_server(world);
}

// --- deeds ---------------------------------------------------------------------------------------------------------------

// All programs on it end, and the later ones start; sometimes the power goes in the middle of that.
static void update_laptop(struct world *world, struct laptop *host)
{
    if (host->version == VERSION_LATER)
        return;
    world_trace(world, "%s is updated", host->name);
    for (int i = 0; i < world->laptop_count; i++) {
        if (laptop_host(&world->laptops[i]) == host)
            laptop_stop(&world->laptops[i]);
    }
    host->version = VERSION_LATER;
    world->result.updates++;
    if (world_chance(world, 30))
        sim_disk_die_after(host->disk, 1 + (int)world_below(world, 80));
    laptop_start_soon(host, world_below(world, 400000));
}

void version_act(struct world *world)
{
    if (world->server_version == VERSION_FIRST && world_chance(world, 30))
        migrate_server(world);
    else
        update_laptop(world, laptop_host(&world->laptops[world_below(world, world->laptop_count)]));
}

bool version_exists(const struct world *world)
{
    return world->swarm.has_versions;
}

#define SOME(column, table) "(select " column " from " table " order by md5(" column "::text || '%" PRId64 "') limit 1)"

void version_write_statement(struct world *world, char *out, size_t size)
{
    int64_t salt = world_below(world, 1000000), other = world_below(world, 1000000), number = world_below(world, 1000);
    switch (world_below(world, 8)) {
    case 0:
        snprintf(out, size, "update person set nick = nullif('nick %" PRId64 "', 'nick 7'), level = level + 1 where id = " SOME("id", "person"),
                 number % 10, salt);
        break;
    case 1:
        snprintf(out, size, "update job set title = null where id = " SOME("id", "job"), salt);
        break;
    case 2:
        snprintf(out, size, "update job set state = 'paused' where id = " SOME("id", "job"), salt);
        break;
    case 3:
        snprintf(out, size, "update job set rank = rank + 1 where number %% 4 = %" PRId64, number % 4);
        break;
    case 4:
    case 5:
        snprintf(out, size, "insert into badge (id, person_id, text, job_id) values ('b%" PRId64 "', " SOME("id", "person") ", 'psql %" PRId64
                 "', " SOME("id", "job") ") on conflict do nothing", number, salt, number, other);
        break;
    case 6:
        snprintf(out, size, "update badge set text = 'psql', person_id = " SOME("id", "person") ", job_id = " SOME("id", "job") " where id = "
                 SOME("id", "badge"), salt, other, number);
        break;
    default:
        snprintf(out, size, "delete from badge where id = " SOME("id", "badge"), salt);
        break;
    }
}
