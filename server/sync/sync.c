#include "server/sync/sync.h"

#include "base/alloc.h"
#include "server/sync/file.h"
#include "server/sync/parts.h"

#include <inttypes.h>
#include <stdlib.h>

enum { STATEMENTS_SIZE_MAX = 32 << 20 };

enum charle_err ch_sync_new(const struct charle_schema *schema, const struct charle_method_table *methods, struct ch_sync **out,
                            struct charle_error *err)
{
    return ch_sync_new_skewed(schema, NULL, methods, out, err);
}

enum charle_err ch_sync_new_skewed(const struct charle_schema *schema, const struct ch_view_expressions *expressions,
                                   const struct charle_method_table *methods, struct ch_sync **out, struct charle_error *err)
{
    struct ch_sync *sync = ch_alloc_zeroed(1, sizeof(*sync));
    if (!sync)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for synchronisation");
    sync->schema = schema;
    sync->is_skewed = expressions != NULL;
    sync->methods = methods;
    charle_arena_init(&sync->arena, STATEMENTS_SIZE_MAX);
    sync->tables = charle_arena_array(&sync->arena, schema->table_count, sizeof(*sync->tables));
    enum charle_err rc = sync->tables ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for the tables' statements");
    for (size_t i = 0; rc == CHARLE_OK && i < schema->table_count; i++) {
        if (schema->tables[i]->is_replicated)
            rc = ch_table_views_init(schema->tables[i], expressions ? &expressions[i] : NULL, &sync->arena,
                                     &sync->tables[sync->table_count++], err);
    }
    if (rc == CHARLE_OK)
        rc = ch_file_access_init(sync, err);
    if (rc)
        ch_sync_free(sync);
    else
        *out = sync;
    return rc;
}

void ch_sync_free(struct ch_sync *sync)
{
    if (!sync)
        return;
    charle_arena_deinit(&sync->arena);
    ch_free(sync);
}

const struct ch_table_views *ch_sync_table(const struct ch_sync *sync, uint32_t id)
{
    size_t low = 0, high = sync->table_count; // the schema's tables are in ascending order of id
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sync->tables[middle].table->id == id)
            return &sync->tables[middle];
        if (sync->tables[middle].table->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct ch_view *ch_table_view(const struct ch_table_views *table, struct charle_str scope)
{
    for (size_t i = 0; i < table->view_count; i++) {
        const struct ch_view *view = &table->views[i];
        struct charle_str name = view->audience->name;
        // Lengths first: every pull asks this of every scope and table.
        bool has_length = view->has_key ? scope.len > name.len && scope.ptr[name.len] == ':' : scope.len == name.len;
        if (has_length && charle_str_has_prefix(scope, name))
            return view;
    }
    return NULL;
}

bool ch_sync_shows(const struct ch_sync *sync, struct charle_str scope)
{
    for (size_t i = 0; i < sync->table_count; i++) {
        if (ch_table_view(&sync->tables[i], scope))
            return true;
    }
    return false;
}

enum charle_err ch_sync_check_schema(const struct ch_sync *sync, uint64_t hash, struct charle_error *err)
{
    if (hash == sync->schema->hash)
        return CHARLE_OK;
    return charle_fail(err, CHARLE_SCHEMA_MISMATCH,
                       "this replica was made for schema %.*s %016" PRIx64 ", the server has %016" PRIx64 ": install the client of the same version",
                       CHARLE_FMT(sync->schema->name), hash, sync->schema->hash);
}

bool ch_scopes_have(const struct charle_str *scopes, size_t count, struct charle_str scope)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = charle_str_compare(scopes[middle], scope);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

// --- grants -------------------------------------------------------------------------------------------------------------

struct scope_list {
    struct charle_str *items;
    size_t count, capacity;
    struct charle_arena *arena;
};

static enum charle_err add_scope(struct scope_list *list, const struct charle_grant *grant, const struct charle_value *key,
                                 struct charle_error *err)
{
    if (list->count == CH_SCOPES_PER_SESSION_MAX)
        return charle_fail(err, CHARLE_RESOURCE_EXHAUSTED, "more than %d scopes for one person", CH_SCOPES_PER_SESSION_MAX);
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 32;
        struct charle_str *items = charle_arena_array(list->arena, capacity, sizeof(*items));
        if (!items)
            return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the scopes of a person");
        if (list->count)
            memcpy(items, list->items, list->count * sizeof(*items));
        list->items = items;
        list->capacity = capacity;
    }
    struct charle_str scope = key->is_null ? charle_arena_str(list->arena, grant->audience)
                                           : charle_arena_printf(list->arena, "%.*s:%.*s", CHARLE_FMT(grant->audience), CHARLE_FMT(key->text));
    if (!scope.ptr)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the scopes of a person");
    if (scope.len > CH_SCOPE_LEN_MAX)
        return charle_fail(err, CHARLE_OUT_OF_RANGE, "a scope of audience %.*s is longer than %d bytes", CHARLE_FMT(grant->audience),
                           CH_SCOPE_LEN_MAX);
    list->items[list->count++] = scope;
    return CHARLE_OK;
}

static enum charle_err read_grant(struct charle_db *db, const struct charle_grant *grant, struct charle_str id, struct scope_list *list,
                                  struct charle_error *err)
{
    const struct charle_value param = charle_text(id);
    struct charle_rows *rows = NULL;
    // A key may be of any type: a scope's name has its text. The statement may end with a comment.
    struct charle_str sql = charle_arena_printf(list->arena, "select g.key::text from (%s\n) as g(key)", grant->sql);
    if (!sql.ptr)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the scopes of a person");
    enum charle_err rc = charle_query(db, sql.ptr, &param, 1, &rows, err);
    while (rc == CHARLE_OK && (rc = charle_rows_next(rows, err)) == CHARLE_OK) {
        struct charle_value key;
        rc = charle_rows_value(rows, 0, CHARLE_TYPE_TEXT, false, &key, err);
        if (rc == CHARLE_OK)
            rc = add_scope(list, grant, &key, err);
    }
    charle_rows_close(rows);
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

static int by_text(const void *a, const void *b)
{
    return charle_str_compare(*(const struct charle_str *)a, *(const struct charle_str *)b);
}

enum charle_err ch_sync_scopes_of(const struct ch_sync *sync, struct charle_db *db, const struct ch_sync_peer *peer,
                                  struct charle_arena *arena, const struct charle_str **out_scopes, size_t *out_count,
                                  struct charle_error *err)
{
    struct scope_list list = {.arena = arena};
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; rc == CHARLE_OK && i < sync->schema->grant_count; i++) {
        const struct charle_grant *grant = &sync->schema->grants[i];
        if (charle_str_equal(grant->principal, peer->principal))
            rc = read_grant(db, grant, peer->id, &list, err);
    }
    if (rc)
        return charle_error_prefix(err, rc, "reading what %.*s %.*s may see", CHARLE_FMT(peer->principal), CHARLE_FMT(peer->id));
    if (list.count)
        qsort(list.items, list.count, sizeof(*list.items), by_text);
    size_t kept = 0; // two grants may give the same scope
    for (size_t i = 0; i < list.count; i++) {
        if (!kept || !charle_str_equal(list.items[kept - 1], list.items[i]))
            list.items[kept++] = list.items[i];
    }
    *out_scopes = list.items;
    *out_count = kept;
    return CHARLE_OK;
}
