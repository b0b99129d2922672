// Files by name: what both ends must agree on. A name is the BLAKE2b-256 of the bytes, written as 64 small hexadecimal digits.
#ifndef CHARLE_SYNC_FILE_H
#define CHARLE_SYNC_FILE_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CH_FILE_HASH_SIZE 32
#define CH_FILE_NAME_LEN  64

void ch_file_name_write(const uint8_t hash[CH_FILE_HASH_SIZE], char out[CH_FILE_NAME_LEN + 1]);
// False for anything but 64 small hexadecimal digits.
bool ch_file_name_read(struct charle_str name, uint8_t out[CH_FILE_HASH_SIZE]);

void ch_file_hash(struct charle_bytes bytes, uint8_t out[CH_FILE_HASH_SIZE]);

// Finds the next name in a protobuf message from *at on, and moves *at behind it: its length, which is one byte, and the digits. A request that
// mentions a file in a field of its own holds it like this, at any depth and whatever the method. False: there is none.
bool ch_file_name_find(struct charle_bytes bytes, size_t *at, struct charle_str *out);

// A piece fits: it begins where the last one ended, has the right length for its place and its own hash is true. Otherwise what is
// wrong with it, in words.
const char *ch_file_piece_check(int64_t size, int64_t expected_at, int64_t at, struct charle_bytes data, struct charle_bytes data_hash);

#endif
