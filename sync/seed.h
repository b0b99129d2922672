// Seed files as both sides see them: cut into ranges, each with a hash, and named by the hash of that list.
//
// Pages end in CH_SEED_RESERVE bytes that an encrypted replica uses for seals. They count as zero, whatever lies there.
#ifndef CHARLE_SYNC_SEED_H
#define CHARLE_SYNC_SEED_H

#include "base/err.h"
#include "base/limits.h"
#include "base/str.h"

enum { CH_SEED_HASH_SIZE = 32, CH_SEED_RESERVE = 40 };

// Empties the ends of the pages of a range.
void ch_seed_clear_reserve(uint8_t *range, size_t size);

void ch_seed_hash(struct charle_bytes bytes, uint8_t out[CH_SEED_HASH_SIZE]);

// How many ranges a file of this size has; 0 when it has none of the sizes that a seed file can have.
uint32_t ch_seed_range_count(int64_t size);
size_t ch_seed_range_size(int64_t size, uint32_t range); // of one of them

// Does the list have a hash for each range, and the file's name fit the list?
bool ch_seed_list_is_whole(int64_t size, struct charle_bytes hashes, struct charle_bytes name);
// Are these the bytes of the range that the list says? `bytes` has the reserve emptied.
bool ch_seed_range_is_good(struct charle_bytes hashes, uint32_t range, struct charle_bytes bytes);

#endif
