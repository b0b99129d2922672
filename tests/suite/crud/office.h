// The office of desk.proto on a database, and calls on it in JSON.
#ifndef CHARLE_TESTS_SUITE_CRUD_OFFICE_H
#define CHARLE_TESTS_SUITE_CRUD_OFFICE_H

#include "fixture.h"

#include "desk.schema.charle.h"
#include "services/crud.h"

struct office {
    struct charle_db *db;
    struct charle_method_table methods;
    struct charle_arena arena; // of replies; lives as long as the office
    struct charle_ts now;      // of the next call; moves on by a second with each
    bool is_replica, is_replay;
    uint64_t seed;
    struct charle_str note; // merge note of the last call
};

// Makes the tables: all of the server's, or those of a replica.
void office_open(struct office *office, struct charle_db *db, bool is_replica);
void office_close(struct office *office);

// Who calls: a comma-separated list of scopes, "person:ann,team".
// Runs one method ("Project/Create") in a transaction and returns the reply as JSON, or "CODE: sentence".
const char *office_call(struct office *office, const char *who, const char *method, const char *request_format, ...)
    __attribute__((format(printf, 4, 5)));

// The same, and the result must be as given; '*' in `expected` stands for anything.
#define assert_call(office, who, method, request, expected) \
    assert_matches(office_call(office, who, method, "%s", request), expected, __FILE__, __LINE__)
void assert_matches(const char *text, const char *pattern, const char *file, int line);

// boss, ann and bob; and a project "p1" of ann's in state open.
void office_staff(struct office *office);

#endif
