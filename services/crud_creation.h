// What the two ways of adding rows share (crud_create.c, crud_set_create.c). Internal to them.
#ifndef CHARLE_SERVICES_CRUD_CREATION_H
#define CHARLE_SERVICES_CRUD_CREATION_H

#include "services/crud_parts.h"

// The row being made: its values as a patch, for the checks, and the columns that are written.
struct ch_crud_creation {
    const struct ch_crud *crud;
    struct ch_crud_view *view;
    void *patch;
    struct charle_column_set given;  // by the caller
    struct charle_column_set filled; // by us
};

// Fills in the patch from the request and what the system adds. INVALID_ARGUMENT for a column nobody may give.
CHARLE_MUST_CHECK enum charle_err ch_crud_creation_collect(struct ch_crud_creation *c, const void *request);
// The columns to read back: the key and all that the caller may see.
struct charle_column_set ch_crud_creation_returning(const struct ch_crud_creation *c);
// Leaves in the reply, which has what was read back, what the caller may see. PERMISSION_DENIED when the caller gave
// what it may not see.
CHARLE_MUST_CHECK enum charle_err ch_crud_creation_project(struct ch_crud_creation *c, void *reply);

#endif
