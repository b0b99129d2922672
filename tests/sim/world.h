// A small world that is the same every time: several laptops, a server, a network that lies, foreign writers and a
// demon that breaks things.
//
// Everything runs in one thread. What happens next is the earliest entry of one queue; when, and what, is drawn from
// one generator that starts at the seed. The clients are the real client core and the real replica on SQLite over a
// disk in memory (disk.c); the server is the real server core on a real PostgreSQL (serve.c). Only time, randomness,
// network and disk are the world's.
//
//   world.c     queue, steps                       net.c       calls and messages between laptops and server
//   dice.c      dice, trace                        serve.c     the server and its database
//   versions.c  the schema, and a later one        later/      the later one
//   disk.c      SQLite's files, with power cuts    writer.c    people with psql
//   laptop.c    a client: env, life                nemesis.c   what goes wrong
//   user.c      somebody who works on it           actions.c   what was done, to be done again
//   oracle.c    what must be true                  shrink.c    the fewest actions that a failure needs
//   promised.c  what users and laptops were told
//   finish.c    everything heals                   shared.c    cluster and template
//
// A run fails by world_fail(): it says what, at which step, and how to see it again.
#ifndef CHARLE_TESTS_SIM_WORLD_H
#define CHARLE_TESTS_SIM_WORLD_H

#include "base/arena.h"
#include "base/buf.h"
#include "client/core.h"
#include "client/env.h"
#include "client/replica.h"
#include "db/db.h"
#include "server/sync/sync.h"

enum {
    WORLD_LAPTOPS = 9, // five, copies of them, and second programs on one of these
    WORLD_COPIES = 7,  // the most laptops that are not second programs
    WORLD_FIRST_LAPTOPS = 5,
    WORLD_PEOPLE = 4,
    WORLD_NAME_SIZE = 16,
};

// How long PostgreSQL waits for a lock, whatever it is told: nobody can let go meanwhile.
#define WORLD_LOCK_TIMEOUT "2ms"

// Faults of the world itself, and of the functions in its database, planted to see that the oracle finds them. The
// product's own are counted from PLANT_PRODUCT on (base/plant.h, product.c).
enum world_plant {
    PLANT_NONE,
    PLANT_LOSE_ROW,
    PLANT_HALF_MOMENT,
    PLANT_KEEP_LOST,
    PLANT_FORGET_NUMBERS,
    PLANT_LOSE_OUTBOX,
    PLANT_SILENT_WRITER,
    PLANT_EARLY_CURSOR,
    PLANT_LOSE_GONE,
    PLANT_FORGET_STILL_IN,
    PLANT_CURSOR_AHEAD,
    PLANT_LOSE_SCOPE,
    PLANT_COPY_LOSES_ROW,
    PLANT_NO_REPAIR,
    PLANT_EPOCH_UNCHECKED,
    PLANT_EPOCH_BY_CLOCK,
    PLANT_RAISE_EARLY,
    PLANT_HEADS_UNSORTED,
    PLANT_SECOND_RAISE_LOST,
    PLANT_SPILL_LOST,
    PLANT_TRUNCATE_UNSTAMPED,
    PLANT_FLOOR_NOT_MOVED,
    PLANT_ASYNC_COMMIT,
    PLANT_LEAD_KEPT,
    PLANT_ROT_IN_CLEAR,
    PLANT_DEFAULT_LOST,
    PLANT_COUNT,
    PLANT_PRODUCT = 100,
};

struct plant_spec {
    int plant;
    const char *name, *what;
    bool needs_restart, needs_restore; // of PostgreSQL
    bool is_quick;                     // found so soon that the short form of the tests looks for it
};
// NULL behind the last one. Without the product's when the program was built without them.
const struct plant_spec *plant_at(int index);
const struct plant_spec *plant_named(const char *name); // NULL: there is none

struct world_shared; // the cluster and the template, made once for all runs

struct dice {
    uint64_t state[4];
};

// What somebody did of his own will: everything else follows from it.
struct action {
    int64_t at;    // microseconds of the world's clock
    char kind;     // 'u' a laptop's user, 'w' a foreign writer, 'n' the nemesis
    int who;       // the laptop, or the nemesis' deed
    uint64_t seed; // of the dice it is played with
};
struct actions {
    struct action *items; // owned
    size_t count, capacity;
    int64_t end_at;
};

struct world_options {
    struct world_shared *shared;
    uint64_t seed;
    int steps;
    bool is_traced;            // every step is printed
    bool may_restart_postgres; // costs a second each
    bool may_restore;          // a cold copy is put back once
    int plant;
    const char *program;          // for the command that repeats a run
    int64_t until;                // stops after this step, without an end; 0: goes to the end
    const struct actions *replay; // these and no others; NULL: as the dice say
    struct actions *record;       // gets what was done; NULL: not wanted
};

struct world_result {
    bool has_failed;
    char problem[600];
    const char *rule; // that was broken: the same words for the same rule
    int64_t failed_at_step;
    uint64_t trace_hash;
    // Figures.
    int64_t steps, commits, moments_checked, moments_skipped, rebases_checked, calls_made, calls_judged, calls_rejected,
        calls_merged, calls_repeated;
    int64_t crashes, power_cuts, partitions, server_restarts, postgres_restarts, restores, duplicates, drops, repairs, kills, failovers, flips, rescues, updates, migrations;
};

enum event_kind {
    EVENT_REQUEST = 1, // a call's request reaches the server
    EVENT_MESSAGE,     // a message reaches the client
    EVENT_DONE,        // the end of a call reaches the client
    EVENT_TIMEOUT,     // the client's own limit of a call
    EVENT_TIMER,       // the core asked for it
    EVENT_LINK,        // the connection of a laptop comes or goes
    EVENT_BOOT,        // a laptop starts again
    EVENT_ACTION,      // somebody does something
    EVENT_PUMP,        // the server looks for news for its live streams
};

struct event {
    int64_t at;
    uint64_t order; // of equal times: first come, first served
    enum event_kind kind;
    int laptop;
    uint64_t token; // of timers, links and boots: an older one than the present is void
    struct net_call *call;
    uint8_t *bytes; // owned
    size_t size;
    enum charle_err code;
    bool flag;
    bool is_taken;               // of messages: the core has it already
    char actor;                  // of actions
    const struct action *action; // that is played again
};

// --- laptop.c --------------------------------------------------------------------------------------------------------

struct sim_disk;

struct laptop {
    struct world *world;
    int index;
    char name[WORLD_NAME_SIZE];   // "A1": person A's first device
    char person[WORLD_NAME_SIZE]; // id of the person
    struct dice dice;
    struct sim_disk *disk;
    struct sim_program *program; // what it is for the disk
    char vfs[WORLD_NAME_SIZE];
    struct ch_client_env env;
    struct ch_replica replica;
    struct ch_client_core *core;
    bool is_on;
    bool is_linked;
    bool is_dead_end; // messages vanish without anybody being told
    uint64_t link;    // number of the present connection; calls belong to one
    uint64_t timer_token, link_token, boot_token;
    int64_t timer_at;
    unsigned events; // that the core told since the last look
    int64_t moment;  // index of the newest version it can be at, for the oracle
    // Calls whose success the user has seen: they must never vanish.
    struct seen_call {
        int64_t ticket;
        uint64_t hash; // of method and request; 0: not known
    } * seen;
    size_t seen_count, seen_capacity;
    uint8_t *early; // the message that the core got before its turn; owned
    // A second program on the replica of another laptop: it has that one's disk, and its calls lie in the same outbox. NULL: it is none.
    struct laptop *host;
    struct laptop *leader; // of a host: the program that synchronises; NULL: none does
    bool is_lead_lost;     // of a host, planted: a dead program has the lead
    struct ch_cipher *cipher; // over its disk; NULL: in clear
    int file;                 // of a host: which of its names the replica has now
    int flips;                // of a host: bits that turned over since its file was last known to be whole
    bool is_damaged;          // of a host: it was told
    bool is_signed_out;    // its token was revoked
    int version;           // of a host: of the schema that its programs are built with (versions.h)
};

void laptop_init(struct laptop *laptop, struct world *world, int index, const char *name, const char *person);
void laptop_clone(struct laptop *laptop, struct world *world, int index, const struct laptop *original);
void laptop_add_program(struct laptop *program, struct world *world, int index, struct laptop *host);
struct laptop *laptop_host(struct laptop *laptop); // itself, when it is no second program
int laptop_version(const struct laptop *laptop);   // of its program's schema
void laptop_stop(struct laptop *laptop);           // the program ends, as its user wishes
void laptop_start_soon(struct laptop *laptop, int64_t delay_us);
void laptop_deinit(struct laptop *laptop);
void laptop_boot(struct laptop *laptop); // opens the replica and starts the core
void laptop_crash(struct laptop *laptop, bool is_power_cut); // with all programs on its replica
void laptop_kill(struct laptop *laptop);                     // alone: others on its replica live on
bool laptop_has_company(const struct laptop *laptop);        // another program runs on its replica
int64_t laptop_number(struct laptop *laptop, const char *sql); // from its replica; -1: it cannot be read
void laptop_after(struct laptop *laptop);                      // after each event that its core got
bool laptop_is_idle(struct laptop *laptop);                    // live, nothing waits, nothing is being fetched
void laptop_describe(struct laptop *laptop, struct charle_buf *out);

// --- user.c ----------------------------------------------------------------------------------------------------------

void laptop_act(struct laptop *laptop); // its user does something
// For later/user.c: a text at random from a query of one column, ptr NULL when there is none; one that is made up; the row as the user sees it.
struct charle_str user_pick(struct laptop *laptop, struct charle_arena *arena, const char *from);
struct charle_str user_text(struct laptop *laptop, struct charle_arena *arena, const char *what);
bool user_read_row(struct laptop *laptop, const struct charle_table *schema, struct charle_str key, struct charle_arena *arena, void *out);
void user_call(struct laptop *laptop, const struct charle_method *method, const void *request);

// --- net.c -----------------------------------------------------------------------------------------------------------

enum net_method { NET_OPEN, NET_PULL, NET_COPY, NET_HASH, NET_PUSH, NET_UNKNOWN };

struct net_stream;
struct net_call {
    struct laptop *laptop;
    uint64_t id;   // the core's
    uint64_t link; // the connection it belongs to
    enum net_method method;
    uint8_t *request;
    size_t size;
    bool is_over;              // cancelled or done at the client: nothing more is given to it
    bool is_copy;              // delivered once more by the network: nobody waits for its answer
    bool is_ended;             // the server has said its last word
    int64_t last_at;           // messages of one call stay in order
    struct net_stream *stream; // live: what the server knows about it
};

void net_start(void *ctx, uint64_t id, struct charle_str method, struct charle_bytes request, uint32_t timeout_ms);
void net_cancel(void *ctx, uint64_t id);
bool net_more(void *ctx, uint64_t id, int64_t wait_us, struct charle_bytes *out);
void net_reply(struct net_call *call, struct charle_bytes message);
void net_end(struct net_call *call, enum charle_err code);
void net_cut(struct laptop *laptop, int64_t notice_us,
             int64_t away_us);         // vanishes now, is noticed later, comes back later
void net_break(struct laptop *laptop); // the connection is noticed to be lost
void net_event(struct world *world, struct event *event);
void net_forget_all(struct laptop *laptop); // the program is gone

// --- serve.c ---------------------------------------------------------------------------------------------------------

struct server;
struct ch_pg_cluster;
struct server *server_new(struct world *world);
void server_free(struct server *server);
void server_handle(struct server *server, struct net_call *call);
void server_pump(struct server *server);
void server_restart(struct server *server);                        // everything in memory is lost
bool server_restart_postgres(struct server *server, bool restore); // stop -m immediate, maybe an old copy, start
// PostgreSQL stops at once, and comes back by `come_back`, maybe with an older database; the connections with it.
bool server_lose_postgres(struct server *server, const char *what, bool (*come_back)(struct ch_pg_cluster *cluster));
// PostgreSQL is stopped in peace, `copy` is made, and it starts again.
bool server_copy(struct server *server, const char *what, bool (*copy)(struct ch_pg_cluster *cluster));
bool server_save(struct server *server, bool is_dump);
bool server_migrate(struct server *server); // stops, brings the database to the later schema and starts as the program of that
bool server_load(struct server *server);            // a dump is put back while PostgreSQL goes on
void server_arm(struct server *server);             // its connection breaks soon, at any place
struct charle_db *server_db(struct server *server); // the oracle's handle
struct charle_db *server_writer(struct server *server, int index);

// --- plant.c ---------------------------------------------------------------------------------------------------------

// A page as the planted fault leaves it; false: as it was.
bool plant_spoil_pull(struct world *world, struct charle_bytes message, struct charle_arena *arena,
                      struct charle_buf *out);
bool plant_spoil_copy(struct world *world, struct charle_bytes message, struct charle_arena *arena,
                      struct charle_buf *out);
bool plant_in_database(struct world *world, struct charle_db *db, struct charle_error *err); // false: it cannot be done

// --- product.c -------------------------------------------------------------------------------------------------------

const struct plant_spec *product_plant_at(int index); // NULL behind the last one
void product_limits(struct world *world);             // draws what is constant in the product, where it was built so
void product_plant(int plant);                        // makes it active, and only it

// --- the others ------------------------------------------------------------------------------------------------------

void writer_act(struct world *world);
void writer_act_unsafely(struct world *world); // asks not to wait until its commit is on the disk
void writer_stop(struct world *world);   // the slow one's transaction is given up
int nemesis_choose(struct world *world); // a deed
void nemesis_act(struct world *world, int deed);
const char *nemesis_name(int deed); // NULL: there is none of that number
void world_finish(struct world *world);

// --- failover.c ------------------------------------------------------------------------------------------------------

enum failover_stage { FAILOVER_NONE, FAILOVER_FOLLOWS, FAILOVER_LAGS, FAILOVER_OVER };
bool failover_is_due(const struct world *world, enum failover_stage stage); // in a world that has one
void failover_begin_standby(struct world *world);
void failover_break_line(struct world *world);
void failover_happen(struct world *world);
// A laptop asks for a copy: nobody copies what he had before and was allowed to keep.
void failover_check_copy(struct laptop *laptop, struct charle_bytes request);
void failover_forget(struct world *world, const struct laptop *laptop); // what it had is gone by a fault of its own
void failover_free(struct world *world);

// --- rot.c -----------------------------------------------------------------------------------------------------------

void rot_encrypt(struct laptop *laptop);     // in a world in which bits turn over
const char *rot_file(struct laptop *laptop); // the replica's name
void rot_flip(struct world *world);
// Somebody was told this about a laptop's file. True: it is damage, and bits did turn over.
bool rot_noticed(struct laptop *laptop, enum charle_err code);
bool rot_is_told(struct laptop *laptop);
void rot_mend(struct laptop *laptop); // its user takes out what is left
void rot_look(struct laptop *host);   // at its whole file; mends it if it is damaged

// --- actions.c -------------------------------------------------------------------------------------------------------

void actions_begin(struct world *world);            // schedules what will be done
void actions_join(struct world *world, int laptop); // somebody works on one more laptop
void actions_event(struct world *world, const struct event *event);
void actions_free(struct actions *actions);
bool actions_write(const struct actions *actions, const struct world_options *options, const char *path);
bool actions_read(const char *path, struct actions *actions, struct world_options *options); // false after saying why

// --- shrink.c --------------------------------------------------------------------------------------------------------

// Leaves out of the actions of a failing run whatever the failure does not need. At most `runs_max` runs.
void shrink(const struct world_options *options, const char *rule, struct actions *actions, int runs_max);

struct oracle;
struct oracle *oracle_new(struct world *world);
void oracle_free(struct oracle *oracle);
void oracle_commit(struct oracle *oracle, const char *by); // something may have been committed
void oracle_judged(struct oracle *oracle, const struct charle_push_request *request,
                   const struct charle_push_reply *reply);
void oracle_told_foreign_tally(struct oracle *oracle, const char *id,
                               int64_t delta); // committed with the next oracle_commit
void oracle_saved(struct oracle *oracle);
void oracle_restored(struct oracle *oracle);
void oracle_migrated(struct oracle *oracle); // rows are others without a stamp
void oracle_check_laptop(struct oracle *oracle, struct laptop *laptop, bool must_be_newest);
bool oracle_is_newest(struct oracle *oracle, struct laptop *laptop);
void oracle_check_rebase(struct oracle *oracle, struct laptop *laptop);
bool oracle_hash_call(struct laptop *laptop, int64_t ticket,
                      uint64_t *out); // of method and request; false: it is not there
void oracle_check_seen(struct oracle *oracle, struct laptop *laptop);
void oracle_check_outbox(struct oracle *oracle,
                         struct laptop *laptop); // at the end: everything judged, as the server said

// --- promised.c ------------------------------------------------------------------------------------------------------

// Calls that were answered are in the database.
void oracle_check_answered(struct oracle *oracle, const struct charle_push_request *request,
                           const struct charle_push_reply *reply);
// Calls that go out for the first time do so in the order in which they were made.
void oracle_check_numbers(struct oracle *oracle, struct laptop *laptop, struct charle_bytes push);
// At the end: whatever a laptop was told to be done, is.
void oracle_check_effects(struct oracle *oracle, struct laptop *laptop);

// --- world.c ---------------------------------------------------------------------------------------------------------

struct world {
    struct world_options options;
    struct world_result result;
    struct dice dice, server_dice;
    struct dice *current; // of what happens now
    int64_t now;          // monotonic, microseconds
    int64_t wall_offset;
    struct event *queue; // a heap
    size_t queue_count, queue_capacity;
    uint64_t next_order;
    uint64_t next_token;
    struct net_call **calls;
    size_t call_count, call_capacity;
    struct laptop laptops[WORLD_LAPTOPS];
    int laptop_count;
    struct server *server;
    struct oracle *oracle;
    bool is_healing; // the end phase: no more faults, no more work
    bool has_copies; // of laptops
    int server_version, saved_version; // of the schema (versions.h): the database's, and that of the copy which was taken of it
    bool is_dump;    // and it is a dump
    bool is_copied;  // a cold copy of the database was taken
    enum failover_stage failover_stage;
    struct failover *failover; // owned; NULL: there was none yet
    // How bad this world is; drawn once.
    int drop_percent, duplicate_percent, slow_percent, fragile_percent, user_us, writer_us, nemesis_us;
    // What only some worlds have, drawn from dice of its own: the others are what they would be without. 0: it does not happen.
    struct swarm {
        int burst_percent;     // a user does several things at once, mostly with the same row
        int slow_push_percent; // a push takes long, so that calls wait while pages come
        int between_percent;   // somebody writes between two pages of a pull
        int late_percent;      // a push comes once more, seconds later
        int clock_percent;     // a laptop's clock jumps between two calls
        int die_percent;       // a laptop dies in the middle of a page
        bool has_programs;     // several on one replica
        bool revokes;          // tokens
        bool has_many_copies;  // of laptops, which start at once
        bool has_versions;     // of the schema: laptops and the server are updated
        int early_percent;     // the core gets the next message of a stream before its turn
        bool rots;             // replicas are encrypted, and bits of their files turn over
        bool fails_over;       // to a standby that lacks commits, when PostgreSQL may be restarted
        bool kills_programs;   // one of several on a replica is killed, and the others are not
    } swarm;
};

struct world_shared *world_shared_new(void);
void world_shared_free(struct world_shared *shared);
void world_run(const struct world_options *options, struct world_result *out);

// For serve.c and world.c.
bool world_make_database(struct world *world);
bool world_load_dump(struct world *world); // into an empty database of the same name
const char *world_database_url(struct world *world);
struct ch_pg_cluster *world_cluster(struct world *world);

void world_fail(struct world *world, const char *format, ...) CHARLE_PRINTF(2, 3);
void world_trace(struct world *world, const char *format, ...) CHARLE_PRINTF(2, 3);
struct event *world_schedule(struct world *world, int64_t delay_us, enum event_kind kind); // valid until the next call
void world_step(struct world *world);
uint64_t dice_throw(struct dice *dice);
void dice_seed(struct dice *dice, uint64_t seed);
uint64_t world_random(struct world *world);
int64_t world_below(struct world *world, int64_t bound); // 0 … bound - 1
bool world_chance(struct world *world, int percent);
int64_t world_delay(struct world *world, int64_t mean_us); // around the mean, now and then much longer
int64_t world_wall(const struct world *world);

#endif
