// A value that may be missing for a column that cannot be NULL.
// expect: charle_a_text_column_takes_text
#include "db/query_words.h"
#include "suite/db/agency.h"

struct charle_assignment f(struct charle_opt_text title);
struct charle_assignment f(struct charle_opt_text title)
{
    return set(task.title, title);
}
