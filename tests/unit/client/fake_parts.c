// What the answers of the fake server are made of: heads of scopes, and messages in its arena.
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

// --- heads --------------------------------------------------------------------------------------------------------------------

struct fake_head fake_head_of(struct fake_server *server, struct charle_str scope)
{
    struct fake_head head = {0};
    sqlite3_stmt *stmt = fake_prepare(server, "select stamp, lineage from fs_head where scope = ?1");
    fake_bind_str(stmt, 1, scope);
    if (sqlite3_step(stmt) == SQLITE_ROW)
        head = (struct fake_head){sqlite3_column_int64(stmt, 0), (uint64_t)sqlite3_column_int64(stmt, 1)};
    sqlite3_finalize(stmt);
    return head;
}

// Does the cursor lie on the history, above the floor?
bool fake_is_good(struct fake_server *server, const struct charle_cursor *cursor)
{
    sqlite3_stmt *stmt = fake_prepare(server,
        "select (?2 = 0 and ?3 = 0 and coalesce((select floor from fs_head where scope = ?1), 0) = 0) or ("
        "exists (select 1 from fs_epoch where epoch = ?2 >> 33 and lineage = ?3) and "
        "?2 <= max(coalesce((select max(stamp) from fs_log where scope = ?1 and stamp >> 33 = ?2 >> 33), 0),"
        "          coalesce((select stamp from fs_head where scope = ?1 and stamp >> 33 = ?2 >> 33), 0)) and "
        "?2 >= coalesce((select floor from fs_head where scope = ?1), 0))");
    fake_bind_str(stmt, 1, cursor->scope);
    sqlite3_bind_int64(stmt, 2, cursor->stamp);
    sqlite3_bind_int64(stmt, 3, (int64_t)cursor->lineage);
    bool good = sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    return good;
}

bool fake_is_granted(struct fake_server *server, struct charle_str scope)
{
    sqlite3_stmt *stmt = fake_prepare(server, "select 1 from fs_scope where scope = ?1 and is_granted");
    fake_bind_str(stmt, 1, scope);
    bool is = sqlite3_step(stmt) == SQLITE_ROW;
    sqlite3_finalize(stmt);
    return is;
}

// --- messages -----------------------------------------------------------------------------------------------------------------

void fake_send(const struct charle_message *type, const void *message, struct fake_reply *reply)
{
    struct charle_buf buf = {0};
    charle_message_write(type, message, &buf);
    assert_int_equal(buf.failed, 0);
    // A copy of its own size, so that a reader past the end is caught.
    uint8_t *copy = malloc(buf.size ? buf.size : 1);
    memcpy(copy, buf.data ? buf.data : (const uint8_t *)"", buf.size);
    reply->message(reply->ctx, charle_bytes(copy, buf.size));
    free(copy);
    charle_buf_deinit(&buf);
}

void *fake_new(struct fake_server *server, size_t size)
{
    void *ptr = charle_arena_alloc(&server->arena, size);
    assert_non_null(ptr);
    return ptr;
}

struct charle_str fake_keep_str(struct fake_server *server, struct charle_str text)
{
    return charle_arena_str(&server->arena, text);
}

struct charle_bytes fake_keep_blob(struct fake_server *server, sqlite3_stmt *stmt, int column)
{
    return charle_arena_bytes(&server->arena, charle_bytes(sqlite3_column_blob(stmt, column), (size_t)sqlite3_column_bytes(stmt, column)));
}

void fake_list_add(struct fake_server *server, struct fake_list *list, void *item)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 16;
        void **grown = fake_new(server, capacity * sizeof(*grown));
        if (list->count)
            memcpy(grown, list->items, list->count * sizeof(*grown));
        list->items = grown;
        list->capacity = capacity;
    }
    list->items[list->count++] = item;
}

struct charle_array fake_list_array(const struct fake_list *list)
{
    return (struct charle_array){list->items, list->count, true};
}

// Strings and bytes lie in arrays by value.
struct charle_array fake_value_array(struct fake_server *server, const struct fake_list *list)
{
    struct charle_str *values = fake_new(server, (list->count ? list->count : 1) * sizeof(*values));
    for (size_t i = 0; i < list->count; i++)
        values[i] = *(struct charle_str *)list->items[i];
    return (struct charle_array){values, list->count, true};
}

struct charle_str *fake_boxed(struct fake_server *server, const void *ptr, size_t len)
{
    struct charle_str *box = fake_new(server, sizeof(*box));
    *box = charle_str_n(ptr, len);
    return box;
}
