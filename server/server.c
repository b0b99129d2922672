// The life of charled, from the command line to the exit code.
//
//   settings ─► log ─► data folder and its lock ─► PostgreSQL (private or DATABASE_URL) ─► migrations ─► engine
//     ─► listening ─► ready ─► (signal) ─► drain ─► stop in reverse order
//
// The main thread owns all of this and, while the server runs, waits for signals and for notes of the keeper.
// Everything that answers calls is in the engine (engine.h) and its threads. The keeper is forked before the first
// thread is started. A stage that fails says why in one log line and gives the exit code; the stages before it are
// undone as at a normal stop.
#include "base/clock.h"
#include "base/log.h"
#include "server/app.h"
#include "server/cluster.h"
#include "server/config.h"
#include "server/datadir.h"
#include "server/ddl.h"
#include "server/engine.h"
#include "server/exit.h"
#include "server/presence.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CONNECT_TIMEOUT_MS = 15000,
    SCHEMA_SQL_SIZE_MAX = 32 << 20, // 47 tables take half a megabyte
    DRAIN_MS = 10000 // calls in flight get this long; service managers kill after 30 s or more
};

struct server {
    const struct ch_server_app *app;
    struct ch_config config;
    struct ch_datadir dir;
    struct ch_cluster *cluster;   // NULL with DATABASE_URL
    struct ch_presence *presence; // tells other servers of the database that we are here
    struct ch_engine *engine;
    const char *database_url;
    char display[CH_ENGINE_DISPLAY_SIZE]; // the database, for people
    char seeds_folder[4096 + 8];          // in the data folder
    int signals;                          // signalfd; -1: not made
    int log_fd;                           // -1: standard error
    int64_t start_us;
};

static enum ch_exit fail(enum ch_exit code, const struct charle_error *err)
{
    ch_log(CH_LOG_ERROR, "server", "%s", err->text);
    return code;
}

// --- the process ---------------------------------------------------------------------------------------------------

static int open_log_file(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static enum ch_exit open_log(struct server *server)
{
    const struct ch_config *config = &server->config;
    if (config->log_file)
        server->log_fd = open_log_file(config->log_file);
    ch_log_configure(config->log_level, config->log_format, server->log_fd >= 0 ? server->log_fd : 2);
    if (config->log_file && server->log_fd < 0) {
        ch_log(CH_LOG_ERROR, "server", "the log file %.150s cannot be opened: %s", config->log_file, strerror(errno));
        return CH_EXIT_USAGE;
    }
    return CH_EXIT_OK;
}

// After a rotation the name stands for another file. The number of the descriptor stays, so that threads which are
// about to write reach the new file.
static void reopen_log(const struct server *server)
{
    if (server->log_fd < 0)
        return;
    int fd = open_log_file(server->config.log_file);
    if (fd >= 0 && dup3(fd, server->log_fd, O_CLOEXEC) >= 0)
        ch_log(CH_LOG_INFO, "server", "the log file was opened anew");
    else
        ch_log(CH_LOG_WARN, "server", "the log file cannot be opened anew, the old one is kept: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
}

static enum ch_exit prepare_process(struct server *server)
{
    umask(077);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); // memory holds password hashes and rows of all clients
    signal(SIGPIPE, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL); // threads inherit this, so signals come to the descriptor only
    server->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (server->signals < 0 || sodium_init() < 0) {
        ch_log(CH_LOG_ERROR, "server", "signals or random numbers are not available: %s", strerror(errno));
        return CH_EXIT_FAILURE;
    }
    return CH_EXIT_OK;
}

// --- stages --------------------------------------------------------------------------------------------------------

static enum ch_exit exit_of_datadir(enum charle_err rc)
{
    return rc == CHARLE_BUSY ? CH_EXIT_IN_USE : rc == CHARLE_INVALID_ARGUMENT ? CH_EXIT_USAGE : CH_EXIT_CLUSTER;
}

static enum ch_exit open_datadir(struct server *server)
{
    struct charle_error err = {0};
    enum charle_err rc = ch_datadir_open(&server->dir, server->config.data_dir, !server->config.database_url, &err);
    return rc ? fail(exit_of_datadir(rc), &err) : CH_EXIT_OK;
}

static enum ch_exit start_cluster(struct server *server)
{
    struct charle_error err = {0};
    enum charle_err rc = ch_cluster_start(&server->dir, server->config.postgres_bin, &server->cluster, &err);
    if (rc)
        return fail(CH_EXIT_CLUSTER, &err);
    server->database_url = ch_cluster_url(server->cluster);
    snprintf(server->display, sizeof(server->display), "private PostgreSQL in %.150s", server->config.data_dir);
    char line[4096];
    snprintf(line, sizeof(line), "%.4000s\n", server->database_url);
    rc = ch_datadir_write_file(&server->dir, "database-url", line, &err);
    return rc ? fail(CH_EXIT_CLUSTER, &err) : CH_EXIT_OK;
}

static enum ch_exit find_database(struct server *server)
{
    struct charle_error err = {0};
    if (!server->config.database_url)
        return start_cluster(server);
    server->database_url = server->config.database_url;
    enum charle_err rc = ch_database_describe(server->database_url, server->display, &err);
    return rc ? fail(CH_EXIT_USAGE, &err) : CH_EXIT_OK;
}

static enum ch_exit migrate(struct server *server, bool may_apply)
{
    struct charle_error err = {0};
    PGconn *conn = NULL;
    size_t applied = 0;
    struct ch_migration_list list = ch_engine_migrations(server->app);
    enum charle_err rc = ch_database_open(server->database_url, CONNECT_TIMEOUT_MS, &conn, &err);
    if (rc)
        return fail(rc == CHARLE_INVALID_ARGUMENT ? CH_EXIT_USAGE : CH_EXIT_DATABASE, &err);
    rc = ch_migrate(conn, &list, may_apply, &applied, &err);
    if (rc == CHARLE_OK)
        ch_log(CH_LOG_INFO, "server", "the database is ready database=\"%s\" postgres=%s migrations_applied=%zu",
               server->display, PQparameterStatus(conn, "server_version"), applied);
    if (rc == CHARLE_OK)
        rc = ch_presence_open(conn, &server->presence, &err);
    else
        PQfinish(conn);
    return rc == CHARLE_OK ? CH_EXIT_OK : fail(rc == CHARLE_SCHEMA_MISMATCH ? CH_EXIT_SCHEMA : CH_EXIT_DATABASE, &err);
}

static enum ch_exit start_engine(struct server *server)
{
    struct charle_error err = {0};
    struct ch_engine_options options = {.app = server->app,
                                        .database_url = server->database_url,
                                        .display = server->display,
                                        .pool_size = server->config.pool_size,
                                        .upkeep_every_s = server->config.upkeep_every_s,
                                        .keep_log_days = server->config.keep_log_days,
                                        .keep_files_days = server->config.keep_files_days,
                                        .file_size_max = (int64_t)server->config.file_max_mib << 20,
                                        .file_store_max = (int64_t)server->config.files_max_mib << 20,
                                        .seeds_folder = server->config.makes_seeds ? server->seeds_folder : NULL,
                                        .seed_rows_min = server->config.seed_rows,
                                        .seed_size_max = (int64_t)server->config.seed_size_mib << 20,
                                        .seed_every_s = server->config.seed_every_s,
                                        .tls_cert_file = server->config.tls_cert_file,
                                        .tls_key_file = server->config.tls_key_file,
                                        .allow_plaintext = server->config.allow_plaintext,
                                        .read_from = (const char *const *)server->config.read_from,
                                        .read_from_count = server->config.read_from_count,
                                        .read_lag_ms = server->config.read_lag_ms,
                                        .operators_scope = server->config.operators_scope,
                                        .hints = {.listen = server->config.hints_listen,
                                                  .peers = server->config.peers,
                                                  .peer_count = server->config.peer_count,
                                                  .secret_file = server->config.hints_secret_file,
                                                  .tls_ca_file = server->config.hints_ca_file,
                                                  .tls_cert_file = server->config.tls_cert_file,
                                                  .tls_key_file = server->config.tls_key_file},
                                        .start_us = server->start_us};
    snprintf(server->seeds_folder, sizeof(server->seeds_folder), "%s/seeds", server->config.data_dir);
    enum charle_err rc = ch_engine_start(&options, &server->engine, &err);
    if (rc)
        return fail(rc == CHARLE_UNAVAILABLE ? CH_EXIT_DATABASE : CH_EXIT_FAILURE, &err);
    for (size_t i = 0; i < server->config.listen_count; i++) {
        char address[CH_ENGINE_ADDRESS_SIZE];
        rc = ch_engine_listen(server->engine, server->config.listen[i], address, &err);
        if (rc)
            return fail(CH_EXIT_LISTEN, &err);
        ch_log(CH_LOG_INFO, "server", "listening address=%s", address);
        if (ch_config_is_exposed(server->config.listen[i]))
            ch_log(CH_LOG_WARN, "server", "other machines reach this address without encryption address=%s", address);
    }
    return CH_EXIT_OK;
}

// --- while it runs -------------------------------------------------------------------------------------------------

// True when the server has to stop.
static bool read_cluster(struct server *server, enum ch_exit *out_code)
{
    struct ch_note note;
    for (;;) {
        enum charle_err rc = ch_cluster_read(server->cluster, &note);
        if (rc == CHARLE_DONE)
            return false;
        if (rc) {
            ch_log(CH_LOG_ERROR, "cluster",
                   "the process that runs the private PostgreSQL ended, and PostgreSQL with it: start charled again");
            *out_code = CH_EXIT_CLUSTER;
            return true;
        }
        note.text[sizeof(note.text) - 1] = '\0';
        if (note.kind == CH_NOTE_DIED)
            ch_log(CH_LOG_WARN, "cluster",
                   "PostgreSQL ended by itself and is started again in_ms=%" PRIu32 " last_words=\"%s\"", note.delay_ms,
                   note.text);
        else if (note.kind == CH_NOTE_READY)
            ch_log(CH_LOG_INFO, "cluster", "PostgreSQL runs again pid=%d", (int)note.pid);
        else
            ch_log(CH_LOG_INFO, "cluster", "%s", note.text);
    }
}

// True when the server has to stop.
static bool read_signals(const struct server *server)
{
    struct signalfd_siginfo info;
    bool must_stop = false;
    while (read(server->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGHUP) {
            reopen_log(server);
            continue;
        }
        ch_log(CH_LOG_INFO, "server", "stopping signal=%s", info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM");
        must_stop = true;
    }
    return must_stop;
}

static enum ch_exit serve(struct server *server)
{
    enum ch_exit code = CH_EXIT_OK;
    for (;;) {
        struct pollfd fds[2] = {{.fd = server->signals, .events = POLLIN},
                                {.fd = server->cluster ? ch_cluster_fd(server->cluster) : -1, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return CH_EXIT_FAILURE;
        if (fds[0].revents && read_signals(server))
            return CH_EXIT_OK;
        if (fds[1].revents && read_cluster(server, &code))
            return code;
    }
}

static enum ch_exit run_stages(struct server *server)
{
    enum ch_exit code = open_datadir(server);
    if (code == CH_EXIT_OK)
        code = find_database(server);
    if (code == CH_EXIT_OK)
        code = migrate(server, server->config.may_migrate);
    if (code == CH_EXIT_OK && !server->config.database_only)
        code = start_engine(server);
    if (code == CH_EXIT_OK) {
        ch_log(CH_LOG_INFO, "server", "ready version=" CH_SERVER_VERSION " schema=%.*s pid=%ld start_ms=%" PRId64,
               CHARLE_FMT(server->app->schema->name), (long)getpid(), (ch_clock_mono_us() - server->start_us) / 1000);
        code = serve(server);
    }
    ch_engine_stop(server->engine, DRAIN_MS);
    ch_presence_close(server->presence);
    ch_cluster_stop(server->cluster);
    ch_datadir_close(&server->dir);
    ch_log(CH_LOG_INFO, "server", "stopped exit_code=%d", (int)code);
    return code;
}

// --- check ---------------------------------------------------------------------------------------------------------

// Looks without changing anything: no folder is made, nothing is started.
static enum ch_exit check(struct server *server)
{
    printf("settings   ok\n");
    for (size_t i = 0; i < server->config.listen_count; i++)
        printf("listen     %s\n", server->config.listen[i]);
    printf("data       %s\n", server->config.data_dir);
    if (!server->config.database_url) {
        printf("database   private PostgreSQL in the data folder (no DATABASE_URL is set)\n");
        return CH_EXIT_OK;
    }
    fflush(stdout);
    enum ch_exit code = find_database(server);
    if (code == CH_EXIT_OK)
        code = migrate(server, false);
    if (code == CH_EXIT_OK)
        printf("database   %s, reachable, schema up to date\n", server->display);
    ch_presence_close(server->presence);
    return code;
}

static enum ch_exit print_schema(const struct charle_schema *schema)
{
    struct charle_buf sql;
    charle_buf_init(&sql, SCHEMA_SQL_SIZE_MAX);
    ch_ddl_write(schema, &sql);
    bool is_written = !sql.failed && fwrite(sql.data, 1, sql.size, stdout) == sql.size && fflush(stdout) == 0;
    charle_buf_deinit(&sql);
    if (!is_written)
        fprintf(stderr, "the schema cannot be written: the output is closed or full\n");
    return is_written ? CH_EXIT_OK : CH_EXIT_FAILURE;
}

int ch_server_main(const struct ch_server_app *app, int argc, char **argv)
{
    struct server server = {
        .app = app, .dir = {.lock_fd = -1}, .signals = -1, .log_fd = -1, .start_us = ch_clock_mono_us()};
    struct charle_error err = {0};
    enum ch_exit code = CH_EXIT_OK;
    enum charle_err rc = ch_config_init(&server.config, argc, argv, environ, &err);
    unsetenv("DATABASE_URL"); // no child of ours shall inherit them
    unsetenv("CHARLE_READ_FROM");
    if (rc) {
        fprintf(stderr, "%s: %s\n", app->name, err.text);
        code = CH_EXIT_USAGE;
    } else if (server.config.action == CH_CONFIG_HELP) {
        ch_config_print_help(app->name);
    } else if (server.config.action == CH_CONFIG_VERSION) {
        printf("%s " CH_SERVER_VERSION " schema %.*s %016" PRIx64 "\n", app->name, CHARLE_FMT(app->schema->name),
               app->schema->hash);
    } else if (server.config.action == CH_CONFIG_SCHEMA) {
        code = print_schema(app->schema);
    } else {
        code = open_log(&server);
        if (code == CH_EXIT_OK)
            code = prepare_process(&server);
        if (code == CH_EXIT_OK)
            code = server.config.action == CH_CONFIG_CHECK ? check(&server) : run_stages(&server);
    }
    if (server.signals >= 0)
        close(server.signals);
    ch_config_deinit(&server.config);
    if (server.log_fd >= 0)
        close(server.log_fd);
    return (int)code;
}
