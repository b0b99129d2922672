// What an operator sees of the server, on one screen: `charle status --remote`.
#ifndef CHARLE_TOOLS_REMOTE_H
#define CHARLE_TOOLS_REMOTE_H

#include "charle/charle.h"
#include "cli.h"

// Asks the server of the client and prints what it says. Returns an exit code.
int remote_status(struct cli *cli, struct charle_client *client);

#endif
