// One seed file on the server's disk, with what is known of it. Shared by those who read it: counted, freed by the last.
#ifndef CHARLE_SERVER_SEED_FILE_H
#define CHARLE_SERVER_SEED_FILE_H

#include "base/arena.h"
#include "charle/sync.charle.h"
#include "sync/seed.h"

struct ch_seed_file {
    struct ch_seed_file *next; // in the list of ch_seeds, newest first
    int users;                 // that list and everybody who reads; under its mutex
    int fd;
    char scope[CH_SCOPE_LEN_MAX + 1];
    uint8_t hash[CH_SEED_HASH_SIZE]; // the file's name
    uint8_t *hashes;
    size_t hashes_size;
    int64_t size, rows, stamp;
    uint64_t lineage;
    int64_t made_s;            // wall clock
    int64_t replaced_us;       // monotonic: there has been a newer one since; 0: it is the newest
};

// Hashes a file that was just made, syncs it and gives it its name in the folder, with an .info beside it. `path` is gone afterwards, or worth
// nothing after a failure.
CHARLE_MUST_CHECK enum charle_err ch_seed_file_keep(const char *folder, const char *path, struct charle_str scope,
                                                    const struct charle_cursor *head, int64_t rows, struct ch_seed_file **out,
                                                    struct charle_error *err);
// Takes up a file of an earlier process by the name of its .info. DATA_LOSS: the two do not fit each other.
CHARLE_MUST_CHECK enum charle_err ch_seed_file_open(const char *folder, const char *name, struct ch_seed_file **out, struct charle_error *err);
void ch_seed_file_free(struct ch_seed_file *file);                              // does not delete; NULL is fine
void ch_seed_file_delete(const char *folder, const struct ch_seed_file *file);  // its names; readers go on

// What is offered to a replica. Everything is in the arena.
CHARLE_MUST_CHECK enum charle_err ch_seed_file_describe(const struct ch_seed_file *file, struct charle_arena *arena,
                                                        struct charle_seed_reply *out, struct charle_error *err);
// One range as both sides hash it; `out` has room for CH_SEED_RANGE_SIZE.
CHARLE_MUST_CHECK enum charle_err ch_seed_file_read(const struct ch_seed_file *file, uint32_t range, uint8_t *out, size_t *out_size,
                                                    struct charle_error *err);

#endif
