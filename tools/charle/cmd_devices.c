// charle devices: one's own laptops, an operator's everybody's; and the order to wipe one.
#include "laptop.h"

#include "charle/devices.charle.h"
#include "msg/json.h"
#include "output.h"

#include <string.h>

static const char *state_of(const struct charle_device_entry *device)
{
    if (device->wiped_at.has)
        return "wiped";
    if (device->wipe_told_at.has)
        return "told to wipe";
    return device->wipe_ordered_at.has ? "to be wiped" : "in use";
}

static void add_time(struct charle_buf *line, const char *name, const struct charle_opt_ts *time)
{
    charle_buf_printf(line, ",\"%s\":", name);
    if (time->has)
        charle_buf_printf(line, "%lld", (long long)time->value.us);
    else
        charle_buf_add_text(line, "null");
}

static void add_json(struct charle_buf *line, const struct charle_device_entry *device)
{
    charle_buf_add_text(line, "{\"id\":");
    charle_json_write_str(line, device->id);
    charle_buf_add_text(line, ",\"person\":");
    charle_json_write_str(line, device->principal_id);
    charle_buf_add_text(line, ",\"name\":");
    charle_json_write_str(line, device->name.has ? device->name.value : CHARLE_STR(""));
    charle_buf_printf(line, ",\"state\":\"%s\",\"seen_at_us\":%lld", state_of(device), (long long)device->opened_at.us);
    add_time(line, "ordered_at_us", &device->wipe_ordered_at);
    add_time(line, "told_at_us", &device->wipe_told_at);
    add_time(line, "wiped_at_us", &device->wiped_at);
    if (device->calls_lost.has)
        charle_buf_printf(line, ",\"calls_lost\":%lld", (long long)device->calls_lost.value);
    charle_buf_add_text(line, "}");
}

static void add_text(struct charle_buf *line, const struct charle_device_entry *device)
{
    char age[32];
    charle_buf_printf(line, "%-26.*s  %-12s  seen %-14s  %.*s  %.*s", CHARLE_FMT(device->id), state_of(device),
                      laptop_age(device->opened_at.us, age), CHARLE_FMT(device->principal_id),
                      CHARLE_FMT(device->name.has ? device->name.value : CHARLE_STR("")));
    if (device->calls_lost.has)
        charle_buf_printf(line, "  (%lld calls were lost)", (long long)device->calls_lost.value);
    charle_buf_add_text(line, "\n");
}

static int list(struct cli *cli, struct charle_client *client)
{
    struct charle_error err = {0};
    struct charle_buf out = {0};
    struct charle_device_list_reply reply;
    const struct charle_device_list_request request = {0};
    const struct charle_client_call_options options = {.is_online = true};
    if (charle_client_call(client, &charle_devices_list_method, &request, &cli->arena, &reply, &options, &err))
        return cli_fail(cli, &err);
    const struct charle_device_entry *const *devices = reply.device.items;
    charle_buf_add_text(&out, cli->json ? "[" : "");
    for (size_t i = 0; i < reply.device.count; i++) {
        if (cli->json && i)
            charle_buf_add_text(&out, ",");
        if (cli->json)
            add_json(&out, devices[i]);
        else
            add_text(&out, devices[i]);
    }
    charle_buf_add_text(&out, cli->json ? "]\n" : reply.device.count ? "" : "No devices.\n");
    fwrite(out.data, 1, out.size, stdout);
    charle_buf_deinit(&out);
    return CLI_OK;
}

static int order(struct cli *cli, struct charle_client *client, const char *device, bool pushes_first, bool takes_back)
{
    struct charle_error err = {0};
    struct charle_empty reply;
    const struct charle_device_wipe_request request = {.device_id = charle_str(device), .pushes_first = {pushes_first, true}, .takes_back = {takes_back, true}};
    const struct charle_client_call_options options = {.is_online = true};
    if (charle_client_call(client, &charle_devices_wipe_method, &request, &cli->arena, &reply, &options, &err))
        return cli_fail(cli, &err);
    if (cli->json)
        printf("{\"done\":true}\n");
    else
        printf("%s\n", takes_back ? "The order was taken back." : "Ordered: at its next contact the laptop destroys its key and removes its files. `devices` shows when it has.");
    return CLI_OK;
}

static int run(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    bool pushes_first = false;
    const struct cli_option options[] = {{"--push-first", NULL, "wipe: it may send what it has not sent yet, for ten minutes", NULL, &pushes_first, NULL, NULL}};
    int count, code = CLI_USAGE;
    if (!cli_parse(cli, command, options, 1, argc, argv, &count, &code))
        return code;
    bool is_wipe = count == 2 && strcmp(argv[0], "wipe") == 0, is_keep = count == 2 && strcmp(argv[0], "keep") == 0;
    if (count && !is_wipe && !is_keep)
        return cli_usage(command, "nothing, wipe ID or keep ID; without anything the devices are listed");
    struct charle_client *client = laptop_open(cli, false, &code);
    if (!client)
        return code;
    code = count ? order(cli, client, argv[1], pushes_first, is_keep) : list(cli, client);
    charle_client_close(client);
    return code;
}

const struct cli_command cmd_devices = {
    .name = "devices",
    .arguments = "[wipe ID|keep ID]",
    .summary = "list your laptops, order one to be wiped",
    .help = "Lists your devices, for operators everybody's. wipe orders a lost one to destroy its key and remove its files at its next contact, even\n"
            "when its session was ended meanwhile; calls that it has not sent are lost and counted, unless --push-first lets it send them. keep takes\n"
            "an order back that was not carried out. Before the next contact only encryption protects what is on the laptop.\n\n"
            "Examples:\n"
            "  charle devices\n"
            "  charle devices wipe 7h2k9m3q5w8e1r4t6y0u2i5o7p\n"
            "  charle devices wipe 7h2k9m3q5w8e1r4t6y0u2i5o7p --push-first",
    .run = run,
};
