// The schema, written a second time by hand: who sees which columns of what.
#include "sim/oracle.h"

#include <stdio.h>

#define COLUMN(a_name, a_kind) .name = a_name, .kind = a_kind
#define VIEW(a_audience, a_columns) .audience = a_audience, .columns = a_columns

const struct table_spec oracle_tables[ORACLE_TABLES] = {
    {1,
     "person",
     "r.id",
     "'team', 'leads', 'person:' || r.id",
     {{COLUMN("id", 't')}, {COLUMN("name", 't')}, {COLUMN("is_active", 'b')}, {COLUMN("is_lead", 'b')}, {COLUMN(ORACLE_ABSENT, 't'), .later = "nick"}, {COLUMN(ORACLE_ABSENT, 'i'), .later = "level", .zero = {NULL, "0"}}},
     {{VIEW("team", " id name nick ")}, {VIEW("leads", NULL)}, {VIEW("person", NULL)}},
     VERSION_FIRST,
     VERSION_LATER},
    {2,
     "area",
     "r.id",
     "'team', 'area:' || r.id",
     {{COLUMN("id", 't')}, {COLUMN("name", 't'), .later = "title"}, {COLUMN("keeper_id", 't')}},
     {{VIEW("team", " id name ")}, {VIEW("area", NULL)}},
     VERSION_FIRST,
     VERSION_LATER},
    {3,
     "job",
     "r.id",
     "case when r.state <> 'draft' then 'team' end, 'area:' || r.area_id, 'person:' || r.owner_id, "
     "(select string_agg('work:' || a.person_id, ' ' order by a.person_id) from assignee a where a.job_id = r.id)",
     {{COLUMN("id", 't')},
      {COLUMN("number", 'i')},
      {COLUMN("title", 't'), .zero = {"", NULL}},
      {COLUMN("area_id", 't')},
      {COLUMN("owner_id", 't')},
      {COLUMN("state", 'e')},
      {COLUMN("starts", 'i')},
      {COLUMN("ends", 'i')},
      {COLUMN("price", 'i')},
      {COLUMN("hits", 'i')},
      {COLUMN("labels", 'a')},
      {COLUMN("first_by", 't')},
      {COLUMN("note", 't')},
      {COLUMN("code", 't'), .later = ORACLE_ABSENT},
      {COLUMN("updated_at", 'm')},
      {COLUMN(ORACLE_ABSENT, 'i'), .later = "rank", .zero = {NULL, "0"}}},
     {{VIEW("team", " id title state ")},
      {VIEW("area", " id number title area_id owner_id state starts ends hits labels first_by note code updated_at rank ")},
      {VIEW("person", NULL)},
      {VIEW("work", " id number title area_id owner_id state starts ends hits labels first_by code updated_at rank ")}},
     VERSION_FIRST,
     VERSION_LATER},
    {4,
     "assignee",
     "r.job_id || '/' || r.person_id",
     "(select 'area:' || j.area_id from job j where j.id = r.job_id), 'work:' || r.person_id",
     {{COLUMN("job_id", 't')}, {COLUMN("person_id", 't')}},
     {{VIEW("area", NULL)}, {VIEW("work", NULL)}},
     VERSION_FIRST,
     VERSION_LATER},
    {5,
     "remark",
     "r.id",
     "(select 'area:' || j.area_id from job j where j.id = r.job_id), 'person:' || r.author_id, "
     "(select string_agg('work:' || a.person_id, ' ' order by a.person_id) from assignee a where a.job_id = r.job_id)",
     {{COLUMN("id", 't')}, {COLUMN("job_id", 't')}, {COLUMN("author_id", 't')}, {COLUMN("text", 't')}},
     {{VIEW("area", NULL)}, {VIEW("person", NULL)}, {VIEW("work", " id job_id text ")}},
     VERSION_FIRST,
     VERSION_LATER},
    {6,
     "account",
     "r.id",
     "'team', 'leads', 'person:' || r.owner_id",
     {{COLUMN("id", 't')}, {COLUMN("owner_id", 't')}, {COLUMN("balance", 'i')}},
     {{VIEW("team", " id owner_id "), .is_later = true}, {VIEW("leads", NULL)}, {VIEW("person", NULL)}},
     VERSION_FIRST,
     VERSION_LATER},
    {7,
     "transfer",
     "r.id",
     "'leads'",
     {{COLUMN("id", 't')}, {COLUMN("from_id", 't')}, {COLUMN("to_id", 't')}, {COLUMN("amount", 'i')}, {COLUMN("at", 'm')}},
     {{VIEW("leads", NULL)}},
     VERSION_FIRST,
     VERSION_FIRST},
    {8, "tally", "r.id", "'team'", {{COLUMN("id", 't')}, {COLUMN("n", 'i')}}, {{VIEW("team", NULL)}}, VERSION_FIRST, VERSION_LATER},
    {9,
     "badge",
     "r.id",
     "'team', 'desk:' || r.person_id, (select 'area:' || j.area_id from job j where j.id = r.job_id)",
     {{COLUMN("id", 't')}, {COLUMN("person_id", 't')}, {COLUMN("text", 't')}, {COLUMN("job_id", 't')}},
     {{VIEW("team", " id person_id ")}, {VIEW("desk", NULL)}, {VIEW("area", NULL)}},
     VERSION_LATER,
     VERSION_LATER},
};
const struct table_spec *oracle_table(uint32_t id)
{
    return &oracle_tables[id - 1];
}

bool oracle_has_table(const struct table_spec *table, int version)
{
    return version >= table->first && version <= table->last;
}

bool oracle_has_scope(const char *scope, int version)
{
    return version == VERSION_LATER || strncmp(scope, "desk:", 5) != 0;
}

static const char *name_of(const struct column_spec *column, int version)
{
    return version == VERSION_LATER && column->later ? column->later : column->name;
}

static bool has_column(const struct column_spec *column, int version)
{
    return strcmp(name_of(column, version), ORACLE_ABSENT) != 0;
}

// The name that views call it by.
static const char *oldest_name(const struct column_spec *column)
{
    return name_of(column, has_column(column, VERSION_FIRST) ? VERSION_FIRST : VERSION_LATER);
}

static bool has_word(const char *list, const char *word)
{
    char padded[64];
    snprintf(padded, sizeof(padded), " %s ", word);
    return strstr(list, padded) != NULL;
}

uint32_t oracle_shown_by(const struct table_spec *table, const char *scope, int version)
{
    size_t len = strcspn(scope, ":");
    uint32_t bits = 0;
    for (int i = 0; i < 5 && table->views[i].audience && oracle_has_table(table, version); i++) {
        const struct view_spec *view = &table->views[i];
        if (strlen(view->audience) != len || strncmp(view->audience, scope, len) != 0 || (view->is_later && version == VERSION_FIRST))
            continue;
        for (int c = 0; table->columns[c].name; c++) {
            bool is_shown = !view->columns || has_word(view->columns, oldest_name(&table->columns[c]));
            bits |= is_shown && has_column(&table->columns[c], version) ? 1u << c : 0;
        }
    }
    return bits;
}

static void add_column(struct charle_buf *sql, const struct column_spec *column, bool is_pg, const char *name)
{
    charle_buf_add_text(sql, " || chr(31) || coalesce(");
    if (!is_pg)
        charle_buf_printf(sql, "cast(r.\"%s\" as text)", name);
    else if (column->kind == 'b')
        charle_buf_printf(sql, "r.\"%s\"::int::text", name);
    else if (column->kind == 'm')
        charle_buf_printf(sql, "(extract(epoch from r.\"%s\") * 1000000)::int8::text", name);
    else if (column->kind == 'a')
        charle_buf_printf(sql, "to_json(r.\"%s\")::text", name);
    else
        charle_buf_printf(sql, "r.\"%s\"::text", name);
    charle_buf_printf(sql, ", '%s')", ORACLE_NO_VALUE);
}

void oracle_add_columns(struct charle_buf *sql, const struct table_spec *table, bool is_pg, int version, uint32_t masked)
{
    charle_buf_add_text(sql, "''");
    for (int c = 0; table->columns[c].name; c++) {
        if (masked >> c & 1)
            charle_buf_add_text(sql, " || chr(31) || '" ORACLE_NOT_YET "'");
        else if (has_column(&table->columns[c], version))
            add_column(sql, &table->columns[c], is_pg, name_of(&table->columns[c], version));
        else
            charle_buf_add_text(sql, " || chr(31) || '" ORACLE_NO_VALUE "'");
    }
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

// --- other versions ------------------------------------------------------------------------------------------------------

uint32_t oracle_seen_by(const struct lens *lens, const struct table_spec *table, const char *scope, uint32_t *out_zeros)
{
    uint32_t there = oracle_shown_by(table, scope, lens->server), here = oracle_shown_by(table, scope, lens->replica);
    *out_zeros = 0;
    for (int c = 0; there && table->columns[c].name; c++)
        *out_zeros |= (here & ~there) >> c & 1 && table->columns[c].zero[lens->replica] ? 1u << c : 0;
    return there & here;
}

// A replica keeps the number of a value that its version does not know.
static const char *known_value(const struct lens *lens, const struct column_spec *column, const char *value, size_t len)
{
    bool is_later = column->kind == 'e' && len == strlen("paused") && strncmp(value, "paused", len) == 0;
    return is_later && lens->replica == VERSION_FIRST ? "#7" : NULL;
}

void oracle_see(const struct lens *lens, const struct row *row, uint32_t bits, uint32_t zeros, struct charle_buf *out)
{
    const struct table_spec *table = oracle_table(row->table);
    const char *at = row->columns;
    charle_buf_reset(out);
    for (int c = 0; *at == '\x1f'; c++) {
        const struct column_spec *column = &table->columns[c];
        size_t len = strcspn(at + 1, "\x1f");
        bool is_shown = bits >> c & 1, is_none = len == 1 && at[1] == ORACLE_NO_VALUE[0];
        const char *known = known_value(lens, column, at + 1, len);
        charle_buf_add_byte(out, 0x1f);
        if (lens->masked && lens->masked[row->table - 1] >> c & 1)
            charle_buf_add_text(out, ORACLE_NOT_YET);
        else if (zeros >> c & 1 || (is_shown && is_none && column->zero[lens->replica]))
            charle_buf_add_text(out, column->zero[lens->replica]);
        else if (is_shown && known)
            charle_buf_add_text(out, known);
        else if (is_shown)
            charle_buf_add(out, at + 1, len);
        else
            charle_buf_add_text(out, ORACLE_NO_VALUE);
        at += 1 + len;
    }
}
