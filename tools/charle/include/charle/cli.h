// A command line for any schema: up, serve, passwd, login, sync, status, query, call, inbox and verify, with the schema's own names.
//
// `charle` is this with the schema of CharleOS. Another application is a program of its own, beside its server's:
//   int main(int argc, char **argv)
//   {
//       static const struct charle_cli_app app = {.name = "shop", .server = "shopd", .schema = &shop_schema};
//       return charle_cli_main(&app, argc, argv);
//   }
#ifndef CHARLE_CLI_H
#define CHARLE_CLI_H

struct charle_cli_extra; // commands that only one application has; NULL for all others
struct charle_schema;    // db/schema.h; the generated code defines one

struct charle_cli_app {
    const char *name;                   // of the program. State lives in ./.<name> or ~/.<name>; required
    const char *about;                  // one line for --help; may be NULL
    const char *version;                // for --version; NULL: the library's
    const char *server;                 // name of the server's program, in the same folder; required for up and serve
    const struct charle_schema *schema; // required
    const char *principal;              // table of the people who sign in; NULL: that of the schema's first grant
    const struct charle_cli_extra *extra;
};

// Runs the command that the arguments name; returns the exit code that --help lists.
int charle_cli_main(const struct charle_cli_app *app, int argc, char **argv);

#endif
