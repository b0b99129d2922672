// Runs of the simulation, for the cases and by hand.
#ifndef CHARLE_TESTS_SIM_RUN_H
#define CHARLE_TESTS_SIM_RUN_H

#include "sim/world.h"

// Runs a world and prints what came of it.
struct world_result run_world(struct world_shared *shared, const struct world_options *options);
// What a world of this seed may do, so that all kinds come up: one in five has PostgreSQL stop, one in ten gets an old
// copy.
struct world_options run_options_of(uint64_t seed, int steps);
// The program with options; returns its status.
int run_by_hand(struct world_shared *shared, int argc, char **argv);

#endif
