// The agency's schema and data on a rig.
#ifndef CHARLE_TESTS_FAULT_AGENCY_H
#define CHARLE_TESTS_FAULT_AGENCY_H

#include "fault/rig.h"

// charled with a small seeded agency, whose people may sign in.
void agency_open(struct rig *rig, uint64_t random, bool is_durable);

// Says something about the first task, offline: one comment whose body tells it apart. OK, or the reason it was not taken.
int agency_comment(struct charle_client *client, const char *body, struct charle_error *err);

#endif
