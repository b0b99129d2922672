// The schema, written a second time by hand: who sees which columns of what.
#include "sim/oracle.h"

#include <stdio.h>

const struct table_spec oracle_tables[ORACLE_TABLES] = {
    {1,
     "person",
     "r.id",
     "'team', 'leads', 'person:' || r.id",
     {{"id", 't'}, {"name", 't'}, {"is_active", 'b'}, {"is_lead", 'b'}},
     {{"team", " id name "}, {"leads", NULL}, {"person", NULL}}},
    {2,
     "area",
     "r.id",
     "'team', 'area:' || r.id",
     {{"id", 't'}, {"name", 't'}, {"keeper_id", 't'}},
     {{"team", " id name "}, {"area", NULL}}},
    {3,
     "job",
     "r.id",
     "case when r.state <> 'draft' then 'team' end, 'area:' || r.area_id, 'person:' || r.owner_id, "
     "(select string_agg('work:' || a.person_id, ' ' order by a.person_id) from assignee a where a.job_id = r.id)",
     {{"id", 't'},
      {"number", 'i'},
      {"title", 't'},
      {"area_id", 't'},
      {"owner_id", 't'},
      {"state", 't'},
      {"starts", 'i'},
      {"ends", 'i'},
      {"price", 'i'},
      {"hits", 'i'},
      {"labels", 'a'},
      {"first_by", 't'},
      {"note", 't'},
      {"code", 't'},
      {"updated_at", 'm'}},
     {{"team", " id title state "},
      {"area", " id number title area_id owner_id state starts ends hits labels first_by note code updated_at "},
      {"person", NULL},
      {"work", " id number title area_id owner_id state starts ends hits labels first_by code updated_at "}}},
    {4,
     "assignee",
     "r.job_id || '/' || r.person_id",
     "(select 'area:' || j.area_id from job j where j.id = r.job_id), 'work:' || r.person_id",
     {{"job_id", 't'}, {"person_id", 't'}},
     {{"area", NULL}, {"work", NULL}}},
    {5,
     "remark",
     "r.id",
     "(select 'area:' || j.area_id from job j where j.id = r.job_id), 'person:' || r.author_id, "
     "(select string_agg('work:' || a.person_id, ' ' order by a.person_id) from assignee a where a.job_id = r.job_id)",
     {{"id", 't'}, {"job_id", 't'}, {"author_id", 't'}, {"text", 't'}},
     {{"area", NULL}, {"person", NULL}, {"work", " id job_id text "}}},
    {6,
     "account",
     "r.id",
     "'leads', 'person:' || r.owner_id",
     {{"id", 't'}, {"owner_id", 't'}, {"balance", 'i'}},
     {{"leads", NULL}, {"person", NULL}}},
    {7,
     "transfer",
     "r.id",
     "'leads'",
     {{"id", 't'}, {"from_id", 't'}, {"to_id", 't'}, {"amount", 'i'}, {"at", 'm'}},
     {{"leads", NULL}}},
    {8, "tally", "r.id", "'team'", {{"id", 't'}, {"n", 'i'}}, {{"team", NULL}}},
};
const struct table_spec *oracle_table(uint32_t id)
{
    return &oracle_tables[id - 1];
}

static bool has_word(const char *list, const char *word)
{
    char padded[64];
    snprintf(padded, sizeof(padded), " %s ", word);
    return strstr(list, padded) != NULL;
}

// Columns that a scope shows of a table, as bits; 0: none.
uint32_t oracle_shown_by(const struct table_spec *table, const char *scope)
{
    size_t len = strcspn(scope, ":");
    uint32_t bits = 0;
    for (int i = 0; i < 5 && table->views[i].audience; i++) {
        const struct view_spec *view = &table->views[i];
        if (strlen(view->audience) != len || strncmp(view->audience, scope, len) != 0)
            continue;
        for (int c = 0; table->columns[c].name; c++)
            bits |= !view->columns || has_word(view->columns, table->columns[c].name) ? 1u << c : 0;
    }
    return bits;
}

static void add_column(struct charle_buf *sql, const struct column_spec *column, bool is_pg)
{
    charle_buf_add_text(sql, " || chr(31) || coalesce(");
    if (!is_pg)
        charle_buf_printf(sql, "cast(r.\"%s\" as text)", column->name);
    else if (column->kind == 'b')
        charle_buf_printf(sql, "r.\"%s\"::int::text", column->name);
    else if (column->kind == 'm')
        charle_buf_printf(sql, "(extract(epoch from r.\"%s\") * 1000000)::int8::text", column->name);
    else if (column->kind == 'a')
        charle_buf_printf(sql, "to_json(r.\"%s\")::text", column->name);
    else
        charle_buf_printf(sql, "r.\"%s\"::text", column->name);
    charle_buf_printf(sql, ", '%s')", ORACLE_NO_VALUE);
}

void oracle_add_columns(struct charle_buf *sql, const struct table_spec *table, bool is_pg)
{
    charle_buf_add_text(sql, "''");
    for (int c = 0; table->columns[c].name; c++)
        add_column(sql, &table->columns[c], is_pg);
}
void oracle_project(const struct row *row, uint32_t bits, struct charle_buf *out)
{
    const char *at = row->columns;
    charle_buf_reset(out);
    for (int c = 0; *at == '\x1f'; c++) {
        size_t len = strcspn(at + 1, "\x1f");
        charle_buf_add_byte(out, 0x1f);
        if (bits >> c & 1)
            charle_buf_add(out, at + 1, len);
        else
            charle_buf_add_text(out, ORACLE_NO_VALUE);
        at += 1 + len;
    }
}

// Goes through the scopes of a row; they are between blanks.
const char *oracle_next_scope(const char *at, char out[SCOPE_SIZE])
{
    at += strspn(at, " ");
    size_t len = strcspn(at, " ");
    snprintf(out, SCOPE_SIZE, "%.*s", (int)len, at);
    return len ? at + len : NULL;
}
