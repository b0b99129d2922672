// A column that is never NULL.
// expect: charle_this_column_is_never_null
#include "db/query_words.h"
#include "suite/db/agency.h"

struct charle_expr f(void);
struct charle_expr f(void)
{
    return is_null(task.title);
}
