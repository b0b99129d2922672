// Values for columns of any type, as JSON: ordinary ones, and those at the edges that databases, wires and texts disagree about.
#ifndef CHARLE_TESTS_SCHEMAS_VALUES_H
#define CHARLE_TESTS_SCHEMAS_VALUES_H

#include "base/buf.h"
#include "db/schema.h"

// Appends the value number `n` of the column's type. Unique ones differ for every n below values_count.
void values_add(struct charle_buf *json, const struct charle_column *column, size_t n, bool is_unique);

// How many different values values_add has for a unique column of this type.
size_t values_count(const struct charle_column *column);

#endif
