// What the tests of stamps share: a database with the schema of stamps.proto and its triggers, connections that fail
// loudly, and readers of the log.
#ifndef CHARLE_TESTS_STAMPS_FIXTURE_H
#define CHARLE_TESTS_STAMPS_FIXTURE_H

#include "support/pg_cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
// cmocka wants the three above.
#include <cmocka.h>
#include <libpq-fe.h>
#include <string.h>

// Makes the database `name` with everything in it, and connects.
PGconn *stamps_open(struct ch_pg_cluster *cluster, const char *name);
// The same in a database that sorts texts as people of that ICU locale do, and not by their bytes.
PGconn *stamps_open_sorted(struct ch_pg_cluster *cluster, const char *name, const char *locale);
// One more connection to that database.
PGconn *stamps_connect(struct ch_pg_cluster *cluster, const char *name);
// Sets up the schema again on a database that has it: what an upgrade of the platform does.
void stamps_install(PGconn *conn);

// Runs SQL (several statements are fine) and fails the test when it fails.
void stamps_run(PGconn *conn, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Runs SQL that must fail, and checks that the message has `words`.
void stamps_refuse(PGconn *conn, const char *words, const char *sql);
// The first value of the first row; "" when there is none. Valid until the next call on this thread.
const char *stamps_value(PGconn *conn, const char *format, ...) __attribute__((format(printf, 2, 3)));
int64_t stamps_number(PGconn *conn, const char *format, ...) __attribute__((format(printf, 2, 3)));

// The entries made since the last call on this database, as "scope table op key" sorted and joined with ", ". Tables
// are names.
const char *stamps_entries(PGconn *conn);
#define assert_entries(conn, expected) assert_string_equal(stamps_entries(conn), (expected))

int64_t stamps_head(PGconn *conn, const char *scope); // 0 when it has none

#endif
