// Calling: on the replica when the method can run there, otherwise on the server; and waiting for verdicts.
#include "client/edge.h"

#include "base/clock.h"
#include "charle/admin.charle.h"
#include "charle/sync.charle.h"
#include "client/local.h"
#include "client/rebase.h"
#include "client/reply.h"
#include "msg/wire.h"
#include "sync/outbox.h"

#include <stdio.h>

enum { WAIT_MS = 30000, LOOK_US = 250000 };

const struct charle_method *charle_client_method(const struct charle_client *client, const char *name)
{
    static const struct charle_method *const platform[] = {
        &charle_session_login_method, &charle_session_logout_method, &charle_session_who_am_i_method,
        &charle_admin_status_method,  &charle_admin_server_method,   &charle_admin_echo_method,
        &charle_sync_hash_method,
    };
    const struct charle_method *method = charle_method_find(&client->replica.methods, charle_str(name));
    for (size_t i = 0; !method && i < sizeof(platform) / sizeof(platform[0]); i++) {
        if (charle_str_equal(platform[i]->name, charle_str(name)))
            method = platform[i];
    }
    return method;
}

static bool is_ready(struct charle_client *client)
{
    struct charle_error err;
    int64_t ready = 0;
    pthread_mutex_lock(&client->replica.look_mutex);
    (void)!ch_meta_number(&client->replica.look, "ready", 0, &ready, &err);
    pthread_mutex_unlock(&client->replica.look_mutex);
    return ready != 0;
}

// --- here ---------------------------------------------------------------------------------------------------------------------

static void tell_changed(struct charle_client *client)
{
    uint32_t tables[CH_TABLES_MAX];
    size_t count = ch_replica_take_changed(&client->replica, tables);
    ch_edge_changed(client, CHARLE_EVENT_CALLS | (count ? CHARLE_EVENT_ROWS : 0u), tables, count);
    ch_edge_wish(client, EDGE_KICK, NULL);
}

static enum charle_err decode_reply(const struct charle_method *method, const struct charle_buf *bytes, struct charle_arena *arena,
                                    void *reply, struct charle_error *err)
{
    // Strings of the reply point into its bytes, so those live as long as the arena.
    struct charle_bytes kept = charle_arena_bytes(arena, charle_buf_bytes(bytes));
    if (!kept.ptr)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the reply of %.*s", CHARLE_FMT(method->name));
    return charle_message_read(method->reply, kept, arena, reply, err);
}

static enum charle_err call_here(struct charle_client *client, const struct charle_method *method, const void *request,
                                 struct charle_arena *arena, void *reply, int64_t *out_ticket, struct charle_error *err)
{
    struct charle_buf in = {0}, out = {0};
    charle_message_write(method->request, request, &in);
    enum charle_err rc = in.failed ? charle_fail(err, in.failed, "the request of %.*s does not fit in memory", CHARLE_FMT(method->name))
                                   : CHARLE_OK;
    if (!rc && method->is_read_only) {
        rc = ch_replica_ask(&client->replica, method, charle_buf_bytes(&in), &out, err);
    } else if (!rc) {
        rc = ch_replica_call(&client->replica, method, charle_buf_bytes(&in), &out, out_ticket, err);
        if (!rc)
            tell_changed(client);
    }
    if (!rc)
        rc = decode_reply(method, &out, arena, reply, err);
    charle_buf_deinit(&in);
    charle_buf_deinit(&out);
    return rc;
}

// --- there --------------------------------------------------------------------------------------------------------------------

static enum charle_err call_there(struct charle_client *client, const struct charle_method *method, const void *request,
                                  struct charle_arena *arena, void *reply, uint32_t timeout_ms, struct charle_error *err)
{
    const struct charle_call_options options = {.timeout_ms = timeout_ms};
    if (!client->channel)
        return charle_fail(err, CHARLE_UNAVAILABLE, "%.*s runs on the server, and this client was opened without one",
                           CHARLE_FMT(method->name));
    return charle_call(client->channel, method, request, arena, reply, &options, err);
}

int charle_client_call(struct charle_client *client, const struct charle_method *method, const void *request,
                       struct charle_arena *arena, void *reply, const struct charle_client_call_options *options,
                       struct charle_error *err)
{
    static const struct charle_client_call_options none = {0};
    struct charle_client_outcome outcome = {0}, *out = options && options->outcome ? options->outcome : &outcome;
    const struct charle_client_call_options *o = options ? options : &none;
    int64_t ticket = 0;
    *out = (struct charle_client_outcome){0};
    if (method->streaming != CHARLE_UNARY)
        return charle_fail(err, CHARLE_UNIMPLEMENTED, "%.*s is a stream; use a channel for it", CHARLE_FMT(method->name));
    bool runs_here = method->is_offline && !o->is_online && is_ready(client) &&
                     charle_method_find(&client->replica.methods, method->name);
    if (!runs_here)
        return call_there(client, method, request, arena, reply, o->timeout_ms, err);
    if (!method->is_read_only && client->replica.is_read_only)
        return charle_fail(err, CHARLE_READ_ONLY, "%s was opened for reading only", client->file);
    enum charle_err rc = call_here(client, method, request, arena, reply, &ticket, err);
    out->ticket = ticket;
    if (rc || !ticket || !o->wait_for_verdict)
        return rc;
    rc = (enum charle_err)charle_client_wait(client, ticket, o->timeout_ms ? o->timeout_ms : WAIT_MS, out, err);
    if (!rc && out->verdict == CHARLE_VERDICT_REJECTED)
        return charle_fail(err, out->code ? (enum charle_err)out->code : CHARLE_UNKNOWN, "%s", out->text);
    if (!rc) // numbers are the server's now
        rc = (enum charle_err)charle_client_reply(client, ticket, method, arena, reply, err);
    if (rc == CHARLE_NOT_FOUND && out->is_confirmed)
        rc = CHARLE_OK;
    return rc;
}

// --- verdicts -----------------------------------------------------------------------------------------------------------------

static enum charle_err look_up(struct charle_client *client, int64_t ticket, struct charle_client_outcome *out,
                               struct charle_error *err)
{
    struct ch_lite *look = &client->replica.look;
    sqlite3_stmt *row;
    *out = (struct charle_client_outcome){.ticket = ticket};
    pthread_mutex_lock(&client->replica.look_mutex);
    enum charle_err rc = ch_lite_one(look, CH_LITE_OUTBOX_BY_TICKET, &row, err, "i", ticket);
    if (!rc) {
        out->is_confirmed = sqlite3_column_int(row, 1) == CH_CALL_DONE;
        out->verdict = (enum charle_client_verdict)sqlite3_column_int(row, 2);
        out->code = sqlite3_column_int(row, 3);
        snprintf(out->text, sizeof(out->text), "%.*s", CHARLE_FMT(ch_lite_text(row, 4)));
        ch_lite_end(row);
    }
    pthread_mutex_unlock(&client->replica.look_mutex);
    return rc == CHARLE_DONE ? charle_fail(err, CHARLE_NOT_FOUND, "there is no call %lld in this replica, or it was confirmed long ago",
                                           (long long)ticket)
                             : rc;
}

int charle_client_wait(struct charle_client *client, int64_t ticket, uint32_t timeout_ms, struct charle_client_outcome *out,
                       struct charle_error *err)
{
    int64_t deadline = ch_clock_mono_us() + (int64_t)timeout_ms * 1000;
    if (timeout_ms && ch_edge_is_own_thread(client))
        return charle_fail(err, CHARLE_FAILED_PRECONDITION, "a watch callback cannot wait for a verdict, which it is told of later");
    for (struct edge_view view = {0};;) {
        ch_edge_view(client, &view);
        enum charle_err rc = look_up(client, ticket, out, err);
        if (rc || out->is_confirmed)
            return rc;
        int64_t now = ch_clock_mono_us(), until = now + LOOK_US;
        if (now >= deadline)
            return charle_fail(err, CHARLE_DEADLINE_EXCEEDED, "call %lld has no verdict yet; it stays queued", (long long)ticket);
        ch_edge_wait(client, view.turns, until < deadline ? until : deadline, &view);
    }
}

int charle_client_reply(struct charle_client *client, int64_t ticket, const struct charle_method *method, struct charle_arena *arena,
                        void *reply, struct charle_error *err)
{
    struct charle_buf bytes = {0};
    pthread_mutex_lock(&client->replica.look_mutex);
    enum charle_err rc = ch_reply_read(&client->replica.look, ticket, &bytes, err);
    pthread_mutex_unlock(&client->replica.look_mutex);
    if (rc == CHARLE_DONE)
        rc = charle_fail(err, CHARLE_NOT_FOUND, "call %lld has no reply of the server here: it has made no numbers, or waits, or was refused",
                         (long long)ticket);
    if (!rc) {
        memset(reply, 0, method->reply->size);
        rc = decode_reply(method, &bytes, arena, reply, err);
    }
    charle_buf_deinit(&bytes);
    return rc;
}

// --- local tables -----------------------------------------------------------------------------------------------------------

struct local_writing {
    charle_local_fn write;
    void *ctx;
};

static enum charle_err write_local(void *ctx, struct charle_db *db, struct charle_error *err)
{
    const struct local_writing *writing = ctx;
    return (enum charle_err)writing->write(writing->ctx, db, err);
}

int charle_client_write_local(struct charle_client *client, charle_local_fn write, void *ctx, struct charle_error *err)
{
    struct local_writing writing = {write, ctx};
    enum charle_err rc = ch_local_write(&client->replica, write_local, &writing, err);
    if (!rc)
        tell_changed(client);
    return rc;
}
