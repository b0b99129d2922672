// What files.c (the store), files_add.c and files_core.c share.
#ifndef CHARLE_CLIENT_FILES_PARTS_H
#define CHARLE_CLIENT_FILES_PARTS_H

#include "client/files.h"
#include "client/replica.h"

int64_t ch_files_now_us(const struct ch_files *files);
int64_t ch_files_piece_id(int64_t file, int64_t at); // of the piece that begins there

// A write: lock, mutex, transaction. Ends with ch_files_end in every case when it returned OK.
CHARLE_MUST_CHECK enum charle_err ch_files_begin(struct ch_files *files, bool may_make, struct charle_error *err);
// Commits when rc is OK, and undoes otherwise.
CHARLE_MUST_CHECK enum charle_err ch_files_end(struct ch_files *files, enum charle_err rc, struct charle_error *err);

// These are called between the two, or with the mutex held where they only read.
CHARLE_MUST_CHECK enum charle_err ch_files_get(struct ch_files *files, const char *name, struct ch_file *out, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_files_delete(struct ch_files *files, int64_t id, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_files_put_pieces(struct ch_files *files, int64_t id, int64_t at, struct charle_bytes bytes,
                                                      struct charle_error *err);
// Evicts what is above the budget.
CHARLE_MUST_CHECK enum charle_err ch_files_trim(struct ch_files *files, struct charle_error *err);

#endif
