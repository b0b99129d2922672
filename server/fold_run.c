// A thread's turn to fold: the calls it took, in one transaction.
//
//   begin ─► each call in a savepoint of its own ─► heads raised ─► commit ─► answers
//
// A call that fails is rolled back to its savepoint and answered with its failure, after the commit like all others: it may
// have failed because of what a call before it did. How calls end:
//
//   KEPT    went well; answered when the commit is known
//   FAILED  answered with its own failure, when the commit is known
//   ALONE   runs again in a transaction of its own: it was too slow, waited too long for a row, was a deadlock's victim, or
//           changed settings, which a savepoint would hand on to the next call
//
// When the transaction as a whole comes to nothing (a head that somebody holds, a constraint that is checked at its end, a
// lost connection) all calls run alone, except the one whose statement lost the connection: it has its answer. Nothing of
// them was kept, so none runs twice. Only when the connection is lost during the commit nobody knows: the calls that may
// have been kept are answered UNAVAILABLE, as a call that runs alone would be.
//
// No call sees another's identity, clock, random numbers or reply: each has its own context. Pushes come first, in the order
// of their devices, so that two folds lock devices in one order; rows are waited for so briefly that two folds which want
// each other's rows part before PostgreSQL looks for a deadlock.
#include "db/pg/pg.h"
#include "msg/wire.h"
#include "server/fold_parts.h"

// The first is below PostgreSQL's second before it looks for deadlocks. Heads are raised in one order by everybody.
#define BEGIN_SQL "set local lock_timeout = '100ms'; savepoint charle_fold"
#define RAISE_SQL "set local lock_timeout = '1s'; set constraints all immediate"

// --- before -----------------------------------------------------------------------------------------------------------

// The device of a push: the first field of its request. What cannot be read is refused when it is run.
static struct charle_str device_of(const struct ch_call *call)
{
    struct charle_bytes request = ch_call_request(call);
    struct charle_wire_reader reader = {request.ptr, request.ptr + request.len};
    struct charle_wire_field field;
    while (call->route->is_push && charle_wire_next(&reader, &field) == CHARLE_OK)
        if (field.number == 1 && field.wire_type == 2)
            return charle_str_n((const char *)field.bytes.ptr, field.bytes.len);
    return (struct charle_str){0};
}

// Pushes stand first, by device; other calls by method, so that they can run in sets.
static bool is_behind(const struct folded *a, const struct folded *b)
{
    bool a_is_push = a->device.ptr, b_is_push = b->device.ptr;
    if (a_is_push != b_is_push)
        return b_is_push;
    return a_is_push ? charle_str_compare(a->device, b->device) > 0 : a->call->route > b->call->route;
}

// What is equal stays in the order in which it came.
static void sort_in(struct fold *fold, struct ch_call *call)
{
    struct folded *items = fold->items;
    const struct folded item = {.call = call, .device = device_of(call)};
    size_t at = fold->count++;
    for (; at > 0 && is_behind(&items[at - 1], &item); at--)
        items[at] = items[at - 1];
    items[at] = item;
}

enum charle_err ch_fold_fail_overdue(struct charle_error *err)
{
    return charle_fail(err, CHARLE_DEADLINE_EXCEEDED, "the call's time was over before its turn came");
}

// Takes calls in; those that cannot even begin are answered.
static void take_in(struct fold *fold, void *const *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct ch_call *call = calls[i];
        struct charle_error err = {0};
        enum charle_err rc = ch_call_is_overdue(call) ? ch_fold_fail_overdue(&err) : ch_call_authenticate(call, fold->db, &err);
        if (rc)
            ch_call_finish(call, rc, &err, (struct charle_bytes){0});
        else
            sort_in(fold, call);
    }
}

// --- the transaction --------------------------------------------------------------------------------------------------

// Those who push are told the stamps that their scopes got.
static enum charle_err tell_made(struct fold *fold, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; rc == CHARLE_OK && i < fold->ran; i++) {
        struct folded *item = &fold->items[i];
        struct charle_buf buf = {0};
        if (item->end != KEPT || !item->push.has_new)
            continue;
        rc = ch_push_made(fold->db, item->push.scopes, item->push.scope_count, &fold->worker->arena, &item->push.reply->made, err);
        if (rc == CHARLE_OK) {
            charle_message_write(item->call->route->method->reply, item->push.reply, &buf);
            item->reply = buf.failed ? (struct charle_bytes){0} : charle_arena_bytes(&fold->worker->arena, charle_buf_bytes(&buf));
            rc = item->reply.ptr ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for the answer to a push");
        }
        charle_buf_deinit(&buf);
    }
    return rc;
}

static enum charle_err raise_heads(struct fold *fold, struct charle_error *err)
{
    int64_t began_us = ch_clock_mono_us();
    enum charle_err rc = charle_exec_script(fold->db, RAISE_SQL, err);
    fold->report.waited_us = ch_clock_mono_us() - began_us;
    fold->report.has_clashed |= rc == CHARLE_BUSY || rc == CHARLE_DEADLOCK || rc == CHARLE_SERIALIZATION;
    return rc ? rc : tell_made(fold, err);
}

// Runs calls until the time is over; the rest is for the next transaction.
static enum charle_err begin_and_run(struct fold *fold, int64_t began_us, struct charle_error *err)
{
    enum charle_err rc = charle_begin(fold->db, NULL, err);
    if (rc == CHARLE_OK)
        rc = charle_exec_script(fold->db, BEGIN_SQL, err);
    return rc ? rc : ch_fold_run_items(fold, began_us);
}

static void send_all_alone(struct fold *fold)
{
    bool is_lost = !ch_pg_is_alive(fold->db);
    for (size_t i = 0; i < fold->ran; i++) {
        // Who ran when the connection was lost may have been the reason.
        bool has_its_answer = is_lost && i + 1 == fold->ran && fold->items[i].end == FAILED;
        if (!has_its_answer)
            fold->items[i].end = ALONE;
    }
}

// Nobody knows whether the commit took place.
static void answer_unknown(struct fold *fold, enum charle_err rc, const struct charle_error *err)
{
    for (size_t i = 0; i < fold->ran; i++) {
        struct folded *item = &fold->items[i];
        item->end = item->end == KEPT ? FAILED : ALONE; // who failed left nothing behind
        item->rc = rc;
        item->err = *err;
    }
}

static void run_transaction(struct fold *fold)
{
    struct charle_error err = {0};
    int64_t began_us = ch_clock_mono_us();
    fold->ran = 0;
    fold->report = (struct ch_fold_report){0};
    charle_arena_reset(&fold->worker->arena);
    enum charle_err rc = begin_and_run(fold, began_us, &err);
    if (rc == CHARLE_OK)
        rc = raise_heads(fold, &err);
    if (rc == CHARLE_OK) {
        rc = charle_commit(fold->db, &err);
        if (rc && !ch_pg_is_alive(fold->db))
            answer_unknown(fold, rc, &err);
        else if (rc)
            send_all_alone(fold);
    } else {
        if (!fold->ran) // not even begun
            fold->ran = fold->count;
        send_all_alone(fold);
        if (charle_transaction_depth(fold->db))
            (void)!charle_rollback(fold->db, NULL);
    }
    fold->report.count = fold->ran;
    fold->report.total_us = ch_clock_mono_us() - began_us;
    if (rc == CHARLE_OK)
        ch_live_wake(fold->engine->live);
}

// --- behind -----------------------------------------------------------------------------------------------------------

// Answers the calls of the transaction that is over. The number of those that run alone, which go to the front of `out`.
static size_t answer(struct fold *fold, void **out)
{
    struct ch_call *kept[CH_FOLD_CALLS_MAX];
    struct charle_bytes replies[CH_FOLD_CALLS_MAX];
    size_t kept_count = 0, alone = 0;
    for (size_t i = 0; i < fold->ran; i++) {
        struct folded *item = &fold->items[i];
        if (item->end == KEPT) {
            kept[kept_count] = item->call;
            replies[kept_count++] = item->reply;
        } else if (item->end == FAILED) {
            ch_call_finish(item->call, item->rc, &item->err, (struct charle_bytes){0});
        } else {
            out[alone++] = item->call;
        }
    }
    ch_calls_finish(kept, replies, kept_count);
    fold->count -= fold->ran;
    memmove(fold->items, fold->items + fold->ran, fold->count * sizeof(*fold->items));
    return alone;
}

static void fail_all(void *const *calls, size_t count, enum charle_err rc, const struct charle_error *err)
{
    for (size_t i = 0; i < count; i++)
        ch_call_finish(calls[i], rc, err, (struct charle_bytes){0});
}

static void note_transaction(struct ch_fold_report *turn, const struct ch_fold_report *transaction)
{
    uint32_t shared = turn->shared, calls = turn->shared_calls;
    if (transaction->count > turn->count)
        *turn = *transaction;
    turn->shared = shared + (transaction->count > 1);
    turn->shared_calls = calls + (transaction->count > 1 ? (uint32_t)transaction->count : 0);
}

// Runs the calls, and answers all but those it leaves in `calls`: they run alone. Returns their number.
static size_t run_folded(struct ch_engine *engine, struct ch_worker *worker, void **calls, size_t count, struct ch_fold_report *out_report)
{
    struct fold fold = {.engine = engine, .worker = worker};
    struct charle_error err = {0};
    size_t alone = 0;
    enum charle_err rc = ch_pg_pool_take(engine->pool, CH_POOL_WAIT_MS, &fold.db, &err);
    if (rc) {
        fail_all(calls, count, rc, &err);
        return 0;
    }
    take_in(&fold, calls, count);
    while (fold.count && ch_pg_is_alive(fold.db)) {
        run_transaction(&fold);
        note_transaction(out_report, &fold.report);
        alone += answer(&fold, calls + alone);
    }
    for (size_t i = 0; i < fold.count; i++)
        calls[alone++] = fold.items[i].call;
    ch_pg_pool_give(engine->pool, fold.db);
    return alone;
}

void ch_fold_turn(struct ch_engine *engine, struct ch_worker *worker)
{
    void *calls[CH_FOLD_CALLS_MAX];
    struct ch_fold_run run;
    struct charle_error err = {0};
    size_t count;
    bool goes_on = true;
    while (goes_on && (count = ch_fold_take(engine->fold, &run, calls, ch_clock_mono_us()))) {
        struct ch_fold_report report = {0};
        size_t alone = 0;
        if (!worker) {
            charle_fail(&err, CHARLE_NO_MEMORY, "the server is out of memory");
            fail_all(calls, count, CHARLE_NO_MEMORY, &err);
        } else if (count == 1) {
            ch_worker_run_alone(worker, calls[0]);
        } else {
            alone = run_folded(engine, worker, calls, count, &report);
        }
        goes_on = ch_fold_done(engine->fold, &run, &report, ch_clock_mono_us());
        for (size_t i = 0; i < alone; i++)
            if (!ch_lane_push(engine->calls, calls[i])) // full, or stopping
                ch_worker_run_alone(worker, calls[i]);
    }
}
