#include "server/cluster.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "server/database.h"
#include "server/pghome.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    START_TIMEOUT_MS = 600000, // recovery after a crash may have to replay gigabytes; notes tell that it goes on
    CONNECT_TIMEOUT_MS = 20000,
    STOP_TIMEOUT_MS = 45000, // the keeper's own bounds add up to 35 s
    URL_SIZE_MAX = 4 * CH_PGFILES_PATH_SIZE
};

struct ch_cluster {
    struct ch_pgfiles files;
    pid_t keeper;
    int control; // our end; -1 when closed
    char url[URL_SIZE_MAX];
};

const char *ch_cluster_url(const struct ch_cluster *cluster)
{
    return cluster->url;
}

int ch_cluster_fd(const struct ch_cluster *cluster)
{
    return cluster->control;
}

enum charle_err ch_cluster_read(struct ch_cluster *cluster, struct ch_note *out)
{
    ssize_t n = recv(cluster->control, out, sizeof(*out), MSG_DONTWAIT);
    if (n == (ssize_t)sizeof(*out))
        return CHARLE_OK;
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? CHARLE_DONE : CHARLE_CLOSED;
}

// postgresql:///charle?host=%2Fvar%2F…&user=charle
static void write_url(struct ch_cluster *cluster, const char *database)
{
    char *to = cluster->url,
         *end = to + sizeof(cluster->url); // three bytes for each of the socket's path fit with room to spare
    to += snprintf(to, (size_t)(end - to), "postgresql:///%.63s?host=", database);
    for (const unsigned char *c = (const unsigned char *)cluster->files.socket; *c; c++) {
        bool is_plain =
            (*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') || strchr("-_.", *c);
        to += snprintf(to, (size_t)(end - to), is_plain ? "%c" : "%%%02X", *c);
    }
    snprintf(to, (size_t)(end - to), "&port=5432&user=" CH_PGFILES_USER);
}

static enum charle_err fork_keeper(struct ch_cluster *cluster, const struct ch_datadir *dir, struct charle_error *err)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return charle_fail(err, CHARLE_IO, "cannot make a socket pair: %s", strerror(errno));
    cluster->keeper = fork();
    if (cluster->keeper == 0) {
        close(ends[0]);
        close(dir->lock_fd); // the folder's lock is the server's alone
        ch_keeper_run(&cluster->files, dir, ends[1]);
    }
    close(ends[1]);
    cluster->control = ends[0];
    if (cluster->keeper < 0)
        return charle_fail(err, CHARLE_NO_MEMORY, "cannot start a process for PostgreSQL: %s", strerror(errno));
    return CHARLE_OK;
}

static enum charle_err wait_ready(struct ch_cluster *cluster, struct charle_error *err)
{
    int64_t deadline_us = ch_clock_mono_us() + (int64_t)START_TIMEOUT_MS * 1000;
    for (;;) {
        int64_t left_ms = (deadline_us - ch_clock_mono_us()) / 1000;
        struct pollfd p = {.fd = cluster->control, .events = POLLIN};
        if (left_ms <= 0)
            return charle_fail(err, CHARLE_DEADLINE_EXCEEDED,
                               "the private PostgreSQL has not started in %d minutes: see %.120s",
                               START_TIMEOUT_MS / 60000, cluster->files.log);
        poll(&p, 1, (int)left_ms);
        struct ch_note note;
        enum charle_err rc = ch_cluster_read(cluster, &note);
        if (rc == CHARLE_CLOSED)
            return charle_fail(err, CHARLE_INTERNAL,
                               "the process that runs the private PostgreSQL ended: start charled again");
        if (rc)
            continue;
        note.text[sizeof(note.text) - 1] = '\0';
        if (note.kind == CH_NOTE_READY)
            return CHARLE_OK;
        if (note.kind == CH_NOTE_FAILED)
            return charle_fail(err, (enum charle_err)note.code, "%s", note.text);
        ch_log(CH_LOG_INFO, "cluster", "%s", note.text);
    }
}

static enum charle_err make_database(struct ch_cluster *cluster, struct charle_error *err)
{
    PGconn *conn = NULL;
    PGresult *result = NULL;
    const char *const name[] = {CH_PGFILES_DATABASE};
    write_url(cluster, "postgres");
    enum charle_err rc = ch_database_open(cluster->url, CONNECT_TIMEOUT_MS, &conn, err);
    if (rc == CHARLE_OK)
        rc = ch_database_run(conn, "looking for the database", "select 1 from pg_database where datname = $1", name, 1,
                             &result, err);
    if (rc == CHARLE_OK && PQntuples(result) == 0)
        rc = ch_database_run(conn, "making the database", "create database " CH_PGFILES_DATABASE, NULL, 0, NULL, err);
    PQclear(result);
    PQfinish(conn);
    write_url(cluster, CH_PGFILES_DATABASE);
    return rc;
}

enum charle_err ch_cluster_start(const struct ch_datadir *dir, const char *postgres_bin, struct ch_cluster **out,
                                 struct charle_error *err)
{
    struct ch_cluster *cluster = ch_alloc_zeroed(1, sizeof(*cluster));
    if (!cluster)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while starting PostgreSQL");
    cluster->control = -1;
    cluster->keeper = -1;
    char root[CH_PGFILES_PATH_SIZE];
    enum charle_err rc = ch_pghome_find(dir, root, sizeof(root), err);
    if (rc == CHARLE_OK)
        rc = ch_pgfiles_init(&cluster->files, root, postgres_bin, geteuid(), dir->uid, err);
    if (rc == CHARLE_OK)
        rc = fork_keeper(cluster, dir, err);
    if (rc == CHARLE_OK)
        rc = wait_ready(cluster, err);
    if (rc == CHARLE_OK)
        rc = make_database(cluster, err);
    if (rc) {
        ch_cluster_stop(cluster);
        return rc;
    }
    *out = cluster;
    return CHARLE_OK;
}

// Passes on what the keeper says while it stops. False when the time is up.
static bool wait_end(struct ch_cluster *cluster)
{
    int64_t deadline_us = ch_clock_mono_us() + (int64_t)STOP_TIMEOUT_MS * 1000;
    while (ch_clock_mono_us() < deadline_us) {
        struct pollfd p = {.fd = cluster->control, .events = POLLIN};
        poll(&p, 1, 1000);
        struct ch_note note;
        enum charle_err rc = ch_cluster_read(cluster, &note);
        if (rc == CHARLE_CLOSED)
            return true;
        if (rc == CHARLE_OK && note.kind == CH_NOTE_PROGRESS)
            ch_log(CH_LOG_INFO, "cluster", "%.200s", note.text);
    }
    return false;
}

void ch_cluster_stop(struct ch_cluster *cluster)
{
    if (!cluster)
        return;
    if (cluster->control >= 0) {
        shutdown(cluster->control, SHUT_WR); // the keeper sees the end of the conversation, we still hear it
        if (!wait_end(cluster) && cluster->keeper > 0)
            kill(cluster->keeper, SIGKILL);
        close(cluster->control);
    }
    if (cluster->keeper > 0)
        while (waitpid(cluster->keeper, NULL, 0) < 0 && errno == EINTR)
            ;
    ch_free(cluster);
}
