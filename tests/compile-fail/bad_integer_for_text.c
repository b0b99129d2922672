// A number where the column is text.
// expect: charle_a_text_column_takes_text
#include "db/query_words.h"
#include "suite/db/agency.h"

struct charle_expr f(void);
struct charle_expr f(void)
{
    return eq(task.title, 42);
}
