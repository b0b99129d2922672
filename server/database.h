// The door to PostgreSQL while the server starts: an address checked, a connection opened, a failure explained.
//
// What libpq says about a refused connection is written for people who know libpq. Here each failure becomes a sentence
// with what to do, told apart by SQLSTATE where the server answered and by libpq's words where it did not. No sentence
// ever holds the address itself, since it may hold a password; `display` ("host:5432/name") stands for it. Running
// calls go through the pool of core/db/pg, not through here. One connection, one thread.
#ifndef CHARLE_SERVER_DATABASE_H
#define CHARLE_SERVER_DATABASE_H

#include "base/err.h"
#include "base/str.h"

#include <libpq-fe.h>

#define CH_DATABASE_DISPLAY_SIZE 200
#define CH_POSTGRES_VERSION_MIN  130000 // the oldest that the statements of the platform run on

// Writes "host:port/name" of a libpq URL or connection string. INVALID_ARGUMENT with what is wrong with it.
CHARLE_MUST_CHECK enum charle_err ch_database_describe(const char *url, char out[CH_DATABASE_DISPLAY_SIZE],
                                                       struct charle_error *err);

// Connects within timeout_ms; refuses servers that are not PostgreSQL, too old, not UTF-8 or read-only. While the
// server says that it is starting up this waits and tries again, within the same time. *out is to be closed with
// PQfinish.
CHARLE_MUST_CHECK enum charle_err ch_database_open(const char *url, int timeout_ms, PGconn **out,
                                                   struct charle_error *err);

// Runs one statement with text parameters (or, when param_count is 0, a script). The rows go to *out_result when that
// is not NULL (PQclear is the caller's). Failures carry SQLSTATE, PostgreSQL's message and `what`.
CHARLE_MUST_CHECK enum charle_err ch_database_run(PGconn *conn, const char *what, const char *sql,
                                                  const char *const *params, int param_count, PGresult **out_result,
                                                  struct charle_error *err);

#endif
