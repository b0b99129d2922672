// What a call did to the rows: seen by SQLite's pre-update hook while the call runs, kept when it has succeeded.
//
// For each row that a call touches, charle_base keeps the row's confirmed image from before the first waiting call that touched it (NULL:
// there was no row), and charle_touch keeps which calls touched it. The hook may not write to its own connection, so it collects in
// memory; ch_capture_keep writes. A row whose image is kept already was touched by an earlier waiting call: the older image stays.
#ifndef CHARLE_CLIENT_CAPTURE_H
#define CHARLE_CLIENT_CAPTURE_H

#include "client/table.h"

struct ch_captured {
    struct ch_table *table;
    size_t key_at, key_len;     // in the buffer
    size_t image_at, image_len;
    bool had_row;
};

struct ch_capture {
    struct ch_tables *tables;
    bool is_on;
    bool is_local; // the application writes to its own tables: only which ones is noted
    struct ch_captured *rows;
    size_t count, capacity;
    struct charle_buf bytes;
    enum charle_err failed;
    struct charle_error error;
};

// Registers the hook on the tables' connection.
void ch_capture_open(struct ch_capture *capture, struct ch_tables *tables);
void ch_capture_close(struct ch_capture *capture);

void ch_capture_start(struct ch_capture *capture); // forgets what was collected
// Ends collecting. Fails when something could not be collected: the call must then be rolled back.
CHARLE_MUST_CHECK enum charle_err ch_capture_stop(struct ch_capture *capture, struct charle_error *err);

// Is what was collected about exactly one row of this table?
bool ch_capture_is_one_row(const struct ch_capture *capture, const struct charle_table *table);

// Appends the key of the first row that was collected; there must be one.
CHARLE_MUST_CHECK enum charle_err ch_capture_first_key(const struct ch_capture *capture, struct charle_buf *out);

// Writes what was collected under the call's position in the outbox; inside the call's transaction.
CHARLE_MUST_CHECK enum charle_err ch_capture_keep(struct ch_capture *capture, int64_t position, struct charle_error *err);

#endif
