// What changes a replica's outbox, scopes and rows happens as a whole or not at all, whichever statement or allocation below it fails; and it
// says why not. Each operation is tried from the same state with the first point failing, then the second, until none is reached.
//
// sweep_test.c asks the same of what happens around them, where many statements never meet a disk that fails.
#include "fixture.h"
#include "step_fault.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "client/outbox.h"
#include "client/scope_store.h"
#include "notes.charle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { POINTS_MAX = 5000 };

static const char *const kept_tables[] = {"charle_outbox", "charle_inbox", "charle_meta", "charle_base", "charle_touch", "charle_cursor",
                                          "charle_member", "note",          "room",         "person",      "note_reader"};
enum { KEPT_TABLES = sizeof(kept_tables) / sizeof(kept_tables[0]) };

enum fault { FAULT_STATEMENT, FAULT_MEMORY, FAULT_COUNT };
static const char *const fault_names[] = {"statement", "allocation"};

static void arm(enum fault fault, long n, int is_sticky)
{
    if (fault == FAULT_MEMORY)
        ch_alloc_fail_at(n, is_sticky);
    else
        step_fault_at(n, is_sticky);
}

static bool disarm(enum fault fault, long n)
{
    bool has_failed = (fault == FAULT_MEMORY ? ch_alloc_count() : step_fault_count()) >= n;
    arm(fault, 0, 0);
    return has_failed;
}

// --- the state that is come back to -------------------------------------------------------------------------------------------

static void script(struct fixture *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void script(struct fixture *f, const char *format, ...)
{
    char *text, *why = NULL;
    va_list args;
    va_start(args, format);
    assert_true(vasprintf(&text, format, args) > 0);
    va_end(args);
    if (sqlite3_exec(f->a.replica.sql.db, text, NULL, NULL, &why))
        fail_msg("%s: %s", text, why);
    free(text);
}

static void keep(struct fixture *f)
{
    for (size_t i = 0; i < KEPT_TABLES; i++)
        script(f, "drop table if exists temp.kept_%s; create temp table kept_%s as select * from main.%s", kept_tables[i], kept_tables[i], kept_tables[i]);
}

static void go_back(struct fixture *f)
{
    script(f, "pragma foreign_keys = off; begin immediate");
    for (size_t i = 0; i < KEPT_TABLES; i++)
        script(f, "delete from main.%s; insert into main.%s select * from temp.kept_%s", kept_tables[i], kept_tables[i], kept_tables[i]);
    script(f, "commit");
}

// The tables that are not as they were kept.
static void check_unchanged(struct fixture *f, const char *what)
{
    for (size_t i = 0; i < KEPT_TABLES; i++) {
        char sql[400];
        const char *t = kept_tables[i];
        sqlite3_stmt *row;
        snprintf(sql, sizeof(sql), "select (select count(*) from (select * from main.%s except select * from temp.kept_%s)) + "
                                   "(select count(*) from (select * from temp.kept_%s except select * from main.%s))", t, t, t, t);
        assert_int_equal(sqlite3_prepare_v2(f->a.replica.sql.db, sql, -1, &row, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(row), SQLITE_ROW);
        if (sqlite3_column_int(row, 0))
            fail_msg("%s: it failed, and half of it is there, in %s", what, t);
        sqlite3_finalize(row);
    }
}

// --- the sweep ----------------------------------------------------------------------------------------------------------------

typedef enum charle_err (*act)(struct fixture *f, struct charle_error *err);

// is_inside: of a transaction that others begin and end; then what it leaves behind is theirs to undo.
static enum charle_err try_act(struct fixture *f, act run, bool is_inside, enum fault fault, long n, int is_sticky, struct charle_error *err)
{
    if (is_inside)
        assert_int_equal(ch_replica_begin(&f->a.replica, CH_DURABLE, err), CHARLE_OK);
    charle_buf_deinit(&f->a.replica.tables.text); // it is kept from statement to statement
    arm(fault, n, is_sticky);
    enum charle_err rc = run(f, err);
    if (disarm(fault, n))
        rc = rc ? rc : CHARLE_DONE; // it can do without
    else if (rc)
        fail_msg("nothing failed, and still: %s: %s", charle_err_name(rc), err->text);
    if (is_inside)
        ch_replica_rollback(&f->a.replica);
    return rc;
}

static void sweep_one(struct fixture *f, const char *name, act run, bool is_inside, enum fault fault, int is_sticky)
{
    enum charle_err rc = CHARLE_DONE;
    long n = 1, failures = 0;
    for (; rc; n++) {
        char what[100];
        struct charle_error err = {0};
        assert_true(n < POINTS_MAX);
        snprintf(what, sizeof(what), "%s, %s %ld%s", name, fault_names[fault], n, is_sticky ? " and all behind it" : "");
        go_back(f);
        rc = try_act(f, run, is_inside, fault, n, is_sticky, &err);
        if (!rc || rc == CHARLE_DONE)
            continue;
        failures++;
        if (rc != err.code || strlen(err.text) < 10)
            fail_msg("%s: %s: \"%s\"", what, charle_err_name(rc), err.text);
        check_unchanged(f, what);
    }
    go_back(f);
    assert_true(failures > 0 || fault == FAULT_MEMORY);
}

static void sweep(struct fixture *f, const char *name, act run, bool is_inside)
{
    keep(f);
    for (int fault = 0; fault < FAULT_COUNT; fault++)
        for (int is_sticky = 0; is_sticky < 2; is_sticky++)
            sweep_one(f, name, run, is_inside, (enum fault)fault, is_sticky);
}

// --- a laptop with calls ------------------------------------------------------------------------------------------------------

static void call(struct fixture *f, const char *id, const char *title)
{
    struct charle_error err = {0};
    const struct notes_note_key key = {charle_str(id)};
    const struct notes_note_patch set = {.title = {charle_str(title), true}};
    const struct notes_note_update request = {.key = &key, .set = &set};
    if (world_call(&f->a, &notes_note_service_update_method, &request, NULL, NULL, NULL, &err))
        fail_msg("%s", err.text);
}

static enum charle_err take_batch(struct fixture *f, struct charle_error *err)
{
    struct charle_arena arena = {0};
    struct ch_outbox_batch batch;
    enum charle_err rc = ch_outbox_take_batch(&f->a.replica, 0, 0, &arena, &batch, err);
    charle_arena_deinit(&arena);
    return rc;
}

// Six calls that wait, on four rows, at the positions 1 to 6, none with a number.
static int setup(void **state)
{
    int rc = fixture_setup(state);
    struct fixture *f = *state;
    fake_server_grant(&f->server, "room:r1");
    fixture_start(f);
    world_settle(&f->a, 20000);
    world_connect(&f->a, false);
    call(f, "n0001", "One");
    call(f, "n0001", "Two");
    call(f, "n0002", "Three");
    call(f, "n0003", "Four");
    call(f, "n0004", "Five");
    call(f, "n0004", "Six");
    assert_int_equal(world_number(&f->a, "select max(position) from charle_outbox"), 6);
    return rc;
}

static void number_all(struct fixture *f)
{
    struct charle_error err = {0};
    assert_int_equal(take_batch(f, &err), CHARLE_OK);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_outbox where state = 2 and sequence between 1 and 6"), 6);
}

// --- batches and numbers ------------------------------------------------------------------------------------------------------

static void a_batch_is_numbered_as_a_whole(void **state)
{
    struct fixture *f = *state;
    sweep(f, "a batch", take_batch, false);
    // One is held back, and so is the next one on its row.
    script(f, "update charle_outbox set due_at = %lld, attempts = 1 where position = (select min(position) from charle_outbox)",
           (long long)f->a.env.now_wall_us(f->a.env.ctx) + 1000000);
    sweep(f, "a batch with calls held back", take_batch, false);
    struct charle_error err = {0};
    assert_int_equal(take_batch(f, &err), CHARLE_OK);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_outbox where state = 2"), 4);
    sweep(f, "a batch that is taken again", take_batch, false);
}

// Of several calls that are held back the earliest says when to look again, in whatever order they were made.
static void the_earliest_call_that_is_held_back_counts(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    int64_t now = f->a.env.now_wall_us(f->a.env.ctx);
    for (int i = 0; i < 2; i++) {
        struct charle_arena arena = {0};
        struct ch_outbox_batch batch;
        script(f, "update charle_outbox set due_at = %lld where position = 3; update charle_outbox set due_at = %lld where position = 4",
               (long long)now + (i ? 5000000 : 9000000), (long long)now + (i ? 9000000 : 5000000));
        keep(f);
        assert_int_equal(ch_outbox_take_batch(&f->a.replica, 0, 0, &arena, &batch, &err), CHARLE_OK);
        assert_true(batch.due_at_us == now + 5000000);
        charle_arena_deinit(&arena);
        go_back(f);
    }
}

static void check_origins(const struct ch_outbox_batch *batch, const char *origin)
{
    const struct charle_call *const *calls = batch->request.call.items;
    for (size_t i = 0; i < batch->request.call.count; i++) {
        assert_true(calls[i]->origin.has == (origin != NULL));
        assert_true(!origin || charle_str_equal(calls[i]->origin.value, charle_str(origin)));
    }
}

// Memory that is counted out: each piece of a batch is once the one that does not fit.
static void check_batch_without_room(struct fixture *f, const char *origin)
{
    size_t size = 0;
    int refused = 0;
    keep(f);
    // Three arrays for the most calls that a batch may have come first.
    for (enum charle_err rc = CHARLE_NO_MEMORY; rc; size += size < CH_PUSH_CALLS_MAX * 16 ? 512 : 8) {
        struct charle_arena arena;
        struct ch_outbox_batch batch;
        struct charle_error err = {0};
        assert_true(size < 200000);
        charle_arena_init(&arena, size + 8);
        rc = ch_outbox_take_batch(&f->a.replica, 0, 0, &arena, &batch, &err);
        if (!rc)
            check_origins(&batch, origin);
        charle_arena_deinit(&arena);
        if (!rc)
            continue;
        assert_int_equal(rc, CHARLE_NO_MEMORY);
        assert_string_equal(err.text, "no memory for a batch of calls");
        check_unchanged(f, "a batch without room");
        refused++;
    }
    assert_true(refused > 10);
    go_back(f);
}

static void a_batch_without_room_says_so(void **state)
{
    struct fixture *f = *state;
    check_batch_without_room(f, NULL);
    // A copied laptop's calls have one piece more, the name of the device under which they were made; a long one here, so that it is missing
    // where all smaller pieces behind it fit.
    static const char origin[] = "a device whose name takes more room than that of the one that sends";
    script(f, "update charle_outbox set origin = '%s', origin_after = position - 1", origin);
    check_batch_without_room(f, origin);
}

// Calls that mention a file wait for it, and the batch says when to look again: for the earliest of what is held back.
static void calls_wait_for_their_files(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct ch_file_adding adding;
    struct ch_file file;
    uint8_t hash[CH_FILE_HASH_SIZE];
    char name[CH_FILE_NAME_LEN + 1];
    ch_file_hash(charle_bytes("file", 4), hash);
    ch_file_name_write(hash, name);
    assert_int_equal(ch_files_add(f->a.replica.files, NULL, &adding, &err), CHARLE_OK);
    assert_int_equal(ch_files_append(&adding, charle_bytes("file", 4), &err), CHARLE_OK);
    assert_int_equal(ch_files_finish(&adding, name, &file, &err), CHARLE_OK);
    call(f, "n0007", name);
    call(f, "n0009", name);
    int64_t now = f->a.env.now_wall_us(f->a.env.ctx);
    const int64_t parked[] = {now + 1, now + 3600000}; // before and after what waits for a file
    for (int i = 0; i < 2; i++) {
        struct charle_arena arena = {0};
        struct ch_outbox_batch batch;
        script(f, "update charle_outbox set due_at = %lld, attempts = 1 where position = 1", (long long)parked[i]);
        keep(f);
        assert_int_equal(ch_outbox_take_batch(&f->a.replica, 0, 0, &arena, &batch, &err), CHARLE_OK);
        assert_true(batch.waits_for_file && batch.due_at_us > now && batch.due_at_us <= parked[i]);
        charle_arena_deinit(&arena);
        go_back(f);
    }
    script(f, "update charle_outbox set due_at = 0, attempts = 0");
    sweep(f, "a batch with a file", take_batch, false);
}

static enum charle_err renew(struct fixture *f, struct charle_error *err)
{
    return ch_outbox_renew_identity(&f->a.replica, err);
}

static enum charle_err recall(struct fixture *f, struct charle_error *err)
{
    return ch_outbox_recall(&f->a.replica, 2, err);
}

static enum charle_err can_recall(struct fixture *f, struct charle_error *err)
{
    bool can;
    return ch_outbox_can_recall(&f->a.replica, 2, &can, err);
}

static void numbers_are_taken_back_as_a_whole(void **state)
{
    struct fixture *f = *state;
    number_all(f);
    sweep(f, "another identity", renew, false);
    sweep(f, "taking numbers back", recall, true);
    sweep(f, "asking whether numbers can be taken back", can_recall, true);
}

static void numbers_that_are_gone_cannot_be_taken_back(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    bool can;
    number_all(f);
    assert_int_equal(ch_outbox_can_recall(&f->a.replica, 0, &can, &err), CHARLE_OK);
    assert_true(can);
    assert_int_equal(ch_outbox_can_recall(&f->a.replica, 6, &can, &err), CHARLE_OK); // nothing is behind it
    assert_true(can);
    script(f, "delete from charle_outbox where sequence = 4");
    assert_int_equal(ch_outbox_can_recall(&f->a.replica, 3, &can, &err), CHARLE_OK); // the next one is not kept any more
    assert_false(can);
    assert_int_equal(ch_outbox_can_recall(&f->a.replica, 4, &can, &err), CHARLE_OK); // its hash is not known
    assert_false(can);
    assert_int_equal(ch_outbox_can_recall(&f->a.replica, 99, &can, &err), CHARLE_OK); // more than were ever made
    assert_false(can);
}

// --- verdicts -----------------------------------------------------------------------------------------------------------------

static enum charle_err judge(struct fixture *f, const struct charle_verdict *verdicts, size_t count, struct charle_error *err)
{
    const struct charle_verdict *items[8];
    const struct charle_array array = {.items = items, .count = count, .has = true};
    bool is_inbox;
    assert_true(count <= 8);
    for (size_t i = 0; i < count; i++)
        items[i] = &verdicts[i];
    return ch_outbox_judge(&f->a.replica, &array, &is_inbox, err);
}

// All kinds, with and without a row, for calls in every state.
static enum charle_err judge_all(struct fixture *f, struct charle_error *err)
{
    const struct charle_verdict verdicts[] = {
        {.sequence = 1, .kind = CHARLE_APPLIED},
        {.sequence = 2, .kind = CHARLE_APPLIED},
        {.sequence = 3, .kind = CHARLE_MERGED, .text = {CHARLE_STR("merged"), true}, .table = {3, true}, .key = {CHARLE_STR("n0002"), true},
         .row = {charle_bytes("row", 3), true}},
        {.sequence = 4, .kind = CHARLE_REJECTED, .code = {CHARLE_CONFLICT, true}, .table = {3, true}},
        {.sequence = 5, .kind = CHARLE_PARKED, .code = {CHARLE_BUSY, true}},
        {.sequence = 6, .kind = CHARLE_PARKED, .code = {CHARLE_BUSY, true}, .text = {CHARLE_STR("later"), true}},
    };
    return judge(f, verdicts, 6, err);
}

static void verdicts_are_taken_as_a_whole(void **state)
{
    struct fixture *f = *state;
    number_all(f);
    sweep(f, "verdicts", judge_all, false);
    // The pages came first: what was parked has left the rows already, and is made again here.
    script(f, "update charle_outbox set state = 4 where sequence in (2, 5, 6)");
    sweep(f, "verdicts behind their pages", judge_all, false);
    script(f, "update charle_outbox set attempts = 5 where sequence = 6"); // for the last time
    sweep(f, "a verdict that is the last", judge_all, false);
}

static void verdicts_that_come_again_change_nothing(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    number_all(f);
    assert_int_equal(judge(f, NULL, 0, &err), CHARLE_OK);
    assert_int_equal(judge_all(f, &err), CHARLE_OK);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_inbox"), 2);
    keep(f);
    assert_int_equal(judge_all(f, &err), CHARLE_OK);
    check_unchanged(f, "a second time");
    script(f, "update charle_outbox set state = 5; delete from charle_outbox where sequence = 3");
    keep(f);
    assert_int_equal(judge_all(f, &err), CHARLE_OK);
    check_unchanged(f, "after all is done");
    // A call that was never sent has no verdict, whatever a server says.
    script(f, "update charle_outbox set state = 1 where sequence = 4");
    keep(f);
    assert_int_equal(judge_all(f, &err), CHARLE_OK);
    check_unchanged(f, "for a call that was not sent");
}

// Applied calls are written down together only when they are neighbours and nothing is said about them.
static void applied_calls_with_words_stand_alone(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    const struct charle_verdict verdicts[] = {
        {.sequence = 1, .kind = CHARLE_APPLIED},
        {.sequence = 3, .kind = CHARLE_APPLIED},
        {.sequence = 4, .kind = CHARLE_APPLIED, .code = {0, true}},
        {.sequence = 5, .kind = CHARLE_APPLIED, .text = {CHARLE_STR("so it was"), true}},
    };
    number_all(f);
    assert_int_equal(judge(f, verdicts, 4, &err), CHARLE_OK);
    assert_int_equal(world_number(&f->a, "select group_concat(sequence, '') from charle_outbox where state = 3"), 1345);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_outbox where text = 'so it was'"), 1);
}

static enum charle_err refuse(struct fixture *f, struct charle_error *err)
{
    return ch_outbox_refuse(&f->a.replica, 3, CHARLE_TOO_LARGE, "too large for this server", err);
}

static enum charle_err report_lost(struct fixture *f, struct charle_error *err)
{
    return ch_outbox_report_lost(&f->a.replica, 7, 9, err);
}

static void what_the_server_will_not_take_is_told_as_a_whole(void **state)
{
    struct fixture *f = *state;
    number_all(f);
    sweep(f, "a call that is refused", refuse, false);
    sweep(f, "calls that were lost", report_lost, false);
}

static enum charle_err contain(struct fixture *f, struct charle_error *err)
{
    struct ch_contained *list = NULL;
    size_t count;
    enum charle_err rc = ch_outbox_contain(&f->a.replica, 6, false, &list, &count, err);
    ch_free(list);
    return rc;
}

static enum charle_err contain_judged(struct fixture *f, struct charle_error *err)
{
    struct ch_contained *list = NULL;
    size_t count;
    enum charle_err rc = ch_outbox_contain(&f->a.replica, 6, true, &list, &count, err);
    ch_free(list);
    return rc;
}

static enum charle_err queue_parked(struct fixture *f, struct charle_error *err)
{
    int64_t again;
    return ch_outbox_queue_parked(&f->a.replica, 5, &again, err);
}

static void what_a_page_contains_is_dropped_as_a_whole(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    int64_t again = -1;
    number_all(f);
    assert_int_equal(judge_all(f, &err), CHARLE_OK);
    script(f, "update charle_outbox set state = 2, kind = null where sequence = 2");
    sweep(f, "what a page contains", contain, true);
    sweep(f, "what a page contains of what was judged", contain_judged, true);
    sweep(f, "a parked call", queue_parked, true);
    assert_int_equal(ch_replica_begin(&f->a.replica, CH_DURABLE, &err), CHARLE_OK);
    assert_int_equal(ch_outbox_queue_parked(&f->a.replica, 4711, &again, &err), CHARLE_OK); // it is not kept any more
    ch_replica_rollback(&f->a.replica);
    assert_int_equal(again, 0);
}

// --- rebases ------------------------------------------------------------------------------------------------------------------

// The row comes back as the calls that wait on it had found it.
static enum charle_err bring_as_found(struct ch_rebase *rebase, struct ch_table *note, struct charle_error *err)
{
    struct charle_buf image = {0};
    sqlite3_stmt *row;
    bool is_shown = false;
    enum charle_err rc = ch_lite_one(&rebase->replica->sql, CH_LITE_BASE_GET, &row, err, "is", (int64_t)note->schema->id, CHARLE_STR("n0004"));
    if (rc)
        return rc == CHARLE_DONE ? CHARLE_OK : rc; // all images are back in place
    struct charle_bytes bytes = ch_lite_bytes(row, 0);
    charle_buf_add(&image, bytes.ptr, bytes.len);
    ch_lite_end(row);
    rc = image.failed ? charle_fail(err, CHARLE_NO_MEMORY, "no memory for an image") : CHARLE_OK;
    if (!rc)
        rc = ch_rebase_before_whole_row(rebase, note, CHARLE_STR("n0004"), charle_buf_bytes(&image), &is_shown, err);
    if (!rc)
        assert_true(is_shown);
    charle_buf_deinit(&image);
    return rc;
}

static enum charle_err rebase(struct fixture *f, int64_t contained, bool is_total, struct charle_error *err)
{
    struct ch_rebase rebase = {0};
    struct ch_replica *replica = &f->a.replica;
    struct ch_table *note = ch_table_by_name(&replica->tables, "note");
    bool is_shown;
    enum charle_err rc = ch_rebase_begin(&rebase, replica, contained, is_total, err);
    if (!rc)
        rc = ch_rebase_drop(&rebase, 1, err);
    if (!rc)
        rc = ch_rebase_before_row(&rebase, note, CHARLE_STR("n0002"), err);
    if (!rc)
        rc = ch_rebase_before_row(&rebase, note, CHARLE_STR("n0030"), err); // no call has touched it
    if (!rc)
        rc = ch_rebase_before_whole_row(&rebase, note, CHARLE_STR("n0001"), (struct charle_bytes){0}, &is_shown, err);
    if (!rc)
        rc = bring_as_found(&rebase, note, err);
    if (!rc)
        rc = ch_rebase_before_whole_row(&rebase, note, CHARLE_STR("n0004"), (struct charle_bytes){0}, &is_shown, err);
    if (!rc)
        rc = ch_rebase_finish(&rebase, err);
    ch_rebase_deinit(&rebase);
    return rc;
}

static enum charle_err rebase_some(struct fixture *f, struct charle_error *err)
{
    return rebase(f, 0, false, err);
}

static enum charle_err rebase_contained(struct fixture *f, struct charle_error *err)
{
    return rebase(f, 2, false, err);
}

static enum charle_err rebase_all(struct fixture *f, struct charle_error *err)
{
    return rebase(f, 0, true, err);
}

static enum charle_err rebase_alone(struct fixture *f, struct charle_error *err)
{
    return ch_apply_rebase(&f->a.replica, CH_DURABLE, NULL, NULL, err);
}

static void rebases_fail_with_words(void **state)
{
    struct fixture *f = *state;
    number_all(f);
    sweep(f, "a rebase of some rows", rebase_some, true);
    sweep(f, "a rebase of everything", rebase_all, true);
    sweep(f, "a rebase by itself", rebase_alone, false);
    script(f, "update charle_outbox set state = 3, kind = 1 where sequence <= 2");
    sweep(f, "a rebase of what is contained", rebase_contained, true);
    // A call that is gone, and one whose table is: left by a release that did not clean up after itself.
    script(f, "insert into charle_touch(tab, key, position) values (3, 'n0002', 4711), (99, 'x', 1); "
              "insert into charle_base(tab, key, image) values (99, 'x', null)");
    sweep(f, "a rebase with rests", rebase_some, true);
    sweep(f, "a whole rebase with rests", rebase_all, true);
    script(f, "delete from charle_touch; delete from charle_base; delete from charle_outbox");
    sweep(f, "a rebase without calls", rebase_some, true);
}

// --- scopes -------------------------------------------------------------------------------------------------------------------

static enum charle_err evict(struct fixture *f, struct charle_error *err)
{
    return ch_scope_evict(&f->a.replica, CHARLE_STR("room:r1"), err);
}

static enum charle_err pin(struct fixture *f, struct charle_error *err)
{
    return ch_scope_pin(&f->a.replica, CHARLE_STR("room:r1"), true, err);
}

static enum charle_err unpin(struct fixture *f, struct charle_error *err)
{
    return ch_scope_pin(&f->a.replica, CHARLE_STR("room:r1"), false, err);
}

static enum charle_err measure(struct fixture *f, struct charle_error *err)
{
    int64_t rows, bytes;
    return ch_scope_measure(&f->a.replica, f->a.replica.sql.db, CHARLE_STR("room:r1"), &rows, &bytes, err);
}

static void scopes_go_as_a_whole(void **state)
{
    struct fixture *f = *state;
    script(f, "delete from charle_touch; delete from charle_base; delete from charle_outbox");
    sweep(f, "letting go of a scope", evict, false);
    sweep(f, "pinning", pin, false);
    sweep(f, "unpinning", unpin, false);
    sweep(f, "measuring", measure, true);
}

static void assert_refused(enum charle_err rc, enum charle_err expected, const struct charle_error *err, const char *words)
{
    assert_int_equal(rc, expected);
    if (!strstr(err->text, words))
        fail_msg("expected \"…%s…\", got \"%s\"", words, err->text);
}

static void what_may_not_go_is_said(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct ch_replica *replica = &f->a.replica;
    const struct charle_str room = CHARLE_STR("room:r1");
    assert_refused(ch_scope_evict(replica, room, &err), CHARLE_FAILED_PRECONDITION, &err, "calls on rows of note in the scope room:r1 wait");
    script(f, "delete from charle_touch; delete from charle_base; delete from charle_outbox");
    assert_refused(ch_scope_evict(replica, CHARLE_STR("room:nowhere"), &err), CHARLE_NOT_FOUND, &err, "no scope room:nowhere");
    assert_refused(ch_scope_pin(replica, CHARLE_STR("room:nowhere"), true, &err), CHARLE_NOT_FOUND, &err, "no scope room:nowhere");
    script(f, "insert into charle_cursor(scope, stamp, lineage, state) values ('device:X', 1, 1, 1) on conflict do nothing");
    assert_refused(ch_scope_evict(replica, CHARLE_STR("device:X"), &err), CHARLE_FAILED_PRECONDITION, &err, "the device's own");
    script(f, "update charle_cursor set state = 3 where scope = 'room:r1'");
    assert_refused(ch_scope_evict(replica, room, &err), CHARLE_FAILED_PRECONDITION, &err, "being copied or mended");
    script(f, "update charle_cursor set state = 1 where scope = 'room:r1'");
    assert_int_equal(pin(f, &err), CHARLE_OK);
    assert_refused(ch_scope_evict(replica, room, &err), CHARLE_FAILED_PRECONDITION, &err, "is pinned");
    assert_int_equal(unpin(f, &err), CHARLE_OK);
    assert_int_equal(evict(f, &err), CHARLE_OK);
    assert_int_equal(evict(f, &err), CHARLE_OK); // it is gone already
}

static void clear_column(struct charle_column_set *set, size_t column)
{
    set->bits[column / 64] &= ~((uint64_t)1 << (column % 64));
}

// A reference counts only where the replica has both of its ends.
static void references_that_are_not_here_hold_nothing(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct ch_table *reader = ch_table_by_name(&f->a.replica.tables, "note_reader"), *note = ch_table_by_name(&f->a.replica.tables, "note");
    script(f, "delete from charle_touch; delete from charle_base; delete from charle_outbox; "
              "insert or ignore into charle_cursor(scope, stamp, lineage, state) values ('reader:p1', 1, 1, 1); "
              "update charle_cursor set state = 5 where scope = 'team'; insert into note_reader(note_id, person_id) values ('n0002', 'p1')");
    keep(f);
    assert_refused(ch_scope_evict(&f->a.replica, CHARLE_STR("room:r1"), &err), CHARLE_FAILED_PRECONDITION, &err, "rows of note_reader that stay refer to");
    const struct charle_column_set reader_columns = reader->columns, note_columns = note->columns;
    clear_column(&reader->columns, 0);
    assert_int_equal(evict(f, &err), CHARLE_OK);
    reader->columns = reader_columns;
    go_back(f);
    clear_column(&note->columns, 0);
    assert_int_equal(evict(f, &err), CHARLE_OK);
    note->columns = note_columns;
    go_back(f);
}

// --- audiences ----------------------------------------------------------------------------------------------------------------

static enum charle_err check_audiences(struct fixture *f, struct charle_error *err)
{
    struct ch_tables *tables = &f->a.replica.tables;
    return ch_table_check_audiences(tables, ch_table_by_name(tables, "note"), err);
}

// A failure while it is looked whether a condition can be asked of the rows themselves was taken for "no".
static void a_failure_says_nothing_about_audiences(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct ch_table *note = ch_table_by_name(&f->a.replica.tables, "note");
    struct ch_table_audience *team = ch_table_audience_of(note, CHARLE_STR("team"));
    const struct charle_audience *real = team->audience;
    assert_false(team->is_member);
    step_fault_at(1, false);
    enum charle_err rc = check_audiences(f, &err);
    step_fault_at(0, false);
    assert_true(rc && strlen(err.text) > 10);
    assert_int_equal(check_audiences(f, &err), CHARLE_OK);
    assert_false(team->is_member);
    static const struct {
        const char *sql;
        bool is_outside; // of what the audience shows
    } conditions[] = {{"r.body is not null", true},  {"r.extra > 0", true}, // no column of the schema
                      {"r.nowhere > 0", true},       {"1 = 1", false},
                      {"r.votes > 0", false},        {"exists (select 1 from room where id = r.room_id)", false}};
    script(f, "alter table note add column extra integer");
    for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
        struct charle_audience other = *real;
        other.where_sqlite = conditions[i].sql;
        team->audience = &other;
        assert_int_equal(check_audiences(f, &err), CHARLE_OK);
        assert_int_equal(team->is_member, conditions[i].is_outside);
    }
    team->audience = real;
    assert_int_equal(check_audiences(f, &err), CHARLE_OK);
    assert_false(team->is_member);
}

// --- rows of scopes -----------------------------------------------------------------------------------------------------------

static struct ch_table_audience *audience(struct ch_table *table, const char *scope)
{
    struct ch_table_audience *found = ch_table_audience_of(table, charle_str(scope));
    assert_non_null(found);
    return found;
}

static enum charle_err leave(struct fixture *f, struct charle_error *err)
{
    const struct charle_str team[] = {CHARLE_STR("team"), CHARLE_STR("stranger:x"), CHARLE_STR("room:r2"), CHARLE_STR("room:r3"),
                                      CHARLE_STR("room:nowhere")};
    struct ch_tables *tables = &f->a.replica.tables;
    struct ch_table *note = ch_table_by_name(tables, "note");
    struct ch_table_audience *room = audience(note, "room:r1"), *reader = audience(note, "reader:p1");
    enum charle_err rc = ch_table_leave(tables, note, room, CHARLE_STR("room:r1"), CHARLE_STR("n0002"), team, 5, err);
    if (!rc)
        rc = ch_table_leave(tables, note, reader, CHARLE_STR("reader:p1"), CHARLE_STR("n0004"), team, 1, err);
    if (!rc)
        rc = ch_table_leave(tables, note, room, CHARLE_STR("room:r1"), CHARLE_STR("n0006"), NULL, 0, err);
    return rc;
}

static enum charle_err leave_scope(struct fixture *f, struct charle_error *err)
{
    struct ch_tables *tables = &f->a.replica.tables;
    struct ch_table *note = ch_table_by_name(tables, "note");
    return ch_table_leave_scope(tables, note, audience(note, "room:r1"), CHARLE_STR("room:r1"), err);
}

static enum charle_err deny(struct fixture *f, struct charle_error *err)
{
    struct ch_tables *tables = &f->a.replica.tables;
    struct ch_table *note = ch_table_by_name(tables, "note"), *reader = ch_table_by_name(tables, "note_reader");
    int64_t rows;
    bool any;
    enum charle_err rc = ch_tables_begin_denials(tables, err);
    if (!rc)
        rc = ch_table_has_rows(tables, note, audience(note, "room:r1"), CHARLE_STR("room:r1"), (struct charle_str){0}, CHARLE_STR("n0010"), &any, err);
    if (!rc)
        rc = ch_table_deny(tables, note, audience(note, "room:r1"), CHARLE_STR("room:r1"), CHARLE_STR("n0002"), CHARLE_STR("n0010"), true, &rows, err);
    if (!rc)
        rc = ch_table_leave_unshown(tables, note, false, err);
    if (!rc)
        rc = ch_table_leave_unshown(tables, reader, true, err);
    return rc;
}

static enum charle_err leave_keys(struct fixture *f, struct charle_error *err)
{
    struct ch_tables *tables = &f->a.replica.tables;
    struct ch_table *reader = ch_table_by_name(tables, "note_reader");
    enum charle_err rc = ch_table_leave_scope(tables, reader, audience(reader, "reader:p1"), CHARLE_STR("reader:p1"), err);
    if (!rc)
        rc = ch_tables_begin_denials(tables, err);
    return rc ? rc : ch_table_leave_unshown(tables, reader, true, err);
}

static enum charle_err nothing(void *ctx, struct charle_bytes row, struct charle_error *err)
{
    (void)ctx, (void)row, (void)err;
    return CHARLE_OK;
}

static enum charle_err compare(struct fixture *f, struct charle_error *err)
{
    struct ch_tables *tables = &f->a.replica.tables;
    struct ch_table *note = ch_table_by_name(tables, "note");
    bool is_same;
    enum charle_err rc = ch_table_is_same(tables, note, audience(note, "room:r1"), CHARLE_STR("n0002"), charle_bytes("x", 1), &is_same, err);
    if (!rc)
        rc = ch_table_is_same(tables, note, audience(note, "room:r1"), CHARLE_STR("none"), charle_bytes("x", 1), &is_same, err);
    if (!rc)
        rc = ch_table_walk(tables, note, audience(note, "room:r1"), CHARLE_STR("room:r1"), (struct charle_str){0}, (struct charle_str){0}, nothing,
                           NULL, err);
    return rc;
}

static void rows_leave_with_words(void **state)
{
    struct fixture *f = *state;
    script(f, "insert or ignore into charle_cursor(scope, stamp, lineage, state) values ('reader:p1', 1, 1, 1), ('room:r2', 1, 1, 2), ('room:r3', null, null, 5); "
              "insert or ignore into charle_member(tab, key, scope) values (3, 'n0004', 'reader:p1')");
    sweep(f, "rows that leave a scope", leave, true);
    sweep(f, "a scope that is lost", leave_scope, true);
    sweep(f, "rows that the server denies", deny, true);
    sweep(f, "comparing rows", compare, true);
    // A table of which the replica has not every column.
    struct ch_table *note = ch_table_by_name(&f->a.replica.tables, "note");
    const struct charle_column_set columns = note->columns;
    clear_column(&note->columns, 4);
    sweep(f, "rows with a column less that the server denies", deny, true);
    note->columns = columns;
    sweep(f, "looking at the audiences", check_audiences, true);
    // A table of which the replica has the key and nothing else.
    struct ch_table *reader = ch_table_by_name(&f->a.replica.tables, "note_reader");
    struct ch_table_audience *of_reader = audience(reader, "reader:p1");
    const struct charle_column_set all = reader->columns, shown = of_reader->columns;
    clear_column(&reader->columns, 2);
    clear_column(&of_reader->columns, 2);
    sweep(f, "rows that are keys", leave_keys, true);
    reader->columns = all;
    of_reader->columns = shown;
    struct charle_error err = {0};
    assert_int_equal(ch_replica_begin(&f->a.replica, CH_DURABLE, &err), CHARLE_OK);
    assert_int_equal(leave(f, &err), CHARLE_OK);
    ch_replica_rollback(&f->a.replica);
}

int main(int argc, char **argv)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_batch_is_numbered_as_a_whole),
        CASE(the_earliest_call_that_is_held_back_counts),
        CASE(a_batch_without_room_says_so),
        CASE(calls_wait_for_their_files),
        CASE(numbers_are_taken_back_as_a_whole),
        CASE(numbers_that_are_gone_cannot_be_taken_back),
        CASE(verdicts_are_taken_as_a_whole),
        CASE(verdicts_that_come_again_change_nothing),
        CASE(applied_calls_with_words_stand_alone),
        CASE(what_the_server_will_not_take_is_told_as_a_whole),
        CASE(what_a_page_contains_is_dropped_as_a_whole),
        CASE(rebases_fail_with_words),
        CASE(scopes_go_as_a_whole),
        CASE(what_may_not_go_is_said),
        CASE(references_that_are_not_here_hold_nothing),
        CASE(a_failure_says_nothing_about_audiences),
        CASE(rows_leave_with_words),
    };
#undef CASE
    cmocka_set_test_filter(argc > 1 ? argv[1] : getenv("CHARLE_TEST_ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
