// Exports of replicas (client/export.c) that were damaged, or made by somebody with malice, who can make hashes: imported, and what comes of it used.
//
// It becomes a replica or is refused with a sentence; what is refused leaves nothing behind. The first byte: bit 0 encrypted, bit 1 the hash at the end is
// made to fit, bit 2 the header is what is damaged.
#include "fuzz/fuzz.h"
#include "fuzz/laptop.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern const struct charle_schema notes_schema;

enum { ENCRYPTED = 1, HASH_FITS = 2, HEADER = 4, HASH_SIZE = 32, HEADER_SIZE = 32 };

// Only the header is given to the damage, and what is left of it put before the rest.
static void damage_header(struct fuzz_input *in, struct charle_buf *bytes)
{
    struct charle_buf header = {0}, whole = {0};
    charle_buf_add(&header, bytes->data, HEADER_SIZE);
    laptop_damage(in, &header);
    charle_buf_add(&whole, header.data, header.size);
    charle_buf_add(&whole, bytes->data + HEADER_SIZE, bytes->size - HEADER_SIZE);
    charle_buf_deinit(&header);
    charle_buf_deinit(bytes);
    *bytes = whole;
}

static void expect_nothing(const char *file)
{
    static const char *const suffixes[] = {"", "-wal", ".key", ".files", ".files-wal", ".part"};
    char path[200];
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", file, suffixes[i]);
        CHARLE_ASSERT(access(path, F_OK) != 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char file[100], other[100], from[100];
    struct fuzz_input in = {data, data + size};
    struct charle_error err = {0};
    struct charle_buf bytes = {0};
    unsigned how = fuzz_choose(&in, 256);
    const struct laptop *laptop = laptop_get(how & ENCRYPTED, false);
    const struct charle_buf *export = &laptop->parts[LAPTOP_EXPORT];
    snprintf(file, sizeof(file), "/dev/shm/charle_%d_import.db", (int)getpid());
    snprintf(other, sizeof(other), "/dev/shm/charle_%d_other.db", (int)getpid());
    snprintf(from, sizeof(from), "/dev/shm/charle_%d_from.export", (int)getpid());
    charle_buf_add(&bytes, export->data, export->size - (how & HASH_FITS ? HASH_SIZE : 0));
    if (how & HEADER)
        damage_header(&in, &bytes);
    else
        laptop_damage(&in, &bytes);
    if (how & HASH_FITS) {
        uint8_t hash[HASH_SIZE];
        crypto_generichash(hash, sizeof(hash), bytes.data, bytes.size, NULL, 0);
        charle_buf_add(&bytes, hash, sizeof(hash));
    }
    laptop_remove(file);
    laptop_put_bytes(from, "", &bytes);
    const struct charle_client_options options = {.file = file, .schema = &notes_schema, .key = laptop->key, .device_name = "laptop"};
    if (charle_replica_import(from, &options, &err)) {
        CHARLE_ASSERT(err.text[0]);
        expect_nothing(file);
    } else {
        laptop_use(file, laptop->key, &in, other);
    }
    unlink(from);
    laptop_remove(file);
    laptop_remove(other);
    charle_buf_deinit(&bytes);
    return 0;
}
