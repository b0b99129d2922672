// First copy: every table of every scope in key order, several at a time, straight into the tables.
//
// What is done and how far the rest has come is in charle_copy and moves in the same transaction as the rows, so a copy that was cut off goes on
// behind its last key. Pages are collected until they are worth a transaction. A scope's cursor is the head of its first chunk (the smallest
// of those seen: later chunks are newer, and the exact delta since the oldest covers them all). The replica is not shown as ready
// before that delta has been applied; secondary indexes are made in between, when they are cheapest. That the database did not go back while it
// was copied is told by the newest head (struct ch_seen); otherwise the scope is compared.
//
// Scopes that the application wants first are copied alone: the replica is ready with them, and the others come as gained scopes do (acquire.c).
//
// Streams run side by side only for different tables: a row seen through two scopes must be written in the order of the snapshots, or an
// older page would turn back what a newer one said, and the delta of the scope it has left since would not mend it.
#include "client/core_parts.h"

#include "base/alloc.h"
#include "base/slow.h"
#include "msg/wire.h"

enum { COPY_CHECKPOINT_PAGES = 8192 }; // a long log costs less than writing pages twice

static struct charle_str scope_of(const struct ch_copy_stream *stream)
{
    return charle_str(stream->scope);
}

void ch_core_copy_cancel(struct ch_client_core *core)
{
    for (int i = 0; i < CH_COPY_STREAMS_MAX; i++) {
        ch_core_cancel(core, &core->copies[i].call);
        charle_buf_reset(&core->copies[i].pages);
    }
    core->replica->checkpoint_pages = CH_WAL_PAGES_TARGET;
}

// --- what comes first ---------------------------------------------------------------------------------------------------------

static bool is_scope(const char *name, struct charle_str scope)
{
    return charle_str_equal(charle_str(name), scope) || charle_str_equal(charle_str(name), ch_scope_audience(scope));
}

// Is it named, by itself or by its audience?
static bool is_first_scope(const struct ch_client_core *core, struct charle_str scope)
{
    for (size_t i = 0; core->first && core->first[i]; i++) {
        if (is_scope(core->first[i], scope))
            return true;
    }
    return false;
}

// The place of a job in the wishes; behind all of them when neither its table nor its scope is named.
static size_t rank_of(const struct ch_client_core *core, const struct ch_table *table, struct charle_str scope)
{
    size_t i = 0;
    while (core->first && core->first[i] && !is_scope(core->first[i], scope) &&
           !(table && charle_str_equal(charle_str(core->first[i]), table->schema->name)))
        i++;
    return i;
}

// --- what is to be copied -------------------------------------------------------------------------------------------------------

static enum charle_err plan_scope(struct ch_client_core *core, struct charle_str scope, struct charle_error *err)
{
    struct ch_tables *tables = &core->replica->tables;
    enum charle_err rc = CHARLE_OK;
    bool any = false;
    for (size_t i = 0; !rc && i < tables->count; i++) {
        if (!ch_table_audience_of(&tables->items[i], scope))
            continue;
        any = true;
        rc = ch_lite_run(tables->sql, CH_LITE_COPY_ADD, err, "si", scope, (int64_t)tables->items[i].schema->id);
    }
    if (!rc && !any) // a scope that no table of this schema has is complete as it is
        rc = ch_lite_run(tables->sql, CH_LITE_CURSOR_MARK, err, "si", scope, (int64_t)CH_SCOPE_READY);
    return rc;
}

static enum charle_err plan(struct ch_client_core *core, struct charle_error *err)
{
    struct ch_lite *sql = &core->replica->sql;
    struct charle_array scopes = {0};
    enum charle_err rc = ch_replica_begin(core->replica, CH_FETCHABLE, err);
    if (rc)
        return rc;
    rc = ch_scopes_in_state(core->replica, CH_SCOPE_COPYING, &core->arena, &scopes, err);
    const struct charle_str *items = scopes.items;
    bool has_first = false;
    core->copies_part = false;
    for (size_t i = 0; !rc && i < scopes.count; i++)
        has_first = has_first || is_first_scope(core, items[i]);
    for (size_t i = 0; !rc && i < scopes.count; i++) {
        bool is_wanted = !has_first || is_first_scope(core, items[i]);
        core->copies_part = core->copies_part || !is_wanted;
        if (is_wanted)
            rc = plan_scope(core, items[i], err);
    }
    if (!rc)
        rc = ch_lite_run(sql, CH_LITE_COPY_FORGET, err, ""); // of scopes that are not held any more
    return ch_replica_end(core->replica, rc, err);
}

static void show_progress(struct ch_client_core *core)
{
    struct charle_error err;
    sqlite3_stmt *row;
    pthread_mutex_lock(&core->replica->look_mutex);
    if (!ch_lite_one(&core->replica->look, CH_LITE_COPY_SUM, &row, &err, "")) {
        core->rows_copied = sqlite3_column_int64(row, 0);
        core->rows_total = sqlite3_column_int64(row, 1);
        ch_lite_end(row);
    }
    pthread_mutex_unlock(&core->replica->look_mutex);
}

// --- streams --------------------------------------------------------------------------------------------------------------------

static bool is_copying(const struct ch_client_core *core, uint32_t table)
{
    for (int i = 0; i < CH_COPY_STREAMS_MAX; i++) {
        if (core->copies[i].call && core->copies[i].table == table)
            return true;
    }
    return false;
}

static void take_job(struct ch_copy_stream *stream, uint32_t table, struct charle_str scope, struct charle_str after)
{
    CHARLE_ASSERT(scope.len <= CH_SCOPE_LEN_MAX && after.len <= sizeof(stream->last_key));
    stream->table = table;
    memcpy(stream->scope, scope.ptr, scope.len);
    stream->scope[scope.len] = '\0';
    memcpy(stream->last_key, after.ptr ? after.ptr : "", after.len);
    stream->last_key_len = after.len;
}

// The next table that nobody copies yet, by the wishes, then by tables and scopes. DONE: there is none.
static enum charle_err next_job(struct ch_client_core *core, struct ch_copy_stream *stream, struct charle_error *err)
{
    struct ch_lite *look = &core->replica->look;
    sqlite3_stmt *row;
    size_t best = SIZE_MAX;
    pthread_mutex_lock(&core->replica->look_mutex);
    enum charle_err rc = ch_lite_one(look, CH_LITE_COPY_OPEN, &row, err, "");
    for (; rc == CHARLE_OK; rc = ch_lite_next(look, row, err)) {
        struct charle_str scope = ch_lite_text(row, 0), after = ch_lite_text(row, 2);
        uint32_t table = (uint32_t)sqlite3_column_int64(row, 1);
        if (is_copying(core, table) || scope.len > CH_SCOPE_LEN_MAX || after.len > CH_KEY_TEXT_MAX)
            continue;
        size_t rank = rank_of(core, ch_table_by_id(&core->replica->tables, table), scope);
        if (rank >= best)
            continue;
        best = rank;
        take_job(stream, table, scope, after);
    }
    pthread_mutex_unlock(&core->replica->look_mutex);
    return rc == CHARLE_DONE && best != SIZE_MAX ? CHARLE_OK : rc;
}

static enum charle_err start_stream(struct ch_client_core *core, struct ch_copy_stream *stream, struct charle_error *err)
{
    CHARLE_ASSERT(!stream->call && core->phase == CH_PHASE_COPYING);
    stream->has_ended = stream->has_head = stream->is_flowing = false;
    stream->seen = (struct ch_seen){0};
    stream->rows_total = -1;
    charle_buf_reset(&stream->pages);
    enum charle_err rc = next_job(core, stream, err);
    if (rc)
        return rc;
    struct charle_array newest;
    CHARLE_ASSERT(!is_copying(core, stream->table)); // pages of one table are written in the order of their snapshots
    bool may_lag = ch_core_newest(core, true, &newest);
    const struct charle_copy_request request = {
        .at_least = newest, .may_lag = {may_lag, true},
        .scope = scope_of(stream), .table = stream->table, .schema_hash = core->replica->served_hash,
        .after_key = {charle_str_n(stream->last_key, stream->last_key_len), stream->last_key_len > 0},
        .wants_zstd = {core->wants_zstd || core->meter.budget > 0, true},
    };
    stream->call = ch_core_call(core, "charle.Sync/Copy", &charle_copy_request_message, &request, 0);
    return CHARLE_OK;
}

static void fill_streams(struct ch_client_core *core)
{
    bool any = false;
    for (int i = 0; i < CH_COPY_STREAMS_MAX; i++) {
        struct charle_error err = {0};
        struct ch_copy_stream *stream = &core->copies[i];
        enum charle_err rc = stream->call ? CHARLE_OK : start_stream(core, stream, &err);
        if (rc && rc != CHARLE_DONE) {
            ch_core_fail(core, &err);
            return;
        }
        if (core->phase != CH_PHASE_COPYING)
            return;
        any = any || stream->call;
    }
    if (!any) {
        core->replica->checkpoint_pages = CH_WAL_PAGES_TARGET;
        ch_core_set_phase(core, CH_PHASE_FINISHING);
    }
}

void ch_core_copy_begin(struct ch_client_core *core)
{
    struct charle_error err = {0};
    ch_core_acquire_reset(core); // scopes that it was fetching are copied with the others now
    ch_core_set_phase(core, CH_PHASE_COPYING);
    if (plan(core, &err)) {
        ch_core_fail(core, &err);
        return;
    }
    core->replica->checkpoint_pages = COPY_CHECKPOINT_PAGES;
    show_progress(core);
    core->copy_started_at = ch_core_now(core);
    core->rows_before = core->rows_copied;
    ch_line_begin(&core->line, ch_core_now(core));
    if (!ch_core_seed_begin(core))
        fill_streams(core);
}

void ch_core_copy_go_on(struct ch_client_core *core)
{
    ch_line_begin(&core->line, ch_core_now(core));
    show_progress(core);
    core->copy_started_at = ch_core_now(core);
    core->rows_before = core->rows_copied;
    fill_streams(core);
}

// --- rows -----------------------------------------------------------------------------------------------------------------------

struct writing {
    struct ch_tables *tables;
    struct ch_table *table;
    struct ch_table_audience *audience;
    struct charle_str scope;
    int64_t rows;
};

static enum charle_err write_row(void *ctx, struct charle_bytes row, struct charle_error *err)
{
    struct writing *w = ctx;
    w->rows++;
    return ch_table_put(w->tables, w->table, w->audience, w->scope, row, err);
}

static enum charle_err write_pages(struct ch_client_core *core, struct ch_copy_stream *stream, struct writing *w,
                                   struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    for (size_t at = 0; !rc && at < stream->pages.size;) {
        size_t size;
        memcpy(&size, stream->pages.data + at, sizeof(size));
        at += sizeof(size);
        CHARLE_ASSERT(size <= stream->pages.size - at); // as take_page wrote it
        rc = ch_copy_page_rows(charle_bytes(stream->pages.data + at, size), &core->scratch, write_row, w, err);
        at += size;
    }
    return rc;
}

// Heads of later chunks are newer: the oldest is the one whose delta covers all.
static enum charle_err keep_head(struct ch_client_core *core, const struct ch_copy_stream *stream, struct charle_error *err)
{
    sqlite3_stmt *row;
    CHARLE_ASSERT_SLOW(ch_replica_is_writing(core->replica));
    if (!stream->has_head)
        return CHARLE_OK;
    struct ch_lite *sql = &core->replica->sql;
    enum charle_err rc = ch_lite_one(sql, CH_LITE_CURSOR_GET, &row, err, "s", scope_of(stream));
    if (rc)
        return rc == CHARLE_DONE ? CHARLE_OK : rc;
    struct ch_staged_scope from = {.stamp = stream->head_stamp, .lineage = stream->head_lineage, .seen = stream->seen};
    if (sqlite3_column_type(row, 0) != SQLITE_NULL && sqlite3_column_int64(row, 0) <= from.stamp) {
        from.stamp = sqlite3_column_int64(row, 0);
        from.lineage = (uint64_t)sqlite3_column_int64(row, 1);
    }
    ch_seen_add(&from.seen, sqlite3_column_int64(row, 3), (uint64_t)sqlite3_column_int64(row, 4));
    ch_lite_end(row);
    return ch_lite_run(sql, CH_LITE_CURSOR_TAKE, err, "siiii", scope_of(stream), from.stamp, (int64_t)from.lineage, from.seen.stamp,
                       (int64_t)from.seen.lineage);
}

static enum charle_err write_stream(struct ch_client_core *core, struct ch_copy_stream *stream, struct charle_error *err)
{
    struct ch_replica *replica = core->replica;
    struct writing w = {.tables = &replica->tables, .scope = scope_of(stream)};
    CHARLE_ASSERT(stream->call && stream->last_key_len <= sizeof(stream->last_key));
    w.table = ch_table_by_id(w.tables, stream->table);
    w.audience = w.table ? ch_table_audience_of(w.table, w.scope) : NULL;
    if (!w.audience)
        return charle_fail(err, CHARLE_INTERNAL, "a copy of table %u in the scope %s was not asked for", stream->table, stream->scope);
    enum charle_err rc = ch_replica_begin(replica, CH_FETCHABLE, err);
    if (rc)
        return rc;
    rc = write_pages(core, stream, &w, err);
    if (!rc)
        rc = keep_head(core, stream, err);
    struct charle_str key = charle_str_n(stream->last_key_len ? stream->last_key : NULL, stream->last_key_len);
    if (!rc && stream->rows_total >= 0)
        rc = ch_lite_run(&replica->sql, CH_LITE_COPY_MOVE, err, "sisiii", w.scope, (int64_t)stream->table, key,
                        (int64_t)stream->has_ended, w.rows, stream->rows_total);
    else if (!rc)
        rc = ch_lite_run(&replica->sql, CH_LITE_COPY_MOVE, err, "sisiin", w.scope, (int64_t)stream->table, key,
                        (int64_t)stream->has_ended, w.rows);
    rc = ch_replica_end(replica, rc, err);
    charle_buf_reset(&stream->pages);
    return rc;
}

static enum charle_err take_page(struct ch_client_core *core, struct ch_copy_stream *stream, struct charle_bytes message,
                                 struct charle_error *err)
{
    struct charle_copy_page page;
    enum charle_err rc = charle_message_read(&charle_copy_page_message, message, &core->arena, &page, err);
    if (rc)
        return charle_error_prefix(err, rc, "a page of the copy of table %u cannot be read", stream->table);
    if (page.head)
        ch_seen_add(&stream->seen, page.head->stamp, page.head->lineage);
    if (page.head && !stream->has_head) {
        stream->has_head = true;
        stream->head_stamp = page.head->stamp;
        stream->head_lineage = page.head->lineage;
    }
    if (page.rows_total.has)
        stream->rows_total = page.rows_total.value;
    if (page.last_key.has) {
        if (page.last_key.value.len > sizeof(stream->last_key))
            return charle_fail(err, CHARLE_TOO_LARGE, "a key of table %u has %zu bytes; %zu is the limit", stream->table,
                               page.last_key.value.len, sizeof(stream->last_key));
        memcpy(stream->last_key, page.last_key.value.ptr, page.last_key.value.len);
        stream->last_key_len = page.last_key.value.len;
    }
    stream->has_ended = page.is_last.has && page.is_last.value;
    size_t size = message.len;
    charle_buf_add(&stream->pages, &size, sizeof(size));
    charle_buf_add(&stream->pages, message.ptr, size);
    return stream->pages.failed ? charle_fail(err, stream->pages.failed, "no memory for pages of a copy") : CHARLE_OK;
}

// Streams begin with little on its way. When it shows how fast the line is, every stream is asked for again and goes on behind what has arrived: on a slow
// line compressed, on others with as much on its way as hides the delay.
static void judge_line(struct ch_client_core *core)
{
    struct charle_error err = {0};
    if (core->wants_zstd || core->has_wide_line || core->meter.budget || core->line.bytes < (int64_t)CH_LINE_RATE_AFTER)
        return;
    core->wants_zstd = ch_line_is_slower(&core->line, CH_LINE_RATE_SLOW);
    core->has_wide_line = !core->wants_zstd;
    for (int i = 0; i < CH_COPY_STREAMS_MAX; i++) {
        struct ch_copy_stream *stream = &core->copies[i];
        if (!stream->call || stream->has_ended)
            continue;
        if (stream->pages.size && write_stream(core, stream, &err)) {
            ch_core_fail(core, &err);
            return;
        }
        ch_core_cancel(core, &stream->call);
    }
    fill_streams(core);
}

void ch_core_copy_on_message(struct ch_client_core *core, struct ch_copy_stream *stream, struct charle_bytes message)
{
    struct charle_error err = {0};
    ch_core_contact(core);
    if (stream->is_flowing) // the first page says how long the way is, not how wide
        ch_line_arrived(&core->line, message.len, ch_core_now(core));
    stream->is_flowing = true;
    enum charle_err rc = take_page(core, stream, message, &err);
    if (!rc && (stream->pages.size >= CH_COPY_BATCH_SIZE || stream->has_ended)) {
        rc = write_stream(core, stream, &err);
        show_progress(core);
        ch_core_changed(core, CHARLE_EVENT_STATUS);
    }
    if (rc)
        ch_core_fail(core, &err);
    else
        judge_line(core);
    ch_line_dealt(&core->line, ch_core_now(core));
}

void ch_core_copy_flush(struct ch_client_core *core)
{
    for (int i = 0; i < CH_COPY_STREAMS_MAX; i++) {
        struct charle_error err = {0};
        if (!core->copies[i].call || !core->copies[i].pages.size)
            continue;
        if (write_stream(core, &core->copies[i], &err)) {
            ch_core_fail(core, &err);
            return;
        }
    }
    show_progress(core);
}

void ch_core_copy_on_done(struct ch_client_core *core, struct ch_copy_stream *stream)
{
    CHARLE_ASSERT(stream->call && core->phase == CH_PHASE_COPYING);
    stream->call = 0;
    if (!stream->has_ended)
        ch_core_end_session(core, CHARLE_UNAVAILABLE, "the server ended a copy before its last page");
    else
        fill_streams(core);
}

// --- behind it ------------------------------------------------------------------------------------------------------------------

void ch_core_copy_finish_step(struct ch_client_core *core)
{
    struct charle_error err = {0};
    struct ch_replica *replica = core->replica;
    bool is_finished = false, more = false;
    CHARLE_ASSERT(core->phase == CH_PHASE_FINISHING && !core->pull_call);
    enum charle_err rc = ch_replica_begin(replica, CH_FETCHABLE, &err);
    if (!rc) {
        rc = ch_layout_is_finished(replica, &is_finished, &err);
        if (!rc && !is_finished)
            rc = ch_layout_finish(replica, &more, &err);
        rc = ch_replica_end(replica, rc, &err);
    }
    if (rc)
        ch_core_fail(core, &err);
    else if (!more)
        ch_core_pull_begin(core, true);
}
