// Pushing: the outbox in order, in batches, one batch in flight and, when there are many calls, one ready to follow.
//
// The server answers a repeat with the verdict it stored, so a batch whose answer was lost is simply sent again. Trouble with a whole batch
// is narrowed down by sending calls one by one: the one that the server cannot take at all is refused, and the first one whose hash the
// server does not know marks where a copy of this replica went its own way.
//
// A batch that failed, or that was on its way when the connection was lost, is halved: whoever cannot take it at once (a server that is killed twice a
// second, a line that does not hold) takes a smaller one. After some that went well they grow again.
#include "client/core_parts.h"

#include "base/plant.h"
#include "sync/outbox.h"
#include "msg/wire.h"
#include <stdio.h>

enum {
    PUSH_TIMEOUT_MS = 60000,
    GROW_AFTER = 3, // batches in a row that went well
};

static size_t most_calls(const struct ch_client_core *core)
{
    CHARLE_ASSERT(core->push_most <= CH_PUSH_CALLS_MAX);
    return core->push_most ? core->push_most : CH_PUSH_CALLS_UNSAID;
}

static void shrink(struct ch_client_core *core)
{
    core->push_successes = 0;
    core->push_count_max = core->push_sent.count > 1 ? core->push_sent.count / 2 : 1;
    CHARLE_ASSERT(core->push_count_max > 0 && core->push_count_max <= CH_PUSH_CALLS_MAX);
}

static void grow(struct ch_client_core *core)
{
    if (!core->push_count_max || ++core->push_successes < GROW_AFTER)
        return;
    core->push_successes = 0;
    core->push_count_max = core->push_count_max >= most_calls(core) / 2 ? 0 : core->push_count_max * 2;
}

void ch_core_push_cancel(struct ch_client_core *core)
{
    if (core->push_call && !core->push_is_probing)
        shrink(core);
    ch_core_cancel(core, &core->push_call);
    core->push_next.count = 0; // its calls have numbers and are taken again
    charle_buf_reset(&core->push_reply);
}

static void wait_until(struct ch_client_core *core, int64_t wall_us)
{
    int64_t delay = wall_us - core->env->now_wall_us(core->env->ctx);
    core->push_at = ch_core_now(core) + (delay > 0 ? delay : 0);
}

// The server does not know some of our calls under this identity: they go on under a new one.
static void renew(struct ch_client_core *core)
{
    struct charle_error err = {0};
    core->push_is_probing = false;
    core->push_count_max = 0;
    CHARLE_ASSERT(!core->push_call); // no answer under the old name is to come
    if (ch_outbox_renew_identity(core->replica, &err))
        ch_core_fail(core, &err);
    else
        ch_core_end_session(core, CHARLE_ABORTED, "a copy of this replica uses its device; going on as a new device");
}

// Takes the next batch and writes its request into core->push_next_request. False: there is none, or the session is over.
static bool make_ready(struct ch_client_core *core, int64_t behind)
{
    struct charle_error err = {0};
    struct ch_outbox_batch batch;
    size_t most = most_calls(core), count_max = core->push_count_max && core->push_count_max < most ? core->push_count_max : most;
    core->push_next.count = 0;
    if (ch_outbox_take_batch(core->replica, count_max, behind, &core->arena, &batch, &err)) {
        ch_core_fail(core, &err);
        return false;
    }
    if (batch.waits_for_file)
        core->transfer.has_upload = true;
    core->push_wanted = batch.due_at_us != 0;
    if (core->push_wanted)
        wait_until(core, batch.due_at_us);
    if (!batch.request.call.count)
        return false;
    CHARLE_ASSERT(batch.request.call.count <= count_max);
    const struct charle_call *const *calls = batch.request.call.items;
    batch.request.lineage = core->lineage;
    charle_buf_reset(&core->push_next_request);
    charle_message_write(&charle_push_request_message, &batch.request, &core->push_next_request);
    if (core->push_next_request.failed) {
        ch_core_end_session(core, core->push_next_request.failed, "a batch of calls does not fit in memory");
        return false;
    }
    core->push_next = (struct ch_push_sent){calls[0]->sequence, batch.last_number, batch.request.call.count, batch.is_full};
    return true;
}

static void plant_in_outbox(struct ch_client_core *core, bool is_planted, const char *sql)
{
    struct charle_error err;
    if (is_planted && !ch_replica_begin(core->replica, CH_DURABLE, &err))
        (void)!ch_replica_end(core->replica, ch_lite_script(&core->replica->sql, sql, "planting", &err), &err);
}

static void send_ready(struct ch_client_core *core)
{
    CHARLE_ASSERT(!core->push_call && core->push_next.count > 0); // one batch at a time
    core->push_sent = core->push_next;
    core->push_next.count = 0;
    charle_buf_reset(&core->push_reply);
    core->push_call = ++core->last_id;
    ch_core_meter_note(core, core->push_next_request.size);
    plant_in_outbox(core, CH_PLANTED(SENT_IS_DONE), "update charle_outbox set state = 5, kind = 1 where state = 2");
    core->env->call_start(core->env->ctx, core->push_call, CHARLE_STR("charle.Sync/Push"), charle_buf_bytes(&core->push_next_request),
                          PUSH_TIMEOUT_MS);
}

// While the server works on a full batch the next one is made ready, so that it follows at once.
static void make_following(struct ch_client_core *core)
{
    bool is_full = core->push_sent.is_full && core->push_count_max == 0;
    if (is_full && !core->push_next.count && !core->push_is_probing)
        (void)make_ready(core, core->push_sent.last_number);
}

void ch_core_push_step(struct ch_client_core *core)
{
    if (!core->push_wanted || ch_core_now(core) < core->push_at)
        return;
    if (core->push_call) {
        make_following(core);
        return;
    }
    if (make_ready(core, 0)) {
        send_ready(core);
        make_following(core);
    } else if (core->push_is_probing) { // every call has its verdict: nothing is left that the server might have from us
        renew(core);
    }
}

static void try_later(struct ch_client_core *core)
{
    uint64_t random;
    core->env->random(core->env->ctx, &random, sizeof(random));
    core->push_failures++;
    CHARLE_ASSERT(core->push_failures > 0);
    plant_in_outbox(core, CH_PLANTED(NEW_NUMBER_ON_RETRY), "update charle_outbox set state = 1, sequence = null, hash = null where state = 2");
    core->push_wanted = true;
    if (!core->push_is_probing)
        shrink(core);
    core->push_at = ch_core_now(core) + ch_redial_delay_us(core->push_failures, random);
}

static void take_verdicts(struct ch_client_core *core)
{
    struct charle_error err = {0};
    struct charle_push_reply reply;
    bool is_inbox = false;
    CHARLE_ASSERT(!core->push_call && core->push_sent.count > 0);
    enum charle_err rc = charle_message_read(&charle_push_reply_message, charle_buf_bytes(&core->push_reply), &core->arena, &reply, &err);
    size_t sent = core->push_sent.count;
    // The next batch leaves before this one's verdicts are on the disk, but only when the server took all of this one.
    if (!rc && core->push_next.count && reply.verdict.count == sent)
        send_ready(core);
    core->push_next.count = 0;
    if (!rc)
        rc = ch_outbox_judge(core->replica, &reply.verdict, &is_inbox, &err);
    if (rc) {
        ch_core_fail(core, &err);
        return;
    }
    ch_core_contact(core);
    core->push_wanted = true;
    core->push_at = 0;
    if (reply.verdict.count == 0) {
        // The server took none: it misses calls before these, or knows later ones. Opening again compares the numbers.
        ch_core_end_session(core, CHARLE_ABORTED, "the server's count of this device's calls differs; comparing");
        return;
    }
    core->push_failures = 0;
    if (!core->push_is_probing && reply.verdict.count >= sent)
        grow(core);
    ch_core_changed(core, CHARLE_EVENT_CALLS | (is_inbox ? CHARLE_EVENT_INBOX : 0u));
}

// These speak about what was sent, not about the moment: sending the same again gets the same answer.
static bool is_about_the_call(enum charle_err code)
{
    return code == CHARLE_INVALID_ARGUMENT || code == CHARLE_MALFORMED || code == CHARLE_TOO_LARGE;
}

static void refuse_call(struct ch_client_core *core, enum charle_err code, const char *text)
{
    struct charle_error err = {0};
    CHARLE_ASSERT(core->push_sent.count == 1); // it is known which
    core->push_count_max = 0;
    core->push_wanted = true;
    if (ch_outbox_refuse(core->replica, core->push_sent.first_number, code, text, &err))
        ch_core_fail(core, &err);
    else
        ch_core_changed(core, CHARLE_EVENT_CALLS | CHARLE_EVENT_INBOX);
}

void ch_core_push_on_done(struct ch_client_core *core, enum charle_err code, struct charle_str text)
{
    char words[240];
    snprintf(words, sizeof(words), "%.*s", CHARLE_FMT(text));
    CHARLE_ASSERT(core->push_call && core->push_sent.count > 0);
    core->push_call = 0;
    if (code)
        core->push_next.count = 0;
    if (!code) {
        take_verdicts(core);
        return;
    }
    bool is_single = core->push_sent.count == 1;
    bool is_conflict = code == CHARLE_CONFLICT || code == CHARLE_ALREADY_EXISTS;
    if ((is_conflict || is_about_the_call(code)) && !is_single) {
        core->push_count_max = 1;
        core->push_is_probing = core->push_is_probing || is_conflict;
        core->push_wanted = true;
    } else if (is_conflict) {
        renew(core);
    } else if (is_about_the_call(code)) {
        refuse_call(core, code, words);
    } else if (charle_err_is_retryable(code) || code == CHARLE_DEADLINE_EXCEEDED || code == CHARLE_CANCELLED) {
        try_later(core);
    } else {
        ch_core_end_session(core, code, words);
    }
}
