// Runs the simulation.
//
//   sim_test                              the cases below
//   sim_test --seed N --steps M [--trace] [--restart] [--restore] [--plant K]   one run
//   sim_test --seeds FROM TO --steps M    several
#include "sim/world.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct world_shared *shared;

static void print_result(uint64_t seed, const struct world_result *r)
{
    printf("seed %-4" PRIu64 " %s  trace %016" PRIx64 "  steps %" PRId64 ", commits %" PRId64 ", moments %" PRId64 " (+%" PRId64 " in repair), rebases %" PRId64 ", calls %" PRId64 "/%" PRId64
           " (%" PRId64 " rejected, %" PRId64 " merged), crashes %" PRId64 " (%" PRId64 " power), cuts %" PRId64 ", drops %" PRId64 ", twice %" PRId64 ", server %" PRId64 ", postgres %" PRId64 ", restores %" PRId64 "\n",
           seed, r->has_failed ? "FAILED" : "ok", r->trace_hash, r->steps, r->commits, r->moments_checked, r->moments_skipped, r->rebases_checked, r->calls_judged, r->calls_made,
           r->calls_rejected, r->calls_merged, r->crashes, r->power_cuts, r->partitions, r->drops, r->duplicates, r->server_restarts, r->postgres_restarts, r->restores);
    if (r->has_failed)
        printf("%s\n", r->problem);
    fflush(stdout);
}

static struct world_result run(struct world_options options)
{
    struct world_result result;
    options.shared = shared;
    world_run(&options, &result);
    print_result(options.seed, &result);
    return result;
}

// --- one run, by hand -----------------------------------------------------------------------------------------------------------------

static int run_by_hand(int argc, char **argv)
{
    struct world_options options = {.seed = 1, .steps = 1000, .program = argv[0]};
    uint64_t last = 0;
    int failures = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            options.seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seeds") == 0 && i + 2 < argc) {
            options.seed = strtoull(argv[++i], NULL, 10);
            last = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--steps") == 0 && i + 1 < argc)
            options.steps = atoi(argv[++i]);
        else if (strcmp(argv[i], "--plant") == 0 && i + 1 < argc)
            options.plant = (enum world_plant)atoi(argv[++i]);
        else if (strcmp(argv[i], "--trace") == 0)
            options.is_traced = true;
        else if (strcmp(argv[i], "--restart") == 0)
            options.may_restart_postgres = true;
        else if (strcmp(argv[i], "--restore") == 0)
            options.may_restart_postgres = options.may_restore = true;
        else {
            fprintf(stderr, "Usage: sim_test [--seed N | --seeds FROM TO] [--steps M] [--trace] [--restart] [--restore] [--plant K]\n");
            return 2;
        }
    }
    do {
        failures += run(options).has_failed;
    } while (options.seed++ < last);
    return failures ? 1 : 0;
}

// --- the cases --------------------------------------------------------------------------------------------------------------------------

enum { SEEDS = 20, STEPS = 1000 };

static struct world_options options_of(uint64_t seed)
{
    // PostgreSQL's restarts take a second each: a few worlds have them.
    return (struct world_options){.seed = seed, .steps = STEPS, .program = "sim_test", .may_restart_postgres = seed % 5 == 0, .may_restore = seed % 10 == 5};
}

static void expect_right(const struct world_result *result)
{
    if (result->has_failed)
        fail_msg("%s", result->problem);
}

static void keeps_every_replica_right(void **state)
{
    struct world_result all = {0};
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world_result result = run(options_of(seed));
        expect_right(&result);
        all.steps += result.steps;
        all.moments_checked += result.moments_checked;
        all.calls_judged += result.calls_judged;
        all.calls_rejected += result.calls_rejected;
        all.calls_merged += result.calls_merged;
        all.crashes += result.crashes;
        all.duplicates += result.duplicates;
        all.drops += result.drops;
        all.restores += result.restores;
    }
    // A simulation in which nothing happens proves nothing.
    assert_true(all.steps >= SEEDS * STEPS);
    assert_true(all.moments_checked > SEEDS * 50);
    assert_true(all.calls_judged > SEEDS * 10 && all.calls_rejected > 0 && all.calls_merged > 0);
    assert_true(all.crashes > 0 && all.duplicates > 0 && all.drops > 0 && all.restores > 0);
}

static void repeats_itself(void **state)
{
    (void)state;
    for (uint64_t seed = 3; seed <= SEEDS; seed += 6) {
        struct world_result first = run(options_of(seed)), second = run(options_of(seed));
        assert_true(first.trace_hash == second.trace_hash);
        assert_int_equal(first.steps, second.steps);
    }
}

// Each planted fault is found within a few worlds.
static void finds_planted_faults(void **state)
{
    (void)state;
    for (int plant = PLANT_NONE + 1; plant < PLANT_COUNT; plant++) {
        bool is_found = false;
        for (uint64_t seed = 101; !is_found && seed < 111; seed++) {
            struct world_options options = options_of(seed);
            options.may_restart_postgres = options.may_restore = plant >= PLANT_NO_REPAIR;
            options.plant = (enum world_plant)plant;
            is_found = run(options).has_failed;
        }
        if (!is_found)
            fail_msg("fault %d was planted and not found", plant);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_every_replica_right),
        cmocka_unit_test(repeats_itself),
        cmocka_unit_test(finds_planted_faults),
    };
    setvbuf(stdout, NULL, _IOLBF, 0); // what was said before a crash is worth having
    shared = world_shared_new();
    if (!shared)
        return 1;
    int rc = argc > 1 ? run_by_hand(argc, argv) : cmocka_run_group_tests(tests, NULL, NULL);
    world_shared_free(shared);
    return rc;
}
