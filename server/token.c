#include "server/token.h"

#include <sodium.h>
#include <strings.h>

#define PREFIX "ct_"
enum { RANDOM_SIZE = 32, TEXT_LEN = CH_TOKEN_SIZE - 1 };

void ch_token_new(char out[CH_TOKEN_SIZE])
{
    unsigned char bytes[RANDOM_SIZE];
    randombytes_buf(bytes, sizeof(bytes));
    memcpy(out, PREFIX, sizeof(PREFIX) - 1);
    sodium_bin2base64(out + sizeof(PREFIX) - 1, CH_TOKEN_SIZE - (sizeof(PREFIX) - 1), bytes, sizeof(bytes),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(bytes, sizeof(bytes));
}

bool ch_token_is_well_formed(struct charle_str token)
{
    if (token.len != TEXT_LEN || memcmp(token.ptr, PREFIX, sizeof(PREFIX) - 1) != 0)
        return false;
    for (size_t i = sizeof(PREFIX) - 1; i < token.len; i++) {
        char c = token.ptr[i];
        bool is_digit =
            (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
        if (!is_digit)
            return false;
    }
    return true;
}

void ch_token_hash(struct charle_str token, char out[CH_TOKEN_HASH_SIZE])
{
    unsigned char digest[32];
    crypto_generichash(digest, sizeof(digest), (const unsigned char *)token.ptr, token.len, NULL, 0);
    sodium_bin2hex(out, CH_TOKEN_HASH_SIZE, digest, sizeof(digest));
}

struct charle_str ch_token_of_header(struct charle_str value)
{
    static const char scheme[] = "Bearer ";
    if (value.len <= sizeof(scheme) - 1 || strncasecmp(value.ptr, scheme, sizeof(scheme) - 1) != 0)
        return (struct charle_str){0};
    return charle_str_n(value.ptr + sizeof(scheme) - 1, value.len - (sizeof(scheme) - 1));
}
