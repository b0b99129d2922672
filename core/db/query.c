// Running what the builder made: bind, fetch, put into the caller's structs.
#include "db/query.h"

#include "base/limits.h"
#include "db/driver.h"
#include "db/sql.h"

// --- rows -----------------------------------------------------------------------------------------------------------

// What the members of a row are, as fields of a message, so that the store of records can fill them in.
struct reader {
    const struct charle_query *query;
    struct charle_field fields[CH_QUERY_FIELDS_MAX];
    bool is_array[CH_QUERY_FIELDS_MAX];
    size_t count;
    struct charle_column_set all; // of whole rows
};

static struct charle_field member_field(const struct charle_shape_field *member)
{
    const struct charle_column *column = ch_sql_column(member->ref);
    struct charle_field field = column ? *column->field : (struct charle_field){0};
    field.type = (uint8_t)ch_sql_type(member->ref);
    field.name = charle_str(member->name);
    field.offset = member->offset;
    field.label = member->presence == CHARLE_PLAIN ? CHARLE_REQUIRED
                  : member->presence == CHARLE_OPT ? CHARLE_OPTIONAL
                                                   : CHARLE_REPEATED;
    // struct charle_opt_<t> is the value and a bool right behind it
    field.has_offset = member->offset + (uint32_t)charle_type_size((enum charle_type)field.type);
    return field;
}

static enum charle_err reader_init(struct reader *reader, const struct charle_query *query, size_t row_size,
                                   struct charle_error *err)
{
    struct charle_shape_field members[CH_QUERY_FIELDS_MAX];
    reader->query = query;
    reader->count = 0;
    if (!query->shape) {
        const struct charle_table *table = query->table.table;
        if (!table || row_size != table->row->size)
            return charle_fail(err, CHARLE_INVALID_ARGUMENT, "whole rows of %.*s do not fit into structs of %zu bytes",
                               CHARLE_FMT(table ? table->name : CHARLE_STR("no table")), row_size);
        reader->all = charle_table_all_columns(table);
        return CHARLE_OK;
    }
    reader->count = query->shape(NULL);
    if (reader->count > CH_QUERY_FIELDS_MAX)
        return charle_fail(err, CHARLE_TOO_LARGE, "a row of %zu members; at most %d are possible", reader->count,
                           CH_QUERY_FIELDS_MAX);
    query->shape(members);
    for (size_t i = 0; i < reader->count; i++) {
        reader->fields[i] = member_field(&members[i]);
        reader->is_array[i] = members[i].presence == CHARLE_ARRAY;
    }
    return CHARLE_OK;
}

static enum charle_err read_row(const struct reader *reader, struct charle_rows *rows, struct charle_arena *arena,
                                void *row, struct charle_error *err)
{
    const struct charle_table *table = reader->query->table.table;
    enum charle_err rc = CHARLE_OK;
    if (!reader->query->shape)
        return charle_record_read(rows, table, &reader->all, table->row, arena, row, err);
    for (size_t i = 0; !rc && i < reader->count; i++) {
        struct charle_value value;
        rc = charle_rows_value(rows, i, (enum charle_type)reader->fields[i].type, reader->is_array[i], &value, err);
        if (!rc)
            rc = charle_record_store(&reader->fields[i], row, &value, arena, err);
    }
    return rc;
}

// --- one statement --------------------------------------------------------------------------------------------------

typedef enum charle_err (*on_row_fn)(struct charle_rows *rows, void *ctx, struct charle_error *err);

// Runs one statement and hands its rows to on_row, which returns DONE to stop early.
static enum charle_err run_rows(struct charle_db *db, const struct charle_query *query, size_t first_row,
                                size_t row_count, bool is_streamed, on_row_fn on_row, void *ctx,
                                struct charle_error *err)
{
    struct charle_arena arena = {0};
    struct charle_rows *rows = NULL;
    struct ch_sql sql;
    enum charle_err rc =
        ch_sql_build(&sql, charle_db_dialect(db), db->service, query, first_row, row_count, &arena, err);
    const char *text = (const char *)sql.text.data;
    if (!rc)
        rc = is_streamed ? charle_query_streamed(db, text, sql.values, sql.value_count, &rows, err)
                         : charle_query(db, text, sql.values, sql.value_count, &rows, err);
    while (!rc && (rc = charle_rows_next(rows, err)) == CHARLE_OK)
        rc = on_row(rows, ctx, err);
    charle_rows_close(rows);
    ch_sql_deinit(&sql);
    charle_arena_deinit(&arena);
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

static enum charle_err run_changes(struct charle_db *db, const struct charle_query *query, size_t first_row,
                                   size_t row_count, int64_t *out_changed, struct charle_error *err)
{
    struct charle_arena arena = {0};
    struct ch_sql sql;
    enum charle_err rc =
        ch_sql_build(&sql, charle_db_dialect(db), db->service, query, first_row, row_count, &arena, err);
    if (!rc)
        rc = charle_exec(db, (const char *)sql.text.data, sql.values, sql.value_count, out_changed, err);
    ch_sql_deinit(&sql);
    charle_arena_deinit(&arena);
    return rc;
}

// --- inserts of many rows -------------------------------------------------------------------------------------------

typedef enum charle_err (*on_run_fn)(struct charle_db *db, const struct charle_query *query, size_t first, size_t count,
                                     void *ctx, struct charle_error *err);

// Cuts the rows into statements; more than one are a transaction, so that all rows are inserted or none.
static enum charle_err insert_in_runs(struct charle_db *db, const struct charle_query *query, on_run_fn on_run,
                                      void *ctx, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    bool is_whole = query->rows_count == 0 || ch_sql_insert_run(query, 0) == query->rows_count;
    if (query->rows_count == 0)
        return CHARLE_OK;
    if (!is_whole)
        rc = charle_begin(db, NULL, err);
    if (rc)
        return rc;
    for (size_t first = 0, count; !rc && first < query->rows_count; first += count) {
        count = ch_sql_insert_run(query, first);
        rc = on_run(db, query, first, count, ctx, err);
    }
    if (!is_whole && !rc)
        return charle_commit(db, err);
    if (!is_whole)
        (void)!charle_rollback(db, NULL); // the first failure is the one to report
    return rc;
}

static enum charle_err count_run(struct charle_db *db, const struct charle_query *query, size_t first, size_t count,
                                 void *ctx, struct charle_error *err)
{
    int64_t changed = 0;
    enum charle_err rc = run_changes(db, query, first, count, &changed, err);
    *(int64_t *)ctx += changed;
    return rc;
}

enum charle_err charle_run_(struct charle_db *db, const struct charle_query *query, int64_t *out_changed,
                            struct charle_error *err)
{
    int64_t changed = 0;
    if (query->statement == CHARLE_SELECT || query->has_rows)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "a statement with an answer is fetched, not run");
    enum charle_err rc = query->statement == CHARLE_INSERT ? insert_in_runs(db, query, count_run, &changed, err)
                                                           : run_changes(db, query, 0, 0, &changed, err);
    if (!rc && out_changed)
        *out_changed = changed;
    return rc;
}

// --- fetching -------------------------------------------------------------------------------------------------------

struct fetching {
    struct reader reader;
    struct charle_arena *arena;
    char *rows;
    size_t row_size, count, capacity, count_max;
};

static enum charle_err fetch_row(struct charle_rows *rows, void *ctx, struct charle_error *err)
{
    struct fetching *f = ctx;
    if (f->count == f->count_max)
        return CHARLE_DONE;
    if (f->count == f->capacity) {
        size_t capacity = f->capacity ? f->capacity * 2 : 16;
        char *more = charle_arena_array(f->arena, capacity, f->row_size);
        if (!more)
            return charle_fail(err, CHARLE_TOO_LARGE,
                               "an answer of more than %zu rows does not fit into the memory it was given; "
                               "use limit() or fetch_each",
                               f->count);
        if (f->count)
            memcpy(more, f->rows, f->count * f->row_size);
        f->rows = more;
        f->capacity = capacity;
    }
    char *row = f->rows + f->count * f->row_size;
    memset(row, 0, f->row_size);
    enum charle_err rc = read_row(&f->reader, rows, f->arena, row, err);
    f->count += !rc;
    return rc;
}

static enum charle_err fetch_run(struct charle_db *db, const struct charle_query *query, size_t first, size_t count,
                                 void *ctx, struct charle_error *err)
{
    return run_rows(db, query, first, count, false, fetch_row, ctx, err);
}

static enum charle_err fetch(struct charle_db *db, const struct charle_query *query, struct fetching *f,
                             struct charle_error *err)
{
    if (!query->has_rows)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "a statement without an answer is run, not fetched");
    enum charle_err rc = reader_init(&f->reader, query, f->row_size, err);
    if (rc)
        return rc;
    return query->statement == CHARLE_INSERT ? insert_in_runs(db, query, fetch_run, f, err)
                                             : fetch_run(db, query, 0, 0, f, err);
}

enum charle_err charle_fetch_all_(struct charle_db *db, struct charle_arena *arena, const struct charle_query *query,
                                  size_t row_size, void *out_rows, size_t *out_count, struct charle_error *err)
{
    struct fetching f = {.arena = arena, .row_size = row_size, .count_max = SIZE_MAX};
    enum charle_err rc = fetch(db, query, &f, err);
    if (rc)
        return rc;
    memcpy(out_rows, &f.rows, sizeof(f.rows)); // a pointer to some struct; all object pointers have one form
    *out_count = f.count;
    return CHARLE_OK;
}

enum charle_err charle_fetch_one_(struct charle_db *db, struct charle_arena *arena, const struct charle_query *query,
                                  size_t row_size, void *out_row, struct charle_error *err)
{
    struct fetching f = {.arena = arena, .rows = out_row, .row_size = row_size, .capacity = 1, .count_max = 1};
    enum charle_err rc = fetch(db, query, &f, err);
    if (!rc && f.count == 0)
        rc = charle_fail(err, CHARLE_NOT_FOUND, "there is no such row");
    return rc;
}

struct walking {
    struct reader reader;
    struct charle_arena arena; // of one row
    void *row;
    charle_each_fn each;
    void *ctx;
};

static enum charle_err walk_row(struct charle_rows *rows, void *ctx, struct charle_error *err)
{
    struct walking *w = ctx;
    charle_arena_reset(&w->arena);
    memset(w->row, 0, w->reader.query->row_size);
    enum charle_err rc = read_row(&w->reader, rows, &w->arena, w->row, err);
    return rc ? rc : w->each(w->row, w->ctx, err);
}

enum charle_err charle_fetch_each_(struct charle_db *db, const struct charle_query *query, charle_each_fn each,
                                   void *ctx, struct charle_error *err)
{
    struct charle_arena row = {0};
    struct walking w = {.each = each, .ctx = ctx};
    struct charle_query whole = *query;
    if (!whole.shape && whole.table.table)
        whole.row_size = whole.table.table->row->size;
    if (whole.statement != CHARLE_SELECT)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "only a select can be walked row by row");
    enum charle_err rc = reader_init(&w.reader, &whole, whole.row_size, err);
    w.row = rc ? NULL : charle_arena_alloc(&row, whole.row_size);
    if (!rc && !w.row)
        rc = charle_fail(err, CHARLE_NO_MEMORY, "out of memory while fetching rows");
    if (!rc)
        rc = run_rows(db, &whole, 0, 0, true, walk_row, &w, err);
    charle_arena_deinit(&w.arena);
    charle_arena_deinit(&row);
    return rc;
}

// --- for others who run it ------------------------------------------------------------------------------------------

enum charle_err charle_query_statement_(enum charle_dialect dialect, const struct charle_query *query,
                                        struct charle_arena *arena, const char **out_sql,
                                        const struct charle_value **out_values, size_t *out_count, struct charle_error *err)
{
    struct ch_sql sql;
    if (query->statement != CHARLE_SELECT)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "only a select can be run again and again");
    enum charle_err rc = ch_sql_build(&sql, dialect, NULL, query, 0, 0, arena, err);
    if (!rc) {
        struct charle_value *values = charle_arena_array(arena, sql.value_count + 1, sizeof(*values));
        struct charle_str text = charle_arena_str(arena, charle_str((const char *)sql.text.data));
        if (!values || !text.ptr)
            rc = charle_fail(err, CHARLE_NO_MEMORY, "out of memory while preparing a query");
        else if (sql.value_count)
            memcpy(values, sql.values, sql.value_count * sizeof(*values));
        *out_sql = text.ptr;
        *out_values = values;
        *out_count = sql.value_count;
    }
    ch_sql_deinit(&sql);
    return rc;
}

enum charle_err charle_query_read_row_(const struct charle_query *query, struct charle_rows *rows,
                                       struct charle_arena *arena, void *row, struct charle_error *err)
{
    struct reader reader;
    enum charle_err rc = reader_init(&reader, query, query->row_size, err);
    if (rc)
        return rc;
    memset(row, 0, query->row_size);
    return read_row(&reader, rows, arena, row, err);
}

// --- text -----------------------------------------------------------------------------------------------------------

static void write_value(struct charle_buf *buf, const struct charle_value *value)
{
    char text[CHARLE_TS_TEXT_SIZE];
    if (value->is_null || value->is_array) {
        charle_buf_printf(buf, value->is_null ? "NULL" : "an array of %zu", value->array.count);
        return;
    }
    switch ((enum charle_type)value->type) {
    case CHARLE_TYPE_BOOL:
        charle_buf_add_text(buf, value->boolean ? "true" : "false");
        return;
    case CHARLE_TYPE_INT4:
        charle_buf_printf(buf, "%d", value->int4);
        return;
    case CHARLE_TYPE_INT8:
        charle_buf_printf(buf, "%lld", (long long)value->int8);
        return;
    case CHARLE_TYPE_FLOAT8:
        charle_buf_printf(buf, "%.17g", value->float8);
        return;
    case CHARLE_TYPE_TIMESTAMPTZ:
        charle_ts_write(value->ts, text);
        charle_buf_printf(buf, "'%s'", text);
        return;
    case CHARLE_TYPE_DATE:
        charle_date_write(value->date, text);
        charle_buf_printf(buf, "'%s'", text);
        return;
    case CHARLE_TYPE_TEXT:
    case CHARLE_TYPE_ENUM:
    case CHARLE_TYPE_NUMERIC:
    case CHARLE_TYPE_JSONB:
        charle_buf_printf(buf, "'%.*s'", CHARLE_FMT(value->text));
        return;
    case CHARLE_TYPE_BYTES:
        charle_buf_printf(buf, "%zu bytes", value->bytes.len);
        return;
    case CHARLE_TYPE_UUID:
    case CHARLE_TYPE_MESSAGE:
    case CHARLE_TYPE_UINT4:
    case CHARLE_TYPE_UINT8:
    case CHARLE_TYPE_FLOAT4:
        break;
    }
    charle_buf_printf(buf, "a %s", charle_type_name((enum charle_type)value->type));
}

enum charle_err charle_query_text_(enum charle_dialect dialect, const struct charle_query *query,
                                   struct charle_buf *buf, struct charle_error *err)
{
    struct charle_arena arena = {0};
    struct ch_sql sql;
    size_t rows = query->statement == CHARLE_INSERT && query->rows_count ? ch_sql_insert_run(query, 0) : 0;
    enum charle_err rc = ch_sql_build(&sql, dialect, NULL, query, 0, rows, &arena, err);
    if (!rc)
        charle_buf_add_str(buf, charle_buf_str(&sql.text));
    for (size_t i = 0; !rc && i < sql.value_count; i++) {
        charle_buf_printf(buf, i ? ", $%zu = " : " -- $%zu = ", i + 1);
        write_value(buf, &sql.values[i]);
    }
    ch_sql_deinit(&sql);
    charle_arena_deinit(&arena);
    return rc;
}
