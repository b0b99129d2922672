// Runs by hand: the options of the program.
#include "sim/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char usage[] =
    "Usage: sim_test [options]\n"
    "  --seed N | --seeds FROM TO   which worlds (1)\n"
    "  --steps M                    of each (1000)\n"
    "  --restart | --restore | --mix  PostgreSQL stops at times; an old copy is put back; both, in some worlds\n"
    "  --plant NAME                 a fault is planted (--plants lists them)\n"
    "  --twice                      each world runs twice and must do the same\n"
    "  --trace, --until STEP        every step is printed; stops after this one\n"
    "  --save FILE                  writes down what was done\n"
    "  --replay FILE                does it again\n"
    "  --shrink FILE                of a failing world (or of --replay): writes down the fewest actions that fail in "
    "the same way\n";

struct totals {
    int64_t runs, failures, steps, moments, rebases, calls, rejected, merged, repeated, crashes, power_cuts, partitions, drops,
        duplicates, server_restarts, postgres_restarts, restores, failovers, kills, flips, rescues, updates, migrations;
};

struct arguments {
    struct world_options options;
    uint64_t last;
    bool is_mixed, is_twice;
    const char *save, *replay, *shrink;
};

static void print_result(uint64_t seed, const struct world_result *r)
{
    printf("seed %-4" PRIu64 " %s  trace %016" PRIx64 "  steps %" PRId64 ", commits %" PRId64 ", moments %" PRId64
           " (+%" PRId64 " in repair), rebases %" PRId64,
           seed, r->has_failed ? "FAILED" : "ok", r->trace_hash, r->steps, r->commits, r->moments_checked,
           r->moments_skipped, r->rebases_checked);
    printf(", calls %" PRId64 "/%" PRId64 " (%" PRId64 " rejected, %" PRId64 " merged, %" PRId64 " of copies), crashes %" PRId64 " (%" PRId64
           " power), cuts %" PRId64,
           r->calls_judged, r->calls_made, r->calls_rejected, r->calls_merged, r->calls_repeated, r->crashes, r->power_cuts,
           r->partitions);
    printf(", drops %" PRId64 ", twice %" PRId64 ", server %" PRId64 ", postgres %" PRId64 ", restores %" PRId64 ", failovers %" PRId64 ", programs killed %" PRId64 ", flips %" PRId64 " (%" PRId64 " rescues)",
           r->drops, r->duplicates, r->server_restarts, r->postgres_restarts, r->restores, r->failovers, r->kills, r->flips, r->rescues);
    printf(", updates %" PRId64 " and %" PRId64 " of the server\n", r->updates, r->migrations);
    if (r->has_failed)
        printf("%s\n", r->problem);
    fflush(stdout);
}

struct world_result run_world(struct world_shared *shared, const struct world_options *options)
{
    struct world_options own = *options;
    struct world_result result;
    own.shared = shared;
    world_run(&own, &result);
    print_result(own.seed, &result);
    return result;
}

// PostgreSQL's restarts take a second each: a few worlds have them.
struct world_options run_options_of(uint64_t seed, int steps)
{
    return (struct world_options){.seed = seed,
                                  .steps = steps,
                                  .program = "sim_test",
                                  .may_restart_postgres = seed % 5 == 0,
                                  .may_restore = seed % 10 == 5};
}

static void add(struct totals *totals, const struct world_result *r)
{
    totals->runs++;
    totals->failures += r->has_failed;
    totals->steps += r->steps;
    totals->moments += r->moments_checked;
    totals->rebases += r->rebases_checked;
    totals->calls += r->calls_judged;
    totals->rejected += r->calls_rejected;
    totals->merged += r->calls_merged;
    totals->repeated += r->calls_repeated;
    totals->crashes += r->crashes;
    totals->power_cuts += r->power_cuts;
    totals->partitions += r->partitions;
    totals->drops += r->drops;
    totals->duplicates += r->duplicates;
    totals->server_restarts += r->server_restarts;
    totals->postgres_restarts += r->postgres_restarts;
    totals->restores += r->restores;
    totals->failovers += r->failovers;
    totals->kills += r->kills;
    totals->flips += r->flips;
    totals->rescues += r->rescues;
    totals->updates += r->updates;
    totals->migrations += r->migrations;
}

static void print_totals(const struct totals *t, double seconds)
{
    printf("ALL %" PRId64 " runs, %" PRId64 " steps, %" PRId64 " failures, %.0f steps a second; %" PRId64
           " moments, %" PRId64 " rebases, %" PRId64 " calls (%" PRId64 " rejected, %" PRId64 " merged, %" PRId64 " of copies)",
           t->runs, t->steps, t->failures, (double)t->steps / seconds, t->moments, t->rebases, t->calls, t->rejected,
           t->merged, t->repeated);
    printf(", %" PRId64 " crashes, %" PRId64 " power cuts, %" PRId64 " partitions, %" PRId64 " drops, %" PRId64
           " repeats, %" PRId64 " server restarts, %" PRId64 " stops of PostgreSQL, %" PRId64 " restores, %" PRId64 " failovers, %" PRId64 " programs killed, %" PRId64 " flips, %" PRId64 " rescues, %" PRId64 " laptops and %" PRId64 " servers updated\n",
           t->crashes, t->power_cuts, t->partitions, t->drops, t->duplicates, t->server_restarts, t->postgres_restarts,
           t->restores, t->failovers, t->kills, t->flips, t->rescues, t->updates, t->migrations);
}

static bool find_plant(const char *name, struct world_options *options)
{
    const struct plant_spec *spec = plant_named(name);
    if (spec) {
        options->plant = spec->plant;
        options->may_restart_postgres = options->may_restart_postgres || spec->needs_restart;
        options->may_restore = options->may_restore || spec->needs_restore;
        return true;
    }
    fprintf(stderr, "sim: there is no fault %s (--plants lists them)\n", name);
    return false;
}

static bool read_arguments(int argc, char **argv, struct arguments *out)
{
    struct world_options *options = &out->options;
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        bool has_value = i + 1 < argc;
        if (strcmp(name, "--seed") == 0 && has_value)
            options->seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(name, "--seeds") == 0 && i + 2 < argc) {
            options->seed = strtoull(argv[++i], NULL, 10);
            out->last = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(name, "--steps") == 0 && has_value)
            options->steps = atoi(argv[++i]);
        else if (strcmp(name, "--until") == 0 && has_value)
            options->until = atoll(argv[++i]);
        else if (strcmp(name, "--plant") == 0 && has_value) {
            if (!find_plant(argv[++i], options))
                return false;
        } else if (strcmp(name, "--save") == 0 && has_value)
            out->save = argv[++i];
        else if (strcmp(name, "--replay") == 0 && has_value)
            out->replay = argv[++i];
        else if (strcmp(name, "--shrink") == 0 && has_value)
            out->shrink = argv[++i];
        else if (strcmp(name, "--trace") == 0)
            options->is_traced = true;
        else if (strcmp(name, "--twice") == 0)
            out->is_twice = true;
        else if (strcmp(name, "--mix") == 0)
            out->is_mixed = true;
        else if (strcmp(name, "--restart") == 0)
            options->may_restart_postgres = true;
        else if (strcmp(name, "--restore") == 0)
            options->may_restart_postgres = options->may_restore = true;
        else
            return false;
    }
    return true;
}

static bool save(const struct actions *actions, const struct world_options *options, const char *path)
{
    if (actions_write(actions, options, path))
        return true;
    fprintf(stderr, "sim: %s cannot be written\n", path);
    return false;
}

// One run whose actions are wanted, or given.
static int run_actions(struct world_shared *shared, struct arguments *arguments)
{
    struct actions given = {0}, done = {0};
    struct world_options *options = &arguments->options;
    struct world_result result = {0};
    bool is_good = !arguments->replay || actions_read(arguments->replay, &given, options);
    if (is_good) {
        options->replay = arguments->replay ? &given : NULL;
        options->record = arguments->replay ? NULL : &done;
        result = run_world(shared, options);
    }
    struct actions *actions = arguments->replay ? &given : &done;
    if (is_good && arguments->save)
        is_good = save(actions, options, arguments->save);
    if (is_good && arguments->shrink && result.has_failed) {
        options->shared = shared;
        shrink(options, result.rule, actions, 1000);
        is_good = save(actions, options, arguments->shrink);
        options->replay = actions;
        options->record = NULL;
        (void)run_world(shared, options);
        printf("  again: %s --replay %s --trace\n", options->program, arguments->shrink);
    }
    actions_free(&given);
    actions_free(&done);
    return !is_good ? 2 : result.has_failed;
}

static bool run_one(struct world_shared *shared, const struct arguments *arguments, uint64_t seed,
                    struct totals *totals)
{
    struct world_options options = arguments->options;
    options.seed = seed;
    if (arguments->is_mixed) {
        options.may_restart_postgres = run_options_of(seed, 0).may_restart_postgres;
        options.may_restore = run_options_of(seed, 0).may_restore;
    }
    struct world_result first = run_world(shared, &options);
    add(totals, &first);
    if (!arguments->is_twice)
        return !first.has_failed;
    struct world_result second = run_world(shared, &options);
    add(totals, &second);
    if (first.trace_hash != second.trace_hash) {
        printf("FAILED: seed %" PRIu64 " did not do the same twice\n", seed);
        totals->failures++;
    }
    return !first.has_failed && first.trace_hash == second.trace_hash;
}

static int list_plants(void)
{
    const struct plant_spec *spec;
    for (int i = 0; (spec = plant_at(i)); i++)
        printf("%s\n", spec->name);
    return 0;
}

int run_by_hand(struct world_shared *shared, int argc, char **argv)
{
    struct arguments arguments = {.options = {.seed = 1, .steps = 1000, .program = argv[0]}};
    struct totals totals = {0};
    struct timespec begin, end;
    bool is_good = true;
    if (argc == 2 && strcmp(argv[1], "--plants") == 0)
        return list_plants();
    if (!read_arguments(argc, argv, &arguments)) {
        fputs(usage, stderr);
        return 2;
    }
    if (arguments.save || arguments.replay || arguments.shrink)
        return run_actions(shared, &arguments);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    uint64_t seed = arguments.options.seed;
    do {
        is_good = run_one(shared, &arguments, seed, &totals) && is_good;
    } while (seed++ < arguments.last);
    clock_gettime(CLOCK_MONOTONIC, &end);
    print_totals(&totals, (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
    return is_good ? 0 : 1;
}
