// The hand-written services of notes.proto.
#include "notes.handlers.charle.h"

#include "db/db.h"

enum charle_err notes_notes_replace(struct charle_context *context, const struct notes_replace_request *request,
                                    struct notes_replace_reply *reply, struct charle_error *err)
{
    const struct charle_value params[] = {charle_text(request->from), charle_text(request->to)};
    return charle_exec(context->db, "update note set title = $2 where title = $1", params, 2, &reply->count, err);
}

enum charle_err notes_notes_online(struct charle_context *context, const struct notes_replace_request *request,
                                   struct notes_replace_reply *reply, struct charle_error *err)
{
    (void)context;
    (void)request;
    (void)err;
    reply->count = 42;
    return CHARLE_OK;
}
