// Connections are cut after every byte: signing in, first copy, push, live. The client finds its way back by itself each time, the replica is
// equal to the server, and every call was made once.
//
//   cut_test [--every N] [--seed N] [--ipc]     every N-th byte (default: see EVERY), beginning at one that depends on the seed
//
// A calm session of each kind is measured first; then each offset of both directions is a job. Workers do the jobs side by side, each with
// its own proxy and laptop, since most of a job is the wait before the client dials again.
#include "base/err.h"
#include "fault/proxy/proxy.h"
#include "history/bank.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 12, EVERY = 13, WAIT_MS = 30000, LIVE_BYTES = 400 };
enum kind { KIND_LOGIN, KIND_COPY, KIND_PUSH, KIND_LIVE, KINDS };

static const char *const kind_names[KINDS] = {"sign in", "first copy", "push", "live"};

struct tests {
    struct rig rig;
    uint64_t size[KINDS][PROXY_DIRECTIONS]; // bytes of a calm session
    int every;
    bool is_ipc;
    uint64_t first;                // offset of the first cut
    atomic_int next_job, jobs, cuts, items;
};

struct job {
    enum kind kind;
    enum proxy_direction direction;
    uint64_t offset;
};

struct worker {
    pthread_t thread;
    struct tests *tests;
    int index;
    struct proxy *proxy;
    char token[256], name[16], copy_name[32];
    struct job job; // at work on
    PGconn *pg;
    int done;
};

static void must(int rc, const struct charle_error *err, const struct worker *worker, const char *what)
{
    if (rc)
        rig_die("worker %d, %s: %s", worker->index, what, err->text);
}

static bool log_in(struct worker *worker, struct charle_error *err)
{
    char email[32];
    struct charle_login_result result;
    const struct charle_login_options options = {
        .url = proxy_address(worker->proxy), .email = bank_email(worker->index % BANK_PEOPLE, email), .principal = "person", .password = rig_password, .timeout_ms = WAIT_MS};
    if (charle_login(&options, &result, err))
        return false;
    snprintf(worker->token, sizeof(worker->token), "%s", result.token);
    return true;
}

static struct charle_client *open_client(struct worker *worker, const char *name)
{
    return rig_client_at(&worker->tests->rig, proxy_address(worker->proxy), name, worker->token);
}

static void work(struct worker *worker, struct charle_client *client)
{
    struct charle_error err = {0};
    int item = atomic_fetch_add(&worker->tests->items, 1);
    const struct bank_work call = {.from = worker->index % BANK_ACCOUNTS, .to = (worker->index + 1) % BANK_ACCOUNTS, .amount = 0, .count = 2,
                                   .item = {item * 2, item * 2 + 1}, .chain = {worker->index * 2, worker->index * 2 + 1}};
    must(bank_work(client, &call, NULL, &err), &err, worker, "a call");
}

// --- the kinds of sessions ----------------------------------------------------------------------------------------------------

static void session_login(struct worker *worker)
{
    struct charle_error err = {0};
    if (!log_in(worker, &err) && !err.text[0])
        rig_die("signing in failed without a reason");
    proxy_do(worker->proxy, "heal");
    if (!log_in(worker, &err))
        rig_die("signing in again: %s", err.text);
}

static void session_copy(struct worker *worker)
{
    struct charle_error err = {0};
    char command[200];
    snprintf(worker->copy_name, sizeof(worker->copy_name), "copy%d-%d", worker->index, worker->done);
    struct charle_client *client = open_client(worker, worker->copy_name);
    must(charle_client_sync(client, WAIT_MS, &err), &err, worker, "first copy");
    bank_expect_equal(client, "after the first copy");
    charle_client_close(client);
    snprintf(command, sizeof(command), "rm -rf %s/%s", worker->tests->rig.folder, worker->copy_name);
    if (system(command) != 0)
        rig_die("%s failed", command);
}

static void session_push(struct worker *worker)
{
    struct charle_error err = {0};
    struct charle_client_status status;
    struct charle_client *client = open_client(worker, worker->name);
    work(worker, client);
    must(charle_client_sync(client, WAIT_MS, &err), &err, worker, "push");
    charle_client_status(client, &status);
    if (status.pending_calls || status.inbox_count)
        rig_die("worker %d: %lld calls wait and %lld verdicts came", worker->index, (long long)status.pending_calls, (long long)status.inbox_count);
    charle_client_close(client);
}

// Something happens on the server and something is done here while the client is live.
static void session_live(struct worker *worker)
{
    struct charle_error err = {0};
    struct charle_client *client = open_client(worker, worker->name);
    char sql[160];
    // A client of its own for each job: one that is cut off again and again waits longer and longer.
    must(charle_client_start(client, &err), &err, worker, "start");
    must(charle_client_sync(client, WAIT_MS, &err), &err, worker, "going live");
    proxy_do(worker->proxy, "cut %s %llu now", worker->job.direction == PROXY_UP ? "up" : "down", (unsigned long long)worker->job.offset);
    snprintf(sql, sizeof(sql), "update person set name = 'Person %d' where id = 'p%d'", worker->done, worker->index % BANK_PEOPLE);
    rig_sql(worker->pg, sql);
    work(worker, client);
    must(charle_client_sync(client, WAIT_MS, &err), &err, worker, "live");
    charle_client_close(client);
}

static void run_session(struct worker *worker, enum kind kind)
{
    static void (*const sessions[KINDS])(struct worker *) = {session_login, session_copy, session_push, session_live};
    sessions[kind](worker);
}

// --- jobs -----------------------------------------------------------------------------------------------------------------------

// The number-th job of this kind.
static bool find_job(const struct tests *tests, enum kind kind, int number, struct job *out)
{
    uint64_t at = tests->first + (uint64_t)number * (uint64_t)tests->every;
    for (int direction = 0; direction < PROXY_DIRECTIONS; direction++) {
        if (at < tests->size[kind][direction]) {
            *out = (struct job){kind, (enum proxy_direction)direction, at};
            return true;
        }
        at -= tests->size[kind][direction];
    }
    return false;
}

static void run_job(struct worker *worker, const struct job *job)
{
    struct proxy_counts before, after;
    proxy_counts(worker->proxy, &before);
    worker->job = *job;
    if (job->kind != KIND_LIVE)
        proxy_do(worker->proxy, "cut %s %llu next", job->direction == PROXY_UP ? "up" : "down", (unsigned long long)job->offset);
    run_session(worker, job->kind);
    proxy_do(worker->proxy, "heal");
    proxy_counts(worker->proxy, &after);
    worker->done++;
    atomic_fetch_add(&worker->tests->jobs, 1);
    atomic_fetch_add(&worker->tests->cuts, after.cuts > before.cuts ? 1 : 0);
}

struct shift {
    struct worker *worker;
    enum kind kind;
};

static void *run_shift(void *ctx)
{
    const struct shift *shift = ctx;
    struct worker *worker = shift->worker;
    struct job job;
    while (find_job(worker->tests, shift->kind, atomic_fetch_add(&worker->tests->next_job, 1), &job))
        run_job(worker, &job);
    return NULL;
}

// --- the test -------------------------------------------------------------------------------------------------------------------

static void open_worker(struct tests *tests, struct worker *worker, int index)
{
    struct charle_error err = {0};
    char address[128] = "tcp://127.0.0.1:0";
    *worker = (struct worker){.tests = tests, .index = index};
    if (tests->is_ipc)
        snprintf(address, sizeof(address), "ipc://%s/proxy%d", tests->rig.folder, index);
    const struct proxy_options options = {.listen = address, .target = tests->rig.address, .seed = (uint64_t)index};
    if (proxy_open(&options, &worker->proxy, &err))
        rig_die("proxy: %s", err.text);
    snprintf(worker->name, sizeof(worker->name), "laptop%d", index);
    worker->pg = rig_psql(&tests->rig);
    if (!log_in(worker, &err))
        rig_die("login: %s", err.text);
    struct charle_client *client = open_client(worker, worker->name);
    must(charle_client_sync(client, WAIT_MS, &err), &err, worker, "first copy");
    work(worker, client);
    must(charle_client_sync(client, WAIT_MS, &err), &err, worker, "first call");
    charle_client_close(client);
}

static void measure(struct tests *tests, struct worker *worker, enum kind kind)
{
    struct proxy_counts before, after;
    if (kind == KIND_LIVE) { // its bytes never end: some pages and a call
        tests->size[kind][PROXY_UP] = tests->size[kind][PROXY_DOWN] = LIVE_BYTES;
        return;
    }
    proxy_counts(worker->proxy, &before);
    run_session(worker, kind);
    proxy_counts(worker->proxy, &after);
    for (int i = 0; i < PROXY_DIRECTIONS; i++)
        tests->size[kind][i] = (after.bytes[i] - before.bytes[i]) / (kind == KIND_LOGIN ? 2 : 1);
}

static void check_server(struct tests *tests)
{
    PGconn *pg = rig_psql(&tests->rig);
    long made = atomic_load(&tests->items) * 2L;
    long all = rig_number(pg, "select count(*) from chain, unnest(string_to_array(items, ' ')) item");
    long different = rig_number(pg, "select count(distinct item) from chain, unnest(string_to_array(items, ' ')) item");
    if (all != made || different != made)
        rig_die("%ld items were appended, the server has %ld, %ld of them different", made, all, different);
    if (rig_number(pg, "select sum(balance) from account") != BANK_ACCOUNTS * BANK_EACH)
        rig_die("money came or went");
    PQfinish(pg);
}

static void expect_laptop_equal(struct worker *worker, const char *when)
{
    struct charle_error err = {0};
    struct charle_client *client = open_client(worker, worker->name);
    must(charle_client_sync(client, WAIT_MS, &err), &err, worker, when);
    bank_expect_equal(client, when);
    charle_client_close(client);
}

static void run_kind(struct tests *tests, struct worker *workers, enum kind kind)
{
    struct shift shifts[WORKERS];
    measure(tests, &workers[0], kind);
    atomic_store(&tests->next_job, 0);
    int before = atomic_load(&tests->jobs), cuts = atomic_load(&tests->cuts);
    for (int i = 0; i < WORKERS; i++) {
        shifts[i] = (struct shift){&workers[i], kind};
        if (pthread_create(&workers[i].thread, NULL, run_shift, &shifts[i]) != 0)
            rig_die("no thread");
    }
    for (int i = 0; i < WORKERS; i++)
        pthread_join(workers[i].thread, NULL);
    for (int i = 0; i < WORKERS; i++) // when nobody writes: a verification among writers may count what is on its way
        expect_laptop_equal(&workers[i], kind_names[kind]);
    int jobs = atomic_load(&tests->jobs) - before;
    cuts = atomic_load(&tests->cuts) - cuts;
    printf("%s: %llu bytes up, %llu down, %d offsets, %d cuts\n", kind_names[kind], (unsigned long long)tests->size[kind][PROXY_UP],
           (unsigned long long)tests->size[kind][PROXY_DOWN], jobs, cuts);
    fflush(stdout);
    if (cuts * 2 < jobs)
        rig_die("most cuts did not happen; the test tests nothing");
}

int main(int argc, char **argv)
{
    static struct tests tests = {.every = EVERY};
    static struct worker workers[WORKERS];
    uint64_t seed = 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--ipc") == 0)
            tests.is_ipc = true;
        else if (i + 1 < argc && strcmp(argv[i], "--every") == 0)
            tests.every = (int)strtol(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[++i], NULL, 10);
    }
    if (tests.every < 1)
        rig_die("--every takes a number from 1");
    tests.first = seed % (uint64_t)tests.every;
    bank_open(&tests.rig, seed, false);
    for (int i = 0; i < WORKERS; i++)
        open_worker(&tests, &workers[i], i);
    for (int kind = 0; kind < KINDS; kind++)
        run_kind(&tests, workers, (enum kind)kind);
    for (int i = 0; i < WORKERS; i++) {
        proxy_close(workers[i].proxy);
        PQfinish(workers[i].pg);
    }
    check_server(&tests);
    printf("%d connections cut, every call was made once, every replica is equal to the server\n", atomic_load(&tests.cuts));
    rig_close(&tests.rig);
    return 0;
}
