// The PostgreSQL driver: libpq with binary parameters and results, prepared statements, pipelines.
//
// A handle is one connection, used by one thread at a time (charle_db_cancel may come from any). Parameters take the
// types that PostgreSQL infers from the statement: an int4 may be given where an int8 is wanted. Where it can infer
// nothing, write a cast: $1::bigint. Times are UTC.
#ifndef CHARLE_DB_PG_PG_H
#define CHARLE_DB_PG_PG_H

#include "base/buf.h"
#include "db/db.h"
#include "db/row.h"

#include <libpq-fe.h>

struct ch_pg_options {
    const char *application_name;       // shown in pg_stat_activity; NULL: "charle"; the URL's wins
    int connect_timeout_s;              // 0: CH_PG_CONNECT_TIMEOUT_S; the URL's wins
    int statement_timeout_ms;           // 0: PostgreSQL's setting
    int lock_timeout_ms;                // 0: PostgreSQL's setting
    int idle_in_transaction_timeout_ms; // 0: PostgreSQL's setting
};

// Connects. `url` is any connection string libpq takes, `sslmode` and the rest included. NULL options are all zero.
// Errors: UNAVAILABLE, UNAUTHENTICATED, NOT_FOUND (no such database), RESOURCE_EXHAUSTED (too many clients); the text
// has libpq's own words and never the password.
CHARLE_MUST_CHECK enum charle_err ch_pg_open(const char *url, const struct ch_pg_options *options,
                                             struct charle_db **out_db, struct charle_error *err);

PGconn *ch_pg_connection(struct charle_db *db); // for COPY, LISTEN and the like; not to be closed

// Whether the connection is thought to be alive; no round trip. After UNAVAILABLE it is false.
bool ch_pg_is_alive(struct charle_db *db);
// Asks the server. False also when a transaction is open or broken.
bool ch_pg_check(struct charle_db *db);
// Connects again after a loss, with the options of the first time. The open transaction and all settings are gone.
CHARLE_MUST_CHECK enum charle_err ch_pg_reconnect(struct charle_db *db, struct charle_error *err);

// Stops what runs on the handle, from any thread: charle_db_cancel by another name.
CHARLE_MUST_CHECK enum charle_err ch_pg_cancel(struct charle_db *db, struct charle_error *err);

// The code and sentence of a failed result (PostgreSQL's message and detail; foreign: the SQLSTATE). `result` may be
// NULL: the connection's trouble.
enum charle_err ch_pg_fail(PGconn *connection, const PGresult *result, struct charle_error *err);

// --- rows as bytes ---------------------------------------------------------------------------------------------------

// Appends the canonical bytes (row.h) of row `row` of a result in binary format, whose first columns are those of the
// set in the order of positions.
CHARLE_MUST_CHECK enum charle_err ch_pg_encode_row(const struct charle_table *table,
                                                   const struct charle_column_set *columns, const PGresult *result,
                                                   int row, struct charle_buf *buf, struct charle_error *err);

// The same from a tuple of `copy … to stdout (format binary)`: `tuple` begins at the count of fields. DONE for the
// trailer. The signature and header of the first tuple are skipped by ch_pg_copy_skip_header.
CHARLE_MUST_CHECK enum charle_err ch_pg_copy_row(const struct charle_table *table,
                                                 const struct charle_column_set *columns, struct charle_bytes tuple,
                                                 struct charle_buf *buf, struct charle_error *err);
// What is left of the first piece of a binary COPY behind its header; MALFORMED when there is none.
CHARLE_MUST_CHECK enum charle_err ch_pg_copy_skip_header(struct charle_bytes *piece, struct charle_error *err);

// A value of a binary result as charle_rows_value gives it; text and bytes point into the result, what is converted
// comes from the arena.
CHARLE_MUST_CHECK enum charle_err ch_pg_result_value(const PGresult *result, int row, int column, enum charle_type type,
                                                     bool is_array, struct charle_arena *arena,
                                                     struct charle_value *out, struct charle_error *err);

#endif
