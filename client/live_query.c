// One live query: its statement, the tables it reads, its rows, and what it tells.
#include "client/live.h"

#include "base/alloc.h"
#include "db/sqlite/sqlite.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

// --- what it reads ------------------------------------------------------------------------------------------------------------

struct reading {
    const struct ch_replica *replica;
    bool is_read[CH_TABLES_MAX];
    bool reads_platform;
};

static int note_read(void *ctx, int action, const char *table, const char *column, const char *database, const char *trigger)
{
    struct reading *reading = ctx;
    (void)column;
    (void)database;
    (void)trigger;
    if (action != SQLITE_READ || !table)
        return SQLITE_OK;
    for (size_t i = 0; i < reading->replica->tables.count; i++) {
        if (charle_str_equal(reading->replica->tables.items[i].schema->name, charle_str(table))) {
            reading->is_read[i] = true;
            return SQLITE_OK;
        }
    }
    if (strncasecmp(table, "charle_", 7) == 0 || strncasecmp(table, "sqlite_", 7) == 0)
        reading->reads_platform = true;
    return SQLITE_OK;
}

static enum charle_err keep_tables(struct ch_live_query *query, const struct reading *reading, struct charle_error *err)
{
    size_t count = reading->replica->tables.count;
    query->tables = charle_arena_array(&query->arena, count + 1, sizeof(*query->tables));
    query->versions = charle_arena_array(&query->arena, count + 1, sizeof(*query->versions));
    if (!query->tables || !query->versions)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a live query");
    for (size_t i = 0; i < count; i++) {
        if (reading->is_read[i])
            query->tables[query->table_count++] = (uint16_t)i;
    }
    query->reads_platform = reading->reads_platform;
    return CHARLE_OK;
}

// --- the statement ------------------------------------------------------------------------------------------------------------

static enum charle_err check_statement(const struct ch_live_query *query, sqlite3_stmt *stmt, const char *tail, struct charle_error *err)
{
    if (!stmt || tail[strspn(tail, " \t\r\n;")] || !sqlite3_stmt_readonly(stmt) || sqlite3_column_count(stmt) == 0)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "a live query is one select, not: %.80s", query->sql);
    for (int i = 1; i <= sqlite3_bind_parameter_count(stmt); i++) {
        const char *name = sqlite3_bind_parameter_name(stmt, i);
        long number = name && (*name == '$' || *name == '?') ? strtol(name + 1, NULL, 10) : i;
        if (number < 1 || (size_t)number > query->param_count)
            return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the live query has the parameter %s, and %zu values were given: write $1, $2, …",
                               name ? name : "?", query->param_count);
    }
    return CHARLE_OK;
}

static enum charle_err keep_columns(struct ch_live_query *query, sqlite3_stmt *stmt, struct charle_error *err)
{
    size_t count = (size_t)sqlite3_column_count(stmt);
    const char **names = charle_arena_array(&query->arena, count, sizeof(*names));
    query->shape.column_count = count;
    query->columns = names;
    for (size_t i = 0; names && i < count; i++) {
        names[i] = charle_arena_str(&query->arena, charle_str(sqlite3_column_name(stmt, (int)i))).ptr;
        if (!names[i])
            names = NULL;
    }
    return names ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a live query");
}

static enum charle_err prepare(struct ch_live_query *query, const struct ch_replica *replica, struct charle_db *db,
                               struct charle_error *err)
{
    sqlite3 *handle = ch_sqlite_handle(db);
    struct reading reading = {.replica = replica};
    sqlite3_stmt *stmt = NULL;
    const char *tail = "";
    sqlite3_set_authorizer(handle, note_read, &reading);
    int code = sqlite3_prepare_v2(handle, query->sql, -1, &stmt, &tail);
    enum charle_err rc = code ? ch_sqlite_fail(handle, code, "preparing a live query", err) : CHARLE_OK;
    sqlite3_set_authorizer(handle, NULL, NULL);
    if (!rc)
        rc = check_statement(query, stmt, tail, err);
    if (!rc)
        rc = keep_columns(query, stmt, err);
    if (!rc)
        rc = keep_tables(query, &reading, err);
    sqlite3_finalize(stmt);
    return rc;
}

// --- what is kept -------------------------------------------------------------------------------------------------------------

static enum charle_err copy_params(struct ch_live_query *query, const struct charle_value *params, size_t count, struct charle_error *err)
{
    struct charle_value *copies = charle_arena_array(&query->arena, count + 1, sizeof(*copies));
    bool is_whole = copies != NULL;
    for (size_t i = 0; is_whole && i < count; i++) {
        copies[i] = params[i];
        if (params[i].is_array)
            return charle_fail(err, CHARLE_INVALID_ARGUMENT, "value $%zu of a live query is an array; give its items one by one", i + 1);
        enum charle_type type = (enum charle_type)params[i].type;
        if (params[i].is_null)
            continue;
        if (type == CHARLE_TYPE_BYTES) {
            copies[i].bytes = charle_arena_bytes(&query->arena, params[i].bytes);
            is_whole = copies[i].bytes.ptr != NULL;
        } else if (type == CHARLE_TYPE_TEXT || type == CHARLE_TYPE_ENUM || type == CHARLE_TYPE_NUMERIC || type == CHARLE_TYPE_JSONB) {
            copies[i].text = charle_arena_str(&query->arena, params[i].text);
            is_whole = copies[i].text.ptr != NULL;
        }
    }
    query->params = copies;
    query->param_count = count;
    return is_whole ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a live query");
}

// The part of a typed query that reading its rows needs; what its clauses point to is the caller's.
static struct charle_query row_part(const struct charle_query *query)
{
    struct charle_query part = {.statement = query->statement, .shape = query->shape, .has_rows = true, .row_size = query->row_size,
                                .table = query->table};
    if (!part.shape && part.table.table)
        part.row_size = part.table.table->row->size;
    return part;
}

static enum charle_err copy_statement(struct ch_live_query *query, const struct charle_live_query *options, struct charle_error *err)
{
    const struct charle_value *params = options->params;
    size_t count = options->param_count;
    enum charle_err rc = CHARLE_OK;
    if (options->query) {
        rc = charle_query_statement_(CHARLE_SQLITE, options->query, &query->arena, &query->sql, &params, &count, err);
        query->typed = row_part(options->query);
    } else {
        query->sql = charle_arena_str(&query->arena, charle_str(options->sql)).ptr;
        rc = query->sql ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a live query");
    }
    return rc ? rc : copy_params(query, params, count, err);
}

static enum charle_err make_decoder(struct ch_live_query *query, struct charle_error *err)
{
    struct charle_buf text = {0};
    for (size_t i = 0; i < query->shape.column_count; i++)
        charle_buf_printf(&text, "%s$%zu", i ? ", " : "select ", i + 1);
    const char *sql = charle_buf_text(&text);
    query->decode_sql = sql ? charle_arena_str(&query->arena, charle_str(sql)).ptr : NULL;
    charle_buf_deinit(&text);
    return query->decode_sql ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a live query");
}

// --- the key ------------------------------------------------------------------------------------------------------------------

static enum charle_err find_column(const struct ch_live_query *query, struct charle_str name, size_t *out, struct charle_error *err)
{
    for (*out = 0; *out < query->shape.column_count; ++*out) {
        if (charle_str_equal(charle_str(query->columns[*out]), name))
            return CHARLE_OK;
    }
    return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the key of the live query names \"%.*s\", which is no column of its result", CHARLE_FMT(name));
}

// Puts the key's columns first and the others behind them.
static enum charle_err order_columns(struct ch_live_query *query, const char *key, struct charle_error *err)
{
    size_t count = query->shape.column_count, used = 0;
    uint16_t *order = charle_arena_array(&query->arena, count, sizeof(*order));
    bool *is_key = charle_arena_array(&query->arena, count, sizeof(*is_key));
    if (!order || !is_key)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a live query");
    for (const char *next = key; next && *next;) {
        size_t len = strcspn(next, ","), column;
        enum charle_err rc = find_column(query, charle_str_n(next, len), &column, err);
        if (rc)
            return rc;
        if (!is_key[column])
            order[used++] = (uint16_t)column;
        is_key[column] = true;
        next += len + (next[len] == ',');
    }
    query->shape.key_count = used;
    for (size_t i = 0; i < count; i++) {
        if (!is_key[i])
            order[used++] = (uint16_t)i;
    }
    query->shape.order = order;
    return CHARLE_OK;
}

// Whole rows of a table are told apart by its primary key.
static enum charle_err add_key(struct ch_live_query *query, const char *key, struct charle_error *err)
{
    const struct charle_table *table = query->typed.row_size && !query->typed.shape ? query->typed.table.table : NULL;
    struct charle_buf names = {0};
    if (!key && table) {
        for (size_t i = 0; i < table->key_count; i++) {
            charle_buf_add_text(&names, i ? "," : "");
            charle_buf_add_str(&names, table->columns[table->key_columns[i]].name);
        }
        key = charle_buf_text(&names);
    }
    enum charle_err rc = order_columns(query, key, err);
    charle_buf_deinit(&names);
    return rc;
}

// --- life ---------------------------------------------------------------------------------------------------------------------

enum charle_err ch_live_query_new(const struct ch_replica *replica, struct charle_db *live_db, const struct charle_live_query *options,
                                  struct ch_live_query **out, struct charle_error *err)
{
    if (!options || !options->fn || !options->query == !options->sql)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "a live query needs a callback, and either a typed query or SQL");
    if (options->size_max > CH_BUF_SIZE_MAX)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "size_max of a live query is %zu; at most %zu", options->size_max, CH_BUF_SIZE_MAX);
    struct ch_live_query *query = ch_alloc_zeroed(1, sizeof(*query));
    if (!query)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a live query");
    query->fn = options->fn;
    query->ctx = options->ctx;
    query->size_max = options->size_max ? options->size_max : CH_LIVE_SIZE_DEFAULT;
    enum charle_err rc = copy_statement(query, options, err);
    if (!rc)
        rc = prepare(query, replica, live_db, err);
    if (!rc)
        rc = add_key(query, options->key, err);
    if (!rc && query->typed.row_size)
        rc = make_decoder(query, err);
    if (rc)
        ch_live_query_free(query);
    else
        *out = query;
    return rc;
}

void ch_live_query_free(struct ch_live_query *query)
{
    ch_live_rows_deinit(&query->shown);
    ch_live_rows_deinit(&query->fresh);
    charle_arena_deinit(&query->arena);
    ch_free(query);
}

enum charle_err ch_live_query_run(struct ch_live_query *query, struct charle_db *db, struct charle_error *err)
{
    struct charle_rows *rows = NULL;
    ch_live_rows_reset(&query->fresh);
    query->fresh.bytes.size_max = CH_BUF_SIZE_MAX;
    enum charle_err rc = charle_query(db, query->sql, query->params, query->param_count, &rows, err);
    if (!rc && charle_rows_column_count(rows) != query->shape.column_count)
        rc = charle_fail(err, CHARLE_SCHEMA_MISMATCH, "the live query's columns are other ones now; add it again");
    while (!rc && (rc = charle_rows_next(rows, err)) == CHARLE_OK)
        rc = ch_live_rows_add(&query->fresh, &query->shape, rows, query->size_max, err);
    charle_rows_close(rows);
    query->is_fresh = rc == CHARLE_DONE;
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

// --- telling ------------------------------------------------------------------------------------------------------------------

struct telling {
    const struct ch_live_teller *teller;
    struct charle_value *now, *before; // of one row
    struct charle_arena arena;         // of one row's structs
};

// The struct of a typed row: its stored values through a statement that gives them back, so that reading is the same as everywhere.
static enum charle_err decode(struct telling *t, const struct charle_value *values, const void **out, struct charle_error *err)
{
    const struct ch_live_query *query = t->teller->query;
    struct charle_rows *rows = NULL;
    *out = NULL;
    if (!query->typed.row_size || !values)
        return CHARLE_OK;
    void *row = charle_arena_alloc(&t->arena, query->typed.row_size);
    if (!row)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a row of a live query");
    enum charle_err rc = charle_query(t->teller->db, query->decode_sql, values, query->shape.column_count, &rows, err);
    if (!rc)
        rc = charle_rows_next(rows, err);
    if (!rc)
        rc = charle_query_read_row_(&query->typed, rows, &t->arena, row, err);
    charle_rows_close(rows);
    *out = row;
    return rc;
}

static void call(struct telling *t, struct charle_live_change *change)
{
    struct ch_live_query *query = t->teller->query;
    change->query = query->id;
    change->column_count = query->shape.column_count;
    change->columns = query->columns;
    t->teller->call(t->teller->ctx, query, change);
}

static enum charle_err tell_row(struct telling *t, struct charle_live_change *change, struct charle_error *err)
{
    charle_arena_reset(&t->arena);
    enum charle_err rc = decode(t, change->values, &change->row, err);
    if (!rc)
        rc = decode(t, change->old_values, &change->old_row, err);
    if (!rc)
        call(t, change);
    return rc;
}

static enum charle_err tell_going(struct telling *t, const struct ch_live_diff *diff, const bool *goes_on, struct charle_error *err)
{
    struct ch_live_query *query = t->teller->query;
    enum charle_err rc = CHARLE_OK;
    for (size_t i = query->shown.count; !rc && !query->is_removed && i-- > 0;) {
        if (goes_on[i])
            continue;
        ch_live_rows_values(&query->shown, &query->shape, i, t->before);
        struct charle_live_change change = {.event = CHARLE_LIVE_DELETED, .at = (int64_t)i, .has_moved = diff->was_kept[i], .values = t->before};
        rc = tell_row(t, &change, err);
    }
    return rc;
}

static bool is_same_row(const struct ch_live_query *query, size_t old, size_t now)
{
    const struct ch_live_row *a = &query->shown.items[old], *b = &query->fresh.items[now];
    return a->size == b->size && memcmp(query->shown.bytes.data + a->at, query->fresh.bytes.data + b->at, a->size) == 0;
}

static enum charle_err tell_coming(struct telling *t, const struct ch_live_diff *diff, struct charle_error *err)
{
    struct ch_live_query *query = t->teller->query;
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && !query->is_removed && i < query->fresh.count; i++) {
        uint32_t old = diff->old_of[i];
        if (diff->stays[i] && is_same_row(query, old, i))
            continue;
        struct charle_live_change change = {.event = diff->stays[i] ? CHARLE_LIVE_UPDATED : CHARLE_LIVE_INSERTED, .at = (int64_t)i,
                                            .has_moved = !diff->stays[i] && old != CH_LIVE_NONE, .values = t->now};
        ch_live_rows_values(&query->fresh, &query->shape, i, t->now);
        if (diff->stays[i]) {
            ch_live_rows_values(&query->shown, &query->shape, old, t->before);
            change.old_values = t->before;
        }
        rc = tell_row(t, &change, err);
    }
    return rc;
}

static enum charle_err tell_diff(struct telling *t, struct charle_error *err)
{
    struct ch_live_query *query = t->teller->query;
    struct ch_live_diff diff = {0};
    bool *goes_on = ch_alloc_zeroed(query->shown.count + 1, sizeof(*goes_on)); // old rows that keep their places
    enum charle_err rc = goes_on && t->now ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory to compare the results of a live query");
    if (!rc)
        rc = ch_live_diff_make(&diff, &query->shown, &query->fresh, err);
    for (size_t i = 0; !rc && i < query->fresh.count; i++) {
        if (diff.stays[i])
            goes_on[diff.old_of[i]] = true;
    }
    if (!rc)
        rc = tell_going(t, &diff, goes_on, err);
    if (!rc)
        rc = tell_coming(t, &diff, err);
    ch_free(goes_on);
    ch_live_diff_deinit(&diff);
    return rc;
}

static void tell_failure(struct telling *t, const struct charle_error *err)
{
    struct charle_live_change change = {.event = CHARLE_LIVE_FAILED, .code = (int)err->code, .text = err->text};
    call(t, &change);
}

void ch_live_query_tell(const struct ch_live_teller *teller)
{
    struct ch_live_query *query = teller->query;
    struct charle_error err = {0};
    size_t count = query->shape.column_count;
    struct telling t = {.teller = teller, .now = ch_alloc_zeroed(2 * count, sizeof(*t.now))};
    t.before = t.now ? t.now + count : NULL;
    if (query->failed.code) {
        tell_failure(&t, &query->failed);
        query->failed.code = CHARLE_OK;
    } else if (!query->has_told || !ch_live_rows_are_same(&query->shown, &query->fresh)) {
        if (tell_diff(&t, &err)) {
            tell_failure(&t, &err);
        } else if (!query->is_removed) {
            struct charle_live_change change = {.event = CHARLE_LIVE_SETTLED, .at = (int64_t)query->fresh.count};
            call(&t, &change);
        }
        struct ch_live_rows shown = query->shown;
        query->shown = query->fresh;
        query->fresh = shown;
        query->has_told = true;
    }
    ch_live_rows_reset(&query->fresh);
    query->is_fresh = false;
    charle_arena_deinit(&t.arena);
    ch_free(t.now);
}
