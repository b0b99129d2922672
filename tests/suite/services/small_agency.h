// A small agency for the services' cases: people, a client with an open and a closed month, a task with its steps.
#ifndef CHARLE_TESTS_SUITE_SERVICES_SMALL_AGENCY_H
#define CHARLE_TESTS_SUITE_SERVICES_SMALL_AGENCY_H

#include "fixture.h"

#include "client/guard.h"

// Makes all tables and the agency in them. The clock stands at 2026-11-18 10:00 UTC.
void agency_make(struct charle_db *db);
// The same as a developer's laptop has it: a replica's tables, without what developers do not see. SQLite only.
void agency_make_replica(struct charle_db *db);

// A call by one of them: "ada" (admin), "pia" (project manager), "dev" (developer), "dee" (designer), "pat" (portal).
struct agency_call {
    struct charle_context context;
    struct charle_arena arena;
    struct charle_identity identity;
    struct charle_str scopes[8];
    struct charle_error err;
    struct ch_call_guard guard;
};
// On SQLite the call is watched as on a laptop: it may use the tables that the method's options name.
struct charle_context *agency_call(struct agency_call *call, struct charle_db *db, const char *who, const struct charle_method *method);
void agency_end(struct agency_call *call);

struct charle_date agency_day(int month, int day); // of 2026
// One text or whole number, as text; "" for NULL and for no row. Valid until the next call.
const char *agency_ask(struct charle_db *db, const char *sql);

#endif
