// What an application brings to be served: its schema with the services on it, and its migrations.
//
// charled is this server with the schema of CharleOS. Another application is a program of its own:
//   int main(int argc, char **argv)
//   {
//       static const struct ch_server_app app = {.name = "shopd", .schema = &shop_schema};
//       return ch_server_main(&app, argc, argv);
//   }
#ifndef CHARLE_SERVER_APP_H
#define CHARLE_SERVER_APP_H

#include "db/schema.h"

#define CH_SERVER_VERSION "0.1.0"

struct ch_migration {
    const char *name; // "0001_initial"
    const char *sql;
};

struct ch_server_app {
    const char *name; // of the program, for --help
    const struct charle_schema *schema;
    // Ascending names; charle_migrations() of CMake makes them of a folder. NULL: the tables are made from the schema's descriptors, once.
    const struct ch_migration *migrations;
    size_t migration_count;
};

// The whole life of the process; returns its exit code (exit.h). Call it first thing in main.
int ch_server_main(const struct ch_server_app *app, int argc, char **argv);

#endif
