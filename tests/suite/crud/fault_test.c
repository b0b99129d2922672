// Every allocation of a call fails in turn: the call reports it, nothing crashes or leaks, and the database is as it
// was.
#include "office.h"

#include "base/alloc.h"
#include "db/sqlite/sqlite.h"
#include "msg/json.h"
#include "msg/wire.h"

#include <stdio.h>

static const char *const calls[][2] = {
    {"Project/Create",
     "{\"title\":\"A\",\"owner_id\":\"ann\",\"labels\":[\"x\"],\"settings\":{\"a\":1},\"budget\":\"1.5\"}"},
    {"Project/Get", "{\"id\":\"p1\"}"},
    {"Project/List",
     "{\"filter\":[{\"column\":\"state\",\"op\":\"filter_in\",\"value\":[\"open\"]},{\"column\":\"budget\","
     "\"op\":\"filter_gt\",\"value\":[\"1.0\"]}],\"order_by\":\"title\",\"limit\":1}"},
    {"Project/Update", "{\"key\":{\"id\":\"p1\"},\"set\":{\"title\":\"B\",\"notes\":\"a\\n\\nB\",\"labels\":[\"y\"]},"
                       "\"base\":{\"title\":\"Z\",\"notes\":\"a\\n\\nb\",\"labels\":[\"z\"]}}"},
    {"Member/Delete", "{\"key\":{\"project_id\":\"p1\",\"person_id\":\"bob\"},\"base\":{\"role\":\"cook\"}}"},
};

static int64_t fingerprint(struct charle_db *db)
{
    return must_count(db, "select (select count(*) from project) * 1000 + (select count(*) from member) * 100 + "
                          "(select sum(length(title) + length(coalesce(notes, '')) + length(labels)) from project)");
}

// Runs one call whose n-th allocation and all behind it fail. Returns the code.
static enum charle_err run(struct office *o, const struct charle_method *method, struct charle_bytes request, long n)
{
    const struct charle_str scopes[] = {CHARLE_STR("guest:ann"), CHARLE_STR("person:ann"), CHARLE_STR("team")};
    const struct charle_identity identity = {.principal = CHARLE_STR("person"), .scopes = scopes, .scope_count = 3};
    struct charle_arena arena = {0};
    struct charle_buf reply = {0};
    struct charle_error err = {0}, end;
    struct charle_context context = {
        .db = o->db, .arena = &arena, .schema = &desk_schema, .identity = &identity, .crud = ch_crud_run};
    charle_context_seed(&context, o->now, 7);
    assert_ok(charle_begin(o->db, NULL, &end), &end);
    ch_alloc_fail_at(n, 1);
    enum charle_err rc = charle_method_run(method, &context, request, &reply, &err);
    ch_alloc_fail_at(0, 0);
    if (rc && !err.text[0])
        fail_msg("allocation %ld: %s without words", n, charle_err_name(rc));
    assert_ok(charle_rollback(o->db, &end), &end);
    charle_buf_deinit(&reply);
    charle_arena_deinit(&arena);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct office o;
    struct charle_db *db;
    struct charle_error err;
    assert_ok(ch_sqlite_open(":memory:", NULL, &db, &err), &err);
    office_open(&o, db, false);
    office_staff(&o);
    assert_call(&o, "person:ann,team", "Member/Create",
                "{\"project_id\":\"p1\",\"person_id\":\"bob\",\"role\":\"cook\"}", "{*");
    assert_call(&o, "person:ann,team", "Project/Update",
                "{\"key\":{\"id\":\"p1\"},\"set\":{\"notes\":\"A\\n\\nb\",\"labels\":[\"w\"]}}", "{*");
    int64_t before = fingerprint(db);
    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
        char name[80];
        snprintf(name, sizeof(name), "desk.%.*sService%s", (int)strcspn(calls[i][0], "/"), calls[i][0],
                 strchr(calls[i][0], '/'));
        const struct charle_method *method = charle_method_find(&o.methods, charle_str(name));
        struct charle_buf request = {0};
        void *message = charle_arena_alloc(&o.arena, method->request->size);
        assert_ok(charle_message_read_json(method->request, charle_str(calls[i][1]), &o.arena, message, &err), &err);
        charle_message_write(method->request, message, &request);
        int failures = 0;
        for (long n = 1;; n++) {
            enum charle_err rc = run(&o, method, charle_buf_bytes(&request), n);
            assert_int_equal(fingerprint(db), before);
            if (!rc)
                break;
            failures++;
            if (rc != CHARLE_NO_MEMORY && rc != CHARLE_TOO_LARGE && rc != CHARLE_INVALID_ARGUMENT)
                fail_msg("%s, allocation %ld: %s", calls[i][0], n, charle_err_name(rc));
        }
        assert_true(failures > 2);
        charle_buf_deinit(&request);
    }
    office_close(&o);
    charle_db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
