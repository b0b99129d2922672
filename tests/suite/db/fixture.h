// Both databases, for cases that must hold in both.
#ifndef CHARLE_TESTS_SUITE_DB_FIXTURE_H
#define CHARLE_TESTS_SUITE_DB_FIXTURE_H

#include "db/db.h"

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
// cmocka wants these before it.
#include <cmocka.h>
// clang-format on

// A case gets an open handle on an empty database; it is the same handle for all cases of one dialect.
typedef void (*suite_case)(struct charle_db *db);
struct suite_item {
    const char *name;
    suite_case run;
};
#define SUITE_ITEM(function) \
    {                        \
#        function, function  \
    }

// Runs every case on PostgreSQL and on SQLite; returns the number of failures, for main.
int suite_run(const char *suite, const struct suite_item *items, size_t count);

// A new handle beside the given one, on the same database.
struct charle_db *suite_second(struct charle_db *db);
const char *suite_pg_url(void);            // of the suite's database; makes the cluster at the first call
const char *suite_sqlite_path(void);       // of the suite's file
void suite_drop_all(struct charle_db *db); // drops all tables of the database

// What must work.
void must_exec(struct charle_db *db, const char *sql);
int64_t must_count(struct charle_db *db, const char *sql); // one integer
void assert_ok(enum charle_err rc, const struct charle_error *err);
void assert_fails(enum charle_err rc, enum charle_err wanted, const struct charle_error *err, const char *words);

#endif
