#include "sync/file.h"

#include "base/err.h"
#include "base/limits.h"

#include <sodium.h>
#include <string.h>

static int digit_of(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

void ch_file_name_write(const uint8_t hash[CH_FILE_HASH_SIZE], char out[CH_FILE_NAME_LEN + 1])
{
    sodium_bin2hex(out, CH_FILE_NAME_LEN + 1, hash, CH_FILE_HASH_SIZE);
    CHARLE_ASSERT(out[CH_FILE_NAME_LEN] == '\0');
}

bool ch_file_name_read(struct charle_str name, uint8_t out[CH_FILE_HASH_SIZE])
{
    if (name.len != CH_FILE_NAME_LEN)
        return false;
    for (size_t i = 0; i < CH_FILE_HASH_SIZE; i++) {
        int high = digit_of((uint8_t)name.ptr[2 * i]), low = digit_of((uint8_t)name.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

void ch_file_hash(struct charle_bytes bytes, uint8_t out[CH_FILE_HASH_SIZE])
{
    crypto_generichash(out, CH_FILE_HASH_SIZE, bytes.ptr, bytes.len, NULL, 0);
}

bool ch_file_name_find(struct charle_bytes bytes, size_t *at, struct charle_str *out)
{
    uint8_t hash[CH_FILE_HASH_SIZE];
    CHARLE_ASSERT(*at <= bytes.len);
    while (*at + CH_FILE_NAME_LEN < bytes.len) {
        const uint8_t *length = memchr(bytes.ptr + *at, CH_FILE_NAME_LEN, bytes.len - *at - CH_FILE_NAME_LEN);
        if (!length)
            break;
        *at = (size_t)(length - bytes.ptr) + 1;
        struct charle_str name = charle_str_n((const char *)length + 1, CH_FILE_NAME_LEN);
        if (!ch_file_name_read(name, hash))
            continue;
        *out = name;
        *at += CH_FILE_NAME_LEN;
        CHARLE_ASSERT(*at <= bytes.len);
        return true;
    }
    *at = bytes.len;
    return false;
}

const char *ch_file_piece_check(int64_t size, int64_t expected_at, int64_t at, struct charle_bytes data, struct charle_bytes data_hash)
{
    uint8_t hash[CH_FILE_HASH_SIZE];
    int64_t left = size - at;
    if (at < 0 || at > size || at != expected_at)
        return "it does not begin where the last one ended";
    if ((int64_t)data.len != (left < CH_FILE_PIECE_SIZE ? left : CH_FILE_PIECE_SIZE))
        return "its length is not that of a piece";
    if (data_hash.len != CH_FILE_HASH_SIZE)
        return "its hash has not 32 bytes";
    ch_file_hash(data, hash);
    return memcmp(hash, data_hash.ptr, sizeof(hash)) == 0 ? NULL : "its bytes do not have its hash";
}
