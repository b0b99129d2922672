// The table of subcommands; each is a file of its own. An application may bring one more.
#include "charle/charle.h"
#include "cli.h"

#include <string.h>

static const struct cli_command *const common[] = {&cmd_up,    &cmd_serve, &cmd_passwd, &cmd_login, &cmd_sync,
                                                   &cmd_status, &cmd_query, &cmd_call,   &cmd_inbox, &cmd_verify, &cmd_key,   &cmd_wipe,
                                                   &cmd_pause, &cmd_resume, &cmd_meter,  &cmd_export, &cmd_import, &cmd_evict, &cmd_pin, &cmd_attach, &cmd_devices};
enum { COMMON_COUNT = sizeof(common) / sizeof(common[0]) };

struct commands {
    const struct cli_command *list[COMMON_COUNT + 1];
    int count;
};

static struct commands commands_of(const struct charle_cli_app *app)
{
    struct commands commands = {.count = COMMON_COUNT};
    memcpy(commands.list, common, sizeof(common));
    if (app->extra)
        commands.list[commands.count++] = app->extra->seed;
    return commands;
}

static void print_help(FILE *to, const struct charle_cli_app *app, const struct commands *commands)
{
    fprintf(to, "%s: %s\n\nUsage: %s COMMAND [ARGUMENTS] [OPTIONS]\n\n", CLI_NAME,
            app->about ? app->about : "a laptop's view of a database, online and offline", CLI_NAME);
    for (int i = 0; i < commands->count; i++)
        fprintf(to, "  %-8s %s\n", commands->list[i]->name, commands->list[i]->summary);
    fprintf(to,
            "\n`%s COMMAND --help` explains a command, with examples.\n\n"
            "State lives in a home folder: --home DIR, else $CHARLE_HOME, else ./.%s, else ~/.%s.\n"
            "--profile NAME keeps several laptops apart. --json prints JSON.\n\n"
            "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 server or database out of reach,\n"
            "            4 not signed in or not allowed, 5 the replica differed, 6 verdicts need a person\n",
            CLI_NAME, app->name, app->name);
}

static const struct cli_command *find(const struct commands *list, const char *name)
{
    const struct cli_command *const *commands = list->list;
    for (int i = 0; i < list->count; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    }
    return NULL;
}

static int unknown(const struct commands *commands, const char *name)
{
    const char *names[COMMON_COUNT + 2] = {0};
    for (int i = 0; i < commands->count; i++)
        names[i] = commands->list[i]->name;
    const char *near = cli_nearest(name, names);
    fprintf(stderr, "%s: there is no command \"%s\"", CLI_NAME, name);
    if (near)
        fprintf(stderr, "; did you mean \"%s\"?\n", near);
    else
        fprintf(stderr, "; `%s --help` lists them\n", CLI_NAME);
    return CLI_USAGE;
}

int charle_cli_main(const struct charle_cli_app *app, int argc, char **argv)
{
    const struct commands commands = commands_of(app);
    if (argc < 2) {
        print_help(stderr, app, &commands);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout, app, &commands);
        return CLI_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("%s %s\n", CLI_NAME, app->version ? app->version : charle_version());
        return CLI_OK;
    }
    if (argv[1][0] == '-') {
        fprintf(stderr, "%s: a command comes first, options behind it: %s COMMAND %s; `%s --help` lists the commands\n", CLI_NAME, CLI_NAME,
                argv[1], CLI_NAME);
        return CLI_USAGE;
    }
    const struct cli_command *command = find(&commands, argv[1]);
    if (!command)
        return unknown(&commands, argv[1]);
    struct cli cli = {.app = app, .profile = CLI_PROFILE};
    int code = command->run(&cli, command, argc - 2, argv + 2);
    if (cli.json && code == CLI_USAGE)
        printf("{\"error\":{\"code\":\"USAGE\",\"message\":\"the command line was not understood; standard error says why\"}}\n");
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == CLI_OK) {
        fprintf(stderr, "%s: the output could not be written: %s\n", CLI_NAME, strerror(errno));
        code = CLI_FAILED;
    }
    charle_arena_deinit(&cli.arena);
    return code;
}
