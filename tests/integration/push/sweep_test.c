// Everything below the server's handlers fails in turn, each allocation and each answer of the database: open, pull, copy, hash, push, ticks
// and streams.
//
// What must hold each time: the handler says what is wrong; what it had sent by then is the beginning of what it sends when all is well; the
// database is as it was, or has the whole batch; and the same request on the same connection is answered rightly afterwards. Memory that libpq
// takes is not in the sweep.
#include "server/sync/tick.h"
#include "twin.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "msg/wire.h"
#include "support/db_fault.h"

#include <stdio.h>

#define SENT_MAX (256 * 1024)
#define POINTS_MAX 20000

struct sweep {
    struct twin twin;
    struct charle_arena arena; // of the operation that runs
    struct charle_cursor cursors[16];
    const struct charle_cursor *cursor_list[16];
    size_t cursor_count;
    struct charle_copy_request copy;
    struct charle_hash_request hash;
    size_t sent_size;
    uint8_t sent[SENT_MAX];
};

typedef enum charle_err (*operation)(struct sweep *sweep, struct charle_error *err);

static const struct ch_sync_peer ann = {.principal = CHARLE_STR_INIT("person"), .id = CHARLE_STR_INIT("ann")};
static const struct charle_str device = CHARLE_STR_INIT("DEVICEANNDEVICEANNDEVICEAN");

static enum charle_err keep_sent(void *ctx, struct charle_bytes message, struct charle_error *err)
{
    struct sweep *sweep = ctx;
    (void)err;
    assert_true(sweep->sent_size + message.len <= SENT_MAX);
    memcpy(sweep->sent + sweep->sent_size, message.ptr, message.len);
    sweep->sent_size += message.len;
    return CHARLE_OK;
}

static struct charle_db *db_of(struct sweep *sweep)
{
    return sweep->twin.servers[TWIN_SETS].db;
}

static struct ch_sync *sync_of(struct sweep *sweep)
{
    return sweep->twin.servers[TWIN_SETS].sync;
}

// --- what fails ---------------------------------------------------------------------------------------------------------

enum fault { FAULT_MEMORY, FAULT_DATABASE, FAULT_COUNT };
static const char *const fault_names[] = {"allocation", "answer"};

static void arm(enum fault fault, long n, int is_sticky)
{
    if (fault == FAULT_MEMORY)
        ch_alloc_fail_at(n, is_sticky);
    else
        ch_db_fault_at(n, is_sticky, CHARLE_UNAVAILABLE);
}

// Ends it, and says whether point n was reached.
static bool disarm(enum fault fault, long n)
{
    bool has_failed = n && (fault == FAULT_MEMORY ? ch_alloc_count() : ch_db_fault_count()) >= n;
    arm(fault, 0, 0);
    return has_failed;
}

static void check_sentence(enum fault fault, long n, enum charle_err rc, const struct charle_error *err)
{
    bool is_expected = fault == FAULT_MEMORY ? rc == CHARLE_NO_MEMORY || rc == CHARLE_TOO_LARGE : rc == CHARLE_UNAVAILABLE;
    if (rc && (!err->text[0] || !is_expected))
        fail_msg("%s %ld: %s: %s", fault_names[fault], n, charle_err_name(rc), err->text);
}

// --- the operations -----------------------------------------------------------------------------------------------------

static enum charle_err ask_scopes(struct sweep *sweep, struct charle_error *err)
{
    const struct charle_str *scopes;
    size_t count;
    enum charle_err rc = ch_sync_scopes_of(sync_of(sweep), db_of(sweep), &ann, &sweep->arena, &scopes, &count, err);
    for (size_t i = 0; rc == CHARLE_OK && i < count; i++)
        rc = keep_sent(sweep, (struct charle_bytes){(const uint8_t *)scopes[i].ptr, scopes[i].len}, err);
    return rc;
}

static enum charle_err open_replica(struct sweep *sweep, struct charle_error *err)
{
    struct charle_error end;
    struct charle_open_reply reply;
    const struct charle_open_request request = {.device_id = device, .schema_hash = push_schema.hash};
    enum charle_err rc = charle_begin(db_of(sweep), NULL, err);
    if (rc)
        return rc;
    rc = ch_sync_open(sync_of(sweep), db_of(sweep), &ann, &request, (struct charle_ts){sweep->twin.now_us}, &sweep->arena, &reply, err);
    (void)!charle_rollback(db_of(sweep), &end); // which may be what fails
    return rc ? rc : keep_sent(sweep, reply.server_id, err);
}

static enum charle_err pull(struct sweep *sweep, struct charle_error *err)
{
    struct ch_positions positions;
    const struct charle_pull_request request = {
        .cursor = {.items = sweep->cursor_list, .count = sweep->cursor_count, .has = true},
        .schema_hash = push_schema.hash,
        .device_id = device};
    return ch_pull(sync_of(sweep), db_of(sweep), &ann, &request, &sweep->arena, keep_sent, sweep, &positions, err);
}

static enum charle_err copy(struct sweep *sweep, struct charle_error *err)
{
    return ch_copy(sync_of(sweep), db_of(sweep), &ann, &sweep->copy, keep_sent, sweep, err);
}

static enum charle_err hash(struct sweep *sweep, struct charle_error *err)
{
    struct charle_hash_reply reply;
    enum charle_err rc = ch_hash(sync_of(sweep), db_of(sweep), &ann, &sweep->hash, &sweep->arena, &reply, err);
    const struct charle_hash_bucket *const *buckets = rc ? NULL : reply.bucket.items;
    for (size_t i = 0; rc == CHARLE_OK && i < reply.bucket.count; i++)
        rc = keep_sent(sweep, buckets[i]->hash, err);
    return rc;
}

// --- reading: one failing point after the other -------------------------------------------------------------------------

static enum charle_err run_with(struct sweep *sweep, operation run, enum fault fault, long fail_at, int is_sticky)
{
    struct charle_error err = {0};
    sweep->sent_size = 0;
    arm(fault, fail_at, is_sticky);
    enum charle_err rc = run(sweep, &err);
    bool has_failed = disarm(fault, fail_at);
    charle_arena_deinit(&sweep->arena);
    sweep->arena = (struct charle_arena){0};
    if (rc && !has_failed)
        fail_msg("%s %ld did not fail, and still: %s: %s", fault_names[fault], fail_at, charle_err_name(rc), err.text);
    check_sentence(fault, fail_at, rc, &err);
    return has_failed && !rc ? CHARLE_DONE : rc;
}

// Lets each point fail, alone or with all behind it. What an operation survives must not be seen in what it sends.
static int sweep_read(struct sweep *sweep, const char *what, operation run, enum fault fault, const uint8_t *expected, size_t expected_size)
{
    int failures = 0;
    for (int is_sticky = 0; is_sticky < 2; is_sticky++) {
        enum charle_err rc = CHARLE_DONE;
        for (long n = 1; rc; n++) {
            assert_true(n < POINTS_MAX);
            rc = run_with(sweep, run, fault, n, is_sticky);
            failures += rc != CHARLE_OK;
            if (sweep->sent_size > expected_size || memcmp(sweep->sent, expected, sweep->sent_size) != 0 ||
                ((!rc || rc == CHARLE_DONE) && sweep->sent_size != expected_size))
                fail_msg("%s, %s %ld: what was sent is wrong (%zu of %zu bytes)", what, fault_names[fault], n, sweep->sent_size, expected_size);
        }
        assert_int_equal(run_with(sweep, run, fault, 0, 0), CHARLE_OK);
        assert_int_equal(sweep->sent_size, expected_size);
    }
    return failures;
}

static void sweep_reads(struct sweep *sweep, const char *what, operation run)
{
    static uint8_t expected[SENT_MAX];
    int failures[FAULT_COUNT];
    assert_int_equal(run_with(sweep, run, FAULT_MEMORY, 0, 0), CHARLE_OK);
    size_t expected_size = sweep->sent_size;
    memcpy(expected, sweep->sent, expected_size);
    assert_true(expected_size > 0);
    for (int fault = 0; fault < FAULT_COUNT; fault++) {
        failures[fault] = sweep_read(sweep, what, run, (enum fault)fault, expected, expected_size);
        assert_true(failures[fault] > 0);
    }
    print_message("%s: %d points of memory, %d of the database\n", what, failures[FAULT_MEMORY], failures[FAULT_DATABASE]);
}

static void take_cursors(struct sweep *sweep)
{
    struct charle_error err = {0};
    struct charle_rows *rows = NULL;
    sweep->cursor_count = 0;
    assert_int_equal(charle_query(db_of(sweep), "select h.scope, h.v, e.lineage from charle.head h join charle.epoch e on e.epoch = h.v >> 33 "
                                  "where h.scope !~ '^device' order by h.scope", NULL, 0, &rows, &err), CHARLE_OK);
    while (charle_rows_next(rows, &err) == CHARLE_OK) {
        struct charle_value scope, stamp, lineage;
        assert_int_equal(charle_rows_value(rows, 0, CHARLE_TYPE_TEXT, false, &scope, &err), CHARLE_OK);
        assert_int_equal(charle_rows_value(rows, 1, CHARLE_TYPE_INT8, false, &stamp, &err), CHARLE_OK);
        assert_int_equal(charle_rows_value(rows, 2, CHARLE_TYPE_INT8, false, &lineage, &err), CHARLE_OK);
        struct charle_cursor *cursor = &sweep->cursors[sweep->cursor_count];
        *cursor = (struct charle_cursor){charle_arena_str(&sweep->twin.arena, scope.text), stamp.int8, (uint64_t)lineage.int8};
        sweep->cursor_list[sweep->cursor_count++] = cursor;
    }
    charle_rows_close(rows);
}

static void fill(struct sweep *sweep)
{
    twin_exec(&sweep->twin,
              "insert into job (id, title, place, is_hidden, labels, created_at, updated_at) select 'j' || i, 'Job ' || i, "
              "case i % 3 when 0 then 'north' when 1 then 'east' else 'south' end, i % 5 = 0, '{a,b}', '2026-11-01', '2026-11-01' from generate_series(1, 40) i");
    twin_exec(&sweep->twin, "insert into step (id, job_id, title) select 's' || i, 'j' || (1 + i % 40), 'Step ' || i from generate_series(1, 80) i");
    twin_exec(&sweep->twin, "insert into member (job_id, person_id) select 'j' || i, 'ann' from generate_series(1, 40) i");
}

static void everything_below_a_read_may_fail(void **state)
{
    (void)state;
    static struct sweep sweep;
    twin_open(&sweep.twin);
    fill(&sweep);
    take_cursors(&sweep);
    twin_exec(&sweep.twin, "update job set title = 'other', place = case when place = 'north' then 'east' else 'north' end where id < 'j2'");
    twin_exec(&sweep.twin, "delete from job where id like 'j3%'");
    twin_exec(&sweep.twin, "insert into ticket (id, title) select 't' || i, 'x' from generate_series(1, 9) i");
    sweep_reads(&sweep, "scopes", ask_scopes);
    sweep_reads(&sweep, "open", open_replica);
    sweep_reads(&sweep, "pull", pull);
    sweep.cursors[0].stamp += 1000; // ahead of the head: a repair
    sweep.cursor_count--;           // and a scope that is gained
    sweep_reads(&sweep, "pull with gains and repairs", pull);
    sweep.cursor_count = 0;
    sweep_reads(&sweep, "first pull", pull);
    for (uint32_t table = 1; table <= 5; table++) {
        sweep.copy = (struct charle_copy_request){.scope = CHARLE_STR("team"), .table = table, .schema_hash = push_schema.hash};
        sweep.hash = (struct charle_hash_request){
            .scope = CHARLE_STR("team"), .table = table, .buckets = 4, .schema_hash = push_schema.hash};
        sweep_reads(&sweep, "copy", copy);
        if (table != 1)
            sweep_reads(&sweep, "hash", hash);
    }
    sweep.copy = (struct charle_copy_request){.scope = CHARLE_STR("spot:east"), .table = 3, .schema_hash = push_schema.hash};
    sweep_reads(&sweep, "copy along a path", copy);
    twin_close(&sweep.twin);
}

// --- pushes -------------------------------------------------------------------------------------------------------------

static void make_batch(struct twin *twin, long round)
{
    twin->count = 0;
    twin_call(twin, "Job/Update", "{\"key\":{\"id\":\"j1\"},\"set\":{\"title\":\"One %ld\"},\"base\":{\"title\":\"x\"}}", round);
    twin_call(twin, "Job/Update", "{\"key\":{\"id\":\"j2\"},\"set\":{\"hours\":%ld},\"base\":{\"hours\":%ld}}", round + 1, round);
    twin_call(twin, "Job/Update", "{\"key\":{\"id\":\"j4\"},\"set\":{\"labels\":[\"n%ld\"]},\"base\":{\"labels\":[\"a\"]}}", round);
    twin_call(twin, "Job/Create", "{\"title\":\"New\",\"place\":\"north\"}");
    twin_call(twin, "Job/Create", "{\"title\":\"Longer than the forty bytes that this column may have\",\"place\":\"north\"}");
    twin_call(twin, "Step/Create", "{\"job_id\":\"nowhere\",\"title\":\"x\"}");
    twin_call(twin, "Member/Delete", "{\"key\":{\"job_id\":\"j%ld\",\"person_id\":\"ann\"}}", 1 + round % 40);
}

static int64_t fingerprint(struct twin *twin)
{
    return twin_number(twin, TWIN_SETS,
                       "select (select sum(last_sequence) from charle.device) * 1000000 + (select count(*) from charle.verdict) * 1000 + "
                       "(select count(*) from charle.change) + (select sum(hours) from job) + (select count(*) from member)");
}

static enum charle_err push_failing(struct twin *twin, enum fault fault, long n, int is_sticky, bool *out_has_failed)
{
    struct charle_error err = {0};
    arm(fault, n, is_sticky);
    enum charle_err rc = twin_push_one(twin, TWIN_SETS, &err);
    *out_has_failed = disarm(fault, n);
    check_sentence(fault, n, rc, &err);
    return rc;
}

// A push asks the database for a thousand things: in a short run not every one of them fails. CHARLE_SWEEP=all takes every one.
static long next_point(enum fault fault, long n, int is_sticky)
{
    const char *text = getenv("CHARLE_SWEEP");
    if (fault == FAULT_MEMORY || (text && strcmp(text, "all") == 0))
        return n + 1;
    return is_sticky ? n + 1 + n / 4 : n + 5;
}

// Batches below which one point fails, alone or with all behind it. Whether the batch survives or is sent again: what comes out is what the
// server that runs calls one by one, and lacks nothing, makes of it. No call may be refused because of it.
static void sweep_pushes(struct twin *twin, enum fault fault, long *round)
{
    long points = 0, survived = 0;
    for (int is_sticky = 0; is_sticky < 2; is_sticky++) {
        bool has_failed = true;
        for (long n = 1; has_failed; n = next_point(fault, n, is_sticky), points++) {
            assert_true(n < POINTS_MAX);
            make_batch(twin, (*round)++);
            int64_t before = fingerprint(twin);
            enum charle_err rc = push_failing(twin, fault, n, is_sticky, &has_failed);
            survived += rc == CHARLE_OK && has_failed;
            if (rc) {
                assert_int_equal(fingerprint(twin), before);
                struct charle_error err = {0};
                if (twin_push_one(twin, TWIN_SETS, &err))
                    fail_msg("after %s %ld: %s", fault_names[fault], n, err.text);
            }
            struct charle_error err = {0};
            assert_int_equal(twin_push_one(twin, TWIN_SINGLES, &err), CHARLE_OK);
            if (fault == FAULT_DATABASE) // which row a verdict is about is told as well as it can be
                twin_exec(twin, "update charle.verdict set tab = null, key = null");
            twin_compare(twin);
            twin_exec(twin, "delete from job where title = 'New'; delete from charle.verdict");
        }
    }
    print_message("push: %ld points (%s), %ld survived\n", points, fault_names[fault], survived);
    assert_true(points > 50);
}

static void everything_below_a_push_may_fail(void **state)
{
    (void)state;
    static struct sweep sweep;
    long round = 0;
    twin_open(&sweep.twin);
    fill(&sweep);
    for (int fault = 0; fault < FAULT_COUNT; fault++)
        sweep_pushes(&sweep.twin, (enum fault)fault, &round);
    sweep.twin.count = 0;
    twin_close(&sweep.twin);
}

// --- ticks --------------------------------------------------------------------------------------------------------------

// The stream's page, asked for again after a failure. ABORTED: a pull is needed; nothing else may come for a change.
static enum charle_err next_page(struct ch_tick_stream *stream, long fail_at, struct charle_buf *page)
{
    struct charle_error err = {0};
    enum charle_err rc;
    ch_alloc_fail_at(fail_at, 0);
    do {
        rc = ch_tick_stream_next(stream, false, page, &err);
    } while (rc == CHARLE_NO_MEMORY);
    ch_alloc_fail_at(0, 0);
    if (rc && rc != CHARLE_ABORTED)
        fail_msg("a stream with a change before it: %s: %s", charle_err_name(rc), err.text);
    return rc;
}

static struct ch_tick_stream *join(struct sweep *sweep, struct ch_ticks *ticks)
{
    struct charle_error err = {0};
    struct ch_positions positions;
    struct ch_tick_stream *stream = NULL;
    take_cursors(sweep);
    const struct charle_pull_request request = {
        .cursor = {.items = sweep->cursor_list, .count = sweep->cursor_count, .has = true},
        .schema_hash = push_schema.hash,
        .device_id = device};
    sweep->sent_size = 0;
    assert_int_equal(ch_pull(sync_of(sweep), db_of(sweep), &ann, &request, &sweep->arena, keep_sent, sweep, &positions, &err), CHARLE_OK);
    assert_true(positions.is_whole);
    enum charle_err rc = ch_tick_stream_open(ticks, &positions, &stream, &err);
    if (rc)
        fail_msg("joining: %s", err.text);
    return stream;
}

static bool poll_ticks(struct sweep *sweep, struct ch_ticks *ticks, enum fault fault, long fail_at, bool *out_has_failed)
{
    struct charle_error err = {0};
    bool has_moved = false;
    arm(fault, fail_at, 0);
    enum charle_err rc = ch_ticks_poll(ticks, db_of(sweep), ch_clock_mono_us(), true, &has_moved, &err);
    *out_has_failed = disarm(fault, fail_at);
    check_sentence(fault, fail_at, rc, &err);
    return rc == CHARLE_OK;
}

struct follower {
    struct ch_ticks *ticks;
    struct ch_tick_stream *stream;
    struct charle_buf page;
};

static void follower_open(struct sweep *sweep, struct follower *follower)
{
    struct charle_error err = {0};
    bool has_failed;
    *follower = (struct follower){0};
    assert_int_equal(ch_ticks_new(sync_of(sweep), &follower->ticks, &err), CHARLE_OK);
    assert_true(poll_ticks(sweep, follower->ticks, FAULT_MEMORY, 0, &has_failed));
}

static void follower_close(struct follower *follower)
{
    ch_ticks_free(follower->ticks);
    charle_buf_deinit(&follower->page);
}

static int compare_deltas(const void *a, const void *b)
{
    const struct charle_scope_delta *const *x = a, *const *y = b;
    return charle_str_compare((*x)->scope, (*y)->scope);
}

// The page with its scopes in their order: a moment takes effect as a whole, and PostgreSQL gives heads in the order of the plan that it chose.
static void sort_page(struct sweep *sweep, struct charle_buf *page)
{
    struct charle_error err = {0};
    struct charle_pull_page read;
    assert_int_equal(charle_message_read(&charle_pull_page_message, charle_buf_bytes(page), &sweep->arena, &read, &err), CHARLE_OK);
    qsort((void *)(uintptr_t)read.delta.items, read.delta.count, sizeof(const struct charle_scope_delta *), compare_deltas);
    struct charle_buf sorted = {0};
    charle_message_write(&charle_pull_page_message, &read, &sorted);
    charle_buf_deinit(page);
    *page = sorted;
}

// A poll, and then the stream's next page, may lack something: the next ones make up for it, and the stream's page is the one that a follower
// that lacks nothing gives.
static void sweep_ticks(struct sweep *sweep, struct follower followers[2], enum fault fault)
{
    long points = 0, pages = 0;
    for (bool has_failed = true; has_failed; points++) {
        bool is_well;
        assert_true(points < POINTS_MAX);
        for (int i = 0; i < 2; i++) {
            assert_true(poll_ticks(sweep, followers[i].ticks, fault, 0, &is_well));
            followers[i].stream = join(sweep, followers[i].ticks);
        }
        twin_exec(&sweep->twin, "update job set hours = hours + 1 where id in ('j1', 'j2', 'j3'); insert into ticket (id, title) "
                                "values (gen_random_uuid()::text, 'x')");
        if (!poll_ticks(sweep, followers[0].ticks, fault, points + 1, &has_failed))
            assert_true(poll_ticks(sweep, followers[0].ticks, fault, 0, &is_well));
        assert_true(poll_ticks(sweep, followers[1].ticks, fault, 0, &is_well));
        assert_int_equal(next_page(followers[1].stream, 0, &followers[1].page), CHARLE_OK);
        if (next_page(followers[0].stream, fault == FAULT_MEMORY ? 1 + points % 7 : 0, &followers[0].page) == CHARLE_OK) {
            for (int i = 0; i < 2; i++)
                sort_page(sweep, &followers[i].page);
            assert_int_equal(followers[0].page.size, followers[1].page.size);
            assert_memory_equal(followers[0].page.data, followers[1].page.data, followers[1].page.size);
            pages++;
        }
        for (int i = 0; i < 2; i++)
            ch_tick_stream_close(followers[i].stream);
    }
    print_message("ticks: %ld points (%s), %ld pages\n", points, fault_names[fault], pages);
    assert_true(points > 10 && pages > 0);
}

static void everything_below_a_tick_may_fail(void **state)
{
    (void)state;
    static struct sweep sweep;
    struct follower followers[2]; // below the first things fail
    twin_open(&sweep.twin);
    fill(&sweep);
    for (int i = 0; i < 2; i++)
        follower_open(&sweep, &followers[i]);
    for (int fault = 0; fault < FAULT_COUNT; fault++)
        sweep_ticks(&sweep, followers, (enum fault)fault);
    for (int i = 0; i < 2; i++)
        follower_close(&followers[i]);
    charle_arena_deinit(&sweep.arena);
    twin_close(&sweep.twin);
}

// An argument says which cases run.
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_below_a_read_may_fail),
        cmocka_unit_test(everything_below_a_push_may_fail),
        cmocka_unit_test(everything_below_a_tick_may_fail),
    };
    cmocka_set_test_filter(argc > 1 ? argv[1] : getenv("CHARLE_TEST_ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
