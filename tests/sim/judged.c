// What the server said about calls, and what that makes of the counters that everybody adds to.
#include "msg/wire.h"
#include "sim.charle.h"
#include "sim/oracle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct tally *oracle_tally(struct oracle *oracle, const char *id)
{
    for (size_t i = 0; i < oracle->tally_count; i++) {
        if (strcmp(oracle->tallies[i].id, id) == 0)
            return &oracle->tallies[i];
    }
    CHARLE_ASSERT(oracle->tally_count < TALLIES_MAX);
    struct tally *tally = &oracle->tallies[oracle->tally_count++];
    snprintf(tally->id, sizeof(tally->id), "%s", id);
    return tally;
}

void oracle_told_foreign_tally(struct oracle *oracle, const char *id, int64_t delta)
{
    oracle_tally(oracle, id)->uncommitted += delta;
}

static struct device *oracle_device(struct oracle *oracle, struct charle_str id)
{
    for (size_t i = 0; i < oracle->device_count; i++) {
        if (charle_str_equal(charle_str(oracle->devices[i].id), id))
            return &oracle->devices[i];
    }
    CHARLE_ASSERT(oracle->device_count < DEVICES_MAX);
    struct device *device = &oracle->devices[oracle->device_count++];
    snprintf(device->id, sizeof(device->id), "%.*s", CHARLE_FMT(id));
    return device;
}

static void count_effect(struct oracle *oracle, const struct charle_call *call)
{
    struct charle_arena arena = {0};
    struct charle_error err;
    struct sim_tally_update update;
    if (charle_str_equal(call->method, sim_tally_service_update_method.name) &&
        charle_message_read(&sim_tally_update_message, call->request, &arena, &update, &err) == CHARLE_OK) {
        char id[16];
        snprintf(id, sizeof(id), "%.*s", CHARLE_FMT(update.key->id));
        oracle_tally(oracle, id)->n += update.set->n.value - update.base->n.value;
    }
    charle_arena_deinit(&arena);
}

static bool had_effect(const struct oracle *oracle, uint64_t seed)
{
    for (size_t i = 0; i < oracle->effect_count; i++) {
        if (oracle->effects[i] == seed)
            return true;
    }
    return false;
}

void oracle_pardon(struct oracle *oracle, uint64_t seed)
{
    oracle->pardoned = realloc(oracle->pardoned, (oracle->pardoned_count + 1) * sizeof(*oracle->pardoned));
    CHARLE_ASSERT(oracle->pardoned);
    oracle->pardoned[oracle->pardoned_count++] = seed;
}

// Once for each time that it was pardoned.
static bool take_pardon(struct oracle *oracle, uint64_t seed)
{
    for (size_t i = 0; i < oracle->pardoned_count; i++) {
        if (oracle->pardoned[i] != seed)
            continue;
        oracle->pardoned[i] = oracle->pardoned[--oracle->pardoned_count];
        return true;
    }
    return false;
}

// Exactly once. A repeat is what a copy of the laptop had brought before; whoever brought it may never have heard.
static void note_effect(struct oracle *oracle, const struct device *device, const struct charle_call *call,
                        bool is_repeat)
{
    if (had_effect(oracle, call->seed)) {
        if (!is_repeat && take_pardon(oracle, call->seed))
            count_effect(oracle, call);
        else if (!is_repeat)
            world_fail(oracle->world, "call %" PRId64 " of device %s, %.*s, took effect for the second time",
                       call->sequence, device->id, CHARLE_FMT(call->method));
        return;
    }
    if (oracle->effect_count == oracle->effect_capacity) {
        oracle->effect_capacity = oracle->effect_capacity ? oracle->effect_capacity * 2 : 128;
        oracle->effects = realloc(oracle->effects, oracle->effect_capacity * sizeof(*oracle->effects));
        CHARLE_ASSERT(oracle->effects);
    }
    oracle->effects[oracle->effect_count++] = call->seed;
    count_effect(oracle, call);
}

static void note_verdict(struct oracle *oracle, struct device *device, const struct charle_push_request *request,
                         const struct charle_verdict *verdict)
{
    struct world *world = oracle->world;
    const struct charle_call *const *calls = request->call.items;
    if (verdict->sequence <= (int64_t)device->count) {
        if (device->kinds[verdict->sequence - 1] != verdict->kind)
            world_fail(world, "the verdict of call %" PRId64 " of device %s was %d and is %d now", verdict->sequence,
                       device->id, device->kinds[verdict->sequence - 1], verdict->kind);
        return;
    }
    if (verdict->sequence != (int64_t)device->count + 1) {
        world_fail(world, "device %s: call %" PRId64 " was judged after %zu", device->id, verdict->sequence,
                   device->count);
        return;
    }
    if (device->count == device->capacity) {
        device->capacity = device->capacity ? device->capacity * 2 : 64;
        device->kinds = realloc(device->kinds, device->capacity);
        CHARLE_ASSERT(device->kinds);
    }
    device->kinds[device->count++] = (uint8_t)verdict->kind;
    world->result.calls_judged++;
    world->result.calls_rejected += verdict->kind == CHARLE_REJECTED;
    world->result.calls_merged += verdict->kind == CHARLE_MERGED;
    for (size_t i = 0; i < request->call.count; i++) {
        if (calls[i]->sequence != verdict->sequence)
            continue;
        world_trace(world, "judged %.*s %" PRId64 " %.*s: %d %d%s", 4, device->id, verdict->sequence,
                    CHARLE_FMT(calls[i]->method), verdict->kind, verdict->code.value,
                    verdict->is_repeat.has ? " as before" : "");
        if (world->options.is_traced && verdict->text.has)
            printf("                          %.*s\n", CHARLE_FMT(verdict->text.value));
        world->result.calls_repeated += verdict->is_repeat.has;
        if (verdict->kind == CHARLE_APPLIED || verdict->kind == CHARLE_MERGED)
            note_effect(oracle, device, calls[i], verdict->is_repeat.has);
    }
}

void oracle_judged(struct oracle *oracle, const struct charle_push_request *request,
                   const struct charle_push_reply *reply)
{
    struct device *device = oracle_device(oracle, request->device_id);
    const struct charle_verdict *const *verdicts = reply->verdict.items;
    for (size_t i = 0; i < reply->verdict.count; i++) {
        note_verdict(oracle, device, request, verdicts[i]);
        oracle_note_answer(oracle, device, request, verdicts[i]->sequence);
    }
}

void oracle_saved(struct oracle *oracle)
{
    oracle->world->saved_version = oracle->world->server_version;
    oracle->saved_effect_count = oracle->effect_count;
    for (size_t i = 0; i < oracle->device_count; i++)
        oracle->devices[i].saved_count = oracle->devices[i].count;
    for (size_t i = 0; i < oracle->tally_count; i++)
        oracle->tallies[i].saved_n = oracle->tallies[i].n;
}

void oracle_restored(struct oracle *oracle)
{
    oracle->effect_count = oracle->saved_effect_count;
    for (size_t i = 0; i < oracle->device_count; i++)
        oracle->devices[i].count = oracle->devices[i].saved_count;
    oracle_forget_answers(oracle);
    for (size_t i = 0; i < oracle->tally_count; i++)
        oracle->tallies[i].n = oracle->tallies[i].saved_n;
    oracle->is_fresh = true;
}

void oracle_migrated(struct oracle *oracle)
{
    oracle->is_fresh = true;
}

// --- in the end ------------------------------------------------------------------------------------------------------

// Calls are sent in the order in which they were made, unless one was put aside: others may pass it then.
static void check_order(struct oracle *oracle, struct laptop *laptop)
{
    int64_t turned = laptop_number(
        laptop, "select count(*) from charle_outbox a join charle_outbox b on a.position < b.position and "
                "a.sequence > b.sequence where not exists (select 1 from charle_outbox c where c.attempts > 0 "
                "or c.kind = 4)");
    if (turned > 0)
        world_fail(oracle->world, "%s: calls were sent in another order than they were made (%" PRId64 " pairs)",
                   laptop->name, turned);
}

void oracle_check_outbox(struct oracle *oracle, struct laptop *laptop)
{
    sqlite3_stmt *stmt = NULL;
    char id[CH_ID_LEN + 1] = "";
    struct charle_error err;
    (void)!ch_meta_text(&laptop->replica.sql, "device_id", id, sizeof(id), &err);
    struct device *device = oracle_device(oracle, charle_str(id));
    check_order(oracle, laptop);
    int code = sqlite3_prepare_v2(laptop->replica.sql.db, "select position, state, kind, sequence from charle_outbox",
                                  -1, &stmt, NULL);
    while (code == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        int64_t position = sqlite3_column_int64(stmt, 0), sequence = sqlite3_column_int64(stmt, 3);
        int state = sqlite3_column_int(stmt, 1), kind = sqlite3_column_int(stmt, 2);
        if (state != 5 || !kind)
            world_fail(oracle->world, "%s: call %" PRId64 " is in state %d with verdict %d in the end", laptop->name,
                       position, state, kind);
        if (!sequence)
            continue;
        if (sequence > (int64_t)device->count)
            world_fail(oracle->world, "%s: call %" PRId64 " has number %" PRId64 ", of which the server knows nothing",
                       laptop->name, position, sequence);
        // A copy may have sent calls again that a restored database had lost, before the original came: that one keeps
        // the verdict of the past that was lost.
        else if (device->kinds[sequence - 1] != kind && !(oracle->world->has_copies && oracle->world->result.restores + oracle->world->result.failovers))
            world_fail(oracle->world, "%s: call %" PRId64 ": the server's verdict was %d, the laptop has %d",
                       laptop->name, position, device->kinds[sequence - 1], kind);
    }
    sqlite3_finalize(stmt);
}
