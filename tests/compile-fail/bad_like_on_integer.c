// A pattern for a number.
// expect: charle_like_needs_a_text_column
#include "db/query_words.h"
#include "suite/db/agency.h"

struct charle_expr f(void);
struct charle_expr f(void)
{
    return like(task.points, "1%");
}
