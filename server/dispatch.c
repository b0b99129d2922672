// From the wire into a lane, and from a result back to the wire.
//
// ch_dispatch runs on the transport's thread and never waits: it looks up the method and the session in memory and
// queues the call. What is refused here is refused at once: an unknown method, a full lane.
#include "charle/admin.charle.h"
#include "charle/devices.charle.h"
#include "charle/sync.charle.h"

#include "base/alloc.h"
#include "base/log.h"
#include "msg/wire.h"
#include "server/engine_parts.h"
#include "server/token.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    ANSWERS_MAX = 64,            // of one write
    FOLDED_PUSH_SIZE_MAX = 4096, // bytes: a dozen edits
};

static const int64_t default_deadline_us = 60000000; // no unary call of ours is meant to take a minute

// --- the end of a call ---------------------------------------------------------------------------------------------

// What went wrong inside is for the log; callers get a number by which an operator finds the line.
static bool is_internal(enum charle_err rc)
{
    return rc == CHARLE_INTERNAL || rc == CHARLE_UNKNOWN || rc == CHARLE_DATA_LOSS;
}

static void log_failure(const struct ch_call *call, enum charle_err rc, const char *text, uint64_t reference)
{
    struct charle_str method = charle_server_call_method(call->rpc), peer = charle_server_call_peer(call->rpc);
    const struct charle_identity *who = call->session ? ch_session_identity(call->session) : NULL;
    char hidden[40] = "";
    if (reference)
        snprintf(hidden, sizeof(hidden), " reference=%016" PRIx64, reference);
    ch_log(is_internal(rc) ? CH_LOG_ERROR : CH_LOG_INFO, "call",
           "failed method=%.*s code=%s who=%.*s:%.*s peer=%.*s us=%" PRId64 "%s text=\"%s\"",
           (int)(method.len > 120 ? 120 : method.len), method.ptr ? method.ptr : "", charle_err_name(rc),
           CHARLE_FMT(who ? who->principal : charle_str("")), CHARLE_FMT(who ? who->id : charle_str("")),
           CHARLE_FMT(peer), ch_clock_mono_us() - call->received_us, hidden, text);
}

void ch_call_finish(struct ch_call *call, enum charle_err rc, const struct charle_error *err, struct charle_bytes reply)
{
    struct charle_str text = {0};
    char hidden[80];
    // A peer that has gone, and a stream that has to be begun again, are no failures.
    bool is_quiet = call->live && (rc == CHARLE_ABORTED || charle_server_call_is_over(call->rpc));
    if (rc && !is_quiet) {
        atomic_fetch_add(&call->engine->figures.calls_failed, 1);
        const char *words = err && err->text[0] ? err->text : charle_err_text(rc);
        uint64_t reference = is_internal(rc) ? (uint64_t)call->received_us ^ (uint64_t)(uintptr_t)call << 20 : 0;
        log_failure(call, rc, words, reference);
        if (reference) {
            snprintf(hidden, sizeof(hidden), "the server failed; the operator's log says why under %016" PRIx64,
                     reference);
            words = hidden;
        }
        text = charle_str(words);
        reply = (struct charle_bytes){0};
    } else if (rc) {
        text = charle_str(err && err->text[0] ? err->text : charle_err_text(rc));
        reply = (struct charle_bytes){0};
    } else if (call->route && call->route->method->streaming == CHARLE_UNARY && !reply.ptr) {
        reply.ptr = (const uint8_t *)""; // an empty message is a message
    }
    if (call->is_waited_for && !rc) // those that are refused take no time
        ch_bulk_took(call->engine->bulk, call->received_us, ch_clock_mono_us());
    charle_server_call_finish(call->rpc, rc, text, reply); // no callback of the call runs afterwards
    ch_live_stream_free(call->live);
    ch_session_release(call->session);
    ch_free(call);
}

void ch_calls_finish(struct ch_call *const *calls, const struct charle_bytes *replies, size_t count)
{
    struct charle_answer answers[ANSWERS_MAX];
    for (size_t start = 0; start < count; start += ANSWERS_MAX) {
        size_t n = count - start < ANSWERS_MAX ? count - start : ANSWERS_MAX;
        for (size_t i = 0; i < n; i++)
            answers[i] = (struct charle_answer){.call = calls[start + i]->rpc, .message = replies[start + i]};
        charle_server_calls_finish(answers, n);
        for (size_t i = 0; i < n; i++) {
            ch_session_release(calls[start + i]->session);
            ch_free(calls[start + i]);
        }
    }
}

struct charle_bytes ch_call_request(const struct ch_call *call)
{
    struct charle_bytes again = ch_live_stream_request(call->live);
    return again.ptr ? again : charle_server_call_request(call->rpc);
}

// --- the way in ----------------------------------------------------------------------------------------------------

static struct charle_str find_token(struct charle_server_call *rpc)
{
    struct charle_metadata metadata = charle_server_call_metadata(rpc);
    for (size_t i = 0; i < metadata.count; i++)
        if (charle_str_equal(metadata.entries[i].key, CHARLE_STR("authorization")))
            return ch_token_of_header(metadata.entries[i].value);
    return (struct charle_str){0};
}

static void answer_echo(struct ch_call *call)
{
    struct charle_bytes request = charle_server_call_request(call->rpc);
    struct charle_wire_reader reader = {request.ptr, request.ptr + request.len};
    struct charle_wire_field field;
    struct charle_error err = {0};
    enum charle_err rc = CHARLE_OK;
    while (rc == CHARLE_OK && request.len)
        rc = charle_wire_next(&reader, &field);
    if (rc && rc != CHARLE_DONE)
        charle_fail(&err, rc, "the request is no protobuf message");
    ch_call_finish(call, rc == CHARLE_DONE ? CHARLE_OK : rc, &err, request);
}

// A push of many calls is a fold of its own already, and would hold up those it is folded with.
static bool is_bulk(const struct ch_call *call)
{
    return call->route->is_push && charle_server_call_request(call->rpc).len > FOLDED_PUSH_SIZE_MAX;
}

static struct ch_lane *lane_of(struct ch_engine *engine, const struct ch_call *call)
{
    if (call->is_bulk)
        return engine->bulks;
    switch (call->route->kind) {
    case CH_ROUTE_LOGIN:
        return engine->login;
    case CH_ROUTE_GET:
        return engine->reads;
    case CH_ROUTE_PULL:
        return engine->streams;
    case CH_ROUTE_STREAM:
        return engine->copies;
    case CH_ROUTE_ECHO:
    case CH_ROUTE_PLAIN:
    case CH_ROUTE_READ:
    case CH_ROUTE_WRITE:
        return engine->calls;
    }
    return engine->calls;
}

static bool is_for_folding(const struct ch_call *call)
{
    return call->route->habit && !call->is_bulk && ch_fold_is_open(call->route->habit, call->received_us);
}

static void refuse_full(struct ch_call *call, uint32_t waiting)
{
    struct charle_error err = {0};
    if (atomic_load(&call->engine->is_stopping))
        charle_fail(&err, CHARLE_UNAVAILABLE, "the server is stopping: try again in a moment");
    else
        charle_fail(&err, CHARLE_RESOURCE_EXHAUSTED, "the server is busy, %u calls are waiting: try again in a moment",
                    waiting);
    ch_call_finish(call, err.code, &err, (struct charle_bytes){0});
}

static void refuse_unknown(struct ch_call *call)
{
    struct charle_str name = charle_server_call_method(call->rpc);
    struct charle_error err = {0};
    charle_fail(&err, CHARLE_UNIMPLEMENTED, "there is no method %.*s here: names look like charleos.TaskService/Get",
                (int)(name.len > 100 ? 100 : name.len), name.ptr ? name.ptr : "");
    ch_call_finish(call, err.code, &err, (struct charle_bytes){0});
}

static int64_t deadline_of(const struct ch_call *call, const struct charle_method *method)
{
    int64_t given = charle_server_call_deadline_us(call->rpc);
    if (given)
        return given;
    if (method->streaming != CHARLE_UNARY)
        return INT64_MAX; // a live stream lasts as long as its peer
    return call->received_us + (method->deadline_ms ? (int64_t)method->deadline_ms * 1000 : default_deadline_us);
}

// A device whose session was revoked still has the token, which would be refused; it proves itself by its key.
static bool is_by_device(const struct charle_method *method)
{
    return charle_str_equal(method->name, charle_devices_order_method.name) || charle_str_equal(method->name, charle_devices_wiped_method.name);
}

// Does a person wait for it, so that long pushes have to make room? Not for a stream, which lasts, nor for the first call of a replica that comes back
// (charle.Sync/Open): counted, each replica would be in the way of its own long push.
static bool is_waited_for(const struct ch_call *call)
{
    return !call->is_bulk && call->route->method->streaming == CHARLE_UNARY && !charle_str_equal(call->route->method->name, charle_sync_open_method.name);
}

void ch_dispatch(void *ctx, struct charle_server_call *rpc)
{
    struct ch_engine *engine = ctx;
    struct ch_call *call = ch_alloc_zeroed(1, sizeof(*call));
    atomic_fetch_add(&engine->figures.calls, 1);
    if (!call) {
        charle_server_call_finish(rpc, CHARLE_NO_MEMORY, CHARLE_STR("the server is out of memory"),
                                  (struct charle_bytes){0});
        return;
    }
    *call = (struct ch_call){.engine = engine, .rpc = rpc, .received_us = ch_clock_mono_us()};
    call->route = ch_route_find(engine, charle_server_call_method(rpc));
    if (!call->route) {
        refuse_unknown(call);
        return;
    }
    call->deadline_us = deadline_of(call, call->route->method);
    if (call->route->kind == CH_ROUTE_ECHO) {
        answer_echo(call);
        return;
    }
    if (call->route->kind != CH_ROUTE_LOGIN && !is_by_device(call->route->method)) // who signs in may well have a token that is no longer good
        call->token = find_token(rpc);
    if (call->token.ptr)
        call->session = ch_sessions_find(engine->sessions, call->token);
    call->is_bulk = is_bulk(call);
    call->is_waited_for = is_waited_for(call);
    if (call->is_waited_for)
        ch_bulk_note(engine->bulk, call->received_us);
    struct ch_lane *lane = lane_of(engine, call);
    if (is_for_folding(call)) {
        if (!ch_fold_push(engine->fold, call, call->received_us))
            refuse_full(call, ch_fold_figures(engine->fold).waiting + ch_lane_waiting(lane));
    } else if (!ch_lane_push(lane, call)) {
        refuse_full(call, ch_lane_waiting(lane));
    }
}
