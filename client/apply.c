#include "base/alloc.h"
#include "base/plant.h"
#include "client/apply_parts.h"
#include "client/fill.h"
#include "client/local.h"
#include "client/outbox.h"
#include "msg/wire.h"
#include "sync/cursor.h"
#include "sync/outbox.h"

// --- scopes -------------------------------------------------------------------------------------------------------------

static enum charle_err lose_scope(struct ch_replica *replica, struct charle_str scope, struct charle_error *err)
{
    struct ch_tables *tables = &replica->tables;
    enum charle_err rc = ch_lite_run(&replica->sql, CH_LITE_CURSOR_DELETE, err, "s", scope);
    for (size_t i = 0; !rc && i < tables->count; i++) {
        struct ch_table_audience *audience = ch_table_audience_of(&tables->items[i], scope);
        if (audience)
            rc = ch_table_leave_scope(tables, &tables->items[i], audience, scope, err);
    }
    if (!rc)
        rc = ch_lite_run(&replica->sql, CH_LITE_MEMBER_LEAVE, err, "s", scope);
    if (!rc)
        rc = ch_lite_run(&replica->sql, CH_LITE_COPY_DELETE, err, "s", scope);
    return rc;
}

static bool is_listed(const struct charle_array *scopes, struct charle_str scope)
{
    const struct charle_str *items = scopes->items;
    for (size_t i = 0; i < scopes->count; i++) {
        if (charle_str_equal(items[i], scope))
            return true;
    }
    return false;
}

enum charle_err ch_scopes_find_unlisted(struct ch_replica *replica, const struct charle_array *scopes,
                                        char out[CH_SCOPE_LEN_MAX + 1], struct charle_error *err)
{
    sqlite3_stmt *row;
    enum charle_err rc = ch_lite_one(&replica->sql, CH_LITE_CURSOR_ALL, &row, err, "");
    out[0] = '\0';
    for (; rc == CHARLE_OK; rc = ch_lite_next(&replica->sql, row, err)) {
        struct charle_str scope = ch_lite_text(row, 0);
        if (is_listed(scopes, scope) || charle_str_equal(ch_scope_audience(scope), CHARLE_STR("device")))
            continue;
        size_t len = scope.len < CH_SCOPE_LEN_MAX ? scope.len : CH_SCOPE_LEN_MAX;
        memcpy(out, scope.ptr, len);
        out[len] = '\0';
        ch_lite_end(row);
        return CHARLE_OK;
    }
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

// The list of all scopes held has the last word: what is not on it is lost, even when no page said so.
static enum charle_err lose_unlisted(struct application *a, const struct charle_array *scopes, struct charle_error *err)
{
    char lost[CH_SCOPE_LEN_MAX + 1];
    enum charle_err rc = ch_scopes_find_unlisted(a->replica, scopes, lost, err);
    while (!rc && lost[0]) {
        a->result->holds_others = true;
        rc = lose_scope(a->replica, charle_str(lost), err);
        if (!rc)
            rc = ch_scopes_find_unlisted(a->replica, scopes, lost, err);
    }
    return rc;
}

enum charle_err ch_scope_gain(struct ch_replica *replica, struct charle_str scope, struct charle_error *err)
{
    bool is_device = charle_str_equal(ch_scope_audience(scope), CHARLE_STR("device"));
    if (scope.len > CH_SCOPE_LEN_MAX)
        return charle_fail(err, CHARLE_MALFORMED, "the server named a scope of %zu bytes; %d is the limit", scope.len, CH_SCOPE_LEN_MAX);
    enum charle_err rc = ch_lite_run(&replica->sql, CH_LITE_CURSOR_ADD, err, "si", scope,
                                    (int64_t)(is_device ? CH_SCOPE_READY : CH_SCOPE_COPYING));
    return rc || !is_device ? rc : ch_lite_run(&replica->sql, CH_LITE_CURSOR_SET, err, "sii", scope, (int64_t)0, (int64_t)0);
}

enum charle_err ch_scopes_in_state(struct ch_replica *replica, enum ch_scope_state state, struct charle_arena *arena,
                                   struct charle_array *out, struct charle_error *err)
{
    struct charle_str *items = charle_arena_array(arena, CH_SCOPES_PER_SESSION_MAX, sizeof(*items));
    sqlite3_stmt *row;
    size_t count = 0;
    if (!items)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the scopes");
    enum charle_err rc = ch_lite_one(&replica->sql, CH_LITE_CURSOR_IN_STATE, &row, err, "i", (int64_t)state);
    for (; rc == CHARLE_OK; rc = ch_lite_next(&replica->sql, row, err)) {
        items[count] = charle_arena_str(arena, ch_lite_text(row, 0));
        if (!items[count].ptr || ++count == CH_SCOPES_PER_SESSION_MAX) {
            ch_lite_end(row);
            return charle_fail(err, CHARLE_NO_MEMORY, "no room for %zu scopes", count);
        }
    }
    *out = (struct charle_array){items, count, true};
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

static enum charle_err gain_scopes(struct application *a, const struct charle_array *scopes, struct charle_error *err)
{
    const struct charle_str *items = scopes->items;
    int64_t before, after;
    enum charle_err rc = ch_lite_number(&a->replica->sql, CH_LITE_CURSOR_HELD, 0, &before, err, "");
    for (size_t i = 0; !rc && i < scopes->count; i++)
        rc = ch_scope_gain(a->replica, items[i], err);
    if (!rc)
        rc = ch_lite_number(&a->replica->sql, CH_LITE_CURSOR_HELD, 0, &after, err, "");
    a->result->holds_others = a->result->holds_others || (!rc && after != before);
    return rc;
}

static enum charle_err doubt_scopes(struct application *a, const struct charle_pull_page *page, struct charle_error *err)
{
    const struct charle_str *doubted = page->repair.items;
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < page->repair.count; i++)
        rc = ch_lite_run(a->tables->sql, CH_LITE_CURSOR_DOUBT, err, "si", doubted[i], (int64_t)CH_SCOPE_REPAIR);
    return rc;
}

static enum charle_err apply_scopes(struct application *a, const struct charle_pull_page *page, struct charle_error *err)
{
    const struct charle_str *lost = page->lost.items;
    enum charle_err rc = CHARLE_OK;
    a->result->holds_others = a->result->holds_others || page->lost.count;
    for (size_t i = 0; !rc && i < page->lost.count; i++)
        rc = lose_scope(a->replica, lost[i], err);
    return rc ? rc : gain_scopes(a, &page->gained, err);
}

// The first moment of every pull says that it lists all scopes held but the device's own, and every one in which a scope is lost does. So an empty
// list there says that nothing is held any more.
static enum charle_err apply_list(struct application *a, const struct ch_moment *moment, struct charle_error *err)
{
    struct charle_array listed = {a->listed, a->listed_count, true};
    if (!a->has_news || (!a->listed_count && !a->has_lost && !moment->has_list))
        return CHARLE_OK;
    enum charle_err rc = lose_unlisted(a, &listed, err);
    return rc ? rc : gain_scopes(a, &listed, err);
}

// Does the page say anything about scopes that is not known here? A list that is the same as before changes nobody's rights.
static enum charle_err note_news(struct application *a, const struct charle_pull_page *page, struct charle_error *err)
{
    (void)err;
    a->has_lost = a->has_lost || page->lost.count;
    a->has_news = a->has_news || page->lost.count || page->gained.count || page->repair.count;
    return CHARLE_OK;
}

static enum charle_err read_list(struct application *a, const struct ch_moment *moment, struct charle_error *err)
{
    size_t at = 0;
    a->listed = charle_arena_array(&a->list_arena, moment->scope_count + 1, sizeof(*a->listed));
    if (!a->listed)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the scopes");
    for (; a->listed_count < moment->scope_count; a->listed_count++) {
        a->listed[a->listed_count] = charle_str((const char *)moment->scopes.data + at);
        at += a->listed[a->listed_count].len + 1;
    }
    return CHARLE_OK;
}

static enum charle_err note_listed_news(struct application *a, const struct ch_moment *moment, struct charle_error *err)
{
    int64_t count;
    if (a->has_news || (!a->listed_count && !moment->has_list))
        return CHARLE_OK;
    enum charle_err rc = ch_lite_number(a->tables->sql, CH_LITE_CURSOR_HELD, 0, &count, err, "");
    a->has_news = count != (int64_t)a->listed_count;
    for (size_t i = 0; !rc && !a->has_news && i < a->listed_count; i++) {
        sqlite3_stmt *row;
        rc = ch_lite_one(a->tables->sql, CH_LITE_CURSOR_GET, &row, err, "s", a->listed[i]);
        a->has_news = rc == CHARLE_DONE;
        if (rc == CHARLE_OK)
            ch_lite_end(row);
        else if (rc == CHARLE_DONE)
            rc = CHARLE_OK;
    }
    return rc;
}

// --- rows of pages --------------------------------------------------------------------------------------------------------

static enum charle_err find_table(struct application *a, uint32_t id, struct charle_str scope, struct ch_table **out_table,
                                  struct ch_table_audience **out_audience, struct charle_error *err)
{
    *out_table = ch_table_by_id(a->tables, id);
    *out_audience = *out_table ? ch_table_audience_of(*out_table, scope) : NULL;
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
    if (a->rebase.has_images) {
        charle_buf_reset(&a->key);
        rc = ch_table_key_of_row(a->tables, table, row, &a->key, err);
        if (!rc)
            rc = shows_all_columns(table, audience) ? ch_rebase_before_whole_row(&a->rebase, table, charle_buf_str(&a->key), err)
                                                    : ch_rebase_before_row(&a->rebase, table, charle_buf_str(&a->key), err);
    }
    if (!rc && a->options->staged)
        rc = drop_denial(a, table, scope, row, err);
    a->result->rows++;
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

// Planted: what was done so far is committed by itself.
static enum charle_err commit_here(struct application *a, struct charle_error *err)
{
    enum charle_err rc = ch_replica_end(a->replica, CHARLE_OK, err);
    return rc ? rc : ch_replica_begin(a->replica, CH_FETCHABLE, err);
}

static enum charle_err plant_in_delta(struct application *a, const struct charle_scope_delta *delta, enum ch_delta_fit *fit,
                                      struct charle_error *err)
{
    if (CH_PLANTED(PAGE_WITHOUT_TRANSACTION))
        return commit_here(a, err);
    if (!CH_PLANTED(CURSOR_BEFORE_ROWS) || *fit == CH_DELTA_GAP)
        return CHARLE_OK;
    enum charle_err rc = CHARLE_OK;
    if (*fit == CH_DELTA_APPLIES)
        rc = ch_lite_run(a->tables->sql, CH_LITE_CURSOR_NEXT, err, "sii", delta->scope, delta->to, (int64_t)delta->lineage);
    *fit = CH_DELTA_APPLIES;
    if (!rc)
        rc = ch_lite_run(a->tables->sql, CH_LITE_CURSOR_MOVE, err, "");
    return rc ? rc : commit_here(a, err);
}

typedef enum charle_err (*table_fn)(struct application *a, struct charle_str scope, const struct charle_table_delta *delta,
                                    struct charle_error *err);

static enum charle_err apply_table_gone(struct application *a, struct charle_str scope, const struct charle_table_delta *delta,
                                        struct charle_error *err)
{
    const struct charle_gone *const *gone = delta->gone.items;
    struct ch_table *table;
    struct ch_table_audience *audience;
    enum charle_err rc = find_table(a, delta->table, scope, &table, &audience, err);
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
    enum charle_err rc = find_table(a, delta->table, scope, &table, &audience, err);
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
    bool is_planted = CH_PLANTED(DELETES_LAST);
    enum charle_err rc = each_table(a, page, is_planted ? apply_table_rows : apply_table_gone, err);
    if (!rc && is_planted)
        return each_table(a, page, apply_table_gone, err);
    return rc ? rc : each_table(a, page, apply_table_rows, err);
}

// Runs fn over every page of the moment.
typedef enum charle_err (*page_fn)(struct application *a, const struct charle_pull_page *page, struct charle_error *err);

static enum charle_err read_back(struct application *a, struct charle_bytes bytes, page_fn fn, struct charle_error *err)
{
    struct charle_pull_page page;
    charle_arena_reset(&a->arena);
    enum charle_err rc = charle_message_read(&charle_pull_page_message, bytes, &a->arena, &page, err);
    return rc ? rc : fn(a, &page, err);
}

static enum charle_err each_kept_page(struct application *a, const struct charle_buf *kept, page_fn fn, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    for (size_t at = 0; !rc && at < kept->size;) {
        size_t size;
        memcpy(&size, kept->data + at, sizeof(size));
        rc = read_back(a, charle_bytes(kept->data + at + sizeof(size), size), fn, err);
        at += sizeof(size) + size;
    }
    return rc;
}

static enum charle_err each_page(struct application *a, struct ch_moment *moment, page_fn fn, struct charle_error *err)
{
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

// --- staged rows ----------------------------------------------------------------------------------------------------------

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
        rc = find_table(s->a, item->table, s->scope, &s->table, &s->audience, err);
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

// Staged scopes stand where they were first read, so that the moment's changes since then apply. Done before the moment gains anything: a scope
// that it brings was not asked for from there.
static enum charle_err take_staged(struct application *a, struct charle_error *err)
{
    const struct ch_staged *staged = a->options->staged;
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && staged && i < staged->scope_count; i++)
        rc = take_scope(a, &staged->scopes[i], err);
    return rc;
}

static enum charle_err apply_staged(struct application *a, struct ch_moment *moment, struct charle_error *err)
{
    if (!a->options->staged)
        return CHARLE_OK;
    enum charle_err rc = ch_tables_begin_denials(a->tables, err);
    if (rc || !a->options->staged->spool)
        return rc;
    rc = each_page(a, moment, note_going, err);
    if (!rc && !a->options->staged->fill)
        rc = pass_over_staged(a, true, err);
    return rc ? rc : pass_over_staged(a, false, err);
}

// Behind the moment's changes, because only then rows say rightly which scopes they are in: those that no scope shows leave, and columns too.
static enum charle_err leave_staged(struct application *a, struct charle_error *err)
{
    const struct ch_staged *staged = a->options->staged;
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && staged && !staged->fill && i < a->tables->count; i++) {
        if (a->tables->items[i].schema->is_replicated)
            rc = ch_table_leave_unshown(a->tables, &a->tables->items[i], staged->is_doubtful, err);
    }
    return rc;
}

// Scopes whose rows were read in several snapshots are what the moment shows if those snapshots are of its past. Otherwise they are compared again.
// Of a scope that was copied and is lost now nobody can tell, and its rows may have been put over those of others: then all are compared.
static enum charle_err judge_seen(struct application *a, struct charle_error *err)
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

// --- calls ----------------------------------------------------------------------------------------------------------------

static enum charle_err contain_calls(struct application *a, const struct ch_moment *moment, struct charle_error *err)
{
    struct ch_contained *list = NULL;
    size_t count = 0;
    if (!moment->has_sequence)
        return CHARLE_OK;
    enum charle_err rc = ch_outbox_contain(a->replica, moment->last_sequence, a->result->is_foreign, &list, &count, err);
    for (size_t i = 0; !rc && i < count; i++)
        rc = ch_rebase_drop(&a->rebase, list[i].position, err);
    // A parked call is made again: its effect leaves with the old number and comes back behind all others.
    for (size_t i = 0; !rc && i < count; i++) {
        int64_t again = 0;
        if (list[i].is_parked)
            rc = ch_outbox_queue_parked(a->replica, list[i].position, &again, err);
        if (!rc && again)
            rc = ch_rebase_run_later(&a->rebase, again, err);
    }
    a->result->calls_contained = (int64_t)count;
    ch_free(list);
    return rc;
}

// --- the transaction --------------------------------------------------------------------------------------------------------

static enum charle_err recall(struct application *a, struct charle_error *err)
{
    if (a->options->recall_after < 0)
        return CHARLE_OK;
    return ch_outbox_recall(a->replica, a->options->recall_after, err);
}

// From the first moment on in which every scope held is complete the replica may be used; or every one that was to come first.
static enum charle_err note_ready(struct application *a, struct charle_error *err)
{
    struct ch_lite *sql = a->tables->sql;
    int64_t incomplete, ready, doubtful = 0;
    enum charle_err rc = CHARLE_OK;
    if (a->options->completes_copy)
        rc = ch_lite_run(sql, CH_LITE_COPY_CLEAR, err, "");
    if (!rc)
        rc = ch_meta_number(sql, "ready", 0, &ready, err);
    if (!rc)
        rc = ch_lite_number(sql, CH_LITE_CURSOR_INCOMPLETE, 0, &incomplete, err, "");
    if (!rc)
        rc = ch_lite_number(sql, CH_LITE_CURSOR_COUNT, 0, &doubtful, err, "i", (int64_t)CH_SCOPE_REPAIR);
    if (rc)
        return rc;
    bool is_part = a->options->completes_copy && a->options->is_part && !doubtful;
    a->result->is_complete = incomplete == 0;
    a->result->is_ready = ready || incomplete == 0 || is_part;
    return ready || !a->result->is_ready ? CHARLE_OK : ch_meta_set_number(sql, "ready", 1, err);
}

enum charle_err ch_apply_note_news(struct application *a, struct ch_moment *moment, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    if (moment->has_scopes)
        rc = read_list(a, moment, err);
    if (!rc && moment->has_scopes)
        rc = each_page(a, moment, note_news, err);
    return rc ? rc : note_listed_news(a, moment, err);
}

enum charle_err ch_apply_note_foreign(struct application *a, const struct ch_moment *moment, struct charle_error *err)
{
    int64_t numbered = 0;
    enum charle_err rc = ch_meta_number(&a->replica->sql, "last_sequence", 0, &numbered, err);
    a->result->is_foreign = ch_call_is_foreign(moment->has_sequence ? moment->last_sequence : 0, numbered);
    return rc;
}

static enum charle_err apply_inside(struct application *a, struct ch_moment *moment, struct charle_error *err)
{
    struct ch_replica *replica = a->replica;
    int64_t contained = moment->has_sequence ? moment->last_sequence : 0;
    enum charle_err rc = ch_apply_note_foreign(a, moment, err);
    if (!rc)
        rc = ch_apply_note_news(a, moment, err);
    bool is_total = a->has_news || a->options->staged || a->options->completes_copy || a->options->recall_after >= 0;
    if (!rc)
        rc = ch_rebase_begin(&a->rebase, replica, contained, is_total, err);
    if (a->result->is_foreign)
        a->rebase.contained = 0; // the number is a copy's: which calls are dropped is told by their verdicts
    if (!rc && a->options->completes_copy) // rows copied straight into the tables are complete with this page's deltas
        rc = ch_lite_run(&replica->sql, CH_LITE_CURSOR_COUNTS, err, "");
    if (!rc)
        rc = take_staged(a, err);
    if (!rc && a->options->completes_copy)
        rc = ch_lite_number(&replica->sql, CH_LITE_CURSOR_SEEN, 0, &a->seen_count, err, "");
    if (!rc && a->has_news)
        rc = each_page(a, moment, apply_scopes, err);
    if (!rc)
        rc = apply_list(a, moment, err);
    if (!rc && a->has_news)
        rc = ch_replica_identity_changed(replica, err);
    if (!rc)
        rc = apply_staged(a, moment, err);
    if (!rc && a->has_news) // behind the staged ones: a scope whose past was rewritten while it was copied is in doubt again
        rc = each_page(a, moment, doubt_scopes, err);
    if (!rc)
        rc = each_page(a, moment, ch_apply_page_rows, err);
    if (!rc)
        rc = leave_staged(a, err);
    return rc ? rc : ch_apply_finish(a, moment, err);
}

enum charle_err ch_apply_finish(struct application *a, const struct ch_moment *moment, struct charle_error *err)
{
    struct ch_replica *replica = a->replica;
    const struct ch_client_env *env = replica->env;
    enum charle_err rc = CH_PLANTED(CURSOR_AFTER_ROWS) ? commit_here(a, err) : CHARLE_OK;
    if (!rc && CH_PLANTED(REPAIR_DROPS_CALLS) && a->options->staged)
        rc = ch_lite_script(&replica->sql, "delete from charle_outbox where state = 1", "planting", err);
    if (!rc)
        rc = ch_lite_run(&replica->sql, CH_LITE_CURSOR_MOVE, err, "");
    if (!rc)
        rc = judge_seen(a, err);
    if (!rc)
        rc = recall(a, err);
    if (!rc)
        rc = contain_calls(a, moment, err);
    if (!rc)
        rc = note_ready(a, err);
    if (!rc)
        rc = ch_rebase_finish(&a->rebase, err);
    if (!rc)
        rc = ch_local_clean(replica, err);
    if (!rc)
        rc = ch_meta_set_number(&replica->sql, "contact_at", env->now_wall_us(env->ctx), err);
    a->result->calls_run_again = a->rebase.ran;
    a->result->scopes_changed = a->has_news;
    return rc;
}

enum charle_err ch_apply_moment(struct ch_replica *replica, struct ch_moment *moment, const struct ch_apply_options *options,
                                struct ch_apply_result *out, struct charle_error *err)
{
    *out = (struct ch_apply_result){0};
    struct application a = {.replica = replica, .tables = &replica->tables, .options = options, .result = out};
    enum charle_err rc = ch_replica_begin(replica, CH_FETCHABLE, err);
    if (!rc)
        rc = ch_replica_end(replica, apply_inside(&a, moment, err), err);
    ch_apply_deinit(&a);
    return rc;
}

void ch_apply_deinit(struct application *a)
{
    ch_rebase_deinit(&a->rebase);
    charle_buf_deinit(&a->key);
    charle_buf_deinit(&a->scratch);
    charle_arena_deinit(&a->arena);
    charle_arena_deinit(&a->list_arena);
}
