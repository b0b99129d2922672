// The hand-written service of the history tests, the same on a laptop and on the server.
#include "base/arena.h"
#include "db/db.h"
#include "history.handlers.charle.h"

#include <stdio.h>

enum { ITEM_SIZE = 24 };

static enum charle_err change_balance(struct charle_context *context, struct charle_str id, int64_t amount, struct charle_error *err)
{
    const struct charle_value params[] = {charle_text(id), charle_int8(amount)};
    int64_t changed = 0;
    enum charle_err rc =
        charle_exec(context->db, "update account set balance = balance + $2 where id = $1 and balance + $2 >= 0", params, 2, &changed, err);
    if (rc || changed)
        return rc;
    return charle_fail(err, CHARLE_FAILED_PRECONDITION, "account %.*s is not there, or has less than that", CHARLE_FMT(id));
}

static enum charle_err append(struct charle_context *context, struct charle_str chain, int64_t item, struct charle_error *err)
{
    char text[ITEM_SIZE];
    int size = snprintf(text, sizeof(text), "%lld", (long long)item);
    bool is_odd = chain.len && (chain.ptr[chain.len - 1] - '0') % 2;
    const struct charle_value params[] = {charle_text(chain), charle_text(is_odd ? CHARLE_STR("odd") : CHARLE_STR("even")),
                                          charle_text(charle_str_n(text, (size_t)size))};
    return charle_exec(context->db,
                       "insert into chain (id, half, items) values ($1, $2, $3) on conflict (id) do update set items = chain.items || ' ' || excluded.items",
                       params, 3, NULL, err);
}

enum charle_err history_ledger_work(struct charle_context *context, const struct history_work_request *request, struct history_work_reply *reply,
                                    struct charle_error *err)
{
    const struct charle_str *chains = request->chain.items;
    const int64_t *items = request->item.items;
    if (request->chain.count != request->item.count)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "%zu chains and %zu items", request->chain.count, request->item.count);
    enum charle_err rc = change_balance(context, request->from_id, -request->amount, err);
    if (!rc)
        rc = change_balance(context, request->to_id, request->amount, err);
    for (size_t i = 0; !rc && i < request->chain.count; i++)
        rc = append(context, chains[i], items[i], err);
    reply->done = (int64_t)request->item.count;
    return rc;
}
