// Two edits of one row at the same moment on PostgreSQL: the second waits for the first, and is merged with what it
// left.
#include "office.h"

#include "db/pg/pg.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define ANN "person:ann,team"

static struct charle_db *open_pg(void)
{
    struct charle_db *db;
    struct charle_error err;
    assert_ok(ch_pg_open(suite_pg_url(), NULL, &db, &err), &err);
    return db;
}

struct second {
    struct office office;
    const char *request, *reply;
};

static void *run_second(void *arg)
{
    struct second *second = arg;
    second->reply = office_call(&second->office, ANN, "Project/Update", "%s", second->request);
    return NULL;
}

// How many connections wait for a lock; the second one does once its statement has reached the row.
static void wait_until_blocked(struct charle_db *db)
{
    for (int i = 0; i < 2000; i++) {
        if (must_count(db, "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"))
            return;
        usleep(5000);
    }
    fail_msg("the second edit did not wait for the first");
}

static void assert_second(const char *first, const char *request, const char *expected, const char *note)
{
    struct charle_db *dbs[3] = {open_pg(), open_pg(), open_pg()};
    struct office o;
    struct second second = {.request = request};
    struct charle_error err;
    pthread_t thread;
    suite_drop_all(dbs[0]);
    office_open(&o, dbs[0], false);
    office_staff(&o);
    second.office = o;
    second.office.db = dbs[1];
    second.office.arena = (struct charle_arena){0};
    assert_ok(charle_begin(dbs[0], NULL, &err), &err);
    must_exec(dbs[0], first);
    assert_int_equal(pthread_create(&thread, NULL, run_second, &second), 0);
    wait_until_blocked(dbs[2]);
    assert_ok(charle_commit(dbs[0], &err), &err);
    pthread_join(thread, NULL);
    assert_matches(second.reply, expected, __FILE__, __LINE__);
    assert_matches(second.office.note.len ? second.office.note.ptr : "", note, __FILE__, __LINE__);
    charle_arena_deinit(&second.office.arena);
    office_close(&o);
    for (int i = 0; i < 3; i++)
        charle_db_close(dbs[i]);
}

static void the_second_edit_sees_the_first(void **state)
{
    (void)state;
    assert_second(
        "update project set title = 'Theirs', hours = 5",
        "{\"key\":{\"id\":\"p1\"},\"set\":{\"title\":\"Mine\",\"hours\":1},\"base\":{\"title\":\"First\",\"hours\":0}}",
        "{*\"title\":\"Mine\",*\"hours\":6,*", "title had been changed to \"Theirs\" meanwhile*");
    assert_second("update project set budget = 1",
                  "{\"key\":{\"id\":\"p1\"},\"set\":{\"budget\":\"2\"},\"base\":{\"budget\":\"1000.5\"}}",
                  "CONFLICT: budget of this project*", "");
    assert_second("delete from project", "{\"key\":{\"id\":\"p1\"},\"set\":{\"title\":\"Mine\"}}", "NOT_FOUND: *", "");
    // Out of the caller's sight while it waited.
    assert_second("update project set owner_id = 'bob', state = 'new'",
                  "{\"key\":{\"id\":\"p1\"},\"set\":{\"title\":\"Mine\"}}", "NOT_FOUND: *", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_second_edit_sees_the_first)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
