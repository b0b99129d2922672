// Pausing, and a budget of bytes for each period of time.
//
// Both are wishes about the replica, kept in its file: whichever program synchronises obeys them, also after a restart.
//
//   paused           no session: phase PAUSED. Calls are queued, rows stay as they are.
//   budget, used up to nine tenths   no new copy, comparison or moment is begun (phase HOLDING); calls still go out, with their verdicts
//   budget, used up                  nothing is begun and nothing goes out until the period ends
//
// With a budget calls come first: after a session was opened nothing is pulled before the outbox is empty. A moment that has begun to arrive
// is finished, so that one larger than a whole budget arrives at last; what was used too much is taken from the periods that follow.
// Counted are the messages of synchronisation in both directions, without framing; methods that the application calls on the
// server directly are its own affair. What was used is written down now and then, so a crash forgets a little of it.
#include "client/core_parts.h"

#include <stdio.h>

enum { SAVE_EVERY = 65536, CALLS_SHARE = 10 }; // a tenth of the budget is for calls alone

static int64_t wall(const struct ch_client_core *core)
{
    return core->env->now_wall_us(core->env->ctx);
}

// --- the file -----------------------------------------------------------------------------------------------------------------

static enum charle_err read_numbers(struct ch_lite *sql, struct ch_meter *out, struct charle_error *err)
{
    int64_t is_paused = 0;
    enum charle_err rc = ch_meta_number(sql, "is_paused", 0, &is_paused, err);
    if (!rc)
        rc = ch_meta_number(sql, "meter_version", 0, &out->version, err);
    if (!rc)
        rc = ch_meta_number(sql, "meter_budget", 0, &out->budget, err);
    if (!rc)
        rc = ch_meta_number(sql, "meter_period", 0, &out->period_us, err);
    if (!rc)
        rc = ch_meta_number(sql, "meter_started", 0, &out->started_us, err);
    if (!rc)
        rc = ch_meta_number(sql, "meter_used", 0, &out->used, err);
    out->is_paused = is_paused != 0;
    return rc;
}

enum charle_err ch_meter_read(struct ch_lite *sql, int64_t now_us, struct ch_meter *out, struct charle_error *err)
{
    *out = (struct ch_meter){0};
    enum charle_err rc = read_numbers(sql, out, err);
    if (!rc)
        ch_meter_roll(out, now_us);
    return rc;
}

void ch_core_meter_load(struct ch_client_core *core)
{
    struct charle_error err;
    struct ch_meter now = {0};
    pthread_mutex_lock(&core->replica->look_mutex);
    enum charle_err rc = read_numbers(&core->replica->look, &now, &err);
    pthread_mutex_unlock(&core->replica->look_mutex);
    if (rc)
        return; // as it was; the disk's trouble shows elsewhere
    core->meter.is_paused = now.is_paused;
    if (core->meter.is_loaded && core->meter.version == now.version)
        return; // this program counts
    core->meter = now;
    core->meter.is_loaded = true;
    core->meter.saved = now.used;
}

static void save(struct ch_client_core *core)
{
    struct ch_meter *meter = &core->meter;
    struct charle_error err;
    struct ch_lite *sql = &core->replica->sql;
    if (!meter->budget || meter->saved == meter->used || ch_replica_begin(core->replica, CH_FETCHABLE, &err))
        return;
    enum charle_err rc = ch_meta_set_number(sql, "meter_used", meter->used, &err);
    if (!rc)
        rc = ch_meta_set_number(sql, "meter_started", meter->started_us, &err);
    if (!ch_replica_end(core->replica, rc, &err))
        meter->saved = meter->used;
}

// --- counting -----------------------------------------------------------------------------------------------------------------

void ch_meter_roll(struct ch_meter *meter, int64_t now_us)
{
    if (!meter->budget || meter->period_us <= 0)
        return;
    if (now_us < meter->started_us) { // the clock was set back: the period begins again, with what was used
        meter->started_us = now_us;
        return;
    }
    int64_t periods = (now_us - meter->started_us) / meter->period_us;
    meter->started_us += periods * meter->period_us;
    if (periods > meter->used / meter->budget)
        meter->used = 0;
    else
        meter->used -= periods * meter->budget;
}

static bool may_pull(const struct ch_meter *meter)
{
    return !meter->budget || meter->used < meter->budget - meter->budget / CALLS_SHARE;
}

static bool may_call(const struct ch_meter *meter)
{
    return !meter->budget || meter->used < meter->budget;
}

void ch_core_meter_note(struct ch_client_core *core, size_t bytes)
{
    struct ch_meter *meter = &core->meter;
    if (!meter->budget)
        return;
    ch_meter_roll(meter, wall(core));
    meter->used += (int64_t)bytes;
    if (meter->used - meter->saved >= SAVE_EVERY)
        save(core);
}

// --- obeying ------------------------------------------------------------------------------------------------------------------

static void say(struct ch_client_core *core)
{
    const struct ch_meter *meter = &core->meter;
    int64_t left_s = (meter->started_us + meter->period_us - wall(core)) / 1000000 + 1;
    core->problem_code = meter->is_paused ? CHARLE_FAILED_PRECONDITION : CHARLE_RESOURCE_EXHAUSTED;
    if (meter->is_paused)
        snprintf(core->problem, sizeof(core->problem), "synchronising is paused; calls are kept until it is resumed");
    else
        snprintf(core->problem, sizeof(core->problem), "%lld of %lld bytes of this period are used; %s until the next one begins in %lld s",
                 (long long)meter->used, (long long)meter->budget, may_call(meter) ? "only calls are sent" : "nothing is sent", (long long)left_s);
}

static void be_quiet(struct ch_client_core *core)
{
    if (core->problem_code == CHARLE_FAILED_PRECONDITION || core->problem_code == CHARLE_RESOURCE_EXHAUSTED) {
        core->problem[0] = '\0';
        core->problem_code = CHARLE_OK;
    }
}

static bool is_outbox_sent(const struct ch_client_core *core)
{
    return !core->push_call && !core->push_next.count && (!core->push_wanted || core->push_at > ch_core_now(core));
}

// A session is open: what it may do now. Called when it was opened and whenever something changed.
void ch_core_go_on(struct ch_client_core *core)
{
    CHARLE_ASSERT(core->phase == CH_PHASE_OPENING || core->phase == CH_PHASE_HOLDING);
    CHARLE_ASSERT(!core->open_call && !core->pull_call);
    if (ch_core_order_holds(core)) {
        ch_core_set_phase(core, CH_PHASE_HOLDING); // calls still go out
        return;
    }
    bool waits = core->meter.budget && (!may_pull(&core->meter) || !is_outbox_sent(core));
    if (waits) {
        ch_core_set_phase(core, CH_PHASE_HOLDING);
        return;
    }
    be_quiet(core);
    if (core->is_ready)
        ch_core_pull_begin(core, false);
    else
        ch_core_copy_begin(core);
}

static void hold(struct ch_client_core *core)
{
    ch_core_copy_flush(core);
    if (core->phase == CH_PHASE_OFFLINE || core->phase == CH_PHASE_BLOCKED)
        return; // the disk would not have it
    ch_core_copy_cancel(core);
    ch_core_seed_cancel(core); // what has come of it stays
    ch_core_pull_cancel(core);
    ch_core_acquire_pause(core);
    save(core);
    ch_core_set_phase(core, CH_PHASE_HOLDING);
}

static bool is_between_moments(const struct ch_client_core *core)
{
    return core->moment.page_count == 0 && core->probe.page_count == 0;
}

bool ch_core_meter_may_open(struct ch_client_core *core)
{
    struct ch_meter *meter = &core->meter;
    ch_meter_roll(meter, wall(core));
    meter->is_refusing = !may_pull(meter) && !(may_call(meter) && core->push_wanted);
    if (meter->is_refusing)
        say(core);
    return !meter->is_refusing;
}

bool ch_core_meter_may_push(const struct ch_client_core *core)
{
    return may_call(&core->meter);
}

void ch_core_meter_step(struct ch_client_core *core)
{
    struct ch_meter *meter = &core->meter;
    ch_meter_roll(meter, wall(core));
    bool leads = core->phase != CH_PHASE_STOPPED && core->phase != CH_PHASE_FOLLOWING;
    meter->is_refusing = false;
    if (leads && !meter->is_loaded) {
        ch_core_meter_load(core);
        core->push_wanted = core->push_wanted || meter->budget; // calls of an earlier run may wait
    }
    if (leads && meter->is_paused && core->phase != CH_PHASE_PAUSED) {
        ch_core_cancel_all(core);
        save(core);
        say(core);
        ch_core_set_phase(core, CH_PHASE_PAUSED);
    } else if (core->phase == CH_PHASE_PAUSED && !meter->is_paused) {
        be_quiet(core);
        core->retry_at = 0;
        ch_core_set_phase(core, CH_PHASE_OFFLINE);
    }
    bool is_pulling = core->phase == CH_PHASE_COPYING || ((core->phase == CH_PHASE_PULLING || core->phase == CH_PHASE_LIVE) && is_between_moments(core));
    if (is_pulling && !may_pull(meter)) {
        hold(core);
        say(core);
    } else if (core->phase == CH_PHASE_HOLDING && may_pull(meter) && is_outbox_sent(core)) {
        ch_core_go_on(core);
    } else if (core->phase == CH_PHASE_HOLDING && !may_pull(meter)) {
        say(core);
    } else if (core->phase == CH_PHASE_HOLDING && core->problem_code == CHARLE_RESOURCE_EXHAUSTED) {
        be_quiet(core); // the budget was lifted, or a period has begun: calls go out first
    }
}

int64_t ch_core_meter_wish(const struct ch_client_core *core)
{
    const struct ch_meter *meter = &core->meter;
    bool waits = core->phase == CH_PHASE_HOLDING || (core->phase == CH_PHASE_OFFLINE && !may_pull(meter));
    if (!meter->budget || !waits)
        return INT64_MAX;
    int64_t left = meter->started_us + meter->period_us - wall(core);
    return ch_core_now(core) + (left > 0 ? left : 0) + 1000;
}
