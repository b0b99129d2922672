// What the two ways of updating a row share (crud_update.c, crud_update_fast.c). Internal to them.
#ifndef CHARLE_SERVICES_CRUD_EDIT_H
#define CHARLE_SERVICES_CRUD_EDIT_H

#include "services/crud_parts.h"
#include "sync/merge.h"

// An edit of a row on its way. Everything is from the context's arena or the request.
struct ch_crud_edit {
    const struct ch_crud *crud;
    struct ch_crud_view view;
    const void *key;
    void *stored;                   // the row as it is
    struct charle_column_set shown; // of it, to the caller
    struct ch_merge merge;
};

// Copies the base without the columns that are not shown: what it says about those must not come back in a sentence.
CHARLE_MUST_CHECK enum charle_err ch_crud_edit_take_base(struct ch_crud_edit *e, const void *base);
// May the columns of the mask be written with what is wanted? Takes columns out of the mask that the system keeps and
// the edit leaves as they are.
CHARLE_MUST_CHECK enum charle_err ch_crud_edit_check_columns(struct ch_crud_edit *e);
// `"title" = $1, "notes" = $2` for the columns that the merge changed, with the values it gave.
CHARLE_MUST_CHECK enum charle_err ch_crud_edit_write_changes(const struct ch_crud_edit *e, struct ch_crud_sql *sql);
// Runs `update … returning <shown columns>` and fills in the reply, a patch. DONE: it changed no row.
CHARLE_MUST_CHECK enum charle_err ch_crud_edit_run(const struct ch_crud_edit *e, struct ch_crud_sql *sql, void *reply);
bool ch_crud_edit_is_empty(const struct charle_column_set *set);

// May an edit go the fast way, as far as the caller and the table are concerned?
bool ch_crud_fast_is_open(const struct ch_crud *crud, const struct ch_crud_view *view);
// Works out the merge as if the row were what base says: what it writes is then in e->merge, and *out_compared are the
// columns in which the row must be as base says. False: not this edit, or nothing is to be written.
bool ch_crud_fast_prepare(struct ch_crud_edit *e, const void *base, struct charle_column_set *out_compared);
// Tries to update the row in one statement (crud_update_fast.c). `e` has crud, view, key, and of the merge the table,
// the arena, what is wanted and the mask; it is left as it was. *out_is_done false: nothing was changed or said, and
// the row must be read. Errors are those of the statement.
CHARLE_MUST_CHECK enum charle_err ch_crud_update_fast(const struct ch_crud_edit *e, const void *base, void *reply,
                                                      bool *out_is_done);

#endif
