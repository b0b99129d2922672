// The methods of charle.Devices. What they do is in server/sync/order.c; here they meet a session and a connection.
#include "server/sync/order.h"

#include "base/log.h"
#include "server/engine_parts.h"

static struct ch_sync_peer peer_of(const struct charle_context *context)
{
    return (struct ch_sync_peer){.principal = context->identity->principal, .id = context->identity->id};
}

static bool is_operator(const struct charle_context *context)
{
    const struct ch_engine *engine = ((const struct ch_runtime *)context->runtime)->engine;
    return charle_identity_holds(context->identity, charle_str(engine->options.operators_scope));
}

static enum charle_err list(struct charle_context *context, const void *request, void *reply, struct charle_error *err)
{
    const struct ch_sync_peer peer = peer_of(context);
    (void)request;
    return ch_order_list(context->db, &peer, is_operator(context), context->arena, reply, err);
}

static enum charle_err wipe(struct charle_context *context, const void *request_ptr, void *reply, struct charle_error *err)
{
    const struct charle_device_wipe_request *request = request_ptr;
    const struct ch_sync_peer peer = peer_of(context);
    const struct ch_engine *engine = ((const struct ch_runtime *)context->runtime)->engine;
    (void)reply;
    enum charle_err rc = ch_order_give(context->db, &peer, is_operator(context), request, err);
    if (rc == CHARLE_OK) {
        ch_log(CH_LOG_WARN, "device", "%s device=%.*s by=%.*s:%.*s",
               request->takes_back.has && request->takes_back.value ? "a wipe was taken back" : "a wipe was ordered", CHARLE_FMT(request->device_id),
               CHARLE_FMT(peer.principal), CHARLE_FMT(peer.id));
        ch_live_wake(engine->live); // a live stream tells its device to ask
    }
    return rc;
}

static enum charle_err order(struct charle_context *context, const void *request, void *reply_ptr, struct charle_error *err)
{
    struct charle_device_order_reply *reply = reply_ptr;
    return ch_order_ask(context->db, request, &reply->order, err);
}

static enum charle_err wiped(struct charle_context *context, const void *request_ptr, void *reply, struct charle_error *err)
{
    const struct charle_device_wiped_request *request = request_ptr;
    (void)reply;
    enum charle_err rc = ch_order_done(context->db, request, err);
    if (rc == CHARLE_OK)
        ch_log(CH_LOG_WARN, "device", "a replica was wiped device=%.*s calls_lost=%lld", CHARLE_FMT(request->device_id), (long long)request->calls_lost);
    return rc;
}

size_t ch_device_methods(struct charle_method out[CH_DEVICE_METHODS_MAX])
{
    static const struct {
        const struct charle_method *method;
        charle_unary_handler unary;
    } table[] = {{&charle_devices_list_method, list},
                 {&charle_devices_wipe_method, wipe},
                 {&charle_devices_order_method, order},
                 {&charle_devices_wiped_method, wiped}};
    size_t count = sizeof(table) / sizeof(table[0]);
    for (size_t i = 0; i < count; i++) {
        out[i] = *table[i].method;
        out[i].unary = table[i].unary;
    }
    return count;
}
