// Conditions as SQL.
#include "base/limits.h"
#include "db/sql.h"

// Numerics are text in SQLite: equality is equality of canonical texts, order needs the collation.
static bool needs_numeric_order(const struct ch_sql *sql, struct charle_colref ref)
{
    return sql->dialect == CHARLE_SQLITE && ch_sql_type(ref) == CHARLE_TYPE_NUMERIC;
}

static void comparison(struct ch_sql *sql, const struct charle_expr *expr, const char *sign, bool is_order)
{
    ch_sql_ref(sql, expr->left);
    if (is_order && needs_numeric_order(sql, expr->left))
        ch_sql_add(sql, " collate charle_numeric");
    ch_sql_add(sql, sign);
    ch_sql_operand(sql, expr->left, &expr->right);
}

// PostgreSQL fails when it meets such a pattern, SQLite matches nothing; so it is refused for both.
static bool ends_in_lone_backslash(const struct charle_operand *pattern)
{
    size_t count = 0, len = pattern->value.text.len;
    if (pattern->is_column)
        return false;
    while (count < len && pattern->value.text.ptr[len - 1 - count] == '\\')
        count++;
    return count % 2;
}

static void like(struct ch_sql *sql, const struct charle_expr *expr)
{
    if (ends_in_lone_backslash(&expr->right)) {
        ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT,
                    "the pattern \"%.*s\" ends in a backslash; write two for the character itself",
                    CHARLE_FMT(expr->right.value.text));
        return;
    }
    if (expr->op == CHARLE_OP_LIKE) {
        ch_sql_ref(sql, expr->left);
        ch_sql_add(sql, " like ");
        ch_sql_operand(sql, expr->left, &expr->right);
    } else { // both fold ASCII only: PostgreSQL in the collation "C", SQLite always
        bool is_pg = sql->dialect == CHARLE_PG;
        ch_sql_add(sql, "lower(");
        ch_sql_ref(sql, expr->left);
        ch_sql_add(sql, is_pg ? " collate \"C\") like lower((" : ") like lower((");
        ch_sql_operand(sql, expr->left, &expr->right);
        ch_sql_add(sql, is_pg ? ")::text collate \"C\")" : "))");
    }
    ch_sql_add(sql, " escape '\\'");
}

// The list is filled up with its last value to the next power of two, so that lists of any length make few statements.
static void in_list(struct ch_sql *sql, const struct charle_expr *expr)
{
    if (expr->count == 0) {
        ch_sql_add(sql, "1 = 0");
        return;
    }
    if (expr->count > CH_QUERY_IN_MAX) {
        ch_sql_fail(sql, CHARLE_TOO_LARGE, "a list of %zu values; at most %d can be looked for at once", expr->count,
                    CH_QUERY_IN_MAX);
        return;
    }
    size_t padded = 1;
    while (padded < expr->count)
        padded *= 2;
    ch_sql_ref(sql, expr->left);
    ch_sql_add(sql, " in (");
    for (size_t i = 0; i < padded && !sql->failed; i++) {
        struct charle_operand operand = expr->item(expr->items, i < expr->count ? i : expr->count - 1);
        ch_sql_add(sql, i ? ", " : "");
        ch_sql_operand(sql, expr->left, &operand);
    }
    ch_sql_add(sql, ")");
}

// False for a NULL array, in both.
static void has_element(struct ch_sql *sql, const struct charle_expr *expr)
{
    bool is_pg = sql->dialect == CHARLE_PG;
    ch_sql_add(sql, is_pg ? "coalesce(" : "exists (select 1 from json_each(");
    if (is_pg)
        ch_sql_operand(sql, expr->left, &expr->right);
    else
        ch_sql_ref(sql, expr->left);
    ch_sql_add(sql, is_pg ? " = any (" : ") where value = ");
    if (is_pg)
        ch_sql_ref(sql, expr->left);
    else
        ch_sql_operand(sql, expr->left, &expr->right);
    ch_sql_add(sql, is_pg ? "), false)" : ")");
}

static void list(struct ch_sql *sql, const struct charle_expr *expr)
{
    bool is_and = expr->op == CHARLE_OP_AND;
    if (expr->count == 0) {
        ch_sql_add(sql, is_and ? "1 = 1" : "1 = 0");
        return;
    }
    ch_sql_add(sql, "(");
    for (size_t i = 0; i < expr->count; i++) {
        ch_sql_add(sql, i == 0 ? "" : is_and ? " and " : " or ");
        ch_sql_expr(sql, &expr->list[i]);
    }
    ch_sql_add(sql, ")");
}

static void exists(struct ch_sql *sql, const struct charle_expr *expr)
{
    bool may_aggregate = sql->may_aggregate;
    ch_sql_add(sql, "exists (");
    ch_sql_select(sql, expr->query);
    ch_sql_add(sql, ")");
    sql->may_aggregate = may_aggregate;
}

static const char *skip_quoted(const char *at)
{
    char quote = *at++;
    while (*at && *at != quote)
        at++;
    return *at ? at + 1 : at;
}

// The values' numbers are moved behind those that the statement has already.
static void raw(struct ch_sql *sql, const struct charle_expr *expr)
{
    size_t base = sql->value_count;
    size_t length = sql->text.size;
    if (!expr->raw) {
        ch_sql_fail(sql, CHARLE_NO_MEMORY, "out of memory while conditions were gathered");
        return;
    }
    ch_sql_add(sql, "(");
    for (size_t i = 0; i < expr->count; i++)
        ch_sql_bind(sql, &expr->values[i]);
    if (sql->failed)
        return;
    sql->text.size = length; // bind wrote the numbers, which belong where the text has them
    ch_sql_add(sql, "(");
    for (const char *at = expr->raw; *at;) {
        if (*at == '\'' || *at == '"') {
            const char *end = skip_quoted(at);
            charle_buf_add(&sql->text, at, (size_t)(end - at));
            at = end;
        } else if (*at == '$' && at[1] >= '1' && at[1] <= '9') {
            size_t number = 0;
            for (at++; *at >= '0' && *at <= '9' && number < CH_PARAMS_MAX; at++)
                number = number * 10 + (size_t)(*at - '0');
            if (number > expr->count) {
                ch_sql_fail(sql, CHARLE_INVALID_ARGUMENT, "the raw condition has $%zu, and %zu values were given",
                            number, expr->count);
                return;
            }
            charle_buf_printf(&sql->text, "$%zu", base + number);
        } else {
            charle_buf_add_byte(&sql->text, (uint8_t)*at++);
        }
    }
    ch_sql_add(sql, ")");
}

static void one(struct ch_sql *sql, const struct charle_expr *expr)
{
    switch (expr->op) {
    case CHARLE_OP_EQ:
        comparison(sql, expr, " = ", false);
        break;
    case CHARLE_OP_NE:
        comparison(sql, expr, " <> ", false);
        break;
    case CHARLE_OP_GT:
        comparison(sql, expr, " > ", true);
        break;
    case CHARLE_OP_GTE:
        comparison(sql, expr, " >= ", true);
        break;
    case CHARLE_OP_LT:
        comparison(sql, expr, " < ", true);
        break;
    case CHARLE_OP_LTE:
        comparison(sql, expr, " <= ", true);
        break;
    case CHARLE_OP_LIKE:
    case CHARLE_OP_ILIKE:
        like(sql, expr);
        break;
    case CHARLE_OP_IS_NULL:
        ch_sql_ref(sql, expr->left);
        ch_sql_add(sql, " is null");
        break;
    case CHARLE_OP_IN:
        in_list(sql, expr);
        break;
    case CHARLE_OP_HAS:
        has_element(sql, expr);
        break;
    case CHARLE_OP_AND:
    case CHARLE_OP_OR:
        list(sql, expr);
        break;
    case CHARLE_OP_NOT:
        ch_sql_add(sql, "not (");
        ch_sql_expr(sql, expr->list);
        ch_sql_add(sql, ")");
        break;
    case CHARLE_OP_EXISTS:
        exists(sql, expr);
        break;
    case CHARLE_OP_RAW:
        raw(sql, expr);
        break;
    case CHARLE_OP_EVERY_ROW:
        ch_sql_add(sql, "1 = 1");
        break;
    }
}

void ch_sql_expr(struct ch_sql *sql, const struct charle_expr *expr)
{
    if (sql->failed)
        return;
    if (++sql->depth > CH_QUERY_DEPTH_MAX)
        ch_sql_fail(sql, CHARLE_TOO_LARGE, "a condition nests more than %d deep", CH_QUERY_DEPTH_MAX);
    else
        one(sql, expr);
    sql->depth--;
}

static bool is_always_list(const struct charle_expr *expr, bool truth)
{
    // and is true when all are, false when one is; or the other way round; an empty and is true, an empty or false
    bool all = (expr->op == CHARLE_OP_AND) == truth;
    for (size_t i = 0; i < expr->count; i++)
        if (ch_sql_is_always(&expr->list[i], truth) != all)
            return !all;
    return all;
}

bool ch_sql_is_always(const struct charle_expr *expr, bool truth)
{
    switch (expr->op) {
    case CHARLE_OP_AND:
    case CHARLE_OP_OR:
        return is_always_list(expr, truth);
    case CHARLE_OP_NOT:
        return ch_sql_is_always(expr->list, !truth);
    case CHARLE_OP_IN:
        return expr->count == 0 && !truth;
    case CHARLE_OP_EVERY_ROW:
        return truth;
    case CHARLE_OP_EQ:
    case CHARLE_OP_NE:
    case CHARLE_OP_GT:
    case CHARLE_OP_GTE:
    case CHARLE_OP_LT:
    case CHARLE_OP_LTE:
    case CHARLE_OP_LIKE:
    case CHARLE_OP_ILIKE:
    case CHARLE_OP_IS_NULL:
    case CHARLE_OP_HAS:
    case CHARLE_OP_EXISTS:
    case CHARLE_OP_RAW:
        break;
    }
    return false;
}
