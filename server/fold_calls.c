// The calls of a fold inside their transaction.
//
// Calls of one generated method that stand beside each other run in sets, each a savepoint (docs/decisions/0012-sets.md). What a set
// leaves over runs one by one behind it; a set that fails is rolled back and halved, and in the end its calls run one by one. All
// other calls run one by one, each in its savepoint.
#include "db/pg/pg.h"
#include "server/fold_parts.h"
#include "services/crud.h"

#include <string.h>
#include <strings.h>

enum { SET_HALVED_MIN = 8 }; // a set that failed and is smaller runs one by one

// --- one call ---------------------------------------------------------------------------------------------------------

static bool is_word(const char *sql, const char *word)
{
    size_t len = strlen(word);
    while (*sql == ' ' || *sql == '\n')
        sql++;
    return strncasecmp(sql, word, len) == 0 && (sql[len] == ' ' || !sql[len]);
}

// After every statement of a call. A savepoint that is kept hands SET LOCAL and set_config on to what runs behind it.
static void note_statement(const struct charle_trace *trace, void *ctx)
{
    struct fold *fold = ctx;
    fold->has_set |= is_word(trace->sql.ptr, "set") || is_word(trace->sql.ptr, "reset") || is_word(trace->sql.ptr, "discard") ||
                     strcasestr(trace->sql.ptr, "set_config");
}

static enum charle_err run_method(struct fold *fold, struct folded *item)
{
    struct ch_worker *worker = fold->worker;
    struct ch_call *call = item->call;
    struct charle_context context;
    struct ch_runtime runtime;
    charle_buf_reset(&worker->reply);
    ch_call_context(call, fold->db, &worker->arena, &runtime, &context);
    if (call->route->is_push)
        runtime.push_fold = &item->push;
    ch_worker_watch(worker, call, fold->db, ch_clock_mono_us() + CH_FOLD_RUN_MAX_US);
    enum charle_err rc = charle_method_run(call->route->method, &context, ch_call_request(call), &worker->reply, &item->err);
    ch_worker_watch(worker, NULL, NULL, 0);
    if (rc)
        return rc;
    struct charle_bytes reply = charle_buf_bytes(&worker->reply);
    item->reply = reply.len ? charle_arena_bytes(&worker->arena, reply)
                            : (struct charle_bytes){(const uint8_t *)"", 0};
    return item->reply.ptr ? CHARLE_OK : CHARLE_NO_MEMORY;
}

// How a call ends that failed; what may be the others' fault, or the fold's, is tried alone.
static enum fold_end end_of_failure(struct fold *fold, struct folded *item)
{
    switch ((int)item->rc) {
    case CHARLE_BUSY:
    case CHARLE_SERIALIZATION:
    case CHARLE_DEADLOCK:
        fold->report.has_clashed = true;
        return ALONE;
    case CHARLE_NO_MEMORY:
    case CHARLE_RESOURCE_EXHAUSTED:
        return ALONE;
    case CHARLE_TOO_LARGE: // of all together, perhaps: the calls of a transaction share one arena
        return fold->worker->arena.failed ? ALONE : FAILED;
    case CHARLE_CANCELLED:
        if (!ch_call_is_overdue(item->call))
            return ALONE;
        if (!charle_server_call_is_over(item->call->rpc))
            item->rc = charle_fail(&item->err, CHARLE_DEADLINE_EXCEEDED, "the call took longer than its deadline, and was stopped");
        return FAILED;
    default:
        return FAILED;
    }
}

static void note_habit(struct fold *fold, const struct folded *item, int64_t began_us)
{
    struct ch_fold_habit *habit = item->call->route->habit;
    int64_t now_us = ch_clock_mono_us();
    if (fold->has_set && !item->call->route->is_push) // a push's calls are of many methods
        ch_fold_note(habit, CH_FOLD_NEVER, now_us);
    else
        ch_fold_note(habit, now_us - began_us > CH_FOLD_TIME_MAX_US ? CH_FOLD_SLOW : CH_FOLD_QUICK, now_us);
}

// Ends the open savepoint and opens another in its place. What cannot be kept is undone: then the failure says so, and another is open all
// the same. The savepoint is not one of charle_begin's: a method finds as many levels free as when it runs alone.
static enum charle_err renew(struct fold *fold, bool is_kept)
{
    if (!is_kept)
        return charle_exec_script(fold->db, "rollback to savepoint charle_fold", NULL);
    enum charle_err rc = charle_exec_script(fold->db, "release savepoint charle_fold; savepoint charle_fold", NULL);
    if (rc)
        (void)!charle_exec_script(fold->db, "rollback to savepoint charle_fold", NULL);
    return rc;
}

// Runs a call in the open savepoint, and leaves another open for the next. A failure is the transaction's.
static enum charle_err run_item(struct fold *fold, struct folded *item)
{
    int64_t began_us = ch_clock_mono_us();
    fold->has_set = false;
    item->rc = ch_call_is_overdue(item->call) ? ch_fold_fail_overdue(&item->err) : run_method(fold, item);
    item->end = item->rc ? end_of_failure(fold, item) : fold->has_set ? ALONE : KEPT;
    note_habit(fold, item, began_us);
    enum charle_err rc = renew(fold, item->end == KEPT);
    if (rc && item->end == KEPT && ch_pg_is_alive(fold->db)) {
        item->end = ALONE; // it hid that a statement of its own had failed: alone it learns so from the commit
        rc = CHARLE_OK;
    }
    return rc;
}

// --- sets -------------------------------------------------------------------------------------------------------------

// How many calls from `first` on may be asked about as a set. One: this one runs by itself.
static size_t count_run(const struct fold *fold, size_t first)
{
    const struct ch_route *route = fold->items[first].call->route;
    size_t count = 1;
    bool is_for_sets = route->method->crud == CHARLE_CRUD_UPDATE || route->method->crud == CHARLE_CRUD_CREATE;
    while (is_for_sets && !route->method->unary && first + count < fold->count && fold->items[first + count].call->route == route)
        count++;
    return count;
}

static bool make_set(struct fold *fold, size_t first, size_t count, struct charle_call_set *out)
{
    struct charle_arena *arena = &fold->worker->arena;
    struct charle_context *contexts = charle_arena_array(arena, count, sizeof(*contexts));
    struct ch_runtime *runtimes = charle_arena_array(arena, count, sizeof(*runtimes));
    struct charle_bytes *requests = charle_arena_array(arena, count, sizeof(*requests));
    struct charle_bytes *replies = charle_arena_array(arena, count, sizeof(*replies));
    if (!contexts || !runtimes || !requests || !replies)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct ch_call *call = fold->items[first + i].call;
        ch_call_context(call, fold->db, arena, &runtimes[i], &contexts[i]);
        requests[i] = ch_call_request(call);
    }
    *out = (struct charle_call_set){.method = fold->items[first].call->route->method, .count = count, .contexts = contexts,
                                    .requests = requests, .replies = replies};
    return true;
}

static enum charle_err run_one_by_one(struct fold *fold, size_t first, size_t count)
{
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; rc == CHARLE_OK && i < count; i++) {
        fold->ran = first + i + 1;
        rc = run_item(fold, &fold->items[first + i]);
    }
    return rc;
}

static enum charle_err run_range(struct fold *fold, size_t first, size_t count);

// Keeps what a set did, and runs what it left over.
static enum charle_err keep_set(struct fold *fold, size_t first, const struct charle_call_set *set)
{
    enum charle_err rc = renew(fold, true);
    for (size_t i = 0; i < set->taken; i++) {
        struct folded *item = &fold->items[first + i];
        item->end = KEPT;
        item->rc = CHARLE_OK;
        item->reply = set->replies[i];
    }
    for (size_t i = 0; rc == CHARLE_OK && i < set->taken; i++)
        if (!set->replies[i].ptr)
            rc = run_item(fold, &fold->items[first + i]);
    return rc;
}

// Runs the calls from `first` on that can run together; *out_taken is their number, at least one.
static enum charle_err run_set(struct fold *fold, size_t first, size_t count, size_t *out_taken)
{
    struct charle_call_set set;
    enum charle_err rc = CHARLE_OK;
    *out_taken = 1;
    if (count < 2 || !make_set(fold, first, count, &set))
        return run_one_by_one(fold, first, 1);
    ch_worker_watch(fold->worker, fold->items[first].call, fold->db, ch_clock_mono_us() + CH_FOLD_RUN_MAX_US);
    enum charle_err outcome = ch_crud_run_set(&set, NULL);
    ch_worker_watch(fold->worker, NULL, NULL, 0);
    if (!set.taken && !outcome)
        return run_one_by_one(fold, first, 1);
    *out_taken = set.taken ? set.taken : count;
    fold->ran = first + *out_taken;
    if (!outcome)
        return keep_set(fold, first, &set);
    rc = renew(fold, false);
    if (rc)
        return rc;
    return *out_taken > SET_HALVED_MIN ? run_range(fold, first, *out_taken) : run_one_by_one(fold, first, *out_taken);
}

// Runs the halves of a set that failed.
static enum charle_err run_range(struct fold *fold, size_t first, size_t count)
{
    enum charle_err rc = CHARLE_OK;
    for (size_t half = 0; rc == CHARLE_OK && half < 2; half++) {
        size_t from = half ? first + count / 2 : first, end = half ? first + count : first + count / 2;
        for (size_t taken; rc == CHARLE_OK && from < end; from += taken)
            rc = run_set(fold, from, end - from, &taken);
    }
    return rc;
}

enum charle_err ch_fold_run_items(struct fold *fold, int64_t began_us)
{
    enum charle_err rc = CHARLE_OK;
    charle_db_set_trace(fold->db, note_statement, fold);
    for (size_t first = 0, taken; rc == CHARLE_OK && first < fold->count; first += taken) {
        if (first && ch_clock_mono_us() - began_us > CH_FOLD_TIME_MAX_US)
            break; // the rest is for the next transaction
        rc = run_set(fold, first, count_run(fold, first), &taken);
    }
    charle_db_set_trace(fold->db, NULL, NULL);
    return rc;
}
