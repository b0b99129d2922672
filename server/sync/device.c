// Opening: a replica says who it is, and hears where the server has it.
#include "server/sync/order.h"
#include "server/sync/parts.h"
#include "server/sync/skew.h"

static enum charle_err check_owner(const struct ch_sync_peer *peer, struct charle_rows *rows, struct charle_str device, struct charle_error *err)
{
    struct charle_value principal, id;
    enum charle_err rc = charle_rows_value(rows, 0, CHARLE_TYPE_TEXT, false, &principal, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 1, CHARLE_TYPE_TEXT, false, &id, err);
    if (rc == CHARLE_OK && (!charle_str_equal(principal.text, peer->principal) || !charle_str_equal(id.text, peer->id)))
        rc = charle_fail(err, CHARLE_PERMISSION_DENIED, "device %.*s belongs to another person: use a replica of your own",
                         CHARLE_FMT(device));
    return rc;
}

static enum charle_err register_device(struct charle_db *db, const struct ch_sync_peer *peer, const struct charle_open_request *request,
                                       int64_t *out_sequence, struct charle_error *err)
{
    const struct charle_value params[] = {charle_text(request->device_id), charle_text(peer->principal), charle_text(peer->id),
                                          request->device_name.has ? charle_text(request->device_name.value) : charle_null(CHARLE_TYPE_TEXT),
                                          charle_int8((int64_t)request->schema_hash)};
    struct charle_rows *rows = NULL;
    struct charle_value sequence;
    enum charle_err rc = charle_query(db,
                                      "insert into charle.device as d (id, principal, principal_id, name, schema_hash) values ($1, $2, $3, $4, $5) "
                                      "on conflict (id) do update set opened_at = now(), name = coalesce(excluded.name, d.name), "
                                      "schema_hash = excluded.schema_hash returning principal, principal_id, last_sequence",
                                      params, 5, &rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_next(rows, err);
    if (rc == CHARLE_OK)
        rc = check_owner(peer, rows, request->device_id, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 2, CHARLE_TYPE_INT8, false, &sequence, err);
    if (rc == CHARLE_OK)
        *out_sequence = sequence.int8;
    charle_rows_close(rows);
    return rc;
}

static enum charle_err read_server_id(struct charle_db *db, struct charle_arena *arena, struct charle_bytes *out, struct charle_error *err)
{
    struct charle_rows *rows = NULL;
    struct charle_value id;
    enum charle_err rc = charle_query(db, "select server_id from charle.cluster where id = 1", NULL, 0, &rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_next(rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 0, CHARLE_TYPE_BYTES, false, &id, err);
    if (rc == CHARLE_OK)
        *out = charle_arena_bytes(arena, id.bytes);
    charle_rows_close(rows);
    return rc;
}

// Begins the epoch of the running database if nobody has, so that pushes can be told from those made under another one.
static enum charle_err read_lineage(struct charle_db *db, struct charle_opt_uint8 *out, struct charle_error *err)
{
    int64_t lineage = 0;
    enum charle_err rc = charle_exec(db, "select charle.epoch_now()", NULL, 0, NULL, err);
    if (rc == CHARLE_OK)
        rc = charle_query_number(db, "select " CH_LINEAGE_SQL, NULL, 0, &lineage, err);
    if (rc == CHARLE_OK)
        *out = (struct charle_opt_uint8){(uint64_t)lineage, true};
    return rc;
}

struct opening {
    const struct ch_sync *sync;
    const struct ch_sync_peer *peer;
    const struct charle_open_request *request;
    struct charle_arena *arena;
    struct charle_open_reply *out;
};

static enum charle_err open_device(struct charle_db *db, void *ctx, struct charle_error *err)
{
    struct opening *opening = ctx;
    const struct charle_str *scopes;
    size_t count;
    uint32_t order = 0;
    enum charle_err rc = register_device(db, opening->peer, opening->request, &opening->out->last_sequence, err);
    if (rc == CHARLE_OK)
        rc = ch_order_of_open(db, opening->request, &order, err);
    if (rc == CHARLE_OK)
        opening->out->order = (struct charle_opt_uint4){order, order != 0};
    if (rc == CHARLE_OK)
        rc = read_server_id(db, opening->arena, &opening->out->server_id, err);
    if (rc == CHARLE_OK)
        rc = read_lineage(db, &opening->out->lineage, err);
    if (rc == CHARLE_OK)
        rc = ch_sync_scopes_of(opening->sync, db, opening->peer, opening->arena, &scopes, &count, err);
    if (rc == CHARLE_OK)
        opening->out->scope = (struct charle_array){.items = scopes, .count = count, .has = true};
    return rc ? rc : charle_arena_check(opening->arena, "the opening of a replica", err);
}

enum charle_err ch_sync_open(const struct ch_sync *sync, struct charle_db *db, const struct ch_sync_peer *peer,
                             const struct charle_open_request *request, struct charle_ts now, struct charle_arena *arena,
                             struct charle_open_reply *out, struct charle_error *err)
{
    struct opening opening = {sync, peer, request, arena, out};
    *out = (struct charle_open_reply){.principal = peer->principal, .principal_id = peer->id, .now = now,
                                      .push_calls_max = {CH_PUSH_CALLS_MAX, true}, .gap = sync->gaps, .tells_gaps = {true, true}};
    enum charle_err rc = CHARLE_OK;
    if (ch_sync_is_skewed(sync))
        out->schema_hash = (struct charle_opt_uint8){ch_sync_schema_hash(sync), true};
    else
        rc = ch_sync_check_schema(sync, request->schema_hash, err);
    if (rc == CHARLE_OK && (request->device_id.len < 1 || request->device_id.len > 64))
        rc = charle_fail(err, CHARLE_INVALID_ARGUMENT, "a device id has 1 to 64 characters");
    return rc ? rc : charle_transaction(db, NULL, open_device, &opening, err);
}
