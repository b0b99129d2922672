// The order to wipe a laptop: live, away, with its session revoked; who may give it, and what becomes of calls that were not sent.
#include "base/arena.h"
#include "base/err.h"
#include "call/method.h"
#include "charle/devices.charle.h"
#include "charleos.schema.charle.h"
#include "db/db.h"
#include "fault/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <unistd.h>

enum { SETTLE_MS = 60000, WIPE_MS = 5000 };

static struct charle_client *open_ready(struct bench *bench, const char *name, const char *token, char device[32])
{
    struct charle_error err = {0};
    struct charle_client_status status;
    struct charle_client *client = rig_client(&bench->rig, name, token);
    must(charle_client_sync(client, SETTLE_MS, &err), &err, "sync");
    charle_client_status(client, &status);
    memcpy(device, status.device_id, 32);
    return client;
}

static int order(struct charle_client *client, const char *device, bool pushes_first, bool takes_back)
{
    struct charle_error err = {0};
    struct charle_arena arena = {0};
    struct charle_empty reply;
    const struct charle_device_wipe_request request = {.device_id = charle_str(device), .pushes_first = {pushes_first, true}, .takes_back = {takes_back, true}};
    const struct charle_client_call_options options = {.is_online = true};
    int rc = charle_client_call(client, &charle_devices_wipe_method, &request, &arena, &reply, &options, &err);
    charle_arena_deinit(&arena);
    return rc;
}

// Waits until the client says that it was wiped, and looks at what is left of it.
static struct charle_client_status wait_wiped(struct bench *bench, struct charle_client *client, const char *name)
{
    static const char *const suffixes[] = {"", ".key", ".files", "-wal", ".lock"};
    struct charle_client_status status;
    char path[200];
    for (int waited = 0;; waited += 5) {
        charle_client_status(client, &status);
        if (status.state == CHARLE_CLIENT_WIPED)
            break;
        if (waited > WIPE_MS)
            rig_die("%s was not wiped in time: %s, %s", name, charle_client_state_name(status.state), status.problem);
        rig_pause(5);
    }
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s/replica.db%s", bench->rig.folder, name, suffixes[i]);
        if (access(path, F_OK) == 0)
            rig_die("a wipe leaves %s", path);
    }
    return status;
}

static long device_number(struct bench *bench, const char *device, const char *expression)
{
    char sql[200];
    snprintf(sql, sizeof(sql), "select coalesce((%s)::int8, -1) from charle.device where id = '%s'", expression, device);
    return rig_number(bench->pg, sql);
}

// The report may come a moment after the files are gone.
static void check_reported(struct bench *bench, const char *device, long calls)
{
    for (int i = 0; i < WIPE_MS && device_number(bench, device, "wiped_calls") < 0; i += 5)
        rig_pause(5);
    check(device_number(bench, device, "(told_at is not null and wiped_at is not null)::int4") == 1, "the server does not know that the device was wiped");
    check(device_number(bench, device, "wiped_calls") == calls, "another number of lost calls is reported");
}

static void test_a_live_laptop_is_wiped_at_once(struct bench *bench)
{
    char device[32], other[32];
    struct charle_error err = {0};
    struct charle_client *laptop = open_ready(bench, "live", bench->pia, device), *desk = open_ready(bench, "desk", bench->pia, other);
    must(charle_client_start(laptop, &err), &err, "start");
    must(charle_client_start(desk, &err), &err, "start");
    must(charle_client_sync(laptop, SETTLE_MS, &err), &err, "sync");
    check(order(desk, device, false, false) == 0, "the owner may not order");
    struct charle_client_status status = wait_wiped(bench, laptop, "live");
    check(strstr(status.problem, "wiped") && status.wiped_calls == 0, "the sentence does not say what happened");
    check_reported(bench, device, 0);
    check(charle_client_set_paused(laptop, true, &err) != CHARLE_OK, "a wiped replica takes wishes");
    charle_client_close(laptop);
    must(charle_client_sync(desk, SETTLE_MS, &err), &err, "the owner's other device");
    charle_client_close(desk);
    // In its place a new replica can be made: another device.
    laptop = open_ready(bench, "live", bench->pia, other);
    check(strcmp(device, other) != 0, "a new replica has the old device's name");
    charle_client_close(laptop);
}

static void test_a_laptop_that_was_away_is_wiped_at_contact(struct bench *bench)
{
    char device[32], other[32];
    struct charle_error err = {0};
    struct charle_client *laptop = open_ready(bench, "away", bench->pia, device), *desk = open_ready(bench, "desk", bench->pia, other);
    for (int i = 0; i < 3; i++)
        must(agency_comment(laptop, "never sent", &err), &err, "comment");
    check(order(desk, device, false, false) == 0, "order");
    check(charle_client_sync(laptop, SETTLE_MS, &err) == CHARLE_FAILED_PRECONDITION, "a sync of a wiped replica does not say so");
    check(wait_wiped(bench, laptop, "away").wiped_calls == 3, "the lost calls are not counted");
    check_reported(bench, device, 3);
    check(rig_number(bench->pg, "select count(*) from comment where body = 'never sent'") == 0, "calls came in spite of the order");
    charle_client_close(laptop);
    charle_client_close(desk);
}

static void test_calls_may_be_sent_first(struct bench *bench)
{
    char device[32], other[32];
    struct charle_error err = {0};
    struct charle_client *laptop = open_ready(bench, "pushes", bench->pia, device), *desk = open_ready(bench, "desk", bench->pia, other);
    for (int i = 0; i < 3; i++)
        must(agency_comment(laptop, "sent in the end", &err), &err, "comment");
    check(order(desk, device, true, false) == 0, "order");
    must(charle_client_start(laptop, &err), &err, "start");
    wait_wiped(bench, laptop, "pushes");
    check_reported(bench, device, 0);
    check(rig_number(bench->pg, "select count(*) from comment where body = 'sent in the end'") == 3, "calls were lost though they were to be sent first");
    charle_client_close(laptop);
    charle_client_close(desk);
}

// Every session of the person is gone, as when a laptop was stolen: the order reaches it nonetheless.
static void test_a_revoked_session_does_not_hide_the_order(struct bench *bench)
{
    char device[32], other[32], sql[200];
    struct charle_error err = {0};
    struct charle_client *laptop = open_ready(bench, "stolen", bench->mo, device), *desk = open_ready(bench, "desk", bench->pia, other);
    struct charle_client *idle = open_ready(bench, "kept", bench->mo, other);
    must(charle_client_start(idle, &err), &err, "start");
    snprintf(sql, sizeof(sql), "update charle.device set wipe_at = now() where id = '%s'", device); // as an operator does it
    rig_sql(bench->pg, sql);
    rig_sql(bench->pg, "delete from session where user_id in (select id from \"user\" where email = 'mo@charleos.test')");
    must(charle_client_start(laptop, &err), &err, "start");
    wait_wiped(bench, laptop, "stolen");
    check_reported(bench, device, 0);
    struct charle_client_status status;
    charle_client_status(idle, &status);
    check(status.state != CHARLE_CLIENT_WIPED, "a device without an order was wiped");
    charle_client_close(idle);
    charle_client_close(laptop);
    charle_client_close(desk);
    rig_login(&bench->rig, "mo@charleos.test", bench->mo);
}

static void test_nobody_else_may_order_or_report(struct bench *bench)
{
    char device[32], other[32];
    struct charle_error err = {0};
    struct charle_arena arena = {0};
    struct charle_device_order_reply reply;
    struct charle_empty empty;
    const struct charle_client_call_options options = {.is_online = true};
    struct charle_client *pia = open_ready(bench, "mine", bench->pia, device), *mo = open_ready(bench, "theirs", bench->mo, other);
    check(order(mo, device, false, false) == CHARLE_NOT_FOUND, "somebody else's device can be wiped");
    check(order(pia, "nowhere", false, false) == CHARLE_NOT_FOUND, "a device that does not exist can be wiped");
    check(order(pia, device, false, false) == 0, "the owner may not order");
    const struct charle_device_order_request ask = {.device_id = charle_str(device), .device_key = charle_bytes("0123456789abcdef0123456789abcdef", 32)};
    must(charle_client_call(mo, &charle_devices_order_method, &ask, &arena, &reply, &options, &err), &err, "asking with a wrong key");
    check(reply.order == 0, "an order is told to who has not the device's key");
    const struct charle_device_wiped_request said = {.device_id = charle_str(device), .device_key = charle_bytes("0123456789abcdef0123456789abcdef", 32)};
    check(charle_client_call(mo, &charle_devices_wiped_method, &said, &arena, &empty, &options, &err) == CHARLE_FAILED_PRECONDITION, "a false report is believed");
    check(order(pia, device, false, true) == 0, "an order cannot be taken back");
    must(charle_client_sync(pia, SETTLE_MS, &err), &err, "sync after the order was taken back");
    charle_arena_deinit(&arena);
    charle_client_close(pia);
    charle_client_close(mo);
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = {{"live", test_a_live_laptop_is_wiped_at_once},
                                              {"away", test_a_laptop_that_was_away_is_wiped_at_contact},
                                              {"push", test_calls_may_be_sent_first},
                                              {"revoked", test_a_revoked_session_does_not_hide_the_order},
                                              {"others", test_nobody_else_may_order_or_report}};
    struct bench bench = {0};
    bench_open(&bench);
    bench_run(&bench, cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
    printf("wipe: all cases hold\n");
    bench_close(&bench);
    return 0;
}
