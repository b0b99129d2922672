// Conditions that are gathered one by one, copied out of the blocks they were written in.
#include "base/limits.h"
#include "db/query.h"

static bool copy_expr(struct charle_arena *arena, struct charle_expr *expr, int depth);

static void *copy_bytes(struct charle_arena *arena, const void *from, size_t count, size_t size)
{
    void *copy = charle_arena_array(arena, count ? count : 1, size);
    if (copy && count)
        memcpy(copy, from, count * size);
    return copy;
}

static bool copy_list(struct charle_arena *arena, struct charle_expr *expr, int depth)
{
    struct charle_expr *list = copy_bytes(arena, expr->list, expr->count, sizeof(*list));
    expr->list = list;
    for (size_t i = 0; list && i < expr->count; i++)
        if (!copy_expr(arena, &list[i], depth + 1))
            return false;
    return list != NULL;
}

// The items become operands of their own, since their C type is known to their function only.
static struct charle_operand item_of_operands(const void *items, size_t index)
{
    return ((const struct charle_operand *)items)[index];
}

static bool copy_items(struct charle_arena *arena, struct charle_expr *expr)
{
    struct charle_operand *items = charle_arena_array(arena, expr->count ? expr->count : 1, sizeof(*items));
    for (size_t i = 0; items && i < expr->count; i++)
        items[i] = expr->item(expr->items, i);
    expr->items = items;
    expr->item = item_of_operands;
    return items != NULL;
}

static bool copy_query(struct charle_arena *arena, struct charle_expr *expr, int depth)
{
    struct charle_query *query = copy_bytes(arena, expr->query, 1, sizeof(*query));
    if (!query)
        return false;
    struct charle_clause *clauses = copy_bytes(arena, query->clauses, query->clause_count, sizeof(*clauses));
    query->clauses = clauses;
    expr->query = query;
    for (size_t i = 0; clauses && i < query->clause_count; i++) {
        struct charle_clause *c = &clauses[i];
        if (c->order)
            c->order = copy_bytes(arena, c->order, c->count, sizeof(*c->order));
        if (c->columns)
            c->columns = copy_bytes(arena, c->columns, c->count, sizeof(*c->columns));
        if (!copy_expr(arena, &c->expr, depth + 1))
            return false;
    }
    return clauses != NULL;
}

// Texts and bytes inside values stay the caller's; they are not temporaries of an expression.
static bool copy_expr(struct charle_arena *arena, struct charle_expr *expr, int depth)
{
    if (depth > CH_QUERY_DEPTH_MAX)
        return false;
    if (expr->list)
        return copy_list(arena, expr, depth);
    if (expr->items)
        return copy_items(arena, expr);
    if (expr->query)
        return copy_query(arena, expr, depth);
    if (expr->values) {
        expr->values = copy_bytes(arena, expr->values, expr->count, sizeof(*expr->values));
        return expr->values != NULL;
    }
    return true;
}

void charle_conditions_add(struct charle_conditions *conditions, struct charle_expr condition)
{
    if (conditions->failed)
        return;
    if (conditions->count == conditions->capacity) {
        size_t capacity = conditions->capacity ? conditions->capacity * 2 : 8;
        struct charle_expr *list = charle_arena_array(conditions->arena, capacity, sizeof(*list));
        if (!list) {
            conditions->failed = CHARLE_NO_MEMORY;
            return;
        }
        if (conditions->count)
            memcpy(list, conditions->list, conditions->count * sizeof(*list));
        conditions->list = list;
        conditions->capacity = capacity;
    }
    if (copy_expr(conditions->arena, &condition, 0))
        conditions->list[conditions->count++] = condition;
    else
        conditions->failed = CHARLE_NO_MEMORY;
}

struct charle_expr charle_conditions_all(const struct charle_conditions *conditions)
{
    // What lost a condition must not let more rows through: building refuses a raw condition without a text.
    if (conditions->failed)
        return (struct charle_expr){.op = CHARLE_OP_RAW};
    return (struct charle_expr){.op = CHARLE_OP_AND, .list = conditions->list, .count = conditions->count};
}
