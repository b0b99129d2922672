// The stamping triggers of a replicated table. Nothing yet: a table without them replicates by first copy alone.
#include "model.h"

void ch_gen_stamp_sql(const struct ch_model_table *table, struct charle_buf *out)
{
    (void)table;
    (void)out;
}
