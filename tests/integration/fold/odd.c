// A service that leaves an entry and then does what it is told, much of it nothing that a service should do.
#include "db/db.h"
#include "fold.handlers.charle.h"

static enum charle_err leave_entry(struct charle_context *context, struct charle_str what, struct charle_error *err)
{
    const struct charle_value params[] = {charle_text(charle_context_new_id(context)), charle_text(context->identity->id), charle_text(what),
                                          charle_int8((int64_t)(charle_context_random(context) >> 1)), charle_timestamp(context->now)};
    return charle_exec(context->db, "insert into entry (id, who, what, chance, txn, at) values ($1, $2, $3, $4, pg_current_xact_id()::text, $5)",
                       params, 5, NULL, err);
}

static enum charle_err read_setting(struct charle_context *context, struct fold_do_reply *reply, struct charle_error *err)
{
    struct charle_rows *rows = NULL;
    struct charle_value value;
    enum charle_err rc = charle_query(context->db, "select coalesce(current_setting('fold.who', true), '')", NULL, 0, &rows, err);
    if (!rc)
        rc = charle_rows_next(rows, err);
    if (!rc)
        rc = charle_rows_value(rows, 0, CHARLE_TYPE_TEXT, false, &value, err);
    if (!rc)
        reply->seen = (struct charle_opt_text){charle_arena_str(context->arena, value.text), true};
    charle_rows_close(rows);
    return rc;
}

static enum charle_err run(struct charle_context *context, const char *sql, struct charle_error *err)
{
    struct charle_rows *rows = NULL;
    enum charle_err rc = charle_query(context->db, sql, NULL, 0, &rows, err);
    charle_rows_close(rows);
    return rc;
}

static bool is(struct charle_str what, const char *word)
{
    return charle_str_equal(what, charle_str(word));
}

static enum charle_err act(struct charle_context *context, struct charle_str what, struct fold_do_reply *reply, struct charle_error *err)
{
    const struct charle_value who = charle_text(context->identity->id);
    if (is(what, "fail"))
        return charle_fail(err, CHARLE_NOT_FOUND, "nothing is there, %.*s", CHARLE_FMT(context->identity->id));
    if (is(what, "wait")) // until the test lets go of the lock
        return run(context, "select pg_advisory_xact_lock_shared(42)", err);
    if (is(what, "sleep"))
        return run(context, "select pg_sleep(3)", err);
    if (is(what, "die"))
        return run(context, "select pg_terminate_backend(pg_backend_pid())", err);
    if (is(what, "set"))
        return charle_exec(context->db, "select set_config('fold.who', $1, true)", &who, 1, NULL, err);
    if (is(what, "hide")) {
        (void)!run(context, "select 1 / 0", NULL);
        return CHARLE_OK;
    }
    if (is(what, "eat")) // half of the memory that a call may have; whoever ran it looks whether it was there
        (void)charle_arena_alloc(context->arena, 25 << 20);
    return is(what, "tell") ? read_setting(context, reply, err) : CHARLE_OK;
}

enum charle_err fold_odd_do(struct charle_context *context, const struct fold_do_request *request, struct fold_do_reply *reply,
                            struct charle_error *err)
{
    enum charle_err rc = leave_entry(context, request->what, err);
    reply->who = context->identity->id;
    return rc ? rc : act(context, request->what, reply, err);
}

enum charle_err fold_odd_other(struct charle_context *context, const struct fold_do_request *request, struct fold_do_reply *reply,
                               struct charle_error *err)
{
    return fold_odd_do(context, request, reply, err);
}
