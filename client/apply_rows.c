// Rows of a moment's pages: what each says is gone, then what it says is there.
#include "client/apply_parts.h"

#include "base/plant.h"
#include "base/slow.h"
#include "msg/wire.h"
#include "sync/cursor.h"

enum charle_err ch_apply_find_table(struct application *a, uint32_t id, struct charle_str scope, struct ch_table **out_table,
                                  struct ch_table_audience **out_audience, struct charle_error *err)
{
    *out_table = ch_table_by_id(a->tables, id);
    *out_audience = *out_table ? ch_table_audience_of(*out_table, scope) : NULL;
    CHARLE_ASSERT(!*out_table || (*out_table)->schema->id == id);
    if (*out_audience)
        return CHARLE_OK;
    return charle_fail(err, CHARLE_SCHEMA_MISMATCH,
                       "the server sent rows of table %u in the scope %.*s, which this program's schema does not have; update the program",
                       id, CHARLE_FMT(scope));
}

// A row that is back in a scope after the comparison that missed it there.
static enum charle_err drop_denial(struct application *a, struct ch_table *table, struct charle_str scope, struct charle_bytes row,
                                   struct charle_error *err)
{
    charle_buf_reset(&a->key);
    enum charle_err rc = ch_table_key_of_row(a->tables, table, row, &a->key, err);
    return rc ? rc : ch_lite_run(a->tables->sql, CH_LITE_DENIED_DROP, err, "iss", (int64_t)table->schema->id, charle_buf_str(&a->key), scope);
}

static bool shows_all_columns(const struct ch_table *table, const struct ch_table_audience *audience)
{
    return !(table->columns.bits[0] & ~audience->columns.bits[0]) && !(table->columns.bits[1] & ~audience->columns.bits[1]);
}

static enum charle_err apply_row(struct application *a, struct ch_table *table, struct ch_table_audience *audience,
                                 struct charle_str scope, struct charle_bytes row, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    bool is_shown = false;
    if (a->rebase.has_images) {
        charle_buf_reset(&a->key);
        rc = ch_table_key_of_row(a->tables, table, row, &a->key, err);
        if (!rc)
            rc = shows_all_columns(table, audience) ? ch_rebase_before_whole_row(&a->rebase, table, charle_buf_str(&a->key), row, &is_shown, err)
                                                    : ch_rebase_before_row(&a->rebase, table, charle_buf_str(&a->key), err);
    }
    if (!rc && a->options->staged)
        rc = drop_denial(a, table, scope, row, err);
    a->result->rows++;
    if (!rc && is_shown)
        return ch_table_enter(a->tables, table, audience, scope, charle_buf_str(&a->key), err);
    return rc ? rc : ch_table_put(a->tables, table, audience, scope, row, err);
}

static enum charle_err apply_gone(struct application *a, struct ch_table *table, struct ch_table_audience *audience,
                                  struct charle_str scope, const struct charle_gone *gone, struct charle_error *err)
{
    charle_buf_reset(&a->key);
    enum charle_err rc = ch_table_key_of_wire(a->tables, table, gone->key, &a->key, err);
    if (!rc)
        rc = ch_rebase_before_row(&a->rebase, table, charle_buf_str(&a->key), err);
    a->result->rows++;
    return rc ? rc
              : ch_table_leave(a->tables, table, audience, scope, charle_buf_str(&a->key), gone->still_in.items,
                               gone->still_in.count, err);
}

// Where the cursor of a scope stands before the moment; *out_fit says what the delta means for it.
static enum charle_err fit_delta(struct application *a, const struct charle_scope_delta *delta, enum ch_delta_fit *out_fit,
                                 struct charle_error *err)
{
    sqlite3_stmt *row;
    enum charle_err rc = ch_lite_one(a->tables->sql, CH_LITE_CURSOR_GET, &row, err, "s", delta->scope);
    if (rc && rc != CHARLE_DONE)
        return rc;
    *out_fit = CH_DELTA_OLD; // not held, or not yet, or in doubt: nobody asked for it
    if (rc == CHARLE_DONE)
        return CHARLE_OK;
    if (sqlite3_column_int(row, 2) == CH_SCOPE_READY)
        *out_fit = ch_delta_fit(sqlite3_column_int64(row, 0), delta->from, delta->to);
    ch_lite_end(row);
    if (*out_fit == CH_DELTA_GAP && CH_PLANTED(GAP_TAKEN))
        *out_fit = CH_DELTA_APPLIES;
    if (*out_fit == CH_DELTA_GAP)
        return charle_fail(err, CHARLE_ABORTED, "the server's changes of %.*s do not join on to what is here; asking again",
                           CHARLE_FMT(delta->scope));
    return CHARLE_OK;
}

enum charle_err ch_apply_commit_here(struct application *a, struct charle_error *err)
{
    CHARLE_ASSERT_SLOW(ch_replica_is_writing(a->replica));
    enum charle_err rc = ch_replica_end(a->replica, CHARLE_OK, err);
    return rc ? rc : ch_replica_begin(a->replica, CH_FETCHABLE, err);
}

static enum charle_err plant_in_delta(struct application *a, const struct charle_scope_delta *delta, enum ch_delta_fit *fit,
                                      struct charle_error *err)
{
    if (CH_PLANTED(PAGE_WITHOUT_TRANSACTION))
        return ch_apply_commit_here(a, err);
    if (!CH_PLANTED(CURSOR_BEFORE_ROWS) || *fit == CH_DELTA_GAP)
        return CHARLE_OK;
    enum charle_err rc = CHARLE_OK;
    if (*fit == CH_DELTA_APPLIES)
        rc = ch_lite_run(a->tables->sql, CH_LITE_CURSOR_NEXT, err, "sii", delta->scope, delta->to, (int64_t)delta->lineage);
    *fit = CH_DELTA_APPLIES;
    if (!rc)
        rc = ch_lite_run(a->tables->sql, CH_LITE_CURSOR_MOVE, err, "");
    return rc ? rc : ch_apply_commit_here(a, err);
}

typedef enum charle_err (*table_fn)(struct application *a, struct charle_str scope, const struct charle_table_delta *delta,
                                    struct charle_error *err);

static enum charle_err apply_table_gone(struct application *a, struct charle_str scope, const struct charle_table_delta *delta,
                                        struct charle_error *err)
{
    const struct charle_gone *const *gone = delta->gone.items;
    struct ch_table *table;
    struct ch_table_audience *audience;
    enum charle_err rc = ch_apply_find_table(a, delta->table, scope, &table, &audience, err);
    for (size_t i = 0; !rc && i < delta->gone.count; i++)
        rc = apply_gone(a, table, audience, scope, gone[i], err);
    return rc;
}

static enum charle_err apply_table_rows(struct application *a, struct charle_str scope, const struct charle_table_delta *delta,
                                        struct charle_error *err)
{
    const struct charle_bytes *rows = delta->row.items;
    struct ch_table *table;
    struct ch_table_audience *audience;
    enum charle_err rc = ch_apply_find_table(a, delta->table, scope, &table, &audience, err);
    for (size_t i = 0; !rc && i < delta->row.count; i++)
        rc = apply_row(a, table, audience, scope, rows[i], err);
    return rc;
}

static enum charle_err each_table(struct application *a, const struct charle_pull_page *page, table_fn fn,
                                  struct charle_error *err)
{
    const struct charle_scope_delta *const *deltas = page->delta.items;
    for (size_t i = 0; i < page->delta.count; i++) {
        const struct charle_table_delta *const *tables = deltas[i]->table.items;
        enum ch_delta_fit fit;
        enum charle_err rc = fit_delta(a, deltas[i], &fit, err);
        if (!rc)
            rc = plant_in_delta(a, deltas[i], &fit, err);
        if (rc)
            return rc;
        for (size_t t = 0; fit == CH_DELTA_APPLIES && t < deltas[i]->table.count; t++) {
            rc = fn(a, deltas[i]->scope, tables[t], err);
            if (rc)
                return rc;
        }
        if (fit == CH_DELTA_APPLIES)
            rc = ch_lite_run(a->tables->sql, CH_LITE_CURSOR_NEXT, err, "sii", deltas[i]->scope, deltas[i]->to,
                            (int64_t)deltas[i]->lineage);
        if (rc)
            return rc;
    }
    return CHARLE_OK;
}

enum charle_err ch_apply_page_rows(struct application *a, const struct charle_pull_page *page, struct charle_error *err)
{
    CHARLE_ASSERT_SLOW(a->rebase.replica && ch_replica_is_writing(a->replica));
    enum charle_err rc = each_table(a, page, apply_table_gone, err);
    return rc ? rc : each_table(a, page, apply_table_rows, err);
}

// --- pages ------------------------------------------------------------------------------------------------------------------

static enum charle_err read_back(struct application *a, struct charle_bytes bytes, ch_apply_page_fn fn, struct charle_error *err)
{
    struct charle_pull_page page;
    charle_arena_reset(&a->arena);
    enum charle_err rc = charle_message_read(&charle_pull_page_message, bytes, &a->arena, &page, err);
    return rc ? rc : fn(a, &page, err);
}

static enum charle_err each_kept_page(struct application *a, const struct charle_buf *kept, ch_apply_page_fn fn, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    for (size_t at = 0; !rc && at < kept->size;) {
        size_t size;
        CHARLE_ASSERT(kept->size - at >= sizeof(size));
        memcpy(&size, kept->data + at, sizeof(size));
        CHARLE_ASSERT(size <= kept->size - at - sizeof(size));
        rc = read_back(a, charle_bytes(kept->data + at + sizeof(size), size), fn, err);
        at += sizeof(size) + size;
    }
    return rc;
}

enum charle_err ch_apply_each_page(struct application *a, struct ch_moment *moment, ch_apply_page_fn fn, struct charle_error *err)
{
    CHARLE_ASSERT(moment->page_count > 0);
    if (moment->page_count == 1)
        return fn(a, &moment->newest, err);
    if (!moment->is_spooled)
        return each_kept_page(a, &moment->kept, fn, err);
    struct ch_spool_item item;
    enum charle_err rc;
    ch_spool_start(&moment->spool);
    while ((rc = ch_spool_next(&moment->spool, &item, err)) == CHARLE_OK) {
        rc = read_back(a, item.bytes, fn, err);
        if (rc)
            break;
    }
    ch_spool_stop(&moment->spool);
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}
