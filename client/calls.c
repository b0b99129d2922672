// What waits and what the server said, for programs: the outbox and the inbox of the public API, and waiting for a call.
#include "client/client.h"

#include "client/outbox.h"
#include "sync/outbox.h"

#include <stdio.h>

enum { POLL_US = 100000 };

// --- one call -----------------------------------------------------------------------------------------------------------

static enum charle_err look_up(struct charle_client *client, int64_t ticket, struct charle_client_outcome *out, struct charle_error *err)
{
    struct ch_sql *sql = &client->replica.look;
    sqlite3_stmt *row;
    *out = (struct charle_client_outcome){.ticket = ticket};
    pthread_mutex_lock(&client->replica.look_mutex);
    enum charle_err rc = ch_sql_one(sql, CH_SQL_OUTBOX_BY_TICKET, &row, err, "i", ticket);
    if (rc == CHARLE_OK) {
        int state = sqlite3_column_int(row, 1);
        struct charle_str text = ch_sql_text(row, 4);
        out->verdict = (enum charle_client_verdict)sqlite3_column_int(row, 2);
        out->code = sqlite3_column_int(row, 3);
        out->is_confirmed = state == CH_CALL_DONE;
        snprintf(out->text, sizeof(out->text), "%.*s", CHARLE_FMT(text));
        ch_sql_end(row);
    }
    pthread_mutex_unlock(&client->replica.look_mutex);
    return rc == CHARLE_DONE ? charle_fail(err, CHARLE_NOT_FOUND, "there is no call %lld, or it was confirmed long ago", (long long)ticket) : rc;
}

int charle_client_wait(struct charle_client *client, int64_t ticket, uint32_t timeout_ms, struct charle_client_outcome *out,
                       struct charle_error *err)
{
    int64_t until = ch_clock_mono_us() + (int64_t)timeout_ms * 1000;
    for (;;) {
        struct ch_edge_snapshot snapshot = {0};
        if (!client->is_read_only)
            ch_edge_snapshot(&client->edge, &snapshot);
        enum charle_err rc = look_up(client, ticket, out, err);
        if (rc || out->is_confirmed)
            return (int)rc;
        int64_t now = ch_clock_mono_us();
        if (now >= until || client->is_read_only)
            return (int)charle_fail(err, CHARLE_DEADLINE_EXCEEDED, "call %lld is not confirmed yet", (long long)ticket);
        ch_edge_wait(&client->edge, snapshot.round, until - now > POLL_US ? now + POLL_US : until);
    }
}

// --- lists --------------------------------------------------------------------------------------------------------------

int charle_client_outbox(struct charle_client *client, charle_outbox_fn fn, void *ctx, struct charle_error *err)
{
    struct ch_sql *sql = &client->replica.look;
    enum charle_err rc = CHARLE_OK;
    bool goes_on = true;
    for (int64_t position = 0; goes_on && rc == CHARLE_OK;) {
        sqlite3_stmt *row;
        struct charle_arena arena = {0};
        pthread_mutex_lock(&client->replica.look_mutex);
        rc = ch_sql_one(sql, CH_SQL_OUTBOX_LIST, &row, err, "i", position);
        struct charle_outbox_entry entry = {0};
        if (rc == CHARLE_OK) {
            int state = sqlite3_column_int(row, 2);
            struct charle_str method = charle_arena_str(&arena, ch_sql_text(row, 4)), why = ch_sql_text(row, 6);
            struct charle_bytes request = charle_arena_bytes(&arena, ch_sql_bytes(row, 5));
            position = sqlite3_column_int64(row, 0);
            entry = (struct charle_outbox_entry){.ticket = sqlite3_column_int64(row, 1),
                                                 .state = state >= CH_CALL_JUDGED ? CHARLE_CALL_JUDGED : (enum charle_call_state)state,
                                                 .at_us = sqlite3_column_int64(row, 3),
                                                 .method = method.ptr,
                                                 .request = request.ptr,
                                                 .request_size = request.len,
                                                 .local_error = why.ptr ? charle_arena_str(&arena, why).ptr : NULL};
            ch_sql_end(row);
        }
        pthread_mutex_unlock(&client->replica.look_mutex);
        if (rc == CHARLE_OK)
            goes_on = fn(ctx, &entry);
        charle_arena_deinit(&arena);
    }
    return (int)(rc == CHARLE_DONE ? CHARLE_OK : rc);
}

static void read_entry(struct charle_client *client, sqlite3_stmt *row, struct charle_arena *arena, struct charle_inbox_entry *out)
{
    const struct charle_table *table = charle_schema_table(client->replica.schema, (uint32_t)sqlite3_column_int64(row, 9));
    struct charle_bytes request = charle_arena_bytes(arena, ch_sql_bytes(row, 8)), bytes = ch_sql_bytes(row, 11);
    struct charle_str key = ch_sql_text(row, 10);
    *out = (struct charle_inbox_entry){.id = sqlite3_column_int64(row, 0),
                                       .ticket = sqlite3_column_int64(row, 1),
                                       .verdict = (enum charle_client_verdict)sqlite3_column_int(row, 2),
                                       .code = sqlite3_column_int(row, 3),
                                       .at_us = sqlite3_column_int64(row, 4),
                                       .call_at_us = sqlite3_column_int64(row, 5),
                                       .text = charle_arena_str(arena, ch_sql_text(row, 6)).ptr,
                                       .method = charle_arena_str(arena, ch_sql_text(row, 7)).ptr,
                                       .request = request.ptr,
                                       .request_size = request.len,
                                       .table = table ? table->name.ptr : NULL,
                                       .key = key.ptr ? charle_arena_str(arena, key).ptr : NULL};
    if (bytes.ptr) {
        out->row = charle_arena_bytes(arena, bytes).ptr;
        out->row_size = bytes.len;
    }
}

int charle_client_inbox(struct charle_client *client, charle_inbox_fn fn, void *ctx, struct charle_error *err)
{
    struct ch_sql *sql = &client->replica.look;
    enum charle_err rc = CHARLE_OK;
    bool goes_on = true;
    for (int64_t id = 0; goes_on && rc == CHARLE_OK;) {
        sqlite3_stmt *row;
        struct charle_arena arena = {0};
        struct charle_inbox_entry entry = {0};
        pthread_mutex_lock(&client->replica.look_mutex);
        rc = ch_sql_one(sql, CH_SQL_INBOX_LIST, &row, err, "i", id);
        if (rc == CHARLE_OK) {
            read_entry(client, row, &arena, &entry);
            id = entry.id;
            ch_sql_end(row);
        }
        pthread_mutex_unlock(&client->replica.look_mutex);
        if (rc == CHARLE_OK)
            goes_on = fn(ctx, &entry);
        charle_arena_deinit(&arena);
    }
    return (int)(rc == CHARLE_DONE ? CHARLE_OK : rc);
}

// --- dealing with verdicts ------------------------------------------------------------------------------------------------

static enum charle_err need_writer(const struct charle_client *client, struct charle_error *err)
{
    return client->is_read_only ? charle_fail(err, CHARLE_READ_ONLY, "this replica was opened for reading only") : CHARLE_OK;
}

int charle_client_inbox_dismiss(struct charle_client *client, int64_t id, struct charle_error *err)
{
    struct ch_sql *sql = &client->replica.sql;
    sqlite3_stmt *row;
    enum charle_err rc = need_writer(client, err);
    if (rc == CHARLE_OK)
        rc = ch_replica_begin(&client->replica, CH_DURABLE, err);
    if (rc)
        return (int)rc;
    if (id == 0) {
        rc = ch_sql_run(sql, CH_SQL_INBOX_CLEAR, err, "");
    } else {
        rc = ch_sql_one(sql, CH_SQL_INBOX_GET, &row, err, "i", id);
        if (rc == CHARLE_OK) {
            ch_sql_end(row);
            rc = ch_sql_run(sql, CH_SQL_INBOX_DELETE, err, "i", id);
        } else if (rc == CHARLE_DONE) {
            rc = charle_fail(err, CHARLE_NOT_FOUND, "there is no verdict %lld", (long long)id);
        }
    }
    rc = ch_replica_end(&client->replica, rc, err);
    if (rc == CHARLE_OK)
        ch_client_tell(client, CHARLE_EVENT_INBOX, NULL, 0);
    return (int)rc;
}

int charle_client_inbox_retry(struct charle_client *client, int64_t id, int64_t *out_ticket, struct charle_error *err)
{
    struct ch_sql *sql = &client->replica.look;
    struct charle_arena arena = {0};
    struct charle_buf reply = {0};
    struct charle_str name = {0};
    struct charle_bytes request = {0};
    sqlite3_stmt *row;
    int64_t ticket = 0;
    enum charle_err rc = need_writer(client, err);
    if (rc)
        return (int)rc;
    pthread_mutex_lock(&client->replica.look_mutex);
    rc = ch_sql_one(sql, CH_SQL_INBOX_GET, &row, err, "i", id);
    if (rc == CHARLE_OK) {
        name = charle_arena_str(&arena, ch_sql_text(row, 6));
        request = charle_arena_bytes(&arena, ch_sql_bytes(row, 7));
        ch_sql_end(row);
    }
    pthread_mutex_unlock(&client->replica.look_mutex);
    const struct charle_method *method = rc ? NULL : charle_method_find(&client->replica.methods, name);
    if (rc == CHARLE_DONE)
        rc = charle_fail(err, CHARLE_NOT_FOUND, "there is no verdict %lld", (long long)id);
    else if (rc == CHARLE_OK && !method)
        rc = charle_fail(err, CHARLE_UNIMPLEMENTED, "this program has no method %.*s", CHARLE_FMT(name));
    if (rc == CHARLE_OK)
        rc = ch_replica_call(&client->replica, method, request, &reply, &ticket, err);
    if (rc == CHARLE_OK) {
        ch_edge_post(&client->edge, CH_EDGE_KICK);
        ch_client_tell(client, CHARLE_EVENT_ROWS | CHARLE_EVENT_CALLS, NULL, 0);
        rc = (enum charle_err)charle_client_inbox_dismiss(client, id, err);
    }
    if (out_ticket)
        *out_ticket = ticket;
    charle_buf_deinit(&reply);
    charle_arena_deinit(&arena);
    return (int)rc;
}

struct discarding {
    int64_t ticket;
};

// Takes the call out while the effects of all waiting calls are off; the others then run again.
static enum charle_err discard(struct ch_replica *replica, void *ctx, struct charle_error *err)
{
    const struct discarding *discarding = ctx;
    sqlite3_stmt *row;
    enum charle_err rc = ch_sql_one(&replica->sql, CH_SQL_OUTBOX_BY_TICKET, &row, err, "i", discarding->ticket);
    if (rc == CHARLE_DONE)
        return charle_fail(err, CHARLE_NOT_FOUND, "there is no call %lld", (long long)discarding->ticket);
    if (rc)
        return rc;
    int64_t position = sqlite3_column_int64(row, 0);
    int state = sqlite3_column_int(row, 1);
    bool has_number = sqlite3_column_type(row, 5) != SQLITE_NULL;
    ch_sql_end(row);
    if (state != CH_CALL_QUEUED || has_number)
        return charle_fail(err, CHARLE_FAILED_PRECONDITION, "call %lld was sent already; the server decides", (long long)discarding->ticket);
    return ch_sql_run(&replica->sql, CH_SQL_OUTBOX_DELETE, err, "i", position);
}

int charle_client_discard(struct charle_client *client, int64_t ticket, struct charle_error *err)
{
    struct discarding discarding = {ticket};
    enum charle_err rc = need_writer(client, err);
    if (rc == CHARLE_OK)
        rc = ch_apply_rebase(&client->replica, CH_DURABLE, discard, &discarding, err);
    if (rc == CHARLE_OK)
        ch_client_tell(client, CHARLE_EVENT_ROWS | CHARLE_EVENT_CALLS, NULL, 0);
    return (int)rc;
}
