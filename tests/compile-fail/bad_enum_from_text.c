// An enum column takes its values, not their names.
// expect: charle_an_enum_column_takes_enum_values
#include "db/query_words.h"
#include "suite/db/agency.h"

struct charle_expr f(void);
struct charle_expr f(void)
{
    return eq(task.status, "open");
}
