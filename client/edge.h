// The program around the core: one thread that feeds it, a channel to the server, and everyone who waits.
//
// Who owns what. The core belongs to the synchronising thread alone. It sleeps on `wake` until an event is queued or the core's timer is due;
// then it takes the whole queue, feeds it to the core without holding `mutex`, and publishes what others look at (`seen`). Callbacks of the
// channel run on the transport's threads and only queue events. Local calls run on their caller's thread and meet the core in the replica's
// file, under the replica's lock. Order of locks: the replica's before `mutex`; nothing is called with `mutex` held that could wait.
//
// How much is queued is bounded by the streams' credit (rpc.h): the core says when it has dealt with a message.
#ifndef CHARLE_CLIENT_EDGE_H
#define CHARLE_CLIENT_EDGE_H

#include "client/core.h"
#include "client/lock.h"
#include "rpc/rpc.h"

struct edge_call;
struct edge_event;

// What others may look at without asking the core.
struct edge_view {
    struct charle_client_status status; // the core's part
    enum charle_err problem_code;
    int failures; // sessions that ended since the last one that went live
    int64_t synced, verified;
    struct charle_verify_report report;
    struct charle_error verify_error;
    uint64_t turns; // grows with every turn of the thread
};

struct charle_client {
    struct ch_client_env env;
    struct ch_replica replica;
    struct ch_client_core *core;
    struct charle_channel *channel; // NULL: no server
    struct ch_lead lead;
    bool has_lead;
    char *url, *file;
    struct charle_arena options;    // what outlives charle_client_open
    struct charle_db *db;           // of charle_client_db

    pthread_t thread;
    bool has_thread, is_quitting;
    bool is_watching, was_watching; // the channel
    pthread_mutex_t mutex;          // all below
    pthread_cond_t wake;            // the thread has something to do
    pthread_cond_t turned;          // the thread has published
    struct edge_event *first, *last; // the queue
    int64_t timer_at;
    struct edge_view view;
    bool is_started;                // by charle_client_start
    int users;                      // who need the thread's core running: sync and verify in progress
    uint64_t bytes_received, bytes_sent;
    charle_watch_fn watch;
    void *watch_ctx;
    struct charle_client_live *lives; // client/live.h
    unsigned events;                // not taken yet
    bool owes_status;               // the core has changed since the last publication
    int event_fd;

    struct edge_call *calls;        // of the thread alone, like the next three
    struct edge_event *turn;        // taken from the queue and not dealt with yet
    struct edge_event *more;        // what env.call_more gave last
    int64_t sleep_us;               // time spent suspended, to notice more of it
};

CHARLE_MUST_CHECK enum charle_err ch_edge_open(struct charle_client *client, const struct charle_client_options *options,
                                               struct charle_error *err);
void ch_edge_close(struct charle_client *client);

// The thread and the channel exist from the first wish on.
CHARLE_MUST_CHECK enum charle_err ch_edge_need_thread(struct charle_client *client, struct charle_error *err);

enum edge_wish { EDGE_START, EDGE_STOP, EDGE_KICK, EDGE_RETRY, EDGE_SYNC, EDGE_VERIFY, EDGE_POLICY, EDGE_FILES };
// Queues a wish. With out_ticket it waits until the core has taken it, hands out its answer, and the view shows what came of it. Without a thread nothing happens.
void ch_edge_wish(struct charle_client *client, enum edge_wish wish, int64_t *out_ticket);

bool ch_edge_is_own_thread(const struct charle_client *client);
// Waits for the next publication after `turns`, at most until the deadline (monotonic); false when that has passed. Takes a copy of the view.
bool ch_edge_wait(struct charle_client *client, uint64_t turns, int64_t deadline_us, struct edge_view *out);
void ch_edge_view(struct charle_client *client, struct edge_view *out);

// Keeps the core running until is_done says so, or there is no hope, or the time is over (0: no limit). is_done is asked after every turn of the
// thread, at least once a second; what it returns beside OK and DONE (wait on) ends the waiting.
typedef enum charle_err (*ch_client_done_fn)(struct charle_client *client, void *ctx, struct charle_error *err);
CHARLE_MUST_CHECK int ch_client_wait_for(struct charle_client *client, uint32_t timeout_ms, const char *what, ch_client_done_fn is_done, void *ctx,
                                         struct charle_error *err);

// Tells watchers; on the calling thread.
void ch_edge_changed(struct charle_client *client, unsigned events, const uint32_t *tables, size_t table_count);

#endif
