// charle status: where this laptop stands, on one screen.
#include "base/buf.h"
#include "laptop.h"
#include "msg/json.h"
#include "remote.h"

enum { SCOPES_SHOWN_MAX = 12 };

static void print_json(struct cli *cli, const struct charle_client_status *status)
{
    struct charle_buf problem = {0}, place = {0};
    charle_json_write_str(&problem, charle_str(status->problem));
    charle_buf_add_text(&place, "\"server\":");
    charle_json_write_str(&place, charle_str(cli_server_address(cli)));
    charle_buf_add_text(&place, ",\"replica\":");
    charle_json_write_str(&place, charle_str(cli_replica_path(cli)));
    const char *text = charle_buf_text(&problem), *where = charle_buf_text(&place);
    printf("{%s,\"state\":\"%s\",\"is_ready\":%s,\"is_connected\":%s,\"pending_calls\":%lld,\"inbox\":%lld,\"contact_at_us\":%lld,"
           "\"file_size\":%lld,\"is_paused\":%s,\"meter_budget\":%lld,\"meter_used\":%lld,\"meter_ends_at_us\":%lld,\"principal\":\"%s\",\"principal_id\":\"%s\",\"device_id\":\"%s\",\"problem\":%s}\n",
           where ? where : "\"server\":null", charle_client_state_name(status->state), status->is_ready ? "true" : "false", status->is_connected ? "true" : "false",
           (long long)status->pending_calls, (long long)status->inbox_count, (long long)status->contact_at_us,
           (long long)status->file_size, status->is_paused ? "true" : "false", (long long)status->meter_budget, (long long)status->meter_used,
           (long long)status->meter_ends_at_us, status->principal, status->principal_id, status->device_id, text ? text : "null");
    charle_buf_deinit(&problem);
    charle_buf_deinit(&place);
}

static bool print_call(void *ctx, const struct charle_outbox_entry *entry)
{
    int *shown = ctx;
    char age[32];
    static const char *const states[] = {"", "waiting", "sent", "judged"};
    printf("  %-8lld %-8s %-14s %s%s%s\n", (long long)entry->ticket, states[entry->state], laptop_age(entry->at_us, age), entry->method,
           entry->local_error ? "  no effect here: " : "", entry->local_error ? entry->local_error : "");
    return ++*shown < 10;
}

struct scope_list {
    int shown, ready, others;
    bool with_storage;
};

static bool count_scope(void *ctx, const struct charle_scope_entry *entry)
{
    struct scope_list *list = ctx;
    list->ready += entry->state == CHARLE_SCOPE_READY;
    list->others += entry->state != CHARLE_SCOPE_READY;
    return true;
}

static bool print_scope(void *ctx, const struct charle_scope_entry *entry)
{
    static const char *const states[] = {"", "ready", "copying", "repairing", "evicted"};
    struct scope_list *list = ctx;
    char age[32] = "";
    if (list->shown++ >= SCOPES_SHOWN_MAX)
        return false;
    printf("  %-32s %-9s", entry->scope, states[entry->state]);
    if (entry->state == CHARLE_SCOPE_READY)
        printf(" as of %-14s", laptop_age(entry->true_at_us, age));
    else
        printf(" %-20s", "");
    if (list->with_storage)
        printf(" %9lld rows %8.2f MiB", (long long)entry->rows, (double)entry->bytes / 1048576);
    printf("%s\n", entry->is_pinned ? "  pinned" : "");
    return true;
}

static void print_scopes(struct cli *cli, struct charle_client *client, bool with_storage)
{
    struct charle_error err = {0};
    struct scope_list list = {.with_storage = with_storage};
    if (charle_client_scopes(client, false, count_scope, &list, &err)) {
        printf("Scopes      cannot be listed: %s\n", err.text);
        return;
    }
    printf("Scopes      %d ready, %d not", list.ready, list.others);
    if (!with_storage)
        printf(" (%s says what each takes)", cli_next(cli, "status --storage"));
    printf("\n");
    if (charle_client_scopes(client, with_storage, print_scope, &list, &err))
        printf("  (cannot go on: %s)\n", err.text);
    if (list.shown > SCOPES_SHOWN_MAX)
        printf("  … and %d more\n", list.ready + list.others - SCOPES_SHOWN_MAX);
}

struct verdicts {
    int shown;
};

static bool print_verdict(void *ctx, const struct charle_inbox_entry *entry)
{
    struct verdicts *verdicts = ctx;
    char age[32];
    printf("  #%-7lld %-8s %-14s %s: %s\n", (long long)entry->id, laptop_verdict_name(entry->verdict), laptop_age(entry->at_us, age), entry->method,
           entry->text);
    return ++verdicts->shown < 5;
}

static void print_text(struct cli *cli, struct charle_client *client, const struct charle_client_status *status, bool with_storage)
{
    char age[32];
    printf("Laptop      %s (device %s)\n", cli->profile, status->device_id[0] ? status->device_id : "not known to a server yet");
    if (status->principal[0])
        printf("Person      %s %s\n", status->principal, status->principal_id);
    else if (cli_setting(cli, "token"))
        printf("Person      signed in, and known here after the first sync (%s)\n", cli_next(cli, "sync"));
    else
        printf("Person      nobody signed in (%s)\n", cli_next(cli, "login"));
    printf("Server      %s\n", cli_server_address(cli));
    printf("Replica     %s, %.1f MiB, ", cli_replica_path(cli), (double)status->file_size / 1048576);
    if (status->is_ready)
        printf("complete\n");
    else
        printf("not copied yet (%s)\n", cli_next(cli, "sync"));
    printf("Last sign   %s\n", laptop_age(status->contact_at_us, age));
    print_scopes(cli, client, with_storage);
    if (status->is_paused)
        printf("Paused      nothing is sent or fetched (%s)\n", cli_next(cli, "resume"));
    if (status->meter_budget)
        printf("Metered     %.1f of %.1f MB used, the next period begins %s\n", (double)status->meter_used / 1e6,
               (double)status->meter_budget / 1e6, laptop_when(status->meter_ends_at_us, age));
    printf("Waiting     %lld calls not confirmed by the server\n", (long long)status->pending_calls);
    int shown = 0;
    struct charle_error err = {0};
    if (status->pending_calls && charle_client_outbox(client, print_call, &shown, &err))
        printf("  (cannot list them: %s)\n", err.text);
    if (status->pending_calls > shown)
        printf("  … and %lld more\n", (long long)status->pending_calls - shown);
    printf("Verdicts    %lld to look at", (long long)status->inbox_count);
    if (status->inbox_count)
        printf(" (%s)", cli_next(cli, "inbox"));
    printf("\n");
    struct verdicts verdicts = {0};
    if (status->inbox_count && charle_client_inbox(client, print_verdict, &verdicts, &err))
        printf("  (cannot list them: %s)\n", err.text);
    if (status->inbox_count > verdicts.shown)
        printf("  … and %lld more\n", (long long)status->inbox_count - verdicts.shown);
    if (status->problem[0])
        printf("Problem     %s\n", status->problem);
}

static int run(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    bool with_storage = false, is_remote = false;
    const struct cli_option options[] = {{"--storage", NULL, "how much of the file each scope takes; reads all of it", NULL, &with_storage, NULL, NULL},
                                         {"--remote", NULL, "where the server stands, and everybody who is connected to it; for operators", NULL, &is_remote, NULL, NULL}};
    int count, code = CLI_USAGE;
    if (!cli_parse(cli, command, options, 2, argc, argv, &count, &code))
        return code;
    if (count != 0)
        return cli_usage(command, "unexpected \"%s\"", argv[0]);
    if (is_remote && with_storage)
        return cli_usage(command, "--storage is about this laptop, --remote about the server: give one of them");
    struct charle_client *client = laptop_open(cli, false, &code);
    if (!client)
        return code;
    if (is_remote) {
        code = remote_status(cli, client);
        charle_client_close(client);
        return code;
    }
    struct charle_client_status status;
    charle_client_status(client, &status);
    if (cli->json)
        print_json(cli, &status);
    else
        print_text(cli, client, &status, with_storage);
    charle_client_close(client);
    return CLI_OK;
}

const struct cli_command cmd_status = {
    .name = "status",
    .arguments = "",
    .summary = "where this laptop stands",
    .help = "Shows the person, the server, the replica, the last sign of the server, how recent each scope is, the calls that wait with their\n"
            "age, and the verdicts. Needs no network.\n\n"
            "With --remote it asks the server, for its operators: who is connected and how far behind, who is slow, which scopes are hot, the\n"
            "standbys and the other servers of the database, the ring of recent changes and the change log.\n\n"
            "Examples:\n"
            "  charle status\n"
            "  charle status --storage\n"
            "  charle status --remote\n"
            "  charle status --profile anna --json",
    .run = run,
};
