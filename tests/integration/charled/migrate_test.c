// Migrations against a real PostgreSQL: applied once, refused when the past was changed, and equal to what the
// descriptors say.
#include "charleos.schema.charle.h"
#include "server/ddl.h"
#include "server/migrate.h"
#include "server/sync/sync.h"
#include "support/pg_cluster.h"
#include "test.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

static const struct charle_schema shop = {.name = CHARLE_STR_INIT("shop"), .hash = 0xb};

static const struct ch_migration two[] = {
    {"0001_initial", "-- schema shop 000000000000000a\ncreate table item (id text primary key);"},
    {"0002_price", "-- schema shop 000000000000000b\nalter table item add price int4 not null default 0; -- pence"},
};
static const struct ch_migration_list shop_list = {
    .platform_sql = "create table if not exists charle.probe (x int4)", .schema = &shop, .items = two, .count = 2};

struct database {
    PGconn *conn;
    char url[CH_PG_CLUSTER_URL_SIZE];
};

static struct database open_database(const char *name)
{
    struct database database = {0};
    struct charle_error err = {0};
    assert_true(ch_pg_cluster_database(ch_pg_cluster_shared(), name, database.url));
    assert_ok(ch_database_open(database.url, 10000, &database.conn, &err), &err);
    return database;
}

static void run(PGconn *conn, const char *sql)
{
    struct charle_error err = {0};
    assert_ok(ch_database_run(conn, "test", sql, NULL, 0, NULL, &err), &err);
}

static void assert_text(PGconn *conn, const char *sql, const char *expected)
{
    struct charle_error err = {0};
    PGresult *result = NULL;
    assert_ok(ch_database_run(conn, "test", sql, NULL, 0, &result, &err), &err);
    assert_int_equal(PQntuples(result), 1);
    assert_string_equal(PQgetvalue(result, 0, 0), expected);
    PQclear(result);
}

static void refuse(PGconn *conn, const struct ch_migration_list *list, bool may_apply, const char *words)
{
    struct charle_error err = {0};
    assert_int_not_equal(ch_migrate(conn, list, may_apply, NULL, &err), CHARLE_OK);
    assert_contains(err.text, words);
}

// --- cases ---------------------------------------------------------------------------------------------------------

static void an_empty_database_is_brought_up_once(void **state)
{
    (void)state;
    struct database database = open_database("up_once");
    struct charle_error err = {0};
    size_t applied = 0;
    assert_ok(ch_migrate(database.conn, &shop_list, true, &applied, &err), &err);
    assert_int_equal(applied, 3);
    assert_text(database.conn,
                "select string_agg(name || coalesce('<' || parent, ''), ' ' order by name) from charle.migration",
                "0001_initial 0002_price<0001_initial platform");
    assert_text(database.conn, "select schema_hash from charle.migration where name = '0002_price'",
                "000000000000000b");
    assert_ok(ch_migrate(database.conn, &shop_list, true, &applied, &err), &err);
    assert_int_equal(applied, 0);
    assert_ok(ch_migrate(database.conn, &shop_list, false, &applied, &err), &err);
    PQfinish(database.conn);
}

static void nothing_is_applied_without_leave(void **state)
{
    (void)state;
    struct database database = open_database("no_leave");
    refuse(database.conn, &shop_list, false, "start charled once with --migrate");
    assert_text(database.conn, "select count(*) from pg_namespace where nspname = 'charle'", "0");
    struct ch_migration_list first = shop_list;
    struct charle_schema old = {.name = CHARLE_STR("shop"), .hash = 0xa};
    struct charle_error err = {0};
    first.schema = &old;
    first.count = 1;
    assert_ok(ch_migrate(database.conn, &first, true, NULL, &err), &err);
    refuse(database.conn, &shop_list, false, "lacks the migration 0002_price (and 0 more)");
    PQfinish(database.conn);
}

static void an_edited_migration_is_refused_and_a_comment_is_not(void **state)
{
    (void)state;
    struct database database = open_database("edited");
    struct charle_error err = {0};
    assert_ok(ch_migrate(database.conn, &shop_list, true, NULL, &err), &err);
    struct ch_migration edited[] = {two[0], two[1]};
    struct ch_migration_list list = shop_list;
    list.items = edited;
    edited[0].sql = "-- schema shop 000000000000000a\n-- a remark\ncreate table item\n  (id text primary key);";
    assert_ok(ch_migrate(database.conn, &list, true, NULL, &err), &err);
    edited[0].sql = "-- schema shop 000000000000000a\ncreate table item (id int4 primary key);";
    refuse(database.conn, &list, true, "0001_initial was changed after it was applied");
    PQfinish(database.conn);
}

static void a_gap_and_a_newer_database_are_refused(void **state)
{
    (void)state;
    struct database database = open_database("gap");
    struct charle_error err = {0};
    assert_ok(ch_migrate(database.conn, &shop_list, true, NULL, &err), &err);
    run(database.conn, "delete from charle.migration where name = '0001_initial'");
    refuse(database.conn, &shop_list, true, "has 0002_price but lacks 0001_initial");
    run(database.conn,
        "insert into charle.migration (name, checksum, schema_hash, applied_by) values ('0003_later', '', '', 'test')");
    refuse(database.conn, &shop_list, true, "newer than this program");
    run(database.conn, "update charle.migration set name = '0001_other' where name = '0003_later'");
    refuse(database.conn, &shop_list, true, "another branch");
    PQfinish(database.conn);
}

static void a_failing_migration_leaves_nothing_and_says_where(void **state)
{
    (void)state;
    struct database database = open_database("failing");
    struct ch_migration broken[] = {
        two[0],
        {"0002_price",
         "-- schema shop 000000000000000b\ncreate table kept (id text);\nalter table nowhere add x int4;"}};
    struct ch_migration_list list = shop_list;
    list.items = broken;
    refuse(database.conn, &list, true, "0002_price");
    assert_text(database.conn, "select to_regclass('kept') is null", "t");
    assert_text(database.conn, "select count(*) from charle.migration where name = '0002_price'", "0");
    assert_text(database.conn, "select count(*) from charle.migration where name = '0001_initial'", "1");
    broken[1].sql = "-- schema shop 000000000000000b\nselect 1;\nselect nonsense;";
    refuse(database.conn, &list, true, "line 3");
    struct charle_error err = {0};
    assert_ok(ch_migrate(database.conn, &shop_list, true, NULL, &err), &err); // and the next try goes on
    PQfinish(database.conn);
}

static void a_forgotten_migration_is_noticed_before_anything(void **state)
{
    (void)state;
    struct database database = open_database("forgotten");
    struct ch_migration_list list = shop_list;
    list.count = 1; // leads to hash a, the program has b
    refuse(database.conn, &list, true, "does not lead to");
    assert_text(database.conn, "select count(*) from pg_namespace where nspname = 'charle'", "0");
    PQfinish(database.conn);
}

static void a_changed_platform_is_run_again(void **state)
{
    (void)state;
    struct database database = open_database("platform");
    struct charle_error err = {0};
    size_t applied = 0;
    assert_ok(ch_migrate(database.conn, &shop_list, true, NULL, &err), &err);
    struct ch_migration_list list = shop_list;
    list.platform_sql = "alter table charle.probe add if not exists y int4";
    refuse(database.conn, &list, false, "another release");
    assert_ok(ch_migrate(database.conn, &list, true, &applied, &err), &err);
    assert_int_equal(applied, 1);
    PQfinish(database.conn);
}

struct racer {
    const char *url;
    size_t applied;
    enum charle_err rc;
    struct charle_error err;
};

static void *race(void *ctx)
{
    struct racer *racer = ctx;
    PGconn *conn = NULL;
    racer->rc = ch_database_open(racer->url, 10000, &conn, &racer->err);
    if (racer->rc == CHARLE_OK)
        racer->rc = ch_migrate(conn, &shop_list, true, &racer->applied, &racer->err);
    PQfinish(conn);
    return NULL;
}

static void servers_that_start_together_migrate_once(void **state)
{
    (void)state;
    enum { RACERS = 6 };
    struct database database = open_database("race");
    struct racer racers[RACERS] = {0};
    pthread_t threads[RACERS];
    size_t applied = 0;
    for (int i = 0; i < RACERS; i++) {
        racers[i].url = database.url;
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++) {
        pthread_join(threads[i], NULL);
        assert_ok(racers[i].rc, &racers[i].err);
        applied += racers[i].applied;
    }
    assert_int_equal(applied, 3);
    PQfinish(database.conn);
}

// --- an application without migrations -----------------------------------------------------------------------------

static const struct charle_table thing = {.id = 1,
                                          .name = CHARLE_STR_INIT("thing"),
                                          .pg_create = "create table thing (id text primary key);\n",
                                          .pg_foreign_keys = "",
                                          .pg_indexes = "create index thing_idx on thing (id);\n",
                                          .pg_triggers = ""};
static const struct charle_table *const things[] = {&thing};

static void descriptors_make_a_schema_in_an_empty_database(void **state)
{
    (void)state;
    struct database database = open_database("bare");
    struct charle_schema bare = {
        .name = CHARLE_STR("bare"), .hash = 1, .tables = things, .table_count = 1, .create_order = things};
    struct ch_migration_list list = {.schema = &bare};
    struct charle_error err = {0};
    size_t applied = 0;
    refuse(database.conn, &list, false, "--migrate");
    assert_ok(ch_migrate(database.conn, &list, true, &applied, &err), &err);
    assert_int_equal(applied, 1);
    assert_ok(ch_migrate(database.conn, &list, false, &applied, &err), &err);
    assert_text(database.conn, "select to_regclass('thing_idx') is not null", "t");
    bare.hash = 2;
    refuse(database.conn, &list, true,
           "another version of the schema bare (0000000000000001, this program has 0000000000000002)");
    PQfinish(database.conn);
}

static void tables_of_others_are_left_alone(void **state)
{
    (void)state;
    struct database database = open_database("theirs");
    struct charle_schema bare = {
        .name = CHARLE_STR("bare"), .hash = 1, .tables = things, .table_count = 1, .create_order = things};
    struct ch_migration_list list = {.schema = &bare};
    run(database.conn, "create table precious (id text)");
    refuse(database.conn, &list, true, "already has tables (precious)");
    assert_text(database.conn, "select to_regclass('thing') is null", "t");
    PQfinish(database.conn);
}

// --- CharleOS ------------------------------------------------------------------------------------------------------

extern const struct ch_migration charleos_migrations[];
extern const size_t charleos_migrations_count;

// Everything that a database's catalog says about tables of the application, as one text.
static const char catalog_sql[] =
    "select coalesce(md5(string_agg(line, e'\\n' order by line)), '') || ' ' || count(*) from ("
    "select format('%s %s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, "
    "  pg_get_expr(d.adbin, d.adrelid)) || coalesce((select collname from pg_collation k where k.oid = "
    "a.attcollation), '') as line "
    "  from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped "
    "  left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum "
    "  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v', 'S') "
    "union all select format('%s %s', conrelid::regclass, pg_get_constraintdef(oid)) from pg_constraint where "
    "connamespace = 'public'::regnamespace "
    "union all select pg_get_indexdef(indexrelid) from pg_index i join pg_class c on c.oid = i.indrelid where "
    "c.relnamespace = 'public'::regnamespace "
    "union all select pg_get_triggerdef(t.oid) || t.tgenabled::text from pg_trigger t join pg_class c on c.oid = "
    "t.tgrelid "
    "  where c.relnamespace = 'public'::regnamespace and not t.tgisinternal "
    "union all select format('%s %s %s', objoid::regclass, objsubid, description) from pg_description "
    "  where classoid = 'pg_class'::regclass and objoid in (select oid from pg_class where relnamespace = "
    "'public'::regnamespace)) catalog";

static void migrations_equal_the_descriptors(void **state)
{
    (void)state;
    struct database migrated = open_database("by_migrations"), made = open_database("by_descriptors");
    struct charle_error err = {0};
    PGresult *a = NULL, *b = NULL;
    struct ch_migration_list list = {.platform_sql = ch_platform_sql,
                                     .schema = &charleos_schema_tables,
                                     .items = charleos_migrations,
                                     .count = charleos_migrations_count};
    struct ch_migration_list bare = {.platform_sql = ch_platform_sql, .schema = &charleos_schema_tables};
    if (charleos_migrations_count == 0)
        fail_msg("there are no migrations: build the target refresh_initial_migration");
    assert_ok(ch_migrate(migrated.conn, &list, true, NULL, &err), &err);
    assert_ok(ch_migrate(made.conn, &bare, true, NULL, &err), &err);
    assert_ok(ch_database_run(migrated.conn, "catalog", catalog_sql, NULL, 0, &a, &err), &err);
    assert_ok(ch_database_run(made.conn, "catalog", catalog_sql, NULL, 0, &b, &err), &err);
    if (strcmp(PQgetvalue(a, 0, 0), PQgetvalue(b, 0, 0)) != 0)
        fail_msg("migrations/pg does not make what the schema describes (%s, not %s): write a migration, or before the "
                 "first "
                 "release build the target refresh_initial_migration",
                 PQgetvalue(a, 0, 0), PQgetvalue(b, 0, 0));
    assert_text(migrated.conn,
                "select count(*) >= 47 from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'",
                "t");
    PQclear(a);
    PQclear(b);
    PQfinish(migrated.conn);
    PQfinish(made.conn);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_database_is_brought_up_once),
        cmocka_unit_test(nothing_is_applied_without_leave),
        cmocka_unit_test(an_edited_migration_is_refused_and_a_comment_is_not),
        cmocka_unit_test(a_gap_and_a_newer_database_are_refused),
        cmocka_unit_test(a_failing_migration_leaves_nothing_and_says_where),
        cmocka_unit_test(a_forgotten_migration_is_noticed_before_anything),
        cmocka_unit_test(a_changed_platform_is_run_again),
        cmocka_unit_test(servers_that_start_together_migrate_once),
        cmocka_unit_test(descriptors_make_a_schema_in_an_empty_database),
        cmocka_unit_test(tables_of_others_are_left_alone),
        cmocka_unit_test(migrations_equal_the_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
