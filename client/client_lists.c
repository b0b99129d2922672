// What waits and what the server said: the outbox and the inbox as lists, and what people do with their entries.
#include "client/edge.h"

#include "client/apply.h"
#include "client/outbox.h"
#include "msg/wire.h"
#include "sync/outbox.h"

// Copies of one row, so that the callback may use the client.
struct entry_copy {
    struct charle_arena arena;
    enum charle_err failed;
};

static const char *copy_text(struct entry_copy *copy, sqlite3_stmt *row, int column)
{
    if (sqlite3_column_type(row, column) == SQLITE_NULL)
        return NULL;
    struct charle_str text = charle_arena_str(&copy->arena, ch_lite_text(row, column));
    if (!text.ptr)
        copy->failed = CHARLE_NO_MEMORY;
    return text.ptr ? text.ptr : "";
}

static const void *copy_bytes(struct entry_copy *copy, sqlite3_stmt *row, int column, size_t *out_size)
{
    struct charle_bytes bytes = ch_lite_bytes(row, column);
    *out_size = bytes.len;
    if (sqlite3_column_type(row, column) == SQLITE_NULL)
        return NULL;
    bytes = charle_arena_bytes(&copy->arena, bytes);
    if (!bytes.ptr)
        copy->failed = CHARLE_NO_MEMORY;
    return bytes.ptr ? bytes.ptr : (const void *)"";
}

// --- the outbox ---------------------------------------------------------------------------------------------------------------

static enum charle_err next_call(struct charle_client *client, struct entry_copy *copy, int64_t *position,
                                 struct charle_outbox_entry *out, struct charle_error *err)
{
    sqlite3_stmt *row;
    charle_arena_reset(&copy->arena);
    pthread_mutex_lock(&client->replica.look_mutex);
    enum charle_err rc = ch_lite_one(&client->replica.look, CH_LITE_OUTBOX_LIST, &row, err, "i", *position);
    if (!rc) {
        *position = sqlite3_column_int64(row, 0);
        *out = (struct charle_outbox_entry){
            .ticket = sqlite3_column_int64(row, 1), .state = ch_outbox_shown(sqlite3_column_int(row, 2)),
            .at_us = sqlite3_column_int64(row, 3), .method = copy_text(copy, row, 4), .local_error = copy_text(copy, row, 6)};
        out->request = copy_bytes(copy, row, 5, &out->request_size);
        out->method = out->method ? out->method : ""; // of a damaged file
        ch_lite_end(row);
    }
    pthread_mutex_unlock(&client->replica.look_mutex);
    return !rc && copy->failed ? charle_fail(err, copy->failed, "no memory for an entry of the outbox") : rc;
}

int charle_client_outbox(struct charle_client *client, charle_outbox_fn fn, void *ctx, struct charle_error *err)
{
    struct entry_copy copy = {0};
    struct charle_outbox_entry entry;
    int64_t position = 0;
    enum charle_err rc;
    while ((rc = next_call(client, &copy, &position, &entry, err)) == CHARLE_OK) {
        if (!fn(ctx, &entry))
            break;
    }
    charle_arena_deinit(&copy.arena);
    return rc == CHARLE_DONE ? 0 : (int)rc;
}

static enum charle_err delete_call(struct ch_replica *replica, void *ctx, struct charle_error *err)
{
    int64_t ticket = *(const int64_t *)ctx;
    sqlite3_stmt *row;
    enum charle_err rc = ch_lite_one(&replica->sql, CH_LITE_OUTBOX_BY_TICKET, &row, err, "i", ticket);
    if (rc)
        return rc == CHARLE_DONE ? charle_fail(err, CHARLE_NOT_FOUND, "there is no call %lld", (long long)ticket) : rc;
    int64_t position = sqlite3_column_int64(row, 0);
    int state = sqlite3_column_int(row, 1);
    ch_lite_end(row);
    if (state != CH_CALL_QUEUED)
        return charle_fail(err, CHARLE_FAILED_PRECONDITION, "call %lld has been sent; make another one that undoes it", (long long)ticket);
    return ch_lite_run(&replica->sql, CH_LITE_OUTBOX_DELETE, err, "i", position);
}

static void tell(struct charle_client *client, unsigned events)
{
    uint32_t tables[CH_TABLES_MAX];
    size_t count = ch_replica_take_changed(&client->replica, tables);
    ch_edge_changed(client, events | (count ? CHARLE_EVENT_ROWS : 0u), tables, count);
    ch_edge_wish(client, EDGE_KICK, NULL);
}

int charle_client_discard(struct charle_client *client, int64_t ticket, struct charle_error *err)
{
    enum charle_err rc = ch_apply_rebase(&client->replica, CH_DURABLE, delete_call, &ticket, err);
    if (!rc)
        tell(client, CHARLE_EVENT_CALLS);
    return rc;
}

// --- the inbox ----------------------------------------------------------------------------------------------------------------

static enum charle_err next_verdict(struct charle_client *client, struct entry_copy *copy, int64_t after,
                                    struct charle_inbox_entry *out, struct charle_error *err)
{
    sqlite3_stmt *row;
    charle_arena_reset(&copy->arena);
    pthread_mutex_lock(&client->replica.look_mutex);
    enum charle_err rc = ch_lite_one(&client->replica.look, CH_LITE_INBOX_LIST, &row, err, "i", after);
    if (!rc) {
        const struct charle_table *table = charle_schema_table(client->replica.schema, (uint32_t)sqlite3_column_int64(row, 9));
        *out = (struct charle_inbox_entry){
            .id = sqlite3_column_int64(row, 0), .ticket = sqlite3_column_int64(row, 1),
            .verdict = (enum charle_client_verdict)sqlite3_column_int(row, 2), .code = sqlite3_column_int(row, 3),
            .at_us = sqlite3_column_int64(row, 4), .call_at_us = sqlite3_column_int64(row, 5), .text = copy_text(copy, row, 6),
            .method = copy_text(copy, row, 7), .table = table ? table->name.ptr : NULL, .key = copy_text(copy, row, 10)};
        out->request = copy_bytes(copy, row, 8, &out->request_size);
        out->row = copy_bytes(copy, row, 11, &out->row_size);
        out->text = out->text ? out->text : "";
        out->method = out->method ? out->method : "";
        ch_lite_end(row);
    }
    pthread_mutex_unlock(&client->replica.look_mutex);
    return !rc && copy->failed ? charle_fail(err, copy->failed, "no memory for an entry of the inbox") : rc;
}

int charle_client_inbox(struct charle_client *client, charle_inbox_fn fn, void *ctx, struct charle_error *err)
{
    struct entry_copy copy = {0};
    struct charle_inbox_entry entry = {0};
    enum charle_err rc;
    while ((rc = next_verdict(client, &copy, entry.id, &entry, err)) == CHARLE_OK) {
        if (!fn(ctx, &entry))
            break;
    }
    charle_arena_deinit(&copy.arena);
    return rc == CHARLE_DONE ? 0 : (int)rc;
}

int charle_client_inbox_dismiss(struct charle_client *client, int64_t id, struct charle_error *err)
{
    struct ch_replica *replica = &client->replica;
    enum charle_err rc = ch_replica_begin(replica, CH_DURABLE, err);
    if (rc)
        return rc;
    rc = id ? ch_lite_run(&replica->sql, CH_LITE_INBOX_DELETE, err, "i", id) : ch_lite_run(&replica->sql, CH_LITE_INBOX_CLEAR, err, "");
    if (!rc && id && sqlite3_changes(replica->sql.db) == 0)
        rc = charle_fail(err, CHARLE_NOT_FOUND, "there is no verdict %lld", (long long)id);
    rc = ch_replica_end(replica, rc, err);
    if (!rc)
        tell(client, CHARLE_EVENT_INBOX);
    return rc;
}

int charle_client_inbox_retry(struct charle_client *client, int64_t id, int64_t *out_ticket, struct charle_error *err)
{
    int64_t ticket = 0;
    enum charle_err rc = ch_replica_call_again(&client->replica, id, NULL, &ticket, err);
    if (rc)
        return rc;
    if (out_ticket)
        *out_ticket = ticket;
    tell(client, CHARLE_EVENT_CALLS | CHARLE_EVENT_INBOX);
    return CHARLE_OK;
}

struct method_name {
    int64_t id;
    const struct charle_method *method;
    struct charle_client *client;
};

static bool find_method(void *ctx, const struct charle_inbox_entry *entry)
{
    struct method_name *name = ctx;
    if (entry->id == name->id)
        name->method = charle_client_method(name->client, entry->method);
    return entry->id < name->id;
}

int charle_client_inbox_redo(struct charle_client *client, int64_t id, const void *request, int64_t *out_ticket, struct charle_error *err)
{
    struct method_name name = {.id = id, .client = client};
    struct ch_call_change change = {0};
    struct charle_buf bytes = {0};
    int64_t ticket = 0;
    int rc = request ? charle_client_inbox(client, find_method, &name, err) : 0;
    if (!rc && name.method) {
        charle_message_write(name.method->request, request, &bytes);
        change.request = charle_buf_bytes(&bytes);
        if (bytes.failed)
            rc = charle_fail(err, bytes.failed, "no memory for a request");
    }
    if (!rc)
        rc = (int)ch_replica_call_again(&client->replica, id, &change, &ticket, err);
    charle_buf_deinit(&bytes);
    if (rc)
        return rc;
    if (out_ticket)
        *out_ticket = ticket;
    tell(client, CHARLE_EVENT_CALLS | CHARLE_EVENT_INBOX);
    return CHARLE_OK;
}
