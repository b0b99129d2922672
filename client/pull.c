// Pulling: the live stream that brings moments, and the single pull that answers "what is the truth right now".
#include "client/core_parts.h"

#include "base/alloc.h"

enum {
    PROBE_TIMEOUT_MS = 60000,
    EARLY_PAGE_US = 20000,  // how long the next page is waited for with the replica's lock held: longer than the server needs to read one …
    EARLY_WAIT_US = 100000, // … and all of a moment's pages together, which is what other programs may have to wait for nothing
};

// --- asking -------------------------------------------------------------------------------------------------------------------

// What is known of a scope, as the row of charle_cursor says. Those in doubt, and those that are yet to be fetched, have nothing to build on.
static bool read_cursor(sqlite3_stmt *row, struct charle_str scope, const struct ch_staged *staged, struct charle_cursor *out)
{
    *out = (struct charle_cursor){scope, sqlite3_column_int64(row, 1), (uint64_t)sqlite3_column_int64(row, 2)};
    for (size_t i = 0; staged && i < staged->scope_count; i++) {
        const struct ch_staged_scope *item = &staged->scopes[i];
        if (!charle_str_equal(item->scope, scope))
            continue;
        out->stamp = item->stamp;
        out->lineage = item->lineage;
        return true;
    }
    return sqlite3_column_type(row, 1) != SQLITE_NULL && sqlite3_column_int(row, 3) != CH_SCOPE_REPAIR;
}

static enum charle_err read_cursors(struct ch_client_core *core, struct charle_array *out, struct charle_error *err)
{
    struct ch_lite *sql = &core->replica->sql;
    const struct charle_cursor **items = charle_arena_array(&core->arena, CH_SCOPES_PER_SESSION_MAX, sizeof(*items));
    struct ch_staged room;
    const struct ch_staged *staged = ch_core_acquire_staged(core, &room);
    sqlite3_stmt *row;
    size_t count = 0;
    if (!items)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the cursors");
    enum charle_err rc = ch_lite_one(sql, CH_LITE_CURSOR_ALL, &row, err, "");
    for (; rc == CHARLE_OK; rc = ch_lite_next(sql, row, err)) {
        struct charle_cursor *cursor = CHARLE_ARENA_NEW(&core->arena, struct charle_cursor);
        struct charle_str scope = charle_arena_str(&core->arena, ch_lite_text(row, 0));
        if (!cursor || !scope.ptr || count == CH_SCOPES_PER_SESSION_MAX) {
            ch_lite_end(row);
            return charle_fail(err, CHARLE_NO_MEMORY, "no room for more than %zu cursors", count);
        }
        if (read_cursor(row, scope, staged, cursor))
            items[count++] = cursor;
        CHARLE_ASSERT(count <= CH_SCOPES_PER_SESSION_MAX);
    }
    *out = (struct charle_array){items, count, true};
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

static enum charle_err fill_request(struct ch_client_core *core, bool is_live, struct charle_pull_request *out,
                                    struct charle_error *err)
{
    struct ch_replica *replica = core->replica;
    char id[CH_ID_LEN + 1];
    *out = (struct charle_pull_request){.schema_hash = replica->served_hash, .live = {is_live, true}, .last_sequence = {core->contained, true}};
    enum charle_err rc = ch_replica_begin(replica, CH_FETCHABLE, err);
    if (rc)
        return rc;
    rc = ch_meta_text(&replica->sql, "device_id", id, sizeof(id), err);
    if (!rc)
        rc = read_cursors(core, &out->cursor, err);
    ch_replica_rollback(replica);
    if (rc)
        return rc;
    (void)ch_core_newest(core, false, &out->at_least); // without, rows that were fetched ahead of the moment are compared again
    out->device_id = charle_arena_str(&core->arena, charle_str(id));
    return out->device_id.ptr ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a request");
}

static uint64_t ask(struct ch_client_core *core, bool is_live)
{
    struct charle_error err = {0};
    struct charle_pull_request request;
    if (fill_request(core, is_live, &request, &err)) {
        ch_core_fail(core, &err);
        return 0;
    }
    return ch_core_call(core, "charle.Sync/Pull", &charle_pull_request_message, &request, is_live ? 0 : PROBE_TIMEOUT_MS);
}

void ch_core_pull_begin(struct ch_client_core *core, bool completes_copy)
{
    ch_core_cancel(core, &core->pull_call);
    ch_core_cancel(core, &core->probe_call); // its answer could join the cursors as they were
    CHARLE_ASSERT(!core->pull_call && !core->probe_call);
    ch_moment_reset(&core->moment);
    ch_moment_reset(&core->probe);
    core->pull_completes_copy = completes_copy;
    core->has_moment = false;
    ch_core_set_phase(core, CH_PHASE_PULLING);
    ch_core_contact(core);
    core->pull_call = ask(core, true);
}

void ch_core_pull_cancel(struct ch_client_core *core)
{
    ch_core_cancel(core, &core->pull_call);
    ch_core_cancel(core, &core->probe_call);
    ch_moment_reset(&core->moment);
    ch_moment_reset(&core->probe);
    core->has_moment = false;
}

// --- applying -----------------------------------------------------------------------------------------------------------------

static void now_live(struct ch_client_core *core)
{
    if (core->has_moment || !core->pull_call)
        return; // what the moment brought has ended the session: a server that takes back what it said may do that
    core->failures = core->acquire_failures;
    core->problem[0] = '\0';
    core->problem_code = CHARLE_OK;
    core->has_moment = true;
    ch_core_set_phase(core, CH_PHASE_LIVE);
}

static enum charle_err after_recall(struct ch_client_core *core, struct charle_error *err)
{
    if (core->recall_after < 0)
        return CHARLE_OK;
    core->recall_after = -1;
    core->push_wanted = true;
    if (!core->renew_after_recall)
        return CHARLE_OK;
    core->renew_after_recall = false;
    return ch_outbox_renew_identity(core->replica, err);
}

// The pages that come while a moment is applied already.
struct early {
    struct ch_client_core *core;
    int64_t left_us; // that may be waited
};

static bool has_gone_back(const struct ch_client_core *core, const struct ch_moment *moment)
{
    return moment->has_sequence && moment->last_sequence < core->contained;
}

static enum charle_err next_page(void *ctx, struct ch_moment *moment, bool *out_is_added, struct charle_error *err)
{
    struct early *early = ctx;
    struct ch_client_core *core = early->core;
    struct charle_bytes bytes;
    int64_t began = ch_core_now(core), wait_us = early->left_us < EARLY_PAGE_US ? early->left_us : EARLY_PAGE_US;
    *out_is_added = core->env->call_more(core->env->ctx, core->pull_call, wait_us, &bytes);
    early->left_us -= ch_core_now(core) - began;
    if (early->left_us < 0)
        early->left_us = 0;
    CHARLE_ASSERT(early->left_us <= EARLY_WAIT_US);
    if (!*out_is_added)
        return CHARLE_OK;
    ch_core_contact(core);
    ch_core_meter_note(core, bytes.len);
    enum charle_err rc = ch_moment_add(moment, bytes, err);
    core->env->call_consumed(core->env->ctx, core->pull_call, bytes.len);
    if (has_gone_back(core, moment))
        *out_is_added = false;
    return rc;
}

// One transaction, when the moment is complete or if it becomes so at once. False: it could not be applied and the session is over.
// *out_is_applied false: its other pages are not here yet.
static bool apply_and_tell(struct ch_client_core *core, struct ch_moment *moment, bool is_first, bool *out_is_applied)
{
    struct charle_error err = {0};
    struct ch_apply_result result = {0};
    struct ch_staged room;
    struct early early = {.core = core, .left_us = EARLY_WAIT_US};
    bool renewed = core->renew_after_recall;
    enum charle_err rc = CHARLE_OK;
    const struct ch_apply_options options = {
        .staged = is_first ? ch_core_acquire_staged(core, &room) : NULL,
        .completes_copy = is_first && core->pull_completes_copy,
        .is_part = core->copies_part,
        .recall_after = is_first ? core->recall_after : -1,
    };
    CHARLE_ASSERT(moment->page_count > 0);
    *out_is_applied = moment->is_complete;
    core->replica->checkpoints_later = true; // it takes as long as the moment itself, and nobody has to wait for it
    if (moment->is_complete)
        rc = ch_apply_moment(core->replica, moment, &options, &result, &err);
    else if (core->env->call_more)
        rc = ch_apply_early(core->replica, moment, &options, next_page, &early, &result, out_is_applied, &err);
    if (!rc && !*out_is_applied)
        return true;
    if (!rc && is_first)
        rc = after_recall(core, &err);
    if (rc) {
        ch_core_fail(core, &err);
        return false;
    }
    CHARLE_ASSERT(moment->is_complete);
    core->is_ready = result.is_ready;
    core->holdings += result.holds_others;
    core->acquire_wanted = core->acquire_wanted || !result.is_complete;
    core->pages_applied += moment->page_count;
    core->calls_run_again += (uint64_t)result.calls_run_again;
    if (result.calls_contained)
        ch_core_want_push(core); // a parked one among them was queued again
    if (options.staged)
        ch_core_acquire_applied(core, result.rows_different);
    unsigned events = (result.rows ? CHARLE_EVENT_ROWS : 0u) | (result.calls_contained ? CHARLE_EVENT_CALLS : 0u);
    if (options.completes_copy || options.staged || result.scopes_changed)
        events |= CHARLE_EVENT_ROWS | CHARLE_EVENT_STATUS;
    if (events)
        ch_core_changed(core, events);
    if (result.is_foreign || (is_first && renewed)) {
        // Another replica uses this device's numbers, or we go on under a new name: opening again settles who is who.
        ch_core_end_session(core, CHARLE_ABORTED, "this replica's device is being renewed");
        return false;
    }
    return true;
}

static bool apply(struct ch_client_core *core, struct ch_moment *moment, bool is_first, bool *out_is_applied)
{
    bool goes_on = apply_and_tell(core, moment, is_first, out_is_applied);
    ch_replica_checkpoint(core->replica);
    return goes_on;
}

// Nothing changed: most signs of life are of this kind and cost no transaction.
static bool is_idle(const struct ch_client_core *core, const struct ch_moment *moment)
{
    return core->has_moment && !moment->has_changes && (!moment->has_sequence || moment->last_sequence <= core->contained);
}

void ch_core_pull_on_message(struct ch_client_core *core, struct charle_bytes message)
{
    struct charle_error err = {0};
    CHARLE_ASSERT(core->pull_call && !core->moment.is_complete);
    ch_core_contact(core);
    if (ch_moment_add(&core->moment, message, &err)) {
        ch_core_fail(core, &err);
        return;
    }
    bool is_first = !core->has_moment, is_applied = false;
    if (!core->moment.is_complete && !apply(core, &core->moment, is_first, &is_applied))
        return;
    if (!core->moment.is_complete)
        return;
    if (has_gone_back(core, &core->moment)) {
        // The database went back in time under a stream that goes on: calls that it had are lost.
        core->contained = core->moment.last_sequence;
        ch_core_end_session(core, CHARLE_ABORTED, "the server has lost calls of this device; comparing");
        return;
    }
    // This device's row was touched, and not by a call: somebody has said something about the device.
    if (!is_first && core->moment.has_sequence && core->moment.last_sequence == core->contained)
        ch_core_order_hint(core);
    if (is_applied || !is_idle(core, &core->moment)) {
        if (!is_applied && !apply(core, &core->moment, is_first, &is_applied))
            return;
        if (core->moment.has_sequence)
            core->contained = core->moment.last_sequence;
        if (is_first)
            now_live(core);
    }
    ch_moment_reset(&core->moment);
}

// --- asking once ----------------------------------------------------------------------------------------------------------------

static bool is_settled(struct ch_client_core *core)
{
    struct charle_error err;
    int64_t unsettled = 1;
    pthread_mutex_lock(&core->replica->look_mutex);
    (void)!ch_lite_number(&core->replica->look, CH_LITE_OUTBOX_UNSETTLED, 1, &unsettled, &err, "iii", core->sync_mark,
                         core->env->now_wall_us(core->env->ctx), (int64_t)ch_core_files_are_stuck(core));
    pthread_mutex_unlock(&core->replica->look_mutex);
    return !unsettled;
}

// Somebody waits for a moment not older than now: asked for when all calls of that time have their verdicts and nothing is being acquired.
void ch_core_probe_step(struct ch_client_core *core)
{
    if (core->sync_wanted <= core->sync_done || core->probe_call || core->acquire.step != CH_ACQUIRE_IDLE || core->fill.count || core->push_call ||
        !is_settled(core))
        return;
    ch_moment_reset(&core->probe);
    CHARLE_ASSERT(core->sync_wanted > core->sync_done);
    core->probe_ticket = core->sync_wanted;
    core->probe_holdings = core->holdings;
    core->probe_call = ask(core, false);
}

static void note_synced(struct ch_client_core *core)
{
    struct charle_error err = {0};
    struct ch_replica *replica = core->replica;
    core->sync_done = core->probe_ticket;
    CHARLE_ASSERT(core->sync_done <= core->sync_wanted);
    if (core->file_sync_wanted && !ch_replica_begin(replica, CH_FETCHABLE, &err)) {
        enum charle_err rc = ch_meta_set_number(&replica->sql, "sync_done", core->file_sync_wanted, &err);
        (void)!ch_replica_end(replica, rc, &err);
    }
    ch_core_changed(core, CHARLE_EVENT_STATUS);
}

void ch_core_probe_on_message(struct ch_client_core *core, struct charle_bytes message)
{
    struct charle_error err = {0};
    CHARLE_ASSERT(core->probe_call && !core->probe.is_complete);
    ch_core_contact(core);
    if (ch_moment_add(&core->probe, message, &err)) {
        ch_core_fail(core, &err);
        return;
    }
    if (!core->probe.is_complete)
        return;
    bool is_current = core->probe_holdings == core->holdings, is_applied;
    if (is_current && !apply(core, &core->probe, false, &is_applied))
        return;
    ch_moment_reset(&core->probe);
    ch_core_cancel(core, &core->probe_call);
    if (!is_current)
        return; // it is asked again
    if (core->probe_holdings != core->holdings) {
        ch_core_pull_begin(core, false); // the stream from here on
        return;
    }
    if (core->phase == CH_PHASE_LIVE)
        ch_core_acquire_step(core); // scopes may have come with it
    if (core->acquire.step == CH_ACQUIRE_IDLE && core->phase == CH_PHASE_LIVE)
        note_synced(core);
}
