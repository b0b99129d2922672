// A join of a text with a number.
// expect: charle_a_text_column_takes_text
#include "db/query_words.h"
#include "suite/db/agency.h"

struct charle_expr f(void);
struct charle_expr f(void)
{
    return eq(task.client_id, task.points);
}
