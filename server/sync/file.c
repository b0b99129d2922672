#include "server/sync/file.h"

#include "base/limits.h"
#include "server/sync/parts.h"
#include "sync/file.h"

#include <inttypes.h>
#include <sodium.h>

enum { PIECES_A_READ = 16 }; // 4 MiB in memory while a whole file is checked

// One request about one file, in one transaction.
struct filing {
    const struct ch_sync *sync;
    const struct ch_sync_peer *peer;
    const struct ch_file_limits *limits;
    const struct charle_file_offer *offer;
    const struct charle_file_piece *piece;
    char name[CH_FILE_NAME_LEN + 1];
    int64_t content; // 0: none
    int64_t size, received;
    bool is_held;    // all bytes are here and the peer may refer to them
    bool is_false;   // all bytes are here and are not what was offered
};

static struct charle_value text_of(const char *text)
{
    return charle_text(charle_str(text));
}

// The first row's numbers; *out_found false without a row.
static enum charle_err read_numbers(struct charle_db *db, const char *sql, const struct charle_value *params, size_t count, int64_t *out,
                                    size_t out_count, bool *out_found, struct charle_error *err)
{
    struct charle_rows *rows = NULL;
    struct charle_value value;
    *out_found = false;
    enum charle_err rc = charle_query(db, sql, params, count, &rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_next(rows, err);
    for (size_t i = 0; rc == CHARLE_OK && i < out_count; i++) {
        rc = charle_rows_value(rows, i, CHARLE_TYPE_INT8, false, &value, err);
        out[i] = value.is_null ? 0 : value.int8;
        *out_found = true;
    }
    charle_rows_close(rows);
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

static enum charle_err read_name(struct filing *filing, struct charle_bytes hash, struct charle_error *err)
{
    if (hash.len != CH_FILE_HASH_SIZE)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "a file is named by a hash of %d bytes, not %zu", CH_FILE_HASH_SIZE, hash.len);
    ch_file_name_write(hash.ptr, filing->name);
    return CHARLE_OK;
}

// --- what is known ------------------------------------------------------------------------------------------------------

static enum charle_err scopes_show(struct filing *filing, struct charle_db *db, bool *out, struct charle_error *err)
{
    const struct charle_str *scopes;
    size_t count;
    struct charle_arena arena = {0};
    enum charle_err rc = ch_sync_scopes_of(filing->sync, db, filing->peer, &arena, &scopes, &count, err);
    if (rc == CHARLE_OK)
        rc = ch_file_may_read(filing->sync, db, charle_str(filing->name), scopes, count, out, err);
    charle_arena_deinit(&arena);
    return rc;
}

static enum charle_err add_holder(struct filing *filing, struct charle_db *db, struct charle_error *err)
{
    const struct charle_value params[] = {text_of(filing->name), charle_text(filing->peer->principal), charle_text(filing->peer->id)};
    return charle_exec(db, "insert into charle.file_holder (hash, principal, principal_id) values ($1, $2, $3) on conflict do nothing", params, 3,
                       NULL, err);
}

// Is the file here and this person's to refer to? Its row is locked, so it stays until the transaction ends, and its time begins anew.
static enum charle_err find_held(struct filing *filing, struct charle_db *db, struct charle_error *err)
{
    const struct charle_value params[] = {text_of(filing->name), charle_text(filing->peer->principal), charle_text(filing->peer->id)};
    int64_t numbers[2];
    bool is_here, may_read = false;
    enum charle_err rc = read_numbers(db,
                                      "with f as (update charle.file set touched_at = now() where hash = $1 returning hash, content) "
                                      "select c.size, (select count(*) from charle.file_holder h where h.hash = f.hash and h.principal = $2 "
                                      "and h.principal_id = $3) from f join charle.content c on c.id = f.content",
                                      params, 3, numbers, 2, &is_here, err);
    if (rc || !is_here)
        return rc;
    if (!numbers[1])
        rc = scopes_show(filing, db, &may_read, err);
    if (!rc && may_read)
        rc = add_holder(filing, db, err);
    filing->is_held = !rc && (numbers[1] || may_read);
    filing->size = filing->received = numbers[0];
    return rc;
}

// The person's upload of the file, locked.
static enum charle_err find_upload(struct filing *filing, struct charle_db *db, struct charle_error *err)
{
    const struct charle_value params[] = {text_of(filing->name), charle_text(filing->peer->principal), charle_text(filing->peer->id)};
    int64_t numbers[3];
    bool is_here;
    enum charle_err rc = read_numbers(db,
                                      "select id, size, received from charle.content where hash = $1 and principal = $2 and principal_id = $3 "
                                      "and not is_whole for update",
                                      params, 3, numbers, 3, &is_here, err);
    if (!rc && is_here) {
        filing->content = numbers[0];
        filing->size = numbers[1];
        filing->received = numbers[2];
    }
    return rc;
}

static enum charle_err forget_upload(struct filing *filing, struct charle_db *db, struct charle_error *err)
{
    const struct charle_value param = charle_int8(filing->content);
    filing->content = 0;
    return charle_exec(db, "delete from charle.content where id = $1", &param, 1, NULL, err);
}

// --- the last piece -----------------------------------------------------------------------------------------------------

static enum charle_err hash_pieces(struct filing *filing, struct charle_db *db, crypto_generichash_state *state, struct charle_error *err)
{
    int64_t count = (filing->size + CH_FILE_PIECE_SIZE - 1) / CH_FILE_PIECE_SIZE;
    enum charle_err rc = CHARLE_OK;
    for (int64_t n = 0; rc == CHARLE_OK && n < count; n += PIECES_A_READ) {
        const struct charle_value params[] = {charle_int8(filing->content), charle_int4((int32_t)n), charle_int4((int32_t)(n + PIECES_A_READ))};
        struct charle_rows *rows = NULL;
        struct charle_value data;
        rc = charle_query(db, "select data from charle.piece where content = $1 and n >= $2 and n < $3 order by n", params, 3, &rows, err);
        while (rc == CHARLE_OK && (rc = charle_rows_next(rows, err)) == CHARLE_OK) {
            rc = charle_rows_value(rows, 0, CHARLE_TYPE_BYTES, false, &data, err);
            if (rc == CHARLE_OK)
                crypto_generichash_update(state, data.bytes.ptr, data.bytes.len);
        }
        charle_rows_close(rows);
        rc = rc == CHARLE_DONE ? CHARLE_OK : rc;
    }
    return rc;
}

// All bytes are here: they are the file, another copy of a file that is here already, or not what was offered.
static enum charle_err finish(struct filing *filing, struct charle_db *db, struct charle_error *err)
{
    const struct charle_value params[] = {text_of(filing->name), charle_int8(filing->content)};
    crypto_generichash_state state;
    uint8_t hash[CH_FILE_HASH_SIZE];
    char name[CH_FILE_NAME_LEN + 1];
    int64_t added = 0;
    crypto_generichash_init(&state, NULL, 0, sizeof(hash));
    enum charle_err rc = hash_pieces(filing, db, &state, err);
    if (rc)
        return rc;
    crypto_generichash_final(&state, hash, sizeof(hash));
    ch_file_name_write(hash, name);
    filing->is_false = memcmp(name, filing->name, sizeof(name)) != 0;
    if (filing->is_false)
        return forget_upload(filing, db, err);
    rc = charle_exec(db, "insert into charle.file (hash, content) values ($1, $2) on conflict (hash) do update set touched_at = now() "
                         "where charle.file.content = $2", params, 2, &added, err);
    if (rc == CHARLE_OK && added)
        rc = charle_exec(db, "update charle.content set is_whole = true where id = $1", &params[1], 1, NULL, err);
    else if (rc == CHARLE_OK)
        rc = forget_upload(filing, db, err);
    if (rc == CHARLE_OK)
        rc = add_holder(filing, db, err);
    filing->is_held = rc == CHARLE_OK;
    return rc;
}

static void answer(const struct filing *filing, struct charle_file_offer_reply *out)
{
    *out = (struct charle_file_offer_reply){.is_held = filing->is_held, .next = filing->received, .piece_size = CH_FILE_PIECE_SIZE};
}

// --- offering -----------------------------------------------------------------------------------------------------------

static enum charle_err check_room(struct filing *filing, struct charle_db *db, struct charle_error *err)
{
    const struct charle_value params[] = {charle_text(filing->peer->principal), charle_text(filing->peer->id)};
    int64_t numbers[2];
    bool is_there;
    enum charle_err rc = read_numbers(db,
                                      "select count(*) filter (where not is_whole and principal = $1 and principal_id = $2), "
                                      "coalesce(sum(size), 0)::int8 from charle.content",
                                      params, 2, numbers, 2, &is_there, err);
    if (rc)
        return rc;
    if (numbers[0] >= CH_FILE_UPLOADS_MAX)
        return charle_fail(err, CHARLE_RESOURCE_EXHAUSTED, "%d files of this person are on their way: finish some of them first", CH_FILE_UPLOADS_MAX);
    if (numbers[1] > filing->limits->store_max - filing->offer->size)
        return charle_fail(err, CHARLE_RESOURCE_EXHAUSTED, "the server has no room for a file of %" PRId64 " bytes: tell its operator (files-max)",
                           filing->offer->size);
    return CHARLE_OK;
}

static enum charle_err begin_upload(struct filing *filing, struct charle_db *db, struct charle_error *err)
{
    const struct charle_file_offer *offer = filing->offer;
    const struct charle_value params[] = {text_of(filing->name), charle_text(filing->peer->principal), charle_text(filing->peer->id),
                                          charle_int8(offer->size),
                                          offer->media_type.has ? charle_text(offer->media_type.value) : charle_null(CHARLE_TYPE_TEXT)};
    enum charle_err rc = check_room(filing, db, err);
    if (rc == CHARLE_OK)
        rc = charle_exec(db, "insert into charle.content (hash, principal, principal_id, size, media_type) values ($1, $2, $3, $4, $5) "
                             "on conflict (principal, principal_id, hash) where not is_whole do nothing", params, 5, NULL, err);
    return rc ? rc : find_upload(filing, db, err);
}

static enum charle_err run_offer(struct charle_db *db, void *ctx, struct charle_error *err)
{
    struct filing *filing = ctx;
    filing->content = 0;
    filing->is_held = filing->is_false = false;
    enum charle_err rc = find_held(filing, db, err);
    if (rc || filing->is_held)
        return rc;
    filing->received = 0;
    rc = find_upload(filing, db, err);
    if (rc == CHARLE_OK && filing->content && filing->size != filing->offer->size)
        rc = forget_upload(filing, db, err); // one of the two sizes is wrong: the last one is believed
    const struct charle_value param = charle_int8(filing->content);
    if (rc == CHARLE_OK && !filing->content)
        rc = begin_upload(filing, db, err);
    else if (rc == CHARLE_OK)
        rc = charle_exec(db, "update charle.content set touched_at = now() where id = $1", &param, 1, NULL, err);
    if (rc == CHARLE_OK && filing->content && filing->received == filing->size)
        rc = finish(filing, db, err);
    return rc;
}

static enum charle_err refuse_false(const struct filing *filing, struct charle_error *err)
{
    return charle_fail(err, CHARLE_CONFLICT, "the bytes that came do not have the hash %.12s… they were offered under: offer the file again",
                       filing->name);
}

enum charle_err ch_file_offer(const struct ch_sync *sync, struct charle_db *db, const struct ch_sync_peer *peer,
                              const struct ch_file_limits *limits, const struct charle_file_offer *request,
                              struct charle_file_offer_reply *out, struct charle_error *err)
{
    struct filing filing = {.sync = sync, .peer = peer, .limits = limits, .offer = request};
    enum charle_err rc = read_name(&filing, request->hash, err);
    if (rc)
        return rc;
    if (request->size < 0)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "a file has no negative size");
    if (request->size > limits->size_max)
        return charle_fail(err, CHARLE_TOO_LARGE, "a file of %" PRId64 " bytes is larger than this server takes (%" PRId64 ")", request->size,
                           limits->size_max);
    if (request->media_type.has && request->media_type.value.len > CH_FILE_MEDIA_TYPE_LEN_MAX)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "a media type has at most %d characters, such as image/png", CH_FILE_MEDIA_TYPE_LEN_MAX);
    rc = charle_transaction(db, NULL, run_offer, &filing, err);
    if (rc == CHARLE_OK && filing.is_false)
        rc = refuse_false(&filing, err);
    answer(&filing, out);
    return rc;
}

// --- pieces that come ---------------------------------------------------------------------------------------------------

static enum charle_err take_piece(struct filing *filing, struct charle_db *db, struct charle_error *err)
{
    const struct charle_file_piece *piece = filing->piece;
    const char *wrong = ch_file_piece_check(filing->size, filing->received, piece->at, piece->data, piece->data_hash);
    if (wrong)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the piece of %.12s… at %" PRId64 " is damaged: %s", filing->name, piece->at, wrong);
    const struct charle_value params[] = {charle_int8(filing->content), charle_int4((int32_t)(piece->at / CH_FILE_PIECE_SIZE)),
                                          charle_blob(piece->data), charle_int8(piece->at + (int64_t)piece->data.len)};
    enum charle_err rc = charle_exec(db, "insert into charle.piece (content, n, data) values ($1, $2, $3)", params, 3, NULL, err);
    const struct charle_value ends[] = {params[0], params[3]};
    if (rc == CHARLE_OK)
        rc = charle_exec(db, "update charle.content set received = $2, touched_at = now() where id = $1", ends, 2, NULL, err);
    filing->received = piece->at + (int64_t)piece->data.len;
    return rc || filing->received < filing->size ? rc : finish(filing, db, err);
}

static enum charle_err run_put(struct charle_db *db, void *ctx, struct charle_error *err)
{
    struct filing *filing = ctx;
    filing->content = 0;
    filing->is_held = filing->is_false = false;
    enum charle_err rc = find_upload(filing, db, err);
    if (rc == CHARLE_OK && !filing->content) // the answer to the last piece may have been lost
        rc = find_held(filing, db, err);
    if (rc || filing->is_held)
        return rc;
    if (!filing->content)
        return charle_fail(err, CHARLE_FAILED_PRECONDITION, "no upload of %.12s… is open: offer the file first", filing->name);
    return filing->piece->at == filing->received ? take_piece(filing, db, err) : CHARLE_OK;
}

enum charle_err ch_file_put(const struct ch_sync *sync, struct charle_db *db, const struct ch_sync_peer *peer,
                            const struct charle_file_piece *request, struct charle_file_offer_reply *out, struct charle_error *err)
{
    struct filing filing = {.sync = sync, .peer = peer, .piece = request};
    enum charle_err rc = read_name(&filing, request->hash, err);
    if (rc == CHARLE_OK)
        rc = charle_transaction(db, NULL, run_put, &filing, err);
    if (rc == CHARLE_OK && filing.is_false)
        rc = refuse_false(&filing, err);
    answer(&filing, out);
    return rc;
}

// --- pieces that go -----------------------------------------------------------------------------------------------------

static enum charle_err read_piece(struct filing *filing, struct charle_db *db, const struct charle_file_request *request,
                                  struct charle_arena *arena, struct charle_file_piece *out, struct charle_error *err)
{
    const struct charle_value params[] = {text_of(filing->name), charle_int4((int32_t)(request->at / CH_FILE_PIECE_SIZE))};
    struct charle_rows *rows = NULL;
    struct charle_value size, type, data;
    uint8_t hash[CH_FILE_HASH_SIZE];
    enum charle_err rc = charle_query(db,
                                      "select c.size, c.media_type, p.data from charle.file f join charle.content c on c.id = f.content "
                                      "left join charle.piece p on p.content = c.id and p.n = $2 where f.hash = $1",
                                      params, 2, &rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_next(rows, err);
    if (rc == CHARLE_DONE)
        rc = CHARLE_NOT_FOUND;
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 0, CHARLE_TYPE_INT8, false, &size, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 1, CHARLE_TYPE_TEXT, false, &type, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 2, CHARLE_TYPE_BYTES, false, &data, err);
    if (rc == CHARLE_OK && (data.is_null ? size.int8 != 0 : false))
        rc = charle_fail(err, CHARLE_OUT_OF_RANGE, "the file %.12s… has no piece at %" PRId64, filing->name, request->at);
    if (rc == CHARLE_OK) {
        ch_file_hash(data.is_null ? charle_bytes("", 0) : data.bytes, hash);
        *out = (struct charle_file_piece){.at = request->at, .size = {size.int8, true}};
        out->hash = charle_arena_bytes(arena, request->hash);
        out->data = charle_arena_bytes(arena, data.is_null ? charle_bytes("", 0) : data.bytes);
        out->data_hash = charle_arena_bytes(arena, charle_bytes(hash, sizeof(hash)));
        if (!type.is_null)
            out->media_type = (struct charle_opt_text){charle_arena_str(arena, type.text), true};
        if (!out->hash.ptr || !out->data.ptr || !out->data_hash.ptr || (out->media_type.has && !out->media_type.value.ptr))
            rc = charle_fail(err, CHARLE_NO_MEMORY, "no memory for a piece of a file");
    }
    charle_rows_close(rows);
    return rc;
}

enum charle_err ch_file_get(const struct ch_sync *sync, struct charle_db *db, const struct ch_sync_peer *peer,
                            const struct charle_file_request *request, struct charle_arena *arena, struct charle_file_piece *out,
                            struct charle_error *err)
{
    const struct charle_begin_options snapshot = {.isolation = CHARLE_REPEATABLE_READ, .is_read_only = true};
    struct filing filing = {.sync = sync, .peer = peer};
    bool may_read = false;
    enum charle_err rc = read_name(&filing, request->hash, err);
    if (rc == CHARLE_OK && (request->at < 0 || request->at % CH_FILE_PIECE_SIZE || request->at >= CH_FILE_SIZE_LIMIT))
        rc = charle_fail(err, CHARLE_INVALID_ARGUMENT, "pieces of files begin at multiples of %u bytes", CH_FILE_PIECE_SIZE);
    if (rc == CHARLE_OK)
        rc = charle_begin(db, &snapshot, err);
    if (rc)
        return rc;
    rc = scopes_show(&filing, db, &may_read, err);
    if (rc == CHARLE_OK)
        rc = may_read ? read_piece(&filing, db, request, arena, out, err) : CHARLE_NOT_FOUND;
    if (rc == CHARLE_NOT_FOUND)
        charle_fail(err, rc, "there is no file %.12s… here that you may see", filing.name);
    struct charle_error ignored;
    enum charle_err end = charle_rollback(db, &ignored);
    return rc ? rc : end ? charle_fail(err, end, "%s", ignored.text) : CHARLE_OK;
}
