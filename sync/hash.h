// The two hashes of synchronisation, the same on both ends.
//
// Chain hash. Every queued call carries a hash over the hash of the call before it and its own content. A device whose number n
// comes with another hash than the server remembers is a copy of the replica that went its own way.
//
// Row hash. Rows of a key range are compared by a sum: BLAKE2b-128 of each row's bytes, added modulo 2^128. A sum does not depend on
// the order of the rows, and unlike exclusive-or does not cancel equal rows.
#ifndef CHARLE_SYNC_HASH_H
#define CHARLE_SYNC_HASH_H

#include "base/str.h"

// What the chain covers of a call. `at_us` is the call's time, microseconds since 1970.
struct ch_chain_link {
    int64_t sequence;
    struct charle_str method;
    struct charle_bytes request;
    int64_t at_us;
    uint64_t seed;
};

// The first 8 bytes, little-endian, of BLAKE2b-128 over (all integers 8 bytes little-endian)
//   previous · sequence · length of method · method · length of request · request · at_us · seed
// `previous` is 0 for the first call of a device.
uint64_t ch_chain_hash(uint64_t previous, const struct ch_chain_link *link);

#define CH_ROW_HASH_SIZE 16

struct ch_row_sum {
    uint64_t low, high; // one 128-bit number
    int64_t rows;
};

// BLAKE2b-128 of a row's bytes.
void ch_row_hash(struct charle_bytes row, uint8_t out[CH_ROW_HASH_SIZE]);

// Adds one row; a zeroed sum is the empty one.
void ch_row_sum_add(struct ch_row_sum *sum, struct charle_bytes row);

// 16 bytes, little-endian: HashBucket.hash.
void ch_row_sum_write(const struct ch_row_sum *sum, uint8_t out[CH_ROW_HASH_SIZE]);
bool ch_row_sum_equals(const struct ch_row_sum *sum, int64_t rows, struct charle_bytes hash);

#endif
