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
#include "client/core_parts.h"

#include "base/alloc.h"
#include "msg/wire.h"
#include "sync/cursor.h"
#include "sync/hash.h"
#include "sync/shape.h"

enum { HASH_TIMEOUT_MS = 120000, WAIT_US = 5000000 };

static struct charle_str scope_at(const struct ch_acquire *a, size_t at)
{
    return at < a->scopes.size ? charle_str((const char *)a->scopes.data + at) : (struct charle_str){0};
}

static struct charle_str present_scope(const struct ch_acquire *a)
{
    return scope_at(a, a->scope_at);
}

static struct charle_str bound(bool has, const struct charle_buf *text)
{
    return has ? charle_str_n(text->size ? (const char *)text->data : "", text->size) : (struct charle_str){0};
}

static struct charle_opt_text opt_bound(bool has, const struct charle_buf *text)
{
    return (struct charle_opt_text){bound(has, text), has};
}

static void range_deinit(struct ch_key_range *range)
{
    charle_buf_deinit(&range->after);
    charle_buf_deinit(&range->until);
    *range = (struct ch_key_range){0};
}

void ch_core_acquire_reset(struct ch_client_core *core)
{
    struct ch_acquire *a = &core->acquire;
    ch_core_cancel(core, &a->call);
    if (a->has_spool)
        ch_spool_close(&a->spool);
    while (a->range_count)
        range_deinit(&a->ranges[--a->range_count]);
    ch_free(a->ranges);
    range_deinit(&a->range);
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

// --- ranges -------------------------------------------------------------------------------------------------------------------

static enum charle_err push_range(struct ch_acquire *a, struct charle_str after, struct charle_str until, int64_t rows,
                                  struct charle_error *err)
{
    if (a->range_count == a->range_capacity) {
        size_t capacity = a->range_capacity ? a->range_capacity * 2 : CH_VERIFY_BUCKETS;
        struct ch_key_range *grown = ch_realloc_array(a->ranges, capacity, sizeof(*grown));
        if (!grown)
            return charle_fail(err, CHARLE_NO_MEMORY, "no memory for %zu ranges of keys", capacity);
        a->ranges = grown;
        a->range_capacity = capacity;
    }
    struct ch_key_range range = {.has_after = after.ptr != NULL, .has_until = until.ptr != NULL, .rows = rows};
    charle_buf_add_str(&range.after, after);
    charle_buf_add_str(&range.until, until);
    a->ranges[a->range_count++] = range;
    return range.after.failed || range.until.failed ? charle_fail(err, CHARLE_NO_MEMORY, "no memory for a range of keys") : CHARLE_OK;
}

static struct ch_table *present_table(struct ch_client_core *core)
{
    return &core->replica->tables.items[core->acquire.table_at];
}

static struct ch_table_audience *audience_at(struct ch_client_core *core, size_t table_at)
{
    struct ch_table *table = &core->replica->tables.items[table_at];
    struct charle_str scope = present_scope(&core->acquire);
    return core->acquire.is_fill ? ch_fill_audience(&core->fill, table, scope) : ch_table_audience_of(table, scope);
}

static uint64_t schema_hash(const struct ch_client_core *core)
{
    return core->acquire.is_fill ? core->fill.served_hash : core->replica->served_hash;
}

// Confirmed rows of the range here: waiting calls are taken off, and put back by rolling back.
struct sum_walk {
    struct ch_row_sum sum;
};

static enum charle_err add_row(void *ctx, struct charle_bytes row, struct charle_error *err)
{
    struct sum_walk *walk = ctx;
    (void)err;
    ch_row_sum_add(&walk->sum, row);
    return CHARLE_OK;
}

static enum charle_err sum_here(struct ch_client_core *core, struct ch_table *table, struct charle_str after,
                                struct charle_str until, struct ch_row_sum *out, struct charle_error *err)
{
    struct ch_replica *replica = core->replica;
    struct charle_str scope = present_scope(&core->acquire);
    uint32_t ignored[CH_TABLES_MAX];
    struct ch_rebase rebase = {0};
    struct sum_walk walk = {0};
    enum charle_err rc = ch_replica_begin(replica, CH_FETCHABLE, err);
    if (rc)
        return rc;
    rc = ch_rebase_begin(&rebase, replica, 0, true, err);
    if (!rc)
        rc = ch_table_walk(&replica->tables, table, audience_at(core, core->acquire.table_at), scope, after, until, add_row, &walk, err);
    ch_rebase_deinit(&rebase);
    ch_replica_rollback(replica);
    (void)ch_replica_take_changed(replica, ignored);
    *out = walk.sum;
    return rc;
}

// --- asking -------------------------------------------------------------------------------------------------------------------

static bool is_leaf(const struct ch_acquire *a)
{
    return a->range.rows >= 0 && a->range.rows <= CH_VERIFY_LEAF_ROWS;
}

static void start_hash(struct ch_client_core *core)
{
    struct ch_acquire *a = &core->acquire;
    struct charle_array newest;
    bool may_lag = ch_core_newest(core, true, &newest);
    const struct charle_hash_request request = {
        .at_least = newest, .may_lag = {may_lag, true},
        .scope = present_scope(a), .table = present_table(core)->schema->id,
        .after_key = opt_bound(a->range.has_after, &a->range.after), .until_key = opt_bound(a->range.has_until, &a->range.until),
        .buckets = is_leaf(a) ? 1 : CH_VERIFY_BUCKETS,
        .schema_hash = schema_hash(core),
    };
    a->step = CH_ACQUIRE_HASH;
    charle_buf_reset(&a->reply);
    a->call = ch_core_call(core, "charle.Sync/Hash", &charle_hash_request_message, &request, HASH_TIMEOUT_MS);
}

static void start_fetch(struct ch_client_core *core)
{
    struct ch_acquire *a = &core->acquire;
    struct charle_opt_text after = opt_bound(a->range.has_after, &a->range.after);
    if (a->last_key.size) // going on behind what is staged
        after = (struct charle_opt_text){charle_buf_str(&a->last_key), true};
    struct charle_array newest;
    bool may_lag = ch_core_newest(core, true, &newest);
    const struct charle_copy_request request = {
        .at_least = newest, .may_lag = {may_lag, true},
        .scope = present_scope(a), .table = present_table(core)->schema->id, .after_key = after,
        .until_key = opt_bound(a->range.has_until, &a->range.until), .schema_hash = schema_hash(core),
    };
    a->step = CH_ACQUIRE_FETCH;
    a->has_ended = false;
    a->call = ch_core_call(core, "charle.Sync/Copy", &charle_copy_request_message, &request, 0);
}

static void start_new_fetch(struct ch_client_core *core)
{
    struct ch_acquire *a = &core->acquire;
    a->range_is_staged = false;
    charle_buf_reset(&a->last_key);
    a->report.ranges_fetched++;
    start_fetch(core);
}

// --- staging ------------------------------------------------------------------------------------------------------------------

static void note_head(struct ch_acquire *a, const struct charle_cursor *head)
{
    if (!head)
        return;
    ch_seen_add(&a->seen, head->stamp, head->lineage);
    if (a->has_head)
        return;
    a->has_head = true;
    a->head_stamp = head->stamp;
    a->head_lineage = head->lineage;
}

static enum charle_err stage(struct ch_client_core *core, const struct ch_spool_item *item, struct charle_error *err)
{
    struct ch_acquire *a = &core->acquire;
    enum charle_err rc = CHARLE_OK;
    if (!a->has_spool)
        rc = ch_spool_open(&a->spool, core->replica->vfs, err);
    a->has_spool = a->has_spool || !rc;
    if (!rc && !a->scope_is_staged)
        rc = ch_spool_add(&a->spool, &(struct ch_spool_item){.kind = CH_SPOOL_SCOPE, .scope = present_scope(a)}, err);
    a->scope_is_staged = a->scope_is_staged || !rc;
    return rc || !item ? rc : ch_spool_add(&a->spool, item, err);
}

static enum charle_err stage_range(struct ch_client_core *core, struct charle_error *err)
{
    struct ch_acquire *a = &core->acquire;
    if (a->range_is_staged)
        return CHARLE_OK;
    a->range_is_staged = true;
    return stage(core, &(struct ch_spool_item){.kind = CH_SPOOL_RANGE, .table = present_table(core)->schema->id,
                                               .after = bound(a->range.has_after, &a->range.after),
                                               .until = bound(a->range.has_until, &a->range.until)}, err);
}

static enum charle_err stage_page(struct ch_client_core *core, struct charle_bytes message, struct charle_error *err)
{
    struct ch_acquire *a = &core->acquire;
    struct charle_copy_page page;
    enum charle_err rc = charle_message_read(&charle_copy_page_message, message, &core->arena, &page, err);
    if (rc)
        return charle_error_prefix(err, rc, "a page of a copy cannot be read");
    note_head(a, page.head);
    a->has_ended = page.is_last.has && page.is_last.value;
    if (page.last_key.has) {
        charle_buf_reset(&a->last_key);
        charle_buf_add_str(&a->last_key, page.last_key.value);
    }
    core->rows_copied += (int64_t)page.row.count;
    rc = stage_range(core, err);
    return rc ? rc : stage(core, &(struct ch_spool_item){.kind = CH_SPOOL_COPY_PAGE, .table = present_table(core)->schema->id,
                                                        .bytes = message}, err);
}

// --- what comes next ----------------------------------------------------------------------------------------------------------

static enum charle_err add_scopes(struct ch_client_core *core, enum ch_scope_state state, bool *out_any, struct charle_error *err)
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

static enum charle_err state_of(struct ch_client_core *core, struct charle_str scope, int *out_state, int64_t *out_stamp,
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
    if (!present_scope(a).ptr)
        return CHARLE_OK;
    pthread_mutex_lock(&core->replica->look_mutex);
    enum charle_err rc = ch_lite_one(look, CH_LITE_CURSOR_GET, &row, err, "s", present_scope(a));
    if (!rc) {
        a->cursor_stamp = sqlite3_column_int64(row, 0);
        a->cursor_lineage = (uint64_t)sqlite3_column_int64(row, 1);
        ch_lite_end(row);
    }
    pthread_mutex_unlock(&core->replica->look_mutex);
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

static void clear_ranges(struct ch_acquire *a)
{
    while (a->range_count)
        range_deinit(&a->ranges[--a->range_count]);
}

static enum charle_err begin_scope(struct ch_client_core *core, struct charle_error *err)
{
    struct ch_acquire *a = &core->acquire;
    int state = 0;
    int64_t stamp;
    clear_ranges(a);
    a->table_at = 0;
    a->seen = (struct ch_seen){0};
    a->is_in_table = a->has_head = a->scope_is_staged = false;
    enum charle_err rc = present_scope(a).ptr ? state_of(core, present_scope(a), &state, &stamp, err) : CHARLE_OK;
    if (!rc && a->is_fill)
        rc = note_cursor(core, err);
    a->scope_state = state;
    a->compares = state != CH_SCOPE_COPYING;
    return rc;
}

// No table of this schema has the audience, so nothing was asked and nothing is missing.
static enum charle_err take_empty_scope(struct ch_client_core *core, struct charle_error *err)
{
    enum charle_err rc = ch_replica_begin(core->replica, CH_FETCHABLE, err);
    if (rc)
        return rc;
    rc = ch_lite_run(&core->replica->sql, CH_LITE_CURSOR_MARK, err, "si", present_scope(&core->acquire), (int64_t)CH_SCOPE_READY);
    return ch_replica_end(core->replica, rc, err);
}

static enum charle_err keep_staged(struct ch_acquire *a, struct charle_error *err)
{
    if (a->staged_count == a->staged_capacity) {
        size_t capacity = a->staged_capacity ? a->staged_capacity * 2 : 16;
        struct ch_staged_scope *grown = ch_realloc_array(a->staged, capacity, sizeof(*grown));
        if (!grown)
            return charle_fail(err, CHARLE_NO_MEMORY, "no memory for %zu scopes", capacity);
        a->staged = grown;
        a->staged_capacity = capacity;
    }
    // A standby may be behind the cursor.
    bool is_behind = a->head_lineage == a->cursor_lineage && a->head_stamp < a->cursor_stamp;
    if (a->is_fill && !is_behind) {
        a->head_stamp = a->cursor_stamp;
        a->head_lineage = a->cursor_lineage;
    }
    a->staged[a->staged_count++] = (struct ch_staged_scope){
        .scope = present_scope(a), .stamp = a->head_stamp, .lineage = a->head_lineage, .seen = a->seen, .is_whole = !a->compares};
    return CHARLE_OK;
}

static enum charle_err end_scope(struct ch_client_core *core, struct charle_error *err)
{
    struct ch_acquire *a = &core->acquire;
    enum charle_err rc = CHARLE_OK;
    if (!a->has_head && a->scope_state == CH_SCOPE_COPYING)
        rc = take_empty_scope(core, err);
    // A scope that was found whole is taken over too, unless it was only verified.
    if (!rc && a->has_head && a->scope_state && a->scope_state != CH_SCOPE_READY)
        rc = stage(core, NULL, err);
    if (!rc && a->scope_is_staged)
        rc = keep_staged(a, err);
    a->scope_at += present_scope(a).len + 1;
    return rc ? rc : begin_scope(core, err);
}

static void finished(struct ch_client_core *core)
{
    struct ch_acquire *a = &core->acquire;
    struct charle_error err = {0};
    core->acquire_failures = 0;
    if (a->is_fill && ch_fill_done(&core->fill, core->replica, &err)) {
        fail(core, &err);
        return;
    }
    if (a->is_audit) {
        ch_core_audit_finished(core, scope_at(a, 0), core->replica->tables.items[a->only_table].schema->id, &a->report, !a->was_cut);
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
    a->step = CH_ACQUIRE_STAGED;
    ch_core_pull_begin(core, false);
}

const struct ch_staged *ch_core_acquire_staged(struct ch_client_core *core, struct ch_staged *room)
{
    struct ch_acquire *a = &core->acquire;
    if (a->step != CH_ACQUIRE_STAGED)
        return NULL;
    *room = (struct ch_staged){a->has_spool ? &a->spool : NULL, a->staged, a->staged_count, a->is_doubtful || a->is_verify, a->is_fill ? &core->fill : NULL};
    return room;
}

void ch_core_acquire_applied(struct ch_client_core *core, int64_t rows_different)
{
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
        struct charle_str scope = present_scope(a);
        enum charle_err rc = CHARLE_OK;
        if (!scope.ptr) {
            all_done(core);
            return false;
        }
        if (a->range_count) {
            range_deinit(&a->range);
            a->range = a->ranges[--a->range_count];
            return true;
        }
        if (a->is_in_table)
            a->table_at++;
        a->is_in_table = false;
        while (a->scope_state && a->table_at < tables->count &&
               (!audience_at(core, a->table_at) || (a->is_audit && a->table_at != a->only_table)))
            a->table_at++;
        if (!a->scope_state || a->table_at >= tables->count) { // lost meanwhile, or done
            rc = end_scope(core, &err);
        } else {
            a->is_in_table = true;
            a->report.tables++;
            rc = push_range(a, (struct charle_str){0}, (struct charle_str){0}, -1, &err);
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
    if (a->is_audit && a->range_count && a->report.ranges_fetched >= CH_AUDIT_RANGES_MAX) {
        a->was_cut = true;
        clear_ranges(a);
    }
    if (!next_range(core))
        return;
    // Verifying asks once more for a small range before it counts; mending fetches it.
    if (!a->compares || (is_leaf(a) && !a->is_verify))
        start_new_fetch(core);
    else
        start_hash(core);
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

// --- filling in -----------------------------------------------------------------------------------------------------------------

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
    a->call = ch_core_call(core, "charle.Sync/Open", &charle_open_request_message, &request, HASH_TIMEOUT_MS);
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

static void begin(struct ch_client_core *core)
{
    struct ch_acquire *a = &core->acquire;
    struct charle_error err = {0};
    bool any = false, is_doubtful = false;
    enum charle_err rc = add_scopes(core, CH_SCOPE_COPYING, &any, &err);
    if (!rc)
        rc = add_scopes(core, CH_SCOPE_REPAIR, &is_doubtful, &err);
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
        rc = add_scopes(core, CH_SCOPE_READY, &any, &err);
    core->acquire_wanted = false;
    if (!rc && any) {
        core->rows_copied = core->rows_total = 0;
        rc = begin_scope(core, &err);
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
    if (state_of(core, present_scope(a), &state, &stamp, &err))
        fail(core, &err);
    else if (state != CH_SCOPE_READY || stamp >= a->hashed_stamp || ch_core_now(core) >= a->wait_until)
        start_hash(core);
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
    if (state_of(core, present_scope(a), &state, &stamp, &err)) {
        fail(core, &err);
    } else if (!state) {
        a->scope_state = 0;
        clear_ranges(a);
        a->step = CH_ACQUIRE_NEXT;
        advance(core);
    } else if (a->step == CH_ACQUIRE_HASH) {
        start_hash(core);
    } else {
        start_fetch(core);
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

// --- comparing ----------------------------------------------------------------------------------------------------------------

// Does a difference seen against this head count already? Only while verifying a scope whose cursor is elsewhere it does not.
static enum charle_err is_certain(struct ch_client_core *core, const struct charle_cursor *head, bool *out, struct charle_error *err)
{
    struct ch_acquire *a = &core->acquire;
    int state;
    int64_t stamp;
    enum charle_err rc = state_of(core, present_scope(a), &state, &stamp, err);
    *out = (!a->is_verify || a->is_fill) || state != CH_SCOPE_READY || stamp == head->stamp || a->range.tries >= CH_VERIFY_TRIES;
    return rc;
}

static enum charle_err compare_bucket(struct ch_client_core *core, struct charle_str after, struct charle_str until,
                                      const struct charle_hash_bucket *bucket, bool *out_same, struct charle_error *err)
{
    struct ch_row_sum sum = {0};
    enum charle_err rc = sum_here(core, present_table(core), after, until, &sum, err);
    *out_same = ch_row_sum_equals(&sum, bucket->rows, bucket->hash);
    if (*out_same)
        core->acquire.report.rows += bucket->rows;
    return rc;
}

// Behind the last bucket the server has nothing up to the end of the range.
static enum charle_err compare_tail(struct ch_client_core *core, struct charle_str after, bool *out_same, struct charle_error *err)
{
    struct ch_acquire *a = &core->acquire;
    struct charle_str until = bound(a->range.has_until, &a->range.until);
    struct ch_row_sum sum = {0};
    *out_same = true;
    if (after.ptr && until.ptr && charle_str_equal(after, until))
        return CHARLE_OK;
    enum charle_err rc = sum_here(core, present_table(core), after, until, &sum, err);
    *out_same = sum.rows == 0;
    return rc;
}

// A small range as a whole: equal, to be asked again, or to be fetched.
static enum charle_err judge_range(struct ch_client_core *core, const struct charle_hash_reply *reply, bool is_same,
                                   struct charle_error *err)
{
    struct ch_acquire *a = &core->acquire;
    bool certain = false;
    if (is_same) {
        a->step = CH_ACQUIRE_NEXT;
        return CHARLE_OK;
    }
    enum charle_err rc = is_certain(core, reply->head, &certain, err);
    if (rc)
        return rc;
    if (certain) {
        start_new_fetch(core);
        return CHARLE_OK;
    }
    a->range.tries++;
    a->hashed_stamp = reply->head->stamp;
    a->wait_until = ch_core_now(core) + WAIT_US;
    a->step = CH_ACQUIRE_WAIT;
    return CHARLE_OK;
}

static int64_t rows_in(const struct charle_hash_reply *reply)
{
    const struct charle_hash_bucket *const *buckets = reply->bucket.items;
    int64_t rows = 0;
    for (size_t i = 0; i < reply->bucket.count; i++)
        rows += buckets[i]->rows;
    return rows;
}

static enum charle_err compare(struct ch_client_core *core, const struct charle_hash_reply *reply, struct charle_error *err)
{
    struct ch_acquire *a = &core->acquire;
    const struct charle_hash_bucket *const *buckets = reply->bucket.items;
    struct charle_str after = bound(a->range.has_after, &a->range.after);
    bool is_small = rows_in(reply) <= CH_VERIFY_LEAF_ROWS || is_leaf(a), all_same = true, same, is_to_end = false;
    size_t range_count = a->range_count, same_count = 0;
    for (size_t i = 0; i < reply->bucket.count; i++) {
        // A last bucket without a key goes to the end of the range.
        is_to_end = buckets[i]->until_key.len == 0;
        struct charle_str until = is_to_end ? bound(a->range.has_until, &a->range.until) : buckets[i]->until_key;
        enum charle_err rc = compare_bucket(core, after, until, buckets[i], &same, err);
        // What cannot be divided any more is as small as it gets.
        int64_t rows = reply->bucket.count == 1 ? 0 : buckets[i]->rows;
        if (!rc && !same && !is_small)
            rc = push_range(a, after, until, rows, err);
        if (rc)
            return rc;
        all_same = all_same && same;
        same_count += same;
        after = until;
    }
    same = true;
    enum charle_err rc = is_to_end ? CHARLE_OK : compare_tail(core, after, &same, err);
    if (!rc && !same && !is_small)
        rc = push_range(a, after, bound(a->range.has_until, &a->range.until), 0, err);
    if (rc)
        return rc;
    if (is_small)
        return judge_range(core, reply, all_same && same, err);
    if (a->is_fill && !same_count) { // a new column that has a value everywhere: no use in dividing
        while (a->range_count > range_count)
            range_deinit(&a->ranges[--a->range_count]);
        start_new_fetch(core);
        return CHARLE_OK;
    }
    a->step = CH_ACQUIRE_NEXT;
    return CHARLE_OK;
}

static enum charle_err take_hash(struct ch_client_core *core, struct charle_error *err)
{
    struct ch_acquire *a = &core->acquire;
    struct charle_hash_reply reply;
    enum charle_err rc = charle_message_read(&charle_hash_reply_message, charle_buf_bytes(&a->reply), &core->arena, &reply, err);
    if (rc)
        return charle_error_prefix(err, rc, "the server's hashes cannot be read");
    note_head(a, reply.head);
    return compare(core, &reply, err);
}

// --- events -------------------------------------------------------------------------------------------------------------------

void ch_core_acquire_on_message(struct ch_client_core *core, struct charle_bytes message)
{
    struct ch_acquire *a = &core->acquire;
    struct charle_error err = {0};
    ch_core_contact(core);
    if (a->step == CH_ACQUIRE_HASH || a->step == CH_ACQUIRE_DESCRIBE)
        charle_buf_add(&a->reply, message.ptr, message.len);
    else if (stage_page(core, message, &err))
        fail(core, &err);
}

void ch_core_acquire_on_done(struct ch_client_core *core)
{
    struct ch_acquire *a = &core->acquire;
    struct charle_error err = {0};
    enum charle_err rc = CHARLE_OK;
    a->call = 0;
    if (a->step == CH_ACQUIRE_DESCRIBE) {
        rc = take_description(core, &err);
        if (!rc && !core->fill.is_known) {
            ch_core_acquire_refused(core);
            return;
        }
    } else if (a->step == CH_ACQUIRE_HASH) {
        rc = take_hash(core, &err);
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
