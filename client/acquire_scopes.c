// The scopes that are acquired: which, where each stands when its turn comes, and what becomes of it when it is through.
#include "client/acquire_parts.h"

enum charle_err ch_acquire_add_scopes(struct ch_client_core *core, enum ch_scope_state state, bool *out_any, struct charle_error *err)
{
    struct ch_acquire *a = &core->acquire;
    struct charle_array scopes = {0};
    enum charle_err rc = ch_replica_begin(core->replica, CH_FETCHABLE, err);
    if (rc)
        return rc;
    rc = ch_scopes_in_state(core->replica, state, &core->arena, &scopes, err);
    ch_replica_rollback(core->replica);
    const struct charle_str *items = scopes.items;
    for (size_t i = 0; !rc && i < scopes.count; i++) {
        charle_buf_add_str(&a->scopes, items[i]);
        charle_buf_add_byte(&a->scopes, 0);
        *out_any = true;
    }
    return rc ? rc : a->scopes.failed ? charle_fail(err, a->scopes.failed, "no memory for the scopes") : CHARLE_OK;
}

enum charle_err ch_acquire_state_of(struct ch_client_core *core, struct charle_str scope, int *out_state, int64_t *out_stamp,
                                    struct charle_error *err)
{
    struct ch_lite *look = &core->replica->look;
    sqlite3_stmt *row;
    *out_state = 0;
    *out_stamp = 0;
    pthread_mutex_lock(&core->replica->look_mutex);
    enum charle_err rc = ch_lite_one(look, CH_LITE_CURSOR_GET, &row, err, "s", scope);
    if (!rc) {
        *out_stamp = sqlite3_column_int64(row, 0);
        *out_state = sqlite3_column_int(row, 2);
        ch_lite_end(row);
    }
    pthread_mutex_unlock(&core->replica->look_mutex);
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

// Filling in shows rows as of snapshots behind the scope's cursor, so from here on everything is asked for again.
static enum charle_err note_cursor(struct ch_client_core *core, struct charle_error *err)
{
    struct ch_acquire *a = &core->acquire;
    struct ch_lite *look = &core->replica->look;
    sqlite3_stmt *row;
    a->cursor_stamp = 0;
    a->cursor_lineage = 0;
    if (!ch_acquire_scope(a).ptr)
        return CHARLE_OK;
    pthread_mutex_lock(&core->replica->look_mutex);
    enum charle_err rc = ch_lite_one(look, CH_LITE_CURSOR_GET, &row, err, "s", ch_acquire_scope(a));
    if (!rc) {
        a->cursor_stamp = sqlite3_column_int64(row, 0);
        a->cursor_lineage = (uint64_t)sqlite3_column_int64(row, 1);
        ch_lite_end(row);
    }
    pthread_mutex_unlock(&core->replica->look_mutex);
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

enum charle_err ch_acquire_begin_scope(struct ch_client_core *core, struct charle_error *err)
{
    struct ch_acquire *a = &core->acquire;
    int state = 0;
    int64_t stamp;
    CHARLE_ASSERT(!a->call && a->scope_at <= a->scopes.size);
    ch_acquire_clear_ranges(a);
    a->table_at = 0;
    a->seen = (struct ch_seen){0};
    a->is_in_table = a->has_head = a->scope_is_staged = false;
    enum charle_err rc = ch_acquire_scope(a).ptr ? ch_acquire_state_of(core, ch_acquire_scope(a), &state, &stamp, err) : CHARLE_OK;
    if (!rc && a->is_fill)
        rc = note_cursor(core, err);
    a->scope_state = state;
    a->compares = state != CH_SCOPE_COPYING;
    return rc;
}

// No table of this schema has the audience, so nothing was asked and nothing is missing or in doubt.
static enum charle_err take_empty_scope(struct ch_client_core *core, struct charle_error *err)
{
    enum charle_err rc = ch_replica_begin(core->replica, CH_FETCHABLE, err);
    if (rc)
        return rc;
    rc = ch_lite_run(&core->replica->sql, CH_LITE_CURSOR_MARK, err, "si", ch_acquire_scope(&core->acquire), (int64_t)CH_SCOPE_READY);
    return ch_replica_end(core->replica, rc, err);
}

enum charle_err ch_acquire_end_scope(struct ch_client_core *core, struct charle_error *err)
{
    struct ch_acquire *a = &core->acquire;
    enum charle_err rc = CHARLE_OK;
    CHARLE_ASSERT(ch_acquire_scope(a).ptr && !a->range_count && !a->is_in_table);
    if (!a->has_head && (a->scope_state == CH_SCOPE_COPYING || a->scope_state == CH_SCOPE_REPAIR))
        rc = take_empty_scope(core, err);
    // A scope that was found whole is taken over too, unless it was only verified.
    if (!rc && a->has_head && a->scope_state && a->scope_state != CH_SCOPE_READY)
        rc = ch_acquire_stage(core, NULL, err);
    if (!rc && a->scope_is_staged)
        rc = ch_acquire_keep_staged(a, err);
    a->scope_at += ch_acquire_scope(a).len + 1;
    return rc ? rc : ch_acquire_begin_scope(core, err);
}
