// A number as a pattern.
// expect: charle_a_text_column_takes_text
#include "db/query_words.h"
#include "suite/db/agency.h"

struct charle_expr f(void);
struct charle_expr f(void)
{
    return like(task.title, 5);
}
