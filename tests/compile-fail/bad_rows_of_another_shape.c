// Rows of one shape into structs of another.
// expect: _Generic|association
#include "db/query_words.h"
#include "suite/db/agency.h"

#define ONE(FIELD, OUTER) FIELD(id, task.id)
CHARLE_SHAPE(one, ONE);
#define TWO(FIELD, OUTER) FIELD(id, task.id)
CHARLE_SHAPE(two, TWO);
enum charle_err f(struct charle_db *db, struct charle_arena *arena);
enum charle_err f(struct charle_db *db, struct charle_arena *arena)
{
    struct two *rows;
    size_t count;
    return charle_fetch_all(db, arena, charle_select(one, from(task)), &rows, &count, NULL);
}
