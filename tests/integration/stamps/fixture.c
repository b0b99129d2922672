#include "fixture.h"

#include "base/buf.h"
#include "stamps.schema.charle.h"

#include <stdio.h>
#include <stdlib.h>

static char *read_platform(void)
{
    FILE *file = fopen(CHARLE_PLATFORM_SQL, "rb");
    assert_non_null(file);
    static char text[128 * 1024];
    size_t size = fread(text, 1, sizeof(text) - 1, file);
    assert_true(size > 0 && size < sizeof(text) - 1);
    text[size] = 0;
    assert_int_equal(fclose(file), 0);
    return text;
}

static void run_text(PGconn *conn, const char *sql)
{
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY)
        fail_msg("%s\nin: %.2000s", PQerrorMessage(conn), sql);
    PQclear(result);
}

void stamps_run(PGconn *conn, const char *format, ...)
{
    va_list args;
    char *sql = NULL;
    va_start(args, format);
    assert_true(vasprintf(&sql, format, args) >= 0);
    va_end(args);
    run_text(conn, sql);
    free(sql);
}

void stamps_refuse(PGconn *conn, const char *words, const char *sql)
{
    PGresult *result = PQexec(conn, sql);
    if (PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK)
        fail_msg("this should have failed: %s", sql);
    if (!strstr(PQresultErrorMessage(result), words))
        fail_msg("expected \"%s\" in: %s", words, PQresultErrorMessage(result));
    PQclear(result);
}

static const char *value_of(PGconn *conn, const char *sql)
{
    static _Thread_local char value[1 << 16];
    PGresult *result = PQexec(conn, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s\nin: %s", PQerrorMessage(conn), sql);
    snprintf(value, sizeof(value), "%s", PQntuples(result) ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return value;
}

const char *stamps_value(PGconn *conn, const char *format, ...)
{
    va_list args;
    char *sql = NULL;
    va_start(args, format);
    assert_true(vasprintf(&sql, format, args) >= 0);
    va_end(args);
    const char *value = value_of(conn, sql);
    free(sql);
    return value;
}

int64_t stamps_number(PGconn *conn, const char *format, ...)
{
    va_list args;
    char *sql = NULL;
    va_start(args, format);
    assert_true(vasprintf(&sql, format, args) >= 0);
    va_end(args);
    int64_t value = strtoll(value_of(conn, sql), NULL, 10);
    free(sql);
    return value;
}

int64_t stamps_head(PGconn *conn, const char *scope)
{
    return stamps_number(conn, "select v from charle.head where scope = '%s'", scope);
}

const char *stamps_entries(PGconn *conn)
{
    const char *entries = stamps_value(
        conn, "select coalesce(string_agg(distinct e, ', ' order by e), '') from ("
              "select e.scope || ' ' || t.name || ' ' || e.op::text || ' ' || e.key as e from charle.entry e "
              "join test_tables t on t.id = e.tab where e.v > coalesce((select v from test_seen s where s.scope = "
              "e.scope), 0)) q");
    run_text(conn,
             "insert into test_seen select scope, v from charle.head on conflict (scope) do update set v = excluded.v");
    return entries;
}

void stamps_install(PGconn *conn)
{
    run_text(conn, read_platform());
    for (size_t i = 0; i < stamps_schema_tables.table_count; i++)
        run_text(conn, stamps_schema_tables.tables[i]->pg_triggers);
}

static void create(PGconn *conn)
{
    const struct charle_schema *schema = &stamps_schema_tables;
    for (size_t i = 0; i < schema->table_count; i++)
        run_text(conn, schema->create_order[i]->pg_create);
    for (size_t i = 0; i < schema->table_count; i++)
        run_text(conn, schema->tables[i]->pg_foreign_keys);
    for (size_t i = 0; i < schema->table_count; i++)
        run_text(conn, schema->tables[i]->pg_indexes);
    run_text(conn, "create table test_tables (id int4 primary key, name text)");
    run_text(conn, "create table test_seen (scope text primary key, v int8)");
    run_text(conn, "insert into test_tables values (0, 'device')");
    for (size_t i = 0; i < schema->table_count; i++)
        stamps_run(conn, "insert into test_tables values (%u, '%.*s')", schema->tables[i]->id,
                   CHARLE_FMT(schema->tables[i]->name));
}

static void ignore_notice(void *arg, const char *message)
{
    (void)arg, (void)message;
}

PGconn *stamps_connect(struct ch_pg_cluster *cluster, const char *name)
{
    char url[CH_PG_CLUSTER_URL_SIZE];
    ch_pg_cluster_database_url(cluster, name, NULL, url);
    PGconn *conn = PQconnectdb(url);
    if (PQstatus(conn) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(conn));
    PQsetNoticeProcessor(conn, ignore_notice, NULL);
    return conn;
}

PGconn *stamps_open_sorted(struct ch_pg_cluster *cluster, const char *name, const char *locale)
{
    PGconn *conn = stamps_connect(cluster, "postgres");
    stamps_run(conn, "drop database if exists \"%s\" with (force)", name);
    stamps_run(conn, "create database \"%s\" template template0 encoding 'UTF8' locale 'C' locale_provider icu icu_locale '%s'", name, locale);
    PQfinish(conn);
    conn = stamps_connect(cluster, name);
    create(conn);
    stamps_install(conn);
    return conn;
}

PGconn *stamps_open(struct ch_pg_cluster *cluster, const char *name)
{
    char url[CH_PG_CLUSTER_URL_SIZE];
    assert_true(ch_pg_cluster_database(cluster, name, url));
    PGconn *conn = stamps_connect(cluster, name);
    create(conn);
    stamps_install(conn);
    return conn;
}
