// A listener that still exists may no longer be reachable: nng 1.5.2's ipc sockets have stopped accepting after a rude
// client, and the socket's file can be removed by somebody who cleans up. The watchdog dials its own address again and
// again, says HELLO as a client does, and waits for the answer. After two attempts without one, the listener is opened
// again.
//
//   timer ──► dial ──► HELLO sent ──► OPENED: well, close
//     │         └ refused: one failure          └ next timer comes first: one failure, close
#include "base/alloc.h"
#include "base/clock.h"
#include "rpc/server.h"

enum { US_PER_MS = 1000, FAILURES_MAX = 2 };

struct probe_link {
    struct ch_link link; // first
    struct ch_watchdog *watchdog;
};

struct ch_watchdog {
    pthread_mutex_t lock;
    pthread_cond_t quiet;
    const struct ch_transport *transport;
    void *listener, *dialer, *timer;
    int64_t interval_us;
    // under the lock
    struct ch_link *link; // of the attempt in progress; held by the list of one that this pointer is
    bool is_dialing, is_closed;
    int failures;
    size_t open, alive; // links that may still call back, and that still have memory
};

static struct ch_watchdog *watchdog_of(struct ch_link *link)
{
    return ((struct probe_link *)link)->watchdog;
}

// Counts an attempt that got no answer. The lock is held; returns whether the listener must be opened again.
static bool count_failure(struct ch_watchdog *watchdog)
{
    if (++watchdog->failures < FAILURES_MAX)
        return false;
    watchdog->failures = 0;
    return true;
}

static void on_event(struct ch_link *link, const struct ch_conn_event *event)
{
    struct ch_watchdog *watchdog = watchdog_of(link);
    if (event->kind != CH_CONN_OPENED)
        return;
    ch_link_unlock(link);
    pthread_mutex_lock(&watchdog->lock);
    watchdog->failures = 0;
    if (watchdog->link == link)
        watchdog->link = NULL;
    pthread_mutex_unlock(&watchdog->lock);
    ch_link_lock(link);
    link->is_shut_when_sent = true;
}

static void on_over(struct ch_link *link)
{
    (void)link; // no calls were made; what it means is decided by the timer
}

static void on_drained(struct ch_link *link)
{
    (void)link;
}

static void on_due(struct ch_link *link, int64_t at_us)
{
    (void)link, (void)at_us; // the watchdog's own timer is all the patience a probe gets
}

static void on_closed(struct ch_link *link)
{
    struct ch_watchdog *watchdog = watchdog_of(link);
    pthread_mutex_lock(&watchdog->lock);
    watchdog->open--;
    pthread_cond_broadcast(&watchdog->quiet);
    pthread_mutex_unlock(&watchdog->lock);
}

static void on_freed(struct ch_link *link)
{
    struct ch_watchdog *watchdog = watchdog_of(link);
    pthread_mutex_lock(&watchdog->lock);
    if (watchdog->link == link)
        watchdog->link = NULL;
    pthread_mutex_unlock(&watchdog->lock);
    ch_link_deinit(link);
    ch_free(link);
    pthread_mutex_lock(&watchdog->lock);
    watchdog->alive--;
    pthread_cond_broadcast(&watchdog->quiet);
    pthread_mutex_unlock(&watchdog->lock);
}

static const struct ch_link_owner link_owner = {on_event, on_over, on_drained, on_due, on_closed, on_freed};

static struct ch_link *link_new(struct ch_watchdog *watchdog, void *stream)
{
    static const struct ch_conn_options options = {
        .role = CH_CONN_CLIENT, .message_size_max = 1, .calls_max = 1, .heartbeat_ms = 60000};
    struct probe_link *made = ch_alloc_zeroed(1, sizeof(*made));
    if (!made || ch_link_init(&made->link, &link_owner, watchdog->transport, stream, &options)) {
        ch_free(made);
        return NULL;
    }
    made->watchdog = watchdog;
    return &made->link;
}

static void on_dialed(void *ctx, enum charle_err rc, void *stream, const struct charle_error *err)
{
    struct ch_watchdog *watchdog = ctx;
    (void)err;
    struct ch_link *link = rc ? NULL : link_new(watchdog, stream);
    pthread_mutex_lock(&watchdog->lock);
    watchdog->is_dialing = false;
    bool must_reopen = rc && !watchdog->is_closed && count_failure(watchdog);
    bool is_wanted = link && !watchdog->is_closed;
    if (is_wanted) {
        watchdog->link = link;
        watchdog->open++;
        watchdog->alive++;
        ch_link_hold(link);
    }
    pthread_mutex_unlock(&watchdog->lock);
    if (must_reopen)
        watchdog->transport->listener_reopen(watchdog->listener);
    if (is_wanted) {
        ch_link_start(link);
        ch_link_release(link);
        return;
    }
    if (link) {
        ch_link_deinit(link);
        ch_free(link);
    }
    if (!rc)
        watchdog->transport->stream_free(stream);
}

// Takes the attempt in progress, held; NULL when there is none. The lock is held.
static struct ch_link *take_attempt(struct ch_watchdog *watchdog)
{
    struct ch_link *link = watchdog->link;
    watchdog->link = NULL;
    return link && ch_link_try_hold(link) ? link : NULL;
}

static void on_timer(void *ctx)
{
    struct ch_watchdog *watchdog = ctx;
    pthread_mutex_lock(&watchdog->lock);
    bool is_unanswered = watchdog->link != NULL;
    struct ch_link *link = take_attempt(watchdog);
    bool must_reopen = is_unanswered && !watchdog->is_closed && count_failure(watchdog);
    bool must_dial = !watchdog->is_dialing && !watchdog->is_closed;
    watchdog->is_dialing |= must_dial;
    pthread_mutex_unlock(&watchdog->lock);
    if (link) {
        ch_link_lock(link);
        ch_link_shut(link);
        ch_link_release(link);
    }
    if (must_reopen)
        watchdog->transport->listener_reopen(watchdog->listener);
    if (must_dial)
        watchdog->transport->dialer_dial(watchdog->dialer);
    watchdog->transport->timer_set(watchdog->timer, ch_clock_mono_us() + watchdog->interval_us);
}

static void watchdog_free(struct ch_watchdog *watchdog)
{
    pthread_cond_destroy(&watchdog->quiet);
    pthread_mutex_destroy(&watchdog->lock);
    ch_free(watchdog);
}

enum charle_err ch_watchdog_open(const struct ch_transport *transport, const char *address, void *listener,
                                 uint32_t interval_ms, struct ch_watchdog **out, struct charle_error *err)
{
    static const struct ch_transport_options options = {.connect_timeout_ms = 1000};
    struct ch_watchdog *watchdog = ch_alloc_zeroed(1, sizeof(*watchdog));
    if (!watchdog)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory to watch over %s", address);
    pthread_mutex_init(&watchdog->lock, NULL);
    pthread_cond_init(&watchdog->quiet, NULL);
    watchdog->transport = transport;
    watchdog->listener = listener;
    watchdog->interval_us = (int64_t)interval_ms * US_PER_MS;
    enum charle_err rc = transport->timer_open(on_timer, watchdog, &watchdog->timer);
    if (rc)
        charle_fail(err, rc, "no memory to watch over %s", address);
    else
        rc = transport->dialer_open(address, &options, on_dialed, watchdog, &watchdog->dialer, err);
    if (rc) {
        if (watchdog->timer)
            transport->timer_close(watchdog->timer);
        watchdog_free(watchdog);
        return rc;
    }
    transport->timer_set(watchdog->timer, ch_clock_mono_us() + watchdog->interval_us);
    *out = watchdog;
    return CHARLE_OK;
}

void ch_watchdog_close(struct ch_watchdog *watchdog)
{
    if (!watchdog)
        return;
    pthread_mutex_lock(&watchdog->lock);
    watchdog->is_closed = true;
    pthread_mutex_unlock(&watchdog->lock);
    watchdog->transport->timer_close(watchdog->timer);
    watchdog->transport->dialer_close(watchdog->dialer);
    pthread_mutex_lock(&watchdog->lock);
    struct ch_link *link = take_attempt(watchdog);
    pthread_mutex_unlock(&watchdog->lock);
    if (link) {
        ch_link_lock(link);
        ch_link_shut(link);
        ch_link_release(link);
    }
    pthread_mutex_lock(&watchdog->lock);
    while (watchdog->open || watchdog->alive)
        pthread_cond_wait(&watchdog->quiet, &watchdog->lock);
    pthread_mutex_unlock(&watchdog->lock);
    watchdog_free(watchdog);
}
