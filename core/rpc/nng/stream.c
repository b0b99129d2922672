// Byte streams of nng 1.5.2: tcp://, tls+tcp://, ipc://. With the files beside it the only place that names nng.
//
// What has to be known of that library, and is taken care of here:
//   - An operation begun on a closed stream never ends. After beginning one we look whether the stream was closed
//     meanwhile and end it; closing ends what was begun before. One of the two sees the other. Ending means aborting
//     for tcp and ipc; for TLS, which forgets to abort, it means closing once more.
//   - A TLS stream that failed between two reads does not tell the second one. While a read waits, we look a moment
//     later whether the socket still has a peer.
//   - A TLS stream ends with a read of no bytes.
//   - nng_aio_free waits for the callback, so from a callback nng_aio_reap does it. Streams free themselves in the
//     background.
//   - Dialers and listeners wait when they are freed, which a callback must not: a dialer lives as long as its channel.
//   - Its expiry thread may end an operation with a timeout that was meant for the one before. Only dials have
//     timeouts; a timer looks at the clock again when it wakes.
//   - A write may end with a part of the bytes.
//   - Callbacks come from a few threads of its own, never from inside the call.
//   - No fork after the first call.
#include "base/alloc.h"
#include "base/log.h"
#include "rpc/nng/parts.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum {
    ACCEPT_PAUSE_MS = 100, // after an accept that failed, as when all descriptors are in use
    // The kernel asks again for a connection after 1, 3, 7 … s, and a line may heal just behind one of them; a new
    // attempt asks at once. So most attempts are short, and one in four is long enough for a line that is only slow.
    CONNECT_TIMEOUT_MS = 2500,
    CONNECT_TIMEOUT_LONG_MS = 8000,
    CONNECT_LONG_EVERY = 4,
    LOOK_MS = 100,
};

static bool is_tls(const char *address)
{
    return strncmp(address, "tls+", 4) == 0;
}

static enum charle_err code_of(int rv)
{
    switch (rv) {
    case 0:
        return CHARLE_OK;
    case NNG_ENOMEM:
        return CHARLE_NO_MEMORY;
    case NNG_EADDRINUSE:
        return CHARLE_ALREADY_EXISTS;
    case NNG_EPERM:
        return CHARLE_PERMISSION_DENIED;
    case NNG_EADDRINVAL:
    case NNG_EINVAL:
    case NNG_ENOTSUP:
        return CHARLE_INVALID_ARGUMENT;
    case NNG_ECLOSED:
    case NNG_ECONNSHUT:
    case NNG_ECONNRESET:
        return CHARLE_CLOSED;
    default:
        return CHARLE_UNAVAILABLE;
    }
}

enum charle_err ch_nng_fail(struct charle_error *err, int rv, const char *what, const char *address)
{
    return charle_fail_foreign(err, code_of(rv), CHARLE_DOMAIN_NNG, rv, "%s %s: %s", what, address, nng_strerror(rv));
}

// --- streams ---------------------------------------------------------------------------------------------------------

struct stream {
    nng_stream *s;
    nng_aio *read_aio, *write_aio;
    nng_aio *look_aio; // TLS only: sleeps, then looks whether the socket still has a peer
    atomic_bool is_closed;
    atomic_bool is_looking; // look_aio sleeps or runs
    atomic_int refs;        // the user's, and look_aio's while it is at work
    ch_stream_done_fn on_read, on_write;
    void *ctx;
};

static void done(struct stream *stream, nng_aio *aio, ch_stream_done_fn fn)
{
    size_t size = nng_aio_result(aio) ? 0 : nng_aio_count(aio);
    fn(stream->ctx, size ? CHARLE_OK : CHARLE_CLOSED, size);
}

static void read_done(void *arg)
{
    struct stream *stream = arg;
    done(stream, stream->read_aio, stream->on_read);
}

static void write_done(void *arg)
{
    struct stream *stream = arg;
    done(stream, stream->write_aio, stream->on_write);
}

// Ends what is in flight. May be called again for what was begun since.
static void end_operations(struct stream *stream)
{
    nng_stream_close(stream->s);
    nng_aio_abort(stream->read_aio, NNG_ECLOSED);
    nng_aio_abort(stream->write_aio, NNG_ECLOSED);
}

static void stream_close(void *object)
{
    struct stream *stream = object;
    if (!atomic_exchange(&stream->is_closed, true))
        end_operations(stream);
}

static void stream_unref(struct stream *stream)
{
    if (atomic_fetch_sub(&stream->refs, 1) != 1)
        return;
    if (stream->s && !atomic_load(&stream->is_closed))
        nng_stream_close(stream->s);
    nng_aio_reap(stream->read_aio);
    nng_aio_reap(stream->write_aio);
    nng_aio_reap(stream->look_aio);
    nng_stream_free(stream->s);
    ch_free(stream);
}

static void stream_free(void *object)
{
    struct stream *stream = object;
    if (stream->look_aio)
        nng_aio_abort(stream->look_aio, NNG_ECANCELED);
    stream_unref(stream);
}

static void look_done(void *arg)
{
    struct stream *stream = arg;
    nng_sockaddr address;
    atomic_store(&stream->is_looking, false);
    if (nng_stream_get_addr(stream->s, NNG_OPT_REMADDR, &address) != 0)
        stream_close(stream);
    stream_unref(stream);
}

static void look_soon(struct stream *stream)
{
    if (!stream->look_aio || atomic_exchange(&stream->is_looking, true))
        return;
    atomic_fetch_add(&stream->refs, 1);
    nng_sleep_aio(LOOK_MS, stream->look_aio);
}

// Takes over `s`, also on failure.
static struct stream *stream_new(nng_stream *s, bool is_tls_stream)
{
    struct stream *stream = ch_alloc_zeroed(1, sizeof(*stream));
    if (!stream) {
        nng_stream_close(s);
        nng_stream_free(s);
        return NULL;
    }
    stream->s = s;
    atomic_init(&stream->is_closed, false);
    atomic_init(&stream->is_looking, false);
    atomic_init(&stream->refs, 1);
    if (nng_aio_alloc(&stream->read_aio, read_done, stream) || nng_aio_alloc(&stream->write_aio, write_done, stream) ||
        (is_tls_stream && nng_aio_alloc(&stream->look_aio, look_done, stream))) {
        stream_free(stream);
        return NULL;
    }
    return stream;
}

static void stream_start(void *object, ch_stream_done_fn on_read, ch_stream_done_fn on_write, void *ctx)
{
    struct stream *stream = object;
    stream->on_read = on_read;
    stream->on_write = on_write;
    stream->ctx = ctx;
}

// NOLINTNEXTLINE(readability-non-const-parameter): nng writes there
static void stream_read(void *object, uint8_t *to, size_t room)
{
    struct stream *stream = object;
    nng_iov iov = {.iov_buf = to, .iov_len = room};
    nng_aio_set_iov(stream->read_aio, 1, &iov);
    nng_stream_recv(stream->s, stream->read_aio);
    if (atomic_load(&stream->is_closed))
        end_operations(stream);
    else
        look_soon(stream);
}

static void stream_write(void *object, const uint8_t *from, size_t size)
{
    struct stream *stream = object;
    nng_iov iov = {.iov_buf = (void *)from, .iov_len = size};
    nng_aio_set_iov(stream->write_aio, 1, &iov);
    nng_stream_send(stream->s, stream->write_aio);
    if (atomic_load(&stream->is_closed))
        end_operations(stream);
}

static void stream_peer(void *object, char out[CH_PEER_TEXT_SIZE])
{
    struct stream *stream = object;
    nng_sockaddr address = {0};
    char host[INET6_ADDRSTRLEN] = "";
    if (nng_stream_get_addr(stream->s, NNG_OPT_REMADDR, &address))
        address.s_family = NNG_AF_UNSPEC;
    if (address.s_family == NNG_AF_INET) {
        inet_ntop(AF_INET, &address.s_in.sa_addr, host, sizeof(host));
        snprintf(out, CH_PEER_TEXT_SIZE, "%s:%u", host, ntohs(address.s_in.sa_port));
    } else if (address.s_family == NNG_AF_INET6) {
        inet_ntop(AF_INET6, address.s_in6.sa_addr, host, sizeof(host));
        snprintf(out, CH_PEER_TEXT_SIZE, "[%s]:%u", host, ntohs(address.s_in6.sa_port));
    } else {
        uint64_t pid = 0;
        nng_stream_get_uint64(stream->s, NNG_OPT_IPC_PEER_PID, &pid);
        snprintf(out, CH_PEER_TEXT_SIZE, "ipc:%llu", (unsigned long long)pid);
    }
}

// --- dialers ---------------------------------------------------------------------------------------------------------

struct dialer {
    nng_stream_dialer *d;
    nng_aio *aio;
    ch_stream_made_fn fn;
    void *ctx;
    nng_duration timeout_ms; // 0: as said above
    uint32_t timeouts;       // attempts that ran out of time, in a row
    char address[CH_ADDRESS_SIZE];
};

static void dial_done(void *arg)
{
    struct dialer *dialer = arg;
    struct charle_error err;
    int rv = nng_aio_result(dialer->aio);
    dialer->timeouts = rv == NNG_ETIMEDOUT ? dialer->timeouts + 1 : 0;
    struct stream *stream = rv ? NULL : stream_new(nng_aio_get_output(dialer->aio, 0), is_tls(dialer->address));
    if (stream)
        dialer->fn(dialer->ctx, CHARLE_OK, stream, NULL);
    else
        dialer->fn(dialer->ctx, ch_nng_fail(&err, rv ? rv : NNG_ENOMEM, "cannot connect to", dialer->address), NULL,
                   &err);
}

static void dialer_free(struct dialer *dialer)
{
    if (dialer->d)
        nng_stream_dialer_close(dialer->d);
    if (dialer->aio)
        nng_aio_stop(dialer->aio);
    nng_aio_free(dialer->aio);
    nng_stream_dialer_free(dialer->d);
    ch_free(dialer);
}

static enum charle_err dialer_tls(struct dialer *dialer, const struct ch_transport_options *options,
                                  struct charle_error *err)
{
    nng_tls_config *config;
    enum charle_err rc = ch_nng_tls_dial_config(dialer->address, options, &config, err);
    if (rc)
        return rc;
    int rv = nng_stream_dialer_set_ptr(dialer->d, NNG_OPT_TLS_CONFIG, config);
    nng_tls_config_free(config);
    return rv ? ch_nng_fail(err, rv, "TLS cannot be configured for", dialer->address) : CHARLE_OK;
}

static enum charle_err dialer_open(const char *address, const struct ch_transport_options *options,
                                   ch_stream_made_fn fn, void *ctx, void **out, struct charle_error *err)
{
    struct dialer *dialer = ch_alloc_zeroed(1, sizeof(*dialer));
    if (!dialer)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory to dial %s", address);
    snprintf(dialer->address, sizeof(dialer->address), "%s", address);
    dialer->fn = fn;
    dialer->ctx = ctx;
    int rv = nng_stream_dialer_alloc(&dialer->d, address);
    if (!rv)
        rv = nng_aio_alloc(&dialer->aio, dial_done, dialer);
    enum charle_err rc = rv ? ch_nng_fail(err, rv, "cannot dial", address) : CHARLE_OK;
    if (!rc && is_tls(address))
        rc = dialer_tls(dialer, options, err);
    if (rc) {
        dialer_free(dialer);
        return rc;
    }
    nng_stream_dialer_set_bool(dialer->d, NNG_OPT_TCP_NODELAY, true); // ipc has no such thing and says so
    dialer->timeout_ms = (nng_duration)options->connect_timeout_ms;
    *out = dialer;
    return CHARLE_OK;
}

static void dialer_dial(void *object)
{
    struct dialer *dialer = object;
    bool is_long = (dialer->timeouts + 1) % CONNECT_LONG_EVERY == 0;
    nng_duration ms = is_long ? CONNECT_TIMEOUT_LONG_MS : CONNECT_TIMEOUT_MS;
    nng_aio_set_timeout(dialer->aio, dialer->timeout_ms ? dialer->timeout_ms : ms);
    nng_stream_dialer_dial(dialer->d, dialer->aio);
}

static void dialer_close(void *object)
{
    dialer_free(object);
}

// --- listeners -------------------------------------------------------------------------------------------------------

// The listener proper can be exchanged for a fresh one at the same address (listener_reopen). That is done by the
// callback of the accept that ends when the old one is closed, so one accept is in flight at any time.
struct listener {
    nng_stream_listener *l;
    nng_aio *aio;
    nng_aio *pause_aio;
    nng_tls_config *tls;
    ch_stream_made_fn fn;
    void *ctx;
    pthread_mutex_t lock;
    bool is_closed, must_reopen; // under the lock
    char address[CH_ADDRESS_SIZE];
};

// Makes and binds a listener at the address.
static int listener_bind(struct listener *listener, nng_stream_listener **out)
{
    nng_stream_listener *l = NULL;
    int rv = nng_stream_listener_alloc(&l, listener->address);
    if (!rv && listener->tls)
        rv = nng_stream_listener_set_ptr(l, NNG_OPT_TLS_CONFIG, listener->tls);
    if (!rv)
        nng_stream_listener_set_bool(l, NNG_OPT_TCP_NODELAY, true); // ipc has no such thing and says so
    if (!rv)
        rv = nng_stream_listener_listen(l);
    if (rv)
        nng_stream_listener_free(l);
    else
        *out = l;
    return rv;
}

// Begins the next accept, or tries again in a moment. The lock is held.
static void accept_next(struct listener *listener, bool is_troubled)
{
    if (is_troubled || !listener->l)
        nng_sleep_aio(ACCEPT_PAUSE_MS, listener->pause_aio);
    else
        nng_stream_listener_accept(listener->l, listener->aio);
}

// The lock is held.
static void reopen(struct listener *listener)
{
    nng_stream_listener_free(listener->l);
    listener->l = NULL;
    int rv = listener_bind(listener, &listener->l);
    listener->must_reopen = rv != 0;
    if (rv)
        ch_log(CH_LOG_ERROR, "rpc", "cannot listen again address=%s reason=%s", listener->address, nng_strerror(rv));
    else
        ch_log(CH_LOG_WARN, "rpc", "listening again, since nothing answered any more address=%s", listener->address);
}

static void accept_done(void *arg)
{
    struct listener *listener = arg;
    int rv = nng_aio_result(listener->aio);
    struct stream *stream = rv ? NULL : stream_new(nng_aio_get_output(listener->aio, 0), is_tls(listener->address));
    if (stream)
        listener->fn(listener->ctx, CHARLE_OK, stream, NULL);
    pthread_mutex_lock(&listener->lock);
    if (!listener->is_closed && listener->must_reopen)
        reopen(listener);
    if (!listener->is_closed)
        accept_next(listener, rv != 0);
    pthread_mutex_unlock(&listener->lock);
}

static void pause_done(void *arg)
{
    struct listener *listener = arg;
    pthread_mutex_lock(&listener->lock);
    if (!listener->is_closed && listener->must_reopen)
        reopen(listener);
    if (!listener->is_closed)
        accept_next(listener, false);
    pthread_mutex_unlock(&listener->lock);
}

static void listener_free(struct listener *listener)
{
    if (listener->aio)
        nng_aio_stop(listener->aio);
    if (listener->pause_aio)
        nng_aio_stop(listener->pause_aio);
    nng_aio_free(listener->aio);
    nng_aio_free(listener->pause_aio);
    nng_stream_listener_free(listener->l);
    if (listener->tls)
        nng_tls_config_free(listener->tls);
    pthread_mutex_destroy(&listener->lock);
    ch_free(listener);
}

// The address with the port that was really bound.
static void real_address(const struct listener *listener, char *out)
{
    int port = 0;
    const char *colon = strrchr(listener->address, ':');
    bool has_port = nng_stream_listener_get_int(listener->l, NNG_OPT_TCP_BOUND_PORT, &port) == 0;
    if (has_port)
        snprintf(out, CH_ADDRESS_SIZE, "%.*s:%d", (int)(colon - listener->address), listener->address, port);
    else
        snprintf(out, CH_ADDRESS_SIZE, "%s", listener->address);
}

static enum charle_err listener_open(const char *address, const struct ch_transport_options *options,
                                     ch_stream_made_fn fn, void *ctx, void **out, char *out_address,
                                     struct charle_error *err)
{
    struct listener *listener = ch_alloc_zeroed(1, sizeof(*listener));
    if (!listener)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory to listen at %s", address);
    pthread_mutex_init(&listener->lock, NULL);
    snprintf(listener->address, sizeof(listener->address), "%s", address);
    listener->fn = fn;
    listener->ctx = ctx;
    enum charle_err rc =
        is_tls(address) ? ch_nng_tls_config(NNG_TLS_MODE_SERVER, options, &listener->tls, err) : CHARLE_OK;
    int rv = rc ? 0 : listener_bind(listener, &listener->l);
    if (!rv && !rc)
        rv = nng_aio_alloc(&listener->aio, accept_done, listener);
    if (!rv && !rc)
        rv = nng_aio_alloc(&listener->pause_aio, pause_done, listener);
    if (rv)
        rc = ch_nng_fail(err, rv, "cannot listen at", address);
    if (rc) {
        listener_free(listener);
        return rc;
    }
    real_address(listener, out_address);
    snprintf(listener->address, sizeof(listener->address), "%s", out_address);
    *out = listener;
    pthread_mutex_lock(&listener->lock);
    accept_next(listener, false);
    pthread_mutex_unlock(&listener->lock);
    return CHARLE_OK;
}

static void listener_reopen(void *object)
{
    struct listener *listener = object;
    pthread_mutex_lock(&listener->lock);
    listener->must_reopen = true;
    if (!listener->is_closed && listener->l)
        nng_stream_listener_close(listener->l); // ends the accept, whose callback does the rest
    pthread_mutex_unlock(&listener->lock);
}

static void listener_close(void *object)
{
    struct listener *listener = object;
    pthread_mutex_lock(&listener->lock);
    listener->is_closed = true;
    if (listener->l)
        nng_stream_listener_close(listener->l);
    pthread_mutex_unlock(&listener->lock);
    listener_free(listener);
}

const struct ch_transport ch_transport_nng = {
    .name = "nng",
    .dialer_open = dialer_open,
    .dialer_dial = dialer_dial,
    .dialer_close = dialer_close,
    .listener_open = listener_open,
    .listener_reopen = listener_reopen,
    .listener_close = listener_close,
    .stream_start = stream_start,
    .stream_read = stream_read,
    .stream_write = stream_write,
    .stream_close = stream_close,
    .stream_free = stream_free,
    .stream_peer = stream_peer,
    .timer_open = ch_nng_timer_open,
    .timer_set = ch_nng_timer_set,
    .timer_close = ch_nng_timer_close,
};
