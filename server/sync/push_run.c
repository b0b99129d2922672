// Running the calls of a batch: runs of one generated method in sets, everything else one by one.
//
//   set        ch_crud_run_set takes calls of one method from the front and runs them in a statement or a few. Those it leaves over run
//              one by one behind it; they touch other rows.
//   one by one everything else: hand-written methods, rows that moved, whatever a set cannot say
//
// With savepoints (the second try) a set has one of its own. A set that fails is rolled back and halved, so that one bad call among many is
// found in a few steps, and what is left of it runs one by one.
#include "msg/wire.h"
#include "server/sync/file.h"
#include "server/sync/push_parts.h"

enum { SET_HALVED_MIN = 8 }; // a set that failed and is smaller runs one by one

// --- what went wrong ----------------------------------------------------------------------------------------------------

bool ch_push_is_about_batch(const struct ch_push *push, enum charle_err rc)
{
    switch ((int)rc) {
    case CHARLE_BUSY:
        return push->manner != PUSH_PATIENT; // the batch does not wait long for rows, which is not the call's trouble
    case CHARLE_SERIALIZATION:
    case CHARLE_DEADLOCK:
    case CHARLE_UNAVAILABLE:
    case CHARLE_CLOSED:
    case CHARLE_CANCELLED:
    case CHARLE_DEADLINE_EXCEEDED:
    case CHARLE_NO_MEMORY:
    case CHARLE_IO:
    case CHARLE_DISK_FULL:
    case CHARLE_READ_ONLY:
        return true;
    default:
        return false;
    }
}

// Something is wrong with the database, not with the call, until somebody mends it: a table or column is not there or not as the schema says, a
// right was taken away, a trigger that somebody added does not work, a sequence has come to its end.
static bool is_database_broken(const struct charle_error *why)
{
    static const char *const states[] = {"0A", "2200H", "3F", "42", "55", "XX"}; // or classes of them
    char state[6];
    if (why->domain != CHARLE_DOMAIN_POSTGRES)
        return false;
    charle_sqlstate_unpack(why->foreign, state);
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        if (strncmp(state, states[i], strlen(states[i])) == 0)
            return true;
    return false;
}

static bool may_pass(enum charle_err rc, const struct charle_error *why)
{
    return rc == CHARLE_BUSY || rc == CHARLE_RESOURCE_EXHAUSTED || is_database_broken(why);
}

// --- running a call -----------------------------------------------------------------------------------------------------

static enum charle_err find_method(const struct ch_push *push, const struct charle_call *call, const struct charle_method **out,
                                   struct charle_error *err)
{
    *out = charle_method_find(push->sync->methods, call->method);
    if (!*out)
        return charle_fail(err, CHARLE_UNIMPLEMENTED, "this server has no method %.*s", CHARLE_FMT(call->method));
    if (ch_push_is_refused(push, call))
        return charle_fail(err, CHARLE_FAILED_PRECONDITION, CH_FILE_REFUSAL);
    if (!(*out)->is_offline || (*out)->streaming)
        return charle_fail(err, CHARLE_FAILED_PRECONDITION, "method %.*s cannot be called offline", CHARLE_FMT(call->method));
    return CHARLE_OK;
}

static struct charle_context context_of(struct ch_push *push, const struct charle_call *call)
{
    struct charle_context context = {.db = push->db,
                                     .arena = push->arena,
                                     .schema = push->sync->schema,
                                     .identity = &push->identity,
                                     .is_replay = true,
                                     .deadline_mono_us = push->options->deadline_mono_us,
                                     .crud = push->options->crud,
                                     .runtime = push->options->runtime};
    charle_context_seed(&context, call->at, call->seed);
    return context;
}

// Constraints that wait for the commit, looked at now. The heads are raised by it as well, in the order of the calls and not in everybody's: who
// gets in another's way by that is a deadlock's victim and tries again.
static enum charle_err check_now(struct ch_push *push, struct charle_error *err)
{
    return push->checks_each ? charle_exec_script(push->db, "set constraints all immediate; set constraints all deferred", err) : CHARLE_OK;
}

// How a call ended.
struct outcome {
    enum charle_err rc;
    struct charle_error why;
    struct charle_str note;
    struct charle_buf reply;
    bool is_clean; // it failed before it changed anything, and the transaction can go on
};

static void run_call(struct ch_push *push, const struct charle_call *call, struct outcome *out)
{
    const struct charle_method *method;
    struct charle_context context = context_of(push, call);
    *out = (struct outcome){.rc = find_method(push, call, &method, &out->why)};
    out->is_clean = out->rc;
    if (out->rc)
        return;
    out->rc = charle_method_run(method, &context, call->request, &out->reply, &out->why);
    if (out->rc == CHARLE_OK)
        out->rc = check_now(push, &out->why);
    out->note = context.merge_note;
    // Of a hand-written method nobody knows what it has done.
    out->is_clean = out->rc && method->crud != CHARLE_CRUD_NONE && !method->unary && !context.has_written &&
                    out->why.domain == CHARLE_DOMAIN_CHARLE;
}

// --- judging ------------------------------------------------------------------------------------------------------------

// Short of memory the batch fails as a whole: a verdict must not lack what it would have on another day.
static void note_memory(struct ch_push *push, enum charle_err rc)
{
    if ((rc == CHARLE_NO_MEMORY || rc == CHARLE_TOO_LARGE) && !push->arena->failed)
        push->arena->failed = rc;
}

// The row that a generated call was about, as the caller may see it now: what a person needs to decide. Best effort, in a savepoint.
static void add_row(struct ch_push *push, const struct charle_call *call, struct charle_verdict *verdict)
{
    const struct charle_method *method = charle_method_find(push->sync->methods, call->method);
    const struct ch_table_views *views = method && method->table ? ch_sync_table(push->sync, method->table->id) : NULL;
    struct charle_wire_reader reader = {call->request.ptr, call->request.ptr + call->request.len};
    struct charle_wire_field field;
    if (!views || (method->crud != CHARLE_CRUD_UPDATE && method->crud != CHARLE_CRUD_DELETE))
        return;
    // Both requests have the key as field 1, in the form that Get takes.
    if (charle_wire_next(&reader, &field) || field.number != 1 || field.wire_type != 2)
        return;
    struct charle_buf key = {0}, row = {0}, name = {0};
    struct charle_error ignored;
    size_t slash = call->method.len;
    while (slash && call->method.ptr[slash - 1] != '/')
        slash--;
    charle_buf_add(&name, call->method.ptr, slash);
    charle_buf_add_text(&name, "Get");
    note_memory(push, name.failed);
    const struct charle_method *get = charle_method_find(push->sync->methods, charle_buf_str(&name));
    if (get && charle_begin(push->db, NULL, &ignored) == CHARLE_OK) {
        struct charle_context context = {.db = push->db, .arena = push->arena, .schema = push->sync->schema, .identity = &push->identity,
                                         .crud = push->options->crud, .runtime = push->options->runtime};
        charle_context_seed(&context, call->at, call->seed);
        enum charle_err got = charle_method_run(get, &context, field.bytes, &row, &ignored);
        enum charle_err ended = charle_rollback(push->db, &ignored);
        enum charle_err keyed = ch_view_key_of_row(views, field.bytes, &key, &ignored);
        bool found = got == CHARLE_OK;
        note_memory(push, got);
        note_memory(push, keyed);
        if (ended == CHARLE_OK && keyed == CHARLE_OK) {
            verdict->table = (struct charle_opt_uint4){method->table->id, true};
            verdict->key = (struct charle_opt_text){charle_arena_buf(push->arena, &key), true};
            verdict->row = (struct charle_opt_bytes){found ? charle_arena_bytes(push->arena, charle_buf_bytes(&row)) : (struct charle_bytes){0},
                                                     found};
        }
    }
    charle_buf_deinit(&key);
    charle_buf_deinit(&row);
    charle_buf_deinit(&name);
}

static bool wants_reply(const struct ch_push *push, const struct charle_call *call)
{
    const struct charle_method *method = charle_method_find(push->sync->methods, call->method);
    bool is_generated = method && method->crud != CHARLE_CRUD_NONE && !method->unary;
    return !is_generated || !push->request->without_replies.has || !push->request->without_replies.value;
}

static enum charle_err judge(struct ch_push *push, const struct charle_call *call, const struct outcome *outcome,
                             struct charle_verdict *verdict, struct charle_error *err)
{
    struct charle_str text = outcome->note;
    *verdict = (struct charle_verdict){.sequence = call->sequence, .kind = text.len ? CHARLE_MERGED : CHARLE_APPLIED};
    if (outcome->rc) {
        verdict->kind = may_pass(outcome->rc, &outcome->why) ? CHARLE_PARKED : CHARLE_REJECTED;
        verdict->code = (struct charle_opt_int4){(int32_t)outcome->rc, true};
        text = charle_str(outcome->why.text[0] ? outcome->why.text : charle_err_text(outcome->rc));
    } else if (wants_reply(push, call)) {
        verdict->reply = (struct charle_opt_bytes){charle_arena_bytes(push->arena, charle_buf_bytes(&outcome->reply)), true};
    }
    if (text.len)
        verdict->text = (struct charle_opt_text){charle_arena_str(push->arena, text), true};
    if (verdict->kind != CHARLE_APPLIED)
        add_row(push, call, verdict);
    bool ok = (!verdict->reply.has || verdict->reply.value.ptr) && (!text.len || verdict->text.value.ptr);
    return ok ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a verdict");
}

// --- one by one ---------------------------------------------------------------------------------------------------------

// Ends the batch: in the first try a failure only says that a second is needed. A savepoint that is open ends with it.
static enum charle_err fail_batch(struct ch_push *push, enum charle_err outcome, const struct charle_error *why, struct charle_error *err)
{
    CHARLE_ASSERT(outcome != CHARLE_OK);
    push->has_failed = !ch_push_is_about_batch(push, outcome);
    if (push->has_savepoints)
        (void)!charle_rollback(push->db, NULL); // the first failure is the one to report
    return charle_fail_foreign(err, outcome, why->domain, why->foreign, "%s", why->text);
}

// Runs one call and judges it.
static enum charle_err take_one(struct ch_push *push, size_t index, struct charle_error *err)
{
    const struct charle_call *call = ch_push_call(push, index);
    struct outcome outcome;
    CHARLE_ASSERT(index >= push->first_new && !ch_push_is_settled(push, index)); // what was decided is not run again
    enum charle_err rc = push->has_savepoints ? charle_begin(push->db, NULL, err) : CHARLE_OK;
    if (rc)
        return rc;
    run_call(push, call, &outcome);
    if (outcome.rc && (ch_push_is_about_batch(push, outcome.rc) || !(push->has_savepoints || outcome.is_clean))) {
        rc = fail_batch(push, outcome.rc, &outcome.why, err);
    } else {
        if (push->has_savepoints)
            rc = outcome.rc ? charle_rollback(push->db, err) : charle_commit(push->db, err);
        if (rc == CHARLE_OK)
            rc = judge(push, call, &outcome, &push->verdicts[index], err);
    }
    charle_buf_deinit(&outcome.reply);
    return rc;
}

// --- sets ---------------------------------------------------------------------------------------------------------------

// The method of a run of calls from `first` on, and their number. NULL: the first call is not for sets.
static const struct charle_method *find_run(const struct ch_push *push, size_t first, size_t end, size_t *out_count)
{
    const struct charle_call *call = ch_push_call(push, first);
    const struct charle_method *method;
    size_t count = 1;
    CHARLE_ASSERT(first < end && end <= push->request->call.count);
    if (!push->options->crud_set || find_method(push, call, &method, NULL) || method->crud == CHARLE_CRUD_NONE)
        return NULL;
    while (first + count < end && charle_str_equal(ch_push_call(push, first + count)->method, call->method) &&
           !ch_push_is_refused(push, ch_push_call(push, first + count)))
        count++;
    *out_count = count;
    CHARLE_ASSERT(first + count <= end);
    return count > 1 ? method : NULL;
}

static enum charle_err make_set(struct ch_push *push, const struct charle_method *method, size_t first, size_t count,
                                struct charle_call_set *out, struct charle_error *err)
{
    struct charle_context *contexts = charle_arena_array(push->arena, count, sizeof(*contexts));
    struct charle_bytes *requests = charle_arena_array(push->arena, count, sizeof(*requests));
    struct charle_bytes *replies = charle_arena_array(push->arena, count, sizeof(*replies));
    if (!contexts || !requests || !replies)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a set of %zu calls", count);
    for (size_t i = 0; i < count; i++) {
        const struct charle_call *call = ch_push_call(push, first + i);
        contexts[i] = context_of(push, call);
        requests[i] = call->request;
    }
    *out = (struct charle_call_set){.method = method, .count = count, .contexts = contexts, .requests = requests, .replies = replies,
                                     .without_replies = !wants_reply(push, ch_push_call(push, first))};
    return CHARLE_OK;
}

// Runs a set; in the second try in a savepoint, and *out_failed says that it was rolled back.
static enum charle_err run_set(struct ch_push *push, struct charle_call_set *set, bool *out_failed, struct charle_error *err)
{
    struct charle_error why = {0};
    enum charle_err rc = push->has_savepoints ? charle_begin(push->db, NULL, err) : CHARLE_OK;
    *out_failed = false;
    if (rc)
        return rc;
    enum charle_err outcome = push->options->crud_set(set, &why);
    if (outcome == CHARLE_OK)
        outcome = check_now(push, &why);
    CHARLE_ASSERT(set->taken <= set->count); // calls from the front of the set
    if (outcome && (ch_push_is_about_batch(push, outcome) || !push->has_savepoints))
        return fail_batch(push, outcome, &why, err);
    *out_failed = outcome;
    if (push->has_savepoints)
        rc = outcome ? charle_rollback(push->db, err) : charle_commit(push->db, err);
    return rc;
}

// The verdicts of the calls that a set ran; the others run now.
static enum charle_err judge_set(struct ch_push *push, size_t first, const struct charle_call_set *set, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    CHARLE_ASSERT(first >= push->first_new && set->taken > 0);
    for (size_t i = 0; rc == CHARLE_OK && i < set->taken; i++) {
        struct charle_verdict *verdict = &push->verdicts[first + i];
        if (set->replies[i].ptr)
            *verdict = (struct charle_verdict){.sequence = ch_push_call(push, first + i)->sequence, .kind = CHARLE_APPLIED,
                                               .reply = {set->replies[i], !set->without_replies}};
        else
            rc = take_one(push, first + i, err);
    }
    return rc;
}

// Runs the calls from `first` to before `end`; those of a set that failed in halves.
static enum charle_err take_range(struct ch_push *push, size_t first, size_t end, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    while (rc == CHARLE_OK && first < end) {
        struct charle_call_set set = {0};
        bool failed = false;
        size_t count = 0;
        const struct charle_method *method = find_run(push, first, end, &count);
        if (method)
            rc = make_set(push, method, first, count, &set, err);
        if (rc == CHARLE_OK && method)
            rc = run_set(push, &set, &failed, err);
        if (rc)
            break;
        if (failed && set.taken > SET_HALVED_MIN) {
            size_t middle = first + set.taken / 2;
            rc = take_range(push, first, middle, err);
            if (rc == CHARLE_OK)
                rc = take_range(push, middle, first + set.taken, err);
        } else if (failed || !set.taken) {
            set.taken = set.taken ? set.taken : 1;
            for (size_t i = 0; rc == CHARLE_OK && i < set.taken; i++)
                rc = take_one(push, first + i, err);
        } else {
            rc = judge_set(push, first, &set, err);
        }
        first += set.taken;
        CHARLE_ASSERT(set.taken > 0 || rc);
    }
    CHARLE_ASSERT(rc || first == end); // each call is run once
    return rc;
}

enum charle_err ch_push_run(struct ch_push *push, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    for (size_t end, first = push->first_new; rc == CHARLE_OK && first < push->request->call.count; first = end + 1) {
        for (end = first; end < push->request->call.count && !ch_push_is_settled(push, end);)
            end++;
        rc = take_range(push, first, end, err);
    }
    for (size_t i = push->first_new; rc == CHARLE_OK && i < push->request->call.count; i++)
        CHARLE_ASSERT(push->verdicts[i].kind && push->verdicts[i].sequence == ch_push_call(push, i)->sequence);
    return rc;
}
