// The result of a live query as one block of bytes, and what differs between two of them.
//
// A row is its values one after the other, the key's columns first, so that a row's key is the first part of its bytes and two rows
// are the same exactly when their bytes are:
//   0                        NULL
//   1  int64_t               as the machine has it; the block never leaves the process
//   2  double
//   3  size_t, bytes         text
//   4  size_t, bytes         blob
// A result without a key is identified by whole rows: a row that changes is then one that goes and one that comes. Rows with the same key are
// told apart by their order.
#ifndef CHARLE_CLIENT_LIVE_ROWS_H
#define CHARLE_CLIENT_LIVE_ROWS_H

#include "base/buf.h"
#include "db/db.h"

struct ch_live_row {
    size_t at;        // of its bytes
    uint32_t size;
    uint32_t key_size;
    uint64_t key_hash;
};
struct ch_live_rows {
    struct charle_buf bytes;
    struct ch_live_row *items;
    size_t count, capacity;
};

// Which column of the result stands where in a row's bytes.
struct ch_live_shape {
    size_t column_count;
    const uint16_t *order; // order[i]: the column whose value is the i-th
    size_t key_count;      // the first so many are the key; 0: all are
};

void ch_live_rows_reset(struct ch_live_rows *rows); // memory is kept
void ch_live_rows_deinit(struct ch_live_rows *rows);
// Adds the present row of a result. TOO_LARGE when the block would need more than size_max.
CHARLE_MUST_CHECK enum charle_err ch_live_rows_add(struct ch_live_rows *rows, const struct ch_live_shape *shape,
                                                   struct charle_rows *from, size_t size_max, struct charle_error *err);
// The values of a row in the order of the result's columns; text and bytes point into the block.
void ch_live_rows_values(const struct ch_live_rows *rows, const struct ch_live_shape *shape, size_t index,
                         struct charle_value *out);
bool ch_live_rows_are_same(const struct ch_live_rows *a, const struct ch_live_rows *b);

#define CH_LIVE_NONE UINT32_MAX
struct ch_live_diff {
    uint32_t *old_of;  // for each new row the old one with its key, or CH_LIVE_NONE
    bool *stays;       // for each new row: it was there, and among those that were it keeps its place
    bool *was_kept;    // for each old row: it is still there
};
// Which rows came, went and moved. As few rows as possible are said to have moved. Memory: 6 times the number of rows, in words.
CHARLE_MUST_CHECK enum charle_err ch_live_diff_make(struct ch_live_diff *diff, const struct ch_live_rows *old,
                                                    const struct ch_live_rows *now, struct charle_error *err);
void ch_live_diff_deinit(struct ch_live_diff *diff); // zeroed is fine

#endif
