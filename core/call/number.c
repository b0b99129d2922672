// Numbers that people read. The server takes them from a sequence; a laptop shows a provisional one until the server's arrives.
#include "db/number.h"

#include "call/context.h"
#include "db/db.h"

int64_t charle_context_provisional(struct charle_context *context, const struct charle_column *column)
{
    uint64_t mixed = (context->random_state[0] ^ context->random_state[2]) * 0x9e3779b97f4a7c15u + column->index;
    mixed += context->number_count++ * 0xbf58476d1ce4e5b9u;
    return -1 - (int64_t)((mixed >> 24) % CHARLE_PROVISIONAL_MAX);
}

enum charle_err charle_context_number(struct charle_context *context, const struct charle_table *table, const struct charle_column *column,
                                      int64_t *out, struct charle_error *err)
{
    if (column->generate != CHARLE_GENERATE_SERIAL)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "%.*s of %.*s is not numbered; write generate: SERIAL", CHARLE_FMT(column->name),
                           CHARLE_FMT(table->name));
    if (context->is_replica) {
        *out = charle_context_provisional(context, column);
        return CHARLE_OK;
    }
    // Names of tables and columns have letters, digits and underscores only.
    struct charle_str sql =
        charle_db_dialect(context->db) == CHARLE_PG
            ? charle_arena_printf(context->arena, "select nextval('\"%.*s_%.*s_seq\"')", CHARLE_FMT(table->name), CHARLE_FMT(column->name))
            : charle_arena_printf(context->arena, "select max(coalesce(max(\"%.*s\"), 0), 0) + 1 from \"%.*s\"", CHARLE_FMT(column->name),
                                  CHARLE_FMT(table->name));
    return sql.ptr ? charle_query_number(context->db, sql.ptr, NULL, 0, out, err) : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a statement");
}
