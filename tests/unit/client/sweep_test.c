// Everything that can fail below a replica fails in turn, once and from then on: each operation on its files, each allocation of ours and
// of SQLite's. What is done (opening, making, a call, a page with a verdict, a repair, a new schema) then happens as a whole or not at all,
// says why not in a sentence, works at the next try, and nothing that was acknowledged is lost. In clear and encrypted.
//
// In a short run the points lie further apart the higher they are; CHARLE_SWEEP=all takes every one.
#include "sweep_vfs.h"
#include "world.h"

#include "base/alloc.h"
#include "notes.charle.h"
#include "secret.h"
#include "services/crud.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { POINTS_MAX = 20000, TITLE_SIZE = 40 };

static const struct charle_client_key supplied = {.bytes = (const uint8_t *)"0123456789abcdef0123456789abcdef"};

// --- what can fail ------------------------------------------------------------------------------------------------------------

enum fault {
    FAULT_IO,
    FAULT_FULL,
    FAULT_BUSY,
    FAULT_SHORT,
    FAULT_MEMORY,        // ours
    FAULT_SQLITE_MEMORY,
    FAULT_COUNT,
};
static const char *const fault_names[] = {"I/O", "disk full", "busy", "short read", "memory", "SQLite's memory"};

static struct {
    sqlite3_mem_methods real;
    long at, count;
    bool is_sticky, has_failed;
} heap;

static bool heap_fails(void)
{
    if (!heap.at)
        return false;
    heap.count++;
    bool is_it = heap.count == heap.at || (heap.is_sticky && heap.count > heap.at);
    heap.has_failed = heap.has_failed || is_it;
    return is_it;
}

static void *heap_malloc(int size)
{
    return heap_fails() ? NULL : heap.real.xMalloc(size);
}

static void *heap_realloc(void *ptr, int size)
{
    return heap_fails() ? NULL : heap.real.xRealloc(ptr, size);
}

static void install_heap(void)
{
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &heap.real);
    sqlite3_mem_methods methods = heap.real;
    methods.xMalloc = heap_malloc;
    methods.xRealloc = heap_realloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
    sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0); // so that every small allocation is one, too
}

static void arm(enum fault fault, long n, bool is_sticky)
{
    static const enum sweep_kind kinds[] = {SWEEP_IO, SWEEP_FULL, SWEEP_BUSY, SWEEP_SHORT};
    if (fault == FAULT_MEMORY) {
        ch_alloc_fail_at(n, is_sticky);
    } else if (fault == FAULT_SQLITE_MEMORY) {
        heap.at = n;
        heap.count = 0;
        heap.is_sticky = is_sticky;
        heap.has_failed = false;
    } else {
        sweep_vfs_arm(kinds[fault], n, is_sticky);
    }
}

// While the server works, which lives in the same program, nothing is counted.
static struct {
    bool is_armed, is_sticky, was_reached;
    enum fault fault;
    long left; // until it fails; of memory
} armed;

static void outside(bool is_outside)
{
    static long heap_at;
    if (!armed.is_armed)
        return;
    if (armed.fault == FAULT_MEMORY && is_outside) {
        armed.left -= ch_alloc_count();
        armed.was_reached = armed.was_reached || armed.left <= 0;
        ch_alloc_fail_at(0, 0);
    } else if (armed.fault == FAULT_MEMORY && (armed.left > 0 || armed.is_sticky)) {
        ch_alloc_fail_at(armed.left > 0 ? armed.left : 1, armed.is_sticky);
    } else if (armed.fault == FAULT_SQLITE_MEMORY) {
        heap_at = is_outside ? heap.at : heap_at;
        heap.at = is_outside ? 0 : heap_at;
    }
}

static void start_fault(enum fault fault, long n, bool is_sticky)
{
    arm(fault, n, is_sticky);
    armed.is_armed = true;
    armed.is_sticky = is_sticky;
    armed.was_reached = false;
    armed.fault = fault;
    armed.left = n;
}

static void end_fault(void)
{
    bool is_ours = armed.fault == FAULT_MEMORY;
    armed.was_reached = armed.was_reached || (is_ours                                  ? ch_alloc_count() >= armed.left
                                              : armed.fault == FAULT_SQLITE_MEMORY ? heap.has_failed
                                                                                       : sweep_vfs_has_failed());
    armed.is_armed = false;
    arm(armed.fault, 0, false);
}

// --- what is done -------------------------------------------------------------------------------------------------------------

struct sweep {
    struct secret s;
    bool is_encrypted;
    int round;                 // numbers everything that is written
    char acknowledged[TITLE_SIZE]; // the last title whose call returned OK
    long early;                // moments that were written while they came, with or without a failure
    struct charle_schema newer;
};

static void check_sentence(enum fault fault, enum charle_err rc, const struct charle_error *err)
{
    static const enum charle_err expected[] = {CHARLE_IO, CHARLE_DISK_FULL, CHARLE_BUSY, CHARLE_NO_MEMORY, CHARLE_NOT_FOUND, CHARLE_DATA_LOSS};
    bool is_expected = false;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        is_expected = is_expected || rc == expected[i];
    if (!rc)
        return;
    if (!is_expected || rc != err->code || strlen(err->text) < 10)
        fail_msg("%s: %s: \"%s\"", fault_names[fault], charle_err_name(rc), err->text);
    if (rc == CHARLE_DATA_LOSS && fault != FAULT_SHORT)
        fail_msg("%s was taken for damage: %s", fault_names[fault], err->text);
}

static int64_t call_count(struct sweep *sw)
{
    return world_number(&sw->s.a, "select count(*) from charle_outbox");
}

static void open_quietly(struct sweep *sw)
{
    sw->s.a.vfs = SWEEP_VFS;
    sw->s.a.key = sw->is_encrypted ? &supplied : NULL;
    world_open(&sw->s.a, &sw->s.server, "sweep", false);
    sw->s.a.replica.checkpoint_pages = 8;
    ch_client_core_start(sw->s.a.core);
}

static void act_open(struct sweep *sw, enum fault fault, long n, bool is_sticky)
{
    struct charle_error err = {0};
    world_close(&sw->s.a);
    start_fault(fault, n, is_sticky);
    enum charle_err rc = world_try_open(&sw->s.a, &sw->s.server, "sweep", false, &err);
    if (!rc)
        world_close(&sw->s.a);
    end_fault();
    check_sentence(fault, rc, &err);
}

static void act_make(struct sweep *sw, enum fault fault, long n, bool is_sticky)
{
    world_close(&sw->s.a);
    world_remove_files(sw->s.a.file);
    sw->acknowledged[0] = '\0';
    world_open(&sw->s.a, &sw->s.server, "sweep", false); // what is swept is not this open, but the one of an empty file
    world_close(&sw->s.a);
    world_remove_files(sw->s.a.file);
    struct charle_error err = {0};
    start_fault(fault, n, is_sticky);
    enum charle_err rc = world_try_open(&sw->s.a, &sw->s.server, "sweep", false, &err);
    if (!rc)
        world_close(&sw->s.a);
    end_fault();
    check_sentence(fault, rc, &err);
}

static void act_call(struct sweep *sw, enum fault fault, long n, bool is_sticky)
{
    struct charle_error err = {0};
    char title[TITLE_SIZE];
    int64_t before = call_count(sw);
    snprintf(title, sizeof(title), "Written %06d", sw->round);
    start_fault(fault, n, is_sticky);
    enum charle_err rc = secret_set_title(&sw->s.a, "n0001", title, &err);
    end_fault();
    check_sentence(fault, rc, &err);
    if (!rc)
        snprintf(sw->acknowledged, sizeof(sw->acknowledged), "%s", title);
    int64_t now = call_count(sw);
    // A commit that failed while it was made durable may be there all the same, as after a power cut; but as a whole.
    int64_t shown = world_number(&sw->s.a, "select count(*) from note where id = 'n0001' and title = '%s'", title);
    if (now - before != shown || (!rc && now != before + 1))
        fail_msg("%s: %lld calls more, and the note %s the title", charle_err_name(rc), (long long)(now - before), shown ? "has" : "has not");
}

// A page that changes, adds and removes rows; one call is in it, one waits on top; verdicts come and are acknowledged.
static void act_page(struct sweep *sw, enum fault fault, long n, bool is_sticky)
{
    struct charle_error err = {0};
    struct world *a = &sw->s.a;
    snprintf(sw->acknowledged, sizeof(sw->acknowledged), "Written %06d", sw->round);
    assert_int_equal(secret_set_title(a, "n0001", sw->acknowledged, &err), CHARLE_OK);
    fake_server_sql(&sw->s.server, "update note set votes = votes + 1 where id > 'n0010'; delete from note where id = 'x%d'; "
                                   "insert into note(id, room_id, title, votes, state, created_at, updated_at, labels) "
                                   "values ('x%d', 'r1', 'new', %d, 'open', 1, 1, '[]')", sw->round - 1, sw->round, sw->round);
    int64_t votes = fake_server_number(&sw->s.server, "select sum(votes) from note");
    int64_t old_votes = world_number(a, "select sum(votes) from note");
    start_fault(fault, n, is_sticky);
    for (int i = 0; i < 25; i++)
        world_step(a);
    end_fault();
    int64_t shown = world_number(a, "select sum(votes) from note");
    if (shown != votes && shown != old_votes)
        fail_msg("half a page is shown: %lld votes, before %lld, then %lld", (long long)shown, (long long)old_votes, (long long)votes);
}

// A moment of two pages, written while the second is on its way.
static void act_early(struct sweep *sw, enum fault fault, long n, bool is_sticky)
{
    struct world *a = &sw->s.a;
    a->more = MORE_NEVER;
    world_settle(a, 20000);
    a->more = MORE_ALWAYS;
    sw->s.server.page_rows = 1;
    fake_server_sql(&sw->s.server, "update note set votes = votes + 1 where id > 'n0010'");
    int64_t votes = fake_server_number(&sw->s.server, "select sum(votes) from note");
    int64_t old_votes = world_number(a, "select sum(votes) from note"), given = a->more_given;
    start_fault(fault, n, is_sticky);
    for (int i = 0; i < 4; i++)
        world_step(a);
    end_fault();
    sw->s.server.page_rows = 0;
    int64_t shown = world_number(a, "select sum(votes) from note");
    if (shown != votes && shown != old_votes)
        fail_msg("half a moment is shown: %lld votes, before %lld, then %lld", (long long)shown, (long long)old_votes, (long long)votes);
    sw->early += shown == votes && a->more_given > given;
}

static void act_repair(struct sweep *sw, enum fault fault, long n, bool is_sticky)
{
    struct world *a = &sw->s.a;
    world_settle(a, 20000);
    sqlite3_exec(a->replica.sql.db, "update note set votes = 4711 where id = 'n0007'; delete from note where id = 'n0009'", NULL, NULL, NULL);
    (void)ch_client_core_verify(a->core);
    start_fault(fault, n, is_sticky);
    for (int i = 0; i < 40; i++)
        world_step(a);
    end_fault();
    // The next try: asked again, since a verification that failed has ended.
    world_settle(a, 20000);
    struct charle_verify_report report;
    int64_t ticket = ch_client_core_verify(a->core);
    for (int i = 0; i < 20000 && ch_client_core_verified(a->core, &report) < ticket; i++)
        world_step(a);
    assert_true(ch_client_core_verified(a->core, &report) >= ticket);
}

// The program is of a newer release: the tables are made anew, waiting calls stay.
static void act_migrate(struct sweep *sw, enum fault fault, long n, bool is_sticky)
{
    struct charle_error err = {0};
    struct world *a = &sw->s.a;
    world_connect(a, false);
    snprintf(sw->acknowledged, sizeof(sw->acknowledged), "Written %06d", sw->round);
    assert_int_equal(secret_set_title(a, "n0001", sw->acknowledged, &err), CHARLE_OK);
    int64_t before = world_number(a, "select count(*) from charle_outbox where state < 4");
    world_close(a);
    sw->newer.hash++;
    const struct ch_replica_options options = {.file = a->file, .schema = &sw->newer, .crud = ch_crud_run, .key = a->key};
    struct ch_replica replica;
    start_fault(fault, n, is_sticky);
    enum charle_err rc = ch_replica_open(&replica, &a->env, &options, &err);
    if (!rc)
        ch_replica_close(&replica);
    end_fault();
    check_sentence(fault, rc, &err);
    open_quietly(sw); // with the old schema, which makes the tables once more when they were new already
    assert_int_equal(world_number(a, "select count(*) from charle_outbox where state < 4"), before);
}

// --- the sweep ----------------------------------------------------------------------------------------------------------------

static void check_after(struct sweep *sw, bool is_open)
{
    struct world *a = &sw->s.a;
    char title[TITLE_SIZE], check[100];
    if (!is_open)
        open_quietly(sw);
    world_connect(a, true);
    world_settle(a, 20000);
    fake_server_check(&sw->s.server, &a->replica);
    world_text(a, check, sizeof(check), "pragma integrity_check");
    assert_string_equal(check, "ok");
    world_text(a, title, sizeof(title), "select title from note where id = 'n0001'");
    if (sw->acknowledged[0] && strcmp(title, sw->acknowledged) < 0)
        fail_msg("%s was acknowledged, and the note shows %s", sw->acknowledged, title);
}

typedef void (*act_fn)(struct sweep *sw, enum fault fault, long n, bool is_sticky);

static long next_point(long n)
{
    const char *text = getenv("CHARLE_SWEEP");
    return text && strcmp(text, "all") == 0 ? n + 1 : n + 1 + n / 4;
}

// Goes up until the point is not reached any more: everything was let fail. Returns how many points were tried.
static long sweep_one(struct sweep *sw, act_fn act, enum fault fault, bool is_sticky, bool leaves_open)
{
    long points = 0;
    bool was_reached = true;
    for (long n = 1; n < POINTS_MAX && was_reached; n = next_point(n), points++) {
        sw->round++;
        act(sw, fault, n, is_sticky);
        was_reached = armed.was_reached;
        check_after(sw, leaves_open);
    }
    assert_false(was_reached);
    return points;
}

static void sweep_all(void **state, act_fn act, bool leaves_open, unsigned without)
{
    struct sweep *sw = *state;
    for (int is_encrypted = 0; is_encrypted < 2; is_encrypted++) {
        sw->is_encrypted = is_encrypted;
        if (sw->s.a.core)
            world_close(&sw->s.a);
        world_remove_files(sw->s.a.file);
        sw->acknowledged[0] = '\0';
        open_quietly(sw);
        world_connect(&sw->s.a, true);
        world_settle(&sw->s.a, 20000);
        long points[FAULT_COUNT] = {0};
        for (int fault = 0; fault < FAULT_COUNT; fault++) {
            // SQLite takes a read that gives too little for zeros; only the seals see the difference.
            if ((without & 1u << fault) || (fault == FAULT_SHORT && !is_encrypted))
                continue;
            for (int is_sticky = 0; is_sticky < 2; is_sticky++)
                points[fault] += sweep_one(sw, act, (enum fault)fault, is_sticky, leaves_open);
        }
        print_message("%s:", is_encrypted ? "encrypted" : "in clear");
        for (int fault = 0; fault < FAULT_COUNT; fault++)
            print_message(" %ld of %s", points[fault], fault_names[fault]);
        print_message("\n");
    }
}

static void opening_survives_every_failure(void **state)
{
    sweep_all(state, act_open, false, 0);
}

static void making_survives_every_failure(void **state)
{
    sweep_all(state, act_make, false, 0);
}

static void calls_survive_every_failure(void **state)
{
    sweep_all(state, act_call, true, 0);
}

static void pages_survive_every_failure(void **state)
{
    sweep_all(state, act_page, true, 0);
}

static void early_moments_survive_every_failure(void **state)
{
    struct sweep *sw = *state;
    fake_server_grant(&sw->s.server, "room:r1");
    sweep_all(state, act_early, true, 0);
    assert_true(sw->early > 0);
}

static void repairs_survive_every_failure(void **state)
{
    sweep_all(state, act_repair, true, 0);
}

static void new_schemas_survive_every_failure(void **state)
{
    sweep_all(state, act_migrate, true, 0);
}

static int setup(void **state)
{
    struct sweep *sw = calloc(1, sizeof(*sw));
    void *inner = NULL;
    sweep_vfs_register();
    secret_setup(&inner);
    sw->s = *(struct secret *)inner;
    free(inner);
    sw->s.a.vfs = SWEEP_VFS;
    sw->s.a.outside = outside;
    sw->newer = *sw->s.server.schema;
    snprintf(sw->s.a.file, sizeof(sw->s.a.file), "/dev/shm/charle_%d_sweep.db", (int)getpid());
    *state = sw;
    return 0;
}

static int teardown(void **state)
{
    struct sweep *sw = *state;
    end_fault();
    if (sw->s.a.core)
        world_close(&sw->s.a);
    world_remove_files(sw->s.a.file);
    fake_server_close(&sw->s.server);
    free(sw);
    return 0;
}

// An argument says which cases run: together they take longer than one test should.
int main(int argc, char **argv)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(opening_survives_every_failure),
        CASE(making_survives_every_failure),
        CASE(calls_survive_every_failure),
        CASE(pages_survive_every_failure),
        CASE(early_moments_survive_every_failure),
        CASE(repairs_survive_every_failure),
        CASE(new_schemas_survive_every_failure),
    };
#undef CASE
    setvbuf(stdout, NULL, _IONBF, 0);
    install_heap();
    cmocka_set_test_filter(argc > 1 ? argv[1] : getenv("CHARLE_TEST_ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
