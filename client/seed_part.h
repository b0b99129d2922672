// The part of a seed file that has arrived: a file beside the replica, written and read through the replica's VFS, so that an encrypted
// replica's is sealed as it arrives. It outlives the process; what of it is good is told by its hashes, not remembered.
#ifndef CHARLE_CLIENT_SEED_PART_H
#define CHARLE_CLIENT_SEED_PART_H

#include "client/replica.h"
#include "sync/seed.h"

struct ch_seed_part {
    sqlite3_file *file; // NULL: not open
    const char *name;   // in the form that a VFS wants
    uint8_t *range;     // room for one
    size_t piece;       // bytes of one write: an encrypted file takes pages only
};

// Opens or makes it. Errors: IO, DISK_FULL, NO_MEMORY.
CHARLE_MUST_CHECK enum charle_err ch_seed_part_open(struct ch_seed_part *part, const struct ch_replica *replica, struct charle_error *err);
void ch_seed_part_close(struct ch_seed_part *part); // zeroed is fine

CHARLE_MUST_CHECK enum charle_err ch_seed_part_write(struct ch_seed_part *part, uint32_t range, struct charle_bytes bytes,
                                                     struct charle_error *err);
// The first range that is missing or not what the list says.
uint32_t ch_seed_part_first_bad(struct ch_seed_part *part, int64_t size, struct charle_bytes hashes);
// Makes the file exactly as long, and sends it to the disk.
CHARLE_MUST_CHECK enum charle_err ch_seed_part_finish(struct ch_seed_part *part, int64_t size, struct charle_error *err);

// Its path, from an arena or a buffer of the caller's; and deleting it with its log.
void ch_seed_part_path(const struct ch_replica *replica, struct charle_buf *out);
void ch_seed_part_delete(const struct ch_replica *replica);

#endif
