// Rows straight from protobuf bytes into SQLite and back, without a struct between. For replicas: a page's rows are
// bound where they lie.
#ifndef CHARLE_DB_SQLITE_SQLITE_ROW_H
#define CHARLE_DB_SQLITE_SQLITE_ROW_H

#include "base/buf.h"
#include "db/row.h"
#include "db/sqlite/sqlite.h"

// Binds the columns of the set, in the order of positions, to the parameters first_parameter, first_parameter + 1, …;
// absent fields are bound as NULL, absent NOT NULL arrays as '[]'. Text and bytes are not copied: `row` must live until
// the statement is reset. What has another form in SQLite (dates, arrays) comes from the arena and lives as long. Works
// for keys as well, with the key's columns as the set.
CHARLE_MUST_CHECK enum charle_err ch_sqlite_bind_row(sqlite3_stmt *statement, int first_parameter,
                                                     const struct charle_table *table,
                                                     const struct charle_column_set *columns, struct charle_bytes row,
                                                     struct charle_arena *arena, struct charle_error *err);

// Appends the canonical bytes of the present row of a statement whose columns from first_column on are those of the
// set, in the order of positions. The arena is for arrays; reset it when convenient.
CHARLE_MUST_CHECK enum charle_err ch_sqlite_read_row(sqlite3_stmt *statement, int first_column,
                                                     const struct charle_table *table,
                                                     const struct charle_column_set *columns,
                                                     struct charle_arena *arena, struct charle_buf *buf,
                                                     struct charle_error *err);

// Writes rows and deletes by key, with statements prepared once. Several writers may be open on one handle. All in the
// transaction of the caller.
struct ch_sqlite_writer {
    const struct charle_table *table;
    struct charle_column_set columns;
    struct charle_column_set key;
    sqlite3 *handle;
    sqlite3_stmt *upsert;
    sqlite3_stmt *update; // for a row that is there and keeps its indexed columns; NULL: the table has none of those
    int update_pause;     // rows to be upserted after the newest miss of `update`, 0 after a hit …
    int update_after;     // … and how many of them are still to come
    sqlite3_stmt *remove;
    struct charle_arena arena; // of one row
};
// `columns` must have the primary key. A row that exists is overwritten in these columns only.
CHARLE_MUST_CHECK enum charle_err ch_sqlite_writer_open(struct ch_sqlite_writer *writer, struct charle_db *db,
                                                        const struct charle_table *table,
                                                        const struct charle_column_set *columns,
                                                        struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_sqlite_writer_put(struct ch_sqlite_writer *writer, struct charle_bytes row,
                                                       struct charle_error *err);
// `key`: bytes that hold at least the primary key's fields. A row that is not there is fine.
CHARLE_MUST_CHECK enum charle_err ch_sqlite_writer_delete(struct ch_sqlite_writer *writer, struct charle_bytes key,
                                                          struct charle_error *err);
void ch_sqlite_writer_close(struct ch_sqlite_writer *writer); // zeroed and NULL are fine

#endif
