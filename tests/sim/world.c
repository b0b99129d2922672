#include "sim/world.h"

#include "base/alloc.h"
#include "db/pg/pg.h"
#include "server/ddl.h"
#include "sim.schema.charle.h"
#include "sim/disk.h"
#include "support/pg_cluster.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { END_STEPS_MAX = 20000, SETTLE_EVERY = 50, QUEUE_MAX = 200000 };

struct world_shared {
    struct ch_pg_cluster *cluster;
    char url[CH_PG_CLUSTER_URL_SIZE];
};

static const char database[] = "sim";
static const char template[] = "sim_template";

// --- dice, clock, trace -----------------------------------------------------------------------------------------------------------

static uint64_t rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

// xoshiro256**, seeded by splitmix64.
uint64_t world_random(struct world *world)
{
    uint64_t *s = world->dice, result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

static void seed_dice(struct world *world, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = (seed += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        world->dice[i] = z ^ (z >> 31);
    }
}

int64_t world_below(struct world *world, int64_t bound)
{
    return bound > 0 ? (int64_t)(world_random(world) % (uint64_t)bound) : 0;
}

bool world_chance(struct world *world, int percent)
{
    return world_below(world, 100) < percent;
}

int64_t world_delay(struct world *world, int64_t mean_us)
{
    int64_t delay = 1 + world_below(world, 2 * mean_us);
    return world_chance(world, 4) ? delay * 8 : delay;
}

int64_t world_wall(const struct world *world)
{
    return world->now + world->wall_offset;
}

void world_trace(struct world *world, const char *format, ...)
{
    char line[400];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    uint64_t hash = world->result.trace_hash;
    for (const char *at = line; *at; at++)
        hash = (hash ^ (uint8_t)*at) * 0x100000001b3u;
    world->result.trace_hash = hash;
    if (world->options.is_traced)
        printf("%6" PRId64 " %10.3f ms  %s\n", world->result.steps, (double)world->now / 1000, line);
}

void world_fail(struct world *world, const char *format, ...)
{
    char words[420];
    if (world->result.has_failed)
        return; // the first one says what went wrong
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    world->result.has_failed = true;
    snprintf(world->result.problem, sizeof(world->result.problem), "seed %" PRIu64 ", step %" PRId64 ": %s\n  again: %s --seed %" PRIu64 " --steps %d%s --trace",
             world->options.seed, world->result.steps, words, world->options.program ? world->options.program : "sim_test", world->options.seed,
             world->options.steps, world->options.may_restore ? " --restore" : world->options.may_restart_postgres ? " --restart" : "");
    if (world->options.is_traced)
        printf("FAILED %s\n", words);
}

// --- the queue ----------------------------------------------------------------------------------------------------------------------

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void swap_events(struct event *a, struct event *b)
{
    struct event t = *a;
    *a = *b;
    *b = t;
}

struct event *world_schedule(struct world *world, int64_t delay_us, enum event_kind kind)
{
    CHARLE_ASSERT(world->queue_count < QUEUE_MAX);
    if (world->queue_count == world->queue_capacity) {
        world->queue_capacity = world->queue_capacity ? world->queue_capacity * 2 : 256;
        world->queue = realloc(world->queue, world->queue_capacity * sizeof(*world->queue));
        CHARLE_ASSERT(world->queue);
    }
    size_t at = world->queue_count++;
    world->queue[at] = (struct event){.at = world->now + (delay_us > 0 ? delay_us : 0), .order = ++world->next_order, .kind = kind, .laptop = -1};
    while (at && is_before(&world->queue[at], &world->queue[(at - 1) / 2])) {
        swap_events(&world->queue[at], &world->queue[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    return &world->queue[at];
}

static struct event take_event(struct world *world)
{
    struct event first = world->queue[0];
    world->queue[0] = world->queue[--world->queue_count];
    for (size_t at = 0;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < world->queue_count && is_before(&world->queue[child + 1], &world->queue[child]))
            child++;
        if (child >= world->queue_count || !is_before(&world->queue[child], &world->queue[at]))
            return first;
        swap_events(&world->queue[child], &world->queue[at]);
        at = child;
    }
}

// --- one step -------------------------------------------------------------------------------------------------------------------------

static void link_event(struct world *world, struct event *event)
{
    struct laptop *laptop = &world->laptops[event->laptop];
    if (!laptop->is_on || event->token != laptop->link_token)
        return;
    world_trace(world, "%s link %s", laptop->name, event->flag ? "up" : "down");
    if (!event->flag)
        net_break(laptop);
    laptop->is_linked = event->flag;
    laptop->is_dead_end = false;
    ch_client_core_on_connected(laptop->core, event->flag);
    laptop_after(laptop);
}

static void laptop_event(struct world *world, struct event *event)
{
    struct laptop *laptop = &world->laptops[event->laptop];
    switch ((int)event->kind) {
    case EVENT_TIMER:
        if (laptop->is_on && event->token == laptop->timer_token) {
            laptop->timer_at = INT64_MAX;
            ch_client_core_on_timer(laptop->core);
            laptop_after(laptop);
        }
        break;
    case EVENT_BOOT:
        if (!laptop->is_on && event->token == laptop->boot_token)
            laptop_boot(laptop);
        break;
    case EVENT_USER:
        if (!world->is_healing) {
            if (laptop->is_on)
                laptop_act(laptop);
            world_schedule(world, world_delay(world, world->user_us), EVENT_USER)->laptop = event->laptop;
        }
        break;
    }
}

static void step(struct world *world)
{
    struct event event = take_event(world);
    world->now = event.at > world->now ? event.at : world->now;
    world->result.steps++;
    switch (event.kind) {
    case EVENT_REQUEST:
    case EVENT_MESSAGE:
    case EVENT_DONE:
    case EVENT_TIMEOUT:
        net_event(world, &event);
        break;
    case EVENT_LINK:
        link_event(world, &event);
        break;
    case EVENT_TIMER:
    case EVENT_BOOT:
    case EVENT_USER:
        laptop_event(world, &event);
        break;
    case EVENT_WRITER:
        if (!world->is_healing) {
            writer_act(world);
            world_schedule(world, world_delay(world, world->writer_us), EVENT_WRITER);
        }
        break;
    case EVENT_NEMESIS:
        if (!world->is_healing) {
            nemesis_act(world);
            world_schedule(world, world_delay(world, world->nemesis_us), EVENT_NEMESIS);
        }
        break;
    case EVENT_PUMP:
        server_pump(world->server);
        break;
    }
    free(event.bytes);
}

// --- the end: everything heals, and within a bounded number of steps all is one -------------------------------------------------------

static void heal(struct world *world)
{
    world->is_healing = true;
    world_trace(world, "heal");
    writer_stop(world);
    for (int i = 0; i < world->laptop_count; i++) {
        struct laptop *laptop = &world->laptops[i];
        sim_disk_calm(laptop->disk);
        if (!laptop->is_on)
            laptop_boot(laptop);
        if (!laptop->is_on)
            return;
        if (laptop->is_dead_end) { // what vanished is gone; a new connection is needed
            struct event *down = world_schedule(world, 1, EVENT_LINK);
            down->laptop = i;
            down->token = laptop->link_token = ++world->next_token;
            laptop->is_linked = false;
            ch_client_core_on_connected(laptop->core, false);
            net_break(laptop);
        }
        if (!laptop->is_linked) {
            struct event *up = world_schedule(world, 1000, EVENT_LINK);
            up->laptop = i;
            up->flag = true;
            up->token = laptop->link_token = ++world->next_token;
        }
        laptop_after(laptop);
    }
}

static bool all_idle(struct world *world)
{
    for (int i = 0; i < world->laptop_count; i++) {
        if (!laptop_is_idle(&world->laptops[i]) || !oracle_is_newest(world->oracle, &world->laptops[i]))
            return false;
    }
    return true;
}

static bool is_settled(struct world *world, int64_t *tickets, bool is_verify)
{
    struct charle_verify_report report;
    for (int i = 0; i < world->laptop_count; i++) {
        struct ch_client_core *core = world->laptops[i].core;
        if ((is_verify ? ch_client_core_verified(core, &report) : ch_client_core_synced(core)) < tickets[i] || !tickets[i])
            return false;
    }
    return all_idle(world);
}

static void run_until_settled(struct world *world, bool is_verify)
{
    int64_t tickets[WORLD_LAPTOPS], limit = world->result.steps + END_STEPS_MAX;
    for (int i = 0; i < world->laptop_count; i++) {
        struct ch_client_core *core = world->laptops[i].core;
        tickets[i] = is_verify ? ch_client_core_verify(core) : ch_client_core_sync(core);
        laptop_after(&world->laptops[i]);
    }
    while (!world->result.has_failed && world->queue_count && world->result.steps < limit) {
        step(world);
        if (world->result.steps % SETTLE_EVERY == 0 && is_settled(world, tickets, is_verify))
            return;
    }
    struct charle_buf words = {0};
    for (int i = 0; i < world->laptop_count; i++)
        laptop_describe(&world->laptops[i], &words);
    world_fail(world, "not settled %d steps after everything healed (%s):%s", END_STEPS_MAX, is_verify ? "verify" : "sync", charle_buf_text(&words));
    charle_buf_deinit(&words);
}

static void end_phase(struct world *world)
{
    struct charle_verify_report report;
    heal(world);
    if (world->result.has_failed)
        return;
    run_until_settled(world, false);
    for (int i = 0; !world->result.has_failed && i < world->laptop_count; i++) {
        struct laptop *laptop = &world->laptops[i];
        oracle_check_seen(world->oracle, laptop);
        oracle_check_outbox(world->oracle, laptop);
        oracle_check_rebase(world->oracle, laptop);
        oracle_check_laptop(world->oracle, laptop, true);
    }
    if (!world->result.has_failed)
        run_until_settled(world, true);
    for (int i = 0; !world->result.has_failed && i < world->laptop_count; i++) {
        (void)ch_client_core_verified(world->laptops[i].core, &report);
        if (report.rows_different)
            world_fail(world, "%s: verify found %" PRId64 " different rows of %" PRId64 " in a replica that equals the server", world->laptops[i].name,
                       report.rows_different, report.rows);
        oracle_check_laptop(world->oracle, &world->laptops[i], true);
    }
}

// --- making a world ---------------------------------------------------------------------------------------------------------------------

static void draw_temper(struct world *world)
{
    world->drop_percent = world_chance(world, 30) ? 0 : (int)world_below(world, 6);
    world->duplicate_percent = world_chance(world, 30) ? 0 : (int)world_below(world, 15);
    world->slow_percent = (int)world_below(world, 10);
    world->user_us = 60000 + (int)world_below(world, 300000);
    world->writer_us = 80000 + (int)world_below(world, 500000);
    world->nemesis_us = 300000 + (int)world_below(world, 1500000);
}

static void populate(struct world *world)
{
    static const char *const devices[WORLD_LAPTOPS][2] = {{"a1", "A"}, {"a2", "A"}, {"b1", "B"}, {"c1", "C"}, {"d1", "D"}};
    world->laptop_count = 3 + (int)world_below(world, WORLD_LAPTOPS - 2);
    for (int i = 0; i < world->laptop_count; i++) {
        laptop_init(&world->laptops[i], world, i, devices[i][0], devices[i][1]);
        struct event *boot = world_schedule(world, 1 + world_below(world, 400000), EVENT_BOOT);
        boot->laptop = i;
        boot->token = world->laptops[i].boot_token;
        world_schedule(world, world_delay(world, world->user_us), EVENT_USER)->laptop = i;
    }
    world_schedule(world, world_delay(world, world->writer_us), EVENT_WRITER);
    world_schedule(world, world_delay(world, world->nemesis_us), EVENT_NEMESIS);
    world_schedule(world, 1000, EVENT_PUMP);
}

static void destroy(struct world *world)
{
    for (int i = 0; i < world->laptop_count; i++)
        laptop_deinit(&world->laptops[i]);
    server_free(world->server);
    for (size_t i = 0; i < world->queue_count; i++)
        free(world->queue[i].bytes);
    for (size_t i = 0; i < world->call_count; i++) {
        free(world->calls[i]->request);
        free(world->calls[i]);
    }
    free(world->calls);
    free(world->queue);
    oracle_free(world->oracle);
}

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
    return exec(db, "set lock_timeout = 0") && exec(db, "drop database if exists sim with (force)") && exec(db, "create database sim template sim_template");
}

static bool settle_epoch(struct charle_db *db, const char *argument)
{
    (void)argument;
    return exec(db, "update charle.cluster set at = pg_postmaster_start_time(); update charle.head set at = pg_postmaster_start_time()");
}

static bool no_epoch(struct charle_db *db, const char *argument)
{
    (void)argument;
    return exec(db, "update charle.cluster set at = '-infinity'; update charle.head set at = '-infinity'");
}

void world_run(const struct world_options *options, struct world_result *out)
{
    struct world_shared *shared = options->shared;
    struct world *world = ch_alloc_zeroed(1, sizeof(*world));
    CHARLE_ASSERT(world);
    world->options = *options;
    world->result.trace_hash = 0xcbf29ce484222325u;
    world->now = 1000000;
    world->wall_offset = (int64_t)1767225600 * 1000000; // 2026-01-01
    seed_dice(world, options->seed);
    draw_temper(world);
    if (!with_database(ch_pg_cluster_url(shared->cluster), copy_template, NULL)) {
        world_fail(world, "the database cannot be made");
        goto done;
    }
    ch_pg_cluster_database_url(shared->cluster, database, NULL, shared->url);
    // The cluster may have started since the template was made: a new epoch then begins at the first write. Here the dice say whether it does.
    if (!with_database(shared->url, world_chance(world, 70) ? settle_epoch : no_epoch, NULL)) {
        world_fail(world, "the epoch cannot be set");
        goto done;
    }
    world->server = server_new(world);
    world->oracle = world->server ? oracle_new(world) : NULL;
    if (!world->oracle) {
        world_fail(world, "the server cannot be started");
        goto done;
    }
    oracle_commit(world->oracle, "begin");
    populate(world);
    while (!world->result.has_failed && world->result.steps < options->steps)
        step(world);
    if (!world->result.has_failed)
        end_phase(world);
done:
    destroy(world);
    *out = world->result;
    ch_free(world);
}

// --- what all runs share ------------------------------------------------------------------------------------------------------------------

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
    "insert into person values ('A', 'Ann', true, true), ('B', 'Ben', true, false), ('C', 'Cid', true, false), ('D', 'Dot', true, true);"
    "insert into area values ('X', 'north', 'A'), ('Y', 'south', 'B'), ('Z', 'west', null);"
    "insert into account select 'acc' || id, id, 1000 from person;"
    "insert into tally select 't' || n, 0 from generate_series(1, 3) n;"
    "insert into job (id, title, area_id, owner_id, state, starts, ends, price, hits, labels, note, code, updated_at)"
    "  select 'job' || n, 'title ' || n, (array['X', 'Y', 'Z'])[1 + n % 3], (array['A', 'B', 'C', 'D'])[1 + n % 4],"
    "         (array['draft', 'open', 'done'])[1 + n % 3], n, n + 5, n * 100, 0, array['l' || n % 2], 'first' || chr(10) || chr(10) || 'second',"
    "         case when n % 4 = 0 then 'c' || n end, '2026-01-01' from generate_series(1, 12) n;"
    "insert into assignee select 'job' || n, (array['A', 'B', 'C', 'D'])[1 + (n * 7) % 4] from generate_series(1, 12, 2) n;"
    "insert into remark select 'remark' || n, 'job' || 1 + n % 12, (array['A', 'B', 'C', 'D'])[1 + n % 4], 'said ' || n from generate_series(1, 8) n;";

// Epochs begin at the world's seconds, which each connection brings along: the same seed sees the same numbers, and a past that was lost may
// have used those that come next.
static const char clock_sql[] =
    "do $do$ begin execute replace(pg_get_functiondef('charle.epoch_now()'::regprocedure), 'clock_timestamp()',"
    "  '(timestamptz ''2026-01-01'' + current_setting(''sim.seconds'')::int * interval ''1 s'')'); end $do$;";

// One thread runs everybody, so whoever waits for another's lock waits in vain: however long somebody is ready to wait, he is told at once. The
// server's connections find this function before PostgreSQL's own.
static const char patience_sql[] =
    "create schema sim; create function sim.set_config(text, text, bool) returns text language sql as"
    "  $$ select pg_catalog.set_config($1, case $1 when 'lock_timeout' then '" WORLD_LOCK_TIMEOUT "' else $2 end, $3) $$;";

static bool fill_template(struct charle_db *db, const char *argument)
{
    struct charle_buf ddl = {0};
    (void)argument;
    ch_ddl_write(&sim_schema_tables, CH_DDL_PG, &ddl);
    const char *text = charle_buf_text(&ddl);
    bool is_done = exec(db, ch_platform_sql) && exec(db, clock_sql) && exec(db, patience_sql) && exec(db, "set sim.seconds = 0") && text && exec(db, text) &&
                   exec(db, seed_sql) && exec(db, "analyze");
    charle_buf_deinit(&ddl);
    return is_done;
}

struct world_shared *world_shared_new(void)
{
    // One session is active at a time; plans and their order of rows shall not depend on the machine.
    static const char *const settings[] = {"autovacuum=off", "jit=off", "max_parallel_workers_per_gather=0", "synchronize_seqscans=off",
                                           "timezone=UTC", "max_connections=20", "shared_buffers=64MB",
                                           "lock_timeout=" WORLD_LOCK_TIMEOUT, // what `to default` means
                                           // A checkpoint in the middle changes how far a sequence jumps in a crash.
                                           "checkpoint_timeout=1d", "max_wal_size=4GB", NULL};
    const struct ch_pg_cluster_options options = {.settings = settings};
    char url[CH_PG_CLUSTER_URL_SIZE];
    struct world_shared *shared = ch_alloc_zeroed(1, sizeof(*shared));
    CHARLE_ASSERT(shared);
    shared->cluster = ch_pg_cluster_start(&options);
    if (!shared->cluster || !ch_pg_cluster_database(shared->cluster, template, url) || !with_database(url, fill_template, NULL)) {
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
