// Stamping along paths: audiences whose keys are found through foreign keys.
//
// For table 12 and an audience with two steps, over the tables p1 and p2, the text makes
//
//   t12_leave   before a row of 12 goes or turns elsewhere: the scopes that the path finds from it now. Cascades take
//   the
//               path's rows after this row is gone and before anything else looks, so it must be before
//
//   t12_a0_s1, t12_a0_s2   on p1 and p2: rows of 12 that lost a scope (before the change) and gained one (after it)
//
// Audiences of a table with one path ("account" and "portal" by the client of the project) share all of this; the first
// one of them, the leader, gives the names.
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

static bool is_same_path(const struct ch_model_audience *a, const struct ch_model_audience *b)
{
    if (a->kind != CHARLE_AUDIENCE_PATH || b->kind != CHARLE_AUDIENCE_PATH || a->step_count != b->step_count ||
        a->key != b->key)
        return false;
    for (size_t i = 0; i < a->step_count; i++) {
        if (a->steps[i].from_column != b->steps[i].from_column || a->steps[i].to_column != b->steps[i].to_column)
            return false;
    }
    return true;
}

// A path audience that has no earlier one of the same path.
static bool is_leader(const struct ch_model_table *table, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (is_same_path(&table->audiences[i], &table->audiences[index]))
            return false;
    }
    return table->audiences[index].kind == CHARLE_AUDIENCE_PATH;
}

// --- places ----------------------------------------------------------------------------------------------------------
//
// Place 0 of a path is the audience's own table, place n where its n-th step ends. In one text each place is an alias
// of a statement, or the record variable of the trigger that the text is for.

struct chain {
    const struct ch_model_table *table;
    const struct ch_model_audience *audience; // the leader
    size_t variable_place;                    // NONE: all places are aliases
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

static void add_tables(struct charle_buf *out, const struct chain *chain, size_t first, size_t last)
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
}

static void add_joins(struct charle_buf *out, const struct chain *chain, size_t first, size_t last)
{
    char buffer[CH_STAMP_ALIAS_SIZE];
    charle_buf_add_text(out, " where true");
    for (size_t place = first + 1; place <= last; place++) {
        const struct ch_model_step *step = &chain->audience->steps[place - 1];
        charle_buf_add_text(out, " and ");
        ch_stamp_add_column(out, name_at(chain, place, buffer), step->to_column);
        charle_buf_add_text(out, " = ");
        ch_stamp_add_column(out, name_at(chain, place - 1, buffer), step->from_column);
    }
}

// One row for each audience of the path, as "lateral (values (…), (…)) s (scope)": NULL where the audience's condition
// does not hold or the key is NULL.
static void add_scopes(struct charle_buf *out, const struct chain *chain)
{
    char end[CH_STAMP_ALIAS_SIZE], row[CH_STAMP_ALIAS_SIZE];
    const char *word = ", lateral (values (";
    for (size_t i = 0; i < chain->table->audience_count; i++) {
        const struct ch_model_audience *audience = &chain->table->audiences[i];
        if (!is_same_path(chain->audience, audience))
            continue;
        charle_buf_printf(out, "%scase when ", word);
        ch_stamp_add_where(out, name_at(chain, 0, row), audience);
        charle_buf_add_text(out, " then ");
        ch_stamp_add_scope(out, name_at(chain, audience->step_count, end), audience);
        charle_buf_add_text(out, " end)");
        word = ", (";
    }
    charle_buf_add_text(out, ") s (scope)");
}

// "from <tables>, <scopes> where <joins> and s.scope is not null" over the whole path.
static void add_path(struct charle_buf *out, const struct chain *chain)
{
    add_tables(out, chain, 0, chain->audience->step_count);
    add_scopes(out, chain);
    add_joins(out, chain, 0, chain->audience->step_count);
    charle_buf_add_text(out, " and s.scope is not null");
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
        size_t first = place < from ? place : from, last = place < from ? from : place;
        charle_buf_add_byte(out, ' ');
        add_tables(out, chain, first, last);
        add_joins(out, chain, first, last);
    }
    charle_buf_printf(out, "%s, %s);\n", place == from ? "]" : ")", is_exclusive ? "true" : "false");
}

// --- the audience's own table
// ------------------------------------------------------------------------------------------

static void add_path_entries(struct charle_buf *out, const char *row, const struct ch_model_table *table,
                             const struct ch_model_audience *leader, char op)
{
    struct chain chain = {table, leader, 0, row};
    add_lock(out, &chain, 0, false);
    if (leader->steps[0].direction == CH_MODEL_UP)
        add_lock(out, &chain, 1, false);
    charle_buf_add_text(out, "    for is_in in select distinct s.scope ");
    add_path(out, &chain);
    charle_buf_add_text(out, "\n    loop\n        pending := pending || e'\\x1e' || charle.clean(is_in) || ");
    charle_buf_printf(out, "e'\\x1f%u%c\\x1f' || ", table->id, op);
    ch_stamp_add_key(out, row, table);
    charle_buf_add_text(out, ";\n    end loop;\n");
}

void ch_stamp_add_path_entries(struct charle_buf *out, const char *row, const struct ch_model_table *table, char op)
{
    for (size_t i = 0; i < table->audience_count; i++) {
        if (is_leader(table, i))
            add_path_entries(out, row, table, &table->audiences[i], op);
    }
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
    ch_stamp_add_path_entries(out, "old", table, 'd');
    charle_buf_add_text(out, "    pending := set_config('charle.pending', pending, true);\n"
                             "    return case when tg_op = 'DELETE' then old else new end;\n");
    ch_stamp_end_function(out);
    snprintf(behind, sizeof(behind), "for each row execute function charle.t%u_leave()", table->id);
    // Last of the triggers before the change, so that what others make of the row is known.
    ch_stamp_add_trigger(out, "trigger", "zz_charle_leave", "before update or delete", table, behind);
}

// --- links ----------------------------------------------------------------------------------------------------------

// The function for the link at a place. Changing a link is rare: its entries go to charle.touched at once, which arms
// the raise whether or not the link's own table is replicated.
static void add_link_function(struct charle_buf *out, const struct ch_model_table *table,
                              const struct ch_model_audience *audience, size_t place, const char *suffix)
{
    struct chain chain = {table, audience, place, "l"};
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
    charle_buf_add_text(out, "    for is_in, key in select distinct s.scope, ");
    ch_stamp_add_key(out, "r", table);
    charle_buf_add_byte(out, ' ');
    add_path(out, &chain);
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
// A key that rows refer to and that does not carry them along cannot change while there are any.
static struct charle_column_set link_columns(const struct ch_model_audience *audience, size_t place)
{
    struct charle_column_set set = {0};
    const struct ch_model_step *step = &audience->steps[place - 1];
    enum charle_action on_update = step->from_column->on_update;
    if (step->direction == CH_MODEL_DOWN || on_update == CHARLE_CASCADE || on_update == CHARLE_SET_NULL)
        add_to_set(&set, step->to_column);
    add_to_set(&set, place < audience->step_count ? audience->steps[place].from_column : audience->key);
    return set;
}

// "old."a" is distinct from new."a" or …". Made into a tree once, when the trigger is made: no search path comes in
// later.
static void add_moved(struct charle_buf *out, const struct ch_model_table *on, const struct charle_column_set *columns)
{
    const char *word = "";
    for (size_t i = 0; i < on->column_count; i++) {
        if (!charle_column_set_has(columns, i))
            continue;
        charle_buf_add_text(out, word);
        ch_stamp_add_column(out, "old", &on->columns[i]);
        charle_buf_add_text(out, " is distinct from ");
        ch_stamp_add_column(out, "new", &on->columns[i]);
        word = " or ";
    }
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
        add_moved(&behind, on, when_changed);
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
        size_t places = is_leader(table, i) ? table->audiences[i].step_count : 0;
        for (size_t place = 1; place <= places; place++)
            add_link(out, table, i, place);
    }
}

// --- TRUNCATE --------------------------------------------------------------------------------------------------------

static void add_rows_of_path(struct charle_buf *out, const struct ch_model_table *table,
                             const struct ch_model_audience *leader)
{
    struct chain chain = {table, leader, NONE, NULL};
    charle_buf_printf(out,
                      "    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, %u, "
                      "'d'::\"char\", ",
                      table->id);
    ch_stamp_add_key(out, "r", table);
    charle_buf_add_byte(out, ' ');
    add_path(out, &chain);
    charle_buf_add_text(out, ";\n");
}

static void add_rows_of(struct charle_buf *out, const struct ch_model_table *table,
                        const struct ch_model_audience *audience)
{
    charle_buf_add_text(out, "    insert into charle.touched (txn, scope, tab, op, key) select txn_, ");
    ch_stamp_add_scope(out, "r", audience);
    charle_buf_printf(out, ", %u, 'd'::\"char\", ", table->id);
    ch_stamp_add_key(out, "r", table);
    charle_buf_add_text(out, " from public.");
    ch_gen_quote(out, table->name);
    charle_buf_add_text(out, " r where ");
    ch_stamp_add_where(out, "r", audience);
    if (audience->key) {
        charle_buf_add_text(out, " and ");
        ch_stamp_add_column(out, "r", audience->key);
        charle_buf_add_text(out, " is not null");
    }
    charle_buf_add_text(out, ";\n");
}

void ch_stamp_add_truncate(struct charle_buf *out, const struct ch_model_table *table, const char *suffix, size_t only)
{
    ch_stamp_begin_function(out, table, suffix, true, "    pending text;\n    txn_ int8;\n");
    charle_buf_add_text(
        out, "    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;\n");
    for (size_t i = 0; i < table->audience_count; i++) {
        if (only != NONE && only != i)
            continue;
        if (is_leader(table, i))
            add_rows_of_path(out, table, &table->audiences[i]);
        else if (table->audiences[i].kind != CHARLE_AUDIENCE_PATH)
            add_rows_of(out, table, &table->audiences[i]);
    }
    charle_buf_add_text(out, "    pending := charle.spill(pending);\n    return null;\n");
    ch_stamp_end_function(out);
}
