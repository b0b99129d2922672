// Pieces of a file in any order, damaged in any way, from a server that lies: what is put together is the file or nothing, never something else, and
// true pieces always finish it.
//
// The input is a list of steps, a byte each, behind one byte for the size of the file: which piece comes, and what is wrong with it.
#include "base/err.h"
#include "base/limits.h"
#include "client/files.h"
#include "client/replica.h"
#include "fuzz/fuzz.h"
#include "sync/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECES_MAX = 3, STEPS_MAX = 24 };

struct world {
    struct ch_replica replica;
    struct ch_client_env env;
    uint8_t bytes[(PIECES_MAX + 1) * CH_FILE_PIECE_SIZE];
    char file[64];
};

static int64_t wall(void *ctx)
{
    (void)ctx;
    static int64_t now;
    return ++now;
}

// One store for all inputs; each drops its file in the end.
static struct world *the_world(void)
{
    static struct world *world;
    struct charle_error err = {0};
    if (world)
        return world;
    world = calloc(1, sizeof(*world));
    snprintf(world->file, sizeof(world->file), "/dev/shm/charle-pieces-%ld", (long)getpid());
    world->env = (struct ch_client_env){.now_wall_us = wall};
    world->replica = (struct ch_replica){.env = &world->env, .file = world->file};
    for (size_t i = 0; i < sizeof(world->bytes); i++)
        world->bytes[i] = (uint8_t)(i * 7 + i / 251);
    CHARLE_ASSERT(ch_lock_open(&world->replica.lock, NULL, 1000, &err) == CHARLE_OK);
    CHARLE_ASSERT(ch_files_open(&world->replica, NULL, &world->replica.files, &err) == CHARLE_OK);
    return world;
}

static struct charle_file_piece true_piece(const struct world *world, int64_t size, int64_t n, uint8_t hash[CH_FILE_HASH_SIZE])
{
    int64_t at = n * CH_FILE_PIECE_SIZE, left = size - at;
    struct charle_file_piece piece = {.at = at, .size = {size, true}};
    piece.data = charle_bytes(world->bytes + at, left <= 0 ? 0 : left < CH_FILE_PIECE_SIZE ? (size_t)left : CH_FILE_PIECE_SIZE);
    ch_file_hash(piece.data, hash);
    piece.data_hash = charle_bytes(hash, CH_FILE_HASH_SIZE);
    return piece;
}

// A piece as the step says; the lies of a server that knows how to make hashes, and of a line that does not.
static void give(struct world *world, const char *name, int64_t size, uint8_t step)
{
    uint8_t hash[CH_FILE_HASH_SIZE];
    struct charle_error err = {0};
    struct charle_file_piece piece = true_piece(world, size, step & 3, hash);
    switch (step >> 2 & 7) {
    case 1:
        hash[step >> 5] ^= 1;
        break;
    case 2: // other bytes, with their true hash
        piece.data.ptr += 1 + (step >> 5);
        ch_file_hash(piece.data, hash);
        break;
    case 3:
        piece.at += 1 + (step >> 5);
        break;
    case 4:
        piece.data.len -= piece.data.len ? 1 : 0;
        ch_file_hash(piece.data, hash);
        break;
    case 5:
        piece.size.value += (step & 0x20) ? 1 : -1;
        break;
    case 6:
        piece.data_hash.len = step >> 5;
        break;
    default:
        break;
    }
    enum charle_err rc = ch_files_take(world->replica.files, name, &piece, &err);
    CHARLE_ASSERT(rc == CHARLE_OK || err.text[0]);
}

static void check_file(struct world *world, const struct ch_file *file, int64_t size)
{
    static uint8_t got[sizeof(world->bytes)];
    struct charle_error err = {0};
    size_t got_size = 0;
    CHARLE_ASSERT(ch_files_read(world->replica.files, file, 0, got, sizeof(got), &got_size, &err) == CHARLE_OK);
    CHARLE_ASSERT((int64_t)got_size == size && memcmp(got, world->bytes, got_size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world *world = the_world();
    struct charle_error err = {0};
    struct ch_file file;
    uint8_t hash[CH_FILE_HASH_SIZE];
    char name[CH_FILE_NAME_LEN + 1];
    if (size < 1)
        return 0;
    int64_t file_size = data[0] % PIECES_MAX * (int64_t)CH_FILE_PIECE_SIZE + data[0] / PIECES_MAX;
    ch_file_hash(charle_bytes(world->bytes, (size_t)file_size), hash);
    ch_file_name_write(hash, name);
    CHARLE_ASSERT(ch_files_want(world->replica.files, name, &file, &err) == CHARLE_OK);
    for (size_t i = 1; i < size && i <= STEPS_MAX; i++) {
        give(world, name, file_size, data[i]);
        CHARLE_ASSERT(ch_files_find(world->replica.files, name, &file, &err) == CHARLE_OK);
        if (file.state == CH_FILE_WHOLE)
            check_file(world, &file, file_size);
    }
    // An honest server from here on; once around more when lies had to be thrown away.
    for (int i = 0; i < 2 * PIECES_MAX + 4 && file.state != CH_FILE_WHOLE; i++) {
        struct charle_file_piece piece = true_piece(world, file_size, file.have / CH_FILE_PIECE_SIZE, hash);
        (void)!ch_files_take(world->replica.files, name, &piece, &err);
        CHARLE_ASSERT(ch_files_find(world->replica.files, name, &file, &err) == CHARLE_OK);
    }
    CHARLE_ASSERT(file.state == CH_FILE_WHOLE);
    check_file(world, &file, file_size);
    CHARLE_ASSERT(ch_files_drop(world->replica.files, name, &err) == CHARLE_OK);
    return 0;
}
