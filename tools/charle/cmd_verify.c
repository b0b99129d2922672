// charle verify: is the replica equal to the server? What differs is fetched.
#include "laptop.h"

static int run(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    int count, code = CLI_USAGE;
    if (!cli_parse(cli, command, NULL, 0, argc, argv, &count, &code))
        return code;
    if (count != 0)
        return cli_usage(command, "unexpected \"%s\"", argv[0]);
    struct charle_client *client = laptop_open(cli, false, &code);
    if (!client)
        return code;
    struct charle_verify_report report = {0};
    struct charle_error err = {0};
    if (charle_client_verify(client, 0, &report, &err)) {
        code = cli_fail(cli, &err);
        goto done;
    }
    code = report.rows_different ? CLI_DIFFERENT : CLI_OK;
    if (cli->json)
        printf("{\"tables\":%lld,\"rows\":%lld,\"rows_different\":%lld,\"rows_repaired\":%lld}\n", (long long)report.tables,
               (long long)report.rows, (long long)report.rows_different, (long long)report.rows_repaired);
    else if (report.rows_different)
        printf("DIFFERENT: of %lld rows on the server %lld differed, were missing or were too many here; %lld were repaired.\n", (long long)report.rows,
               (long long)report.rows_different, (long long)report.rows_repaired);
    else
        printf("EQUAL: %lld rows, compared table by table in each scope, are the same as on the server.\n", (long long)report.rows);
done:
    charle_client_close(client);
    return code;
}

const struct cli_command cmd_verify = {
    .name = "verify",
    .arguments = "",
    .summary = "compare the replica with the server, and repair it",
    .help = "Compares every row by hashes of key ranges; only what differs is fetched. Unsent calls are kept. Exit code 5 when something\n"
            "differed, 0 when all was equal.\n\n"
            "Examples:\n"
            "  charle verify\n"
            "  charle verify --json",
    .run = run,
};
