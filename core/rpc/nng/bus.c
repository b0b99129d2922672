// The bus on nng's bus0 sockets.
//
// What nng 1.5.2 leaves to its users, and what is done about it here:
//   - messages have no bound by themselves: RECVMAXSZ; a larger one costs its sender the connection
//   - a connection may be silent for ever, and a dial may hang for minutes in a partition: ch_bus_tick closes the one
//     and begins the other again
//   - waits between two dials grow without a bound unless RECONNMAXT says otherwise
//   - an ipc listener can die of a rude client: one that has no connection is opened anew every ten seconds
//
// Lock: `mutex` guards the table of connections. nng's callbacks take it; it is never held while nng is called.
#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "rpc/bus.h"
#include "rpc/nng/parts.h"

#include <nng/protocol/bus0/bus.h>
#include <nng/transport/ipc/ipc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum {
    RECONNECT_MIN_MS = 100,
    RECONNECT_MAX_MS = 1000,
    QUEUE_MAX = 32,       // messages to a peer that does not read; hints are made up for by polls
    RELISTEN_MS = 10000,
    US_PER_MS = 1000
};

struct connection {
    uint32_t id; // of nng's pipe; 0: free
    int dialer;  // of nng; not positive: it came through the listener
    int64_t heard_us;
};

struct peer {
    nng_dialer dialer; // id 0: not made yet
    int64_t alive_us;  // connected, or dialed anew
};

struct ch_bus {
    struct ch_bus_options options;
    nng_socket socket;
    bool has_socket;
    nng_aio *aio; // of receiving
    nng_listener listener;
    int64_t listened_us;
    struct peer peers[CH_BUS_PEERS_MAX]; // of the thread that ticks
    pthread_mutex_t mutex;
    struct connection connections[CH_BUS_CONNECTIONS_MAX];
};

// --- connections ---------------------------------------------------------------------------------------------------

static struct connection *find(struct ch_bus *bus, uint32_t id)
{
    for (size_t i = 0; i < CH_BUS_CONNECTIONS_MAX; i++)
        if (bus->connections[i].id == id)
            return &bus->connections[i];
    return NULL;
}

static void on_pipe(nng_pipe pipe, nng_pipe_ev event, void *ctx)
{
    struct ch_bus *bus = ctx;
    uint32_t id = (uint32_t)nng_pipe_id(pipe);
    int dialer = nng_dialer_id(nng_pipe_dialer(pipe));
    pthread_mutex_lock(&bus->mutex);
    struct connection *place = find(bus, event == NNG_PIPE_EV_ADD_PRE ? 0 : id);
    if (place && event == NNG_PIPE_EV_ADD_PRE)
        *place = (struct connection){id, dialer, ch_clock_mono_us()};
    else if (place && event == NNG_PIPE_EV_REM_POST)
        *place = (struct connection){0};
    pthread_mutex_unlock(&bus->mutex);
    if (!place && event == NNG_PIPE_EV_ADD_PRE)
        nng_pipe_close(pipe);
}

size_t ch_bus_connections(struct ch_bus *bus)
{
    size_t count = 0;
    pthread_mutex_lock(&bus->mutex);
    for (size_t i = 0; i < CH_BUS_CONNECTIONS_MAX; i++)
        count += bus->connections[i].id != 0;
    pthread_mutex_unlock(&bus->mutex);
    return count;
}

// --- receiving -----------------------------------------------------------------------------------------------------

static void note_heard(struct ch_bus *bus, uint32_t id)
{
    pthread_mutex_lock(&bus->mutex);
    struct connection *connection = find(bus, id);
    if (connection)
        connection->heard_us = ch_clock_mono_us();
    pthread_mutex_unlock(&bus->mutex);
}

static void on_received(void *ctx)
{
    struct ch_bus *bus = ctx;
    int rv = nng_aio_result(bus->aio);
    if (rv == NNG_ECLOSED || rv == NNG_ECANCELED)
        return;
    nng_msg *message = rv ? NULL : nng_aio_get_msg(bus->aio);
    if (message) {
        nng_pipe pipe = nng_msg_get_pipe(message);
        if (bus->options.on_message(bus->options.ctx, charle_bytes(nng_msg_body(message), nng_msg_len(message))))
            note_heard(bus, (uint32_t)nng_pipe_id(pipe));
        else
            nng_pipe_close(pipe);
        nng_msg_free(message);
    }
    nng_recv_aio(bus->socket, bus->aio);
}

void ch_bus_send(struct ch_bus *bus, struct charle_bytes message)
{
    // A copy goes to each peer's queue, and what does not fit there is dropped: bus0 never waits for a peer.
    nng_send(bus->socket, (void *)(uintptr_t)message.ptr, message.len, NNG_FLAG_NONBLOCK);
}

// --- dialing and listening -----------------------------------------------------------------------------------------

static bool is_tls(const char *address)
{
    return strncmp(address, "tls+", 4) == 0;
}

static bool is_ipc(const char *address)
{
    return strncmp(address, "ipc:", 4) == 0;
}

static enum charle_err dial(struct ch_bus *bus, size_t index, struct charle_error *err)
{
    const char *address = bus->options.peers[index];
    struct peer *peer = &bus->peers[index];
    nng_tls_config *tls = NULL;
    enum charle_err rc = is_tls(address) ? ch_nng_tls_dial_config(address, &bus->options.tls, &tls, err) : CHARLE_OK;
    if (rc)
        return rc;
    int rv = nng_dialer_create(&peer->dialer, bus->socket, address);
    if (!rv && tls)
        rv = nng_dialer_set_ptr(peer->dialer, NNG_OPT_TLS_CONFIG, tls);
    if (!rv)
        rv = nng_dialer_start(peer->dialer, NNG_FLAG_NONBLOCK);
    if (tls)
        nng_tls_config_free(tls);
    peer->alive_us = ch_clock_mono_us();
    return rv ? ch_nng_fail(err, rv, "a peer cannot be dialed at", address) : CHARLE_OK;
}

static enum charle_err listen_on(struct ch_bus *bus, struct charle_error *err)
{
    const char *address = bus->options.listen;
    nng_tls_config *tls = NULL;
    enum charle_err rc =
        is_tls(address) ? ch_nng_tls_config(NNG_TLS_MODE_SERVER, &bus->options.tls, &tls, err) : CHARLE_OK;
    if (rc)
        return rc;
    int rv = nng_listener_create(&bus->listener, bus->socket, address);
    if (!rv && tls)
        rv = nng_listener_set_ptr(bus->listener, NNG_OPT_TLS_CONFIG, tls);
    if (!rv && is_ipc(address)) // nobody else's business
        rv = nng_listener_set_int(bus->listener, NNG_OPT_IPC_PERMISSIONS, 0600);
    if (!rv)
        rv = nng_listener_start(bus->listener, 0);
    if (tls)
        nng_tls_config_free(tls);
    bus->listened_us = ch_clock_mono_us();
    return rv ? ch_nng_fail(err, rv, "the bus cannot listen on", address) : CHARLE_OK;
}

static void write_address(const struct ch_bus *bus, char *out)
{
    int port = 0;
    snprintf(out, CH_ADDRESS_SIZE, "%.*s", CH_ADDRESS_SIZE - 1, bus->options.listen);
    char *colon = strrchr(out, ':');
    if (!is_ipc(out) && colon && nng_listener_get_int(bus->listener, NNG_OPT_TCP_BOUND_PORT, &port) == 0)
        snprintf(colon, CH_ADDRESS_SIZE - (size_t)(colon - out), ":%d", port);
}

// --- once a second -------------------------------------------------------------------------------------------------

static bool is_dialed(struct ch_bus *bus, int dialer)
{
    bool found = false;
    pthread_mutex_lock(&bus->mutex);
    for (size_t i = 0; i < CH_BUS_CONNECTIONS_MAX; i++)
        found |= bus->connections[i].id && bus->connections[i].dialer == dialer;
    pthread_mutex_unlock(&bus->mutex);
    return found;
}

static bool was_called(struct ch_bus *bus)
{
    bool found = false;
    pthread_mutex_lock(&bus->mutex);
    for (size_t i = 0; i < CH_BUS_CONNECTIONS_MAX; i++)
        found |= bus->connections[i].id && bus->connections[i].dialer <= 0;
    pthread_mutex_unlock(&bus->mutex);
    return found;
}

static void close_silent(struct ch_bus *bus, int64_t now_us)
{
    uint32_t silent[CH_BUS_CONNECTIONS_MAX];
    size_t count = 0;
    pthread_mutex_lock(&bus->mutex);
    for (size_t i = 0; i < CH_BUS_CONNECTIONS_MAX; i++)
        if (bus->connections[i].id && now_us - bus->connections[i].heard_us > CH_BUS_SILENT_MS * US_PER_MS)
            silent[count++] = bus->connections[i].id;
    pthread_mutex_unlock(&bus->mutex);
    for (size_t i = 0; i < count; i++)
        nng_pipe_close((nng_pipe){silent[i]});
}

void ch_bus_tick(struct ch_bus *bus)
{
    int64_t now_us = ch_clock_mono_us();
    struct charle_error err; // what cannot be opened now is tried again
    close_silent(bus, now_us);
    for (size_t i = 0; i < bus->options.peer_count; i++) {
        struct peer *peer = &bus->peers[i];
        if (is_dialed(bus, nng_dialer_id(peer->dialer))) {
            peer->alive_us = now_us;
        } else if (now_us - peer->alive_us > CH_BUS_SILENT_MS * US_PER_MS) {
            nng_dialer_close(peer->dialer);
            (void)dial(bus, i, &err);
        }
    }
    if (!bus->options.listen || !is_ipc(bus->options.listen))
        return;
    if (was_called(bus)) {
        bus->listened_us = now_us;
    } else if (now_us - bus->listened_us > RELISTEN_MS * US_PER_MS) {
        nng_listener_close(bus->listener);
        (void)listen_on(bus, &err);
    }
}

// --- life ----------------------------------------------------------------------------------------------------------

static int open_socket(struct ch_bus *bus)
{
    int rv = nng_bus0_open(&bus->socket);
    bus->has_socket = rv == 0;
    if (!rv)
        rv = nng_socket_set_size(bus->socket, NNG_OPT_RECVMAXSZ, CH_BUS_MESSAGE_SIZE_MAX);
    if (!rv)
        rv = nng_socket_set_ms(bus->socket, NNG_OPT_RECONNMINT, RECONNECT_MIN_MS);
    if (!rv)
        rv = nng_socket_set_ms(bus->socket, NNG_OPT_RECONNMAXT, RECONNECT_MAX_MS);
    if (!rv)
        rv = nng_socket_set_int(bus->socket, NNG_OPT_SENDBUF, QUEUE_MAX);
    if (!rv)
        rv = nng_socket_set_int(bus->socket, NNG_OPT_RECVBUF, QUEUE_MAX);
    if (!rv)
        rv = nng_pipe_notify(bus->socket, NNG_PIPE_EV_ADD_PRE, on_pipe, bus);
    if (!rv)
        rv = nng_pipe_notify(bus->socket, NNG_PIPE_EV_REM_POST, on_pipe, bus);
    return rv ? rv : nng_aio_alloc(&bus->aio, on_received, bus);
}

enum charle_err ch_bus_open(const struct ch_bus_options *options, struct ch_bus **out, char *out_address,
                            struct charle_error *err)
{
    if (options->peer_count > CH_BUS_PEERS_MAX)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "at most %d peers can be given", CH_BUS_PEERS_MAX);
    struct ch_bus *bus = ch_alloc_zeroed(1, sizeof(*bus));
    if (!bus)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the bus between servers");
    bus->options = *options;
    pthread_mutex_init(&bus->mutex, NULL);
    int rv = open_socket(bus);
    enum charle_err rc = rv ? ch_nng_fail(err, rv, "the bus between servers cannot be", "opened") : CHARLE_OK;
    if (rc == CHARLE_OK && options->listen)
        rc = listen_on(bus, err);
    if (rc == CHARLE_OK && options->listen && out_address)
        write_address(bus, out_address);
    for (size_t i = 0; rc == CHARLE_OK && i < options->peer_count; i++)
        rc = dial(bus, i, err);
    if (rc) {
        ch_bus_close(bus);
        return rc;
    }
    nng_recv_aio(bus->socket, bus->aio);
    *out = bus;
    return CHARLE_OK;
}

void ch_bus_close(struct ch_bus *bus)
{
    if (!bus)
        return;
    if (bus->aio)
        nng_aio_stop(bus->aio);
    if (bus->has_socket)
        nng_close(bus->socket);
    if (bus->aio)
        nng_aio_free(bus->aio);
    pthread_mutex_destroy(&bus->mutex);
    ch_free(bus);
}
