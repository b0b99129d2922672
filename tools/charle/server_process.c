#include "server_process.h"

#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// A first start makes a database cluster, which takes seconds on a slow disk.
enum { START_WAIT_MS = 120000, STOP_WAIT_MS = 30000, STEP_MS = 50 };

static void pause_ms(long ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

static bool connects(int family, const struct sockaddr *address, socklen_t size)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && connect(fd, address, size) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

bool server_is_listening(const char *address)
{
    const char *rest = strstr(address, "://");
    if (!rest)
        return false;
    rest += 3;
    if (strncmp(address, "ipc", 3) == 0) {
        struct stat info; // connecting and closing at once can end an ipc listener, so the socket's being there must do
        return stat(rest, &info) == 0 && S_ISSOCK(info.st_mode);
    }
    char host[256];
    const char *colon = strrchr(rest, ':');
    if (!colon || (size_t)(colon - rest) >= sizeof(host))
        return false;
    memcpy(host, rest, (size_t)(colon - rest));
    host[colon - rest] = '\0';
    struct addrinfo *list = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    if (getaddrinfo(host, colon + 1, &hints, &list) != 0)
        return false;
    bool ok = false;
    for (const struct addrinfo *entry = list; entry && !ok; entry = entry->ai_next)
        ok = connects(entry->ai_family, entry->ai_addr, entry->ai_addrlen);
    freeaddrinfo(list);
    return ok;
}

static void run_charled(const char *program, const char *data_dir, const char *address, const char *log)
{
    int in = open("/dev/null", O_RDONLY);
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    setsid();
    if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(127);
    execl(program, program, "--data-dir", data_dir, "--listen", address, (char *)NULL);
    _exit(127);
}

// The last line that tells of an error, or the last line; without its time.
static const char *reason_in(const char *text)
{
    static const char mark[] = " error ";
    const char *last = strrchr(text, '\n'), *reason = NULL;
    for (const char *at = text; (at = strstr(at, mark)) != NULL; at += sizeof(mark) - 1)
        reason = at + sizeof(mark) - 1;
    return reason ? reason : last ? last + 1 : text;
}

static enum charle_err ended(const char *log, struct charle_error *err)
{
    char text[4096];
    int fd = open(log, O_RDONLY | O_CLOEXEC);
    ssize_t size = 0;
    if (fd >= 0) {
        off_t end = lseek(fd, 0, SEEK_END);
        lseek(fd, end > (off_t)sizeof(text) ? end - (off_t)sizeof(text) + 1 : 0, SEEK_SET);
        size = read(fd, text, sizeof(text) - 1);
        close(fd);
    }
    text[size > 0 ? size : 0] = '\0';
    while (size > 0 && text[size - 1] == '\n')
        text[--size] = '\0';
    const char *line = reason_in(text);
    return charle_fail(err, CHARLE_UNAVAILABLE, "the server ended at once: %.*s (its log is %s)", (int)strcspn(line, "\n"), line, log);
}

enum charle_err server_start(struct cli *cli, const char *address, struct charle_error *err)
{
    const char *program = cli_sibling(cli, cli->app->server);
    const char *data_dir = cli_path(cli, "server");
    const char *log = cli_path(cli, "server.log");
    pid_t pid = fork();
    if (pid < 0)
        return charle_fail_foreign(err, CHARLE_IO, CHARLE_DOMAIN_POSIX, errno, "cannot start %s: %s", program, strerror(errno));
    if (pid == 0)
        run_charled(program, data_dir, address, log);
    for (int waited = 0; waited < START_WAIT_MS; waited += STEP_MS) {
        int status;
        if (waitpid(pid, &status, WNOHANG) == pid)
            return ended(log, err);
        if (server_is_listening(address))
            return CHARLE_OK;
        pause_ms(STEP_MS);
    }
    kill(pid, SIGTERM);
    return charle_fail(err, CHARLE_DEADLINE_EXCEEDED, "the server did not listen at %s within %d s; its log is %s", address,
                       START_WAIT_MS / 1000, log);
}

// The holder of the lock wrote its process id at the start of the file. Of one that was killed the lock is gone and the number is
// left, which may be another process's by now.
static pid_t lock_holder(struct cli *cli)
{
    char text[64] = {0};
    int fd = open(cli_path(cli, "server/charled.lock"), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    bool is_held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    ssize_t size = is_held ? read(fd, text, sizeof(text) - 1) : 0;
    close(fd);
    const char *digit = text + strcspn(text, "0123456789");
    long pid = size > 0 && *digit ? strtol(digit, NULL, 10) : 0;
    return pid > 1 && kill((pid_t)pid, 0) == 0 ? (pid_t)pid : 0;
}

bool server_is_ours(struct cli *cli)
{
    return lock_holder(cli) != 0;
}

enum charle_err server_stop(struct cli *cli, struct charle_error *err)
{
    pid_t pid = lock_holder(cli);
    if (!pid)
        return CHARLE_OK;
    if (kill(pid, SIGTERM) != 0)
        return charle_fail_foreign(err, CHARLE_PERMISSION_DENIED, CHARLE_DOMAIN_POSIX, errno, "cannot stop the server (process %ld): %s",
                                   (long)pid, strerror(errno));
    for (int waited = 0; waited < STOP_WAIT_MS; waited += STEP_MS) {
        if (kill(pid, 0) != 0 && errno == ESRCH)
            return CHARLE_OK;
        pause_ms(STEP_MS);
    }
    return charle_fail(err, CHARLE_DEADLINE_EXCEEDED, "the server (process %ld) did not stop within %d s", (long)pid, STOP_WAIT_MS / 1000);
}

const char *server_database_url(struct cli *cli)
{
    const char *url = getenv("DATABASE_URL");
    if (url && *url)
        return url;
    int fd = open(cli_path(cli, "server/database-url"), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    char text[1024];
    ssize_t size = read(fd, text, sizeof(text));
    close(fd);
    while (size > 0 && text[size - 1] == '\n')
        size--;
    return size > 0 ? charle_arena_str(&cli->arena, charle_str_n(text, (size_t)size)).ptr : NULL;
}
