// The outer side of a left join may be missing, whatever the column says.
// expect: charle_opt_text
#include "db/query_words.h"
#include "suite/db/agency.h"

#define ROW(FIELD, OUTER) FIELD(title, task.title) OUTER(client, client.name)
CHARLE_SHAPE(row, ROW);
struct charle_str f(struct row row);
struct charle_str f(struct row row)
{
    return row.client;
}
