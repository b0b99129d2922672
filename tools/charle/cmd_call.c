// charle call: calls a method with a JSON request; on the replica when it can run there.
#include "base/buf.h"
#include "call/method.h"
#include "laptop.h"
#include "msg/json.h"

#include <string.h>

static void print_reply(struct cli *cli, const struct charle_method *method, const void *reply,
                        const struct charle_client_outcome *outcome)
{
    struct charle_buf text = {0};
    charle_message_write_json(method->reply, reply, &text);
    const char *json = charle_buf_text(&text);
    if (cli->json)
        printf("{\"ticket\":%lld,\"verdict\":\"%s\",\"confirmed\":%s,\"reply\":%s}\n", (long long)outcome->ticket,
               laptop_verdict_name(outcome->verdict), outcome->is_confirmed ? "true" : "false", json ? json : "null");
    else
        printf("%s\n", json ? json : "(the reply is too large to print)");
    charle_buf_deinit(&text);
    if (cli->json)
        return;
    if (outcome->ticket && !outcome->is_confirmed)
        fprintf(stderr, "Done here, and kept as call %lld until the server has it too.\n", (long long)outcome->ticket);
    else if (outcome->ticket)
        fprintf(stderr, "Call %lld: %s%s%s\n", (long long)outcome->ticket, laptop_verdict_name(outcome->verdict),
                outcome->text[0] ? ": " : "", outcome->text);
}

static int call(struct cli *cli, struct charle_client *client, const struct charle_method *method, const char *request_json,
                struct charle_client_call_options *options)
{
    struct charle_error err = {0};
    struct charle_client_outcome outcome = {0};
    options->outcome = &outcome;
    void *request = charle_arena_alloc(&cli->arena, method->request->size);
    void *reply = charle_arena_alloc(&cli->arena, method->reply->size);
    if (!request || !reply)
        return cli_fail(cli, &(struct charle_error){.code = CHARLE_NO_MEMORY});
    if (charle_message_read_json(method->request, charle_str(request_json), &cli->arena, request, &err))
        return cli_fail(cli, &err);
    if (charle_client_call(client, method, request, &cli->arena, reply, options, &err))
        return cli_fail(cli, &err);
    print_reply(cli, method, reply, &outcome);
    return CLI_OK;
}

static int run(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    bool wait = false, online = false;
    const char *timeout_text = "30";
    const struct cli_option options[] = {
        {"--wait", NULL, "wait until the server has confirmed or refused it", NULL, &wait, NULL, NULL},
        {"--online", NULL, "ask the server even when the call could run here", NULL, &online, NULL, NULL},
        {"--timeout", "SECONDS", "of a call to the server, or of waiting (default 30)", &timeout_text, NULL, NULL, NULL}};
    int count, code = CLI_USAGE;
    if (!cli_parse(cli, command, options, 3, argc, argv, &count, &code))
        return code;
    if (count < 1 || count > 2)
        return cli_usage(command, "a method and its request are needed");
    long timeout_s = 0;
    if (!cli_read_number("--timeout", timeout_text, 1, 86400, &timeout_s))
        return CLI_USAGE;
    struct charle_client *client = laptop_open(cli, false, &code);
    if (!client)
        return code;
    const struct charle_method *method = laptop_method(cli, client, command, argv[0]);
    struct charle_error err = {0};
    if (!method)
        code = CLI_USAGE;
    else if (wait && charle_client_start(client, &err))
        code = cli_fail(cli, &err);
    else
        code = call(cli, client, method, count == 2 ? argv[1] : "{}",
                    &(struct charle_client_call_options){
                        .timeout_ms = (uint32_t)timeout_s * 1000, .wait_for_verdict = wait, .is_online = online});
    charle_client_close(client);
    return code;
}

const struct cli_command cmd_call = {
    .name = "call",
    .arguments = "SERVICE.METHOD [JSON]",
    .summary = "call a service, offline when it can run here",
    .help = "The request is JSON with the names of the .proto. A method that can run offline runs on the replica at once, is kept on\n"
            "disk, and reaches the server with the next sync; any other goes to the server.\n\n"
            "Examples:\n"
            "  charle call Task.List '{\"limit\": 3}'\n"
            "  charle call Task.Update '{\"key\": {\"id\": \"…\"}, \"set\": {\"title\": \"New title\"}}'\n"
            "  charle call TimeService.LogTime '{\"date\": \"2026-11-20\", \"minutes\": 30, …}' --wait\n"
            "  charle call charle.Admin/Status",
    .run = run,
};
