// Merging: what becomes of an edit whose row was changed by someone else since the edit was made.
//
// An edit carries the values it was based on (`base`), what it wants (`wanted`) and which columns it is about (`mask`);
// the database has the row as it is now (`stored`). Each column has a policy (enum charle_merge). A value has moved
// when stored and base differ. The same rules run on the server and on a laptop, and they are pure: no clock, no
// database, no state.
//
//   policy    not moved                    moved
//   LWW       wanted                       wanted, and the note says what it replaced
//   SERVER    wanted                       CONFLICT
//   GROUP     wanted                       CONFLICT, when any column of the group moved
//   FSM       the step from stored to wanted must be legal, else FAILED_PRECONDITION; the note says when it moved
//   before COUNTER   wanted                       stored + (wanted - base) SET       wanted stored without what the
//   edit removed, and with what it added ONCE      wanted, when stored is null  stored stays, and the note says so
//   APPEND    FAILED_PRECONDITION: rows of this kind are added, not changed
//   TEXT      wanted                       both, by paragraphs; where both changed one paragraph, both versions, marked
//   DERIVED   FAILED_PRECONDITION: nobody sets it
//
// Whatever the policy, wanting what is stored already is no change and no conflict (except for counters, where both
// changes count). Without a base nothing has moved.
#ifndef CHARLE_SYNC_MERGE_H
#define CHARLE_SYNC_MERGE_H

#include "base/arena.h"
#include "db/row.h"

// Raised whenever a rule changes, so that a server can merge an old client's calls as that client expects.
#define CH_MERGE_VERSION 1

struct ch_merge {
    const struct charle_table *table;
    struct charle_arena *arena; // of the results; they also point into the inputs
    // Structs of table->patch. `base` may be NULL: not known. `stored` must have the columns of ch_merge_needs.
    const void *base, *stored, *wanted;
    struct charle_column_set mask; // columns to change
    // Filled in by ch_merge_update:
    void *merged;                     // struct of table->patch: what to write into the columns of `changed`
    struct charle_column_set changed; // of the mask, those whose value is not what is stored already
    struct charle_str note;           // a sentence for each column that was merged; empty: nothing was
};

// The columns of `stored` that the merge of these columns looks at: themselves and their groups.
struct charle_column_set ch_merge_needs(const struct charle_table *table, const struct charle_column_set *mask);

// CONFLICT or FAILED_PRECONDITION (one sentence about the first column in question), OUT_OF_RANGE for a counter that
// overflows, NO_MEMORY. Nothing is changed then.
CHARLE_MUST_CHECK enum charle_err ch_merge_update(struct ch_merge *merge, struct charle_error *err);

// May a row be deleted by someone who saw it as `base` (NULL: not known)? CONFLICT when a column that base holds moved;
// times that the system keeps and DERIVED columns do not count.
CHARLE_MUST_CHECK enum charle_err ch_merge_delete(const struct charle_table *table, const void *base,
                                                  const void *stored, struct charle_arena *arena,
                                                  struct charle_error *err);

// Are the values of a column equal, as PostgreSQL sees it? 1.0 is 1.00, -0 is 0, NaN is NaN, an absent array is an
// empty one, the order of keys in jsonb does not count. `a` and `b` are structs of `type`, which has the column's
// field.
bool ch_merge_is_equal(const struct charle_field *field, const void *a, const void *b, struct charle_arena *arena);

// Three-way merge of text by paragraphs (separated by blank lines). *out_is_marked: both had changed the same
// paragraph, and both versions are in the result between lines that say so. ptr NULL when the arena is full.
struct charle_str ch_merge_text(struct charle_str base, struct charle_str stored, struct charle_str wanted,
                                struct charle_arena *arena, bool *out_is_marked);

// The lines around two versions of one paragraph.
#define CH_MERGE_MARK_FIRST  "[Two versions of this part were written at the same time. The first:]"
#define CH_MERGE_MARK_SECOND "[The second:]"
#define CH_MERGE_MARK_END    "[End of both versions]"

#endif
