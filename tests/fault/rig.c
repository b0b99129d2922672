#include "fault/rig.h"

#include "base/err.h"
#include "support/hard_kill.h"
#include "support/scratch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

const char rig_password[] = "fault-test-password";
static pid_t live_charled;

_Noreturn void rig_die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "FAILED: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    if (live_charled)
        kill(live_charled, SIGKILL);
    exit(1);
}

uint64_t rig_random(struct rig *rig, uint64_t below)
{
    // splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014)
    uint64_t z = rig->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return below ? (z ^ z >> 31) % below : 0;
}

void rig_pause(int ms)
{
    poll(NULL, 0, ms);
}

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 || getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        rig_die("no free port: %s", strerror(errno));
    close(fd);
    return ntohs(address.sin_port);
}

static bool is_listening(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool ok = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return ok;
}

void rig_start_server(struct rig *rig)
{
    char data[100], log[100], path[400];
    snprintf(data, sizeof(data), "%s/server", rig->folder);
    snprintf(log, sizeof(log), "%s/server.log", rig->folder);
    snprintf(path, sizeof(path), "%s", rig->options.program);
    char *argv[] = {path, (char *)"--data-dir", data, (char *)"--listen", rig->address, (char *)"--migrate", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    setenv("DATABASE_URL", rig->url, 1);
    if (posix_spawn(&rig->charled, argv[0], &actions, NULL, argv, environ) != 0)
        rig_die("cannot run %s", argv[0]);
    live_charled = rig->charled;
    posix_spawn_file_actions_destroy(&actions);
    for (int i = 0; !is_listening(rig->port); i++) {
        if (i > 3000 || waitpid(rig->charled, NULL, WNOHANG) != 0)
            rig_die("the server does not listen; its log is %s", log);
        rig_pause(20);
    }
}

void rig_kill_server(struct rig *rig, int number)
{
    ch_kill(rig->charled, number);
    waitpid(rig->charled, NULL, 0);
    rig->charled = live_charled = 0;
}

void rig_allow(PGconn *pg, const char *principal, const char *id)
{
    static char hash[crypto_pwhash_STRBYTES]; // made once: it is slow on purpose
    char sql[400];
    if (!hash[0] && (sodium_init() < 0 || crypto_pwhash_str(hash, rig_password, strlen(rig_password), crypto_pwhash_OPSLIMIT_MIN, crypto_pwhash_MEMLIMIT_MIN) != 0))
        rig_die("no hash");
    snprintf(sql, sizeof(sql), "insert into charle.credential (principal, principal_id, hash) values ('%s', '%s', '%s')", principal, id, hash);
    rig_sql(pg, sql);
}

void rig_open(struct rig *rig, const struct rig_options *options)
{
    *rig = (struct rig){.options = *options, .random = options->random};
    const struct ch_pg_cluster_options cluster = {.is_durable = options->is_durable};
    rig->cluster = ch_pg_cluster_start(&cluster);
    if (!rig->cluster || !ch_scratch_folder("fault", rig->folder, sizeof(rig->folder)) || !ch_pg_cluster_database(rig->cluster, "charle", rig->url))
        rig_die("no database to hurt");
    rig->port = free_port();
    snprintf(rig->address, sizeof(rig->address), "tcp://%s:%d", options->host ? options->host : "127.0.0.1", rig->port);
    rig_start_server(rig);
    PGconn *pg = rig_psql(rig);
    options->seed(rig, pg);
    PQfinish(pg);
}

void rig_close(struct rig *rig)
{
    char command[128];
    if (rig->charled)
        rig_kill_server(rig, SIGTERM);
    ch_pg_cluster_stop(rig->cluster);
    snprintf(command, sizeof(command), "rm -rf %s", rig->folder);
    if (system(command) != 0)
        fprintf(stderr, "%s was left behind\n", rig->folder);
}

void rig_login(struct rig *rig, const char *email, char token[256])
{
    struct charle_error err = {0};
    struct charle_login_result reply;
    const struct charle_login_options options = {.url = rig->address, .email = email, .password = rig_password};
    if (charle_login(&options, &reply, &err))
        rig_die("login: %s", err.text);
    memcpy(token, reply.token, 256);
}

struct charle_client *rig_client(struct rig *rig, const char *name, const char *token)
{
    return rig_client_at(rig, rig->address, name, token);
}

struct charle_client *rig_client_at(struct rig *rig, const char *url, const char *name, const char *token)
{
    char file[160];
    struct charle_error err = {0};
    struct charle_client *client;
    snprintf(file, sizeof(file), "%s/%s/replica.db", rig->folder, name);
    const struct charle_client_options options = {
        .file = file, .schema = rig->options.schema, .url = url, .token = token, .device_name = name};
    if (charle_client_open(&options, &client, &err))
        rig_die("open: %s", err.text);
    return client;
}

PGconn *rig_psql(struct rig *rig)
{
    PGconn *pg = PQconnectdb(rig->url);
    if (PQstatus(pg) != CONNECTION_OK)
        rig_die("%s", PQerrorMessage(pg));
    return pg;
}

void rig_sql(PGconn *pg, const char *sql)
{
    PGresult *result = PQexec(pg, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        rig_die("%s in %s", PQerrorMessage(pg), sql);
    PQclear(result);
}

long rig_number(PGconn *pg, const char *sql)
{
    PGresult *result = PQexec(pg, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
        rig_die("%s in %s", PQerrorMessage(pg), sql);
    long value = strtol(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return value;
}
