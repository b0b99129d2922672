// A PullPage being written: fields are appended as they come, the page is sent when it is full, and the last one says so.
#ifndef CHARLE_SERVER_SYNC_PAGE_H
#define CHARLE_SERVER_SYNC_PAGE_H

#include "server/sync/sync.h"

struct ch_page {
    struct charle_buf buf;
    ch_sync_send send;
    void *ctx;
    bool is_empty; // nothing but what every page has was written to the moment
    bool has_sent; // a page of it
};

void ch_page_init(struct ch_page *page, ch_sync_send send, void *ctx);
void ch_page_deinit(struct ch_page *page);

// Which list of the page a scope is named in; the numbers are the fields'.
enum ch_page_list { CH_PAGE_LOST = 1, CH_PAGE_GAINED = 2, CH_PAGE_REPAIR = 3, CH_PAGE_SCOPE = 8 };
void ch_page_add_scope(struct ch_page *page, enum ch_page_list list, struct charle_str scope);
// The page has the list of all scopes held, however short it is.
void ch_page_note_list(struct ch_page *page);

// Adds a piece of a delta (parts.h), and sends the page first when it would grow past CH_PAGE_SIZE_TARGET. A ch_delta_piece.
CHARLE_MUST_CHECK enum charle_err ch_page_add_piece(void *page, struct charle_bytes piece, struct charle_error *err);

// Ends the moment: sends the last page. last_sequence below 0 is left out.
CHARLE_MUST_CHECK enum charle_err ch_page_finish(struct ch_page *page, int64_t last_sequence, struct charle_error *err);

#endif
