// Passwords at the command line: asking for one, and setting one in the database that this machine's server uses.
#ifndef CHARLE_TOOLS_PASSWORD_H
#define CHARLE_TOOLS_PASSWORD_H

#include "cli.h"

#include <libpq-fe.h>

// The table of the people who sign in when nobody says another one.
const char *password_principal(const struct cli *cli);

// Reads one line from standard input, without showing it when it comes from a terminal. The newline is cut off. False: there is none.
bool password_read(char *out, size_t size);

// Stores the password's argon2id hash for the person with this primary key.
CHARLE_MUST_CHECK enum charle_err password_set(PGconn *pg, const char *principal, const char *id, const char *password,
                                               struct charle_error *err);

#endif
