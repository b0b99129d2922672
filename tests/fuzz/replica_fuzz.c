// The files of a replica after a disk, another program or somebody with malice has changed them: the database, its log, its key, its store of files; in
// clear and encrypted. Bytes are overwritten, cut off and moved, and in clear single values of the platform's tables are made others.
//
// Whatever lies there: it is opened, used, rescued, and synchronised with a server, or refused with a sentence; never a crash, a leak or an endless loop.
// The first byte says which laptop it is and what becomes of it.
#include "fuzz/fuzz.h"
#include "fuzz/laptop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ENCRYPTED = 1, HAS_LOG = 2, SYNCHRONISES = 4, VALUES = 8, STEPS = 250 };

// --- use ------------------------------------------------------------------------------------------------------------------

static void synchronise(struct fuzz_input *in, const struct laptop *laptop, struct fake_server *server)
{
    static struct world world;
    struct charle_error err = {0};
    world.random = 1;
    world.key = laptop->key;
    if (world_try_open(&world, server, "damaged", false, &err)) {
        CHARLE_ASSERT(err.text[0]);
        return;
    }
    ch_client_core_start(world.core);
    world_connect(&world, true);
    for (int i = 0; i < STEPS && world_step(&world); i++) {
        if (i == STEPS / 2 && fuzz_choose(in, 2))
            (void)ch_client_core_verify(world.core);
    }
    world_close(&world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const suffixes[] = {[LAPTOP_DATABASE] = "", [LAPTOP_LOG] = "-wal", [LAPTOP_KEY] = ".key", [LAPTOP_STORE] = ".files"};
    char file[100], other[100];
    struct fuzz_input in = {data, data + size};
    unsigned how = fuzz_choose(&in, 256);
    const struct laptop *laptop = laptop_get(how & ENCRYPTED, how & HAS_LOG);
    snprintf(file, sizeof(file), "/dev/shm/charle_%d_damaged.db", (int)getpid()); // as world_open calls it
    snprintf(other, sizeof(other), "/dev/shm/charle_%d_other.db", (int)getpid());
    laptop_put(laptop, file);
    if ((how & VALUES) && !laptop->key) {
        laptop_change_values(&in, file);
    } else {
        unsigned part = (how >> 4) % LAPTOP_EXPORT;
        struct charle_buf bytes = {0};
        charle_buf_add(&bytes, laptop->parts[part].data, laptop->parts[part].size);
        laptop_damage(&in, &bytes);
        laptop_put_bytes(file, suffixes[part], &bytes);
        charle_buf_deinit(&bytes);
    }
    if (how & SYNCHRONISES)
        synchronise(&in, laptop, laptop_server(how & ENCRYPTED, how & HAS_LOG));
    else
        laptop_use(file, laptop->key, &in, other);
    laptop_remove(file);
    laptop_remove(other);
    return 0;
}
