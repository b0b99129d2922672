// Calls as a channel makes them. channel.h says to which lock a call belongs when.
#include "base/alloc.h"
#include "base/clock.h"
#include "rpc/channel.h"

enum { US_PER_MS = 1000, TIMEOUT_MS = 30000 };

// --- the end of a call -----------------------------------------------------------------------------------------------

static void run_after(struct charle_channel *channel, const struct charle_rpc *rpc, const struct charle_status *status)
{
    if (channel->interceptor_count == 0)
        return;
    struct charle_call_outcome outcome = {.method = charle_str_n(rpc->method, rpc->method_len),
                                          .code = status->code,
                                          .text = status->text,
                                          .started_us = rpc->started_us,
                                          .ended_us = ch_clock_mono_us(),
                                          .request_size = rpc->request_size,
                                          .reply_size = rpc->reply_size,
                                          .message_count = rpc->message_count};
    for (size_t i = channel->interceptor_count; i-- > 0;) {
        const struct charle_client_interceptor *interceptor = &channel->interceptors[i];
        if (interceptor->after)
            interceptor->after(interceptor->ctx, &outcome);
    }
}

static void unref(struct charle_rpc *rpc)
{
    if (atomic_fetch_sub(&rpc->refs, 1) != 1)
        return;
    struct charle_channel *channel = rpc->channel;
    charle_buf_deinit(&rpc->copy);
    if (rpc->link)
        ch_link_release(rpc->link);
    ch_free(rpc);
    ch_channel_release(channel);
}

// The call is over and nobody else knows it any more: tells the user. No lock is held.
static void tell_done(struct charle_rpc *rpc, const struct charle_status *status)
{
    run_after(rpc->channel, rpc, status);
    if (rpc->events.done)
        rpc->events.done(rpc->events.ctx, rpc, status);
    unref(rpc);
}

static void tell_done_code(struct charle_rpc *rpc, enum charle_err code, const char *text)
{
    struct charle_status status = {.code = code, .text = charle_str(text)};
    tell_done(rpc, &status);
}

// --- lists -----------------------------------------------------------------------------------------------------------

static void append(struct ch_rpc_list *list, struct charle_rpc *rpc)
{
    rpc->next = NULL;
    rpc->prev = list->last;
    if (list->last)
        list->last->next = rpc;
    else
        list->first = rpc;
    list->last = rpc;
}

static void take(struct ch_rpc_list *list, struct charle_rpc *rpc)
{
    if (rpc->prev)
        rpc->prev->next = rpc->next;
    else
        list->first = rpc->next;
    if (rpc->next)
        rpc->next->prev = rpc->prev;
    else
        list->last = rpc->prev;
}

// Takes a call off the waiting list. The channel's lock is held.
static void stop_waiting(struct charle_channel *channel, struct charle_rpc *rpc)
{
    take(&channel->waiting, rpc);
    rpc->is_waiting = false;
    channel->waiting_size -= rpc->copy.size;
    atomic_fetch_sub(&channel->waiting_count, 1);
}

// Lets the timer's thread say that the call is over. The channel's lock is held.
static void end_later(struct charle_channel *channel, struct charle_rpc *rpc, enum charle_err code, const char *text)
{
    rpc->end_code = code;
    rpc->end_text = text;
    append(&channel->ended, rpc);
    ch_channel_arm(channel, ch_clock_mono_us());
}

void ch_channel_tell_ended(struct charle_channel *channel)
{
    for (;;) {
        pthread_mutex_lock(&channel->lock);
        struct charle_rpc *rpc = channel->ended.first;
        if (rpc)
            take(&channel->ended, rpc);
        pthread_mutex_unlock(&channel->lock);
        if (!rpc)
            return;
        tell_done_code(rpc, rpc->end_code, rpc->end_text);
    }
}

void ch_channel_end_late(struct charle_channel *channel, int64_t now_us)
{
    pthread_mutex_lock(&channel->lock);
    bool is_due = channel->waiting_due_us <= now_us;
    if (is_due)
        channel->waiting_due_us = INT64_MAX;
    struct charle_rpc *next;
    for (struct charle_rpc *rpc = is_due ? channel->waiting.first : NULL; rpc; rpc = next) {
        next = rpc->next;
        if (rpc->deadline_us && rpc->deadline_us <= now_us) {
            stop_waiting(channel, rpc);
            // What keeps the channel from connecting is the best explanation there is; it stays with the call.
            const char *why = channel->state == CH_CHANNEL_READY ? "the connection was busy until the deadline" : NULL;
            charle_buf_reset(&rpc->copy);
            if (!why)
                charle_buf_printf(&rpc->copy, "no connection until the deadline: %s", channel->trouble.text);
            const char *text = why ? why : charle_buf_text(&rpc->copy);
            end_later(channel, rpc, CHARLE_DEADLINE_EXCEEDED, text ? text : "no connection until the deadline");
        } else if (rpc->deadline_us && rpc->deadline_us < channel->waiting_due_us) {
            channel->waiting_due_us = rpc->deadline_us;
        }
    }
    pthread_mutex_unlock(&channel->lock);
}

void ch_channel_end_all_waiting(struct charle_channel *channel)
{
    pthread_mutex_lock(&channel->lock);
    struct charle_rpc *rpc;
    while ((rpc = channel->waiting.first)) {
        stop_waiting(channel, rpc);
        end_later(channel, rpc, CHARLE_CANCELLED, "the channel was closed");
    }
    pthread_mutex_unlock(&channel->lock);
}

// --- sending ---------------------------------------------------------------------------------------------------------

// Puts the call on the connection, with the token of now. Both locks are held.
static enum charle_err send_call(struct charle_rpc *rpc, struct ch_link *link, struct charle_metadata metadata,
                                 struct charle_bytes request, struct charle_error *err)
{
    struct charle_channel *channel = rpc->channel;
    struct charle_metadata_entry entries[CH_RPC_METADATA_COUNT_MAX + 1];
    for (size_t i = 0; i < metadata.count; i++)
        entries[i] = metadata.entries[i];
    struct charle_metadata all = {entries, metadata.count};
    if (channel->authorization)
        entries[all.count++] =
            (struct charle_metadata_entry){CHARLE_STR("authorization"), charle_str(channel->authorization)};
    enum charle_err rc = ch_metadata_check(all, err);
    if (rc)
        return rc;
    struct ch_conn_call call = {charle_str_n(rpc->method, rpc->method_len), all, request, rpc->deadline_us,
                                rpc->window};
    rc = ch_conn_start(&link->conn, &rpc->stream, &call, ch_clock_mono_us(), err);
    if (rc)
        return rc;
    ch_link_hold(link);
    rpc->link = link;
    return CHARLE_OK;
}

static enum charle_err send_waiting(struct charle_rpc *rpc, struct ch_link *link, struct charle_error *err)
{
    struct charle_metadata_entry entries[CH_RPC_METADATA_COUNT_MAX];
    struct charle_bytes copy = charle_buf_bytes(&rpc->copy);
    struct ch_metadata_block block = {charle_bytes(copy.ptr, rpc->metadata_size), rpc->metadata_count};
    ch_metadata_unpack(block, entries);
    return send_call(rpc, link, (struct charle_metadata){entries, rpc->metadata_count},
                     charle_bytes(copy.ptr + rpc->metadata_size, copy.len - rpc->metadata_size), err);
}

// The text of a call that was waiting and could not be sent must outlive this function.
static const char *keep_text(struct charle_rpc *rpc, const struct charle_error *err)
{
    charle_buf_reset(&rpc->copy);
    charle_buf_add_text(&rpc->copy, err->text);
    const char *text = charle_buf_text(&rpc->copy);
    return text ? text : charle_err_text(err->code);
}

void ch_channel_flush_waiting(struct charle_channel *channel)
{
    struct charle_error err;
    if (atomic_load(&channel->waiting_count) == 0)
        return;
    pthread_mutex_lock(&channel->lock);
    struct ch_link *link = channel->state == CH_CHANNEL_READY ? channel->link : NULL;
    if (!link) {
        pthread_mutex_unlock(&channel->lock);
        return;
    }
    ch_link_hold(link);
    ch_link_lock(link);
    struct charle_rpc *rpc;
    while ((rpc = channel->waiting.first) && ch_conn_has_room(&link->conn)) {
        stop_waiting(channel, rpc);
        if (send_waiting(rpc, link, &err))
            end_later(channel, rpc, err.code, keep_text(rpc, &err));
        else
            charle_buf_deinit(&rpc->copy);
    }
    pthread_mutex_unlock(&channel->lock); // before the flush, which may want it to arm the timer
    ch_link_flush(link);
    ch_link_release(link);
}

// Keeps the call until there is a connection with room. The channel's lock is held.
static enum charle_err wait_in_line(struct charle_channel *channel, struct charle_rpc *rpc,
                                    struct charle_metadata metadata, struct charle_bytes request,
                                    struct charle_error *err)
{
    size_t size = ch_metadata_size(metadata) + request.len;
    if (atomic_load(&channel->waiting_count) >= CH_RPC_WAITING_CALLS_MAX ||
        channel->waiting_size + size > CH_RPC_WAITING_SIZE_MAX)
        return charle_fail(err, CHARLE_RESOURCE_EXHAUSTED,
                           "too many calls wait for the connection to %s; slow down or try again later",
                           channel->address);
    rpc->copy.size_max = size + sizeof(err->text) + 64; // its end may be explained in it
    ch_metadata_write(&rpc->copy, metadata);
    charle_buf_add(&rpc->copy, request.ptr, request.len);
    if (rpc->copy.failed)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a call that has to wait");
    rpc->metadata_count = metadata.count;
    rpc->metadata_size = ch_metadata_size(metadata);
    rpc->is_waiting = true;
    append(&channel->waiting, rpc);
    channel->waiting_size += size;
    atomic_fetch_add(&channel->waiting_count, 1);
    if (rpc->deadline_us && rpc->deadline_us < channel->waiting_due_us) {
        channel->waiting_due_us = rpc->deadline_us;
        ch_channel_arm(channel, rpc->deadline_us);
    }
    return CHARLE_OK;
}

// --- starting --------------------------------------------------------------------------------------------------------

static enum charle_err run_before(struct charle_channel *channel, struct charle_client_call *call,
                                  struct charle_error *err)
{
    for (size_t i = 0; i < channel->interceptor_count; i++) {
        const struct charle_client_interceptor *interceptor = &channel->interceptors[i];
        enum charle_err rc = interceptor->before ? interceptor->before(interceptor->ctx, call, err) : CHARLE_OK;
        if (rc)
            return rc;
    }
    return CHARLE_OK;
}

static struct charle_rpc *rpc_new(struct charle_channel *channel, struct charle_str method, size_t request_size,
                                  uint32_t timeout_ms, const struct charle_rpc_events *events)
{
    struct charle_rpc *rpc = ch_alloc(sizeof(*rpc) + method.len);
    if (!rpc)
        return NULL;
    *rpc = (struct charle_rpc){.channel = channel, .request_size = request_size, .method_len = method.len};
    memcpy(rpc->method, method.ptr, method.len);
    if (events)
        rpc->events = *events;
    atomic_init(&rpc->refs, 2);
    atomic_fetch_add(&channel->refs, 1);
    rpc->started_us = ch_clock_mono_us();
    timeout_ms = timeout_ms ? timeout_ms : TIMEOUT_MS;
    rpc->deadline_us = timeout_ms == UINT32_MAX ? 0 : rpc->started_us + (int64_t)timeout_ms * US_PER_MS;
    return rpc;
}

// Sends the call or puts it in line. No events come after a failure.
static enum charle_err submit(struct charle_channel *channel, struct charle_rpc *rpc, struct charle_metadata metadata,
                              struct charle_bytes request, bool is_fail_fast, struct charle_error *err)
{
    pthread_mutex_lock(&channel->lock);
    struct ch_link *link = channel->state == CH_CHANNEL_READY ? channel->link : NULL;
    enum charle_err rc = CHARLE_OK;
    if (channel->is_closed)
        rc = charle_fail(err, CHARLE_CLOSED, "the channel to %s was closed", channel->address);
    else if (!link && is_fail_fast)
        rc = charle_fail(err, CHARLE_UNAVAILABLE, "not connected: %s", channel->trouble.text);
    if (rc || !link) {
        rc = rc ? rc : wait_in_line(channel, rpc, metadata, request, err);
        pthread_mutex_unlock(&channel->lock);
        return rc;
    }
    ch_link_hold(link);
    ch_link_lock(link);
    // The call is put in line under the link's lock too: whoever makes room later sees that it waits.
    if (channel->waiting.first || !ch_conn_has_room(&link->conn))
        rc = wait_in_line(channel, rpc, metadata, request, err);
    else
        rc = send_call(rpc, link, metadata, request, err);
    pthread_mutex_unlock(&channel->lock);
    ch_link_flush(link);
    ch_link_release(link);
    return rc;
}

enum charle_err charle_rpc_start(struct charle_channel *channel, struct charle_str method, struct charle_bytes request,
                                 const struct charle_call_options *options, const struct charle_rpc_events *events,
                                 struct charle_rpc **out, struct charle_error *err)
{
    static const struct charle_call_options defaults;
    options = options ? options : &defaults;
    *out = NULL;
    struct charle_client_call call = {.method = method, .request_size = request.len};
    enum charle_err rc = ch_method_name_check(method, err);
    if (!rc)
        rc = ch_metadata_check(options->metadata, err);
    for (size_t i = 0; !rc && i < options->metadata.count; i++)
        call.metadata[call.metadata_count++] = options->metadata.entries[i];
    if (!rc && channel->interceptor_count)
        rc = run_before(channel, &call, err);
    struct charle_metadata metadata = {call.metadata, call.metadata_count};
    if (!rc)
        rc = ch_metadata_check(metadata, err);
    if (rc)
        return rc;
    struct charle_rpc *rpc = rpc_new(channel, method, request.len, options->timeout_ms, events);
    if (!rpc)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for another call");
    *out = rpc; // before the first event can come
    rpc->window = options->window;
    rc = submit(channel, rpc, metadata, request, options->fail_fast, err);
    if (rc) {
        *out = NULL;
        atomic_store(&rpc->refs, 1);
        unref(rpc);
    }
    return rc;
}

// --- events of a connection ------------------------------------------------------------------------------------------

// Ends a call that was taken off the connection, unless its message callback is running: then that one does. The link's
// lock is held and is held again afterwards.
static void end_sent(struct ch_link *link, struct charle_rpc *rpc, enum charle_err code, const char *text)
{
    if (rpc->is_busy) {
        rpc->is_end_due = true;
        rpc->end_code = code;
        rpc->end_text = text;
        return;
    }
    ch_link_unlock(link);
    tell_done_code(rpc, code, text);
    ch_link_lock(link);
}

static void on_message(struct ch_link *link, struct charle_rpc *rpc, const struct ch_conn_event *event)
{
    rpc->is_busy = true;
    rpc->reply_size += event->message.len;
    rpc->message_count++;
    ch_link_unlock(link);
    if (rpc->events.message)
        rpc->events.message(rpc->events.ctx, rpc, event->message);
    ch_link_lock(link);
    rpc->is_busy = false;
    if (event->is_end)
        end_sent(link, rpc, CHARLE_OK, "");
    else if (rpc->is_end_due)
        end_sent(link, rpc, rpc->end_code, rpc->end_text);
}

static void on_end(struct ch_link *link, struct charle_rpc *rpc, const struct ch_conn_event *event)
{
    struct charle_metadata_entry trailers[CH_RPC_METADATA_COUNT_MAX];
    ch_metadata_unpack(event->status.trailers, trailers);
    struct charle_status status = {.code = event->status.code,
                                   .text = event->status.text,
                                   .details = event->status.details,
                                   .trailers = {trailers, event->status.trailers.count}};
    ch_link_unlock(link);
    tell_done(rpc, &status);
    ch_link_lock(link);
}

void ch_client_link_event(struct ch_link *link, const struct ch_conn_event *event)
{
    struct charle_rpc *rpc = (struct charle_rpc *)event->stream;
    struct charle_channel *channel = rpc->channel;
    bool is_over = event->kind != CH_CONN_MESSAGE || event->is_end;
    switch (event->kind) {
    case CH_CONN_MESSAGE:
        on_message(link, rpc, event);
        break;
    case CH_CONN_END:
        on_end(link, rpc, event);
        break;
    case CH_CONN_LATE:
        end_sent(link, rpc, CHARLE_DEADLINE_EXCEEDED, "the deadline passed before the server answered");
        break;
    case CH_CONN_OPENED:
    case CH_CONN_CALL:
    case CH_CONN_CANCEL:
    case CH_CONN_WRITABLE:
    case CH_CONN_GOAWAY:
    case CH_CONN_FAILED:
        break;
    }
    if (is_over &&
        atomic_load(&channel->waiting_count)) { // the link keeps the channel, so it is there though the call may not be
        ch_link_unlock(link);
        ch_channel_flush_waiting(channel);
        ch_link_lock(link);
    }
}

void ch_client_link_over(struct ch_link *link, bool is_closed)
{
    struct ch_conn_stream *stream;
    ch_link_lock(link);
    while ((stream = ch_conn_take_any(&link->conn)))
        end_sent(link, (struct charle_rpc *)stream, is_closed ? CHARLE_CANCELLED : CHARLE_UNAVAILABLE,
                 is_closed ? "the channel was closed" : link->conn.error.text);
    ch_link_unlock(link);
}

// --- what users do with a call ---------------------------------------------------------------------------------------

// The connection of a call that has been sent; NULL when it waits, or ended while it waited.
static struct ch_link *link_of(struct charle_rpc *rpc)
{
    pthread_mutex_lock(&rpc->channel->lock);
    struct ch_link *link = rpc->link;
    pthread_mutex_unlock(&rpc->channel->lock);
    return link;
}

void charle_rpc_consumed(struct charle_rpc *rpc, size_t size)
{
    struct ch_link *link = link_of(rpc);
    if (!link)
        return;
    ch_link_lock(link);
    if (rpc->stream.id)
        ch_conn_consumed(&link->conn, &rpc->stream, size);
    ch_link_flush(link);
}

void charle_rpc_cancel(struct charle_rpc *rpc)
{
    static const char why[] = "cancelled by the caller";
    struct charle_channel *channel = rpc->channel;
    pthread_mutex_lock(&channel->lock);
    struct ch_link *link = rpc->link;
    if (rpc->is_waiting) {
        stop_waiting(channel, rpc);
        end_later(channel, rpc, CHARLE_CANCELLED, why);
    }
    if (link) {
        ch_link_lock(link);
        bool is_live = rpc->stream.id != 0;
        if (is_live)
            ch_conn_cancel(&link->conn, &rpc->stream);
        if (is_live && rpc->is_busy) {
            rpc->is_end_due = true;
            rpc->end_code = CHARLE_CANCELLED;
            rpc->end_text = why;
        } else if (is_live) {
            end_later(channel, rpc, CHARLE_CANCELLED, why);
        }
    }
    pthread_mutex_unlock(&channel->lock);
    if (link)
        ch_link_flush(link);
    ch_channel_flush_waiting(channel);
}

void charle_rpc_release(struct charle_rpc *rpc)
{
    if (rpc)
        unref(rpc);
}
