#include "server/lane.h"

#include "base/alloc.h"

#include <pthread.h>
#include <stdio.h>

enum { BATCH_MAX = 256 };

struct ch_lane {
    struct ch_lane_options options;
    pthread_mutex_t mutex; // guards what follows; never held while an item runs
    pthread_cond_t arrived;
    void **items; // ring of queue_max
    uint32_t first, count;
    uint32_t busy, idle; // threads
    bool is_stopping;
    uint32_t started;
    pthread_t *threads;
};

struct start {
    struct ch_lane *lane;
    uint32_t index;
};

// Waits for work. 0: the lane is stopping and nothing is left.
static size_t take(struct ch_lane *lane, void **out, size_t max)
{
    pthread_mutex_lock(&lane->mutex);
    lane->idle++;
    while (!lane->count && !lane->is_stopping)
        pthread_cond_wait(&lane->arrived, &lane->mutex);
    lane->idle--;
    // Threads that wait get their share: one thread with a long batch must not starve the others.
    size_t share = lane->idle ? (lane->count + lane->idle) / (lane->idle + 1) : lane->count;
    size_t n = 0;
    for (; n < max && n < share && lane->count; n++) {
        out[n] = lane->items[lane->first];
        lane->first = (lane->first + 1) % lane->options.queue_max;
        lane->count--;
    }
    lane->busy += n > 0;
    pthread_mutex_unlock(&lane->mutex);
    return n;
}

static void done(struct ch_lane *lane)
{
    pthread_mutex_lock(&lane->mutex);
    lane->busy--;
    pthread_mutex_unlock(&lane->mutex);
}

static void *run_thread(void *arg)
{
    struct start start = *(struct start *)arg;
    struct ch_lane *lane = start.lane;
    const struct ch_lane_options *options = &lane->options;
    void *items[BATCH_MAX];
    size_t max = options->batch_max > BATCH_MAX ? BATCH_MAX : options->batch_max ? options->batch_max : 1;
    ch_free(arg);
    void *worker = options->open_worker ? options->open_worker(options->ctx, start.index) : NULL;
    for (size_t n; (n = take(lane, items, max)) > 0;) {
        options->run(options->ctx, worker, items, n);
        done(lane);
    }
    if (options->close_worker)
        options->close_worker(options->ctx, worker);
    return NULL;
}

static enum charle_err start_threads(struct ch_lane *lane, struct charle_error *err)
{
    for (uint32_t i = 0; i < lane->options.thread_count; i++) {
        struct start *start = ch_alloc(sizeof(*start));
        char name[16];
        if (!start)
            return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while starting threads");
        *start = (struct start){lane, i};
        if (pthread_create(&lane->threads[i], NULL, run_thread, start) != 0) {
            ch_free(start);
            return charle_fail(err, CHARLE_NO_MEMORY, "cannot start another thread: raise the limit of processes");
        }
        snprintf(name, sizeof(name), "%.11s-%u", lane->options.name, i % 1000);
        pthread_setname_np(lane->threads[i], name);
        lane->started++;
    }
    return CHARLE_OK;
}

enum charle_err ch_lane_start(const struct ch_lane_options *options, struct ch_lane **out, struct charle_error *err)
{
    struct ch_lane *lane = ch_alloc_zeroed(1, sizeof(*lane));
    if (!lane)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while starting threads");
    lane->options = *options;
    pthread_mutex_init(&lane->mutex, NULL);
    pthread_cond_init(&lane->arrived, NULL);
    lane->items = ch_alloc_zeroed(options->queue_max, sizeof(*lane->items));
    lane->threads = ch_alloc_zeroed(options->thread_count, sizeof(*lane->threads));
    enum charle_err rc = lane->items && lane->threads
                             ? start_threads(lane, err)
                             : charle_fail(err, CHARLE_NO_MEMORY, "out of memory while starting threads");
    if (rc) {
        ch_lane_stop(lane);
        return rc;
    }
    *out = lane;
    return CHARLE_OK;
}

bool ch_lane_push(struct ch_lane *lane, void *item)
{
    pthread_mutex_lock(&lane->mutex);
    bool fits = !lane->is_stopping && lane->count < lane->options.queue_max;
    if (fits) {
        lane->items[(lane->first + lane->count) % lane->options.queue_max] = item;
        lane->count++;
    }
    bool must_wake = fits && lane->idle;
    pthread_mutex_unlock(&lane->mutex);
    if (must_wake)
        pthread_cond_signal(&lane->arrived);
    return fits;
}

void ch_lane_stop(struct ch_lane *lane)
{
    if (!lane)
        return;
    pthread_mutex_lock(&lane->mutex);
    lane->is_stopping = true;
    pthread_cond_broadcast(&lane->arrived);
    pthread_mutex_unlock(&lane->mutex);
    for (uint32_t i = 0; i < lane->started; i++)
        pthread_join(lane->threads[i], NULL);
    pthread_cond_destroy(&lane->arrived);
    pthread_mutex_destroy(&lane->mutex);
    ch_free(lane->threads);
    ch_free(lane->items);
    ch_free(lane);
}

uint32_t ch_lane_busy(struct ch_lane *lane)
{
    pthread_mutex_lock(&lane->mutex);
    uint32_t busy = lane->busy;
    pthread_mutex_unlock(&lane->mutex);
    return busy;
}

uint32_t ch_lane_waiting(struct ch_lane *lane)
{
    pthread_mutex_lock(&lane->mutex);
    uint32_t count = lane->count;
    pthread_mutex_unlock(&lane->mutex);
    return count;
}
