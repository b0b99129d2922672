#include "sync/seed.h"

#include <sodium.h>
#include <string.h>

void ch_seed_clear_reserve(uint8_t *range, size_t size)
{
    CHARLE_ASSERT(range || !size);
    for (size_t end = CH_REPLICA_PAGE_SIZE; end <= size; end += CH_REPLICA_PAGE_SIZE)
        memset(range + end - CH_SEED_RESERVE, 0, CH_SEED_RESERVE);
}

void ch_seed_hash(struct charle_bytes bytes, uint8_t out[CH_SEED_HASH_SIZE])
{
    crypto_generichash(out, CH_SEED_HASH_SIZE, bytes.ptr, bytes.len, NULL, 0);
}

uint32_t ch_seed_range_count(int64_t size)
{
    if (size <= 0 || size % CH_REPLICA_PAGE_SIZE || size > (int64_t)CH_SEED_RANGE_SIZE * CH_SEED_RANGES_MAX)
        return 0;
    int64_t count = (size + CH_SEED_RANGE_SIZE - 1) / CH_SEED_RANGE_SIZE;
    CHARLE_ASSERT(count > 0 && count <= CH_SEED_RANGES_MAX);
    return (uint32_t)count;
}

size_t ch_seed_range_size(int64_t size, uint32_t range)
{
    int64_t left = size - (int64_t)range * CH_SEED_RANGE_SIZE;
    return left <= 0 ? 0 : left < CH_SEED_RANGE_SIZE ? (size_t)left : CH_SEED_RANGE_SIZE;
}

bool ch_seed_list_is_whole(int64_t size, struct charle_bytes hashes, struct charle_bytes name)
{
    uint8_t hash[CH_SEED_HASH_SIZE];
    uint32_t count = ch_seed_range_count(size);
    if (!count || hashes.len != (size_t)count * CH_SEED_HASH_SIZE || name.len != CH_SEED_HASH_SIZE)
        return false;
    ch_seed_hash(hashes, hash);
    return memcmp(hash, name.ptr, sizeof(hash)) == 0;
}

bool ch_seed_range_is_good(struct charle_bytes hashes, uint32_t range, struct charle_bytes bytes)
{
    uint8_t hash[CH_SEED_HASH_SIZE];
    if ((size_t)range >= hashes.len / CH_SEED_HASH_SIZE)
        return false;
    ch_seed_hash(bytes, hash);
    return memcmp(hash, hashes.ptr + (size_t)range * CH_SEED_HASH_SIZE, sizeof(hash)) == 0;
}
