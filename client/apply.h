// One moment of the server, made of one or more pages, becomes one transaction of the replica.
//
// Order inside the transaction: effects of waiting calls off (rebase.h) · scopes that were lost, with their rows · staged rows of copied and
// mended scopes · for each page first what went and then what is · what no scope shows any more · cursors · calls that the moment contains leave
// the waiting layer · the others go back on. A reader on another connection sees the moment before or this one, nothing between. If anything fails,
// everything is rolled back and the same pages can come again.
#ifndef CHARLE_CLIENT_APPLY_H
#define CHARLE_CLIENT_APPLY_H

#include "charle/sync.charle.h"
#include "client/rebase.h"
#include "client/spool.h"
#include "sync/cursor.h"

// Pages are collected here until the one that is_last. A moment of a single page is applied from the page's own bytes; the pages of a longer one are
// kept in memory up to CH_MOMENT_KEPT_MAX, beyond that in a spool.
struct ch_moment {
    const char *vfs;
    struct charle_arena arena;
    struct charle_pull_page newest; // the page that came last: decoded, pointing into the bytes it came in
    bool is_complete;
    struct charle_buf kept;         // the pages so far, each with its size (size_t) before it
    bool is_spooled;                // they are in the spool instead
    struct ch_spool spool;
    size_t page_count;
    bool has_sequence;
    int64_t last_sequence;          // calls of this device up to here are contained
    bool has_changes;               // rows, or anything about scopes
    bool has_scopes;                // something about scopes: gained, lost, repair, or the list of all
    bool has_list;                  // the list of all, which may be empty
    struct charle_buf scopes;       // the list of all scopes held, from whichever pages it came in: names, each with a NUL
    size_t scope_count;
};

void ch_moment_init(struct ch_moment *moment, const char *vfs);
void ch_moment_deinit(struct ch_moment *moment);
// Ready for the next moment; memory is kept.
void ch_moment_reset(struct ch_moment *moment);
// Takes one page in. When it completes a moment of this page alone, `bytes` must stay valid until it is applied.
CHARLE_MUST_CHECK enum charle_err ch_moment_add(struct ch_moment *moment, struct charle_bytes bytes,
                                                struct charle_error *err);

// Scopes that were copied or compared beside the replica in use, and what was fetched of them.
struct ch_staged_scope {
    struct charle_str scope;
    int64_t stamp;        // the head at its first chunk or hash: the moment brings the changes since
    uint64_t lineage;
    struct ch_seen seen;  // the heads at all of them
    bool is_whole;        // everything of it is in the spool; otherwise what differed from the rows that were here
};
struct ch_fill;
struct ch_staged {
    struct ch_spool *spool; // NULL: nothing was fetched
    const struct ch_staged_scope *scopes;
    size_t scope_count;
    bool is_doubtful;       // all scopes held were compared, because rows may be left over from a past that did not happen
    const struct ch_fill *fill; // only columns that were missing are staged (fill.h); NULL: whole rows
};

struct ch_apply_options {
    const struct ch_staged *staged; // NULL: none
    bool is_part;              // the copy that is completed left scopes out, which come later
    bool completes_copy;       // the exact delta behind a first copy: from now on the replica is ready
    int64_t recall_after;      // the server has lost the calls behind this number: wait for it again; -1: no
};
struct ch_apply_result {
    bool scopes_changed;       // gained, lost or in doubt: look at charle_cursor
    bool holds_others;         // other scopes are held than before
    bool is_ready;             // the replica may be used
    bool is_complete;          // every scope held is
    bool is_foreign;           // the moment contains calls this replica never made
    int64_t calls_contained;
    int64_t calls_run_again;
    int64_t rows;              // written
    int64_t rows_different;    // of the staged ones: those that differed from what was here
};

CHARLE_MUST_CHECK enum charle_err ch_apply_moment(struct ch_replica *replica, struct ch_moment *moment,
                                                  const struct ch_apply_options *options, struct ch_apply_result *out,
                                                  struct charle_error *err);

// Adds the moment's next page (ch_moment_add). *out_is_added false: it is not here, and is not waited for any longer. The page must stay valid until
// the next call.
typedef enum charle_err (*ch_next_page_fn)(void *ctx, struct ch_moment *moment, bool *out_is_added, struct charle_error *err);

// Applies a moment of which the first page has come, while the others are on their way: each is written into one open transaction when it arrives
// (apply_early.c says when that is possible). *out_is_applied false: nothing was written, the moment is to be applied when it is complete.
CHARLE_MUST_CHECK enum charle_err ch_apply_early(struct ch_replica *replica, struct ch_moment *moment, const struct ch_apply_options *options,
                                                 ch_next_page_fn next, void *ctx, struct ch_apply_result *out, bool *out_is_applied,
                                                 struct charle_error *err);

// The replica holds the scope from now on; its rows have to be copied. A device's own scope has none. Inside a transaction.
CHARLE_MUST_CHECK enum charle_err ch_scope_gain(struct ch_replica *replica, struct charle_str scope, struct charle_error *err);

// The held scopes that are not listed, in the arena; devices' own ones do not count. Inside a transaction.
CHARLE_MUST_CHECK enum charle_err ch_scopes_find_unlisted(struct ch_replica *replica, const struct charle_array *scopes, struct charle_arena *arena,
                                                          struct charle_array *out, struct charle_error *err);

// The names of the scopes in a state, in the arena; inside a transaction.
CHARLE_MUST_CHECK enum charle_err ch_scopes_in_state(struct ch_replica *replica, enum ch_scope_state state,
                                                     struct charle_arena *arena, struct charle_array *out,
                                                     struct charle_error *err);

// Walks through the rows of a CopyPage's bytes, compressed or not.
typedef enum charle_err (*ch_copy_row_fn)(void *ctx, struct charle_bytes row, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_copy_page_rows(struct charle_bytes page, struct charle_buf *scratch, ch_copy_row_fn fn,
                                                    void *ctx, struct charle_error *err);

#endif
