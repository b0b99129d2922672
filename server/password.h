// Passwords: argon2id by libsodium with its INTERACTIVE parameters (2 passes, 64 MiB), about 0.2 s of one core.
//
// That cost is the defence and a danger: whoever may hash without bound can use up the machine. So hashing happens in
// one lane of its own with two threads and a short queue (engine.c); nothing else calls these functions.
#ifndef CHARLE_SERVER_PASSWORD_H
#define CHARLE_SERVER_PASSWORD_H

#include "base/err.h"
#include "base/str.h"

#define CH_PASSWORD_HASH_SIZE 128
#define CH_PASSWORD_LEN_MAX   1024 // argon2 takes any length; this keeps a request from carrying megabytes of it

// NO_MEMORY when the 64 MiB are not to be had.
CHARLE_MUST_CHECK enum charle_err ch_password_hash(struct charle_str password, char out[CH_PASSWORD_HASH_SIZE],
                                                   struct charle_error *err);

// Does the password fit the hash? With hash NULL it works just as long and says no, so that the time does not tell who
// has an account.
bool ch_password_is_right(struct charle_str password, const char *hash);

// Was the hash made with weaker parameters than we use now?
bool ch_password_is_outdated(const char *hash);

#endif
