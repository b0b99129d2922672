// The streams of the fake server: Copy and Pull.
#include "fake_parts.h"

#include "base/alloc.h"
#include "db/record.h"
#include "msg/json.h"
#include "msg/wire.h"
#include "services/crud.h"
#include "sync/cursor.h"
#include "sync/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

// --- Copy ---------------------------------------------------------------------------------------------------------------------

void fake_stream_open(struct fake_stream *stream, struct charle_str method, struct charle_bytes request)
{
    *stream = (struct fake_stream){.is_pull = charle_str_equal(method, CHARLE_STR("charle.Sync/Pull")), .is_first = true};
    charle_buf_add(&stream->request, request.ptr, request.len);
}

void fake_stream_close(struct fake_stream *stream)
{
    charle_buf_deinit(&stream->request);
    charle_buf_deinit(&stream->cursors);
}

static enum charle_err pump_copy(struct fake_server *server, struct fake_stream *stream, struct fake_reply *reply)
{
    struct charle_copy_request request;
    struct charle_error err = {0};
    struct charle_buf sql = {0};
    struct fake_list rows = {0};
    enum charle_err rc = charle_message_read(&charle_copy_request_message, charle_buf_bytes(&stream->request), &server->arena, &request, &err);
    if (rc)
        return rc;
    if (!fake_is_granted(server, request.scope)) {
        snprintf(reply->text, sizeof(reply->text), "not granted");
        stream->is_done = true;
        return CHARLE_PERMISSION_DENIED;
    }
    struct charle_opt_text after = request.after_key;
    if (stream->has_after)
        after = (struct charle_opt_text){charle_str(stream->after), true};
    charle_buf_add_text(&sql, "select key, row from fs_content where scope = ?1 and tab = ?2");
    fake_add_range(&after, &request.until_key, true, &sql);
    charle_buf_add_text(&sql, " order by key limit ?5");
    sqlite3_stmt *stmt = fake_prepare(server, charle_buf_text(&sql));
    size_t limit = server->page_rows ? server->page_rows : 100;
    fake_bind_str(stmt, 1, request.scope);
    sqlite3_bind_int64(stmt, 2, request.table);
    if (after.has)
        fake_bind_str(stmt, 3, after.value);
    if (request.until_key.has)
        fake_bind_str(stmt, 4, request.until_key.value);
    sqlite3_bind_int64(stmt, 5, (int64_t)limit);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        struct charle_bytes row = fake_keep_blob(server, stmt, 1);
        fake_list_add(server, &rows, fake_boxed(server, row.ptr, row.len));
        snprintf(stream->after, sizeof(stream->after), "%s", sqlite3_column_text(stmt, 0));
        stream->has_after = true;
    }
    sqlite3_finalize(stmt);
    charle_buf_deinit(&sql);
    struct fake_head head = fake_head_of(server, request.scope);
    const struct charle_cursor cursor = {request.scope, head.stamp, head.lineage};
    stream->is_done = rows.count < limit;
    const struct charle_copy_page page = {
        .row = fake_value_array(server, &rows), .head = &cursor, // each page is a snapshot of its own
        .last_key = {charle_str(stream->after), stream->has_after}, .is_last = {stream->is_done, true}, .rows_total = {1000, stream->is_first}};
    stream->is_first = false;
    fake_send(&charle_copy_page_message, &page, reply);
    return CHARLE_OK;
}

// --- Pull ---------------------------------------------------------------------------------------------------------------------

static struct charle_array still_in(struct fake_server *server, int64_t table, struct charle_str key)
{
    struct fake_list list = {0};
    sqlite3_stmt *stmt = fake_prepare(server, "select scope from fs_content where tab = ?1 and key = ?2");
    sqlite3_bind_int64(stmt, 1, table);
    fake_bind_str(stmt, 2, key);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        struct charle_str scope = fake_keep_str(server, fake_column_str(stmt, 0));
        fake_list_add(server, &list, fake_boxed(server, scope.ptr, scope.len));
    }
    sqlite3_finalize(stmt);
    return fake_value_array(server, &list);
}

static void add_table_delta(struct fake_server *server, const struct charle_cursor *from, int64_t table, struct fake_list *tables)
{
    struct fake_list rows = {0}, gone = {0};
    sqlite3_stmt *stmt = fake_prepare(server, "select l.key, c.row, c.key is not null from (select distinct key from fs_log where scope = ?1 and "
                                 "stamp > ?2 and tab = ?3) l left join fs_content c on c.scope = ?1 and c.tab = ?3 and c.key = l.key order by 1");
    fake_bind_str(stmt, 1, from->scope);
    sqlite3_bind_int64(stmt, 2, from->stamp);
    sqlite3_bind_int64(stmt, 3, table);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        if (sqlite3_column_int(stmt, 2)) {
            struct charle_bytes row = fake_keep_blob(server, stmt, 1);
            fake_list_add(server, &rows, fake_boxed(server, row.ptr, row.len));
            continue;
        }
        struct charle_gone *item = fake_new(server, sizeof(*item));
        item->key = fake_keep_str(server, fake_column_str(stmt, 0));
        item->still_in = still_in(server, table, item->key);
        fake_list_add(server, &gone, item);
    }
    sqlite3_finalize(stmt);
    if (!rows.count && !gone.count)
        return;
    struct charle_table_delta *delta = fake_new(server, sizeof(*delta));
    *delta = (struct charle_table_delta){(uint32_t)table, fake_value_array(server, &rows), fake_list_array(&gone)};
    fake_list_add(server, tables, delta);
}

static void add_delta(struct fake_server *server, const struct charle_cursor *from, struct fake_list *deltas)
{
    struct fake_head head = fake_head_of(server, from->scope);
    struct fake_list tables = {0};
    if (head.stamp == from->stamp)
        return;
    for (size_t i = 0; i < server->schema->table_count; i++)
        add_table_delta(server, from, server->schema->tables[i]->id, &tables);
    struct charle_scope_delta *delta = fake_new(server, sizeof(*delta));
    *delta = (struct charle_scope_delta){from->scope, from->stamp, head.stamp, head.lineage, fake_list_array(&tables)};
    fake_list_add(server, deltas, delta);
}

// A moment as one page, or as one page for each scope's delta when pages are small.
static void send_moment(struct fake_server *server, struct fake_stream *stream, struct charle_pull_page *page, const struct fake_list *deltas,
                        struct fake_reply *reply)
{
    bool is_split = server->page_rows && server->page_rows < 10 && deltas->count > 1;
    for (size_t i = 0; is_split && i + 1 < deltas->count; i++) {
        struct charle_pull_page part = {.delta = {&deltas->items[i], 1, true}};
        if (i == 0) {
            part.lost = page->lost, part.gained = page->gained, part.repair = page->repair, part.scope = page->scope;
            part.lists_scopes = page->lists_scopes;
            page->lost = page->gained = page->repair = page->scope = (struct charle_array){0};
        }
        fake_send(&charle_pull_page_message, &part, reply);
    }
    page->delta = is_split ? (struct charle_array){&deltas->items[deltas->count - 1], 1, true} : fake_list_array(deltas);
    page->is_last = true;
    page->last_sequence = (struct charle_opt_int8){fake_server_last_sequence(server, stream->device), true};
    stream->last_sequence = page->last_sequence.value;
    fake_send(&charle_pull_page_message, page, reply);
}

static void remember(struct fake_stream *stream, struct charle_str scope, int64_t stamp_value)
{
    charle_buf_add_str(&stream->cursors, scope);
    charle_buf_add_byte(&stream->cursors, 0);
    charle_buf_add(&stream->cursors, &stamp_value, sizeof(stamp_value));
}

static const struct charle_cursor *find_cursor(const struct charle_array *cursors, struct charle_str scope)
{
    const struct charle_cursor *const *items = cursors->items;
    for (size_t i = 0; i < cursors->count; i++) {
        if (charle_str_equal(items[i]->scope, scope))
            return items[i];
    }
    return NULL;
}

static void first_moment(struct fake_server *server, struct fake_stream *stream, const struct charle_pull_request *request,
                         struct fake_reply *reply)
{
    struct charle_array granted = fake_granted_scopes(server);
    const struct charle_str *scopes = granted.items;
    const struct charle_cursor *const *cursors = request->cursor.items;
    struct fake_list lost = {0}, gained = {0}, repair = {0}, deltas = {0}, all = {0};
    for (size_t i = 0; i < request->cursor.count; i++) {
        if (!fake_is_granted(server, cursors[i]->scope) && !charle_str_has_prefix(cursors[i]->scope, CHARLE_STR("device:")))
            fake_list_add(server, &lost, fake_boxed(server, cursors[i]->scope.ptr, cursors[i]->scope.len));
    }
    for (size_t i = 0; i < granted.count; i++) {
        const struct charle_cursor *cursor = find_cursor(&request->cursor, scopes[i]);
        fake_list_add(server, &all, fake_boxed(server, scopes[i].ptr, scopes[i].len));
        if (!cursor)
            fake_list_add(server, &gained, fake_boxed(server, scopes[i].ptr, scopes[i].len));
        else if (!fake_is_good(server, cursor))
            fake_list_add(server, &repair, fake_boxed(server, scopes[i].ptr, scopes[i].len));
        else
            add_delta(server, cursor, &deltas);
        if (cursor && fake_is_good(server, cursor))
            remember(stream, scopes[i], fake_head_of(server, scopes[i]).stamp);
    }
    struct charle_pull_page page = {.lost = fake_value_array(server, &lost), .gained = fake_value_array(server, &gained),
                                    .repair = fake_value_array(server, &repair), .scope = fake_value_array(server, &all), .lists_scopes = {true, true}};
    send_moment(server, stream, &page, &deltas, reply);
}

static bool is_listed(const struct fake_stream *stream, struct charle_str scope)
{
    for (size_t at = 0; at < stream->cursors.size;) {
        struct charle_str held = charle_str((const char *)stream->cursors.data + at);
        if (charle_str_equal(held, scope))
            return true;
        at += held.len + 1 + sizeof(int64_t);
    }
    return false;
}

static int64_t floor_of(struct fake_server *server, struct charle_str scope)
{
    sqlite3_stmt *stmt = fake_prepare(server, "select floor from fs_head where scope = ?1");
    fake_bind_str(stmt, 1, scope);
    int64_t value = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    return value;
}

static void later_moment(struct fake_server *server, struct fake_stream *stream, struct fake_reply *reply)
{
    struct fake_list lost = {0}, gained = {0}, repair = {0}, deltas = {0};
    struct charle_buf held = {0};
    for (size_t at = 0; at < stream->cursors.size;) {
        struct charle_str scope = fake_keep_str(server, charle_str((const char *)stream->cursors.data + at));
        int64_t stamp_value;
        at += scope.len + 1;
        memcpy(&stamp_value, stream->cursors.data + at, sizeof(stamp_value));
        at += sizeof(stamp_value);
        const struct charle_cursor cursor = {scope, stamp_value, 0};
        if (!fake_is_granted(server, scope)) {
            fake_list_add(server, &lost, fake_boxed(server, scope.ptr, scope.len));
            continue;
        }
        if (stamp_value < floor_of(server, scope)) { // the log was forgotten under the stream
            fake_list_add(server, &repair, fake_boxed(server, scope.ptr, scope.len));
            continue;
        }
        add_delta(server, &cursor, &deltas);
        struct fake_stream keep = {.cursors = held};
        remember(&keep, scope, fake_head_of(server, scope).stamp);
        held = keep.cursors;
    }
    struct charle_array granted = fake_granted_scopes(server);
    const struct charle_str *scopes = granted.items;
    for (size_t i = 0; i < granted.count; i++) {
        if (!is_listed(stream, scopes[i]))
            fake_list_add(server, &gained, fake_boxed(server, scopes[i].ptr, scopes[i].len));
    }
    charle_buf_deinit(&stream->cursors);
    stream->cursors = held;
    bool is_new = stream->last_sequence != fake_server_last_sequence(server, stream->device);
    if (!lost.count && !deltas.count && !is_new && !repair.count)
        return;
    struct charle_pull_page page = {.lost = fake_value_array(server, &lost), .gained = fake_value_array(server, &gained),
                                    .repair = fake_value_array(server, &repair)};
    if (lost.count)
        page.scope = granted;
    send_moment(server, stream, &page, &deltas, reply);
}

static enum charle_err pump_pull(struct fake_server *server, struct fake_stream *stream, struct fake_reply *reply)
{
    struct charle_pull_request request;
    struct charle_error err = {0};
    enum charle_err rc = charle_message_read(&charle_pull_request_message, charle_buf_bytes(&stream->request), &server->arena, &request, &err);
    if (rc)
        return rc;
    snprintf(stream->device, sizeof(stream->device), "%.*s", CHARLE_FMT(request.device_id));
    stream->is_live = request.live.has && request.live.value;
    if (stream->is_first) {
        server->pulls++;
        first_moment(server, stream, &request, reply);
    } else {
        later_moment(server, stream, reply);
    }
    stream->is_first = false;
    stream->is_done = !stream->is_live;
    return CHARLE_OK;
}

enum charle_err fake_server_pump(struct fake_server *server, struct fake_stream *stream, struct fake_reply *reply)
{
    reply->text[0] = '\0';
    charle_arena_reset(&server->arena);
    return stream->is_pull ? pump_pull(server, stream, reply) : pump_copy(server, stream, reply);
}
