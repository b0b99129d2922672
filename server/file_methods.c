// The methods of charle.Files. What they do is in server/sync/file.c; here they meet a session, a connection and the wire.
#include "server/sync/file.h"

#include "server/engine_parts.h"

static struct ch_engine *engine_of(const struct charle_context *context)
{
    return ((const struct ch_runtime *)context->runtime)->engine;
}

static struct ch_sync_peer peer_of(const struct charle_context *context)
{
    return (struct ch_sync_peer){.principal = context->identity->principal, .id = context->identity->id};
}

static enum charle_err offer(struct charle_context *context, const void *request, void *reply, struct charle_error *err)
{
    const struct ch_engine *engine = engine_of(context);
    const struct ch_file_limits limits = {.size_max = engine->options.file_size_max, .store_max = engine->options.file_store_max};
    const struct ch_sync_peer peer = peer_of(context);
    return ch_file_offer(engine->sync, context->db, &peer, &limits, request, reply, err);
}

static enum charle_err put(struct charle_context *context, const void *request, void *reply, struct charle_error *err)
{
    const struct ch_sync_peer peer = peer_of(context);
    return ch_file_put(engine_of(context)->sync, context->db, &peer, request, reply, err);
}

static enum charle_err get(struct charle_context *context, const void *request, void *reply, struct charle_error *err)
{
    const struct ch_sync_peer peer = peer_of(context);
    return ch_file_get(engine_of(context)->sync, context->db, &peer, request, context->arena, reply, err);
}

size_t ch_file_methods(struct charle_method out[CH_FILE_METHODS_MAX])
{
    static const struct {
        const struct charle_method *method;
        charle_unary_handler unary;
    } table[] = {{&charle_files_offer_method, offer}, {&charle_files_put_method, put}, {&charle_files_get_method, get}};
    size_t count = sizeof(table) / sizeof(table[0]);
    for (size_t i = 0; i < count; i++) {
        out[i] = *table[i].method;
        out[i].unary = table[i].unary;
    }
    return count;
}
