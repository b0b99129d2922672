// Heads, deltas and pulls at their edges: cursors of every kind, epochs that are gone, a log with too much or too little in it, and answers of
// the database that are not what was asked for.
#include "server/sync/parts.h"
#include "twin.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "sync/cursor.h"
#include "support/db_fault.h"

#include <string.h>

static struct charle_db *db_of(struct twin *twin)
{
    return twin->servers[TWIN_SETS].db;
}

static struct ch_sync *sync_of(struct twin *twin)
{
    return twin->servers[TWIN_SETS].sync;
}

static void assert_words(const struct charle_error *err, const char *words)
{
    if (!strstr(err->text, words))
        fail_msg("expected \"…%s…\", got \"%s\"", words, err->text);
}

// --- cursors ------------------------------------------------------------------------------------------------------------

static void cursors_are_judged_by_history_epoch_and_floor(void **state)
{
    (void)state;
    const int64_t now = ch_stamp(3, 10), old_end = ch_stamp(1, 7);
    int64_t epoch_numbers[] = {1, 2, 3};
    uint64_t lineages[] = {11, 22, 33};
    const struct ch_epochs epochs = {epoch_numbers, lineages, 3}, none = {0};
    const struct ch_head untouched = {.scope = CHARLE_STR("team")};
    const struct ch_head head = {.scope = CHARLE_STR("team"), .stamp = now, .lineage = 33, .history = &old_end, .history_count = 1};
    struct ch_head floored = head;
    floored.floor = ch_stamp(3, 5);

    assert_int_equal(ch_head_judge(&untouched, &epochs, 0, 0), CH_CURSOR_EQUAL);
    assert_int_equal(ch_head_judge(&head, &epochs, 0, 0), CH_CURSOR_BEHIND);
    assert_int_equal(ch_head_judge(&floored, &epochs, 0, 0), CH_CURSOR_LOST);
    assert_int_equal(ch_head_judge(&head, &epochs, now, 33), CH_CURSOR_EQUAL);
    assert_int_equal(ch_head_judge(&head, &epochs, now, 34), CH_CURSOR_LOST); // an epoch of the same number in another past
    assert_int_equal(ch_head_judge(&head, &none, now, 33), CH_CURSOR_LOST);   // of which nothing is known
    assert_int_equal(ch_head_judge(&head, &epochs, ch_stamp(3, 4), 33), CH_CURSOR_BEHIND);
    assert_int_equal(ch_head_judge(&head, &epochs, ch_stamp(3, 11), 33), CH_CURSOR_LOST);
    assert_int_equal(ch_head_judge(&floored, &epochs, ch_stamp(3, 4), 33), CH_CURSOR_LOST);
    assert_int_equal(ch_head_judge(&floored, &epochs, ch_stamp(3, 5), 33), CH_CURSOR_BEHIND);
    assert_int_equal(ch_head_judge(&head, &epochs, ch_stamp(1, 7), 11), CH_CURSOR_BEHIND);
    assert_int_equal(ch_head_judge(&head, &epochs, ch_stamp(1, 8), 11), CH_CURSOR_LOST); // that epoch ended before it here
    assert_int_equal(ch_head_judge(&head, &epochs, ch_stamp(2, 1), 22), CH_CURSOR_LOST); // the scope was not touched in it
    assert_int_equal(ch_head_judge(&head, &epochs, -1, 33), CH_CURSOR_LOST);
}

// --- heads --------------------------------------------------------------------------------------------------------------

static void heads_of_epochs_that_are_gone_have_no_lineage(void **state)
{
    (void)state;
    static struct twin twin;
    struct charle_arena arena = {0};
    struct charle_error err = {0};
    struct ch_epochs epochs;
    struct ch_head *heads;
    const struct charle_str scopes[] = {CHARLE_STR("nobody:x"), CHARLE_STR("team")};
    twin_open(&twin);
    assert_int_equal(charle_begin(db_of(&twin), NULL, &err), CHARLE_OK);
    assert_int_equal(charle_exec(db_of(&twin), "delete from charle.epoch", NULL, 0, NULL, &err), CHARLE_OK);
    assert_int_equal(ch_heads_read(db_of(&twin), scopes, 2, &arena, &heads, &err), CHARLE_OK);
    assert_true(heads[0].stamp == 0 && heads[1].stamp > 0 && heads[1].lineage == 0);
    assert_int_equal(ch_epochs_read(db_of(&twin), &arena, &epochs, &err), CHARLE_OK);
    assert_int_equal(epochs.count, 0);
    assert_int_equal(ch_head_judge(&heads[1], &epochs, heads[1].stamp, 0), CH_CURSOR_LOST);
    assert_int_equal(charle_rollback(db_of(&twin), &err), CHARLE_OK);
    // A database that gives fewer rows than it was asked for is not believed.
    ch_db_fault_at(2, false, CHARLE_DONE);
    assert_int_equal(ch_heads_read(db_of(&twin), scopes, 2, &arena, &heads, &err), CHARLE_INTERNAL);
    ch_db_fault_at(0, false, CHARLE_OK);
    assert_words(&err, "fewer heads");
    charle_arena_deinit(&arena);
    twin_close(&twin);
}

// --- deltas -------------------------------------------------------------------------------------------------------------

struct pieces {
    size_t count;
};

static enum charle_err count_piece(void *ctx, struct charle_bytes piece, struct charle_error *err)
{
    struct pieces *pieces = ctx;
    (void)err;
    assert_true(piece.len > 0);
    pieces->count++;
    return CHARLE_OK;
}

static struct ch_head head_of(struct twin *twin, struct charle_str scope, struct charle_arena *arena)
{
    struct charle_error err = {0};
    struct ch_head *heads;
    assert_int_equal(ch_heads_read(db_of(twin), &scope, 1, arena, &heads, &err), CHARLE_OK);
    return heads[0];
}

static void a_delta_without_rows_moves_the_cursor(void **state)
{
    (void)state;
    static struct twin twin;
    struct charle_arena arena = {0};
    struct charle_error err = {0};
    struct pieces pieces = {0};
    twin_open(&twin);
    struct ch_head head = head_of(&twin, CHARLE_STR("team"), &arena);
    assert_int_equal(ch_delta_read(sync_of(&twin), db_of(&twin), &head, head.stamp, count_piece, &pieces, &err), CHARLE_OK);
    assert_int_equal(pieces.count, 1);
    struct ch_delta_keys no_keys = {0};
    bool has_failed = true;
    for (long n = 1; has_failed; n++) {
        ch_alloc_fail_at(n, 0);
        enum charle_err rc = ch_delta_write(sync_of(&twin), db_of(&twin), &head, 0, &no_keys, count_piece, &pieces, &err);
        has_failed = ch_alloc_count() >= n;
        ch_alloc_fail_at(0, 0);
        assert_int_equal(rc, has_failed ? CHARLE_NO_MEMORY : CHARLE_OK);
    }
    pieces.count = 1;
    // Keys of tables that this server knows nothing of, or that the scope does not show: nothing is asked, the cursor moves.
    struct charle_str keys[] = {CHARLE_STR("a"), CHARLE_STR("b")};
    uint32_t tables[] = {1, 4711};
    struct ch_delta_keys named = {.items = keys, .tables = tables, .count = 2};
    struct ch_head other = {.scope = CHARLE_STR("place:north"), .stamp = head.stamp, .lineage = head.lineage};
    assert_int_equal(ch_delta_write(sync_of(&twin), db_of(&twin), &other, 0, &named, count_piece, &pieces, &err), CHARLE_OK);
    assert_int_equal(pieces.count, 2);
    charle_arena_deinit(&arena);
    twin_close(&twin);
}

static void a_row_that_was_not_asked_for_is_not_sent(void **state)
{
    (void)state;
    static struct twin twin;
    struct charle_arena arena = {0};
    struct charle_error err = {0};
    struct pieces pieces = {0};
    twin_open(&twin);
    const struct ch_view *view = ch_table_view(ch_sync_table(sync_of(&twin), 1), CHARLE_STR("team"));
    struct ch_view *writable = (struct ch_view *)(uintptr_t)view;
    const char *rows_sql = view->rows_sql, *where = strstr(rows_sql, " where ");
    assert_non_null(where);
    writable->rows_sql = charle_arena_printf(&arena, "%.*s where $1::text[] is not null", (int)(where - rows_sql), rows_sql).ptr;
    struct charle_str keys[] = {CHARLE_STR("ann"), CHARLE_STR("zoe")};
    uint32_t tables[] = {1, 1};
    struct ch_delta_keys named = {.items = keys, .tables = tables, .count = 2};
    struct ch_head head = head_of(&twin, CHARLE_STR("team"), &arena);
    assert_int_equal(ch_delta_write(sync_of(&twin), db_of(&twin), &head, 0, &named, count_piece, &pieces, &err), CHARLE_INTERNAL);
    assert_words(&err, "which was not asked for");
    assert_int_equal(pieces.count, 0);
    writable->rows_sql = rows_sql;
    charle_arena_deinit(&arena);
    twin_close(&twin);
}

static void too_many_changes_are_a_repair(void **state)
{
    (void)state;
    static struct twin twin;
    struct charle_arena arena = {0};
    struct charle_error err = {0};
    struct ch_delta_keys keys;
    twin_open(&twin);
    assert_int_equal(charle_begin(db_of(&twin), NULL, &err), CHARLE_OK);
    const struct charle_value param = charle_int8(CH_DELTA_KEYS_MAX + 1);
    assert_int_equal(charle_exec(db_of(&twin), "insert into charle.change (scope, v, tab, op, key) select 'team', 5, 1, 'i', i::text from generate_series(1, $1::int8) i",
                                 &param, 1, NULL, &err), CHARLE_OK);
    assert_int_equal(ch_delta_keys_read(db_of(&twin), CHARLE_STR("team"), 4, 5, &arena, &keys, &err), CHARLE_TOO_LARGE);
    assert_words(&err, "more than 500000 rows of scope team changed");
    assert_int_equal(charle_rollback(db_of(&twin), &err), CHARLE_OK);
    charle_arena_deinit(&arena);
    twin_close(&twin);
}

// --- pulls --------------------------------------------------------------------------------------------------------------

static enum charle_err ignore_page(void *ctx, struct charle_bytes message, struct charle_error *err)
{
    (void)ctx, (void)message, (void)err;
    return CHARLE_OK;
}

// Ann's replica, which asks for the changes of what it holds.
struct asking {
    struct twin twin;
    struct charle_arena arena;
    struct charle_error err;
    struct charle_pull_request request;
};

static int open_asking(void **state)
{
    static struct asking asking;
    asking = (struct asking){.request = {.device_id = CHARLE_STR("DEVICEANNDEVICEANNDEVICEAN"), .schema_hash = push_schema.hash}};
    twin_open(&asking.twin);
    *state = &asking;
    return 0;
}

static int close_asking(void **state)
{
    struct asking *asking = *state;
    charle_arena_deinit(&asking->arena);
    twin_close(&asking->twin);
    return 0;
}

static enum charle_err pull_within(struct asking *asking, const struct ch_standby *standby, struct charle_arena *arena)
{
    const struct ch_sync_peer peer = {.principal = CHARLE_STR("person"), .id = CHARLE_STR("ann"), .standby = standby};
    struct ch_positions positions;
    return ch_pull(sync_of(&asking->twin), db_of(&asking->twin), &peer, &asking->request, arena, ignore_page, NULL, &positions, &asking->err);
}

static enum charle_err pull(struct asking *asking, const struct ch_standby *standby)
{
    return pull_within(asking, standby, &asking->arena);
}

// As pull, asked again as long as a transaction of somebody else is open, such as PostgreSQL's own.
static enum charle_err pull_again(struct asking *asking)
{
    enum charle_err rc = CHARLE_UNAVAILABLE;
    for (int i = 0; rc == CHARLE_UNAVAILABLE && i < 60; i++)
        rc = pull(asking, NULL);
    return rc;
}

static void run(struct twin *twin, const char *sql)
{
    struct charle_error err = {0};
    if (charle_exec_script(db_of(twin), sql, &err))
        fail_msg("%s", err.text);
}

static void pulls_that_cannot_be_answered_are_refused(void **state)
{
    struct asking *asking = *state;
    static struct charle_cursor many[CH_SCOPES_PER_SESSION_MAX + 1];
    static const struct charle_cursor *list[CH_SCOPES_PER_SESSION_MAX + 1];
    for (size_t i = 0; i <= CH_SCOPES_PER_SESSION_MAX; i++) {
        many[i] = (struct charle_cursor){CHARLE_STR("team"), 1, 1};
        list[i] = &many[i];
    }
    asking->request.schema_hash++;
    assert_int_equal(pull(asking, NULL), CHARLE_SCHEMA_MISMATCH);
    asking->request.schema_hash = push_schema.hash;
    asking->request.cursor = (struct charle_array){list, CH_SCOPES_PER_SESSION_MAX + 1, true};
    assert_int_equal(pull(asking, NULL), CHARLE_INVALID_ARGUMENT);
    assert_words(&asking->err, "cursors");
}

// What a standby is asked, on a database that says it is one.
static void standbys_leave_to_the_primary_what_they_cannot_know(void **state)
{
    struct asking *asking = *state;
    const struct ch_head head = head_of(&asking->twin, CHARLE_STR("team"), &asking->arena);
    const struct ch_standby standby = {.lineage = head.lineage};
    assert_true(pull(asking, &standby) != CHARLE_OK); // it is none
    run(&asking->twin, "create schema fake; create function fake.pg_is_in_recovery() returns bool language sql as 'select true'; "
               "set search_path = fake, pg_catalog, public");
    assert_int_equal(pull(asking, &standby), CHARLE_ABORTED); // all its scopes are gained
    asking->request.last_sequence = (struct charle_opt_int8){5, true};
    assert_int_equal(pull(asking, &standby), CHARLE_UNAVAILABLE); // it has seen more of its own calls
    asking->request.last_sequence = (struct charle_opt_int8){0, true};
    assert_int_equal(pull(asking, &standby), CHARLE_ABORTED);
}

// Stamps ahead of the head: of the running epoch they may be commits that are not shown yet, of others they are lost.
static void stamps_that_are_ahead_are_waited_for_or_lost(void **state)
{
    struct asking *asking = *state;
    const struct ch_head head = head_of(&asking->twin, CHARLE_STR("team"), &asking->arena);
    const struct charle_cursor ahead = {head.scope, head.stamp + 5, head.lineage}, other_line = {head.scope, head.stamp + 5, head.lineage + 1};
    const struct charle_cursor *list[] = {&ahead};
    asking->request.cursor = (struct charle_array){list, 1, true};
    int failures = 0;
    bool has_failed = true;
    for (long n = 1; has_failed; n++) {
        ch_db_fault_at(n, false, CHARLE_IO);
        enum charle_err rc = pull(asking, NULL);
        has_failed = ch_db_fault_count() >= n;
        ch_db_fault_at(0, false, CHARLE_OK);
        assert_true(!rc || rc == CHARLE_UNAVAILABLE || (rc == CHARLE_IO && has_failed));
        failures += rc != CHARLE_OK;
    }
    assert_true(failures > 10);
    list[0] = &other_line;
    assert_int_equal(pull_again(asking), CHARLE_OK);
    list[0] = &ahead;
    run(&asking->twin, "insert into charle.epoch (epoch, lineage, started_at) select max(epoch) + 1, 4711, now() from charle.epoch");
    assert_int_equal(pull_again(asking), CHARLE_OK);
    run(&asking->twin, "delete from charle.epoch");
    assert_int_equal(pull_again(asking), CHARLE_OK);
}

// Memory that is counted out: each piece of a pull is once the one that does not fit.
static void a_pull_without_room_says_so(void **state)
{
    struct asking *asking = *state;
    int refused = 0;
    const struct ch_head head = head_of(&asking->twin, CHARLE_STR("team"), &asking->arena);
    const struct charle_cursor behind = {head.scope, 0, 0};
    const struct charle_cursor *list[] = {&behind};
    asking->request.cursor = (struct charle_array){list, 1, true};
    enum charle_err rc = CHARLE_NO_MEMORY;
    for (size_t size = 8; rc; size += 8) {
        struct charle_arena small;
        assert_true(size < 100000);
        charle_arena_init(&small, size);
        rc = pull_within(asking, NULL, &small);
        charle_arena_deinit(&small);
        assert_true(!rc || ((rc == CHARLE_NO_MEMORY || rc == CHARLE_TOO_LARGE) && asking->err.text[0]));
        refused += rc != CHARLE_OK;
    }
    assert_true(refused > 10);
}

#define PULLS(test) cmocka_unit_test_setup_teardown(test, open_asking, close_asking)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursors_are_judged_by_history_epoch_and_floor),
        cmocka_unit_test(heads_of_epochs_that_are_gone_have_no_lineage),
        cmocka_unit_test(a_delta_without_rows_moves_the_cursor),
        cmocka_unit_test(a_row_that_was_not_asked_for_is_not_sent),
        cmocka_unit_test(too_many_changes_are_a_repair),
        PULLS(pulls_that_cannot_be_answered_are_refused),
        PULLS(standbys_leave_to_the_primary_what_they_cannot_know),
        PULLS(stamps_that_are_ahead_are_waited_for_or_lost),
        PULLS(a_pull_without_room_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
