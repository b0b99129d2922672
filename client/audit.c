// The audit: now and then one table of one scope is compared with the server in the background, as `verify` compares all of them, and what differs
// is mended. It finds what nothing else would: a bit that turned over in a replica in clear, a row that somebody changed past the library, a
// mistake of ours. Over weeks it comes around.
//
// It is nobody's hurry, so it steps back for everything: only while the replica is live, nothing was written for some seconds and nothing is on
// its way; never with a budget of bytes; at most CH_AUDIT_RANGES_MAX ranges are fetched at once, the rest waits for the next time. When
// the replica is never quiet for a day it runs nonetheless. Where it stands is in the file, so programs that come and go share it.
#include "client/core_parts.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

enum { QUIET_US = 5000000, OVERDUE_PERIODS = 24 };

static int64_t wall(const struct ch_client_core *core)
{
    return core->env->now_wall_us(core->env->ctx);
}

static enum charle_err number(struct ch_lite *sql, const char *key, int64_t otherwise, int64_t *out)
{
    struct charle_error err;
    return ch_meta_number(sql, key, otherwise, out, &err);
}

// What the file says: how often, and when it was done last. A replica that was never audited begins a period from now.
static void load(struct ch_client_core *core)
{
    struct ch_audit *audit = &core->audit;
    struct ch_lite *look = &core->replica->look;
    int64_t every = 0, at = 0, now = wall(core);
    pthread_mutex_lock(&core->replica->look_mutex);
    enum charle_err rc = number(look, "audit_every", 0, &every);
    if (!rc)
        rc = number(look, "audit_at", 0, &at);
    pthread_mutex_unlock(&core->replica->look_mutex);
    audit->is_loaded = true;
    audit->period_us = rc || every < 0 ? 0 : every ? every * 1000000 : core->audit.default_us;
    int64_t due = at && at <= now ? at + audit->period_us - now : audit->period_us;
    audit->due_at = ch_core_now(core) + (due > 0 ? due : 0);
}

void ch_core_audit_reload(struct ch_client_core *core)
{
    core->audit.is_loaded = false;
}

void ch_core_audit_note(struct ch_client_core *core)
{
    core->audit.quiet_at = ch_core_now(core) + QUIET_US;
}

static bool is_busy(const struct ch_client_core *core)
{
    return core->push_call || core->push_next.count || core->probe_call || core->sync_wanted > core->sync_done || core->transfer.up_call ||
           core->transfer.down_call || core->moment.page_count || ch_core_order_holds(core);
}

bool ch_core_audit_is_due(struct ch_client_core *core)
{
    struct ch_audit *audit = &core->audit;
    int64_t now = ch_core_now(core);
    if (!audit->default_us || core->meter.budget || core->phase != CH_PHASE_LIVE)
        return false;
    if (!audit->is_loaded)
        load(core);
    if (!audit->period_us || now < audit->due_at || is_busy(core))
        return false;
    return now >= audit->quiet_at || now - audit->due_at > OVERDUE_PERIODS * audit->period_us;
}

int64_t ch_core_audit_wish(const struct ch_client_core *core)
{
    const struct ch_audit *audit = &core->audit;
    if (core->phase != CH_PHASE_LIVE || !audit->is_loaded || !audit->period_us || core->meter.budget || core->acquire.step != CH_ACQUIRE_IDLE)
        return INT64_MAX;
    int64_t at = audit->due_at > audit->quiet_at ? audit->due_at : audit->quiet_at;
    return at > ch_core_now(core) ? at : ch_core_now(core) + QUIET_US; // busy with something that says when it ends
}

// The table behind the last one in the order of scopes and tables, or the very first. False: there is none.
enum charle_err ch_core_audit_pick(struct ch_client_core *core, struct charle_str *out_scope, size_t *out_table, struct charle_error *err)
{
    struct ch_replica *replica = core->replica;
    struct ch_tables *tables = &replica->tables;
    struct charle_array scopes = {0};
    char last_scope[CH_SCOPE_LEN_MAX + 1];
    int64_t last_table = 0;
    bool found = false;
    *out_scope = (struct charle_str){0};
    enum charle_err rc = ch_replica_begin(replica, CH_FETCHABLE, err);
    if (rc)
        return rc;
    rc = ch_scopes_in_state(replica, CH_SCOPE_READY, &core->arena, &scopes, err);
    if (!rc)
        rc = ch_meta_text(&replica->sql, "audit_scope", last_scope, sizeof(last_scope), err);
    if (!rc)
        rc = ch_meta_number(&replica->sql, "audit_table", 0, &last_table, err);
    ch_replica_rollback(replica);
    const struct charle_str *items = scopes.items;
    for (size_t i = 0; !rc && !found && i < scopes.count; i++) {
        int order = charle_str_compare(items[i], charle_str(last_scope));
        for (size_t t = 0; order >= 0 && !found && t < tables->count; t++) {
            bool is_behind = order > 0 || (int64_t)tables->items[t].schema->id > last_table;
            found = is_behind && ch_table_audience_of(&tables->items[t], items[i]) != NULL;
            if (found) {
                *out_scope = items[i];
                *out_table = t;
            }
        }
    }
    for (size_t i = 0; !rc && !found && i < scopes.count; i++) { // around
        for (size_t t = 0; !found && t < tables->count; t++) {
            found = ch_table_audience_of(&tables->items[t], items[i]) != NULL;
            if (found) {
                *out_scope = items[i];
                *out_table = t;
            }
        }
    }
    return rc;
}

static enum charle_err save(struct ch_client_core *core, struct charle_str scope, uint32_t table, const struct charle_verify_report *report,
                            bool is_whole, struct charle_error *err)
{
    struct ch_replica *replica = core->replica;
    struct ch_lite *sql = &replica->sql;
    int64_t tables = 0, repaired = 0;
    enum charle_err rc = ch_replica_begin(replica, CH_FETCHABLE, err);
    if (rc)
        return rc;
    rc = ch_meta_number(sql, "audit_tables", 0, &tables, err);
    if (!rc)
        rc = ch_meta_number(sql, "audit_repaired", 0, &repaired, err);
    if (!rc)
        rc = ch_meta_set_number(sql, "audit_tables", tables + 1, err);
    if (!rc)
        rc = ch_meta_set_number(sql, "audit_repaired", repaired + report->rows_repaired, err);
    if (!rc)
        rc = ch_meta_set_number(sql, "audit_at", wall(core), err);
    if (!rc && is_whole) // otherwise it goes on with the same table
        rc = ch_meta_set_text(sql, "audit_scope", scope, err);
    if (!rc && is_whole)
        rc = ch_meta_set_number(sql, "audit_table", (int64_t)table, err);
    return ch_replica_end(replica, rc, err);
}

void ch_core_audit_finished(struct ch_client_core *core, struct charle_str scope, uint32_t table, const struct charle_verify_report *report,
                            bool is_whole)
{
    struct charle_error err = {0};
    core->audit.due_at = ch_core_now(core) + core->audit.period_us;
    if (report->rows_different)
        ch_log(CH_LOG_WARN, "client", "the audit found rows that differed from the server scope=%.*s table=%u rows=%lld repaired=%lld", CHARLE_FMT(scope),
               table, (long long)report->rows_different, (long long)report->rows_repaired);
    if (save(core, scope, table, report, is_whole, &err))
        ch_log(CH_LOG_WARN, "client", "%s", err.text); // it is done again
    ch_core_changed(core, CHARLE_EVENT_STATUS);
}
