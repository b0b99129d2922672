// Nothing leaks while all is well: memory and open files of the server, and of a program with many replicas, stay as they are.
//
//   steady_test [SECONDS] [CLIENTS]     12 seconds and 10 replicas by default
//
// Live replicas of three people edit, read and are told of foreign changes, in turn, and each now and then loses its connection or is closed and
// opened again. The first 40 % of the time are for caches, pools and arenas to fill; then the median of a tenth of the time is compared with that
// of the last tenth. A run of ten minutes and more must stay within 1 %; shorter ones print the figures, since a few pages are a percent of
// what is small. Open files are counted in every run, and in the end each replica must be equal to the server.
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "call/method.h"
#include "charleos/core.charle.h"
#include "fault/bench.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECONDS = 12, CLIENTS = 10, CLIENTS_MAX = 200, SAMPLES_MAX = 100000, STRICT_SECONDS = 600, SETTLE_MS = 60000, TASKS_MAX = 64 };

struct process {
    const char *name;
    pid_t pid;
    long kib[SAMPLES_MAX], files[SAMPLES_MAX];
};

struct steady {
    struct bench bench;
    struct charle_client *clients[CLIENTS_MAX];
    int client_count;
    char tasks[TASKS_MAX][40]; // that all three see
    int task_count;
    struct process processes[2];
    int samples;
    long calls, foreign, reopened;
};

// --- what is measured -----------------------------------------------------------------------------------------------------------

// Memory of the process's own, without files that are mapped.
static long memory_of(pid_t pid)
{
    char path[64], line[128];
    long kib = -1;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    while (file && kib < 0 && fgets(line, sizeof(line), file))
        if (sscanf(line, "RssAnon: %ld kB", &kib) != 1)
            kib = -1;
    if (file)
        fclose(file);
    if (kib < 0)
        rig_die("%s cannot be read: has the process ended?", path);
    return kib;
}

static long files_of(pid_t pid)
{
    char path[64];
    long count = 0;
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    DIR *folder = opendir(path);
    while (folder && readdir(folder))
        count++;
    if (!folder)
        rig_die("%s cannot be read: has the process ended?", path);
    closedir(folder);
    return count;
}

static void sample(struct steady *steady)
{
    if (steady->samples == SAMPLES_MAX)
        return;
    for (int i = 0; i < 2; i++) {
        struct process *process = &steady->processes[i];
        process->kib[steady->samples] = memory_of(process->pid);
        process->files[steady->samples] = files_of(process->pid);
    }
    steady->samples++;
}

static int by_size(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

// Of the tenth that begins at so many percent of the samples; they get sorted.
static long median(long *values, int samples, int percent)
{
    int from = samples * percent / 100, count = samples / 10;
    if (count < 1)
        rig_die("there are only %d samples: run it longer", samples);
    qsort(values + from, (size_t)count, sizeof(*values), by_size);
    return values[from + count / 2];
}

static void judge(struct process *process, int samples, bool is_strict)
{
    long kib_before = median(process->kib, samples, 40), kib = median(process->kib, samples, 90);
    long files_before = median(process->files, samples, 40), files = median(process->files, samples, 90);
    printf("%s: %ld KiB, %.2f %% more in the end; %ld open files, then %ld\n", process->name, kib_before,
           100.0 * (double)(kib - kib_before) / (double)kib_before, files_before, files);
    if (files > files_before + 2) // a connection that is just being made
        rig_die("%s has %ld open files after %ld", process->name, files, files_before);
    if (is_strict && kib * 100 > kib_before * 101)
        rig_die("%s has grown from %ld to %ld KiB", process->name, kib_before, kib);
}

// --- what goes on ---------------------------------------------------------------------------------------------------------------

static void open_client(struct steady *steady, int at)
{
    struct charle_error err = {0};
    const char *const tokens[] = {steady->bench.pia, steady->bench.mo};
    char name[32];
    snprintf(name, sizeof(name), "steady%d", at);
    steady->clients[at] = rig_client(&steady->bench.rig, name, tokens[at % 2]);
    must(charle_client_start(steady->clients[at], &err), &err, "start");
}

static void edit(struct steady *steady, struct charle_client *client)
{
    struct charle_error err = {0};
    struct charle_arena arena = {0};
    struct charleos_task_patch reply;
    char title[64];
    const char *id = steady->tasks[rig_random(&steady->bench.rig, (uint64_t)steady->task_count)];
    snprintf(title, sizeof(title), "steady %08ld", steady->calls % 100000000); // of one length
    const struct charleos_task_key key = {.id = charle_str(id)};
    const struct charleos_task_patch set = {.title = {.value = charle_str(title), .has = true}};
    const struct charleos_task_update request = {.key = &key, .set = &set};
    must(charle_client_call(client, charle_client_method(client, "charleos.TaskService/Update"), &request, &arena, &reply, NULL, &err), &err, "edit");
    charle_arena_deinit(&arena);
    steady->calls++;
}

static bool take_first(void *ctx, const struct charle_inbox_entry *entry)
{
    *(int64_t *)ctx = entry->id;
    return false;
}

// What conflicts with somebody else's edit is put away, as its person would.
static void empty_inbox(struct charle_client *client)
{
    struct charle_error err = {0};
    for (int64_t id = 1; id;) {
        id = 0;
        must(charle_client_inbox(client, take_first, &id, &err), &err, "the inbox");
        if (id)
            must(charle_client_inbox_dismiss(client, id, &err), &err, "a verdict");
    }
}

static void change_foreign(struct steady *steady)
{
    char sql[160];
    snprintf(sql, sizeof(sql), "update task set priority = 1 + priority %% 5 where id = '%s'",
             steady->tasks[rig_random(&steady->bench.rig, (uint64_t)steady->task_count)]);
    rig_sql(steady->bench.pg, sql);
    steady->foreign++;
}

static void step(struct steady *steady)
{
    int at = (int)rig_random(&steady->bench.rig, (uint64_t)steady->client_count);
    edit(steady, steady->clients[at]);
    if (rig_random(&steady->bench.rig, 4) == 0)
        change_foreign(steady);
    if (rig_random(&steady->bench.rig, 8) == 0)
        empty_inbox(steady->clients[at]);
    if (rig_random(&steady->bench.rig, 200) == 0) {
        charle_client_close(steady->clients[at]);
        open_client(steady, at);
        steady->reopened++;
    }
    rig_pause(5);
}

static void finish(struct steady *steady)
{
    for (int i = 0; i < steady->client_count; i++) {
        struct charle_error err = {0};
        struct charle_verify_report report;
        struct charle_client *client = steady->clients[i];
        must(charle_client_sync(client, SETTLE_MS, &err), &err, "sync");
        must(charle_client_verify(client, SETTLE_MS, &report, &err), &err, "verify");
        check(report.rows_different == 0, "a replica differs from the server");
        charle_client_close(client);
    }
}

static void find_tasks(struct steady *steady)
{
    PGresult *result = PQexec(steady->bench.pg, "select id from task order by id limit 40");
    steady->task_count = PQntuples(result);
    for (int i = 0; i < steady->task_count; i++)
        snprintf(steady->tasks[i], sizeof(steady->tasks[i]), "%s", PQgetvalue(result, i, 0));
    PQclear(result);
    check(steady->task_count > 0, "there are no tasks");
}

int main(int argc, char **argv)
{
    static struct steady steady;
    int seconds = argc > 1 ? atoi(argv[1]) : SECONDS;
    steady.client_count = argc > 2 ? atoi(argv[2]) : CLIENTS;
    if (seconds < 5 || steady.client_count < 1 || steady.client_count > CLIENTS_MAX)
        rig_die("steady_test SECONDS CLIENTS, at least 5 seconds and 1 to %d clients", CLIENTS_MAX);
    bench_open(&steady.bench);
    find_tasks(&steady);
    for (int i = 0; i < steady.client_count; i++)
        open_client(&steady, i);
    steady.processes[0] = (struct process){.name = "charled", .pid = steady.bench.rig.charled};
    steady.processes[1] = (struct process){.name = "the replicas", .pid = getpid()};
    int64_t began_us = ch_clock_mono_us(), next_us = began_us;
    while (ch_clock_mono_us() - began_us < (int64_t)seconds * 1000000) {
        step(&steady);
        if (ch_clock_mono_us() < next_us)
            continue;
        sample(&steady);
        next_us += 100000;
    }
    for (int i = 0; i < 2; i++)
        judge(&steady.processes[i], steady.samples, seconds >= STRICT_SECONDS);
    finish(&steady);
    printf("%d replicas, %d s, %ld calls, %ld foreign changes, %ld times opened again\n", steady.client_count, seconds, steady.calls, steady.foreign, steady.reopened);
    bench_close(&steady.bench);
    return 0;
}
