// The stamping triggers of a replicated table: who is told of a change (docs/decisions/0005-stamp-triggers.md).
//
// For a table with id 12 the text makes
//   t12_log        after each row: one entry for each scope that the old or the new row is in, appended to
//   charle.pending charle_raise   at commit: charle.raise() of the platform t12_truncate   before TRUNCATE: an entry
//   for every row in every scope
// and when an audience is found by a path, here with two steps over tables p1 and p2
//   t12_leave      before a row goes or turns elsewhere: the scopes that the path finds from it now. Cascades take the
//   path's rows after
//                  this row is gone and before anything else looks, so it must be before
//   t12_a0_s1, t12_a0_s2   on p1 and p2: rows of table 12 that lost a scope (before the change) and gained one (after
//   it)
//
// Entries may name more than has changed, never less: readers look at the rows as they are. Two transactions that
// change both ends of one path at the same moment cannot see each other's rows, so they meet at locks
// (charle.lock_rows): who changes a link excludes, on the link, on the row it leads on to, and on all rows of the path
// back to the table; who changes a row of the table shares, on the row and on the row that the path goes up to.
#include "model.h"

#include <stdio.h>
#include <string.h>

// Separators of charle.pending, and what a name of a text column must therefore not hold.
#define ENTRY "e'\\x1e"
#define FIELD "\\x1f"

static void add_column(struct charle_buf *out, const char *row, const struct ch_model_column *column)
{
    charle_buf_printf(out, "%s.", row);
    ch_gen_quote(out, column->name);
}

static bool is_text(const struct ch_model_column *column)
{
    return !column->is_array && (column->type == CHARLE_TYPE_TEXT || column->type == CHARLE_TYPE_ENUM);
}

// --- keys and scopes ------------------------------------------------------------------------------------------------

// A value inside a JSON key, whatever DateStyle and TimeZone are.
static void add_json_value(struct charle_buf *out, const char *row, const struct ch_model_column *column)
{
    const char *before = "", *behind = "";
    if (column->type == CHARLE_TYPE_TIMESTAMPTZ) {
        before = "to_char(";
        behind = " at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";
    } else if (column->type == CHARLE_TYPE_NUMERIC) {
        before = "trim_scale(";
        behind = ")::text";
    } else if (column->type == CHARLE_TYPE_BYTES) {
        before = "translate(encode(";
        behind = ", 'base64'), e'\\n', '')";
    }
    charle_buf_add_text(out, before);
    add_column(out, row, column);
    charle_buf_add_text(out, behind);
}

// The text of a row's key: the value itself of a single text column, otherwise a JSON array.
static void add_key(struct charle_buf *out, const char *row, const struct ch_model_table *table)
{
    if (table->key_count == 1 && is_text(table->key_columns[0])) {
        add_column(out, row, table->key_columns[0]);
        return;
    }
    charle_buf_add_text(out, "jsonb_build_array(");
    for (size_t i = 0; i < table->key_count; i++) {
        charle_buf_add_text(out, i ? ", " : "");
        add_json_value(out, row, table->key_columns[i]);
    }
    charle_buf_add_text(out, ")::text");
}

static void add_scope_value(struct charle_buf *out, const char *row, const struct ch_model_column *column)
{
    if (column->type == CHARLE_TYPE_DATE) {
        charle_buf_add_text(out, "to_char(");
        add_column(out, row, column);
        charle_buf_add_text(out, ", 'YYYY-MM-DD')");
        return;
    }
    add_column(out, row, column);
    charle_buf_add_text(out, is_text(column) ? "" : "::text");
}

// The scope's text. NULL when the key column is. `row` has the audience's key column.
static void add_scope(struct charle_buf *out, const char *row, const struct ch_model_audience *audience)
{
    charle_buf_printf(out, "'%s%s'", audience->name, audience->key ? ":" : "");
    if (audience->key) {
        charle_buf_add_text(out, " || ");
        add_scope_value(out, row, audience->key);
    }
}

// "pending := pending || <scope> || <entry for table and op> || <key>;"
static void add_entry(struct charle_buf *out, int indent, const char *scope, const struct ch_model_table *table,
                      char op, const char *key)
{
    charle_buf_printf(out, "%*spending := pending || " ENTRY "' || %s || e'" FIELD "%u%c" FIELD "' || %s;\n", indent,
                      "", scope, table->id, op, key);
}

// Refuses a text that would break the format of charle.pending. Nobody writes such names; a forged one must not hide a
// change.
static void add_separator_check(struct charle_buf *out, int indent, const char *value, const char *what)
{
    charle_buf_printf(
        out,
        "%*sif strpos(%s, e'\\x1e') > 0 or strpos(%s, e'" FIELD "') > 0 then\n"
        "%*s    raise exception '%s must not hold the control characters U+001E and U+001F' using errcode = "
        "'invalid_text_representation';\n"
        "%*send if;\n",
        indent, "", value, value, indent, "", what, indent, "");
}

// --- paths ----------------------------------------------------------------------------------------------------------

// The name of the row at a place of a path: 0 is the audience's own table.
static void name_at(char out[16], size_t place, size_t link)
{
    if (place == link)
        strcpy(out, "l");
    else if (place == 0)
        strcpy(out, "r");
    else
        snprintf(out, 16, "p%zu", place);
}

static const struct ch_model_table *table_at(const struct ch_model_table *table,
                                             const struct ch_model_audience *audience, size_t place)
{
    return place ? audience->steps[place - 1].to : table;
}

// "from public."quote" p1, … where <joins>" over the places [first, last]. The place `link` is a record variable and
// not listed; SIZE_MAX: there is none. The place `outer` (0 or SIZE_MAX) is a variable too.
static void add_chain(struct charle_buf *out, const struct ch_model_table *table,
                      const struct ch_model_audience *audience, size_t first, size_t last, size_t link, size_t outer)
{
    char from[16], to[16];
    bool is_first = true;
    for (size_t place = first; place <= last; place++) {
        if (place == link || place == outer)
            continue;
        name_at(to, place, link);
        charle_buf_printf(out, "%spublic.", is_first ? "from " : ", ");
        ch_gen_quote(out, table_at(table, audience, place)->name);
        charle_buf_printf(out, " %s", to);
        is_first = false;
    }
    is_first = true;
    for (size_t place = first + 1; place <= last; place++) {
        const struct ch_model_step *step = &audience->steps[place - 1];
        name_at(from, place - 1, link);
        name_at(to, place, link);
        charle_buf_add_text(out, is_first ? " where " : " and ");
        add_column(out, to, step->to_column);
        charle_buf_add_text(out, " = ");
        add_column(out, from, step->from_column);
        is_first = false;
    }
    if (is_first)
        charle_buf_add_text(out, " where true");
    if (first == 0 && audience->where_pg)
        charle_buf_printf(out, " and (%s)", audience->where_pg);
}

// The shared locks of one who changes row `row` (a record variable) of the audience's own table.
static void add_shared_locks(struct charle_buf *out, int indent, const char *row, const struct ch_model_table *table,
                             const struct ch_model_audience *audience)
{
    const struct ch_model_step *step = &audience->steps[0];
    charle_buf_printf(out, "%*sperform charle.lock_rows(%u, array[", indent, "", table->id);
    add_key(out, row, table);
    charle_buf_add_text(out, "], false);\n");
    if (step->direction != CH_MODEL_UP)
        return;
    charle_buf_printf(out, "%*sperform charle.lock_rows(%u, array(select ", indent, "", step->to->id);
    add_key(out, "p1", step->to);
    charle_buf_add_text(out, " from public.");
    ch_gen_quote(out, step->to->name);
    charle_buf_add_text(out, " p1 where ");
    add_column(out, "p1", step->to_column);
    charle_buf_add_text(out, " = ");
    add_column(out, row, step->from_column);
    charle_buf_add_text(out, "), false);\n");
}

// A loop over the scopes that the path finds from the record variable r, each an entry under `key`.
static void add_path_entries(struct charle_buf *out, int indent, const struct ch_model_table *table,
                             const struct ch_model_audience *audience, char op, const char *key)
{
    char last[16];
    name_at(last, audience->step_count, SIZE_MAX);
    add_shared_locks(out, indent, "r", table, audience);
    charle_buf_printf(out, "%*sfor is_in in select distinct ", indent, "");
    add_scope(out, last, audience);
    charle_buf_add_byte(out, ' ');
    add_chain(out, table, audience, 0, audience->step_count, SIZE_MAX, 0);
    charle_buf_add_text(out, " and ");
    add_column(out, last, audience->key);
    charle_buf_printf(out, " is not null\n%*sloop\n", indent, "");
    if (is_text(audience->key))
        add_separator_check(out, indent + 4, "is_in", "a scope");
    add_entry(out, indent + 4, "is_in", table, op, key);
    charle_buf_printf(out, "%*send loop;\n", indent, "");
}

static bool has_path(const struct ch_model_table *table)
{
    for (size_t i = 0; i < table->audience_count; i++) {
        if (table->audiences[i].kind == CHARLE_AUDIENCE_PATH)
            return true;
    }
    return false;
}

// --- t12_log --------------------------------------------------------------------------------------------------------

static void add_function_head(struct charle_buf *out, const struct ch_model_table *table, const char *suffix,
                              const char *variables)
{
    charle_buf_printf(
        out,
        "create function charle.t%u_%s() returns trigger language plpgsql security definer set search_path = "
        "pg_catalog, pg_temp as $charle$\n#variable_conflict use_column\ndeclare\n%sbegin\n",
        table->id, suffix, variables);
}

static void add_pending(struct charle_buf *out)
{
    charle_buf_add_text(
        out, "    if pending is null or not starts_with(pending, xid) then\n        pending := xid;\n    end if;\n");
}

#define PENDING_VARIABLES                                            \
    "    pending text := current_setting('charle.pending', true);\n" \
    "    xid text := pg_current_xact_id()::text || ':';\n"

// was_in or is_in := the scope that `source` (old or new) is in by this audience, NULL for none.
static void add_scope_of(struct charle_buf *out, const char *variable, const char *source,
                         const struct ch_model_audience *audience)
{
    if (audience->where_pg) {
        charle_buf_printf(out, "        r := %s;\n        %s := case when (%s) then ", source, variable,
                          audience->where_pg);
        add_scope(out, "r", audience);
        charle_buf_add_text(out, " end;\n");
    } else {
        charle_buf_printf(out, "        %s := ", variable);
        add_scope(out, source, audience);
        charle_buf_add_text(out, ";\n");
    }
}

static bool shows_all(const struct ch_model_table *table, const struct ch_model_audience *audience)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (!charle_column_set_has(&audience->columns, i))
            return false;
    }
    return true;
}

// "(old."a", …) is distinct from (new."a", …)" over the columns of the set that are not in the key.
static void add_differs(struct charle_buf *out, const struct ch_model_table *table,
                        const struct charle_column_set *columns)
{
    static const char *const rows[] = {"old", "new"};
    for (int side = 0; side < 2; side++) {
        size_t used = 0;
        charle_buf_add_text(out, side ? " is distinct from row(" : "row(");
        for (size_t i = 0; i < table->column_count; i++) {
            if (!charle_column_set_has(columns, i))
                continue;
            charle_buf_add_text(out, used++ ? ", " : "");
            add_column(out, rows[side], &table->columns[i]);
        }
        charle_buf_add_text(out, ")");
    }
}

// An audience whose scope comes from the row alone, at an update: one entry when the row stays and changed what is
// shown, two when it moved.
static void add_update_of(struct charle_buf *out, const struct ch_model_table *table,
                          const struct ch_model_audience *audience)
{
    add_scope_of(out, "was_in", "old", audience);
    add_scope_of(out, "is_in", "new", audience);
    charle_buf_add_text(out, "        if was_in = is_in and key = old_key then\n");
    if (!shows_all(table, audience)) {
        charle_buf_add_text(out, "            if ");
        add_differs(out, table, &audience->columns);
        charle_buf_add_text(out, " then\n");
        add_entry(out, 16, "is_in", table, 'u', "key");
        charle_buf_add_text(out, "            end if;\n");
    } else {
        add_entry(out, 12, "is_in", table, 'u', "key");
    }
    charle_buf_add_text(out, "        else\n            if is_in is not null then\n");
    if (audience->key && is_text(audience->key))
        add_separator_check(out, 16, "is_in", "a scope");
    add_entry(out, 16, "is_in", table, 'u', "key");
    charle_buf_add_text(out, "            end if;\n            if was_in is not null then\n");
    add_entry(out, 16, "was_in", table, 'd', "old_key");
    charle_buf_add_text(out, "            end if;\n        end if;\n");
}

// The same at an insert (source new) or a delete (source old).
static void add_single_of(struct charle_buf *out, const struct ch_model_table *table,
                          const struct ch_model_audience *audience, char op)
{
    add_scope_of(out, "is_in", op == 'u' ? "new" : "old", audience);
    charle_buf_add_text(out, "        if is_in is not null then\n");
    if (op == 'u' && audience->key && is_text(audience->key))
        add_separator_check(out, 12, "is_in", "a scope");
    add_entry(out, 12, "is_in", table, op, op == 'u' ? "key" : "old_key");
    charle_buf_add_text(out, "        end if;\n");
}

static void add_path_of(struct charle_buf *out, const struct ch_model_table *table,
                        const struct ch_model_audience *audience)
{
    int indent = 8;
    charle_buf_add_text(out, "        r := new;\n");
    if (audience->where_pg) {
        charle_buf_printf(out, "        if %s then\n", audience->where_pg);
        indent = 12;
    }
    add_path_entries(out, indent, table, audience, 'u', "key");
    if (audience->where_pg)
        charle_buf_add_text(out, "        end if;\n");
}

static void add_key_of(struct charle_buf *out, const char *variable, const char *source,
                       const struct ch_model_table *table)
{
    charle_buf_printf(out, "        %s := ", variable);
    add_key(out, source, table);
    charle_buf_add_text(out, ";\n");
}

static void add_new_key(struct charle_buf *out, const struct ch_model_table *table, bool is_update)
{
    add_key_of(out, "key", "new", table);
    if (table->key_count != 1 || !is_text(table->key_columns[0]))
        return;
    if (is_update)
        charle_buf_add_text(out, "        if key <> old_key then\n");
    add_separator_check(out, is_update ? 12 : 8, "key", "a primary key");
    if (is_update)
        charle_buf_add_text(out, "        end if;\n");
}

static void write_log(struct charle_buf *out, const struct ch_model_table *table)
{
    add_function_head(out, table, "log",
                      PENDING_VARIABLES
                      "    key text;\n    old_key text;\n    is_in text;\n    was_in text;\n    r record;\n");
    add_pending(out);
    charle_buf_add_text(out, "    if tg_op = 'UPDATE' then\n        if old *= new then\n"
                             "            pending := set_config('charle.pending', pending, true);\n            return "
                             "null;\n        end if;\n");
    add_key_of(out, "old_key", "old", table);
    add_new_key(out, table, true);
    for (size_t i = 0; i < table->audience_count; i++)
        (table->audiences[i].kind == CHARLE_AUDIENCE_PATH ? add_path_of : add_update_of)(out, table,
                                                                                         &table->audiences[i]);
    charle_buf_add_text(out, "    elsif tg_op = 'INSERT' then\n");
    add_new_key(out, table, false);
    for (size_t i = 0; i < table->audience_count; i++) {
        if (table->audiences[i].kind == CHARLE_AUDIENCE_PATH)
            add_path_of(out, table, &table->audiences[i]);
        else
            add_single_of(out, table, &table->audiences[i], 'u');
    }
    charle_buf_add_text(out, "    else\n");
    add_key_of(out, "old_key", "old", table);
    for (size_t i = 0; i < table->audience_count; i++) {
        if (table->audiences[i].kind != CHARLE_AUDIENCE_PATH)
            add_single_of(out, table, &table->audiences[i], 'd');
    }
    charle_buf_add_text(
        out,
        "    end if;\n    if octet_length(pending) > 4000 then\n        pending := charle.spill(pending);\n    else\n"
        "        pending := set_config('charle.pending', pending, true);\n    end if;\n    return null;\nend "
        "$charle$;\n");
}

// --- t12_leave ------------------------------------------------------------------------------------------------------

static void write_leave(struct charle_buf *out, const struct ch_model_table *table)
{
    struct charle_column_set deciding = {0};
    for (size_t i = 0; i < table->key_count; i++)
        deciding.bits[table->key_columns[i]->index / 64] |= (uint64_t)1 << (table->key_columns[i]->index % 64);
    for (size_t i = 0; i < table->audience_count; i++) {
        const struct ch_model_audience *audience = &table->audiences[i];
        if (audience->kind != CHARLE_AUDIENCE_PATH)
            continue;
        uint16_t from = audience->steps[0].from_column->index;
        deciding.bits[from / 64] |= (uint64_t)1 << (from % 64);
        deciding.bits[0] |= audience->where_columns.bits[0];
        deciding.bits[1] |= audience->where_columns.bits[1];
    }
    add_function_head(out, table, "leave", PENDING_VARIABLES "    old_key text;\n    is_in text;\n    r record;\n");
    charle_buf_add_text(out, "    if tg_op = 'UPDATE' and not (");
    add_differs(out, table, &deciding);
    charle_buf_add_text(out, ") then\n        return new;\n    end if;\n");
    add_pending(out);
    charle_buf_add_text(out, "    r := old;\n");
    add_key_of(out, "old_key", "old", table);
    for (size_t i = 0; i < table->audience_count; i++) {
        if (table->audiences[i].kind == CHARLE_AUDIENCE_PATH)
            add_path_entries(out, 4, table, &table->audiences[i], 'd', "old_key");
    }
    charle_buf_add_text(
        out, "    pending := set_config('charle.pending', pending, true);\n"
             "    if tg_op = 'DELETE' then\n        return old;\n    end if;\n    return new;\nend $charle$;\n");
}

// --- links ----------------------------------------------------------------------------------------------------------

// The columns of a link that decide where paths lead: to the step before, to the step behind, and the key at the end.
static struct charle_column_set link_columns(const struct ch_model_audience *audience, size_t place)
{
    struct charle_column_set set = {0};
    const struct ch_model_column *columns[] = {
        audience->steps[place - 1].to_column,
        place < audience->step_count ? audience->steps[place].from_column : audience->key,
    };
    for (size_t i = 0; i < 2; i++)
        set.bits[columns[i]->index / 64] |= (uint64_t)1 << (columns[i]->index % 64);
    return set;
}

// The locks of one who changes a link: itself, the row it leads up to, and everything back to the audience's table. One
// statement a place, so that each sees what was committed while the one before it waited.
static void add_link_locks(struct charle_buf *out, const struct ch_model_table *table,
                           const struct ch_model_audience *audience, size_t place)
{
    char name[16];
    charle_buf_printf(out, "    perform charle.lock_rows(%u, array[", table_at(table, audience, place)->id);
    add_key(out, "l", table_at(table, audience, place));
    charle_buf_add_text(out, "], true);\n");
    for (size_t step = 0; step <= place; step++) {
        size_t other = step == 0 ? place + 1 : place - step; // the next one, then back one by one
        if (other > audience->step_count || (step == 0 && audience->steps[place].direction != CH_MODEL_UP))
            continue;
        const struct ch_model_table *to = table_at(table, audience, other);
        name_at(name, other, place);
        charle_buf_printf(out, "    perform charle.lock_rows(%u, array(select distinct ", to->id);
        add_key(out, name, to);
        charle_buf_add_byte(out, ' ');
        add_chain(out, table, audience, other < place ? other : place, other < place ? place : other, place, SIZE_MAX);
        charle_buf_add_text(out, "), true);\n");
    }
}

static void write_link(struct charle_buf *out, const struct ch_model_table *table, size_t index, size_t place)
{
    const struct ch_model_audience *audience = &table->audiences[index];
    char suffix[32], last[16];
    snprintf(suffix, sizeof(suffix), "a%zu_s%zu", index, place);
    name_at(last, audience->step_count, place);
    add_function_head(out, table, suffix,
                      "    pending text := charle.pending();\n    before text := pending;\n    is_in text;\n    key "
                      "text;\n    l record;\n");
    charle_buf_add_text(
        out, "    if tg_when = 'BEFORE' then\n        l := old;\n    else\n        l := new;\n    end if;\n");
    add_link_locks(out, table, audience, place);
    charle_buf_add_text(out, "    for is_in, key in select distinct ");
    add_scope(out, last, audience);
    charle_buf_add_text(out, ", ");
    add_key(out, "r", table);
    charle_buf_add_byte(out, ' ');
    add_chain(out, table, audience, 0, audience->step_count, place, SIZE_MAX);
    charle_buf_add_text(out, " and ");
    add_column(out, last, audience->key);
    charle_buf_add_text(out, " is not null\n    loop\n");
    if (is_text(audience->key))
        add_separator_check(out, 8, "is_in", "a scope");
    add_entry(out, 8, "is_in", table, 'u', "key");
    charle_buf_add_text(
        out,
        "        if octet_length(pending) > 4000 then\n            pending := charle.spill(pending);\n        end "
        "if;\n    end loop;\n"
        "    if pending <> before then\n        pending := charle.spill(pending);\n    end if;\n"
        "    if tg_when = 'AFTER' then\n        return null;\n    elsif tg_op = 'DELETE' then\n        return old;\n"
        "    end if;\n    return new;\nend $charle$;\n");
}

// --- TRUNCATE -------------------------------------------------------------------------------------------------------

// Entries for every row of the table in every scope of an audience.
static void add_all_rows(struct charle_buf *out, const struct ch_model_table *table,
                         const struct ch_model_audience *audience)
{
    char last[16];
    name_at(last, audience->step_count, SIZE_MAX);
    charle_buf_add_text(out, "    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, ");
    add_scope(out, last, audience);
    charle_buf_printf(out, ", %u, 'd'::\"char\", ", table->id);
    add_key(out, "r", table);
    charle_buf_add_byte(out, ' ');
    add_chain(out, table, audience, 0, audience->step_count, SIZE_MAX, SIZE_MAX);
    if (audience->key) {
        charle_buf_add_text(out, " and ");
        add_column(out, last, audience->key);
        charle_buf_add_text(out, " is not null");
    }
    charle_buf_add_text(out, ";\n");
}

// `only`: the audience whose path goes through the truncated table; SIZE_MAX: the table itself is truncated.
static void write_truncate(struct charle_buf *out, const struct ch_model_table *table, const char *suffix, size_t only)
{
    add_function_head(out, table, suffix, "    pending text;\n    txn_ int8;\n");
    charle_buf_add_text(
        out, "    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;\n");
    for (size_t i = 0; i < table->audience_count; i++) {
        if (only == SIZE_MAX || only == i)
            add_all_rows(out, table, &table->audiences[i]);
    }
    charle_buf_add_text(out, "    pending := charle.spill(pending);\n    return null;\nend $charle$;\n");
}

// --- triggers -------------------------------------------------------------------------------------------------------

// `timing` is "after insert or update or delete" and the like, `behind` what follows the table's name.
static void write_trigger(struct charle_buf *out, const char *kind, const char *name, const char *timing,
                          const struct ch_model_table *on, const char *behind)
{
    charle_buf_add_text(out, "drop trigger if exists ");
    charle_buf_printf(out, "%s on public.", name);
    ch_gen_quote(out, on->name);
    charle_buf_printf(out, ";\ncreate %s %s %s on public.", kind, name, timing);
    ch_gen_quote(out, on->name);
    charle_buf_printf(out, " %s;\nalter table public.", behind);
    ch_gen_quote(out, on->name);
    charle_buf_printf(out, " enable always trigger %s;\n", name);
}

static void write_link_triggers(struct charle_buf *out, const struct ch_model_table *table, size_t index, size_t place)
{
    const struct ch_model_audience *audience = &table->audiences[index];
    const struct ch_model_table *on = audience->steps[place - 1].to;
    struct charle_column_set columns = link_columns(audience, place);
    struct charle_buf behind = {0}, changed = {0};
    char name[80], suffix[32];
    snprintf(suffix, sizeof(suffix), "a%zu_s%zu", index, place);
    write_link(out, table, index, place);
    charle_buf_printf(&behind, "for each row execute function charle.t%u_%s()", table->id, suffix);
    charle_buf_add_text(&changed, "for each row when (");
    add_differs(&changed, on, &columns);
    charle_buf_printf(&changed, ") execute function charle.t%u_%s()", table->id, suffix);
    const char *always = charle_buf_text(&behind), *when_moved = charle_buf_text(&changed);
    if (always && when_moved) {
        snprintf(name, sizeof(name), "zz_charle_t%u_%s_gone", table->id, suffix);
        write_trigger(out, "trigger", name, "before delete", on, always);
        snprintf(name, sizeof(name), "zz_charle_t%u_%s_from", table->id, suffix);
        write_trigger(out, "trigger", name, "before update", on, when_moved);
        snprintf(name, sizeof(name), "charle_t%u_%s_to", table->id, suffix);
        write_trigger(out, "trigger", name, "after update", on, when_moved);
        // A new row that others refer to upwards has nobody yet who refers to it.
        snprintf(name, sizeof(name), "charle_t%u_%s_new", table->id, suffix);
        if (audience->steps[place - 1].direction == CH_MODEL_DOWN)
            write_trigger(out, "trigger", name, "after insert", on, always);
    }
    snprintf(suffix, sizeof(suffix), "a%zu_s%zu_truncate", index, place);
    write_truncate(out, table, suffix, index);
    snprintf(name, sizeof(name), "charle_t%u_%s", table->id, suffix);
    charle_buf_reset(&behind);
    charle_buf_printf(&behind, "for each statement execute function charle.t%u_%s()", table->id, suffix);
    if ((always = charle_buf_text(&behind)))
        write_trigger(out, "trigger", name, "before truncate", on, always);
    charle_buf_printf(
        out,
        "insert into charle.gate (tab, bucket) select %u, b from generate_series(0, 255) b on conflict do nothing;\n",
        on->id);
    charle_buf_deinit(&behind);
    charle_buf_deinit(&changed);
}

static void write_own_triggers(struct charle_buf *out, const struct ch_model_table *table)
{
    char behind[80];
    write_log(out, table);
    snprintf(behind, sizeof(behind), "for each row execute function charle.t%u_log()", table->id);
    write_trigger(out, "trigger", "charle_log", "after insert or update or delete", table, behind);
    write_trigger(out, "constraint trigger", "charle_raise", "after insert or update or delete", table,
                  "deferrable initially deferred for each row execute function charle.raise()");
    write_truncate(out, table, "truncate", SIZE_MAX);
    snprintf(behind, sizeof(behind), "for each statement execute function charle.t%u_truncate()", table->id);
    write_trigger(out, "trigger", "charle_truncate", "before truncate", table, behind);
}

void ch_gen_stamp_sql(const struct ch_model_table *table, struct charle_buf *out)
{
    if (!table->is_replicated)
        return;
    charle_buf_printf(out, "select charle.unstamp(%u);\n", table->id);
    write_own_triggers(out, table);
    if (!has_path(table))
        return;
    char behind[80];
    write_leave(out, table);
    snprintf(behind, sizeof(behind), "for each row execute function charle.t%u_leave()", table->id);
    write_trigger(out, "trigger", "zz_charle_leave", "before update or delete", table, behind);
    charle_buf_printf(
        out,
        "insert into charle.gate (tab, bucket) select %u, b from generate_series(0, 255) b on conflict do nothing;\n",
        table->id);
    for (size_t i = 0; i < table->audience_count; i++) {
        const struct ch_model_audience *audience = &table->audiences[i];
        for (size_t place = 1; audience->kind == CHARLE_AUDIENCE_PATH && place <= audience->step_count; place++)
            write_link_triggers(out, table, i, place);
    }
}
