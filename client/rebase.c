#include "client/rebase.h"

#include "base/alloc.h"
#include "base/plant.h"
#include "base/slow.h"
#include "sync/hash.h"
#include "sync/outbox.h"

#include <stdlib.h>
#include <string.h>

// --- taking effects off -------------------------------------------------------------------------------------------------

enum charle_err ch_rebase_run_later(struct ch_rebase *rebase, int64_t position, struct charle_error *err)
{
    CHARLE_ASSERT(rebase->replica); // begun
    CHARLE_ASSERT(rebase->again_count <= rebase->again_capacity);
    if (rebase->again_count == rebase->again_capacity) {
        size_t capacity = rebase->again_capacity ? rebase->again_capacity * 2 : 256;
        int64_t *again = ch_realloc_array(rebase->again, capacity, sizeof(*again));
        if (!again)
            return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the list of %zu calls to run again", capacity);
        rebase->again = again;
        rebase->again_capacity = capacity;
    }
    rebase->again[rebase->again_count++] = position;
    return CHARLE_OK;
}

// Puts a confirmed row back. When its image is damaged nobody here knows what it was: the row goes, and everything is compared with the server.
static enum charle_err put_back(struct ch_replica *replica, struct ch_table *table, struct charle_str key, struct charle_bytes image,
                                struct charle_error *err)
{
    enum charle_err rc = ch_table_restore(&replica->tables, table, key, image, err);
    if (rc != CHARLE_MALFORMED && rc != CHARLE_INVALID_ARGUMENT && rc != CHARLE_NOT_NULL_VIOLATION)
        return rc;
    rc = ch_table_restore(&replica->tables, table, key, (struct charle_bytes){0}, err);
    return rc ? rc : ch_lite_run(&replica->sql, CH_LITE_CURSOR_DOUBT_ALL, err, "");
}

static enum charle_err take_all_off(struct ch_rebase *rebase, struct charle_error *err)
{
    struct ch_replica *replica = rebase->replica;
    sqlite3_stmt *row;
    enum charle_err rc = ch_lite_one(&replica->sql, CH_LITE_BASE_ALL, &row, err, "");
    while (rc == CHARLE_OK) {
        struct ch_table *table = ch_table_by_id(&replica->tables, (uint32_t)sqlite3_column_int64(row, 0));
        if (table)
            rc = put_back(replica, table, ch_lite_text(row, 1), ch_lite_bytes(row, 2), err);
        if (rc) {
            ch_lite_end(row);
            return rc;
        }
        rc = ch_lite_next(&replica->sql, row, err);
    }
    if (rc == CHARLE_DONE)
        rc = ch_lite_run(&replica->sql, CH_LITE_BASE_CLEAR, err, "");
    if (!rc)
        rc = ch_lite_run(&replica->sql, CH_LITE_TOUCH_CLEAR, err, "");
    rebase->is_total = true;
    rebase->has_images = false;
    return rc;
}

enum charle_err ch_rebase_begin(struct ch_rebase *rebase, struct ch_replica *replica, int64_t contained, bool is_total,
                                struct charle_error *err)
{
    int64_t any = 0, wide = 0;
    CHARLE_ASSERT_SLOW(ch_replica_is_writing(replica));
    *rebase = (struct ch_rebase){.replica = replica, .is_total = is_total, .contained = contained};
    enum charle_err rc = ch_lite_number(&replica->sql, CH_LITE_BASE_ANY, 0, &any, err, "");
    if (!rc && !is_total)
        rc = ch_lite_number(&replica->sql, CH_LITE_OUTBOX_READS_ALL, 0, &wide, err, "i", contained);
    if (rc)
        return rc;
    rebase->has_images = any != 0;
    if (is_total || wide)
        return take_all_off(rebase, err);
    CHARLE_ASSERT(!rebase->is_total);
    return CHARLE_OK;
}

enum charle_err ch_rebase_before_row(struct ch_rebase *rebase, struct ch_table *table, struct charle_str key,
                                     struct charle_error *err)
{
    struct ch_lite *sql = &rebase->replica->sql;
    int64_t tab = table->schema->id;
    sqlite3_stmt *row;
    if (!rebase->has_images)
        return CHARLE_OK;
    CHARLE_ASSERT(!rebase->is_total); // then all images were put back at once
    CHARLE_ASSERT_SLOW(ch_replica_is_writing(rebase->replica));
    enum charle_err rc = ch_lite_one(sql, CH_LITE_BASE_GET, &row, err, "is", tab, key);
    if (rc == CHARLE_OK) {
        rc = put_back(rebase->replica, table, key, ch_lite_bytes(row, 0), err);
        ch_lite_end(row);
        if (!rc)
            rc = ch_lite_run(sql, CH_LITE_BASE_DELETE, err, "is", tab, key);
    }
    if (rc && rc != CHARLE_DONE)
        return rc;
    // The calls on this row keep their touches: running them again touches the same.
    rc = ch_lite_one(sql, CH_LITE_TOUCH_OF_ROW, &row, err, "is", tab, key);
    while (rc == CHARLE_OK) {
        rc = ch_rebase_run_later(rebase, sqlite3_column_int64(row, 0), err);
        if (rc) {
            ch_lite_end(row);
            return rc;
        }
        rc = ch_lite_next(sql, row, err);
    }
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

// The first call on this row that the page does not contain: its position, and whether it found the row as the page has it and what it made of it is
// still shown (the image is there): another scope of the page, which shows a part of the row, may have taken it off. CHARLE_DONE: there is none.
static enum charle_err find_staying(struct ch_rebase *rebase, int64_t tab, struct charle_str key, struct charle_bytes row, int64_t *out_position,
                                    bool *out_as_found, struct charle_error *err)
{
    uint8_t hash[CH_ROW_HASH_SIZE];
    sqlite3_stmt *touch;
    enum charle_err rc = ch_lite_one(&rebase->replica->sql, CH_LITE_TOUCH_FIRST_STAYING, &touch, err, "isi", tab, key, rebase->contained);
    if (rc)
        return rc;
    struct charle_bytes found = ch_lite_bytes(touch, 1);
    *out_position = sqlite3_column_int64(touch, 0);
    *out_as_found = false;
    if (found.len == sizeof(hash)) {
        ch_row_hash(row, hash);
        *out_as_found = CH_PLANTED(FOUND_UNCHECKED) || memcmp(found.ptr, hash, sizeof(hash)) == 0;
    }
    ch_lite_end(touch);
    return CHARLE_OK;
}

static enum charle_err forget_touched(struct ch_lite *sql, int64_t tab, struct charle_str key, struct charle_error *err)
{
    enum charle_err rc = ch_lite_run(sql, CH_LITE_BASE_DELETE, err, "is", tab, key);
    return rc ? rc : ch_lite_run(sql, CH_LITE_TOUCH_FORGET_ROW, err, "is", tab, key);
}

enum charle_err ch_rebase_before_whole_row(struct ch_rebase *rebase, struct ch_table *table, struct charle_str key, struct charle_bytes row,
                                           bool *out_is_shown, struct charle_error *err)
{
    struct ch_lite *sql = &rebase->replica->sql;
    int64_t tab = table->schema->id, position = 0;
    *out_is_shown = false;
    if (!rebase->has_images)
        return CHARLE_OK;
    CHARLE_ASSERT_SLOW(!rebase->is_total && ch_replica_is_writing(rebase->replica));
    enum charle_err rc = find_staying(rebase, tab, key, row, &position, out_is_shown, err);
    if (rc == CHARLE_DONE)
        return forget_touched(sql, tab, key, err);
    if (rc || !*out_is_shown)
        return rc ? rc : ch_rebase_before_row(rebase, table, key, err);
    // A touch behind this one of a call that is dropped is found by ch_rebase_drop, which then begins with this image.
    rc = ch_lite_run(sql, CH_LITE_BASE_SET, err, "isb", tab, key, row);
    return rc ? rc : ch_lite_run(sql, CH_LITE_TOUCH_FORGET_UNTIL, err, "isi", tab, key, position);
}

enum charle_err ch_rebase_drop(struct ch_rebase *rebase, int64_t position, struct charle_error *err)
{
    struct ch_lite *sql = &rebase->replica->sql;
    CHARLE_ASSERT_SLOW(ch_replica_is_writing(rebase->replica));
    while (!rebase->is_total) {
        sqlite3_stmt *row;
        enum charle_err rc = ch_lite_one(sql, CH_LITE_TOUCH_OF_CALL, &row, err, "i", position);
        if (rc == CHARLE_DONE)
            return CHARLE_OK;
        if (rc)
            return rc;
        int64_t tab = sqlite3_column_int64(row, 0);
        struct ch_table *table = ch_table_by_id(&rebase->replica->tables, (uint32_t)tab);
        charle_buf_reset(&rebase->key);
        charle_buf_add_str(&rebase->key, ch_lite_text(row, 1));
        ch_lite_end(row);
        if (rebase->key.failed)
            return charle_fail(err, rebase->key.failed, "no memory for a key");
        // One touch after the other is deleted and asked for again, so that no walk is open while its table changes.
        rc = ch_lite_run(sql, CH_LITE_TOUCH_DELETE, err, "isi", tab, charle_buf_str(&rebase->key), position);
        if (!rc && table)
            rc = ch_rebase_before_row(rebase, table, charle_buf_str(&rebase->key), err);
        if (rc)
            return rc;
    }
    return CHARLE_OK;
}

// --- putting them back on -------------------------------------------------------------------------------------------------

static int compare_positions(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static enum charle_err is_waiting(struct ch_replica *replica, int64_t position, bool *out, struct charle_error *err)
{
    int64_t state;
    enum charle_err rc = ch_lite_number(&replica->sql, CH_LITE_OUTBOX_STATE_OF, 0, &state, err, "i", position);
    *out = state && ch_call_is_waiting((enum ch_call_state)state);
    return rc;
}

static enum charle_err run_some(struct ch_rebase *rebase, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    if (rebase->again_count > 1)
        qsort(rebase->again, rebase->again_count, sizeof(*rebase->again), compare_positions);
    for (size_t i = 0; !rc && i < rebase->again_count; i++) {
        bool waiting = false;
        CHARLE_ASSERT(!i || rebase->again[i - 1] <= rebase->again[i]); // calls run again in the order in which they were made
        if (CH_PLANTED(REBASE_SKIPS_ONE) && i == 1)
            continue;
        if (i && rebase->again[i] == rebase->again[i - 1])
            continue;
        rc = is_waiting(rebase->replica, rebase->again[i], &waiting, err);
        if (rc || !waiting)
            continue;
        rebase->ran++;
        rc = ch_call_run_again(rebase->replica, rebase->again[i], err);
    }
    return rc;
}

static enum charle_err run_all(struct ch_rebase *rebase, struct charle_error *err)
{
    struct ch_lite *sql = &rebase->replica->sql;
    for (int64_t position = 0;;) {
        sqlite3_stmt *row;
        enum charle_err rc = ch_lite_one(sql, CH_LITE_OUTBOX_WAITING, &row, err, "i", position);
        if (rc)
            return rc == CHARLE_DONE ? CHARLE_OK : rc;
        position = sqlite3_column_int64(row, 0);
        ch_lite_end(row);
        rebase->ran++;
        rc = ch_call_run_again(rebase->replica, position, err);
        if (rc)
            return rc;
    }
}

// Calls that were rescued or imported wait for the first copy: on half of it they would leave images of rows that have yet to come, which would
// then be taken for the confirmed ones. Whoever completes the copy puts them on.
enum charle_err ch_rebase_finish(struct ch_rebase *rebase, struct charle_error *err)
{
    int64_t ready = 0;
    CHARLE_ASSERT_SLOW(rebase->ran == 0 && ch_replica_is_writing(rebase->replica));
    enum charle_err rc = ch_replica_load_identity(rebase->replica, err);
    if (!rc)
        rc = ch_meta_number(&rebase->replica->sql, "ready", 0, &ready, err);
    if (rc || !ready)
        return rc;
    return rebase->is_total ? run_all(rebase, err) : run_some(rebase, err);
}

void ch_rebase_deinit(struct ch_rebase *rebase)
{
    ch_free(rebase->again);
    charle_buf_deinit(&rebase->key);
    charle_buf_deinit(&rebase->image);
    *rebase = (struct ch_rebase){0};
}

enum charle_err ch_apply_rebase(struct ch_replica *replica, enum ch_durability durability, ch_rebase_change_fn change, void *ctx,
                                struct charle_error *err)
{
    struct ch_rebase rebase = {0};
    enum charle_err rc = ch_replica_begin(replica, durability, err);
    if (rc)
        return rc;
    rc = ch_rebase_begin(&rebase, replica, 0, true, err);
    if (!rc && change)
        rc = change(replica, ctx, err);
    if (!rc)
        rc = ch_rebase_finish(&rebase, err);
    rc = ch_replica_end(replica, rc, err);
    ch_rebase_deinit(&rebase);
    return rc;
}
