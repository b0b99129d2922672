// The scopes of a replica for its user: the list with state and storage, letting go of one, pinning.
#include "client/edge.h"

#include "client/scope_store.h"
#include "db/sqlite/sqlite.h"
#include "sync/cursor.h"

static enum charle_scope_state state_of(int state)
{
    switch ((enum ch_scope_state)state) {
    case CH_SCOPE_READY:
        return CHARLE_SCOPE_READY;
    case CH_SCOPE_COPYING:
        return CHARLE_SCOPE_COPYING;
    case CH_SCOPE_EVICTED:
        return CHARLE_SCOPE_EVICTED;
    case CH_SCOPE_REPAIR:
        return CHARLE_SCOPE_REPAIRING;
    }
    return CHARLE_SCOPE_REPAIRING;
}

struct listing {
    struct charle_client *client;
    struct ch_lite sql;
    bool with_storage;
    int64_t contact_at_us;
};

static enum charle_err fill(struct listing *listing, struct charle_scope_entry *entry, char *name, sqlite3_stmt *row, struct charle_error *err)
{
    struct charle_str scope = ch_lite_text(row, 0);
    char pin[CH_SCOPE_LEN_MAX + 8];
    int64_t pinned = 0;
    size_t len = scope.len < CH_SCOPE_LEN_MAX ? scope.len : CH_SCOPE_LEN_MAX;
    memcpy(name, scope.ptr, len);
    name[len] = '\0';
    scope = charle_str_n(name, len);
    *entry = (struct charle_scope_entry){.scope = name, .state = state_of(sqlite3_column_int(row, 3)), .stamp = sqlite3_column_int64(row, 1),
                                         .rows = -1, .bytes = -1};
    entry->true_at_us = entry->state == CHARLE_SCOPE_READY ? listing->contact_at_us : 0;
    enum charle_err rc = ch_meta_number(&listing->sql, ch_scope_pin_name(scope, pin, sizeof(pin)), 0, &pinned, err);
    entry->is_pinned = pinned != 0;
    if (rc || !listing->with_storage)
        return rc;
    return ch_scope_measure(&listing->client->replica, listing->sql.db, scope, &entry->rows, &entry->bytes, err);
}

int charle_client_scopes(struct charle_client *client, bool with_storage, charle_scope_fn fn, void *ctx, struct charle_error *err)
{
    struct charle_client_status status;
    struct charle_db *db = NULL;
    charle_client_status(client, &status);
    struct listing listing = {.client = client, .with_storage = with_storage, .contact_at_us = status.contact_at_us};
    enum charle_err rc = ch_replica_open_reader(&client->replica, &db, err);
    if (rc)
        return rc;
    listing.sql.db = ch_sqlite_handle(db);
    sqlite3_stmt *row = NULL;
    rc = charle_begin(db, &(struct charle_begin_options){.is_read_only = true}, err); // one moment for all of them
    if (!rc)
        rc = ch_lite_one(&listing.sql, CH_LITE_CURSOR_ALL, &row, err, "");
    for (; rc == CHARLE_OK; rc = ch_lite_next(&listing.sql, row, err)) {
        char name[CH_SCOPE_LEN_MAX + 1];
        struct charle_scope_entry entry;
        if (charle_str_equal(ch_scope_audience(ch_lite_text(row, 0)), CHARLE_STR("device")))
            continue;
        rc = fill(&listing, &entry, name, row, err);
        if (rc || !fn(ctx, &entry))
            break;
    }
    if (rc == CHARLE_OK && row)
        ch_lite_end(row);
    ch_lite_close_statements(&listing.sql);
    charle_db_close(db);
    return rc == CHARLE_DONE ? CHARLE_OK : (int)rc;
}

static void tell(struct charle_client *client)
{
    uint32_t tables[CH_TABLES_MAX];
    size_t count = ch_replica_take_changed(&client->replica, tables);
    ch_edge_changed(client, CHARLE_EVENT_STATUS | (count ? CHARLE_EVENT_ROWS : 0u), tables, count);
    ch_edge_wish(client, EDGE_POLICY, NULL);
}

static int check_name(const char *scope, struct charle_error *err)
{
    if (scope && *scope && strlen(scope) <= CH_SCOPE_LEN_MAX)
        return 0;
    return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the name of a scope is needed");
}

int charle_client_evict(struct charle_client *client, const char *scope, struct charle_error *err)
{
    int rc = check_name(scope, err);
    if (!rc)
        rc = (int)ch_scope_evict(&client->replica, charle_str(scope), err);
    if (!rc)
        tell(client);
    return rc;
}

int charle_client_pin(struct charle_client *client, const char *scope, bool is_pinned, struct charle_error *err)
{
    int rc = check_name(scope, err);
    if (!rc)
        rc = (int)ch_scope_pin(&client->replica, charle_str(scope), is_pinned, err);
    if (!rc)
        tell(client);
    return rc;
}
