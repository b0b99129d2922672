// Services that may not run offline: refused when they are registered, and stopped when they do more than they said.
#include "world.h"

#include "call/offline.h"
#include "msg/wire.h"
#include "notes.charle.h"
#include "services/crud.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

extern const struct charle_schema notes_schema;

// A service that runs the SQL it is given.
static enum charle_err run_sql(struct charle_context *context, const void *request, void *reply, struct charle_error *err)
{
    const struct notes_replace_request *in = request;
    struct notes_replace_reply *out = reply;
    const char *sql = charle_arena_printf(context->arena, "%.*s", CHARLE_FMT(in->from)).ptr;
    if (charle_str_equal(in->to, CHARLE_STR("script")))
        return charle_exec_script(context->db, sql, err);
    return charle_exec(context->db, sql, NULL, 0, &out->count, err);
}

static const struct charle_table *const note_and_room[] = {&notes_note_table, &notes_room_table, NULL};
static const struct charle_table *const person_only[] = {&notes_person_table, NULL};
static const struct charle_table *const secret_too[] = {&notes_person_table, &notes_secret_table, NULL};
static const char *const team[] = {"team", NULL};

#define RUDE .request = &notes_replace_request_message, .reply = &notes_replace_reply_message, .is_offline = true, .allow = team
static const struct charle_method rude_methods[] = {
    {.name = CHARLE_STR_INIT("test.Rude/Notes"), RUDE, .unary = run_sql, .writes = note_and_room, .reads = person_only},
    {.name = CHARLE_STR_INIT("test.Rude/Persons"), RUDE, .unary = run_sql, .writes = person_only},
};
static const struct charle_service rude = {CHARLE_STR_INIT("test.Rude"), rude_methods, 2};

struct fixture {
    struct ch_client_env env;
    struct ch_replica replica;
    struct charle_schema schema;
    const struct charle_service *services[12];
    char file[80];
};

static int64_t now_us(void *ctx)
{
    (void)ctx;
    return 1763800000000000;
}

static void no_random(void *ctx, void *out, size_t size)
{
    (void)ctx;
    memset(out, 7, size);
}

static enum charle_err open_with(struct fixture *f, const struct charle_service *service, struct charle_error *err)
{
    f->env = (struct ch_client_env){.now_mono_us = now_us, .now_wall_us = now_us, .random = no_random};
    f->schema = notes_schema;
    memcpy(f->services, notes_schema.services, notes_schema.service_count * sizeof(f->services[0]));
    f->services[f->schema.service_count++] = service;
    f->schema.services = f->services;
    snprintf(f->file, sizeof(f->file), "/dev/shm/charle_%d_guard.db", (int)getpid());
    world_remove_files(f->file);
    const struct ch_replica_options options = {.file = f->file, .schema = &f->schema, .crud = ch_crud_run};
    return ch_replica_open(&f->replica, &f->env, &options, err);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_true(notes_schema.service_count < sizeof(f->services) / sizeof(f->services[0]));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    ch_replica_close(&f->replica);
    world_remove_files(f->file);
    free(f);
    return 0;
}

// --- when it is registered --------------------------------------------------------------------------------------------

static enum charle_err nothing(struct charle_context *context, const void *request, struct charle_stream *stream, struct charle_error *err)
{
    (void)context, (void)request, (void)stream, (void)err;
    return CHARLE_OK;
}

static void wrong_services_are_refused_when_a_replica_is_opened(void **state)
{
    struct fixture *f = *state;
    static const struct charle_table stranger = {.id = 3, .name = CHARLE_STR_INIT("stranger"), .is_replicated = true};
    static const struct charle_table *const strange[] = {&stranger, NULL};
    const struct {
        struct charle_method method;
        const char *says;
    } cases[] = {
        {{RUDE, .unary = run_sql}, "it does not say which tables it writes; add `writes` (and `reads`) to its options"},
        {{RUDE, .unary = run_sql, .reads = person_only}, "it does not say which tables it writes"},
        {{RUDE, .unary = run_sql, .writes = secret_too}, "it writes table secret, which no laptop has; give the table an audience"},
        {{RUDE, .unary = run_sql, .writes = person_only, .reads = secret_too}, "it reads table secret, which no laptop has"},
        {{RUDE, .unary = run_sql, .writes = strange}, "it writes table stranger, which is none of the schema notes"},
        {{RUDE, .writes = person_only}, "this program has no function for it; link its handler"},
        {{RUDE, .unary = run_sql, .writes = person_only, .is_read_only = true}, "it only reads, so there is nothing to queue"},
        {{RUDE, .stream = nothing, .streaming = CHARLE_SERVER_STREAM, .writes = person_only}, "it streams, and a queued call has one request"},
        {{RUDE, .crud = CHARLE_CRUD_CREATE, .table = &notes_secret_table}, "table secret is on no laptop"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct charle_error err = {0};
        struct charle_method method = cases[i].method;
        method.name = CHARLE_STR("test.Wrong/Do");
        const struct charle_service service = {CHARLE_STR_INIT("test.Wrong"), &method, 1};
        assert_int_equal(open_with(f, &service, &err), CHARLE_FAILED_PRECONDITION);
        assert_non_null(strstr(err.text, "the method test.Wrong/Do cannot be offline: "));
        if (!strstr(err.text, cases[i].says))
            fail_msg("\"%s\" does not say: %s", err.text, cases[i].says);
        method.is_offline = false; // online it may do all that
        assert_int_equal(open_with(f, &service, &err), CHARLE_OK);
        ch_replica_close(&f->replica);
    }
}

// A kind of person who may call, and who sees nothing of a table that the method needs.
static void tables_must_be_shown_to_all_who_may_call(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    const struct charle_grant grants[] = {
        {.audience = CHARLE_STR_INIT("team"), .principal = CHARLE_STR_INIT("person"), .sql = ""},
        {.audience = CHARLE_STR_INIT("person"), .principal = CHARLE_STR_INIT("person"), .sql = ""},
        {.audience = CHARLE_STR_INIT("room"), .principal = CHARLE_STR_INIT("visitor"), .sql = ""},
    };
    static const char *const visitors[] = {"room:{room_id}", NULL};
    struct charle_method method = rude_methods[0];
    f->schema = notes_schema;
    f->schema.grants = grants;
    f->schema.grant_count = 3;
    assert_int_equal(charle_offline_check(&f->schema, &method, &err), CHARLE_OK);
    method.allow = visitors; // they see note and room, and no person
    assert_int_equal(charle_offline_check(&f->schema, &method, &err), CHARLE_FAILED_PRECONDITION);
    assert_string_equal(err.text, "the method test.Rude/Notes cannot be offline: it reads table person, of which visitor sees no rows; "
                                  "add an audience, or leave `offline` out");
    method.reads = NULL;
    assert_int_equal(charle_offline_check(&f->schema, &method, &err), CHARLE_OK);
}

// --- while it runs ----------------------------------------------------------------------------------------------------

static enum charle_err call(struct fixture *f, const struct charle_method *method, const char *sql, const char *how, struct charle_error *err)
{
    const struct notes_replace_request request = {.from = charle_str(sql), .to = charle_str(how)};
    struct charle_buf bytes = {0}, reply = {0};
    int64_t ticket = 0;
    charle_message_write(method->request, &request, &bytes);
    enum charle_err rc = ch_replica_call(&f->replica, method, charle_buf_bytes(&bytes), &reply, &ticket, err);
    charle_buf_deinit(&bytes);
    charle_buf_deinit(&reply);
    return rc;
}

static void prepare_replica(struct fixture *f)
{
    struct charle_error err = {0};
    assert_int_equal(open_with(f, &rude, &err), CHARLE_OK);
    assert_int_equal(ch_replica_begin(&f->replica, CH_DURABLE, &err), CHARLE_OK);
    assert_int_equal(ch_meta_set_number(&f->replica.sql, "ready", 1, &err), CHARLE_OK);
    assert_int_equal(ch_meta_set_text(&f->replica.sql, "principal", CHARLE_STR("person"), &err), CHARLE_OK);
    assert_int_equal(ch_meta_set_text(&f->replica.sql, "principal_id", CHARLE_STR("p1"), &err), CHARLE_OK);
    assert_int_equal(ch_lite_script(&f->replica.sql,
                                    "insert into charle_cursor(scope, stamp, lineage, state) values ('team', 1, 1, 1);"
                                    "insert into person(id, name) values ('p1', 'Ada'); insert into room(id, title) values ('r1', 'Attic')",
                                    "a test", &err), CHARLE_OK);
    assert_int_equal(ch_replica_identity_changed(&f->replica, &err), CHARLE_OK);
    assert_int_equal(ch_replica_commit(&f->replica, &err), CHARLE_OK);
}

static int64_t waiting(struct fixture *f)
{
    int64_t count = -1;
    struct charle_error err = {0};
    assert_int_equal(ch_lite_number(&f->replica.sql, CH_LITE_OUTBOX_COUNT, 0, &count, &err, ""), CHARLE_OK);
    return count;
}

static void methods_do_what_they_said_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    const struct {
        const char *sql, *how, *says;
    } cases[] = {
        {"update person set name = 'x'", "", "writes table person without saying so: add writes: \"person\" to its options"},
        {"insert into note_reader(note_id, person_id) values ('a', 'b')", "", "writes table note_reader without saying so"},
        {"delete from note_reader", "", "writes table note_reader without saying so"},
        {"update room set title = (select count(*) from note_reader)", "", "reads table note_reader without saying so: add reads: \"note_reader\""},
        {"update room set title = 'x' where exists (select 1 from secret)", "", "cannot run on a laptop: no such table: secret"},
        {"update room set colour = 'red'", "", "cannot run on a laptop: no such column: colour"},
        {"update room set title = (select value from charle_meta limit 1)", "", "reads charle_meta, which is the platform's"},
        {"delete from charle_outbox", "", "writes charle_outbox, which is the platform's"},
        {"delete from CHARLE_OUTBOX", "", "is the platform's"},
        {"update room set title = (select name from sqlite_master limit 1)", "", "is the platform's"},
        {"update room set title = random()", "", "uses random() in SQL, which the server's run would answer otherwise"},
        {"update room set title = hex(RandomBlob(4))", "", "uses randomblob() in SQL"},
        {"update room set title = datetime('now')", "", "uses datetime() in SQL"},
        {"update room set title = current_timestamp", "", "uses current_timestamp() in SQL"},
        {"update room set title = charle_now()", "", "uses charle_now() in SQL"},
        {"update room set title = last_insert_rowid()", "", "uses last_insert_rowid() in SQL"},
        {"commit", "script", "begins or ends a transaction (COMMIT); it runs inside one"},
        {"update room set title = 'x'; rollback", "script", "begins or ends a transaction (ROLLBACK)"},
        {"create table mine (id text)", "script", "is the platform's"},
        {"drop table room", "script", "is the platform's"},
        {"pragma synchronous = off", "script", "does more than read and write rows"},
        {"attach ':memory:' as other", "script", "does more than read and write rows"},
    };
    prepare_replica(f);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct charle_error err = {0};
        enum charle_err rc = call(f, &rude_methods[0], cases[i].sql, cases[i].how, &err);
        if (rc != CHARLE_FAILED_PRECONDITION || !strstr(err.text, cases[i].says) || !strstr(err.text, "offline method test.Rude/Notes "))
            fail_msg("%s: %d \"%s\" does not say: %s", cases[i].sql, (int)rc, err.text, cases[i].says);
        assert_int_equal(waiting(f), 0);
    }
    // What it said it may do, and what needs no saying.
    static const char *const fine[] = {
        "update room set title = (select name from person where id = 'p1')",
        "insert into room(id, title) select 'r' || value, 'Room' from json_each('[2, 3]')",
        "with taken(id) as (select id from room) update room set title = title || (select count(*) from taken)",
        "delete from note",
    };
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
        struct charle_error err = {0};
        if (call(f, &rude_methods[0], fine[i], "", &err))
            fail_msg("%s: %s", fine[i], err.text);
    }
    assert_int_equal(waiting(f), sizeof(fine) / sizeof(fine[0]));
}

// Statements are kept prepared for the whole connection: what one method may do another may not.
static void a_statement_is_looked_at_for_each_method(void **state)
{
    struct fixture *f = *state;
    static const char sql[] = "update person set name = 'Bob'";
    struct charle_error err = {0};
    prepare_replica(f);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(call(f, &rude_methods[1], sql, "", &err), CHARLE_OK);
        assert_int_equal(call(f, &rude_methods[0], sql, "", &err), CHARLE_FAILED_PRECONDITION);
        assert_non_null(strstr(err.text, "test.Rude/Notes writes table person without saying so"));
    }
    assert_int_equal(waiting(f), 3);
    // The library's own statements are not asked.
    assert_int_equal(charle_exec(f->replica.db, "update person set name = hex(randomblob(4))", NULL, 0, NULL, &err), CHARLE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(wrong_services_are_refused_when_a_replica_is_opened, setup, teardown),
        cmocka_unit_test_setup_teardown(tables_must_be_shown_to_all_who_may_call, setup, teardown),
        cmocka_unit_test_setup_teardown(methods_do_what_they_said_and_nothing_else, setup, teardown),
        cmocka_unit_test_setup_teardown(a_statement_is_looked_at_for_each_method, setup, teardown),
    };
    return cmocka_run_group_tests_name("services offline", tests, NULL, NULL);
}
