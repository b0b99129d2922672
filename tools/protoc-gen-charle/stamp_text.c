// The pieces of SQL that stamping triggers are made of.
#include "stamp_parts.h"

#include <ctype.h>
#include <string.h>

void ch_stamp_add_column(struct charle_buf *out, const char *row, const struct ch_model_column *column)
{
    charle_buf_printf(out, "%s.", row);
    ch_gen_quote(out, column->name);
}

bool ch_stamp_is_text(const struct ch_model_column *column)
{
    return !column->is_array && (column->type == CHARLE_TYPE_TEXT || column->type == CHARLE_TYPE_ENUM);
}

// A value inside a JSON key, whatever DateStyle and TimeZone are.
static void add_json_value(struct charle_buf *out, const char *row, const struct ch_model_column *column)
{
    const char *before = "", *behind = "";
    if (column->type == CHARLE_TYPE_TIMESTAMPTZ) {
        before = "pg_catalog.to_char(pg_catalog.timezone('UTC', ";
        behind = "), 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";
    } else if (column->type == CHARLE_TYPE_NUMERIC) {
        before = "pg_catalog.trim_scale(";
        behind = ")::pg_catalog.text";
    } else if (column->type == CHARLE_TYPE_BYTES) {
        before = "pg_catalog.translate(pg_catalog.encode(";
        behind = ", 'base64'), e'\\n', '')";
    }
    charle_buf_add_text(out, before);
    ch_stamp_add_column(out, row, column);
    charle_buf_add_text(out, behind);
}

void ch_stamp_add_key(struct charle_buf *out, const char *row, const struct ch_model_table *table)
{
    if (table->key_count == 1 && ch_stamp_is_text(table->key_columns[0])) {
        ch_stamp_add_column(out, row, table->key_columns[0]);
        return;
    }
    charle_buf_add_text(out, "pg_catalog.jsonb_build_array(");
    for (size_t i = 0; i < table->key_count; i++) {
        charle_buf_add_text(out, i ? ", " : "");
        add_json_value(out, row, table->key_columns[i]);
    }
    charle_buf_add_text(out, ")::pg_catalog.text");
}

void ch_stamp_add_scope(struct charle_buf *out, const char *row, const struct ch_model_audience *audience)
{
    charle_buf_printf(out, "'%s%s'", audience->name, audience->key ? ":" : "");
    if (audience->key) {
        charle_buf_add_text(out, CH_STAMP_CAT);
        ch_stamp_add_column(out, row, audience->key);
        charle_buf_add_text(out, ch_stamp_is_text(audience->key) ? "" : "::pg_catalog.text");
    }
}

static bool is_name_part(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '"' || c == '$' || (unsigned char)c >= 0x80;
}

// The model qualifies the condition's columns with the alias r; another row takes its place here. Literals are left
// alone, and the condition has no subqueries that could use r for something else.
void ch_stamp_add_where(struct charle_buf *out, const char *row, const struct ch_model_audience *audience)
{
    if (!audience->where_pg) {
        charle_buf_add_text(out, "true");
        return;
    }
    bool in_literal = false;
    charle_buf_add_byte(out, '(');
    for (const char *at = audience->where_pg; *at; at++) {
        bool starts_name = at == audience->where_pg || (!is_name_part(at[-1]) && at[-1] != '.');
        if (*at == '\'')
            in_literal = !in_literal;
        if (!in_literal && starts_name && at[0] == 'r' && at[1] == '.')
            charle_buf_add_text(out, row);
        else
            charle_buf_add_byte(out, (uint8_t)*at);
    }
    charle_buf_add_byte(out, ')');
}

// The casts keep PostgreSQL from comparing column by column, which would look for operators of each type.
void ch_stamp_add_differs(struct charle_buf *out, const struct ch_model_table *table,
                          const struct charle_column_set *columns)
{
    static const char *const rows[] = {"old", "new"};
    for (int side = 0; side < 2; side++) {
        size_t used = 0;
        charle_buf_add_text(out, side ? " operator(pg_catalog.*<>) row(" : "row(");
        for (size_t i = 0; i < table->column_count; i++) {
            if (!charle_column_set_has(columns, i))
                continue;
            charle_buf_add_text(out, used++ ? ", " : "");
            ch_stamp_add_column(out, rows[side], &table->columns[i]);
        }
        charle_buf_add_text(out, ")::pg_catalog.record");
    }
}

void ch_stamp_begin_function(struct charle_buf *out, const struct ch_model_table *table, const char *suffix,
                             bool sets_path, const char *variables)
{
    charle_buf_printf(
        out,
        "create function charle.t%u_%s() returns trigger language plpgsql security definer%s as $charle$\n"
        "#variable_conflict use_column\ndeclare\n%sbegin\n",
        table->id, suffix, sets_path ? " set search_path = pg_catalog, pg_temp" : "", variables);
}

void ch_stamp_end_function(struct charle_buf *out)
{
    charle_buf_add_text(out, "end $charle$;\n");
}

void ch_stamp_add_trigger(struct charle_buf *out, const char *kind, const char *name, const char *timing,
                          const struct ch_model_table *on, const char *behind)
{
    charle_buf_printf(out, "drop trigger if exists %s on public.", name);
    ch_gen_quote(out, on->name);
    charle_buf_printf(out, ";\ncreate %s %s %s on public.", kind, name, timing);
    ch_gen_quote(out, on->name);
    charle_buf_printf(out, " %s;\nalter table public.", behind);
    ch_gen_quote(out, on->name);
    charle_buf_printf(out, " enable always trigger %s;\n", name);
}
