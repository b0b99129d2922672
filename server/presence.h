// A server's sign on the database: who else serves it?
//
// Any number of servers may serve one database, so a second one is no error; it is worth a line in the log, because two
// servers on one machine are more often a mistake than a plan. (One data folder has one server: see datadir.h.) The
// sign is a shared advisory lock on a connection of its own, whose application_name says machine and process. It goes
// with the connection, so it never outlives the server. One thread.
#ifndef CHARLE_SERVER_PRESENCE_H
#define CHARLE_SERVER_PRESENCE_H

#include "server/database.h"

struct ch_presence;

// Adopts `conn` in every case. Logs the other servers it finds.
CHARLE_MUST_CHECK enum charle_err ch_presence_open(PGconn *conn, struct ch_presence **out, struct charle_error *err);
void ch_presence_close(struct ch_presence *presence); // NULL is fine

#endif
