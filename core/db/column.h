// Typed column handles: one struct type for each SQL type and nullability, so that a wrong comparison does not compile.
//
// The generator emits one constant per table:
//   static const struct { struct charle_col_text id; struct charle_coln_ts due_at; … } task = {…};
// The query builder (query.h) picks by these types with _Generic. A handle is an address and a position: free to copy.
#ifndef CHARLE_DB_COLUMN_H
#define CHARLE_DB_COLUMN_H

#include "db/schema.h"

struct charle_colref {
    const struct charle_table *table;
    uint16_t column; // index in table->columns
    uint16_t alias;  // 0: the table itself; n: the n-th alias of a self join
};

#define CHARLE_COL_STRUCT(NAME, number, c_type, suffix)                                            \
    struct charle_col_##suffix {                                                                   \
        struct charle_colref ref;                                                                  \
    };                                                                                             \
    struct charle_coln_##suffix {                                                                  \
        struct charle_colref ref;                                                                  \
    };                                                                                             \
    struct charle_cola_##suffix {                                                                  \
        struct charle_colref ref;                                                                  \
    }; /* an array column */
CHARLE_TYPES(CHARLE_COL_STRUCT)
#undef CHARLE_COL_STRUCT

#endif
