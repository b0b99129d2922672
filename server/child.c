#include "server/child.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READ_TIMEOUT_MS = 10000 };

char *const ch_child_environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C", "LC_ALL=C", "TZ=UTC", NULL};

static _Noreturn void become(const char *const *argv, int output)
{
    int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (input >= 0 && dup2(input, 0) == 0 && dup2(output, 1) == 1 && dup2(output, 2) == 2)
        execve(argv[0], (char *const *)argv, ch_child_environment);
    _exit(127);
}

// Keeps the last out_size - 1 bytes.
static void append(char *out, size_t out_size, size_t *used, const char *data, size_t size)
{
    if (size >= out_size) {
        data += size - (out_size - 1);
        size = out_size - 1;
    }
    if (*used + size > out_size - 1) {
        size_t drop = *used + size - (out_size - 1);
        memmove(out, out + drop, *used - drop);
        *used -= drop;
    }
    memcpy(out + *used, data, size);
    *used += size;
    out[*used] = '\0';
}

// Reads until the other end is closed; false when the time is up.
static bool drain(int fd, int64_t deadline_us, char *out, size_t out_size)
{
    size_t used = 0;
    char block[1024];
    for (;;) {
        int64_t left_ms = (deadline_us - ch_clock_mono_us()) / 1000;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int ready = left_ms > 0 ? poll(&p, 1, (int)left_ms) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return false;
        ssize_t n = read(fd, block, sizeof(block));
        if (n <= 0)
            return true;
        append(out, out_size, &used, block, (size_t)n);
    }
}

int ch_child_run(const char *const *argv, int timeout_ms, char *out, size_t out_size)
{
    int ends[2];
    out[0] = '\0';
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0)
        become(argv, ends[1]);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return -1;
    }
    bool in_time = drain(ends[0], ch_clock_mono_us() + (int64_t)timeout_ms * 1000, out, out_size);
    close(ends[0]);
    if (!in_time)
        kill(pid, SIGKILL);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!in_time)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int ch_child_read(const char *const *argv, char *out, size_t out_size)
{
    return ch_child_run(argv, READ_TIMEOUT_MS, out, out_size);
}
