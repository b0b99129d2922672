// What the files of the merge share. Internal to them.
#ifndef CHARLE_SYNC_MERGE_PARTS_H
#define CHARLE_SYNC_MERGE_PARTS_H

#include "sync/merge.h"

// Two values of one type, not NULL.
bool ch_merge_is_equal_item(enum charle_type type, const void *a, const void *b, struct charle_arena *arena);

#endif
