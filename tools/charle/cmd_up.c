// charle up: a running server with data in it, whatever was there before. Safe to repeat.
#include "cli.h"
#include "server_process.h"

static int start(struct cli *cli, bool is_filled)
{
    struct charle_error err = {0};
    const char *address = cli_home_address(cli);
    bool was_there = server_is_listening(address);
    if (!was_there && server_start(cli, address, &err))
        return cli_fail(cli, &err);
    bool is_ours = server_is_ours(cli);
    if (is_ours && cli_set_home_address(cli, address, &err))
        return cli_fail(cli, &err);
    if (!cli->json)
        printf("The server %s at %s%s.\n", was_there ? "is already listening" : "listens", address,
               !is_ours ? "; it is not the one of this home folder" : "");
    cli->is_part = true;
    const char *url = server_database_url(cli);
    int code = is_filled && url && cli->app->extra ? cli->app->extra->fill(cli, url) : CLI_OK;
    if (code != CLI_OK)
        return code;
    if (cli->json)
        printf("{\"server\":\"%s\",\"was_running\":%s}\n", address, was_there ? "true" : "false");
    else
        printf("Next: %s. To stop it: %s up --stop\n", cli->app->extra ? cli->app->extra->next : "sign in with `login`, then `sync`",
               CLI_NAME);
    return CLI_OK;
}

static int run(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    bool is_stop = false, is_empty = false;
    const struct cli_option options[] = {{"--stop", NULL, "stop the server of this home folder", NULL, &is_stop, NULL, NULL},
                                         {"--empty", NULL, "do not fill an empty database", NULL, &is_empty, NULL, NULL}};
    int count, code = CLI_USAGE;
    if (!cli_parse(cli, command, options, 2, argc, argv, &count, &code))
        return code;
    if (count != 0)
        return cli_usage(command, "unexpected \"%s\"", argv[0]);
    if (!is_stop)
        return start(cli, !is_empty);
    struct charle_error err = {0};
    if (server_stop(cli, &err))
        return cli_fail(cli, &err);
    printf("%s\n", cli->json ? "{\"stopped\":true}" : "The server is stopped.");
    return CLI_OK;
}

const struct cli_command cmd_up = {
    .name = "up",
    .arguments = "[--stop]",
    .summary = "start a server in the background, with data to play with",
    .help = "Starts charled with its data in the home folder unless one is listening already, fills an empty database with development\n"
            "data, and says what to do next. With DATABASE_URL in the environment the server uses that PostgreSQL.\n\n"
            "Examples:\n"
            "  charle up\n"
            "  charle up --server tcp://127.0.0.1:5000\n"
            "  charle up --stop",
    .run = run,
};
