#include "rpc/link.h"

#include "base/clock.h"
#include "base/limits.h"

static void on_read(void *ctx, enum charle_err rc, size_t size);
static void on_write(void *ctx, enum charle_err rc, size_t size);

// --- life ------------------------------------------------------------------------------------------------------------

enum charle_err ch_link_init(struct ch_link *link, const struct ch_link_owner *owner,
                             const struct ch_transport *transport, void *stream, const struct ch_conn_options *options)
{
    if (pthread_mutex_init(&link->lock, NULL))
        return CHARLE_NO_MEMORY;
    link->owner = owner;
    link->transport = transport;
    link->stream = stream;
    atomic_init(&link->ops, 1);
    atomic_init(&link->refs, 1);
    ch_conn_init(&link->conn, options, ch_clock_mono_us());
    atomic_init(&link->due_us, INT64_MAX);
    transport->stream_start(stream, on_read, on_write, link);
    return CHARLE_OK;
}

void ch_link_deinit(struct ch_link *link)
{
    ch_conn_deinit(&link->conn);
    charle_buf_deinit(&link->sending);
    pthread_mutex_destroy(&link->lock);
}

void ch_link_release(struct ch_link *link)
{
    if (atomic_fetch_sub(&link->refs, 1) == 1)
        link->owner->freed(link);
}

static void hold_op(struct ch_link *link)
{
    atomic_fetch_add_explicit(&link->ops, 1, memory_order_relaxed);
}

static void release_op(struct ch_link *link)
{
    if (atomic_fetch_sub(&link->ops, 1) != 1)
        return;
    link->transport->stream_free(link->stream);
    link->owner->closed(link);
    ch_link_release(link);
}

// --- operations ------------------------------------------------------------------------------------------------------

// What to do after the lock is released. Operations are begun without it: they may make a system call.
struct work {
    bool is_read, is_write, is_close, is_due;
    uint8_t *to;
    size_t room;
    int64_t due_us;
};

// Takes what is queued for sending, if this is the moment.
static void plan_write(struct ch_link *link, struct work *work)
{
    if (ch_conn_pending(&link->conn) >= CH_RPC_WRITE_HIGH)
        link->is_strained = true;
    bool is_held_back = link->is_corked && pthread_equal(link->corker, pthread_self());
    if (link->is_sending || link->is_shut || is_held_back || !ch_conn_take_out(&link->conn, &link->sending))
        return;
    link->is_sending = true;
    hold_op(link);
    work->is_write = true;
}

// Closes the stream. A read in flight, or one begun now, brings the news to on_read.
static void plan_close(struct ch_link *link, struct work *work)
{
    if (link->is_shut)
        return;
    link->is_shut = true;
    work->is_close = true;
    if (!link->is_reading) {
        static uint8_t nowhere; // the stream is closed before: nothing is ever read into it
        link->is_reading = true;
        hold_op(link);
        work->is_read = true;
        work->to = &nowhere;
        work->room = 1;
    }
}

static void plan_read(struct ch_link *link, struct work *work, int64_t now_us)
{
    bool is_server = link->conn.options.role == CH_CONN_SERVER;
    if (is_server && !link->is_shut && ch_conn_pending(&link->conn) >= CH_RPC_WRITE_HIGH)
        link->conn.is_paused = true;
    if (link->is_reading || link->conn.is_paused)
        return;
    work->to = ch_conn_read_space(&link->conn, now_us, &work->room);
    if (!work->to) {
        ch_conn_abandon(&link->conn, "out of memory for a read buffer");
        plan_close(link, work);
        return;
    }
    link->is_reading = true;
    hold_op(link);
    work->is_read = true;
}

static void plan_due(struct ch_link *link, struct work *work)
{
    int64_t due_us = link->is_shut ? INT64_MAX : ch_conn_tick_due(&link->conn);
    int64_t before_us = atomic_exchange(&link->due_us, due_us);
    work->is_due = due_us < before_us;
    work->due_us = due_us;
}

// Releases the lock and begins what was planned. The memory of `sending` is not touched by others while a write is
// planned or in flight. The stream is held meanwhile: an operation may end before the function that began it has
// returned.
static void unlock_and_work(struct ch_link *link, struct work *work)
{
    if (ch_conn_is_broken(&link->conn)) {
        ch_conn_abandon(&link->conn, "out of memory for the write buffer, or the peer let too much pile up");
        plan_close(link, work);
    } else if (link->is_shut_when_sent && !link->is_sending && ch_conn_pending(&link->conn) == 0) {
        plan_close(link, work);
    }
    plan_due(link, work);
    const uint8_t *from = work->is_write ? link->sending.data + link->sent : NULL;
    size_t size = work->is_write ? link->sending.size - link->sent : 0;
    bool is_any = work->is_write || work->is_close || work->is_read;
    if (is_any)
        hold_op(link);
    ch_link_unlock(link);
    if (work->is_write)
        link->transport->stream_write(link->stream, from, size);
    if (work->is_close)
        link->transport->stream_close(link->stream);
    if (work->is_read)
        link->transport->stream_read(link->stream, work->to, work->room);
    if (is_any)
        release_op(link);
    if (work->is_due)
        link->owner->due(link, work->due_us);
}

void ch_link_flush(struct ch_link *link)
{
    struct work work = {0};
    plan_write(link, &work);
    unlock_and_work(link, &work);
}

void ch_link_start(struct ch_link *link)
{
    struct work work = {0};
    ch_link_lock(link);
    plan_write(link, &work);
    plan_read(link, &work, ch_clock_mono_us());
    unlock_and_work(link, &work);
}

void ch_link_shut(struct ch_link *link)
{
    struct work work = {0};
    plan_close(link, &work);
    unlock_and_work(link, &work);
}

void ch_link_shut_when_sent(struct ch_link *link)
{
    link->is_shut_when_sent = true;
    ch_link_flush(link);
}

// --- events ----------------------------------------------------------------------------------------------------------

// Tells the owner once that the connection is over. The lock is held; it is released meanwhile.
static void tell_over(struct ch_link *link)
{
    if (link->is_over)
        return;
    link->is_over = true;
    ch_link_unlock(link);
    link->owner->over(link);
    ch_link_lock(link);
}

static void handle(struct ch_link *link, const struct ch_conn_event *event)
{
    if (event->kind == CH_CONN_FAILED)
        tell_over(link);
    else if (!link->is_over)
        link->owner->event(link, event);
}

// The lock is held. Afterwards writes may begin and the reader may go on.
static void relax(struct ch_link *link, struct work *work)
{
    if (ch_conn_pending(&link->conn) >= CH_RPC_WRITE_LOW)
        return;
    if (link->conn.is_paused) {
        int64_t now_us = ch_clock_mono_us();
        link->conn.is_paused = false;
        if (link->conn.frame_since_us)
            link->conn.frame_since_us = now_us; // it was we who did not read on
        plan_read(link, work, now_us);
    }
    if (link->is_strained && !link->is_over) {
        link->is_strained = false;
        link->owner->drained(link);
    }
}

static void on_write(void *ctx, enum charle_err rc, size_t size)
{
    struct ch_link *link = ctx;
    struct work work = {0};
    ch_link_lock(link);
    link->is_sending = false;
    if (rc) {
        plan_close(link, &work);
    } else {
        ch_conn_wrote(&link->conn, size, ch_clock_mono_us());
        link->sent += size;
        if (link->sent < link->sending.size && !link->is_shut) { // the kernel took a part
            link->is_sending = true;
            hold_op(link);
            work.is_write = true;
        } else {
            charle_buf_reset(&link->sending);
            link->sent = 0;
            relax(link, &work);
            plan_write(link, &work);
        }
    }
    unlock_and_work(link, &work);
    release_op(link);
}

// The stream is closed, by whomever.
static void finish(struct ch_link *link)
{
    ch_conn_abandon(&link->conn, "the connection was lost");
    link->is_shut = true;
    tell_over(link);
    ch_link_unlock(link);
    link->transport->stream_close(link->stream);
    release_op(link); // the open stream
}

static void on_read(void *ctx, enum charle_err rc, size_t size)
{
    struct ch_link *link = ctx;
    struct ch_conn_event event;
    struct work work = {0};
    ch_link_lock(link);
    if (rc) {
        finish(link);
        release_op(link);
        return;
    }
    int64_t now_us = ch_clock_mono_us();
    ch_conn_read_done(&link->conn, size, now_us);
    link->is_corked = true;
    link->corker = pthread_self();
    while (ch_conn_next(&link->conn, now_us, &event) == CHARLE_OK)
        handle(link, &event);
    link->is_corked = false;
    link->is_reading = false; // until here nobody else may begin a read: the batch points into the buffer
    plan_write(link, &work);
    plan_read(link, &work, now_us);
    unlock_and_work(link, &work);
    release_op(link);
}

void ch_link_tick(struct ch_link *link, int64_t now_us)
{
    struct ch_conn_event event;
    struct work work = {0};
    ch_link_lock(link);
    while (ch_conn_tick(&link->conn, now_us, &event) == CHARLE_OK)
        handle(link, &event);
    bool is_quiet = link->conn.streams.count == 0 && !link->is_sending && ch_conn_pending(&link->conn) == 0;
    if (is_quiet) {
        ch_conn_shrink(&link->conn);
        charle_buf_deinit(&link->sending);
    }
    if (link->conn.state == CH_CONN_CLOSING && now_us >= link->conn.check_us)
        plan_close(link, &work);
    plan_write(link, &work);
    unlock_and_work(link, &work);
}

// --- lists -----------------------------------------------------------------------------------------------------------

void ch_link_list_add(struct ch_link_list *list, struct ch_link *link)
{
    link->prev = NULL;
    link->next = list->first;
    if (list->first)
        list->first->prev = link;
    list->first = link;
    list->count++;
    list->open++;
}

void ch_link_list_remove(struct ch_link_list *list, struct ch_link *link)
{
    if (link->prev)
        link->prev->next = link->next;
    else
        list->first = link->next;
    if (link->next)
        link->next->prev = link->prev;
    list->count--;
}

bool ch_link_try_hold(struct ch_link *link)
{
    int refs = atomic_load(&link->refs);
    while (refs > 0) {
        if (atomic_compare_exchange_weak(&link->refs, &refs, refs + 1))
            return true;
    }
    return false;
}

static struct ch_link *hold_from(struct ch_link *link)
{
    while (link && !ch_link_try_hold(link))
        link = link->next;
    return link;
}

struct ch_link *ch_link_list_first(struct ch_link_list *list, pthread_mutex_t *lock)
{
    pthread_mutex_lock(lock);
    struct ch_link *link = hold_from(list->first);
    pthread_mutex_unlock(lock);
    return link;
}

struct ch_link *ch_link_list_next(struct ch_link *link, pthread_mutex_t *lock)
{
    pthread_mutex_lock(lock);
    struct ch_link *next = hold_from(link->next);
    pthread_mutex_unlock(lock);
    ch_link_release(link);
    return next;
}

int64_t ch_link_list_tick(struct ch_link_list *list, pthread_mutex_t *lock, int64_t now_us)
{
    int64_t next_us = INT64_MAX;
    for (struct ch_link *link = ch_link_list_first(list, lock); link; link = ch_link_list_next(link, lock)) {
        if (atomic_load(&link->due_us) <= now_us)
            ch_link_tick(link, now_us);
        int64_t due_us = atomic_load(&link->due_us);
        next_us = due_us < next_us ? due_us : next_us;
    }
    return next_us;
}
