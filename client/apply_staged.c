// Staged rows: what was fetched or compared beside the replica in use is put in with the first moment of the next pull (client/acquire.c).
#include "client/apply_parts.h"
#include "base/slow.h"

#include "client/fill.h"
#include "sync/cursor.h"

// Lists what the moment says is gone, for the staged rows that are older than it.
static enum charle_err note_going(struct application *a, const struct charle_pull_page *page, struct charle_error *err)
{
    const struct charle_scope_delta *const *deltas = page->delta.items;
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; i < page->delta.count; i++) {
        const struct charle_table_delta *const *tables = deltas[i]->table.items;
        for (size_t t = 0; t < deltas[i]->table.count; t++) {
            const struct charle_gone *const *gone = tables[t]->gone.items;
            struct ch_table *table = ch_table_by_id(a->tables, tables[t]->table);
            for (size_t g = 0; !rc && table && g < tables[t]->gone.count; g++) {
                a->has_going = true;
                charle_buf_reset(&a->key);
                rc = ch_table_key_of_wire(a->tables, table, gone[g]->key, &a->key, err);
                if (!rc)
                    rc = ch_lite_run(a->tables->sql, CH_LITE_GOING_ADD, err, "iss", (int64_t)tables[t]->table, charle_buf_str(&a->key),
                                    deltas[i]->scope);
            }
        }
    }
    return rc;
}

// Two passes over the spool: what lies here in a fetched range and did not come is denied, then what came is put.
struct staging {
    struct application *a;
    bool is_denying;
    char scope_text[CH_SCOPE_LEN_MAX + 1];
    struct charle_str scope;
    bool is_lost; // the scope was not taken (take_staged): its items are passed over
    struct ch_table *table;
    struct ch_table_audience *audience;
    bool is_range;        // a range is open in which something may lie here
    bool has_previous, has_until;
    struct charle_buf previous, until; // the last key that arrived, or the range's lower bound; its upper bound
};

static struct charle_str bound(bool has, const struct charle_buf *text)
{
    // An empty key is a bound too, and not the absence of one.
    return has ? charle_str_n(text->size ? (const char *)text->data : "", text->size) : (struct charle_str){0};
}

static enum charle_err deny_up_to(struct staging *s, struct charle_str before, bool is_inclusive, struct charle_error *err)
{
    int64_t rows = 0;
    CHARLE_ASSERT(s->is_denying && s->table && s->audience);
    enum charle_err rc = ch_table_deny(s->a->tables, s->table, s->audience, s->scope, bound(s->has_previous, &s->previous), before,
                                       is_inclusive, &rows, err);
    s->a->result->rows_different += rows;
    return rc;
}

static enum charle_err deny_before_row(struct staging *s, struct charle_bytes row, struct charle_error *err)
{
    struct application *a = s->a;
    bool is_same = false;
    if (!s->is_range) {
        a->result->rows_different++; // nothing of this range is here
        return CHARLE_OK;
    }
    charle_buf_reset(&a->key);
    enum charle_err rc = ch_table_key_of_row(a->tables, s->table, row, &a->key, err);
    if (!rc)
        rc = deny_up_to(s, bound(true, &a->key), false, err);
    if (!rc)
        rc = ch_table_is_same(a->tables, s->table, s->audience, charle_buf_str(&a->key), row, &is_same, err);
    a->result->rows_different += !is_same;
    charle_buf_reset(&s->previous);
    charle_buf_add_str(&s->previous, charle_buf_str(&a->key));
    s->has_previous = true;
    return rc ? rc : s->previous.failed ? charle_fail(err, s->previous.failed, "no memory for a key") : CHARLE_OK;
}

static enum charle_err is_row_going(struct staging *s, struct charle_bytes row, bool *out, struct charle_error *err)
{
    struct application *a = s->a;
    int64_t value = 0;
    charle_buf_reset(&a->key);
    enum charle_err rc = ch_table_key_of_row(a->tables, s->table, row, &a->key, err);
    if (!rc)
        rc = ch_lite_number(a->tables->sql, CH_LITE_GOING_HAS, 0, &value, err, "iss", (int64_t)s->table->schema->id,
                           charle_buf_str(&a->key), s->scope);
    *out = value != 0;
    return rc;
}

static enum charle_err stage_row(void *ctx, struct charle_bytes row, struct charle_error *err)
{
    struct staging *s = ctx;
    CHARLE_ASSERT(s->table && s->audience && s->scope.len);
    if (s->is_denying)
        return deny_before_row(s, row, err);
    bool is_going = false;
    enum charle_err rc = s->a->has_going ? is_row_going(s, row, &is_going, err) : CHARLE_OK;
    if (rc || is_going)
        return rc;
    const struct ch_fill *fill = s->a->options->staged->fill;
    s->a->result->rows++;
    if (fill)
        return ch_fill_put(fill, s->a->tables, s->table, s->audience, s->scope, row, err);
    return ch_table_put(s->a->tables, s->table, s->audience, s->scope, row, err);
}

static enum charle_err end_range(struct staging *s, struct charle_error *err)
{
    if (!s->is_range)
        return CHARLE_OK;
    s->is_range = false;
    return deny_up_to(s, bound(s->has_until, &s->until), true, err);
}

static enum charle_err begin_range(struct staging *s, const struct ch_spool_item *item, struct charle_error *err)
{
    enum charle_err rc = end_range(s, err);
    if (!rc)
        rc = ch_apply_find_table(s->a, item->table, s->scope, &s->table, &s->audience, err);
    if (!rc && s->a->options->staged->fill) {
        s->audience = ch_fill_audience(s->a->options->staged->fill, s->table, s->scope);
        CHARLE_ASSERT(s->audience); // only such ranges are staged
    }
    s->has_previous = item->after.ptr != NULL;
    s->has_until = item->until.ptr != NULL;
    charle_buf_reset(&s->previous);
    charle_buf_reset(&s->until);
    if (!rc && s->has_previous)
        rc = ch_table_key_of_wire(s->a->tables, s->table, item->after, &s->previous, err);
    if (!rc && s->has_until)
        rc = ch_table_key_of_wire(s->a->tables, s->table, item->until, &s->until, err);
    if (!rc && s->is_denying)
        rc = ch_table_has_rows(s->a->tables, s->table, s->audience, s->scope, bound(s->has_previous, &s->previous),
                               bound(s->has_until, &s->until), &s->is_range, err);
    return rc;
}

static enum charle_err begin_scope(struct staging *s, const struct ch_spool_item *item, struct charle_error *err)
{
    struct ch_lite *sql = s->a->tables->sql;
    sqlite3_stmt *row;
    enum charle_err rc = end_range(s, err);
    if (rc)
        return rc;
    if (item->scope.len > CH_SCOPE_LEN_MAX)
        return charle_fail(err, CHARLE_MALFORMED, "a scope of %zu bytes was staged", item->scope.len);
    memcpy(s->scope_text, item->scope.ptr, item->scope.len);
    s->scope = charle_str_n(s->scope_text, item->scope.len);
    s->table = NULL;
    rc = ch_lite_one(sql, CH_LITE_CURSOR_GET, &row, err, "s", s->scope);
    s->is_lost = rc == CHARLE_DONE;
    if (rc)
        return s->is_lost ? CHARLE_OK : rc;
    s->is_lost = sqlite3_column_type(row, 0) == SQLITE_NULL;
    ch_lite_end(row);
    if (s->is_denying || s->is_lost)
        return CHARLE_OK;
    // From here on its rows count for what keeps other rows alive, and its cursor takes deltas.
    return ch_lite_run(sql, CH_LITE_CURSOR_MARK, err, "si", s->scope, (int64_t)CH_SCOPE_READY);
}

static enum charle_err stage_item(struct staging *s, const struct ch_spool_item *item, struct charle_error *err)
{
    if (item->kind == CH_SPOOL_SCOPE)
        return begin_scope(s, item, err);
    if (s->is_lost)
        return CHARLE_OK;
    if (item->kind == CH_SPOOL_RANGE)
        return begin_range(s, item, err);
    CHARLE_ASSERT(s->table && s->table->schema->id == item->table); // every page stands behind its range
    return ch_copy_page_rows(item->bytes, &s->a->scratch, stage_row, s, err);
}

static enum charle_err pass_over_staged(struct application *a, bool is_denying, struct charle_error *err)
{
    struct staging s = {.a = a, .is_denying = is_denying};
    struct ch_spool *spool = a->options->staged->spool;
    CHARLE_ASSERT_SLOW(spool && ch_replica_is_writing(a->replica));
    struct ch_spool_item item;
    enum charle_err rc;
    ch_spool_start(spool);
    while ((rc = ch_spool_next(spool, &item, err)) == CHARLE_OK) {
        rc = stage_item(&s, &item, err);
        if (rc)
            break;
    }
    ch_spool_stop(spool);
    if (rc == CHARLE_DONE)
        rc = end_range(&s, err);
    charle_buf_deinit(&s.previous);
    charle_buf_deinit(&s.until);
    return rc;
}

static enum charle_err take_scope(struct application *a, const struct ch_staged_scope *staged, struct charle_error *err)
{
    struct ch_lite *sql = a->tables->sql;
    sqlite3_stmt *row;
    CHARLE_ASSERT(staged->scope.len > 0 && staged->scope.len <= CH_SCOPE_LEN_MAX);
    enum charle_err rc = ch_lite_one(sql, CH_LITE_CURSOR_GET, &row, err, "s", staged->scope);
    if (rc)
        return rc == CHARLE_DONE ? CHARLE_OK : rc;
    bool is_copying = sqlite3_column_int(row, 2) == CH_SCOPE_COPYING;
    ch_lite_end(row);
    // Lost since it was compared, and gained again: the rows that were found equal are not here any more.
    if (is_copying && !staged->is_whole)
        return CHARLE_OK;
    return ch_lite_run(sql, CH_LITE_CURSOR_TAKE, err, "siiii", staged->scope, staged->stamp, (int64_t)staged->lineage, staged->seen.stamp,
                       (int64_t)staged->seen.lineage);
}

enum charle_err ch_apply_take_staged(struct application *a, struct charle_error *err)
{
    const struct ch_staged *staged = a->options->staged;
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && staged && i < staged->scope_count; i++)
        rc = take_scope(a, &staged->scopes[i], err);
    return rc;
}

enum charle_err ch_apply_staged(struct application *a, struct ch_moment *moment, struct charle_error *err)
{
    if (!a->options->staged)
        return CHARLE_OK;
    enum charle_err rc = ch_tables_begin_denials(a->tables, err);
    if (rc || !a->options->staged->spool)
        return rc;
    rc = ch_apply_each_page(a, moment, note_going, err);
    if (!rc && !a->options->staged->fill)
        rc = pass_over_staged(a, true, err);
    return rc ? rc : pass_over_staged(a, false, err);
}

enum charle_err ch_apply_leave_staged(struct application *a, struct charle_error *err)
{
    const struct ch_staged *staged = a->options->staged;
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && staged && !staged->fill && i < a->tables->count; i++) {
        if (a->tables->items[i].schema->is_replicated)
            rc = ch_table_leave_unshown(a->tables, &a->tables->items[i], staged->is_doubtful, err);
    }
    return rc;
}

// Of a scope that was copied and is lost now nobody can tell, and its rows may have been put over those of others: then all are compared.
enum charle_err ch_apply_judge_seen(struct application *a, struct charle_error *err)
{
    struct ch_lite *sql = a->tables->sql;
    int64_t count;
    if (!a->options->staged && !a->options->completes_copy)
        return CHARLE_OK;
    enum charle_err rc = ch_lite_number(sql, CH_LITE_CURSOR_SEEN, 0, &count, err, "");
    if (!rc && a->options->completes_copy && count < a->seen_count)
        rc = ch_lite_run(sql, CH_LITE_CURSOR_DOUBT_ALL, err, "");
    if (!rc)
        rc = ch_lite_run(sql, CH_LITE_CURSOR_TORN, err, "");
    return rc ? rc : ch_lite_run(sql, CH_LITE_CURSOR_WHOLE, err, "");
}
