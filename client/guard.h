// What a method written by hand may do while it runs on a replica.
//
// It may read and write the tables that its options name, and nothing else: not the platform's tables, not what depends on the moment or
// the machine (random numbers, the clock), not transactions or the shape of the database. SQLite says what a statement does when it is
// prepared, before anything has happened, so a method that breaks its word fails at its first such statement with a sentence about what to
// change. Generated methods are the library's own and are not watched.
//
// Not seen: what the C code does besides SQL (the clock, the system's random numbers, files).
#ifndef CHARLE_CLIENT_GUARD_H
#define CHARLE_CLIENT_GUARD_H

#include "call/method.h"
#include "db/sqlite/sqlite.h"

struct ch_call_guard {
    struct ch_sqlite_guard base;
    const struct charle_schema *schema;
    const struct charle_method *method; // that runs now; NULL: the application writes to its local tables
};

// Puts the guard before the connection; it lets everything pass until ch_call_guard_on. It must stay where it is while the handle is open.
CHARLE_MUST_CHECK enum charle_err ch_call_guard_open(struct ch_call_guard *guard, struct charle_db *db, const struct charle_schema *schema,
                                                     struct charle_error *err);
void ch_call_guard_on(struct ch_call_guard *guard, const struct charle_method *method);
// For the application's own transactions: local tables may be written, everything of the schema read.
void ch_call_guard_local(struct ch_call_guard *guard);
void ch_call_guard_off(struct ch_call_guard *guard);

#endif
