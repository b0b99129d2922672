#include "support/db_fault.h"

#include "db/pg/pipeline.h"
#include "support/fault_count.h"

static struct ch_fault_count fault;
static enum charle_err fault_code;

void ch_db_fault_at(long n, int is_sticky, enum charle_err code)
{
    fault = ch_fault_count_from(n, is_sticky);
    fault_code = code;
}

long ch_db_fault_count(void)
{
    return fault.count;
}

// True: the call is not to be made, and *rc is its answer.
static bool takes(enum charle_err *rc, struct charle_error *err)
{
    if (fault_code == CHARLE_DONE || !ch_fault_count_hits(&fault))
        return false;
    *rc = charle_fail(err, fault_code, "call %ld of the database did not come back", fault.count);
    return true;
}

#define WRAP(type, name, params, args)      \
    type __real_##name params;              \
    type __wrap_##name params;              \
    type __wrap_##name params               \
    {                                       \
        enum charle_err rc;                 \
        return takes(&rc, err) ? rc : __real_##name args; \
    }

WRAP(enum charle_err, charle_exec,
     (struct charle_db *db, const char *sql, const struct charle_value *params, size_t count, int64_t *out, struct charle_error *err),
     (db, sql, params, count, out, err))
WRAP(enum charle_err, charle_exec_script, (struct charle_db *db, const char *sql, struct charle_error *err), (db, sql, err))
WRAP(enum charle_err, charle_query,
     (struct charle_db *db, const char *sql, const struct charle_value *params, size_t count, struct charle_rows **out, struct charle_error *err),
     (db, sql, params, count, out, err))
WRAP(enum charle_err, charle_query_number,
     (struct charle_db *db, const char *sql, const struct charle_value *params, size_t count, int64_t *out, struct charle_error *err),
     (db, sql, params, count, out, err))
WRAP(enum charle_err, charle_rows_value,
     (struct charle_rows *rows, size_t column, enum charle_type type, bool is_array, struct charle_value *out, struct charle_error *err),
     (rows, column, type, is_array, out, err))
WRAP(enum charle_err, charle_begin, (struct charle_db *db, const struct charle_begin_options *options, struct charle_error *err),
     (db, options, err))
WRAP(enum charle_err, ch_pg_pipeline_open, (struct charle_db *db, int flags, struct ch_pg_pipeline **out, struct charle_error *err),
     (db, flags, out, err))
WRAP(enum charle_err, ch_pg_pipeline_add,
     (struct ch_pg_pipeline *pipeline, const char *sql, const struct charle_value *params, size_t count, struct charle_error *err),
     (pipeline, sql, params, count, err))
WRAP(enum charle_err, ch_pg_pipeline_flush, (struct ch_pg_pipeline *pipeline, struct charle_error *err), (pipeline, err))
WRAP(enum charle_err, ch_pg_pipeline_next, (struct ch_pg_pipeline *pipeline, PGresult **out, struct charle_error *err), (pipeline, out, err))
WRAP(enum charle_err, ch_pg_result_value,
     (const PGresult *result, int row, int column, enum charle_type type, bool is_array, struct charle_arena *arena, struct charle_value *out,
      struct charle_error *err),
     (result, row, column, type, is_array, arena, out, err))

enum charle_err __real_charle_rows_next(struct charle_rows *rows, struct charle_error *err);
enum charle_err __wrap_charle_rows_next(struct charle_rows *rows, struct charle_error *err);
enum charle_err __wrap_charle_rows_next(struct charle_rows *rows, struct charle_error *err)
{
    enum charle_err rc;
    if (fault_code == CHARLE_DONE && ch_fault_count_hits(&fault))
        return CHARLE_DONE;
    return takes(&rc, err) ? rc : __real_charle_rows_next(rows, err);
}

enum charle_err __real_charle_rollback(struct charle_db *db, struct charle_error *err);
enum charle_err __wrap_charle_rollback(struct charle_db *db, struct charle_error *err);
enum charle_err __wrap_charle_rollback(struct charle_db *db, struct charle_error *err)
{
    enum charle_err rc, real = __real_charle_rollback(db, err);
    return real || !takes(&rc, err) ? real : rc;
}
