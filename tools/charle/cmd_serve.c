// charle serve: runs charled in the foreground, with its data in the home folder.
#include "cli.h"

#include <string.h>
#include <unistd.h>

static int run(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    // Options are charled's own, so they are passed on as they are; only --home is ours.
    const char *words[CLI_LIST_MAX * 2 + 4] = {NULL};
    size_t count = 1;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            printf("%s %s %s\n\n", CLI_NAME, command->name, command->arguments);
            cli_print_text(cli, command->help);
            return CLI_OK;
        }
        if (strcmp(argv[i], "--home") == 0 && i + 1 < argc) {
            cli->home = argv[++i];
            continue;
        }
        if (count >= CLI_LIST_MAX * 2)
            return cli_usage(command, "too many arguments");
        words[count++] = argv[i];
    }
    const char *program = cli_sibling(cli, cli->app->server);
    words[0] = program;
    words[count++] = "--data-dir";
    words[count++] = cli_path(cli, "server");
    execv(program, (char *const *)(uintptr_t)words);
    fprintf(stderr, "%s: cannot run %s: %s\n", CLI_NAME, program, strerror(errno));
    return CLI_FAILED;
}

const struct cli_command cmd_serve = {
    .name = "serve",
    .arguments = "[CHARLED OPTIONS]",
    .summary = "run the server in the foreground",
    .help = "Runs charled with its data in the home folder. With DATABASE_URL in the environment it uses that PostgreSQL;\n"
            "without it, a private one under the home folder that it creates, starts and stops itself.\n\n"
            "Examples:\n"
            "  charle serve\n"
            "  charle serve --listen tcp://127.0.0.1:5000\n"
            "  DATABASE_URL=postgres://app@db.internal/charle?sslmode=verify-full charle serve\n\n"
            "`charled --help` lists its options.",
    .run = run,
};
