// What the files that write stamping triggers share (stamp_sql.c, stamp_path.c): the SQL of keys, scopes, entries,
// functions, triggers.
#ifndef CHARLE_GEN_STAMP_PARTS_H
#define CHARLE_GEN_STAMP_PARTS_H

#include "model.h"

// Text limits of what is put together here; names of triggers and functions hold numbers only.
enum { CH_STAMP_NAME_SIZE = 64, CH_STAMP_ALIAS_SIZE = 16 };

// Everywhere `row` is a record variable of a trigger function (old, new, l) or an alias in a statement (r, p1, …).
void ch_stamp_add_column(struct charle_buf *out, const char *row, const struct ch_model_column *column);
bool ch_stamp_is_text(const struct ch_model_column *column);
// The text of a row's key: the value itself of a single text column, otherwise a JSON array.
void ch_stamp_add_key(struct charle_buf *out, const char *row, const struct ch_model_table *table);
// The text of a scope. NULL when the key column is. `row` has the audience's key column.
void ch_stamp_add_scope(struct charle_buf *out, const char *row, const struct ch_model_audience *audience);
// The audience's condition on a row, in parentheses; "true" when it has none.
void ch_stamp_add_where(struct charle_buf *out, const char *row, const struct ch_model_audience *audience);
// "row(old."a", …) *<> row(new."a", …)": do the images differ? Knows no types, and so needs no search path.
void ch_stamp_add_differs(struct charle_buf *out, const struct ch_model_table *table,
                          const struct charle_column_set *columns);

// The generated functions run with their owner's rights. Most set a search path of their own. t12_log, which every
// write pays for, does without where it can: then every operator says its schema.
#define CH_STAMP_EQ  " operator(pg_catalog.=) "
#define CH_STAMP_CAT " operator(pg_catalog.||) "

// "create function charle.t12_<suffix>() … declare <variables> begin"; ended by ch_stamp_end_function.
void ch_stamp_begin_function(struct charle_buf *out, const struct ch_model_table *table, const char *suffix,
                             bool sets_path, const char *variables);
void ch_stamp_end_function(struct charle_buf *out);
// Makes the trigger anew, enabled always. `timing` is "after insert or update or delete" and the like; `behind` follows
// the table's name.
void ch_stamp_add_trigger(struct charle_buf *out, const char *kind, const char *name, const char *timing,
                          const struct ch_model_table *on, const char *behind);

// --- paths (stamp_path.c) -------------------------------------------------------------------------------------------

bool ch_stamp_has_path(const struct ch_model_table *table);
// Statements that append to the variable `pending` an entry for each scope that paths find from the record variable
// `row`, with the variable `is_in`.
void ch_stamp_add_path_entries(struct charle_buf *out, const char *row, const struct ch_model_table *table, char op);
// The function t12_<suffix> for TRUNCATE: an entry for every row in every scope of all audiences of the table or
// (`only` is not SIZE_MAX) of the path of one.
void ch_stamp_add_truncate(struct charle_buf *out, const struct ch_model_table *table, const char *suffix, size_t only);
// Everything that paths need besides t12_log.
void ch_stamp_add_paths(struct charle_buf *out, const struct ch_model_table *table);

#endif
