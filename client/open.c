// Opening a session: one Open call says who this replica is and what it has, and its reply decides how to go on.
//
//   the reply                              what follows
//   the server wants the schema            asked once more, with the schema described; never twice
//   of another database, or person         BLOCKED with a sentence: a replica belongs to one of each for ever
//   its count of calls is ours             copying or pulling begins (ch_core_go_on)
//   its count is behind what it confirmed  an older database was put back: `recall_after`. The first moment shows what is lost, then the calls
//                                          go out again; those that are not kept here any more are reported (outbox.c)
//   its count is ahead, or refuses hash    this file is a copy, or an older one: probing, then the session ends and the device gets a new name
//   any other refusal                      the session ends; core.c says when the next one is tried
//
// This file owns open_call, has_sent_shape and lineage, and `reply` while Open is in flight: only in the phase OPENING, which the reply ends,
// or ch_core_end_session, pausing, a wipe. What a reply says of owner, scopes, gaps and calls is written in one transaction, so that a
// crash leaves the file as it was and the next Open asks again.
#include "client/core_parts.h"

#include "base/slow.h"
#include "client/gaps.h"
#include "msg/wire.h"
#include "sync/outbox.h"
#include "sync/shape.h"

#include <stdio.h>

enum { OPEN_TIMEOUT_MS = 30000 };

// --- the request --------------------------------------------------------------------------------------------------------------

// Names the replica's schema, and describes it to a server of another version that asked for that.
static enum charle_err fill_shape(struct ch_client_core *core, bool with_shape, struct charle_open_request *request, struct charle_error *err)
{
    struct charle_buf shape = {0};
    enum charle_err rc = ch_shape_write(core->replica->schema, &shape, err);
    if (!rc) {
        request->schema_hash = core->replica->schema->hash;
        request->shape_hash = (struct charle_opt_uint8){ch_shape_hash(charle_buf_bytes(&shape)), true};
        request->shape = (struct charle_opt_bytes){charle_arena_bytes(&core->arena, charle_buf_bytes(&shape)), with_shape};
        if (!request->shape.value.ptr)
            rc = charle_fail(err, CHARLE_NO_MEMORY, "no memory to open a session");
    }
    charle_buf_deinit(&shape);
    return rc;
}

enum charle_err ch_core_fill_open(struct ch_client_core *core, struct charle_open_request *request, struct charle_error *err)
{
    struct ch_replica *replica = core->replica;
    char id[CH_ID_LEN + 1], name[128], key[80];
    int64_t number = 0, hash = 0;
    enum charle_err rc = ch_replica_begin(replica, CH_FETCHABLE, err);
    if (rc)
        return rc;
    rc = ch_meta_text(&replica->sql, "device_id", id, sizeof(id), err);
    if (!rc)
        rc = ch_meta_text(&replica->sql, "device_name", name, sizeof(name), err);
    if (!rc)
        rc = ch_meta_text(&replica->sql, "device_key", key, sizeof(key), err);
    if (!rc)
        rc = ch_meta_number(&replica->sql, "last_sequence", 0, &number, err);
    if (!rc)
        rc = ch_meta_number(&replica->sql, "last_hash", 0, &hash, err);
    ch_replica_rollback(replica);
    if (rc)
        return rc;
    *request = (struct charle_open_request){
        .device_id = charle_arena_str(&core->arena, charle_str(id)),
        .device_name = {charle_arena_str(&core->arena, charle_str(name)), name[0] != '\0'},
        .device_key = {charle_arena_bytes(&core->arena, charle_bytes(key, strlen(key))), key[0] != '\0'},
        .last_sequence = {number, true},
        .last_hash = {(uint64_t)hash, true},
    };
    return request->device_id.ptr && request->device_name.value.ptr ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory to open a session");
}

static void ask(struct ch_client_core *core, bool with_shape)
{
    struct charle_error err = {0};
    struct charle_open_request request;
    CHARLE_ASSERT(!core->open_call && !core->push_call); // of the session before nothing is on its way
    ch_core_set_phase(core, CH_PHASE_OPENING);
    charle_buf_reset(&core->reply);
    core->lineage = (struct charle_opt_uint8){0};
    if (ch_core_fill_open(core, &request, &err) || fill_shape(core, with_shape, &request, &err))
        ch_core_fail(core, &err);
    else
        core->open_call = ch_core_call(core, "charle.Sync/Open", &charle_open_request_message, &request, OPEN_TIMEOUT_MS);
}

void ch_core_open_begin(struct ch_client_core *core)
{
    CHARLE_ASSERT(core->is_connected && (core->phase == CH_PHASE_OFFLINE || core->phase == CH_PHASE_BLOCKED));
    ask(core, false);
}

void ch_core_open_cancel(struct ch_client_core *core)
{
    ch_core_cancel(core, &core->open_call);
    core->has_sent_shape = false;
}

// --- the reply ----------------------------------------------------------------------------------------------------------------

static enum charle_err check_text(struct ch_lite *sql, const char *key, struct charle_str value, const char *sentence,
                                  struct charle_error *err)
{
    char known[128];
    enum charle_err rc = ch_meta_text(sql, key, known, sizeof(known), err);
    if (rc)
        return rc;
    if (!known[0])
        return ch_meta_set_text(sql, key, value, err);
    return charle_str_equal(charle_str(known), value) ? CHARLE_OK : charle_fail(err, CHARLE_DATA_LOSS, "%s", sentence);
}

// A replica belongs to one database and one person for ever: rows of two would mix.
static enum charle_err check_owner(struct ch_replica *replica, const struct charle_open_reply *reply, struct charle_error *err)
{
    struct ch_lite *sql = &replica->sql;
    char server[64];
    CHARLE_ASSERT_SLOW(ch_replica_is_writing(replica));
    for (size_t i = 0; i < sizeof(server) / 2 && i < reply->server_id.len; i++)
        snprintf(server + 2 * i, 3, "%02x", reply->server_id.ptr[i]);
    struct charle_str id = charle_str_n(server, 2 * (reply->server_id.len < 31 ? reply->server_id.len : 31));
    enum charle_err rc = check_text(sql, "server_id", id, "this replica was made from another server's database; use another file for this server", err);
    if (!rc)
        rc = check_text(sql, "principal", reply->principal, "this replica belongs to another kind of person; use another file", err);
    return rc ? rc : check_text(sql, "principal_id", reply->principal_id, "this replica belongs to another person; use another file, or sign in as that person", err);
}

static enum charle_err note_scopes(struct ch_replica *replica, const struct charle_open_reply *reply, struct charle_error *err)
{
    const struct charle_str *scopes = reply->scope.items;
    struct charle_arena arena = {0};
    struct charle_array lost = {0};
    CHARLE_ASSERT_SLOW(ch_replica_is_writing(replica));
    enum charle_err rc = ch_scopes_find_unlisted(replica, &reply->scope, &arena, &lost, err);
    charle_arena_deinit(&arena);
    // Half-copied rows cannot tell which other scope keeps them, so a scope lost in the middle of a first copy begins it again.
    if (!rc && lost.count)
        rc = ch_layout_empty_tables(replica, err);
    for (size_t i = 0; !rc && i < reply->scope.count; i++)
        rc = ch_scope_gain(replica, scopes[i], err);
    return rc;
}

// What the server remembers of this device against what is here. *out_renew: the numbers are a copy's.
static enum charle_err compare_numbers(struct ch_client_core *core, int64_t server_last, bool *out_renew, struct charle_error *err)
{
    struct ch_lite *sql = &core->replica->sql;
    int64_t numbered, judged, first;
    bool can_recall = true;
    enum charle_err rc = ch_meta_number(sql, "last_sequence", 0, &numbered, err);
    if (!rc)
        rc = ch_lite_number(sql, CH_LITE_OUTBOX_LAST_KNOWN, 0, &judged, err, "");
    if (rc)
        return rc;
    *out_renew = server_last > numbered; // this file is older than what the server has seen of it, or a copy of it ran ahead
    core->recall_after = -1;
    if (*out_renew || server_last >= judged)
        return CHARLE_OK;
    rc = ch_outbox_can_recall(core->replica, server_last, &can_recall, err);
    core->recall_after = server_last;
    core->renew_after_recall = !can_recall;
    if (!rc && !can_recall) {
        rc = ch_lite_number(sql, CH_LITE_OUTBOX_FIRST_BEHIND, numbered + 1, &first, err, "i", server_last);
        if (!rc && first > server_last + 1)
            rc = ch_outbox_report_lost(core->replica, server_last + 1, first - 1, err);
    }
    return rc;
}

static enum charle_err take_reply(struct ch_client_core *core, const struct charle_open_reply *reply, bool *out_renew,
                                  struct charle_error *err)
{
    struct ch_replica *replica = core->replica;
    int64_t ready = 0, is_copy = 0, version;
    bool is_other_version = false;
    enum charle_err rc = ch_replica_begin(replica, CH_DURABLE, err);
    if (rc)
        return rc;
    rc = check_owner(replica, reply, err);
    if (!rc)
        rc = ch_files_doubt(replica->files, err);
    if (!rc)
        rc = ch_meta_number(&replica->sql, "ready", 0, &ready, err);
    if (!rc)
        rc = ch_gaps_take(replica, reply, ready != 0, &is_other_version, err);
    // A replica in use learns of scopes by its pull, in one moment with their rows; a new one has to know what to copy.
    if (!rc && !ready)
        rc = note_scopes(replica, reply, err);
    if (!rc)
        rc = ch_meta_number(&replica->sql, "identity_version", 0, &version, err);
    if (!rc && (version == 0 || !ready))
        rc = ch_replica_identity_changed(replica, err);
    if (!rc)
        rc = compare_numbers(core, reply->last_sequence, out_renew, err);
    if (!rc)
        rc = ch_meta_number(&replica->sql, "is_copy", 0, &is_copy, err);
    // Exported, or rescued: the original may still be there. What the database lost is asked for again, too, before the rest; under its old number the server
    // would not take a later one.
    if (!rc && is_copy && core->recall_after >= 0) {
        rc = ch_outbox_recall(replica, core->recall_after, err);
        core->recall_after = -1;
        core->renew_after_recall = false;
    }
    *out_renew = *out_renew || is_copy;
    core->is_ready = ready != 0;
    if (!rc) // also what another program was told; under the lock, because calls of other threads look at the tables
        rc = ch_gaps_apply(replica, err);
    rc = ch_replica_end(replica, rc, err);
    if (!rc && is_other_version) { // what is being fetched was asked of the server's other version
        ch_fill_deinit(&core->fill);
        ch_core_acquire_reset(core);
        core->acquire_wanted = true;
    }
    return rc;
}

// A copy of this replica goes by the same name, so it needs a new one. Before that, calls that both have must not be sent twice: they go out one by
// one under the old name, until the server says that it knows another one by that number.
static void probe_calls(struct ch_client_core *core)
{
    CHARLE_ASSERT(core->phase == CH_PHASE_OPENING && !core->open_call && !core->push_call);
    core->push_is_probing = true;
    core->push_count_max = 1;
    core->push_wanted = true;
    core->push_at = 0;
    ch_core_push_step(core);
}

void ch_core_open_on_done(struct ch_client_core *core, enum charle_err code, struct charle_str text)
{
    struct charle_error err = {0};
    struct charle_open_reply reply;
    char words[240];
    CHARLE_ASSERT(core->open_call && core->phase == CH_PHASE_OPENING);
    core->open_call = 0;
    if (code == CHARLE_CONFLICT || code == CHARLE_ALREADY_EXISTS) {
        probe_calls(core);
        return;
    }
    if (code) {
        snprintf(words, sizeof(words), "%.*s", CHARLE_FMT(text));
        ch_core_end_session(core, code, words);
        return;
    }
    bool renew = false;
    enum charle_err rc = charle_message_read(&charle_open_reply_message, charle_buf_bytes(&core->reply), &core->arena, &reply, &err);
    if (!rc && reply.wants_shape.has && reply.wants_shape.value && !core->has_sent_shape) {
        core->has_sent_shape = true;
        ask(core, true);
        return;
    }
    core->has_sent_shape = false;
    core->replica->served_hash = !rc && reply.schema_hash.has ? reply.schema_hash.value : core->replica->schema->hash;
    if (!rc)
        rc = take_reply(core, &reply, &renew, &err);
    if (rc) {
        ch_core_fail(core, &err);
        return;
    }
    ch_core_contact(core);
    core->lineage = reply.lineage;
    core->has_wide_line = core->wants_zstd = false; // this session may go another way
    core->offers_seeds = reply.offers_seeds.has && reply.offers_seeds.value;
    uint32_t most = reply.push_calls_max.has ? reply.push_calls_max.value : 0;
    core->push_most = most < CH_PUSH_CALLS_MAX ? most : CH_PUSH_CALLS_MAX;
    CHARLE_ASSERT(core->phase == CH_PHASE_OPENING); // nothing on the way here has ended the session
    core->push_failures = 0;
    core->push_at = 0;
    core->push_wanted = true;
    ch_core_order_take(core, reply.order.has ? reply.order.value : 0);
    if (renew)
        probe_calls(core);
    else
        ch_core_go_on(core);
}
