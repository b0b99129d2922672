// What apply.c and apply_early.c share: a moment on its way into the replica, inside one transaction.
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

// Reads what the moment's pages say about scopes, and whether that is news.
CHARLE_MUST_CHECK enum charle_err ch_apply_note_news(struct application *a, struct ch_moment *moment, struct charle_error *err);
// Does it contain calls that this replica never made?
CHARLE_MUST_CHECK enum charle_err ch_apply_note_foreign(struct application *a, const struct ch_moment *moment, struct charle_error *err);
// What a page says is gone, then what it says is there.
CHARLE_MUST_CHECK enum charle_err ch_apply_page_rows(struct application *a, const struct charle_pull_page *page, struct charle_error *err);
// Behind all pages: cursors, calls, and whether the replica may be used now.
CHARLE_MUST_CHECK enum charle_err ch_apply_finish(struct application *a, const struct ch_moment *moment, struct charle_error *err);
void ch_apply_deinit(struct application *a);

#endif
