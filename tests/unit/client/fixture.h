// One laptop and one server with a few rooms and notes, for the client's tests that look at a single question each.
#ifndef CHARLE_TESTS_CLIENT_FIXTURE_H
#define CHARLE_TESTS_CLIENT_FIXTURE_H

#include "world.h"

// p1, who is the laptop's user, holds team and person:p1. Notes n0001 to n0030 lie in the rooms r2 and r1 by turns; all are open.
struct fixture {
    struct fake_server server;
    struct world a;
};

int fixture_setup(void **state);
int fixture_teardown(void **state);

void fixture_start(struct fixture *f);     // the core, with a connection
void fixture_reconnect(struct fixture *f); // what was on its way is lost
// Steps until the query on the replica gives the value; fails the test when it never does.
void fixture_step_until(struct fixture *f, const char *sql, int64_t value);
int64_t fixture_stamp(struct fixture *f, const char *scope); // -1: it is not ready
// Settles, and checks that every scope is ready and shows what the server has.
void fixture_end(struct fixture *f);

#endif
