// A bounded pool of connections for the threads of a server.
//
// A caller takes a handle, uses it alone, and gives it back outside any transaction (an open one is rolled back).
// Callers wait in the order in which they came, for a bounded time, in a bounded queue. A connection that broke is
// closed when it is given back and replaced when somebody wants one; while PostgreSQL cannot be reached, attempts are
// 0.1 to 5 s apart for the whole pool, and callers get the reason. All functions may be called from any thread.
#ifndef CHARLE_DB_PG_POOL_H
#define CHARLE_DB_PG_POOL_H

#include "db/pg/pg.h"

struct ch_pg_pool;

struct ch_pg_pool_options { // zero means the default
    struct ch_pg_options connection;
    int connections_min; // opened at once and kept; 0: none
    int connections_max; // default 10
    int idle_check_ms;   // a connection idle for longer is asked whether it lives before it is handed out; default 10 s
    int idle_close_ms;   // beyond the minimum, closed by ch_pg_pool_tick after this; default 300 s
};

struct ch_pg_pool_figures {
    int open; // connections, busy and idle
    int busy;
    int idle;
    int connecting;
    int waiting;     // callers
    int64_t takes;   // handles handed out
    int64_t waits;   // of these, after waiting
    int64_t wait_us; // waited together
    int64_t wait_us_max;
    int64_t timeouts; // callers who gave up
    int64_t connects; // connections made
    int64_t failures; // connections that could not be made
    int64_t lost;     // connections that broke
};

// Opens connections_min connections; fails when one cannot be opened.
CHARLE_MUST_CHECK enum charle_err ch_pg_pool_new(const char *url, const struct ch_pg_pool_options *options,
                                                 struct ch_pg_pool **out_pool, struct charle_error *err);
// Every handle must have been given back. NULL is fine.
void ch_pg_pool_free(struct ch_pg_pool *pool);

// RESOURCE_EXHAUSTED when no connection became free in time or too many wait; UNAVAILABLE and the like with
// PostgreSQL's reason when none can be made; CLOSED after ch_pg_pool_close.
CHARLE_MUST_CHECK enum charle_err ch_pg_pool_take(struct ch_pg_pool *pool, int timeout_ms, struct charle_db **out_db,
                                                  struct charle_error *err);
void ch_pg_pool_give(struct ch_pg_pool *pool, struct charle_db *db); // NULL is fine

// Those who wait and those who come later get CLOSED; handles that are out may still be given back.
void ch_pg_pool_close(struct ch_pg_pool *pool);
// Housekeeping, to be called every few seconds: closes what is idle for long, opens up to the minimum. May connect.
void ch_pg_pool_tick(struct ch_pg_pool *pool);
void ch_pg_pool_figures(struct ch_pg_pool *pool, struct ch_pg_pool_figures *out);

#endif
