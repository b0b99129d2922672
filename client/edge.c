#include "client/edge.h"

#include "base/alloc.h"
#include "client/core_parts.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

enum { SUSPEND_LOOK_US = 1000000, SUSPEND_JUMP_US = 2000000 };

// One RPC of the core. Freed by the thread when the call's last event has come; a cancelled one stays until then, out of the core's sight.
struct ch_edge_call {
    struct ch_edge *edge;
    struct ch_edge_call *next;
    uint64_t id;
    struct charle_rpc *rpc; // NULL: it could not be started
    bool is_cancelled;
};

struct ch_edge_event {
    struct ch_edge_event *next;
    struct ch_edge_call *call;
    bool is_done;
    enum charle_err code;
    size_t size;
    uint8_t bytes[]; // a message, or the words of the end
};

// --- the queue ----------------------------------------------------------------------------------------------------------

static void push_event(struct ch_edge *edge, struct ch_edge_event *event)
{
    pthread_mutex_lock(&edge->mutex);
    if (edge->last)
        edge->last->next = event;
    else
        edge->first = event;
    edge->last = event;
    pthread_cond_signal(&edge->wake);
    pthread_mutex_unlock(&edge->mutex);
}

static struct ch_edge_event *new_event(struct ch_edge_call *call, struct charle_bytes bytes)
{
    struct ch_edge_event *event = ch_alloc(sizeof(*event) + bytes.len);
    if (!event)
        return NULL;
    *event = (struct ch_edge_event){.call = call, .size = bytes.len};
    if (bytes.len)
        memcpy(event->bytes, bytes.ptr, bytes.len);
    return event;
}

static void on_message(void *ctx, struct charle_rpc *rpc, struct charle_bytes message)
{
    struct ch_edge_call *call = ctx;
    atomic_fetch_add(&call->edge->bytes_received, message.len);
    struct ch_edge_event *event = new_event(call, message);
    if (event)
        push_event(call->edge, event);
    else
        charle_rpc_cancel(rpc); // a lost message must not pass for a whole stream
}

static void on_done(void *ctx, struct charle_rpc *rpc, const struct charle_status *status)
{
    struct ch_edge_call *call = ctx;
    struct charle_bytes words = charle_bytes(status->text.ptr, status->text.len);
    (void)rpc;
    struct ch_edge_event *event = new_event(call, words);
    // The end of a call must reach the core: without memory for its words it goes without them.
    while (!event)
        event = new_event(call, (struct charle_bytes){0});
    event->is_done = true;
    event->code = status->code;
    push_event(call->edge, event);
}

static void on_watch(void *ctx, bool is_connected)
{
    struct ch_edge *edge = ctx;
    pthread_mutex_lock(&edge->mutex);
    edge->connection_moved = true;
    edge->is_connected = is_connected;
    pthread_cond_signal(&edge->wake);
    pthread_mutex_unlock(&edge->mutex);
}

// --- the env ------------------------------------------------------------------------------------------------------------

static int64_t now_mono(void *ctx)
{
    (void)ctx;
    return ch_clock_mono_us();
}

static int64_t now_wall(void *ctx)
{
    (void)ctx;
    return ch_clock_wall().us;
}

static void random_bytes(void *ctx, void *out, size_t size)
{
    (void)ctx;
    randombytes_buf(out, size);
}

static void fail_call(struct ch_edge_call *call, const struct charle_error *err)
{
    const struct charle_status status = {.code = err->code, .text = charle_str(err->text)};
    on_done(call, NULL, &status);
}

static void call_start(void *ctx, uint64_t id, struct charle_str method, struct charle_bytes request, uint32_t timeout_ms)
{
    struct ch_edge *edge = ctx;
    struct charle_error err = {0};
    struct ch_edge_call *call = ch_alloc_zeroed(1, sizeof(*call));
    while (!call) // there is nobody to tell that this call ended; memory comes back when events are dealt with elsewhere
        call = ch_alloc_zeroed(1, sizeof(*call));
    *call = (struct ch_edge_call){.edge = edge, .next = edge->calls, .id = id};
    edge->calls = call;
    const struct charle_call_options options = {.timeout_ms = timeout_ms ? timeout_ms : UINT32_MAX, .fail_fast = true};
    const struct charle_rpc_events events = {.message = on_message, .done = on_done, .ctx = call};
    atomic_fetch_add(&edge->bytes_sent, request.len);
    if (!edge->channel)
        charle_fail(&err, CHARLE_UNAVAILABLE, "no server was named");
    else if (charle_rpc_start(edge->channel, method, request, &options, &events, &call->rpc, &err) == CHARLE_OK)
        return;
    call->rpc = NULL;
    fail_call(call, &err);
}

static struct ch_edge_call *find_call(struct ch_edge *edge, uint64_t id)
{
    struct ch_edge_call *call = edge->calls;
    while (call && (call->id != id || call->is_cancelled))
        call = call->next;
    return call;
}

static void call_cancel(void *ctx, uint64_t id)
{
    struct ch_edge_call *call = find_call(ctx, id);
    if (!call)
        return;
    call->is_cancelled = true;
    if (call->rpc)
        charle_rpc_cancel(call->rpc);
}

static void call_consumed(void *ctx, uint64_t id, size_t size)
{
    struct ch_edge_call *call = find_call(ctx, id);
    if (call && call->rpc)
        charle_rpc_consumed(call->rpc, size);
}

static void timer_set(void *ctx, int64_t mono_us)
{
    ((struct ch_edge *)ctx)->timer_at_us = mono_us;
}

static bool lead_take(void *ctx)
{
    return ch_lead_take(&((struct ch_edge *)ctx)->lead);
}

static void lead_drop(void *ctx)
{
    ch_lead_drop(&((struct ch_edge *)ctx)->lead);
}

static void changed(void *ctx, unsigned events, const uint32_t *tables, size_t table_count)
{
    struct ch_edge *edge = ctx;
    if (edge->changed)
        edge->changed(edge->changed_ctx, events, tables, table_count);
}

void ch_edge_init(struct ch_edge *edge)
{
    *edge = (struct ch_edge){.timer_at_us = INT64_MAX, .lead.fd = -1};
    edge->env = (struct ch_client_env){.ctx = edge,
                                       .now_mono_us = now_mono,
                                       .now_wall_us = now_wall,
                                       .random = random_bytes,
                                       .call_start = call_start,
                                       .call_cancel = call_cancel,
                                       .call_consumed = call_consumed,
                                       .timer_set = timer_set,
                                       .lead_take = lead_take,
                                       .lead_drop = lead_drop,
                                       .changed = changed};
}

// --- the thread -----------------------------------------------------------------------------------------------------------

// What one round works on, taken from the queue under the mutex.
struct round {
    struct ch_edge_event *events;
    unsigned wishes;
    bool connection_moved, is_connected;
    int64_t sync_asked, verify_asked;
};

// A laptop that slept has a connection that is dead and does not know it.
static bool has_slept(struct ch_edge *edge)
{
    struct timespec boot, mono;
    clock_gettime(CLOCK_BOOTTIME, &boot);
    clock_gettime(CLOCK_MONOTONIC, &mono);
    int64_t away_us = (boot.tv_sec - mono.tv_sec) * 1000000 + (boot.tv_nsec - mono.tv_nsec) / 1000;
    bool slept = away_us - edge->suspend_us > SUSPEND_JUMP_US;
    edge->suspend_us = away_us;
    return slept;
}

static void wait_for_work(struct ch_edge *edge, struct round *out)
{
    pthread_mutex_lock(&edge->mutex);
    while (!edge->first && !edge->wishes && !edge->connection_moved) {
        int64_t now = ch_clock_mono_us(), until = now + SUSPEND_LOOK_US;
        if (edge->timer_at_us <= now)
            break;
        if (edge->timer_at_us < until)
            until = edge->timer_at_us;
        const struct timespec at = {.tv_sec = until / 1000000, .tv_nsec = until % 1000000 * 1000};
        if (pthread_cond_timedwait(&edge->wake, &edge->mutex, &at) == ETIMEDOUT && edge->timer_at_us > ch_clock_mono_us())
            break; // only to look whether the machine slept
    }
    *out = (struct round){edge->first, edge->wishes, edge->connection_moved, edge->is_connected, edge->sync_asked, edge->verify_asked};
    edge->first = edge->last = NULL;
    edge->wishes = 0;
    edge->connection_moved = false;
    pthread_mutex_unlock(&edge->mutex);
}

static void free_call(struct ch_edge *edge, struct ch_edge_call *call)
{
    struct ch_edge_call **at = &edge->calls;
    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
    if (call->rpc)
        charle_rpc_release(call->rpc);
    ch_free(call);
}

static void deal_with(struct ch_edge *edge, struct ch_edge_event *event, bool is_quitting)
{
    struct ch_edge_call *call = event->call;
    bool is_wanted = !call->is_cancelled && !is_quitting;
    if (is_wanted && event->is_done) {
        // The id is the core's no more: it may start calls from here, and must not reach this one.
        call->is_cancelled = true;
        ch_client_core_on_done(edge->core, call->id, event->code, charle_str_n((const char *)event->bytes, event->size));
    } else if (is_wanted) {
        ch_client_core_on_message(edge->core, call->id, charle_bytes(event->bytes, event->size));
    } else if (!event->is_done && call->rpc) {
        charle_rpc_consumed(call->rpc, event->size);
    }
    if (event->is_done)
        free_call(edge, call);
    ch_free(event);
}

static void deal_with_wishes(struct ch_edge *edge, const struct round *round)
{
    if (round->connection_moved)
        ch_client_core_on_connected(edge->core, round->is_connected);
    if (round->wishes & CH_EDGE_START)
        ch_client_core_start(edge->core);
    if (round->wishes & CH_EDGE_STOP)
        ch_client_core_stop(edge->core);
    if (round->wishes & CH_EDGE_RETRY)
        ch_client_core_retry(edge->core);
    if (round->wishes & CH_EDGE_KICK)
        ch_client_core_kick(edge->core);
    int64_t sync = round->wishes & CH_EDGE_SYNC ? ch_client_core_sync(edge->core) : 0;
    int64_t verify = round->wishes & CH_EDGE_VERIFY ? ch_client_core_verify(edge->core) : 0;
    pthread_mutex_lock(&edge->mutex);
    if (round->wishes & CH_EDGE_SYNC) {
        edge->sync_ticket = sync;
        edge->sync_asked = 0;
    }
    if (round->wishes & CH_EDGE_VERIFY) {
        edge->verify_ticket = verify ? verify : -1;
        edge->verify_asked = 0;
    }
    pthread_mutex_unlock(&edge->mutex);
}

static void leave_snapshot(struct ch_edge *edge)
{
    struct ch_edge_snapshot snapshot = {0};
    ch_client_core_status(edge->core, &snapshot.status);
    snapshot.problem_code = edge->core->problem_code;
    snapshot.synced = ch_client_core_synced(edge->core);
    snapshot.verified = ch_client_core_verified(edge->core, &snapshot.report);
    pthread_mutex_lock(&edge->mutex);
    snapshot.round = edge->snapshot.round + 1;
    edge->snapshot = snapshot;
    pthread_cond_broadcast(&edge->rounded);
    pthread_mutex_unlock(&edge->mutex);
}

static void *run(void *ctx)
{
    struct ch_edge *edge = ctx;
    bool is_quitting = false;
    has_slept(edge);
    while (!is_quitting || edge->calls) {
        struct round round;
        wait_for_work(edge, &round);
        if (round.wishes & CH_EDGE_QUIT) {
            is_quitting = true;
            ch_client_core_stop(edge->core); // cancels the calls in flight; their ends are still to come
        }
        for (struct ch_edge_event *event = round.events, *next; event; event = next) {
            next = event->next;
            deal_with(edge, event, is_quitting);
        }
        if (is_quitting)
            continue;
        deal_with_wishes(edge, &round);
        if (has_slept(edge) && edge->channel) {
            charle_channel_redial(edge->channel);
            ch_client_core_retry(edge->core);
        }
        if (edge->timer_at_us <= ch_clock_mono_us()) {
            edge->timer_at_us = INT64_MAX;
            ch_client_core_on_timer(edge->core);
        }
        leave_snapshot(edge);
    }
    return NULL;
}

// --- life -----------------------------------------------------------------------------------------------------------------

static void init_conditions(struct ch_edge *edge)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&edge->mutex, NULL);
    pthread_cond_init(&edge->wake, &attributes);
    pthread_cond_init(&edge->rounded, &attributes);
    pthread_condattr_destroy(&attributes);
}

enum charle_err ch_edge_start(struct ch_edge *edge, struct ch_replica *replica, const char *url,
                              const struct charle_channel_options *options, struct charle_error *err)
{
    init_conditions(edge);
    edge->has_thread = true; // from here on ch_edge_stop has something to undo
    enum charle_err rc = ch_lead_open(&edge->lead, replica->file, err);
    edge->has_lead = rc == CHARLE_OK;
    if (rc == CHARLE_OK)
        rc = ch_client_core_new(&edge->env, replica, &edge->core, err);
    if (rc == CHARLE_OK && url)
        rc = charle_channel_open(url, options, &edge->channel, err);
    if (rc == CHARLE_OK)
        leave_snapshot(edge);
    if (rc == CHARLE_OK && pthread_create(&edge->thread, NULL, run, edge) != 0)
        rc = charle_fail(err, CHARLE_RESOURCE_EXHAUSTED, "no thread for synchronising");
    if (rc) {
        edge->has_thread = false;
        if (edge->channel)
            charle_channel_close(edge->channel);
        ch_client_core_free(edge->core);
        if (edge->has_lead)
            ch_lead_close(&edge->lead);
        edge->channel = NULL;
        edge->core = NULL;
        return rc;
    }
    if (edge->channel)
        charle_channel_watch(edge->channel, on_watch, edge);
    return CHARLE_OK;
}

void ch_edge_stop(struct ch_edge *edge)
{
    if (!edge->has_thread)
        return;
    ch_edge_post(edge, CH_EDGE_QUIT);
    pthread_join(edge->thread, NULL);
    if (edge->channel)
        charle_channel_close(edge->channel);
    ch_client_core_free(edge->core);
    ch_lead_close(&edge->lead);
    pthread_cond_destroy(&edge->wake);
    pthread_cond_destroy(&edge->rounded);
    pthread_mutex_destroy(&edge->mutex);
    edge->has_thread = false;
}

void ch_edge_post(struct ch_edge *edge, unsigned wishes)
{
    pthread_mutex_lock(&edge->mutex);
    edge->wishes |= wishes;
    pthread_cond_signal(&edge->wake);
    pthread_mutex_unlock(&edge->mutex);
}

void ch_edge_snapshot(struct ch_edge *edge, struct ch_edge_snapshot *out)
{
    pthread_mutex_lock(&edge->mutex);
    *out = edge->snapshot;
    pthread_mutex_unlock(&edge->mutex);
}

bool ch_edge_wait(struct ch_edge *edge, uint64_t round, int64_t until_mono_us)
{
    const struct timespec at = {.tv_sec = until_mono_us / 1000000, .tv_nsec = until_mono_us % 1000000 * 1000};
    int rc = 0;
    pthread_mutex_lock(&edge->mutex);
    while (edge->snapshot.round <= round && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&edge->rounded, &edge->mutex, &at);
    bool moved = edge->snapshot.round > round;
    pthread_mutex_unlock(&edge->mutex);
    return moved;
}

int64_t ch_edge_ask(struct ch_edge *edge, enum ch_edge_wish wish)
{
    pthread_mutex_lock(&edge->mutex);
    int64_t *asked = wish == CH_EDGE_SYNC ? &edge->sync_asked : &edge->verify_asked;
    *asked = 1;
    edge->wishes |= wish;
    pthread_cond_signal(&edge->wake);
    while (*asked)
        pthread_cond_wait(&edge->rounded, &edge->mutex);
    int64_t ticket = wish == CH_EDGE_SYNC ? edge->sync_ticket : edge->verify_ticket;
    pthread_mutex_unlock(&edge->mutex);
    return ticket;
}
