// Local tables: on laptops only, written by the application in transactions of its own, kept by everything that changes a replica.
//
// A local row may refer to rows of the server's. No constraint holds it: such a row may come later, or be out of sight for a while. When a moment of the
// server has been applied, every scope is complete and no call waits, rows that refer to what is not there any more are dealt with as
// on_delete says: CASCADE deletes them, SET_NULL empties the column, NO_ACTION and RESTRICT leave them as they are.
#ifndef CHARLE_CLIENT_LOCAL_H
#define CHARLE_CLIENT_LOCAL_H

#include "client/replica.h"

// Runs `write` in a durable transaction in which it may write local tables and read the others. What it returns is returned; a failure undoes it.
typedef enum charle_err (*ch_local_fn)(void *ctx, struct charle_db *db, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_local_write(struct ch_replica *replica, ch_local_fn write, void *ctx, struct charle_error *err);

// Deals with references to rows that have gone; inside the transaction of a moment.
CHARLE_MUST_CHECK enum charle_err ch_local_clean(struct ch_replica *replica, struct charle_error *err);

#endif
