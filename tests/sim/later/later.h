// What the simulation knows of its schema as it is some months later (later/sim.proto): all other names of it are those of the first schema, and
// are seen in its own object alone.
#ifndef CHARLE_TESTS_SIM_LATER_H
#define CHARLE_TESTS_SIM_LATER_H

#include "sim/world.h"

const struct charle_schema *later_schema(void);

// Somebody at a laptop whose program has the later schema does what only that has.
void later_act(struct laptop *laptop, struct charle_arena *arena);

#endif
