// What the files of the engine share.
//
// A call's way: transport thread (dispatch.c) ─► route ─► lane ─► thread with a connection ─► finish. A call belongs to
// exactly one of these at a time; whoever has it must finish it.
//
//   lane      threads        what
//   calls     pool_size      ordinary methods, one at a time, each on a connection of the pool; writing ones that wait at
//                            the same time come from the fold's queue instead and share a transaction (fold.h)
//   reads     1              generated Get calls, all that wait at once in one pipeline
//   login     2              passwords: argon2id is slow by design
//   streams   8              pulls
//   copies    8              other streaming methods: they last as long as their peers take what they are sent, and no pull waits for that
//   bulk      4              long pushes, behind everybody else (bulk.h)
//
// Locks: a worker's mutex guards `call` against the watch thread, which cancels statements; nothing else is taken under
// it.
#ifndef CHARLE_SERVER_ENGINE_PARTS_H
#define CHARLE_SERVER_ENGINE_PARTS_H

#include "base/arena.h"
#include "base/buf.h"
#include "call/method.h"
#include "db/pg/pool.h"
#include "rpc/rpc.h"
#include "server/bulk.h"
#include "server/engine.h"
#include "server/fold.h"
#include "server/lane.h"
#include "server/live.h"
#include "server/seeds.h"
#include "server/session.h"
#include "server/standby.h"
#include "server/sync/skew.h"
#include "server/sync/sync.h"
#include "server/upkeep.h"

#include <pthread.h>
#include <stdatomic.h>

// How a method is run.
enum ch_route_kind {
    CH_ROUTE_ECHO,   // on the transport's thread
    CH_ROUTE_LOGIN,  // login lane, no transaction
    CH_ROUTE_PLAIN,  // calls lane, no transaction around it: it takes care of that itself, or one statement is enough
    CH_ROUTE_READ,   // calls lane, one read-only snapshot
    CH_ROUTE_WRITE,  // calls lane, one transaction, tried again when it lost against another
    CH_ROUTE_GET,    // reads lane
    CH_ROUTE_PULL,   // streams lane
    CH_ROUTE_STREAM, // copies lane
};

struct ch_route {
    const struct charle_method *method;
    enum ch_route_kind kind;
    bool is_push;
    struct ch_fold_habit *habit; // of methods whose calls may be folded; NULL: they never are
};

// A call on its way through the server. Freed by ch_call_finish.
struct ch_call {
    struct ch_engine *engine;
    struct charle_server_call *rpc;
    const struct ch_route *route;
    struct ch_session *session; // NULL: nobody, or not looked up yet
    struct charle_str token;    // points into the call's metadata; ptr NULL: none was given
    bool is_bulk;               // a long push
    bool is_waited_for;         // by somebody, so that long pushes make room
    int64_t received_us;
    int64_t deadline_us;         // monotonic; INT64_MAX: none (streams only)
    struct ch_live_stream *live; // of a pull that has gone live once; NULL: none
};

// The bytes to work on: those that came in, or what a live stream that pulls again put in their place.
struct charle_bytes ch_call_request(const struct ch_call *call);

// What a handler of the platform finds in context->runtime.
struct ch_runtime {
    struct ch_engine *engine;
    struct ch_call *call;
    bool goes_live; // set by Pull: when the handler is done, the call goes on as a live stream
    struct ch_push_fold *push_fold; // for Push: its transaction is shared; NULL: it has its own
};

// A thread of the calls, login, streams, copies or bulk lane, and what it keeps from call to call.
struct ch_worker {
    struct ch_engine *engine;
    struct charle_arena arena; // of one call
    struct charle_buf reply;
    pthread_mutex_t mutex;  // guards the next three
    struct ch_call *call;   // that may run a statement now; NULL: none
    struct charle_db *db;   // on which it does
    int64_t run_until_us;   // the statement is stopped then, although the call is not over; 0: never
    struct ch_worker *next; // in the engine's list, for the watch thread
    bool goes_live;         // the stream that ran last wants to go on
};

struct ch_figures { // since the start
    atomic_ulong calls, calls_failed, pulls, pulls_idle, pushed_calls;
    atomic_uint live_streams;
};

struct ch_engine {
    struct ch_engine_options options;
    struct charle_method *platform; // the platform's methods with their handlers
    struct charle_method_table methods;
    struct ch_route *routes; // by name, as the methods
    struct ch_pg_pool *pool; // of all lanes
    uint32_t pool_size;      // connections it may have
    struct ch_sync *sync;
    struct ch_skews *skews; // for replicas of other versions of the schema
    struct ch_live *live;
    struct ch_hints *hints; // NULL: there is no bus
    struct ch_standbys *standbys; // NULL: all is read from the primary
    struct ch_upkeep *upkeep;
    struct ch_seeds *seeds; // NULL: none are made
    struct ch_sessions *sessions;
    struct charle_rpc_server *rpc;
    struct ch_lane *calls, *reads, *login, *streams, *copies, *bulks;
    struct ch_bulk *bulk;
    struct ch_fold *fold; // itself an item of the calls lane: a thread's turn to fold
    struct ch_fold_habit *habits;
    struct ch_figures figures;
    pthread_mutex_t workers_mutex;
    struct ch_worker *workers;
    pthread_t watch, sweeper;
    bool has_watch, has_sweeper;
    atomic_bool is_stopping;
    bool is_database_away; // the sweeper's
    char postgres_version[64];
};

// dispatch.c: the transport's callback, and the end of every call.
void ch_dispatch(void *ctx, struct charle_server_call *rpc);
// Ends a call: logs a failure, hides what is not for callers, frees the call. `reply` counts only with OK.
void ch_call_finish(struct ch_call *call, enum charle_err rc, const struct charle_error *err,
                    struct charle_bytes reply);
// Ends unary calls that went well, all at once.
void ch_calls_finish(struct ch_call *const *calls, const struct charle_bytes *replies, size_t count);

// route.c
CHARLE_MUST_CHECK enum charle_err ch_routes_init(struct ch_engine *engine, struct charle_error *err);
void ch_routes_deinit(struct ch_engine *engine);
const struct ch_route *ch_route_find(const struct ch_engine *engine, struct charle_str name); // NULL: none

// worker.c
void *ch_worker_open(void *ctx, uint32_t index);
void ch_worker_close(void *ctx, void *item);
void ch_worker_run(void *ctx, void *item, void *const *items, size_t count);
// Runs one call in a transaction of its own, and finishes it.
void ch_worker_run_alone(struct ch_worker *worker, struct ch_call *call);
// From now on (until NULL is set) the watch thread may cancel what runs on the handle.
void ch_worker_watch(struct ch_worker *worker, struct ch_call *call, struct charle_db *db, int64_t run_until_us);
bool ch_call_is_overdue(const struct ch_call *call);
// Fills in call->session when there is a token. UNAUTHENTICATED when it opens nothing.
CHARLE_MUST_CHECK enum charle_err ch_call_authenticate(struct ch_call *call, struct charle_db *db,
                                                       struct charle_error *err);
void ch_call_context(struct ch_call *call, struct charle_db *db, struct charle_arena *arena, struct ch_runtime *runtime,
                     struct charle_context *out);
// Ends statements of calls that are over, from the watch thread.
void ch_workers_cancel_overdue(struct ch_engine *engine);

// How long a call waits for a connection. The pool is as large as the lanes together, so it only waits when PostgreSQL
// takes none.
#define CH_POOL_WAIT_MS 5000

// fold_run.c: a thread's turn to fold. Without a worker the calls are answered that there is no memory.
void ch_fold_turn(struct ch_engine *engine, struct ch_worker *worker);

// reads.c
void *ch_reads_open(void *ctx, uint32_t index);
void ch_reads_close(void *ctx, void *worker);
void ch_reads_run(void *ctx, void *worker, void *const *items, size_t count);

// overview.c: the body of Admin/Server.
enum charle_err ch_overview(struct charle_context *context, const void *request, void *reply, struct charle_error *err);

// platform.c and sync_methods.c: copies of the platform's methods with their handlers. They return how many there are.
#define CH_PLATFORM_METHODS_MAX 8
#define CH_SYNC_METHODS_MAX     8
size_t ch_platform_methods(struct charle_method out[CH_PLATFORM_METHODS_MAX]);
size_t ch_sync_methods(struct charle_method out[CH_SYNC_METHODS_MAX]);
#define CH_DEVICE_METHODS_MAX 4
size_t ch_device_methods(struct charle_method out[CH_DEVICE_METHODS_MAX]); // device_methods.c
#define CH_FILE_METHODS_MAX 4
size_t ch_file_methods(struct charle_method out[CH_FILE_METHODS_MAX]); // file_methods.c

#endif
