// How the fake server and its oracle speak to the fake server's database.
#ifndef CHARLE_TESTS_CLIENT_FAKE_SQL_H
#define CHARLE_TESTS_CLIENT_FAKE_SQL_H

#include "fake_server.h"

sqlite3_stmt *fake_prepare(struct fake_server *server, const char *sql); // the caller finalizes; fails the test
void fake_bind_str(sqlite3_stmt *stmt, int index, struct charle_str text);
struct charle_str fake_column_str(sqlite3_stmt *stmt, int column); // until the statement's next step

#endif
