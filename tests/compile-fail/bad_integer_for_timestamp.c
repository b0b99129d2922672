// A bare number for a moment: seconds or microseconds, since when?
// expect: charle_a_timestamp_column_takes_charle_ts
#include "db/query_words.h"
#include "suite/db/agency.h"

struct charle_expr f(void);
struct charle_expr f(void)
{
    return gte(task.created_at, 123);
}
