// Heads, epochs and cursors: is what a replica holds a moment of this history?
#include "base/plant.h"
#include "server/sync/parts.h"
#include "sync/cursor.h"

// One row for each scope asked for, in the order asked, whether or not it has a head.
static const char heads_sql[] = "select h.v, h.hist, coalesce(h.floor, 0), e.lineage "
                                "from unnest($1::text[]) with ordinality as s(scope, n) "
                                "left join charle.head h on h.scope = s.scope "
                                "left join charle.epoch e on e.epoch = h.v >> 33 order by s.n";

static enum charle_err read_head(struct charle_rows *rows, struct charle_arena *arena, struct ch_head *head, struct charle_error *err)
{
    struct charle_value stamp, history, floor, lineage;
    enum charle_err rc = charle_rows_value(rows, 0, CHARLE_TYPE_INT8, false, &stamp, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 1, CHARLE_TYPE_INT8, true, &history, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 2, CHARLE_TYPE_INT8, false, &floor, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 3, CHARLE_TYPE_INT8, false, &lineage, err);
    if (rc || stamp.is_null)
        return rc;
    head->stamp = stamp.int8;
    head->floor = floor.int8;
    head->lineage = lineage.is_null ? 0 : (uint64_t)lineage.int8;
    head->history_count = history.array.count;
    int64_t *copy = charle_arena_array(arena, head->history_count, sizeof(*copy));
    if (!copy)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the history of a head");
    if (head->history_count)
        memcpy(copy, history.array.items, head->history_count * sizeof(*copy));
    head->history = copy;
    return CHARLE_OK;
}

enum charle_err ch_heads_read(struct charle_db *db, const struct charle_str *scopes, size_t count, struct charle_arena *arena,
                              struct ch_head **out, struct charle_error *err)
{
    const struct charle_value param = {.type = CHARLE_TYPE_TEXT, .is_array = true, .array = {.items = scopes, .count = count, .has = true}};
    CHARLE_ASSERT(scopes || !count);
    struct ch_head *heads = charle_arena_array(arena, count, sizeof(*heads));
    struct charle_rows *rows = NULL;
    if (!heads)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for %zu heads", count);
    enum charle_err rc = charle_query(db, heads_sql, &param, 1, &rows, err);
    for (size_t i = 0; rc == CHARLE_OK && i < count; i++) {
        CHARLE_ASSERT(!heads[i].stamp && !heads[i].history); // zero is a scope that nothing has touched
        heads[i].scope = scopes[i];
        rc = charle_rows_next(rows, err);
        if (rc == CHARLE_OK)
            rc = read_head(rows, arena, &heads[i], err);
    }
    charle_rows_close(rows);
    *out = heads;
    return rc == CHARLE_DONE ? charle_fail(err, CHARLE_INTERNAL, "the database gave fewer heads than were asked for") : rc;
}

enum charle_err ch_epochs_read(struct charle_db *db, struct charle_arena *arena, struct ch_epochs *out, struct charle_error *err)
{
    struct charle_rows *rows = NULL;
    struct charle_value epochs, lineages;
    *out = (struct ch_epochs){0};
    enum charle_err rc = charle_query(
        db, "select array_agg(epoch order by epoch), array_agg(lineage order by epoch) from charle.epoch", NULL, 0, &rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_next(rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 0, CHARLE_TYPE_INT8, true, &epochs, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 1, CHARLE_TYPE_INT8, true, &lineages, err);
    if (rc == CHARLE_OK && !epochs.is_null) {
        out->count = epochs.array.count;
        out->epochs = charle_arena_array(arena, out->count, sizeof(*out->epochs));
        out->lineages = charle_arena_array(arena, out->count, sizeof(*out->lineages));
        if (!out->epochs || !out->lineages)
            rc = charle_fail(err, CHARLE_NO_MEMORY, "no memory for %zu epochs", out->count);
    }
    for (size_t i = 0; rc == CHARLE_OK && i < out->count; i++) {
        out->epochs[i] = ((const int64_t *)epochs.array.items)[i];
        out->lineages[i] = (uint64_t)((const int64_t *)lineages.array.items)[i];
    }
    charle_rows_close(rows);
    return rc;
}

static bool lineage_fits(const struct ch_epochs *epochs, int64_t epoch, uint64_t lineage)
{
    CHARLE_ASSERT(!epochs->count || (epochs->epochs && epochs->lineages));
    for (size_t i = 0; i < epochs->count; i++) {
        if (epochs->epochs[i] == epoch)
            return epochs->lineages[i] == lineage || CH_PLANTED(LINEAGE_IGNORED);
    }
    return false;
}

// Did this scope ever have the stamp? In the head's own epoch every number up to the head was given; in an older epoch of the scope
// every number up to where it ended; in an epoch that the scope was not touched in, none.
static bool is_on_history(const struct ch_head *head, int64_t stamp)
{
    int64_t epoch = ch_stamp_epoch(stamp);
    CHARLE_ASSERT(head->history || !head->history_count);
    CHARLE_ASSERT(stamp > 0 && epoch >= 0);
    if (epoch == ch_stamp_epoch(head->stamp) || CH_PLANTED(HISTORY_IGNORED))
        return stamp <= head->stamp;
    for (size_t i = 0; i < head->history_count; i++) {
        if (ch_stamp_epoch(head->history[i]) == epoch)
            return stamp <= head->history[i];
    }
    return false;
}

enum ch_cursor_state ch_head_judge(const struct ch_head *head, const struct ch_epochs *epochs, int64_t stamp, uint64_t lineage)
{
    if (stamp == 0) // the scope as it was before anything touched it
        return head->stamp == 0 ? CH_CURSOR_EQUAL : head->floor == 0 || CH_PLANTED(FLOOR_IGNORED) ? CH_CURSOR_BEHIND : CH_CURSOR_LOST;
    if (stamp < 0 || !is_on_history(head, stamp) || !lineage_fits(epochs, ch_stamp_epoch(stamp), lineage))
        return CH_CURSOR_LOST;
    if (stamp == head->stamp)
        return CH_CURSOR_EQUAL;
    return stamp < head->floor && !CH_PLANTED(FLOOR_IGNORED) ? CH_CURSOR_LOST : CH_CURSOR_BEHIND;
}

enum charle_err ch_device_sequence(struct charle_db *db, struct charle_str device_id, int64_t *out, struct charle_error *err)
{
    const struct charle_value param = charle_text(device_id);
    enum charle_err rc = charle_query_number(db, "select last_sequence from charle.device where id = $1", &param, 1, out, err);
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}
