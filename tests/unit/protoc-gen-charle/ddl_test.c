// The SQL that the generator makes, loaded into a real PostgreSQL and a real SQLite: it must load, the catalog must say
// what the descriptors say, and the constraints must refuse what they are there to refuse.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <libpq-fe.h>
#include <sqlite3.h>

#include "base/buf.h"
#include "ddl_schemas.h"
#include "support/pg_cluster.h"

// --- PostgreSQL -----------------------------------------------------------------------------------------------------

static void pg_run(PGconn *pg, const char *sql)
{
    PGresult *result = PQexec(pg, sql && *sql ? sql : "select 1");

    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s\n%s", PQerrorMessage(pg), sql);
    PQclear(result);
}

static void pg_refuses(PGconn *pg, const char *sql, const char *sqlstate)
{
    PGresult *result = PQexec(pg, sql);
    const char *got = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    assert_non_null(got);
    assert_string_equal(got, sqlstate);
    PQclear(result);
}

static char *pg_value(PGconn *pg, const char *sql, const char *param)
{
    PGresult *result = PQexecParams(pg, sql, param ? 1 : 0, NULL, &param, NULL, NULL, 0);
    char *value;

    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s\n%s", PQerrorMessage(pg), sql);
    value = strdup(PQntuples(result) ? PQgetvalue(result, 0, 0) : "(no row)");
    PQclear(result);
    return value;
}

static void assert_pg(PGconn *pg, const char *sql, const char *param, const char *expected)
{
    char *value = pg_value(pg, sql, param);

    assert_string_equal(value, expected);
    free(value);
}

// The triggers call functions of the schema charle, which is not this test's business, so they are left out.
static PGconn *pg_load(const struct charle_schema *schema)
{
    char url[CH_PG_CLUSTER_URL_SIZE];
    PGconn *pg;

    assert_true(ch_pg_cluster_database(ch_pg_cluster_shared(), "ddl", url));
    pg = PQconnectdb(url);
    assert_int_equal(PQstatus(pg), CONNECTION_OK);
    for (size_t i = 0; i < schema->table_count; i++)
        pg_run(pg, schema->create_order[i]->pg_create);
    // What columns with `attachment: true` refer to; the platform's own tables have been made when an application's come.
    pg_run(pg, "create schema if not exists charle; create table if not exists charle.file (hash text collate \"C\" primary key)");
    for (size_t i = 0; i < schema->table_count; i++) {
        pg_run(pg, schema->create_order[i]->pg_indexes);
        pg_run(pg, schema->create_order[i]->pg_foreign_keys);
    }
    pg_run(pg, schema->pg_extra);
    return pg;
}

static const char *pg_type(const struct charle_column *column)
{
    static const char *const names[] = {"",     "bool",        "int4", "int8",    "float8", "text", "bytea",
                                        "text", "timestamptz", "date", "numeric", "uuid",   "jsonb"};
    return names[column->field->type];
}

static void check_column_in_pg(PGconn *pg, const struct charle_table *table, const struct charle_column *column)
{
    char place[256], expected[256];
    bool is_text = column->field->type == CHARLE_TYPE_TEXT || column->field->type == CHARLE_TYPE_ENUM;

    snprintf(place, sizeof place, "%.*s.%.*s", CHARLE_FMT(table->name), CHARLE_FMT(column->name));
    snprintf(expected, sizeof expected, "%s%s %s %s %s", column->is_array ? "_" : "", pg_type(column),
             column->is_nullable ? "null" : "not null", is_text ? "C" : "-", column->default_sql.pg ? "default" : "-");
    assert_pg(
        pg,
        "select t.typname || case when a.attnotnull then ' not null ' else ' null ' end || coalesce(co.collname, '-') "
        "|| case when a.atthasdef then ' default' else ' -' end from pg_attribute a join pg_class c on c.oid = "
        "a.attrelid "
        "join pg_type t on t.oid = a.atttypid left join pg_collation co on co.oid = a.attcollation and t.typname in "
        "('text', '_text') "
        "where a.attnum > 0 and c.relkind = 'r' and c.relname || '.' || a.attname = $1",
        place, expected);
}

// Is the time of a row's last change in an index?
static bool is_rewritten_by_updates(const struct charle_table *table)
{
    for (size_t i = 0; i < table->index_count; i++)
        for (size_t c = 0; c < table->indexes[i].column_count; c++)
            if (table->columns[table->indexes[i].columns[c]].generate == CHARLE_GENERATE_UPDATED)
                return true;
    return false;
}

// All B-trees of such a table keep equal entries apart, and those of no other one do.
static void check_indexes_in_pg(PGconn *pg, const struct charle_table *table)
{
    assert_pg(pg,
              "select coalesce(string_agg(distinct coalesce(array_to_string(c.reloptions, ','), ''), ' '), '') from pg_index i join pg_class c on c.oid = "
              "i.indexrelid join pg_am m on m.oid = c.relam and m.amname = 'btree' where i.indrelid = ('\"' || $1 || '\"')::regclass",
              table->name.ptr, is_rewritten_by_updates(table) ? "deduplicate_items=off" : "");
}

static void check_pg(const struct charle_schema *schema)
{
    PGconn *pg = pg_load(schema);
    char count[32];

    for (size_t i = 0; i < schema->table_count; i++) {
        const struct charle_table *table = schema->tables[i];

        if (table->is_local) { // no server has it
            assert_string_equal(table->pg_create, "");
            continue;
        }
        for (size_t j = 0; j < table->column_count; j++)
            check_column_in_pg(pg, table, &table->columns[j]);
        snprintf(count, sizeof count, "%zu", table->column_count);
        assert_pg(pg,
                  "select count(*) from information_schema.columns where table_schema = 'public' and table_name = $1",
                  table->name.ptr, count);
        assert_pg(
            pg,
            "select coalesce(array_to_string(reloptions, ','), '') from pg_class where relkind = 'r' and relname = $1",
            table->name.ptr, table->is_replicated ? "fillfactor=90" : "");
        check_indexes_in_pg(pg, table);
    }
    PQfinish(pg);
}

// --- SQLite ---------------------------------------------------------------------------------------------------------

static void lite_run(sqlite3 *db, const char *sql)
{
    char *error = NULL;

    if (sqlite3_exec(db, sql ? sql : "", NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s\n%s", error, sql);
}

static void lite_refuses(sqlite3 *db, const char *sql, int code)
{
    assert_int_not_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_extended_errcode(db), code);
}

static int lite_count(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    int count;

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    count = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return count;
}

static sqlite3 *lite_open(void)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    lite_run(db, "pragma foreign_keys = on");
    return db;
}

static sqlite3 *lite_load(const struct charle_schema *schema)
{
    sqlite3 *db = lite_open();

    for (size_t i = 0; i < schema->table_count; i++) {
        lite_run(db, schema->create_order[i]->sqlite_create);
        lite_run(db, schema->create_order[i]->sqlite_indexes);
    }
    lite_run(db, schema->sqlite_extra);
    return db;
}

static sqlite3 *replica_load(const struct charle_schema *schema)
{
    sqlite3 *db = lite_open();

    for (size_t i = 0; i < schema->table_count; i++) {
        lite_run(db, schema->tables[i]->replica_create);
        lite_run(db, schema->tables[i]->replica_indexes);
    }
    return db;
}

static void check_columns_in_lite(sqlite3 *db, const struct charle_table *table, const struct charle_column_set *set)
{
    char sql[512];
    int expected = 0;

    for (size_t i = 0; i < table->column_count; i++) {
        bool is_here = set ? charle_column_set_has(set, i) : !table->is_local;

        expected += is_here;
        snprintf(sql, sizeof sql, "select count(*) from pragma_table_info('%s') where name = '%s'", table->name.ptr,
                 table->columns[i].name.ptr);
        assert_int_equal(lite_count(db, sql), is_here);
    }
    snprintf(sql, sizeof sql, "select count(*) from pragma_table_info('%s')", table->name.ptr);
    assert_int_equal(lite_count(db, sql), expected);
}

// What an audience's SQL says must be sayable in both databases.
static void check_audiences(PGconn *pg, sqlite3 *db, const struct charle_table *table)
{
    for (size_t i = 0; i < table->audience_count; i++) {
        const struct charle_audience *audience = &table->audiences[i];
        struct charle_buf sql = {0};

        charle_buf_printf(&sql, "select count(*) from \"%s\" r where %s", table->name.ptr,
                          audience->where_pg ? audience->where_pg : "true");
        pg_run(pg, charle_buf_text(&sql));
        charle_buf_reset(&sql);
        charle_buf_printf(&sql, "select count(*) from \"%s\" r where %s", table->name.ptr,
                          audience->where_sqlite ? audience->where_sqlite : "true");
        lite_run(db, charle_buf_text(&sql));
        charle_buf_reset(&sql);
        if (audience->path_from) {
            charle_buf_printf(&sql, "select count(*) from \"%s\" r where exists (select 1 from %s and %s = 'x')",
                              table->name.ptr, audience->path_from, audience->path_key);
            pg_run(pg, charle_buf_text(&sql));
            lite_run(db, charle_buf_text(&sql));
        }
        charle_buf_deinit(&sql);
    }
}

static void check_both(const struct charle_schema *schema)
{
    PGconn *pg = pg_load(schema);
    sqlite3 *full = lite_load(schema), *replica = replica_load(schema);

    for (size_t i = 0; i < schema->table_count; i++) {
        const struct charle_table *table = schema->tables[i];

        check_columns_in_lite(full, table, NULL);
        check_columns_in_lite(replica, table, table->replica_columns);
        check_audiences(pg, full, table);
    }
    for (size_t i = 0; i < schema->grant_count; i++) {
        PGresult *result = PQprepare(pg, "", schema->grants[i].sql, 0, NULL);

        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            fail_msg("%s\n%s", PQerrorMessage(pg), schema->grants[i].sql);
        PQclear(result);
    }
    sqlite3_close(full);
    sqlite3_close(replica);
    PQfinish(pg);
}

static void test_the_catalog_says_what_the_descriptors_say(void **state)
{
    (void)state;
    for (size_t i = 0; ddl_schemas[i]; i++)
        check_pg(ddl_schemas[i]);
}

static void test_both_databases_take_tables_and_audiences(void **state)
{
    (void)state;
    for (size_t i = 0; ddl_schemas[i]; i++)
        check_both(ddl_schemas[i]);
}

// --- the small schema: what constraints refuse ----------------------------------------------------------------------

static const char people[] =
    "insert into person (id, name, email) values ('p1', 'Ann', 'ann@x'), ('p2', 'Bob', 'bob@x')";

// A row of the table of all types, with what has no default and with these names in an array.
#define EVERYTHING(id, names)                                                                                  \
    "insert into everything (id, a_int8, a_float8, a_text, a_bytes, a_enum, a_ts, a_uuid, c_enum) values (" id \
    ", 1, 1, '', '', 'good', now(), gen_random_uuid(), " names ")"

static void test_postgres_refuses_what_it_should(void **state)
{
    PGconn *pg = pg_load(ddl_schemas[0]);

    (void)state;
    pg_run(pg, people);
    pg_refuses(pg, "insert into person (id, name, email) values ('p3', 'Cid', 'cid')", "23514");
    pg_refuses(pg, "insert into person (id, name, email) values ('p3', 'Cid', 'ann@x')", "23505");
    pg_refuses(pg, "insert into person (id, name, email) values ('p3', repeat('x', 61), 'c@x')", "23514");
    pg_run(pg, "insert into job (id, title, owner_id, mood, labels) values ('j1', 'Paint', 'p1', 'so-so', '{a,b}')");
    assert_pg(pg, "select number || state from job", NULL, "1new");
    pg_refuses(pg, "insert into job (id, title, owner_id) values ('j2', 'Paint', 'p1')", "23505");
    pg_refuses(pg, "insert into job (id, title, owner_id, mood) values ('j2', 'Saw', 'p1', 'angry')", "23514");
    pg_refuses(pg, "insert into job (id, title, owner_id) values ('j2', 'Saw', 'nobody')", "23503");
    pg_refuses(pg, "insert into job (id, title, owner_id) values ('j2', ' Saw', 'p1')", "23514");
    pg_refuses(pg, "delete from person where id = 'p1'", "23503"); // restrict
    pg_run(pg, EVERYTHING("1", "'{good,so-so}'"));
    pg_refuses(pg, EVERYTHING("2", "'{good,angry}'"), "23514");
    pg_refuses(pg, EVERYTHING("2", "null"), "23502");
    pg_run(pg, "drop table job cascade");
    assert_pg(pg, "select count(*) from pg_class where relname = $1", "job_number_seq", "0"); // owned by its column
    PQfinish(pg);
}

static void test_sqlite_refuses_the_same(void **state)
{
    sqlite3 *db = lite_load(ddl_schemas[0]);

    (void)state;
    lite_run(db, people);
    lite_refuses(db, "insert into person (id, name, email) values ('p3', 'Cid', 'cid')", SQLITE_CONSTRAINT_CHECK);
    lite_refuses(db, "insert into person (id, name, email) values ('p3', 'Cid', 'ann@x')", SQLITE_CONSTRAINT_UNIQUE);
    lite_run(db, "insert into job (id, number, title, owner_id, mood) values ('j1', 1, 'Paint', 'p1', 'so-so')");
    lite_refuses(db, "insert into job (id, number, title, owner_id, mood) values ('j2', 2, 'Saw', 'p1', 'angry')",
                 SQLITE_CONSTRAINT_CHECK);
    lite_refuses(db, "insert into job (id, number, title, owner_id) values ('j2', 2, 'Saw', 'nobody')",
                 SQLITE_CONSTRAINT_FOREIGNKEY);
    lite_refuses(db, "insert into job (id, number, title, owner_id) values ('j2', 'two', 'Saw', 'p1')",
                 SQLITE_CONSTRAINT_DATATYPE);
    lite_refuses(db, "update job set labels = '{}'", SQLITE_CONSTRAINT_CHECK);
    lite_refuses(db, "update job set price = '-1'", SQLITE_CONSTRAINT_CHECK);
    assert_int_equal(lite_count(db, "select abs(created_at / 1000000 - strftime('%s', 'now')) < 3600 from job"), 1);
    sqlite3_close(db);
}

static void test_a_replica_takes_rows_with_hidden_columns_and_no_parents(void **state)
{
    sqlite3 *db = replica_load(ddl_schemas[0]);

    (void)state;
    lite_run(db, "insert into job (id, title, state) values ('j1', 'Paint', 'open')");
    lite_run(db, "insert into job (id, title, state) values ('j2', 'Paint', 'open')");
    lite_run(db, "update job set number = 1"); // a unique of the server, and twice here between two pages
    assert_int_equal(lite_count(db, "select count(*) from job where created_at is null and labels is null"), 2);
    lite_refuses(db, "insert into job (id) values ('j3')", SQLITE_CONSTRAINT_NOTNULL); // every audience shows the title
    lite_refuses(db, "insert into job (id, title) values (null, 'x')", SQLITE_CONSTRAINT_NOTNULL);
    assert_int_equal(lite_count(db, "select count(*) from sqlite_schema where name = 'vault'"), 0);
    assert_int_equal(lite_count(db, "select count(*) from sqlite_schema where name = 'job_state_idx'"), 0);
    assert_int_equal(lite_count(db, "select count(*) from sqlite_schema where name = 'job_owner_id_created_at_idx'"),
                     1);
    sqlite3_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_catalog_says_what_the_descriptors_say),
        cmocka_unit_test(test_both_databases_take_tables_and_audiences),
        cmocka_unit_test(test_postgres_refuses_what_it_should),
        cmocka_unit_test(test_sqlite_refuses_the_same),
        cmocka_unit_test(test_a_replica_takes_rows_with_hidden_columns_and_no_parents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
