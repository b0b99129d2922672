#include "server/sync/order.h"

#include "sync/file.h"

enum { DEVICES_MAX = 1000, KEY_SIZE_MAX = 64 };

// Keys are secrets of devices, so only their hashes are kept.
static struct charle_value key_value(struct charle_bytes key, uint8_t hash[CH_FILE_HASH_SIZE])
{
    ch_file_hash(key, hash);
    return key.len ? charle_blob(charle_bytes(hash, CH_FILE_HASH_SIZE)) : charle_null(CHARLE_TYPE_BYTES);
}

static enum charle_err check_key(struct charle_bytes key, struct charle_error *err)
{
    return key.len >= 16 && key.len <= KEY_SIZE_MAX ? CHARLE_OK
                                                    : charle_fail(err, CHARLE_INVALID_ARGUMENT, "a device's key has 16 to %d bytes", KEY_SIZE_MAX);
}

// Who does not fit, or has no order, gets no row.
static enum charle_err run_order(struct charle_db *db, const char *sql, const struct charle_value *params, size_t count, uint32_t *out,
                                 struct charle_error *err)
{
    int64_t order = CH_ORDER_NONE;
    enum charle_err rc = charle_query_number(db, sql, params, count, &order, err);
    *out = (uint32_t)order;
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

#define ORDER_SQL "(case when d.wipe_at is null then 0 when d.wipe_pushes then 2 else 1 end)::int8"
#define TOLD_SQL  "told_at = case when d.wipe_at is null then null else coalesce(d.told_at, now()) end"

enum charle_err ch_order_of_open(struct charle_db *db, const struct charle_open_request *request, uint32_t *out, struct charle_error *err)
{
    uint8_t hash[CH_FILE_HASH_SIZE];
    struct charle_bytes key = request->device_key.has ? request->device_key.value : (struct charle_bytes){0};
    enum charle_err rc = key.len ? check_key(key, err) : CHARLE_OK;
    if (rc)
        return rc;
    const struct charle_value params[] = {charle_text(request->device_id), key_value(key, hash)};
    return run_order(db, "update charle.device d set key_hash = coalesce(d.key_hash, $2), " TOLD_SQL " where d.id = $1 returning " ORDER_SQL, params, 2,
                     out, err);
}

enum charle_err ch_order_ask(struct charle_db *db, const struct charle_device_order_request *request, uint32_t *out, struct charle_error *err)
{
    uint8_t hash[CH_FILE_HASH_SIZE];
    enum charle_err rc = check_key(request->device_key, err);
    if (rc)
        return rc;
    const struct charle_value params[] = {charle_text(request->device_id), key_value(request->device_key, hash)};
    return run_order(db, "update charle.device d set " TOLD_SQL " where d.id = $1 and d.key_hash = $2 and d.wipe_at is not null returning " ORDER_SQL,
                     params, 2, out, err);
}

enum charle_err ch_order_done(struct charle_db *db, const struct charle_device_wiped_request *request, struct charle_error *err)
{
    uint8_t hash[CH_FILE_HASH_SIZE];
    int64_t changed = 0;
    enum charle_err rc = check_key(request->device_key, err);
    if (rc)
        return rc;
    const struct charle_value params[] = {charle_text(request->device_id), key_value(request->device_key, hash), charle_int8(request->calls_lost)};
    rc = charle_exec(db,
                     "update charle.device d set wiped_at = now(), wiped_calls = $3 where d.id = $1 and d.key_hash = $2 and d.wipe_at is not null",
                     params, 3, &changed, err);
    return rc || changed ? rc : charle_fail(err, CHARLE_FAILED_PRECONDITION, "this device was not ordered to wipe its replica");
}

enum charle_err ch_order_give(struct charle_db *db, const struct ch_sync_peer *peer, bool is_operator,
                              const struct charle_device_wipe_request *request, struct charle_error *err)
{
    const struct charle_value params[] = {charle_text(request->device_id), charle_text(peer->principal), charle_text(peer->id), charle_bool(is_operator),
                                          charle_bool(request->pushes_first.has && request->pushes_first.value),
                                          charle_bool(request->takes_back.has && request->takes_back.value)};
    int64_t changed = 0;
    enum charle_err rc = charle_exec(db,
                                     "update charle.device d set wipe_at = case when $6 then null else coalesce(d.wipe_at, now()) end, "
                                     "wipe_pushes = $5 and not $6, told_at = case when not $6 then d.told_at end, "
                                     "wipe_by = case when not $6 then $2::text || ':' || $3::text end "
                                     "where d.id = $1 and ($4 or (d.principal = $2 and d.principal_id = $3)) and not ($6 and d.wiped_at is not null)",
                                     params, 6, &changed, err);
    return rc || changed ? rc
                         : charle_fail(err, CHARLE_NOT_FOUND, "there is no device %.*s of yours that can be ordered so; `devices` lists them",
                                       CHARLE_FMT(request->device_id));
}

// --- the list -----------------------------------------------------------------------------------------------------------

static enum charle_err read_time(struct charle_rows *rows, size_t column, struct charle_opt_ts *out, struct charle_error *err)
{
    struct charle_value value;
    enum charle_err rc = charle_rows_value(rows, column, CHARLE_TYPE_TIMESTAMPTZ, false, &value, err);
    if (rc == CHARLE_OK)
        *out = (struct charle_opt_ts){value.is_null ? (struct charle_ts){0} : value.ts, !value.is_null};
    return rc;
}

static enum charle_err read_texts(struct charle_rows *rows, struct charle_arena *arena, struct charle_device_entry *out, struct charle_error *err)
{
    struct charle_str *const texts[] = {&out->id, &out->principal, &out->principal_id, &out->name.value};
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; rc == CHARLE_OK && i < 4; i++) {
        struct charle_value value;
        rc = charle_rows_value(rows, i, CHARLE_TYPE_TEXT, false, &value, err);
        if (rc == CHARLE_OK && i == 3)
            out->name.has = !value.is_null;
        if (rc == CHARLE_OK && !value.is_null) {
            *texts[i] = charle_arena_str(arena, value.text);
            if (!texts[i]->ptr)
                rc = charle_fail(err, CHARLE_NO_MEMORY, "no memory for the list of devices");
        }
    }
    return rc;
}

static enum charle_err read_entry(struct charle_rows *rows, struct charle_arena *arena, struct charle_device_entry *out, struct charle_error *err)
{
    struct charle_opt_ts opened = {0};
    struct charle_value value;
    *out = (struct charle_device_entry){0};
    enum charle_err rc = read_texts(rows, arena, out, err);
    if (rc == CHARLE_OK)
        rc = read_time(rows, 4, &opened, err);
    out->opened_at = opened.value;
    if (rc == CHARLE_OK)
        rc = read_time(rows, 5, &out->wipe_ordered_at, err);
    if (rc == CHARLE_OK)
        rc = read_time(rows, 6, &out->wipe_told_at, err);
    if (rc == CHARLE_OK)
        rc = read_time(rows, 7, &out->wiped_at, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 8, CHARLE_TYPE_INT8, false, &value, err);
    if (rc == CHARLE_OK && !value.is_null)
        out->calls_lost = (struct charle_opt_int8){value.int8, true};
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 9, CHARLE_TYPE_BOOL, false, &value, err);
    if (rc == CHARLE_OK && out->wipe_ordered_at.has)
        out->pushes_first = (struct charle_opt_bool){value.boolean, true};
    return rc;
}

enum charle_err ch_order_list(struct charle_db *db, const struct ch_sync_peer *peer, bool is_operator, struct charle_arena *arena,
                              struct charle_device_list_reply *out, struct charle_error *err)
{
    const struct charle_value params[] = {charle_text(peer->principal), charle_text(peer->id), charle_bool(is_operator), charle_int8(DEVICES_MAX)};
    struct charle_rows *rows = NULL;
    struct charle_device_entry *entries = charle_arena_array(arena, DEVICES_MAX, sizeof(*entries));
    const struct charle_device_entry **list = charle_arena_array(arena, DEVICES_MAX, sizeof(*list));
    size_t count = 0;
    if (!entries || !list)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the list of devices");
    enum charle_err rc = charle_query(db,
                                      "select d.id, d.principal, d.principal_id, d.name, d.opened_at, d.wipe_at, d.told_at, d.wiped_at, d.wiped_calls, "
                                      "d.wipe_pushes from charle.device d where $3 or (d.principal = $1 and d.principal_id = $2) "
                                      "order by d.opened_at desc, d.id limit $4",
                                      params, 4, &rows, err);
    while (rc == CHARLE_OK && (rc = charle_rows_next(rows, err)) == CHARLE_OK && count < DEVICES_MAX) {
        rc = read_entry(rows, arena, &entries[count], err);
        list[count] = &entries[count];
        count += rc == CHARLE_OK;
    }
    charle_rows_close(rows);
    out->device = (struct charle_array){.items = list, .count = count, .has = true};
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}
