// What a database says about a broken constraint, as a sentence about tables and columns.
//
// Both databases name the constraint, or the columns, in their message: PostgreSQL says `… unique constraint
// "job_number_key"`, SQLite `UNIQUE constraint failed: job.number`. Constraints are named by rule
// (<table>_<column>_fkey, …_check, …_length), so the columns follow from the names.
#include "base/limits.h"
#include "services/crud_parts.h"

#include <stdarg.h>
#include <stdio.h>

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Does the word stand in the text, with no letter before or behind it?
static bool mentions(const char *text, struct charle_str word)
{
    if (!word.len)
        return false;
    for (const char *at = text; (at = memmem(at, strlen(at), word.ptr, word.len)); at++) {
        bool starts = at == text || !is_word(at[-1]), ends = !is_word(at[word.len]);
        if (starts && ends)
            return true;
    }
    return false;
}

CHARLE_PRINTF(2, 3)
static bool mentions_name(const char *text, const char *format, ...)
{
    char name[3 * CH_IDENTIFIER_LEN_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(name, sizeof(name), format, args);
    va_end(args);
    return len > 0 && (size_t)len < sizeof(name) && mentions(text, charle_str_n(name, (size_t)len));
}

static void add_name(char *list, size_t size, struct charle_str name)
{
    size_t used = strlen(list);
    snprintf(list + used, size - used, "%s%.*s", used ? " and " : "", CHARLE_FMT(name));
}

// Are all these columns named as SQLite does it: "job.owner_id, job.title"?
static bool mentions_columns(const struct charle_table *table, const uint16_t *columns, size_t count, const char *text)
{
    bool all = count > 0;
    for (size_t i = 0; all && i < count; i++)
        all = mentions_name(text, "%.*s.%.*s", CHARLE_FMT(table->name), CHARLE_FMT(table->columns[columns[i]].name));
    return all;
}

// The columns of the unique constraint that the text is about; empty when it cannot be told.
static void unique_columns(const struct charle_table *table, const char *text, char *list, size_t size)
{
    const uint16_t *found = NULL;
    size_t count = 0;
    if (mentions_name(text, "%.*s_pkey", CHARLE_FMT(table->name)) ||
        mentions_columns(table, table->key_columns, table->key_count, text)) {
        found = table->key_columns;
        count = table->key_count;
    }
    for (size_t i = 0; i < table->index_count; i++) {
        const struct charle_index *index = &table->indexes[i];
        bool is_meant = index->is_unique && (mentions(text, charle_str(index->name)) ||
                                             mentions_columns(table, index->columns, index->column_count, text));
        if (is_meant && index->column_count > count) {
            found = index->columns;
            count = index->column_count;
        }
    }
    for (size_t i = 0; i < count; i++)
        add_name(list, size, table->columns[found[i]].name);
}

static void explain_unique(const struct ch_crud *crud, const char *text)
{
    char list[100] = "";
    unique_columns(crud->table, text, list, sizeof(list));
    struct charle_str table = crud->table->name;
    if (*list)
        snprintf(crud->err->text, sizeof(crud->err->text), "there is another %.*s with the same %s already",
                 CHARLE_FMT(table), list);
    else
        snprintf(crud->err->text, sizeof(crud->err->text), "a value of this %.*s must be unique and is taken",
                 CHARLE_FMT(table));
}

static void explain_reference(const struct ch_crud *crud, const char *text)
{
    const struct charle_schema *schema = crud->context->schema;
    for (size_t t = 0; schema && t < schema->table_count; t++) {
        const struct charle_table *table = schema->tables[t];
        for (size_t i = 0; i < table->column_count; i++) {
            const struct charle_column *column = &table->columns[i];
            bool is_reference = column->references || column->is_attachment;
            if (!is_reference || !mentions_name(text, "%.*s_%.*s_fkey", CHARLE_FMT(table->name), CHARLE_FMT(column->name)))
                continue;
            bool is_still_used = crud->method->crud == CHARLE_CRUD_DELETE || table != crud->table;
            if (column->is_attachment)
                snprintf(crud->err->text, sizeof(crud->err->text), "%.*s of this %.*s names a file that is not here: upload it first",
                         CHARLE_FMT(column->name), CHARLE_FMT(table->name));
            else if (is_still_used)
                snprintf(crud->err->text, sizeof(crud->err->text), "this %.*s cannot go: %.*s of a %.*s refers to it",
                         CHARLE_FMT(crud->table->name), CHARLE_FMT(column->name), CHARLE_FMT(table->name));
            else
                snprintf(crud->err->text, sizeof(crud->err->text),
                         "%.*s of this %.*s refers to a %.*s that does not exist", CHARLE_FMT(column->name),
                         CHARLE_FMT(table->name), CHARLE_FMT(column->references->name));
            return;
        }
    }
    bool is_delete = crud->method->crud == CHARLE_CRUD_DELETE;
    snprintf(crud->err->text, sizeof(crud->err->text),
             is_delete ? "this %.*s cannot go: another row refers to it"
                       : "this %.*s refers to a row that does not exist",
             CHARLE_FMT(crud->table->name));
}

// What laptops cannot keep is refused by checks that every table has (ddl_pg.c of protoc-gen-charle).
static bool explain_keepable(const struct ch_crud *crud, const char *text)
{
    const struct charle_table *table = crud->table;
    if (mentions_name(text, "row_%d_mib", (int)(CH_ROW_SIZE_MAX >> 20))) {
        snprintf(crud->err->text, sizeof(crud->err->text), "this %.*s is larger than %d MiB, which laptops do not take; attach what is large as a file",
                 CHARLE_FMT(table->name), (int)(CH_ROW_SIZE_MAX >> 20));
        return true;
    }
    if (mentions(text, CHARLE_STR("key_not_empty"))) {
        snprintf(crud->err->text, sizeof(crud->err->text), "the key of a %.*s must not be empty", CHARLE_FMT(table->name));
        return true;
    }
    for (size_t i = 0; i < table->column_count; i++) {
        struct charle_str name = table->columns[i].name;
        int len = name.len < 30 ? (int)name.len : 30;
        bool is_date = mentions_name(text, "%.*s_%u_years_1_to_9999", len, name.ptr, (unsigned)table->columns[i].field->number);
        if (!is_date && !mentions_name(text, "%.*s_%u_%d_digits", len, name.ptr, (unsigned)table->columns[i].field->number, CH_NUMERIC_LEN_MAX))
            continue;
        snprintf(crud->err->text, sizeof(crud->err->text), is_date ? "%.*s of this %.*s is not between 0001-01-01 and 9999-12-31"
                                                                   : "%.*s of this %.*s has more digits than laptops keep",
                 CHARLE_FMT(name), CHARLE_FMT(table->name));
        return true;
    }
    return false;
}

static void explain_check(const struct ch_crud *crud, const char *text)
{
    static const char *const suffixes[] = {"check", "enum", "length", "array", "form"};
    const struct charle_table *table = crud->table;
    for (size_t i = 0; i < table->column_count; i++) {
        for (size_t s = 0; s < sizeof(suffixes) / sizeof(*suffixes); s++) {
            if (!mentions_name(text, "%.*s_%.*s_%s", CHARLE_FMT(table->name), CHARLE_FMT(table->columns[i].name),
                               suffixes[s]))
                continue;
            snprintf(crud->err->text, sizeof(crud->err->text), "%.*s of this %.*s has a value that is not allowed (%s)",
                     CHARLE_FMT(table->columns[i].name), CHARLE_FMT(table->name), suffixes[s]);
            return;
        }
    }
    if (explain_keepable(crud, text))
        return;
    // A check about several columns has a name of its own; it is the last word of both databases' messages.
    char name[CH_IDENTIFIER_LEN_MAX + 1] = "";
    struct charle_str prefix = table->name;
    for (const char *at = text; (at = memmem(at, strlen(at), prefix.ptr, prefix.len)); at++) {
        size_t len = 0;
        while (is_word(at[len]) && len < CH_IDENTIFIER_LEN_MAX)
            len++;
        if (len > prefix.len + 1)
            snprintf(name, sizeof(name), "%.*s", (int)len, at);
    }
    snprintf(crud->err->text, sizeof(crud->err->text), "this %.*s breaks the rule %s of its table",
             CHARLE_FMT(table->name), *name ? name : "(unnamed)");
}

static void explain_not_null(const struct ch_crud *crud, const char *text)
{
    const struct charle_table *table = crud->table;
    for (size_t i = 0; i < table->column_count; i++) {
        struct charle_str name = table->columns[i].name;
        char quoted[CH_IDENTIFIER_LEN_MAX + 3];
        snprintf(quoted, sizeof(quoted), "\"%.*s\"", CHARLE_FMT(name));
        if (!strstr(text, quoted) && !mentions_name(text, "%.*s.%.*s", CHARLE_FMT(table->name), CHARLE_FMT(name)))
            continue;
        snprintf(crud->err->text, sizeof(crud->err->text), "%.*s of this %.*s must have a value", CHARLE_FMT(name),
                 CHARLE_FMT(table->name));
        return;
    }
    snprintf(crud->err->text, sizeof(crud->err->text), "a column of this %.*s must have a value",
             CHARLE_FMT(table->name));
}

enum charle_err ch_crud_explain(const struct ch_crud *crud, enum charle_err code)
{
    char text[sizeof(crud->err->text)];
    memcpy(text, crud->err->text, sizeof(text));
    // SQLite runs "on delete restrict" as a trigger and reports it as one.
    if (code == CHARLE_FAILED_PRECONDITION && strcmp(text, "FOREIGN KEY constraint failed") == 0)
        code = crud->err->code = CHARLE_FOREIGN_KEY_VIOLATION;
    switch ((int)code) {
    case CHARLE_UNIQUE_VIOLATION:
        explain_unique(crud, text);
        break;
    case CHARLE_FOREIGN_KEY_VIOLATION:
        explain_reference(crud, text);
        break;
    case CHARLE_CHECK_VIOLATION:
        explain_check(crud, text);
        break;
    case CHARLE_NOT_NULL_VIOLATION:
        explain_not_null(crud, text);
        break;
    default:
        break;
    }
    return code;
}
