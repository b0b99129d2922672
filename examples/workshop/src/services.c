// The services written by hand: plain functions over a database handle. The same code runs on PostgreSQL and on a laptop's replica.
#include "usage.h"
#include "workshop.handlers.charle.h"

// Only what is needed: a laptop does not have the columns that its person is not shown, such as cost_cents.
#define SHELF(FIELD, OUTER) FIELD(id, part.id) FIELD(code, part.code) FIELD(stock, part.stock)
CHARLE_SHAPE(shelf, SHELF);
#define ON_BENCH(FIELD, OUTER) FIELD(number, repair.number) FIELD(state, repair.state) FIELD(mechanic_id, repair.mechanic_id)
CHARLE_SHAPE(on_bench, ON_BENCH);

// The repair, when the caller may work on it.
static enum charle_err check_repair(struct charle_context *context, struct charle_str id, struct charle_error *err)
{
    struct on_bench found;
    enum charle_err rc = charle_fetch_one(context->db, context->arena, charle_select(on_bench, from(repair), where(eq(repair.id, id))),
                                          &found, err);
    if (rc == CHARLE_NOT_FOUND)
        return charle_fail(err, CHARLE_NOT_FOUND, "there is no repair %.*s, or it is not yours to see", CHARLE_FMT(id));
    if (rc)
        return rc;
    bool is_mine = found.mechanic_id.has && charle_str_equal(found.mechanic_id.value, context->identity->id);
    if (!is_mine && !charle_context_holds(context, CHARLE_STR("desk")))
        return charle_fail(err, CHARLE_PERMISSION_DENIED, "repair #%d is on another bench", found.number);
    if (found.state != WORKSHOP_REPAIR_STATE_IN_WORK)
        return charle_fail(err, CHARLE_FAILED_PRECONDITION, "repair #%d is not in work", found.number);
    return CHARLE_OK;
}

// A failure anywhere rolls all of the call back, here and on the server.
enum charle_err workshop_bench_use_part(struct charle_context *context, const struct workshop_use_part_request *request,
                                        struct workshop_use_part_reply *reply, struct charle_error *err)
{
    if (request->quantity < 1)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "a repair takes at least one part");
    enum charle_err rc = check_repair(context, request->repair_id, err);
    if (rc)
        return rc;
    struct shelf taken;
    rc = charle_fetch_one(context->db, context->arena, charle_select(shelf, from(part), where(eq(part.code, request->part_code))), &taken, err);
    if (rc == CHARLE_NOT_FOUND)
        return charle_fail(err, rc, "there is no part %.*s", CHARLE_FMT(request->part_code));
    if (rc)
        return rc;
    // SQL that both databases understand, values bound. In one statement, so that two servers cannot both take the last one.
    int64_t changed = 0;
    const struct charle_value take[] = {charle_text(taken.id), charle_int8(request->quantity)};
    rc = charle_exec(context->db, "update part set stock = stock - $2 where id = $1 and stock >= $2", take, 2, &changed, err);
    if (!rc && changed == 0)
        return charle_fail(err, CHARLE_FAILED_PRECONDITION, "only %lld of %.*s left", (long long)taken.stock, CHARLE_FMT(taken.code));
    const struct charle_value use[] = {charle_text(request->repair_id), charle_text(taken.id), charle_int8(request->quantity)};
    if (!rc)
        rc = charle_exec(context->db,
                         "insert into used_part (repair_id, part_id, quantity) values ($1, $2, $3) on conflict (repair_id, part_id) "
                         "do update set quantity = used_part.quantity + excluded.quantity",
                         use, 3, NULL, err);
    reply->stock_left = taken.stock - request->quantity;
    return rc;
}

enum charle_err workshop_desk_usage(struct charle_context *context, const struct workshop_usage_request *request,
                                    struct workshop_usage_reply *reply, struct charle_error *err)
{
    (void)request;
    struct usage *rows;
    size_t count;
    enum charle_err rc = usage_fetch(context->db, context->arena, &rows, &count, err);
    if (rc)
        return rc;
    struct workshop_usage_reply_line *lines = charle_arena_alloc(context->arena, (count + 1) * sizeof(*lines));
    const struct workshop_usage_reply_line **list = charle_arena_alloc(context->arena, (count + 1) * sizeof(*list)); // of pointers
    if (!lines || !list)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the answer");
    for (size_t i = 0; i < count; i++) {
        lines[i] = (struct workshop_usage_reply_line){
            .code = rows[i].code, .name = rows[i].name, .repairs = rows[i].repairs, .quantity = rows[i].quantity.value};
        list[i] = &lines[i];
    }
    reply->line = (struct charle_array){.items = list, .count = count, .has = true};
    return CHARLE_OK;
}
