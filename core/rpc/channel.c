#include "rpc/channel.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum {
    US_PER_MS = 1000,
    HEARTBEAT_MS = 5000,
    REDIAL_MAX_MS = 3000,   // traffic is to be back within 5 s of the end of an outage, opening a session included (tools/soak outages)
    REDIAL_FIRST_MS = 100, // doubled with each failure
    STEADY_US = 1000000,   // a connection that lasted so long was a good one
    AUTHORIZATION_SIZE_MAX = 4096,
};

struct client_link {
    struct ch_link link; // first
    struct charle_channel *channel;
};

static struct charle_channel *channel_of(struct ch_link *link)
{
    return ((struct client_link *)link)->channel;
}

void ch_channel_release(struct charle_channel *channel)
{
    if (atomic_fetch_sub(&channel->refs, 1) != 1)
        return;
    ch_free(channel->authorization);
    pthread_cond_destroy(&channel->quiet);
    pthread_mutex_destroy(&channel->lock);
    ch_free(channel);
}

void ch_channel_arm(struct charle_channel *channel, int64_t at_us)
{
    if (at_us >= channel->armed_us || channel->is_closed)
        return;
    channel->armed_us = at_us;
    channel->transport->timer_set(channel->timer, at_us);
}

// --- the watcher -----------------------------------------------------------------------------------------------------

// Tells the watcher what it does not know yet. One thread at a time does, and goes on until nothing is left to tell.
static void tell_watch(struct charle_channel *channel)
{
    pthread_mutex_lock(&channel->lock);
    bool is_mine = !channel->is_telling;
    channel->is_telling = true;
    while (is_mine && channel->watch) {
        bool is_ready = channel->state == CH_CHANNEL_READY;
        bool is_lost = channel->told_ready && (!is_ready || channel->told_epoch != channel->epoch);
        if (!is_lost && channel->told_ready == is_ready)
            break;
        channel->told_ready = !is_lost;
        channel->told_epoch = channel->epoch;
        charle_channel_watch_fn fn = channel->watch;
        void *ctx = channel->watch_ctx;
        pthread_mutex_unlock(&channel->lock);
        fn(ctx, !is_lost);
        pthread_mutex_lock(&channel->lock);
    }
    if (is_mine)
        channel->is_telling = false;
    pthread_mutex_unlock(&channel->lock);
}

// --- dialling --------------------------------------------------------------------------------------------------------

// Between half of the bound and the bound, so that many clients of a server that comes back do not come in step.
static int64_t jitter_us(uint32_t bound_ms)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
        random = (uint32_t)ch_clock_mono_us();
    int64_t half_us = (int64_t)bound_ms * US_PER_MS / 2;
    return half_us + (half_us ? random % half_us : 0);
}

static uint32_t backoff_ms(const struct charle_channel *channel)
{
    uint32_t ms = REDIAL_FIRST_MS;
    for (uint32_t i = 1; i < channel->attempts && ms < channel->redial_max_ms; i++)
        ms *= 2;
    return ms < channel->redial_max_ms ? ms : channel->redial_max_ms;
}

// To IDLE, with a time to dial again. Lock held.
static void go_idle(struct charle_channel *channel, bool is_failure)
{
    int64_t now_us = ch_clock_mono_us();
    // What an attempt took counts as waiting: one that nobody answered is followed by the next at once.
    int64_t since_us = channel->state == CH_CHANNEL_DIALING || channel->state == CH_CHANNEL_GREETING ? channel->dialed_us : now_us;
    channel->attempts = is_failure ? channel->attempts + 1 : 0;
    channel->state = CH_CHANNEL_IDLE;
    atomic_store(&channel->is_ready, false);
    channel->link = NULL;
    channel->redial_us = channel->is_redial_wanted ? now_us : since_us + jitter_us(backoff_ms(channel));
    channel->is_redial_wanted = false;
    ch_channel_arm(channel, channel->redial_us);
}

// The link takes no more calls. True when it was the channel's present one.
static bool let_go(struct charle_channel *channel, struct ch_link *link)
{
    pthread_mutex_lock(&channel->lock);
    bool was_present = channel->link == link;
    if (was_present) {
        bool was_steady = channel->state == CH_CHANNEL_READY && ch_clock_mono_us() - channel->ready_us > STEADY_US;
        go_idle(channel, !was_steady);
    }
    pthread_mutex_unlock(&channel->lock);
    return was_present;
}

// --- links -----------------------------------------------------------------------------------------------------------

static void opened(struct charle_channel *channel, struct ch_link *link)
{
    pthread_mutex_lock(&channel->lock);
    if (channel->link == link && !channel->is_closed) {
        channel->state = CH_CHANNEL_READY;
        channel->ready_us = ch_clock_mono_us();
        channel->epoch++;
        atomic_store(&channel->is_ready, true);
    }
    pthread_mutex_unlock(&channel->lock);
    ch_channel_flush_waiting(channel);
    tell_watch(channel);
}

static void on_event(struct ch_link *link, const struct ch_conn_event *event)
{
    struct charle_channel *channel = channel_of(link);
    if (event->kind == CH_CONN_OPENED) {
        ch_link_unlock(link);
        opened(channel, link);
        ch_link_lock(link);
    } else if (event->kind == CH_CONN_GOAWAY) {
        ch_link_unlock(link);
        if (let_go(channel, link))
            tell_watch(channel);
        ch_link_lock(link);
    } else {
        ch_client_link_event(link, event);
    }
    // A connection that was let go has done its work with its last call.
    if (link->conn.is_draining && link->conn.streams.count == 0 && !link->is_shut_when_sent)
        link->is_shut_when_sent = true;
}

static void on_over(struct ch_link *link)
{
    struct charle_channel *channel = channel_of(link);
    pthread_mutex_lock(&channel->lock);
    channel->trouble = link->conn.error;
    bool is_closed = channel->is_closed;
    pthread_mutex_unlock(&channel->lock);
    bool was_present = let_go(channel, link);
    ch_client_link_over(link, is_closed);
    if (was_present)
        tell_watch(channel);
}

static void on_drained(struct ch_link *link)
{
    ch_link_unlock(link);
    ch_channel_flush_waiting(channel_of(link));
    ch_link_lock(link);
}

static void on_due(struct ch_link *link, int64_t at_us)
{
    struct charle_channel *channel = channel_of(link);
    pthread_mutex_lock(&channel->lock);
    ch_channel_arm(channel, at_us);
    pthread_mutex_unlock(&channel->lock);
}

static void on_closed(struct ch_link *link)
{
    struct charle_channel *channel = channel_of(link);
    pthread_mutex_lock(&channel->lock);
    channel->links.open--;
    pthread_cond_broadcast(&channel->quiet);
    pthread_mutex_unlock(&channel->lock);
}

static void on_freed(struct ch_link *link)
{
    struct charle_channel *channel = channel_of(link);
    pthread_mutex_lock(&channel->lock);
    ch_link_list_remove(&channel->links, link);
    pthread_mutex_unlock(&channel->lock);
    ch_link_deinit(link);
    ch_free(link);
    ch_channel_release(channel);
}

static const struct ch_link_owner link_owner = {on_event, on_over, on_drained, on_due, on_closed, on_freed};

static struct ch_link *link_new(struct charle_channel *channel, void *stream)
{
    struct client_link *made = ch_alloc_zeroed(1, sizeof(*made));
    if (!made)
        return NULL;
    made->channel = channel;
    if (ch_link_init(&made->link, &link_owner, channel->transport, stream, &channel->conn_options)) {
        ch_free(made);
        return NULL;
    }
    atomic_fetch_add(&channel->refs, 1);
    return &made->link;
}

static void on_dialed(void *ctx, enum charle_err rc, void *stream, const struct charle_error *err)
{
    struct charle_channel *channel = ctx;
    struct ch_link *link = rc ? NULL : link_new(channel, stream);
    pthread_mutex_lock(&channel->lock);
    bool is_wanted = link && !channel->is_closed;
    if (is_wanted) {
        channel->link = link;
        channel->state = CH_CHANNEL_GREETING;
        ch_link_list_add(&channel->links, link);
        ch_link_hold(link);
    } else {
        if (rc)
            channel->trouble = *err;
        go_idle(channel, true);
    }
    pthread_mutex_unlock(&channel->lock);
    if (is_wanted) {
        ch_link_start(link);
        ch_link_release(link);
        return;
    }
    if (link) { // the channel was closed meanwhile
        ch_link_deinit(link);
        ch_free(link);
        ch_channel_release(channel);
    }
    if (!rc)
        channel->transport->stream_free(stream);
}

// --- time ------------------------------------------------------------------------------------------------------------

// The channel may be closed at any moment; its dialer stays until this is over.
static void dial(struct charle_channel *channel)
{
    channel->transport->dialer_dial(channel->dialer);
    pthread_mutex_lock(&channel->lock);
    channel->is_in_dialer = false;
    pthread_cond_broadcast(&channel->quiet);
    pthread_mutex_unlock(&channel->lock);
}

static void on_timer(void *ctx)
{
    struct charle_channel *channel = ctx;
    int64_t now_us = ch_clock_mono_us();
    pthread_mutex_lock(&channel->lock);
    channel->armed_us = INT64_MAX;
    bool is_dial = channel->state == CH_CHANNEL_IDLE && channel->redial_us <= now_us && !channel->is_closed;
    if (is_dial) {
        channel->state = CH_CHANNEL_DIALING;
        channel->dialed_us = now_us;
        channel->is_in_dialer = true;
    }
    pthread_mutex_unlock(&channel->lock);
    if (is_dial)
        dial(channel);
    ch_channel_end_late(channel, now_us);
    ch_channel_tell_ended(channel);
    tell_watch(channel);
    int64_t next_us = ch_link_list_tick(&channel->links, &channel->lock, now_us);
    pthread_mutex_lock(&channel->lock);
    next_us = channel->waiting_due_us < next_us ? channel->waiting_due_us : next_us;
    if (channel->state == CH_CHANNEL_IDLE && channel->redial_us < next_us)
        next_us = channel->redial_us;
    ch_channel_arm(channel, next_us);
    pthread_mutex_unlock(&channel->lock);
}

// --- the public functions --------------------------------------------------------------------------------------------

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
    return value ? value : otherwise;
}

static enum charle_err set_token(struct charle_channel *channel, const char *token)
{
    static const char prefix[] = "Bearer ";
    size_t len = token ? strlen(token) : 0;
    char *authorization = NULL;
    if (len > AUTHORIZATION_SIZE_MAX)
        return CHARLE_TOO_LARGE;
    if (len) {
        authorization = ch_alloc(sizeof(prefix) + len);
        if (!authorization)
            return CHARLE_NO_MEMORY;
        snprintf(authorization, sizeof(prefix) + len, "%s%s", prefix, token);
    }
    pthread_mutex_lock(&channel->lock);
    char *old = channel->authorization;
    channel->authorization = authorization;
    pthread_mutex_unlock(&channel->lock);
    ch_free(old);
    return CHARLE_OK;
}

static struct charle_channel *channel_new(const char *address, const struct charle_channel_options *options)
{
    struct charle_channel *channel = ch_alloc_zeroed(1, sizeof(*channel));
    if (!channel)
        return NULL;
    pthread_mutex_init(&channel->lock, NULL);
    pthread_cond_init(&channel->quiet, NULL);
    atomic_init(&channel->refs, 1);
    atomic_init(&channel->is_ready, false);
    atomic_init(&channel->waiting_count, 0);
    channel->armed_us = INT64_MAX;
    channel->waiting_due_us = INT64_MAX;
    channel->redial_max_ms = or_default(options->redial_max_ms, REDIAL_MAX_MS);
    channel->conn_options = (struct ch_conn_options){
        .role = CH_CONN_CLIENT,
        .message_size_max = or_default(options->message_size_max, CH_MESSAGE_SIZE_MAX),
        .calls_max = CH_RPC_CALLS_MAX,
        .heartbeat_ms = or_default(options->heartbeat_ms, HEARTBEAT_MS),
    };
    snprintf(channel->address, sizeof(channel->address), "%s", address);
    charle_fail(&channel->trouble, CHARLE_UNAVAILABLE, "the connection to %s is not there yet", channel->address);
    return channel;
}

enum charle_err charle_channel_open(const char *address, const struct charle_channel_options *options,
                                    struct charle_channel **out, struct charle_error *err)
{
    static const struct charle_channel_options defaults;
    *out = NULL;
    options = options ? options : &defaults;
    const struct ch_transport *transport = options->transport;
    enum charle_err rc = transport ? CHARLE_OK : ch_transport_of(address, &transport, err);
    if (rc)
        return rc;
    struct charle_channel *channel = channel_new(address, options);
    if (!channel)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a channel to %s", address);
    channel->transport = transport;
    struct ch_transport_options for_dialer = {.tls_ca_file = options->tls_ca_file,
                                              .tls_cert_file = options->tls_cert_file,
                                              .tls_key_file = options->tls_key_file,
                                              .tls_server_name = options->tls_server_name,
                                              .connect_timeout_ms = options->connect_timeout_ms};
    rc = set_token(channel, options->token);
    if (rc)
        charle_fail(err, rc, "the token for %s is too long, or memory is exhausted", address);
    if (!rc && (rc = transport->timer_open(on_timer, channel, &channel->timer)))
        charle_fail(err, rc, "no memory for a channel to %s", address);
    if (!rc)
        rc = transport->dialer_open(address, &for_dialer, on_dialed, channel, &channel->dialer, err);
    if (rc) {
        if (channel->timer)
            transport->timer_close(channel->timer);
        ch_channel_release(channel);
        return rc;
    }
    *out = channel;
    charle_channel_redial(channel);
    return CHARLE_OK;
}

static void shut_links(struct charle_channel *channel)
{
    struct ch_link *link = ch_link_list_first(&channel->links, &channel->lock);
    for (; link; link = ch_link_list_next(link, &channel->lock)) {
        ch_link_lock(link);
        ch_link_shut(link);
    }
}

void charle_channel_close(struct charle_channel *channel)
{
    if (!channel)
        return;
    pthread_mutex_lock(&channel->lock);
    channel->is_closed = true;
    while (channel->is_in_dialer)
        pthread_cond_wait(&channel->quiet, &channel->lock);
    pthread_mutex_unlock(&channel->lock);
    channel->transport->dialer_close(channel->dialer); // no new connection from here on
    shut_links(channel);
    pthread_mutex_lock(&channel->lock);
    while (channel->links.open)
        pthread_cond_wait(&channel->quiet, &channel->lock);
    pthread_mutex_unlock(&channel->lock);
    channel->transport->timer_close(channel->timer);
    ch_channel_end_all_waiting(channel);
    ch_channel_tell_ended(channel);
    ch_channel_release(channel);
}

void charle_channel_set_token(struct charle_channel *channel, const char *token)
{
    enum charle_err rc = set_token(channel, token);
    (void)rc; // the old one stays: its calls are refused by the server, with the reason
}

bool charle_channel_is_connected(const struct charle_channel *channel)
{
    return atomic_load(&channel->is_ready);
}

void charle_channel_redial(struct charle_channel *channel)
{
    pthread_mutex_lock(&channel->lock);
    struct ch_link *link = channel->link;
    channel->is_redial_wanted = true;
    if (link)
        ch_link_hold(link);
    if (channel->state != CH_CHANNEL_DIALING) // else it is being done; if it fails, the next attempt follows at once
        go_idle(channel, false);
    pthread_mutex_unlock(&channel->lock);
    if (!link)
        return;
    ch_link_lock(link);
    ch_link_shut(link); // its calls end as UNAVAILABLE
    ch_link_release(link);
}

void charle_channel_watch(struct charle_channel *channel, charle_channel_watch_fn fn, void *ctx)
{
    pthread_mutex_lock(&channel->lock);
    channel->watch = fn;
    channel->watch_ctx = ctx;
    channel->told_ready = false;
    ch_channel_arm(channel, ch_clock_mono_us()); // the timer's thread tells it how things stand
    pthread_mutex_unlock(&channel->lock);
}

enum charle_err charle_channel_intercept(struct charle_channel *channel,
                                         const struct charle_client_interceptor *interceptor)
{
    if (channel->interceptor_count >= CH_RPC_INTERCEPTORS_MAX)
        return CHARLE_RESOURCE_EXHAUSTED;
    channel->interceptors[channel->interceptor_count++] = *interceptor;
    return CHARLE_OK;
}
