// rpc_get: a task by its key through PostgreSQL, 64 calls in flight on one connection, against gRPC C++ with a pool of eight.
//
// Ours does more for each call: it knows the caller, applies who may see the row, and answers from the generated service.
#include "base/buf.h"
#include "bench/common/bench.h"
#include "bench/sync/rig.h"
#include "charleos/core.charle.h"
#include "msg/wire.h"
#include "rpc/rpc.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { IN_FLIGHT = 64, IDS = 10000 };
#define SECONDS_A_RUN 3.0

struct load {
    struct charle_channel *channel;
    struct charle_bytes requests[IDS]; // encoded keys
    size_t id_count, next;
    double deadline;
    size_t done, failed, open;
    pthread_mutex_t lock;
    pthread_cond_t over;
};

static void start_one(struct load *load);

static void on_message(void *ctx, struct charle_rpc *rpc, struct charle_bytes message)
{
    (void)ctx;
    charle_rpc_consumed(rpc, message.len);
}

static void on_done(void *ctx, struct charle_rpc *rpc, const struct charle_status *status)
{
    struct load *load = ctx;
    charle_rpc_release(rpc);
    pthread_mutex_lock(&load->lock);
    load->done++;
    load->open--;
    if (status->code && !load->failed++)
        fprintf(stderr, "a call failed: %.*s\n", CHARLE_FMT(status->text));
    bool again = bench_now() < load->deadline;
    load->open += again;
    if (!load->open)
        pthread_cond_signal(&load->over);
    pthread_mutex_unlock(&load->lock);
    if (again)
        start_one(load);
}

static void start_one(struct load *load)
{
    struct charle_error err = {0};
    struct charle_rpc *rpc;
    const struct charle_rpc_events events = {.message = on_message, .done = on_done, .ctx = load};
    pthread_mutex_lock(&load->lock);
    struct charle_bytes request = load->requests[load->next++ % load->id_count];
    pthread_mutex_unlock(&load->lock);
    if (charle_rpc_start(load->channel, CHARLE_STR("charleos.TaskService/Get"), request, NULL, &events, &rpc, &err))
        bench_die("Get: %s", err.text);
}

static double run_ours(struct load *load)
{
    double start = bench_now();
    load->deadline = start + SECONDS_A_RUN;
    load->done = load->failed = 0;
    load->open = IN_FLIGHT;
    for (int i = 0; i < IN_FLIGHT; i++)
        start_one(load);
    pthread_mutex_lock(&load->lock);
    while (load->open)
        pthread_cond_wait(&load->over, &load->lock);
    pthread_mutex_unlock(&load->lock);
    if (load->failed)
        bench_die("%zu of %zu calls failed", load->failed, load->done);
    return (double)load->done / (bench_now() - start);
}

struct peer {
    pid_t pid;
    int hold; // closing it ends the server
    char port[16];
};

static void peer_start(struct peer *peer, struct rig *rig)
{
    char program[600];
    int in[2], out[2];
    snprintf(program, sizeof(program), "%s/bench_grpc_get_server", rig->bin);
    if (access(program, X_OK) != 0)
        bench_die("%s was not built: libgrpc++-dev is missing", program);
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        bench_die("no pipe");
    peer->pid = fork();
    if (peer->pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        execl(program, program, rig->database_url, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    peer->hold = in[1];
    ssize_t size = read(out[0], peer->port, sizeof(peer->port) - 1);
    close(out[0]);
    if (size <= 0)
        bench_die("the gRPC server did not start");
    peer->port[strcspn(peer->port, "\n")] = '\0';
}

static double run_peer(const struct peer *peer, const struct rig *rig)
{
    char command[1024];
    double rate = 0;
    snprintf(command, sizeof(command), "%s/bench_grpc_get_client %s %g < %s/ids", rig->bin, peer->port, SECONDS_A_RUN, rig->folder);
    FILE *pipe = popen(command, "r");
    if (!pipe || fscanf(pipe, "%lf", &rate) != 1 || pclose(pipe) != 0)
        bench_die("the gRPC client failed");
    return rate;
}

static void read_ids(struct load *load, struct rig *rig, struct charle_buf *bytes)
{
    char path[256];
    PGconn *pg = rig_psql(rig);
    PGresult *ids = PQexec(pg, "select id from task order by random() limit 10000");
    load->id_count = (size_t)PQntuples(ids);
    if (!load->id_count)
        bench_die("no tasks");
    snprintf(path, sizeof(path), "%s/ids", rig->folder);
    FILE *file = fopen(path, "w");
    size_t ends[IDS];
    for (size_t i = 0; i < load->id_count; i++) {
        const char *id = PQgetvalue(ids, (int)i, 0);
        fprintf(file, "%s\n", id);
        const struct charleos_task_key key = {.id = charle_str(id)};
        charle_message_write(&charleos_task_key_message, &key, bytes);
        ends[i] = bytes->size;
    }
    for (size_t i = 0, from = 0; i < load->id_count; from = ends[i++])
        load->requests[i] = charle_bytes(bytes->data + from, ends[i] - from);
    fclose(file);
    PQclear(ids);
    PQfinish(pg);
}

int main(void)
{
    static struct load load = {.lock = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER};
    struct bench_samples ours = {0}, peers = {0};
    struct charle_buf bytes = {0};
    struct charle_error err = {0};
    struct peer peer = {0};
    struct rig rig;
    signal(SIGPIPE, SIG_IGN);
    rig_start(&rig, 100000);
    read_ids(&load, &rig, &bytes);
    peer_start(&peer, &rig); // before this process has threads of nng
    const struct charle_channel_options options = {.token = rig.token};
    if (charle_channel_open(rig.address, &options, &load.channel, &err))
        bench_die("%s", err.text);
    for (int i = 0; i < BENCH_RUNS; i++) {
        double a = run_ours(&load), b = run_peer(&peer, &rig);
        bench_add(&ours, a);
        bench_add(&peers, b);
        bench_say("run %d: %.0f calls/s, gRPC %.0f calls/s", i + 1, a, b);
    }
    double value = bench_median(&ours), against = bench_median(&peers);
    bench_print(&(struct bench_result){.name = "rpc_get", .value = value, .unit = "calls/s", .against = "gRPC C++ sync, pool of 8",
                                       .against_value = against, .ratio = value / against, .target = 3,
                                       .note = "1 connection, 64 calls in flight, 100,000 tasks"});
    charle_channel_close(load.channel);
    close(peer.hold);
    waitpid(peer.pid, NULL, 0);
    rig_stop(&rig);
    charle_buf_deinit(&bytes);
    return 0;
}
