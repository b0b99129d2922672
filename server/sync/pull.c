// A replica comes back with its cursors: one snapshot, one moment.
//
// Everything is read in one read-only snapshot: what the person may see now, the heads, the changes between, the device's last call. So a
// gained scope, a lost one and the rows that came with the change of grants belong to the same moment.
#include "base/plant.h"
#include "server/sync/page.h"
#include "server/sync/parts.h"
#include "sync/cursor.h"

#include <stdlib.h>

enum { SNAPSHOTS_MAX = 3 }; // that a pull reads when tables are emptied meanwhile; then the replica asks again

struct pull {
    const struct ch_sync *sync;
    struct charle_db *db;
    const struct charle_pull_request *request;
    struct charle_arena *arena;
    const struct charle_cursor **cursors; // of the request, sorted by scope
    const struct charle_str *scopes; // held, sorted; with the device's own scope
    size_t scope_count;
    struct ch_head *heads;
    struct ch_epochs epochs;
    struct ch_page page;
    struct ch_positions *out;
    struct ch_ahead *ahead;
    bool is_void; // the snapshot shows less than the replica has seen, and may not say yet that the rest was lost
};

static const struct charle_cursor *const *cursors_of(const struct charle_array *array)
{
    return array->items;
}

static int by_scope(const void *a, const void *b)
{
    return charle_str_compare((*(const struct charle_cursor *const *)a)->scope, (*(const struct charle_cursor *const *)b)->scope);
}

// Replicas send them in order, but they are input.
static enum charle_err sort_cursors(struct pull *pull, struct charle_error *err)
{
    const struct charle_array *array = &pull->request->cursor;
    pull->cursors = charle_arena_array(pull->arena, array->count, sizeof(*pull->cursors));
    if (!pull->cursors)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for %zu cursors", array->count);
    if (array->count) {
        memcpy(pull->cursors, array->items, array->count * sizeof(*pull->cursors));
        qsort(pull->cursors, array->count, sizeof(*pull->cursors), by_scope);
    }
    return CHARLE_OK;
}

static const struct charle_cursor *find_cursor(const struct pull *pull, struct charle_str scope)
{
    const struct charle_cursor key = {.scope = scope}, *const wanted = &key;
    const struct charle_cursor *const *found = bsearch(&wanted, pull->cursors, pull->request->cursor.count, sizeof(*pull->cursors), by_scope);
    return found ? *found : NULL;
}

// The person's scopes and the device's own, sorted.
static enum charle_err read_scopes(struct pull *pull, const struct ch_sync_peer *peer, struct charle_error *err)
{
    const struct charle_str *granted;
    size_t count, at = 0;
    enum charle_err rc = ch_sync_scopes_of(pull->sync, pull->db, peer, pull->arena, &granted, &count, err);
    if (rc)
        return rc;
    if (CH_PLANTED(SCOPES_FROM_REQUEST) && pull->request->cursor.count > count) {
        struct charle_str *asked = charle_arena_array(pull->arena, pull->request->cursor.count, sizeof(*asked));
        for (count = 0; count < pull->request->cursor.count; count++)
            asked[count] = cursors_of(&pull->request->cursor)[count]->scope;
        granted = asked;
    }
    struct charle_str *scopes = charle_arena_array(pull->arena, count + 1, sizeof(*scopes));
    struct charle_str own = charle_arena_printf(pull->arena, "device:%.*s", CHARLE_FMT(pull->request->device_id));
    if (!scopes || !own.ptr)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the scopes of a person");
    while (at < count && charle_str_compare(granted[at], own) < 0)
        at++;
    if (at)
        memcpy(scopes, granted, at * sizeof(*scopes));
    scopes[at] = own;
    if (count > at)
        memcpy(scopes + at + 1, granted + at, (count - at) * sizeof(*scopes));
    CHARLE_ASSERT(at <= count);
    pull->scopes = scopes;
    pull->scope_count = count + 1;
    return CHARLE_OK;
}

static bool is_own_scope(struct charle_str scope)
{
    return charle_str_has_prefix(scope, CHARLE_STR("device:"));
}

// A standby only says what has changed in scopes that the replica has and holds. What else there is to say, and whether a cursor is of a past
// that was lost, the primary decides.
static enum charle_err check_standby(const struct pull *pull, const struct ch_standby *standby, int64_t sequence, struct charle_error *err)
{
    const struct charle_array *cursors = &pull->request->cursor;
    size_t known = 0;
    enum charle_err rc = ch_standby_check(standby, pull->db, &pull->request->at_least, pull->arena, err);
    if (rc)
        return rc;
    if (pull->request->last_sequence.has && pull->request->last_sequence.value > sequence)
        return ch_standby_behind(err);
    for (size_t i = 0; i < pull->scope_count; i++) {
        const struct ch_head *head = &pull->heads[i];
        if (is_own_scope(head->scope))
            continue;
        const struct charle_cursor *cursor = find_cursor(pull, head->scope);
        if (cursor && cursor->stamp > head->stamp)
            return ch_standby_behind(err);
        bool is_lost = cursor ? ch_head_judge(head, &pull->epochs, cursor->stamp, cursor->lineage) == CH_CURSOR_LOST
                              : ch_sync_shows(pull->sync, head->scope);
        if (is_lost)
            return charle_fail(err, CHARLE_ABORTED, "a scope was gained, or its past is in doubt: ask the primary");
        known += cursor != NULL;
    }
    CHARLE_ASSERT(known <= pull->scope_count);
    return known == cursors->count ? CHARLE_OK : charle_fail(err, CHARLE_ABORTED, "a scope is not held: ask the primary");
}

// Has the replica seen something of the running epoch that the snapshot does not show? What is missing of an older one is not being committed.
static bool is_ahead(const struct pull *pull)
{
    const struct ch_epochs *epochs = &pull->epochs;
    for (size_t i = 0; epochs->count && i < pull->scope_count; i++) {
        const struct charle_cursor *cursor = find_cursor(pull, pull->heads[i].scope);
        if (cursor && cursor->stamp > pull->heads[i].stamp && ch_stamp_epoch(cursor->stamp) == epochs->epochs[epochs->count - 1] &&
            cursor->lineage == epochs->lineages[epochs->count - 1])
            return true;
    }
    return false;
}

// At the primary.
static enum charle_err check_ahead(struct pull *pull, struct charle_error *err)
{
    bool is_settled = false;
    if (!is_ahead(pull))
        return CHARLE_OK;
    enum charle_err rc = ch_ahead_check(pull->ahead, pull->db, &is_settled, err);
    pull->is_void = rc == CHARLE_OK && !is_settled;
    return rc;
}

// The replica has seen what this snapshot does not show, so a newer one is needed.
static enum charle_err wait_ahead(struct ch_ahead *ahead, const struct ch_sync_peer *peer, struct charle_db *db, struct charle_error *err)
{
    if (peer->never_waits)
        return charle_fail(err, CHARLE_ABORTED, "a change that a standby has shown is still being committed at the primary: pull again");
    return ch_ahead_wait(ahead, db, err);
}

static void add_lost(struct pull *pull)
{
    const struct charle_array *cursors = &pull->request->cursor;
    for (size_t i = 0; i < cursors->count; i++) {
        struct charle_str scope = cursors_of(cursors)[i]->scope;
        if (!ch_scopes_have(pull->scopes, pull->scope_count, scope))
            ch_page_add_scope(&pull->page, CH_PAGE_LOST, scope);
    }
}

// All on the first page: what is not on it, the replica drops.
static void add_held(struct pull *pull)
{
    ch_page_note_list(&pull->page);
    for (size_t i = 0; i < pull->scope_count; i++) {
        if (!is_own_scope(pull->scopes[i]))
            ch_page_add_scope(&pull->page, CH_PAGE_SCOPE, pull->scopes[i]);
    }
}

static void add_position(struct pull *pull, const struct ch_head *head)
{
    CHARLE_ASSERT(pull->out->count < pull->scope_count); // one for each scope at most
    pull->out->items[pull->out->count++] = (struct ch_position){head->scope, head->stamp, head->lineage};
}

static enum charle_err add_scope(struct pull *pull, const struct ch_head *head, struct charle_error *err)
{
    const struct charle_cursor *cursor = find_cursor(pull, head->scope);
    // A device's own scope has no rows and no cursor: what it tells, the number of the last call, goes with every page.
    if (is_own_scope(head->scope)) {
        add_position(pull, head);
        return CHARLE_OK;
    }
    if (!cursor && !ch_sync_shows(pull->sync, head->scope))
        return CHARLE_OK;
    if (!cursor) {
        ch_page_add_scope(&pull->page, CH_PAGE_GAINED, head->scope);
        pull->out->is_whole = false;
        return CHARLE_OK;
    }
    CHARLE_ASSERT(charle_str_equal(cursor->scope, head->scope));
    enum ch_cursor_state state = ch_head_judge(head, &pull->epochs, cursor->stamp, cursor->lineage);
    enum charle_err rc = CHARLE_OK;
    if (state == CH_CURSOR_BEHIND) {
        rc = ch_delta_read(pull->sync, pull->db, head, cursor->stamp, ch_page_add_piece, &pull->page, err);
        if (rc == CHARLE_TOO_LARGE) {
            rc = CHARLE_OK;
            state = CH_CURSOR_LOST;
        }
    }
    if (state == CH_CURSOR_LOST) {
        ch_page_add_scope(&pull->page, CH_PAGE_REPAIR, head->scope);
        pull->out->is_whole = false;
    } else if (rc == CHARLE_OK) {
        add_position(pull, head);
    }
    return rc;
}

static enum charle_err read_moment(struct pull *pull, const struct ch_sync_peer *peer, struct charle_error *err)
{
    int64_t sequence = 0;
    CHARLE_ASSERT(!pull->out->count && pull->out->is_whole && !pull->is_void);
    enum charle_err rc = read_scopes(pull, peer, err);
    if (rc == CHARLE_OK)
        rc = ch_heads_read(pull->db, pull->scopes, pull->scope_count, pull->arena, &pull->heads, err);
    if (rc == CHARLE_OK)
        rc = ch_epochs_read(pull->db, pull->arena, &pull->epochs, err);
    if (rc == CHARLE_OK)
        rc = ch_device_sequence(pull->db, pull->request->device_id, &sequence, err);
    pull->out->last_sequence = sequence;
    if (rc == CHARLE_OK)
        rc = peer->standby ? check_standby(pull, peer->standby, sequence, err) : check_ahead(pull, err);
    if (rc || pull->is_void)
        return rc;
    pull->out->items = charle_arena_array(pull->arena, pull->scope_count, sizeof(*pull->out->items));
    if (!pull->out->items)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the cursors of a replica");
    CHARLE_ASSERT(pull->heads && pull->scope_count > 0);
    add_lost(pull);
    add_held(pull);
    for (size_t i = 0; rc == CHARLE_OK && i < pull->scope_count; i++)
        rc = add_scope(pull, &pull->heads[i], err);
    CHARLE_ASSERT(pull->out->count <= pull->scope_count);
    if (rc == CHARLE_OK) // pages count only when the last one comes, so it is early enough to ask here whether memory was short
        rc = charle_arena_check(pull->arena, "a pull", err);
    return rc ? rc : ch_page_finish(&pull->page, sequence, err);
}

// is_void of the pull: nothing was sent.
static enum charle_err pull_once(struct pull *pull, const struct ch_sync_peer *peer, ch_sync_send send, void *ctx, struct charle_error *err)
{
    const struct charle_begin_options snapshot = {
        .isolation = CH_PLANTED(TWO_SNAPSHOTS) ? CHARLE_READ_COMMITTED : CHARLE_REPEATABLE_READ, .is_read_only = true};
    *pull->out = (struct ch_positions){.is_whole = true};
    pull->is_void = false;
    enum charle_err rc = charle_begin(pull->db, &snapshot, err);
    if (rc)
        return rc;
    ch_page_init(&pull->page, send, ctx);
    rc = read_moment(pull, peer, err);
    ch_page_deinit(&pull->page);
    // Nothing was written; how a read-only transaction ends cannot change what was sent.
    struct charle_error ignored;
    enum charle_err end = charle_rollback(pull->db, &ignored);
    return rc ? rc : end ? charle_fail(err, end, "%s", ignored.text) : CHARLE_OK;
}

// The pages of a snapshot that could not be read to its end are void as soon as the next one's first page comes, which says that it is the first.
enum charle_err ch_pull(const struct ch_sync *sync, struct charle_db *db, const struct ch_sync_peer *peer,
                        const struct charle_pull_request *request, struct charle_arena *arena, ch_sync_send send, void *ctx,
                        struct ch_positions *out, struct charle_error *err)
{
    enum charle_err rc = ch_sync_check_schema(sync, request->schema_hash, err);
    if (rc == CHARLE_OK && request->cursor.count > CH_SCOPES_PER_SESSION_MAX)
        rc = charle_fail(err, CHARLE_INVALID_ARGUMENT, "more than %d cursors", CH_SCOPES_PER_SESSION_MAX);
    if (rc)
        return rc;
    struct ch_ahead ahead = {0};
    struct pull pull = {.sync = sync, .db = db, .request = request, .arena = arena, .out = out, .ahead = &ahead};
    int tries = 0;
    bool goes_on;
    rc = sort_cursors(&pull, err);
    if (rc)
        return rc;
    do {
        rc = pull_once(&pull, peer, send, ctx, err);
        if (rc == CHARLE_OK && pull.is_void) {
            rc = wait_ahead(&ahead, peer, db, err);
            goes_on = rc == CHARLE_OK;
        } else {
            // A standby leaves to the primary what it cannot answer.
            // DEADLOCK: with somebody who empties several tables.
            goes_on = (rc == CHARLE_ABORTED || rc == CHARLE_DEADLOCK) && !peer->standby && ++tries < SNAPSHOTS_MAX;
        }
    } while (goes_on);
    CHARLE_ASSERT(tries <= SNAPSHOTS_MAX);
    return rc;
}
