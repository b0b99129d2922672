// charle sync: brings the replica in step once, or keeps it in step and says what happens.
#include "base/clock.h"
#include "laptop.h"

#include <poll.h>
#include <signal.h>

static volatile sig_atomic_t stop_asked;

static void on_signal(int number)
{
    (void)number;
    stop_asked = 1;
}

static void print_status_line(struct cli *cli, struct charle_client *client)
{
    struct charle_client_status status;
    charle_client_status(client, &status);
    char when[CHARLE_TS_TEXT_SIZE];
    charle_ts_write(ch_clock_wall(), when);
    if (cli->json)
        printf("{\"at\":\"%s\",\"state\":\"%s\",\"pending_calls\":%lld,\"inbox\":%lld,\"pages_applied\":%llu,\"rows_copied\":%lld}\n", when,
               charle_client_state_name(status.state), (long long)status.pending_calls, (long long)status.inbox_count,
               (unsigned long long)status.pages_applied, (long long)status.rows_copied);
    else
        printf("%s  %-10s  pending calls %lld  verdicts %lld  pages %llu%s%s\n", when, charle_client_state_name(status.state),
               (long long)status.pending_calls, (long long)status.inbox_count, (unsigned long long)status.pages_applied,
               status.problem[0] ? "  " : "", status.problem);
    fflush(stdout);
}

static int watch(struct cli *cli, struct charle_client *client)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    struct charle_error err = {0};
    if (charle_client_start(client, &err))
        return cli_fail(cli, &err);
    print_status_line(cli, client);
    struct pollfd wait = {.fd = charle_client_fd(client), .events = POLLIN};
    while (!stop_asked) {
        if (poll(&wait, 1, 1000) > 0 && charle_client_take_events(client))
            print_status_line(cli, client);
    }
    charle_client_stop(client);
    return CLI_OK;
}

static void print_done(struct cli *cli, struct charle_client *client)
{
    struct charle_client_status status;
    charle_client_status(client, &status);
    if (cli->json)
        printf("{\"rows_copied\":%lld,\"pages_applied\":%llu,\"pending_calls\":%lld,\"inbox\":%lld,\"bytes_received\":%llu}\n",
               (long long)status.rows_copied, (unsigned long long)status.pages_applied, (long long)status.pending_calls,
               (long long)status.inbox_count, (unsigned long long)status.bytes_received);
    else
        printf("In step with the server: %lld rows copied, %llu pages applied, %lld calls waiting, %lld verdicts to look at.\n",
               (long long)status.rows_copied, (unsigned long long)status.pages_applied, (long long)status.pending_calls,
               (long long)status.inbox_count);
    if (!cli->json && status.inbox_count)
        printf("See them: %s\n", cli_next(cli, "inbox"));
}

static int run(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    bool is_watch = false;
    const char *timeout_text = "0";
    const struct cli_option options[] = {
        {"--watch", NULL, "stay connected and print what changes, until Ctrl-C", NULL, &is_watch, NULL, NULL},
        {"--rows", NULL, "first copy row by row, although a ready file is quicker: needs less disk", NULL, &cli->copies_rows,
         NULL, NULL},
        {"--timeout", "SECONDS", "give up after this long (default: never)", &timeout_text, NULL, NULL, NULL}};
    int count, code = CLI_USAGE;
    if (!cli_parse(cli, command, options, sizeof(options) / sizeof(options[0]), argc, argv, &count, &code))
        return code;
    long timeout_s = 0;
    if (count != 0)
        return cli_usage(command, "unexpected \"%s\"", argv[0]);
    if (!cli_read_number("--timeout", timeout_text, 0, 86400, &timeout_s))
        return CLI_USAGE;
    struct charle_client *client = laptop_open(cli, false, &code);
    if (!client)
        return code;
    code = is_watch ? watch(cli, client) : laptop_sync(cli, client, (uint32_t)timeout_s * 1000);
    if (code == CLI_OK && !is_watch)
        print_done(cli, client);
    charle_client_close(client);
    return code;
}

const struct cli_command cmd_sync = {
    .name = "sync",
    .arguments = "[--watch] [--rows]",
    .summary = "bring the replica in step with the server",
    .help = "Sends the calls that wait, takes what changed, and returns when both are done. The first time it copies everything you\n"
            "may see; interrupted, it goes on where it was.\n\n"
            "Examples:\n"
            "  charle sync\n"
            "  charle sync --watch          stay live; a line for each change\n"
            "  charle sync --timeout 30",
    .run = run,
};
