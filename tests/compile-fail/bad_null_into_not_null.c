// NULL for a column that cannot be NULL.
// expect: charle_this_column_is_never_null
#include "db/query_words.h"
#include "suite/db/agency.h"

struct charle_assignment f(void);
struct charle_assignment f(void)
{
    return set_null(task.title);
}
