// Many people who call one server at once, each over a connection of its own, with one call in flight.
#ifndef CHARLE_TESTS_FOLD_CALLERS_H
#define CHARLE_TESTS_FOLD_CALLERS_H

#include "../charled/process.h"
#include "base/arena.h"
#include "fold.charle.h"
#include "rpc/rpc.h"
#include "support/pg_cluster.h"

#include <libpq-fe.h>
#include <stdatomic.h>

enum { CALLERS = 64 };

struct caller {
    char id[16], token[60];
    struct charle_channel *channel;
    struct charle_buf request, reply;
    struct charle_rpc *rpc;
    enum charle_err rc; // of the last call
    char text[240];
    int place;          // in which the calls of a round ended, from 1 on
    atomic_int is_over; // the last call has ended; the fields above are set
    struct round *round;
};

struct round {
    struct server server;
    char url[CH_PG_CLUSTER_URL_SIZE];
    struct caller callers[CALLERS];
    PGconn *pg; // of the test
    atomic_int ended;
};

// A server with so many connections for calls, a migrated database, and people p0, p1, …, of whom every second leads.
void round_start(struct round *round, const char *name, const char *pool_size);
void round_stop(struct round *round);
void round_open_channels(struct round *round);
void round_close_channels(struct round *round);

// Starts a call without waiting for it.
void caller_start(struct caller *caller, const char *method, const struct charle_message *type, const void *request);
void caller_do(struct caller *caller, const char *method, const char *what); // of the service Odd
void caller_wait(struct caller *caller);
// The reply of a call that went well.
void caller_reply(struct caller *caller, const struct charle_message *type, struct charle_arena *arena, void *out);

// Lets the first `count` callers begin calls that hold all connections until round_let_go; what is started in between has to queue.
void round_hold(struct round *round, int count);
void round_let_go(struct round *round);

void round_sql(struct round *round, const char *sql);
long round_number(struct round *round, const char *sql);

#endif
