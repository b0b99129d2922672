// An office on a database of the test's own: one person who may do everything, and replicas of hers at any server of it.
#ifndef CHARLE_TESTS_CHARLED_OFFICE_H
#define CHARLE_TESTS_CHARLED_OFFICE_H

#include "process.h"

#include "base/arena.h"
#include "charle/admin.charle.h"
#include "charle/charle.h"

// Puts Ann (an admin) and twenty departments into a migrated database.
void office_fill(const char *database_url);
void office_login(const struct server *server, char out_token[256]);
// A replica in the server's folder, live and complete. Close it with charle_client_close.
struct charle_client *office_replica(const struct server *server, const char *name, const char *token);
// A call straight to the server, with its request as JSON. The reply is in the arena.
void *office_call(struct charle_client *client, const char *method, const char *request, struct charle_arena *arena);
// Waits until a query on the replica gives this text; fails the test after a minute.
void office_wait(struct charle_client *client, const char *sql, const char *value);
struct charle_server_reply *office_overview(struct charle_client *client, struct charle_arena *arena);
void office_pause(long ms);

#endif
