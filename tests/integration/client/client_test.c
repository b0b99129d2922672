// libcharle as an application uses it: the public header, real threads, a real channel; behind it the tests' own server.
#include "fixture.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

// --- options ------------------------------------------------------------------------------------------------------------------

static void wrong_options_are_told_so(void **state)
{
    struct fixture *f = *state;
    struct charle_client *client = NULL;
    struct charle_error err = {0};
    assert_int_equal(charle_client_open(NULL, &client, &err), CHARLE_INVALID_ARGUMENT);
    assert_int_equal(charle_client_open(&(struct charle_client_options){.schema = &notes_schema}, &client, &err), CHARLE_INVALID_ARGUMENT);
    assert_int_equal(charle_client_open(&(struct charle_client_options){.file = f->file}, &client, &err), CHARLE_INVALID_ARGUMENT);
    assert_int_equal(charle_client_open(&(struct charle_client_options){.file = f->file, .schema = &notes_schema, .url = "nonsense"}, &client, &err),
                     CHARLE_INVALID_ARGUMENT);
    assert_null(client);
    assert_int_equal(charle_client_open(&(struct charle_client_options){.file = f->file, .schema = &notes_schema}, &client, &err), CHARLE_OK);
    assert_int_equal(charle_client_sync(client, 100, &err), CHARLE_UNAVAILABLE);
    assert_int_equal(charle_client_start(client, &err), CHARLE_UNAVAILABLE);
    assert_non_null(strstr(err.text, "without a server"));
    charle_client_close(client);
    charle_client_close(NULL);
    assert_string_equal(charle_version(), "0.1.0");
    assert_string_equal(charle_client_state_name(CHARLE_CLIENT_LIVE), "live");
}

// --- the main job -------------------------------------------------------------------------------------------------------------

static void syncs_reads_and_calls(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct charle_client_status status;
    struct charle_client *client = open_client(f);
    must_sync(client);
    assert_int_equal(number(charle_client_db(client), "select count(*) from note"), 300);
    charle_client_status(client, &status);
    assert_true(status.is_ready);
    assert_int_equal(status.state, CHARLE_CLIENT_STOPPED);
    assert_string_equal(status.principal_id, "p1");
    assert_true(status.bytes_received > 10000 && status.file_size > 0 && status.contact_at_us > 0);
    served_pause(&f->served);
    struct charle_client_outcome outcome;
    assert_int_equal(set_title(f, client, "n0001", "Offline", &(struct charle_client_call_options){.outcome = &outcome}, &err), CHARLE_OK);
    assert_true(outcome.ticket > 0);
    assert_int_equal(number(charle_client_db(client), "select count(*) from note where title = 'Offline'"), 1);
    charle_client_status(client, &status);
    assert_int_equal(status.pending_calls, 1);
    assert_int_equal(charle_client_wait(client, outcome.ticket, 0, &outcome, &err), CHARLE_DEADLINE_EXCEEDED);
    assert_int_equal(charle_client_sync(client, 300, &err), CHARLE_DEADLINE_EXCEEDED);
    served_resume(&f->served);
    must_sync(client);
    assert_int_equal(server_number(f, "select count(*) from note where title = 'Offline'"), 1);
    assert_int_equal(charle_client_wait(client, outcome.ticket, 1000, &outcome, &err), CHARLE_OK);
    assert_true(outcome.is_confirmed);
    assert_int_equal(outcome.verdict, CHARLE_VERDICT_APPLIED);
    assert_int_equal(charle_client_wait(client, 999, 0, &outcome, &err), CHARLE_NOT_FOUND);
    charle_client_close(client);
}

static void replica_opens_again_without_a_server(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct charle_client *client = open_client(f);
    must_sync(client);
    charle_client_close(client);
    assert_int_equal(charle_client_open(&(struct charle_client_options){.file = f->file, .schema = &notes_schema, .is_read_only = true}, &client, &err),
                     CHARLE_OK);
    assert_int_equal(number(charle_client_db(client), "select count(*) from note"), 300);
    assert_int_equal(set_title(f, client, "n0001", "x", NULL, &err), CHARLE_READ_ONLY);
    assert_int_equal(charle_client_sync(client, 100, &err), CHARLE_READ_ONLY);
    assert_int_equal(charle_client_inbox_dismiss(client, 0, &err), CHARLE_READ_ONLY);
    charle_client_close(client);
    // The server's address is kept in the file.
    assert_int_equal(charle_client_open(&(struct charle_client_options){.file = f->file, .schema = &notes_schema}, &client, &err), CHARLE_OK);
    must_sync(client);
    charle_client_close(client);
}

static void reading_handle_cannot_write(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct charle_db *db;
    struct charle_client *client = open_client(f);
    must_sync(client);
    assert_int_equal(charle_client_db_open(client, &db, &err), CHARLE_OK);
    assert_int_equal(charle_exec(db, "update note set title = 'x'", NULL, 0, NULL, &err), CHARLE_READ_ONLY);
    assert_int_equal(number(db, "select count(*) from note"), 300);
    charle_db_close(db);
    charle_client_close(client);
}

static void verdict_can_be_waited_for(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct charle_client_outcome outcome;
    struct charle_client *client = open_client(f);
    must_sync(client);
    assert_int_equal(charle_client_start(client, &err), CHARLE_OK);
    assert_true(wait_for_state(client, CHARLE_CLIENT_LIVE, 10000));
    const struct charle_client_call_options wait = {.wait_for_verdict = true, .timeout_ms = 10000, .outcome = &outcome};
    assert_int_equal(set_title(f, client, "n0001", "Waited for", &wait, &err), CHARLE_OK);
    assert_true(outcome.is_confirmed);
    assert_int_equal(server_number(f, "select count(*) from note where title = 'Waited for'"), 1);
    served_lock(&f->served)->rejects = true;
    served_unlock(&f->served);
    assert_int_equal(set_title(f, client, "n0002", "Against the rules", &wait, &err), CHARLE_FAILED_PRECONDITION);
    assert_string_equal(err.text, "a rule says no");
    assert_int_equal(outcome.verdict, CHARLE_VERDICT_REJECTED);
    assert_int_equal(number(charle_client_db(client), "select count(*) from note where title = 'Against the rules'"), 0);
    charle_client_close(client);
}

static bool count_entry(void *ctx, const struct charle_inbox_entry *entry)
{
    int64_t *id = ctx;
    *id = entry->id;
    assert_int_equal(entry->verdict, CHARLE_VERDICT_REJECTED);
    assert_int_equal(entry->code, CHARLE_NOT_FOUND);
    assert_string_equal(entry->method, "notes.NoteService/Update");
    assert_true(entry->request_size > 0 && entry->text[0]);
    return true;
}

static bool count_call(void *ctx, const struct charle_outbox_entry *entry)
{
    int *count = ctx;
    assert_int_equal(entry->state, CHARLE_CALL_QUEUED);
    assert_null(entry->local_error);
    return ++*count < 2;
}

static void inbox_and_outbox_are_dealt_with(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct charle_client *client = open_client(f);
    struct charle_client_outcome outcome;
    const struct charle_client_call_options tell = {.outcome = &outcome};
    int64_t id = 0, ticket = 0;
    int calls = 0;
    must_sync(client);
    assert_int_equal(set_title(f, client, "n0001", "A", &tell, &err), CHARLE_OK);
    assert_int_equal(set_title(f, client, "n0002", "B", NULL, &err), CHARLE_OK);
    assert_int_equal(set_title(f, client, "n0003", "C", NULL, &err), CHARLE_OK);
    assert_int_equal(charle_client_outbox(client, count_call, &calls, &err), CHARLE_OK);
    assert_int_equal(calls, 2); // the walk was ended
    assert_int_equal(charle_client_discard(client, outcome.ticket, &err), CHARLE_OK);
    assert_int_equal(charle_client_discard(client, outcome.ticket, &err), CHARLE_NOT_FOUND);
    assert_int_equal(number(charle_client_db(client), "select count(*) from note where id = 'n0001' and title = 'Title 1'"), 1);
    fake_server_sql(served_lock(&f->served), "delete from note where id = 'n0002'");
    served_unlock(&f->served);
    must_sync(client);
    assert_int_equal(server_number(f, "select count(*) from note where title in ('A', 'B', 'C')"), 1);
    assert_int_equal(charle_client_inbox(client, count_entry, &id, &err), CHARLE_OK);
    assert_true(id > 0);
    // The row is not here either, so trying again fails at once and keeps the verdict.
    assert_int_equal(charle_client_inbox_retry(client, id, &ticket, &err), CHARLE_NOT_FOUND);
    fake_server_sql(served_lock(&f->served), "insert into note(id, room_id, title, votes, state, created_at, updated_at, labels) "
                    "values ('n0002', 'r1', 'Back', 0, 'open', 1, 1, '[]')");
    served_unlock(&f->served);
    must_sync(client);
    assert_int_equal(charle_client_inbox_retry(client, id, &ticket, &err), CHARLE_OK);
    assert_int_equal(charle_client_inbox_dismiss(client, id, &err), CHARLE_NOT_FOUND); // gone with the retry
    must_sync(client);
    assert_int_equal(server_number(f, "select count(*) from note where id = 'n0002' and title = 'B'"), 1);
    assert_int_equal(charle_client_inbox_dismiss(client, 0, &err), CHARLE_OK);
    charle_client_close(client);
}

static int set_rank(struct fixture *f, struct charle_client *client, const char *id, int32_t rank, struct charle_error *err)
{
    struct notes_note_patch reply;
    const struct notes_note_key key = {charle_str(id)};
    const struct notes_note_patch set = {.rank = {rank, true}};
    const struct notes_note_update request = {.key = &key, .set = &set};
    return charle_client_call(client, &notes_note_service_update_method, &request, &f->arena, &reply, NULL, err);
}

static bool last_id(void *ctx, const struct charle_inbox_entry *entry)
{
    *(int64_t *)ctx = entry->id;
    return true;
}

// A rank that the server has changed meanwhile is not overwritten. The verdict's id.
static int64_t quarrel(struct fixture *f, struct charle_client *client, int32_t mine, int32_t theirs)
{
    struct charle_error err = {0};
    int64_t id = 0;
    assert_int_equal(set_rank(f, client, "n0001", mine, &err), CHARLE_OK);
    fake_server_sql(served_lock(&f->served), "update note set rank = %d where id = 'n0001'", theirs);
    served_unlock(&f->served);
    must_sync(client);
    assert_int_equal(server_number(f, "select rank from note where id = 'n0001'"), theirs);
    assert_int_equal(charle_client_inbox(client, last_id, &id, &err), CHARLE_OK);
    assert_true(id > 0);
    return id;
}

static void mine_theirs_and_edited(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    int64_t ticket = 0;
    struct charle_client *client = open_client(f);
    must_sync(client);
    int64_t id = quarrel(f, client, 5, 7);
    // As it was it fails as it did, here already: it is still based on what was before. The verdict stays.
    assert_int_equal(charle_client_inbox_retry(client, id, &ticket, &err), CHARLE_CONFLICT);
    assert_int_equal(charle_client_inbox_redo(client, id, NULL, &ticket, &err), CHARLE_OK); // mine
    assert_true(ticket > 0);
    must_sync(client);
    assert_int_equal(server_number(f, "select rank from note where id = 'n0001'"), 5);
    assert_int_equal(charle_client_inbox_redo(client, id, NULL, &ticket, &err), CHARLE_NOT_FOUND); // dismissed with it
    id = quarrel(f, client, 10, 12);
    const struct notes_note_key key = {CHARLE_STR("n0001")};
    const struct notes_note_patch set = {.rank = {11, true}};
    const struct notes_note_update edited = {.key = &key, .set = &set};
    assert_int_equal(charle_client_inbox_redo(client, id, &edited, NULL, &err), CHARLE_OK);
    must_sync(client);
    assert_int_equal(server_number(f, "select rank from note where id = 'n0001'"), 11);
    id = quarrel(f, client, 20, 22);
    assert_int_equal(charle_client_inbox_dismiss(client, id, &err), CHARLE_OK); // theirs
    assert_int_equal(number(charle_client_db(client), "select rank from note where id = 'n0001'"), 22);
    struct charle_client_status status;
    charle_client_status(client, &status);
    assert_int_equal(status.inbox_count, 0);
    charle_client_close(client);
}

// --- watching -----------------------------------------------------------------------------------------------------------------

static void note_events(void *ctx, const struct charle_client_change *change)
{
    atomic_fetch_or((atomic_uint *)ctx, change->events);
}

static void watchers_are_told(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    atomic_uint seen = 0;
    struct charle_client *client = open_client(f);
    must_sync(client);
    charle_client_watch(client, note_events, &seen);
    assert_int_equal(charle_client_start(client, &err), CHARLE_OK);
    assert_true(wait_for_state(client, CHARLE_CLIENT_LIVE, 10000));
    charle_client_take_events(client);
    atomic_store(&seen, 0);
    fake_server_sql(served_lock(&f->served), "update note set title = 'Seen live' where id = 'n0007'");
    served_unlock(&f->served);
    struct pollfd wait = {.fd = charle_client_fd(client), .events = POLLIN};
    for (int i = 0; i < 100 && !(charle_client_take_events(client) & CHARLE_EVENT_ROWS); i++)
        assert_true(poll(&wait, 1, 10000) >= 0);
    for (int i = 0; i < 1000 && !(atomic_load(&seen) & CHARLE_EVENT_ROWS); i++) // the callback comes after the descriptor
        usleep(5000);
    assert_true(atomic_load(&seen) & CHARLE_EVENT_ROWS);
    assert_int_equal(number(charle_client_db(client), "select count(*) from note where title = 'Seen live'"), 1);
    charle_client_watch(client, NULL, NULL);
    charle_client_stop(client);
    charle_client_stop(client);
    charle_client_close(client);
}

struct onlooker {
    struct charle_client *client;
    atomic_int state;
};

static void look_at_status(void *ctx, const struct charle_client_change *change)
{
    struct onlooker *onlooker = ctx;
    struct charle_client_status status;
    charle_client_status(onlooker->client, &status);
    if (change->events & CHARLE_EVENT_STATUS)
        atomic_store(&onlooker->state, (int)status.state);
}

// Nothing comes after the stop, so what the watcher saw last must be the end.
static void watchers_see_what_they_are_told_of(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct onlooker onlooker = {.client = open_client(f)};
    must_sync(onlooker.client);
    charle_client_watch(onlooker.client, look_at_status, &onlooker);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(charle_client_start(onlooker.client, &err), CHARLE_OK);
        assert_true(wait_for_state(onlooker.client, CHARLE_CLIENT_LIVE, 10000));
        charle_client_stop(onlooker.client);
        for (int i = 0; i < 1000 && atomic_load(&onlooker.state) != CHARLE_CLIENT_STOPPED; i++)
            usleep(5000);
        assert_int_equal(atomic_load(&onlooker.state), CHARLE_CLIENT_STOPPED);
    }
    charle_client_watch(onlooker.client, NULL, NULL);
    charle_client_close(onlooker.client);
}

struct nosy {
    struct charle_client *client;
    atomic_int refusals;
};

static void ask_from_callback(void *ctx, const struct charle_client_change *change)
{
    struct nosy *nosy = ctx;
    struct charle_error err = {0};
    (void)change;
    // On the client's own thread waiting would be waiting for oneself.
    if (charle_client_sync(nosy->client, 100, &err) == CHARLE_FAILED_PRECONDITION)
        atomic_fetch_add(&nosy->refusals, 1);
}

static void callback_cannot_wait_for_its_own_thread(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct nosy nosy = {0};
    nosy.client = open_client(f);
    must_sync(nosy.client);
    charle_client_watch(nosy.client, ask_from_callback, &nosy);
    assert_int_equal(charle_client_start(nosy.client, &err), CHARLE_OK);
    for (int i = 0; i < 1000 && !atomic_load(&nosy.refusals); i++)
        usleep(5000);
    assert_true(atomic_load(&nosy.refusals) > 0);
    charle_client_watch(nosy.client, NULL, NULL);
    charle_client_close(nosy.client);
}

// --- several of everything ------------------------------------------------------------------------------------------------------

static void follower_takes_over(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct charle_client *first = open_client(f), *second = open_client(f);
    must_sync(first);
    assert_int_equal(charle_client_start(first, &err), CHARLE_OK);
    assert_true(wait_for_state(first, CHARLE_CLIENT_LIVE, 10000));
    assert_int_equal(charle_client_start(second, &err), CHARLE_OK);
    assert_true(wait_for_state(second, CHARLE_CLIENT_FOLLOWING, 10000));
    // What one does the other sees, and the leader sends what the follower queued.
    assert_int_equal(set_title(f, second, "n0005", "By the follower", NULL, &err), CHARLE_OK);
    assert_int_equal(number(charle_client_db(first), "select count(*) from note where title = 'By the follower'"), 1);
    assert_int_equal(charle_client_sync(second, 20000, &err), CHARLE_OK);
    assert_int_equal(server_number(f, "select count(*) from note where title = 'By the follower'"), 1);
    struct charle_verify_report report;
    assert_int_equal(charle_client_verify(second, 5000, &report, &err), CHARLE_BUSY);
    assert_int_equal(charle_client_verify(first, 20000, &report, &err), CHARLE_OK);
    assert_int_equal(report.rows_different, 0);
    assert_true(report.rows >= 300);
    charle_client_close(first);
    assert_true(wait_for_state(second, CHARLE_CLIENT_LIVE, 10000));
    charle_client_close(second);
}

struct worker {
    struct fixture *f;
    struct charle_client *client;
    int number;
    int failures;
};

static void *make_calls(void *ctx)
{
    struct worker *worker = ctx;
    struct charle_error err = {0};
    struct charle_arena arena = {0};
    for (int i = 0; i < 50; i++) {
        char id[16], title[40];
        struct notes_note_patch reply;
        snprintf(id, sizeof(id), "n%04d", 1 + (i * 7 + worker->number) % 300);
        snprintf(title, sizeof(title), "worker %d call %d", worker->number, i);
        const struct notes_note_key key = {charle_str(id)};
        const struct notes_note_patch set = {.title = {charle_str(title), true}};
        const struct notes_note_update request = {.key = &key, .set = &set};
        if (charle_client_call(worker->client, &notes_note_service_update_method, &request, &arena, &reply, NULL, &err))
            worker->failures++;
        charle_arena_reset(&arena);
    }
    charle_arena_deinit(&arena);
    return NULL;
}

static void many_threads_call_while_it_is_live(void **state)
{
    struct fixture *f = *state;
    enum { WORKERS = 4 };
    struct worker workers[WORKERS];
    pthread_t threads[WORKERS];
    struct charle_error err = {0};
    struct charle_client *client = open_client(f);
    must_sync(client);
    assert_int_equal(charle_client_start(client, &err), CHARLE_OK);
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){f, client, i, 0};
        pthread_create(&threads[i], NULL, make_calls, &workers[i]);
    }
    for (int i = 0; i < 20; i++) { // outages in between
        fake_server_sql(served_lock(&f->served), "update note set votes = votes + 1 where id = 'n%04d'", 1 + i);
        served_unlock(&f->served);
        if (i % 7 == 3) {
            served_pause(&f->served);
            served_resume(&f->served);
        }
        usleep(10000);
    }
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].failures, 0);
    }
    must_sync(client);
    struct charle_client_status status;
    charle_client_status(client, &status);
    assert_int_equal(status.pending_calls, 0);
    assert_int_equal(served_lock(&f->served)->calls_run, WORKERS * 50);
    served_unlock(&f->served);
    struct charle_verify_report report;
    assert_int_equal(charle_client_verify(client, 20000, &report, &err), CHARLE_OK);
    assert_int_equal(report.rows_different, 0);
    charle_client_close(client);
}

static void server_comes_and_goes(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct charle_client *client = open_client(f);
    assert_int_equal(charle_client_start(client, &err), CHARLE_OK);
    for (int round = 0; round < 6; round++) {
        char title[40];
        snprintf(title, sizeof(title), "Round %d", round);
        assert_true(wait_for_state(client, CHARLE_CLIENT_LIVE, 15000));
        served_pause(&f->served);
        assert_true(wait_for_state(client, CHARLE_CLIENT_OFFLINE, 15000));
        assert_int_equal(set_title(f, client, "n0001", title, NULL, &err), CHARLE_OK);
        served_resume(&f->served);
    }
    must_sync(client);
    assert_int_equal(server_number(f, "select count(*) from note where title = 'Round 5'"), 1);
    charle_client_close(client);
}

static void closing_in_the_middle_is_clean(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    for (int i = 0; i < 30; i++) {
        struct charle_client *client = open_client(f);
        assert_int_equal(charle_client_start(client, &err), CHARLE_OK);
        usleep((useconds_t)(i * 1500));
        charle_client_close(client);
    }
    struct charle_client *client = open_client(f);
    must_sync(client);
    assert_int_equal(number(charle_client_db(client), "select count(*) from note"), 300);
    charle_client_close(client);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(wrong_options_are_told_so),
        CASE(syncs_reads_and_calls),
        CASE(replica_opens_again_without_a_server),
        CASE(reading_handle_cannot_write),
        CASE(verdict_can_be_waited_for),
        CASE(inbox_and_outbox_are_dealt_with),
        CASE(mine_theirs_and_edited),
        CASE(watchers_are_told),
        CASE(watchers_see_what_they_are_told_of),
        CASE(callback_cannot_wait_for_its_own_thread),
        CASE(follower_takes_over),
        CASE(many_threads_call_while_it_is_live),
        CASE(server_comes_and_goes),
        CASE(closing_in_the_middle_is_clean),
    };
#undef CASE
    cmocka_set_test_filter(getenv("CHARLE_TEST_ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
