// Moments that are written while their pages still come (client/apply_early.c): what is shown, what makes it give up, and who may have to wait for it.
#include "fixture.h"

#include "client/core_parts.h"
#include "msg/wire.h"
#include "notes.charle.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

// Four scopes, of which a change of all notes touches three: three pages.
static void start_wide(struct fixture *f)
{
    f->a.more = MORE_NEVER;
    fake_server_grant(&f->server, "room:r1");
    fake_server_grant(&f->server, "room:r2");
    fixture_start(f);
    world_settle(&f->a, 20000);
    f->server.page_rows = 1;
    f->a.more = MORE_ALWAYS;
    f->a.more_given = 0;
}

static void change_all(struct fixture *f, const char *title)
{
    fake_server_sql(&f->server, "update note set title = '%s' where true", title);
}

static int64_t shown(struct fixture *f, const char *title)
{
    return world_number(&f->a, "select count(*) from note where title = '%s'", title);
}

static enum charle_err set_title(struct world *world, const char *id, const char *title)
{
    struct charle_error err;
    const struct notes_note_key key = {charle_str(id)};
    const struct notes_note_patch set = {.title = {charle_str(title), true}};
    const struct notes_note_update request = {.key = &key, .set = &set};
    return world_call(world, &notes_note_service_update_method, &request, NULL, NULL, NULL, &err);
}

// Steps until the first page of the change has reached the core.
static void step_to_first_page(struct fixture *f)
{
    size_t pages = f->a.core->moment.page_count;
    uint64_t applied = f->a.core->pages_applied;
    for (int i = 0; i < 100 && f->a.core->moment.page_count == pages && f->a.core->pages_applied == applied; i++)
        assert_true(world_step(&f->a));
}

static void moment_that_comes_at_once_is_one_transaction(void **state)
{
    struct fixture *f = *state;
    start_wide(f);
    change_all(f, "Early");
    step_to_first_page(f);
    assert_int_equal(f->a.more_given, 2);
    assert_int_equal(shown(f, "Early"), 30);
    assert_int_equal(f->a.core->moment.page_count, 0);
    assert_true(f->a.events & CHARLE_EVENT_ROWS);
    fixture_end(f);
}

static void late_page_makes_it_wait_for_the_whole(void **state)
{
    struct fixture *f = *state;
    start_wide(f);
    f->a.more_after = 1;
    change_all(f, "Late");
    step_to_first_page(f);
    assert_int_equal(f->a.more_given, 1);
    assert_int_equal(shown(f, "Late"), 0);
    assert_int_equal(f->a.core->moment.page_count, 2);
    // Nobody is kept from writing meanwhile.
    assert_int_equal(set_title(&f->a, "n0001", "Mine"), CHARLE_OK);
    assert_int_equal(shown(f, "Mine"), 1);
    world_deliver(&f->a, 200);
    assert_int_equal(shown(f, "Late") + shown(f, "Mine"), 30);
    fixture_end(f);
}

static void lost_connection_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    start_wide(f);
    f->a.more_after = 1;
    change_all(f, "Cut");
    step_to_first_page(f);
    world_connect(&f->a, false);
    assert_int_equal(shown(f, "Cut"), 0);
    assert_int_equal(f->a.core->moment.page_count, 0);
    f->a.more_after = 0;
    world_connect(&f->a, true);
    fixture_end(f);
    assert_int_equal(shown(f, "Cut"), 30);
}

// Which calls a moment contains is said by its last page: whoever has calls waiting must know it before.
static void waiting_calls_are_put_back_on_top(void **state)
{
    struct fixture *f = *state;
    start_wide(f);
    f->a.is_down = true;
    assert_int_equal(set_title(&f->a, "n0001", "Mine"), CHARLE_OK);
    world_deliver(&f->a, 20);
    f->a.is_down = false;
    for (int i = 0; i < WORLD_CALLS_MAX; i++)
        f->a.calls[i].is_held = f->a.calls[i].id && !f->a.calls[i].is_stream; // the push
    change_all(f, "Theirs");
    step_to_first_page(f);
    assert_int_equal(f->a.more_given, 0);
    world_deliver(&f->a, 200);
    assert_int_equal(shown(f, "Theirs"), 29);
    assert_int_equal(shown(f, "Mine"), 1);
    for (int i = 0; i < WORLD_CALLS_MAX; i++)
        f->a.calls[i].is_held = false;
    fixture_end(f);
}

static void news_of_scopes_wait_for_the_whole(void **state)
{
    struct fixture *f = *state;
    start_wide(f);
    world_connect(&f->a, false);
    fake_server_revoke(&f->server, "room:r2");
    change_all(f, "Lost");
    f->a.more_given = 0;
    world_connect(&f->a, true);
    fixture_end(f);
    assert_int_equal(world_number(&f->a, "select count(*) from note where body is not null"), 15);
    assert_int_equal(shown(f, "Lost"), 30);
}

// --- the pages of a test --------------------------------------------------------------------------------------------------

struct script {
    const struct charle_pull_page *pages;
    size_t count, at;
    struct charle_buf bytes;
};

static enum charle_err next_page(void *ctx, struct ch_moment *moment, bool *out_is_added, struct charle_error *err)
{
    struct script *script = ctx;
    *out_is_added = script->at < script->count;
    if (!*out_is_added)
        return CHARLE_OK;
    charle_buf_reset(&script->bytes);
    charle_message_write(&charle_pull_page_message, &script->pages[script->at++], &script->bytes);
    return ch_moment_add(moment, charle_buf_bytes(&script->bytes), err);
}

static struct charle_scope_delta gone_notes(struct fixture *f, const struct charle_table_delta *const *table)
{
    int64_t stamp = fixture_stamp(f, "team");
    return (struct charle_scope_delta){.scope = CHARLE_STR("team"), .from = stamp, .to = stamp + 1, .lineage = 1, .table = {table, 1, true}};
}

static bool apply_script(struct fixture *f, struct ch_moment *moment, struct script *script)
{
    const struct ch_apply_options options = {.recall_after = -1};
    struct ch_apply_result result;
    struct charle_error err = {0};
    bool is_added, is_applied;
    assert_int_equal(next_page(script, moment, &is_added, &err), CHARLE_OK);
    if (ch_apply_early(&f->a.replica, moment, &options, next_page, script, &result, &is_applied, &err))
        fail_msg("%s", err.text);
    return is_applied;
}

// The server began the moment anew: what it had sent of it is older, and rows in it may be there again.
static void moment_begun_anew_takes_back_what_was_written(void **state)
{
    struct fixture *f = *state;
    start_wide(f);
    const struct charle_gone one = {.key = CHARLE_STR("n0001")};
    const struct charle_gone *const gone[] = {&one};
    const struct charle_table_delta table = {.table = 3, .gone = {gone, 1, true}};
    const struct charle_table_delta *const tables[] = {&table};
    const struct charle_scope_delta delta = gone_notes(f, tables);
    const struct charle_scope_delta *const deltas[] = {&delta};
    const struct charle_pull_page pages[] = {{.delta = {deltas, 1, true}}, {.is_first = {true, true}}, {.is_last = true}};
    struct script script = {.pages = pages, .count = 3};
    struct ch_moment moment;
    ch_moment_init(&moment, NULL);
    int64_t stamp = fixture_stamp(f, "team");
    assert_false(apply_script(f, &moment, &script));
    assert_int_equal(script.at, 2);
    assert_int_equal(moment.page_count, 1);
    assert_int_equal(world_number(&f->a, "select count(*) from note where id = 'n0001'"), 1);
    assert_int_equal(fixture_stamp(f, "team"), stamp);
    ch_moment_deinit(&moment);
    // The same without the new beginning is written.
    const struct charle_pull_page whole[] = {{.delta = {deltas, 1, true}}, {.is_last = true}};
    script = (struct script){.pages = whole, .count = 2, .bytes = script.bytes};
    ch_moment_init(&moment, NULL);
    assert_true(apply_script(f, &moment, &script));
    assert_int_equal(world_number(&f->a, "select count(*) from note where id = 'n0001'"), 0);
    assert_int_equal(fixture_stamp(f, "team"), stamp + 1);
    ch_moment_deinit(&moment);
    charle_buf_deinit(&script.bytes);
}

// --- threads --------------------------------------------------------------------------------------------------------------

// Gives no page until somebody wants to write, as a network that stands still would.
struct stall {
    struct fixture *f;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_waiting, is_wanted;
    enum charle_err written;
};

static void stall_wanted(void *ctx)
{
    struct stall *stall = ctx;
    pthread_mutex_lock(&stall->mutex);
    stall->is_wanted = true;
    pthread_cond_broadcast(&stall->changed);
    pthread_mutex_unlock(&stall->mutex);
}

static struct stall *stall_of;

static bool stall_more(void *ctx, uint64_t id, int64_t wait_us, struct charle_bytes *out)
{
    struct stall *stall = stall_of;
    (void)ctx, (void)id, (void)wait_us, (void)out;
    pthread_mutex_lock(&stall->mutex);
    stall->is_waiting = true;
    pthread_cond_broadcast(&stall->changed);
    while (!stall->is_wanted)
        pthread_cond_wait(&stall->changed, &stall->mutex);
    pthread_mutex_unlock(&stall->mutex);
    return false;
}

static void *write_while_stalled(void *ctx)
{
    struct stall *stall = ctx;
    struct charle_error err;
    pthread_mutex_lock(&stall->mutex);
    while (!stall->is_waiting)
        pthread_cond_wait(&stall->changed, &stall->mutex);
    pthread_mutex_unlock(&stall->mutex);
    const struct notes_note_key key = {CHARLE_STR("n0002")};
    const struct notes_note_patch set = {.title = {CHARLE_STR("Mine"), true}};
    const struct notes_note_update request = {.key = &key, .set = &set};
    struct charle_buf in = {0}, reply = {0};
    int64_t ticket;
    charle_message_write(&notes_note_update_message, &request, &in);
    stall->written = ch_replica_call(&stall->f->a.replica, &notes_note_service_update_method, charle_buf_bytes(&in), &reply, &ticket, &err);
    charle_buf_deinit(&in);
    charle_buf_deinit(&reply);
    return NULL;
}

static void writer_of_this_program_does_not_wait_for_pages(void **state)
{
    struct fixture *f = *state;
    struct stall stall = {.f = f};
    pthread_t writer;
    start_wide(f);
    pthread_mutex_init(&stall.mutex, NULL);
    pthread_cond_init(&stall.changed, NULL);
    stall_of = &stall;
    bool (*usual)(void *, uint64_t, int64_t, struct charle_bytes *) = f->a.env.call_more;
    f->a.env.call_more = stall_more;
    f->a.replica.lock.wanted = stall_wanted;
    f->a.replica.lock.wanted_ctx = &stall;
    assert_int_equal(pthread_create(&writer, NULL, write_while_stalled, &stall), 0);
    change_all(f, "Theirs");
    step_to_first_page(f); // ends because the writer came
    pthread_join(writer, NULL);
    assert_int_equal(stall.written, CHARLE_OK);
    assert_int_equal(shown(f, "Mine"), 1);
    assert_int_equal(shown(f, "Theirs"), 0);
    f->a.env.call_more = usual;
    f->a.replica.lock.wanted = NULL;
    ch_client_core_kick(f->a.core);
    fixture_end(f);
    assert_int_equal(shown(f, "Mine"), 1);
    assert_int_equal(shown(f, "Theirs"), 29);
    pthread_cond_destroy(&stall.changed);
    pthread_mutex_destroy(&stall.mutex);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(moment_that_comes_at_once_is_one_transaction),
        CASE(late_page_makes_it_wait_for_the_whole),
        CASE(lost_connection_leaves_nothing),
        CASE(waiting_calls_are_put_back_on_top),
        CASE(news_of_scopes_wait_for_the_whole),
        CASE(moment_begun_anew_takes_back_what_was_written),
        CASE(writer_of_this_program_does_not_wait_for_pages),
    };
#undef CASE
    return cmocka_run_group_tests(tests, NULL, NULL);
}
