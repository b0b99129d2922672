// A server of this home folder: is it there, start it in the background, stop it.
#ifndef CHARLE_TOOLS_SERVER_PROCESS_H
#define CHARLE_TOOLS_SERVER_PROCESS_H

#include "cli.h"

// Does somebody take connections at the address?
bool server_is_listening(const char *address);

// Starts charled in the background with its data in the home folder and waits until it listens. Its log goes to home/server.log. Fails
// with the last line of the log when it ends instead. Only before threads and nng have been started.
CHARLE_MUST_CHECK enum charle_err server_start(struct cli *cli, const char *address, struct charle_error *err);

// Is there a server that works on this home folder's data?
bool server_is_ours(struct cli *cli);

// Asks the server of this home to stop and waits for it. OK when there is none.
CHARLE_MUST_CHECK enum charle_err server_stop(struct cli *cli, struct charle_error *err);

// The address of the server's database: $DATABASE_URL, else that of the private PostgreSQL of this home. NULL: none.
const char *server_database_url(struct cli *cli);

#endif
