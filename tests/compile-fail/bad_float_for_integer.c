// A number with a fraction where the column has none.
// expect: charle_an_integer_column_takes_integers
#include "db/query_words.h"
#include "suite/db/agency.h"

struct charle_expr f(void);
struct charle_expr f(void)
{
    return eq(task.priority, 1.5);
}
