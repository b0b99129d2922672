// The private PostgreSQL as the server sees it: started, watched, stopped. The work is done by the keeper (keeper.h).
//
// Start and stop block; in between the server polls ch_cluster_fd and reads notes. One thread (the main one).
#ifndef CHARLE_SERVER_CLUSTER_H
#define CHARLE_SERVER_CLUSTER_H

#include "server/keeper.h"

struct ch_cluster;

// Forks the keeper, waits until PostgreSQL takes connections and makes the database when it is missing. No thread may
// have been started before. The error is the keeper's.
CHARLE_MUST_CHECK enum charle_err ch_cluster_start(const struct ch_datadir *dir, const char *postgres_bin,
                                                   struct ch_cluster **out, struct charle_error *err);
// PostgreSQL is stopped fast when this returns; its clients should have left before. NULL is fine.
void ch_cluster_stop(struct ch_cluster *cluster);

const char *ch_cluster_url(const struct ch_cluster *cluster); // a libpq URL without secrets; as long as the cluster
int ch_cluster_fd(const struct ch_cluster *cluster);          // readable: ch_cluster_read has something

// Takes the next note without blocking. DONE: none now. CLOSED: the keeper is gone, and PostgreSQL with it.
CHARLE_MUST_CHECK enum charle_err ch_cluster_read(struct ch_cluster *cluster, struct ch_note *out);

#endif
