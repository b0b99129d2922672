#include "server/migrate.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "server/ddl.h"
#include "server/sqltext.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LOCK_WAIT_MS = 60000, // another server that migrates a large table; longer than that a person should look
    LOCK_PAUSE_MS = 100,
    DDL_SIZE_MAX = 8 << 20
};

#define LOCK_KEY     "7161438519032841062" // any number that no one else uses, the same in every release
#define PLATFORM     "platform"
#define WHOLE_SCHEMA "schema"

static const char bootstrap_sql[] =
    "create schema if not exists charle;\n"
    // PostgreSQL looks for tables in a schema of the user's name first. A user called charle would find the platform's
    // tables where the application's are meant, and make the latter there.
    "do $$ begin if current_user = 'charle' then\n"
    "  execute format('alter role %I in database %I set search_path = public', current_user, current_database());\n"
    "end if; end $$;\n"
    "create table if not exists charle.migration (\n"
    "  name text collate \"C\" primary key, parent text, checksum text not null, schema_hash text not null,\n"
    "  applied_at timestamptz not null default now(), applied_by text not null);\n"
    // Sessions of people for whom the application has no table of its own; see session_store.h.
    "create table if not exists charle.session (\n"
    "  id text collate \"C\" primary key, principal text not null, principal_id text not null,\n"
    "  token text collate \"C\" not null unique, expires_at timestamptz not null, address text, agent text,\n"
    "  created_at timestamptz not null default now());\n"
    "create index if not exists session_expires_at_idx on charle.session (expires_at);\n"
    // Passwords for local development, argon2id.
    "create table if not exists charle.credential (\n"
    "  principal text not null, principal_id text not null, hash text not null,\n"
    "  updated_at timestamptz not null default now(), primary key (principal, principal_id))";

struct record {
    const char *name, *checksum, *schema_hash;
};

struct run {
    PGconn *conn;
    const struct ch_migration_list *list;
    bool may_apply;
    PGresult *records; // name, checksum, schema_hash, in ascending order
    int record_count;
    size_t applied;
};

// --- the lock ------------------------------------------------------------------------------------------------------

static enum charle_err describe_holder(PGconn *conn, struct charle_error *err)
{
    PGresult *result = NULL;
    enum charle_err rc = ch_database_run(
        conn, "looking for who migrates",
        "select a.pid, a.application_name, coalesce(host(a.client_addr), 'this machine') from pg_locks l "
        "join pg_stat_activity a using (pid) where l.locktype = 'advisory' and l.granted and "
        "(l.classid::bigint << 32) | l.objid::bigint = " LOCK_KEY " limit 1",
        NULL, 0, &result, err);
    if (rc)
        return rc;
    rc = PQntuples(result) == 0
             ? charle_fail(err, CHARLE_BUSY, "another program is migrating the database: try again")
             : charle_fail(err, CHARLE_BUSY,
                           "%.40s on %.60s (PostgreSQL process %.12s) has been migrating the database for over %d s: "
                           "wait for it, or end it with pg_terminate_backend",
                           PQgetvalue(result, 0, 1), PQgetvalue(result, 0, 2), PQgetvalue(result, 0, 0),
                           LOCK_WAIT_MS / 1000);
    PQclear(result);
    return rc;
}

static enum charle_err take_lock(PGconn *conn, struct charle_error *err)
{
    int64_t deadline_us = ch_clock_mono_us() + (int64_t)LOCK_WAIT_MS * 1000;
    for (bool has_told = false;;) {
        PGresult *result = NULL;
        enum charle_err rc = ch_database_run(conn, "taking the lock of migrations",
                                             "select pg_try_advisory_lock(" LOCK_KEY ")", NULL, 0, &result, err);
        bool is_taken = rc == CHARLE_OK && PQgetvalue(result, 0, 0)[0] == 't';
        PQclear(result);
        if (rc || is_taken)
            return rc;
        if (ch_clock_mono_us() > deadline_us)
            return describe_holder(conn, err);
        if (!has_told)
            ch_log(CH_LOG_INFO, "migrate", "another program is migrating this database; waiting for it");
        has_told = true;
        nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_MS * 1000000L}, NULL);
    }
}

static void release_lock(PGconn *conn)
{
    PQclear(PQexec(conn, "select pg_advisory_unlock(" LOCK_KEY ")"));
}

// --- one migration -------------------------------------------------------------------------------------------------

static int line_of(const char *sql, const char *position)
{
    long characters = position ? strtol(position, NULL, 10) : 0;
    int line = 1;
    for (const char *c = sql; *c && characters > 1; c++) {
        line += *c == '\n';
        characters -= (*c & 0xc0) != 0x80; // positions count characters, not bytes
    }
    return line;
}

static enum charle_err fail_script(const char *name, const char *sql, const PGresult *result, PGconn *conn,
                                   struct charle_error *err)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
    const char *context = PQresultErrorField(result, PG_DIAG_CONTEXT);
    char where[24] = "";
    if (position)
        snprintf(where, sizeof(where), " line %d", line_of(sql, position));
    if (context)
        ch_log(CH_LOG_ERROR, "migrate", "%s failed in: %.400s", name, context);
    return charle_fail_foreign(err, sqlstate && strcmp(sqlstate, "53100") == 0 ? CHARLE_DISK_FULL : CHARLE_INTERNAL,
                               CHARLE_DOMAIN_POSTGRES, charle_sqlstate_pack(sqlstate ? sqlstate : ""),
                               "migration %s%s: %.150s (SQLSTATE %s); nothing of it was kept", name, where,
                               message ? message : PQerrorMessage(conn), sqlstate ? sqlstate : "none");
}

static enum charle_err run_script(PGconn *conn, const char *name, const char *sql, struct charle_error *err)
{
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    enum charle_err rc = CHARLE_OK;
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY)
        rc = fail_script(name, sql, result, conn, err);
    PQclear(result);
    return rc;
}

static enum charle_err record(PGconn *conn, const char *name, const char *parent, const char *checksum,
                              uint64_t schema_hash, struct charle_error *err)
{
    char hash[20], by[120], host[64] = "";
    if (gethostname(host, sizeof(host) - 1) != 0)
        host[0] = '\0';
    snprintf(hash, sizeof(hash), "%016" PRIx64, schema_hash);
    snprintf(by, sizeof(by), "charled pid %ld on %s", (long)getpid(), host);
    const char *const params[] = {name, parent, checksum, hash, by};
    return ch_database_run(
        conn, "recording a migration",
        "insert into charle.migration (name, parent, checksum, schema_hash, applied_by) values ($1, $2, $3, $4, $5) "
        "on conflict (name) do update set checksum = excluded.checksum, applied_at = now(), applied_by = "
        "excluded.applied_by",
        params, 5, NULL, err);
}

// Runs a script and its record in one transaction.
static enum charle_err apply(struct run *run, const char *name, const char *parent, const char *sql,
                             uint64_t schema_hash, struct charle_error *err)
{
    char checksum[CH_SQL_CHECKSUM_SIZE];
    ch_sql_checksum(charle_str(sql), checksum);
    int64_t start_us = ch_clock_mono_us();
    enum charle_err rc = ch_database_run(run->conn, "beginning a migration",
                                         // Stamps are raised at once: PostgreSQL alters no table that has deferred triggers waiting.
                                         "begin; set constraints all immediate; set local lock_timeout = '10s'; "
                                         "set local check_function_bodies = off",
                                         NULL, 0, NULL, err);
    if (rc)
        return rc;
    rc = run_script(run->conn, name, sql, err);
    if (rc == CHARLE_OK)
        rc = record(run->conn, name, parent, checksum, schema_hash, err);
    if (rc == CHARLE_OK)
        rc = ch_database_run(run->conn, "committing a migration", "commit", NULL, 0, NULL, err);
    if (rc) {
        PQclear(PQexec(run->conn, "rollback"));
        return rc;
    }
    run->applied++;
    ch_log(CH_LOG_INFO, "migrate", "applied migration=%s ms=%" PRId64, name, (ch_clock_mono_us() - start_us) / 1000);
    return CHARLE_OK;
}

// --- what is there -------------------------------------------------------------------------------------------------

static struct record record_at(const struct run *run, int row)
{
    return (struct record){PQgetvalue(run->records, row, 0), PQgetvalue(run->records, row, 1),
                           PQgetvalue(run->records, row, 2)};
}

static int find_record(const struct run *run, const char *name)
{
    for (int i = 0; i < run->record_count; i++)
        if (strcmp(PQgetvalue(run->records, i, 0), name) == 0)
            return i;
    return -1;
}

static enum charle_err load_records(struct run *run, struct charle_error *err)
{
    PGresult *result = NULL;
    enum charle_err rc = ch_database_run(run->conn, "looking for migrations",
                                         "select to_regclass('charle.migration') is not null", NULL, 0, &result, err);
    bool exists = rc == CHARLE_OK && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    if (rc == CHARLE_OK && !exists && !run->may_apply)
        return charle_fail(err, CHARLE_SCHEMA_MISMATCH,
                           "the database has not been set up for %.*s: start charled once with --migrate",
                           CHARLE_FMT(run->list->schema->name));
    if (rc == CHARLE_OK && !exists)
        rc = ch_database_run(run->conn, "setting up the record of migrations (the user must be able to create schemas)",
                             bootstrap_sql, NULL, 0, NULL, err);
    if (rc == CHARLE_OK)
        rc = ch_database_run(run->conn, "reading the record of migrations",
                             "select name, checksum, schema_hash from charle.migration order by name", NULL, 0,
                             &run->records, err);
    run->record_count = run->records ? PQntuples(run->records) : 0;
    return rc;
}

static enum charle_err bring_platform(struct run *run, struct charle_error *err)
{
    if (!run->list->platform_sql)
        return CHARLE_OK;
    char checksum[CH_SQL_CHECKSUM_SIZE];
    ch_sql_checksum(charle_str(run->list->platform_sql), checksum);
    int row = find_record(run, PLATFORM);
    if (row >= 0 && strcmp(record_at(run, row).checksum, checksum) == 0)
        return CHARLE_OK;
    if (!run->may_apply)
        return charle_fail(
            err, CHARLE_SCHEMA_MISMATCH,
            "the platform's tables in the database are of another release: start charled once with --migrate");
    return apply(run, PLATFORM, NULL, run->list->platform_sql, 0, err);
}

static bool is_application(const char *name)
{
    return strcmp(name, PLATFORM) != 0;
}

static const struct ch_migration *find_item(const struct ch_migration_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].name, name) == 0)
            return &list->items[i];
    return NULL;
}

// Every record must be one of ours, unchanged.
static enum charle_err check_records(const struct run *run, struct charle_error *err)
{
    const struct ch_migration_list *list = run->list;
    for (int row = 0; row < run->record_count; row++) {
        struct record r = record_at(run, row);
        const struct ch_migration *item = find_item(list, r.name);
        char checksum[CH_SQL_CHECKSUM_SIZE];
        if (!is_application(r.name))
            continue;
        if (!item && (!list->count || strcmp(r.name, list->items[list->count - 1].name) > 0))
            return charle_fail(
                err, CHARLE_SCHEMA_MISMATCH,
                "the database is newer than this program: it has the migration %.60s, which this program does not "
                "know. Run the newer charled",
                r.name);
        if (!item)
            return charle_fail(
                err, CHARLE_SCHEMA_MISMATCH,
                "the database has the migration %.60s, which this program lacks: it was built from another branch",
                r.name);
        ch_sql_checksum(charle_str(item->sql), checksum);
        if (strcmp(checksum, r.checksum) != 0)
            return charle_fail(
                err, CHARLE_SCHEMA_MISMATCH,
                "migration %.60s was changed after it was applied to this database: restore its text and put the "
                "change into a new migration",
                r.name);
    }
    return CHARLE_OK;
}

// The index of the first migration that was not applied; every one behind it must be missing too.
static enum charle_err find_missing(const struct run *run, size_t *out_index, struct charle_error *err)
{
    const struct ch_migration_list *list = run->list;
    size_t first = 0;
    while (first < list->count && find_record(run, list->items[first].name) >= 0)
        first++;
    for (size_t i = first + 1; i < list->count; i++) {
        if (find_record(run, list->items[i].name) >= 0)
            return charle_fail(
                err, CHARLE_SCHEMA_MISMATCH,
                "the database has %.50s but lacks %.50s, which comes before it: it was migrated from another branch",
                list->items[i].name, list->items[first].name);
    }
    *out_index = first;
    return CHARLE_OK;
}

static enum charle_err bring_migrations(struct run *run, struct charle_error *err)
{
    const struct ch_migration_list *list = run->list;
    size_t next = 0;
    enum charle_err rc = check_records(run, err);
    if (rc == CHARLE_OK)
        rc = find_missing(run, &next, err);
    if (rc == CHARLE_OK && next < list->count && !run->may_apply)
        rc = charle_fail(err, CHARLE_SCHEMA_MISMATCH,
                         "the database lacks the migration %.60s (and %zu more): start charled once with --migrate",
                         list->items[next].name, list->count - next - 1);
    for (; rc == CHARLE_OK && next < list->count; next++) {
        const struct ch_migration *item = &list->items[next];
        uint64_t hash = 0;
        ch_sql_schema_hash(charle_str(item->sql), &hash);
        rc = apply(run, item->name, next ? list->items[next - 1].name : NULL, item->sql, hash, err);
    }
    return rc;
}

// --- an application without migrations -----------------------------------------------------------------------------

static enum charle_err check_empty(struct run *run, struct charle_error *err)
{
    PGresult *result = NULL;
    enum charle_err rc = ch_database_run(
        run->conn, "looking for tables",
        "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = "
        "'public' and c.relkind in ('r', 'p', 'v') order by 1 limit 1",
        NULL, 0, &result, err);
    if (rc == CHARLE_OK && PQntuples(result) > 0)
        rc = charle_fail(
            err, CHARLE_SCHEMA_MISMATCH,
            "the database already has tables (%.60s) that were not made by charled: use an empty database, or write "
            "migrations for this one",
            PQgetvalue(result, 0, 0));
    PQclear(result);
    return rc;
}

static enum charle_err bring_schema(struct run *run, struct charle_error *err)
{
    const struct charle_schema *schema = run->list->schema;
    char hash[20];
    snprintf(hash, sizeof(hash), "%016" PRIx64, schema->hash);
    int row = find_record(run, WHOLE_SCHEMA);
    if (row >= 0)
        return strcmp(record_at(run, row).schema_hash, hash) == 0
                   ? CHARLE_OK
                   : charle_fail(err, CHARLE_SCHEMA_MISMATCH,
                                 "the database was made for another version of the schema %.*s (%s, this program has "
                                 "%s): write a "
                                 "migration, or use an empty database",
                                 CHARLE_FMT(schema->name), record_at(run, row).schema_hash, hash);
    enum charle_err rc = check_empty(run, err);
    if (rc == CHARLE_OK && !run->may_apply)
        rc = charle_fail(err, CHARLE_SCHEMA_MISMATCH, "the database is empty: start charled once with --migrate");
    struct charle_buf sql;
    charle_buf_init(&sql, DDL_SIZE_MAX);
    if (rc == CHARLE_OK) {
        ch_ddl_write(schema, &sql);
        const char *text = charle_buf_text(&sql);
        rc = text ? apply(run, WHOLE_SCHEMA, NULL, text, schema->hash, err)
                  : charle_fail(err, sql.failed, "the schema's tables do not fit in memory");
    }
    charle_buf_deinit(&sql);
    return rc;
}

// The last embedded migration must lead to the schema that was compiled in: it was forgotten otherwise.
static enum charle_err check_program(const struct ch_migration_list *list, struct charle_error *err)
{
    uint64_t hash = 0;
    if (!list->count)
        return CHARLE_OK;
    const struct ch_migration *last = &list->items[list->count - 1];
    if (!ch_sql_schema_hash(charle_str(last->sql), &hash) || hash != list->schema->hash)
        return charle_fail(err, CHARLE_SCHEMA_MISMATCH,
                           "this program was built from a schema (%016" PRIx64
                           ") that its newest migration %.60s does not lead to "
                           "(%016" PRIx64 "): write a migration and build again",
                           list->schema->hash, last->name, hash);
    return CHARLE_OK;
}

enum charle_err ch_migrate(PGconn *conn, const struct ch_migration_list *list, bool may_apply, size_t *out_applied,
                           struct charle_error *err)
{
    struct run run = {.conn = conn, .list = list, .may_apply = may_apply};
    enum charle_err rc = check_program(list, err);
    if (rc == CHARLE_OK)
        rc = ch_database_run(conn, "choosing the schema public", "set search_path = public", NULL, 0, NULL, err);
    if (rc == CHARLE_OK)
        rc = take_lock(conn, err);
    if (rc)
        return rc;
    rc = load_records(&run, err);
    if (rc == CHARLE_OK)
        rc = bring_platform(&run, err);
    if (rc == CHARLE_OK)
        rc = list->count ? bring_migrations(&run, err) : bring_schema(&run, err);
    PQclear(run.records);
    release_lock(conn);
    if (out_applied)
        *out_applied = run.applied;
    return rc;
}
