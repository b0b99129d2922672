// fault_proxy: the proxy as a program.
//
//   fault_proxy --listen ADDRESS --target ADDRESS [--seed N] [--script FILE] [--control PATH]
//
// Prints the address it listens at. A script has one command a line (proxy.h), and `wait MS` between them; after the last one the proxy goes on
// as it was told. The control socket (a unix socket) takes commands, one a line, and answers each with "ok", with "error: …", or, for `counts`,
// with figures. SIGTERM and SIGINT end it.
#include "fault/proxy/proxy.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LINE_SIZE = 256 };

static volatile sig_atomic_t is_over;

static void on_signal(int number)
{
    (void)number;
    is_over = 1;
}

static void pause_ms(long ms)
{
    while (ms > 0 && !is_over) {
        poll(NULL, 0, ms < 100 ? (int)ms : 100);
        ms -= 100;
    }
}

static int run_script(struct proxy *proxy, const char *path)
{
    char line[LINE_SIZE];
    struct charle_error err;
    FILE *script = fopen(path, "r");
    if (!script) {
        perror(path);
        return 2;
    }
    int code = 0;
    for (int number = 1; !code && !is_over && fgets(line, sizeof(line), script); number++) {
        if (strncmp(line, "wait ", 5) == 0) {
            pause_ms(strtol(line + 5, NULL, 10));
        } else if (proxy_command(proxy, line, &err)) {
            fprintf(stderr, "%s:%d: %s\n", path, number, err.text);
            code = 2;
        }
    }
    fclose(script);
    return code;
}

static void answer(struct proxy *proxy, const char *line, FILE *to)
{
    struct charle_error err;
    struct proxy_counts counts;
    if (strncmp(line, "counts", 6) == 0) {
        proxy_counts(proxy, &counts);
        fprintf(to, "connections %" PRIu64 " open %" PRIu64 " up %" PRIu64 " down %" PRIu64 " cuts %" PRIu64 " drops %" PRIu64 " duplicates %" PRIu64
                    " reorders %" PRIu64 " losses %" PRIu64 "\n",
                counts.connections, counts.open, counts.bytes[PROXY_UP], counts.bytes[PROXY_DOWN], counts.cuts, counts.drops, counts.duplicates,
                counts.reorders, counts.losses);
    } else if (proxy_command(proxy, line, &err)) {
        fprintf(to, "error: %s\n", err.text);
    } else {
        fputs("ok\n", to);
    }
    fflush(to);
}

static void converse(struct proxy *proxy, int fd)
{
    char line[LINE_SIZE];
    FILE *from = fdopen(fd, "r"), *to = fdopen(dup(fd), "w");
    while (from && to && fgets(line, sizeof(line), from))
        answer(proxy, line, to);
    if (from)
        fclose(from);
    if (to)
        fclose(to);
}

static int serve_control(struct proxy *proxy, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        fprintf(stderr, "%s: the path is too long for a socket\n", path);
        return 2;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    unlink(path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener, 8) != 0) {
        perror(path);
        return 2;
    }
    while (!is_over) {
        struct pollfd ready = {.fd = listener, .events = POLLIN};
        int fd = poll(&ready, 1, 200) == 1 ? accept(listener, NULL, NULL) : -1;
        if (fd >= 0)
            converse(proxy, fd);
    }
    close(listener);
    unlink(path);
    return 0;
}

static int usage(void)
{
    fputs("usage: fault_proxy --listen ADDRESS --target ADDRESS [--seed N] [--script FILE] [--control PATH]\n"
          "addresses: tcp://127.0.0.1:PORT (0: any), ipc:///PATH\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    struct proxy_options options = {.listen = "tcp://127.0.0.1:0", .seed = 1};
    const char *script = NULL, *control = NULL;
    struct proxy *proxy;
    struct charle_error err;
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc)
            return usage();
        if (strcmp(argv[i], "--listen") == 0)
            options.listen = argv[i + 1];
        else if (strcmp(argv[i], "--target") == 0)
            options.target = argv[i + 1];
        else if (strcmp(argv[i], "--seed") == 0)
            options.seed = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--script") == 0)
            script = argv[i + 1];
        else if (strcmp(argv[i], "--control") == 0)
            control = argv[i + 1];
        else
            return usage();
    }
    if (!options.target)
        return usage();
    const struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (proxy_open(&options, &proxy, &err)) {
        fprintf(stderr, "fault_proxy: %s\n", err.text);
        return 1;
    }
    printf("%s\n", proxy_address(proxy));
    fflush(stdout);
    int code = script ? run_script(proxy, script) : 0;
    if (!code && control)
        code = serve_control(proxy, control);
    while (!code && !is_over)
        pause_ms(1000);
    proxy_close(proxy);
    return code;
}
