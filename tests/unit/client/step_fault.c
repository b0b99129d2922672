#include "step_fault.h"

#include "support/fault_count.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <string.h>

static struct ch_fault_count fault;

void step_fault_at(long n, int is_sticky)
{
    fault = ch_fault_count_from(n, is_sticky);
}

long step_fault_count(void)
{
    return fault.count;
}

static int stop(void *ctx)
{
    (void)ctx;
    return 1;
}

int __real_sqlite3_exec(sqlite3 *db, const char *sql, int (*fn)(void *, int, char **, char **), void *ctx, char **text);

// The connection remembers what it failed with, so something harmless really fails.
static int interrupt(sqlite3 *db)
{
    sqlite3_progress_handler(db, 1, stop, NULL);
    int code = __real_sqlite3_exec(db, "select 1", NULL, NULL, NULL);
    sqlite3_progress_handler(db, 0, NULL, NULL);
    return code;
}

int __real_sqlite3_step(sqlite3_stmt *stmt);
int __wrap_sqlite3_step(sqlite3_stmt *stmt);
int __wrap_sqlite3_step(sqlite3_stmt *stmt)
{
    return ch_fault_count_hits(&fault) ? interrupt(sqlite3_db_handle(stmt)) : __real_sqlite3_step(stmt);
}

int __wrap_sqlite3_exec(sqlite3 *db, const char *sql, int (*fn)(void *, int, char **, char **), void *ctx, char **text);
int __wrap_sqlite3_exec(sqlite3 *db, const char *sql, int (*fn)(void *, int, char **, char **), void *ctx, char **text)
{
    bool is_rollback = strncmp(sql, "rollback", 8) == 0;
    return !is_rollback && ch_fault_count_hits(&fault) ? interrupt(db) : __real_sqlite3_exec(db, sql, fn, ctx, text);
}

#define PREPARE_PARAMS_2 (sqlite3 *db, const char *sql, int size, sqlite3_stmt **out, const char **tail)
int __real_sqlite3_prepare_v2 PREPARE_PARAMS_2;
int __wrap_sqlite3_prepare_v2 PREPARE_PARAMS_2;
int __wrap_sqlite3_prepare_v2 PREPARE_PARAMS_2
{
    if (!ch_fault_count_hits(&fault))
        return __real_sqlite3_prepare_v2(db, sql, size, out, tail);
    *out = NULL;
    return interrupt(db);
}

#define PREPARE_PARAMS_3 (sqlite3 *db, const char *sql, int size, unsigned flags, sqlite3_stmt **out, const char **tail)
int __real_sqlite3_prepare_v3 PREPARE_PARAMS_3;
int __wrap_sqlite3_prepare_v3 PREPARE_PARAMS_3;
int __wrap_sqlite3_prepare_v3 PREPARE_PARAMS_3
{
    if (!ch_fault_count_hits(&fault))
        return __real_sqlite3_prepare_v3(db, sql, size, flags, out, tail);
    *out = NULL;
    return interrupt(db);
}
