// What was fetched is staged in a spool until the moment that shows it.
#include "client/acquire_parts.h"

#include "base/alloc.h"
#include "msg/wire.h"

void ch_acquire_note_head(struct ch_acquire *a, const struct charle_cursor *head)
{
    if (!head)
        return;
    ch_seen_add(&a->seen, head->stamp, head->lineage);
    if (a->has_head)
        return;
    a->has_head = true;
    a->head_stamp = head->stamp;
    a->head_lineage = head->lineage;
}

enum charle_err ch_acquire_stage(struct ch_client_core *core, const struct ch_spool_item *item, struct charle_error *err)
{
    struct ch_acquire *a = &core->acquire;
    enum charle_err rc = CHARLE_OK;
    CHARLE_ASSERT(ch_acquire_scope(a).ptr && (a->has_spool || !a->scope_is_staged));
    if (!a->has_spool)
        rc = ch_spool_open(&a->spool, core->replica->vfs, err);
    a->has_spool = a->has_spool || !rc;
    if (!rc && !a->scope_is_staged)
        rc = ch_spool_add(&a->spool, &(struct ch_spool_item){.kind = CH_SPOOL_SCOPE, .scope = ch_acquire_scope(a)}, err);
    a->scope_is_staged = a->scope_is_staged || !rc;
    return rc || !item ? rc : ch_spool_add(&a->spool, item, err);
}

static enum charle_err stage_range(struct ch_client_core *core, struct charle_error *err)
{
    struct ch_acquire *a = &core->acquire;
    if (a->range_is_staged)
        return CHARLE_OK;
    a->range_is_staged = true;
    return ch_acquire_stage(core, &(struct ch_spool_item){.kind = CH_SPOOL_RANGE, .table = ch_acquire_table(core)->schema->id,
                                               .after = ch_acquire_bound(a->range.has_after, &a->range.after),
                                               .until = ch_acquire_bound(a->range.has_until, &a->range.until)}, err);
}

enum charle_err ch_acquire_stage_page(struct ch_client_core *core, struct charle_bytes message, struct charle_error *err)
{
    struct ch_acquire *a = &core->acquire;
    struct charle_copy_page page;
    CHARLE_ASSERT(a->call && a->step == CH_ACQUIRE_FETCH);
    enum charle_err rc = charle_message_read(&charle_copy_page_message, message, &core->arena, &page, err);
    if (rc)
        return charle_error_prefix(err, rc, "a page of a copy cannot be read");
    ch_acquire_note_head(a, page.head);
    a->has_ended = page.is_last.has && page.is_last.value;
    if (page.last_key.has) {
        charle_buf_reset(&a->last_key);
        charle_buf_add_str(&a->last_key, page.last_key.value);
    }
    core->rows_copied += (int64_t)page.row.count;
    rc = stage_range(core, err);
    return rc ? rc : ch_acquire_stage(core, &(struct ch_spool_item){.kind = CH_SPOOL_COPY_PAGE, .table = ch_acquire_table(core)->schema->id,
                                                        .bytes = message}, err);
}

enum charle_err ch_acquire_keep_staged(struct ch_acquire *a, struct charle_error *err)
{
    if (a->staged_count == a->staged_capacity) {
        size_t capacity = a->staged_capacity ? a->staged_capacity * 2 : 16;
        struct ch_staged_scope *grown = ch_realloc_array(a->staged, capacity, sizeof(*grown));
        if (!grown)
            return charle_fail(err, CHARLE_NO_MEMORY, "no memory for %zu scopes", capacity);
        a->staged = grown;
        a->staged_capacity = capacity;
    }
    CHARLE_ASSERT(a->staged_count < a->staged_capacity);
    CHARLE_ASSERT(a->has_spool && a->scope_is_staged);
    // A standby may be behind the cursor.
    bool is_behind = a->head_lineage == a->cursor_lineage && a->head_stamp < a->cursor_stamp;
    if (a->is_fill && !is_behind) {
        a->head_stamp = a->cursor_stamp;
        a->head_lineage = a->cursor_lineage;
    }
    a->staged[a->staged_count++] = (struct ch_staged_scope){
        .scope = ch_acquire_scope(a), .stamp = a->head_stamp, .lineage = a->head_lineage, .seen = a->seen, .is_whole = !a->compares};
    return CHARLE_OK;
}

const struct ch_staged *ch_core_acquire_staged(struct ch_client_core *core, struct ch_staged *room)
{
    struct ch_acquire *a = &core->acquire;
    if (a->step != CH_ACQUIRE_STAGED)
        return NULL;
    CHARLE_ASSERT(a->staged_count > 0 && a->has_spool);
    *room = (struct ch_staged){a->has_spool ? &a->spool : NULL, a->staged, a->staged_count, a->is_doubtful || a->is_verify, a->is_fill ? &core->fill : NULL};
    return room;
}
