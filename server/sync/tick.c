#include "server/sync/tick.h"

#include "base/plant.h"
#include "base/slow.h"
#include "server/sync/tick_parts.h"
#include "sync/cursor.h"

#include <stdlib.h>

enum {
    SCAN_EVERY_US = 1000000,  // all heads, whatever raise_seq says: a commit may come long after its raise
    COUNT_US = 60000000,      // of raises, for operators
    SETTLE_US = 1000000,      // after raise_seq moved, the commit that moved it may still be on its way
    ROW_SIZE_GUESS = 512,     // of a row in a page, with room to spare for most tables
    ROOM_MIN = 64 << 10,      // of what is left of the ring: less is not tried
};

// --- known heads --------------------------------------------------------------------------------------------------------

struct ch_known *ch_ticks_find(const struct ch_ticks *ticks, struct charle_str scope)
{
    struct ch_known *known = NULL;
    HASH_FIND(hh, ticks->heads, scope.ptr, scope.len, known);
    return known;
}

static struct ch_known *add_known(struct ch_ticks *ticks, struct charle_str scope)
{
    struct ch_known *known = ch_alloc_zeroed(1, sizeof(*known) + scope.len + 1);
    if (!known)
        return NULL;
    CHARLE_ASSERT_SLOW(!ch_ticks_find(ticks, scope));
    known->number = ++ticks->known_count;
    known->scope_len = scope.len;
    known->sequence = -1;
    memcpy(known->scope, scope.ptr, scope.len);
    HASH_ADD_KEYPTR(hh, ticks->heads, known->scope, known->scope_len, known);
    return known;
}

enum charle_err ch_ticks_know(struct ch_ticks *ticks, struct charle_str scope, struct ch_known **out, struct charle_error *err)
{
    *out = add_known(ticks, scope);
    return *out ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for the head of a scope");
}

enum charle_err ch_ticks_new(const struct ch_sync *sync, struct ch_ticks **out, struct charle_error *err)
{
    struct ch_ticks *ticks = ch_alloc_zeroed(1, sizeof(*ticks));
    if (!ticks)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for following changes");
    ticks->sync = sync;
    ticks->raise_seq = -1;
    *out = ticks;
    return CHARLE_OK;
}

static void drop_tick(struct ch_tick *tick)
{
    for (size_t i = 0; i < tick->entry_count; i++) {
        charle_buf_deinit(&tick->entries[i].bytes);
        ch_free(tick->entries[i].ends);
    }
    ch_free(tick->entries);
    *tick = (struct ch_tick){0};
}

static void drop_oldest(struct ch_ticks *ticks)
{
    CHARLE_ASSERT(ticks->first < ticks->next);
    struct ch_tick *tick = &ticks->ring[ticks->first++ % CH_TICKS_MAX];
    CHARLE_ASSERT(ticks->size >= tick->size);
    ticks->size -= tick->size;
    drop_tick(tick);
}

void ch_ticks_free(struct ch_ticks *ticks)
{
    if (!ticks)
        return;
    CHARLE_ASSERT(!ticks->streams && !ticks->unfinished);
    while (ticks->first < ticks->next)
        drop_oldest(ticks);
    CHARLE_ASSERT(!ticks->size);
    struct ch_known *known, *next;
    HASH_ITER(hh, ticks->heads, known, next)
    {
        HASH_DEL(ticks->heads, known);
        ch_free(known);
    }
    ch_free(ticks);
}

int64_t ch_ticks_polled_at_us(const struct ch_ticks *ticks)
{
    return ticks->polled_at_us;
}

void ch_ticks_ring(const struct ch_ticks *ticks, uint64_t *out_ticks, size_t *out_bytes)
{
    *out_ticks = ticks->next - ticks->first;
    *out_bytes = ticks->size;
}

void ch_ticks_on_part(struct ch_ticks *ticks, ch_ticks_part_fn part, void *ctx)
{
    ticks->part = part;
    ticks->part_ctx = ctx;
}

uint64_t ch_ticks_grants_generation(const struct ch_ticks *ticks)
{
    return ticks->generation;
}

// --- polling ------------------------------------------------------------------------------------------------------------

struct poll {
    struct ch_ticks *ticks;
    struct charle_db *db;
    struct charle_arena arena;
    struct ch_tick tick;
    size_t entry_capacity;
    int64_t xmin; // of the snapshot in which heads were read
    struct ch_delta_keys *keys; // of each entry of the tick; without a result: nobody watches, or too many
    bool is_whole;  // all heads are read, not only new ones
    bool is_broken; // a head went back, or changed its past
};

static enum charle_err add_entry(struct poll *poll, struct ch_known *known, int64_t stamp, uint64_t lineage, struct charle_error *err)
{
    struct ch_tick *tick = &poll->tick;
    if (tick->entry_count == poll->entry_capacity) {
        size_t capacity = poll->entry_capacity ? poll->entry_capacity * 2 : 8;
        struct ch_tick_entry *entries = ch_realloc_array(tick->entries, capacity, sizeof(*entries));
        if (!entries)
            return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a tick");
        tick->entries = entries;
        poll->entry_capacity = capacity;
    }
    CHARLE_ASSERT(tick->entry_count < poll->entry_capacity && poll->ticks->is_known);
    tick->entries[tick->entry_count++] = (struct ch_tick_entry){.known = known, .from = known->stamp, .to = stamp, .lineage = lineage, .sequence = -1};
    return CHARLE_OK;
}

// One head of the snapshot against what was known. New stamps become known only when the tick is complete.
static enum charle_err take_head(struct poll *poll, struct charle_str scope, int64_t stamp, uint64_t lineage, struct charle_error *err)
{
    struct ch_known *known = ch_ticks_find(poll->ticks, scope);
    if (!known && !(known = add_known(poll->ticks, scope)))
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the head of a scope");
    if (!poll->ticks->is_known) {
        known->stamp = stamp;
        known->lineage = lineage;
        return CHARLE_OK;
    }
    if (stamp == known->stamp && lineage == known->lineage)
        return CHARLE_OK;
    bool is_same_epoch = ch_stamp_epoch(stamp) == ch_stamp_epoch(known->stamp);
    if ((stamp < known->stamp || (is_same_epoch && lineage != known->lineage)) && !CH_PLANTED(DELTA_KEPT))
        poll->is_broken = true;
    return add_entry(poll, known, stamp, lineage, err);
}

// The heads that transactions changed which the last look could not see. Those have ids from the oldest that was running then: whatever
// the order in which they began, raised and committed, none is missed, so what a look finds is one moment. In the order of their names,
// which is that in which they become known: pages follow it, and how rows lie in the table depends on when PostgreSQL tidied up.
static const char all_heads_sql[] = "select h.scope, h.v, e.lineage, pg_snapshot_xmin(pg_current_snapshot())::text::int8 "
                                    "from charle.head h join charle.epoch e on e.epoch = h.v >> 33 order by h.scope";
static const char new_heads_sql[] = "select h.scope, h.v, e.lineage, pg_snapshot_xmin(pg_current_snapshot())::text::int8 "
                                    "from charle.head h join charle.epoch e on e.epoch = h.v >> 33 "
                                    "where age(h.xmin) <= age($1::int8::text::xid8::xid) order by h.scope";
// What stood here once: a key that was taken long before its commit is not found.
static const char planted_heads_sql[] = "select h.scope, h.v, e.lineage, pg_snapshot_xmin(pg_current_snapshot())::text::int8 "
                                        "from charle.head h join charle.epoch e on e.epoch = h.v >> 33 "
                                        "where $1::int8 > 0 and h.txn > (select last_value - 2 from charle.raise_seq)";

static enum charle_err read_heads(struct poll *poll, struct charle_error *err)
{
    const struct ch_ticks *ticks = poll->ticks;
    bool is_whole = poll->is_whole || !ticks->xmin;
    const struct charle_value param = charle_int8(ticks->xmin);
    const char *new_sql = CH_PLANTED(HEADS_BY_ORDER) ? planted_heads_sql : new_heads_sql;
    struct charle_rows *rows = NULL;
    enum charle_err rc = charle_query(poll->db, is_whole ? all_heads_sql : new_sql, &param, is_whole ? 0 : 1, &rows, err);
    while (rc == CHARLE_OK && (rc = charle_rows_next(rows, err)) == CHARLE_OK) {
        struct charle_value scope, stamp, lineage, xmin;
        rc = charle_rows_value(rows, 0, CHARLE_TYPE_TEXT, false, &scope, err);
        if (rc == CHARLE_OK)
            rc = charle_rows_value(rows, 1, CHARLE_TYPE_INT8, false, &stamp, err);
        if (rc == CHARLE_OK)
            rc = charle_rows_value(rows, 2, CHARLE_TYPE_INT8, false, &lineage, err);
        if (rc == CHARLE_OK)
            rc = charle_rows_value(rows, 3, CHARLE_TYPE_INT8, false, &xmin, err);
        if (rc == CHARLE_OK)
            rc = take_head(poll, scope.text, stamp.int8, (uint64_t)lineage.int8, err);
        if (rc == CHARLE_OK)
            poll->xmin = xmin.int8;
    }
    charle_rows_close(rows);
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

// A delta on its way into an entry.
struct reading {
    struct poll *poll;
    struct ch_tick_entry *entry;
    bool is_given_out; // in parts, while it is read
};

static enum charle_err add_piece(void *ctx, struct charle_bytes piece, struct charle_error *err)
{
    const struct reading *reading = ctx;
    struct ch_tick_entry *entry = reading->entry;
    CHARLE_ASSERT(piece.len > 0);
    CHARLE_ASSERT(!entry->piece_count || entry->ends[entry->piece_count - 1] == entry->bytes.size);
    struct ch_ticks *ticks = reading->poll->ticks;
    size_t *ends = ch_realloc_array(entry->ends, entry->piece_count + 1, sizeof(*ends));
    if (!ends)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a tick");
    entry->ends = ends;
    charle_buf_add(&entry->bytes, piece.ptr, piece.len);
    ends[entry->piece_count++] = entry->bytes.size;
    if (entry->bytes.failed)
        return charle_fail(err, entry->bytes.failed, "a tick does not fit in memory");
    // A small piece is the last one: nothing is won by sending it before its tick is whole.
    if (reading->is_given_out && piece.len >= CH_PAGE_SIZE_TARGET)
        ticks->part(ticks->part_ctx);
    return CHARLE_OK;
}

static bool is_device(const struct ch_known *known)
{
    return known->scope_len > 7 && memcmp(known->scope, "device:", 7) == 0;
}

static struct charle_str scope_of(const struct ch_tick_entry *entry)
{
    return charle_str_n(entry->known->scope, entry->known->scope_len);
}

// The changes of a scope that somebody watches. More than a tick can hold is left to pulls.
static enum charle_err read_delta(struct poll *poll, struct ch_tick_entry *entry, struct ch_delta_keys *keys, struct charle_error *err)
{
    struct charle_str scope = scope_of(entry);
    struct ch_head *head;
    CHARLE_ASSERT(!entry->has_delta && !entry->piece_count);
    if (is_device(entry->known)) {
        entry->has_delta = true;
        return ch_device_sequence(poll->db, ch_scope_key(scope), &entry->sequence, err);
    }
    if (!keys->result)
        return CHARLE_OK;
    enum charle_err rc = ch_heads_read(poll->db, &scope, 1, &poll->arena, &head, err);
    // One scope may fill half of the ring, and all together no more than the ring.
    size_t room = CH_TICKS_SIZE_MAX - poll->tick.size;
    if (room > CH_TICKS_SIZE_MAX / 2)
        room = CH_TICKS_SIZE_MAX / 2;
    if (rc == CHARLE_OK && (entry->from < head->floor || room < ROOM_MIN))
        return CHARLE_OK;
    charle_buf_init(&entry->bytes, room);
    // What would hardly fit is not begun: replicas would write it in vain.
    bool may_fit = keys->count <= room / ROW_SIZE_GUESS;
    struct reading reading = {.poll = poll, .entry = entry, .is_given_out = may_fit && poll->ticks->part};
    if (rc == CHARLE_OK)
        rc = ch_delta_write(poll->ticks->sync, poll->db, head, entry->from, keys, add_piece, &reading, err);
    entry->has_delta = rc == CHARLE_OK;
    if (rc == CHARLE_TOO_LARGE) {
        charle_buf_deinit(&entry->bytes);
        entry->piece_count = 0;
        rc = CHARLE_OK;
    }
    if (rc == CHARLE_ABORTED) { // a table was emptied meanwhile: what this snapshot shows is not true
        poll->tick.is_break = true;
        rc = CHARLE_OK;
    }
    return rc;
}

// The tables that grants are read from.
static enum charle_err list_grant_tables(struct poll *poll, struct charle_array *out, struct charle_error *err)
{
    const struct charle_schema *schema = poll->ticks->sync->schema;
    size_t count = 0;
    for (size_t i = 0; i < schema->grant_count; i++)
        count += schema->grants[i].depends_count;
    int32_t *tables = charle_arena_array(&poll->arena, count, sizeof(*tables));
    if (!tables)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a tick");
    count = 0;
    for (size_t i = 0; i < schema->grant_count; i++) {
        for (size_t j = 0; j < schema->grants[i].depends_count; j++)
            tables[count++] = (int32_t)schema->grants[i].depends_on[j];
    }
    CHARLE_ASSERT(poll->ticks->is_known); // what a first look finds is no change
    *out = (struct charle_array){tables, count, true};
    return CHARLE_OK;
}

static bool touches(const struct ch_delta_keys *keys, const struct charle_array *tables)
{
    const int32_t *wanted = tables->items;
    for (size_t i = 0; i < keys->count; i++) {
        if (i && keys->tables[i] == keys->tables[i - 1])
            continue;
        for (size_t t = 0; t < tables->count; t++) {
            if ((int32_t)keys->tables[i] == wanted[t])
                return true;
        }
    }
    return false;
}

// Did any change of the moved scopes whose keys were not read touch one of the tables?
static enum charle_err look_for(struct poll *poll, const struct charle_array *tables, struct charle_error *err)
{
    size_t count = 0, max = poll->tick.entry_count;
    struct charle_str *scopes = charle_arena_array(&poll->arena, max, sizeof(*scopes));
    int64_t *from = charle_arena_array(&poll->arena, max, sizeof(*from)), *to = charle_arena_array(&poll->arena, max, sizeof(*to));
    struct charle_rows *rows = NULL;
    if (!scopes || !from || !to)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a tick");
    for (size_t i = 0; i < max; i++) {
        const struct ch_tick_entry *entry = &poll->tick.entries[i];
        if (poll->keys[i].result || is_device(entry->known)) // nothing but the device itself changes in its scope
            continue;
        scopes[count] = scope_of(entry);
        from[count] = entry->from;
        to[count++] = entry->to;
    }
    CHARLE_ASSERT(count <= max);
    if (!count)
        return CHARLE_OK;
    const struct charle_value params[] = {{.type = CHARLE_TYPE_TEXT, .is_array = true, .array = {scopes, count, true}},
                                          {.type = CHARLE_TYPE_INT8, .is_array = true, .array = {from, count, true}},
                                          {.type = CHARLE_TYPE_INT8, .is_array = true, .array = {to, count, true}},
                                          {.type = CHARLE_TYPE_INT4, .is_array = true, .array = *tables}};
    enum charle_err rc = charle_query(poll->db,
                                      "select 1 from unnest($1::text[], $2::bigint[], $3::bigint[]) as m(scope, lo, hi) "
                                      "cross join lateral (select 1 from charle.entry e where e.scope = m.scope collate \"C\" and e.v > m.lo "
                                      "and e.v <= m.hi and e.tab = any($4::int[]) limit 1) x limit 1",
                                      params, 4, &rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_next(rows, err);
    poll->tick.changes_grants |= rc == CHARLE_OK;
    charle_rows_close(rows);
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

// The keys of watched scopes, which tell what kind of change it was as well; once they are too many for one delta the rest is left to pulls.
static enum charle_err read_keys(struct poll *poll, struct charle_error *err)
{
    struct ch_tick *tick = &poll->tick;
    struct charle_array tables;
    size_t named = 0;
    enum charle_err rc = list_grant_tables(poll, &tables, err);
    struct ch_delta_keys *keys = charle_arena_array(&poll->arena, tick->entry_count, sizeof(*keys));
    if (!keys)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a tick");
    memset(keys, 0, tick->entry_count * sizeof(*keys));
    poll->keys = keys;
    for (size_t i = 0; rc == CHARLE_OK && i < tick->entry_count; i++) {
        const struct ch_tick_entry *entry = &tick->entries[i];
        if (!entry->known->watchers || is_device(entry->known) || named > CH_DELTA_KEYS_MAX)
            continue;
        rc = ch_delta_keys_read(poll->db, scope_of(entry), entry->from, entry->to, &poll->arena, &keys[i], err);
        rc = rc == CHARLE_TOO_LARGE ? CHARLE_OK : rc;
        named += keys[i].count;
        tick->changes_grants |= touches(&keys[i], &tables);
    }
    if (CH_PLANTED(GRANTS_UNWATCHED)) {
        tick->changes_grants = false;
        return rc;
    }
    return rc || tick->changes_grants ? rc : look_for(poll, &tables, err);
}

static int by_known(const void *a, const void *b)
{
    uint64_t x = ((const struct ch_tick_entry *)a)->known->number, y = ((const struct ch_tick_entry *)b)->known->number;
    return (x > y) - (x < y);
}

static enum charle_err read_tick(struct poll *poll, struct charle_error *err)
{
    struct ch_tick *tick = &poll->tick;
    CHARLE_ASSERT(!tick->entry_count && !poll->ticks->unfinished);
    enum charle_err rc = read_heads(poll, err);
    if (rc || !tick->entry_count)
        return rc;
    qsort(tick->entries, tick->entry_count, sizeof(*tick->entries), by_known);
    tick->is_break = poll->is_broken;
    if (!tick->is_break)
        rc = read_keys(poll, err);
    if (rc == CHARLE_OK && tick->changes_grants)
        rc = ch_tick_streams_check(poll->ticks, poll->db, &poll->arena, &tick->is_break, err);
    CHARLE_ASSERT(rc || tick->is_break || poll->keys);
    poll->ticks->unfinished = tick;
    for (size_t i = 0; rc == CHARLE_OK && !tick->is_break && i < tick->entry_count; i++) {
        if (tick->entries[i].known->watchers)
            rc = read_delta(poll, &tick->entries[i], &poll->keys[i], err);
        tick->size += tick->entries[i].bytes.size;
    }
    poll->ticks->unfinished = NULL;
    for (size_t i = 0; poll->keys && i < tick->entry_count; i++)
        ch_delta_keys_clear(&poll->keys[i]);
    return rc;
}

// Every minute the counts are halved, so that they tell of the last minute or two.
static void count_raises(struct ch_ticks *ticks, const struct ch_tick *tick, int64_t now_us)
{
    if (now_us - ticks->counted_since_us > COUNT_US) {
        for (struct ch_known *known = ticks->heads; known; known = known->hh.next)
            known->raises /= 2;
        ticks->counted_since_us = now_us;
    }
    for (size_t i = 0; i < tick->entry_count; i++) {
        const struct ch_tick_entry *entry = &tick->entries[i];
        bool is_same_epoch = ch_stamp_epoch(entry->from) == ch_stamp_epoch(entry->to);
        CHARLE_ASSERT(entry->known->raises >= 0);
        entry->known->raises += is_same_epoch && entry->to > entry->from ? entry->to - entry->from : 1;
    }
}

bool ch_ticks_hottest(const struct ch_ticks *ticks, size_t max, struct charle_arena *arena, struct ch_tick_heat **out, size_t *out_count)
{
    struct ch_tick_heat *items = charle_arena_array(arena, max, sizeof(*items));
    size_t count = 0;
    for (const struct ch_known *known = ticks->heads; items && known; known = known->hh.next) {
        if (!known->raises || is_device(known) || (count == max && items[max - 1].raises >= known->raises))
            continue;
        size_t at = count < max ? count++ : max - 1;
        for (; at && items[at - 1].raises < known->raises; at--)
            items[at] = items[at - 1];
        CHARLE_ASSERT(count <= max && at < count);
        items[at] = (struct ch_tick_heat){charle_arena_str(arena, charle_str_n(known->scope, known->scope_len)), known->raises};
        if (!items[at].scope.ptr)
            return false;
    }
    *out = items;
    *out_count = count;
    return items != NULL;
}

// What was read becomes known, all at once.
static void adopt(struct poll *poll)
{
    struct ch_ticks *ticks = poll->ticks;
    struct ch_tick *tick = &poll->tick;
    for (size_t i = 0; i < tick->entry_count; i++) {
        CHARLE_ASSERT(tick->entries[i].known->stamp == tick->entries[i].from); // a scope is in a tick once
        CHARLE_ASSERT(tick->is_break || tick->entries[i].to > tick->entries[i].from || CH_PLANTED(DELTA_KEPT));
        tick->entries[i].known->stamp = tick->entries[i].to;
        tick->entries[i].known->lineage = tick->entries[i].lineage;
        tick->entries[i].known->sequence = tick->entries[i].sequence;
    }
    ticks->generation += tick->is_break || tick->changes_grants;
    ticks->breaks += tick->is_break;
    while (ticks->first < ticks->next && (ticks->next - ticks->first == CH_TICKS_MAX || ticks->size + tick->size > CH_TICKS_SIZE_MAX))
        drop_oldest(ticks);
    CHARLE_ASSERT(ticks->next - ticks->first < CH_TICKS_MAX); // its place in the ring is free
    ticks->size += tick->size;
    ticks->ring[ticks->next++ % CH_TICKS_MAX] = *tick;
    *tick = (struct ch_tick){0};
}

// A database that was lost from sight may be another one: nothing of what was known is taken over.
static void forget_heads(struct ch_ticks *ticks)
{
    for (struct ch_known *known = ticks->heads; known; known = known->hh.next) {
        known->stamp = 0;
        known->lineage = 0;
        known->sequence = -1;
    }
}

static enum charle_err scan(struct poll *poll, struct charle_error *err)
{
    const struct charle_begin_options snapshot = {.isolation = CHARLE_REPEATABLE_READ, .is_read_only = true};
    enum charle_err rc = charle_begin(poll->db, &snapshot, err);
    if (rc)
        return rc;
    if (!poll->ticks->is_known)
        forget_heads(poll->ticks);
    rc = read_tick(poll, err);
    struct charle_error ignored;
    enum charle_err end = charle_rollback(poll->db, &ignored);
    return rc ? rc : end ? charle_fail(err, end, "%s", ignored.text) : CHARLE_OK;
}

enum charle_err ch_ticks_poll(struct ch_ticks *ticks, struct charle_db *db, int64_t now_mono_us, bool is_forced, bool *out_moved,
                              struct charle_error *err)
{
    struct poll poll = {.ticks = ticks, .db = db, .xmin = ticks->xmin};
    int64_t seq;
    CHARLE_ASSERT(!ticks->unfinished); // nobody polls from within a part
    *out_moved = false;
    enum charle_err rc = charle_query_number(db, "select last_value from charle.raise_seq", NULL, 0, &seq, err);
    if (rc) {
        ticks->is_known = CH_PLANTED(DELTA_KEPT) && ticks->is_known;
        return rc;
    }
    if (seq != ticks->raise_seq)
        ticks->raise_moved_at_us = now_mono_us;
    bool is_back = seq < ticks->raise_seq; // an older copy was put back, and keys come again
    if (is_back)
        poll.xmin = 0;
    ticks->raise_seq = seq;
    poll.is_whole = !ticks->is_known || is_back || now_mono_us - ticks->scanned_at_us >= SCAN_EVERY_US;
    if (is_forced || poll.is_whole || now_mono_us - ticks->raise_moved_at_us < SETTLE_US) {
        rc = scan(&poll, err);
        if (rc == CHARLE_OK && poll.is_whole)
            ticks->scanned_at_us = now_mono_us;
    }
    if (rc == CHARLE_OK) {
        // After a failure what happened meanwhile is not in the ring: everybody pulls again.
        if (!ticks->is_known) {
            ticks->generation++;
            ticks->breaks++;
            while (ticks->first < ticks->next)
                drop_oldest(ticks);
            ticks->first = ++ticks->next;
        }
        *out_moved = poll.tick.entry_count > 0 || !ticks->is_known;
        ticks->xmin = poll.xmin;
        ticks->is_known = !poll.is_broken; // a broken past: everything is read anew, lineages too
        if (poll.tick.entry_count) {
            count_raises(ticks, &poll.tick, now_mono_us);
            adopt(&poll);
        }
        ticks->polled_at_us = ticks->is_known ? now_mono_us : ticks->polled_at_us;
    } else {
        ticks->is_known = false;
    }
    drop_tick(&poll.tick);
    charle_arena_deinit(&poll.arena);
    return rc;
}

// --- idle pulls -----------------------------------------------------------------------------------------------------------

static bool is_at(const struct ch_ticks *ticks, const struct charle_cursor *cursor)
{
    const struct ch_known *known = ch_ticks_find(ticks, cursor->scope);
    return known ? known->stamp == cursor->stamp && known->lineage == cursor->lineage : cursor->stamp == 0;
}

bool ch_ticks_is_current(const struct ch_ticks *ticks, const struct charle_pull_request *request, const struct charle_str *scopes,
                         size_t scope_count)
{
    const struct charle_cursor *const *cursors = request->cursor.items;
    char device[CH_SCOPE_LEN_MAX + 1];
    size_t shown_count = 0;
    for (size_t i = 0; i < scope_count; i++)
        shown_count += ch_sync_shows(ticks->sync, scopes[i]);
    if (!ticks->is_known || request->cursor.count != shown_count || request->schema_hash != ticks->sync->schema->hash ||
        request->device_id.len > sizeof(device) - 8)
        return false;
    // As many different cursors as scopes with rows, each of a scope that is held: they are the same set.
    for (size_t i = 0; i < shown_count; i++) {
        bool is_repeated = i && charle_str_compare(cursors[i - 1]->scope, cursors[i]->scope) >= 0;
        if (is_repeated || !ch_scopes_have(scopes, scope_count, cursors[i]->scope) || !is_at(ticks, cursors[i]))
            return false;
    }
    for (size_t i = 0; i < request->at_least.count; i++) {
        const struct charle_cursor *least = ((const struct charle_cursor *const *)request->at_least.items)[i];
        const struct ch_known *known = ch_ticks_find(ticks, least->scope);
        if (!known || known->stamp < least->stamp)
            return false;
    }
    memcpy(device, "device:", 7);
    memcpy(device + 7, request->device_id.ptr, request->device_id.len);
    const struct ch_known *own = ch_ticks_find(ticks, charle_str_n(device, 7 + request->device_id.len));
    return own && own->sequence >= 0 && request->last_sequence.has && request->last_sequence.value == own->sequence;
}

enum charle_err ch_ticks_note(struct ch_ticks *ticks, struct charle_str device_id, const struct ch_positions *positions,
                              struct charle_error *err)
{
    for (size_t i = 0; i < positions->count; i++) {
        struct charle_str scope = positions->items[i].scope;
        if (!charle_str_has_prefix(scope, CHARLE_STR("device:")) || !charle_str_equal(ch_scope_key(scope), device_id))
            continue;
        struct ch_known *known = ch_ticks_find(ticks, scope);
        if (!known && !(known = add_known(ticks, scope)))
            return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a device");
        if (known->stamp == positions->items[i].stamp)
            known->sequence = positions->last_sequence;
    }
    return CHARLE_OK;
}
