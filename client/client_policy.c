// What people wish about synchronising: to pause it, and how many bytes it may use. Kept in the replica's file.
#include "client/edge.h"

#include "base/clock.h"
#include "client/core_parts.h"

enum { PERIOD_S = 86400 };

static enum charle_err set_paused(struct ch_lite *sql, bool is_paused, struct charle_error *err)
{
    return ch_meta_set_number(sql, "is_paused", is_paused, err);
}

static enum charle_err set_meter(struct ch_lite *sql, int64_t budget, uint32_t period_s, struct charle_error *err)
{
    int64_t version = 0;
    enum charle_err rc = ch_meta_number(sql, "meter_version", 0, &version, err);
    if (!rc)
        rc = ch_meta_set_number(sql, "meter_version", version + 1, err);
    if (!rc)
        rc = ch_meta_set_number(sql, "meter_budget", budget, err);
    if (!rc)
        rc = ch_meta_set_number(sql, "meter_period", (int64_t)(period_s ? period_s : PERIOD_S) * 1000000, err);
    if (!rc)
        rc = ch_meta_set_number(sql, "meter_started", ch_clock_wall().us, err);
    return rc ? rc : ch_meta_set_number(sql, "meter_used", 0, err);
}

static int finish(struct charle_client *client, enum charle_err rc, struct charle_error *err)
{
    rc = ch_replica_end(&client->replica, rc, err);
    if (!rc) {
        ch_edge_wish(client, EDGE_POLICY, NULL);
        ch_edge_changed(client, CHARLE_EVENT_STATUS, NULL, 0);
    }
    return (int)rc;
}

int charle_client_set_paused(struct charle_client *client, bool is_paused, struct charle_error *err)
{
    enum charle_err rc = ch_replica_begin(&client->replica, CH_DURABLE, err);
    return rc ? (int)rc : finish(client, set_paused(&client->replica.sql, is_paused, err), err);
}

int charle_client_set_audit(struct charle_client *client, int32_t every_s, struct charle_error *err)
{
    enum charle_err rc = ch_replica_begin(&client->replica, CH_DURABLE, err);
    return rc ? (int)rc : finish(client, ch_meta_set_number(&client->replica.sql, "audit_every", every_s, err), err);
}

int charle_client_set_meter(struct charle_client *client, int64_t budget, uint32_t period_s, struct charle_error *err)
{
    if (budget && budget < CH_METER_BUDGET_MIN)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "a budget of %lld bytes cannot carry anything; give at least %d, or 0 for no limit",
                           (long long)budget, CH_METER_BUDGET_MIN);
    enum charle_err rc = ch_replica_begin(&client->replica, CH_DURABLE, err);
    return rc ? (int)rc : finish(client, set_meter(&client->replica.sql, budget, period_s, err), err);
}
