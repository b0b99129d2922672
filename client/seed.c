// A first copy by a seed file: a file of the scope with most rows is fetched by ranges, becomes the replica, and the rest is copied as always.
//
//   begin ─► ASKING ─(no file)────────────────────────────────────────────────► ordinary copy
//              └─(file)─► READING ─(all ranges good)─► adopted ─► ordinary copy of the other scopes, then the delta since the file
//                            │ └─(slow line)─► compressed ─(still slow)─► ordinary copy
//                            └─(a range that does not fit its hash: asked again, CH_SEED_TRIES times)─► ordinary copy
//
// It is used only for a replica that has no rows at all, and never under a budget of bytes, because pages with indexes are more bytes than rows.
// Every range is checked against its hash before it is written; the list of hashes against the file's name. A session that ends leaves what has
// come; the next one goes on, and so does the next process, which looks at the hashes of what lies there. Giving up is for as long as the
// program runs, and never an error: the ordinary copy is always possible.
//
// Two requests are in flight, so that a line with a long way is never idle. The right to the scope is looked at by the server at each of them.
#include "client/adopt.h"
#include "client/core_parts.h"

#include "base/alloc.h"
#include "base/log.h"
#include "msg/wire.h"

#include <stdio.h>
#include <sys/statvfs.h>
#include <zstd.h>

enum { ASK_TIMEOUT_MS = 30000 };

static struct charle_bytes hashes_of(const struct ch_seed *seed)
{
    return charle_buf_bytes(&seed->hashes);
}

// --- the line ---------------------------------------------------------------------------------------------------------------

void ch_line_begin(struct ch_line *line, int64_t now_us)
{
    *line = (struct ch_line){.since_us = now_us};
}

void ch_line_arrived(struct ch_line *line, size_t bytes, int64_t now_us)
{
    line->bytes += (int64_t)bytes;
    line->waited_us += now_us - line->since_us;
    line->since_us = now_us;
}

void ch_line_dealt(struct ch_line *line, int64_t now_us)
{
    line->since_us = now_us;
}

bool ch_line_is_slower(const struct ch_line *line, int64_t rate)
{
    return line->waited_us > 0 && line->bytes * 1000000 / line->waited_us < rate;
}

// --- the end ----------------------------------------------------------------------------------------------------------------

static void stop_calls(struct ch_client_core *core)
{
    struct ch_seed *seed = &core->seed;
    ch_core_cancel(core, &seed->call);
    for (size_t i = 0; i < CH_SEED_READS; i++) {
        ch_core_cancel(core, &seed->reads[i].call);
        if (seed->reads[i].next < seed->reads[i].end && seed->reads[i].next < seed->next)
            seed->next = seed->reads[i].next; // what was not fetched of it is asked for again
        seed->reads[i] = (struct ch_seed_read){0};
    }
    seed->good = seed->next;
}

void ch_core_seed_cancel(struct ch_client_core *core)
{
    stop_calls(core);
    charle_buf_reset(&core->seed.reply);
    core->seed.step = CH_SEED_IDLE;
}

void ch_core_seed_deinit(struct ch_client_core *core)
{
    ch_core_seed_cancel(core);
    ch_seed_part_close(&core->seed.part);
    charle_buf_deinit(&core->seed.reply);
    charle_buf_deinit(&core->seed.hashes);
    charle_buf_deinit(&core->seed.unpacked);
    core->seed = (struct ch_seed){0};
}

// On with the ordinary copy, whatever the reason; the part is of no use any more.
static void give_up(struct ch_client_core *core, enum ch_log_level level, const char *why)
{
    ch_core_seed_cancel(core);
    ch_seed_part_close(&core->seed.part);
    ch_seed_part_delete(core->replica);
    core->seed.is_refused = true;
    ch_log(level, "client", "rows are copied without a seed file: %s", why);
    ch_core_copy_go_on(core);
}

// --- reading ----------------------------------------------------------------------------------------------------------------

static void show_progress(struct ch_client_core *core)
{
    const struct ch_seed *seed = &core->seed;
    core->rows_copied = seed->rows * seed->good / (seed->range_count ? seed->range_count : 1);
    core->rows_total = seed->rows;
}

static void adopt(struct ch_client_core *core)
{
    struct charle_error err = {0};
    struct ch_seed *seed = &core->seed;
    const struct ch_adopt adopt = {.scope = charle_str(seed->scope), .stamp = seed->stamp, .lineage = seed->lineage};
    enum charle_err rc = ch_seed_part_finish(&seed->part, seed->size, &err);
    ch_seed_part_close(&seed->part);
    if (!rc)
        rc = ch_replica_adopt(core->replica, &adopt, &err);
    if (rc) {
        give_up(core, CH_LOG_WARN, err.text);
        return;
    }
    ch_seed_part_delete(core->replica);
    seed->step = CH_SEED_IDLE;
    seed->is_refused = true; // it is done
    ch_log(CH_LOG_DEBUG, "client", "a seed file was taken as the replica scope=\"%s\" rows=%lld bytes=%lld", seed->scope, (long long)seed->rows,
           (long long)seed->size);
    ch_core_changed(core, CHARLE_EVENT_ROWS | CHARLE_EVENT_STATUS);
    ch_core_copy_go_on(core);
}

static bool is_reading(const struct ch_seed *seed)
{
    for (size_t i = 0; i < CH_SEED_READS; i++) {
        if (seed->reads[i].call)
            return true;
    }
    return false;
}

static void fill_reads(struct ch_client_core *core)
{
    struct ch_seed *seed = &core->seed;
    for (size_t i = 0; i < CH_SEED_READS && seed->step == CH_SEED_READING && seed->next < seed->range_count; i++) {
        struct ch_seed_read *read = &seed->reads[i];
        if (read->call)
            continue;
        uint32_t left = seed->range_count - seed->next, count = left < CH_SEED_READ_MAX ? left : CH_SEED_READ_MAX;
        const struct charle_seed_read_request request = {
            .scope = charle_str(seed->scope), .hash = charle_bytes(seed->hash, sizeof(seed->hash)), .range = seed->next, .count = count,
            .wants_zstd = {true, seed->is_packed},
        };
        *read = (struct ch_seed_read){.next = seed->next, .end = seed->next + count};
        seed->next += count;
        read->call = ch_core_call(core, "charle.Sync/SeedRead", &charle_seed_read_request_message, &request, 0);
    }
    if (seed->step == CH_SEED_READING && !is_reading(seed) && seed->next >= seed->range_count)
        adopt(core);
}

// False: the bytes are not those of the range.
static bool unpack(struct ch_seed *seed, const struct charle_seed_range *message, size_t size, struct charle_bytes *out)
{
    *out = message->bytes.value;
    if (message->zstd.has) {
        charle_buf_reset(&seed->unpacked);
        uint8_t *room = charle_buf_reserve(&seed->unpacked, size);
        if (!room || ZSTD_decompress(room, size, message->zstd.value.ptr, message->zstd.value.len) != size)
            return false;
        *out = charle_bytes(room, size);
    }
    return out->len == size && ch_seed_range_is_good(hashes_of(seed), message->range, *out);
}

// The same ranges are asked for again, a few times.
static void try_again(struct ch_client_core *core, uint32_t range)
{
    char words[200];
    struct ch_seed *seed = &core->seed;
    seed->tries++;
    snprintf(words, sizeof(words), "range %u of the seed file of %s is not what its hash says (%d of %d)", range, seed->scope, seed->tries,
             CH_SEED_TRIES);
    if (seed->tries >= CH_SEED_TRIES) {
        give_up(core, CH_LOG_WARN, words);
        return;
    }
    ch_log(CH_LOG_WARN, "client", "%s; it is fetched again", words);
    stop_calls(core);
    fill_reads(core);
}

// A line on which pages take longer than rows; first it is tried whether compressed ones do not.
static void judge_line(struct ch_client_core *core)
{
    struct ch_seed *seed = &core->seed;
    struct ch_line *line = &seed->line;
    if (line->bytes >= (int64_t)CH_LINE_RATE_AFTER && !core->has_wide_line)
        core->has_wide_line = !ch_line_is_slower(line, CH_LINE_RATE_SLOW); // for the requests that follow
    bool is_known = line->bytes >= (int64_t)CH_SEED_RATE_AFTER || line->waited_us >= 1000000;
    if (seed->size < (int64_t)CH_SEED_RATE_AFTER || !is_known || !ch_line_is_slower(line, CH_SEED_RATE_MIN))
        return; // of a small file it matters little
    if (seed->is_packed) {
        core->wants_zstd = true;
        give_up(core, CH_LOG_INFO, "the line is slow");
        return;
    }
    seed->is_packed = true;
    ch_line_begin(line, ch_core_now(core));
    stop_calls(core);
    fill_reads(core);
}

static enum charle_err take_range(struct ch_client_core *core, struct ch_seed_read *read, struct charle_bytes bytes, bool *out_good,
                                  struct charle_error *err)
{
    struct ch_seed *seed = &core->seed;
    struct charle_seed_range message;
    struct charle_bytes range;
    *out_good = false;
    if (charle_message_read(&charle_seed_range_message, bytes, &core->arena, &message, err) || message.range != read->next ||
        read->next >= read->end || !unpack(seed, &message, ch_seed_range_size(seed->size, read->next), &range))
        return CHARLE_OK;
    *out_good = true;
    ch_line_arrived(&seed->line, range.len, ch_core_now(core)); // of pages, however they came
    enum charle_err rc = ch_seed_part_write(&seed->part, read->next, range, err);
    if (!rc) {
        read->next++;
        seed->good++;
    }
    ch_line_dealt(&seed->line, ch_core_now(core));
    return rc;
}

static struct ch_seed_read *read_of(struct ch_client_core *core, uint64_t id)
{
    for (size_t i = 0; id && i < CH_SEED_READS; i++) {
        if (core->seed.reads[i].call == id)
            return &core->seed.reads[i];
    }
    return NULL;
}

bool ch_core_seed_on_message(struct ch_client_core *core, uint64_t id, struct charle_bytes message)
{
    struct charle_error err = {0};
    struct ch_seed *seed = &core->seed;
    struct ch_seed_read *read = read_of(core, id);
    bool is_good;
    if (id == seed->call) {
        charle_buf_add(&seed->reply, message.ptr, message.len);
        return true;
    }
    if (!read)
        return false;
    ch_core_contact(core);
    uint32_t range = read->next;
    if (take_range(core, read, message, &is_good, &err)) {
        give_up(core, CH_LOG_WARN, err.text);
    } else if (!is_good) {
        try_again(core, range);
    } else {
        show_progress(core);
        if (range % CH_SEED_READ_MAX == 0)
            ch_core_changed(core, CHARLE_EVENT_STATUS);
        judge_line(core);
    }
    return true;
}

// --- asking -----------------------------------------------------------------------------------------------------------------

static void write_hex(const uint8_t hash[CH_SEED_HASH_SIZE], char out[2 * CH_SEED_HASH_SIZE + 1])
{
    for (size_t i = 0; i < CH_SEED_HASH_SIZE; i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

static bool read_hex(const char *text, uint8_t out[CH_SEED_HASH_SIZE])
{
    unsigned byte;
    for (size_t i = 0; i < CH_SEED_HASH_SIZE; i++) {
        if (sscanf(text + 2 * i, "%2x", &byte) != 1)
            return false;
        out[i] = (uint8_t)byte;
    }
    return true;
}

// The name of the file of which a part lies here.
static bool load_name(struct ch_client_core *core, uint8_t out[CH_SEED_HASH_SIZE])
{
    char text[2 * CH_SEED_HASH_SIZE + 1] = "";
    struct charle_error err;
    pthread_mutex_lock(&core->replica->look_mutex);
    enum charle_err rc = ch_meta_text(&core->replica->look, "seed_file", text, sizeof(text), &err);
    pthread_mutex_unlock(&core->replica->look_mutex);
    return !rc && strlen(text) == 2 * CH_SEED_HASH_SIZE && read_hex(text, out);
}

static enum charle_err save_name(struct ch_client_core *core, struct charle_error *err)
{
    char text[2 * CH_SEED_HASH_SIZE + 1];
    write_hex(core->seed.hash, text);
    enum charle_err rc = ch_replica_begin(core->replica, CH_FETCHABLE, err);
    if (rc)
        return rc;
    rc = ch_meta_set_text(&core->replica->sql, "seed_file", charle_str(text), err);
    return ch_replica_end(core->replica, rc, err);
}

static enum charle_err list_scopes(struct ch_client_core *core, struct charle_array *out, struct charle_error *err)
{
    struct ch_lite *look = &core->replica->look;
    sqlite3_stmt *row;
    struct charle_str *scopes = charle_arena_array(&core->arena, CH_SCOPES_PER_SESSION_MAX, sizeof(*scopes));
    if (!scopes)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the scopes");
    pthread_mutex_lock(&core->replica->look_mutex);
    enum charle_err rc = ch_lite_one(look, CH_LITE_COPY_SCOPES, &row, err, "");
    for (; rc == CHARLE_OK; rc = ch_lite_next(look, row, err)) {
        struct charle_str scope = charle_arena_str(&core->arena, ch_lite_text(row, 0));
        if (!scope.ptr || out->count == CH_SCOPES_PER_SESSION_MAX) {
            ch_lite_end(row);
            rc = charle_fail(err, CHARLE_NO_MEMORY, "no memory for the scopes");
            break;
        }
        scopes[out->count++] = scope;
    }
    pthread_mutex_unlock(&core->replica->look_mutex);
    out->items = scopes;
    out->has = true;
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

bool ch_core_seed_begin(struct ch_client_core *core)
{
    struct charle_error err = {0};
    struct ch_seed *seed = &core->seed;
    struct charle_array scopes = {0};
    uint8_t hash[CH_SEED_HASH_SIZE];
    bool is_wanted = core->offers_seeds && !seed->is_refused && !core->ignores_seeds && !core->meter.budget && core->rows_copied == 0;
    if (!is_wanted || list_scopes(core, &scopes, &err) || !scopes.count) {
        ch_seed_part_close(&seed->part);
        ch_seed_part_delete(core->replica); // of another time
        return false;
    }
    struct charle_seed_request request = {.schema_hash = core->replica->served_hash, .scope = scopes};
    if (load_name(core, hash))
        request.hash = (struct charle_opt_bytes){charle_bytes(hash, sizeof(hash)), true};
    seed->step = CH_SEED_ASKING;
    charle_buf_reset(&seed->reply);
    seed->call = ch_core_call(core, "charle.Sync/Seed", &charle_seed_request_message, &request, ASK_TIMEOUT_MS);
    return true;
}

// The file, the log that it becomes in the replica, and the replica.
static bool has_room(const struct ch_client_core *core, int64_t size)
{
    struct statvfs disk;
    if (core->env->vfs || statvfs(core->replica->file, &disk) != 0)
        return true;
    return (int64_t)disk.f_bavail * (int64_t)disk.f_frsize / 3 > size;
}

static enum charle_err take_offer(struct ch_client_core *core, const struct charle_seed_reply *reply, struct charle_error *err)
{
    struct ch_seed *seed = &core->seed;
    if (!reply->head || !reply->size.has || !reply->rows.has || !reply->hash.has || !reply->hashes.has || reply->range_size.value != CH_SEED_RANGE_SIZE ||
        reply->scope.value.len > CH_SCOPE_LEN_MAX || reply->rows.value < 0 || reply->rows.value > reply->size.value || reply->head->stamp < 0 || !charle_str_equal(reply->head->scope, reply->scope.value))
        return charle_fail(err, CHARLE_MALFORMED, "the server's offer of a seed file cannot be read");
    if (!ch_seed_list_is_whole(reply->size.value, reply->hashes.value, reply->hash.value))
        return charle_fail(err, CHARLE_DATA_LOSS, "the hashes of the seed file do not fit its name");
    if (!has_room(core, reply->size.value))
        return charle_fail(err, CHARLE_DISK_FULL, "there is no room for %lld bytes three times", (long long)reply->size.value);
    if (memcmp(seed->hash, reply->hash.value.ptr, sizeof(seed->hash)) != 0)
        seed->tries = 0;
    memcpy(seed->hash, reply->hash.value.ptr, sizeof(seed->hash));
    snprintf(seed->scope, sizeof(seed->scope), "%.*s", CHARLE_FMT(reply->scope.value));
    charle_buf_reset(&seed->hashes);
    charle_buf_add(&seed->hashes, reply->hashes.value.ptr, reply->hashes.value.len);
    seed->size = reply->size.value;
    seed->rows = reply->rows.value;
    seed->stamp = reply->head->stamp;
    seed->lineage = reply->head->lineage;
    seed->range_count = ch_seed_range_count(seed->size);
    return seed->hashes.failed ? charle_fail(err, seed->hashes.failed, "no memory for the hashes of a seed file") : CHARLE_OK;
}

static bool is_planned(struct ch_client_core *core, struct charle_str scope)
{
    struct charle_error err;
    struct charle_array scopes = {0};
    const struct charle_str *items;
    if (list_scopes(core, &scopes, &err))
        return false;
    items = scopes.items;
    for (size_t i = 0; i < scopes.count; i++) {
        if (charle_str_equal(items[i], scope))
            return true;
    }
    return false;
}

static enum charle_err begin_reading(struct ch_client_core *core, struct charle_error *err)
{
    struct ch_seed *seed = &core->seed;
    enum charle_err rc = save_name(core, err);
    if (!rc && !seed->part.file)
        rc = ch_seed_part_open(&seed->part, core->replica, err);
    if (rc)
        return rc;
    seed->next = seed->good = ch_seed_part_first_bad(&seed->part, seed->size, hashes_of(seed));
    seed->step = CH_SEED_READING;
    ch_line_begin(&seed->line, ch_core_now(core));
    show_progress(core);
    core->rows_before = core->rows_copied;
    return CHARLE_OK;
}

static void asked(struct ch_client_core *core, enum charle_err code, struct charle_str text)
{
    struct charle_error err = {0};
    struct charle_seed_reply reply;
    char words[240];
    enum charle_err rc = code;
    if (code)
        charle_fail(&err, code, "%.*s", CHARLE_FMT(text));
    else
        rc = charle_message_read(&charle_seed_reply_message, charle_buf_bytes(&core->seed.reply), &core->arena, &reply, &err);
    if (!rc && !reply.scope.has) {
        give_up(core, CH_LOG_DEBUG, "the server has none");
        core->seed.is_refused = false; // it may have one at the next session
        return;
    }
    if (!rc && !is_planned(core, reply.scope.value))
        rc = charle_fail(&err, CHARLE_MALFORMED, "the server offers one of a scope that was not asked for");
    if (!rc)
        rc = take_offer(core, &reply, &err);
    if (!rc)
        rc = begin_reading(core, &err);
    snprintf(words, sizeof(words), "%s", err.text);
    if (rc)
        give_up(core, rc == CHARLE_UNIMPLEMENTED ? CH_LOG_DEBUG : CH_LOG_WARN, words);
    else
        fill_reads(core);
}

bool ch_core_seed_on_done(struct ch_client_core *core, uint64_t id, enum charle_err code, struct charle_str text)
{
    char words[240];
    struct ch_seed *seed = &core->seed;
    struct ch_seed_read *read = read_of(core, id);
    bool is_lost = code == CHARLE_UNAVAILABLE || code == CHARLE_DEADLINE_EXCEEDED || code == CHARLE_UNAUTHENTICATED || code == CHARLE_ABORTED;
    if (id != seed->call && !read)
        return false;
    snprintf(words, sizeof(words), "%.*s", CHARLE_FMT(text));
    if (is_lost) {
        ch_core_end_session(core, code, words);
    } else if (id == seed->call) {
        seed->call = 0;
        asked(core, code, charle_str(words));
    } else if (code == CHARLE_NOT_FOUND || code == CHARLE_PERMISSION_DENIED) {
        // The file was replaced, or the scope is not ours any more: another session learns what is there now.
        ch_core_end_session(core, CHARLE_ABORTED, words);
    } else if (code) {
        give_up(core, CH_LOG_WARN, words);
    } else if (read->next < read->end) {
        try_again(core, read->next);
    } else {
        *read = (struct ch_seed_read){0};
        fill_reads(core);
    }
    return true;
}
