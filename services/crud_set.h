// What the files of sets share: many calls of one method in one statement. Internal to them.
//
// The values of the calls stand behind each other in arrays, one array a column, and come back to the statement as rows:
//
//   update "task" r set "title" = u.p1, "updated_at" = greatest(r."updated_at", u.p2)
//   from unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[]) with ordinality u(p1, p2, p3, p4, n)
//   where r."id" = u.p3 and r."title" is not distinct from u.p4 returning …, u.n
//
// Arrays hold no NULLs: a NULL stands in the text (`"notes" = null`, `r."notes" is null`), so calls go into one statement
// only when they have the same shape, which says what is written and compared and which of it is NULL.
#ifndef CHARLE_SERVICES_CRUD_SET_H
#define CHARLE_SERVICES_CRUD_SET_H

#include "services/crud_parts.h"

struct ch_set_shape {
    struct charle_column_set written, written_null; // the second is part of the first
    struct charle_column_set compared, compared_null;
};

// One call, ready to run with others.
struct ch_set_call {
    size_t index; // in the set
    struct ch_set_shape shape;
    const void *key;    // struct of the statement's key message
    const void *values; // patch: what is written
    const void *base;   // patch: what is compared
    void *own;          // what the kind of method keeps of the call
};

struct ch_set {
    struct charle_call_set *calls;
    struct ch_crud crud; // of the call at hand; method, table and dialect are those of all
    struct ch_crud_view view;
    const struct charle_message *key_message;
    struct ch_set_call *ready; // the run from the front, in order
    size_t ready_count;
};

// The calls of one shape and the statement that runs them.
struct ch_set_statement {
    struct ch_set *set;
    const struct ch_set_call *const *calls;
    size_t count;
    struct ch_crud_sql sql;
    size_t column_count; // arrays bound
    size_t next;         // the next of them that ch_set_take names
};

// Binds an array of the calls' values of a column: `from` is the member of struct ch_set_call that holds the record
// (offsetof), `message` the record's. Bind all arrays first, in the order in which the text takes them.
CHARLE_MUST_CHECK enum charle_err ch_set_bind(struct ch_set_statement *s, const struct charle_column *column,
                                              const struct charle_message *message, size_t from);
// Binds the calls' times.
CHARLE_MUST_CHECK enum charle_err ch_set_bind_now(struct ch_set_statement *s);
void ch_set_take(struct ch_set_statement *s);        // writes `u.p3`: the next array
void ch_set_write_unnest(struct ch_set_statement *s); // `unnest($1::text[], …) with ordinality u(p1, …, n)`
// Runs the statement; the caller closes the rows.
CHARLE_MUST_CHECK enum charle_err ch_set_query(struct ch_set_statement *s, struct charle_rows **out_rows);
// Keeps the reply (struct of the method's reply) of one of the statement's calls; an empty one when none are wanted.
CHARLE_MUST_CHECK enum charle_err ch_set_reply(struct ch_set_statement *s, size_t index, const void *reply);

// --- kinds of methods (crud_set_update.c, crud_set_create.c) ------------------------------------------------

struct ch_set_kind {
    // Can calls of this table and caller run together at all?
    bool (*is_open)(const struct ch_set *set);
    // Makes one call ready; set->crud has its context. False: it runs by itself.
    bool (*prepare)(struct ch_set *set, const void *request, struct ch_set_call *out);
    CHARLE_MUST_CHECK enum charle_err (*run)(struct ch_set_statement *s);
};
extern const struct ch_set_kind ch_set_update, ch_set_create;

// The columns of a set that are NULL in a patch. False: one of them is an array, or jsonb, and cannot be in a set.
bool ch_set_nulls(const struct charle_table *table, const struct charle_column_set *columns, const void *patch,
                  struct charle_column_set *out_null);

#endif
