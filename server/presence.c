#include "server/presence.h"

#include "base/alloc.h"
#include "base/log.h"

#include <stdio.h>
#include <unistd.h>

#define LOCK_KEY "4986512070339712447" // any number that no one else uses, the same in every release

struct ch_presence {
    PGconn *conn;
};

static enum charle_err put_sign(PGconn *conn, struct charle_error *err)
{
    char name[64], host[40] = "";
    if (gethostname(host, sizeof(host) - 1) != 0)
        host[0] = '\0';
    snprintf(name, sizeof(name), "charled %.30s/%ld", host, (long)getpid());
    const char *const params[] = {name};
    enum charle_err rc = ch_database_run(conn, "naming the connection",
                                         "select set_config('application_name', $1, false)", params, 1, NULL, err);
    return rc ? rc
              : ch_database_run(conn, "taking the server's sign", "select pg_advisory_lock_shared(" LOCK_KEY ")", NULL,
                                0, NULL, err);
}

static enum charle_err tell_others(PGconn *conn, struct charle_error *err)
{
    PGresult *result = NULL;
    enum charle_err rc =
        ch_database_run(conn, "looking for other servers",
                        "select a.application_name, a.backend_start from pg_locks l join pg_stat_activity a using "
                        "(pid) where l.locktype = 'advisory' "
                        "and l.mode = 'ShareLock' and (l.classid::bigint << 32) | l.objid::bigint = " LOCK_KEY
                        " and a.pid <> pg_backend_pid() limit 16",
                        NULL, 0, &result, err);
    for (int i = 0; rc == CHARLE_OK && i < PQntuples(result); i++)
        ch_log(CH_LOG_INFO, "server", "another server serves this database too server=\"%.60s\" since=\"%.32s\"",
               PQgetvalue(result, i, 0), PQgetvalue(result, i, 1));
    PQclear(result);
    return rc;
}

enum charle_err ch_presence_open(PGconn *conn, struct ch_presence **out, struct charle_error *err)
{
    struct ch_presence *presence = ch_alloc_zeroed(1, sizeof(*presence));
    if (!presence) {
        PQfinish(conn);
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while starting");
    }
    presence->conn = conn;
    enum charle_err rc = put_sign(conn, err);
    if (rc == CHARLE_OK)
        rc = tell_others(conn, err);
    if (rc) {
        ch_presence_close(presence);
        return rc;
    }
    *out = presence;
    return CHARLE_OK;
}

void ch_presence_close(struct ch_presence *presence)
{
    if (!presence)
        return;
    PQfinish(presence->conn);
    ch_free(presence);
}
