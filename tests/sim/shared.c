// What all runs share: a cluster, and a template of the database that each run begins with.
#include "base/alloc.h"
#include "db/pg/pg.h"
#include "server/ddl.h"
#include "sim.schema.charle.h"
#include "sim/world.h"
#include "support/pg_cluster.h"

#include <stdio.h>

struct world_shared {
    struct ch_pg_cluster *cluster;
    char url[CH_PG_CLUSTER_URL_SIZE];
};

static const char database[] = "sim";
static const char template[] = "sim_template";

static bool exec(struct charle_db *db, const char *sql)
{
    struct charle_error err = {0};
    if (charle_exec_script(db, sql, &err) == CHARLE_OK)
        return true;
    fprintf(stderr, "sim: %s\n", err.text);
    return false;
}

static bool with_database(const char *url, bool (*fn)(struct charle_db *db, const char *argument), const char *argument)
{
    struct charle_error err = {0};
    struct charle_db *db = NULL;
    if (ch_pg_open(url, NULL, &db, &err)) {
        fprintf(stderr, "sim: %s\n", err.text);
        return false;
    }
    bool is_done = fn(db, argument);
    charle_db_close(db);
    return is_done;
}

static bool copy_template(struct charle_db *db, const char *argument)
{
    (void)argument;
    return exec(db, "set lock_timeout = 0") && exec(db, "drop database if exists sim with (force)") &&
           exec(db, "create database sim template sim_template");
}

static bool settle_epoch(struct charle_db *db, const char *argument)
{
    (void)argument;
    return exec(db, "update charle.cluster set at = pg_postmaster_start_time(), home = tableoid; "
                    "update charle.head set at = pg_postmaster_start_time(), home = tableoid");
}

static bool no_epoch(struct charle_db *db, const char *argument)
{
    (void)argument;
    return exec(db, "update charle.cluster set at = '-infinity'; update charle.head set at = '-infinity'");
}

static bool empty_database(struct charle_db *db, const char *argument)
{
    (void)argument;
    return exec(db, "set lock_timeout = 0") && exec(db, "drop database if exists sim with (force)") &&
           exec(db, "create database sim template template0 encoding 'UTF8' locale 'C'");
}

bool world_load_dump(struct world *world)
{
    struct ch_pg_cluster *cluster = world->options.shared->cluster;
    return with_database(ch_pg_cluster_url(cluster), empty_database, NULL) && ch_pg_cluster_load(cluster, database);
}

bool world_make_database(struct world *world)
{
    struct world_shared *shared = world->options.shared;
    if (!with_database(ch_pg_cluster_url(shared->cluster), copy_template, NULL)) {
        world_fail(world, "the database cannot be made");
        return false;
    }
    ch_pg_cluster_database_url(shared->cluster, database, NULL, shared->url);
    // The cluster may have started since the template was made: a new epoch then begins at the first write. Here the
    // dice say whether it does.
    if (with_database(shared->url, world_chance(world, 70) ? settle_epoch : no_epoch, NULL))
        return true;
    world_fail(world, "the epoch cannot be set");
    return false;
}

const char *world_database_url(struct world *world)
{
    return world->options.shared->url;
}

struct ch_pg_cluster *world_cluster(struct world *world)
{
    return world->options.shared->cluster;
}

// People A to D: A and D lead, A and B keep areas. Each has an account; everybody counts.
static const char seed_sql[] =
    "insert into person values ('A', 'Ann', true, true), ('B', 'Ben', true, false), ('C', 'Cid', true, false), ('D', "
    "'Dot', true, true);"
    "insert into area values ('X', 'north', 'A'), ('Y', 'south', 'B'), ('Z', 'west', null);"
    "insert into account select 'acc' || id, id, 1000 from person;"
    "insert into tally select 't' || n, 0 from generate_series(1, 3) n;"
    "insert into job (id, title, area_id, owner_id, state, starts, ends, price, hits, labels, note, code, updated_at)"
    "  select 'job' || n, 'title ' || n, (array['X', 'Y', 'Z'])[1 + n % 3], (array['A', 'B', 'C', 'D'])[1 + n % 4],"
    "         (array['draft', 'open', 'done'])[1 + n % 3], n, n + 5, n * 100, 0, array['l' || n % 2], 'first' || "
    "chr(10) || chr(10) || 'second',"
    "         case when n % 4 = 0 then 'c' || n end, '2026-01-01' from generate_series(1, 12) n;"
    "insert into assignee select 'job' || n, (array['A', 'B', 'C', 'D'])[1 + (n * 7) % 4] from generate_series(1, 12, "
    "2) n;"
    "insert into remark select 'remark' || n, 'job' || 1 + n % 12, (array['A', 'B', 'C', 'D'])[1 + n % 4], 'said ' || "
    "n from generate_series(1, 8) n;";

// Epochs begin at the world's seconds and have numbers of the world's luck, which each connection brings along: the same seed sees the same ones, and
// a past that was lost may have used the seconds that come next.
static const char clock_sql[] =
    "do $do$ begin execute replace(replace(pg_get_functiondef('charle.epoch_now()'::regprocedure), 'clock_timestamp()',"
    "  '(timestamptz ''2026-01-01'' + current_setting(''sim.seconds'')::int * interval ''1 s'')'),"
    "  'gen_random_uuid()::text', 'md5(current_setting(''sim.luck''))'); end $do$;"
    "update charle.cluster set server_id = decode(md5('sim'), 'hex');";

// Heads are raised in the order of their scopes, or two transactions could wait for each other. Several that are raised
// in one statement were locked in that order before. A transaction that raises twice says so.
static const char order_sql[] =
    "create schema sim; create table sim.complaint (what text);"
    "create function sim.in_order() returns trigger language plpgsql security definer set search_path = pg_catalog, "
    "pg_temp as $f$"
    "  declare last text := coalesce(current_setting('sim.last', true), ''); mark text := pg_current_xact_id()::text "
    "|| ' '; scope_ text;"
    "  begin"
    "    select min(n.scope) into scope_ from n having count(*) = 1;"
    "    if left(last, length(mark)) = mark and scope_ < substr(last, length(mark) + 1) collate \"C\""
    "        and coalesce(current_setting('sim.again', true), '') = '' then"
    "      insert into sim.complaint values (scope_ || ' was raised behind ' || substr(last, length(mark) + 1)); end "
    "if;"
    "    perform pg_catalog.set_config('sim.last', mark || scope_, true) where scope_ is not null; return null;"
    "  end $f$;"
    "create trigger in_order after update on charle.head referencing new table as n for each statement execute "
    "function sim.in_order();"
    "create trigger in_order_new after insert on charle.head referencing new table as n for each statement execute "
    "function sim.in_order();";

// A connection that was told to breaks. It says so in a warning, because the server's connections do not hear notices.
static const char bomb_sql[] =
    "create function sim.light(text) returns text language sql as"
    "  $$ select case $1 when 'now' then pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid())::text"
    "     else pg_catalog.set_config('sim.bomb', $1, false) end $$;"
    "create function sim.burn() returns trigger language plpgsql security definer as $f$ begin"
    "  if pg_catalog.current_setting('sim.bomb', true) = tg_argv[0] then perform "
    "pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid()); end if;"
    "  return null; end $f$;"
    "create trigger a_burn after update on charle.device for each row execute function sim.burn('push');"
    "alter function charle.keyed(text) rename to keyed_right; "
    "create function charle.keyed(a_pending text, out pending text, out txn int8) language plpgsql security definer as "
    "$f$ begin"
    "  if pg_catalog.current_setting('sim.bomb', true) = 'commit' then raise warning 'sim: bomb'; end if;"
    "  select k.pending, k.txn into strict pending, txn from charle.keyed_right(a_pending) k; end $f$;";

// One thread runs everybody, so whoever waits for another's lock waits in vain: however long somebody is ready to wait,
// he is told at once. The server's connections find this function before PostgreSQL's own.
static const char patience_sql[] =
    "create function sim.set_config(text, text, bool) returns text language sql as"
    "  $$ select pg_catalog.set_config($1, case $1 when 'lock_timeout' then '" WORLD_LOCK_TIMEOUT
    "' else $2 end, $3) $$;";

static bool fill_template(struct charle_db *db, const char *argument)
{
    struct charle_buf ddl = {0};
    (void)argument;
    ch_ddl_write(&sim_schema_tables, &ddl);
    const char *text = charle_buf_text(&ddl);
    bool is_done = exec(db, ch_platform_sql) && exec(db, clock_sql) && exec(db, order_sql) && exec(db, patience_sql) &&
                   exec(db, bomb_sql) && exec(db, "set sim.seconds = 0; set sim.luck = ''") && text && exec(db, text) &&
                   exec(db, seed_sql) && exec(db, "analyze");
    charle_buf_deinit(&ddl);
    return is_done;
}

// Recovery moves sequences on, by up to 32 numbers: it does not begin before the template was made, or worlds behind the first crash would begin
// with other numbers than those before it.
static bool write_down(struct charle_db *db, const char *argument)
{
    (void)argument;
    return exec(db, "checkpoint");
}

struct world_shared *world_shared_new(void)
{
    // One session is active at a time; plans and their order of rows shall not depend on the machine.
    static const char *const settings[] = {"autovacuum=off", "jit=off", "max_parallel_workers_per_gather=0",
                                           "synchronize_seqscans=off", "timezone=UTC", "max_connections=20",
                                           "shared_buffers=64MB",
                                           "lock_timeout=" WORLD_LOCK_TIMEOUT, // what `to default` means
                                           // Commits that nobody waits for stay in memory until somebody else's are written.
                                           "wal_writer_delay=10s",
                                           // A checkpoint in the middle changes how far a sequence jumps in a crash.
                                           "checkpoint_timeout=1d", "max_wal_size=4GB",
                                           // A standby gets what was written since it began (failover.c).
                                           "wal_keep_size=128MB", NULL};
    const struct ch_pg_cluster_options options = {.settings = settings};
    char url[CH_PG_CLUSTER_URL_SIZE];
    struct world_shared *shared = ch_alloc_zeroed(1, sizeof(*shared));
    CHARLE_ASSERT(shared);
    shared->cluster = ch_pg_cluster_start(&options);
    if (!shared->cluster || !ch_pg_cluster_database(shared->cluster, template, url) ||
        !with_database(url, fill_template, NULL) || !with_database(ch_pg_cluster_url(shared->cluster), write_down, NULL)) {
        world_shared_free(shared);
        return NULL;
    }
    return shared;
}

void world_shared_free(struct world_shared *shared)
{
    if (shared)
        ch_pg_cluster_stop(shared->cluster);
    ch_free(shared);
}
