// The key of an encrypted replica: "<file>.key" beside the file.
//
// The file's pages are sealed under a data key of 32 random bytes (db/sqlite/cipher.h). The key file keeps it wrapped by a
// key that is made from the user's passphrase (argon2id) or from 32 bytes that the application supplies. Changing the
// passphrase wraps the same data key anew, at once and while the replica is in use; a new data key means writing the whole file
// anew (client/protect.h).
//
//   0    8  "CHARLEK1"
//   8    4  kind: 1 passphrase, 2 supplied; numbers are little-endian
//   12   4  count of slots, 1 or 2
//   16   8  argon2id's passes
//   24   8  argon2id's memory in bytes
//   32  16  salt
//   48  80  slot: name of the data key 8, nonce 24, wrapped data key 32, tag 16
//   128 80  second slot, while the file is written anew; else zeros
//   208 32  BLAKE2b of all before: a damaged file is told from a wrong key
//
// The slot's seal is bound to bytes 0 to 47 (with a count of 1) and its name. Which slot fits is told by the mark in the first
// bytes of the replica. Writing: a new file, synced, renamed over the old one, the folder synced.
//
// Losing this file is losing the replica, and that is how a replica is wiped.
#ifndef CHARLE_CLIENT_KEY_H
#define CHARLE_CLIENT_KEY_H

#include "base/err.h"
#include "charle/charle.h"
#include "db/sqlite/cipher.h"

// What the first bytes of a replica's file say.
enum ch_file_kind {
    CH_FILE_BLANK,     // not there, empty, or never written
    CH_FILE_PLAIN,     // SQLite's mark
    CH_FILE_ENCRYPTED, // a cipher's mark
    CH_FILE_OTHER,
};

struct ch_file_look {
    enum ch_file_kind kind;
    uint8_t mark[CH_CIPHER_MARK_SIZE];
};

// vfs: NULL for the default one. A file that is missing or cannot be opened is BLANK. Errors: IO, NO_MEMORY.
CHARLE_MUST_CHECK enum charle_err ch_file_look(const char *file, const char *vfs, struct ch_file_look *out, struct charle_error *err);

bool ch_key_exists(const char *file); // `file` is the replica's path everywhere here

// Makes a data key and its key file.
CHARLE_MUST_CHECK enum charle_err ch_key_make(const char *file, const struct charle_client_key *key,
                                              uint8_t out_data_key[CH_CIPHER_KEY_SIZE], struct charle_error *err);

// The data key that the mark names; without a mark (NULL) the first one. Errors: NOT_FOUND without a key file, DATA_LOSS when it is
// damaged or has no such key, PERMISSION_DENIED for a wrong passphrase or key, INVALID_ARGUMENT for the wrong kind of key.
CHARLE_MUST_CHECK enum charle_err ch_key_open(const char *file, const struct charle_client_key *key, const uint8_t *mark,
                                              uint8_t out_data_key[CH_CIPHER_KEY_SIZE], struct charle_error *err);

// The cipher of a damaged replica, or of the store of files beside it (`path`): it reads what can be read (ch_cipher_forgive). *out NULL: the file is
// in clear. PERMISSION_DENIED: it is sealed, and no key was given.
CHARLE_MUST_CHECK enum charle_err ch_key_open_damaged(const char *file, const char *path, const struct charle_client_key *key,
                                                      struct ch_cipher **out, struct charle_error *err);

// Writes the key file with these data keys, wrapped by `key`.
CHARLE_MUST_CHECK enum charle_err ch_key_write(const char *file, const struct charle_client_key *key,
                                               uint8_t (*data_keys)[CH_CIPHER_KEY_SIZE], size_t count, struct charle_error *err);

// Wraps all data keys of the file by another key.
CHARLE_MUST_CHECK enum charle_err ch_key_rewrap(const char *file, const struct charle_client_key *old_key,
                                                const struct charle_client_key *new_key, struct charle_error *err);

// Overwrites the key file, syncs and removes it: from then on the replica is noise. Fine when there is none.
CHARLE_MUST_CHECK enum charle_err ch_key_destroy(const char *file, struct charle_error *err);

// "<file><suffix>" in out (PATH_MAX bytes); false when it does not fit.
bool ch_path_beside(const char *file, const char *suffix, char *out, size_t size);
// Syncs the folder that a file lies in, so that its name is durable.
CHARLE_MUST_CHECK enum charle_err ch_folder_sync(const char *file, struct charle_error *err);
// A failed call of the operating system as a sentence: "<path>: <doing>: <why>".
enum charle_err ch_file_fail(const char *path, const char *doing, int code, struct charle_error *err);

#endif
