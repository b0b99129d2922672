// A list of a text and a number.
// expect: pointer|integer
#include "db/query_words.h"
#include "suite/db/agency.h"

struct charle_expr f(void);
struct charle_expr f(void)
{
    struct charle_expr expr = in(task.id, "a", 2);
    return expr;
}
