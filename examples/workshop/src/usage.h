// One query for both sides: Desk.Usage runs it on PostgreSQL, bench.c on the laptop's replica.
#ifndef WORKSHOP_USAGE_H
#define WORKSHOP_USAGE_H

#include "db/query_words.h"
#include "workshop.columns.charle.h"

// A row of the answer: member, column. The struct's members get the columns' types; what may be null is a struct with `has`.
#define USAGE(FIELD, OUTER)                      \
    FIELD(code, part.code)                       \
    FIELD(name, part.name)                       \
    FIELD(repairs, count_of(used_part.quantity)) \
    FIELD(quantity, sum_of(used_part.quantity))
CHARLE_SHAPE(usage, USAGE);

// The parts that were used most, into the arena.
enum charle_err usage_fetch(struct charle_db *db, struct charle_arena *arena, struct usage **out_rows, size_t *out_count,
                            struct charle_error *err);

#endif
