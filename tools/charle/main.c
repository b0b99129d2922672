// charle: the command line of CharleOS. A table of subcommands; each is a file of its own.
#include "cli.h"

#include <string.h>

static const struct cli_command *const commands[] = {&cmd_up,    &cmd_serve, &cmd_login, &cmd_sync,   &cmd_status,
                                                     &cmd_query, &cmd_call,  &cmd_inbox, &cmd_verify, &cmd_seed};
enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static void print_help(FILE *to)
{
    fprintf(to, "charle: a laptop's view of an agency's database, online and offline\n\n"
                "Usage: charle COMMAND [ARGUMENTS] [OPTIONS]\n\n");
    for (int i = 0; i < COMMAND_COUNT; i++)
        fprintf(to, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(to, "\n`charle COMMAND --help` explains a command, with examples.\n\n"
                "State lives in a home folder: --home DIR, else $CHARLE_HOME, else ./.charle, else ~/.charle.\n"
                "--profile NAME keeps several laptops apart. --json prints JSON.\n\n"
                "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 server or database out of reach,\n"
                "            4 not signed in or not allowed, 5 the replica differed, 6 verdicts need a person\n");
}

static const struct cli_command *find(const char *name)
{
    for (int i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    }
    return NULL;
}

static int unknown(const char *name)
{
    const char *names[COMMAND_COUNT + 1] = {0};
    for (int i = 0; i < COMMAND_COUNT; i++)
        names[i] = commands[i]->name;
    const char *near = cli_nearest(name, names);
    fprintf(stderr, "charle: there is no command \"%s\"%s%s%s\n", name, near ? "; did you mean \"" : "", near ? near : "",
            near ? "\"?" : "; `charle --help` lists them");
    return CLI_USAGE;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return CLI_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("charle %s\n", CHARLE_VERSION_TEXT);
        return CLI_OK;
    }
    const struct cli_command *command = find(argv[1]);
    if (!command)
        return unknown(argv[1]);
    struct cli cli = {.program = argv[0], .profile = "laptop"};
    int code = command->run(&cli, command, argc - 2, argv + 2);
    charle_arena_deinit(&cli.arena);
    return code;
}
