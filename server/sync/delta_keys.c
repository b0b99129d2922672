// What a delta is about: the names of the rows that the log has between two stamps of a scope.
#include "base/slow.h"
#include "server/sync/parts.h"

#include <stdlib.h>

// The log's entries, a row for each table that they are of. A row that changed often is named often: as long as they are few, that is sorted out here,
// for half of what `distinct` costs there.
static const char entries_sql[] = "select tab, array_agg(key) from (select tab, key from charle.entry where scope = $1 and v > $2 and v <= $3 "
                                  "limit $4) e group by tab";
static const char distinct_sql[] = "select tab, array_agg(key) from (select distinct tab, key from charle.entry where scope = $1 and v > $2 "
                                   "and v <= $3 limit $4) e group by tab";
enum { ENTRIES_MAX = 50000 };

// What is named of one table.
struct named {
    uint32_t table;
    struct charle_array keys;
};

static int by_table(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    return (x->table > y->table) - (x->table < y->table);
}

static int by_key(const void *a, const void *b)
{
    return charle_str_compare(*(const struct charle_str *)a, *(const struct charle_str *)b);
}

static enum charle_err read_named(const PGresult *result, int row, struct charle_arena *arena, struct named *out, struct charle_error *err)
{
    struct charle_value table, keys;
    enum charle_err rc = ch_pg_result_value(result, row, 0, CHARLE_TYPE_INT4, false, arena, &table, err);
    if (rc == CHARLE_OK)
        rc = ch_pg_result_value(result, row, 1, CHARLE_TYPE_TEXT, true, arena, &keys, err);
    if (rc == CHARLE_OK)
        *out = (struct named){(uint32_t)table.int4, keys.array};
    return rc;
}

// Many a transaction goes over its rows in the order of their keys, and PostgreSQL's own sort takes three times as long.
static void sort_keys(struct charle_str *keys, size_t count)
{
    size_t sorted = 1;
    while (sorted < count && charle_str_compare(keys[sorted - 1], keys[sorted]) <= 0)
        sorted++;
    if (sorted < count)
        qsort(keys, count, sizeof(*keys), by_key);
}

static void add_named(struct ch_delta_keys *keys, const struct named *named)
{
    struct charle_str *added = keys->items + keys->count;
    const struct charle_str *names = named->keys.items;
    size_t kept = 0;
    memcpy(added, names, named->keys.count * sizeof(*added)); // a group has one at least
    sort_keys(added, named->keys.count);
    for (size_t i = 0; i < named->keys.count; i++) {
        CHARLE_ASSERT_SLOW(!i || charle_str_compare(added[i - 1], added[i]) <= 0 || kept < i);
        if (kept && charle_str_equal(added[kept - 1], added[i]))
            continue;
        added[kept] = added[i];
        keys->tables[keys->count + kept++] = named->table;
    }
    CHARLE_ASSERT(kept <= named->keys.count);
    keys->count += kept;
}

// Short of memory is not the same as too many: nothing may be concluded from it.
static enum charle_err no_room(const struct charle_arena *arena, struct charle_error *err)
{
    return charle_fail(err, arena->failed == CHARLE_NO_MEMORY ? CHARLE_NO_MEMORY : CHARLE_TOO_LARGE, "no room in memory for a list of changes");
}

static enum charle_err take_keys(struct ch_delta_keys *keys, struct charle_arena *arena, size_t *out_named, struct charle_error *err)
{
    size_t table_count = (size_t)PQntuples(keys->result), count = 0;
    struct named *named = charle_arena_array(arena, table_count, sizeof(*named));
    enum charle_err rc = CHARLE_OK;
    if (!named)
        return no_room(arena, err);
    for (size_t i = 0; rc == CHARLE_OK && i < table_count; i++) {
        rc = read_named(keys->result, (int)i, arena, &named[i], err);
        count += rc ? 0 : named[i].keys.count;
    }
    *out_named = count;
    if (rc)
        return rc;
    keys->items = charle_arena_array(arena, count, sizeof(*keys->items));
    keys->tables = charle_arena_array(arena, count, sizeof(*keys->tables));
    if (!keys->items || !keys->tables)
        return no_room(arena, err);
    if (table_count)
        qsort(named, table_count, sizeof(*named), by_table);
    for (size_t i = 0; i < table_count; i++)
        add_named(keys, &named[i]);
    CHARLE_ASSERT(keys->count <= count); // the room of the two lists
    return CHARLE_OK;
}

static enum charle_err ask_keys(struct charle_db *db, const char *sql, const struct charle_value *params, PGresult **out, struct charle_error *err)
{
    struct ch_pg_pipeline *pipeline = NULL;
    enum charle_err rc = ch_pg_pipeline_open(db, 0, &pipeline, err);
    if (rc == CHARLE_OK)
        rc = ch_pg_pipeline_add(pipeline, sql, params, 4, err);
    if (rc == CHARLE_OK)
        rc = ch_pg_pipeline_next(pipeline, out, err);
    ch_pg_pipeline_close(pipeline);
    return rc;
}

static enum charle_err read_keys(struct charle_db *db, const char *sql, struct charle_value *params, size_t max, struct charle_arena *arena,
                                 struct ch_delta_keys *out, bool *out_is_more, struct charle_error *err)
{
    size_t count = 0;
    *out = (struct ch_delta_keys){0};
    *out_is_more = false;
    CHARLE_ASSERT(max > 0 && params[0].text.len);
    params[3] = charle_int8((int64_t)max + 1);
    enum charle_err rc = ask_keys(db, sql, params, &out->result, err);
    if (rc == CHARLE_OK)
        rc = take_keys(out, arena, &count, err);
    *out_is_more = rc == CHARLE_OK && count > max;
    if (rc || *out_is_more)
        ch_delta_keys_clear(out);
    CHARLE_ASSERT(rc || *out_is_more || (out->result && out->count <= max));
    return rc;
}

enum charle_err ch_delta_keys_read(struct charle_db *db, struct charle_str scope, int64_t from, int64_t to, struct charle_arena *arena,
                                   struct ch_delta_keys *out, struct charle_error *err)
{
    struct charle_value params[] = {charle_text(scope), charle_int8(from), charle_int8(to), {0}};
    bool is_more;
    enum charle_err rc = read_keys(db, entries_sql, params, ENTRIES_MAX, arena, out, &is_more, err);
    if (rc == CHARLE_OK && is_more)
        rc = read_keys(db, distinct_sql, params, CH_DELTA_KEYS_MAX, arena, out, &is_more, err);
    if (rc == CHARLE_OK && is_more)
        rc = charle_fail(err, CHARLE_TOO_LARGE, "more than %d rows of scope %.*s changed", CH_DELTA_KEYS_MAX, CHARLE_FMT(scope));
    return rc;
}

void ch_delta_keys_clear(struct ch_delta_keys *keys)
{
    PQclear(keys->result);
    *keys = (struct ch_delta_keys){0};
}
