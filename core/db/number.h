// How a number that people read is written: "T-123" once the server has issued it, "T-?3k7qm" while it is provisional.
//
// A provisional number is negative, and made from the call that made the row (charle_context_provisional), so it stays the same until the
// server's replaces it. What stands behind the question mark is the number in five digits of Crockford's base 32, in lower case. Of n rows
// that wait on one laptop two have the same label with a chance of about n * n / 67 million; labels are for reading, rows are referred to
// by their key.
#ifndef CHARLE_DB_NUMBER_H
#define CHARLE_DB_NUMBER_H

#include "db/schema.h"

#define CHARLE_PROVISIONAL_MAX 33554431 // five digits of five bits, and it fits an int4
#define CHARLE_LABEL_PREFIX_MAX 24      // bytes of column.label
#define CHARLE_NUMBER_LABEL_SIZE 48     // prefix, sign, 19 digits and a NUL

// Writes the label, NUL-terminated, and returns `out`. prefix NULL: none.
const char *charle_number_label(const char *prefix, int64_t number, char out[CHARLE_NUMBER_LABEL_SIZE]);

#endif
