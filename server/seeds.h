// The seed files of this server (docs/decisions/0017-seed-files.md): made, kept, given out by ranges, deleted.
//
//   asked for a scope ─► queue ─► [ thread: large enough? ─► making.tmp ─► hashes ─► <hash>.seed, <hash>.info ] ─► newest of its scope
//                                                                     newest ─► replaced by a newer one ─► deleted an hour later
//
// One thread makes one file at a time, with the lowest priority and bounded memory, on a connection of the pool. Files outlive the process: at the
// next start those with a whole .info are taken up again. What was half made is deleted. A file is of one scope, so of one audience's columns, and of
// one schema; replicas of other schemas are never offered one.
//
// Threads: every function from any thread. A file that is being read stays until it is not, though it has no name any more.
#ifndef CHARLE_SERVER_SEEDS_H
#define CHARLE_SERVER_SEEDS_H

#include "db/pg/pool.h"
#include "server/sync/sync.h"

struct ch_seeds;

struct ch_seeds_options {
    struct ch_pg_pool *pool;    // must outlive it, as all that follows
    const struct ch_sync *sync;
    const struct charle_schema *schema;
    const char *folder;         // the server's own; made when missing
    int64_t rows_min;           // scopes with fewer rows are quicker copied than fetched
    int64_t size_max;           // bytes of all files together; the one that is being made comes on top
    uint32_t every_s;           // files older than this whose scope has changed are made anew; 0: only those that no delta reaches
};

CHARLE_MUST_CHECK enum charle_err ch_seeds_start(const struct ch_seeds_options *options, struct ch_seeds **out, struct charle_error *err);
// Waits for its thread and what it does; nobody may be reading. NULL is fine.
void ch_seeds_stop(struct ch_seeds *seeds);

// The file with most rows of the scopes asked for that the peer holds, or the one whose part the replica has already; without `scope` when there is
// none. What is missing is queued. Everything of *out is in the arena.
CHARLE_MUST_CHECK enum charle_err ch_seeds_find(struct ch_seeds *seeds, struct charle_db *db, const struct ch_sync_peer *peer,
                                                const struct charle_seed_request *request, struct charle_arena *arena,
                                                struct charle_seed_reply *out, struct charle_error *err);

// Sends ranges of a file as SeedRange messages. PERMISSION_DENIED: the peer does not hold the scope (now); NOT_FOUND: the file is not there any
// more; INVALID_ARGUMENT: no such ranges.
CHARLE_MUST_CHECK enum charle_err ch_seeds_read(struct ch_seeds *seeds, struct charle_db *db, const struct ch_sync_peer *peer,
                                                const struct charle_seed_read_request *request, ch_sync_send send, void *ctx,
                                                struct charle_error *err);

#endif
