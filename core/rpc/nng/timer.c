// Timers on nng's clock thread: one sleeping operation each, woken early when an earlier time is set. It looks at the
// clock when it wakes, since nng may wake it for no reason of ours.
#include "base/alloc.h"
#include "base/clock.h"
#include "rpc/nng/parts.h"

#include <pthread.h>

enum { US_PER_MS = 1000 };

struct timer {
    nng_aio *aio;
    void (*fn)(void *ctx);
    void *ctx;
    pthread_mutex_t lock;
    int64_t at_us;    // wanted; 0: not set
    int64_t until_us; // what the aio sleeps for
    bool is_sleeping; // from before the sleep begins until its callback has looked
    bool is_closed;
};

// The lock is held; the aio is idle.
static void sleep_on(struct timer *timer, int64_t now_us)
{
    int64_t left_ms = timer->at_us > now_us ? (timer->at_us - now_us + US_PER_MS - 1) / US_PER_MS : 0;
    timer->is_sleeping = true;
    timer->until_us = timer->at_us;
    nng_sleep_aio(left_ms < INT32_MAX ? (nng_duration)left_ms : INT32_MAX, timer->aio);
}

static void timer_woke(void *arg)
{
    struct timer *timer = arg;
    pthread_mutex_lock(&timer->lock);
    int64_t now_us = ch_clock_mono_us();
    if (timer->at_us && timer->at_us <= now_us && !timer->is_closed) {
        timer->at_us = 0;
        pthread_mutex_unlock(&timer->lock);
        timer->fn(timer->ctx);
        pthread_mutex_lock(&timer->lock);
        now_us = ch_clock_mono_us();
    }
    timer->is_sleeping = false;
    if (timer->at_us && !timer->is_closed)
        sleep_on(timer, now_us);
    pthread_mutex_unlock(&timer->lock);
}

enum charle_err ch_nng_timer_open(void (*fn)(void *ctx), void *ctx, void **out)
{
    struct timer *timer = ch_alloc_zeroed(1, sizeof(*timer));
    if (!timer)
        return CHARLE_NO_MEMORY;
    if (nng_aio_alloc(&timer->aio, timer_woke, timer)) {
        ch_free(timer);
        return CHARLE_NO_MEMORY;
    }
    pthread_mutex_init(&timer->lock, NULL);
    timer->fn = fn;
    timer->ctx = ctx;
    *out = timer;
    return CHARLE_OK;
}

void ch_nng_timer_set(void *object, int64_t at_us)
{
    struct timer *timer = object;
    pthread_mutex_lock(&timer->lock);
    timer->at_us = at_us;
    if (!timer->is_sleeping)
        sleep_on(timer, ch_clock_mono_us());
    else if (at_us < timer->until_us)
        nng_aio_abort(timer->aio, NNG_ECANCELED); // wakes it; it sleeps again until the new time
    pthread_mutex_unlock(&timer->lock);
}

void ch_nng_timer_close(void *object)
{
    struct timer *timer = object;
    pthread_mutex_lock(&timer->lock);
    timer->is_closed = true;
    pthread_mutex_unlock(&timer->lock);
    nng_aio_stop(timer->aio);
    nng_aio_free(timer->aio);
    pthread_mutex_destroy(&timer->lock);
    ch_free(timer);
}
