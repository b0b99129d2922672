// Enum values are equal or not; which one is larger says nothing.
// expect: charle_this_type_has_no_order
#include "db/query_words.h"
#include "suite/db/agency.h"

struct charle_expr f(void);
struct charle_expr f(void)
{
    return lt(task.status, TASK_DONE);
}
