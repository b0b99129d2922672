// A database handle: one connection of one driver, with transactions, prepared and cached statements and rows.
//
// The same calls run on PostgreSQL and SQLite. SQL given here as text uses $1, $2, … in both. Values are always bound.
// A handle belongs to one thread at a time. How values are stored:
//   type         PostgreSQL           SQLite
//   bool         boolean              integer 0/1
//   int4 int8    integer bigint       integer
//   float8       double precision     real
//   text enum    text collate "C"     text            an enum is its name, checked by a CHECK in both
//   bytes        bytea                blob
//   timestamptz  timestamptz          integer         microseconds since 1970, UTC
//   date         date                 text            'YYYY-MM-DD'
//   numeric      numeric              text            canonical decimal
//   uuid         uuid                 text            lower-case with dashes
//   jsonb        jsonb                text
//   arrays       type[]               text            a JSON array
#ifndef CHARLE_DB_DB_H
#define CHARLE_DB_DB_H

#include "base/arena.h"
#include "db/value.h"

struct charle_db;
struct charle_rows;

enum charle_dialect { CHARLE_PG = 1, CHARLE_SQLITE = 2 };

enum charle_dialect charle_db_dialect(const struct charle_db *db);
void charle_db_close(struct charle_db *db); // NULL is fine; an open transaction is rolled back

// Runs a statement and throws rows away. `sql` is prepared once per handle and cached by its text (use constants, not
// texts that hold values). out_changed, which may be NULL, takes the number of rows changed.
CHARLE_MUST_CHECK enum charle_err charle_exec(struct charle_db *db, const char *sql, const struct charle_value *params,
                                              size_t param_count, int64_t *out_changed, struct charle_error *err);

// Runs several statements without parameters (DDL), all in the simple protocol, not cached.
CHARLE_MUST_CHECK enum charle_err charle_exec_script(struct charle_db *db, const char *sql, struct charle_error *err);

// Opens a statement's rows. `types` (count of the result's columns) says how to read each column; NULL: by what the
// database says (PostgreSQL's type, SQLite's storage class). Close before the next statement of the same handle, except
// that SQLite allows several. *out_rows is set only on success.
CHARLE_MUST_CHECK enum charle_err charle_query(struct charle_db *db, const char *sql, const struct charle_value *params,
                                               size_t param_count, struct charle_rows **out_rows,
                                               struct charle_error *err);
// Moves to the next row: OK, or DONE after the last. Values of the previous row become invalid.
CHARLE_MUST_CHECK enum charle_err charle_rows_next(struct charle_rows *rows, struct charle_error *err);
size_t charle_rows_column_count(const struct charle_rows *rows);
struct charle_str charle_rows_column_name(const struct charle_rows *rows, size_t column);
// Reads a column of the present row as `type`. Text and bytes are valid until the next row or close. An enum column is
// read as TEXT. INVALID_ARGUMENT when the stored value cannot be that type.
CHARLE_MUST_CHECK enum charle_err charle_rows_value(struct charle_rows *rows, size_t column, enum charle_type type,
                                                    bool is_array, struct charle_value *out, struct charle_error *err);
// Type 0: what the database says it is (PostgreSQL's type, SQLite's storage class); is_array is then ignored.
void charle_rows_close(struct charle_rows *rows); // NULL is fine
// The number in the first column of a statement's first row; NULL reads as 0. DONE: there is no row. *out is 0 unless it returns OK.
CHARLE_MUST_CHECK enum charle_err charle_query_number(struct charle_db *db, const char *sql, const struct charle_value *params,
                                                      size_t param_count, int64_t *out, struct charle_error *err);

// As charle_query, but PostgreSQL sends rows while they are read, so that a result of any size needs the memory of one
// row. Closing early cancels the rest.
CHARLE_MUST_CHECK enum charle_err charle_query_streamed(struct charle_db *db, const char *sql,
                                                        const struct charle_value *params, size_t param_count,
                                                        struct charle_rows **out_rows, struct charle_error *err);

// Transactions nest: the outermost begin is BEGIN, inner ones are savepoints. commit and rollback end the innermost.
// After a failed statement in PostgreSQL only rollback of that level makes the handle usable again.
enum charle_isolation { CHARLE_READ_COMMITTED, CHARLE_REPEATABLE_READ, CHARLE_SERIALIZABLE };
struct charle_begin_options { // zero: read committed, read write
    enum charle_isolation isolation;
    bool is_read_only;
};
CHARLE_MUST_CHECK enum charle_err charle_begin(struct charle_db *db, const struct charle_begin_options *options,
                                               struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err charle_commit(struct charle_db *db, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err charle_rollback(struct charle_db *db, struct charle_error *err);
int charle_transaction_depth(const struct charle_db *db);

// Runs fn in a transaction; commits when it returns OK, rolls back otherwise. 40001 and 40P01 are retried, the whole
// fn, at most 5 times with jitter, when this is the outermost transaction.
typedef enum charle_err (*charle_transaction_fn)(struct charle_db *db, void *ctx, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err charle_transaction(struct charle_db *db, const struct charle_begin_options *options,
                                                     charle_transaction_fn fn, void *ctx, struct charle_error *err);

// Stops the statement that runs on the handle; it then fails with CANCELLED. The one call that may come from any
// thread, as long as the handle stays open. A cancel that comes too late may hit the next statement of the same handle.
CHARLE_MUST_CHECK enum charle_err charle_db_cancel(struct charle_db *db, struct charle_error *err);

// Called after every statement, on the handle's thread. Everything in it is valid during the call only.
struct charle_trace {
    struct charle_str sql;
    const struct charle_value *params;
    size_t param_count;
    int64_t duration_us; // until the first row was there
    int64_t changed;     // rows changed; 0 for queries
    enum charle_err rc;
};
typedef void (*charle_trace_fn)(const struct charle_trace *trace, void *ctx);
void charle_db_set_trace(struct charle_db *db, charle_trace_fn fn, void *ctx); // NULL: none

// The name of the calling service, put as a comment before statements of the query builder, so that an operator who
// looks at PostgreSQL knows who asked. Letters, digits and ". _ / -" are kept. NULL or empty: none.
#define CH_SERVICE_NAME_SIZE 64
void charle_db_set_service(struct charle_db *db, const char *service);

#endif
