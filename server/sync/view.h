// The statements that read one table as one audience sees it. Texts are made once, when the schema is known, and cached by the driver.
//
// Keys travel as text (proto/charle/sync.proto): a key of one text column is that text, any other is a JSON array. A scope's key, "42" in
// "client:42", is always given as text.
#ifndef CHARLE_SERVER_SYNC_VIEW_H
#define CHARLE_SERVER_SYNC_VIEW_H

#include "base/arena.h"
#include "base/buf.h"
#include "db/row.h"

struct ch_view {
    const struct charle_table *table;
    const struct charle_audience *audience;
    bool has_key; // the scope has a key: statements take it as their parameter behind the others
    // $1 keys as text[], sorted and each once: the audience's columns of the rows that are there, in the order of the keys. For keys that are not
    // one text column the key itself stands behind them.
    const char *rows_sql;
    int key_at; // the column of rows_sql's result with the key as text
    // "select … from … r where <in scope>": the audience's columns; the scope's key is $1 or, for COPY, a literal put in place of it.
    struct charle_str select_list; // "r."id", r."title""
    struct charle_str from_where;  // "from "task" r where …" with $1 for the scope's key
};

// What stands in the select list for some columns instead of the column itself, for a replica of another version of the schema (skew.h).
struct ch_view_expressions {
    const char *const *items; // by index of column; NULL: the column
};

struct ch_table_views {
    const struct charle_table *table;
    bool has_text_key;        // one text column
    struct ch_view *views;    // one an audience
    size_t view_count;
    const char *scopes_sql;   // $1 keys as text[]: (key, scope) of every scope that each existing row is in
    struct charle_str order;  // "r."a", r."b""
};

// All from the arena. `expressions` may be NULL: none. TOO_LARGE or NO_MEMORY.
CHARLE_MUST_CHECK enum charle_err ch_table_views_init(const struct charle_table *table, const struct ch_view_expressions *expressions,
                                                      struct charle_arena *arena, struct ch_table_views *out, struct charle_error *err);

// Appends "(r."a", r."b") <op> (<key>)" for a key given as SQL text (a quoted literal or a parameter).
void ch_view_add_key_compare(const struct ch_table_views *views, const char *op, const char *key_sql, struct charle_buf *sql);

// Appends "select … [from …] where …" that gives all scopes that row r is in by this audience.
void ch_view_add_scopes_of(const struct charle_table *table, const struct charle_audience *audience, struct charle_buf *sql);

// Appends the text of a row's key. The row's bytes hold its key columns.
CHARLE_MUST_CHECK enum charle_err ch_view_key_of_row(const struct ch_table_views *views, struct charle_bytes row, struct charle_buf *out,
                                                     struct charle_error *err);

#endif
