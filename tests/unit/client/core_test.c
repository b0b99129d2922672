// The client core against a server in the same program: first copy, moments, offline calls, verdicts, repair, and trouble of all kinds.
#include "world.h"

#include "notes.charle.h"
#include "base/log.h"
#include "msg/wire.h"
#include "services/crud.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

extern const struct charle_schema notes_schema;

struct fixture {
    struct fake_server server;
    struct world a;
    struct charle_arena arena;
};

static void seed_rows(struct fake_server *server, int notes)
{
    fake_server_sql(server, "insert into person(id, name, email) values ('p1', 'Ada', 'ada@x'), ('p2', 'Bob', 'bob@x'), ('p3', 'Cy', null);"
                    "insert into room(id, title, budget) values ('r1', 'Attic', 10), ('r2', 'Bath', 20), ('r3', 'Cellar', 30)");
    fake_server_sql(server,
                    "with recursive n(i) as (select 1 union all select i + 1 from n where i < %d) "
                    "insert into note(id, room_id, title, body, votes, state, rank, created_at, updated_at, labels) "
                    "select printf('n%%04d', i), 'r' || (1 + i %% 3), 'Title ' || i, 'Body ' || i, i, "
                    "case i %% 4 when 0 then 'draft' when 1 then 'done' else 'open' end, i, 1763800000000000, 1763800000000000, '[]' from n",
                    notes);
    fake_server_sql(server, "insert into note_reader(note_id, person_id, since) select id, 'p1', '2026-01-02' from note where votes %% 5 = 0");
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    fake_server_open(&f->server, &notes_schema);
    fake_server_grant(&f->server, "team");
    fake_server_grant(&f->server, "person:p1");
    seed_rows(&f->server, 40);
    f->a.random = 1;
    world_open(&f->a, &f->server, "a", true);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->a.core)
        world_close(&f->a);
    world_remove_files(f->a.file);
    fake_server_close(&f->server);
    charle_arena_deinit(&f->arena);
    free(f);
    return 0;
}

static void start(struct fixture *f)
{
    ch_client_core_start(f->a.core);
    world_connect(&f->a, true);
    world_settle(&f->a, 20000);
}

// --- requests -----------------------------------------------------------------------------------------------------------------

static enum charle_err set_title(struct fixture *f, const char *id, const char *title, int64_t *ticket, struct charle_error *err)
{
    const struct notes_note_key key = {charle_str(id)};
    const struct notes_note_patch set = {.title = {charle_str(title), true}};
    const struct notes_note_update request = {.key = &key, .set = &set};
    return world_call(&f->a, &notes_note_service_update_method, &request, NULL, NULL, ticket, err);
}

static void must_set_title(struct fixture *f, const char *id, const char *title)
{
    struct charle_error err = {0};
    if (set_title(f, id, title, NULL, &err))
        fail_msg("%s", err.text);
}

static void must_vote(struct fixture *f, const char *id, int32_t from, int32_t to)
{
    struct charle_error err = {0};
    const struct notes_note_key key = {charle_str(id)};
    const struct notes_note_patch set = {.votes = {to, true}}, base = {.votes = {from, true}};
    const struct notes_note_update request = {.key = &key, .set = &set, .base = &base};
    if (world_call(&f->a, &notes_note_service_update_method, &request, NULL, NULL, NULL, &err))
        fail_msg("%s", err.text);
}

static enum charle_err vote(struct fixture *f, const char *id, struct charle_error *err)
{
    const struct notes_note_key key = {charle_str(id)};
    const struct notes_note_patch set = {.votes = {1, true}}, base = {.votes = {0, true}};
    const struct notes_note_update request = {.key = &key, .set = &set, .base = &base};
    return world_call(&f->a, &notes_note_service_update_method, &request, NULL, NULL, NULL, err);
}

static struct charle_str must_create(struct fixture *f, const char *room, const char *title)
{
    struct charle_error err = {0};
    struct notes_note_patch reply;
    const struct notes_note_insert request = {.room_id = charle_str(room), .title = charle_str(title)};
    if (world_call(&f->a, &notes_note_service_create_method, &request, &reply, &f->arena, NULL, &err))
        fail_msg("%s", err.text);
    return charle_arena_str(&f->arena, reply.id.value);
}

static void must_replace(struct fixture *f, const char *from, const char *to)
{
    struct charle_error err = {0};
    const struct notes_replace_request request = {charle_str(from), charle_str(to)};
    if (world_call(&f->a, &notes_notes_replace_method, &request, NULL, NULL, NULL, &err))
        fail_msg("%s", err.text);
}

static void expect_title(struct fixture *f, const char *id, const char *title)
{
    char sql[200], found[200];
    snprintf(sql, sizeof(sql), "select title from note where id = '%s'", id);
    world_text(&f->a, found, sizeof(found), sql);
    assert_string_equal(found, title);
}

// --- first copy ---------------------------------------------------------------------------------------------------------------

static void copies_what_it_may_see(void **state)
{
    struct fixture *f = *state;
    start(f);
    assert_int_equal(world_state(&f->a), CHARLE_CLIENT_LIVE);
    fake_server_check(&f->server, &f->a.replica);
    assert_int_equal(world_number(&f->a, "select count(*) from note"), 30); // drafts are not for the team
    assert_int_equal(world_number(&f->a, "select count(*) from note where body is not null"), 0);
    assert_int_equal(world_number(&f->a, "select count(*) from person where email is not null"), 1); // one's own
    assert_int_equal(world_number(&f->a, "select value from charle_meta where key = 'ready'"), 1);
    assert_int_equal(world_number(&f->a, "select count(*) from sqlite_master where type = 'index' and name = 'note_room_id_idx'"), 1);
}

static void copy_catches_up_with_writers(void **state)
{
    struct fixture *f = *state;
    f->server.page_rows = 3;
    ch_client_core_start(f->a.core);
    world_connect(&f->a, true);
    for (int i = 0; i < 3000 && world_state(&f->a) != CHARLE_CLIENT_LIVE; i++) {
        world_step(&f->a);
        if (i % 2 == 0)
            fake_server_sql(&f->server, "update note set title = 'w%d', state = '%s' where id = 'n%04d'", i, i % 3 ? "open" : "draft", 1 + (i * 7) % 40);
        if (i % 11 == 0)
            fake_server_sql(&f->server, "delete from note where id = 'n%04d'", 1 + i % 40);
    }
    world_settle(&f->a, 20000);
    fake_server_check(&f->server, &f->a.replica);
}

static void copy_goes_on_where_it_was_cut_off(void **state)
{
    struct fixture *f = *state;
    f->server.page_rows = 2;
    for (int round = 0; round < 12; round++) {
        ch_client_core_start(f->a.core);
        world_connect(&f->a, true);
        for (int i = 0; i < 25 + round; i++)
            world_step(&f->a);
        assert_int_not_equal(world_number(&f->a, "select count(*) from charle_meta where key = 'ready'"), 1);
        world_close(&f->a); // as by kill: nothing is said to the server
        world_open(&f->a, &f->server, "a", false);
    }
    int64_t done = world_number(&f->a, "select count(*) from charle_copy where is_done = 1");
    assert_true(done > 0);
    start(f);
    fake_server_check(&f->server, &f->a.replica);
}

static void composite_keys_and_paths_are_followed(void **state)
{
    struct fixture *f = *state;
    fake_server_grant(&f->server, "reader:p1");
    start(f);
    assert_int_equal(world_number(&f->a, "select count(*) from note_reader"), 8);
    assert_int_equal(world_number(&f->a, "select count(*) from note where body is not null"), 8);
    assert_int_equal(world_number(&f->a, "select count(*) from note"), 32); // two of the eight are drafts
    assert_int_equal(world_number(&f->a, "select count(*) from charle_member"), 8);
    fake_server_sql(&f->server, "delete from note_reader where note_id in ('n0005', 'n0020')");
    world_settle(&f->a, 1000);
    fake_server_check(&f->server, &f->a.replica);
    assert_int_equal(world_number(&f->a, "select count(*) from note where id = 'n0020'"), 0); // a draft: seen as a reader only
    assert_int_equal(world_number(&f->a, "select body is null from note where id = 'n0005'"), 1);
}

// --- moments ------------------------------------------------------------------------------------------------------------------

static void changes_arrive_live(void **state)
{
    struct fixture *f = *state;
    start(f);
    int64_t pulls = f->server.pulls;
    fake_server_sql(&f->server, "update note set title = 'New' where id = 'n0001'; delete from note where id = 'n0002'");
    world_deliver(&f->a, 100);
    expect_title(f, "n0001", "New");
    assert_int_equal(world_number(&f->a, "select count(*) from note where id = 'n0002'"), 0);
    assert_int_equal(f->server.pulls, pulls);
    assert_true(f->a.events & CHARLE_EVENT_ROWS);
}

static void moment_of_many_pages_is_one(void **state)
{
    struct fixture *f = *state;
    fake_server_grant(&f->server, "room:r1");
    fake_server_grant(&f->server, "room:r2");
    start(f);
    f->server.page_rows = 1; // one delta a page
    f->a.more = MORE_NEVER;  // and one page a step
    int64_t commits = world_number(&f->a, "select value from charle_meta where key = 'contact_at'");
    fake_server_sql(&f->server, "update note set title = 'All' where true");
    // Half of the pages have come: nothing may show.
    for (int i = 0; i < 2; i++)
        world_step(&f->a);
    assert_int_equal(world_number(&f->a, "select count(*) from note where title = 'All'"), 0);
    world_deliver(&f->a, 100);
    assert_true(world_number(&f->a, "select count(*) from note where title = 'All'") > 20);
    assert_true(world_number(&f->a, "select value from charle_meta where key = 'contact_at'") >= commits);
    fake_server_check(&f->server, &f->a.replica);
}

static void add_page(struct ch_moment *moment, const struct charle_pull_page *page)
{
    struct charle_buf bytes = {0};
    struct charle_error err;
    charle_message_write(&charle_pull_page_message, page, &bytes);
    assert_int_equal(ch_moment_add(moment, charle_buf_bytes(&bytes), &err), CHARLE_OK);
    charle_buf_deinit(&bytes);
}

// A stream that falls behind the server's memory in the middle of a moment goes on with a pull. What it had sent of the moment must not be
// taken for a part of the pull's: it is older, and rows in it may be gone.
static void moment_that_is_begun_anew_forgets_its_pages(void **state)
{
    (void)state;
    const struct charle_scope_delta old = {.scope = CHARLE_STR("team"), .from = 5, .to = 6}, new = {.scope = CHARLE_STR("team"), .from = 5, .to = 9};
    const struct charle_scope_delta *const olds[] = {&old}, *const news[] = {&new};
    const struct charle_str scopes[] = {CHARLE_STR("team")};
    struct ch_moment moment;
    ch_moment_init(&moment, NULL);
    add_page(&moment, &(struct charle_pull_page){.delta = {olds, 1, true}, .last_sequence = {7, true}});
    assert_int_equal(moment.page_count, 1);
    add_page(&moment, &(struct charle_pull_page){.delta = {news, 1, true}, .scope = {scopes, 1, true}, .is_first = {true, true}, .is_last = true});
    assert_true(moment.is_complete);
    assert_int_equal(moment.page_count, 1);
    assert_int_equal(moment.scope_count, 1);
    assert_false(moment.has_sequence);
    assert_false(moment.is_spooled);
    assert_int_equal(moment.newest.delta.count, 1);
    assert_int_equal(((const struct charle_scope_delta *const *)moment.newest.delta.items)[0]->to, 9);
    ch_moment_deinit(&moment);
}

static void gained_scope_shows_at_once_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    start(f);
    f->server.page_rows = 2;
    fake_server_grant(&f->server, "room:r1");
    ch_client_core_on_connected(f->a.core, false);
    world_connect(&f->a, false);
    world_connect(&f->a, true);
    int64_t seen = 0;
    for (int i = 0; i < 2000 && !seen; i++) {
        world_step(&f->a);
        seen = world_number(&f->a, "select count(*) from note where body is not null");
    }
    assert_int_equal(seen, fake_server_number(&f->server, "select count(*) from note where room_id = 'r1'"));
    world_settle(&f->a, 1000);
    fake_server_check(&f->server, &f->a.replica);
    assert_int_equal(world_number(&f->a, "select budget from room where id = 'r1'"), 10);
    assert_int_equal(world_number(&f->a, "select count(*) from room where budget is not null"), 1);
}

static void lost_scope_takes_its_rows_and_columns_along(void **state)
{
    struct fixture *f = *state;
    fake_server_grant(&f->server, "room:r1");
    fake_server_grant(&f->server, "room:r2");
    fake_server_grant(&f->server, "reader:p1");
    start(f);
    fake_server_check(&f->server, &f->a.replica);
    fake_server_revoke(&f->server, "room:r1");
    world_settle(&f->a, 1000);
    fake_server_check(&f->server, &f->a.replica);
    fake_server_revoke(&f->server, "team");
    world_settle(&f->a, 1000);
    fake_server_check(&f->server, &f->a.replica);
    fake_server_revoke(&f->server, "reader:p1");
    fake_server_revoke(&f->server, "room:r2");
    world_settle(&f->a, 1000);
    fake_server_check(&f->server, &f->a.replica);
    assert_int_equal(world_number(&f->a, "select count(*) from note"), 0);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_member"), 0);
}

static void row_moves_between_scopes(void **state)
{
    struct fixture *f = *state;
    fake_server_grant(&f->server, "room:r1");
    fake_server_grant(&f->server, "room:r2");
    start(f);
    fake_server_sql(&f->server, "update note set room_id = case room_id when 'r1' then 'r2' when 'r2' then 'r3' else 'r1' end");
    world_settle(&f->a, 1000);
    fake_server_check(&f->server, &f->a.replica);
    fake_server_sql(&f->server, "update note set state = case state when 'draft' then 'open' else 'draft' end");
    world_settle(&f->a, 1000);
    fake_server_check(&f->server, &f->a.replica);
}

// --- offline calls ------------------------------------------------------------------------------------------------------------

static void call_shows_at_once_and_arrives(void **state)
{
    struct fixture *f = *state;
    start(f);
    world_connect(&f->a, false);
    must_set_title(f, "n0001", "Mine");
    struct charle_str id = must_create(f, "r1", "Made offline");
    expect_title(f, "n0001", "Mine");
    expect_title(f, id.ptr, "Made offline");
    assert_int_equal(fake_server_number(&f->server, "select count(*) from note where title in ('Mine', 'Made offline')"), 0);
    world_connect(&f->a, true);
    world_settle(&f->a, 2000);
    assert_int_equal(fake_server_number(&f->server, "select count(*) from note where id = 'n0001' and title = 'Mine'"), 1);
    assert_int_equal(fake_server_number(&f->server, "select count(*) from note where id = '%s'", id.ptr), 1); // the same id
    fake_server_check(&f->server, &f->a.replica);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_base"), 0);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_touch"), 0);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_outbox where state <> 5"), 0);
}

static void call_that_fails_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    int64_t ticket = 0;
    start(f);
    assert_int_equal(set_title(f, "no such note", "x", &ticket, &err), CHARLE_NOT_FOUND);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_outbox"), 0);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_base"), 0);
}

static void waiting_calls_stay_on_top_of_pages(void **state)
{
    struct fixture *f = *state;
    start(f);
    snprintf(f->a.refuse_method, sizeof(f->a.refuse_method), "charle.Sync/Push");
    f->a.refuse_code = CHARLE_UNAVAILABLE; // the push does not come through yet
    must_vote(f, "n0001", 1, 4);
    must_vote(f, "n0001", 4, 5);
    fake_server_sql(&f->server, "update note set votes = votes + 100, title = 'Theirs' where id = 'n0001'; update note set title = 'B' where id = 'n0003'");
    world_deliver(&f->a, 1); // the refusal
    world_deliver(&f->a, 50);
    expect_title(f, "n0001", "Theirs");
    expect_title(f, "n0003", "B");
    assert_int_equal(world_number(&f->a, "select votes from note where id = 'n0001'"), 105); // counter: 101 + 3 + 1
    world_settle(&f->a, 2000);
    assert_int_equal(fake_server_number(&f->server, "select votes from note where id = 'n0001'"), 105);
    fake_server_check(&f->server, &f->a.replica);
}

static void unrelated_page_runs_no_call_again(void **state)
{
    struct fixture *f = *state;
    start(f);
    f->a.is_down = true;
    for (int i = 1; i <= 20; i++) {
        char id[16], title[32];
        snprintf(id, sizeof(id), "n%04d", i);
        snprintf(title, sizeof(title), "Mine %d", i);
        if (i % 4)
            must_set_title(f, id, title);
    }
    assert_int_equal(world_number(&f->a, "select count(*) from charle_outbox where reads_all = 1"), 0);
    struct ch_rebase rebase = {0};
    struct charle_error err = {0};
    // By hand, to count: a page about n0030 and n0001.
    assert_int_equal(ch_replica_begin(&f->a.replica, CH_FETCHABLE, &err), CHARLE_OK);
    assert_int_equal(ch_rebase_begin(&rebase, &f->a.replica, 0, false, &err), CHARLE_OK);
    struct ch_table *table = ch_table_by_name(&f->a.replica.tables, "note");
    assert_int_equal(ch_rebase_before_row(&rebase, table, CHARLE_STR("n0030"), &err), CHARLE_OK);
    assert_int_equal(ch_rebase_before_row(&rebase, table, CHARLE_STR("n0001"), &err), CHARLE_OK);
    assert_int_equal(ch_rebase_finish(&rebase, &err), CHARLE_OK);
    assert_int_equal(rebase.ran, 1);
    ch_rebase_deinit(&rebase);
    ch_replica_rollback(&f->a.replica);
    f->a.is_down = false;
    world_settle(&f->a, 3000);
    fake_server_check(&f->server, &f->a.replica);
}

static void wide_call_sees_other_peoples_changes(void **state)
{
    struct fixture *f = *state;
    start(f);
    snprintf(f->a.refuse_method, sizeof(f->a.refuse_method), "charle.Sync/Push");
    f->a.refuse_code = CHARLE_UNAVAILABLE;
    must_replace(f, "Same", "Replaced"); // matches nothing yet
    fake_server_sql(&f->server, "update note set title = 'Same' where id in ('n0001', 'n0002')");
    world_deliver(&f->a, 60);
    expect_title(f, "n0001", "Replaced");
    world_settle(&f->a, 2000);
    assert_int_equal(fake_server_number(&f->server, "select count(*) from note where title = 'Replaced'"), 2);
    fake_server_check(&f->server, &f->a.replica);
}

static void rejected_call_vanishes_and_is_told(void **state)
{
    struct fixture *f = *state;
    start(f);
    world_connect(&f->a, false);
    must_set_title(f, "n0001", "Mine");
    must_set_title(f, "n0002", "Mine too");
    fake_server_sql(&f->server, "delete from note where id = 'n0001'");
    world_connect(&f->a, true);
    world_settle(&f->a, 2000);
    fake_server_check(&f->server, &f->a.replica);
    assert_int_equal(world_number(&f->a, "select count(*) from note where id = 'n0001'"), 0);
    expect_title(f, "n0002", "Mine too");
    assert_int_equal(world_number(&f->a, "select count(*) from charle_inbox where kind = 3 and code = %d", CHARLE_NOT_FOUND), 1);
    assert_true(f->a.events & CHARLE_EVENT_INBOX);
}

static void parked_call_is_made_again(void **state)
{
    struct fixture *f = *state;
    start(f);
    f->server.parks = true;
    must_set_title(f, "n0001", "Patience");
    world_deliver(&f->a, 200);
    expect_title(f, "n0001", "Patience"); // its effect stays
    assert_int_equal(world_number(&f->a, "select count(*) from charle_inbox"), 0);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_outbox where state = 1 and attempts = 1"), 1);
    f->server.parks = false;
    for (int i = 0; i < 200; i++)
        world_step(&f->a); // time passes
    assert_int_equal(fake_server_number(&f->server, "select count(*) from note where title = 'Patience'"), 1);
    fake_server_check(&f->server, &f->a.replica);
}

static void parked_call_is_left_to_people_at_last(void **state)
{
    struct fixture *f = *state;
    start(f);
    f->server.parks = true;
    must_set_title(f, "n0001", "Never");
    for (int i = 0; i < 20000 && world_number(&f->a, "select count(*) from charle_inbox") == 0; i++)
        world_step(&f->a);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_inbox where kind = 4"), 1);
    f->server.parks = false;
    world_settle(&f->a, 2000);
    fake_server_check(&f->server, &f->a.replica);
    assert_int_equal(f->server.calls_run, 6);
}

static void lost_answer_is_asked_for_again_and_nothing_runs_twice(void **state)
{
    struct fixture *f = *state;
    start(f);
    for (int round = 0; round < 30; round++) {
        must_vote(f, "n0001", 0, 1); // adds one
        int steps = (int)world_random(&f->a, 8);
        for (int i = 0; i < steps; i++)
            world_step(&f->a);
        world_connect(&f->a, false);
        world_connect(&f->a, true);
    }
    world_settle(&f->a, 20000);
    assert_int_equal(fake_server_number(&f->server, "select votes from note where id = 'n0001'"), 31);
    assert_int_equal(f->server.calls_run, 30);
    fake_server_check(&f->server, &f->a.replica);
}

static void big_queue_goes_in_batches(void **state)
{
    struct fixture *f = *state;
    enum { CALLS = 1200 };
    // As many at once as the server says, and as many as every server takes when it says nothing.
    static const struct { uint32_t said; int batches; } cases[] = {{0, 3}, {700, 2}, {100000, 2}};
    start(f);
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        f->server.push_calls_max = cases[c].said;
        world_connect(&f->a, false);
        for (int i = 0; i < CALLS; i++)
            must_vote(f, "n0001", 0, 1);
        world_connect(&f->a, true);
        int64_t before = f->a.started[4];
        world_settle(&f->a, 20000);
        assert_int_equal(fake_server_number(&f->server, "select votes from note where id = 'n0001'"), 1 + CALLS * (int)(c + 1));
        assert_int_equal(f->a.started[4] - before, cases[c].batches);
        fake_server_check(&f->server, &f->a.replica);
    }
}

// --- identity and time --------------------------------------------------------------------------------------------------------

static void server_that_went_back_gets_its_calls_again(void **state)
{
    struct fixture *f = *state;
    start(f);
    must_vote(f, "n0001", 0, 1);
    world_settle(&f->a, 2000);
    fake_server_save(&f->server);
    must_vote(f, "n0001", 0, 1);
    must_set_title(f, "n0002", "After the copy");
    struct charle_str id = must_create(f, "r1", "After the copy, too");
    world_settle(&f->a, 2000);
    fake_server_restore(&f->server);
    fake_server_sql(&f->server, "update note set title = 'Foreign' where id = 'n0003'");
    world_connect(&f->a, false);
    must_vote(f, "n0001", 0, 1); // and one that was never sent
    world_connect(&f->a, true);
    world_settle(&f->a, 20000);
    assert_int_equal(fake_server_number(&f->server, "select votes from note where id = 'n0001'"), 4);
    assert_int_equal(fake_server_number(&f->server, "select count(*) from note where id = '%s'", id.ptr), 1);
    fake_server_check(&f->server, &f->a.replica);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_inbox where kind = 3"), 0);
}

static void forgotten_log_means_repair(void **state)
{
    struct fixture *f = *state;
    start(f);
    world_connect(&f->a, false);
    must_set_title(f, "n0009", "Unsent");
    fake_server_sql(&f->server, "update note set title = 'While away' where id in ('n0001', 'n0033'); delete from note where id = 'n0005';"
                    "insert into note(id, room_id, title, votes, state, created_at, updated_at, labels) values ('n0002x', 'r1', 'Between', 0, 'open', 1, 1, '[]')");
    fake_server_forget_log(&f->server);
    int64_t copies = f->a.started[1];
    world_connect(&f->a, true);
    world_settle(&f->a, 20000);
    fake_server_check(&f->server, &f->a.replica);
    expect_title(f, "n0009", "Unsent");
    assert_true(f->a.started[3] > 0);                  // hashes were compared
    assert_true(f->a.started[1] - copies <= 2);        // and only what differs was fetched
}

static void copied_file_goes_on_as_a_new_device(void **state)
{
    struct fixture *f = *state;
    struct world b = {.random = 99};
    char command[300], device[40], other[40];
    start(f);
    must_vote(f, "n0001", 0, 1);
    world_settle(&f->a, 2000);
    world_connect(&f->a, false);
    must_vote(f, "n0001", 0, 1); // in both files, never sent
    world_close(&f->a);
    snprintf(command, sizeof(command), "cp %s /dev/shm/charle_%d_b.db", f->a.file, (int)getpid());
    assert_int_equal(system(command), 0);
    world_open(&f->a, &f->server, "a", false);
    world_open(&b, &f->server, "b", false);
    ch_client_core_start(f->a.core);
    world_connect(&f->a, true);
    must_vote(f, "n0002", 0, 1);
    world_settle(&f->a, 5000);
    // The copy has the call that the original has sent by now, and one of its own under a number that is taken.
    const struct notes_note_key key = {CHARLE_STR("n0003")};
    const struct notes_note_patch set = {.votes = {1, true}}, base = {.votes = {0, true}};
    const struct notes_note_update request = {.key = &key, .set = &set, .base = &base};
    struct charle_error err = {0};
    assert_int_equal(world_call(&b, &notes_note_service_update_method, &request, NULL, NULL, NULL, &err), CHARLE_OK);
    ch_client_core_start(b.core);
    world_connect(&b, true);
    world_settle(&b, 20000);
    world_settle(&f->a, 5000);
    world_text(&f->a, device, sizeof(device), "select value from charle_meta where key = 'device_id'");
    world_text(&b, other, sizeof(other), "select value from charle_meta where key = 'device_id'");
    assert_string_not_equal(device, other);
    assert_int_equal(fake_server_number(&f->server, "select votes from note where id = 'n0001'"), 3); // not four
    assert_int_equal(fake_server_number(&f->server, "select votes from note where id = 'n0002'"), 3);
    assert_int_equal(fake_server_number(&f->server, "select votes from note where id = 'n0003'"), 4);
    fake_server_check(&f->server, &f->a.replica);
    fake_server_check(&f->server, &b.replica);
    world_close(&b);
    world_remove_files(b.file);
}

static void other_server_is_refused(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    start(f);
    assert_int_equal(ch_replica_begin(&f->a.replica, CH_DURABLE, &err), CHARLE_OK);
    assert_int_equal(ch_meta_set_text(&f->a.replica.sql, "server_id", CHARLE_STR("ffff"), &err), CHARLE_OK);
    assert_int_equal(ch_replica_commit(&f->a.replica, &err), CHARLE_OK);
    world_connect(&f->a, false);
    world_connect(&f->a, true);
    world_deliver(&f->a, 20);
    assert_int_equal(world_state(&f->a), CHARLE_CLIENT_BLOCKED);
    assert_non_null(strstr(world_problem(&f->a), "another server's database"));
}

static void stale_token_blocks_until_there_is_a_new_one(void **state)
{
    struct fixture *f = *state;
    start(f);
    world_connect(&f->a, false);
    snprintf(f->a.refuse_method, sizeof(f->a.refuse_method), "charle.Sync/Open");
    f->a.refuse_code = CHARLE_UNAUTHENTICATED;
    world_connect(&f->a, true);
    world_deliver(&f->a, 20);
    assert_int_equal(world_state(&f->a), CHARLE_CLIENT_BLOCKED);
    must_set_title(f, "n0001", "Offline still works");
    ch_client_core_retry(f->a.core);
    world_settle(&f->a, 2000);
    fake_server_check(&f->server, &f->a.replica);
}

static void call_the_server_cannot_take_is_refused_alone(void **state)
{
    struct fixture *f = *state;
    start(f);
    world_connect(&f->a, false);
    must_set_title(f, "n0001", "One");
    must_set_title(f, "n0002", "Two");
    must_set_title(f, "n0003", "Three");
    world_connect(&f->a, true);
    for (int n = 0; n < 2; n++) { // the batch, then its first call alone
        snprintf(f->a.refuse_method, sizeof(f->a.refuse_method), "charle.Sync/Push");
        f->a.refuse_code = CHARLE_INVALID_ARGUMENT;
        for (int i = 0; i < 50 && f->a.refuse_method[0]; i++)
            world_step(&f->a);
    }
    world_settle(&f->a, 2000);
    fake_server_check(&f->server, &f->a.replica);
    assert_int_equal(fake_server_number(&f->server, "select count(*) from note where title in ('One', 'Two', 'Three')"), 2);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_inbox where code = %d", CHARLE_INVALID_ARGUMENT), 1);
}

// --- verify -------------------------------------------------------------------------------------------------------------------

static struct charle_verify_report verify(struct fixture *f)
{
    struct charle_verify_report report;
    int64_t ticket = ch_client_core_verify(f->a.core);
    assert_true(ticket > 0);
    for (int i = 0; i < 20000 && ch_client_core_verified(f->a.core, &report) < ticket; i++)
        world_step(&f->a);
    assert_true(ch_client_core_verified(f->a.core, &report) >= ticket);
    return report;
}

static void verify_finds_nothing_wrong(void **state)
{
    struct fixture *f = *state;
    fake_server_grant(&f->server, "room:r1");
    start(f);
    world_connect(&f->a, false);
    must_set_title(f, "n0001", "Waiting"); // a waiting call is no difference
    f->server.parks = true;
    world_connect(&f->a, true);
    world_deliver(&f->a, 500);
    struct charle_verify_report report = verify(f);
    assert_int_equal(report.rows_different, 0);
    assert_int_equal(report.ranges_fetched, 0);
    assert_true(report.rows > 40);
    f->server.parks = false;
}

static void verify_mends_what_was_damaged(void **state)
{
    struct fixture *f = *state;
    start(f);
    // As if by a bug or a bad disk: the writing connection has no guards.
    assert_int_equal(sqlite3_exec(f->a.replica.sql.db, "update note set title = 'rot' where id = 'n0001'; delete from note where id = 'n0010';"
                                  "insert into note(id, title, state) values ('n0011a', 'ghost', 'open')", NULL, NULL, NULL), SQLITE_OK);
    struct charle_verify_report report = verify(f);
    assert_int_equal(report.rows_different, 3);
    fake_server_check(&f->server, &f->a.replica);
    report = verify(f);
    assert_int_equal(report.rows_different, 0);
}

static void verify_is_not_fooled_by_writers(void **state)
{
    struct fixture *f = *state;
    struct charle_verify_report report;
    start(f);
    int64_t ticket = ch_client_core_verify(f->a.core);
    for (int i = 0; i < 20000 && ch_client_core_verified(f->a.core, &report) < ticket; i++) {
        if (i % 3 == 0 && i < 60)
            fake_server_sql(&f->server, "update note set title = 'busy %d' where id = 'n%04d'", i, 1 + i % 40);
        world_step(&f->a);
    }
    assert_int_equal(report.rows_different, 0);
    world_settle(&f->a, 2000);
    fake_server_check(&f->server, &f->a.replica);
}

// --- everything at once -------------------------------------------------------------------------------------------------------

static void random_action(struct fixture *f, int i)
{
    char id[16], title[32];
    static const char *const scopes[] = {"room:r1", "room:r2", "room:r3", "reader:p1", "team"};
    snprintf(id, sizeof(id), "n%04d", 1 + (int)world_random(&f->a, 45));
    snprintf(title, sizeof(title), "t%d", i);
    struct charle_error err;
    switch (world_random(&f->a, 14)) {
    case 0:
    case 1:
        (void)!set_title(f, id, title, NULL, &err);
        break;
    case 2:
        (void)!vote(f, id, &err);
        break;
    case 3: {
        const struct notes_note_insert request = {.room_id = CHARLE_STR("r2"), .title = charle_str(title)};
        (void)!world_call(&f->a, &notes_note_service_create_method, &request, NULL, NULL, NULL, &err);
        break;
    }
    case 4: {
        const struct notes_replace_request request = {CHARLE_STR("t5"), CHARLE_STR("t6")};
        if (world_random(&f->a, 4) == 0)
            (void)!world_call(&f->a, &notes_notes_replace_method, &request, NULL, NULL, NULL, &err);
        break;
    }
    case 5:
        fake_server_sql(&f->server, "update note set title = 'f%d', votes = votes + 1 where id = '%s'", i % 7, id);
        break;
    case 6:
        fake_server_sql(&f->server, "update note set state = case state when 'draft' then 'open' else 'draft' end, room_id = 'r%d' where id = '%s'",
                        1 + i % 3, id);
        break;
    case 7:
        if (world_random(&f->a, 3) == 0)
            fake_server_sql(&f->server, "delete from note_reader where note_id = '%s'; delete from note where id = '%s'", id, id);
        else
            fake_server_sql(&f->server, "insert into note_reader(note_id, person_id) select id, 'p1' from note where id = '%s' on conflict do nothing", id);
        break;
    case 8:
        if (world_random(&f->a, 4) == 0)
            fake_server_grant(&f->server, scopes[world_random(&f->a, 5)]);
        break;
    case 9:
        if (world_random(&f->a, 6) == 0)
            fake_server_revoke(&f->server, scopes[world_random(&f->a, 5)]);
        break;
    case 10:
        if (world_random(&f->a, 3) == 0)
            world_connect(&f->a, !f->a.is_connected);
        break;
    case 11:
        if (world_random(&f->a, 8) == 0) {
            world_close(&f->a);
            world_open(&f->a, &f->server, "a", false);
            ch_client_core_start(f->a.core);
            world_connect(&f->a, true);
        }
        break;
    case 12:
        if (world_random(&f->a, 25) == 0)
            fake_server_forget_log(&f->server);
        else if (world_random(&f->a, 40) == 0)
            fake_server_save(&f->server);
        else if (world_random(&f->a, 60) == 0 && f->server.saved_file[0]) {
            world_connect(&f->a, false); // no stream outlives the database it reads
            fake_server_restore(&f->server);
        }
        break;
    default:
        f->server.page_rows = 1 + world_random(&f->a, 12);
        f->server.parks = world_random(&f->a, 20) == 0;
        break;
    }
}

// What readers see, as one number.
static uint64_t sum_of_rows(struct fixture *f)
{
    static const char *const tables[] = {"person", "room", "note", "note_reader"};
    uint64_t sum = 14695981039346656037u;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        char sql[100];
        sqlite3_stmt *stmt;
        snprintf(sql, sizeof(sql), "select * from %s order by 1, 2", tables[i]);
        assert_int_equal(sqlite3_prepare_v2(f->a.replica.look.db, sql, -1, &stmt, NULL), SQLITE_OK);
        while (sqlite3_step(stmt) == SQLITE_ROW) {
            for (int c = 0; c < sqlite3_column_count(stmt); c++) {
                const unsigned char *text = sqlite3_column_text(stmt, c);
                bool is_empty_list = text && strcmp((const char *)text, "[]") == 0; // the same as not shown, in a row's bytes
                for (int n = 0; !is_empty_list && n < sqlite3_column_bytes(stmt, c); n++)
                    sum = (sum ^ text[n]) * 1099511628211u;
                sum = sum * 1099511628211u + (text && !is_empty_list);
            }
        }
        sqlite3_finalize(stmt);
    }
    return sum;
}

// However little was run again, the rows are those that running everything again gives.
static void check_rebase(struct fixture *f)
{
    struct charle_error err = {0};
    if (world_number(&f->a, "select value from charle_meta where key = 'ready'") != 1)
        return;
    uint64_t before = sum_of_rows(f);
    assert_int_equal(ch_apply_rebase(&f->a.replica, CH_FETCHABLE, NULL, NULL, &err), CHARLE_OK);
    assert_int_equal(sum_of_rows(f), before);
}

static void run_seed(struct fixture *f, uint64_t seed, int steps)
{
    f->a.random = seed;
    ch_client_core_start(f->a.core);
    world_connect(&f->a, true);
    for (int i = 0; i < steps; i++) {
        if (world_random(&f->a, 4) == 0)
            random_action(f, i);
        world_step(&f->a);
        if (world_random(&f->a, 30) == 0)
            check_rebase(f);
    }
    f->server.parks = false;
    fake_server_grant(&f->server, "team");
    if (!f->a.is_connected)
        world_connect(&f->a, true);
    // Until every call has its verdict, parked ones too.
    for (int i = 0; i < 100000 && world_number(&f->a, "select count(*) from charle_outbox where state < 5") > 0; i++)
        world_step(&f->a);
    world_settle(&f->a, 50000);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_outbox where state < 5"), 0);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_base"), 0);
    fake_server_check(&f->server, &f->a.replica);
    assert_int_equal(verify(f).rows_different, 0);
}

static uint64_t random_walks(void)
{
    const char *count = getenv("CHARLE_TEST_WALKS");
    return count ? strtoull(count, NULL, 10) : 24;
}

static void random_walks_end_equal(void **state)
{
    struct fixture *f = *state;
    const char *only = getenv("CHARLE_TEST_SEED");
    for (uint64_t seed = only ? strtoull(only, NULL, 10) : 1, last = only ? seed : random_walks(); seed <= last; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        run_seed(f, seed, 1500);
        assert_int_equal(teardown(state), 0);
        assert_int_equal(setup(state), 0);
        f = *state;
    }
}

int main(void)
{
    if (getenv("CHARLE_TEST_TRACE"))
        ch_log_configure(CH_LOG_DEBUG, CH_LOG_TEXT, 2);
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(copies_what_it_may_see),
        CASE(copy_catches_up_with_writers),
        CASE(copy_goes_on_where_it_was_cut_off),
        CASE(composite_keys_and_paths_are_followed),
        CASE(changes_arrive_live),
        CASE(moment_of_many_pages_is_one),
        cmocka_unit_test(moment_that_is_begun_anew_forgets_its_pages),
        CASE(gained_scope_shows_at_once_or_not_at_all),
        CASE(lost_scope_takes_its_rows_and_columns_along),
        CASE(row_moves_between_scopes),
        CASE(call_shows_at_once_and_arrives),
        CASE(call_that_fails_leaves_nothing),
        CASE(waiting_calls_stay_on_top_of_pages),
        CASE(unrelated_page_runs_no_call_again),
        CASE(wide_call_sees_other_peoples_changes),
        CASE(rejected_call_vanishes_and_is_told),
        CASE(parked_call_is_made_again),
        CASE(parked_call_is_left_to_people_at_last),
        CASE(lost_answer_is_asked_for_again_and_nothing_runs_twice),
        CASE(big_queue_goes_in_batches),
        CASE(server_that_went_back_gets_its_calls_again),
        CASE(forgotten_log_means_repair),
        CASE(copied_file_goes_on_as_a_new_device),
        CASE(other_server_is_refused),
        CASE(stale_token_blocks_until_there_is_a_new_one),
        CASE(call_the_server_cannot_take_is_refused_alone),
        CASE(verify_finds_nothing_wrong),
        CASE(verify_mends_what_was_damaged),
        CASE(verify_is_not_fooled_by_writers),
        CASE(random_walks_end_equal),
    };
#undef CASE
    cmocka_set_test_filter(getenv("CHARLE_TEST_ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
