// Reading rows of one table of one scope in key order by binary COPY: what first copy and hashes share.
#ifndef CHARLE_SERVER_SYNC_ROWS_H
#define CHARLE_SERVER_SYNC_ROWS_H

#include "server/sync/parts.h"

struct ch_rows_range {
    const struct ch_table_views *views;
    const struct ch_view *view; // NULL: no such table for this scope, so no rows
    struct charle_str scope;
    struct charle_str after, until; // keys; ptr NULL: no bound. after < key <= until
    int64_t limit;
};

// Takes the canonical bytes of one row; valid during the call.
typedef enum charle_err (*ch_rows_fn)(void *ctx, struct charle_bytes row, struct charle_error *err);

// Runs in the handle's open transaction. A failure of fn ends the reading and is returned.
CHARLE_MUST_CHECK enum charle_err ch_rows_read(struct charle_db *db, const struct ch_rows_range *range, ch_rows_fn fn, void *ctx,
                                               struct charle_error *err);

// Finds the views for a request and checks that the person holds the scope: PERMISSION_DENIED, or INVALID_ARGUMENT for a table that is
// not seen through it.
CHARLE_MUST_CHECK enum charle_err ch_rows_check(const struct ch_sync *sync, struct charle_db *db, const struct ch_sync_peer *peer,
                                                struct charle_str scope, uint32_t table, struct ch_rows_range *out,
                                                struct charle_error *err);

#endif
