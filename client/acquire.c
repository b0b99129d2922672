// Scopes beside a replica in use: gained ones are fetched, doubtful ones compared and mended, all of them verified on demand.
//
// Nothing of it is shown while it goes on, and no cursor moves. Rows are staged in a spool; the scope's head at the first chunk or hash is kept;
// at the end the pull is begun again with those heads as cursors, and its first moment is applied together with the staged rows, as one. Why
// this is exact: every row was fetched, or found equal, at a snapshot not older than the head, and the delta since the head has every row
// that changed or went after it. So whatever a later snapshot saw too early, the delta brings again; and a staged row that the delta says
// is gone is not put at all, because it is older than what another scope has shown of the same row in the meantime. All this needs one
// history: when the database has gone back in between, rows may be of what never happened though the first head is still good. So the newest
// head that was seen is kept too, and a scope whose moment is not behind it on the same lineage is in doubt again (struct ch_seen).
//
// Comparing. The server hashes a range in buckets; each is compared with the same range here (confirmed rows: effects of waiting calls are
// taken off for the moment of counting). Buckets that differ are divided again until they are small enough to fetch. A fetched range
// replaces what lies in it here: rows that did not come are not there. Verifying a replica that is in step meets the server's newest
// writes a moment before the stream brings them, so there a difference counts only if it is still one when the cursor has reached the
// head it was hashed at. It waits for that only so long: a head of a past that did not happen is never reached.
#include "client/acquire_parts.h"

#include "base/alloc.h"
#include "msg/wire.h"
#include "sync/shape.h"

void ch_core_acquire_reset(struct ch_client_core *core)
{
    struct ch_acquire *a = &core->acquire;
    ch_core_cancel(core, &a->call);
    if (a->has_spool)
        ch_spool_close(&a->spool);
    while (a->range_count)
        ch_acquire_range_deinit(&a->ranges[--a->range_count]);
    ch_free(a->ranges);
    ch_acquire_range_deinit(&a->range);
    charle_buf_deinit(&a->scopes);
    ch_free(a->staged);
    charle_buf_deinit(&a->last_key);
    charle_buf_deinit(&a->reply);
    *a = (struct ch_acquire){0};
}

void ch_core_acquire_pause(struct ch_client_core *core)
{
    ch_core_cancel(core, &core->acquire.call);
    charle_buf_reset(&core->acquire.reply);
}

// Something here is wrong, not the network: a verification ends with it, mending is tried again later and later.
static void fail(struct ch_client_core *core, const struct charle_error *err)
{
    core->acquire_failures++;
    if (core->acquire.is_verify && !core->acquire.is_audit) {
        core->verify_error = *err;
        core->verify_report = core->acquire.report;
        core->verify_done = core->verify_wanted;
    }
    ch_core_acquire_reset(core);
    ch_core_fail(core, err);
}

// --- what comes next --------------------------------------------------------------------------------------------------

static void finished(struct ch_client_core *core)
{
    struct ch_acquire *a = &core->acquire;
    struct charle_error err = {0};
    CHARLE_ASSERT(!a->call && !a->range_count);
    CHARLE_ASSERT(a->is_verify || !a->is_audit);
    core->acquire_failures = 0;
    if (a->is_fill && ch_fill_done(&core->fill, core->replica, &err)) {
        fail(core, &err);
        return;
    }
    if (a->is_audit) {
        ch_core_audit_finished(core, ch_acquire_scope_at(a, 0), core->replica->tables.items[a->only_table].schema->id, &a->report, !a->was_cut);
    } else if (a->is_verify) {
        core->verify_error = (struct charle_error){0};
        core->verify_report = a->report;
        core->verify_done = core->verify_wanted;
    }
    ch_core_acquire_reset(core);
    ch_core_changed(core, CHARLE_EVENT_STATUS);
}

static void all_done(struct ch_client_core *core)
{
    struct ch_acquire *a = &core->acquire;
    if (!a->staged_count) {
        finished(core);
        return;
    }
    CHARLE_ASSERT(!a->call && a->has_spool); // what is staged lies there
    a->step = CH_ACQUIRE_STAGED;
    ch_core_pull_begin(core, false);
}

void ch_core_acquire_applied(struct ch_client_core *core, int64_t rows_different)
{
    CHARLE_ASSERT(core->acquire.step == CH_ACQUIRE_STAGED && rows_different >= 0);
    core->acquire.report.rows_different = core->acquire.report.rows_repaired = rows_different;
    finished(core);
}

// Finds the next range to compare or table to fetch. False: everything is staged, or the session is over.
static bool next_range(struct ch_client_core *core)
{
    struct ch_acquire *a = &core->acquire;
    struct ch_tables *tables = &core->replica->tables;
    struct charle_error err = {0};
    for (;;) {
        struct charle_str scope = ch_acquire_scope(a);
        enum charle_err rc = CHARLE_OK;
        if (!scope.ptr) {
            all_done(core);
            return false;
        }
        if (a->range_count) {
            ch_acquire_range_deinit(&a->range);
            a->range = a->ranges[--a->range_count];
            return true;
        }
        CHARLE_ASSERT(a->table_at <= tables->count && (!a->is_in_table || a->table_at < tables->count));
        if (a->is_in_table)
            a->table_at++;
        a->is_in_table = false;
        while (a->scope_state && a->table_at < tables->count &&
               (!ch_acquire_audience_at(core, a->table_at) || (a->is_audit && a->table_at != a->only_table)))
            a->table_at++;
        if (!a->scope_state || a->table_at >= tables->count) { // lost meanwhile, or done
            rc = ch_acquire_end_scope(core, &err);
        } else {
            a->is_in_table = true;
            a->report.tables++;
            rc = ch_acquire_push_range(a, (struct charle_str){0}, (struct charle_str){0}, -1, &err);
        }
        if (rc) {
            fail(core, &err);
            return false;
        }
    }
}

static void advance(struct ch_client_core *core)
{
    struct ch_acquire *a = &core->acquire;
    CHARLE_ASSERT(!a->call && a->step == CH_ACQUIRE_NEXT);
    if (a->is_audit && a->range_count && a->report.ranges_fetched >= CH_AUDIT_RANGES_MAX) {
        a->was_cut = true;
        ch_acquire_clear_ranges(a);
    }
    if (!next_range(core))
        return;
    // Verifying asks once more for a small range before it counts; mending fetches it.
    if (!a->compares || (ch_acquire_is_leaf(a) && !a->is_verify))
        ch_acquire_start_new_fetch(core);
    else
        ch_acquire_start_hash(core);
}

static enum charle_err begin_audit(struct ch_client_core *core, bool *out_any, struct charle_error *err)
{
    struct ch_acquire *a = &core->acquire;
    struct charle_str scope;
    enum charle_err rc = ch_core_audit_pick(core, &scope, &a->only_table, err);
    if (!rc && !scope.ptr)
        core->audit.due_at = ch_core_now(core) + core->audit.period_us;
    if (rc || !scope.ptr)
        return rc;
    charle_buf_add_str(&a->scopes, scope);
    charle_buf_add_byte(&a->scopes, 0);
    a->is_audit = a->is_verify = *out_any = true;
    return a->scopes.failed ? charle_fail(err, a->scopes.failed, "no memory for the scopes") : CHARLE_OK;
}

// --- filling in -------------------------------------------------------------------------------------------------------

static void start_describing(struct ch_client_core *core)
{
    struct ch_acquire *a = &core->acquire;
    struct charle_open_request request;
    struct charle_error err = {0};
    if (ch_core_fill_open(core, &request, &err)) {
        fail(core, &err);
        return;
    }
    request.schema_hash = ch_shape_hash(charle_buf_bytes(&core->fill.shape));
    request.shape_hash = (struct charle_opt_uint8){request.schema_hash, true};
    request.shape = (struct charle_opt_bytes){charle_buf_bytes(&core->fill.shape), true};
    a->step = CH_ACQUIRE_DESCRIBE;
    charle_buf_reset(&a->reply);
    a->call = ch_core_call(core, "charle.Sync/Open", &charle_open_request_message, &request, CH_ACQUIRE_TIMEOUT_MS);
}

static enum charle_err take_description(struct ch_client_core *core, struct charle_error *err)
{
    struct ch_acquire *a = &core->acquire;
    struct charle_open_reply reply;
    enum charle_err rc = charle_message_read(&charle_open_reply_message, charle_buf_bytes(&a->reply), &core->arena, &reply, err);
    if (rc)
        return charle_error_prefix(err, rc, "the server's answer to a description cannot be read");
    core->fill.is_known = reply.schema_hash.has && !(reply.wants_shape.has && reply.wants_shape.value);
    core->fill.served_hash = reply.schema_hash.has ? reply.schema_hash.value : 0;
    a->step = CH_ACQUIRE_NEXT;
    return CHARLE_OK;
}

// A server that cannot serve the description: everything is compared as it is.
void ch_core_acquire_refused(struct ch_client_core *core)
{
    struct charle_error err = {0};
    if (ch_fill_give_up(&core->fill, core->replica, &err)) {
        fail(core, &err);
        return;
    }
    ch_core_acquire_reset(core);
    core->acquire_wanted = true;
    ch_core_acquire_step(core);
}

// --- steps ------------------------------------------------------------------------------------------------------------

static void begin(struct ch_client_core *core)
{
    struct ch_acquire *a = &core->acquire;
    struct charle_error err = {0};
    bool any = false, is_doubtful = false;
    CHARLE_ASSERT(a->step == CH_ACQUIRE_IDLE && !a->call && !a->has_spool && !a->staged_count && !a->range_count);
    enum charle_err rc = ch_acquire_add_scopes(core, CH_SCOPE_COPYING, &any, &err);
    if (!rc)
        rc = ch_acquire_add_scopes(core, CH_SCOPE_REPAIR, &is_doubtful, &err);
    any = any || is_doubtful;
    a->is_doubtful = is_doubtful;
    if (!rc && !core->fill.is_loaded)
        rc = ch_fill_load(&core->fill, core->replica, &err);
    a->is_fill = !rc && !any && core->fill.count > 0;
    a->is_verify = !any && !a->is_fill && core->verify_wanted > core->verify_done;
    // Whether a row is in a scope is told from its values, and values that a doubtful scope left behind may tell it wrongly of any other scope.
    if (!rc && !any && !a->is_verify && !a->is_fill && ch_core_audit_is_due(core))
        rc = begin_audit(core, &any, &err);
    else if (!rc && (is_doubtful || a->is_verify || a->is_fill))
        rc = ch_acquire_add_scopes(core, CH_SCOPE_READY, &any, &err);
    core->acquire_wanted = false;
    if (!rc && any) {
        core->rows_copied = core->rows_total = 0;
        rc = ch_acquire_begin_scope(core, &err);
    }
    if (rc) {
        fail(core, &err);
    } else if (any && a->is_fill && !core->fill.is_known) {
        ch_core_changed(core, CHARLE_EVENT_STATUS);
        start_describing(core);
    } else if (any) {
        a->step = CH_ACQUIRE_NEXT;
        ch_core_changed(core, CHARLE_EVENT_STATUS);
        advance(core);
    } else if (a->is_verify || a->is_fill) {
        finished(core);
    }
}

// A range that differed is asked again when the stream has brought everything up to the head it was hashed at, or has not for too long.
static void wait_for_cursor(struct ch_client_core *core)
{
    struct ch_acquire *a = &core->acquire;
    struct charle_error err = {0};
    int state;
    int64_t stamp;
    CHARLE_ASSERT(a->is_verify && ch_acquire_scope(a).ptr); // mending fetches at once
    if (ch_acquire_state_of(core, ch_acquire_scope(a), &state, &stamp, &err))
        fail(core, &err);
    else if (state != CH_SCOPE_READY || stamp >= a->hashed_stamp || ch_core_now(core) >= a->wait_until)
        ch_acquire_start_hash(core);
}

int64_t ch_core_acquire_wish(const struct ch_client_core *core)
{
    return core->phase == CH_PHASE_LIVE && core->acquire.step == CH_ACQUIRE_WAIT ? core->acquire.wait_until : INT64_MAX;
}

// The session was lost in the middle; the scope may have been lost with it.
static void resume(struct ch_client_core *core)
{
    struct ch_acquire *a = &core->acquire;
    struct charle_error err = {0};
    int state;
    int64_t stamp;
    CHARLE_ASSERT(a->is_in_table && ch_acquire_scope(a).ptr);
    if (ch_acquire_state_of(core, ch_acquire_scope(a), &state, &stamp, &err)) {
        fail(core, &err);
    } else if (!state) {
        a->scope_state = 0;
        ch_acquire_clear_ranges(a);
        a->step = CH_ACQUIRE_NEXT;
        advance(core);
    } else if (a->step == CH_ACQUIRE_HASH) {
        ch_acquire_start_hash(core);
    } else {
        ch_acquire_start_fetch(core);
    }
}

// Is there anything that nobody has asked for in this session yet?
static bool is_wanted(struct ch_client_core *core)
{
    return core->acquire_wanted || core->verify_wanted > core->verify_done || !core->fill.is_loaded || core->fill.count || ch_core_audit_is_due(core);
}

void ch_core_acquire_step(struct ch_client_core *core)
{
    struct ch_acquire *a = &core->acquire;
    if (a->call)
        return;
    switch (a->step) {
    case CH_ACQUIRE_IDLE:
        if (is_wanted(core))
            begin(core);
        break;
    case CH_ACQUIRE_NEXT:
        advance(core);
        break;
    case CH_ACQUIRE_WAIT:
        wait_for_cursor(core);
        break;
    case CH_ACQUIRE_HASH:
    case CH_ACQUIRE_FETCH:
        resume(core);
        break;
    case CH_ACQUIRE_DESCRIBE:
        start_describing(core);
        break;
    case CH_ACQUIRE_STAGED:
        break;
    }
}

// --- events -----------------------------------------------------------------------------------------------------------

void ch_core_acquire_on_message(struct ch_client_core *core, struct charle_bytes message)
{
    struct ch_acquire *a = &core->acquire;
    struct charle_error err = {0};
    CHARLE_ASSERT(a->call && (a->step == CH_ACQUIRE_HASH || a->step == CH_ACQUIRE_DESCRIBE || a->step == CH_ACQUIRE_FETCH));
    ch_core_contact(core);
    if (a->step == CH_ACQUIRE_HASH || a->step == CH_ACQUIRE_DESCRIBE)
        charle_buf_add(&a->reply, message.ptr, message.len);
    else if (ch_acquire_stage_page(core, message, &err))
        fail(core, &err);
}

void ch_core_acquire_on_done(struct ch_client_core *core)
{
    struct ch_acquire *a = &core->acquire;
    struct charle_error err = {0};
    enum charle_err rc = CHARLE_OK;
    CHARLE_ASSERT(a->call && (a->step == CH_ACQUIRE_HASH || a->step == CH_ACQUIRE_DESCRIBE || a->step == CH_ACQUIRE_FETCH));
    a->call = 0;
    if (a->step == CH_ACQUIRE_DESCRIBE) {
        rc = take_description(core, &err);
        if (!rc && !core->fill.is_known) {
            ch_core_acquire_refused(core);
            return;
        }
    } else if (a->step == CH_ACQUIRE_HASH) {
        rc = ch_acquire_take_hash(core, &err);
    } else if (!a->has_ended) {
        ch_core_end_session(core, CHARLE_UNAVAILABLE, "the server ended a copy before its last page");
        return;
    } else {
        a->step = CH_ACQUIRE_NEXT;
    }
    if (rc)
        fail(core, &err);
    else if (a->step == CH_ACQUIRE_NEXT)
        advance(core);
}
