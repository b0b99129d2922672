// The schema and what becomes of it some months later (later/): in some worlds the server's database is migrated while everybody goes on, laptops
// get the later program before or after that, or never, and an old copy of the database may bring the first schema back.
#ifndef CHARLE_TESTS_SIM_VERSIONS_H
#define CHARLE_TESTS_SIM_VERSIONS_H

#include "sim/world.h"

enum { VERSION_FIRST, VERSION_LATER, VERSIONS };

const struct charle_schema *version_schema(int version);
// The one of the same name; the method itself when the version has none.
const struct charle_method *version_method(int version, const struct charle_method *method);

void version_draw(struct laptop *laptop); // before its first start: a few come with the later program

// As the migration that somebody wrote for it does, in one transaction.
enum charle_err version_migrate(struct world *world, struct charle_db *db, struct charle_error *err);
// A copy is about to be put back: the server is of its version then. False: it was anyway.
bool version_go_back(struct world *world);
void version_catch_up(struct world *world); // after it was put back: maybe the server is updated again at once

// The nemesis' deed: the server or some laptop is updated.
void version_act(struct world *world);
bool version_exists(const struct world *world);
// What people with psql do with what only the later schema has.
void version_write_statement(struct world *world, char *out, size_t size);

#endif
