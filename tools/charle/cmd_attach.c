// charle attach: files that rows refer to. put adds one, get fetches one, list shows those of this laptop.
#include "laptop.h"

#include "msg/json.h"
#include "output.h"

#include <stdlib.h>
#include <string.h>

enum { BYTES_LEN = 32 };

static const char *state_name(enum charle_attachment_state state)
{
    static const char *const names[] = {"", "unsent", "here", "fetching", "refused"};
    return names[state];
}

static const char *size_text(int64_t bytes, char out[BYTES_LEN])
{
    if (bytes < 10000)
        snprintf(out, BYTES_LEN, "%lld B", (long long)bytes);
    else if (bytes < 10000000)
        snprintf(out, BYTES_LEN, "%.1f kB", (double)bytes / 1e3);
    else
        snprintf(out, BYTES_LEN, "%.1f MB", (double)bytes / 1e6);
    return out;
}

static void print_ref(const struct cli *cli, const struct charle_attachment_ref *ref, const char *words)
{
    char size[BYTES_LEN];
    if (!cli->json) {
        printf("%s\n%s  %s%s%s\n", words, ref->hash, size_text(ref->size, size), ref->media_type[0] ? "  " : "", ref->media_type);
        return;
    }
    struct charle_buf line = {0};
    charle_buf_printf(&line, "{\"hash\":\"%s\",\"size\":%lld,\"media_type\":", ref->hash, (long long)ref->size);
    if (ref->media_type[0])
        charle_json_write_str(&line, charle_str(ref->media_type));
    else
        charle_buf_add_text(&line, "null");
    printf("%.*s}\n", CHARLE_FMT(charle_buf_str(&line)));
    charle_buf_deinit(&line);
}

static int put(struct cli *cli, struct charle_client *client, const char *path, const char *type)
{
    struct charle_error err = {0};
    struct charle_attachment_ref ref;
    const struct charle_attachment_source source = {.path = path, .media_type = type};
    if (charle_attachment_put(client, &source, &ref, &err))
        return cli_fail(cli, &err);
    print_ref(cli, &ref, "Kept on this laptop, and sent before the call that mentions it. A column takes this name of it:");
    return CLI_OK;
}

static bool show_progress(void *ctx, int64_t have, int64_t total)
{
    progress_show(ctx, (uint64_t)have, (uint64_t)total, "bytes");
    return true;
}

static int get(struct cli *cli, struct charle_client *client, const char *hash, const char *path)
{
    struct charle_error err = {0};
    struct charle_attachment_ref ref;
    struct progress progress;
    progress_start(&progress, "Fetching", cli->quiet || cli->json);
    const struct charle_attachment_options options = {.path = path, .fn = show_progress, .ctx = &progress};
    int rc = charle_attachment_get(client, hash, &options, &ref, NULL, &err);
    progress_end(&progress, NULL);
    if (rc)
        return cli_fail(cli, &err);
    print_ref(cli, &ref, path ? "Written:" : "It is on this laptop now; --output FILE writes it somewhere.");
    return CLI_OK;
}

struct listing {
    bool json;
    size_t count;
};

static bool print_entry(void *ctx, const struct charle_attachment_entry *entry)
{
    struct listing *listing = ctx;
    struct charle_buf line = {0};
    char size[BYTES_LEN], have[BYTES_LEN];
    if (listing->json) {
        charle_buf_printf(&line, "%s{\"hash\":\"%s\",\"size\":%lld,\"have\":%lld,\"state\":\"%s\",\"pinned\":%s,\"media_type\":",
                          listing->count ? "," : "", entry->hash, (long long)entry->size, (long long)entry->have, state_name(entry->state),
                          entry->is_pinned ? "true" : "false");
        if (entry->media_type)
            charle_json_write_str(&line, charle_str(entry->media_type));
        else
            charle_buf_add_text(&line, "null");
        charle_buf_add_text(&line, ",\"problem\":");
        if (entry->problem)
            charle_json_write_str(&line, charle_str(entry->problem));
        else
            charle_buf_add_text(&line, "null");
        charle_buf_add_text(&line, "}");
    } else {
        charle_buf_printf(&line, "%s  %-8s  %10s%s%s%s%s\n", entry->hash, state_name(entry->state),
                          entry->state == CHARLE_ATTACHMENT_FETCHING ? size_text(entry->have, have) : size_text(entry->size, size),
                          entry->is_pinned ? "  pinned" : "", entry->media_type ? "  " : "", entry->media_type ? entry->media_type : "",
                          entry->problem ? "  !" : "");
        if (entry->problem)
            charle_buf_printf(&line, "    %s\n", entry->problem);
    }
    fwrite(line.data, 1, line.size, stdout);
    charle_buf_deinit(&line);
    listing->count++;
    return true;
}

static int list(struct cli *cli, struct charle_client *client)
{
    struct charle_error err = {0};
    struct listing listing = {.json = cli->json};
    if (cli->json)
        printf("[");
    int rc = charle_attachments(client, print_entry, &listing, &err);
    if (cli->json)
        printf("]\n");
    else if (!rc && !listing.count)
        printf("No files on this laptop.\n");
    return rc ? cli_fail(cli, &err) : CLI_OK;
}

static int done(struct cli *cli, int rc, const struct charle_error *err, const char *words)
{
    if (rc)
        return cli_fail(cli, err);
    printf("%s\n", cli->json ? "{\"done\":true}" : words);
    return CLI_OK;
}

// `what` is known, and has what it needs.
static int act(struct cli *cli, struct charle_client *client, char **argv, const char *type, const char *output, bool is_off)
{
    struct charle_error err = {0};
    if (strcmp(argv[0], "put") == 0)
        return put(cli, client, argv[1], type);
    if (strcmp(argv[0], "get") == 0)
        return get(cli, client, argv[1], output);
    if (strcmp(argv[0], "pin") == 0)
        return done(cli, charle_attachment_pin(client, argv[1], !is_off, &err), &err, is_off ? "Unpinned." : "Pinned: it stays on this laptop.");
    if (strcmp(argv[0], "drop") == 0)
        return done(cli, charle_attachment_drop(client, argv[1], &err), &err, "Dropped: it can be fetched again.");
    return list(cli, client);
}

static int run(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    static const char *const verbs[] = {"put", "get", "pin", "drop", "list", NULL};
    const char *type = NULL, *output = NULL;
    bool is_off = false, is_known = false;
    const struct cli_option options[] = {{"--type", "TYPE", "put: the media type, such as image/png", &type, NULL, NULL, NULL},
                                         {"--output", "FILE", "get: writes the file there", &output, NULL, NULL, NULL},
                                         {"--off", NULL, "pin: it may be evicted again", NULL, &is_off, NULL, NULL}};
    int count, code = CLI_USAGE;
    if (!cli_parse(cli, command, options, 3, argc, argv, &count, &code))
        return code;
    for (size_t i = 0; count && verbs[i]; i++)
        is_known = is_known || strcmp(argv[0], verbs[i]) == 0;
    if (!is_known)
        return cli_usage(command, count ? "\"%s\" is not one of put, get, list, pin, drop" : "one of put, get, list, pin, drop is needed",
                         count ? argv[0] : "");
    bool is_list = strcmp(argv[0], "list") == 0;
    if (count != (is_list ? 1 : 2))
        return cli_usage(command, "%s needs %s", argv[0],
                         is_list ? "nothing behind it" : strcmp(argv[0], "put") == 0 ? "the path of one file" : "the name of one file: 64 hexadecimal digits");
    struct charle_client *client = laptop_open(cli, false, &code);
    if (!client)
        return code;
    code = act(cli, client, argv, type, output, is_off);
    charle_client_close(client);
    return code;
}

const struct cli_command cmd_attach = {
    .name = "attach",
    .arguments = "put FILE|get HASH|list|pin HASH|drop HASH",
    .summary = "files that rows refer to: add, fetch, list",
    .help = "put keeps a file on this laptop, with or without a network, and prints its name; a column that is an attachment takes the name. The\n"
            "file is sent before the call that mentions it. get fetches a file that a row you can see refers to; cut off, it goes on where it\n"
            "was. What was sent or fetched goes by itself when it takes too much room, unless it is pinned.\n\n"
            "Examples:\n"
            "  charle attach put photo.png --type image/png\n"
            "  charle attach get 0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8 --output photo.png\n"
            "  charle attach list --json",
    .run = run,
};
