// Following a query: its rows, and then what comes, changes and goes, until the command is stopped.
#ifndef CHARLE_TOOLS_WATCH_H
#define CHARLE_TOOLS_WATCH_H

#include "laptop.h"
#include "output.h"

struct watch_query {
    const char *sql;
    const struct charle_value *params;
    size_t param_count;
    const char *key;                             // names of columns that tell rows apart; NULL: whole rows
    const struct charle_column *const *columns;  // of the result where known; may be NULL
    enum output_format format;                   // JSON: an object a line; else a sign and a CSV record
};

// Synchronises while it watches when there is a server. Returns an exit code when SIGINT or SIGTERM comes.
int watch_query(struct cli *cli, struct charle_client *client, const struct watch_query *query);

#endif
