// charle query: reads the replica, by typed names or by SQL. Never writes, needs no network.
#include "laptop.h"
#include "output.h"
#include "watch.h"

#include <string.h>

enum { COLUMNS_MAX = 128 };

struct query {
    const char *columns; // "id,title"; NULL: all
    const char *order;   // "created_at", "-created_at"; NULL: none
    const char *limit;
    const char *wheres[CLI_LIST_MAX];
    size_t where_count;
    bool is_watched;
    const char *key;     // of a watched SQL text
};

// What the statement is made of: names are checked against the schema and quoted, values are bound.
struct plan {
    const struct charle_table *table;
    struct charle_buf sql;
    const struct charle_column *shown[COLUMNS_MAX];
    size_t shown_count;
    struct charle_value params[CLI_LIST_MAX];
    size_t param_count;
};

static const struct charle_column *find_column(const struct charle_table *table, struct charle_str name, struct charle_error *err)
{
    const struct charle_column *column = charle_table_column(table, name);
    if (column && charle_column_set_has(table->replica_columns, column->index))
        return column;
    if (column)
        charle_fail(err, CHARLE_INVALID_ARGUMENT, "column \"%.*s\" of %.*s stays on the server", CHARLE_FMT(name), CHARLE_FMT(table->name));
    else
        charle_fail(err, CHARLE_INVALID_ARGUMENT, "there is no column \"%.*s\" in %.*s; `%s query %.*s --limit 1` shows those there are",
                    CHARLE_FMT(name), CHARLE_FMT(table->name), CLI_NAME, CHARLE_FMT(table->name));
    return NULL;
}

static enum charle_err plan_columns(struct plan *plan, const char *list, struct charle_error *err)
{
    charle_buf_add_text(&plan->sql, "select ");
    const char *next = list;
    for (size_t i = 0; list ? *next != '\0' : i < plan->table->column_count; i++) {
        const struct charle_column *column = NULL;
        if (list) {
            size_t len = strcspn(next, ",");
            column = find_column(plan->table, charle_str_n(next, len), err);
            if (!column)
                return CHARLE_INVALID_ARGUMENT;
            next += len + (next[len] == ',');
        } else if (charle_column_set_has(plan->table->replica_columns, i)) {
            column = &plan->table->columns[i];
        }
        if (!column)
            continue;
        if (plan->shown_count == COLUMNS_MAX)
            return charle_fail(err, CHARLE_INVALID_ARGUMENT, "more than %d columns", COLUMNS_MAX);
        charle_buf_printf(&plan->sql, "%s\"%.*s\"", plan->shown_count ? ", " : "", CHARLE_FMT(column->name));
        plan->shown[plan->shown_count++] = column;
    }
    charle_buf_printf(&plan->sql, " from \"%.*s\"", CHARLE_FMT(plan->table->name));
    return CHARLE_OK;
}

// The text of a condition's value as the column's type.
static enum charle_err read_value(const struct charle_column *column, struct charle_str text, struct charle_value *out,
                                  struct charle_error *err)
{
    *out = (struct charle_value){.type = CHARLE_TYPE_TEXT, .text = text};
    bool ok = true;
    long number = 0;
    switch (column->field->type) {
    case CHARLE_TYPE_BOOL:
        ok = charle_str_equal(text, CHARLE_STR("true")) || charle_str_equal(text, CHARLE_STR("false"));
        *out = charle_bool(ok && text.ptr[0] == 't');
        break;
    case CHARLE_TYPE_INT4:
    case CHARLE_TYPE_INT8:
        if (!cli_read_number(column->name.ptr, text.ptr, INT64_MIN, INT64_MAX, &number))
            return charle_fail(err, CHARLE_INVALID_ARGUMENT, "\"%s\" is no whole number", text.ptr);
        *out = charle_int8(number);
        break;
    case CHARLE_TYPE_TIMESTAMPTZ:
        out->type = CHARLE_TYPE_TIMESTAMPTZ;
        ok = charle_ts_read(text, &out->ts);
        break;
    case CHARLE_TYPE_DATE:
        out->type = CHARLE_TYPE_DATE;
        ok = charle_date_read(text, &out->date);
        break;
    default:
        break;
    }
    return ok ? CHARLE_OK
              : charle_fail(err, CHARLE_INVALID_ARGUMENT, "\"%.*s\" does not fit column %.*s of type %s", CHARLE_FMT(text),
                            CHARLE_FMT(column->name), charle_type_name((enum charle_type)column->field->type));
}

static enum charle_err plan_where(struct plan *plan, const char *condition, struct charle_error *err)
{
    static const char *const ops[] = {"!=", ">=", "<=", "=", ">", "<", "~"};
    static const char *const sql[] = {"<>", ">=", "<=", "=", ">", "<", "like"};
    size_t name_len = strcspn(condition, "!<>=~");
    const char *rest = condition + name_len;
    size_t op = 0;
    while (op < 7 && strncmp(rest, ops[op], strlen(ops[op])) != 0)
        op++;
    if (op == 7)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "\"%s\" is no condition; write column=value, with = != < <= > >= or ~ (like)",
                           condition);
    const struct charle_column *column = find_column(plan->table, charle_str_n(condition, name_len), err);
    if (!column)
        return CHARLE_INVALID_ARGUMENT;
    struct charle_str text = charle_str(rest + strlen(ops[op]));
    charle_buf_printf(&plan->sql, " %s \"%.*s\" ", plan->param_count ? "and" : "where", CHARLE_FMT(column->name));
    if (charle_str_equal(text, CHARLE_STR("null")) && (op == 0 || op == 3)) {
        charle_buf_add_text(&plan->sql, op ? "is null" : "is not null");
        return CHARLE_OK;
    }
    charle_buf_printf(&plan->sql, "%s $%zu", sql[op], plan->param_count + 1);
    return read_value(column, text, &plan->params[plan->param_count++], err);
}

static enum charle_err plan_query(struct plan *plan, const struct query *query, struct charle_error *err)
{
    enum charle_err rc = plan_columns(plan, query->columns, err);
    for (size_t i = 0; !rc && i < query->where_count; i++)
        rc = plan_where(plan, query->wheres[i], err);
    if (!rc && query->order) {
        bool is_descending = query->order[0] == '-';
        const struct charle_column *column = find_column(plan->table, charle_str(query->order + is_descending), err);
        if (!column)
            return CHARLE_INVALID_ARGUMENT;
        charle_buf_printf(&plan->sql, " order by \"%.*s\"%s", CHARLE_FMT(column->name), is_descending ? " desc" : "");
    }
    long limit = 0;
    if (!rc && query->limit) {
        if (!cli_read_number("--limit", query->limit, 1, 100000000, &limit))
            return charle_fail(err, CHARLE_INVALID_ARGUMENT, "no rows asked for");
        charle_buf_printf(&plan->sql, " limit %ld", limit);
    }
    return rc;
}

static int print(struct cli *cli, struct charle_client *client, struct plan *plan, enum output_format format)
{
    struct charle_error err = {0};
    struct charle_rows *rows = NULL;
    size_t count = 0;
    const char *sql = charle_buf_text(&plan->sql);
    struct charle_db *db = charle_client_db(client);
    if (!sql || !db) {
        charle_fail(&err, CHARLE_IO, "the replica cannot be read; `%s` says why", cli_next(cli, "status"));
        return cli_fail(cli, &err);
    }
    enum charle_err rc = charle_query(db, sql, plan->params, plan->param_count, &rows, &err);
    if (!rc)
        rc = output_rows(rows, plan->table ? plan->shown : NULL, format, stdout, &count, &err);
    charle_rows_close(rows);
    if (rc == CHARLE_READ_ONLY)
        rc = charle_fail(&err, CHARLE_READ_ONLY, "a query cannot change anything, the replica is readonly to it; `charle call` makes changes");
    if (!rc && format == OUTPUT_TABLE)
        printf("(%zu row%s)\n", count, count == 1 ? "" : "s");
    return rc ? cli_fail(cli, &err) : CLI_OK;
}

// The primary key of a table when all of it is shown.
static const char *key_of(struct cli *cli, const struct plan *plan)
{
    struct charle_buf names = {0};
    bool is_shown = plan->table != NULL;
    for (size_t i = 0; is_shown && i < plan->table->key_count; i++) {
        const struct charle_column *column = &plan->table->columns[plan->table->key_columns[i]];
        bool is_found = false;
        for (size_t c = 0; c < plan->shown_count; c++)
            is_found = is_found || plan->shown[c] == column;
        is_shown = is_found;
        charle_buf_printf(&names, "%s%.*s", i ? "," : "", CHARLE_FMT(column->name));
    }
    const char *text = is_shown ? charle_buf_text(&names) : NULL;
    text = text ? charle_arena_str(&cli->arena, charle_str(text)).ptr : NULL;
    charle_buf_deinit(&names);
    return text;
}

static int watch(struct cli *cli, struct charle_client *client, struct plan *plan, const struct query *query, enum output_format format)
{
    const struct watch_query watched = {.sql = charle_buf_text(&plan->sql), .params = plan->params, .param_count = plan->param_count,
                                        .key = query->key ? query->key : key_of(cli, plan), .columns = plan->table ? plan->shown : NULL,
                                        .format = format};
    return watch_query(cli, client, &watched);
}

static int unknown_table(const struct cli_command *command, const struct charle_schema *schema, const char *name)
{
    const char *names[COLUMNS_MAX * 4] = {NULL};
    size_t count = 0;
    for (size_t i = 0; i < schema->table_count && count + 1 < COLUMNS_MAX * 4; i++) {
        if (schema->tables[i]->is_replicated || schema->tables[i]->is_local)
            names[count++] = schema->tables[i]->name.ptr;
    }
    const char *near = cli_nearest(name, names);
    cli_usage(command, "there is no table \"%s\"%s%s%s", name, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    fprintf(stderr, "Tables:");
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, " %s", names[i]);
    fprintf(stderr, "\nSQL is told from a table's name by its spaces: %s query \"select count(*) from %s\"\n", CLI_NAME, count ? names[0] : "task");
    return CLI_USAGE;
}

static int run(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    struct query query = {0};
    const char *format_name = NULL;
    const struct cli_option options[] = {
        {"--columns", "A,B", "only these columns", &query.columns, NULL, NULL, NULL},
        {"--where", "COL=VALUE", "only rows for which it holds: = != < <= > >= and ~ for like; repeatable", NULL, NULL, query.wheres, &query.where_count},
        {"--order", "[-]COL", "sorted by a column; - for descending", &query.order, NULL, NULL, NULL},
        {"--limit", "N", "at most so many rows", &query.limit, NULL, NULL, NULL},
        {"--format", "FORMAT", "table, json or csv", &format_name, NULL, NULL, NULL},
        {"--watch", NULL, "go on: print what comes (+), changes (~) and goes (-), until Ctrl-C", NULL, &query.is_watched, NULL, NULL},
        {"--key", "A,B", "with --watch: columns that tell rows apart; a table's primary key, SQL's whole rows", &query.key, NULL, NULL, NULL}};
    int count, code = CLI_USAGE;
    if (!cli_parse(cli, command, options, sizeof(options) / sizeof(options[0]), argc, argv, &count, &code))
        return code;
    if (count != 1)
        return cli_usage(command, "one table or one SQL text is needed");
    enum output_format format = cli->json ? OUTPUT_JSON : OUTPUT_TABLE;
    if (format_name && !output_format_read(format_name, &format))
        return cli_usage(command, "--format is table, json or csv, not \"%s\"", format_name);
    const bool is_sql = strchr(argv[0], ' ') != NULL;
    struct plan plan = {.table = is_sql ? NULL : charle_schema_table_named(cli->app->schema, charle_str(argv[0]))};
    if (!plan.table && !is_sql)
        return unknown_table(command, cli->app->schema, argv[0]);
    if (plan.table && !plan.table->is_replicated && !plan.table->is_local)
        return cli_usage(command, "table \"%s\" stays on the server", argv[0]);
    struct charle_error err = {0};
    if (plan.table ? plan_query(&plan, &query, &err) != CHARLE_OK : (charle_buf_add_text(&plan.sql, argv[0]), false)) {
        fprintf(stderr, "%s: %s\n", CLI_NAME, err.text);
        charle_buf_deinit(&plan.sql);
        return CLI_USAGE;
    }
    struct charle_client *client = laptop_open(cli, !query.is_watched, &code);
    if (client)
        code = query.is_watched ? watch(cli, client, &plan, &query, format) : print(cli, client, &plan, format);
    charle_client_close(client);
    charle_buf_deinit(&plan.sql);
    return code;
}

const struct cli_command cmd_query = {
    .name = "query",
    .arguments = "TABLE|SQL",
    .summary = "read the replica, by typed names or SQL",
    .help = "Reads this laptop's replica; works without a network and cannot change anything. With a table's name, columns and values\n"
            "are checked against the schema. Anything with a space in it is SQL for SQLite; timestamps are then microseconds.\n\n"
            "Examples:\n"
            "  charle query task --columns display_id,title,status --where status=development --order -updated_at --limit 5\n"
            "  charle query time_entry --where date\\>=2026-11-01 --format csv\n"
            "  charle query \"select status, count(*) from task group by 1\"\n"
            "  charle query task --where status=development --watch",
    .run = run,
};
