// Typed column handles: one struct type for each SQL type and nullability, so that a wrong comparison does not compile.
//
// The generator emits one constant per table:
//   static const struct { struct charle_col_text id; struct charle_coln_ts due_at; … } task = {…};
// The query builder (query.h) picks by these types with _Generic. A handle is an address and a position: free to copy.
// An aggregate of a column is a handle, too: sum(task.days) is a charle_coln_numeric whose position carries the
// function.
#ifndef CHARLE_DB_COLUMN_H
#define CHARLE_DB_COLUMN_H

#include "db/schema.h"

struct charle_colref {
    const struct charle_table *table; // NULL: count of rows
    uint16_t column;                  // index in table->columns; in the high byte an enum charle_function
    uint16_t alias;                   // 0: the table itself; n: the n-th alias of a self join
};

// What is done to a column. The numbers are in the high byte of charle_colref.column.
enum charle_function {
    CHARLE_FN_NONE = 0,
    CHARLE_FN_COUNT_ROWS = 1, // count(*)
    CHARLE_FN_COUNT = 2,
    CHARLE_FN_COUNT_DISTINCT = 3,
    CHARLE_FN_SUM = 4,
    CHARLE_FN_AVG = 5,
    CHARLE_FN_MIN = 6,
    CHARLE_FN_MAX = 7,
};

#define CHARLE_ALIAS_EXCLUDED 0xffff // the row that an upsert could not insert

#define CHARLE_COL_STRUCT(NAME, number, c_type, suffix) \
    struct charle_col_##suffix {                        \
        struct charle_colref ref;                       \
    };                                                  \
    struct charle_coln_##suffix {                       \
        struct charle_colref ref;                       \
    };                                                  \
    struct charle_cola_##suffix {                       \
        struct charle_colref ref;                       \
    }; /* an array column */
CHARLE_TYPES(CHARLE_COL_STRUCT)
#undef CHARLE_COL_STRUCT

static inline uint16_t charle_colref_index(struct charle_colref ref)
{
    return ref.column & 0xff;
}
static inline enum charle_function charle_colref_function(struct charle_colref ref)
{
    return (enum charle_function)(ref.column >> 8);
}

#endif
