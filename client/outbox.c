#include "client/outbox.h"

#include "client/reply.h"

#include "base/alloc.h"
#include "base/plant.h"
#include "base/slow.h"
#include "sync/hash.h"
#include "sync/outbox.h"

#include <stdio.h>

enum charle_call_state ch_outbox_shown(int state)
{
    static const uint8_t states[] = {[CH_CALL_QUEUED] = CHARLE_CALL_QUEUED, [CH_CALL_SENT] = CHARLE_CALL_SENT,
                                     [CH_CALL_JUDGED] = CHARLE_CALL_JUDGED, [CH_CALL_CONTAINED] = CHARLE_CALL_SENT};
    return state > 0 && (size_t)state < sizeof(states) ? (enum charle_call_state)states[state] : CHARLE_CALL_QUEUED;
}

// --- contained ------------------------------------------------------------------------------------------------------------

static enum charle_err push_back(struct ch_contained **list, size_t *count, struct ch_contained item, struct charle_error *err)
{
    if ((*count & (*count - 1)) == 0) { // at 0 and at every power of two
        struct ch_contained *grown = ch_realloc_array(*list, *count ? *count * 2 : 1, sizeof(**list));
        if (!grown)
            return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the list of confirmed calls");
        *list = grown;
    }
    (*list)[(*count)++] = item;
    return CHARLE_OK;
}

enum charle_err ch_outbox_contain(struct ch_replica *replica, int64_t upto, bool only_judged, struct ch_contained **out_list,
                                  size_t *out_count, struct charle_error *err)
{
    sqlite3_stmt *row;
    *out_list = NULL;
    *out_count = 0;
    CHARLE_ASSERT_SLOW(ch_replica_is_writing(replica));
    enum charle_err rc = ch_lite_one(&replica->sql, CH_LITE_OUTBOX_CONTAINED, &row, err, "i", upto);
    while (rc == CHARLE_OK) {
        bool is_judged = sqlite3_column_int(row, 1) == CH_CALL_JUDGED;
        struct ch_contained item = {sqlite3_column_int64(row, 0), is_judged && sqlite3_column_int(row, 2) == CHARLE_PARKED};
        if (is_judged || !only_judged)
            rc = push_back(out_list, out_count, item, err);
        if (rc) {
            ch_lite_end(row);
            return rc;
        }
        rc = ch_lite_next(&replica->sql, row, err);
    }
    if (rc != CHARLE_DONE)
        return rc;
    rc = CHARLE_OK;
    if (*out_count)
        rc = ch_lite_run(&replica->sql, CH_LITE_OUTBOX_CONTAIN, err, "ii", upto, (int64_t)(only_judged ? CH_CALL_JUDGED : CH_CALL_SENT));
    if (!rc && *out_count)
        rc = ch_lite_run(&replica->sql, CH_LITE_OUTBOX_TRIM, err, "i", upto - CH_OUTBOX_KEPT_MAX);
    CHARLE_ASSERT((*out_list != NULL) == (*out_count > 0));
    return rc;
}

enum charle_err ch_outbox_queue_parked(struct ch_replica *replica, int64_t position, int64_t *out_position,
                                       struct charle_error *err)
{
    const struct ch_client_env *env = replica->env;
    sqlite3_stmt *row;
    *out_position = 0;
    CHARLE_ASSERT_SLOW(ch_replica_is_writing(replica));
    enum charle_err rc = ch_lite_one(&replica->sql, CH_LITE_OUTBOX_GET, &row, err, "i", position);
    if (rc)
        return rc == CHARLE_DONE ? CHARLE_OK : rc;
    int attempts = sqlite3_column_int(row, 6);
    int64_t delay = ch_park_delay_us(attempts);
    if (delay >= 0)
        rc = ch_lite_run(&replica->sql, CH_LITE_OUTBOX_ADD, err, "isbiiiiis", sqlite3_column_int64(row, 0), ch_lite_text(row, 1),
                        ch_lite_bytes(row, 2), sqlite3_column_int64(row, 3), sqlite3_column_int64(row, 4), (int64_t)(attempts + 1),
                        env->now_wall_us(env->ctx) + delay, (int64_t)1, (struct charle_str){0});
    ch_lite_end(row);
    if (rc || delay < 0)
        return rc;
    *out_position = sqlite3_last_insert_rowid(replica->sql.db);
    CHARLE_ASSERT(*out_position && *out_position != position);
    return ch_lite_run(&replica->sql, CH_LITE_OUTBOX_INHERIT, err, "ii", position, *out_position);
}

// --- when numbers stop fitting ----------------------------------------------------------------------------------------------

static enum charle_err hash_at(struct ch_replica *replica, int64_t number, int64_t *out_hash, bool *out_known,
                               struct charle_error *err)
{
    sqlite3_stmt *row;
    *out_hash = 0;
    *out_known = number == 0;
    if (number == 0)
        return CHARLE_OK;
    enum charle_err rc = ch_lite_one(&replica->sql, CH_LITE_OUTBOX_HASH, &row, err, "i", number);
    if (rc)
        return rc == CHARLE_DONE ? CHARLE_OK : rc;
    *out_hash = sqlite3_column_int64(row, 0);
    *out_known = true;
    ch_lite_end(row);
    return CHARLE_OK;
}

enum charle_err ch_outbox_can_recall(struct ch_replica *replica, int64_t after, bool *out, struct charle_error *err)
{
    int64_t hash, first, numbered;
    enum charle_err rc = hash_at(replica, after, &hash, out, err);
    if (!rc)
        rc = ch_lite_number(&replica->sql, CH_LITE_OUTBOX_FIRST_BEHIND, 0, &first, err, "i", after);
    if (!rc)
        rc = ch_meta_number(&replica->sql, "last_sequence", 0, &numbered, err);
    if (!rc && numbered > after && first != after + 1)
        *out = false;
    return rc;
}

enum charle_err ch_outbox_recall(struct ch_replica *replica, int64_t after, struct charle_error *err)
{
    int64_t hash;
    bool known;
    CHARLE_ASSERT_SLOW(after >= 0 && ch_replica_is_writing(replica));
    enum charle_err rc = hash_at(replica, after, &hash, &known, err);
    if (!rc)
        rc = ch_reply_recall(replica, after, err);
    if (!rc && !CH_PLANTED(LOST_NOT_SENT))
        rc = ch_lite_run(&replica->sql, CH_LITE_OUTBOX_RECALL, err, "i", after);
    if (!rc)
        rc = ch_meta_set_number(&replica->sql, "last_sequence", after, err);
    return rc ? rc : ch_meta_set_number(&replica->sql, "last_hash", hash, err);
}

static enum charle_err renew(struct ch_replica *replica, void *ctx, struct charle_error *err)
{
    char id[CH_ID_LEN + 1], old[CH_ID_LEN + 1];
    (void)ctx;
    CHARLE_ASSERT_SLOW(ch_replica_is_writing(replica));
    ch_replica_new_device_id(replica->env, id);
    enum charle_err rc = ch_meta_text(&replica->sql, "device_id", old, sizeof(old), err);
    // Whoever goes on under the old name may have them too: from now on they say where they come from, so that the server takes each of them once.
    if (!rc)
        rc = ch_lite_run(&replica->sql, CH_LITE_OUTBOX_DOUBT, err, "s", charle_str(old));
    if (!rc)
        rc = ch_lite_run(&replica->sql, CH_LITE_OUTBOX_RECALL_UNJUDGED, err, "");
    if (!rc)
        rc = ch_lite_run(&replica->sql, CH_LITE_OUTBOX_UNNUMBER, err, "");
    if (!rc) // those that are done have no number any more by which others of them are trimmed
        rc = ch_lite_run(&replica->sql, CH_LITE_OUTBOX_TRIM_UNNUMBERED, err, "i", (int64_t)CH_OUTBOX_KEPT_MAX);
    if (!rc)
        rc = ch_meta_set_text(&replica->sql, "device_id", charle_str(id), err);
    if (!rc)
        rc = ch_meta_set_number(&replica->sql, "last_sequence", 0, err);
    if (!rc)
        rc = ch_meta_set_number(&replica->sql, "last_hash", 0, err);
    if (!rc)
        rc = ch_meta_set_number(&replica->sql, "is_copy", 0, err);
    return rc ? rc : ch_replica_identity_changed(replica, err);
}

enum charle_err ch_outbox_renew_identity(struct ch_replica *replica, struct charle_error *err)
{
    return ch_apply_rebase(replica, CH_DURABLE, renew, NULL, err);
}

// --- batches ----------------------------------------------------------------------------------------------------------------

static const int64_t park_longest_us = 600000000; // of ch_park_delay_us
static const int64_t file_wait_us = 2000000;
static const int64_t behind_wait_us = 30000000;

struct batch_walk {
    struct ch_replica *replica;
    struct charle_arena *arena;
    struct ch_outbox_batch *out;
    struct ch_push_batch fill;
    const struct charle_call **calls;
    int64_t *positions;    // of the calls
    bool *is_new;          // has no number yet
    bool is_full;
    int64_t now_us;
};

// A call that refers to a file which the server does not have yet waits for it, and so does what depends on the call. The time is only a mark:
// the call goes as soon as the file is there.
static enum charle_err is_waiting_for_file(struct batch_walk *walk, sqlite3_stmt *row, bool *out, struct charle_error *err)
{
    int64_t due_at_us = walk->now_us + file_wait_us;
    enum charle_err rc = ch_files_hold(walk->replica->files, ch_lite_bytes(row, 3), out, err);
    if (rc || !*out)
        return rc;
    if (!walk->out->due_at_us || due_at_us < walk->out->due_at_us)
        walk->out->due_at_us = due_at_us;
    walk->out->waits_for_file = true;
    return ch_lite_run(&walk->replica->sql, CH_LITE_OUTBOX_HOLD, err, "ii", sqlite3_column_int64(row, 0), due_at_us);
}

// A call on a row that an earlier, held-back call touched waits with it; everything else overtakes. It gets a time too, so that those behind it wait
// for it in turn; it is looked at again then, because what it waits for may be gone before that is due.
static enum charle_err is_behind_held(struct batch_walk *walk, int64_t position, bool *out, struct charle_error *err)
{
    int64_t value = 0, due_at_us = walk->now_us + behind_wait_us;
    enum charle_err rc = CHARLE_OK;
    if (walk->out->due_at_us)
        rc = ch_lite_number(&walk->replica->sql, CH_LITE_OUTBOX_BEHIND_HELD, 0, &value, err, "ii", position, walk->now_us);
    *out = value != 0;
    if (rc || !value)
        return rc;
    if (due_at_us < walk->out->due_at_us)
        walk->out->due_at_us = due_at_us;
    return ch_lite_run(&walk->replica->sql, CH_LITE_OUTBOX_HOLD, err, "ii", position, walk->out->due_at_us);
}

static enum charle_err take_call(struct batch_walk *walk, sqlite3_stmt *row, struct charle_error *err)
{
    struct charle_call *call = CHARLE_ARENA_NEW(walk->arena, struct charle_call);
    if (!call)
        goto no_memory;
    call->sequence = sqlite3_column_int64(row, 1);
    call->method = charle_arena_str(walk->arena, ch_lite_text(row, 2));
    call->request = charle_arena_bytes(walk->arena, ch_lite_bytes(row, 3));
    call->at = (struct charle_ts){sqlite3_column_int64(row, 4)};
    call->seed = (uint64_t)sqlite3_column_int64(row, 5);
    call->hash = (uint64_t)sqlite3_column_int64(row, 7);
    if (sqlite3_column_type(row, 9) != SQLITE_NULL) {
        call->origin = (struct charle_opt_text){charle_arena_str(walk->arena, ch_lite_text(row, 9)), true};
        call->origin_after = (struct charle_opt_int8){sqlite3_column_int64(row, 10), true};
    }
    if (!call->method.ptr || !call->request.ptr || (call->origin.has && !call->origin.value.ptr))
        goto no_memory;
    size_t at = walk->out->request.call.count++;
    CHARLE_ASSERT(at < CH_PUSH_CALLS_MAX); // the room of the three lists
    walk->calls[at] = call;
    walk->positions[at] = sqlite3_column_int64(row, 0);
    walk->is_new[at] = sqlite3_column_type(row, 1) == SQLITE_NULL;
    return CHARLE_OK;
no_memory:
    return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a batch of calls");
}

static enum charle_err collect(struct batch_walk *walk, enum ch_statement_id calls, int64_t behind, struct charle_error *err)
{
    struct ch_lite *sql = &walk->replica->sql;
    sqlite3_stmt *row;
    enum charle_err rc = calls == CH_LITE_OUTBOX_UNJUDGED ? ch_lite_one(sql, calls, &row, err, "i", behind) : ch_lite_one(sql, calls, &row, err, "");
    for (; rc == CHARLE_OK; rc = ch_lite_next(sql, row, err)) {
        bool is_numbered = sqlite3_column_type(row, 1) != SQLITE_NULL, is_held = false;
        int64_t due_at_us = sqlite3_column_int64(row, 8);
        // Further ahead than the longest delay: the clock was set back.
        if (!is_numbered && due_at_us > walk->now_us && due_at_us - walk->now_us <= park_longest_us) {
            if (!walk->out->due_at_us || due_at_us < walk->out->due_at_us)
                walk->out->due_at_us = due_at_us;
            continue;
        }
        if (!is_numbered)
            rc = is_behind_held(walk, sqlite3_column_int64(row, 0), &is_held, err);
        if (!rc && !is_numbered && !is_held)
            rc = is_waiting_for_file(walk, row, &is_held, err);
        if (!rc && is_held)
            continue;
        if (!rc && !ch_push_batch_add(&walk->fill, ch_lite_text(row, 2).len, ch_lite_bytes(row, 3).len)) {
            walk->is_full = true;
            ch_lite_end(row);
            return CHARLE_OK;
        }
        if (!rc)
            rc = take_call(walk, row, err);
        if (rc) {
            ch_lite_end(row);
            return rc;
        }
    }
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

static enum charle_err number_calls(struct batch_walk *walk, struct charle_error *err)
{
    struct ch_lite *sql = &walk->replica->sql;
    int64_t number, hash;
    CHARLE_ASSERT_SLOW(ch_replica_is_writing(walk->replica)); // a number is on the disk before anybody can send it
    enum charle_err rc = ch_meta_number(sql, "last_sequence", 0, &number, err);
    if (!rc)
        rc = ch_meta_number(sql, "last_hash", 0, &hash, err);
    for (size_t i = 0; !rc && i < walk->out->request.call.count; i++) {
        struct charle_call *call = (struct charle_call *)(uintptr_t)walk->calls[i];
        if (!walk->is_new[i])
            continue;
        call->sequence = ++number;
        call->hash = ch_chain_hash((uint64_t)hash, &(struct ch_chain_link){call->sequence, call->method, call->request,
                                                                           call->at.us, call->seed});
        hash = (int64_t)call->hash;
        rc = ch_lite_run(sql, CH_LITE_OUTBOX_NUMBER, err, "iii", walk->positions[i], number, hash);
    }
    if (!rc)
        rc = ch_meta_set_number(sql, "last_sequence", number, err);
    return rc ? rc : ch_meta_set_number(sql, "last_hash", hash, err);
}

// LCOV_EXCL_START: only the simulation's own build calls it.
// Planted: of two calls beside each other that have no numbers yet the one with the earlier clock goes first.
static void plant_clock(struct batch_walk *walk)
{
    for (size_t i = 1; i < walk->out->request.call.count; i++) {
        if (!walk->is_new[i - 1] || walk->calls[i]->at.us >= walk->calls[i - 1]->at.us)
            continue;
        const struct charle_call *call = walk->calls[i];
        int64_t position = walk->positions[i];
        walk->calls[i] = walk->calls[i - 1];
        walk->positions[i] = walk->positions[i - 1];
        walk->calls[i - 1] = call;
        walk->positions[i - 1] = position;
    }
}
// LCOV_EXCL_STOP

static enum charle_err number_in_transaction(struct batch_walk *walk, struct charle_error *err)
{
    bool any = false;
    for (size_t i = 0; i < walk->out->request.call.count; i++)
        any = any || walk->is_new[i];
    return any ? number_calls(walk, err) : CHARLE_OK;
}

static enum charle_err fill_request(struct batch_walk *walk, struct charle_error *err)
{
    struct ch_lite *sql = &walk->replica->sql;
    struct charle_push_request *request = &walk->out->request;
    char id[CH_ID_LEN + 1];
    int64_t judged;
    enum charle_err rc = ch_meta_text(sql, "device_id", id, sizeof(id), err);
    if (!rc)
        rc = ch_lite_number(sql, CH_LITE_OUTBOX_JUDGED_TO, 0, &judged, err, "");
    if (rc)
        return rc;
    request->device_id = charle_arena_str(walk->arena, charle_str(id));
    request->schema_hash = walk->replica->served_hash;
    request->without_replies = (struct charle_opt_bool){true, true}; // the caller has had its reply, and rows come by the pull
    if (judged > 0)
        request->acknowledged = (struct charle_opt_int8){judged, true};
    request->call.items = walk->calls;
    walk->out->size = walk->fill.size;
    walk->out->is_full = walk->is_full;
    if (request->call.count)
        walk->out->last_number = walk->calls[request->call.count - 1]->sequence;
    CHARLE_ASSERT(request->call.count == walk->fill.count);
    return request->device_id.ptr ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a batch of calls");
}

enum charle_err ch_outbox_take_batch(struct ch_replica *replica, size_t count_max, int64_t behind, struct charle_arena *arena,
                                     struct ch_outbox_batch *out, struct charle_error *err)
{
    const struct ch_client_env *env = replica->env;
    struct batch_walk walk = {.replica = replica, .arena = arena, .out = out, .fill.count_max = count_max,
                              .now_us = env->now_wall_us(env->ctx)};
    *out = (struct ch_outbox_batch){0};
    CHARLE_ASSERT(count_max <= CH_PUSH_CALLS_MAX && behind >= 0);
    walk.calls = charle_arena_array(arena, CH_PUSH_CALLS_MAX, sizeof(*walk.calls));
    walk.positions = charle_arena_array(arena, CH_PUSH_CALLS_MAX, sizeof(*walk.positions));
    walk.is_new = charle_arena_array(arena, CH_PUSH_CALLS_MAX, sizeof(*walk.is_new));
    if (!walk.calls || !walk.positions || !walk.is_new)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a batch of calls");
    enum charle_err rc = ch_replica_begin(replica, CH_DURABLE, err);
    if (rc)
        return rc;
    // Calls that were held back are older than some that have numbers: those with numbers go first, or the numbers would jump.
    rc = collect(&walk, CH_PLANTED(NEWEST_FIRST) ? CH_LITE_OUTBOX_UNSENT : CH_LITE_OUTBOX_UNJUDGED, behind, err);
    if (!rc && !walk.is_full)
        rc = collect(&walk, CH_PLANTED(NEWEST_FIRST) ? CH_LITE_OUTBOX_UNJUDGED : CH_LITE_OUTBOX_UNSENT, behind, err);
    if (!rc && CH_PLANTED(CLOCK_ORDERS))
        plant_clock(&walk);
    if (!rc)
        rc = number_in_transaction(&walk, err);
    if (!rc)
        rc = fill_request(&walk, err);
    return ch_replica_end(replica, rc, err);
}

// --- verdicts ---------------------------------------------------------------------------------------------------------------

struct judged_call {
    int64_t position, ticket, at_us;
    int state, next;
};

static enum charle_err add_to_inbox(struct ch_replica *replica, const struct charle_verdict *verdict,
                                    const struct judged_call *call, struct charle_str method, struct charle_bytes request,
                                    struct charle_error *err)
{
    const struct ch_client_env *env = replica->env;
    bool has_row = verdict->table.has && verdict->key.has;
    enum charle_err rc = ch_lite_run(
        &replica->sql, CH_LITE_INBOX_ADD, err, "iiiiissbisb", call->ticket, (int64_t)verdict->kind,
        (int64_t)(verdict->code.has ? verdict->code.value : 0), env->now_wall_us(env->ctx), call->at_us,
        verdict->text.has ? verdict->text.value : CHARLE_STR(""), method, request,
        (int64_t)(has_row ? verdict->table.value : 0), has_row ? verdict->key.value : (struct charle_str){0},
        verdict->row.has ? verdict->row.value : (struct charle_bytes){0});
    return rc ? rc : ch_lite_run(&replica->sql, CH_LITE_INBOX_TRIM, err, "i", (int64_t)CH_INBOX_ENTRIES_MAX);
}

// A parked call is told to people only when it will not be tried again.
static bool is_for_people(const struct charle_verdict *verdict, int attempts)
{
    return verdict->kind == CHARLE_REJECTED || verdict->kind == CHARLE_MERGED ||
           (verdict->kind == CHARLE_PARKED && ch_park_delay_us(attempts) < 0);
}

static enum charle_err judge_one(struct ch_replica *replica, const struct charle_verdict *verdict, bool *out_inbox,
                                 struct charle_error *err)
{
    struct ch_lite *sql = &replica->sql;
    sqlite3_stmt *row;
    CHARLE_ASSERT_SLOW(ch_replica_is_writing(replica));
    enum charle_err rc = ch_lite_one(sql, CH_LITE_OUTBOX_BY_SEQUENCE, &row, err, "i", verdict->sequence);
    if (rc)
        return rc == CHARLE_DONE ? CHARLE_OK : rc; // forgotten here, so it was done long ago
    struct judged_call call = {.position = sqlite3_column_int64(row, 0), .ticket = sqlite3_column_int64(row, 1),
                               .state = sqlite3_column_int(row, 2), .at_us = sqlite3_column_int64(row, 5)};
    call.next = ch_call_next((enum ch_call_state)call.state, CH_CALL_JUDGE);
    bool is_repeat = call.state == CH_CALL_JUDGED || call.state == CH_CALL_DONE;
    if (call.next && !is_repeat && is_for_people(verdict, sqlite3_column_int(row, 6))) {
        rc = add_to_inbox(replica, verdict, &call, ch_lite_text(row, 3), ch_lite_bytes(row, 4), err);
        *out_inbox = true;
    }
    ch_lite_end(row);
    if (rc || !call.next || is_repeat)
        return rc;
    rc = ch_lite_run(sql, CH_LITE_OUTBOX_JUDGE, err, "iiiis", call.position, (int64_t)call.next, (int64_t)verdict->kind,
                    (int64_t)(verdict->code.has ? verdict->code.value : 0),
                    verdict->text.has ? verdict->text.value : (struct charle_str){0});
    // The page came first: the call's effect has left already, so the next attempt starts here and not in the rebase.
    if (!rc && call.next == CH_CALL_DONE && verdict->kind == CHARLE_PARKED) {
        int64_t again = 0;
        rc = ch_outbox_queue_parked(replica, call.position, &again, err);
        if (!rc && again)
            rc = ch_call_run_again(replica, again, err);
    }
    return rc;
}

// How many verdicts from `first` on say no more than that the call was applied: those are written down together.
static size_t count_applied(const struct charle_array *verdicts, size_t first)
{
    const struct charle_verdict *const *items = verdicts->items;
    size_t end = first;
    while (end < verdicts->count && items[end]->kind == CHARLE_APPLIED && !items[end]->code.has && !items[end]->text.has &&
           (end == first || items[end]->sequence == items[end - 1]->sequence + 1))
        end++;
    CHARLE_ASSERT(end >= first && end <= verdicts->count);
    return end - first;
}

// One by one only where a page came before the verdict, or a verdict comes again.
static enum charle_err judge_applied(struct ch_replica *replica, const struct charle_verdict *const *items, size_t count, bool *out_inbox,
                                     struct charle_error *err)
{
    CHARLE_ASSERT(count > 0 && items[count - 1]->sequence - items[0]->sequence == (int64_t)count - 1);
    enum charle_err rc = ch_lite_run(&replica->sql, CH_LITE_OUTBOX_JUDGE_APPLIED, err, "iii", items[0]->sequence,
                                     items[count - 1]->sequence, (int64_t)CHARLE_APPLIED);
    if (rc || (size_t)sqlite3_changes64(replica->sql.db) == count)
        return rc;
    for (size_t i = 0; !rc && i < count; i++)
        rc = judge_one(replica, items[i], out_inbox, err);
    return rc;
}

enum charle_err ch_outbox_judge(struct ch_replica *replica, const struct charle_array *verdicts, bool *out_inbox,
                                struct charle_error *err)
{
    const struct charle_verdict *const *items = verdicts->items;
    *out_inbox = false;
    if (!verdicts->count)
        return CHARLE_OK;
    enum charle_err rc = ch_replica_begin(replica, CH_DURABLE, err);
    if (rc)
        return rc;
    rc = ch_replica_load_identity(replica, err);
    for (size_t i = 0; !rc && i < verdicts->count;) {
        size_t applied = count_applied(verdicts, i);
        rc = applied ? judge_applied(replica, items + i, applied, out_inbox, err) : judge_one(replica, items[i], out_inbox, err);
        i += applied ? applied : 1;
        CHARLE_ASSERT(i <= verdicts->count);
    }
    if (!rc)
        rc = ch_reply_take(replica, items, verdicts->count, err);
    return ch_replica_end(replica, rc, err);
}

enum charle_err ch_outbox_refuse(struct ch_replica *replica, int64_t number, enum charle_err code, const char *text,
                                 struct charle_error *err)
{
    const struct charle_verdict verdict = {.sequence = number, .kind = CHARLE_REJECTED, .code = {(int32_t)code, true},
                                           .text = {charle_str(text), true}};
    int64_t hash = 0;
    bool is_inbox = false, is_known;
    CHARLE_ASSERT(code != CHARLE_OK);
    enum charle_err rc = ch_replica_begin(replica, CH_DURABLE, err);
    if (rc)
        return rc;
    rc = judge_one(replica, &verdict, &is_inbox, err);
    // The server never took the number, so the next call gets it: everything from here on is numbered again.
    if (!rc)
        rc = ch_lite_run(&replica->sql, CH_LITE_OUTBOX_UNNUMBER_FROM, err, "i", number);
    if (!rc)
        rc = hash_at(replica, number - 1, &hash, &is_known, err);
    if (!rc)
        rc = ch_meta_set_number(&replica->sql, "last_sequence", number - 1, err);
    if (!rc)
        rc = ch_meta_set_number(&replica->sql, "last_hash", hash, err);
    return ch_replica_end(replica, rc, err);
}

enum charle_err ch_outbox_report_lost(struct ch_replica *replica, int64_t from, int64_t to, struct charle_error *err)
{
    const struct ch_client_env *env = replica->env;
    char text[240];
    CHARLE_ASSERT(from <= to);
    snprintf(text, sizeof(text),
             "the server's database went back in time and lost the calls %lld to %lld of this device; they are too old to be kept here, "
             "so check what they changed", (long long)from, (long long)to);
    enum charle_err rc = ch_replica_begin(replica, CH_DURABLE, err);
    if (rc)
        return rc;
    rc = ch_lite_run(&replica->sql, CH_LITE_INBOX_ADD, err, "iiiiissbisb", (int64_t)0, (int64_t)CHARLE_REJECTED,
                    (int64_t)CHARLE_DATA_LOSS, env->now_wall_us(env->ctx), (int64_t)0, charle_str(text), CHARLE_STR(""),
                    charle_bytes("", 0), (int64_t)0, (struct charle_str){0}, (struct charle_bytes){0});
    return ch_replica_end(replica, rc, err);
}
