// The transport of one process: "inproc://name". Tests use it, and programs that embed a server.
//
// A connection is two ends. There is no buffer between them: a write meets the other end's read, the bytes are copied
// once, and both are done; so a reader that is slow holds its writer up as a full socket would. One thread, the hub,
// makes all callbacks, in the order in which things were done. It starts with the first object and goes with the last.
//
// The hub is the one global of the RPC layer: a name must mean the same to all of a process. All its state is under
// hub.lock. An object may be freed by its own callback, so the hub touches nothing of it afterwards; the closing
// functions that wait compare hub.running with their object.
#include "base/alloc.h"
#include "base/clock.h"
#include "rpc/stream.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum { BACKLOG_MAX = 128, US_PER_SECOND = 1000000 };

// Something that the hub's thread will call back. `run` is called with the lock held and releases it around the
// callback.
struct task {
    struct task *next;
    void (*run)(struct task *task);
    void *object; // for those who wait until it is not running
    bool is_queued;
};

struct timer {
    struct task task;
    struct timer *next; // in hub.timers, ordered by at_us
    int64_t at_us;      // 0: not set
    void (*fn)(void *ctx);
    void *ctx;
};

struct pair;
struct end {
    struct task read_task, write_task;
    struct pair *pair;
    struct end *other;
    struct end *next; // waiting to be accepted
    ch_stream_done_fn on_read, on_write;
    void *ctx;
    uint8_t *to; // NULL: no read is waiting
    size_t room;
    const uint8_t *from; // NULL: no write is waiting
    size_t size;
    enum charle_err read_rc, write_rc;
    size_t read_size, write_size;
    bool is_closed;
};
struct pair {
    struct end ends[2];
    int refs;
    char peer[CH_PEER_TEXT_SIZE];
};

struct listener {
    struct task task;
    struct listener *next;
    ch_stream_made_fn fn;
    void *ctx;
    struct end *first, *last; // connected, to be handed out
    size_t waiting;
    char name[CH_ADDRESS_SIZE];
};

struct dialer {
    struct task task;
    ch_stream_made_fn fn;
    void *ctx;
    struct end *end; // NULL: nobody listens
    char name[CH_ADDRESS_SIZE];
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake; // something to do
    pthread_cond_t idle; // a callback returned
    struct task *first, *last;
    struct timer *timers;
    struct listener *listeners;
    void *running; // the object whose callback runs
    pthread_t thread;
    size_t object_count;
    bool is_started;
} hub = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .idle = PTHREAD_COND_INITIALIZER};

// --- the hub ---------------------------------------------------------------------------------------------------------

static void queue(struct task *task)
{
    if (task->is_queued)
        return;
    task->is_queued = true;
    task->next = NULL;
    if (hub.last)
        hub.last->next = task;
    else
        hub.first = task;
    hub.last = task;
    pthread_cond_signal(&hub.wake);
}

static void unqueue(struct task *task)
{
    struct task **link = &hub.first, *before = NULL;
    while (*link && *link != task) {
        before = *link;
        link = &before->next;
    }
    if (!*link)
        return;
    *link = task->next;
    if (hub.last == task)
        hub.last = before;
    task->is_queued = false;
}

static void queue_due_timers(int64_t now_us)
{
    while (hub.timers && hub.timers->at_us <= now_us) {
        struct timer *timer = hub.timers;
        hub.timers = timer->next;
        timer->at_us = 0;
        queue(&timer->task);
    }
}

static void wait_for_work(void)
{
    if (!hub.timers) {
        pthread_cond_wait(&hub.wake, &hub.lock);
        return;
    }
    struct timespec at = {.tv_sec = hub.timers->at_us / US_PER_SECOND,
                          .tv_nsec = hub.timers->at_us % US_PER_SECOND * 1000};
    pthread_cond_clockwait(&hub.wake, &hub.lock, CLOCK_MONOTONIC, &at);
}

static void *hub_main(void *ctx)
{
    (void)ctx;
    pthread_mutex_lock(&hub.lock);
    while (hub.object_count) {
        queue_due_timers(ch_clock_mono_us());
        struct task *task = hub.first;
        if (!task) {
            wait_for_work();
            continue;
        }
        unqueue(task);
        hub.running = task->object;
        task->run(task);
        hub.running = NULL;
        pthread_cond_broadcast(&hub.idle);
    }
    hub.is_started = false;
    pthread_mutex_unlock(&hub.lock);
    return NULL;
}

// Counts one more object. Lock held.
static enum charle_err enter(void)
{
    if (!hub.is_started) {
        if (pthread_create(&hub.thread, NULL, hub_main, NULL))
            return CHARLE_NO_MEMORY;
        pthread_detach(hub.thread);
        hub.is_started = true;
    }
    hub.object_count++;
    return CHARLE_OK;
}

static void leave(void)
{
    hub.object_count--;
    pthread_cond_signal(&hub.wake);
}

static void wait_until_quiet(const void *object)
{
    while (hub.running == object)
        pthread_cond_wait(&hub.idle, &hub.lock);
}

// --- streams ---------------------------------------------------------------------------------------------------------

static void run_read(struct task *task)
{
    struct end *end = task->object;
    ch_stream_done_fn fn = end->on_read;
    void *ctx = end->ctx;
    enum charle_err rc = end->read_rc;
    size_t size = end->read_size;
    pthread_mutex_unlock(&hub.lock);
    fn(ctx, rc, size);
    pthread_mutex_lock(&hub.lock);
}

static void run_write(struct task *task)
{
    struct end *end = (struct end *)task->object;
    ch_stream_done_fn fn = end->on_write;
    void *ctx = end->ctx;
    enum charle_err rc = end->write_rc;
    size_t size = end->write_size;
    pthread_mutex_unlock(&hub.lock);
    fn(ctx, rc, size);
    pthread_mutex_lock(&hub.lock);
}

static void end_read(struct end *end, enum charle_err rc, size_t size)
{
    end->to = NULL;
    end->read_rc = rc;
    end->read_size = size;
    queue(&end->read_task);
}

static void end_write(struct end *end, enum charle_err rc, size_t size)
{
    end->from = NULL;
    end->write_rc = rc;
    end->write_size = size;
    queue(&end->write_task);
}

// Lets a waiting write meet a waiting read, or ends what can never be met.
static void settle(struct end *writer, struct end *reader)
{
    bool is_broken = writer->is_closed || reader->is_closed;
    if (writer->from && reader->to && !is_broken) {
        size_t size = writer->size < reader->room ? writer->size : reader->room;
        memcpy(reader->to, writer->from, size);
        end_read(reader, CHARLE_OK, size);
        end_write(writer, CHARLE_OK, size);
    }
    if (is_broken && writer->from)
        end_write(writer, CHARLE_CLOSED, 0);
    if (is_broken && reader->to)
        end_read(reader, CHARLE_CLOSED, 0);
}

static void stream_start(void *stream, ch_stream_done_fn on_read, ch_stream_done_fn on_write, void *ctx)
{
    struct end *end = stream;
    end->on_read = on_read;
    end->on_write = on_write;
    end->ctx = ctx;
}

static void stream_read(void *stream, uint8_t *to, size_t room)
{
    struct end *end = stream;
    pthread_mutex_lock(&hub.lock);
    end->to = to;
    end->room = room;
    settle(end->other, end);
    pthread_mutex_unlock(&hub.lock);
}

static void stream_write(void *stream, const uint8_t *from, size_t size)
{
    struct end *end = stream;
    pthread_mutex_lock(&hub.lock);
    end->from = from;
    end->size = size;
    settle(end, end->other);
    pthread_mutex_unlock(&hub.lock);
}

static void close_end(struct end *end)
{
    end->is_closed = true;
    settle(end, end->other);
    settle(end->other, end);
}

static void stream_close(void *stream)
{
    pthread_mutex_lock(&hub.lock);
    close_end(stream);
    pthread_mutex_unlock(&hub.lock);
}

static void release_end(struct end *end)
{
    close_end(end);
    struct pair *pair = end->pair;
    if (--pair->refs == 0)
        ch_free(pair);
    leave();
}

static void stream_free(void *stream)
{
    pthread_mutex_lock(&hub.lock);
    release_end(stream);
    pthread_mutex_unlock(&hub.lock);
}

static void stream_peer(void *stream, char out[CH_PEER_TEXT_SIZE])
{
    snprintf(out, CH_PEER_TEXT_SIZE, "%s", ((struct end *)stream)->pair->peer);
}

// Two connected ends, each an object of the hub. NULL when memory is exhausted. Lock held.
static struct pair *pair_new(const char *name)
{
    struct pair *pair = ch_alloc_zeroed(1, sizeof(*pair));
    if (!pair)
        return NULL;
    pair->refs = 2;
    hub.object_count += 2;
    snprintf(pair->peer, sizeof(pair->peer), "%.*s", CH_PEER_TEXT_SIZE - 1, name);
    for (int i = 0; i < 2; i++) {
        struct end *end = &pair->ends[i];
        end->pair = pair;
        end->other = &pair->ends[1 - i];
        end->read_task = (struct task){.run = run_read, .object = end};
        end->write_task = (struct task){.run = run_write, .object = end};
    }
    return pair;
}

// --- listeners -------------------------------------------------------------------------------------------------------

static struct end *take_waiting(struct listener *listener)
{
    struct end *end = listener->first;
    if (end) {
        listener->first = end->next;
        listener->waiting--;
    }
    if (!listener->first)
        listener->last = NULL;
    return end;
}

static void run_accept(struct task *task)
{
    struct listener *listener = task->object;
    struct end *end = take_waiting(listener);
    if (listener->first)
        queue(task);
    if (!end)
        return;
    ch_stream_made_fn fn = listener->fn;
    void *ctx = listener->ctx;
    pthread_mutex_unlock(&hub.lock);
    fn(ctx, CHARLE_OK, end, NULL);
    pthread_mutex_lock(&hub.lock);
}

static struct listener *find_listener(const char *name)
{
    struct listener *listener = hub.listeners;
    while (listener && strcmp(listener->name, name) != 0)
        listener = listener->next;
    return listener;
}

static enum charle_err listener_open(const char *address, const struct ch_transport_options *options,
                                     ch_stream_made_fn fn, void *ctx, void **out, char *out_address,
                                     struct charle_error *err)
{
    (void)options;
    struct listener *listener = ch_alloc_zeroed(1, sizeof(*listener));
    enum charle_err rc = listener ? CHARLE_OK : CHARLE_NO_MEMORY;
    pthread_mutex_lock(&hub.lock);
    if (!rc && find_listener(address))
        rc = CHARLE_ALREADY_EXISTS;
    if (!rc)
        rc = enter();
    if (!rc) {
        listener->task = (struct task){.run = run_accept, .object = listener};
        listener->fn = fn;
        listener->ctx = ctx;
        snprintf(listener->name, sizeof(listener->name), "%s", address);
        snprintf(out_address, CH_ADDRESS_SIZE, "%s", address);
        listener->next = hub.listeners;
        hub.listeners = listener;
        *out = listener;
    }
    pthread_mutex_unlock(&hub.lock);
    if (rc) {
        ch_free(listener);
        return charle_fail(err, rc,
                           rc == CHARLE_ALREADY_EXISTS ? "somebody listens at %s already" : "no memory to listen at %s",
                           address);
    }
    return CHARLE_OK;
}

static void listener_close(void *object)
{
    struct listener *listener = object;
    pthread_mutex_lock(&hub.lock);
    struct listener **link = &hub.listeners;
    while (*link != listener)
        link = &(*link)->next;
    *link = listener->next;
    unqueue(&listener->task);
    wait_until_quiet(listener);
    unqueue(&listener->task); // it may have queued itself again
    struct end *end;
    while ((end = take_waiting(listener)))
        release_end(end);
    leave();
    pthread_mutex_unlock(&hub.lock);
    ch_free(listener);
}

// --- dialers ---------------------------------------------------------------------------------------------------------

static void run_dial(struct task *task)
{
    struct dialer *dialer = task->object;
    struct end *end = dialer->end;
    struct charle_error err;
    dialer->end = NULL;
    ch_stream_made_fn fn = dialer->fn;
    void *ctx = dialer->ctx;
    enum charle_err rc = end ? CHARLE_OK : charle_fail(&err, CHARLE_UNAVAILABLE, "nobody listens at %s", dialer->name);
    pthread_mutex_unlock(&hub.lock);
    fn(ctx, rc, end, end ? NULL : &err);
    pthread_mutex_lock(&hub.lock);
}

static enum charle_err dialer_open(const char *address, const struct ch_transport_options *options,
                                   ch_stream_made_fn fn, void *ctx, void **out, struct charle_error *err)
{
    (void)options;
    struct dialer *dialer = ch_alloc_zeroed(1, sizeof(*dialer));
    pthread_mutex_lock(&hub.lock);
    enum charle_err rc = dialer ? enter() : CHARLE_NO_MEMORY;
    pthread_mutex_unlock(&hub.lock);
    if (rc) {
        ch_free(dialer);
        return charle_fail(err, rc, "no memory to dial %s", address);
    }
    dialer->task = (struct task){.run = run_dial, .object = dialer};
    dialer->fn = fn;
    dialer->ctx = ctx;
    snprintf(dialer->name, sizeof(dialer->name), "%s", address);
    *out = dialer;
    return CHARLE_OK;
}

static void dialer_dial(void *object)
{
    struct dialer *dialer = object;
    pthread_mutex_lock(&hub.lock);
    struct listener *listener = find_listener(dialer->name);
    struct pair *pair = listener && listener->waiting < BACKLOG_MAX ? pair_new(dialer->name) : NULL;
    if (pair) {
        dialer->end = &pair->ends[0];
        struct end *accepted = &pair->ends[1];
        if (listener->last)
            listener->last->next = accepted;
        else
            listener->first = accepted;
        listener->last = accepted;
        listener->waiting++;
        queue(&listener->task);
    }
    queue(&dialer->task);
    pthread_mutex_unlock(&hub.lock);
}

static void dialer_close(void *object)
{
    struct dialer *dialer = object;
    pthread_mutex_lock(&hub.lock);
    // A dial in flight still ends with its callback: let the hub get to it.
    while (dialer->task.is_queued || hub.running == dialer)
        pthread_cond_wait(&hub.idle, &hub.lock);
    leave();
    pthread_mutex_unlock(&hub.lock);
    ch_free(dialer);
}

// --- timers ----------------------------------------------------------------------------------------------------------

static void run_timer(struct task *task)
{
    struct timer *timer = task->object;
    void (*fn)(void *ctx) = timer->fn;
    void *ctx = timer->ctx;
    pthread_mutex_unlock(&hub.lock);
    fn(ctx);
    pthread_mutex_lock(&hub.lock);
}

static enum charle_err timer_open(void (*fn)(void *ctx), void *ctx, void **out)
{
    struct timer *timer = ch_alloc_zeroed(1, sizeof(*timer));
    if (!timer)
        return CHARLE_NO_MEMORY;
    timer->task = (struct task){.run = run_timer, .object = timer};
    timer->fn = fn;
    timer->ctx = ctx;
    pthread_mutex_lock(&hub.lock);
    enum charle_err rc = enter();
    pthread_mutex_unlock(&hub.lock);
    if (rc)
        ch_free(timer);
    else
        *out = timer;
    return rc;
}

static void remove_timer(struct timer *timer)
{
    struct timer **link = &hub.timers;
    while (*link && *link != timer)
        link = &(*link)->next;
    if (*link)
        *link = timer->next;
    timer->at_us = 0;
}

static void timer_set(void *object, int64_t at_us)
{
    struct timer *timer = object;
    pthread_mutex_lock(&hub.lock);
    remove_timer(timer);
    timer->at_us = at_us;
    struct timer **link = &hub.timers;
    while (*link && (*link)->at_us <= at_us)
        link = &(*link)->next;
    timer->next = *link;
    *link = timer;
    pthread_cond_signal(&hub.wake);
    pthread_mutex_unlock(&hub.lock);
}

static void timer_close(void *object)
{
    struct timer *timer = object;
    pthread_mutex_lock(&hub.lock);
    wait_until_quiet(timer);
    remove_timer(timer); // after waiting: the callback may have set it
    unqueue(&timer->task);
    leave();
    pthread_mutex_unlock(&hub.lock);
    ch_free(timer);
}

const struct ch_transport ch_transport_loopback = {
    .name = "loopback",
    .dialer_open = dialer_open,
    .dialer_dial = dialer_dial,
    .dialer_close = dialer_close,
    .listener_open = listener_open,
    .listener_close = listener_close,
    .stream_start = stream_start,
    .stream_read = stream_read,
    .stream_write = stream_write,
    .stream_close = stream_close,
    .stream_free = stream_free,
    .stream_peer = stream_peer,
    .timer_open = timer_open,
    .timer_set = timer_set,
    .timer_close = timer_close,
};
