#include "server/password.h"

#include <sodium.h>

_Static_assert(CH_PASSWORD_HASH_SIZE >= crypto_pwhash_STRBYTES, "a hash fits its buffer");

enum charle_err ch_password_hash(struct charle_str password, char out[CH_PASSWORD_HASH_SIZE], struct charle_error *err)
{
    if (crypto_pwhash_str(out, password.ptr ? password.ptr : "", password.len, crypto_pwhash_OPSLIMIT_INTERACTIVE,
                          crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory to hash a password: try again");
    return CHARLE_OK;
}

bool ch_password_is_right(struct charle_str password, const char *hash)
{
    if (hash)
        return crypto_pwhash_str_verify(hash, password.ptr ? password.ptr : "", password.len) == 0;
    unsigned char wasted[32];
    static const unsigned char salt[crypto_pwhash_SALTBYTES] = {1};
    int rc = crypto_pwhash(wasted, sizeof(wasted), password.ptr ? password.ptr : "", password.len, salt,
                           crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE,
                           crypto_pwhash_ALG_ARGON2ID13);
    (void)rc; // the answer is no in any case
    sodium_memzero(wasted, sizeof(wasted));
    return false;
}

bool ch_password_is_outdated(const char *hash)
{
    return crypto_pwhash_str_needs_rehash(hash, crypto_pwhash_OPSLIMIT_INTERACTIVE,
                                          crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0;
}
