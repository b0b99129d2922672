// Create, Get, Update and Delete of single rows: what is filled in, who sees what, who may write, how edits merge, and
// what errors say. Every case on PostgreSQL and on SQLite.
#include "office.h"

#define BOSS     "boss,person:boss,team"
#define ANN      "person:ann,team"
#define BOB      "person:bob,team"
#define ONLY_ANN "person:ann" // owns things, and is not in the team
#define STRANGER "person:zed"
#define GUEST    "guest:bob"

static void with_staff(struct office *office, struct charle_db *db)
{
    office_open(office, db, false);
    office_staff(office);
}

static void create_fills_in_what_the_system_keeps(struct charle_db *db)
{
    struct office o;
    office_open(&o, db, false);
    assert_call(&o, BOSS, "Person/Create", "{\"name\":\"Ann\",\"email\":\"a@b\"}",
                "{\"id\":\"01*\",\"name\":\"Ann\",\"email\":\"a@b\",\"created_at\":\"2026-11-22T12:41:01Z\","
                "\"updated_at\":\"2026-11-22T12:41:01Z\"}");
    assert_call(&o, BOSS, "Person/Create", "{\"id\":\"given\",\"name\":\"Bo\",\"email\":\"b@b\"}",
                "{\"id\":\"given\",*");
    assert_call(&o, BOSS ",person:given", "Project/Create", "{\"title\":\"T\",\"owner_id\":\"given\"}",
                "{\"id\":\"01*\",\"number\":1,\"title\":\"T\",\"owner_id\":\"given\",\"state\":\"new\",\"hours\":0,"
                "\"is_active\":true,\"created_at\":*");
    assert_call(
        &o, BOSS ",person:given", "Project/Create",
        "{\"title\":\"U\",\"owner_id\":\"given\",\"labels\":[\"a\",\"é\"],\"budget\":\"10.50\",\"starts_on\":\"2026-01-"
        "02\","
        "\"score\":-0.5,\"settings\":{\"b\":1,\"a\":[true,null]},\"token\":\"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11\","
        "\"logo\":\"AAEC\","
        "\"closed_at\":\"2026-01-02T03:04:05.000006Z\",\"hours\":7,\"is_active\":false,\"notes\":\"one\\n\\ntwo\"}",
        "{\"id\":\"01*\",\"number\":2,\"title\":\"U\",\"owner_id\":\"given\",\"state\":\"new\",\"notes\":"
        "\"one\\n\\ntwo\",\"budget\":\"10.5\","
        "\"starts_on\":\"2026-01-02\",\"labels\":[\"a\",\"é\"],\"hours\":7,\"closed_at\":\"2026-01-02T03:04:05."
        "000006Z\",\"score\":-0.5,"
        "\"settings\":{\"a\": [true, null], \"b\": "
        "1},\"is_active\":false,\"token\":\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\",\"logo\":\"AAEC\",*");
    office_close(&o);
}

static void the_same_call_makes_the_same_id(struct charle_db *db)
{
    struct office o;
    office_open(&o, db, false);
    const char *first = office_call(&o, BOSS, "Person/Create", "{\"name\":\"Ann\",\"email\":\"a@b\"}");
    o.seed--;
    o.now.us -= 1000000;
    must_exec(db, "delete from person");
    assert_string_equal(office_call(&o, BOSS, "Person/Create", "{\"name\":\"Ann\",\"email\":\"a@b\"}"), first);
    office_close(&o);
}

static void create_refuses_what_it_must(struct charle_db *db)
{
    struct office o;
    with_staff(&o, db);
    assert_call(&o, ANN, "Person/Create", "{\"name\":\"X\",\"email\":\"x@b\"}",
                "PERMISSION_DENIED: desk.PersonService/Create needs one of these: boss*");
    assert_call(&o, ANN, "Project/Create", "{\"title\":\"T\",\"owner_id\":\"bob\"}",
                "PERMISSION_DENIED: to create this project one must hold one of these: person:{owner_id}, boss; this "
                "caller does not");
    assert_call(&o, ANN, "Project/Create", "{\"owner_id\":\"ann\"}",
                "INVALID_ARGUMENT: desk.ProjectInsert.title is required and missing");
    assert_call(&o, BOSS, "Person/Create", "{\"name\":\"X\",\"email\":\"x@b\",\"secret\":\"s\"}",
                "INVALID_ARGUMENT: secret of person is not written this way; leave it out");
    assert_call(&o, ANN, "Project/Create", "{\"title\":\"T\",\"owner_id\":\"ann\",\"number\":5}",
                "INVALID_ARGUMENT: number of project is numbered by the server; leave it out");
    assert_call(&o, ANN, "Project/Create", "{\"title\":\"T\",\"owner_id\":\"ann\",\"total\":5}",
                "INVALID_ARGUMENT: total of project is worked out from other values; leave it out");
    assert_call(&o, ANN, "Project/Create",
                "{\"title\":\"T\",\"owner_id\":\"ann\",\"created_at\":\"2026-01-01T00:00:00Z\"}",
                "INVALID_ARGUMENT: created_at of project is kept by the system; leave it out");
    office_close(&o);
}

static void broken_constraints_become_sentences(struct charle_db *db)
{
    struct office o;
    with_staff(&o, db);
    assert_call(&o, BOSS, "Person/Create", "{\"name\":\"X\",\"email\":\"ann@desk\"}",
                "UNIQUE_VIOLATION: there is another person with the same email already");
    assert_call(&o, BOSS, "Person/Create", "{\"id\":\"ann\",\"name\":\"X\",\"email\":\"x@desk\"}",
                "UNIQUE_VIOLATION: there is another person with the same id already");
    assert_call(&o, BOSS, "Project/Create", "{\"title\":\"First\",\"owner_id\":\"ann\"}",
                "UNIQUE_VIOLATION: there is another project with the same owner_id and title already");
    assert_call(&o, BOSS, "Person/Create", "{\"name\":\"X\",\"email\":\"nowhere\"}",
                "CHECK_VIOLATION: email of this person has a value that is not allowed (check)");
    assert_call(&o, BOSS, "Person/Create", "{\"name\":\"012345678901234567890\",\"email\":\"x@desk\"}",
                "CHECK_VIOLATION: name of this person has a value that is not allowed (length)");
    assert_call(&o, ANN, "Project/Create",
                "{\"title\":\"T\",\"owner_id\":\"ann\",\"starts_on\":\"2026-02-01\",\"ends_on\":\"2026-01-01\"}",
                "CHECK_VIOLATION: this project breaks the rule project_span_order of its table");
    assert_call(&o, BOSS, "Project/Create", "{\"title\":\"T\",\"owner_id\":\"nobody\"}",
                "FOREIGN_KEY_VIOLATION: *refers to a * that does not exist");
    assert_call(&o, BOSS, "Person/Delete", "{\"key\":{\"id\":\"ann\"}}",
                "FOREIGN_KEY_VIOLATION: this person cannot go: *refers to it");
    assert_call(&o, ANN, "Project/Update", "{\"key\":{\"id\":\"p1\"},\"set\":{\"hours\":-1},\"mask\":[8,9]}",
                "{\"id\":\"p1\"*");
    assert_call(&o, ANN, "Project/Update", "{\"key\":{\"id\":\"p1\"},\"set\":{\"budget\":\"-1\"}}",
                "CHECK_VIOLATION: budget of this project has a value that is not allowed (check)");
    office_close(&o);
}

static void a_caller_sees_the_columns_of_their_audiences(struct charle_db *db)
{
    struct office o;
    with_staff(&o, db);
    const char *key = "{\"id\":\"ann\"}";
    assert_call(&o, BOSS, "Person/Get", key,
                "{\"id\":\"ann\",\"name\":\"ann\",\"email\":\"ann@desk\",\"salary\":\"200\",\"created_at\":*");
    assert_call(&o, BOB, "Person/Get", key, "{\"id\":\"ann\",\"name\":\"ann\",\"created_at\":*");
    assert_call(&o, ANN, "Person/Get", key, "{\"id\":\"ann\",\"name\":\"ann\",\"email\":\"ann@desk\",\"created_at\":*");
    assert_call(&o, ONLY_ANN, "Person/Get", key,
                "{\"id\":\"ann\",\"name\":\"ann\",\"email\":\"ann@desk\",\"created_at\":*");
    assert_call(&o, STRANGER, "Person/Get", key,
                "NOT_FOUND: there is no such person, or none that this caller may see");
    assert_call(&o, "", "Person/Get", key, "NOT_FOUND: *");
    assert_call(&o, BOSS, "Person/Get", "{\"id\":\"gone\"}", "NOT_FOUND: *");
    // Through a path: bob becomes a member of ann's project.
    assert_call(&o, GUEST, "Project/Get", "{\"id\":\"p1\"}", "NOT_FOUND: *");
    assert_call(&o, ANN, "Member/Create", "{\"project_id\":\"p1\",\"person_id\":\"bob\"}",
                "{\"project_id\":\"p1\",\"person_id\":\"bob\"}");
    assert_call(&o, GUEST, "Project/Get", "{\"id\":\"p1\"}",
                "{\"id\":\"p1\",\"title\":\"First\",\"state\":\"open\",\"created_at\":\"2026-11-22T12:41:04Z\"}");
    assert_call(
        &o, GUEST ",team", "Project/Get", "{\"id\":\"p1\"}",
        "{\"id\":\"p1\",\"number\":1,\"title\":\"First\",\"owner_id\":\"ann\",\"state\":\"open\",\"hours\":0,*");
    assert_call(&o, ANN, "Project/Get", "{\"id\":\"p1\"}", "{*\"budget\":\"1000.5\",*");
    // The team sees projects once they are not new any more.
    assert_call(&o, ANN, "Project/Create", "{\"id\":\"p2\",\"title\":\"Second\",\"owner_id\":\"ann\"}",
                "{\"id\":\"p2\",*");
    assert_call(&o, BOB, "Project/Get", "{\"id\":\"p2\"}", "NOT_FOUND: *");
    assert_call(&o, ONLY_ANN, "Project/Get", "{\"id\":\"p2\"}", "{\"id\":\"p2\",*");
    assert_call(&o, BOSS, "Vault/Create", "{\"content\":\"gold\"}", "{\"id\":\"01*\"}");
    assert_call(&o, BOSS, "Vault/Get", "{\"id\":\"x\"}", "PERMISSION_DENIED: nobody may call desk.VaultService/Get");
    office_close(&o);
}

static void a_caller_cannot_set_what_they_do_not_see(struct charle_db *db)
{
    struct office o;
    with_staff(&o, db);
    assert_call(&o, ANN, "Person/Update", "{\"key\":{\"id\":\"ann\"},\"set\":{\"salary\":\"9999\"}}",
                "PERMISSION_DENIED: salary of this person may not be changed by this caller, who does not see it");
    assert_call(&o, ANN, "Person/Update", "{\"key\":{\"id\":\"ann\"},\"set\":{\"secret\":\"s\"}}",
                "PERMISSION_DENIED: secret of this person*");
    assert_call(&o, BOSS, "Person/Update", "{\"key\":{\"id\":\"ann\"},\"set\":{\"secret\":\"s\"}}",
                "PERMISSION_DENIED: secret of this person*");
    // boss may create projects for others, and sees them as one of the team: without the budget, once they are open.
    assert_call(&o, "boss,team", "Project/Create",
                "{\"title\":\"B\",\"owner_id\":\"bob\",\"state\":\"open\",\"budget\":\"5\"}",
                "PERMISSION_DENIED: this caller may not set budget of a project, nor see it; leave it out");
    assert_call(&o, "boss,team", "Project/Create", "{\"title\":\"C\",\"owner_id\":\"bob\",\"state\":\"open\"}",
                "{\"id\":\"01*\",\"number\":*\"title\":\"C\",*");
    // What is put into a letter box cannot be read back.
    assert_call(&o, ANN, "Suggestion/Create", "{\"id\":\"s1\",\"body\":\"More tea\"}", "{\"id\":\"s1\"}");
    assert_call(&o, BOSS, "Suggestion/Get", "{\"id\":\"s1\"}", "{\"id\":\"s1\",\"body\":\"More tea\"}");
    assert_call(&o, ANN, "Suggestion/Get", "{\"id\":\"s1\"}", "NOT_FOUND: *");
    office_close(&o);
}

static void update_follows_its_mask(struct charle_db *db)
{
    struct office o;
    with_staff(&o, db);
    assert_call(&o, ANN, "Project/Update",
                "{\"key\":{\"id\":\"p1\"},\"set\":{\"title\":\"Renamed\",\"labels\":[\"x\"]}}",
                "{\"id\":\"p1\",\"number\":1,\"title\":\"Renamed\",*\"budget\":\"1000.5\",\"labels\":[\"x\"],*"
                "\"created_at\":\"2026-11-22T12:41:04Z\",\"updated_at\":\"2026-11-22T12:41:05Z\"}");
    assert_call(
        &o, ANN, "Project/Update", "{\"key\":{\"id\":\"p1\"},\"set\":{\"title\":\"Again\"},\"mask\":[3,7,10]}",
        "{\"id\":\"p1\",\"number\":1,\"title\":\"Again\",\"owner_id\":\"ann\",\"state\":\"open\",\"hours\":0,*");
    assert_call(&o, ANN, "Project/Update", "{\"key\":{\"id\":\"p1\"},\"set\":{\"title\":\"Left\"},\"mask\":[13]}",
                "{*\"title\":\"Again\",*");
    // Nothing changes: neither does the time of the last change.
    assert_call(&o, ANN, "Project/Update", "{\"key\":{\"id\":\"p1\"},\"set\":{\"title\":\"Again\"}}",
                "{*\"updated_at\":\"2026-11-22T12:41:06Z\"}");
    assert_call(&o, ANN, "Project/Update", "{\"key\":{\"id\":\"p1\"},\"set\":{},\"mask\":[99]}",
                "INVALID_ARGUMENT: the mask names field 99, which project does not have");
    assert_call(&o, ANN, "Project/Update", "{\"key\":{\"id\":\"p1\"},\"set\":{},\"mask\":[3]}",
                "INVALID_ARGUMENT: title of this project must have a value");
    assert_call(&o, ANN, "Project/Update", "{\"key\":{\"id\":\"p1\"},\"set\":{\"id\":\"p2\"}}",
                "INVALID_ARGUMENT: id of this project is the key of the row and cannot be changed");
    assert_call(&o, ANN, "Project/Update", "{\"key\":{\"id\":\"p1\"},\"set\":{\"number\":9}}",
                "INVALID_ARGUMENT: number of this project is numbered by the server*");
    assert_call(&o, ANN, "Project/Update",
                "{\"key\":{\"id\":\"p1\"},\"set\":{\"created_at\":\"2020-01-01T00:00:00Z\"}}",
                "INVALID_ARGUMENT: created_at of this project is kept*");
    assert_call(&o, ANN, "Project/Update",
                "{\"key\":{\"id\":\"p1\"},\"set\":{\"id\":\"p1\",\"number\":1,\"title\":\"Whole\",\"updated_at\":"
                "\"2026-11-22T12:41:06Z\"}}",
                "{*\"title\":\"Whole\",*");
    assert_call(&o, ANN, "Project/Update", "{\"key\":{\"id\":\"p1\"},\"set\":{\"total\":5}}",
                "FAILED_PRECONDITION: total of project is worked out from other values; it cannot be set");
    assert_call(&o, ANN, "Project/Update", "{\"key\":{\"id\":\"gone\"},\"set\":{\"title\":\"x\"}}", "NOT_FOUND: *");
    office_close(&o);
}

static void time_does_not_go_back(struct charle_db *db)
{
    struct office o;
    with_staff(&o, db);
    o.now.us -= 3600 * (int64_t)1000000; // a call that was made an hour ago arrives now
    assert_call(&o, ANN, "Project/Update", "{\"key\":{\"id\":\"p1\"},\"set\":{\"title\":\"Late\"}}",
                "{*\"updated_at\":\"2026-11-22T12:41:04Z\"}");
    office_close(&o);
}

static void only_those_who_may_write_do(struct charle_db *db)
{
    struct office o;
    with_staff(&o, db);
    assert_call(&o, BOB, "Project/Update", "{\"key\":{\"id\":\"p1\"},\"set\":{\"title\":\"Bob's\"}}",
                "PERMISSION_DENIED: to change this project one must hold one of these: person:{owner_id}, boss; this "
                "caller does not");
    assert_call(&o, STRANGER, "Project/Update", "{\"key\":{\"id\":\"p1\"},\"set\":{\"title\":\"x\"}}",
                "NOT_FOUND: *"); // not even that it exists
    // The row as it will be counts too: ann cannot give her project away.
    assert_call(&o, ANN, "Project/Update", "{\"key\":{\"id\":\"p1\"},\"set\":{\"owner_id\":\"bob\"}}",
                "PERMISSION_DENIED: to change this project*");
    assert_call(&o, "boss," ANN, "Project/Update", "{\"key\":{\"id\":\"p1\"},\"set\":{\"owner_id\":\"bob\"}}",
                "{*\"owner_id\":\"bob\",*");
    assert_call(&o, ANN, "Project/Update", "{\"key\":{\"id\":\"p1\"},\"set\":{\"title\":\"x\"}}",
                "PERMISSION_DENIED: to change*");
    assert_call(&o, ANN, "Project/Delete", "{\"key\":{\"id\":\"p1\"}}", "PERMISSION_DENIED: to delete this project*");
    assert_call(&o, BOB, "Project/Delete", "{\"key\":{\"id\":\"p1\"}}", "{}");
    assert_call(&o, BOB, "Project/Delete", "{\"key\":{\"id\":\"p1\"}}", "NOT_FOUND: *");
    assert_call(&o, BOSS, "Suggestion/Delete", "{\"key\":{\"id\":\"s\"}}",
                "PERMISSION_DENIED: nobody may call desk.SuggestionService/Delete");
    office_close(&o);
}

// An edit of p1 by ann from the given base, after somebody else wrote `theirs`.
static const char *edit(struct office *o, const char *theirs, const char *base, const char *mine)
{
    if (*theirs)
        assert_matches(office_call(o, ANN, "Project/Update", "{\"key\":{\"id\":\"p1\"},\"set\":{%s}}", theirs),
                       "{\"id\"*", __FILE__, __LINE__);
    return office_call(o, ANN, "Project/Update", "{\"key\":{\"id\":\"p1\"},\"set\":{%s},\"base\":{%s}}", mine, base);
}

#define assert_edit(o, theirs, base, mine, expected, expected_note)                            \
    do {                                                                                       \
        assert_matches(edit(o, theirs, base, mine), expected, __FILE__, __LINE__);             \
        assert_matches((o)->note.len ? (o)->note.ptr : "", expected_note, __FILE__, __LINE__); \
    } while (0)

static void edits_are_merged(struct charle_db *db)
{
    struct office o;
    with_staff(&o, db);
    assert_edit(&o, "", "\"title\":\"First\"", "\"title\":\"Mine\"", "{*\"title\":\"Mine\",*", "");
    assert_edit(&o, "\"title\":\"Theirs\"", "\"title\":\"Mine\"", "\"title\":\"Later\"", "{*\"title\":\"Later\",*",
                "title had been changed to \"Theirs\" meanwhile; it is \"Later\" now");
    assert_edit(&o, "\"score\":1", "\"hours\":0", "\"hours\":2", "{*\"hours\":2,*\"score\":1,*", ""); // another column
    assert_edit(&o, "\"hours\":5", "\"hours\":2", "\"hours\":3", "{*\"hours\":6,*", "hours was changed by 1 from 5*");
    assert_edit(&o, "\"budget\":\"2000\"", "\"budget\":\"1000.5\"", "\"budget\":\"3000\"",
                "CONFLICT: budget of this project was changed by someone else meanwhile: it is \"2000\" now*", "");
    assert_edit(&o, "", "\"budget\":\"2000.00\"", "\"budget\":\"3000\"", "{*\"budget\":\"3000\",*",
                ""); // 2000.00 is 2000
    assert_edit(&o, "\"labels\":[\"a\",\"b\"]", "\"labels\":[\"a\"]", "\"labels\":[\"c\"]",
                "{*\"labels\":[\"b\",\"c\"],*", "labels had been changed*");
    assert_edit(&o, "\"notes\":\"one\\n\\ntwo\"", "", "\"notes\":\"one\\n\\ntwo\"", "{*\"notes\":\"one\\n\\ntwo\",*",
                "");
    assert_edit(&o, "\"notes\":\"ONE\\n\\ntwo\"", "\"notes\":\"one\\n\\ntwo\"", "\"notes\":\"one\\n\\nTWO\"",
                "{*\"notes\":\"ONE\\n\\nTWO\",*", "notes was changed elsewhere*");
    assert_edit(&o, "\"starts_on\":\"2026-01-01\",\"ends_on\":\"2026-02-01\"", "", "\"starts_on\":\"2026-01-05\"",
                "CONFLICT: starts_on of this project*", "");
    assert_edit(&o, "\"ends_on\":\"2026-03-01\"", "\"starts_on\":\"2026-01-01\",\"ends_on\":\"2026-02-01\"",
                "\"starts_on\":\"2026-01-05\"",
                "CONFLICT: ends_on of this project was changed by someone else meanwhile: it is \"2026-03-01\" now*",
                "");
    assert_edit(&o, "\"state\":\"done\"", "\"state\":\"open\"", "\"state\":\"done\"", "{*\"state\":\"done\",*", "");
    assert_edit(&o, "", "\"state\":\"done\"", "\"state\":\"open\"",
                "FAILED_PRECONDITION: state of this project cannot go from \"done\" to \"open\"*", "");
    assert_edit(&o, "\"closed_at\":\"2026-05-01T00:00:00Z\"", "", "\"closed_at\":\"2026-06-01T00:00:00Z\"",
                "{*\"closed_at\":\"2026-05-01T00:00:00Z\",*", "closed_at is set once*");
    assert_edit(&o, "\"settings\":{\"b\":1,\"a\":2}", "\"settings\":{\"a\":2,\"b\":1}", "\"settings\":{\"c\":3}",
                "{*\"settings\":{\"c\": 3},*", ""); // equal, whatever the order of keys
    office_close(&o);
}

static void appended_rows_do_not_change(struct charle_db *db)
{
    struct office o;
    with_staff(&o, db);
    assert_call(&o, ANN, "Remark/Create", "{\"id\":\"r\",\"project_id\":\"p1\",\"body\":\"Good\"}", "{\"id\":\"r\",*");
    assert_call(&o, ANN, "Remark/Update", "{\"key\":{\"id\":\"r\"},\"set\":{\"body\":\"Bad\"}}",
                "FAILED_PRECONDITION: rows of remark are added, not changed*");
    assert_call(&o, ANN, "Remark/Update", "{\"key\":{\"id\":\"r\"},\"set\":{\"body\":\"Good\"}}",
                "{*\"body\":\"Good\"}");
    office_close(&o);
}

static void deletes_look_before_they_leap(struct charle_db *db)
{
    struct office o;
    with_staff(&o, db);
    assert_call(&o, ANN, "Step/Create", "{\"id\":\"s1\",\"project_id\":\"p1\",\"title\":\"One\"}", "{*");
    assert_call(&o, ANN, "Step/Create", "{\"id\":\"s2\",\"project_id\":\"p1\",\"title\":\"Two\",\"parent_id\":\"s1\"}",
                "{*");
    assert_call(&o, ANN, "Step/Delete", "{\"key\":{\"id\":\"s1\"},\"base\":{\"title\":\"Uno\"}}",
                "CONFLICT: title of this step was changed by someone else meanwhile: it is \"One\" now*");
    assert_call(&o, ANN, "Step/Delete", "{\"key\":{\"id\":\"s1\"},\"base\":{\"title\":\"One\"}}", "{}");
    assert_call(&o, ANN, "Step/Get", "{\"id\":\"s2\"}",
                "{\"id\":\"s2\",\"project_id\":\"p1\",\"title\":\"Two\"}"); // its parent is gone
    // A delete that was made offline finds the row gone, or hidden.
    o.is_replay = true;
    assert_call(&o, ANN, "Step/Delete", "{\"key\":{\"id\":\"s1\"}}", "{}");
    assert_matches(o.note.ptr, "this step had been deleted by someone else already", __FILE__, __LINE__);
    assert_call(&o, STRANGER ",team", "Project/Delete", "{\"key\":{\"id\":\"nope\"}}", "{}");
    assert_call(&o, STRANGER, "Project/Delete", "{\"key\":{\"id\":\"p1\"}}", "NOT_FOUND: *");
    o.is_replay = false;
    assert_call(&o, ANN, "Remark/Create", "{\"id\":\"r\",\"project_id\":\"p1\",\"body\":\"Good\"}", "{*");
    assert_call(&o, ANN, "Project/Delete", "{\"key\":{\"id\":\"p1\"}}",
                "FOREIGN_KEY_VIOLATION: this project cannot go: *refers to it");
    assert_call(&o, ANN, "Remark/Delete", "{\"key\":{\"id\":\"r\"}}", "{}");
    assert_call(&o, ANN, "Project/Delete", "{\"key\":{\"id\":\"p1\"}}", "{}");
    assert_int_equal(must_count(db, "select count(*) from step"), 0);
    office_close(&o);
}

static void composite_keys_work(struct charle_db *db)
{
    struct office o;
    with_staff(&o, db);
    assert_call(&o, ANN, "Member/Create", "{\"project_id\":\"p1\",\"person_id\":\"bob\",\"role\":\"cook\"}",
                "{\"project_id\":\"p1\",\"person_id\":\"bob\",\"role\":\"cook\"}");
    assert_call(&o, ANN, "Member/Create", "{\"project_id\":\"p1\",\"person_id\":\"bob\"}",
                "UNIQUE_VIOLATION: there is another member with the same project_id and person_id already");
    assert_call(&o, ANN, "Member/Get", "{\"project_id\":\"p1\",\"person_id\":\"bob\"}", "{*\"role\":\"cook\"}");
    assert_call(&o, ANN, "Member/Get", "{\"project_id\":\"p1\",\"person_id\":\"ann\"}", "NOT_FOUND: *");
    assert_call(&o, ANN, "Member/Update",
                "{\"key\":{\"project_id\":\"p1\",\"person_id\":\"bob\"},\"set\":{},\"mask\":[3]}",
                "{\"project_id\":\"p1\",\"person_id\":\"bob\"}");
    assert_call(&o, ANN, "Member/Delete", "{\"key\":{\"project_id\":\"p1\",\"person_id\":\"bob\"}}", "{}");
    office_close(&o);
}

int main(void)
{
    const struct suite_item items[] = {
        SUITE_ITEM(create_fills_in_what_the_system_keeps),
        SUITE_ITEM(the_same_call_makes_the_same_id),
        SUITE_ITEM(create_refuses_what_it_must),
        SUITE_ITEM(broken_constraints_become_sentences),
        SUITE_ITEM(a_caller_sees_the_columns_of_their_audiences),
        SUITE_ITEM(a_caller_cannot_set_what_they_do_not_see),
        SUITE_ITEM(update_follows_its_mask),
        SUITE_ITEM(time_does_not_go_back),
        SUITE_ITEM(only_those_who_may_write_do),
        SUITE_ITEM(edits_are_merged),
        SUITE_ITEM(appended_rows_do_not_change),
        SUITE_ITEM(deletes_look_before_they_leap),
        SUITE_ITEM(composite_keys_work),
    };
    return suite_run("crud rows", items, sizeof(items) / sizeof(*items));
}
