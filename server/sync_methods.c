// The methods of charle.Sync: Open, Hash and Push like any other call, Copy and Pull as streams.
//
// What they do is in server/sync; here they meet a session, a connection and the wire. A live Pull does not keep its
// thread: when it has caught up it is handed to the live streams (live.c).
#include "charle/sync.charle.h"

#include "base/log.h"
#include "server/engine_parts.h"
#include "services/crud.h"

static const int64_t parts_us = 10000000;

static struct ch_engine *engine_of(const struct charle_context *context)
{
    return ((const struct ch_runtime *)context->runtime)->engine;
}

static struct ch_sync_peer peer_of(const struct charle_context *context)
{
    return (struct ch_sync_peer){.principal = context->identity->principal, .id = context->identity->id};
}

// A replica of a schema that nobody has described yet is asked to do so, and opens again.
static enum charle_err open_device(struct charle_context *context, const void *request, void *reply_ptr,
                                   struct charle_error *err)
{
    struct ch_engine *engine = engine_of(context);
    struct ch_sync_peer peer = peer_of(context);
    struct charle_open_reply *reply = reply_ptr;
    const struct ch_sync *sync;
    enum charle_err rc = ch_skews_meet(engine->skews, context->db, request, &sync, err);
    if (rc == CHARLE_OK && !sync) {
        *reply = (struct charle_open_reply){.principal = peer.principal, .principal_id = peer.id, .now = context->now};
        reply->wants_shape = (struct charle_opt_bool){true, true};
        return CHARLE_OK;
    }
    if (rc == CHARLE_OK)
        rc = ch_sync_open(sync, context->db, &peer, request, context->now, context->arena, reply, err);
    bool is_same = sync == engine->sync; // files have the tables of this schema
    ch_skews_release(engine->skews, sync);
    reply->offers_seeds = (struct charle_opt_bool){engine->seeds != NULL && is_same, true};
    return rc;
}

// A read that may go to a standby: the request with its context.
struct read {
    const struct ch_sync *sync;
    struct charle_context *context;
    const void *request;
    void *reply;
    struct charle_stream *stream;
    bool has_sent;
};

static enum charle_err hash_at_standby(void *ctx, struct charle_db *db, const struct ch_standby *rule, struct charle_error *err)
{
    struct read *read = ctx;
    struct ch_sync_peer peer = peer_of(read->context);
    peer.standby = rule;
    return ch_hash(read->sync, db, &peer, read->request, read->context->arena, read->reply, err);
}

static enum charle_err send_page(void *ctx, struct charle_bytes message, struct charle_error *err)
{
    struct read *read = ctx;
    read->has_sent = true;
    return read->stream->send(read->stream->ctx, message, err);
}

static enum charle_err copy_at_standby(void *ctx, struct charle_db *db, const struct ch_standby *rule, struct charle_error *err)
{
    struct read *read = ctx;
    struct ch_sync_peer peer = peer_of(read->context);
    peer.standby = rule;
    enum charle_err rc = ch_copy(read->sync, db, &peer, read->request, send_page, read, err);
    // The replica goes on behind the last page it has; the pages that it would get again are of no use.
    return rc && read->has_sent ? charle_fail(err, CHARLE_CLOSED, "the standby stopped in the middle of a copy: go on behind its last page") : rc;
}

static enum charle_err hash(struct charle_context *context, const void *request_ptr, void *reply, struct charle_error *err)
{
    const struct charle_hash_request *request = request_ptr;
    struct ch_engine *engine = engine_of(context);
    struct ch_sync_peer peer = peer_of(context);
    const struct ch_sync *sync;
    enum charle_err rc = ch_skews_find(engine->skews, context->db, request->schema_hash, &sync, err);
    if (rc)
        return rc;
    struct charle_error ignored; // the primary's answer counts
    struct read read = {.sync = sync, .context = context, .request = request, .reply = reply};
    if (!request->may_lag.has || !request->may_lag.value || ch_standbys_read(engine->standbys, hash_at_standby, &read, &ignored))
        rc = ch_hash(sync, context->db, &peer, request, context->arena, reply, err);
    ch_skews_release(engine->skews, sync);
    return rc;
}

struct push {
    const struct ch_sync *sync;
    struct charle_context *context;
    const struct ch_push_options *options;
};

// Calls that the state of the database stops are made again by their replicas; somebody has to mend it meanwhile. One line a push.
static void log_parked(const struct charle_push_request *request, const struct charle_push_reply *reply)
{
    const struct charle_call *const *calls = request->call.items;
    const struct charle_verdict *const *verdicts = reply->verdict.items, *first = NULL;
    struct charle_str method = {0};
    size_t count = 0;
    for (size_t i = 0; i < reply->verdict.count; i++) {
        if (verdicts[i]->kind != CHARLE_PARKED)
            continue;
        if (!count++) {
            first = verdicts[i];
            method = calls[i]->method;
        }
    }
    if (count)
        ch_log(CH_LOG_WARN, "push", "calls were parked, and will come again calls=%zu first=%.*s code=%s device=%.*s text=\"%.*s\"", count,
               CHARLE_FMT(method), charle_err_name((enum charle_err)first->code.value), CHARLE_FMT(request->device_id),
               CHARLE_FMT(first->text.value));
}

static enum charle_err run_push(void *ctx, const struct charle_push_request *request, struct charle_push_reply *out, struct charle_error *err)
{
    const struct push *push = ctx;
    struct ch_engine *engine = engine_of(push->context);
    enum charle_err rc = ch_push(push->sync, push->context->db, push->options, request, push->context->arena, out, err);
    if (rc)
        return rc;
    atomic_fetch_add(&engine->figures.pushed_calls, request->call.count);
    log_parked(request, out);
    if (!push->options->fold) // else nothing is committed yet
        ch_live_wake(engine->live);
    return CHARLE_OK;
}

// A push that waits for its turn often answers what it has before its caller gives up.
static int64_t end_of_parts(const struct charle_context *context)
{
    int64_t now_us = ch_clock_mono_us(), left_us = context->deadline_mono_us - now_us;
    return now_us + (left_us / 2 < parts_us ? left_us / 2 : parts_us);
}

static enum charle_err push(struct charle_context *context, const void *request_ptr, void *reply,
                            struct charle_error *err)
{
    const struct charle_push_request *request = request_ptr;
    struct ch_engine *engine = engine_of(context);
    struct ch_push_fold *fold = ((const struct ch_runtime *)context->runtime)->push_fold;
    struct ch_push_options options = {.peer = peer_of(context),
                                      .fold = fold,
                                      .crud = context->crud,
                                      .crud_set = ch_crud_run_set,
                                      .runtime = context->runtime,
                                      .deadline_mono_us = context->deadline_mono_us};
    const struct ch_sync *sync;
    enum charle_err rc = ch_skews_find(engine->skews, context->db, request->schema_hash, &sync, err);
    if (rc)
        return rc;
    struct push push = {sync, context, &options};
    if (((const struct ch_runtime *)context->runtime)->call->is_bulk)
        rc = ch_bulk_push(engine->bulk, request, end_of_parts(context), run_push, &push, context->arena, reply, err);
    else
        rc = run_push(&push, request, reply, err);
    ch_skews_release(engine->skews, sync);
    return rc;
}

static enum charle_err copy(struct charle_context *context, const void *request_ptr, struct charle_stream *stream,
                            struct charle_error *err)
{
    const struct charle_copy_request *request = request_ptr;
    struct ch_engine *engine = engine_of(context);
    struct ch_sync_peer peer = peer_of(context);
    const struct ch_sync *sync;
    enum charle_err rc = ch_skews_find(engine->skews, context->db, request->schema_hash, &sync, err);
    if (rc)
        return rc;
    struct charle_error ignored; // the primary's answer counts
    struct read read = {.sync = sync, .context = context, .request = request, .stream = stream};
    bool is_copied = request->may_lag.has && request->may_lag.value &&
                     ch_standbys_read(engine->standbys, copy_at_standby, &read, &ignored) == CHARLE_OK;
    if (!is_copied && read.has_sent)
        rc = charle_fail(err, CHARLE_UNAVAILABLE, "%s", ignored.text);
    else if (!is_copied)
        rc = ch_copy(sync, context->db, &peer, request, stream->send, stream->ctx, err);
    ch_skews_release(engine->skews, sync);
    return rc;
}

static enum charle_err seed(struct charle_context *context, const void *request_ptr, void *reply_ptr, struct charle_error *err)
{
    const struct charle_seed_request *request = request_ptr;
    struct ch_engine *engine = engine_of(context);
    struct ch_sync_peer peer = peer_of(context);
    struct charle_seed_reply *reply = reply_ptr;
    *reply = (struct charle_seed_reply){0};
    if (!engine->seeds || request->schema_hash != engine->options.app->schema->hash)
        return CHARLE_OK;
    return ch_seeds_find(engine->seeds, context->db, &peer, request, context->arena, reply, err);
}

static enum charle_err seed_read(struct charle_context *context, const void *request_ptr, struct charle_stream *stream,
                                 struct charle_error *err)
{
    struct ch_engine *engine = engine_of(context);
    struct ch_sync_peer peer = peer_of(context);
    if (!engine->seeds)
        return charle_fail(err, CHARLE_NOT_FOUND, "this server makes no seed files");
    return ch_seeds_read(engine->seeds, context->db, &peer, request_ptr, stream->send, stream->ctx, err);
}

size_t ch_sync_methods(struct charle_method out[CH_SYNC_METHODS_MAX])
{
    static const struct {
        const struct charle_method *method;
        charle_unary_handler unary;
        charle_stream_handler stream;
    } table[] = {
        {&charle_sync_open_method, open_device, NULL},  {&charle_sync_hash_method, hash, NULL},
        {&charle_sync_push_method, push, NULL},         {&charle_sync_copy_method, NULL, copy},
        {&charle_sync_pull_method, NULL, ch_live_pull}, {&charle_sync_seed_method, seed, NULL},
        {&charle_sync_seed_read_method, NULL, seed_read},
    };
    size_t count = sizeof(table) / sizeof(table[0]);
    for (size_t i = 0; i < count; i++) {
        out[i] = *table[i].method;
        out[i].unary = table[i].unary;
        out[i].stream = table[i].stream;
    }
    return count;
}
