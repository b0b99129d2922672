#include "served.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LIVE_POLL_MS = 3 };

struct served_call {
    struct served_call *next;
    struct served *served;
    struct charle_server_call *call;
    bool is_stream;
    atomic_bool is_over;
    struct fake_stream stream;
    struct charle_buf waiting; // messages the peer has no credit for yet, each with its size before it
    size_t waiting_at;
    enum charle_err code;
    char text[240];
    bool is_done;              // nothing more comes from the fake server
};

static void keep_message(void *ctx, struct charle_bytes bytes)
{
    struct served_call *call = ctx;
    size_t size = bytes.len;
    charle_buf_add(&call->waiting, &size, sizeof(size));
    charle_buf_add(&call->waiting, bytes.ptr, bytes.len);
}

static void on_over(void *ctx)
{
    // No lock: finishing a call, which happens under it, waits for this function. The thread looks every few milliseconds.
    atomic_store(&((struct served_call *)ctx)->is_over, true);
}

static void on_writable(void *ctx)
{
    (void)ctx; // as above
}

static void dispatch(void *ctx, struct charle_server_call *rpc)
{
    struct served *served = ctx;
    struct served_call *call = calloc(1, sizeof(*call));
    struct charle_str method = charle_server_call_method(rpc);
    call->served = served;
    call->call = rpc;
    call->is_stream = charle_str_equal(method, CHARLE_STR("charle.Sync/Pull")) || charle_str_equal(method, CHARLE_STR("charle.Sync/Copy"));
    if (call->is_stream) {
        fake_stream_open(&call->stream, method, charle_server_call_request(rpc));
        charle_server_call_on_over(rpc, on_over, call); // before anyone can finish it
    }
    pthread_mutex_lock(&served->mutex);
    struct served_call **last = &served->calls;
    while (*last)
        last = &(*last)->next;
    *last = call;
    pthread_cond_signal(&served->wake);
    pthread_mutex_unlock(&served->mutex);
}

// Sends what waits; false: the peer has no room now.
static bool flush(struct served_call *call)
{
    while (call->waiting_at < call->waiting.size) {
        size_t size;
        memcpy(&size, call->waiting.data + call->waiting_at, sizeof(size));
        struct charle_bytes message = charle_bytes(call->waiting.data + call->waiting_at + sizeof(size), size);
        enum charle_err rc = charle_server_call_send(call->call, message);
        if (rc == CHARLE_RESOURCE_EXHAUSTED) {
            charle_server_call_on_writable(call->call, on_writable, call->served);
            return false;
        }
        if (rc)
            call->is_over = true;
        call->waiting_at += sizeof(size) + size;
    }
    charle_buf_reset(&call->waiting);
    call->waiting_at = 0;
    return true;
}

// One turn of a call, with the lock held; true: it is finished and may be freed.
static bool turn(struct served *served, struct served_call *call)
{
    struct fake_reply reply = {.message = keep_message, .ctx = call};
    if (call->is_over && call->is_stream) {
        charle_server_call_finish(call->call, CHARLE_CANCELLED, CHARLE_STR("over"), (struct charle_bytes){0});
        return true;
    }
    if (!call->is_stream) {
        call->code = fake_server_call(&served->fake, charle_server_call_method(call->call), charle_server_call_request(call->call), &reply);
        struct charle_bytes message = {0};
        if (!call->code)
            message = charle_bytes(call->waiting.data + sizeof(size_t), call->waiting.size - sizeof(size_t));
        charle_server_call_finish(call->call, call->code, charle_str(reply.text), message);
        return true;
    }
    if (!flush(call) || call->is_over)
        return false;
    if (!call->is_done) {
        call->code = fake_server_pump(&served->fake, &call->stream, &reply);
        snprintf(call->text, sizeof(call->text), "%s", reply.text);
        call->is_done = call->stream.is_done || call->code;
        if (!flush(call))
            return false;
    }
    if (!call->is_done)
        return false;
    charle_server_call_finish(call->call, call->code, charle_str(call->text), (struct charle_bytes){0});
    return true;
}

static void free_call(struct served_call *call)
{
    if (call->is_stream)
        fake_stream_close(&call->stream);
    charle_buf_deinit(&call->waiting);
    free(call);
}

static void *run(void *ctx)
{
    struct served *served = ctx;
    pthread_mutex_lock(&served->mutex);
    while (!served->is_quitting) {
        bool is_busy = false;
        for (struct served_call **link = &served->calls; *link;) {
            struct served_call *call = *link;
            if (!turn(served, call)) {
                is_busy = is_busy || (call->is_stream && !call->stream.is_live && !call->waiting.size);
                link = &call->next;
                continue;
            }
            *link = call->next;
            free_call(call);
        }
        struct timespec at;
        clock_gettime(CLOCK_REALTIME, &at);
        at.tv_nsec += (is_busy ? 0 : LIVE_POLL_MS) * 1000000;
        at.tv_sec += at.tv_nsec / 1000000000;
        at.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&served->wake, &served->mutex, &at);
    }
    pthread_mutex_unlock(&served->mutex);
    return NULL;
}

static void listen_again(struct served *served)
{
    struct charle_error err = {0};
    char address[128];
    snprintf(address, sizeof(address), "%s", served->address);
    if (charle_rpc_server_open(NULL, dispatch, served, &served->rpc, &err) ||
        charle_rpc_server_listen(served->rpc, address, served->address, &err)) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
}

void served_start(struct served *served, const struct charle_schema *schema, const char *address)
{
    *served = (struct served){0};
    fake_server_open(&served->fake, schema);
    pthread_mutex_init(&served->mutex, NULL);
    pthread_cond_init(&served->wake, NULL);
    snprintf(served->address, sizeof(served->address), "%s", address);
    listen_again(served);
    pthread_create(&served->thread, NULL, run, served);
}

static void end_calls(struct served *served)
{
    pthread_mutex_lock(&served->mutex);
    for (struct served_call *call = served->calls; call; call = call->next)
        call->is_over = true;
    pthread_cond_signal(&served->wake);
    pthread_mutex_unlock(&served->mutex);
}

void served_pause(struct served *served)
{
    end_calls(served);
    charle_rpc_server_close(served->rpc, 0);
    served->rpc = NULL;
}

void served_resume(struct served *served)
{
    listen_again(served);
}

void served_stop(struct served *served)
{
    end_calls(served);
    if (served->rpc)
        charle_rpc_server_close(served->rpc, 0);
    pthread_mutex_lock(&served->mutex);
    served->is_quitting = true;
    pthread_cond_signal(&served->wake);
    pthread_mutex_unlock(&served->mutex);
    pthread_join(served->thread, NULL);
    while (served->calls) {
        struct served_call *call = served->calls;
        served->calls = call->next;
        charle_server_call_finish(call->call, CHARLE_CANCELLED, CHARLE_STR("over"), (struct charle_bytes){0});
        free_call(call);
    }
    pthread_cond_destroy(&served->wake);
    pthread_mutex_destroy(&served->mutex);
    fake_server_close(&served->fake);
}

struct fake_server *served_lock(struct served *served)
{
    pthread_mutex_lock(&served->mutex);
    return &served->fake;
}

void served_unlock(struct served *served)
{
    pthread_cond_signal(&served->wake);
    pthread_mutex_unlock(&served->mutex);
}
