#include "server/database.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    STARTING_UP_PAUSE_MS = 100, // between two tries while PostgreSQL recovers
    MESSAGE_LEN_MAX = 150       // of PostgreSQL's own words in a sentence of ours
};

// --- describing ----------------------------------------------------------------------------------------------------

static const char *option_value(const PQconninfoOption *options, const char *keyword)
{
    for (const PQconninfoOption *o = options; o && o->keyword; o++)
        if (strcmp(o->keyword, keyword) == 0)
            return o->val && *o->val ? o->val : NULL;
    return NULL;
}

// libpq's message may quote the address. Only the kinds that name a parameter's keyword are repeated.
static enum charle_err explain_syntax(const char *message, struct charle_error *err)
{
    static const char *const safe[] = {"invalid URI query parameter", "invalid connection option"};
    for (size_t i = 0; message && i < sizeof(safe) / sizeof(safe[0]); i++) {
        if (strncmp(message, safe[i], strlen(safe[i])) == 0)
            return charle_fail(
                err, CHARLE_INVALID_ARGUMENT,
                "DATABASE_URL: %.*s. Parameters after ? are those of libpq, for instance sslmode=require",
                (int)strcspn(message, "\n"), message);
    }
    return charle_fail(
        err, CHARLE_INVALID_ARGUMENT,
        "DATABASE_URL is not an address that libpq understands. It looks like "
        "postgresql://user:password@host:5432/name?sslmode=require; special characters in the password are "
        "written as %%40 and the like");
}

enum charle_err ch_database_describe(const char *url, char out[CH_DATABASE_DISPLAY_SIZE], struct charle_error *err)
{
    char *message = NULL;
    // Without a scheme or a '=' libpq would take the whole text for a database name, a forgotten password among it.
    bool is_url = strncmp(url, "postgresql://", 13) == 0 || strncmp(url, "postgres://", 11) == 0;
    PQconninfoOption *options = is_url || strchr(url, '=') ? PQconninfoParse(url, &message) : NULL;
    enum charle_err rc = CHARLE_OK;
    if (!options) {
        rc = explain_syntax(message, err);
    } else {
        const char *host = option_value(options, "host");
        const char *address = option_value(options, "hostaddr");
        const char *port = option_value(options, "port");
        const char *name = option_value(options, "dbname");
        const char *user = option_value(options, "user");
        host = host ? host : address ? address : getenv("PGHOST");
        snprintf(out, CH_DATABASE_DISPLAY_SIZE, "%.90s:%.10s/%.63s", host ? host : "local socket", port ? port : "5432",
                 name   ? name
                 : user ? user
                        : "");
    }
    PQconninfoFree(options);
    PQfreemem(message);
    return rc;
}

// --- explaining ----------------------------------------------------------------------------------------------------

struct explanation {
    const char *sqlstate; // NULL: by words
    const char *words;    // part of libpq's message; NULL: by SQLSTATE alone
    enum charle_err code;
    const char *text; // goes behind "the database at host:port/name "
};

// The first that fits is taken, so the particular stand before the general.
static const struct explanation explanations[] = {
    {"28P01", NULL, CHARLE_UNAUTHENTICATED,
     "refused the password: check user and password in DATABASE_URL (special characters are written as %40 and the "
     "like)"},
    {"28000", "no encryption", CHARLE_FAILED_PRECONDITION,
     "takes only encrypted connections (or does not know this user and database): add ?sslmode=require to "
     "DATABASE_URL, "
     "or allow the connection in pg_hba.conf"},
    {"28000", "SSL off", CHARLE_FAILED_PRECONDITION,
     "takes only encrypted connections (or does not know this user and database): add ?sslmode=require to "
     "DATABASE_URL, "
     "or allow the connection in pg_hba.conf"},
    {"28000", "does not exist", CHARLE_UNAUTHENTICATED,
     "has no such user: create it with CREATE ROLE … LOGIN, or correct DATABASE_URL"},
    {"28000", NULL, CHARLE_PERMISSION_DENIED,
     "does not let this user in: its pg_hba.conf must allow the user, the database and this machine"},
    {"3D000", NULL, CHARLE_NOT_FOUND,
     "has no such database: create it with CREATE DATABASE, or correct the name in DATABASE_URL"},
    {"42501", NULL, CHARLE_PERMISSION_DENIED, "does not let this user connect: GRANT CONNECT ON DATABASE … to it"},
    {"53300", NULL, CHARLE_RESOURCE_EXHAUSTED,
     "has no connection left: raise max_connections there, or lower --pool-size here"},
    {"57P03", NULL, CHARLE_UNAVAILABLE, "is still starting up or recovering: try again in a moment"},
    {"53100", NULL, CHARLE_DISK_FULL, "has no disk space left: free some there"},
    {NULL, "no password supplied", CHARLE_UNAUTHENTICATED,
     "wants a password: put it into DATABASE_URL as user:password@, or into ~/.pgpass"},
    {NULL, "server does not support SSL", CHARLE_FAILED_PRECONDITION,
     "does not speak SSL, which sslmode demands: turn ssl on there, or use sslmode=prefer if the network is yours"},
    {NULL, "invalid response to SSL negotiation", CHARLE_FAILED_PRECONDITION,
     "is not PostgreSQL: something else answers at that address. Check host and port in DATABASE_URL"},
    {NULL, "expected authentication request", CHARLE_FAILED_PRECONDITION,
     "is not PostgreSQL: something else answers at that address. Check host and port in DATABASE_URL"},
    {NULL, "unsupported frontend protocol", CHARLE_FAILED_PRECONDITION, "is too old: PostgreSQL 13 or newer is needed"},
    {NULL, "certificate verify failed", CHARLE_UNAUTHENTICATED,
     "shows a certificate that is not trusted: give its authority with sslrootcert=FILE in DATABASE_URL"},
    {NULL, "root certificate file", CHARLE_INVALID_ARGUMENT,
     "cannot be verified, the authority's certificate is missing: give sslrootcert=FILE in DATABASE_URL"},
    {NULL, "does not match host name", CHARLE_UNAUTHENTICATED,
     "shows a certificate for another name: connect by the name in its certificate"},
    {NULL, "SSL error", CHARLE_UNAVAILABLE, "broke off the encrypted connection: check sslmode and the certificates"},
    {NULL, "invalid sslmode value", CHARLE_INVALID_ARGUMENT,
     "was given an unknown sslmode: disable, allow, prefer, require, verify-ca and verify-full exist"},
    {NULL, "invalid port number", CHARLE_INVALID_ARGUMENT, "was given a port that is not a number from 1 to 65535"},
    {NULL, "could not translate host name", CHARLE_UNAVAILABLE,
     "cannot be found, its host name is unknown: check the name in DATABASE_URL and the name service"},
    {NULL, "Connection refused", CHARLE_UNAVAILABLE,
     "cannot be reached, nothing listens there: start PostgreSQL, or check host and port in DATABASE_URL"},
    {NULL, "No such file or directory", CHARLE_UNAVAILABLE,
     "cannot be reached, there is no such socket: start PostgreSQL, or check host and port in DATABASE_URL"},
    {NULL, "Permission denied", CHARLE_PERMISSION_DENIED,
     "cannot be reached, its socket is closed to this user: run as a user who may"},
    {NULL, "timeout expired", CHARLE_UNAVAILABLE,
     "does not answer: check host and port in DATABASE_URL and the firewalls between"},
    {NULL, "server closed the connection unexpectedly", CHARLE_UNAVAILABLE,
     "closed the connection without a word: it is not PostgreSQL, or it has just crashed; check the address and its "
     "log"},
};

// The state stands in a verbose message as "FATAL:  28P01: …".
static bool has_sqlstate(const char *message, const char *sqlstate)
{
    char pattern[16];
    snprintf(pattern, sizeof(pattern), ":  %s: ", sqlstate);
    return strstr(message, pattern) != NULL;
}

static enum charle_err explain(const char *display, const char *message, struct charle_error *err)
{
    for (size_t i = 0; i < sizeof(explanations) / sizeof(explanations[0]); i++) {
        const struct explanation *e = &explanations[i];
        if (e->sqlstate && !has_sqlstate(message, e->sqlstate))
            continue;
        if (e->words && !strstr(message, e->words))
            continue;
        return charle_fail_foreign(err, e->code, CHARLE_DOMAIN_POSTGRES,
                                   e->sqlstate ? charle_sqlstate_pack(e->sqlstate) : 0, "the database at %.80s %s",
                                   display, e->text);
    }
    return charle_fail(err, CHARLE_UNAVAILABLE, "the database at %.80s cannot be used: %.*s", display, MESSAGE_LEN_MAX,
                       message);
}

// --- connecting ----------------------------------------------------------------------------------------------------

// Drives the connection to its end. False when the time is up.
static bool connect_within(PGconn *conn, int64_t deadline_us)
{
    PostgresPollingStatusType want = PGRES_POLLING_WRITING;
    while (want != PGRES_POLLING_OK && want != PGRES_POLLING_FAILED) {
        int64_t left_ms = (deadline_us - ch_clock_mono_us()) / 1000;
        struct pollfd fd = {.fd = PQsocket(conn), .events = want == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        if (left_ms <= 0 || fd.fd < 0)
            return left_ms > 0;
        int ready = poll(&fd, 1, (int)left_ms);
        if (ready < 0 && errno != EINTR)
            return true; // PQstatus says that it is bad
        if (ready > 0)
            want = PQconnectPoll(conn);
    }
    return true;
}

static enum charle_err try_open(const char *url, const char *display, int64_t deadline_us, PGconn **out,
                                struct charle_error *err)
{
    const char *const keywords[] = {"dbname", "fallback_application_name", "client_encoding", NULL};
    const char *const values[] = {url, "charled", "UTF8", NULL};
    PGconn *conn = PQconnectStartParams(keywords, values, 1);
    if (!conn)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while connecting to the database");
    PQsetErrorVerbosity(conn, PQERRORS_VERBOSE); // so that the message holds the SQLSTATE
    bool is_in_time = PQstatus(conn) == CONNECTION_BAD || connect_within(conn, deadline_us);
    enum charle_err rc = CHARLE_OK;
    if (!is_in_time)
        rc = explain(display, "timeout expired", err);
    else if (PQstatus(conn) != CONNECTION_OK)
        rc = explain(display, PQerrorMessage(conn), err);
    if (rc) {
        PQfinish(conn);
        return rc;
    }
    PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
    *out = conn;
    return CHARLE_OK;
}

static void ignore_notice(void *ctx, const PGresult *result)
{
    (void)ctx, (void)result;
}

static enum charle_err check_server(PGconn *conn, const char *display, struct charle_error *err)
{
    PQsetNoticeReceiver(conn, ignore_notice, NULL);
    int version = PQserverVersion(conn);
    if (version < CH_POSTGRES_VERSION_MIN)
        return charle_fail(err, CHARLE_FAILED_PRECONDITION,
                           "the database at %.80s runs PostgreSQL %d.%d, which is too old: 13 or newer is needed",
                           display, version / 10000, version % 10000);
    PGresult *result = NULL;
    enum charle_err rc =
        ch_database_run(conn, "looking at the database",
                        "select current_setting('server_encoding'), pg_is_in_recovery()", NULL, 0, &result, err);
    if (rc)
        return rc;
    if (strcmp(PQgetvalue(result, 0, 0), "UTF8") != 0)
        rc =
            charle_fail(err, CHARLE_FAILED_PRECONDITION,
                        "the database at %.80s is encoded in %.30s: create one with ENCODING 'UTF8' TEMPLATE template0",
                        display, PQgetvalue(result, 0, 0));
    else if (PQgetvalue(result, 0, 1)[0] == 't')
        rc = charle_fail(err, CHARLE_READ_ONLY,
                         "the database at %.80s is a read-only standby: point DATABASE_URL at the primary, or add "
                         "target_session_attrs=read-write",
                         display);
    PQclear(result);
    return rc;
}

enum charle_err ch_database_open(const char *url, int timeout_ms, PGconn **out, struct charle_error *err)
{
    char display[CH_DATABASE_DISPLAY_SIZE];
    struct charle_error local = {0};
    err = err ? err : &local;
    enum charle_err rc = ch_database_describe(url, display, err);
    if (rc)
        return rc;
    int64_t deadline_us = ch_clock_mono_us() + (int64_t)timeout_ms * 1000;
    PGconn *conn = NULL;
    for (;;) {
        rc = try_open(url, display, deadline_us, &conn, err);
        bool is_starting = rc && err->foreign == charle_sqlstate_pack("57P03");
        if (!is_starting || ch_clock_mono_us() + (int64_t)STARTING_UP_PAUSE_MS * 1000 >= deadline_us)
            break;
        nanosleep(&(struct timespec){.tv_nsec = STARTING_UP_PAUSE_MS * 1000000L}, NULL);
    }
    if (rc == CHARLE_OK)
        rc = check_server(conn, display, err);
    if (rc) {
        PQfinish(conn);
        return rc;
    }
    *out = conn;
    return CHARLE_OK;
}

// --- statements ----------------------------------------------------------------------------------------------------

enum charle_err ch_database_run(PGconn *conn, const char *what, const char *sql, const char *const *params,
                                int param_count, PGresult **out_result, struct charle_error *err)
{
    PGresult *result =
        param_count ? PQexecParams(conn, sql, param_count, NULL, params, NULL, NULL, 0) : PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY) {
        if (out_result)
            *out_result = result;
        else
            PQclear(result);
        return CHARLE_OK;
    }
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    enum charle_err code = !sqlstate                            ? CHARLE_UNAVAILABLE
                           : strncmp(sqlstate, "53100", 5) == 0 ? CHARLE_DISK_FULL
                           : strncmp(sqlstate, "42501", 5) == 0 ? CHARLE_PERMISSION_DENIED
                           : strncmp(sqlstate, "57", 2) == 0    ? CHARLE_UNAVAILABLE
                                                                : CHARLE_INTERNAL;
    charle_fail_foreign(err, code, CHARLE_DOMAIN_POSTGRES, charle_sqlstate_pack(sqlstate ? sqlstate : ""),
                        "%.80s: %.*s%s%.60s (SQLSTATE %s)", what, MESSAGE_LEN_MAX,
                        message ? message : "the connection to the database was lost", detail ? ": " : "",
                        detail ? detail : "", sqlstate ? sqlstate : "none");
    PQclear(result);
    return code;
}
