// charle export, import: a replica taken to another laptop, or saved from a damaged one.
#include "laptop.h"

#include <string.h>

static int run_export(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    struct charle_error err = {0};
    int count, code = CLI_USAGE;
    if (!cli_parse(cli, command, NULL, 0, argc, argv, &count, &code))
        return code;
    if (count != 1)
        return cli_usage(command, "the path of one file to write is needed");
    struct charle_client *client = laptop_open(cli, false, &code);
    if (!client)
        return code;
    struct charle_client_status status;
    charle_client_status(client, &status);
    code = charle_client_export(client, argv[0], &err) ? cli_fail(cli, &err) : CLI_OK;
    charle_client_close(client);
    if (code == CLI_OK && cli->json)
        printf("{\"pending_calls\":%lld}\n", (long long)status.pending_calls);
    else if (code == CLI_OK)
        printf("Exported to %s, with %lld unsent calls. It is as secret as the replica.\n", argv[0], (long long)status.pending_calls);
    return code;
}

static int import(struct cli *cli, const char *file, const struct charle_client_options *options)
{
    struct charle_error err = {0};
    if (charle_replica_import(file, options, &err))
        return cli_fail(cli, &err);
    if (cli->json)
        printf("{\"done\":true}\n");
    else
        printf("Imported into %s. It becomes a device of its own with the next sync.\n", options->file);
    return CLI_OK;
}

static int rescue(struct cli *cli, const char *file, const struct charle_client_options *options)
{
    struct charle_error err = {0};
    struct charle_rescue_report report;
    char files_skipped[32];
    if (charle_replica_rescue(file, options, &report, &err))
        return cli_fail(cli, &err);
    snprintf(files_skipped, sizeof(files_skipped), report.files_skipped < 0 ? "nobody knows how many" : "%lld", (long long)report.files_skipped);
    if (cli->json)
        printf("{\"calls\":%lld,\"calls_skipped\":%lld,\"verdicts\":%lld,\"files\":%lld,\"files_skipped\":%lld,\"has_identity\":%s}\n",
               (long long)report.calls, (long long)report.calls_skipped, (long long)report.verdicts, (long long)report.files,
               (long long)report.files_skipped, report.has_identity ? "true" : "false");
    else
        printf("Rescued %lld unsent calls, %lld unsent files and %lld verdicts into %s; %lld calls and %s files could not be read.\n"
               "Rows come with the next sync.\n",
               (long long)report.calls, (long long)report.files, (long long)report.verdicts, options->file, (long long)report.calls_skipped,
               files_skipped);
    return CLI_OK;
}

static int run_import(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    bool is_rescue = false;
    const struct cli_option options[] = {{"--rescue", NULL, "FILE is a damaged replica: save its unsent calls", NULL, &is_rescue, NULL, NULL}};
    int count, code = CLI_USAGE;
    if (!cli_parse(cli, command, options, 1, argc, argv, &count, &code))
        return code;
    if (count != 1)
        return cli_usage(command, "one file is needed");
    const struct charle_client_options replica = laptop_options(cli, false);
    return is_rescue ? rescue(cli, argv[0], &replica) : import(cli, argv[0], &replica);
}

const struct cli_command cmd_export = {
    .name = "export",
    .arguments = "FILE",
    .summary = "write the replica into one file to take elsewhere",
    .help = "Writes the replica as of this moment into one file, with its unsent calls and attachments; reading and calling go on. `charle import`\n"
            "on another laptop makes a replica of it. An encrypted replica stays encrypted; another one is readable to whoever has the file.\n\n"
            "Examples:\n"
            "  charle export /media/stick/pia.charle",
    .run = run_export,
};
const struct cli_command cmd_import = {
    .name = "import",
    .arguments = "FILE",
    .summary = "make this profile's replica of an export",
    .help = "Makes a replica of an export for a profile that has none. Its unsent calls come with it; calls that the original sends too are run\n"
            "once. With --rescue FILE is a damaged replica: its unsent calls go into a new one, rows are fetched again.\n\n"
            "Examples:\n"
            "  charle import /media/stick/pia.charle --profile pia\n"
            "  charle import ~/.charle/laptop/damaged.db --rescue --profile fresh",
    .run = run_import,
};
