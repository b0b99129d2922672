// The server's connections and its program: made, broken, stopped and started, on the same database, on an older one, on one of a later schema.
//
//   what happens               the program             the follower's memory        PostgreSQL
//   the connection breaks      goes on, mends it       kept                         goes on
//   server_restart             anew; streams end       gone                         goes on
//   server_lose_postgres       goes on, or anew        kept, or gone                stops at once; comes back as it was, or older
//   server_load                goes on, or anew        kept, or gone                goes on; a dump is loaded into the database
//   server_migrate             anew, of the later      gone                         goes on; the database is migrated
//   server_save, server_copy   anew, unless a dump     gone, unless a dump          stops in an orderly way and starts again, unless a dump
//
// The server owns its connections (one to answer, one of the follower, one of the oracle, some of writers) and all of the program. What cannot be
// made again fails the world.
#include "sim/serve_parts.h"

#include "base/alloc.h"
#include "db/pg/pg.h"
#include "sim/versions.h"
#include "support/pg_cluster.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define LUCK_SALT 0x10c4ce5700d1ceu

// --- connections ----------------------------------------------------------------------------------------------------

// PostgreSQL says "bomb" in the last statement before a commit: nothing more is sent, and the commit never comes.
static void on_notice(void *ctx, const char *text)
{
    struct server *server = ctx;
    if (strstr(text, "sim: bomb") && server->db)
        (void)shutdown(PQsocket(ch_pg_connection(server->db)), SHUT_WR);
}

static bool open_handle(struct server *server, struct charle_db **db)
{
    struct charle_error err = {0};
    char settings[200];
    snprintf(settings, sizeof(settings),
             "set search_path = sim, pg_catalog, public; set synchronous_commit = on; set sim.seconds = %d; set sim.luck = '%" PRIx64 "'",
             server->seconds, dice_throw(&server->luck));
    if (ch_pg_open(world_database_url(server->world), NULL, db, &err) == CHARLE_OK &&
        charle_exec_script(*db, settings, &err) == CHARLE_OK) {
        (void)PQsetNoticeProcessor(ch_pg_connection(*db), on_notice, server);
        return true;
    }
    world_fail(server->world, "no connection to PostgreSQL: %s", err.text);
    return false;
}

// The connection breaks by itself: at the next statement, in the middle of a push, or at its commit.
static const char *const bombs[] = {"now", "push", "commit"};

void server_light(struct server *server)
{
    char sql[80];
    struct charle_error err;
    if (!server->bomb)
        return;
    snprintf(sql, sizeof(sql), "select sim.light('%s')", bombs[server->bomb - 1]);
    world_trace(server->world, "the server's connection breaks: %s", bombs[server->bomb - 1]);
    server->bomb = 0;
    (void)!charle_exec(server->db, sql, NULL, 0, NULL, &err);
}

void server_mend(struct server *server)
{
    if (server->db && PQstatus(ch_pg_connection(server->db)) == CONNECTION_OK)
        return;
    charle_db_close(server->db);
    server->db = NULL;
    (void)open_handle(server, &server->db);
}

void server_arm(struct server *server)
{
    server->bomb = 1 + (int)world_below(server->world, (int64_t)(sizeof(bombs) / sizeof(bombs[0])));
}

static bool connect_all(struct server *server)
{
    bool is_done = open_handle(server, &server->db) && open_handle(server, &server->tick_db) &&
                   open_handle(server, &server->oracle_db);
    for (int i = 0; is_done && i < WRITERS; i++)
        is_done = open_handle(server, &server->writers[i]);
    return is_done;
}

static void disconnect_all(struct server *server)
{
    struct charle_db **all[] = {&server->db, &server->tick_db, &server->oracle_db, &server->writers[0],
                                &server->writers[1]};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        charle_db_close(*all[i]);
        *all[i] = NULL;
    }
}

struct charle_db *server_db(struct server *server)
{
    return server->oracle_db;
}

struct charle_db *server_writer(struct server *server, int index)
{
    return server->writers[index];
}

// --- life -----------------------------------------------------------------------------------------------------------

static void stop(struct server *server)
{
    ch_ticks_free(server->ticks);
    ch_skews_free(server->skews);
    ch_sync_free(server->sync);
    charle_method_table_deinit(&server->methods);
    server->ticks = NULL;
    server->skews = NULL;
    server->sync = NULL;
    server->methods = (struct charle_method_table){0};
}

// A program of the server, of the version that it has now.
static bool start(struct server *server)
{
    const struct charle_schema *schema = version_schema(server->world->server_version);
    struct charle_error err = {0};
    if (charle_method_table_init(&server->methods, schema->services, schema->service_count, &err) == CHARLE_OK &&
        ch_sync_new(schema, &server->methods, &server->sync, &err) == CHARLE_OK &&
        ch_skews_new(server->sync, &server->methods, &server->skews, &err) == CHARLE_OK &&
        ch_ticks_new(server->sync, &server->ticks, &err) == CHARLE_OK)
        return true;
    world_fail(server->world, "%s", err.text);
    return false;
}

struct server *server_new(struct world *world)
{
    struct charle_error err = {0};
    struct server *server = ch_alloc_zeroed(1, sizeof(*server));
    CHARLE_ASSERT(server);
    server->world = world;
    dice_seed(&server->luck, world->options.seed ^ LUCK_SALT);
    if (!connect_all(server) || !start(server)) {
        server_free(server);
        return NULL;
    }
    if (!plant_in_database(world, server->db, &err))
        world_fail(world, "%s", err.text);
    return server;
}

static void drop_streams(struct server *server)
{
    struct world *world = server->world;
    for (size_t i = 0; i < world->call_count; i++) {
        struct net_call *call = world->calls[i];
        if (call->stream)
            server_end_stream(call, CHARLE_UNAVAILABLE);
    }
    for (int i = 0; i < WORLD_LAPTOPS; i++) {
        charle_arena_deinit(&server->sessions[i].arena);
        server->sessions[i] = (struct session){0};
    }
}

void server_free(struct server *server)
{
    if (!server)
        return;
    drop_streams(server);
    stop(server);
    disconnect_all(server);
    charle_buf_deinit(&server->page);
    ch_free(server);
}

void server_restart(struct server *server)
{
    struct world *world = server->world;
    world_trace(world, "server restarts");
    world->result.server_restarts++;
    drop_streams(server);
    stop(server);
    for (int i = 0; i < world->laptop_count; i++) {
        struct laptop *laptop = &world->laptops[i];
        if (laptop->is_on && laptop->is_linked && !laptop->is_dead_end)
            net_cut(laptop, 100 + world_below(world, 3000), 1000 + world_below(world, 500000));
    }
    (void)start(server);
}

bool server_lose_postgres(struct server *server, const char *what, bool (*come_back)(struct ch_pg_cluster *cluster))
{
    struct world *world = server->world;
    struct ch_pg_cluster *cluster = world_cluster(world);
    bool is_older = come_back != ch_pg_cluster_resume;
    world_trace(world, "%s", what);
    // The server's own connections learn of it the hard way; the follower keeps what it knows, or not.
    bool is_other = is_older && version_go_back(world), keeps_ticks = world_chance(world, 50) && !is_other;
    if (!keeps_ticks)
        server_restart(server);
    if (!ch_pg_cluster_halt(cluster, true) || !come_back(cluster)) {
        world_fail(world, "PostgreSQL does not come back");
        return false;
    }
    world->result.postgres_restarts++;
    if (keeps_ticks) { // it sees that the database is away
        struct charle_error err;
        (void)!server_look(server, true, &err);
    }
    disconnect_all(server);
    // An old copy may begin an epoch in the very second in which the past that was lost began one.
    server->seconds += is_older && world_chance(world, 50) ? 0 : 1 + (int)world_below(world, 5);
    return connect_all(server);
}

static bool come_back_older(struct ch_pg_cluster *cluster)
{
    return ch_pg_cluster_restore(cluster) && ch_pg_cluster_resume(cluster);
}

bool server_restart_postgres(struct server *server, bool restore)
{
    return restore ? server_lose_postgres(server, "postgres stops at once, an old copy is put back", come_back_older)
                   : server_lose_postgres(server, "postgres stops at once", ch_pg_cluster_resume);
}

bool server_load(struct server *server)
{
    struct world *world = server->world;
    struct charle_error err;
    world_trace(world, "a dump is put back");
    bool is_other = version_go_back(world), keeps_ticks = world_chance(world, 50) && !is_other;
    if (!keeps_ticks)
        server_restart(server);
    disconnect_all(server);
    if (!world_load_dump(world)) {
        world_fail(world, "the dump cannot be put back");
        return false;
    }
    bool is_connected = connect_all(server);
    if (is_connected && keeps_ticks)
        (void)!server_look(server, true, &err);
    return is_connected;
}

bool server_migrate(struct server *server)
{
    struct world *world = server->world;
    struct charle_error err = {0};
    writer_stop(world);
    disconnect_all(server); // the new program brings connections of its own, and prepares its statements on them
    if (!connect_all(server))
        return false;
    if (version_migrate(world, server->oracle_db, &err)) {
        world_fail(world, "the database cannot be brought to the later schema: %s", err.text);
        return false;
    }
    server_restart(server);
    return true;
}

bool server_save(struct server *server, bool is_dump)
{
    if (!is_dump)
        return server_copy(server, "the database is copied", ch_pg_cluster_save);
    world_trace(server->world, "the database is dumped");
    return ch_pg_cluster_dump(world_cluster(server->world), "sim");
}

bool server_copy(struct server *server, const char *what, bool (*make)(struct ch_pg_cluster *cluster))
{
    struct ch_pg_cluster *cluster = world_cluster(server->world);
    world_trace(server->world, "%s", what);
    server_restart(server);
    disconnect_all(server);
    if (!ch_pg_cluster_halt(cluster, false) || !make(cluster) || !ch_pg_cluster_resume(cluster)) {
        world_fail(server->world, "the database cannot be copied");
        return false;
    }
    server->seconds += (int)world_below(server->world, 12) - 5; // clocks go wrong
    return connect_all(server);
}
