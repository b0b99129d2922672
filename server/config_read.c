// Settings from the command line, the environment and charled.conf.
#include "server/config_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CONFIG_FILE_SIZE_MAX = 64 << 10, // a settings file is a page; more is the wrong file
};

enum source { SOURCE_NONE, SOURCE_FILE, SOURCE_ENVIRONMENT, SOURCE_FLAG }; // the stronger the higher

// Applies a setting unless a stronger place has set it.
static enum charle_err put(struct ch_config_reader *reader, const struct ch_config_option *option, const char *value, enum source source,
                           struct charle_error *err)
{
    uint8_t *have = &reader->source[option - ch_config_options];
    if (*have > source)
        return CHARLE_OK;
    *have = (uint8_t)source;
    return ch_config_option_take(option, reader->config, value, err);
}

// --- flags ---------------------------------------------------------------------------------------------------------

static enum charle_err unknown_flag(const char *text, const char *name, struct charle_error *err)
{
    const struct ch_config_option *hidden = ch_config_option_find(name);
    if (hidden && !(hidden->where & CH_CONFIG_FLAG))
        return charle_fail(err, CHARLE_INVALID_ARGUMENT,
                           "--%s is not a flag, because everyone on the machine can read a command line: set %s in the "
                           "environment, or %s in charled.conf",
                           hidden->name, hidden->environment, hidden->name);
    const struct ch_config_option *near = ch_config_option_nearest(name, CH_CONFIG_FLAG);
    if (near)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "unknown flag %.60s: did you mean --%s? See --help", text,
                           near->name);
    return charle_fail(err, CHARLE_INVALID_ARGUMENT, "unknown flag %.60s: see --help for all of them", text);
}

// Handles one argument (and its value, when that stands by itself). *index is moved behind what was used.
static enum charle_err read_flag(struct ch_config_reader *reader, int argc, char *const *argv, int *index,
                                 struct charle_error *err)
{
    const char *text = argv[(*index)++];
    if (strncmp(text, "--", 2) != 0 && strcmp(text, "-h") != 0)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT,
                           "unexpected argument \"%.60s\": flags begin with --, see --help", text);
    char name[CH_CONFIG_OPTION_LEN_MAX];
    const char *equals = strchr(text, '=');
    const char *start = strcmp(text, "-h") == 0 ? "help" : text + 2;
    size_t len = equals ? (size_t)(equals - start) : strlen(start);
    if (len == 0 || len >= sizeof(name))
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "unknown flag %.60s: see --help for all of them", text);
    memcpy(name, start, len);
    name[len] = '\0';
    const struct ch_config_option *option = ch_config_option_find(name);
    if (!option || !(option->where & CH_CONFIG_FLAG))
        return unknown_flag(text, name, err);
    const char *value = equals ? equals + 1 : NULL;
    if (!option->value)
        return put(reader, option, value ? value : "true", SOURCE_FLAG, err);
    if (!value && *index < argc)
        value = argv[(*index)++];
    if (!value || !*value)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "--%s needs a value: --%s %s", name, name, option->value);
    return put(reader, option, value, SOURCE_FLAG, err);
}

enum charle_err ch_config_read_flags(struct ch_config_reader *reader, int argc, char *const *argv, struct charle_error *err)
{
    for (int i = 1; i < argc;) {
        enum charle_err rc = read_flag(reader, argc, argv, &i, err);
        if (rc)
            return rc;
    }
    return CHARLE_OK;
}

// --- environment ---------------------------------------------------------------------------------------------------

const char *ch_config_environment(char *const *environment, const char *name)
{
    size_t len = strlen(name);
    for (char *const *entry = environment; entry && *entry; entry++)
        if (strncmp(*entry, name, len) == 0 && (*entry)[len] == '=')
            return (*entry)[len + 1] ? *entry + len + 1 : NULL; // set but empty is as not set
    return NULL;
}

enum charle_err ch_config_read_environment(struct ch_config_reader *reader, char *const *environment, struct charle_error *err)
{
    for (size_t i = 0; i < ch_config_option_count; i++) {
        const struct ch_config_option *option = &ch_config_options[i];
        const char *value = option->environment ? ch_config_environment(environment, option->environment) : NULL;
        if (!value)
            continue;
        char *rest = ch_config_copy_text(reader->config, value, err);
        enum charle_err rc = rest ? CHARLE_OK : CHARLE_NO_MEMORY;
                bool is_list = option->where & CH_CONFIG_LIST;
        while (rc == CHARLE_OK && rest) {
            char *item = is_list ? strsep(&rest, ",") : rest;
            rest = is_list ? rest : NULL;
            rc = *item ? put(reader, option, item, SOURCE_ENVIRONMENT, err) : CHARLE_OK;
        }
        if (rc)
            return charle_error_prefix(err, rc, "environment variable %s", option->environment);
    }
    return CHARLE_OK;
}

// --- the file ------------------------------------------------------------------------------------------------------

static char *trim(char *text)
{
    text += strspn(text, " \t\r");
    size_t len = strlen(text);
    while (len && strchr(" \t\r", text[len - 1]))
        text[--len] = '\0';
    return text;
}

static enum charle_err read_line(struct ch_config_reader *reader, char *line, bool is_private, struct charle_error *err)
{
    line = trim(line);
    if (!*line || *line == '#')
        return CHARLE_OK;
    char *equals = strchr(line, '=');
    if (!equals)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "expected `name = value`");
    *equals = '\0';
    const char *name = trim(line);
    const char *value = trim(equals + 1);
    const struct ch_config_option *option = ch_config_option_find(name);
    if (!option || !(option->where & CH_CONFIG_FILE)) {
        const struct ch_config_option *near = ch_config_option_nearest(name, CH_CONFIG_FILE);
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "unknown setting \"%.40s\"%s%s%s", name,
                           near ? ": did you mean " : "", near ? near->name : "", near ? "?" : "");
    }
    if (!*value)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "%s has no value", name);
    if ((option->where & CH_CONFIG_SECRET) && !is_private)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT,
                           "%s may hold a password and others can read this file: chmod 600 it", option->name);
    return put(reader, option, value, SOURCE_FILE, err);
}

static enum charle_err load_text(struct ch_config *config, int fd, char **out, struct charle_error *err)
{
    char *text = charle_arena_alloc(&config->arena, CONFIG_FILE_SIZE_MAX + 1);
    if (!text)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while reading the settings");
    size_t used = 0;
    for (;;) {
        ssize_t n = read(fd, text + used, CONFIG_FILE_SIZE_MAX + 1 - used);
        if (n < 0)
            return charle_fail_foreign(err, CHARLE_IO, CHARLE_DOMAIN_POSIX, errno, "cannot be read: %s",
                                       strerror(errno));
        if (n == 0)
            break;
        used += (size_t)n;
        if (used > CONFIG_FILE_SIZE_MAX)
            return charle_fail(err, CHARLE_TOO_LARGE, "larger than %d KiB: is this the right file?",
                               CONFIG_FILE_SIZE_MAX >> 10);
    }
    text[used] = '\0';
    if (strlen(text) < used) // what is behind it would be taken for the file's end, without a word
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "has a zero byte at %zu: it must be plain text in UTF-8, not UTF-16", strlen(text));
    *out = text;
    return CHARLE_OK;
}

static enum charle_err read_file(struct ch_config_reader *reader, const char *path, bool is_required, struct charle_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR) && !is_required)
        return CHARLE_OK;
    if (fd < 0)
        return charle_fail_foreign(err, CHARLE_INVALID_ARGUMENT, CHARLE_DOMAIN_POSIX, errno,
                                   "the settings file %.150s cannot be opened: %s", path, strerror(errno));
    char *text = NULL;
    struct stat st = {0};
    bool is_private = fstat(fd, &st) == 0 && (st.st_mode & 077) == 0;
    enum charle_err rc = load_text(reader->config, fd, &text, err);
    int number = 0;
    while (rc == CHARLE_OK && text) {
        number++;
        rc = read_line(reader, strsep(&text, "\n"), is_private, err);
    }
    close(fd);
    return rc ? charle_error_prefix(err, rc, "%.120s line %d", path, number) : CHARLE_OK;
}

enum charle_err ch_config_read_file(struct ch_config_reader *reader, int argc, char *const *argv, char *const *environment,
                                        struct charle_error *err)
{
    const char *path = ch_config_environment(environment, "CHARLE_CONFIG");
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--config=", 9) == 0)
            path = argv[i] + 9;
        else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
            path = argv[i + 1];
    }
    if (path)
        return read_file(reader, path, true, err);
    char standard[CH_CONFIG_PATH_SIZE_MAX];
    int len = snprintf(standard, sizeof(standard), "%s/charled.conf", reader->config->data_dir);
    return len > 0 && (size_t)len < sizeof(standard) ? read_file(reader, standard, false, err) : CHARLE_OK;
}
