// The stamping triggers of a replicated table: who is told of a change (docs/decisions/0005-stamp-triggers.md).
//
// For a table with id 12 the text makes
//
//   t12_log        after each row: one entry for each scope that the old or the new row is in, appended to
//   charle.pending
//
//   charle_raise   at commit: charle.raise() of the platform
//
//   t12_truncate   before TRUNCATE: an entry for every row in every scope
//
// and stamp_path.c adds what audiences need that are found through other tables.
//
// Entries may name more than has changed, never less: readers look at the rows as they are. PL/pgSQL sets up every
// expression that it comes to anew in every transaction, at a cost that grows with its size. So the usual update, of a
// row that stays in its scopes, is one test and one assignment, and what is rare is kept out of both.
#include "stamp_parts.h"

#include <stdio.h>

static bool shows_all(const struct ch_model_table *table, const struct ch_model_audience *audience)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (!charle_column_set_has(&audience->columns, i))
            return false;
    }
    return true;
}

// One entry, U+001E scope U+001F table op U+001F key, as an expression: NULL when the scope's key is. Names that were
// not seen before are looked at.
static void add_entry(struct charle_buf *out, const char *row, const struct ch_model_table *table,
                      const struct ch_model_audience *audience, char op, bool is_seen)
{
    bool check_scope = !is_seen && audience->key && ch_stamp_is_text(audience->key);
    bool check_key = !is_seen && table->key_count == 1 && ch_stamp_is_text(table->key_columns[0]);
    charle_buf_printf(out, "e'\\x1e%s", audience->name);
    if (audience->key) {
        charle_buf_printf(out, ":'" CH_STAMP_CAT "%s", check_scope ? "charle.clean(" : "");
        ch_stamp_add_column(out, row, audience->key);
        charle_buf_printf(out, "%s%s" CH_STAMP_CAT "e'", ch_stamp_is_text(audience->key) ? "" : "::pg_catalog.text",
                          check_scope ? ")" : "");
    }
    charle_buf_printf(out, "\\x1f%u%c\\x1f'" CH_STAMP_CAT "%s", table->id, op, check_key ? "charle.clean(" : "");
    ch_stamp_add_key(out, row, table);
    charle_buf_add_text(out, check_key ? ")" : "");
}

// "coalesce(case when <condition> then <entry> end, '')": nothing when the row is in no scope of the audience.
static void add_optional_entry(struct charle_buf *out, const char *row, const struct ch_model_table *table,
                               const struct ch_model_audience *audience, char op)
{
    charle_buf_add_text(out, "coalesce(");
    if (audience->where_pg) {
        charle_buf_add_text(out, "case when ");
        ch_stamp_add_where(out, row, audience);
        charle_buf_add_text(out, " then ");
    }
    add_entry(out, row, table, audience, op, op == 'd');
    charle_buf_add_text(out, audience->where_pg ? " end, '')" : ", '')");
}

static bool is_path(const struct ch_model_audience *audience)
{
    return audience->kind == CHARLE_AUDIENCE_PATH;
}

// The first write of a transaction, which finds the bare mark, leaves a lock: by it charle.unmarked() sees that entries
// were thrown away.
static void begin_assignment(struct charle_buf *out)
{
    charle_buf_add_text(
        out, "        pending := pg_catalog.current_setting('charle.pending', true);\n"
             "        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' "
             "and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending "
             "when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end");
}

static void end_assignment(struct charle_buf *out)
{
    charle_buf_add_text(out, ", true);\n");
}

// "it is in the scope now if and only if it was before", for one audience.
static void add_stays_in(struct charle_buf *out, const struct ch_model_audience *audience)
{
    if (audience->key && !audience->key->is_key) {
        charle_buf_add_text(out, " and ");
        ch_stamp_add_column(out, "new", audience->key);
        charle_buf_add_text(out, CH_STAMP_EQ); // NULL when one of them is: then the row is looked at as one that moved
        ch_stamp_add_column(out, "old", audience->key);
    }
    if (audience->where_pg) {
        charle_buf_add_text(out, " and coalesce(");
        ch_stamp_add_where(out, "new", audience);
        charle_buf_add_text(out, ", false)" CH_STAMP_EQ "coalesce(");
        ch_stamp_add_where(out, "old", audience);
        charle_buf_add_text(out, ", false)");
    }
}

static void add_same_key(struct charle_buf *out, const struct ch_model_table *table)
{
    for (size_t i = 0; i < table->key_count; i++) {
        charle_buf_add_text(out, i ? " and " : "");
        ch_stamp_add_column(out, "new", table->key_columns[i]);
        charle_buf_add_text(out, CH_STAMP_EQ);
        ch_stamp_add_column(out, "old", table->key_columns[i]);
    }
}

// Of an update of a row that stays: an entry when the audience sees the row and one of the changed columns.
static void add_stayed(struct charle_buf *out, const struct ch_model_table *table,
                       const struct ch_model_audience *audience)
{
    bool sees_all = shows_all(table, audience);
    if (sees_all && !audience->where_pg) {
        add_entry(out, "new", table, audience, 'u', true);
        return;
    }
    charle_buf_add_text(out, "case when ");
    ch_stamp_add_where(out, "new", audience);
    if (!sees_all) {
        charle_buf_add_text(out, " and ");
        ch_stamp_add_differs(out, table, &audience->columns);
    }
    charle_buf_add_text(out, " then ");
    add_entry(out, "new", table, audience, 'u', true);
    charle_buf_add_text(out, " else '' end");
}

// The expression of one kind of change: a row that stays everywhere, that moves somewhere, that is new, that goes.
enum change { STAYED, MOVED, NEW, GONE };

static void add_change(struct charle_buf *out, const struct ch_model_table *table,
                       const struct ch_model_audience *audience, enum change change)
{
    charle_buf_add_text(out, "\n           " CH_STAMP_CAT);
    switch (change) {
    case STAYED:
        add_stayed(out, table, audience);
        break;
    case MOVED:
        charle_buf_add_text(out, "case when ");
        add_same_key(out, table);
        add_stays_in(out, audience);
        charle_buf_add_text(out, " then ");
        add_stayed(out, table, audience);
        charle_buf_add_text(out, "\n            else ");
        add_optional_entry(out, "old", table, audience, 'd');
        charle_buf_add_text(out, CH_STAMP_CAT);
        add_optional_entry(out, "new", table, audience, 'u');
        charle_buf_add_text(out, " end");
        break;
    case NEW:
        add_optional_entry(out, "new", table, audience, 'u');
        break;
    case GONE:
        add_optional_entry(out, "old", table, audience, 'd');
        break;
    }
}

static void add_changes(struct charle_buf *out, const struct ch_model_table *table, enum change change)
{
    begin_assignment(out);
    for (size_t i = 0; i < table->audience_count; i++) {
        if (!is_path(&table->audiences[i]))
            add_change(out, table, &table->audiences[i], change);
    }
    end_assignment(out);
}

// Paths are looked up for the row as it is now; what they lose, t12_leave has written before.
static void add_path_branch(struct charle_buf *out, const struct ch_model_table *table)
{
    charle_buf_add_text(out, "    if tg_op <> 'DELETE' then\n");
    ch_stamp_add_path_entries(out, "new", table, 'u');
    charle_buf_add_text(out, "    pending := set_config('charle.pending', pending, true);\n    end if;\n");
}

static void add_branches(struct charle_buf *out, const struct ch_model_table *table)
{
    charle_buf_add_text(out, "    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then\n");
    begin_assignment(out); // the mark alone: it tells the raise that somebody looked
    end_assignment(out);
    charle_buf_add_text(out, "        return null;\n    elsif tg_op operator(pg_catalog.=) 'UPDATE' and ");
    add_same_key(out, table);
    for (size_t i = 0; i < table->audience_count; i++) {
        if (!is_path(&table->audiences[i]))
            add_stays_in(out, &table->audiences[i]);
    }
    charle_buf_add_text(out, " then\n");
    add_changes(out, table, STAYED);
    charle_buf_add_text(out, "    elsif tg_op operator(pg_catalog.=) 'UPDATE' then\n");
    add_changes(out, table, MOVED);
    charle_buf_add_text(out, "    elsif tg_op operator(pg_catalog.=) 'INSERT' then\n");
    add_changes(out, table, NEW);
    charle_buf_add_text(out, "    else\n");
    add_changes(out, table, GONE);
    charle_buf_add_text(out, "    end if;\n");
}

// What the schema's author wrote, and joins, need a search path.
static bool needs_path(const struct ch_model_table *table)
{
    for (size_t i = 0; i < table->audience_count; i++) {
        if (table->audiences[i].where_pg)
            return true;
    }
    return ch_stamp_has_path(table);
}

static void add_log(struct charle_buf *out, const struct ch_model_table *table)
{
    ch_stamp_begin_function(out, table, "log", needs_path(table),
                            "    pending pg_catalog.text;\n    is_in pg_catalog.text;\n");
    add_branches(out, table);
    if (ch_stamp_has_path(table))
        add_path_branch(out, table);
    charle_buf_add_text(out, "    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then\n"
                             "        pending := charle.spill(pending);\n    end if;\n    return null;\n");
    ch_stamp_end_function(out);
}

void ch_gen_stamp_sql(const struct ch_model_table *table, struct charle_buf *out)
{
    char behind[CH_STAMP_NAME_SIZE * 2];
    if (!table->is_replicated)
        return;
    charle_buf_printf(out, "select charle.unstamp(%u);\n", table->id);
    add_log(out, table);
    snprintf(behind, sizeof(behind), "for each row execute function charle.t%u_log()", table->id);
    ch_stamp_add_trigger(out, "trigger", "charle_log", "after insert or update or delete", table, behind);
    ch_stamp_add_trigger(out, "constraint trigger", "charle_raise", "after insert or update or delete", table,
                         "deferrable initially deferred for each row execute function charle.raise()");
    ch_stamp_add_truncate(out, table, "truncate", SIZE_MAX);
    snprintf(behind, sizeof(behind), "for each statement execute function charle.t%u_truncate()", table->id);
    ch_stamp_add_trigger(out, "trigger", "charle_truncate", "before truncate", table, behind);
    if (ch_stamp_has_path(table))
        ch_stamp_add_paths(out, table);
}
