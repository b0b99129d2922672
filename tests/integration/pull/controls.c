// The controls: replicas of `task` that ask for what is newer than the newest they have, by a number from a sequence or
// by a time. Rows that went are forgiven them; what counts is a row that is missing or old.
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void take(struct replica_scope *rows, const PGresult *result)
{
    for (int i = 0; i < PQntuples(result); i++)
        replica_put(rows, 3, charle_str(PQgetvalue(result, i, 0)),
                    charle_bytes(PQgetvalue(result, i, 1), (size_t)PQgetlength(result, i, 1)));
}

static bool is_right(struct replica_scope *rows, const PGresult *result)
{
    for (int i = 0; i < PQntuples(result); i++) {
        const struct replica_row *row = replica_row(rows, 3, charle_str(PQgetvalue(result, i, 0)));
        size_t len = (size_t)PQgetlength(result, i, 1);
        if (!row || row->bytes.len != len || memcmp(row->bytes.ptr, PQgetvalue(result, i, 1), len) != 0)
            return false;
    }
    return true;
}

static PGresult *query(struct control *control, PGconn *conn, const char *sql, const char *param)
{
    const char *values[] = {param};
    PGresult *result = PQexecParams(conn, sql, param ? 1 : 0, NULL, values, NULL, NULL, 0);
    if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
        oracle_fail(control->oracle, "a control: %s", PQresultErrorMessage(result));
    return result;
}

static void pull(struct control *control, PGconn *conn, struct replica *replica, char cursor[64])
{
    const char *column = control->by_timestamp ? "control_at" : "control_number";
    char sql[400];
    PQclear(query(control, conn, "begin isolation level repeatable read, read only", NULL));
    snprintf(sql, sizeof(sql), "select id, t::text, (max(%s) over ())::text from task t where %s > $1", column, column);
    PGresult *newer = query(control, conn, sql, cursor);
    PGresult *all = query(control, conn, "select id, t::text from task t", NULL);
    take(&replica->scopes[0], newer);
    if (PQntuples(newer))
        snprintf(cursor, 64, "%s", PQgetvalue(newer, 0, 2));
    bool right = is_right(&replica->scopes[0], all);
    atomic_fetch_add(control->by_timestamp ? &control->oracle->timestamp_checked : &control->oracle->sequence_checked,
                     1);
    if (!right) {
        atomic_fetch_add(control->by_timestamp ? &control->oracle->timestamp_wrong : &control->oracle->sequence_wrong,
                         1);
        take(&replica->scopes[0], all); // starts anew, or one miss would count for ever
    }
    PQclear(newer);
    PQclear(all);
    PQclear(query(control, conn, "rollback", NULL));
}

void *control_run(void *ctx)
{
    struct control *control = ctx;
    struct charle_db *db = oracle_connect(control->oracle);
    struct replica replica = {0};
    char cursor[64];
    snprintf(cursor, sizeof(cursor), "%s", control->by_timestamp ? "-infinity" : "0");
    replica_add(&replica, CHARLE_STR("team"));
    while (!atomic_load(&control->oracle->is_over)) {
        pull(control, ch_pg_connection(db), &replica, cursor);
        usleep(5000);
    }
    replica_deinit(&replica);
    charle_db_close(db);
    return NULL;
}
