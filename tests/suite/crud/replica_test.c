// The generated services on a replica: everything that is there may be seen, numbers are provisional, deletes do what
// foreign keys would do; and Get in two halves against Get in one, on PostgreSQL.
#include "office.h"

#include "db/pg/pipeline.h"
#include "db/sqlite/sqlite.h"
#include "msg/json.h"
#include "msg/wire.h"

#include <stdio.h>

#define ANN  "person:ann,team"
#define BOSS "boss,person:boss,team"

static void open_replica(struct office *o)
{
    struct charle_db *db;
    struct charle_error err;
    assert_ok(ch_sqlite_open(":memory:", NULL, &db, &err), &err);
    office_open(o, db, true);
    must_exec(db, "insert into person (id, name) values ('ann', 'Ann'), ('bob', 'Bob')");
    must_exec(db, "insert into project (id, number, title, owner_id, state, budget) values ('p1', 7, 'First', 'ann', "
                  "'open', null)");
}

static void close_replica(struct office *o)
{
    struct charle_db *db = o->db;
    office_close(o);
    charle_db_close(db);
}

static void rows_are_made_with_provisional_numbers(void **state)
{
    (void)state;
    struct office o;
    open_replica(&o);
    assert_call(&o, ANN, "Project/Create", "{\"title\":\"A\",\"owner_id\":\"ann\"}",
                "{\"id\":\"01*\",\"number\":-*,\"title\":\"A\",\"owner_id\":\"ann\",\"state\":\"new\",\"hours\":0,\"is_"
                "active\":true,"
                "\"created_at\":\"2026-11-22T12:41:01Z\",\"updated_at\":\"2026-11-22T12:41:01Z\"}");
    assert_call(&o, ANN, "Project/Create", "{\"title\":\"B\",\"owner_id\":\"ann\",\"labels\":[\"x\"]}",
                "{\"id\":\"01*\",\"number\":-*\"labels\":[\"x\"],*");
    assert_call(&o, ANN, "Project/Create", "{\"title\":\"C\",\"owner_id\":\"bob\"}",
                "PERMISSION_DENIED: to create this project*");
    close_replica(&o);
}

static void all_that_is_there_is_seen(void **state)
{
    (void)state;
    struct office o;
    open_replica(&o);
    assert_call(&o, "", "Project/Get", "{\"id\":\"p1\"}",
                "{\"id\":\"p1\",\"number\":7,\"title\":\"First\",\"owner_id\":\"ann\",\"state\":\"open\",*");
    assert_call(&o, "", "Person/List", "{\"order_by\":\"name\"}",
                "{\"rows\":[{\"id\":\"bob\",\"name\":\"Bob\",*},{\"id\":\"ann\",\"name\":\"Ann\",*");
    assert_call(&o, "", "Person/List", "{}", "{\"rows\":[{*");
    assert_call(&o, ANN, "Person/Get", "{\"id\":\"zed\"}", "NOT_FOUND: *");
    assert_call(&o, "boss", "Suggestion/List", "{}", "{}");
    close_replica(&o);
}

static void updates_merge_here_too(void **state)
{
    (void)state;
    struct office o;
    open_replica(&o);
    assert_call(
        &o, ANN, "Project/Update",
        "{\"key\":{\"id\":\"p1\"},\"set\":{\"title\":\"New\",\"state\":\"done\"},\"base\":{\"title\":\"First\","
        "\"state\":\"open\"}}",
        "{\"id\":\"p1\",\"number\":7,\"title\":\"New\",*\"state\":\"done\",*\"updated_at\":\"2026-11-22T12:41:01Z\"}");
    assert_call(&o, ANN, "Project/Update", "{\"key\":{\"id\":\"p1\"},\"set\":{\"state\":\"new\"}}",
                "FAILED_PRECONDITION: state of this project cannot go*");
    assert_call(&o, ANN, "Person/Update", "{\"key\":{\"id\":\"ann\"},\"set\":{\"secret\":\"x\"}}",
                "PERMISSION_DENIED: secret of this person is not kept on this device");
    assert_call(&o, "team", "Project/Update", "{\"key\":{\"id\":\"p1\"},\"set\":{\"title\":\"x\"}}",
                "PERMISSION_DENIED: to change this project*");
    close_replica(&o);
}

static void deletes_take_along_what_hangs_on_the_row(void **state)
{
    (void)state;
    struct office o;
    open_replica(&o);
    must_exec(o.db, "insert into step (id, project_id, parent_id, title) values ('s1', 'p1', null, 'a'), ('s2', 'p1', "
                    "'s1', 'b'), ('s3', 'p9', 's1', 'c')");
    must_exec(o.db, "insert into member (project_id, person_id) values ('p1', 'bob'), ('p9', 'bob')");
    must_exec(o.db, "insert into remark (id, project_id, body) values ('r', 'p1', 'x')");
    assert_call(&o, ANN, "Project/Delete", "{\"key\":{\"id\":\"p1\"}}",
                "FOREIGN_KEY_VIOLATION: this project cannot go: project_id of a remark refers to it");
    assert_int_equal(must_count(o.db, "select count(*) from step"), 3); // rolled back as a whole
    assert_call(&o, ANN, "Remark/Delete", "{\"key\":{\"id\":\"r\"}}", "{}");
    assert_call(&o, ANN, "Project/Delete", "{\"key\":{\"id\":\"p1\"}}", "{}");
    assert_int_equal(must_count(o.db, "select count(*) from step"), 1);
    assert_int_equal(must_count(o.db, "select count(*) from step where id = 's3' and parent_id is null"), 1);
    assert_int_equal(must_count(o.db, "select count(*) from member"), 1);
    assert_call(&o, BOSS, "Person/Delete", "{\"key\":{\"id\":\"bob\"}}", "{}");
    assert_int_equal(must_count(o.db, "select count(*) from member"), 0);
    close_replica(&o);
}

static void circles_end(void **state)
{
    (void)state;
    struct office o;
    open_replica(&o);
    must_exec(o.db, "insert into step (id, project_id, parent_id, title) values ('s1', 'p1', 's2', 'a'), ('s2', 'p1', "
                    "'s1', 'b'), ('s3', 'p1', 's3', 'c')");
    assert_call(&o, ANN, "Step/Delete", "{\"key\":{\"id\":\"s1\"}}", "{}");
    assert_call(&o, ANN, "Step/Delete", "{\"key\":{\"id\":\"s3\"}}", "{}");
    assert_int_equal(must_count(o.db, "select count(*) from step where id = 's2' and parent_id is null"), 1);
    close_replica(&o);
}

// --- what an edit is based on ------------------------------------------------------------------------------

// An Update as the replica would queue it, in JSON.
static const char *with_base(struct office *o, const char *json)
{
    const struct charle_method *method = charle_method_find(&o->methods, CHARLE_STR("desk.ProjectService/Update"));
    struct charle_context context = {.db = o->db, .arena = &o->arena, .schema = &desk_schema, .is_replica = true};
    struct charle_buf request = {0}, based = {0}, text = {0};
    struct charle_error err = {0};
    void *message = charle_arena_alloc(&o->arena, method->request->size);
    assert_ok(charle_message_read_json(method->request, charle_str(json), &o->arena, message, &err), &err);
    charle_message_write(method->request, message, &request);
    assert_ok(ch_crud_add_base(method, &context, charle_buf_bytes(&request), &based, &err), &err);
    assert_ok(charle_message_read(method->request, charle_buf_bytes(&based), &o->arena, message, &err), &err);
    charle_message_write_json(method->request, message, &text);
    struct charle_str result = charle_arena_str(&o->arena, charle_buf_str(&text));
    charle_buf_deinit(&request);
    charle_buf_deinit(&based);
    charle_buf_deinit(&text);
    return result.ptr;
}

#define KEY "{\"key\":{\"id\":\"p1\"},\"set\":{"

static void an_edit_takes_along_what_it_is_based_on(void **state)
{
    (void)state;
    struct office o;
    open_replica(&o);
    must_exec(o.db, "update project set ends_on = '2026-02-01'");
    assert_string_equal(with_base(&o, KEY "\"title\":\"x\"}}"), KEY "\"title\":\"x\"},\"base\":{\"title\":\"First\"}}");
    assert_string_equal(with_base(&o, KEY "},\"mask\":[6]}"), KEY "},\"mask\":[6],\"base\":{}}");
    // starts_on changes together with ends_on.
    assert_string_equal(with_base(&o, KEY "\"title\":\"x\",\"starts_on\":\"2026-01-01\"}}"),
                        KEY "\"title\":\"x\",\"starts_on\":\"2026-01-01\",\"ends_on\":\"2026-02-01\"},\"mask\":[3,8,9],"
                            "\"base\":{\"title\":\"First\",\"ends_on\":\"2026-02-01\"}}");
    assert_string_equal(with_base(&o, KEY "\"starts_on\":\"2026-01-01\"},\"mask\":[8]}"),
                        KEY "\"starts_on\":\"2026-01-01\",\"ends_on\":\"2026-02-01\"},\"mask\":[8,9],"
                            "\"base\":{\"ends_on\":\"2026-02-01\"}}");
    // What has a base keeps it; a row that is not there has none.
    const char *based = KEY "\"title\":\"x\"},\"base\":{\"title\":\"Old\"}}";
    assert_string_equal(with_base(&o, based), based);
    const char *gone = "{\"key\":{\"id\":\"p9\"},\"set\":{\"title\":\"x\"}}";
    assert_string_equal(with_base(&o, gone), gone);
    close_replica(&o);
}

// A replica, and a server with the staff on PostgreSQL.
static void open_both(struct office *replica, struct office *server)
{
    struct charle_db *db;
    struct charle_error err;
    open_replica(replica);
    assert_ok(ch_pg_open(suite_pg_url(), NULL, &db, &err), &err);
    suite_drop_all(db);
    office_open(server, db, false);
    office_staff(server);
}

static void close_both(struct office *replica, struct office *server)
{
    struct charle_db *db = server->db;
    office_close(server);
    charle_db_close(db);
    close_replica(replica);
}

// An edit of one column of a group, queued while both were empty, meets a server where the other one was set.
static void a_group_that_was_empty_is_watched_too(void **state)
{
    (void)state;
    struct office replica, server;
    open_both(&replica, &server);
    const char *queued = with_base(&replica, KEY "\"starts_on\":\"2026-05-01\"}}");
    assert_call(&replica, ANN, "Project/Update", queued, "{*\"starts_on\":\"2026-05-01\",*");
    assert_call(&server, ANN, "Project/Update", KEY "\"ends_on\":\"2026-03-01\"}}", "{*");
    server.is_replay = true;
    assert_call(&server, ANN, "Project/Update", queued,
                "CONFLICT: ends_on of this project was changed by someone else meanwhile: it is \"2026-03-01\" now*");
    close_both(&replica, &server);
}

// A call that is run again on the replica, and then on the server, makes the same row; the number alone is the
// server's.
static void a_call_makes_the_same_row_everywhere(void **state)
{
    (void)state;
    struct office replica, server;
    const char *request = "{\"title\":\"A\",\"owner_id\":\"ann\",\"labels\":[\"x\"]}";
    open_both(&replica, &server);
    server.seed = replica.seed = 100;
    server.now = replica.now;
    const char *first = office_call(&replica, ANN, "Project/Create", "%s", request);
    must_exec(replica.db, "delete from project where title = 'A'");
    must_exec(replica.db, "insert into project (id, number, title, owner_id) values ('q', -5, 'Q', 'ann')");
    replica.seed = 100;
    replica.now = server.now;
    assert_string_equal(office_call(&replica, ANN, "Project/Create", "%s", request), first);
    const char *there = office_call(&server, ANN, "Project/Create", "%s", request);
    assert_memory_equal(there, first, strcspn(first, ","));
    assert_string_equal(strstr(there, "\"title\""), strstr(first, "\"title\""));
    close_both(&replica, &server);
}

// --- Get in two halves -------------------------------------------------------------------------------------

struct pg_row {
    PGresult *result;
    struct charle_arena *arena;
};

static enum charle_err encode(void *row, const struct charle_table *table, const struct charle_column_set *columns,
                              struct charle_buf *buf, struct charle_error *err)
{
    return ch_pg_encode_row(table, columns, ((struct pg_row *)row)->result, 0, buf, err);
}

static enum charle_err flag(void *row, size_t column, bool *out, struct charle_error *err)
{
    struct pg_row *r = row;
    struct charle_value value;
    enum charle_err rc = ch_pg_result_value(r->result, 0, (int)column, CHARLE_TYPE_BOOL, false, r->arena, &value, err);
    *out = !rc && !value.is_null && value.boolean;
    return rc;
}

// The reply of a Get in two halves, over a pipeline, as JSON; or the error.
static const char *get_in_halves(struct office *o, const struct charle_identity *identity, const char *table,
                                 const char *key)
{
    char name[80];
    snprintf(name, sizeof(name), "desk.%sService/Get", table);
    const struct charle_method *method = charle_method_find(&o->methods, charle_str(name));
    struct charle_context context = {.arena = &o->arena, .schema = &desk_schema, .identity = identity};
    struct charle_buf request = {0}, reply = {0}, text = {0};
    struct charle_error err = {0};
    void *message = charle_arena_alloc(&o->arena, method->request->size);
    assert_ok(charle_message_read_json(method->request, charle_str(key), &o->arena, message, &err), &err);
    charle_message_write(method->request, message, &request);
    struct ch_crud_get get;
    enum charle_err rc = ch_crud_get_prepare(method, &context, charle_buf_bytes(&request), CHARLE_PG, &get, &err);
    PGresult *result = NULL;
    if (!rc) {
        struct ch_pg_pipeline *pipeline;
        assert_ok(ch_pg_pipeline_open(o->db, 0, &pipeline, &err), &err);
        assert_ok(ch_pg_pipeline_add(pipeline, get.sql, get.params, get.param_count, &err), &err);
        assert_ok(ch_pg_pipeline_next(pipeline, &result, &err), &err);
        struct pg_row row = {result, &o->arena};
        const struct ch_crud_row source = {&row, encode, flag};
        rc = ch_crud_get_finish(&get, PQntuples(result) ? &source : NULL, &reply, &err);
        PQclear(result);
        ch_pg_pipeline_close(pipeline);
    }
    void *out = charle_arena_alloc(&o->arena, method->reply->size);
    if (!rc)
        assert_ok(charle_message_read(method->reply, charle_buf_bytes(&reply), &o->arena, out, &err), &err);
    if (rc)
        charle_buf_printf(&text, "%s: %s", charle_err_name(rc), err.text);
    else
        charle_message_write_json(method->reply, out, &text);
    struct charle_str result_text = charle_arena_str(&o->arena, charle_buf_str(&text));
    charle_buf_deinit(&request);
    charle_buf_deinit(&reply);
    charle_buf_deinit(&text);
    return result_text.ptr;
}

static void both_ways_of_get_agree(void **state)
{
    (void)state;
    static const struct {
        const char *who, *table, *key;
    } cases[] = {
        {BOSS, "Person", "{\"id\":\"ann\"}"},
        {"team", "Person", "{\"id\":\"ann\"}"},
        {ANN, "Person", "{\"id\":\"ann\"}"},
        {"person:ann", "Person", "{\"id\":\"ann\"}"},
        {"person:zed", "Person", "{\"id\":\"ann\"}"},
        {"", "Person", "{\"id\":\"ann\"}"},
        {BOSS, "Person", "{\"id\":\"nobody\"}"},
        {ANN, "Project", "{\"id\":\"p1\"}"},
        {"team", "Project", "{\"id\":\"p1\"}"},
        {"guest:bob", "Project", "{\"id\":\"p1\"}"},
        {"guest:bob,team", "Project", "{\"id\":\"p1\"}"},
        {"guest:bob,person:ann,team", "Project", "{\"id\":\"p1\"}"},
        {"person:x,team", "Project", "{\"id\":\"p1\"}"},
        {ANN, "Member", "{\"project_id\":\"p1\",\"person_id\":\"bob\"}"},
        {BOSS, "Vault", "{\"id\":\"x\"}"},
    };
    struct office o;
    struct charle_db *db;
    struct charle_error err;
    assert_ok(ch_pg_open(suite_pg_url(), NULL, &db, &err), &err);
    suite_drop_all(db);
    office_open(&o, db, false);
    office_staff(&o);
    assert_call(&o, ANN, "Member/Create", "{\"project_id\":\"p1\",\"person_id\":\"bob\"}", "{*");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct charle_str scopes[8];
        size_t count = 0;
        for (const char *at = cases[i].who; *at;) {
            size_t len = strcspn(at, ",");
            scopes[count++] = charle_str_n(at, len); // the cases give them in order
            at += len + (at[len] == ',');
        }
        const struct charle_identity identity = {
            .principal = CHARLE_STR("person"), .scopes = scopes, .scope_count = count};
        char method[80];
        snprintf(method, sizeof(method), "%s/Get", cases[i].table);
        const char *halves = get_in_halves(&o, &identity, cases[i].table, cases[i].key);
        assert_string_equal(halves, office_call(&o, cases[i].who, method, "%s", cases[i].key));
    }
    office_close(&o);
    charle_db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_made_with_provisional_numbers),
        cmocka_unit_test(all_that_is_there_is_seen),
        cmocka_unit_test(updates_merge_here_too),
        cmocka_unit_test(deletes_take_along_what_hangs_on_the_row),
        cmocka_unit_test(circles_end),
        cmocka_unit_test(an_edit_takes_along_what_it_is_based_on),
        cmocka_unit_test(a_group_that_was_empty_is_watched_too),
        cmocka_unit_test(a_call_makes_the_same_row_everywhere),
        cmocka_unit_test(both_ways_of_get_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
