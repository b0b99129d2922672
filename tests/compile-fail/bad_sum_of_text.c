// Only numbers can be summed.
// expect: charle_only_numbers_can_be_summed
#include "db/query_words.h"
#include "suite/db/agency.h"

#define ROW(FIELD, OUTER) FIELD(sum, sum_of(task.title))
CHARLE_SHAPE(row, ROW);
