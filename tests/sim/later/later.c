#include "sim/later/later.h"

#include "sim.schema.charle.h"

const struct charle_schema *later_schema(void)
{
    return &sim_schema;
}
