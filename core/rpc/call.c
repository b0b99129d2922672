// Blocking unary calls, for programs without an event loop: a call like any other, and somebody who waits for its end.
#include "base/arena.h"
#include "base/limits.h"
#include "msg/wire.h"
#include "rpc/rpc.h"

#include <pthread.h>

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t done_cond;
    struct charle_buf *reply;
    bool is_done;
    enum charle_err code;
    char text[sizeof(((struct charle_error *)0)->text)];
};

static void on_message(void *ctx, struct charle_rpc *rpc, struct charle_bytes message)
{
    struct waiter *waiter = ctx;
    charle_buf_add(waiter->reply, message.ptr, message.len);
    charle_rpc_consumed(rpc, message.len);
}

static void on_done(void *ctx, struct charle_rpc *rpc, const struct charle_status *status)
{
    struct waiter *waiter = ctx;
    (void)rpc;
    pthread_mutex_lock(&waiter->lock);
    waiter->code = status->code;
    size_t len = status->text.len < sizeof(waiter->text) - 1 ? status->text.len : sizeof(waiter->text) - 1;
    if (len)
        memcpy(waiter->text, status->text.ptr, len);
    waiter->text[len] = '\0';
    waiter->is_done = true;
    pthread_cond_signal(&waiter->done_cond); // under the lock: afterwards the waiter may be gone
    pthread_mutex_unlock(&waiter->lock);
}

enum charle_err charle_call_bytes(struct charle_channel *channel, struct charle_str method, struct charle_bytes request,
                                  struct charle_buf *reply, const struct charle_call_options *options,
                                  struct charle_error *err)
{
    struct waiter waiter = {.lock = PTHREAD_MUTEX_INITIALIZER, .done_cond = PTHREAD_COND_INITIALIZER, .reply = reply};
    struct charle_rpc_events events = {on_message, on_done, &waiter};
    struct charle_rpc *rpc;
    enum charle_err rc = charle_rpc_start(channel, method, request, options, &events, &rpc, err);
    if (rc)
        return rc;
    pthread_mutex_lock(&waiter.lock);
    while (!waiter.is_done)
        pthread_cond_wait(&waiter.done_cond, &waiter.lock);
    pthread_mutex_unlock(&waiter.lock);
    charle_rpc_release(rpc);
    if (waiter.code)
        return charle_fail(err, waiter.code, "%.*s: %s", CHARLE_FMT(method),
                           waiter.text[0] ? waiter.text : charle_err_text(waiter.code));
    if (reply->failed)
        return charle_fail(err, reply->failed, "%.*s: the reply does not fit the buffer it was to go into",
                           CHARLE_FMT(method));
    return CHARLE_OK;
}

enum charle_err charle_call(struct charle_channel *channel, const struct charle_method *method, const void *request,
                            struct charle_arena *arena, void *reply, const struct charle_call_options *options,
                            struct charle_error *err)
{
    struct charle_call_options own = options ? *options : (struct charle_call_options){0};
    struct charle_buf request_buf = {.size_max = CH_MESSAGE_SIZE_MAX};
    struct charle_buf reply_buf = {0};
    if (own.timeout_ms == 0)
        own.timeout_ms = method->deadline_ms;
    charle_message_write(method->request, request, &request_buf);
    enum charle_err rc = request_buf.failed;
    if (rc)
        charle_fail(err, rc, "%.*s: the request cannot be encoded: %s", CHARLE_FMT(method->name), charle_err_text(rc));
    else
        rc = charle_call_bytes(channel, method->name, charle_buf_bytes(&request_buf), &reply_buf, &own, err);
    // The decoded reply points into its bytes, so they go to the arena too.
    struct charle_bytes bytes = rc ? (struct charle_bytes){0} : charle_arena_bytes(arena, charle_buf_bytes(&reply_buf));
    if (!rc && !bytes.ptr)
        rc = charle_fail(err, CHARLE_NO_MEMORY, "%.*s: the reply does not fit the arena", CHARLE_FMT(method->name));
    if (!rc)
        rc = charle_message_read(method->reply, bytes, arena, reply, err);
    charle_buf_deinit(&request_buf);
    charle_buf_deinit(&reply_buf);
    return rc;
}
