// The server's schema as a replica of another version knows it; skew.h has the rules.
#ifndef CHARLE_SERVER_SYNC_SKEW_SCHEMA_H
#define CHARLE_SERVER_SYNC_SKEW_SCHEMA_H

#include "server/sync/view.h"

struct ch_skew_schema {
    struct charle_schema schema;                   // tables that both know, with audiences and columns as the replica has them
    const struct ch_view_expressions *expressions; // one for each of its tables
    struct charle_array gaps;                      // of const struct charle_schema_gap *: what the replica is to know of it
    struct charle_arena arena;                     // all of it but what belongs to the server's schema
};

// `current` must outlive the result. SCHEMA_MISMATCH with the first thing that cannot be bridged; what the shape's bytes lack is MALFORMED
// or INVALID_ARGUMENT. *out must be released in every case.
CHARLE_MUST_CHECK enum charle_err ch_skew_schema_init(struct ch_skew_schema *out, const struct charle_schema *current,
                                                      struct charle_bytes shape, uint64_t hash, struct charle_error *err);
void ch_skew_schema_deinit(struct ch_skew_schema *schema); // zeroed is fine

#endif
