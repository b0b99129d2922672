// The hand-written services of notes.proto.
#include "notes.handlers.charle.h"

#include "db/db.h"
#include "notes.charle.h"

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

static enum charle_err open_ticket(struct charle_context *context, struct charle_str title, struct notes_ticket *row, struct charle_error *err)
{
    int64_t number = 0;
    enum charle_err rc = charle_context_number(context, &notes_ticket_table, charle_table_column(&notes_ticket_table, CHARLE_STR("number")),
                                               &number, err);
    if (rc)
        return rc;
    *row = (struct notes_ticket){.id = charle_context_new_id(context), .number = (int32_t)number, .title = title};
    const struct charle_value params[] = {charle_text(row->id), charle_int4(row->number), charle_text(row->title)};
    return charle_exec(context->db, "insert into ticket (id, number, title) values ($1, $2, $3)", params, 3, NULL, err);
}

enum charle_err notes_notes_open_tickets(struct charle_context *context, const struct notes_open_tickets_request *request,
                                         struct notes_open_tickets_reply *reply, struct charle_error *err)
{
    const struct charle_str *titles = request->title.items;
    const struct notes_ticket **rows = charle_arena_array(context->arena, request->title.count + 1, sizeof(*rows));
    enum charle_err rc = rows ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for the tickets");
    for (size_t i = 0; !rc && i < request->title.count; i++) {
        struct notes_ticket *row = CHARLE_ARENA_NEW(context->arena, struct notes_ticket);
        rc = row ? open_ticket(context, titles[i], row, err) : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a ticket");
        rows[i] = row;
    }
    reply->ticket = (struct charle_array){.items = rows, .count = request->title.count};
    return rc;
}
