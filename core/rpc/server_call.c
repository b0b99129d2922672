// Calls as a server answers them.
//
// Callbacks of one call (over, writable) never overlap: whoever has something to tell sets a flag, and the thread that
// is telling already goes on until no flag is left. finish waits for a callback on another thread, so that none runs
// afterwards.
#include "base/alloc.h"
#include "base/clock.h"
#include "rpc/server.h"

enum { US_PER_MS = 1000 };

// What a status carries besides code and text; few calls have it.
struct extras {
    struct charle_buf details;
    struct charle_buf trailers; // a metadata block
    size_t trailer_count;
};

struct charle_server_call {
    struct ch_conn_stream stream; // first: the connection's events point to it
    struct ch_server_link *peer;  // held
    struct charle_str method;
    struct charle_metadata metadata;
    struct charle_bytes request;
    int64_t arrived_us, deadline_us;
    atomic_bool is_over;
    // under the link's lock
    enum charle_err over_code;
    bool is_accepted; // it has been in the connection's table
    bool is_over_due, is_writable_due;
    bool is_telling;
    pthread_t teller;
    bool is_finished; // by a callback of its own: the teller frees it
    void (*over_fn)(void *ctx);
    void *over_ctx;
    void (*writable_fn)(void *ctx);
    void *writable_ctx;
    // the user's thread
    struct extras *extras;
    size_t reply_size, message_count;
    struct charle_metadata_entry entries[]; // then the metadata's bytes and the request's
};

// --- telling ---------------------------------------------------------------------------------------------------------

static bool next_to_tell(struct charle_server_call *call, void (**out_fn)(void *ctx), void **out_ctx)
{
    if (call->is_finished)
        return false;
    if (call->is_over_due && call->over_fn) {
        call->is_over_due = false;
        *out_fn = call->over_fn;
        *out_ctx = call->over_ctx;
        return true;
    }
    if (call->is_writable_due && call->writable_fn) {
        call->is_writable_due = false;
        *out_fn = call->writable_fn;
        *out_ctx = call->writable_ctx;
        return true;
    }
    return false;
}

static void call_free(struct charle_server_call *call);

// Runs the callbacks that are due. The link's lock is held; it is released meanwhile. The call may be gone afterwards.
static void tell(struct charle_server_call *call)
{
    struct ch_server_link *peer = call->peer;
    void (*fn)(void *ctx);
    void *ctx;
    if (call->is_telling)
        return;
    call->is_telling = true;
    call->teller = pthread_self();
    while (next_to_tell(call, &fn, &ctx)) {
        ch_link_unlock(&peer->link);
        fn(ctx);
        ch_link_lock(&peer->link);
    }
    call->is_telling = false;
    if (!call->is_finished) {
        pthread_cond_broadcast(&peer->call_quiet);
        return;
    }
    ch_link_hold(&peer->link); // freeing the call gives its hold back, and the caller has the lock
    ch_link_unlock(&peer->link);
    call_free(call);
    ch_link_lock(&peer->link);
    ch_link_release(&peer->link); // not the last: the caller has one
}

void ch_server_call_over(struct ch_server_link *peer, struct ch_conn_stream *stream, enum charle_err code)
{
    struct charle_server_call *call = (struct charle_server_call *)stream;
    (void)peer;
    call->over_code = code;
    atomic_store(&call->is_over, true);
    call->is_over_due = true;
    if (call->stream.is_blocked) // who waits for room learns from send that there will be none
        call->is_writable_due = true;
    call->stream.is_blocked = false;
    tell(call);
}

void ch_server_call_writable(struct ch_server_link *peer, struct ch_conn_stream *stream)
{
    struct charle_server_call *call = (struct charle_server_call *)stream;
    (void)peer;
    call->is_writable_due = true;
    tell(call);
}

// --- arriving --------------------------------------------------------------------------------------------------------

// The call, its metadata and its request in one piece of memory.
static struct charle_server_call *call_new(struct ch_server_link *peer, const struct ch_conn_event *event)
{
    const struct ch_metadata_block *metadata = &event->head.metadata;
    bool is_named_here = event->head.method_number == 0; // else the connection keeps the name
    size_t name_len = is_named_here ? event->head.method.len : 0;
    size_t fixed = sizeof(struct charle_server_call) + metadata->count * sizeof(struct charle_metadata_entry);
    struct charle_server_call *call = ch_alloc(fixed + metadata->bytes.len + name_len + event->message.len);
    if (!call)
        return NULL;
    *call = (struct charle_server_call){.peer = peer, .method = event->head.method, .arrived_us = ch_clock_mono_us()};
    atomic_init(&call->is_over, false);
    uint8_t *next = (uint8_t *)call + fixed;
    if (metadata->count) {
        memcpy(next, metadata->bytes.ptr, metadata->bytes.len);
        ch_metadata_unpack((struct ch_metadata_block){charle_bytes(next, metadata->bytes.len), metadata->count},
                           call->entries);
        call->metadata = (struct charle_metadata){call->entries, metadata->count};
        next += metadata->bytes.len;
    }
    if (name_len) {
        memcpy(next, event->head.method.ptr, name_len);
        call->method.ptr = (const char *)next;
        next += name_len;
    }
    if (event->message.len)
        memcpy(next, event->message.ptr, event->message.len);
    call->request = charle_bytes(next, event->message.len);
    if (event->head.timeout_ms != UINT32_MAX)
        call->deadline_us = call->arrived_us + (int64_t)event->head.timeout_ms * US_PER_MS;
    return call;
}

static void call_free(struct charle_server_call *call)
{
    struct ch_server_link *peer = call->peer;
    if (call->extras) {
        charle_buf_deinit(&call->extras->details);
        charle_buf_deinit(&call->extras->trailers);
        ch_free(call->extras);
    }
    ch_free(call);
    ch_server_call_ended(peer->server);
    ch_link_release(&peer->link);
}

static const char *no_room(struct ch_server_link *peer, size_t request_size)
{
    if (atomic_load(&peer->server->is_draining))
        return "the server is closing and did not look at the call; it is safe to make it again";
    if (peer->calls >= peer->server->options.calls_per_connection_max)
        return "too many calls are in progress on this connection; wait for some to end";
    if (peer->held_size + request_size > CH_RPC_HELD_SIZE_MAX)
        return "the calls in progress on this connection hold too many request bytes; wait for some to end";
    return NULL;
}

// Runs the interceptors and hands the call to the user. No lock is held.
static void dispatch(struct charle_rpc_server *server, struct charle_server_call *call)
{
    struct charle_error err = {0};
    for (size_t i = 0; i < server->interceptor_count; i++) {
        const struct charle_server_interceptor *interceptor = &server->interceptors[i];
        enum charle_err rc = interceptor->before ? interceptor->before(interceptor->ctx, call, &err) : CHARLE_OK;
        if (rc) {
            charle_server_call_finish(call, rc, charle_str(err.text), (struct charle_bytes){0});
            return;
        }
    }
    server->dispatch(server->dispatch_ctx, call);
}

void ch_server_call_arrived(struct ch_server_link *peer, const struct ch_conn_event *event)
{
    struct charle_rpc_server *server = peer->server;
    struct ch_conn *conn = &peer->link.conn;
    const char *trouble = no_room(peer, event->message.len);
    if (trouble) {
        bool is_closing = atomic_load(&server->is_draining);
        ch_conn_refuse(conn, event->stream_id, is_closing ? CHARLE_UNAVAILABLE : CHARLE_RESOURCE_EXHAUSTED, trouble);
        return;
    }
    struct charle_server_call *call = call_new(peer, event);
    if (call && ch_conn_accept(conn, event->stream_id, &call->stream, call->deadline_us)) {
        ch_free(call);
        call = NULL;
    }
    if (!call) {
        ch_conn_refuse(conn, event->stream_id, CHARLE_NO_MEMORY, "the server is out of memory");
        return;
    }
    peer->calls++;
    peer->held_size += call->request.len;
    ch_link_hold(&peer->link);
    atomic_fetch_add(&server->calls, 1);
    atomic_fetch_add_explicit(&server->calls_total, 1, memory_order_relaxed);
    ch_link_unlock(&peer->link);
    dispatch(server, call);
    ch_link_lock(&peer->link);
}

// --- looking ---------------------------------------------------------------------------------------------------------

struct charle_str charle_server_call_method(const struct charle_server_call *call)
{
    return call->method;
}

struct charle_bytes charle_server_call_request(const struct charle_server_call *call)
{
    return call->request;
}

struct charle_metadata charle_server_call_metadata(const struct charle_server_call *call)
{
    return call->metadata;
}

struct charle_str charle_server_call_peer(const struct charle_server_call *call)
{
    return charle_str(call->peer->peer);
}

int64_t charle_server_call_deadline_us(const struct charle_server_call *call)
{
    return call->deadline_us;
}

bool charle_server_call_is_over(const struct charle_server_call *call)
{
    return atomic_load(&call->is_over) || (call->deadline_us && ch_clock_mono_us() >= call->deadline_us);
}

void charle_server_call_on_over(struct charle_server_call *call, void (*fn)(void *ctx), void *ctx)
{
    struct ch_link *link = &call->peer->link;
    ch_link_hold(link);
    ch_link_lock(link);
    call->over_fn = fn;
    call->over_ctx = ctx;
    tell(call);
    ch_link_unlock(link);
    ch_link_release(link);
}

void charle_server_call_on_writable(struct charle_server_call *call, void (*fn)(void *ctx), void *ctx)
{
    struct ch_link *link = &call->peer->link;
    ch_link_hold(link);
    ch_link_lock(link);
    call->writable_fn = fn;
    call->writable_ctx = ctx;
    tell(call);
    ch_link_unlock(link);
    ch_link_release(link);
}

void charle_server_call_set_peer_data(struct charle_server_call *call, void *data, void (*free_fn)(void *data))
{
    struct ch_server_link *peer = call->peer;
    ch_link_lock(&peer->link);
    void *old = peer->peer_data;
    void (*old_free)(void *data) = peer->peer_data_free;
    peer->peer_data = data;
    peer->peer_data_free = free_fn;
    ch_link_unlock(&peer->link);
    if (old && old_free && old != data)
        old_free(old);
}

void *charle_server_call_peer_data(const struct charle_server_call *call)
{
    struct ch_server_link *peer = call->peer;
    ch_link_lock(&peer->link);
    void *data = peer->peer_data;
    ch_link_unlock(&peer->link);
    return data;
}

// --- answering -------------------------------------------------------------------------------------------------------

// Sends if there is room. The link's lock is held.
static enum charle_err send_now(struct charle_server_call *call, struct charle_bytes message)
{
    struct ch_conn *conn = &call->peer->link.conn;
    enum charle_err rc = call->stream.id ? ch_conn_send(conn, &call->stream, message) : CHARLE_CANCELLED;
    if (!rc) {
        call->reply_size += message.len;
        call->message_count++;
    }
    return rc;
}

enum charle_err charle_server_call_send(struct charle_server_call *call, struct charle_bytes message)
{
    struct ch_link *link = &call->peer->link;
    ch_link_lock(link);
    enum charle_err rc = send_now(call, message);
    ch_link_flush(link);
    return rc;
}

struct send_wait {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool is_writable;
};

static void send_wait_init(struct send_wait *wait)
{
    pthread_condattr_t monotonic; // the times waited for are of that clock
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&wait->lock, NULL);
    pthread_cond_init(&wait->cond, &monotonic);
    pthread_condattr_destroy(&monotonic);
    wait->is_writable = false;
}

static void send_wait_deinit(struct send_wait *wait)
{
    pthread_cond_destroy(&wait->cond);
    pthread_mutex_destroy(&wait->lock);
}

// False: there was no room until then.
static bool wait_for_room(struct send_wait *wait, int64_t until_us)
{
    const struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
    int late = 0;
    pthread_mutex_lock(&wait->lock);
    while (!wait->is_writable && !late)
        late = pthread_cond_timedwait(&wait->cond, &wait->lock, &until);
    bool is_writable = wait->is_writable;
    wait->is_writable = false;
    pthread_mutex_unlock(&wait->lock);
    return is_writable;
}

static void wake_sender(void *ctx)
{
    struct send_wait *wait = ctx;
    pthread_mutex_lock(&wait->lock);
    wait->is_writable = true;
    pthread_cond_signal(&wait->cond);
    pthread_mutex_unlock(&wait->lock);
}

// Puts the user's function back. Waits for ours if it is running, so that its memory may go.
static void restore_writable(struct charle_server_call *call, void (*fn)(void *ctx), void *ctx)
{
    struct ch_server_link *peer = call->peer;
    ch_link_lock(&peer->link);
    while (call->is_telling && !pthread_equal(call->teller, pthread_self()))
        pthread_cond_wait(&peer->call_quiet, &peer->link.lock);
    call->writable_fn = fn;
    call->writable_ctx = ctx;
    ch_link_unlock(&peer->link);
}

enum charle_err charle_server_call_send_wait(struct charle_server_call *call, struct charle_bytes message, uint32_t wait_ms)
{
    struct ch_link *link = &call->peer->link;
    struct send_wait wait;
    void (*users_fn)(void *ctx) = NULL;
    void *users_ctx = NULL;
    bool is_waiting = false, is_late = false;
    int64_t until_us = 0;
    enum charle_err rc;
    do {
        ch_link_lock(link);
        rc = send_now(call, message);
        if (rc == CHARLE_RESOURCE_EXHAUSTED && !is_waiting) { // under the lock: the word that there is room comes to us
            send_wait_init(&wait); // only now: nearly every message finds room at once
            until_us = ch_clock_mono_us() + (int64_t)wait_ms * 1000;
            users_fn = call->writable_fn;
            users_ctx = call->writable_ctx;
            call->writable_fn = wake_sender;
            call->writable_ctx = &wait;
            is_waiting = true;
        }
        ch_link_flush(link);
        is_late = rc == CHARLE_RESOURCE_EXHAUSTED && !wait_for_room(&wait, until_us);
    } while (rc == CHARLE_RESOURCE_EXHAUSTED && !is_late);
    if (is_waiting) {
        restore_writable(call, users_fn, users_ctx);
        send_wait_deinit(&wait);
    }
    return is_late ? CHARLE_DEADLINE_EXCEEDED : rc;
}

static struct extras *extras_of(struct charle_server_call *call)
{
    if (!call->extras)
        call->extras = ch_alloc_zeroed(1, sizeof(*call->extras));
    return call->extras;
}

enum charle_err charle_server_call_set_details(struct charle_server_call *call, struct charle_bytes details)
{
    if (details.len > CH_RPC_DETAILS_SIZE_MAX)
        return CHARLE_TOO_LARGE;
    struct extras *extras = extras_of(call);
    if (!extras)
        return CHARLE_NO_MEMORY;
    charle_buf_reset(&extras->details);
    charle_buf_add(&extras->details, details.ptr, details.len);
    return extras->details.failed;
}

enum charle_err charle_server_call_add_trailer(struct charle_server_call *call, struct charle_str key,
                                               struct charle_str value)
{
    struct charle_metadata_entry entry = {key, value};
    struct charle_metadata one = {&entry, 1};
    enum charle_err rc = ch_metadata_check(one, NULL);
    struct extras *extras = rc ? NULL : extras_of(call);
    if (!extras)
        return rc ? rc : CHARLE_NO_MEMORY;
    if (extras->trailer_count >= CH_RPC_METADATA_COUNT_MAX ||
        extras->trailers.size + ch_metadata_size(one) > CH_RPC_METADATA_SIZE_MAX)
        return CHARLE_TOO_LARGE;
    ch_metadata_write(&extras->trailers, one);
    if (!extras->trailers.failed)
        extras->trailer_count++;
    return extras->trailers.failed;
}

// --- finishing -------------------------------------------------------------------------------------------------------

// Writes the call's end, if it is not over yet. The link's lock is held.
static void write_end(struct charle_server_call *call, enum charle_err code, struct charle_str text,
                      const struct charle_bytes *message)
{
    struct charle_metadata_entry entries[CH_RPC_METADATA_COUNT_MAX];
    struct charle_status status = {.code = code, .text = text};
    if (call->extras) {
        size_t count = call->extras->trailer_count;
        ch_metadata_unpack((struct ch_metadata_block){charle_buf_bytes(&call->extras->trailers), count}, entries);
        status.details = charle_buf_bytes(&call->extras->details);
        status.trailers = (struct charle_metadata){entries, count};
    }
    ch_conn_finish(&call->peer->link.conn, &call->stream, message, &status);
}

static void run_after(struct charle_server_call *call, enum charle_err code, struct charle_str text)
{
    struct charle_rpc_server *server = call->peer->server;
    if (server->interceptor_count == 0)
        return;
    struct charle_call_outcome outcome = {.method = call->method,
                                          .code = code,
                                          .text = text,
                                          .started_us = call->arrived_us,
                                          .ended_us = ch_clock_mono_us(),
                                          .request_size = call->request.len,
                                          .reply_size = call->reply_size,
                                          .message_count = call->message_count};
    for (size_t i = server->interceptor_count; i-- > 0;) {
        const struct charle_server_interceptor *interceptor = &server->interceptors[i];
        if (interceptor->after)
            interceptor->after(interceptor->ctx, call, &outcome);
    }
}

// Without `must_send` the call's end leaves with the next that is flushed on its connection.
static void finish(struct charle_server_call *call, enum charle_err code, struct charle_str text,
                   struct charle_bytes message, bool must_send)
{
    struct ch_server_link *peer = call->peer;
    bool has_message = code == CHARLE_OK && message.ptr;
    ch_link_hold(&peer->link);
    ch_link_lock(&peer->link);
    bool is_by_callback = call->is_telling && pthread_equal(call->teller, pthread_self());
    while (call->is_telling && !is_by_callback)
        pthread_cond_wait(&peer->call_quiet, &peer->link.lock);
    call->is_finished = true;
    bool is_live = call->stream.id != 0;
    if (is_live)
        write_end(call, code, text, has_message ? &message : NULL);
    if (atomic_load(&peer->server->is_draining) && peer->link.conn.streams.count == 0)
        peer->link.is_shut_when_sent = true;
    if (has_message && is_live) {
        call->reply_size += message.len;
        call->message_count++;
    }
    peer->calls--;
    peer->held_size -= call->request.len;
    if (must_send)
        ch_link_flush(&peer->link);
    else
        ch_link_unlock(&peer->link);
    if (is_live)
        run_after(call, code, text);
    else
        run_after(call, call->over_code, charle_str(charle_err_text(call->over_code)));
    if (!is_by_callback)
        call_free(call);
    ch_link_release(&peer->link);
}

void charle_server_call_finish(struct charle_server_call *call, enum charle_err code, struct charle_str text,
                               struct charle_bytes message)
{
    finish(call, code, text, message, true);
}

void charle_server_calls_finish(const struct charle_answer *answers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool is_last_of_peer = i + 1 == count || answers[i + 1].call->peer != answers[i].call->peer;
        finish(answers[i].call, answers[i].code, answers[i].text, answers[i].message, is_last_of_peer);
    }
}
