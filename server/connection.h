// A thread's connection to PostgreSQL that comes back by itself.
//
// Owned and used by one thread. When it breaks, the call that was running fails as UNAVAILABLE; the next `get` tries to connect anew, at
// most once in a while (0.1 s doubling to 5 s), and in between fails at once, so that calls do not pile up behind a database that
// is away.
#ifndef CHARLE_SERVER_CONNECTION_H
#define CHARLE_SERVER_CONNECTION_H

#include "db/db.h"

struct ch_connection {
    const char *url;            // the caller's, as long as the connection
    const char *purpose;        // "calls": shown in pg_stat_activity as "charled calls"
    int statement_timeout_ms;   // 0: none
    struct charle_db *db;       // NULL: not connected
    int64_t next_try_us;        // monotonic
    uint32_t back_off_ms;
};

// The handle, connected. UNAVAILABLE while the database is away.
CHARLE_MUST_CHECK enum charle_err ch_connection_get(struct ch_connection *connection, struct charle_db **out_db, struct charle_error *err);
// As get, but waits for the connection, looking at `stop` every 50 ms; CANCELLED when that turned true. For threads of their own.
CHARLE_MUST_CHECK enum charle_err ch_connection_wait(struct ch_connection *connection, bool (*stop)(void *ctx), void *ctx,
                                                     struct charle_db **out_db, struct charle_error *err);
void ch_connection_close(struct ch_connection *connection); // zeroed is fine

#endif
