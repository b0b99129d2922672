// Fetching what a replica lacks after its tables were changed in place (upgrade.h): new columns of rows that are here, new tables.
//
// The replica describes to the server a schema of its own that has only the keys and the missing columns (sync/shape.h), as a replica of another
// version would, and compares and fetches under that description: a server needs to know nothing about it. Rows that are equal there
// (a new column that is NULL everywhere) are never sent. What differs is staged like a repair (acquire.c) and shown with one moment; the pull for it
// begins at the cursors that the scopes had before the first hash, so what changed meanwhile comes again in full. Rows of a table that the
// file had are only updated: one that is not here is on its way with the stream.
#ifndef CHARLE_CLIENT_FILL_H
#define CHARLE_CLIENT_FILL_H

#include "client/replica.h"

struct ch_fill_table {
    struct ch_table *table;
    struct charle_column_set columns;     // missing, and the key
    bool takes_rows;                      // rows may be missing as well
    struct ch_table_audience *audiences;  // the table's, with what they show of `columns` only
    sqlite3_stmt **updates;               // one each; made when first used
};

struct ch_fill {
    bool is_loaded;
    bool is_known;        // the server has taken the description
    uint64_t served_hash; // what requests name as the schema then
    struct ch_fill_table *tables;
    size_t count;         // 0: nothing is missing
    struct charle_buf shape;
};

// Reads what is missing; a transaction of its own.
CHARLE_MUST_CHECK enum charle_err ch_fill_load(struct ch_fill *fill, struct ch_replica *replica, struct charle_error *err);
void ch_fill_deinit(struct ch_fill *fill);
// Nothing is missing any more; a transaction of its own.
CHARLE_MUST_CHECK enum charle_err ch_fill_done(struct ch_fill *fill, struct ch_replica *replica, struct charle_error *err);
// It cannot be done this way: all scopes are in doubt, and compared in full. A transaction of its own.
CHARLE_MUST_CHECK enum charle_err ch_fill_give_up(struct ch_fill *fill, struct ch_replica *replica, struct charle_error *err);

struct ch_fill_table *ch_fill_find(const struct ch_fill *fill, const struct ch_table *table); // NULL: nothing of it is missing
// The scope's audience with the missing columns that it shows; NULL: none.
struct ch_table_audience *ch_fill_audience(const struct ch_fill *fill, struct ch_table *table, struct charle_str scope);

// Writes the missing columns of a row that was fetched through such an audience. A row of which more is missing here than was fetched is left
// alone: it is on its way as a whole.
CHARLE_MUST_CHECK enum charle_err ch_fill_put(const struct ch_fill *fill, struct ch_tables *tables, struct ch_table *table,
                                              struct ch_table_audience *audience, struct charle_str scope, struct charle_bytes row,
                                              struct charle_error *err);

#endif
