// RPC: channels that make calls and servers that answer them. What is behind a channel (nng over tcp, ipc or tls, or a
// loopback in the same process) is chosen by the address; calls look the same over all of them.
//
// Addresses: "tcp://127.0.0.1:4317", "tls+tcp://host:4317", "ipc:///run/charled.sock", "inproc://name" (loopback).
//
// Threads. A channel and a server may be used from any thread. Callbacks of a channel run on the transport's thread: they must not
// block; they may start further calls, but not close the channel. Server handlers run where the server's `dispatch` puts them.
//
// A call ends exactly once, whatever happens: with the server's status, DEADLINE_EXCEEDED, CANCELLED (by the caller or by closing
// the channel), or UNAVAILABLE when the connection is lost. A message above a limit ends its call as TOO_LARGE, which travels as
// RESOURCE_EXHAUSTED. No program forks after it has opened a channel or a server.
#ifndef CHARLE_RPC_RPC_H
#define CHARLE_RPC_RPC_H

#include "base/buf.h"
#include "call/method.h"

// --- metadata --------------------------------------------------------------------------------------------------------

struct charle_metadata_entry {
    struct charle_str key; // lower case ASCII
    struct charle_str value;
};
struct charle_metadata {
    const struct charle_metadata_entry *entries;
    size_t count;
};

// The outcome of a call as both ends see it: one of the 17 status codes, words, and details a program can use
// (the bytes of any message; empty: none).
struct charle_status {
    enum charle_err code; // the precise code when both ends are ours
    struct charle_str text;
    struct charle_bytes details;
    struct charle_metadata trailers;
};

// --- client ----------------------------------------------------------------------------------------------------------

struct charle_channel;
struct charle_rpc; // one call in progress

struct charle_channel_options { // zero means the default
    const char *token;            // sent as "authorization: Bearer …" with each call
    const char *tls_ca_file;      // pins the authority
    const char *tls_server_name;
    uint32_t connect_timeout_ms;  // of one attempt; by default 2,500, and 8,000 for every fourth that nobody answers
    uint32_t heartbeat_ms;        // 5,000; two misses and the channel dials again
    uint32_t redial_max_ms;       // 3,000: back-off is bounded by this, with jitter
    uint32_t message_size_max;    // CH_MESSAGE_SIZE_MAX
    const char *tls_cert_file, *tls_key_file; // shown to a server that asks who connects
    const struct ch_transport *transport;     // NULL: by the address; tests put their own in between (rpc/stream.h)
};

// Never blocks: dialling happens in the background and goes on for ever. INVALID_ARGUMENT for an address that cannot be.
CHARLE_MUST_CHECK enum charle_err charle_channel_open(const char *address, const struct charle_channel_options *options,
                                                      struct charle_channel **out, struct charle_error *err);
void charle_channel_close(struct charle_channel *channel); // waits for callbacks; open calls end as CANCELLED
void charle_channel_set_token(struct charle_channel *channel, const char *token); // for calls sent from now on; NULL: none
bool charle_channel_is_connected(const struct charle_channel *channel);
void charle_channel_redial(struct charle_channel *channel); // now, for instance after a suspend

// Calls begin and end here on their way through a channel: for authentication, logging, metrics, tracing.
struct charle_client_call {
    struct charle_str method;
    size_t request_size;
    struct charle_metadata_entry metadata[32]; // the caller's; `before` may append, up to CH_RPC_METADATA_COUNT_MAX
    size_t metadata_count;                     // what is appended must stay valid until `before` of the last interceptor returned
};
struct charle_call_outcome {
    struct charle_str method;
    enum charle_err code;
    struct charle_str text;
    int64_t started_us, ended_us; // monotonic
    size_t request_size, reply_size, message_count; // bytes and messages of the reply
};
struct charle_client_interceptor { // either may be NULL
    // Before the call is made, on the caller's thread. An error keeps it from being made and is what charle_rpc_start returns.
    enum charle_err (*before)(void *ctx, struct charle_client_call *call, struct charle_error *err);
    // Before `done`, on the transport's thread.
    void (*after)(void *ctx, const struct charle_call_outcome *outcome);
    void *ctx; // lives as long as the channel
};
// Before the first call; at most CH_RPC_INTERCEPTORS_MAX. They run in the order added, `after` in the opposite one.
CHARLE_MUST_CHECK enum charle_err charle_channel_intercept(struct charle_channel *channel,
                                                           const struct charle_client_interceptor *interceptor);

// Told when the channel connects and disconnects. At most one watcher; called on the transport's thread.
typedef void (*charle_channel_watch_fn)(void *ctx, bool is_connected);
void charle_channel_watch(struct charle_channel *channel, charle_channel_watch_fn fn, void *ctx);

struct charle_call_options { // zero means the default
    uint32_t timeout_ms; // 0: the method's, else 30,000; UINT32_MAX: none
    struct charle_metadata metadata;
    uint32_t window; // bytes that a stream's server may be ahead of charle_rpc_consumed; 0: 256 KiB, the least
    bool fail_fast; // UNAVAILABLE at once when not connected, instead of waiting within the deadline
};

// Events of one call, in order: any number of message events, then exactly one done. Bytes are valid during the callback.
struct charle_rpc_events {
    void (*message)(void *ctx, struct charle_rpc *rpc, struct charle_bytes message);
    void (*done)(void *ctx, struct charle_rpc *rpc, const struct charle_status *status);
    void *ctx;
};

// Starts a unary or server-streaming call with its only request. The handle is freed by charle_rpc_release, which may be called in
// or after done. Flow control: a stream's sender may be options->window bytes ahead of charle_rpc_consumed (called for every
// message event when the bytes have been dealt with).
CHARLE_MUST_CHECK enum charle_err charle_rpc_start(struct charle_channel *channel, struct charle_str method,
                                                   struct charle_bytes request, const struct charle_call_options *options,
                                                   const struct charle_rpc_events *events, struct charle_rpc **out,
                                                   struct charle_error *err);
void charle_rpc_consumed(struct charle_rpc *rpc, size_t size);
void charle_rpc_cancel(struct charle_rpc *rpc); // done follows with CANCELLED unless it is already over
void charle_rpc_release(struct charle_rpc *rpc);

// A blocking unary call for programs without an event loop: waits for the reply, decodes it. Not from a callback.
CHARLE_MUST_CHECK enum charle_err charle_call(struct charle_channel *channel, const struct charle_method *method,
                                              const void *request, struct charle_arena *arena, void *reply,
                                              const struct charle_call_options *options, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err charle_call_bytes(struct charle_channel *channel, struct charle_str method,
                                                    struct charle_bytes request, struct charle_buf *reply,
                                                    const struct charle_call_options *options,
                                                    struct charle_error *err);

// --- server ----------------------------------------------------------------------------------------------------------

struct charle_rpc_server;
struct charle_server_call; // one call being answered

struct charle_rpc_server_options { // zero means the default
    uint32_t message_size_max;        // CH_MESSAGE_SIZE_MAX
    uint32_t connections_max;         // 4,096
    uint32_t connections_per_address_max; // 0: no limit of its own (loopback is exempt)
    uint32_t calls_per_connection_max;    // 1,024 in flight
    uint32_t heartbeat_ms;            // 5,000; three misses and the connection is dropped
    uint32_t idle_message_ms;         // 15,000: a half-sent message is not held longer
    const char *tls_cert_file, *tls_key_file;
    const char *tls_client_ca_file;   // only peers with a certificate of this authority may connect (mutual TLS)
    bool allow_plain_tcp;             // listen at tcp:// addresses that other machines reach; else they need tls+tcp://
    uint32_t watchdog_ms;             // 5,000: how often an ipc listener checks that it can still be reached
    const struct ch_transport *transport; // NULL: by the address; tests put their own in between (rpc/stream.h)
};

// Called for every call that arrives, on the transport's thread: hand it to a worker or answer at once; never block. The call stays
// valid until charle_server_call_finish. `call` carries its method name, request bytes, metadata, deadline.
typedef void (*charle_dispatch_fn)(void *ctx, struct charle_server_call *call);

CHARLE_MUST_CHECK enum charle_err charle_rpc_server_open(const struct charle_rpc_server_options *options,
                                                         charle_dispatch_fn dispatch, void *ctx,
                                                         struct charle_rpc_server **out, struct charle_error *err);
// May be called for several addresses. out_address (at least 128 bytes, may be NULL) takes the real one: port 0 picks a free port.
CHARLE_MUST_CHECK enum charle_err charle_rpc_server_listen(struct charle_rpc_server *server, const char *address,
                                                           char *out_address, struct charle_error *err);
// Stops accepting, tells peers (GOAWAY), waits up to drain_ms for calls in flight, then cancels the rest and frees. No callback runs
// afterwards. Calls that workers still hold stay valid until they are finished.
void charle_rpc_server_close(struct charle_rpc_server *server, uint32_t drain_ms);
size_t charle_rpc_server_connections(const struct charle_rpc_server *server);

struct charle_rpc_server_stats {
    uint64_t connections_total, connections_refused;
    uint64_t calls_total;   // that reached dispatch
    size_t connections, calls; // now
};
void charle_rpc_server_get_stats(const struct charle_rpc_server *server, struct charle_rpc_server_stats *out);

// Calls begin and end here on the server.
struct charle_server_interceptor { // either may be NULL
    // Before dispatch, on the transport's thread; must not block. An error ends the call with its code and text.
    enum charle_err (*before)(void *ctx, struct charle_server_call *call, struct charle_error *err);
    // After the call was finished, on the thread that finished it; the call's accessors still work. outcome->code is CANCELLED or
    // DEADLINE_EXCEEDED when the call was over before.
    void (*after)(void *ctx, struct charle_server_call *call, const struct charle_call_outcome *outcome);
    void *ctx; // lives as long as the server
};
// Before the first listen; at most CH_RPC_INTERCEPTORS_MAX. They run in the order added, `after` in the opposite one.
CHARLE_MUST_CHECK enum charle_err charle_rpc_server_intercept(struct charle_rpc_server *server,
                                                              const struct charle_server_interceptor *interceptor);

struct charle_str charle_server_call_method(const struct charle_server_call *call);
struct charle_bytes charle_server_call_request(const struct charle_server_call *call); // valid until finish
struct charle_metadata charle_server_call_metadata(const struct charle_server_call *call);
struct charle_str charle_server_call_peer(const struct charle_server_call *call);     // "127.0.0.1:51234"
int64_t charle_server_call_deadline_us(const struct charle_server_call *call);        // monotonic; 0: none
bool charle_server_call_is_over(const struct charle_server_call *call);               // cancelled, disconnected, late
// Called once, on any thread, when the call is over before it was finished; inside this function when it is already. Set at most
// once. finish waits for a callback of the call that is running on another thread: hold no lock there that the callback takes.
void charle_server_call_on_over(struct charle_server_call *call, void (*fn)(void *ctx), void *ctx);

// The per-connection slot: whatever the server wants to remember of a peer (its session). `free` runs when the connection goes.
void charle_server_call_set_peer_data(struct charle_server_call *call, void *data, void (*free)(void *data));
void *charle_server_call_peer_data(const struct charle_server_call *call);

// Sends one message of a stream; the bytes are copied into the connection's write buffer. Never blocks: returns
// RESOURCE_EXHAUSTED when the peer's credit is used up (nothing was sent; wait for on_writable), CANCELLED when over,
// TOO_LARGE when the peer reads no such message.
CHARLE_MUST_CHECK enum charle_err charle_server_call_send(struct charle_server_call *call, struct charle_bytes message);
// fn is called once for each refused send, when there is room again; inside this function when there is already.
void charle_server_call_on_writable(struct charle_server_call *call, void (*fn)(void *ctx), void *ctx);
// As send, but waits for room: for worker threads, not for callbacks. CANCELLED when the call is over; DEADLINE_EXCEEDED when the peer has
// made no room in `wait_ms`, and nothing was sent. A function given to on_writable stays, and is not called meanwhile.
CHARLE_MUST_CHECK enum charle_err charle_server_call_send_wait(struct charle_server_call *call, struct charle_bytes message,
                                                               uint32_t wait_ms);
// What the status will carry besides code and text; copied. Details above CH_RPC_DETAILS_SIZE_MAX and trailers above the
// limits of metadata are refused.
CHARLE_MUST_CHECK enum charle_err charle_server_call_set_details(struct charle_server_call *call,
                                                                 struct charle_bytes details);
CHARLE_MUST_CHECK enum charle_err charle_server_call_add_trailer(struct charle_server_call *call, struct charle_str key,
                                                                 struct charle_str value);
// Ends the call: with OK `message` is the reply of a unary call (ptr NULL for a stream: no further message; a reply without any bytes
// has a ptr that is not NULL). The handle is gone afterwards. Must be called for every call, also when it is over and when the
// server was closed meanwhile. Appends to the write buffer; many calls finished one after another share a system call.
void charle_server_call_finish(struct charle_server_call *call, enum charle_err code, struct charle_str text,
                               struct charle_bytes message);

// Ends several calls as charle_server_call_finish does. Answers to one peer that stand together share a write from the start, not
// only once a write is in flight: for servers that answer in batches.
struct charle_answer {
    struct charle_server_call *call;
    enum charle_err code;
    struct charle_str text;
    struct charle_bytes message;
};
void charle_server_calls_finish(const struct charle_answer *answers, size_t count);

#endif
