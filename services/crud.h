// The engine behind the generated services: Create, Get, List, Update and Delete of any table, from descriptors alone.
//
// It runs on any database handle: on the server it sees the rows and columns that the caller's scopes show; on a
// replica everything that is there may be seen. Who may write is asked of the row as it is and as it will be.
// Concurrent edits are merged by the policy of each column (sync/merge.h). Values are always bound; the text of a
// statement depends on the table, the columns and which audiences the caller is in, never on values, so that it is
// prepared once.
//
// Transactions are the caller's: what writes must run inside one, and a failure means that it must be rolled back.
// Errors are sentences about tables and columns, never SQL.
#ifndef CHARLE_SERVICES_CRUD_H
#define CHARLE_SERVICES_CRUD_H

#include "call/method.h"
#include "db/db.h"
#include "db/row.h"

// Runs a generated method; a charle_crud_engine for charle_context.crud. Takes ids and the time from the context,
// memory from its arena; sets context->merge_note when an edit was merged. Errors: NOT_FOUND (no such row, or none that
// the caller may see), PERMISSION_DENIED, INVALID_ARGUMENT, CONFLICT, FAILED_PRECONDITION, the violations of err.h, and
// what the database reports.
CHARLE_MUST_CHECK enum charle_err ch_crud_run(const struct charle_method *method, struct charle_context *context,
                                              const void *request, void *reply, struct charle_error *err);

// Appends to `out` a request with what it is based on. An Update that carries no base gets the values that the row in
// context->db has now, of the columns it changes and of those that change together with them; any other request is
// copied. For edits that wait before they reach the server: without a base it cannot tell that somebody else changed
// the same value.
CHARLE_MUST_CHECK enum charle_err ch_crud_add_base(const struct charle_method *method, struct charle_context *context,
                                                   struct charle_bytes request, struct charle_buf *out,
                                                   struct charle_error *err);

// Appends to `out` the request without what it was based on, so that it takes what the row has now (ch_crud_add_base): for an edit that is
// made again after somebody has looked at what became of the first.
CHARLE_MUST_CHECK enum charle_err ch_crud_drop_base(const struct charle_method *method, struct charle_arena *arena,
                                                    struct charle_bytes request, struct charle_buf *out, struct charle_error *err);

// Runs calls of one generated Create or Update together, as far as what comes out is the same as running them one by
// one in their order; a charle_set_engine. Takes the longest run from the front whose calls touch different rows, are
// allowed whatever is stored, and carry their base. Edits of rows that are not what base says are left over. A
// set of one is not worth it: taken is 0 then.
CHARLE_MUST_CHECK enum charle_err ch_crud_run_set(struct charle_call_set *set, struct charle_error *err);

// --- Get in two halves -------------------------------------------------------------------------------------
//
// For a server that sends many Gets down one connection before it reads the first result: prepare gives the statement,
// finish turns its row into the reply's bytes without a struct between.

struct ch_crud_get {
    const struct charle_table *table;
    const char *sql; // NUL-terminated; like all below from the context's arena
    const struct charle_value *params;
    size_t param_count;
    struct charle_column_set columns; // the result's first columns, in the order of positions
    struct charle_column_set always;  // of these, those shown whatever audience the row is seen through
    // Behind the columns, one boolean for each of these: when it is true, the row shows its columns too.
    const struct charle_column_set *flags;
    size_t flag_count;
};

// How to read the one row of a result; `row` is the caller's.
struct ch_crud_row {
    void *row;
    // Appends the canonical bytes (db/row.h) of the result's first columns.
    enum charle_err (*encode)(void *row, const struct charle_table *table, const struct charle_column_set *columns,
                              struct charle_buf *buf, struct charle_error *err);
    // The boolean in a column of the result.
    enum charle_err (*flag)(void *row, size_t column, bool *out, struct charle_error *err);
};

// Checks the caller and the request and makes the statement. The context needs no database, only its arena and
// identity.
CHARLE_MUST_CHECK enum charle_err ch_crud_get_prepare(const struct charle_method *method,
                                                      struct charle_context *context, struct charle_bytes request,
                                                      enum charle_dialect dialect, struct ch_crud_get *out,
                                                      struct charle_error *err);
// Appends the reply. `row` NULL: the statement found nothing, which is NOT_FOUND.
CHARLE_MUST_CHECK enum charle_err ch_crud_get_finish(const struct ch_crud_get *get, const struct ch_crud_row *row,
                                                     struct charle_buf *reply, struct charle_error *err);

#endif
