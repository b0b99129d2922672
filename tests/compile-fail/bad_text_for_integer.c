// A text where the column is a number.
// expect: charle_an_integer_column_takes_integers
#include "db/query_words.h"
#include "suite/db/agency.h"

struct charle_expr f(void);
struct charle_expr f(void)
{
    return eq(task.points, "five");
}
