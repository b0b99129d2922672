// Where things are on disk: the home folder, a profile's files, remembered settings.
#include "cli.h"

#include "base/buf.h"
#include "msg/json.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *find_home(struct cli *cli)
{
    if (cli->home)
        return cli->home;
    const char *home = getenv("CHARLE_HOME");
    if (home && *home)
        return cli->home = home;
    struct stat info;
    const char *here = charle_arena_printf(&cli->arena, ".%s", cli->app->name).ptr, *user = getenv("HOME");
    if (!here)
        return cli->home = "/dev/null/out-of-memory";
    if ((stat(here, &info) == 0 && S_ISDIR(info.st_mode)) || !user || !*user)
        return cli->home = here;
    return cli->home = charle_arena_printf(&cli->arena, "%s/%s", user, here).ptr;
}

// Makes every folder of the path but the last part, readable by nobody else.
static void make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700); // a failure shows itself when the file is opened, with a better sentence
        *slash = '/';
    }
}

const char *cli_path(struct cli *cli, const char *format, ...)
{
    char tail[512];
    va_list args;
    va_start(args, format);
    vsnprintf(tail, sizeof(tail), format, args);
    va_end(args);
    struct charle_str path = charle_arena_printf(&cli->arena, "%s/%s", find_home(cli), tail);
    if (!path.ptr)
        return "/dev/null/out-of-memory";
    make_folders((char *)(uintptr_t)path.ptr);
    return path.ptr;
}

const char *cli_replica_path(struct cli *cli)
{
    return cli_path(cli, "%s/replica.db", cli->profile);
}

static const char *read_setting(struct cli *cli, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    char text[1024];
    ssize_t size = read(fd, text, sizeof(text));
    close(fd);
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == ' '))
        size--;
    return size > 0 ? charle_arena_str(&cli->arena, charle_str_n(text, (size_t)size)).ptr : NULL;
}

const char *cli_setting(struct cli *cli, const char *name)
{
    return read_setting(cli, cli_path(cli, "%s/%s", cli->profile, name));
}

// Whole or not at all: a program that is killed meanwhile leaves the old value.
static enum charle_err write_setting(const char *path, const char *fresh, const char *value, struct charle_error *err)
{
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t size = strlen(value);
    bool ok = fd >= 0 && write(fd, value, size) == (ssize_t)size && fsync(fd) == 0;
    int saved = errno;
    if (fd >= 0)
        close(fd);
    if (ok && rename(fresh, path) == 0)
        return CHARLE_OK;
    return charle_fail_foreign(err, CHARLE_IO, CHARLE_DOMAIN_POSIX, saved, "cannot write %s: %s", path, strerror(ok ? errno : saved));
}

enum charle_err cli_set_setting(struct cli *cli, const char *name, const char *value, struct charle_error *err)
{
    return write_setting(cli_path(cli, "%s/%s", cli->profile, name), cli_path(cli, "%s/%s.new", cli->profile, name), value, err);
}

#define HOME_ADDRESS "server-address"

enum charle_err cli_set_home_address(struct cli *cli, const char *address, struct charle_error *err)
{
    return write_setting(cli_path(cli, HOME_ADDRESS), cli_path(cli, HOME_ADDRESS ".new"), address, err);
}

const char *cli_home_address(struct cli *cli)
{
    const char *remembered = cli->server ? cli->server : read_setting(cli, cli_path(cli, HOME_ADDRESS));
    return remembered ? remembered : "tcp://127.0.0.1:4317";
}

const char *cli_server_address(struct cli *cli)
{
    if (cli->server)
        return cli->server;
    const char *remembered = cli_setting(cli, "server");
    return remembered ? remembered : cli_home_address(cli);
}

const char *cli_next(struct cli *cli, const char *words)
{
    bool is_usual = strcmp(cli->profile, CLI_PROFILE) == 0;
    const char *text = charle_arena_printf(&cli->arena, "%s %s%s%s", CLI_NAME, words, is_usual ? "" : " --profile ", is_usual ? "" : cli->profile).ptr;
    return text ? text : words;
}

const char *cli_sibling(struct cli *cli, const char *name)
{
    char self[1024];
    ssize_t size = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (size <= 0)
        return name;
    self[size] = '\0';
    char *slash = strrchr(self, '/');
    if (!slash)
        return name;
    *slash = '\0';
    return charle_arena_printf(&cli->arena, "%s/%s", self, name).ptr;
}

static void print_error_json(const struct charle_error *err, const char *sentence)
{
    struct charle_buf text = {0};
    charle_json_write_str(&text, charle_str(sentence));
    const char *json = charle_buf_text(&text);
    printf("{\"error\":{\"code\":\"%s\",\"message\":%s}}\n", charle_err_name(err->code), json ? json : "null");
    charle_buf_deinit(&text);
}

int cli_fail(const struct cli *cli, const struct charle_error *err)
{
    const char *sentence = err->text[0] ? err->text : charle_err_text(err->code);
    fprintf(stderr, "%s: %s\n", CLI_NAME, sentence);
    if (cli->json)
        print_error_json(err, sentence);
    if (err->code == CHARLE_IO) // of a file; the server's troubles have other codes
        return CLI_FAILED;
    switch (charle_err_status(err->code)) {
    case CHARLE_UNAVAILABLE:
    case CHARLE_DEADLINE_EXCEEDED:
        return CLI_UNREACHABLE;
    case CHARLE_UNAUTHENTICATED:
    case CHARLE_PERMISSION_DENIED:
        return CLI_DENIED;
    default:
        return CLI_FAILED;
    }
}
