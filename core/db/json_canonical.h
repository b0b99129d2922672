// JSON in the form in which PostgreSQL's jsonb prints it, so that a value written on a laptop equals the same value
// read from the server: keys ordered by length and then bytes, the last of equal keys kept, `", "` and `": "` as
// separators, numbers without exponents, escapes only where needed.
#ifndef CHARLE_DB_JSON_CANONICAL_H
#define CHARLE_DB_JSON_CANONICAL_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

// *out is from the arena. INVALID_ARGUMENT says at which byte the text stops being JSON.
CHARLE_MUST_CHECK enum charle_err ch_json_canonical(struct charle_str text, struct charle_arena *arena,
                                                    struct charle_str *out, struct charle_error *err);

#endif
