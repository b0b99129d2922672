// Development data: an agency with people, clients and a year of work, written into an empty PostgreSQL database.
//
// The same seed, sizes and day give the same rows, ids included. All 47 tables get rows, every check and foreign key
// holds, and the figures agree with each other: a task's status follows its subtasks, a month's billing follows the
// time that was logged. It works with and without the stamping triggers. The agency is one transaction, the mass of
// extra tasks another; the second locks the table task while it runs.
#ifndef CHARLE_TOOLS_SEED_SEED_H
#define CHARLE_TOOLS_SEED_SEED_H

#include "base/clock.h"
#include "base/err.h"

#include <libpq-fe.h>

struct charle_seed_options {  // zero means the default
    uint64_t seed;            // default 1
    struct charle_date today; // the last day with history; zeroed: today by the clock, in UTC
    uint32_t users;           // team members, 16 to 500; default 30
    uint32_t clients;         // 8 to 5,000; default 40
    uint32_t tasks;           // tasks with a history, 20 to 20,000; default 400
    int64_t
        rows; // rows of the table task in all, up to 100,000,000; beyond `tasks` they are plain ones; default: `tasks`
};

// Called now and then, and at the end of each stage. rows_total is 0 while it is not known.
typedef void (*charle_seed_progress)(void *ctx, const char *stage, int64_t rows_done, int64_t rows_total);

struct charle_seed_result {
    int64_t rows; // written in all tables
    int64_t task_rows;
    int64_t elapsed_us;
};

// Fills the tables of `pg`, an idle connection to a migrated database. FAILED_PRECONDITION when there are people in it
// already (nothing is ever emptied), INVALID_ARGUMENT for a size out of range; a database error keeps its SQLSTATE.
// progress and out_result may be NULL.
CHARLE_MUST_CHECK enum charle_err charle_seed_run(PGconn *pg, const struct charle_seed_options *options,
                                                  charle_seed_progress progress, void *ctx,
                                                  struct charle_seed_result *out_result, struct charle_error *err);

// The people that every seed makes, for sign-in during local development. They have no password here: the server keeps
// credentials in a table of its own.
struct charle_seed_person {
    const char *principal; // "user" or "client_user"
    const char *id;        // the same in every seed
    const char *name;
    const char *email;
    const char *about; // "administrator", for help texts
};
const struct charle_seed_person *charle_seed_people(size_t *out_count);

#endif
