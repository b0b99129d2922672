#include "sync/hash.h"

#include "base/err.h"

#include <sodium.h>

static void store_le64(uint8_t out[8], uint64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t load_le64(const uint8_t in[8])
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | in[i];
    return value;
}

static void add_number(crypto_generichash_state *state, uint64_t value)
{
    uint8_t bytes[8];
    store_le64(bytes, value);
    crypto_generichash_update(state, bytes, sizeof(bytes));
}

static void add_bytes(crypto_generichash_state *state, const void *ptr, size_t len)
{
    CHARLE_ASSERT(ptr || !len);
    add_number(state, len);
    if (len) // there need be no pointer
        crypto_generichash_update(state, ptr, len);
}

uint64_t ch_chain_hash(uint64_t previous, const struct ch_chain_link *link)
{
    crypto_generichash_state state;
    uint8_t out[CH_ROW_HASH_SIZE];
    crypto_generichash_init(&state, NULL, 0, sizeof(out));
    add_number(&state, previous);
    add_number(&state, (uint64_t)link->sequence);
    add_bytes(&state, link->method.ptr, link->method.len);
    add_bytes(&state, link->request.ptr, link->request.len);
    add_number(&state, (uint64_t)link->at_us);
    add_number(&state, link->seed);
    crypto_generichash_final(&state, out, sizeof(out));
    return load_le64(out);
}

void ch_row_hash(struct charle_bytes row, uint8_t out[CH_ROW_HASH_SIZE])
{
    CHARLE_ASSERT(row.ptr || !row.len);
    crypto_generichash(out, CH_ROW_HASH_SIZE, row.ptr, row.len, NULL, 0);
}

static void add_128(struct ch_row_sum *sum, uint64_t low, uint64_t high)
{
    sum->low += low;
    sum->high += high + (sum->low < low);
}

void ch_row_sum_add(struct ch_row_sum *sum, struct charle_bytes row)
{
    uint8_t hash[CH_ROW_HASH_SIZE];
    ch_row_hash(row, hash);
    add_128(sum, load_le64(hash), load_le64(hash + 8));
    sum->rows++;
    CHARLE_ASSERT(sum->rows > 0);
}

void ch_row_sum_write(const struct ch_row_sum *sum, uint8_t out[CH_ROW_HASH_SIZE])
{
    store_le64(out, sum->low);
    store_le64(out + 8, sum->high);
}

bool ch_row_sum_equals(const struct ch_row_sum *sum, int64_t rows, struct charle_bytes hash)
{
    uint8_t mine[CH_ROW_HASH_SIZE];
    ch_row_sum_write(sum, mine);
    return sum->rows == rows && hash.len == sizeof(mine) && memcmp(mine, hash.ptr, sizeof(mine)) == 0;
}
