// Files on their way: sent before the calls that refer to them, fetched when somebody wants them. Both in pieces, one in flight each way, beside
// everything else: a piece is small, and rows and calls go between the pieces.
//
//   sending    the smallest first: Offer, then Put from the byte that the server wants. After each piece the smallest is looked for again, so a
//              small file that a call waits for overtakes a huge one, which goes on where it was
//   fetching   the one with the fewest bytes here; only while the replica is live, nothing of its rows is being copied, and the budget
//              of bytes allows fetching at all
//
// What is here and what the server has is in the two stores; nothing of a transfer has to survive but that. Trouble with one file never ends
// the session: it is tried again later, or given up with a sentence in the file's row. A call that refers to a file which was given up
// goes to the server, which refuses it with its own words.
#include "client/core_parts.h"

#include "base/log.h"
#include "msg/wire.h"
#include "sync/outbox.h"

#include <stdio.h>

enum { PIECE_TIMEOUT_MS = 120000, STUCK_FAILURES = 3, FALSE_MAX = 3 };

void ch_core_transfer_look(struct ch_client_core *core)
{
    core->transfer.has_upload = core->transfer.has_download = true;
    core->transfer.up_retry_at = core->transfer.down_retry_at = 0;
}

void ch_core_transfer_pause(struct ch_client_core *core)
{
    struct ch_transfer *t = &core->transfer;
    t->has_upload = t->has_upload || t->up_call;
    t->has_download = t->has_download || t->down_call;
    ch_core_cancel(core, &t->up_call);
    ch_core_cancel(core, &t->down_call);
    t->up = (struct ch_file){0};
    t->up_at = -1;
}

bool ch_core_files_are_stuck(const struct ch_client_core *core)
{
    return core->transfer.up_failures >= STUCK_FAILURES;
}

static int64_t later(const struct ch_client_core *core, int failures)
{
    uint64_t random;
    core->env->random(core->env->ctx, &random, sizeof(random));
    return ch_core_now(core) + ch_redial_delay_us(failures, random);
}

// --- sending ------------------------------------------------------------------------------------------------------------

static bool may_send(const struct ch_client_core *core)
{
    return (core->phase == CH_PHASE_HOLDING || core->phase == CH_PHASE_PULLING || core->phase == CH_PHASE_LIVE) && ch_core_meter_may_push(core);
}

static void send_offer(struct ch_client_core *core, struct charle_bytes hash)
{
    struct ch_transfer *t = &core->transfer;
    const struct charle_file_offer offer = {.hash = hash, .size = t->up.size,
                                            .media_type = {charle_str(t->up.media_type), t->up.media_type[0] != '\0'}};
    t->up_call = ch_core_call(core, "charle.Files/Offer", &charle_file_offer_message, &offer, PIECE_TIMEOUT_MS);
}

static enum charle_err send_piece(struct ch_client_core *core, struct charle_bytes hash, struct charle_error *err)
{
    struct ch_transfer *t = &core->transfer;
    uint8_t data_hash[CH_FILE_HASH_SIZE];
    size_t size = 0;
    uint8_t *data = charle_arena_alloc(&core->arena, CH_FILE_PIECE_SIZE);
    if (!data)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a piece of a file");
    enum charle_err rc = ch_files_read(core->replica->files, &t->up, t->up_at, data, CH_FILE_PIECE_SIZE, &size, err);
    if (rc)
        return rc;
    ch_file_hash(charle_bytes(data, size), data_hash);
    const struct charle_file_piece piece = {.hash = hash, .at = t->up_at, .data = charle_bytes(data, size),
                                            .data_hash = charle_bytes(data_hash, sizeof(data_hash))};
    t->up_call = ch_core_call(core, "charle.Files/Put", &charle_file_piece_message, &piece, PIECE_TIMEOUT_MS);
    return CHARLE_OK;
}

// A file of this replica cannot be read or marked: only this file is given up for now.
static void upload_failed(struct ch_client_core *core, enum charle_err code, const char *text)
{
    struct ch_transfer *t = &core->transfer;
    struct charle_error err = {0};
    ch_log(CH_LOG_INFO, "client", "a file was not sent name=%.12s code=%s text=\"%s\"", t->up.name, charle_err_name(code), text);
    bool is_passing = charle_err_is_retryable(code) || code == CHARLE_DEADLINE_EXCEEDED || code == CHARLE_CANCELLED;
    // What came differed from the name, or was damaged on the way: begun again, but not for ever.
    bool is_damage = code == CHARLE_CONFLICT || code == CHARLE_INVALID_ARGUMENT || code == CHARLE_FAILED_PRECONDITION;
    t->up_failures++;
    t->up_at = -1;
    t->has_upload = true;
    if (!is_passing && (!is_damage || t->up_failures >= FALSE_MAX)) {
        if (ch_files_fail(core->replica->files, t->up.id, code, text, &err))
            ch_log(CH_LOG_WARN, "client", "%s", err.text);
        t->up_failures = 0;
        ch_core_changed(core, CHARLE_EVENT_STATUS);
    }
    t->up_retry_at = later(core, t->up_failures);
}

static void step_up(struct ch_client_core *core)
{
    struct ch_transfer *t = &core->transfer;
    struct charle_error err = {0};
    struct ch_file file;
    uint8_t hash[CH_FILE_HASH_SIZE];
    if (t->up_call || !t->has_upload || !may_send(core) || ch_core_now(core) < t->up_retry_at)
        return;
    t->has_upload = false;
    enum charle_err rc = ch_files_unsent(core->replica->files, &file, &err);
    if (rc == CHARLE_DONE)
        return;
    if (rc) {
        t->up_failures++;
        t->has_upload = true;
        t->up_retry_at = later(core, t->up_failures);
        return;
    }
    t->has_upload = true;
    if (file.id != t->up.id)
        t->up_at = -1;
    t->up = file;
    charle_buf_reset(&t->up_reply);
    if (!ch_file_name_read(charle_str(file.name), hash))
        upload_failed(core, CHARLE_DATA_LOSS, "the name of the file is damaged");
    else if (t->up_at < 0)
        send_offer(core, charle_bytes(hash, sizeof(hash)));
    else if ((rc = send_piece(core, charle_bytes(hash, sizeof(hash)), &err)))
        upload_failed(core, rc, err.text);
}

// The server has the file: calls that waited for it may go.
static void sent(struct ch_client_core *core)
{
    struct ch_transfer *t = &core->transfer;
    struct ch_replica *replica = core->replica;
    struct charle_error err = {0};
    enum charle_err rc = ch_files_sent(replica->files, t->up.id, &err);
    if (!rc)
        rc = ch_replica_begin(replica, CH_FETCHABLE, &err);
    if (!rc)
        rc = ch_replica_end(replica, ch_lite_run(&replica->sql, CH_LITE_OUTBOX_RELEASE, &err, ""), &err);
    if (rc) {
        upload_failed(core, CHARLE_IO, err.text);
        return;
    }
    t->up_failures = 0;
    t->up_at = -1;
    core->push_at = core->push_failures ? core->push_at : 0;
    ch_core_want_push(core);
    ch_core_changed(core, CHARLE_EVENT_STATUS);
}

static void upload_done(struct ch_client_core *core, enum charle_err code, struct charle_str text)
{
    struct ch_transfer *t = &core->transfer;
    struct charle_error err = {0};
    struct charle_file_offer_reply reply = {0};
    char words[240];
    snprintf(words, sizeof(words), "%.*s", CHARLE_FMT(text));
    t->up_call = 0;
    if (!code) {
        code = charle_message_read(&charle_file_offer_reply_message, charle_buf_bytes(&t->up_reply), &core->arena, &reply, &err);
        snprintf(words, sizeof(words), "%s", err.text);
    }
    bool fits = reply.is_held || (reply.piece_size == CH_FILE_PIECE_SIZE && reply.next >= 0 && reply.next < t->up.size &&
                                  reply.next % CH_FILE_PIECE_SIZE == 0);
    if (code == CHARLE_UNAUTHENTICATED || code == CHARLE_UNAVAILABLE || code == CHARLE_CLOSED) {
        ch_core_end_session(core, code, words); // as for every other call
    } else if (code) {
        upload_failed(core, code, words);
    } else if (!fits) {
        upload_failed(core, CHARLE_MALFORMED, "the server's answer about a file does not fit the file");
    } else {
        ch_core_contact(core);
        if (reply.is_held)
            sent(core);
        else
            t->up_at = reply.next;
        ch_core_changed(core, CHARLE_EVENT_STATUS);
    }
}

// --- fetching -----------------------------------------------------------------------------------------------------------

static bool may_fetch(const struct ch_client_core *core)
{
    return core->phase == CH_PHASE_LIVE && (core->acquire.step == CH_ACQUIRE_IDLE || core->acquire.is_verify);
}

static void step_down(struct ch_client_core *core)
{
    struct ch_transfer *t = &core->transfer;
    struct charle_error err = {0};
    uint8_t hash[CH_FILE_HASH_SIZE];
    if (t->down_call || !t->has_download || !may_fetch(core) || ch_core_now(core) < t->down_retry_at)
        return;
    t->has_download = false;
    enum charle_err rc = ch_files_missing(core->replica->files, &t->down, &err);
    if (rc == CHARLE_DONE)
        return;
    t->has_download = true;
    if (rc || !ch_file_name_read(charle_str(t->down.name), hash)) {
        t->down_failures++;
        t->down_retry_at = later(core, t->down_failures);
        return;
    }
    const struct charle_file_request request = {.hash = charle_bytes(hash, sizeof(hash)), .at = t->down.have, .size = CH_FILE_PIECE_SIZE};
    charle_buf_reset(&t->down_reply);
    t->down_call = ch_core_call(core, "charle.Files/Get", &charle_file_request_message, &request, PIECE_TIMEOUT_MS);
}

// Nothing that passes: the person has to ask again.
static void download_failed(struct ch_client_core *core, enum charle_err code, const char *text)
{
    struct ch_transfer *t = &core->transfer;
    struct charle_error err = {0};
    bool is_passing = charle_err_is_retryable(code) || code == CHARLE_DEADLINE_EXCEEDED || code == CHARLE_CANCELLED;
    bool is_damage = code == CHARLE_CONFLICT || code == CHARLE_INVALID_ARGUMENT || code == CHARLE_MALFORMED;
    t->down_failures++;
    // A full disk is not waited for: whoever asked for the file is told.
    if (code == CHARLE_DISK_FULL || (!is_passing && (!is_damage || t->down_failures >= FALSE_MAX))) {
        if (ch_files_fail(core->replica->files, t->down.id, code, text, &err))
            ch_log(CH_LOG_WARN, "client", "%s", err.text);
        t->down_failures = 0;
    }
    t->down_retry_at = later(core, t->down_failures);
    ch_core_changed(core, CHARLE_EVENT_STATUS);
}

static void download_done(struct ch_client_core *core, enum charle_err code, struct charle_str text)
{
    struct ch_transfer *t = &core->transfer;
    struct charle_error err = {0};
    struct charle_file_piece piece;
    char words[240];
    snprintf(words, sizeof(words), "%.*s", CHARLE_FMT(text));
    t->down_call = 0;
    if (code == CHARLE_UNAUTHENTICATED || code == CHARLE_UNAVAILABLE || code == CHARLE_CLOSED) {
        ch_core_end_session(core, code, words);
        return;
    }
    if (!code) {
        code = charle_message_read(&charle_file_piece_message, charle_buf_bytes(&t->down_reply), &core->arena, &piece, &err);
        if (!code)
            code = ch_files_take(core->replica->files, t->down.name, &piece, &err);
        if (code == CHARLE_NOT_FOUND) // nobody wants it any more
            code = CHARLE_OK;
        snprintf(words, sizeof(words), "%s", err.text);
    }
    if (code) {
        download_failed(core, code, words);
        return;
    }
    t->down_failures = 0;
    ch_core_contact(core);
    ch_core_changed(core, CHARLE_EVENT_STATUS);
}

// --- both ---------------------------------------------------------------------------------------------------------------

void ch_core_transfer_step(struct ch_client_core *core)
{
    step_up(core);
    step_down(core);
}

bool ch_core_transfer_on_message(struct ch_client_core *core, uint64_t id, struct charle_bytes message)
{
    struct ch_transfer *t = &core->transfer;
    if (id != t->up_call && id != t->down_call)
        return false;
    charle_buf_add(id == t->up_call ? &t->up_reply : &t->down_reply, message.ptr, message.len);
    return true;
}

bool ch_core_transfer_on_done(struct ch_client_core *core, uint64_t id, enum charle_err code, struct charle_str text)
{
    if (id == core->transfer.up_call)
        upload_done(core, code, text);
    else if (id == core->transfer.down_call)
        download_done(core, code, text);
    else
        return false;
    return true;
}

int64_t ch_core_transfer_wish(const struct ch_client_core *core)
{
    const struct ch_transfer *t = &core->transfer;
    int64_t up = t->has_upload && !t->up_call && may_send(core) ? t->up_retry_at : INT64_MAX;
    int64_t down = t->has_download && !t->down_call && may_fetch(core) ? t->down_retry_at : INT64_MAX;
    return up < down ? up : down;
}
