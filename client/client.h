// What the files of the public API share: the client behind the opaque handle.
//
// Locks, in the order they may be taken: replica lock (client/lock.h) > look_mutex > watch_mutex. The edge's mutex is taken alone.
#ifndef CHARLE_CLIENT_CLIENT_H
#define CHARLE_CLIENT_CLIENT_H

#include "client/edge.h"

struct charle_client {
    struct ch_edge edge;
    struct ch_replica replica;
    bool is_read_only;
    struct charle_method_table platform; // methods every server has
    struct charle_db *reader;            // of charle_client_db
    pthread_mutex_t reader_mutex;
    pthread_mutex_t watch_mutex;
    charle_watch_fn watch;
    void *watch_ctx;
    atomic_uint events;                  // not taken yet
    int event_fd;                        // -1: none
    atomic_bool is_started;              // charle_client_start
    atomic_int syncing;                  // calls of charle_client_sync and the like in progress
};

// Tells whoever watches. tables NULL with EVENT_ROWS: any.
void ch_client_tell(struct charle_client *client, unsigned events, const uint32_t *tables, size_t table_count);

// Runs the core while something waits for it, also when nobody asked for the background. Pairs.
void ch_client_hold(struct charle_client *client);
void ch_client_release(struct charle_client *client);

// What is in the way of what a caller waits for: OK while there is hope. `since_us`: when the waiting began; a server that was not reached for
// CH_CLIENT_PATIENCE_US is not waited for.
#define CH_CLIENT_PATIENCE_US 15000000
CHARLE_MUST_CHECK enum charle_err ch_client_hope(const struct ch_edge_snapshot *snapshot, int64_t *offline_since_us,
                                                 struct charle_error *err);

#endif
