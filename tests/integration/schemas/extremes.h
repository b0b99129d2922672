// What another program may write to PostgreSQL, at the ends of what its types hold. For the schema "types".
#ifndef CHARLE_TESTS_SCHEMAS_EXTREMES_H
#define CHARLE_TESTS_SCHEMAS_EXTREMES_H

#include <stdbool.h>

extern const char *const extremes_kept[];    // statements whose rows a laptop must get; NULL at the end
extern const char *const extremes_refused[]; // and those that the database must refuse

// Runs a statement. True: the database took it.
bool extremes_try(const char *url, const char *sql);

#endif
