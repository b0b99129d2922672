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
        printf("The inbox is empty: there is nothing to look at.\n");
    return listing.count ? CLI_ATTENTION : CLI_OK;
}

struct edit {
    struct cli *cli;
    struct charle_client *client;
    long id;
    const char *json;
    void *request;             // made of it; NULL: no such verdict
    struct charle_error err;
};

static bool read_edit(void *ctx, const struct charle_inbox_entry *entry)
{
    struct edit *edit = ctx;
    if (entry->id != edit->id)
        return true;
    const struct charle_method *method = charle_client_method(edit->client, entry->method);
    edit->request = method ? charle_arena_alloc(&edit->cli->arena, method->request->size) : NULL;
    if (edit->request)
        (void)!charle_message_read_json(method->request, charle_str(edit->json), &edit->cli->arena, edit->request, &edit->err);
    else
        charle_fail(&edit->err, CHARLE_UNIMPLEMENTED, "this program has no method %s", entry->method);
    return false;
}

static int redo(struct cli *cli, struct charle_client *client, long id, const char *json, int64_t *out_ticket, struct charle_error *err)
{
    struct edit edit = {.cli = cli, .client = client, .id = id, .json = json};
    int rc = json ? charle_client_inbox(client, read_edit, &edit, err) : CHARLE_OK;
    if (!rc && edit.err.code) {
        *err = edit.err;
        return (int)edit.err.code;
    }
    return rc ? rc : charle_client_inbox_redo(client, id, edit.request, out_ticket, err);
}

static int act(struct cli *cli, const struct cli_command *command, struct charle_client *client, int count, char **argv)
{
    const char *verb = argv[0], *which = count > 1 ? argv[1] : NULL;
    bool is_edit = strcmp(verb, "edit") == 0;
    if (count != (is_edit ? 3 : 2) && which)
        return is_edit ? cli_usage(command, "edit needs the verdict's number and the new request as JSON") : cli_usage(command, "unexpected \"%s\"", argv[2]);

    long id = 0;
    struct charle_error err = {0};
    bool is_dismiss = strcmp(verb, "dismiss") == 0 || strcmp(verb, "theirs") == 0;
    bool is_all = is_dismiss && which && strcmp(which, "all") == 0;
    if (!which || (!is_all && !cli_read_number(verb, which, 1, INT32_MAX, &id)))
        return which ? CLI_USAGE : cli_usage(command, "%s which one? give its number", verb);
    int64_t ticket = 0;
    int rc = CHARLE_OK;
    if (is_dismiss)
        rc = charle_client_inbox_dismiss(client, id, &err);
    else if (strcmp(verb, "retry") == 0)
        rc = charle_client_inbox_retry(client, id, &ticket, &err);
    else if (strcmp(verb, "mine") == 0 || is_edit)
        rc = redo(cli, client, id, is_edit ? argv[2] : NULL, &ticket, &err);
    else if (strcmp(verb, "discard") == 0)
        rc = charle_client_discard(client, id, &err);
    else
        return cli_usage(command, "\"%s\" is not mine, theirs, edit, retry, dismiss or discard", verb);
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
    if (count > 3)
        return cli_usage(command, "unexpected \"%s\"", argv[3]);
    struct charle_client *client = laptop_open(cli, false, &code);
    if (!client)
        return code;
    code = count == 0 ? list(cli, client) : act(cli, command, client, count, argv);
    charle_client_close(client);
    return code;
}

const struct cli_command cmd_inbox = {
    .name = "inbox",
    .arguments = "[mine N] [theirs N|all] [edit N JSON] [retry N] [discard TICKET]",
    .summary = "what the server merged, rejected or parked",
    .help = "Lists the verdicts that a person should see: what was asked, what the server says, and the row as it is there now.\n"
            "`mine` makes the same call again on top of what the server has now, `theirs` (or `dismiss`) forgets the verdict, `edit` calls\n"
            "again with another request. `retry` repeats a call exactly, for one that was parked; `discard` takes back a call that was not\n"
            "sent yet, by its number in `charle status`. Exit code 6 when there is something to look at.\n\n"
            "Examples:\n"
            "  charle inbox\n"
            "  charle inbox mine 3\n"
            "  charle inbox edit 3 '{\"key\": {\"id\": \"…\"}, \"set\": {\"title\": \"Both\"}}'\n"
            "  charle inbox dismiss all",
    .run = run,
};
