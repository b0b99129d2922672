#include "client/gaps.h"

#include "base/plant.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { ITEM_SIZE = CH_IDENTIFIER_LEN_MAX + 40 };

// --- as text ------------------------------------------------------------------------------------------------------------

static void add_item(struct charle_buf *out, uint32_t table, struct charle_str audience, uint32_t number)
{
    charle_buf_printf(out, ";%" PRIu32 "/%.*s/%" PRIu32 ";", table, CHARLE_FMT(audience), number);
}

static void write_gap(const struct charle_schema_gap *gap, struct charle_buf *out)
{
    const uint32_t *numbers = gap->column.items;
    struct charle_str audience = gap->audience.has ? gap->audience.value : CHARLE_STR("");
    for (size_t i = 0; i < gap->column.count; i++)
        add_item(out, gap->table, audience, numbers[i]);
    if (!gap->column.count)
        add_item(out, gap->table, audience, 0);
}

static bool has_item(struct charle_str text, const char *item)
{
    return text.len && memmem(text.ptr, text.len, item, strlen(item)) != NULL;
}

static bool has_gap(struct charle_str text, uint32_t table, struct charle_str audience, uint32_t number)
{
    char item[ITEM_SIZE];
    snprintf(item, sizeof(item), ";%" PRIu32 "/%.*s/%" PRIu32 ";", table, CHARLE_FMT(audience), number);
    return has_item(text, item);
}

// --- what has changed ---------------------------------------------------------------------------------------------------

struct change {
    struct ch_replica *replica;
    bool is_lost; // something went that rows may be here for
    struct charle_error *err;
};

static enum charle_err note_fill(struct change *change, const struct charle_table *table, uint32_t number)
{
    return ch_lite_run(&change->replica->sql, CH_LITE_FILL_ADD, change->err, "iii", (int64_t)table->id, (int64_t)number, (int64_t)0);
}

static enum charle_err note_column(struct change *change, const struct charle_table *table, uint32_t number)
{
    const struct charle_column *column = charle_table_column_numbered(table, number);
    return column && charle_column_set_has(table->replica_columns, column->index) ? note_fill(change, table, number) : CHARLE_OK;
}

static enum charle_err note_table(struct change *change, const struct charle_table *table)
{
    enum charle_err rc = note_fill(change, table, 0);
    for (size_t i = 0; !rc && i < table->column_count; i++)
        rc = note_column(change, table, table->columns[i].field->number);
    return rc;
}

// A table, an audience or what one shows: came when the gap is of the past. What was never here has nothing to lose.
static enum charle_err note_rows(struct change *change, const struct charle_table *table, bool is_past)
{
    int64_t is_awaited = 0;
    if (is_past)
        return note_table(change, table);
    enum charle_err rc = ch_lite_number(&change->replica->sql, CH_LITE_FILL_TAKES_ROWS, 0, &is_awaited, change->err, "i", (int64_t)table->id);
    change->is_lost = change->is_lost || !is_awaited;
    return rc;
}

// One item that is in one of the texts only: "7/audience/3".
static enum charle_err note_item(struct change *change, const char *item, bool is_past)
{
    char *end;
    uint32_t id = (uint32_t)strtoul(item, &end, 10);
    const char *slash = strchr(end + 1, '/');
    const struct charle_table *table = charle_schema_table(change->replica->schema, id);
    if (*end != '/' || !slash || !table || !table->is_replicated)
        return CHARLE_OK;
    uint32_t number = (uint32_t)strtoul(slash + 1, NULL, 10);
    return slash == end + 1 && number ? note_column(change, table, number) : note_rows(change, table, is_past);
}

static enum charle_err note_difference(struct change *change, struct charle_str from, struct charle_str without, bool is_past)
{
    enum charle_err rc = CHARLE_OK;
    for (size_t at = 0; !rc && at + 1 < from.len;) {
        const char *end = memchr(from.ptr + at + 1, ';', from.len - at - 1);
        size_t len = end ? (size_t)(end - from.ptr) - at - 1 : from.len - at - 1;
        char item[ITEM_SIZE], framed[ITEM_SIZE + 2];
        snprintf(item, sizeof(item), "%.*s", (int)len, from.ptr + at + 1);
        snprintf(framed, sizeof(framed), ";%s;", item);
        if (!has_item(without, framed))
            rc = note_item(change, item, is_past);
        at += len + 2;
    }
    return rc;
}

static enum charle_err doubt_all(struct ch_replica *replica, struct charle_error *err)
{
    enum charle_err rc = ch_lite_run(&replica->sql, CH_LITE_FILL_CLEAR, err, "");
    return rc ? rc : ch_lite_run(&replica->sql, CH_LITE_CURSOR_DOUBT_ALL, err, "");
}

static enum charle_err note_changes(struct ch_replica *replica, struct charle_str was, struct charle_str is, struct charle_error *err)
{
    struct change change = {.replica = replica, .err = err};
    enum charle_err rc = note_difference(&change, is, was, false);
    if (!rc)
        rc = note_difference(&change, was, is, true);
    return !rc && change.is_lost ? doubt_all(replica, err) : rc;
}

// --- in and out ---------------------------------------------------------------------------------------------------------

// *out_has false: nobody has told yet.
static enum charle_err read_known(struct ch_replica *replica, struct charle_buf *out, bool *out_has, struct charle_error *err)
{
    sqlite3_stmt *row;
    enum charle_err rc = ch_lite_one(&replica->sql, CH_LITE_META_GET, &row, err, "s", CHARLE_STR("gaps"));
    *out_has = rc == CHARLE_OK;
    if (rc)
        return rc == CHARLE_DONE ? CHARLE_OK : rc;
    charle_buf_add_str(out, ch_lite_text(row, 0));
    ch_lite_end(row);
    return out->failed ? charle_fail(err, out->failed, "no memory for what the server's schema lacks") : CHARLE_OK;
}

enum charle_err ch_gaps_take(struct ch_replica *replica, const struct charle_open_reply *reply, bool is_ready, bool *out_changed,
                             struct charle_error *err)
{
    const struct charle_schema_gap *const *gaps = reply->gap.items;
    struct charle_buf was = {0}, is = {0};
    bool is_known;
    *out_changed = false;
    if (!reply->tells_gaps.has || !reply->tells_gaps.value || CH_PLANTED(GAPS_IGNORED))
        return CHARLE_OK; // a server from before: what it lacks stays as it was
    for (size_t i = 0; i < reply->gap.count; i++)
        write_gap(gaps[i], &is);
    enum charle_err rc = is.failed ? charle_fail(err, is.failed, "no memory for what the server's schema lacks") : read_known(replica, &was, &is_known, err);
    if (rc || (is_known && charle_str_equal(charle_buf_str(&was), charle_buf_str(&is))))
        goto done;
    *out_changed = true;
    if (is_known && !is_ready) // a first copy begins again
        rc = ch_layout_empty_tables(replica, err);
    else if (is_known)
        rc = note_changes(replica, charle_buf_str(&was), charle_buf_str(&is), err);
    if (!rc)
        rc = ch_meta_set_text(&replica->sql, "gaps", is.size ? charle_buf_str(&is) : CHARLE_STR(""), err);
done:
    charle_buf_deinit(&was);
    charle_buf_deinit(&is);
    return rc;
}

static enum charle_err apply_to(struct ch_replica *replica, struct ch_table *table, struct charle_str text, struct charle_error *err)
{
    const struct charle_table *schema = table->schema;
    enum charle_err rc = CHARLE_OK;
    for (size_t a = 0; !rc && a < schema->audience_count; a++) {
        struct charle_column_set unshown = {{0, 0}};
        struct charle_str name = schema->audiences[a].name;
        for (size_t i = 0; text.len && i < schema->column_count; i++) {
            if (has_gap(text, schema->id, name, schema->columns[i].field->number))
                charle_column_set_add(&unshown, i);
        }
        rc = ch_table_narrow(&replica->tables, table, a, has_gap(text, schema->id, name, 0), &unshown, err);
    }
    return rc;
}

enum charle_err ch_gaps_apply(struct ch_replica *replica, struct charle_error *err)
{
    struct charle_buf text = {0};
    bool is_known;
    enum charle_err rc = read_known(replica, &text, &is_known, err);
    for (size_t i = 0; !rc && i < replica->tables.count; i++)
        rc = apply_to(replica, &replica->tables.items[i], charle_buf_str(&text), err);
    charle_buf_deinit(&text);
    return rc;
}
