// kill -9 of client and server at random: no acknowledged write lost, none applied twice, never stuck.
//
//   kill_test [ROUNDS] [SEED] [SERVER_PERCENT]     200 rounds by default, half of them kills of the server
//
// Writers are processes of their own on one replica each, synchronising in the background. A write counts as acknowledged when the call
// returned and its name was written to the writer's list (one write() to a file, which survives a kill of the process). Each round the
// parent kills a writer or the server at a random moment and starts it again. In the end everything is let run: each acknowledged comment
// must be on the server exactly once, each outbox empty, each replica equal to the server.
#include "base/err.h"
#include "charleos.schema.charle.h"
#include "fault/agency.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WRITERS = 2, ROUNDS = 200, SERVER_PERCENT = 50, SETTLE_MS = 60000, LONG_ROUNDS = 1000, LONG_PAUSE_MS = 20 };

static const char *const people[WRITERS] = {"pia@charleos.test", "mo@charleos.test"};

struct writer {
    pid_t pid;
    char name[16];
    char token[256];
    char list[100]; // names of acknowledged comments, one a line
    int life;       // how often it was started: part of the names
    int pause_ms;   // between comments; long runs write less, so that the database stays small
};

// The writer's process: never returns.
_Noreturn static void write_on(struct rig *rig, const struct writer *writer)
{
    struct charle_error err = {0};
    struct charle_client *client = rig_client(rig, writer->name, writer->token);
    int list = open(writer->list, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (list < 0 || charle_client_start(client, &err))
        _exit(3);
    for (int i = 0;; i++) {
        char body[64], line[72];
        snprintf(body, sizeof(body), "%s life %d number %d", writer->name, writer->life, i);
        if (agency_comment(client, body, &err)) {
            fprintf(stderr, "%s: %s\n", body, err.text);
            _exit(4);
        }
        int size = snprintf(line, sizeof(line), "%s\n", body);
        if (write(list, line, (size_t)size) != size)
            _exit(5);
        rig_pause(i % 7 == 0 ? 20 : writer->pause_ms);
    }
}

static void start_writer(struct rig *rig, struct writer *writer, const char *program)
{
    char life[16], pause[16];
    writer->life++;
    snprintf(life, sizeof(life), "%d", writer->life);
    snprintf(pause, sizeof(pause), "%d", writer->pause_ms);
    writer->pid = fork();
    if (writer->pid == 0) {
        // A fresh program: the library's threads do not survive a fork.
        execl(program, program, "--write", rig->folder, rig->address, writer->name, writer->token, life, pause, (char *)NULL);
        _exit(127);
    }
}

static void check_alive(const struct writer *writer)
{
    int status;
    if (waitpid(writer->pid, &status, WNOHANG) == 0)
        return;
    rig_die("writer %s ended by itself with status %d", writer->name, status);
}

static void first_copy(struct rig *rig, struct writer *writer)
{
    struct charle_error err = {0};
    struct charle_client *client = rig_client(rig, writer->name, writer->token);
    if (charle_client_sync(client, SETTLE_MS, &err))
        rig_die("first copy of %s: %s", writer->name, err.text);
    charle_client_close(client);
}

static void show_wrong(PGconn *pg)
{
    PGresult *result = PQexec(pg, "select a.body, count(c.body) from acknowledged a left join comment c on c.body = a.body group by a.body "
                                  "having count(c.body) <> 1 order by 1 limit 30");
    for (int i = 0; i < PQntuples(result); i++)
        fprintf(stderr, "%s: %s times\n", PQgetvalue(result, i, 0), PQgetvalue(result, i, 1));
    PQclear(result);
}

// Each acknowledged comment is on the server once. Returns how many there are.
static long count_acknowledged(const struct writer *writer, PGconn *pg)
{
    char line[128];
    FILE *list = fopen(writer->list, "r");
    rig_sql(pg, "create temp table acknowledged (body text); begin");
    PQclear(PQexec(pg, "copy acknowledged from stdin"));
    while (list && fgets(line, sizeof(line), list))
        if (PQputCopyData(pg, line, (int)strlen(line)) != 1)
            rig_die("copy: %s", PQerrorMessage(pg));
    PQputCopyEnd(pg, NULL);
    for (PGresult *result; (result = PQgetResult(pg)); PQclear(result))
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            rig_die("copy: %s", PQerrorMessage(pg));
    if (list)
        fclose(list);
    long wrong = rig_number(pg, "select count(*) from (select a.body from acknowledged a left join comment c on c.body = a.body group by a.body having count(c.body) <> 1) x");
    if (wrong)
        show_wrong(pg);
    if (wrong)
        rig_die("%ld acknowledged comments of %s are not on the server, or twice", wrong, writer->name);
    long count = rig_number(pg, "select count(*) from acknowledged");
    rig_sql(pg, "commit; drop table acknowledged");
    return count;
}

// Lets the replica come to rest and compares it with the server. Returns how many comments were acknowledged.
static long settle(struct rig *rig, struct writer *writer, PGconn *pg)
{
    struct charle_error err = {0};
    struct charle_verify_report report;
    struct charle_client_status status;
    struct charle_client *client = rig_client(rig, writer->name, writer->token);
    if (charle_client_sync(client, SETTLE_MS, &err))
        rig_die("%s is stuck: %s", writer->name, err.text);
    charle_client_status(client, &status);
    if (status.pending_calls || status.inbox_count)
        rig_die("%s: %lld calls wait, %lld verdicts came", writer->name, (long long)status.pending_calls, (long long)status.inbox_count);
    if (charle_client_verify(client, SETTLE_MS, &report, &err))
        rig_die("verify of %s: %s", writer->name, err.text);
    if (report.rows_different)
        rig_die("%s: %lld of %lld rows differed from the server", writer->name, (long long)report.rows_different, (long long)report.rows);
    charle_client_close(client);
    return count_acknowledged(writer, pg);
}

static void run_rounds(struct rig *rig, struct writer *writers, int rounds, int server_percent, const char *program)
{
    int client_kills = 0, server_kills = 0;
    for (int round = 0; round < rounds; round++) {
        rig_pause((int)rig_random(rig, 250));
        for (int i = 0; i < WRITERS; i++)
            check_alive(&writers[i]);
        if ((int)rig_random(rig, 100) < server_percent) {
            rig_kill_server(rig, SIGKILL);
            rig_pause((int)rig_random(rig, 60));
            rig_start_server(rig);
            server_kills++;
        } else {
            struct writer *writer = &writers[rig_random(rig, WRITERS)];
            kill(writer->pid, SIGKILL);
            waitpid(writer->pid, NULL, 0);
            start_writer(rig, writer, program);
            client_kills++;
        }
        if (round % (rounds > LONG_ROUNDS ? 500 : 20) == 0 || round + 1 == rounds)
            printf("round %d: %d kills of clients, %d of the server\n", round + 1, client_kills, server_kills);
        fflush(stdout);
    }
    for (int i = 0; i < WRITERS; i++) {
        check_alive(&writers[i]);
        kill(writers[i].pid, SIGKILL);
        waitpid(writers[i].pid, NULL, 0);
    }
}

static int be_writer(char **argv)
{
    struct rig rig = {.options = {.schema = &charleos_schema}};
    struct writer writer = {.life = atoi(argv[6]), .pause_ms = atoi(argv[7])};
    snprintf(rig.folder, sizeof(rig.folder), "%s", argv[2]);
    snprintf(rig.address, sizeof(rig.address), "%s", argv[3]);
    snprintf(writer.name, sizeof(writer.name), "%s", argv[4]);
    snprintf(writer.token, sizeof(writer.token), "%s", argv[5]);
    snprintf(writer.list, sizeof(writer.list), "%s/%s.list", rig.folder, writer.name);
    write_on(&rig, &writer);
}

int main(int argc, char **argv)
{
    if (argc == 8 && strcmp(argv[1], "--write") == 0)
        return be_writer(argv);
    int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    int server_percent = argc > 3 ? atoi(argv[3]) : SERVER_PERCENT;
    struct rig rig;
    struct writer writers[WRITERS] = {{0}};
    printf("%d rounds with seed %llu\n", rounds, (unsigned long long)seed);
    agency_open(&rig, seed, false);
    for (int i = 0; i < WRITERS; i++) {
        snprintf(writers[i].name, sizeof(writers[i].name), "writer%d", i);
        writers[i].pause_ms = rounds > LONG_ROUNDS ? LONG_PAUSE_MS : 1;
        snprintf(writers[i].list, sizeof(writers[i].list), "%s/writer%d.list", rig.folder, i);
        rig_login(&rig, people[i], writers[i].token);
        first_copy(&rig, &writers[i]);
    }
    for (int i = 0; i < WRITERS; i++)
        start_writer(&rig, &writers[i], argv[0]);
    run_rounds(&rig, writers, rounds, server_percent, argv[0]);
    PGconn *pg = rig_psql(&rig);
    long acknowledged = 0;
    for (int i = 0; i < WRITERS; i++)
        acknowledged += settle(&rig, &writers[i], pg);
    long doubled = rig_number(pg, "select count(*) from (select body from comment where body like 'writer%' group by body having count(*) > 1) x");
    if (doubled || acknowledged < rounds)
        rig_die("%ld comments were applied twice; %ld were acknowledged", doubled, acknowledged);
    printf("%ld acknowledged writes, all on the server exactly once; both replicas are equal to it\n", acknowledged);
    PQfinish(pg);
    rig_close(&rig);
    return 0;
}
