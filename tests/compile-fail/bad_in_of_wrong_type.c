// A list of numbers for a text column.
// expect: charle_the_values_have_another_type_than_the_column
#include "db/query_words.h"
#include "suite/db/agency.h"

struct charle_expr f(void);
struct charle_expr f(void)
{
    struct charle_expr expr = in(task.id, 1, 2);
    return expr;
}
