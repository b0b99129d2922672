// The rows of one scope as a file that a replica can take as its own: docs/decisions/0017-seed-files.md.
#ifndef CHARLE_SERVER_SYNC_SEED_BUILD_H
#define CHARLE_SERVER_SYNC_SEED_BUILD_H

#include "server/sync/sync.h"

struct ch_seed_made {
    int64_t stamp, rows;
    uint64_t lineage;
};

// Has the scope at least `enough` rows? Counts no further.
CHARLE_MUST_CHECK enum charle_err ch_seed_is_large(const struct ch_sync *sync, struct charle_db *db, struct charle_str scope, int64_t enough,
                                                   bool *out, struct charle_error *err);

// Writes all rows of the scope, with the columns that its audience shows, at one snapshot. The file must not exist; what is there after a failure
// is worth nothing. Not for a sync of another schema. DISK_FULL: it would be larger than size_max.
CHARLE_MUST_CHECK enum charle_err ch_seed_build(const struct ch_sync *sync, struct charle_db *db, struct charle_str scope, const char *path,
                                                int64_t size_max, struct ch_seed_made *out, struct charle_error *err);

// Can a replica go on from this moment of the scope by a delta? False: the past was rewritten, or forgotten. Also false when the database has not
// got there yet: another server of it is ahead.
CHARLE_MUST_CHECK enum charle_err ch_seed_is_good(struct charle_db *db, struct charle_str scope, int64_t stamp, uint64_t lineage, bool *out,
                                                  struct charle_error *err);

#endif
