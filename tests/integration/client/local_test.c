// Local tables: the application's own rows beside those of the server.
#include "fixture.h"

#include "db/query_words.h"
#include "notes.columns.charle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int run_sql(void *ctx, struct charle_db *db, struct charle_error *err)
{
    return charle_exec(db, ctx, NULL, 0, NULL, err);
}

static void must_write(struct charle_client *client, const char *sql)
{
    struct charle_error err = {0};
    char text[300];
    snprintf(text, sizeof(text), "%s", sql);
    if (charle_client_write_local(client, run_sql, text, &err))
        fail_msg("%s: %s", sql, err.text);
}

static void must_be_refused(struct charle_client *client, const char *sql, const char *words)
{
    struct charle_error err = {0};
    char text[300];
    snprintf(text, sizeof(text), "%s", sql);
    assert_int_equal(charle_client_write_local(client, run_sql, text, &err), CHARLE_FAILED_PRECONDITION);
    if (!strstr(err.text, words))
        fail_msg("%s: \"%s\" does not say: %s", sql, err.text, words);
}

static int64_t drafts(struct charle_client *client, const char *where)
{
    char sql[200];
    snprintf(sql, sizeof(sql), "select count(*) from draft where %s", where);
    return number(charle_client_db(client), sql);
}

static int typed(void *ctx, struct charle_db *db, struct charle_error *err)
{
    (void)ctx;
    const struct notes_draft_insert row = {.id = CHARLE_STR("typed"), .text = {CHARLE_STR("By the builder"), true}, .slot = {1, true}};
    int rc = (int)charle_run(db, charle_insert(draft, row), NULL, err);
    if (!rc)
        rc = (int)charle_run(db, charle_update(draft, eq(draft.id, "typed"), set(draft.text, "Changed")), NULL, err);
    return rc;
}

static int half(void *ctx, struct charle_db *db, struct charle_error *err)
{
    int rc = typed(ctx, db, err);
    return rc ? rc : (int)charle_fail(err, CHARLE_CANCELLED, "changed my mind");
}

static void are_written_without_a_server_and_kept(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct charle_client *client;
    const struct charle_client_options options = {.file = f->file, .schema = &notes_schema};
    assert_int_equal(charle_client_open(&options, &client, &err), CHARLE_OK);
    assert_int_equal(charle_client_write_local(client, half, NULL, &err), CHARLE_CANCELLED);
    assert_int_equal(drafts(client, "true"), 0);
    assert_int_equal(charle_client_write_local(client, typed, NULL, &err), CHARLE_OK);
    assert_int_equal(drafts(client, "text = 'Changed'"), 1);
    charle_client_close(client);
    client = open_client(f);
    must_sync(client); // a first copy, a moment
    assert_int_equal(drafts(client, "text = 'Changed'"), 1);
    assert_int_equal(number(charle_client_db(client), "select count(*) from note"), 300);
    struct charle_verify_report report;
    assert_int_equal(charle_client_verify(client, 10000, &report, &err), CHARLE_OK);
    assert_int_equal(drafts(client, "true"), 1);
    charle_client_close(client);
}

static void transactions_write_nothing_else(void **state)
{
    struct fixture *f = *state;
    struct charle_client *client = open_client(f);
    must_sync(client);
    must_write(client, "insert into draft(id, text) select id, title from note where id < 'n0004'"); // reading is free
    assert_int_equal(drafts(client, "true"), 3);
    must_be_refused(client, "update note set title = 'x'", "writes note, which is the server's too: change it by a call");
    must_be_refused(client, "delete from charle_outbox", "is the platform's");
    must_be_refused(client, "update draft set text = (select value from charle_meta limit 1)", "is the platform's");
    must_be_refused(client, "create table mine (id text)", "is the platform's");
    must_be_refused(client, "pragma journal_mode = delete", "does more than read and write rows");
    struct charle_error err = {0};
    char twice[] = "insert into draft(id, slot) values ('a', 7), ('b', 7)";
    assert_int_equal(charle_client_write_local(client, run_sql, twice, &err), CHARLE_UNIQUE_VIOLATION);
    assert_int_equal(drafts(client, "true"), 3);
    charle_client_close(client);
}

struct seen {
    int inserted, updated, deleted;
};

static void follow(void *ctx, const struct charle_live_change *change)
{
    struct seen *seen = ctx;
    seen->inserted += change->event == CHARLE_LIVE_INSERTED;
    seen->updated += change->event == CHARLE_LIVE_UPDATED;
    seen->deleted += change->event == CHARLE_LIVE_DELETED;
}

static void live_queries_see_them(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct seen seen = {0};
    struct charle_client_live *live = NULL;
    struct charle_client *client = open_client(f);
    must_sync(client);
    assert_int_equal(charle_client_live_open(client, NULL, &live, &err), CHARLE_OK);
    const struct charle_live_query query = {.sql = "select d.id, d.text, n.title from draft d left join note n on n.id = d.note_id", .key = "id",
                                            .fn = follow, .ctx = &seen};
    assert_int_equal(charle_client_live_add(live, &query, NULL, &err), CHARLE_OK);
    assert_int_equal(charle_client_live_take(live, &err), CHARLE_OK);
    must_write(client, "insert into draft(id, note_id) values ('d1', 'n0001')");
    assert_int_equal(charle_client_live_take(live, &err), CHARLE_OK);
    assert_int_equal(seen.inserted, 1);
    must_write(client, "update draft set text = 'more'");
    assert_int_equal(charle_client_live_take(live, &err), CHARLE_OK);
    assert_int_equal(seen.updated, 1);
    assert_int_equal(set_title(f, client, "n0001", "Renamed", NULL, &err), CHARLE_OK);
    assert_int_equal(charle_client_live_take(live, &err), CHARLE_OK);
    assert_int_equal(seen.updated, 2);
    must_write(client, "delete from draft");
    assert_int_equal(charle_client_live_take(live, &err), CHARLE_OK);
    assert_int_equal(seen.deleted, 1);
    charle_client_live_close(live);
    charle_client_close(client);
}

// No constraint while the row is only out of sight for a moment; then what on_delete says.
static void references_are_dealt_with_once_the_server_has_spoken(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct charle_client *client = open_client(f);
    fake_server_sql(served_lock(&f->served), "insert into room(id, title) values ('r7', 'Cellar')");
    served_unlock(&f->served);
    must_sync(client);
    must_write(client, "insert into draft(id, note_id, room_id) values ('a', 'n0001', null), ('b', 'n0002', 'r7'), ('c', null, null)");
    served_pause(&f->served);
    const struct notes_note_key key = {CHARLE_STR("n0001")};
    const struct notes_note_delete request = {.key = &key};
    struct charle_empty reply;
    assert_int_equal(charle_client_call(client, &notes_note_service_delete_method, &request, &f->arena, &reply, NULL, &err), CHARLE_OK);
    assert_int_equal(drafts(client, "note_id = 'n0001'"), 1); // the server may refuse the call
    served_resume(&f->served);
    must_sync(client);
    fake_server_sql(served_lock(&f->served), "delete from room where id = 'r7'");
    served_unlock(&f->served);
    must_sync(client);
    assert_int_equal(drafts(client, "note_id = 'n0001'"), 0);
    assert_int_equal(drafts(client, "id = 'a' and note_id is null"), 1);
    assert_int_equal(drafts(client, "id = 'b'"), 0);
    assert_int_equal(drafts(client, "id = 'c'"), 1);
    charle_client_close(client);
}

// Whatever happens to the server's tables in the file, the local ones stay; and they follow their own definition.
static void survive_new_versions_of_the_schema(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct charle_client *client = open_client(f);
    must_sync(client);
    must_write(client, "insert into draft(id, text, slot) values ('a', 'Kept', 3)");
    charle_client_close(client);
    // Another version of the schema that has another column in the local table, and tables that cannot be carried over.
    struct charle_schema newer = notes_schema;
    const struct charle_table *tables[12];
    struct charle_table local = notes_draft_table, notes = notes_note_table;
    struct charle_column columns[5];
    struct charle_audience audiences[3];
    memcpy(columns, notes_draft_table.columns, sizeof(columns));
    columns[3].name = CHARLE_STR("words");
    local.columns = columns;
    local.replica_create = "create table \"draft\" (\"id\" text not null, \"note_id\" text, \"room_id\" text, \"words\" text not null default '', "
                           "\"slot\" integer, primary key (\"id\")) strict, without rowid;";
    memcpy(audiences, notes_note_table.audiences, sizeof(audiences));
    audiences[0].where_sqlite = NULL; // another rule: note is copied again, and so is everything else
    notes.audiences = audiences;
    memcpy(tables, notes_schema.tables, notes_schema.table_count * sizeof(*tables));
    for (size_t i = 0; i < newer.table_count; i++)
        tables[i] = tables[i]->id == local.id ? &local : tables[i]->id == notes.id ? &notes : tables[i];
    newer.tables = tables;
    newer.hash++;
    newer.services = NULL;
    newer.service_count = 0;
    const struct charle_client_options options = {.file = f->file, .schema = &newer};
    assert_int_equal(charle_client_open(&options, &client, &err), CHARLE_OK);
    assert_int_equal(drafts(client, "words = 'Kept' and slot = 3"), 1);
    assert_int_equal(number(charle_client_db(client), "select count(*) from note"), 0);
    charle_client_close(client);
}

static void are_no_part_of_the_server(void **state)
{
    (void)state;
    struct charle_buf text = {0};
    assert_string_equal(notes_draft_table.pg_create, "");
    assert_string_equal(notes_draft_table.pg_indexes, "");
    assert_string_equal(notes_draft_table.sqlite_create, "");
    for (size_t i = 0; i < notes_schema.service_count; i++)
        assert_false(charle_str_equal(notes_schema.services[i]->name, CHARLE_STR("notes.DraftService")));
    // A service that would use it on the server is told so before the database is asked.
    struct charle_error err = {0};
    __auto_type query = charle_update(draft, eq(draft.id, "x"), set(draft.text, "y"));
    enum charle_err rc = charle_query_text(CHARLE_PG, query, &text, &err);
    assert_int_equal(rc, CHARLE_FAILED_PRECONDITION);
    assert_string_equal(err.text, "table draft is local_only: laptops have it, the server does not; give a service what it needs in its request");
    charle_buf_deinit(&text);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(are_written_without_a_server_and_kept),
        CASE(transactions_write_nothing_else),
        CASE(live_queries_see_them),
        CASE(references_are_dealt_with_once_the_server_has_spoken),
        CASE(survive_new_versions_of_the_schema),
        cmocka_unit_test(are_no_part_of_the_server),
    };
#undef CASE
    return cmocka_run_group_tests_name("local tables", tests, NULL, NULL);
}
