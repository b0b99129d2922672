// charle inbox: what the server did not simply accept, for a person to look at.
#include "base/buf.h"
#include "base/clock.h"
#include "call/method.h"
#include "laptop.h"
#include "msg/json.h"
#include "msg/wire.h"

#include <string.h>

struct listing {
    struct cli *cli;
    struct charle_client *client;
    size_t count;
};

// A message's bytes as JSON; "(unreadable)" when they do not parse, which a newer server may cause.
static const char *as_json(struct charle_arena *arena, const struct charle_message *type, const void *bytes, size_t size,
                           struct charle_buf *out)
{
    void *message = type ? charle_arena_alloc(arena, type->size) : NULL;
    if (!message || charle_message_read(type, charle_bytes(bytes, size), arena, message, NULL))
        return "\"(unreadable)\"";
    charle_message_write_json(type, message, out);
    const char *text = charle_buf_text(out);
    return text ? text : "\"(too large)\"";
}

static void print_json(const struct charle_inbox_entry *entry, bool is_first, const char *request, const char *row)
{
    struct charle_buf text = {0};
    charle_json_write_str(&text, charle_str(entry->text));
    const char *sentence = charle_buf_text(&text);
    printf("%s\n {\"id\":%lld,\"ticket\":%lld,\"verdict\":\"%s\",\"code\":\"%s\",\"text\":%s,\"method\":\"%s\",\"request\":%s,\"row\":%s}",
           is_first ? "[" : ",", (long long)entry->id, (long long)entry->ticket, laptop_verdict_name(entry->verdict),
           charle_err_name((enum charle_err)entry->code), sentence ? sentence : "\"\"", entry->method, request, row);
    charle_buf_deinit(&text);
}

static bool print_entry(void *ctx, const struct charle_inbox_entry *entry)
{
    struct listing *listing = ctx;
    listing->count++;
    struct charle_arena arena = {0};
    struct charle_buf request = {0}, row = {0};
    const struct charle_method *method = charle_client_method(listing->client, entry->method);
    const struct charle_schema *schema = listing->cli->app->schema;
    const struct charle_table *table = entry->table ? charle_schema_table_named(schema, charle_str(entry->table)) : NULL;
    const char *request_text = as_json(&arena, method ? method->request : NULL, entry->request, entry->request_size, &request);
    const char *row_text = entry->row ? as_json(&arena, table ? table->patch : NULL, entry->row, entry->row_size, &row) : "null";
    if (listing->cli->json) {
        print_json(entry, listing->count == 1, request_text, row_text);
    } else {
        char age[32];
        printf("#%lld  %s  %s  (%s)\n    %s\n    you asked:   %s\n", (long long)entry->id, laptop_verdict_name(entry->verdict),
               entry->method, laptop_age(entry->at_us, age), entry->text, request_text);
        if (entry->row)
            printf("    on the server now: %s\n", row_text);
    }
    charle_buf_deinit(&request);
    charle_buf_deinit(&row);
    charle_arena_deinit(&arena);
    return true;
}

static int list(struct cli *cli, struct charle_client *client)
{
    struct listing listing = {.cli = cli, .client = client};
    struct charle_error err = {0};
    if (charle_client_inbox(client, print_entry, &listing, &err))
        return cli_fail(cli, &err);
    if (cli->json)
        printf("%s]\n", listing.count ? "\n" : "[");
    else if (!listing.count)
        printf("The inbox is empty: the server took everything as it was meant.\n");
    return listing.count ? CLI_ATTENTION : CLI_OK;
}

static int act(struct cli *cli, const struct cli_command *command, struct charle_client *client, const char *verb, const char *which)
{
    long id = 0;
    struct charle_error err = {0};
    bool is_all = strcmp(verb, "dismiss") == 0 && which && strcmp(which, "all") == 0;
    if (!which || (!is_all && !cli_read_number(verb, which, 1, INT32_MAX, &id)))
        return which ? CLI_USAGE : cli_usage(command, "%s which one? give its number", verb);
    int64_t ticket = 0;
    int rc = CHARLE_OK;
    if (strcmp(verb, "dismiss") == 0)
        rc = charle_client_inbox_dismiss(client, id, &err);
    else if (strcmp(verb, "retry") == 0)
        rc = charle_client_inbox_retry(client, id, &ticket, &err);
    else if (strcmp(verb, "discard") == 0)
        rc = charle_client_discard(client, id, &err);
    else
        return cli_usage(command, "\"%s\" is not dismiss, retry or discard", verb);
    if (rc)
        return cli_fail(cli, &err);
    if (cli->json)
        printf("{\"ticket\":%lld}\n", (long long)ticket);
    else if (ticket)
        printf("Called again as call %lld; it goes to the server with the next sync.\n", (long long)ticket);
    else
        printf("Done.\n");
    return CLI_OK;
}

static int run(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    int count, code = CLI_USAGE;
    if (!cli_parse(cli, command, NULL, 0, argc, argv, &count, &code))
        return code;
    if (count > 2)
        return cli_usage(command, "unexpected \"%s\"", argv[2]);
    struct charle_client *client = laptop_open(cli, false, &code);
    if (!client)
        return code;
    code = count == 0 ? list(cli, client) : act(cli, command, client, argv[0], count == 2 ? argv[1] : NULL);
    charle_client_close(client);
    return code;
}

const struct cli_command cmd_inbox = {
    .name = "inbox",
    .arguments = "[dismiss N|all] [retry N] [discard TICKET]",
    .summary = "what the server merged, rejected or parked",
    .help = "Lists the verdicts that a person should see: what was asked, what the server says, and the row as it is there now.\n"
            "`dismiss` forgets a verdict (keeps theirs), `retry` makes the same call again (keeps mine), `discard` takes back a call\n"
            "that was not sent yet; its number is in `charle status`. Exit code 6 when there is something to look at.\n\n"
            "Examples:\n"
            "  charle inbox\n"
            "  charle inbox retry 3\n"
            "  charle inbox dismiss all",
    .run = run,
};
