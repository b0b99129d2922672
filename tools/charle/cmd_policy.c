// charle pause, resume, meter: when this laptop synchronises, and how many bytes it may use.
#include "laptop.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef int (*policy_fn)(struct charle_client *client, void *ctx, struct charle_error *err);

static int apply(struct cli *cli, policy_fn fn, void *ctx, const char *words)
{
    int code = CLI_FAILED;
    struct charle_error err = {0};
    struct charle_client *client = laptop_open(cli, false, &code);
    if (!client)
        return code;
    code = fn(client, ctx, &err) ? cli_fail(cli, &err) : CLI_OK;
    charle_client_close(client);
    if (code == CLI_OK && cli->json)
        printf("{\"done\":true}\n");
    else if (code == CLI_OK)
        printf("%s\n", words);
    return code;
}

static int set_paused(struct charle_client *client, void *ctx, struct charle_error *err)
{
    return charle_client_set_paused(client, *(const bool *)ctx, err);
}

static int run_paused(struct cli *cli, const struct cli_command *command, int argc, char **argv, bool is_paused)
{
    int count, code = CLI_USAGE;
    if (!cli_parse(cli, command, NULL, 0, argc, argv, &count, &code))
        return code;
    if (count != 0)
        return cli_usage(command, "unexpected \"%s\"", argv[0]);
    return apply(cli, set_paused, &is_paused,
                 is_paused ? "Paused: nothing is sent or fetched; what you do is kept until you resume." : "Resumed.");
}

static int run_pause(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    return run_paused(cli, command, argc, argv, true);
}

static int run_resume(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    return run_paused(cli, command, argc, argv, false);
}

struct budget {
    int64_t bytes;
    uint32_t period_s;
};

static int set_budget(struct charle_client *client, void *ctx, struct charle_error *err)
{
    const struct budget *budget = ctx;
    return charle_client_set_meter(client, budget->bytes, budget->period_s, err);
}

// "20MB", "512 kB", "1.5GiB": decimal and binary units.
static bool read_bytes(const char *text, int64_t *out)
{
    static const struct {
        const char *name;
        double factor;
    } units[] = {{"", 1}, {"B", 1}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}};
    char *end;
    double value = strtod(text, &end);
    while (*end == ' ')
        end++;
    for (size_t i = 0; end != text && value > 0 && i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcasecmp(end, units[i].name) == 0 && value * units[i].factor < 1e15) {
            *out = (int64_t)(value * units[i].factor);
            return true;
        }
    }
    return false;
}

static bool read_period(const char *text, uint32_t *out)
{
    static const char *const names[] = {"hour", "day", "week", "month"};
    static const uint32_t seconds[] = {3600, 86400, 604800, 2592000};
    for (size_t i = 0; i < 4; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = seconds[i];
            return true;
        }
    }
    return false;
}

static int run_meter(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    const char *period = "day";
    char words[120];
    struct budget budget = {0};
    const struct cli_option options[] = {{"--per", "PERIOD", "hour, day (default), week or month of 30 days", &period, NULL, NULL, NULL}};
    int count, code = CLI_USAGE;
    if (!cli_parse(cli, command, options, 1, argc, argv, &count, &code))
        return code;
    if (count != 1)
        return cli_usage(command, "one size is needed, such as 20MB, or off");
    bool is_off = strcmp(argv[0], "off") == 0;
    if (!is_off && !read_bytes(argv[0], &budget.bytes))
        return cli_usage(command, "\"%s\" is no size; write 500kB, 20MB, 1GB, or off", argv[0]);
    if (!read_period(period, &budget.period_s))
        return cli_usage(command, "--per is hour, day, week or month, not \"%s\"", period);
    snprintf(words, sizeof(words), is_off ? "No limit." : "At most %.1f MB a %s from now on; your calls are sent first.", (double)budget.bytes / 1e6, period);
    return apply(cli, set_budget, &budget, words);
}

struct scope_wish {
    const char *scope;
    bool is_pinned;
};

static int evict(struct charle_client *client, void *ctx, struct charle_error *err)
{
    return charle_client_evict(client, ((const struct scope_wish *)ctx)->scope, err);
}

static int pin(struct charle_client *client, void *ctx, struct charle_error *err)
{
    const struct scope_wish *wish = ctx;
    return charle_client_pin(client, wish->scope, wish->is_pinned, err);
}

static int run_evict(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    int count, code = CLI_USAGE;
    if (!cli_parse(cli, command, NULL, 0, argc, argv, &count, &code))
        return code;
    if (count != 1)
        return cli_usage(command, "one scope is needed; `status` lists them");
    struct scope_wish wish = {.scope = argv[0]};
    return apply(cli, evict, &wish, "Evicted: its rows are gone from this laptop, pinning it brings them back.");
}

static int run_pin(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    struct scope_wish wish = {.is_pinned = true};
    bool is_off = false;
    const struct cli_option options[] = {{"--off", NULL, "unpin it: it may be evicted again", NULL, &is_off, NULL, NULL}};
    int count, code = CLI_USAGE;
    if (!cli_parse(cli, command, options, 1, argc, argv, &count, &code))
        return code;
    if (count != 1)
        return cli_usage(command, "one scope is needed; `status` lists them");
    wish = (struct scope_wish){argv[0], !is_off};
    return apply(cli, pin, &wish, is_off ? "Unpinned." : "Pinned: it stays here, and comes with the next sync if it was evicted.");
}

const struct cli_command cmd_evict = {
    .name = "evict",
    .arguments = "SCOPE",
    .summary = "let go of a scope's rows to save space",
    .help = "Removes the rows of a scope from this laptop; other scopes and what they show stay. Rows of waiting calls, rows that others refer\n"
            "to and pinned scopes cannot go. `charle pin` brings it back.\n\n"
            "Examples:\n"
            "  charle evict client:42",
    .run = run_evict,
};
const struct cli_command cmd_pin = {
    .name = "pin",
    .arguments = "SCOPE",
    .summary = "keep a scope on this laptop, or fetch it again",
    .help = "A pinned scope is never evicted; an evicted one is fetched again with the next sync.\n\n"
            "Examples:\n"
            "  charle pin client:42\n"
            "  charle pin client:42 --off",
    .run = run_pin,
};
const struct cli_command cmd_pause = {
    .name = "pause",
    .arguments = "",
    .summary = "stop synchronising until resumed",
    .help = "Nothing is sent or fetched from now on, by any program on this replica, also after a restart. Reading and calling go on; calls\n"
            "are kept.\n\n"
            "Examples:\n"
            "  charle pause",
    .run = run_pause,
};
const struct cli_command cmd_resume = {
    .name = "resume",
    .arguments = "",
    .summary = "synchronise again after a pause",
    .help = "Undoes `charle pause`.\n\n"
            "Examples:\n"
            "  charle resume",
    .run = run_resume,
};
const struct cli_command cmd_meter = {
    .name = "meter",
    .arguments = "SIZE|off",
    .summary = "limit the bytes that synchronising uses",
    .help = "Gives synchronising a budget of bytes a period, for an expensive network. Calls are sent before anything is fetched; at nine tenths\n"
            "of the budget fetching stops, the last tenth is for calls. `charle status` shows what is used.\n\n"
            "Examples:\n"
            "  charle meter 20MB\n"
            "  charle meter 1GB --per month\n"
            "  charle meter off",
    .run = run_meter,
};
