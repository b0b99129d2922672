// What apply.c, apply_early.c, apply_scopes.c, apply_rows.c and apply_staged.c share: a moment on its way into the replica, inside one transaction.
#ifndef CHARLE_CLIENT_APPLY_PARTS_H
#define CHARLE_CLIENT_APPLY_PARTS_H

#include "client/apply.h"

struct application {
    struct ch_replica *replica;
    struct ch_tables *tables;
    struct ch_rebase rebase;
    const struct ch_apply_options *options;
    struct ch_apply_result *result;
    struct charle_buf key;     // of the row at hand
    struct charle_buf scratch; // of a compressed page
    struct charle_arena arena; // of a page that is read back
    struct charle_arena list_arena;
    struct charle_str *listed; // all scopes held, when the moment lists them
    size_t listed_count;
    bool has_going;            // temp.charle_going has rows
    bool has_lost;             // the moment takes scopes away
    bool has_news;             // the moment changes which scopes are held or trusted
    int64_t seen_count;        // scopes that were copied in several snapshots, before the moment took any away
};

// --- apply.c ------------------------------------------------------------------------------------------------------------

// Does it contain calls that this replica never made?
CHARLE_MUST_CHECK enum charle_err ch_apply_note_foreign(struct application *a, const struct ch_moment *moment, struct charle_error *err);
// Behind all pages: cursors, calls, and whether the replica may be used now.
CHARLE_MUST_CHECK enum charle_err ch_apply_finish(struct application *a, const struct ch_moment *moment, struct charle_error *err);
void ch_apply_deinit(struct application *a);

// --- apply_scopes.c -----------------------------------------------------------------------------------------------------

// Reads what the moment's pages say about scopes, and whether that is news.
CHARLE_MUST_CHECK enum charle_err ch_apply_note_news(struct application *a, struct ch_moment *moment, struct charle_error *err);
// What a page says is lost, then what it says is gained.
CHARLE_MUST_CHECK enum charle_err ch_apply_scopes(struct application *a, const struct charle_pull_page *page, struct charle_error *err);
// The list of all scopes held, if the moment has one: what is not on it is lost.
CHARLE_MUST_CHECK enum charle_err ch_apply_list(struct application *a, const struct ch_moment *moment, struct charle_error *err);
// Scopes that the page asks to be compared.
CHARLE_MUST_CHECK enum charle_err ch_apply_doubt_scopes(struct application *a, const struct charle_pull_page *page, struct charle_error *err);

// --- apply_rows.c -------------------------------------------------------------------------------------------------------

// SCHEMA_MISMATCH: this program has no such table, or not in that scope's audience.
CHARLE_MUST_CHECK enum charle_err ch_apply_find_table(struct application *a, uint32_t id, struct charle_str scope, struct ch_table **out_table,
                                                      struct ch_table_audience **out_audience, struct charle_error *err);
// What a page says is gone, then what it says is there.
CHARLE_MUST_CHECK enum charle_err ch_apply_page_rows(struct application *a, const struct charle_pull_page *page, struct charle_error *err);
// Planted: what was done so far is committed by itself.
CHARLE_MUST_CHECK enum charle_err ch_apply_commit_here(struct application *a, struct charle_error *err);

// Runs fn over every page of the moment. The page is valid during the call.
typedef enum charle_err (*ch_apply_page_fn)(struct application *a, const struct charle_pull_page *page, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_apply_each_page(struct application *a, struct ch_moment *moment, ch_apply_page_fn fn, struct charle_error *err);

// --- apply_staged.c; without staged scopes they do nothing --------------------------------------------------------------

// Staged scopes stand where they were first read, so that the moment's changes since then apply. Done before the moment gains anything: a scope
// that it brings was not asked for from there.
CHARLE_MUST_CHECK enum charle_err ch_apply_take_staged(struct application *a, struct charle_error *err);
// Puts the staged rows. Before the moment's own.
CHARLE_MUST_CHECK enum charle_err ch_apply_staged(struct application *a, struct ch_moment *moment, struct charle_error *err);
// Behind the moment's changes, because only then rows say rightly which scopes they are in: those that no scope shows leave, and columns too.
CHARLE_MUST_CHECK enum charle_err ch_apply_leave_staged(struct application *a, struct charle_error *err);
// Scopes whose rows were read in several snapshots are what the moment shows if those snapshots are of its past. Otherwise they are compared again.
CHARLE_MUST_CHECK enum charle_err ch_apply_judge_seen(struct application *a, struct charle_error *err);

#endif
