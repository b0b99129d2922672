// Batches of offline calls: in sets as one by one, exactly once, and what is wrong with one call is no other call's trouble.
#include "twin.h"

#include "db/pg/pg.h"

#include <stdio.h>

int random_tests(void);
int copies_tests(void);

static void make_jobs(struct twin *twin, int count)
{
    for (int i = 0; i < count; i++)
        twin_call(twin, "Job/Create", "{\"id\":\"j%02d\",\"title\":\"Job %d\",\"place\":\"%s\",\"budget\":\"%d\",\"owner_id\":\"bob\"}", i, i,
                  i % 2 ? "north" : "south", i);
    twin_push(twin);
}

static void edit_title(struct twin *twin, int job, const char *title, const char *base)
{
    twin_call(twin, "Job/Update", "{\"key\":{\"id\":\"j%02d\"},\"set\":{\"title\":\"%s\"},\"base\":{\"title\":\"%s\"}}", job, title, base);
}

// An edit of each job's title that finds it as it was.
static void edit_titles(struct twin *twin, int from, int to)
{
    for (int i = from; i < to; i++) {
        char base[32], title[32];
        snprintf(base, sizeof(base), "Job %d", i);
        snprintf(title, sizeof(title), "Edited %d", i);
        edit_title(twin, i, title, base);
    }
}

static void assert_writes(struct twin *twin, int sets, int singles)
{
    assert_int_equal(twin->servers[TWIN_SETS].writes, sets);
    assert_int_equal(twin->servers[TWIN_SINGLES].writes, singles);
}

// --- under which epoch --------------------------------------------------------------------------------------------------

// What was made under another epoch may come late, from a past that was lost with its database: nothing of it is taken, not even what it acknowledges.
static void push_of_another_epoch_is_refused(void **state)
{
    struct twin twin;
    struct charle_error err = {0};
    struct charle_arena arena = {0};
    struct charle_open_reply opened = {0};
    (void)state;
    twin_open(&twin);
    make_jobs(&twin, 1);
    struct twin_server *server = &twin.servers[TWIN_SETS];
    const struct ch_sync_peer peer = {.principal = CHARLE_STR("person"), .id = CHARLE_STR("ann")};
    const struct charle_open_request request = {.device_id = CHARLE_STR("another"), .schema_hash = push_schema.hash};
    assert_int_equal(ch_sync_open(server->sync, server->db, &peer, &request, (struct charle_ts){1}, &arena, &opened, &err), CHARLE_OK);
    assert_true(opened.lineage.has);
    int64_t lineage = twin_number(&twin, TWIN_SETS, "select e.lineage from charle.epoch e join charle.cluster c on c.epoch = e.epoch");
    assert_true(opened.lineage.value == (uint64_t)lineage);
    edit_title(&twin, 0, "New", "Job 0");
    twin.lineage = (struct charle_opt_uint8){opened.lineage.value + 1, true};
    assert_int_equal(twin_push_one(&twin, TWIN_SETS, &err), CHARLE_FAILED_PRECONDITION);
    assert_non_null(strstr(err.text, "has to open another one"));
    assert_int_equal(twin_number(&twin, TWIN_SETS, "select count(*) from job where title = 'New'"), 0);
    twin.lineage.value = opened.lineage.value;
    assert_int_equal(twin_push_one(&twin, TWIN_SETS, &err), CHARLE_OK);
    assert_int_equal(twin_number(&twin, TWIN_SETS, "select count(*) from job where title = 'New'"), 1);
    // The database was restarted or put back, and nobody has opened a session since.
    twin_exec(&twin, "update charle.cluster set at = at - interval '1 hour'");
    assert_int_equal(twin_push_one(&twin, TWIN_SETS, &err), CHARLE_FAILED_PRECONDITION);
    assert_int_equal(ch_sync_open(server->sync, server->db, &peer, &request, (struct charle_ts){1}, &arena, &opened, &err), CHARLE_OK);
    assert_true(opened.lineage.value != (uint64_t)lineage);
    charle_arena_deinit(&arena);
    twin_close(&twin);
}

// --- which stamps -------------------------------------------------------------------------------------------------------

// The stamps that a push says it made are those of its heads.
static void assert_made(struct twin *twin, int server)
{
    const struct charle_array *made = &twin->servers[server].reply.made;
    const struct charle_cursor *const *cursors = made->items;
    assert_true(made->count > 0);
    for (size_t i = 0; i < made->count; i++) {
        char sql[300];
        snprintf(sql, sizeof(sql), "select v from charle.head where scope = '%.*s'", CHARLE_FMT(cursors[i]->scope));
        assert_int_equal(cursors[i]->stamp, twin_number(twin, server, sql));
        assert_true(cursors[i]->lineage != 0);
    }
}

// Entries of a large transaction are spilled to a table under the transaction's key before the heads are raised. The key is then in the setting with a
// mark behind it, by which the push must still find the heads it raised.
static void a_batch_that_spills_says_which_stamps_it_made(void **state)
{
    struct twin twin;
    (void)state;
    twin_open(&twin);
    make_jobs(&twin, 90);
    size_t made[TWIN_COUNT];
    for (int i = 0; i < TWIN_COUNT; i++) {
        assert_made(&twin, i);
        made[i] = twin.servers[i].reply.made.count;
    }
    twin_exec(&twin, "delete from charle.touched");
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 90; i++)
            twin_call(&twin, "Job/Update", "{\"key\":{\"id\":\"j%02d\"},\"set\":{\"notes\":\"round %d\"}}", i, round);
    }
    twin_push(&twin);
    for (int i = 0; i < TWIN_COUNT; i++) {
        assert_true(twin_number(&twin, i, "select sum(coalesce(cardinality(keys), 1)) from charle.touched where tab is not null") > 90);
        assert_made(&twin, i);
        assert_int_equal(twin.servers[i].reply.made.count, made[i]);
    }
    // A small one behind it, and one that changes no row.
    edit_title(&twin, 3, "Small", "Job 3");
    twin_push(&twin);
    for (int i = 0; i < TWIN_COUNT; i++)
        assert_made(&twin, i);
    twin_close(&twin);
}

// --- runs without trouble -----------------------------------------------------------------------------------------------

static void a_run_of_creates_is_one_statement(void **state)
{
    struct twin twin;
    (void)state;
    twin_open(&twin);
    for (int i = 0; i < 20; i++)
        twin_call(&twin, "Person/Create", "{\"name\":\"P %d\",\"email\":\"p%d@push\"%s}", i, i, i % 2 ? ",\"is_lead\":true" : "");
    for (int i = 0; i < 20; i++)
        twin_call(&twin, "Ticket/Create", "{\"title\":\"T %d\"}", i);
    twin_push(&twin);
    assert_writes(&twin, 3, 40);
    // Numbers follow the order of the calls.
    assert_int_equal(twin_number(&twin, TWIN_SETS, "select count(*) from ticket where title = 'T ' || (number - 1)"), 20);
    twin_close(&twin);
}

static void a_run_of_edits_is_one_statement_for_each_shape(void **state)
{
    struct twin twin;
    (void)state;
    twin_open(&twin);
    make_jobs(&twin, 20);
    edit_titles(&twin, 0, 20);
    twin_push(&twin);
    assert_writes(&twin, 1, 20);
    assert_int_equal(twin_number(&twin, TWIN_SETS, "select count(*) from job where title = 'Edited ' || substr(id, 2)::int"), 20);
    for (int i = 0; i < 20; i++) {
        static const char *const edits[] = {
            "\"set\":{\"notes\":\"n\"},\"base\":{}", "\"set\":{\"hours\":3},\"base\":{\"hours\":0}",
            "\"set\":{\"state\":\"open\"},\"base\":{\"state\":\"new\"}",
            "\"set\":{\"starts_on\":\"2026-01-02\",\"ends_on\":\"2026-01-03\"},\"base\":{}", "\"set\":{},\"mask\":[4],\"base\":{\"owner_id\":\"bob\"}"};
        twin_call(&twin, "Job/Update", "{\"key\":{\"id\":\"j%02d\"},%s}", i, edits[i % 5]);
    }
    twin_push(&twin);
    assert_writes(&twin, 5, 20);
    assert_int_equal(twin_number(&twin, TWIN_SETS, "select count(*) from job where owner_id is null"), 4);
    for (int i = 0; i < 20; i++)
        twin_call(&twin, "Job/Update",
                  "{\"key\":{\"id\":\"j%02d\"},\"set\":{\"score\":%d.5,\"closed_at\":\"2026-01-02T03:04:05Z\",\"budget\":\"%d.50\","
                  "\"token\":\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a%02d\"},\"base\":{\"budget\":\"%d\"}}", i, i, i, i, i);
    twin_push(&twin);
    assert_int_equal(twin_number(&twin, TWIN_SETS, "select count(*) from job where score = substr(id, 2)::int + 0.5 and budget = score"), 20);
    twin_close(&twin);
}

static void rows_move_between_scopes(void **state)
{
    struct twin twin;
    (void)state;
    twin_open(&twin);
    make_jobs(&twin, 6);
    for (int i = 0; i < 6; i++)
        twin_call(&twin, "Step/Create", "{\"id\":\"s%d\",\"job_id\":\"j%02d\",\"title\":\"S\"}", i, i);
    twin_push(&twin);
    for (int i = 0; i < 6; i++) // into the other place, with its steps
        twin_call(&twin, "Job/Update", "{\"key\":{\"id\":\"j%02d\"},\"set\":{\"place\":\"%s\"},\"base\":{\"place\":\"%s\"}}", i,
                  i % 2 ? "south" : "north", i % 2 ? "north" : "south");
    twin_push(&twin);
    assert_writes(&twin, 1, 6);
    assert_int_equal(twin_number(&twin, TWIN_SETS, "select count(distinct key) from charle.entry where scope = 'spot:north' and tab = 3"), 6);
    for (int i = 0; i < 6; i++) // out of the team's sight, and one of them further
        twin_call(&twin, "Job/Update", "{\"key\":{\"id\":\"j%02d\"},\"set\":{\"is_hidden\":true},\"base\":{\"is_hidden\":false}}", i);
    twin_push(&twin);
    edit_titles(&twin, 0, 6);
    twin_push(&twin);
    twin_close(&twin);
}

static void one_row_twice_sees_what_the_first_did(void **state)
{
    struct twin twin;
    (void)state;
    twin_open(&twin);
    make_jobs(&twin, 4);
    edit_titles(&twin, 0, 4);
    edit_title(&twin, 1, "Again", "Edited 1");
    edit_title(&twin, 1, "And again", "Again");
    edit_title(&twin, 2, "Late", "Job 2"); // its base is older than the edit before it
    twin_push(&twin);
    twin_close(&twin);
}

static void keys_of_two_columns(void **state)
{
    struct twin twin;
    (void)state;
    twin_open(&twin);
    make_jobs(&twin, 6);
    for (int i = 0; i < 6; i++)
        twin_call(&twin, "Member/Create", "{\"job_id\":\"j%02d\",\"person_id\":\"%s\"}", i / 2, i % 2 ? "ann" : "bob");
    for (int i = 0; i < 6; i++)
        twin_call(&twin, "Member/Update", "{\"key\":{\"job_id\":\"j%02d\",\"person_id\":\"%s\"},\"set\":{\"role\":\"r%d\"},\"base\":{}}", i / 2,
                  i % 2 ? "ann" : "bob", i);
    twin_push(&twin);
    assert_writes(&twin, 2, 12);
    twin_close(&twin);
}

// --- one bad call among many --------------------------------------------------------------------------------------------

static void what_moved_is_judged_alone(void **state)
{
    struct twin twin;
    (void)state;
    twin_open(&twin);
    make_jobs(&twin, 12);
    twin_exec(&twin, "update job set title = 'Theirs' where id = 'j03'");
    twin_exec(&twin, "delete from job where id = 'j05'");
    twin_exec(&twin, "update job set budget = 99 where id = 'j07'");
    edit_titles(&twin, 0, 6);
    for (int i = 6; i < 12; i++)
        twin_call(&twin, "Job/Update", "{\"key\":{\"id\":\"j%02d\"},\"set\":{\"budget\":\"1000\"},\"base\":{\"budget\":\"%d\"}}", i, i);
    twin_push(&twin);
    assert_writes(&twin, 6, 13); // two sets, and those that were tried in vain
    twin_close(&twin);
}

static const char *const wrong[] = {
    // a check, a length, a foreign key, a unique value, a step that is not legal, a row out of sight, one that is not there
    "{\"key\":{\"id\":\"j13\"},\"set\":{\"budget\":\"-1\"},\"base\":{\"budget\":\"13\"}}",
    "{\"key\":{\"id\":\"j13\"},\"set\":{\"title\":\"A title of more than forty characters, which is too many\"},\"base\":{\"title\":\"Job 13\"}}",
    "{\"key\":{\"id\":\"j13\"},\"set\":{\"owner_id\":\"nobody\"},\"base\":{\"owner_id\":\"bob\"}}",
    "{\"key\":{\"id\":\"j13\"},\"set\":{\"code\":\"taken\"},\"base\":{}}",
    "{\"key\":{\"id\":\"j13\"},\"set\":{\"state\":\"done\"},\"base\":{\"state\":\"new\"}}",
    "{\"key\":{\"id\":\"hidden\"},\"set\":{\"title\":\"Mine\"},\"base\":{\"title\":\"Hidden\"}}",
    "{\"key\":{\"id\":\"none\"},\"set\":{\"title\":\"Mine\"},\"base\":{\"title\":\"None\"}}",
    "{\"key\":{\"id\":\"j13\"},\"set\":{\"starts_on\":\"2026-02-02\",\"ends_on\":\"2026-01-03\"},\"base\":{}}",
};

static void one_bad_edit_takes_no_other_along(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct twin twin;
        twin_open(&twin);
        make_jobs(&twin, 20);
        twin_exec(&twin, "insert into job (id, title, place, is_hidden, code, created_at, updated_at) values "
                         "('hidden', 'Hidden', 'south', true, null, '2026-01-01', '2026-01-01'), "
                         "('other', 'Other', 'south', false, 'taken', '2026-01-01', '2026-01-01')");
        edit_titles(&twin, 0, 13);
        twin_call(&twin, "Job/Update", "%s", wrong[i]);
        edit_titles(&twin, 14, 20);
        twin_push(&twin);
        // The jobs' titles are there, whatever became of the one.
        assert_int_equal(twin_number(&twin, TWIN_SETS, "select count(*) from job where title like 'Edited%'"), 19);
        assert_int_equal(twin_number(&twin, TWIN_SETS, "select count(*) from charle.verdict where kind = 3"), 1);
        twin_close(&twin);
    }
}

static void one_bad_create_takes_no_other_along(void **state)
{
    struct twin twin;
    (void)state;
    twin_open(&twin);
    make_jobs(&twin, 3);
    for (int i = 0; i < 40; i++)
        twin_call(&twin, "Step/Create", "{\"id\":\"s%02d\",\"job_id\":\"%s\",\"title\":\"S\"}", i == 20 ? 19 : i, i == 31 ? "none" : "j01");
    twin_push(&twin);
    assert_int_equal(twin_number(&twin, TWIN_SETS, "select count(*) from step"), 38);
    assert_int_equal(twin_number(&twin, TWIN_SETS, "select count(*) from charle.verdict where kind = 3"), 2);
    // A child may not come before its parent, nor in the same statement.
    twin_call(&twin, "Step/Create", "{\"id\":\"c1\",\"job_id\":\"j01\",\"title\":\"S\",\"parent_id\":\"c2\"}");
    twin_call(&twin, "Step/Create", "{\"id\":\"c2\",\"job_id\":\"j01\",\"title\":\"S\"}");
    twin_call(&twin, "Step/Create", "{\"id\":\"c3\",\"job_id\":\"j01\",\"title\":\"S\",\"parent_id\":\"c2\"}");
    twin_push(&twin);
    assert_int_equal(twin_number(&twin, TWIN_SETS, "select count(*) from step where id in ('c1', 'c2', 'c3')"), 2);
    twin_close(&twin);
}

// In their order one after the other, the second of these can have the value and the third cannot.
static void unique_values_go_from_hand_to_hand(void **state)
{
    struct twin twin;
    (void)state;
    twin_open(&twin);
    make_jobs(&twin, 4);
    twin_exec(&twin, "update job set code = 'x' where id = 'j00'");
    twin_call(&twin, "Job/Update", "{\"key\":{\"id\":\"j01\"},\"set\":{\"code\":\"x\"},\"base\":{}}"); // still j00's
    twin_call(&twin, "Job/Update", "{\"key\":{\"id\":\"j00\"},\"set\":{\"code\":\"y\"},\"base\":{\"code\":\"x\"}}");
    twin_call(&twin, "Job/Update", "{\"key\":{\"id\":\"j02\"},\"set\":{\"code\":\"x\"},\"base\":{}}");
    twin_call(&twin, "Job/Update", "{\"key\":{\"id\":\"j03\"},\"set\":{\"code\":\"x\"},\"base\":{}}");
    twin_push(&twin);
    assert_int_equal(twin_number(&twin, TWIN_SETS, "select count(*) from job where id = 'j02' and code = 'x'"), 1);
    twin_close(&twin);
}

static void what_may_not_be_done_is_refused(void **state)
{
    struct twin twin;
    (void)state;
    twin_open(&twin);
    twin_device(&twin, "bob");
    for (int i = 0; i < 5; i++)
        twin_call(&twin, "Person/Update", "{\"key\":{\"id\":\"%s\"},\"set\":{\"name\":\"B\"},\"base\":{\"name\":\"Bob\"}}", i % 2 ? "bob" : "ann");
    for (int i = 0; i < 3; i++)
        twin_call(&twin, "Person/Create", "{\"id\":\"p%d\",\"name\":\"P\",\"email\":\"p%d\"}", i, i);
    twin_push(&twin);
    assert_int_equal(twin_number(&twin, TWIN_SETS, "select count(*) from charle.verdict where kind = 3 and code is not null"), 8);
    assert_writes(&twin, 0, 0);
    twin_close(&twin);
}

// --- exactly once -------------------------------------------------------------------------------------------------------

static void a_batch_that_comes_again_is_answered_from_memory(void **state)
{
    struct twin twin;
    struct charle_error err = {0};
    (void)state;
    twin_open(&twin);
    make_jobs(&twin, 10);
    twin_exec(&twin, "update job set title = 'Theirs' where id = 'j03'");
    edit_titles(&twin, 0, 10);
    twin_call(&twin, "Job/Update", "{\"key\":{\"id\":\"none\"},\"set\":{\"title\":\"X\"},\"base\":{\"title\":\"Y\"}}");
    for (int again = 0; again < 3; again++) {
        for (int i = 0; i < TWIN_COUNT; i++)
            assert_int_equal(twin_push_one(&twin, i, &err), CHARLE_OK);
        twin_compare(&twin);
        twin_assert_verdict(&twin, 0, "applied {");
        twin_assert_verdict(&twin, 3, "merged: title had been changed to \"Theirs\"");
        twin_assert_verdict(&twin, 10, "rejected: NOT_FOUND: ");
        assert_true(again == 0 || twin.servers[TWIN_SETS].writes == 0);
    }
    // The tail of it comes again, with new calls behind.
    memmove(twin.list, twin.list + 4, (twin.count - 4) * sizeof(twin.list[0]));
    for (size_t i = 4; i < twin.count; i++)
        twin.calls[i - 4] = twin.calls[i];
    twin.count -= 4;
    for (size_t i = 0; i < twin.count; i++)
        twin.list[i] = &twin.calls[i];
    for (int i = 0; i < 3; i++) {
        char base[32];
        snprintf(base, sizeof(base), "Edited %d", i);
        edit_title(&twin, i, "New", base);
    }
    twin_push(&twin);
    assert_int_equal(twin_number(&twin, TWIN_SETS, "select count(*) from job where title = 'New'"), 3);
    twin_close(&twin);
}

// Pushes `count` of the calls that were pushed before, from `first` on, to both servers.
static enum charle_err push_part(struct twin *twin, size_t first, size_t count)
{
    struct charle_error err = {0};
    enum charle_err rc[TWIN_COUNT];
    size_t all = twin->count;
    struct charle_call *calls = twin->calls;
    for (size_t i = 0; i < count; i++)
        twin->list[i] = &calls[first + i];
    twin->count = count;
    for (int i = 0; i < TWIN_COUNT; i++)
        rc[i] = twin_push_one(twin, i, &err);
    twin->count = all;
    for (size_t i = 0; i < all; i++)
        twin->list[i] = &calls[i];
    assert_int_equal(rc[TWIN_SETS], rc[TWIN_SINGLES]);
    return rc[TWIN_SETS];
}

// What was simply applied is kept together, a row for a whole run; each call of it is answered, and told from a copy's, as if it stood alone.
static void verdicts_without_replies_are_kept_together(void **state)
{
    struct twin twin;
    (void)state;
    twin_open(&twin);
    make_jobs(&twin, 20);
    twin_exec(&twin, "delete from charle.verdict; update job set title = 'Theirs' where id = 'j07'");
    twin.without_replies = true;
    edit_titles(&twin, 0, 20);
    assert_int_equal(push_part(&twin, 0, 20), CHARLE_OK);
    twin_compare(&twin);
    assert_string_equal(twin_verdict(&twin, 0), "applied");
    twin_assert_verdict(&twin, 7, "merged: title had been changed to \"Theirs\"");
    assert_string_equal(twin_verdict(&twin, 19), "applied");
    assert_int_equal(twin_number(&twin, TWIN_SETS, "select count(*) from charle.verdict"), 3);
    // Any part of it may come again: ends of runs, the middle of one, one call.
    static const size_t parts[][2] = {{0, 20}, {0, 3}, {5, 4}, {6, 1}, {7, 1}, {8, 1}, {12, 3}, {19, 1}, {3, 17}};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        size_t first = parts[i][0], count = parts[i][1];
        assert_int_equal(push_part(&twin, first, count), CHARLE_OK);
        for (size_t c = 0; c < count; c++) {
            const struct charle_verdict *verdict = ((const struct charle_verdict *const *)twin.servers[TWIN_SETS].reply.verdict.items)[c];
            assert_int_equal(verdict->sequence, twin.calls[first + c].sequence);
            assert_int_equal(verdict->kind, first + c == 7 ? CHARLE_MERGED : CHARLE_APPLIED);
        }
        for (size_t c = first; c < first + count; c++) {
            twin.calls[c].hash ^= 1;
            assert_int_equal(push_part(&twin, first, count), CHARLE_CONFLICT);
            twin.calls[c].hash ^= 1;
        }
    }
    // What is acknowledged is told from a copy's all the same, until it is forgotten.
    twin.acknowledged = (struct charle_opt_int8){twin.calls[17].sequence, true};
    assert_int_equal(push_part(&twin, 18, 2), CHARLE_OK);
    for (size_t i = 0; i < 20; i += 3) {
        twin.calls[i].hash ^= 1;
        assert_int_equal(push_part(&twin, i, 1), CHARLE_CONFLICT);
        twin.calls[i].hash ^= 1;
        assert_int_equal(push_part(&twin, i, 1), CHARLE_OK);
    }
    assert_int_equal(twin_number(&twin, TWIN_SETS, "select count(*) from charle.verdict"), 3);
    assert_int_equal(twin_number(&twin, TWIN_SETS, "select count(*) from job where title like 'Edited%'"), 20);
    twin_close(&twin);
}

static void a_copy_of_the_replica_is_refused(void **state)
{
    struct twin twin;
    struct charle_error err = {0};
    (void)state;
    twin_open(&twin);
    make_jobs(&twin, 4);
    edit_titles(&twin, 0, 4);
    for (int i = 0; i < TWIN_COUNT; i++)
        assert_int_equal(twin_push_one(&twin, i, &err), CHARLE_OK);
    for (size_t i = 0; i < twin.count; i++)
        twin.calls[i].hash ^= 1;
    for (int i = 0; i < TWIN_COUNT; i++)
        assert_int_equal(twin_push_one(&twin, i, &err), CHARLE_CONFLICT);
    for (size_t i = 0; i < twin.count; i++)
        twin.calls[i].hash ^= 1;
    twin.count = 0;
    edit_title(&twin, 1, "More", "Edited 1");
    edit_title(&twin, 2, "More", "Edited 2");
    twin.calls[1].hash ^= 1;
    for (int i = 0; i < TWIN_COUNT; i++)
        assert_int_equal(twin_push_one(&twin, i, &err), CHARLE_CONFLICT);
    assert_int_equal(twin_number(&twin, TWIN_SETS, "select count(*) from job where title = 'More'"), 0);
    twin_close(&twin);
}

// Cuts the connection behind the n-th statement of a push.
struct cut {
    struct twin *twin;
    struct charle_db *other;
    int at, pid;
};

static void on_statement(const struct charle_trace *trace, void *ctx)
{
    struct cut *cut = ctx;
    struct charle_error err = {0};
    const struct charle_value pid = charle_int4(cut->pid);
    (void)trace;
    if (--cut->at == 0)
        assert_int_equal(charle_exec(cut->other, "select pg_terminate_backend($1, 5000)", &pid, 1, NULL, &err), CHARLE_OK);
}

static void a_crash_between_leaves_all_or_nothing(void **state)
{
    struct twin twin;
    struct charle_error err = {0};
    struct cut cut = {.twin = &twin};
    (void)state;
    twin_open(&twin);
    struct twin_server *server = &twin.servers[TWIN_SETS];
    assert_int_equal(ch_pg_open(server->url, NULL, &cut.other, &err), CHARLE_OK);
    make_jobs(&twin, 8);
    edit_titles(&twin, 0, 8);
    edit_title(&twin, 1, "Again", "Edited 1");
    twin_call(&twin, "Job/Update", "{\"key\":{\"id\":\"none\"},\"set\":{\"title\":\"X\"},\"base\":{\"title\":\"Y\"}}");
    bool is_done = false;
    int rounds = 0;
    for (int at = 1; !is_done; at++) {
        cut.at = at;
        cut.pid = (int)twin_number(&twin, TWIN_SETS, "select pg_backend_pid()::bigint");
        charle_db_set_trace(server->db, on_statement, &cut);
        enum charle_err rc = twin_push_one(&twin, TWIN_SETS, &err);
        charle_db_set_trace(server->db, NULL, NULL);
        int64_t edited = 0;
        is_done = cut.at > 0;
        if (!is_done) {
            assert_int_not_equal(rc, CHARLE_OK);
            assert_int_equal(ch_pg_reconnect(server->db, &err), CHARLE_OK);
            edited = twin_number(&twin, TWIN_SETS, "select count(*) from job where title like 'Edited%' or title = 'Again'");
            assert_true(edited == 0 || edited == 8);
            rounds++;
        }
    }
    assert_true(rounds > 10);
    assert_int_equal(twin_push_one(&twin, TWIN_SINGLES, &err), CHARLE_OK);
    twin_compare(&twin);
    charle_db_close(cut.other);
    twin_close(&twin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(push_of_another_epoch_is_refused),
        cmocka_unit_test(a_batch_that_spills_says_which_stamps_it_made),
        cmocka_unit_test(a_run_of_creates_is_one_statement),
        cmocka_unit_test(a_run_of_edits_is_one_statement_for_each_shape),
        cmocka_unit_test(rows_move_between_scopes),
        cmocka_unit_test(one_row_twice_sees_what_the_first_did),
        cmocka_unit_test(keys_of_two_columns),
        cmocka_unit_test(what_moved_is_judged_alone),
        cmocka_unit_test(one_bad_edit_takes_no_other_along),
        cmocka_unit_test(one_bad_create_takes_no_other_along),
        cmocka_unit_test(unique_values_go_from_hand_to_hand),
        cmocka_unit_test(what_may_not_be_done_is_refused),
        cmocka_unit_test(a_batch_that_comes_again_is_answered_from_memory),
        cmocka_unit_test(verdicts_without_replies_are_kept_together),
        cmocka_unit_test(a_copy_of_the_replica_is_refused),
        cmocka_unit_test(a_crash_between_leaves_all_or_nothing),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed + random_tests() + copies_tests();
}
