// The range of keys at hand: of which scope and table it is, what is still to compare behind it, and the two questions about it.
#include "client/acquire_parts.h"

#include "base/alloc.h"

struct charle_str ch_acquire_scope_at(const struct ch_acquire *a, size_t at)
{
    return at < a->scopes.size ? charle_str((const char *)a->scopes.data + at) : (struct charle_str){0};
}

struct charle_str ch_acquire_scope(const struct ch_acquire *a)
{
    return ch_acquire_scope_at(a, a->scope_at);
}

struct charle_str ch_acquire_bound(bool has, const struct charle_buf *text)
{
    return has ? charle_str_n(text->size ? (const char *)text->data : "", text->size) : (struct charle_str){0};
}

static struct charle_opt_text opt_bound(bool has, const struct charle_buf *text)
{
    return (struct charle_opt_text){ch_acquire_bound(has, text), has};
}

void ch_acquire_range_deinit(struct ch_key_range *range)
{
    charle_buf_deinit(&range->after);
    charle_buf_deinit(&range->until);
    *range = (struct ch_key_range){0};
}

enum charle_err ch_acquire_push_range(struct ch_acquire *a, struct charle_str after, struct charle_str until, int64_t rows,
                                      struct charle_error *err)
{
    if (a->range_count == a->range_capacity) {
        size_t capacity = a->range_capacity ? a->range_capacity * 2 : CH_VERIFY_BUCKETS;
        struct ch_key_range *grown = ch_realloc_array(a->ranges, capacity, sizeof(*grown));
        if (!grown)
            return charle_fail(err, CHARLE_NO_MEMORY, "no memory for %zu ranges of keys", capacity);
        a->ranges = grown;
        a->range_capacity = capacity;
    }
    CHARLE_ASSERT(a->range_count < a->range_capacity);
    struct ch_key_range range = {.has_after = after.ptr != NULL, .has_until = until.ptr != NULL, .rows = rows};
    charle_buf_add_str(&range.after, after);
    charle_buf_add_str(&range.until, until);
    a->ranges[a->range_count++] = range;
    return range.after.failed || range.until.failed ? charle_fail(err, CHARLE_NO_MEMORY, "no memory for a range of keys") : CHARLE_OK;
}

void ch_acquire_clear_ranges(struct ch_acquire *a)
{
    while (a->range_count)
        ch_acquire_range_deinit(&a->ranges[--a->range_count]);
}

struct ch_table *ch_acquire_table(struct ch_client_core *core)
{
    CHARLE_ASSERT(core->acquire.is_in_table && core->acquire.table_at < core->replica->tables.count);
    return &core->replica->tables.items[core->acquire.table_at];
}

struct ch_table_audience *ch_acquire_audience_at(struct ch_client_core *core, size_t table_at)
{
    CHARLE_ASSERT(table_at < core->replica->tables.count);
    struct ch_table *table = &core->replica->tables.items[table_at];
    struct charle_str scope = ch_acquire_scope(&core->acquire);
    return core->acquire.is_fill ? ch_fill_audience(&core->fill, table, scope) : ch_table_audience_of(table, scope);
}

static uint64_t schema_hash(const struct ch_client_core *core)
{
    return core->acquire.is_fill ? core->fill.served_hash : core->replica->served_hash;
}

bool ch_acquire_is_leaf(const struct ch_acquire *a)
{
    return a->range.rows >= 0 && a->range.rows <= CH_VERIFY_LEAF_ROWS;
}

void ch_acquire_start_hash(struct ch_client_core *core)
{
    struct ch_acquire *a = &core->acquire;
    struct charle_array newest;
    CHARLE_ASSERT(!a->call && a->compares && ch_acquire_scope(a).ptr); // what has no rows here is fetched
    bool may_lag = ch_core_newest(core, true, &newest);
    const struct charle_hash_request request = {
        .at_least = newest, .may_lag = {may_lag, true},
        .scope = ch_acquire_scope(a), .table = ch_acquire_table(core)->schema->id,
        .after_key = opt_bound(a->range.has_after, &a->range.after), .until_key = opt_bound(a->range.has_until, &a->range.until),
        .buckets = ch_acquire_is_leaf(a) ? 1 : CH_VERIFY_BUCKETS,
        .schema_hash = schema_hash(core),
    };
    a->step = CH_ACQUIRE_HASH;
    charle_buf_reset(&a->reply);
    a->call = ch_core_call(core, "charle.Sync/Hash", &charle_hash_request_message, &request, CH_ACQUIRE_TIMEOUT_MS);
}

void ch_acquire_start_fetch(struct ch_client_core *core)
{
    struct ch_acquire *a = &core->acquire;
    CHARLE_ASSERT(!a->call && ch_acquire_scope(a).ptr);
    struct charle_opt_text after = opt_bound(a->range.has_after, &a->range.after);
    if (a->last_key.size) // going on behind what is staged
        after = (struct charle_opt_text){charle_buf_str(&a->last_key), true};
    struct charle_array newest;
    bool may_lag = ch_core_newest(core, true, &newest);
    const struct charle_copy_request request = {
        .at_least = newest, .may_lag = {may_lag, true},
        .scope = ch_acquire_scope(a), .table = ch_acquire_table(core)->schema->id, .after_key = after,
        .until_key = opt_bound(a->range.has_until, &a->range.until), .schema_hash = schema_hash(core),
    };
    a->step = CH_ACQUIRE_FETCH;
    a->has_ended = false;
    a->call = ch_core_call(core, "charle.Sync/Copy", &charle_copy_request_message, &request, 0);
}

void ch_acquire_start_new_fetch(struct ch_client_core *core)
{
    struct ch_acquire *a = &core->acquire;
    a->range_is_staged = false;
    charle_buf_reset(&a->last_key);
    a->report.ranges_fetched++;
    ch_acquire_start_fetch(core);
}
