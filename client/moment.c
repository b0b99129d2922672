// Collecting the pages of a moment, and reading the rows of a copy's page.
#include "client/apply.h"

#include "base/limits.h"
#include "msg/wire.h"

#include <zstd.h>

void ch_moment_init(struct ch_moment *moment, const char *vfs)
{
    *moment = (struct ch_moment){.vfs = vfs};
}

void ch_moment_deinit(struct ch_moment *moment)
{
    charle_arena_deinit(&moment->arena);
    ch_spool_close(&moment->spool);
    charle_buf_deinit(&moment->scopes);
    charle_buf_deinit(&moment->kept);
    *moment = (struct ch_moment){.vfs = moment->vfs};
}

void ch_moment_reset(struct ch_moment *moment)
{
    if (moment->is_spooled)
        ch_spool_close(&moment->spool); // gives the temporary file back
    charle_arena_reset(&moment->arena);
    charle_buf_reset(&moment->scopes);
    charle_buf_deinit(&moment->kept); // most moments are of one page
    *moment = (struct ch_moment){.vfs = moment->vfs, .arena = moment->arena, .scopes = moment->scopes};
    CHARLE_ASSERT(!moment->scopes.size);
}

// What a moment says of itself fits together.
static void check(const struct ch_moment *moment)
{
    CHARLE_ASSERT(moment->page_count > 0 || !moment->is_complete);
    CHARLE_ASSERT(moment->has_scopes || !moment->has_list);
    CHARLE_ASSERT(moment->has_scopes || !moment->scope_count);
    CHARLE_ASSERT(moment->has_changes || !moment->has_scopes);
    CHARLE_ASSERT(moment->has_sequence || !moment->last_sequence);
    CHARLE_ASSERT(!moment->is_spooled || !moment->kept.size); // pages lie in one place
}

static void summarize(struct ch_moment *moment, const struct charle_pull_page *page)
{
    if (page->last_sequence.has && (!moment->has_sequence || page->last_sequence.value > moment->last_sequence)) {
        moment->has_sequence = true;
        moment->last_sequence = page->last_sequence.value;
    }
    bool has_list = page->lists_scopes.has && page->lists_scopes.value;
    moment->has_list = moment->has_list || has_list;
    moment->has_scopes = moment->has_scopes || page->lost.count || page->gained.count || page->repair.count || page->scope.count || has_list;
    moment->has_changes = moment->has_changes || moment->has_scopes || page->delta.count;
    const struct charle_str *scopes = page->scope.items;
    for (size_t i = 0; i < page->scope.count; i++) {
        charle_buf_add_str(&moment->scopes, scopes[i]);
        charle_buf_add_byte(&moment->scopes, 0);
    }
    moment->scope_count += page->scope.count;
    moment->is_complete = page->is_last;
    moment->page_count++;
    check(moment);
}

static enum charle_err read_page(struct ch_moment *moment, struct charle_bytes bytes, struct charle_error *err)
{
    charle_arena_reset(&moment->arena);
    enum charle_err rc = charle_message_read(&charle_pull_page_message, bytes, &moment->arena, &moment->newest, err);
    return rc ? charle_error_prefix(err, rc, "a page of the server cannot be read") : CHARLE_OK;
}

// Pages that do not fit in memory any more go to a temporary file, with those before them.
static enum charle_err spool_pages(struct ch_moment *moment, struct charle_error *err)
{
    enum charle_err rc = ch_spool_open(&moment->spool, moment->vfs, err);
    if (rc)
        return rc;
    moment->is_spooled = true;
    for (size_t at = 0; !rc && at < moment->kept.size;) {
        size_t size;
        memcpy(&size, moment->kept.data + at, sizeof(size));
        CHARLE_ASSERT(size <= moment->kept.size - at - sizeof(size));
        const struct ch_spool_item item = {.kind = CH_SPOOL_PULL_PAGE, .bytes = charle_bytes(moment->kept.data + at + sizeof(size), size)};
        rc = ch_spool_add(&moment->spool, &item, err);
        at += sizeof(size) + size;
    }
    charle_buf_deinit(&moment->kept);
    return rc;
}

static enum charle_err keep_page(struct ch_moment *moment, struct charle_bytes bytes, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    if (!moment->is_spooled && moment->kept.size + sizeof(bytes.len) + bytes.len > CH_MOMENT_KEPT_MAX)
        rc = spool_pages(moment, err);
    if (rc)
        return rc;
    if (moment->is_spooled)
        return ch_spool_add(&moment->spool, &(struct ch_spool_item){.kind = CH_SPOOL_PULL_PAGE, .bytes = bytes}, err);
    charle_buf_add(&moment->kept, &bytes.len, sizeof(bytes.len));
    charle_buf_add(&moment->kept, bytes.ptr, bytes.len);
    return moment->kept.failed ? charle_fail(err, moment->kept.failed, "no memory for the pages of a moment") : CHARLE_OK;
}

enum charle_err ch_moment_add(struct ch_moment *moment, struct charle_bytes bytes, struct charle_error *err)
{
    enum charle_err rc = read_page(moment, bytes, err);
    if (!rc && moment->page_count && moment->newest.is_first.has && moment->newest.is_first.value) {
        ch_moment_reset(moment); // the server could not finish the moment it was sending, and begins a newer one
        rc = read_page(moment, bytes, err);
    }
    if (rc)
        return rc;
    summarize(moment, &moment->newest);
    if (moment->scopes.failed || moment->scope_count > CH_SCOPES_PER_SESSION_MAX)
        return charle_fail(err, CHARLE_TOO_LARGE, "the server lists more than %d scopes", CH_SCOPES_PER_SESSION_MAX);
    if (moment->is_complete && moment->page_count == 1)
        return CHARLE_OK;
    return keep_page(moment, bytes, err);
}

// --- rows of a copy -------------------------------------------------------------------------------------------------------

enum { COPY_ROW = 1, COPY_ROWS_ZSTD = 6 };

static enum charle_err malformed(struct charle_error *err)
{
    return charle_fail(err, CHARLE_MALFORMED, "a page of a copy cannot be read; the server and this program do not fit");
}

static enum charle_err unpacked_rows(struct charle_bytes packed, struct charle_buf *scratch, ch_copy_row_fn fn, void *ctx,
                                     struct charle_error *err)
{
    unsigned long long size = ZSTD_getFrameContentSize(packed.ptr, packed.len);
    if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > CH_MESSAGE_SIZE_MAX * 4)
        return malformed(err);
    charle_buf_reset(scratch);
    uint8_t *room = charle_buf_reserve(scratch, (size_t)size);
    if (!room)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory to unpack a page of a copy");
    if (ZSTD_decompress(room, (size_t)size, packed.ptr, packed.len) != size)
        return malformed(err);
    for (size_t at = 0; at < size;) {
        uint64_t len = 0;
        int shift = 0;
        do {
            if (at >= size || shift > 28)
                return malformed(err);
            len |= (uint64_t)(room[at] & 0x7f) << shift;
            shift += 7;
        } while (room[at++] & 0x80);
        if (len > size - at)
            return malformed(err);
        enum charle_err rc = fn(ctx, charle_bytes(room + at, (size_t)len), err);
        if (rc)
            return rc;
        at += (size_t)len;
        CHARLE_ASSERT(at <= size);
    }
    return CHARLE_OK;
}

enum charle_err ch_copy_page_rows(struct charle_bytes page, struct charle_buf *scratch, ch_copy_row_fn fn, void *ctx,
                                  struct charle_error *err)
{
    struct charle_wire_reader reader = {page.ptr, page.ptr + page.len};
    struct charle_wire_field field;
    enum charle_err rc;
    while ((rc = charle_wire_next(&reader, &field)) == CHARLE_OK) {
        if (field.wire_type != 2)
            continue;
        if (field.number == COPY_ROW)
            rc = fn(ctx, field.bytes, err);
        else if (field.number == COPY_ROWS_ZSTD)
            rc = unpacked_rows(field.bytes, scratch, fn, ctx, err);
        if (rc)
            return rc;
    }
    return rc == CHARLE_DONE ? CHARLE_OK : malformed(err);
}
