// What the two files of the server share: its state, and what each does for the other.
//
//   serve.c        what it answers: calls and live streams
//   serve_life.c   its connections and its program: made, lost, stopped and started, on this database or an older one
#ifndef CHARLE_TESTS_SIM_SERVE_PARTS_H
#define CHARLE_TESTS_SIM_SERVE_PARTS_H

#include "server/sync/skew.h"
#include "server/sync/tick.h"
#include "sim/world.h"

enum { WRITERS = 2 };

struct net_stream {
    struct server *server;
    struct ch_tick_stream *tick;
    int64_t spoke_us;
    bool is_blocked; // the last page was not taken
};

// What a session remembers of its person between two looks at the grants.
struct session {
    struct charle_arena arena;
    const struct charle_str *scopes;
    size_t scope_count;
    uint64_t generation;
};

struct server {
    struct world *world;
    struct ch_sync *sync;
    struct ch_skews *skews; // for laptops of the other version
    struct charle_method_table methods;
    struct charle_db *db, *tick_db, *oracle_db, *writers[WRITERS];
    struct ch_ticks *ticks;
    struct session sessions[WORLD_LAPTOPS];
    int bomb;    // place where the connection breaks; 0: it does not
    int seconds; // of PostgreSQL's clock; moves when it starts
    struct dice luck; // of its own, so that connections change nothing else
    struct charle_buf page;
};

// serve.c
// Lets the follower look at the heads. Forced: also when it looked a moment ago.
CHARLE_MUST_CHECK enum charle_err server_look(struct server *server, bool is_forced, struct charle_error *err);
void server_end_stream(struct net_call *call, enum charle_err code); // and its call

// serve_life.c
void server_light(struct server *server); // the bomb, if one is laid: the connection breaks at the place it was laid for
void server_mend(struct server *server);  // opens a connection again that broke, as a pool does

#endif
