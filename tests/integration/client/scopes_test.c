// Scopes: what comes first, what is let go of and fetched again, and what each takes.
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void must(int rc, const struct charle_error *err)
{
    if (rc)
        fail_msg("%s", err->text);
}

// Rows of three scopes: team shows notes without their bodies, room:r1 and room:r2 show those of their rooms with bodies.
static void add_rooms(struct fixture *f)
{
    struct fake_server *server = served_lock(&f->served);
    fake_server_grant(server, "room:r1");
    fake_server_grant(server, "room:r2");
    fake_server_sql(server, "insert into room(id, title, budget) values ('r1', 'One', 10), ('r2', 'Two', 20)");
    fake_server_sql(server, "update note set room_id = 'r2', state = 'draft', body = 'b' where id > 'n0200'"); // drafts are not for the team
    served_unlock(&f->served);
}

struct seen {
    char text[400];
    int64_t rows, bytes;
};

static bool note_scope(void *ctx, const struct charle_scope_entry *entry)
{
    struct seen *seen = ctx;
    static const char *const states[] = {"", "ready", "copying", "repairing", "evicted"};
    size_t len = strlen(seen->text);
    snprintf(seen->text + len, sizeof(seen->text) - len, "%s %s%s;", entry->scope, states[entry->state], entry->is_pinned ? " pinned" : "");
    assert_true((entry->true_at_us > 0) == (entry->state == CHARLE_SCOPE_READY));
    if (strcmp(entry->scope, "room:r2") == 0) {
        seen->rows = entry->rows;
        seen->bytes = entry->bytes;
    }
    return true;
}

static struct seen scopes_of(struct charle_client *client, bool with_storage)
{
    struct seen seen = {0};
    struct charle_error err = {0};
    must(charle_client_scopes(client, with_storage, note_scope, &seen, &err), &err);
    return seen;
}

static void lists_scopes_with_storage(void **state)
{
    struct fixture *f = *state;
    add_rooms(f);
    struct charle_client *client = open_client(f);
    must_sync(client);
    struct seen seen = scopes_of(client, true);
    assert_string_equal(seen.text, "room:r1 ready;room:r2 ready;team ready;");
    assert_int_equal(seen.rows, 101); // a room and its notes
    assert_true(seen.bytes > 5000 && seen.bytes < 1000000);
    assert_int_equal(scopes_of(client, false).rows, -1);
    charle_client_close(client);
}

static void evicted_scope_goes_and_comes_back(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    add_rooms(f);
    struct charle_client *client = open_client(f);
    must_sync(client);
    must(charle_client_start(client, &err), &err);
    assert_true(wait_for_state(client, CHARLE_CLIENT_LIVE, 10000));
    must(charle_client_evict(client, "room:r2", &err), &err);
    must(charle_client_evict(client, "room:r2", &err), &err); // again is fine
    assert_string_equal(scopes_of(client, false).text, "room:r1 ready;room:r2 evicted;team ready;");
    assert_int_equal(number(charle_client_db(client), "select count(*) from note"), 200);
    // The team still shows the room's title; what only the room's scope showed is gone.
    assert_int_equal(number(charle_client_db(client), "select count(*) from room where id = 'r2' and title = 'Two' and budget is null"), 1);
    // Changes of it are not shown, through this session and the next.
    fake_server_sql(served_lock(&f->served), "update note set body = 'changed' where id = 'n0250'");
    served_unlock(&f->served);
    must_sync(client);
    assert_int_equal(number(charle_client_db(client), "select count(*) from note"), 200);
    charle_client_close(client);
    client = open_client(f);
    must_sync(client);
    assert_string_equal(scopes_of(client, false).text, "room:r1 ready;room:r2 evicted;team ready;");
    assert_int_equal(number(charle_client_db(client), "select count(*) from note"), 200);
    struct charle_verify_report report;
    must(charle_client_verify(client, 20000, &report, &err), &err);
    assert_int_equal(report.rows_different, 0);
    // Pinned, it comes back whole, and cannot go.
    must(charle_client_pin(client, "room:r2", true, &err), &err);
    must_sync(client);
    assert_string_equal(scopes_of(client, false).text, "room:r1 ready;room:r2 ready pinned;team ready;");
    assert_int_equal(number(charle_client_db(client), "select count(*) from note"), 300);
    assert_int_equal(number(charle_client_db(client), "select count(*) from note where body = 'changed'"), 1);
    assert_int_equal(number(charle_client_db(client), "select budget from room where id = 'r2'"), 20);
    assert_int_equal(charle_client_evict(client, "room:r2", &err), CHARLE_FAILED_PRECONDITION);
    assert_non_null(strstr(err.text, "pinned"));
    must(charle_client_pin(client, "room:r2", false, &err), &err);
    must(charle_client_evict(client, "room:r2", &err), &err);
    assert_int_equal(number(charle_client_db(client), "select count(*) from note"), 200);
    charle_client_close(client);
}

static void what_is_needed_does_not_go(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    add_rooms(f);
    struct fake_server *server = served_lock(&f->served);
    fake_server_grant(server, "reader:p1");
    served_unlock(&f->served);
    struct charle_client *client = open_client(f);
    must_sync(client);
    assert_int_equal(charle_client_evict(client, "room:r9", &err), CHARLE_NOT_FOUND);
    assert_int_equal(charle_client_pin(client, "room:r9", true, &err), CHARLE_NOT_FOUND);
    assert_int_equal(charle_client_evict(client, "", &err), CHARLE_INVALID_ARGUMENT);
    // A waiting call has touched a row of it.
    must(set_title(f, client, "n0250", "Waiting", NULL, &err), &err);
    assert_int_equal(charle_client_evict(client, "room:r2", &err), CHARLE_FAILED_PRECONDITION);
    assert_non_null(strstr(err.text, "wait for the server"));
    must_sync(client);
    // A row that stays refers to one of it: note_reader is shown by reader:p1, the draft n0250 by the room alone.
    fake_server_sql(served_lock(&f->served), "insert into note_reader(note_id, person_id) values ('n0250', 'p1')");
    served_unlock(&f->served);
    must_sync(client);
    must(charle_client_evict(client, "room:r2", &err), &err); // the reader's scope shows the note as well
    assert_int_equal(number(charle_client_db(client), "select count(*) from note where id = 'n0250' and body is not null and state is null"), 1);
    assert_int_equal(charle_client_evict(client, "reader:p1", &err), CHARLE_OK);
    assert_int_equal(number(charle_client_db(client), "select count(*) from note where id = 'n0250'"), 0);
    // person p1 is shown by the team only; note_reader rows of the reader's scope refer to it.
    must(charle_client_pin(client, "reader:p1", true, &err), &err);
    must_sync(client);
    assert_int_equal(charle_client_evict(client, "team", &err), CHARLE_FAILED_PRECONDITION);
    assert_non_null(strstr(err.text, "note_reader"));
    assert_int_equal(number(charle_client_db(client), "select count(*) from person"), 1);
    charle_client_close(client);
}

// What the scopes were when the replica became ready, and how many notes there were.
struct first_moment {
    struct charle_client *client;
    struct charle_db *db;
    atomic_bool is_seen;
    struct seen seen;
    int64_t notes;
};

static void see_first_moment(void *ctx, const struct charle_client_change *change)
{
    struct first_moment *first = ctx;
    struct charle_client_status status;
    charle_client_status(first->client, &status);
    if (!(change->events & CHARLE_EVENT_ROWS) || !status.is_ready || atomic_load(&first->is_seen))
        return;
    first->seen = scopes_of(first->client, false);
    first->notes = number(first->db, "select count(*) from note");
    atomic_store(&first->is_seen, true);
}

static void first_scopes_are_usable_before_the_rest(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct first_moment first = {0};
    static const char *const names[] = {"room:r2", NULL};
    const struct charle_client_options options = {.file = f->file, .schema = &notes_schema, .url = f->served.address, .token = "t", .first = names};
    add_rooms(f);
    must(charle_client_open(&options, &first.client, &err), &err);
    must(charle_client_db_open(first.client, &first.db, &err), &err);
    charle_client_watch(first.client, see_first_moment, &first);
    must_sync(first.client);
    charle_client_watch(first.client, NULL, NULL);
    assert_true(atomic_load(&first.is_seen));
    assert_string_equal(first.seen.text, "room:r1 copying;room:r2 ready;team copying;");
    assert_int_equal(first.notes, 100); // exactly the room's: one true moment of it
    assert_string_equal(scopes_of(first.client, false).text, "room:r1 ready;room:r2 ready;team ready;");
    assert_int_equal(number(first.db, "select count(*) from note"), 300);
    struct charle_verify_report report;
    must(charle_client_verify(first.client, 20000, &report, &err), &err);
    assert_int_equal(report.rows_different, 0);
    charle_db_close(first.db);
    charle_client_close(first.client);
}

static void tables_and_unknown_names_change_nothing_else(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct charle_client *client;
    static const char *const names[] = {"note_reader", "person", "colour", NULL};
    const struct charle_client_options options = {.file = f->file, .schema = &notes_schema, .url = f->served.address, .token = "t", .first = names};
    add_rooms(f);
    must(charle_client_open(&options, &client, &err), &err);
    must_sync(client);
    assert_string_equal(scopes_of(client, false).text, "room:r1 ready;room:r2 ready;team ready;");
    assert_int_equal(number(charle_client_db(client), "select count(*) from note"), 300);
    charle_client_close(client);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(lists_scopes_with_storage),  CASE(evicted_scope_goes_and_comes_back),       CASE(what_is_needed_does_not_go),
        CASE(first_scopes_are_usable_before_the_rest), CASE(tables_and_unknown_names_change_nothing_else),
    };
#undef CASE
    cmocka_set_test_filter(getenv("CHARLE_TEST_ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
