#include "server/sync/view.h"

#include "db/record.h"
#include "msg/json.h"

#include <inttypes.h>

static void add_column(const struct charle_column *column, struct charle_buf *sql)
{
    charle_buf_add_text(sql, "r.");
    charle_sql_write_name(sql, column->name);
}

static const struct charle_column *key_column(const struct charle_table *table, size_t index)
{
    return &table->columns[table->key_columns[index]];
}

// One value of a key that is given as text.
static void add_key_value(const struct ch_table_views *views, const char *key_sql, size_t index, struct charle_buf *sql)
{
    if (views->has_text_key)
        charle_buf_add_text(sql, key_sql);
    else
        charle_buf_printf(sql, "((%s)::jsonb->>%zu)::%s", key_sql, index, charle_type_pg_name((enum charle_type)key_column(views->table, index)->field->type));
}

// "r."a" = … and r."b" = …"
static void add_key_match(const struct ch_table_views *views, const char *key_sql, struct charle_buf *sql)
{
    for (size_t i = 0; i < views->table->key_count; i++) {
        charle_buf_add_text(sql, i ? " and " : "");
        add_column(key_column(views->table, i), sql);
        charle_buf_add_text(sql, " = ");
        add_key_value(views, key_sql, i, sql);
    }
}

void ch_view_add_key_compare(const struct ch_table_views *views, const char *op, const char *key_sql, struct charle_buf *sql)
{
    charle_buf_printf(sql, "(%.*s) %s (", CHARLE_FMT(views->order), op);
    for (size_t i = 0; i < views->table->key_count; i++) {
        charle_buf_add_text(sql, i ? ", " : "");
        add_key_value(views, key_sql, i, sql);
    }
    charle_buf_add_text(sql, ")");
}

// Is row r in the scope whose key is `parameter`?
static void add_in_scope(const struct charle_table *table, const struct charle_audience *audience, const char *parameter,
                         struct charle_buf *sql)
{
    charle_buf_printf(sql, "(%s)", audience->where_pg ? audience->where_pg : "true");
    if (audience->kind == CHARLE_AUDIENCE_COLUMN) {
        const struct charle_column *column = &table->columns[audience->column];
        charle_buf_add_text(sql, " and ");
        add_column(column, sql);
        charle_buf_printf(sql, " = (%s::text)::%s", parameter, charle_type_pg_name((enum charle_type)column->field->type));
    } else if (audience->kind == CHARLE_AUDIENCE_PATH) {
        charle_buf_printf(sql, " and exists (select 1 from %s and (%s)::text = %s::text)", audience->path_from, audience->path_key,
                          parameter);
    }
}

void ch_view_add_scopes_of(const struct charle_table *table, const struct charle_audience *audience, struct charle_buf *sql)
{
    charle_buf_printf(sql, "select '%.*s", CHARLE_FMT(audience->name));
    switch ((enum charle_audience_kind)audience->kind) {
    case CHARLE_AUDIENCE_CONSTANT:
        charle_buf_add_text(sql, "' where true");
        break;
    case CHARLE_AUDIENCE_COLUMN:
        charle_buf_add_text(sql, ":' || ");
        add_column(&table->columns[audience->column], sql);
        charle_buf_add_text(sql, "::text where ");
        add_column(&table->columns[audience->column], sql);
        charle_buf_add_text(sql, " is not null");
        break;
    case CHARLE_AUDIENCE_PATH:
        charle_buf_printf(sql, ":' || (%s)::text from %s and %s is not null", audience->path_key, audience->path_from, audience->path_key);
        break;
    }
    if (audience->where_pg)
        charle_buf_printf(sql, " and (%s)", audience->where_pg);
}

// The text so far becomes a string of the arena, and the buffer is empty again.
static struct charle_str keep(struct charle_buf *sql, struct charle_arena *arena)
{
    struct charle_str text = sql->failed ? (struct charle_str){0} : charle_arena_str(arena, charle_buf_str(sql));
    charle_buf_reset(sql);
    return text;
}

// An array of texts against the key itself is one walk over its index, without a join's rescan for each key: two thirds of the time.
static void add_rows_select(const struct ch_table_views *views, struct ch_view *view, struct charle_buf *sql)
{
    charle_buf_printf(sql, "select %.*s", CHARLE_FMT(view->select_list));
    view->key_at = (int)(views->has_text_key ? charle_column_set_rank(&view->audience->columns, views->table->key_columns[0])
                                             : charle_column_set_count(&view->audience->columns));
    charle_buf_add_text(sql, views->has_text_key ? " from " : ", k.t from unnest($1::text[]) with ordinality as k(t, n) join ");
    charle_sql_write_name(sql, views->table->name);
    charle_buf_add_text(sql, views->has_text_key ? " r where " : " r on ");
    if (views->has_text_key) {
        add_column(key_column(views->table, 0), sql);
        charle_buf_add_text(sql, " = any($1::text[])");
    } else {
        add_key_match(views, "k.t", sql);
    }
    charle_buf_add_text(sql, " and ");
    add_in_scope(views->table, view->audience, "$2", sql);
    charle_buf_printf(sql, " order by %.*s", CHARLE_FMT(views->has_text_key ? views->order : CHARLE_STR("k.n")));
}

static void add_select_list(const struct charle_table *table, const struct charle_column_set *columns,
                            const struct ch_view_expressions *expressions, struct charle_buf *sql)
{
    bool is_first = true;
    for (size_t i = 0; i < table->column_count; i++) {
        if (!charle_column_set_has(columns, i))
            continue;
        charle_buf_add_text(sql, is_first ? "" : ", ");
        is_first = false;
        if (expressions && expressions->items[i])
            charle_buf_add_text(sql, expressions->items[i]);
        else
            add_column(&table->columns[i], sql);
    }
}

static bool init_view(const struct ch_table_views *views, const struct charle_audience *audience,
                      const struct ch_view_expressions *expressions, struct charle_arena *arena, struct charle_buf *sql, struct ch_view *out)
{
    const struct charle_table *table = views->table;
    *out = (struct ch_view){.table = table, .audience = audience, .has_key = audience->kind != CHARLE_AUDIENCE_CONSTANT};
    add_select_list(table, &audience->columns, expressions, sql);
    out->select_list = keep(sql, arena);
    charle_buf_add_text(sql, "from ");
    charle_sql_write_name(sql, table->name);
    charle_buf_add_text(sql, " r where ");
    add_in_scope(table, audience, "$1", sql);
    out->from_where = keep(sql, arena);
    add_rows_select(views, out, sql);
    out->rows_sql = keep(sql, arena).ptr;
    return out->select_list.ptr && out->from_where.ptr && out->rows_sql;
}

static const char *make_scopes_sql(const struct ch_table_views *views, struct charle_arena *arena, struct charle_buf *sql)
{
    charle_buf_add_text(sql, "select k.t, s.scope from unnest($1::text[]) as k(t) join ");
    charle_sql_write_name(sql, views->table->name);
    charle_buf_add_text(sql, " r on ");
    add_key_match(views, "k.t", sql);
    charle_buf_add_text(sql, " cross join lateral (");
    for (size_t i = 0; i < views->table->audience_count; i++) {
        charle_buf_add_text(sql, i ? " union " : "");
        ch_view_add_scopes_of(views->table, &views->table->audiences[i], sql);
    }
    // By its bytes, as the keys that are asked for are sorted: the database may sort texts otherwise.
    charle_buf_add_text(sql, ") as s(scope) order by k.t collate \"C\", s.scope collate \"C\"");
    return keep(sql, arena).ptr;
}

enum charle_err ch_table_views_init(const struct charle_table *table, const struct ch_view_expressions *expressions,
                                    struct charle_arena *arena, struct ch_table_views *out, struct charle_error *err)
{
    struct charle_buf sql = {0};
    const struct charle_column *key = key_column(table, 0);
    *out = (struct ch_table_views){.table = table, .view_count = table->audience_count};
    out->has_text_key = table->key_count == 1 && (key->field->type == CHARLE_TYPE_TEXT || key->field->type == CHARLE_TYPE_ENUM);
    out->views = charle_arena_array(arena, table->audience_count, sizeof(*out->views));
    for (size_t i = 0; i < table->key_count; i++) {
        charle_buf_add_text(&sql, i ? ", " : "");
        add_column(key_column(table, i), &sql);
    }
    out->order = keep(&sql, arena);
    bool ok = out->views && out->order.ptr;
    for (size_t i = 0; ok && i < table->audience_count; i++)
        ok = init_view(out, &table->audiences[i], expressions, arena, &sql, &out->views[i]);
    out->scopes_sql = ok ? make_scopes_sql(out, arena, &sql) : NULL;
    charle_buf_deinit(&sql);
    return out->scopes_sql ? CHARLE_OK
                           : charle_fail(err, CHARLE_NO_MEMORY, "no memory for the statements of table %.*s", CHARLE_FMT(table->name));
}

static void add_json_value(const struct charle_value *value, struct charle_buf *out)
{
    char text[CHARLE_TS_TEXT_SIZE];
    switch ((enum charle_type)value->type) {
    case CHARLE_TYPE_BOOL:
        charle_buf_add_text(out, value->boolean ? "true" : "false");
        break;
    case CHARLE_TYPE_INT4:
        charle_buf_printf(out, "%" PRId32, value->int4);
        break;
    case CHARLE_TYPE_INT8:
        charle_buf_printf(out, "%" PRId64, value->int8);
        break;
    case CHARLE_TYPE_DATE:
        charle_json_write_str(out, charle_str_n(text, charle_date_write(value->date, text)));
        break;
    case CHARLE_TYPE_TIMESTAMPTZ:
        charle_json_write_str(out, charle_str_n(text, charle_ts_write(value->ts, text)));
        break;
    case CHARLE_TYPE_UUID:
        charle_buf_add_byte(out, '"');
        for (size_t i = 0; i < sizeof(value->uuid.bytes); i++)
            charle_buf_printf(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", value->uuid.bytes[i]);
        charle_buf_add_byte(out, '"');
        break;
    case CHARLE_TYPE_NUMERIC:
        charle_buf_add_str(out, value->text);
        break;
    case CHARLE_TYPE_FLOAT8:
    case CHARLE_TYPE_TEXT:
    case CHARLE_TYPE_ENUM:
    case CHARLE_TYPE_BYTES:
    case CHARLE_TYPE_JSONB:
    case CHARLE_TYPE_MESSAGE:
    case CHARLE_TYPE_UINT4:
    case CHARLE_TYPE_UINT8:
    case CHARLE_TYPE_FLOAT4:
        charle_json_write_str(out, value->text);
        break;
    }
}

enum charle_err ch_view_key_of_row(const struct ch_table_views *views, struct charle_bytes row, struct charle_buf *out,
                                   struct charle_error *err)
{
    const struct charle_table *table = views->table;
    struct charle_value values[CH_COLUMNS_MAX];
    struct charle_arena arena = {0};
    struct charle_column_set set = charle_table_key_set(table);
    enum charle_err rc = charle_row_values(table, &set, row, &arena, values, err);
    if (rc == CHARLE_OK && views->has_text_key)
        charle_buf_add_str(out, values[0].text);
    for (size_t i = 0; rc == CHARLE_OK && !views->has_text_key && i < table->key_count; i++) {
        charle_buf_add_text(out, i ? ", " : "[");
        add_json_value(&values[charle_column_set_rank(&set, table->key_columns[i])], out);
    }
    if (rc == CHARLE_OK && !views->has_text_key)
        charle_buf_add_byte(out, ']');
    charle_arena_deinit(&arena);
    return rc;
}
