// The newest stamps that the replica has seen, for reads that may go to a standby of the server's database.
//
// A row may be seen through two scopes, and copies write rows in the order in which they come. So what is read later must not be older than what
// was read before, whatever the scope: each such read names all the stamps that are known here, and a standby that has not got there leaves
// the answer to the primary. A replica of very many scopes names none, and is always answered by the primary.
#include "client/core_parts.h"

enum { NEWEST_MAX = 256 }; // 20 KB of a request

struct newest {
    struct charle_arena *arena;
    const struct charle_cursor *items[NEWEST_MAX];
    size_t count;
    bool has_failed; // too many, or no memory
};

static void add(struct newest *newest, struct charle_str scope, int64_t stamp, uint64_t lineage)
{
    struct charle_cursor *cursor = CHARLE_ARENA_NEW(newest->arena, struct charle_cursor);
    if (stamp <= 0)
        return;
    newest->has_failed = newest->has_failed || !cursor || newest->count == NEWEST_MAX;
    if (newest->has_failed)
        return;
    *cursor = (struct charle_cursor){charle_arena_str(newest->arena, scope), stamp, lineage};
    newest->has_failed = !cursor->scope.ptr;
    newest->items[newest->count++] = cursor;
    CHARLE_ASSERT(newest->count <= NEWEST_MAX);
}

// Scopes in doubt are left out: their stamps may be of a past that was lost, and would never be reached.
static void add_known(struct ch_client_core *core, bool with_cursors, struct newest *newest)
{
    struct ch_lite *look = &core->replica->look;
    struct charle_error err;
    sqlite3_stmt *row;
    pthread_mutex_lock(&core->replica->look_mutex);
    enum charle_err rc = ch_lite_one(look, CH_LITE_CURSOR_NEWEST, &row, &err, "");
    for (; rc == CHARLE_OK && !newest->has_failed; rc = ch_lite_next(look, row, &err)) {
        struct charle_str scope = ch_lite_text(row, 0);
        if (with_cursors)
            add(newest, scope, sqlite3_column_int64(row, 1), (uint64_t)sqlite3_column_int64(row, 2));
        add(newest, scope, sqlite3_column_int64(row, 3), (uint64_t)sqlite3_column_int64(row, 4));
    }
    if (rc == CHARLE_OK) // there are too many, and no use in reading the others
        ch_lite_end(row);
    pthread_mutex_unlock(&core->replica->look_mutex);
    newest->has_failed = newest->has_failed || rc != CHARLE_DONE;
}

bool ch_core_newest(struct ch_client_core *core, bool with_cursors, struct charle_array *out)
{
    struct newest newest = {.arena = &core->arena};
    const struct ch_acquire *a = &core->acquire;
    *out = (struct charle_array){0};
    CHARLE_ASSERT(a->scope_at <= a->scopes.size);
    CHARLE_ASSERT(a->staged_count <= a->staged_capacity);
    add_known(core, with_cursors, &newest);
    for (size_t i = 0; i < a->staged_count; i++)
        add(&newest, a->staged[i].scope, a->staged[i].seen.stamp, a->staged[i].seen.lineage);
    if (a->scope_at < a->scopes.size)
        add(&newest, charle_str((const char *)a->scopes.data + a->scope_at), a->seen.stamp, a->seen.lineage);
    const struct charle_cursor **items = charle_arena_array(&core->arena, newest.count, sizeof(*items));
    if (newest.has_failed || !items)
        return false;
    memcpy(items, newest.items, newest.count * sizeof(*items));
    *out = (struct charle_array){items, newest.count, true};
    return true;
}
