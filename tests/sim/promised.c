// Promises to laptops and their users, compared with what is so: a call that was answered is in the database, calls go out in the order in
// which they were made, and a call that somebody was told is done has taken effect.
#include "msg/wire.h"
#include "sim/oracle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void oracle_check_answered(struct oracle *oracle, const struct charle_push_request *request,
                           const struct charle_push_reply *reply)
{
    const struct charle_verdict *const *verdicts = reply->verdict.items;
    const struct charle_value param = charle_text(request->device_id);
    struct charle_value last = {0};
    struct charle_rows *rows = NULL;
    struct charle_error err = {0};
    if (!reply->verdict.count)
        return;
    enum charle_err rc = charle_query(server_db(oracle->world->server),
                                      "select last_sequence from charle.device where id = $1", &param, 1, &rows, &err);
    if (rc == CHARLE_OK)
        rc = charle_rows_next(rows, &err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 0, CHARLE_TYPE_INT8, false, &last, &err);
    charle_rows_close(rows);
    const struct charle_verdict *newest = verdicts[reply->verdict.count - 1];
    if (rc || last.int8 < newest->sequence)
        world_fail(oracle->world, "call %" PRId64 " of device %.*s was answered, but the database knows %" PRId64 " calls",
                   newest->sequence, CHARLE_FMT(request->device_id), rc ? -1 : last.int8);
}

// --- whose verdict it was --------------------------------------------------------------------------------------------

static const struct charle_call *call_numbered(const struct charle_push_request *request, int64_t sequence)
{
    const struct charle_call *const *calls = request->call.items;
    for (size_t i = 0; i < request->call.count; i++) {
        if (calls[i]->sequence == sequence)
            return calls[i];
    }
    return NULL;
}

static struct answered *find_answered(struct oracle *oracle, const struct device *device, int64_t sequence)
{
    for (size_t i = oracle->answered_count; i-- > 0;) {
        if (oracle->answered[i].device == device && oracle->answered[i].sequence == sequence)
            return &oracle->answered[i];
    }
    return NULL;
}

void oracle_note_answer(struct oracle *oracle, const struct device *device, const struct charle_push_request *request, int64_t sequence)
{
    const struct charle_call *call = call_numbered(request, sequence);
    const struct answered *known = find_answered(oracle, device, sequence);
    if (!call)
        return;
    if (known) {
        if (known->seed != call->seed)
            world_fail(oracle->world, "call %" PRId64 " of device %s, %.*s, got the verdict of another call", sequence, device->id,
                       CHARLE_FMT(call->method));
        return;
    }
    if (oracle->answered_count == oracle->answered_capacity) {
        oracle->answered_capacity = oracle->answered_capacity ? oracle->answered_capacity * 2 : 128;
        oracle->answered = realloc(oracle->answered, oracle->answered_capacity * sizeof(*oracle->answered));
        CHARLE_ASSERT(oracle->answered);
    }
    oracle->answered[oracle->answered_count++] = (struct answered){device, sequence, call->seed};
}

void oracle_forget_answers(struct oracle *oracle)
{
    size_t kept = 0;
    for (size_t i = 0; i < oracle->answered_count; i++) {
        if (oracle->answered[i].sequence <= (int64_t)oracle->answered[i].device->count)
            oracle->answered[kept++] = oracle->answered[i];
    }
    oracle->answered_count = kept;
}

// --- what goes out ---------------------------------------------------------------------------------------------------

// Numbers are given when a call goes out for the first time. Only those that were put aside, and what waits for them, are passed by later ones.
void oracle_check_numbers(struct oracle *oracle, struct laptop *laptop, struct charle_bytes push)
{
    struct charle_arena arena = {0};
    struct charle_push_request request;
    struct charle_error err;
    char sql[400];
    if (charle_message_read(&charle_push_request_message, push, &arena, &request, &err) == CHARLE_OK && request.call.count) {
        const struct charle_call *const *calls = request.call.items;
        snprintf(sql, sizeof(sql),
                 "select count(*) from charle_outbox a join charle_outbox b on b.sequence = a.sequence + 1 and b.position < a.position "
                 "where a.sequence between %" PRId64 " and %" PRId64
                 " and not exists (select 1 from charle_outbox c where c.attempts > 0 and c.position <= b.position)",
                 calls[0]->sequence, calls[request.call.count - 1]->sequence - 1);
        if (laptop_number(laptop, sql) > 0)
            world_fail(oracle->world, "%s: a push takes calls in another order than they were made", laptop->name);
    }
    charle_arena_deinit(&arena);
}

// --- at the end ------------------------------------------------------------------------------------------------------

static bool took_effect(const struct oracle *oracle, uint64_t seed)
{
    for (size_t i = 0; i < oracle->effect_count; i++) {
        if (oracle->effects[i] == seed)
            return true;
    }
    return false;
}

void oracle_check_effects(struct oracle *oracle, struct laptop *laptop)
{
    sqlite3_stmt *stmt = NULL;
    // A known limit (docs/reliability.md): what a copy sent again after the restore may be taken for calls of the original.
    if (oracle->world->has_copies && oracle->world->result.restores + oracle->world->result.failovers)
        return;
    int code = sqlite3_prepare_v2(laptop->replica.look.db,
                                  "select position, seed, kind, method from charle_outbox where kind in (1, 2)", -1,
                                  &stmt, NULL);
    while (code == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        if (!took_effect(oracle, (uint64_t)sqlite3_column_int64(stmt, 1)))
            world_fail(oracle->world, "%s: call %" PRId64 ", %s, is said to be done and never took effect", laptop->name,
                       (int64_t)sqlite3_column_int64(stmt, 0), (const char *)sqlite3_column_text(stmt, 3));
    }
    sqlite3_finalize(stmt);
}
