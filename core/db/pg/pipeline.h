// Many prepared statements in one round trip: queue N, flush once, read N results in the order of queueing.
//
//   ch_pg_pipeline_open(db, 0, &pipeline, err)
//   for each:  ch_pg_pipeline_add(pipeline, sql, params, count, err)
//   ch_pg_pipeline_flush(pipeline, err)
//   for each:  ch_pg_pipeline_next(pipeline, &result, err); …; PQclear(result)
//   ch_pg_pipeline_close(pipeline)
//
// Between open and close the handle takes no other calls. Outside a transaction everything between two flushes is one
// implicit transaction: when a statement fails, those behind it are not run and report ABORTED, unless each is its own
// transaction.
#ifndef CHARLE_DB_PG_PIPELINE_H
#define CHARLE_DB_PG_PIPELINE_H

#include "db/pg/pg.h"

struct ch_pg_pipeline;

enum { CH_PG_PIPELINE_SEPARATE = 1 }; // each statement its own transaction; costs a write to the socket each

CHARLE_MUST_CHECK enum charle_err ch_pg_pipeline_open(struct charle_db *db, int flags,
                                                      struct ch_pg_pipeline **out_pipeline, struct charle_error *err);
// Queues a statement. It is prepared once per connection; the first time that waits for what is queued before it.
// RESOURCE_EXHAUSTED past CH_PG_PIPELINE_MAX results that were not read.
CHARLE_MUST_CHECK enum charle_err ch_pg_pipeline_add(struct ch_pg_pipeline *pipeline, const char *sql,
                                                     const struct charle_value *params, size_t param_count,
                                                     struct charle_error *err);
// Sends what is queued. May be called again for more.
CHARLE_MUST_CHECK enum charle_err ch_pg_pipeline_flush(struct ch_pg_pipeline *pipeline, struct charle_error *err);
// The next result, in binary format; flushes when needed. DONE when there are no more. A failed statement gives its
// error and no result; the next call goes on with the one behind it. The caller clears the result.
CHARLE_MUST_CHECK enum charle_err ch_pg_pipeline_next(struct ch_pg_pipeline *pipeline, PGresult **out_result,
                                                      struct charle_error *err);
size_t ch_pg_pipeline_pending(const struct ch_pg_pipeline *pipeline); // added and not read
// Reads and drops what is pending and makes the handle ordinary again. NULL is fine.
void ch_pg_pipeline_close(struct ch_pg_pipeline *pipeline);

#endif
