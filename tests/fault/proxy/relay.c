// The life of a proxy: its listener, its connections, its thread.
#include "fault/proxy/parts.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { POLL_MAX = 2048, CONNECT_MS = 2000 };

uint32_t proxy_random(struct proxy *proxy, uint32_t below)
{
    // splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014)
    uint64_t z = proxy->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) % below);
}

// --- addresses ----------------------------------------------------------------------------------------------------------------

static enum charle_err parse_endpoint(const char *text, struct endpoint *out, struct charle_error *err)
{
    *out = (struct endpoint){0};
    if (strncmp(text, "ipc://", 6) == 0) {
        struct sockaddr_un *to = (struct sockaddr_un *)&out->address;
        if (strlen(text + 6) >= sizeof(to->sun_path))
            return charle_fail(err, CHARLE_INVALID_ARGUMENT, "%s: the path is too long for a socket", text);
        to->sun_family = AF_UNIX;
        memcpy(to->sun_path, text + 6, strlen(text + 6) + 1);
        snprintf(out->path, sizeof(out->path), "%s", text + 6);
        out->is_unix = true;
        out->size = sizeof(*to);
        return CHARLE_OK;
    }
    struct sockaddr_in *to = (struct sockaddr_in *)&out->address;
    char host[64];
    int port;
    if (sscanf(text, "tcp://%63[0-9.]:%d", host, &port) != 2 || port < 0 || port > 65535 || inet_pton(AF_INET, host, &to->sin_addr) != 1)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "\"%s\" is neither tcp://NUMBERS:PORT nor ipc:///PATH", text);
    to->sin_family = AF_INET;
    to->sin_port = htons((uint16_t)port);
    out->size = sizeof(*to);
    return CHARLE_OK;
}

static int open_socket(const struct endpoint *endpoint)
{
    return socket(endpoint->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static enum charle_err listen_on(struct proxy *proxy, struct charle_error *err)
{
    struct sockaddr_in found;
    socklen_t size = sizeof(found);
    if (proxy->listen_at.is_unix)
        unlink(proxy->listen_at.path);
    proxy->listener = open_socket(&proxy->listen_at);
    int yes = 1;
    if (proxy->listener >= 0)
        setsockopt(proxy->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (proxy->listener < 0 || bind(proxy->listener, (struct sockaddr *)&proxy->listen_at.address, proxy->listen_at.size) != 0 ||
        listen(proxy->listener, 128) != 0)
        return charle_fail_foreign(err, CHARLE_IO, CHARLE_DOMAIN_POSIX, errno, "cannot listen on %s: %s", proxy->address, strerror(errno));
    if (proxy->listen_at.is_unix)
        return CHARLE_OK;
    if (getsockname(proxy->listener, (struct sockaddr *)&found, &size) != 0)
        return charle_fail(err, CHARLE_IO, "the port of %s is not known: %s", proxy->address, strerror(errno));
    char host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &found.sin_addr, host, sizeof(host));
    snprintf(proxy->address, sizeof(proxy->address), "tcp://%s:%d", host, ntohs(found.sin_port));
    return CHARLE_OK;
}

// --- pairs --------------------------------------------------------------------------------------------------------------------

static void close_socket(int fd, bool is_reset)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (fd < 0)
        return;
    if (is_reset)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    else
        shutdown(fd, SHUT_RDWR);
    close(fd);
}

void pair_kill(struct pair *pair, bool is_reset)
{
    if (pair->is_dead)
        return;
    pair->is_dead = true;
    close_socket(pair->client, is_reset);
    close_socket(pair->server, is_reset);
    pair->client = pair->server = -1;
}

static void connect_pair(struct proxy *proxy, struct pair *pair)
{
    int fd = open_socket(&proxy->target);
    if (fd < 0 || (connect(fd, (struct sockaddr *)&proxy->target.address, proxy->target.size) != 0 && errno != EINPROGRESS)) {
        if (fd >= 0)
            close(fd);
        pair_kill(pair, false);
        return;
    }
    int error = 0;
    socklen_t size = sizeof(error);
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    if (poll(&ready, 1, CONNECT_MS) != 1 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error) {
        close(fd);
        pair_kill(pair, false);
        return;
    }
    pair->server = fd;
    lane_init(&pair->lanes[PROXY_UP], pair->client, fd, &proxy->weather[PROXY_UP]);
    lane_init(&pair->lanes[PROXY_DOWN], fd, pair->client, &proxy->weather[PROXY_DOWN]);
    proxy->counts.last[PROXY_UP] = proxy->counts.last[PROXY_DOWN] = 0;
}

static void accept_pair(struct proxy *proxy)
{
    int fd = accept4(proxy->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (proxy->is_refusing) {
        close_socket(fd, true);
        return;
    }
    struct pair *pair = calloc(1, sizeof(*pair));
    if (!pair)
        abort();
    pair->client = fd;
    pair->server = -1;
    pair->next = proxy->pairs;
    proxy->pairs = pair;
    proxy->counts.connections++;
    if (!proxy->is_blackhole)
        connect_pair(proxy, pair);
}

static void bury(struct proxy *proxy)
{
    proxy->counts.open = 0;
    for (struct pair **link = &proxy->pairs; *link;) {
        struct pair *pair = *link;
        bool is_over = pair->server >= 0 && pair->lanes[PROXY_UP].is_shut && pair->lanes[PROXY_DOWN].is_shut;
        if (is_over)
            pair_kill(pair, false);
        if (!pair->is_dead) {
            proxy->counts.open++;
            link = &pair->next;
            continue;
        }
        *link = pair->next;
        lane_deinit(&pair->lanes[PROXY_UP]);
        lane_deinit(&pair->lanes[PROXY_DOWN]);
        free(pair);
    }
}

// --- the thread ---------------------------------------------------------------------------------------------------------------

static void watch(struct pollfd *polls, int *count, int fd, bool in, bool out)
{
    if (fd < 0 || (!in && !out) || *count == POLL_MAX)
        return;
    polls[(*count)++] = (struct pollfd){.fd = fd, .events = (short)((in ? POLLIN : 0) | (out ? POLLOUT : 0))};
}

static int fill_polls(struct proxy *proxy, struct pollfd *polls, int64_t now_us)
{
    int count = 0;
    watch(polls, &count, proxy->wake, true, false);
    watch(polls, &count, proxy->listener, true, false);
    for (struct pair *pair = proxy->pairs; pair; pair = pair->next) {
        struct lane *up = &pair->lanes[PROXY_UP], *down = &pair->lanes[PROXY_DOWN];
        if (pair->server < 0)
            continue; // in a black hole: not even its end is noticed
        watch(polls, &count, pair->client, lane_wants_input(proxy, up), lane_wants_output(proxy, down, PROXY_DOWN, now_us));
        watch(polls, &count, pair->server, lane_wants_input(proxy, down), lane_wants_output(proxy, up, PROXY_UP, now_us));
    }
    return count;
}

static void take_turn(struct proxy *proxy)
{
    int64_t now_us = ch_clock_mono_us();
    proxy->next_us = now_us + 1000000;
    accept_pair(proxy);
    for (struct pair *pair = proxy->pairs; pair; pair = pair->next) {
        if (pair->server < 0 && !pair->is_dead && !proxy->is_blackhole)
            connect_pair(proxy, pair);
        for (int i = 0; i < PROXY_DIRECTIONS && !pair->is_dead && pair->server >= 0; i++) {
            if (lane_wants_input(proxy, &pair->lanes[i]))
                lane_read(proxy, pair, (enum proxy_direction)i, now_us);
            lane_write(proxy, pair, (enum proxy_direction)i, now_us);
        }
    }
    bury(proxy);
}

static void *run(void *ctx)
{
    struct proxy *proxy = ctx;
    static _Thread_local struct pollfd polls[POLL_MAX];
    pthread_setname_np(pthread_self(), "fault-proxy");
    pthread_mutex_lock(&proxy->mutex);
    while (!proxy->is_quitting) {
        take_turn(proxy);
        int64_t now_us = ch_clock_mono_us(), wait_us = proxy->next_us - now_us;
        int count = fill_polls(proxy, polls, now_us);
        pthread_mutex_unlock(&proxy->mutex);
        poll(polls, (nfds_t)count, wait_us > 0 ? (int)((wait_us + 999) / 1000) : 0);
        uint64_t wakes;
        (void)!read(proxy->wake, &wakes, sizeof(wakes));
        pthread_mutex_lock(&proxy->mutex);
    }
    pthread_mutex_unlock(&proxy->mutex);
    return NULL;
}

// --- the public functions -------------------------------------------------------------------------------------------------------

enum charle_err proxy_open(const struct proxy_options *options, struct proxy **out, struct charle_error *err)
{
    struct proxy *proxy = calloc(1, sizeof(*proxy));
    if (!proxy)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a proxy");
    proxy->listener = -1;
    proxy->random = options->seed;
    proxy->types = UINT32_MAX;
    proxy->weather[PROXY_UP].next_cut = proxy->weather[PROXY_DOWN].next_cut = -1;
    proxy->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_init(&proxy->mutex, NULL);
    snprintf(proxy->address, sizeof(proxy->address), "%s", options->listen);
    enum charle_err rc = parse_endpoint(options->listen, &proxy->listen_at, err);
    if (!rc)
        rc = parse_endpoint(options->target, &proxy->target, err);
    if (!rc)
        rc = listen_on(proxy, err);
    if (!rc && pthread_create(&proxy->thread, NULL, run, proxy) != 0)
        rc = charle_fail(err, CHARLE_NO_MEMORY, "no thread for a proxy");
    if (rc) {
        if (proxy->listener >= 0)
            close(proxy->listener);
        close(proxy->wake);
        free(proxy);
        return rc;
    }
    *out = proxy;
    return CHARLE_OK;
}

static void wake(struct proxy *proxy)
{
    (void)!write(proxy->wake, &(uint64_t){1}, sizeof(uint64_t));
}

void proxy_close(struct proxy *proxy)
{
    if (!proxy)
        return;
    pthread_mutex_lock(&proxy->mutex);
    proxy->is_quitting = true;
    pthread_mutex_unlock(&proxy->mutex);
    wake(proxy);
    pthread_join(proxy->thread, NULL);
    for (struct pair *pair = proxy->pairs; pair; pair = pair->next)
        pair_kill(pair, false);
    bury(proxy);
    close(proxy->listener);
    close(proxy->wake);
    if (proxy->listen_at.is_unix)
        unlink(proxy->listen_at.path);
    pthread_mutex_destroy(&proxy->mutex);
    free(proxy);
}

const char *proxy_address(const struct proxy *proxy)
{
    return proxy->address;
}

void proxy_counts(struct proxy *proxy, struct proxy_counts *out)
{
    pthread_mutex_lock(&proxy->mutex);
    *out = proxy->counts;
    pthread_mutex_unlock(&proxy->mutex);
}

enum charle_err proxy_command(struct proxy *proxy, const char *line, struct charle_error *err)
{
    pthread_mutex_lock(&proxy->mutex);
    enum charle_err rc = command_run(proxy, line, ch_clock_mono_us(), err);
    pthread_mutex_unlock(&proxy->mutex);
    wake(proxy);
    return rc;
}

void proxy_do(struct proxy *proxy, const char *format, ...)
{
    char line[256];
    struct charle_error err = {0};
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (proxy_command(proxy, line, &err)) {
        fprintf(stderr, "proxy: %s\n", err.text);
        abort();
    }
}
