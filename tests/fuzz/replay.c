// Runs a fuzz target over every file of a corpus folder, and over each of them cut short and with one byte changed, at so many places.
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_SIZE_MAX = 1 << 20 };

// A copy of exactly the given size lets the sanitizer see a read past the end.
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void run_variants(uint8_t *data, size_t size, size_t places)
{
    run(data, size);
    for (size_t i = 0; places && i < size; i += size / places + 1) {
        run(data, i);
        data[i] ^= 0x55;
        run(data, size);
        data[i] ^= 0x55;
    }
}

int main(int argc, char **argv)
{
    static uint8_t data[INPUT_SIZE_MAX];
    size_t places = argc > 2 ? strtoul(argv[2], NULL, 10) : 64;
    DIR *dir = argc > 1 ? opendir(argv[1]) : NULL;
    if (!dir) {
        fprintf(stderr, "usage: %s CORPUS-FOLDER [PLACES]\n", argv[0]);
        return 2;
    }
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "rb");
        if (!file)
            continue;
        size_t size = fread(data, 1, sizeof(data), file);
        fclose(file);
        run_variants(data, size, places);
        count++;
    }
    closedir(dir);
    printf("replayed %d inputs\n", count);
    return count ? 0 : 1; // a folder that was moved must not pass
}
