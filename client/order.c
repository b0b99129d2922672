// The order to wipe this replica: heard when a session is opened, or asked for when a stream hints at one and when the session was revoked.
//
//   order       what happens
//   WIPE        at once: the key is destroyed, the files removed; then the server is told how many calls were not sent
//   PUSH, WIPE  nothing is fetched any more; calls go out until none waits, for ten minutes at most, or until the session ends for good
//
// States: ordered ─► WIPING: files gone, the report is on its way ─► WIPED. If the report fails it is sent again as long as the program runs;
// when it never comes the server still knows that the device has heard of the order. From the wipe on nothing here touches the file.
#include "client/core_parts.h"

#include "base/log.h"
#include "charle/devices.charle.h"
#include "msg/wire.h"
#include "sync/outbox.h"

#include <stdio.h>

enum { ORDER_TIMEOUT_MS = 5000, ORDER_WIPE = 1, ORDER_PUSH_AND_WIPE = 2 };
static const int64_t push_for_us = 600000000;

// Both are kept: after the wipe there is nowhere to read them.
static bool know_device(struct ch_client_core *core)
{
    struct ch_order *o = &core->order;
    struct charle_error err = {0};
    if (o->device_id[0])
        return true;
    pthread_mutex_lock(&core->replica->look_mutex);
    enum charle_err rc = ch_meta_text(&core->replica->look, "device_key", o->device_key, sizeof(o->device_key), &err);
    if (!rc)
        rc = ch_meta_text(&core->replica->look, "device_id", o->device_id, sizeof(o->device_id), &err);
    pthread_mutex_unlock(&core->replica->look_mutex);
    return !rc && o->device_id[0] && o->device_key[0];
}

static void ask(struct ch_client_core *core)
{
    struct ch_order *o = &core->order;
    o->is_wanted = false;
    o->device_id[0] = '\0'; // it may have been renewed
    if (!know_device(core))
        return;
    const struct charle_device_order_request request = {.device_id = charle_str(o->device_id),
                                                        .device_key = charle_bytes(o->device_key, strlen(o->device_key))};
    charle_buf_reset(&o->reply);
    o->call = ch_core_call(core, "charle.Devices/Order", &charle_device_order_request_message, &request, ORDER_TIMEOUT_MS);
}

static void report(struct ch_client_core *core)
{
    struct ch_order *o = &core->order;
    const struct charle_device_wiped_request request = {.device_id = charle_str(o->device_id),
                                                        .device_key = charle_bytes(o->device_key, strlen(o->device_key)),
                                                        .calls_lost = o->calls_lost};
    charle_buf_reset(&o->reply);
    o->call = ch_core_call(core, "charle.Devices/Wiped", &charle_device_wiped_request_message, &request, ORDER_TIMEOUT_MS);
}

static int64_t count_waiting(struct ch_client_core *core)
{
    struct charle_error err;
    int64_t count = 0;
    pthread_mutex_lock(&core->replica->look_mutex);
    (void)!ch_lite_number(&core->replica->look, CH_LITE_OUTBOX_UNCONFIRMED, 0, &count, &err, "");
    pthread_mutex_unlock(&core->replica->look_mutex);
    return count;
}

static void wipe(struct ch_client_core *core)
{
    struct ch_order *o = &core->order;
    struct charle_error err = {0};
    CHARLE_ASSERT(!o->is_wiped && o->order != 0 && core->env->wipe);
    (void)know_device(core);
    o->calls_lost = count_waiting(core);
    ch_core_cancel_all(core);
    ch_core_acquire_reset(core);
    o->is_wiped = true;
    enum charle_err rc = core->env->wipe(core->env->ctx, &err);
    core->problem_code = CHARLE_FAILED_PRECONDITION; // nothing can be tried again
    snprintf(core->problem, sizeof(core->problem), "this replica was wiped, as its owner or an operator ordered; %lld calls had not been sent%s%s",
             (long long)o->calls_lost, rc ? "; not everything could be removed: " : "", rc ? err.text : "");
    ch_log(CH_LOG_WARN, "client", "%s", core->problem);
    ch_core_set_phase(core, CH_PHASE_WIPING);
}

void ch_core_order_take(struct ch_client_core *core, uint32_t order)
{
    struct ch_order *o = &core->order;
    if (!core->env->wipe || o->is_wiped || (order != ORDER_WIPE && order != ORDER_PUSH_AND_WIPE))
        return;
    bool is_new = o->order == 0;
    o->order = order;
    if (is_new)
        o->until = ch_core_now(core) + push_for_us;
    // A session that fetches ends; the next one only pushes.
    if (order == ORDER_PUSH_AND_WIPE && is_new && core->phase >= CH_PHASE_COPYING && core->phase <= CH_PHASE_LIVE)
        ch_core_end_session(core, CHARLE_ABORTED, "this replica is to be wiped once its calls are sent");
}

void ch_core_order_hint(struct ch_client_core *core)
{
    core->order.is_wanted = core->env->wipe != NULL;
}

bool ch_core_order_holds(const struct ch_client_core *core)
{
    return core->order.order != 0;
}

// Nothing more will be sent: all is, or it cannot be.
static bool has_pushed(struct ch_client_core *core)
{
    bool is_open = core->phase >= CH_PHASE_HOLDING && core->phase <= CH_PHASE_LIVE;
    return ch_core_now(core) >= core->order.until || core->phase == CH_PHASE_BLOCKED || (is_open && !core->push_call && count_waiting(core) == 0);
}

void ch_core_order_step(struct ch_client_core *core)
{
    struct ch_order *o = &core->order;
    bool may_ask = core->phase == CH_PHASE_LIVE || core->phase == CH_PHASE_BLOCKED;
    if (!o->is_wiped && (o->order == ORDER_WIPE || (o->order == ORDER_PUSH_AND_WIPE && has_pushed(core))))
        wipe(core);
    if (o->call || !core->is_connected || core->phase == CH_PHASE_STOPPED)
        return;
    if (o->is_wiped && !o->is_reported && ch_core_now(core) >= o->retry_at)
        report(core);
    else if (!o->is_wiped && o->is_wanted && may_ask)
        ask(core);
}

bool ch_core_order_on_message(struct ch_client_core *core, uint64_t id, struct charle_bytes message)
{
    if (id != core->order.call)
        return false;
    charle_buf_add(&core->order.reply, message.ptr, message.len);
    return true;
}

bool ch_core_order_on_done(struct ch_client_core *core, uint64_t id, enum charle_err code)
{
    struct ch_order *o = &core->order;
    struct charle_device_order_reply reply;
    struct charle_error err = {0};
    if (id != o->call)
        return false;
    o->call = 0;
    if (o->is_wiped) {
        o->is_reported = code == CHARLE_OK || !(charle_err_is_retryable(code) || code == CHARLE_DEADLINE_EXCEEDED);
        o->retry_at = ch_core_now(core) + ch_redial_delay_us(++o->failures, 0);
        ch_core_set_phase(core, CH_PHASE_WIPED); // people are told now, whether the server was or not
    } else if (!code && !charle_message_read(&charle_device_order_reply_message, charle_buf_bytes(&o->reply), &core->arena, &reply, &err)) {
        ch_core_order_take(core, reply.order);
    }
    return true;
}

int64_t ch_core_order_wish(const struct ch_client_core *core)
{
    const struct ch_order *o = &core->order;
    if (o->is_wiped)
        return o->is_reported || o->call || !core->is_connected ? INT64_MAX : o->retry_at;
    return o->order == ORDER_PUSH_AND_WIPE ? o->until : INT64_MAX;
}
