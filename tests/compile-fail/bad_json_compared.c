// The two databases compare JSON differently.
// expect: charle_json_columns_cannot_be_compared
#include "db/query_words.h"
#include "suite/db/agency.h"

struct charle_expr f(struct charle_json value);
struct charle_expr f(struct charle_json value)
{
    return eq(task.meta, value);
}
