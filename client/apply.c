// A moment on its way into the replica: one transaction. Scopes first (apply_scopes.c), then staged rows (apply_staged.c), the rows of its pages
// (apply_rows.c), and behind them what depends on all: cursors, the calls that it contains, and those that run again on top.
#include "client/apply_parts.h"

#include "base/alloc.h"
#include "base/plant.h"
#include "base/slow.h"
#include "client/local.h"
#include "client/outbox.h"
#include "sync/outbox.h"

// --- calls ----------------------------------------------------------------------------------------------------------------

static enum charle_err contain_calls(struct application *a, const struct ch_moment *moment, struct charle_error *err)
{
    struct ch_contained *list = NULL;
    size_t count = 0;
    CHARLE_ASSERT_SLOW(ch_replica_is_writing(a->replica));
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
    CHARLE_ASSERT(sql == &a->replica->sql);
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
    CHARLE_ASSERT(moment->is_complete && moment->page_count > 0);
    CHARLE_ASSERT_SLOW(ch_replica_is_writing(replica));
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
        rc = ch_apply_take_staged(a, err);
    if (!rc && a->options->completes_copy)
        rc = ch_lite_number(&replica->sql, CH_LITE_CURSOR_SEEN, 0, &a->seen_count, err, "");
    if (!rc && a->has_news)
        rc = ch_apply_each_page(a, moment, ch_apply_scopes, err);
    if (!rc)
        rc = ch_apply_list(a, moment, err);
    if (!rc && a->has_news)
        rc = ch_replica_identity_changed(replica, err);
    if (!rc && !CH_PLANTED(STAGED_LAST))
        rc = ch_apply_staged(a, moment, err);
    if (!rc && a->has_news) // behind the staged ones: a scope whose past was rewritten while it was copied is in doubt again
        rc = ch_apply_each_page(a, moment, ch_apply_doubt_scopes, err);
    if (!rc)
        rc = ch_apply_each_page(a, moment, ch_apply_page_rows, err);
    if (!rc && CH_PLANTED(STAGED_LAST))
        rc = ch_apply_staged(a, moment, err);
    if (!rc)
        rc = ch_apply_leave_staged(a, err);
    return rc ? rc : ch_apply_finish(a, moment, err);
}

enum charle_err ch_apply_finish(struct application *a, const struct ch_moment *moment, struct charle_error *err)
{
    struct ch_replica *replica = a->replica;
    const struct ch_client_env *env = replica->env;
    CHARLE_ASSERT(a->rebase.replica == replica && moment->is_complete); // effects of waiting calls are off
    enum charle_err rc = CH_PLANTED(CURSOR_AFTER_ROWS) ? ch_apply_commit_here(a, err) : CHARLE_OK;
    if (!rc && CH_PLANTED(REPAIR_DROPS_CALLS) && a->options->staged)
        rc = ch_lite_script(&replica->sql, "delete from charle_outbox where state = 1", "planting", err);
    if (!rc)
        rc = ch_lite_run(&replica->sql, CH_LITE_CURSOR_MOVE, err, "");
    if (!rc)
        rc = ch_apply_judge_seen(a, err);
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
    CHARLE_ASSERT_SLOW(rc || ch_replica_is_writing(replica)); // all of a moment is one transaction
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
