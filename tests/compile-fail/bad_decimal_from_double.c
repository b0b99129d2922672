// A float is no exact decimal.
// expect: charle_a_numeric_column_takes_charle_numeric
#include "db/query_words.h"
#include "suite/db/agency.h"

struct charle_expr f(void);
struct charle_expr f(void)
{
    return eq(task.estimate, 1.5);
}
