// The narrow door to byte streams: dial, accept, read, write, close, and a timer. What is behind it (nng in rpc/nng, a
// pipe in the same process in loopback.c) can be exchanged without anything above noticing.
//
// Rules for every transport:
//   - A callback never runs inside the call that asked for it, so callers may hold their locks. It runs on a thread of
//     the transport and must not block.
//   - Every operation that was begun ends with exactly one callback, also after close.
//   - Callbacks of one object and one kind (the reads of a stream, the dials of a dialer, …) never overlap; a read's
//     and a write's may.
//   - Functions named …_close wait until no callback of the object runs or will run, except stream_close, which returns
//     at once. They must not be called from a callback.
#ifndef CHARLE_RPC_STREAM_H
#define CHARLE_RPC_STREAM_H

#include "base/err.h"
#include "base/str.h"

enum { CH_PEER_TEXT_SIZE = 64, CH_ADDRESS_SIZE = 128 };

struct ch_transport_options {  // NULL and zero mean none
    const char *tls_ca_file;   // dialing: who must have signed the server; listening: who must have signed clients
    const char *tls_cert_file; // own certificate chain, PEM
    const char *tls_key_file;
    const char *tls_server_name; // dialing: the name in the server's certificate, when it is not the address's host
    uint32_t connect_timeout_ms; // dialing
};

// A finished read or write of a stream. `size` bytes went through, at least 1 when rc is OK. CLOSED: by the peer or by
// us.
typedef void (*ch_stream_done_fn)(void *ctx, enum charle_err rc, size_t size);

// A finished dial or accept. OK: `stream` is the callee's, who must stream_free it in the end. For a dial, err says why
// not.
typedef void (*ch_stream_made_fn)(void *ctx, enum charle_err rc, void *stream, const struct charle_error *err);

struct ch_transport {
    const char *name;

    // A dialer makes connections to one address, one after the other. `address` is a whole one, "tcp://127.0.0.1:4317".
    enum charle_err (*dialer_open)(const char *address, const struct ch_transport_options *options,
                                   ch_stream_made_fn fn, void *ctx, void **out, struct charle_error *err);
    void (*dialer_dial)(void *dialer); // at most one at a time
    void (*dialer_close)(void *dialer);

    // A listener accepts for as long as it is open. out_address (CH_ADDRESS_SIZE bytes) takes the real address.
    enum charle_err (*listener_open)(const char *address, const struct ch_transport_options *options,
                                     ch_stream_made_fn fn, void *ctx, void **out, char *out_address,
                                     struct charle_error *err);
    // Begins to listen anew where it listened before, for a listener that no longer answers. May be called from a
    // callback of another object. NULL when the transport's listeners cannot die.
    void (*listener_reopen)(void *listener);
    void (*listener_close)(void *listener);

    // Streams. Before the first read or write, stream_start says who is told. At most one read and one write at a time.
    // The memory given to them stays the transport's until their callback.
    void (*stream_start)(void *stream, ch_stream_done_fn on_read, ch_stream_done_fn on_write, void *ctx);
    void (*stream_read)(void *stream, uint8_t *to, size_t room);
    void (*stream_write)(void *stream, const uint8_t *from, size_t size);
    void (*stream_close)(void *stream); // pending operations end as CLOSED, later ones too; may be called twice
    void (*stream_free)(void *stream);  // closes; no operation may be pending, but its callback may still be returning
    void (*stream_peer)(void *stream, char out[CH_PEER_TEXT_SIZE]); // "127.0.0.1:51234"

    // Timers fire once at or after the time set, on the monotonic clock, and possibly early: the callee looks at its
    // clock. Setting replaces. A timer may be set from its own callback and under any lock.
    enum charle_err (*timer_open)(void (*fn)(void *ctx), void *ctx, void **out);
    void (*timer_set)(void *timer, int64_t at_us);
    void (*timer_close)(void *timer);
};

extern const struct ch_transport ch_transport_nng;      // tcp://, tls+tcp://, ipc://: rpc/nng
extern const struct ch_transport ch_transport_loopback; // inproc://: loopback.c

// The transport of an address, by its scheme. INVALID_ARGUMENT with a sentence for an address that cannot be.
CHARLE_MUST_CHECK enum charle_err ch_transport_of(const char *address, const struct ch_transport **out,
                                                  struct charle_error *err);
// Is it plain TCP that others than this machine can reach?
bool ch_address_is_exposed(const char *address);

#endif
