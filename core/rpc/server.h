// Inside of a server: what server.c (listeners, connections, time) and server_call.c (calls) share.
//
// Memory. The server's memory stays until its last link's does, a link's until its last call is finished: a worker may
// finish a call after the server was closed. Callbacks end with charle_rpc_server_close, which waits until no link can
// call back.
//
// A call is in its connection's table from accept until it is answered or over. `calls` of a link counts handles, over
// or not, so that a peer that starts and cancels without end cannot fill the workers' queues.
//
// Lock order: the server's before a link's. Users' callbacks run under neither.
#ifndef CHARLE_RPC_SERVER_H
#define CHARLE_RPC_SERVER_H

#include "base/limits.h"
#include "rpc/link.h"
#include "rpc/rpc.h"

struct ch_watchdog;

struct ch_server_listener {
    struct charle_rpc_server *server;
    const struct ch_transport *transport;
    void *listener;
    struct ch_watchdog *watchdog; // NULL: the transport's listeners cannot die
};

struct charle_rpc_server {
    pthread_mutex_t lock;
    pthread_cond_t quiet; // a link was closed, or a call ended while the server drains
    atomic_int refs;      // the user's and each link's
    charle_dispatch_fn dispatch;
    void *dispatch_ctx;
    struct charle_rpc_server_options options; // without defaults left open; strings are not kept
    struct charle_server_interceptor interceptors[CH_RPC_INTERCEPTORS_MAX];
    size_t interceptor_count;
    struct ch_server_listener listeners[CH_RPC_LISTENERS_MAX];
    size_t listener_count;
    const struct ch_transport *timer_transport;
    void *timer;             // opened by the first listen
    atomic_bool is_draining; // no call reaches dispatch any more
    atomic_size_t calls;     // in progress, on all links
    _Atomic uint64_t calls_total, connections_total, connections_refused;
    // under the lock
    struct ch_link_list links;
    size_t new_count; // connections that have not said HELLO
    int64_t armed_us;
    bool is_timer_off;
};

struct ch_server_link {
    struct ch_link link; // first
    struct charle_rpc_server *server;
    pthread_cond_t call_quiet; // a call's callback returned; used under the link's lock
    uint32_t calls;            // handles; under the link's lock
    size_t held_size;          // their request bytes; under the link's lock
    int64_t accepted_us;
    bool is_open;    // HELLO came; under the server's lock
    void *peer_data; // under the link's lock
    void (*peer_data_free)(void *data);
    char peer[CH_PEER_TEXT_SIZE];
};

static inline struct ch_server_link *ch_server_link_of(struct ch_link *link)
{
    return (struct ch_server_link *)link;
}

// server_call.c. The link's lock is held, and is released meanwhile.
void ch_server_call_arrived(struct ch_server_link *peer, const struct ch_conn_event *event);
void ch_server_call_over(struct ch_server_link *peer, struct ch_conn_stream *stream, enum charle_err code);
void ch_server_call_writable(struct ch_server_link *peer, struct ch_conn_stream *stream);

// server.c
void ch_server_call_ended(struct charle_rpc_server *server); // one call less in progress

// watchdog.c: dials the address every `interval_ms`, says HELLO, and after two attempts without an answer has the
// listener opened again.
CHARLE_MUST_CHECK enum charle_err ch_watchdog_open(const struct ch_transport *transport, const char *address,
                                                   void *listener, uint32_t interval_ms, struct ch_watchdog **out,
                                                   struct charle_error *err);
void ch_watchdog_close(struct ch_watchdog *watchdog);

#endif
