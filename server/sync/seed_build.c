#include "server/sync/seed_build.h"

#include "db/sqlite/seed_file.h"
#include "server/sync/parts.h"
#include "server/sync/rows.h"
#include "sync/cursor.h"

#include <inttypes.h>

// --- how large? -----------------------------------------------------------------------------------------------------------

static enum charle_err count_rows(struct charle_db *db, const struct ch_view *view, struct charle_str scope, int64_t enough, int64_t *out,
                                  struct charle_error *err)
{
    struct charle_buf sql = {0};
    int64_t count = 0;
    const struct charle_value key = charle_text(ch_scope_key(scope));
    charle_buf_printf(&sql, "select count(*) from (select 1 %.*s limit %" PRId64 ") s", CHARLE_FMT(view->from_where), enough);
    const char *text = charle_buf_text(&sql);
    enum charle_err rc = text ? charle_query_number(db, text, &key, view->has_key ? 1 : 0, &count, err)
                              : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a statement");
    charle_buf_deinit(&sql);
    *out += count;
    return rc;
}

enum charle_err ch_seed_is_large(const struct ch_sync *sync, struct charle_db *db, struct charle_str scope, int64_t enough, bool *out,
                                 struct charle_error *err)
{
    int64_t rows = 0;
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && rows < enough && i < sync->table_count; i++) {
        const struct ch_view *view = ch_table_view(&sync->tables[i], scope);
        if (view)
            rc = count_rows(db, view, scope, enough - rows, &rows, err);
    }
    *out = rows >= enough;
    return rc;
}

// --- the file -------------------------------------------------------------------------------------------------------------

struct building {
    struct ch_seed_writer *writer;
    int64_t rows;
};

static enum charle_err add_row(void *ctx, struct charle_bytes row, struct charle_error *err)
{
    struct building *building = ctx;
    building->rows++;
    return ch_seed_writer_put(building->writer, row, err);
}

static enum charle_err add_table(struct charle_db *db, const struct ch_table_views *views, struct charle_str scope, struct building *building,
                                 struct charle_error *err)
{
    const struct ch_rows_range range = {.views = views, .view = ch_table_view(views, scope), .scope = scope, .limit = INT64_MAX};
    if (!range.view)
        return CHARLE_OK;
    const struct charle_column_set *shown = &range.view->audience->columns, *held = views->table->replica_columns;
    const struct charle_column_set columns = {{shown->bits[0] & held->bits[0], shown->bits[1] & held->bits[1]}};
    enum charle_err rc = ch_seed_writer_begin(building->writer, views->table, &columns, err);
    return rc ? rc : ch_rows_read(db, &range, add_row, building, err);
}

static enum charle_err add_rows(const struct ch_sync *sync, struct charle_db *db, struct charle_str scope, struct building *building,
                                struct ch_seed_made *out, struct charle_error *err)
{
    struct charle_arena arena = {0};
    struct ch_head *head = NULL;
    // A large scope takes longer than any call may.
    enum charle_err rc = charle_exec(db, "set local statement_timeout = 0", NULL, 0, NULL, err);
    if (!rc)
        rc = ch_heads_read(db, &scope, 1, &arena, &head, err);
    if (!rc)
        *out = (struct ch_seed_made){.stamp = head->stamp, .lineage = head->lineage};
    for (size_t i = 0; !rc && i < sync->table_count; i++)
        rc = add_table(db, &sync->tables[i], scope, building, err);
    if (!rc) // rows that were emptied behind the snapshot's back are missing in the moment that the file says it is
        rc = ch_sync_check_not_emptied(db, err);
    out->rows = building->rows;
    charle_arena_deinit(&arena);
    return rc;
}

enum charle_err ch_seed_build(const struct ch_sync *sync, struct charle_db *db, struct charle_str scope, const char *path, int64_t size_max,
                              struct ch_seed_made *out, struct charle_error *err)
{
    const struct charle_begin_options snapshot = {.isolation = CHARLE_REPEATABLE_READ, .is_read_only = true};
    struct building building = {0};
    struct charle_error ignored;
    CHARLE_ASSERT(!sync->is_skewed);
    enum charle_err rc = ch_seed_writer_open(path, sync->schema, size_max, &building.writer, err);
    if (rc)
        return rc;
    rc = charle_begin(db, &snapshot, err);
    if (!rc) {
        rc = add_rows(sync, db, scope, &building, out, err);
        enum charle_err end = charle_rollback(db, &ignored);
        if (!rc && end)
            rc = charle_fail(err, end, "%s", ignored.text);
    }
    if (!rc) // without the snapshot: indexes take a while, too
        rc = ch_seed_writer_finish(building.writer, err);
    ch_seed_writer_free(building.writer);
    return rc;
}

enum charle_err ch_seed_is_good(struct charle_db *db, struct charle_str scope, int64_t stamp, uint64_t lineage, bool *out,
                                struct charle_error *err)
{
    const struct charle_begin_options snapshot = {.isolation = CHARLE_REPEATABLE_READ, .is_read_only = true};
    struct charle_arena arena = {0};
    struct ch_head *head = NULL;
    struct ch_epochs epochs;
    struct charle_error ignored;
    enum charle_err rc = charle_begin(db, &snapshot, err);
    if (rc)
        return rc;
    rc = ch_heads_read(db, &scope, 1, &arena, &head, err);
    if (!rc)
        rc = ch_epochs_read(db, &arena, &epochs, err);
    if (!rc)
        *out = ch_head_judge(head, &epochs, stamp, lineage) != CH_CURSOR_LOST;
    enum charle_err end = charle_rollback(db, &ignored);
    charle_arena_deinit(&arena);
    return rc ? rc : end ? charle_fail(err, end, "%s", ignored.text) : CHARLE_OK;
}
