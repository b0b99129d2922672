// Runs the simulation: without options the cases below, with options what run.c says.
#include "sim/run.h"

#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

static struct world_shared *shared;

enum { SEEDS = 20, STEPS = 1000 };

static void expect_right(const struct world_result *result)
{
    if (result->has_failed)
        fail_msg("%s", result->problem);
}

static struct world_result run_options(uint64_t seed)
{
    const struct world_options options = run_options_of(seed, STEPS);
    return run_world(shared, &options);
}

static void keeps_every_replica_right(void **state)
{
    struct world_result all = {0};
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world_result result = run_options(seed);
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
        struct world_result first = run_options(seed), second = run_options(seed);
        assert_true(first.trace_hash == second.trace_hash);
        assert_int_equal(first.steps, second.steps);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_every_replica_right),
        cmocka_unit_test(repeats_itself),
    };
    setvbuf(stdout, NULL, _IOLBF, 0); // what was said before a crash is worth having
    shared = world_shared_new();
    if (!shared)
        return 1;
    int rc = argc > 1 ? run_by_hand(shared, argc, argv) : cmocka_run_group_tests(tests, NULL, NULL);
    world_shared_free(shared);
    return rc;
}
