// An array column is asked with has().
// expect: charle_the_left_side_must_be_a_column
#include "db/query_words.h"
#include "suite/db/agency.h"

struct charle_expr f(void);
struct charle_expr f(void)
{
    return eq(task.tags, "x");
}
