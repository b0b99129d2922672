// The client core against a server in the same program: first copy, moments, identity, repair.
#include "core_scene.h"

#include "notes.charle.h"
#include "msg/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

// --- first copy ---------------------------------------------------------------------------------------------------------------

static void copies_what_it_may_see(void **state)
{
    struct scene *f = *state;
    scene_start(f);
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
    struct scene *f = *state;
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
    struct scene *f = *state;
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
    scene_start(f);
    fake_server_check(&f->server, &f->a.replica);
}

static void composite_keys_and_paths_are_followed(void **state)
{
    struct scene *f = *state;
    fake_server_grant(&f->server, "reader:p1");
    scene_start(f);
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
    struct scene *f = *state;
    scene_start(f);
    int64_t pulls = f->server.pulls;
    fake_server_sql(&f->server, "update note set title = 'New' where id = 'n0001'; delete from note where id = 'n0002'");
    world_deliver(&f->a, 100);
    scene_expect_title(f, "n0001", "New");
    assert_int_equal(world_number(&f->a, "select count(*) from note where id = 'n0002'"), 0);
    assert_int_equal(f->server.pulls, pulls);
    assert_true(f->a.events & CHARLE_EVENT_ROWS);
}

static void moment_of_many_pages_is_one(void **state)
{
    struct scene *f = *state;
    fake_server_grant(&f->server, "room:r1");
    fake_server_grant(&f->server, "room:r2");
    scene_start(f);
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
    struct scene *f = *state;
    scene_start(f);
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
    struct scene *f = *state;
    fake_server_grant(&f->server, "room:r1");
    fake_server_grant(&f->server, "room:r2");
    fake_server_grant(&f->server, "reader:p1");
    scene_start(f);
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
    struct scene *f = *state;
    fake_server_grant(&f->server, "room:r1");
    fake_server_grant(&f->server, "room:r2");
    scene_start(f);
    fake_server_sql(&f->server, "update note set room_id = case room_id when 'r1' then 'r2' when 'r2' then 'r3' else 'r1' end");
    world_settle(&f->a, 1000);
    fake_server_check(&f->server, &f->a.replica);
    fake_server_sql(&f->server, "update note set state = case state when 'draft' then 'open' else 'draft' end");
    world_settle(&f->a, 1000);
    fake_server_check(&f->server, &f->a.replica);
}

// --- identity and time --------------------------------------------------------------------------------------------------------

static void server_that_went_back_gets_its_calls_again(void **state)
{
    struct scene *f = *state;
    scene_start(f);
    scene_must_vote(f, "n0001", 0, 1);
    world_settle(&f->a, 2000);
    fake_server_save(&f->server);
    scene_must_vote(f, "n0001", 0, 1);
    scene_must_set_title(f, "n0002", "After the copy");
    struct charle_str id = scene_must_create(f, "r1", "After the copy, too");
    world_settle(&f->a, 2000);
    fake_server_restore(&f->server);
    fake_server_sql(&f->server, "update note set title = 'Foreign' where id = 'n0003'");
    world_connect(&f->a, false);
    scene_must_vote(f, "n0001", 0, 1); // and one that was never sent
    world_connect(&f->a, true);
    world_settle(&f->a, 20000);
    assert_int_equal(fake_server_number(&f->server, "select votes from note where id = 'n0001'"), 4);
    assert_int_equal(fake_server_number(&f->server, "select count(*) from note where id = '%s'", id.ptr), 1);
    fake_server_check(&f->server, &f->a.replica);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_inbox where kind = 3"), 0);
}

static void forgotten_log_means_repair(void **state)
{
    struct scene *f = *state;
    scene_start(f);
    world_connect(&f->a, false);
    scene_must_set_title(f, "n0009", "Unsent");
    fake_server_sql(&f->server, "update note set title = 'While away' where id in ('n0001', 'n0033'); delete from note where id = 'n0005';"
                    "insert into note(id, room_id, title, votes, state, created_at, updated_at, labels) values ('n0002x', 'r1', 'Between', 0, 'open', 1, 1, '[]')");
    fake_server_forget_log(&f->server);
    int64_t copies = f->a.started[1];
    world_connect(&f->a, true);
    world_settle(&f->a, 20000);
    fake_server_check(&f->server, &f->a.replica);
    scene_expect_title(f, "n0009", "Unsent");
    assert_true(f->a.started[3] > 0);                  // hashes were compared
    assert_true(f->a.started[1] - copies <= 2);        // and only what differs was fetched
}

static void vote_in(struct world *world, const char *note)
{
    const struct notes_note_key key = {charle_str(note)};
    const struct notes_note_patch set = {.votes = {1, true}}, base = {.votes = {0, true}};
    const struct notes_note_update request = {.key = &key, .set = &set, .base = &base};
    struct charle_error err = {0};
    assert_int_equal(world_call(world, &notes_note_service_update_method, &request, NULL, NULL, NULL, &err), CHARLE_OK);
}

static void copy_laptop(struct scene *f, const struct world *original, struct world *copy, const char *name)
{
    char command[300];
    snprintf(command, sizeof(command), "cp %s /dev/shm/charle_%d_%s.db", original->file, (int)getpid(), name);
    assert_int_equal(system(command), 0);
    world_open(copy, &f->server, name, false);
}

static void copied_file_goes_on_as_a_new_device(void **state)
{
    struct scene *f = *state;
    struct world b = {.random = 99};
    char device[40], other[40];
    scene_start(f);
    scene_must_vote(f, "n0001", 0, 1);
    world_settle(&f->a, 2000);
    world_connect(&f->a, false);
    scene_must_vote(f, "n0001", 0, 1); // in both files, never sent
    world_close(&f->a);
    copy_laptop(f, &f->a, &b, "b");
    world_open(&f->a, &f->server, "a", false);
    ch_client_core_start(f->a.core);
    world_connect(&f->a, true);
    scene_must_vote(f, "n0002", 0, 1);
    world_settle(&f->a, 5000);
    // The copy has the call that the original has sent by now, and one of its own under a number that is taken.
    vote_in(&b, "n0003");
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

static void go_to_work(struct world *world)
{
    ch_client_core_start(world->core);
    world_connect(world, true);
    world_settle(world, 20000);
    for (int i = 0; i < 400; i++)
        world_step(world); // what was parked is tried again
    world_settle(world, 20000);
}

// Four laptops have the same calls, and number them differently: one of the calls was parked when the file was copied, another one was made before
// anything of it was sent. Each says where its calls come from, and again when it is tried again.
static void copies_share_their_waiting_calls(void **state)
{
    struct scene *f = *state;
    struct world b = {.random = 99}, c = {.random = 98}, d = {.random = 97};
    scene_start(f);
    f->server.parks = true;
    scene_must_vote(f, "n0001", 0, 1);
    world_deliver(&f->a, 200);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_outbox where state = 1 and attempts = 1"), 1);
    world_connect(&f->a, false);
    scene_must_vote(f, "n0002", 0, 1);
    int64_t votes = fake_server_number(&f->server, "select sum(votes) from note");
    world_close(&f->a);
    copy_laptop(f, &f->a, &b, "b");
    copy_laptop(f, &f->a, &c, "c");
    world_open(&f->a, &f->server, "a", false);
    f->server.parks = false;
    vote_in(&b, "n0003"); // overtakes the parked one, and the original does not know of it
    go_to_work(&b);
    vote_in(&c, "n0010");
    world_close(&c);
    copy_laptop(f, &c, &d, "d");
    world_open(&c, &f->server, "c", false);
    f->server.parks = true; // once more, so that the attempt behind it has to say it too
    ch_client_core_start(c.core);
    world_connect(&c, true);
    for (int i = 0; i < 2000 && world_number(&c, "select count(*) from charle_outbox where kind = 4 and state = 5 and origin is not null") == 0; i++)
        world_step(&c);
    f->server.parks = false;
    go_to_work(&c);
    go_to_work(&f->a);
    go_to_work(&d);
    go_to_work(&b);
    assert_int_equal(fake_server_number(&f->server, "select sum(votes) from note"), votes + 4);
    assert_int_equal(fake_server_number(&f->server, "select count(distinct id) from fs_device"), 4);
    assert_int_equal(world_number(&c, "select count(*) from charle_outbox where state < 5"), 0);
    fake_server_check(&f->server, &f->a.replica);
    fake_server_check(&f->server, &b.replica);
    fake_server_check(&f->server, &c.replica);
    fake_server_check(&f->server, &d.replica);
    struct world *const copies[] = {&b, &c, &d};
    for (size_t i = 0; i < 3; i++) {
        world_close(copies[i]);
        world_remove_files(copies[i]->file);
    }
}

static void other_server_is_refused(void **state)
{
    struct scene *f = *state;
    struct charle_error err = {0};
    scene_start(f);
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
    struct scene *f = *state;
    scene_start(f);
    world_connect(&f->a, false);
    snprintf(f->a.refuse_method, sizeof(f->a.refuse_method), "charle.Sync/Open");
    f->a.refuse_code = CHARLE_UNAUTHENTICATED;
    world_connect(&f->a, true);
    world_deliver(&f->a, 20);
    assert_int_equal(world_state(&f->a), CHARLE_CLIENT_BLOCKED);
    scene_must_set_title(f, "n0001", "Offline still works");
    ch_client_core_retry(f->a.core);
    world_settle(&f->a, 2000);
    fake_server_check(&f->server, &f->a.replica);
}

// Nothing can be tried while there is no connection, so there is nothing to wake up for again and again.
static void blocked_replica_without_a_connection_sleeps(void **state)
{
    struct scene *f = *state;
    scene_start(f);
    world_connect(&f->a, false);
    snprintf(f->a.refuse_method, sizeof(f->a.refuse_method), "charle.Sync/Open");
    f->a.refuse_code = CHARLE_UNAUTHENTICATED;
    world_connect(&f->a, true);
    world_deliver(&f->a, 50);
    assert_int_equal(world_state(&f->a), CHARLE_CLIENT_BLOCKED);
    world_connect(&f->a, false);
    ch_client_core_retry(f->a.core);
    for (int i = 0; i < 3; i++) {
        assert_true(f->a.timer_at > f->a.mono_us);
        f->a.mono_us = f->a.timer_at + 600000000;
        ch_client_core_on_timer(f->a.core);
    }
    world_connect(&f->a, true);
    world_settle(&f->a, 1000);
}

static void call_the_server_cannot_take_is_refused_alone(void **state)
{
    struct scene *f = *state;
    scene_start(f);
    world_connect(&f->a, false);
    scene_must_set_title(f, "n0001", "One");
    scene_must_set_title(f, "n0002", "Two");
    scene_must_set_title(f, "n0003", "Three");
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

static void verify_finds_nothing_wrong(void **state)
{
    struct scene *f = *state;
    fake_server_grant(&f->server, "room:r1");
    scene_start(f);
    world_connect(&f->a, false);
    scene_must_set_title(f, "n0001", "Waiting"); // a waiting call is no difference
    f->server.parks = true;
    world_connect(&f->a, true);
    world_deliver(&f->a, 500);
    struct charle_verify_report report = scene_verify(f);
    assert_int_equal(report.rows_different, 0);
    assert_int_equal(report.ranges_fetched, 0);
    assert_true(report.rows > 40);
    f->server.parks = false;
}

static void verify_mends_what_was_damaged(void **state)
{
    struct scene *f = *state;
    scene_start(f);
    int64_t rows = scene_verify(f).rows;
    // As if by a bug or a bad disk: the writing connection has no guards.
    assert_int_equal(sqlite3_exec(f->a.replica.sql.db, "update note set title = 'rot' where id = 'n0001'; delete from note where id = 'n0010';"
                                  "insert into note(id, title, state) values ('n0011a', 'ghost', 'open')", NULL, NULL, NULL), SQLITE_OK);
    struct charle_verify_report report = scene_verify(f);
    assert_int_equal(report.rows_different, 3);
    assert_int_equal(report.rows, rows); // all were compared, not only those that were found equal
    fake_server_check(&f->server, &f->a.replica);
    report = scene_verify(f);
    assert_int_equal(report.rows_different, 0);
}

// A value that is no value of its column at all differs like any other: nobody has to be able to read it to know that. A waiting call on such a row stays.
static void verify_mends_what_cannot_be_read(void **state)
{
    struct scene *f = *state;
    scene_start(f);
    world_connect(&f->a, false);
    scene_must_set_title(f, "n0003", "Waiting");
    f->server.parks = true;
    world_connect(&f->a, true);
    world_deliver(&f->a, 500);
    int64_t waiting = world_number(&f->a, "select count(*) from charle_outbox");
    assert_int_equal(sqlite3_exec(f->a.replica.sql.db, "update note set labels = '[rot' where id in ('n0001', 'n0003');"
                                  "update note set labels = '{}' where id = 'n0005'; update note set state = 'rot' where id = 'n0007';"
                                  "update note set title = cast(x'c328' as text) where id = 'n0009';"
                                  "update note set votes = 1 << 40 where id = 'n0011'", NULL, NULL, NULL), SQLITE_OK);
    struct charle_verify_report report = scene_verify(f);
    assert_int_equal(report.rows_different, 5); // what the call stands on was kept before the damage
    scene_expect_title(f, "n0003", "Waiting");
    assert_int_equal(world_number(&f->a, "select count(*) from charle_outbox"), waiting);
    report = scene_verify(f);
    assert_int_equal(report.rows_different, 0);
    f->server.parks = false;
}

// What a row was before the waiting calls is lost: the row comes again from the server, and the calls stay and run on it. First a page meets
// the loss, then a verification.
static void lost_images_are_fetched_again(void **state)
{
    struct scene *f = *state;
    scene_start(f);
    f->server.parks = true;
    world_connect(&f->a, false);
    scene_must_set_title(f, "n0003", "Waiting");
    assert_int_equal(sqlite3_exec(f->a.replica.sql.db, "update charle_base set image = x'ffff'", NULL, NULL, NULL), SQLITE_OK);
    fake_server_sql(&f->server, "update note set votes = 77 where id = 'n0003'");
    world_connect(&f->a, true);
    world_deliver(&f->a, 500);
    scene_expect_title(f, "n0003", "Waiting");
    assert_int_equal(world_number(&f->a, "select votes from note where id = 'n0003'"), 77);
    assert_int_equal(scene_verify(f).rows_different, 0);
    // No message, one without a key, and one with a state that there is not.
    static const char *const images[] = {"x'ffff'", "x''", "x'0a056e303030333063'"};
    for (size_t i = 0; i < sizeof(images) / sizeof(images[0]); i++) {
        char sql[100];
        snprintf(sql, sizeof(sql), "update charle_base set image = %s", images[i]);
        assert_int_equal(sqlite3_exec(f->a.replica.sql.db, sql, NULL, NULL, NULL), SQLITE_OK);
        assert_true(scene_verify(f).rows_different > 0);
        assert_int_equal(scene_verify(f).rows_different, 0);
        scene_expect_title(f, "n0003", "Waiting");
    }
    assert_int_equal(world_number(&f->a, "select votes from note where id = 'n0003'"), 77);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_cursor where state <> 1"), 0);
    f->server.parks = false;
    for (int i = 0; i < 200; i++)
        world_step(&f->a); // time passes
    assert_int_equal(fake_server_number(&f->server, "select count(*) from note where title = 'Waiting'"), 1);
    scene_expect_title(f, "n0003", "Waiting");
    fake_server_check(&f->server, &f->a.replica);
}

static void verify_is_not_fooled_by_writers(void **state)
{
    struct scene *f = *state;
    struct charle_verify_report report;
    scene_start(f);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_CASE(copies_what_it_may_see),
        SCENE_CASE(copy_catches_up_with_writers),
        SCENE_CASE(copy_goes_on_where_it_was_cut_off),
        SCENE_CASE(composite_keys_and_paths_are_followed),
        SCENE_CASE(changes_arrive_live),
        SCENE_CASE(moment_of_many_pages_is_one),
        cmocka_unit_test(moment_that_is_begun_anew_forgets_its_pages),
        SCENE_CASE(gained_scope_shows_at_once_or_not_at_all),
        SCENE_CASE(lost_scope_takes_its_rows_and_columns_along),
        SCENE_CASE(row_moves_between_scopes),
        SCENE_CASE(server_that_went_back_gets_its_calls_again),
        SCENE_CASE(forgotten_log_means_repair),
        SCENE_CASE(copied_file_goes_on_as_a_new_device),
        SCENE_CASE(copies_share_their_waiting_calls),
        SCENE_CASE(other_server_is_refused),
        SCENE_CASE(stale_token_blocks_until_there_is_a_new_one),
        SCENE_CASE(blocked_replica_without_a_connection_sleeps),
        SCENE_CASE(call_the_server_cannot_take_is_refused_alone),
        SCENE_CASE(verify_finds_nothing_wrong),
        SCENE_CASE(verify_mends_what_was_damaged),
        SCENE_CASE(verify_mends_what_cannot_be_read),
        SCENE_CASE(lost_images_are_fetched_again),
        SCENE_CASE(verify_is_not_fooled_by_writers),
    };
    scene_prepare();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
