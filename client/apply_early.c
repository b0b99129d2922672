// A long moment is written while it still comes: the server reads its last rows while the replica writes the first.
//
// All of it is one transaction, begun with the first page and committed with the last, as if the moment had come at once. Nobody sees a part of it,
// and a crash leaves nothing of it. What is new is that the replica's lock is held while pages are waited for. So
//
//   - it is waited only a short time, and not at all once a thread of this program wants to write (client/pull.c, struct ch_lock). Programs beside
//     this one wait no longer than those short times;
//   - what has come is kept until the moment is done (struct ch_moment). Whoever cannot go on, because the next page is late, somebody wants the
//     lock, or the server begins the moment anew, rolls back, collects the rest, and applies the whole when it is there. That is tried once, with the first page.
//
// Only what is known before the last page can be written early. So moments that change which scopes are held, complete a copy, or meet waiting calls
// of this replica are applied when they are complete: which calls they contain is said by the last page.
#include "client/apply_parts.h"
#include "base/slow.h"

static bool is_plain(const struct ch_apply_options *options)
{
    return !options->staged && !options->completes_copy && options->recall_after < 0;
}

static bool has_scopes(const struct charle_pull_page *page)
{
    return page->lost.count || page->gained.count || page->repair.count || page->scope.count || page->lists_scopes.has;
}

// *out false: the moment has to be seen whole before anything of it is written.
static enum charle_err can_begin(struct application *a, struct ch_moment *moment, bool *out, struct charle_error *err)
{
    struct ch_lite *sql = &a->replica->sql;
    int64_t images, waiting;
    CHARLE_ASSERT_SLOW(ch_replica_is_writing(a->replica));
    *out = false;
    enum charle_err rc = ch_lite_number(sql, CH_LITE_BASE_ANY, 0, &images, err, "");
    if (!rc)
        rc = ch_lite_number(sql, CH_LITE_OUTBOX_WAITING, 0, &waiting, err, "i", (int64_t)0);
    if (rc || images || waiting)
        return rc;
    rc = ch_apply_note_news(a, moment, err);
    if (!rc && !a->has_news)
        rc = ch_rebase_begin(&a->rebase, a->replica, 0, false, err);
    *out = !rc && !a->has_news;
    return rc;
}

// *out_is_whole false: given up.
static enum charle_err write_pages(struct application *a, struct ch_moment *moment, ch_next_page_fn next, void *ctx, bool *out_is_whole,
                                   struct charle_error *err)
{
    *out_is_whole = false;
    for (;;) {
        size_t count = moment->page_count;
        bool is_added = false;
        enum charle_err rc = ch_apply_page_rows(a, &moment->newest, err);
        CHARLE_ASSERT(!a->has_news && moment->page_count == count); // rows alone
        *out_is_whole = !rc && moment->is_complete;
        if (rc || *out_is_whole)
            return rc;
        rc = next(ctx, moment, &is_added, err);
        bool goes_on = is_added && moment->page_count == count + 1 && !has_scopes(&moment->newest);
        if (rc || !goes_on)
            return rc;
    }
}

static enum charle_err apply_inside(struct application *a, struct ch_moment *moment, ch_next_page_fn next, void *ctx, bool *out_is_applied,
                                    struct charle_error *err)
{
    bool goes_on;
    enum charle_err rc = can_begin(a, moment, &goes_on, err);
    if (rc || !goes_on)
        return rc;
    rc = write_pages(a, moment, next, ctx, &goes_on, err);
    if (rc || !goes_on)
        return rc;
    CHARLE_ASSERT(moment->is_complete && !a->rebase.is_total);
    rc = ch_apply_note_foreign(a, moment, err);
    if (!rc)
        rc = ch_apply_finish(a, moment, err);
    *out_is_applied = !rc;
    return rc;
}

enum charle_err ch_apply_early(struct ch_replica *replica, struct ch_moment *moment, const struct ch_apply_options *options,
                               ch_next_page_fn next, void *ctx, struct ch_apply_result *out, bool *out_is_applied,
                               struct charle_error *err)
{
    *out = (struct ch_apply_result){0};
    *out_is_applied = false;
    if (moment->page_count != 1 || !is_plain(options))
        return CHARLE_OK;
    struct application a = {.replica = replica, .tables = &replica->tables, .options = options, .result = out};
    enum charle_err rc = ch_replica_begin(replica, CH_FETCHABLE, err);
    if (rc)
        return rc;
    rc = apply_inside(&a, moment, next, ctx, out_is_applied, err);
    if (rc || *out_is_applied)
        rc = ch_replica_end(replica, rc, err);
    else
        ch_replica_rollback(replica);
    *out_is_applied = *out_is_applied && !rc;
    ch_apply_deinit(&a);
    return rc;
}
