// What acquire.c, acquire_scopes.c, acquire_range.c, acquire_stage.c and acquire_compare.c share; acquire.c says what it is about.
#ifndef CHARLE_CLIENT_ACQUIRE_PARTS_H
#define CHARLE_CLIENT_ACQUIRE_PARTS_H

#include "client/core_parts.h"

enum { CH_ACQUIRE_TIMEOUT_MS = 120000 }; // of a question: a server counts a large range in that time

// --- acquire_scopes.c ---------------------------------------------------------------------------------------------------

// Adds those of the replica that are in a state to the list of those to do. *out_any becomes true when there is one.
CHARLE_MUST_CHECK enum charle_err ch_acquire_add_scopes(struct ch_client_core *core, enum ch_scope_state state, bool *out_any, struct charle_error *err);
// What charle_cursor says of the scope now. *out_state 0: it is not held.
CHARLE_MUST_CHECK enum charle_err ch_acquire_state_of(struct ch_client_core *core, struct charle_str scope, int *out_state, int64_t *out_stamp,
                                                      struct charle_error *err);
// Begins the scope that is next; none is left: nothing is to be done. Ends the present one and begins the next.
CHARLE_MUST_CHECK enum charle_err ch_acquire_begin_scope(struct ch_client_core *core, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_acquire_end_scope(struct ch_client_core *core, struct charle_error *err);

// --- acquire_range.c ----------------------------------------------------------------------------------------------------

// Of the list of those to do; ptr NULL behind the last. Valid as long as the list is not added to.
struct charle_str ch_acquire_scope_at(const struct ch_acquire *a, size_t at);
struct charle_str ch_acquire_scope(const struct ch_acquire *a); // the present one
struct ch_table *ch_acquire_table(struct ch_client_core *core); // the present one
// As which the present scope shows the table at an index; NULL: it does not.
struct ch_table_audience *ch_acquire_audience_at(struct ch_client_core *core, size_t table_at);
// A bound of a range as text that is borrowed from it; ptr NULL: there is none.
struct charle_str ch_acquire_bound(bool has, const struct charle_buf *text);
void ch_acquire_range_deinit(struct ch_key_range *range);
// Puts a range on the list of those that are still to compare. rows: about as many on the server; -1: not known.
CHARLE_MUST_CHECK enum charle_err ch_acquire_push_range(struct ch_acquire *a, struct charle_str after, struct charle_str until, int64_t rows,
                                                        struct charle_error *err);
void ch_acquire_clear_ranges(struct ch_acquire *a);
bool ch_acquire_is_leaf(const struct ch_acquire *a); // the range at hand is not divided any more
// Asks for the range's hashes, for its rows behind what is staged of it, and for its rows from the start.
void ch_acquire_start_hash(struct ch_client_core *core);
void ch_acquire_start_fetch(struct ch_client_core *core);
void ch_acquire_start_new_fetch(struct ch_client_core *core);

// --- acquire_stage.c ----------------------------------------------------------------------------------------------------

void ch_acquire_note_head(struct ch_acquire *a, const struct charle_cursor *head); // NULL is fine
// Puts the scope into the spool, if it is not there, and the item behind it. item NULL: the scope alone.
CHARLE_MUST_CHECK enum charle_err ch_acquire_stage(struct ch_client_core *core, const struct ch_spool_item *item, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_acquire_stage_page(struct ch_client_core *core, struct charle_bytes message, struct charle_error *err);
// The present scope is done and differs: it is named to the next moment.
CHARLE_MUST_CHECK enum charle_err ch_acquire_keep_staged(struct ch_acquire *a, struct charle_error *err);

// --- acquire_compare.c --------------------------------------------------------------------------------------------------

// Reads the answer that has come together in `reply` and decides how it goes on.
CHARLE_MUST_CHECK enum charle_err ch_acquire_take_hash(struct ch_client_core *core, struct charle_error *err);

#endif
