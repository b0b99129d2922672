// The figures of synchronisation: bench_sync FIGURE prints one JSON object.
//
// Everything runs against a real server, a real PostgreSQL and a replica on the same disk. A client whose memory is measured runs in a
// process of its own: `bench_sync --copy …` is that process.
#include "base/err.h"
#include "bench/common/bench.h"
#include "bench/sync/figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    long rows; // tasks on the server
    void (*run)(struct rig *rig);
} figures[] = {
    {"first_copy", 1000000, figure_first_copy},
    {"first_copy_20ms", 1000000, figure_first_copy_20ms},
    {"seed_copy", 1000000, figure_seed_copy},
    {"repair_1m", 1000000, figure_repair_1m},
    {"encrypted_copy", 200000, figure_encrypted_copy},
    {"propagation_foreign", 20000, figure_propagation_foreign},
    {"propagation_service", 20000, figure_propagation_service},
    {"propagation_peer", 20000, figure_propagation_peer},
    {"pull_10k", 200000, figure_pull_10k},
    {"live_10k", 200000, figure_live_10k},
    {"push_10k", 20000, figure_push_10k},
    {"rebase_1k", 20000, figure_rebase_1k},
    {"rebase_100k", 120000, figure_rebase_100k},
    {"backlog_100k", 21000, figure_backlog_100k},
    {"backlog_1m", 21000, figure_backlog_1m},
    {"idle_pull", 5000, figure_idle_pull},
    {"idle_clients", 5000, figure_idle_clients},
    {"fanout_100", 5000, figure_fanout_100},
    {"fanout_1000", 5000, figure_fanout_1000},
    {"fanout_10000", 5000, figure_fanout_10000},
    {"empty_pull", 5000, figure_empty_pull},
    {"hot_scope", 5000, figure_hot_scope},
    {"hot_scope_2ms", 5000, figure_hot_scope_2ms},
};

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "--copy") == 0)
        return copy_process(argv[2], argv[3], argv[4], argv[5]);
    if (argc == 6 && strcmp(argv[1], "--encrypted") == 0)
        return encrypted_process(argv[2], argv[3], argv[4], argv[5]);
    for (size_t i = 0; argc >= 2 && i < sizeof(figures) / sizeof(figures[0]); i++) {
        if (strcmp(argv[1], figures[i].name) != 0)
            continue;
        struct rig rig;
        rig_start(&rig, argc > 2 ? strtol(argv[2], NULL, 10) : figures[i].rows);
        figures[i].run(&rig);
        rig_stop(&rig);
        return 0;
    }
    fprintf(stderr, "usage: bench_sync FIGURE [ROWS]; figures:");
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
        fprintf(stderr, " %s", figures[i].name);
    fprintf(stderr, "\n");
    return 2;
}
