#include "server/bulk.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "server/pace.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

static const int64_t shared_us = 1000000; // so long after a call of somebody else the next one is expected: people pause between two clicks
static const int64_t part_us = 4000;     // what a part should take: as long as another call may wait, above what a commit costs

enum {
    PART_FIRST = 100, // calls
    PART_MIN = 25,    // a commit for fewer costs more than they do
};

struct ch_bulk {
    atomic_llong noted_us; // when a call of somebody else came in
    atomic_bool is_stopping;
    pthread_mutex_t mutex; // guards what follows
    pthread_cond_t moved;
    uint64_t next, serving; // tickets
    int64_t free_at_us;     // the rest behind the last part ends
    size_t size;            // calls of the next part
    struct ch_pace pace;
};

struct ch_bulk *ch_bulk_new(void)
{
    struct ch_bulk *bulk = ch_alloc_zeroed(1, sizeof(*bulk));
    if (!bulk)
        return NULL;
    atomic_store(&bulk->noted_us, -shared_us);
    bulk->size = PART_FIRST;
    ch_pace_init(&bulk->pace);
    pthread_mutex_init(&bulk->mutex, NULL);
    pthread_cond_init(&bulk->moved, NULL);
    return bulk;
}

void ch_bulk_free(struct ch_bulk *bulk)
{
    if (!bulk)
        return;
    pthread_cond_destroy(&bulk->moved);
    pthread_mutex_destroy(&bulk->mutex);
    ch_free(bulk);
}

void ch_bulk_note(struct ch_bulk *bulk, int64_t now_us)
{
    atomic_store_explicit(&bulk->noted_us, now_us, memory_order_relaxed);
}

// A sample that meets somebody else's look at the figures is left out.
void ch_bulk_took(struct ch_bulk *bulk, int64_t began_us, int64_t ended_us)
{
    if (pthread_mutex_trylock(&bulk->mutex))
        return;
    ch_pace_call(&bulk->pace, began_us, ended_us);
    pthread_mutex_unlock(&bulk->mutex);
}

void ch_bulk_stop(struct ch_bulk *bulk)
{
    atomic_store(&bulk->is_stopping, true);
}

static bool is_shared(struct ch_bulk *bulk)
{
    return !atomic_load(&bulk->is_stopping) && ch_clock_mono_us() - atomic_load(&bulk->noted_us) < shared_us;
}

// --- turns --------------------------------------------------------------------------------------------------------------

// Waits until all that came before have had their turn, and for the rest behind the last one. Returns how many calls the part may have.
static size_t begin_turn(struct ch_bulk *bulk)
{
    pthread_mutex_lock(&bulk->mutex);
    uint64_t ticket = bulk->next++;
    while (bulk->serving != ticket)
        pthread_cond_wait(&bulk->moved, &bulk->mutex);
    int64_t wait_us = bulk->free_at_us - ch_clock_mono_us();
    pthread_mutex_unlock(&bulk->mutex);
    if (wait_us > 0 && is_shared(bulk))
        nanosleep(&(struct timespec){.tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000}, NULL);
    pthread_mutex_lock(&bulk->mutex);
    size_t size = bulk->size;
    ch_pace_begin(&bulk->pace, ch_clock_mono_us());
    pthread_mutex_unlock(&bulk->mutex);
    return size;
}

// The next part aims at part_us. It grows at most twofold, and not by what a small end of a push took.
static size_t next_size(size_t size, size_t count, int64_t took_us)
{
    size_t fits = (size_t)((int64_t)count * part_us / (took_us > 1 ? took_us : 1)), most = count < PART_MIN ? size : count * 2;
    if (most < size)
        most = size;
    fits = fits < most ? fits : most;
    return fits > PART_MIN ? fits : PART_MIN;
}

static void end_turn(struct ch_bulk *bulk, size_t count)
{
    pthread_mutex_lock(&bulk->mutex);
    int64_t now_us = ch_clock_mono_us();
    bulk->size = next_size(bulk->size, count, now_us - bulk->pace.part_began_us);
    bulk->free_at_us = now_us + ch_pace_end(&bulk->pace, (int64_t)count, now_us);
    bulk->serving++;
    pthread_cond_broadcast(&bulk->moved);
    pthread_mutex_unlock(&bulk->mutex);
}

// --- parts --------------------------------------------------------------------------------------------------------------

struct parts {
    struct ch_bulk *bulk;
    const struct charle_push_request *request;
    ch_bulk_run run;
    void *ctx;
    struct charle_arena *arena;
    size_t done; // calls
};

static struct charle_push_request take_part(const struct parts *parts, size_t count)
{
    struct charle_push_request part = *parts->request;
    part.call.items = (const void *const *)part.call.items + parts->done;
    part.call.count = count;
    return part;
}

static enum charle_err run_part(struct parts *parts, struct charle_push_reply *out, struct charle_error *err)
{
    size_t left = parts->request->call.count - parts->done;
    bool shared = is_shared(parts->bulk);
    size_t size = shared ? begin_turn(parts->bulk) : left, count = size < left ? size : left;
    const struct charle_push_request part = take_part(parts, count);
    enum charle_err rc = parts->run(parts->ctx, &part, out, err);
    if (shared)
        end_turn(parts->bulk, count);
    return rc;
}

// The stamps of a later part are the newer ones; those of scopes that it did not touch stay.
static enum charle_err join_made(struct charle_arena *arena, const struct charle_array *earlier, struct charle_array *later, struct charle_error *err)
{
    const struct charle_cursor *const *old = earlier->items, *const *new = later->items;
    const struct charle_cursor **list = charle_arena_array(arena, earlier->count + later->count, sizeof(*list));
    size_t count = 0;
    if (!list)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the stamps of a push");
    for (size_t i = 0; i < later->count; i++)
        list[count++] = new[i];
    for (size_t i = 0; i < earlier->count; i++) {
        size_t at = 0;
        while (at < later->count && !charle_str_equal(new[at]->scope, old[i]->scope))
            at++;
        if (at == later->count)
            list[count++] = old[i];
    }
    *later = (struct charle_array){.items = list, .count = count, .has = true};
    return CHARLE_OK;
}

enum charle_err ch_bulk_push(struct ch_bulk *bulk, const struct charle_push_request *request, int64_t until_us, ch_bulk_run run, void *ctx,
                             struct charle_arena *arena, struct charle_push_reply *out, struct charle_error *err)
{
    struct parts parts = {bulk, request, run, ctx, arena, 0};
    const void **verdicts = NULL;
    enum charle_err rc = run_part(&parts, out, err);
    if (rc || out->verdict.count >= request->call.count)
        return rc;
    verdicts = charle_arena_array(arena, request->call.count, sizeof(*verdicts));
    if (!verdicts)
        return CHARLE_OK; // what was run is an answer too
    memcpy(verdicts, out->verdict.items, out->verdict.count * sizeof(*verdicts));
    parts.done = out->verdict.count;
    while (parts.done < request->call.count && ch_clock_mono_us() < until_us) {
        struct charle_push_reply reply = {0};
        struct charle_error why = {0};
        // The failure is found again when the rest comes again.
        if (run_part(&parts, &reply, &why) || !reply.verdict.count || join_made(arena, &out->made, &reply.made, &why))
            break;
        memcpy(verdicts + parts.done, reply.verdict.items, reply.verdict.count * sizeof(*verdicts));
        parts.done += reply.verdict.count;
        *out = reply;
    }
    out->verdict = (struct charle_array){.items = verdicts, .count = parts.done, .has = true};
    return CHARLE_OK;
}
