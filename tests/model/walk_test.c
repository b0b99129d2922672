// L1 of the simulation: walks from seeds, many and quick.
//
//   model_walk_test                        the first seeds
//   model_walk_test FROM TO                these
//   model_walk_test FILE                   the walk that a file says
//   model_walk_plant_test                  finds the faults that are planted for it (base/plant.h)
//   model_walk_plant_test --plants         lists them
//   model_walk_plant_test --table STEPS NAME  looks for one within so many steps: a row of a table
#include "model/walk.h"

#include "base/plant.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { WALKS = 15, BYTES = 1200, FILE_MAX = 1 << 20 };

static void walk_seed(uint64_t seed, struct walk_totals *totals)
{
    uint8_t bytes[BYTES];
    uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        bytes[i] = (uint8_t)(x >> 24);
    }
    walk_run(bytes, sizeof(bytes), totals);
}

static int walk_seeds(uint64_t first, uint64_t last)
{
    struct walk_totals totals = {0};
    for (uint64_t seed = first; seed <= last; seed++) {
        printf("walk %" PRIu64 "\n", seed);
        walk_seed(seed, &totals);
    }
    printf("%" PRId64 " walks, %" PRId64 " steps, %" PRId64 " calls, %" PRId64 " comparisons, %" PRId64 " deaths, %" PRId64
           " old copies put back, %" PRId64 " moments lost\n",
           totals.walks, totals.steps, totals.calls, totals.checks, totals.deaths, totals.restores, totals.vanished);
    // Walks in which nothing happens prove nothing.
    return totals.calls > 0 && totals.checks >= totals.walks ? 0 : 1;
}

static int walk_file(const char *path)
{
    static uint8_t bytes[FILE_MAX];
    struct walk_totals totals = {0};
    FILE *in = fopen(path, "rb");
    if (!in) {
        fprintf(stderr, "model: %s cannot be read\n", path);
        return 2;
    }
    size_t size = fread(bytes, 1, sizeof(bytes), in);
    fclose(in);
    walk_run(bytes, size, &totals);
    return 0;
}

#ifdef CHARLE_PLANTS

enum { PLANT_STEPS = 50000, WORDS_SIZE = 2000 };

enum ch_plant ch_plant;

static const struct walk_plant {
    enum ch_plant plant;
    const char *name, *what;
} plants[] = {{CH_PLANT_GAP_TAKEN, "GAP_TAKEN", "changes are taken that do not join on"}};

// A walk that fails ends its process, so each has one of its own. Returns whether it failed, and its words.
static bool fails(const struct walk_plant *plant, uint64_t seed, struct walk_totals *totals, char words[WORDS_SIZE])
{
    int ends[2], status = 0;
    size_t size = 0;
    fflush(stdout);
    if (pipe(ends))
        abort();
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        ch_plant = plant ? plant->plant : CH_PLANT_NONE;
        walk_seed(seed, totals);
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t got; size < WORDS_SIZE - 1 && (got = read(ends[0], words + size, WORDS_SIZE - 1 - size)) > 0;)
        size += (size_t)got;
    words[size] = '\0';
    close(ends[0]);
    return child < 0 || waitpid(child, &status, 0) != child || status != 0;
}

static int look_for(const struct walk_plant *plant, int64_t steps_max)
{
    char words[WORDS_SIZE] = "", without[WORDS_SIZE];
    struct walk_totals *totals = mmap(NULL, sizeof(*totals), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t seed = 1;
    bool is_found = false;
    if (totals == MAP_FAILED)
        return 2;
    for (; !is_found && totals->steps < steps_max; seed++)
        is_found = fails(plant, seed, totals, words) && !fails(NULL, seed, &(struct walk_totals){0}, without);
    words[strcspn(words, "\n")] = '\0';
    for (char *at = words; *at; at++)
        *at = *at == '|' ? '/' : *at;
    printf("| %s | %s | %" PRId64 " | %" PRIu64 " (walk) | %.160s |\n", plant->name, plant->what, totals->steps, seed - 1,
           is_found ? words : "**not found**");
    munmap(totals, sizeof(*totals));
    return is_found ? 0 : 1;
}

static int run_plants(int argc, char **argv)
{
    int rc = argc > 3 ? 1 : 0;
    for (size_t i = 0; i < sizeof(plants) / sizeof(plants[0]); i++) {
        if (argc == 2)
            printf("%s\n", plants[i].name);
        else if (argc == 1)
            rc |= look_for(&plants[i], PLANT_STEPS);
        else if (strcmp(argv[3], plants[i].name) == 0)
            rc = look_for(&plants[i], atoll(argv[2]));
    }
    return rc;
}

#endif

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
#ifdef CHARLE_PLANTS
    if (argc == 1 || argv[1][0] == '-')
        return run_plants(argc, argv);
#endif
    if (argc == 2)
        return walk_file(argv[1]);
    return argc == 3 ? walk_seeds(strtoull(argv[1], NULL, 10), strtoull(argv[2], NULL, 10)) : walk_seeds(1, WALKS);
}
