// A row with what is no column.
// expect: incomplete|charle_a_row_is_made_of_columns|not a structure
#include "db/query_words.h"
#include "suite/db/agency.h"

#define ROW(FIELD, OUTER) FIELD(title, 42)
CHARLE_SHAPE(row, ROW);
