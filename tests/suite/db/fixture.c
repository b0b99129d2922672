#include "fixture.h"

#include "db/pg/pg.h"
#include "db/sqlite/sqlite.h"
#include "support/pg_cluster.h"
#include "support/scratch.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NAME_SIZE = 160 };

struct run {
    const struct suite_item *item;
    struct charle_db *db;
};

static char sqlite_path[128];

const char *suite_pg_url(void)
{
    static char url[CH_PG_CLUSTER_URL_SIZE];
    if (!url[0] && !ch_pg_cluster_database(ch_pg_cluster_shared(), "suite", url))
        exit(1);
    return url;
}

const char *suite_sqlite_path(void)
{
    if (!sqlite_path[0]) {
        char folder[64];
        if (!ch_scratch_folder("suite", folder, sizeof(folder)))
            exit(1);
        snprintf(sqlite_path, sizeof(sqlite_path), "%s/suite.db", folder);
    }
    return sqlite_path;
}

static struct charle_db *open_db(enum charle_dialect dialect)
{
    struct charle_db *db = NULL;
    struct charle_error err = {0};
    const struct ch_sqlite_options options = {.enforce_foreign_keys = true, .is_sync_normal = true};
    enum charle_err rc = dialect == CHARLE_PG ? ch_pg_open(suite_pg_url(), NULL, &db, &err)
                                              : ch_sqlite_open(suite_sqlite_path(), &options, &db, &err);
    if (rc) {
        fprintf(stderr, "cannot open: %s\n", err.text);
        exit(1);
    }
    return db;
}

struct charle_db *suite_second(struct charle_db *db)
{
    return open_db(charle_db_dialect(db));
}

void suite_drop_all(struct charle_db *db)
{
    if (charle_db_dialect(db) == CHARLE_PG) {
        must_exec(db, "drop schema public cascade");
        must_exec(db, "create schema public");
        return;
    }
    char names[64][NAME_SIZE];
    size_t count = 0;
    struct charle_rows *rows = NULL;
    struct charle_error err;
    struct charle_value name;
    must_exec(db, "pragma foreign_keys = off");
    assert_ok(charle_query(db, "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'", NULL,
                           0, &rows, &err),
              &err);
    while (charle_rows_next(rows, &err) == CHARLE_OK && count < 64) {
        assert_ok(charle_rows_value(rows, 0, CHARLE_TYPE_TEXT, false, &name, &err), &err);
        snprintf(names[count++], NAME_SIZE, "drop table \"%.*s\"", CHARLE_FMT(name.text));
    }
    charle_rows_close(rows);
    for (size_t i = 0; i < count; i++)
        assert_ok(charle_exec_script(db, names[i], &err), &err);
    must_exec(db, "pragma foreign_keys = on");
}

static void run_case(void **state)
{
    struct run *run = *state;
    suite_drop_all(run->db);
    run->item->run(run->db);
    assert_int_equal(charle_transaction_depth(run->db), 0); // a case leaves the handle as it found it
}

int suite_run(const char *suite, const struct suite_item *items, size_t count)
{
    static char names[256][NAME_SIZE];
    static struct run runs[256];
    static struct CMUnitTest tests[256];
    struct charle_db *const dbs[] = {open_db(CHARLE_PG), open_db(CHARLE_SQLITE)};
    for (size_t i = 0; i < count * 2; i++) {
        runs[i] = (struct run){&items[i / 2], dbs[i % 2]};
        snprintf(names[i], NAME_SIZE, "%s: %s", i % 2 ? "sqlite" : "pg", items[i / 2].name);
        tests[i] = (struct CMUnitTest){names[i], run_case, NULL, NULL, &runs[i]};
    }
    int failed = _cmocka_run_group_tests(suite, tests, count * 2, NULL, NULL);
    charle_db_close(dbs[0]);
    charle_db_close(dbs[1]);
    return failed;
}

void assert_ok(enum charle_err rc, const struct charle_error *err)
{
    if (rc)
        print_error("%s: %s\n", charle_err_name(rc), err ? err->text : "");
    assert_int_equal(rc, CHARLE_OK);
}

void assert_fails(enum charle_err rc, enum charle_err wanted, const struct charle_error *err, const char *words)
{
    if (rc != wanted || (words && !strstr(err->text, words)))
        print_error("got %s: %s; wanted %s: …%s…\n", charle_err_name(rc), rc ? err->text : "", charle_err_name(wanted),
                    words ? words : "");
    assert_int_equal(rc, wanted);
    if (words)
        assert_non_null(strstr(err->text, words));
}

void must_exec(struct charle_db *db, const char *sql)
{
    struct charle_error err = {0};
    assert_ok(charle_exec_script(db, sql, &err), &err);
}

int64_t must_count(struct charle_db *db, const char *sql)
{
    struct charle_error err = {0};
    struct charle_rows *rows = NULL;
    struct charle_value value = {0};
    assert_ok(charle_query(db, sql, NULL, 0, &rows, &err), &err);
    assert_ok(charle_rows_next(rows, &err), &err);
    assert_ok(charle_rows_value(rows, 0, CHARLE_TYPE_INT8, false, &value, &err), &err);
    charle_rows_close(rows);
    return value.int8;
}
