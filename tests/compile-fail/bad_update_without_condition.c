// An update whose condition was forgotten.
// expect: charle_assignment|charle_expr|incompatible
#include "db/query_words.h"
#include "suite/db/agency.h"

enum charle_err f(struct charle_db *db);
enum charle_err f(struct charle_db *db)
{
    return charle_run(db, charle_update(task, set(task.title, "x")), NULL, NULL);
}
