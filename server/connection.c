#include "server/connection.h"

#include "base/log.h"
#include "db/pg/pg.h"

#include <stdio.h>
#include <time.h>

enum {
    BACK_OFF_MIN_MS = 100,
    BACK_OFF_MAX_MS = 5000,
    LOOK_MS = 50,
    LOCK_TIMEOUT_MS = 10000,      // a lock held longer is somebody's open transaction; the call may be tried again
    IDLE_IN_TRANSACTION_MS = 60000 // no call thinks that long; an abandoned transaction holds everybody's vacuum up
};

static enum charle_err failed(struct ch_connection *connection, enum charle_err rc)
{
    uint32_t next = connection->back_off_ms ? connection->back_off_ms * 2 : BACK_OFF_MIN_MS;
    connection->back_off_ms = next < BACK_OFF_MAX_MS ? next : BACK_OFF_MAX_MS;
    connection->next_try_us = ch_clock_mono_us() + (int64_t)connection->back_off_ms * 1000;
    return rc;
}

static enum charle_err try_connect(struct ch_connection *connection, struct charle_error *err)
{
    if (connection->db)
        return ch_pg_reconnect(connection->db, err);
    char name[64];
    snprintf(name, sizeof(name), "charled %.40s", connection->purpose);
    struct ch_pg_options options = {.application_name = name,
                                    .statement_timeout_ms = connection->statement_timeout_ms,
                                    .lock_timeout_ms = LOCK_TIMEOUT_MS,
                                    .idle_in_transaction_timeout_ms = IDLE_IN_TRANSACTION_MS};
    return ch_pg_open(connection->url, &options, &connection->db, err);
}

enum charle_err ch_connection_get(struct ch_connection *connection, struct charle_db **out_db, struct charle_error *err)
{
    if (connection->db && ch_pg_is_alive(connection->db)) {
        *out_db = connection->db;
        return CHARLE_OK;
    }
    if (ch_clock_mono_us() < connection->next_try_us)
        return charle_fail(err, CHARLE_UNAVAILABLE, "the database is away: try again in a moment");
    struct charle_error why = {0};
    if (try_connect(connection, &why)) {
        if (connection->back_off_ms < BACK_OFF_MAX_MS) // not at every try of a long outage
            ch_log(CH_LOG_WARN, "database", "no connection for %s: %s", connection->purpose, why.text);
        failed(connection, CHARLE_UNAVAILABLE);
        return charle_fail(err, CHARLE_UNAVAILABLE, "the database is away: try again in a moment");
    }
    if (connection->back_off_ms)
        ch_log(CH_LOG_INFO, "database", "connected again for %s", connection->purpose);
    connection->back_off_ms = 0;
    connection->next_try_us = 0;
    *out_db = connection->db;
    return CHARLE_OK;
}

enum charle_err ch_connection_wait(struct ch_connection *connection, bool (*stop)(void *ctx), void *ctx, struct charle_db **out_db,
                                   struct charle_error *err)
{
    for (;;) {
        if (stop(ctx))
            return charle_fail(err, CHARLE_CANCELLED, "the server is stopping");
        enum charle_err rc = ch_connection_get(connection, out_db, err);
        if (rc == CHARLE_OK)
            return rc;
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
    }
}

void ch_connection_close(struct ch_connection *connection)
{
    charle_db_close(connection->db);
    connection->db = NULL;
}
