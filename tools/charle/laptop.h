// Opening a profile's replica, and what several subcommands print about it.
#ifndef CHARLE_TOOLS_LAPTOP_H
#define CHARLE_TOOLS_LAPTOP_H

#include "charle/charle.h"
#include "cli.h"
#include "db/schema.h"

// How the profile's replica is opened; strings are of cli's arena.
struct charle_client_options laptop_options(struct cli *cli, bool is_read_only);

// Opens the profile's replica with the server and the token that login remembered. On failure prints why, sets *out_exit.
struct charle_client *laptop_open(struct cli *cli, bool is_read_only, int *out_exit);

// "3 min ago"; "never" for 0. Returns out.
const char *laptop_age(int64_t at_us, char out[32]);
const char *laptop_when(int64_t at_us, char out[32]); // "in 3 min"
const char *laptop_verdict_name(enum charle_client_verdict verdict); // "rejected"

// Resolves "Task.Get", "TaskService/Get" and "charleos.TaskService/Get". NULL after printing what is near.
const struct charle_method *laptop_method(const struct cli *cli, const struct charle_client *client, const struct cli_command *command,
                                          const char *name);

// Runs one sync with progress; prints a failure. Returns an exit code.
int laptop_sync(struct cli *cli, struct charle_client *client, uint32_t timeout_ms);

#endif
