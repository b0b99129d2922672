// The core's events, and what follows from each: which session there is, when the next one is tried, who is asked next. The states are told in
// core.h, what each of them does in the file that it names there; opening is in open.c, what people ask for in wish.c.
//
// Every event ends in ch_core_settle, which begins what has become possible, in one order, and sets the timer for what time alone brings.
// Sessions end in one place, ch_core_end_session: whatever is in flight is cancelled, what has been staged stays, and the phase says whether
// time helps (OFFLINE) or a person has to (BLOCKED). Nothing here fails: trouble becomes the problem that the status shows.
//
// The core owns its buffers and calls; the replica, the env and the names to fetch first are lent and outlive it.
#include "client/core_parts.h"

#include "base/alloc.h"
#include "base/log.h"
#include "msg/wire.h"
#include "sync/outbox.h"

#include <stdio.h>

enum {
    POLL_US = 250000,          // how soon another program's write is seen
    LEAD_US = 1000000,         // how soon a follower takes over
    SILENCE_US = 60000000,     // a live stream without a sign for this long is begun again
    BLOCKED_RETRY_US = 30000000,
};

// --- small things ---------------------------------------------------------------------------------------------------------

int64_t ch_core_now(const struct ch_client_core *core)
{
    return core->env->now_mono_us(core->env->ctx);
}

static uint64_t random_number(struct ch_client_core *core)
{
    uint64_t value;
    core->env->random(core->env->ctx, &value, sizeof(value));
    return value;
}

void ch_core_changed(struct ch_client_core *core, unsigned events)
{
    if (events & (CHARLE_EVENT_ROWS | CHARLE_EVENT_CALLS))
        ch_core_audit_note(core);
    uint32_t tables[CH_TABLES_MAX];
    CHARLE_ASSERT(core->replica->tables.count <= CH_TABLES_MAX);
    size_t count = events & CHARLE_EVENT_ROWS ? ch_replica_take_changed(core->replica, tables) : 0;
    if (core->env->changed)
        core->env->changed(core->env->ctx, events, tables, count);
}

void ch_core_set_phase(struct ch_client_core *core, enum ch_core_phase phase)
{
    CHARLE_ASSERT(phase <= CH_PHASE_WIPED);
    if (core->phase == phase)
        return;
    core->phase = phase;
    ch_core_changed(core, CHARLE_EVENT_STATUS);
}

void ch_core_contact(struct ch_client_core *core)
{
    core->contact_at_us = core->env->now_wall_us(core->env->ctx);
    core->watch_at = ch_core_now(core) + SILENCE_US;
}

uint64_t ch_core_call(struct ch_client_core *core, const char *method, const struct charle_message *type, const void *message,
                      uint32_t timeout_ms)
{
    charle_buf_reset(&core->out);
    charle_message_write(type, message, &core->out);
    if (core->out.failed) {
        ch_core_end_session(core, core->out.failed, "a request does not fit in memory");
        return 0;
    }
    uint64_t id = ++core->last_id;
    CHARLE_ASSERT(id > 0); // 0 is no call
    ch_core_meter_note(core, core->out.size);
    core->env->call_start(core->env->ctx, id, charle_str(method), charle_buf_bytes(&core->out), timeout_ms);
    return id;
}

void ch_core_cancel(struct ch_client_core *core, uint64_t *call)
{
    if (*call)
        core->env->call_cancel(core->env->ctx, *call);
    *call = 0;
}

// --- the end of a session ---------------------------------------------------------------------------------------------------

void ch_core_cancel_all(struct ch_client_core *core)
{
    ch_core_open_cancel(core);
    ch_core_copy_cancel(core);
    ch_core_seed_cancel(core);
    ch_core_pull_cancel(core);
    ch_core_push_cancel(core);
    core->push_is_probing = false;
    ch_core_acquire_pause(core);
    ch_core_transfer_pause(core);
}

// Waiting does not help against these: somebody has to sign in, update a program, or choose another file.
static bool needs_person(enum charle_err code)
{
    return code == CHARLE_UNAUTHENTICATED || code == CHARLE_SCHEMA_MISMATCH || code == CHARLE_UNIMPLEMENTED ||
           code == CHARLE_READ_ONLY || code == CHARLE_DATA_LOSS;
}

void ch_core_end_session(struct ch_client_core *core, enum charle_err code, const char *text)
{
    CHARLE_ASSERT(code != CHARLE_OK && text); // a session ends for a reason
    ch_core_cancel_all(core);
    if (core->order.is_wiped)
        return;
    if (code == CHARLE_UNAUTHENTICATED)
        ch_core_order_hint(core);
    core->failures++;
    core->problem_code = code;
    snprintf(core->problem, sizeof(core->problem), "%s", text);
    ch_log(CH_LOG_DEBUG, "client", "session ended code=%s text=\"%s\"", charle_err_name(code), text);
    if (core->phase == CH_PHASE_STOPPED)
        return;
    if (core->replica->is_outdated) { // for good; the program that took the file over is to synchronise it
        core->retry_at = INT64_MAX;
        if (core->env->lead_drop)
            core->env->lead_drop(core->env->ctx);
        ch_core_set_phase(core, CH_PHASE_BLOCKED);
    } else if (needs_person(code) || (code == CHARLE_PERMISSION_DENIED && core->phase == CH_PHASE_OPENING)) {
        core->retry_at = ch_core_now(core) + BLOCKED_RETRY_US;
        ch_core_set_phase(core, CH_PHASE_BLOCKED);
    } else {
        core->retry_at = ch_core_now(core) + ch_redial_delay_us(core->failures, random_number(core));
        ch_core_set_phase(core, CH_PHASE_OFFLINE);
    }
}

void ch_core_fail(struct ch_client_core *core, const struct charle_error *err)
{
    ch_core_end_session(core, err->code ? err->code : CHARLE_INTERNAL, err->text);
}

// --- events -------------------------------------------------------------------------------------------------------------------

void ch_client_core_on_connected(struct ch_client_core *core, bool is_connected)
{
    if (core->is_connected == is_connected)
        return;
    core->is_connected = is_connected;
    if (is_connected)
        core->retry_at = core->failures > 1 ? core->retry_at : 0;
    else if (core->phase > CH_PHASE_OFFLINE && core->phase != CH_PHASE_BLOCKED)
        ch_core_end_session(core, CHARLE_UNAVAILABLE, "the connection to the server was lost");
    ch_core_changed(core, CHARLE_EVENT_STATUS);
    ch_core_settle(core);
}

static struct ch_copy_stream *copy_of(struct ch_client_core *core, uint64_t id)
{
    for (int i = 0; i < CH_COPY_STREAMS_MAX; i++) {
        if (core->copies[i].call == id)
            return &core->copies[i];
    }
    return NULL;
}

void ch_client_core_on_message(struct ch_client_core *core, uint64_t id, struct charle_bytes message)
{
    struct ch_copy_stream *copy = id ? copy_of(core, id) : NULL;
    charle_arena_reset(&core->arena);
    if (!id)
        return;
    ch_core_meter_note(core, message.len);
    if (id == core->open_call)
        charle_buf_add(&core->reply, message.ptr, message.len);
    else if (id == core->push_call)
        charle_buf_add(&core->push_reply, message.ptr, message.len);
    else if (id == core->pull_call)
        ch_core_pull_on_message(core, message);
    else if (id == core->probe_call)
        ch_core_probe_on_message(core, message);
    else if (id == core->acquire.call)
        ch_core_acquire_on_message(core, message);
    else if (copy)
        ch_core_copy_on_message(core, copy, message);
    else if (!ch_core_seed_on_message(core, id, message) && !ch_core_order_on_message(core, id, message) &&
             !ch_core_transfer_on_message(core, id, message))
        return; // of a call that was cancelled
    core->env->call_consumed(core->env->ctx, id, message.len);
    ch_core_settle(core);
}

static void stream_ended(struct ch_client_core *core, enum charle_err code, struct charle_str text)
{
    char words[240];
    snprintf(words, sizeof(words), "%.*s", CHARLE_FMT(code ? text : CHARLE_STR("the server ended the stream")));
    ch_core_end_session(core, code ? code : CHARLE_UNAVAILABLE, words);
}

void ch_client_core_on_done(struct ch_client_core *core, uint64_t id, enum charle_err code, struct charle_str text)
{
    struct ch_copy_stream *copy = id ? copy_of(core, id) : NULL;
    charle_arena_reset(&core->arena);
    if (!id)
        return;
    if (id == core->open_call) {
        ch_core_open_on_done(core, code, text);
    } else if (id == core->push_call) {
        ch_core_push_on_done(core, code, text);
    } else if (id == core->probe_call) {
        core->probe_call = 0;
        if (code)
            stream_ended(core, code, text);
    } else if (id == core->acquire.call) {
        // A database that was put back may not know the description any more.
        bool is_unknown = core->acquire.is_fill && code == CHARLE_SCHEMA_MISMATCH;
        if (is_unknown || (core->acquire.step == CH_ACQUIRE_DESCRIBE && needs_person(code))) {
            core->acquire.call = 0;
            ch_core_acquire_refused(core);
        } else if (code) {
            stream_ended(core, code, text);
        } else {
            ch_core_acquire_on_done(core);
        }
    } else if (copy && !code) {
        ch_core_copy_on_done(core, copy);
    } else if (copy || id == core->pull_call) {
        stream_ended(core, code, text);
    } else {
        (void)(ch_core_seed_on_done(core, id, code, text) || ch_core_order_on_done(core, id, code) ||
               ch_core_transfer_on_done(core, id, code, text));
    }
    ch_core_settle(core);
}

// Looks for what other programs wrote to the file: rows, calls to push, wishes.
static void poll_file(struct ch_client_core *core)
{
    struct charle_error err = {0};
    bool changed = false;
    int64_t wanted = 0, position = 0;
    core->poll_at = ch_core_now(core) + POLL_US;
    if (ch_files_were_changed(core->replica->files))
        ch_core_transfer_look(core);
    if (ch_replica_was_changed(core->replica, &changed, &err) || !changed)
        return;
    if (core->phase != CH_PHASE_BLOCKED && ch_replica_begin(core->replica, CH_FETCHABLE, &err) == CHARLE_OK)
        ch_replica_rollback(core->replica);
    if (core->replica->is_outdated) {
        if (core->phase != CH_PHASE_BLOCKED)
            ch_core_fail(core, &err);
        return;
    }
    pthread_mutex_lock(&core->replica->look_mutex);
    enum charle_err rc = ch_meta_number(&core->replica->look, core->phase == CH_PHASE_FOLLOWING ? "sync_done" : "sync_wanted", 0, &wanted, &err);
    if (!rc)
        rc = ch_lite_number(&core->replica->look, CH_LITE_OUTBOX_LAST, 0, &position, &err, "");
    pthread_mutex_unlock(&core->replica->look_mutex);
    if (!rc && core->phase == CH_PHASE_FOLLOWING) {
        if (core->file_sync_wanted && wanted >= core->file_sync_wanted)
            core->sync_done = core->sync_wanted;
    } else if (!rc && wanted > core->file_sync_wanted) {
        core->file_sync_wanted = wanted;
        core->sync_mark = position;
        core->sync_wanted++;
    }
    ch_core_want_push(core);
    core->acquire_wanted = true; // an evicted scope may be wanted again
    ch_core_meter_load(core);
    if (core->env->changed)
        core->env->changed(core->env->ctx, CHARLE_EVENT_ROWS | CHARLE_EVENT_CALLS | CHARLE_EVENT_INBOX | CHARLE_EVENT_STATUS, NULL, 0);
}

void ch_client_core_on_timer(struct ch_client_core *core)
{
    int64_t now = ch_core_now(core);
    charle_arena_reset(&core->arena);
    if (core->is_started && !core->order.is_wiped && now >= core->poll_at)
        poll_file(core);
    if ((core->phase == CH_PHASE_PULLING || core->phase == CH_PHASE_LIVE) && now >= core->watch_at)
        ch_core_end_session(core, CHARLE_UNAVAILABLE, "the server has been silent for a minute");
    if (core->phase == CH_PHASE_FINISHING)
        ch_core_copy_finish_step(core);
    ch_core_settle(core);
}

// --- what to do next ------------------------------------------------------------------------------------------------------------

static void take_lead(struct ch_client_core *core)
{
    int64_t now = ch_core_now(core);
    if (core->phase != CH_PHASE_STOPPED && now < core->lead_at)
        return;
    if (!core->env->lead_take || core->env->lead_take(core->env->ctx)) {
        core->retry_at = 0;
        core->file_sync_wanted = 0;
        ch_core_set_phase(core, CH_PHASE_OFFLINE);
        return;
    }
    core->lead_at = now + LEAD_US;
    ch_core_set_phase(core, CH_PHASE_FOLLOWING);
}

// Calls go out whenever there is a session; while it is being opened only to find out whose numbers they are.
static bool may_push(const struct ch_client_core *core)
{
    if (core->recall_after >= 0)
        return false; // not before the moment that shows what the server has lost
    if (!ch_core_meter_may_push(core))
        return false;
    return (core->phase >= CH_PHASE_HOLDING && core->phase <= CH_PHASE_LIVE) ||
           (core->phase == CH_PHASE_OPENING && core->push_is_probing && !core->open_call);
}

static void set_timer(struct ch_client_core *core)
{
    int64_t at = INT64_MAX;
    int64_t wishes[] = {
        core->is_started && !core->order.is_wiped ? core->poll_at : INT64_MAX,
        core->phase == CH_PHASE_FOLLOWING ? core->lead_at : INT64_MAX,
        !core->meter.is_refusing && core->is_connected && (core->phase == CH_PHASE_BLOCKED || core->phase == CH_PHASE_OFFLINE) ? core->retry_at
                                                                                                                              : INT64_MAX,
        core->phase == CH_PHASE_FINISHING ? 0 : INT64_MAX,
        core->phase == CH_PHASE_PULLING || core->phase == CH_PHASE_LIVE ? core->watch_at : INT64_MAX,
        ch_core_acquire_wish(core),
        ch_core_transfer_wish(core),
        ch_core_order_wish(core),
        ch_core_audit_wish(core),
        ch_core_meter_wish(core),
        may_push(core) && core->push_wanted && !core->push_call && !core->push_next.count ? core->push_at : INT64_MAX,
    };
    for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++)
        at = wishes[i] < at ? wishes[i] : at;
    core->env->timer_set(core->env->ctx, at);
}

// What is in flight fits the phase, whatever has happened.
static void check_calls(const struct ch_client_core *core)
{
    bool is_pulling = core->phase == CH_PHASE_PULLING || core->phase == CH_PHASE_LIVE;
    CHARLE_ASSERT(!core->open_call || core->phase == CH_PHASE_OPENING);
    CHARLE_ASSERT(!core->pull_call || is_pulling);
    CHARLE_ASSERT(core->pull_call || core->phase != CH_PHASE_LIVE); // live means that a stream is open
    CHARLE_ASSERT(!core->probe_call || core->phase == CH_PHASE_LIVE);
    CHARLE_ASSERT(!core->acquire.call || is_pulling);
    for (int i = 0; i < CH_COPY_STREAMS_MAX; i++)
        CHARLE_ASSERT(!core->copies[i].call || core->phase == CH_PHASE_COPYING);
    CHARLE_ASSERT(core->seed.step == CH_SEED_IDLE || core->phase == CH_PHASE_COPYING);
    CHARLE_ASSERT(!core->push_next.count || core->push_call); // a batch waits only for the one before it
    CHARLE_ASSERT(core->push_sent.count <= CH_PUSH_CALLS_MAX && core->push_next.count <= CH_PUSH_CALLS_MAX);
}

// The counts and wishes agree with each other.
static void check_wishes(const struct ch_client_core *core)
{
    CHARLE_ASSERT(core->sync_done <= core->sync_wanted && core->verify_done <= core->verify_wanted);
    CHARLE_ASSERT(core->failures >= 0 && core->acquire_failures >= 0 && core->push_failures >= 0);
    CHARLE_ASSERT(core->is_started || core->phase == CH_PHASE_STOPPED || core->phase == CH_PHASE_WIPING || core->phase == CH_PHASE_WIPED);
    CHARLE_ASSERT(core->order.is_wiped == (core->phase == CH_PHASE_WIPING || core->phase == CH_PHASE_WIPED));
    CHARLE_ASSERT(core->acquire.step != CH_ACQUIRE_STAGED || (core->acquire.staged_count && !core->acquire.call));
}

// After every event: whatever has become possible is begun. Each step may end the session, so the phase is asked again each time.
void ch_core_settle(struct ch_client_core *core)
{
    if (ch_core_order_holds(core))
        ch_core_order_step(core); // before anything is sent
    if (core->order.is_wiped) {
        set_timer(core);
        return;
    }
    if (core->is_started && (core->phase == CH_PHASE_STOPPED || core->phase == CH_PHASE_FOLLOWING))
        take_lead(core);
    ch_core_meter_step(core);
    if ((core->phase == CH_PHASE_OFFLINE || core->phase == CH_PHASE_BLOCKED) && core->is_connected && ch_core_now(core) >= core->retry_at &&
        ch_core_meter_may_open(core))
        ch_core_open_begin(core);
    if (may_push(core))
        ch_core_push_step(core);
    if (core->phase == CH_PHASE_HOLDING)
        ch_core_meter_step(core); // the outbox may be empty now
    if (core->phase == CH_PHASE_LIVE)
        ch_core_acquire_step(core);
    if (core->phase == CH_PHASE_LIVE)
        ch_core_probe_step(core);
    ch_core_transfer_step(core);
    ch_core_order_step(core);
    check_calls(core);
    check_wishes(core);
    set_timer(core);
}

// --- life -----------------------------------------------------------------------------------------------------------------------

enum charle_err ch_client_core_new(const struct ch_client_env *env, struct ch_replica *replica, struct ch_client_core **out,
                                   struct charle_error *err)
{
    struct ch_client_core *core = ch_alloc_zeroed(1, sizeof(*core));
    if (!core)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the client");
    CHARLE_ASSERT(env && replica);
    core->env = env;
    core->replica = replica;
    core->recall_after = -1;
    ch_moment_init(&core->moment, replica->vfs);
    ch_moment_init(&core->probe, replica->vfs);
    *out = core;
    return CHARLE_OK;
}

void ch_client_core_free(struct ch_client_core *core)
{
    if (!core)
        return;
    ch_core_cancel_all(core);
    ch_core_acquire_reset(core);
    ch_core_seed_deinit(core);
    ch_fill_deinit(&core->fill);
    ch_moment_deinit(&core->moment);
    ch_moment_deinit(&core->probe);
    charle_arena_deinit(&core->arena);
    charle_buf_deinit(&core->out);
    charle_buf_deinit(&core->reply);
    charle_buf_deinit(&core->push_reply);
    charle_buf_deinit(&core->push_next_request);
    charle_buf_deinit(&core->scratch);
    ch_core_cancel(core, &core->order.call);
    charle_buf_deinit(&core->order.reply);
    charle_buf_deinit(&core->transfer.up_reply);
    charle_buf_deinit(&core->transfer.down_reply);
    for (int i = 0; i < CH_COPY_STREAMS_MAX; i++)
        charle_buf_deinit(&core->copies[i].pages);
    ch_free(core);
}

void ch_client_core_ignore_seeds(struct ch_client_core *core)
{
    core->ignores_seeds = true;
}

void ch_client_core_set_audit(struct ch_client_core *core, int64_t period_us)
{
    core->audit.default_us = period_us;
    core->audit.is_loaded = false;
}

void ch_client_core_set_first(struct ch_client_core *core, const char *const *names)
{
    core->first = names;
}

enum charle_err ch_client_core_problem(const struct ch_client_core *core, int *out_failures)
{
    *out_failures = core->failures;
    return core->problem_code;
}

bool ch_client_core_has_wide_line(const struct ch_client_core *core)
{
    return core->has_wide_line && !core->meter.budget;
}

void ch_client_core_status(const struct ch_client_core *core, struct charle_client_status *out)
{
    static const uint8_t states[] = {
        [CH_PHASE_STOPPED] = CHARLE_CLIENT_STOPPED,     [CH_PHASE_FOLLOWING] = CHARLE_CLIENT_FOLLOWING,
        [CH_PHASE_OFFLINE] = CHARLE_CLIENT_OFFLINE,     [CH_PHASE_OPENING] = CHARLE_CLIENT_CONNECTING,
        [CH_PHASE_PAUSED] = CHARLE_CLIENT_PAUSED,       [CH_PHASE_HOLDING] = CHARLE_CLIENT_METERED,
        [CH_PHASE_COPYING] = CHARLE_CLIENT_COPYING,     [CH_PHASE_FINISHING] = CHARLE_CLIENT_COPYING,
        [CH_PHASE_PULLING] = CHARLE_CLIENT_SYNCING,     [CH_PHASE_LIVE] = CHARLE_CLIENT_LIVE,
        [CH_PHASE_BLOCKED] = CHARLE_CLIENT_BLOCKED,     [CH_PHASE_WIPING] = CHARLE_CLIENT_CONNECTING,
        [CH_PHASE_WIPED] = CHARLE_CLIENT_WIPED,
    };
    CHARLE_ASSERT(core->phase < sizeof(states));
    *out = (struct charle_client_status){
        .state = (enum charle_client_state)states[core->phase],
        .is_connected = core->is_connected,
        .rows_copied = core->rows_copied,
        .rows_total = core->rows_total,
        .eta_ms = -1,
        .contact_at_us = core->contact_at_us,
        .pages_applied = core->pages_applied,
        .calls_run_again = core->calls_run_again,
        .meter_used = core->meter.used,
        .wiped_calls = core->order.calls_lost,
    };
    if (core->phase == CH_PHASE_LIVE && core->acquire.step != CH_ACQUIRE_IDLE && !core->acquire.is_verify)
        out->state = CHARLE_CLIENT_COPYING;
    if (core->phase == CH_PHASE_OFFLINE && core->is_connected && core->problem_code == CHARLE_RESOURCE_EXHAUSTED)
        out->state = CHARLE_CLIENT_METERED; // not even a session is opened
    int64_t fresh = core->rows_copied - core->rows_before, left = core->rows_total - core->rows_copied;
    if (core->phase == CH_PHASE_COPYING && fresh > 0 && left >= 0)
        out->eta_ms = (ch_core_now(core) - core->copy_started_at) / 1000 * left / fresh;
    snprintf(out->problem, sizeof(out->problem), "%s", core->problem);
}
