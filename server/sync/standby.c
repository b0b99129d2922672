// Reading from a hot standby: is what its snapshot shows a moment that may be shown to this replica?
//
// Stamps, lineages and the log are rows, so a standby shows a true moment of the primary, only an older one. What it must not do is decide: a
// cursor that is ahead of it is not one of a lost past, and a scope that is not held in its past may be held by now. So a standby answers
// when its moment is not behind anything the replica knows, and when all that is left to say is what has changed; everything else is for
// the primary.
//
//   UNAVAILABLE   it has not got there yet: asking again in a moment may do
//   ABORTED       the primary has to be asked
#include "server/sync/parts.h"

static enum charle_err ask_primary(struct charle_error *err, const char *why)
{
    return charle_fail(err, CHARLE_ABORTED, "the standby %s: ask the primary", why);
}

enum charle_err ch_standby_behind(struct charle_error *err)
{
    return charle_fail(err, CHARLE_UNAVAILABLE, "the standby has not got to the moment asked for: ask again, or ask the primary");
}

// A promoted one may go its own way from there; one of another line has other stamps.
static enum charle_err check_line(const struct ch_standby *standby, struct charle_db *db, struct charle_error *err)
{
    struct charle_rows *rows = NULL;
    struct charle_value is_standby, lineage;
    enum charle_err rc = charle_query(db,
                                      "select pg_is_in_recovery(), (select e.lineage from charle.cluster c "
                                      "join charle.epoch e on e.epoch = c.epoch where c.id = 1)",
                                      NULL, 0, &rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_next(rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 0, CHARLE_TYPE_BOOL, false, &is_standby, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 1, CHARLE_TYPE_INT8, false, &lineage, err);
    if (rc == CHARLE_OK && !is_standby.boolean)
        rc = ask_primary(err, "is none, or was promoted");
    else if (rc == CHARLE_OK && (lineage.is_null || (uint64_t)lineage.int8 != standby->lineage))
        rc = ask_primary(err, "is under another epoch");
    charle_rows_close(rows);
    return rc;
}

enum charle_err ch_standby_check(const struct ch_standby *standby, struct charle_db *db, const struct charle_array *at_least,
                                 struct charle_arena *arena, struct charle_error *err)
{
    const struct charle_cursor *const *cursors = at_least->items;
    struct ch_head *heads;
    if (!standby)
        return CHARLE_OK;
    enum charle_err rc = check_line(standby, db, err);
    struct charle_str *scopes = charle_arena_array(arena, at_least->count, sizeof(*scopes));
    if (rc == CHARLE_OK && !scopes)
        rc = charle_fail(err, CHARLE_NO_MEMORY, "no memory for the stamps asked for");
    for (size_t i = 0; rc == CHARLE_OK && i < at_least->count; i++)
        scopes[i] = cursors[i]->scope;
    if (rc == CHARLE_OK && at_least->count)
        rc = ch_heads_read(db, scopes, at_least->count, arena, &heads, err);
    for (size_t i = 0; rc == CHARLE_OK && i < at_least->count; i++)
        rc = heads[i].stamp < cursors[i]->stamp ? ch_standby_behind(err) : CHARLE_OK;
    return rc;
}

enum charle_err ch_standby_check_read(const struct ch_sync_peer *peer, struct charle_db *db, bool may_lag,
                                      const struct charle_array *at_least, struct charle_arena *arena, struct charle_error *err)
{
    if (peer->standby && !may_lag)
        return ask_primary(err, "may be behind, and the replica does not say what it has seen");
    return ch_standby_check(peer->standby, db, at_least, arena, err);
}
