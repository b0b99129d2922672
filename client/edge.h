// The edge of the client: one thread that owns the core, an event queue in front of it, the channel and the lead behind it.
//
//   channel callbacks, other threads ──event──► queue ──► thread ──► core ──► env ──► channel
//
// The core is touched by the thread alone. Everybody else posts an event or reads the snapshot that the thread leaves after every round. The
// queue is bounded by what feeds it: a stream's messages by its credit (the core says what it has dealt with), other events by one of a kind.
//
// Life: ch_edge_start makes the thread at once; it sleeps until something is posted or the core's timer is due. ch_edge_stop ends it: calls in
// flight are cancelled and their last events waited for, because their memory is the edge's.
#ifndef CHARLE_CLIENT_EDGE_H
#define CHARLE_CLIENT_EDGE_H

#include "client/core.h"
#include "rpc/rpc.h"

#include <stdatomic.h>

struct ch_edge_event;
struct ch_edge_call;

// What others may read of the core. Copied under the edge's mutex.
struct ch_edge_snapshot {
    struct charle_client_status status;
    enum charle_err problem_code;
    int64_t synced, verified;
    struct charle_verify_report report;
    uint64_t round; // grows with every round of the thread
};

// Requests of callers, as bits.
enum ch_edge_wish {
    CH_EDGE_START = 1,
    CH_EDGE_STOP = 2,
    CH_EDGE_KICK = 4,  // a call was queued
    CH_EDGE_RETRY = 8, // a new token, or somebody is impatient
    CH_EDGE_SYNC = 16,
    CH_EDGE_VERIFY = 32,
    CH_EDGE_QUIT = 64,
};

struct ch_edge {
    struct ch_client_env env;
    struct ch_client_core *core;
    struct charle_channel *channel; // NULL: no server was named
    struct ch_lead lead;
    bool has_lead;
    pthread_t thread;
    bool has_thread;
    atomic_ulong bytes_received, bytes_sent;
    // Told of changes, on the thread; set before ch_edge_start.
    void (*changed)(void *ctx, unsigned events, const uint32_t *tables, size_t table_count);
    void *changed_ctx;

    pthread_mutex_t mutex; // everything below
    pthread_cond_t wake, rounded;
    struct ch_edge_event *first, *last;
    unsigned wishes;
    bool connection_moved, is_connected;
    int64_t sync_asked, sync_ticket;     // the ticket of the newest request; given by the thread
    int64_t verify_asked, verify_ticket; // ticket -1: refused
    struct ch_edge_snapshot snapshot;
    // Of the thread alone.
    int64_t timer_at_us;
    struct ch_edge_call *calls;
    int64_t suspend_us; // CLOCK_BOOTTIME - CLOCK_MONOTONIC when last looked
};

// Fills in env for ch_replica_open and the core. Nothing is started.
void ch_edge_init(struct ch_edge *edge);

// Starts the thread on an open replica. The channel is made when url is not NULL.
CHARLE_MUST_CHECK enum charle_err ch_edge_start(struct ch_edge *edge, struct ch_replica *replica, const char *url,
                                                const struct charle_channel_options *options, struct charle_error *err);
void ch_edge_stop(struct ch_edge *edge); // of one that was not started too

void ch_edge_post(struct ch_edge *edge, unsigned wishes); // any thread
void ch_edge_snapshot(struct ch_edge *edge, struct ch_edge_snapshot *out);

// Waits until the thread has gone one round more than `round`, or until the time (monotonic). False: the time came.
bool ch_edge_wait(struct ch_edge *edge, uint64_t round, int64_t until_mono_us);

// Posts SYNC or VERIFY and waits until the thread has given it a ticket. -1: refused.
int64_t ch_edge_ask(struct ch_edge *edge, enum ch_edge_wish wish);

#endif
