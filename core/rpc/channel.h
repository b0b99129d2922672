// Inside of a channel: what channel.c (the connection: dialling, losing, redialling, time) and client_call.c (calls)
// share.
//
// A channel has at most one connection that takes new calls. One that was told GOAWAY is let go: it stays until its
// calls have ended, while the channel dials anew. Calls made without a connection, or with one that has no room, wait
// in order.
//
//   IDLE ──redial_us──► DIALING ──stream──► GREETING ──HELLO──► READY
//    ▲────────failed──────┘ ◄──────lost───────┘ ◄──lost, GOAWAY──┘
//
// Lock order: the channel's before a link's. Callbacks run under neither. A call belongs to the channel's lock while it
// waits and to its link's lock once it is sent; it is ended by whoever takes it off the waiting list or out of the
// connection's table. If that happens while a message callback of the call is running, the one who runs it ends the
// call afterwards.
#ifndef CHARLE_RPC_CHANNEL_H
#define CHARLE_RPC_CHANNEL_H

#include "base/limits.h"
#include "rpc/link.h"
#include "rpc/rpc.h"

enum ch_channel_state { CH_CHANNEL_IDLE, CH_CHANNEL_DIALING, CH_CHANNEL_GREETING, CH_CHANNEL_READY };

struct charle_rpc {
    struct ch_conn_stream stream; // first: the connection's events point to it
    struct charle_channel *channel;
    struct ch_link *link; // held; set when the call is sent, under both locks
    struct charle_rpc_events events;
    atomic_int refs; // the user's, and one until done has returned
    int64_t started_us, deadline_us;
    uint32_t window; // see charle_call_options
    // waiting: the caller's metadata and the request, copied
    struct charle_rpc *next, *prev;
    struct charle_buf copy;
    size_t metadata_count, metadata_size;
    bool is_waiting;
    // sent
    bool is_busy;    // a message callback runs
    bool is_end_due; // it ended meanwhile, as end_code and end_text say
    enum charle_err end_code;
    const char *end_text; // lives as long as the call
    // for interceptors
    size_t request_size, reply_size, message_count;
    size_t method_len;
    char method[];
};

struct ch_rpc_list {
    struct charle_rpc *first, *last;
};

struct charle_channel {
    pthread_mutex_t lock;
    pthread_cond_t quiet; // a link was closed, or the dialer returned
    atomic_int refs;      // the user's, each link's, each call's
    const struct ch_transport *transport;
    void *dialer, *timer;
    struct ch_conn_options conn_options;
    uint32_t redial_max_ms;
    char address[CH_ADDRESS_SIZE];
    struct charle_client_interceptor interceptors[CH_RPC_INTERCEPTORS_MAX];
    size_t interceptor_count;
    atomic_bool is_ready;
    atomic_size_t waiting_count; // also changed under a link's lock: see charle_rpc_start
    // under the lock
    enum ch_channel_state state;
    struct ch_link *link; // GREETING, READY
    struct ch_link_list links;
    bool is_closed;
    bool is_in_dialer; // the timer's thread is asking the dialer for a connection
    bool is_redial_wanted; // do not back off
    uint32_t attempts;     // that failed in a row
    int64_t redial_us, dialed_us, ready_us;
    int64_t armed_us;                  // the timer fires then; INT64_MAX: not
    char *authorization;               // "Bearer …"; NULL: none
    struct ch_rpc_list waiting, ended; // ended: `done` is still to be told, by the timer's thread
    size_t waiting_size;
    int64_t waiting_due_us;      // no waiting call's deadline is before
    struct charle_error trouble; // why there is no connection
    charle_channel_watch_fn watch;
    void *watch_ctx;
    bool is_telling, told_ready;
    uint32_t epoch, told_epoch; // connections made, and the one the watcher was last told of
};

// channel.c
void ch_channel_release(struct charle_channel *channel);
void ch_channel_arm(struct charle_channel *channel, int64_t at_us); // lock held

// client_call.c: all of these run without locks
void ch_client_link_event(struct ch_link *link, const struct ch_conn_event *event); // the link's lock is held
void ch_client_link_over(struct ch_link *link, bool is_closed); // the channel was closed, not the connection lost
void ch_channel_flush_waiting(struct charle_channel *channel);
void ch_channel_end_late(struct charle_channel *channel, int64_t now_us); // waiting calls whose time is up
void ch_channel_end_all_waiting(struct charle_channel *channel);
void ch_channel_tell_ended(struct charle_channel *channel);

#endif
