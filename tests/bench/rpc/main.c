// rpc_unary_1x64: unary echo calls of 93 bytes, one connection with 64 in flight, against gRPC C++ with its
// asynchronous API. Server and client are processes of their own on both sides; the rounds alternate.
#include "bench/common/bench.h"
#include "bench/rpc/echo.h"

#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct side {
    const char *program; // beside this one
    char path[600];
    pid_t pid;
    int hold; // closing it ends the server
    char port[16];
    struct bench_samples rates, medians, p99s;
};

static void side_start(struct side *side, const char *folder)
{
    int in[2], out[2];
    snprintf(side->path, sizeof(side->path), "%s/%s", folder, side->program);
    if (access(side->path, X_OK) != 0)
        bench_die("%s was not built%s", side->path, strstr(side->program, "grpc") ? ": libgrpc++-dev is missing" : "");
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        bench_die("no pipe");
    side->pid = fork();
    if (side->pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        execl(side->path, side->path, "serve", (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    side->hold = in[1];
    ssize_t size = read(out[0], side->port, sizeof(side->port) - 1);
    close(out[0]);
    if (size <= 0)
        bench_die("%s did not start", side->path);
    side->port[strcspn(side->port, "\n")] = '\0';
}

static void side_run(struct side *side)
{
    char command[700];
    double rate, median, p99;
    snprintf(command, sizeof(command), "%s call %s %d", side->path, side->port, ECHO_IN_FLIGHT);
    FILE *pipe = popen(command, "r");
    if (!pipe || fscanf(pipe, "%lf %lf %lf", &rate, &median, &p99) != 3 || pclose(pipe) != 0)
        bench_die("%s failed", command);
    bench_add(&side->rates, rate);
    bench_add(&side->medians, median);
    bench_add(&side->p99s, p99);
    bench_say("%s: %.0f calls/s, p50 %.0f us, p99 %.0f us", side->program, rate, median, p99);
}

static void side_stop(struct side *side)
{
    close(side->hold);
    waitpid(side->pid, NULL, 0);
}

int main(int argc, char **argv)
{
    static struct side ours = {.program = "bench_rpc_echo"}, peer = {.program = "bench_grpc_echo"};
    char self[512] = "", note[160];
    (void)argc, (void)argv; // the one figure needs no name
    signal(SIGPIPE, SIG_IGN);
    if (readlink("/proc/self/exe", self, sizeof(self) - 1) <= 0)
        bench_die("/proc is not mounted");
    const char *folder = dirname(self);
    side_start(&ours, folder);
    side_start(&peer, folder);
    for (int i = 0; i < BENCH_RUNS; i++) {
        side_run(&ours);
        side_run(&peer);
    }
    side_stop(&ours);
    side_stop(&peer);
    double value = bench_median(&ours.rates), against = bench_median(&peer.rates);
    snprintf(
        note, sizeof(note), "p50 %.0f us and p99 %.0f us, gRPC %.0f us and %.0f us; 93-byte messages over loopback TCP",
        bench_median(&ours.medians), bench_median(&ours.p99s), bench_median(&peer.medians), bench_median(&peer.p99s));
    bench_print(&(struct bench_result){.name = "rpc_unary_1x64",
                                       .value = value,
                                       .unit = "calls/s",
                                       .against = "gRPC C++ async",
                                       .against_value = against,
                                       .ratio = value / against,
                                       .target = 5,
                                       .note = note});
    return 0;
}
