// Stamping along paths: audiences whose keys are found through foreign keys.
//
// For table 12 and an audience with two steps, over the tables p1 and p2, the text makes
//   t12_leave      before a row of 12 goes or turns elsewhere: the scopes that the path finds from it now. Cascades
//   take the path's rows
//                  after this row is gone and before anything else looks, so it must be before
//   t12_a0_s1, t12_a0_s2   on p1 and p2: rows of 12 that lost a scope (before the change) and gained one (after it)
//
// Two transactions that change both ends of one path at the same moment cannot see each other's rows, so they meet at
// locks (charle.lock_rows): who changes a link excludes, on the link, on the row it leads up to, and on all rows of the
// path back to the table; who changes a row of the table shares, on the row and on the row that the path goes up to.
#include "stamp_parts.h"

#include <stdio.h>

#define NONE SIZE_MAX

bool ch_stamp_has_path(const struct ch_model_table *table)
{
    for (size_t i = 0; i < table->audience_count; i++) {
        if (table->audiences[i].kind == CHARLE_AUDIENCE_PATH)
            return true;
    }
    return false;
}

// --- places
// ------------------------------------------------------------------------------------------------------------
//
// Place 0 of a path is the audience's own table, place n where its n-th step ends. In one text each place is an alias
// of a statement, or the record variable of the trigger that the text is for.

struct chain {
    const struct ch_model_table *table;
    const struct ch_model_audience *audience;
    size_t variable_place; // NONE: all places are aliases
    const char *variable;
};

static const struct ch_model_table *table_at(const struct chain *chain, size_t place)
{
    return place ? chain->audience->steps[place - 1].to : chain->table;
}

static const char *name_at(const struct chain *chain, size_t place, char buffer[CH_STAMP_ALIAS_SIZE])
{
    if (place == chain->variable_place)
        return chain->variable;
    snprintf(buffer, CH_STAMP_ALIAS_SIZE, place ? "p%zu" : "r", place);
    return buffer;
}

// "from public."quote" r, … where <joins> and <condition>" over the places first to last.
static void add_chain(struct charle_buf *out, const struct chain *chain, size_t first, size_t last)
{
    char buffer[CH_STAMP_ALIAS_SIZE];
    const char *word = "from ";
    for (size_t place = first; place <= last; place++) {
        if (place == chain->variable_place)
            continue;
        charle_buf_printf(out, "%spublic.", word);
        ch_gen_quote(out, table_at(chain, place)->name);
        charle_buf_printf(out, " %s", name_at(chain, place, buffer));
        word = ", ";
    }
    charle_buf_add_text(out, " where ");
    if (first == 0)
        ch_stamp_add_where(out, name_at(chain, 0, buffer), chain->audience);
    else
        charle_buf_add_text(out, "true");
    for (size_t place = first + 1; place <= last; place++) {
        const struct ch_model_step *step = &chain->audience->steps[place - 1];
        charle_buf_add_text(out, " and ");
        ch_stamp_add_column(out, name_at(chain, place, buffer), step->to_column);
        charle_buf_add_text(out, " = ");
        ch_stamp_add_column(out, name_at(chain, place - 1, buffer), step->from_column);
    }
}

static void add_key_is_there(struct charle_buf *out, const struct chain *chain)
{
    char buffer[CH_STAMP_ALIAS_SIZE];
    charle_buf_add_text(out, " and ");
    ch_stamp_add_column(out, name_at(chain, chain->audience->step_count, buffer), chain->audience->key);
    charle_buf_add_text(out, " is not null");
}

// "perform charle.lock_rows(<id>, array(select distinct <key> …), …);" for the rows of one place, seen from another
// one.
static void add_lock(struct charle_buf *out, const struct chain *chain, size_t place, bool is_exclusive)
{
    char buffer[CH_STAMP_ALIAS_SIZE];
    size_t from = chain->variable_place;
    charle_buf_printf(out, "    perform charle.lock_rows(%u, array", table_at(chain, place)->id);
    charle_buf_add_text(out, place == from ? "[" : "(select distinct ");
    ch_stamp_add_key(out, name_at(chain, place, buffer), table_at(chain, place));
    if (place != from) {
        // The condition on the row does not matter here: joins alone, so that more is locked rather than less.
        struct ch_model_audience bare = *chain->audience;
        bare.where_pg = NULL;
        struct chain joins = *chain;
        joins.audience = &bare;
        charle_buf_add_byte(out, ' ');
        add_chain(out, &joins, place < from ? place : from, place < from ? from : place);
    }
    charle_buf_printf(out, "%s, %s);\n", place == from ? "]" : ")", is_exclusive ? "true" : "false");
}

// --- the audience's own table
// --------------------------------------------------------------------------------------------

void ch_stamp_add_path_entries(struct charle_buf *out, const char *row, const struct ch_model_table *table,
                               const struct ch_model_audience *audience, char op)
{
    struct chain chain = {table, audience, 0, row};
    char buffer[CH_STAMP_ALIAS_SIZE];
    add_lock(out, &chain, 0, false);
    if (audience->steps[0].direction == CH_MODEL_UP)
        add_lock(out, &chain, 1, false);
    charle_buf_add_text(out, "    for is_in in select distinct ");
    ch_stamp_add_scope(out, name_at(&chain, audience->step_count, buffer), audience);
    charle_buf_add_byte(out, ' ');
    add_chain(out, &chain, 0, audience->step_count);
    add_key_is_there(out, &chain);
    charle_buf_add_text(out, "\n    loop\n        pending := pending || e'\\x1e' || charle.clean(is_in) || ");
    charle_buf_printf(out, "e'\\x1f%u%c\\x1f' || ", table->id, op);
    ch_stamp_add_key(out, row, table);
    charle_buf_add_text(out, ";\n    end loop;\n");
}

static void add_to_set(struct charle_column_set *set, const struct ch_model_column *column)
{
    set->bits[column->index / 64] |= (uint64_t)1 << (column->index % 64);
}

// The columns of the table that decide which scopes its paths find.
static struct charle_column_set deciding_columns(const struct ch_model_table *table)
{
    struct charle_column_set set = {0};
    for (size_t i = 0; i < table->key_count; i++)
        add_to_set(&set, table->key_columns[i]);
    for (size_t i = 0; i < table->audience_count; i++) {
        const struct ch_model_audience *audience = &table->audiences[i];
        if (audience->kind != CHARLE_AUDIENCE_PATH)
            continue;
        add_to_set(&set, audience->steps[0].from_column);
        set.bits[0] |= audience->where_columns.bits[0];
        set.bits[1] |= audience->where_columns.bits[1];
    }
    return set;
}

static void add_leave(struct charle_buf *out, const struct ch_model_table *table)
{
    struct charle_column_set deciding = deciding_columns(table);
    char behind[CH_STAMP_NAME_SIZE];
    ch_stamp_begin_function(out, table, "leave", true, "    pending text;\n    is_in text;\n");
    charle_buf_add_text(out, "    if tg_op = 'UPDATE' and not (");
    ch_stamp_add_differs(out, table, &deciding);
    charle_buf_add_text(out, ") then\n        return new;\n    end if;\n    pending := charle.pending();\n");
    for (size_t i = 0; i < table->audience_count; i++) {
        if (table->audiences[i].kind == CHARLE_AUDIENCE_PATH)
            ch_stamp_add_path_entries(out, "old", table, &table->audiences[i], 'd');
    }
    charle_buf_add_text(out, "    pending := set_config('charle.pending', pending, true);\n"
                             "    return case when tg_op = 'DELETE' then old else new end;\n");
    ch_stamp_end_function(out);
    snprintf(behind, sizeof(behind), "for each row execute function charle.t%u_leave()", table->id);
    // Last of the triggers before the change, so that what others make of the row is known.
    ch_stamp_add_trigger(out, "trigger", "zz_charle_leave", "before update or delete", table, behind);
}

// --- links
// ---------------------------------------------------------------------------------------------------------------

// The function for the link at a place. Changing a link is rare: its entries go to charle.touched at once, which arms
// the raise whether or not the link's own table is replicated.
static void add_link_function(struct charle_buf *out, const struct ch_model_table *table,
                              const struct ch_model_audience *audience, size_t place, const char *suffix)
{
    struct chain chain = {table, audience, place, "l"};
    char buffer[CH_STAMP_ALIAS_SIZE];
    ch_stamp_begin_function(
        out, table, suffix, true,
        "    pending text := charle.pending();\n    before text := pending;\n    is_in text;\n    key text;\n"
        "    l record;\n");
    charle_buf_add_text(out, "    l := case when tg_when = 'BEFORE' then old else new end;\n");
    add_lock(out, &chain, place, true);
    if (place < audience->step_count && audience->steps[place].direction == CH_MODEL_UP)
        add_lock(out, &chain, place + 1, true);
    // One statement a place, so that each sees what was committed while the one before it waited.
    for (size_t back = place; back-- > 0;)
        add_lock(out, &chain, back, true);
    charle_buf_add_text(out, "    for is_in, key in select distinct ");
    ch_stamp_add_scope(out, name_at(&chain, audience->step_count, buffer), audience);
    charle_buf_add_text(out, ", ");
    ch_stamp_add_key(out, "r", table);
    charle_buf_add_byte(out, ' ');
    add_chain(out, &chain, 0, audience->step_count);
    add_key_is_there(out, &chain);
    charle_buf_printf(
        out,
        "\n    loop\n        pending := pending || e'\\x1e' || charle.clean(is_in) || e'\\x1f%uu\\x1f' || key;\n"
        "        if octet_length(pending) > 4000 then\n            pending := charle.spill(pending);\n        end if;\n"
        "    end loop;\n    if pending <> before then\n        pending := charle.spill(pending);\n    end if;\n"
        "    return case when tg_op = 'DELETE' then old else new end;\n",
        table->id);
    ch_stamp_end_function(out);
}

// The columns of a link that decide where paths lead: to the place before, to the place behind, or the key at the end.
static struct charle_column_set link_columns(const struct ch_model_audience *audience, size_t place)
{
    struct charle_column_set set = {0};
    add_to_set(&set, audience->steps[place - 1].to_column);
    add_to_set(&set, place < audience->step_count ? audience->steps[place].from_column : audience->key);
    return set;
}

static void add_link_trigger(struct charle_buf *out, const struct ch_model_table *table,
                             const struct ch_model_table *on, const char *prefix, const char *suffix, const char *event,
                             const char *timing, const struct charle_column_set *when_changed)
{
    char name[CH_STAMP_NAME_SIZE];
    struct charle_buf behind = {0};
    snprintf(name, sizeof(name), "%scharle_t%u_%s_%s", prefix, table->id, suffix, event);
    charle_buf_add_text(&behind, "for each row ");
    if (when_changed) {
        charle_buf_add_text(&behind, "when (");
        ch_stamp_add_differs(&behind, on, when_changed);
        charle_buf_add_text(&behind, ") ");
    }
    charle_buf_printf(&behind, "execute function charle.t%u_%s()", table->id, suffix);
    const char *text = charle_buf_text(&behind);
    if (text)
        ch_stamp_add_trigger(out, "trigger", name, timing, on, text);
    else
        out->failed = behind.failed;
    charle_buf_deinit(&behind);
}

static void add_gates(struct charle_buf *out, const struct ch_model_table *table)
{
    charle_buf_printf(
        out,
        "insert into charle.gate (tab, bucket) select %u, b from generate_series(0, 255) b on conflict do nothing;\n",
        table->id);
}

static void add_link(struct charle_buf *out, const struct ch_model_table *table, size_t index, size_t place)
{
    const struct ch_model_audience *audience = &table->audiences[index];
    const struct ch_model_table *on = audience->steps[place - 1].to;
    struct charle_column_set columns = link_columns(audience, place);
    char suffix[CH_STAMP_NAME_SIZE], truncate[CH_STAMP_NAME_SIZE], name[CH_STAMP_NAME_SIZE],
        behind[CH_STAMP_NAME_SIZE * 2];
    snprintf(suffix, sizeof(suffix), "a%zu_s%zu", index, place);
    snprintf(truncate, sizeof(truncate), "a%zu_s%zu_truncate", index, place);
    add_link_function(out, table, audience, place, suffix);
    add_link_trigger(out, table, on, "zz_", suffix, "gone", "before delete", NULL);
    add_link_trigger(out, table, on, "zz_", suffix, "from", "before update", &columns);
    add_link_trigger(out, table, on, "", suffix, "to", "after update", &columns);
    // A new row that others refer to upwards has nobody yet who refers to it.
    if (audience->steps[place - 1].direction == CH_MODEL_DOWN)
        add_link_trigger(out, table, on, "", suffix, "new", "after insert", NULL);
    ch_stamp_add_truncate(out, table, truncate, index);
    snprintf(name, sizeof(name), "charle_t%u_a%zu_s%zu_truncate", table->id, index, place);
    snprintf(behind, sizeof(behind), "for each statement execute function charle.t%u_%s()", table->id, truncate);
    ch_stamp_add_trigger(out, "trigger", name, "before truncate", on, behind);
    add_gates(out, on);
}

void ch_stamp_add_paths(struct charle_buf *out, const struct ch_model_table *table)
{
    add_leave(out, table);
    add_gates(out, table);
    for (size_t i = 0; i < table->audience_count; i++) {
        size_t places = table->audiences[i].kind == CHARLE_AUDIENCE_PATH ? table->audiences[i].step_count : 0;
        for (size_t place = 1; place <= places; place++)
            add_link(out, table, i, place);
    }
}

// --- TRUNCATE
// ------------------------------------------------------------------------------------------------------------

void ch_stamp_add_all_rows(struct charle_buf *out, const struct ch_model_table *table,
                           const struct ch_model_audience *audience)
{
    struct chain chain = {table, audience, NONE, NULL};
    char buffer[CH_STAMP_ALIAS_SIZE];
    charle_buf_add_text(out, "    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, ");
    ch_stamp_add_scope(out, name_at(&chain, audience->step_count, buffer), audience);
    charle_buf_printf(out, ", %u, 'd'::\"char\", ", table->id);
    ch_stamp_add_key(out, "r", table);
    charle_buf_add_byte(out, ' ');
    add_chain(out, &chain, 0, audience->step_count);
    if (audience->key)
        add_key_is_there(out, &chain);
    charle_buf_add_text(out, ";\n");
}

void ch_stamp_add_truncate(struct charle_buf *out, const struct ch_model_table *table, const char *suffix, size_t only)
{
    ch_stamp_begin_function(out, table, suffix, true, "    pending text;\n    txn_ int8;\n");
    charle_buf_add_text(
        out, "    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;\n");
    for (size_t i = 0; i < table->audience_count; i++) {
        if (only == NONE || only == i)
            ch_stamp_add_all_rows(out, table, &table->audiences[i]);
    }
    charle_buf_add_text(out, "    pending := charle.spill(pending);\n    return null;\n");
    ch_stamp_end_function(out);
}
