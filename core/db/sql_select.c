// SELECT: tables, the shape of the answer, grouping, order, limits.
#include "base/limits.h"
#include "db/sql.h"

static void add_table(struct ch_sql *sql, struct ch_sql_scope *scope, struct charle_colref ref, bool is_outer)
{
    if (sql->failed)
        return;
    if (!ref.table) {
        ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT, "from() and joins take a table's constant, as in from(task)");
        return;
    }
    for (size_t i = 0; i < scope->count; i++)
        if (scope->tables[i].table == ref.table && scope->tables[i].alias == ref.alias) {
            ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT, "\"%.*s\" is joined twice; give one of them an alias",
                        CHARLE_FMT(ref.table->name));
            return;
        }
    if (scope->count == CH_QUERY_TABLES_MAX) {
        ch_sql_fail(sql, CHARLE_TOO_LARGE, "a statement joins more than %d tables", CH_QUERY_TABLES_MAX);
        return;
    }
    ch_sql_check_table(sql, ref.table);
    scope->tables[scope->count++] = (struct ch_sql_table){ref.table, ref.alias, is_outer};
}

static bool is_table_clause(const struct charle_clause *clause)
{
    return clause->kind == CHARLE_CLAUSE_FROM || clause->kind == CHARLE_CLAUSE_INNER_JOIN ||
           clause->kind == CHARLE_CLAUSE_LEFT_JOIN || clause->kind == CHARLE_CLAUSE_CROSS_JOIN;
}

static void gather_tables(struct ch_sql *sql, const struct charle_query *query, struct ch_sql_scope *scope)
{
    if (query->table.table)
        add_table(sql, scope, query->table, false);
    for (size_t i = 0; i < query->clause_count; i++)
        if (is_table_clause(&query->clauses[i]))
            add_table(sql, scope, query->clauses[i].table, query->clauses[i].kind == CHARLE_CLAUSE_LEFT_JOIN);
    if (scope->count == 0)
        ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT, "a select needs from(…)");
}

static void write_table(struct ch_sql *sql, struct charle_colref ref)
{
    charle_sql_write_name(&sql->text, ref.table->name);
    if (ref.alias) {
        ch_sql_add(sql, " as ");
        ch_sql_table_name(sql, ref.table, ref.alias);
    }
}

static void write_from(struct ch_sql *sql, const struct charle_query *query)
{
    bool is_first = true;
    if (sql->failed)
        return;
    ch_sql_add(sql, " from ");
    if (query->table.table) {
        write_table(sql, query->table);
        is_first = false;
    }
    for (int joins = 0; joins < 2; joins++) // from() may be written behind its joins
        for (size_t i = 0; i < query->clause_count && !sql->failed; i++) {
            const struct charle_clause *clause = &query->clauses[i];
            bool is_from = clause->kind == CHARLE_CLAUSE_FROM;
            if (!is_table_clause(clause) || is_from == (joins == 1))
                continue;
            if (is_first && !is_from)
                ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT, "a join needs a from() to be joined with");
            ch_sql_add(sql, is_first                                              ? ""
                            : is_from || clause->kind == CHARLE_CLAUSE_CROSS_JOIN ? " cross join "
                            : clause->kind == CHARLE_CLAUSE_LEFT_JOIN             ? " left join "
                                                                                  : " join ");
            is_first = false;
            write_table(sql, clause->table);
            if (clause->kind == CHARLE_CLAUSE_INNER_JOIN || clause->kind == CHARLE_CLAUSE_LEFT_JOIN) {
                ch_sql_add(sql, " on ");
                ch_sql_expr(sql, &clause->expr);
            }
        }
}

static const struct charle_clause *find(const struct charle_query *query, enum charle_clause_kind kind)
{
    for (size_t i = 0; i < query->clause_count; i++)
        if (query->clauses[i].kind == kind)
            return &query->clauses[i];
    return NULL;
}

static bool same(struct charle_colref a, struct charle_colref b)
{
    return a.table == b.table && a.column == b.column && a.alias == b.alias;
}

// --- the select list ------------------------------------------------------------------------------------------------

static bool has_aggregate(const struct charle_shape_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (charle_colref_function(fields[i].ref) != CHARLE_FN_NONE)
            return true;
    return false;
}

// PostgreSQL refuses such a column, SQLite would take any row of the group.
static void check_grouped(struct ch_sql *sql, const struct charle_clause *group_by, struct charle_colref ref)
{
    const struct charle_column *column = ch_sql_column(ref);
    if (charle_colref_function(ref) != CHARLE_FN_NONE || !column)
        return;
    for (size_t i = 0; group_by && i < group_by->count; i++)
        if (same(group_by->columns[i], ref))
            return;
    ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT, "%.*s.%.*s is neither in group_by() nor in an aggregate",
                CHARLE_FMT(ref.table->name), CHARLE_FMT(column->name));
}

static void check_presence(struct ch_sql *sql, const struct charle_shape_field *field)
{
    const struct ch_sql_table *table = ch_sql_find(sql, field->ref);
    if (table && table->is_outer && field->presence == CHARLE_PLAIN &&
        charle_colref_function(field->ref) == CHARLE_FN_NONE)
        ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT,
                    "%.*s.%s comes from a left join and may be missing; take it as OUTER(%s, …)",
                    CHARLE_FMT(field->ref.table->name), field->name, field->name);
}

void ch_sql_shape(struct ch_sql *sql, const struct charle_query *query, bool is_grouped)
{
    struct charle_shape_field fields[CH_QUERY_FIELDS_MAX];
    size_t count = query->shape(NULL);
    const struct charle_clause *group_by = find(query, CHARLE_CLAUSE_GROUP_BY);
    if (count > CH_QUERY_FIELDS_MAX) {
        ch_sql_fail(sql, CHARLE_TOO_LARGE, "a row of %zu members; at most %d are possible", count, CH_QUERY_FIELDS_MAX);
        return;
    }
    query->shape(fields);
    is_grouped = is_grouped && (group_by || has_aggregate(fields, count));
    for (size_t i = 0; i < count && !sql->failed; i++) {
        ch_sql_add(sql, i ? ", " : "");
        ch_sql_ref(sql, fields[i].ref);
        check_presence(sql, &fields[i]);
        if (is_grouped)
            check_grouped(sql, group_by, fields[i].ref);
    }
}

static void write_answer(struct ch_sql *sql, const struct charle_query *query)
{
    struct charle_buf qualifier = {0};
    if (query->shape) {
        ch_sql_shape(sql, query, true);
    } else if (query->has_rows) {
        struct charle_column_set all = charle_table_all_columns(query->table.table);
        charle_sql_write_name(&qualifier, query->table.table->name);
        charle_buf_add_text(&qualifier, ".");
        charle_table_write_columns(query->table.table, &all, charle_buf_text(&qualifier), &sql->text);
        charle_buf_deinit(&qualifier);
    } else {
        ch_sql_add(sql, "1"); // exists() asks only whether there is a row
    }
}

// --- the rest -------------------------------------------------------------------------------------------------------

static bool is_comparable(struct charle_colref ref)
{
    const struct charle_column *column = ch_sql_column(ref);
    return !column || (!column->is_array && column->field->type != CHARLE_TYPE_JSONB);
}

static void write_group_by(struct ch_sql *sql, const struct charle_clause *clause)
{
    ch_sql_add(sql, " group by ");
    for (size_t i = 0; i < clause->count && !sql->failed; i++) {
        ch_sql_add(sql, i ? ", " : "");
        if (!is_comparable(clause->columns[i]))
            ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT,
                        "rows cannot be grouped by JSON or an array: the databases compare them differently");
        ch_sql_ref(sql, clause->columns[i]);
    }
}

static void write_order(struct ch_sql *sql, const struct charle_order *order)
{
    bool is_sqlite = sql->dialect == CHARLE_SQLITE;
    ch_sql_ref(sql, order->ref);
    if (sql->failed)
        return;
    if (is_sqlite && ch_sql_type(order->ref) == CHARLE_TYPE_NUMERIC)
        ch_sql_add(sql, " collate charle_numeric");
    if (order->is_descending)
        ch_sql_add(sql, " desc");
    // To PostgreSQL a NULL is larger than everything, to SQLite smaller.
    bool nulls_last = order->nulls ? order->nulls > 0 : !order->is_descending;
    if (order->nulls || (is_sqlite && ch_sql_may_be_null(sql, order->ref)))
        ch_sql_add(sql, nulls_last ? " nulls last" : " nulls first");
}

static bool is_in_answer(const struct charle_query *query, struct charle_colref ref)
{
    struct charle_shape_field fields[CH_QUERY_FIELDS_MAX];
    size_t count = query->shape ? query->shape(fields) : 0;
    for (size_t i = 0; i < count; i++)
        if (same(fields[i].ref, ref))
            return true;
    return !query->shape && ref.table == query->table.table && ref.alias == query->table.alias;
}

static void write_order_by(struct ch_sql *sql, const struct charle_query *query, const struct charle_clause *clause)
{
    const struct charle_clause *group_by = find(query, CHARLE_CLAUSE_GROUP_BY);
    bool is_distinct = find(query, CHARLE_CLAUSE_DISTINCT) != NULL;
    ch_sql_add(sql, " order by ");
    for (size_t i = 0; i < clause->count && !sql->failed; i++) {
        ch_sql_add(sql, i ? ", " : "");
        write_order(sql, &clause->order[i]);
        if (group_by)
            check_grouped(sql, group_by, clause->order[i].ref);
        if (is_distinct && !is_in_answer(query, clause->order[i].ref))
            ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT, "distinct rows can be ordered only by what is in them");
    }
}

static void check_distinct(struct ch_sql *sql, const struct charle_query *query)
{
    struct charle_shape_field fields[CH_QUERY_FIELDS_MAX];
    size_t count = query->shape ? query->shape(fields) : 0;
    for (size_t i = 0; i < count; i++)
        if (!is_comparable(fields[i].ref))
            ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT,
                        "distinct rows cannot hold JSON or an array: the databases compare them differently");
    if (!query->shape)
        ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT, "whole rows are distinct already");
}

static void write_limit(struct ch_sql *sql, const struct charle_query *query)
{
    const struct charle_clause *limit = find(query, CHARLE_CLAUSE_LIMIT), *offset = find(query, CHARLE_CLAUSE_OFFSET);
    struct charle_value value;
    if ((limit && limit->number < 0) || (offset && offset->number < 0))
        ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT, "limit() and offset() cannot be negative");
    if (limit) {
        value = charle_int8(limit->number);
        ch_sql_add(sql, " limit ");
        ch_sql_bind(sql, &value);
    } else if (offset && sql->dialect == CHARLE_SQLITE) {
        ch_sql_add(sql, " limit -1"); // SQLite has no offset without a limit
    }
    if (offset) {
        value = charle_int8(offset->number);
        ch_sql_add(sql, " offset ");
        ch_sql_bind(sql, &value);
    }
}

static void check_once(struct ch_sql *sql, const struct charle_query *query)
{
    for (size_t i = 0; i < query->clause_count; i++)
        for (size_t k = i + 1; k < query->clause_count; k++)
            if (query->clauses[i].kind == query->clauses[k].kind && query->clauses[i].kind >= CHARLE_CLAUSE_WHERE)
                ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT,
                            "a select has the same kind of clause twice; join conditions with and()");
}

static void write_filter(struct ch_sql *sql, const char *word, const struct charle_clause *clause)
{
    if (!clause)
        return;
    ch_sql_add(sql, word);
    ch_sql_expr(sql, &clause->expr);
}

void ch_sql_select(struct ch_sql *sql, const struct charle_query *query)
{
    struct ch_sql_scope scope = {.around = sql->scope};
    const struct charle_clause *group_by = find(query, CHARLE_CLAUSE_GROUP_BY);
    const struct charle_clause *order_by = find(query, CHARLE_CLAUSE_ORDER_BY);
    gather_tables(sql, query, &scope);
    check_once(sql, query);
    sql->scope = &scope;
    sql->may_aggregate = true;
    ch_sql_add(sql, "select ");
    if (find(query, CHARLE_CLAUSE_DISTINCT)) {
        ch_sql_add(sql, "distinct ");
        check_distinct(sql, query);
    }
    if (!sql->failed)
        write_answer(sql, query);
    sql->may_aggregate = false;
    write_from(sql, query);
    write_filter(sql, " where ", find(query, CHARLE_CLAUSE_WHERE));
    if (group_by)
        write_group_by(sql, group_by);
    sql->may_aggregate = true;
    write_filter(sql, " having ", find(query, CHARLE_CLAUSE_HAVING));
    if (order_by)
        write_order_by(sql, query, order_by);
    write_limit(sql, query);
    sql->scope = scope.around;
}
