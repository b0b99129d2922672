// The application's tables as they lie in a replica: rows come in and go out as protobuf bytes.
//
// table.c has the rows, table_key.c the keys, table_scope.c who sees what.
//
// A row may be seen through several audiences, each of which shows some of its columns. Every audience writes its own columns only, so a
// row shows the union of what its scopes show, and loses columns when it leaves the last scope that showed them. The generator
// makes the columns of a replica's tables nullable for that reason, all but the key.
//
// Is a row in a scope? For constant and column audiences the row itself says so, if the columns that the rule looks at are ones the
// audience shows (always true of the key column; checked for `where` when the replica is opened). For the others, path audiences
// among them, the server's word is kept in charle_member.
//
// Keys as text. A key of one text column is the text itself; any other is a JSON array of the values as SQLite stores them.
#ifndef CHARLE_CLIENT_TABLE_H
#define CHARLE_CLIENT_TABLE_H

#include "client/lite.h"
#include "db/sqlite/sqlite_row.h"

struct ch_table_audience {
    const struct charle_audience *audience;
    struct charle_column_set columns; // what it shows and a replica may hold
    bool is_member;                   // rows are listed in charle_member
    bool is_unserved;                 // the server has no such audience (gaps.h): nothing is in its scopes
    struct ch_sqlite_writer writer;   // opened when first used
};

struct ch_table {
    const struct charle_table *schema;
    struct ch_table_audience *audiences; // schema->audience_count
    struct charle_column_set columns;    // of the replica's table
    struct ch_sqlite_writer writer;      // all columns; opened when first used
    struct charle_column_set key;
    sqlite3_stmt *select_row;            // all columns by key; like the next two made when first used
    sqlite3_stmt *delete_row;            // by key
    sqlite3_stmt *image;                 // gives back the values bound to it, as a row
    sqlite3_stmt *key_text;              // the text of a key whose values are bound to it
    bool has_text_key;                   // one text column
    bool was_changed;                    // since ch_tables_take_changed
    uint64_t version;                    // grows with every change, for those who compare
    uint64_t cleaned_version;            // at which references of local tables were looked at last (local.h)
    int16_t column_at[CH_COLUMNS_MAX];   // index in schema->columns of the n-th column of the SQL table; -1: not ours
    size_t sql_column_count;
};

struct ch_tables {
    struct charle_db *db; // the writer connection
    struct ch_lite *sql;
    sqlite3 *scratch;     // a private memory database: turns loose values into rows
    const struct charle_schema *schema;
    struct ch_table *items; // replicated and local tables, in ascending order of id; local ones have no audience
    size_t count;
    struct charle_arena arena; // of one row
    struct charle_buf text;    // of one statement that is made at run time
};

// Rows of the table are being changed on the writing connection.
static inline void ch_table_note_change(struct ch_table *table)
{
    table->was_changed = true;
    table->version++;
}

// What the three files share: pieces of SQL over a row with the alias r, appended to a buffer.
void ch_table_add_key_match(const struct ch_table *table, const char *parameter, struct charle_buf *sql);    // r is this row
void ch_table_add_key_values(const struct ch_table *table, const char *key_sql, struct charle_buf *sql);     // "(?2)" or "(json…, json…)"
void ch_table_add_key_columns(const struct ch_table *table, struct charle_buf *sql);                         // "(r.id)"
void ch_table_add_key_text(const struct ch_table *table, struct charle_buf *sql);                            // r's key as text
void ch_table_add_in_scope(const struct ch_table *table, const struct ch_table_audience *audience, struct charle_buf *sql); // ?1, with the key ?2
void ch_table_add_in_any_other(const struct ch_table *table, struct charle_buf *sql);                        // in a held scope other than ?1
CHARLE_MUST_CHECK enum charle_err ch_table_check_audiences(struct ch_tables *tables, struct ch_table *table,
                                                           struct charle_error *err);
// From now on the audience of this index shows what the schema says without these columns, or nothing at all.
CHARLE_MUST_CHECK enum charle_err ch_table_narrow(struct ch_tables *tables, struct ch_table *table, size_t index, bool is_unserved,
                                                  const struct charle_column_set *unshown, struct charle_error *err);

// Looks at the tables in the file; they must exist. Prepares nothing big: statements are made when first used.
CHARLE_MUST_CHECK enum charle_err ch_tables_open(struct ch_tables *tables, struct charle_db *db, struct ch_lite *sql,
                                                 const struct charle_schema *schema, const char *vfs,
                                                 struct charle_error *err);
void ch_tables_close(struct ch_tables *tables);

struct ch_table *ch_table_by_id(struct ch_tables *tables, uint32_t id);       // NULL when there is none
struct ch_table *ch_table_by_name(struct ch_tables *tables, const char *name); // the same
// The ids of the tables with rows that were put, restored, left or captured since the last time; `out` has room for tables->count.
size_t ch_tables_take_changed(struct ch_tables *tables, uint32_t *out);
// The audience of the table with the scope's name; NULL when the table has none.
struct ch_table_audience *ch_table_audience_of(struct ch_table *table, struct charle_str scope);

// --- keys -------------------------------------------------------------------------------------------------------------

// Appends the key of a row in bytes.
CHARLE_MUST_CHECK enum charle_err ch_table_key_of_row(struct ch_tables *tables, struct ch_table *table,
                                                      struct charle_bytes row, struct charle_buf *out,
                                                      struct charle_error *err);
// Appends a key given by its values as SQLite has them, in the order of the table's key columns' positions.
CHARLE_MUST_CHECK enum charle_err ch_table_key_of_values(struct ch_tables *tables, struct ch_table *table,
                                                         sqlite3_value *const *values, struct charle_buf *out,
                                                         struct charle_error *err);
// Appends our form of a key that the server wrote. INVALID_ARGUMENT when it does not parse.
CHARLE_MUST_CHECK enum charle_err ch_table_key_of_wire(struct ch_tables *tables, struct ch_table *table,
                                                       struct charle_str key, struct charle_buf *out,
                                                       struct charle_error *err);

// --- rows -------------------------------------------------------------------------------------------------------------

// Inserts or overwrites the audience's columns of a row, and remembers the membership where that is needed.
CHARLE_MUST_CHECK enum charle_err ch_table_put(struct ch_tables *tables, struct ch_table *table,
                                               struct ch_table_audience *audience, struct charle_str scope,
                                               struct charle_bytes row, struct charle_error *err);
// Remembers the membership alone, where that is needed: the row is written already.
CHARLE_MUST_CHECK enum charle_err ch_table_enter(struct ch_tables *tables, struct ch_table *table, struct ch_table_audience *audience,
                                                 struct charle_str scope, struct charle_str key, struct charle_error *err);

// The row left the scope. `still_in`: the scopes it is in now, as the server says. Deletes it, or empties the columns that only this
// scope showed when another held scope still shows the row.
CHARLE_MUST_CHECK enum charle_err ch_table_leave(struct ch_tables *tables, struct ch_table *table,
                                                 struct ch_table_audience *audience, struct charle_str scope,
                                                 struct charle_str key, const struct charle_str *still_in,
                                                 size_t still_in_count, struct charle_error *err);

// The scope is lost: all its rows leave it, as ch_table_leave for each, with what the replica itself knows of the other held scopes.
// The caller forgets its members.
CHARLE_MUST_CHECK enum charle_err ch_table_leave_scope(struct ch_tables *tables, struct ch_table *table,
                                                       struct ch_table_audience *audience, struct charle_str scope,
                                                       struct charle_error *err);

// Comparing scopes with the server, in one transaction: begin_denials; deny, for each range that was fetched, what lies here between two
// rows that arrived (before any of them is put); put the rows; when all rows are as the server has them, leave_unshown for each table.
CHARLE_MUST_CHECK enum charle_err ch_tables_begin_denials(struct ch_tables *tables, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_table_deny(struct ch_tables *tables, struct ch_table *table,
                                                struct ch_table_audience *audience, struct charle_str scope,
                                                struct charle_str after, struct charle_str before, bool is_inclusive,
                                                int64_t *out_rows, struct charle_error *err);
// Rows that no scope held shows are deleted, and columns that none shows emptied. `is_all`: of all rows; otherwise of those that were denied.
CHARLE_MUST_CHECK enum charle_err ch_table_leave_unshown(struct ch_tables *tables, struct ch_table *table, bool is_all,
                                                         struct charle_error *err);
// Is there any row of the scope with after < key <= until?
CHARLE_MUST_CHECK enum charle_err ch_table_has_rows(struct ch_tables *tables, struct ch_table *table,
                                                    struct ch_table_audience *audience, struct charle_str scope,
                                                    struct charle_str after, struct charle_str until, bool *out,
                                                    struct charle_error *err);
// Does the row show these bytes in the audience's columns? One with a value that is none of its column's does not.
CHARLE_MUST_CHECK enum charle_err ch_table_is_same(struct ch_tables *tables, struct ch_table *table,
                                                   struct ch_table_audience *audience, struct charle_str key,
                                                   struct charle_bytes row, bool *out, struct charle_error *err);

// Values of all replica columns in the order of their positions, as the row's bytes, appended.
CHARLE_MUST_CHECK enum charle_err ch_table_image(struct ch_tables *tables, struct ch_table *table,
                                                 sqlite3_value *const *values, struct charle_buf *out,
                                                 struct charle_error *err);
// The whole row by key, appended as bytes of its replica columns. *out_found false: there is none.
CHARLE_MUST_CHECK enum charle_err ch_table_read(struct ch_tables *tables, struct ch_table *table, struct charle_str key,
                                                struct charle_buf *out, bool *out_found, struct charle_error *err);
// Puts a whole row back as it was, or deletes the row when image.ptr is NULL.
CHARLE_MUST_CHECK enum charle_err ch_table_restore(struct ch_tables *tables, struct ch_table *table,
                                                   struct charle_str key, struct charle_bytes image,
                                                   struct charle_error *err);

// Walks through the rows of a scope with after < key <= until (ptr NULL: no bound) in key order, as bytes of the audience's columns.
// A damaged row, one with a value that is none of its column's, comes with ptr NULL.
typedef enum charle_err (*ch_table_row_fn)(void *ctx, struct charle_bytes row, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_table_walk(struct ch_tables *tables, struct ch_table *table,
                                                struct ch_table_audience *audience, struct charle_str scope,
                                                struct charle_str after, struct charle_str until, ch_table_row_fn fn,
                                                void *ctx, struct charle_error *err);

#endif
