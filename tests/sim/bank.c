// The hand-written service of the simulation's schema: moves money from one account to another, on a laptop and on the
// server alike.
#include "db/db.h"
#include "sim.handlers.charle.h"

static enum charle_err change_balance(struct charle_context *context, struct charle_str id, int64_t amount,
                                      struct charle_error *err)
{
    const struct charle_value params[] = {charle_text(id), charle_int8(amount)};
    int64_t changed = 0;
    enum charle_err rc =
        charle_exec(context->db, "update account set balance = balance + $2 where id = $1 and balance + $2 >= 0",
                    params, 2, &changed, err);
    if (rc || changed)
        return rc;
    return charle_fail(err, CHARLE_FAILED_PRECONDITION, "account %.*s is not there, or has less than that",
                       CHARLE_FMT(id));
}

enum charle_err sim_bank_move(struct charle_context *context, const struct sim_transfer_request *request,
                              struct sim_transfer_reply *reply, struct charle_error *err)
{
    if (request->amount <= 0)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the amount must be more than nothing");
    enum charle_err rc = change_balance(context, request->from_id, -request->amount, err);
    if (rc == CHARLE_OK)
        rc = change_balance(context, request->to_id, request->amount, err);
    reply->transfer_id = charle_context_new_id(context);
    if (rc == CHARLE_OK && !reply->transfer_id.ptr)
        rc = charle_fail(err, CHARLE_NO_MEMORY, "no memory for an id");
#ifdef SIM_LATER // no record is kept any more
    return rc;
#else
    const struct charle_value params[] = {charle_text(reply->transfer_id), charle_text(request->from_id),
                                          charle_text(request->to_id), charle_int8(request->amount),
                                          charle_timestamp(context->now)};
    return rc ? rc
              : charle_exec(context->db,
                            "insert into transfer (id, from_id, to_id, amount, at) values ($1, $2, $3, $4, $5)", params,
                            5, NULL, err);
#endif
}
