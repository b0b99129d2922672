// Who may read a file, and who may refer to it.
#include "server/sync/file.h"

#include "db/sql.h"
#include "server/sync/push_parts.h"
#include "sync/file.h"

// --- reading ------------------------------------------------------------------------------------------------------------

// "exists (select 1 from t r cross join lateral (<scopes of r that show the column>) as s(scope) where r.c = $1 and s.scope = any($2))"
static void add_column_test(const struct charle_table *table, const struct charle_column *column, struct charle_buf *sql)
{
    struct charle_buf scopes = {0};
    size_t shown = 0;
    for (size_t i = 0; i < table->audience_count; i++) {
        if (!charle_column_set_has(&table->audiences[i].columns, column->index))
            continue;
        charle_buf_add_text(&scopes, shown++ ? " union all " : "");
        ch_view_add_scopes_of(table, &table->audiences[i], &scopes);
    }
    if (scopes.failed)
        sql->failed = scopes.failed;
    if (shown) {
        charle_buf_add_text(sql, sql->size ? " or exists (select 1 from " : "select exists (select 1 from ");
        charle_sql_write_name(sql, table->name);
        charle_buf_printf(sql, " r cross join lateral (%.*s) as s(scope) where r.", CHARLE_FMT(charle_buf_str(&scopes)));
        charle_sql_write_name(sql, column->name);
        charle_buf_add_text(sql, " = $1 and s.scope = any($2::text[]))");
    }
    charle_buf_deinit(&scopes);
}

enum charle_err ch_file_access_init(struct ch_sync *sync, struct charle_error *err)
{
    struct charle_buf sql = {0};
    for (size_t i = 0; i < sync->schema->table_count; i++) {
        const struct charle_table *table = sync->schema->tables[i];
        for (size_t j = 0; j < table->column_count; j++) {
            if (table->columns[j].is_attachment)
                add_column_test(table, &table->columns[j], &sql);
        }
    }
    enum charle_err rc = sql.failed;
    if (!rc && sql.size) {
        sync->reads_file_sql = charle_arena_str(&sync->arena, charle_buf_str(&sql)).ptr;
        rc = sync->reads_file_sql ? CHARLE_OK : CHARLE_NO_MEMORY;
    }
    charle_buf_deinit(&sql);
    return rc ? charle_fail(err, rc, "no memory for the statements about files") : CHARLE_OK;
}

enum charle_err ch_file_may_read(const struct ch_sync *sync, struct charle_db *db, struct charle_str name, const struct charle_str *scopes,
                                 size_t count, bool *out, struct charle_error *err)
{
    const struct charle_value params[] = {charle_text(name), ch_push_array(CHARLE_TYPE_TEXT, scopes, count)};
    struct charle_rows *rows = NULL;
    struct charle_value value = {0};
    *out = false;
    if (!sync->reads_file_sql)
        return CHARLE_OK;
    enum charle_err rc = charle_query(db, sync->reads_file_sql, params, 2, &rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_next(rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 0, CHARLE_TYPE_BOOL, false, &value, err);
    *out = rc == CHARLE_OK && value.boolean;
    charle_rows_close(rows);
    return rc;
}

// --- referring ----------------------------------------------------------------------------------------------------------

struct mentions {
    struct charle_str *names;
    size_t count;
};

static enum charle_err collect(struct charle_bytes request, struct charle_arena *arena, struct mentions *out, struct charle_error *err)
{
    struct charle_str name;
    size_t max = 0;
    *out = (struct mentions){0};
    for (size_t at = 0; ch_file_name_find(request, &at, &name);)
        max++;
    if (!max)
        return CHARLE_OK;
    out->names = charle_arena_array(arena, max, sizeof(*out->names));
    if (!out->names)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the files of a request");
    for (size_t at = 0; ch_file_name_find(request, &at, &name);)
        out->names[out->count++] = name;
    return CHARLE_OK;
}

// Of the names those that are files of somebody else; to be read with the scopes afterwards.
static enum charle_err find_foreign(struct charle_db *db, const struct ch_sync_peer *peer, const struct mentions *mentions,
                                    struct charle_arena *arena, struct mentions *out, struct charle_error *err)
{
    const struct charle_value params[] = {ch_push_array(CHARLE_TYPE_TEXT, mentions->names, mentions->count), charle_text(peer->principal),
                                          charle_text(peer->id)};
    struct charle_rows *rows = NULL;
    struct charle_value name;
    *out = (struct mentions){.names = charle_arena_array(arena, mentions->count, sizeof(*out->names))};
    if (!out->names)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the files of a request");
    enum charle_err rc = charle_query(db,
                                      "select f.hash from charle.file f where f.hash = any($1::text[]) and not exists (select 1 from "
                                      "charle.file_holder h where h.hash = f.hash and h.principal = $2 and h.principal_id = $3)",
                                      params, 3, &rows, err);
    while (rc == CHARLE_OK && (rc = charle_rows_next(rows, err)) == CHARLE_OK) {
        rc = charle_rows_value(rows, 0, CHARLE_TYPE_TEXT, false, &name, err);
        if (rc == CHARLE_OK && out->count < mentions->count) {
            out->names[out->count] = charle_arena_str(arena, name.text);
            if (!out->names[out->count++].ptr)
                rc = charle_fail(err, CHARLE_NO_MEMORY, "no memory for the files of a request");
        }
    }
    charle_rows_close(rows);
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

// Keeps those that the scopes do not show.
static enum charle_err drop_readable(const struct ch_sync *sync, struct charle_db *db, const struct charle_str *scopes, size_t count,
                                     struct mentions *mentions, struct charle_error *err)
{
    size_t kept = 0;
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; rc == CHARLE_OK && i < mentions->count; i++) {
        bool may_read;
        rc = ch_file_may_read(sync, db, mentions->names[i], scopes, count, &may_read, err);
        if (!may_read)
            mentions->names[kept++] = mentions->names[i];
    }
    mentions->count = kept;
    return rc;
}

enum charle_err ch_file_check_request(const struct ch_sync *sync, struct charle_db *db, const struct ch_sync_peer *peer,
                                      const struct charle_str *scopes, size_t scope_count, struct charle_bytes request,
                                      struct charle_arena *arena, struct charle_error *err)
{
    struct mentions mentions, foreign = {0};
    if (!sync->reads_file_sql)
        return CHARLE_OK;
    enum charle_err rc = collect(request, arena, &mentions, err);
    if (rc || !mentions.count)
        return rc;
    rc = find_foreign(db, peer, &mentions, arena, &foreign, err);
    if (rc == CHARLE_OK)
        rc = drop_readable(sync, db, scopes, scope_count, &foreign, err);
    if (rc == CHARLE_OK && foreign.count)
        rc = charle_fail(err, CHARLE_FAILED_PRECONDITION, CH_FILE_REFUSAL);
    return rc;
}

// --- of a push ----------------------------------------------------------------------------------------------------------

// Nearly no call mentions a file, so each that does is asked about alone.
enum charle_err ch_push_check_files(struct ch_push *push, struct charle_error *err)
{
    size_t count = push->request->call.count;
    enum charle_err rc = CHARLE_OK;
    push->refused_count = 0;
    for (size_t i = 0; rc == CHARLE_OK && push->sync->reads_file_sql && i < count; i++) {
        const struct charle_call *call = ch_push_call(push, i);
        struct charle_error why = {0};
        rc = ch_file_check_request(push->sync, push->db, &push->options->peer, push->identity.scopes, push->identity.scope_count, call->request,
                                   push->arena, &why);
        if (rc && rc != CHARLE_FAILED_PRECONDITION)
            return charle_fail_foreign(err, rc, why.domain, why.foreign, "%s", why.text);
        if (!rc)
            continue;
        if (!push->refused)
            push->refused = charle_arena_array(push->arena, count, sizeof(*push->refused));
        rc = push->refused ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for the files of a push");
        if (!rc)
            push->refused[push->refused_count++] = call->sequence;
    }
    return rc;
}

bool ch_push_is_refused(const struct ch_push *push, const struct charle_call *call)
{
    for (size_t i = 0; i < push->refused_count; i++) {
        if (push->refused[i] == call->sequence)
            return true;
    }
    return false;
}
