// Where within an option's braces something stands.
//
// protoc keeps the place of an option as a whole: for `option (charle.table) = {… forty lines …};` it is the first of
// them. To point at the line that is wrong, the text between the braces is walked again, by the names of the parts on
// the way to it.
#ifndef CHARLE_GEN_LOCATE_H
#define CHARLE_GEN_LOCATE_H

#include "diag.h"

// Moves *line and *column (from 1; those of the option's start) to the part that place->path leads to beyond its first
// `depth` steps, or to the innermost part around it that is found. `text` is the whole .proto; NULL leaves them as they
// are.
void ch_locate(const char *text, const struct ch_place *place, size_t depth, int *line, int *column);

#endif
