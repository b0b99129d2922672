#include "server/fold.h"

#include "base/alloc.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    CLEAN_MAX = 24,       // transactions that met nobody before one more may run at a time: trying costs a few that wait
    WAIT_MIN_US = 200,    // below is the round trip itself
    SLOW_POINTS = 8,      // of one slow call; a quick one takes one back
    SLOW_POINTS_MAX = 16, // from here on the method runs alone for a while
    ALONE_US = 2000000,
};

struct ch_fold {
    struct ch_fold_options options;
    pthread_mutex_t mutex; // guards what follows; the lane's lock may be taken under it
    void **items;          // ring of queue_max
    uint32_t first, count;
    uint32_t asked;           // threads that are to come
    uint32_t running;         // that count
    struct ch_fold_run *runs; // all of them
    uint32_t limit, clean;    // transactions at a time; how many met nobody since it changed
    uint64_t shared, calls;   // transactions of several items, and those items
};

enum charle_err ch_fold_new(const struct ch_fold_options *options, struct ch_fold **out, struct charle_error *err)
{
    struct ch_fold *fold = ch_alloc_zeroed(1, sizeof(*fold));
    void **items = ch_alloc_zeroed(options->queue_max, sizeof(*items));
    if (!fold || !items) {
        ch_free(fold);
        ch_free(items);
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while starting");
    }
    fold->options = *options;
    fold->items = items;
    fold->limit = options->transactions_max;
    pthread_mutex_init(&fold->mutex, NULL);
    *out = fold;
    return CHARLE_OK;
}

void ch_fold_free(struct ch_fold *fold)
{
    if (!fold)
        return;
    CHARLE_ASSERT(!fold->count && !fold->runs);
    pthread_mutex_destroy(&fold->mutex);
    ch_free(fold->items);
    ch_free(fold);
}

// --- turns, all under the lock ------------------------------------------------------------------------------------

static void stop_counting_late(struct ch_fold *fold, int64_t now_us)
{
    for (struct ch_fold_run *run = fold->runs; run; run = run->next) {
        if (!run->is_late && now_us - run->began_us > CH_FOLD_RUN_MAX_US) {
            run->is_late = true;
            fold->running--;
        }
    }
}

// False: a thread is needed, and there is none.
static bool ask_if_needed(struct ch_fold *fold, int64_t now_us)
{
    stop_counting_late(fold, now_us);
    if (fold->count <= fold->asked || fold->asked + fold->running >= fold->limit)
        return true; // what waits is taken by those that are to come, or when one of those that run is done
    bool is_coming = fold->options.ask(fold->options.ctx);
    fold->asked += is_coming;
    return is_coming || fold->asked + fold->running > 0;
}

static void remove_run(struct ch_fold *fold, struct ch_fold_run *run)
{
    struct ch_fold_run **at = &fold->runs;
    while (*at != run)
        at = &(*at)->next;
    *at = run->next;
    fold->running -= !run->is_late;
}

static void learn(struct ch_fold *fold, const struct ch_fold_report *report)
{
    if (report->count < 2)
        return;
    if (report->has_clashed || (report->waited_us > WAIT_MIN_US && report->waited_us * 4 > report->total_us)) {
        fold->limit = fold->limit > 4 ? fold->limit * 3 / 4 : fold->limit > 1 ? fold->limit - 1 : 1;
        fold->clean = 0;
    } else if (++fold->clean == CLEAN_MAX) {
        fold->limit += fold->limit < fold->options.transactions_max;
        fold->clean = 0;
    }
}

// --- the way through ------------------------------------------------------------------------------------------------

bool ch_fold_push(struct ch_fold *fold, void *item, int64_t now_us)
{
    pthread_mutex_lock(&fold->mutex);
    bool fits = fold->count < fold->options.queue_max;
    if (fits) {
        fold->items[(fold->first + fold->count) % fold->options.queue_max] = item;
        fold->count++;
        fits = ask_if_needed(fold, now_us);
        fold->count -= !fits;
    }
    pthread_mutex_unlock(&fold->mutex);
    return fits;
}

size_t ch_fold_take(struct ch_fold *fold, struct ch_fold_run *run, void *out[CH_FOLD_CALLS_MAX], int64_t now_us)
{
    size_t n = 0;
    pthread_mutex_lock(&fold->mutex);
    fold->asked -= fold->asked > 0;
    // As many transactions as may run get equal shares.
    uint32_t share = (fold->count + fold->limit - 1) / fold->limit;
    for (; n < share && n < CH_FOLD_CALLS_MAX; n++) {
        out[n] = fold->items[fold->first];
        fold->first = (fold->first + 1) % fold->options.queue_max;
        fold->count--;
    }
    if (n) {
        *run = (struct ch_fold_run){.next = fold->runs, .began_us = now_us};
        fold->runs = run;
        fold->running++;
        (void)ask_if_needed(fold, now_us); // this run is there to go on when it cannot be had
    }
    pthread_mutex_unlock(&fold->mutex);
    return n;
}

bool ch_fold_done(struct ch_fold *fold, struct ch_fold_run *run, const struct ch_fold_report *report, int64_t now_us)
{
    pthread_mutex_lock(&fold->mutex);
    remove_run(fold, run);
    learn(fold, report);
    fold->shared += report->shared;
    fold->calls += report->shared_calls;
    bool is_taken_care_of = ask_if_needed(fold, now_us);
    pthread_mutex_unlock(&fold->mutex);
    return !is_taken_care_of;
}

void ch_fold_poke(struct ch_fold *fold, int64_t now_us)
{
    pthread_mutex_lock(&fold->mutex);
    (void)ask_if_needed(fold, now_us); // if not now, then at the next poke
    pthread_mutex_unlock(&fold->mutex);
}

struct ch_fold_figures ch_fold_figures(struct ch_fold *fold)
{
    pthread_mutex_lock(&fold->mutex);
    const struct ch_fold_figures figures = {fold->count, fold->limit, fold->shared, fold->calls};
    pthread_mutex_unlock(&fold->mutex);
    return figures;
}

// --- which methods fold -----------------------------------------------------------------------------------------------

void ch_fold_note(struct ch_fold_habit *habit, enum ch_fold_manner manner, int64_t now_us)
{
    if (manner == CH_FOLD_NEVER) {
        atomic_store(&habit->alone_until_us, INT64_MAX);
    } else if (manner == CH_FOLD_QUICK) {
        int32_t points = atomic_load(&habit->slowness);
        if (points > 0) // two threads at once may take back one point together, which does not matter
            atomic_store(&habit->slowness, points - 1);
    } else if (atomic_fetch_add(&habit->slowness, SLOW_POINTS) + SLOW_POINTS >= SLOW_POINTS_MAX) {
        int64_t until_us = atomic_load(&habit->alone_until_us);
        if (until_us != INT64_MAX)
            (void)atomic_compare_exchange_strong(&habit->alone_until_us, &until_us, now_us + ALONE_US);
        atomic_store(&habit->slowness, SLOW_POINTS); // the next slow one sends it back at once
    }
}

bool ch_fold_is_open(const struct ch_fold_habit *habit, int64_t now_us)
{
    return atomic_load(&habit->alone_until_us) <= now_us;
}
