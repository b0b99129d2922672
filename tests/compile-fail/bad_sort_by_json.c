// JSON has no order.
// expect: charle_this_type_has_no_order
#include "db/query_words.h"
#include "suite/db/agency.h"

struct charle_order f(void);
struct charle_order f(void)
{
    return asc(task.meta);
}
