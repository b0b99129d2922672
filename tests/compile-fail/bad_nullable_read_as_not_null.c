// A sum may be of nothing.
// expect: charle_opt_int8|incompatible
#include "db/query_words.h"
#include "suite/db/agency.h"

#define ROW(FIELD, OUTER) FIELD(points, sum_of(task.points))
CHARLE_SHAPE(row, ROW);
int64_t f(struct row row);
int64_t f(struct row row)
{
    return row.points;
}
