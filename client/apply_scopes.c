// What a moment says about scopes: which are gained, lost and in doubt, and whether that is news here.
#include "client/apply_parts.h"
#include "base/slow.h"

#include "sync/cursor.h"

#include <stdlib.h>

// Rows of a scope in doubt are of another moment. Whether another scope shows one of them too is told from the row as it is here, so that is in doubt then
// as well.
static enum charle_err pass_doubt_on(struct ch_replica *replica, struct charle_str scope, struct charle_error *err)
{
    sqlite3_stmt *row;
    enum charle_err rc = ch_lite_one(&replica->sql, CH_LITE_CURSOR_GET, &row, err, "s", scope);
    if (rc)
        return rc == CHARLE_DONE ? CHARLE_OK : rc;
    bool is_doubtful = sqlite3_column_int(row, 2) == CH_SCOPE_REPAIR;
    ch_lite_end(row);
    return is_doubtful ? ch_lite_run(&replica->sql, CH_LITE_CURSOR_DOUBT_ALL, err, "") : CHARLE_OK;
}

static enum charle_err lose_scope(struct ch_replica *replica, struct charle_str scope, struct charle_error *err)
{
    struct ch_tables *tables = &replica->tables;
    CHARLE_ASSERT_SLOW(ch_replica_is_writing(replica));
    enum charle_err rc = pass_doubt_on(replica, scope, err);
    if (!rc)
        rc = ch_lite_run(&replica->sql, CH_LITE_CURSOR_DELETE, err, "s", scope);
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

static int by_text(const void *a, const void *b)
{
    return charle_str_compare(*(const struct charle_str *)a, *(const struct charle_str *)b);
}

// A copy in order: servers send them so, but it is not their word that counts.
static struct charle_str *sorted(const struct charle_array *scopes, struct charle_arena *arena)
{
    struct charle_str *copy = charle_arena_array(arena, scopes->count, sizeof(*copy));
    if (copy && scopes->count) {
        memcpy(copy, scopes->items, scopes->count * sizeof(*copy));
        qsort(copy, scopes->count, sizeof(*copy), by_text);
    }
    return copy;
}

// Both lists are gone through once, since a person may hold thousands of scopes.
enum charle_err ch_scopes_find_unlisted(struct ch_replica *replica, const struct charle_array *scopes, struct charle_arena *arena,
                                        struct charle_array *out, struct charle_error *err)
{
    const struct charle_str *listed = sorted(scopes, arena);
    struct charle_str *found = charle_arena_array(arena, CH_SCOPES_PER_SESSION_MAX, sizeof(*found));
    sqlite3_stmt *row;
    size_t count = 0;
    if (!listed || !found)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the scopes");
    enum charle_err rc = ch_lite_one(&replica->sql, CH_LITE_CURSOR_ALL, &row, err, "");
    for (; rc == CHARLE_OK && count < CH_SCOPES_PER_SESSION_MAX; rc = ch_lite_next(&replica->sql, row, err)) {
        struct charle_str scope = ch_lite_text(row, 0);
        if (bsearch(&scope, listed, scopes->count, sizeof(scope), by_text) || charle_str_equal(ch_scope_audience(scope), CHARLE_STR("device")))
            continue;
        found[count] = charle_arena_str(arena, scope);
        if (!found[count++].ptr) {
            ch_lite_end(row);
            return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the scopes");
        }
    }
    if (rc == CHARLE_OK)
        ch_lite_end(row);
    *out = (struct charle_array){found, count, true};
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

// The list of all scopes held has the last word: what is not on it is lost, even when no page said so.
static enum charle_err lose_unlisted(struct application *a, const struct charle_array *scopes, struct charle_error *err)
{
    struct charle_array lost = {0};
    enum charle_err rc = ch_scopes_find_unlisted(a->replica, scopes, &a->list_arena, &lost, err);
    const struct charle_str *items = lost.items;
    a->result->holds_others = a->result->holds_others || lost.count;
    for (size_t i = 0; !rc && i < lost.count; i++)
        rc = lose_scope(a->replica, items[i], err);
    return rc;
}

enum charle_err ch_scope_gain(struct ch_replica *replica, struct charle_str scope, struct charle_error *err)
{
    bool is_device = charle_str_equal(ch_scope_audience(scope), CHARLE_STR("device"));
    CHARLE_ASSERT_SLOW(ch_replica_is_writing(replica));
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
        bool has_room = count < CH_SCOPES_PER_SESSION_MAX;
        if (has_room)
            items[count] = charle_arena_str(arena, ch_lite_text(row, 0));
        if (!has_room || !items[count].ptr) {
            ch_lite_end(row);
            return charle_fail(err, CHARLE_NO_MEMORY, "no room for more than %zu scopes", count);
        }
        count++;
    }
    CHARLE_ASSERT(count <= CH_SCOPES_PER_SESSION_MAX);
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

enum charle_err ch_apply_doubt_scopes(struct application *a, const struct charle_pull_page *page, struct charle_error *err)
{
    const struct charle_str *doubted = page->repair.items;
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < page->repair.count; i++)
        rc = ch_lite_run(a->tables->sql, CH_LITE_CURSOR_DOUBT, err, "si", doubted[i], (int64_t)CH_SCOPE_REPAIR);
    return rc;
}

enum charle_err ch_apply_scopes(struct application *a, const struct charle_pull_page *page, struct charle_error *err)
{
    const struct charle_str *lost = page->lost.items;
    enum charle_err rc = CHARLE_OK;
    CHARLE_ASSERT(a->rebase.is_total || !page->lost.count); // rows leave only when no waiting call stands on them
    a->result->holds_others = a->result->holds_others || page->lost.count;
    for (size_t i = 0; !rc && i < page->lost.count; i++)
        rc = lose_scope(a->replica, lost[i], err);
    return rc ? rc : gain_scopes(a, &page->gained, err);
}

// The first moment of every pull says that it lists all scopes held but the device's own, and every one in which a scope is lost does. So an empty
// list there says that nothing is held any more.
enum charle_err ch_apply_list(struct application *a, const struct ch_moment *moment, struct charle_error *err)
{
    struct charle_array listed = {a->listed, a->listed_count, true};
    CHARLE_ASSERT(a->listed || !a->listed_count);
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
    CHARLE_ASSERT(!a->listed && !a->listed_count);
    a->listed = charle_arena_array(&a->list_arena, moment->scope_count + 1, sizeof(*a->listed));
    if (!a->listed)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the scopes");
    for (; a->listed_count < moment->scope_count; a->listed_count++) {
        a->listed[a->listed_count] = charle_str((const char *)moment->scopes.data + at);
        at += a->listed[a->listed_count].len + 1;
        CHARLE_ASSERT(at <= moment->scopes.size);
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

enum charle_err ch_apply_note_news(struct application *a, struct ch_moment *moment, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    if (moment->has_scopes)
        rc = read_list(a, moment, err);
    if (!rc && moment->has_scopes)
        rc = ch_apply_each_page(a, moment, note_news, err);
    return rc ? rc : note_listed_news(a, moment, err);
}
