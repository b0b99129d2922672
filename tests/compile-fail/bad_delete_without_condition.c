// A delete whose condition was forgotten.
// expect: charle_delete
#include "db/query_words.h"
#include "suite/db/agency.h"

enum charle_err f(struct charle_db *db);
enum charle_err f(struct charle_db *db)
{
    return charle_run(db, charle_delete(task), NULL, NULL);
}
