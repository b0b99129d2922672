// The upkeep of the change log: it is thinned out and forgotten, so that it grows with the rows and not with history.
//
//   waiting ─► one round: note where heads stand, forget what is too old, keep the last entry of each key ─► waiting
//
// One thread, with a connection from the pool for the length of a round. Of several servers on one database one does it at a time
// (an advisory lock); the others find nothing left to do. A round that fails is logged and tried again at the next time. A stop cancels the
// statement that runs.
#ifndef CHARLE_SERVER_UPKEEP_H
#define CHARLE_SERVER_UPKEEP_H

#include "db/pg/pool.h"

struct ch_upkeep;

struct ch_upkeep_options {
    struct ch_pg_pool *pool; // must outlive it
    uint32_t every_s;        // between two rounds; the first comes after that time, too. 0: never
    uint32_t keep_files_days; // files that no row refers to are kept so long; 0: for ever
    uint32_t keep_days;      // replicas that were away for longer are repaired instead of being given the changes
};

CHARLE_MUST_CHECK enum charle_err ch_upkeep_start(const struct ch_upkeep_options *options, struct ch_upkeep **out, struct charle_error *err);
void ch_upkeep_stop(struct ch_upkeep *upkeep); // waits for its thread; NULL is fine

#endif
