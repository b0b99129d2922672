// history_check: how long it takes to judge 1,000,000 operations of ten processes (tests/history).
//
// The history is made by a small model of the system: calls wait on their process's laptop, reach the server in order, and are seen by others
// when they next look. It is written to files once; judging reads the files twice, as it always does.
#include "bench/common/bench.h"
#include "history/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PROCESSES = 10, OPS = 1000000, CHAINS = 6, CHAIN_MAX = 40, PENDING_MAX = 4, TOTAL = 8000 };

struct model_chain {
    uint64_t items[CHAIN_MAX + 2 * PROCESSES * PENDING_MAX];
    size_t count;
};

struct model {
    struct model_chain *chains;
    size_t chain_count, first_open;
    struct history_writer *writers[PROCESSES + 1];
    struct waiting {
        uint64_t op;
        uint64_t chain[2];
    } waiting[PROCESSES][PENDING_MAX];
    size_t waiting_count[PROCESSES];
    uint64_t calls[PROCESSES], reads;
    uint64_t random;
    uint64_t *words;
};

static uint64_t dice(struct model *model, uint64_t below)
{
    model->random = model->random * 6364136223846793005u + 1442695040888963407u; // Knuth, MMIX
    return (model->random >> 33) % below;
}

static void write_record(struct model *model, int process, enum history_kind kind, uint64_t op, size_t words)
{
    struct charle_error err = {0};
    const struct history_record record = {.kind = kind, .process = process, .op = op, .words = model->words, .word_count = words};
    if (history_write(model->writers[process], &record, &err))
        bench_die("%s", err.text);
}

static void make_call(struct model *model, int process)
{
    uint64_t op = history_op(process, ++model->calls[process]);
    struct waiting *waiting = &model->waiting[process][model->waiting_count[process]++];
    *waiting = (struct waiting){.op = op};
    for (int i = 0; i < 2; i++) {
        waiting->chain[i] = model->first_open + dice(model, CHAINS);
        model->words[2 * i] = waiting->chain[i];
        model->words[2 * i + 1] = history_item(op, i);
    }
    write_record(model, process, HISTORY_INVOKE, op, 4);
    write_record(model, process, HISTORY_OK, op, 0);
}

static void deliver(struct model *model, int process)
{
    for (size_t i = 0; i < model->waiting_count[process]; i++)
        for (int place = 0; place < 2; place++) {
            struct model_chain *chain = &model->chains[model->waiting[process][i].chain[place]];
            if (chain->count == sizeof(chain->items) / sizeof(chain->items[0]))
                bench_die("a chain of the model is too long");
            chain->items[chain->count++] = history_item(model->waiting[process][i].op, place);
        }
    model->waiting_count[process] = 0;
    while (model->chains[model->first_open].count >= CHAIN_MAX)
        model->first_open++;
}

static void make_read(struct model *model, int process)
{
    size_t at = 0;
    model->words[at++] = TOTAL;
    model->words[at++] = model->waiting_count[process];
    for (size_t i = 0; i < model->waiting_count[process]; i++)
        model->words[at++] = model->waiting[process][i].op;
    for (size_t number = model->first_open; number < model->first_open + CHAINS; number++) {
        const struct model_chain *chain = &model->chains[number];
        size_t count = at + 1;
        model->words[at++] = number;
        model->words[at++] = chain->count;
        memcpy(model->words + at, chain->items, chain->count * sizeof(uint64_t));
        at += chain->count;
        for (size_t i = 0; i < model->waiting_count[process]; i++)
            for (int place = 0; place < 2; place++)
                if (model->waiting[process][i].chain[place] == number) {
                    model->words[at++] = history_item(model->waiting[process][i].op, place);
                    model->words[count]++;
                }
    }
    write_record(model, process, HISTORY_READ, ++model->reads, at);
}

static void finish(struct model *model)
{
    for (int process = 0; process < PROCESSES; process++)
        deliver(model, process);
    for (size_t number = 0; number < model->chain_count; number++) {
        const struct model_chain *chain = &model->chains[number];
        if (!chain->count)
            continue;
        model->words[0] = number;
        memcpy(model->words + 1, chain->items, chain->count * sizeof(uint64_t));
        write_record(model, PROCESSES, HISTORY_FINAL, 0, chain->count + 1);
    }
    model->words[0] = TOTAL;
    write_record(model, PROCESSES, HISTORY_TOTAL, 0, 1);
}

static void make_history(char paths[PROCESSES + 1][64])
{
    struct charle_error err = {0};
    struct model *model = calloc(1, sizeof(*model));
    model->chain_count = OPS / 8;
    model->chains = calloc(model->chain_count, sizeof(*model->chains));
    model->words = calloc(HISTORY_WORDS_MAX, sizeof(uint64_t));
    model->random = 7;
    for (int i = 0; i <= PROCESSES; i++)
        if (history_writer_open(paths[i], &model->writers[i], &err))
            bench_die("%s", err.text);
    for (int i = 0; i < OPS; i++) {
        int process = (int)dice(model, PROCESSES);
        if (dice(model, 2))
            make_read(model, process);
        else
            make_call(model, process);
        if (dice(model, 3) == 0 || model->waiting_count[process] == 3)
            deliver(model, process);
    }
    finish(model);
    for (int i = 0; i <= PROCESSES; i++)
        history_writer_close(model->writers[i]);
    free(model->words);
    free(model->chains);
    free(model);
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/charle-bench-XXXXXX", paths[PROCESSES + 1][64], note[160];
    const char *list[PROCESSES + 1];
    struct bench_samples samples = {0};
    struct history_report report = {0};
    struct charle_error err = {0};
    if (argc != 2 || strcmp(argv[1], "history_check") != 0)
        bench_die("usage: bench_history history_check");
    if (!mkdtemp(folder))
        bench_die("no folder");
    for (int i = 0; i <= PROCESSES; i++) {
        snprintf(paths[i], sizeof(paths[i]), "%s/%d.history", folder, i);
        list[i] = paths[i];
    }
    make_history(paths);
    for (int run = 0; run < BENCH_RUNS; run++) {
        double start = bench_now();
        if (history_check_files(list, PROCESSES + 1, TOTAL, &report, &err))
            bench_die("%s", err.text);
        bench_add(&samples, bench_now() - start);
        bench_say("%.2f s", bench_now() - start);
    }
    if (history_report_anomalies(&report)) {
        history_report_print(&report);
        bench_die("the model's history cannot have happened");
    }
    for (int i = 0; i <= PROCESSES; i++)
        unlink(paths[i]);
    rmdir(folder);
    double seconds = bench_median(&samples);
    snprintf(note, sizeof(note), "%llu calls and %llu reads of 6 chains each, %llu edges; peak memory %lld MiB", (unsigned long long)report.calls,
             (unsigned long long)report.reads, (unsigned long long)report.edges, (long long)(bench_rss_peak_bytes(0) >> 20));
    bench_print(&(struct bench_result){.name = "history_check", .value = seconds, .unit = "s for 1,000,000 operations", .against = "target of 10 s",
                                       .against_value = 10, .ratio = seconds / 10, .target = 1, .is_less = 1, .note = note});
    return 0;
}
