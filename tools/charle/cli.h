// What the subcommands share: where things are, options, output, exit codes.
//
// A subcommand is one file with one struct cli_command and one row in the table of run.c. Text goes to stdout, trouble to stderr.
// Exit codes are listed in `charle --help` and never change their meaning. The same commands serve every schema (charle/cli.h), so
// sentences name the program by CLI_NAME; help texts say `charle` and `charled`, which are replaced when they are printed.
#ifndef CHARLE_TOOLS_CLI_H
#define CHARLE_TOOLS_CLI_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "charle/cli.h"

#include <errno.h>
#include <stdio.h>

#define CLI_PROFILE "laptop"                        // when nobody says which
#define CLI_NAME program_invocation_short_name // what the person typed

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,       // the thing was tried and failed; the sentence says why
    CLI_USAGE = 2,        // the command line was not understood
    CLI_UNREACHABLE = 3,  // the server or the database cannot be reached
    CLI_DENIED = 4,       // not signed in, or not allowed
    CLI_DIFFERENT = 5,    // verify: the replica differed and was repaired, or could not be
    CLI_ATTENTION = 6,    // inbox: there are verdicts a person should see
};

// Global options, the same for every subcommand.
struct cli {
    const struct charle_cli_app *app;
    const char *home;    // folder of this installation's state
    const char *profile; // which laptop: home/<profile>/replica.db
    const char *server;  // address; NULL: what login remembered, else the default
    bool json;           // one JSON value on stdout, an error too; `sync --watch` prints one a line
    bool is_part;        // run by another command, which prints the JSON
    bool quiet;          // no progress
    bool copies_rows;    // a first copy goes row by row
    struct charle_arena arena; // lives as long as the command
};

// One option of a subcommand. `value` takes the text after the option's name; a flag takes none.
struct cli_option {
    const char *name;     // "--limit"
    const char *argument; // "N"; NULL: a flag
    const char *help;
    const char **value;   // for options with an argument: the last one given
    bool *flag;           // for flags
    const char **list;    // for repeatable options: CLI_LIST_MAX entries, filled in order
    size_t *list_count;
};
enum { CLI_LIST_MAX = 32 };

struct cli_command {
    const char *name;
    const char *arguments; // "TABLE|SQL"
    const char *summary;   // one line
    const char *help;      // what it does and examples
    int (*run)(struct cli *cli, const struct cli_command *command, int argc, char **argv);
};

// What CharleOS has besides: an agency's data.
struct charle_cli_extra {
    const struct cli_command *seed;                 // a command of its own
    int (*fill)(struct cli *cli, const char *url);  // for `up`: fills the database when nobody is in it; returns an exit code
    const char *next;                               // what `up` says to do next
};

// Parses options; arguments that are none are moved to the front of argv and counted in *out_count. Prints help (and sets
// *out_exit to CLI_OK) for --help, and what is wrong (CLI_USAGE) otherwise. Returns false when the command should end with *out_exit.
bool cli_parse(struct cli *cli, const struct cli_command *command, const struct cli_option *options, size_t option_count, int argc,
               char **argv, int *out_count, int *out_exit);

// Reads a whole number within [min, max]; prints what was expected and returns false otherwise.
bool cli_read_number(const char *name, const char *text, long min, long max, long *out);

// Prints a help text with the names of this program and of its server in it.
void cli_print_text(const struct cli *cli, const char *text);

// Prints "charle: sentence" (and with --json an object with it on stdout), returns the exit code that fits the error.
int cli_fail(const struct cli *cli, const struct charle_error *err);
int cli_usage(const struct cli_command *command, const char *format, ...) CHARLE_PRINTF(2, 3);

// Paths below home, in the arena; the folders are made (0700).
const char *cli_path(struct cli *cli, const char *format, ...) CHARLE_PRINTF(2, 3);
const char *cli_replica_path(struct cli *cli);
// --server, else what login remembered, else cli_home_address.
const char *cli_server_address(struct cli *cli);
// The address of the home folder's own server: --server, else what `charle up` remembered, else tcp://127.0.0.1:4317.
const char *cli_home_address(struct cli *cli);
CHARLE_MUST_CHECK enum charle_err cli_set_home_address(struct cli *cli, const char *address, struct charle_error *err);
// A small secret or setting in home/<profile>/<name> (0600). Reading gives NULL when there is none.
const char *cli_setting(struct cli *cli, const char *name);
CHARLE_MUST_CHECK enum charle_err cli_set_setting(struct cli *cli, const char *name, const char *value, struct charle_error *err);

// "charle inbox --profile anna": what to type next for `words`, on the laptop at hand.
const char *cli_next(struct cli *cli, const char *words);

// A path to a program of the same build, beside this one.
const char *cli_sibling(struct cli *cli, const char *name);

// Closest of `names` (NULL-terminated) for "did you mean"; NULL when nothing is near.
const char *cli_nearest(const char *word, const char *const *names);

// The commands, one a file.
extern const struct cli_command cmd_up, cmd_serve, cmd_passwd, cmd_login, cmd_sync, cmd_status, cmd_query, cmd_call, cmd_inbox, cmd_verify, cmd_key, cmd_wipe, cmd_pause,
    cmd_resume, cmd_meter, cmd_export, cmd_import, cmd_evict, cmd_pin, cmd_attach, cmd_devices;

#endif
