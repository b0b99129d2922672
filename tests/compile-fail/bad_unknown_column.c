// A column that the table does not have.
// expect: titel
#include "db/query_words.h"
#include "suite/db/agency.h"

struct charle_expr f(void);
struct charle_expr f(void)
{
    return eq(task.titel, "x");
}
