// The key of an encrypted replica at the command line: from a file or the environment, else asked for; never an argument, which everybody on
// the machine could read.
#ifndef CHARLE_TOOLS_KEY_H
#define CHARLE_TOOLS_KEY_H

#include "charle/charle.h"
#include "cli.h"

// From $<prefix>_KEY_FILE (32 bytes, or 64 hexadecimal digits) or $<prefix>_PASSPHRASE. NULL when neither is set. What is set but cannot
// be used is told, and gives a key that opens nothing, so that nobody makes a replica in clear by mistake. In cli's arena.
const struct charle_client_key *key_given(struct cli *cli, const char *prefix);

// The key of the profile's replica: as given, else asked for when there is a key file beside the replica and a terminal.
const struct charle_client_key *key_of_replica(struct cli *cli);

// A new one: as given in $CHARLE_NEW_…, else asked for, twice on a terminal. NULL after printing what is wrong.
const struct charle_client_key *key_new(struct cli *cli);

#endif
