// Keys, seals and the life of a cipher; the files are in cipher_vfs.c, cipher_log.c and cipher_temp.c.
#include "base/alloc.h"
#include "base/str.h"
#include "db/sqlite/cipher_parts.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char mark_text[] = "CharleC1";

// The additional data of a unit: everything that says where it belongs.
static void bind_name(const struct unit_name *name, uint8_t out[BOUND_SIZE])
{
    memset(out, 0, BOUND_SIZE);
    out[0] = (uint8_t)name->kind;
    for (int i = 0; i < 4; i++)
        out[4 + i] = (uint8_t)(name->number >> (8 * i));
    memcpy(out + 8, name->more, sizeof(name->more));
}

void ch_cipher_seal(struct cipher_file *file, const struct unit_name *name, const uint8_t *plain, size_t size, uint8_t *out,
                    uint8_t out_seal[CH_CIPHER_SEAL_SIZE])
{
    uint8_t bound[BOUND_SIZE];
    bind_name(name, bound);
    memcpy(out_seal, file->nonce, NONCE_SIZE);
    sodium_increment(file->nonce, 8); // 16 random bytes of the handle behind a counter
    crypto_aead_xchacha20poly1305_ietf_encrypt_detached(out, out_seal + NONCE_SIZE, NULL, plain, size, bound, sizeof(bound),
                                                        NULL, out_seal, file->key);
}

bool ch_cipher_unseal(const struct cipher_file *file, const struct unit_name *name, const uint8_t *sealed, size_t size,
                      const uint8_t seal[CH_CIPHER_SEAL_SIZE], uint8_t *out)
{
    uint8_t bound[BOUND_SIZE];
    bind_name(name, bound);
    return crypto_aead_xchacha20poly1305_ietf_decrypt_detached(out, NULL, sealed, size, seal + NONCE_SIZE, bound,
                                                               sizeof(bound), seal, file->key) == 0;
}

void ch_cipher_mark(const uint8_t key[CH_CIPHER_KEY_SIZE], uint8_t out[CH_CIPHER_MARK_SIZE])
{
    uint8_t hash[crypto_generichash_BYTES];
    crypto_generichash(hash, sizeof(hash), key, CH_CIPHER_KEY_SIZE, (const uint8_t *)mark_text, sizeof(mark_text) - 1);
    memcpy(out, mark_text, 8);
    memcpy(out + 8, hash, CH_CIPHER_NAME_SIZE);
}

bool ch_cipher_is_mark(const uint8_t bytes[CH_CIPHER_MARK_SIZE])
{
    return memcmp(bytes, mark_text, 8) == 0;
}

bool ch_cipher_has_mark(const struct ch_cipher *cipher, const uint8_t bytes[CH_CIPHER_MARK_SIZE])
{
    return memcmp(bytes, cipher->mark, CH_CIPHER_MARK_SIZE) == 0;
}

int ch_cipher_note_damage(struct cipher_file *file, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pthread_mutex_lock(&file->cipher->mutex);
    vsnprintf(file->cipher->damage, sizeof(file->cipher->damage), format, args);
    pthread_mutex_unlock(&file->cipher->mutex);
    va_end(args);
    return SQLITE_IOERR_DATA;
}

const char *ch_cipher_vfs(const struct ch_cipher *cipher)
{
    return cipher ? cipher->name : NULL;
}

void ch_cipher_forgive(struct ch_cipher *cipher)
{
    cipher->is_forgiving = true;
}

bool ch_cipher_was_forgiving(const struct ch_cipher *cipher)
{
    return cipher && cipher->was_forgiving;
}

void ch_cipher_close(struct ch_cipher *cipher)
{
    if (!cipher)
        return;
    if (cipher->vfs.zName)
        sqlite3_vfs_unregister(&cipher->vfs);
    sodium_free(cipher->key);
    pthread_mutex_destroy(&cipher->mutex);
    ch_free(cipher);
}
