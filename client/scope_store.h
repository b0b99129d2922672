// Scopes as people deal with them: measured, evicted, pinned.
#ifndef CHARLE_CLIENT_SCOPE_STORE_H
#define CHARLE_CLIENT_SCOPE_STORE_H

#include "client/replica.h"

// Rows of the scope, and their share of the file: a table's bytes by the part of its rows that the scope shows. Through a read connection;
// takes as long as reading the tables.
CHARLE_MUST_CHECK enum charle_err ch_scope_measure(struct ch_replica *replica, sqlite3 *db, struct charle_str scope, int64_t *out_rows,
                                                   int64_t *out_bytes, struct charle_error *err);

// Lets go of the scope's rows; in a transaction of its own. Fine when it is gone already. Errors: NOT_FOUND, FAILED_PRECONDITION with what
// stands against it.
CHARLE_MUST_CHECK enum charle_err ch_scope_evict(struct ch_replica *replica, struct charle_str scope, struct charle_error *err);

// A pinned scope is never evicted; pinning an evicted one lets it be fetched again. Errors: NOT_FOUND.
CHARLE_MUST_CHECK enum charle_err ch_scope_pin(struct ch_replica *replica, struct charle_str scope, bool is_pinned, struct charle_error *err);

// The name of the pin in charle_meta. Returns out.
const char *ch_scope_pin_name(struct charle_str scope, char *out, size_t size);

#endif
