// Wishes: what the application and the people behind it ask of the core. Each is noted in the state, then whatever has become possible is
// begun (ch_core_settle). None of them waits and none fails: what comes of it shows in the status, or under the ticket.
//
// Tickets count upwards, and done never overtakes wanted. In a follower (another program leads) a wish to synchronise is left in the file,
// where the leader finds it (core.c, poll_file); a wish to verify needs the lead. This file counts the wishes; sync_done is moved by who
// has the answer (pull.c), and verify_done by acquire.c, which also notes why a comparison came to nothing.
// Wishes do not survive a restart: whoever waited is gone as well.
#include "client/core_parts.h"

void ch_client_core_start(struct ch_client_core *core)
{
    core->is_started = true;
    core->lead_at = 0;
    ch_core_transfer_look(core);
    ch_core_settle(core);
}

void ch_client_core_stop(struct ch_client_core *core)
{
    core->is_started = false;
    if (core->order.is_wiped)
        return; // for good; the report goes on
    ch_core_cancel_all(core);
    ch_core_acquire_reset(core);
    core->failures = 0;
    core->problem[0] = '\0';
    core->problem_code = CHARLE_OK;
    if (core->phase != CH_PHASE_STOPPED && core->env->lead_drop)
        core->env->lead_drop(core->env->ctx);
    ch_core_set_phase(core, CH_PHASE_STOPPED);
    ch_core_settle(core);
}

// The time at which a parked call is due holds nothing else back; trouble with the server does.
void ch_core_want_push(struct ch_client_core *core)
{
    core->push_wanted = true;
    if (core->push_failures == 0)
        core->push_at = 0;
}

void ch_client_core_kick(struct ch_client_core *core)
{
    ch_core_want_push(core);
    ch_core_settle(core);
}

void ch_client_core_files(struct ch_client_core *core)
{
    ch_core_transfer_look(core);
    ch_core_settle(core);
}

void ch_client_core_policy(struct ch_client_core *core)
{
    ch_core_meter_load(core);
    ch_core_audit_reload(core);
    if (core->acquire.is_verify)
        ch_core_acquire_reset(core); // scopes may have come or gone: it is begun again
    core->acquire_wanted = true;
    ch_core_settle(core);
}

void ch_client_core_retry(struct ch_client_core *core)
{
    core->retry_at = 0;
    core->push_at = 0;
    core->push_wanted = true;
    core->failures = 0;
    ch_core_settle(core);
}

static void ask_leader(struct ch_client_core *core)
{
    struct charle_error err = {0};
    struct ch_replica *replica = core->replica;
    int64_t wanted;
    if (ch_replica_begin(replica, CH_FETCHABLE, &err))
        return;
    enum charle_err rc = ch_meta_number(&replica->sql, "sync_wanted", 0, &wanted, &err);
    if (!rc)
        rc = ch_meta_set_number(&replica->sql, "sync_wanted", wanted + 1, &err);
    if (!ch_replica_end(replica, rc, &err))
        core->file_sync_wanted = wanted + 1;
}

int64_t ch_client_core_sync(struct ch_client_core *core)
{
    int64_t mark = 0;
    struct charle_error err;
    pthread_mutex_lock(&core->replica->look_mutex);
    (void)!ch_lite_number(&core->replica->look, CH_LITE_OUTBOX_LAST, 0, &mark, &err, "");
    pthread_mutex_unlock(&core->replica->look_mutex);
    core->sync_mark = mark > core->sync_mark ? mark : core->sync_mark;
    core->sync_wanted++;
    ch_core_want_push(core);
    if (core->phase == CH_PHASE_FOLLOWING)
        ask_leader(core);
    else if (core->retry_at && core->is_connected)
        core->retry_at = 0; // somebody waits: try now
    ch_core_settle(core);
    return core->sync_wanted;
}

int64_t ch_client_core_synced(const struct ch_client_core *core)
{
    return core->sync_done;
}

int64_t ch_client_core_verify(struct ch_client_core *core)
{
    if (core->phase == CH_PHASE_STOPPED || core->phase == CH_PHASE_FOLLOWING)
        return 0;
    core->verify_wanted++;
    ch_core_settle(core);
    return core->verify_wanted;
}

int64_t ch_client_core_verified(const struct ch_client_core *core, struct charle_verify_report *out)
{
    *out = core->verify_report;
    return core->verify_done;
}

const struct charle_error *ch_client_core_verify_error(const struct ch_client_core *core)
{
    return &core->verify_error;
}
