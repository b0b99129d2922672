// What has arrived but may not be shown yet: pages of a moment that is not complete, and rows of scopes being copied or mended beside a
// replica that is in use. Kept in order in a private temporary database, so memory stays flat however much there is; SQLite moves it to
// a temporary file that nobody else can open when it outgrows CH_SPOOL_CACHE_KIB, and the file goes with the connection.
#ifndef CHARLE_CLIENT_SPOOL_H
#define CHARLE_CLIENT_SPOOL_H

#include "client/lite.h"

enum ch_spool_kind {
    CH_SPOOL_PULL_PAGE = 1, // bytes of a PullPage
    CH_SPOOL_SCOPE = 2,     // what follows belongs to this scope; a gained one has no rows here yet
    CH_SPOOL_RANGE = 3,     // rows of the table with after < key <= until are replaced by the rows that follow
    CH_SPOOL_COPY_PAGE = 4, // bytes of a CopyPage of the last scope and table
};

struct ch_spool_item { // strings and bytes are valid until the next one is read
    enum ch_spool_kind kind;
    struct charle_str scope;
    uint32_t table;
    struct charle_str after, until; // ptr NULL: no bound
    struct charle_bytes bytes;
};

struct ch_spool {
    struct ch_lite sql;
    sqlite3_stmt *insert, *select;
    int64_t count;
};

CHARLE_MUST_CHECK enum charle_err ch_spool_open(struct ch_spool *spool, const char *vfs, struct charle_error *err);
void ch_spool_close(struct ch_spool *spool); // zeroed is fine
CHARLE_MUST_CHECK enum charle_err ch_spool_add(struct ch_spool *spool, const struct ch_spool_item *item,
                                               struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_spool_clear(struct ch_spool *spool, struct charle_error *err);

// Reads the items in order: start, then next until DONE. One reader at a time.
void ch_spool_start(struct ch_spool *spool);
CHARLE_MUST_CHECK enum charle_err ch_spool_next(struct ch_spool *spool, struct ch_spool_item *out, struct charle_error *err);
void ch_spool_stop(struct ch_spool *spool);

#endif
