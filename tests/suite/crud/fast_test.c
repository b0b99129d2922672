// Updates that carry their base: on PostgreSQL one statement does it when nothing moved, and whatever the row looks
// like, what comes out is what reading and writing it gives. SQLite always reads and writes: it is the measure.
#include "db/pg/pg.h"
#include "db/sqlite/sqlite.h"
#include "office.h"

#include <stdio.h>

#define LEAD  "boss,team" // may write any project, and sees all but the new ones, without the budget
#define OWNER "person:ann,team"

// --- statements of a call ----------------------------------------------------------------------------------

struct count {
    int selects, updates;
};

static void on_statement(const struct charle_trace *trace, void *ctx)
{
    struct count *count = ctx;
    count->selects += charle_str_has_prefix(trace->sql, CHARLE_STR("select "));
    count->updates += charle_str_has_prefix(trace->sql, CHARLE_STR("update "));
}

static void check(struct office *o, const char *who, const char *method, const char *request, const char *expected,
                  const char *note, struct count statements, int line)
{
    struct count count = {0, 0};
    charle_db_set_trace(o->db, on_statement, &count);
    const char *reply = office_call(o, who, method, "%s", request);
    charle_db_set_trace(o->db, NULL, NULL);
    assert_matches(reply, expected, __FILE__, line);
    assert_matches(o->note.len ? o->note.ptr : "", note, __FILE__, line);
    bool is_pg = charle_db_dialect(o->db) == CHARLE_PG;
    if (is_pg && (count.selects != statements.selects || count.updates != statements.updates))
        fail_msg("line %d: %d selects and %d updates, not %d and %d", line, count.selects, count.updates,
                 statements.selects, statements.updates);
}

// What a call costs on PostgreSQL.
static const struct count one = {0, 1};        // nothing had moved
static const struct count none = {0, 0};       // refused before
static const struct count refused = {1, 1};    // tried in one, then read, and not written
static const struct count both = {1, 2};       // tried in one, then read and written
static const struct count read_only = {1, 0};  // not tried: read, and not written
static const struct count read_write = {1, 1}; // not tried: read and written

#define CHECK(who, method, request, expected, note, statements) \
    check(&o, who, method, request, expected, note, statements, __LINE__)
#define P1 "{\"key\":{\"id\":\"p1\"},"

static void with_staff(struct office *office, struct charle_db *db)
{
    office_open(office, db, false);
    office_staff(office);
}

// --- cases -------------------------------------------------------------------------------------------------

static void what_did_not_move_takes_one_statement(struct charle_db *db)
{
    struct office o;
    with_staff(&o, db);
    CHECK(LEAD, "Project/Update", P1 "\"set\":{\"title\":\"A\"},\"base\":{\"title\":\"First\"}}",
          "{\"id\":\"p1\",\"number\":1,\"title\":\"A\",\"owner_id\":\"ann\",\"state\":\"open\",\"hours\":0,\"is_"
          "active\":true,"
          "\"created_at\":\"2026-11-22T12:41:04Z\",\"updated_at\":\"2026-11-22T12:41:05Z\"}",
          "", one);
    CHECK(LEAD, "Project/Update",
          P1 "\"set\":{\"hours\":3,\"labels\":[\"x\"],\"score\":1.5,\"token\":\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\","
             "\"logo\":\"AAEC\",\"closed_at\":\"2026-01-02T03:04:05Z\",\"is_active\":false,\"notes\":\"n\"},"
             "\"base\":{\"hours\":0,\"is_active\":true}}",
          "{*\"notes\":\"n\",*\"labels\":[\"x\"],\"hours\":3,*\"score\":1.5,*\"is_active\":false,*", "", one);
    // To null, and back.
    CHECK(LEAD, "Project/Update", P1 "\"set\":{},\"mask\":[6,10],\"base\":{\"notes\":\"n\",\"labels\":[\"x\"]}}",
          "{*\"state\":\"open\",\"hours\":3,*", "", one);
    CHECK(LEAD, "Project/Update", P1 "\"set\":{\"notes\":\"m\"},\"base\":{}}", "{*\"notes\":\"m\",*", "", one);
    // What the system keeps may come along as it was.
    CHECK(LEAD, "Project/Update",
          P1
          "\"set\":{\"id\":\"p1\",\"number\":1,\"title\":\"B\"},\"base\":{\"id\":\"p1\",\"number\":1,\"title\":\"A\"}}",
          "{*\"title\":\"B\",*", "", one);
    CHECK("boss", "Person/Update",
          "{\"key\":{\"id\":\"ann\"},\"set\":{\"salary\":\"7\"},\"base\":{\"salary\":\"200.00\"}}",
          "{*\"salary\":\"7\",*", "", one);
    assert_call(&o, "team", "Step/Create", "{\"id\":\"s\",\"project_id\":\"p1\",\"title\":\"T\"}", "{*");
    CHECK("team", "Step/Update", "{\"key\":{\"id\":\"s\"},\"set\":{\"rank\":1},\"base\":{\"title\":\"T\"}}",
          "{*\"title\":\"T\",\"rank\":1}", "", one);
    office_close(&o);
}

static void what_moved_is_judged_as_ever(struct charle_db *db)
{
    struct office o;
    with_staff(&o, db);
    CHECK(LEAD, "Project/Update", P1 "\"set\":{\"title\":\"A\"},\"base\":{\"title\":\"Old\"}}", "{*\"title\":\"A\",*",
          "title had been changed to \"First\" meanwhile; it is \"A\" now", both);
    CHECK(LEAD, "Project/Update", P1 "\"set\":{\"hours\":3},\"base\":{\"hours\":1}}", "{*\"hours\":2,*",
          "hours was changed by 2 from 0*", both);
    CHECK("boss", "Person/Update", "{\"key\":{\"id\":\"ann\"},\"set\":{\"salary\":\"7\"},\"base\":{\"salary\":\"1\"}}",
          "CONFLICT: salary of this person was changed by someone else meanwhile: it is \"200\" now*", "", refused);
    // A value that somebody else took away.
    CHECK("boss", "Person/Update", "{\"key\":{\"id\":\"boss\"},\"set\":{},\"mask\":[5]}", "{*", "", read_write);
    CHECK("boss", "Person/Update",
          "{\"key\":{\"id\":\"boss\"},\"set\":{\"salary\":\"7\"},\"base\":{\"salary\":\"100\"}}",
          "CONFLICT: salary of this person*it is null now*", "", refused);
    // Wanting what is stored by now is no change; nor is wanting what base has.
    CHECK(LEAD, "Project/Update", P1 "\"set\":{\"title\":\"A\"},\"base\":{\"title\":\"Old\"}}",
          "{*\"title\":\"A\",*\"updated_at\":\"2026-11-22T12:41:06Z\"}", "", refused);
    CHECK(LEAD, "Project/Update", P1 "\"set\":{\"title\":\"A\"},\"base\":{\"title\":\"A\"}}",
          "{*\"updated_at\":\"2026-11-22T12:41:06Z\"}", "", read_only);
    CHECK(LEAD, "Project/Update",
          P1 "\"set\":{\"title\":\"Old\",\"hours\":4},\"base\":{\"title\":\"Old\",\"hours\":2}}",
          "{*\"title\":\"Old\",*\"hours\":4,*", "title had been changed to \"A\"*", both);
    office_close(&o);
}

static void states_and_groups_are_kept(struct charle_db *db)
{
    struct office o;
    with_staff(&o, db);
    CHECK(LEAD, "Project/Update", P1 "\"set\":{\"state\":\"new\"},\"base\":{\"state\":\"open\"}}",
          "FAILED_PRECONDITION: state of this project cannot go from \"open\" to \"new\"*", "", read_only);
    // Legal from the base, and not from where it is.
    CHECK(LEAD, "Project/Update", P1 "\"set\":{\"state\":\"open\"},\"base\":{\"state\":\"done\"}}",
          "{*\"state\":\"open\",*", "", read_only);
    CHECK(LEAD, "Project/Update", P1 "\"set\":{\"state\":\"done\"},\"base\":{\"state\":\"open\"}}",
          "{*\"state\":\"done\",*", "", one);
    CHECK(LEAD, "Project/Update", P1 "\"set\":{\"state\":\"open\"},\"base\":{\"state\":\"new\"}}",
          "FAILED_PRECONDITION: state of this project cannot go from \"done\" to \"open\"*", "", refused);
    CHECK(LEAD, "Project/Update", P1 "\"set\":{\"starts_on\":\"2026-01-02\"},\"base\":{}}",
          "{*\"starts_on\":\"2026-01-02\",*", "", one);
    CHECK(LEAD, "Project/Update", P1 "\"set\":{\"ends_on\":\"2026-01-09\"},\"base\":{\"starts_on\":\"2026-01-02\"}}",
          "{*\"ends_on\":\"2026-01-09\",*", "", one);
    CHECK(LEAD, "Project/Update",
          P1 "\"set\":{\"ends_on\":\"2026-01-10\"},\"base\":{\"starts_on\":\"2026-01-01\",\"ends_on\":\"2026-01-09\"}}",
          "CONFLICT: starts_on of this project*", "", refused);
    CHECK(LEAD, "Project/Update", P1 "\"set\":{\"total\":4},\"base\":{}}", "FAILED_PRECONDITION: total of project*", "",
          read_only);
    CHECK(LEAD, "Project/Update",
          P1 "\"set\":{\"closed_at\":\"2026-01-02T00:00:00Z\"},\"base\":{\"closed_at\":\"2026-01-01T00:00:00Z\"}}",
          "{*\"closed_at\":\"2026-01-02T00:00:00Z\",*", "", read_write);
    office_close(&o);
}

static void rows_out_of_sight_or_gone_stay_so(struct charle_db *db)
{
    struct office o;
    with_staff(&o, db);
    assert_call(&o, OWNER, "Project/Create", "{\"id\":\"p2\",\"title\":\"New\",\"owner_id\":\"ann\"}", "{*");
    const char *edit = "{\"key\":{\"id\":\"p2\"},\"set\":{\"hours\":3},\"base\":{\"hours\":0}}";
    CHECK(LEAD, "Project/Update", edit, "NOT_FOUND: *", "", refused); // the team does not see new ones
    CHECK("boss", "Project/Update", edit, "NOT_FOUND: *", "", none);
    assert_int_equal(must_count(db, "select hours from project where id = 'p2'"), 0);
    CHECK(OWNER, "Project/Delete", "{\"key\":{\"id\":\"p2\"}}", "{}", "", read_only);
    CHECK(LEAD, "Project/Update", edit, "NOT_FOUND: *", "", refused);
    // Seen through a path: bob's guest sees the title of projects that bob is a member of.
    edit = P1 "\"set\":{\"title\":\"G\"},\"base\":{\"title\":\"First\"}}";
    CHECK("boss,guest:bob", "Project/Update", edit, "NOT_FOUND: *", "", refused);
    assert_call(&o, OWNER, "Member/Create", "{\"project_id\":\"p1\",\"person_id\":\"bob\"}", "{*");
    CHECK("boss,guest:bob", "Project/Update", edit,
          "{\"id\":\"p1\",\"title\":\"G\",\"state\":\"open\",\"created_at\":\"2026-11-22T12:41:04Z\"}", "", one);
    CHECK("boss,guest:bob", "Project/Update", P1 "\"set\":{\"hours\":1},\"base\":{\"hours\":0}}",
          "PERMISSION_DENIED: hours of this project*", "", read_only);
    office_close(&o);
}

static void who_may_write_by_what_the_row_says_has_it_read(struct charle_db *db)
{
    struct office o;
    with_staff(&o, db);
    CHECK(OWNER, "Project/Update", P1 "\"set\":{\"title\":\"A\"},\"base\":{\"title\":\"First\"}}",
          "{*\"title\":\"A\",*", "", read_write);
    CHECK("person:bob,team", "Project/Update", P1 "\"set\":{\"title\":\"B\"},\"base\":{\"title\":\"A\"}}",
          "PERMISSION_DENIED: to change this project*", "", read_only);
    CHECK("team", "Project/Update", P1 "\"set\":{\"title\":\"B\"},\"base\":{\"title\":\"A\"}}",
          "PERMISSION_DENIED: to change this project*", "", read_only);
    // One right that does not depend on the row is enough, but what is shown does too: the budget is the owner's.
    CHECK("boss," OWNER, "Project/Update", P1 "\"set\":{\"title\":\"B\"},\"base\":{\"title\":\"A\"}}",
          "{*\"title\":\"B\",*\"budget\":\"1000.5\",*", "", read_write);
    CHECK(LEAD, "Project/Update", P1 "\"set\":{\"title\":\"C\"}}", "{*\"title\":\"C\",*", "", read_write); // no base
    CHECK(LEAD, "Project/Update", P1 "\"set\":{\"settings\":{\"a\":1}},\"base\":{}}", "{*\"settings\":{\"a\": 1},*", "",
          read_write);
    CHECK(LEAD, "Project/Update", P1 "\"set\":{\"title\":\"D\"},\"base\":{}}", "{*\"title\":\"D\",*",
          "title had been changed*", read_write);
    office_close(&o);
}

static void errors_and_times_are_the_same(struct charle_db *db)
{
    struct office o;
    with_staff(&o, db);
    CHECK(LEAD, "Project/Update", P1 "\"set\":{\"starts_on\":\"2026-02-01\",\"ends_on\":\"2026-01-01\"},\"base\":{}}",
          "CHECK_VIOLATION: this project breaks the rule project_span_order of its table", "", one);
    CHECK(LEAD, "Project/Update", P1 "\"set\":{\"owner_id\":\"nobody\"},\"base\":{\"owner_id\":\"ann\"}}",
          "FOREIGN_KEY_VIOLATION: *", "", one);
    CHECK("boss", "Person/Update",
          "{\"key\":{\"id\":\"ann\"},\"set\":{\"email\":\"bob@desk\"},\"base\":{\"email\":\"ann@desk\"}}",
          "UNIQUE_VIOLATION: there is another person with the same email already", "", one);
    CHECK(LEAD, "Project/Update", P1 "\"set\":{},\"mask\":[3],\"base\":{\"title\":\"First\"}}",
          "INVALID_ARGUMENT: title of this project must have a value", "", read_only);
    o.now.us -= 3600 * (int64_t)1000000; // a call that was made an hour ago arrives now
    CHECK(LEAD, "Project/Update", P1 "\"set\":{\"title\":\"Late\"},\"base\":{\"title\":\"First\"}}",
          "{*\"updated_at\":\"2026-11-22T12:41:04Z\"}", "", one);
    // A date that may be out of the database's range is a base that moved, and nothing worse.
    CHECK(LEAD, "Project/Update", P1 "\"set\":{\"starts_on\":\"2026-02-01\"},\"base\":{\"starts_on\":\"9999-12-31\"}}",
          "CONFLICT: starts_on of this project*", "", read_only);
    office_close(&o);
}

// --- any edit ----------------------------------------------------------------------------------------------

static uint32_t next_random(uint32_t *state, uint32_t below)
{
    *state = *state * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)*state * below) >> 32);
}

// Columns with some values each, as JSON; "" leaves the column out.
static const char *const choices[][4] = {
    {"\"title\":\"A\"", "\"title\":\"B\"", "\"title\":\"C\"", ""},
    {"\"state\":\"new\"", "\"state\":\"open\"", "\"state\":\"done\"", ""},
    {"\"notes\":\"one\\n\\ntwo\"", "\"notes\":\"ONE\\n\\ntwo\"", "\"notes\":\"one\\n\\nTWO\"", ""},
    {"\"starts_on\":\"2026-01-01\"", "\"starts_on\":\"2026-01-02\"", "\"starts_on\":\"2026-01-03\"", ""},
    {"\"ends_on\":\"2026-01-02\"", "\"ends_on\":\"2026-01-04\"", "\"ends_on\":\"2026-01-05\"", ""},
    {"\"labels\":[\"a\"]", "\"labels\":[\"a\",\"b\"]", "\"labels\":[\"c\"]", ""},
    {"\"hours\":1", "\"hours\":2", "\"hours\":3", ""},
    {"\"closed_at\":\"2026-01-01T00:00:00Z\"", "\"closed_at\":\"2026-01-02T00:00:00Z\"", "", ""},
    {"\"score\":0", "\"score\":-2.5", "\"score\":1.5", ""},
    {"\"settings\":{\"a\":1.0}", "\"settings\":{\"a\":1.00}", "\"settings\":{\"b\":1}", ""},
};
enum { COLUMNS = sizeof(choices) / sizeof(choices[0]), EDITS = 600 };

// One to three columns: what is wanted, and a base that is often what the row has.
static void make_edit(uint32_t *state, char *out, size_t size)
{
    char set[300] = "", base[300] = "";
    uint32_t count = 1 + next_random(state, 3), first = next_random(state, COLUMNS);
    for (uint32_t i = 0; i < count; i++) {
        const char *const *values = choices[(first + i) % COLUMNS];
        const char *wanted = values[next_random(state, 4)], *was = values[next_random(state, 4)];
        snprintf(set + strlen(set), sizeof(set) - strlen(set), "%s%s", *set && *wanted ? "," : "", wanted);
        snprintf(base + strlen(base), sizeof(base) - strlen(base), "%s%s", *base && *was ? "," : "", was);
    }
    snprintf(out, size, P1 "\"set\":{%s},\"base\":{%s}}", set, base);
}

static void any_edit_comes_out_as_on_sqlite(void **unused)
{
    (void)unused;
    struct charle_db *dbs[2];
    struct charle_error err;
    struct office offices[2];
    struct count count = {0, 0};
    uint32_t state = 20261122;
    int fast = 0, slow = 0;
    assert_ok(ch_pg_open(suite_pg_url(), NULL, &dbs[0], &err), &err);
    assert_ok(ch_sqlite_open(":memory:", NULL, &dbs[1], &err), &err);
    suite_drop_all(dbs[0]);
    for (int i = 0; i < 2; i++) {
        with_staff(&offices[i], dbs[i]);
        must_exec(dbs[i], "update project set title = 'A'");
    }
    for (int n = 0; n < EDITS; n++) {
        char request[700], replies[2][1200];
        make_edit(&state, request, sizeof(request));
        count = (struct count){0, 0};
        charle_db_set_trace(dbs[0], on_statement, &count);
        for (int i = 0; i < 2; i++) {
            const char *reply = office_call(&offices[i], LEAD, "Project/Update", "%s", request);
            const struct charle_str note = offices[i].note;
            snprintf(replies[i], sizeof(replies[i]), "%s | %.*s", reply, CHARLE_FMT(note));
        }
        charle_db_set_trace(dbs[0], NULL, NULL);
        if (strcmp(replies[0], replies[1]) != 0)
            fail_msg("edit %d: %s\nPostgreSQL %s\nSQLite     %s", n, request, replies[0], replies[1]);
        fast += count.updates == 1 && !count.selects;
        slow += count.selects > 0;
        // The state goes one way only, and so does what is set once.
        if (n % 5 == 4) {
            for (int i = 0; i < 2; i++)
                must_exec(dbs[i], "update project set state = 'open', closed_at = null");
        }
    }
    assert_true(fast > EDITS / 20);
    assert_true(slow > EDITS / 20);
    for (int i = 0; i < 2; i++) {
        office_close(&offices[i]);
        charle_db_close(dbs[i]);
    }
}

int main(void)
{
    const struct suite_item items[] = {
        SUITE_ITEM(what_did_not_move_takes_one_statement),
        SUITE_ITEM(what_moved_is_judged_as_ever),
        SUITE_ITEM(states_and_groups_are_kept),
        SUITE_ITEM(rows_out_of_sight_or_gone_stay_so),
        SUITE_ITEM(who_may_write_by_what_the_row_says_has_it_read),
        SUITE_ITEM(errors_and_times_are_the_same),
    };
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_edit_comes_out_as_on_sqlite)};
    int failed = suite_run("crud fast", items, sizeof(items) / sizeof(*items));
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
