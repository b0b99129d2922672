#include "usage.h"

enum charle_err usage_fetch(struct charle_db *db, struct charle_arena *arena, struct usage **out_rows, size_t *out_count,
                            struct charle_error *err)
{
    return charle_fetch_all(db, arena,
                            charle_select(usage, from(part), inner_join(used_part, eq(used_part.part_id, part.id)),
                                          group_by(by(part.code), by(part.name)),
                                          order_by(desc(sum_of(used_part.quantity)), asc(part.code)), limit(20)),
                            out_rows, out_count, err);
}
