// Pushes of many devices that share transactions: each device has its verdicts in its order, each call takes effect once, whatever happens to
// the server meanwhile.
#include "callers.h"
#include "charle/sync.charle.h"
#include "fold.schema.charle.h"
#include "msg/wire.h"
#include "sync/hash.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

enum { HELD = 2, CALLS_MAX = 300 };

static struct round round_;

struct device {
    char id[27];
    struct charle_call calls[CALLS_MAX];
    const struct charle_call *list[CALLS_MAX];
    struct charle_arena arena;
};
static struct device devices[CALLERS];

static int start(void **state)
{
    (void)state;
    round_start(&round_, "fold_devices", "2");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    round_stop(&round_);
    for (int i = 0; i < CALLERS; i++)
        charle_arena_deinit(&devices[i].arena);
    return 0;
}

// --- a device's calls ---------------------------------------------------------------------------------------------------

static void add_call(struct device *device, int number, const char *method, const struct charle_message *type, const void *request)
{
    struct charle_buf buf = {0};
    struct charle_call *call = &device->calls[number - 1];
    charle_message_write(type, request, &buf);
    *call = (struct charle_call){.sequence = number, .method = charle_str(method), .at = {1700000000000000 + number}, .seed = (uint64_t)number};
    call->request = charle_arena_bytes(&device->arena, charle_buf_bytes(&buf));
    const struct ch_chain_link link = {number, call->method, call->request, call->at.us, call->seed};
    call->hash = ch_chain_hash(number > 1 ? device->calls[number - 2].hash : 0, &link);
    device->list[number - 1] = call;
    charle_buf_deinit(&buf);
}

static void add_create(struct device *device, int number, const char *prefix, int i)
{
    char id[20];
    snprintf(id, sizeof(id), "%s%d", prefix, i);
    const struct fold_safe_insert request = {.id = {charle_str(id), true}, .label = charle_str("new")};
    add_call(device, number, "fold.SafeService/Create", &fold_safe_insert_message, &request);
}

// Only those who lead may.
static void add_edit(struct device *device, int number, int i)
{
    char id[20];
    snprintf(id, sizeof(id), "d%d", i);
    const struct fold_safe_key key = {.id = charle_str(id)};
    const struct fold_safe_patch set = {.label = {charle_str("edited"), true}}, base = {.label = {charle_str("new"), true}};
    const struct fold_safe_update request = {.key = &key, .set = &set, .base = &base};
    add_call(device, number, "fold.SafeService/Update", &fold_safe_update_message, &request);
}

static void open_devices(void)
{
    for (int i = 0; i < CALLERS; i++) {
        struct device *device = &devices[i];
        snprintf(device->id, sizeof(device->id), "device%020d", CALLERS - i);
        const struct charle_open_request request = {.device_id = charle_str(device->id), .schema_hash = fold_schema.hash};
        caller_start(&round_.callers[i], "charle.Sync/Open", &charle_open_request_message, &request);
        caller_wait(&round_.callers[i]);
        assert_int_equal(round_.callers[i].rc, CHARLE_OK);
        add_create(device, 1, "d", i);
        add_edit(device, 2, i);
        add_create(device, 3, "e", i);
    }
}

static void start_push(int i, size_t count)
{
    const struct charle_push_request request = {.device_id = charle_str(devices[i].id), .schema_hash = fold_schema.hash,
                                                .call = {.items = devices[i].list, .count = count, .has = true}};
    caller_start(&round_.callers[i], "charle.Sync/Push", &charle_push_request_message, &request);
}

static void check_verdicts(int i, size_t count, bool is_first)
{
    struct charle_arena arena = {0};
    struct charle_push_reply reply;
    caller_reply(&round_.callers[i], &charle_push_reply_message, &arena, &reply);
    assert_int_equal(reply.last_sequence, count);
    assert_int_equal(reply.verdict.count, count);
    for (size_t n = 0; n < count; n++) {
        const struct charle_verdict *verdict = ((const struct charle_verdict *const *)reply.verdict.items)[n];
        assert_int_equal(verdict->sequence, n + 1);
        assert_int_equal(verdict->kind, n == 1 && i % 2 == 0 ? CHARLE_REJECTED : CHARLE_APPLIED);
    }
    // The stamp of the team, which all hold; for those who lead nothing else is shown.
    if (is_first) {
        assert_true(reply.made.count >= 1);
        const struct charle_cursor *made = ((const struct charle_cursor *const *)reply.made.items)[reply.made.count - 1];
        assert_true(charle_str_equal(made->scope, charle_str("team")));
    }
    charle_arena_deinit(&arena);
}

static void wait_for_all(int from)
{
    for (int i = from; i < CALLERS; i++)
        caller_wait(&round_.callers[i]);
}

// --- tests --------------------------------------------------------------------------------------------------------------

static void pushes_of_many_devices_share_transactions(void **state)
{
    (void)state;
    open_devices();
    round_hold(&round_, HELD);
    for (int i = HELD; i < CALLERS; i++)
        start_push(i, 2);
    round_let_go(&round_);
    wait_for_all(0);
    for (int i = HELD; i < CALLERS; i++)
        check_verdicts(i, 2, true);
    assert_int_equal(round_number(&round_, "select count(*) from safe"), CALLERS - HELD);
    assert_int_equal(round_number(&round_, "select count(*) from safe where label = 'edited'"), (CALLERS - HELD) / 2);
    // How many a transaction takes depends on the machine; that some share one does not.
    assert_in_range(round_number(&round_, "select count(distinct v) from charle.entry where scope = 'team' and tab = 3"), 1, CALLERS - HELD - 1);
}

static void a_repeat_gets_the_stored_verdicts(void **state)
{
    (void)state;
    round_hold(&round_, HELD);
    for (int i = HELD; i < CALLERS; i++)
        start_push(i, 2);
    round_let_go(&round_);
    wait_for_all(0);
    for (int i = HELD; i < CALLERS; i++)
        check_verdicts(i, 2, false);
    assert_int_equal(round_number(&round_, "select count(*) from safe"), CALLERS - HELD);
}

// Opening is what every replica does before it pushes: it is nobody for whom a long push would have to make room. What is stored for a transaction
// whose calls were all applied is one row.
static void a_long_push_behind_an_open_is_one_transaction(void **state)
{
    struct device *device = &devices[1];
    (void)state;
    for (int number = 1; number <= CALLS_MAX; number++)
        add_create(device, number, "long", number);
    poll(NULL, 0, 2500); // whoever called before is forgotten by then
    const struct charle_open_request open = {.device_id = charle_str(device->id), .schema_hash = fold_schema.hash};
    const struct charle_push_request push = {.device_id = charle_str(device->id), .schema_hash = fold_schema.hash, .without_replies = {true, true},
                                             .call = {.items = device->list, .count = CALLS_MAX, .has = true}};
    caller_start(&round_.callers[1], "charle.Sync/Open", &charle_open_request_message, &open);
    caller_wait(&round_.callers[1]);
    caller_start(&round_.callers[1], "charle.Sync/Push", &charle_push_request_message, &push);
    caller_wait(&round_.callers[1]);
    assert_int_equal(round_.callers[1].rc, CHARLE_OK);
    char sql[160];
    snprintf(sql, sizeof(sql), "select count(*) from charle.verdict where device_id = '%s'", device->id);
    assert_int_equal(round_number(&round_, sql), 1);
}

// The server is killed while pushes wait, run and commit. They come again until they are answered, and took effect once.
static void a_killed_server_neither_loses_nor_repeats(void **state)
{
    (void)state;
    char address[120], option[150];
    snprintf(address, sizeof(address), "%s", round_.server.address);
    snprintf(option, sizeof(option), "--listen=%s", address);
    for (int kill_after_ms = 0; kill_after_ms < 60; kill_after_ms += 12) {
        round_hold(&round_, HELD);
        for (int i = HELD; i < CALLERS; i++)
            start_push(i, 3);
        round_let_go(&round_);
        nanosleep(&(struct timespec){.tv_nsec = kill_after_ms * 1000000L}, NULL);
        server_signal(&round_.server, SIGKILL);
        assert_int_equal(server_wait_exit(&round_.server), 128 + SIGKILL);
        wait_for_all(0);
        server_start(&round_.server, round_.url, (const char *const[]){"--pool-size=2", option, NULL});
        server_wait_ready(&round_.server);
    }
    for (int i = HELD; i < CALLERS; i++) {
        do { // the channel dials again by itself
            start_push(i, 3);
            caller_wait(&round_.callers[i]);
        } while (round_.callers[i].rc == CHARLE_UNAVAILABLE);
        check_verdicts(i, 3, false);
    }
    assert_int_equal(round_number(&round_, "select count(*) from safe where id like 'e%'"), CALLERS - HELD);
    assert_int_equal(round_number(&round_, "select count(*) from charle.verdict where sequence = 3"), CALLERS - HELD);
    assert_int_equal(round_number(&round_, "select count(*) from charle.device where last_sequence = 3"), CALLERS - HELD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pushes_of_many_devices_share_transactions),
        cmocka_unit_test(a_repeat_gets_the_stored_verdicts),
        cmocka_unit_test(a_long_push_behind_an_open_is_one_transaction),
        cmocka_unit_test(a_killed_server_neither_loses_nor_repeats),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
