// Plants one fault after the other and lets the simulation find each.
//
//   sim_plant_test                      the quick ones, each within STEPS_SHORT steps
//   sim_plant_test --table STEPS [NAME] all of them, or one, within so many steps: rows of a table
//   sim_plant_test …                    as sim_test, with --plant NAME
#include "sim/run.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { STEPS = 1000, STEPS_SHORT = 20000, FIRST_SEED = 101 };

static struct world_shared *shared;

struct finding {
    bool is_found;
    uint64_t seed;
    int64_t steps; // of all worlds together
    struct world_result result;
};

// A world that fails without the fault, too, has not found it. It need not go further than the other one did.
static bool is_right_without(const struct world_options *options, const struct world_result *found)
{
    struct world_options without = *options;
    struct world_result result;
    without.plant = PLANT_NONE;
    without.until = found->failed_at_step < options->steps ? found->failed_at_step : 0;
    world_run(&without, &result);
    if (result.has_failed)
        printf("WITHOUT A FAULT: %s\n", result.problem);
    return !result.has_failed;
}

static struct finding look_for(const struct plant_spec *spec, int64_t steps_max)
{
    struct finding finding = {.seed = FIRST_SEED};
    for (;; finding.seed++) {
        struct world_options options = run_options_of(finding.seed, STEPS);
        options.shared = shared;
        options.plant = spec->plant;
        options.may_restart_postgres = options.may_restart_postgres || spec->needs_restart;
        options.may_restore = options.may_restore || spec->needs_restore;
        world_run(&options, &finding.result);
        finding.steps += finding.result.steps;
        finding.is_found = finding.result.has_failed && is_right_without(&options, &finding.result);
        if (finding.is_found || finding.steps >= steps_max)
            return finding;
    }
}

static void print_finding(const struct plant_spec *spec, const struct finding *finding)
{
    struct charle_buf rule = {0};
    for (const char *at = finding->is_found ? finding->result.problem : "**not found**"; *at && *at != '\n'; at++)
        charle_buf_add_byte(&rule, *at == '|' ? '/' : (uint8_t)*at);
    printf("| %s | %s | %" PRId64 " | %" PRIu64 " | %.160s |\n", spec->name, spec->what, finding->steps, finding->seed,
           charle_buf_text(&rule));
    charle_buf_deinit(&rule);
}

static int print_table(int64_t steps_max, const char *name)
{
    const struct plant_spec *spec;
    int count = 0, missed = 0;
    for (int i = 0; (spec = plant_at(i)); i++) {
        if (name && strcmp(name, spec->name) != 0)
            continue;
        struct finding finding = look_for(spec, steps_max);
        print_finding(spec, &finding);
        count++;
        missed += !finding.is_found;
    }
    printf("PLANTS %d planted, %d found\n", count, count - missed);
    return missed || !count;
}

static void finds_quick_ones(void **state)
{
    const struct plant_spec *spec;
    (void)state;
    for (int i = 0; (spec = plant_at(i)); i++) {
        if (!spec->is_quick)
            continue;
        struct finding finding = look_for(spec, STEPS_SHORT);
        print_finding(spec, &finding);
        if (!finding.is_found)
            fail_msg("the fault %s was planted and not found", spec->name);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds_quick_ones)};
    int rc;
    setvbuf(stdout, NULL, _IOLBF, 0);
    shared = world_shared_new();
    if (!shared)
        return 1;
    if (argc > 2 && strcmp(argv[1], "--table") == 0)
        rc = print_table(atoll(argv[2]), argc > 3 ? argv[3] : NULL);
    else
        rc = argc > 1 ? run_by_hand(shared, argc, argv) : cmocka_run_group_tests(tests, NULL, NULL);
    world_shared_free(shared);
    return rc;
}
