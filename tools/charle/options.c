#include "cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void cli_print_text(const struct cli *cli, const char *text)
{
    static const char word[] = "charle";
    enum { LEN = sizeof(word) - 1 };
    for (const char *next; (next = strstr(text, word)); text = next) {
        printf("%.*s", (int)(next - text), text);
        next += LEN;
        bool is_server = *next == 'd' && (next[1] == ' ' || next[1] == '\'');
        bool is_program = *next == ' ' || *next == '`';
        fputs(is_server ? cli->app->server : is_program ? CLI_NAME : word, stdout);
        next += is_server;
    }
    printf("%s\n", text);
}

static void print_help(const struct cli *cli, const struct cli_command *command, const struct cli_option *options, size_t count)
{
    printf("%s %s%s%s\n\n", CLI_NAME, command->name, command->arguments[0] ? " " : "", command->arguments);
    cli_print_text(cli, command->help);
    printf("\nOptions:\n");
    for (size_t i = 0; i < count; i++) {
        char left[64];
        snprintf(left, sizeof(left), "%s%s%s", options[i].name, options[i].argument ? " " : "",
                 options[i].argument ? options[i].argument : "");
        printf("  %-22s %s\n", left, options[i].help);
    }
    printf("  %-22s %s\n", "--json", "print JSON for programs");
    printf("  %-22s %s\n", "--profile NAME", "which laptop (default: laptop)");
    printf("  %-22s %s\n", "--home DIR", "folder of the state (`--help` alone says which)");
    printf("  %-22s %s\n", "--server URL", "address of the server");
    printf("  %-22s %s\n", "--quiet", "no progress on the terminal");
}

int cli_usage(const struct cli_command *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s %s: ", CLI_NAME, command->name);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nUsage: %s %s%s%s   (%s %s --help says more)\n", CLI_NAME, command->name,
            command->arguments[0] ? " " : "", command->arguments, CLI_NAME, command->name);
    return CLI_USAGE;
}

static size_t distance(const char *a, const char *b)
{
    size_t row[64];
    size_t n = strlen(b);
    if (n >= 63)
        return 99;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t cost = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            size_t edit = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = cost < edit ? cost : edit;
        }
    }
    return row[n];
}

const char *cli_nearest(const char *word, const char *const *names)
{
    const char *best = NULL;
    size_t least = 3; // more than two typing errors is another word
    for (; *names; names++) {
        size_t d = distance(word, *names);
        if (d < least) {
            least = d;
            best = *names;
        }
    }
    return best;
}

// Options every subcommand knows. Returns 1 when it was one, 0 when not, -1 when its argument is missing.
static int take_global(struct cli *cli, const char *name, const char *next, int *used)
{
    const struct {
        const char *name;
        const char **value;
        bool *flag;
    } globals[] = {{"--home", &cli->home, NULL},     {"--profile", &cli->profile, NULL}, {"--server", &cli->server, NULL},
                   {"--json", NULL, &cli->json},     {"--quiet", NULL, &cli->quiet}};
    for (size_t i = 0; i < sizeof(globals) / sizeof(globals[0]); i++) {
        if (strcmp(name, globals[i].name) != 0)
            continue;
        if (globals[i].flag) {
            *globals[i].flag = true;
            return 1;
        }
        if (!next)
            return -1;
        *globals[i].value = next;
        *used = 1;
        return 1;
    }
    return 0;
}

static int take_option(const struct cli_option *options, size_t count, const char *name, const char *next, int *used)
{
    for (size_t i = 0; i < count; i++) {
        const struct cli_option *option = &options[i];
        if (strcmp(name, option->name) != 0)
            continue;
        if (option->flag) {
            *option->flag = true;
            return 1;
        }
        if (!next)
            return -1;
        *used = 1;
        if (option->list) {
            if (*option->list_count == CLI_LIST_MAX)
                return -2;
            option->list[(*option->list_count)++] = next;
        } else {
            *option->value = next;
        }
        return 1;
    }
    return 0;
}

static int refuse(const struct cli_command *command, const struct cli_option *options, size_t count, const char *name)
{
    const char *names[CLI_LIST_MAX + 8] = {"--home", "--profile", "--server", "--json", "--quiet", "--help"};
    for (size_t i = 0; i < count && i < CLI_LIST_MAX; i++)
        names[6 + i] = options[i].name;
    const char *near = cli_nearest(name, names);
    return near ? cli_usage(command, "unknown option %s; did you mean %s?", name, near) : cli_usage(command, "unknown option %s", name);
}

// A profile is a folder in the home folder, beside the server's.
static bool is_profile_name(const char *name)
{
    size_t size = strlen(name);
    return size > 0 && size <= 64 && name[0] != '.' && !strchr(name, '/') && strcmp(name, "server") != 0;
}

bool cli_parse(struct cli *cli, const struct cli_command *command, const struct cli_option *options, size_t option_count, int argc,
               char **argv, int *out_count, int *out_exit)
{
    int kept = 0;
    bool literal = false;
    for (int i = 0; i < argc; i++) {
        char *word = argv[i];
        if (literal || word[0] != '-' || word[1] == '\0') {
            argv[kept++] = word;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            literal = true;
            continue;
        }
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            print_help(cli, command, options, option_count);
            *out_exit = CLI_OK;
            return false;
        }
        int used = 0;
        const char *next = i + 1 < argc ? argv[i + 1] : NULL;
        char *equals = strchr(word, '=');
        if (equals) {
            *equals = '\0';
            next = equals + 1;
        }
        int taken = take_option(options, option_count, word, next, &used);
        if (taken == 0)
            taken = take_global(cli, word, next, &used);
        if (taken <= 0) {
            *out_exit = taken == 0    ? refuse(command, options, option_count, word)
                        : taken == -1 ? cli_usage(command, "%s needs a value", word)
                                      : cli_usage(command, "%s was given more than %d times", word, CLI_LIST_MAX);
            return false;
        }
        i += equals ? 0 : used;
    }
    if (!is_profile_name(cli->profile)) {
        *out_exit = cli_usage(command, "\"%s\" cannot be a profile: a name of 1 to 64 bytes without \"/\", not \"server\" and not with "
                                       "a dot in front", cli->profile);
        return false;
    }
    *out_count = kept;
    return true;
}

bool cli_read_number(const char *name, const char *text, long min, long max, long *out)
{
    char *end = NULL;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < min || value > max) {
        fprintf(stderr, "%s: %s takes a whole number from %ld to %ld, not \"%s\"\n", CLI_NAME, name, min, max, text);
        return false;
    }
    *out = value;
    return true;
}
