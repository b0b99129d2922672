// Who may write a row: scope templates such as "managers" or "user:{user_id}", filled in from the row.
#include "msg/json.h"
#include "services/crud_parts.h"

#include <stdio.h>

// The next "{column}" of a template from `at`; NULL when there is none. Templates were checked when the schema was
// compiled.
static const struct charle_column *next_slot(const struct charle_table *table, const char *at, const char **out_open,
                                             const char **out_behind)
{
    const char *open = strchr(at, '{'), *close = open ? strchr(open, '}') : NULL;
    if (!close)
        return NULL;
    *out_open = open;
    *out_behind = close + 1;
    return charle_table_column(table, charle_str_n(open + 1, (size_t)(close - open - 1)));
}

void ch_crud_allow_needs(const struct charle_table *table, const char *const *allow, struct charle_column_set *set)
{
    for (; *allow; allow++) {
        const char *open, *at = *allow;
        for (const struct charle_column *column; (column = next_slot(table, at, &open, &at));)
            charle_column_set_add(set, column->index);
    }
}

// A value as it stands in a scope: as in JSON, without quotes.
static void add_value(const struct charle_field *field, const void *patch, struct charle_buf *scope)
{
    if (field->type == CHARLE_TYPE_TEXT) {
        charle_buf_add_str(scope, *(const struct charle_str *)charle_field_ptr(field, patch));
        return;
    }
    size_t start = scope->size;
    charle_field_write_json(field, patch, scope);
    if (!scope->failed && scope->size > start + 1 && scope->data[start] == '"') {
        memmove(scope->data + start, scope->data + start + 1, scope->size - start - 2);
        scope->size -= 2;
    }
}

// Does the caller hold the scope of one template? On a replica a column that is not kept there cannot be asked: the
// server will. A scope that would be too long is held by nobody.
static enum charle_err holds(const struct ch_crud *crud, const char *pattern, const void *patch, bool *out)
{
    const struct charle_table *table = crud->table;
    struct charle_buf scope;
    charle_buf_init(&scope, CH_SCOPE_LEN_MAX);
    const char *at = pattern, *open = NULL, *behind = NULL;
    bool is_known = true, is_unasked = false;
    for (const struct charle_column *column; is_known && (column = next_slot(table, at, &open, &behind)); at = behind) {
        const struct charle_field *field = ch_crud_patch_field(table, column);
        charle_buf_add(&scope, at, (size_t)(open - at));
        is_unasked |= crud->context->is_replica && !charle_column_set_has(table->replica_columns, column->index);
        is_known = charle_field_has(field, patch);
        if (is_known)
            add_value(field, patch, &scope);
    }
    charle_buf_add_text(&scope, at);
    enum charle_err failed = scope.failed;
    *out = is_unasked || (is_known && !failed && charle_context_holds(crud->context, charle_buf_str(&scope)));
    charle_buf_deinit(&scope);
    return failed == CHARLE_NO_MEMORY ? charle_fail(crud->err, failed, "no room to check who may write") : CHARLE_OK;
}

bool ch_crud_allow_always(const struct ch_crud *crud, const char *const *allow)
{
    bool held = false;
    for (; !held && *allow; allow++) {
        struct charle_str scope = charle_str(*allow);
        held = !strchr(*allow, '{') && scope.len <= CH_SCOPE_LEN_MAX && charle_context_holds(crud->context, scope);
    }
    return held;
}

enum charle_err ch_crud_allow(const struct ch_crud *crud, const char *const *allow, const void *patch, const char *verb)
{
    char list[120] = "";
    size_t used = 0;
    for (; *allow; allow++) {
        bool held;
        enum charle_err rc = holds(crud, *allow, patch, &held);
        if (rc || held)
            return rc;
        if (used < sizeof(list))
            used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "", *allow);
    }
    if (!used)
        return charle_fail(crud->err, CHARLE_PERMISSION_DENIED, "nobody may %s rows of %.*s this way", verb,
                           CHARLE_FMT(crud->table->name));
    return charle_fail(crud->err, CHARLE_PERMISSION_DENIED,
                       "to %s this %.*s one must hold one of these: %s; this caller does not", verb,
                       CHARLE_FMT(crud->table->name), list);
}
