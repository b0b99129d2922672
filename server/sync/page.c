#include "server/sync/page.h"

#include "base/limits.h"
#include "msg/wire.h"

enum { PAGE_IS_LAST = 5, PAGE_LAST_SEQUENCE = 6, PAGE_IS_ALIVE = 7, PAGE_LISTS_SCOPES = 9, PAGE_IS_FIRST = 10 };

void ch_page_init(struct ch_page *page, ch_sync_send send, void *ctx)
{
    *page = (struct ch_page){.send = send, .ctx = ctx, .is_empty = true};
}

void ch_page_deinit(struct ch_page *page)
{
    charle_buf_deinit(&page->buf);
}

static void add_number(struct ch_page *page, uint32_t field, uint64_t value)
{
    charle_wire_write_tag(&page->buf, field, 0);
    charle_wire_write_varint(&page->buf, value);
}

static enum charle_err send(struct ch_page *page, bool is_last, struct charle_error *err)
{
    add_number(page, PAGE_IS_LAST, is_last);
    if (!page->has_sent)
        add_number(page, PAGE_IS_FIRST, 1);
    page->has_sent = true;
    if (page->buf.failed)
        return charle_fail(err, page->buf.failed, "a page does not fit in memory");
    enum charle_err rc = page->send(page->ctx, charle_buf_bytes(&page->buf), err);
    charle_buf_reset(&page->buf);
    return rc;
}

void ch_page_add_scope(struct ch_page *page, enum ch_page_list list, struct charle_str scope)
{
    charle_wire_write_bytes(&page->buf, (uint32_t)list, scope.ptr, scope.len);
    if (list != CH_PAGE_SCOPE)
        page->is_empty = false;
}

void ch_page_note_list(struct ch_page *page)
{
    add_number(page, PAGE_LISTS_SCOPES, 1);
}

enum charle_err ch_page_add_piece(void *ctx, struct charle_bytes piece, struct charle_error *err)
{
    struct ch_page *page = ctx;
    enum charle_err rc = CHARLE_OK;
    if (page->buf.size && page->buf.size + piece.len > CH_PAGE_SIZE_TARGET)
        rc = send(page, false, err);
    charle_buf_add(&page->buf, piece.ptr, piece.len);
    page->is_empty = false;
    return rc;
}

enum charle_err ch_page_finish(struct ch_page *page, int64_t last_sequence, struct charle_error *err)
{
    if (last_sequence >= 0)
        add_number(page, PAGE_LAST_SEQUENCE, (uint64_t)last_sequence);
    if (page->is_empty)
        add_number(page, PAGE_IS_ALIVE, 1);
    return send(page, true, err);
}
