// A row with a column that the table does not have.
// expect: titel
#include "db/query_words.h"
#include "suite/db/agency.h"

#define ROW(FIELD, OUTER) FIELD(title, task.titel)
CHARLE_SHAPE(row, ROW);
