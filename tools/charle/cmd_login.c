// charle login: trades a password for a token and remembers it with the server's address.
#include "laptop.h"
#include "password.h"

#include <string.h>

// Somebody waits in front of the terminal: a server that does not answer is told sooner than by default.
enum { LOGIN_WAIT_MS = 10000 };

static int remember(struct cli *cli, const char *url, const struct charle_login_result *reply)
{
    struct charle_error err = {0};
    if (cli_set_setting(cli, "server", url, &err) || cli_set_setting(cli, "token", reply->token, &err))
        return cli_fail(cli, &err);
    if (cli->json)
        printf("{\"principal\":\"%s\",\"id\":\"%s\"}\n", reply->principal, reply->principal_id);
    else
        printf("Signed in as %s at %s. Next: %s\n", reply->name, url, cli_next(cli, "sync"));
    return CLI_OK;
}

static int run(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    const char *principal = password_principal(cli);
    const struct cli_option options[] = {{"--principal", "TABLE", "another table of people than the usual one", &principal, NULL, NULL, NULL}};
    int count, code;
    if (!cli_parse(cli, command, options, 1, argc, argv, &count, &code))
        return code;
    if (count != 1)
        return cli_usage(command, "one e-mail address is needed");
    char password[512];
    if (!password_read(password, sizeof(password)))
        return cli_usage(command, "no password came on standard input");
    const char *url = cli_server_address(cli);
    const struct charle_login_options login = {
        .url = url, .timeout_ms = LOGIN_WAIT_MS, .principal = principal, .email = argv[0], .password = password, .device_name = cli->profile};
    struct charle_login_result reply;
    struct charle_error err = {0};
    int rc = charle_login(&login, &reply, &err);
    explicit_bzero(password, sizeof(password));
    return rc ? cli_fail(cli, &err) : remember(cli, url, &reply);
}

const struct cli_command cmd_login = {
    .name = "login",
    .arguments = "EMAIL",
    .summary = "sign in and remember the session",
    .help = "Asks for the password on the terminal, or reads one line from standard input. The token is kept in the profile's\n"
            "folder, readable by you alone.\n\n"
            "Examples:\n"
            "  charle login ada@charleos.test\n"
            "  charle login ada@charleos.test --server tcp://127.0.0.1:4317 <password.txt\n"
            "  charle login pat@northwind.test --principal client_user --profile pat",
    .run = run,
};
