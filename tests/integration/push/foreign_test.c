// Pushes into a database in which others have done something: constraints that are looked at when the transaction ends, triggers that do not work,
// columns that are gone, rights that were taken away. A call that only such a thing stops is not lost, and none stops the others.
#include "twin.h"

static void make_jobs(struct twin *twin, int count, int bad)
{
    for (int i = 0; i < count; i++)
        twin_call(twin, "Job/Create", "{\"id\":\"t%02d\",\"place\":\"north\",\"title\":\"%s\"}", i, i == bad ? "bad" : "good");
}

static void no_bad_jobs(struct twin *twin)
{
    twin_exec(twin, "create function no_bad() returns trigger language plpgsql as $$ begin "
                    "if new.title = 'bad' then raise exception 'no bad jobs'; end if; return null; end $$;"
                    "create constraint trigger no_bad after insert or update on job deferrable initially deferred for each row "
                    "execute function no_bad()");
}

static void a_constraint_at_the_end_refuses_only_the_call_it_is_about(void **state)
{
    struct twin twin;
    (void)state;
    twin_open(&twin);
    no_bad_jobs(&twin);
    make_jobs(&twin, 30, 13);
    twin_push(&twin);
    for (size_t i = 0; i < 30; i++)
        twin_assert_verdict(&twin, i, i == 13 ? "rejected: FAILED_PRECONDITION: no bad jobs" : "applied");
    assert_int_equal(twin_number(&twin, TWIN_SETS, "select count(*) from job"), 29);
    // One that fails at once, and one at the end.
    twin_call(&twin, "Job/Create", "{\"id\":\"t00\",\"place\":\"north\",\"title\":\"there already\"}");
    twin_call(&twin, "Job/Update", "{\"key\":{\"id\":\"t01\"},\"set\":{\"title\":\"bad\"}}");
    twin_call(&twin, "Job/Update", "{\"key\":{\"id\":\"t02\"},\"set\":{\"title\":\"better\"}}");
    twin_push(&twin);
    twin_assert_verdict(&twin, 0, "rejected: UNIQUE_VIOLATION");
    twin_assert_verdict(&twin, 1, "rejected: FAILED_PRECONDITION: no bad jobs");
    twin_assert_verdict(&twin, 2, "applied");
    twin_close(&twin);
}

// What a call does may hang on another of its own statements only at its end, as before.
static void constraints_wait_for_the_end_of_their_call(void **state)
{
    struct twin twin;
    (void)state;
    twin_open(&twin);
    no_bad_jobs(&twin);
    twin_exec(&twin, "create function pair() returns trigger language plpgsql as $$ begin "
                     "insert into job (id, title, place, created_at, updated_at) values (new.id || 'x', 'twin', 'south', new.created_at, new.created_at); return null; end $$;"
                     "create trigger pair after insert on job for each row when (new.title <> 'twin') execute function pair();"
                     "create function paired() returns trigger language plpgsql as $$ begin "
                     "if not exists (select from job where id = new.id || 'x') then raise exception 'alone'; end if; return null; end $$;"
                     "create constraint trigger apaired after insert on job deferrable initially deferred for each row "
                     "when (new.title <> 'twin') execute function paired()");
    make_jobs(&twin, 4, 2);
    twin_push(&twin);
    for (size_t i = 0; i < 4; i++)
        twin_assert_verdict(&twin, i, i == 2 ? "rejected: FAILED_PRECONDITION: no bad jobs" : "applied");
    assert_int_equal(twin_number(&twin, TWIN_SETS, "select count(*) from job"), 6);
    twin_close(&twin);
}

// Each breaks the database for calls to one table and is mended again. Both databases are of one cluster and share its roles.
static void what_is_wrong_with_the_database_is_not_the_calls_fault(void **state)
{
    static const struct {
        const char *breaks, *mends, *verdict;
    } cases[] = {
        {"alter table job rename column title to heading", "alter table job rename column heading to title", "parked: INVALID_ARGUMENT: column"},
        {"alter table job rename to jobs", "alter table jobs rename to job", "parked: INVALID_ARGUMENT: relation"},
        {"create function broken() returns trigger language plpgsql as $$ begin perform nothing_there(); return new; end $$; "
         "create trigger broken before insert on job for each row execute function broken()",
         "drop trigger broken on job", "parked: INVALID_ARGUMENT: function nothing_there() does not exist"},
        {"do $$ begin create role guest; exception when duplicate_object then null; end $$; grant usage on schema public, charle to guest; grant all on all tables in schema public, charle to guest; "
         "grant all on all functions in schema charle to guest; grant all on all sequences in schema charle to guest; revoke all on job from guest; "
         "set role guest",
         "reset role; drop owned by guest", "parked: PERMISSION_DENIED: permission denied for table job"},
        {"alter sequence job_number_seq maxvalue 100000; select setval('job_number_seq', 100000)", "alter sequence job_number_seq no maxvalue",
         "parked: INVALID_ARGUMENT: nextval"},
    };
    struct twin twin;
    (void)state;
    twin_open(&twin);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        twin_exec(&twin, cases[i].breaks);
        twin_call(&twin, "Person/Create", "{\"id\":\"p%zu\",\"name\":\"P\",\"email\":\"p%zu@x.test\"}", i, i);
        twin_call(&twin, "Job/Create", "{\"id\":\"a%zu\",\"place\":\"north\",\"title\":\"one\"}", i);
        twin_call(&twin, "Job/Create", "{\"id\":\"b%zu\",\"place\":\"north\",\"title\":\"two\"}", i);
        for (int server = 0; server < TWIN_COUNT; server++) {
            struct charle_error err = {0};
            if (twin_push_one(&twin, server, &err))
                fail_msg("%s", err.text);
        }
        twin_assert_verdict(&twin, 0, "applied");
        twin_assert_verdict(&twin, 1, cases[i].verdict);
        twin_assert_verdict(&twin, 2, cases[i].verdict);
        twin_exec(&twin, cases[i].mends);
        twin_compare(&twin);
        twin.count = 0;
        twin_call(&twin, "Job/Create", "{\"id\":\"a%zu\",\"place\":\"north\",\"title\":\"one\"}", i); // as a replica does with what was parked
        twin_push(&twin);
        twin_assert_verdict(&twin, 0, "applied");
    }
    twin_close(&twin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_constraint_at_the_end_refuses_only_the_call_it_is_about),
        cmocka_unit_test(constraints_wait_for_the_end_of_their_call),
        cmocka_unit_test(what_is_wrong_with_the_database_is_not_the_calls_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
