// history_run [--seconds N] [--seed N] [--keep]: ten clients, a writer, a nemesis; then peace, and the judgement.
//
// After the nemesis everything is healed and nobody makes calls any more: within a bound every outbox must be empty and every replica equal to the
// server, and the history of all that was seen must be one that can have happened.
#include "base/clock.h"
#include "base/err.h"
#include "history.schema.charle.h"
#include "history/check.h"
#include "history/run/crew.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { SECONDS = 40, WAIT_MS = 60000, REST_MS = 60000 };

static void must(int rc, const struct charle_error *err, const char *what)
{
    if (rc)
        rig_die("%s: %s", what, err->text);
}

void crew_start_client(struct crew *crew, struct crew_client *client)
{
    char number[16];
    snprintf(number, sizeof(number), "%d", client->number);
    char *argv[] = {(char *)crew->client_program, number, crew->rig.folder, (char *)proxy_address(client->proxy), client->token, client->file, NULL};
    // SIGTERM waits until the client has its handler: it may come as soon as the client is there.
    posix_spawnattr_t attributes;
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attributes, &blocked);
    int code = posix_spawn(&client->pid, argv[0], NULL, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    if (code)
        rig_die("cannot run %s: %s", argv[0], strerror(code));
    crew->client_lives++;
}

void crew_check_client(struct crew *crew, struct crew_client *client)
{
    int status;
    (void)crew;
    if (waitpid(client->pid, &status, WNOHANG) != 0)
        rig_die("client %d ended by itself with status %d", client->number, status);
}

static void log_in(struct crew *crew, struct crew_client *client)
{
    char email[32];
    struct charle_error err = {0};
    struct charle_login_result result;
    const struct charle_login_options options = {
        .url = crew->rig.address, .email = bank_email(client->number, email), .principal = "person", .password = rig_password};
    must(charle_login(&options, &result, &err), &err, "login");
    snprintf(client->token, sizeof(client->token), "%s", result.token);
}

static void open_crew(struct crew *crew, uint64_t seed)
{
    struct charle_error err = {0};
    bank_open(&crew->rig, seed, true);
    snprintf(crew->writer_file, sizeof(crew->writer_file), "%s/writer.history", crew->rig.folder);
    for (int i = 0; i < CREW_CLIENTS; i++) {
        struct crew_client *client = &crew->clients[i];
        const struct proxy_options options = {.listen = "tcp://127.0.0.1:0", .target = crew->rig.address, .seed = seed + (uint64_t)i};
        client->number = i;
        snprintf(client->name, sizeof(client->name), "laptop%d", i);
        snprintf(client->file, sizeof(client->file), "%s/p%d.history", crew->rig.folder, i);
        must(proxy_open(&options, &client->proxy, &err), &err, "proxy");
        log_in(crew, client);
        struct charle_client *first = rig_client(&crew->rig, client->name, client->token);
        must(charle_client_sync(first, WAIT_MS, &err), &err, "first copy");
        charle_client_close(first);
        crew_start_client(crew, client);
    }
    writer_start(crew);
}

// Everybody finishes what waits; returns how long that took at most.
static double come_to_rest(struct crew *crew)
{
    int64_t start_us = ch_clock_mono_us();
    int left = CREW_CLIENTS;
    for (int i = 0; i < CREW_CLIENTS; i++)
        kill(crew->clients[i].pid, SIGTERM);
    while (left) {
        for (int i = 0; i < CREW_CLIENTS; i++) {
            int status;
            struct crew_client *client = &crew->clients[i];
            if (!client->pid || waitpid(client->pid, &status, WNOHANG) == 0)
                continue;
            if (status != 0)
                rig_die("client %d did not come to rest: status %d", i, status);
            client->pid = 0;
            left--;
        }
        if (ch_clock_mono_us() - start_us > (int64_t)REST_MS * 1000)
            rig_die("%d clients did not come to rest within %d s after everything was healed", left, REST_MS / 1000);
        rig_pause(10);
    }
    return (double)(ch_clock_mono_us() - start_us) / 1e6;
}

static void expect_all_equal(struct crew *crew)
{
    struct charle_error err = {0};
    struct charle_client_status status;
    for (int i = 0; i < CREW_CLIENTS; i++) {
        struct charle_client *client = rig_client(&crew->rig, crew->clients[i].name, crew->clients[i].token);
        must(charle_client_sync(client, WAIT_MS, &err), &err, "the last synchronisation");
        charle_client_status(client, &status);
        if (status.pending_calls)
            rig_die("client %d came to rest with %lld calls that wait", i, (long long)status.pending_calls);
        bank_expect_equal(client, crew->clients[i].name);
        charle_client_close(client);
    }
}

static void record_end(struct crew *crew, const char *path)
{
    static uint64_t words[HISTORY_WORDS_MAX];
    struct charle_error err = {0};
    struct history_writer *history;
    PGconn *pg = rig_psql(&crew->rig);
    must(history_writer_open(path, &history, &err), &err, "history");
    PGresult *chains = PQexec(pg, "select substr(id, 2), items from chain order by 1");
    for (int i = 0; i < PQntuples(chains); i++) {
        words[0] = strtoull(PQgetvalue(chains, i, 0), NULL, 10);
        size_t count = crew_read_items(PQgetvalue(chains, i, 1), (size_t)PQgetlength(chains, i, 1), words + 1, HISTORY_WORDS_MAX - 1);
        const struct history_record record = {.kind = HISTORY_FINAL, .process = CREW_END, .words = words, .word_count = count + 1};
        must(history_write(history, &record, &err), &err, "history");
    }
    PQclear(chains);
    words[0] = (uint64_t)rig_number(pg, "select sum(balance) from account");
    const struct history_record total = {.kind = HISTORY_TOTAL, .process = CREW_END, .words = words, .word_count = 1};
    must(history_write(history, &total, &err), &err, "history");
    history_writer_close(history);
    PQfinish(pg);
}

static uint64_t judge(struct crew *crew)
{
    char end[160];
    const char *paths[CREW_CLIENTS + 2];
    struct charle_error err = {0};
    struct history_report report;
    snprintf(end, sizeof(end), "%s/end.history", crew->rig.folder);
    record_end(crew, end);
    for (int i = 0; i < CREW_CLIENTS; i++)
        paths[i] = crew->clients[i].file;
    paths[CREW_CLIENTS] = crew->writer_file;
    paths[CREW_CLIENTS + 1] = end;
    must(history_check_files(paths, CREW_CLIENTS + 2, BANK_ACCOUNTS * BANK_EACH, &report, &err), &err, "judging");
    history_report_print(&report);
    if (report.ok < 10 || report.reads < 10)
        rig_die("hardly anything happened");
    return history_report_anomalies(&report);
}

int main(int argc, char **argv)
{
    static struct crew crew;
    int seconds = SECONDS;
    uint64_t seed = 1;
    bool keep = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--keep") == 0)
            keep = true;
        else if (i + 1 < argc && strcmp(argv[i], "--seconds") == 0)
            seconds = (int)strtol(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[++i], NULL, 10);
    }
    crew.client_program = HISTORY_CLIENT;
    open_crew(&crew, seed);
    crew.end_us = ch_clock_mono_us() + (int64_t)seconds * 1000000;
    nemesis_run(&crew);
    writer_stop(&crew);
    double rest = come_to_rest(&crew);
    printf("%d s: %d kills of clients, %d stops, %d partitions, %d cuts; server: %d kills, %d stops; PostgreSQL: %d crashes; %ld foreign writes\n", seconds,
           crew.kills, crew.stops, crew.partitions, crew.cuts, crew.server_kills, crew.server_stops, crew.crashes, crew.foreign);
    expect_all_equal(&crew);
    printf("at rest %.1f s after everything was healed: outboxes empty, %d replicas equal to the server\n", rest, CREW_CLIENTS);
    uint64_t anomalies = judge(&crew);
    for (int i = 0; i < CREW_CLIENTS; i++)
        proxy_close(crew.clients[i].proxy);
    if (anomalies || keep)
        printf("the histories are in %s\n", crew.rig.folder);
    if (anomalies)
        rig_die("%llu anomalies (seed %llu)", (unsigned long long)anomalies, (unsigned long long)seed);
    if (!keep)
        rig_close(&crew.rig);
    return 0;
}
