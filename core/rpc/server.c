#include "rpc/server.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <time.h>

enum {
    US_PER_MS = 1000,
    HEARTBEAT_MS = 5000,
    IDLE_MESSAGE_MS = 15000,
    WATCHDOG_MS = 5000,
    REFUSED_MAX = 64,      // connections above the limit that are being told so; more are just closed
    TIMER_GRAIN_US = 4096, // deadlines of many calls fall together: a wake-up looks at every connection
};

static const char closing_text[] = "the server is closing";

static struct charle_rpc_server *server_of(struct ch_link *link)
{
    return ch_server_link_of(link)->server;
}

static void server_release(struct charle_rpc_server *server)
{
    if (atomic_fetch_sub(&server->refs, 1) != 1)
        return;
    pthread_cond_destroy(&server->quiet);
    pthread_mutex_destroy(&server->lock);
    ch_free(server);
}

// --- time ------------------------------------------------------------------------------------------------------------

// The server's lock is held.
static void arm(struct charle_rpc_server *server, int64_t at_us)
{
    if (at_us != INT64_MAX)
        at_us += TIMER_GRAIN_US - at_us % TIMER_GRAIN_US;
    if (at_us >= server->armed_us || server->is_timer_off)
        return;
    server->armed_us = at_us;
    server->timer_transport->timer_set(server->timer, at_us);
}

static void on_timer(void *ctx)
{
    struct charle_rpc_server *server = ctx;
    pthread_mutex_lock(&server->lock);
    server->armed_us = INT64_MAX;
    pthread_mutex_unlock(&server->lock);
    int64_t next_us = ch_link_list_tick(&server->links, &server->lock, ch_clock_mono_us());
    pthread_mutex_lock(&server->lock);
    arm(server, next_us);
    pthread_mutex_unlock(&server->lock);
}

// --- links -----------------------------------------------------------------------------------------------------------

static void on_opened(struct ch_server_link *peer)
{
    ch_link_unlock(&peer->link);
    pthread_mutex_lock(&peer->server->lock);
    peer->is_open = true;
    peer->server->new_count--;
    pthread_mutex_unlock(&peer->server->lock);
    ch_link_lock(&peer->link);
}

static void on_event(struct ch_link *link, const struct ch_conn_event *event)
{
    struct ch_server_link *peer = ch_server_link_of(link);
    switch (event->kind) {
    case CH_CONN_OPENED:
        on_opened(peer);
        break;
    case CH_CONN_CALL:
        ch_server_call_arrived(peer, event);
        break;
    case CH_CONN_CANCEL:
        ch_server_call_over(peer, event->stream, CHARLE_CANCELLED);
        break;
    case CH_CONN_LATE:
        ch_server_call_over(peer, event->stream, CHARLE_DEADLINE_EXCEEDED);
        break;
    case CH_CONN_WRITABLE:
        ch_server_call_writable(peer, event->stream);
        break;
    case CH_CONN_GOAWAY: // the client leaves; it closes when its calls have ended
    case CH_CONN_MESSAGE:
    case CH_CONN_END:
    case CH_CONN_FAILED:
        break;
    }
}

static void on_over(struct ch_link *link)
{
    struct ch_server_link *peer = ch_server_link_of(link);
    struct ch_conn_stream *stream;
    ch_link_lock(link);
    if (link->conn.error.code != CHARLE_UNAVAILABLE)
        ch_log(CH_LOG_DEBUG, "rpc", "a connection was given up peer=%s reason=%s", peer->peer, link->conn.error.text);
    while ((stream = ch_conn_take_any(&link->conn)))
        ch_server_call_over(peer, stream, CHARLE_CANCELLED);
    ch_link_unlock(link);
}

static void on_drained(struct ch_link *link)
{
    struct ch_conn_stream *stream;
    uint32_t slot = 0;
    while ((stream = ch_conn_unblock(&link->conn, &slot))) {
        ch_server_call_writable(ch_server_link_of(link), stream);
        slot = 0; // the lock was released: the table may be another one
    }
}

static void on_due(struct ch_link *link, int64_t at_us)
{
    struct charle_rpc_server *server = server_of(link);
    pthread_mutex_lock(&server->lock);
    arm(server, at_us);
    pthread_mutex_unlock(&server->lock);
}

static void on_closed(struct ch_link *link)
{
    struct ch_server_link *peer = ch_server_link_of(link);
    struct charle_rpc_server *server = peer->server;
    pthread_mutex_lock(&server->lock);
    server->links.open--;
    if (!peer->is_open)
        server->new_count--;
    pthread_cond_broadcast(&server->quiet);
    pthread_mutex_unlock(&server->lock);
}

static void on_freed(struct ch_link *link)
{
    struct ch_server_link *peer = ch_server_link_of(link);
    struct charle_rpc_server *server = peer->server;
    pthread_mutex_lock(&server->lock);
    ch_link_list_remove(&server->links, link);
    pthread_mutex_unlock(&server->lock);
    if (peer->peer_data && peer->peer_data_free)
        peer->peer_data_free(peer->peer_data);
    ch_link_deinit(link);
    pthread_cond_destroy(&peer->call_quiet);
    ch_free(peer);
    server_release(server);
}

static const struct ch_link_owner link_owner = {on_event, on_over, on_drained, on_due, on_closed, on_freed};

// --- accepting -------------------------------------------------------------------------------------------------------

static size_t host_len(const char *peer)
{
    const char *colon = strrchr(peer, ':');
    return colon ? (size_t)(colon - peer) : strlen(peer);
}

static bool is_near(const char *peer)
{
    return strncmp(peer, "127.", 4) == 0 || strncmp(peer, "[::1]", 5) == 0 || strncmp(peer, "ipc:", 4) == 0 ||
           strncmp(peer, "inproc:", 7) == 0;
}

// How many connections the peer's host has. The server's lock is held.
static size_t count_host(struct charle_rpc_server *server, const char *peer)
{
    size_t len = host_len(peer), count = 0;
    for (struct ch_link *link = server->links.first; link; link = link->next) {
        const char *other = ch_server_link_of(link)->peer;
        count += host_len(other) == len && memcmp(other, peer, len) == 0;
    }
    return count;
}

// Why this connection cannot be; NULL when it can. The server's lock is held, and the link is not on the list yet.
static const char *refusal(struct charle_rpc_server *server, const struct ch_server_link *peer)
{
    const struct charle_rpc_server_options *options = &server->options;
    if (server->links.open >= options->connections_max)
        return "the server has as many connections as it may; try again later";
    if (options->connections_per_address_max && !is_near(peer->peer) &&
        count_host(server, peer->peer) >= options->connections_per_address_max)
        return "too many connections from this address; close some";
    return NULL;
}

// Among the connections that have not said HELLO, the one that has been silent for longest; held. The server's lock is
// held.
static struct ch_link *oldest_new(struct charle_rpc_server *server)
{
    struct ch_server_link *oldest = NULL;
    for (struct ch_link *link = server->links.first; link; link = link->next) {
        struct ch_server_link *peer = ch_server_link_of(link);
        if (!peer->is_open && atomic_load(&link->ops) > 0 && (!oldest || peer->accepted_us < oldest->accepted_us))
            oldest = peer;
    }
    return oldest && ch_link_try_hold(&oldest->link) ? &oldest->link : NULL;
}

static struct ch_server_link *link_new(struct ch_server_listener *from, void *stream)
{
    struct charle_rpc_server *server = from->server;
    struct ch_conn_options options = {.role = CH_CONN_SERVER,
                                      .message_size_max = server->options.message_size_max,
                                      .calls_max = server->options.calls_per_connection_max,
                                      .heartbeat_ms = server->options.heartbeat_ms,
                                      .idle_message_ms = server->options.idle_message_ms};
    struct ch_server_link *peer = ch_alloc_zeroed(1, sizeof(*peer));
    if (!peer || ch_link_init(&peer->link, &link_owner, from->transport, stream, &options)) {
        ch_free(peer);
        return NULL;
    }
    peer->server = server;
    peer->accepted_us = ch_clock_mono_us();
    pthread_cond_init(&peer->call_quiet, NULL);
    from->transport->stream_peer(stream, peer->peer);
    return peer;
}

static void shut_and_release(struct ch_link *link)
{
    if (!link)
        return;
    ch_link_lock(link);
    ch_link_shut(link);
    ch_link_release(link);
}

static void link_discard(struct ch_server_link *peer)
{
    ch_link_deinit(&peer->link);
    pthread_cond_destroy(&peer->call_quiet);
    ch_free(peer);
}

static void on_accepted(void *ctx, enum charle_err rc, void *stream, const struct charle_error *err)
{
    struct ch_server_listener *from = ctx;
    struct charle_rpc_server *server = from->server;
    (void)rc, (void)err; // a listener reports only what it accepted
    struct ch_server_link *peer = link_new(from, stream);
    pthread_mutex_lock(&server->lock);
    bool is_kept = peer && !atomic_load(&server->is_draining) &&
                   server->links.open < (size_t)server->options.connections_max + REFUSED_MAX;
    const char *why_not = is_kept ? refusal(server, peer) : NULL;
    struct ch_link *oldest = NULL;
    if (is_kept) {
        if (server->new_count >= CH_RPC_CONNECTIONS_NEW_MAX)
            oldest = oldest_new(server);
        server->new_count++;
        atomic_fetch_add(&server->refs, 1);
        ch_link_list_add(&server->links, &peer->link);
        ch_link_hold(&peer->link);
    }
    pthread_mutex_unlock(&server->lock);
    atomic_fetch_add(is_kept && !why_not ? &server->connections_total : &server->connections_refused, 1);
    shut_and_release(oldest);
    if (!is_kept) {
        if (peer)
            link_discard(peer);
        from->transport->stream_free(stream);
        return;
    }
    if (why_not) {
        ch_link_lock(&peer->link);
        ch_conn_fail(&peer->link.conn, ch_clock_mono_us(), CHARLE_RESOURCE_EXHAUSTED, "%s", why_not);
        ch_link_unlock(&peer->link);
    }
    ch_link_start(&peer->link);
    ch_link_release(&peer->link);
}

// --- opening ---------------------------------------------------------------------------------------------------------

static void set_default(uint32_t *value, uint32_t otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

enum charle_err charle_rpc_server_open(const struct charle_rpc_server_options *options, charle_dispatch_fn dispatch,
                                       void *ctx, struct charle_rpc_server **out, struct charle_error *err)
{
    *out = NULL;
    struct charle_rpc_server *server = ch_alloc_zeroed(1, sizeof(*server));
    if (!server)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for an RPC server");
    if (options)
        server->options = *options;
    set_default(&server->options.message_size_max, CH_MESSAGE_SIZE_MAX);
    set_default(&server->options.connections_max, CH_RPC_CONNECTIONS_MAX);
    set_default(&server->options.calls_per_connection_max, CH_RPC_CALLS_MAX);
    set_default(&server->options.heartbeat_ms, HEARTBEAT_MS);
    set_default(&server->options.idle_message_ms, IDLE_MESSAGE_MS);
    set_default(&server->options.watchdog_ms, WATCHDOG_MS);
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->quiet, NULL);
    atomic_init(&server->refs, 1);
    server->dispatch = dispatch;
    server->dispatch_ctx = ctx;
    server->armed_us = INT64_MAX;
    *out = server;
    return CHARLE_OK;
}

enum charle_err charle_rpc_server_intercept(struct charle_rpc_server *server,
                                            const struct charle_server_interceptor *interceptor)
{
    if (server->interceptor_count >= CH_RPC_INTERCEPTORS_MAX)
        return CHARLE_RESOURCE_EXHAUSTED;
    server->interceptors[server->interceptor_count++] = *interceptor;
    return CHARLE_OK;
}

static enum charle_err check_listen(const struct charle_rpc_server *server, const char *address,
                                    const struct ch_transport **out, struct charle_error *err)
{
    *out = server->options.transport;
    enum charle_err rc = *out ? CHARLE_OK : ch_transport_of(address, out, err);
    if (rc)
        return rc;
    if (ch_address_is_exposed(address) && !server->options.allow_plain_tcp)
        return charle_fail(
            err, CHARLE_INVALID_ARGUMENT,
            "%s would carry tokens unencrypted to other machines; listen at tls+tcp:// with a certificate, or at "
            "tcp://127.0.0.1",
            address);
    if (server->listener_count >= CH_RPC_LISTENERS_MAX)
        return charle_fail(err, CHARLE_RESOURCE_EXHAUSTED, "a server listens at no more than %d addresses",
                           CH_RPC_LISTENERS_MAX);
    return CHARLE_OK;
}

static enum charle_err open_timer(struct charle_rpc_server *server, const struct ch_transport *transport,
                                  struct charle_error *err)
{
    if (server->timer)
        return CHARLE_OK;
    server->timer_transport = transport;
    enum charle_err rc = transport->timer_open(on_timer, server, &server->timer);
    return rc ? charle_fail(err, rc, "no memory for a timer") : CHARLE_OK;
}

enum charle_err charle_rpc_server_listen(struct charle_rpc_server *server, const char *address, char *out_address,
                                         struct charle_error *err)
{
    const struct ch_transport *transport;
    char real[CH_ADDRESS_SIZE];
    enum charle_err rc = check_listen(server, address, &transport, err);
    if (!rc)
        rc = open_timer(server, transport, err);
    if (rc)
        return rc;
    struct ch_server_listener *listener = &server->listeners[server->listener_count];
    *listener = (struct ch_server_listener){.server = server, .transport = transport};
    struct ch_transport_options options = {.tls_ca_file = server->options.tls_client_ca_file,
                                           .tls_cert_file = server->options.tls_cert_file,
                                           .tls_key_file = server->options.tls_key_file};
    rc = transport->listener_open(address, &options, on_accepted, listener, &listener->listener, real, err);
    if (rc)
        return rc;
    server->listener_count++;
    if (transport->listener_reopen && strncmp(address, "ipc://", 6) == 0)
        rc = ch_watchdog_open(transport, real, listener->listener, server->options.watchdog_ms, &listener->watchdog,
                              err);
    if (rc) {
        transport->listener_close(listener->listener);
        server->listener_count--;
        return rc;
    }
    if (out_address)
        snprintf(out_address, CH_ADDRESS_SIZE, "%s", real);
    return CHARLE_OK;
}

// --- closing ---------------------------------------------------------------------------------------------------------

void ch_server_call_ended(struct charle_rpc_server *server)
{
    atomic_fetch_sub(&server->calls, 1);
    if (!atomic_load(&server->is_draining))
        return;
    pthread_mutex_lock(&server->lock);
    pthread_cond_broadcast(&server->quiet);
    pthread_mutex_unlock(&server->lock);
}

// Waits until nothing is left of what `is_calls` says (calls or open links), at most until `until_us`. 0: as long as it
// takes.
static void wait_quiet(struct charle_rpc_server *server, bool is_calls, int64_t until_us)
{
    struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
    int rv = 0;
    pthread_mutex_lock(&server->lock);
    while (rv == 0 && (is_calls ? atomic_load(&server->calls) : server->links.open) > 0) {
        if (until_us)
            rv = pthread_cond_clockwait(&server->quiet, &server->lock, CLOCK_MONOTONIC, &until);
        else
            rv = pthread_cond_wait(&server->quiet, &server->lock);
    }
    pthread_mutex_unlock(&server->lock);
}

static void close_listeners(struct charle_rpc_server *server)
{
    for (size_t i = 0; i < server->listener_count; i++) {
        ch_watchdog_close(server->listeners[i].watchdog);
        server->listeners[i].transport->listener_close(server->listeners[i].listener);
    }
}

// Tells a peer that no new calls are taken. A connection without calls closes when it has been told.
static void drain_link(struct ch_link *link)
{
    ch_link_lock(link);
    ch_conn_drain(&link->conn, charle_str(closing_text));
    if (link->conn.streams.count == 0)
        link->is_shut_when_sent = true;
    ch_link_flush(link);
}

// Ends what is still in progress, and closes when the peer has been told.
static void cut_link(struct ch_link *link)
{
    struct ch_conn_stream *stream;
    ch_link_lock(link);
    for (;;) {
        uint32_t slot = 0;
        stream = ch_streams_next(&link->conn.streams, &slot);
        if (stream)
            ch_conn_refuse(&link->conn, stream->id, CHARLE_UNAVAILABLE,
                           "the server was closed before the call was answered");
        stream = ch_conn_take_any(&link->conn);
        if (!stream)
            break;
        ch_server_call_over(ch_server_link_of(link), stream, CHARLE_CANCELLED);
    }
    ch_link_shut_when_sent(link);
}

static void shut_link(struct ch_link *link)
{
    ch_link_lock(link);
    ch_link_shut(link);
}

static void for_each_link(struct charle_rpc_server *server, void (*fn)(struct ch_link *link))
{
    struct ch_link *link = ch_link_list_first(&server->links, &server->lock);
    for (; link; link = ch_link_list_next(link, &server->lock))
        fn(link);
}

void charle_rpc_server_close(struct charle_rpc_server *server, uint32_t drain_ms)
{
    if (!server)
        return;
    int64_t start_us = ch_clock_mono_us();
    pthread_mutex_lock(&server->lock);
    atomic_store(&server->is_draining, true);
    pthread_mutex_unlock(&server->lock);
    close_listeners(server); // no new connection from here on
    for_each_link(server, drain_link);
    wait_quiet(server, true, start_us + (int64_t)drain_ms * US_PER_MS);
    for_each_link(server, cut_link);
    wait_quiet(server, false, ch_clock_mono_us() + (int64_t)CH_RPC_LINGER_MS * US_PER_MS);
    for_each_link(server, shut_link);
    wait_quiet(server, false, 0);
    pthread_mutex_lock(&server->lock);
    server->is_timer_off = true;
    pthread_mutex_unlock(&server->lock);
    if (server->timer)
        server->timer_transport->timer_close(server->timer);
    server_release(server);
}

size_t charle_rpc_server_connections(const struct charle_rpc_server *server)
{
    struct charle_rpc_server_stats stats;
    charle_rpc_server_get_stats(server, &stats);
    return stats.connections;
}

void charle_rpc_server_get_stats(const struct charle_rpc_server *server, struct charle_rpc_server_stats *out)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)&server->lock;
    pthread_mutex_lock(lock);
    size_t connections = server->links.open - server->new_count;
    pthread_mutex_unlock(lock);
    *out = (struct charle_rpc_server_stats){.connections_total = atomic_load(&server->connections_total),
                                            .connections_refused = atomic_load(&server->connections_refused),
                                            .calls_total = atomic_load(&server->calls_total),
                                            .connections = connections,
                                            .calls = atomic_load(&server->calls)};
}
